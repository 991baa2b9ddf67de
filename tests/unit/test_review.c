/* What a person should look at, as JSON. */
#include "review.h"

#include <json-c/json.h>

#include "listed.h"
#include "request.h"

static bool run(struct site *s, struct json_object **result, struct err *e, const char *format, ...)
    PRINTF_LIKE(4, 5);
static bool run(struct site *s, struct json_object **result, struct err *e, const char *format, ...)
{
    struct request r;
    va_list arguments;
    char line[300];
    bool ok;

    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    err_clear(e);
    check(request_parse(&r, slice_text(line), e), e);
    assert_true(review_is_request(&r));
    ok = review_run(s->store, &r, s->now_ms, result, e);
    request_close(&r);
    return ok;
}

/* The same, of one that names a conflict. */
static bool run_on(struct site *s, struct json_object **result, struct err *e, const char *command,
                   int64_t number)
{
    return run(s, result, e, "{\"id\":1,\"command\":\"%s\",\"args\":{\"number\":%d}}", command,
               (int)number);
}

static struct json_object *in(struct json_object *o, const char *name)
{
    return json_object_object_get(o, name);
}

static void expect_text(struct json_object *o, const char *name, const char *text)
{
    assert_string_equal(json_object_get_string(in(o, name)), text);
}

/* One price, written apart: A's is lost. */
static int64_t open_quarrel(struct site *a, struct site *b)
{
    struct json_object *o, *one;
    struct err e = {0};
    int64_t number;

    open_pair(a, b, schema, schema);
    sql(a, "INSERT INTO article(id, name, price) VALUES (1, 'rice', 10)");
    exchange(a, b);
    later();
    sql(a, "UPDATE article SET price = 11");
    work(a);
    later();
    sql(b, "UPDATE article SET price = 12");
    exchange(a, b);
    check(run(a, &o, &e, "{\"id\":1,\"command\":\"conflicts\"}"), &e);
    assert_int_equal(json_object_array_length(in(o, "conflicts")), 1);
    one = json_object_array_get_idx(in(o, "conflicts"), 0);
    number = json_object_get_int64(in(one, "number"));
    assert_true(number > 0);
    expect_text(one, "table", "article");
    expect_text(one, "column", "price");
    expect_text(in(one, "lost"), "value", "11");
    expect_text(in(one, "lost"), "by", "A");
    expect_text(in(one, "won"), "value", "12");
    expect_text(in(one, "now"), "value", "12");
    assert_true(json_object_get_boolean(in(one, "in_file")));
    assert_int_equal(json_object_get_int64(in(o, "dropped")), 0);
    json_object_put(o);
    return number;
}

static void what_was_lost_is_listed_and_one_request_brings_it_back(void **state)
{
    struct json_object *o;
    struct err e = {0};
    struct site a, b;
    int64_t number;

    (void)state;
    number = open_quarrel(&a, &b);
    later();
    tick(&a);
    check(run_on(&a, &o, &e, "conflict-restore", number), &e);
    expect_text(in(in(o, "conflict"), "lost"), "value", "11");
    assert_true(json_object_get_boolean(in(o, "applied")));
    json_object_put(o);
    expect(&a, "SELECT price FROM article", "11");
    exchange(&a, &b);
    expect(&b, "SELECT price FROM article", "11");
    close_pair(&a, &b);
}

static void a_busy_file_is_no_failure_and_nothing_is_restored(void **state)
{
    struct json_object *o;
    struct err e = {0};
    struct site a, b;
    int64_t number;

    (void)state;
    number = open_quarrel(&a, &b);
    sql(&a, "BEGIN IMMEDIATE");
    tick(&a);
    assert_false(run_on(&a, &o, &e, "conflict-restore", number));
    assert_int_equal(e.code, ERR_BUSY);
    sql(&a, "COMMIT");
    expect(&a, "SELECT price FROM article", "12");
    json_object_put(o);
    close_pair(&a, &b);
}

static void one_or_all_are_dismissed_and_a_number_that_is_none_is_refused(void **state)
{
    struct json_object *o;
    struct err e = {0};
    struct site a, b;
    int64_t number;

    (void)state;
    number = open_quarrel(&a, &b);
    assert_false(run_on(&a, &o, &e, "conflict-dismiss", number + 1));
    assert_int_equal(e.code, ERR_USAGE);
    json_object_put(o);
    assert_false(run_on(&a, &o, &e, "conflicts", number + 1));
    json_object_put(o);
    check(run_on(&a, &o, &e, "conflict-dismiss", number), &e);
    assert_int_equal(json_object_get_int64(in(o, "dismissed")), 1);
    json_object_put(o);
    check(run(&b, &o, &e, "{\"id\":1,\"command\":\"conflict-dismiss\",\"args\":{\"all\":true}}"),
          &e);
    assert_int_equal(json_object_get_int64(in(o, "dismissed")), 1);
    json_object_put(o);
    expect(&a, "SELECT price FROM article", "12");
    close_pair(&a, &b);
}

static void a_row_that_waits_is_listed_with_what_helps(void **state)
{
    static const char lax[] = "CREATE TABLE shelf(id INTEGER PRIMARY KEY, depth INTEGER);";
    static const char strict[] =
        "CREATE TABLE shelf(id INTEGER PRIMARY KEY, depth INTEGER CHECK (depth < 100));";
    struct json_object *o, *one;
    struct err e = {0};
    struct site a, b;

    (void)state;
    open_pair(&a, &b, lax, strict);
    sql(&a, "INSERT INTO shelf VALUES (1, 500)");
    exchange(&a, &b);
    check(run(&b, &o, &e, "{\"id\":1,\"command\":\"parked\"}"), &e);
    assert_int_equal(json_object_get_int64(in(o, "parked_total")), 1);
    assert_int_equal(json_object_get_int64(in(o, "kept_total")), 0);
    one = json_object_array_get_idx(in(o, "parked"), 0);
    assert_non_null(strstr(json_object_get_string(in(one, "why")), "CHECK"));
    assert_true(json_object_get_string_len(in(one, "help")) > 10);
    assert_false(json_object_get_boolean(in(one, "in_file")));
    json_object_put(o);
    close_pair(&a, &b);
}

static void two_rows_become_one_and_rows_that_are_none_do_not(void **state)
{
    struct json_object *o;
    struct err e = {0};
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO article(id, name, price) VALUES (1, 'rice', 10), (2, 'rise', 10)");
    exchange(&a, &b);
    tick(&a);
    assert_false(run(&a, &o, &e,
                     "{\"id\":1,\"command\":\"conflict-merge\",\"args\":{\"table\":\"article\","
                     "\"first\":1,\"second\":99}}"));
    assert_int_equal(e.code, ERR_REFUSED);
    json_object_put(o);
    check(run(&a, &o, &e,
              "{\"id\":1,\"command\":\"conflict-merge\",\"args\":{\"table\":\"article\",\"first\":"
              "1,\"second\":2}}"),
          &e);
    json_object_put(o);
    exchange(&a, &b);
    expect(&a, "SELECT count(*) FROM article", "1");
    expect(&b, "SELECT count(*) FROM article", "1");
    close_pair(&a, &b);
}

static void only_what_changes_the_file_says_that_it_does(void **state)
{
    (void)state;
    assert_true(review_writes(&(struct request){.kind = REQUEST_CONFLICT_RESTORE}));
    assert_true(review_writes(&(struct request){.kind = REQUEST_CONFLICT_MERGE}));
    assert_false(review_writes(&(struct request){.kind = REQUEST_CONFLICTS}));
    assert_false(review_is_request(&(struct request){.kind = REQUEST_TABLES}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_lost_is_listed_and_one_request_brings_it_back),
        cmocka_unit_test(a_busy_file_is_no_failure_and_nothing_is_restored),
        cmocka_unit_test(one_or_all_are_dismissed_and_a_number_that_is_none_is_refused),
        cmocka_unit_test(a_row_that_waits_is_listed_with_what_helps),
        cmocka_unit_test(two_rows_become_one_and_rows_that_are_none_do_not),
        cmocka_unit_test(only_what_changes_the_file_says_that_it_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
