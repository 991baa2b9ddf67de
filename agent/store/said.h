/* Said: which rows the change-sets of the log name, and under which keys their authors had them. So
 * a copy's references can be told in the words of the author while the fleet's rows are not in the
 * file yet. In memory, for a newcomer only, and filled when it is first asked. */
#ifndef NAVETTE_SAID_H
#define NAVETTE_SAID_H

#include "inside.h"

struct said_row {
    uint32_t table; /* index into app_schema.tables */
    struct row_key key;
    int64_t gid;
};

struct said {
    uint64_t reads;    /* of the schema, when it was made */
    uint64_t *read_to; /* of each actor of the ledger, by its number */
    uint32_t read_room;
    struct actor *actors;
    uint32_t actor_count;
    struct said_row *rows;
    uint32_t n, room;
    struct keymap keys, gids; /* 1 + index into rows; gids under table 0 */
    struct arena arena;
};

/* Take in what came into the log since the last time. */
MUST_USE bool said_catch_up(struct store *s, struct err *e);
/* What a peer says of rows that an outline of the log's next change-set refers to: OUTLINE_NAMES.
 * No more than `most` rows. */
MUST_USE bool said_take_names(struct store *s, struct slice names, uint32_t most, struct err *e);
/* The answer to such a question. */
MUST_USE bool said_tell_names(struct store *s, struct slice body, struct buf *out, struct err *e);

/* A gid as `said` packs it: the actor by its place in said.actors, where it is added. */
int64_t said_gid(struct said *d, const struct actor *a, uint64_t counter);
/* The tracked table of our file by this name; NULL: there is none. */
struct binding *said_table(struct store *s, struct slice name);
/* NULL: nobody said so. */
const struct said_row *said_by_key(const struct said *d, uint32_t table, const struct row_key *key);
const struct said_row *said_by_gid(const struct said *d, int64_t gid);
void said_close(struct said **d);

#endif
