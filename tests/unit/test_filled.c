/* A list of members that somebody has filled can always be summed up: he is shut out, and what he
 * filled it with goes. And what is larger than any can be is refused before it costs anything. */
#include "checkpoint.h"
#include "flood.h"
#include "library.h"
#include "renames.h"

static bool take(struct roster *r, const struct buf *log)
{
    struct err e = {0};
    bool changed;

    if (roster_merge(r, buf_slice(log), &changed, &e))
        return true;
    assert_int_equal(e.code, ERR_LIMIT);
    return false;
}

static void fill_with_entries(struct roster *r, const struct keys *by)
{
    struct buf log;

    renames_write(&log, r, by, ROSTER_ORDINARY_MAX - r->entries);
    assert_true(take(r, &log));
    buf_close(&log);
}

/* Of rules that are as long as may be. */
static void fill_with_bytes(struct roster *r, const struct keys *by)
{
    char table[8], where[RULE_WHERE_BYTES_MAX + 1];
    struct rule_change c = {{.kind = RULE_BOTH, .table = table, .where = where}, true};
    size_t before = 0;
    struct flood f;

    memset(where, 'x', sizeof where - 1);
    where[sizeof where - 1] = '\0';
    flood_open(&f, r);
    for (uint32_t i = 0; r->log.n + f.log.n <= ROSTER_ORDINARY_BYTES_MAX; i++) {
        struct writer w = flood_begin(&f, ENTRY_RULES, 1, by);

        before = f.log.n;
        snprintf(table, sizeof table, "t%u", i);
        write_array(&w, 1);
        rule_change_write(&w, &c);
        flood_end(&f, by);
    }
    f.log.n = before;
    assert_true(take(r, &f.log));
    buf_close(&f.log);
}

/* That do not know of each other. */
static void fill_with_ends(struct roster *r, const struct keys *by)
{
    uint8_t first[1][HASH_BYTES];
    struct flood f;

    flood_open(&f, r);
    memcpy(first, f.head, sizeof first);
    for (uint32_t i = 0; i < ROSTER_ORDINARY_ENDS_MAX; i++) {
        char name[16];

        snprintf(name, sizeof name, "X%u", i);
        memcpy(f.head, first, sizeof first);
        flood_rename(&f, by, name, by);
    }
    assert_true(take(r, &f.log));
    buf_close(&f.log);
}

/* By one who did not hear of what it was filled with: names not even one end of it. */
static bool takes_one_more(const struct roster *full, const struct roster *was,
                           const struct keys *by)
{
    struct roster r = copy_of(full);
    struct flood f;
    bool taken;

    flood_open(&f, was);
    for (int i = 0; i < 8; i++)
        flood_rename(&f, by, "Anything that is long enough for this test of what is full", by);
    taken = take(&r, &f.log);
    buf_close(&f.log);
    roster_close(&r);
    return taken;
}

/* The first of two has made one: what both do for it. */
static void settle_both(struct roster of[2], const struct keys *k)
{
    merge(&of[1], &of[0]);
    settle(&of[1], &k[1]);
    merge(&of[0], &of[1]);
    settle(&of[0], &k[0]);
}

/* C fills it, in one way or the other; A shuts it out, and sums it up with B. */
static void whatever_it_is_filled_with_is_summed_up(void **state)
{
    static void (*const fill[])(struct roster *, const struct keys *) = {
        fill_with_entries, fill_with_bytes, fill_with_ends};

    (void)state;
    for (size_t way = 0; way < COUNT_OF(fill); way++) {
        struct vector cut = {0};
        struct roster of[2];
        struct err e = {0};
        struct shop s;

        shop_open(&s);
        of[1] = copy_of(&s.r);
        fill[way](&s.r, &s.k[2]);
        assert_false(takes_one_more(&s.r, &of[1], &s.k[1]));
        of[0] = copy_of(&s.r);
        assert_true(roster_revoke(&of[0], &s.k[2].site, &cut, &s.k[0], &e));
        make(&of[0], &s.k[0]);
        settle_both(of, s.k);
        for (int i = 0; i < 2; i++) {
            assert_true(of[i].before >= s.r.entries);
            assert_int_equal(of[i].entries, 3); /* it, and what A and B say to it */
            check_digest(&of[i], &of[0]);
        }
        assert_true(takes_one_more(&of[0], &of[1], &s.k[1]));
        enrol(&of[0], &s.k[3], "D", &s.k[0]);
        roster_close(&of[1]);
        roster_close(&of[0]);
        roster_close(&s.r);
    }
}

/* A first checkpoint waits for C, which turns out to have filled the list: there is room for one
 * more, without C. */
static void one_that_cannot_take_effect_any_more_is_followed_by_another(void **state)
{
    struct vector cut = {0};
    struct roster of[2];
    struct err e = {0};
    struct shop s;

    (void)state;
    shop_open(&s);
    of[1] = copy_of(&s.r);
    fill_with_entries(&s.r, &s.k[2]);
    of[0] = copy_of(&s.r);
    make(&of[0], &s.k[0]);
    settle_both(of, s.k);
    assert_int_equal(of[0].before, 0);
    assert_true(roster_revoke(&of[0], &s.k[2].site, &cut, &s.k[0], &e));
    make(&of[0], &s.k[0]);
    settle_both(of, s.k);
    assert_true(of[0].before > 0 && of[1].before > 0);
    roster_close(&of[1]);
    roster_close(&of[0]);
    roster_close(&s.r);
}

/* C, which is out, had room for removals of its own, and has none any more when the list begins
 * with a checkpoint: D, which filled that meanwhile, is shut out all the same. */
static void what_lost_its_room_is_not_in_the_way(void **state)
{
    struct vector cut = {0};
    struct roster filled;
    uint32_t covered;
    struct err e = {0};
    struct flood f;
    struct shop s;

    (void)state;
    shop_open(&s);
    enrol(&s.r, &s.k[3], "D", &s.k[0]);
    assert_true(roster_revoke(&s.r, &s.k[2].site, &cut, &s.k[0], &e));
    filled = copy_of(&s.r);
    make(&filled, &s.k[0]);
    flood_open(&f, &filled);
    for (int i = 0; i < ROSTER_REMOVALS; i++)
        flood_admin(&f, &s.k[1], false, &s.k[2]);
    assert_true(take(&filled, &f.log));
    buf_close(&f.log);
    flood_open(&f, &filled);
    covered = ROSTER_REMOVALS + 3; /* C's end, the checkpoint, and what A says to it */
    for (uint32_t i = filled.entries - covered; i < ROSTER_ORDINARY_MAX; i++)
        flood_rename(&f, &s.k[3], i % 2 == 0 ? "X" : "Y", &s.k[3]);
    assert_true(take(&filled, &f.log));
    buf_close(&f.log);
    settle(&filled, &s.k[1]);
    settle(&filled, &s.k[3]);
    settle(&filled, &s.k[0]);
    assert_true(filled.before > 0);
    assert_false(takes_one_more(&filled, &filled, &s.k[1]));
    assert_true(roster_revoke(&filled, &s.k[3].site, &cut, &s.k[0], &e));
    roster_close(&filled);
    roster_close(&s.r);
}

/* ---- more than can be ---- */

static struct roster founded_by(const struct keys *k)
{
    struct roster r = {0};
    struct err e = {0};

    assert_true(roster_create(&r, "Boutique", "A", k, &e));
    return r;
}

static void check_is_more_than(uint32_t limit, const char *what, struct roster *r,
                               const struct buf *log)
{
    size_t before = r->log.n;
    struct err e = {0};
    char says[64];
    bool changed;

    snprintf(says, sizeof says, "a roster of more than %u %s", limit, what);
    assert_false(log->overflow);
    assert_false(roster_merge(r, buf_slice(log), &changed, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_non_null(strstr(e.text, says));
    assert_int_equal(r->log.n, before);
}

/* Said again and again, one entry costs as much to read as so many others. */
static void a_log_of_more_items_than_two_lists_can_have_is_refused(void **state)
{
    struct keys k = keys_counting_from(0);
    struct roster r = founded_by(&k);
    struct buf log;

    (void)state;
    buf_open(&log, ROSTER_BYTES_MAX);
    for (uint32_t i = 1; i < 2 * ROSTER_ENTRIES_MAX; i++) /* and what it has itself */
        buf_add(&log, r.log.p, r.log.n);
    assert_true(take(&r, &log));
    assert_int_equal(r.entries, 1);
    buf_add(&log, r.log.p, r.log.n);
    check_is_more_than(ROSTER_ENTRIES_MAX, "entries", &r, &log);
    buf_close(&log);
    roster_close(&r);
}

/* So many cannot even be weighed against the room that there is. */
static void a_list_of_more_entries_than_there_is_any_room_for_is_refused(void **state)
{
    struct keys k = keys_counting_from(0);
    struct roster r = founded_by(&k);
    struct buf log;

    (void)state;
    renames_write(&log, &r, &k, ROSTER_ENTRIES_MAX);
    check_is_more_than(ROSTER_ENTRIES_MAX, "entries", &r, &log);
    buf_close(&log);
    roster_close(&r);
}

static void a_list_that_speaks_of_more_sites_than_can_ever_be_is_refused(void **state)
{
    struct keys k = keys_counting_from(0), guest = {0};
    struct roster r = founded_by(&k);
    struct flood f;
    size_t fits = 0;

    (void)state;
    flood_open(&f, &r);
    for (uint32_t i = 1; i <= SITES_EVER_MAX; i++) {
        uint8_t seed[KEY_BYTES] = {1, (uint8_t)i, (uint8_t)(i >> 8)};
        char name[16];

        fits = f.log.n;
        keys_from_seed(&guest, seed);
        snprintf(name, sizeof name, "PC%u", i);
        flood_enrol(&f, &guest, name, &k);
    }
    check_is_more_than(SITES_EVER_MAX, "sites", &r, &f.log);
    f.log.n = fits;
    assert_true(take(&r, &f.log));
    assert_int_equal(r.entries, SITES_EVER_MAX);
    buf_close(&f.log);
    roster_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_it_is_filled_with_is_summed_up),
        cmocka_unit_test(one_that_cannot_take_effect_any_more_is_followed_by_another),
        cmocka_unit_test(what_lost_its_room_is_not_in_the_way),
        cmocka_unit_test(a_log_of_more_items_than_two_lists_can_have_is_refused),
        cmocka_unit_test(a_list_of_more_entries_than_there_is_any_room_for_is_refused),
        cmocka_unit_test(a_list_that_speaks_of_more_sites_than_can_ever_be_is_refused),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
