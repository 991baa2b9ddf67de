/* Counters in the body of a change-set: what goes in comes out, in one encoding only, and bounded.
 */
#include <navette/body.h>

#include "sample.h"

static void counters_read_back_as_they_were_written(void **state)
{
    struct buf body = {0};
    struct body_reader b;
    struct err e = {0};

    (void)state;
    sample_counter_body(&body);
    body_read(&b, buf_slice(&body), SAMPLE_STAMP, &e);
    assert_true(body_next_table(&b));
    assert_true(body_next_row(&b));
    assert_int_equal(b.row.counter_n, 1);
    assert_true(b.row.counters[0].delta);
    assert_int_equal(b.row.counters[0].form, DECIMAL_INTEGER);
    assert_int_equal(b.row.counters[0].total.whole, -3);
    assert_true(body_next_row(&b));
    assert_int_equal(b.row.counter_n, 2);
    assert_int_equal(b.row.counters[1].cell, 1);
    assert_int_equal(b.row.counters[1].form, DECIMAL_TEXT + 2);
    assert_int_equal(b.row.counters[1].total.part, 100000000000000000);
    assert_true(body_next_row(&b));
    assert_int_equal(b.row.counter_n, 1);
    assert_false(b.row.counters[0].delta);
    assert_int_equal(b.row.values[0].i, 7);
    assert_int_equal(b.row.counters[0].seen_n, 3);
    assert_int_equal(b.row.counters[0].seen[1].number, 12);
    assert_int_equal(b.row.counters[0].seen[1].row.counter, 0);
    assert_int_equal(b.row.counters[0].seen[2].row.counter, 9);
    assert_true(body_next_row(&b));
    assert_int_equal(b.row.counter_n, 1);
    assert_int_equal(b.row.counters[0].cell, 2);
    assert_int_equal(b.row.values[2].type, VALUE_NULL);
    assert_true(b.row.values[3].r == 9.5);
    assert_false(body_next_row(&b));
    assert_false(body_next_table(&b));
    assert_true(body_read_end(&b));
    body_read_close(&b);
    buf_close(&body);
}

/* One row in a table "t" of the columns k, v and w, by one actor of two. */
#define BODY(row)                                                                                  \
    "9292c418010101010101010101010101010101010101010101010101"                                     \
    "c418020202020202020202020202020202020202020202020202"                                         \
    "9195a17493a16ba176a17701c391" row
#define UPDATE(cells) BODY("9602000100" cells)
#define SEEN(totals)  UPDATE("01" totals)
#define REF(actor, counter)                                                                        \
    "c70c01"                                                                                       \
    "000000" actor "00000000000000" counter

static void read_hex(const char *hex, struct err *e)
{
    size_t n = strlen(hex) / 2;
    uint8_t *bytes = mem_alloc(n);
    bool ok;

    assert_true(hex_read(bytes, n, hex));
    ok = body_check((struct slice){bytes, n}, 1000, 1, e);
    assert_int_equal(ok, e->code == ERR_NONE);
    free(bytes);
}

static void the_hostile_counters_are_well_formed_without_their_fault(void **state)
{
    static const char *const cases[] = {
        UPDATE("0192fd00"),
        UPDATE("0192a3302e3526"),
        SEEN("9507000101c0"),
        SEEN("950700010"
             "1" REF("01", "01")),
        SEEN("9907000101c0010101c0"),
        SEEN("9907000101c0"
             "010101" REF("00", "05")),
        BODY("9701000100"
             "65"
             "950700010"
             "1c0"
             "c0"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err e = {0};

        read_hex(cases[i], &e);
        if (e.code != ERR_NONE)
            fail_msg("%s: %s", cases[i], e.text);
    }
}

static const struct {
    const char *body, *why;
} broken_rules[] = {
    {UPDATE("0190"), "a counter of 0 elements"},
    {UPDATE("019107"), "a counter of 1 elements"},
    {UPDATE("01930700"
            "01"),
     "a counter of 3 elements"},
    {UPDATE("01940700"
            "0101"),
     "a counter of 4 elements"},
    {UPDATE("0192fd27"), "a total's form is 39, allowed up to 38"},
    {UPDATE("0192cb3ff000000000000000"), "a total is no number in its shortest form"},
    {UPDATE("0192c000"), "a total is no number"},
    {UPDATE("0192a13100"), "a total is no number"},
    {UPDATE("0192a3302e3000"), "a total is no number"},
    {UPDATE("0192a42d302e3000"), "a total is no number"},
    {UPDATE("0192cf00038d7ea4c6800100"), "a total is no number"},
    {UPDATE("0192d3fffc72815b397fff00"), "a total is no number"},
    {UPDATE("0092fd00"), "stands in column 0"},
    {UPDATE("0095070001"
            "01c0"),
     "stands in column 0"},
    {BODY("9701000100"
          "65"
          "92fd00"
          "c0"),
     "a counter of 2 elements stands in column 1 of a row with op 1"},
    {BODY("980400010000010192fd00"),
     "a counter of 2 elements stands in column 1 of a row with op 4"},
    {SEEN("9507020101c0"), "a total of actor 2 of 2"},
    {SEEN("9507000001c0"), "change-set 0"},
    {SEEN("950700cf800000000000000001c0"), "a total's change-set is"},
    {SEEN("95070001"
          "01"
          "07"),
     "a total is not of another row"},
    {SEEN("95070001"
          "01" REF("00", "01")),
     "a total is not of another row"},
    {SEEN("95070001"
          "01" REF("02", "01")),
     "a reference to actor 2 of 2"},
    {SEEN("95" REF("02", "01") "000101c0"), "a reference to actor 2 of 2"},
    {SEEN("9907000101c0000201c0"), "totals are not in rising order"},
    {SEEN("9907010101c0000101c0"), "totals are not in rising order"},
    {SEEN("9907"
          "000101" REF("00", "05") "010101c0"),
     "totals are not in rising order"},
    {SEEN("9907"
          "000101" REF("01", "05") "000101" REF("00", "07")),
     "totals are not in rising order"},
    {SEEN("9907"
          "000101" REF("01", "07") "010101" REF("01", "05")),
     "totals are not in rising order"},
    {SEEN("dc1005"
          "07"),
     "a counter has 4101 elements, allowed up to 4097"},
    {SEEN("9591fd"
          "000101c0"),
     "an integer has the wrong type"},
};

static void each_broken_rule_of_counters_is_refused_by_name(void **state)
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

/* As many cells as it takes, each with all the totals that it may have. */
static void more_totals_than_a_row_may_have_are_refused(void **state)
{
    static struct body_seen seen[CELL_TOTALS_MAX];
    struct slice names[16];
    char text[16][2];
    struct value values[16] = {{.type = VALUE_INT}};
    struct body_counter counters[15];
    struct actor us = sample_actor(1);

    (void)state;
    for (uint32_t i = 0; i < CELL_TOTALS_MAX; i++)
        seen[i] = (struct body_seen){.row = {0, i == 0 ? 0 : i + 1}, .number = 1};
    for (uint32_t i = 0; i < 16; i++) {
        text[i][0] = (char)('a' + i);
        names[i] = (struct slice){(uint8_t *)text[i], 1};
    }
    for (uint32_t i = 0; i < 15; i++)
        counters[i] = (struct body_counter){.cell = i + 1, .seen_n = CELL_TOTALS_MAX, .seen = seen};
    for (uint32_t n = ROW_TOTALS_MAX / CELL_TOTALS_MAX; n < 15; n++) {
        struct buf body = {0};
        struct body_writer b;
        struct err e = {0};
        bool fits = n == ROW_TOTALS_MAX / CELL_TOTALS_MAX;

        body_open(&b);
        body_actor(&b, &us);
        body_table(&b, slice_text("t"), names, 16, 1, true);
        body_row_write(&b, &(struct body_row){.op = CHANGE_INSERT,
                                              .gid = {0, 1},
                                              .n = 16,
                                              .values = values,
                                              .counter_n = n,
                                              .counters = counters});
        assert_true(body_finish(&b, &body, &e));
        assert_int_equal(body_check(buf_slice(&body), 0, 1, &e), fits);
        assert_int_equal(e.code, fits ? ERR_NONE : ERR_LIMIT);
        body_close(&b);
        buf_close(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_read_back_as_they_were_written),
        cmocka_unit_test(the_hostile_counters_are_well_formed_without_their_fault),
        cmocka_unit_test(each_broken_rule_of_counters_is_refused_by_name),
        cmocka_unit_test(more_totals_than_a_row_may_have_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
