#include "sim.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "clocks.h"
#include "ruling.h"

#define LOOK_MS  100  /* how often we ask whether all is quiet */
#define AFTER_MS 5000 /* how long it must stay quiet */
/* SQLite 3.40 sees NULLs that are not there in WITHOUT ROWID tables whose key is not in front. */
#define SOUND                                                                                      \
    "SELECT group_concat(integrity_check) FROM pragma_integrity_check "                            \
    "WHERE integrity_check NOT LIKE 'NULL value in %'"
#define FETCH_BYTES (1u << 20)
#define CARRIED_MAX 256

bool sim_ok(const struct sim *s)
{
    return s->e.code == ERR_NONE;
}

void sim_fail(struct sim *s, const char *format, ...)
{
    char text[400];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    err_set(&s->e, ERR_INPUT, "at %.3f s: %s", (double)s->now_ms / 1000, text);
}

void sim_fail_err(struct sim *s, const struct node *n, const char *doing, const struct err *e)
{
    sim_fail(s, "PC %u: %s: %s (%s)", n->index, doing, e->text, err_code_name(e->code));
}

void sim_trace(const struct sim *s, const struct node *n, const char *format, ...)
{
    va_list arguments;

    if (!s->verbose)
        return;
    fprintf(stderr, "%9.3f ", (double)s->now_ms / 1000);
    if (n != NULL)
        fprintf(stderr, "PC %u ", n->index);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

/* ---- opening and closing ---- */

/* For a person who watches: the files of a failed week as they are when it failed. */
static void leave_files(const struct sim *s)
{
    const char *root = getenv("TMPDIR");
    char folder[SIM_PATH_BYTES], path[SIM_PATH_BYTES + 16];

    snprintf(folder, sizeof folder, "%.200s/navette-sim-XXXXXX", root != NULL ? root : "/tmp");
    if (mkdtemp(folder) == NULL) {
        fprintf(stderr, "cannot make a folder like %s\n", folder);
        return;
    }
    for (uint32_t i = 0; i < s->options.nodes; i++) {
        snprintf(path, sizeof path, "%s/pc%u", folder, i);
        if (s->nodes[i].disk == NULL || mkdir(path, 0700) != 0)
            continue;
        disk_export(s->nodes[i].disk, path);
    }
    fprintf(stderr, "files are left in %s\n", folder);
}

/* The first PC founds the fleet and knows nobody yet; then all others are enrolled. */
static void found_fleet(struct sim *s)
{
    struct err e = {0};
    struct keys *first = &s->nodes[0].keys;

    if (!roster_create(&s->roster, "shop", "PC0", first, &e))
        sim_fail_err(s, &s->nodes[0], "found the fleet", &e);
    ruling_count(s);
    node_agent_start(&s->nodes[0]);
    for (uint32_t i = 1; i < s->options.nodes && sim_ok(s); i++) {
        const struct keys *k = &s->nodes[i].keys;
        uint8_t invite[ROSTER_INVITE_ID_BYTES] = {(uint8_t)i};
        char asked[16], given[NAME_BYTES_MAX + 1];

        snprintf(asked, sizeof asked, "PC%u", i);
        if (!roster_invite(&s->roster, invite, UINT64_MAX >> 1, first, &e) ||
            !roster_enrol(&s->roster, k->sign_public, k->exchange_public, asked, invite, first,
                          given, &e))
            sim_fail_err(s, &s->nodes[i], "enrol", &e);
    }
    ruling_found(s);
    roster_digest(&s->roster, s->roster_digest);
}

void sim_open(struct sim *s, struct sim_options o)
{
    *s = (struct sim){.options = o, .rng = {o.seed * 2 + 1}};
    s->verbose = getenv("NAVETTE_SIM_TRACE") != NULL;
    assert(o.nodes <= NET_NODES_MAX && o.nodes <= ORACLE_SITES_MAX);
    rng_seed_system(o.seed);
    words_open(&s->words);
    if (o.drawn)
        shape_draw(&s->shape, &s->rng);
    else
        shape_till(&s->shape);
    if ((o.draws & DRAW_RULES) != 0)
        ruling_expect(&s->shape);
    if ((o.draws & DRAW_SCHEMA) != 0)
        upgrade_draw(&s->upgrades, &s->shape, o.seed);
    s->shape.journal &= !o.forks; /* who had what before a disk was put back, no journal tells */
    oracle_open(&s->oracle, &s->shape, &s->words, o.nodes);
    net_open(&s->net, o.nodes, o.loss_percent, rng_fork(&s->rng));
    for (uint32_t i = 0; i < o.nodes && sim_ok(s); i++)
        node_open(s, i, rng_fork(&s->rng));
    found_fleet(s);
    for (uint32_t i = 0; i < o.nodes; i++) {
        if (i + o.late < o.nodes)
            node_agent_start(&s->nodes[i]);
        if (i + o.late < o.nodes || (o.draws & DRAW_EMPTY) == 0)
            node_app_start(&s->nodes[i]);
    }
    s->founded = true;
}

bool sim_close(struct sim *s)
{
    bool ok = sim_ok(s);

    if (!ok && s->verbose)
        leave_files(s);
    for (uint32_t i = 0; i < s->options.nodes; i++)
        node_close(&s->nodes[i]);
    net_close(&s->net);
    oracle_close(&s->oracle);
    roster_close(&s->roster);
    view_close(&s->scratch);
    words_close(&s->words);
    if (!ok)
        fprintf(stderr, "seed %llu: %s\n", (unsigned long long)s->options.seed, s->e.text);
    return ok;
}

/* ---- time ---- */

static void set_time(struct sim *s, uint64_t now_ms)
{
    s->now_ms = now_ms;
    for (uint32_t i = 0; i < s->options.nodes; i++)
        s->nodes[i].wall_ms =
            SIM_EPOCH_MS + now_ms + (uint64_t)s->nodes[i].skew_ms + (uint64_t)s->nodes[i].far_ms;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_ms(const struct sim *s)
{
    uint64_t next = net_next_ms(&s->net);

    for (uint32_t i = 0; i < s->options.nodes; i++) {
        const struct node *n = &s->nodes[i];

        next = sooner(next, sooner(n->agent_ms, n->app_ms));
        if (n->store != NULL)
            next = sooner(next, n->pump_ms);
        for (uint32_t peer = 0; peer < s->options.nodes; peer++)
            if (n->talks[peer].open)
                next = sooner(next, n->talks[peer].deadline_ms);
    }
    return next;
}

static void tell_net_event(struct sim *s, struct net_event *ev)
{
    struct node *n = &s->nodes[ev->node], *peer = &s->nodes[ev->peer];

    switch (ev->kind) {
    case NET_OPENED:
        talk_open(n, ev->peer);
        if (peer->store != NULL && sim_ok(s))
            talk_open(peer, ev->node);
        break;
    case NET_MESSAGE:
        if (n->talks[ev->peer].open)
            talk_message(n, ev->peer, buf_slice(&ev->bytes));
        break;
    default:
        sim_trace(s, n, "link with %u is gone", ev->peer);
        talk_close(n, ev->peer);
        talk_news(n);
        break;
    }
    buf_close(&ev->bytes);
}

static void wake_node(struct node *n)
{
    struct sim *s = n->sim;

    if (n->agent_ms <= s->now_ms)
        node_agent_start(n);
    if (n->app_ms <= s->now_ms)
        node_app_start(n);
    for (uint32_t peer = 0; peer < s->options.nodes; peer++)
        if (n->talks[peer].open && n->talks[peer].deadline_ms <= s->now_ms)
            talk_timeout(n, peer);
    if (n->store != NULL && n->pump_ms <= s->now_ms)
        node_pump(n);
}

void sim_advance(struct sim *s, uint64_t ms)
{
    uint64_t until = s->now_ms + ms;

    while (sim_ok(s)) {
        uint64_t next = next_ms(s);
        struct net_event ev;

        if (next > until)
            break;
        if (next > s->now_ms)
            set_time(s, next);
        ev = net_take(&s->net, s->now_ms);
        if (ev.kind != NET_NOTHING) {
            tell_net_event(s, &ev);
            continue;
        }
        for (uint32_t i = 0; i < s->options.nodes && sim_ok(s); i++)
            wake_node(&s->nodes[i]);
    }
    set_time(s, until);
}

/* ---- the network ---- */

void sim_cut(struct sim *s, uint32_t a, uint32_t b)
{
    sim_trace(s, NULL, "cut %u - %u", a, b);
    net_cut(&s->net, a, b);
}

void sim_cut_all(struct sim *s, uint32_t node)
{
    for (uint32_t i = 0; i < s->options.nodes; i++)
        if (i != node)
            sim_cut(s, node, i);
}

void sim_heal(struct sim *s, uint32_t a, uint32_t b)
{
    sim_trace(s, NULL, "heal %u - %u", a, b);
    net_heal(&s->net, a, b, s->now_ms);
}

void sim_heal_all(struct sim *s)
{
    for (uint32_t a = 0; a < s->options.nodes; a++)
        for (uint32_t b = a + 1; b < s->options.nodes; b++)
            sim_heal(s, a, b);
}

/* ---- quiet ---- */

static bool vectors_equal(const struct vector *a, const struct vector *b)
{
    return vector_covers(a, b) && vector_covers(b, a);
}

/* Everybody has everything, has applied it, and nothing waits. */
/* The same numbers, of the same chains: one may have gone on in two ways. */
static bool histories_equal(const struct vector *a, const struct vector *b)
{
    if (!vectors_equal(a, b))
        return false;
    for (uint32_t i = 0; i < a->n; i++) {
        const struct vector_entry *other = vector_find(b, &a->entries[i].actor);

        if (other != NULL && memcmp(other->hash, a->entries[i].hash, HASH_BYTES) != 0)
            return false;
    }
    return true;
}

static bool is_quiet(struct sim *s)
{
    for (uint32_t i = 0; i < s->options.nodes; i++) {
        const struct node *n = &s->nodes[i];

        if (n->store == NULL || n->app.db == NULL ||
            !histories_equal(store_have(n->store), store_have(s->nodes[0].store)) ||
            !vectors_equal(store_have(n->store), store_applied(n->store)))
            return false;
    }
    for (uint32_t i = 0; i < s->options.nodes; i++)
        if (!node_settled(&s->nodes[i]))
            return false;
    return true;
}

static void tell_noise(struct sim *s, uint64_t ms)
{
    struct store_status st;
    struct err e = {0};

    sim_fail(s, "not quiet after %llu ms", (unsigned long long)ms);
    for (uint32_t i = 0; i < s->options.nodes; i++) {
        const struct node *n = &s->nodes[i];

        fprintf(stderr, "PC %u: agent %s, application %s", i, n->store != NULL ? "runs" : "down",
                n->app.db != NULL ? "runs" : "down");
        if (n->store != NULL && store_status(n->store, &st, &e))
            fprintf(stderr, ", %lld marks, %lld staged, %lld parked, %lld unscanned,%s%s %s",
                    (long long)st.marks, (long long)st.staged, (long long)st.parked,
                    (long long)st.unscanned, n->again ? " comes again," : "",
                    store_owes(n->store) ? " owes," : "", st.trouble);
        fprintf(stderr, "\n");
        for (uint32_t a = 0; n->store != NULL && a < store_have(n->store)->n; a++) {
            const struct vector_entry *have = &store_have(n->store)->entries[a];

            fprintf(stderr, "  actor %02x%02x: has %llu, applied %llu\n", have->actor.bytes[0],
                    have->actor.bytes[1], (unsigned long long)have->number,
                    (unsigned long long)vector_get(store_applied(n->store), &have->actor));
        }
    }
}

void sim_run_until_quiet(struct sim *s, uint64_t ms)
{
    uint64_t until = s->now_ms + ms;
    struct vector have = {0};

    while (sim_ok(s) && !is_quiet(s)) {
        if (s->now_ms >= until) {
            tell_noise(s, ms);
            return;
        }
        sim_advance(s, LOOK_MS);
    }
    if (!sim_ok(s))
        return;
    sim_trace(s, NULL, "quiet");
    vector_copy(&have, store_have(s->nodes[0].store));
    sim_advance(s, AFTER_MS);
    if (sim_ok(s) && (!is_quiet(s) || !vectors_equal(&have, store_have(s->nodes[0].store))))
        sim_fail(s, "an echo: change-sets came although nobody wrote");
    vector_close(&have);
}

/* ---- looking at files ---- */

/* What differs between the files of PC 0 and another one; NULL: nothing. Free with free. */
static char *differ_from_first(struct sim *s, uint32_t node)
{
    bool last = node + 1 == s->options.nodes;
    struct view a = {0}, b = {0};
    char *differ;

    view_copy(&a, &s->nodes[0].app.now);
    view_copy(&b, &s->nodes[node].app.now);
    oracle_blank(&s->oracle, &a);
    oracle_blank(&s->oracle, &b);
    differ = view_differ(&a, &b, &s->shape, &s->words, last);
    view_close(&a);
    view_close(&b);
    return differ;
}

void sim_check_same(struct sim *s)
{
    struct err e = {0};

    for (uint32_t i = 0; i < s->options.nodes && sim_ok(s); i++) {
        char *sound = sim_text(s, i, SOUND);
        char *differ;

        sim_check_node(s, i);
        if (sim_ok(s) && strcmp(sound, "ok") != 0 && sound[0] != '\0')
            sim_fail(s, "PC %u: integrity_check: %s", i, sound);
        free(sound);
        differ = differ_from_first(s, i);
        if (sim_ok(s) && differ != NULL) {
            sim_fail(s, "PC 0 and PC %u differ: %s", i, differ);
            for (uint32_t r = 0; r < s->oracle.row_n; r++) {
                uint32_t told = s->oracle.rows[r].name;
                const char *name = words_text(&s->words, told == UINT32_MAX ? WORD_NULL : told);

                if (strncmp(name, differ, strlen(name)) == 0 &&
                    strchr(" .", differ[strlen(name)]) != NULL)
                    oracle_tell(&s->oracle, s->oracle.rows[r].name);
            }
        }
        free(differ);
    }
    if (sim_ok(s) && !oracle_judge(&s->oracle, &s->nodes[0].app.now, &e))
        sim_fail(s, "%s", e.text);
}

void sim_sql(struct sim *s, uint32_t node, const char *format, ...)
{
    struct node *n = &s->nodes[node];
    struct err e = {0};
    va_list arguments;
    char *sql;

    va_start(arguments, format);
    sql = sqlite3_vmprintf(format, arguments);
    va_end(arguments);
    if (sim_ok(s)) {
        assert(n->app.db != NULL);
        n->tick = ++s->tick;
        if (app_begin(&n->app, &e) && oracle_observe(&s->oracle, node, &n->app.before, &e) &&
            app_run(&n->app, &e, "%s", sql) && app_commit(&n->app, n->tick, &e))
            oracle_commit(&s->oracle, node, &n->app, clocks_fair_ms(n));
        else if (!node_reap(n))
            sim_fail_err(s, n, "SQL", &e);
        node_poke(n);
        n->tick = 0;
    }
    sqlite3_free(sql);
}

char *sim_text(struct sim *s, uint32_t node, const char *sql)
{
    sqlite3_stmt *q = NULL;
    sqlite3 *db = s->nodes[node].app.db;
    const char *text = "";
    char *copy;

    if (!sim_ok(s) || db == NULL)
        return mem_text("");
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
        sim_fail(s, "PC %u: %s in %s", node, sqlite3_errmsg(db), sql);
    else if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_text(q, 0) != NULL)
        text = (const char *)sqlite3_column_text(q, 0);
    copy = mem_text(text);
    sqlite3_finalize(q);
    return copy;
}

/* ---- change-sets without a network ---- */

static void give(struct node *to, struct slice one)
{
    struct stage_item item = {.changeset = one, .by_hand = true};
    struct err *e = &item.e;

    if (!sim_ok(to->sim) || to->store == NULL)
        return;
    store_stage_all(to->store, &item, 1);
    if (!item.ok && !node_reap(to) && e->code != ERR_GAP &&
        !(to->sim->options.forks && (e->code == ERR_CRYPTO || e->code == ERR_BUSY)))
        sim_fail_err(to->sim, to, "stage", e);
    to->news |= item.result != STAGE_KNOWN;
    node_poke(to);
    node_reap(to);
}

/* All that `from` has of `actor` after `after`, given to `to` one by one: in order, or (`r`) in
 * any, some of them twice. */
static void carry_actor(struct node *from, struct node *to, const struct actor *actor,
                        uint64_t after, struct rng *r)
{
    struct slice left, items[CARRIED_MAX];
    struct buf out = {0};
    struct err e = {0};
    uint32_t n = 0;

    buf_open(&out, CHANGESET_BYTES_MAX + FETCH_BYTES);
    if (!store_fetch(from->store, actor, after, FETCH_BYTES, &out, &e))
        sim_fail_err(from->sim, from, "fetch", &e);
    left = buf_slice(&out);
    while (n < CARRIED_MAX && store_fetch_next(&left, &items[n], &e))
        n++;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t other = r == NULL ? i : i + rng_below(r, n - i);
        struct slice one = items[other];

        items[other] = items[i];
        items[i] = one;
        give(to, one);
        if (r != NULL && rng_chance(r, 30))
            give(to, items[rng_below(r, i + 1)]);
    }
    buf_close(&out);
}

void sim_carry(struct sim *s, uint32_t from, uint32_t to)
{
    struct node *a = &s->nodes[from], *b = &s->nodes[to];

    for (uint32_t i = 0; sim_ok(s) && a->store != NULL && i < store_have(a->store)->n; i++) {
        struct vector_entry at = store_have(a->store)->entries[i];
        uint64_t last = 0;

        while (sim_ok(s) && b->store != NULL &&
               vector_get(store_have(b->store), &at.actor) > last) {
            last = vector_get(store_have(b->store), &at.actor);
            carry_actor(a, b, &at.actor, last, NULL);
        }
        if (b->store != NULL && last == 0)
            carry_actor(a, b, &at.actor, 0, NULL);
    }
    talk_news(b);
}

void sim_carry_any(struct sim *s, uint32_t from, uint32_t to, struct rng *r)
{
    struct node *a = &s->nodes[from], *b = &s->nodes[to];
    struct rng order = {s->options.seed + s->now_ms};
    const struct vector_entry *at;
    uint64_t after;

    if (!sim_ok(s) || a->store == NULL || b->store == NULL || store_have(a->store)->n == 0)
        return;
    at = &store_have(a->store)->entries[rng_below(r, store_have(a->store)->n)];
    sim_trace(s, b, "gets change-sets of %u by hand", from);
    after = rng_below(r, (uint32_t)at->number);
    carry_actor(a, b, &at->actor, after, rng_chance(&order, 50) ? &order : NULL);
    talk_news(b);
}
