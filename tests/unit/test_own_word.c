/* Who was shut out does not come back by his own word, whoever brings it. Of roster_take. */
#include "library.h"
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

/* And what another PC holds, from here on apart. */
static struct roster open_apart(struct shop *s)
{
    open(s);
    return copy_of(&s->r);
}

static void close_both(struct shop *s, struct roster *other)
{
    roster_close(&s->r);
    roster_close(other);
}

/* C takes from B all that it has, or its rights alone, and B shuts C out elsewhere. */
static struct roster open_quarrel(struct shop *s, bool all)
{
    struct roster thief = open_apart(s);

    if (all)
        revoke(&s->r, &s->k[B], &s->k[C]);
    else
        set_admin(&s->r, &s->k[B], false, &s->k[C]);
    revoke(&thief, &s->k[C], &s->k[B]);
    return thief;
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
    thief = open_quarrel(&s, true);
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
    close_both(&s, &thief);
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
    thief = open_apart(&s);
    set_admin(&s.r, &s.k[B], false, &s.k[C]);
    set_admin(&thief, &s.k[C], false, &s.k[B]);
    refuses(&s.r, &thief, "B, which is no admin any more, would have that back by its own word");
    roster_close(&thief);
    /* Who knew of it may give them back. */
    thief = copy_of(&s.r);
    set_admin(&thief, &s.k[B], true, &s.k[D]);
    assert_true(takes(&s.r, &thief));
    assert_true(roster_find(&s.r, &s.k[B].site)->admin);
    close_both(&s, &thief);
}

static void by_the_word_of_a_member_it_comes_back(void **state)
{
    struct roster founder;
    struct shop s;

    (void)state;
    founder = open_apart(&s);
    revoke(&s.r, &s.k[B], &s.k[C]);
    revoke(&founder, &s.k[C], &s.k[A]);
    assert_true(takes(&s.r, &founder));
    assert_true(is_member(&s.r, &s.k[B]) && !is_member(&s.r, &s.k[C]));
    close_both(&s, &founder);
}

static void what_brings_nobody_back_is_taken_whoever_wrote_it(void **state)
{
    struct roster late;
    struct shop s;

    (void)state;
    late = open_apart(&s);
    revoke(&s.r, &s.k[C], &s.k[B]);
    enrol(&late, &s.k[E], "E", &s.k[C]);
    revoke(&late, &s.k[B], &s.k[C]);
    revoke(&late, &s.k[D], &s.k[C]);
    assert_true(takes(&s.r, &late));
    assert_true(!is_member(&s.r, &s.k[C]) && !is_member(&s.r, &s.k[E]));
    assert_true(is_member(&s.r, &s.k[B]) && is_member(&s.r, &s.k[D]));
    assert_false(takes(&s.r, &late)); /* nothing is new */
    close_both(&s, &late);
}

/* Then it is out in the end, too: by the word of a PC that it took in for that. */
static void nor_does_it_put_a_pc_of_its_own_in_its_place(void **state)
{
    struct roster thief;
    struct shop s;

    (void)state;
    for (int all = 0; all < 2; all++) {
        thief = open_quarrel(&s, all);
        enrol(&thief, &s.k[E], "E", &s.k[B]);
        if (all)
            revoke(&thief, &s.k[B], &s.k[E]);
        else
            set_admin(&thief, &s.k[B], false, &s.k[E]);
        assert_true(is_member(&thief, &s.k[B]) == !all && is_member(&thief, &s.k[E]));
        refuses(&s.r, &thief,
                all ? "C would be out by the word of B, which was shut out of the fleet"
                    : "C would be out by the word of B, which is no admin any more");
        close_both(&s, &thief);
    }
}

/* The PC that it made up is older than who shut it out, and denies whoever enrolled that one. */
static void nor_by_a_pc_that_it_took_in_before_the_others_came(void **state)
{
    struct roster thief;
    struct shop s;

    (void)state;
    shop_open(&s);
    thief = copy_of(&s.r);
    enrol(&s.r, &s.k[D], "D", &s.k[A]);
    enrol(&s.r, &s.k[5], "F", &s.k[D]);
    revoke(&s.r, &s.k[B], &s.k[5]);
    enrol(&thief, &s.k[E], "E", &s.k[B]);
    revoke(&thief, &s.k[A], &s.k[E]);
    refuses(&s.r, &thief,
            "B, which was shut out of the fleet, would have that back by its own word");
    close_both(&s, &thief);
}

/* What B said in good faith before it heard is void everywhere; others built on it. */
static void what_others_built_on_a_void_word_is_taken(void **state)
{
    struct roster other;
    struct shop s;

    (void)state;
    other = open_apart(&s);
    revoke(&s.r, &s.k[B], &s.k[A]);
    enrol(&other, &s.k[E], "E", &s.k[B]);
    enrol(&other, &s.k[5], "F", &s.k[D]);
    assert_true(takes(&s.r, &other));
    assert_true(is_member(&s.r, &s.k[5]) && !is_member(&s.r, &s.k[E]));
    close_both(&s, &other);
}

/* B is out here by C's word, which A had made void; on A's side B went on, until A shut it out. */
static void what_one_did_whom_others_had_back_is_taken(void **state)
{
    struct roster other;
    struct shop s;

    (void)state;
    other = open_apart(&s);
    revoke(&s.r, &s.k[B], &s.k[C]);
    revoke(&other, &s.k[C], &s.k[A]);
    enrol(&other, &s.k[E], "E", &s.k[B]);
    enrol(&other, &s.k[5], "F", &s.k[E]);
    revoke(&other, &s.k[B], &s.k[A]);
    assert_true(takes(&s.r, &other));
    assert_true(is_member(&s.r, &s.k[E]) && is_member(&s.r, &s.k[5]));
    assert_true(!is_member(&s.r, &s.k[B]) && !is_member(&s.r, &s.k[C]));
    close_both(&s, &other);
}

static uint32_t confirms(struct roster *r, const struct keys *k)
{
    struct err e = {0};
    uint32_t n;

    assert_true(roster_confirm(r, k, &n, &e));
    return n;
}

/* One of the seniors is enough, and only they; then nothing is worth anything that was dated back,
 * also to those who met the thief first. */
static void what_a_junior_took_a_senior_takes_too(void **state)
{
    struct roster thief, deceived;
    struct shop s;

    (void)state;
    for (int all = 0; all < 2; all++) {
        thief = open_quarrel(&s, all);
        enrol(&thief, &s.k[E], "E", &s.k[B]);
        revoke(&thief, &s.k[B], &s.k[E]);
        deceived = copy_of(&thief);
        assert_int_equal(confirms(&s.r, &s.k[D]), 0);
        assert_int_equal(confirms(&s.r, &s.k[C]), 0);
        assert_int_equal(confirms(&s.r, &s.k[E]), 0);
        assert_int_equal(confirms(&s.r, &s.k[A]), 1);
        assert_int_equal(confirms(&s.r, &s.k[A]), 0);
        assert_true(takes(&deceived, &s.r));
        assert_true(takes(&s.r, &thief));
        assert_true(is_member(&s.r, &s.k[C]) && !is_member(&s.r, &s.k[E]));
        assert_true(is_member(&deceived, &s.k[C]) && !is_member(&deceived, &s.k[E]));
        assert_true(is_member(&deceived, &s.k[B]) == !all);
        assert_int_equal(confirms(&s.r, &s.k[A]), 0);
        close_both(&s, &thief);
        roster_close(&deceived);
    }
}

static uint64_t cut_of(const struct roster *r, const struct keys *k)
{
    struct actor a = actor_of(k, 1);

    return roster_believed(r, &a);
}

/* With the same cut: of two, the lower one. */
static void how_far_one_is_believed_stays_when_a_senior_takes_it_too(void **state)
{
    const uint8_t hash[HASH_BYTES] = {1};
    struct vector far = {0}, near = {0};
    struct roster other;
    struct err e = {0};
    struct actor a;
    struct shop s;

    (void)state;
    open(&s);
    a = actor_of(&s.k[B], 1);
    vector_set(&far, &a, 9, hash);
    vector_set(&near, &a, 5, hash);
    other = copy_of(&s.r);
    assert_true(roster_revoke(&s.r, &s.k[B].site, &far, &s.k[C], &e));
    assert_true(roster_revoke(&other, &s.k[B].site, &near, &s.k[D], &e));
    merge(&s.r, &other);
    assert_int_equal(confirms(&s.r, &s.k[A]), 1);
    assert_int_equal(cut_of(&s.r, &s.k[B]), 5);
    vector_close(&far);
    vector_close(&near);
    close_both(&s, &other);
}

/* Against that nobody can strike back, and nobody is to add to it. */
static void what_one_took_from_itself_or_a_senior_took_needs_no_other_word(void **state)
{
    struct shop s;

    (void)state;
    open(&s);
    set_admin(&s.r, &s.k[C], false, &s.k[C]);
    assert_int_equal(confirms(&s.r, &s.k[A]), 0);
    set_admin(&s.r, &s.k[D], false, &s.k[B]);
    assert_int_equal(confirms(&s.r, &s.k[A]), 0);
    /* Given back, and taken by a junior: now it is to. */
    set_admin(&s.r, &s.k[C], true, &s.k[A]);
    set_admin(&s.r, &s.k[D], true, &s.k[A]);
    set_admin(&s.r, &s.k[C], false, &s.k[D]);
    assert_int_equal(confirms(&s.r, &s.k[B]), 1);
    assert_int_equal(confirms(&s.r, &s.k[A]), 0);
    roster_close(&s.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_was_shut_out_does_not_come_back_by_striking_back),
        cmocka_unit_test(nor_by_shutting_out_whoever_enrolled_that_one_or_by_a_pc_of_its_own),
        cmocka_unit_test(nor_does_who_lost_its_rights_get_them_back_so),
        cmocka_unit_test(by_the_word_of_a_member_it_comes_back),
        cmocka_unit_test(what_brings_nobody_back_is_taken_whoever_wrote_it),
        cmocka_unit_test(nor_does_it_put_a_pc_of_its_own_in_its_place),
        cmocka_unit_test(nor_by_a_pc_that_it_took_in_before_the_others_came),
        cmocka_unit_test(what_others_built_on_a_void_word_is_taken),
        cmocka_unit_test(what_one_did_whom_others_had_back_is_taken),
        cmocka_unit_test(what_a_junior_took_a_senior_takes_too),
        cmocka_unit_test(how_far_one_is_believed_stays_when_a_senior_takes_it_too),
        cmocka_unit_test(what_one_took_from_itself_or_a_senior_took_needs_no_other_word),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
