#include "net.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES_ROOM (256u << 20)
#define NEVER              UINT64_MAX

void net_open(struct net *n, uint32_t nodes, uint32_t loss_percent, struct rng rng)
{
    assert(nodes <= NET_NODES_MAX);
    *n = (struct net){.nodes = nodes, .loss_percent = loss_percent, .rng = rng};
}

static void drop_from(struct net_end *end, uint32_t first)
{
    for (uint32_t i = first; i < end->n; i++)
        buf_close(&end->queue[i].bytes);
    end->n = first;
}

void net_close(struct net *n)
{
    for (uint32_t a = 0; a < n->nodes; a++)
        for (uint32_t b = a + 1; b < n->nodes; b++)
            for (int i = 0; i < 2; i++) {
                drop_from(&n->pairs[a][b].ends[i], 0);
                free(n->pairs[a][b].ends[i].queue);
            }
    *n = (struct net){0};
}

static struct net_pair *pair_of(struct net *n, uint32_t a, uint32_t b)
{
    assert(a != b);
    return a < b ? &n->pairs[a][b] : &n->pairs[b][a];
}

static const struct net_pair *pair_seen(const struct net *n, uint32_t a, uint32_t b)
{
    return a < b ? &n->pairs[a][b] : &n->pairs[b][a];
}

/* The end at `node` of its connection with `peer`. */
static struct net_end *end_of(struct net *n, uint32_t node, uint32_t peer)
{
    return &pair_of(n, node, peer)->ends[node < peer ? 0 : 1];
}

static struct net_message *queue_add(struct net *n, struct net_pair *p, struct net_end *end,
                                     uint64_t now_ms)
{
    uint64_t due_ms = now_ms + p->delay_ms + rng_below(&n->rng, p->delay_ms + 2);

    if (end->n == end->room) {
        end->room = end->room * 2 + 8;
        end->queue = mem_grow(end->queue, end->room * sizeof *end->queue);
    }
    if (end->n > 0 && end->queue[end->n - 1].due_ms > due_ms)
        due_ms = end->queue[end->n - 1].due_ms;
    end->queue[end->n] = (struct net_message){.due_ms = due_ms};
    return &end->queue[end->n++];
}

/* The end learns, after some of what is under way to it, that the connection is gone. */
static void break_end(struct net *n, struct net_pair *p, struct net_end *end, uint64_t now_ms)
{
    if (!end->open)
        return;
    drop_from(end, rng_below(&n->rng, end->n + 1));
    queue_add(n, p, end, now_ms)->closes = true;
}

/* When the two try again: soon, and later the unluckier they are. */
static void dial_later(struct net *n, struct net_pair *p, uint64_t now_ms)
{
    p->dial_ms = now_ms + 10 + rng_below(&n->rng, rng_chance(&n->rng, 80) ? 200 : 3000);
}

void net_start(struct net *n, uint32_t node, uint64_t now_ms)
{
    n->running[node] = true;
    for (uint32_t peer = 0; peer < n->nodes; peer++) {
        struct net_pair *p;

        if (peer == node)
            continue;
        p = pair_of(n, node, peer);
        /* Who still talks to what was there before gets a reset. */
        break_end(n, p, end_of(n, peer, node), now_ms);
        dial_later(n, p, now_ms);
    }
}

void net_stop(struct net *n, uint32_t node, bool silent, uint64_t now_ms)
{
    n->running[node] = false;
    for (uint32_t peer = 0; peer < n->nodes; peer++) {
        if (peer == node)
            continue;
        end_of(n, node, peer)->open = false;
        drop_from(end_of(n, node, peer), 0);
        if (!silent)
            break_end(n, pair_of(n, node, peer), end_of(n, peer, node), now_ms);
    }
}

void net_cut(struct net *n, uint32_t a, uint32_t b)
{
    pair_of(n, a, b)->cut = true;
}

void net_heal(struct net *n, uint32_t a, uint32_t b, uint64_t now_ms)
{
    struct net_pair *p = pair_of(n, a, b);

    if (!p->cut)
        return;
    p->cut = false;
    dial_later(n, p, now_ms);
    /* One end gave up meanwhile: the other one hears of it now. */
    for (int i = 0; i < 2; i++)
        if (!p->ends[1 - i].open)
            break_end(n, p, &p->ends[i], now_ms);
}

bool net_is_cut(const struct net *n, uint32_t a, uint32_t b)
{
    return pair_seen(n, a, b)->cut;
}

bool net_connected(const struct net *n, uint32_t a, uint32_t b)
{
    const struct net_pair *p = pair_seen(n, a, b);

    return !p->cut && p->ends[0].open && p->ends[1].open;
}

void net_send(struct net *n, uint32_t from, uint32_t to, struct slice bytes, uint64_t now_ms)
{
    struct net_pair *p = pair_of(n, from, to);
    struct net_end *end = end_of(n, to, from);
    struct net_message *m;

    if (!end->open || !end_of(n, from, to)->open)
        return;
    m = queue_add(n, p, end, now_ms);
    buf_open(&m->bytes, MESSAGE_BYTES_ROOM);
    buf_add(&m->bytes, bytes.p, bytes.n);
    if (rng_chance(&n->rng, n->loss_percent)) {
        break_end(n, p, end, now_ms);
        break_end(n, p, end_of(n, from, to), now_ms);
    }
}

void net_hang_up(struct net *n, uint32_t node, uint32_t peer, uint64_t now_ms)
{
    struct net_pair *p = pair_of(n, node, peer);
    struct net_end *other = end_of(n, peer, node);

    end_of(n, node, peer)->open = false;
    drop_from(end_of(n, node, peer), 0);
    if (other->open && !p->cut)
        queue_add(n, p, other, now_ms)->closes = true;
    dial_later(n, p, now_ms);
}

static uint64_t pair_next_ms(const struct net *n, uint32_t a, uint32_t b)
{
    const struct net_pair *p = &n->pairs[a][b];
    uint64_t next = NEVER;

    if (p->cut)
        return NEVER;
    if (n->running[a] && n->running[b] && !p->ends[0].open && !p->ends[1].open)
        next = p->dial_ms;
    for (int i = 0; i < 2; i++)
        if (p->ends[i].open && p->ends[i].n > 0 && p->ends[i].queue[0].due_ms < next)
            next = p->ends[i].queue[0].due_ms;
    return next;
}

uint64_t net_next_ms(const struct net *n)
{
    uint64_t next = NEVER;

    for (uint32_t a = 0; a < n->nodes; a++)
        for (uint32_t b = a + 1; b < n->nodes; b++)
            if (pair_next_ms(n, a, b) < next)
                next = pair_next_ms(n, a, b);
    return next;
}

static struct net_event take_message(struct net *n, struct net_pair *p, uint32_t node,
                                     uint32_t peer, uint64_t now_ms)
{
    struct net_end *end = end_of(n, node, peer);
    struct net_message m = end->queue[0];

    memmove(end->queue, end->queue + 1, --end->n * sizeof *end->queue);
    if (!m.closes)
        return (struct net_event){NET_MESSAGE, node, peer, m.bytes};
    end->open = false;
    drop_from(end, 0);
    dial_later(n, p, now_ms);
    return (struct net_event){.kind = NET_CLOSED, .node = node, .peer = peer};
}

/* The connection is up for both at once; the higher node's event is told by a message of no bytes.
 */
static struct net_event connect_pair(struct net *n, struct net_pair *p, uint32_t a, uint32_t b)
{
    p->delay_ms = rng_below(&n->rng, rng_chance(&n->rng, 85) ? 8 : 900);
    for (int i = 0; i < 2; i++) {
        drop_from(&p->ends[i], 0);
        p->ends[i].open = true;
    }
    return (struct net_event){.kind = NET_OPENED, .node = a, .peer = b};
}

struct net_event net_take(struct net *n, uint64_t now_ms)
{
    for (uint32_t a = 0; a < n->nodes; a++)
        for (uint32_t b = a + 1; b < n->nodes; b++) {
            struct net_pair *p = &n->pairs[a][b];

            if (pair_next_ms(n, a, b) > now_ms)
                continue;
            for (int i = 0; i < 2; i++)
                if (p->ends[i].open && p->ends[i].n > 0 && p->ends[i].queue[0].due_ms <= now_ms)
                    return take_message(n, p, i == 0 ? a : b, i == 0 ? b : a, now_ms);
            return connect_pair(n, p, a, b);
        }
    return (struct net_event){.kind = NET_NOTHING};
}
