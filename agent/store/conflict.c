#include "conflict.h"

#include <stdlib.h>
#include <string.h>

#include "ledger_conflict.h"

static bool is_word(const struct conflict *c, const char *word)
{
    return strcmp(c->why, word) == 0;
}

static bool of_row(const struct conflict *c)
{
    return is_word(c, CONFLICT_DELETED) || is_word(c, CONFLICT_RETURNED);
}

static const struct cell *lost_of(const struct conflict *c)
{
    return record_get(&c->cells, CONFLICT_LOST);
}

/* References are the same when they lead to one row. */
static bool same_value(struct ledger *l, const struct value *a, const struct value *b, bool *same,
                       struct err *e)
{
    int64_t left, right;

    *same = value_equal(a, b);
    if (*same || a->type != VALUE_REF || b->type != VALUE_REF)
        return true;
    if (!ledger_stands(l, gid_pack(a->ref), &left, e) ||
        !ledger_stands(l, gid_pack(b->ref), &right, e))
        return false;
    *same = left == right;
    return true;
}

static bool is_later(const struct ledger *l, const struct cell *a, const struct cell *b)
{
    return ledger_cell_compare(l, a, b) > 0;
}

/* A write under the zero clock was not made by anybody who looked. */
static bool knew(const struct ledger *l, const struct cell *write, const struct local_clock *c)
{
    return write->clock.stamp != 0 && ledger_saw(l, write->clock.actor, c);
}

/* ---- the writes later than a lost one: of each author the first is enough, since who has seen a
 * later one has seen it too ---- */

static bool saw_newer(const struct ledger *l, uint32_t author, const struct buf *newer)
{
    struct slice in = buf_slice(newer);
    uint64_t actor, number;

    while (varint_read(&in, &actor) && varint_read(&in, &number)) {
        struct local_clock c = {.actor = (uint32_t)actor, .number = number};

        if (actor >= 1 && actor <= l->actor_count && ledger_saw(l, author, &c))
            return true;
    }
    return false;
}

static bool add_newer(struct buf *newer, const struct local_clock *c)
{
    struct slice in = buf_slice(newer);
    uint64_t actor, number;

    while (varint_read(&in, &actor) && varint_read(&in, &number))
        if (actor == c->actor)
            return false;
    varint_write(newer, c->actor);
    varint_write(newer, c->number);
    return true;
}

/* ---- adding ---- */

static bool add(const struct conflict_row *row, uint32_t position, const char *why,
                const struct cell *lost, const struct cell *won, const struct conflict_list *others,
                struct err *e)
{
    struct ledger *l = &row->s->ledger;
    struct conflict c = {.at_ms = row->s->noticed_ms,
                         .gid = row->gid,
                         .table = row->table,
                         .position = position,
                         .why = mem_text(why)};
    bool ok;

    *record_cell(&c.cells, CONFLICT_WON) = won == NULL ? (struct cell){0} : *won;
    *record_cell(&c.cells, CONFLICT_LOST) = *lost;
    buf_open(&c.newer, ACTORS_MAX * 20);
    if (won != NULL)
        add_newer(&c.newer, &won->clock);
    for (uint32_t i = 0; others != NULL && i < others->n; i++)
        if (others->list[i].position == position && lost_of(&others->list[i]) != NULL &&
            is_later(l, lost_of(&others->list[i]), lost))
            add_newer(&c.newer, &lost_of(&others->list[i])->clock);
    ok = conflict_add(l, &c, e);
    conflict_close(&c);
    return ok;
}

/* Is the same value listed there already? `older`: then it is the earlier one, and goes. */
static bool find_same(const struct conflict_row *row, uint32_t position, const struct cell *lost,
                      const struct conflict_list *list, bool *found, struct err *e)
{
    struct ledger *l = &row->s->ledger;

    *found = false;
    for (uint32_t i = 0; i < list->n && !*found; i++) {
        const struct conflict *c = &list->list[i];
        bool same;

        if (c->position != position || of_row(c) || lost_of(c) == NULL)
            continue;
        if (!same_value(l, &lost_of(c)->v, &lost->v, &same, e))
            return false;
        *found = same && !is_later(l, lost, lost_of(c));
        if (same && !*found && !conflict_remove(l, c->id, e))
            return false;
    }
    return true;
}

static bool add_once(const struct conflict_row *row, uint32_t position, const char *why,
                     const struct cell *lost, const struct cell *won, struct err *e)
{
    struct conflict_list list = {0};
    bool found = false;
    bool ok = conflict_of_row(&row->s->ledger, row->gid, &list, e) &&
              find_same(row, position, lost, &list, &found, e) &&
              (found || add(row, position, why, lost, won, &list, e));

    conflict_list_close(&list);
    return ok;
}

bool conflict_note(const struct conflict_row *row, uint32_t position, const char *why,
                   const struct cell *lost, const struct cell *won, struct err *e)
{
    return add_once(row, position, why, lost, won, e);
}

/* ---- cells ---- */

/* What a write of the cell means for a value that is listed as lost there. */
static bool meet(const struct conflict_row *row, struct conflict *c, const struct cell *write,
                 const struct cell *now, struct err *e)
{
    struct ledger *l = &row->s->ledger;
    const struct cell *lost = lost_of(c);
    const struct cell *won = record_get(&c->cells, CONFLICT_WON);
    bool same, covers, changed;

    if (lost == NULL)
        return true;
    if (!same_value(l, &lost->v, &now->v, &same, e))
        return false;
    covers = knew(l, write, &lost->clock);
    /* Its value is back; or whoever wrote this saw it, and nothing later, and wrote over it. */
    if (same ||
        (covers && is_later(l, write, lost) && !saw_newer(l, write->clock.actor, &c->newer)))
        return conflict_remove(l, c->id, e);
    if (!is_later(l, write, lost))
        return true;
    changed = add_newer(&c->newer, &write->clock);
    if (!covers && won != NULL && is_later(l, write, won)) {
        *record_cell(&c->cells, CONFLICT_WON) = *write;
        changed = true;
    }
    return !changed || conflict_put(l, c, e);
}

static bool meet_all(const struct conflict_row *row, uint32_t position, const struct cell *write,
                     const struct cell *now, struct err *e)
{
    struct conflict_list list = {0};
    bool ok = conflict_of_row(&row->s->ledger, row->gid, &list, e);

    for (uint32_t i = 0; ok && i < list.n; i++)
        if (list.list[i].position == position && !of_row(&list.list[i]))
            ok = meet(row, &list.list[i], write, now, e);
    conflict_list_close(&list);
    return ok;
}

bool conflict_cell(const struct conflict_row *row, uint32_t position, const struct cell *write,
                   const struct cell *had, struct err *e)
{
    struct ledger *l = &row->s->ledger;
    bool wins = is_later(l, write, had);
    bool known = wins && knew(l, write, &had->clock);
    const struct cell *now = wins ? write : had;
    bool same;

    if ((known && !conflict_may_be(l, row->gid)) || position == row->own_key)
        return true;
    if (conflict_may_be(l, row->gid) && !meet_all(row, position, write, now, e))
        return false;
    if (known || !same_value(l, &write->v, &had->v, &same, e))
        return known;
    return same || add_once(row, position,
                            write->clock.stamp == 0 || had->clock.stamp == 0 ? CONFLICT_MATCHED
                                                                             : CONFLICT_OVERWRITTEN,
                            wins ? had : write, now, e);
}

/* ---- rows ---- */

/* The latest cell of the row that `counts` says yes to; of cells written together the one whose
 * column has the first name, so that every site names the same. */
struct choice {
    const struct cell *cell;
    uint32_t position;
};

static void consider(const struct conflict_row *row, struct choice *best, const struct cell *cell,
                     uint32_t position)
{
    const struct ledger *l = &row->s->ledger;
    const struct ledger_table *t = &l->tables[row->table - 1];
    int order = best->cell == NULL ? 1 : ledger_clock_compare(l, &cell->clock, &best->cell->clock);

    if (position == row->own_key || position >= t->column_count)
        return;
    if (order > 0 || (order == 0 && strcmp(t->columns[position], t->columns[best->position]) < 0))
        *best = (struct choice){cell, position};
}

static struct cell delete_of(const struct local_clock *dead)
{
    return (struct cell){.v = {.type = VALUE_NULL}, .clock = *dead, .set = true};
}

/* Take back what is listed of the row's deletes: of one word, or (NULL) all. With `rec`, only where
 * the lost value is what the row holds. */
static bool remove_of_row(const struct conflict_row *row, const char *word,
                          const struct record *rec, struct err *e)
{
    struct ledger *l = &row->s->ledger;
    struct conflict_list list = {0};
    bool ok = conflict_of_row(l, row->gid, &list, e);

    for (uint32_t i = 0; ok && i < list.n; i++) {
        const struct conflict *c = &list.list[i];
        const struct cell *have = rec == NULL ? NULL : record_get(rec, c->position);
        bool same = rec == NULL;

        if (!of_row(c) || (word != NULL && !is_word(c, word)))
            continue;
        if (have != NULL && lost_of(c) != NULL)
            ok = same_value(l, &lost_of(c)->v, &have->v, &same, e);
        if (ok && same)
            ok = conflict_remove(l, c->id, e);
    }
    conflict_list_close(&list);
    return ok;
}

bool conflict_delete(const struct conflict_row *row, const struct record *rec, struct err *e)
{
    struct ledger *l = &row->s->ledger;
    bool alive = ledger_alive(l, rec);
    struct choice best = {0};
    struct cell dead = delete_of(&rec->dead);

    if (!remove_of_row(row, NULL, NULL, e))
        return false;
    for (uint32_t i = 0; i < rec->n; i++) {
        const struct cell *c = record_get(rec, i);

        if (c != NULL && (alive || !ledger_saw(l, rec->dead.actor, &c->clock)))
            consider(row, &best, c, i);
    }
    if (best.cell == NULL)
        return true;
    return alive ? add(row, best.position, CONFLICT_RETURNED, &dead, best.cell, NULL, e)
                 : add(row, best.position, CONFLICT_DELETED, best.cell, &dead, NULL, e);
}

/* The entry of this word about the row, made or renewed if `cell` is later than the one it tells of
 * now. */
static bool renew(const struct conflict_row *row, const char *word, const struct choice *best,
                  const struct cell *dead, struct err *e)
{
    bool returned = strcmp(word, CONFLICT_RETURNED) == 0;
    struct ledger *l = &row->s->ledger;
    struct conflict_list list = {0};
    bool ok = conflict_of_row(l, row->gid, &list, e), found = false;

    for (uint32_t i = 0; ok && i < list.n; i++) {
        struct conflict *c = &list.list[i];
        uint32_t which = returned ? CONFLICT_WON : CONFLICT_LOST;

        if (!is_word(c, word))
            continue;
        found = true;
        if (ledger_clock_compare(l, &best->cell->clock, &record_cell(&c->cells, which)->clock) <= 0)
            continue;
        *record_cell(&c->cells, which) = *best->cell;
        c->position = best->position;
        ok = conflict_put(l, c, e);
    }
    conflict_list_close(&list);
    if (!ok || found)
        return ok;
    return returned ? add(row, best->position, word, dead, best->cell, NULL, e)
                    : add(row, best->position, word, best->cell, dead, NULL, e);
}

bool conflict_write(const struct conflict_row *row, const struct record *rec,
                    const struct local_clock *write, struct err *e)
{
    struct ledger *l = &row->s->ledger;
    bool later = ledger_clock_compare(l, write, &rec->dead) > 0;
    struct cell dead = delete_of(&rec->dead);
    struct choice best = {0};

    if (later && !remove_of_row(row, CONFLICT_DELETED, rec, e))
        return false;
    if (later ? ledger_saw(l, write->actor, &rec->dead) : ledger_alive(l, rec))
        return true;
    for (uint32_t i = 0; i < rec->n; i++) {
        const struct cell *c = record_get(rec, i);

        if (c != NULL && ledger_clock_compare(l, &c->clock, write) == 0)
            consider(row, &best, c, i);
    }
    if (best.cell == NULL)
        return true;
    return renew(row, later ? CONFLICT_RETURNED : CONFLICT_DELETED, &best, &dead, e);
}
