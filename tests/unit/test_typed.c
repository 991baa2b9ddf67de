/* References in which a name says of which table the row is: pairs of type and id, and ids inside
 * text. On whole stores. Also of appname.c, refer.c, seen.c. */
#include "ruled.h"

#define RULE(name, rule_kind, ...)                                                                 \
    ((struct wish){.target = (name), .kind = (rule_kind), __VA_ARGS__})

static const char shop_schema[] =
    "CREATE TABLE django_content_type(id INTEGER PRIMARY KEY AUTOINCREMENT, app_label TEXT NOT "
    "NULL, model TEXT NOT NULL, UNIQUE(app_label, model));"
    "CREATE TABLE shop_sale(id INTEGER PRIMARY KEY AUTOINCREMENT, total INT);"
    "CREATE TABLE people(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);"
    "CREATE TABLE note(id INTEGER PRIMARY KEY AUTOINCREMENT, content_type_id INT REFERENCES "
    "django_content_type(id), object_id INT, text TEXT);"
    "CREATE TABLE tag(id INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT, ref TEXT, word TEXT);"
    "CREATE TABLE mail(id INTEGER PRIMARY KEY AUTOINCREMENT, origin TEXT, text TEXT)";

/* What each note is about, in words that are the same everywhere. */
static const char notes[] =
    "SELECT text, coalesce((SELECT 'sale ' || total FROM shop_sale WHERE t.model = 'sale' AND "
    "shop_sale.id = object_id), (SELECT name FROM people WHERE t.model = 'client' AND people.id = "
    "object_id), 'nothing') FROM note LEFT JOIN django_content_type t ON t.id = content_type_id"
    " ORDER BY text";
static const char tags[] =
    "SELECT word, coalesce((SELECT 'sale ' || total FROM shop_sale WHERE type IN ('shop_sale', "
    "'shop.sale') AND '' || shop_sale.id = ref), (SELECT name FROM people WHERE type = 'Client' "
    "AND "
    "people.id = ref), ref) FROM tag ORDER BY word";
static const char mails[] =
    "SELECT text, coalesce((SELECT 'sale ' || total FROM shop_sale WHERE origin = 'shop.sale,' || "
    "id), (SELECT name FROM people WHERE origin = 'res.partner,' || id), origin) FROM mail ORDER "
    "BY text";

static void set_rules(struct site *a, struct site *b)
{
    set_rule(a, RULE("django_content_type.app_label,model", RULE_MERGE, .argument = NULL));
    set_rule(a, RULE("note.object_id", RULE_REFERENCES_BY, .argument = "content_type_id",
                     .where = "shop.client=people"));
    set_rule(a, RULE("tag.ref", RULE_REFERENCES_BY, .argument = "type", .where = "Client=people"));
    set_rule(a, RULE("mail.origin", RULE_REFERENCES_TEXT, .argument = "model,id",
                     .where = "res.partner=people"));
    share_rosters(a, b);
}

/* Both number their sales, people and types from 1, and mean different ones. */
static void open_shops(struct site *a, struct site *b)
{
    open_pair(a, b, shop_schema, shop_schema);
    set_rules(a, b);
    sql(a, "INSERT INTO django_content_type VALUES (1, 'shop', 'sale'), (2, 'shop', 'client')");
    sql(b, "INSERT INTO django_content_type VALUES (1, 'shop', 'client'), (2, 'shop', 'sale')");
    sql(a, "INSERT INTO shop_sale VALUES (1, 10), (2, 11); INSERT INTO people VALUES (1, 'Ana')");
    sql(b, "INSERT INTO shop_sale VALUES (1, 20), (2, 21); INSERT INTO people VALUES (1, 'Bea')");
}

static void a_pair_of_type_and_id_follows_its_row(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a, "INSERT INTO note VALUES (1, 1, 2, 'a'), (2, 2, 1, 'b'), (3, 1, 99, 'c'), (4, NULL, 1, "
            "'d'), (5, 2, NULL, 'e')");
    sql(&b, "INSERT INTO note VALUES (1, 2, 1, 'f'), (2, 1, 1, 'g')");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, notes, "a|sale 11 b|Ana c|nothing d|nothing e|nothing f|sale 20 g|Bea");
    expect_same(&a, &b, notes);
    expect(&b, "SELECT object_id FROM note WHERE text IN ('c', 'd') ORDER BY text", "99 1");
    assert_int_equal(status_of(&a).parked, 0);
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

static void a_type_in_words_and_an_id_as_text_do_as_well(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a, "INSERT INTO tag VALUES (1, 'shop_sale', '2', 'a'), (2, 'Client', '1', 'b'), (3, "
            "'shop_sale', '02', 'c'), (4, 'nobody', '1', 'd')");
    sql(&b, "INSERT INTO tag VALUES (1, 'shop.sale', '1', 'e'), (2, 'Client', '1', 'f')");
    exchange(&a, &b);
    expect(&a, tags, "a|sale 11 b|Ana c|02 d|1 e|sale 20 f|Bea");
    expect_same(&a, &b, tags);
    expect(&b, "SELECT typeof(ref) FROM tag WHERE word = 'a'", "text");
    close_pair(&a, &b);
}

static void ids_inside_text_are_followed(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a, "INSERT INTO mail VALUES (1, 'shop.sale,2', 'a'), (2, 'res.partner,1', 'b'), (3, "
            "'shop_sale,2', 'c'), (4, 'hello, world', 'd'), (5, 'shop.sale,', 'e'), (6, "
            "'shop.sale,77', 'f'), (7, NULL, 'g')");
    sql(&b, "INSERT INTO mail VALUES (1, 'shop.sale,1', 'h'), (2, 'res.partner,1', 'i')");
    exchange(&a, &b);
    expect(&a, mails,
           "a|sale 11 b|Ana c|shop_sale,2 d|hello, world e|shop.sale, f|shop.sale,77 g|NULL "
           "h|sale 20 i|Bea");
    expect_same(&a, &b, mails);
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

static void saving_such_a_row_whole_says_nothing_new(void **state)
{
    uint64_t made[2];
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a,
        "INSERT INTO note VALUES (1, 1, 2, 'a'); INSERT INTO tag VALUES (1, 'Client', '1', 'b');"
        "INSERT INTO mail VALUES (1, 'shop.sale,2', 'c')");
    exchange(&a, &b);
    exchange(&a, &b);
    made[0] = made_by(&a);
    made[1] = made_by(&b);
    for (int i = 0; i < 2; i++)
        sql(i == 0 ? &a : &b,
            "UPDATE note SET content_type_id = content_type_id, object_id = "
            "object_id; UPDATE tag SET ref = ref; UPDATE mail SET origin = origin");
    exchange(&a, &b);
    assert_int_equal(made_by(&a), made[0]);
    assert_int_equal(made_by(&b), made[1]);
    close_pair(&a, &b);
}

/* One changes the pair, the other only its id: what stands is one of the two pairs, whole. */
static void no_merge_makes_a_pair_of_two_halves(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a, "INSERT INTO note VALUES (1, 1, 1, 'a')");
    exchange(&a, &b);
    exchange(&a, &b);
    sql(&a, "UPDATE note SET content_type_id = 2, object_id = 1");
    later();
    sql(&b, "UPDATE note SET object_id = 2");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, notes, "a|sale 21");
    expect_same(&a, &b, notes);
    close_pair(&a, &b);
}

/* An application saves a row whole as it had read it before the other one changed the pair. */
static void a_save_of_what_was_read_before_puts_back_no_half_of_a_pair(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a, "INSERT INTO people VALUES (2, 'Cora'); INSERT INTO tag VALUES (1, NULL, NULL, 'a'),"
            " (2, 'Client', '2', 'b')");
    exchange(&a, &b);
    sql(&a, "UPDATE tag SET type = 'Client', ref = '2' WHERE word = 'a';"
            "UPDATE tag SET ref = '1' WHERE word = 'b'");
    exchange(&a, &b);
    expect(&b, tags, "a|Cora b|Ana");
    sql(&b, "UPDATE tag SET type = 'nobody', ref = NULL WHERE word = 'a';"
            "UPDATE tag SET type = 'Client', word = 'new', ref = (SELECT '' || id FROM people WHERE"
            " name = 'Cora') WHERE word = 'b'");
    exchange(&a, &b);
    expect(&a, "SELECT word, type, ref FROM tag ORDER BY word", "a|nobody|NULL new|Client|1");
    expect_same(&a, &b, tags);
    expect_ledger(&b, "SELECT count(*), max(why) FROM conflict", "1|stale");
    close_pair(&a, &b);
}

/* Two sales become one. What names one of them, or a client with its number, is let go of. */
static void a_pair_that_is_let_go_of_after_rows_became_one_is_gone(void **state)
{
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_shops(&a, &b);
    sql(&a, "INSERT INTO people VALUES (2, 'Cora'); INSERT INTO tag VALUES (1, 'Client', '2', 'a'),"
            " (2, 'shop_sale', '2', 'b')");
    work(&a);
    check(store_unite(a.store, "shop_sale", (int64_t[]){1, 2}, a.now_ms, &e), &e);
    work(&a);
    expect(&a, "SELECT word, type, ref FROM tag ORDER BY word", "a|Client|2 b|shop_sale|1");
    sql(&a, "UPDATE tag SET type = NULL, ref = NULL");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, "SELECT count(*), max(type), max(ref) FROM tag", "2|NULL|NULL");
    expect_same(&a, &b, tags);
    assert_int_equal(status_of(&a).conflicts, 0);
    close_pair(&a, &b);
}

static void a_row_deleted_elsewhere_stays_for_what_names_it_so(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a, "INSERT INTO shop_sale VALUES (3, 12), (4, 13), (5, 14)");
    exchange(&a, &b);
    exchange(&a, &b);
    sql(&a, "DELETE FROM shop_sale WHERE total > 11");
    sql(&b, "INSERT INTO note SELECT 9, 2, id, 'n' FROM shop_sale WHERE total = 12;"
            "INSERT INTO tag SELECT 9, 'shop_sale', id, 't' FROM shop_sale WHERE total = 13;"
            "INSERT INTO mail SELECT 9, 'shop.sale,' || id, 'm' FROM shop_sale WHERE total = 14");
    exchange(&a, &b);
    exchange(&a, &b);
    for (int i = 0; i < 2; i++) {
        struct site *s = i == 0 ? &a : &b;

        expect(s, notes, "n|sale 12");
        expect(s, tags, "t|sale 13");
        expect(s, mails, "m|sale 14");
    }
    sql(&a, "DELETE FROM note; DELETE FROM tag; DELETE FROM mail");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&b, "SELECT count(*) FROM shop_sale WHERE total BETWEEN 12 AND 14", "0");
    expect(&a, "SELECT count(*) FROM shop_sale WHERE total BETWEEN 12 AND 14", "0");
    close_pair(&a, &b);
}

/* Who deleted the row had seen what names it, and left it: so it is everywhere. */
static void a_row_that_was_let_go_with_what_names_it_goes_everywhere(void **state)
{
    uint64_t made[2];
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    set_rule(&a, RULE("people.boss", RULE_REFERENCES, .argument = "people"));
    share_rosters(&a, &b);
    for (int i = 0; i < 2; i++)
        sql(i == 0 ? &a : &b, "ALTER TABLE people ADD COLUMN boss INT");
    sql(&a, "INSERT INTO people VALUES (8, 'Bob', 1); INSERT INTO note VALUES (1, 1, 1, 'a');"
            "INSERT INTO tag VALUES (1, 'shop_sale', '1', 'a'); INSERT INTO mail VALUES (1, "
            "'shop.sale,1', 'a')");
    exchange(&a, &b);
    exchange(&a, &b);
    sql(&b, "DELETE FROM shop_sale WHERE total = 10; DELETE FROM people WHERE name = 'Ana'");
    exchange(&a, &b);
    exchange(&a, &b);
    for (int i = 0; i < 2; i++) {
        struct site *s = i == 0 ? &a : &b;

        expect(s, "SELECT count(*) FROM shop_sale WHERE total = 10", "0");
        expect(s, "SELECT count(*) FROM people WHERE name = 'Ana'", "0");
        expect(s, notes, "a|nothing");
    }
    expect(&a, "SELECT origin FROM mail", "shop.sale,1"); /* dangling as before */
    made[0] = made_by(&a);
    made[1] = made_by(&b);
    for (int i = 0; i < 2; i++)
        sql(i == 0 ? &a : &b, "UPDATE note SET object_id = object_id; UPDATE tag SET ref = ref;"
                              "UPDATE mail SET origin = origin; UPDATE people SET boss = boss");
    exchange(&a, &b);
    assert_int_equal(made_by(&a), made[0]);
    assert_int_equal(made_by(&b), made[1]);
    sql(&a, "UPDATE note SET text = 'still'; UPDATE mail SET text = 'still'");
    exchange(&a, &b);
    expect(&b, notes, "still|nothing");
    expect(&a, "SELECT count(*) FROM shop_sale WHERE total = 10", "0");
    expect(&b, "SELECT count(*) FROM shop_sale WHERE total = 10", "0");
    sql(&b, "INSERT INTO mail SELECT 50, origin, 'anew' FROM mail"); /* its author knew */
    exchange(&a, &b);
    expect(&a, "SELECT origin FROM mail WHERE text = 'anew'", "shop.sale,1");
    expect(&a, "SELECT count(*) FROM shop_sale WHERE total = 10", "0");
    expect(&b, "SELECT count(*) FROM shop_sale WHERE total = 10", "0");
    assert_int_equal(status_of(&a).parked, 0);
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

static void what_became_such_a_reference_later_is_told_by_who_wrote_it(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop_schema, shop_schema);
    sql(&a,
        "INSERT INTO shop_sale VALUES (1, 10); INSERT INTO tag VALUES (1, 'shop_sale', '1', 'a');"
        "INSERT INTO mail VALUES (1, 'shop.sale,1', 'a')");
    sql(&b,
        "INSERT INTO shop_sale VALUES (1, 20); INSERT INTO tag VALUES (1, 'shop_sale', '1', 'b');"
        "INSERT INTO mail VALUES (1, 'shop.sale,1', 'b')");
    exchange(&a, &b);
    set_rules(&a, &b);
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, tags, "a|sale 10 b|sale 20");
    expect_same(&a, &b, tags);
    expect(&b, mails, "a|sale 10 b|sale 20");
    expect_same(&a, &b, mails);
    /* and back: each keeps what it shows */
    unset_rule(&a, RULE("mail.origin", RULE_REFERENCES_TEXT, .argument = NULL));
    unset_rule(&a, RULE("tag.ref", RULE_REFERENCES_BY, .argument = NULL));
    share_rosters(&a, &b);
    sql(&a, "UPDATE tag SET word = word; UPDATE mail SET origin = origin");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, tags, "a|sale 10 b|sale 20");
    expect(&b, tags, "a|sale 10 b|sale 20");
    expect(&b, mails, "a|sale 10 b|sale 20");
    close_pair(&a, &b);
}

/* ... and the row that it names went before anybody heard of it: it keeps nobody outside. */
static void what_is_no_reference_any_more_may_name_a_row_that_is_gone(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    exchange(&a, &b);
    sql(&b, "INSERT INTO people VALUES (9, 'Zoe'); INSERT INTO tag VALUES (9, 'Client', '9', 'z')");
    work(&b);
    sql(&b, "DELETE FROM people WHERE name = 'Zoe'");
    work(&b);
    unset_rule(&a, RULE("tag.ref", RULE_REFERENCES_BY, .argument = NULL));
    carry(&b, &a);
    apply_all(&a);
    expect(&a, "SELECT word FROM tag", "z");
    share_rosters(&a, &b);
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, "SELECT word FROM tag", "z");
    expect(&a, "SELECT count(*) FROM people WHERE name = 'Zoe'", "0");
    assert_int_equal(status_of(&a).parked, 0);
    close_pair(&a, &b);
}

static void a_file_put_back_still_names_its_rows(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a,
        "INSERT INTO note VALUES (1, 1, 2, 'a'); INSERT INTO mail VALUES (1, 'shop.sale,2', 'a')");
    exchange(&a, &b);
    exchange(&a, &b);
    keep_database(&b);
    sql(&b, "INSERT INTO note SELECT 9, content_type_id, object_id, 'lost' FROM note");
    exchange(&a, &b);
    put_database_back(&b, &b);
    open_store(&b);
    sql(&b, "INSERT INTO note SELECT 10, content_type_id, object_id, 'new' FROM note;"
            "INSERT INTO mail SELECT 10, origin, 'new' FROM mail");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, notes, "a|sale 11 lost|sale 11 new|sale 11");
    expect_same(&a, &b, notes);
    expect(&a, mails, "a|sale 11 new|sale 11");
    expect_same(&a, &b, mails);
    close_pair(&a, &b);
}

/* The parent comes later than what names it, in whatever order. */
static void such_a_row_waits_for_its_parent(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    exchange(&a, &b);
    exchange(&a, &b);
    set_rule(&a, RULE("shop_sale", RULE_BOTH, .where = "total < 100"));
    share_rosters(&a, &b);
    sql(&a, "INSERT INTO shop_sale VALUES (7, 700); INSERT INTO note VALUES (1, 1, 7, 'a');"
            "INSERT INTO mail VALUES (1, 'shop.sale,7', 'a')");
    exchange(&a, &b);
    assert_int_equal(status_of(&b).parked, 2);
    expect(&b, "SELECT count(*) FROM mail", "0");
    unset_rule(&a, RULE("shop_sale", RULE_BOTH, .where = NULL));
    share_rosters(&a, &b);
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&b, notes, "a|sale 700");
    expect(&b, mails, "a|sale 700");
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

/* Both rows that it names were deleted meanwhile: the one that a foreign key names is brought back
 * first, and then the other one. */
static void a_row_that_names_two_that_are_gone_brings_back_both(void **state)
{
    static const char letters[] =
        "CREATE TABLE people(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);"
        "CREATE TABLE letter(id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT,"
        " author INT REFERENCES people(id), reader INT)";
    static const char ask[] = "SELECT text, a.name, r.name FROM letter JOIN people a ON a.id ="
                              " author JOIN people r ON r.id = reader";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, letters, letters);
    set_rule(&a, RULE("letter.reader", RULE_REFERENCES, .argument = "people"));
    share_rosters(&a, &b);
    sql(&a, "INSERT INTO people VALUES (1, 'Ana'), (2, 'Bea'), (3, 'Cem')");
    exchange(&a, &b);
    sql(&a, "DELETE FROM people WHERE id < 3");
    sql(&b, "INSERT INTO letter VALUES (1, 'hello', 1, 2)");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, ask, "hello|Ana|Bea");
    expect(&b, ask, "hello|Ana|Bea");
    close_pair(&a, &b);
}

/* One drain took its birth and its end, so nobody has heard of it. The file went back to between
 * them, and it is deleted once more: what names it is as if it named nothing. */
static void a_row_that_nobody_has_heard_of_is_waited_for_by_nobody(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    exchange(&a, &b);
    sql(&a,
        "INSERT INTO shop_sale VALUES (70, 7); INSERT INTO mail VALUES (1, 'shop.sale,70', 'a')");
    keep_database(&a);
    sql(&a, "DELETE FROM shop_sale WHERE id = 70");
    exchange(&a, &b);
    put_database_back(&a, &a);
    sql(&a, "DELETE FROM shop_sale WHERE id = 70; UPDATE mail SET origin = origin, text = 'b'");
    open_store(&a);
    exchange(&a, &b);
    sql(&a, "INSERT INTO mail VALUES (2, 'shop.sale,70', 'c')");
    exchange(&a, &b);
    expect(&b, "SELECT text, origin FROM mail ORDER BY text", "b|shop.sale,70 c|shop.sale,70");
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

/* It goes by itself when the file is put right, and is named afterwards. */
static void a_row_that_went_unheard_of_again_is_no_row_to_name(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    exchange(&a, &b);
    sql(&a, "INSERT INTO shop_sale VALUES (70, 7)");
    keep_database(&a);
    sql(&a, "DELETE FROM shop_sale WHERE id = 70");
    exchange(&a, &b);
    put_database_back(&a, &a);
    open_store(&a);
    exchange(&a, &b);
    expect(&a, "SELECT count(*) FROM shop_sale WHERE id = 70", "0");
    sql(&a, "INSERT INTO mail VALUES (1, 'shop.sale,70', 'a')");
    exchange(&a, &b);
    expect(&b, "SELECT text, origin FROM mail", "a|shop.sale,70");
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

/* A sale goes, and in the same change-set comes a tag with its number that means a client. */
static void a_row_goes_although_one_that_comes_has_its_number(void **state)
{
    struct store_progress p = {0};
    struct err e = {0};
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a, "INSERT INTO people VALUES (2, 'Al'), (3, 'Al')");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&b, "SELECT name FROM people JOIN shop_sale USING (id) WHERE total = 11", "Al");
    later();
    sql(&a, "DELETE FROM shop_sale WHERE id = 2;"
            "INSERT INTO tag VALUES (1, 'Client', '2', 'b'), (2, 'Client', '3', 'c')");
    work(&a);
    carry(&a, &b);
    tick(&b);
    check(store_apply(b.store, b.now_ms, &p, &e), &e);
    expect(&b, tags, "b|Al c|Al");
    expect(&b, "SELECT count(*) FROM shop_sale WHERE total = 11", "0");
    close_pair(&a, &b);
}

/* B, whose clock is ahead, deletes a sale, of which A's tag speaks, unknown to B: it stays. Then A,
 * who knows the tag, deletes it. */
static void a_delete_that_knows_better_counts_although_an_older_one_is_later(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    exchange(&a, &b);
    sql(&a, "INSERT INTO tag VALUES (1, 'shop_sale', '2', 't')");
    sql(&b, "DELETE FROM shop_sale WHERE total = 11;"
            "UPDATE _navette_dirty SET t = t + 0.001"
            " WHERE id = (SELECT max(id) FROM _navette_dirty)");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, tags, "t|sale 11");
    expect_same(&a, &b, tags);
    later();
    sql(&a, "DELETE FROM shop_sale WHERE total = 11");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, tags, "t|2");
    expect(&b, "SELECT count(*) FROM shop_sale WHERE total = 11", "0");
    close_pair(&a, &b);
}

/* B, whose clock is ahead, deletes one of two sales that A makes one and tags. Then B, who knows
 * the tag by now, deletes what they are. */
static void who_deletes_a_row_of_two_knows_better_than_when_he_deleted_a_part(void **state)
{
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_shops(&a, &b);
    exchange(&a, &b);
    sql(&b, "DELETE FROM shop_sale WHERE total = 11;"
            "UPDATE _navette_dirty SET t = t + 0.001"
            " WHERE id = (SELECT max(id) FROM _navette_dirty)");
    work(&b);
    sql(&a, "INSERT INTO tag VALUES (1, 'shop_sale', '2', 't')");
    work(&a);
    check(store_unite(a.store, "shop_sale", (int64_t[]){1, 2}, a.now_ms, &e), &e);
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT count(*) FROM shop_sale WHERE total < 12", "1");
    sql(&b, "DELETE FROM shop_sale WHERE total < 12");
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT count(*) FROM shop_sale WHERE total < 12", "0");
    close_pair(&a, &b);
}

/* Two sales are made one, and before the file shows that the application deletes one of them there:
 * what named it names the other one. */
static void what_named_the_one_of_two_that_went_names_what_they_are(void **state)
{
    (void)state;
    for (int gone = 1; gone <= 2; gone++) {
        struct site a, b;
        struct err e = {0};

        open_shops(&a, &b);
        sql(&a, "INSERT INTO tag VALUES (1, 'shop_sale', '1', 't'), (2, 'shop_sale', '2', 'u')");
        exchange(&a, &b);
        check(store_unite(a.store, "shop_sale", (int64_t[]){1, 2}, a.now_ms, &e), &e);
        sql(&a, gone == 1 ? "DELETE FROM shop_sale WHERE id = 1"
                          : "DELETE FROM shop_sale WHERE id = 2");
        exchange(&a, &b);
        exchange(&a, &b);
        expect_both(&a, &b, tags, "t|sale 11 u|sale 11");
        close_pair(&a, &b);
    }
}

/* So it does where the application had deleted it before, and saves what names it while the other
 * one is still to come into its file. */
static void what_names_the_one_of_two_that_had_gone_says_nothing_new(void **state)
{
    struct store_progress p;
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_shops(&a, &b);
    sql(&a, "INSERT INTO tag VALUES (1, 'shop_sale', '2', 't')");
    exchange(&a, &b);
    exchange(&a, &b);
    check(store_unite(b.store, "shop_sale", (int64_t[]){3, 4}, b.now_ms, &e), &e);
    sql(&a, "DELETE FROM shop_sale WHERE id = 2");
    drain_all(&a);
    work(&b);
    sql(&a, "BEGIN IMMEDIATE; UPDATE tag SET word = 'u'");
    carry(&b, &a);
    assert_false(store_apply(a.store, a.now_ms, &p, &e));
    assert_int_equal(e.code, ERR_BUSY);
    sql(&a, "COMMIT");
    drain_all(&a);
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, tags, "u|sale 11");
    close_pair(&a, &b);
}

/* What speaks of a row that is gone must not come to speak of the one that got its number in a file
 * that went back. */
static void what_dangles_never_names_another_row(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    exchange(&a, &b);
    keep_database(&b);
    sql(&a, "INSERT INTO people VALUES (3, 'Al'); INSERT INTO tag VALUES (1, 'Client', '3', 't')");
    exchange(&a, &b);
    expect(&b, tags, "t|Al");
    sql(&a, "DELETE FROM people WHERE name = 'Al'");
    exchange(&a, &b);
    expect(&a, tags, "t|3");
    put_database_back(&b, &b);
    later();
    open_store(&b);
    sql(&b, "INSERT INTO people(name) VALUES ('Eve')");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, tags, "t|3");
    expect(&b, "SELECT count(*) FROM tag", "1");
    expect(&b, "SELECT count(*) FROM tag JOIN people ON people.id = ref", "0");
    expect_same(&a, &b, "SELECT name FROM people ORDER BY name");
    close_pair(&a, &b);
}

/* Nobody remembers the row that had the number; the tag still shows it. */
static void the_number_of_a_row_that_went_unheard_of_is_given_to_no_other(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    exchange(&a, &b);
    sql(&b,
        "BEGIN; INSERT INTO people VALUES (3, 'Al');"
        "INSERT INTO tag VALUES (1, 'Client', '3', 't'); DELETE FROM people WHERE id = 3; COMMIT");
    work(&b);
    sql(&a, "INSERT INTO people VALUES (3, 'Eve')");
    exchange(&a, &b);
    expect(&b, "SELECT count(*) FROM people WHERE name = 'Eve'", "1");
    expect(&b, tags, "t|3");
    sql(&b, "UPDATE tag SET word = 'u'");
    exchange(&a, &b);
    expect(&b, tags, "u|3");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_goes_although_one_that_comes_has_its_number),
        cmocka_unit_test(a_delete_that_knows_better_counts_although_an_older_one_is_later),
        cmocka_unit_test(the_number_of_a_row_that_went_unheard_of_is_given_to_no_other),
        cmocka_unit_test(who_deletes_a_row_of_two_knows_better_than_when_he_deleted_a_part),
        cmocka_unit_test(what_named_the_one_of_two_that_went_names_what_they_are),
        cmocka_unit_test(what_names_the_one_of_two_that_had_gone_says_nothing_new),
        cmocka_unit_test(what_dangles_never_names_another_row),
        cmocka_unit_test(a_pair_of_type_and_id_follows_its_row),
        cmocka_unit_test(a_type_in_words_and_an_id_as_text_do_as_well),
        cmocka_unit_test(ids_inside_text_are_followed),
        cmocka_unit_test(saving_such_a_row_whole_says_nothing_new),
        cmocka_unit_test(no_merge_makes_a_pair_of_two_halves),
        cmocka_unit_test(a_save_of_what_was_read_before_puts_back_no_half_of_a_pair),
        cmocka_unit_test(a_pair_that_is_let_go_of_after_rows_became_one_is_gone),
        cmocka_unit_test(a_row_deleted_elsewhere_stays_for_what_names_it_so),
        cmocka_unit_test(a_row_that_was_let_go_with_what_names_it_goes_everywhere),
        cmocka_unit_test(what_became_such_a_reference_later_is_told_by_who_wrote_it),
        cmocka_unit_test(what_is_no_reference_any_more_may_name_a_row_that_is_gone),
        cmocka_unit_test(a_file_put_back_still_names_its_rows),
        cmocka_unit_test(such_a_row_waits_for_its_parent),
        cmocka_unit_test(a_row_that_names_two_that_are_gone_brings_back_both),
        cmocka_unit_test(a_row_that_nobody_has_heard_of_is_waited_for_by_nobody),
        cmocka_unit_test(a_row_that_went_unheard_of_again_is_no_row_to_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
