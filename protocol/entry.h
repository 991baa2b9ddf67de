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

enum entry_kind {
    ENTRY_CREATE = 1,
    ENTRY_INVITE,
    ENTRY_ENROL,
    ENTRY_RULES,
    ENTRY_REVOKE,
    ENTRY_RENAME,
    ENTRY_ADMIN,
    ENTRY_ROTATE,
    ENTRY_WITHDRAW,
    ENTRY_CHECKPOINT,
    ENTRY_ACKNOWLEDGE
};

/* Does it count? draft.h tells how that is found out. */
enum entry_verdict { VERDICT_OPEN, VERDICT_STANDS, VERDICT_VOID };

/* What a checkpoint says besides rules, key and the fleet's name: the state that all before it
 * comes to. checkpoint.c writes and compares it. */
struct checkpoint {
    uint8_t fleet[FLEET_ID_BYTES];
    uint32_t depth;              /* its own */
    uint32_t entries;            /* that it stands for */
    uint32_t ruled;              /* of these, entries that speak of rules */
    struct slice sites, invites; /* what checkpoint_site_read and checkpoint_invite_read take */
    uint32_t site_count, invite_count;
    bool rotated; /* there is a key id */
};

/* One of its sites, the most senior first. Slices borrow the entry. */
struct checkpoint_site {
    uint8_t sign_public[SIGN_PUBLIC_BYTES];
    uint8_t exchange_public[KEY_BYTES];
    struct slice name, mark;
    uint8_t standing; /* as in struct roster_site */
    bool admin, has_key;
    struct site_id by; /* ROSTER_REVOKED; else zero */
    struct slice cut;  /* what vector_read takes; ROSTER_REVOKED, else empty vector */
};

/* One log item, parsed. Its slices and keys borrow the log that it came from; there are very many
 * of them at once. */
struct entry {
    struct slice bytes;
    const uint8_t *signature;
    uint8_t hash[HASH_BYTES];
    uint64_t kind;
    const uint8_t *author; /* its signing key */
    struct slice fields;   /* of the kind, as they stand there */
    uint32_t field_count;
    const uint8_t *parents; /* PARENT_BYTES each: the reader takes only one encoding of a hash */
    uint32_t parent_count;
    struct slice fleet_name, name;                /* create; create and enrol */
    const uint8_t *sign_public, *exchange_public; /* create and enrol: who becomes a member */
    uint8_t invite_id[ROSTER_INVITE_ID_BYTES];    /* invite and enrol */
    uint64_t ends_ms;                             /* invite; checkpoint: when it was made */
    struct slice changes; /* rules and checkpoint: what rule_change_read takes, one after the other
                           */
    uint32_t change_count;
    struct site_id target; /* revoke, rename, admin: of whom they speak */
    struct slice cut;      /* revoke: what vector_read takes; only actors of the target */
    bool admin;            /* admin: it is to be one */
    uint8_t key_id[FLEET_KEY_ID_BYTES]; /* rotate; checkpoint */
    struct slice boxes; /* rotate and checkpoint: what entry_box takes, one after the other */
    uint32_t box_count;
    struct checkpoint base;    /* checkpoint */
    const uint8_t *checkpoint; /* acknowledge: the hash of one */
    bool trusted;              /* from our own log: its signature was checked when it came */
    bool twice;                /* an equal entry stands in front of it: to be skipped */
    bool left_out;             /* roster_take looks at what the rest comes to without it */
    bool placed;
    bool beside; /* neither the checkpoint that the log begins with nor behind it: passed over */
    bool has_child;
    uint32_t next_parent; /* the first parent not looked at yet, while being placed */
    uint32_t depth;       /* 1 + the greatest of its parents' */
    uint32_t at;          /* its place among the placed ones */
    uint32_t author_site; /* indexes of draft.sites; SITE_NONE: never enrolled by anybody */
    uint32_t author_rank; /* its seniority */
    uint32_t subject;     /* of the site it enrols or speaks of; likewise */
    enum entry_verdict verdict;
    bool certain;       /* while it is open: its author was enrolled for certain */
    uint32_t judged_at; /* draft.clock then */
};

#define SITE_NONE UINT32_MAX

/* Read one item from the front of a log. The entry borrows the log's bytes. */
MUST_USE bool entry_read(struct reader *r, struct entry *n);
/* The hash of parent `i`. */
const uint8_t *entry_parent(const struct entry *n, uint32_t i);
/* Does it say nothing but that its author knows a checkpoint? Then nothing builds on it, and it
 * stands beside nothing: it is no end of a log, and no parent that anybody has to name. */
bool entry_only_acknowledges(const struct entry *n);
/* One box of a rotate entry: whose, and the fleet key sealed to it. */
void entry_box(struct reader *r, struct site_id *site, uint8_t box[FLEET_KEY_BOX_BYTES]);
void checkpoint_site_read(struct reader *r, struct checkpoint_site *s);
void checkpoint_invite_read(struct reader *r, struct roster_invite *v);
/* What every entry begins with; `fields` more values are to follow. The parents are the heads of
 * `r`, as many as an entry of its kind may name. */
void entry_begin(struct writer *w, const struct roster *r, enum entry_kind kind, uint32_t fields,
                 const struct keys *k);
/* The same, in a buffer that it opens; entry_append closes it. */
struct writer entry_open(struct buf *entry, const struct roster *r, enum entry_kind kind,
                         uint32_t fields, const struct keys *k);
void item_write(struct buf *log, struct slice entry, const uint8_t signature[SIGNATURE_BYTES]);
/* roster.c: is `k` a member, or an admin? */
MUST_USE bool roster_may(const struct roster *r, const struct keys *k, bool as_admin,
                         struct err *e);
/* Sign the entry with `k` and take it in as if it had come from a peer: the same checks
 * hold for ours. Closes `entry`. */
MUST_USE bool entry_append(struct roster *r, struct buf *entry, const struct keys *k,
                           struct err *e);

#endif
