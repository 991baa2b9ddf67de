#include "ahead.h"

#include <inttypes.h>
#include <stdio.h>

#include <navette/ahead.h>

#include "agent.h"
#include "links.h"
#include "log.h"
#include "pump.h"

#define TRY_MS 10000 /* what stands in the way reads the log */

#define MINUTE_MS UINT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)
#define YEAR_MS   (365 * DAY_MS)

/* "3 days": the nearest number of the largest unit that it has one of. */
static void write_time(char *out, size_t room, uint64_t ms)
{
    static const struct {
        uint64_t ms;
        const char *word;
    } units[] = {{YEAR_MS, "year"}, {DAY_MS, "day"}, {HOUR_MS, "hour"}, {MINUTE_MS, "minute"}};
    uint64_t n;
    size_t i = 0;

    while (i + 1 < COUNT_OF(units) && ms < units[i].ms)
        i++;
    n = (ms + units[i].ms / 2) / units[i].ms;
    snprintf(out, room, "%" PRIu64 " %s%s", n, units[i].word, n == 1 ? "" : "s");
}

static bool is_close(const struct talk *t)
{
    return t->sync.skew_ms <= HLC_SKEW_MS_MAX && t->sync.skew_ms >= -HLC_SKEW_MS_MAX;
}

static void compare_clocks(const struct agent *a, uint32_t *agree, uint32_t *differ)
{
    const struct talk *talk;
    uint32_t at = 0;

    *agree = *differ = 0;
    while ((talk = links_next_talk(a->links, &at)) != NULL) {
        if (!talk_is_open(talk) || talk->stranger_until_ms != 0)
            continue;
        *agree += is_close(talk);
        *differ += !is_close(talk);
    }
}

static void warn(struct agent *a, const struct store_ahead *ahead, uint32_t agree, uint32_t differ)
{
    char time[40];

    write_time(time, sizeof time, ahead->ahead_ms);
    warning_set(&a->warnings, WARNING_AHEAD, agent_wall_ms(a),
                "what was written here last bears a time %s after this PC's clock: the clock was "
                "ahead then, or is behind now. If it was ahead, the other PCs wait with what was "
                "written here since; this PC puts it right by itself %s",
                time,
                agree + differ == 0 ? "when it is connected to one whose clock shows the same time"
                : agree <= differ   ? "when most of the connected PCs show the same time as it does"
                                    : "when PCs whose clocks were ahead as well have done so, too");
}

bool ahead_tick(struct ahead *h, struct agent *a)
{
    struct store_ahead ahead;
    uint32_t agree, differ;
    struct err e = {0};
    bool did;

    if (!store_ahead(a->store, agent_wall_ms(a), &ahead, &e)) {
        pump_failed(a->pump, "look at the clock", &e);
        return false;
    }
    if (ahead.ahead_ms == 0)
        warning_clear(&a->warnings, WARNING_AHEAD);
    if (ahead.ahead_ms == 0 && !ahead.left) {
        *h = (struct ahead){0};
        return false;
    }
    compare_clocks(a, &agree, &differ);
    if ((!h->is_right && !store_ahead_was_wrong(&ahead, agree, differ)) ||
        (h->tried_ms != 0 && uv_now(a->loop) - h->tried_ms < TRY_MS)) {
        if (ahead.ahead_ms != 0)
            warn(a, &ahead, agree, differ);
        return false;
    }
    if (!store_correct(a->store, agent_wall_ms(a), &did, &e)) {
        pump_failed(a->pump, "correct what was written while the clock was ahead", &e);
        return false;
    }
    h->tried_ms = did ? 0 : uv_now(a->loop);
    if (did)
        log_warn("the clock here, or of a PC that was shut out, was ahead: what was written there "
                 "counts as written now");
    return did;
}

void ahead_note_others(struct agent *a)
{
    uint64_t wall = agent_wall_ms(a);
    struct store_early early;
    struct err e = {0};
    char time[40];

    if (!store_early(a->store, wall, &early, &e)) {
        pump_failed(a->pump, "look at what waits", &e);
        return;
    }
    if (early.changesets == 0) {
        warning_clear(&a->warnings, WARNING_EARLY);
        return;
    }
    write_time(time, sizeof time, early.wall_ms - wall);
    warning_set(&a->warnings, WARNING_EARLY, wall,
                "%" PRIu64 " change-set%s of %s%s wait%s: the clock there was ahead when they were "
                "made (or is right, and this one is behind), by %s",
                early.changesets, early.changesets == 1 ? "" : "s",
                early.whose[0] != '\0' ? early.whose : "a former member",
                early.others ? " and others" : "", early.changesets == 1 ? "s" : "", time);
}

bool ahead_is_settled(struct agent *a, struct err *e)
{
    const struct talk *talk;
    struct store_ahead ahead;
    uint32_t at = 0;

    if (!store_ahead(a->store, agent_wall_ms(a), &ahead, e)) {
        pump_failed(a->pump, "look at the clock", e);
        e->code = ERR_BUSY;
        return false;
    }
    if (ahead.ahead_ms != 0)
        return err_set(e, ERR_BUSY,
                       "this PC's clock was ahead, or is behind now: see `agent-cli status`");
    while ((talk = links_next_talk(a->links, &at)) != NULL)
        if (talk_is_open(talk) && talk->sync.skew_ms < -HLC_SKEW_MS_MAX)
            return err_set(e, ERR_BUSY,
                           "a connected PC whose clock is behind this one's does not take what is "
                           "written here: see `agent-cli status`");
    return true;
}
