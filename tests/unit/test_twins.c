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

static void ask_presence(struct floor *f, struct visitor *v, int times)
{
    while (times-- > 0)
        visitor_says(v, &(struct message){.kind = MESSAGE_KIND_ASKPRESENCE});
    AWAIT(f, link_queued(v->link) == 0);
    floor_turns(f, 50);
}

/* An answer is made for each question, and it never takes one. */
static void who_asks_who_is_present_and_does_not_read_is_not_answered_without_end(void **state)
{
    int small = 4096;
    uint32_t heard;
    struct link *to_b;
    struct visitor v;
    struct floor f = {0};
    struct pc a, b;

    (void)state;
    open_founding_pc(&f, &a, goods);
    pc_open(&f, &b, "B", no_goods);
    pc_enrol(&a, &b);
    pc_start(&a);
    AWAIT(&f, is_at_rest(&a));
    visit(&v, &a, &b.keys);
    AWAIT(&f, v.opened);
    visitor_greets(&v, &a);
    AWAIT(&f, is_talking(&a, &b));
    ask_presence(&f, &v, 1);
    AWAIT(&f, v.heard[MESSAGE_KIND_PRESENCE] == 1);
    to_b = a.agent.links->conns[0]->link;
    uv_send_buffer_size((uv_handle_t *)&to_b->tcp, &small);
    link_hold(v.link);
    while (link_queued(to_b) < SYNC_PONG_BYTES)
        ask_presence(&f, &v, 100);
    ask_presence(&f, &v, 1000);
    assert_in_range(link_queued(to_b), SYNC_PONG_BYTES, SYNC_PONG_BYTES + 1000);
    /* Once it reads, it is answered again. */
    link_resume(v.link);
    AWAIT(&f, link_queued(to_b) == 0);
    heard = v.heard[MESSAGE_KIND_PRESENCE];
    ask_presence(&f, &v, 1);
    AWAIT(&f, v.heard[MESSAGE_KIND_PRESENCE] > heard);
    visitor_leaves(&v);
    AWAIT(&f, a.agent.links->n == 0);
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_meet_are_both_in_doubt_and_fall_silent),
        cmocka_unit_test(who_dials_himself_is_alone),
        cmocka_unit_test(a_third_pc_that_sees_two_tells_and_both_are_in_doubt),
        cmocka_unit_test(a_pc_that_comes_again_takes_the_place_of_its_dead_link),
        cmocka_unit_test(who_asks_who_is_present_and_does_not_read_is_not_answered_without_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
