/* Rules that come and go, at random, while three sites write and exchange: when all rules are gone
 * and all has been exchanged, every site holds the same. NAVETTE_SEED=n replays one. */
#include "random.h"
#include "ruled.h"

#define SITES 3
#define STEPS 60
#define SEEDS 12

static const char tables[] =
    "CREATE TABLE client(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, secret TEXT NOT"
    " NULL DEFAULT '-');"
    "CREATE TABLE sale(id INTEGER PRIMARY KEY AUTOINCREMENT, place INTEGER, total INTEGER, seller "
    "INTEGER);"
    "CREATE TABLE line(id INTEGER PRIMARY KEY AUTOINCREMENT, sale_id INTEGER NOT NULL REFERENCES "
    "sale(id), n INTEGER);"
    "CREATE TABLE setting(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE note(id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT);";

static const struct wish wishes[] = {
    {.target = "client.secret", .kind = RULE_LOCAL, .argument = "!"},
    {.target = "client", .kind = RULE_SUBSCRIBE},
    {.target = "sale", .kind = RULE_BOTH, .where = "place < 3"},
    {.target = "sale", .kind = RULE_PUBLISH},
    {.target = "line", .kind = RULE_PUBLISH, .where = "n > 2"},
    {.target = "setting.value", .kind = RULE_LOCAL},
    {.target = "setting", .kind = RULE_SUBSCRIBE},
    {.target = "setting", .kind = RULE_BOTH, .where = "name < 'c'"},
    {.target = "note", .kind = RULE_LOCAL},
};

struct week {
    struct random_source r;
    struct site sites[SITES];
    bool kept[SITES]; /* there is a copy of its database */
    bool restored;    /* rows that nobody had been told of may be gone */
    int serial;
};

static uint32_t pick(struct week *w, uint32_t n)
{
    return random_below(&w->r, n);
}

/* With foreign keys as they are: what SQLite refuses has not happened. */
static void write_something(struct week *w, struct site *s)
{
    static const char *const formats[] = {
        "INSERT INTO client(name) VALUES ('c%d')",
        "UPDATE client SET name = name || '%d' WHERE id = (SELECT min(id) FROM client)",
        "UPDATE client SET secret = 's%d' WHERE id = (SELECT max(id) FROM client)",
        ("DELETE FROM client WHERE id = (SELECT max(id) FROM client) AND %d AND id NOT IN"
         " (SELECT seller FROM sale WHERE seller IS NOT NULL)"),
        "INSERT INTO sale(place, total, seller) VALUES (%d %% 5, 7, (SELECT max(id) FROM client))",
        "UPDATE sale SET total = %d WHERE id = (SELECT max(id) FROM sale)",
        "UPDATE sale SET place = %d %% 5 WHERE id = (SELECT min(id) FROM sale)",
        "DELETE FROM sale WHERE id = (SELECT max(id) FROM sale) AND %d",
        "INSERT INTO line(sale_id, n) SELECT max(id), %d %% 6 FROM sale",
        "UPDATE line SET n = %d %% 6 WHERE id = (SELECT max(id) FROM line)",
        "INSERT OR REPLACE INTO setting VALUES (char(97 + %d %% 6), %d)",
        "DELETE FROM setting WHERE name = char(97 + %d %% 6)",
        "INSERT INTO note(what) VALUES ('n%d')",
        "UPDATE note SET what = what || '%d' WHERE id = (SELECT min(id) FROM note)",
    };
    char text[256];

    snprintf(text, sizeof text, formats[pick(w, COUNT_OF(formats))], w->serial + 1, w->serial + 1);
    w->serial++;
    if (sqlite3_exec(s->app, text, NULL, NULL, NULL) != SQLITE_OK &&
        sqlite3_errcode(s->app) != SQLITE_CONSTRAINT)
        fail_msg("%s: %s", text, sqlite3_errmsg(s->app));
}

static void change_some_rule(struct week *w, struct site *s)
{
    struct wish wish = wishes[pick(w, COUNT_OF(wishes))];

    if ((wish.kind == RULE_SUBSCRIBE || wish.kind == RULE_PUBLISH || wish.kind == RULE_BOTH) &&
        pick(w, 2) == 0)
        wish.of = &w->sites[pick(w, SITES)];
    change_rule(s, wish, pick(w, 3) > 0);
}

static void meet(struct week *w, uint32_t i, uint32_t j)
{
    share_rosters(&w->sites[i], &w->sites[j]);
    exchange(&w->sites[i], &w->sites[j]);
}

static void meet_all(struct week *w)
{
    for (uint32_t i = 1; i < SITES; i++)
        meet(w, 0, i);
}

static void unset_all(struct site *s)
{
    struct err e = {0};
    bool changed;

    for (uint32_t i = s->roster.rules.n; i-- > 0;) {
        struct rule_change c = {0};

        if (s->roster.rules.rules[i].kind == RULE_REFERENCES)
            continue;
        rule_copy(&c.rule, &s->roster.rules.rules[i]);
        check(roster_rules(&s->roster, &c, 1, &s->keys, &changed, &e), &e);
        rule_change_close(&c);
    }
}

/* A copy of the database is made, or put back. */
static void keep_or_restore(struct week *w, uint32_t i)
{
    struct site *s = &w->sites[i];

    if (w->kept[i]) {
        put_database_back(s, s);
        open_store(s);
        w->restored = true;
    } else {
        keep_database(s);
    }
    w->kept[i] = !w->kept[i];
}

static void step(struct week *w)
{
    uint32_t i = pick(w, SITES), j = pick(w, SITES - 1);

    j += j >= i;
    switch (pick(w, 9)) {
    case 0:
        change_some_rule(w, &w->sites[i]);
        break;
    case 1:
        meet(w, i, j);
        break;
    case 2:
        close_store(&w->sites[i]);
        open_store(&w->sites[i]);
        break;
    case 3:
        keep_or_restore(w, i);
        break;
    default:
        write_something(w, &w->sites[i]);
        if (pick(w, 2) == 0)
            work(&w->sites[i]);
    }
}

static void check_equal(struct week *w)
{
    static const char *const queries[] = {
        "SELECT name, secret FROM client ORDER BY name, secret",
        ("SELECT place, total, name FROM sale LEFT JOIN client ON client.id = seller"
         " ORDER BY place, total, name"),
        "SELECT n, place, total FROM line JOIN sale ON sale.id = sale_id ORDER BY n, place, total",
        "SELECT * FROM setting ORDER BY name",
        "SELECT what FROM note ORDER BY what",
    };

    for (size_t q = 0; q < COUNT_OF(queries); q++)
        for (uint32_t i = 1; i < SITES; i++)
            expect_same(&w->sites[0], &w->sites[i], queries[q]);
    for (uint32_t i = 0; i < SITES; i++) {
        assert_true(w->restored || status_of(&w->sites[i]).parked == 0);
        assert_int_equal(status_of(&w->sites[i]).unscanned, 0);
    }
}

static void live_through(uint64_t seed)
{
    struct week *w = mem_alloc(sizeof *w);

    print_message("NAVETTE_SEED=%llu\n", (unsigned long long)seed);
    w->r.state = seed;
    open_founder(&w->sites[0], tables);
    set_rule(&w->sites[0],
             (struct wish){.target = "sale.seller", .kind = RULE_REFERENCES, .argument = "client"});
    join_site(&w->sites[0], &w->sites[1], "B", tables);
    join_site(&w->sites[0], &w->sites[2], "C", tables);
    meet_all(w);
    for (int i = 0; i < STEPS; i++)
        step(w);
    meet_all(w);
    meet_all(w);
    unset_all(&w->sites[0]);
    for (int i = 0; i < 3; i++)
        meet_all(w);
    check_equal(w);
    for (uint32_t i = 0; i < SITES; i++)
        close_site(&w->sites[i]);
    free(w);
}

static void rules_that_came_and_went_leave_every_site_the_same(void **state)
{
    (void)state;
    if (getenv("NAVETTE_SEED") != NULL) {
        live_through(test_seed(1));
        return;
    }
    for (uint64_t i = 1; i <= SEEDS; i++)
        live_through(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_that_came_and_went_leave_every_site_the_same),
    };
    struct err e = {0};

    return keys_library_start(&e) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
