#include "link.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "log.h"

#define READ_BYTES  65536
#define SHAKE_BYTES 1024 /* read at once before the peer has said who it is */
#define FEED_BYTES  8192 /* of what was read, before the owner may want to hold the link */
#define CORK_BYTES  (256u << 10)
#define ASIDE_BYTES (1u << 20) /* more that is to be written at once is put aside */

struct outgoing {
    uv_write_t request;
    struct link *link;
    struct buf bytes;   /* or, when they are many, */
    struct spool aside; /* the same in a file */
};

/* ---- addresses ---- */

const char *address_text(char out[ADDRESS_TEXT_BYTES], const struct address *a)
{
    snprintf(out, ADDRESS_TEXT_BYTES, "%s:%u", a->host, (unsigned)a->port);
    return out;
}

void address_of(struct address *a, const struct sockaddr *from)
{
    struct sockaddr_in in;

    *a = (struct address){0};
    if (from->sa_family != AF_INET)
        return;
    memcpy(&in, from, sizeof in);
    if (uv_ip4_name(&in, a->host, sizeof a->host) == 0)
        a->port = ntohs(in.sin_port);
}

bool address_socket(struct sockaddr_in *to, const struct address *a, struct err *e)
{
    int status = uv_ip4_addr(a->host, a->port, to);

    return status == 0 || net_err(e, status, a->host);
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

bool net_err(struct err *e, int status, const char *doing)
{
    return err_set(e, ERR_NET, "%s: %s", doing, uv_strerror(status));
}

/* ---- closing ---- */

static void on_released(uv_handle_t *handle)
{
    struct link *l = handle->data;

    channel_close(&l->channel);
    buf_close(&l->input);
    buf_close(&l->output);
    secret_free(l);
}

/* ---- sending ---- */

static void flush(struct link *l);

static void release(struct outgoing *out)
{
    buf_close(&out->bytes);
    spool_close(&out->aside);
    free(out);
}

/* A peer may take long to read it. Where the disk is full it stays in memory. */
static struct slice put_aside(struct outgoing *out)
{
    struct slice bytes = buf_slice(&out->bytes);
    struct err e = {0};

    if (bytes.n <= ASIDE_BYTES || !spool_add(&out->aside, out->link->agent->home.path, bytes, &e) ||
        !spool_view(&out->aside, &bytes, &e)) {
        spool_close(&out->aside);
        return buf_slice(&out->bytes);
    }
    buf_close(&out->bytes);
    return bytes;
}

static void on_written(uv_write_t *request, int status)
{
    struct outgoing *out = request->data;
    struct link *l = out->link;

    release(out);
    l->writing--;
    if (l->state == LINK_CLOSING)
        return;
    if (status < 0) {
        struct err e = {0};

        net_err(&e, status, "write");
        link_close(l, &e);
        return;
    }
    if (l->writing == 0 && !l->corked)
        flush(l);
    if (l->state == LINK_OPEN && link_queued(l) == 0)
        l->events->on_drained(l);
}

/* Consumes `bytes`. */
static void write_bytes(struct link *l, struct buf *bytes)
{
    struct outgoing *out;
    struct err e = {0};
    struct slice from;
    uv_buf_t view;
    int status;

    if (bytes->n == 0 || l->state == LINK_CLOSING) {
        buf_close(bytes);
        return;
    }
    out = mem_alloc(sizeof *out);
    out->link = l;
    out->bytes = *bytes;
    *bytes = (struct buf){0};
    out->request.data = out;
    l->given += out->bytes.n;
    l->writing++;
    from = put_aside(out);
    /* uv_buf_t has no const; writing does not change it. */
    view = uv_buf_init((char *)(uintptr_t)from.p, (unsigned)from.n);
    status = uv_write(&out->request, (uv_stream_t *)&l->tcp, &view, 1, on_written);
    if (status < 0) {
        l->writing--;
        release(out);
        net_err(&e, status, "write");
        link_close(l, &e);
    } else if (link_queued(l) > LINK_QUEUE_MAX) {
        err_set(&e, ERR_LIMIT, "%zu bytes wait for a peer that does not read them, allowed %u",
                link_queued(l), LINK_QUEUE_MAX);
        link_close(l, &e);
    }
}

size_t link_queued(const struct link *l)
{
    return l->output.n + uv_stream_get_write_queue_size((const uv_stream_t *)&l->tcp);
}

bool link_is_stuck(struct link *l, uint64_t now_ms)
{
    size_t waiting = uv_stream_get_write_queue_size((const uv_stream_t *)&l->tcp);
    uint64_t taken = l->given - waiting;

    if (waiting == 0 || taken != l->taken) {
        l->taken = taken;
        l->taken_ms = now_ms;
    }
    return now_ms - l->taken_ms >= LINK_STUCK_MS;
}

static bool seal_all(struct link *l, struct slice messages, struct buf *out, struct err *e)
{
    channel_clock(&l->channel, uv_now(l->agent->loop));
    while (messages.n > 0) {
        uint32_t n;

        assert(messages.n >= 4);
        n = be32_read(messages.p);
        assert(n <= messages.n - 4);
        if (!channel_send(&l->channel, (struct slice){messages.p + 4, n}, out, e))
            return false;
        messages.p += 4 + n;
        messages.n -= 4 + (size_t)n;
    }
    return true;
}

static void flush(struct link *l)
{
    struct buf out = l->output;

    l->output = (struct buf){0};
    write_bytes(l, &out);
}

void link_close(struct link *l, const struct err *why)
{
    if (l->state == LINK_CLOSING)
        return;
    flush(l);
    if (l->state == LINK_CLOSING)
        return; /* that failed, and came here */
    l->state = LINK_CLOSING;
    if (why != NULL)
        l->failure = *why;
    uv_close((uv_handle_t *)&l->tcp, on_released);
    l->events->on_closed(l, &l->failure);
}

static struct buf *output_of(struct link *l)
{
    if (l->output.max == 0)
        buf_open(&l->output, LINK_QUEUE_MAX);
    return &l->output;
}

/* While something is on its way, what comes is gathered behind it: a peer that does not read costs
 * us little more than the bytes themselves. */
static void sealed(struct link *l, bool ok, const struct err *e)
{
    if (!ok || l->output.n >= CORK_BYTES || (!l->corked && l->writing == 0))
        flush(l);
    if (!ok)
        link_close(l, e);
}

void link_send_all(struct link *l, struct slice messages)
{
    struct err e = {0};

    if (l->state != LINK_OPEN || messages.n == 0)
        return;
    sealed(l, seal_all(l, messages, output_of(l), &e), &e);
}

void link_send(struct link *l, struct slice message)
{
    struct err e = {0};

    if (l->state != LINK_OPEN)
        return;
    channel_clock(&l->channel, uv_now(l->agent->loop));
    sealed(l, channel_send(&l->channel, message, output_of(l), &e), &e);
}

void link_cork(struct link *l)
{
    l->corked = true;
}

void link_uncork(struct link *l)
{
    l->corked = false;
    if (l->writing == 0)
        flush(l);
}

/* ---- receiving ---- */

static bool on_aside(void *context, struct slice bytes, struct err *e)
{
    struct link *l = context;

    return spool_add(&l->arriving, l->agent->home.path, bytes, e);
}

static bool on_view(void *context, struct slice *whole, struct err *e)
{
    struct link *l = context;

    return spool_view(&l->arriving, whole, e);
}

static void on_drop(void *context)
{
    struct link *l = context;

    spool_close(&l->arriving);
}

struct feeding {
    struct link *link;
    struct buf answers;
    bool whole; /* some message was */
};

/* What the handshake wants said leaves before anything that on_open sends. */
static void become_open(struct feeding *f)
{
    struct link *l = f->link;

    if (l->state != LINK_SHAKING || l->channel.state != CHANNEL_OPEN)
        return;
    write_bytes(l, &f->answers);
    buf_open(&f->answers, FRAME_BYTES_MAX * 4);
    if (l->state != LINK_SHAKING)
        return;
    l->state = LINK_OPEN;
    l->opened_ms = uv_now(l->agent->loop);
    l->events->on_open(l);
}

static bool on_message(void *context, struct slice message, struct err *e)
{
    struct feeding *f = context;

    f->whole = true;
    become_open(f);
    if (f->link->state != LINK_OPEN)
        return err_set(e, ERR_NET, "the link is closed");
    return f->link->events->on_message(f->link, message, e);
}

static void feed_some(struct link *l, struct slice bytes)
{
    struct feeding f = {.link = l};
    struct err e = {0};
    bool ok;

    buf_open(&f.answers, FRAME_BYTES_MAX * 4);
    channel_clock(&l->channel, uv_now(l->agent->loop));
    ok = channel_feed(&l->channel, bytes, &f.answers, on_message, &f, &e);
    if (ok)
        become_open(&f);
    if (ok && l->state == LINK_OPEN && (!f.whole || l->channel.message_bytes > 0))
        ok = l->events->on_heard(l, buf_slice(&l->channel.message), l->channel.message_bytes,
                                 l->channel.in.n, &e);
    write_bytes(l, &f.answers);
    buf_close(&f.answers);
    if (!ok)
        link_close(l, &e);
}

/* Until the link is held; the rest stays where it was read. */
static void feed(struct link *l, struct slice bytes)
{
    while (bytes.n > 0 && l->state != LINK_CLOSING && !l->held) {
        size_t n = bytes.n < FEED_BYTES ? bytes.n : FEED_BYTES;

        feed_some(l, (struct slice){bytes.p, n});
        bytes.p += n;
        bytes.n -= n;
    }
    l->rest = bytes;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct link *l = handle->data;
    uint32_t room = l->state == LINK_OPEN ? READ_BYTES : SHAKE_BYTES;

    (void)suggested;
    if (l->input.n != room) {
        buf_close(&l->input);
        buf_open(&l->input, room);
        buf_extend(&l->input, room);
    }
    *out = uv_buf_init((char *)l->input.p, room);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct link *l = stream->data;
    struct err e = {0};

    if (l->state == LINK_CLOSING || n == 0)
        return;
    if (n < 0) {
        l->hung_up = true;
        net_err(&e, (int)n, "read");
        link_close(l, &e);
        return;
    }
    feed(l, (struct slice){(const uint8_t *)bytes->base, (size_t)n});
}

void link_hold(struct link *l)
{
    if (l->state != LINK_OPEN || l->held)
        return;
    l->held = true;
    uv_read_stop((uv_stream_t *)&l->tcp);
}

bool link_has_rest(const struct link *l)
{
    return l->held && l->rest.n > 0;
}

void link_resume(struct link *l)
{
    struct err e = {0};
    int status;

    if (l->state != LINK_OPEN || !l->held)
        return;
    l->held = false;
    if (l->rest.n > 0)
        feed(l, l->rest);
    if (l->state != LINK_OPEN || l->held)
        return;
    status = uv_read_start((uv_stream_t *)&l->tcp, on_alloc, on_read);
    if (status != 0) {
        net_err(&e, status, "read");
        link_close(l, &e);
    }
}

/* ---- opening ---- */

static struct link *link_new(struct agent *a, struct link_owner owner)
{
    struct link *l = secret_alloc(sizeof *l);

    l->agent = a;
    l->events = owner.events;
    l->user = owner.user;
    l->started_ms = uv_now(a->loop);
    l->tcp.data = l;
    l->connect.data = l;
    return l;
}

/* Nobody has heard of the link yet: no event. */
static bool discard(struct link *l)
{
    l->state = LINK_CLOSING;
    uv_close((uv_handle_t *)&l->tcp, on_released);
    return false;
}

static bool start_reading(struct link *l, struct err *e)
{
    int status;

    l->state = LINK_SHAKING;
    l->channel.spool = (struct channel_spool){l, on_aside, on_view, on_drop};
    l->channel.rekey_ms = (uint64_t)l->agent->config.rekey_s * 1000;
    uv_tcp_nodelay(&l->tcp, 1);
    status = uv_read_start((uv_stream_t *)&l->tcp, on_alloc, on_read);
    return status == 0 || net_err(e, status, "read");
}

static void on_connected(uv_connect_t *request, int status)
{
    struct link *l = request->data;
    struct buf first = {0};
    struct err e = {0};

    if (l->state == LINK_CLOSING)
        return;
    if (status < 0)
        net_err(&e, status, "connect");
    else if (start_reading(l, &e)) {
        /* The handshake's first bytes were kept in the input buffer until there was a connection.
         */
        first = l->input;
        l->input = (struct buf){0};
        write_bytes(l, &first);
        return;
    }
    link_close(l, &e);
}

bool link_dial(struct link **out, struct agent *a, const struct address *address,
               const struct channel_secret *secret, struct link_owner owner, struct err *e)
{
    struct link *l;
    struct sockaddr_in to;
    int status;

    if (!address_socket(&to, address, e))
        return false;
    l = link_new(a, owner);
    l->address = *address;
    status = uv_tcp_init(a->loop, &l->tcp);
    assert(status == 0);
    buf_open(&l->input, FRAME_BYTES_MAX);
    if (!channel_open(&l->channel, true, &a->keys, secret, 1, NULL, &l->input, e))
        return discard(l);
    status = uv_tcp_connect(&l->connect, &l->tcp, (const struct sockaddr *)&to, on_connected);
    if (status < 0) {
        net_err(e, status, "connect");
        return discard(l);
    }
    l->state = LINK_CONNECTING;
    *out = l;
    return true;
}

bool link_accept(struct link **out, struct agent *a, uv_stream_t *server,
                 const struct link_door *door, struct link_owner owner, struct err *e)
{
    struct link *l = link_new(a, owner);
    struct sockaddr_in from = {0};
    struct buf nothing = {0};
    int n = sizeof from;
    int status = uv_tcp_init(a->loop, &l->tcp);

    assert(status == 0);
    l->incoming = true;
    status = uv_accept(server, (uv_stream_t *)&l->tcp);
    if (status < 0) {
        net_err(e, status, "accept");
        return discard(l);
    }
    if (uv_tcp_getpeername(&l->tcp, (struct sockaddr *)&from, &n) == 0)
        address_of(&l->address, (struct sockaddr *)&from);
    if (door->admit != NULL && !door->admit(door->context, &from, e))
        return discard(l);
    if (!channel_open(&l->channel, false, &a->keys, door->secrets, door->count, door->replays,
                      &nothing, e) ||
        !start_reading(l, e))
        return discard(l);
    *out = l;
    return true;
}
