/* Room for members among connections that do not finish their handshake. */
#include "links_inside.h"

#include <string.h>

uint32_t links_count_shaking(const struct links *l, bool incoming)
{
    uint32_t i, count = 0;

    for (i = 0; i < l->n; i++) {
        const struct conn *c = l->conns[i];

        if (!c->dead && c->link->state < LINK_OPEN && c->link->incoming == incoming)
            count++;
    }
    return count;
}

static bool is_guest_at_door(const struct conn *c)
{
    return !c->dead && c->link->incoming && c->link->state < LINK_OPEN;
}

/* How many of the unfinished handshakes come from where this one does. */
static uint32_t count_neighbours(const struct links *l, const struct conn *of)
{
    uint32_t i, count = 0;

    for (i = 0; i < l->n; i++)
        if (is_guest_at_door(l->conns[i]))
            count += strcmp(l->conns[i]->link->address.host, of->link->address.host) == 0;
    return count;
}

/* Of the address with the most unfinished handshakes, the oldest one. */
static struct conn *least_wanted(const struct links *l)
{
    struct conn *found = NULL;
    uint32_t i, most = 0;

    for (i = 0; i < l->n; i++) {
        struct conn *c = l->conns[i];
        uint32_t count = is_guest_at_door(c) ? count_neighbours(l, c) : 0;

        if (count > most) { /* they stand in the order in which they came */
            most = count;
            found = c;
        }
    }
    return found;
}

bool links_make_room(struct links *l)
{
    struct conn *oldest;
    struct err e = {0};

    links_sweep(l);
    if (l->n < LINKS_MAX && links_count_shaking(l, true) < HANDSHAKES_MAX)
        return true;
    oldest = least_wanted(l);
    if (oldest == NULL)
        return false;
    err_set(&e, ERR_LIMIT, "too many connections that do not finish their handshake");
    link_close(oldest->link, &e);
    links_sweep(l);
    return l->n < LINKS_MAX;
}
