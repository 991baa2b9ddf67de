#include <navette/hlc.h>

#include <inttypes.h>

#include <navette/bounds.h>

#define COUNT_BITS 16

uint64_t hlc_stamp(uint64_t wall_ms, uint16_t count)
{
    if (wall_ms > HLC_WALL_MS_MAX)
        wall_ms = HLC_WALL_MS_MAX;
    return wall_ms << COUNT_BITS | count;
}

uint64_t hlc_stamp_wall_ms(uint64_t stamp)
{
    return stamp >> COUNT_BITS;
}

/* The next stamp after the latest one. A full counter borrows from the next millisecond. */
static void advance(struct hlc *h)
{
    if (h->count < UINT16_MAX) {
        h->count++;
    } else if (h->wall_ms < HLC_WALL_MS_MAX) {
        h->wall_ms++;
        h->count = 0;
    }
}

uint64_t hlc_tick(struct hlc *h, uint64_t now_ms)
{
    if (now_ms > HLC_WALL_MS_MAX)
        now_ms = HLC_WALL_MS_MAX;
    if (now_ms > h->wall_ms) {
        h->wall_ms = now_ms;
        h->count = 0;
    } else {
        advance(h);
    }
    return hlc_save(h);
}

bool hlc_merge(struct hlc *h, uint64_t stamp, uint64_t now_ms, struct err *e)
{
    uint64_t wall_ms = hlc_stamp_wall_ms(stamp);

    if (wall_ms > HLC_WALL_MS_MAX || (wall_ms > now_ms && wall_ms - now_ms > HLC_SKEW_MS_MAX))
        return err_set(e, ERR_SKEW,
                       "a stamp of %" PRIu64 " ms, our clock says %" PRIu64
                       " ms, at most %d ms ahead is believed",
                       wall_ms, now_ms, HLC_SKEW_MS_MAX);
    if (stamp > hlc_save(h))
        hlc_load(h, stamp);
    return true;
}

uint64_t hlc_save(const struct hlc *h)
{
    return hlc_stamp(h->wall_ms, h->count);
}

void hlc_load(struct hlc *h, uint64_t stamp)
{
    h->wall_ms = hlc_stamp_wall_ms(stamp);
    h->count = (uint16_t)stamp;
}
