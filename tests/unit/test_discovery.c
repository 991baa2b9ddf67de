/* Beacons out on every interface, and in: here the loopback one alone. */
#include "discovery.h"

#include <navette/beacon.h>

#include "fleet.h"
#include "floor.h"
#include "links_inside.h"

/* Both listen for broadcasts on one port that nobody else has. */
static void open_apart(struct floor *f, struct pc *a, struct pc *b)
{
    uint16_t port = free_port(SOCK_DGRAM);

    open_pc_and_newcomer(f, a, b);
    a->config.peer_count = b->config.peer_count = 0; /* nobody told them of each other */
    a->config.discovery = b->config.discovery = true;
    a->config.discovery_port = b->config.discovery_port = port;
}

/* A datagram from nowhere. */
static void send_to(const struct pc *pc, const void *bytes, size_t n)
{
    struct sockaddr_in at;
    int s = socket(AF_INET, SOCK_DGRAM, 0);

    assert_int_equal(uv_ip4_addr("127.0.0.1", (int)pc->config.discovery_port, &at), 0);
    assert_int_equal(sendto(s, bytes, n, 0, (struct sockaddr *)&at, sizeof at), (ssize_t)n);
    close(s);
}

static void two_that_nobody_told_of_each_other_meet(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_apart(&f, &a, &b);
    pc_start(&a);
    AWAIT(&f, is_at_rest(&a));
    pc_start(&b);
    AWAIT(&f, is_talking(&a, &b) && is_talking(&b, &a));
    pc_stop(&b);
    pc_start(&b);
    AWAIT(&f, is_talking(&a, &b) && is_talking(&b, &a));
    floor_close(&f);
}

static void what_is_no_beacon_of_ours_is_not_heard(void **state)
{
    static uint8_t junk[60000];
    uint8_t key[32] = {9}, datagram[BEACON_BYTES];
    struct floor f;
    struct beacon beacon = {.kind = BEACON_HERE, .port = 1};
    struct pc a, b;

    (void)state;
    open_apart(&f, &a, &b);
    pc_start(&a);
    AWAIT(&f, is_at_rest(&a));
    for (size_t n = 0; n < 200; n++) {
        random_fill(junk, n);
        send_to(&a, junk, n);
        floor_turns(&f, 1);
    }
    send_to(&a, junk, sizeof junk);
    beacon_write(datagram, &beacon, key); /* well made, with another fleet's key */
    send_to(&a, datagram, sizeof datagram);
    floor_turns(&f, 50);
    pc_start(&b);
    AWAIT(&f, is_talking(&a, &b));
    floor_close(&f);
}

/* Beacons can be played back from anywhere: they are a hint, and nobody is believed for one. */
static void a_beacon_that_names_a_wrong_place_harms_nobody(void **state)
{
    uint8_t key[32], datagram[BEACON_BYTES];
    struct beacon beacon = {.kind = BEACON_HERE, .port = 1, .wall_ms = 1};
    struct floor f;
    struct pc a, b;

    (void)state;
    open_apart(&f, &a, &b);
    pc_start(&a);
    AWAIT(&f, is_at_rest(&a));
    beacon.site = b.keys.site;
    beacon_key(key, a.agent.fleet_keys.keys[0]);
    for (uint16_t port = 1; port < 40; port++) {
        beacon.port = port;
        beacon_write(datagram, &beacon, key);
        send_to(&a, datagram, sizeof datagram);
        floor_turns(&f, 1);
    }
    pc_start(&b);
    AWAIT(&f, is_talking(&a, &b));
    floor_close(&f);
}

/* Before it is started: the fleet got another key since, on its side of a split. */
static void give_new_key(struct pc *pc, uint8_t first)
{
    const uint8_t key[KEY_BYTES] = {first};
    struct fleet_keys keys = {0};
    struct roster r = {0};
    struct err e = {0};

    must(home_fleet_load(&pc->home, &r, &keys, &e), &e);
    assert_true(fleet_keys_put(&keys, key));
    must(home_fleet_keys_save(&pc->home, &r, &keys, &e), &e);
    roster_close(&r);
}

static void two_whose_fleet_got_two_new_keys_in_a_split_meet(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_apart(&f, &a, &b);
    give_new_key(&a, 1);
    give_new_key(&b, 2);
    pc_start(&a);
    pc_start(&b);
    AWAIT(&f, is_talking(&a, &b) && is_talking(&b, &a));
    floor_close(&f);
}

static int open_door(uint16_t *port)
{
    struct sockaddr_in at;
    socklen_t n = sizeof at;
    int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &at), 0);
    assert_int_equal(bind(s, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(s, 8), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&at, &n), 0);
    *port = ntohs(at.sin_port);
    return s;
}

static bool somebody_came(int door)
{
    int s = accept(door, NULL, NULL);

    if (s >= 0)
        close(s);
    return s >= 0;
}

/* One who was shut out has it, too, and may say that he is anybody. */
static void under_an_old_key_nobody_is_heard_but_members(void **state)
{
    uint8_t key[32], present[32], datagram[BEACON_BYTES];
    struct beacon beacon = {.kind = BEACON_HERE, .site = {{42}}};
    int strangers, newcomers, members;
    struct floor f;
    struct pc a, b;

    (void)state;
    open_apart(&f, &a, &b);
    give_new_key(&a, 1);
    pc_start(&a);
    AWAIT(&f, is_at_rest(&a));
    beacon_key(key, a.agent.fleet_keys.keys[1]);
    strangers = open_door(&beacon.port);
    beacon.wall_ms = agent_wall_ms(&a.agent);
    beacon_write(datagram, &beacon, key);
    send_to(&a, datagram, sizeof datagram);
    /* Those who follow come after it: a newcomer of whom is not known here yet, and a member. */
    newcomers = open_door(&beacon.port);
    beacon.site = (struct site_id){{43}};
    beacon_key(present, a.agent.fleet_keys.keys[0]);
    beacon_write(datagram, &beacon, present);
    send_to(&a, datagram, sizeof datagram);
    members = open_door(&beacon.port);
    beacon.site = b.keys.site;
    beacon_write(datagram, &beacon, key);
    send_to(&a, datagram, sizeof datagram);
    AWAIT(&f, somebody_came(members));
    AWAIT(&f, somebody_came(newcomers));
    assert_false(somebody_came(strangers));
    close(newcomers);
    close(strangers);
    close(members);
    floor_close(&f);
}

/* Who speaks as B to A, under a key that the fleet has or had. */
struct forger {
    struct pc *a, *b;
    int socket;
};

static void forge(struct forger *f, uint32_t key_index, enum beacon_kind kind, uint16_t port,
                  uint64_t wall_ms)
{
    struct beacon beacon = {
        .kind = kind, .port = port, .wall_ms = wall_ms, .site = f->b->keys.site};
    uint8_t key[32], datagram[BEACON_BYTES];
    struct sockaddr_in at;

    beacon_key(key, f->a->agent.fleet_keys.keys[key_index]);
    beacon_write(datagram, &beacon, key);
    assert_int_equal(uv_ip4_addr("127.0.0.1", (int)f->a->config.discovery_port, &at), 0);
    assert_int_equal(
        sendto(f->socket, datagram, sizeof datagram, 0, (struct sockaddr *)&at, sizeof at),
        (ssize_t)sizeof datagram);
}

static bool is_answered(struct forger *f)
{
    uint8_t datagram[BEACON_BYTES];

    return recv(f->socket, datagram, sizeof datagram, MSG_DONTWAIT) > 0;
}

/* One after the other, each a bit later by its clock: none is taken for one that is sent again. */
static bool is_answered_now(struct forger *f, uint32_t key_index, uint16_t port)
{
    static uint64_t more_ms;

    forge(f, key_index, BEACON_HERE, port, agent_wall_ms(&f->a->agent) + ++more_ms);
    return is_answered(f);
}

static const struct place *place_at(struct pc *a, uint16_t port)
{
    struct address at = {.host = "127.0.0.1", .port = port};

    return places_find(&a->agent.links->places, &at);
}

/* B was there and went; since then the fleet has another key. */
static void open_with_an_old_key(struct floor *f, struct pc *a, struct pc *b)
{
    struct err e = {0};

    open_apart(f, a, b);
    pc_start(a);
    AWAIT(f, is_at_rest(a));
    pc_start(b);
    AWAIT(f, is_talking(a, b) && is_talking(b, a));
    must(fleet_rotate(&a->agent, &e) && agent_roster_changed(&a->agent, &e), &e);
    AWAIT(f, b->agent.fleet_keys.n == 2);
    pc_stop(b);
    AWAIT(f, talk_of(a, b) == NULL);
}

/* One that was shut out has it for good: it can say where somebody may be found, but neither what
 * a clock says, nor that somebody goes, nor that what he says himself is old. */
static void an_old_key_moves_nothing_but_whom_to_dial(void **state)
{
    struct forger who = {.socket = socket(AF_INET, SOCK_DGRAM, 0)};
    struct member *member;
    struct floor f;
    struct pc a, b;

    (void)state;
    open_with_an_old_key(&f, &a, &b);
    who.a = &a;
    who.b = &b;
    member = members_get(links_members(a.agent.links), &b.keys.site);
    member->skew_ms = 0;
    forge(&who, 1, BEACON_HERE, 9, agent_wall_ms(&a.agent) + 31536000000);
    AWAIT(&f, is_answered(&who));
    assert_int_equal(member->skew_ms, 0);
    AWAIT(&f, is_answered_now(&who, 0, 11));
    assert_non_null(place_at(&a, 11));
    forge(&who, 1, BEACON_LEAVING, 0, agent_wall_ms(&a.agent) + 31536000010);
    forge(&who, 1, BEACON_HERE, 13, agent_wall_ms(&a.agent) + 31536000020);
    AWAIT(&f, place_at(&a, 13) != NULL);
    assert_non_null(place_at(&a, 11));
    pc_start(&b);
    AWAIT(&f, is_talking(&a, &b));
    close(who.socket);
    floor_close(&f);
}

static void a_port_that_is_taken_is_told_until_it_is_free(void **state)
{
    struct sockaddr_in at;
    struct floor f;
    struct pc a, b;
    int s = socket(AF_INET, SOCK_DGRAM, 0);

    (void)state;
    open_apart(&f, &a, &b);
    assert_int_equal(uv_ip4_addr("0.0.0.0", (int)a.config.discovery_port, &at), 0);
    assert_int_equal(bind(s, (struct sockaddr *)&at, sizeof at), 0);
    pc_start(&a);
    AWAIT(&f, is_warned(&a, WARNING_DISCOVERY));
    close(s);
    AWAIT(&f, !is_warned(&a, WARNING_DISCOVERY));
    pc_start(&b);
    AWAIT(&f, is_talking(&a, &b));
    floor_close(&f);
}

static void it_stops_at_once_and_twice_and_where_it_never_began(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_apart(&f, &a, &b);
    pc_start(&a);
    discovery_stop(a.agent.discovery);
    discovery_announce(a.agent.discovery);
    pc_stop(&a);
    discovery_stop(NULL);
    discovery_announce(NULL);
    a.config.discovery = false;
    pc_start(&a);
    assert_null(a.agent.discovery);
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_nobody_told_of_each_other_meet),
        cmocka_unit_test(what_is_no_beacon_of_ours_is_not_heard),
        cmocka_unit_test(a_beacon_that_names_a_wrong_place_harms_nobody),
        cmocka_unit_test(two_whose_fleet_got_two_new_keys_in_a_split_meet),
        cmocka_unit_test(under_an_old_key_nobody_is_heard_but_members),
        cmocka_unit_test(an_old_key_moves_nothing_but_whom_to_dial),
        cmocka_unit_test(a_port_that_is_taken_is_told_until_it_is_free),
        cmocka_unit_test(it_stops_at_once_and_twice_and_where_it_never_began),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
