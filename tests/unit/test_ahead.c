/* Agents whose clock was ahead: what is told of it, and what ends it. (agent/ahead.c.) */
#include "floor.h"

#include <navette/ahead.h>

#include "admin.h"
#include "request.h"

#define YEARS_MS (UINT64_C(4) * 366 * 86400 * 1000)

static const char tea[] = "SELECT count(*) FROM article WHERE name = 'tea'";

/* It sells with its clock years ahead, for a moment in which no agent looks. */
static void sell_ahead(struct pc *pc, const char *what)
{
    struct store_progress p;
    struct err e = {0};

    sql(pc, what);
    must(store_drain(pc->agent.store, agent_wall_ms(&pc->agent) + YEARS_MS, &p, &e), &e);
    assert_int_equal(p.changesets, 1);
}

/* As agent-cli status does. */
static bool is_told(struct pc *pc, enum warning_id id)
{
    json_object_put(agent_status(&pc->agent));
    return is_warned(pc, id);
}

static uint64_t made_by(const struct pc *pc)
{
    return vector_get(store_have(pc->agent.store), store_actor(pc->agent.store));
}

/* The last change-set of `from`, as a stick brings it. */
static void take_last(struct pc *from, struct buf *bytes)
{
    struct err e = {0};

    buf_open(bytes, 1u << 26);
    must(store_fetch(from->agent.store, store_actor(from->agent.store), made_by(from) - 1, 1, bytes,
                     &e),
         &e);
}

/* Both clocks are years ahead, and b has taken what a sold. So b cannot know which clock is wrong,
 * and a, which had sold first, is gone. */
static void be_ahead(struct pc *a, struct pc *b)
{
    uint64_t now = agent_wall_ms(&b->agent) + YEARS_MS;
    enum stage_result result;
    struct store_progress p;
    struct err e = {0};
    struct buf bytes;

    sell_ahead(a, "INSERT INTO article(name) VALUES ('milk')");
    take_last(a, &bytes);
    must(store_stage(b->agent.store, buf_slice(&bytes), &result, &e), &e);
    must(store_apply(b->agent.store, now, &p, &e), &e);
    assert_int_equal(p.changesets, 1);
    sell_ahead(b, "INSERT INTO article(name) VALUES ('tea')");
    pc_stop(a);
    buf_close(&bytes);
}

/* A begins, and a stick brings it what is too early. */
static void start_and_be_told(struct floor *f, struct pc *a, const struct buf *bytes)
{
    enum stage_result result;
    struct err e = {0};

    pc_start(a);
    AWAIT(f, a->agent.store != NULL);
    must(store_stage(a->agent.store, buf_slice(bytes), &result, &e), &e);
    assert_true(is_told(a, WARNING_EARLY));
}

static void both_sides_say_so_until_a_pc_with_the_same_time_is_connected(void **state)
{
    struct buf bytes;
    struct floor f;
    struct pc a, b;
    struct err e = {0};

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    be_ahead(&a, &b);
    AWAIT(&f, is_warned(&b, WARNING_AHEAD));
    assert_non_null(strstr(warned(&b, WARNING_AHEAD), "4 years after this PC's clock"));
    assert_false(agent_is_settled(&b.agent, &e));
    assert_non_null(strstr(e.text, "clock was ahead"));
    err_clear(&e);
    take_last(&b, &bytes);
    pc_stop(&b);

    start_and_be_told(&f, &a, &bytes);
    assert_non_null(strstr(warned(&a, WARNING_EARLY), "1 change-set of B waits"));

    pc_start(&b);
    AWAIT(&f, holds(&a, tea, "1"));
    AWAIT(&f, !is_warned(&b, WARNING_AHEAD));
    assert_false(is_told(&a, WARNING_EARLY));
    AWAIT(&f, is_settled(&a) && is_settled(&b));
    buf_close(&bytes);
    floor_close(&f);
}

/* What b sold before it took anything of a's is its own to correct. */
static void a_person_may_say_that_the_clock_is_right(void **state)
{
    struct floor f;
    struct pc a, b;
    uint64_t made;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    sell_ahead(&b, "INSERT INTO article(name) VALUES ('bread')");
    be_ahead(&a, &b);
    AWAIT(&f, is_warned(&b, WARNING_AHEAD));
    made = made_by(&b);
    agent_sync_now(&b.agent, false, true);
    AWAIT(&f, made_by(&b) == made + 1);
    pc_start(&a);
    AWAIT(&f, holds(&a, "SELECT count(*) FROM article WHERE name = 'bread'", "1"));
    AWAIT(&f, holds(&a, tea, "1"));
    floor_close(&f);
}

/* Nobody else can say that they are no later: what it said before counts from when it is out. */
static void what_waits_of_a_pc_that_is_gone_comes_in_when_it_is_shut_out(void **state)
{
    struct request revoke = {.kind = REQUEST_REVOKE, .peer = "B"};
    struct json_object *done = json_object_new_object();
    struct buf bytes;
    struct floor f;
    struct pc a, b;
    struct err e = {0};

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    pc_stop(&a);
    sell_ahead(&b, "INSERT INTO article(name) VALUES ('tea')");
    take_last(&b, &bytes);
    pc_stop(&b);
    start_and_be_told(&f, &a, &bytes);
    assert_non_null(strstr(warning_remedy(WARNING_EARLY),
                           "is made anew: `agent-cli revoke` it, before a PC joins in its place"));
    assert_true(holds(&a, tea, "0"));
    must(admin_run(&a.agent, &revoke, &done, &e), &e);
    json_object_put(done);
    AWAIT(&f, holds(&a, tea, "1"));
    assert_false(is_told(&a, WARNING_EARLY));
    buf_close(&bytes);
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_say_so_until_a_pc_with_the_same_time_is_connected),
        cmocka_unit_test(a_person_may_say_that_the_clock_is_right),
        cmocka_unit_test(what_waits_of_a_pc_that_is_gone_comes_in_when_it_is_shut_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
