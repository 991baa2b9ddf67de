/* Admins who say anything, on the sides of a split: one state, whatever the order of arrival.
 * Also of fold.c. */
#include "library.h"
#include "quarrel.h"

#include "random.h"

#define QUARRELS 16 /* in the golden file */

static const char *const pc_names[PCS] = {"A", "B", "C", "D", "E", "F"};

static void check_same_sites(const struct roster *a, const struct roster *b)
{
    assert_int_equal(a->site_count, b->site_count);
    assert_int_equal(a->known_count, b->known_count);
    for (uint32_t i = 0; i < a->known_count; i++) {
        const struct roster_site *x = &a->sites[i], *y = &b->sites[i];

        assert_memory_equal(&x->site, &y->site, sizeof x->site);
        assert_string_equal(x->name, y->name);
        assert_string_equal(x->mark, y->mark);
        assert_int_equal(x->standing, y->standing);
        assert_true(x->admin == y->admin && x->has_key == y->has_key);
        assert_memory_equal(&x->by, &y->by, sizeof x->by);
        assert_int_equal(x->cut.n, y->cut.n);
        for (uint32_t k = 0; k < x->cut.n; k++)
            assert_int_equal(x->cut.entries[k].number, y->cut.entries[k].number);
    }
}

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

/* What must hold of any roster. */
static void check_sound(const struct roster *r)
{
    uint32_t admins = 0;

    for (uint32_t i = 0; i < r->known_count; i++) {
        const struct roster_site *s = &r->sites[i];

        assert_true((s->standing == ROSTER_MEMBER) == (i < r->site_count));
        assert_true(i < r->site_count || (!s->admin && roster_find(r, &s->site) == NULL));
        assert_true(s->standing != ROSTER_MEMBER || s->cut.n == 0);
        admins += s->admin;
        if (i < r->site_count)
            assert_ptr_equal(roster_find_name(r, s->name), s);
    }
    assert_true(admins > 0);
}

static void write_anything(struct writer *w, struct random_source *random, enum entry_kind kind,
                           struct keys k[PCS])
{
    uint32_t who = random_below(random, PCS);
    struct actor a = actor_of(&k[who], 1);
    struct vector cut = {0};
    uint8_t bytes[FLEET_KEY_BOX_BYTES] = {(uint8_t)random_below(random, 3)};

    if (kind == ENTRY_ENROL) {
        write_bin(w, SLICE(k[who].sign_public));
        write_bin(w, SLICE(k[who].exchange_public));
        write_text(w, slice_text(pc_names[random_below(random, PCS)]));
        write_bin(w, (struct slice){bytes, ROSTER_INVITE_ID_BYTES});
    } else if (kind == ENTRY_INVITE || kind == ENTRY_WITHDRAW) {
        write_bin(w, (struct slice){bytes, ROSTER_INVITE_ID_BYTES});
        if (kind == ENTRY_INVITE)
            write_uint(w, random_below(random, 1000));
    } else if (kind == ENTRY_ROTATE) {
        write_bin(w, (struct slice){bytes, FLEET_KEY_ID_BYTES});
        write_array(w, 1);
        write_array(w, 2);
        write_bin(w, SLICE(k[who].site.bytes));
        write_bin(w, SLICE(bytes));
    } else {
        write_bin(w, SLICE(k[who].site.bytes));
        if (kind == ENTRY_REVOKE && random_below(random, 3) > 0)
            vector_set(&cut, &a, 1 + random_below(random, 9), NULL);
        if (kind == ENTRY_REVOKE)
            vector_write(w, &cut);
        else if (kind == ENTRY_ADMIN)
            write_bool(w, random_below(random, 3) == 0);
        else
            write_text(w, slice_text(pc_names[random_below(random, PCS)]));
    }
    vector_close(&cut);
}

/* Anybody whom somebody once enrolled says anything, as if he knew no more than `r`. */
static void say_anything(struct roster *r, struct random_source *random, struct keys k[PCS])
{
    static const struct {
        enum entry_kind kind;
        uint32_t fields;
    } kinds[] = {{ENTRY_REVOKE, 2}, {ENTRY_REVOKE, 2},  {ENTRY_ADMIN, 2},  {ENTRY_ADMIN, 2},
                 {ENTRY_ENROL, 4},  {ENTRY_ENROL, 4},   {ENTRY_RENAME, 2}, {ENTRY_ROTATE, 2},
                 {ENTRY_INVITE, 2}, {ENTRY_WITHDRAW, 1}};
    uint32_t at = random_below(random, COUNT_OF(kinds)), who = random_below(random, PCS);
    struct buf entry;
    struct writer w = {&entry};
    struct err e = {0};

    buf_open(&entry, ROSTER_ENTRY_BYTES_MAX);
    entry_begin(&w, r, kinds[at].kind, kinds[at].fields, &k[who]);
    write_anything(&w, random, kinds[at].kind, k);
    if (!entry_append(r, &entry, &k[who], &e))
        assert_int_equal(e.code, ERR_STRANGER);
    buf_close(&entry);
}

#define SIDES 3

/* A split in which everybody says anything, healed. */
static struct roster quarrel(struct random_source *random, struct keys k[PCS])
{
    struct roster sides[SIDES];
    struct shop s;

    shop_open(&s);
    memcpy(k, s.k, sizeof s.k);
    for (int i = 0; i < SIDES; i++)
        sides[i] = copy_of(&s.r);
    for (uint32_t n = 12 + random_below(random, 16); n > 0; n--) {
        uint32_t i = random_below(random, SIDES);

        if (random_below(random, 6) == 0)
            merge(&sides[i], &sides[random_below(random, SIDES)]);
        else
            say_anything(&sides[i], random, k);
        check_sound(&sides[i]);
    }
    for (int i = 0; i < SIDES; i++) {
        merge(&s.r, &sides[i]);
        roster_close(&sides[i]);
    }
    check_sound(&s.r);
    return s.r;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quarrels_end_as_the_second_implementation_says),
        cmocka_unit_test(ten_thousand_orders_of_arrival_give_one_state),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
