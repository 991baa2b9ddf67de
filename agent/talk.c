#include "talk.h"

#include <assert.h>
#include <string.h>

#include "agent.h"
#include "links.h"
#include "log.h"
#include "pump.h"

#define SEND_KEEP_BYTES 65536
#define STRANGER_MS     5000 /* for a newly enrolled member to show the roster that names it */

static struct sync_event event_of(struct talk *t, enum sync_event_kind kind)
{
    struct agent *a = t->agent;

    return (struct sync_event){
        .now_ms = uv_now(a->loop),
        .wall_ms = agent_wall_ms(a),
        .kind = kind,
        .roster = buf_slice(&a->roster.log),
        .roster_digest = a->roster_digest,
        .queued_bytes = link_queued(t->link),
    };
}

static void take_roster(struct talk *t, struct slice roster)
{
    struct err e = {0};

    if (!agent_roster_merge(t->agent, roster, &e)) {
        err_wrap(&e, "roster");
        link_close(t->link, &e);
    }
}

/* The next event is the answer. A store that is full or broken is no fault of the peer's: it stays
 * unacknowledged, and comes again. */
static void stage(struct talk *t, struct slice changeset, struct sync_event *ev, struct err *e)
{
    enum stage_result result = STAGE_KNOWN;
    bool ok;

    err_clear(e);
    ok = store_stage(t->agent->store, changeset, &result, e);
    *ev = event_of(t, SYNC_STAGED);
    ev->ok = ok;
    ev->e = e;
    if (ok)
        pump_went_well(t->agent->pump);
    if (ok && result == STAGE_NEW) {
        t->staged++;
        pump_staged(t->agent->pump);
        links_local_changed(t->agent->links);
    } else if (!ok && (e->code == ERR_FULL || e->code == ERR_STORE)) {
        pump_failed(t->agent->pump, "stage", e);
    }
}

/* The next event is the answer; with none in it when they cannot be read. */
static void fetch(struct talk *t, const struct sync_actions *wanted, struct buf *bytes,
                  struct sync_event *ev)
{
    struct err e = {0};

    buf_clear(bytes);
    if (!store_fetch(t->agent->store, &wanted->fetch_actor, wanted->fetch_after,
                     wanted->fetch_bytes, bytes, &e)) {
        buf_clear(bytes);
        pump_failed(t->agent->pump, "fetch", &e);
    }
    *ev = event_of(t, SYNC_FETCHED);
    ev->bytes = buf_slice(bytes);
}

static void tell_fork(struct talk *t)
{
    char actor[2 * ACTOR_BYTES + 1];

    hex_write(actor, SLICE(t->todo.fork_actor.bytes));
    warning_set(&t->agent->warnings, WARNING_FORK, agent_wall_ms(t->agent),
                "a peer holds another history of the author %s: a home was copied or went back",
                actor);
}

/* A newcomer matches its rows with ours. Without an answer it does so without; an answer says, too,
 * that everything of ours has been published. */
static void tell_keys(struct talk *t)
{
    struct buf keys = {0}, send = {0};
    struct store_status status;
    struct err e = {0};

    t->keys_owed = store_state(t->agent->store) != STORE_READY ||
                   !store_status(t->agent->store, &status, &e) || status.unscanned > 0;
    if (t->keys_owed)
        return;
    buf_open(&keys, KEYS_BYTES_MAX);
    if (store_keys(t->agent->store, &keys, &e)) {
        sync_tell_keys(buf_slice(&keys), &send);
        link_send_all(t->link, buf_slice(&send));
    } else {
        pump_failed(t->agent->pump, "keys", &e);
    }
    buf_close(&keys);
    buf_close(&send);
}

/* One step of the machine and what it asks for, except stage and fetch, whose answers are steps of
 * their own. */
static bool step_once(struct talk *t, const struct sync_event *ev, struct err *e)
{
    struct sync_actions *todo = &t->todo;
    struct buf send = todo->send;
    bool ok;

    *todo = (struct sync_actions){.send = send};
    buf_clear(&todo->send);
    if (t->stranger_until_ms != 0 && roster_find(&t->agent->roster, &t->sync.peer) != NULL)
        t->stranger_until_ms = 0;
    t->sync.stranger = t->stranger_until_ms != 0;
    ok = sync_step(&t->sync, ev, todo, e);
    link_send_all(t->link, buf_slice(&todo->send));
    t->deadline_ms = todo->deadline_ms;
    t->crowded = ev->queued_bytes >= SYNC_WINDOW_BYTES;
    if (!ok)
        return false;
    if (todo->fork)
        tell_fork(t);
    if (todo->roster.n > 0)
        take_roster(t, todo->roster);
    if (todo->keys_wanted && !t->sync.stranger)
        tell_keys(t);
    if (todo->keys.n > 0)
        pump_take_keys(t->agent->pump, todo->keys);
    return true;
}

static bool step(struct talk *t, struct sync_event ev, struct err *e)
{
    struct buf fetched = {0};
    struct err staging = {0};
    struct sync_actions wanted = {0};
    bool fetching = false, ok = true;

    assert(!t->stepping);
    t->stepping = true;
    link_cork(t->link);
    buf_open(&fetched, CHANGESET_BYTES_MAX + SYNC_FETCH_BYTES);
    for (;;) {
        ok = step_once(t, &ev, e);
        if (!ok || t->link->state != LINK_OPEN)
            break;
        if (t->todo.fetch) {
            fetching = true;
            wanted = t->todo;
        }
        if (t->todo.stage.n > 0) {
            stage(t, t->todo.stage, &ev, &staging);
        } else if (fetching) {
            fetching = false;
            fetch(t, &wanted, &fetched, &ev);
        } else {
            break;
        }
    }
    buf_close(&fetched);
    if (t->todo.send.room > SEND_KEEP_BYTES)
        buf_close(&t->todo.send);
    link_uncork(t->link);
    t->stepping = false;
    links_tick_by(t->agent->links, t->deadline_ms);
    return ok;
}

/* An event that is not a message: its failure closes the link here. */
static void step_or_close(struct talk *t, const struct sync_event *ev)
{
    struct err e = {0};

    if (t->link->state == LINK_OPEN && !t->stepping && !step(t, *ev, &e))
        link_close(t->link, &e);
}

void talk_open(struct talk *t, struct agent *a, struct link *l, uint64_t id,
               struct sync_claims *claims)
{
    struct sync_event ev;

    *t = (struct talk){.agent = a, .link = l};
    if (roster_find(&a->roster, &l->channel.peer) == NULL)
        t->stranger_until_ms = uv_now(a->loop) + STRANGER_MS;
    sync_open(&t->sync, id, store_actor(a->store), &l->channel.peer, claims, store_have(a->store),
              store_applied(a->store));
    ev = event_of(t, SYNC_OPENED);
    step_or_close(t, &ev);
}

bool talk_message(struct talk *t, struct slice message, struct err *e)
{
    struct sync_event ev = event_of(t, SYNC_MESSAGE);

    ev.bytes = message;
    return step(t, ev, e);
}

void talk_local(struct talk *t)
{
    struct sync_event ev = event_of(t, SYNC_LOCAL);

    step_or_close(t, &ev);
    if (t->keys_owed && t->link->state == LINK_OPEN)
        tell_keys(t);
}

void talk_heard(struct talk *t, size_t unfinished)
{
    sync_heard(&t->sync, uv_now(t->agent->loop), unfinished);
}

void talk_drained(struct talk *t)
{
    if (t->crowded)
        talk_local(t);
}

static bool is_stranger(struct talk *t, uint64_t now)
{
    if (t->stranger_until_ms == 0)
        return false;
    if (roster_find(&t->agent->roster, &t->sync.peer) != NULL) {
        t->stranger_until_ms = 0;
        return false;
    }
    return now >= t->stranger_until_ms;
}

void talk_tick(struct talk *t)
{
    uint64_t now = uv_now(t->agent->loop);
    struct err e = {0};

    if (is_stranger(t, now)) {
        err_set(&e, ERR_STRANGER, "it has the fleet's key but is not in the roster");
        talk_leave(t, &e);
    } else if (now >= t->deadline_ms) {
        struct sync_event ev = event_of(t, SYNC_TIMEOUT);

        step_or_close(t, &ev);
        if (t->keys_owed && t->link->state == LINK_OPEN)
            tell_keys(t);
    }
    if (t->link->state == LINK_OPEN && t->stranger_until_ms != 0)
        links_tick_by(t->agent->links, t->stranger_until_ms);
    if (t->link->state == LINK_OPEN)
        links_tick_by(t->agent->links, t->deadline_ms);
}

void talk_ask_keys(struct talk *t)
{
    struct buf send = {0};

    sync_ask_keys(&send);
    link_send_all(t->link, buf_slice(&send));
    buf_close(&send);
}

bool talk_is_open(const struct talk *t)
{
    return t->sync.state == SYNC_OPEN;
}

void talk_leave(struct talk *t, const struct err *why)
{
    struct buf bye = {0};

    buf_open(&bye, 4096);
    sync_leave(&t->sync, err_code_name(why->code), why->text, &bye);
    link_send_all(t->link, buf_slice(&bye));
    buf_close(&bye);
    link_close(t->link, why);
}

void talk_close(struct talk *t)
{
    sync_close(&t->sync);
    buf_close(&t->todo.send);
}
