/* Apply: 100,000 new rows from the bytes of their change-sets to commit, beside plain INSERTs of
 * the same rows. */
#include "bench.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

void site_open(struct site *s, const struct bench *b, const char *name, const char *database,
               struct site *founder)
{
    static uint32_t made;
    struct err e = {0};
    char home[1024], given[NAME_BYTES_MAX + 1];
    const uint8_t invite[8] = {0};

    snprintf(home, sizeof(home), "%s/%s-home-%u", b->directory, name, made++);
    if (mkdir(home, 0700) != 0) {
        perror(home);
        exit(1);
    }
    keys_generate(&s->keys);
    if (founder == NULL) {
        must(roster_create(&s->roster, "bench", name, &s->keys, &e), &e, "create a fleet");
    } else {
        must(roster_enrol(&founder->roster, s->keys.sign_public, s->keys.exchange_public, name,
                          invite, &founder->keys, given, &e),
             &e, "enrol");
        must(roster_load(&s->roster, buf_slice(&founder->roster.log), &e), &e, "load the roster");
    }
    must(store_open(&s->store,
                    &(struct store_options){.home = home,
                                            .database = database,
                                            .keys = &s->keys,
                                            .roster = &s->roster,
                                            .exclusive = true},
                    b->wall_ms, &e),
         &e, "open the store");
}

void site_close(struct site *s)
{
    store_close(s->store);
    roster_close(&s->roster);
    keys_wipe(&s->keys);
}

/* Everything the site has written, as change-sets. */
static void drain_all(struct site *s, struct bench *b, struct buf *out)
{
    struct store_progress p = {.more = true};
    struct err e = {0};

    while (p.more)
        must(store_drain(s->store, b->wall_ms, &p, &e), &e, "drain");
    must(store_fetch(s->store, store_actor(s->store), 0, SIZE_MAX, out, &e), &e, "fetch");
}

static double apply_seconds(struct site *s, struct bench *b, struct slice changesets)
{
    struct store_progress p = {.more = true};
    enum stage_result result;
    struct slice one;
    struct err e = {0};
    double start = now_s();

    while (store_fetch_next(&changesets, &one, &e))
        must(store_stage(s->store, one, &result, &e), &e, "stage");
    must(e.code == ERR_NONE, &e, "take the change-sets apart");
    while (p.more)
        must(store_apply(s->store, b->wall_ms, &p, &e), &e, "apply");
    return now_s() - start;
}

static double plain_seconds(struct bench *b)
{
    char path[1024];
    sqlite3 *db;
    double start;

    table_create(b, "plain", path);
    db = table_open(path, false);
    start = now_s();
    table_insert(db, 1, b->rows, b->rows);
    start = now_s() - start;
    sqlite3_close(db);
    return start;
}

static int64_t count_rows(const char *path)
{
    sqlite3 *db = table_open(path, false);
    sqlite3_stmt *s = NULL;
    int64_t n = -1;

    if (sqlite3_prepare_v2(db, "SELECT count(*) FROM item", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

void bench_apply(struct bench *b)
{
    struct times with = {0}, without = {0};
    struct site author = {0};
    struct buf changesets = {0};
    struct err e = {0};
    char path[1024];
    uint32_t round;
    sqlite3 *db;

    table_create(b, "author", path);
    site_open(&author, b, "author", path, NULL);
    must(store_track(author.store, NULL, 0, &e), &e, "track");
    db = table_open(path, false);
    table_insert(db, 1, b->rows, b->rows);
    sqlite3_close(db);
    buf_open(&changesets, SIZE_MAX / 2);
    drain_all(&author, b, &changesets);

    for (round = 0; round < b->rounds; round++) {
        struct site reader = {0};
        char name[32];

        snprintf(name, sizeof(name), "reader%u", round);
        table_create(b, name, path);
        site_open(&reader, b, name, path, &author);
        must(store_track(reader.store, NULL, 0, &e), &e, "track");
        must(store_match(reader.store, false, NULL, 0, b->wall_ms, &e), &e, "match");
        times_add(&with, apply_seconds(&reader, b, buf_slice(&changesets)));
        times_add(&without, plain_seconds(b));
        site_close(&reader);
        if (count_rows(path) != b->rows)
            must(err_set(&e, ERR_STORE, "%lld rows arrived", (long long)count_rows(path)), &e,
                 "count");
    }
    report("apply", &with, &without, NULL, b->rows);
    buf_close(&changesets);
    site_close(&author);
}
