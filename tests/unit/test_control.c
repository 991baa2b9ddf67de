#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "agent.h"
#include "control.h"
#include "idle.h"
#include "request.h"
#include "stick.h"

/* ---- an agent that only notes what it is asked ---- */

static struct {
    uint32_t busy_left;  /* so often track says that it is busy */
    uint32_t settled_in; /* so many questions until all is settled */
    uint32_t pokes;
    uint32_t tracked;
    agent_on_joined *on_joined;
    agent_on_drop *on_drop;
    void *drop_context;
    void *join_context;
    uint32_t forgotten;
    bool stopped;
} fake;

struct json_object *agent_status(struct agent *a)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "name", json_object_new_string(a->config.name));
    return o;
}

struct json_object *agent_peers(struct agent *a)
{
    (void)a;
    return json_object_new_array();
}

bool agent_invite(struct agent *a, uint64_t ttl_ms, bool stick, char *token, struct err *e)
{
    (void)a;
    (void)stick;
    (void)e;
    snprintf(token, INVITE_TEXT_BYTES_MAX, "TOKEN-%u", (unsigned)ttl_ms);
    return true;
}

bool stick_ask(struct agent *a, const char *token, bool copy, const char *directory, char *path,
               struct err *e)
{
    (void)a;
    (void)copy;
    (void)e;
    snprintf(path, PATH_BYTES_MAX, "%s of %s", directory, token);
    return true;
}

bool stick_take(struct agent *a, const char *path, struct stick_done *done, struct err *e)
{
    (void)a;
    *done = (struct stick_done){.kind = LETTER_ANSWER, .name = "B"};
    return strcmp(path, "bad") != 0 || err_set(e, ERR_CRYPTO, "no letter");
}

bool agent_join(struct agent *a, const char *token, bool copy, agent_on_joined *on_done,
                void *context, struct err *e)
{
    (void)a;
    (void)copy;
    if (strcmp(token, "bad") == 0)
        return err_set(e, ERR_INPUT, "no token");
    fake.on_joined = on_done;
    fake.join_context = context;
    return true;
}

void agent_join_forget(struct agent *a, void *context)
{
    (void)a;
    assert_ptr_equal(context, fake.join_context);
    fake.on_joined = NULL;
    fake.forgotten++;
}

void agent_sync_now(struct agent *a, bool without_absent, bool clock_is_right)
{
    (void)clock_is_right;
    (void)a, (void)without_absent;
}

bool agent_roster_changed(struct agent *a, struct err *e)
{
    (void)a;
    (void)e;
    return true;
}

bool agent_is_settled(struct agent *a, struct err *e)
{
    (void)a;
    if (fake.settled_in == 0)
        return true;
    fake.settled_in--;
    return err_set(e, ERR_BUSY, "something is under way");
}

uint32_t agent_others(const struct agent *a)
{
    (void)a;
    return 2;
}

uint32_t agent_connected(const struct agent *a)
{
    (void)a;
    return 1;
}

void agent_poke(struct agent *a)
{
    (void)a;
    fake.pokes++;
}

bool agent_drop_export(struct agent *a, const char *directory, const char *peer,
                       agent_on_drop *on_done, void *context, struct err *e)
{
    (void)a;
    (void)directory;
    (void)peer;
    (void)on_done;
    (void)context;
    return err_set(e, ERR_REFUSED, "no folder \xc3");
}

bool agent_drop_import(struct agent *a, const char *path, bool adopt, agent_on_drop *on_done,
                       void *context, struct err *e)
{
    (void)adopt;
    (void)a;
    (void)path;
    (void)e;
    fake.on_drop = on_done;
    fake.drop_context = context;
    return true;
}

void agent_drop_forget(struct agent *a, void *context)
{
    (void)a;
    assert_ptr_equal(context, fake.drop_context);
    fake.on_drop = NULL;
    fake.forgotten++;
}

void agent_stop(struct agent *a)
{
    fake.stopped = true;
    control_stop(a->control);
}

uint64_t agent_wall_ms(struct agent *a)
{
    (void)a;
    return 1;
}

bool store_tables(struct store *s, struct store_tables *out, struct err *e)
{
    (void)s;
    (void)e;
    *out = (struct store_tables){0};
    return true;
}

void store_tables_close(struct store_tables *t)
{
    (void)t;
}

bool store_track(struct store *s, const char *const *names, uint32_t n, struct err *e)
{
    (void)s;
    (void)names;
    if (fake.busy_left > 0) {
        fake.busy_left--;
        return err_set(e, ERR_BUSY, "the application holds its file");
    }
    fake.tracked = n;
    return true;
}

bool store_untrack(struct store *s, const char *const *names, uint32_t n, uint64_t now_ms,
                   struct err *e)
{
    (void)s;
    (void)names;
    (void)n;
    (void)now_ms;
    return err_set(e, ERR_BUSY, "the application holds its file");
}

bool store_uninstall(struct store *s, struct err *e)
{
    (void)s;
    (void)e;
    return true;
}

/* ---- a client that writes at once and reads until there are enough lines or the agent closes ----
 */

struct fixture {
    uv_loop_t loop;
    struct agent agent;
    uv_pipe_t pipe;
    uv_timer_t limit;
    char answer[1 << 20];
    size_t n;
    uint32_t lines_wanted;
    bool closed;
};

static uint32_t count_lines(const char *text)
{
    uint32_t n = 0;

    for (; *text != '\0'; text++)
        n += *text == '\n';
    return n;
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *bytes)
{
    struct fixture *f = handle->data;

    (void)suggested;
    *bytes = uv_buf_init(f->answer + f->n, (unsigned)(sizeof f->answer - f->n - 1));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct fixture *f = stream->data;

    (void)bytes;
    if (n < 0)
        f->closed = true;
    else
        f->n += (size_t)n;
    f->answer[f->n] = '\0';
    if (f->closed || count_lines(f->answer) >= f->lines_wanted)
        uv_stop(&f->loop);
}

static void on_connected(uv_connect_t *connect, int status)
{
    assert_int_equal(status, 0);
    uv_stop(connect->handle->loop);
}

static void on_limit(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("no answer within a minute");
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char directory[] = "/tmp/navette-test-XXXXXX";
    struct err e = {0};
    uv_connect_t connect;

    memset(&fake, 0, sizeof fake);
    *state = f;
    assert_non_null(mkdtemp(directory));
    uv_loop_init(&f->loop);
    f->agent.loop = &f->loop;
    snprintf(f->agent.config.name, sizeof f->agent.config.name, "CAISSE01");
    f->agent.store = (struct store *)f; /* never looked into */
    snprintf(f->agent.home.path, sizeof f->agent.home.path, "%s", directory);
    if (!path_join(f->agent.home.socket, directory, "agent.sock", &e) ||
        !control_start(&f->agent.control, &f->agent, &e))
        fail_msg("%s", e.text);
    uv_timer_init(&f->loop, &f->limit);
    uv_timer_start(&f->limit, on_limit, 60000, 0);
    uv_pipe_init(&f->loop, &f->pipe, 0);
    f->pipe.data = f;
    uv_pipe_connect(&connect, &f->pipe, f->agent.home.socket, on_connected);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    uv_read_start((uv_stream_t *)&f->pipe, on_room, on_read);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    uv_fs_t request;

    if (!uv_is_closing((uv_handle_t *)&f->pipe))
        uv_close((uv_handle_t *)&f->pipe, NULL);
    uv_close((uv_handle_t *)&f->limit, NULL);
    if (!fake.stopped)
        control_stop(f->agent.control);
    while (uv_run(&f->loop, UV_RUN_DEFAULT) != 0)
        continue;
    assert_int_equal(uv_loop_close(&f->loop), 0);
    assert_false(file_exists(f->agent.home.socket));
    uv_fs_rmdir(NULL, &request, f->agent.home.path, NULL);
    uv_fs_req_cleanup(&request);
    free(f);
    return 0;
}

static void send_bytes(struct fixture *f, const char *p, size_t n)
{
    /* The agent may close in the middle; then the rest does not matter. */
    while (n > 0 && !f->closed) {
        uv_buf_t part = uv_buf_init((char *)(uintptr_t)p, (unsigned)n);
        int written = uv_try_write((uv_stream_t *)&f->pipe, &part, 1);

        if (written == UV_EAGAIN) {
            uv_run(&f->loop, UV_RUN_NOWAIT);
            continue;
        }
        if (written < 0)
            break;
        p += written;
        n -= (size_t)written;
    }
}

static void send_text(struct fixture *f, const char *text)
{
    send_bytes(f, text, strlen(text));
}

static void wait_lines(struct fixture *f, uint32_t lines)
{
    f->lines_wanted = lines;
    while (count_lines(f->answer) < lines && !f->closed)
        uv_run(&f->loop, UV_RUN_DEFAULT);
}

static const char *ask(struct fixture *f, const char *line)
{
    uint32_t lines = count_lines(f->answer) + 1;

    send_text(f, line);
    wait_lines(f, lines);
    return f->answer;
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in %s", part, text);
}

/* ---- tests ---- */

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
        {"3\n", "cut off"},
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
    assert_int_equal(id, 39);
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
        WITH_AGENT(an_agent_is_alive_while_its_socket_is_served_and_not_after),
        WITH_AGENT(the_socket_is_for_its_owner_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
