/* Requests about tables, the same with an agent and without one. */
#include "tables.h"

#include <json-c/json.h>

#include "request.h"
#include "sites.h"

static const char mixed[] = "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT);"
                            "CREATE TABLE note(body TEXT);"
                            "CREATE VIEW names AS SELECT name FROM article;"
                            "INSERT INTO article VALUES (1, 'rice'), (2, 'oil');";

static bool run(struct site *s, const char *line, struct json_object **result, struct err *e)
{
    struct request r;
    bool ok;

    *result = NULL;
    check(request_parse(&r, slice_text(line), e), e);
    assert_true(tables_is_request(&r));
    ok = tables_run(s->store, &r, s->now_ms, result, e);
    request_close(&r);
    return ok;
}

static void open_untracked(struct site *s)
{
    struct err e = {0};

    *s = (struct site){0};
    open_site(s, mixed);
    check(roster_create(&s->roster, "shop", "A", &s->keys, &e), &e);
    open_store(s);
}

/* What the answer says of a table. */
static struct json_object *of(struct json_object *result, const char *name)
{
    struct json_object *list = json_object_object_get(result, "tables");

    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *one = json_object_array_get_idx(list, i);

        if (strcmp(json_object_get_string(json_object_object_get(one, "name")), name) == 0)
            return one;
    }
    return NULL;
}

static bool is(struct json_object *result, const char *name, const char *field)
{
    return json_object_get_boolean(json_object_object_get(of(result, name), field));
}

static void tables_are_listed_with_what_can_be_done_with_each(void **state)
{
    struct json_object *o;
    struct err e = {0};
    struct site s;

    (void)state;
    open_untracked(&s);
    check(run(&s, "{\"id\":1,\"command\":\"tables\"}", &o, &e), &e);
    assert_false(is(o, "article", "tracked"));
    assert_int_equal(json_object_get_int(json_object_object_get(of(o, "article"), "rows")), 2);
    assert_null(json_object_object_get(of(o, "article"), "refused"));
    assert_non_null(strstr(json_object_get_string(json_object_object_get(of(o, "note"), "refused")),
                           "primary key"));
    json_object_put(o);
    close_site(&s);
}

static void tracking_answers_with_the_tables_as_they_are_then(void **state)
{
    struct json_object *o;
    struct err e = {0};
    struct site s;

    (void)state;
    open_untracked(&s);
    check(run(&s, "{\"id\":1,\"command\":\"track\",\"args\":{\"all\":true}}", &o, &e), &e);
    assert_true(is(o, "article", "tracked"));
    assert_false(is(o, "note", "tracked"));
    json_object_put(o);
    check(run(&s, "{\"id\":1,\"command\":\"untrack\",\"args\":{\"tables\":[\"article\"]}}", &o, &e),
          &e);
    assert_false(is(o, "article", "tracked"));
    json_object_put(o);
    close_site(&s);
}

static void what_cannot_be_tracked_is_refused_by_name_and_nothing_is_changed(void **state)
{
    struct json_object *o;
    struct err e = {0};
    struct site s;

    (void)state;
    open_untracked(&s);
    assert_false(
        run(&s, "{\"id\":1,\"command\":\"track\",\"args\":{\"tables\":[\"article\",\"note\"]}}", &o,
            &e));
    assert_null(o);
    assert_non_null(strstr(e.text, "note"));
    expect(&s, "SELECT count(*) FROM sqlite_master WHERE name LIKE '\\_navette%' ESCAPE '\\'", "0");
    err_clear(&e);
    assert_false(
        run(&s, "{\"id\":1,\"command\":\"track\",\"args\":{\"tables\":[\"gone\"]}}", &o, &e));
    assert_non_null(strstr(e.text, "gone"));
    close_site(&s);
}

static void a_busy_file_is_no_failure_and_nothing_is_changed(void **state)
{
    struct json_object *o;
    struct err e = {0};
    struct site s;

    (void)state;
    open_untracked(&s);
    sql(&s, "BEGIN IMMEDIATE");
    assert_false(run(&s, "{\"id\":1,\"command\":\"track\",\"args\":{\"all\":true}}", &o, &e));
    assert_int_equal(e.code, ERR_BUSY);
    assert_null(o);
    sql(&s, "COMMIT");
    err_clear(&e);
    check(run(&s, "{\"id\":1,\"command\":\"track\",\"args\":{\"all\":true}}", &o, &e), &e);
    json_object_put(o);
    close_site(&s);
}

static void uninstalling_leaves_the_schema_as_it_was(void **state)
{
    struct json_object *o;
    struct err e = {0};
    struct site s;
    char *before;

    (void)state;
    open_untracked(&s);
    before = ask_file(s.app, "SELECT sql FROM sqlite_master ORDER BY name");
    check(run(&s, "{\"id\":1,\"command\":\"track\",\"args\":{\"all\":true}}", &o, &e), &e);
    json_object_put(o);
    check(run(&s, "{\"id\":1,\"command\":\"uninstall\"}", &o, &e), &e);
    assert_false(json_object_object_get_ex(o, "tables", NULL));
    json_object_put(o);
    expect(&s, "SELECT sql FROM sqlite_master ORDER BY name", before);
    free(before);
    close_site(&s);
}

static void other_requests_are_none_of_its_business(void **state)
{
    struct request r = {.kind = REQUEST_STATUS};

    (void)state;
    assert_false(tables_is_request(&r));
    r.kind = REQUEST_RULES;
    assert_false(tables_is_request(&r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_listed_with_what_can_be_done_with_each),
        cmocka_unit_test(tracking_answers_with_the_tables_as_they_are_then),
        cmocka_unit_test(what_cannot_be_tracked_is_refused_by_name_and_nothing_is_changed),
        cmocka_unit_test(a_busy_file_is_no_failure_and_nothing_is_changed),
        cmocka_unit_test(uninstalling_leaves_the_schema_as_it_was),
        cmocka_unit_test(other_requests_are_none_of_its_business),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
