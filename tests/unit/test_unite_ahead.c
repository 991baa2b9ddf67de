/* Rows that a person makes one while clocks run ahead. Of repair.c and ledger_limits.c. */
#include "unit/doomed.h"
#include "unit/rules_of.h"

#include <navette/ahead.h>

#define MINUTE_MS UINT64_C(60000)
#define YEARS_MS  (4 * 365 * 24 * 60 * MINUTE_MS)

static const char schema[] = "CREATE TABLE article(id INTEGER PRIMARY KEY AUTOINCREMENT,"
                             " code TEXT UNIQUE, name TEXT);";
static const char codes[] = "SELECT code FROM article ORDER BY code";

static int64_t key_of(struct site *s, const char *where)
{
    char text[96];
    char *answer;
    int64_t key;

    snprintf(text, sizeof text, "SELECT id FROM article WHERE %s", where);
    answer = ask_file(s->app, text);
    key = atoll(answer);
    free(answer);
    return key;
}

static void correct_in_turn(struct site *const both[2], struct doomed *const clocks[2])
{
    struct err e = {0};
    bool did;

    for (int round = 0; round < 4; round++) {
        tick(both[round % 2]);
        check(store_correct(both[round % 2]->store, both[round % 2]->now_ms, &did, &e), &e);
        exchange(both[0], both[1]);
        for (int i = 0; i < 2; i++)
            clocks[i]->ms += 2 * MINUTE_MS;
    }
}

/* B and C are years ahead. B gives its article, which bears a mark, another code, while C makes it
 * one with the article that has the code behind the mark. */
static void
what_is_behind_a_mark_beats_no_code_given_meanwhile_when_clocks_are_corrected(void **state)
{
    struct site a, b, c = {0}, *both[2] = {&b, &c};
    struct doomed d, dc, *clocks[2] = {&d, &dc};
    struct err e = {0};

    (void)state;
    open_doomed_pair(&a, &b, &d, NULL, schema);
    doom_site(&c, &dc, "c");
    join_site(&a, &c, "C", schema);
    share_rules(&a, &b);
    d.ms += YEARS_MS + MINUTE_MS;
    dc.ms += YEARS_MS;
    sql(&c, "INSERT INTO article(code, name) VALUES ('x', 'tea')");
    work(&c);
    sql(&b, "INSERT INTO article(code, name) VALUES ('x', 'green tea')");
    exchange(&b, &c);
    expect_both(&b, &c, codes, "#B-x x");

    sql(&b, "UPDATE article SET code = 'new' WHERE code = '#B-x'");
    work(&b);
    tick(&c);
    check(store_unite(c.store, "article",
                      (int64_t[]){key_of(&c, "code = 'x'"), key_of(&c, "code = '#B-x'")}, c.now_ms,
                      &e),
          &e);
    exchange(&b, &c);
    expect_both(&b, &c, codes, "new");
    d.ms = dc.ms = wall_ms();
    correct_in_turn(both, clocks);
    exchange(&a, &b);
    exchange(&a, &c);
    expect_both(&a, &b, codes, "new");
    expect(&c, codes, "new");
    close_site(&c);
    disk_free(dc.disk);
    close_doomed_pair(&a, &b, &d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            what_is_behind_a_mark_beats_no_code_given_meanwhile_when_clocks_are_corrected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
