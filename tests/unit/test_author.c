/* What one PC says, as change-sets that others take. */
#include "author.h"

#include "ruled.h"

#define COUNTERS                                                                                   \
    10 /* with all the totals that a cell can have: more than one row of a body takes */

static const char wide[] = "CREATE TABLE wide(id INTEGER PRIMARY KEY, c0 INTEGER, c1 INTEGER, c2 "
                           "INTEGER, c3 INTEGER, c4 INTEGER, c5 INTEGER, c6 INTEGER, c7 INTEGER, "
                           "c8 INTEGER, c9 INTEGER, tail TEXT);";

static void seal(struct author *a, struct store *s)
{
    struct err e = {0};

    check(author_seal(a, &e), &e);
    author_close(a);
    check(ledger_commit(&s->ledger, &e), &e);
}

static void begin(struct author *a, struct site *s, struct store_progress *p)
{
    struct err e = {0};

    check(ledger_begin(&s->store->ledger, false, &e), &e);
    author_begin(a, s->store, s->now_ms, p);
    author_open(a);
}

/* All counters of the row are written by somebody who has seen a thousand totals in each. */
static void write_counters(struct site *s, int64_t gid)
{
    static struct body_seen seen[CELL_TOTALS_MAX];
    struct body_counter counters[COUNTERS];
    struct value values[COUNTERS + 1];
    uint32_t columns[COUNTERS + 1];
    struct binding *b = &s->store->bindings[0];
    struct store_progress p = {0};
    struct author a = {0};

    for (uint32_t i = 0; i < CELL_TOTALS_MAX; i++)
        seen[i] = (struct body_seen){.actor = 1, .row = {1, i + 1000000}, .number = 1};
    for (uint32_t i = 0; i <= COUNTERS; i++) {
        columns[i] = i + 1;
        values[i] = (struct value){.type = VALUE_INT, .i = 100 + i};
        if (i < COUNTERS)
            counters[i] = (struct body_counter){.cell = i, .seen_n = CELL_TOTALS_MAX, .seen = seen};
    }
    values[COUNTERS] = (struct value){.type = VALUE_TEXT, .bytes = slice_text("end")};
    begin(&a, s, &p);
    author_write(&a, b,
                 &(struct body_row){.op = CHANGE_UPDATE,
                                    .gid = gid_unpack(gid),
                                    .stamp = hlc_stamp(s->now_ms, 0),
                                    .n = COUNTERS + 1,
                                    .columns = columns,
                                    .counter_n = COUNTERS,
                                    .counters = counters},
                 values);
    seal(&a, s->store);
    assert_int_equal(p.changesets, 1);
    assert_int_equal(p.rows, 2);
}

static void a_row_with_more_totals_than_one_takes_is_said_in_two(void **state)
{
    struct site a, b;
    char *gid;

    (void)state;
    open_pair(&a, &b, wide, wide);
    sql(&a, "INSERT INTO wide(id) VALUES (1)");
    exchange(&a, &b);
    close_store(&a);
    gid = ask_ledger(&a, "SELECT gid FROM row");
    open_store(&a);
    work(&a);
    tick(&a);
    write_counters(&a, strtoll(gid, NULL, 10));
    free(gid);
    carry(&a, &b);
    work(&b);
    expect(&b, "SELECT c0, c7, c8, c9, tail FROM wide", "100|107|108|109|end");
    assert_string_equal(status_of(&b).trouble, "");
    close_pair(&a, &b);
}

static void a_change_set_is_sealed_before_the_row_that_it_has_no_room_for(void **state)
{
    struct site s = {0};
    struct store_progress p = {0};
    struct author a = {0};

    (void)state;
    open_founder(&s, wide);
    begin(&a, &s, &p);
    assert_false(author_is_full(&a, CUT_ROWS_MAX));
    assert_true(author_is_full(&a, CUT_ROWS_MAX + 1));
    author_row(&a, &s.store->bindings[0], CHANGE_DELETE, gid_pack((struct gid){1, 7}), 5, NULL,
               NULL, 0);
    assert_false(author_is_full(&a, CUT_ROWS_MAX - 1));
    assert_true(author_is_full(&a, CUT_ROWS_MAX));
    seal(&a, s.store);
    close_site(&s);
}

static void nothing_is_sealed_where_nothing_was_said(void **state)
{
    struct site s = {0};
    struct store_progress p = {0};
    struct author a = {0};
    uint64_t before;

    (void)state;
    open_founder(&s, wide);
    before = made_by(&s);
    begin(&a, &s, &p);
    seal(&a, s.store);
    assert_int_equal(made_by(&s), before);
    assert_int_equal(p.changesets, 0);
    close_site(&s);
}

/* Each row of the file becomes a row of the change-set for each column that came, which nobody had
 * thought of when rows were counted. */
static void a_migration_that_says_more_rows_than_a_change_set_takes_is_said_in_two(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, "CREATE TABLE sale(id INTEGER PRIMARY KEY, total INTEGER);",
              "CREATE TABLE sale(id INTEGER PRIMARY KEY, total INTEGER);");
    sql(&a, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 34000)"
            "INSERT INTO sale SELECT i, i FROM n");
    work(&a);
    sql(&a, "ALTER TABLE sale ADD COLUMN a INTEGER DEFAULT 1");
    sql(&a, "ALTER TABLE sale ADD COLUMN b INTEGER DEFAULT 2");
    sql(&a, "ALTER TABLE sale ADD COLUMN c INTEGER DEFAULT 3");
    work(&a);
    assert_int_equal(status_of(&a).unscanned, 0);
    expect_ledger(&a, "SELECT count(*) > 2 FROM changeset", "1");
    close_pair(&a, &b);
}

static void a_change_set_that_would_grow_too_large_is_sealed_first(void **state)
{
    struct value large = {.type = VALUE_BLOB,
                          .bytes = {mem_alloc(VALUE_BYTES_MAX), VALUE_BYTES_MAX}};
    const uint32_t tail = COUNTERS + 1;
    struct store_progress p = {0};
    struct author a = {0};
    struct site s = {0};
    struct err e = {0};
    uint64_t first;

    (void)state;
    open_founder(&s, wide);
    begin(&a, &s, &p);
    first = a.number;
    for (uint32_t i = 0; i < 7; i++) {
        struct value v = large;

        check(author_room(&a, author_bytes(&v, NULL), &e), &e);
        assert_int_equal(a.number, first + i / 3); /* three of them have room together */
        author_row(&a, &s.store->bindings[0], CHANGE_UPDATE, gid_pack((struct gid){1, 1 + i}), 1,
                   &tail, &v, 1);
    }
    seal(&a, s.store);
    assert_int_equal(p.changesets, 3);
    assert_int_equal(p.rows, 7);
    free((void *)(uintptr_t)large.bytes.p);
    close_site(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_with_more_totals_than_one_takes_is_said_in_two),
        cmocka_unit_test(a_change_set_is_sealed_before_the_row_that_it_has_no_room_for),
        cmocka_unit_test(a_change_set_that_would_grow_too_large_is_sealed_first),
        cmocka_unit_test(nothing_is_sealed_where_nothing_was_said),
        cmocka_unit_test(a_migration_that_says_more_rows_than_a_change_set_takes_is_said_in_two),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
