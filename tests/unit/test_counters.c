/* Counters between whole stores: what the applications add up, although they write absolute
 * values. Also of publish_cells.c, reading.c. */
#include "counted.h"
#include "ruled.h"

#include "inside.h"

static const char stock[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, stock INTEGER, weight REAL, price "
    "DECIMAL, label TEXT);";

static void two_tills_take_both_their_sales_off_the_stock(void **state)
{
    struct site a, b;

    (void)state;
    open_counting_pair(&a, &b, stock, "article.stock");
    sql(&a, "INSERT INTO article(id, name, stock) VALUES (1, 'tea', 100)");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET name = name, stock = 97, price = price WHERE id = 1");
    sql(&b, "UPDATE article SET stock = 98 WHERE id = 1");
    exchange(&a, &b);
    expect(&a, "SELECT stock, typeof(stock) FROM article", "95|integer");
    expect_same(&a, &b, "SELECT * FROM article");
    for (int i = 0; i < 5; i++) {
        sql(&a, "UPDATE article SET stock = stock - 2");
        sql(&b, "UPDATE article SET stock = stock + 1");
        work(&a);
        sql(&a, "UPDATE article SET stock = stock - 2");
        if (i % 2 == 0)
            exchange(&a, &b);
    }
    exchange(&a, &b);
    expect(&a, "SELECT stock FROM article", "80");
    expect_same(&a, &b, "SELECT * FROM article");
    /* Within moments of one another: nobody can tell from outside, and it is listed, once a cell.
     */
    assert_int_equal(status_of(&a).conflicts + status_of(&b).conflicts, 2);
    expect_ledger(&a, "SELECT why FROM conflict", "doubtful");
    close_pair(&a, &b);
}

/* Steps of a tenth do not drift, texts keep their digits, integers stay integers. */
static void decimals_add_up_exactly_and_keep_their_class(void **state)
{
    static const char show[] = "SELECT stock, typeof(stock), weight, typeof(weight), price, "
                               "typeof(price), label, typeof(label) FROM article";
    struct site a, b;

    (void)state;
    open_counting_pair(&a, &b, stock, "article.stock article.weight article.price article.label");
    sql(&a, "INSERT INTO article VALUES (1, 'tea', 10, 1.0, 12.5, '10.00')");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET stock = 9, weight = 0.9, price = 12, label = '9.90'");
    sql(&b, "UPDATE article SET stock = 8, weight = 0.7, price = 12.25, label = '9.75'");
    exchange(&a, &b);
    expect(&a, show, "7|integer|0.6|real|11.75|real|9.65|text");
    expect_same(&a, &b, show);
    for (int i = 0; i < 30; i++) {
        char text[96];

        snprintf(text, sizeof text, "UPDATE article SET weight = %.17g WHERE id = 1",
                 (double)(5 - i) / 10.0);
        sql(i % 2 ? &a : &b, text);
        if (i % 7 == 0)
            exchange(&a, &b);
        else
            work(i % 2 ? &a : &b);
    }
    exchange(&a, &b);
    expect_same(&a, &b, show);
    sql(&a, "UPDATE article SET weight = 1.5, price = 3, label = '-0.5'");
    exchange(&a, &b);
    sql(&b, "UPDATE article SET weight = 1.0, price = 2.5, label = '0'");
    exchange(&a, &b);
    expect(&a, show, "7|integer|1.0|real|2.5|real|0|text");
    expect_same(&a, &b, show);
    close_pair(&a, &b);
}

/* Whole or not, the author's file is not written to on account of its own sales. */
static void a_till_alone_is_not_written_to(void **state)
{
    struct site a, b;

    (void)state;
    open_counting_pair(&a, &b, stock, "article.stock article.weight article.price article.label");
    sql(&a, "INSERT INTO article VALUES (1, 'tea', 10, 1.0, 12.5, '10.00')");
    exchange(&a, &b);
    for (int i = 0; i < 6; i++) {
        sql(&a, "UPDATE article SET stock = stock - 1, weight = weight - 0.25, price = price - "
                "0.25, label = label - 0.5");
        work(&a);
        expect_ledger(&a, "SELECT count(*) FROM row WHERE shadow IS NOT NULL", "0");
    }
    exchange(&a, &b);
    expect_same(&a, &b, "SELECT * FROM article");
    close_pair(&a, &b);
}

/* A sum may be a REAL that the column stores as an INTEGER: that is written once, not for ever. */
static void a_sum_that_the_column_stores_otherwise_is_written_once(void **state)
{
    static const char schema[] = "CREATE TABLE article(id INTEGER PRIMARY KEY, price DECIMAL);"
                                 "CREATE TABLE line(id INTEGER PRIMARY KEY,"
                                 " article_id INTEGER REFERENCES article(id));";
    struct site a, b;
    uint64_t batch;

    (void)state;
    open_counting_pair(&a, &b, schema, "article.price");
    sql(&a, "INSERT INTO article VALUES (1, 3.5)");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET price = 2.25");
    sql(&b, "UPDATE article SET price = 3.25");
    exchange(&a, &b); /* 2.0 as a REAL, which is stored as 2 */
    expect(&a, "SELECT price, typeof(price) FROM article", "2|integer");
    sql(&a, "INSERT INTO line VALUES (1, 1)");
    exchange(&a, &b);
    sql(&a, "DELETE FROM line");
    sql(&a, "DELETE FROM article");
    sql(&b, "INSERT INTO line VALUES (2, 1)"); /* keeps it there */
    exchange(&a, &b);
    batch = b.store->ledger.batch;
    for (int i = 0; i < 5; i++)
        work(&b);
    assert_int_equal(b.store->ledger.batch, batch);
    expect_same(&a, &b, "SELECT count(*) FROM article");
    close_pair(&a, &b);
}

/* A value that is no number, or replaces one, is a write like any other; what others sell
 * meanwhile is taken off it. */
static void a_set_wins_and_unseen_sales_count_on_top(void **state)
{
    struct site a, b;

    (void)state;
    open_counting_pair(&a, &b, stock, "article.stock");
    sql(&a, "INSERT INTO article(id, name, stock) VALUES (1, 'tea', 10)");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET stock = NULL");
    work(&a);
    sql(&a, "UPDATE article SET stock = 50"); /* counted anew: from no number, so a set */
    sql(&b, "UPDATE article SET stock = 7");
    exchange(&a, &b);
    expect(&a, "SELECT stock FROM article", "47");
    expect_same(&a, &b, "SELECT * FROM article");
    sql(&b, "UPDATE article SET stock = 45");
    exchange(&a, &b);
    expect(&a, "SELECT stock FROM article", "45");
    close_pair(&a, &b);
}

/* One has heard of the rule, the other not yet; then it is taken back. No sale counts twice. */
static void a_column_becomes_a_counter_and_ceases_to_be_one(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, stock, stock);
    sql(&a, "INSERT INTO article(id, name, stock) VALUES (1, 'tea', 10)");
    exchange(&a, &b);
    make_counters(&a, "article.stock", true);
    sql(&a, "UPDATE article SET stock = 8");
    exchange(&a, &b);
    sql(&b, "UPDATE article SET stock = 7"); /* a set that has seen a's total */
    exchange(&a, &b);
    expect(&a, "SELECT stock FROM article", "7");
    sql(&a, "UPDATE article SET stock = 5");
    sql(&b, "UPDATE article SET stock = 6");
    exchange(&a, &b);
    expect(&a, "SELECT stock FROM article", "4");
    expect_same(&a, &b, "SELECT * FROM article");
    share_rules(&a, &b);
    sql(&a, "UPDATE article SET stock = stock - 1");
    sql(&b, "UPDATE article SET stock = stock - 1");
    exchange(&a, &b);
    expect(&a, "SELECT stock FROM article", "2");
    make_counters(&a, "article.stock", false);
    sql(&a, "UPDATE article SET stock = 20");
    sql(&b, "UPDATE article SET stock = 1");
    exchange(&a, &b);
    expect(&a, "SELECT stock FROM article", "19");
    share_rules(&a, &b);
    sql(&b, "UPDATE article SET stock = 3");
    exchange(&a, &b);
    expect(&a, "SELECT stock FROM article", "3");
    expect_same(&a, &b, "SELECT * FROM article");
    close_pair(&a, &b);
}

/* Three sites, change-sets that come late and by detours, in every order of meeting. */
static void three_tills_agree_however_they_meet(void **state)
{
    static const int meetings[][6] = {
        {0, 1, 1, 2, 0, 2}, {1, 2, 0, 1, 0, 2}, {0, 2, 0, 1, 1, 2}, {0, 2, 1, 2, 0, 1}};

    (void)state;
    for (size_t m = 0; m < COUNT_OF(meetings); m++) {
        struct site s[3] = {{.pragmas = NULL}};

        open_pair(&s[0], &s[1], stock, stock);
        make_counters(&s[0], "article.stock", true);
        share_rules(&s[0], &s[1]);
        sql(&s[0], "INSERT INTO article(id, name, stock) VALUES (1, 'tea', 100)");
        exchange(&s[0], &s[1]);
        sql(&s[1], "UPDATE article SET stock = stock - 7");
        exchange(&s[0], &s[1]);
        join_site(&s[0], &s[2], "C", stock);
        share_rules(&s[2], &s[1]);
        exchange(&s[0], &s[2]);
        expect(&s[2], "SELECT stock FROM article", "93");
        for (int round = 0; round < 3; round++) {
            sql(&s[0], "UPDATE article SET stock = stock - 1");
            work(&s[0]);
            sql(&s[1], "UPDATE article SET stock = stock + 10");
            sql(&s[2], round == 1 ? "UPDATE article SET stock = NULL"
                                  : "UPDATE article SET stock = coalesce(stock, 200) - 3");
            work(&s[2]);
            sql(&s[0], "UPDATE article SET stock = stock - 1");
            for (int i = 0; i < 6; i += 2)
                exchange(&s[meetings[m][i]], &s[meetings[m][i + 1]]);
        }
        exchange(&s[0], &s[1]);
        exchange(&s[1], &s[2]);
        exchange(&s[0], &s[1]);
        expect_same(&s[0], &s[1], "SELECT * FROM article");
        expect_same(&s[0], &s[2], "SELECT * FROM article");
        close_site(&s[2]);
        close_pair(&s[0], &s[1]);
    }
}

/* What is written from now on is later, whoever's clock ticks. */
static void next_millisecond(void)
{
    uint64_t now = wall_ms();

    while (wall_ms() < now + 2)
        ;
}

/* An article sold here while it is deleted there comes back, its sales and all. */
static void a_sale_after_a_delete_brings_the_row_back(void **state)
{
    struct site a, b;

    (void)state;
    open_counting_pair(&a, &b, stock, "article.stock");
    sql(&a, "INSERT INTO article(id, name, stock) VALUES (1, 'tea', 10), (2, 'rice', 10)");
    exchange(&a, &b);
    sql(&b, "UPDATE article SET stock = 9 WHERE id = 2"); /* before the delete, and unseen by it */
    work(&b);
    next_millisecond();
    sql(&a, "DELETE FROM article");
    work(&a);
    next_millisecond();
    sql(&b, "UPDATE article SET stock = 8 WHERE id = 1");
    exchange(&a, &b);
    expect(&a, "SELECT id, name, stock FROM article", "1|tea|8");
    expect_same(&a, &b, "SELECT * FROM article");
    sql(&a, "DELETE FROM article");
    exchange(&a, &b);
    expect(&b, "SELECT count(*) FROM article", "0");
    close_pair(&a, &b);
}

/* Two rows under one natural key are one row: sales of both count, before and after they met. */
static void united_rows_add_up(void **state)
{
    static const char schema[] = "CREATE TABLE shelf(code TEXT PRIMARY KEY, n INTEGER, note);";
    struct site a, b;

    (void)state;
    open_counting_pair(&a, &b, schema, "shelf.n");
    sql(&a, "INSERT INTO shelf VALUES ('x', 10, '')");
    sql(&b, "INSERT INTO shelf VALUES ('x', 10, '')");
    work(&a);
    work(&b);
    sql(&a, "UPDATE shelf SET n = 7");
    sql(&b, "UPDATE shelf SET n = 8");
    exchange(&a, &b);
    expect(&a, "SELECT n FROM shelf", "5");
    expect_same(&a, &b, "SELECT * FROM shelf");
    sql(&a, "UPDATE shelf SET n = n - 1");
    sql(&b, "UPDATE shelf SET n = n - 1");
    exchange(&a, &b);
    expect(&a, "SELECT n FROM shelf", "3");
    sql(&b, "DELETE FROM shelf");
    work(&b);
    sql(&b, "INSERT INTO shelf VALUES ('x', 6, 'again')");
    exchange(&a, &b);
    expect(&a, "SELECT n, note FROM shelf", "6|again");
    sql(&a, "UPDATE shelf SET n = n - 2, note = 'sold'");
    exchange(&a, &b);
    expect(&b, "SELECT n, note FROM shelf", "4|sold");
    expect_same(&a, &b, "SELECT * FROM shelf");
    close_pair(&a, &b);
}

/* Five of an article, of which the file lets nobody have less than none. */
static void open_five_and_never_less_than_none(struct site *a, struct site *b)
{
    static const char schema[] =
        "CREATE TABLE article(id INTEGER PRIMARY KEY, stock INTEGER CHECK (stock >= 0));";

    open_counting_pair(a, b, schema, "article.stock");
    sql(a, "INSERT INTO article VALUES (1, 5)");
    exchange(a, b);
}

/* The ledger computes with what the file refuses. */
static void a_sum_that_the_file_refuses_is_kept_and_lands_later(void **state)
{
    struct site a, b;

    (void)state;
    open_five_and_never_less_than_none(&a, &b);
    sql(&a, "UPDATE article SET stock = 1");
    sql(&b, "UPDATE article SET stock = 2");
    exchange(&a, &b);
    expect(&a, "SELECT stock FROM article", "1");
    expect(&b, "SELECT stock FROM article", "2");
    assert_int_equal(status_of(&a).parked, 1);
    sql(&a, "UPDATE article SET stock = 11"); /* ten came: 5 - 4 - 3 + 10 */
    exchange(&a, &b);
    expect(&a, "SELECT stock FROM article", "8");
    expect(&b, "SELECT stock FROM article", "8");
    assert_int_equal(status_of(&a).parked, 0);
    close_pair(&a, &b);
}

/* A newcomer's file does not take back what was sold since it was copied. */
static void a_copy_that_joins_leaves_the_sums_alone(void **state)
{
    static const char stocked[] =
        "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, stock INTEGER, weight REAL);"
        "INSERT INTO article(id, name, stock) VALUES (1, 'tea', 10), (2, 'rice', 20);";
    static const char empty[] =
        "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, stock INTEGER, weight REAL);";
    struct site a, b, c = {.pragmas = NULL};
    struct err e = {0};

    (void)state;
    open_pair(&a, &b, stocked, empty);
    make_counters(&a, "article.stock", true);
    share_rules(&a, &b);
    sql(&a, "UPDATE article SET stock = stock - 2");
    sql(&b, "UPDATE article SET stock = stock - 1");
    exchange(&a, &b);
    open_site(&c, stocked);
    sql(&c, "UPDATE article SET stock = 99 WHERE id = 2");
    enrol_site(&a, &c, "C");
    open_store(&c);
    check(store_track(c.store, NULL, 0, &e), &e);
    match_site(&a, &c, true);
    share_rules(&a, &b);
    exchange(&a, &c);
    exchange(&a, &b);
    expect(&c, "SELECT id, stock FROM article ORDER BY id", "1|7 2|17");
    expect_same(&a, &c, "SELECT * FROM article ORDER BY id");
    expect_same(&a, &b, "SELECT * FROM article ORDER BY id");
    assert_true(status_of(&c).conflicts > 0);
    sql(&c, "UPDATE article SET stock = stock - 1");
    exchange(&a, &c);
    expect(&a, "SELECT id, stock FROM article ORDER BY id", "1|6 2|16");
    close_site(&c);
    close_pair(&a, &b);
}

/* The one in the middle has no such column, and no such table: it passes on what it cannot show. */
static void counters_pass_through_a_pc_that_has_no_such_column(void **state)
{
    static const char schema[] =
        "CREATE TABLE article(id INTEGER PRIMARY KEY, name, stock INTEGER);"
        "CREATE TABLE shelf(code TEXT PRIMARY KEY, n INTEGER);";
    struct site a, b, c = {.pragmas = NULL};

    (void)state;
    open_pair(&a, &b, schema, "CREATE TABLE article(id INTEGER PRIMARY KEY, name);");
    make_counters(&a, "article.stock shelf.n", true);
    share_rules(&a, &b);
    sql(&a, "INSERT INTO article VALUES (1, 'tea', 10)");
    sql(&a, "INSERT INTO shelf VALUES ('x', 100)");
    exchange(&a, &b);
    join_site(&b, &c, "C", schema);
    share_rules(&b, &a);
    exchange(&b, &c);
    sql(&a, "UPDATE article SET stock = 8");
    sql(&a, "UPDATE shelf SET n = 90");
    sql(&b, "UPDATE article SET name = 'green tea'");
    sql(&c, "UPDATE article SET stock = 7");
    sql(&c, "UPDATE shelf SET n = 80");
    exchange(&a, &b);
    exchange(&b, &c);
    exchange(&a, &b);
    expect(&a, "SELECT name, stock, n FROM article, shelf", "green tea|5|70");
    expect_same(&a, &c, "SELECT name, stock, n FROM article, shelf");
    close_site(&c);
    close_pair(&a, &b);
}

/* A file that was put back: what it had sold since goes on, what it lost comes again. */
static void a_file_put_back_counts_no_sale_twice(void **state)
{
    struct site a, b;

    (void)state;
    open_counting_pair(&a, &b, stock, "article.stock");
    sql(&a, "INSERT INTO article(id, name, stock) VALUES (1, 'tea', 10), (2, 'rice', 10)");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET stock = 9 WHERE id = 1");
    exchange(&a, &b);
    keep_database(&a);
    sql(&a, "UPDATE article SET stock = 7 WHERE id = 1");
    sql(&b, "UPDATE article SET stock = 8 WHERE id = 1");
    exchange(&a, &b);
    put_database_back(&a, &a);
    sql(&a, "UPDATE article SET stock = 4 WHERE id = 2");
    tick(&a);
    open_store(&a);
    exchange(&a, &b);
    expect(&a, "SELECT id, stock FROM article ORDER BY id", "1|6 2|4");
    expect_same(&a, &b, "SELECT * FROM article ORDER BY id");
    sql(&a, "UPDATE article SET stock = stock - 1");
    exchange(&a, &b);
    expect(&b, "SELECT id, stock FROM article ORDER BY id", "1|5 2|3");
    close_pair(&a, &b);
}

/* It sold on before anybody looked, while others, and itself, had sold since the copy was made. One
 * sale leaves there what the sum is by now. */
static void what_is_sold_from_an_old_file_is_taken_off_what_is_left(void **state)
{
    static const char rows[] = "SELECT id, stock FROM article ORDER BY id";
    struct site a, b;

    (void)state;
    open_counting_pair(&a, &b, stock, "article.stock");
    sql(&a, "INSERT INTO article(id, name, stock) VALUES (1, 'tea', 10), (2, 'rice', 10),"
            " (3, 'salt', 10), (4, 'oil', 10)");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET stock = 9");
    sql(&b, "UPDATE article SET stock = 8");
    exchange(&a, &b);
    expect(&b, rows, "1|7 2|7 3|7 4|7");
    keep_database(&a);
    sql(&a, "UPDATE article SET stock = stock - 2 WHERE id <> 3");
    exchange(&a, &b);
    sql(&b, "UPDATE article SET stock = stock - 1 WHERE id <> 4");
    exchange(&a, &b);
    expect(&a, rows, "1|4 2|4 3|6 4|5");
    put_database_back(&a, &a);
    expect(&a, rows, "1|7 2|7 3|7 4|7");
    sql(&a, "UPDATE article SET stock = stock - 3 WHERE id <> 2");
    sql(&a, "UPDATE article SET name = 'brown rice' WHERE id = 2");
    tick(&a);
    open_store(&a);
    exchange(&a, &b);
    expect(&a, rows, "1|1 2|4 3|3 4|2");
    expect_same(&a, &b, "SELECT * FROM article ORDER BY id");
    expect_ledger(&a, "SELECT count(*) FROM conflict WHERE why <> 'doubtful'", "0");
    sql(&b, "UPDATE article SET stock = stock - 1");
    exchange(&a, &b);
    expect(&a, rows, "1|0 2|3 3|2 4|1");
    close_pair(&a, &b);
}

/* The row waits outside by now, because the file refuses the sum; the copy is of before that. */
static void what_is_sold_from_an_old_file_counts_where_the_row_waits_by_now(void **state)
{
    struct site a, b;

    (void)state;
    open_five_and_never_less_than_none(&a, &b);
    keep_database(&a);
    sql(&a, "UPDATE article SET stock = 1");
    sql(&b, "UPDATE article SET stock = 2");
    exchange(&a, &b);
    assert_int_equal(status_of(&a).parked, 1);
    put_database_back(&a, &a);
    sql(&a, "UPDATE article SET stock = 3");
    tick(&a);
    open_store(&a);
    exchange(&a, &b);
    sql(&b, "UPDATE article SET stock = stock + 10"); /* ten came: 5 - 4 - 3 - 2 + 10 */
    exchange(&a, &b);
    expect(&a, "SELECT stock FROM article", "6");
    expect(&b, "SELECT stock FROM article", "6");
    close_pair(&a, &b);
}

/* ---- applications that make a row anew ---- */

/* B goes on selling what A deletes. A makes it anew, as it had seen it, while the last sale has
 * come and waits for A's file, in which the application writes. */
static void who_makes_a_row_anew_counts_what_its_file_had_seen(void **state)
{
    static const char drawers[] = "CREATE TABLE drawer(name TEXT PRIMARY KEY, n INT) WITHOUT ROWID";
    struct store_progress p = {0};
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_counting_pair(&a, &b, drawers, "drawer.n");
    sql(&a, "INSERT INTO drawer VALUES ('tea', 10)");
    exchange(&a, &b);
    sql(&b, "UPDATE drawer SET n = n + 5");
    exchange(&a, &b);
    sql(&a, "DELETE FROM drawer");
    work(&a);
    later();
    sql(&b, "UPDATE drawer SET n = n - 1");
    work(&b);
    carry(&b, &a);
    sql(&a, "BEGIN IMMEDIATE");
    assert_false(store_apply(a.store, a.now_ms, &p, &e));
    assert_int_equal(e.code, ERR_BUSY);
    sql(&a, "INSERT INTO drawer VALUES ('tea', 20); COMMIT");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, "SELECT n FROM drawer", "19");
    expect(&b, "SELECT n FROM drawer", "19");
    close_pair(&a, &b);
}

/* ---- applications that save what they had read before an apply ---- */

static void a_stale_save_puts_nothing_back(void **state)
{
    struct site a, b;

    (void)state;
    open_counting_pair(&a, &b, stock, "article.stock");
    sql(&a, "INSERT INTO article(id, name, stock, price) VALUES (1, 'tea', 10, 2)");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET name = 'green tea', stock = 8");
    exchange(&a, &b);
    sql(&b,
        "UPDATE article SET name = 'tea', stock = 10, price = 3"); /* read before, saved whole */
    exchange(&a, &b);
    expect(&a, "SELECT name, stock, price FROM article", "green tea|8|3");
    expect_same(&a, &b, "SELECT * FROM article");
    expect_ledger(&b, "SELECT count(*), min(why), max(why) FROM conflict", "2|stale|stale");
    expect_ledger(&a, "SELECT count(*) FROM conflict", "0");
    sql(&b, "UPDATE article SET stock = stock - 1");
    exchange(&a, &b);
    expect(&a, "SELECT name, stock, price FROM article", "green tea|7|3");
    close_pair(&a, &b);
}

static void who_changes_a_value_back_alone_means_it(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, stock, stock);
    sql(&a, "INSERT INTO article(id, name, stock, price) VALUES (1, 'tea', 10, 2)");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET name = 'green tea'");
    exchange(&a, &b);
    sql(&b, "UPDATE article SET name = 'tea', price = price, stock = stock");
    exchange(&a, &b);
    expect(&a, "SELECT name FROM article", "tea");
    expect_same(&a, &b, "SELECT * FROM article");
    assert_int_equal(status_of(&b).conflicts, 0);
    close_pair(&a, &b);
}

/* What the agent does not remember any more was meant. */
static void after_a_restart_a_save_is_taken_as_it_comes(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, stock, stock);
    sql(&a, "INSERT INTO article(id, name, stock, price) VALUES (1, 'tea', 10, 2)");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET name = 'green tea'");
    exchange(&a, &b);
    close_store(&b);
    open_store(&b);
    sql(&b, "UPDATE article SET name = 'tea', price = 3");
    exchange(&a, &b);
    expect(&a, "SELECT name, price FROM article", "tea|3");
    expect_same(&a, &b, "SELECT * FROM article");
    close_pair(&a, &b);
}

/* Both sold one of ten, and the second wrote the nine that the first had just brought: nothing
 * changed, and one sale may be missing. */
static void the_same_sum_written_twice_is_listed(void **state)
{
    struct site a, b;

    (void)state;
    open_counting_pair(&a, &b, stock, "article.stock");
    sql(&a, "INSERT INTO article(id, name, stock) VALUES (1, 'tea', 10)");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET stock = 9");
    exchange(&a, &b);
    sql(&b, "UPDATE article SET stock = 9");
    exchange(&a, &b);
    expect(&a, "SELECT stock FROM article", "9");
    expect_ledger(&b, "SELECT why FROM conflict", "doubtful");
    sql(&b, "UPDATE article SET stock = 8, name = 'tea'");
    exchange(&a, &b);
    expect(&a, "SELECT stock FROM article", "8");
    expect_ledger(&b, "SELECT why FROM conflict", "doubtful");
    close_pair(&a, &b);
}

/* A stock of which this PC says nothing: what is sold here stays sold when others sell, too, and
 * goes out when the rule does. */
static void what_is_held_back_of_a_counter_stays_beside_what_arrives(void **state)
{
    static const char stocks[] =
        "CREATE TABLE stock(id INTEGER PRIMARY KEY, name TEXT, n DECIMAL, price DECIMAL, place);";
    struct site a, b;
    const struct wish quiet = {.target = "stock", .kind = RULE_SUBSCRIBE, .of = &b};

    (void)state;
    open_pair(&a, &b, stocks, stocks);
    make_counters(&a, "stock.n", true);
    set_rule(&a, quiet);
    share_rosters(&a, &b);
    sql(&a, "INSERT INTO stock VALUES (1, 'rice', 10, 2, 'left')");
    exchange(&a, &b);
    sql(&b, "UPDATE stock SET n = n - 3, place = 'right'");
    exchange(&a, &b);
    sql(&a, "UPDATE stock SET n = n - 1, price = 2.5");
    exchange(&a, &b);
    expect(&a, "SELECT n, price, place FROM stock", "9|2.5|left");
    expect(&b, "SELECT n, price, place FROM stock", "6|2.5|right");
    sql(&a, "UPDATE stock SET n = n - 0.5, price = 3.0"); /* 3: the file makes it another value */
    exchange(&a, &b);
    expect(&b, "SELECT n, price, place FROM stock", "5.5|3|right");
    unset_rule(&a, quiet);
    share_rosters(&a, &b);
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT n, price, place FROM stock", "5.5|3|right");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_tills_take_both_their_sales_off_the_stock),
        cmocka_unit_test(decimals_add_up_exactly_and_keep_their_class),
        cmocka_unit_test(a_till_alone_is_not_written_to),
        cmocka_unit_test(a_sum_that_the_column_stores_otherwise_is_written_once),
        cmocka_unit_test(a_set_wins_and_unseen_sales_count_on_top),
        cmocka_unit_test(a_column_becomes_a_counter_and_ceases_to_be_one),
        cmocka_unit_test(three_tills_agree_however_they_meet),
        cmocka_unit_test(a_sale_after_a_delete_brings_the_row_back),
        cmocka_unit_test(united_rows_add_up),
        cmocka_unit_test(a_sum_that_the_file_refuses_is_kept_and_lands_later),
        cmocka_unit_test(a_copy_that_joins_leaves_the_sums_alone),
        cmocka_unit_test(counters_pass_through_a_pc_that_has_no_such_column),
        cmocka_unit_test(a_file_put_back_counts_no_sale_twice),
        cmocka_unit_test(what_is_sold_from_an_old_file_is_taken_off_what_is_left),
        cmocka_unit_test(what_is_sold_from_an_old_file_counts_where_the_row_waits_by_now),
        cmocka_unit_test(who_makes_a_row_anew_counts_what_its_file_had_seen),
        cmocka_unit_test(a_stale_save_puts_nothing_back),
        cmocka_unit_test(who_changes_a_value_back_alone_means_it),
        cmocka_unit_test(after_a_restart_a_save_is_taken_as_it_comes),
        cmocka_unit_test(the_same_sum_written_twice_is_listed),
        cmocka_unit_test(what_is_held_back_of_a_counter_stays_beside_what_arrives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
