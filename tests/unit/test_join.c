#include <navette/invite.h>
#include <navette/join.h>

#include "golden.h"

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
    fill(m.proof, sizeof m.proof, 7);
    written(&out, &m);
    assert_true(join_message_read(&got, buf_slice(&out), &e));
    assert_int_equal(got.kind, JOIN_JOIN);
    assert_string_equal(got.name, "CAISSE01");
    assert_memory_equal(got.sign_public, m.sign_public, 32);
    assert_memory_equal(got.exchange_public, m.exchange_public, 32);
    assert_memory_equal(got.proof, m.proof, sizeof m.proof);
    buf_close(&out);
}

/* Another channel, other keys or another name: another statement. */
static void a_proof_speaks_of_the_channel_the_keys_and_the_name(void **state)
{
    struct join_message m = {.kind = JOIN_JOIN, .name = "CAISSE01"};
    uint8_t session[32] = {1};
    struct buf first, changed;

    (void)state;
    join_statement(&first, &m, session);
    for (int i = 0; i < 4; i++) {
        uint8_t *at[] = {session, m.sign_public, m.exchange_public, (uint8_t *)m.name};

        at[i][3] ^= 1;
        join_statement(&changed, &m, session);
        assert_false(slice_equal(buf_slice(&first), buf_slice(&changed)));
        buf_close(&changed);
        at[i][3] ^= 1;
    }
    buf_close(&first);
}

static void messages_are_those_of_the_worked_example(void **state)
{
    uint8_t roster[] = {0xde, 0xad, 0xbe, 0xef};
    struct join_message join = {.kind = JOIN_JOIN, .name = "CAISSE02"};
    struct join_message welcome = {.kind = JOIN_WELCOME, .roster = SLICE(roster)}, got;
    struct join_message sorry = {.kind = JOIN_SORRY, .sorry = "the token has expired"};
    struct buf out = {0}, statement;
    struct invite invite = {0};
    uint8_t session[32];
    struct err e = {0};

    (void)state;
    fill(join.sign_public, 32, 0x10);
    fill(join.exchange_public, 32, 0x50);
    fill(welcome.fleet_key, 32, 0x80);
    golden_take("join.txt", "session", session, sizeof session);
    golden_take("token.txt", "secret", invite.secret, sizeof invite.secret);
    join_statement(&statement, &join, session);
    invite_prove(&invite, buf_slice(&statement), join.proof);
    buf_close(&statement);
    written(&out, &join);
    golden_check("join.txt", "join", buf_slice(&out));
    buf_close(&out);
    written(&out, &sorry);
    golden_check("join.txt", "sorry", buf_slice(&out));
    buf_close(&out);
    written(&out, &welcome);
    golden_check("join.txt", "welcome", buf_slice(&out));
    assert_true(join_message_read(&got, buf_slice(&out), &e));
    assert_true(slice_equal(got.roster, welcome.roster));
    assert_memory_equal(got.fleet_key, welcome.fleet_key, 32);
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
        cmocka_unit_test(a_proof_speaks_of_the_channel_the_keys_and_the_name),
        cmocka_unit_test(messages_are_those_of_the_worked_example),
        cmocka_unit_test(a_reason_that_could_drive_a_terminal_is_refused),
        cmocka_unit_test(every_cut_and_every_longer_message_is_refused),
        cmocka_unit_test(another_kind_is_refused_by_its_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
