/* A ledger that went back or was lost, beside a file that remembers: rows that nothing but their
 * place in the file tells apart, edits of both sides, deletes, sums. Also of placed.c,
 * regain_place.c. */
#include "library.h"
#include "sites.h"
#include "wentback.h"

#include "inside.h"
#include "rules_of.h"

/* No UNIQUE keys: content says little. */
static const char notes[] =
    "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT, price INTEGER, parent INTEGER"
    " REFERENCES note(id));"
    "CREATE TABLE tag(id INTEGER PRIMARY KEY, note_id INTEGER REFERENCES note(id), word TEXT);";

static const char all[] = "SELECT n.text, n.price, p.text, (SELECT group_concat(word) FROM"
                          " (SELECT word FROM tag WHERE note_id = n.id ORDER BY word))"
                          " FROM note n LEFT JOIN note p ON p.id = n.parent"
                          " ORDER BY 1, 2, 3, 4";

/* Both have three notes of their own under keys that the other one uses for others. */
static void open_notes(struct site *a, struct site *b)
{
    open_pair(a, b, notes, notes);
    sql(a, "INSERT INTO note VALUES (1, 'a', 1, NULL), (2, 'same', 2, 1), (3, 'same', 2, 1);"
           "INSERT INTO tag VALUES (1, 2, 'red')");
    sql(b, "INSERT INTO note VALUES (1, 'b', 1, NULL), (2, 'same', 2, 1), (3, 'same', 2, NULL);"
           "INSERT INTO tag VALUES (1, 3, 'blue')");
    exchange(a, b);
    exchange(a, b);
}

/* What a note costs is a sum. */
static void open_notes_counted(struct site *a, struct site *b)
{
    open_notes(a, b);
    make_counters(a, "note.price", true);
    share_rules(a, b);
    exchange(a, b);
}

/* Copies are made of A's database and ledger as they are now. */
static void open_notes_kept(struct site *a, struct site *b)
{
    open_notes(a, b);
    keep_database(a);
    keep_ledger(a);
}

/* The same of three rows, of which B has not heard. */
static void open_three_kept(struct site *a, struct site *b)
{
    open_pair(a, b, notes, notes);
    sql(a, "INSERT INTO note VALUES (1, 'a', 1, NULL), (2, 'gone', 2, 1), (3, 'kept', 3, 1)");
    work(a);
    keep_database(a);
    keep_ledger(a);
}

/* Both hear of all, then A of what is new on B. */
static void hear_of(struct site *a, struct site *b, const char *news)
{
    exchange(a, b);
    sql(b, news);
    exchange(a, b);
}

/* The ledger goes back, is built again, and the database goes back after it. */
static void put_both_back(struct site *a, struct site *b)
{
    put_ledger_back(a);
    rematch(a, b);
    put_database_back(a, a);
}

static void close_same(struct site *a, struct site *b)
{
    expect_same(a, b, all);
    close_pair(a, b);
}

static void a_row_rewritten_on_both_sides_while_its_ledger_was_lost_is_one_row(void **state)
{
    struct site a, b;

    (void)state;
    open_notes(&a, &b);
    sql(&b, "UPDATE note SET text = 'there', price = 7, parent = NULL WHERE text = 'a'");
    later();
    lose_ledger(&a);
    sql(&a, "UPDATE note SET text = 'here' WHERE text = 'a'");
    rematch(&a, &b);
    expect(&a, "SELECT count(*), sum(text = 'here'), sum(price = 7), sum(text = 'there') FROM note",
           "6|1|1|0");
    close_same(&a, &b);
}

static void what_was_deleted_before_or_after_the_loss_stays_deleted(void **state)
{
    struct site a, b;

    (void)state;
    open_notes(&a, &b);
    sql(&a, "DELETE FROM tag WHERE word = 'blue'");
    work(&a); /* said to nobody */
    lose_ledger(&a);
    sql(&a, "DELETE FROM tag WHERE word = 'red'; DELETE FROM note WHERE id = 3");
    rematch(&a, &b);
    expect(&a, "SELECT count(*) FROM tag", "0");
    expect(&b, "SELECT count(*) FROM tag", "0");
    expect(&b, "SELECT count(*) FROM note", "5");
    close_same(&a, &b);
}

/* A key that another row had: only the file remembers that it is not that row. */
static void a_key_given_again_names_the_new_row(void **state)
{
    struct site a, b;

    (void)state;
    open_notes(&a, &b);
    keep_ledger(&a);
    sql(&a, "DELETE FROM tag; DELETE FROM note WHERE id = 3;"
            "INSERT INTO note VALUES (3, 'same', 2, 1); INSERT INTO tag VALUES (1, 3, 'green')");
    work(&a);
    put_ledger_back(&a);
    sql(&a, "UPDATE note SET id = 30 WHERE id = 2");
    open_store(&a);
    if (store_state(a.store) == STORE_MATCHING)
        match_site(&b, &a, false);
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, "SELECT count(*), sum(id = 30) FROM note", "6|1");
    expect(&b, "SELECT group_concat(word) FROM tag", "green");
    close_same(&a, &b);
}

static void what_was_sold_before_and_after_the_loss_counts_once(void **state)
{
    struct site a, b;

    (void)state;
    open_notes_counted(&a, &b);
    sql(&a, "UPDATE note SET price = price + 10 WHERE text = 'a'");
    sql(&b, "UPDATE note SET price = price + 100 WHERE text = 'a'");
    exchange(&a, &b);
    sql(&a, "UPDATE note SET price = price + 1000 WHERE text = 'a'");
    work(&a); /* said to nobody */
    sql(&b, "UPDATE note SET price = price + 20000 WHERE text = 'a'");
    lose_ledger(&a);
    sql(&a, "UPDATE note SET price = price + 300000 WHERE text = 'a'");
    rematch(&a, &b);
    expect(&a, "SELECT price FROM note WHERE text = 'a'", "321111");
    close_same(&a, &b);
}

/* What B had is nowhere but in A's file, whose ledger is lost as well. */
static void rows_that_only_the_file_remembers_are_said_under_their_names(void **state)
{
    struct site a, b;
    struct err e = {0};
    bool lacks;

    (void)state;
    open_notes(&a, &b);
    keep_ledger(&a);
    keep_ledger(&b);
    sql(&b, "INSERT INTO note VALUES (9, 'late', 9, NULL)");
    exchange(&a, &b);
    expect(&a, "SELECT count(*) FROM note WHERE text = 'late'", "1");
    put_ledger_back(&a);
    put_ledger_back(&b);
    open_store(&a);
    open_store(&b);
    check(store_match_lacks(a.store, &lacks, &e), &e);
    assert_true(lacks);
    for (int i = 0; i < 2; i++) {
        carry(&a, &b);
        carry(&b, &a);
        if (store_state(a.store) == STORE_MATCHING)
            match_site(&b, &a, false);
        if (store_state(b.store) == STORE_MATCHING)
            match_site(&a, &b, false);
    }
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, "SELECT count(*) FROM note WHERE text = 'late'", "1");
    close_same(&a, &b);
}

/* A newcomer begins with a copy of A's database, our tables and all, and both go on. */
static void a_copy_of_another_pc_s_database_keeps_its_rows_and_adds_its_own_ones(void **state)
{
    struct site a, b, c = {0};
    struct err e = {0};

    (void)state;
    open_notes(&a, &b);
    sql(&a, "UPDATE note SET price = 5 WHERE id = 3"); /* not drained in the copy */
    keep_database(&a);
    work(&a);
    open_site(&c, "CREATE TABLE unused(id INTEGER PRIMARY KEY)");
    put_database_back(&c, &a);
    later();
    sql(&a,
        "INSERT INTO note VALUES (20, 'of a', 1, NULL); UPDATE note SET price = 6 WHERE id = 2");
    later();
    sql(&c, "INSERT INTO note VALUES (20, 'of c', 2, 1); UPDATE note SET text = 'c' WHERE id = 2");
    exchange(&a, &b);
    enrol_site(&b, &c, "C");
    open_store(&c);
    check(store_track(c.store, NULL, 0, &e), &e);
    match_site(&b, &c, false);
    exchange(&b, &c);
    exchange(&b, &c);
    expect(&c, "SELECT count(*), sum(text = 'of a'), sum(text = 'of c') FROM note", "8|1|1");
    expect(&c, "SELECT count(*) FROM note WHERE text = 'c' AND price = 6", "1");
    expect_same(&b, &c, all);
    close_site(&c);
    close_pair(&a, &b);
}

static void a_copied_database_is_told_whose_it_is_when_the_till_lets_go_of_it(void **state)
{
    struct site a, b, c = {0};
    struct store_progress p;
    struct err e = {0};

    (void)state;
    open_notes(&a, &b);
    keep_database(&a);
    open_site(&c, "CREATE TABLE unused(id INTEGER PRIMARY KEY)");
    put_database_back(&c, &a);
    sql(&c, "INSERT INTO note VALUES (20, 'of c', 2, 1)");
    enrol_site(&b, &c, "C");
    open_store(&c);
    carry(&b, &c);
    apply_all(&c);
    check(store_match(c.store, false, NULL, 0, c.now_ms, &e), &e);
    assert_true(c.store->ledger.foreign);
    sql(&c, "BEGIN IMMEDIATE");
    tick(&c);
    check(store_drain(c.store, c.now_ms, &p, &e), &e); /* it only reads */
    assert_true(p.apply);
    assert_false(store_apply(c.store, c.now_ms, &p, &e));
    assert_int_equal(e.code, ERR_BUSY);
    assert_true(c.store->ledger.foreign);
    sql(&c, "COMMIT");
    work(&c);
    assert_false(c.store->ledger.foreign);
    exchange(&b, &c);
    expect(&b, "SELECT count(*) FROM note WHERE text = 'of c'", "1");
    close_site(&c);
    close_pair(&a, &b);
}

/* The row that gives another one its name was made since the file was told last. */
static void a_row_named_by_a_new_one_is_known_although_its_ledger_was_lost(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    make_counters(&a, "stock_place.n", true);
    share_rules(&a, &b);
    tidy(&a); /* the file is told where it stands */
    sql(&a, "INSERT INTO article(ref) VALUES ('a'); INSERT INTO stock_place VALUES (1, 'x', 1)");
    work(&a);
    later();
    sql(&a, "UPDATE stock_place SET n = n + 10");
    work(&a);
    carry(&a, &b);
    lose_ledger(&a);
    later();
    sql(&a, "UPDATE stock_place SET n = n + 100");
    rematch(&a, &b);
    sql(&b, "UPDATE stock_place SET n = n + 1000");
    exchange(&a, &b);
    expect(&a, "SELECT count(*), sum(n) FROM stock_place", "1|1111");
    expect_same(&a, &b, "SELECT place, n FROM stock_place");
    close_pair(&a, &b);
}

static void a_damaged_memory_is_an_error_and_changes_nothing(void **state)
{
    static const char *const damages[] = {
        "UPDATE _navette_state SET point = x'00'",
        "UPDATE _navette_state SET point = substr(point, 1, length(point) - 1)",
        "UPDATE _navette_placed SET rows = x'9301c0'",
        "UPDATE _navette_placed SET rows = substr(rows, 1, length(rows) - 1)",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(damages); i++) {
        struct site a, b;
        struct err e = {0};

        open_notes(&a, &b);
        lose_ledger(&a);
        sql(&a, damages[i]);
        open_store(&a);
        carry(&b, &a);
        work(&a);
        assert_false(store_match(a.store, false, NULL, 0, a.now_ms, &e));
        if (strstr(e.text, "_navette_") == NULL)
            fail_msg("%s: %s", damages[i], e.text);
        assert_int_equal(store_state(a.store), STORE_MATCHING);
        expect(&a, "SELECT count(*) FROM note", "6");
        close_pair(&a, &b);
    }
}

/* The file went back and was put right, which made a batch of what had been merged long before;
 * then the ledger went back, too, to where that batch begins. It cannot follow: it has never heard
 * of these rows. */
static void a_batch_that_an_older_ledger_has_not_merged_is_not_taken_for_its_next_one(void **state)
{
    struct site a, b;

    (void)state;
    open_notes_kept(&a, &b);
    sql(&b, "INSERT INTO note VALUES (9, 'news', 9, NULL)");
    exchange(&a, &b);
    put_database_back(&a, &a);
    open_store(&a);
    work(&a);
    expect(&a, "SELECT count(*) FROM note WHERE text = 'news'", "1");
    put_ledger_back(&a);
    rematch(&a, &b);
    expect(&a, "SELECT count(*) FROM note WHERE text = 'news'", "1");
    close_same(&a, &b);
}

/* Once a file that went back has been put right, it says of itself that it holds what was put back:
 * what this PC had said to nobody may be nowhere else. */
static void what_was_put_back_into_the_file_outlives_the_ledger(void **state)
{
    struct site a, b;

    (void)state;
    open_notes_kept(&a, &b);
    sql(&a, "INSERT INTO note VALUES (9, 'mine', 9, NULL); UPDATE note SET price = 50 WHERE id = 1;"
            "DELETE FROM tag WHERE word = 'red'");
    work(&a);
    put_database_back(&a, &a);
    open_store(&a);
    work(&a);
    tidy(&a);
    expect(&a, "SELECT count(*), sum(text = 'mine'), sum(price = 50) FROM note", "7|1|1");
    put_ledger_back(&a);
    rematch(&a, &b);
    expect(&a, "SELECT count(*), sum(text = 'mine'), sum(price = 50) FROM note", "7|1|1");
    expect(&a, "SELECT count(*) FROM tag", "1");
    close_same(&a, &b);
}

/* Under a natural key: it was deleted, everybody had heard of that, and it is as it was. */
static void a_row_that_was_put_in_again_is_there_although_its_ledger_was_lost(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO setting VALUES ('vat', 19), ('name', 'shop')");
    exchange(&a, &b);
    sql(&a, "DELETE FROM setting");
    hear_of(&a, &b, "INSERT INTO client(name) VALUES ('Bea')");
    later();
    sql(&a, "INSERT INTO setting VALUES ('vat', 19)");
    work(&a);
    lose_ledger(&a);
    rematch(&a, &b);
    expect(&a, "SELECT name, value FROM setting", "vat|19");
    expect(&b, "SELECT name, value FROM setting", "vat|19");
    close_pair(&a, &b);
}

/* Not only until the agent stops. */
static void a_ledger_that_was_built_again_remembers_who_had_seen_what(void **state)
{
    static const char seen[] =
        "SELECT count(*) FROM seen JOIN actor ON actor.id = author WHERE staged > 0";
    struct site a, b;

    (void)state;
    open_notes(&a, &b);
    keep_ledger(&a);
    sql(&a, "UPDATE note SET price = 50 WHERE id = 1");
    hear_of(&a, &b, "UPDATE note SET price = 51 WHERE text = 'a'");
    expect_ledger(&a, seen, "2");
    put_ledger_back(&a);
    rematch(&a, &b);
    expect_ledger(&a, seen, "2");
    close_pair(&a, &b);
}

/* What the ledger knew of the way before it went back, it still knows: an older database is put in
 * the file's place afterwards. What was in it is neither said again nor doubled. */
static void a_database_may_go_back_to_before_its_ledger_went_back(void **state)
{
    struct site a, b;

    (void)state;
    open_three_kept(&a, &b);
    sql(&a, "UPDATE note SET price = 10 WHERE id = 1; UPDATE note SET price = 30 WHERE id = 3");
    hear_of(
        &a, &b,
        "DELETE FROM note WHERE text = 'gone'; UPDATE note SET text = 'kept on' WHERE price = 30;"
        "INSERT INTO note(text) VALUES ('b')");
    put_both_back(&a, &b);
    open_store(&a);
    exchange(&a, &b);
    expect(&a, "SELECT text, price FROM note ORDER BY text", "a|10 b|NULL kept on|30");
    expect_same(&a, &b, all);
    expect(&a, "SELECT count(*) FROM note WHERE id IN (1, 3) AND text IN ('a', 'kept on')", "2");
    close_pair(&a, &b);
}

/* And the application has written in the older one, under a key that another row has been given
 * since. */
static void what_is_written_in_such_a_database_is_new(void **state)
{
    struct site a, b;

    (void)state;
    open_notes_kept(&a, &b);
    sql(&a, "INSERT INTO note VALUES (10, 'before', 1, 1)");
    hear_of(&a, &b, "UPDATE note SET price = 8 WHERE text = 'b'");
    put_both_back(&a, &b);
    later();
    sql(&a, "INSERT INTO note VALUES (10, 'since', 2, 1)");
    open_store(&a);
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, "SELECT text, price FROM note WHERE text IN ('before', 'since') ORDER BY text",
           "before|1 since|2");
    expect(&a, "SELECT text FROM note WHERE id = 10", "since");
    close_same(&a, &b);
}

/* The copy is younger than that of the ledger, and has marks that the lost ledger had drained. */
static void what_was_said_before_the_loss_is_known_in_such_a_database(void **state)
{
    struct site a, b;

    (void)state;
    open_notes(&a, &b);
    keep_ledger(&a);
    sql(&a, "INSERT INTO note VALUES (10, 'before', 1, 1); UPDATE note SET price = 9 WHERE id = 2");
    keep_database(&a);
    hear_of(&a, &b, "UPDATE note SET price = 11 WHERE text = 'before'");
    put_both_back(&a, &b);
    rematch(&a, &b);
    expect(&a, "SELECT count(*), sum(text = 'before'), sum(price = 9), sum(price = 11) FROM note",
           "7|1|1|1");
    close_same(&a, &b);
}

/* The ledger waits to be built again beside the file, and gets the one that it knows. */
static void a_ledger_and_a_database_put_back_one_after_the_other_are_in_step(void **state)
{
    struct site a, b;

    (void)state;
    open_three_kept(&a, &b);
    sql(&a, "UPDATE note SET price = 10 WHERE id = 1; INSERT INTO note VALUES (4, 'new', 4, 1)");
    hear_of(
        &a, &b,
        "DELETE FROM note WHERE text = 'gone'; UPDATE note SET text = 'kept on' WHERE price = 3;"
        "INSERT INTO note(text) VALUES ('b')");
    put_back_home_then_database(&a);
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, "SELECT text, price FROM note ORDER BY text", "a|10 b|NULL kept on|3 new|4");
    expect(&a, "SELECT count(*) FROM note WHERE id IN (1, 3) AND text IN ('a', 'kept on')", "2");
    close_same(&a, &b);
}

/* The older copy looks as the file did of which the ledger had let go: only that one said of this
 * PC more than the ledger knows. */
static void a_database_put_back_beside_a_ledger_that_let_go_of_it_twice_is_in_step(void **state)
{
    struct site a, b;

    (void)state;
    open_three_kept(&a, &b);
    sql(&a, "UPDATE note SET price = 10 WHERE text = 'a'");
    work(&a);
    tidy(&a);
    for (int i = 0; i < 2; i++) {
        put_back_home_then_database(&a);
        tidy(&a); /* the file is told who is beside it now, and stays as it is */
    }
    exchange(&a, &b);
    close_same(&a, &b);
}

/* Its rows are still to be matched: what the application writes then is not taken for drained. */
static void a_database_may_go_back_while_its_ledger_waits_to_be_built_again(void **state)
{
    struct site a, b;

    (void)state;
    open_notes_kept(&a, &b);
    sql(&a, "INSERT INTO note(text) VALUES ('lost with the copy')");
    hear_of(&a, &b, "UPDATE note SET price = 9 WHERE text = 'b'");
    put_ledger_back(&a);
    open_store(&a);
    work(&a);
    put_database_back(&a, &a);
    sql(&a, "INSERT INTO note(text) VALUES ('written meanwhile')");
    rematch(&a, &b);
    expect(&a, "SELECT count(*), sum(text = 'written meanwhile'), sum(price = 9) FROM note",
           "8|1|1");
    close_same(&a, &b);
}

/* A sold to nobody's knowledge, and its home was put back; so was, later, a copy of what its disk
 * was then. B has heard by then what the file remembered of the sale. */
static void what_the_file_alone_remembers_counts_once_however_often_it_is_put_back(void **state)
{
    struct site a, b;

    (void)state;
    open_notes_counted(&a, &b);
    keep_ledger(&a);
    sql(&a, "UPDATE note SET price = price + 10 WHERE text = 'a';"
            "INSERT INTO note(text, price) VALUES ('mine', 5)");
    work(&a);
    sql(&b, "UPDATE note SET price = 3 WHERE text = 'b'");
    work(&b);
    carry(&b, &a);
    work(&a);
    tidy(&a);
    keep_database(&a);
    put_ledger_back(&a);
    rematch(&a, &b);
    expect(&b, "SELECT text, price FROM note WHERE text IN ('a', 'mine')", "a|11 mine|5");
    sql(&a, "UPDATE note SET price = price + 100 WHERE text = 'a'");
    sql(&b, "UPDATE note SET price = price + 1000 WHERE text = 'mine'");
    exchange(&a, &b);
    for (int i = 0; i < 2; i++) {
        put_ledger_back(&a);
        put_database_back(&a, &a);
        rematch(&a, &b);
        expect(&b, "SELECT text, price FROM note WHERE text IN ('a', 'mine')", "a|111 mine|1005");
        expect_same(&a, &b, all);
    }
    close_pair(&a, &b);
}

/* `next` begins with a copy of the database of `last`, which `by` knows, and a row of its own. What
 * it says of that is given to nobody before the file says whose it is. */
static void go_on_as_another(struct site *last, struct site *next, const char *name,
                             struct site *by)
{
    struct err e = {0};

    keep_database(last);
    open_site(next, "CREATE TABLE unused(id INTEGER PRIMARY KEY)");
    put_database_back(next, last);
    sql(next, "INSERT INTO note(text, price) VALUES ('early', 1)");
    enrol_site(by, next, name);
    open_store(next);
    check(store_track(next->store, NULL, 0, &e), &e);
    match_site(by, next, false);
    assert_int_equal(made_by(next), 0);
    exchange(by, next);
    assert_int_not_equal(made_by(next), 0);
}

/* A home was made anew twice, beside one database, and the second one had said little. */
static void a_copy_of_a_database_that_went_on_as_another_pc_says_nothing_of_it_again(void **state)
{
    struct site a, b, c = {0}, d = {0};

    (void)state;
    open_notes_counted(&a, &b);
    tidy(&a);
    go_on_as_another(&a, &c, "C", &b);
    later();
    sql(&c, "INSERT INTO note(text, price) VALUES ('of c', 2);"
            "UPDATE note SET price = price + 10 WHERE text = 'a'");
    exchange(&b, &c);
    later();
    go_on_as_another(&c, &d, "D", &b);
    exchange(&b, &d);
    expect(&b, "SELECT text, price FROM note WHERE text IN ('a', 'early', 'of c') ORDER BY text",
           "a|11 early|1 early|1 of c|2");
    expect_same(&b, &d, all);
    close_site(&d);
    close_site(&c);
    close_pair(&a, &b);
}

/* Both go back, and B uses its numbers anew: what A's file held under these is something else. */
static void another_history_under_old_numbers_is_not_taken_for_what_the_file_held(void **state)
{
    struct site a, b;

    (void)state;
    open_notes(&a, &b);
    keep_ledger(&a);
    keep_ledger(&b);
    keep_database(&b);
    sql(&b, "INSERT INTO note VALUES (9, 'late', 9, NULL)");
    work(&b);
    sql(&b, "UPDATE note SET text = 'later' WHERE text = 'late'");
    exchange(&a, &b);
    expect(&a, "SELECT text, price FROM note WHERE text IN ('b', 'later')", "b|1 later|9");
    put_ledger_back(&a);
    put_ledger_back(&b);
    put_database_back(&b, &b);
    sql(&b, "UPDATE note SET price = 7 WHERE text = 'b'");
    open_store(&b);
    work(&b);
    rematch(&a, &b);
    expect(&b, "SELECT text, price FROM note WHERE text IN ('b', 'later')", "b|7 later|9");
    expect_same(&a, &b, all);
    close_pair(&a, &b);
}

/* No marks tell of a repair; but who made it had applied what this copy of the file does not hold,
 * so that what people write into it is no answer to that. */
static void a_repair_that_the_file_had_not_seen_says_nothing_of_its_sums(void **state)
{
    static const char tills[] = "CREATE TABLE ticket(id INTEGER PRIMARY KEY, number TEXT UNIQUE);"
                                "CREATE TABLE article(ref TEXT PRIMARY KEY, stock INTEGER);";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, tills, tills);
    make_counters(&a, "article.stock", true);
    share_rules(&a, &b);
    sql(&b, "INSERT INTO article VALUES ('R', 100)");
    exchange(&a, &b);
    sql(&b, "INSERT INTO ticket VALUES (1, 'T1')");
    work(&b);
    later();
    sql(&a, "INSERT INTO ticket VALUES (1, 'T1')");
    work(&a);
    keep_database(&a);
    sql(&b, "UPDATE article SET stock = stock - 5");
    exchange(&a, &b);
    exchange(&a, &b);
    put_database_back(&a, &a);
    lose_ledger(&a);
    sql(&a, "UPDATE article SET stock = stock - 10");
    rematch(&a, &b);
    expect_both(&a, &b, "SELECT stock FROM article", "85");
    expect_both(&a, &b, "SELECT number FROM ticket ORDER BY number", "#A-T1 T1");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_rewritten_on_both_sides_while_its_ledger_was_lost_is_one_row),
        cmocka_unit_test(what_was_deleted_before_or_after_the_loss_stays_deleted),
        cmocka_unit_test(a_key_given_again_names_the_new_row),
        cmocka_unit_test(what_was_sold_before_and_after_the_loss_counts_once),
        cmocka_unit_test(rows_that_only_the_file_remembers_are_said_under_their_names),
        cmocka_unit_test(a_copy_of_another_pc_s_database_keeps_its_rows_and_adds_its_own_ones),
        cmocka_unit_test(a_copied_database_is_told_whose_it_is_when_the_till_lets_go_of_it),
        cmocka_unit_test(a_row_named_by_a_new_one_is_known_although_its_ledger_was_lost),
        cmocka_unit_test(a_damaged_memory_is_an_error_and_changes_nothing),
        cmocka_unit_test(a_batch_that_an_older_ledger_has_not_merged_is_not_taken_for_its_next_one),
        cmocka_unit_test(what_was_put_back_into_the_file_outlives_the_ledger),
        cmocka_unit_test(a_row_that_was_put_in_again_is_there_although_its_ledger_was_lost),
        cmocka_unit_test(a_ledger_that_was_built_again_remembers_who_had_seen_what),
        cmocka_unit_test(a_database_may_go_back_to_before_its_ledger_went_back),
        cmocka_unit_test(what_is_written_in_such_a_database_is_new),
        cmocka_unit_test(a_copy_of_a_database_that_went_on_as_another_pc_says_nothing_of_it_again),
        cmocka_unit_test(what_was_said_before_the_loss_is_known_in_such_a_database),
        cmocka_unit_test(a_ledger_and_a_database_put_back_one_after_the_other_are_in_step),
        cmocka_unit_test(a_database_put_back_beside_a_ledger_that_let_go_of_it_twice_is_in_step),
        cmocka_unit_test(a_database_may_go_back_while_its_ledger_waits_to_be_built_again),
        cmocka_unit_test(another_history_under_old_numbers_is_not_taken_for_what_the_file_held),
        cmocka_unit_test(what_the_file_alone_remembers_counts_once_however_often_it_is_put_back),
        cmocka_unit_test(a_repair_that_the_file_had_not_seen_says_nothing_of_its_sums),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
