/* Also of roster_rules.c. */
#include <navette/rules.h>

#include "shop.h"

/* A rule from words, as a person types it; its parts are the test's. */
static struct rule rule_of(const char *target, enum rule_kind kind, const char *argument)
{
    struct rule r = {0};
    struct err e = {0};

    assert_true(rule_target_parse(&r, target, &e));
    r.kind = kind;
    r.argument = argument == NULL ? NULL : mem_text(argument);
    rule_sort(&r);
    return r;
}

static enum err_code code_of(const char *target, enum rule_kind kind, const char *argument,
                             const char *where)
{
    struct rule r = rule_of(target, kind, argument);
    struct err e = {0};
    bool ok;

    r.where = where == NULL ? NULL : mem_text(where);
    ok = rule_check(&r, &e);
    assert_int_equal(ok, e.code == ERR_NONE);
    rule_close(&r);
    return e.code;
}

static bool change(struct rules *all, const char *target, enum rule_kind kind, const char *argument,
                   bool set)
{
    struct rule_change c = {.rule = rule_of(target, kind, argument), .set = set};
    bool would = rules_would_change(all, &c), did = rules_apply(all, &c);

    assert_int_equal(would, did);
    rule_change_close(&c);
    return did;
}

static void check_target(const char *text, const char *printed)
{
    struct rule r = {0};
    struct err e = {0};
    struct buf out;

    buf_open(&out, 4096);
    assert_true(rule_target_parse(&r, text, &e));
    rule_target_print(&r, &out);
    buf_add_byte(&out, 0);
    assert_string_equal((const char *)out.p, printed);
    buf_close(&out);
    rule_close(&r);
}

static void a_target_is_read_and_printed(void **state)
{
    static const char *const bad[] = {"",     ".a",  "a.",   "a..b", "a.b.c",   "a,b",
                                      "a.b,", "\"a", "\"\"", "a\"b", "a.\"b\"c"};

    (void)state;
    check_target("stock", "stock");
    check_target("stock.qty", "stock.qty");
    check_target("t.a,b,c", "t.a,b,c");
    check_target("\"my table\".\"a.b\",\"c\"\"d\",e", "\"my table\".\"a.b\",\"c\"\"d\",e");
    check_target("\"plain\".\"x\"", "plain.x");
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct rule r = {0};
        struct err e = {0};

        assert_false(rule_target_parse(&r, bad[i], &e));
        assert_int_equal(e.code, ERR_USAGE);
        assert_null(r.table);
    }
}

static void a_rule_has_the_parts_of_its_kind(void **state)
{
    char *longest = mem_alloc(RULE_WHERE_BYTES_MAX + 2);

    (void)state;
    assert_int_equal(code_of("t.c", RULE_COUNTER, NULL, NULL), ERR_NONE);
    assert_int_equal(code_of("t", RULE_COUNTER, NULL, NULL), ERR_USAGE);
    assert_int_equal(code_of("t.a,b", RULE_COUNTER, NULL, NULL), ERR_USAGE);
    assert_int_equal(code_of("t.c", RULE_COUNTER, "1", NULL), ERR_USAGE);
    assert_int_equal(code_of("t", RULE_LOCAL, NULL, NULL), ERR_NONE);
    assert_int_equal(code_of("t", RULE_LOCAL, "!", NULL), ERR_USAGE);
    assert_int_equal(code_of("t.c", RULE_LOCAL, "", NULL), ERR_NONE);
    assert_int_equal(code_of("t.b,a", RULE_MERGE, NULL, NULL), ERR_NONE);
    assert_int_equal(code_of("t.a,A", RULE_MERGE, NULL, NULL), ERR_INPUT);
    assert_int_equal(code_of("t.c", RULE_REFERENCES, NULL, NULL), ERR_USAGE);
    assert_int_equal(code_of("t.c", RULE_REFERENCES, "p", NULL), ERR_NONE);
    assert_int_equal(code_of("t", RULE_PUBLISH, NULL, "a = 1"), ERR_NONE);
    assert_int_equal(code_of("t", RULE_SUBSCRIBE, NULL, "a = 1"), ERR_USAGE);
    assert_int_equal(code_of("t.c", RULE_BOTH, NULL, NULL), ERR_USAGE);
    memset(longest, '1', RULE_WHERE_BYTES_MAX);
    assert_int_equal(code_of("t", RULE_BOTH, NULL, longest), ERR_NONE);
    longest[RULE_WHERE_BYTES_MAX] = '1';
    assert_int_equal(code_of("t", RULE_BOTH, NULL, longest), ERR_LIMIT);
    assert_int_equal(code_of("t\xFF", RULE_LOCAL, NULL, NULL), ERR_INPUT);
    free(longest);
}

static void rules_in_one_place_replace_one_another(void **state)
{
    static const char *const key[] = {"MODEL", "app_label"};
    struct rules all = {0};

    (void)state;
    assert_true(change(&all, "ct.model,app_label", RULE_MERGE, NULL, true));
    assert_false(change(&all, "CT.app_label,Model", RULE_MERGE, NULL, true));
    assert_int_equal(rules_key(&all, "Ct", key, 2), RULE_MERGE);
    assert_int_equal(rules_key(&all, "ct", key, 1), 0);
    assert_true(change(&all, "ct.app_label,model", RULE_KEEP, NULL, true));
    assert_int_equal(rules_key(&all, "ct", key, 2), RULE_KEEP);
    assert_int_equal(all.n, 1);
    assert_true(change(&all, "ct.model", RULE_COUNTER, NULL, true));
    assert_true(change(&all, "ct", RULE_LOCAL, NULL, true));
    assert_true(change(&all, "ct.model", RULE_LOCAL, "x", true));
    assert_int_equal(all.n, 4);
    assert_string_equal(rules_find(&all, RULE_LOCAL, "CT", "MODEL")->argument, "x");
    assert_true(change(&all, "ct.model", RULE_LOCAL, NULL, true));
    assert_null(rules_find(&all, RULE_LOCAL, "ct", "model")->argument);
    assert_non_null(rules_find(&all, RULE_COUNTER, "ct", "model"));
    assert_non_null(rules_find(&all, RULE_LOCAL, "ct", NULL));
    assert_false(change(&all, "ct.app_label", RULE_COUNTER, NULL, false));
    assert_true(change(&all, "ct.model", RULE_COUNTER, NULL, false));
    assert_null(rules_find(&all, RULE_COUNTER, "ct", "model"));
    assert_int_equal(all.n, 3);
    rules_close(&all);
}

static void a_site_of_its_own_goes_before_all_sites(void **state)
{
    struct site_id here = {{1}}, there = {{2}};
    struct rule_change c = {.rule = {.kind = RULE_PUBLISH, .table = mem_text("t")}, .set = true};
    struct rules all = {0};

    (void)state;
    assert_null(rules_way(&all, "t", &here));
    assert_true(rules_apply(&all, &c));
    c.rule.kind = RULE_SUBSCRIBE;
    c.rule.of_site = true;
    c.rule.site = here;
    assert_true(rules_apply(&all, &c));
    assert_int_equal(rules_way(&all, "T", &here)->kind, RULE_SUBSCRIBE);
    assert_int_equal(rules_way(&all, "t", &there)->kind, RULE_PUBLISH);
    assert_null(rules_way(&all, "u", &here));
    rule_change_close(&c);
    rules_close(&all);
}

static void no_more_rules_than_the_limit(void **state)
{
    struct rules all = {0};
    char target[32];

    (void)state;
    for (int i = 0; i < RULES_MAX; i++) {
        snprintf(target, sizeof target, "t%d", i);
        assert_true(change(&all, target, RULE_LOCAL, NULL, true));
    }
    assert_false(change(&all, "another", RULE_LOCAL, NULL, true));
    assert_true(change(&all, "t7", RULE_LOCAL, NULL, false));
    assert_true(change(&all, "another", RULE_LOCAL, NULL, true));
    for (uint32_t i = 1; i < all.n; i++)
        assert_true(strcmp(all.rules[i - 1].table, all.rules[i].table) < 0);
    rules_close(&all);
}

/* ---- in a roster ---- */

static bool append(struct roster *r, const char *target, enum rule_kind kind, bool set,
                   const struct keys *k)
{
    struct rule_change c = {.rule = rule_of(target, kind, NULL), .set = set};
    struct err e = {0};
    bool changed;

    assert_true(roster_rules(r, &c, 1, k, &changed, &e));
    rule_change_close(&c);
    return changed;
}

static void check_same(const struct roster *a, const struct roster *b)
{
    uint8_t digest_a[HASH_BYTES], digest_b[HASH_BYTES];

    roster_digest(a, digest_a);
    roster_digest(b, digest_b);
    assert_memory_equal(digest_a, digest_b, HASH_BYTES);
    assert_int_equal(a->rule_entries, b->rule_entries);
    assert_int_equal(a->rules.n, b->rules.n);
    for (uint32_t i = 0; i < a->rules.n; i++)
        assert_true(rule_equal(&a->rules.rules[i], &b->rules.rules[i]));
}

static void rules_travel_as_in_the_worked_example(void **state)
{
    struct keys a = keys_counting_from(0), b = keys_counting_from(32);
    struct rule_change c[5] = {
        {.set = true}, {.set = true}, {.set = true}, {.set = true}, {.set = true}};
    struct roster r = {0}, copy;
    struct err e = {0};
    struct buf log = {0};
    struct reader reader;
    size_t before;
    bool changed;

    (void)state;
    golden_find("roster.txt", "log", 0, &log);
    assert_true(roster_load(&r, buf_slice(&log), &e));
    c[0].rule = rule_of("lot.quantite", RULE_COUNTER, NULL);
    c[1].rule = rule_of("auth_user.password", RULE_LOCAL, "!");
    c[2].rule = rule_of("django_content_type.model,app_label", RULE_MERGE, NULL);
    c[3].rule = rule_of("sale.client", RULE_REFERENCES, "client");
    c[4].rule = rule_of("sale", RULE_BOTH, NULL);
    c[4].rule.where = mem_text("agence_id = 8");
    c[4].rule.of_site = true;
    c[4].rule.site = b.site;
    before = r.log.n;
    assert_true(roster_rules(&r, c, 5, &a, &changed, &e));
    assert_true(changed);
    reader = reader_of((struct slice){r.log.p + before, r.log.n - before}, &e);
    read_array_exact(&reader, 2, "item");
    golden_check("rules.txt", "rules", read_bin(&reader, ROSTER_ENTRY_BYTES_MAX, "entry"));
    assert_int_equal(r.rules.n, 5);
    before = r.log.n;
    c[0].set = false;
    assert_true(roster_rules(&r, c, 5, &a, &changed, &e));
    reader = reader_of((struct slice){r.log.p + before, r.log.n - before}, &e);
    read_array_exact(&reader, 2, "item");
    golden_check("rules.txt", "unset", read_bin(&reader, ROSTER_ENTRY_BYTES_MAX, "entry"));
    assert_int_equal(r.rules.n, 4);
    for (int i = 0; i < 5; i++)
        rule_change_close(&c[i]);
    c[0] = (struct rule_change){
        .rule = rule_of("note.object_id", RULE_REFERENCES_BY, "content_type_id"), .set = true};
    c[0].rule.where = mem_text("shop.client=people");
    c[1] = (struct rule_change){.rule = rule_of("mail.origin", RULE_REFERENCES_TEXT, "model,id"),
                                .set = true};
    before = r.log.n;
    assert_true(roster_rules(&r, c, 2, &a, &changed, &e));
    reader = reader_of((struct slice){r.log.p + before, r.log.n - before}, &e);
    read_array_exact(&reader, 2, "item");
    golden_check("rules.txt", "named", read_bin(&reader, ROSTER_ENTRY_BYTES_MAX, "entry"));
    assert_int_equal(r.rules.n, 6);
    copy = copy_of(&r);
    check_same(&r, &copy);
    roster_close(&copy);
    for (int i = 0; i < 2; i++)
        rule_change_close(&c[i]);
    buf_close(&log);
    roster_close(&r);
}

static void setting_what_is_set_appends_nothing(void **state)
{
    struct keys k = keys_counting_from(0);
    struct roster r = shop_of(&k);
    uint32_t entries;

    (void)state;
    assert_false(append(&r, "t", RULE_LOCAL, false, &k));
    assert_true(append(&r, "t", RULE_LOCAL, true, &k));
    entries = r.entries;
    assert_false(append(&r, "T", RULE_LOCAL, true, &k));
    assert_int_equal(r.entries, entries);
    assert_true(append(&r, "t", RULE_LOCAL, false, &k));
    assert_int_equal(r.rules.n, 0);
    assert_int_equal(r.rule_entries, 2);
    roster_close(&r);
}

static void merge(struct roster *into, const struct roster *from)
{
    struct err e = {0};
    bool changed;

    assert_true(roster_merge(into, buf_slice(&from->log), &changed, &e));
}

static void a_later_rule_counts_and_of_concurrent_ones_the_same_everywhere(void **state)
{
    struct keys k = keys_counting_from(0), second = keys_counting_from(32);
    struct roster a = shop_of(&k), b;

    (void)state;
    enrol(&a, &second, "COMPTA01", &k);
    b = copy_of(&a);
    assert_true(append(&a, "t.c", RULE_KEEP, true, &k));
    assert_true(append(&b, "t.c", RULE_MERGE, true, &second));
    merge(&a, &b);
    merge(&b, &a);
    check_same(&a, &b);
    assert_int_equal(a.rules.n, 1);
    assert_true(
        append(&a, "t.c", a.rules.rules[0].kind == RULE_KEEP ? RULE_MERGE : RULE_KEEP, true, &k));
    assert_true(append(&b, "t", RULE_LOCAL, true, &second)); /* concurrent, in another place */
    merge(&b, &a);
    merge(&a, &b);
    check_same(&a, &b);
    assert_int_equal(a.rules.n, 2);
    roster_close(&a);
    roster_close(&b);
}

/* Renames that nobody who said one had heard of. */
static void part(struct roster *r, uint32_t ends, const struct keys *k)
{
    struct err e = {0};
    struct buf log;
    bool changed;

    buf_open(&log, ROSTER_BYTES_MAX);
    for (uint32_t i = 0; i < ends; i++) {
        struct roster one = copy_of(r);
        char name[32], given[NAME_BYTES_MAX + 1];

        snprintf(name, sizeof name, "N%u", i);
        assert_true(roster_rename(&one, &k->site, name, k, given, &e));
        buf_add(&log, one.log.p + r->log.n, one.log.n - r->log.n);
        roster_close(&one);
    }
    assert_true(roster_merge(r, buf_slice(&log), &changed, &e));
    assert_int_equal(r->head_count, ends);
    buf_close(&log);
}

/* `ends`: of the list, before they are set. */
static void expect_few_entries(uint32_t ends)
{
    struct keys k = keys_counting_from(0);
    struct roster r = shop_of(&k), copy;
    struct rule_change *c = mem_alloc(1000 * sizeof *c);
    struct err e = {0};
    bool changed;

    part(&r, ends, &k);
    for (int i = 0; i < 1000; i++) {
        char target[64];

        snprintf(target, sizeof target, "table_%d.reference_to_another", i);
        c[i] = (struct rule_change){.rule = rule_of(target, RULE_REFERENCES, "parent_table"),
                                    .set = true};
    }
    assert_true(roster_rules(&r, c, 1000, &k, &changed, &e));
    assert_int_equal(r.rules.n, 1000);
    assert_in_range(r.rule_entries, 4, 12);
    copy = copy_of(&r);
    check_same(&r, &copy);
    for (int i = 0; i < 1000; i++)
        rule_change_close(&c[i]);
    free(c);
    roster_close(&copy);
    roster_close(&r);
}

static void a_file_of_a_thousand_rules_goes_into_few_entries(void **state)
{
    (void)state;
    expect_few_entries(1);
    expect_few_entries(ROSTER_ORDINARY_ENDS_MAX); /* more than one entry can name */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_is_read_and_printed),
        cmocka_unit_test(a_rule_has_the_parts_of_its_kind),
        cmocka_unit_test(rules_in_one_place_replace_one_another),
        cmocka_unit_test(a_site_of_its_own_goes_before_all_sites),
        cmocka_unit_test(no_more_rules_than_the_limit),
        cmocka_unit_test(rules_travel_as_in_the_worked_example),
        cmocka_unit_test(setting_what_is_set_appends_nothing),
        cmocka_unit_test(a_later_rule_counts_and_of_concurrent_ones_the_same_everywhere),
        cmocka_unit_test(a_file_of_a_thousand_rules_goes_into_few_entries),
    };
    struct err e = {0};

    return keys_library_start(&e) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
