#include "gather.h"

#include <assert.h>

static void begin(struct gather *g, const struct gatherer *of, size_t bytes, uint64_t now_ms)
{
    g->turn = of;
    g->since_ms = now_ms;
    g->from = g->bytes = bytes;
}

bool gather_may(struct gather *g, struct gatherer *of, size_t bytes, uint64_t now_ms)
{
    if (g->turn == of) {
        g->bytes = bytes;
        return true;
    }
    if (bytes <= GATHER_FREE)
        return true;
    if (g->turn == NULL && g->waiting == 0) {
        begin(g, of, bytes, now_ms);
        return true;
    }
    if (of->place == 0) {
        of->place = ++g->places;
        g->waiting++;
    }
    return false;
}

bool gather_end(struct gather *g, struct gatherer *of)
{
    if (of->place != 0) {
        of->place = 0;
        g->waiting--;
    }
    if (g->turn != of)
        return false;
    g->turn = NULL;
    return true;
}

void gather_give(struct gather *g, struct gatherer *of, size_t bytes, uint64_t now_ms)
{
    assert(g->turn == NULL);
    assert(of->place != 0);
    of->place = 0;
    g->waiting--;
    begin(g, of, bytes, now_ms);
}

bool gather_is_slow(const struct gather *g, uint64_t now_ms)
{
    uint64_t ms = now_ms - g->since_ms;

    return g->turn != NULL && g->waiting > 0 && ms >= GATHER_GRACE_MS &&
           (g->bytes - g->from) / (ms / 1000) < GATHER_RATE;
}
