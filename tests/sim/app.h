/* The application: it owns its file, knows nothing of us, and has an application's habits. Its
 * operations are drawn by chance and written as plain SQL with literals, so that a trace can be
 * pasted into a shell. */
#ifndef SIM_APP_H
#define SIM_APP_H

#include "view.h"

#define APP_MOVES_MAX   16
#define APP_TOUCHES_MAX 32

/* A row whose name changed because its key did. */
struct app_move {
    uint32_t table;
    uint32_t from, to; /* words */
};

typedef void app_on_sql(void *context, const char *sql);

struct app {
    struct sqlite3 *db; /* NULL: not running */
    const struct shape *shape;
    struct words *words;
    struct rng rng;
    uint32_t site;      /* its PC */
    uint64_t *serial;   /* the world's: makes each written value unlike all others */
    app_on_sql *on_sql; /* for the trace */
    void *context;
    struct view before; /* when the transaction began */
    struct view
        now;   /* as the transaction sees it; when none is open, as it was after the last one */
    bool open; /* a transaction is */
    struct app_move moves[APP_MOVES_MAX]; /* of this transaction */
    uint32_t moves_n;
    uint32_t touches[APP_TOUCHES_MAX]; /* words: rows that it wrote to, also what stood there */
    uint32_t touches_n;
    struct view_row kept; /* a row as it was read once, to be saved later */
    bool has_kept;
    bool unwatched; /* a migration has made a table anew, and no agent has looked since: what is
                       written has no mark, and a key given again cannot be told */
};

/* Make the file: page size by chance, journal mode too when `mode` is NULL. */
MUST_USE bool app_create(const struct shape *s, const char *path, const char *vfs, const char *mode,
                         struct rng *r, struct err *e);
/* Start the application on its file; `a` has shape, words, rng, serial and on_sql. */
MUST_USE bool app_open(struct app *a, const char *path, const char *vfs, struct err *e);
/* Stop it; an open transaction is rolled back. */
void app_close(struct app *a);
/* Also releases the views. */
void app_free(struct app *a);

/* Any SQL in autocommit or in the open transaction. ERR_REFUSED when a constraint forbids it. */
MUST_USE bool app_run(struct app *a, struct err *e, const char *format, ...);

MUST_USE bool app_begin(struct app *a, struct err *e);
/* The open transaction writes to this row. */
void app_touch(struct app *a, const struct view_row *row);
/* The commit gets number `tick`, which the application keeps in its file. */
MUST_USE bool app_commit(struct app *a, int64_t tick, struct err *e);
void app_rollback(struct app *a);

#endif
