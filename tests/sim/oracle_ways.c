/* What rules say: tables and columns into which nothing comes from elsewhere, and references. */
#include "oracle.h"

#include <string.h>

/* Every row of a table into which nothing comes is as the application left it, and every row of
 * which nobody else has ever heard: what a file that went back has lost of others comes again. (So
 * does what it has lost itself: a row that the application had deleted goes once more.) */
static bool is_left_alone(const struct oracle *o, uint32_t site, const struct view *a,
                          const struct view *b, struct err *e)
{
    for (uint32_t i = 0; i < a->n; i++) {
        const struct view_row *was = &a->rows[i];
        const struct view_row *is = view_find(b, was->table, was->name);

        if (is == NULL && o->lost[site])
            continue;
        if ((!shape_takes(&o->shape->tables[was->table], site, o->sites) ||
             (view_stays(o->shape, o->words, was) && !oracle_knows(o, was->name))) &&
            (is == NULL || memcmp(was->raw, is->raw, sizeof was->raw) != 0))
            return err_set(e, ERR_INPUT, "%s was touched in a table into which nothing comes",
                           words_text(o->words, was->name));
    }
    return true;
}

/* What a rule puts into a local column, in whatever form the column gives it. */
static bool is_fill_in(const struct oracle *o, uint32_t word)
{
    const char *text = words_text(o->words, word);

    return strcmp(text, SHAPE_FILL_IN) == 0 || strcmp(text, SHAPE_FILL_IN ".0") == 0 ||
           strcmp(text, "'" SHAPE_FILL_IN "'") == 0;
}

/* The row as its file showed it before: by its key, for it may have yielded its mark since. */
static const struct view_row *find_before(const struct oracle *o, uint32_t site,
                                          const struct view_row *is)
{
    const struct view *last = &o->last[site];

    if (!shape_surrogate(&o->shape->tables[is->table]))
        return view_find(last, is->table, is->name);
    for (uint32_t i = 0; i < last->n; i++)
        if (last->rows[i].table == is->table && last->rows[i].raw[0] == is->raw[0])
            return &last->rows[i];
    return NULL;
}

/* Local columns are as the application left them; rows that came have the fill-in value, also those
 * that came back, or may be what another row was called. */
static bool locals_stand(const struct oracle *o, uint32_t site, const struct view *now,
                         struct err *e)
{
    for (uint32_t i = 0; i < now->n; i++) {
        const struct view_row *is = &now->rows[i];
        const struct view_row *was = find_before(o, site, is);
        const struct shape_table *t = &o->shape->tables[is->table];

        const struct oracle_row *row = oracle_row(o, is->name);

        if (row != NULL && (oracle_has_died(o, is->name) || row->unions != 0))
            continue;
        for (uint32_t c = 0; c < t->columns_n; c++)
            if (t->columns[c].local &&
                !(was == NULL ? is_fill_in(o, is->raw[c]) : is->raw[c] == was->raw[c]))
                return err_set(e, ERR_INPUT, "%s.%s is %s, which stays on each PC",
                               words_text(o->words, is->name), t->columns[c].name,
                               words_text(o->words, is->raw[c]));
    }
    return true;
}

bool oracle_ways(const struct oracle *o, uint32_t site, const struct view *now, struct err *e)
{
    return is_left_alone(o, site, &o->last[site], now, e) &&
           is_left_alone(o, site, now, &o->last[site], e) && locals_stand(o, site, now, e);
}

bool oracle_was_said(const struct oracle *o, uint32_t site, const struct oracle_row *row)
{
    bool said = false;

    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        said |= event->site == site && event->taken && event->drained;
    }
    return said && shape_says(&o->shape->tables[row->table], site, o->sites);
}

/* Did the site drain nothing before this? */
static bool is_first_drain(const struct oracle *o, const struct oracle_event *event)
{
    for (uint32_t i = 0; i < o->event_n; i++)
        if (o->events[i].site == event->site && o->events[i].drained &&
            o->events[i].drain < event->drain)
            return false;
    return true;
}

bool oracle_names_unsaid(const struct oracle *o, const struct oracle_event *event)
{
    const struct oracle_row *row = oracle_row(o, event->value);
    bool born = false, died = false, copied = false, went = false;

    for (uint32_t i = 0; row != NULL && i < row->n; i++) {
        const struct oracle_event *other = &o->events[row->events[i]];

        copied |= other->column == COLUMN_BIRTH && other->tick <= o->copied;
        went |= other->column == COLUMN_DEATH && other->site == event->site;
        if (other->site != event->site || !other->drained || other->drain != event->drain)
            continue;
        born |= other->column == COLUMN_BIRTH;
        died |= other->column == COLUMN_DEATH;
    }
    return event->drained &&
           ((born && died) || (copied && went && event->site != 0 && is_first_drain(o, event)));
}

/* Did somebody write there what named nothing, or nothing that anybody has heard of? */
static bool named_nothing(const struct oracle *o, const struct oracle_row *row, uint32_t column)
{
    for (uint32_t i = 0; row != NULL && i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        if (event->column == (int)column &&
            (strcmp(words_text(o->words, event->value), VIEW_GONE) == 0 ||
             oracle_names_unsaid(o, event)))
            return true;
    }
    return false;
}

void oracle_blank(const struct oracle *o, struct view *v)
{
    for (uint32_t i = 0; i < v->n; i++) {
        struct view_row *r = &v->rows[i];
        const struct shape_table *t = &o->shape->tables[r->table];

        for (uint32_t c = t->keys; c < t->columns_n; c++)
            if (shape_loose(&t->columns[c]) && ((o->unnamed[r->table] >> c & 1) != 0 ||
                                                named_nothing(o, oracle_row(o, r->name), c)))
                r->cells[c] = words_add(o->words, VIEW_GONE);
    }
}

void oracle_rule(struct oracle *o, uint32_t table, uint32_t column, bool counts)
{
    uint32_t mask = UINT32_C(1) << column;

    o->uncounted[table] = counts ? o->uncounted[table] & ~mask : o->uncounted[table] | mask;
    o->rules++;
}
