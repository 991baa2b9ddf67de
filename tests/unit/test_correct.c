/* PCs whose clock ran ahead for a while: what they said then comes in when they have corrected it,
 * once, and everybody has the same. Also of ledger_limits.c, regain_limits.c and remerge.c. */
#include "doomed.h"
#include "library.h"
#include "rules_of.h"
#include "wentback.h"

#include <navette/ahead.h>
#include <navette/waits.h>

#define MINUTE_MS UINT64_C(60000)
#define YEARS_MS  (4 * 365 * 24 * 60 * MINUTE_MS)

static const char goods[] = "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT UNIQUE, price"
                            " TEXT, stock INTEGER);";
static const char names[] = "SELECT name FROM article ORDER BY name";
static const char price[] = "SELECT price FROM article WHERE name = 'milk'";
static const char stock[] = "SELECT stock FROM article WHERE name = 'milk'";

static uint64_t ahead_of(struct site *s)
{
    struct store_ahead ahead;
    struct err e = {0};

    tick(s);
    check(store_ahead(s->store, s->now_ms, &ahead, &e), &e);
    return ahead.ahead_ms;
}

static bool correct(struct site *s)
{
    struct err e = {0};
    bool did;

    tick(s);
    check(store_correct(s->store, s->now_ms, &did, &e), &e);
    return did;
}

static struct store_peer peer_of(const struct site *s)
{
    return (struct store_peer){store_have(s->store), store_applied(s->store)};
}

static uint64_t waits_at(struct site *s)
{
    struct store_early early;
    struct err e = {0};

    check(store_early(s->store, s->now_ms, &early, &e), &e);
    return early.changesets;
}

/* Both have milk, for 1.00, 10 of it. */
static void open_shop(struct site *a, struct site *b, struct doomed *d)
{
    open_doomed_pair(a, b, d, NULL, goods);
    sql(a, "INSERT INTO article VALUES (1, 'milk', '1.00', 10)");
    exchange(a, b);
}

/* And a third PC with a clock of its own. */
static void open_shop_of_three(struct site *a, struct site *b, struct doomed *d, struct site *c,
                               struct doomed *dc)
{
    open_shop(a, b, d);
    *c = (struct site){0};
    doom_site(c, dc, "c");
    join_site(a, c, "C", goods);
    share_rules(a, b);
}

static void close_shop_of_three(struct site *a, struct site *b, struct doomed *d, struct site *c,
                                struct doomed *dc)
{
    close_site(c);
    disk_free(dc->disk);
    close_doomed_pair(a, b, d);
}

/* The clock of `b` runs ahead, and stays so; nobody hears yet what is written then. */
static void write_years_ahead(struct site *b, struct doomed *d, const char *text)
{
    d->ms += YEARS_MS;
    sql(b, text);
    work(b);
}

/* One sale with the clock years ahead, then others with the right one. */
static void a_sale_made_years_ahead_comes_in_when_the_clock_is_right(void **state)
{
    struct site a, b;
    struct doomed d;

    (void)state;
    open_shop(&a, &b, &d);
    write_years_ahead(&b, &d, "INSERT INTO article(name) VALUES ('tea')");
    assert_int_equal(ahead_of(&b), 0); /* by its own clock nothing is wrong */
    d.ms = wall_ms();
    sql(&b, "INSERT INTO article(name) VALUES ('coffee')");
    exchange(&a, &b);
    expect(&a, names, "milk");
    assert_int_equal(waits_at(&a), 2);
    assert_true(ahead_of(&b) > YEARS_MS - MINUTE_MS);
    assert_true(correct(&b));
    assert_int_equal(ahead_of(&b), 0);
    assert_false(correct(&b));
    exchange(&a, &b);
    expect_both(&a, &b, names, "coffee milk tea");
    assert_int_equal(waits_at(&a), 0);
    sql(&b, "UPDATE article SET price = '9' WHERE name = 'tea'"); /* over what was ahead */
    exchange(&a, &b);
    assert_int_equal(ahead_of(&b), 0);
    expect(&a, "SELECT price FROM article WHERE name = 'tea'", "9");
    sql(&a, "DELETE FROM article WHERE name = 'tea'");
    exchange(&a, &b);
    expect_both(&a, &b, names, "coffee milk");
    close_doomed_pair(&a, &b, &d);
}

/* Of two that wrote one cell apart: who writes after the correction wins, in any order of arrival,
 * also where the one from the future was believed. */
static void who_believed_it_merges_anew_what_it_beat(void **state)
{
    struct site a, b, c;
    struct doomed d, dc;

    (void)state;
    open_shop_of_three(&a, &b, &d, &c, &dc);
    d.ms += YEARS_MS;
    dc.ms += YEARS_MS + MINUTE_MS;
    sql(&b, "UPDATE article SET price = 'b' WHERE name = 'milk'; INSERT INTO article(name) VALUES"
            " ('tea')");
    work(&b);
    carry(&b, &c);
    work(&c);
    expect(&c, price, "b");
    d.ms = dc.ms = wall_ms() - MINUTE_MS;
    assert_true(correct(&b));
    sql(&a, "UPDATE article SET price = 'a' WHERE name = 'milk'"); /* unseen by b */
    work(&a);
    carry(&a, &c);
    work(&c);
    expect(&c, price, "b"); /* as long as it believes it */
    exchange(&b, &c);
    expect(&c, price, "a");
    assert_int_equal(ahead_of(&c), 0);
    exchange(&a, &b);
    exchange(&a, &c);
    expect_both(&a, &b, price, "a");
    expect(&c, price, "a");
    expect_same(&a, &c, "SELECT name, price FROM article ORDER BY name");
    close_shop_of_three(&a, &b, &d, &c, &dc);
}

/* Totals go by numbers of change-sets, not by stamps. */
static void what_was_taken_off_the_stock_counts_once(void **state)
{
    struct site a, b;
    struct doomed d;

    (void)state;
    open_shop(&a, &b, &d);
    make_counters(&a, "article.stock", true);
    share_rules(&a, &b);
    exchange(&a, &b);
    write_years_ahead(&b, &d, "UPDATE article SET stock = stock - 3 WHERE name = 'milk'");
    d.ms = wall_ms();
    sql(&b, "UPDATE article SET stock = stock - 1 WHERE name = 'milk'");
    sql(&a, "UPDATE article SET stock = stock - 2 WHERE name = 'milk'");
    exchange(&a, &b);
    expect(&a, stock, "8");
    assert_true(correct(&b));
    exchange(&a, &b);
    expect_both(&a, &b, stock, "4");
    sql(&b, "UPDATE article SET stock = stock - 1 WHERE name = 'milk'");
    exchange(&a, &b);
    expect_both(&a, &b, stock, "3");
    close_doomed_pair(&a, &b, &d);
}

/* A delete that counted as of the future must not beat what was written after its correction. */
static void a_delete_from_the_future_gives_way_to_a_later_edit(void **state)
{
    struct site a, b;
    struct doomed d;

    (void)state;
    open_shop(&a, &b, &d);
    write_years_ahead(&b, &d, "DELETE FROM article WHERE name = 'milk'");
    d.ms = wall_ms() - MINUTE_MS;
    assert_true(correct(&b));
    expect(&b, names, "(none)");
    sql(&a, "UPDATE article SET price = '2.00' WHERE name = 'milk'");
    exchange(&a, &b);
    expect_both(&a, &b, price, "2.00");
    close_doomed_pair(&a, &b, &d);
}

/* Two PCs were ahead and wrote one after the other into one cell, each having seen the other: the
 * last one stays the last, whoever corrects first. */
static void what_was_said_after_another_pcs_is_corrected_after_it(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        struct site a, b, c, *both[2] = {&b, &c};
        struct doomed d, dc;

        open_shop_of_three(&a, &b, &d, &c, &dc);
        d.ms += YEARS_MS;
        dc.ms += YEARS_MS;
        sql(&b, "UPDATE article SET price = 'b1' WHERE name = 'milk'");
        exchange(&b, &c);
        sql(&c, "UPDATE article SET price = 'c2' WHERE name = 'milk'");
        exchange(&b, &c);
        sql(&b, "UPDATE article SET price = 'b3' WHERE name = 'milk'");
        exchange(&b, &c);
        expect_both(&b, &c, price, "b3");
        d.ms = dc.ms = wall_ms();
        for (int round = 0; round < 4; round++) {
            bool did = correct(both[(first + round) % 2]);

            assert_int_equal(did, first == 0 ? round < 3 : round > 0);
            exchange(&b, &c);
            d.ms += 2 * MINUTE_MS; /* it is not merged anew all the time */
            dc.ms += 2 * MINUTE_MS;
        }
        exchange(&b, &c);
        assert_int_equal(ahead_of(&b), 0);
        assert_int_equal(ahead_of(&c), 0);
        exchange(&a, &b);
        exchange(&a, &c);
        expect_both(&a, &b, price, "b3");
        expect(&c, price, "b3");
        close_shop_of_three(&a, &b, &d, &c, &dc);
    }
}

/* The whole PC is put back while its clock is ahead. It goes on under another name before it says
 * again what it had written first. */
static void what_is_said_again_is_corrected_before_what_was_written_over_it(void **state)
{
    struct actor first;
    struct site a, b;
    struct doomed d;
    uint64_t number;

    (void)state;
    open_shop(&a, &b, &d);
    d.ms += YEARS_MS;
    keep_all(&b, &d);
    first = *store_actor(b.store);
    number = made_by(&b);
    sql(&b, "INSERT INTO article(name) VALUES ('tea')");
    work(&b);
    sql(&b, "INSERT INTO article(name) VALUES ('coffee')");
    work(&b);
    carry(&b, &a);
    put_all_back(&b, &d);
    d.ms += MINUTE_MS;
    open_store(&b);
    sql(&b, "UPDATE article SET price = 'earlier' WHERE name = 'milk'");
    work(&b);
    assert_int_equal(stage_one_of(&a, &b, &first, number + 1), ERR_NONE);
    sql(&b, "UPDATE article SET price = 'later' WHERE name = 'milk'");
    work(&b);
    carry(&a, &b);
    work(&b);
    expect(&b, price, "later");
    d.ms = wall_ms();
    for (int i = 0; i < 4; i++) {
        correct(&b);
        work(&b);
        d.ms += 2 * MINUTE_MS; /* it is not merged anew all the time */
    }
    assert_int_equal(ahead_of(&b), 0);
    exchange(&a, &b);
    expect_both(&a, &b, price, "later");
    expect_both(&a, &b, names, "coffee milk tea");
    close_doomed_pair(&a, &b, &d);
}

/* A PC that was put back gets what it had said ahead of time before that which it had seen then,
 * and its clock is slow by now. */
static void what_was_said_after_what_is_not_here_again_is_corrected_after_it(void **state)
{
    struct site a, b;
    struct actor first;
    struct doomed d;

    (void)state;
    open_shop(&a, &b, &d);
    keep_all(&b, &d);
    first = *store_actor(b.store);
    sql(&a, "UPDATE article SET price = 'seen' WHERE name = 'milk'");
    exchange(&a, &b);
    write_years_ahead(&b, &d, "UPDATE article SET price = 'later' WHERE name = 'milk'");
    carry(&b, &a);
    put_all_back(&b, &d);
    d.ms = wall_ms() - 2 * MINUTE_MS;
    open_store(&b);
    work(&b);
    carry_of(&a, &b, &first);
    assert_false(correct(&b));
    carry(&a, &b);
    work(&b);
    assert_true(correct(&b));
    exchange(&a, &b);
    expect_both(&a, &b, price, "later");
    close_doomed_pair(&a, &b, &d);
}

/* Its home is put back while its clock is ahead, so it goes on under another name, and then its
 * whole disk: what it said last is here again before what that was written over. */
static void
what_was_said_over_own_words_that_are_not_here_again_is_corrected_after_them(void **state)
{
    struct actor first, second;
    struct site a, b;
    struct doomed d;

    (void)state;
    open_shop(&a, &b, &d);
    keep_all(&b, &d);
    first = *store_actor(b.store);
    sql(&a, "UPDATE article SET stock = 9 WHERE name = 'milk'");
    exchange(&a, &b);
    write_years_ahead(&b, &d, "UPDATE article SET price = 'first' WHERE name = 'milk'");
    carry(&b, &a);
    put_doomed_home_back(&b, &d);
    open_store(&b);
    match_site(&a, &b, false);
    second = *store_actor(b.store);
    assert_false(actor_equal(&first, &second));
    sql(&b, "UPDATE article SET price = 'second' WHERE name = 'milk'");
    work(&b);
    carry(&b, &a);
    put_all_back(&b, &d);
    d.ms = wall_ms();
    open_store(&b);
    carry_of(&a, &b, store_actor(a.store));
    work(&b);
    carry_of(&a, &b, &second);
    assert_false(correct(&b));
    carry(&a, &b);
    work(&b);
    assert_true(correct(&b));
    exchange(&a, &b);
    expect_both(&a, &b, price, "second");
    close_doomed_pair(&a, &b, &d);
}

/* What B had seen when its clock was ahead went with A's disk; C has what B said then. B's home is
 * put back, and its database shows it still. */
static void what_was_said_after_what_nobody_has_is_corrected_when_that_is_certain(void **state)
{
    struct store_peer peers[2];
    struct store_lack lack;
    struct site a, b, c;
    struct doomed d, dc;
    struct err e = {0};
    bool did;

    (void)state;
    open_shop_of_three(&a, &b, &d, &c, &dc);
    exchange(&a, &c);
    keep_pc(&a);
    keep_all(&b, &d);
    sql(&a, "UPDATE article SET stock = 9 WHERE name = 'milk'");
    exchange(&a, &b);
    write_years_ahead(&b, &d, "UPDATE article SET price = 'later' WHERE name = 'milk'");
    carry_own(&b, &c);
    put_pc_back(&a);
    put_doomed_home_back(&b, &d);
    d.ms = wall_ms();
    open_store(&b);
    match_site(&c, &b, false);
    assert_true(ahead_of(&b) > 0);
    assert_false(correct(&b));
    peers[0] = peer_of(&a);
    peers[1] = peer_of(&c);
    assert_false(store_lacks_nothing(b.store));
    check(store_lacks(b.store, peers, 2, &lack, &e), &e);
    assert_int_equal(lack.changesets, 1);
    assert_string_equal(lack.waiting, "B");
    check(store_waive(b.store, peers, 1, false, &did, &e), &e);
    assert_false(did || correct(&b)); /* who is away may have it */
    check(store_waive(b.store, peers, 2, true, &did, &e), &e);
    assert_true(did);
    assert_true(correct(&b));
    assert_int_equal(ahead_of(&b), 0);
    assert_true(store_lacks_nothing(b.store));
    exchange(&b, &c);
    exchange(&a, &b);
    peers[1] = peer_of(&b);
    check(store_waive(c.store, peers, 2, true, &did, &e), &e);
    assert_true(did);
    peers[0] = peer_of(&c);
    check(store_waive(a.store, peers, 2, true, &did, &e), &e);
    assert_true(did); /* it does not remember it, either */
    work(&a);
    work(&c);
    expect_both(&a, &b, price, "later");
    expect(&c, price, "later");
    close_shop_of_three(&a, &b, &d, &c, &dc);
}

/* C has believed B, whose clock was years ahead as its own was, when C's home is put back. By the
 * time that its ledger is built again, what B beat then is the later write; and still C's database
 * shows what B wrote: C did not. `own` it wrote. */
static void put_home_of_believer_back(const char *own)
{
    struct site a, b, c;
    struct doomed d, dc;

    open_shop_of_three(&a, &b, &d, &c, &dc);
    d.ms += YEARS_MS;
    dc.ms += YEARS_MS + MINUTE_MS;
    keep_all(&c, &dc);
    sql(&b, "UPDATE article SET price = 'late' WHERE name = 'milk'");
    work(&b);
    dc.ms = wall_ms();
    sql(&c, own);
    sql(&a, "UPDATE article SET price = 'right' WHERE name = 'milk'");
    work(&a);
    carry(&a, &c);
    dc.ms += YEARS_MS + MINUTE_MS;
    carry(&b, &c);
    work(&c);
    expect(&c, price, "late");
    put_doomed_home_back(&c, &dc);
    dc.ms = wall_ms();
    d.ms = wall_ms() - 2 * MINUTE_MS;
    assert_true(correct(&b));
    exchange(&a, &b);
    open_store(&c);
    match_site(&a, &c, false);
    exchange(&a, &c);
    exchange(&a, &b);
    expect_both(&a, &b, price, "right");
    expect(&c, price, "right");
    close_shop_of_three(&a, &b, &d, &c, &dc);
}

static void
what_a_file_shows_of_a_late_write_is_not_taken_for_its_own_when_its_home_is_put_back(void **state)
{
    (void)state;
    put_home_of_believer_back("UPDATE article SET stock = 9 WHERE name = 'milk'");
}

static void what_a_file_shows_of_a_late_write_goes_from_it_when_its_home_is_put_back(void **state)
{
    (void)state;
    put_home_of_believer_back("INSERT INTO article(name) VALUES ('tea')");
}

/* It is not said to be all of the one who is named. */
static void what_waits_of_two_pcs_is_of_one_and_others(void **state)
{
    struct store_early early;
    struct site a, b, c;
    struct doomed d, dc;
    struct err e = {0};

    (void)state;
    open_shop_of_three(&a, &b, &d, &c, &dc);
    write_years_ahead(&b, &d, "INSERT INTO article(name) VALUES ('tea')");
    carry(&b, &a);
    work(&a);
    check(store_early(a.store, a.now_ms, &early, &e), &e);
    assert_true(early.changesets == 1 && !early.others);
    write_years_ahead(&c, &dc, "INSERT INTO article(name) VALUES ('coffee')");
    carry(&c, &a);
    work(&a);
    check(store_early(a.store, a.now_ms, &early, &e), &e);
    assert_true(early.changesets == 2 && early.others);
    assert_string_equal(early.whose, "B");
    close_shop_of_three(&a, &b, &d, &c, &dc);
}

/* Whoever shuts it out lets in what it had said. */
static void what_waits_of_a_pc_that_is_gone_comes_in_when_it_is_shut_out(void **state)
{
    struct vector logged = {0};
    struct store_ahead ahead;
    struct site a, b;
    struct doomed d;
    struct err e = {0};

    (void)state;
    open_shop(&a, &b, &d);
    write_years_ahead(&b, &d, "INSERT INTO article(name) VALUES ('tea')");
    carry(&b, &a);
    work(&a);
    expect(&a, names, "milk");
    assert_false(correct(&a)); /* a member corrects itself */
    store_logged(a.store, &logged);
    check(roster_revoke(&a.roster, &b.keys.site, &logged, &a.keys, &e), &e);
    store_roster_changed(a.store);
    check(store_ahead(a.store, a.now_ms, &ahead, &e), &e);
    assert_true(ahead.left && ahead.ahead_ms == 0);
    assert_true(store_ahead_was_wrong(&ahead, 0, 0));
    assert_true(correct(&a));
    work(&a);
    expect(&a, names, "milk tea");
    check(store_ahead(a.store, a.now_ms, &ahead, &e), &e);
    assert_false(ahead.left);
    vector_close(&logged);
    close_doomed_pair(&a, &b, &d);
}

/* Of a member nobody takes it but from itself. */
static void a_correction_of_anothers_stamps_waits_until_that_one_is_known_to_be_out(void **state)
{
    struct vector logged = {0};
    enum stage_result result;
    struct slice left, one;
    struct site a, b, c = {0};
    struct doomed d;
    struct err e = {0};
    struct buf bytes;
    uint64_t before;

    (void)state;
    open_shop(&a, &b, &d);
    join_site(&a, &c, "C", goods);
    share_rules(&a, &b);
    exchange(&a, &c);
    write_years_ahead(&b, &d, "INSERT INTO article(name) VALUES ('tea')");
    carry(&b, &a);
    work(&a);
    store_logged(a.store, &logged);
    check(roster_revoke(&a.roster, &b.keys.site, &logged, &a.keys, &e), &e);
    store_roster_changed(a.store);
    before = made_by(&a);
    assert_true(correct(&a));
    carry_of(&a, &c, store_actor(b.store));
    buf_open(&bytes, 1u << 26);
    check(store_fetch(a.store, store_actor(a.store), before, 1, &bytes, &e), &e);
    left = buf_slice(&bytes);
    assert_true(store_fetch_next(&left, &one, &e));
    assert_false(store_stage(c.store, one, &result, &e));
    assert_int_equal(e.code, ERR_GAP);
    err_clear(&e);
    share_rules(&a, &c);
    store_roster_changed(c.store);
    check(store_stage(c.store, one, &result, &e), &e);
    work(&c);
    expect(&c, names, "milk tea");
    buf_close(&bytes);
    vector_close(&logged);
    close_site(&c);
    close_doomed_pair(&a, &b, &d);
}

static void an_agent_that_dies_while_it_corrects_has_done_it_or_not(void **state)
{
    bool lived = false;

    (void)state;
    for (uint32_t at = 1; !lived; at++) {
        struct site a, b;
        struct doomed d;
        struct err e = {0};
        bool did;

        open_shop(&a, &b, &d);
        write_years_ahead(&b, &d,
                          "INSERT INTO article(name) VALUES ('tea'); UPDATE article SET price = 'b'"
                          " WHERE name = 'milk'");
        d.ms = wall_ms();
        disk_arm(d.disk, PROCESS_AGENT, at, at % 2 == 0 ? DEATH_KILL : DEATH_POWER);
        lived = store_correct(b.store, d.ms, &did, &e);
        disk_arm(d.disk, PROCESS_AGENT, 0, DEATH_KILL);
        if (!lived && at % 2 == 0)
            restart_agent(&b, &d);
        else if (!lived)
            lose_power(&b, &d, SURVIVES_NOTHING);
        if (ahead_of(&b) != 0)
            assert_true(correct(&b));
        assert_int_equal(ahead_of(&b), 0);
        exchange(&a, &b);
        expect_both(&a, &b, names, "milk tea");
        expect_both(&a, &b, price, "b");
        close_doomed_pair(&a, &b, &d);
    }
}

/* Who cannot be certain waits. */
static void a_clock_is_taken_for_right_only_where_others_say_so(void **state)
{
    const struct store_ahead alone = {.ahead_ms = 1}, witness = {.ahead_ms = 1, .witness = true},
                             others = {.ahead_ms = 1, .others = true},
                             both = {.ahead_ms = 1, .others = true, .witness = true}, not = {0};

    (void)state;
    assert_false(store_ahead_was_wrong(&not, 1, 0));
    assert_false(store_ahead_was_wrong(&alone, 0, 0));
    assert_true(store_ahead_was_wrong(&alone, 1, 0));
    assert_true(store_ahead_was_wrong(&alone, 2, 1));
    assert_false(store_ahead_was_wrong(&alone, 1, 1));
    assert_true(store_ahead_was_wrong(&witness, 0, 0));
    assert_false(store_ahead_was_wrong(&witness, 0, 1));
    assert_false(store_ahead_was_wrong(&witness, 1, 1));
    assert_false(store_ahead_was_wrong(&others, 3, 0)); /* all of them without a battery? */
    assert_true(store_ahead_was_wrong(&both, 3, 0));
}

/* B had gone back to before it wrote that, and C knows what it wrote instead. Then B's home goes
 * back as well: its ledger is built again from both, of which one is not merged before that. */
static void what_waits_for_its_correction_does_not_keep_out_another_history(void **state)
{
    struct doomed d, dc;
    struct site a, b, c;
    struct actor first;
    uint64_t number;

    (void)state;
    open_shop_of_three(&a, &b, &d, &c, &dc);
    exchange(&b, &c);
    keep_all(&b, &d);
    first = *store_actor(b.store);
    number = made_by(&b);
    write_years_ahead(&b, &d, "INSERT INTO article(name) VALUES ('tea')");
    carry(&b, &a);
    d.ms = wall_ms();
    put_all_back(&b, &d);
    open_store(&b);
    sql(&b, "INSERT INTO article(name) VALUES ('coffee')");
    sql(&c, "INSERT INTO article(name) VALUES ('sugar')");
    exchange(&b, &c);
    put_doomed_home_back(&b, &d);
    open_store(&b);
    assert_int_equal(store_state(b.store), STORE_MATCHING);
    assert_int_equal(stage_one_of(&a, &b, &first, number), ERR_NONE);
    work(&b);
    assert_int_equal(stage_one_of(&c, &b, &first, number), ERR_NONE);
    meet(&b, &c);
    meet(&a, &b);
    match_site(&c, &b, false);
    assert_true(correct(&b));
    meet(&a, &b);
    meet(&b, &c);
    meet(&a, &b);
    expect_both(&a, &b, names, "coffee milk sugar tea");
    expect(&c, names, "coffee milk sugar tea");
    close_shop_of_three(&a, &b, &d, &c, &dc);
}

/* A PC whose clock begins in the past finds that others are ahead, and not that it was. */
static void a_pc_that_begins_in_the_past_finds_that_others_are_ahead_as_well(void **state)
{
    struct store_ahead ahead;
    struct site a, b;
    struct doomed d;
    struct err e = {0};

    (void)state;
    open_shop(&a, &b, &d);
    sql(&b, "INSERT INTO article(name) VALUES ('tea')");
    exchange(&a, &b);
    check(store_ahead(b.store, d.ms, &ahead, &e), &e);
    assert_int_equal(ahead.ahead_ms, 0);
    assert_true(ahead.witness);
    check(store_ahead(b.store, d.ms - YEARS_MS, &ahead, &e), &e);
    assert_true(ahead.ahead_ms > 0 && ahead.others);
    assert_false(ahead.witness);
    close_doomed_pair(&a, &b, &d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sale_made_years_ahead_comes_in_when_the_clock_is_right),
        cmocka_unit_test(who_believed_it_merges_anew_what_it_beat),
        cmocka_unit_test(what_was_taken_off_the_stock_counts_once),
        cmocka_unit_test(a_delete_from_the_future_gives_way_to_a_later_edit),
        cmocka_unit_test(what_was_said_after_another_pcs_is_corrected_after_it),
        cmocka_unit_test(what_is_said_again_is_corrected_before_what_was_written_over_it),
        cmocka_unit_test(what_was_said_after_what_is_not_here_again_is_corrected_after_it),
        cmocka_unit_test(
            what_was_said_over_own_words_that_are_not_here_again_is_corrected_after_them),
        cmocka_unit_test(
            what_a_file_shows_of_a_late_write_is_not_taken_for_its_own_when_its_home_is_put_back),
        cmocka_unit_test(what_a_file_shows_of_a_late_write_goes_from_it_when_its_home_is_put_back),
        cmocka_unit_test(what_was_said_after_what_nobody_has_is_corrected_when_that_is_certain),
        cmocka_unit_test(what_waits_of_two_pcs_is_of_one_and_others),
        cmocka_unit_test(what_waits_of_a_pc_that_is_gone_comes_in_when_it_is_shut_out),
        cmocka_unit_test(a_correction_of_anothers_stamps_waits_until_that_one_is_known_to_be_out),
        cmocka_unit_test(an_agent_that_dies_while_it_corrects_has_done_it_or_not),
        cmocka_unit_test(a_clock_is_taken_for_right_only_where_others_say_so),
        cmocka_unit_test(what_waits_for_its_correction_does_not_keep_out_another_history),
        cmocka_unit_test(a_pc_that_begins_in_the_past_finds_that_others_are_ahead_as_well),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
