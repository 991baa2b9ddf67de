/* Roster: the fleet's membership, an append-only, hash-chained log of signed entries folded to a
 * state. protocol/README.md has the entry layouts, and what counts when admins contradict each
 * other. Entries form a directed acyclic graph (each names the hashes of the heads its author
 * knew), so that two rosters merge by union and every site folds the same set to the same state. */
#ifndef NAVETTE_ROSTER_H
#define NAVETTE_ROSTER_H

#include <navette/bounds.h>
#include <navette/rules.h>
#include <navette/vector.h>

#define ROSTER_PARENTS_MAX     SITES_MAX /* heads an entry can name */
#define ROSTER_ENTRY_BYTES_MAX 16384     /* one encoded entry */
#define ROSTER_INVITE_ID_BYTES 8
#define ROSTER_RANDOM_BYTES    16
#define SITE_DIGITS_MIN        8 /* of a site's id, for a person to name it */
#define FLEET_KEY_ID_BYTES     16
#define FLEET_KEY_BOX_BYTES    (KEY_BYTES + 48) /* sealed to a site's exchange key */

struct roster_site {
    struct site_id site;
    uint8_t sign_public[SIGN_PUBLIC_BYTES];
    uint8_t exchange_public[KEY_BYTES];
    char name[NAME_BYTES_MAX + 1]; /* what people call it; no two members alike, ASCII case aside */
    char mark[NAME_BYTES_MAX + 1]; /* its enrolment name: marks values that had to yield; no two
                                      sites alike, whatever became of them */
    bool admin;
    bool has_key; /* the fleet's present key, or it could have */
    /* REVOKED: by name. VOID: nobody enrolled it who could. Neither is a member. */
    enum { ROSTER_MEMBER, ROSTER_REVOKED, ROSTER_VOID } standing;
    bool contested;    /* MEMBER: was shut out, or lost its rights, by one whom it had shut out
                          without knowing of that; being the more senior one it stays */
    struct site_id by; /* REVOKED: who said so last; contested: who said so in vain */
    uint32_t rank;     /* seniority: less than that of all who were enrolled later */
    bool by_senior;    /* what it lacks was taken also by one who is more senior, or by itself. Else
                          whoever has its keys can sign that it had shut the others out before, and
                          be believed by those who have not heard yet: roster_confirm */
    struct vector cut; /* not a member: how far each of its actors is believed */
};

struct roster_invite {
    uint8_t id[ROSTER_INVITE_ID_BYTES];
    uint64_t ends_ms;
    struct site_id by;
    bool used;              /* some enrolment names it: */
    struct site_id used_by; /* whom the first of them let in */
    bool withdrawn;
};

struct roster {
    struct buf log; /* [entry: bin, signature: bin 64] concatenated, parents before children */
    uint32_t entries;
    uint32_t before; /* entries that the checkpoint it begins with stands for; 0: it begins with the
                        fleet's first */
    uint32_t before_bytes;         /* of that checkpoint, as it is encoded... */
    uint64_t before_ms;            /* ...and when it was made, by its author's clock... */
    struct site_id before_by;      /* ...and who that is */
    uint32_t checkpoints;          /* entries that are one, besides that */
    uint8_t (*hashes)[HASH_BYTES]; /* of every entry, in the order of the log */
    uint8_t (*heads)[HASH_BYTES];  /* of the entries that no other names, rising */
    uint32_t head_count;
    uint32_t void_entries; /* that count for nothing */
    uint8_t fleet[FLEET_ID_BYTES];
    char fleet_name[NAME_BYTES_MAX + 1];
    /* Members in the order of the fold (the same wherever the entries are the same), and behind
     * them, up to known_count, those who are none any more. */
    struct roster_site *sites;
    uint32_t site_count, known_count;
    struct roster_invite *invites; /* likewise in the order of the fold */
    uint32_t invite_count;
    struct rules rules; /* likewise */
    uint32_t
        rule_entries; /* that speak of rules: where it did not change, rules are as they were */
    bool rotated;     /* the fleet's key is not the one that it was made with: */
    uint8_t key_id[FLEET_KEY_ID_BYTES];
    bool key_exposed; /* somebody who is no member any more has it: roster_seal another one */
    uint64_t looks;   /* sets of entries looked at and names tried: what it cost to fold it */
};

/* All that append fail with ERR_REFUSED when `k` is no member, or no admin where it takes one. */

/* A new fleet whose first member and admin is `k`; `r` is empty (zeroed). The fleet id is the hash
 * of this entry, shortened: two fleets of one name differ, since the entry has 16 random bytes. */
MUST_USE bool roster_create(struct roster *r, const char *fleet_name, const char *site_name,
                            const struct keys *k, struct err *e);
/* Admin `k` notes an invitation: its public id and when it ends. Appends an entry. */
MUST_USE bool roster_invite(struct roster *r, const uint8_t invite_id[ROSTER_INVITE_ID_BYTES],
                            uint64_t ends_ms, const struct keys *k, struct err *e);
/* Admin `k` enrols a site. A name that is taken gets "-2", "-3"... appended; `name_out`
 * (NAME_BYTES_MAX + 1) has it. Enrolling a member again appends nothing and gives its name
 * (ERR_REFUSED if its exchange key differs, or if it was revoked: never again under this
 * identity). One that nobody could enrol before (VOID) keeps its name if it asks for it. */
MUST_USE bool roster_enrol(struct roster *r, const uint8_t sign_public[SIGN_PUBLIC_BYTES],
                           const uint8_t exchange_public[KEY_BYTES], const char *name,
                           const uint8_t invite_id[ROSTER_INVITE_ID_BYTES], const struct keys *k,
                           char *name_out, struct err *e);

/* Admin `k` changes rules, each with its rule_check passed. What would change nothing is left out;
 * `changed`: something was appended, in as few entries as it fits into; of more than one, maybe a
 * part of it, where the roster gets too large. ERR_LIMIT: too many. */
MUST_USE bool roster_rules(struct roster *r, const struct rule_change *changes, uint32_t n,
                           const struct keys *k, bool *changed, struct err *e);

/* Admin `k` shuts a site out, or says anew how far one is believed that is out already: up to
 * `cut`, of which only its own actors count. Not itself, and not the last admin (ERR_REFUSED). */
MUST_USE bool roster_revoke(struct roster *r, const struct site_id *site, const struct vector *cut,
                            const struct keys *k, struct err *e);
/* Admin `k` (of its own name: any member) gives a member another name to be shown; `name_out`
 * (NAME_BYTES_MAX + 1) has it as it came to be: a name that is taken gets "-2", "-3"... */
MUST_USE bool roster_rename(struct roster *r, const struct site_id *site, const char *name,
                            const struct keys *k, char *name_out, struct err *e);
/* Admin `k` makes a member an admin, or takes that away; not from the last one (ERR_REFUSED).
 * Appends nothing when it is so already, but for one that is contested: who makes that an admin
 * says that it may stay. */
MUST_USE bool roster_admin(struct roster *r, const struct site_id *site, bool admin,
                           const struct keys *k, struct err *e);
/* What was taken from others, membership or rights, only by those who joined later than they: admin
 * `k`, if it joined before them, takes it, too, with the same cut, so that nothing counts that
 * their keys sign from then on. Once for each; `n`: how many entries were appended, also on
 * failure. */
MUST_USE bool roster_confirm(struct roster *r, const struct keys *k, uint32_t *n, struct err *e);
/* Admin `k` takes an invitation back. */
MUST_USE bool roster_withdraw(struct roster *r, const uint8_t invite_id[ROSTER_INVITE_ID_BYTES],
                              const struct keys *k, struct err *e);
/* Admin `k` makes `key` the fleet's; or, where it is that already, gives it to members that were
 * enrolled while nobody there knew of it. Sealed to each. */
MUST_USE bool roster_seal(struct roster *r, const uint8_t key[KEY_BYTES], const struct keys *k,
                          struct err *e);
/* The fleet's present key, from what is sealed to `k`. False: nothing is that can be opened. */
bool roster_open_key(const struct roster *r, const struct keys *k, uint8_t key[KEY_BYTES]);
void fleet_key_id(uint8_t out[FLEET_KEY_ID_BYTES], const uint8_t key[KEY_BYTES]);

/* A checkpoint: an entry that has the whole state that all before it comes to. Once every member
 * that it names has acknowledged it, nothing that is not behind it can count any more: the log then
 * begins with it, and what it stands for is dropped (protocol/README.md, Checkpoints). */
struct roster_checkpoint {
    bool pending;     /* there is one that is not acknowledged by all */
    bool hopeless;    /* it never will be: something stands beside it, or a member is gone */
    uint64_t made_ms; /* its author's clock */
    struct site_id by;
    uint32_t missing_count; /* members who have not acknowledged it: */
    struct site_id missing[SITES_MAX];
};
void roster_checkpoint_look(const struct roster *r, struct roster_checkpoint *c);
/* Admin `k` makes one, and acknowledges it. ERR_REFUSED while another one is waited for, or a
 * member is contested; ERR_LIMIT: it would be larger than ROSTER_CHECKPOINT_BYTES_MAX. */
MUST_USE bool roster_checkpoint(struct roster *r, uint64_t made_ms, const struct keys *k,
                                struct err *e);
/* What member `k` has to do for checkpoints: acknowledge the one that is pending, if it says what
 * is so and nothing that is known here stands beside it; and where all have done so, begin the log
 * with it. What `k` itself had said on top of what is dropped then is said anew.
 * roster_has_to_settle: would it change anything? */
bool roster_has_to_settle(const struct roster *r, const struct keys *k);
MUST_USE bool roster_settle(struct roster *r, const struct keys *k, bool *changed, struct err *e);
/* `r` went back, and a peer's log begins with a checkpoint that it does not have (roster_merge:
 * ERR_GAP): it becomes that log, if `k` itself had acknowledged the checkpoint, which is later than
 * one that `r` begins with. ERR_STRANGER: it had not. Other failures as of roster_load. */
MUST_USE bool roster_adopt(struct roster *r, struct slice log, const struct keys *k, struct err *e);

/* Take in a peer's log (what roster.log holds, or part of it, in any order). Entries already known
 * are skipped; unknown ones are verified and appended. `changed` says whether anything was new. On
 * failure `r` is as it was: ERR_GAP an entry builds on one that neither side has, ERR_STRANGER
 * another fleet's or an author whom nobody had enrolled, ERR_CRYPTO a bad signature, ERR_REFUSED
 * written by a newer version, ERR_INPUT and ERR_LIMIT. */
MUST_USE bool roster_merge(struct roster *r, struct slice log, bool *changed, struct err *e);
/* The same, for what comes from others: one who is shut out may have signed, dated back, that he
 * was first. ERR_CONTESTED: members, admins, the ends of others or the key would be other ones than
 * without the new entries about membership by sites that are out, or no admins, by `r`. Those count
 * where the others' word allows them; and whatever admins say by themselves does. */
MUST_USE bool roster_take(struct roster *r, struct slice log, bool *changed, struct err *e);
/* Load from stored bytes into an empty (zeroed) roster; no bytes at all are an error. */
MUST_USE bool roster_load(struct roster *r, struct slice log, struct err *e);
/* The same of one that was loaded: its signatures were checked. */
MUST_USE bool roster_copy(struct roster *r, const struct roster *from, struct err *e);
void roster_close(struct roster *r);

/* BLAKE2b-256 over the sorted hashes of all entries: equal digests, equal rosters. */
void roster_digest(const struct roster *r, uint8_t out[HASH_BYTES]);

/* NULL when it is not a member. A name is found whatever the case of its ASCII letters. */
const struct roster_site *roster_find(const struct roster *r, const struct site_id *site);
const struct roster_site *roster_find_name(const struct roster *r, const char *name);
/* Also one that is no member any more; NULL when it never was. */
const struct roster_site *roster_author(const struct roster *r, const struct site_id *site);
/* What a person calls a site: a member's name, else another's, or at least 8 digits of a site id.
 * ERR_USAGE: there is none, or more than one. */
MUST_USE const struct roster_site *roster_site_of(const struct roster *r, const char *word,
                                                  struct err *e);
/* The last number that is believed of an actor: without end for all that the roster does not know,
 * and for members. */
uint64_t roster_believed(const struct roster *r, const struct actor *a);
const struct roster_invite *roster_find_invite(const struct roster *r,
                                               const uint8_t id[ROSTER_INVITE_ID_BYTES]);

#endif
