/* Members: what is known of the other sites of the fleet, also of those that are away. */
#ifndef NAVETTE_MEMBER_H
#define NAVETTE_MEMBER_H

#include <navette/changeset.h>

#include "bucket.h"
#include "config.h"

struct agent;
struct sync;

/* Has it the list of members that is here? One that is away has what it had. */
enum apart {
    APART_NOT,
    APART_LEAVES, /* no, and it does not take ours */
    APART_OUT,    /* no: by its list this PC was shut out */
    APART_LEFT    /* no, and it is not taken here */
};

/* Something where it was met last hung up on our first words, as who has none of our keys does. */
struct hung_up {
    uint64_t at_ms; /* uv_now, the last time; 0: never, or it was met since, or we have a new key */
    uint32_t times;
    uint32_t keys; /* bit n: under our key n, 0 being the fleet's present one */
};

struct member {
    struct site_id site;
    struct address address; /* where it listened when it was met last, now or in an earlier run of
                               ours; port 0 if never */
    uint64_t seen_ms;       /* wall clock, now or in an earlier run of ours; 0: never */
    bool have_known;
    struct vector have;  /* what it said it has, now or in an earlier run of ours */
    struct vector told;  /* what a drop file of its said it has */
    uint64_t applied;    /* how much of its own writing is in our file: sum of change-set numbers */
    uint64_t applied_ms; /* wall clock of the last growth, now or in an earlier run; 0: never */
    uint64_t applied_kept_ms; /* the one that the ledger keeps */
    uint64_t dawdled_ms;      /* uv_now, when it held others up (gather.h); 0: never */
    int64_t skew_ms;          /* its clock minus ours when it was met last */
    struct bucket idle_talk;  /* ms spent on its messages that brought nothing, on any link */
    enum apart apart;
    struct err apart_why; /* APART_LEFT: why its list is not taken here */
    struct hung_up hung_up;
};

struct members {
    struct member *list;
    uint32_t n;
};

/* The one of `site`, added when it is new (at most SITES_MAX; NULL beyond). Good until the next
 * call. */
struct member *members_get(struct members *m, const struct site_id *site);
/* What a conversation has shown so far. */
void members_note(struct agent *a, struct members *m, const struct sync *s);
/* It listens at `address`: kept for the next run. */
void members_met(struct agent *a, struct members *m, const struct site_id *site,
                 const struct address *address);
/* A drop file of its said that it has `told`. */
void members_note_told(struct agent *a, struct members *m, const struct site_id *site,
                       const struct vector *told);
/* Keep what it has in the ledger, for the next run. */
void members_save(struct agent *a, struct members *m, const struct site_id *site);
/* Read what earlier runs kept, for every site of the roster. */
void members_load(struct agent *a, struct members *m);
/* Our applied-vector grew: whose changes were those? */
void members_note_applied(struct agent *a, struct members *m);
/* Keep in the ledger when that was: of one that is not kept, or of `all`. */
void members_keep_applied(struct agent *a, struct members *m, bool all);
void members_close(struct members *m);

/* How many change-sets of `more` are not in `less`. */
uint64_t vector_lead(const struct vector *more, const struct vector *less);

#endif
