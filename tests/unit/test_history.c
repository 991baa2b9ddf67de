/* Histories: up to where a chain is the one that was told of. */
#include "history.h"

#include "inside.h"
#include "library.h"
#include "sites.h"
#include "wentback.h"

static const struct actor author = {{5}};

/* A ledger that has `n` change-sets of one author, with these tags: the last one's first. */
static void open_chain(struct ledger *l, uint64_t n, const uint8_t *tags, uint32_t known)
{
    *l = (struct ledger){.actor_count = 1};
    l->actors = mem_alloc(sizeof *l->actors);
    *l->actors = (struct ledger_actor){.actor = author, .staged = n, .tagged = n};
    memcpy(l->actors->tags, tags, known);
}

static uint64_t common(uint64_t n, const uint8_t *tags, const struct vector_entry *told,
                       uint64_t floor)
{
    struct ledger l;
    struct err e = {0};
    uint64_t number;

    open_chain(&l, n, tags, 4);
    assert_true(history_common(&l, told, floor, &number, &e));
    free(l.actors);
    return number;
}

static void what_is_told_of_a_lower_number_begins_with_that_one(void **state)
{
    static const uint8_t tags[4] = {9, 8, 7, 6};
    struct vector_entry entry = {.actor = author, .number = 8};
    struct ledger l;

    (void)state;
    open_chain(&l, 10, tags, 4);
    history_tell(&l, &entry);
    assert_int_equal(entry.hash[0], 7);
    assert_int_equal(entry.hash[1], 6);
    assert_int_equal(entry.hash[2], 0);
    entry.number = 11; /* not in the log */
    history_tell(&l, &entry);
    assert_int_equal(entry.hash[0], 0);
    free(l.actors);
}

static void chains_are_one_up_to_the_last_tags_that_agree(void **state)
{
    static const uint8_t same[4] = {9, 8, 7, 6}, other[4] = {3, 2, 7, 6}, none[4] = {1, 2, 3, 4};
    struct vector_entry told = {.actor = author, .number = 10, .hash = {9, 8, 7, 6}};

    (void)state;
    assert_int_equal(common(10, same, &told, 0), 10);
    assert_int_equal(common(10, other, &told, 0), 8);
    assert_int_equal(common(10, none, &told, 7), 7);
    told.number = 12; /* of 10 and 9, which both have, 7 and 6 were told */
    assert_int_equal(common(10, (const uint8_t[4]){7, 6, 1, 1}, &told, 0), 10);
    assert_int_equal(common(10, (const uint8_t[4]){7, 5, 1, 1}, &told, 8), 8);
}

static void one_tag_that_agrees_by_accident_says_nothing(void **state)
{
    struct vector_entry told = {.actor = author, .number = 10, .hash = {9, 8, 7, 6}};

    (void)state;
    assert_int_equal(common(10, (const uint8_t[4]){9, 1, 1, 1}, &told, 6), 6);
}

static void what_nobody_can_say_is_taken_for_the_same(void **state)
{
    static const uint8_t tags[4] = {9, 8, 7, 6};
    struct vector_entry told = {.actor = author, .number = 10};
    struct vector_entry unknown = {.actor = {{6}}, .number = 10};

    (void)state;
    assert_int_equal(common(10, tags, &told, 0), 10);
    told.number = 60;
    told.hash[0] = 1;
    assert_int_equal(common(10, tags, &told, 0), 10);
    assert_int_equal(common(10, tags, &unknown, 0), 0);
}

static int pages_read(struct site *s)
{
    int pages, highest;

    sqlite3_db_status(s->store->ledger.db, SQLITE_DBSTATUS_CACHE_MISS, &pages, &highest, 1);
    return pages;
}

/* After a start they are looked up for each author, and what an author said may be large. */
static void large_change_sets_are_not_read_for_the_tag_in_their_headers(void **state)
{
    static const char rows[] = "CREATE TABLE t(id INTEGER PRIMARY KEY, n)";
    const struct ledger_actor *self;
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_pair(&a, &b, rows, rows);
    for (int i = 0; i < 4; i++) {
        sql(&a, "INSERT INTO t(n) VALUES (zeroblob(4000000))");
        work(&a);
    }
    close_store(&a);
    open_store(&a);
    (void)pages_read(&a);
    check(history_learn(&a.store->ledger, &e), &e);
    assert_true(pages_read(&a) < 50);
    self = &a.store->ledger.actors[a.store->ledger.self - 1];
    assert_int_equal(self->tagged, self->staged);
    for (int i = 0; i < 4; i++)
        assert_int_not_equal(self->tags[i], 0);
    close_pair(&a, &b);
}

/* The disk of A was put back, and it has laid aside all that it made, as it does not know where the
 * histories part. Then its home is put back once more. */
static void what_is_laid_aside_the_file_holds(void **state)
{
    static const char notes[] = "CREATE TABLE note(id INTEGER PRIMARY KEY, text, price)";
    struct actor first;
    struct site a, b;
    struct vector_entry aside;
    struct err e = {0};
    uint64_t number;

    (void)state;
    open_pair(&a, &b, notes, notes);
    sql(&a, "INSERT INTO note VALUES (1, 'first', 1)");
    exchange(&a, &b);
    keep_pc(&a);
    first = *store_actor(a.store);
    number = made_by(&a);
    for (int i = 0; i < 2; i++) {
        sql(&a, "INSERT INTO note(text) VALUES ('gone')");
        work(&a);
    }
    carry(&a, &b);
    put_pc_back(&a);
    sql(&a, "INSERT INTO note(text) VALUES ('again')");
    work(&a);
    assert_int_equal(stage_one_of(&b, &a, &first, number + 1), ERR_NONE);
    check(history_aside(&a.store->ledger, &aside, &e), &e);
    assert_true(actor_equal(&aside.actor, &first));
    assert_int_equal(aside.number, number + 1);
    assert_int_not_equal(aside.hash[0], 0);
    tidy(&a);
    sql(&b, "UPDATE note SET price = 9 WHERE id = 1");
    work(&b);
    later();
    sql(&a, "UPDATE note SET text = 'second' WHERE id = 1");
    put_ledger_back(&a);
    rematch(&a, &b);
    expect_both(&a, &b, "SELECT text, price FROM note WHERE id = 1", "second|9");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_change_sets_are_not_read_for_the_tag_in_their_headers),
        cmocka_unit_test(what_is_told_of_a_lower_number_begins_with_that_one),
        cmocka_unit_test(chains_are_one_up_to_the_last_tags_that_agree),
        cmocka_unit_test(one_tag_that_agrees_by_accident_says_nothing),
        cmocka_unit_test(what_nobody_can_say_is_taken_for_the_same),
        cmocka_unit_test(what_is_laid_aside_the_file_holds),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
