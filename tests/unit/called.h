/* An agent that only notes what it is asked, and a client at its control socket. */
#ifndef NAVETTE_TEST_CALLED_H
#define NAVETTE_TEST_CALLED_H

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

#endif
