/* A row into change-sets. Usually it is one row of one of them. What takes more than that is said
 * in parts, one behind the other: an insert with as many cells as there is room for and nothing in
 * the others, then updates with these. Each part is merged under the number of the change-set it is
 * in, as everybody else merges it: the same stamp, and the later number wins over nothing. */
#include "publish.h"
#include "unite.h"

#include <stdlib.h>
#include <string.h>

/* A row on its way. */
struct saying {
    struct author *author;
    struct binding *b;
    struct body_row row;   /* all of it, as author_write takes it */
    struct value *values;  /* its cells */
    uint32_t from, to;     /* the part under way */
    uint32_t counter_from; /* its first counter */
};

/* All cells that fit, but at least one; then there is room for them. */
static bool open_part(struct saying *x, struct err *e)
{
    size_t bytes = 0;
    uint32_t next;

    x->from = x->to;
    while (x->counter_from < x->row.counter_n && x->row.counters[x->counter_from].cell < x->from)
        x->counter_from++;
    next = x->counter_from;
    for (; x->to < x->row.n; x->to++) {
        bool special = next < x->row.counter_n && x->row.counters[next].cell == x->to;
        size_t n = author_bytes(&x->values[x->to], special ? &x->row.counters[next++] : NULL);

        if (x->to > x->from && bytes + n > x->author->s->body_soft)
            break;
        bytes += n;
    }
    return author_room(x->author, bytes, e);
}

/* The first part of an insert: what is still to come is nothing yet. */
static void say_beginning(struct saying *x, struct body_row *part)
{
    struct value *values = mem_alloc(x->row.n * sizeof *values);

    memcpy(values, x->values, x->to * sizeof *values);
    for (uint32_t i = x->to; i < x->row.n; i++)
        values[i] = (struct value){.type = VALUE_NULL};
    part->n = x->row.n;
    author_write(x->author, x->b, part, values);
    free(values);
}

static void say_part(struct saying *x)
{
    struct body_row part = x->row;
    struct body_counter *counters = NULL;
    uint32_t last = x->counter_from;

    if (x->from == 0 && x->to == x->row.n) {
        author_write(x->author, x->b, &x->row, x->values);
        return;
    }
    while (last < x->row.counter_n && x->row.counters[last].cell < x->to)
        last++;
    part.counter_n = last - x->counter_from;
    if (part.counter_n > 0) {
        counters = mem_alloc(part.counter_n * sizeof *counters);
        memcpy(counters, x->row.counters + x->counter_from, part.counter_n * sizeof *counters);
        for (uint32_t i = 0; i < part.counter_n; i++)
            counters[i].cell -= x->from;
        part.counters = counters;
    }
    if (part.op == CHANGE_INSERT && x->from == 0) {
        say_beginning(x, &part);
    } else {
        part.op = CHANGE_UPDATE;
        part.n = x->to - x->from;
        part.columns = x->row.columns + x->from;
        author_write(x->author, x->b, &part, x->values + x->from);
    }
    free(counters);
}

static bool say_all(struct saying *x, struct err *e)
{
    while (x->to < x->row.n) {
        if (!open_part(x, e))
            return false;
        say_part(x);
    }
    return true;
}

/* Is the key among the first `n` cells to be said? */
static bool says_key(const struct publisher *p, const struct touched *t, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (t->b->order[p->columns[i]] == t->b->app->keys[0])
            return true;
    return false;
}

/* What the first `n` cells are going to be: an introduction with other values would be news, and
 * lose against them. */
static void look_ahead(const struct publisher *p, const struct touched *t, uint32_t n,
                       struct value *values)
{
    uint32_t next = 0;

    for (uint32_t i = 0; i < n; i++) {
        bool special = next < p->counter_n && p->counters[next].cell == i;

        if (!special || !p->counters[next].delta)
            values[p->columns[i]] = p->values[t->b->order[p->columns[i]]];
        next += special;
    }
}

static bool introduce(struct publisher *p, const struct touched *t, uint32_t said, struct err *e)
{
    const struct binding *b = t->b;
    const struct cell *key = record_get(&p->rec, b->position[b->app->keys[0]]);
    uint32_t n = b->app->column_count, self = p->s->ledger.self;
    struct saying x = {.author = &p->author, .b = t->b};
    uint32_t *columns;
    bool ok;

    if (b->app->surrogate || gid_unpack(t->gid).actor != self || key == NULL ||
        key->clock.actor == self || says_key(p, t, said))
        return true;
    x.values = mem_alloc(n * sizeof *x.values);
    columns = mem_alloc(n * sizeof *columns);
    for (uint32_t o = 0; o < n; o++) {
        const struct cell *c = record_get(&p->rec, b->position[b->order[o]]);

        x.values[o] = c == NULL ? (struct value){.type = VALUE_NULL} : *cell_base(c);
        columns[o] = o;
    }
    look_ahead(p, t, said, x.values);
    x.row = (struct body_row){
        .op = CHANGE_INSERT, .gid = gid_unpack(t->gid), .n = n, .columns = columns};
    ok = say_all(&x, e);
    free(x.values);
    free(columns);
    return ok;
}

bool publish_introduce(struct publisher *p, const struct touched *t, struct err *e)
{
    return introduce(p, t, 0, e);
}

/* Of a row that was united with others, this part lives on. */
static bool note_life(struct publisher *p, const struct touched *t, uint64_t stamp, struct err *e)
{
    struct local_clock life = {
        .stamp = stamp, .actor = p->s->ledger.self, .number = p->author.number};
    bool united;

    return unite_note(p->s, t->gid, p->stands, &life, false, &p->rec, &united, e);
}

bool publish_say(struct publisher *p, const struct touched *t, bool is_new, uint64_t stamp,
                 struct err *e)
{
    struct saying x = {.author = &p->author, .b = t->b, .values = p->wire};

    if (p->n == 0)
        return true;
    x.row = (struct body_row){.op = CHANGE_UPDATE,
                              .gid = gid_unpack(t->gid),
                              .stamp = stamp,
                              .n = p->n,
                              .columns = p->columns,
                              .counters = p->counters,
                              .counter_n = p->counter_n};
    if (is_new && p->n == t->b->app->column_count && author_takes(&x.row))
        x.row.op = CHANGE_INSERT;
    else if (!introduce(p, t, p->n, e))
        return false;
    while (x.to < x.row.n) {
        if (!open_part(&x, e) || !note_life(p, t, stamp, e) ||
            !cells_merge(p, t, x.from, x.to, stamp, e))
            return false;
        say_part(&x);
    }
    return true;
}
