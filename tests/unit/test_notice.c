/* What put itself right is told for a day. */
#include "notice.h"

#include "floor.h"

static bool is_noted(struct pc *pc, const char *code)
{
    struct json_object *list = notices_list(&pc->agent);
    bool found = false;

    for (size_t i = 0; i < json_object_array_length(list); i++)
        found |= strcmp(text_of(json_object_array_get_idx(list, i), "code"), code) == 0;
    json_object_put(list);
    return found;
}

static bool is_quiet(struct pc *pc)
{
    struct json_object *list = notices_list(&pc->agent);
    bool quiet = json_object_array_length(list) == 0;

    json_object_put(list);
    return quiet;
}

/* ---- copies of what a PC has ---- */

static void stop(struct pc *pc)
{
    pc_stop(pc);
    sql(pc, "PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3_close(pc->app);
}

static void start(struct pc *pc)
{
    assert_int_equal(sqlite3_open(pc->database, &pc->app), SQLITE_OK);
    pc_start(pc);
}

static void copy(const char *from, const char *to)
{
    char command[600];

    snprintf(command, sizeof command, "rm -rf '%s' '%s-wal' '%s-shm' && cp -a '%s' '%s'", to, to,
             to, from, to);
    assert_int_equal(system(command), 0);
}

/* While it is stopped. */
static void keep(struct pc *pc, const char *name)
{
    char to[400];

    snprintf(to, sizeof to, "%s/%s-home", pc->floor->pcs[0]->directory, name);
    copy(pc->home_path, to);
    snprintf(to, sizeof to, "%s/%s-shop.db", pc->floor->pcs[0]->directory, name);
    copy(pc->database, to);
}

static void put_back(struct pc *pc, const char *name, bool home, bool database)
{
    char from[400];

    snprintf(from, sizeof from, "%s/%s-home", pc->floor->pcs[0]->directory, name);
    if (home)
        copy(from, pc->home_path);
    snprintf(from, sizeof from, "%s/%s-shop.db", pc->floor->pcs[0]->directory, name);
    if (database)
        copy(from, pc->database);
}

/* ---- tests ---- */

static void sell(struct floor *f, struct pc *a, struct pc *b, const char *text)
{
    sql(b, text);
    AWAIT(f, is_talking(b, a) && is_settled(b) && is_settled(a));
}

/* Whether only the home went back is known where the database was told of something since. */
static const struct restored {
    bool home, database, told;
    const char *code;
} kinds[] = {{false, true, false, "database-put-back"},
             {true, false, true, "home-put-back"},
             {true, false, false, "pc-put-back"},
             {true, true, false, "pc-put-back"}};

static void whatever_was_put_back_is_told_for_a_day(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        const struct restored *k = &kinds[i];
        struct floor f;
        struct pc a, b;

        open_pair_of_pcs(&f, &a, &b);
        stop(&b);
        keep(&b, "old");
        start(&b);
        sell(&f, &a, &b, "INSERT INTO article(name) VALUES ('salt')");
        if (k->told) {
            sql(&a, "UPDATE article SET price = 77");
            AWAIT(&f, is_settled(&a) && holds(&b, "SELECT min(price) FROM article", "77"));
        }
        assert_true(is_quiet(&a) && is_quiet(&b));
        stop(&b);
        put_back(&b, "old", k->home, k->database);
        start(&b);
        if (k->database)
            sql(&b, "INSERT INTO article(name) VALUES ('soap')");
        AWAIT(&f, is_noted(&b, k->code));
        AWAIT(&f, is_talking(&b, &a) && is_settled(&b) && is_settled(&a));
        assert_true(holds(&b, "SELECT count(*) FROM article", k->database ? "4" : "3"));
        AWAIT(&f, !is_warned(&b, WARNING_TROUBLE));
        assert_true(is_quiet(&a) && is_noted(&b, k->code));
        stop(&b);
        start(&b);
        AWAIT(&f, b.agent.store != NULL);
        assert_true(is_noted(&b, k->code));
        for (uint32_t n = 0; n < STORE_NOTICES; n++)
            b.agent.notices.at_ms[n] -= b.agent.notices.at_ms[n] != 0 ? NOTICE_MS : 0;
        assert_true(is_quiet(&b));
        floor_close(&f);
    }
}

/* One disk, imaged; the two are never on at once. */
static void two_copies_that_take_turns_are_told(void **state)
{
    static const char *const images[] = {"one", "two"};
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    stop(&b);
    keep(&b, "one");
    keep(&b, "two");
    for (int turn = 0; turn < 5; turn++) {
        put_back(&b, images[turn % 2], true, true);
        start(&b);
        sell(&f, &a, &b, "INSERT INTO article(name) VALUES ('salt')");
        sell(&f, &a, &b, "INSERT INTO article(name) VALUES ('soap')");
        assert_true(is_noted(&b, "copies-take-turns") == (turn >= 3));
        stop(&b);
        keep(&b, images[turn % 2]);
    }
    assert_true(holds(&a, "SELECT count(*) FROM article", "12"));
    assert_int_equal(sqlite3_open(b.database, &b.app), SQLITE_OK);
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_was_put_back_is_told_for_a_day),
        cmocka_unit_test(two_copies_that_take_turns_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
