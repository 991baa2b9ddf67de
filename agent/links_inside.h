/* Inside links.c, links_room.c and twins.c: the connections of this site. */
#ifndef NAVETTE_LINKS_INSIDE_H
#define NAVETTE_LINKS_INSIDE_H

#include "agent.h"
#include "dial.h"
#include "links.h"
#include "log.h"
#include "twins.h"

struct conn {
    struct links *links;
    struct link *link;
    bool dead;
    bool talking;
    bool served;        /* a guest has his answer */
    uint64_t spent_ns;  /* on its messages in this turn of the loop */
    struct rival rival; /* another link of this site's is there (twins.h) */
    struct talk talk;
};

struct links {
    struct agent *agent;
    struct listener *listener;
    uv_timer_t timer;
    uv_prepare_t soon;     /* runs before the loop waits: SYNC_LOCAL, and sweeping the dead */
    uv_check_t after_read; /* runs when all that waited was read once */
    uint32_t handles;
    bool paused;
    bool local_changed;
    bool roster_changed;
    bool stopping;
    uint64_t wake_ms;
    uint64_t next_id;
    struct conn *conns[LINKS_MAX];
    uint32_t n;
    struct places places;
    struct members members;
    struct sync_claims claims;
    struct replay_cache replays;
    struct log_limit refused;
    struct self_dials self_dials;
};

static inline uint64_t now_of(const struct links *l)
{
    return uv_now(l->agent->loop);
}

static inline bool is_open(const struct conn *c)
{
    return !c->dead && c->talking && c->link->state == LINK_OPEN;
}

/* The one in which the site is talked with; NULL when there is none. */
struct conn *links_conn_of(const struct links *l, const struct site_id *site);
const char *links_name_of(const struct links *l, const struct site_id *site);
/* The peer is known and wanted: begin. */
void links_talk_with(struct conn *c);
/* Release the dead. */
void links_sweep(struct links *l);

/* ---- links_room.c ---- */
uint32_t links_count_shaking(const struct links *l, bool incoming);
/* Strangers who connect and say nothing must not keep members out. */
bool links_make_room(struct links *l);

#endif
