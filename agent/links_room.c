/* Who dials us: let in, turned away, or left waiting; room for members among connections that do
 * not finish their handshake; and for large messages, one at a time. */
#include "links_inside.h"

#include <sodium.h>

#include "invitation.h"
#include "listener.h"

#define LOG_BURST      5
#define GATHER_LOOK_MS 1000 /* while links wait for their turn */

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

/* It has not shown that it knows a secret of ours. */
static bool is_silent(const struct conn *c)
{
    return c->link->channel.noise.step == 0;
}

/* How many of the unfinished handshakes come from where this one does. */
static uint32_t count_neighbours(const struct links *l, const struct conn *of)
{
    uint32_t i, count = 0;

    for (i = 0; i < l->n; i++)
        count += is_guest_at_door(l->conns[i]) && l->conns[i]->ip == of->ip;
    return count;
}

/* One that has said nothing yet if there is such a one; of the address with the most unfinished
 * handshakes; the oldest. */
static struct conn *least_wanted(const struct links *l)
{
    struct conn *found = NULL;
    uint32_t i, most = 0;

    for (i = 0; i < l->n; i++) {
        struct conn *c = l->conns[i];
        uint32_t count;

        if (!is_guest_at_door(c) || (found != NULL && is_silent(found) && !is_silent(c)))
            continue;
        count = count_neighbours(l, c);
        if (found == NULL || (is_silent(c) && !is_silent(found)) || count > most) {
            most = count; /* they stand in the order in which they came */
            found = c;
        }
    }
    return found;
}

/* Strangers who connect and say nothing must not keep members out. */
static bool make_room(struct links *l)
{
    struct conn *oldest = least_wanted(l);
    struct err e = {0};

    if (oldest == NULL)
        return false;
    err_set(&e, ERR_LIMIT, "too many connections that do not finish their handshake");
    link_close(oldest->link, &e);
    links_sweep(l);
    return true;
}

static bool admit(void *context, const struct sockaddr_in *from, struct err *e)
{
    struct conn *c = context;
    struct links *l = c->links;
    struct address address;

    c->ip = from->sin_addr.s_addr;
    if (door_admit(&l->door, c->ip, now_of(l)))
        return true;
    address_of(&address, (const struct sockaddr *)from);
    agent_flooded(l->agent, "connections", address.host);
    return err_set(e, ERR_LIMIT, "more than %d connections a second from %s", DOOR_RATE,
                   address.host);
}

static void accept_one(struct links *l, uv_stream_t *server, struct link_door *door)
{
    struct conn *c = links_conn_add(l);
    struct err e = {0};

    door->admit = admit;
    door->context = c;
    if (!link_accept(&c->link, l->agent, server, door, (struct link_owner){&links_events, c}, &e)) {
        if (log_allowed(&l->refused, LOG_BURST, now_of(l)))
            log_warn("accept failed reason=%s left_out=%u", e.text, l->refused.suppressed);
        links_conn_drop_last(l);
        return;
    }
    links_tick_by(l, now_of(l) + HANDSHAKE_MS_MAX);
    if (links_count_shaking(l, true) > HANDSHAKES_MAX)
        (void)make_room(l);
}

static void on_connection(struct links *l, uv_stream_t *server)
{
    struct channel_secret secrets[FLEET_KEYS_MAX + INVITES_MAX];
    struct link_door door = {.secrets = secrets, .replays = &l->replays};

    while (links_is_speaking(l) && door.count < l->agent->fleet_keys.n) {
        links_fleet_secret(l->agent, door.count, &secrets[door.count]);
        door.count++;
    }
    /* The ledger is this agent's: no other one on this home takes the same guest. */
    if (door.count > 0)
        door.count += invitations_secrets(l->agent->invitations, secrets + door.count, INVITES_MAX);
    links_sweep(l);
    if (door.count == 0 || (l->n == LINKS_MAX && !make_room(l)))
        listener_turn_away(l->listener, server);
    else
        accept_one(l, server, &door);
    sodium_memzero(secrets, sizeof secrets);
}

/* One that is not accepted waits, and with it all that come after it. */
void links_on_connection(void *context, uv_stream_t *server)
{
    struct links *l = context;

    if (door_take(&l->door, now_of(l))) {
        on_connection(l, server);
        return;
    }
    l->waiting = server;
    uv_timer_start(&l->pause, links_on_pause_over, DOOR_PAUSE_MS, 0);
}

void links_on_pause_over(uv_timer_t *timer)
{
    struct links *l = timer->data;

    if (!l->stopping && !uv_is_closing((uv_handle_t *)l->waiting))
        links_on_connection(l, l->waiting);
}

/* ---- large messages ---- */

void links_gather(struct conn *c, size_t bytes)
{
    struct links *l = c->links;

    if (gather_may(&l->gather, &c->gatherer, bytes, now_of(l)))
        return;
    link_hold(c->link);
    links_tick_by(l, now_of(l) + GATHER_LOOK_MS);
}

void links_gathered(struct conn *c)
{
    if (gather_end(&c->links->gather, &c->gatherer) && c->links->gather.waiting > 0)
        links_arm(c->links);
}

/* It has held others up not long ago: they come first. */
static bool is_last(struct links *l, const struct conn *c)
{
    const struct member *m = members_get(&l->members, &c->link->channel.peer);

    return m != NULL && m->dawdled_ms != 0 && now_of(l) - m->dawdled_ms < GATHER_LAST_MS;
}

static struct conn *first_waiting(struct links *l)
{
    struct conn *first = NULL;

    for (uint32_t i = 0; i < l->n; i++) {
        struct conn *c = l->conns[i];

        if (c->dead || c->gatherer.place == 0)
            continue;
        if (first == NULL || is_last(l, c) < is_last(l, first) ||
            (is_last(l, c) == is_last(l, first) && c->gatherer.place < first->gatherer.place))
            first = c;
    }
    return first;
}

static struct conn *whose_turn(const struct links *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (&l->conns[i]->gatherer == l->gather.turn)
            return l->conns[i];
    return NULL;
}

/* Those that wait are not silent: it is us who do not read. */
static void note_waiting(struct links *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (l->conns[i]->gatherer.place != 0 && is_open(l->conns[i]))
            talk_heard(&l->conns[i]->talk, l->conns[i]->link->channel.message_bytes);
}

static void end_slow_one(struct links *l)
{
    struct conn *slow = gather_is_slow(&l->gather, now_of(l)) ? whose_turn(l) : NULL;
    struct err e = {0};
    struct member *m;

    if (slow == NULL)
        return;
    m = members_get(&l->members, &slow->link->channel.peer);
    if (m != NULL)
        m->dawdled_ms = now_of(l);
    err_set(&e, ERR_LIMIT, "it takes too long for a large message, and others wait");
    link_close(slow->link, &e);
}

void links_gather_tick(struct links *l)
{
    struct conn *next;

    end_slow_one(l);
    next = l->gather.turn == NULL ? first_waiting(l) : NULL;
    if (next != NULL) {
        gather_give(&l->gather, &next->gatherer, next->link->channel.message_bytes, now_of(l));
        links_arm(l); /* it is read on when it is looked at */
    }
    note_waiting(l);
    if (l->gather.waiting > 0 && now_of(l) + GATHER_LOOK_MS < l->wake_ms)
        l->wake_ms = now_of(l) + GATHER_LOOK_MS;
}
