/* Keys: none changes under the application, and the agent gives none that was another row's. */
#include "oracle_unite.h"

#include <string.h>

/* Has the application of this site ever been shown a row of this name? */
static bool was_shown(const struct oracle *o, uint32_t site, uint32_t name)
{
    for (uint32_t i = 0; i < o->key_n; i++)
        if (o->keys[i].site == site && o->keys[i].row == name)
            return true;
    return false;
}

/* Did one of those that this row is come into the file while nobody looked, under a key that was
 * nobody's? Then it may have stayed there, and the one that the application knew may have gone. */
static bool came_unseen(const struct oracle *o, uint32_t site, const struct oracle_row *row,
                        uint32_t key)
{
    bool unseen = false;

    for (uint32_t i = 0; i < o->key_n; i++)
        if (o->keys[i].site == site && o->keys[i].table == row->table && o->keys[i].key == key)
            return false;
    for (uint32_t i = 0; i < o->union_n; i++)
        unseen |= (row->unions >> i & 1) != 0 && (!was_shown(o, site, o->unions[i].left) ||
                                                  !was_shown(o, site, o->unions[i].right));
    return unseen;
}

/* Of two rows that are one the one stays where it was, and may be called as the other one. */
static bool may_have(const struct oracle *o, uint32_t site, const struct view_row *was,
                     const struct view_row *is)
{
    const struct oracle_row *row = oracle_row(o, was->name);

    if (row == NULL || row->unions == 0 || !shape_surrogate(&o->shape->tables[was->table]))
        return row == NULL || row->unions != 0;
    for (uint32_t i = 0; i < o->key_n; i++)
        if (o->keys[i].site == site && o->keys[i].table == was->table &&
            o->keys[i].key == is->raw[0] && oracle_same(o, o->keys[i].row) == row->name)
            return true;
    return came_unseen(o, site, row, is->raw[0]);
}

static bool keys_stand(const struct oracle *o, uint32_t site, const struct view *now, struct err *e)
{
    const struct view *last = &o->last[site];

    for (uint32_t i = 0; i < last->n; i++) {
        const struct view_row *was = &last->rows[i];
        const struct view_row *is = view_find(now, was->table, was->name);

        if (is != NULL && is->raw[0] != was->raw[0] && !may_have(o, site, was, is) &&
            !(oracle_is_several(o, was->name) && oracle_has_died(o, was->name)))
            return err_set(e, ERR_INPUT, "the key of %s changed from %s to %s",
                           words_text(o->words, was->name), words_text(o->words, was->raw[0]),
                           words_text(o->words, is->raw[0]));
    }
    return true;
}

/* Who has had this key at this site? `own`: this row has, too. */
static uint32_t other_at_key(const struct oracle *o, uint32_t site, const struct view_row *r,
                             bool *own)
{
    uint32_t other = WORD_NULL;

    *own = false;
    for (uint32_t i = 0; i < o->key_n; i++) {
        const struct oracle_key *k = &o->keys[i];

        if (k->site != site || k->table != r->table || k->key != r->raw[0])
            continue;
        if (oracle_same(o, k->row) == oracle_same(o, r->name))
            *own = true;
        else if (k->known)
            other = k->row;
    }
    return other;
}

void oracle_remember_keys(struct oracle *o, uint32_t site, const struct view *now)
{
    for (uint32_t i = 0; i < now->n; i++) {
        const struct view_row *r = &now->rows[i];
        bool own;

        if (!shape_surrogate(&o->shape->tables[r->table]))
            continue;
        other_at_key(o, site, r, &own);
        if (own)
            continue;
        if (o->key_n == o->key_room) {
            o->key_room = o->key_room * 2 + 64;
            o->keys = mem_grow(o->keys, o->key_room * sizeof *o->keys);
        }
        o->keys[o->key_n++] = (struct oracle_key){site, r->table, r->raw[0], r->name, false};
    }
}

/* The agent looks into no table that stays on its PC. */
void oracle_know_keys(struct oracle *o, uint32_t site)
{
    for (uint32_t i = 0; i < o->key_n; i++) {
        struct oracle_key *k = &o->keys[i];
        const struct view_row *r =
            k->site != site || k->known ? NULL : view_find(&o->last[site], k->table, k->row);

        k->known |=
            r != NULL && r->raw[0] == k->key && o->shape->tables[k->table].way != SHAPE_LOCAL;
    }
}

/* Did some application give one row the key that it had given the other one before? Then it may
 * have been taken for the other one, saved again. */
static bool shared_elsewhere(const struct oracle *o, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < o->key_n; i++)
        for (uint32_t k = 0; k < o->key_n; k++)
            if (o->keys[i].row == a && o->keys[k].row == b && o->keys[i].site == o->keys[k].site &&
                o->keys[i].key == o->keys[k].key)
                return true;
    return false;
}

/* Did another row that has died have this key, number `key` of those that are known, there, too? */
static bool shared_at(const struct oracle *o, uint32_t site, uint32_t key, uint32_t name)
{
    for (uint32_t i = 0; i < o->key_n; i++) {
        const struct oracle_key *k = &o->keys[i], *of = &o->keys[key];

        if (k->site == site && k->table == of->table && k->key == of->key && k->row != name &&
            oracle_has_died(o, k->row))
            return true;
    }
    return false;
}

bool oracle_may_be_another(const struct oracle *o, const struct oracle_event *event)
{
    for (uint32_t i = 0; i < o->key_n; i++)
        if (o->keys[i].site == event->site && o->keys[i].row == event->name &&
            shared_at(o, event->site, i, event->name))
            return true;
    return false;
}

/* Is it that row, which has yielded its mark to another one, until somebody says that they are one?
 */
static bool has_yielded(const struct oracle *o, uint32_t name, uint32_t bare)
{
    return name != bare && oracle_bare(o, name) == bare;
}

/* The agent gives no row a key under which the application knew another one. */
static bool keys_are_fresh(const struct oracle *o, uint32_t site, const struct view *now,
                           struct err *e)
{
    for (uint32_t i = 0; i < now->n && !o->lost[site]; i++) {
        const struct view_row *r = &now->rows[i];
        uint32_t other;
        bool own;

        if (!shape_surrogate(&o->shape->tables[r->table]) ||
            view_find(&o->last[site], r->table, r->name) != NULL)
            continue;
        other = other_at_key(o, site, r, &own);
        if (other != WORD_NULL && !own && !has_yielded(o, r->name, other) &&
            !shared_elsewhere(o, r->name, other))
            return err_set(e, ERR_INPUT, "%s was given key %s, which was that of %s",
                           words_text(o->words, r->name), words_text(o->words, r->raw[0]),
                           words_text(o->words, other));
    }
    return true;
}

bool oracle_keys(const struct oracle *o, uint32_t site, const struct view *now, struct err *e)
{
    return keys_stand(o, site, now, e) && keys_are_fresh(o, site, now, e);
}
