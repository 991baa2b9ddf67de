/* Roster: the fleet's membership, an append-only, hash-chained log of signed entries folded to a state.
 * protocol/README.md has the entry layouts. Entries form a directed acyclic graph (each names the hashes of the heads its author knew), so that
 * two rosters merge by union and every site folds the same set to the same state. */
#ifndef NAVETTE_ROSTER_H
#define NAVETTE_ROSTER_H

#include <navette/bounds.h>
#include <navette/keys.h>

struct roster_site {
    struct site_id site;
    uint8_t sign_public[32];
    uint8_t exchange_public[32];
    char name[NAME_BYTES_MAX + 1]; /* enrolment name: unique in the fleet and never changed */
    bool admin;
};

struct roster {
    struct buf log;       /* [[entry: bin, signature: bin 64]...] concatenated in order of arrival */
    uint32_t entries;
    uint8_t fleet[FLEET_ID_BYTES];
    char fleet_name[NAME_BYTES_MAX + 1];
    struct roster_site *sites;
    uint32_t site_count;
    uint8_t (*heads)[HASH_BYTES];
    uint32_t head_count;
    uint8_t (*hashes)[HASH_BYTES]; /* of every entry, in order */
};

/* A new fleet whose first member and admin is `k`. The fleet id is the hash of this entry, shortened. */
MUST_USE bool roster_create(struct roster *r, const char *fleet_name, const char *site_name,
                            const struct keys *k, struct err *e);
/* Admin `k` notes an invitation: its public id and when it ends. Appends an entry. */
MUST_USE bool roster_invite(struct roster *r, const uint8_t invite_id[8], uint64_t ends_ms,
                            const struct keys *k, struct err *e);
/* Admin `k` enrols a site. A name that is taken gets "-2", "-3"... appended; `name_out` (NAME_BYTES_MAX + 1) has it. */
MUST_USE bool roster_enrol(struct roster *r, const uint8_t sign_public[32],
                           const uint8_t exchange_public[32], const char *name,
                           const uint8_t invite_id[8], const struct keys *k, char *name_out,
                           struct err *e);

/* Take in a peer's log (what roster.log holds, or part of it). Entries already known are skipped; unknown
 * ones are verified and appended. `changed` says whether anything was new. On failure `r` is as it was. */
MUST_USE bool roster_merge(struct roster *r, struct slice log, bool *changed, struct err *e);
/* Load from stored bytes: an empty roster merged with them. */
MUST_USE bool roster_load(struct roster *r, struct slice log, struct err *e);
void roster_close(struct roster *r);

/* NULL when it is not a member. */
const struct roster_site *roster_find(const struct roster *r, const struct site_id *site);
const struct roster_site *roster_find_name(const struct roster *r, const char *name);

#endif
