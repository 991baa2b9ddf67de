/* The simulator's own disk: it must forget what was not synced, and nothing else, or it proves
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include <navette/err.h>

#include "disk.h"
#include "scenario.h"

#define STEPS_MAX 400
#define COMMITS   12

struct box {
    uint64_t wall_ms;
    struct disk *disk;
};

static void box_open(struct box *b, uint64_t seed)
{
    *b = (struct box){.wall_ms = 1750000000000};
    b->disk = disk_new("box", &b->wall_ms, (struct rng){seed});
}

static void box_close(struct box *b)
{
    disk_free(b->disk);
}

static sqlite3 *box_connect(struct box *b)
{
    sqlite3 *db = NULL;

    sqlite3_open_v2("/box/a.db", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                    disk_vfs(b->disk, PROCESS_APP));
    return db;
}

static int number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *q = NULL;
    int n = -1;

    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        n = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    return n;
}

/* Commits numbers 1, 2, 3... until something fails; returns the last that was said to be committed.
 */
static int write_numbers(sqlite3 *db, const char *mode, const char *synchronous)
{
    char sql[256];

    snprintf(sql, sizeof sql,
             "PRAGMA journal_mode = %s; PRAGMA synchronous = %s; PRAGMA wal_autocheckpoint = 9;"
             "CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, pad)",
             mode, synchronous);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return 0;
    for (int n = 1; n <= COMMITS; n++) {
        snprintf(sql, sizeof sql, "INSERT INTO t VALUES (%d, zeroblob(%d))", n, n * 700);
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
            return n - 1;
    }
    return COMMITS;
}

/* Dies at step `at`; true while there was such a step. `lost` counts commits that a power cut took.
 */
static bool survive(const char *mode, const char *synchronous, uint32_t at, enum survival survival,
                    int *lost)
{
    struct box b;
    sqlite3 *db;
    int said, found;
    bool died;

    box_open(&b, at);
    disk_arm(b.disk, PROCESS_APP, at, DEATH_POWER);
    db = box_connect(&b);
    said = write_numbers(db, mode, synchronous);
    died = disk_dead(b.disk, PROCESS_APP);
    sqlite3_close(db);
    disk_lose_power(b.disk, survival);
    disk_revive(b.disk, PROCESS_APP);
    db = box_connect(&b);
    assert_int_equal(number(db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
    found = number(db, "SELECT count(*) FROM t");
    if (found > 0)
        assert_int_equal(number(db, "SELECT max(n) FROM t"), found);
    if (found < said)
        *lost += said - (found < 0 ? 0 : found);
    sqlite3_close(db);
    box_close(&b);
    return died;
}

/* Returns how many commits were lost over all steps and ways to survive. */
static int survive_every_step(const char *mode, const char *synchronous)
{
    int lost = 0;

    for (int survival = 0; survival < SURVIVES_COUNT; survival++) {
        uint32_t at = 1;

        while (survive(mode, synchronous, at, (enum survival)survival, &lost))
            at++;
        assert_in_range(at, 10, STEPS_MAX);
    }
    return lost;
}

static void synced_commits_survive_a_power_cut_at_any_step(void **state)
{
    (void)state;
    assert_int_equal(survive_every_step("WAL", "FULL"), 0);
    assert_int_equal(survive_every_step("DELETE", "EXTRA"), 0);
}

static void commits_that_were_not_synced_can_be_lost_but_nothing_breaks(void **state)
{
    (void)state;
    assert_in_range(survive_every_step("WAL", "NORMAL"), 10, 1000000);
}

static void a_killed_process_loses_nothing_it_committed(void **state)
{
    (void)state;
    for (uint32_t at = 1;; at++) {
        struct box b;
        sqlite3 *db;
        int said;
        bool died;

        box_open(&b, at);
        disk_arm(b.disk, PROCESS_APP, at, DEATH_KILL);
        db = box_connect(&b);
        said = write_numbers(db, "WAL", "OFF");
        died = disk_dead(b.disk, PROCESS_APP);
        assert_false(disk_dead(b.disk, PROCESS_AGENT));
        sqlite3_close(db);
        disk_revive(b.disk, PROCESS_APP);
        db = box_connect(&b);
        assert_in_range(number(db, "SELECT count(*) FROM t") + 1, said, said + 2);
        sqlite3_close(db);
        box_close(&b);
        if (!died)
            break;
    }
}

static void the_time_is_the_simulated_one(void **state)
{
    struct box b;
    sqlite3 *db;

    (void)state;
    box_open(&b, 1);
    db = box_connect(&b);
    assert_int_equal(number(db, "SELECT round((julianday('now') - 2440587.5) * 86400)"),
                     1750000000);
    sqlite3_close(db);
    box_close(&b);
}

int scenario_disk_run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synced_commits_survive_a_power_cut_at_any_step),
        cmocka_unit_test(commits_that_were_not_synced_can_be_lost_but_nothing_breaks),
        cmocka_unit_test(a_killed_process_loses_nothing_it_committed),
        cmocka_unit_test(the_time_is_the_simulated_one),
    };

    return cmocka_run_group_tests_name("disk", tests, NULL, NULL);
}
