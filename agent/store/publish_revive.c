/* A row that another PC deleted, and that the application inserts again under its old number: an
 * object that it had read before and saves now (ORMs do, and then insert what they cannot update).
 * It is the same row, so that it is back everywhere under the key it had, and not a new one under
 * another key on each PC. But numbers are used again, too: without AUTOINCREMENT the next row after
 * the last one was deleted gets its key, and a flush or an import hands out even those that have
 * it. A new row taken for the old one would be deleted with it. What the row says decides; but what
 * is UNIQUE speaks only against: with the old row it went, too, and the next row is given it again
 * just as it is given the number. */
#include "publish.h"
#include "unite.h"

/* Nothing, no text, no and yes: half of all rows have these in common. */
static bool says_little(const struct value *v)
{
    return v->type == VALUE_NULL || (v->type == VALUE_INT && (v->i == 0 || v->i == 1)) ||
           (v->type == VALUE_TEXT && v->bytes.n == 0);
}

/* How many of its columns say what the deleted row said. `renamed`: what is UNIQUE of it does not.
 */
static bool compare(struct publisher *p, const struct touched *t, const struct record *was,
                    uint32_t *same, uint32_t *other, bool *renamed, struct err *e)
{
    const struct app_table *table = t->b->app;

    *same = *other = 0;
    *renamed = false;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct cell *c = record_get(was, t->b->position[i]);
        struct value v;
        bool equal;

        if (t->b->is_key[i] || c == NULL)
            continue;
        if (!publish_translate(p, t, i, &v, e))
            return false;
        if (!value_same(p->s, &v, &c->v, &equal, e))
            return false;
        if (table->columns[i].unique)
            *renamed |= !equal;
        else if (!equal)
            ++*other;
        else if (!says_little(&v))
            ++*same;
    }
    return true;
}

/* A save changes a column or two: most of the row must be as it was. */
static bool is_likely(uint32_t same, uint32_t other)
{
    return same > 0 && same >= 2 * other;
}

static bool died_elsewhere(const struct store *s, const struct record *r)
{
    return r->dead.number != 0 && !ledger_alive(&s->ledger, r) &&
           !actor_is_of(&s->ledger.actors[r->dead.actor - 1].actor, &s->keys->site);
}

bool publish_revive(struct publisher *p, struct touched *t, struct err *e)
{
    struct ledger_row row;
    uint32_t same, other;
    bool found, renamed;

    if (!t->b->app->surrogate || t->values == NULL || t->key.kind != KEY_INT ||
        t->key.i > p->s->ledger.tables[t->b->table - 1].key_max)
        return true;
    if (!ledger_row_by_key(&p->s->ledger, t->b->table, &t->key, true, &row, &found, e))
        return false;
    if (!found || row.present || row.minted)
        return true;
    if (!record_decode(&p->rec, row.rec, e))
        return false;
    if (!died_elsewhere(p->s, &p->rec))
        return true;
    if (!compare(p, t, &p->rec, &same, &other, &renamed, e))
        return false;
    if (!renamed && is_likely(same, other))
        t->gid = row.gid;
    return true;
}
