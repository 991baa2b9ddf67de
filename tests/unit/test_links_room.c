/* links_room.c: strangers who connect and say nothing, and the members whom they must not keep out.
 */
#include "floor.h"
#include "links_inside.h"

#define STRANGERS 24

/* A connection from an address of the loopback network; it never says a word. */
static int stranger(const struct pc *host, const char *from)
{
    struct sockaddr_in here, there;
    int s = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(uv_ip4_addr(from, 0, &here), 0);
    assert_int_equal(uv_ip4_addr("127.0.0.1", host->config.listen.port, &there), 0);
    assert_int_equal(bind(s, (struct sockaddr *)&here, sizeof here), 0);
    assert_int_equal(connect(s, (struct sockaddr *)&there, sizeof there), 0);
    return s;
}

static bool is_cut_off(int s)
{
    char byte;

    return recv(s, &byte, 1, MSG_DONTWAIT) == 0;
}

static uint32_t shaking(const struct pc *pc)
{
    return links_count_shaking(pc->agent.links, true);
}

static void of_those_who_say_nothing_the_oldest_of_the_busiest_address_go(void **state)
{
    struct floor f = {0};
    struct pc a;
    int one, many[STRANGERS];

    (void)state;
    open_founding_pc(&f, &a, goods);
    pc_start(&a);
    AWAIT(&f, a.agent.store != NULL);
    one = stranger(&a, "127.0.0.2");
    AWAIT(&f, shaking(&a) == 1);
    for (int i = 0; i < STRANGERS; i++) {
        many[i] = stranger(&a, "127.0.0.3");
        AWAIT(&f, shaking(&a) == (i + 2 < HANDSHAKES_MAX ? (uint32_t)i + 2 : HANDSHAKES_MAX) &&
                      (i + 2 <= HANDSHAKES_MAX || is_cut_off(many[i + 1 - HANDSHAKES_MAX])));
    }
    assert_false(is_cut_off(one)); /* although it is the oldest of all */
    assert_false(is_cut_off(many[STRANGERS - 1]));
    close(one);
    for (int i = 0; i < STRANGERS; i++)
        close(many[i]);
    AWAIT(&f, shaking(&a) == 0);
    floor_close(&f);
}

static void a_member_comes_through_a_crowd_of_strangers(void **state)
{
    struct floor f = {0};
    struct pc a, b;
    int many[STRANGERS];

    (void)state;
    open_pc_and_newcomer(&f, &a, &b);
    pc_start(&a);
    for (int i = 0; i < STRANGERS; i++) {
        many[i] = stranger(&a, "127.0.0.3");
        floor_turns(&f, 1);
    }
    pc_start(&b);
    AWAIT(&f, is_talking(&a, &b));
    AWAIT(&f, holds(&b, "SELECT count(*) FROM article", "2"));
    for (int i = 0; i < STRANGERS; i++)
        close(many[i]);
    floor_close(&f);
}

static void who_finished_his_handshake_is_not_counted(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    assert_int_equal(shaking(&a), 0);
    assert_int_equal(links_count_shaking(b.agent.links, false), 0);
    assert_true(is_talking(&a, &b));
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_those_who_say_nothing_the_oldest_of_the_busiest_address_go),
        cmocka_unit_test(a_member_comes_through_a_crowd_of_strangers),
        cmocka_unit_test(who_finished_his_handshake_is_not_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
