/* Gather: who may bring a large message. A member's message can have 64 MiB, and comes in pieces
 * that are kept until it is whole; so that several links do not keep several of them, one at a time
 * may bring more than GATHER_FREE bytes of one. The others wait, unread, in the order in which they
 * came so far. While somebody waits, the one whose turn it is must be quick; who was not comes
 * behind the others for a while. Pure: no clock. */
#ifndef NAVETTE_GATHER_H
#define NAVETTE_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GATHER_FREE     (1u << 20) /* of a message: always */
#define GATHER_GRACE_MS 4000       /* after so long */
#define GATHER_RATE     (1u << 20) /* it must have brought so much a second, while others wait */
#define GATHER_LAST_MS  300000     /* who did not is the last one for so long */

/* One link's part in it. Zeroed: nothing has come. */
struct gatherer {
    uint64_t place; /* in the row of those that wait; 0: it does not */
};

/* Zeroed: nobody's turn. */
struct gather {
    const struct gatherer *turn; /* NULL: nobody's */
    uint64_t since_ms;
    size_t from, bytes; /* of its message: when the turn began, and now */
    uint64_t places;    /* given so far */
    uint32_t waiting;
};

/* `bytes` of a message that is not whole are there. False: it waits from now on, and is not to be
 * read. */
bool gather_may(struct gather *g, struct gatherer *of, size_t bytes, uint64_t now_ms);
/* Its message is whole, or it has gone. True: the turn is free now. */
bool gather_end(struct gather *g, struct gatherer *of);
/* It waits, and is the first of those that do: it may go on, and has `bytes` already. */
void gather_give(struct gather *g, struct gatherer *of, size_t bytes, uint64_t now_ms);
/* Others wait, and the one whose turn it is brings too little: its link is to be closed. */
bool gather_is_slow(const struct gather *g, uint64_t now_ms);

#endif
