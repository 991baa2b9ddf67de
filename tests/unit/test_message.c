#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <navette/message.h>

#define GOLDEN_BYTES_MAX 4096

/* The bytes of tests/golden/message-<name>.hex. */
static struct buf golden(const char *name)
{
    char path[512], text[2 * GOLDEN_BYTES_MAX + 1];
    struct buf bytes;
    size_t digits = 0;
    FILE *file;
    int c;

    snprintf(path, sizeof path, "%s/message-%s.hex", GOLDEN_DIR, name);
    file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("cannot read %s", path);
    while ((c = fgetc(file)) != EOF && digits < sizeof text - 1) {
        if (c != '\n')
            text[digits++] = (char)c;
    }
    text[digits] = '\0';
    fclose(file);
    buf_open(&bytes, GOLDEN_BYTES_MAX);
    assert_true(hex_read(buf_extend(&bytes, digits / 2), digits / 2, text));
    return bytes;
}

static void fill(uint8_t *out, size_t n, uint8_t first, uint8_t step)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(first + i * step);
}

static struct actor actor_from(uint8_t first)
{
    struct actor a;

    fill(a.bytes, sizeof a.bytes, first, 1);
    return a;
}

static void add(struct vector *v, uint8_t actor, uint64_t number, uint8_t hash)
{
    struct actor a = actor_from(actor);
    uint8_t bytes[HASH_BYTES];

    fill(bytes, sizeof bytes, hash, 0);
    assert_true(vector_set(v, &a, number, bytes));
}

/* `m` is written as the golden bytes say, and they read as something that is written so again. */
static void assert_golden(const char *name, const struct message *m)
{
    struct buf expected = golden(name), out;
    struct slice left, one;
    struct message again;
    struct err e = {0};

    buf_open(&out, 2 * GOLDEN_BYTES_MAX);
    message_write(&out, m);
    left = buf_slice(&out);
    assert_true(message_next(&left, &one));
    assert_int_equal(left.n, 0);
    assert_true(slice_equal(one, buf_slice(&expected)));
    buf_clear(&out);
    if (!message_read(&again, buf_slice(&expected), &e))
        fail_msg("%s", e.text);
    assert_int_equal(again.kind, m->kind);
    message_write(&out, &again);
    left = buf_slice(&out);
    assert_true(message_next(&left, &one));
    assert_true(slice_equal(one, buf_slice(&expected)));
    message_close(&again);
    buf_close(&out);
    buf_close(&expected);
}

static void hello_keeps_its_layout(void **state)
{
    struct message m = {.kind = MESSAGE_KIND_HELLO};

    (void)state;
    m.hello.protocol = 1;
    m.hello.wall_ms = 1760000000000;
    m.hello.actor = actor_from(0x40);
    fill(m.hello.roster_digest, HASH_BYTES, 0x33, 0);
    add(&m.hello.have, 0x10, 7, 0x11);
    add(&m.hello.have, 0x40, 300, 0x22);
    add(&m.hello.applied, 0x10, 6, 0x33);
    assert_golden("hello", &m);
    message_close(&m);
}

static void roster_keeps_its_layout(void **state)
{
    struct message m = {.kind = MESSAGE_KIND_ROSTER};

    (void)state;
    fill(m.roster.digest, HASH_BYTES, 0x22, 0);
    m.roster.log = slice_text("roster log");
    assert_golden("roster", &m);
}

static void have_keeps_its_layout(void **state)
{
    struct message m = {.kind = MESSAGE_KIND_HAVE};

    (void)state;
    add(&m.have.have, 0x40, 70000, 0x11);
    assert_golden("have", &m);
    message_close(&m);
}

static void want_keeps_its_layout(void **state)
{
    struct message m = {.kind = MESSAGE_KIND_WANT};

    (void)state;
    m.want.actor = actor_from(0x10);
    m.want.after = UINT64_C(1) << 40;
    assert_golden("want", &m);
}

static void changeset_keeps_its_layout(void **state)
{
    struct message m = {.kind = MESSAGE_KIND_CHANGESET};

    (void)state;
    m.changeset.bytes = slice_text("change-set");
    assert_golden("changeset", &m);
}

static void ping_and_pong_keep_their_layout(void **state)
{
    struct message m = {.kind = MESSAGE_KIND_PING};

    (void)state;
    m.ping.token = 1;
    m.ping.wall_ms = 1760000000001;
    assert_golden("ping", &m);
    m = (struct message){.kind = MESSAGE_KIND_PONG};
    m.pong.token = 1;
    m.pong.wall_ms = 1760000000002;
    assert_golden("pong", &m);
}

static void bye_keeps_its_layout(void **state)
{
    struct message m = {.kind = MESSAGE_KIND_BYE};

    (void)state;
    m.bye.code = slice_text("timeout");
    m.bye.text = slice_text("nothing heard for 9000 ms");
    assert_golden("bye", &m);
}

static void askkeys_and_keys_keep_their_layout(void **state)
{
    struct message m = {.kind = MESSAGE_KIND_ASKKEYS};

    (void)state;
    m.askkeys.bytes = KEYS_BYTES_MAX;
    assert_golden("askkeys", &m);
    m = (struct message){.kind = MESSAGE_KIND_KEYS};
    m.keys.keys = slice_text("local keys");
    assert_golden("keys", &m);
}

static void messages_about_outlines_keep_their_layout(void **state)
{
    struct message m = {.kind = MESSAGE_KIND_BRIEF, .brief = {.wanted = true}};
    static const uint8_t picks[] = {0x92, 1, 5};
    uint8_t signature[SIGNATURE_BYTES];

    (void)state;
    assert_golden("brief", &m);
    fill(signature, sizeof signature, 0, 1);
    m = (struct message){.kind = MESSAGE_KIND_OUTLINE};
    m.outline.header = slice_text("header");
    m.outline.signature = SLICE(signature);
    m.outline.outline = slice_text("outline");
    assert_golden("outline", &m);
    m = (struct message){.kind = MESSAGE_KIND_ASK};
    m.ask.token = 9;
    m.ask.actor = actor_from(0x10);
    m.ask.number = 7;
    m.ask.what = 2;
    m.ask.picks = SLICE(picks);
    assert_golden("ask", &m);
    m = (struct message){.kind = MESSAGE_KIND_TELL};
    m.tell.token = 9;
    m.tell.bytes = slice_text("cells");
    assert_golden("tell", &m);
}

static void messages_about_presence_keep_their_layout(void **state)
{
    struct message m = {.kind = MESSAGE_KIND_ASKPRESENCE};
    uint8_t signature[SIGNATURE_BYTES];

    (void)state;
    fill(m.askpresence.session, HASH_BYTES, 0x11, 0);
    assert_golden("askpresence", &m);
    m = (struct message){.kind = MESSAGE_KIND_PRESENCE};
    fill(m.presence.session, HASH_BYTES, 0x11, 0);
    fill(m.presence.run, HASH_BYTES, 0x22, 0);
    fill(signature, sizeof signature, 0, 1);
    m.presence.signature = SLICE(signature);
    assert_golden("presence", &m);
}

/* Cut anywhere, or with a byte too many, it is refused; the copy is exact so that reading past its
 * end is seen. */
static void a_cut_message_is_refused_at_every_byte(void **state)
{
    static const char *const names[] = {
        "hello",   "roster", "have",  "want",    "changeset", "ping", "pong",        "bye",
        "askkeys", "keys",   "brief", "outline", "ask",       "tell", "askpresence", "presence"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct buf whole = golden(names[i]);

        buf_add_byte(&whole, 0);
        for (size_t n = 0; n <= whole.n; n++) {
            uint8_t *part = mem_alloc(n);
            struct message m;
            struct err e = {0};

            memcpy(part, whole.p, n);
            assert_true(message_read(&m, (struct slice){part, n}, &e) == (n == whole.n - 1));
            assert_true((e.code == ERR_NONE) == (n == whole.n - 1));
            message_close(&m);
            free(part);
        }
        buf_close(&whole);
    }
}

static void assert_refused(struct slice bytes, enum err_code code)
{
    struct message m;
    struct err e = {0};

    assert_false(message_read(&m, bytes, &e));
    assert_int_equal(e.code, code);
    message_close(&m);
}

static void kinds_below_128_must_be_known_and_others_are_skipped(void **state)
{
    static const uint8_t unknown[] = {0x91, 9}, zero[] = {0x91, 0}, empty[] = {0x90};
    static const uint8_t later[] = {0x93, 0xcc, 0x80, 0xa1, 'x', 0xc0};
    struct message m;
    struct err e = {0};

    (void)state;
    assert_refused(SLICE(unknown), ERR_INPUT);
    assert_refused(SLICE(zero), ERR_INPUT);
    assert_refused(SLICE(empty), ERR_INPUT);
    assert_true(message_read(&m, SLICE(later), &e));
    assert_int_equal(m.kind, 128);
    message_close(&m);
}

static void a_field_too_many_or_too_few_is_refused(void **state)
{
    static const uint8_t few[] = {0x92, 6, 1}, many[] = {0x94, 6, 1, 1, 1};

    (void)state;
    assert_refused(SLICE(few), ERR_INPUT);
    assert_refused(SLICE(many), ERR_INPUT);
}

/* Headers that promise gigabytes must not make us reserve them. */
static void promises_larger_than_the_message_are_refused(void **state)
{
    static const uint8_t array[] = {0xdd, 0xff, 0xff, 0xff, 0xff, 1};
    static const uint8_t vector[] = {0x93, 3, 0xdd, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t log[] = {0x92, 5, 0xc6, 0xff, 0xff, 0xff, 0xff};
    struct message m;
    struct err e = {0};

    (void)state;
    assert_false(message_read(&m, SLICE(array), &e));
    message_close(&m);
    err_clear(&e);
    assert_false(message_read(&m, SLICE(vector), &e));
    message_close(&m);
    err_clear(&e);
    assert_false(message_read(&m, SLICE(log), &e));
    message_close(&m);
}

static void words_and_texts_are_bounded(void **state)
{
    struct message m = {.kind = MESSAGE_KIND_BYE}, read;
    char text[MESSAGE_TEXT_BYTES_MAX + 2];
    struct slice left, one;
    struct err e = {0};
    struct buf out;

    (void)state;
    memset(text, 'x', sizeof text);
    buf_open(&out, 1000);
    m.bye.text = (struct slice){(const uint8_t *)text, MESSAGE_TEXT_BYTES_MAX + 1};
    message_write(&out, &m);
    left = buf_slice(&out);
    assert_true(message_next(&left, &one));
    assert_false(message_read(&read, one, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    message_close(&read);
    buf_close(&out);
}

static void another_protocol_says_only_its_number(void **state)
{
    static const uint8_t bytes[] = {0x93, 1, 2, 0xc0};
    struct message m;
    struct err e = {0};

    (void)state;
    assert_true(message_read(&m, SLICE(bytes), &e));
    assert_int_equal(m.kind, MESSAGE_KIND_HELLO);
    assert_int_equal(m.hello.protocol, 2);
    message_close(&m);
}

/* Half a message must never be sent. */
static void what_does_not_fit_is_not_written_at_all(void **state)
{
    struct message ping = {.kind = MESSAGE_KIND_PING};
    struct message roster = {.kind = MESSAGE_KIND_ROSTER};
    struct buf out;
    size_t before;

    (void)state;
    roster.roster.log = slice_text("a log that is longer than what is left");
    buf_open(&out, 50);
    message_write(&out, &ping);
    before = out.n;
    message_write(&out, &roster);
    assert_true(out.overflow);
    assert_int_equal(out.n, before);
    buf_close(&out);
}

static void messages_are_taken_apart_by_their_lengths(void **state)
{
    static const uint8_t bytes[] = {0, 0, 0, 2, 'a', 'b', 0, 0, 0, 0, 0, 0, 0, 3, 'c'};
    struct slice left = SLICE(bytes), one;

    (void)state;
    assert_true(message_next(&left, &one));
    assert_true(slice_equal(one, slice_text("ab")));
    assert_true(message_next(&left, &one));
    assert_int_equal(one.n, 0);
    assert_false(message_next(&left, &one));
    assert_int_equal(left.n, 5);
}

static bool begins(const char *start, size_t start_bytes, size_t bytes, enum err_code *why)
{
    struct err e = {0};
    uint8_t *p = calloc(1, bytes);
    bool ok;

    memcpy(p, start, start_bytes < bytes ? start_bytes : bytes);
    ok = message_begins((struct slice){p, bytes}, bytes, &e);
    *why = e.code;
    free(p);
    return ok;
}

#define BEGINS(start, bytes) begins(start, sizeof start - 1, bytes, &why)

static void a_message_may_not_grow_beyond_its_kind(void **state)
{
    enum err_code why;

    (void)state;
    assert_true(BEGINS("", 0));
    assert_true(BEGINS("\x93", 1));
    assert_true(BEGINS("\x93\x06", 20));
    assert_false(BEGINS("\x93\x06", 21));
    assert_int_equal(why, ERR_LIMIT);
    assert_true(BEGINS("\x93\x08", 32 + 256 + 7));
    assert_false(BEGINS("\x93\x08", 32 + 256 + 8));
    assert_false(BEGINS("\x93\x03", ACTORS_MAX * 200));
    assert_true(BEGINS("\x92\xcc\xff", MESSAGE_SKIPPED_BYTES_MAX));
    assert_false(BEGINS("\x92\xcc\xff", MESSAGE_SKIPPED_BYTES_MAX + 1));
    assert_false(BEGINS("\x92\x0f", 100)); /* a kind that is none */
    assert_false(BEGINS("\x91\x91\x91", 100));
    assert_int_equal(why, ERR_INPUT);
    assert_false(BEGINS("\xa5hello", 100));
}

static void a_changeset_may_not_grow_beyond_what_it_says(void **state)
{
    enum err_code why;

    (void)state;
    assert_true(BEGINS("\x92\x05\xc4", 5)); /* too little to tell */
    assert_true(BEGINS("\x92\x05\xc4\xff", 4 + 255));
    assert_false(BEGINS("\x92\x05\xc4\xff", 4 + 256));
    assert_true(BEGINS("\x92\x05\xc5\x10\x00", 5 + 4096));
    assert_false(BEGINS("\x92\x05\xc5\x10\x00", 5 + 4097));
    assert_true(BEGINS("\x92\x05\xc6\x00\x10\x00\x00", 7 + (1 << 20)));
    assert_false(BEGINS("\x92\x05\xc6\x00\x10\x00\x00", 8 + (1 << 20)));
    assert_false(BEGINS("\x92\x05\xc6\xff\xff\xff\xff", 100));
    assert_false(BEGINS("\x92\x05\x91", 100));
}

/* The same of a list of members, whose digest comes first. */
static void a_roster_may_not_grow_beyond_what_it_says(void **state)
{
    const size_t before = 2 + 2 + HASH_BYTES;
    char start[64] = "\x93\x02\xc4\x20";
    enum err_code why;

    (void)state;
    assert_true(begins(start, before, before + 4, &why)); /* too little to tell */
    assert_false(begins(start, before, before + 5, &why));
    assert_int_equal(why, ERR_LIMIT);
    memcpy(start + before, "\xc5\x10\x00", 3);
    assert_true(begins(start, before + 3, before + 3 + 4096, &why));
    assert_false(begins(start, before + 3, before + 3 + 4097, &why));
    start[before] = (char)0xc6;
    be32_write((uint8_t *)start + before + 1, ROSTER_BYTES_MAX);
    assert_true(begins(start, before + 5, before + 5 + ROSTER_BYTES_MAX, &why));
    assert_false(begins(start, before + 5, before + 6 + ROSTER_BYTES_MAX, &why));
    be32_write((uint8_t *)start + before + 1, ROSTER_BYTES_MAX + 1);
    assert_false(begins(start, before + 5, 100, &why));
}

static void keys_may_not_grow_beyond_what_they_say(void **state)
{
    enum err_code why;

    (void)state;
    assert_true(BEGINS("\x92\x0a\xc5\x10\x00", 5 + 4096));
    assert_false(BEGINS("\x92\x0a\xc5\x10\x00", 5 + 4097));
    assert_int_equal(why, ERR_LIMIT);
    assert_true(BEGINS("\x92\x0a\xc6\x02\x00\x00\x00", 7 + KEYS_BYTES_MAX));
    assert_false(BEGINS("\x92\x0a\xc6\x02\x00\x00\x01", 100));
}

/* Of one that is put aside only the beginning is at hand. */
static void the_beginning_of_a_message_tells_how_long_it_may_be(void **state)
{
    static const uint8_t start[] = {0x92, MESSAGE_KIND_CHANGESET, 0xC6, 0, 0x10, 0, 0, 0, 0};
    struct err e = {0};

    (void)state;
    assert_true(message_begins(SLICE(start), 7 + (1 << 20), &e));
    assert_false(message_begins(SLICE(start), 8 + (1 << 20), &e));
}

/* What is written is never taken for too long. */
static void every_part_of_a_message_may_begin(void **state)
{
    static const uint8_t content[70000];
    struct message messages[] = {
        {.kind = MESSAGE_KIND_PING, .ping = {MESSAGE_NUMBER_MAX, MESSAGE_NUMBER_MAX}},
        {.kind = MESSAGE_KIND_CHANGESET, .changeset = {{content, 200}}},
        {.kind = MESSAGE_KIND_CHANGESET, .changeset = {{content, 300}}},
        {.kind = MESSAGE_KIND_CHANGESET, .changeset = {{content, sizeof content}}},
        {.kind = MESSAGE_KIND_ROSTER, .roster = {.log = {content, sizeof content}}},
        {.kind = MESSAGE_KIND_KEYS, .keys = {{content, 2}}},
        {.kind = MESSAGE_KIND_KEYS, .keys = {{content, sizeof content}}},
    };
    struct buf out = {0};
    struct slice left, one;

    (void)state;
    buf_open(&out, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(messages); i++)
        message_write(&out, &messages[i]);
    left = buf_slice(&out);
    while (message_next(&left, &one))
        for (size_t n = 0; n <= one.n; n += n < 400 || n + 1009 > one.n ? 1 : 1009) {
            struct err e = {0};

            assert_true(message_begins((struct slice){one.p, n}, n, &e));
        }
    buf_close(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_keeps_its_layout),
        cmocka_unit_test(roster_keeps_its_layout),
        cmocka_unit_test(have_keeps_its_layout),
        cmocka_unit_test(want_keeps_its_layout),
        cmocka_unit_test(changeset_keeps_its_layout),
        cmocka_unit_test(ping_and_pong_keep_their_layout),
        cmocka_unit_test(askkeys_and_keys_keep_their_layout),
        cmocka_unit_test(messages_about_outlines_keep_their_layout),
        cmocka_unit_test(messages_about_presence_keep_their_layout),
        cmocka_unit_test(bye_keeps_its_layout),
        cmocka_unit_test(a_cut_message_is_refused_at_every_byte),
        cmocka_unit_test(kinds_below_128_must_be_known_and_others_are_skipped),
        cmocka_unit_test(a_field_too_many_or_too_few_is_refused),
        cmocka_unit_test(promises_larger_than_the_message_are_refused),
        cmocka_unit_test(words_and_texts_are_bounded),
        cmocka_unit_test(another_protocol_says_only_its_number),
        cmocka_unit_test(what_does_not_fit_is_not_written_at_all),
        cmocka_unit_test(messages_are_taken_apart_by_their_lengths),
        cmocka_unit_test(a_message_may_not_grow_beyond_its_kind),
        cmocka_unit_test(a_changeset_may_not_grow_beyond_what_it_says),
        cmocka_unit_test(a_roster_may_not_grow_beyond_what_it_says),
        cmocka_unit_test(keys_may_not_grow_beyond_what_they_say),
        cmocka_unit_test(the_beginning_of_a_message_tells_how_long_it_may_be),
        cmocka_unit_test(every_part_of_a_message_may_begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
