/* A member that means harm and inserts another PC's row once more, under a name that is not its
 * own. Of merge.c and unite.c. */
#include "unit/sites.h"

#include <navette/body.h>
#include <navette/changeset.h>
#include <navette/hlc.h>

static const char schema[] =
    "CREATE TABLE place(article TEXT, shelf TEXT, n INTEGER, PRIMARY KEY(article, shelf))";
static const char places[] = "SELECT article, shelf, n FROM place ORDER BY 1, 2";

/* The only row that `of` has made. */
static struct gid only_gid(struct site *of)
{
    struct gid g = {0};
    char *counter;

    close_store(of);
    counter = ask_ledger(of, "SELECT gid & ((1 << 50) - 1) FROM row");
    open_store(of);
    g.counter = strtoull(counter, NULL, 10);
    free(counter);
    return g;
}

/* What an actor that `by` makes up says of a row of this one: that it is `values`. */
static void forge(struct site *by, const struct actor *of, struct gid gid, struct value values[3],
                  struct buf *out)
{
    const struct slice columns[] = {slice_text("article"), slice_text("shelf"), slice_text("n")};
    struct changeset_header h = {.number = 1, .stamp = hlc_stamp(by->now_ms, 0)};
    uint8_t hash[HASH_BYTES];
    struct body_writer body;
    struct err e = {0};
    struct buf bytes;

    memcpy(h.actor.bytes, by->keys.site.bytes, sizeof by->keys.site.bytes);
    h.actor.bytes[ACTOR_BYTES - 1] = 1;
    memcpy(h.fleet, by->roster.fleet, sizeof h.fleet);
    body_open(&body);
    gid.actor = body_actor(&body, of);
    body_table(&body, slice_text("place"), columns, 3, 2, false);
    body_row(&body, CHANGE_INSERT, gid, h.stamp, NULL, values, 3);
    buf_open(&bytes, BODY_BYTES_MAX);
    check(body_finish(&body, &bytes, &e) &&
              changeset_seal(&h, 1, buf_slice(&bytes), &by->keys, out, hash, &e),
          &e);
    body_close(&body);
    buf_close(&bytes);
    changeset_header_close(&h);
}

/* It stays under its name, and the other name is free for a row of its own. */
static void a_row_that_a_member_inserts_under_a_second_name_keeps_its_own(void **state)
{
    struct value values[] = {{.type = VALUE_TEXT, .bytes = slice_text("rice")},
                             {.type = VALUE_TEXT, .bytes = slice_text("attic")},
                             {.type = VALUE_INT, .i = 9}};
    enum stage_result result;
    struct buf lie = {0};
    struct err e = {0};
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO place VALUES ('tea', 'cellar', 1)");
    exchange(&a, &b);
    later();
    tick(&b);
    forge(&b, store_actor(a.store), only_gid(&a), values, &lie);
    check(store_stage(a.store, buf_slice(&lie), &result, &e), &e);
    work(&a);
    expect(&a, places, "tea|cellar|9");
    sql(&b, "INSERT INTO place VALUES ('rice', 'attic', 5)");
    exchange(&a, &b);
    expect(&a, places, "rice|attic|5 tea|cellar|9");
    expect_same(&a, &b, places);
    buf_close(&lie);
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_that_a_member_inserts_under_a_second_name_keeps_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
