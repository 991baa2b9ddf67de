/* Who is called what. */
#include "../../protocol/names.h"

#include <stdio.h>
#include <stdlib.h>

#include "flood.h"
#include "library.h"

#define LONG_NAME "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* 64 */

#define SITES 700

static struct roster_site sites[SITES];

static void is_given(struct names *all, struct roster_site *s, const char *wants, const char *gets)
{
    names_make_unique(all, slice_text(wants), NULL, s->mark);
    assert_string_equal(s->mark, gets);
    memcpy(s->name, s->mark, sizeof s->name);
    names_put(all, s);
}

static void is_renamed(struct names *all, struct roster_site *s, const char *wants,
                       const char *gets)
{
    char name[NAME_BYTES_MAX + 1];

    names_make_unique(all, slice_text(wants), s, name);
    assert_string_equal(name, gets);
    names_rename(all, s, name);
}

static void each_who_wants_a_name_gets_the_next_number(void **state)
{
    struct names all = {0};
    char gets[NAME_BYTES_MAX + 1] = "Till";

    (void)state;
    memset(sites, 0, sizeof sites);
    for (uint32_t i = 0; i < SITES; i++) {
        is_given(&all, &sites[i], i % 2 == 0 ? "Till" : "tILL", gets);
        snprintf(gets, sizeof gets, i % 2 == 0 ? "tILL-%u" : "Till-%u", i + 2);
    }
    assert_true(all.looks < 20 * SITES);
    names_close(&all);
}

static void a_long_name_is_cut_to_make_room_for_the_number(void **state)
{
    struct names all = {0};
    struct roster_site s[12] = {0};

    (void)state;
    is_given(&all, &s[0], LONG_NAME, LONG_NAME);
    for (int i = 1; i < 9; i++) {
        char gets[NAME_BYTES_MAX + 16];

        snprintf(gets, sizeof gets, "%.62s-%d", LONG_NAME, i + 1);
        is_given(&all, &s[i], LONG_NAME, gets);
    }
    is_given(&all, &s[9], LONG_NAME,
             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-10");
    /* Another name that is cut to the same counts with them. */
    is_given(&all, &s[10], "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaB",
             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaB");
    is_given(&all, &s[11], "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaB",
             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-11");
    names_close(&all);
}

static void a_number_that_was_left_is_given_again(void **state)
{
    struct names all = {0};
    struct roster_site s[6] = {0};

    (void)state;
    for (int i = 0; i < 6; i++) {
        char name[2] = {(char)('P' + i), '\0'};

        is_given(&all, &s[i], name, name);
    }
    is_renamed(&all, &s[0], "X", "X");
    is_renamed(&all, &s[1], "X", "X-2");
    is_renamed(&all, &s[2], "x", "x-3");
    is_renamed(&all, &s[3], "X", "X-4");
    is_renamed(&all, &s[1], "Free", "Free");
    is_renamed(&all, &s[2], "X", "X-2"); /* not the one that it has: a lower one is free */
    is_renamed(&all, &s[4], "X", "X-3");
    is_renamed(&all, &s[3], "X", "X-4"); /* the one that it has: none lower is */
    is_renamed(&all, &s[5], "P", "P-2"); /* what another was enrolled as */
    is_renamed(&all, &s[0], "P", "P");   /* which that one may be called again */
    names_close(&all);
}

static void a_mark_of_one_that_is_gone_is_only_a_name(void **state)
{
    struct names all = {0};
    struct roster_site s[3] = {0};

    (void)state;
    is_given(&all, &s[0], "P", "P");
    s[1].standing = ROSTER_REVOKED;
    is_given(&all, &s[1], "Q", "Q");
    is_renamed(&all, &s[0], "Q", "Q");
    is_given(&all, &s[2], "Q", "Q-2");
    names_close(&all);
}

/* An admin enrols many under one long name, and renames them to it for as long as there is room. */
static uint64_t looks_of_names(uint32_t enrolments, uint32_t renames)
{
    struct keys *k = calloc(enrolments, sizeof *k);
    struct flood f;
    struct shop s;
    uint64_t looks;

    assert_non_null(k);
    shop_open(&s);
    flood_open(&f, &s.r);
    for (uint32_t i = 0; i < enrolments; i++) {
        keys_generate(&k[i]);
        flood_enrol(&f, &k[i], LONG_NAME, &s.k[2]);
    }
    for (uint32_t i = 0; i < renames; i++)
        flood_rename(&f, &k[i % enrolments], LONG_NAME, &s.k[2]);
    looks = flood_looks(&f, &s.r);
    roster_close(&s.r);
    free(k);
    return looks;
}

static void a_roster_full_of_one_name_costs_little_for_each_entry(void **state)
{
    (void)state;
    assert_true(looks_of_names(600, 600) < 40);
    assert_true(looks_of_names(900, ROSTER_ORDINARY_MAX - 910) < 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_who_wants_a_name_gets_the_next_number),
        cmocka_unit_test(a_long_name_is_cut_to_make_room_for_the_number),
        cmocka_unit_test(a_number_that_was_left_is_given_again),
        cmocka_unit_test(a_mark_of_one_that_is_gone_is_only_a_name),
        cmocka_unit_test(a_roster_full_of_one_name_costs_little_for_each_entry),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
