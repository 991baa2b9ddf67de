#include <navette/join.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void fill(uint8_t *bytes, size_t n, uint8_t first)
{
    size_t i;

    for (i = 0; i < n; i++)
        bytes[i] = (uint8_t)(first + i);
}

static void written(struct buf *out, const struct join_message *m)
{
    buf_open(out, 4096);
    join_message_write(out, m);
    assert_false(out->overflow);
}

static void join_is_read_as_it_was_written(void **state)
{
    struct join_message m = {.kind = JOIN_JOIN, .name = "CAISSE01"}, got;
    struct buf out = {0};
    struct err e = {0};

    (void)state;
    fill(m.sign_public, sizeof m.sign_public, 1);
    fill(m.exchange_public, sizeof m.exchange_public, 99);
    written(&out, &m);
    assert_true(join_message_read(&got, buf_slice(&out), &e));
    assert_int_equal(got.kind, JOIN_JOIN);
    assert_string_equal(got.name, "CAISSE01");
    assert_memory_equal(got.sign_public, m.sign_public, 32);
    assert_memory_equal(got.exchange_public, m.exchange_public, 32);
    buf_close(&out);
}

static void welcome_has_the_bytes_that_the_specification_says(void **state)
{
    uint8_t roster[] = {0xde, 0xad};
    struct join_message m = {.kind = JOIN_WELCOME, .roster = SLICE(roster)}, got;
    uint8_t head[] = {0x93, 17, 0xc4, 32}, tail[] = {0xc4, 2, 0xde, 0xad};
    struct buf out = {0};
    struct err e = {0};

    (void)state;
    fill(m.fleet_key, sizeof m.fleet_key, 7);
    written(&out, &m);
    assert_int_equal(out.n, sizeof head + 32 + sizeof tail);
    assert_memory_equal(out.p, head, sizeof head);
    assert_memory_equal(out.p + sizeof head, m.fleet_key, 32);
    assert_memory_equal(out.p + sizeof head + 32, tail, sizeof tail);
    assert_true(join_message_read(&got, buf_slice(&out), &e));
    assert_true(slice_equal(got.roster, m.roster));
    assert_memory_equal(got.fleet_key, m.fleet_key, 32);
    buf_close(&out);
}

static void a_reason_that_could_drive_a_terminal_is_refused(void **state)
{
    struct join_message m = {.kind = JOIN_SORRY, .sorry = "used"}, got;
    struct buf out = {0};
    struct err e = {0};

    (void)state;
    written(&out, &m);
    assert_true(join_message_read(&got, buf_slice(&out), &e));
    assert_string_equal(got.sorry, "used");
    out.p[out.n - 1] = 0x1b;
    assert_false(join_message_read(&got, buf_slice(&out), &e));
    assert_int_equal(e.code, ERR_INPUT);
    buf_close(&out);
}

static void every_cut_and_every_longer_message_is_refused(void **state)
{
    struct join_message m = {.kind = JOIN_JOIN, .name = "A"}, got;
    struct buf out = {0};
    struct err e = {0};
    size_t n;

    (void)state;
    written(&out, &m);
    for (n = 0; n < out.n; n++) {
        err_clear(&e);
        assert_false(join_message_read(&got, (struct slice){out.p, n}, &e));
        assert_int_not_equal(e.code, ERR_NONE);
    }
    buf_add_byte(&out, 0);
    err_clear(&e);
    assert_false(join_message_read(&got, buf_slice(&out), &e));
    buf_close(&out);
}

static void another_kind_is_refused_by_its_number(void **state)
{
    uint8_t hello[] = {0x92, 1, 0xa0};
    struct join_message got;
    struct err e = {0};

    (void)state;
    assert_false(join_message_read(&got, SLICE(hello), &e));
    assert_non_null(strstr(e.text, "message 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(join_is_read_as_it_was_written),
        cmocka_unit_test(welcome_has_the_bytes_that_the_specification_says),
        cmocka_unit_test(a_reason_that_could_drive_a_terminal_is_refused),
        cmocka_unit_test(every_cut_and_every_longer_message_is_refused),
        cmocka_unit_test(another_kind_is_refused_by_its_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
