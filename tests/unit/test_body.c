#include <navette/body.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sample.h"

static void expect_insert(struct body_reader *b)
{
    assert_true(body_next_row(b));
    assert_int_equal(b->row.op, CHANGE_INSERT);
    assert_int_equal(b->row.gid.actor, 0);
    assert_int_equal(b->row.gid.counter, 1);
    assert_int_equal(b->row.stamp, SAMPLE_STAMP - 2);
    assert_int_equal(b->row.n, 5);
    assert_int_equal(b->row.columns[4], 4);
    assert_int_equal(b->row.values[0].i, 101);
    assert_int_equal(b->row.values[1].type, VALUE_TEXT);
    assert_true(b->row.values[2].r == 12.1);
    assert_int_equal(b->row.values[3].type, VALUE_BLOB);
    assert_int_equal(b->row.values[4].ref.actor, 1);
    assert_int_equal(b->row.values[4].ref.counter, 70000);
}

static void expect_update_and_delete(struct body_reader *b)
{
    assert_true(body_next_row(b));
    assert_int_equal(b->row.op, CHANGE_UPDATE);
    assert_int_equal(b->row.gid.actor, 1);
    assert_int_equal(b->row.gid.counter, GID_COUNTER_MAX - 1);
    assert_int_equal(b->row.n, 2);
    assert_int_equal(b->row.columns[0], 1);
    assert_int_equal(b->row.columns[1], 2);
    assert_int_equal(b->row.values[0].bytes.n, 3);
    assert_int_equal(b->row.values[1].i, -33);
    assert_true(body_next_row(b));
    assert_int_equal(b->row.op, CHANGE_DELETE);
    assert_int_equal(b->row.stamp, SAMPLE_STAMP);
    assert_int_equal(b->row.n, 0);
}

static void expect_repair_and_unite(struct body_reader *b)
{
    assert_true(body_next_row(b));
    assert_int_equal(b->row.op, CHANGE_REPAIR);
    assert_int_equal(b->row.stamp, SAMPLE_STAMP - 1);
    assert_int_equal(b->row.with.actor, 1);
    assert_int_equal(b->row.with.counter, 40);
    assert_int_equal(b->row.n, 1);
    assert_int_equal(b->row.columns[0], 1);
    assert_true(slice_equal(b->row.values[0].bytes, slice_text("#Caisse-Mangue")));
    assert_true(body_next_row(b));
    assert_int_equal(b->row.op, CHANGE_UNITE);
    assert_int_equal(b->row.gid.counter, 1);
    assert_int_equal(b->row.with.actor, 1);
    assert_int_equal(b->row.with.counter, 12);
    assert_int_equal(b->row.n, 0);
}

static void a_body_reads_back_as_it_was_written(void **state)
{
    struct buf body = {0};
    struct body_reader b;
    struct err e = {0};

    (void)state;
    sample_body(&body);
    body_read(&b, buf_slice(&body), SAMPLE_STAMP, &e);
    assert_int_equal(b.actor_count, 2);
    assert_int_equal(b.actors[1].bytes[0], 2);
    assert_true(body_next_table(&b));
    assert_true(slice_equal(b.table.name, slice_text("article")));
    assert_int_equal(b.table.columns, 5);
    assert_true(slice_equal(b.table.names[2], slice_text("price")));
    assert_int_equal(b.table.keys, 1);
    assert_true(b.table.surrogate);
    assert_int_equal(b.table.rows, 6);
    expect_insert(&b);
    assert_true(body_next_row(&b));
    assert_int_equal(b.row.values[0].i, INT64_MIN);
    assert_int_equal(b.row.values[4].type, VALUE_NULL);
    expect_update_and_delete(&b);
    expect_repair_and_unite(&b);
    assert_false(body_next_row(&b));
    assert_true(body_next_table(&b));
    assert_int_equal(b.table.keys, 2);
    assert_false(b.table.surrogate);
    assert_true(body_next_row(&b));
    assert_int_equal(b.row.stamp, 0);
    assert_false(body_next_row(&b));
    assert_false(body_next_table(&b));
    assert_int_equal(b.rows_total, SAMPLE_ROWS);
    assert_true(body_read_end(&b));
    body_read_close(&b);
    buf_close(&body);
}

static void rows_that_are_not_read_are_skipped(void **state)
{
    struct buf body = {0};
    struct body_reader b;
    struct err e = {0};

    (void)state;
    sample_body(&body);
    body_read(&b, buf_slice(&body), SAMPLE_STAMP, &e);
    assert_true(body_next_table(&b));
    assert_true(body_next_table(&b));
    assert_true(slice_equal(b.table.name, slice_text("stock")));
    assert_false(body_next_table(&b));
    assert_true(body_read_end(&b));
    body_read_close(&b);
    buf_close(&body);
}

static void a_body_read_half_is_not_read_to_its_end(void **state)
{
    struct buf body = {0};
    struct body_reader b;
    struct err e = {0};

    (void)state;
    sample_body(&body);
    body_read(&b, buf_slice(&body), SAMPLE_STAMP, &e);
    assert_true(body_next_table(&b));
    assert_true(body_next_row(&b));
    assert_false(body_read_end(&b));
    assert_int_equal(e.code, ERR_INPUT);
    body_read_close(&b);
    body_read_close(&b);
    buf_close(&body);
}

static void an_empty_body_is_three_bytes(void **state)
{
    struct buf body = {0};
    struct body_writer b;
    struct err e = {0};

    (void)state;
    body_open(&b);
    assert_true(body_finish(&b, &body, &e));
    assert_int_equal(body.n, 3);
    assert_true(body_check(buf_slice(&body), 0, 0, &e));
    body_close(&b);
    body_close(&b);
    buf_close(&body);
}

static void each_actor_has_one_index(void **state)
{
    struct body_writer b;

    (void)state;
    body_open(&b);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 300; i++) {
            struct actor a = {{0}};

            be32_write(a.bytes, i);
            a.bytes[ACTOR_BYTES - 1] = (uint8_t)(i % 5);
            assert_int_equal(body_actor(&b, &a), i);
        }
    }
    assert_int_equal(b.actor_count, 300);
    body_close(&b);
}

/* The size is what a drain closes its change-set by. */
static void the_size_so_far_is_an_upper_bound_close_to_the_truth(void **state)
{
    struct buf body = {0};
    const struct slice column = slice_text("k");
    struct actor us = sample_actor(1);
    struct body_writer b;
    struct err e = {0};

    (void)state;
    body_open(&b);
    body_actor(&b, &us);
    body_table(&b, slice_text("t"), &column, 1, 1, true);
    for (uint32_t i = 1; i <= 70000; i++)
        body_row(&b, CHANGE_DELETE, (struct gid){0, i}, 0, NULL, NULL, 0);
    assert_true(body_finish(&b, &body, &e));
    assert_true(body_size(&b) >= body.n);
    assert_true(body_size(&b) < body.n + 32);
    assert_true(body_check(buf_slice(&body), 0, 70000, &e));
    body_close(&b);
    buf_close(&body);
}

static void a_body_larger_than_the_limit_is_not_finished(void **state)
{
    struct slice column = slice_text("k");
    struct buf body = {0};
    struct value value = {.type = VALUE_BLOB};
    struct actor us = sample_actor(1);
    struct body_writer b;
    struct err e = {0};
    uint8_t *bytes = mem_alloc(VALUE_BYTES_MAX);

    (void)state;
    value.bytes = (struct slice){bytes, VALUE_BYTES_MAX};
    body_open(&b);
    body_actor(&b, &us);
    body_table(&b, slice_text("t"), &column, 1, 1, true);
    for (uint32_t i = 1; i <= BODY_BYTES_MAX / VALUE_BYTES_MAX; i++)
        body_row(&b, CHANGE_INSERT, (struct gid){0, i}, 0, NULL, &value, 1);
    assert_false(body_finish(&b, &body, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    body_close(&b);
    buf_close(&body);
    free(bytes);
}

static void more_rows_than_a_cut_may_have_are_not_finished(void **state)
{
    struct slice column = slice_text("k");
    struct buf body = {0};
    struct actor us = sample_actor(1);
    struct body_writer b;
    struct err e = {0};

    (void)state;
    body_open(&b);
    body_actor(&b, &us);
    body_table(&b, slice_text("t"), &column, 1, 1, true);
    for (uint32_t i = 1; i <= CUT_ROWS_MAX + 1; i++)
        body_row(&b, CHANGE_DELETE, (struct gid){0, i}, 0, NULL, NULL, 0);
    assert_false(body_finish(&b, &body, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    body_close(&b);
    buf_close(&body);
}

/* Rows are counted over all tables. */
static void more_rows_than_a_cut_may_have_are_not_read(void **state)
{
    struct err e = {0};
    struct buf body;
    struct writer w = {&body};

    (void)state;
    buf_open(&body, BODY_BYTES_MAX);
    write_array(&w, 2);
    write_array(&w, 1);
    write_bin(&w, SLICE(sample_actor(1).bytes));
    write_array(&w, 2);
    for (int t = 0; t < 2; t++) {
        uint32_t rows = t == 0 ? CUT_ROWS_MAX : 1;

        write_array(&w, 5);
        write_text(&w, slice_text(t == 0 ? "a" : "b"));
        write_array(&w, 1);
        write_text(&w, slice_text("k"));
        write_uint(&w, 1);
        write_bool(&w, true);
        write_array(&w, rows);
        for (uint32_t i = 0; i < rows; i++)
            buf_add(&body, (const uint8_t[]){0x94, 3, 0, 1, 0}, 5);
    }
    assert_false(body_check(buf_slice(&body), 0, CUT_ROWS_MAX + 1, &e));
    assert_string_equal(e.text, "a table's rows has 1 elements, allowed up to 0");
    buf_close(&body);
}

/* ---- hostile bodies: one broken rule each ---- */

#define ACTOR_ONE "c418010101010101010101010101010101010101010101010101"
#define ACTOR_TWO "c418020202020202020202020202020202020202020202020202"
/* One table "t" with the columns k, v and w; "rows" and what follows it. */
#define TABLE         "95a17493a16ba176a17701c3"
#define BODY(rows)    "9291" ACTOR_ONE "91" TABLE rows
#define ROW_STAMP_MAX 1000

static void read_hex(const char *hex, struct err *e)
{
    size_t n = strlen(hex) / 2;
    uint8_t *bytes = mem_alloc(n);
    bool ok;

    assert_true(hex_read(bytes, n, hex));
    ok = body_check((struct slice){bytes, n}, ROW_STAMP_MAX, 1, e);
    assert_int_equal(ok, e->code == ERR_NONE);
    free(bytes);
}

static void the_hostile_bodies_are_well_formed_without_their_fault(void **state)
{
    static const char *const cases[] = {
        BODY("919701000100010203"),
        BODY("919602000100"
             "0101"),
        BODY("919802000100"
             "01010201"),
        BODY("919403000100"),
        BODY("91980400010000"
             "010101"),
        BODY("919605000100"
             "0001"),
        BODY("91940300"
             "01"
             "cd03e8"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err e = {0};

        read_hex(cases[i], &e);
        if (e.code != ERR_NONE)
            fail_msg("%s: %s", cases[i], e.text);
    }
}

/* Bodies that break one rule each, and what the refusal must say. */
static const struct {
    const char *body, *why;
} broken_rules[] = {
    {"", "a body is cut off"},
    {"93909000", "a body has 3 elements instead of 2"},
    {"a0", "a body has the wrong type"},
    {"92ddffffffff", "the list of actors has 4294967295 elements"},
    {"9290ddffffffff", "the list of tables has 4294967295 elements"},
    {"9290dd000007d1", "the list of tables is not in its shortest form"},
    {"9291c417"
     "0101010101010101010101010101010101010101010101"
     "90",
     "23 bytes instead of 24"},
    {"9292" ACTOR_ONE ACTOR_ONE "90", "an actor appears twice"},
    {"929190", "an actor has the wrong type"},
    {"929091"
     "94a17491a16b01c390",
     "a table has 4 elements instead of 5"},
    {"929091"
     "95a091a16b01c390",
     "a table's name is empty"},
    {"929091"
     "95a2740091a16b01c390",
     "a table's name is empty or no UTF-8"},
    {"929091"
     "95a1e991a16b01c390",
     "a table's name is empty or no UTF-8"},
    {"929091"
     "95c4017491a16b01c390",
     "a table's name has the wrong type"},
    {"929091"
     "95a17492a16ba16b01c390",
     "a column appears twice"},
    {"929091"
     "95a17491a001c390",
     "a column's name is empty"},
    {"929091"
     "95a174ddffffffff",
     "a table's columns has 4294967295 elements"},
    {"929091"
     "95a1749000c390",
     "a table of 0 columns has a key of 0"},
    {"929091"
     "95a17491a16b00c390",
     "a table of 1 columns has a key of 0"},
    {"929091"
     "95a17491a16b02c290",
     "a table of 1 columns has a key of 2"},
    {"929091"
     "95a17492a16ba17602c390",
     "a table of 2 columns has a key of 2"},
    {"929091"
     "95a17491a16b11c290",
     "number of key columns is 17, allowed up to 16"},
    {"929091"
     "95a17491a16b010190",
     "a boolean has the wrong type"},
    {"929091"
     "95a17491a16b01c3ddffffffff",
     "a table's rows has 4294967295 elements"},
    {"929092"
     "95a17491a16b01c390"
     "95a17491a16b01c390",
     "a table appears twice"},
    {BODY("9192"
          "0300"),
     "a row has 2 elements, at least 4"},
    {BODY("91ddffffffff"), "a row has 4294967295 elements"},
    {BODY("919400000100"), "a row with op 0 has 4 elements"},
    {BODY("919406000100"), "a row's op is 6, allowed up to 5"},
    {BODY("919404000100"), "a row with op 4 has 4 elements"},
    {BODY("91960400010000"
          "01"),
     "a row with op 4 has 6 elements"},
    {BODY("91980400010001"
          "010101"),
     "a repair of actor 1 of 1"},
    {BODY("91980400010000"
          "000101"),
     "a repair of actor 0 of 1, change-set 0"},
    {BODY("919405000100"), "a row with op 5 has 4 elements"},
    {BODY("919605000100"
          "0000"),
     "a row of actor 0 of 1 with counter 0"},
    {BODY("919705000100"
          "000101"),
     "a row with op 5 has 7 elements"},
    {BODY("919403010100"), "a row of actor 1 of 1"},
    {BODY("919403000000"), "with counter 0"},
    {BODY("91940300cf0004000000000000"), "a row's counter is 1125899906842624"},
    {BODY("91940300"
          "01"
          "cd03e9"),
     "stamp 1001 is later than its change-set's, 1000"},
    {BODY("91940300"
          "01"
          "ff"),
     "is later than its change-set's"},
    {BODY("919601000100"
          "0102"),
     "a row with op 1 has 6 elements in a table of 3 columns"},
    {BODY("919801000100"
          "01020304"),
     "a row with op 1 has 8 elements"},
    {BODY("919402000100"), "a row with op 2 has 4 elements"},
    {BODY("919502000100"
          "01"),
     "a row with op 2 has 5 elements"},
    {BODY("919c02000100"
          "0000010102020303"),
     "a row with op 2 has 12 elements"},
    {BODY("919602000100"
          "0300"),
     "a cell's column is 3, allowed up to 2"},
    {BODY("919802000100"
          "01000100"),
     "columns are not in rising order"},
    {BODY("919802000100"
          "02000100"),
     "columns are not in rising order"},
    {BODY("919503000100"
          "00"),
     "a row with op 3 has 5 elements"},
    {BODY("919602000100"
          "01c70c01000000010000000000000001"),
     "a reference to actor 1 of 1"},
    {BODY("919602000100"
          "01c3"),
     "an integer has the wrong type"},
    {BODY("919403000100") "00", "1 bytes too many"},
    {BODY("90"), "a body of 0 rows, its header says 1"},
    {BODY("9294030001009403000200"), "a body of 2 rows, its header says 1"},
};

static void each_broken_rule_is_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(broken_rules); i++) {
        struct err e = {0};

        read_hex(broken_rules[i].body, &e);
        if (strstr(e.text, broken_rules[i].why) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", broken_rules[i].body, e.text,
                     broken_rules[i].why);
    }
}

static void a_body_cut_off_anywhere_is_refused(void **state)
{
    struct buf body = {0};

    (void)state;
    sample_body(&body);
    for (size_t n = 0; n < body.n; n++) {
        uint8_t *exact = mem_alloc(n); /* so that reading past the end is seen */
        struct err e = {0};

        memcpy(exact, body.p, n);
        assert_false(body_check((struct slice){exact, n}, SAMPLE_STAMP, SAMPLE_ROWS, &e));
        assert_int_equal(e.code, ERR_INPUT);
        free(exact);
    }
    buf_close(&body);
}

static void write_again(struct body_reader *from, struct body_writer *to)
{
    for (uint32_t i = 0; i < from->actor_count; i++)
        assert_int_equal(body_actor(to, &from->actors[i]), i);
    while (body_next_table(from)) {
        const struct body_table *t = &from->table;

        body_table(to, t->name, t->names, t->columns, t->keys, t->surrogate);
        while (body_next_row(from))
            body_row_write(to, &from->row);
    }
}

/* Read, and write again what was read: the same bytes, or it was refused. True if it was read. */
static bool same_again(struct slice body)
{
    struct buf again = {0};
    struct body_reader from;
    struct body_writer to;
    struct err e = {0}, e2 = {0};
    bool ok;

    body_open(&to);
    body_read(&from, body, UINT64_MAX, &e);
    write_again(&from, &to);
    ok = body_read_end(&from);
    assert_int_equal(ok, e.code == ERR_NONE);
    if (ok) {
        assert_true(body_finish(&to, &again, &e2));
        assert_true(slice_equal(buf_slice(&again), body));
    }
    body_close(&to);
    body_read_close(&from);
    buf_close(&again);
    return ok;
}

static void random_bodies_read_and_write_the_same_bytes(void **state)
{
    struct random_source s = {test_seed(6)};

    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct buf body = {0};
        uint32_t rows;

        sample_random_body(&s, &body, &rows);
        assert_true(same_again(buf_slice(&body)));
        buf_close(&body);
    }
}

/* Whatever the reader accepts it accepts in one form only, or signed bytes could change on the way
 * through a file. */
static void damaged_bodies_are_refused_or_mean_exactly_their_bytes(void **state)
{
    struct random_source s = {test_seed(7)};
    int accepted = 0;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct buf body = {0};
        uint32_t rows;

        sample_random_body(&s, &body, &rows);
        for (int k = 0; k < 5; k++) {
            uint32_t at = random_below(&s, (uint32_t)body.n);
            uint8_t before = body.p[at];

            body.p[at] = (uint8_t)random_next(&s);
            accepted += same_again(buf_slice(&body));
            body.p[at] = before;
        }
        buf_close(&body);
    }
    assert_true(accepted > 1000 && accepted < 9000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_reads_back_as_it_was_written),
        cmocka_unit_test(rows_that_are_not_read_are_skipped),
        cmocka_unit_test(a_body_read_half_is_not_read_to_its_end),
        cmocka_unit_test(an_empty_body_is_three_bytes),
        cmocka_unit_test(each_actor_has_one_index),
        cmocka_unit_test(the_size_so_far_is_an_upper_bound_close_to_the_truth),
        cmocka_unit_test(a_body_larger_than_the_limit_is_not_finished),
        cmocka_unit_test(more_rows_than_a_cut_may_have_are_not_finished),
        cmocka_unit_test(more_rows_than_a_cut_may_have_are_not_read),
        cmocka_unit_test(the_hostile_bodies_are_well_formed_without_their_fault),
        cmocka_unit_test(each_broken_rule_is_refused_by_name),
        cmocka_unit_test(a_body_cut_off_anywhere_is_refused),
        cmocka_unit_test(random_bodies_read_and_write_the_same_bytes),
        cmocka_unit_test(damaged_bodies_are_refused_or_mean_exactly_their_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
