/* A file that went back, its rows: by now the ledger knows which row stands at each key. Here it
 * learns what the file holds of them. */
#include "behind.h"

#include <stdlib.h>

#include <sqlite3.h>

#include "columns.h"
#include "conflict.h"
#include "counter.h"
#include "refer.h"
#include "scan.h"
#include "unite.h"

#define NOWHERE UINT32_MAX

/* ---- references ---- */

/* The row that a reference of the file names, news included. 0: none. */
static bool refer_now(struct recovery *r, const struct binding *parent, const struct value *v,
                      int64_t *gid, struct err *e)
{
    struct row_key key = int_key(v->i);
    uint32_t at;

    if (v->type != VALUE_INT) {
        buf_clear(&r->bytes);
        packed_value_write(&r->bytes, v);
        key = (struct row_key){.kind = KEY_PACKED, .bytes = buf_slice(&r->bytes)};
    }
    at = keymap_get(&r->here, parent->app_index, &key);
    *gid = at == 0 ? 0 : r->list.rows[at - 1].gid;
    return at != 0 || refer(r->s, parent, v, gid, e);
}

/* The value of the file as the ledger holds it. */
static bool file_cell(struct recovery *r, const struct binding *b, uint32_t column,
                      const struct value *values, struct cell *file, struct err *e)
{
    struct arena arena = {.block_bytes = 512};
    struct named named;
    int64_t to = 0;
    bool ok;

    *file = (struct cell){.v = values[column], .set = true};
    ok = refer_named(r->s, b, column, values, &arena, &named, e) &&
         (named.b == NULL || refer_now(r, named.b, &named.key, &to, e));
    if (to != 0)
        file->v = (struct value){.type = VALUE_REF, .ref = gid_unpack(to)};
    arena_close(&arena);
    return ok;
}

/* ---- shadows ---- */

/* By rule nothing of what others write comes into this table here. */
static bool stayed_out(const struct recovery *r, const struct binding *b,
                       const struct local_clock *c)
{
    return !r->copied && c->stamp != 0 && c->actor != 0 &&
           !ledger_is_ours(&r->s->ledger, c->actor) && bind_is_out(r->s, b->table);
}

/* Did the application see all that the cell shows? */
static bool saw_cell(const struct recovery *r, const struct binding *b, int64_t gid,
                     const struct cell *c)
{
    if (stayed_out(r, b, &c->clock) || !behind_saw(r, gid, &c->clock))
        return false;
    for (uint32_t i = 0; c->counter != NULL && i < c->counter->n; i++) {
        const struct total *t = &c->counter->totals[i];
        struct local_clock clock = {.number = t->number, .actor = t->actor};

        if (!behind_saw(r, gid, &clock))
            return false;
    }
    return true;
}

static bool note_conflict(struct recovery *r, const struct binding *b, int64_t gid,
                          uint32_t position, struct cell *file, struct err *e)
{
    const struct conflict_row about = {.s = r->s, .gid = gid, .table = b->table, .own_key = -1};

    file->clock = (struct local_clock){.number = 1, .actor = r->s->ledger.self};
    return conflict_note(&about, position, CONFLICT_PUT_BACK, file, NULL, e);
}

static bool differ_by_mark(const struct value *a, const struct value *b)
{
    return repair_is_mark(a, b) || repair_is_mark(b, a);
}

/* Where the ledger has what the file held in the column. One that a migration brought since is not
 * what was held, but what it will be found to hold (publish_fresh.c): under the name that it had
 * before, if it had one; else NOWHERE. */
static uint32_t held_at(const struct binding *b, uint32_t column)
{
    const struct fresh *f = columns_fresh(b, column);

    if (f == NULL)
        return b->position[column];
    return f->from < 0 ? NOWHERE : (uint32_t)f->from;
}

/* Did the application see what the ledger has there? Where the file went back to before a column
 * got its present name, cells that were carried over since were seen under the old one. */
static bool saw_held(const struct recovery *r, const struct binding *b, int64_t gid,
                     uint32_t column, const struct cell *have)
{
    const struct cell *under_old = record_get(&r->rec, b->position[column]);

    return saw_cell(r, b, gid, have) ||
           (under_old != NULL && under_old->clock.stamp == have->clock.stamp &&
            saw_cell(r, b, gid, under_old));
}

/* A counter as it was at the fork. Where the file has the beginning of what one drain took of the
 * row, and shows what that drain came to, there was no more of it. */
static bool sum_at_fork(struct recovery *r, const struct binding *b, int64_t gid, uint32_t column,
                        struct cell *file, bool *known, struct err *e)
{
    uint32_t position = held_at(b, column);
    const struct cell *have = record_get(&r->rec, position);
    struct value shown = file->v;
    struct cell whole = *file;

    if (!behind_saw(r, gid, &have->clock))
        return !b->counter[column] || behind_set(r, gid, b->table, position, file, known, e);
    if (!behind_sum(r, gid, b->table, position, file, known, e))
        return false;
    if (!*known || r->begun.n == 0 || value_equal(&file->v, &shown))
        return true;
    r->whole = gid;
    if (!behind_sum(r, gid, b->table, position, &whole, known, e))
        return false;
    r->whole = 0;
    if (*known && value_equal(&whole.v, &shown))
        *file = whole;
    *known = true;
    return true;
}

/* Of a row that stood there beside another one that it is one with by now: what it held then, so
 * that publishing finds what the application wrote to it since. If nobody can say, what it holds
 * now, which is listed unless it is the same. */
static bool part_cell(struct recovery *r, const struct binding *b, int64_t gid, uint32_t column,
                      struct cell *file, bool same, struct err *e)
{
    uint32_t position = held_at(b, column);
    const struct cell *have = record_get(&r->rec, position);
    struct value shown = file->v;
    bool known;

    if (b->is_key[column] || unsent_is(&shown)) {
        *file = *have;
        return true;
    }
    if (!behind_part(r, gid, b->table, position, file, &known, e))
        return false;
    if (known && differ_by_mark(&shown, &file->v))
        file->v = shown;
    return known || same || note_conflict(r, b, gid, position, file, e);
}

static bool is_unwatched(const struct recovery *r, const struct binding *b)
{
    return r->unwatched != NULL && r->unwatched[b->app_index];
}

static bool came_later(const struct recovery *r, const struct binding *b, uint32_t column)
{
    const bool *later = r->later == NULL ? NULL : r->later[b->app_index];

    return later != NULL && later[column];
}

/* Nobody remembers how the row began, and its key was said nowhere: what nobody has said of it,
 * only this file has. What was added to that is in it. */
static bool has_no_beginning(const struct recovery *r, const struct binding *b)
{
    return is_unwatched(r, b) && record_get(&r->rec, b->position[b->app->keys[0]]) == NULL;
}

/* What the file holds becomes the shadow. Where the application wrote (`news`) after it had seen
 * what rec says, the shadow says that instead: publishing then finds the difference, and the
 * application's value goes on. Marks come and go under one clock, so a value that lacks one tells
 * nothing of what was written: rec's stands. Of a counter what was added since counts, whatever has
 * been added elsewhere. */
static bool make_shadow(struct recovery *r, struct binding *b, int64_t gid,
                        const struct value *values, bool news, struct err *e)
{
    bool apart = false;

    record_clear(&r->shadow);
    if (news && !behind_apart(r, gid, &apart, e))
        return false;
    for (uint32_t i = 0; i < b->app->column_count; i++) {
        uint32_t position = held_at(b, i);
        const struct cell *have = record_get(&r->rec, position);
        struct cell file;
        bool wrote = news && !came_later(r, b, i), written, known = false, same = false;

        if (position == NOWHERE)
            continue;
        if (!file_cell(r, b, i, values, &file, e) ||
            (have != NULL && !value_same(r->s, &have->v, &file.v, &same, e)))
            return false;
        if (have == NULL && has_no_beginning(r, b)) {
            behind_added(r, gid, position, &file, &known);
            if (known && values[i].type != VALUE_NULL)
                *record_cell(&r->shadow, position) = file;
            continue;
        }
        if (apart && wrote && have != NULL) {
            if (!part_cell(r, b, gid, i, &file, same, e))
                return false;
            *record_cell(&r->shadow, position) = file;
            continue;
        }
        if (wrote && have != NULL && (have->counter != NULL || b->counter[i]) &&
            !saw_held(r, b, gid, i, have) && !sum_at_fork(r, b, gid, i, &file, &known, e))
            return false;
        if (known || have == NULL) {
            written = false;
        } else if ((b->app->surrogate && b->is_key[i]) || unsent_is(&values[i]) || same) {
            file = *have;
            written = false;
        } else {
            written = wrote && !repair_is_mark(&file.v, &have->v);
        }
        if (written && saw_held(r, b, gid, i, have) && !repair_is_mark(&have->v, &file.v))
            file = *have;
        else if (written && !stayed_out(r, b, &have->clock) &&
                 !note_conflict(r, b, gid, position, &file, e))
            return false;
        if (!known && have != NULL && differ_by_mark(&file.v, &have->v) &&
            saw_held(r, b, gid, i, have))
            file.clock = have->clock;
        *record_cell(&r->shadow, position) = file;
    }
    return true;
}

/* Of a row that the application deleted: what it had seen, and whatever it wrote itself. */
static void make_shadow_of_gone(struct recovery *r, int64_t gid)
{
    record_clear(&r->shadow);
    for (uint32_t i = 0; i < r->rec.n; i++) {
        const struct cell *c = &r->rec.cells[i];

        if (c->set && (c->clock.actor == r->s->ledger.self || behind_saw(r, gid, &c->clock)))
            *record_cell(&r->shadow, i) = *c;
    }
}

static bool shadow_differs(const struct recovery *r)
{
    for (uint32_t i = 0; i < r->shadow.n; i++) {
        const struct cell *file = record_get(&r->shadow, i), *have = record_get(&r->rec, i);

        if (file != NULL && (have == NULL || !value_equal(&file->v, &have->v)))
            return true;
    }
    return false;
}

static struct slice shadow_bytes(struct recovery *r)
{
    buf_clear(&r->bytes);
    record_encode(&r->shadow, &r->bytes);
    return buf_slice(&r->bytes);
}

/* ---- news ---- */

/* Find them by their keys, and name those that are new, so that others can refer to them. */
static void index_news(struct recovery *r)
{
    for (uint32_t i = 0; i < r->list.n; i++) {
        struct touched *t = &r->list.rows[i];
        struct row_key id = int_key(t->gid);

        if (t->gid != 0)
            keymap_put(&r->seen, 0, &id, 1);
        if (t->key.kind == KEY_NONE)
            continue;
        keymap_put(&r->here, t->b->app_index, &t->key, i + 1);
        if (t->gid == 0 && t->b->app->surrogate)
            t->gid = ledger_mint(&r->s->ledger, t->first_ms, t->first);
    }
}

/* A row that was to go because it had gone before anybody heard of it stays when news name it:
 * then everybody must hear of it. */
static bool keep(struct recovery *r, struct touched *by, struct binding *b, const struct value *v,
                 struct err *e)
{
    struct touched t = {.b = b, .wall_ms = by->wall_ms};
    struct row_key id = {.kind = KEY_INT};
    struct ledger_row row;
    bool found;

    if (!refer_now(r, b, v, &id.i, e))
        return false;
    if (id.i == 0 || keymap_get(&r->let_go, 0, &id) == 0 || keymap_get(&r->seen, 0, &id) != 0)
        return true;
    if (!ledger_row_get(&r->s->ledger, id.i, &row, &found, e))
        return false;
    t.gid = id.i;
    t.key = arena_key(&r->list.arena, &row.key);
    keymap_put(&r->seen, 0, &id, 1);
    *touch_add(&r->list) = t;
    keymap_put(&r->here, b->app_index, &t.key, r->list.n);
    return touch_read(r->s, &r->list, e);
}

static bool keep_parents(struct recovery *r, uint32_t index, struct err *e)
{
    struct touched t = r->list.rows[index];

    if (t.key.kind == KEY_NONE || !t.b->refers)
        return true;
    for (uint32_t i = 0; i < t.b->app->column_count; i++) {
        struct named named = touched_named(r->s, &t, i);

        if (named.b != NULL && !keep(r, &t, named.b, &named.key, e))
            return false;
    }
    return true;
}

/* What the fleet says of the row, if need be of the one that it was united with. */
static bool read_record(struct recovery *r, const struct ledger_row *row, struct err *e)
{
    struct ledger_row standing = *row;
    int64_t stands;
    bool found = true;

    if (!ledger_stands(&r->s->ledger, row->gid, &stands, e) ||
        (stands != row->gid && !ledger_row_get(&r->s->ledger, stands, &standing, &found, e)))
        return false;
    return record_decode(&r->rec, found && !standing.minted ? standing.rec : row->rec, e);
}

/* What publishing is to compare the row with. One of which nobody has ever heard, but perhaps that
 * it is gone, is said whole. */
static bool set_base(struct recovery *r, const struct touched *t, struct err *e)
{
    struct ledger_row row;
    bool found;

    if (t->gid == 0)
        return true;
    if (!ledger_row_get(&r->s->ledger, t->gid, &row, &found, e))
        return false;
    if (!found || !row.present || row.minted)
        return true;
    row.key = arena_key(&r->arena, &row.key);
    row.rec = arena_copy(&r->arena, row.rec);
    if (!read_record(r, &row, e))
        return false;
    if (t->key.kind != KEY_NONE && !record_has_cells(&r->rec))
        return true;
    if (t->key.kind == KEY_NONE)
        make_shadow_of_gone(r, t->gid);
    else if (!make_shadow(r, t->b, t->gid, t->values, true, e))
        return false;
    return scan_place(r->s, t->gid, &row.key, shadow_bytes(r), e);
}

/* One that was to go, and that news delete, has gone, and still nobody has heard of it. */
static bool forget_gone(struct recovery *r, struct touched *t, struct err *e)
{
    struct row_key id = int_key(t->gid);
    struct ledger_row row;
    bool found;

    if (t->key.kind != KEY_NONE || t->gid == 0 || keymap_get(&r->let_go, 0, &id) == 0)
        return true;
    if (!ledger_row_get(&r->s->ledger, t->gid, &row, &found, e))
        return false;
    row.rec = arena_copy(&r->arena, row.rec);
    t->gid = 0;
    return scan_displace(r->s, &row, true, r->now_ms, e);
}

static bool prepare_news(struct recovery *r, struct err *e)
{
    index_news(r);
    /* A row whose natural key refers to one that got another key stands at another one, too: it has
     * not gone, and its base is what the file holds. */
    if (!publish_name(r->s, &r->list, r->now_ms, e))
        return false;
    for (uint32_t i = 0; i < r->list.n && r->let_go.n > 0; i++) /* it grows */
        if (!forget_gone(r, &r->list.rows[i], e) || !keep_parents(r, i, e))
            return false;
    for (uint32_t i = 0; i < r->list.n; i++)
        if (!set_base(r, &r->list.rows[i], e))
            return false;
    return true;
}

/* ---- rows that the application has left alone ---- */

static bool place_known(struct recovery *r, struct binding *b, int64_t gid,
                        const struct row_key *key, const struct value *values, struct err *e)
{
    struct store *s = r->s;
    struct slice shadow = {NULL, 0};

    if (!make_shadow(r, b, gid, values, false, e))
        return false;
    if (shadow_differs(r) || b->fresh != NULL)
        shadow = shadow_bytes(r);
    if (!scan_place(s, gid, key, shadow, e))
        return false;
    if (shadow.p == NULL && ledger_alive(&s->ledger, &r->rec))
        return true;
    s->due_open = true;
    return ledger_due_put(&s->ledger, gid, r->now_ms, NULL, e);
}

/* Written without a mark: what was drained of it, nobody remembers. */
static bool unwatched_row(struct recovery *r, struct binding *b, int64_t gid,
                          const struct row_key *key, const struct value *values, struct err *e)
{
    struct touched *t;

    if (!make_shadow(r, b, gid, values, true, e) || !scan_place(r->s, gid, key, shadow_bytes(r), e))
        return false;
    t = scan_touch(&r->list, b, values, &r->key_room);
    t->gid = gid;
    t->wall_ms = r->now_ms;
    return refer_touched(r->s, &r->list, t, e);
}

/* A row that the file shows. */
struct shown {
    struct binding *b;
    int64_t gid;
    struct row_key key;
    const struct value *values;
};

/* Does the statement show a row of `child` beside this one? It is finalized. */
static bool shows_other(struct recovery *r, sqlite3_stmt *q, const struct app_table *child,
                        const struct shown *t, bool *other, struct err *e)
{
    struct value keys[COLUMNS_MAX];
    int code = -1;

    while (q != NULL && !*other && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct row_key key;

        for (uint32_t i = 0; i < child->key_count; i++)
            keys[child->keys[i]] = value_of_column(q, (int)i);
        key = key_of_row(child, keys, &r->key_room);
        *other = child != t->b->app || !row_key_equal(&key, &t->key);
    }
    if (q != NULL && code != SQLITE_ROW && code != SQLITE_DONE)
        sqlite_err(r->s->app.db, child->name, e);
    sqlite3_finalize(q);
    return e->code == ERR_NONE;
}

/* Does another row of the file refer, or seem to refer, to this one? */
static bool is_named(struct recovery *r, const struct shown *t, bool *is, struct err *e)
{
    const struct app_table *app = t->b->app;
    struct app_schema *schema = &r->s->app.schema;

    *is = false;
    for (uint32_t k = 0; k < app->fk_count && !*is; k++) {
        const struct app_fk *fk = &app->fks[k];
        struct value values[KEY_COLUMNS_MAX];

        for (uint32_t i = 0; fk->primary && i < fk->n; i++)
            values[i] = t->values[fk->to[i]];
        if (fk->primary && !shows_other(r, refer_referring(r->s, fk, values, e),
                                        &schema->tables[fk->table], t, is, e))
            return false;
    }
    for (uint32_t i = 0; i < app->child_count && !*is; i++) {
        const struct app_child *c = &app->children[i];
        const struct app_column *column = &schema->tables[c->table].columns[c->column];
        struct value v = column->ref_form == REF_UNIQUE
                             ? t->values[column->ref_column]
                             : refer_render(r->s, column, app, &t->values[app->keys[0]], &r->arena);
        sqlite3_stmt *q = refer_children(r->s, app, c, e);

        if (q != NULL && !value_bind(q, 1, &v)) {
            sqlite3_finalize(q);
            return sqlite_err(r->s->app.db, app->name, e);
        }
        if (!shows_other(r, q, &schema->tables[c->table], t, is, e))
            return false;
    }
    return true;
}

/* Was the row, which is dead as the file knows, written again under its natural key, and nobody
 * remembers that? It does not stay because others name it, or because no delete of others comes in
 * here. */
static bool is_back(struct recovery *r, const struct shown *t, bool *back, struct err *e)
{
    bool named;

    *back = is_unwatched(r, t->b) && !t->b->app->surrogate &&
            !ledger_alive(&r->s->ledger, &r->rec) && !stayed_out(r, t->b, &r->rec.dead) &&
            behind_saw(r, t->gid, &r->rec.dead);
    if (!*back)
        return true;
    if (!is_named(r, t, &named, e))
        return false;
    *back = !named;
    return true;
}

static bool recover_row(struct recovery *r, struct binding *b, const struct value *values,
                        struct err *e)
{
    struct row_key key = key_of_row(b->app, values, &r->key_room), id;
    struct shown shown = {.b = b, .values = values};
    struct ledger_row row;
    bool found, same = false, back = false;

    if (keymap_get(&r->here, b->app_index, &key) != 0)
        return true;
    shown.key = key = arena_key(&r->arena, &key);
    if (!ledger_row_by_key(&r->s->ledger, b->table, &key, true, &row, &found, e))
        return false;
    id = int_key(found ? row.gid : 0);
    shown.gid = id.i;
    if (found && !row.minted &&
        (!record_decode(&r->rec, row.rec, e) || !scan_same(r->s, b, &r->rec, values, &same, e)))
        return false;
    if (found && !row.minted && !is_back(r, &shown, &back, e))
        return false;
    /* Written without a mark, while the triggers were missing: who it is, its content must say. */
    if (!found || (!row.present && !same && (b->app->surrogate || b->refers)) || back)
        return refer_touched(r->s, &r->list, scan_touch(&r->list, b, values, &r->key_room), e);
    keymap_put(&r->seen, 0, &id, 1);
    if (row.minted)
        return scan_place(r->s, id.i, &key, (struct slice){NULL, 0}, e);
    if (!same && is_unwatched(r, b))
        return unwatched_row(r, b, id.i, &key, values, e);
    return place_known(r, b, id.i, &key, values, e);
}

static bool recover_file_rows(struct recovery *r, struct binding *b, struct err *e)
{
    struct value *values = mem_alloc(b->app->column_count * sizeof *values);
    sqlite3_stmt *q = scan_open(r->s, b, e);
    int code = q == NULL ? -1 : 1;

    while (code == 1 && (code = scan_step(r->s, q, b, values, e)) == 1)
        if (!recover_row(r, b, values, e))
            code = -1;
    sqlite3_finalize(q);
    free(values);
    return code >= 0;
}

/* Rows that the ledger believes to be in the file, and that are not: lost. */
static bool recover_missing(struct recovery *r, struct binding *b, struct err *e)
{
    sqlite3_stmt *q = scan_ledger(r->s, b->table, true, e);
    struct ledger_row *missing = NULL;
    struct ledger_row row;
    uint32_t n = 0, room = 0;
    int code = q == NULL ? -1 : 1;
    bool ok;

    while (code == 1 && (code = scan_ledger_step(r->s, q, &row, e)) == 1) {
        struct row_key id = int_key(row.gid);

        if (keymap_get(&r->seen, 0, &id) != 0)
            continue;
        if (n == room) {
            room = room == 0 ? 64 : room * 2;
            missing = mem_grow(missing, room * sizeof *missing);
        }
        row.key = arena_key(&r->arena, &row.key);
        row.rec = arena_copy(&r->arena, row.rec);
        missing[n++] = row;
    }
    sqlite3_finalize(q);
    ok = code >= 0;
    for (uint32_t i = 0; ok && i < n; i++) {
        if (b->app->surrogate && is_unwatched(r, b)) /* the application deleted it */
            *touch_add(&r->list) =
                (struct touched){.b = b, .gid = missing[i].gid, .wall_ms = r->now_ms};
        else
            ok = scan_displace(r->s, &missing[i], false, r->now_ms, e);
    }
    free(missing);
    return ok;
}

/* Every table that was matched once. One that was to be reconciled is not any more: that would
 * publish the past. But where a migration brought columns since, these are still to be compared,
 * and nothing else will be found to differ. */
bool behind_rows(struct recovery *r, struct err *e)
{
    struct store *s = r->s;

    s->noticed_ms = r->now_ms;
    s->look_ups_left = LOOK_UPS_MAX;
    if (!prepare_news(r, e))
        return false;
    for (uint32_t i = 0; i < s->binding_count; i++) {
        struct ledger_table *t = &s->ledger.tables[s->bindings[i].table - 1];

        if (t->scan == SCAN_MATCH)
            continue;
        t->scan = s->bindings[i].fresh != NULL ? SCAN_RECONCILE : SCAN_NONE;
        if (!recover_file_rows(r, &s->bindings[i], e) || !recover_missing(r, &s->bindings[i], e) ||
            !ledger_table_save(&s->ledger, t, e))
            return false;
    }
    return true;
}
