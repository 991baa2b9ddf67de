/* One simulated PC: an agent (the real store) and an application on one disk, each of which can
 * die. */
#include "sim.h"

#include <navette/ahead.h>
#include <navette/waits.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "clocks.h"

#define TURNS_MAX 200 /* of one drain or apply: more is a loop that makes no progress */
#define NEVER     UINT64_MAX
#define WAIVE_MS  10000
#define ACCEPT_MS 20000

static void on_sql(void *context, const char *sql)
{
    const struct node *n = context;

    sim_trace(n->sim, n, "  %s;", sql);
}

void node_open(struct sim *s, uint32_t index, struct rng rng)
{
    struct node *n = &s->nodes[index];
    struct rng parts = rng_fork(&rng);
    uint8_t seed[32] = {0};
    char name[32];
    struct err e = {0};

    *n = (struct node){
        .sim = s, .index = index, .agent_ms = NEVER, .app_ms = NEVER, .stirred = true};
    snprintf(n->folder, sizeof n->folder, "/shop/pc%u", index);
    snprintf(n->database, sizeof n->database, "/shop/pc%u/app.db", index);
    be64_write(seed, rng_next(&rng));
    seed[31] = (uint8_t)index;
    keys_from_seed(&n->keys, seed);
    n->skew_ms = (int64_t)rng_below(&rng, 2 * SIM_SKEW_MS) - SIM_SKEW_MS;
    n->wall_ms = SIM_EPOCH_MS + s->now_ms + (uint64_t)n->skew_ms;
    snprintf(name, sizeof name, "pc%u", index);
    n->disk = disk_new(name, &n->wall_ms, rng_fork(&rng));
    if (s->options.calm)
        disk_never_cut(n->disk);
    n->app = (struct app){.shape = &s->shape,
                          .words = &s->words,
                          .rng = rng_fork(&rng),
                          .site = index,
                          .serial = &s->serial,
                          .on_sql = on_sql,
                          .context = n};
    if (!app_create(&s->shape, n->database, disk_vfs(n->disk, PROCESS_APP), s->options.journal_mode,
                    &parts, &e))
        sim_fail_err(s, n, "make the application's file", &e);
    if (s->options.late > 0) /* what it begins with was there long before */
        disk_settle(n->disk);
}

static void close_talks(struct node *n)
{
    for (uint32_t peer = 0; peer < n->sim->options.nodes; peer++)
        talk_close(n, peer);
    sync_claims_close(&n->claims);
    n->claims = (struct sync_claims){0};
}

void node_close(struct node *n)
{
    if (n->sim == NULL)
        return;
    close_talks(n);
    store_close(n->store);
    n->store = NULL;
    buf_close(&n->peer_keys);
    app_free(&n->app);
    app_free(&n->open_commit);
    disk_free(n->disk);
    keys_wipe(&n->keys);
    *n = (struct node){0};
}

/* ---- a commit that a death cut off ---- */

/* A commit was under way when the application died. It may stand in the WAL while the shared memory
 * of an agent that lives does not know of it: then whoever reads the WAL next decides, unless
 * somebody writes over it first. */
static void open_commit(struct node *n)
{
    struct app *to = &n->open_commit;

    view_copy(&to->before, &n->app.before);
    view_copy(&to->now, &n->app.now);
    memcpy(to->moves, n->app.moves, sizeof to->moves);
    to->moves_n = n->app.moves_n;
    n->open_tick = n->tick;
    n->open_ms = clocks_fair_ms(n);
    n->tick = 0;
}

/* Did the commit that it died in happen? */
static void settle_commit(struct node *n, const struct view *now)
{
    if (n->tick != 0)
        open_commit(n);
    if (n->open_tick == 0 || now->tick < n->open_tick)
        return;
    if (now->tick == n->open_tick)
        oracle_commit(&n->sim->oracle, n->index, &n->open_commit, n->open_ms);
    n->open_tick = 0;
}

/* ---- the agent comes and goes ---- */

/* Track the application's tables. */
static bool agent_prepare(struct node *n, struct err *e)
{
    struct sim *s = n->sim;
    const char *names[SHAPE_TABLES_MAX + 1];
    uint32_t tables = 0;

    for (uint32_t i = 0; i < s->shape.n; i++)
        if (s->shape.tables[i].way != SHAPE_LOCAL)
            names[tables++] = s->shape.tables[i].name;
    if (s->shape.journal)
        names[tables++] = "journal";
    /* Also tables that come later or are local now; and no name need stay. */
    if (s->shape.next != NULL || (s->options.draws & DRAW_RULES) != 0)
        tables = 0;
    if (!(n->tracked && tables == 0) && !store_track(n->store, names, tables, e))
        return false;
    n->tracked = true;
    /* When the fleet is founded nobody has anything that rows could be matched with. */
    return s->founded || store_state(n->store) == STORE_READY ||
           store_match(n->store, false, NULL, 0, n->wall_ms, e);
}

void node_agent_start(struct node *n)
{
    struct sim *s = n->sim;
    struct store_options o = {
        .home = n->folder,
        .database = n->database,
        .vfs = disk_vfs(n->disk, PROCESS_AGENT),
        .keys = &n->keys,
        .roster = &s->roster,
    };
    struct err e = {0};

    n->stirred = true; /* it denies rows that came and went before it looked (drain.c) */
    if (!sim_ok(s) || n->store != NULL)
        return;
    n->agent_ms = NEVER;
    n->pump_ms = s->now_ms;
    sim_trace(s, n, "agent starts");
    if (store_open(&n->store, &o, n->wall_ms, &e) && agent_prepare(n, &e)) {
        net_start(&s->net, n->index, s->now_ms);
        if (!node_reap(n) && n->open_tick != 0) {
            node_peek(n, &s->scratch);
            settle_commit(n, &s->scratch);
        }
        sim_check_node(s, n->index); /* what it wrote before it died can be replaced now */
        return;
    }
    if (!node_reap(n))
        sim_fail_err(s, n, "start", &e);
}

void node_agent_stop(struct node *n)
{
    if (!sim_ok(n->sim) || n->store == NULL)
        return;
    sim_trace(n->sim, n, "agent stops");
    close_talks(n);
    net_stop(&n->sim->net, n->index, false, n->sim->now_ms);
    store_close(n->store);
    n->store = NULL;
    node_reap(n);
}

void node_app_start(struct node *n)
{
    struct err e = {0};

    if (!sim_ok(n->sim) || n->app.db != NULL)
        return;
    n->app_ms = NEVER;
    sim_trace(n->sim, n, "application starts");
    if (app_open(&n->app, n->database, disk_vfs(n->disk, PROCESS_APP), &e)) {
        settle_commit(n, &n->app.now);
        /* What came while it was down can be replaced before it writes. */
        if (!oracle_observe(&n->sim->oracle, n->index, &n->app.now, &e))
            sim_fail_err(n->sim, n, "look at the file", &e);
    } else if (!node_reap(n)) {
        sim_fail_err(n->sim, n, "start", &e);
    }
}

void node_app_stop(struct node *n)
{
    app_close(&n->app);
    node_reap(n);
}

/* ---- death ---- */

/* In WAL mode the shared memory of the processes that live on decides which frames count. */
static bool has_living_wal(const struct node *n)
{
    char path[SIM_PATH_BYTES + 16];

    snprintf(path, sizeof path, "%s-wal", n->database);
    return n->store != NULL && disk_has(n->disk, path);
}

static void read_view(struct node *n, struct view *v, const char *path, const char *vfs)
{
    struct sim *s = n->sim;
    sqlite3 *db = NULL;
    struct err e = {0};

    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, vfs) != SQLITE_OK ||
        !view_read(v, &s->shape, &s->words, db, &e))
        sim_fail_err(s, n, "look at the file", &e);
    view_close_database(db);
}

/* Takes no step of the simulated disk. */
static void read_copy(struct node *n, struct view *v)
{
    char path[SIM_PATH_BYTES];

    snprintf(path, sizeof path, "%.200s/peek.db", n->folder);
    disk_copy_database(n->disk, n->database, path);
    read_view(n, v, path, disk_vfs(n->disk, PROCESS_LOOK));
    disk_remove_database(n->disk, path);
}

void node_peek(struct node *n, struct view *v)
{
    if (has_living_wal(n))
        read_view(n, v, n->database, disk_vfs(n->disk, PROCESS_LOOK));
    else
        read_copy(n, v);
}

static void bury_agent(struct node *n, bool silent)
{
    close_talks(n);
    net_stop(&n->sim->net, n->index, silent, n->sim->now_ms);
    store_close(n->store);
    n->store = NULL;
    n->stirred = true;
}

static void bury_both(struct node *n, enum survival survival)
{
    struct sim *s = n->sim;

    bury_agent(n, true);
    app_close(&n->app);
    disk_lose_power(n->disk, survival);
    disk_revive(n->disk, PROCESS_AGENT);
    disk_revive(n->disk, PROCESS_APP);
    node_peek(n, &s->scratch);
    settle_commit(n, &s->scratch);
    n->behind = true;
    oracle_rewound(&s->oracle, n->index, &s->scratch);
    sim_trace(s, n, "its file is back at tick %lld", (long long)s->scratch.tick);
}

/* When a process comes back: mostly at once, sometimes after a night. */
static uint64_t rest_ms(struct sim *s)
{
    return s->now_ms + rng_below(&s->rng, rng_chance(&s->rng, 70) ? 500 : 30000);
}

bool node_reap(struct node *n)
{
    struct sim *s = n->sim;
    bool agent = disk_dead(n->disk, PROCESS_AGENT), app = disk_dead(n->disk, PROCESS_APP);

    if (!agent && !app)
        return false;
    s->deaths++;
    sim_trace(s, n, "%s dies", agent && app ? "the PC" : agent ? "the agent" : "the application");
    if (agent)
        n->agent_ms = rest_ms(s);
    if (app)
        n->app_ms = rest_ms(s);
    if (agent && app) {
        bury_both(n, s->options.survival != NULL
                         ? *s->options.survival
                         : (enum survival)rng_below(&s->rng, SURVIVES_COUNT));
    } else if (agent) {
        bury_agent(n, false);
        disk_revive(n->disk, PROCESS_AGENT);
    } else {
        app_close(&n->app);
        disk_revive(n->disk, PROCESS_APP);
        node_peek(n, &s->scratch);
        settle_commit(n, &s->scratch);
    }
    return true;
}

void node_lose_power(struct node *n, enum survival survival, uint64_t ms)
{
    if (!sim_ok(n->sim))
        return;
    sim_trace(n->sim, n, "the plug is pulled");
    n->sim->deaths++;
    bury_both(n, survival);
    n->agent_ms = n->app_ms = n->sim->now_ms + ms;
}

/* ---- what agent and application do ---- */

/* Errors of the store: none is expected but that the application holds its file. True when the
 * caller shall leave off. */
bool node_failed(struct node *n, const char *doing, bool ok, struct err *e)
{
    if (node_reap(n))
        return true;
    if (ok)
        return false;
    if (e->code != ERR_BUSY || !n->app.open)
        sim_fail_err(n->sim, n, doing, e);
    return true;
}

void node_drain(struct node *n)
{
    struct sim *s = n->sim;
    bool owed = n->stirred || oracle_owes(&s->oracle, n->index);
    struct store_progress p = {.more = true};
    struct err e = {0};
    uint32_t made = 0;

    if (!sim_ok(s) || n->store == NULL || store_state(n->store) != STORE_READY)
        return;
    owed |= store_owes(n->store);
    for (int turns = 0; p.more; turns++) {
        p = (struct store_progress){0};
        if (node_failed(n, "drain", store_drain(n->store, n->wall_ms, &p, &e), &e)) {
            oracle_drained_perhaps(&s->oracle, n->index);
            return;
        }
        made += p.changesets;
        if (turns == TURNS_MAX) {
            sim_fail(s, "PC %u drains without end", n->index);
            return;
        }
    }
    if (made > 0)
        sim_trace(s, n, "drain: %u change-sets", made);
    if (made > 0 && !owed)
        sim_fail(s, "PC %u publishes although its application wrote nothing", n->index);
    n->news |= made > 0;
    n->stirred = n->upgraded = n->app.unwatched = false;
    oracle_drained(&s->oracle, n->index, clocks_fair_ms(n));
    s->oracle.ahead[n->index] = n->far_ms > 0;
    talk_news(n);
}

void sim_check_node(struct sim *s, uint32_t node)
{
    struct node *n = &s->nodes[node];
    struct err e = {0};
    char *dangling;

    if (!sim_ok(s) || n->app.db == NULL || n->app.open)
        return;
    if (!view_read(&n->app.now, &s->shape, &s->words, n->app.db, &e) ||
        !oracle_observe(&s->oracle, node, &n->app.now, &e)) {
        sim_fail_err(s, n, "look at the file", &e);
        return;
    }
    dangling = sim_text(s, node, "SELECT \"table\" || ' ' || rowid FROM pragma_foreign_key_check");
    if (dangling[0] != '\0')
        sim_fail(s, "PC %u: foreign_key_check: %s", node, dangling);
    free(dangling);
}

/* Nobody but us reads a file whose application is down. While it is open whether its last commit
 * happened, a copy would decide that. */
static void look_at_closed(struct node *n)
{
    struct sim *s = n->sim;
    struct err e = {0};

    if (!sim_ok(s) || (n->open_tick != 0 && !has_living_wal(n)))
        return;
    if (n->open_tick != 0)
        read_view(n, &s->scratch, n->database, disk_vfs(n->disk, PROCESS_LOOK));
    else
        read_copy(n, &s->scratch);
    if (n->open_tick != 0 && s->scratch.tick >= n->open_tick)
        return;
    if (sim_ok(s) && !oracle_observe(&s->oracle, n->index, &s->scratch, &e))
        sim_fail_err(s, n, "look at the file", &e);
}

static void look(struct node *n)
{
    if (n->app.db != NULL)
        sim_check_node(n->sim, n->index);
    else
        look_at_closed(n);
}

/* Is in its database again all that its ledger has? */
static bool has_mended(struct node *n)
{
    struct store_status status = {0};
    struct err e = {0};

    return !n->behind || (store_state(n->store) == STORE_READY &&
                          store_status(n->store, &status, &e) && status.parked == 0);
}

void node_apply(struct node *n)
{
    struct sim *s = n->sim;
    struct store_progress p = {.more = true};
    struct err e = {0};
    uint32_t changesets = 0, rows = 0;

    if (!sim_ok(s) || n->store == NULL)
        return;
    for (int turns = 0; p.more; turns++) {
        p = (struct store_progress){0};
        if (node_failed(n, "apply", store_apply(n->store, n->wall_ms, &p, &e), &e))
            return;
        changesets += p.changesets;
        rows += p.rows;
        if (p.rows > 0 && p.more) /* what it puts there now, the next turn may replace */
            look(n);
        if (turns == TURNS_MAX) {
            sim_fail(s, "PC %u applies without end", n->index);
            return;
        }
    }
    n->behind &= !has_mended(n);
    n->again = p.again_ms > 0;
    if (n->again && s->now_ms + p.again_ms < n->pump_ms)
        n->pump_ms = s->now_ms + p.again_ms;
    if (changesets > 0) {
        sim_trace(s, n, "apply: %u change-sets", changesets);
        s->applied += changesets;
        n->news = true;
    }
    if (rows > 0 || rng_chance(&s->rng, 3))
        look(n);
    talk_news(n);
}

static void node_tidy(struct node *n)
{
    struct err e = {0};
    bool more;

    if (sim_ok(n->sim) && n->store != NULL)
        node_failed(n, "tidy", store_tidy(n->store, &more, &e), &e);
}

/* What all PCs had that had it, and went back to copies of their disks, nobody waits for: as
 * agent/absent.c has it. */
static void node_waive(struct node *n)
{
    struct store_peer peers[NET_NODES_MAX];
    struct store_lack lack = {0};
    struct err e = {0};
    uint32_t heard = 0;
    bool did = false;

    if (!sim_ok(n->sim) || n->store == NULL)
        return;
    for (uint32_t peer = 0; peer < n->sim->options.nodes; peer++)
        if (n->talks[peer].open && n->talks[peer].sync.state == SYNC_OPEN)
            peers[heard++] = (struct store_peer){&n->talks[peer].sync.peer_have,
                                                 &n->talks[peer].sync.peer_applied};
    if (heard + 1 < n->sim->options.nodes || store_lacks_nothing(n->store) ||
        node_failed(n, "look what waits", store_lacks(n->store, peers, heard, &lack, &e), &e) ||
        lack.changesets == 0) {
        n->lack_ms = 0;
        return;
    }
    if (n->lack_ms == 0)
        n->lack_ms = n->sim->now_ms;
    if (n->sim->now_ms - n->lack_ms < WAIVE_MS ||
        node_failed(n, "waive", store_waive(n->store, peers, heard, true, &did, &e), &e) || !did)
        return;
    sim_trace(n->sim, n, "waits no more for what nobody has");
    n->lack_ms = 0;
    node_poke(n);
}

/* Many rows were written around a migration and are taken for what it made of them: a person, who
 * knows that it made nothing, lets in what waits. agent-cli parked accept. */
static void node_accept(struct node *n)
{
    struct err e = {0};

    if (!sim_ok(n->sim) || n->store == NULL || store_waits(n->store) == NULL) {
        n->wait_ms = 0;
        return;
    }
    if (n->wait_ms == 0)
        n->wait_ms = n->sim->now_ms;
    if (n->sim->now_ms - n->wait_ms < ACCEPT_MS ||
        node_failed(n, "accept", store_accept(n->store, &e), &e))
        return;
    sim_trace(n->sim, n, "somebody lets in what waits for a migration");
    n->wait_ms = 0;
    node_poke(n);
}

/* Mostly the agent looks soon, sometimes it has better things to do. */
void node_poke(struct node *n)
{
    struct rng *r = &n->sim->rng;
    uint64_t soon_ms = n->sim->now_ms + 1 + rng_below(r, rng_chance(r, 80) ? 30 : 2000);

    if (soon_ms < n->pump_ms)
        n->pump_ms = soon_ms;
}

void node_pump(struct node *n)
{
    n->pump_ms = n->sim->now_ms + 500 + rng_below(&n->sim->rng, 2000);
    node_drain(n);
    node_apply(n);
    node_tidy(n);
    node_join(n);
    node_waive(n);
    node_accept(n);
    clocks_look(n);
    for (uint32_t peer = 0; n->store != NULL && peer < n->sim->options.nodes; peer++)
        if (n->talks[peer].open && n->talks[peer].keys_owed && node_tell_keys(n, peer))
            n->talks[peer].keys_owed = false;
}

/* What the application does between BEGIN and COMMIT, with the agent going about its work
 * meanwhile. False: it gave up. */
static bool operate(void *context, struct app *a, struct err *e)
{
    struct node *n = context;
    uint32_t operations = 1 + rng_below(&a->rng, 4);

    for (uint32_t i = 0; i < operations; i++) {
        if (!habit_follow(a, e))
            return false;
        if (rng_chance(&a->rng, 8))
            node_pump(n);
        if (a->db == NULL)
            return false;
    }
    return true;
}

void node_commit(struct node *n, bool (*work)(void *context, struct app *a, struct err *e),
                 void *context)
{
    struct sim *s = n->sim;
    struct err e = {0};
    bool ok;

    if (!sim_ok(s) || n->app.db == NULL)
        return;
    ok = app_begin(&n->app, &e) && oracle_observe(&s->oracle, n->index, &n->app.before, &e) &&
         work(context, &n->app, &e);
    if (ok) {
        n->tick = ++s->tick;
        ok = app_commit(&n->app, n->tick, &e);
    }
    if (node_reap(n) || n->app.db == NULL)
        return;
    node_poke(n);
    if (ok)
        oracle_commit(&s->oracle, n->index, &n->app, clocks_fair_ms(n));
    else if (e.code == ERR_REFUSED)
        app_rollback(&n->app);
    else
        sim_fail_err(s, n, "transaction", &e);
    n->tick = 0;
}

void node_transaction(struct node *n)
{
    node_commit(n, operate, n);
}

bool node_settled(struct node *n)
{
    struct store_status status;
    struct store_ahead ahead;
    struct err e = {0};

    if (n->store == NULL || n->app.db == NULL || store_state(n->store) != STORE_READY)
        return false;
    if (!store_status(n->store, &status, &e) || !store_ahead(n->store, n->wall_ms, &ahead, &e)) {
        sim_fail_err(n->sim, n, "status", &e);
        return false;
    }
    return !n->again && !n->upgraded && ahead.ahead_ms == 0 && !store_owes(n->store) &&
           status.marks == 0 && status.staged == 0 && status.unscanned == 0;
}
