#include <navette/changeset.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"

#define STAMP (UINT64_C(1700000000000) << 16)

static struct keys keys;

static struct actor actor_of(uint8_t n)
{
    struct actor a;

    memset(a.bytes, n, sizeof a.bytes);
    return a;
}

/* A small body: two tables, three rows, every type of value. */
static void write_small(struct body_writer *b)
{
    const struct slice article[] = {slice_text("id"), slice_text("name"), slice_text("price")};
    const struct slice line[] = {slice_text("id"), slice_text("article"), slice_text("note")};
    const struct value whole[] = {
        {.type = VALUE_INT, .i = 101},
        {.type = VALUE_TEXT, .bytes = slice_text("caf\xc3\xa9")},
        {.type = VALUE_REAL, .r = 12.5},
    };
    struct actor first = actor_of(1), second = actor_of(2);
    uint32_t us = body_actor(b, &first), them = body_actor(b, &second);
    const uint32_t columns[] = {1, 2};
    const struct value some[] = {
        {.type = VALUE_REF, .ref = {us, 7}},
        {.type = VALUE_BLOB, .bytes = slice_text("raw")},
    };

    body_table(b, slice_text("article"), article, 3, 1, true);
    body_row(b, CHANGE_INSERT, (struct gid){us, 7}, STAMP - 5, NULL, whole, 3);
    body_table(b, slice_text("line"), line, 3, 1, true);
    body_row(b, CHANGE_UPDATE, (struct gid){them, 70000}, STAMP, columns, some, 2);
    body_row(b, CHANGE_DELETE, (struct gid){us, 8}, 0, NULL, NULL, 0);
}

static void small_body(struct buf *body)
{
    struct body_writer b;
    struct err e = {0};

    body_open(&b);
    write_small(&b);
    assert_int_equal(b.rows, 3);
    assert_true(body_finish(&b, body, &e));
    body_close(&b);
}

static struct changeset_header header_of(uint64_t number)
{
    struct changeset_header h = {
        .number = number, .stamp = STAMP, .schema = UINT64_MAX, .roster = 3};
    struct actor other = actor_of(9);
    uint8_t hash[HASH_BYTES] = {1, 2, 3};

    memset(h.fleet, 0xf1, sizeof h.fleet);
    h.actor = actor_of(1);
    if (number > 1)
        memset(h.previous, 0xab, sizeof h.previous);
    assert_true(vector_set(&h.needs, &other, 12, hash));
    return h;
}

static void small_changeset(struct buf *out)
{
    struct changeset_header h = header_of(1);
    struct buf body = {0};
    uint8_t hash[HASH_BYTES];
    struct err e = {0};

    small_body(&body);
    assert_true(changeset_seal(&h, 3, buf_slice(&body), &keys, out, hash, &e));
    changeset_header_close(&h);
    buf_close(&body);
}

/* Split, decode and verify; everything that an agent does with a stranger's bytes. */
static bool verify(struct slice bytes, struct err *e)
{
    struct changeset_header h = {0};
    struct changeset c;
    bool ok;

    ok = changeset_split(&c, bytes, e) && changeset_header_read(&h, c.header, e) &&
         changeset_verify(&c, &h, keys.sign_public, e);
    changeset_header_close(&h);
    return ok;
}

static void a_body_reads_back_as_it_was_written(void **state)
{
    struct buf body = {0};
    struct body_reader b;
    struct err e = {0};

    (void)state;
    small_body(&body);
    body_read(&b, buf_slice(&body), STAMP, &e);
    assert_int_equal(b.actor_count, 2);
    assert_int_equal(b.actors[1].bytes[0], 2);
    assert_true(body_next_table(&b));
    assert_true(slice_equal(b.table.name, slice_text("article")));
    assert_int_equal(b.table.columns, 3);
    assert_true(slice_equal(b.table.names[2], slice_text("price")));
    assert_int_equal(b.table.keys, 1);
    assert_true(b.table.surrogate);
    assert_int_equal(b.table.rows, 1);
    assert_true(body_next_row(&b));
    assert_int_equal(b.row.op, CHANGE_INSERT);
    assert_int_equal(b.row.gid.actor, 0);
    assert_int_equal(b.row.gid.counter, 7);
    assert_int_equal(b.row.stamp, STAMP - 5);
    assert_int_equal(b.row.n, 3);
    assert_int_equal(b.row.columns[2], 2);
    assert_int_equal(b.row.values[0].i, 101);
    assert_true(slice_equal(b.row.values[1].bytes, slice_text("caf\xc3\xa9")));
    assert_true(b.row.values[2].r == 12.5);
    assert_false(body_next_row(&b));
    assert_true(body_next_table(&b));
    assert_true(body_next_row(&b));
    assert_int_equal(b.row.op, CHANGE_UPDATE);
    assert_int_equal(b.row.n, 2);
    assert_int_equal(b.row.columns[0], 1);
    assert_int_equal(b.row.values[0].ref.counter, 7);
    assert_int_equal(b.row.values[1].type, VALUE_BLOB);
    assert_true(body_next_row(&b));
    assert_int_equal(b.row.op, CHANGE_DELETE);
    assert_int_equal(b.row.stamp, 0);
    assert_int_equal(b.row.n, 0);
    assert_false(body_next_row(&b));
    assert_false(body_next_table(&b));
    assert_int_equal(b.rows_total, 3);
    assert_true(body_read_end(&b));
    body_read_close(&b);
    buf_close(&body);
}

static void a_sealed_changeset_verifies_and_reads_back(void **state)
{
    struct changeset_header h = header_of(2), back;
    struct buf body = {0}, out = {0}, joined;
    uint8_t hash[HASH_BYTES], again[HASH_BYTES];
    struct changeset c;
    struct err e = {0};

    (void)state;
    small_body(&body);
    assert_true(changeset_seal(&h, 3, buf_slice(&body), &keys, &out, hash, &e));
    assert_true(changeset_split(&c, buf_slice(&out), &e));
    assert_true(changeset_header_read(&back, c.header, &e));
    assert_true(changeset_verify(&c, &back, keys.sign_public, &e));
    changeset_hash(&c, again);
    assert_memory_equal(hash, again, HASH_BYTES);
    assert_memory_equal(back.fleet, h.fleet, FLEET_ID_BYTES);
    assert_true(actor_equal(&back.actor, &h.actor));
    assert_int_equal(back.number, 2);
    assert_memory_equal(back.previous, h.previous, HASH_BYTES);
    assert_int_equal(back.stamp, STAMP);
    assert_int_equal(back.needs.n, 1);
    assert_memory_equal(back.needs.entries, h.needs.entries, sizeof *h.needs.entries);
    assert_true(back.schema == UINT64_MAX);
    assert_int_equal(back.roster, 3);
    assert_int_equal(back.rows, 3);
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

static void a_changeset_cut_off_anywhere_is_refused(void **state)
{
    struct buf out = {0};

    (void)state;
    small_changeset(&out);
    for (size_t n = 0; n < out.n; n++) {
        uint8_t *exact = mem_alloc(n); /* so that reading past the end is seen */
        struct err e = {0};

        memcpy(exact, out.p, n);
        assert_false(verify((struct slice){exact, n}, &e));
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
    small_changeset(&out);
    for (size_t bit = 0; bit < out.n * 8; bit++) {
        struct err e = {0};

        out.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(verify(buf_slice(&out), &e));
        assert_int_not_equal(e.code, ERR_NONE);
        out.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(verify(buf_slice(&out), &fine));
    buf_close(&out);
}

static int start(void **state)
{
    static const uint8_t seed[32] = {7};
    struct err e = {0};

    (void)state;
    if (!keys_library_start(&e))
        return -1;
    keys_from_seed(&keys, seed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_reads_back_as_it_was_written),
        cmocka_unit_test(a_sealed_changeset_verifies_and_reads_back),
        cmocka_unit_test(a_changeset_cut_off_anywhere_is_refused),
        cmocka_unit_test(a_changeset_with_one_bit_flipped_never_verifies),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
