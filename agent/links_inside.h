/* Inside links.c, links_dial.c, links_guard.c, links_room.c and twins.c: the connections of this
 * site. */
#ifndef NAVETTE_LINKS_INSIDE_H
#define NAVETTE_LINKS_INSIDE_H

#include "agent.h"
#include "dial.h"
#include "door.h"
#include "gather.h"
#include "links.h"
#include "log.h"
#include "renew.h"
#include "twins.h"

struct conn {
    struct links *links;
    struct link *link;
    bool dead;
    bool talking;
    bool served;                    /* a guest has his answer */
    uint32_t ip;                    /* where an incoming one comes from */
    uint64_t spent_ns;              /* on its messages in this turn of the loop */
    uint64_t held_until_ms;         /* so long it is not read from */
    struct gatherer gatherer;       /* has it its turn, or does it wait, unread? */
    struct rival rival;             /* another link of this site's is there (twins.h) */
    struct renewal renewal;         /* when it is made anew (renew.h) */
    uint8_t membership[HASH_BYTES]; /* of the fleet when it was made */
    bool renews;                    /* dialled to take the place of the one with: */
    struct site_id renews_site;
    bool renewed; /* another one has taken its place */
    struct talk talk;
};

struct links {
    struct agent *agent;
    struct listener *listener;
    uv_timer_t timer;
    uv_timer_t pause;      /* at the door */
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
    struct bucket idle_talk; /* of all who are no members, together (member.h) */
    struct sync_claims claims;
    struct replay_cache replays;
    struct door door;
    uv_stream_t *waiting; /* a connection does, there, until the pause is over */
    struct log_limit refused, ups, downs;
    struct self_dials self_dials;
    struct gather gather; /* large messages */
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
/* Not without a store, nor with an identity that another PC may have as well. */
bool links_is_speaking(const struct links *l);
/* Something about dialling changed: look at all of it. */
void links_arm(struct links *l);
uint32_t links_random(void);
extern const struct link_events links_events;
/* There must be room. */
struct conn *links_conn_add(struct links *l);
void links_conn_drop_last(struct links *l);
/* The peer is authenticated: begin, unless it is not to be talked with now (the link ends), or has
 * another link (one of them ends, or this one waits). */
void links_talk_with(struct conn *c);
/* Release the dead. */
void links_sweep(struct links *l);

/* ---- links_dial.c ---- */
void links_dial_due(struct links *l);
/* Dial the site of an open link once more; false when that is not possible now. */
bool links_dial_beside(struct conn *c);
/* Members are where they were met last, maybe in an earlier run. */
void links_dial_remembered(struct links *l);
/* Key 0 is the fleet's present one. */
void links_fleet_secret(const struct agent *a, uint32_t key, struct channel_secret *secret);

/* ---- links_guard.c ---- */
/* It was shut out. */
bool links_is_gone(const struct links *l, const struct site_id *site);
/* The roster changed: end the links of those who are no members any more, also the ones that wait
 * (twins.h), and all where we are none. */
void links_shut_out(struct links *l);
/* Is nobody at the other end with whom to talk? Then the link ends here. */
bool links_is_unwelcome(struct conn *c);

/* ---- links_room.c ---- */
uint32_t links_count_shaking(const struct links *l, bool incoming);
/* listener_on_connection: let it in, turn it away, or let it wait. */
void links_on_connection(void *context, uv_stream_t *server);
/* The pause at the door is over. */
void links_on_pause_over(uv_timer_t *timer);
/* `bytes` of a message that is not whole are there: others may have to come first. */
void links_gather(struct conn *c, size_t bytes);
/* It is whole, or the link has gone. */
void links_gathered(struct conn *c);
/* The next one's turn; and who dawdles while others wait loses his link. */
void links_gather_tick(struct links *l);

#endif
