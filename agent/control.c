#include "control.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <sodium.h>

#include "agent.h"
#include "caller.h"
#include "command.h"
#include "log.h"
#include "request.h"

/* A request is run when its line is complete. What cannot be done yet says ERR_BUSY and is run
 * again by a timer until its deadline; "join" and drop files are answered by callbacks. A client is
 * closed when it has gone, when it broke the rules (after the answer that says so), when it does
 * not read its answers, or when it wants nothing for a while: places are few, and some are kept for
 * the owner, so that nobody who may ask can keep him from asking.
 *
 *     client --line--> pending --run--> answer
 *                        |  ^ERR_BUSY      ^
 *                        +--+ timer        +-- on_joined, on_drop
 */
#define RETRY_MS         20
#define READ_BYTES       16384
#define UNREAD_BYTES_MAX (1u << 20) /* answers that a client leaves lying */
#define LOOK_MS          1000       /* so often somebody looks for clients that want nothing */
#define OTHERS_MAX       12         /* clients that are neither the owner nor root */

struct pending {
    struct pending *next;
    struct client *client; /* NULL: answered or given up */
    struct request request;
    uint64_t deadline_ms; /* by uv_now */
    bool called_back;     /* waits for on_joined or on_drop, not for the timer */
};

struct client {
    struct client *next;
    struct control *control;
    uv_pipe_t pipe;
    struct buf in;
    uint32_t pending_count;
    uint32_t write_count;
    uint64_t quiet_ms; /* uv_now: since when it wants nothing, if nothing is pending */
    bool ours;         /* the owner, or root */
    bool closing;
    bool last_answer; /* close once everything is written */
    char chunk[READ_BYTES];
};

struct control {
    struct agent *agent;
    uv_pipe_t server;
    uv_timer_t timer;
    uv_timer_t look; /* while there are clients */
    uint64_t looked_ms;
    struct client *clients;
    struct pending *pending;
    uint32_t client_count;
    uint32_t depth;        /* requests are being run: the list must keep its members */
    uint32_t handle_count; /* server, timers and clients that are not closed yet */
    bool stopping;
};

struct answer {
    uv_write_t write;
    struct client *client;
    struct buf bytes;
    bool then_stop; /* the agent, once this is written */
};

/* ---- closing ---- */

static void sweep(struct control *c)
{
    struct pending **at = &c->pending;

    if (c->depth > 0)
        return;
    while (*at != NULL) {
        struct pending *p = *at;

        if (p->client != NULL) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        sodium_memzero(p->request.token, sizeof p->request.token);
        request_close(&p->request);
        free(p);
    }
}

static void release_if_done(struct control *c)
{
    if (!c->stopping || c->handle_count > 0)
        return;
    sweep(c);
    free(c);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct control *c = handle->data;

    c->handle_count--;
    release_if_done(c);
}

static void on_client_closed(uv_handle_t *handle)
{
    struct client *l = handle->data;
    struct control *c = l->control;

    buf_close(&l->in);
    sodium_memzero(l, sizeof *l); /* what was read last may be a token */
    free(l);
    c->handle_count--;
    release_if_done(c);
}

/* Nobody is left to answer. The requests stay in the list, dead, until sweep: somebody may be going
 * through it. */
static void forget_requests(struct client *l)
{
    struct control *c = l->control;

    for (struct pending *p = c->pending; p != NULL; p = p->next) {
        if (p->client != l)
            continue;
        if (p->called_back && p->request.kind == REQUEST_JOIN)
            agent_join_forget(c->agent, p);
        else if (p->called_back)
            agent_drop_forget(c->agent, p);
        p->client = NULL;
    }
    l->pending_count = 0;
}

static void close_client(struct client *l)
{
    struct control *c = l->control;
    struct client **at = &c->clients;

    if (l->closing)
        return;
    l->closing = true;
    forget_requests(l);
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    if (--c->client_count == 0)
        uv_timer_stop(&c->look);
    uv_close((uv_handle_t *)&l->pipe, on_client_closed);
}

/* ---- answering ---- */

static void on_written(uv_write_t *write, int status)
{
    struct answer *w = (struct answer *)write;
    struct client *l = w->client;
    struct agent *a = l->control->agent;
    bool then_stop = w->then_stop;

    buf_wipe(&w->bytes);
    free(w);
    l->write_count--;
    if (status < 0 || (l->last_answer && l->write_count == 0))
        close_client(l);
    if (then_stop)
        agent_stop(a);
}

static void send_answer(struct client *l, struct answer *w)
{
    uv_buf_t bytes = uv_buf_init((char *)w->bytes.p, (unsigned)w->bytes.n);

    w->client = l;
    l->write_count++;
    if (uv_write(&w->write, (uv_stream_t *)&l->pipe, &bytes, 1, on_written) != 0) {
        on_written(&w->write, UV_EPIPE);
        return;
    }
    if (uv_stream_get_write_queue_size((uv_stream_t *)&l->pipe) > UNREAD_BYTES_MAX)
        close_client(l);
}

static struct answer *answer_new(void)
{
    struct answer *w = mem_alloc(sizeof *w);

    buf_open_secret(&w->bytes, ANSWER_BYTES_MAX);
    return w;
}

static void send_error(struct client *l, int64_t id, const struct err *e)
{
    struct answer *w;

    if (l->closing)
        return;
    w = answer_new();
    answer_error(&w->bytes, id, e);
    send_answer(l, w);
}

static void send_result(struct client *l, const struct request *r, struct json_object *result)
{
    struct answer *w = answer_new();
    struct err e = {0};

    answer_ok(&w->bytes, r->id, result);
    if (w->bytes.overflow) {
        buf_clear(&w->bytes);
        err_set(&e, ERR_LIMIT, "the answer has more than %u bytes", ANSWER_BYTES_MAX);
        answer_error(&w->bytes, r->id, &e);
    }
    w->then_stop = r->kind == REQUEST_STOP;
    send_answer(l, w);
}

/* Somebody who breaks the rules is told, and not listened to any more. */
static void refuse_client(struct client *l, int64_t id, const struct err *e)
{
    log_warn("control request refused error=\"%s\"", e->text);
    uv_read_stop((uv_stream_t *)&l->pipe);
    l->last_answer = true;
    send_error(l, id, e);
}

/* ---- running ---- */

static void finish(struct pending *p, struct json_object *result, const struct err *e)
{
    struct client *l = p->client;

    p->client = NULL;
    l->pending_count--;
    l->quiet_ms = uv_now(l->control->agent->loop);
    if (e->code == ERR_NONE) {
        send_result(l, &p->request, result);
        return;
    }
    json_object_put(result);
    send_error(l, p->request.id, e);
}

static void on_joined(void *context, const struct err *e)
{
    struct pending *p = context;
    struct control *c = p->client->control;

    finish(p, NULL, e);
    sweep(c);
}

static struct json_object *drop_result(const struct pending *p, const struct drop_done *done)
{
    struct json_object *result = json_object_new_object();
    struct json_object *paths;
    uint32_t i;

    if (p->request.kind == REQUEST_DROP_IMPORT) {
        json_object_object_add(result, "added", json_object_new_int64(done->changesets));
        json_object_object_add(result, "roster", json_object_new_boolean(done->roster));
        json_object_object_add(result, "key", json_object_new_boolean(done->key));
        json_object_object_add(result, "refused", json_object_new_int64(done->refused));
        json_object_object_add(result, "refused_of",
                               done->refused > 0 ? json_object_new_string(done->refused_of) : NULL);
        return result;
    }
    paths = json_object_new_array();
    for (i = 0; i < done->paths->n; i++)
        json_object_array_add(paths, json_object_new_string(done->paths->names[i]));
    json_object_object_add(result, "path",
                           i > 0 ? json_object_new_string(done->paths->names[0]) : NULL);
    json_object_object_add(result, "paths", paths);
    json_object_object_add(result, "changesets", json_object_new_int64(done->changesets));
    return result;
}

static void on_drop(void *context, const struct drop_done *done)
{
    struct pending *p = context;
    struct control *c = p->client->control;
    struct json_object *result = done->e.code == ERR_NONE ? drop_result(p, done) : NULL;
    struct err e = done->e;

    if (e.code != ERR_NONE && p->request.kind == REQUEST_DROP_IMPORT &&
        strstr(e.text, p->request.path) == NULL)
        err_wrap(&e, "%s", p->request.path);
    finish(p, result, &e);
    sweep(c);
}

/* Those that take their time. False when `p` is none of them, or has failed with `e`. */
static bool start(struct pending *p, struct err *e)
{
    struct agent *a = p->client->control->agent;
    const struct request *r = &p->request;

    switch (r->kind) {
    case REQUEST_JOIN:
        return agent_join(a, r->token, r->copy, on_joined, p, e);
    case REQUEST_DROP_EXPORT:
        return agent_drop_export(a, r->path, r->peer, on_drop, p, e);
    case REQUEST_DROP_IMPORT:
        return agent_drop_import(a, r->path, r->adopt, on_drop, p, e);
    default:
        return false;
    }
}

/* The agent reads all rows and writes where its user may: whoever is another may not say where. An
 * answer is written beside the request. */
static bool may_say_where(const struct pending *p, struct err *e)
{
    enum request_kind kind = p->request.kind;

    if (p->client->ours)
        return true;
    if (kind == REQUEST_JOIN_ASK || kind == REQUEST_JOIN_TAKE)
        return err_set(e, ERR_REFUSED,
                       "only the user that the agent runs as, and root, may let a PC join by what "
                       "a stick carries: the agent writes beside what it is given");
    if (kind != REQUEST_DROP_EXPORT || p->request.path[0] == '\0')
        return true;
    return err_set(e, ERR_REFUSED,
                   "only the user that the agent runs as, and root, may say where an export goes: "
                   "without --to it goes to the drop folder");
}

static void attempt(struct pending *p)
{
    struct control *c = p->client->control;
    struct json_object *result = NULL;
    struct err e = {0};

    p->called_back =
        command_allowed(c->agent, &p->request, &e) && may_say_where(p, &e) && start(p, &e);
    if (p->called_back)
        return;
    if (e.code == ERR_NONE && !command_run(c->agent, &p->request, &result, &e))
        assert(e.code != ERR_NONE);
    if (e.code == ERR_BUSY && uv_now(c->agent->loop) < p->deadline_ms)
        json_object_put(result);
    else
        finish(p, result, &e);
}

static bool is_waiting(const struct control *c)
{
    for (const struct pending *p = c->pending; p != NULL; p = p->next) {
        if (p->client != NULL && !p->called_back)
            return true;
    }
    return false;
}

static void on_timer(uv_timer_t *timer)
{
    struct control *c = timer->data;

    c->depth++;
    for (struct pending *p = c->pending; p != NULL; p = p->next) {
        if (p->client != NULL && !p->called_back)
            attempt(p);
    }
    c->depth--;
    sweep(c);
    if (!c->stopping && is_waiting(c))
        uv_timer_start(timer, on_timer, RETRY_MS, 0);
}

void control_poke(struct control *c)
{
    if (c != NULL && !c->stopping && is_waiting(c))
        uv_timer_start(&c->timer, on_timer, 0, 0);
}

/* ---- reading ---- */

static void accept_request(struct client *l, struct request *r)
{
    struct control *c = l->control;
    struct pending *p = mem_alloc(sizeof *p);
    bool wait = r->kind == REQUEST_WAIT;

    p->client = l;
    p->request = *r;
    p->deadline_ms = uv_now(c->agent->loop) + (wait ? (uint64_t)r->timeout_ms : CONTROL_BUSY_MS);
    p->next = c->pending;
    c->pending = p;
    l->pending_count++;
    /* What was committed a moment ago must be seen before anybody says that all is settled. */
    if (wait)
        agent_poke(c->agent);
    else
        attempt(p);
    if (p->client != NULL && !p->called_back && !uv_is_active((uv_handle_t *)&c->timer))
        uv_timer_start(&c->timer, on_timer, RETRY_MS, 0);
}

static void take_line(struct client *l, struct slice line)
{
    struct request r;
    struct err e = {0};

    if (!request_parse(&r, line, &e)) {
        refuse_client(l, r.id, &e);
        return;
    }
    if (l->pending_count == CONTROL_PENDING_MAX) {
        err_set(&e, ERR_LIMIT, "more than %d requests at once", CONTROL_PENDING_MAX);
        refuse_client(l, r.id, &e);
        request_close(&r);
        return;
    }
    log_debug("control request command=%s", request_kind_name(r.kind));
    accept_request(l, &r);
    sodium_memzero(r.token, sizeof r.token);
}

static void take_lines(struct client *l)
{
    struct err e = {0};

    while (!l->closing && !l->last_answer) {
        const uint8_t *end = l->in.n > 0 ? memchr(l->in.p, '\n', l->in.n) : NULL;

        if (end == NULL)
            break;
        take_line(l, (struct slice){l->in.p, (size_t)(end - l->in.p)});
        buf_take(&l->in, (size_t)(end - l->in.p) + 1);
    }
    if (l->closing || l->last_answer || l->in.n <= CONTROL_LINE_BYTES_MAX)
        return;
    err_set(&e, ERR_LIMIT, "a request of more than %d bytes", CONTROL_LINE_BYTES_MAX);
    refuse_client(l, 0, &e);
}

/* The client has gone, or at least will say nothing more. Answers on their way still get there. */
static void on_end(struct client *l)
{
    uv_read_stop((uv_stream_t *)&l->pipe);
    forget_requests(l);
    l->last_answer = true;
    if (l->write_count == 0)
        close_client(l);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct client *l = stream->data;
    struct control *c = l->control;

    if (n == 0)
        return;
    c->depth++;
    if (n < 0) {
        on_end(l);
    } else {
        buf_add(&l->in, bytes->base, (size_t)n);
        take_lines(l);
    }
    c->depth--;
    sweep(c);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *bytes)
{
    struct client *l = handle->data;

    (void)suggested;
    *bytes = uv_buf_init(l->chunk, sizeof l->chunk);
}

/* A line that takes its time counts as nothing, and an answer that nobody takes does, too. */
static void on_look(uv_timer_t *timer)
{
    struct control *c = timer->data;
    uint64_t now_ms = uv_now(c->agent->loop);
    bool late = now_ms - c->looked_ms > 2 * LOOK_MS;
    struct client *l, *next;

    c->looked_ms = now_ms;
    if (late) /* what they want may lie unread: it was we who were busy */
        return;
    for (l = c->clients; l != NULL; l = next) {
        next = l->next;
        if (l->pending_count > 0 || now_ms - l->quiet_ms < CONTROL_QUIET_MS)
            continue;
        log_debug("control client wants nothing");
        close_client(l);
    }
}

static bool has_room_for(const struct control *c, const struct client *l)
{
    uint32_t others = 0;

    for (const struct client *i = c->clients; i != NULL; i = i->next)
        others += !i->ours;
    return c->client_count <= CONTROL_CLIENTS_MAX && (l->ours || others <= OTHERS_MAX);
}

/* A line that fits into the socket at once: of who goes now, or came in vain, nothing is awaited.
 */
static void say_at_once(struct client *l, int64_t id, const struct err *e)
{
    struct buf line;
    uv_buf_t bytes;

    buf_open(&line, ANSWER_BYTES_MAX);
    answer_error(&line, id, e);
    bytes = uv_buf_init((char *)line.p, (unsigned)line.n);
    if (uv_try_write((uv_stream_t *)&l->pipe, &bytes, 1) < 0)
        log_debug("control client gone before the end");
    buf_close(&line);
}

static void turn_away(struct client *l)
{
    struct err e = {0};

    err_set(&e, ERR_BUSY,
            "as many programs talk with the agent as it listens to at once: end an `agent-cli "
            "wait` that nobody needs, or try again in %d s",
            CONTROL_QUIET_MS / 1000);
    say_at_once(l, 0, &e);
    close_client(l);
}

static void take_client(struct control *c, struct client *l)
{
    uv_os_fd_t fd;

    l->ours = uv_fileno((uv_handle_t *)&l->pipe, &fd) == 0 && caller_is_ours(fd);
    if (!has_room_for(c, l))
        turn_away(l);
    else if (uv_read_start((uv_stream_t *)&l->pipe, on_room, on_read) != 0)
        close_client(l);
    else if (!uv_is_active((uv_handle_t *)&c->look)) {
        c->looked_ms = uv_now(c->agent->loop);
        uv_timer_start(&c->look, on_look, LOOK_MS, LOOK_MS);
    }
}

static void on_connection(uv_stream_t *server, int status)
{
    struct control *c = server->data;
    struct client *l;

    if (status < 0) {
        log_warn("control connection failed error=\"%s\"", uv_strerror(status));
        return;
    }
    l = mem_alloc(sizeof *l);
    l->control = c;
    l->quiet_ms = uv_now(c->agent->loop);
    buf_open_secret(&l->in, CONTROL_LINE_BYTES_MAX + READ_BYTES);
    uv_pipe_init(c->agent->loop, &l->pipe, 0);
    l->pipe.data = l;
    l->next = c->clients;
    c->clients = l;
    c->client_count++;
    c->handle_count++;
    if (uv_accept(server, (uv_stream_t *)&l->pipe) != 0)
        close_client(l);
    else
        take_client(c, l);
}

/* ---- starting and stopping ---- */

/* The short name's directory is in /tmp: nobody else may have made it for us. A group may go
 * through it (home_share_socket). */
static bool open_directory(const struct home *h, struct err *e)
{
    char directory[PATH_BYTES_MAX];
    struct file_info info;

    path_directory(directory, h->socket);
    if (strcmp(directory, h->path) == 0)
        return true;
    if (!file_make_directory(directory, 0700, e) || !file_stat(directory, &info, e))
        return false;
    if (!info.is_directory || !info.is_ours || (info.mode & 067) != 0)
        return err_set(e, ERR_REFUSED,
                       "%s is not a directory of this user's alone: remove it, or use a home with "
                       "a shorter path",
                       directory);
    return true;
}

static bool open_socket(struct control *c, struct err *e)
{
    const struct home *h = &c->agent->home;
    int status;

    if (!open_directory(h, e))
        return false;
    if (home_is_served(h))
        return home_taken(h, e);
    if (!file_remove(h->socket, e))
        return false;
    status = uv_pipe_bind(&c->server, h->socket);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&c->server, CONTROL_CLIENTS_MAX, on_connection);
    if (status != 0)
        return err_set(e, ERR_NET, "cannot listen on %s: %s", h->socket, uv_strerror(status));
    return home_share_socket(h, c->agent->config.control_group, e);
}

bool control_start(struct control **out, struct agent *a, struct err *e)
{
    struct control *c = mem_alloc(sizeof *c);

    c->agent = a;
    c->handle_count = 3;
    uv_timer_init(a->loop, &c->timer);
    uv_timer_init(a->loop, &c->look);
    uv_pipe_init(a->loop, &c->server, 0);
    c->timer.data = c;
    c->look.data = c;
    c->server.data = c;
    *out = c;
    if (open_socket(c, e))
        return true;
    control_stop(c);
    *out = NULL;
    return false;
}

static void say_goodbye(struct pending *p)
{
    struct err e = {0};

    err_set(&e, ERR_REFUSED, "the agent is stopping");
    say_at_once(p->client, p->request.id, &e);
}

void control_stop(struct control *c)
{
    if (c == NULL || c->stopping)
        return;
    c->stopping = true;
    for (struct pending *p = c->pending; p != NULL; p = p->next) {
        if (p->client != NULL)
            say_goodbye(p);
    }
    while (c->clients != NULL)
        close_client(c->clients);
    uv_close((uv_handle_t *)&c->server, on_handle_closed);
    uv_close((uv_handle_t *)&c->timer, on_handle_closed);
    uv_close((uv_handle_t *)&c->look, on_handle_closed);
}
