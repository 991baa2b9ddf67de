/* Admins who say anything, on the sides of a split: one state, whatever the order of arrival.
 * Also of fold.c. */
#include "library.h"
#include "quarrel.h"

#define QUARRELS    16 /* in the golden files */
#define CHECKPOINTS 12
#define MADE_MS     UINT64_C(1700000000000)

static void check_same(const struct roster *a, const struct roster *b)
{
    uint8_t digest_a[HASH_BYTES], digest_b[HASH_BYTES];

    roster_digest(a, digest_a);
    roster_digest(b, digest_b);
    assert_memory_equal(digest_a, digest_b, HASH_BYTES);
    check_same_sites(a, b);
    assert_int_equal(a->void_entries, b->void_entries);
    assert_true(a->rotated == b->rotated && a->key_exposed == b->key_exposed);
    assert_memory_equal(a->key_id, b->key_id, sizeof a->key_id);
    assert_int_equal(a->invite_count, b->invite_count);
    for (uint32_t i = 0; i < a->invite_count; i++)
        assert_true(a->invites[i].used == b->invites[i].used &&
                    a->invites[i].withdrawn == b->invites[i].withdrawn);
}

static uint32_t items_of(struct slice log, struct slice *items)
{
    struct err e = {0};
    struct reader r = reader_of(log, &e);
    uint32_t n = 0;

    while (r.left.n > 0) {
        const uint8_t *start = r.left.p;
        struct entry entry = {0};

        assert_true(entry_read(&r, &entry));
        items[n++] = (struct slice){start, (size_t)(r.left.p - start)};
    }
    return n;
}

/* In one of the orders in which they can come: what comes too early comes again. */
static void merge_in_any_order(struct roster *r, struct slice *items, uint32_t n,
                               struct random_source *random)
{
    struct buf part;
    struct err e = {0};
    bool changed;

    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = random_below(random, i);
        struct slice item = items[i - 1];

        items[i - 1] = items[j];
        items[j] = item;
    }
    buf_open(&part, ROSTER_BYTES_MAX);
    for (uint32_t i = 0; i < n; i++) {
        buf_add(&part, items[i].p, items[i].n);
        if (i + 1 < n && random_below(random, n / 3 + 1) > 0)
            continue;
        err_clear(&e);
        if (roster_merge(r, buf_slice(&part), &changed, &e))
            buf_clear(&part);
        else
            assert_int_equal(e.code, ERR_GAP);
    }
    assert_int_equal(part.n, 0);
    buf_close(&part);
}

static void ten_thousand_orders_of_arrival_give_one_state(void **state)
{
    struct random_source random = {test_seed(20261121)};
    struct slice items[64];
    struct keys k[PCS];
    uint32_t voids = 0, gone = 0;

    (void)state;
    for (int fleet = 0; fleet < 1000; fleet++) {
        struct roster whole = quarrel(&random, k);
        uint32_t n = items_of(buf_slice(&whole.log), items);

        voids += whole.void_entries > 0;
        gone += whole.known_count > whole.site_count;
        for (int round = 0; round < 10; round++) {
            struct roster r = {0};

            merge_in_any_order(&r, items, n, &random);
            check_same(&r, &whole);
            roster_close(&r);
        }
        roster_close(&whole);
    }
    /* The quarrels were ones. */
    assert_true(voids > 400 && gone > 400);
}

/* ---- the second implementation ---- */

static void print_cut(struct buf *out, const struct roster_site *s)
{
    char hex[2 * HASH_BYTES + 1], line[200];

    for (uint32_t i = 0; i < s->cut.n; i++) {
        const struct vector_entry *a = &s->cut.entries[i];

        hex_write(hex, SLICE(a->actor.bytes));
        snprintf(line, sizeof line, " %s:%llu:", hex, (unsigned long long)a->number);
        buf_add(out, (const uint8_t *)line, strlen(line));
        hex_write(hex, SLICE(a->hash));
        buf_add(out, (const uint8_t *)hex, strlen(hex));
    }
    buf_add_byte(out, '\n');
}

/* As tests/golden/reference_roster.py prints it. */
static void print_state(struct buf *out, const struct roster *r)
{
    static const char *const standings[] = {"member", "revoked", "void"};
    char hex[2 * HASH_BYTES + 1], line[400];

    for (uint32_t i = 0; i < r->known_count; i++) {
        const struct roster_site *s = &r->sites[i];

        hex_write(hex, SLICE(s->site.bytes));
        snprintf(line, sizeof line, "%s %s %s %s %d %d", hex, s->name, s->mark,
                 standings[s->standing], s->admin, s->has_key);
        buf_add(out, (const uint8_t *)line, strlen(line));
        print_cut(out, s);
    }
    hex_write(hex, SLICE(r->key_id));
    snprintf(line, sizeof line, "key %s\n", r->rotated ? hex : "-");
    buf_add(out, (const uint8_t *)line, strlen(line));
}

static void quarrels_end_as_the_second_implementation_says(void **state)
{
    struct buf log = {0}, expected = {0}, got;

    (void)state;
    for (int i = 0; i < QUARRELS; i++) {
        struct roster r = {0};
        struct err e = {0};

        golden_find("quarrels.txt", "log", i, &log);
        golden_find("quarrels.txt", "state", i, &expected);
        assert_true(roster_load(&r, buf_slice(&log), &e));
        buf_open(&got, 1 << 16);
        print_state(&got, &r);
        if (!slice_equal(buf_slice(&got), buf_slice(&expected)))
            fail_msg("quarrel %d: expected\n%.*sgot\n%.*s", i, (int)expected.n,
                     (const char *)expected.p, (int)got.n, (const char *)got.p);
        buf_close(&got);
        roster_close(&r);
    }
    buf_close(&log);
    buf_close(&expected);
}

/* The fields of the checkpoint that `r` begins with or has last. */
static bool find_checkpoint(const struct roster *r, struct entry *found)
{
    struct err e = {0};
    struct reader log = reader_of(buf_slice(&r->log), &e);
    bool any = false;

    while (log.left.n > 0) {
        struct entry n = {0};

        assert_true(entry_read(&log, &n));
        if (n.kind == ENTRY_CHECKPOINT) {
            *found = n;
            any = true;
        }
    }
    return any;
}

static void check_state(const struct roster *r, int i)
{
    struct buf expected = {0}, digest = {0}, got;
    uint8_t is[HASH_BYTES];

    golden_find("checkpoints.txt", "state", i, &expected);
    golden_find("checkpoints.txt", "digest", i, &digest);
    buf_open(&got, 1 << 16);
    print_state(&got, r);
    if (!slice_equal(buf_slice(&got), buf_slice(&expected)))
        fail_msg("checkpoint %d: expected\n%.*sgot\n%.*s", i, (int)expected.n,
                 (const char *)expected.p, (int)got.n, (const char *)got.p);
    roster_digest(r, is);
    assert_true(slice_equal(buf_slice(&digest), SLICE(is)));
    buf_close(&got);
    buf_close(&expected);
    buf_close(&digest);
}

/* The same fields as in the golden file, if `r` may have a checkpoint. True: it may. */
static bool check_fields(struct roster *r, const struct site_id *by, const char *key, int i)
{
    struct buf expected = {0};
    struct entry n = {0};
    struct err e = {0};
    bool made = false;

    for (uint8_t pc = 0; pc < PCS; pc++) {
        struct keys k = keys_counting_from((uint8_t)(32 * pc));

        if (by == NULL ? r->sites[0].admin && site_equal(&k.site, &r->sites[0].site)
                       : site_equal(&k.site, by))
            made = roster_checkpoint(r, MADE_MS, &k, &e);
    }
    golden_find("checkpoints.txt", key, i, &expected);
    if (made) {
        assert_true(find_checkpoint(r, &n));
        assert_true(slice_equal(n.fields, buf_slice(&expected)));
    }
    buf_close(&expected);
    return made;
}

static void checkpoints_are_what_the_second_implementation_says(void **state)
{
    struct buf log = {0}, begun = {0}, by = {0};
    int made = 0, again = 0;

    (void)state;
    for (int i = 0; i < CHECKPOINTS; i++) {
        struct roster r = {0};
        struct err e = {0};
        struct site_id site;
        bool changed;

        golden_find("checkpoints.txt", "log", i, &log);
        golden_find("checkpoints.txt", "begun", i, &begun);
        golden_find("checkpoints.txt", "by", i, &by);
        memcpy(site.bytes, by.p, sizeof site.bytes);
        assert_true(roster_load(&r, buf_slice(&log), &e));
        made += check_fields(&r, &site, "fields", i);
        roster_close(&r);
        assert_true(roster_load(&r, buf_slice(&begun), &e));
        check_state(&r, i);
        assert_true(roster_merge(&r, buf_slice(&log), &changed, &e) && !changed);
        again += check_fields(&r, NULL, "again", i);
        roster_close(&r);
    }
    buf_close(&log);
    buf_close(&begun);
    buf_close(&by);
    assert_true(made > CHECKPOINTS / 2 && again > CHECKPOINTS / 4); /* the others are contested */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quarrels_end_as_the_second_implementation_says),
        cmocka_unit_test(checkpoints_are_what_the_second_implementation_says),
        cmocka_unit_test(ten_thousand_orders_of_arrival_give_one_state),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
