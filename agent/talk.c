#include "talk.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "agent.h"
#include "fleet.h"
#include "links.h"
#include "log.h"
#include "memory.h"
#include "pump.h"

#define SEND_KEEP_BYTES 65536
#define STRANGER_MS     5000 /* for a newly enrolled member to show the roster that names it */
#define KEYS_EVERY_MS   5000 /* to tell them takes a look at every row */

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

/* Under a key that the fleet had before nobody's word is taken but a member's: somebody who was
 * shut out has that key, and could have dated back what comes. */
static bool is_believed(const struct talk *t)
{
    return t->link->channel.tag == 0 || roster_find(&t->agent->roster, &t->sync.peer) != NULL;
}

/* Who brings it again and again and does not read is told once it reads. */
static void tell_left(struct talk *t)
{
    struct buf send = {0};

    t->left_owed = link_queued(t->link) >= SYNC_PONG_BYTES;
    if (t->left_owed)
        return;
    sync_leave_roster(&t->sync, &send);
    link_send_all(t->link, buf_slice(&send));
    buf_close(&send);
}

/* It took the word of one who was shut out here, and may mean no harm: they go on talking. */
static void leave_roster(struct talk *t, const struct err *why)
{
    tell_left(t);
    fleet_apart(t->agent, &t->sync.peer, why);
}

static void take_roster(struct talk *t, struct slice roster)
{
    const struct roster_site *from;
    struct err e = {0};
    bool ok = agent_roster_merge(t->agent, roster, &e);

    if (roster.n >= STAGE_WAIT_BYTES)
        pump_was_large(t->agent->pump);
    if (ok) {
        t->left_owed = false;
        fleet_took(t->agent, &t->sync.peer);
        return;
    }
    if (e.code == ERR_CONTESTED) {
        leave_roster(t, &e);
        return;
    }
    from = roster_author(&t->agent->roster, &t->sync.peer);
    err_wrap(&e, "roster");
    if (e.code != ERR_LIMIT || t->roster_full) {
        link_close(t->link, &e);
        return;
    }
    /* Who fills two rosters with different things must not part those who hold them. */
    t->roster_full = true;
    warning_set(&t->agent->warnings, WARNING_ROSTER, agent_wall_ms(t->agent),
                "the list of members that %s has and the one that is here do not fit into one (%s)",
                from != NULL ? from->name : "a PC that is no member", e.text);
}

static void stage_later(struct talk_stages *s, struct slice changeset)
{
    assert(s->n < STAGE_TOGETHER);
    assert(s->big.n == 0);
    if (changeset.n >= STAGE_WAIT_BYTES) {
        s->big = changeset;
        return;
    }
    if (s->copies.max == 0)
        buf_open(&s->copies, 2 * STAGE_WAIT_BYTES);
    buf_add(&s->copies, changeset.p, changeset.n);
    s->ends[s->n++] = s->copies.n;
}

static bool stages_are_full(const struct talk_stages *s)
{
    return s->n == STAGE_TOGETHER || s->copies.n >= STAGE_WAIT_BYTES || s->big.n > 0;
}

static uint32_t list_stages(const struct talk_stages *s, struct stage_item *items)
{
    size_t at = 0;
    uint32_t n;

    for (n = 0; n < s->n; n++) {
        items[n] = (struct stage_item){.changeset = {s->copies.p + at, s->ends[n] - at}};
        at = s->ends[n];
    }
    if (s->big.n > 0)
        items[n++] = (struct stage_item){.changeset = s->big};
    return n;
}

static void clear_stages(struct talk_stages *s)
{
    s->n = 0;
    s->big = (struct slice){0};
    if (s->copies.room > SEND_KEEP_BYTES)
        buf_close(&s->copies);
    else
        buf_clear(&s->copies);
}

/* The peer has not heard yet that its author was shut out, or means harm. */
static void note_refused(struct talk *t, const struct stage_item *item)
{
    const struct roster_site *from = roster_author(&t->agent->roster, &t->sync.peer);
    char how[NAME_BYTES_MAX + 8];

    snprintf(how, sizeof how, "from %s", from != NULL ? from->name : "a PC that is no member");
    fleet_refused(t->agent, &item->shut_out, how);
}

static void note_staged(struct talk *t, const struct stage_item *item)
{
    if (item->ok)
        pump_went_well(t->agent->pump);
    if (item->ok && item->result != STAGE_KNOWN) {
        t->staged++;
        pump_staged(t->agent->pump);
        links_local_changed(t->agent->links);
    } else if (!item->ok && !sodium_is_zero(item->shut_out.bytes, sizeof item->shut_out.bytes)) {
        note_refused(t, item);
    } else if (!item->ok && !sodium_is_zero(item->crowds.bytes, sizeof item->crowds.bytes)) {
        fleet_crowded(t->agent, &item->crowds);
    } else if (!item->ok && (item->e.code == ERR_FULL || item->e.code == ERR_STORE)) {
        pump_failed(t->agent->pump, "stage", &item->e);
    }
}

/* How many there were. */
static uint32_t stage_all(struct talk *t, struct stage_item *items)
{
    uint32_t i, n = list_stages(&t->stages, items);

    if (t->stages.big.n > 0) {
        pump_was_large(t->agent->pump);
        memory_give_back(); /* what came before it is needed no more */
    }
    store_stage_all(t->agent->store, items, n);
    clear_stages(&t->stages);
    for (i = 0; i < n; i++)
        note_staged(t, &items[i]);
    return n;
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

/* It mends itself when its author meets both: what it said twice it then says again. */
static void tell_fork(struct talk *t)
{
    struct site_id id = actor_site(&t->todo.fork_actor);
    const struct roster_site *author = roster_author(&t->agent->roster, &id);

    t->forked = true;
    warning_set(&t->agent->warnings, WARNING_FORK, agent_wall_ms(t->agent),
                "%s was put back to an older state and went on: a part of its changes is not here "
                "or not on another PC until it has met both",
                author == NULL ? "a PC that is no member" : author->name);
}

/* A newcomer matches its rows with ours. Without an answer it does so without; an answer says, too,
 * that everything of ours has been published. */
static void tell_keys(struct talk *t)
{
    struct buf keys = {0}, send = {0};
    struct store_status status;
    struct err e = {0};
    bool ok;

    if (uv_now(t->agent->loop) < t->keys_ms || link_queued(t->link) >= SYNC_UNSENT_BYTES ||
        store_state(t->agent->store) != STORE_READY ||
        !store_status(t->agent->store, &status, &e) || status.unscanned > 0)
        return;
    t->keys_ms = uv_now(t->agent->loop) + KEYS_EVERY_MS;
    buf_open(&keys, t->keys_owed);
    t->keys_owed = 0;
    ok = store_keys(t->agent->store, &keys, &e);
    if (ok)
        sync_tell_keys(buf_slice(&keys), &send);
    else
        pump_failed(t->agent->pump, "keys", &e);
    buf_close(&keys); /* it may be much: not twice for longer than it takes to copy it */
    if (ok)
        link_send_all(t->link, buf_slice(&send));
    buf_close(&send);
}

/* One step of the machine and what it asks for, except fetch, whose answer is a step of its own. */
static bool step_once(struct talk *t, const struct sync_event *ev, struct err *e)
{
    struct sync_actions *todo = &t->todo;
    struct buf send = todo->send;
    bool ok;

    *todo = (struct sync_actions){.send = send};
    buf_clear(&todo->send);
    if (t->stranger_until_ms != 0 && roster_find(&t->agent->roster, &t->sync.peer) != NULL)
        t->stranger_until_ms = 0;
    t->sync.stranger = roster_find(&t->agent->roster, &t->sync.peer) == NULL;
    t->sync.brief = store_is_brief(t->agent->store);
    ok = sync_step(&t->sync, ev, todo, e);
    link_send_all(t->link, buf_slice(&todo->send));
    t->deadline_ms = todo->deadline_ms;
    t->crowded = ev->queued_bytes >= SYNC_UNSENT_BYTES;
    if (!ok)
        return false;
    if (todo->fork)
        tell_fork(t);
    if (todo->roster.n > 0 && is_believed(t))
        take_roster(t, todo->roster);
    if (todo->keys_wanted > 0 && !t->sync.stranger) {
        t->keys_owed = todo->keys_wanted;
        tell_keys(t);
    }
    if (todo->keys.n > 0 && t->keys_asked && !t->sync.stranger) {
        t->keys_asked = false;
        t->keys_told = true;
        pump_take_keys(t->agent->pump, todo->keys);
    }
    if (todo->stage.n > 0)
        stage_later(&t->stages, todo->stage);
    t->useful += todo->stage.n > 0 || todo->outline.number > 0 || todo->tell.number > 0;
    brief_obey(t, todo);
    return true;
}

/* The next event is what came of an outline. */
static bool next_brief(struct talk *t, struct sync_event *ev)
{
    *ev = event_of(t, SYNC_REBUILT);
    return brief_event(t, ev);
}

static bool step(struct talk *t, struct sync_event ev, struct err *e)
{
    struct buf fetched = {0};
    bool ok;

    assert(!t->stepping);
    t->stepping = true;
    link_cork(t->link);
    buf_open(&fetched, CHANGESET_BYTES_MAX + SYNC_FETCH_BYTES);
    for (;;) {
        ok = step_once(t, &ev, e);
        if (!ok || t->link->state != LINK_OPEN)
            break;
        if (t->todo.fetch)
            fetch(t, &t->todo, &fetched, &ev);
        else if (!next_brief(t, &ev))
            break;
    }
    buf_close(&fetched);
    if (t->todo.send.room > SEND_KEEP_BYTES)
        buf_close(&t->todo.send);
    link_uncork(t->link);
    t->stepping = false;
    links_tick_by(t->agent->links, t->deadline_ms);
    pump_heard(t->agent->pump);
    return ok;
}

/* What was told on this link does not hold any more: it begins anew. */
static bool is_outdated(const struct talk *t, struct err *e)
{
    if (t->history == store_history(t->agent->store))
        return false;
    return !err_set(
        e, ERR_REFUSED,
        "a PC had gone back to an older state, or was shut out: what is had of it is told anew");
}

/* A store that is full or broken is no fault of the peer's: what it could not take stays
 * unacknowledged, and comes again. */
static bool stage_and_answer(struct talk *t, struct err *e)
{
    struct stage_item items[STAGE_TOGETHER + 1];
    uint32_t i, n = stage_all(t, items);
    bool ok = !is_outdated(t, e);

    for (i = 0; i < n && ok && t->link->state == LINK_OPEN; i++) {
        struct sync_event ev = event_of(t, SYNC_STAGED);

        ev.ok = items[i].ok;
        ev.rewound = items[i].ok && items[i].result == STAGE_REWOUND;
        ev.e = &items[i].e;
        ok = step(t, ev, e);
    }
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
    t->history = store_history(a->store);
    if (roster_find(&a->roster, &l->channel.peer) == NULL)
        t->stranger_until_ms = uv_now(a->loop) + STRANGER_MS;
    sync_open(&t->sync, id, store_actor(a->store), &l->channel.peer, claims, store_have(a->store),
              store_applied(a->store));
    ev = event_of(t, SYNC_OPENED);
    step_or_close(t, &ev);
}

bool talk_awaits(const struct talk *t, struct slice start, struct err *e)
{
    return !message_is(start, MESSAGE_KIND_KEYS) || t->keys_asked ||
           err_set(e, ERR_INPUT, "KEYS that were not asked for");
}

bool talk_message(struct talk *t, struct slice message, struct err *e)
{
    struct sync_event ev = event_of(t, SYNC_MESSAGE);
    uint64_t sent_bytes = t->sync.window.bytes;

    ev.bytes = message;
    if (!talk_awaits(t, message, e) || !step(t, ev, e))
        return false;
    t->useful += t->sync.window.bytes != sent_bytes && !message_is(message, MESSAGE_KIND_WANT);
    if (stages_are_full(&t->stages) && !stage_and_answer(t, e))
        return false;
    brief_rest(&t->brief);
    return true;
}

void talk_pause(struct talk *t)
{
    struct err e = {0};

    if (t->link->state == LINK_OPEN && (t->stages.n > 0 || t->stages.big.n > 0) &&
        !stage_and_answer(t, &e))
        link_close(t->link, &e);
}

void talk_local(struct talk *t)
{
    struct sync_event ev = event_of(t, SYNC_LOCAL);
    struct err e = {0};

    if (is_outdated(t, &e)) {
        link_close(t->link, &e);
        return;
    }
    step_or_close(t, &ev);
    if (t->keys_owed > 0 && t->link->state == LINK_OPEN)
        tell_keys(t);
}

void talk_heard(struct talk *t, size_t unfinished)
{
    sync_heard(&t->sync, uv_now(t->agent->loop), unfinished);
}

void talk_drained(struct talk *t)
{
    brief_pay(t);
    if (t->left_owed && t->link->state == LINK_OPEN)
        tell_left(t);
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
        if (roster_author(&t->agent->roster, &t->sync.peer) == NULL)
            err_set(&e, ERR_STRANGER, "it has the fleet's key but is not in the roster");
        else
            err_set(&e, ERR_REVOKED, "the PC that took this one into the fleet was no admin then");
        talk_leave(t, &e);
    } else if (now >= t->deadline_ms) {
        struct sync_event ev = event_of(t, SYNC_TIMEOUT);

        step_or_close(t, &ev);
        if (t->keys_owed > 0 && t->link->state == LINK_OPEN)
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

    t->keys_asked = true;
    sync_ask_keys(&send);
    link_send_all(t->link, buf_slice(&send));
    buf_close(&send);
}

bool talk_is_open(const struct talk *t)
{
    return t->sync.state == SYNC_OPEN;
}

bool talk_was_open(const struct talk *t)
{
    return !sodium_is_zero(t->sync.peer_actor.bytes, sizeof t->sync.peer_actor.bytes);
}

bool talk_is_idle(const struct talk *t)
{
    const struct sync *s = &t->sync;

    return !t->stepping && s->window.n == 0 && !s->fetching && s->staging == 0 && !s->asking &&
           t->stages.n == 0 && t->stages.big.n == 0 && !t->keys_asked && t->keys_owed == 0 &&
           vector_covers(s->have, &s->peer_have);
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

void talk_turn_away(struct link *l, const struct err *why)
{
    struct message m = {.kind = MESSAGE_KIND_BYE};
    struct buf bye = {0};

    m.bye.code = slice_text(err_code_name(why->code));
    m.bye.text = slice_text(why->text);
    buf_open(&bye, 4096);
    message_write(&bye, &m);
    link_send_all(l, buf_slice(&bye));
    buf_close(&bye);
    link_close(l, why);
}

/* The peer may have gone right behind what it sent. */
void talk_close(struct talk *t)
{
    struct stage_item items[STAGE_TOGETHER + 1];

    t->stages.big = (struct slice){0};
    if (t->stages.n > 0 && t->agent->store != NULL)
        (void)stage_all(t, items);
    buf_close(&t->stages.copies);
    brief_close(&t->brief);
    brief_debt_close(&t->debt);
    sync_close(&t->sync);
    buf_close(&t->todo.send);
}
