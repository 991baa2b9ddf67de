/* Values that agents replaced, see oracle_replaced.h. */
#include "oracle_replaced.h"

#include "oracle_unite.h"

static void remember(struct oracle *o, uint32_t site, uint32_t row, int column, uint32_t value)
{
    if (o->replaced_n == o->replaced_room) {
        o->replaced_room = o->replaced_room * 2 + 64;
        o->replaced = mem_grow(o->replaced, o->replaced_room * sizeof *o->replaced);
    }
    o->replaced[o->replaced_n++] =
        (struct oracle_replaced){.site = site, .row = row, .value = value, .column = column};
}

/* The row that the file has in the place of this one: of two that are one the one stays where it
 * was, and may be called as the other one. */
static const struct view_row *row_now(const struct oracle *o, const struct view_row *was,
                                      const struct view *now)
{
    const struct view_row *is = view_find(now, was->table, was->name);
    const struct oracle_row *row = is == NULL ? oracle_row(o, was->name) : NULL;

    if (row == NULL || row->unions == 0)
        return is;
    do
        is = oracle_shown(o, row, now, is);
    while (is != NULL && is->where != was->where);
    return is;
}

void oracle_observe_replaced(struct oracle *o, uint32_t site, const struct view *now)
{
    const struct view *last = &o->last[site];

    for (uint32_t i = 0; i < last->n; i++) {
        const struct view_row *was = &last->rows[i], *is = row_now(o, was, now);
        const struct shape_table *t = &o->shape->tables[was->table];

        for (uint32_t c = t->keys; is != NULL && c < t->columns_n; c++)
            if (was->cells[c] != is->cells[c] && was->cells[c] != WORD_ABSENT)
                remember(o, site, was->name, (int)c, was->cells[c]);
    }
}

bool oracle_is_put_back(const struct oracle *o, uint32_t site, uint32_t name, int column,
                        uint32_t value)
{
    for (uint32_t i = 0; i < o->replaced_n; i++) {
        const struct oracle_replaced *r = &o->replaced[i];

        if (r->site == site && oracle_same(o, r->row) == oracle_same(o, name) &&
            r->column == column && oracle_same(o, r->value) == oracle_same(o, value))
            return true;
    }
    return false;
}
