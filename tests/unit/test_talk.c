/* One conversation, with whom it may be and whatever he says. */
#include "talk.h"

#include "floor.h"
#include "renames.h"
#include "visitor.h"

/* a and b are linked, and somebody who has c's keys talks to a. */
struct scene {
    struct floor f;
    struct pc a, b, c;
    struct visitor v;
};

static void open_scene(struct scene *s)
{
    *s = (struct scene){0};
    open_three_pcs(&s->f, &s->a, &s->b, &s->c, no_goods);
    pc_start(&s->a);
    pc_start(&s->b);
    AWAIT(&s->f, is_talking(&s->a, &s->b) && is_settled(&s->b));
    AWAIT(&s->f, holds(&s->b, "SELECT count(*) FROM article", "2"));
    visit(&s->v, &s->a, &s->c.keys);
    AWAIT(&s->f, s->v.opened);
    visitor_greets(&s->v, &s->a);
    AWAIT(&s->f, s->v.heard[MESSAGE_KIND_HELLO] == 1 && is_talking(&s->a, &s->c));
}

/* He is gone; the others sell on. */
static void close_scene(struct scene *s)
{
    AWAIT(&s->f, s->v.closed && talk_of(&s->a, &s->c) == NULL);
    sql(&s->a, "UPDATE article SET price = 77");
    AWAIT(&s->f, holds(&s->b, "SELECT min(price) FROM article", "77"));
    floor_close(&s->f);
}

static void says(struct scene *s, const struct message *m)
{
    visitor_says(&s->v, m);
}

static void what_is_no_message_ends_the_link_with_its_reason(void **state)
{
    static const char *const nonsense[] = {
        "\xc1", "\x90", "\x91\x7f", "\xdd\xff\xff\xff\xff", "\x92\x04\xc4", "hello"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(nonsense); i++) {
        struct scene s;

        open_scene(&s);
        link_send(s.v.link, slice_text(nonsense[i]));
        AWAIT(&s.f, s.v.closed);
        close_scene(&s);
    }
}

static void a_change_set_that_is_none_is_not_taken(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s);
    says(&s, &(struct message){.kind = MESSAGE_KIND_CHANGESET,
                               .changeset = {.bytes = slice_text("no change-set at all")}});
    close_scene(&s);
}

static void what_is_wanted_and_not_there_is_not_answered_with_harm(void **state)
{
    struct message m = {.kind = MESSAGE_KIND_WANT, .want = {.after = 3}};
    struct scene s;

    (void)state;
    open_scene(&s);
    memset(m.want.actor.bytes, 0xee, sizeof m.want.actor.bytes);
    says(&s, &m);
    says(&s, &(struct message){.kind = MESSAGE_KIND_PING, .ping = {.token = 5, .wall_ms = 1}});
    AWAIT(&s.f, s.v.heard[MESSAGE_KIND_PONG] == 1 || s.v.closed);
    assert_int_equal(s.v.heard[MESSAGE_KIND_CHANGESET], 0);
    visitor_leaves(&s.v);
    close_scene(&s);
}

static void a_second_hello_ends_it(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s);
    visitor_greets(&s.v, &s.a);
    close_scene(&s);
}

static void who_says_nothing_any_more_is_left(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s);
    AWAIT(&s.f, s.v.heard[MESSAGE_KIND_PING] > 0);
    AWAIT(&s.f, s.v.closed); /* it never answered */
    close_scene(&s);
}

/* Telling the keys takes a look at every row: once in five seconds, however often one asks. */
static void keys_are_told_once_for_many_questions(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s);
    for (int i = 0; i < 50; i++)
        says(&s, &(struct message){.kind = MESSAGE_KIND_ASKKEYS, .askkeys = {.bytes = 1000000}});
    says(&s, &(struct message){.kind = MESSAGE_KIND_PING, .ping = {.token = 5, .wall_ms = 1}});
    AWAIT(&s.f, s.v.heard[MESSAGE_KIND_PONG] == 1 && s.v.heard[MESSAGE_KIND_KEYS] > 0);
    assert_int_equal(s.v.heard[MESSAGE_KIND_KEYS], 1);
    visitor_leaves(&s.v);
    close_scene(&s);
}

/* Who has room for no answer gets none, and one who has some gets no more than that. */
static void keys_are_told_in_as_many_bytes_as_were_asked_for(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s);
    says(&s, &(struct message){.kind = MESSAGE_KIND_ASKKEYS, .askkeys = {.bytes = 2}});
    says(&s, &(struct message){.kind = MESSAGE_KIND_PING, .ping = {.token = 5, .wall_ms = 1}});
    AWAIT(&s.f, s.v.heard[MESSAGE_KIND_PONG] == 1);
    assert_int_equal(s.v.heard[MESSAGE_KIND_KEYS], 0);
    says(&s, &(struct message){.kind = MESSAGE_KIND_ASKKEYS, .askkeys = {.bytes = 3}});
    AWAIT(&s.f, s.v.heard[MESSAGE_KIND_KEYS] == 1);
    visitor_leaves(&s.v);
    close_scene(&s);
}

static void a_question_about_an_outline_that_nobody_told_ends_it(void **state)
{
    struct message m = {.kind = MESSAGE_KIND_ASK,
                        .ask = {.token = 1, .number = 1, .what = 1, .picks = {NULL, 0}}};
    struct scene s;

    (void)state;
    open_scene(&s);
    m.ask.actor = *store_actor(s.a.agent.store);
    m.ask.picks = slice_text("\xff\xff\xff");
    says(&s, &m);
    AWAIT(&s.f, s.v.closed);
    assert_int_equal(s.v.heard[MESSAGE_KIND_TELL], 0);
    close_scene(&s);
}

/* A member that fills a roster must not part those who hold it: told, and talked on. */
static void a_roster_that_does_not_fit_is_told_as_long_as_its_link_stands(void **state)
{
    struct message m = {.kind = MESSAGE_KIND_ROSTER};
    struct scene s;
    struct buf log;

    (void)state;
    open_scene(&s);
    renames_write(&log, &s.a.agent.roster, &s.c.keys, ROSTER_ENTRIES_MAX);
    assert_false(log.overflow);
    m.roster.digest[0] = 1;
    m.roster.log = buf_slice(&log);
    says(&s, &m);
    AWAIT(&s.f, is_warned(&s.a, WARNING_ROSTER));
    assert_non_null(strstr(warned(&s.a, WARNING_ROSTER), "that C has and the one that is here"));
    says(&s, &(struct message){.kind = MESSAGE_KIND_PING, .ping = {.token = 5, .wall_ms = 1}});
    AWAIT(&s.f, s.v.heard[MESSAGE_KIND_PONG] == 1);
    says(&s, &m); /* once is enough */
    AWAIT(&s.f, s.v.closed);
    AWAIT(&s.f, !is_warned(&s.a, WARNING_ROSTER));
    buf_close(&log);
    close_scene(&s);
}

/* B has shut out A; C brings, again and again, that A had shut out B before, and does not read. */
static void who_brings_what_is_not_taken_and_does_not_read_is_told_once_it_reads(void **state)
{
    struct message m = {.kind = MESSAGE_KIND_ROSTER, .roster = {.digest = {1}}};
    struct roster lie = {0};
    struct vector cut = {0};
    struct scene s = {0};
    struct link *to_c;
    struct err e = {0};
    uint32_t heard;

    (void)state;
    open_three_pcs(&s.f, &s.a, &s.b, &s.c, no_goods);
    pc_start(&s.b);
    must(roster_copy(&lie, &s.b.agent.roster, &e), &e);
    must(roster_revoke(&lie, &s.b.keys.site, &cut, &s.a.keys, &e), &e);
    must(roster_revoke(&s.b.agent.roster, &s.a.keys.site, &cut, &s.b.keys, &e), &e);
    must(agent_roster_changed(&s.b.agent, &e), &e);
    visit(&s.v, &s.b, &s.c.keys);
    AWAIT(&s.f, s.v.opened);
    visitor_greets(&s.v, &s.b);
    AWAIT(&s.f, s.v.heard[MESSAGE_KIND_HELLO] == 1 && talk_of(&s.b, &s.c) != NULL);
    to_c = talk_of(&s.b, &s.c)->link;
    visitor_stops_reading(&s.v, &s.f, to_c);
    heard = s.v.heard[MESSAGE_KIND_ROSTER];
    m.roster.log = buf_slice(&lie.log);
    for (int i = 0; i < 20; i++)
        says(&s, &m);
    AWAIT(&s.f, link_queued(s.v.link) == 0);
    floor_turns(&s.f, 50);
    assert_null(roster_find(&s.b.agent.roster, &s.a.keys.site));
    link_resume(s.v.link);
    AWAIT(&s.f, s.v.heard[MESSAGE_KIND_ROSTER] > heard);
    AWAIT(&s.f, link_queued(to_c) == 0);
    floor_turns(&s.f, 50);
    assert_in_range(s.v.heard[MESSAGE_KIND_ROSTER], heard + 1, heard + 3); /* B's own is one */
    roster_close(&lie);
    visitor_leaves(&s.v);
    floor_close(&s.f);
}

static void keys_that_nobody_asked_for_end_it(void **state)
{
    struct message m = {.kind = MESSAGE_KIND_KEYS, .keys = {slice_text("\x92\x90\x90")}};
    struct scene s;

    (void)state;
    open_scene(&s);
    says(&s, &m);
    says(&s, &(struct message){.kind = MESSAGE_KIND_PING, .ping = {.token = 9, .wall_ms = 1}});
    AWAIT(&s.f, s.v.closed);
    assert_int_equal(s.v.heard[MESSAGE_KIND_PONG], 0);
    close_scene(&s);
}

static void whoever_goes_in_the_middle_of_a_flood_leaves_nothing_behind(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s);
    for (int i = 0; i < 300; i++)
        says(&s, &(struct message){.kind = MESSAGE_KIND_PING, .ping = {.token = 9, .wall_ms = 1}});
    floor_turns(&s.f, 2);
    visitor_leaves(&s.v);
    close_scene(&s);
}

/* ---- forked-history ---- */

static void copy_tree(const char *from, const char *to)
{
    char command[600];

    snprintf(command, sizeof command, "rm -rf '%s' && cp -a '%s' '%s'", to, from, to);
    assert_int_equal(system(command), 0);
}

/* The whole disk of a PC is put back, and it goes on: first beside one member, then beside the
 * other. These two are told, until it has met both. */
static void two_histories_of_a_third_pc_are_told_until_it_has_met_both(void **state)
{
    struct floor f;
    struct pc a, b, c;
    char kept[80];

    (void)state;
    open_three_pcs(&f, &a, &b, &c, no_goods);
    c.config.peers[1] = b.config.listen;
    c.config.peer_count = 2;
    b.config.peers[0] = c.config.listen; /* not a's, before its time */
    pc_start(&a);
    pc_start(&b);
    pc_start(&c);
    AWAIT(&f, is_talking(&c, &a) && is_talking(&c, &b) && is_settled(&c) && is_settled(&b));
    AWAIT(&f, holds(&c, "SELECT count(*) FROM article", "2"));
    pc_stop(&c);
    sqlite3_close(c.app);
    snprintf(kept, sizeof kept, "%s.kept", c.directory);
    copy_tree(c.directory, kept);
    assert_int_equal(sqlite3_open(c.database, &c.app), SQLITE_OK);
    pc_stop(&b);
    pc_start(&c);
    sql(&c, "INSERT INTO article VALUES (10, 'seen by A', 1, 1)");
    AWAIT(&f, holds(&a, "SELECT count(*) FROM article WHERE name = 'seen by A'", "1"));
    pc_stop(&c);
    pc_stop(&a);
    sqlite3_close(c.app);
    copy_tree(kept, c.directory);
    remove_tree(kept);
    assert_int_equal(sqlite3_open(c.database, &c.app), SQLITE_OK);
    pc_start(&b);
    pc_start(&c);
    sql(&c, "INSERT INTO article VALUES (11, 'seen by B', 1, 1)");
    AWAIT(&f, holds(&b, "SELECT count(*) FROM article WHERE name = 'seen by B'", "1"));
    pc_stop(&c);
    pc_stop(&b);
    b.config.peers[1] = a.config.listen;
    b.config.peer_count = 2;
    pc_start(&a);
    pc_start(&b);
    AWAIT(&f, is_warned(&a, WARNING_FORK) || is_warned(&b, WARNING_FORK));
    assert_non_null(
        strstr(is_warned(&a, WARNING_FORK) ? warned(&a, WARNING_FORK) : warned(&b, WARNING_FORK),
               "C was put back to an older state"));
    pc_start(&c);
    AWAIT(&f, holds(&a, "SELECT count(*) FROM article", "4") &&
                  holds(&b, "SELECT count(*) FROM article", "4") &&
                  holds(&c, "SELECT count(*) FROM article", "4"));
    AWAIT(&f, !is_warned(&a, WARNING_FORK) && !is_warned(&b, WARNING_FORK));
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_message_ends_the_link_with_its_reason),
        cmocka_unit_test(a_change_set_that_is_none_is_not_taken),
        cmocka_unit_test(what_is_wanted_and_not_there_is_not_answered_with_harm),
        cmocka_unit_test(a_second_hello_ends_it),
        cmocka_unit_test(who_says_nothing_any_more_is_left),
        cmocka_unit_test(keys_are_told_once_for_many_questions),
        cmocka_unit_test(keys_are_told_in_as_many_bytes_as_were_asked_for),
        cmocka_unit_test(a_question_about_an_outline_that_nobody_told_ends_it),
        cmocka_unit_test(a_roster_that_does_not_fit_is_told_as_long_as_its_link_stands),
        cmocka_unit_test(who_brings_what_is_not_taken_and_does_not_read_is_told_once_it_reads),
        cmocka_unit_test(keys_that_nobody_asked_for_end_it),
        cmocka_unit_test(whoever_goes_in_the_middle_of_a_flood_leaves_nothing_behind),
        cmocka_unit_test(two_histories_of_a_third_pc_are_told_until_it_has_met_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
