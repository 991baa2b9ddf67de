/* Adopt: what a joiner with a copy of 100,000 rows is sent in outline, beside all of them; and how
 * long it takes to make the change-sets whole from its own file. */
#include "bench.h"

#include <navette/rebuild.h>
#include <sqlite3.h>
#include <stdio.h>

struct cost {
    size_t whole, told; /* bytes of change-sets, and of what was sent in their place */
    double seconds;
};

static void answer(struct site *from, struct store_rebuild *r, const struct rebuild_ask *ask,
                   const struct changeset_header *h, struct cost *cost)
{
    struct err e = {0};
    struct buf bytes;

    buf_open(&bytes, BODY_BYTES_MAX);
    must(store_answer(from->store, &h->actor, h->number, (enum outline_ask)ask->what, ask->picks,
                      &bytes, &e),
         &e, "answer");
    must(store_rebuild_tell(r, buf_slice(&bytes), &e), &e, "take an answer");
    cost->told += ask->picks.n + bytes.n;
    buf_close(&bytes);
}

static void rebuild(struct site *from, struct site *to, struct slice one, struct cost *cost)
{
    struct changeset c;
    struct changeset_header h = {0};
    struct store_rebuild *r;
    struct rebuild_ask ask = {.what = 1};
    struct slice whole = {0};
    struct buf outline;
    struct err e = {0};

    buf_open(&outline, BODY_BYTES_MAX);
    must(changeset_split(&c, one, &e) && changeset_header_read(&h, c.header, &e) &&
             outline_write(&outline, c.body, &e),
         &e, "outline");
    cost->whole += one.n;
    cost->told += c.header.n + SIGNATURE_BYTES + outline.n;
    must(store_rebuild_open(to->store, c.header, c.signature, buf_slice(&outline), &r, &e), &e,
         "take an outline");
    while (ask.what != 0) {
        must(store_rebuild_next(r, &ask, &whole, &e), &e, "rebuild");
        if (ask.what != 0)
            answer(from, r, &ask, &h, cost);
    }
    must(slice_equal(whole, one) || err_set(&e, ERR_STORE, "it is another one"), &e, "rebuild");
    store_rebuild_close(r);
    changeset_header_close(&h);
    buf_close(&outline);
}

/* A joiner whose file holds the founder's rows, with this done to them since. */
static struct cost join(struct bench *b, struct site *founder, struct slice log, const char *name,
                        const char *edit)
{
    char path[1024];
    struct cost cost = {0};
    struct slice one;
    struct err e = {0};
    struct site s = {0};
    sqlite3 *db;

    table_create(b, name, path);
    db = table_open(path, false);
    table_insert(db, 1, b->rows, b->rows);
    sql_run(db, edit);
    sqlite3_close(db);
    site_open(&s, b, name, path, founder);
    must(store_track(s.store, NULL, 0, &e), &e, "track");
    cost.seconds = now_s();
    while (store_fetch_next(&log, &one, &e)) {
        enum stage_result result;

        rebuild(founder, &s, one, &cost);
        must(store_stage(s.store, one, &result, &e), &e, "stage");
    }
    cost.seconds = now_s() - cost.seconds;
    site_close(&s);
    return cost;
}

void bench_adopt(struct bench *b)
{
    char path[1024];
    struct cost copy, edited;
    struct store_progress p = {.more = true};
    struct err e = {0};
    struct site founder = {0};
    struct buf log;
    sqlite3 *db;

    table_create(b, "first", path);
    db = table_open(path, false);
    table_insert(db, 1, b->rows, b->rows);
    sqlite3_close(db);
    site_open(&founder, b, "first", path, NULL);
    must(store_track(founder.store, NULL, 0, &e), &e, "track");
    while (p.more)
        must(store_drain(founder.store, b->wall_ms, &p, &e), &e, "drain");
    buf_open(&log, SIZE_MAX / 2);
    must(store_fetch(founder.store, store_actor(founder.store), 0, SIZE_MAX, &log, &e), &e,
         "fetch");
    copy = join(b, &founder, buf_slice(&log), "copy", "SELECT 1");
    edited = join(b, &founder, buf_slice(&log), "edited",
                  "UPDATE item SET stock = stock + 1 WHERE id * 7919 % 100 = 7");
    printf("{\"name\": \"adopt\", \"whole\": %zu, \"copy\": %zu, \"edited\": %zu, "
           "\"copy_seconds\": %.3f, \"edited_seconds\": %.3f, \"rows\": %u}\n",
           copy.whole, copy.told, edited.told, copy.seconds, edited.seconds, b->rows);
    buf_close(&log);
    site_close(&founder);
}
