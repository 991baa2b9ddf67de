/* Rows of a file that is the fleet's own, but whose keys nobody remembers: a copy without our
 * tables, or one that was no longer captured. Keys mean little then (two PCs give equal numbers to
 * different rows, and different ones to the same row), so it is content that tells:
 *
 *     content   equal in all columns but the key; references equal if the rows that they name are
 *               paired. So parents come before their children, round by round. Equal rows pair off
 *               one to one. Among them an equal key decides, then the name in a mark.
 *     edited    else, other content, and yet it can be shown to be the same row: see may_be
 *
 * A column that is in a UNIQUE key may show a mark before its value, here or in the fleet
 * (batch_unique.c): marks are left out when contents are compared. Counters change by themselves,
 * and are no content. */
#include "match.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "appunique.h"
#include "refer.h"
#include "unite.h"

#define EQUALS_MAX 64 /* candidates looked at for one row */
#define ROUNDS_MAX 64 /* of pairing children after their parents */
#define MARKS_MAX  8  /* in front of one value */
#define TURNS_MAX  16

struct signer {
    struct matcher *m;
    struct buf exact, plain; /* with marks and without */
    uint32_t marked_by;      /* 1 + index into the roster of the outermost mark; 0: there is none */
};

struct signature {
    uint8_t bytes[MATCH_SIGNATURE_BYTES];
    uint64_t exact;
    uint32_t marked_by;
    bool complete; /* false: something is missing to compare it by */
};

/* ---- signatures ---- */

/* What stands behind the first mark; `by`: whose it is. False: there is none. */
static bool strip_mark(const struct roster *roster, struct slice *text, uint32_t *by)
{
    for (uint32_t i = 0; i < roster->known_count; i++) {
        const char *name = roster->sites[i].mark;
        size_t n = strlen(name);

        if (text->n < n + 2 || text->p[0] != '#' || memcmp(text->p + 1, name, n) != 0 ||
            text->p[n + 1] != '-')
            continue;
        *text = (struct slice){text->p + n + 2, text->n - n - 2};
        *by = i + 1;
        return true;
    }
    return false;
}

static struct value plain_value(struct signer *g, const struct value *v)
{
    struct value out = *v;
    uint32_t by = 0;

    for (int i = 0;
         i < MARKS_MAX && out.type == VALUE_TEXT && strip_mark(g->m->s->roster, &out.bytes, &by);
         i++)
        if (i == 0)
            g->marked_by = by;
    return out;
}

static void sign_value(struct signer *g, const struct value *v, bool unique)
{
    struct value plain = unique ? plain_value(g, v) : *v;

    packed_value_write(&g->exact, v);
    packed_value_write(&g->plain, &plain);
}

static void sign_begin(struct signer *g)
{
    buf_clear(&g->exact);
    buf_clear(&g->plain);
    g->marked_by = 0;
}

static void sign_end(struct signer *g, struct signature *out)
{
    uint8_t hash[MATCH_SIGNATURE_BYTES];

    crypto_generichash(hash, sizeof hash, g->exact.p, g->exact.n, NULL, 0);
    memcpy(&out->exact, hash, sizeof out->exact);
    crypto_generichash(out->bytes, sizeof out->bytes, g->plain.p, g->plain.n, NULL, 0);
    out->marked_by = g->marked_by;
    out->complete = !g->exact.overflow && !g->plain.overflow;
}

/* What a column is compared for. */
static bool is_signed(const struct matcher *m, const struct binding *b, uint32_t column, bool alike)
{
    const struct match_table *t = &m->tables[b->app_index];

    if (!b->app->surrogate)
        return b->is_key[column];
    if (b->is_key[column] || b->counter[column])
        return false;
    return !alike || (t->has_unique ? t->unique[column] : app_refers(&b->app->columns[column]));
}

bool match_value(struct matcher *m, const struct touched *t, uint32_t column, struct value *out,
                 bool *known, struct err *e)
{
    struct named named = touched_named(m->s, t, column);
    int64_t gid;
    bool there;

    *out = t->values[column];
    *known = true;
    if (named.b == NULL)
        return true;
    if (!match_named(m, &named, &gid, &there, e))
        return false;
    if (gid != 0)
        *out = (struct value){.type = VALUE_REF, .ref = gid_unpack(gid)};
    *known = gid != 0 || !there;
    return true;
}

/* Without a value in all columns there is nothing to compare; `alike`: a UNIQUE key that is NULL
 * throughout makes no two rows alike. */
static bool sign_candidate(struct signer *g, const struct candidate *c, bool alike,
                           struct signature *out, struct err *e)
{
    struct matcher *m = g->m;
    uint32_t n = 0;

    out->complete = false;
    sign_begin(g);
    if (!record_decode(&m->rec, c->rec, e))
        return false;
    for (uint32_t i = 0; i < c->b->app->column_count; i++) {
        const struct cell *cell;
        struct value v;

        if (!is_signed(m, c->b, i, alike))
            continue;
        cell = record_get(&m->rec, c->b->position[i]);
        if (cell == NULL)
            return true;
        v = cell->v;
        if (!value_stands(m->s, &v, e))
            return false;
        n += v.type != VALUE_NULL;
        sign_value(g, &v, m->tables[c->b->app_index].unique[i]);
    }
    if (n > 0 || !alike)
        sign_end(g, out);
    return true;
}

static bool sign_row(struct signer *g, const struct touched *t, bool alike, struct signature *out,
                     struct err *e)
{
    struct matcher *m = g->m;
    uint32_t n = 0;

    out->complete = false;
    sign_begin(g);
    for (uint32_t i = 0; i < t->b->app->column_count; i++) {
        struct value v;
        bool known;

        if (!is_signed(m, t->b, i, alike))
            continue;
        if (!match_value(m, t, i, &v, &known, e))
            return false;
        if (!known)
            return true;
        n += v.type != VALUE_NULL;
        sign_value(g, &v, m->tables[t->b->app_index].unique[i]);
    }
    if (n > 0 || !alike)
        sign_end(g, out);
    return true;
}

/* ---- the fleet's rows by their signatures ---- */

static struct row_key key_of(const uint8_t signature[MATCH_SIGNATURE_BYTES])
{
    return (struct row_key){.kind = KEY_PACKED, .bytes = {signature, MATCH_SIGNATURE_BYTES}};
}

/* Keys borrow from the candidates. */
static void chain(struct matcher *m, struct keymap *map, uint32_t index, const struct signature *g,
                  struct match_link *link)
{
    const struct binding *b = m->candidates[index].b;
    struct row_key key;

    memcpy(link->signature, g->bytes, sizeof link->signature);
    key = key_of(link->signature);
    link->next = keymap_get(map, b->app_index, &key);
    keymap_put(map, b->app_index, &key, index + 1);
}

static bool index_candidates(struct signer *g, struct err *e)
{
    struct matcher *m = g->m;

    keymap_close(&m->by_content);
    keymap_close(&m->by_likeness);
    m->by_content = m->by_likeness = (struct keymap){0};
    for (uint32_t i = m->n; i-- > 0;) { /* chains begin with the first */
        struct candidate *c = &m->candidates[i];
        struct signature s;

        if (c->taken)
            continue;
        if (!sign_candidate(g, c, false, &s, e))
            return false;
        c->exact = s.exact;
        if (s.complete)
            chain(m, &m->by_content, i, &s, &c->same);
        if (!c->b->app->surrogate)
            continue;
        if (!sign_candidate(g, c, true, &s, e))
            return false;
        if (s.complete)
            chain(m, &m->by_likeness, i, &s, &c->alike);
    }
    return true;
}

/* The first of a chain that is free: those before it are not looked at again. */
static uint32_t first_free(const struct matcher *m, struct keymap *map, const struct binding *b,
                           const struct signature *g, bool alike)
{
    struct row_key key = key_of(g->bytes);
    uint32_t at = keymap_get(map, b->app_index, &key), first = at;

    while (at != 0 && m->candidates[at - 1].taken)
        at = alike ? m->candidates[at - 1].alike.next : m->candidates[at - 1].same.next;
    if (at != first && at != 0) {
        const struct candidate *c = &m->candidates[at - 1];

        key = key_of(alike ? c->alike.signature : c->same.signature);
        keymap_put(map, b->app_index, &key, at);
    }
    return at;
}

/* ---- what this file had ---- */

static bool had(const struct matcher *m, const struct local_clock *c)
{
    return c->number != 0 && c->actor != 0 && c->actor <= m->s->ledger.actor_count &&
           m->had[c->actor - 1] >= c->number;
}

/* From what its incarnations said of themselves in the headers of their change-sets. */
static void know_had(struct matcher *m)
{
    const struct ledger *l = &m->s->ledger;

    m->had = mem_alloc((l->actor_count + 1) * sizeof *m->had);
    for (uint32_t i = 0; i < l->actor_count; i++) {
        const struct ledger_actor *a = &l->actors[i];

        if (!ledger_is_ours(&m->s->ledger, i + 1))
            continue;
        m->had[i] = UINT64_MAX;
        for (uint32_t k = 0; k < l->actor_count && k < a->seen_room; k++)
            if (a->seen[k] > m->had[k])
                m->had[k] = a->seen[k];
    }
}

bool match_is_own(const struct store *s)
{
    const struct ledger *l = &s->ledger;

    for (uint32_t i = 0; i < l->actor_count; i++)
        if (l->actors[i].staged > 0 && ledger_is_ours(l, i + 1))
            return true;
    return false;
}

/* A row that was deleted may be in this file if this PC has not heard of that. */
static bool may_be_here(struct matcher *m, const struct candidate *c, bool *may, struct err *e)
{
    *may = c->alive;
    if (c->alive || !c->b->app->surrogate)
        return true;
    if (!record_decode(&m->rec, c->rec, e))
        return false;
    *may = m->rec.n > 0 && !had(m, &m->rec.dead);
    return true;
}

/* Its key in the file that its author has: the only one where a row of this PC's own can be. */
static bool has_key(struct matcher *m, const struct candidate *c, const struct touched *t, bool own)
{
    const struct cell *hint;

    if (own && !ledger_is_ours(&m->s->ledger, gid_unpack(c->gid).actor))
        return false;
    hint = record_get(&m->rec, c->b->position[c->b->app->keys[0]]);
    return hint != NULL && hint->v.type == VALUE_INT && hint->v.i == t->key.i;
}

static bool was_at(const struct candidate *c, const struct touched *t)
{
    return c->placed.kind == KEY_INT && c->placed.i == t->key.i;
}

/* ---- equal content ---- */

/* Whose value stands in the row's UNIQUE key: an index into the roster + 1. */
static uint32_t claimed_by(struct matcher *m, const struct candidate *c)
{
    const struct roster *roster = m->s->roster;
    struct local_clock claim = {0};
    struct site_id site;

    for (uint32_t i = 0; i < c->b->app->column_count; i++) {
        const struct cell *cell = record_get(&m->rec, c->b->position[i]);

        if (m->tables[c->b->app_index].unique[i] && cell != NULL &&
            ledger_clock_compare(&m->s->ledger, &cell->clock, &claim) > 0)
            claim = cell->clock;
    }
    if (claim.actor == 0)
        return 0;
    site = actor_site(&m->s->ledger.actors[claim.actor - 1].actor);
    for (uint32_t i = 0; i < roster->known_count; i++)
        if (site_equal(&roster->sites[i].site, &site))
            return i + 1;
    return 0;
}

/* Of several with equal content, the one whose key fits comes first, then the one whose mark does.
 */
static bool rate(struct matcher *m, const struct candidate *c, const struct touched *t,
                 const struct signature *g, uint32_t *rating, struct err *e)
{
    bool may;

    *rating = 0;
    if (!may_be_here(m, c, &may, e) || !may)
        return e->code == ERR_NONE;
    if (!record_decode(&m->rec, c->rec, e))
        return false;
    *rating = 1;
    if (c->b->app->surrogate)
        *rating += has_key(m, c, t, true) || was_at(c, t) ? 16 : has_key(m, c, t, false) ? 1 : 0;
    if (c->exact == g->exact)
        *rating += 8;
    else if (g->marked_by != 0 && claimed_by(m, c) == g->marked_by)
        *rating += 4;
    if (c->alive)
        *rating += 64;
    return true;
}

static void take(struct matcher *m, struct touched *t, uint32_t at, bool edited)
{
    struct candidate *c = &m->candidates[at - 1];

    t->gid = c->gid;
    c->taken = true;
    c->edited = edited;
    m->paired++;
}

static bool pair_content(struct matcher *m, struct touched *t, const struct signature *g,
                         struct err *e)
{
    uint32_t best = 0, most = 0, rating, n = 0;

    for (uint32_t at = first_free(m, &m->by_content, t->b, g, false); at != 0 && n < EQUALS_MAX;
         at = m->candidates[at - 1].same.next) {
        const struct candidate *c = &m->candidates[at - 1];

        if (c->taken)
            continue;
        n++;
        if (!rate(m, c, t, g, &rating, e))
            return false;
        if (rating > most) {
            most = rating;
            best = at;
        }
    }
    if (best != 0)
        take(m, t, best, false);
    return true;
}

/* All rows that are not paired, from one end or the other: chains of rows of one table are followed
 * in one go, whichever way they were made. */
static bool pair_round(struct signer *g, bool marked, bool backwards, struct err *e)
{
    struct matcher *m = g->m;

    for (uint32_t i = 0; i < m->rows.n; i++) {
        struct touched *t = &m->rows.rows[backwards ? m->rows.n - 1 - i : i];
        struct signature s;

        if (t->gid != 0)
            continue;
        if (!sign_row(g, t, false, &s, e))
            return false;
        if (s.complete && (s.marked_by != 0) == marked && !pair_content(m, t, &s, e))
            return false;
    }
    return true;
}

static bool pair_contents(struct signer *g, struct err *e)
{
    struct matcher *m = g->m;
    uint32_t before;
    int round = 0;

    do {
        before = m->paired;
        if (!pair_round(g, true, (round & 1) != 0, e) || !pair_round(g, false, (round & 1) != 0, e))
            return false;
    } while (m->paired != before && ++round < ROUNDS_MAX);
    return true;
}

/* ---- other content ---- */

struct likeness {
    uint32_t columns, equal;
    bool unique;  /* equal in all UNIQUE keys */
    bool keyed;   /* there are some, and they hold something */
    bool as_made; /* what differs was written later than the row was made */
    bool had;     /* this file held the row, in some state */
    bool old;     /* it was there before the fleet kept its history */
};

static uint64_t made(const struct record *r)
{
    uint64_t stamp = UINT64_MAX;

    for (uint32_t i = 0; i < r->n; i++)
        if (r->cells[i].set && r->cells[i].clock.stamp < stamp)
            stamp = r->cells[i].clock.stamp;
    return stamp;
}

static bool compare(struct signer *g, const struct candidate *c, const struct touched *t,
                    struct likeness *out, struct err *e)
{
    struct matcher *m = g->m;
    uint64_t stamp = made(&m->rec);

    *out = (struct likeness){.unique = true, .as_made = true, .old = stamp == 0};
    for (uint32_t i = 0; i < t->b->app->column_count; i++) {
        const struct cell *cell = record_get(&m->rec, c->b->position[i]);
        bool unique = m->tables[t->b->app_index].unique[i], known = true, same = false;
        struct value here, there;

        out->had |= cell != NULL && had(m, &cell->clock);
        if (t->b->is_key[i] || t->b->counter[i])
            continue;
        if (cell != NULL) {
            there = cell->v;
            if (!value_stands(m->s, &there, e) || !match_value(m, t, i, &here, &known, e))
                return false;
            if (unique) {
                here = plain_value(g, &here);
                there = plain_value(g, &there);
            }
            same = known && value_equal(&here, &there);
        }
        out->columns++;
        out->equal += same;
        out->keyed |= unique && same && here.type != VALUE_NULL;
        out->unique &= same || !unique;
        out->as_made &= same || (cell != NULL && cell->clock.stamp > stamp);
    }
    return true;
}

/* Is the row of the file, which holds something else, a state of this row of the fleet? A till that
 * has given its number 7 to another sale has another row. What speaks for one row:
 *
 *     this PC once had the row under this key, or made it under this key
 *     the file held the row when this PC last said something
 *     nothing differs but what somebody has written since the row was made
 *     the file is said to be a copy and was made with the row, older than the fleet, by this key
 *
 * and always its UNIQUE keys, or where there are none most of its columns; but for a key that this
 * PC gave and that no other row can have (AUTOINCREMENT). */
static bool may_be(struct signer *g, const struct candidate *c, const struct touched *t,
                   uint32_t *rating, struct err *e)
{
    struct matcher *m = g->m;
    bool may, ours = ledger_is_ours(&m->s->ledger, gid_unpack(c->gid).actor);
    struct likeness l;
    bool fits, was;

    *rating = 0;
    if (!may_be_here(m, c, &may, e) || !may)
        return e->code == ERR_NONE;
    if (!record_decode(&m->rec, c->rec, e) || !compare(g, c, t, &l, e))
        return false;
    fits = l.keyed ? l.unique : l.equal > 0 && l.equal * 2 >= l.columns;
    if (!c->alive)
        *rating = fits && l.as_made ? 100 : 0;
    else if ((was_at(c, t) || has_key(m, c, t, true)) && (fits || t->b->app->autoincrement))
        *rating = 1000;
    else if (fits && ((l.had && !ours) || l.as_made))
        *rating = 500;
    else if (fits && (m->copy || m->evident) && l.old && has_key(m, c, t, false) &&
             (l.keyed || l.equal * 2 > l.columns)) {
        if (!match_was_copied(m, c, t, m->tables[t->b->app_index].unique, &was, e))
            return false;
        *rating = was ? 200 : 0;
    }
    if (*rating > 0)
        *rating += l.equal < 100 ? l.equal : 100;
    return true;
}

/* `at`: one of those that may be alike, in a chain of them. */
static bool best_of(struct signer *g, const struct touched *t, uint32_t at, bool chained,
                    uint32_t *best, uint32_t *most, struct err *e)
{
    struct matcher *m = g->m;
    uint32_t n = 0, rating;

    for (; at != 0 && n < EQUALS_MAX; at = chained ? m->candidates[at - 1].alike.next : 0) {
        if (m->candidates[at - 1].taken)
            continue;
        n++;
        if (!may_be(g, &m->candidates[at - 1], t, &rating, e))
            return false;
        if (rating > *most) {
            *most = rating;
            *best = at;
        }
    }
    return true;
}

static bool pair_edited(struct signer *g, struct touched *t, struct err *e)
{
    struct matcher *m = g->m;
    struct row_key key = {.kind = KEY_INT};
    uint32_t best = 0, most = 0;
    struct signature s;

    if (!sign_row(g, t, true, &s, e))
        return false;
    if (s.complete &&
        !best_of(g, t, first_free(m, &m->by_likeness, t->b, &s, true), true, &best, &most, e))
        return false;
    key.i = t->key.i;
    if (!best_of(g, t, keymap_get(&m->by_place, t->b->app_index, &key), false, &best, &most, e))
        return false;
    for (uint32_t at = keymap_get(&m->by_hint, t->b->app_index, &key); at != 0;
         at = m->candidates[at - 1].hinted)
        if (!best_of(g, t, at, false, &best, &most, e))
            return false;
    if (best != 0)
        take(m, t, best, true);
    return true;
}

static bool pair_all_edited(struct signer *g, struct err *e)
{
    struct matcher *m = g->m;

    for (uint32_t i = 0; i < m->rows.n; i++)
        if (m->rows.rows[i].gid == 0 && m->rows.rows[i].b->app->surrogate &&
            !pair_edited(g, &m->rows.rows[i], e))
            return false;
    return true;
}

/* ---- the whole ---- */

static bool read_uniques(struct matcher *m, struct binding *b, struct err *e)
{
    struct match_table *t = &m->tables[b->app_index];
    struct app_uniques u = {0};
    bool ok;

    t->unique = arena_alloc(&m->arena, b->app->column_count * sizeof *t->unique);
    memset(t->unique, 0, b->app->column_count * sizeof *t->unique);
    ok = app_uniques_read(&m->s->app, b->app, &u, e);
    for (uint32_t i = 0; ok && i < u.n; i++)
        for (uint32_t k = 0; u.keys[i].where == NULL && k < u.keys[i].n; k++)
            t->unique[u.keys[i].columns[k]] = t->has_unique = true;
    app_uniques_close(&u);
    return ok;
}

static void count_pairs(struct matcher *m)
{
    m->paired = 0;
    for (uint32_t i = 0; i < m->rows.n; i++)
        m->paired += m->rows.rows[i].gid != 0;
}

static bool turn(struct signer *g, struct err *e)
{
    struct matcher *m = g->m;
    bool ok = index_candidates(g, e) && pair_contents(g, e) && match_by_keys(m, e);

    count_pairs(m);
    return ok && pair_contents(g, e) && match_find_origins(m, e) && pair_all_edited(g, e);
}

bool match_contents(struct matcher *m, struct err *e)
{
    struct signer g = {.m = m};
    uint32_t before;
    int turns = 0;
    bool ok = true;

    m->tables = mem_alloc((m->s->app.schema.n + 1) * sizeof *m->tables);
    for (uint32_t i = 0; ok && i < m->s->binding_count; i++)
        ok = read_uniques(m, &m->s->bindings[i], e);
    buf_open(&g.exact, SIZE_MAX / 2);
    buf_open(&g.plain, SIZE_MAX / 2);
    know_had(m);
    count_pairs(m);
    do {
        before = m->paired;
        ok = ok && turn(&g, e);
    } while (ok && m->paired > before && ++turns < TURNS_MAX);
    buf_close(&g.exact);
    buf_close(&g.plain);
    return ok;
}
