#include "correct.h"

#include <navette/ahead.h>

#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "author.h"
#include "belief.h"
#include "describe.h"
#include "fork.h"
#include "ledger_kept.h"
#include "ledger_limits.h"
#include "merge.h"
#include "remerge.h"

#define DAY_MS UINT64_C(86400000)

void uncorrected_close(struct uncorrected *u)
{
    vector_close(&u->needs);
    *u = (struct uncorrected){0};
}

/* No PC takes a later stamp now. */
static uint64_t stamp_limit(uint64_t now_ms)
{
    return hlc_stamp(now_ms + HLC_SKEW_MS_MAX, UINT16_MAX);
}

/* The log of one actor, header by header. */
struct walk {
    struct ledger *l;
    sqlite3_stmt *q;
    uint32_t actor;
    uint64_t number, stamp; /* of the one under way; the stamp as it counts */
    struct changeset_header h;
};

static bool walk_open(struct walk *w, struct ledger *l, uint32_t actor, struct err *e)
{
    *w = (struct walk){.l = l, .actor = actor};
    w->q = ledger_prepare(l, "SELECT number, bytes FROM changeset WHERE actor = ?1 ORDER BY number",
                          e);
    if (w->q != NULL)
        sqlite3_bind_int64(w->q, 1, actor);
    return w->q != NULL;
}

/* False at the end, and on failure (then e->code is set). */
static bool walk_next(struct walk *w, struct err *e)
{
    struct changeset c;
    int code = sqlite3_step(w->q);

    changeset_header_close(&w->h);
    if (code != SQLITE_ROW)
        return code != SQLITE_DONE && ledger_err(w->l, "read the log", e);
    if (!changeset_open(&c, &w->h, value_of_column(w->q, 1).bytes, e))
        return false;
    w->number = (uint64_t)sqlite3_column_int64(w->q, 0);
    w->stamp = ledger_stamp(w->l, w->actor, w->number, w->h.stamp);
    return true;
}

static void walk_close(struct walk *w)
{
    changeset_header_close(&w->h);
    sqlite3_finalize(w->q);
}

/* ---- how it stands ---- */

/* Of one that is no member any more, and will not do it. */
static bool is_left(const struct store *s, uint32_t actor)
{
    struct site_id site = actor_site(&s->ledger.actors[actor - 1].actor);

    return !ledger_is_ours(&s->ledger, actor) && roster_author(s->roster, &site) != NULL &&
           roster_find(s->roster, &site) == NULL && roster_find(s->roster, &s->keys->site) != NULL;
}

static bool is_witness(const struct store *s, const struct ledger_actor *a, uint64_t now_ms)
{
    struct site_id site = actor_site(&a->actor);
    uint64_t wall_ms = hlc_stamp_wall_ms(a->latest);

    return a->latest > 0 && a->merged == a->staged && wall_ms + DAY_MS >= now_ms &&
           wall_ms <= now_ms + HLC_SKEW_MS_MAX && roster_find(s->roster, &site) != NULL;
}

/* The stamp of the next change-set of an actor that is here and not merged; 0: there is none. */
static bool next_stamp(struct store *s, uint32_t actor, uint64_t *stamp, struct err *e)
{
    const struct ledger_actor *a = &s->ledger.actors[actor - 1];
    sqlite3_stmt *q;
    int code;

    *stamp = 0;
    if (a->merged >= a->staged || a->merged >= ledger_believed(&s->ledger, &a->actor))
        return true;
    q = ledger_kept(&s->ledger, "SELECT stamp FROM changeset WHERE actor = ?1 AND number = ?2", e);
    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, actor);
    sqlite3_bind_int64(q, 2, (int64_t)a->merged + 1);
    code = sqlite3_step(q);
    if (code == SQLITE_ROW)
        *stamp =
            ledger_stamp(&s->ledger, actor, a->merged + 1, (uint64_t)sqlite3_column_int64(q, 0));
    ledger_done(&s->ledger, q);
    return code == SQLITE_ROW || code == SQLITE_DONE || ledger_err(&s->ledger, "read the log", e);
}

/* What we said and have forgotten, and get back from others, is ours to correct as well. */
bool store_ahead(struct store *s, uint64_t now_ms, struct store_ahead *out, struct err *e)
{
    const struct ledger *l = &s->ledger;
    uint64_t limit = stamp_limit(now_ms), latest = hlc_save(&l->clock), stamp;

    *out = (struct store_ahead){0};
    for (uint32_t a = 1; a <= l->actor_count; a++) {
        if (is_left(s, a)) {
            if (!next_stamp(s, a, &stamp, e))
                return false;
            out->left |= l->actors[a - 1].latest > limit || stamp > limit;
        } else if (!ledger_is_ours(l, a)) {
            out->others |= l->actors[a - 1].latest > limit;
            out->witness |= is_witness(s, &l->actors[a - 1], now_ms);
        } else {
            if (!next_stamp(s, a, &stamp, e))
                return false;
            latest = stamp > latest ? stamp : latest;
        }
    }
    if (latest > limit)
        out->ahead_ms = hlc_stamp_wall_ms(latest) - now_ms;
    else if (!out->left)
        uncorrected_close(&s->uncorrected);
    ledger_rest(&s->ledger);
    return true;
}

bool store_ahead_was_wrong(const struct store_ahead *a, uint32_t agree, uint32_t differ)
{
    if (a->left && a->ahead_ms == 0) /* a person has shut it out */
        return agree >= differ;
    if (a->ahead_ms == 0 || agree < differ || (agree == differ && (agree > 0 || !a->witness)))
        return false;
    return !a->others || a->witness;
}

/* ---- correcting ---- */

struct correction {
    struct store *s;
    struct author author;
    uint64_t limit;
    struct late {
        uint64_t number, stamp;
    } * first; /* by actor: the first of its change-sets that is too late; 0: none is */
};

static bool find_first(struct correction *c, uint32_t actor, struct err *e)
{
    struct ledger *l = &c->s->ledger;
    sqlite3_stmt *q = ledger_kept(l,
                                  "SELECT number, stamp FROM changeset WHERE actor = ?1"
                                  " AND stamp > ?2 ORDER BY number",
                                  e);
    int code = SQLITE_DONE;

    c->first[actor] = (struct late){0};
    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, actor);
    sqlite3_bind_int64(q, 2, (int64_t)c->limit);
    while (c->first[actor].number == 0 && (code = sqlite3_step(q)) == SQLITE_ROW) {
        uint64_t number = (uint64_t)sqlite3_column_int64(q, 0);
        uint64_t stamp = (uint64_t)sqlite3_column_int64(q, 1);

        if (ledger_stamp(l, actor, number, stamp) > c->limit)
            c->first[actor] = (struct late){number, stamp};
    }
    ledger_done(l, q);
    return code == SQLITE_ROW || code == SQLITE_DONE || ledger_err(l, "read the log", e);
}

/* Had its author seen one that is too late? */
static bool saw_late(const struct correction *c, const struct vector *needs)
{
    for (uint32_t i = 0; i < needs->n; i++) {
        uint32_t id = ledger_actor_find(&c->s->ledger, &needs->entries[i].actor);

        if (id != 0 && c->first[id].number != 0 && needs->entries[i].number >= c->first[id].number)
            return true;
    }
    return false;
}

/* Of what we correct ourselves: is it in the log, or said again? That it is not merged may be for
 * its stamp alone. */
static bool is_here(const struct correction *c, uint32_t actor, uint64_t number, bool *here,
                    struct err *e)
{
    const struct ledger_actor *a = &c->s->ledger.actors[actor - 1];

    *here = number <= a->staged || number <= a->waived ||
            number > ledger_believed(&c->s->ledger, &a->actor);
    return *here || fork_has_merged(c->s, &a->actor, number, here, e);
}

/* Had its author applied what is not here yet, or of others what is not merged? The correction is
 * to come after that. */
static bool saw_more(const struct correction *c, const struct vector *needs, bool *more,
                     struct err *e)
{
    struct vector of_others = {0};
    bool ok = true, has = true;

    for (uint32_t i = 0; ok && has && i < needs->n; i++) {
        const struct vector_entry *need = &needs->entries[i];
        uint32_t id = ledger_actor_find(&c->s->ledger, &need->actor);

        if (id == 0 || (!ledger_is_ours(&c->s->ledger, id) && !is_left(c->s, id)))
            vector_set(&of_others, &need->actor, need->number, NULL);
        else
            ok = is_here(c, id, need->number, &has, e);
    }
    if (ok && has)
        ok = merge_has_needs(c->s, &of_others, &has, e);
    *more = !has;
    vector_close(&of_others);
    return ok;
}

/* What is here of `actor` beyond `until` has to wait. */
static void note_uncorrected(struct store *s, uint32_t actor, uint64_t until,
                             const struct vector *needs)
{
    struct uncorrected *u = &s->uncorrected;

    for (uint32_t i = 0; i < needs->n; i++) {
        const struct vector_entry *need = &needs->entries[i];

        if (need->number > vector_get(&u->needs, &need->actor))
            (void)vector_set(&u->needs, &need->actor, need->number, NULL); /* full: when room is */
    }
    u->actor = u->actor == 0 ? actor : u->actor;
    u->changesets += s->ledger.actors[actor - 1].staged - until;
}

/* Up to which number can the stamps of one of our actors be corrected? 0: nothing to correct. */
static bool find_last(struct correction *c, uint32_t actor, uint64_t *last, struct err *e)
{
    uint64_t believed = ledger_believed(&c->s->ledger, &c->s->ledger.actors[actor - 1].actor);
    uint64_t until = 0;
    bool late = false, more = false;
    struct walk w;

    *last = 0;
    if (!walk_open(&w, &c->s->ledger, actor, e))
        return false;
    while (walk_next(&w, e) && w.number <= believed && !saw_late(c, &w.h.needs) &&
           saw_more(c, &w.h.needs, &more, e) && !more) {
        late |= w.stamp > c->limit;
        until = w.number;
    }
    if (more)
        note_uncorrected(c->s, actor, until, &w.h.needs);
    walk_close(&w);
    *last = late ? until : 0;
    return e->code == ERR_NONE;
}

/* Our clock as if nothing had been said that is too late. */
static bool set_clock_back(struct correction *c, struct err *e)
{
    struct ledger *l = &c->s->ledger;
    uint64_t latest = 0;

    for (uint32_t i = 0; i < l->actor_count; i++) {
        const struct ledger_actor *a = &l->actors[i];
        uint64_t stamp = a->latest;

        if (stamp > c->limit && !ledger_latest(l, i + 1, c->limit, &stamp, e))
            return false;
        for (uint32_t k = 0; k < a->limit_n; k++)
            if (a->limits[k].stamp <= c->limit && a->limits[k].stamp > stamp)
                stamp = a->limits[k].stamp;
        latest = stamp > latest ? stamp : latest;
    }
    hlc_load(&l->clock, latest);
    return true;
}

/* Of those that we correct and that are too late the one that was so first, but not before `after`;
 * 0: there is none. */
static uint32_t next_late(const struct correction *c, uint32_t after)
{
    const struct ledger *l = &c->s->ledger;
    uint32_t next = 0;

    for (uint32_t a = 1; a <= l->actor_count; a++) {
        const struct late *late = &c->first[a], *least = &c->first[next], *than = &c->first[after];

        if (late->number == 0 || (!ledger_is_ours(l, a) && !is_left(c->s, a)))
            continue;
        if (after != 0 && (late->stamp < than->stamp || (late->stamp == than->stamp && a <= after)))
            continue;
        if (next == 0 || late->stamp < least->stamp)
            next = a;
    }
    return next;
}

/* One after the other, as they were: what one of our actors says may come after what another one
 * has said. (A home that was put back says of its own what it remembers under one name, and what
 * others had of it under another: that it had seen this, no change-set tells.) */
static bool correct_all(struct correction *c, bool *did, struct err *e)
{
    uint32_t a = next_late(c, 0);

    while (a != 0) {
        uint64_t last;

        if (!find_last(c, a, &last, e) ||
            (last > 0 && (!author_correct(&c->author, a, last, e) || !find_first(c, a, e))))
            return false;
        *did |= last > 0;
        if (last > 0)
            uncorrected_close(&c->s->uncorrected); /* what waited may do so no more */
        a = next_late(c, last > 0 ? 0 : a);
    }
    return true;
}

/* Where rows cannot be merged anew now, because something is being said again (fork.h), that may
 * wait for this very correction: it comes first. */
static bool correct(struct correction *c, uint64_t now_ms, bool *did, struct err *e)
{
    for (uint32_t a = 1; a <= c->s->ledger.actor_count; a++)
        if (!find_first(c, a, e))
            return false;
    return set_clock_back(c, e) && correct_all(c, did, e) &&
           (!*did ||
            ((!remerge_may(c->s) || remerge(c->s, now_ms, e)) && ledger_commit(&c->s->ledger, e)));
}

bool store_correct(struct store *s, uint64_t now_ms, bool *did, struct err *e)
{
    struct store_progress progress = {0};
    struct correction c = {.s = s, .limit = stamp_limit(now_ms)};
    bool ok;

    *did = false;
    uncorrected_close(&s->uncorrected);
    if (!s->ledger.matched || s->astray)
        return true;
    c.first = mem_alloc((s->ledger.actor_count + 1) * sizeof *c.first);
    ok = ledger_begin(&s->ledger, false, e);
    author_begin(&c.author, s, now_ms, &progress);
    ok = ok && correct(&c, now_ms, did, e);
    author_close(&c.author);
    free(c.first);
    if (!ok || !*did)
        ledger_rollback(&s->ledger);
    ledger_rest(&s->ledger);
    *did &= ok;
    return ok;
}

/* ---- of others ---- */

bool store_early(struct store *s, uint64_t now_ms, struct store_early *out, struct err *e)
{
    struct site_id first = {{0}};
    bool ok = true;

    *out = (struct store_early){0};
    for (uint32_t i = 0; ok && i < s->ledger.actor_count; i++) {
        const struct ledger_actor *a = &s->ledger.actors[i];
        uint64_t stamp;

        ok = next_stamp(s, i + 1, &stamp, e);
        if (!ok || stamp <= stamp_limit(now_ms))
            continue;
        if (out->changesets == 0) {
            describe_actor(s, i + 1, out->whose);
            out->wall_ms = hlc_stamp_wall_ms(stamp);
            first = actor_site(&a->actor);
        }
        out->others |= !actor_is_of(&a->actor, &first);
        out->changesets += a->staged - a->merged;
    }
    ledger_rest(&s->ledger);
    return ok;
}
