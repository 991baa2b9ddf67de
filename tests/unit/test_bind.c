#include "inside.h"
#include "ruled.h"

static const char tables[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, ref TEXT UNIQUE, stock INTEGER, price REAL);"
    "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT, lang TEXT, UNIQUE(name, lang));"
    "CREATE TABLE article_tag(id INTEGER PRIMARY KEY, article_id INTEGER REFERENCES article(id),"
    " tag_id INTEGER REFERENCES tag(id), UNIQUE(tag_id, article_id));"
    "CREATE TABLE rated(id INTEGER PRIMARY KEY, article_id INTEGER REFERENCES article(id),"
    " tag_id INTEGER REFERENCES tag(id), stars INTEGER, UNIQUE(tag_id, article_id));"
    "CREATE TABLE setting(name TEXT, lang TEXT, value, PRIMARY KEY(name, lang));";

static const struct app_table *table(struct site *s, const char *name)
{
    const struct app_table *t = appdb_table(&s->store->app, name);

    assert_non_null(t);
    return t;
}

/* Two columns, or one and NULL. */
static bool merges(struct site *s, const char *name, const char *a, const char *b)
{
    const struct app_table *t = table(s, name);
    uint32_t columns[2] = {(uint32_t)app_column_index(t, slice_text(a))};

    if (b != NULL)
        columns[1] = (uint32_t)app_column_index(t, slice_text(b));
    return bind_merges(s->store, t, columns, b == NULL ? 1 : 2);
}

static bool is_counter(struct site *s, const char *name, const char *column)
{
    const struct app_table *t = table(s, name);

    return bind_by_app(s->store, t)->counter[app_column_index(t, slice_text(column))];
}

static void what_a_rule_says_of_a_key_counts_else_the_default(void **state)
{
    struct site a = {0};

    (void)state;
    open_founder(&a, tables);
    assert_false(merges(&a, "article", "ref", NULL));
    assert_false(merges(&a, "tag", "name", "lang"));
    assert_true(merges(&a, "article_tag", "tag_id", "article_id"));
    assert_false(merges(&a, "article_tag", "tag_id", NULL)); /* not the whole row */
    assert_false(merges(&a, "rated", "tag_id", "article_id"));
    assert_true(merges(&a, "setting", "name", "lang"));
    set_rule(&a, (struct wish){.target = "ARTICLE.Ref", .kind = RULE_MERGE});
    set_rule(&a, (struct wish){.target = "tag.lang,name", .kind = RULE_MERGE});
    set_rule(&a, (struct wish){.target = "article_tag.article_id,tag_id", .kind = RULE_KEEP});
    assert_true(merges(&a, "article", "ref", NULL));
    assert_true(merges(&a, "tag", "name", "lang"));
    assert_false(merges(&a, "article_tag", "tag_id", "article_id"));
    unset_rule(&a, (struct wish){.target = "tag.name,lang", .kind = RULE_MERGE});
    assert_false(merges(&a, "tag", "name", "lang"));
    close_site(&a);
}

static void counters_are_bound_when_the_rules_change(void **state)
{
    struct site a = {0};

    (void)state;
    open_founder(&a, tables);
    assert_false(is_counter(&a, "article", "stock"));
    set_rule(&a, (struct wish){.target = "article.STOCK", .kind = RULE_COUNTER});
    set_rule(&a, (struct wish){.target = "article.id", .kind = RULE_COUNTER});
    set_rule(&a, (struct wish){.target = "article_tag.tag_id", .kind = RULE_COUNTER});
    work(&a);
    assert_true(is_counter(&a, "article", "stock"));
    assert_false(is_counter(&a, "article", "price"));
    assert_false(is_counter(&a, "article", "id"));         /* a key */
    assert_false(is_counter(&a, "article_tag", "tag_id")); /* a reference */
    close_store(&a);
    open_store(&a);
    assert_true(is_counter(&a, "article", "stock"));
    unset_rule(&a, (struct wish){.target = "article.stock", .kind = RULE_COUNTER});
    work(&a);
    assert_false(is_counter(&a, "article", "stock"));
    close_site(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_rule_says_of_a_key_counts_else_the_default),
        cmocka_unit_test(counters_are_bound_when_the_rules_change),
    };
    struct err e = {0};

    return keys_library_start(&e) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
