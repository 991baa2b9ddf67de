/* The control socket, as programs find it. */
#include "control.h"

#include "called.h"
#include "sigpipe.h"

static void a_request_is_answered_with_its_id(void **state)
{
    assert_string_equal(ask(*state, "{\"id\": 7, \"command\": \"status\", \"args\": {}}\n"),
                        "{\"id\":7,\"ok\":true,\"result\":{\"name\":\"CAISSE01\"}}\n");
}

static void a_request_may_come_in_pieces_and_two_in_one(void **state)
{
    struct fixture *f = *state;

    send_text(f, "{\"id\": 1, \"comm");
    uv_run(&f->loop, UV_RUN_NOWAIT);
    send_text(f, "and\": \"sync\"}\n{\"id\": 2, \"command\": \"sync\"}\n");
    wait_lines(f, 2);
    assert_string_equal(f->answer, "{\"id\":1,\"ok\":true,\"result\":{\"connected\":1}}\n"
                                   "{\"id\":2,\"ok\":true,\"result\":{\"connected\":1}}\n");
}

static void numbers_and_texts_reach_the_agent(void **state)
{
    assert_has(ask(*state, "{\"id\":1,\"command\":\"invite\",\"args\":{\"ttl_ms\":1000}}\n"),
               "\"token\":\"TOKEN-1000\"");
}

static void an_error_keeps_the_connection_when_the_request_was_sound(void **state)
{
    struct fixture *f = *state;

    assert_has(ask(f, "{\"id\":1,\"command\":\"drop-export\"}\n"),
               "{\"id\":1,\"ok\":false,\"error\":{\"code\":\"refused\",\"text\":\"no folder ?\"}}");
    assert_has(ask(f, "{\"id\":2,\"command\":\"sync\"}\n"), "{\"id\":2,\"ok\":true");
}

static void a_busy_database_is_tried_again_until_it_lets_go(void **state)
{
    fake.busy_left = 3;
    assert_has(
        ask(*state, "{\"id\":1,\"command\":\"track\",\"args\":{\"tables\":[\"a\",\"b\"]}}\n"),
        "{\"id\":1,\"ok\":true,\"result\":{\"tables\":[]}}");
    assert_int_equal(fake.busy_left, 0);
    assert_int_equal(fake.tracked, 2);
    assert_int_equal(fake.pokes, 1);
}

static void wait_is_answered_once_all_is_settled(void **state)
{
    fake.settled_in = 3;
    assert_has(ask(*state, "{\"id\":1,\"command\":\"wait\",\"args\":{\"timeout_ms\":50000}}\n"),
               "\"settled\":true");
    assert_int_equal(fake.settled_in, 0);
    assert_true(fake.pokes > 0);
}

static void wait_gives_up_at_its_timeout(void **state)
{
    fake.settled_in = UINT32_MAX;
    assert_has(ask(*state, "{\"id\":1,\"command\":\"wait\",\"args\":{\"timeout_ms\":30}}\n"),
               "\"code\":\"busy\"");
}

static void a_poke_asks_again_at_once(void **state)
{
    struct fixture *f = *state;

    fake.settled_in = 1;
    send_text(f, "{\"id\":1,\"command\":\"wait\",\"args\":{\"timeout_ms\":50000}}\n");
    while (fake.pokes == 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    control_poke(f->agent.control);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_equal(fake.settled_in, 0);
    wait_lines(f, 1);
    assert_has(f->answer, "\"settled\":true");
}

static void join_is_answered_when_it_is_done_and_others_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct err none = {0};

    send_text(f, "{\"id\":1,\"command\":\"join\",\"args\":{\"token\":\"t\"}}\n");
    assert_has(ask(f, "{\"id\":2,\"command\":\"sync\"}\n"), "{\"id\":2,");
    assert_null(strstr(f->answer, "{\"id\":1,"));
    fake.on_joined(fake.join_context, &none);
    wait_lines(f, 2);
    assert_has(f->answer, "{\"id\":1,\"ok\":true");
}

static void join_says_why_it_failed(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};

    assert_has(ask(f, "{\"id\":1,\"command\":\"join\",\"args\":{\"token\":\"bad\"}}\n"),
               "\"text\":\"no token\"");
    send_text(f, "{\"id\":2,\"command\":\"join\",\"args\":{\"token\":\"t\"}}\n");
    while (fake.on_joined == NULL)
        uv_run(&f->loop, UV_RUN_ONCE);
    err_set(&e, ERR_NET, "nobody answers");
    fake.on_joined(fake.join_context, &e);
    wait_lines(f, 2);
    assert_has(f->answer, "{\"id\":2,\"ok\":false,\"error\":{\"code\":\"net\"");
}

static void a_drop_file_is_answered_when_it_is_done_and_others_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct drop_done done = {.changesets = 3, .key = true};

    send_text(f, "{\"id\":1,\"command\":\"drop-import\",\"args\":{\"path\":\"/x\"}}\n");
    assert_has(ask(f, "{\"id\":2,\"command\":\"sync\"}\n"), "{\"id\":2,");
    assert_null(strstr(f->answer, "{\"id\":1,"));
    fake.on_drop(fake.drop_context, &done);
    wait_lines(f, 2);
    assert_has(f->answer, "\"added\":3,\"roster\":false,\"key\":true");
    send_text(f, "{\"id\":3,\"command\":\"drop-import\",\"args\":{\"path\":\"/y\"}}\n");
    fake.on_drop = NULL;
    while (fake.on_drop == NULL)
        uv_run(&f->loop, UV_RUN_ONCE);
    err_set(&done.e, ERR_CRYPTO, "touched");
    fake.on_drop(fake.drop_context, &done);
    wait_lines(f, 3);
    assert_has(f->answer, "\"text\":\"/y: touched\"");
}

static void a_client_that_leaves_is_forgotten(void **state)
{
    struct fixture *f = *state;

    fake.settled_in = UINT32_MAX;
    send_text(f, "{\"id\":1,\"command\":\"join\",\"args\":{\"token\":\"t\"}}\n");
    send_text(f, "{\"id\":2,\"command\":\"wait\"}\n");
    send_text(f, "{\"id\":3,\"command\":\"drop-import\",\"args\":{\"path\":\"/x\"}}\n");
    while (fake.on_joined == NULL || fake.on_drop == NULL)
        uv_run(&f->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&f->pipe, NULL);
    while (fake.forgotten < 2)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static void stop_is_answered_before_the_agent_stops(void **state)
{
    struct fixture *f = *state;

    assert_has(ask(f, "{\"id\":1,\"command\":\"stop\"}\n"), "{\"id\":1,\"ok\":true");
    f->lines_wanted = UINT32_MAX;
    while (!f->closed)
        uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_true(fake.stopped);
}

static void unanswered_requests_hear_that_the_agent_stops(void **state)
{
    struct fixture *f = *state;

    fake.settled_in = UINT32_MAX;
    send_text(f, "{\"id\":5,\"command\":\"wait\"}\n");
    while (fake.pokes == 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    agent_stop(&f->agent);
    wait_lines(f, 1);
    assert_has(f->answer, "{\"id\":5,\"ok\":false");
    assert_has(f->answer, "stopping");
}

static void assert_closed_with(struct fixture *f, const char *words)
{
    f->lines_wanted = UINT32_MAX;
    while (!f->closed)
        uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_has(f->answer, "\"ok\":false");
    assert_has(f->answer, words);
}

/* What breaks the rules is answered, and the connection closed. */
static void hostile_requests_are_answered_and_closed(void **state)
{
    static const struct {
        const char *line;
        const char *words;
    } cases[] = {
        {"\n", "an empty request"},
        {"{}\n", "\\\"id\\\""},
        {"[]\n", "not a JSON object"},
        {"3\n", "not a JSON object"},
        {"\"x\"\n", "not a JSON object"},
        {"{\"id\":1\n", "not JSON"},
        {"{\"id\":1,\"command\":\"sync\"} {}\n", "not JSON"},
        {"{\"id\":1,\"command\":\"sync\"}x\n", "not JSON"},
        {"{\"id\":\"1\",\"command\":\"sync\"}\n", "\\\"id\\\""},
        {"{\"id\":1,\"command\":7}\n", "not a text"},
        {"{\"id\":1,\"command\":\"rm\"}\n", "unknown command \\\"rm\\\""},
        {"{\"id\":1,\"command\":\"status\",\"args\":7}\n", "not an object"},
        {"{\"id\":1,\"command\":\"status\",\"args\":{\"x\":1}}\n", "status takes no"},
        {"{\"id\":1,\"command\":\"invite\",\"args\":{\"ttl_ms\":1e3}}\n", "not a whole number"},
        {"{\"id\":1,\"command\":\"invite\",\"args\":{\"ttl_ms\":-5}}\n",
         "allowed 1000 to 604800000"},
        {"{\"id\":1,\"command\":\"conflict-restore\"}\n", "needs the number"},
        {"{\"id\":1,\"command\":\"conflict-dismiss\",\"args\":{\"number\":0}}\n", "allowed 1 to"},
        {"{\"id\":1,\"command\":\"conflict-dismiss\",\"args\":{\"number\":1,\"all\":true}}\n",
         "either a number or all"},
        {"{\"id\":1,\"command\":\"join\"}\n", "needs \\\"token\\\""},
        {"{\"id\":1,\"command\":\"join\",\"args\":{\"token\":null}}\n", "not a text"},
        {"{\"id\":1,\"command\":\"track\"}\n", "either tables or all"},
        {"{\"id\":1,\"command\":\"track\",\"args\":{\"tables\":\"a\"}}\n", "not a list"},
        {"{\"id\":1,\"command\":\"track\",\"args\":{\"tables\":[1]}}\n", "not a text"},
        {"{\"id\":1,\"command\":\"track\",\"args\":{\"tables\":[\"a\\u0000b\"]}}\n", "NUL"},
        {"{\"id\":1,\"command\":\"track\",\"args\":{\"tables\":[\"\"]}}\n", "empty"},
        {"{\"id\":1,\"command\":\"drop-import\",\"args\":{\"path\":\"\xff\"}}\n", "not JSON"},
        {"\x01\xff\n", "not JSON"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        setup(state);
        send_text(*state, cases[i].line);
        assert_closed_with(*state, cases[i].words);
        teardown(state);
    }
}

/* What older versions of agent-cli say must be understood. */
static void every_golden_request_is_understood(void **state)
{
    struct buf file;
    struct slice left;
    struct err e = {0};
    int64_t id = 0;

    (void)state;
    buf_open(&file, CONTROL_LINE_BYTES_MAX);
    assert_true(file_read(GOLDEN_DIR "/control-requests.txt", CONTROL_LINE_BYTES_MAX, &file, &e));
    for (left = buf_slice(&file); left.n > 0; id++) {
        const uint8_t *end = memchr(left.p, '\n', left.n);
        struct request r;

        assert_non_null(end);
        if (!request_parse(&r, (struct slice){left.p, (size_t)(end - left.p)}, &e))
            fail_msg("request %d: %s", (int)id + 1, e.text);
        assert_int_equal(r.id, id + 1);
        request_close(&r);
        left.n -= (size_t)(end - left.p) + 1;
        left.p = end + 1;
    }
    assert_int_equal(id, 40);
    buf_close(&file);
}

static void deep_nesting_is_refused(void **state)
{
    static char line[60000];

    memset(line, '[', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    send_bytes(*state, line, sizeof line);
    assert_closed_with(*state, "nesting");
}

static void a_line_without_end_is_refused(void **state)
{
    static char line[CONTROL_LINE_BYTES_MAX + 20000];

    memset(line, ' ', sizeof line);
    send_bytes(*state, line, sizeof line);
    assert_closed_with(*state, "more than 65536 bytes");
}

static void too_many_requests_at_once_are_refused(void **state)
{
    fake.settled_in = UINT32_MAX;
    for (int i = 0; i <= CONTROL_PENDING_MAX; i++)
        send_text(*state, "{\"id\":5,\"command\":\"wait\"}\n");
    assert_closed_with(*state, "more than 16 requests");
}

static void one_that_wants_nothing_is_closed_and_one_that_waits_is_not(void **state)
{
    struct fixture *f = *state;

    fake.settled_in = UINT32_MAX;
    send_text(f, "{\"id\":1,\"command\":\"wait\",\"args\":{\"timeout_ms\":20000}}\n");
    while (fake.pokes == 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    f->loop.time += CONTROL_QUIET_MS + 5000;
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_false(f->closed);
    wait_lines(f, 1);
    assert_has(f->answer, "not settled after 20000 ms");
    assert_false(f->closed);
    f->loop.time += CONTROL_QUIET_MS;
    send_text(f, "{\"id\":2"); /* is nothing */
    f->lines_wanted = UINT32_MAX;
    while (!f->closed)
        uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(count_lines(f->answer), 1);
}

/* What waits for it keeps its room. */
static void one_that_does_not_read_its_answers_is_closed(void **state)
{
    struct fixture *f = *state;

    sigpipe_ignore();
    uv_read_stop((uv_stream_t *)&f->pipe);
    for (int i = 0; i < 50000; i++)
        send_text(f, "{\"id\":1,\"command\":\"status\"}\n");
    uv_read_start((uv_stream_t *)&f->pipe, on_room, on_read);
    wait_lines(f, UINT32_MAX);
    assert_true(f->n < sizeof f->answer / 2); /* what the system had taken already */
}

struct crowd {
    uv_pipe_t pipes[CONTROL_CLIENTS_MAX];
    uv_connect_t connects[CONTROL_CLIENTS_MAX];
    struct fixture *f;
    uint32_t lines, closed;
    char room[4096];
};

static void on_crowd_room(uv_handle_t *handle, size_t suggested, uv_buf_t *bytes)
{
    struct crowd *w = handle->data;

    (void)suggested;
    *bytes = uv_buf_init(w->room, sizeof w->room - 1);
}

static void on_crowd_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct crowd *w = stream->data;

    (void)bytes;
    w->closed += n < 0;
    if (n <= 0)
        return;
    w->room[n] = '\0';
    w->lines++;
    assert_has(w->room, "as many programs talk with the agent");
}

/* With the fixture's own there is one too many: it is told. */
static void one_client_too_many_is_told_so(void **state)
{
    struct crowd *w = calloc(1, sizeof *w);
    struct fixture *f = *state;

    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        uv_pipe_init(&f->loop, &w->pipes[i], 0);
        w->pipes[i].data = w;
        uv_pipe_connect(&w->connects[i], &w->pipes[i], f->agent.home.socket, on_connected);
        uv_run(&f->loop, UV_RUN_DEFAULT);
        uv_read_start((uv_stream_t *)&w->pipes[i], on_crowd_room, on_crowd_read);
    }
    while (w->closed == 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(w->lines, 1);
    assert_int_equal(w->closed, 1);
    assert_has(ask(f, "{\"id\":3,\"command\":\"status\"}\n"), "{\"id\":3,\"ok\":true");
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        uv_close((uv_handle_t *)&w->pipes[i], NULL);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    free(w);
}

static void an_agent_is_alive_while_its_socket_is_served_and_not_after(void **state)
{
    struct fixture *f = *state;
    struct control *second = NULL;
    struct err e = {0};

    assert_true(home_is_served(&f->agent.home));
    assert_false(control_start(&second, &f->agent, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    assert_has(e.text, f->agent.home.path);
    assert_has(e.text, "already");
    agent_stop(&f->agent);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_false(home_is_served(&f->agent.home));
}

static void the_socket_is_for_its_owner_alone(void **state)
{
    struct fixture *f = *state;
    struct file_info info;
    struct err e = {0};

    assert_true(file_stat(f->agent.home.socket, &info, &e));
    assert_int_equal(info.mode, 0600);
}

#define WITH_AGENT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_AGENT(a_request_is_answered_with_its_id),
        WITH_AGENT(a_request_may_come_in_pieces_and_two_in_one),
        WITH_AGENT(numbers_and_texts_reach_the_agent),
        WITH_AGENT(an_error_keeps_the_connection_when_the_request_was_sound),
        WITH_AGENT(a_busy_database_is_tried_again_until_it_lets_go),
        WITH_AGENT(wait_is_answered_once_all_is_settled),
        WITH_AGENT(wait_gives_up_at_its_timeout),
        WITH_AGENT(a_poke_asks_again_at_once),
        WITH_AGENT(join_is_answered_when_it_is_done_and_others_meanwhile),
        WITH_AGENT(join_says_why_it_failed),
        WITH_AGENT(a_drop_file_is_answered_when_it_is_done_and_others_meanwhile),
        WITH_AGENT(a_client_that_leaves_is_forgotten),
        WITH_AGENT(stop_is_answered_before_the_agent_stops),
        WITH_AGENT(unanswered_requests_hear_that_the_agent_stops),
        cmocka_unit_test(hostile_requests_are_answered_and_closed),
        cmocka_unit_test(every_golden_request_is_understood),
        WITH_AGENT(deep_nesting_is_refused),
        WITH_AGENT(a_line_without_end_is_refused),
        WITH_AGENT(too_many_requests_at_once_are_refused),
        WITH_AGENT(one_that_wants_nothing_is_closed_and_one_that_waits_is_not),
        WITH_AGENT(one_that_does_not_read_its_answers_is_closed),
        WITH_AGENT(one_client_too_many_is_told_so),
        WITH_AGENT(an_agent_is_alive_while_its_socket_is_served_and_not_after),
        WITH_AGENT(the_socket_is_for_its_owner_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
