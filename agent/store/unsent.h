/* What cannot be sent: a value that is too long, or a row because of its key, which is too long or
 * in part NULL, or of its filter. It stays in this PC's file alone, and a person is told as long as
 * it is there. The ledger notes which cells were found so (table unsent), and which tables have
 * such keys; whether they still do is asked of the file. */
#ifndef NAVETTE_UNSENT_H
#define NAVETTE_UNSENT_H

#include <navette/change.h>

struct store;
struct app_table;

/* A table in which a row with such a key was found. */
struct unsent_table {
    uint32_t table; /* the ledger's number */
    bool saved;     /* the ledger says so */
    bool is_still;  /* as far as it could be asked */
};

struct unsent {
    struct unsent_table *tables;
    uint32_t n, room;
    bool any;    /* something may be noted */
    bool looked; /* as the file was then: */
    int64_t cursor, batch;
    uint64_t reads;
    char text[400]; /* what a person is told; "" for nothing */
};

/* Is the value too long to be sent? */
bool unsent_is(const struct value *v);
/* Has the row of a table more to be sent than a row may have (store.row_bytes)? */
bool unsent_whole(const struct store *s, const struct app_table *t, const struct value *values);
/* Can a row not be sent whose key these values are: is one of them NULL, so that it names no row,
 * or are they together too long (KEY_BYTES_MAX)? */
bool unsent_key(const struct value *key, uint32_t n);
/* The same of a row of the file, by all of its columns. */
bool unsent_key_of(const struct app_table *t, const struct value *values);
/* A row of this table of the ledger was found to have such a key. To be noted by unsent_save. */
void unsent_row(struct store *s, uint32_t table);
/* Inside a ledger transaction: note what was found. */
MUST_USE bool unsent_save(struct store *s, struct err *e);
#define UNSENT_WHOLE    UINT32_MAX       /* in the place of a position: all of the row, too large */
#define UNSENT_UNJUDGED (UINT32_MAX - 1) /* likewise, as its filter takes too long */
/* Inside a ledger transaction: the cell was found so. */
MUST_USE bool unsent_note(struct store *s, int64_t gid, uint32_t position, struct err *e);
/* Look at the noted cells again if anything may have changed since, forget those that can be sent
 * or are gone, and put the others into s->unsent.text. Nothing where the file is busy: the words
 * stand then. Outside transactions. */
MUST_USE bool unsent_look(struct store *s, struct err *e);
MUST_USE bool unsent_open(struct store *s, struct err *e);
void unsent_close(struct store *s);

#endif
