#include "scan.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "appref.h"
#include "columns.h"
#include "filter.h"
#include "ledger_kept.h"
#include "ledger_large.h"
#include "refer.h"
#include "withhold.h"

#define PUBLISH_ROWS_MAX 50000 /* minted rows published in one step */
#define ROW_STEPS        2048  /* to compare a row takes as long */
#define TOLD_MAX         64    /* rows of a slice of which is told that no filter can judge them */

static sqlite3_stmt *prepare(struct store *s, const struct binding *b, sqlite3_str *sql,
                             struct err *e)
{
    sqlite3_stmt *q = NULL;
    char *text = sqlite3_str_finish(sql);

    if (text == NULL || sqlite3_prepare_v2(s->app.db, text, -1, &q, NULL) != SQLITE_OK)
        sqlite_err(s->app.db, b->app->name, e);
    sqlite3_free(text);
    return q;
}

static sqlite3_str *select_columns(struct store *s, const struct binding *b)
{
    sqlite3_str *sql = sqlite3_str_new(s->app.db);

    sqlite3_str_appendall(sql, "SELECT ");
    app_reference_read(sql, &s->app.schema, b->app);
    return sql;
}

sqlite3_stmt *scan_open(struct store *s, const struct binding *b, struct err *e)
{
    sqlite3_str *sql = select_columns(s, b);

    sqlite3_str_appendf(sql, " FROM main.\"%w\"", b->app->name);
    return prepare(s, b, sql, e);
}

int scan_step(struct store *s, sqlite3_stmt *q, const struct binding *b, struct value *values,
              struct err *e)
{
    int code;

    while ((code = sqlite3_step(q)) == SQLITE_ROW) {
        for (uint32_t i = 0; i < b->app->column_count; i++)
            values[i] = value_of_column(q, (int)i);
        if (!unsent_key_of(b->app, values))
            return 1;
        unsent_row(s, b->table);
    }
    return code == SQLITE_DONE || sqlite_err(s->app.db, b->app->name, e) ? 0 : -1;
}

struct touched *scan_touch(struct touch_list *l, struct binding *b, const struct value *values,
                           struct buf *room)
{
    struct row_key key = key_of_row(b->app, values, room);
    struct touched *t = touch_add(l);

    t->b = b;
    t->key = arena_key(&l->arena, &key);
    t->values = arena_alloc(&l->arena, b->app->column_count * sizeof *t->values);
    for (uint32_t i = 0; i < b->app->column_count; i++)
        t->values[i] = arena_value(&l->arena, &values[i]);
    return t;
}

sqlite3_stmt *scan_ledger(struct store *s, uint32_t table, bool present, struct err *e)
{
    sqlite3_stmt *q =
        ledger_prepare(&s->ledger,
                       present ? "SELECT gid, tbl, key, present, rec, shadow FROM row"
                                 " WHERE tbl = ?1 AND key IS NOT NULL AND present = 1"
                               : "SELECT gid, tbl, key, present, rec, shadow FROM row"
                                 " WHERE tbl = ?1 AND present = 0 AND rec IS NOT NULL",
                       e);

    if (q != NULL)
        sqlite3_bind_int64(q, 1, table);
    return q;
}

int scan_ledger_step(struct store *s, sqlite3_stmt *q, struct ledger_row *row, struct err *e)
{
    int code = sqlite3_step(q);

    if (code == SQLITE_DONE)
        return 0;
    if (code != SQLITE_ROW)
        return ledger_err(&s->ledger, "read the rows", e), -1;
    ledger_row_of(q, row);
    return 1;
}

bool scan_local(struct store *s, const struct value *v, struct value *local, bool *known,
                struct buf *room, struct err *e)
{
    struct ledger_row row;
    struct binding *b;
    int64_t gid;

    *local = *v;
    *known = true;
    if (v->type != VALUE_REF)
        return true;
    if (!ledger_stands(&s->ledger, gid_pack(v->ref), &gid, e) ||
        !ledger_head_get(&s->ledger, gid, &row, known, e))
        return false;
    b = *known ? bind_by_table(s, row.table) : NULL;
    *known = b != NULL && row.present && row.key.kind != KEY_NONE && b->app->key_count == 1;
    if (!*known)
        return true;
    if (row.key.kind == KEY_PACKED) {
        buf_clear(room);
        buf_add(room, row.key.bytes.p, row.key.bytes.n);
        row.key.bytes = buf_slice(room);
    }
    return key_values(b->app, &row.key, local, e);
}

/* Does the cell say what column `i` of the file's row holds? */
static bool same_cell(struct store *s, const struct binding *b, uint32_t i, const struct cell *c,
                      const struct value *values, struct buf *room, bool *same, struct err *e)
{
    struct arena arena = {.block_bytes = 512};
    struct named named = {.key = values[i]};
    bool indirect = c->v.type == VALUE_REF && app_refers(&b->app->columns[i]) &&
                    b->app->columns[i].ref_form != REF_KEY;
    struct ledger_row row;
    struct value local;
    bool known = true, found = true, ok = true;
    int64_t gid;

    if (indirect)
        ok = refer_named(s, b, i, values, &arena, &named, e) &&
             ledger_stands(&s->ledger, gid_pack(c->v.ref), &gid, e) &&
             ledger_head_get(&s->ledger, gid, &row, &found, e);
    known = !indirect || (found && named.b != NULL && named.b->table == row.table);
    if (ok && known)
        ok = scan_local(s, &c->v, &local, &known, room, e);
    *same = ok && known && value_equal(&local, &named.key);
    arena_close(&arena);
    return ok;
}

bool scan_same(struct store *s, const struct binding *b, const struct record *r,
               const struct value *values, bool *same, struct err *e)
{
    struct buf room;
    bool ok = true;

    buf_open(&room, VALUE_BYTES_MAX + 64);
    *same = true;
    for (uint32_t i = 0; ok && *same && i < b->app->column_count; i++) {
        const struct cell *c = record_get(r, b->position[i]);

        if (b->app->surrogate && b->is_key[i])
            continue;
        *same = c != NULL && !withhold_untranslated(s, &b->app->columns[i], c);
        ok = !*same || same_cell(s, b, i, c, values, &room, same, e);
    }
    buf_close(&room);
    return ok;
}

bool scan_place(struct store *s, int64_t gid, const struct row_key *key, struct slice shadow,
                struct err *e)
{
    struct ledger_row row;
    bool found;

    s->ledger.told = false;
    if (!ledger_head_get(&s->ledger, gid, &row, &found, e))
        return false;
    return ledger_row_settle(&s->ledger, gid, key, true, found && row.present, shadow, e);
}

bool scan_unheard(struct store *s, const struct binding *b, int64_t gid, const struct row_key *key,
                  bool minted, struct err *e)
{
    struct ledger_row row = {
        .gid = gid, .table = b->table, .key = *key, .present = true, .minted = minted};
    struct record nothing = {0};
    struct ledger_row before;
    struct buf bytes;
    bool found, ok;

    buf_open(&bytes, 64);
    record_encode(&nothing, &bytes);
    row.rec = buf_slice(&bytes);
    ok = ledger_row_get(&s->ledger, gid, &before, &found, e) &&
         ledger_row_put(&s->ledger, &row, found, found && before.present, e);
    buf_close(&bytes);
    return ok;
}

bool scan_displace(struct store *s, const struct ledger_row *row, bool forget_key, uint64_t now_ms,
                   struct err *e)
{
    struct record r = {0};
    bool alive = false, ok = true;

    if (!row->minted) {
        ok = record_decode(&r, row->rec, e);
        alive = ok && ledger_alive(&s->ledger, &r);
    }
    if (ok) {
        struct ledger_row away = *row;

        away.present = false;
        away.differs = false;
        if (forget_key)
            away.key.kind = KEY_NONE;
        ok = ledger_row_unplace(&s->ledger, &away, row->present, e);
    }
    if (ok && alive) {
        s->due_open = true;
        ok = ledger_due_put(&s->ledger, row->gid, now_ms, NULL, e);
    }
    record_close(&r);
    return ok;
}

bool scan_put_due(struct store *s, bool elsewhere, uint64_t now_ms, struct err *e)
{
    struct ledger *l = &s->ledger;
    sqlite3_stmt *q = ledger_prepare(l,
                                     "SELECT gid, tbl, key, present, rec, shadow FROM row"
                                     " WHERE present = 0 AND rec IS NOT NULL",
                                     e);
    struct record rec = {0};
    struct ledger_row row;
    bool ok = q != NULL;
    int code = SQLITE_DONE;

    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        ledger_row_of(q, &row);
        if (elsewhere && (bind_by_table(s, row.table) != NULL || bind_is_out(s, row.table)))
            continue;
        ok = record_decode(&rec, row.rec, e) &&
             (!ledger_alive(l, &rec) || ledger_due_put(l, row.gid, now_ms, NULL, e));
    }
    sqlite3_finalize(q);
    record_close(&rec);
    s->due_open = true;
    return ok && (code == SQLITE_DONE || ledger_err(l, "find what the file lacks", e));
}

bool scan_forget_unheard(struct store *s, struct err *e)
{
    return sqlite3_exec(s->ledger.db, "DELETE FROM row WHERE rec IS NULL AND present = 0", NULL,
                        NULL, NULL) == SQLITE_OK ||
           ledger_err(&s->ledger, "forget what nobody has heard of", e);
}

bool scan_mint(struct store *s, const struct binding *b, const struct row_key *key, uint64_t now_ms,
               struct err *e)
{
    struct ledger_row row = {.gid = ledger_mint(&s->ledger, now_ms, 0),
                             .table = b->table,
                             .key = *key,
                             .present = true,
                             .minted = true};
    struct ledger_table *t = &s->ledger.tables[b->table - 1];

    if (b->app->surrogate && key->kind == KEY_INT && key->i > t->key_max)
        t->key_max = key->i;
    return ledger_row_put(&s->ledger, &row, false, false, e);
}

/* ---- publishing what is only minted ---- */

static bool minted_rows(struct store *s, struct touch_list *list, struct err *e)
{
    sqlite3_stmt *q = ledger_kept(&s->ledger,
                                  "SELECT gid, tbl, key, present, rec, shadow FROM row"
                                  " WHERE rec IS NULL AND shadow IS NULL AND present = 1"
                                  " ORDER BY gid LIMIT ?1",
                                  e);
    struct ledger_row row;
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, PUBLISH_ROWS_MAX);
    while ((code = scan_ledger_step(s, q, &row, e)) == 1) {
        struct binding *b = bind_by_table(s, row.table);
        struct touched *t;

        if (b == NULL)
            continue;
        t = touch_add(list);
        *t = (struct touched){.b = b, .key = arena_key(&list->arena, &row.key), .gid = row.gid};
    }
    ledger_done(&s->ledger, q);
    return code == 0;
}

bool scan_publish(struct store *s, uint64_t now_ms, bool *did, struct store_progress *p,
                  struct err *e)
{
    struct touch_list list = {0};
    bool ok = minted_rows(s, &list, e);

    *did = list.n > 0;
    if (ok && *did) {
        ok = recover_look(s, e) && touch_read(s, &list, e);
        appdb_end(&s->app);
        ok = ok && ledger_begin(&s->ledger, false, e) && publish(s, &list, now_ms, p, e) &&
             ledger_point(&s->ledger, e) && ledger_commit(&s->ledger, e);
        if (!ok)
            ledger_rollback(&s->ledger);
    }
    ledger_rest(&s->ledger);
    touch_close(&list);
    return ok;
}

/* ---- reconcile: a table whose triggers were lost, or that was not tracked for a while ---- */

/* When was it written? Now, as far as we can know; but if all columns that differ hold what nobody
 * has ever said of them, before everything else (0): a default that a migration filled in, or what
 * stayed on this PC by rule, must not beat what a person wrote elsewhere. A value that only becomes
 * a reference is hardly younger (1) than it was as a plain one. */
static bool age_of(struct store *s, const struct binding *b, const struct record *r,
                   const struct value *values, uint64_t *wall_ms, struct err *e)
{
    bool unheard = true, untranslated = false;
    struct buf room;
    bool ok = true;

    buf_open(&room, VALUE_BYTES_MAX + 64);
    for (uint32_t i = 0; ok && unheard && i < b->app->column_count; i++) {
        const struct cell *c = record_get(r, b->position[i]);

        if (c == NULL && columns_fresh(b, i) != NULL && columns_fresh(b, i)->from >= 0)
            c = record_get(r, (uint32_t)columns_fresh(b, i)->from);
        if (c == NULL || (b->app->surrogate && b->is_key[i]))
            continue;
        ok = same_cell(s, b, i, c, values, &room, &unheard, e);
        untranslated |= withhold_untranslated(s, &b->app->columns[i], c);
    }
    buf_close(&room);
    if (unheard)
        *wall_ms = untranslated ? 1 : 0;
    return ok;
}

/* Rows that are held back are not compared: there may be as many as the table has. */
static bool is_withheld(struct store *s, struct binding *b, const struct value *values,
                        bool *withheld, struct err *e)
{
    struct touched t = {.b = b, .key = {.kind = KEY_INT}};
    bool says, ok;

    *withheld = b->mute;
    if (b->mute || b->filter == NULL)
        return true;
    t.values = mem_alloc((b->app->column_count + 1) * sizeof *t.values);
    memcpy(t.values, values, b->app->column_count * sizeof *t.values);
    ok = withhold_says(s, &t, NULL, &says, e);
    free(t.values);
    *withheld = !says;
    return ok;
}

/* One slice of a table. */
struct comparison {
    struct store *s;
    struct binding *b;
    struct touch_list *list;
    uint64_t now_ms, steps;
    uint32_t told;
    struct scan_place stop; /* where it ends; not `begun`: at the end of the table */
    struct record r;
    struct buf room;
};

/* A row of the file beside what the ledger believes the file to hold. One on which the filter gives
 * up is held back once more: that tells of it. */
static bool compare_row(struct comparison *c, const struct value *values, struct err *e)
{
    struct store *s = c->s;
    struct binding *b = c->b;
    struct row_key key = key_of_row(b->app, values, &c->room);
    struct ledger_row row;
    struct touched *t;
    bool found, same = false, withheld;
    uint64_t wall_ms = c->now_ms;
    int64_t gid = 0;

    if (!is_withheld(s, b, values, &withheld, e))
        return false;
    c->steps += ROW_STEPS + (b->filter != NULL ? filter_steps(b->filter) : 0);
    if (withheld && (!withhold_gave_up(b) || c->told++ >= TOLD_MAX))
        return true;
    if (!ledger_row_by_key(&s->ledger, b->table, &key, false, &row, &found, e))
        return false;
    if (found) {
        gid = row.gid;
        if (!withheld && !row.minted &&
            (!record_decode(&c->r, row.differs ? row.shadow : row.rec, e) ||
             !scan_same(s, b, &c->r, values, &same, e) ||
             (!same && !age_of(s, b, &c->r, values, &wall_ms, e))))
            return false;
    }
    if (same)
        return true;
    t = scan_touch(c->list, b, values, &c->room);
    t->gid = gid;
    t->wall_ms = wall_ms;
    return refer_touched(s, c->list, t, e);
}

/* By which its rows are told apart and go in order, besides the key; NULL: by nothing. */
static const char *rowid_of(const struct app_table *t)
{
    static const char *const names[] = {"rowid", "oid", "_rowid_"};

    for (size_t i = 0; i < COUNT_OF(names) && !t->without_rowid; i++)
        if (app_column_index(t, slice_text(names[i])) < 0)
            return names[i];
    return NULL;
}

/* The rows behind the place where the last slice ended. What was written there since has marks, and
 * whoever gives rows other rowids (VACUUM) changes the schema's version, so that the table is bound
 * anew and compared from its beginning. The rowid is the column behind all others. */
static sqlite3_stmt *open_slice(struct store *s, const struct binding *b, struct err *e)
{
    const struct app_table *t = b->app;
    const struct scan_place *from = &b->scanned;
    const char *rowid = rowid_of(t);
    sqlite3_str *sql = select_columns(s, b);
    sqlite3_stmt *q;

    if (rowid != NULL) {
        sqlite3_str_appendf(sql, ", %s FROM main.\"%w\" WHERE %s >%s ?1 ORDER BY %s", rowid,
                            t->name, rowid, from->begun ? "" : "=", rowid);
    } else {
        sqlite3_str_appendf(sql, " FROM main.\"%w\"", t->name);
        for (uint32_t i = 0; from->begun && i < t->key_count; i++)
            sqlite3_str_appendf(sql, "%s\"%w\"", i == 0 ? " WHERE (" : ", ",
                                t->columns[t->keys[i]].name);
        for (uint32_t i = 0; from->begun && i < t->key_count; i++)
            sqlite3_str_appendf(sql, "%s?%u%s", i == 0 ? ") > (" : ", ", i + 1,
                                i + 1 == t->key_count ? ")" : "");
        for (uint32_t i = 0; i < t->key_count; i++)
            sqlite3_str_appendf(sql, "%s\"%w\"", i == 0 ? " ORDER BY " : ", ",
                                t->columns[t->keys[i]].name);
    }
    q = prepare(s, b, sql, e);
    if (q != NULL && rowid != NULL) {
        sqlite3_bind_int64(q, 1, from->begun ? from->rowid : INT64_MIN);
    } else if (q != NULL && from->begun && !key_bind(q, 1, t, &from->key, e)) {
        sqlite3_finalize(q);
        return NULL;
    }
    return q;
}

static void stop_here(struct comparison *c, sqlite3_stmt *q, const struct value *values)
{
    const struct app_table *t = c->b->app;

    c->stop.begun = true;
    if (rowid_of(t) != NULL) {
        c->stop.rowid = sqlite3_column_int64(q, (int)t->column_count);
        return;
    }
    buf_open(&c->stop.room, VALUE_BYTES_MAX * 2);
    c->stop.key = key_of_row(t, values, &c->stop.room);
}

static bool find_changed(struct comparison *c, struct err *e)
{
    struct store *s = c->s;
    struct binding *b = c->b;
    struct value *values = mem_alloc(b->app->column_count * sizeof *values);
    sqlite3_stmt *q = open_slice(s, b, e);
    int code = q == NULL ? -1 : 1;

    buf_open(&c->room, VALUE_BYTES_MAX * 2);
    while (code == 1 && !c->stop.begun && (code = scan_step(s, q, b, values, e)) == 1) {
        if (!compare_row(c, values, e))
            code = -1;
        else if (c->list->n >= CUT_ROWS_MAX || c->steps >= s->scan_steps)
            stop_here(c, q, values);
    }
    sqlite3_finalize(q);
    record_close(&c->r);
    buf_close(&c->room);
    free(values);
    return code >= 0;
}

/* Rows that the ledger believes to be there and that are not. touch_read finds them gone. Nobody
 * knows since when: they have gone just after all that the file held of them, so that what others
 * have written since is kept. */
static bool find_gone(struct store *s, struct binding *b, struct touch_list *list, struct err *e)
{
    sqlite3_stmt *q = scan_ledger(s, b->table, true, e);
    struct ledger_row row;
    int code = q == NULL ? -1 : 1;

    while (code == 1 && list->n < CUT_ROWS_MAX && (code = scan_ledger_step(s, q, &row, e)) == 1) {
        sqlite3_stmt *select = b->app->select;
        int there;

        sqlite3_reset(select);
        if (!key_bind(select, 1, b->app, &row.key, e)) {
            code = -1;
            break;
        }
        there = sqlite3_step(select);
        sqlite3_reset(select);
        if (there == SQLITE_DONE) {
            struct touched *t = touch_add(list);

            *t = (struct touched){.b = b, .gid = row.gid, .wall_ms = 1};
        } else if (there != SQLITE_ROW) {
            sqlite_err(s->app.db, b->app->name, e);
            code = -1;
        }
    }
    sqlite3_finalize(q);
    return code >= 0;
}

/* Rows that live and are not in the file, and of which something is known under a name only that a
 * column had. */
static bool find_outside(struct store *s, struct binding *b, struct touch_list *list, struct err *e)
{
    sqlite3_stmt *q = b->fresh == NULL ? NULL : scan_ledger(s, b->table, false, e);
    struct record r = {0};
    struct ledger_row row;
    int code = q == NULL ? -(b->fresh != NULL) : 1;

    while (code == 1 && list->n < CUT_ROWS_MAX && (code = scan_ledger_step(s, q, &row, e)) == 1) {
        bool any = false;

        if (!record_decode(&r, row.rec, e)) {
            code = -1;
            break;
        }
        for (uint32_t i = 0; !any && i < b->app->column_count; i++)
            any = columns_left_behind(b, i, &r);
        if (any && ledger_alive(&s->ledger, &r))
            *touch_add(list) = (struct touched){.b = b, .gid = row.gid};
    }
    sqlite3_finalize(q);
    record_close(&r);
    return code >= 0;
}

static bool reconcile(struct store *s, struct binding *b, uint64_t now_ms, struct store_progress *p,
                      struct err *e)
{
    struct touch_list list = {0};
    struct comparison c = {.s = s, .b = b, .list = &list, .now_ms = now_ms};
    bool ok;

    if (!recover_look(s, e))
        return false;
    ok = find_changed(&c, e) &&
         (c.stop.begun || (find_gone(s, b, &list, e) && find_outside(s, b, &list, e))) &&
         touch_parents(s, &list, now_ms, e);
    appdb_end(&s->app);
    ledger_rest(&s->ledger);
    ok = ok && ledger_begin(&s->ledger, false, e) && publish(s, &list, now_ms, p, e);
    if (ok) {
        if (!c.stop.begun && list.n < CUT_ROWS_MAX) {
            s->ledger.tables[b->table - 1].scan = SCAN_NONE;
            ok = bind_reconciled(s, b, e);
        }
        ok = ok && ledger_table_save(&s->ledger, &s->ledger.tables[b->table - 1], e) &&
             ledger_point(&s->ledger, e) && ledger_commit(&s->ledger, e);
    }
    if (ok) {
        buf_close(&b->scanned.room);
        b->scanned = c.stop;
    } else {
        ledger_rollback(&s->ledger);
        buf_close(&c.stop.room);
    }
    touch_close(&list);
    return ok;
}

bool scan_reconcile(struct store *s, uint64_t now_ms, bool *did, struct store_progress *p,
                    struct err *e)
{
    *did = false;
    for (uint32_t i = 0; i < s->binding_count; i++) {
        struct binding *b = &s->bindings[i];

        if (s->ledger.tables[b->table - 1].scan != SCAN_RECONCILE)
            continue;
        *did = true;
        return reconcile(s, b, now_ms, p, e);
    }
    return true;
}
