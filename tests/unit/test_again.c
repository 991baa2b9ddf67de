/* Marks that a ledger drains once more after its home went back, while other PCs bring by and by
 * what they said the first time: what was added to counters counts once. Also of
 * owe.c and evidence.c. */
#include "counted.h"
#include "doomed.h"
#include "library.h"
#include "meet.h"

static const char articles[] = "CREATE TABLE article(ref TEXT PRIMARY KEY, stock INTEGER);";

static void keep_home(struct site *s)
{
    work(s);
    keep_ledger(s);
}

static void put_home_back(struct site *s)
{
    put_ledger_back(s);
    tick(s);
    open_store(s);
}

/* All have heard of an article, of which there are 1,000; then B's home is copied. */
static void open_three(struct site *a, struct site *b, struct site *c)
{
    open_counting_pair(a, b, articles, "article.stock");
    join_third(a, b, c, articles);
    sql(a, "INSERT INTO article VALUES ('R', 1000)");
    meet(a, b);
    meet(a, c);
    meet(b, c);
    keep_home(b);
}

/* The end of such a story. */
static void expect_at_all(struct site *a, struct site *b, struct site *c, const char *stock)
{
    expect_both(a, b, "SELECT stock FROM article", stock);
    expect(c, "SELECT stock FROM article", stock);
    close_site(c);
    close_pair(a, b);
}

/* Others bring in parts what it had said before its home went back; all of that is in what it says
 * since, of one row with one mark for all. */
static void what_another_pc_brings_later_of_marks_drained_again_counts_once(void **state)
{
    static const char stock[] = "SELECT stock FROM article";
    struct site a, b, c;

    (void)state;
    open_three(&a, &b, &c);
    sql(&b, "UPDATE article SET stock = stock - 1");
    meet(&a, &b);
    later();
    sql(&b, "UPDATE article SET stock = stock - 20");
    meet(&b, &c);
    expect(&c, stock, "979");
    put_ledger_back(&b);
    later();
    sql(&b, "UPDATE article SET stock = stock - 300");
    tick(&b);
    open_store(&b);
    meet(&a, &b);
    expect_both(&a, &b, stock, "679");
    sql(&b, "UPDATE article SET stock = stock - 4");
    meet(&b, &c);
    expect_both(&b, &c, stock, "675");
    meet(&c, &a);
    sql(&a, "UPDATE article SET stock = stock - 5");
    meet(&a, &b);
    meet(&b, &c);
    expect_at_all(&a, &b, &c, "670");
}

/* An article that was made meanwhile, and one whose number was none for a while: what is drained
 * again is a value here and an addition there. */
static void what_was_made_and_sold_is_drained_again_as_one(void **state)
{
    static const char stock[] = "SELECT stock FROM article ORDER BY ref";
    struct site a, b;

    (void)state;
    open_counting_pair(&a, &b, articles, "article.stock");
    sql(&a, "INSERT INTO article VALUES ('R', 100)");
    meet(&a, &b);
    keep_home(&b);
    sql(&b, "UPDATE article SET stock = NULL; INSERT INTO article VALUES ('S', 50)");
    work(&b);
    later();
    sql(&b, "UPDATE article SET stock = 90 WHERE ref = 'R';"
            "UPDATE article SET stock = stock - 2 WHERE ref = 'S'");
    meet(&a, &b);
    expect_both(&a, &b, stock, "90 48");
    put_home_back(&b);
    work(&b);
    meet(&a, &b);
    expect_both(&a, &b, stock, "90 48");
    sql(&b, "UPDATE article SET stock = stock - 1");
    meet(&a, &b);
    expect_both(&a, &b, stock, "89 47");
    close_pair(&a, &b);
}

/* What is drained again is the end of the row, and its sale with that: it is said no second time.
 */
static void a_sale_that_is_drained_again_with_the_end_of_its_row_still_counts(void **state)
{
    struct site a, b;

    (void)state;
    open_counting_pair(&a, &b, articles, "article.stock");
    sql(&a, "INSERT INTO article VALUES ('R', 1000)");
    meet(&a, &b);
    keep_home(&b);
    sql(&b, "UPDATE article SET stock = stock - 7");
    meet(&a, &b);
    later();
    sql(&b, "DELETE FROM article");
    work(&b);
    later();
    sql(&a, "UPDATE article SET stock = stock - 1");
    put_home_back(&b);
    work(&b);
    meet(&a, &b);
    expect_both(&a, &b, "SELECT stock FROM article", "992");
    close_pair(&a, &b);
}

/* Its home went back twice, and the second time it has forgotten what it had taken off, too. */
static void a_home_that_goes_back_twice_takes_off_once(void **state)
{
    static const char stock[] = "SELECT stock FROM article";
    struct site a, b;

    (void)state;
    open_counting_pair(&a, &b, articles, "article.stock");
    sql(&a, "INSERT INTO article VALUES ('R', 1000)");
    meet(&a, &b);
    keep_home(&b);
    keep_database(&b);
    sql(&b, "UPDATE article SET stock = stock - 1");
    meet(&a, &b);
    for (int i = 0; i < 2; i++) {
        put_ledger_back(&b);
        if (i > 0) /* the file knows by itself what it held; a copy from before that does not */
            put_database_back(&b, &b);
        later();
        sql(&b, "UPDATE article SET stock = stock - 20");
        tick(&b);
        open_store(&b);
        meet(&a, &b);
    }
    expect_both(&a, &b, stock, "959");
    close_pair(&a, &b);
}

/* The file had been told what it held, so the ledger is built again; only the third PC has what was
 * said after that. */
static void what_comes_after_the_ledger_was_built_again_counts_once(void **state)
{
    static const char stock[] = "SELECT stock FROM article";
    struct site a, b, c;

    (void)state;
    open_three(&a, &b, &c);
    sql(&a, "UPDATE article SET stock = stock - 1");
    meet(&a, &b);
    sql(&b, "UPDATE article SET stock = stock - 20");
    meet(&b, &c);
    expect(&c, stock, "979");
    put_home_back(&b);
    assert_int_equal(store_state(b.store), STORE_MATCHING);
    meet(&a, &b);
    match_site(&a, &b, false);
    meet(&a, &b);
    expect_both(&a, &b, stock, "979");
    later();
    sql(&b, "UPDATE article SET stock = stock - 300");
    meet(&b, &c);
    meet(&a, &c);
    meet(&a, &b);
    expect_at_all(&a, &b, &c, "679");
}

/* The copy was made between two sales that were then drained together: one of them is drained
 * again, and the other one is not. */
static void of_what_was_drained_together_only_what_is_drained_again_is_taken_off(void **state)
{
    static const char stock[] = "SELECT stock FROM article ORDER BY ref";
    struct site a, b;

    (void)state;
    open_counting_pair(&a, &b, articles, "article.stock");
    sql(&a, "INSERT INTO article VALUES ('R', 100), ('S', 100)");
    meet(&a, &b);
    keep_home(&b);
    sql(&b, "UPDATE article SET stock = stock - 3 WHERE ref = 'R'");
    keep_database(&b);
    later();
    sql(&b, "UPDATE article SET stock = stock - 20 WHERE ref = 'S'");
    meet(&a, &b);
    expect_both(&a, &b, stock, "97 80");
    put_ledger_back(&b);
    put_database_back(&b, &b);
    tick(&b);
    open_store(&b);
    work(&b);
    meet(&a, &b);
    expect_both(&a, &b, stock, "97 80");
    sql(&b, "UPDATE article SET stock = stock - 1");
    meet(&a, &b);
    expect_both(&a, &b, stock, "96 79");
    close_pair(&a, &b);
}

/* Its clock is slow, and what it sells in either history is moved behind what it had seen. */
static void two_sales_moved_to_one_time_in_two_histories_are_two(void **state)
{
    static const char stock[] = "SELECT stock FROM article";
    struct site a, b;
    struct doomed d;

    (void)state;
    open_doomed_pair(&a, &b, &d, NULL, articles);
    make_counters(&a, "article.stock", true);
    share_rules(&a, &b);
    sql(&a, "INSERT INTO article VALUES ('R', 1000)");
    meet(&a, &b);
    d.ms -= 60000;
    keep_all(&b, &d);
    sql(&b, "UPDATE article SET stock = stock - 20");
    work(&b);
    meet(&a, &b);
    put_all_back(&b, &d);
    open_store(&b);
    work(&b);
    sql(&b, "UPDATE article SET stock = stock - 3");
    work(&b);
    meet(&a, &b);
    expect_both(&a, &b, stock, "977");
    close_doomed_pair(&a, &b, &d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_another_pc_brings_later_of_marks_drained_again_counts_once),
        cmocka_unit_test(what_was_made_and_sold_is_drained_again_as_one),
        cmocka_unit_test(a_sale_that_is_drained_again_with_the_end_of_its_row_still_counts),
        cmocka_unit_test(a_home_that_goes_back_twice_takes_off_once),
        cmocka_unit_test(of_what_was_drained_together_only_what_is_drained_again_is_taken_off),
        cmocka_unit_test(what_comes_after_the_ledger_was_built_again_counts_once),
        cmocka_unit_test(two_sales_moved_to_one_time_in_two_histories_are_two),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
