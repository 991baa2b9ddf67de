/* navette-bench: what capture and apply cost, each beside the same work without us, in one run.
 * Every figure is the median of rounds in which the two sides take turns. */
#ifndef NAVETTE_BENCH_H
#define NAVETTE_BENCH_H

#include <navette/store.h>

struct sqlite3;
struct sqlite3_stmt;

#define ROUNDS_MAX 15

struct bench {
    char directory[512]; /* scratch; its files are the caller's to remove */
    uint32_t rows;       /* in bulk runs */
    uint32_t rounds;
    uint32_t single;      /* one-row transactions with synchronous NORMAL */
    uint32_t single_full; /* and with FULL */
    uint64_t wall_ms;     /* given to the store as the time */
};

/* Seconds of one kind of work over the rounds. */
struct times {
    double s[ROUNDS_MAX];
    uint32_t n;
};

double now_s(void);
void times_add(struct times *t, double seconds);
double times_median(const struct times *t);

/* Print one result as a JSON line: {"name": ..., "with": s, "without": s, "limit": s, "rows": n}.
 * `limit` NULL: none is known. */
void report(const char *name, const struct times *with, const struct times *without,
            const struct times *limit, uint32_t rows);

/* End the program with a message when something that must work does not. */
void must(bool ok, const struct err *e, const char *doing);

/* ---- the table: 8 columns, one UNIQUE index, WAL ---- */

/* A new, empty database at directory/name; `path` (1024) gets where. Each call makes another file.
 */
void table_create(const struct bench *b, const char *name, char *path);
/* A connection as an application has it: synchronous NORMAL, or FULL. */
struct sqlite3 *table_open(const char *path, bool full);
void sql_run(struct sqlite3 *db, const char *sql);
/* Insert rows first..first+n-1, `per` to a transaction. */
void table_insert(struct sqlite3 *db, uint32_t first, uint32_t n, uint32_t per);
/* Change three columns of rows first..first+n-1, `per` to a transaction. */
void table_update(struct sqlite3 *db, uint32_t first, uint32_t n, uint32_t per);

/* Write all columns of those rows, as ORMs do, two of them changed. */
void table_save(struct sqlite3 *db, uint32_t first, uint32_t n, uint32_t per);

/* ---- a site: an identity, a roster and a store on a database ---- */

struct site {
    struct keys keys;
    struct roster roster;
    struct store *store;
};

/* `founder` NULL: a fleet of its own; else a member of the founder's. The home is made in the
 * directory. */
void site_open(struct site *s, const struct bench *b, const char *name, const char *database,
               struct site *founder);
void site_close(struct site *s);

void bench_capture(struct bench *b);
void bench_apply(struct bench *b);
void bench_adopt(struct bench *b);

#endif
