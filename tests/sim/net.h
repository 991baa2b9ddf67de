/* The network: one connection at most between two PCs. Messages arrive in order and late. A
 * connection can break (what is under way is lost and both ends learn it), a cable can be pulled
 * (nobody learns anything, what is under way waits) and plugged in again. As TCP, it loses no
 * message in the middle and doubles none. */
#ifndef SIM_NET_H
#define SIM_NET_H

#include <navette/bytes.h>

#include "rng.h"

#define NET_NODES_MAX 8

enum net_event_kind {
    NET_NOTHING,
    NET_OPENED,  /* a new connection to `peer`; the other end learns it at the same time */
    NET_MESSAGE, /* `bytes` came from `peer`: free with buf_close */
    NET_CLOSED   /* the connection to `peer` is gone */
};

struct net_event {
    enum net_event_kind kind;
    uint32_t node, peer;
    struct buf bytes;
};

struct net_message {
    uint64_t due_ms;
    bool closes; /* the peer hung up after all before */
    struct buf bytes;
};

/* One end of a connection. */
struct net_end {
    bool open;
    struct net_message *queue; /* towards this end */
    uint32_t n, room;
};

struct net_pair {
    struct net_end ends[2]; /* of the lower and the higher node */
    bool cut;
    uint64_t dial_ms;  /* when they try to connect next */
    uint32_t delay_ms; /* of this connection */
};

struct net {
    uint32_t nodes;
    uint32_t loss_percent; /* chance that a message breaks its connection */
    struct rng rng;
    bool running[NET_NODES_MAX];
    struct net_pair pairs[NET_NODES_MAX][NET_NODES_MAX]; /* [lower][higher] */
};

void net_open(struct net *n, uint32_t nodes, uint32_t loss_percent, struct rng rng);
void net_close(struct net *n);

/* `node` listens and dials from now on. */
void net_start(struct net *n, uint32_t node, uint64_t now_ms);
/* Its process ended. `silent`: with the PC, so that peers learn nothing until they ask or it is
 * back. */
void net_stop(struct net *n, uint32_t node, bool silent, uint64_t now_ms);
void net_cut(struct net *n, uint32_t a, uint32_t b);
void net_heal(struct net *n, uint32_t a, uint32_t b, uint64_t now_ms);
bool net_is_cut(const struct net *n, uint32_t a, uint32_t b);
bool net_connected(const struct net *n, uint32_t a, uint32_t b);

void net_send(struct net *n, uint32_t from, uint32_t to, struct slice bytes, uint64_t now_ms);
/* `node` hangs up on `peer`. */
void net_hang_up(struct net *n, uint32_t node, uint32_t peer, uint64_t now_ms);

/* When something happens next; UINT64_MAX: never. */
uint64_t net_next_ms(const struct net *n);
/* What happened until now; NET_NOTHING when all has been told. */
struct net_event net_take(struct net *n, uint64_t now_ms);

#endif
