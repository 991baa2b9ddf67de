/* Capture: the same statements on a tracked and on an untracked file. */
#include "bench.h"

#include <sqlite3.h>

#define PER_TRANSACTION 1000
#define BLOCK           50 /* one-row transactions before the other side has its turn */

/* A new file; `tracked`: our triggers are in it, as after `agent-cli track`, and nobody drains. */
static sqlite3 *fresh(struct bench *b, bool tracked, bool full)
{
    struct site site = {0};
    struct err e = {0};
    char path[1024];

    table_create(b, tracked ? "tracked" : "untracked", path);
    if (tracked) {
        site_open(&site, b, "capture", path, NULL);
        must(store_track(site.store, NULL, 0, &e), &e, "track");
        site_close(&site);
    }
    return table_open(path, full);
}

static void bulk(struct bench *b)
{
    static void (*const run[])(sqlite3 *, uint32_t, uint32_t,
                               uint32_t) = {table_insert, table_update, table_save};
    static const char *const names[] = {"capture bulk insert", "capture bulk update",
                                        "capture bulk save"};
    struct times t[COUNT_OF(run)][2] = {0};

    for (uint32_t round = 0; round < b->rounds; round++) {
        for (uint32_t turn = 0; turn < 2; turn++) {
            uint32_t tracked = (round + turn) % 2;
            sqlite3 *db = fresh(b, tracked, false);

            for (uint32_t i = 0; i < COUNT_OF(run); i++) {
                double start = now_s();

                run[i](db, 1, b->rows, PER_TRANSACTION);
                times_add(&t[i][tracked], now_s() - start);
            }
            sqlite3_close(db);
        }
    }
    for (uint32_t i = 0; i < COUNT_OF(run); i++)
        report(names[i], &t[i][1], &t[i][0], b->rows);
}

/* One-row transactions: blocks take turns, so that a slow second of the disk hits both. */
static void single(struct bench *b, const char *name, uint32_t n, bool full)
{
    struct times t[2] = {0};
    uint32_t round, at, turn;

    for (round = 0; round < b->rounds; round++) {
        sqlite3 *db[2] = {fresh(b, false, full), fresh(b, true, full)};
        double spent[2] = {0};

        for (at = 0; at < n; at += BLOCK) {
            for (turn = 0; turn < 2; turn++) {
                uint32_t tracked = (round + turn + at / BLOCK) % 2;
                double start = now_s();

                table_insert(db[tracked], at + 1, BLOCK, 1);
                spent[tracked] += now_s() - start;
            }
        }
        for (turn = 0; turn < 2; turn++) {
            times_add(&t[turn], spent[turn]);
            sqlite3_close(db[turn]);
        }
    }
    report(name, &t[1], &t[0], n);
}

void bench_capture(struct bench *b)
{
    bulk(b);
    single(b, "capture one row NORMAL", b->single, false);
    single(b, "capture one row FULL", b->single_full, true);
}
