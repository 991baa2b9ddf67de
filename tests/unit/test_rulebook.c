/* Requests about rules: all of one or none, checked against the database and each other. */
#include "rulebook.h"

#include <json-c/json.h>

#include "request.h"
#include "sites.h"

static const char erp[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, stock INTEGER, place INTEGER);"
    "CREATE TABLE django_session(session_key TEXT PRIMARY KEY, data TEXT);"
    "CREATE TABLE auth_user(id INTEGER PRIMARY KEY, name TEXT, password TEXT NOT NULL);";

struct asked {
    struct json_object *result;
    bool ok, grown;
    struct err e;
};

static struct asked run(struct site *s, const char *command, const char *args)
{
    struct asked a = {0};
    struct request r;
    char line[700];

    snprintf(line, sizeof line, "{\"id\":1,\"command\":\"%s\",\"args\":{%s}}", command, args);
    check(request_parse(&r, slice_text(line), &a.e), &a.e);
    assert_true(rulebook_is_request(&r));
    a.ok = rulebook_run(s->store, &s->roster, &s->keys, &r, &a.grown, &a.result, &a.e);
    request_close(&r);
    return a;
}

static void expect_changed(struct asked a, int changed, int rules)
{
    check(a.ok, &a.e);
    assert_int_equal(a.grown, changed > 0);
    assert_int_equal(json_object_get_int(json_object_object_get(a.result, "changed")), changed);
    assert_int_equal(json_object_array_length(json_object_object_get(a.result, "rules")), rules);
    json_object_put(a.result);
}

static void expect_refused(struct asked a, const char *says)
{
    assert_false(a.ok);
    assert_false(a.grown);
    assert_null(a.result);
    if (strstr(a.e.text, says) == NULL)
        fail_msg("%s", a.e.text);
}

#define COUNTER "{\"target\":\"article.stock\",\"kind\":\"counter\"}"
#define LOCAL   "{\"target\":\"article.place\",\"kind\":\"local\"}"

static void a_rule_is_set_once_listed_and_taken_back(void **state)
{
    struct site s = {0};

    (void)state;
    open_founder(&s, erp);
    expect_changed(run(&s, "rules", ""), 0, 0);
    expect_changed(run(&s, "rules-set", "\"rules\":[" COUNTER "," LOCAL "]"), 2, 2);
    expect_changed(run(&s, "rules-set", "\"rules\":[" COUNTER "]"), 0, 2);
    expect_changed(run(&s, "rules-unset", "\"rules\":[" COUNTER "]"), 1, 1);
    expect_changed(run(&s, "rules", ""), 0, 1);
    close_site(&s);
}

/* Who says what a column names is told what it named before. */
static void the_rule_that_another_one_takes_the_place_of_is_told(void **state)
{
    static const char by_place[] =
        "\"rules\":[{\"target\":\"article.place\",\"kind\":\"references\",\"argument\":\"%s\"}]";
    char text[160];
    struct json_object *replaced, *was;
    struct site s = {0};
    struct asked a;

    (void)state;
    open_founder(&s, erp);
    snprintf(text, sizeof text, by_place, "auth_user");
    expect_changed(run(&s, "rules-set", text), 1, 1);
    a = run(&s, "rules-set", text);
    replaced = json_object_object_get(a.result, "replaced");
    assert_int_equal(json_object_array_length(replaced), 0);
    expect_changed(a, 0, 1);
    snprintf(text, sizeof text, by_place, "article");
    a = run(&s, "rules-set", text);
    replaced = json_object_object_get(a.result, "replaced");
    assert_int_equal(json_object_array_length(replaced), 1);
    was = json_object_array_get_idx(replaced, 0);
    assert_string_equal(json_object_get_string(json_object_object_get(was, "argument")),
                        "auth_user");
    expect_changed(a, 1, 1);
    close_site(&s);
}

static void one_rule_that_does_not_fit_leaves_all_of_them_unset(void **state)
{
    struct site s = {0};

    (void)state;
    open_founder(&s, erp);
    expect_refused(run(&s, "rules-set",
                       "\"rules\":[" COUNTER
                       ",{\"target\":\"article.colour\",\"kind\":\"local\"}]"),
                   "article.colour");
    expect_refused(run(&s, "rules-set", "\"rules\":[{\"target\":\"gone\",\"kind\":\"local\"}]"),
                   "gone");
    expect_refused(run(&s, "rules-set",
                       "\"rules\":[{\"target\":\"article\",\"kind\":\"subscribe\",\"site\":"
                       "\"NOBODY\"}]"),
                   "NOBODY");
    expect_refused(run(&s, "rules-unset", "\"rules\":[" COUNTER "]"), "no such rule");
    expect_changed(run(&s, "rules", ""), 0, 0);
    close_site(&s);
}

static void what_contradicts_a_rule_that_is_there_is_refused(void **state)
{
    struct site s = {0};

    (void)state;
    open_founder(&s, erp);
    expect_changed(run(&s, "rules-set", "\"rules\":[" COUNTER "]"), 1, 1);
    expect_refused(
        run(&s, "rules-set", "\"rules\":[{\"target\":\"article.stock\",\"kind\":\"local\"}]"),
        "article.stock");
    close_site(&s);
}

static void a_preset_sets_what_the_database_has_of_it(void **state)
{
    struct site s = {0}, bare = {0};

    (void)state;
    open_founder(&s, erp);
    expect_changed(run(&s, "rules-preset", "\"name\":\"django\""), 2, 2);
    expect_refused(run(&s, "rules-preset", "\"name\":\"odoo\""), "odoo");
    close_site(&s);
    open_founder(&bare, "CREATE TABLE t(id INTEGER PRIMARY KEY);");
    expect_refused(run(&bare, "rules-preset", "\"name\":\"django\""), "none of the tables");
    close_site(&bare);
}

/* It came with the roster from a PC whose database has more. */
static void a_rule_about_what_is_not_here_is_marked(void **state)
{
    struct json_object *one;
    struct asked a;
    struct site s = {0};

    (void)state;
    open_founder(&s, erp);
    expect_changed(run(&s, "rules-set", "\"rules\":[" LOCAL "]"), 1, 1);
    sql(&s, "ALTER TABLE article DROP COLUMN place");
    work(&s);
    a = run(&s, "rules", "");
    check(a.ok, &a.e);
    one = json_object_array_get_idx(json_object_object_get(a.result, "rules"), 0);
    assert_true(json_object_get_boolean(json_object_object_get(one, "missing")));
    json_object_put(a.result);
    close_site(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_is_set_once_listed_and_taken_back),
        cmocka_unit_test(the_rule_that_another_one_takes_the_place_of_is_told),
        cmocka_unit_test(one_rule_that_does_not_fit_leaves_all_of_them_unset),
        cmocka_unit_test(what_contradicts_a_rule_that_is_there_is_refused),
        cmocka_unit_test(a_preset_sets_what_the_database_has_of_it),
        cmocka_unit_test(a_rule_about_what_is_not_here_is_marked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
