#include <navette/sync_chain.h>

#include <stdlib.h>
#include <string.h>

uint32_t sync_chains_place(const struct sync_chains *c, const struct actor *a)
{
    uint32_t low = 0, high = c->n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (actor_compare(&c->chains[middle].actor, a) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct sync_chain *sync_chains_find(struct sync_chains *c, const struct actor *a)
{
    uint32_t at = sync_chains_place(c, a);

    if (at == c->n || !actor_equal(&c->chains[at].actor, a))
        return NULL;
    return &c->chains[at];
}

struct sync_chain *sync_chains_add(struct sync_chains *c, const struct actor *a)
{
    uint32_t at = sync_chains_place(c, a);

    if (at < c->n && actor_equal(&c->chains[at].actor, a))
        return &c->chains[at];
    if (c->n == c->room) {
        c->room = c->room == 0 ? 8 : c->room * 2;
        c->chains = mem_grow(c->chains, c->room * sizeof *c->chains);
    }
    memmove(c->chains + at + 1, c->chains + at, (c->n - at) * sizeof *c->chains);
    c->chains[at] = (struct sync_chain){.actor = *a};
    c->n++;
    return &c->chains[at];
}

void sync_chains_close(struct sync_chains *c)
{
    free(c->chains);
    memset(c, 0, sizeof *c);
}

void sync_window_add(struct sync_window *w, const struct actor *a, uint64_t number, size_t bytes)
{
    if (w->n == w->room) {
        w->room = w->room == 0 ? 16 : w->room * 2;
        w->flights = mem_grow(w->flights, w->room * sizeof *w->flights);
    }
    w->flights[w->n++] = (struct sync_flight){.actor = *a, .number = number, .bytes = bytes};
    w->bytes += bytes;
}

void sync_window_take(struct sync_window *w, const struct actor *a, uint64_t number)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < w->n; i++) {
        if (w->flights[i].number <= number && actor_equal(&w->flights[i].actor, a))
            w->bytes -= w->flights[i].bytes;
        else
            w->flights[kept++] = w->flights[i];
    }
    w->n = kept;
}

void sync_window_close(struct sync_window *w)
{
    free(w->flights);
    memset(w, 0, sizeof *w);
}
