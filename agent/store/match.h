/* The inside of matching: what match.c and match_copy.c share. */
#ifndef NAVETTE_MATCH_H
#define NAVETTE_MATCH_H

#include "scan.h"

struct candidate {
    int64_t gid;
    struct binding *b;
    struct slice rec;   /* in the matcher's arena */
    struct row_key own; /* of this PC once, or of the member that told its keys; else none */
    bool alive, taken;
};

struct matcher {
    struct store *s;
    bool copy;
    bool alone; /* no other member: the file is right. Equal keys are the same row, what differs was
                   written since, and what is not there was deleted. */
    uint64_t now_ms;
    struct arena arena;
    struct candidate *candidates;
    uint32_t n, room;
    struct keymap by_key; /* 1 + index of the candidate under the key that a PC has or had for it */
    struct keymap by_hint;  /* likewise, under its author's */
    struct keymap by_death; /* of a deleted one, under the key that it had in this file */
    struct keymap by_gid;
    struct touch_list rows;   /* of the file; gid: the candidate paired with, 0: none */
    struct keymap row_by_key; /* 1 + index into rows */
    struct record rec;
    struct value *values;
    struct buf key_room, value_room;
    int64_t cursor; /* last mark that the snapshot contains */
    double cursor_time;
    uint32_t *copied; /* indices of rows paired although their content differs */
    uint32_t copied_count;
};

/* The candidate with this gid; NULL if there is none. */
struct candidate *match_candidate(const struct matcher *m, int64_t gid);
/* Is a cell of the fleet what the file's row holds in this column? References in the terms of a PC
 * that is known. */
MUST_USE bool match_same_cell(struct matcher *m, const struct value *fleet, const struct touched *t,
                              uint32_t column, bool *same, struct err *e);
/* Pair rows whose content differs, if the file is a copy: because a person said so (m->copy), or
 * because nearly all of it is equal. */
MUST_USE bool match_copies(struct matcher *m, struct err *e);

#endif
