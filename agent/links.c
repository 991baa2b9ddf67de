/* A connection is a struct conn from accept or dial until its link is closed; then it is dead, and
 * swept before the loop waits again: it may have died in the middle of its own conversation's step.
 */
#include "links.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <navette/join.h>
#include <navette/message.h>

#include "discovery.h"
#include "fleet.h"
#include "invitation.h"
#include "links_inside.h"
#include "listener.h"
#include "pump.h"

#define NEVER       UINT64_MAX
#define LOG_BURST   20
#define LINKS_BURST 60      /* a fleet that is switched on is no flood */
#define TURN_NS     5000000 /* for the messages of one peer; one read more comes on top */
/* What a peer's messages may take that bring no change-set and acknowledge none: so many ms a
 * second, so many at once. Else it is not read from for a while, at most HELD_MS_MAX. */
#define IDLE_MS_RATE  150
#define IDLE_MS_BURST 1000
#define HELD_MS_MAX   4000

/* ---- finding ---- */

uint32_t links_random(void)
{
    uint32_t v;

    random_fill(&v, sizeof v);
    return v;
}

bool links_is_speaking(const struct links *l)
{
    return l->agent->in_fleet && !l->paused && l->agent->doubt[0] == '\0';
}

struct conn *links_conn_of(const struct links *l, const struct site_id *site)
{
    uint32_t i;

    for (i = 0; i < l->n; i++)
        if (is_open(l->conns[i]) && site_equal(&l->conns[i]->link->channel.peer, site))
            return l->conns[i];
    return NULL;
}

const char *links_name_of(const struct links *l, const struct site_id *site)
{
    const struct roster_site *member = roster_author(&l->agent->roster, site);

    return member != NULL ? member->name : "(not in the roster)";
}

const struct talk *links_talk(const struct links *l, const struct site_id *site)
{
    struct conn *c = links_conn_of(l, site);

    return c != NULL ? &c->talk : NULL;
}

const struct talk *links_next_talk(const struct links *l, uint32_t *at)
{
    while (*at < l->n) {
        const struct conn *c = l->conns[(*at)++];

        if (is_open(c))
            return &c->talk;
    }
    return NULL;
}

static bool has_published(const struct talk *t)
{
    return vector_sum_of(&t->sync.peer_have, &t->sync.peer) > 0;
}

static bool may_ask(const struct conn *c)
{
    return is_open(c) && talk_is_open(&c->talk) && c->talk.stranger_until_ms == 0;
}

bool links_ask_keys(struct links *l)
{
    bool asked = false;

    for (uint32_t i = 0; i < l->n; i++) {
        struct talk *talk = &l->conns[i]->talk;

        if (!may_ask(l->conns[i]) || talk->keys_asked || talk->keys_told)
            continue;
        talk_ask_keys(talk);
        asked = true;
    }
    return asked;
}

bool links_await_keys(const struct links *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (may_ask(l->conns[i]) && l->conns[i]->talk.keys_asked &&
            has_published(&l->conns[i]->talk))
            return true;
    return false;
}

void links_forget_keys(struct links *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        l->conns[i]->talk.keys_told = false;
}

struct members *links_members(struct links *l)
{
    return &l->members;
}

void links_log_more(struct links *l)
{
    log_more(&l->refused, "connection refused", now_of(l));
    log_more(&l->ups, "link up", now_of(l));
    log_more(&l->downs, "link down", now_of(l));
}

uint16_t links_port(const struct links *l)
{
    return l->listener != NULL ? listener_port(l->listener) : 0;
}

/* ---- the end of a connection ---- */

static void end_talk(struct conn *c)
{
    struct links *l = c->links;
    struct site_id peer = c->talk.sync.peer;

    if (!c->talking)
        return;
    members_note(l->agent, &l->members, &c->talk.sync);
    if (talk_was_open(&c->talk))
        discovery_met(l->agent->discovery, &peer,
                      agent_wall_ms(l->agent) + (uint64_t)c->talk.sync.skew_ms);
    members_save(l->agent, &l->members, &peer);
    talk_close(&c->talk);
    c->talking = false;
}

void links_sweep(struct links *l)
{
    uint32_t i, kept = 0;

    for (i = 0; i < l->n; i++) {
        struct conn *c = l->conns[i];

        if (!c->dead || (c->talking && c->talk.stepping)) {
            l->conns[kept++] = c;
            continue;
        }
        l->local_changed |= c->talking; /* what it was asked for, another may be asked for */
        end_talk(c);
        buf_close(&c->rival.early);
        free(c);
    }
    l->n = kept;
}

static void on_soon(uv_prepare_t *handle)
{
    struct links *l = handle->data;
    uint32_t i;

    uv_prepare_stop(handle);
    links_sweep(l);
    while (l->local_changed) {
        l->local_changed = false;
        for (i = 0; i < l->n; i++)
            if (is_open(l->conns[i]))
                talk_local(&l->conns[i]->talk);
        links_sweep(l);
    }
    if (l->roster_changed)
        links_shut_out(l);
}

static void soon(struct links *l)
{
    if (!l->stopping)
        uv_prepare_start(&l->soon, on_soon);
}

void links_local_changed(struct links *l)
{
    l->local_changed = true;
    soon(l);
}

void links_roster_changed(struct links *l)
{
    l->roster_changed = true;
    links_local_changed(l);
}

/* It has the fleet's key, and no roster that we could get names it. */
static void note_stranger(struct conn *c, const char *address)
{
    struct agent *a = c->links->agent;

    a->stranger_ms = now_of(c->links);
    warning_set(&a->warnings, WARNING_NO_MEMBER, agent_wall_ms(a),
                "the PC at %.*s has the key of this fleet and is no member of it",
                (int)strcspn(address, ":"), address);
}

static void log_end(const struct conn *c, const char *address, const struct err *why)
{
    struct links *l = c->links;
    const struct link *link = c->link;

    if (link->opened_ms != 0 && c->talking) {
        if (log_allowed(&l->downs, LINKS_BURST, now_of(l)))
            log_info("link down peer=%s addr=%s reason=%s", links_name_of(l, &link->channel.peer),
                     address, why->code != ERR_NONE ? why->text : "closed by us");
    } else if (link->opened_ms != 0 || !link->incoming) {
        log_debug("no link addr=%s reason=%s", address, why->text);
    } else if (log_allowed(&l->refused, LOG_BURST, now_of(l))) {
        log_info("connection refused addr=%s reason=%s left_out=%u", address, why->text,
                 l->refused.suppressed);
    }
}

/* Where a member was met last, the handshake ends without a word. */
static void note_hung_up(struct links *l, const struct link *link)
{
    for (uint32_t i = 0; i < l->members.n; i++) {
        struct hung_up *h = &l->members.list[i].hung_up;

        if (!address_equal(&l->members.list[i].address, &link->address))
            continue;
        h->at_ms = now_of(l);
        h->times++;
        h->keys |= 1u << link->channel.tag;
    }
}

static void on_closed(struct link *link, const struct err *why)
{
    struct conn *c = link->user;
    struct links *l = c->links;
    uint64_t open_ms = link->opened_ms != 0 ? now_of(l) - link->opened_ms : 0;
    char text[ADDRESS_TEXT_BYTES];

    c->dead = true;
    links_gathered(c);
    if (c->talking && why->code == ERR_REVOKED && !links_is_gone(l, &link->channel.peer))
        fleet_told(l->agent, &link->channel.peer);
    if (!link->incoming && link->opened_ms == 0 && link->hung_up)
        note_hung_up(l, link);
    if (why->code == ERR_FULL || why->code == ERR_STORE)
        pump_failed(l->agent->pump, "receive", why);
    address_text(text, &link->address);
    log_end(c, text, why);
    if (c->talking && c->talk.stranger_until_ms != 0 && why->code == ERR_STRANGER)
        note_stranger(c, text);
    if (renew_closed(c) && !link->incoming)
        places_ended(&l->places, &link->address, open_ms, now_of(l), links_random());
    links_arm(l);
    soon(l);
}

/* A peer that keeps us busy with what brings nothing is listened to less, by whatever links it
 * comes: `ns` more went on it. An identity that is no member's costs nothing to make. */
static void charge(struct conn *c, uint64_t ns)
{
    static const struct bucket_size size = {IDLE_MS_RATE, IDLE_MS_BURST};
    struct links *l = c->links;
    const struct site_id *peer = &c->link->channel.peer;
    struct member *member = NULL;
    struct bucket *spent;
    uint64_t debt_ms;

    if (roster_find(&l->agent->roster, peer) != NULL)
        member = members_get(&l->members, peer);
    spent = member != NULL ? &member->idle_talk : &l->idle_talk;
    bucket_charge(spent, &size, (double)ns / 1000000, now_of(l));
    debt_ms = bucket_debt_ms(spent, &size);
    if (debt_ms == 0)
        return;
    c->held_until_ms = now_of(l) + (debt_ms < HELD_MS_MAX ? debt_ms : HELD_MS_MAX);
    link_hold(c->link);
    links_tick_by(l, c->held_until_ms);
}

/* ---- a connection that opened ---- */

static struct dial_claim claim_of(const struct link *link)
{
    return (struct dial_claim){link->incoming, link->started_ms, link->opened_ms};
}

/* One link for each pair. False: the fresh one goes, or waits. */
static bool settle(struct links *l, struct conn *fresh)
{
    struct conn *present = links_conn_of(l, &fresh->link->channel.peer);
    struct dial_claim old, new = claim_of(fresh->link);
    struct err e = {0};

    if (present == NULL || renew_takes_over(present, fresh))
        return true;
    old = claim_of(present->link);
    err_set(&e, ERR_NET, "another link to the same PC took its place");
    if (!dial_crossed(&old, &new)) {
        /* Who dials has no link then: two dials of ours found the same PC, by two of its addresses.
         */
        if (fresh->link->incoming)
            twins_compare(l, present, fresh);
        else
            link_close(fresh->link, &e);
        return false;
    }
    if (!dial_fresh_wins(&new, memcmp(&l->agent->keys.site, &fresh->link->channel.peer,
                                      sizeof(struct site_id)) < 0)) {
        link_close(fresh->link, &e);
        return false;
    }
    link_close(present->link, &e);
    return true;
}

/* Where it can be dialled after a restart, beacons or not. */
static void note_place(struct links *l, const struct link *link)
{
    const struct address *place = &link->address;

    if (link->incoming)
        place = places_prove(&l->places, &link->channel.peer, link->address.host);
    if (place != NULL && roster_find(&l->agent->roster, &link->channel.peer) != NULL)
        members_met(l->agent, &l->members, &link->channel.peer, place);
}

static void begin_talk(struct conn *c)
{
    struct links *l = c->links;
    struct link *link = c->link;
    struct member *member;
    char text[ADDRESS_TEXT_BYTES];

    if (log_allowed(&l->ups, LINKS_BURST, now_of(l)))
        log_info("link up peer=%s addr=%s dialled=%s", links_name_of(l, &link->channel.peer),
                 address_text(text, &link->address), link->incoming ? "no" : "yes");
    c->talking = true;
    renew_opened(c);
    talk_open(&c->talk, l->agent, link, ++l->next_id, &l->claims);
    member = members_get(&l->members, &link->channel.peer);
    if (member != NULL)
        member->hung_up = (struct hung_up){0};
    charge(c, 0); /* what it owes it owes on every link */
    note_place(l, link);
}

void links_talk_with(struct conn *c)
{
    struct err e = {0};

    if (!links_is_speaking(c->links)) {
        err_set(&e, ERR_REFUSED, "the database is not open");
        link_close(c->link, &e);
    } else if (!links_is_unwelcome(c) && settle(c->links, c)) {
        begin_talk(c);
    }
}

static void on_open(struct link *link)
{
    struct conn *c = link->user;
    struct links *l = c->links;

    if (link->channel.mode == CHANNEL_INVITE)
        return;
    if (site_equal(&link->channel.peer, &l->agent->keys.site)) {
        twins_met(l, c);
        return;
    }
    if (!link->incoming)
        places_opened(&l->places, &link->address, &link->channel.peer, false);
    links_talk_with(c);
}

/* What came is staged together; who has had more than his turn goes on in the next one. */
static void on_after_read(uv_check_t *handle)
{
    struct links *l = handle->data;
    uint32_t i;

    uv_check_stop(handle);
    for (i = 0; i < l->n; i++) {
        struct conn *c = l->conns[i];

        c->spent_ns = 0;
        if (is_open(c))
            talk_pause(&c->talk);
        if (!c->dead && link_has_rest(c->link))
            links_tick_by(l, c->held_until_ms);
        else if (!c->dead && now_of(l) >= c->held_until_ms && c->gatherer.place == 0)
            link_resume(c->link);
    }
}

static bool serve_guest(struct conn *c, struct slice message, struct err *e)
{
    if (c->served)
        return err_set(e, ERR_INPUT, "a guest who goes on after the answer");
    c->served = true;
    return invitations_serve(c->links->agent->invitations, c->link, message, e);
}

static bool on_message(struct link *link, struct slice message, struct err *e)
{
    struct conn *c = link->user;
    uint64_t start_ns = uv_hrtime();
    uint64_t useful = c->talk.useful;
    bool ok;

    links_gathered(c);
    if (link->channel.mode == CHANNEL_INVITE)
        return serve_guest(c, message, e);
    if (!c->talking)
        return twins_message(c, message, e);
    ok = twins_heard(c, message) || talk_message(&c->talk, message, e);
    c->spent_ns += uv_hrtime() - start_ns;
    if (c->talk.useful == useful)
        charge(c, uv_hrtime() - start_ns);
    if (c->spent_ns > TURN_NS)
        link_hold(link);
    if (!c->links->stopping)
        uv_check_start(&c->links->after_read, on_after_read);
    return ok;
}

static bool on_heard(struct link *link, struct slice start, size_t bytes, size_t more,
                     struct err *e)
{
    struct conn *c = link->user;

    if (link->channel.mode == CHANNEL_INVITE)
        return bytes <= JOIN_BYTES_MAX ||
               err_set(e, ERR_LIMIT, "a guest says more than %u bytes", JOIN_BYTES_MAX);
    if (c->talking)
        talk_heard(&c->talk, bytes + more);
    links_gather(c, bytes);
    return message_begins(start, bytes, e) && (!c->talking || talk_awaits(&c->talk, start, e));
}

static void on_drained(struct link *link)
{
    struct conn *c = link->user;

    if (c->talking)
        talk_drained(&c->talk);
}

const struct link_events links_events = {
    .on_open = on_open,
    .on_message = on_message,
    .on_heard = on_heard,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

/* ---- connections that come and go ---- */

struct conn *links_conn_add(struct links *l)
{
    struct conn *c = mem_alloc(sizeof *c);

    assert(l->n < LINKS_MAX);
    c->links = l;
    l->conns[l->n++] = c;
    return c;
}

void links_conn_drop_last(struct links *l)
{
    free(l->conns[--l->n]);
}

static void release(uv_handle_t *handle)
{
    struct links *l = handle->data;

    if (--l->handles > 0)
        return;
    places_close(&l->places);
    members_close(&l->members);
    sync_claims_close(&l->claims);
    free(l);
}

/* ---- time ---- */

/* What it said before it was held is staged before the loop waits again. */
static void resume_in_turn(struct links *l, struct conn *c)
{
    if (c->gatherer.place != 0)
        return;
    if (now_of(l) >= c->held_until_ms) {
        c->spent_ns = 0;
        link_resume(c->link);
        if (is_open(c))
            talk_pause(&c->talk);
    }
    if (c->link->held && c->held_until_ms < l->wake_ms)
        l->wake_ms = c->held_until_ms > now_of(l) ? c->held_until_ms : now_of(l);
}

static void tick_conn(struct links *l, struct conn *c)
{
    uint64_t now = now_of(l);
    struct err e = {0};

    if (c->dead)
        return;
    if (c->rival.waits) {
        twins_tick(l, c, &l->wake_ms);
        return;
    }
    if (c->link->state != LINK_OPEN || !c->talking) {
        /* A guest with an invitation has as long again for its question. */
        uint64_t end = c->link->started_ms +
                       (c->link->state == LINK_OPEN ? 2 * HANDSHAKE_MS_MAX : HANDSHAKE_MS_MAX);

        if (now >= end) {
            err_set(&e, ERR_NET, "no handshake within %u ms", HANDSHAKE_MS_MAX);
            link_close(c->link, &e);
        } else if (end < l->wake_ms) {
            l->wake_ms = end;
        }
        return;
    }
    if (link_is_stuck(c->link, now)) {
        err_set(&e, ERR_NET, "it has not read anything for %u ms", LINK_STUCK_MS);
        link_close(c->link, &e);
        return;
    }
    resume_in_turn(l, c);
    if (c->link->state == LINK_OPEN)
        talk_tick(&c->talk);
    if (is_open(c))
        renew_tick(l, c, &l->wake_ms);
}

static void on_timer(uv_timer_t *timer)
{
    struct links *l = timer->data;
    uint32_t i;

    if (l->stopping)
        return;
    l->wake_ms = NEVER;
    links_gather_tick(l);
    for (i = 0; i < l->n; i++)
        tick_conn(l, l->conns[i]);
    links_dial_due(l);
    if (l->wake_ms != NEVER)
        uv_timer_start(&l->timer, on_timer, l->wake_ms > now_of(l) ? l->wake_ms - now_of(l) : 1, 0);
}

void links_tick_by(struct links *l, uint64_t deadline_ms)
{
    uint64_t now = now_of(l);

    if (l->stopping || deadline_ms >= l->wake_ms)
        return;
    l->wake_ms = deadline_ms;
    uv_timer_start(&l->timer, on_timer, deadline_ms > now ? deadline_ms - now : 0, 0);
}

void links_arm(struct links *l)
{
    links_tick_by(l, now_of(l));
}

/* ---- start and end ---- */

struct links *links_start(struct agent *a)
{
    struct links *l = mem_alloc(sizeof *l);
    uint32_t i;

    l->agent = a;
    l->paused = true;
    l->wake_ms = NEVER;
    uv_timer_init(a->loop, &l->timer);
    uv_timer_init(a->loop, &l->pause);
    uv_prepare_init(a->loop, &l->soon);
    uv_check_init(a->loop, &l->after_read);
    l->timer.data = l->pause.data = l->soon.data = l->after_read.data = l;
    l->handles = 4;
    for (i = 0; i < a->config.peer_count; i++)
        places_add_fixed(&l->places, &a->config.peers[i]);
    l->listener = listener_start(a, links_on_connection, l);
    links_arm(l);
    return l;
}

static void close_all(struct links *l, const char *why)
{
    struct err e = {0};
    uint32_t i;

    err_set(&e, ERR_NET, "%s", why);
    for (i = 0; i < l->n; i++)
        if (is_open(l->conns[i]))
            talk_leave(&l->conns[i]->talk, &e);
        else if (!l->conns[i]->dead)
            link_close(l->conns[i]->link, &e);
    links_sweep(l);
}

void links_pause(struct links *l, const char *why)
{
    l->paused = true;
    close_all(l, why);
    members_keep_applied(l->agent, &l->members, true);
}

void links_resume(struct links *l)
{
    if (!l->agent->in_fleet || l->agent->store == NULL)
        return;
    l->paused = false;
    members_load(l->agent, &l->members);
    links_dial_all(l);
    links_dial_remembered(l);
}

void links_stop(struct links *l)
{
    if (l == NULL || l->stopping)
        return;
    close_all(l, "this PC stops its agent");
    l->stopping = true;
    uv_close((uv_handle_t *)&l->timer, release);
    uv_close((uv_handle_t *)&l->pause, release);
    uv_close((uv_handle_t *)&l->soon, release);
    uv_close((uv_handle_t *)&l->after_read, release);
    listener_stop(l->listener);
}
