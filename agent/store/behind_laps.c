/* A file that went back, its marks: those that the ledger has drained before are lived through
 * again, lap by lap. A lap is what was drained for one point; only of the last one may the file
 * lack some, as it has no later marks. A row that was born in it has its gid already, if it
 * outlived the lap. */
#include "behind.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "scan.h"

/* ---- which marks have been drained ---- */

static bool add_runs(struct recovery *r, struct slice in, uint32_t lap)
{
    while (in.n > 0) {
        struct run run = {.lap = lap};
        uint64_t u;

        if (!varint_read(&in, &run.first) || !varint_read(&in, &run.last) || in.n < 8)
            return false;
        u = be64_read(in.p);
        memcpy(&run.time, &u, sizeof run.time);
        in.p += 8;
        in.n -= 8;
        if (run.last <= (uint64_t)r->fork.mark)
            continue;
        if (r->run_count == r->run_room) {
            r->run_room = r->run_room == 0 ? 64 : r->run_room * 2;
            r->runs = mem_grow(r->runs, r->run_room * sizeof *r->runs);
        }
        r->runs[r->run_count++] = run;
    }
    return true;
}

static void add_lap(struct recovery *r, struct lap lap)
{
    if (r->lap_count == r->lap_room) {
        r->lap_room = r->lap_room == 0 ? 16 : r->lap_room * 2;
        r->laps = mem_grow(r->laps, r->lap_room * sizeof *r->laps);
    }
    r->laps[r->lap_count++] = lap;
}

static int compare_runs(const void *a, const void *b)
{
    const struct run *left = a, *right = b;

    return left->first == right->first ? 0 : left->first < right->first ? -1 : 1;
}

/* Of the change-sets that a file holds at a point: those of actors that this PC was earlier. */
static bool read_earlier(struct recovery *r, struct slice applied, struct vector *earlier,
                         struct err *e)
{
    const struct ledger *l = &r->s->ledger;
    struct reader in = reader_of(applied, e);
    struct held held = {0};
    bool ok = held_read(&in, &held) && read_end(&in);

    for (uint32_t a = 1; ok && a <= l->actor_count; a++) {
        const struct actor *actor = &l->actors[a - 1].actor;
        uint64_t number = vector_get(&held.holds, actor);

        if (number > 0 && ledger_is_ours(l, a))
            vector_set(earlier, actor, number, NULL);
    }
    vector_close(&held.holds);
    return ok;
}

static bool read_runs(struct recovery *r, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(
        &r->s->ledger, "SELECT id, number, runs, applied, actor FROM point ORDER BY id", e);
    struct lap lap = {0};
    bool sound = true, ok = true;
    int code = SQLITE_DONE;

    if (q == NULL)
        return false;
    while (ok && sound && (code = sqlite3_step(q)) == SQLITE_ROW) {
        uint32_t runs = r->run_count;

        uint32_t before = lap.actor;

        lap.point = sqlite3_column_int64(q, 0);
        lap.actor = (uint32_t)sqlite3_column_int64(q, 4);
        lap.before = lap.actor == before ? lap.number : 0;
        lap.number = (uint64_t)sqlite3_column_int64(q, 1);
        sound = add_runs(r, value_of_column(q, 2).bytes, r->lap_count);
        if (sound && r->run_count > runs) {
            lap.earlier = (struct vector){0};
            ok = read_earlier(r, value_of_column(q, 3).bytes, &lap.earlier, e) &&
                 ledger_said_again(&r->s->ledger, lap.actor, lap.before, lap.number, &lap.earlier,
                                   &lap.parted, e);
            add_lap(r, lap);
        }
    }
    sqlite3_finalize(q);
    if (!ok)
        return false;
    if (!sound)
        return err_set(e, ERR_STORE, "%s is damaged: a point", r->s->ledger.path);
    if (code != SQLITE_DONE)
        return ledger_err(&r->s->ledger, "read the points", e);
    if (r->run_count > 0)
        qsort(r->runs, r->run_count, sizeof *r->runs, compare_runs);
    for (uint32_t i = 0; i < r->run_count; i++) {
        uint64_t before = i == 0 ? 0 : r->runs[i - 1].last_max;

        r->runs[i].last_max = before > r->runs[i].last ? before : r->runs[i].last;
    }
    return true;
}

/* The lap that a mark was drained in; NULL: it is news. Runs may overlap, where a file went back
 * more than once. */
static struct lap *lap_of(const struct recovery *r, const struct mark *m)
{
    uint64_t id = (uint64_t)m->id;
    uint32_t low = 0, high = r->run_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (r->runs[middle].first <= id)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low > 0 && r->runs[low - 1].last_max >= id; low--)
        if (r->runs[low - 1].last >= id && r->runs[low - 1].time == m->julian_day)
            return &r->laps[r->runs[low - 1].lap];
    return NULL;
}

bool behind_saw(const struct recovery *r, int64_t gid, const struct local_clock *c)
{
    const struct ledger *l = &r->s->ledger;
    struct row_key id = int_key(gid);

    if (c->number == 0 || c->actor == 0 ||
        held_has(l, &r->fork.held, r->fork.said, c->actor, c->number))
        return true;
    for (uint32_t i = 0; i < r->lap_count; i++) {
        const struct lap *lap = &r->laps[i];
        bool said =
            c->actor == lap->actor
                ? c->number > lap->before && c->number <= lap->number &&
                      (lap->parted == 0 || c->number < lap->parted)
                : ledger_is_ours(l, c->actor) &&
                      c->number <= vector_get(&lap->earlier, &l->actors[c->actor - 1].actor);

        if (said && (keymap_get(&r->lived, i + 1, &id) != 0 ||
                     (r->whole == gid && keymap_get(&r->begun, i + 1, &id) != 0)))
            return true;
    }
    return false;
}

/* The number of the lap that is this change-set, from 1. */
static uint32_t lap_said(struct recovery *r, uint32_t actor, uint64_t number)
{
    const struct lap *last = r->lap_count == 0 ? NULL : &r->laps[r->lap_count - 1];

    if (last == NULL || last->point != 0 || last->actor != actor || last->number != number ||
        last->before != number - 1)
        add_lap(r, (struct lap){.actor = actor, .before = number - 1, .number = number});
    return r->lap_count;
}

bool behind_lived(struct recovery *r, uint32_t actor, uint64_t number, int64_t gid, struct err *e)
{
    struct row_key id = int_key(gid);

    keymap_put(&r->lived, lap_said(r, actor, number), &id, 1);
    return ledger_lived(&r->s->ledger, gid, actor, number - 1, number, e);
}

void behind_begun(struct recovery *r, uint32_t actor, uint64_t number, int64_t gid)
{
    struct row_key id = int_key(gid);

    keymap_put(&r->begun, lap_said(r, actor, number), &id, 1);
}

/* ---- what a lap came to ---- */

/* The fates of a lap's rows, and which of them the file shares to the end. */
struct fates {
    int64_t *gids;
    uint32_t n, room;
    struct keymap born; /* 1 + index into gids, by the mark that made the row */
    struct keymap told; /* gids: 1 */
};

static void fates_close(struct fates *f)
{
    keymap_close(&f->born);
    keymap_close(&f->told);
    free(f->gids);
}

static uint32_t lap_number(const struct recovery *r, const struct lap *lap)
{
    return (uint32_t)(lap - r->laps) + 1;
}

static bool note_lived(struct recovery *r, const struct lap *lap, int64_t gid, struct err *e)
{
    struct row_key id = int_key(gid);

    keymap_put(&r->lived, lap_number(r, lap), &id, 1);
    return ledger_lived(&r->s->ledger, gid, lap->actor, lap->before, lap->number, e);
}

static bool fates_read(struct recovery *r, const struct lap *lap, struct fates *f, struct err *e)
{
    sqlite3_stmt *q =
        ledger_prepare(&r->s->ledger, "SELECT gid, born, last FROM fate WHERE point = ?1", e);
    bool ok = true;
    int code = SQLITE_DONE;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, lap->point);
    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct row_key id = {.kind = KEY_INT, .i = sqlite3_column_int64(q, 0)},
                       born = {.kind = KEY_INT, .i = sqlite3_column_int64(q, 1)};

        if (f->n == f->room) {
            f->room = f->room == 0 ? 16 : f->room * 2;
            f->gids = mem_grow(f->gids, f->room * sizeof *f->gids);
        }
        f->gids[f->n++] = id.i;
        keymap_put(&f->told, 0, &id, 1);
        if (born.i != 0)
            keymap_put(&f->born, 0, &born, f->n);
        if (sqlite3_column_int64(q, 2) <= lap->last)
            ok = note_lived(r, lap, id.i, e);
    }
    sqlite3_finalize(q);
    return ok && (code == SQLITE_DONE || ledger_err(&r->s->ledger, "read what rows came to", e));
}

/* A row that one mark made and no other touched came under this key and nowhere before. */
static bool find_placed(struct recovery *r, const struct lap *lap, const struct touched *t,
                        int64_t *gid, struct err *e)
{
    static const char sql[] =
        "SELECT p.gid FROM placed AS p WHERE p.tbl = ?1 AND p.key = ?2 AND p.since = ?3"
        " AND NOT EXISTS (SELECT 1 FROM placed AS q WHERE q.gid = p.gid AND q.since < ?3)"
        " AND NOT EXISTS (SELECT 1 FROM fate WHERE point = ?3 AND gid = p.gid AND born <> 0)";
    sqlite3_stmt *q = ledger_prepare(&r->s->ledger, sql, e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, t->b->table);
    sqlite3_bind_int64(q, 2, t->key.i);
    sqlite3_bind_int64(q, 3, lap->point);
    code = sqlite3_step(q);
    *gid = code == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
    sqlite3_finalize(q);
    return code == SQLITE_ROW || code == SQLITE_DONE ||
           ledger_err(&r->s->ledger, "look for a row's birth", e);
}

/* Gone before anybody had heard of it, by marks that the file lost: it goes again. */
static bool let_go(struct recovery *r, struct touched *t, struct err *e)
{
    struct ledger *l = &r->s->ledger;
    struct ledger_row row = {.gid = ledger_mint(l, t->first_ms, t->first),
                             .table = t->b->table,
                             .key = t->key,
                             .present = true};
    struct row_key id = int_key(row.gid);

    t->gid = row.gid;
    record_clear(&r->rec);
    buf_clear(&r->bytes);
    record_encode(&r->rec, &r->bytes);
    row.rec = buf_slice(&r->bytes);
    keymap_put(&r->let_go, 0, &id, 1);
    return ledger_row_put(l, &row, false, false, e) &&
           ledger_due_put(l, row.gid, r->now_ms, NULL, e);
}

static bool displace(struct recovery *r, int64_t gid, struct err *e)
{
    struct ledger_row row;
    bool found;

    if (!ledger_row_get(&r->s->ledger, gid, &row, &found, e))
        return false;
    if (!found || !row.present)
        return true;
    row.key = arena_key(&r->arena, &row.key);
    row.rec = arena_copy(&r->arena, row.rec);
    return scan_displace(r->s, &row, false, r->now_ms, e);
}

static bool live_surrogate(struct recovery *r, const struct lap *lap, const struct fates *f,
                           struct touched *t, struct err *e)
{
    struct ledger_table *table = &r->s->ledger.tables[t->b->table - 1];
    struct row_key born = int_key(t->born);
    uint32_t at = t->gid != 0 ? 0 : keymap_get(&f->born, 0, &born);

    if (t->key.kind == KEY_NONE)
        return t->gid == 0 || displace(r, t->gid, e);
    if (t->key.i > table->key_max) /* the row moved on, or went, before anybody heard of this key */
        table->key_max = t->key.i;
    if (at != 0)
        t->gid = f->gids[at - 1];
    else if (t->gid == 0 && t->marks == 1 && !t->mixed && !find_placed(r, lap, t, &t->gid, e))
        return false;
    if (t->gid == 0)
        return let_go(r, t, e);
    return scan_place(r->s, t->gid, &t->key, (struct slice){NULL, 0}, e);
}

/* A natural key as all sites write it. `known` false: what it refers to has no gid (yet). */
static bool write_identity(struct recovery *r, const struct touched *t, struct buf *identity,
                           bool *known, struct err *e)
{
    struct value key[KEY_COLUMNS_MAX];
    const struct app_table *app = t->b->app;

    *known = true;
    if (!key_values(app, &t->key, key, e))
        return false;
    for (uint32_t i = 0; i < app->key_count; i++) {
        int ref = app->columns[app->keys[i]].ref_table;
        struct binding *parent = ref < 0 ? NULL : bind_by_app(r->s, &r->s->app.schema.tables[ref]);
        int64_t gid;

        if (parent == NULL || key[i].type == VALUE_NULL)
            continue;
        if (!refer(r->s, parent, &key[i], &gid, e) || !ledger_stands(&r->s->ledger, gid, &gid, e))
            return false;
        if (gid == 0)
            *known = false;
        key[i] = (struct value){.type = VALUE_REF, .ref = gid_unpack(gid)};
    }
    if (*known)
        identity_write(&r->s->ledger, key, app->key_count, identity);
    return true;
}

static bool place_natural(struct recovery *r, struct touched *t, struct slice identity, bool known,
                          struct err *e)
{
    struct ledger *l = &r->s->ledger;
    int64_t gid = 0;

    if (known && !ledger_natural_get(l, t->b->table, identity, &gid, e))
        return false;
    if (t->gid != 0 && t->gid != gid && !displace(r, t->gid, e))
        return false;
    t->gid = gid;
    if (gid != 0)
        return scan_place(r->s, gid, &t->key, (struct slice){NULL, 0}, e);
    return let_go(r, t, e) && (!known || ledger_natural_put(l, t->b->table, identity, t->gid, e));
}

/* `waits`: what its key refers to is not named yet. */
static bool live_natural(struct recovery *r, struct touched *t, bool last_round, bool *waits,
                         struct err *e)
{
    struct buf identity;
    bool known = false, ok;

    *waits = false;
    if (t->left)
        return t->gid == 0 || displace(r, t->gid, e);
    if (t->gid != 0 && !t->b->refers)
        return true;
    buf_open(&identity, BODY_BYTES_MAX);
    ok = write_identity(r, t, &identity, &known, e);
    *waits = ok && !known && !last_round;
    if (ok && !*waits)
        ok = place_natural(r, t, buf_slice(&identity), known, e);
    buf_close(&identity);
    return ok;
}

/* Natural keys may refer to natural keys: again until nothing changes. */
static bool live_naturals(struct recovery *r, struct touch_list *list, struct err *e)
{
    bool *done = mem_alloc(list->n + 1);
    bool ok = true, waits, progress = true, waiting = true;

    while (ok && waiting) {
        bool last_round = !progress;

        progress = waiting = false;
        for (uint32_t i = 0; ok && i < list->n; i++) {
            if (done[i] || list->rows[i].b->app->surrogate)
                continue;
            ok = live_natural(r, &list->rows[i], last_round, &waits, e);
            waiting |= waits;
            done[i] = !waits;
            progress |= !waits;
        }
    }
    free(done);
    return ok;
}

static bool live_lap(struct recovery *r, const struct lap *lap, struct touch_list *list,
                     struct err *e)
{
    struct fates f = {0};
    bool ok = fates_read(r, lap, &f, e);

    for (uint32_t i = 0; ok && i < list->n; i++)
        if (list->rows[i].b->app->surrogate)
            ok = live_surrogate(r, lap, &f, &list->rows[i], e);
    ok = ok && live_naturals(r, list, e);
    for (uint32_t i = 0; ok && i < list->n; i++) {
        struct row_key id = int_key(list->rows[i].gid);

        if (id.i != 0 && keymap_get(&f.told, 0, &id) == 0)
            ok = note_lived(r, lap, id.i, e);
        else if (id.i != 0)
            keymap_put(&r->begun, lap_number(r, lap), &id, 1);
    }
    fates_close(&f);
    return ok;
}

/* ---- all marks above the fork's ---- */

/* Marks of one lap, or the news, as they are read. */
struct stretch {
    struct lap *lap; /* NULL: nothing yet */
    struct touch_list list;
    struct replay replay;
    bool news;
};

static bool end_lap(struct recovery *r, struct stretch *st, struct err *e)
{
    bool ok = true;

    if (st->lap != NULL) {
        replay_close(&st->replay);
        ok = live_lap(r, st->lap, &st->list, e);
        touch_close(&st->list);
        st->lap = NULL;
    }
    return ok;
}

static bool take_mark(struct recovery *r, struct stretch *st, const struct mark *m, struct err *e)
{
    struct lap *lap = st->news ? NULL : lap_of(r, m);

    if (!st->news && (lap == NULL || lap != st->lap)) {
        if (!end_lap(r, st, e))
            return false;
        st->lap = lap;
        st->news = lap == NULL;
        replay_open(&st->replay, r->s, st->news ? &r->list : &st->list);
    }
    if (st->news)
        ledger_mark_drained(&r->s->ledger, m->id, m->julian_day);
    else
        lap->last = m->id;
    return replay_mark(&st->replay, m, r->now_ms, e);
}

/* So many at a time. */
static bool take_marks(struct recovery *r, struct stretch *st, struct marks *marks, struct err *e)
{
    int64_t after;

    marks->last = r->fork.mark;
    do {
        after = marks->last;
        if (!marks_read(&r->s->app, after, CUT_ROWS_MAX, marks, e))
            return false;
        for (uint32_t i = 0; i < marks->n; i++)
            if (!take_mark(r, st, &marks->marks[i], e))
                return false;
    } while (marks->last > after);
    return true;
}

/* What earlier recoveries found of drains that the file had only the beginning of. */
static bool read_lived(struct recovery *r, struct err *e)
{
    struct ledger *l = &r->s->ledger;
    sqlite3_stmt *q = ledger_prepare(l,
                                     "SELECT gid, above, upto, actor FROM lived WHERE point <= ?1"
                                     " ORDER BY actor, above, upto",
                                     e);
    bool ok = true;
    int code = SQLITE_DONE;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, r->fork.point);
    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct lap lap = {.before = (uint64_t)sqlite3_column_int64(q, 1),
                          .number = (uint64_t)sqlite3_column_int64(q, 2),
                          .actor = (uint32_t)sqlite3_column_int64(q, 3)};
        struct row_key id = int_key(sqlite3_column_int64(q, 0));
        const struct lap *last = r->lap_count == 0 ? NULL : &r->laps[r->lap_count - 1];

        if (last == NULL || last->point != 0 || last->actor != lap.actor ||
            last->before != lap.before || last->number != lap.number) {
            ok = ledger_said_again(l, lap.actor, lap.before, lap.number, &lap.earlier, &lap.parted,
                                   e);
            add_lap(r, lap);
        }
        keymap_put(&r->lived, r->lap_count, &id, 1);
    }
    sqlite3_finalize(q);
    return ok && (code == SQLITE_DONE || ledger_err(l, "read what the file had before", e));
}

bool behind_find_laps(struct recovery *r, struct keymap *times, struct err *e)
{
    struct marks marks = {.last = r->fork.mark};
    bool ok = read_runs(r, e) && read_lived(r, e);
    int64_t after = -1;

    while (ok && times != NULL && marks.last > after) {
        after = marks.last;
        ok = marks_read(&r->s->app, after, CUT_ROWS_MAX, &marks, e);
        for (uint32_t i = 0; ok && i < marks.n; i++) {
            struct row_key ms = int_key((int64_t)mark_wall_ms(marks.marks[i].julian_day, 0));

            if (lap_of(r, &marks.marks[i]) == NULL)
                keymap_put(times, 0, &ms, 1);
        }
    }
    marks_close(&marks);
    return ok;
}

bool behind_relive(struct recovery *r, struct err *e)
{
    struct stretch st = {0};
    struct marks marks = {0};
    bool ok = marks_last(&r->s->app, &r->cursor, &r->cursor_time, e) &&
              take_marks(r, &st, &marks, e) && end_lap(r, &st, e) &&
              (!st.news || replay_children(&st.replay, e)) && touch_read(r->s, &r->list, e);

    replay_close(&st.replay);
    touch_close(&st.list);
    marks_close(&marks);
    return ok;
}
