/* Who was shut out does not come back by his own word, whoever brings it. Of roster_take. */
#include "quarrel.h"

enum { A, B, C, D, E };

static void revoke(struct roster *r, const struct keys *who, const struct keys *by)
{
    struct vector none = {0};
    struct err e = {0};

    assert_true(roster_revoke(r, &who->site, &none, by, &e));
}

static void set_admin(struct roster *r, const struct keys *who, bool admin, const struct keys *by)
{
    struct err e = {0};

    assert_true(roster_admin(r, &who->site, admin, by, &e));
}

static bool is_member(const struct roster *r, const struct keys *k)
{
    return roster_find(r, &k->site) != NULL;
}

/* A, and those whom it enrolled: B, the more senior, C and D. */
static void open(struct shop *s)
{
    shop_open(s);
    enrol(&s->r, &s->k[D], "D", &s->k[A]);
}

static bool takes(struct roster *r, const struct roster *from)
{
    struct err e = {0};
    bool changed;

    return roster_take(r, buf_slice(&from->log), &changed, &e) && changed;
}

/* `r` is as it was, and says why. */
static void refuses(struct roster *r, const struct roster *from, const char *why)
{
    uint8_t before[HASH_BYTES], after[HASH_BYTES];
    struct err e = {0};
    bool changed = true;

    roster_digest(r, before);
    assert_false(roster_take(r, buf_slice(&from->log), &changed, &e));
    assert_false(changed);
    assert_int_equal(e.code, ERR_CONTESTED);
    assert_string_equal(e.text, why);
    roster_digest(r, after);
    assert_memory_equal(before, after, HASH_BYTES);
}

static void who_was_shut_out_does_not_come_back_by_striking_back(void **state)
{
    struct roster thief, deceived;
    struct shop s;

    (void)state;
    open(&s);
    thief = copy_of(&s.r);
    revoke(&s.r, &s.k[B], &s.k[C]);
    revoke(&thief, &s.k[C], &s.k[B]);
    refuses(&s.r, &thief,
            "B, which was shut out of the fleet, would have that back by its own word");
    /* Nor by way of one who had not heard, and goes on in good faith. */
    deceived = copy_of(&thief);
    enrol(&deceived, &s.k[E], "E", &s.k[D]);
    refuses(&s.r, &deceived,
            "B, which was shut out of the fleet, would have that back by its own word");
    assert_true(is_member(&s.r, &s.k[C]) && !is_member(&s.r, &s.k[B]));
    /* Without what is known here the set alone decides: the senior stays. */
    assert_true(takes(&deceived, &s.r));
    assert_true(is_member(&deceived, &s.k[B]) && !is_member(&deceived, &s.k[C]));
    assert_true(roster_find(&deceived, &s.k[B].site)->contested);
    /* Until one who is more senior than the thief says so, too. */
    assert_false(roster_author(&s.r, &s.k[B].site)->by_senior);
    revoke(&s.r, &s.k[B], &s.k[D]);
    assert_false(roster_author(&s.r, &s.k[B].site)->by_senior);
    revoke(&s.r, &s.k[B], &s.k[A]);
    assert_true(roster_author(&s.r, &s.k[B].site)->by_senior);
    assert_true(takes(&deceived, &s.r) && takes(&s.r, &deceived));
    assert_true(is_member(&s.r, &s.k[C]) && is_member(&deceived, &s.k[C]));
    assert_true(is_member(&s.r, &s.k[E]) && !is_member(&deceived, &s.k[B]));
    roster_close(&s.r);
    roster_close(&thief);
    roster_close(&deceived);
}

/* Then who shut it out was never enrolled; and the one who strikes need not be itself. */
static void nor_by_shutting_out_whoever_enrolled_that_one_or_by_a_pc_of_its_own(void **state)
{
    struct roster early, puppet;
    struct shop s;

    (void)state;
    shop_open(&s);
    early = copy_of(&s.r);
    enrol(&s.r, &s.k[D], "D", &s.k[A]);
    puppet = copy_of(&s.r);
    revoke(&s.r, &s.k[B], &s.k[D]);
    revoke(&early, &s.k[A], &s.k[B]);
    enrol(&puppet, &s.k[E], "E", &s.k[B]);
    revoke(&puppet, &s.k[D], &s.k[E]);
    refuses(&s.r, &early,
            "B, which was shut out of the fleet, would have that back by its own word");
    merge(&early, &puppet);
    refuses(&s.r, &early,
            "B, which was shut out of the fleet, would have that back by its own word");
    roster_close(&s.r);
    roster_close(&early);
    roster_close(&puppet);
}

static void nor_does_who_lost_its_rights_get_them_back_so(void **state)
{
    struct roster thief;
    struct shop s;

    (void)state;
    open(&s);
    thief = copy_of(&s.r);
    set_admin(&s.r, &s.k[B], false, &s.k[C]);
    set_admin(&thief, &s.k[C], false, &s.k[B]);
    refuses(&s.r, &thief, "B, which is no admin any more, would have that back by its own word");
    roster_close(&thief);
    /* Who knew of it may give them back. */
    thief = copy_of(&s.r);
    set_admin(&thief, &s.k[B], true, &s.k[D]);
    assert_true(takes(&s.r, &thief));
    assert_true(roster_find(&s.r, &s.k[B].site)->admin);
    roster_close(&s.r);
    roster_close(&thief);
}

static void by_the_word_of_a_member_it_comes_back(void **state)
{
    struct roster founder;
    struct shop s;

    (void)state;
    open(&s);
    founder = copy_of(&s.r);
    revoke(&s.r, &s.k[B], &s.k[C]);
    revoke(&founder, &s.k[C], &s.k[A]);
    assert_true(takes(&s.r, &founder));
    assert_true(is_member(&s.r, &s.k[B]) && !is_member(&s.r, &s.k[C]));
    roster_close(&s.r);
    roster_close(&founder);
}

static void what_brings_nobody_back_is_taken_whoever_wrote_it(void **state)
{
    struct roster late;
    struct shop s;

    (void)state;
    open(&s);
    late = copy_of(&s.r);
    revoke(&s.r, &s.k[C], &s.k[B]);
    enrol(&late, &s.k[E], "E", &s.k[C]);
    revoke(&late, &s.k[B], &s.k[C]);
    revoke(&late, &s.k[D], &s.k[C]);
    assert_true(takes(&s.r, &late));
    assert_true(!is_member(&s.r, &s.k[C]) && !is_member(&s.r, &s.k[E]));
    assert_true(is_member(&s.r, &s.k[B]) && is_member(&s.r, &s.k[D]));
    assert_false(takes(&s.r, &late)); /* nothing is new */
    roster_close(&s.r);
    roster_close(&late);
}

static int start(void **state)
{
    struct err e = {0};

    (void)state;
    return keys_library_start(&e) ? 0 : 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_was_shut_out_does_not_come_back_by_striking_back),
        cmocka_unit_test(nor_by_shutting_out_whoever_enrolled_that_one_or_by_a_pc_of_its_own),
        cmocka_unit_test(nor_does_who_lost_its_rights_get_them_back_so),
        cmocka_unit_test(by_the_word_of_a_member_it_comes_back),
        cmocka_unit_test(what_brings_nobody_back_is_taken_whoever_wrote_it),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
