/* A connection is a struct conn from accept or dial until its link is closed; then it is dead, and
 * swept before the loop waits again: it may have died in the middle of its own conversation's step.
 */
#include "links.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "fleet.h"
#include "invitation.h"
#include "links_inside.h"
#include "listener.h"

#define DIALS_MAX       8   /* at once */
#define LARGER_WAITS_MS 300 /* the site with the smaller id dials first: fewer dials cross */
#define NEVER           UINT64_MAX
#define LOG_BURST       20
#define TURN_NS         5000000 /* for the messages of one peer; one read more comes on top */

static void arm(struct links *l);

/* ---- finding ---- */

static uint32_t random_u32(void)
{
    uint32_t v;

    random_fill(&v, sizeof v);
    return v;
}

/* Not without a store, nor with an identity that another PC may have as well. */
static bool is_speaking(const struct links *l)
{
    return l->agent->in_fleet && !l->paused && l->agent->doubt[0] == '\0';
}

struct conn *links_conn_of(const struct links *l, const struct site_id *site)
{
    uint32_t i;

    for (i = 0; i < l->n; i++)
        if (is_open(l->conns[i]) &&
            memcmp(&l->conns[i]->link->channel.peer, site, sizeof *site) == 0)
            return l->conns[i];
    return NULL;
}

static bool is_linked(const void *context, const struct site_id *site)
{
    return links_conn_of(context, site) != NULL;
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
    const struct vector *have = &t->sync.peer_have;

    for (uint32_t i = 0; i < have->n; i++) {
        struct site_id author = actor_site(&have->entries[i].actor);

        if (memcmp(&author, &t->sync.peer, sizeof author) == 0)
            return true;
    }
    return false;
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

static bool is_gone(const struct links *l, const struct site_id *site)
{
    return roster_find(&l->agent->roster, site) == NULL &&
           roster_author(&l->agent->roster, site) != NULL;
}

static void gone_err(struct err *e)
{
    err_set(e, ERR_REVOKED, "this PC was shut out of the fleet");
}

/* They have been sent the roster that says so. */
static void shut_out(struct links *l)
{
    uint32_t i;

    l->roster_changed = false;
    for (i = 0; i < l->n; i++) {
        struct conn *c = l->conns[i];
        struct err e = {0};

        if (!is_open(c) || !is_gone(l, &c->link->channel.peer))
            continue;
        places_left(&l->places, &c->link->channel.peer);
        gone_err(&e);
        talk_leave(&c->talk, &e);
    }
    links_sweep(l);
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
        shut_out(l);
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

static void on_closed(struct link *link, const struct err *why)
{
    struct conn *c = link->user;
    struct links *l = c->links;
    uint64_t open_ms = link->opened_ms != 0 ? now_of(l) - link->opened_ms : 0;
    char text[ADDRESS_TEXT_BYTES];

    c->dead = true;
    if (c->talking && why->code == ERR_REVOKED && !is_gone(l, &link->channel.peer))
        fleet_told(l->agent, &link->channel.peer);
    address_text(text, &link->address);
    if (link->opened_ms != 0 && c->talking)
        log_info("link down peer=%s addr=%s reason=%s", links_name_of(l, &link->channel.peer), text,
                 why->code != ERR_NONE ? why->text : "closed by us");
    else if (!link->incoming || link->opened_ms != 0)
        log_debug("no link addr=%s reason=%s", text, why->text);
    else if (log_allowed(&l->refused, LOG_BURST, now_of(l)))
        log_info("connection refused addr=%s reason=%s left_out=%u", text, why->text,
                 l->refused.suppressed);
    if (c->talking && c->talk.stranger_until_ms != 0 && why->code == ERR_STRANGER)
        note_stranger(c, text);
    if (!link->incoming)
        places_ended(&l->places, &link->address, open_ms, now_of(l), random_u32());
    arm(l);
    soon(l);
}

/* ---- a connection that opened ---- */

/* One link for each pair. False: the fresh one goes, or waits. */
static bool settle(struct links *l, struct conn *fresh)
{
    struct conn *present = links_conn_of(l, &fresh->link->channel.peer);
    struct dial_claim old, new = {fresh->link->incoming, fresh->link->opened_ms};
    struct err e = {0};

    if (present == NULL)
        return true;
    old = (struct dial_claim){present->link->incoming, present->link->opened_ms};
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

void links_talk_with(struct conn *c)
{
    struct links *l = c->links;
    struct link *link = c->link;
    char text[ADDRESS_TEXT_BYTES];

    log_info("link up peer=%s addr=%s dialled=%s", links_name_of(l, &link->channel.peer),
             address_text(text, &link->address), link->incoming ? "no" : "yes");
    c->talking = true;
    talk_open(&c->talk, l->agent, link, ++l->next_id, &l->claims);
    members_get(&l->members, &link->channel.peer);
}

/* Who was shut out is told so, and nothing else; who comes with a key that the fleet had before
 * must be a member. */
static bool is_unwelcome(struct links *l, struct link *link)
{
    struct err e = {0};

    if (is_gone(l, &link->channel.peer)) {
        places_left(&l->places, &link->channel.peer);
        gone_err(&e);
        talk_turn_away(link, &e);
        return true;
    }
    if (link->channel.tag == 0 || roster_find(&l->agent->roster, &link->channel.peer) != NULL)
        return false;
    err_set(&e, ERR_STRANGER, "it came with an old key of the fleet and is no member");
    link_close(link, &e);
    return true;
}

static void on_open(struct link *link)
{
    struct conn *c = link->user;
    struct links *l = c->links;
    struct err e = {0};

    if (link->channel.mode == CHANNEL_INVITE)
        return;
    if (site_equal(&link->channel.peer, &l->agent->keys.site)) {
        twins_met(l, c);
        return;
    }
    if (!link->incoming)
        places_opened(&l->places, &link->address, &link->channel.peer, false);
    if (!is_speaking(l)) {
        err_set(&e, ERR_REFUSED, "the database is not open");
        link_close(link, &e);
        return;
    }
    if (!is_unwelcome(l, link) && settle(l, c))
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
        if (!c->dead)
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
    bool ok;

    if (link->channel.mode == CHANNEL_INVITE)
        return serve_guest(c, message, e);
    if (!c->talking)
        return twins_message(c, message, e);
    ok = twins_heard(c, message) || talk_message(&c->talk, message, e);
    c->spent_ns += uv_hrtime() - start_ns;
    if (c->spent_ns > TURN_NS)
        link_hold(link);
    if (!c->links->stopping)
        uv_check_start(&c->links->after_read, on_after_read);
    return ok;
}

static void on_heard(struct link *link, size_t unfinished)
{
    struct conn *c = link->user;

    if (c->talking)
        talk_heard(&c->talk, unfinished);
}

static void on_drained(struct link *link)
{
    struct conn *c = link->user;

    if (c->talking)
        talk_drained(&c->talk);
}

static const struct link_events events = {
    .on_open = on_open,
    .on_message = on_message,
    .on_heard = on_heard,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

/* ---- connections that come and go ---- */

static struct conn *conn_add(struct links *l)
{
    struct conn *c = mem_alloc(sizeof *c);

    assert(l->n < LINKS_MAX);
    c->links = l;
    l->conns[l->n++] = c;
    return c;
}

static void conn_drop_last(struct links *l)
{
    free(l->conns[--l->n]);
}

/* ---- listening ---- */

/* Key 0 is the fleet's present one. */
static void fleet_secret(const struct agent *a, uint32_t key, struct channel_secret *secret)
{
    *secret = (struct channel_secret){.mode = CHANNEL_FLEET, .tag = key};
    memcpy(secret->psk, a->fleet_keys.keys[key], sizeof secret->psk);
    memcpy(secret->context, a->roster.fleet, sizeof secret->context);
}

static void on_connection(void *context, uv_stream_t *server)
{
    struct links *l = context;
    struct channel_secret secrets[FLEET_KEYS_MAX + INVITES_MAX];
    struct link_door door = {.secrets = secrets, .replays = &l->replays};
    struct err e = {0};
    struct conn *c;

    while (is_speaking(l) && door.count < l->agent->fleet_keys.n) {
        fleet_secret(l->agent, door.count, &secrets[door.count]);
        door.count++;
    }
    if (l->agent->doubt[0] == '\0')
        door.count += invitations_secrets(l->agent->invitations, secrets + door.count, INVITES_MAX);
    if (door.count == 0 || !links_make_room(l)) {
        listener_turn_away(l->listener, server);
        return;
    }
    c = conn_add(l);
    if (!link_accept(&c->link, l->agent, server, &door, (struct link_owner){&events, c}, &e)) {
        log_warn("accept failed reason=%s", e.text);
        conn_drop_last(l);
    } else {
        links_tick_by(l, now_of(l) + HANDSHAKE_MS_MAX);
    }
    sodium_memzero(secrets, sizeof secrets);
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

/* ---- dialling ---- */

static void dial(struct links *l, struct place *place)
{
    struct address address = place->address;
    struct channel_secret secret;
    struct err e = {0};
    struct conn *c = conn_add(l);
    struct link_owner owner = {&events, c};

    fleet_secret(l->agent, 0, &secret);
    if (!link_dial(&c->link, l->agent, &address, &secret, owner, &e)) {
        log_debug("dial failed addr=%s reason=%s", address.host, e.text);
        conn_drop_last(l);
        places_ended(&l->places, &address, 0, now_of(l), random_u32());
    }
    sodium_memzero(&secret, sizeof secret);
}

static void dial_due(struct links *l)
{
    struct place *place;

    if (!is_speaking(l) || !fleet_is_member(l->agent))
        return;
    while (l->n < LINKS_MAX && links_count_shaking(l, false) < DIALS_MAX) {
        place = places_pick(&l->places, now_of(l), is_linked, l, &l->wake_ms);
        if (place == NULL)
            return;
        dial(l, place);
    }
    if (l->wake_ms > now_of(l) + BACKOFF_MS_MIN)
        l->wake_ms = now_of(l) + BACKOFF_MS_MIN;
}

void links_heard(struct links *l, const struct site_id *site, const struct address *address)
{
    bool smaller = memcmp(&l->agent->keys.site, site, sizeof *site) < 0;
    struct conn *c = links_conn_of(l, site);

    if (l->stopping || c != NULL || is_gone(l, site))
        return;
    places_heard(&l->places, site, address, now_of(l), smaller ? 0 : LARGER_WAITS_MS);
    arm(l);
}

void links_left(struct links *l, const struct site_id *site)
{
    places_left(&l->places, site);
}

void links_dial_all(struct links *l)
{
    if (l->stopping)
        return;
    places_hurry(&l->places, now_of(l));
    arm(l);
}

void links_add_fixed(struct links *l, const struct address *address)
{
    places_add_fixed(&l->places, address);
    arm(l);
}

/* ---- time ---- */

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
    talk_tick(&c->talk);
}

static void on_timer(uv_timer_t *timer)
{
    struct links *l = timer->data;
    uint32_t i;

    if (l->stopping)
        return;
    l->wake_ms = NEVER;
    for (i = 0; i < l->n; i++)
        tick_conn(l, l->conns[i]);
    dial_due(l);
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

/* Something about dialling changed: look at all of it. */
static void arm(struct links *l)
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
    uv_prepare_init(a->loop, &l->soon);
    uv_check_init(a->loop, &l->after_read);
    l->timer.data = l->soon.data = l->after_read.data = l;
    l->handles = 3;
    for (i = 0; i < a->config.peer_count; i++)
        places_add_fixed(&l->places, &a->config.peers[i]);
    l->listener = listener_start(a, on_connection, l);
    arm(l);
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
}

void links_resume(struct links *l)
{
    if (!l->agent->in_fleet || l->agent->store == NULL)
        return;
    l->paused = false;
    members_load(l->agent, &l->members);
    links_dial_all(l);
}

void links_stop(struct links *l)
{
    if (l == NULL || l->stopping)
        return;
    close_all(l, "this PC stops its agent");
    l->stopping = true;
    uv_close((uv_handle_t *)&l->timer, release);
    uv_close((uv_handle_t *)&l->soon, release);
    uv_close((uv_handle_t *)&l->after_read, release);
    listener_stop(l->listener);
}
