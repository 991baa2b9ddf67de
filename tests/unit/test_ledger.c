/* The ledger: what is durable when, what a rollback leaves, and the order of cells. Also of
 * ledger_kept.c, ledger_lasting.c, ledger_meta.c, ledger_order.c, ledger_rows.c. */
#include "ledger.h"
#include "ledger_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "ledger_kept.h"
#include "ledger_lasting.h"
#include "ledger_meta.h"
#include "sim/disk.h"
#include "library.h"

struct shelf {
    uint64_t ms;
    struct disk *disk;
    struct ledger l;
    struct err e;
};

static const uint8_t fleet[FLEET_ID_BYTES] = {1};
static const struct site_id site = {{7}};

#define must(shelf, call)                                                                          \
    do {                                                                                           \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, (shelf)->e.text);                                            \
    } while (0)

static void shelf_open(struct shelf *s)
{
    must(s, ledger_open(&s->l, "/shelf", disk_vfs(s->disk, PROCESS_AGENT), true, fleet, &site, true,
                        &s->e));
}

static int set_up(void **state)
{
    struct shelf *s = calloc(1, sizeof *s);

    s->disk = disk_new("shelf", &s->ms, (struct rng){3});
    shelf_open(s);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct shelf *s = *state;

    ledger_close(&s->l);
    disk_free(s->disk);
    free(s);
    return 0;
}

static void reopen(struct shelf *s)
{
    ledger_close(&s->l);
    shelf_open(s);
}

static void lose_power(struct shelf *s)
{
    ledger_close(&s->l); /* dead: what closing would write is refused */
    disk_lose_power(s->disk, SURVIVES_NOTHING);
    disk_revive(s->disk, PROCESS_AGENT);
    shelf_open(s);
}

static struct actor actor_of(uint8_t n)
{
    struct actor a;

    memset(a.bytes, n, sizeof a.bytes);
    return a;
}

static void put_row(struct shelf *s, int64_t gid, int64_t key)
{
    struct ledger_row row = {.gid = gid,
                             .table = 1,
                             .key = {.kind = KEY_INT, .i = key},
                             .present = true,
                             .rec = {(const uint8_t *)"\1\0\0\0", 4}};

    must(s, ledger_row_put(&s->l, &row, false, false, &s->e));
}

static bool has_row(struct shelf *s, int64_t gid)
{
    struct ledger_row row;
    bool found;

    must(s, ledger_row_get(&s->l, gid, &row, &found, &s->e));
    ledger_rest(&s->l);
    return found;
}

static void commit_row(struct shelf *s, bool lazy, int64_t gid)
{
    must(s, ledger_begin(&s->l, lazy, &s->e));
    put_row(s, gid, gid);
    must(s, ledger_commit(&s->l, &s->e));
}

/* ---- durable ---- */

static void a_commit_is_durable_and_a_lazy_one_with_the_next(void **state)
{
    struct shelf *s = *state;
    int64_t lazy = ledger_mint(&s->l, 0, 0), firm = ledger_mint(&s->l, 0, 0);

    commit_row(s, true, lazy);
    commit_row(s, false, firm);
    disk_arm(s->disk, PROCESS_AGENT, 1, DEATH_POWER);
    lose_power(s);
    assert_true(has_row(s, lazy));
    assert_true(has_row(s, firm));
}

static void a_lazy_commit_alone_can_be_lost(void **state)
{
    struct shelf *s = *state;
    int64_t lazy = ledger_mint(&s->l, 0, 0);

    commit_row(s, true, lazy);
    disk_arm(s->disk, PROCESS_AGENT, 1, DEATH_POWER);
    lose_power(s);
    assert_false(has_row(s, lazy));
}

/* Each time the ledger is opened, as well: a commit that changes nothing syncs nothing. */
/* Killed before the sync, its commit is there when the ledger is opened again: so it is believed.
 */
static void a_commit_that_is_seen_after_a_kill_survives_a_power_cut(void **state)
{
    struct shelf *s = *state;
    uint32_t seen = 0;
    bool died = true;

    for (uint32_t at = 1; died; at++) {
        int64_t gid = ledger_mint(&s->l, 0, 0);
        struct err e = {0};
        bool there;

        disk_arm(s->disk, PROCESS_AGENT, at, DEATH_KILL);
        must(s, ledger_begin(&s->l, false, &s->e));
        put_row(s, gid, gid);
        if (!ledger_commit(&s->l, &e))
            ledger_rollback(&s->l);
        died = disk_dead(s->disk, PROCESS_AGENT);
        ledger_close(&s->l);
        disk_revive(s->disk, PROCESS_AGENT);
        shelf_open(s);
        there = has_row(s, gid);
        seen += died && there;
        disk_arm(s->disk, PROCESS_AGENT, 1, DEATH_POWER);
        lose_power(s);
        assert_int_equal(has_row(s, gid), there);
    }
    assert_int_not_equal(seen, 0);
}

static void a_sync_makes_lazy_commits_durable_every_time(void **state)
{
    struct shelf *s = *state;

    for (int i = 0; i < 3; i++) {
        int64_t gid = ledger_mint(&s->l, 0, 0);

        commit_row(s, true, gid);
        s->l.unsynced = true;
        must(s, ledger_sync(&s->l, &s->e));
        assert_false(s->l.unsynced);
        disk_arm(s->disk, PROCESS_AGENT, 1, DEATH_POWER);
        lose_power(s);
        assert_true(has_row(s, gid));
        reopen(s);
    }
}

/* ---- gids ---- */

/* A ledger that went back does not know what it gave. So it follows from the mark, also while the
 * clock shows a year before anything was made. */
static void a_clock_that_is_years_behind_leads_to_other_gids_for_other_marks(void **state)
{
    struct shelf *s = *state;
    uint64_t years_behind = UINT64_C(1718463999990);
    int64_t gid = ledger_mint(&s->l, years_behind, 7);

    must(s, ledger_begin(&s->l, false, &s->e)); /* back to before it was given */
    s->l.gid_next = 1;
    assert_int_equal(ledger_mint(&s->l, years_behind, 7), gid);
    must(s, ledger_commit(&s->l, &s->e));
    must(s, ledger_begin(&s->l, false, &s->e));
    s->l.gid_next = 1;
    assert_int_not_equal(ledger_mint(&s->l, years_behind + 5, 7), gid);
    must(s, ledger_commit(&s->l, &s->e));
    must(s, ledger_begin(&s->l, false, &s->e));
    s->l.gid_next = 1;
    assert_int_not_equal(ledger_mint(&s->l, years_behind, 8), gid);
    must(s, ledger_commit(&s->l, &s->e));
}

/* Since the last time. */
static uint64_t statements_run(struct shelf *s)
{
    uint64_t n = 0;

    for (sqlite3_stmt *q = sqlite3_next_stmt(s->l.db, NULL); q != NULL;
         q = sqlite3_next_stmt(s->l.db, q))
        n += (uint64_t)sqlite3_stmt_status(q, SQLITE_STMTSTATUS_RUN, 1);
    return n;
}

/* One statement of the application has made more rows than one drain takes: all marks have its
 * time. To find what is free among these is a few look-ups for each row, however many there are. */
static void rows_of_one_moment_that_several_drains_take_get_gids_with_few_looks(void **state)
{
    enum { ROWS = 6000 };
    struct shelf *s = *state;
    uint64_t ms = UINT64_C(1795300000000);

    for (int64_t drain = 0; drain < 3; drain++) {
        must(s, ledger_begin(&s->l, false, &s->e));
        statements_run(s);
        for (int64_t i = 0; i < ROWS; i++)
            put_row(s, ledger_mint(&s->l, ms, drain * ROWS + i), drain * ROWS + i);
        assert_in_range(statements_run(s), ROWS, 8 * ROWS);
        must(s, ledger_commit(&s->l, &s->e));
    }
    assert_int_equal(s->l.live, 3 * ROWS);
}

/* ---- rolling back ---- */

struct facts {
    uint32_t actors, tables, columns, self;
    uint64_t staged, merged, applied, said, counter_max, gid_next, clock, have, applied_sum;
    int64_t cursor, batch, live, key_max;
    double cursor_time;
    int scan;
    bool matched, aliases;
    uint8_t token[18]; /* so that no byte of the struct is left out */
};

static struct facts facts_of(const struct ledger *l)
{
    const struct ledger_actor *a = &l->actors[0];
    struct facts f = {.actors = l->actor_count,
                      .tables = l->table_count,
                      .columns = l->tables[0].column_count,
                      .self = l->self,
                      .staged = a->staged,
                      .merged = a->merged,
                      .applied = a->applied,
                      .said = a->said,
                      .counter_max = a->counter_max,
                      .gid_next = l->gid_next,
                      .clock = hlc_save(&l->clock),
                      .have = l->have.n,
                      .applied_sum = l->applied.n,
                      .cursor = l->cursor,
                      .batch = l->batch,
                      .live = l->live,
                      .key_max = l->tables[0].key_max,
                      .cursor_time = l->cursor_time,
                      .scan = l->tables[0].scan,
                      .matched = l->matched,
                      .aliases = l->aliases};

    memcpy(f.token, l->token, sizeof l->token);
    return f;
}

/* Touches everything that a transaction can touch. */
static void change_all(struct shelf *s)
{
    struct ledger *l = &s->l;
    struct actor other = actor_of((uint8_t)(l->actor_count + 1));
    struct ledger_table *t;
    uint32_t id, position;
    char name[32];

    must(s, ledger_actor(l, &other, &id, &s->e));
    snprintf(name, sizeof name, "t%u", l->table_count);
    must(s, ledger_table(l, slice_text(name), &t, &s->e));
    t = &l->tables[0];
    snprintf(name, sizeof name, "c%u", t->column_count);
    must(s, ledger_column(l, t, slice_text(name), &position, &s->e));
    t->scan++;
    t->key_max += 10;
    must(s, ledger_table_save(l, t, &s->e));
    put_row(s, ledger_mint(l, 0, 0), 5);
    put_row(s, gid_pack((struct gid){1, l->actors[0].counter_max + 10}), 6);
    must(s, ledger_alias(l, gid_pack((struct gid){1, l->actors[0].counter_max + 10}), 1, &s->e));
    l->actors[0].staged++;
    l->actors[0].merged++;
    l->actors[0].applied++;
    l->actors[0].said++;
    must(s, ledger_actor_save(l, 1, &s->e));
    must(s, ledger_reincarnate(l, &site, &s->e));
    hlc_tick(&l->clock, hlc_stamp_wall_ms(hlc_save(&l->clock)) + 5);
    l->cursor += 3;
    l->cursor_time += 0.5;
    l->batch++;
    l->token[0]++;
    l->matched = !l->matched;
}

static void a_rollback_leaves_memory_as_it_was(void **state)
{
    struct shelf *s = *state;
    struct facts before, after;
    struct ledger_table *t;

    must(s, ledger_begin(&s->l, false, &s->e));
    must(s, ledger_table(&s->l, slice_text("first"), &t, &s->e));
    must(s, ledger_commit(&s->l, &s->e));
    for (int round = 0; round < 2; round++) {
        before = facts_of(&s->l);
        must(s, ledger_begin(&s->l, false, &s->e));
        change_all(s);
        ledger_rollback(&s->l);
        after = facts_of(&s->l);
        assert_memory_equal(&before, &after, sizeof before);
        reopen(s);
        after = facts_of(&s->l);
        assert_memory_equal(&before, &after, sizeof before);
        must(s, ledger_begin(&s->l, false, &s->e));
        change_all(s); /* from here the second round starts */
        must(s, ledger_commit(&s->l, &s->e));
        before = facts_of(&s->l);
        reopen(s);
        after = facts_of(&s->l);
        assert_memory_equal(&before, &after, sizeof before);
    }
}

static void a_commit_that_fails_can_be_rolled_back_and_done_again(void **state)
{
    struct shelf *s = *state;
    int64_t gid = ledger_mint(&s->l, 0, 0);

    must(s, ledger_begin(&s->l, false, &s->e));
    put_row(s, gid, 1);
    disk_arm(s->disk, PROCESS_AGENT, 1, DEATH_KILL);
    assert_false(ledger_commit(&s->l, &s->e));
    err_clear(&s->e);
    ledger_rollback(&s->l);
    disk_revive(s->disk, PROCESS_AGENT);
    assert_false(has_row(s, gid));
    commit_row(s, false, gid);
    assert_true(has_row(s, gid));
    assert_int_equal(s->l.live, 1);
}

/* ---- the order of cells ---- */

static struct cell cell_of(uint64_t stamp, uint32_t actor, uint64_t number, struct value v)
{
    return (struct cell){
        .v = v, .clock = {.stamp = stamp, .actor = actor, .number = number}, .set = true};
}

/* One of the rows that one change-set wrote, and that are one. */
static struct cell cell_of_row(const struct gid *row, struct value v)
{
    struct cell c = cell_of(9, 2, 4, v);

    c.clock.row = gid_pack(*row);
    return c;
}

/* Sites merge in any order. One that puts the same cells in a circle would leave each with another
 * winner. */
static void of_any_cells_the_same_one_wins_in_whatever_order_they_are_met(void **state)
{
    struct shelf *s = *state;
    const struct value integer = {.type = VALUE_INT, .i = 4},
                       ref = {.type = VALUE_REF, .ref = {1, 5}},
                       other_ref = {.type = VALUE_REF, .ref = {2, 1}};
    const int64_t own = gid_pack((struct gid){2, 7});
    const struct cell cells[] = {
        cell_of(0, 1, 1, (struct value){.type = VALUE_INT, .i = 5}),
        cell_of(0, 1, 2, (struct value){.type = VALUE_INT, .i = 3}),
        cell_of(0, 2, 1, integer),
        cell_of(0, 3, 1, integer),
        cell_of(0, 1, 3, ref),
        cell_of(0, 2, 2, other_ref),
        cell_of(0, 2, 3, (struct value){.type = VALUE_NULL}),
        cell_of(0, 3, 2, (struct value){.type = VALUE_TEXT, .bytes = slice_text("4")}),
        cell_of(9, 1, 4, (struct value){.type = VALUE_NULL}),
        cell_of(9, 2, 4, integer),
        cell_of_row(&ref.ref, ref),
        cell_of_row(&other_ref.ref, integer),
        cell_of_row(&other_ref.ref, ref),
    };
    uint32_t id;

    must(s, ledger_begin(&s->l, false, &s->e));
    for (uint8_t n = 2; n <= 3; n++) {
        struct actor a = actor_of(n);

        must(s, ledger_actor(&s->l, &a, &id, &s->e));
    }
    must(s, ledger_commit(&s->l, &s->e));
    for (size_t a = 0; a < COUNT_OF(cells); a++)
        for (size_t b = 0; b < COUNT_OF(cells); b++) {
            int ab = ledger_cell_compare(&s->l, own, &cells[a], &cells[b]);

            assert_int_equal(ab, -ledger_cell_compare(&s->l, own, &cells[b], &cells[a]));
            assert_int_equal(ab == 0, a == b);
            for (size_t c = 0; c < COUNT_OF(cells) && ab < 0; c++)
                if (ledger_cell_compare(&s->l, own, &cells[b], &cells[c]) < 0)
                    assert_true(ledger_cell_compare(&s->l, own, &cells[a], &cells[c]) < 0);
        }
}

/* ---- queries that stay prepared ---- */

static void a_query_that_is_kept_is_prepared_once_and_forgets_what_was_bound(void **state)
{
    static const char sql[] = "SELECT ?1 IS NULL";
    struct shelf *s = *state;
    sqlite3_stmt *first = ledger_kept(&s->l, sql, &s->e), *second, *again;

    assert_non_null(first);
    sqlite3_bind_int64(first, 1, 5);
    assert_int_equal(sqlite3_step(first), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(first, 0), 0);
    second = ledger_kept(&s->l, sql, &s->e); /* the first is still out */
    assert_ptr_not_equal(second, first);
    ledger_done(&s->l, first);
    ledger_done(&s->l, second);
    again = ledger_kept(&s->l, sql, &s->e);
    assert_true(again == first || again == second);
    assert_int_equal(sqlite3_step(again), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(again, 0), 1);
    ledger_done(&s->l, again);
}

static void more_queries_than_are_kept_work_as_well(void **state)
{
    struct shelf *s = *state;

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 100; i++) {
            char sql[32];
            int64_t n = -1;

            snprintf(sql, sizeof sql, "SELECT %d", i);
            must(s, ledger_number(&s->l, sql, &n, &s->e));
            assert_int_equal(n, i);
        }
    }
}

static void a_large_log_is_put_away_when_there_is_time_and_not_by_the_commit(void **state)
{
    struct shelf *s = *state;
    struct buf bytes;

    buf_open(&bytes, VALUE_BYTES_MAX);
    memset(buf_extend(&bytes, VALUE_BYTES_MAX), 'x', VALUE_BYTES_MAX);
    assert_false(ledger_shrink(&s->l));
    must(s, ledger_begin(&s->l, true, &s->e));
    for (int i = 0; i < 3; i++) {
        struct value v = {.type = VALUE_BLOB, .bytes = buf_slice(&bytes)};
        char name[12];

        snprintf(name, sizeof name, "%d", i);
        must(s, ledger_meta_set(&s->l, name, &v, &s->e));
    }
    assert_false(ledger_shrink(&s->l)); /* not while something is being written */
    must(s, ledger_commit(&s->l, &s->e));
    for (int part = 0; part < 3; part++) /* synced, copied, and the copy synced */
        assert_true(ledger_shrink(&s->l));
    assert_false(ledger_shrink(&s->l));
    must(s, ledger_begin(&s->l, true, &s->e) &&
                ledger_meta_set(&s->l, "small", &(struct value){.type = VALUE_INT}, &s->e) &&
                ledger_commit(&s->l, &s->e));
    assert_false(ledger_shrink(&s->l)); /* that one began at the front */
    buf_close(&bytes);
}

/* Who writes next begins it at the front: what was copied from there must be on the disk by then.
 */
static void a_log_that_is_being_put_away_survives_a_power_cut_in_every_part(void **state)
{
    struct shelf *s = *state;
    uint8_t much[9000];
    struct value v = {.type = VALUE_BLOB, .bytes = {much, sizeof much}}, kept;

    for (int parts = 0; parts <= 3; parts++)
        for (int writes = 0; writes < 3; writes++) {
            struct buf room;

            memset(much, 1 + parts * 3 + writes, sizeof much);
            must(s, ledger_begin(&s->l, false, &s->e) &&
                        ledger_meta_set(&s->l, "much", &v, &s->e) && ledger_commit(&s->l, &s->e));
            s->l.swollen = true;
            for (int part = 0; part < parts; part++)
                assert_true(ledger_shrink(&s->l));
            if (writes == 2)
                reopen(s);
            else if (writes == 1)
                must(s, ledger_begin(&s->l, false, &s->e) &&
                            ledger_meta_set(&s->l, "next", &v, &s->e) &&
                            ledger_commit(&s->l, &s->e));
            disk_arm(s->disk, PROCESS_AGENT, 1, DEATH_POWER);
            lose_power(s);
            buf_open(&room, 2 * sizeof much);
            must(s, ledger_meta_get(&s->l, "much", &kept, &room, &s->e));
            assert_int_equal(kept.bytes.n, sizeof much);
            assert_memory_equal(kept.bytes.p, much, sizeof much);
            buf_close(&room);
            reopen(s);
        }
}

/* Somebody who writes all the time: then it is put away at once. */
static void a_log_is_put_away_although_somebody_writes_between_the_parts(void **state)
{
    struct shelf *s = *state;
    struct value v = {.type = VALUE_INT};

    s->l.swollen = true;
    for (int part = 0; part < 2; part++) {
        assert_true(ledger_shrink(&s->l));
        assert_int_equal(s->l.copied, part);
        s->l.swollen = true;
        must(s, ledger_begin(&s->l, false, &s->e) && ledger_meta_set(&s->l, "x", &v, &s->e) &&
                    ledger_commit(&s->l, &s->e));
        s->l.swollen = part == 0;
    }
    assert_false(ledger_shrink(&s->l));
}

/* What the disk did not take is copied again from the log when the ledger is opened anew; until
 * then nobody writes into it. */
static void a_copy_that_the_disk_did_not_take_ends_all_writing_and_keeps_the_log(void **state)
{
    struct shelf *s = *state;
    struct value v = {.type = VALUE_INT, .i = 7};
    struct buf room;

    must(s, ledger_begin(&s->l, false, &s->e) && ledger_meta_set(&s->l, "kept", &v, &s->e) &&
                ledger_commit(&s->l, &s->e));
    s->l.swollen = true;
    for (int part = 0; part < 2; part++)
        assert_true(ledger_shrink(&s->l));
    s->l.torn = true; /* as a sync that failed leaves it */
    assert_true(ledger_shrink(&s->l));
    assert_false(ledger_shrink(&s->l));
    assert_false(ledger_begin(&s->l, false, &s->e));
    assert_int_equal(s->e.code, ERR_STORE);
    err_clear(&s->e);
    ledger_close(&s->l);
    assert_true(disk_has(s->disk, "/shelf/ledger.db-wal"));
    disk_lose_power(s->disk, SURVIVES_NOTHING);
    disk_revive(s->disk, PROCESS_AGENT);
    shelf_open(s);
    buf_open(&room, 64);
    must(s, ledger_meta_get(&s->l, "kept", &v, &room, &s->e));
    assert_int_equal(v.i, 7);
    buf_close(&room);
    must(s, ledger_begin(&s->l, false, &s->e) && ledger_commit(&s->l, &s->e));
}

/* What was known when the file went back, and whose the file was, says nothing in another fleet. */
static void in_another_fleet_nothing_is_left_of_what_the_file_was(void **state)
{
    static const uint8_t other_fleet[FLEET_ID_BYTES] = {2};
    struct shelf *s = *state;
    struct value v = {.type = VALUE_INT, .i = 7};
    struct buf room;

    must(s, ledger_begin(&s->l, false, &s->e) && ledger_meta_set(&s->l, "known", &v, &s->e));
    s->l.foreign = true;
    must(s, ledger_commit(&s->l, &s->e));
    ledger_close(&s->l);
    shelf_open(s);
    assert_true(s->l.foreign);
    ledger_close(&s->l);
    must(s, ledger_open(&s->l, "/shelf", disk_vfs(s->disk, PROCESS_AGENT), true, other_fleet, &site,
                        false, &s->e));
    buf_open(&room, 64);
    must(s, ledger_meta_get(&s->l, "known", &v, &room, &s->e));
    assert_int_equal(v.type, VALUE_NULL);
    assert_false(s->l.foreign);
    buf_close(&room);
}

static int refuse_to_sync_again(void *arg, int action, const char *name, const char *to,
                                const char *db, const char *trigger)
{
    (void)arg;
    (void)db;
    (void)trigger;
    return action == SQLITE_PRAGMA && to != NULL && strcmp(name, "synchronous") == 0 &&
                   strcmp(to, "OFF") != 0
               ? SQLITE_DENY
               : SQLITE_OK;
}

/* A copy is made without syncing. What is committed after it must not be lost by a power cut. */
static void a_ledger_that_does_not_sync_again_after_a_copy_takes_no_more(void **state)
{
    struct shelf *s = *state;
    struct value v = {.type = VALUE_INT, .i = 7};

    must(s, ledger_begin(&s->l, false, &s->e) && ledger_meta_set(&s->l, "kept", &v, &s->e) &&
                ledger_commit(&s->l, &s->e));
    s->l.swollen = true;
    assert_true(ledger_shrink(&s->l));
    sqlite3_set_authorizer(s->l.db, refuse_to_sync_again, NULL);
    assert_true(ledger_shrink(&s->l));
    sqlite3_set_authorizer(s->l.db, NULL, NULL);
    assert_false(ledger_begin(&s->l, false, &s->e));
    assert_int_equal(s->e.code, ERR_STORE);
    err_clear(&s->e);
    ledger_close(&s->l);
    assert_true(disk_has(s->disk, "/shelf/ledger.db-wal"));
    shelf_open(s);
    must(s, ledger_begin(&s->l, false, &s->e) && ledger_commit(&s->l, &s->e));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_commit_is_durable_and_a_lazy_one_with_the_next, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_lazy_commit_alone_can_be_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_commit_that_is_seen_after_a_kill_survives_a_power_cut,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sync_makes_lazy_commits_durable_every_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_clock_that_is_years_behind_leads_to_other_gids_for_other_marks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            rows_of_one_moment_that_several_drains_take_get_gids_with_few_looks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_rollback_leaves_memory_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_commit_that_fails_can_be_rolled_back_and_done_again,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            of_any_cells_the_same_one_wins_in_whatever_order_they_are_met, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_query_that_is_kept_is_prepared_once_and_forgets_what_was_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_large_log_is_put_away_when_there_is_time_and_not_by_the_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_log_that_is_being_put_away_survives_a_power_cut_in_every_part, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_log_is_put_away_although_somebody_writes_between_the_parts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_copy_that_the_disk_did_not_take_ends_all_writing_and_keeps_the_log, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            a_ledger_that_does_not_sync_again_after_a_copy_takes_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(in_another_fleet_nothing_is_left_of_what_the_file_was,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_queries_than_are_kept_work_as_well, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
