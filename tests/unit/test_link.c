/* Two ends of one connection on one loop, over the loopback interface. */
#include "link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent.h"

/* Address sanitizer keeps what was freed. */
#if defined(__SANITIZE_ADDRESS__)
static const bool sanitized = true;
#elif defined(__has_feature)
static const bool sanitized = __has_feature(address_sanitizer);
#else
static const bool sanitized = false;
#endif

struct end {
    struct agent agent;
    struct link *link;
    struct channel_secret secret;
    struct replay_cache replays;
    uint32_t opened, closed, messages, drained;
    uint64_t bytes;
    struct err why;
    bool refuse; /* messages */
    bool hold;   /* the link, at each message */
    size_t most; /* of an unfinished message; 0: any */
};

struct pair {
    uv_loop_t loop;
    uv_tcp_t server;
    struct end here, there; /* here dials */
    bool (*admit)(void *context, const struct sockaddr_in *from, struct err *e);
};

static void on_open(struct link *l)
{
    struct end *end = l->user;

    end->opened++;
}

static bool on_message(struct link *l, struct slice message, struct err *e)
{
    struct end *end = l->user;

    assert_int_equal(end->opened, 1);
    end->messages++;
    end->bytes += message.n;
    if (end->hold)
        link_hold(l);
    return !end->refuse || err_set(e, ERR_INPUT, "not this");
}

static bool on_heard(struct link *l, struct slice start, size_t bytes, size_t more, struct err *e)
{
    const struct end *end = l->user;

    (void)start;
    (void)more;
    return end->most == 0 || bytes <= end->most || err_set(e, ERR_LIMIT, "too long");
}

static void on_drained(struct link *l)
{
    struct end *end = l->user;

    end->drained++;
}

static void on_closed(struct link *l, const struct err *why)
{
    struct end *end = l->user;

    end->closed++;
    end->why = *why;
    end->link = NULL;
}

static const struct link_events events = {on_open, on_message, on_heard, on_drained, on_closed};

static void on_connection(uv_stream_t *server, int status)
{
    struct pair *p = server->data;
    struct link_door door = {.secrets = &p->there.secret, .count = 1, .replays = &p->there.replays};
    struct err e = {0};

    assert_int_equal(status, 0);
    door.admit = p->admit;
    door.context = p;
    assert_int_equal(link_accept(&p->there.link, &p->there.agent, server, &door,
                                 (struct link_owner){&events, &p->there}, &e),
                     p->admit == NULL);
}

static void end_open(struct end *end, uv_loop_t *loop, uint8_t psk)
{
    end->agent.loop = loop;
    config_defaults(&end->agent.config);
    snprintf(end->agent.home.path, sizeof end->agent.home.path, "/tmp");
    keys_generate(&end->agent.keys);
    end->secret.mode = CHANNEL_FLEET;
    memset(end->secret.psk, psk, sizeof end->secret.psk);
}

static void pair_open(struct pair *p, uint8_t psk_here, uint8_t psk_there)
{
    struct sockaddr_storage bound;
    struct sockaddr_in at;
    struct address to;
    struct err e = {0};
    int n = sizeof bound;

    *p = (struct pair){0};
    assert_true(keys_library_start(&e));
    assert_int_equal(uv_loop_init(&p->loop), 0);
    end_open(&p->here, &p->loop, psk_here);
    end_open(&p->there, &p->loop, psk_there);
    uv_tcp_init(&p->loop, &p->server);
    p->server.data = p;
    uv_ip4_addr("127.0.0.1", 0, &at);
    assert_int_equal(uv_tcp_bind(&p->server, (struct sockaddr *)&at, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&p->server, 8, on_connection), 0);
    uv_tcp_getsockname(&p->server, (struct sockaddr *)&bound, &n);
    address_of(&to, (struct sockaddr *)&bound);
    assert_true(link_dial(&p->here.link, &p->here.agent, &to, &p->here.secret,
                          (struct link_owner){&events, &p->here}, &e));
}

static void pair_close(struct pair *p)
{
    if (p->here.link != NULL)
        link_close(p->here.link, NULL);
    if (p->there.link != NULL)
        link_close(p->there.link, NULL);
    uv_close((uv_handle_t *)&p->server, NULL);
    uv_run(&p->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&p->loop), 0);
}

static void run_until(struct pair *p, const uint32_t *counter, uint32_t at_least)
{
    while (*counter < at_least)
        assert_true(uv_run(&p->loop, UV_RUN_ONCE) != 0);
}

/* The first message has arrived. */
static void pair_open_and_greet(struct pair *p)
{
    pair_open(p, 7, 7);
    run_until(p, &p->here.opened, 1);
    link_send(p->here.link, slice_text("hello"));
    run_until(p, &p->there.messages, 1);
}

static void both_ends_open_and_know_each_other(void **state)
{
    struct pair p;

    (void)state;
    pair_open(&p, 7, 7);
    run_until(&p, &p.here.opened, 1);
    run_until(&p, &p.there.opened, 1);
    assert_memory_equal(&p.here.link->channel.peer, &p.there.agent.keys.site,
                        sizeof(struct site_id));
    assert_memory_equal(&p.there.link->channel.peer, &p.here.agent.keys.site,
                        sizeof(struct site_id));
    assert_true(p.there.link->incoming);
    assert_string_equal(p.there.link->address.host, "127.0.0.1");
    pair_close(&p);
}

static void messages_arrive_whole_and_in_order_whatever_their_size(void **state)
{
    static uint8_t big[1 << 20];
    struct pair p;

    (void)state;
    pair_open(&p, 7, 7);
    run_until(&p, &p.here.opened, 1);
    link_send(p.here.link, (struct slice){big, 1});
    link_send(p.here.link, (struct slice){big, sizeof big});
    link_send(p.here.link, (struct slice){big, 70000});
    run_until(&p, &p.there.messages, 3);
    assert_int_equal(p.there.bytes, 1 + sizeof big + 70000);
    run_until(&p, &p.here.drained, 1);
    pair_close(&p);
}

static size_t memory_of_process(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    unsigned kib = 0;
    char line[200];

    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL)
        (void)sscanf(line, "RssAnon: %u", &kib);
    fclose(f);
    return (size_t)kib << 10;
}

/* On its way, and while the other end does not read. */
static void a_large_message_waits_in_a_file_and_not_in_memory(void **state)
{
    static uint8_t big[24u << 20];
    struct pair p;
    size_t before;

    (void)state;
    memset(big, 1, sizeof big);
    pair_open_and_greet(&p);
    link_hold(p.there.link);
    before = memory_of_process();
    link_send(p.here.link, SLICE(big));
    assert_true(link_queued(p.here.link) > sizeof big - (8u << 20));
    if (!sanitized)
        assert_true(memory_of_process() < before + (4u << 20));
    link_resume(p.there.link);
    while (p.there.link->channel.message_bytes < sizeof big / 2)
        uv_run(&p.loop, UV_RUN_ONCE);
    if (!sanitized)
        assert_true(memory_of_process() < before + (8u << 20));
    run_until(&p, &p.there.messages, 2);
    assert_int_equal(p.there.bytes, strlen("hello") + sizeof big);
    assert_false(p.there.link->arriving.open);
    pair_close(&p);
}

static void what_is_corked_leaves_when_it_is_uncorked(void **state)
{
    struct pair p;
    int i;

    (void)state;
    pair_open(&p, 7, 7);
    run_until(&p, &p.here.opened, 1);
    run_until(&p, &p.there.opened, 1);
    link_cork(p.here.link);
    link_send(p.here.link, slice_text("one"));
    link_send(p.here.link, slice_text("two"));
    for (i = 0; i < 20; i++)
        uv_run(&p.loop, UV_RUN_NOWAIT);
    assert_int_equal(p.there.messages, 0);
    assert_true(link_queued(p.here.link) > 0);
    link_uncork(p.here.link);
    run_until(&p, &p.there.messages, 2);
    pair_close(&p);
}

/* Somebody who talks without end must not keep the loop from everybody else. */
static void a_link_that_is_held_reads_no_more_until_it_is_resumed(void **state)
{
    static uint8_t big[1 << 20];
    struct pair p;
    int i;

    (void)state;
    pair_open(&p, 7, 7);
    p.there.hold = true;
    run_until(&p, &p.here.opened, 1);
    link_send(p.here.link, slice_text("one"));
    run_until(&p, &p.there.messages, 1);
    link_send(p.here.link, (struct slice){big, sizeof big});
    for (i = 0; i < 50; i++)
        uv_run(&p.loop, UV_RUN_NOWAIT);
    assert_int_equal(p.there.messages, 1);
    p.there.hold = false;
    link_resume(p.there.link);
    run_until(&p, &p.there.messages, 2);
    pair_close(&p);
}

/* What was read at once is handed on in pieces, and a piece is the most that comes after a hold. */
static void a_link_that_is_held_keeps_what_it_has_read(void **state)
{
    struct pair p;
    uint32_t before;
    int i;

    (void)state;
    pair_open_and_greet(&p);
    p.there.hold = true;
    link_cork(p.here.link);
    for (i = 0; i < 2000; i++)
        link_send(p.here.link, slice_text("again"));
    link_uncork(p.here.link);
    run_until(&p, &p.there.messages, 2);
    before = p.there.messages;
    assert_true(before < 1000);
    assert_true(link_has_rest(p.there.link));
    for (i = 0; i < 50; i++)
        uv_run(&p.loop, UV_RUN_NOWAIT);
    assert_int_equal(p.there.messages, before);
    link_resume(p.there.link);
    assert_true(p.there.messages > before && p.there.messages < 2001);
    p.there.hold = false;
    link_resume(p.there.link);
    run_until(&p, &p.there.messages, 2001);
    pair_close(&p);
}

static void a_message_that_becomes_too_long_ends_the_link_before_it_is_there(void **state)
{
    static uint8_t big[8 << 20];
    struct pair p;

    (void)state;
    pair_open(&p, 7, 7);
    p.there.most = 100000;
    run_until(&p, &p.here.opened, 1);
    link_send(p.here.link, (struct slice){big, 90000});
    run_until(&p, &p.there.messages, 1);
    link_send(p.here.link, (struct slice){big, sizeof big});
    run_until(&p, &p.there.closed, 1);
    assert_int_equal(p.there.why.code, ERR_LIMIT);
    assert_int_equal(p.there.messages, 1);
    pair_close(&p);
}

/* Thousands of small messages for a peer that does not read cost what their bytes cost. */
static void what_a_peer_does_not_read_waits_in_one_piece(void **state)
{
    struct pair p;
    int i;

    (void)state;
    pair_open_and_greet(&p);
    link_hold(p.there.link);
    for (i = 0; i < 400000 && link_queued(p.here.link) < (1 << 20); i++) {
        link_send(p.here.link, slice_text("small"));
        assert_true(p.here.link->writing <= 8);
        if (i % 100 == 0)
            uv_run(&p.loop, UV_RUN_NOWAIT);
    }
    assert_true(link_queued(p.here.link) >= 1 << 20);
    pair_close(&p);
}

static void a_peer_that_takes_nothing_for_long_is_stuck_and_one_that_reads_is_not(void **state)
{
    static uint8_t big[1 << 20];
    struct pair p;

    (void)state;
    pair_open_and_greet(&p);
    assert_false(link_is_stuck(p.here.link, 1000));
    assert_false(link_is_stuck(p.here.link, 1000 + 10 * LINK_STUCK_MS)); /* nothing to say */
    link_hold(p.there.link);
    while (uv_stream_get_write_queue_size((uv_stream_t *)&p.here.link->tcp) < sizeof big)
        link_send(p.here.link, (struct slice){big, sizeof big});
    assert_false(link_is_stuck(p.here.link, 500000));
    assert_false(link_is_stuck(p.here.link, 500000 + LINK_STUCK_MS - 1));
    assert_true(link_is_stuck(p.here.link, 500000 + LINK_STUCK_MS));
    link_resume(p.there.link);
    run_until(&p, &p.here.drained, p.here.drained + 1);
    assert_false(link_is_stuck(p.here.link, 600000 + LINK_STUCK_MS));
    pair_close(&p);
}

static bool nobody(void *context, const struct sockaddr_in *from, struct err *e)
{
    struct pair *p = context;

    p->there.agent.ticks++;
    assert_int_equal(ntohl(from->sin_addr.s_addr), 0x7F000001);
    return err_set(e, ERR_LIMIT, "not now");
}

static void a_connection_that_is_not_admitted_is_closed_unread(void **state)
{
    struct pair p;

    (void)state;
    pair_open(&p, 7, 7);
    p.admit = nobody;
    run_until(&p, &p.here.closed, 1);
    assert_int_equal(p.there.agent.ticks, 1);
    assert_null(p.there.link);
    pair_close(&p);
}

/* A corked goodbye would never be read. */
static void what_was_said_before_closing_still_arrives(void **state)
{
    struct pair p;
    struct err why = {ERR_NET, "enough"};

    (void)state;
    pair_open(&p, 7, 7);
    run_until(&p, &p.here.opened, 1);
    run_until(&p, &p.there.opened, 1);
    link_cork(p.here.link);
    link_send(p.here.link, slice_text("bye"));
    link_close(p.here.link, &why);
    assert_int_equal(p.here.closed, 1);
    assert_string_equal(p.here.why.text, "enough");
    run_until(&p, &p.there.closed, 1);
    assert_int_equal(p.there.messages, 1);
    pair_close(&p);
}

static void a_stranger_is_closed_without_a_byte(void **state)
{
    struct pair p;

    (void)state;
    pair_open(&p, 7, 8);
    run_until(&p, &p.here.closed, 1);
    assert_int_equal(p.there.closed, 1);
    assert_int_equal(p.here.opened + p.there.opened, 0);
    assert_int_equal(p.there.why.code, ERR_STRANGER);
    assert_int_equal(p.here.why.code, ERR_NET); /* the end of the connection, nothing else */
    pair_close(&p);
}

static void a_refused_message_ends_the_link_with_its_reason(void **state)
{
    struct pair p;

    (void)state;
    pair_open(&p, 7, 7);
    p.there.refuse = true;
    run_until(&p, &p.here.opened, 1);
    link_send(p.here.link, slice_text("hello"));
    run_until(&p, &p.there.closed, 1);
    assert_string_equal(p.there.why.text, "not this");
    run_until(&p, &p.here.closed, 1);
    pair_close(&p);
}

static void a_port_where_nobody_listens_is_a_failure_that_comes_later(void **state)
{
    struct pair p;
    struct address nobody = {.host = "127.0.0.1", .port = 1};
    struct end end = {0};
    struct err e = {0};

    (void)state;
    pair_open(&p, 7, 7);
    end_open(&end, &p.loop, 7);
    assert_true(link_dial(&end.link, &end.agent, &nobody, &end.secret,
                          (struct link_owner){&events, &end}, &e));
    run_until(&p, &end.closed, 1);
    assert_int_equal(end.why.code, ERR_NET);
    run_until(&p, &p.here.opened, 1);
    run_until(&p, &p.there.opened, 1);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_open_and_know_each_other),
        cmocka_unit_test(messages_arrive_whole_and_in_order_whatever_their_size),
        cmocka_unit_test(a_large_message_waits_in_a_file_and_not_in_memory),
        cmocka_unit_test(what_is_corked_leaves_when_it_is_uncorked),
        cmocka_unit_test(a_link_that_is_held_reads_no_more_until_it_is_resumed),
        cmocka_unit_test(a_link_that_is_held_keeps_what_it_has_read),
        cmocka_unit_test(a_message_that_becomes_too_long_ends_the_link_before_it_is_there),
        cmocka_unit_test(what_a_peer_does_not_read_waits_in_one_piece),
        cmocka_unit_test(a_peer_that_takes_nothing_for_long_is_stuck_and_one_that_reads_is_not),
        cmocka_unit_test(a_connection_that_is_not_admitted_is_closed_unread),
        cmocka_unit_test(what_was_said_before_closing_still_arrives),
        cmocka_unit_test(a_stranger_is_closed_without_a_byte),
        cmocka_unit_test(a_refused_message_ends_the_link_with_its_reason),
        cmocka_unit_test(a_port_where_nobody_listens_is_a_failure_that_comes_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
