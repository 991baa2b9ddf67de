/* The oracle: knows what the applications committed and what they had seen when they did, and says
 * what must be in every file at the end. It shares nothing with the store but the promise: it looks
 * only at the applications' files.
 *
 * Each committed transaction is taken apart into events (a row was born, a cell written, a row
 * deleted) by comparing the file before and after. An event stands over all events of its row that
 * its site had seen: those may not win against it. A site has seen what its file shows. Where the
 * same value was written twice, that cannot be told, and less is demanded.
 *
 * Nor can this be told, by nobody who sees a row only as each drain finds it:
 *
 *     name = 'x'; price = 2;   drained together; the power cut takes the second;   name = 'y'
 *     name = 'y'; name = 'x', price = 2;          likewise;                        another cell
 *
 * The drain, the marks and the file are the same, and what must win is not: so a write over such a
 * torn one may be gone, too.
 *
 * Where the applications keep a journal (shape.h), a file tells exactly which transactions it
 * shows, and nothing need be inferred.
 *
 * A counter's cell holds what was written there last as a whole, and what was added since, each
 * sale once: the sum is one of the writes that nothing surely beat, and all sales that its author
 * had not seen. Without a journal, what a file shows of a sum does not tell what its site has seen;
 * then it is demanded only of cells that were written whole once. What puts back a value that the
 * agent had replaced may be a stale save: it may stay or be gone. */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "app.h"

#define ORACLE_SITES_MAX  8
#define ORACLE_UNIONS_MAX 16

enum { COLUMN_BIRTH = -1, COLUMN_DEATH = -2 };

struct oracle_event {
    uint32_t row;
    int column;       /* or COLUMN_BIRTH, COLUMN_DEATH */
    uint32_t value;   /* word, as in view_row.cells */
    uint32_t was, is; /* of a cell, as it stands in the file (view_row.raw), before and after;
                         `was` UINT32_MAX: its row was born */
    uint32_t site;
    uint32_t name;    /* of its row, in the file of its site */
    bool wide;        /* of a row that is one of several: they were one in that file */
    bool apart;       /* ... or surely two; if neither, nobody knows */
    uint32_t birth;   /* the event that bore the row that was written, as its site saw it */
    int64_t tick;     /* the application's number of the commit */
    uint64_t wall_ms; /* then, by its PC's clock */
    uint64_t earliest, latest; /* between these its clock must be, in HLC stamps; known when it is
                                  drained */
    uint32_t seen_by;          /* one bit per site */
    bool drained;              /* it is in a change-set for sure: it must never be lost */
    uint32_t drain;            /* by number, when it is drained: what one drain took is one step */
    bool taken;   /* its site's file went back to before it: if it is there again, the agent has put
                     it there */
    bool looked;  /* the agent has drained since: a later write is another one to it */
    bool perhaps; /* ... if the process that died while it drained had come so far */
    bool torn;    /* a power cut left it and took a later write to its row that the same drain had
                     taken, and the agent has not looked since */
    bool twice; /* torn, and its row was written before the agent looked: what it added to a counter
                   may be in what the file showed then, or not, so it may count twice */
    bool unheard; /* of a row that came and went before its site was matched: nobody remembers it */
    bool filled;  /* nobody wrote it: the file of who made the row has no such column, and a
                     migration fills it in elsewhere */
    bool outside; /* written under the name of a row that waited outside its site's file: how much
                     of that row is in it nobody knows */
    bool doubtful;  /* nobody can say from outside whether it was drained: it may stay or be gone */
    bool unclocked; /* nobody remembers when it was written: who says it again may say it as younger
                     */
    bool again;     /* its drain was forgotten with its site's home */
    bool freed;     /* a rule had kept it back: nobody remembers when it was written */
    bool delta;     /* of a counter: `amount` was added */
    int64_t amount; /* of a counter, in quarters; of a whole value: INT64_MIN if it is no number */
    int64_t whole;  /* of a counter: the same, were it a whole value */
    uint32_t rules; /* when it was written: oracle.rules */
    uint32_t *over; /* events of the same row that its site had seen */
    uint32_t over_n;
};

/* A transaction wrote to this row, also what stood there: its agent finds a mark. */
struct oracle_touch {
    uint32_t site, name;
    int64_t tick;
    uint32_t drain; /* by number; 0: none yet */
};

/* A key that a row has had at a site: no other one may be given it by the agent. */
struct oracle_key {
    uint32_t site, table, key, row; /* words */
    bool known; /* a drain has found it there: what came and went in between nobody knows */
};

/* The agent of a site replaced this in its file. */
struct oracle_replaced {
    uint32_t site, row, value;
    int column;
};

/* Somebody at `site`, whose file showed `left` and `right`, said that they are one row: what was
 * told of `b` is told of `a`, unless they were one already. */
struct oracle_union {
    uint32_t site, left, right, a, b; /* words */
};

struct oracle_row {
    uint32_t table;
    uint32_t name;  /* UINT32_MAX: it is told of another one */
    uint32_t sites; /* bit per site that ever wrote it */
    uint32_t births;
    bool moved;       /* its name changed, or was once another row's */
    bool unbound;     /* a person wrote to it through an agent: who has seen that nobody knows */
    uint32_t unions;  /* bit per union that it came of */
    uint32_t blurred; /* bit per column: what one drain took of it was not one sale */
    uint32_t *events;
    uint32_t n, room;
};

struct oracle {
    const struct shape *shape;
    struct words *words;
    uint32_t sites;
    uint32_t drains;
    struct oracle_event *events;
    uint32_t event_n, event_room;
    struct oracle_row *rows;
    uint32_t row_n, row_room;
    struct oracle_replaced *replaced;
    uint32_t replaced_n, replaced_room;
    struct oracle_touch *touches;
    uint32_t touch_n, touch_room;
    struct oracle_key *keys;
    uint32_t key_n, key_room;
    struct oracle_union unions[ORACLE_UNIONS_MAX];
    uint32_t union_n;
    uint32_t knows[ORACLE_SITES_MAX]; /* bit per union: its file has one row of the two */
    uint32_t knew[VIEW_TICKS_MAX];    /* by tick: likewise, then */
    bool lost[ORACLE_SITES_MAX];      /* its file went back some time */
    bool spoke[ORACLE_SITES_MAX];     /* it has drained */
    uint64_t
        peak_ms[ORACLE_SITES_MAX]; /* the latest that its clock showed at a commit since then */
    bool ahead[ORACLE_SITES_MAX];  /* its clock was ahead some time since it drained last: what
                                      it drains counts as written at any time later */
    uint32_t uncounted[SHAPE_TABLES_MAX]; /* bit per column: no rule makes it a counter now */
    uint32_t rules;                       /* how often that has changed */
    uint32_t unnamed[SHAPE_TABLES_MAX]; /* bit per column: what it names no rule said for a while */
    uint64_t (*saw)[VIEW_TICKS_MAX / 64]; /* by tick: what its file showed, if there is a journal */
    int64_t copied;  /* the last commit of site 0 that copies of its file hold; 0: there are none */
    uint64_t now_ms; /* of the commit that is told, by its PC's clock */
    bool doubts[ORACLE_SITES_MAX];       /* it wrote what is doubtful, and has not drained since */
    uint32_t versions[ORACLE_SITES_MAX]; /* of the application, when it drained last */
    bool rewound[ORACLE_SITES_MAX];      /* its file went back, and it has not drained since */
    struct view last[ORACLE_SITES_MAX];  /* what each file showed when we looked last */
};

void oracle_open(struct oracle *o, const struct shape *shape, struct words *words, uint32_t sites);
void oracle_close(struct oracle *o);

/* A file as it is now, after the agent worked on it. Fails when a row is there twice, a reference
 * names nothing, or a row's key changed under the application. */
MUST_USE bool oracle_observe(struct oracle *o, uint32_t site, const struct view *now,
                             struct err *e);
/* Of a file as oracle_observe gets it: is what stays on each PC as its application left it? */
MUST_USE bool oracle_ways(const struct oracle *o, uint32_t site, const struct view *now,
                          struct err *e);
/* Did the site say the row, and then its file go back to before that? */
bool oracle_was_said(const struct oracle *o, uint32_t site, const struct oracle_row *row);
/* Of a file again: has every row the key that it had, and no new one that of another row? */
MUST_USE bool oracle_keys(const struct oracle *o, uint32_t site, const struct view *now,
                          struct err *e);
/* Rows stand under these keys; or, when the site has drained, those of its last view are known. */
void oracle_remember_keys(struct oracle *o, uint32_t site, const struct view *now);
void oracle_know_keys(struct oracle *o, uint32_t site);
/* Has its row a key that one had there which has died? It may be taken for that one, saved again:
 * then it is later than that one's end. */
bool oracle_may_be_another(const struct oracle *o, const struct oracle_event *event);
/* Was anything ever said of a row of this name? */
bool oracle_knows(const struct oracle *o, uint32_t name);
/* Was it, or one of its name, ever deleted? */
bool oracle_has_died(const struct oracle *o, uint32_t name);
/* Rows that bear one mark are one, but only once somebody has said so: until then the file shows
 * one of them, and its application has seen no more, nor what waits for that. May this row be
 * such? */
bool oracle_is_several(const struct oracle *o, uint32_t name);
/* Is a journal no proof that a file shows the event, because not all versions of the application
 * have what was written under one name? */
bool oracle_is_vague(const struct oracle *o, const struct oracle_event *event);
/* Of a counter: what may count twice with this event, all that its drain took of the cell and a
 * power cut left. Told once, of the first of these; 0: nothing. */
int64_t oracle_counted_twice(const struct oracle *o, const struct oracle_row *row,
                             const struct oracle_event *event);
/* Does the row show an older state than the journal of its file tells of? */
bool oracle_is_stuck(const struct oracle *o, uint32_t site, const struct oracle_row *row,
                     const struct view_row *was);
/* Must a row that its file does not show be there, as the journal of the file tells? */
bool oracle_is_outside(const struct oracle *o, uint32_t site, const struct oracle_row *row);
/* Has its application written it under the name of such a row since the last drain? If that goes
 * before the next one, nothing has happened; what is written to it meanwhile is one with that. */
bool oracle_came_outside(const struct oracle *o, uint32_t site, const struct oracle_row *row);
/* The application committed a transaction: app->before to app->now. */
void oracle_commit(struct oracle *o, uint32_t site, const struct app *app, uint64_t wall_ms);
/* Of such a transaction: which rows it wrote to. */
void oracle_touched(struct oracle *o, uint32_t site, const struct app *app);
/* All that the site's application has committed is in change-sets. */
void oracle_drained(struct oracle *o, uint32_t site, uint64_t wall_ms);
/* The agent of the site died while it drained: it may have, before it could say so. */
void oracle_drained_perhaps(struct oracle *o, uint32_t site);
/* The site's file went back: `now` is what it holds, now->tick the last commit that survived. */
void oracle_rewound(struct oracle *o, uint32_t site, const struct view *now);
/* Its home went back: it does not remember what it drained after `drain`, and nobody what it
 * drained after `safe`. So it drains it again, if it is in its file: `tick` is the last commit
 * there. */
void oracle_forgot(struct oracle *o, uint32_t site, uint32_t drain, uint32_t safe, int64_t tick);
/* What the site has just drained once more is as young as the last write of its row that it drained
 * with that: nobody can tell which cells that one wrote. */
void oracle_drained_again(struct oracle *o, uint32_t site);
/* From now on a column counts, or does not. */
void oracle_rule(struct oracle *o, uint32_t table, uint32_t column, bool counts);
/* The site, whose clock says this, corrects what it had said: none of it counts as said later, also
 * where the clock was less ahead then, or is behind now. */
void oracle_corrected(struct oracle *o, uint32_t site, uint64_t wall_ms);
/* A person at the site, which has drained and applied all it could, has an agent write this, over
 * all that its file shows. */
void oracle_restore(struct oracle *o, uint32_t site, const struct view_row *row, uint32_t column,
                    uint32_t value, uint64_t wall_ms);
/* What is told of rows of this name; NULL: nothing. */
const struct oracle_row *oracle_row(const struct oracle *o, uint32_t name);
/* One drain took the birth and the end of the row that is named, and this reference to it: nobody
 * has ever heard of that row, and what stands there is said as it stands, as if it named nothing.
 * So it is with a row that was in the copy with which its site began, and went before anything of
 * that file was said. */
bool oracle_names_unsaid(const struct oracle *o, const struct oracle_event *event);
/* Where a column named nothing by rule when it was written, what was written is no more than that:
 * in each file it names what has that key there. Such cells say so in the view, and what they hold.
 */
void oracle_blank(const struct oracle *o, struct view *v);
/* Does the site have commits that are not drained, or that may not be? */
bool oracle_owes(const struct oracle *o, uint32_t site);

/* All is delivered: is what every file shows (they are equal) what must be? */
MUST_USE bool oracle_judge(const struct oracle *o, const struct view *final, struct err *e);
/* A literal of a counter's cell, in quarters; INT64_MIN: no number. */
int64_t oracle_amount(const struct oracle *o, uint32_t word);
/* The events of a row, one a line, on stderr. */
void oracle_tell(const struct oracle *o, uint32_t name);

#endif
