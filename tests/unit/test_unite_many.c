/* A member that means harm and makes one row of very many. Of unite.c. */
#include <time.h>

#include "unit/sites.h"

#include <navette/body.h>
#include <navette/changeset.h>
#include <navette/hlc.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_rows_of_one_name_cost_no_more_than_as_many_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
