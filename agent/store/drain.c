/* Drain: dirty marks -> rows touched -> change-sets. The file is only read, and let go before
 * anything is thought about. */
#include "replay.h"
#include "migration.h"

#include <math.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "refer.h"
#include "scan.h"

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
    /* A clock that was far ahead for a while must not make our stamps run ahead for good. As far as
     * others bear it, the mark is believed: if our home went back and then our clock, they know
     * what it stands for by its time already, and what comes after it must not be older. */
    return now_ms != 0 && ms > (double)(now_ms + HLC_SKEW_MS_MAX) ? now_ms : (uint64_t)ms;
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
            (!read_row(s, &l->rows[i], &l->arena, e) || !refer_touched(s, l, &l->rows[i], e)))
            return false;
    return true;
}

struct parents {
    struct store *s;
    struct touch_list *list;
    struct keymap here; /* keys of the list's rows */
    struct buf room;
    uint64_t now_ms;
};

/* Nothing was said of the row: it was to go (behind.h). */
static bool is_unheard(struct store *s, int64_t gid, bool *unheard, struct err *e)
{
    struct record rec = {0};
    struct ledger_row row;
    bool found, ok;

    ok = ledger_row_get(&s->ledger, gid, &row, &found, e) &&
         (!found || row.minted || record_decode(&rec, row.rec, e));
    *unheard = ok && found && !row.minted && record_is_empty(&rec);
    record_close(&rec);
    return ok;
}

/* A row of the file that one in the list refers to and that nobody knows: it was written while its
 * table had no triggers, or was to go again, and is as new as the one that names it. */
static bool add_parent(struct parents *p, uint32_t child, const struct app_column *c,
                       const struct value *v, struct err *e)
{
    struct binding *parent = bind_by_app(p->s, &p->s->app.schema.tables[c->ref_table]);
    struct row_key key = int_key(v->i);
    struct touched t = p->list->rows[child];
    bool unheard = true;
    int64_t gid;

    if (parent == NULL || v->type == VALUE_NULL || unsent_key(v, 1))
        return true;
    if (v->type != VALUE_INT) {
        buf_clear(&p->room);
        packed_value_write(&p->room, v);
        key = (struct row_key){.kind = KEY_PACKED, .bytes = buf_slice(&p->room)};
    }
    if (keymap_get(&p->here, parent->app_index, &key) != 0)
        return true;
    if (!refer(p->s, parent, v, &gid, e) || (gid != 0 && !is_unheard(p->s, gid, &unheard, e)))
        return false;
    if (!unheard)
        return true;
    t = (struct touched){.b = parent,
                         .gid = gid,
                         .key = arena_key(&p->list->arena, &key),
                         .wall_ms = t.wall_ms == 0 ? p->now_ms : t.wall_ms,
                         .last = t.last};
    if (!read_row(p->s, &t, &p->list->arena, e))
        return false;
    if (t.key.kind == KEY_NONE)
        return true; /* it names nothing */
    *touch_add(p->list) = t;
    keymap_put(&p->here, parent->app_index, &t.key, p->list->n);
    return true;
}

bool touch_parents(struct store *s, struct touch_list *l, uint64_t now_ms, struct err *e)
{
    struct parents p = {.s = s, .list = l, .now_ms = now_ms};
    bool ok = true;

    buf_open(&p.room, VALUE_BYTES_MAX + 64);
    for (uint32_t i = 0; i < l->n; i++)
        if (l->rows[i].key.kind != KEY_NONE)
            keymap_put(&p.here, l->rows[i].b->app_index, &l->rows[i].key, i + 1);
    for (uint32_t i = 0; ok && i < l->n; i++) { /* the list grows */
        const struct app_table *t = l->rows[i].b->app;

        for (uint32_t c = 0; ok && l->rows[i].values != NULL && c < t->column_count; c++)
            if (t->columns[c].ref_table >= 0)
                ok = add_parent(&p, i, &t->columns[c], &l->rows[i].values[c], e);
    }
    keymap_close(&p.here);
    buf_close(&p.room);
    return ok;
}

/* What one read of the file gives: marks above the cursor, replayed, and their rows. */
static bool collect(struct store *s, struct touch_list *list, int64_t *cursor, double *time,
                    bool *more, uint64_t now_ms, struct err *e)
{
    struct marks marks = {0};
    struct replay r;
    bool found = true;
    int64_t last;
    bool ok;

    if (!recover_read(s, e))
        return false;
    replay_open(&r, s, list);
    ok = migration_look(s, e) && marks_read(&s->app, s->ledger.cursor, CUT_ROWS_MAX, &marks, e) &&
         marks_last(&s->app, &last, time, e);
    for (uint32_t i = 0; ok && i < marks.n; i++)
        ok = replay_mark(&r, &marks.marks[i], now_ms, e);
    ok =
        ok && replay_children(&r, e) && touch_read(s, list, e) && touch_parents(s, list, now_ms, e);
    replay_close(&r);
    *cursor = marks.last;
    *more = ok && last > marks.last;
    ok = ok && (!*more || marks_time(&s->app, marks.last, time, &found, e));
    appdb_end(&s->app);
    for (uint32_t i = 0; ok && i < marks.n; i++)
        ledger_mark_drained(&s->ledger, marks.marks[i].id, marks.marks[i].julian_day);
    marks_close(&marks);
    return ok;
}

/* A row that came and went while nobody looked is not said. But if the ledger went back, it may
 * have been said when it came: a delete that nobody needs does no harm. */
static bool deny(struct store *s, struct touch_list *list, struct err *e)
{
    struct ledger_row row;
    bool found;

    for (uint32_t i = 0; i < list->n; i++) {
        struct touched *t = &list->rows[i];
        struct gid gid = {s->ledger.self, gid_counter(t->first_ms, t->first)};

        if (t->gid != 0 || t->key.kind != KEY_NONE || t->first == 0 || t->first > s->opened_mark ||
            gid.counter == 0)
            continue;
        if (!ledger_row_get(&s->ledger, gid_pack(gid), &row, &found, e))
            return false;
        if (found)
            continue;
        t->gid = gid_pack(gid);
        /* One whose key moved along with that of a row that it names is still there, under the
         * same name: it left and came by one mark, and comes last. */
        if (!t->b->app->surrogate && t->wall_ms > 1)
            t->wall_ms--;
        if (!scan_unheard(s, t->b, t->gid, &t->key, false, e))
            return false;
    }
    return true;
}

bool drain(struct store *s, uint64_t now_ms, struct store_progress *p, struct err *e)
{
    struct touch_list list = {0};
    int64_t cursor = 0;
    double time = 0;
    bool ok;

    ok = collect(s, &list, &cursor, &time, &p->more, now_ms, e);
    if (ok && cursor > s->ledger.cursor) {
        ok = ledger_begin(&s->ledger, false, e) && deny(s, &list, e) &&
             publish(s, &list, now_ms, p, e) && replay_fates(s, &list, e);
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
