/* A PC's conversations: what links do in the agent, with a fake network below. */
#include "sim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FOLLOWS_MAX 4 /* answers under way to one event */

/* An answer of the store, to be given to the conversation next. */
struct follow {
    enum sync_event_kind kind;
    struct buf bytes;
    bool ok, rewound;
    struct actor actor;
    struct err e;
};

struct follows {
    struct follow list[FOLLOWS_MAX];
    uint32_t n;
};

static struct follow *follow_add(struct follows *f, enum sync_event_kind kind)
{
    struct follow *one = &f->list[f->n++];

    assert(f->n <= FOLLOWS_MAX);
    *one = (struct follow){.kind = kind};
    return one;
}

void talk_send(struct node *n, uint32_t peer, const struct buf *out)
{
    struct slice left = buf_slice(out);

    while (left.n >= 4) {
        uint32_t bytes = be32_read(left.p);

        assert(bytes <= left.n - 4);
        net_send(&n->sim->net, n->index, peer, (struct slice){left.p + 4, bytes}, n->sim->now_ms);
        left.p += 4 + bytes;
        left.n -= 4 + bytes;
    }
}

static void stage(struct node *n, struct slice changeset, struct follows *follows)
{
    struct follow *f = follow_add(follows, SYNC_STAGED);
    enum stage_result result = STAGE_KNOWN;

    f->ok = store_stage(n->store, changeset, &result, &f->e);
    f->rewound = f->ok && result == STAGE_REWOUND;
    if (f->ok && result != STAGE_KNOWN) {
        n->news = n->stirred = true;
        node_poke(n);
    }
    sim_trace(n->sim, n, "stage: %s %s", f->ok ? "ok" : "no", f->e.text);
    if (f->ok || disk_dead(n->disk, PROCESS_AGENT))
        return;
    /* Of chains that went on in two ways one part is refused, or waits. */
    if (!n->sim->options.forks ||
        (f->e.code != ERR_GAP && f->e.code != ERR_BUSY && f->e.code != ERR_CRYPTO))
        sim_fail_err(n->sim, n, "stage", &f->e);
}

static void fetch(struct node *n, const struct sync_actions *todo, struct follows *follows)
{
    struct follow *f = follow_add(follows, SYNC_FETCHED);

    buf_open(&f->bytes, CHANGESET_BYTES_MAX + SYNC_FETCH_BYTES);
    if (!store_fetch(n->store, &todo->fetch_actor, todo->fetch_after, todo->fetch_bytes, &f->bytes,
                     &f->e) &&
        !disk_dead(n->disk, PROCESS_AGENT))
        sim_fail_err(n->sim, n, "fetch", &f->e);
}

/* ---- change-sets in outline ---- */

static void rebuild_close(struct talk *t)
{
    store_rebuild_close(t->rebuild);
    t->rebuild = NULL;
}

/* Ask what is missing next, or let the conversation know what came of it. */
static void rebuild_on(struct node *n, uint32_t peer, bool ok, struct err *e,
                       struct follows *follows)
{
    struct talk *t = &n->talks[peer];
    struct sync_outline question = {.actor = t->rebuild_actor, .number = t->rebuild_number};
    struct slice changeset = {0};
    struct rebuild_ask ask = {0};
    struct buf out = {0};
    struct follow *f;

    ok = ok && store_rebuild_next(t->rebuild, &ask, &changeset, e);
    if (ok && ask.what != 0) {
        n->sim->outline_asks++;
        question.what = ask.what;
        question.picks = ask.picks;
        sync_ask(&t->sync, &question, &out);
        talk_send(n, peer, &out);
        buf_close(&out);
        return;
    }
    f = follow_add(follows, SYNC_REBUILT);
    f->actor = t->rebuild_actor;
    f->ok = ok;
    f->e = *e;
    buf_open(&f->bytes, CHANGESET_BYTES_MAX);
    buf_add(&f->bytes, changeset.p, changeset.n);
    rebuild_close(t);
    n->sim->outlines += ok;
    sim_trace(n->sim, n, "outline: %s %s", ok ? "ok" : "no", e->text);
    if (!ok && e->code != ERR_BUSY && !disk_dead(n->disk, PROCESS_AGENT))
        sim_fail_err(n->sim, n, "outline", e);
}

static void take_outline(struct node *n, uint32_t peer, const struct sync_outline *o,
                         struct follows *follows)
{
    struct talk *t = &n->talks[peer];
    struct err e = {0};
    bool ok;

    rebuild_close(t);
    t->rebuild_actor = o->actor;
    t->rebuild_number = o->number;
    ok = store_rebuild_open(n->store, o->header, o->signature, o->outline, &t->rebuild, &e);
    rebuild_on(n, peer, ok, &e, follows);
}

static void take_tell(struct node *n, uint32_t peer, const struct sync_outline *tell,
                      struct follows *follows)
{
    struct talk *t = &n->talks[peer];
    struct err e = {0};
    bool ok;

    ok = store_rebuild_tell(t->rebuild, tell->bytes, &e);
    rebuild_on(n, peer, ok, &e, follows);
}

static void answer(struct node *n, uint32_t peer, const struct sync_outline *ask)
{
    struct buf bytes, out = {0};
    struct err e = {0};

    buf_open(&bytes, BODY_BYTES_MAX);
    if (store_answer(n->store, &ask->actor, ask->number, (enum outline_ask)ask->what, ask->picks,
                     &bytes, &e)) {
        sync_tell(ask->token, buf_slice(&bytes), &out);
        talk_send(n, peer, &out);
    } else if (!disk_dead(n->disk, PROCESS_AGENT) && e.code != ERR_GAP) {
        sim_fail_err(n->sim, n, "tell", &e);
    }
    buf_close(&bytes);
    buf_close(&out);
}

static void obey_outlines(struct node *n, uint32_t peer, const struct sync_actions *todo,
                          struct follows *follows)
{
    if (todo->outline.number != 0)
        take_outline(n, peer, &todo->outline, follows);
    if (todo->tell.number != 0)
        take_tell(n, peer, &todo->tell, follows);
    if (todo->ask.number != 0)
        answer(n, peer, &todo->ask);
}

/* One event in, its actions done. False: the link is over. */
static bool step(struct node *n, uint32_t peer, const struct follow *event, struct follows *follows)
{
    struct sim *s = n->sim;
    struct talk *t = &n->talks[peer];
    struct sync_event ev = {
        .now_ms = s->now_ms,
        .wall_ms = n->wall_ms,
        .kind = event->kind,
        .bytes = buf_slice(&event->bytes),
        .ok = event->ok,
        .rewound = event->rewound,
        .e = &event->e,
        .actor = &event->actor,
        .roster = buf_slice(&s->roster.log),
        .roster_digest = s->roster_digest,
    };
    struct sync_actions todo = {0};
    struct err e = {0};
    bool ok;

    t->sync.brief = store_is_brief(n->store);
    ok = sync_step(&t->sync, &ev, &todo, &e);
    talk_send(n, peer, &todo.send);
    t->deadline_ms = todo.deadline_ms;
    if (!ok)
        sim_trace(s, n, "link with %u ends: %s", peer, e.text);
    if (todo.fork && !s->options.forks)
        sim_fail(s, "PC %u sees two histories of one actor on PC %u", n->index, peer);
    if (ok && todo.keys_wanted > 0)
        t->keys_owed = true;
    if (ok && todo.keys.n > 0)
        node_take_keys(n, todo.keys);
    if (ok && todo.stage.n > 0)
        stage(n, todo.stage, follows);
    if (ok)
        obey_outlines(n, peer, &todo, follows);
    if (ok && todo.fetch)
        fetch(n, &todo, follows);
    buf_close(&todo.send);
    return ok;
}

static void hang_up(struct node *n, uint32_t peer)
{
    talk_close(n, peer);
    net_hang_up(&n->sim->net, n->index, peer, n->sim->now_ms);
}

void talk_close_all(struct node *n)
{
    for (uint32_t peer = 0; peer < n->sim->options.nodes; peer++)
        if (n->talks[peer].open)
            hang_up(n, peer);
}

/* An event and everything that follows from it at once. Takes over its bytes. */
static void converse(struct node *n, uint32_t peer, struct follow first)
{
    struct follows follows = {.list = {first}, .n = 1};
    bool open = n->talks[peer].open;

    while (follows.n > 0) {
        struct follow event = follows.list[0];

        memmove(follows.list, follows.list + 1, --follows.n * sizeof event);
        /* What was told on this link may not hold any more. */
        open = open && n->store != NULL && n->talks[peer].history == store_history(n->store);
        if (open && sim_ok(n->sim) && !disk_dead(n->disk, PROCESS_AGENT))
            open = step(n, peer, &event, &follows);
        buf_close(&event.bytes);
    }
    if (!node_reap(n) && !open && n->talks[peer].open)
        hang_up(n, peer);
}

void talk_open(struct node *n, uint32_t peer)
{
    struct talk *t = &n->talks[peer];

    assert(!t->open);
    sim_trace(n->sim, n, "link with %u opens", peer);
    *t = (struct talk){.open = true, .history = store_history(n->store)};
    sync_open(&t->sync, ++n->links, store_actor(n->store), &n->sim->nodes[peer].keys.site,
              &n->claims, store_have(n->store), store_applied(n->store));
    converse(n, peer, (struct follow){.kind = SYNC_OPENED});
}

void talk_close(struct node *n, uint32_t peer)
{
    struct talk *t = &n->talks[peer];

    if (!t->open)
        return;
    sync_close(&t->sync);
    rebuild_close(t);
    t->open = false;
    n->news = true;
}

void talk_message(struct node *n, uint32_t peer, struct slice bytes)
{
    struct follow event = {.kind = SYNC_MESSAGE};

    buf_open(&event.bytes, MESSAGE_BYTES_MAX);
    buf_add(&event.bytes, bytes.p, bytes.n);
    converse(n, peer, event);
    talk_news(n);
}

void talk_timeout(struct node *n, uint32_t peer)
{
    converse(n, peer, (struct follow){.kind = SYNC_TIMEOUT});
    talk_news(n);
}

void talk_news(struct node *n)
{
    while (n->news && n->store != NULL) {
        n->news = false;
        for (uint32_t peer = 0; peer < n->sim->options.nodes; peer++)
            if (n->talks[peer].open && n->store != NULL)
                converse(n, peer, (struct follow){.kind = SYNC_LOCAL});
    }
}
