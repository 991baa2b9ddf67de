/* How much of a list of members goes over a link: what the peer may lack, and no more. */
#include "sync_net.h"

#include "library.h"

struct story {
    struct net n;
    struct sync *s; /* of A, that talks with B; both have one list */
    struct sync_actions todo;
};

static void story_open(struct story *st)
{
    net_open(&st->n, 2);
    net_link(&st->n, 0, 1);
    net_settle(&st->n);
    st->s = &net_end_of(&st->n, 0, 1)->sync;
    st->todo = (struct sync_actions){0};
}

static void story_close(struct story *st)
{
    buf_close(&st->todo.send);
    net_close(&st->n);
}

/* What A sends of its list when that is `log`, with this digest, and B says `heard` (NULL:
 * nothing): as text; "-": it sends no ROSTER. */
static const char *sent(struct story *st, const char *log, uint8_t digest,
                        const struct message *heard)
{
    static char text[64];
    uint8_t ours[HASH_BYTES] = {digest};
    struct sync_event ev = {.kind = SYNC_LOCAL,
                            .now_ms = st->n.now_ms,
                            .roster = slice_text(log),
                            .roster_digest = ours};
    struct slice left, one;
    struct buf in = {0};
    struct err e = {0};

    if (heard != NULL) {
        buf_open(&in, 1000);
        message_write(&in, heard);
        left = buf_slice(&in);
        assert_true(message_next(&left, &ev.bytes));
        ev.kind = SYNC_MESSAGE;
    }
    buf_clear(&st->todo.send);
    assert_true(sync_step(st->s, &ev, &st->todo, &e));
    buf_close(&in);
    left = buf_slice(&st->todo.send);
    while (message_next(&left, &one)) {
        struct message m;

        assert_true(message_read(&m, one, &e));
        if (m.kind == MESSAGE_KIND_ROSTER) {
            assert_int_equal(m.roster.digest[0], digest);
            snprintf(text, sizeof text, "%.*s", (int)m.roster.log.n, (const char *)m.roster.log.p);
            message_close(&m);
            return text;
        }
        message_close(&m);
    }
    return "-";
}

static struct message says(uint8_t digest)
{
    struct message m = {.kind = MESSAGE_KIND_ROSTER};

    m.roster.digest[0] = digest;
    return m;
}

static void what_the_peer_has_of_a_list_is_not_sent_again(void **state)
{
    struct message has = says(10);
    struct story st;

    (void)state;
    story_open(&st);
    assert_string_equal(sent(&st, "ABC", 10, NULL), "ABC"); /* nobody knows what B has */
    assert_string_equal(sent(&st, "ABCD", 11, NULL), "D");
    assert_string_equal(sent(&st, "ABCDE", 12, &has), "E");
    assert_string_equal(sent(&st, "ABCDE", 12, NULL), "-");
    story_close(&st);
}

/* B has said that it has all of it: A never sent it. */
static void what_the_peer_came_to_by_itself_is_not_sent_either(void **state)
{
    struct message has = says(10);
    struct story st;

    (void)state;
    story_open(&st);
    sent(&st, "A", 9, NULL);
    assert_string_equal(sent(&st, "ABC", 10, &has), ""); /* that A has the same */
    assert_string_equal(sent(&st, "ABCD", 11, NULL), "D");
    story_close(&st);
}

/* What B has just brought is not merged yet: to say meanwhile that A has what it had would be to
 * say that it does not take that. */
static void who_brings_something_new_is_not_told_what_it_has(void **state)
{
    struct message brings = says(20);
    struct story st;

    (void)state;
    story_open(&st);
    sent(&st, "ABC", 10, NULL);
    brings.roster.log = slice_text("D");
    assert_string_equal(sent(&st, "ABC", 10, &brings), "-");
    assert_string_equal(sent(&st, "ABCD", 20, NULL), ""); /* the same as B */
    assert_string_equal(sent(&st, "ABCDE", 21, NULL), "E");
    story_close(&st);
}

/* B stays with its own list, of digest 20. */
static void a_list_that_was_not_taken_is_sent_whole(void **state)
{
    struct message other = says(20);
    struct story st;

    (void)state;
    story_open(&st);
    sent(&st, "ABC", 10, &other);
    assert_string_equal(sent(&st, "ABC", 10, &other), "-");
    assert_true(st.s->apart);
    assert_string_equal(sent(&st, "ABCD", 11, NULL), "ABCD");
    story_close(&st);
}

/* Behind a checkpoint it is another log. */
static void a_list_that_begins_otherwise_is_sent_whole(void **state)
{
    struct story st;

    (void)state;
    story_open(&st);
    sent(&st, "ABCDE", 10, NULL);
    assert_string_equal(sent(&st, "DE", 11, NULL), "DE");
    assert_string_equal(sent(&st, "DEF", 12, NULL), "F");
    story_close(&st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_peer_has_of_a_list_is_not_sent_again),
        cmocka_unit_test(what_the_peer_came_to_by_itself_is_not_sent_either),
        cmocka_unit_test(who_brings_something_new_is_not_told_what_it_has),
        cmocka_unit_test(a_list_that_was_not_taken_is_sent_whole),
        cmocka_unit_test(a_list_that_begins_otherwise_is_sent_whole),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
