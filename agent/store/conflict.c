#include "conflict.h"

#include <string.h>

#include "counter.h"
#include "ledger_conflict.h"
#include "ledger_limits.h"
#include "unite.h"

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

static bool is_later(const struct conflict_row *row, const struct cell *a, const struct cell *b)
{
    return ledger_cell_compare(&row->s->ledger, row->gid, a, b) > 0;
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

/* What its author has seen now that it is merged. */
static void write_past(const struct ledger *l, const struct local_clock *c, struct buf *past)
{
    buf_open(past, ACTORS_MAX * 20);
    for (uint32_t a = 1; a <= l->actor_count; a++) {
        uint64_t number = a == c->actor ? c->number : ledger_seen_number(l, c->actor, a);

        if (number == 0)
            continue;
        varint_write(past, a);
        varint_write(past, number);
    }
}

static uint64_t past_number(const struct buf *past, uint32_t of)
{
    struct slice in = buf_slice(past);
    uint64_t actor, number;

    while (varint_read(&in, &actor) && varint_read(&in, &number))
        if (actor == of)
            return number;
    return 0;
}

/* ---- adding ---- */

static bool add(const struct conflict_row *row, uint32_t position, const char *why,
                const struct cell *lost, const struct cell *won, bool hidden, bool late,
                const struct conflict_list *others, struct err *e)
{
    struct ledger *l = &row->s->ledger;
    struct conflict c = {.at_ms = row->s->noticed_ms,
                         .gid = row->gid,
                         .table = row->table,
                         .position = position,
                         .why = mem_text(why),
                         .hidden = hidden};
    bool ok;

    *record_cell(&c.cells, CONFLICT_WON) = won == NULL ? (struct cell){0} : *won;
    *record_cell(&c.cells, CONFLICT_LOST) = *lost;
    for (uint32_t i = 0; i < c.cells.n; i++) /* values, without what makes them up */
        c.cells.cells[i].counter = NULL;
    buf_open(&c.newer, ACTORS_MAX * 20);
    if (won != NULL)
        add_newer(&c.newer, &won->clock);
    for (uint32_t i = 0; others != NULL && i < others->n; i++)
        if (others->list[i].position == position && lost_of(&others->list[i]) != NULL &&
            is_later(row, lost_of(&others->list[i]), lost))
            add_newer(&c.newer, &lost_of(&others->list[i])->clock);
    if (late)
        write_past(l, &lost->clock, &c.past);
    ok = conflict_add(l, &c, e);
    conflict_close(&c);
    return ok;
}

bool conflict_settle(const struct conflict_row *row, uint32_t position, const struct value *now,
                     struct err *e)
{
    struct ledger *l = &row->s->ledger;
    struct conflict_list list = {0};
    bool ok = !conflict_may_be(l, row->gid) || conflict_of_row(l, row->gid, &list, e);

    for (uint32_t i = 0; ok && i < list.n; i++) {
        struct conflict *c = &list.list[i];
        bool hidden = false;

        if (c->position != position || of_row(c) || lost_of(c) == NULL)
            continue;
        ok = value_same(row->s, &lost_of(c)->v, now, &hidden, e);
        for (uint32_t o = 0; ok && !hidden && o < list.n; o++) {
            const struct conflict *other = &list.list[o];

            if (o != i && other->position == position && !of_row(other) && lost_of(other) != NULL &&
                (is_later(row, lost_of(other), lost_of(c)) ||
                 (!is_later(row, lost_of(c), lost_of(other)) && o < i)))
                ok = value_same(row->s, &lost_of(other)->v, &lost_of(c)->v, &hidden, e);
        }
        if (ok && hidden != c->hidden) {
            c->hidden = hidden;
            ok = conflict_put(l, c, e);
        }
    }
    conflict_list_close(&list);
    return ok;
}

static bool add_lost(const struct conflict_row *row, uint32_t position, const char *why,
                     const struct cell *lost, const struct cell *won, bool hidden, bool late,
                     struct err *e)
{
    struct conflict_list list = {0};
    bool ok = conflict_of_row(&row->s->ledger, row->gid, &list, e) &&
              add(row, position, why, lost, won, hidden, late, &list, e);

    conflict_list_close(&list);
    return ok;
}

bool conflict_note(const struct conflict_row *row, uint32_t position, const char *why,
                   const struct cell *lost, const struct cell *won, struct err *e)
{
    struct conflict_list list = {0};
    bool ok = conflict_of_row(&row->s->ledger, row->gid, &list, e), found = false;

    for (uint32_t i = 0; ok && !found && i < list.n; i++)
        if (list.list[i].position == position && is_word(&list.list[i], why) &&
            lost_of(&list.list[i]) != NULL)
            ok = value_same(row->s, &lost_of(&list.list[i])->v, &lost->v, &found, e);
    ok = ok && (found || add(row, position, why, lost, won, false, false, &list, e));
    conflict_list_close(&list);
    return ok;
}

bool conflict_renew(const struct conflict_row *row, uint32_t position, const char *why,
                    const struct cell *lost, struct err *e)
{
    struct conflict_list list = {0};
    bool ok = conflict_of_row(&row->s->ledger, row->gid, &list, e);

    for (uint32_t i = 0; ok && i < list.n; i++)
        if (list.list[i].position == position && is_word(&list.list[i], why))
            ok = conflict_remove(&row->s->ledger, list.list[i].id, e);
    ok = ok && add(row, position, why, lost, NULL, false, false, NULL, e);
    conflict_list_close(&list);
    return ok;
}

/* ---- cells ---- */

/* Does this change-set write the cell, later than `than`? */
static bool writes_cell(const struct conflict_row *row, uint32_t position, uint32_t author,
                        uint64_t number, struct slice bytes, const struct local_clock *than,
                        bool *writes, struct err *e)
{
    struct ledger *l = &row->s->ledger;
    const char *column = l->tables[row->table - 1].columns[position];
    struct changeset_header h = {0};
    struct body_reader b = {0};
    struct changeset c;
    bool ok = changeset_open(&c, &h, bytes, e);

    if (ok)
        body_read(&b, c.body, h.stamp, e);
    while (ok && !*writes && body_next_table(&b))
        while (ok && !*writes && body_next_row(&b)) {
            struct local_clock clock = {.stamp = b.row.stamp, .actor = author, .number = number};
            uint32_t actor;
            int64_t gid;

            ledger_stamp_clock(l, &clock);
            if (b.row.n == 0 || ledger_clock_compare(l, &clock, than) <= 0)
                continue;
            ok = ledger_actor(l, &b.actors[b.row.gid.actor], &actor, e) &&
                 ledger_stands(l, gid_pack((struct gid){actor, b.row.gid.counter}), &gid, e);
            for (uint32_t i = 0; ok && gid == row->gid && i < b.row.n; i++)
                *writes |= slice_equal(b.table.names[b.row.columns[i]], slice_text(column));
        }
    ok = ok && (*writes || body_read_end(&b));
    body_read_close(&b);
    changeset_header_close(&h);
    return ok;
}

/* It had lost before it came, and to what is not all remembered: look it up in the log, among what
 * the author of `write` had seen and its own had not. Too much of that: be it so. */
static bool find_later(const struct conflict_row *row, const struct conflict *c,
                       const struct cell *write, bool *saw_later, struct err *e)
{
    struct store *s = row->s;
    struct ledger *l = &s->ledger;

    for (uint32_t a = 1; a <= l->actor_count && !*saw_later; a++) {
        uint64_t last = a == write->clock.actor ? write->clock.number - 1
                                                : ledger_seen_number(l, write->clock.actor, a);

        for (uint64_t n = past_number(&c->past, a) + 1; n <= last && !*saw_later; n++) {
            struct slice bytes;
            bool found;

            if (!ledger_changeset_get(l, a, n, &bytes, &found, e))
                return false;
            *saw_later = !found || s->look_ups_left == 0;
            if (!*saw_later &&
                !writes_cell(row, c->position, a, n, bytes, &lost_of(c)->clock, saw_later, e))
                return false;
            s->look_ups_left -= s->look_ups_left > 0;
        }
    }
    return true;
}

/* What a write of the cell means for a value that is kept as lost there. */
static bool meet(const struct conflict_row *row, struct conflict *c, const struct cell *write,
                 const struct cell *had, struct err *e)
{
    struct ledger *l = &row->s->ledger;
    const struct cell *lost = lost_of(c);
    const struct cell *won = record_get(&c->cells, CONFLICT_WON);
    bool same, saw_same, saw_later, covers, changed;

    if (lost == NULL || !is_later(row, write, lost))
        return true;
    if (!value_same(row->s, &lost->v, &write->v, &same, e) ||
        !value_same(row->s, &lost->v, &had->v, &saw_same, e))
        return false;
    covers = knew(l, write, &lost->clock);
    saw_same = saw_same && knew(l, write, &had->clock);
    /* Whoever wrote this knew of the value and brought it back; or had it before him, and nothing
     * later, and wrote over it. */
    saw_later = saw_newer(l, write->clock.actor, &c->newer);
    if (covers && !same && !saw_same && !saw_later && c->past.n > 0 &&
        !find_later(row, c, write, &saw_later, e))
        return false;
    if (covers && (same || saw_same || !saw_later))
        return conflict_remove(l, c->id, e);
    changed = add_newer(&c->newer, &write->clock);
    if (!covers && won != NULL && is_later(row, write, won)) {
        *record_cell(&c->cells, CONFLICT_WON) = *write;
        changed = true;
    }
    return !changed || conflict_put(l, c, e);
}

static bool meet_all(const struct conflict_row *row, uint32_t position, const struct cell *write,
                     const struct cell *had, struct err *e)
{
    struct conflict_list list = {0};
    bool ok = conflict_of_row(&row->s->ledger, row->gid, &list, e);

    for (uint32_t i = 0; ok && i < list.n; i++)
        if (list.list[i].position == position && !of_row(&list.list[i]))
            ok = meet(row, &list.list[i], write, had, e);
    conflict_list_close(&list);
    return ok;
}

bool conflict_cell(const struct conflict_row *row, uint32_t position, const struct cell *write,
                   const struct cell *had, struct err *e)
{
    struct ledger *l = &row->s->ledger;
    bool wins = is_later(row, write, had);
    bool known = wins && knew(l, write, &had->clock);
    bool matched = write->clock.stamp == 0 || had->clock.stamp == 0;
    const struct cell *now = wins ? write : had;
    bool same = true;

    if ((known && !conflict_may_be(l, row->gid)) || position == row->own_key)
        return true;
    if (conflict_may_be(l, row->gid) && !meet_all(row, position, write, had, e))
        return false;
    if (!known && !value_same(row->s, &write->v, &had->v, &same, e))
        return false;
    /* An equal value is no news, but it may come to light when the other one is overwritten. */
    if (!known && !(same && matched) &&
        !add_lost(row, position, matched ? CONFLICT_MATCHED : CONFLICT_OVERWRITTEN,
                  wins ? had : write, now, same, !wins, e))
        return false;
    return conflict_settle(row, position, &now->v, e);
}

/* ---- rows ---- */

/* The latest cell of the row that `counts` says yes to; of cells written together the one whose
 * column has the first name, so that every site names the same. */
void conflict_consider(const struct conflict_row *row, struct conflict_choice *best,
                       const struct cell *cell, uint32_t position)
{
    const struct ledger *l = &row->s->ledger;
    const struct ledger_table *t = &l->tables[row->table - 1];
    int order = best->cell == NULL ? 1 : ledger_clock_compare(l, &cell->clock, &best->cell->clock);

    if (position == row->own_key || position >= t->column_count)
        return;
    if (order > 0 || (order == 0 && strcmp(t->columns[position], t->columns[best->position]) < 0)) {
        best->copy = *cell;
        best->copy.counter = NULL;
        best->cell = &best->copy;
        best->position = position;
    }
}

static struct cell delete_of(const struct local_clock *dead)
{
    return (struct cell){.v = {.type = VALUE_NULL}, .clock = *dead, .set = true};
}

/* Take back what is listed of the row's deletes: all of it, or, once a write brings the row back,
 * what was lost to the delete; but not what its author knew of and did not bring back. */
static bool remove_of_row(const struct conflict_row *row, const struct record *rec,
                          const struct local_clock *write, struct err *e)
{
    struct ledger *l = &row->s->ledger;
    struct conflict_list list = {0};
    bool ok = conflict_of_row(l, row->gid, &list, e);

    for (uint32_t i = 0; ok && i < list.n; i++) {
        const struct conflict *c = &list.list[i];
        const struct cell *have = rec == NULL ? NULL : record_get(rec, c->position);
        bool moot = rec == NULL;

        if (!of_row(c) || (rec != NULL && !is_word(c, CONFLICT_DELETED)))
            continue;
        if (have != NULL && lost_of(c) != NULL)
            ok = value_same(row->s, &lost_of(c)->v, &have->v, &moot, e);
        if (rec != NULL && lost_of(c) != NULL)
            moot |= !ledger_saw(l, write->actor, &lost_of(c)->clock);
        if (ok && moot)
            ok = conflict_remove(l, c->id, e);
    }
    conflict_list_close(&list);
    return ok;
}

/* All that was written into the row, and counted, and that `asks` says yes to. */
static void consider_all(const struct conflict_row *row, const struct record *rec,
                         bool (*asks)(const struct ledger *l, const struct local_clock *than,
                                      const struct local_clock *c),
                         const struct local_clock *than, struct conflict_choice *best)
{
    const struct ledger *l = &row->s->ledger;

    for (uint32_t i = 0; i < rec->n; i++) {
        const struct cell *c = record_get(rec, i);

        if (c != NULL && asks(l, than, &c->clock))
            conflict_consider(row, best, c, i);
        for (uint32_t k = 0; c != NULL && c->counter != NULL && k < c->counter->n; k++) {
            const struct total *t = &c->counter->totals[k];
            struct cell counted = *c;

            counted.clock =
                (struct local_clock){.stamp = t->stamp, .number = t->number, .actor = t->actor};
            if (t->number > 0 && asks(l, than, &counted.clock))
                conflict_consider(row, best, &counted, i);
        }
    }
}

static bool any(const struct ledger *l, const struct local_clock *than, const struct local_clock *c)
{
    (void)l;
    (void)than;
    return c->number != 0;
}

static bool is_unseen(const struct ledger *l, const struct local_clock *than,
                      const struct local_clock *c)
{
    return !ledger_saw(l, than->actor, c);
}

static bool is_it(const struct ledger *l, const struct local_clock *than,
                  const struct local_clock *c)
{
    return ledger_clock_compare(l, than, c) == 0;
}

bool conflict_delete(const struct conflict_row *row, const struct record *rec, struct err *e)
{
    struct ledger *l = &row->s->ledger;
    bool alive = ledger_alive(l, rec);
    struct conflict_choice best = {0};
    struct cell dead = delete_of(&rec->dead);

    if (!remove_of_row(row, NULL, NULL, e))
        return false;
    consider_all(row, rec, alive ? any : is_unseen, &rec->dead, &best);
    if (best.cell == NULL)
        return true;
    return alive
               ? add(row, best.position, CONFLICT_RETURNED, &dead, best.cell, false, false, NULL, e)
               : add(row, best.position, CONFLICT_DELETED, best.cell, &dead, false, false, NULL, e);
}

/* The entry of this word about the row, made or renewed if `cell` is later than the one it tells of
 * now. */
static bool renew(const struct conflict_row *row, const char *word,
                  const struct conflict_choice *best, const struct cell *dead, struct err *e)
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
    return returned ? add(row, best->position, word, dead, best->cell, false, false, NULL, e)
                    : add(row, best->position, word, best->cell, dead, false, false, NULL, e);
}

bool conflict_write(const struct conflict_row *row, const struct record *rec,
                    const struct local_clock *write, const struct conflict_choice *written,
                    struct err *e)
{
    struct ledger *l = &row->s->ledger;
    bool later = ledger_clock_compare(l, write, &rec->dead) > 0;
    struct cell dead = delete_of(&rec->dead);
    struct conflict_choice best = {0};
    bool again;

    if (later && !remove_of_row(row, rec, write, e))
        return false;
    /* Nobody inserts a row with such a key again but an application that did not look. */
    again = row->inserted && row->own_key >= 0 && rec->dead.actor != write->actor;
    if (later ? !again && ledger_saw(l, write->actor, &rec->dead) : ledger_alive(l, rec))
        return true;
    if (later)
        return written->cell == NULL || renew(row, CONFLICT_RETURNED, written, &dead, e);
    consider_all(row, rec, is_it, write, &best);
    return best.cell == NULL || renew(row, CONFLICT_DELETED, &best, &dead, e);
}
