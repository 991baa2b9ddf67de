/* A member that means harm and makes one row of very many. Of unite.c. */
#include <time.h>

#include "unit/sites.h"

#include <navette/body.h>
#include <navette/changeset.h>
#include <navette/hlc.h>

#include "unite.h"

static const char schema[] = "CREATE TABLE setting(name TEXT PRIMARY KEY, value);";

/* The first change-set of an actor that `by` makes up: of each of `n` rows, all of one name, that
 * it was inserted (`inserts`), or that it was deleted after that. */
static void forge(struct site *by, uint32_t n, bool inserts, struct buf *out)
{
    const struct slice columns[] = {slice_text("name"), slice_text("value")};
    struct changeset_header h = {.number = 1, .stamp = hlc_stamp(by->now_ms, inserts ? 0 : 1)};
    struct actor maker = {0};
    struct body_writer body;
    uint8_t hash[HASH_BYTES];
    struct err e = {0};
    struct buf bytes;
    uint32_t actor;

    memcpy(maker.bytes, by->keys.site.bytes, sizeof by->keys.site.bytes);
    maker.bytes[ACTOR_BYTES - 1] = inserts ? 1 : 2;
    h.actor = maker;
    maker.bytes[ACTOR_BYTES - 1] = 1;
    memcpy(h.fleet, by->roster.fleet, sizeof h.fleet);
    body_open(&body);
    actor = body_actor(&body, &maker);
    body_table(&body, slice_text("setting"), columns, 2, 1, false);
    for (uint32_t i = 1; i <= n; i++) {
        struct value values[] = {{.type = VALUE_TEXT, .bytes = slice_text("tax")},
                                 {.type = VALUE_INT, .i = i}};

        body_row(&body, inserts ? CHANGE_INSERT : CHANGE_DELETE, (struct gid){actor, i}, h.stamp,
                 NULL, inserts ? values : NULL, inserts ? 2 : 0);
    }
    buf_open(&bytes, BODY_BYTES_MAX);
    check(body_finish(&body, &bytes, &e) &&
              changeset_seal(&h, n, buf_slice(&bytes), &by->keys, out, hash, &e),
          &e);
    body_close(&body);
    buf_close(&bytes);
    changeset_header_close(&h);
}

static void take(struct site *s, struct buf *changeset)
{
    enum stage_result result;
    struct err e = {0};

    check(store_stage(s->store, buf_slice(changeset), &result, &e), &e);
    buf_close(changeset);
}

/* The processor's seconds that it takes to take in `n` such rows, and the end of each. */
static double cost_of(uint32_t n)
{
    struct buf born = {0}, gone = {0};
    struct site a, b;
    clock_t began;
    double cost;

    open_pair(&a, &b, schema, schema);
    exchange(&a, &b);
    forge(&b, n, true, &born);
    forge(&b, n, false, &gone);
    began = clock();
    take(&a, &born);
    work(&a);
    expect(&a, "SELECT name, count(*) FROM setting", "tax|1");
    take(&a, &gone);
    work(&a);
    cost = (double)(clock() - began) / CLOCKS_PER_SEC;
    expect(&a, "SELECT count(*) FROM setting", "0");
    close_pair(&a, &b);
    return cost;
}

static void many_rows_of_one_name_cost_no_more_than_as_many_others(void **state)
{
    double few, many;

    (void)state;
    few = cost_of(2500);
    many = cost_of(20000);

    if (many > 24 * few) /* eight times as many */
        fail_msg("2500 rows take %.2f s, 20000 take %.2f s", few, many);
}

static int add_steps(void *steps)
{
    *(uint64_t *)steps += 10;
    return 0;
}

/* The steps of SQLite's machine that it takes to say of `n` rows that they are one: the first two,
 * that and the next, and so on; or (`falling`) from the last one on. */
static uint64_t steps_of(uint32_t n, bool falling)
{
    struct ledger_row row;
    struct err e = {0};
    uint64_t steps = 0;
    struct site s = {0};
    int64_t *gids = mem_alloc(n * sizeof *gids);
    bool found;

    open_founder(&s, "CREATE TABLE note(id INTEGER PRIMARY KEY, text);");
    for (uint32_t i = 0; i < n; i++)
        sql(&s, "INSERT INTO note(text) VALUES ('same')");
    work(&s);
    check(ledger_begin(&s.store->ledger, false, &e), &e);
    for (uint32_t i = 0; i < n; i++) {
        const struct row_key key = {.kind = KEY_INT, .i = i + 1};

        check(ledger_row_by_key(&s.store->ledger, 1, &key, false, &row, &found, &e), &e);
        assert_true(found);
        gids[i] = row.gid;
    }
    sqlite3_progress_handler(s.store->ledger.db, 10, add_steps, &steps);
    for (uint32_t i = 0; i + 1 < n; i++) {
        uint32_t at = falling ? n - 2 - i : i;

        check(unite_rows(s.store, 1, gids[at], gids[at + 1], &e), &e);
    }
    sqlite3_progress_handler(s.store->ledger.db, 0, NULL, NULL);
    check(unite_names(s.store, &e) && ledger_commit(&s.store->ledger, &e), &e);
    work(&s);
    expect(&s, "SELECT count(*) FROM note", "1");
    free(gids);
    close_site(&s);
    return steps;
}

static void rows_that_are_said_to_be_one_in_any_order_cost_no_more_than_as_many_others(void **state)
{
    (void)state;
    for (int falling = 0; falling < 2; falling++) {
        uint64_t few = steps_of(1000, falling != 0), many = steps_of(4000, falling != 0);

        if (many > 6 * few)
            fail_msg("1000 rows take %llu steps, 4000 take %llu", (unsigned long long)few,
                     (unsigned long long)many);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_rows_of_one_name_cost_no_more_than_as_many_others),
        cmocka_unit_test(
            rows_that_are_said_to_be_one_in_any_order_cost_no_more_than_as_many_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
