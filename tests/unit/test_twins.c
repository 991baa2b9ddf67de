/* Two agents that speak under one identity. */
#include "twins.h"

#include "floor.h"
#include "links_inside.h"
#include "visitor.h"

/* A home as it is, in another place, with a database of its own; nobody has noticed yet. */
static void copy_pc(struct floor *f, struct pc *copy, const struct pc *of)
{
    char command[400];
    struct err e = {0};

    pc_open(f, copy, "COPY", no_goods);
    remove_tree(copy->home_path);
    snprintf(command, sizeof command, "cp -a '%s' '%s'", of->home_path, copy->home_path);
    assert_int_equal(system(command), 0);
    sqlite3_close(copy->app);
    snprintf(command, sizeof command, "cp '%s' '%s'", of->database, copy->database);
    assert_int_equal(system(command), 0);
    assert_int_equal(sqlite3_open(copy->database, &copy->app), SQLITE_OK);
    copy->keys = of->keys;
    must(origin_confirm(&copy->home, &e), &e);
}

static void stop_for_copying(struct pc *pc)
{
    pc_stop(pc);
    sql(pc, "PRAGMA wal_checkpoint(TRUNCATE)");
}

static void two_that_meet_are_both_in_doubt_and_fall_silent(void **state)
{
    struct floor f;
    struct pc a, b, copy;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    stop_for_copying(&b);
    pc_stop(&a);
    copy_pc(&f, &copy, &b);
    copy.config.peers[0] = b.config.listen;
    copy.config.peer_count = 1;
    pc_start(&b);
    pc_start(&copy);
    AWAIT(&f, is_warned(&b, WARNING_IDENTITY) && is_warned(&copy, WARNING_IDENTITY));
    assert_non_null(strstr(warned(&b, WARNING_IDENTITY), "has the identity of this one"));
    AWAIT(&f, b.agent.store == NULL && copy.agent.store == NULL);
    floor_close(&f);
}

/* That a PC reaches itself by one of its own addresses is no twin. */
static void who_dials_himself_is_alone(void **state)
{
    struct floor f = {0};
    struct pc a, b;

    (void)state;
    open_founding_pc(&f, &a, goods);
    pc_open(&f, &b, "B", no_goods);
    pc_enrol(&a, &b);
    a.config.peers[0] = a.config.listen;
    a.config.peer_count = 1;
    pc_start(&a);
    AWAIT(&f, a.agent.store != NULL && a.agent.links->self_dials.n > 0);
    AWAIT(&f, a.agent.links->n == 0);
    assert_false(is_warned(&a, WARNING_IDENTITY));
    assert_non_null(a.agent.store);
    floor_close(&f);
}

/* A third PC sees both, and each of the two learns it from what the other one signed. */
static void a_third_pc_that_sees_two_tells_and_both_are_in_doubt(void **state)
{
    struct floor f;
    struct pc a, b, copy;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    stop_for_copying(&b);
    copy_pc(&f, &copy, &b);
    copy.config.peers[0] = a.config.listen;
    copy.config.peer_count = 1;
    pc_start(&b);
    AWAIT(&f, is_talking(&a, &b));
    pc_start(&copy);
    AWAIT(&f, is_warned(&a, WARNING_TWICE));
    assert_non_null(strstr(warned(&a, WARNING_TWICE), "B"));
    AWAIT(&f, is_warned(&b, WARNING_IDENTITY) && is_warned(&copy, WARNING_IDENTITY));
    /* A person says which one goes on as before. */
    pc_stop(&copy);
    pc_stop(&b);
    must(origin_confirm(&b.home, &(struct err){0}), &(struct err){0});
    pc_start(&b);
    AWAIT(&f, is_talking(&a, &b) && !is_warned(&a, WARNING_TWICE));
    floor_close(&f);
}

/* The first link is dead and does not know it: silence lets the second one in. */
static void a_pc_that_comes_again_takes_the_place_of_its_dead_link(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    b.running = false; /* its power is cut: its loop never runs again, its sockets stay */
    {
        struct pc again;
        char command[400];
        struct err e = {0};

        pc_open(&f, &again, "B", no_goods);
        remove_tree(again.home_path);
        snprintf(command, sizeof command, "cp -a '%s' '%s'", b.home_path, again.home_path);
        assert_int_equal(system(command), 0);
        again.keys = b.keys;
        must(origin_confirm(&again.home, &e), &e);
        again.config.peers[0] = a.config.listen;
        again.config.peer_count = 1;
        pc_start(&again);
        AWAIT(&f, is_talking(&again, &a) && is_talking(&a, &b));
        assert_false(is_warned(&a, WARNING_TWICE));
        assert_false(is_warned(&again, WARNING_IDENTITY));
        pc_close(&again);
        f.n--;
    }
    b.running = true;
    floor_close(&f);
}

/* B, of whom nothing runs, is a member of A's fleet: visitors come in its name. */
static void open_host(struct floor *f, struct pc *a, struct pc *b)
{
    *f = (struct floor){0};
    open_founding_pc(f, a, goods);
    pc_open(f, b, "B", no_goods);
    pc_enrol(a, b);
    pc_start(a);
    AWAIT(f, is_at_rest(a));
}

static void come(struct floor *f, struct visitor *v, struct pc *a, struct pc *b)
{
    visit(v, a, &b->keys);
    AWAIT(f, v->opened);
    visitor_greets(v, a);
    AWAIT(f, is_talking(a, b));
}

/* An answer is made for each question, and it never takes one. */
static void who_asks_who_is_present_and_does_not_read_is_not_answered_without_end(void **state)
{
    struct link *to_b;
    struct visitor v;
    struct floor f;
    struct pc a, b;
    uint32_t heard;

    (void)state;
    open_host(&f, &a, &b);
    come(&f, &v, &a, &b);
    visitor_asks(&v, &f, 1);
    AWAIT(&f, v.heard[MESSAGE_KIND_PRESENCE] == 1);
    to_b = a.agent.links->conns[0]->link;
    visitor_stops_reading(&v, &f, to_b);
    visitor_asks(&v, &f, 1000);
    assert_in_range(link_queued(to_b), SYNC_PONG_BYTES, SYNC_PONG_BYTES + 1000);
    /* Once it reads, it is answered again. */
    link_resume(v.link);
    AWAIT(&f, link_queued(to_b) == 0);
    heard = v.heard[MESSAGE_KIND_PRESENCE];
    visitor_asks(&v, &f, 1);
    AWAIT(&f, v.heard[MESSAGE_KIND_PRESENCE] > heard);
    visitor_leaves(&v);
    AWAIT(&f, a.agent.links->n == 0);
    floor_close(&f);
}

/* Two connections in B's name, and both have been asked who is there. */
static void two_are_asked(struct floor *f, struct pc *a, struct pc *b, struct visitor *first,
                          struct visitor *second)
{
    struct message pong = {.kind = MESSAGE_KIND_PONG};

    open_host(f, a, b);
    come(f, first, a, b);
    visit(second, a, &b->keys);
    AWAIT(f, second->opened && a->agent.links->n == 2 && a->agent.links->conns[1]->rival.waits);
    pong.pong.token = a->agent.links->conns[0]->rival.token;
    visitor_says(first, &pong);
    AWAIT(f, first->heard[MESSAGE_KIND_ASKPRESENCE] == 1);
    AWAIT(f, second->heard[MESSAGE_KIND_ASKPRESENCE] == 1);
}

/* In the run that is named so, with the key of `by`. */
static void sign(struct visitor *v, const uint8_t session[32], uint8_t run, const struct keys *by)
{
    uint8_t signed_bytes[64], signature[SIGNATURE_BYTES];
    struct message m = {.kind = MESSAGE_KIND_PRESENCE,
                        .presence = {.signature = {signature, sizeof signature}}};

    memcpy(m.presence.session, session, 32);
    memset(m.presence.run, run, sizeof m.presence.run);
    memcpy(signed_bytes, session, 32);
    memset(signed_bytes + 32, run, 32);
    keys_sign(by, "navette presence 1", SLICE(signed_bytes), signature);
    visitor_says(v, &m);
}

static void end_visits(struct floor *f, struct pc *a, struct visitor *first, struct visitor *second)
{
    visitor_leaves(first);
    visitor_leaves(second);
    AWAIT(f, a->agent.links->n == 0);
    floor_close(f);
}

/* What they said has been heard, and proves nothing. */
static void stay_as_they_are(struct floor *f, struct pc *a, struct pc *b, struct visitor *first,
                             struct visitor *second)
{
    AWAIT(f, link_queued(first->link) == 0 && link_queued(second->link) == 0);
    floor_turns(f, 50);
    assert_false(is_warned(a, WARNING_TWICE));
    assert_true(is_talking(a, b));
    end_visits(f, a, first, second);
}

static void two_that_sign_each_others_session_are_told_and_shown_it(void **state)
{
    struct visitor first, second;
    struct floor f;
    struct pc a, b;

    (void)state;
    two_are_asked(&f, &a, &b, &first, &second);
    sign(&first, second.link->channel.session, 1, &b.keys);
    sign(&second, first.link->channel.session, 2, &b.keys);
    AWAIT(&f, first.closed && second.closed);
    assert_true(is_warned(&a, WARNING_TWICE));
    assert_string_equal(first.bye_code, "twin");
    assert_string_equal(second.bye_code, "twin");
    assert_int_equal(first.heard[MESSAGE_KIND_PRESENCE], 1);
    assert_int_equal(second.heard[MESSAGE_KIND_PRESENCE], 1);
    end_visits(&f, &a, &first, &second);
}

/* Both links would end, and the honest one of the two be shown what proves nothing to it. */
static void what_its_key_did_not_sign_is_no_answer(void **state)
{
    struct visitor first, second;
    struct floor f;
    struct pc a, b;

    (void)state;
    two_are_asked(&f, &a, &b, &first, &second);
    sign(&first, second.link->channel.session, 1, &b.keys);
    sign(&second, first.link->channel.session, 2, &a.keys);
    stay_as_they_are(&f, &a, &b, &first, &second);
}

/* It may be the late answer to what was asked when another link waited. */
static void a_signed_session_of_another_link_is_no_answer(void **state)
{
    struct visitor first, second;
    struct floor f;
    struct pc a, b;

    (void)state;
    two_are_asked(&f, &a, &b, &first, &second);
    sign(&first, first.link->channel.session, 1, &b.keys);
    sign(&second, first.link->channel.session, 2, &b.keys);
    stay_as_they_are(&f, &a, &b, &first, &second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_meet_are_both_in_doubt_and_fall_silent),
        cmocka_unit_test(who_dials_himself_is_alone),
        cmocka_unit_test(a_third_pc_that_sees_two_tells_and_both_are_in_doubt),
        cmocka_unit_test(a_pc_that_comes_again_takes_the_place_of_its_dead_link),
        cmocka_unit_test(who_asks_who_is_present_and_does_not_read_is_not_answered_without_end),
        cmocka_unit_test(two_that_sign_each_others_session_are_told_and_shown_it),
        cmocka_unit_test(what_its_key_did_not_sign_is_no_answer),
        cmocka_unit_test(a_signed_session_of_another_link_is_no_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
