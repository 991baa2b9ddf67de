/* A visitor at a PC of the floor: somebody who has a secret, speaks as he likes, and notes what he
 * hears. He lives on the loop of the PC that he visits, and must leave before it stops. */
#ifndef NAVETTE_TESTS_VISITOR_H
#define NAVETTE_TESTS_VISITOR_H

#include <navette/message.h>

#include "floor.h"
#include "link.h"

struct visitor {
    struct agent agent; /* its keys and the loop */
    struct link *link;
    struct channel_secret secret;
    bool opened, closed;
    uint32_t heard[256]; /* messages, by kind */
    char bye_code[MESSAGE_WORD_BYTES_MAX + 1], bye_text[MESSAGE_TEXT_BYTES_MAX + 1];
    struct actor actor; /* of the host, from its HELLO */
    struct err why;
};

static inline void visitor_on_open(struct link *l)
{
    ((struct visitor *)l->user)->opened = true;
}

static inline bool visitor_on_message(struct link *l, struct slice bytes, struct err *e)
{
    struct visitor *v = l->user;
    struct message m;
    struct err ignored = {0};

    (void)e;
    v->heard[bytes.n > 1 ? bytes.p[1] : 0]++;
    if (message_read(&m, bytes, &ignored) && m.kind == MESSAGE_KIND_BYE) {
        memcpy(v->bye_code, m.bye.code.p, m.bye.code.n);
        memcpy(v->bye_text, m.bye.text.p, m.bye.text.n);
    }
    if (m.kind == MESSAGE_KIND_HELLO)
        v->actor = m.hello.actor;
    message_close(&m);
    return true;
}

static inline bool visitor_on_heard(struct link *l, struct slice start, size_t bytes, size_t more,
                                    struct err *e)
{
    (void)l, (void)start, (void)bytes, (void)more, (void)e;
    return true;
}

static inline void visitor_on_drained(struct link *l)
{
    (void)l;
}

static inline void visitor_on_closed(struct link *l, const struct err *why)
{
    struct visitor *v = l->user;

    v->closed = true;
    v->why = *why;
    v->link = NULL;
}

static const struct link_events visitor_events = {
    visitor_on_open, visitor_on_message, visitor_on_heard, visitor_on_drained, visitor_on_closed};

/* Connect to `host` as whoever has `keys` and that secret. */
static inline void visit_by(struct visitor *v, struct pc *host, const struct keys *keys,
                            const struct channel_secret *secret)
{
    struct err e = {0};

    *v = (struct visitor){.agent = {.loop = &host->loop, .keys = *keys}, .secret = *secret};
    must(link_dial(&v->link, &v->agent, &host->config.listen, &v->secret,
                   (struct link_owner){&visitor_events, v}, &e),
         &e);
}

static inline void visit_with(struct visitor *v, struct pc *host, const struct keys *keys,
                              const uint8_t fleet_key[KEY_BYTES])
{
    struct channel_secret secret = {.mode = CHANNEL_FLEET};

    memcpy(secret.psk, fleet_key, sizeof secret.psk);
    memcpy(secret.context, host->agent.roster.fleet, sizeof secret.context);
    visit_by(v, host, keys, &secret);
}

/* With the fleet's present one. */
static inline void visit(struct visitor *v, struct pc *host, const struct keys *keys)
{
    visit_with(v, host, keys, host->agent.fleet_keys.keys[0]);
}

static inline void visitor_leaves(struct visitor *v)
{
    if (v->link != NULL)
        link_close(v->link, NULL);
}

static inline void visitor_says(struct visitor *v, const struct message *m)
{
    struct buf out;

    buf_open(&out, MESSAGE_BYTES_MAX);
    message_write(&out, m);
    link_send_all(v->link, buf_slice(&out));
    buf_close(&out);
}

/* The first word of a member that has nothing. */
static inline void visitor_greets(struct visitor *v, struct pc *host)
{
    struct message m = {.kind = MESSAGE_KIND_HELLO,
                        .hello = {.protocol = MESSAGE_PROTOCOL, .wall_ms = 1}};

    memcpy(m.hello.roster_digest, host->agent.roster_digest, sizeof m.hello.roster_digest);
    memcpy(m.hello.actor.bytes, v->agent.keys.site.bytes, sizeof v->agent.keys.site.bytes);
    visitor_says(v, &m);
}

/* A runs, and B, a member, is with it as a visitor, who has greeted. */
static inline void open_visited_pc(struct floor *f, struct pc *a, struct pc *b, struct visitor *v)
{
    *f = (struct floor){0};
    open_founding_pc(f, a, goods);
    pc_open(f, b, "B", no_goods);
    pc_enrol(a, b);
    pc_start(a);
    AWAIT(f, is_at_rest(a));
    visit(v, a, &b->keys);
    AWAIT(f, v->opened);
    visitor_greets(v, a);
}

/* Ask who is present so many times; the host has heard it then. */
static inline void visitor_asks(struct visitor *v, struct floor *f, int times)
{
    while (times-- > 0)
        visitor_says(v, &(struct message){.kind = MESSAGE_KIND_ASKPRESENCE});
    AWAIT(f, link_queued(v->link) == 0);
    floor_turns(f, 50);
}

/* Read nothing more: SYNC_PONG_BYTES wait at the other end. */
static inline void visitor_stops_reading(struct visitor *v, struct floor *f,
                                         struct link *to_visitor)
{
    int small = 4096;

    uv_send_buffer_size((uv_handle_t *)&to_visitor->tcp, &small);
    link_hold(v->link);
    while (link_queued(to_visitor) < SYNC_PONG_BYTES)
        visitor_asks(v, f, 100);
}

#endif
