/* Whose copy is it? The keys that members tell of show it. */
#include <navette/wire.h>

#include "inside.h"
#include "sites.h"

#define NOTES 30

static const char notes[] = "CREATE TABLE note(id INTEGER PRIMARY KEY, body TEXT);";

struct told {
    struct buf bytes;
    struct slice keys;
};

static void write_notes(struct site *s, const char *whose)
{
    char text[300];

    snprintf(text, sizeof text,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
             "INSERT INTO note SELECT i, '%s ' || i FROM n",
             NOTES, whose);
    sql(s, text);
}

/* Both numbered their notes alike, apart: each has its own at 1 to 30, and the other's behind. */
static void open_apart(struct site *a, struct site *b)
{
    open_pair(a, b, notes, notes);
    write_notes(a, "by A");
    write_notes(b, "by B");
    exchange(a, b);
    expect(a, "SELECT count(*), min(id), max(id) FROM note", "60|1|60");
}

static struct told keys_of(struct site *s)
{
    struct told t = {0};
    struct err e = {0};

    buf_open(&t.bytes, KEYS_BYTES_MAX);
    check(store_keys(s->store, &t.bytes, &e), &e);
    t.keys = buf_slice(&t.bytes);
    return t;
}

/* A newcomer with a copy of the rows of `of`, which has all that members have. */
static void open_copy(struct site *c, struct site *a, struct site *of)
{
    struct err e = {0};
    char text[200];

    *c = (struct site){0};
    open_site(c, notes);
    snprintf(text, sizeof text, "ATTACH '%s' AS other", of->database);
    sql(c, text);
    sql(c, "INSERT INTO note SELECT * FROM other.note");
    sql(c, "DETACH other");
    enrol_site(a, c, "C");
    open_store(c);
    check(store_track(c->store, NULL, 0, &e), &e);
    carry(a, c);
    work(c);
}

static void a_founders_keys_are_its_own_and_need_not_be_told(void **state)
{
    struct site a = {0};
    struct told t;
    struct err e = {0};
    struct reader r;

    (void)state;
    open_founder(&a, notes);
    write_notes(&a, "by A");
    work(&a);
    t = keys_of(&a);
    r = reader_of(t.keys, &e);
    read_array_exact(&r, 2, "keys");
    for (uint32_t n = read_array(&r, ACTORS_MAX, "actors"); n > 0; n--) {
        uint8_t actor[ACTOR_BYTES];

        read_bin_exact(&r, actor, sizeof actor, "actor");
    }
    assert_int_equal(read_array(&r, 1000, "keys"), 0);
    assert_true(read_end(&r));
    buf_close(&t.bytes);
    close_site(&a);
}

static void no_more_keys_are_told_than_there_is_room_for(void **state)
{
    struct site a, b;
    struct told all;
    struct err e = {0};
    struct buf few;

    (void)state;
    open_apart(&a, &b);
    all = keys_of(&b);
    assert_true(all.keys.n > 100);
    for (size_t room = KEYS_BYTES_MIN; room < all.keys.n; room += 10) {
        buf_open(&few, room);
        check(store_keys(b.store, &few, &e), &e);
        assert_false(few.overflow);
        assert_int_equal(few.n, KEYS_BYTES_MIN);
        buf_close(&few);
    }
    buf_open(&few, (ACTORS_MAX + 1) * (ACTOR_BYTES + 8) + 64);
    check(store_keys(b.store, &few, &e), &e);
    assert_false(few.overflow);
    assert_in_range(few.n, KEYS_BYTES_MIN + 1, all.keys.n - 1);
    buf_close(&few);
    buf_close(&all.bytes);
    close_pair(&a, &b);
}

/* The one who is asked second, too, and with any other number of answers. */
static void of_several_members_the_one_whose_copy_it_is_is_believed(void **state)
{
    (void)state;
    for (int copy_of_b = 0; copy_of_b < 2; copy_of_b++)
        for (int said = 0; said < 2; said++) {
            struct site a, b, c;
            struct told from_a, from_b;
            struct slice keys[2];
            struct err e = {0};

            open_apart(&a, &b);
            open_copy(&c, &a, copy_of_b ? &b : &a);
            from_a = keys_of(&a);
            from_b = keys_of(&b);
            keys[0] = from_a.keys;
            keys[1] = from_b.keys;
            check(store_match(c.store, said, keys, 2, c.now_ms, &e), &e);
            assert_int_equal(store_state(c.store), STORE_READY);
            exchange(&a, &c);
            expect(&c, "SELECT count(*) FROM note", "60");
            expect_same(copy_of_b ? &b : &a, &c, "SELECT * FROM note ORDER BY id");
            expect(&a, "SELECT count(*) FROM note", "60");
            assert_int_equal(made_by(&c), 0);
            buf_close(&from_a.bytes);
            buf_close(&from_b.bytes);
            close_site(&c);
            close_pair(&a, &b);
        }
}

static void keys_that_are_none_are_refused_and_nothing_is_matched(void **state)
{
    static const char *const hostile[] = {"",
                                          "keys",
                                          "\x92\x90",
                                          "\x92\x90\xdd\xff\xff\xff\xff",
                                          "\x92\xdd\xff\xff\xff\xff\x90",
                                          "\x92\x91\xc4\x05short\x90",
                                          "\x92\x90\x91\x93\x00\x01",
                                          "\x92\x90\x90\x00"};
    struct site a, b, c;

    (void)state;
    open_apart(&a, &b);
    open_copy(&c, &a, &b);
    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        struct slice keys = slice_text(hostile[i]);
        struct err e = {0};

        if (i + 1 == COUNT_OF(hostile))
            keys.n = 4; /* its last byte is a NUL, which is one too many */
        assert_false(store_match(c.store, false, &keys, 1, c.now_ms, &e));
        assert_true(e.code == ERR_INPUT || e.code == ERR_LIMIT);
        assert_int_equal(store_state(c.store), STORE_MATCHING);
    }
    close_site(&c);
    close_pair(&a, &b);
}

/* Of actors that nobody here has heard of, and of rows that there are not: passed over. */
static void keys_of_what_is_not_known_are_passed_over(void **state)
{
    struct site a, b, c;
    struct told from_b;
    struct buf bytes;
    struct writer w = {.out = &bytes};
    uint8_t nobody[ACTOR_BYTES] = {1};
    struct slice keys[2];
    struct err e = {0};

    (void)state;
    open_apart(&a, &b);
    open_copy(&c, &a, &b);
    buf_open(&bytes, 1000);
    write_array(&w, 2);
    write_array(&w, 1);
    write_bin(&w, SLICE(nobody));
    write_array(&w, 2);
    for (uint64_t actor = 0; actor < 2; actor++) {
        write_array(&w, 3);
        write_uint(&w, actor);
        write_uint(&w, 1);
        write_int(&w, 7);
    }
    from_b = keys_of(&b);
    keys[0] = buf_slice(&bytes);
    keys[1] = from_b.keys;
    check(store_match(c.store, false, keys, 2, c.now_ms, &e), &e);
    exchange(&a, &c);
    expect(&a, "SELECT count(*) FROM note", "60");
    buf_close(&bytes);
    buf_close(&from_b.bytes);
    close_site(&c);
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_founders_keys_are_its_own_and_need_not_be_told),
        cmocka_unit_test(no_more_keys_are_told_than_there_is_room_for),
        cmocka_unit_test(of_several_members_the_one_whose_copy_it_is_is_believed),
        cmocka_unit_test(keys_that_are_none_are_refused_and_nothing_is_matched),
        cmocka_unit_test(keys_of_what_is_not_known_are_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
