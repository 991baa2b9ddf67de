#include <navette/changeset.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "library.h"
#include "sample.h"

static void a_sealed_changeset_verifies_and_reads_back(void **state)
{
    struct changeset_header h = sample_header(), back;
    struct buf body = {0}, out = {0}, joined;
    uint8_t hash[HASH_BYTES], again[HASH_BYTES];
    struct changeset c;
    struct keys keys;
    struct err e = {0};

    (void)state;
    sample_keys(&keys);
    sample_body(&body);
    assert_true(changeset_seal(&h, SAMPLE_ROWS, buf_slice(&body), &keys, &out, hash, &e));
    assert_true(changeset_split(&c, buf_slice(&out), &e));
    assert_true(changeset_header_read(&back, c.header, &e));
    assert_true(changeset_verify(&c, &back, keys.sign_public, &e));
    changeset_hash(&c, again);
    assert_memory_equal(hash, again, HASH_BYTES);
    assert_memory_equal(back.fleet, h.fleet, FLEET_ID_BYTES);
    assert_true(actor_equal(&back.actor, &h.actor));
    assert_int_equal(back.number, 2);
    assert_memory_equal(back.previous, h.previous, HASH_BYTES);
    assert_int_equal(back.stamp, SAMPLE_STAMP);
    assert_int_equal(back.needs.n, 2);
    assert_memory_equal(back.needs.entries, h.needs.entries, 2 * sizeof *h.needs.entries);
    assert_true(back.schema == h.schema);
    assert_int_equal(back.roster, 3);
    assert_int_equal(back.rows, SAMPLE_ROWS);
    assert_int_equal(back.body_bytes, body.n);
    buf_open(&joined, CHANGESET_BYTES_MAX);
    changeset_join(&joined, &c);
    assert_true(slice_equal(buf_slice(&joined), buf_slice(&out)));
    changeset_header_close(&h);
    changeset_header_close(&back);
    buf_close(&body);
    buf_close(&out);
    buf_close(&joined);
}

/* Golden change-sets are format 1: they must be made and understood for ever. */
static void check_golden(const char *name, void (*make)(struct buf *out))
{
    struct buf golden, made = {0};
    struct err e = {0};

    sample_golden(&golden, name);
    make(&made);
    assert_int_equal(made.n, golden.n);
    assert_memory_equal(made.p, golden.p, golden.n);
    assert_true(sample_verify(buf_slice(&golden), &e));
    buf_close(&golden);
    buf_close(&made);
}

static void the_golden_changesets_are_made_and_verify(void **state)
{
    (void)state;
    check_golden("changeset_1.bin", sample_changeset);
    check_golden("changeset_2.bin", sample_counter_changeset);
}

/* Of its own chain only what comes before it, and of one actor at a time. */
static void a_changeset_corrects_no_stamps_but_of_what_was_said_before(void **state)
{
    struct actor own = sample_actor(1), other = sample_actor(1);
    struct buf body = {0}, out = {0};
    uint8_t hash[HASH_BYTES];
    struct keys keys;

    (void)state;
    sample_keys(&keys);
    sample_body(&body);
    other.bytes[ACTOR_BYTES - 1] ^= 1;
    for (uint64_t number = 1; number <= 3; number++) {
        struct changeset_header h = sample_header(); /* number 2 */
        struct err e = {0};

        assert_true(vector_set(&h.corrects, number < 3 ? &own : &other, number, NULL));
        if (number == 3)
            assert_true(vector_set(&h.corrects, &own, 1, NULL));
        assert_int_equal(changeset_seal(&h, SAMPLE_ROWS, buf_slice(&body), &keys, &out, hash, &e),
                         number == 1);
        assert_int_equal(e.code, number == 1 ? ERR_NONE : number == 2 ? ERR_INPUT : ERR_LIMIT);
        changeset_header_close(&h);
    }
    buf_close(&body);
    buf_close(&out);
}

static void a_changeset_cut_off_anywhere_is_refused(void **state)
{
    struct buf out = {0};

    (void)state;
    sample_changeset(&out);
    for (size_t n = 0; n < out.n; n++) {
        uint8_t *exact = mem_alloc(n); /* so that reading past the end is seen */
        struct err e = {0};

        memcpy(exact, out.p, n);
        assert_false(sample_verify((struct slice){exact, n}, &e));
        assert_int_equal(e.code, ERR_INPUT);
        free(exact);
    }
    buf_close(&out);
}

static void a_changeset_with_one_bit_flipped_never_verifies(void **state)
{
    struct buf out = {0};
    struct err fine = {0};

    (void)state;
    sample_changeset(&out);
    for (size_t bit = 0; bit < out.n * 8; bit++) {
        struct err e = {0};

        out.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(sample_verify(buf_slice(&out), &e));
        assert_int_not_equal(e.code, ERR_NONE);
        out.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(sample_verify(buf_slice(&out), &fine));
    buf_close(&out);
}

static void another_sites_key_does_not_verify(void **state)
{
    static const uint8_t seed[32] = {99};
    struct changeset_header h;
    struct buf out = {0};
    struct changeset c;
    struct keys other;
    struct err e = {0};

    (void)state;
    sample_changeset(&out);
    keys_from_seed(&other, seed);
    assert_true(changeset_split(&c, buf_slice(&out), &e));
    assert_true(changeset_header_read(&h, c.header, &e));
    assert_false(changeset_verify(&c, &h, other.sign_public, &e));
    assert_int_equal(e.code, ERR_CRYPTO);
    changeset_header_close(&h);
    buf_close(&out);
}

/* The header is genuine and the body is genuine, but they do not belong together. */
static void the_body_of_another_changeset_does_not_verify(void **state)
{
    struct buf out = {0}, mixed, body;
    struct writer w = {&body};
    struct changeset c;
    struct err e = {0};

    (void)state;
    sample_changeset(&out);
    assert_true(changeset_split(&c, buf_slice(&out), &e));
    buf_open(&body, 100);
    write_array(&w, 2);
    write_array(&w, 0);
    write_array(&w, 0);
    c.body = buf_slice(&body);
    buf_open(&mixed, CHANGESET_BYTES_MAX);
    changeset_join(&mixed, &c);
    assert_false(sample_verify(buf_slice(&mixed), &e));
    assert_string_equal(e.text, "a body of 3 bytes, its header says 308");
    buf_close(&out);
    buf_close(&mixed);
    buf_close(&body);
}

static void changesets_in_a_row_are_taken_one_by_one(void **state)
{
    struct buf one = {0}, two;
    struct slice left, front;
    struct err e = {0};

    (void)state;
    sample_changeset(&one);
    buf_open(&two, CHANGESET_BYTES_MAX);
    buf_add(&two, one.p, one.n);
    buf_add(&two, one.p, one.n);
    left = buf_slice(&two);
    for (int i = 0; i < 2; i++) {
        assert_true(changeset_front(&left, &front, &e));
        assert_true(slice_equal(front, buf_slice(&one)));
    }
    assert_false(changeset_front(&left, &front, &e));
    assert_int_equal(e.code, ERR_NONE);
    left = (struct slice){one.p, one.n - 1};
    assert_false(changeset_front(&left, &front, &e));
    assert_int_equal(e.code, ERR_INPUT);
    buf_close(&one);
    buf_close(&two);
}

static void refuse_header(struct slice bytes, enum err_code code, const char *why)
{
    struct changeset_header h;
    struct err e = {0};

    assert_false(changeset_header_read(&h, bytes, &e));
    assert_int_equal(e.code, code);
    if (strstr(e.text, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", e.text, why);
    changeset_header_close(&h);
}

static void a_header_of_a_newer_format_asks_for_an_update(void **state)
{
    static const uint8_t newer[] = {0x92, 0x07, 0xc0};

    (void)state;
    refuse_header(SLICE(newer), ERR_INPUT,
                  "it has format 7, this program knows format 1: update Navette on this PC");
}

static void a_header_with_another_number_of_elements_is_refused(void **state)
{
    static const uint8_t shorter[] = {0x92, 0x01, 0xc0};
    static const uint8_t none[] = {0x90};

    (void)state;
    refuse_header(SLICE(shorter), ERR_INPUT, "2 elements instead of 14");
    refuse_header(SLICE(none), ERR_INPUT, "the format is cut off");
}

/* The count of roster entries goes on where checkpoints stand for what was before them. */
static void a_changeset_of_a_fleet_with_a_long_history_is_read(void **state)
{
    struct changeset_header h = sample_header(), back;
    struct buf out = {0};
    struct changeset c;
    struct err e = {0};

    (void)state;
    h.roster = 100 * ROSTER_ENTRIES_MAX;
    sample_seal_as(&h, sample_body, SAMPLE_ROWS, &out);
    assert_true(changeset_split(&c, buf_slice(&out), &e));
    assert_true(changeset_header_read(&back, c.header, &e));
    assert_int_equal(back.roster, 100 * ROSTER_ENTRIES_MAX);
    changeset_header_close(&h);
    changeset_header_close(&back);
    buf_close(&out);
}

static void a_header_beyond_the_limits_is_refused(void **state)
{
    struct changeset_header h = sample_header();
    struct buf out;

    (void)state;
    buf_open(&out, HEADER_BYTES_MAX);
    h.number = 0;
    changeset_header_write(&out, &h);
    refuse_header(buf_slice(&out), ERR_INPUT, "number 0");
    buf_clear(&out);
    h.number = 1;
    changeset_header_write(&out, &h);
    refuse_header(buf_slice(&out), ERR_INPUT, "the first of its actor and names a previous one");
    buf_clear(&out);
    h.number = CHANGESET_NUMBER_MAX + 1;
    changeset_header_write(&out, &h);
    refuse_header(buf_slice(&out), ERR_LIMIT, "number is 9223372036854775808");
    buf_clear(&out);
    h.number = 2;
    h.rows = CUT_ROWS_MAX + 1;
    changeset_header_write(&out, &h);
    refuse_header(buf_slice(&out), ERR_LIMIT, "rows is 100001, allowed up to 100000");
    buf_clear(&out);
    h.rows = 0;
    h.stamp = UINT64_MAX;
    changeset_header_write(&out, &h);
    refuse_header(buf_slice(&out), ERR_LIMIT, "stamp is");
    changeset_header_close(&h);
    buf_close(&out);
}

static void a_header_with_all_actors_it_may_need_fits(void **state)
{
    struct changeset_header h = sample_header();
    struct buf body = {0}, out = {0};
    uint8_t hash[HASH_BYTES];
    struct keys keys;
    struct err e = {0};

    (void)state;
    sample_keys(&keys);
    sample_body(&body);
    vector_close(&h.needs);
    for (uint32_t i = 0; i < ACTORS_MAX; i++) {
        struct actor a = {{0}};

        be32_write(a.bytes, i);
        assert_true(vector_set(&h.needs, &a, VECTOR_NUMBER_MAX, NULL));
    }
    h.number = CHANGESET_NUMBER_MAX;
    assert_true(changeset_seal(&h, SAMPLE_ROWS, buf_slice(&body), &keys, &out, hash, &e));
    assert_true(sample_verify(buf_slice(&out), &e));
    changeset_header_close(&h);
    buf_close(&body);
    buf_close(&out);
}

/* What nobody would accept would break the author's chain for ever. */
static void what_would_not_verify_is_not_sealed(void **state)
{
    struct changeset_header h = sample_header();
    struct buf body = {0}, out = {0};
    uint8_t hash[HASH_BYTES];
    struct keys keys;
    struct err e = {0};

    (void)state;
    sample_keys(&keys);
    sample_body(&body);
    assert_false(changeset_seal(&h, SAMPLE_ROWS + 1, buf_slice(&body), &keys, &out, hash, &e));
    assert_int_equal(e.code, ERR_INPUT);
    err_clear(&e);
    h.stamp = SAMPLE_STAMP - 1;
    assert_false(changeset_seal(&h, SAMPLE_ROWS, buf_slice(&body), &keys, &out, hash, &e));
    assert_non_null(strstr(e.text, "is later than its change-set's"));
    err_clear(&e);
    h.stamp = SAMPLE_STAMP;
    h.number = 0;
    assert_false(changeset_seal(&h, SAMPLE_ROWS, buf_slice(&body), &keys, &out, hash, &e));
    err_clear(&e);
    h.number = 2;
    body.p[body.n - 1] ^= 1;
    body.n--;
    assert_false(changeset_seal(&h, SAMPLE_ROWS, buf_slice(&body), &keys, &out, hash, &e));
    assert_int_equal(out.n, 0);
    changeset_header_close(&h);
    buf_close(&body);
}

static void sizes_beyond_the_limits_are_refused_by_split(void **state)
{
    struct changeset c = {0};
    struct buf out;
    struct err e = {0};
    static uint8_t bytes[HEADER_BYTES_MAX + 1];

    (void)state;
    buf_open(&out, CHANGESET_BYTES_MAX);
    c.signature = bytes;
    c.header = (struct slice){bytes, HEADER_BYTES_MAX + 1};
    changeset_join(&out, &c);
    assert_false(changeset_split(&c, buf_slice(&out), &e));
    assert_int_equal(e.code, ERR_LIMIT);
    buf_close(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_changeset_verifies_and_reads_back),
        cmocka_unit_test(the_golden_changesets_are_made_and_verify),
        cmocka_unit_test(a_changeset_corrects_no_stamps_but_of_what_was_said_before),
        cmocka_unit_test(a_changeset_cut_off_anywhere_is_refused),
        cmocka_unit_test(a_changeset_with_one_bit_flipped_never_verifies),
        cmocka_unit_test(another_sites_key_does_not_verify),
        cmocka_unit_test(the_body_of_another_changeset_does_not_verify),
        cmocka_unit_test(changesets_in_a_row_are_taken_one_by_one),
        cmocka_unit_test(a_header_of_a_newer_format_asks_for_an_update),
        cmocka_unit_test(a_header_with_another_number_of_elements_is_refused),
        cmocka_unit_test(a_changeset_of_a_fleet_with_a_long_history_is_read),
        cmocka_unit_test(a_header_beyond_the_limits_is_refused),
        cmocka_unit_test(a_header_with_all_actors_it_may_need_fits),
        cmocka_unit_test(what_would_not_verify_is_not_sealed),
        cmocka_unit_test(sizes_beyond_the_limits_are_refused_by_split),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
