/* The port that other PCs dial: one that is named or none; without a name the usual one, or any. */
#include "listener.h"

#include "agent.h"
#include "floor.h"
#include "log.h"

struct place {
    uv_loop_t loop;
    uv_timer_t limit;
    struct agent agent;
    struct listener *listener;
    uint32_t offered;
};

static void on_limit(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("waited in vain");
}

static void on_offered(void *context, uv_stream_t *server)
{
    struct place *p = context;

    p->offered++;
    listener_turn_away(p->listener, server);
}

static void place_open(struct place *p, uint16_t port)
{
    *p = (struct place){.agent.loop = &p->loop};
    assert_int_equal(uv_loop_init(&p->loop), 0);
    uv_timer_init(&p->loop, &p->limit);
    uv_timer_start(&p->limit, on_limit, FLOOR_MS_MAX, 0);
    uv_unref((uv_handle_t *)&p->limit);
    log_level_set(LOG_ERROR);
    if (port != 0)
        p->agent.config.listen = (struct address){.host = "127.0.0.1", .port = port};
    p->listener = listener_start(&p->agent, on_offered, p);
}

static void place_close(struct place *p)
{
    listener_stop(p->listener);
    uv_close((uv_handle_t *)&p->limit, NULL);
    while (uv_run(&p->loop, UV_RUN_DEFAULT) != 0)
        continue;
    assert_int_equal(uv_loop_close(&p->loop), 0);
}

/* Somebody else who listens there. */
static int holder(uint16_t port)
{
    struct sockaddr_in at;
    int s = socket(AF_INET, SOCK_STREAM, 0), yes = 1;

    assert_int_equal(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
    assert_int_equal(uv_ip4_addr("0.0.0.0", port, &at), 0);
    if (bind(s, (struct sockaddr *)&at, sizeof at) != 0 || listen(s, 1) != 0) {
        close(s);
        return -1;
    }
    return s;
}

static int dial(uint16_t port)
{
    struct sockaddr_in at;
    int s = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(uv_ip4_addr("127.0.0.1", port, &at), 0);
    assert_int_equal(connect(s, (struct sockaddr *)&at, sizeof at), 0);
    return s;
}

static void every_connection_is_offered_once_and_can_be_turned_away(void **state)
{
    struct place p;
    uint16_t port = free_port(SOCK_STREAM);
    int first, second;
    char byte;

    (void)state;
    place_open(&p, port);
    assert_int_equal(listener_port(p.listener), port);
    first = dial(port);
    second = dial(port);
    while (p.offered < 2)
        uv_run(&p.loop, UV_RUN_ONCE);
    assert_int_equal(recv(first, &byte, 1, 0), 0);
    assert_int_equal(recv(second, &byte, 1, 0), 0);
    uv_run(&p.loop, UV_RUN_NOWAIT);
    assert_int_equal(p.offered, 2);
    close(first);
    close(second);
    place_close(&p);
}

static void a_port_that_is_taken_is_told_and_taken_up_when_it_is_free(void **state)
{
    struct place p;
    uint16_t port = free_port(SOCK_STREAM);
    int other = holder(port);

    (void)state;
    assert_true(other >= 0);
    place_open(&p, port);
    assert_int_equal(listener_port(p.listener), 0);
    assert_true(warning_is_set(&p.agent.warnings, WARNING_PORT));
    assert_non_null(strstr(p.agent.warnings.list[WARNING_PORT].text, "127.0.0.1:"));
    close(other);
    while (warning_is_set(&p.agent.warnings, WARNING_PORT))
        uv_run(&p.loop, UV_RUN_ONCE);
    assert_int_equal(listener_port(p.listener), port);
    close(dial(port));
    while (p.offered == 0)
        uv_run(&p.loop, UV_RUN_ONCE);
    place_close(&p);
}

/* Several agents on one machine: nobody named a port, nobody is troubled. */
static void without_a_name_any_port_will_do(void **state)
{
    int other = holder(PORT_DEFAULT); /* -1: somebody has it already, which is as well */
    struct place p;

    (void)state;
    place_open(&p, 0);
    while (listener_port(p.listener) == 0)
        uv_run(&p.loop, UV_RUN_ONCE);
    assert_int_not_equal(listener_port(p.listener), PORT_DEFAULT);
    assert_false(warning_is_set(&p.agent.warnings, WARNING_PORT));
    place_close(&p);
    if (other >= 0)
        close(other);
}

static void it_stops_before_it_has_a_port_and_twice(void **state)
{
    uint16_t port = free_port(SOCK_STREAM);
    int other = holder(port);
    struct place p;

    (void)state;
    place_open(&p, port);
    listener_stop(p.listener);
    place_close(&p);
    close(other);
    place_open(&p, port);
    place_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_connection_is_offered_once_and_can_be_turned_away),
        cmocka_unit_test(a_port_that_is_taken_is_told_and_taken_up_when_it_is_free),
        cmocka_unit_test(without_a_name_any_port_will_do),
        cmocka_unit_test(it_stops_before_it_has_a_port_and_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
