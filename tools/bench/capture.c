/* Capture: the same statements on a tracked and on an untracked file. */
#include "bench.h"

#include <sqlite3.h>

#define PER_TRANSACTION 1000
#define BLOCK           50 /* one-row transactions before the other side has its turn */

enum { UNTRACKED, TRACKED, LEAST, SIDES };

/* The least that a trigger can do and still tell which row changed: one row with the key. No
 * capture by triggers gets below it. */
static const char least[] = "CREATE TABLE mark(id INTEGER PRIMARY KEY, k);"
                            "CREATE TRIGGER mark_insert AFTER INSERT ON item BEGIN"
                            " INSERT INTO mark(k) VALUES (NEW.id); END;"
                            "CREATE TRIGGER mark_update AFTER UPDATE ON item BEGIN"
                            " INSERT INTO mark(k) VALUES (NEW.id); END;";

/* A new file. TRACKED: our triggers are in it, as after `agent-cli track`, and nobody drains. */
static sqlite3 *fresh(struct bench *b, int side, bool full)
{
    static const char *const names[] = {"untracked", "tracked", "least"};
    struct site site = {0};
    struct err e = {0};
    char path[1024];
    sqlite3 *db;

    table_create(b, names[side], path);
    if (side == TRACKED) {
        site_open(&site, b, "capture", path, NULL);
        must(store_track(site.store, NULL, 0, &e), &e, "track");
        site_close(&site);
    }
    db = table_open(path, full);
    if (side == LEAST)
        sql_run(db, least);
    return db;
}

static void bulk(struct bench *b)
{
    static void (*const run[])(sqlite3 *, uint32_t, uint32_t,
                               uint32_t) = {table_insert, table_update, table_save};
    static const char *const names[] = {"capture bulk insert", "capture bulk update",
                                        "capture bulk save"};
    struct times t[COUNT_OF(run)][SIDES] = {0};

    for (uint32_t round = 0; round < b->rounds; round++) {
        for (uint32_t turn = 0; turn < SIDES; turn++) {
            uint32_t side = (round + turn) % SIDES;
            sqlite3 *db = fresh(b, (int)side, false);

            for (uint32_t i = 0; i < COUNT_OF(run); i++) {
                double start = now_s();

                run[i](db, 1, b->rows, PER_TRANSACTION);
                times_add(&t[i][side], now_s() - start);
            }
            sqlite3_close(db);
        }
    }
    for (uint32_t i = 0; i < COUNT_OF(run); i++)
        report(names[i], &t[i][TRACKED], &t[i][UNTRACKED], &t[i][LEAST], b->rows);
}

/* One-row transactions: blocks take turns, so that a slow second of the disk hits all. */
static void single(struct bench *b, const char *name, uint32_t n, bool full)
{
    struct times t[SIDES] = {0};
    uint32_t round, at, turn;

    for (round = 0; round < b->rounds; round++) {
        sqlite3 *db[SIDES];
        double spent[SIDES] = {0};

        for (turn = 0; turn < SIDES; turn++)
            db[turn] = fresh(b, (int)turn, full);
        for (at = 0; at < n; at += BLOCK) {
            for (turn = 0; turn < SIDES; turn++) {
                uint32_t side = (round + turn + at / BLOCK) % SIDES;
                double start = now_s();

                table_insert(db[side], at + 1, BLOCK, 1);
                spent[side] += now_s() - start;
            }
        }
        for (turn = 0; turn < SIDES; turn++) {
            times_add(&t[turn], spent[turn]);
            sqlite3_close(db[turn]);
        }
    }
    report(name, &t[TRACKED], &t[UNTRACKED], &t[LEAST], n);
}

void bench_capture(struct bench *b)
{
    bulk(b);
    single(b, "capture one row NORMAL", b->single, false);
    single(b, "capture one row FULL", b->single_full, true);
}
