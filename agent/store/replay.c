#include "replay.h"

#include <stdlib.h>

#include <sqlite3.h>

#include "refer.h"

/* The row that holds a key while the marks are replayed. The map's values are 1 + index into
 * `slots`. */
struct slot {
    uint32_t origin; /* row at the key before the first mark: 1 + index, 0: none */
    uint32_t holder; /* now */
    uint32_t births; /* of rows, at this key */
    int64_t last;    /* mark that gave it its holder */
    struct binding *b;
    struct row_key key;
};

void replay_open(struct replay *r, struct store *s, struct touch_list *list)
{
    *r = (struct replay){.s = s, .list = list};
    buf_open(&r->key_room, VALUE_BYTES_MAX * 2);
}

void replay_close(struct replay *r)
{
    keymap_close(&r->map);
    free(r->slots);
    buf_close(&r->key_room);
    *r = (struct replay){0};
}

static struct slot *slot_at(struct replay *r, struct binding *b, const struct row_key *key,
                            bool *made)
{
    uint32_t at = keymap_get(&r->map, b->app_index, key);

    *made = at == 0;
    if (at != 0)
        return &r->slots[at - 1];
    if (r->n == r->room) {
        r->room = r->room == 0 ? 64 : r->room * 2;
        r->slots = mem_grow(r->slots, r->room * sizeof *r->slots);
    }
    r->slots[r->n] = (struct slot){.b = b, .key = arena_key(&r->list->arena, key)};
    r->n++;
    keymap_put(&r->map, b->app_index, &r->slots[r->n - 1].key, r->n);
    return &r->slots[r->n - 1];
}

/* The slot of a key, with the row that the ledger knows there. */
static bool slot_get(struct replay *r, struct binding *b, const struct value *key, uint32_t *index,
                     struct err *e)
{
    struct value values[COLUMNS_MAX];
    struct ledger_row row;
    struct row_key k;
    struct slot *slot;
    bool made, found;

    for (uint32_t i = 0; i < b->app->key_count; i++)
        values[b->app->keys[i]] = key[i];
    k = key_of_row(b->app, values, &r->key_room);
    slot = slot_at(r, b, &k, &made);
    *index = (uint32_t)(slot - r->slots);
    if (!made)
        return true;
    if (b->app->surrogate && k.i > r->s->ledger.tables[b->table - 1].key_max)
        return true; /* never heard of: a new row */
    if (!ledger_row_by_key(&r->s->ledger, b->table, &k, false, &row, &found, e))
        return false;
    if (found) {
        struct touched *t = touch_add(r->list);

        *t = (struct touched){.b = b, .key = slot->key, .gid = row.gid};
        slot->origin = slot->holder = r->list->n;
    }
    return true;
}

static void touch(struct touch_list *l, uint32_t row, const struct mark *m, uint64_t wall_ms)
{
    struct touched *t = &l->rows[row - 1];
    struct row_key ms = int_key((int64_t)mark_wall_ms(m->julian_day, 0));

    if (l->times != NULL)
        keymap_put(l->times, row, &ms, 1);
    if (t->marks == 0) {
        t->first = m->id;
        t->first_ms = (uint64_t)ms.i;
    }
    if (t->marks == 0 || wall_ms > t->wall_ms) { /* the clock may have been put back in between */
        t->wall_ms = wall_ms;
        t->latest = m->id;
    }
    t->last = m->id;
    t->marks++;
}

/* A natural key says by itself which row it is: whatever happened at the key, the file tells what
 * is there now, and an update that moves the key is a delete there and an insert here. */
static void touch_natural(struct replay *r, uint32_t slot, const struct mark *m, bool left,
                          uint64_t wall_ms)
{
    struct slot *at = &r->slots[slot];
    struct touched *t;
    struct made *made;

    if (at->holder == 0) {
        t = touch_add(r->list);
        *t = (struct touched){.b = at->b, .key = at->key};
        at->holder = r->list->n;
    }
    touch(r->list, at->holder, m, wall_ms);
    t = &r->list->rows[at->holder - 1];
    t->left = left;
    if (m->op != MARK_INSERT)
        return;
    made = arena_alloc(&r->list->arena, sizeof *made);
    *made = (struct made){.mark = m->id, .ms = mark_wall_ms(m->julian_day, 0), .before = t->made};
    t->made = made;
}

/* The row leaves its key. Of one that nobody has heard of nothing else will tell that the key was
 * used, and what shows it without a foreign key would come to show another row. */
static void leave_key(struct replay *r, const struct slot *at)
{
    const struct touched *t = &r->list->rows[at->holder - 1];
    struct ledger_table *table = &r->s->ledger.tables[at->b->table - 1];

    if (t->gid == 0 && at->key.i > table->key_floor)
        table->key_floor = at->key.i;
}

static void hold(struct replay *r, uint32_t slot, uint32_t holder)
{
    struct slot *to = &r->slots[slot];

    if (to->holder != 0 && to->holder != holder) {
        leave_key(r, to);
        r->list->rows[to->holder - 1].key.kind = KEY_NONE; /* REPLACE of another row */
    }
    to->holder = holder;
    r->list->rows[holder - 1].key = to->key;
}

static uint32_t new_row(struct replay *r, uint32_t slot, int64_t mark)
{
    struct touched *t = touch_add(r->list);

    t->b = r->slots[slot].b;
    t->born = mark;
    t->mixed = ++r->slots[slot].births > 1;
    return r->list->n;
}

static void replay_surrogate(struct replay *r, const struct mark *m, bool moved, uint32_t at,
                             uint32_t from, uint64_t wall_ms)
{
    uint32_t holder = r->slots[moved ? from : at].holder;

    if (m->op == MARK_DELETE) {
        if (holder == 0)
            return;
        leave_key(r, &r->slots[at]);
        r->slots[at].holder = 0;
        r->list->rows[holder - 1].key.kind = KEY_NONE;
    } else {
        if (moved && holder != 0)
            leave_key(r, &r->slots[from]);
        if (moved)
            r->slots[from].holder = 0;
        if (holder == 0)
            holder = new_row(r, at, m->id);
        if (r->slots[at].holder != holder)
            r->slots[at].last = r->list->rows[holder - 1].since = m->id;
        hold(r, at, holder);
    }
    touch(r->list, holder, m, wall_ms);
}

bool replay_mark(struct replay *r, const struct mark *m, uint64_t now_ms, struct err *e)
{
    struct app_table *t = appdb_table_numbered(&r->s->app, m->table);
    struct binding *b = t == NULL ? NULL : bind_by_app(r->s, t);
    bool here = !m->long_key, there = m->moved && !m->long_old;
    uint64_t wall_ms = mark_wall_ms(m->julian_day, now_ms);
    uint32_t at, from = 0;

    if (b == NULL || r->s->ledger.tables[b->table - 1].scan == SCAN_MATCH)
        return true;
    if (!here && m->op != MARK_DELETE)
        unsent_row(r->s, b->table);
    if ((here && !slot_get(r, b, m->key, &at, e)) || (there && !slot_get(r, b, m->old, &from, e)))
        return false;
    if (t->surrogate) {
        if (here)
            replay_surrogate(r, m, there, at, from, wall_ms);
        return true;
    }
    if (here)
        touch_natural(r, at, m, m->op == MARK_DELETE, wall_ms);
    if (there)
        touch_natural(r, from, m, true, wall_ms);
    return true;
}

/* `by`: the slot whose row the child now refers to. */
static bool child_add(struct replay *r, struct binding *b, sqlite3_stmt *statement, uint32_t by,
                      struct err *e)
{
    uint32_t parent = r->slots[by].holder != 0 ? r->slots[by].holder : r->slots[by].origin;
    uint64_t wall_ms = r->list->rows[parent - 1].wall_ms;
    struct value values[KEY_COLUMNS_MAX];
    struct touched *t;
    uint32_t at;

    for (uint32_t i = 0; i < b->app->key_count; i++)
        values[i] = value_of_column(statement, (int)i);
    if (unsent_key(values, b->app->key_count))
        return true;
    if (!slot_get(r, b, values, &at, e))
        return false;
    if (r->slots[at].holder == 0)
        r->slots[at].holder = new_row(r, at, r->slots[by].last);
    hold(r, at, r->slots[at].holder);
    t = &r->list->rows[r->slots[at].holder - 1];
    t->mixed = true;
    if (t->wall_ms == 0)
        t->wall_ms = wall_ms;
    if (t->last < r->slots[by].last)
        t->last = r->slots[by].last;
    return true;
}

/* Finalizes the statement. */
static bool add_children(struct replay *r, struct binding *b, sqlite3_stmt *q, uint32_t by,
                         struct err *e)
{
    bool ok = true;
    int code = SQLITE_DONE;

    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW)
        ok = child_add(r, b, q, by, e);
    sqlite3_finalize(q);
    return ok && (code == SQLITE_DONE || sqlite_err(r->s->app.db, b->app->name, e));
}

/* A key that now belongs to another row changes what its children refer to, although they were not
 * written. */
static bool touch_children(struct replay *r, uint32_t slot, struct err *e)
{
    struct binding *parent = r->slots[slot].b;

    for (uint32_t i = 0; i < parent->app->child_count; i++) {
        const struct app_child *c = &parent->app->children[i];
        struct app_table *t = &r->s->app.schema.tables[c->table];
        struct binding *b = bind_by_app(r->s, t);
        sqlite3_stmt *statement;
        struct value key;

        if (b == NULL || t->columns[c->column].ref_form == REF_UNIQUE)
            continue;
        if (!key_values(parent->app, &r->slots[slot].key, &key, e))
            return false;
        key = refer_render(r->s, &t->columns[c->column], parent->app, &key, &r->list->arena);
        statement = refer_children(r->s, parent->app, c, e);
        if (statement != NULL && !value_bind(statement, 1, &key))
            sqlite_err(r->s->app.db, b->app->name, e);
        if (statement == NULL || e->code != ERR_NONE) {
            sqlite3_finalize(statement);
            return false;
        }
        if (!add_children(r, b, statement, slot, e))
            return false;
    }
    return true;
}

/* ---- children that name rows by what they hold in UNIQUE columns ---- */

/* The values that the row had in the columns of a foreign key, as the ledger knows the file.
 * `known` false: one is missing or NULL. */
static bool values_before(struct replay *r, const struct binding *b, int64_t gid,
                          const struct app_fk *fk, struct value *values, bool *known, struct err *e)
{
    struct record rec = {0};
    struct ledger_row row;
    bool ok = ledger_row_get(&r->s->ledger, gid, &row, known, e);

    *known = ok && *known && row.present && !row.minted;
    ok = ok && (!*known || record_decode(&rec, row.differs ? row.shadow : row.rec, e));
    for (uint32_t i = 0; ok && *known && i < fk->n; i++) {
        const struct cell *c = record_get(&rec, b->position[fk->to[i]]);

        *known = c != NULL && c->v.type != VALUE_NULL;
        if (!*known)
            break;
        values[i] = arena_value(&r->list->arena, &c->v);
        if (c->v.type == VALUE_REF)
            ok = refer_value(r->s, b, fk->to[i], gid_pack(c->v.ref), &r->list->arena, &values[i],
                             known, e);
    }
    record_close(&rec);
    return ok;
}

/* Does the row that is at this slot's key still hold them? */
static bool still_holds(struct replay *r, const struct touched *t, const struct app_fk *fk,
                        const struct value *values, bool *same, struct err *e)
{
    sqlite3_stmt *q = t->b->app->select;
    int code;

    *same = false;
    if (t->key.kind == KEY_NONE)
        return true;
    sqlite3_reset(q);
    if (!key_bind(q, 1, t->b->app, &t->key, e))
        return false;
    code = sqlite3_step(q);
    *same = code == SQLITE_ROW;
    for (uint32_t i = 0; *same && i < fk->n; i++) {
        struct value v = value_of_column(q, (int)fk->to[i]);

        *same = value_equal(&v, &values[i]);
    }
    sqlite3_reset(q);
    return code == SQLITE_ROW || code == SQLITE_DONE ||
           sqlite_err(r->s->app.db, t->b->app->name, e);
}

static bool touch_named(struct replay *r, uint32_t slot, const struct app_fk *fk,
                        const struct value *values, struct err *e)
{
    struct app_table *t = &r->s->app.schema.tables[fk->table];
    struct binding *b = bind_by_app(r->s, t);
    sqlite3_stmt *q = b == NULL ? NULL : refer_referring(r->s, fk, values, e);

    if (q == NULL)
        return e->code == ERR_NONE;
    return add_children(r, b, q, slot, e);
}

/* A row that held values by which others name it, and does not any more: where they still show
 * these, they name another row now. */
static bool touch_unique(struct replay *r, uint32_t slot, struct err *e)
{
    struct binding *parent = r->slots[slot].b;
    struct touched t = r->list->rows[r->slots[slot].origin - 1];

    for (uint32_t k = 0; k < parent->app->fk_count; k++) {
        const struct app_fk *fk = &parent->app->fks[k];
        struct value values[KEY_COLUMNS_MAX];
        bool known, same;

        if (!fk->followed || t.gid == 0)
            continue;
        if (!values_before(r, parent, t.gid, fk, values, &known, e) ||
            (known && !still_holds(r, &t, fk, values, &same, e)) ||
            (known && !same && !touch_named(r, slot, fk, values, e)))
            return false;
    }
    return true;
}

bool replay_children(struct replay *r, struct err *e)
{
    for (uint32_t i = 0, n = r->n; i < n; i++)
        if (r->slots[i].origin != 0 && r->slots[i].holder != 0 &&
            r->slots[i].origin != r->slots[i].holder && !touch_children(r, i, e))
            return false;
    for (uint32_t i = 0, n = r->n; i < n; i++)
        if (r->slots[i].origin != 0 && r->slots[i].b->app->fk_count > 0 && !touch_unique(r, i, e))
            return false;
    return true;
}

bool replay_fates(struct store *s, const struct touch_list *l, struct err *e)
{
    for (uint32_t i = 0; i < l->n; i++) {
        const struct touched *t = &l->rows[i];

        if (t->gid != 0 && (t->mixed || t->marks > 1) &&
            !ledger_fate(&s->ledger, t->gid, t->born, t->last, e))
            return false;
    }
    return true;
}
