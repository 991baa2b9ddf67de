#include "counter.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <navette/bounds.h>

const struct value *cell_base(const struct cell *c)
{
    return c->counter == NULL ? &c->v : &c->counter->base;
}

struct cell cell_plain(const struct cell *c)
{
    return (struct cell){.v = *cell_base(c), .clock = c->clock, .set = c->set};
}

static int compare_totals(const void *a, const void *b)
{
    const struct total *left = a, *right = b;

    if (left->gid != right->gid)
        return left->gid < right->gid ? -1 : 1;
    return left->actor == right->actor ? 0 : left->actor < right->actor ? -1 : 1;
}

const struct total *counter_find(const struct cell *c, int64_t gid, uint32_t actor)
{
    struct total key = {.gid = gid, .actor = actor};

    if (c->counter == NULL)
        return NULL;
    return bsearch(&key, c->counter->totals, c->counter->n, sizeof key, compare_totals);
}

uint64_t counter_stamp(const struct cell *c)
{
    uint64_t stamp = c->clock.stamp;

    for (uint32_t i = 0; c->counter != NULL && i < c->counter->n; i++)
        if (c->counter->totals[i].stamp > stamp)
            stamp = c->counter->totals[i].stamp;
    return stamp;
}

/* ---- what is shown ---- */

static bool counts(const struct total *t)
{
    return t->number > t->seen_number;
}

void counter_show(struct record *r, struct cell *c)
{
    uint64_t stamp = c->clock.stamp;
    struct decimal sum, change;
    uint8_t form;
    bool any = false, fits = true;

    if (c->counter == NULL || !c->set)
        return;
    c->v = c->counter->base;
    if (!decimal_of_value(&c->v, &sum, &form))
        return;
    for (uint32_t i = 0; i < c->counter->n; i++) {
        const struct total *t = &c->counter->totals[i];

        if (!counts(t))
            continue;
        any = true;
        if (t->stamp > stamp || (t->stamp == stamp && t->form > form)) {
            stamp = t->stamp;
            form = t->form;
        }
        fits = fits && decimal_subtract(&change, &t->total, &t->seen) &&
               decimal_add(&sum, &sum, &change);
    }
    assert(fits); /* decimal.h: the limits leave room for all of them */
    if (any)
        c->v = decimal_value(&sum, form, record_alloc(r, DECIMAL_TEXT_MAX));
}

/* ---- changing a cell ---- */

struct total *counter_totals(struct record *r, uint32_t n)
{
    return record_alloc(r, (n + 1) * sizeof(struct total));
}

const struct counter *counter_of(struct record *r, const struct value *base, struct total *totals,
                                 uint32_t n)
{
    struct counter *k = record_alloc(r, sizeof *k);

    if (n > 1)
        qsort(totals, n, sizeof *totals, compare_totals);
    *k = (struct counter){.base = *base, .n = n, .totals = totals};
    return k;
}

const struct counter *counter_rebase(struct record *r, const struct counter *k,
                                     const struct value *base)
{
    struct counter *copy;

    if (k == NULL)
        return NULL;
    copy = record_alloc(r, sizeof *copy);
    *copy = *k;
    copy->base = *base;
    return copy;
}

static bool few_enough(uint32_t n, struct err *e)
{
    return n <= CELL_TOTALS_MAX ||
           err_set(e, ERR_LIMIT, "a counter of %" PRIu32 " totals, allowed up to %d", n,
                   CELL_TOTALS_MAX);
}

static void replace(struct record *r, struct cell *c, const struct value *base,
                    struct total *totals, uint32_t n)
{
    if (n == 0) {
        c->v = *base;
        c->counter = NULL;
        return;
    }
    c->counter = counter_of(r, base, totals, n);
    counter_show(r, c);
}

/* Of two that speak of the same, what the newer change-set said; of one change-set, what it said
 * later. */
static void take_said(struct total *to, const struct total *from)
{
    if (from->number < to->number || from->number == 0)
        return;
    to->number = from->number;
    to->stamp = from->stamp;
    to->total = from->total;
    to->form = from->form;
}

/* Totals of `said`, then those of `more`, each once: what they say together. Their `seen` is taken
 * from `seen` alone. Any of them may be NULL. */
static uint32_t combine(struct record *r, const struct counter *said, const struct counter *more,
                        const struct counter *seen, struct total **out)
{
    const struct counter *all[] = {said, more, seen};
    struct total *totals;
    uint32_t room = 0, n = 0, kept = 0;

    for (size_t k = 0; k < COUNT_OF(all); k++)
        room += all[k] == NULL ? 0 : all[k]->n;
    *out = totals = counter_totals(r, room);
    for (size_t k = 0; k < COUNT_OF(all); k++)
        for (uint32_t i = 0; all[k] != NULL && i < all[k]->n; i++) {
            totals[n] = all[k]->totals[i];
            if (k == 2)
                totals[n].number = 0;
            else
                totals[n].seen_number = 0;
            n++;
        }
    if (n > 1)
        qsort(totals, n, sizeof *totals, compare_totals);
    for (uint32_t i = 0; i < n; i++) {
        struct total t = totals[i];

        if (kept == 0 || compare_totals(&totals[kept - 1], &t) != 0) {
            if (t.number == 0)
                t.stamp = 0, t.total = (struct decimal){0}, t.form = 0;
            if (t.seen_number == 0)
                t.seen = (struct decimal){0};
            totals[kept++] = t;
            continue;
        }
        take_said(&totals[kept - 1], &t);
        if (t.seen_number > 0) {
            totals[kept - 1].seen_number = t.seen_number;
            totals[kept - 1].seen = t.seen;
        }
    }
    n = 0;
    for (uint32_t i = 0; i < kept; i++)
        if (totals[i].number > 0 || totals[i].seen_number > 0)
            totals[n++] = totals[i];
    return n;
}

bool counter_add(struct record *r, uint32_t position, const struct total *t, struct err *e)
{
    struct cell *c = record_cell(r, position);
    const struct value base = *cell_base(c);
    const struct total *have = counter_find(c, t->gid, t->actor);
    uint32_t n = c->counter == NULL ? 0 : c->counter->n;
    struct total *totals;

    if (have != NULL && t->number < have->number)
        return true;
    if (!few_enough(n + (have == NULL), e))
        return false;
    totals = counter_totals(r, n + 1);
    if (n > 0)
        memcpy(totals, c->counter->totals, n * sizeof *totals);
    if (have == NULL)
        totals[n++] = (struct total){.gid = t->gid, .actor = t->actor};
    take_said(have == NULL ? &totals[n - 1] : &totals[have - c->counter->totals], t);
    replace(r, c, &base, totals, n);
    return true;
}

void counter_put_back(struct record *r, uint32_t position, const struct total *before)
{
    struct cell *c = record_cell(r, position);
    const struct value base = *cell_base(c);
    const struct total *have = counter_find(c, before->gid, before->actor);
    uint32_t n = c->counter == NULL ? 0 : c->counter->n;
    struct total *totals, *at;

    if (have == NULL)
        return;
    totals = counter_totals(r, n);
    memcpy(totals, c->counter->totals, n * sizeof *totals);
    at = &totals[have - c->counter->totals];
    at->number = before->number;
    at->stamp = before->stamp;
    at->total = before->total;
    at->form = before->form;
    if (at->number == 0 && at->seen_number == 0) {
        memmove(at, at + 1, (size_t)(totals + n - (at + 1)) * sizeof *at);
        n--;
    }
    replace(r, c, &base, totals, n);
}

bool counter_set(struct record *r, uint32_t position, const struct cell *set, struct err *e)
{
    struct cell *c = record_cell(r, position);
    struct total *totals;
    uint32_t n;

    if (c->counter == NULL && set->counter == NULL) {
        *c = *set;
        return true;
    }
    n = combine(r, c->counter, NULL, set->counter, &totals);
    if (!few_enough(n, e))
        return false;
    c->clock = set->clock;
    c->set = true;
    replace(r, c, cell_base(set), totals, n);
    return true;
}

bool counter_unite(struct record *r, uint32_t position, const struct cell *other, bool other_wins,
                   struct err *e)
{
    struct cell *c = record_cell(r, position);
    const struct cell *set = other_wins ? other : c;
    const struct value base = *cell_base(set);
    struct total *totals;
    uint32_t n;

    if (c->counter == NULL && other->counter == NULL) {
        *c = *set;
        return true;
    }
    n = combine(r, c->counter, other->counter, set->counter, &totals);
    if (!few_enough(n, e))
        return false;
    c->clock = set->clock;
    c->set = set->set;
    replace(r, c, &base, totals, n);
    return true;
}

void counter_settle(struct record *r, uint32_t position, const struct value *shown)
{
    struct cell *c = record_cell(r, position);
    uint32_t n = c->counter == NULL ? 0 : c->counter->n;
    struct total *totals;

    c->set = true;
    if (n == 0) {
        c->v = *shown;
        return;
    }
    totals = counter_totals(r, n);
    memcpy(totals, c->counter->totals, n * sizeof *totals);
    for (uint32_t i = 0; i < n; i++)
        if (counts(&totals[i])) {
            totals[i].seen_number = totals[i].number;
            totals[i].seen = totals[i].total;
        }
    replace(r, c, shown, totals, n);
}
