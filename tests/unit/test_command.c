/* What each request does to the agent. */
#include "command.h"

#include "floor.h"
#include "request.h"

static bool run(struct pc *pc, const char *command, const char *args, struct json_object **result,
                struct err *e)
{
    struct request r;
    char line[400];
    bool ok;

    err_clear(e);
    *result = NULL;
    snprintf(line, sizeof line, "{\"id\":1,\"command\":\"%s\",\"args\":{%s}}", command, args);
    must(request_parse(&r, slice_text(line), e), e);
    ok = command_run(&pc->agent, &r, result, e);
    request_close(&r);
    return ok;
}

static struct json_object *done(struct pc *pc, const char *command, const char *args)
{
    struct json_object *result;
    struct err e = {0};

    must(run(pc, command, args, &result, &e), &e);
    assert_non_null(result);
    return result;
}

static void expect_refused(struct pc *pc, const char *command, const char *args, const char *says)
{
    struct json_object *result;
    struct err e = {0};

    if (run(pc, command, args, &result, &e))
        fail_msg("%s went through", command);
    if (strstr(e.text, says) == NULL)
        fail_msg("%s: %s", command, e.text);
    json_object_put(result);
}

static void looking_and_changing_each_give_their_answer(void **state)
{
    struct json_object *o;
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    o = done(&a, "status", "");
    assert_string_equal(text_of(o, "name"), "A");
    json_object_put(o);
    o = done(&a, "peers", "");
    assert_int_equal(json_object_array_length(json_object_object_get(o, "peers")), 1);
    json_object_put(o);
    o = done(&a, "tables", "");
    assert_int_equal(json_object_array_length(json_object_object_get(o, "tables")), 1);
    json_object_put(o);
    o = done(&a, "sync", "");
    assert_int_equal(number_of(o, "connected"), 1);
    json_object_put(o);
    o = done(&a, "invite", "\"ttl_ms\":60000");
    assert_true(strlen(text_of(o, "token")) > 20);
    assert_int_equal(number_of(o, "ttl_ms"), 60000);
    json_object_put(o);
    o = done(&a, "rules-set", "\"rules\":[{\"target\":\"article.stock\",\"kind\":\"counter\"}]");
    assert_int_equal(number_of(o, "changed"), 1);
    json_object_put(o);
    AWAIT(&f, b.agent.roster.rules.n == 1); /* it went to the others */
    o = done(&a, "conflicts", "");
    json_object_put(o);
    o = done(&a, "parked", "");
    json_object_put(o);
    o = done(&a, "roster", "");
    assert_int_equal(json_object_array_length(json_object_object_get(o, "members")), 2);
    json_object_put(o);
    o = done(&a, "stop", "");
    json_object_put(o);
    floor_close(&f);
}

static void tables_that_are_untracked_are_tracked_again(void **state)
{
    struct json_object *o;
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    o = done(&b, "untrack", "\"tables\":[\"article\"]");
    json_object_put(o);
    sql(&b, "UPDATE article SET stock = 3 WHERE id = 1");
    o = done(&b, "track", "\"all\":true");
    json_object_put(o);
    AWAIT(&f, holds(&a, "SELECT stock FROM article WHERE id = 1", "3"));
    floor_close(&f);
}

/* Not yet: control asks again until its time is over. */
static void wait_is_busy_until_all_is_settled(void **state)
{
    struct json_object *o;
    struct err e = {0};
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    o = done(&a, "wait", "");
    assert_true(json_object_get_boolean(json_object_object_get(o, "settled")));
    assert_int_equal(number_of(o, "connected"), 1);
    json_object_put(o);
    sql(&b, "BEGIN IMMEDIATE");
    sql(&a, "UPDATE article SET stock = 5");
    AWAIT(&f, pump_times(b.agent.pump)->busy > 0);
    assert_false(run(&b, "wait", "\"timeout_ms\":1234", &o, &e));
    assert_int_equal(e.code, ERR_BUSY);
    assert_non_null(strstr(e.text, "1234"));
    json_object_put(o);
    sql(&b, "COMMIT");
    AWAIT(&f, is_settled(&b));
    floor_close(&f);
}

static void without_a_fleet_or_a_database_it_says_so(void **state)
{
    static const char *const need_store[] = {"tables", "conflicts", "parked"};
    static const char *const need_fleet[] = {"roster", "rotate", "invite"};
    struct floor f = {0};
    struct pc a;

    (void)state;
    pc_open(&f, &a, "A", goods);
    pc_start(&a);
    for (size_t i = 0; i < COUNT_OF(need_store); i++)
        expect_refused(&a, need_store[i], "", "not open yet");
    for (size_t i = 0; i < COUNT_OF(need_fleet); i++)
        expect_refused(&a, need_fleet[i], "", "in no fleet");
    expect_refused(&a, "rules", "", "in none yet");
    expect_refused(&a, "wait", "", "not open");
    floor_close(&f);
}

static void in_doubt_one_may_look_and_stop_and_nothing_else(void **state)
{
    struct agent a = {.doubt = "two PCs have this identity"};
    struct err e = {0};

    (void)state;
    for (int kind = REQUEST_STATUS; kind <= REQUEST_INVITE_CANCEL; kind++) {
        struct request r = {.kind = (enum request_kind)kind};
        bool may = kind == REQUEST_STATUS || kind == REQUEST_PEERS || kind == REQUEST_STOP;

        err_clear(&e);
        assert_int_equal(command_allowed(&a, &r, &e), may);
        assert_int_equal(e.code, may ? ERR_NONE : ERR_REFUSED);
        assert_true(may || strstr(e.text, "two PCs have this identity") != NULL);
    }
    a.doubt[0] = '\0';
    assert_true(command_allowed(&a, &(struct request){.kind = REQUEST_ROTATE}, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looking_and_changing_each_give_their_answer),
        cmocka_unit_test(tables_that_are_untracked_are_tracked_again),
        cmocka_unit_test(wait_is_busy_until_all_is_settled),
        cmocka_unit_test(without_a_fleet_or_a_database_it_says_so),
        cmocka_unit_test(in_doubt_one_may_look_and_stop_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
