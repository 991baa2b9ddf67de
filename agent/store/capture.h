/* Capture: the triggers that mark dirty rows, and the few tables of ours in the application's file.
 *
 *     _navette_dirty(id INTEGER PRIMARY KEY, tbl, op, t REAL, k1, o1, k2, o2...)
 *     _navette_table(id INTEGER PRIMARY KEY, name TEXT UNIQUE, repairs INTEGER)
 *     _navette_state(id INTEGER PRIMARY KEY CHECK (id = 1), token BLOB, batch INTEGER,
 *                    previous BLOB, payload BLOB, fleet BLOB, point BLOB, ledger TEXT)
 *
 * t is julianday('now') of the statement. o1.. are NULL unless an update moved the key. */
#ifndef NAVETTE_CAPTURE_H
#define NAVETTE_CAPTURE_H

#include <navette/keys.h>

#include "appdb.h"

enum { MARK_INSERT = 1, MARK_UPDATE = 2, MARK_DELETE = 3 };

/* Our tables (a random first token in _navette_state), then triggers on the named tables, in one
 * transaction. Tables already tracked are left as they are. ERR_REFUSED names the table that cannot
 * be tracked and why; nothing is changed then. ERR_BUSY as usual. Reloads the schema. */
MUST_USE bool capture_install(struct appdb *a, const char *const *names, uint32_t n, struct err *e);
/* Is it the name of one of our tables? Other names that begin with _navette_ are the application's;
 * such a table cannot be tracked, since later versions may need its name. */
bool capture_owns(const char *name);
/* Drop the triggers of the named tables, and their marks. */
MUST_USE bool capture_remove(struct appdb *a, const char *const *names, uint32_t n, struct err *e);
/* Everything of ours: triggers, then tables, one transaction. The schema is as it was before the
 * first install. */
MUST_USE bool capture_uninstall(struct appdb *a, struct err *e);
/* A tracked table that was made anew under another name keeps its number. Its triggers are for
 * capture_verify to put back, which counts a repair. */
MUST_USE bool capture_rename(struct appdb *a, const char *name, const char *now, struct err *e);
/* Are all triggers of all tracked tables there, word for word? Puts back what is missing or
 * altered; `repaired` (may be NULL) gets the indices of the tables concerned (their rows must be
 * reconciled), `n_repaired` how many; the caller frees. A tracked table that vanished is left in
 * _navette_table and reported in no list. */
MUST_USE bool capture_verify(struct appdb *a, uint32_t **repaired, uint32_t *n_repaired,
                             struct err *e);

struct mark {
    int64_t id;
    int64_t table; /* number */
    int op;
    uint32_t key_count;
    bool moved;              /* an update gave the row another key: `old` is the one before */
    bool long_key, long_old; /* nobody is sent it (unsent_key): all VALUE_NULL here */
    double julian_day;       /* 0 if what stands there is no time */
    const struct value *key; /* as many as the table has key columns; good until marks_close */
    const struct value *old; /* likewise; all VALUE_NULL unless the key moved. A key column that is
                                NULL now was not when its table was tracked. */
};

/* Texts and blobs in the keys of one marks_read; what does not fit is left for the next. */
#define MARKS_BYTES_MAX (256u << 20)

struct marks {
    struct mark *marks;
    uint32_t n, room;
    int64_t last; /* id of the last one looked at, of a tracked table or not: where to go on */
    struct value *values; /* what the marks point into */
    size_t values_n, values_room;
    struct buf bytes;
};

/* Replaces what `out` held. Inside a read or write transaction: marks with id > after, at most
 * `max`, rising. Tables not tracked (any more) are left out. */
MUST_USE bool marks_read(struct appdb *a, int64_t after, uint32_t max, struct marks *out,
                         struct err *e);
void marks_close(struct marks *m);
/* Highest mark id in the file (0 if none), and its time; one with id `id`: its time, or `found`
 * false. */
MUST_USE bool marks_last(struct appdb *a, int64_t *id, double *julian_day, struct err *e);
MUST_USE bool marks_time(struct appdb *a, int64_t id, double *julian_day, bool *found,
                         struct err *e);
/* The lowest id of a mark in the file, 0 if none. */
MUST_USE bool marks_first(struct appdb *a, int64_t *id, struct err *e);
/* Inside a write transaction: delete marks with id < keep (the last drained stays), a few
 * milliseconds' worth of the oldest. */
#define MARKS_PURGED_MAX 10000
MUST_USE bool marks_purge(struct appdb *a, int64_t keep, struct err *e);

#define APP_TOKEN_BYTES       16
#define APP_PAYLOAD_BYTES_MAX (256 << 20)
#define APP_POINT_BYTES_MAX   (256 << 10)

struct app_state {
    bool found;
    uint8_t token[APP_TOKEN_BYTES];
    int64_t batch;
    uint8_t previous[APP_TOKEN_BYTES]; /* zeros before the first apply */
    struct buf payload;
    struct buf point; /* where the file stands, for a ledger that does not know (placed.h) */
    bool fleet_known; /* whose the file is: that of the agent that wrote this. Read only */
    uint8_t fleet[FLEET_ID_BYTES];
};

/* Only the token; zeros if there is none. */
MUST_USE bool app_token_read(struct appdb *a, uint8_t token[APP_TOKEN_BYTES], struct err *e);
MUST_USE bool app_state_read(struct appdb *a, struct app_state *s, struct err *e);
/* Inside a write transaction; the fleet is a->fleet. */
MUST_USE bool app_state_write(struct appdb *a, const struct app_state *s, struct err *e);
/* Likewise: only the token. */
MUST_USE bool app_token_write(struct appdb *a, const uint8_t token[APP_TOKEN_BYTES], struct err *e);
void app_state_close(struct app_state *s);
/* Where the ledger was that kept this file last; the caller frees. NULL: it says nothing. */
MUST_USE bool app_ledger_read(struct appdb *a, char **path, struct err *e);

/* ---- which rows its keys name, as placed.h writes it ---- */
/* Inside a write transaction. */
MUST_USE bool app_point_write(struct appdb *a, struct slice point, struct err *e);
MUST_USE bool app_placed_add(struct appdb *a, struct slice rows, struct err *e);
MUST_USE bool app_placed_clear(struct appdb *a, struct err *e);
/* The number of the last entry, 0 if there is none. */
MUST_USE bool app_placed_last(struct appdb *a, int64_t *id, struct err *e);
/* The first entry behind *id (0: the first of all), which moves on. */
MUST_USE bool app_placed_next(struct appdb *a, int64_t *id, struct buf *rows, bool *found,
                              struct err *e);

#endif
