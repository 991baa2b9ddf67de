/* A newcomer whose file is a copy: change-sets that come in outline are made whole from its own
 * rows, for little more than what differs, and a peer that lies gains nothing. Also of
 * outlined.c, said.c. */
#include "sites.h"

#include <navette/rebuild.h>

static const char books[] =
    "CREATE TABLE family(code TEXT PRIMARY KEY, title TEXT, above TEXT REFERENCES family(code));"
    "CREATE TABLE article(id INTEGER PRIMARY KEY, ref TEXT NOT NULL UNIQUE, label TEXT NOT NULL,"
    " family TEXT REFERENCES family(code), like_id INTEGER REFERENCES article(id), photo BLOB);"
    "CREATE TABLE detail(article_id INTEGER PRIMARY KEY REFERENCES article(id), text TEXT);"
    "CREATE TABLE place(article_id INTEGER REFERENCES article(id), shelf TEXT, note TEXT,"
    " PRIMARY KEY(shelf, article_id)) WITHOUT ROWID;"
    "CREATE TABLE line(id INTEGER PRIMARY KEY AUTOINCREMENT, article_id INTEGER NOT NULL"
    " REFERENCES article(id), quantity INTEGER, label TEXT);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
    " INSERT INTO family SELECT 'F' || i, 'Family ' || i, CASE WHEN i > 9 THEN 'F' || (i / 10) END "
    "FROM n;"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)"
    " INSERT INTO article SELECT i, 'ART' || i, 'Article of the shop ' || i, 'F' || (1 + i % 100),"
    " CASE WHEN i % 5 = 0 THEN 1501 - i END, zeroblob(i % 7) FROM n;"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 2 FROM n WHERE i < 1500)"
    " INSERT INTO detail SELECT i, 'said of article ' || i || ' since it is there' FROM n"
    " WHERE i <= 1500;"
    "INSERT INTO place SELECT id, 'S' || (id % 9), 'put there in autumn, by somebody' FROM article;"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)"
    " INSERT INTO line SELECT i * 2, 1 + i * 7 % 1500, i, 'Article as it was called then' FROM n;"
    "DELETE FROM line WHERE id % 300 = 0";

/* What it took. */
struct cost {
    uint32_t outlines, asks;
    size_t whole, told; /* bytes of the change-sets, and of all that was sent in their place */
};

/* What a peer may do to an answer. */
typedef void twist(struct buf *bytes, enum outline_ask what);

static bool answer(struct site *from, struct store_rebuild *r, const struct rebuild_ask *ask,
                   const struct changeset_header *h, twist *lie, struct cost *cost, struct err *e)
{
    struct buf bytes;
    bool ok;

    buf_open(&bytes, BODY_BYTES_MAX);
    check(store_answer(from->store, &h->actor, h->number, (enum outline_ask)ask->what, ask->picks,
                       &bytes, e),
          e);
    cost->asks++;
    cost->told += ask->picks.n + bytes.n;
    if (lie != NULL)
        lie(&bytes, (enum outline_ask)ask->what);
    ok = store_rebuild_tell(r, buf_slice(&bytes), e);
    buf_close(&bytes);
    return ok;
}

/* One change-set in outline, as far as it gets. True: `whole` has it again. */
static bool rebuild(struct site *from, struct site *to, struct slice one, twist *lie,
                    struct buf *whole, struct cost *cost, struct err *e)
{
    struct changeset c;
    struct changeset_header h = {0};
    struct store_rebuild *r = NULL;
    struct rebuild_ask ask = {.what = 1};
    struct slice done = {0};
    struct buf outline;
    bool ok;

    buf_open(&outline, BODY_BYTES_MAX);
    check(changeset_split(&c, one, e) && changeset_header_read(&h, c.header, e), e);
    check(outline_write(&outline, c.body, e), e);
    assert_true(outline.n > 0);
    cost->outlines++;
    cost->whole += one.n;
    cost->told += c.header.n + SIGNATURE_BYTES + outline.n;
    ok = store_rebuild_open(to->store, c.header, c.signature, buf_slice(&outline), &r, e);
    while (ok && ask.what != 0) {
        ok = store_rebuild_next(r, &ask, &done, e);
        if (ok && ask.what != 0)
            ok = answer(from, r, &ask, &h, lie, cost, e);
    }
    buf_add(whole, done.p, ok ? done.n : 0);
    store_rebuild_close(r);
    changeset_header_close(&h);
    buf_close(&outline);
    return ok;
}

/* All that A has: in outline where that is worth while. */
static struct cost carry_brief(struct site *a, struct site *b)
{
    struct buf log, whole;
    struct slice left, one;
    struct cost cost = {0};
    struct err e = {0};

    buf_open(&log, BODY_BYTES_MAX);
    check(store_fetch(a->store, store_actor(a->store), 0, BODY_BYTES_MAX, &log, &e), &e);
    left = buf_slice(&log);
    while (store_fetch_next(&left, &one, &e)) {
        enum stage_result result;

        buf_open(&whole, CHANGESET_BYTES_MAX);
        if (!rebuild(a, b, one, NULL, &whole, &cost, &e))
            check(false, &e);
        assert_true(slice_equal(buf_slice(&whole), one));
        check(store_stage(b->store, buf_slice(&whole), &result, &e), &e);
        assert_int_equal(result, STAGE_NEW);
        buf_close(&whole);
    }
    check(e.code == ERR_NONE, &e);
    buf_close(&log);
    return cost;
}

/* A has published its books; B has joined with a file of its own, and has nothing of A's. */
static void open_newcomer(struct site *a, struct site *b, const char *edits)
{
    struct err e = {0};

    *a = *b = (struct site){0};
    open_founder(a, books);
    open_site(b, books);
    sql(b, edits);
    enrol_site(a, b, "B");
    open_store(b);
    check(store_track(b->store, NULL, 0, &e), &e);
    assert_int_equal(store_state(b->store), STORE_MATCHING);
    assert_true(store_is_brief(b->store));
    assert_false(store_is_brief(a->store));
}

static void finish(struct site *a, struct site *b, bool copy)
{
    match_site(a, b, copy);
    assert_false(store_is_brief(b->store));
    exchange(a, b);
    expect_same(a, b, "SELECT * FROM article ORDER BY ref");
    expect_same(a, b, "SELECT * FROM place ORDER BY 1, 2");
    expect_same(a, b, "SELECT * FROM family ORDER BY code");
    expect_same(a, b, "SELECT * FROM detail ORDER BY 1");
    expect_same(a, b, "SELECT count(*), sum(quantity) FROM line");
    close_pair(a, b);
}

static void of_a_copy_nothing_but_digests_is_sent(void **state)
{
    struct site a, b;
    struct cost cost;

    (void)state;
    open_newcomer(&a, &b, "SELECT 1");
    cost = carry_brief(&a, &b);
    assert_true(cost.outlines >= 2);
    assert_true(cost.asks <= cost.outlines);
    if (cost.told * 50 > cost.whole)
        fail_msg("%zu bytes in place of %zu", cost.told, cost.whole);
    expect(&b, "SELECT count(*) FROM line", "1490");
    finish(&a, &b, false);
}

static void of_a_copy_that_was_edited_since_what_differs_is_sent(void **state)
{
    struct site a, b;
    struct cost cost;

    (void)state;
    open_newcomer(
        &a, &b,
        "UPDATE article SET label = 'another label' WHERE id % 100 = 7;"
        "DELETE FROM place WHERE article_id = 700; DELETE FROM detail WHERE article_id = 701;"
        "UPDATE family SET title = 'other' WHERE code = 'F50';"
        "DELETE FROM line WHERE id IN (800, 802);"
        "INSERT INTO place VALUES (701, 'S99', 'new'), (20, 'S0', 'new')");
    cost = carry_brief(&a, &b);
    if (cost.told * 12 > cost.whole)
        fail_msg("%zu bytes in place of %zu", cost.told, cost.whole);
    finish(&a, &b, true);
}

static void of_a_file_with_other_rows_little_more_than_all_is_sent(void **state)
{
    struct site a, b;
    struct cost cost;

    (void)state;
    open_newcomer(&a, &b,
                  "UPDATE article SET ref = 'Q' || id, label = 'quite another thing ' || id;"
                  "UPDATE line SET label = 'said by nobody else', quantity = id;"
                  "DELETE FROM place; DELETE FROM detail; UPDATE family SET title = 'none'");
    cost = carry_brief(&a, &b);
    assert_true(cost.told > cost.whole / 2);
    if (cost.told > cost.whole + cost.whole / 10)
        fail_msg("%zu bytes in place of %zu", cost.told, cost.whole);
    close_pair(&a, &b);
}

static void an_empty_file_gets_all_rows(void **state)
{
    struct site a, b;
    struct cost cost;

    (void)state;
    open_newcomer(&a, &b,
                  "DELETE FROM line; DELETE FROM place; DELETE FROM detail;"
                  "UPDATE article SET like_id = NULL; DELETE FROM article;"
                  "UPDATE family SET above = NULL; DELETE FROM family");
    cost = carry_brief(&a, &b);
    assert_true(cost.told < cost.whole + cost.whole / 10);
    expect(&b, "SELECT count(*) FROM article", "0");
    finish(&a, &b, false);
}

/* ---- lies ---- */

static void cut_off(struct buf *bytes, enum outline_ask what)
{
    (void)what;
    bytes->n /= 2;
}

static void go_on(struct buf *bytes, enum outline_ask what)
{
    (void)what;
    buf_add_byte(bytes, 0xc0);
}

static void other_cells(struct buf *bytes, enum outline_ask what)
{
    uint8_t *found = NULL;

    for (size_t i = 0; what == OUTLINE_CELLS && i + 3 < bytes->n && found == NULL; i++)
        if (memcmp(bytes->p + i, "ART", 3) == 0)
            found = bytes->p + i;
    if (found != NULL)
        found[0] = 'X';
}

static void other_marks(struct buf *bytes, enum outline_ask what)
{
    for (size_t i = 0; what == OUTLINE_MARKS && i < bytes->n; i++)
        bytes->p[i] ^= 0x55;
}

static void other_names(struct buf *bytes, enum outline_ask what)
{
    if (what == OUTLINE_NAMES && bytes->n > 40)
        bytes->p[bytes->n - 1] ^= 3;
}

/* What comes out of a lie is refused, or is the very change-set, and costs no more than twice. */
static void try_lie(twist *lie, bool refused)
{
    struct site a, b;
    struct buf log, whole;
    struct slice left, one;
    uint32_t failed = 0;

    open_newcomer(&a, &b, "UPDATE article SET label = 'mine' WHERE id % 100 = 7");
    buf_open(&log, BODY_BYTES_MAX);
    {
        struct err e = {0};

        check(store_fetch(a.store, store_actor(a.store), 0, BODY_BYTES_MAX, &log, &e), &e);
        left = buf_slice(&log);
        while (store_fetch_next(&left, &one, &e)) {
            struct err why = {0};
            struct cost cost = {0};

            buf_open(&whole, CHANGESET_BYTES_MAX);
            if (!rebuild(&a, &b, one, lie, &whole, &cost, &why)) {
                assert_int_not_equal(why.code, ERR_NONE);
                failed++;
            } else {
                assert_true(slice_equal(buf_slice(&whole), one));
            }
            assert_true(cost.told < 3 * one.n);
            assert_true(cost.asks <= OUTLINE_ASKS_MAX);
            buf_close(&whole);
        }
    }
    assert_true((failed > 0) == refused);
    buf_close(&log);
    close_pair(&a, &b);
}

static void answers_that_are_none_are_refused(void **state)
{
    (void)state;
    try_lie(cut_off, true);
    try_lie(go_on, true);
}

static void rows_that_nobody_signed_are_refused(void **state)
{
    (void)state;
    try_lie(other_cells, true);
}

static void marks_and_names_that_are_wrong_only_cost(void **state)
{
    (void)state;
    try_lie(other_marks, false);
    try_lie(other_names, false);
}

static void an_outline_of_no_member_or_with_another_header_is_not_looked_at(void **state)
{
    struct site a, b;
    struct buf log;
    struct slice left, one;
    struct changeset c;
    struct store_rebuild *r;
    struct err e = {0};
    uint8_t signature[SIGNATURE_BYTES];

    (void)state;
    open_newcomer(&a, &b, "SELECT 1");
    buf_open(&log, BODY_BYTES_MAX);
    check(store_fetch(a.store, store_actor(a.store), 0, BODY_BYTES_MAX, &log, &e), &e);
    left = buf_slice(&log);
    assert_true(store_fetch_next(&left, &one, &e));
    check(changeset_split(&c, one, &e), &e);
    memcpy(signature, c.signature, sizeof signature);
    signature[0] ^= 1;
    assert_false(
        store_rebuild_open(b.store, c.header, signature, slice_text("\x92\x90\x90"), &r, &e));
    assert_int_equal(e.code, ERR_CRYPTO);
    err_clear(&e);
    assert_false(
        store_rebuild_open(b.store, c.header, c.signature, slice_text("\x92\x90\x90"), &r, &e));
    assert_int_equal(e.code, ERR_INPUT);
    buf_close(&log);
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_copy_nothing_but_digests_is_sent),
        cmocka_unit_test(of_a_copy_that_was_edited_since_what_differs_is_sent),
        cmocka_unit_test(of_a_file_with_other_rows_little_more_than_all_is_sent),
        cmocka_unit_test(an_empty_file_gets_all_rows),
        cmocka_unit_test(answers_that_are_none_are_refused),
        cmocka_unit_test(rows_that_nobody_signed_are_refused),
        cmocka_unit_test(marks_and_names_that_are_wrong_only_cost),
        cmocka_unit_test(an_outline_of_no_member_or_with_another_header_is_not_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
