/* Change-sets that come in outline: to a newcomer whose file is a copy, from a member. */
#include "brief.h"

#include "floor.h"
#include "links_inside.h"
#include "visitor.h"

#define ROWS "3000"

static const char copied[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price INTEGER, stock INTEGER);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " ROWS ") "
    "INSERT INTO article SELECT i, 'article number ' || i, i * 7 % 100, 10 FROM n";

/* b holds a copy of the file of a, in which `changes` were made since. */
static void open_copies(struct floor *f, struct pc *a, struct pc *b, const char *changes)
{
    *f = (struct floor){0};
    open_founding_pc(f, a, copied);
    pc_open(f, b, "B", copied);
    sql(b, changes);
    b->config.copy = true;
    pc_enrol(a, b);
    pc_track(b);
    pc_start(a);
    AWAIT(f, is_at_rest(a));
}

static bool is_under_way(const struct pc *pc, const struct pc *from)
{
    const struct talk *t = talk_of(pc, from);

    return t != NULL && t->brief.rebuild != NULL;
}

static bool is_same(struct pc *a, struct pc *b, const char *text)
{
    char answer[4096];

    snprintf(answer, sizeof answer, "%s", ask(a, text));
    return holds(b, text, answer);
}

static void rows_that_differ_are_asked_for_and_the_rest_is_not(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_copies(&f, &a, &b, "UPDATE article SET price = -1 WHERE id IN (5, 1700)");
    pc_start(&b);
    AWAIT(&f, is_under_way(&b, &a));
    AWAIT(&f, is_settled(&b) && is_settled(&a));
    assert_true(holds(&a, "SELECT count(*) FROM article", ROWS)); /* none stands twice */
    assert_true(
        is_same(&a, &b, "SELECT count(*) || ' ' || sum(price) || ' ' || sum(id) FROM article"));
    assert_false(is_under_way(&b, &a));
    floor_close(&f);
}

static void a_copy_without_a_difference_needs_no_question(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_copies(&f, &a, &b, "SELECT 1");
    pc_start(&b);
    AWAIT(&f, is_talking(&b, &a));
    AWAIT(&f, is_settled(&b));
    assert_true(holds(&b, "SELECT count(*) FROM article", ROWS));
    assert_true(holds(&a, "SELECT count(*) FROM article", ROWS));
    floor_close(&f);
}

/* Either end goes in the middle; what was told so far is not needed by anybody. */
static void either_end_stops_in_the_middle_and_it_begins_anew(void **state)
{
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct floor f;
        struct pc a, b, *goes = host ? &a : &b;

        open_copies(&f, &a, &b, "UPDATE article SET price = -1 WHERE id IN (5, 1700)");
        pc_start(&b);
        AWAIT(&f, is_under_way(&b, &a));
        pc_stop(goes);
        pc_start(goes);
        AWAIT(&f,
              b.agent.store != NULL && a.agent.store != NULL && is_settled(&b) && is_settled(&a));
        assert_true(holds(&a, "SELECT count(*) FROM article", ROWS));
        assert_true(is_same(&a, &b, "SELECT count(*) || ' ' || sum(price) FROM article"));
        floor_close(&f);
    }
}

static void nothing_is_under_way_in_one_that_is_new(void **state)
{
    struct talk t = {0};
    struct sync_event ev = {0};

    (void)state;
    assert_false(brief_event(&t, &ev));
    brief_rest(&t.brief);
    brief_close(&t.brief);
    brief_close(&t.brief);
}

/* What came of it is told once; then what it was made of can go. */
static void what_became_of_it_is_one_event(void **state)
{
    struct talk t = {.brief = {.number = 7, .ended = true}};
    struct sync_event ev = {0};

    (void)state;
    err_set(&t.brief.e, ERR_INPUT, "no such row");
    assert_true(brief_event(&t, &ev));
    assert_int_equal(ev.kind, SYNC_REBUILT);
    assert_false(ev.ok);
    assert_string_equal(ev.e->text, "no such row");
    assert_false(brief_event(&t, &ev));
    brief_rest(&t.brief);
    assert_int_equal(t.brief.number, 0);
}

/* Who tells an outline that leads nowhere is not believed, and nothing of it stays. */
static void an_outline_that_is_none_is_not_taken(void **state)
{
    static const uint8_t signature[SIGNATURE_BYTES] = {1};
    struct message m = {.kind = MESSAGE_KIND_OUTLINE,
                        .outline = {.header = {(const uint8_t *)"x", 1},
                                    .signature = {signature, sizeof signature},
                                    .outline = {(const uint8_t *)"y", 1}}};
    struct floor f = {0};
    struct visitor v;
    struct pc a, b;

    (void)state;
    open_founding_pc(&f, &a, goods);
    pc_open(&f, &b, "B", goods);
    b.config.copy = true;
    pc_enrol(&a, &b);
    pc_track(&b);
    pc_start(&b);
    AWAIT(&f, b.agent.store != NULL);
    visit(&v, &b, &a.keys);
    AWAIT(&f, v.opened);
    visitor_greets(&v, &b);
    AWAIT(&f, is_talking(&b, &a));
    visitor_says(&v, &m);
    AWAIT(&f, v.closed);
    assert_int_equal(store_have(b.agent.store)->n, 0);
    pc_start(&a);
    AWAIT(&f, is_talking(&b, &a) && is_settled(&b));
    floor_close(&f);
}

/* Each answer may be as large as a change-set. */
static void who_asks_and_does_not_read_is_answered_once_it_reads(void **state)
{
    static uint8_t much[SYNC_UNSENT_BYTES + (1u << 20)] = {0x91, 0x7F}; /* of no known kind */
    struct message brief = {.kind = MESSAGE_KIND_BRIEF, .brief = {.wanted = true}};
    struct message want = {.kind = MESSAGE_KIND_WANT};
    struct message ask = {.kind = MESSAGE_KIND_ASK, .ask = {.number = 1, .what = OUTLINE_NAMES}};
    struct link *to_b;
    struct visitor v;
    struct floor f;
    struct pc a, b;

    (void)state;
    open_copies(&f, &a, &b, "SELECT 1");
    visit(&v, &a, &b.keys);
    AWAIT(&f, v.opened);
    visitor_greets(&v, &a);
    AWAIT(&f, v.heard[MESSAGE_KIND_HELLO] == 1);
    want.want.actor = ask.ask.actor = v.actor;
    visitor_says(&v, &brief);
    visitor_says(&v, &want);
    AWAIT(&f, v.heard[MESSAGE_KIND_OUTLINE] == 1);
    to_b = a.agent.links->conns[0]->link;
    link_hold(v.link);
    while (link_queued(to_b) < SYNC_UNSENT_BYTES)
        link_send(to_b, SLICE(much));
    for (ask.ask.token = 1; ask.ask.token <= 5; ask.ask.token++)
        visitor_says(&v, &ask);
    AWAIT(&f, link_queued(v.link) == 0);
    floor_turns(&f, 50);
    /* The last one: it does not wait for the others any more. */
    link_resume(v.link);
    AWAIT(&f, v.heard[MESSAGE_KIND_TELL] > 0);
    AWAIT(&f, link_queued(to_b) == 0);
    floor_turns(&f, 50);
    assert_int_equal(v.heard[MESSAGE_KIND_TELL], 1);
    visitor_leaves(&v);
    AWAIT(&f, a.agent.links->n == 0);
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_that_differ_are_asked_for_and_the_rest_is_not),
        cmocka_unit_test(a_copy_without_a_difference_needs_no_question),
        cmocka_unit_test(either_end_stops_in_the_middle_and_it_begins_anew),
        cmocka_unit_test(nothing_is_under_way_in_one_that_is_new),
        cmocka_unit_test(what_became_of_it_is_one_event),
        cmocka_unit_test(an_outline_that_is_none_is_not_taken),
        cmocka_unit_test(who_asks_and_does_not_read_is_answered_once_it_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
