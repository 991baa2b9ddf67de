/* The inside of matching: what match.c, match_copy.c and match_content.c share. */
#ifndef NAVETTE_MATCH_H
#define NAVETTE_MATCH_H

#include "scan.h"

struct named;

#define MATCH_SIGNATURE_BYTES 16

/* Candidates with one signature, in order of their gids. */
struct match_link {
    uint8_t signature[MATCH_SIGNATURE_BYTES];
    uint32_t next; /* 1 + index; 0: none */
};

struct candidate {
    int64_t gid;
    struct binding *b;
    struct slice rec;      /* in the matcher's arena */
    struct row_key own;    /* of this PC once, or of the member that told its keys; else none */
    struct row_key placed; /* where it was in this PC's file last; else none */
    bool alive, taken;
    bool edited;                   /* paired although its content differs */
    uint32_t hinted;               /* 1 + index of the next with the same key at its author */
    struct match_link same, alike; /* in content; in what shows that two states are one row */
    uint64_t exact;                /* of its content with marks */
};

struct match_table {
    bool *unique; /* by column: in a UNIQUE key */
    bool has_unique;
};

/* match_copy.c: what tells which rows of a table a copy was made with. */
struct match_origin {
    int64_t last;  /* the highest key under which file and fleet hold one row alike; or INT64_MIN */
    bool *telling; /* by column: no two rows of the fleet have one value there; NULL: not read */
};

struct matcher {
    struct store *s;
    bool copy;
    bool own;     /* the file is known to have been the fleet's: equal content is the same row */
    bool joining; /* the whole file is matched, by a PC that has said nothing yet */
    bool alone; /* no other member: the file is right. Equal keys are the same row, what differs was
                   written since, and what is not there was deleted. */
    bool evident; /* nobody says that it is a copy, but it shows */
    uint64_t now_ms;
    uint8_t token[APP_TOKEN_BYTES]; /* of the whole file as it was matched */
    struct arena arena;
    struct candidate *candidates;
    uint32_t n, room;
    struct keymap by_key; /* 1 + index of the candidate under the key that a PC has or had for it */
    struct keymap by_hint;  /* likewise, under its author's: the first of them */
    struct keymap by_place; /* likewise, under `placed` */
    struct keymap by_death; /* of a deleted one, under the key that it had in this file */
    struct keymap by_gid;
    struct touch_list rows;   /* of the file; gid: the candidate paired with, 0: none */
    struct keymap row_by_key; /* 1 + index into rows */
    struct record rec;
    struct value *values;
    struct buf key_room, value_room;
    int64_t cursor; /* last mark that the snapshot contains */
    double cursor_time;
    struct match_origin *origins; /* match_copy.c, by app_index */
    /* match_content.c: */
    struct match_table *tables;            /* by app_index */
    struct keymap by_content, by_likeness; /* 1 + index of the first candidate with a signature */
    uint64_t *had; /* by actor: the last of its change-sets that this PC's file held for certain */
    uint32_t paired;
};

/* The candidate with this gid; NULL if there is none. */
struct candidate *match_candidate(const struct matcher *m, int64_t gid);
/* Is a cell of the fleet what the file's row holds in this column? References in the terms of a PC
 * that is known. */
MUST_USE bool match_same_cell(struct matcher *m, const struct value *fleet, const struct touched *t,
                              uint32_t column, bool *same, struct err *e);
/* Nearly all rows have been paired: nobody has such a file by chance. */
bool match_is_evident(const struct matcher *m);
/* Pair rows whose content differs, if the file is a copy: because a person said so (m->copy), or
 * because nearly all of it is equal. */
MUST_USE bool match_copies(struct matcher *m, struct err *e);
/* Rows have been paired by content: learn from them up to where the copy goes. */
MUST_USE bool match_find_origins(struct matcher *m, struct err *e);
/* Is the row of the file, which holds something else than this row of the fleet under the same key
 * and with the same UNIQUE values (`unique`, by column), that one all the same? Or did both PCs
 * make a row each, after the copy, under one number? Decodes others into m->rec. */
MUST_USE bool match_was_copied(struct matcher *m, const struct candidate *c,
                               const struct touched *t, const bool *unique, bool *was,
                               struct err *e);
/* The row that a reference of the file names: the fleet's, 0 if it is not paired (or not `there`).
 */
MUST_USE bool match_named(struct matcher *m, const struct named *named, int64_t *gid, bool *there,
                          struct err *e);
/* Pair what is left by keys and content, as far as the pairs agree with each other. */
MUST_USE bool match_by_keys(struct matcher *m, struct err *e);
/* Pair by content, whatever the keys: the file is the fleet's own (m->own). */
MUST_USE bool match_contents(struct matcher *m, struct err *e);
/* A value of the file in the fleet's terms. `known` false: it names a row that is not paired. */
MUST_USE bool match_value(struct matcher *m, const struct touched *t, uint32_t column,
                          struct value *out, bool *known, struct err *e);
/* Has this PC been a member before? */
bool match_is_own(const struct store *s);

#endif
