/* Joining by letters (stick.c): what each side keeps, and when it is ready. */
#include "stick.h"

#include "fleet.h"
#include "floor.h"

static const struct stick_done nothing_done;

struct story {
    struct floor f;
    struct pc a, b;
    char token[INVITE_TEXT_BYTES_MAX];
    char asked[PATH_BYTES_MAX];
    struct stick_done done;
};

/* a is a fleet of one that has goods; b, in no fleet, has asked to join. */
static void open_story(struct story *s)
{
    struct err e = {0};

    *s = (struct story){0};
    open_founding_pc(&s->f, &s->a, goods);
    pc_open(&s->f, &s->b, "B", no_goods);
    pc_track(&s->b);
    pc_start(&s->a);
    pc_start(&s->b);
    AWAIT(&s->f, is_at_rest(&s->a) && s->b.agent.store != NULL);
    must(agent_invite(&s->a.agent, 60000, true, s->token, &e), &e);
    must(stick_ask(&s->b.agent, s->token, false, s->b.directory, s->asked, &e), &e);
}

static void take(struct pc *pc, const char *path, struct stick_done *done)
{
    char from[PATH_BYTES_MAX];
    struct err e = {0};

    snprintf(from, sizeof from, "%s", path);
    must(stick_take(&pc->agent, from, done, &e), &e);
}

static void expect_refused(struct pc *pc, const char *path, const char *says)
{
    struct stick_done done;
    struct err e = {0};

    assert_false(stick_take(&pc->agent, path, &done, &e));
    if (strstr(e.text, says) == NULL)
        fail_msg("%s", e.text);
}

static void on_drop(void *context, const struct drop_done *done)
{
    struct stick_done *to = context;

    must(done->e.code == ERR_NONE, &done->e);
    if (done->paths != NULL && done->paths->n > 0)
        snprintf(to->path, sizeof to->path, "%s", done->paths->names[0]);
    to->fleet[0] = '!';
}

/* From a to b, as a stick brings it. */
static void bring_all(struct story *s)
{
    struct stick_done drop = nothing_done;
    struct err e = {0};

    must(agent_drop_export(&s->a.agent, s->a.directory, "", on_drop, &drop, &e), &e);
    AWAIT(&s->f, drop.fleet[0] == '!');
    drop.fleet[0] = '\0';
    must(agent_drop_import(&s->b.agent, drop.path, false, on_drop, &drop, &e), &e);
    AWAIT(&s->f, drop.fleet[0] == '!');
}

static void who_is_let_in_by_a_letter_compares_its_rows_with_what_the_maker_had(void **state)
{
    struct story s;

    (void)state;
    open_story(&s);
    take(&s.a, s.asked, &s.done);
    assert_string_equal(s.done.name, "B");
    take(&s.b, s.done.path, &s.done);
    assert_string_equal(s.done.fleet, "Shop");
    assert_false(file_exists(s.b.home.asked));
    AWAIT(&s.f, s.b.agent.store != NULL && is_warned(&s.b, WARNING_MATCHING));
    assert_int_equal(store_state(s.b.agent.store), STORE_MATCHING);
    pc_stop(&s.b); /* what the answer said is kept */
    pc_start(&s.b);
    AWAIT(&s.f, s.b.agent.store != NULL && is_warned(&s.b, WARNING_MATCHING));
    assert_int_equal(store_state(s.b.agent.store), STORE_MATCHING);
    bring_all(&s);
    AWAIT(&s.f, store_state(s.b.agent.store) == STORE_READY);
    AWAIT(&s.f, holds(&s.b, "SELECT count(*) FROM article", "2"));
    assert_false(file_exists(s.b.home.welcome));
    assert_false(is_warned(&s.b, WARNING_MATCHING));
    floor_close(&s.f);
}

static void without_a_request_no_answer_is_taken(void **state)
{
    struct err e = {0};
    struct story s;

    (void)state;
    open_story(&s);
    take(&s.a, s.asked, &s.done);
    must(file_remove(s.b.home.asked, &e), &e);
    expect_refused(&s.b, s.done.path, "has not asked to join");
    must(file_write_atomic(s.b.home.asked, slice_text("nonsense"), 0600, &e), &e);
    expect_refused(&s.b, s.done.path, "is damaged");
    assert_false(s.b.agent.in_fleet);
    floor_close(&s.f);
}

/* The answer says what this PC has: all of that must be published before. */
static void a_pc_whose_own_rows_wait_answers_later(void **state)
{
    struct err e = {0};
    struct story s;

    (void)state;
    open_story(&s);
    pump_close_store(s.a.agent.pump, "the test wants it");
    assert_false(stick_take(&s.a.agent, s.asked, &s.done, &e));
    assert_int_equal(s.a.agent.roster.site_count, 1);
    pump_reopen(s.a.agent.pump, "the test wants it");
    AWAIT(&s.f, s.a.agent.store != NULL && is_at_rest(&s.a));
    take(&s.a, s.asked, &s.done);
    floor_close(&s.f);
}

/* It then waits for a person, as without one. */
static void a_damaged_welcome_costs_what_it_said_and_nothing_else(void **state)
{
    struct stick_welcome w;
    struct err e = {0};
    struct story s;

    (void)state;
    open_story(&s);
    take(&s.a, s.asked, &s.done);
    take(&s.b, s.done.path, &s.done);
    assert_true(stick_welcome_read(&s.b.agent, &w));
    assert_int_equal(w.have.n, 1);
    stick_welcome_close(&w);
    must(file_write_atomic(s.b.home.welcome, slice_text("\x94\xc4\x10"), 0600, &e), &e);
    assert_false(stick_welcome_read(&s.b.agent, &w));
    floor_close(&s.f);
}

/* With the token of each in hand the person goes by what he is told. */
static void who_asked_with_two_tokens_and_was_let_in_by_the_first_asks_with_that_again(void **state)
{
    char second[INVITE_TEXT_BYTES_MAX], asked[PATH_BYTES_MAX];
    struct err e = {0};
    struct story s;

    (void)state;
    open_story(&s);
    must(agent_invite(&s.a.agent, 60000, true, second, &e), &e);
    must(stick_ask(&s.b.agent, second, false, s.b.directory, asked, &e), &e);
    take(&s.a, s.asked, &s.done);
    expect_refused(&s.a, asked, "on it with that other one");
    expect_refused(&s.b, s.done.path, "ask with its token again");
    assert_false(s.b.agent.in_fleet);
    must(stick_ask(&s.b.agent, s.token, false, s.b.directory, s.asked, &e), &e);
    take(&s.b, s.done.path, &s.done);
    assert_true(fleet_is_member(&s.b.agent));
    floor_close(&s.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_let_in_by_a_letter_compares_its_rows_with_what_the_maker_had),
        cmocka_unit_test(without_a_request_no_answer_is_taken),
        cmocka_unit_test(a_pc_whose_own_rows_wait_answers_later),
        cmocka_unit_test(
            who_asked_with_two_tokens_and_was_let_in_by_the_first_asks_with_that_again),
        cmocka_unit_test(a_damaged_welcome_costs_what_it_said_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
