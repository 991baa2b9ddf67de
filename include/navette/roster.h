/* Roster: the fleet's membership, an append-only, hash-chained log of signed entries folded to a
 * state. protocol/README.md has the entry layouts. Entries form a directed acyclic graph (each
 * names the hashes of the heads its author knew), so that two rosters merge by union and every site
 * folds the same set to the same state. */
#ifndef NAVETTE_ROSTER_H
#define NAVETTE_ROSTER_H

#include <navette/bounds.h>
#include <navette/rules.h>

#define ROSTER_PARENTS_MAX     SITES_MAX /* heads an entry can name */
#define ROSTER_ENTRY_BYTES_MAX 16384     /* one encoded entry */
#define ROSTER_INVITE_ID_BYTES 8
#define ROSTER_RANDOM_BYTES    16

struct roster_site {
    struct site_id site;
    uint8_t sign_public[SIGN_PUBLIC_BYTES];
    uint8_t exchange_public[KEY_BYTES];
    char name[NAME_BYTES_MAX + 1]; /* enrolment name: unique in the fleet, ASCII case aside */
    bool admin;
};

struct roster_invite {
    uint8_t id[ROSTER_INVITE_ID_BYTES];
    uint64_t ends_ms;
    struct site_id by;
    bool used; /* some enrolment names it */
};

struct roster {
    struct buf log; /* [entry: bin, signature: bin 64] concatenated, parents before children */
    uint32_t entries;
    uint8_t (*hashes)[HASH_BYTES]; /* of every entry, in the order of the log */
    uint8_t (*heads)[HASH_BYTES];  /* of the entries that no other names, rising */
    uint32_t head_count;
    uint8_t fleet[FLEET_ID_BYTES];
    char fleet_name[NAME_BYTES_MAX + 1];
    struct roster_site
        *sites; /* in the order of the fold: the same wherever the entries are the same */
    uint32_t site_count;
    struct roster_invite *invites; /* likewise */
    uint32_t invite_count;
    struct rules rules;    /* likewise */
    uint32_t rule_entries; /* that speak of rules: where it did not grow, rules are as they were */
};

/* A new fleet whose first member and admin is `k`; `r` is empty (zeroed). The fleet id is the hash
 * of this entry, shortened: two fleets of one name differ, since the entry has 16 random bytes. */
MUST_USE bool roster_create(struct roster *r, const char *fleet_name, const char *site_name,
                            const struct keys *k, struct err *e);
/* Admin `k` notes an invitation: its public id and when it ends. Appends an entry. */
MUST_USE bool roster_invite(struct roster *r, const uint8_t invite_id[ROSTER_INVITE_ID_BYTES],
                            uint64_t ends_ms, const struct keys *k, struct err *e);
/* Admin `k` enrols a site. A name that is taken gets "-2", "-3"... appended; `name_out`
 * (NAME_BYTES_MAX + 1) has it. Enrolling a member again appends nothing and gives its name
 * (ERR_REFUSED if its exchange key differs). */
MUST_USE bool roster_enrol(struct roster *r, const uint8_t sign_public[SIGN_PUBLIC_BYTES],
                           const uint8_t exchange_public[KEY_BYTES], const char *name,
                           const uint8_t invite_id[ROSTER_INVITE_ID_BYTES], const struct keys *k,
                           char *name_out, struct err *e);

/* Any member changes rules, each with its rule_check passed. What would change nothing is left out;
 * `changed`: something was appended, in as few entries as it fits into; of more than one, maybe a
 * part of it, where the roster gets too large. ERR_LIMIT: too many. */
MUST_USE bool roster_rules(struct roster *r, const struct rule_change *changes, uint32_t n,
                           const struct keys *k, bool *changed, struct err *e);

/* Take in a peer's log (what roster.log holds, or part of it, in any order). Entries already known
 * are skipped; unknown ones are verified and appended. `changed` says whether anything was new. On
 * failure `r` is as it was: ERR_GAP an entry builds on one that neither side has, ERR_STRANGER
 * another fleet's or an author who was no member, ERR_CRYPTO a bad signature, ERR_REFUSED written
 * by a newer version, ERR_INPUT and ERR_LIMIT. */
MUST_USE bool roster_merge(struct roster *r, struct slice log, bool *changed, struct err *e);
/* Load from stored bytes into an empty (zeroed) roster; no bytes at all are an error. */
MUST_USE bool roster_load(struct roster *r, struct slice log, struct err *e);
void roster_close(struct roster *r);

/* BLAKE2b-256 over the sorted hashes of all entries: equal digests, equal rosters. */
void roster_digest(const struct roster *r, uint8_t out[HASH_BYTES]);

/* NULL when it is not a member. A name is found whatever the case of its ASCII letters. */
const struct roster_site *roster_find(const struct roster *r, const struct site_id *site);
const struct roster_site *roster_find_name(const struct roster *r, const char *name);
const struct roster_invite *roster_find_invite(const struct roster *r,
                                               const uint8_t id[ROSTER_INVITE_ID_BYTES]);

#endif
