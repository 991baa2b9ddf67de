#include "client.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <uv.h>

#include <navette/bounds.h>
#include <navette/bytes.h>

#include "home.h"
#include "request.h"

#define CHUNK_BYTES      16384
#define ANSWER_DEPTH_MAX 16

struct call {
    uv_loop_t loop;
    uv_pipe_t pipe;
    uv_timer_t timer;
    uv_connect_t connect;
    uv_write_t write;
    struct buf line;   /* the request */
    struct buf answer; /* up to its newline */
    char chunk[CHUNK_BYTES];
    bool connected;
    bool complete;
    bool late;
    int status; /* of what failed */
};

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *bytes)
{
    struct call *c = handle->data;

    (void)suggested;
    *bytes = uv_buf_init(c->chunk, sizeof c->chunk);
}

static void stop(struct call *c, int status)
{
    if (status < 0)
        c->status = status;
    uv_stop(&c->loop);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct call *c = stream->data;
    const uint8_t *end;

    if (n < 0) {
        stop(c, (int)n);
        return;
    }
    buf_add(&c->answer, bytes->base, (size_t)n);
    end = c->answer.n > 0 ? memchr(c->answer.p, '\n', c->answer.n) : NULL;
    if (end != NULL) {
        c->answer.n = (size_t)(end - c->answer.p);
        c->complete = true;
    }
    if (c->complete || c->answer.overflow)
        stop(c, 0);
}

/* What the agent has to say about a request that it did not want to read to its end still comes. */
static void on_written(uv_write_t *write, int status)
{
    (void)write;
    (void)status;
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct call *c = connect->data;
    uv_buf_t line = uv_buf_init((char *)c->line.p, (unsigned)c->line.n);

    if (status == UV_ECANCELED)
        return;
    if (status < 0) {
        stop(c, status);
        return;
    }
    c->connected = true;
    status = uv_write(&c->write, (uv_stream_t *)&c->pipe, &line, 1, on_written);
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&c->pipe, on_room, on_read);
    if (status < 0)
        stop(c, status);
}

static void on_late(uv_timer_t *timer)
{
    struct call *c = timer->data;

    c->late = true;
    stop(c, UV_ETIMEDOUT);
}

static void talk(struct call *c, const struct home *h, uint64_t limit_ms)
{
    if (uv_loop_init(&c->loop) != 0)
        return;
    uv_timer_init(&c->loop, &c->timer);
    uv_pipe_init(&c->loop, &c->pipe, 0);
    c->timer.data = c;
    c->pipe.data = c;
    c->connect.data = c;
    if (limit_ms > 0)
        uv_timer_start(&c->timer, on_late, limit_ms, 0);
    uv_pipe_connect(&c->connect, &c->pipe, h->socket, on_connected);
    uv_run(&c->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&c->timer, NULL);
    uv_close((uv_handle_t *)&c->pipe, NULL);
    while (uv_run(&c->loop, UV_RUN_DEFAULT) != 0)
        continue;
    if (uv_loop_close(&c->loop) != 0)
        abort(); /* a handle was forgotten above */
}

static bool write_request(struct buf *line, const char *command, struct json_object *args,
                          struct err *e)
{
    struct json_object *o = json_object_new_object();
    size_t n = 0;
    const char *text;

    json_object_object_add(o, "id", json_object_new_int(1));
    json_object_object_add(o, "command", json_object_new_string(command));
    json_object_object_add(o, "args", args != NULL ? args : json_object_new_object());
    text = json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN, &n);
    buf_add(line, text, n);
    json_object_put(o);
    if (line->overflow)
        return err_set(e, ERR_LIMIT,
                       "the request has %zu bytes, allowed %d: name fewer things at once, or --all",
                       n, CONTROL_LINE_BYTES_MAX);
    buf_add_byte(line, '\n');
    return true;
}

static enum err_code code_of(const char *name)
{
    for (int code = ERR_INPUT; code <= ERR_USAGE; code++) {
        if (name != NULL && strcmp(err_code_name((enum err_code)code), name) == 0)
            return (enum err_code)code;
    }
    return ERR_STORE;
}

static const char *text_of(struct json_object *o, const char *name)
{
    const char *text = json_object_get_string(json_object_object_get(o, name));

    return text != NULL ? text : "";
}

static bool read_answer(struct slice line, struct json_object **result, struct err *e)
{
    struct json_tokener *t = json_tokener_new_ex(ANSWER_DEPTH_MAX);
    struct json_object *o = json_tokener_parse_ex(t, (const char *)line.p, (int)line.n);
    struct json_object *error = json_object_object_get(o, "error");

    if (!json_object_is_type(o, json_type_object))
        err_set(e, ERR_INPUT,
                "the agent's answer is not understood: are both programs of one "
                "version?");
    else if (json_object_get_boolean(json_object_object_get(o, "ok")))
        *result = json_object_get(json_object_object_get(o, "result"));
    else
        err_set(e, code_of(text_of(error, "code")), "%s", text_of(error, "text"));
    json_object_put(o);
    json_tokener_free(t);
    return e->code == ERR_NONE;
}

bool client_ask(const struct home *h, const char *command, struct json_object *args,
                uint64_t limit_ms, bool *reached, struct json_object **result, struct err *e)
{
    struct call *c = mem_alloc(sizeof *c);
    bool ok = false;

    *result = NULL;
    *reached = true;
    buf_open(&c->line, CONTROL_LINE_BYTES_MAX);
    buf_open(&c->answer, ANSWER_BYTES_MAX);
    if (!write_request(&c->line, command, args, e))
        goto out;
    talk(c, h, limit_ms);
    *reached = c->connected;
    if (!c->connected && (c->status == UV_ENOENT || c->status == UV_ECONNREFUSED))
        err_set(e, ERR_NET, "no agent runs on this home: start it with `navette-agent --home %s`",
                h->path);
    else if (!c->connected)
        err_set(e, ERR_NET, "the agent of the home %s cannot be reached (%s): see %s", h->path,
                uv_strerror(c->status), h->log);
    else if (c->complete)
        ok = read_answer(buf_slice(&c->answer), result, e);
    else if (c->late)
        err_set(e, ERR_NET, "the agent did not answer within %llu s: see %s",
                (unsigned long long)(limit_ms / 1000), h->log);
    else
        err_set(e, ERR_NET, "the agent ended before it answered: see %s", h->log);
out:
    buf_wipe(&c->line); /* it may hold a token */
    buf_wipe(&c->answer);
    free(c);
    return ok;
}
