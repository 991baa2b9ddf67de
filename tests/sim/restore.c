#include "restore.h"

#include <stdio.h>
#include <string.h>

static void path_of(const struct node *n, const char *name, char path[SIM_PATH_BYTES])
{
    snprintf(path, SIM_PATH_BYTES, "%.200s/%s", n->folder, name);
}

static void copy(struct node *n, const char *from, const char *to)
{
    char a[SIM_PATH_BYTES], b[SIM_PATH_BYTES];

    path_of(n, from, a);
    path_of(n, to, b);
    disk_copy_database(n->disk, a, b);
}

static void stop(struct node *n)
{
    disk_arm(n->disk, PROCESS_AGENT, 0, DEATH_KILL);
    disk_arm(n->disk, PROCESS_APP, 0, DEATH_KILL);
    node_agent_stop(n);
    node_app_stop(n);
}

void restore_keep(struct restore *r, struct sim *s, uint32_t node)
{
    struct node *n = &s->nodes[node];

    /* What is drained once more after the copy was put back, together with a later write to the
     * same row, cannot be told from it (agent/README.md). */
    node_agent_start(n);
    node_drain(n);
    if (oracle_owes(&s->oracle, node))
        return;
    sim_trace(s, n, "a copy of its disk is made");
    stop(n);
    copy(n, "app.db", "kept-app.db");
    copy(n, "ledger.db", "kept-ledger.db");
    r->half = r->half == node + 1 ? 0 : r->half; /* its home will not be older than its file */
    r->pcs[node].there = true;
    r->pcs[node].drained = s->oracle.drains;
    r->pcs[node].full = r->full;
    node_app_start(n);
    node_agent_start(n);
}

/* ---- what is gone for good ---- */

/* The same number may stand for something else there: of another history, before a disk went
 * back. */
static bool has(const struct node *n, const struct vector_entry *of)
{
    const struct vector_entry *at = vector_find(store_have(n->store), &of->actor);

    return of->number == 0 || (at != NULL && at->number == of->number &&
                               memcmp(at->hash, of->hash, sizeof at->hash) == 0);
}

/* `own`: of what it said itself. */
static bool has_all_of(const struct node *n, const struct node *of, bool own)
{
    const struct vector *have = store_have(of->store);
    struct site_id self = actor_site(store_actor(of->store));
    bool all = n->store != NULL;

    for (uint32_t i = 0; all && i < have->n; i++) {
        struct site_id author = actor_site(&have->entries[i].actor);

        all = (own && !site_equal(&author, &self)) || has(n, &have->entries[i]);
    }
    return all;
}

void restore_look(struct restore *r, struct sim *s)
{
    bool all = true;

    for (uint32_t i = 0; i < s->options.nodes; i++) {
        const struct node *n = &s->nodes[i];

        all &= n->store != NULL && store_state(n->store) == STORE_READY;
        for (uint32_t k = 0; n->store != NULL && k < s->options.nodes; k++) {
            const struct node *other = &s->nodes[k];

            if (k == i)
                continue;
            all &= has_all_of(other, n, false);
            if (has_all_of(other, n, true))
                r->pcs[i].safe = s->oracle.drains;
        }
    }
    if (all) {
        r->full = s->oracle.drains;
        r->back = r->both = 0;
    }
}

/* Its database went back to before it, and nothing puts it there again, as its table takes nothing
 * in on that PC: only the home has it. */
static bool stays_out(const struct oracle *o, const struct oracle_event *event)
{
    const struct shape_table *t = &o->shape->tables[o->rows[event->row].table];

    return event->taken && !shape_takes(t, event->site, o->sites);
}

/* Of what stays out only the home knew that it had been said. What the database shows in its place
 * is said again, as if it were of now (agent/README.md, *A ledger that went back or was lost*). */
static void doubt_left_out(struct oracle *o, uint32_t node)
{
    for (uint32_t i = 0; i < o->event_n; i++) {
        struct oracle_event *event = &o->events[i];
        const struct oracle_row *row = &o->rows[event->row];

        if (event->site != node || !stays_out(o, event))
            continue;
        event->doubtful = true;
        for (uint32_t k = 0; k < row->n; k++)
            o->events[row->events[k]].unclocked |= !o->events[row->events[k]].taken;
    }
}

/* Somebody deleted the row, and its file does not show it: what was written to it only the home
 * knew. */
static bool is_out(const struct sim *s, uint32_t node, const struct oracle_event *event)
{
    const struct oracle_row *row = &s->oracle.rows[event->row];

    return event->site == node && event->column >= 0 && row->name != UINT32_MAX &&
           view_find(&s->scratch, row->table, row->name) == NULL;
}

/* The home of `node` went back. Its events that no other PC has may be gone; so may those of PCs
 * that went back before it and that nobody has had time to give everything back. If its database
 * stays, all that is gone is what was said of them, and when; what others had of theirs is still in
 * their databases, too. But a database that had gone back itself may not have been mended yet; then
 * what was in the homes of others alone, which had not put it into their databases, goes with the
 * next of these. */
static void doubt(struct restore *r, struct sim *s, uint32_t node, bool file)
{
    struct oracle *o = &s->oracle;
    bool first = r->back == 0, gone = file || s->nodes[node].behind;
    uint32_t limit = r->pcs[node].full;

    if (!first && r->back_full < limit)
        limit = r->back_full;
    r->back |= UINT32_C(1) << node;
    r->both |= gone ? UINT32_C(1) << node : 0;
    r->back_full = limit;
    if (first) /* the others have all up to here */
        limit = r->pcs[node].safe > r->full ? r->pcs[node].safe : r->full;
    for (uint32_t i = 0; i < o->event_n; i++) {
        struct oracle_event *event = &o->events[i];
        bool may_be_gone = event->drained ? event->drain > limit : event->doubtful;

        if (may_be_gone && (r->back >> event->site & 1) != 0) {
            event->doubtful |= gone || (r->both >> event->site & 1) != 0 || stays_out(o, event) ||
                               is_out(s, node, event);
            event->unclocked |= !first && !file;
        }
    }
    if (!file)
        doubt_left_out(o, node);
    if (!file)
        oracle_forgot(o, node, r->pcs[node].drained, limit, s->scratch.tick);
}

/* Its home went back, and until its ledger has been built again from its database, nothing else may
 * have what both had: then that is gone with the database. */
static bool remembers_alone(const struct restore *r, const struct node *n)
{
    return (r->back >> n->index & 1) != 0 &&
           (n->store == NULL || store_state(n->store) != STORE_READY);
}

static void doubt_remembered(struct restore *r, struct sim *s, uint32_t node)
{
    for (uint32_t i = 0; i < s->oracle.event_n; i++) {
        struct oracle_event *event = &s->oracle.events[i];

        event->doubtful |= event->site == node && event->drained && event->drain > r->back_full;
    }
}

void restore_put_back(struct restore *r, struct sim *s, uint32_t node, uint32_t kind,
                      uint64_t app_ms, uint64_t agent_ms)
{
    struct node *n = &s->nodes[node];
    bool alone = kind == RESTORE_FILE && remembers_alone(r, n);

    if (!r->pcs[node].there || !sim_ok(s))
        return;
    stop(n);
    if (!sim_ok(s))
        return;
    disk_settle(n->disk);
    if (kind != RESTORE_HOME)
        copy(n, "kept-app.db", "app.db");
    if (kind != RESTORE_FILE)
        copy(n, "kept-ledger.db", "ledger.db");
    node_peek(n, &s->scratch);
    if (kind != RESTORE_FILE)
        doubt(r, s, node, kind == RESTORE_BOTH);
    else if (alone)
        doubt_remembered(r, s, node);
    if (kind != RESTORE_HOME) {
        n->behind = true;
        oracle_rewound(&s->oracle, node, &s->scratch);
    }
    sim_trace(s, n, "an older copy of its %s is put back, at tick %lld",
              kind == RESTORE_FILE   ? "database"
              : kind == RESTORE_HOME ? "home"
                                     : "disk",
              (long long)s->scratch.tick);
    n->stirred = true;
    n->app_ms = s->now_ms + app_ms;
    n->agent_ms = s->now_ms + agent_ms;
}

/* ---- by chance ---- */

static bool others_are_back(const struct restore *r, uint32_t node)
{
    return (r->kinds & RESTORE_HOMES) == 0 && (r->back & ~(UINT32_C(1) << node)) != 0;
}

/* Has its agent, which remembers, put back into its file what went with that? */
static bool is_mended(struct node *n)
{
    node_agent_start(n);
    node_app_start(n);
    node_pump(n);
    return sim_ok(n->sim) && node_settled(n) &&
           vector_covers(store_applied(n->store), store_have(n->store));
}

/* First only the database is put back, and when that is mended, the home from the same copy. */
static void happen_twice(struct restore *r, struct sim *s)
{
    uint32_t node = rng_below(&r->twice, s->options.nodes);
    uint64_t app_ms = rng_below(&r->twice, 500), agent_ms = rng_below(&r->twice, 500);

    if ((r->kinds & ~(uint32_t)RESTORE_FILE) == 0 || !rng_chance(&r->twice, r->half == 0 ? 6 : 25))
        return;
    if (r->half == 0 && r->pcs[node].there) {
        r->half = node + 1;
        restore_put_back(r, s, node, RESTORE_FILE, app_ms, agent_ms);
    } else if (r->half != 0 && !others_are_back(r, r->half - 1) &&
               is_mended(&s->nodes[r->half - 1])) {
        node = r->half - 1;
        r->half = 0;
        restore_put_back(r, s, node, RESTORE_HOME, app_ms, agent_ms);
    }
}

void restore_happen(struct restore *r, struct sim *s)
{
    uint32_t node = rng_below(&r->rng, s->options.nodes);
    uint32_t kind;

    happen_twice(r, s);
    if (!rng_chance(&r->rng, 10))
        return;
    do
        kind = UINT32_C(1) << rng_below(&r->rng, 3);
    while ((kind & r->kinds) == 0);
    if (kind == RESTORE_HOME && others_are_back(r, node))
        return;
    if (!r->pcs[node].there || rng_chance(&r->rng, 40))
        restore_keep(r, s, node);
    else
        restore_put_back(r, s, node, kind, rng_below(&r->rng, 500),
                         rng_below(&r->rng, rng_chance(&r->rng, 60) ? 500 : 20000));
}
