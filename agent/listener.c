#include "listener.h"

#include <assert.h>
#include <stdlib.h>

#include "agent.h"
#include "discovery.h"
#include "link.h"
#include "log.h"

#define BACKLOG  256 /* a burst of strangers must not make members try again */
#define RETRY_MS 5000

struct listener {
    struct agent *agent;
    uv_tcp_t tcp;
    uv_timer_t retry;
    bool tcp_open, stopping;
    bool any_port; /* the usual one is taken */
    uint16_t port; /* 0: not listening */
    uint32_t handles;
    listener_on_connection *on_connection;
    void *context;
};

static void try_listen(struct listener *l);

static void release(uv_handle_t *handle)
{
    struct listener *l = handle->data;

    if (--l->handles == 0)
        free(l);
}

static void on_retry(uv_timer_t *timer)
{
    struct listener *l = timer->data;

    if (!l->tcp_open)
        try_listen(l);
    else /* timers run before the handle's end */
        uv_timer_start(timer, on_retry, 1, 0);
}

/* Only now may the handle be used again. */
static void on_tcp_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;

    l->tcp_open = false;
    release(handle);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct listener *l = server->data;

    if (status < 0)
        log_warn("accept failed reason=%s", uv_strerror(status));
    else
        l->on_connection(l->context, server);
}

static bool listen_on(struct listener *l, const struct address *at, struct err *e)
{
    struct sockaddr_in in;
    struct sockaddr_storage bound = {0};
    struct address got;
    int n = sizeof bound;
    int status;

    if (!address_socket(&in, at, e))
        return false;
    status = uv_tcp_init(l->agent->loop, &l->tcp);
    assert(status == 0);
    l->tcp.data = l;
    l->tcp_open = true;
    l->handles++;
    status = uv_tcp_bind(&l->tcp, (const struct sockaddr *)&in, 0);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
    if (status == 0)
        status = uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&bound, &n);
    if (status != 0) {
        uv_close((uv_handle_t *)&l->tcp, on_tcp_closed);
        return net_err(e, status, "listen");
    }
    address_of(&got, (struct sockaddr *)&bound);
    l->port = got.port;
    log_info("listening addr=%s port=%u", at->host, (unsigned)got.port);
    return true;
}

static void try_listen(struct listener *l)
{
    bool chosen = l->agent->config.listen.host[0] != '\0';
    struct address at = l->agent->config.listen;
    char text[ADDRESS_TEXT_BYTES];
    struct err e = {0};

    if (!chosen)
        at = (struct address){.host = "0.0.0.0", .port = l->any_port ? 0 : PORT_DEFAULT};
    address_text(text, &at);
    if (listen_on(l, &at, &e)) {
        warning_clear(&l->agent->warnings, WARNING_PORT);
        discovery_announce(l->agent->discovery);
    } else if (!chosen && !l->any_port) {
        log_info("port taken, another is used addr=%s", text);
        l->any_port = true;
        uv_timer_start(&l->retry, on_retry, 0, 0);
    } else {
        warning_set(&l->agent->warnings, WARNING_PORT, agent_wall_ms(l->agent),
                    "cannot listen on %s: other PCs cannot reach this one (%s)", text, e.text);
        uv_timer_start(&l->retry, on_retry, RETRY_MS, 0);
    }
}

uint16_t listener_port(const struct listener *l)
{
    return l->port;
}

static void on_turned_away(uv_handle_t *handle)
{
    free(handle);
}

void listener_turn_away(struct listener *l, uv_stream_t *server)
{
    uv_tcp_t *tcp = mem_alloc(sizeof *tcp);
    int status = uv_tcp_init(l->agent->loop, tcp);

    assert(status == 0);
    status = uv_accept(server, (uv_stream_t *)tcp);
    if (status < 0)
        log_warn("accept failed reason=%s", uv_strerror(status));
    uv_close((uv_handle_t *)tcp, on_turned_away);
}

struct listener *listener_start(struct agent *a, listener_on_connection *on, void *context)
{
    struct listener *l = mem_alloc(sizeof *l);

    l->agent = a;
    l->on_connection = on;
    l->context = context;
    uv_timer_init(a->loop, &l->retry);
    l->retry.data = l;
    l->handles = 1;
    try_listen(l);
    return l;
}

void listener_stop(struct listener *l)
{
    if (l == NULL || l->stopping)
        return;
    l->stopping = true;
    l->port = 0;
    if (l->tcp_open && !uv_is_closing((uv_handle_t *)&l->tcp))
        uv_close((uv_handle_t *)&l->tcp, on_tcp_closed);
    uv_close((uv_handle_t *)&l->retry, release);
}
