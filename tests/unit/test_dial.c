#include "dial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct site_id site(uint8_t number)
{
    struct site_id s = {{number}};

    return s;
}

static struct address at(uint32_t host)
{
    struct address a = {.port = 7400};

    snprintf(a.host, sizeof a.host, "10.0.%u.%u", host / 256 % 256, host % 256);
    return a;
}

/* The context is the number of the one site we have a link with, 0 for none. */
static bool is_linked(const void *context, const struct site_id *s)
{
    return s->bytes[0] == *(const uint8_t *)context;
}

static bool address_same(const struct address *a, const struct address *b)
{
    return a != NULL && a->port == b->port && strcmp(a->host, b->host) == 0;
}

static struct place *pick(struct places *p, uint64_t now, uint8_t linked, uint64_t *next)
{
    *next = UINT64_MAX;
    return places_pick(p, now, is_linked, &linked, next);
}

static void a_site_that_was_heard_is_dialled_after_its_wait(void **state)
{
    struct places p = {0};
    struct site_id s = site(1);
    struct address a = at(1);
    uint64_t next;

    (void)state;
    places_heard(&p, &s, &a, 1000, 300);
    assert_null(pick(&p, 1000, 0, &next));
    assert_int_equal(next, 1300);
    assert_non_null(pick(&p, 1300, 0, &next));
    assert_null(pick(&p, 1300, 0, &next)); /* it is being dialled */
    places_close(&p);
}

static void a_linked_site_is_not_dialled(void **state)
{
    struct places p = {0};
    struct site_id s = site(1);
    struct address a = at(1);
    uint64_t next;

    (void)state;
    places_heard(&p, &s, &a, 1000, 0);
    assert_null(pick(&p, 5000, 1, &next));
    assert_int_equal(next, UINT64_MAX);
    assert_non_null(pick(&p, 5000, 0, &next));
    places_close(&p);
}

static void one_place_of_a_site_is_tried_at_a_time_and_the_other_next(void **state)
{
    struct places p = {0};
    struct site_id s = site(1);
    struct address first = at(1), second = at(2);
    struct place *place;
    uint64_t next;

    (void)state;
    places_heard(&p, &s, &first, 1000, 0);
    places_heard(&p, &s, &second, 1000, 1);
    place = pick(&p, 1001, 0, &next);
    assert_string_equal(place->address.host, first.host);
    assert_null(pick(&p, 1001, 0, &next));
    places_ended(&p, &first, 0, 1001, 0);
    place = pick(&p, 1001, 0, &next);
    assert_string_equal(place->address.host, second.host);
    places_close(&p);
}

static void failures_wait_longer_each_time_and_never_longer_than_the_maximum(void **state)
{
    struct places p = {0};
    struct site_id s = site(1);
    struct address a = at(1);
    uint64_t now = 1000, next, before = 0;
    int i;

    (void)state;
    places_heard(&p, &s, &a, now, 0);
    for (i = 0; i < 12; i++) {
        assert_non_null(pick(&p, now, 0, &next));
        places_ended(&p, &a, 0, now, (uint32_t)-1);
        assert_null(pick(&p, now, 0, &next));
        assert_true(next > now && next - now <= BACKOFF_MS_MAX);
        assert_true(next - now >= before / 2);
        before = next - now;
        now = next;
    }
    assert_true(before > BACKOFF_MS_MAX / 2 - 1);
    places_close(&p);
}

static void a_beacon_and_a_good_link_end_the_back_off(void **state)
{
    struct places p = {0};
    struct site_id s = site(1);
    struct address a = at(1);
    uint64_t now = 1000, next;
    int i;

    (void)state;
    places_heard(&p, &s, &a, now, 0);
    for (i = 0; i < 8; i++) {
        assert_non_null(pick(&p, now, 0, &next));
        places_ended(&p, &a, 0, now, 0);
        assert_null(pick(&p, now, 0, &next));
        now = next;
    }
    places_heard(&p, &s, &a, now - 1, 0);
    assert_non_null(pick(&p, now, 0, &next));
    places_ended(&p, &a, PLACE_GOOD_MS, now, 0);
    assert_null(pick(&p, now, 0, &next));
    assert_true(next - now <= BACKOFF_MS_MIN);
    places_close(&p);
}

/* Else a peer that closes each link at once would be dialled five times a second for ever. */
static void links_that_open_and_end_at_once_do_not_end_the_back_off(void **state)
{
    struct places p = {0};
    struct site_id s = site(1);
    struct address a = at(1);
    uint64_t now = 1000, next = 0;
    int i;

    (void)state;
    places_heard(&p, &s, &a, now, 0);
    for (i = 0; i < 8; i++) {
        assert_non_null(pick(&p, now, 0, &next));
        places_opened(&p, &a, &s, false);
        places_ended(&p, &a, 10, now, 0);
        assert_null(pick(&p, now, 0, &next));
        now = next;
    }
    assert_true(now > 1000 + BACKOFF_MS_MAX);
    places_close(&p);
}

static void our_own_address_is_not_dialled_again(void **state)
{
    struct places p = {0};
    struct site_id self = site(9);
    struct address a = at(1);
    uint64_t next;

    (void)state;
    places_add_fixed(&p, &a);
    assert_non_null(pick(&p, 1, 0, &next));
    places_opened(&p, &a, &self, true);
    places_ended(&p, &a, 1, 1, 0);
    assert_null(pick(&p, 100000, 0, &next));
    places_close(&p);
}

static void a_full_table_forgets_the_oldest_and_keeps_what_a_person_named(void **state)
{
    struct places p = {0};
    struct address fixed = at(0), oldest = at(1), newest = at(PLACES_MAX);
    uint32_t i;

    (void)state;
    places_add_fixed(&p, &fixed);
    for (i = 1; i <= PLACES_MAX; i++) {
        struct site_id s = site((uint8_t)(i / 4));
        struct address a = at(i);

        places_heard(&p, &s, &a, 1000 + i, 0);
    }
    assert_int_equal(p.n, PLACES_MAX);
    assert_non_null(places_find(&p, &fixed));
    assert_non_null(places_find(&p, &newest));
    assert_null(places_find(&p, &oldest));
    places_close(&p);
}

/* A beacon played back from a hundred addresses must not keep the true one from its turn. */
static void one_site_has_only_so_many_places(void **state)
{
    struct places p = {0};
    struct site_id victim = site(1), other = site(2);
    struct address elsewhere = at(1000), last = at(99);
    uint32_t i;

    (void)state;
    places_heard(&p, &other, &elsewhere, 1, 0);
    for (i = 0; i < 100; i++) {
        struct address a = at(i);

        places_heard(&p, &victim, &a, 1000 + i, 0);
    }
    assert_int_equal(p.n, PLACES_SITE_MAX + 1);
    assert_non_null(places_find(&p, &elsewhere));
    assert_non_null(places_find(&p, &last));
    places_close(&p);
}

static void a_site_that_left_is_not_dialled_until_it_is_heard_again(void **state)
{
    struct places p = {0};
    struct site_id s = site(1);
    struct address a = at(1);
    uint64_t next;

    (void)state;
    places_heard(&p, &s, &a, 1000, 0);
    places_left(&p, &s);
    assert_null(pick(&p, 5000, 0, &next));
    places_heard(&p, &s, &a, 5000, 0);
    assert_non_null(pick(&p, 5000, 0, &next));
    places_close(&p);
}

/* Beacons kept and sent again from anywhere; the site is where it was heard of itself. */
static void a_rumour_waits_for_those_that_were_heard_of_and_pushes_out_nobody(void **state)
{
    struct places p = {0};
    struct site_id s = site(1);
    struct address good = at(1), first = at(100);
    uint64_t next;
    uint32_t i;

    (void)state;
    places_heard(&p, &s, &good, 1000, 0);
    for (i = 100; i < 200; i++) {
        struct address a = at(i);

        assert_int_equal(places_heard_rumour(&p, &s, &a, 1000 + i), i < 100 + PLACES_SITE_MAX - 1);
    }
    assert_false(places_heard_rumour(&p, &s, &good, 2000));
    assert_int_equal(p.n, PLACES_SITE_MAX);
    assert_string_equal(pick(&p, 9000, 0, &next)->address.host, good.host);
    assert_null(pick(&p, 9000, 0, &next)); /* while the better one is tried */
    places_ended(&p, &good, 0, 9000, 0);
    assert_string_equal(pick(&p, 9000, 0, &next)->address.host, first.host);
    places_close(&p);
}

static void a_rumour_that_fails_is_forgotten_and_one_that_was_true_is_not(void **state)
{
    struct places p = {0};
    struct site_id s = site(1);
    struct address wrong = at(1), right = at(2);
    uint64_t next;

    (void)state;
    assert_true(places_heard_rumour(&p, &s, &wrong, 1000));
    assert_null(pick(&p, 1000, 0, &next));
    assert_int_equal(next, 1000 + RUMOUR_WAIT_MS);
    assert_non_null(pick(&p, next, 0, &next));
    places_ended(&p, &wrong, 0, 7000, 0);
    assert_null(places_find(&p, &wrong));
    assert_true(places_heard_rumour(&p, &s, &right, 7000));
    assert_non_null(pick(&p, 9000, 0, &next));
    places_opened(&p, &right, &s, false);
    places_ended(&p, &right, 100, 9100, 0);
    assert_non_null(places_find(&p, &right));
    places_close(&p);
}

/* Nobody answers there, and each attempt takes its time. */
static void rumours_and_beacons_of_many_sites_leave_room_for_those_met_before(void **state)
{
    struct places p = {0};
    struct site_id met = site(200);
    struct address home = at(1000);
    uint32_t i, rumours = 0, heard = 0;
    struct place *place;
    uint64_t next;

    (void)state;
    for (i = 0; i < 50; i++) {
        struct site_id s = site((uint8_t)(i + 1));
        struct address a = at(i);

        if (i < 25)
            assert_true(places_heard_rumour(&p, &s, &a, 1000));
        else
            places_heard(&p, &s, &a, 1000, 0);
    }
    while ((place = pick(&p, 5000, 0, &next)) != NULL) {
        rumours += place->rumour;
        heard += !place->rumour;
    }
    assert_int_equal(rumours, RUMOURS_AT_ONCE);
    assert_int_equal(heard, HEARD_AT_ONCE);
    places_add_proven(&p, &met, &home, 5000, 0);
    assert_string_equal(pick(&p, 5000, 0, &next)->address.host, home.host);
    places_close(&p);
}

static void who_was_just_heard_of_is_dialled_before_many_that_are_off(void **state)
{
    struct places p = {0};
    struct site_id there = site(200);
    struct address last = at(1000);
    uint64_t next;
    uint32_t i;

    (void)state;
    for (i = 0; i < 40; i++) {
        struct site_id s = site((uint8_t)(i + 1));
        struct address a = at(i);

        places_add_proven(&p, &s, &a, 1000, 0);
    }
    places_add_proven(&p, &there, &last, 1000, 0);
    places_heard(&p, &there, &last, 60000, 0);
    assert_string_equal(pick(&p, 60000, 0, &next)->address.host, last.host);
    places_close(&p);
}

/* It was met at one address, has another one now, and says so. */
static void a_site_that_moved_is_dialled_at_once_where_it_is_now(void **state)
{
    struct places p = {0};
    struct site_id s = site(1);
    struct address old = at(1), new = at(2);
    uint64_t next;

    (void)state;
    places_add_proven(&p, &s, &old, 1000, 0);
    assert_string_equal(pick(&p, 1000, 0, &next)->address.host, old.host);
    places_heard(&p, &s, &new, 1100, 0);
    assert_string_equal(pick(&p, 1100, 0, &next)->address.host, new.host);
    places_close(&p);
}

static void a_site_that_moves_and_moves_is_still_heard_of(void **state)
{
    struct places p = {0};
    struct site_id s = site(1);
    struct place *place;
    uint64_t next;
    uint32_t i;

    (void)state;
    for (i = 0; i < 50; i++) {
        struct address a = at(i);

        places_heard(&p, &s, &a, 1000 * i, 0);
        while ((place = pick(&p, 1000 * i, 0, &next)) != NULL && !address_same(&place->address, &a))
            places_ended(&p, &place->address, 0, 1000 * i, 0);
        assert_non_null(place);
        places_opened(&p, &a, &s, false);
        places_ended(&p, &a, 500, 1000 * i + 500, 0);
    }
    assert_int_equal(p.n, PLACES_SITE_MAX);
    places_close(&p);
}

static void where_a_link_came_from_its_site_is_where_it_was_heard_to_listen(void **state)
{
    struct places p = {0};
    struct site_id s = site(1), other = site(2);
    struct address a = at(1), b = at(2);

    (void)state;
    places_heard(&p, &s, &a, 1000, 0);
    places_heard(&p, &other, &b, 1000, 0);
    assert_null(places_prove(&p, &s, b.host));
    assert_true(address_same(places_prove(&p, &s, a.host), &a));
    assert_true(places_find(&p, &a)->proven);
    places_close(&p);
}

/* ---- two links between one pair of sites ---- */

static const struct dial_claim dialled = {.incoming = false, .began_ms = 900, .opened_ms = 1000};
static const struct dial_claim accepted = {.incoming = true, .began_ms = 900, .opened_ms = 1000};

static void of_two_dials_that_cross_both_sides_keep_the_same_one(void **state)
{
    (void)state;
    assert_true(dial_crossed(&dialled, &accepted));
    /* The smaller site keeps what it dialled, whichever opened first here. */
    assert_false(dial_fresh_wins(&accepted, true));
    assert_true(dial_fresh_wins(&dialled, true));
    /* The larger one keeps what it accepted: it is the same link. */
    assert_true(dial_fresh_wins(&accepted, false));
    assert_false(dial_fresh_wins(&dialled, false));
}

static void a_peer_that_dials_while_it_is_linked_has_not_crossed_a_dial_of_ours(void **state)
{
    struct dial_claim again = {.incoming = true, .began_ms = 950, .opened_ms = 1500};
    struct dial_claim late = {.incoming = true, .began_ms = 1001 + DIAL_CROSS_MS};
    struct dial_claim slow = {.incoming = true, .began_ms = 1000 + DIAL_CROSS_MS};

    (void)state;
    slow.opened_ms = slow.began_ms + HANDSHAKE_MS_MAX;
    late.opened_ms = late.began_ms + 1;
    assert_false(dial_crossed(&accepted, &again));
    assert_false(dial_crossed(&dialled, &late));
    assert_true(dial_crossed(&dialled, &slow));
}

static void every_second_attempt_that_failed_is_made_with_an_older_key(void **state)
{
    static const uint32_t with_four[] = {0, 1, 0, 2, 0, 3, 0, 1};
    struct places p = {0};
    struct place *place;
    struct address there = at(1);

    (void)state;
    for (uint32_t i = 0; i < COUNT_OF(with_four); i++)
        assert_int_equal(dial_key(i, 4), with_four[i]);
    assert_int_equal(dial_key(1, 1), 0);
    places_add_fixed(&p, &there);
    place = places_find(&p, &there);
    places_ended(&p, &there, 0, 1000, 0);
    places_ended(&p, &there, 0, 2000, 0);
    assert_int_equal(place->failed, 2);
    places_ended(&p, &there, 1, 3000, 0); /* it was open */
    assert_int_equal(place->failed, 2);
    places_opened(&p, &there, &(struct site_id){{1}}, false);
    assert_int_equal(place->failed, 0);
    places_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_second_attempt_that_failed_is_made_with_an_older_key),
        cmocka_unit_test(a_site_that_was_heard_is_dialled_after_its_wait),
        cmocka_unit_test(a_linked_site_is_not_dialled),
        cmocka_unit_test(one_place_of_a_site_is_tried_at_a_time_and_the_other_next),
        cmocka_unit_test(failures_wait_longer_each_time_and_never_longer_than_the_maximum),
        cmocka_unit_test(a_beacon_and_a_good_link_end_the_back_off),
        cmocka_unit_test(links_that_open_and_end_at_once_do_not_end_the_back_off),
        cmocka_unit_test(our_own_address_is_not_dialled_again),
        cmocka_unit_test(a_full_table_forgets_the_oldest_and_keeps_what_a_person_named),
        cmocka_unit_test(one_site_has_only_so_many_places),
        cmocka_unit_test(a_site_that_left_is_not_dialled_until_it_is_heard_again),
        cmocka_unit_test(a_rumour_waits_for_those_that_were_heard_of_and_pushes_out_nobody),
        cmocka_unit_test(a_rumour_that_fails_is_forgotten_and_one_that_was_true_is_not),
        cmocka_unit_test(rumours_and_beacons_of_many_sites_leave_room_for_those_met_before),
        cmocka_unit_test(who_was_just_heard_of_is_dialled_before_many_that_are_off),
        cmocka_unit_test(a_site_that_moved_is_dialled_at_once_where_it_is_now),
        cmocka_unit_test(a_site_that_moves_and_moves_is_still_heard_of),
        cmocka_unit_test(where_a_link_came_from_its_site_is_where_it_was_heard_to_listen),
        cmocka_unit_test(of_two_dials_that_cross_both_sides_keep_the_same_one),
        cmocka_unit_test(a_peer_that_dials_while_it_is_linked_has_not_crossed_a_dial_of_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
