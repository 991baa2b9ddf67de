/* Drain: dirty marks -> rows touched -> change-sets. The file is only read, and let go before
 * anything is thought about. */
#include "inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

/* The row that holds a key while the marks are replayed. The map's values are 1 + index into
 * `slots`. */
struct slot {
    uint32_t origin; /* row at the key before the first mark: 1 + index, 0: none */
    uint32_t holder; /* now */
    struct binding *b;
    struct row_key key;
};

struct replay {
    struct store *s;
    struct touch_list *list;
    struct keymap map;
    struct slot *slots;
    uint32_t n, room;
    struct buf key_room;
};

struct touched *touch_add(struct touch_list *l)
{
    if (l->n == l->room) {
        l->room = l->room == 0 ? 64 : l->room * 2;
        l->rows = mem_grow(l->rows, l->room * sizeof *l->rows);
    }
    l->rows[l->n] = (struct touched){0};
    return &l->rows[l->n++];
}

void touch_close(struct touch_list *l)
{
    free(l->rows);
    arena_close(&l->arena);
    *l = (struct touch_list){0};
}

uint64_t mark_wall_ms(double julian_day, uint64_t now_ms)
{
    double ms = (julian_day - 2440587.5) * 86400000.0;

    if (!isfinite(ms) || ms < 1 || ms > (double)HLC_WALL_MS_MAX)
        return now_ms;
    /* A clock that was ahead for a while must not make our stamps run ahead for good. */
    return now_ms != 0 && ms > (double)now_ms ? now_ms : (uint64_t)ms;
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

/* A natural key says by itself which row it is: whatever happened at the key, the file tells what
 * is there now, and an update that moves the key is a delete there and an insert here. */
static void touch_natural(struct replay *r, uint32_t slot, uint64_t wall_ms)
{
    struct slot *at = &r->slots[slot];

    if (at->holder == 0) {
        struct touched *t = touch_add(r->list);

        *t = (struct touched){.b = at->b, .key = at->key};
        at->holder = r->list->n;
    }
    r->list->rows[at->holder - 1].wall_ms = wall_ms;
}

static void hold(struct replay *r, uint32_t slot, uint32_t holder)
{
    struct slot *to = &r->slots[slot];

    if (to->holder != 0 && to->holder != holder)
        r->list->rows[to->holder - 1].key.kind = KEY_NONE; /* REPLACE of another row */
    to->holder = holder;
    r->list->rows[holder - 1].key = to->key;
}

static uint32_t new_row(struct replay *r, uint32_t slot)
{
    struct touched *t = touch_add(r->list);

    t->b = r->slots[slot].b;
    t->born = r->slots[slot].key;
    return r->list->n;
}

static bool replay_mark(struct replay *r, const struct mark *m, uint64_t now_ms, struct err *e)
{
    struct app_table *t = appdb_table_numbered(&r->s->app, m->table);
    struct binding *b = t == NULL ? NULL : bind_by_app(r->s, t);
    bool moved = false;
    uint64_t wall_ms = mark_wall_ms(m->julian_day, now_ms);
    uint32_t at, from, holder;

    if (b == NULL)
        return true; /* no longer tracked */
    for (uint32_t i = 0; i < t->key_count; i++)
        moved |= m->op == MARK_UPDATE && m->old[i].type != VALUE_NULL;
    if (!slot_get(r, b, m->key, &at, e) || (moved && !slot_get(r, b, m->old, &from, e)))
        return false;
    if (!t->surrogate) {
        touch_natural(r, at, wall_ms);
        if (moved)
            touch_natural(r, from, wall_ms);
        return true;
    }
    if (m->op == MARK_DELETE) {
        holder = r->slots[at].holder;
        if (holder == 0)
            return true;
        r->slots[at].holder = 0;
        r->list->rows[holder - 1].key.kind = KEY_NONE;
    } else {
        holder = moved ? r->slots[from].holder : r->slots[at].holder;
        if (moved)
            r->slots[from].holder = 0;
        if (holder == 0)
            holder = new_row(r, at);
        hold(r, at, holder);
    }
    r->list->rows[holder - 1].wall_ms = wall_ms;
    return true;
}

static bool child_add(struct replay *r, struct binding *b, sqlite3_stmt *statement,
                      uint64_t wall_ms, struct err *e)
{
    struct value values[KEY_COLUMNS_MAX];
    uint32_t at;

    for (uint32_t i = 0; i < b->app->key_count; i++)
        values[i] = value_of_column(statement, (int)i);
    if (!slot_get(r, b, values, &at, e))
        return false;
    if (r->slots[at].holder == 0)
        r->slots[at].holder = new_row(r, at);
    hold(r, at, r->slots[at].holder);
    if (r->list->rows[r->slots[at].holder - 1].wall_ms == 0)
        r->list->rows[r->slots[at].holder - 1].wall_ms = wall_ms;
    return true;
}

static sqlite3_stmt *select_children(struct store *s, const struct app_table *t, uint32_t column,
                                     struct err *e)
{
    sqlite3_str *sql = sqlite3_str_new(s->app.db);
    sqlite3_stmt *statement = NULL;
    char *text;

    sqlite3_str_appendall(sql, "SELECT ");
    for (uint32_t i = 0; i < t->key_count; i++)
        sqlite3_str_appendf(sql, "%s\"%w\"", i == 0 ? "" : ", ", t->columns[t->keys[i]].name);
    sqlite3_str_appendf(sql, " FROM main.\"%w\" WHERE \"%w\" = ?1", t->name,
                        t->columns[column].name);
    text = sqlite3_str_finish(sql);
    if (sqlite3_prepare_v2(s->app.db, text, -1, &statement, NULL) != SQLITE_OK)
        sqlite_err(s->app.db, t->name, e);
    sqlite3_free(text);
    return statement;
}

/* A key that now belongs to another row changes what its children refer to, although they were not
 * written. */
static bool touch_children(struct replay *r, uint32_t slot, struct err *e)
{
    struct binding *parent = r->slots[slot].b;
    uint64_t wall_ms = r->list->rows[r->slots[slot].holder - 1].wall_ms;

    for (uint32_t i = 0; i < parent->app->child_count; i++) {
        const struct app_child *c = &parent->app->children[i];
        struct binding *b = bind_by_app(r->s, &r->s->app.schema.tables[c->table]);
        sqlite3_stmt *statement;
        bool ok = true;
        int code;

        if (b == NULL)
            continue;
        statement = select_children(r->s, b->app, c->column, e);
        if (statement == NULL || !key_bind(statement, 1, parent->app, &r->slots[slot].key, e)) {
            sqlite3_finalize(statement);
            return false;
        }
        while (ok && (code = sqlite3_step(statement)) == SQLITE_ROW)
            ok = child_add(r, b, statement, wall_ms, e);
        sqlite3_finalize(statement);
        if (!ok || code != SQLITE_DONE)
            return ok ? sqlite_err(r->s->app.db, b->app->name, e) : false;
    }
    return true;
}

static bool replay_marks(struct store *s, const struct marks *marks, struct touch_list *list,
                         uint64_t now_ms, struct err *e)
{
    struct replay r = {.s = s, .list = list};
    bool ok = true;

    buf_open(&r.key_room, VALUE_BYTES_MAX * 2);
    for (uint32_t i = 0; ok && i < marks->n; i++)
        ok = replay_mark(&r, &marks->marks[i], now_ms, e);
    for (uint32_t i = 0, n = r.n; ok && i < n; i++)
        if (r.slots[i].origin != 0 && r.slots[i].holder != 0 &&
            r.slots[i].origin != r.slots[i].holder)
            ok = touch_children(&r, i, e);
    keymap_close(&r.map);
    free(r.slots);
    buf_close(&r.key_room);
    return ok;
}

static bool read_row(struct store *s, struct touched *t, struct arena *arena, struct err *e)
{
    sqlite3_stmt *statement = t->b->app->select;
    int code;

    sqlite3_reset(statement);
    if (!key_bind(statement, 1, t->b->app, &t->key, e))
        return false;
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        t->values = arena_alloc(arena, t->b->app->column_count * sizeof *t->values);
        for (uint32_t i = 0; i < t->b->app->column_count; i++) {
            struct value v = value_of_column(statement, (int)i);

            t->values[i] = arena_value(arena, &v);
        }
    } else if (code == SQLITE_DONE) {
        t->key.kind = KEY_NONE; /* deleted without an event: REPLACE on another row's key */
    }
    sqlite3_reset(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE || sqlite_err(s->app.db, t->b->app->name, e);
}

bool touch_read(struct store *s, struct touch_list *l, struct err *e)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (l->rows[i].key.kind != KEY_NONE && l->rows[i].values == NULL &&
            !read_row(s, &l->rows[i], &l->arena, e))
            return false;
    return true;
}

/* What one read of the file gives: marks above the cursor, replayed, and their rows. */
static bool collect(struct store *s, struct touch_list *list, int64_t *cursor, double *time,
                    bool *more, uint64_t now_ms, struct err *e)
{
    struct marks marks = {0};
    bool found = true;
    int64_t last;
    bool ok;

    if (!recover_read(s, e))
        return false;
    ok = marks_read(&s->app, s->ledger.cursor, CUT_ROWS_MAX, &marks, e) &&
         marks_last(&s->app, &last, time, e) && replay_marks(s, &marks, list, now_ms, e) &&
         touch_read(s, list, e);
    *cursor = marks.last;
    *more = ok && last > marks.last;
    ok = ok && (!*more || marks_time(&s->app, marks.last, time, &found, e));
    appdb_end(&s->app);
    for (uint32_t i = 0; ok && i < marks.n; i++)
        ledger_mark_drained(&s->ledger, marks.marks[i].id, marks.marks[i].julian_day);
    marks_close(&marks);
    return ok;
}

bool drain(struct store *s, uint64_t now_ms, struct store_progress *p, struct err *e)
{
    struct touch_list list = {0};
    int64_t cursor = 0;
    double time = 0;
    bool ok;

    ok = collect(s, &list, &cursor, &time, &p->more, now_ms, e);
    if (ok && cursor > s->ledger.cursor) {
        ok = ledger_begin(&s->ledger, false, e) && publish(s, &list, now_ms, p, e);
        if (ok) {
            s->ledger.cursor = cursor;
            s->ledger.cursor_time = time;
            project_retry(s);
            ok = ledger_point(&s->ledger, e) && ledger_commit(&s->ledger, e);
        }
        if (!ok)
            ledger_rollback(&s->ledger);
    }
    ledger_rest(&s->ledger);
    touch_close(&list);
    return ok;
}
