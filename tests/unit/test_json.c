/* Also of json_counter.c, json_text.c, json_write.c. */
#include <navette/json.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "library.h"
#include "random.h"
#include "sample.h"

static struct drop_head sample_head(void)
{
    static const uint8_t roster[] = {0x92, 0xc4, 0x00, 0xff, 0x01};
    struct drop_head head = {.fleet_name = "Épicerie \"Nord\"",
                             .from = "CAISSE01",
                             .made_ms = UINT64_C(1795000000123),
                             .roster = SLICE(roster)};
    struct actor us = sample_actor(1);
    uint8_t hash[HASH_BYTES] = {0x11};
    struct keys k;

    memset(head.fleet, 0xf1, sizeof head.fleet);
    assert_true(vector_set(&head.have, &us, 2, hash));
    sample_keys(&k);
    drop_head_sign(&head, &k);
    return head;
}

/* A drop file with `n` times the same change-set. */
static void write_drop(struct buf *file, struct slice changeset, int n)
{
    struct drop_head head = sample_head();
    struct err e = {0};

    assert_true(drop_write_begin(file, &head, &e));
    for (int i = 0; i < n; i++)
        assert_true(drop_write_changeset(file, i == 0, changeset, &e));
    assert_true(drop_write_end(file, &e));
    vector_close(&head.have);
}

static void (*sample_of_drop)(struct buf *out) = sample_changeset;

static void sample_drop(struct buf *file)
{
    struct buf changeset = {0};

    sample_of_drop(&changeset);
    write_drop(file, buf_slice(&changeset), 1);
    buf_close(&changeset);
}

/* Read the whole file; true when every change-set in it verifies. `last` gets the last one. */
static bool read_drop(struct slice file, struct buf *last, int *count, struct err *e)
{
    struct buf out = {0};
    struct drop_reader *d = NULL;
    struct drop_head head;

    *count = 0;
    if (drop_open(&d, file, &head, e)) {
        vector_close(&head.have);
        while (drop_next(d, &out, e)) {
            *count += 1;
            if (!sample_verify(buf_slice(&out), e))
                break;
            buf_close(last);
            *last = out;
            out = (struct buf){0};
        }
    }
    drop_close(d);
    buf_close(&out);
    return e->code == ERR_NONE;
}

/* The sample file with the first `from` in it replaced by `to` must be refused with `why`. */
static void refuse_with(const char *from, const char *to, const char *why)
{
    struct buf file = {0}, changed, last = {0};
    struct err e = {0};
    const char *at;
    int count;

    sample_drop(&file);
    buf_add_byte(&file, 0);
    at = strstr((const char *)file.p, from);
    assert_non_null(at);
    buf_open(&changed, DROP_BYTES_MAX);
    buf_add(&changed, file.p, (size_t)(at - (const char *)file.p));
    buf_add(&changed, to, strlen(to));
    buf_add(&changed, at + strlen(from), strlen(at) - strlen(from));
    assert_false(read_drop(buf_slice(&changed), &last, &count, &e));
    if (strstr(e.text, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", e.text, why);
    buf_close(&file);
    buf_close(&changed);
    buf_close(&last);
}

static void a_drop_file_gives_back_its_head(void **state)
{
    struct drop_head head = sample_head(), back;
    struct buf file = {0};
    struct drop_reader *d;
    struct err e = {0};

    (void)state;
    sample_drop(&file);
    assert_true(drop_open(&d, buf_slice(&file), &back, &e));
    assert_memory_equal(back.fleet, head.fleet, FLEET_ID_BYTES);
    assert_string_equal(back.fleet_name, head.fleet_name);
    assert_string_equal(back.from, "CAISSE01");
    assert_int_equal(back.made_ms, head.made_ms);
    assert_true(slice_equal(back.roster, head.roster));
    assert_int_equal(back.have.n, 1);
    assert_memory_equal(back.have.entries, head.have.entries, sizeof *head.have.entries);
    vector_close(&head.have);
    vector_close(&back.have);
    drop_close(d);
    buf_close(&file);
}

/* White space, an escape or a capital in hex may change: then the record is the same. */
static bool means_the_same(const struct drop_head *a, const struct drop_head *b)
{
    struct buf x = {0}, y = {0};
    bool same;

    drop_head_record(a, &x);
    drop_head_record(b, &y);
    same = slice_equal(buf_slice(&x), buf_slice(&y)) &&
           memcmp(a->signature, b->signature, SIGNATURE_BYTES) == 0;
    buf_close(&x);
    buf_close(&y);
    return same;
}

static void every_changed_byte_of_the_head_is_noticed(void **state)
{
    struct drop_head head = sample_head(), back;
    struct buf file = {0};
    uint32_t signed_bytes = 0;
    struct keys k;

    (void)state;
    sample_keys(&k);
    sample_drop(&file);
    for (size_t at = 0; memcmp(file.p + at, "\"changesets", 11) != 0; at++) {
        for (uint32_t bit = 0; bit < 7; bit++) {
            struct drop_reader *d;
            struct err e = {0};

            file.p[at] ^= (uint8_t)(1u << bit);
            if (drop_open(&d, buf_slice(&file), &back, &e)) {
                bool taken = drop_head_verify(&back, k.sign_public, &e);

                if (taken != means_the_same(&head, &back))
                    fail_msg("byte %zu, bit %u: %s", at, bit, e.text);
                signed_bytes += !taken;
                vector_close(&back.have);
                drop_close(d);
            }
            file.p[at] ^= (uint8_t)(1u << bit);
        }
    }
    assert_true(signed_bytes > 100); /* well-formed all the same, and noticed */
    vector_close(&head.have);
    buf_close(&file);
}

static void a_drop_file_gives_back_exactly_the_signed_bytes(void **state)
{
    struct buf changeset = {0}, file = {0}, back = {0};
    struct drop_reader *d;
    struct drop_head head;
    struct err e = {0};

    (void)state;
    sample_changeset(&changeset);
    write_drop(&file, buf_slice(&changeset), 3);
    assert_true(drop_open(&d, buf_slice(&file), &head, &e));
    for (int i = 0; i < 3; i++) {
        assert_true(drop_next(d, &back, &e));
        assert_true(slice_equal(buf_slice(&back), buf_slice(&changeset)));
    }
    assert_false(drop_next(d, &back, &e));
    assert_int_equal(e.code, ERR_NONE);
    assert_false(drop_next(d, &back, &e));
    vector_close(&head.have);
    drop_close(d);
    buf_close(&changeset);
    buf_close(&file);
    buf_close(&back);
}

static void a_drop_file_without_changesets_is_read(void **state)
{
    struct buf file = {0}, last = {0};
    struct err e = {0};
    int count;

    (void)state;
    write_drop(&file, (struct slice){0}, 0);
    assert_true(read_drop(buf_slice(&file), &last, &count, &e));
    assert_int_equal(count, 0);
    buf_close(&file);
}

/* The order of white space, the case of digits, escapes: none of it is signed. */
static void another_layout_of_the_same_records_is_the_same(void **state)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"\"article\"", "\"\\u0061rticle\""},
        {"\"insert\", 0, 1,", "\"insert\"  ,\r\n\t0 ,1,"},
        {": \"f1f1", ": \"F1f1"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf file = {0}, changed, last = {0};
        struct err e = {0};
        const char *at;
        int count;

        sample_drop(&file);
        buf_add_byte(&file, 0);
        at = strstr((const char *)file.p, cases[i].from);
        assert_non_null(at);
        buf_open(&changed, DROP_BYTES_MAX);
        buf_add(&changed, file.p, (size_t)(at - (const char *)file.p));
        buf_add(&changed, cases[i].to, strlen(cases[i].to));
        at += strlen(cases[i].from);
        buf_add(&changed, at, strlen(at));
        assert_true(read_drop(buf_slice(&changed), &last, &count, &e));
        assert_int_equal(count, 1);
        buf_close(&file);
        buf_close(&changed);
        buf_close(&last);
    }
}

/* A touched byte either leaves the signed bytes as they are or is noticed. */
static void no_flipped_bit_changes_what_is_accepted(void **state)
{
    struct buf changeset = {0}, file = {0};
    int refused = 0, harmless = 0;

    (void)state;
    sample_changeset(&changeset);
    write_drop(&file, buf_slice(&changeset), 1);
    for (size_t bit = 0; bit < file.n * 8; bit++) {
        struct buf last = {0};
        struct err e = {0};
        int count;

        file.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (read_drop(buf_slice(&file), &last, &count, &e)) {
            assert_true(count == 1 && slice_equal(buf_slice(&last), buf_slice(&changeset)));
            harmless++;
        } else {
            assert_int_not_equal(e.text[0], 0);
            refused++;
        }
        file.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        buf_close(&last);
    }
    assert_true(refused > 10 * harmless);
    buf_close(&changeset);
    buf_close(&file);
}

static void a_file_cut_off_anywhere_is_refused_before_anything_is_read(void **state)
{
    struct buf file = {0};

    (void)state;
    sample_drop(&file);
    for (size_t n = 0; n < file.n - 2; n++) {
        uint8_t *exact = mem_alloc(n); /* so that reading past the end is seen */
        struct drop_reader *d = NULL;
        struct drop_head head;
        struct err e = {0};

        memcpy(exact, file.p, n);
        assert_false(drop_open(&d, (struct slice){exact, n}, &head, &e));
        assert_int_equal(e.code, ERR_INPUT);
        assert_null(d);
        free(exact);
    }
    buf_close(&file);
}

static void what_is_no_drop_file_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *file, *why;
    } cases[] = {
        {"", "no drop file"},
        {"[]", "no drop file"},
        {"MZ\x90", "no drop file"},
        {"{", "ends too early"},
        {"{}x", "goes on after its end"},
        {"{}", "the key \"navette\" is missing"},
        {"{\"navette\": \"change-sets\"}", "',' is missing"},
        {"{\"navette\": \"rows\", \"format\": 1}", "something other than change-sets"},
        {"{\"navette\": \"change-sets\", \"format\": 2}",
         "has format 2, this program knows format 1"},
        {"{\"navette\": \"change-sets\", \"format\": \"1\"}", "format is string instead of int"},
        {"{[[[[[[[[[[[[[[]]]]]]]]]]]]]]}", "nested too deeply"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct drop_reader *d;
        struct drop_head head;
        struct err e = {0};

        assert_false(drop_open(&d, slice_text(cases[i].file), &head, &e));
        if (strstr(e.text, cases[i].why) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", e.text, cases[i].why);
    }
}

static void a_changed_head_is_refused_with_its_field(void **state)
{
    (void)state;
    refuse_with("\"fleet\": \"f1", "\"fleet\": \"g1", "fleet is not 32 hexadecimal digits");
    refuse_with("\"CAISSE01\"", "\"\"", "from: a name is empty");
    refuse_with("\"CAISSE01\"", "\"CAI\\u0000SSE01\"", "from: a name has the control character");
    refuse_with("2026-", "2026 ", "made is no date");
    refuse_with("\"ksQA/wE=\"", "\"ksQA/wE\"", "roster is not base64");
    refuse_with("\", 2, \"11", "\", 0, \"11", "a vector has the number 0");
    refuse_with("\"have\"", "\"had\"", "the key \"have\" is missing");
}

static void a_changed_changeset_is_refused_with_its_place(void **state)
{
    (void)state;
    refuse_with("\"format\": 1,\n  \"fleet\"", "\"format\": 7,\n  \"fleet\"",
                "change-set 1 of the file: it has format 7");
    refuse_with("\"number\": 2", "\"number\": 2.0",
                "line 13, change-set 1 of the file: header.number is double instead of int");
    refuse_with("\"number\": 2", "\"number\": -2", "header.number is -2");
    refuse_with("\"number\": 2", "\"number\": 99999999999999999999",
                "line 17: the file: a number exceeds 64 bits");
    refuse_with("\"number\": 2", "\"nombre\": 2", "header.number is null instead of int");
    refuse_with("\"number\": 2", "\"number\": 1, \"number\": 2", "the header has 15 keys");
    refuse_with("\"roster\": 3", "\"roster\": 4", "the signature does not verify");
    refuse_with("101,", "102,", "its body is not the one that was signed");
    refuse_with("101,", "0101,", "a row is no JSON");
    refuse_with("101,", "\"101\",", "its body is not the one that was signed");
    refuse_with("101,", "101.0,", "a value is double instead of int");
    refuse_with("101,", "true,", "a value is boolean instead of int");
    refuse_with("101,", "[],", "a value is array instead of int");
    refuse_with("101,", "9223372036854775808,", "allowed up to 9223372036854775807");
    refuse_with("-9223372036854775808", "-9223372036854775809", "a number exceeds 64 bits");
    refuse_with("\"delete\"", "\"remove\"",
                "a row's op is none of insert, update, delete, repair and unite");
    refuse_with("\"delete\", 1, 9", "\"delete\", 1", "a row has 3 elements");
    refuse_with("\"price\", -33", "\"prix\", -33", "names a column that its table does not have");
    refuse_with("\"price\", -33", "\"name\", -33", "or not in order");
    refuse_with("\"price\", -33", "\"price\"", "elements in a table of 5 columns");
    refuse_with("\"surrogate\": true", "\"surrogate\": 1", "surrogate is int instead of boolean");
}

static void a_changed_typed_value_is_refused(void **state)
{
    (void)state;
    refuse_with("{\"real\": \"12.1\"}", "{\"real\": \"12.1 \"}", "a real is no number");
    refuse_with("{\"real\": \"12.1\"}", "{\"real\": \"\"}", "a real is no number");
    refuse_with("{\"real\": \"12.1\"}", "{\"real\": \"nan\"}", "a real is no number");
    refuse_with("{\"real\": \"12.1\"}", "{\"real\": 12.1}", "a real is double instead of string");
    refuse_with("{\"real\": \"12.1\"}", "{\"real\": \"12.1\", \"blob\": \"\"}", "has 2 types");
    refuse_with("{\"real\": \"12.1\"}", "{\"real\": \"1\", \"real\": \"12.1\"}", "a key twice");
    refuse_with("{\"real\": \"12.1\"}", "{\"float\": \"12.1\"}",
                "none of real, text, blob and ref");
    refuse_with("{\"real\": \"12.1\"}", "{}", "has 0 types");
    refuse_with("{\"blob\": \"AP8Q\"}", "{\"blob\": \"AP8\"}", "is not base64");
    refuse_with("{\"ref\": [1, 70000]}", "{\"ref\": [1]}", "a reference has 1 elements");
    refuse_with("{\"ref\": [1, 70000]}", "{\"ref\": [1, 1125899906842624]}", "allowed 0 to");
    refuse_with("{\"ref\": [1, 70000]}", "{\"ref\": {\"a\": [[[[[]]]]]}}", "");
    refuse_with("[\"insert\", 0, 1", "[\"insert\", 0, 1, [[[[[[[[[[[[0]]]]]]]]]]]]",
                "nested too deeply");
}

static void a_changed_counter_is_refused(void **state)
{
    (void)state;
    sample_of_drop = sample_counter_changeset;
    refuse_with("{\"total\": -3, ", "{\"total\": -4, ", "not the one that was signed");
    refuse_with("{\"total\": -3, ", "{\"total\": \"-3\", ", "shortest form");
    refuse_with("{\"total\": -3, ", "{\"total\": \"-3.50\", ", "shortest form");
    refuse_with("{\"total\": -3, ", "{\"total\": 1000000000000001, ", "shortest form");
    refuse_with("\"as\": \"integer\"", "\"as\": \"int\"", "none of integer, real");
    refuse_with("\"as\": \"integer\"", "\"as\": 37", "allowed 0 to 36");
    refuse_with("\"as\": \"integer\"", "\"az\": \"integer\"", "has not the keys");
    refuse_with("{\"total\": -3, ", "{\"total\": -3, \"total\": -3, ", "a key twice");
    refuse_with("{\"set\": 7, ", "{\"sat\": 7, ", "has not the keys");
    refuse_with("{\"set\": null, ", "{\"nil\": null, ", "has not the keys");
    refuse_with("\"seen\": [0, 1, -3, null, ", "\"seen\": [0, 1, -3, ", "no totals");
    refuse_with("\"seen\": [0, 1, -3, null, ", "\"seen\": [0, 1, -3, [1], ", "has not 2 elements");
    refuse_with("\"seen\": [0, 1, -3, null, ", "\"seen\": [0, 0, -3, null, ", "was signed");
    refuse_with("{\"set\": 7, ", "{\"set\": [7], ", "is array instead of int");
    sample_of_drop = sample_changeset;
}

/* json-c's tree takes thirty times the bytes: a piece is measured before it gets it. */
static void a_row_with_too_many_elements_is_refused_unparsed(void **state)
{
    struct buf many;

    (void)state;
    buf_open(&many, 1 << 20);
    buf_add(&many, "101,", 4);
    for (int i = 0; i < 50000; i++)
        buf_add(&many, "0,", 2);
    buf_add_byte(&many, 0);
    refuse_with("101,", (const char *)many.p, "a row has 50009 commas");
    buf_close(&many);
}

static void a_text_that_is_not_utf8_is_refused_as_a_string(void **state)
{
    (void)state;
    refuse_with("{\"text\": \"Y2Fm6Q==\"}", "\"caf\xe9\"", "a row is no JSON");
    refuse_with("Liège", "Li\xe8ge", "a row is no JSON");
}

static void the_layout_has_one_row_a_line(void **state)
{
    struct buf file = {0};

    (void)state;
    sample_drop(&file);
    buf_add_byte(&file, 0);
    assert_non_null(strstr((const char *)file.p, "\n    [\"delete\", 1, 9, "));
    assert_non_null(strstr((const char *)file.p, "\"price\", -33],\n"));
    assert_non_null(strstr((const char *)file.p, "Thé \\\"vert\\\"\\n🍵"));
    buf_close(&file);
}

static void a_changeset_that_is_damaged_is_not_written(void **state)
{
    struct drop_head head = sample_head();
    struct buf changeset = {0}, file = {0};
    struct err e = {0};
    size_t before;

    (void)state;
    sample_changeset(&changeset);
    assert_true(drop_write_begin(&file, &head, &e));
    before = file.n;
    changeset.p[changeset.n - 5] = 0xc1; /* the last value */
    assert_false(drop_write_changeset(&file, true, buf_slice(&changeset), &e));
    assert_int_equal(file.n, before);
    err_clear(&e);
    assert_true(drop_write_end(&file, &e));
    vector_close(&head.have);
    buf_close(&changeset);
    buf_close(&file);
}

static void a_full_file_can_still_be_ended(void **state)
{
    struct drop_head head = sample_head();
    struct buf changeset = {0}, file = {0}, last = {0};
    struct err e = {0};
    int written = 0, count;

    (void)state;
    sample_changeset(&changeset);
    assert_true(drop_write_begin(&file, &head, &e));
    file.max = 20000;
    while (drop_write_changeset(&file, written == 0, buf_slice(&changeset), &e))
        written++;
    assert_int_equal(e.code, ERR_LIMIT);
    err_clear(&e);
    assert_true(drop_write_end(&file, &e));
    assert_true(written > 2);
    assert_true(read_drop(buf_slice(&file), &last, &count, &e));
    assert_int_equal(count, written);
    vector_close(&head.have);
    buf_close(&changeset);
    buf_close(&file);
    buf_close(&last);
}

static void a_head_nobody_could_read_is_not_written(void **state)
{
    struct drop_head head = sample_head();
    struct buf file = {0};
    struct err e = {0};

    (void)state;
    head.from[0] = '\n';
    assert_false(drop_write_begin(&file, &head, &e));
    assert_int_equal(e.code, ERR_INPUT);
    vector_close(&head.have);
    buf_close(&file);
}

static void random_changesets_survive_the_way_through_a_file(void **state)
{
    struct random_source s = {test_seed(5)};
    struct keys k;

    (void)state;
    sample_keys(&k);
    for (int i = 0; i < 300; i++) {
        struct changeset_header h = sample_header();
        struct buf body = {0}, changeset = {0}, file = {0}, last = {0};
        uint8_t hash[HASH_BYTES];
        struct err e = {0};
        uint32_t rows;
        int count;

        sample_random_body(&s, &body, &rows);
        assert_true(changeset_seal(&h, rows, buf_slice(&body), &k, &changeset, hash, &e));
        write_drop(&file, buf_slice(&changeset), 1);
        if (!read_drop(buf_slice(&file), &last, &count, &e))
            fail_msg("round %d: %s", i, e.text);
        assert_true(slice_equal(buf_slice(&last), buf_slice(&changeset)));
        changeset_header_close(&h);
        buf_close(&body);
        buf_close(&changeset);
        buf_close(&file);
        buf_close(&last);
    }
}

/* Golden drop files are what version 1 wrote: they must be written and read for ever. */
static void check_golden(const char *name, const struct buf *changeset)
{
    struct buf golden, file = {0}, last = {0};
    struct err e = {0};
    int count;

    sample_golden(&golden, name);
    write_drop(&file, buf_slice(changeset), 1);
    assert_int_equal(file.n, golden.n);
    assert_memory_equal(file.p, golden.p, golden.n);
    assert_true(read_drop(buf_slice(&golden), &last, &count, &e));
    assert_true(slice_equal(buf_slice(&last), buf_slice(changeset)));
    buf_close(&golden);
    buf_close(&file);
    buf_close(&last);
}

static void the_golden_drop_files_are_written_and_read(void **state)
{
    struct buf changeset = {0}, counters = {0};

    (void)state;
    sample_changeset(&changeset);
    sample_counter_changeset(&counters);
    check_golden("drop_1.json", &changeset);
    check_golden("drop_2.json", &counters);
    buf_close(&changeset);
    buf_close(&counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drop_file_gives_back_its_head),
        cmocka_unit_test(every_changed_byte_of_the_head_is_noticed),
        cmocka_unit_test(a_drop_file_gives_back_exactly_the_signed_bytes),
        cmocka_unit_test(a_drop_file_without_changesets_is_read),
        cmocka_unit_test(another_layout_of_the_same_records_is_the_same),
        cmocka_unit_test(no_flipped_bit_changes_what_is_accepted),
        cmocka_unit_test(a_file_cut_off_anywhere_is_refused_before_anything_is_read),
        cmocka_unit_test(what_is_no_drop_file_is_refused_with_the_reason),
        cmocka_unit_test(a_changed_head_is_refused_with_its_field),
        cmocka_unit_test(a_changed_changeset_is_refused_with_its_place),
        cmocka_unit_test(a_changed_typed_value_is_refused),
        cmocka_unit_test(a_row_with_too_many_elements_is_refused_unparsed),
        cmocka_unit_test(a_text_that_is_not_utf8_is_refused_as_a_string),
        cmocka_unit_test(the_layout_has_one_row_a_line),
        cmocka_unit_test(a_changeset_that_is_damaged_is_not_written),
        cmocka_unit_test(a_full_file_can_still_be_ended),
        cmocka_unit_test(a_head_nobody_could_read_is_not_written),
        cmocka_unit_test(random_changesets_survive_the_way_through_a_file),
        cmocka_unit_test(a_changed_counter_is_refused),
        cmocka_unit_test(the_golden_drop_files_are_written_and_read),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
