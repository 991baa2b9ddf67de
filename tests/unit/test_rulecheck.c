/* What is refused when a rule is set, and what a filter takes. Also of filter.c, rulenames.c. */
#include <navette/rulecheck.h>

#include "filter.h"
#include "inside.h"
#include "ruled.h"

static const char tables[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, ref TEXT UNIQUE, name TEXT, stock INTEGER,"
    " price DECIMAL, twice AS (stock * 2), note TEXT NOT NULL DEFAULT '', secret TEXT NOT NULL,"
    " place_id INTEGER REFERENCES place(id), seller INTEGER);"
    "CREATE TABLE place(id INTEGER PRIMARY KEY, city TEXT COLLATE NOCASE, street TEXT,"
    " UNIQUE(city, street));"
    "CREATE TABLE setting(name TEXT, lang TEXT, value, PRIMARY KEY(name, lang));"
    "CREATE TABLE session(id INTEGER PRIMARY KEY, what TEXT);"
    "CREATE VIEW all_articles AS SELECT * FROM article;"
    "INSERT INTO place VALUES (1, 'Alger', 'a'), (2, 'Oran', 'b');"
    "INSERT INTO article(id, ref, name, stock, price, secret, place_id, seller) VALUES"
    " (1, 'R1', 'pen', 4, 1.5, 's', 1, 1), (2, 'R2', '12', NULL, 2, 's', 2, 2);";

static enum err_code code_of(struct site *s, struct wish w, const char *why)
{
    struct rule_change c = change_of(&w, true);
    struct err e = {0};
    bool ok = store_rule_check(s->store, &s->roster.rules, &c.rule, &e);

    assert_int_equal(ok, e.code == ERR_NONE);
    if (!ok && strstr(e.text, why) == NULL)
        fail_msg("%s: %s", why, e.text);
    rule_change_close(&c);
    return e.code;
}

#define OK(...)            assert_int_equal(code_of(&a, WISH(__VA_ARGS__), ""), ERR_NONE)
#define NO(code, why, ...) assert_int_equal(code_of(&a, WISH(__VA_ARGS__), why), code)
#define WISH(target_, kind_, argument_, where_)                                                    \
    (struct wish)                                                                                  \
    {                                                                                              \
        target_, kind_, argument_, where_, NULL                                                    \
    }

static void rules_that_name_nothing_are_refused(void **state)
{
    struct site a = {0};

    (void)state;
    open_founder(&a, tables);
    NO(ERR_USAGE, "no table", "nothing", RULE_LOCAL, NULL, NULL);
    NO(ERR_USAGE, "no table", "all_articles", RULE_LOCAL, NULL, NULL);
    NO(ERR_USAGE, "no column", "article.nothing", RULE_COUNTER, NULL, NULL);
    NO(ERR_USAGE, "no table", "article.seller", RULE_REFERENCES, "nobody", NULL);
    close_site(&a);
}

static void names_get_the_spelling_of_the_schema(void **state)
{
    struct rule_change c;
    struct site a = {0};
    struct err e = {0};

    (void)state;
    open_founder(&a, tables);
    c = change_of(
        &(struct wish){.target = "ARTICLE.Seller", .kind = RULE_REFERENCES, .argument = "PLACE"},
        true);
    check(store_rule_check(a.store, &a.roster.rules, &c.rule, &e), &e);
    assert_string_equal(c.rule.table, "article");
    assert_string_equal(c.rule.columns[0], "seller");
    assert_string_equal(c.rule.argument, "place");
    rule_change_close(&c);
    close_site(&a);
}

static void rules_that_contradict_the_database_are_refused(void **state)
{
    struct site a = {0};

    (void)state;
    open_founder(&a, tables);
    OK("article.stock", RULE_COUNTER, NULL, NULL);
    OK("article.price", RULE_COUNTER, NULL, NULL);
    NO(ERR_REFUSED, "something else than a number", "article.name", RULE_COUNTER, NULL, NULL);
    NO(ERR_REFUSED, "primary key", "article.id", RULE_COUNTER, NULL, NULL);
    NO(ERR_REFUSED, "refers", "article.place_id", RULE_COUNTER, NULL, NULL);
    NO(ERR_REFUSED, "UNIQUE", "article.ref", RULE_COUNTER, NULL, NULL);
    NO(ERR_REFUSED, "computed", "article.twice", RULE_COUNTER, NULL, NULL);
    OK("article.name", RULE_LOCAL, NULL, NULL);
    OK("article.note", RULE_LOCAL, NULL, NULL);
    OK("article.secret", RULE_LOCAL, "!", NULL);
    NO(ERR_REFUSED, "NOT NULL", "article.secret", RULE_LOCAL, NULL, NULL);
    NO(ERR_REFUSED, "primary key", "setting.lang", RULE_LOCAL, "", NULL);
    NO(ERR_REFUSED, "refers", "article.place_id", RULE_LOCAL, NULL, NULL);
    OK("session", RULE_LOCAL, NULL, NULL);
    NO(ERR_REFUSED, "refer to its rows", "place", RULE_LOCAL, NULL, NULL);
    OK("place.street,city", RULE_MERGE, NULL, NULL);
    OK("article.ref", RULE_KEEP, NULL, NULL);
    OK("setting.name,lang", RULE_MERGE, NULL, NULL);
    NO(ERR_REFUSED, "no UNIQUE key", "place.city", RULE_MERGE, NULL, NULL);
    NO(ERR_REFUSED, "no UNIQUE key", "article.name", RULE_KEEP, NULL, NULL);
    NO(ERR_REFUSED, "named by their primary key", "setting.name,lang", RULE_KEEP, NULL, NULL);
    NO(ERR_REFUSED, "numbers", "article.id", RULE_MERGE, NULL, NULL);
    OK("article.seller", RULE_REFERENCES, "place", NULL);
    sql(&a, "UPDATE article SET seller = 0");
    OK("article.seller", RULE_REFERENCES, "place", NULL); /* 0 is none */
    sql(&a, "UPDATE article SET seller = 77");
    NO(ERR_REFUSED, "2 of 2 values", "article.seller", RULE_REFERENCES, "place", NULL);
    NO(ERR_REFUSED, "name no row", "article.name", RULE_REFERENCES, "place", NULL);
    NO(ERR_REFUSED, "foreign key already", "article.place_id", RULE_REFERENCES, "place", NULL);
    NO(ERR_REFUSED, "more than one", "article.seller", RULE_REFERENCES, "setting", NULL);
    close_site(&a);
}

static void rules_that_contradict_each_other_are_refused(void **state)
{
    struct site a = {0};

    (void)state;
    open_founder(&a, tables);
    set_rule(&a, WISH("session", RULE_LOCAL, NULL, NULL));
    set_rule(&a, WISH("article.stock", RULE_COUNTER, NULL, NULL));
    set_rule(&a, WISH("article.seller", RULE_REFERENCES, "place", NULL));
    set_rule(&a, WISH("article.note", RULE_LOCAL, NULL, NULL));
    NO(ERR_REFUSED, "contradicts", "session", RULE_PUBLISH, NULL, NULL);
    NO(ERR_REFUSED, "contradicts", "session.what", RULE_LOCAL, NULL, NULL);
    NO(ERR_REFUSED, "contradicts", "article", RULE_LOCAL, NULL, NULL);
    NO(ERR_REFUSED, "contradicts", "article.stock", RULE_LOCAL, NULL, NULL);
    NO(ERR_REFUSED, "contradicts", "article.seller", RULE_COUNTER, NULL, NULL);
    NO(ERR_REFUSED, "contradicts", "article.stock", RULE_REFERENCES, "place", NULL);
    NO(ERR_REFUSED, "contradicts", "article.stock", RULE_REFERENCES, "session", NULL);
    NO(ERR_REFUSED, "contradicts", "place", RULE_LOCAL, NULL, NULL);
    OK("article.price", RULE_COUNTER, NULL, NULL);
    OK("article", RULE_BOTH, NULL, "price > 1");
    OK("article.note", RULE_LOCAL, "x", NULL); /* instead of what is there */
    close_site(&a);
}

static void a_filter_is_an_expression_and_nothing_more(void **state)
{
    static const char *const bad[] = {
        "stock =",
        "stock = 1) OR (1",
        "1 THEN 1 END, CASE WHEN 1",
        "1; DELETE FROM article",
        "1 /* and so on",
        "stock = ?1",
        "stock = :x",
        "nothing = 1",
        "\"nothing\" = 1",
        "place.city = 'Alger'",
        "rowid = 1",
        "(SELECT 1)",
        "id IN (SELECT id FROM place)",
        "id IN place",
        "EXISTS (SELECT 1 FROM article)",
        "random() > 0",
        "date('now') > '2026'",
        "CURRENT_DATE > '2026'",
        "count(*) > 1",
        "max(stock) > 1",
        "row_number() OVER () = 1",
        "load_extension('x')",
        "zeroblob(100000000)",
        "printf('%100000000d', 1)",
        "replace(name, 'p', name)",
        "RAISE(ABORT, 'x')",
    };
    struct site a = {0};

    (void)state;
    open_founder(&a, tables);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (code_of(&a, WISH("article", RULE_BOTH, NULL, bad[i]), "filter") != ERR_INPUT)
            fail_msg("taken: %s", bad[i]);
    OK("article", RULE_BOTH, NULL, "stock BETWEEN 1 AND 9 AND (name LIKE 'p%' OR price > 1.0)");
    OK("article", RULE_PUBLISH, NULL, "coalesce(article.seller, 0) = 8 -- ours");
    close_site(&a);
}

/* Values by the columns of `place`: id, city, street. */
static bool matches(struct site *s, const char *where, struct value city, struct value street)
{
    const struct value values[] = {{.type = VALUE_INT, .i = 7}, city, street};
    struct filter *f = NULL;
    struct err e = {0};
    bool match, again;

    check(filter_open(&f, &s->store->app, appdb_table(&s->store->app, "place"), where, &e), &e);
    check(filter_match(f, values, &match, &e), &e);
    check(filter_match(f, values, &again, &e), &e);
    assert_true(match == again);
    filter_close(f);
    return match;
}

static struct value text(const char *t)
{
    return (struct value){.type = VALUE_TEXT, .bytes = slice_text(t)};
}

static void a_filter_compares_as_the_table_does(void **state)
{
    struct value none = {.type = VALUE_NULL}, eight = {.type = VALUE_INT, .i = 8};
    struct site a = {0};

    (void)state;
    open_founder(&a, tables);
    assert_true(matches(&a, "id = '7'", none, none)); /* affinity */
    assert_true(matches(&a, "city = 'ALGER'", text("Alger"), none));
    assert_false(matches(&a, "street = 'ALGER'", none, text("Alger")));
    assert_false(matches(&a, "city = 'x'", none, none));
    assert_false(matches(&a, "city <> 'x'", none, none)); /* NULL is not true */
    assert_true(matches(&a, "city = 8", eight, none));
    assert_true(matches(&a, "1", none, none));
    close_site(&a);
}

static const char named[] =
    "CREATE TABLE django_content_type(id INTEGER PRIMARY KEY, app_label TEXT, model TEXT);"
    "CREATE TABLE shop_sale(id INTEGER PRIMARY KEY, total INT);"
    "CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT);"
    "CREATE TABLE pair(a INT, b INT, PRIMARY KEY(a, b));"
    "CREATE TABLE note(id INTEGER PRIMARY KEY, content_type_id INT REFERENCES "
    "django_content_type(id), object_id INT, sale INT REFERENCES shop_sale(id), kind TEXT, ref "
    "TEXT, origin TEXT);"
    "CREATE TABLE mark(id INTEGER PRIMARY KEY, target_content_type_id INT REFERENCES "
    "django_content_type(id), target_object_id TEXT);"
    "INSERT INTO django_content_type VALUES (1, 'shop', 'sale'), (2, 'shop', 'client');"
    "INSERT INTO shop_sale VALUES (1, 10), (2, 20); INSERT INTO people VALUES (7, 'Ana');"
    "INSERT INTO note VALUES (1, 1, 1, NULL, 'shop_sale', '2', 'shop.sale,2'), (2, 2, 7, NULL, "
    "'Client', '7', 'people,7'), (3, 2, 7, NULL, 'Client', '7', 'shop.sale,1');";

static void references_with_names_of_tables_must_name_rows(void **state)
{
    struct site a = {0};

    (void)state;
    open_founder(&a, named);
    NO(ERR_REFUSED, "2 of 3 values", "note.object_id", RULE_REFERENCES_BY, "content_type_id", NULL);
    OK("note.object_id", RULE_REFERENCES_BY, "content_type_id", "shop.client=people");
    OK("note.ref", RULE_REFERENCES_BY, "kind", "Client=people");
    OK("note.origin", RULE_REFERENCES_TEXT, "model,id", NULL);
    NO(ERR_REFUSED, "3 of 3 values", "note.kind", RULE_REFERENCES_TEXT, "model,id", NULL);
    NO(ERR_USAGE, "is no pattern", "note.origin", RULE_REFERENCES_TEXT, "id", NULL);
    NO(ERR_USAGE, "no column nothing", "note.object_id", RULE_REFERENCES_BY, "nothing", NULL);
    NO(ERR_USAGE, "no table nobody", "note.ref", RULE_REFERENCES_BY, "kind", "Client=nobody");
    NO(ERR_USAGE, "two tables", "note.ref", RULE_REFERENCES_BY, "kind", "x=people,x=note");
    NO(ERR_USAGE, "NAME=TABLE", "note.ref", RULE_REFERENCES_BY, "kind", "people");
    NO(ERR_REFUSED, "more than one", "note.ref", RULE_REFERENCES_BY, "kind", "x=pair");
    NO(ERR_REFUSED, "no column \"model\"", "note.object_id", RULE_REFERENCES_BY, "sale", NULL);
    NO(ERR_REFUSED, "foreign key already", "note.sale", RULE_REFERENCES_BY, "kind", NULL);
    NO(ERR_REFUSED, "primary key", "note.id", RULE_REFERENCES_BY, "kind", NULL);
    NO(ERR_REFUSED, "cannot say", "note.ref", RULE_REFERENCES_BY, "ref", NULL);
    set_rule(&a, WISH("note.ref", RULE_REFERENCES_BY, "kind", "Client=people"));
    NO(ERR_REFUSED, "contradicts", "note.kind", RULE_LOCAL, NULL, NULL);
    NO(ERR_REFUSED, "contradicts", "people", RULE_LOCAL, NULL, NULL);
    close_site(&a);
}

static void generic_foreign_keys_of_django_are_recognised(void **state)
{
    struct site a = {0};
    struct rule *rules;
    struct err e = {0};
    uint32_t n;

    (void)state;
    open_founder(&a, named);
    check(store_generic_pairs(a.store, &rules, &n, &e), &e);
    assert_int_equal(n, 2);
    assert_string_equal(rules[0].columns[0], "target_object_id");
    assert_string_equal(rules[0].argument, "target_content_type_id");
    assert_string_equal(rules[1].table, "note");
    for (uint32_t i = 0; i < n; i++)
        rule_close(&rules[i]);
    free(rules);
    close_site(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_that_name_nothing_are_refused),
        cmocka_unit_test(names_get_the_spelling_of_the_schema),
        cmocka_unit_test(rules_that_contradict_the_database_are_refused),
        cmocka_unit_test(rules_that_contradict_each_other_are_refused),
        cmocka_unit_test(a_filter_is_an_expression_and_nothing_more),
        cmocka_unit_test(references_with_names_of_tables_must_name_rows),
        cmocka_unit_test(generic_foreign_keys_of_django_are_recognised),
        cmocka_unit_test(a_filter_compares_as_the_table_does),
    };
    struct err e = {0};

    return keys_library_start(&e) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
