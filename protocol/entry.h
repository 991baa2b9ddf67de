/* One entry of the roster's log by itself: its layout, and the checks that need no other entry.
 *
 *     item  = [entry: bin, signature: bin 64]
 *     entry = [format 1, kind, author: bin 32, parents: [hash: bin 32...], fields of the kind...]
 */
#ifndef NAVETTE_ENTRY_H
#define NAVETTE_ENTRY_H

#include <navette/roster.h>
#include <navette/wire.h>

#define ROSTER_CONTEXT "navette roster 1"
#define PARENT_BYTES   (2 + HASH_BYTES) /* bin 8 header, hash */

enum entry_kind { ENTRY_CREATE = 1, ENTRY_INVITE = 2, ENTRY_ENROL = 3, ENTRY_RULES = 4 };

/* Members by their index in a draft: who was a member when an entry was written. */
struct member_set {
    uint64_t bits[SITES_MAX / 64];
};

/* One log item, parsed. Its slices borrow the log that it came from. */
struct entry {
    struct slice bytes;
    uint8_t signature[SIGNATURE_BYTES];
    uint8_t hash[HASH_BYTES];
    uint64_t kind;
    uint8_t author[SIGN_PUBLIC_BYTES];
    const uint8_t *parents; /* PARENT_BYTES each: the reader takes only one encoding of a hash */
    uint32_t parent_count;
    struct slice fleet_name, name;             /* create; create and enrol */
    uint8_t sign_public[SIGN_PUBLIC_BYTES];    /* create and enrol: who becomes a member */
    uint8_t exchange_public[KEY_BYTES];        /* likewise */
    uint8_t invite_id[ROSTER_INVITE_ID_BYTES]; /* invite and enrol */
    uint64_t ends_ms;                          /* invite */
    struct slice changes; /* rules: what rule_change_read takes, one after the other */
    uint32_t change_count;
    bool trusted; /* from our own log: its signature was checked when it came */
    bool twice;   /* an equal entry stands in front of it: to be skipped */
    bool placed;
    bool has_child;
    uint32_t next_parent;   /* the first parent not looked at yet, while being placed */
    uint32_t depth;         /* 1 + the greatest of its parents' */
    struct member_set past; /* members in its causal past, itself included */
};

/* Read one item from the front of a log. The entry borrows the log's bytes. */
MUST_USE bool entry_read(struct reader *r, struct entry *n);
/* The hash of parent `i`. */
const uint8_t *entry_parent(const struct entry *n, uint32_t i);
/* What every entry begins with; `fields` more values are to follow. The parents are the heads of
 * `r`. */
void entry_begin(struct writer *w, const struct roster *r, enum entry_kind kind, uint32_t fields,
                 const struct keys *k);
void item_write(struct buf *log, struct slice entry, const uint8_t signature[SIGNATURE_BYTES]);
/* roster.c: sign the entry with `k` and take it in as if it had come from a peer: the same checks
 * hold for ours. */
MUST_USE bool entry_append(struct roster *r, struct buf *entry, const struct keys *k,
                           struct err *e);

#endif
