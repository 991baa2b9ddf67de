/* The file is only read, and let go before anything is thought about. */
#include "drain.h"

#include "ledger_lasting.h"
#include "migration.h"
#include "replay.h"

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
    struct keymap here;   /* keys of the list's rows */
    struct keymap listed; /* their gids */
    struct buf room;
    uint64_t now_ms;
};

/* Nothing was said of the row, but perhaps that it is gone: it was to go (behind.h). */
static bool is_unheard(struct store *s, int64_t gid, bool *unheard, struct err *e)
{
    struct record rec = {0};
    struct ledger_row row;
    bool found, ok;

    ok = ledger_row_get(&s->ledger, gid, &row, &found, e) &&
         (!found || row.minted || record_decode(&rec, row.rec, e));
    *unheard = ok && found && !row.minted && !record_has_cells(&rec);
    record_close(&rec);
    return ok;
}

/* The row that the ledger has under a key where none of the list's stands. `unheard`: nobody has
 * heard of the one that is there. One of the list has gone from there, or is at another key. */
static bool find_parent(struct parents *p, struct binding *parent, const struct value *key,
                        int64_t *gid, bool *unheard, struct err *e)
{
    struct row_key listed;

    if (!refer(p->s, parent, key, gid, e))
        return false;
    listed = int_key(*gid);
    if (keymap_get(&p->listed, 0, &listed) != 0)
        *gid = 0;
    *unheard = true;
    return *gid == 0 || is_unheard(p->s, *gid, unheard, e);
}

/* A row of the file that one in the list refers to and that nobody knows: it was written while its
 * table had no triggers, or was to go again, and is as new as the one that names it. */
static bool add_parent(struct parents *p, uint32_t child, const struct named *named, struct err *e)
{
    struct binding *parent = named->b;
    const struct value *v = &named->key;
    struct row_key key = int_key(v->i);
    struct touched t = p->list->rows[child];
    bool unheard;
    int64_t gid;

    if (v->type == VALUE_NULL || unsent_key(v, 1))
        return true;
    if (v->type != VALUE_INT) {
        buf_clear(&p->room);
        packed_value_write(&p->room, v);
        key = (struct row_key){.kind = KEY_PACKED, .bytes = buf_slice(&p->room)};
    }
    if (keymap_get(&p->here, parent->app_index, &key) != 0)
        return true;
    if (!find_parent(p, parent, v, &gid, &unheard, e))
        return false;
    if (!unheard)
        return true;
    t = (struct touched){.b = parent,
                         .gid = gid,
                         .key = arena_key(&p->list->arena, &key),
                         .wall_ms = t.wall_ms == 0 ? p->now_ms : t.wall_ms,
                         .last = t.last};
    if (!read_row(p->s, &t, &p->list->arena, e) || !refer_touched(p->s, p->list, &t, e))
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
    for (uint32_t i = 0; i < l->n; i++) {
        struct row_key gid = int_key(l->rows[i].gid);

        if (l->rows[i].key.kind != KEY_NONE)
            keymap_put(&p.here, l->rows[i].b->app_index, &l->rows[i].key, i + 1);
        if (gid.i != 0)
            keymap_put(&p.listed, 0, &gid, i + 1);
    }
    for (uint32_t i = 0; ok && i < l->n; i++) { /* the list grows */
        const struct app_table *t = l->rows[i].b->app;

        for (uint32_t c = 0; ok && l->rows[i].values != NULL && c < t->column_count; c++) {
            struct named named = {0};

            if (t->columns[c].ref_table >= 0)
                named = touched_named(s, &l->rows[i], c);
            ok = named.b == NULL || add_parent(&p, i, &named, e);
        }
    }
    keymap_close(&p.here);
    keymap_close(&p.listed);
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

/* ---- in slices ---- */

/* What is under way. */
struct draining {
    struct touch_list list;
    struct publishing *publishing;
    struct store_progress progress;
    int64_t cursor;
    double time;
    bool more;    /* there are marks that the next one takes, or there may be */
    bool spilled; /* the last slice wrote to the disk: the next call waits for that */
};

bool drain_is_under_way(const struct store *s)
{
    return s->draining != NULL && s->ledger.lasting == s->draining;
}

bool drain_busy(struct err *e)
{
    return err_set(e, ERR_BUSY,
                   "what the application wrote in one go is being taken in: try again in a moment");
}

void drain_drop(struct store *s)
{
    struct draining *d = s->draining;

    if (d == NULL)
        return;
    if (drain_is_under_way(s)) {
        ledger_rollback(&s->ledger);
        s->drain_interruptions++;
    }
    publishing_free(d->publishing);
    touch_close(&d->list);
    free(d);
    s->draining = NULL;
}

/* Read the file. `s->draining` stays NULL if there is nothing new. */
static bool begin(struct store *s, uint64_t now_ms, struct store_progress *p, struct err *e)
{
    struct draining *d = mem_alloc(sizeof *d);
    bool ok = collect(s, &d->list, &d->cursor, &d->time, &d->more, now_ms, e);

    s->draining = d;
    p->more = d->more;
    if (!ok || d->cursor <= s->ledger.cursor) {
        drain_drop(s);
        return ok;
    }
    if (!ledger_begin(&s->ledger, false, e))
        return false;
    d->publishing = publishing_new(s, &d->list, now_ms, &d->progress);
    ledger_be_silent(&s->ledger);
    return deny(s, &d->list, e);
}

static bool end(struct store *s, struct err *e)
{
    struct draining *d = s->draining;

    if (!replay_fates(s, &d->list, e))
        return false;
    s->ledger.cursor = d->cursor;
    s->ledger.cursor_time = d->time;
    project_retry(s);
    ledger_speak(&s->ledger);
    if (!ledger_point(&s->ledger, e) || !settings_write(s, e) || !ledger_commit(&s->ledger, e))
        return false;
    settings_close(&s->settings);
    return true;
}

static bool go_on(struct store *s, bool *done, struct err *e)
{
    uint64_t left = s->drain_interruptions < DRAIN_INTERRUPTIONS ? s->drain_slice : UINT64_MAX;

    if (s->draining->spilled) {
        s->draining->spilled = false;
        return ledger_spill(&s->ledger, e);
    }
    s->ledger.lasting = NULL; /* it is this one that works */
    if (!publishing_step(s->draining->publishing, &left, done, e))
        return false;
    *done = *done && left > 0;
    if (*done)
        return end(s, e);
    s->ledger.lasting = s->draining;
    s->draining->spilled = ledger_has_spilled(&s->ledger);
    return true;
}

bool drain(struct store *s, uint64_t now_ms, struct store_progress *p, struct err *e)
{
    bool ok = true, done = false;

    if (s->draining != NULL && !drain_is_under_way(s)) { /* another transaction took its place */
        s->drain_interruptions++;
        drain_drop(s);
    }
    if (s->draining == NULL)
        ok = begin(s, now_ms, p, e);
    if (ok && s->draining != NULL)
        ok = go_on(s, &done, e);
    if (ok && s->draining != NULL && !done) {
        ledger_rest(&s->ledger);
        s->draining->more = true; /* the application goes on writing */
        p->more = true;
        return true;
    }
    if (ok && done) {
        p->changesets += s->draining->progress.changesets;
        p->rows += s->draining->progress.rows;
        p->more = s->draining->more;
        s->drain_interruptions = 0;
    }
    if (!ok)
        ledger_rollback(&s->ledger);
    drain_drop(s);
    ledger_rest(&s->ledger);
    return ok;
}
