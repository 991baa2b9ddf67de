/* What somebody who means harm, or whose list is another one, can do with the checkpoint that a
 * list begins with: nothing. */
#include "checkpoint.h"
#include "library.h"
#include "renames.h"

/* The checkpoint of `true_one`, by one who knows all of `r`: but it names nobody but its author. */
static void write_alone(struct buf *item, const struct roster *true_one, const struct roster *r,
                        const struct keys *by)
{
    uint8_t signature[SIGNATURE_BYTES];
    struct err e = {0};
    struct reader sites;
    struct entry n = checkpoint_in(true_one);
    struct buf entry;
    struct writer w = {&entry};
    struct checkpoint_site s;

    buf_open(&entry, ROSTER_CHECKPOINT_BYTES_MAX);
    buf_open(item, ROSTER_BYTES_MAX);
    entry_begin(&w, r, ENTRY_CHECKPOINT, n.field_count, by);
    write_uint(&w, NOW_MS);
    write_bin(&w, SLICE(n.base.fleet));
    write_text(&w, n.fleet_name);
    write_uint(&w, n.base.depth);
    write_uint(&w, n.base.entries);
    write_uint(&w, n.base.ruled);
    write_array(&w, 1);
    sites = reader_of(n.base.sites, &e);
    do {
        const uint8_t *start = sites.left.p;

        checkpoint_site_read(&sites, &s);
        if (memcmp(s.sign_public, by->sign_public, sizeof s.sign_public) == 0)
            buf_add(&entry, start, (size_t)(sites.left.p - start));
    } while (memcmp(s.sign_public, by->sign_public, sizeof s.sign_public) != 0);
    write_bin(&w, (struct slice){0});
    for (int i = 0; i < 3; i++)
        write_array(&w, 0);
    keys_sign(by, ROSTER_CONTEXT, buf_slice(&entry), signature);
    item_write(item, buf_slice(&entry), signature);
    buf_close(&entry);
}

/* As one says it who does not know who is called so. */
static void append_enrol(struct roster *r, const struct keys *who, const char *name,
                         const struct keys *by)
{
    struct err e = {0};
    struct buf entry;
    struct writer w = entry_open(&entry, r, ENTRY_ENROL, 4, by);

    write_bin(&w, SLICE(who->sign_public));
    write_bin(&w, SLICE(who->exchange_public));
    write_text(&w, slice_text(name));
    write_bin(&w, SLICE(no_invite));
    assert_true(entry_append(r, &entry, by, &e));
}

static void acknowledge_last(struct roster *r, const struct keys *by)
{
    struct err e = {0};
    struct buf entry;
    struct writer w = entry_open(&entry, r, ENTRY_ACKNOWLEDGE, 1, by);

    write_bin(&w, (struct slice){r->heads[0], HASH_BYTES});
    assert_int_equal(r->head_count, 1);
    assert_true(entry_append(r, &entry, by, &e));
}

/* B says that it is alone and acknowledges that; A, which does not believe it, enrols D behind it.
 */
static void a_newcomer_believes_no_lie_that_its_author_alone_acknowledged(void **state)
{
    struct roster of[3], lies, newcomer;
    struct err e = {0};
    struct buf item;
    struct shop s;
    bool changed;

    (void)state;
    open_three(&s, of);
    lies = copy_of(&s.r);
    make(&lies, &s.k[1]);
    write_alone(&item, &lies, &s.r, &s.k[1]);
    assert_true(roster_merge(&of[0], buf_slice(&item), &changed, &e) && changed);
    acknowledge_last(&of[0], &s.k[1]);
    settle(&of[0], &s.k[0]);
    assert_int_equal(of[0].before, 0);
    enrol(&of[0], &s.k[4], "E", &s.k[0]);
    newcomer = copy_of(&of[0]);
    assert_false(settle(&newcomer, &s.k[4]));
    assert_int_equal(newcomer.site_count, 4);
    check_digest(&newcomer, &of[0]);
    roster_close(&newcomer);
    roster_close(&lies);
    buf_close(&item);
    close_three(&s, of);
}

/* Who was enrolled while the last acknowledgement was waited for has looked at what is true. */
static void a_newcomer_begins_with_what_is_true(void **state)
{
    struct roster of[4];
    struct keys k[4];
    struct shop s;

    (void)state;
    open_three(&s, of);
    memcpy(k, s.k, sizeof k);
    k[3] = s.k[4];
    make(&of[0], &s.k[0]);
    enrol(&of[0], &s.k[4], "E", &s.k[0]);
    of[3] = copy_of(&of[0]);
    assert_int_equal(of[3].before, 0);
    talk(of, k, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(of[i].before, s.r.entries);
        check_digest(&of[i], &of[0]);
    }
    roster_close(&of[3]);
    close_three(&s, of);
}

/* Each is judged, with all before it: whoever means harm makes many. */
static void many_lies_cost_a_few_looks(void **state)
{
    struct roster of[3], lies;
    struct err e = {0};
    struct shop s;
    uint64_t fold, settled;
    bool changed;

    (void)state;
    open_three(&s, of);
    lies = copy_of(&s.r);
    make(&lies, &s.k[1]);
    for (int i = 0; i < 300; i++) {
        struct buf item;

        write_lie(&item, &lies, &of[0], &s.k[1]);
        assert_true(roster_merge(&of[0], buf_slice(&item), &changed, &e) && changed);
        buf_close(&item);
    }
    fold = of[0].looks;
    assert_false(settle(&of[0], &s.k[0]));
    settled = of[0].looks - fold;
    assert_true(settled < 40 * of[0].entries + 8 * fold);
    roster_close(&lies);
    close_three(&s, of);
}

/* B, which shut out A, enrolled D without knowing that A had done that to it: D is none, and its
 * name goes to whoever comes later. */
static void the_enrolment_name_of_one_that_nobody_could_enrol_yields(void **state)
{
    struct roster of[3], there;
    struct vector cut = {0};
    struct err e = {0};
    struct shop s;

    (void)state;
    open_three(&s, of);
    there = copy_of(&s.r);
    assert_true(roster_revoke(&of[0], &s.k[1].site, &cut, &s.k[0], &e));
    enrol(&there, &s.k[4], "E", &s.k[1]);
    merge(&of[0], &there);
    make(&of[0], &s.k[0]);
    merge(&of[2], &of[0]);
    settle(&of[2], &s.k[2]);
    merge(&of[0], &of[2]);
    settle(&of[0], &s.k[0]);
    assert_true(of[0].before > 0);
    assert_int_equal(roster_author(&of[0], &s.k[4].site)->standing, ROSTER_VOID);
    assert_string_equal(roster_author(&of[0], &s.k[4].site)->mark, "E");
    append_enrol(&of[0], &s.k[5], "E", &s.k[0]);
    assert_string_equal(roster_author(&of[0], &s.k[5].site)->mark, "E");
    assert_string_equal(roster_author(&of[0], &s.k[4].site)->mark, "E-2");
    roster_close(&there);
    close_three(&s, of);
}

static void flood(struct roster *r, const struct keys *k, uint32_t count)
{
    struct err e = {0};
    struct buf log;
    bool changed;

    assert_int_equal(r->head_count, 1);
    renames_write(&log, r, k, count);
    assert_true(roster_merge(r, buf_slice(&log), &changed, &e));
    buf_close(&log);
}

/* C's list, in which somebody said much beside the checkpoint, and the others', in which much was
 * said behind it, are together longer than a list may be. */
static void what_is_passed_over_takes_no_room(void **state)
{
    struct roster of[3], stale;
    struct err e = {0};
    struct shop s;
    bool changed;

    (void)state;
    open_three(&s, of);
    stale = copy_of(&s.r);
    make(&of[0], &s.k[0]);
    talk(of, s.k, 3);
    flood(&stale, &s.k[1], ROSTER_ORDINARY_MAX - 100);
    flood(&of[0], &s.k[0], 1000);
    assert_true(roster_merge(&of[0], buf_slice(&stale.log), &changed, &e));
    assert_false(changed);
    assert_int_equal(of[0].entries, 1004);
    roster_close(&stale);
    close_three(&s, of);
}

/* A renamed C on what is dropped, and B, which knew of that, renamed it, too. */
static void what_somebody_contradicted_since_is_not_said_anew(void **state)
{
    struct roster of[3], stale;
    char name[NAME_BYTES_MAX + 1];
    struct err e = {0};
    struct shop s;

    (void)state;
    for (int turn = 0; turn < 16; turn++) {
        char first[3] = {'X', (char)('a' + turn), 0}, second[3] = {'Y', (char)('a' + turn), 0};

        open_three(&s, of);
        stale = copy_of(&s.r);
        begin_beside_what_is_old(&s, of, &stale);
        assert_true(roster_rename(&of[0], &s.k[2].site, first, &s.k[0], name, &e));
        merge(&of[1], &of[0]);
        assert_true(roster_rename(&of[1], &s.k[2].site, second, &s.k[1], name, &e));
        merge(&of[0], &of[1]);
        talk(of, s.k, 3);
        for (int i = 0; i < 3; i++) {
            check_digest(&of[i], &of[0]);
            assert_true(of[i].before > 0);
            assert_string_equal(roster_find(&of[i], &s.k[2].site)->name, second);
        }
        roster_close(&stale);
        close_three(&s, of);
    }
}

/* A, which waits for C, shuts B out; B's list, which begins with the same checkpoint, cannot be put
 * together with that of A if something is in it that has no past. */
static void what_is_known_is_not_adopted_without_what_was_said_behind_it(void **state)
{
    struct roster of[3], other, old = {0};
    struct vector cut = {0};
    struct err e = {0};
    struct shop s;
    struct buf log;
    bool changed;

    (void)state;
    open_three(&s, of);
    make(&of[0], &s.k[0]);
    talk(of, s.k, 2);
    other = copy_of(&of[1]);
    assert_true(roster_revoke(&of[0], &s.k[1].site, &cut, &s.k[0], &e));
    settle(&of[2], &s.k[2]);
    merge(&of[2], &other);
    while (settle(&of[2], &s.k[2]))
        continue;
    assert_true(of[2].before > 0); /* it has heard of all but B's end */
    buf_open(&log, ROSTER_BYTES_MAX);
    buf_add(&log, of[2].log.p, of[2].log.n);
    assert_true(roster_load(&old, buf_slice(&log), &e));
    assert_false(roster_adopt(&of[0], buf_slice(&log), &s.k[0], &e));
    assert_int_equal(e.code, ERR_STRANGER);
    assert_null(roster_find(&of[0], &s.k[1].site));
    err_clear(&e);
    assert_true(roster_merge(&of[0], buf_slice(&log), &changed, &e));
    assert_null(roster_find(&of[0], &s.k[1].site));
    buf_close(&log);
    roster_close(&old);
    roster_close(&other);
    close_three(&s, of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_newcomer_believes_no_lie_that_its_author_alone_acknowledged),
        cmocka_unit_test(a_newcomer_begins_with_what_is_true),
        cmocka_unit_test(many_lies_cost_a_few_looks),
        cmocka_unit_test(the_enrolment_name_of_one_that_nobody_could_enrol_yields),
        cmocka_unit_test(what_is_passed_over_takes_no_room),
        cmocka_unit_test(what_somebody_contradicted_since_is_not_said_anew),
        cmocka_unit_test(what_is_known_is_not_adopted_without_what_was_said_behind_it),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
