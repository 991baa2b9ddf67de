/* What a person should look at: values that lost without anybody deciding so, and rows that the
 * application's file cannot hold. Both are this site's own lists; every site lists the same
 * conflicts, until somebody dismisses them there. Texts are UTF-8, for people. */
#ifndef NAVETTE_CONFLICTS_H
#define NAVETTE_CONFLICTS_H

#include <navette/bounds.h>
#include <navette/bytes.h>

struct store;

/* A row by what a person knows of it. Owned. */
struct store_row {
    char *table;
    char *key;   /* in this file, or the one it had or should have; NULL: none */
    char *label; /* its name, title, number or the like; NULL: nothing in it looks like one */
    bool in_file;
};

/* A write, or what the row holds now. */
struct store_write {
    const char *type; /* null integer real text blob reference deleted (the row) unknown */
    char *value; /* as text; NULL: type says it. A blob as X'...', a reference as the key here */
    bool cut;    /* the value is longer */
    char by[NAME_BYTES_MAX + 1]; /* enrolment name of the PC, "" if it is no member */
    uint64_t at_ms;              /* 0: not known */
};

struct store_conflict {
    int64_t number;
    uint64_t noticed_ms; /* here */
    struct store_row row;
    char *column;    /* of a deleted or returned row: one that was written */
    const char *why; /* overwritten matched deleted returned put-back yielded united stale doubtful,
                        or other */
    char *text;      /* the same in a sentence */
    struct store_write lost, won, now;
};

struct store_conflicts {
    struct store_conflict *list;
    uint32_t n;
    int64_t dropped; /* dismissed unasked because there were more than CONFLICTS_MAX */
};

/* All, oldest first, or only the one with a number (ERR_USAGE if there is none). Values of up to
 * `bytes`. */
MUST_USE bool store_conflicts(struct store *s, int64_t number, size_t bytes,
                              struct store_conflicts *out, struct err *e);
void store_conflicts_close(struct store_conflicts *c);

/* Take one off the list, or (0) all; `n`: how many. Nothing else changes. */
MUST_USE bool store_conflict_dismiss(struct store *s, int64_t number, uint32_t *n, struct err *e);
/* Undo what the merge decided: the lost value (or the lost delete) is written now, as an edit of
 * this PC, and published; the next store_apply brings it into the file. It leaves the list. If the
 * file would refuse the value nothing is changed and the error says why (ERR_REFUSED). ERR_BUSY:
 * the application has its file, call again. */
MUST_USE bool store_conflict_restore(struct store *s, int64_t number, uint64_t now_ms,
                                     struct err *e);

/* ---- parked ---- */

struct store_parked_row {
    struct store_row row;
    bool kept; /* deleted elsewhere, and still here because rows here refer to it: no trouble */
    uint64_t since_ms;
    char *why;
    const char *help; /* what to do about it */
};

struct store_parked {
    struct store_parked_row *list;
    uint32_t n;
    int64_t parked, kept; /* in all; the list may hold fewer */
};

#define PARKED_LISTED_MAX 1000

MUST_USE bool store_parked(struct store *s, struct store_parked *out, struct err *e);
void store_parked_close(struct store_parked *p);

#endif
