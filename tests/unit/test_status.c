/* The one snapshot of an agent, and what only time brings about. */
#include "status.h"

#include <navette/conflicts.h>

#include "floor.h"

static struct json_object *snapshot(struct pc *pc)
{
    return agent_status(&pc->agent);
}

static bool state_is(struct pc *pc, const char *word)
{
    struct json_object *o = snapshot(pc);
    bool is = strcmp(text_of(o, "state"), word) == 0;

    json_object_put(o);
    return is;
}

static const char *const fields[] = {"schema",   "name",    "site",  "fleet",     "fleet_id",
                                     "version",  "started", "now",   "port",      "state",
                                     "database", "pending", "peers", "conflicts", "parked",
                                     "warnings", "notices", "work"};

static void it_has_every_field_also_before_anything_is_open(void **state)
{
    struct floor f = {0};
    struct json_object *o;
    struct pc a;

    (void)state;
    pc_open(&f, &a, "A", goods);
    pc_start(&a);
    assert_null(a.agent.store);
    o = snapshot(&a);
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        if (!json_object_object_get_ex(o, fields[i], NULL))
            fail_msg("no %s", fields[i]);
    assert_int_equal(number_of(o, "schema"), STATUS_SCHEMA);
    assert_string_equal(text_of(o, "name"), "A");
    assert_null(json_object_object_get(o, "fleet"));
    assert_string_equal(text_of(json_object_object_get(o, "database"), "state"), "closed");
    json_object_put(o);
    AWAIT(&f, is_warned(&a, WARNING_NO_FLEET) && state_is(&a, "degraded"));
    floor_close(&f);
}

static void it_tells_of_both_that_all_is_well(void **state)
{
    struct json_object *o, *peer, *pending;
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    AWAIT(&f, state_is(&a, "ok") && state_is(&b, "ok"));
    o = snapshot(&a);
    assert_string_equal(text_of(o, "fleet"), "Shop");
    assert_int_equal(number_of(json_object_object_get(o, "database"), "tracked_tables"), 1);
    assert_int_equal(number_of(json_object_object_get(o, "database"), "rows"), 2);
    assert_string_equal(text_of(json_object_object_get(o, "database"), "journal_mode"), "wal");
    pending = json_object_object_get(o, "pending");
    assert_int_equal(number_of(pending, "marks") + number_of(pending, "changesets"), 0);
    assert_int_equal(json_object_array_length(json_object_object_get(o, "peers")), 1);
    peer = json_object_array_get_idx(json_object_object_get(o, "peers"), 0);
    assert_string_equal(text_of(peer, "name"), "B");
    assert_string_equal(text_of(peer, "state"), "connected");
    assert_int_equal(number_of(peer, "behind") + number_of(peer, "ahead"), 0);
    assert_non_null(text_of(peer, "last_seen"));
    assert_int_equal(json_object_array_length(json_object_object_get(o, "warnings")), 0);
    json_object_put(o);
    floor_close(&f);
}

/* Has the other one acknowledged all that this one has? */
static bool is_acknowledged(struct pc *pc, struct pc *by)
{
    const struct talk *talk = links_talk(pc->agent.links, &by->agent.keys.site);

    return talk != NULL && vector_covers(&talk->sync.peer_have, store_have(pc->agent.store));
}

static void what_is_acknowledged_is_not_shown_as_unsent(void **state)
{
    struct json_object *o;
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    AWAIT(&f, state_is(&a, "ok") && state_is(&b, "ok"));
    for (int i = 0; i < 3; i++) {
        uint64_t before = vector_sum(store_have(a.agent.store));

        sql(&a, "INSERT INTO article(name) VALUES ('one more')");
        AWAIT(&f, vector_sum(store_have(a.agent.store)) > before && is_acknowledged(&a, &b));
        o = snapshot(&a);
        assert_int_equal(number_of(json_object_object_get(o, "pending"), "changesets"), 0);
        json_object_put(o);
    }
    floor_close(&f);
}

static void who_is_alone_with_something_to_say_is_told_at_once(void **state)
{
    struct json_object *o;
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    pc_stop(&b);
    sql(&a, "UPDATE article SET stock = 5");
    AWAIT(&f, is_warned(&a, WARNING_NO_PEER) &&
                  strstr(warned(&a, WARNING_NO_PEER), "what was written here waits") != NULL);
    assert_false(agent_is_settled(&a.agent, &e));
    assert_int_equal(e.code, ERR_BUSY);
    o = snapshot(&a);
    assert_int_equal(number_of(json_object_object_get(o, "pending"), "changesets"), 1);
    json_object_put(o);
    pc_start(&b);
    AWAIT(&f, !is_warned(&a, WARNING_NO_PEER) && is_settled(&a));
    floor_close(&f);
}

static void that_nothing_is_tracked_is_told_until_something_is(void **state)
{
    struct floor f = {0};
    struct err e = {0};
    struct pc a;

    (void)state;
    pc_open(&f, &a, "A", goods);
    pc_found(&a);
    pc_start(&a);
    AWAIT(&f, is_warned(&a, WARNING_TABLES));
    assert_false(is_settled(&a) && state_is(&a, "ok"));
    must(store_track(a.agent.store, NULL, 0, &e), &e);
    AWAIT(&f, state_is(&a, "ok"));
    floor_close(&f);
}

/* It is said by name, its rows come back with it, and a person may give it up. */
static void a_table_that_went_is_told_until_it_is_back_or_given_up(void **state)
{
    const char *article = "article";
    struct store_tables tables;
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    AWAIT(&f, state_is(&a, "ok") && is_settled(&a));
    sql(&a, "DROP TABLE article");
    AWAIT(&f, is_warned(&a, WARNING_GONE));
    assert_false(is_warned(&a, WARNING_TABLES));
    assert_non_null(strstr(a.agent.warnings.list[WARNING_GONE].text, article));
    must(store_tables(a.agent.store, &tables, &e), &e);
    assert_int_equal(tables.n, 1);
    assert_true(tables.tables[0].gone && !tables.tables[0].tracked);
    store_tables_close(&tables);
    sql(&a, no_goods);
    AWAIT(&f, state_is(&a, "ok") && holds(&a, "SELECT count(*) FROM article", "2"));
    sql(&a, "DROP TABLE article");
    AWAIT(&f, is_warned(&a, WARNING_GONE));
    must(store_untrack(a.agent.store, &article, 1, floor_now(), &e), &e);
    AWAIT(&f, is_warned(&a, WARNING_TABLES) && !is_warned(&a, WARNING_GONE));
    floor_close(&f);
}

/* A migration made of it what cannot be shared: that is said here, and of each row that waits. */
static void a_table_that_cannot_be_shared_any_more_is_told_until_it_can(void **state)
{
    struct store_parked parked;
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    AWAIT(&f, state_is(&a, "ok") && is_settled(&a));
    sql(&a, "CREATE VIRTUAL TABLE found USING fts5(name, content = article)");
    AWAIT(&f, is_warned(&a, WARNING_UNSHARED));
    assert_non_null(strstr(a.agent.warnings.list[WARNING_UNSHARED].text, "article"));
    assert_non_null(strstr(a.agent.warnings.list[WARNING_UNSHARED].text, "full-text index found"));
    sql(&b, "UPDATE article SET name = 'elsewhere'");
    sql(&a, "UPDATE article SET name = 'here' WHERE id = 2");
    AWAIT(&f, is_warned(&a, WARNING_PARKED));
    must(store_parked(a.agent.store, &parked, &e), &e);
    assert_non_null(strstr(parked.list[0].why, "full-text index found"));
    assert_non_null(strstr(parked.list[0].help, "undo"));
    store_parked_close(&parked);
    sql(&a, "DROP TABLE found");
    AWAIT(&f, state_is(&a, "ok") && is_settled(&a) && is_settled(&b));
    assert_true(holds(&a, "SELECT group_concat(name) FROM article", "elsewhere,elsewhere") ||
                holds(&a, "SELECT group_concat(name) FROM article", "elsewhere,here"));
    floor_close(&f);
}

/* More were overwritten than anybody can list. */
static void conflicts_that_were_dropped_are_told_until_the_list_is_read(void **state)
{
    struct floor f = {0};
    struct err e = {0};
    struct pc a, b;
    uint32_t n;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    sql(&a, "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 1109) "
            "INSERT INTO article SELECT i, 'x' || i, 1, 1 FROM n");
    AWAIT(&f, holds(&b, "SELECT count(*) FROM article", "1102") && is_settled(&a));
    pc_stop(&b);
    sql(&a, "UPDATE article SET price = 11 WHERE id >= 10");
    sql(&b, "UPDATE article SET price = 12 WHERE id >= 10");
    AWAIT(&f, pump_is_idle(a.agent.pump));
    pc_start(&b);
    AWAIT(&f, state_is(&a, "degraded") && is_warned(&a, WARNING_CONFLICTS) && is_settled(&a) &&
                  is_settled(&b));
    assert_non_null(strstr(warned(&a, WARNING_CONFLICTS), "100 conflicts were taken off"));
    must(store_conflict_dismiss(a.agent.store, 0, &n, &e), &e);
    assert_int_equal(n, CONFLICTS_MAX);
    assert_true(state_is(&a, "ok"));
    assert_false(is_warned(&a, WARNING_CONFLICTS));
    floor_close(&f);
}

static void rows_that_wait_are_told_until_they_are_in(void **state)
{
    struct floor f = {0};
    struct pc a, b;

    (void)state;
    open_founding_pc(&f, &a, goods);
    pc_open(&f, &b, "B",
            "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price INTEGER CHECK (price < "
            "15), stock INTEGER);");
    pc_enrol(&a, &b);
    pc_track(&b);
    pc_start(&a);
    pc_start(&b);
    AWAIT(&f, holds(&b, "SELECT count(*) FROM article", "1") && !state_is(&b, "ok") &&
                  is_warned(&b, WARNING_PARKED));
    assert_non_null(strstr(warned(&b, WARNING_PARKED), "1 row of other PCs waits"));
    sql(&a, "UPDATE article SET price = 14 WHERE id = 2");
    AWAIT(&f, holds(&b, "SELECT count(*) FROM article", "2") && state_is(&b, "ok"));
    assert_false(is_warned(&b, WARNING_PARKED));
    floor_close(&f);
}

/* database-trouble: here a rule that this database cannot use. */
static void what_stands_in_the_way_is_told_until_it_is_gone(void **state)
{
    struct rule_change change = {.set = true};
    struct floor f = {0};
    struct err e = {0};
    bool changed;
    struct pc a;

    (void)state;
    open_founding_pc(&f, &a, goods);
    pc_start(&a);
    AWAIT(&f, a.agent.store != NULL && is_settled(&a));
    must(rule_target_parse(&change.rule, "article", &e), &e);
    change.rule.kind = RULE_BOTH;
    change.rule.where = mem_text("shelf = 1");
    must(roster_rules(&a.agent.roster, &change, 1, &a.keys, &changed, &e) &&
             agent_roster_changed(&a.agent, &e),
         &e);
    rule_change_close(&change);
    AWAIT(&f, is_warned(&a, WARNING_TROUBLE));
    assert_non_null(strstr(warned(&a, WARNING_TROUBLE), "shelf"));
    sql(&a, "ALTER TABLE article ADD COLUMN shelf INTEGER");
    AWAIT(&f, !is_warned(&a, WARNING_TROUBLE));
    floor_close(&f);
}

static void what_is_not_settled_says_why(void **state)
{
    struct floor f = {0};
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_founding_pc(&f, &a, goods);
    pc_open(&f, &b, "B", no_goods);
    pc_start(&a);
    assert_false(agent_is_settled(&a.agent, &e));
    assert_non_null(strstr(e.text, "the database is not open"));
    pc_start(&b);
    AWAIT(&f, b.agent.store != NULL);
    err_clear(&e);
    assert_false(agent_is_settled(&b.agent, &e));
    assert_non_null(strstr(e.text, "in no fleet"));
    AWAIT(&f, is_settled(&a)); /* alone in its fleet, with all published */
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_has_every_field_also_before_anything_is_open),
        cmocka_unit_test(it_tells_of_both_that_all_is_well),
        cmocka_unit_test(what_is_acknowledged_is_not_shown_as_unsent),
        cmocka_unit_test(who_is_alone_with_something_to_say_is_told_at_once),
        cmocka_unit_test(that_nothing_is_tracked_is_told_until_something_is),
        cmocka_unit_test(a_table_that_went_is_told_until_it_is_back_or_given_up),
        cmocka_unit_test(a_table_that_cannot_be_shared_any_more_is_told_until_it_can),
        cmocka_unit_test(conflicts_that_were_dropped_are_told_until_the_list_is_read),
        cmocka_unit_test(rows_that_wait_are_told_until_they_are_in),
        cmocka_unit_test(what_stands_in_the_way_is_told_until_it_is_gone),
        cmocka_unit_test(what_is_not_settled_says_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
