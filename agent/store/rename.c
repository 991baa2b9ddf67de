#include "rename.h"

#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "author.h"
#include "ledger_meta.h"
#include "ledger_names.h"
#include "unite.h"

/* ---- two tables of the ledger become one ---- */

struct joiner {
    struct store *s;
    struct ledger_table *from, *into;
    uint32_t *map; /* positions of `into` by those of `from` */
    struct record in, out;
    struct buf rec;
};

static bool run(struct joiner *j, const char *sql, int64_t third, int64_t fourth, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&j->s->ledger, sql, e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, j->from->id);
    sqlite3_bind_int64(q, 2, j->into->id);
    sqlite3_bind_int64(q, 3, third);
    sqlite3_bind_int64(q, 4, fourth);
    code = sqlite3_step(q);
    sqlite3_finalize(q);
    return code == SQLITE_DONE || ledger_err(&j->s->ledger, "make one table of two", e);
}

/* The same record with the positions of the other table. */
static bool move_record(struct joiner *j, struct slice bytes, struct buf *out, struct err *e)
{
    buf_clear(out);
    if (!record_decode(&j->in, bytes, e))
        return false;
    record_clear(&j->out);
    j->out.dead = j->in.dead;
    for (uint32_t i = 0; i < j->in.n && i < j->from->column_count; i++)
        if (j->in.cells[i].set || j->in.cells[i].counter != NULL)
            *record_cell(&j->out, j->map[i]) = j->in.cells[i];
    record_encode(&j->out, out);
    return true;
}

static bool move_rows(struct joiner *j, struct err *e)
{
    struct ledger *l = &j->s->ledger;
    sqlite3_stmt *put = ledger_prepare(
        l, "UPDATE row SET tbl = ?1, key = ?2, rec = ?3, shadow = NULL WHERE gid = ?4", e);
    sqlite3_stmt *q =
        put == NULL ? NULL : ledger_prepare(l, "SELECT gid, key, rec FROM row WHERE tbl = ?1", e);
    int code = SQLITE_DONE;
    bool ok = q != NULL;

    if (ok)
        sqlite3_bind_int64(q, 1, j->from->id);
    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        bool minted = sqlite3_column_type(q, 2) == SQLITE_NULL;
        struct slice rec = {sqlite3_column_blob(q, 2), (size_t)sqlite3_column_bytes(q, 2)};

        if (!minted && !(ok = move_record(j, rec, &j->rec, e)))
            break;
        sqlite3_reset(put);
        sqlite3_bind_int64(put, 1, j->into->id);
        sqlite3_bind_value(put, 2, sqlite3_column_value(q, 1));
        if (minted)
            sqlite3_bind_null(put, 3);
        else
            sqlite3_bind_blob64(put, 3, j->rec.p, j->rec.n, SQLITE_STATIC);
        sqlite3_bind_int64(put, 4, sqlite3_column_int64(q, 0));
        ok = sqlite3_step(put) == SQLITE_DONE || ledger_err(l, "move a row", e);
    }
    if (ok && code != SQLITE_DONE)
        ok = ledger_err(l, "read the rows of a table", e);
    sqlite3_finalize(q);
    sqlite3_finalize(put);
    return ok;
}

/* Two rows under one natural key: the one that has it in `into` stands for both. */
static bool unite_rows_of(struct joiner *j, int64_t gid, int64_t stands, struct err *e)
{
    struct ledger *l = &j->s->ledger;
    struct ledger_row other;
    bool both;

    if (!ledger_row_get(l, stands, &other, &both, e))
        return false;
    if (!both || other.minted)
        return true; /* nothing is said of one of them */
    return unite_named(j->s, gid, stands, e) && ledger_alias(l, gid, stands, e) &&
           run(j, "DELETE FROM row WHERE gid = ?3", gid, 0, e) &&
           run(j, "DELETE FROM due WHERE gid = ?3", gid, 0, e);
}

static bool move_names(struct joiner *j, struct err *e)
{
    struct ledger *l = &j->s->ledger;
    sqlite3_stmt *q = ledger_prepare(l,
                                     "SELECT a.gid, b.gid FROM natural_key a JOIN natural_key b ON"
                                     " b.tbl = ?2 AND b.identity = a.identity WHERE a.tbl = ?1"
                                     " AND a.gid <> b.gid",
                                     e);
    int code = SQLITE_DONE;
    bool ok = q != NULL;

    if (ok) {
        sqlite3_bind_int64(q, 1, j->from->id);
        sqlite3_bind_int64(q, 2, j->into->id);
    }
    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW)
        ok = unite_rows_of(j, sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1), e);
    if (ok && code != SQLITE_DONE)
        ok = ledger_err(l, "read the names of rows", e);
    sqlite3_finalize(q);
    return ok &&
           run(j,
               "INSERT OR IGNORE INTO natural_key(tbl, identity, gid)"
               " SELECT ?2, identity, gid FROM natural_key WHERE tbl = ?1",
               0, 0, e) &&
           run(j, "DELETE FROM natural_key WHERE tbl = ?1", 0, 0, e);
}

static bool move_conflicts(struct joiner *j, struct err *e)
{
    for (uint32_t i = 0; i < j->from->column_count; i++)
        if (!run(j, "UPDATE conflict SET tbl = ?2, position = ?4 WHERE tbl = ?1 AND position = ?3",
                 i, j->map[i], e))
            return false;
    return run(j, "UPDATE conflict SET tbl = ?2 WHERE tbl = ?1", 0, 0, e);
}

static bool map_columns(struct joiner *j, struct err *e)
{
    j->map = mem_alloc((j->from->column_count + 1) * sizeof *j->map);
    for (uint32_t i = 0; i < j->from->column_count; i++)
        if (!ledger_column(&j->s->ledger, j->into, slice_text(j->from->columns[i]), &j->map[i], e))
            return false;
    return true;
}

static bool join_tables(struct store *s, uint32_t from, uint32_t into, struct err *e)
{
    struct joiner j = {
        .s = s, .from = &s->ledger.tables[from - 1], .into = &s->ledger.tables[into - 1]};
    bool ok;

    buf_open(&j.rec, SIZE_MAX / 2);
    if (j.from->key_max > j.into->key_max)
        j.into->key_max = j.from->key_max;
    ok = map_columns(&j, e) && move_rows(&j, e) && move_names(&j, e) && move_conflicts(&j, e) &&
         run(&j, "UPDATE placed SET tbl = ?2 WHERE tbl = ?1", 0, 0, e) &&
         ledger_table_save(&s->ledger, j.into, e) &&
         ledger_table_stand(&s->ledger, j.from, into, e);
    s->due_stale = true;
    project_retry(s); /* rows that were parked for want of their table */
    free(j.map);
    record_close(&j.in);
    record_close(&j.out);
    buf_close(&j.rec);
    return ok;
}

/* Does a query about a table, ?1, give a row? */
static bool gives(struct store *s, const char *sql, uint32_t table, bool *any, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&s->ledger, sql, e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, table);
    code = sqlite3_step(q);
    sqlite3_finalize(q);
    *any = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ||
           ledger_err(&s->ledger, "look for a table", e);
}

static bool has_present(struct store *s, uint32_t table, bool *any, struct err *e)
{
    return gives(s, "SELECT 1 FROM row WHERE tbl = ?1 AND key IS NOT NULL AND present = 1 LIMIT 1",
                 table, any, e);
}

static bool join_names(struct store *s, uint32_t said, uint32_t has, struct err *e)
{
    bool here = bind_by_table(s, said) != NULL, there = bind_by_table(s, has) != NULL, any;
    uint32_t from = here ? has : said, into = here ? said : has;

    if (here && there)
        return true;
    return has_present(s, from, &any, e) && (any || join_tables(s, from, into, e));
}

bool rename_heard(struct store *s, uint32_t said, const struct body_table *as, uint32_t has,
                  struct err *e)
{
    const struct ledger_table *t = &s->ledger.tables[has - 1];
    uint32_t same = 0;

    for (uint32_t i = 0; i < as->columns; i++)
        for (uint32_t k = 0; k < t->column_count; k++)
            same += ledger_name_same(t->columns[k], as->names[i]);
    if (same * 2 < as->columns)
        return err_set(e, ERR_INPUT, "a row of table %s is said to be in table %s", t->name,
                       s->ledger.tables[said - 1].name);
    return join_names(s, said, has, e);
}

bool rename_united(struct store *s, uint32_t a, uint32_t b, struct err *e)
{
    const struct ledger_table *one = &s->ledger.tables[a - 1], *other = &s->ledger.tables[b - 1];
    uint32_t same = 0;

    for (uint32_t i = 0; i < one->column_count; i++)
        for (uint32_t k = 0; k < other->column_count; k++)
            same += ledger_name_same(one->columns[i], slice_text(other->columns[k]));
    if (same * 2 < one->column_count || same * 2 < other->column_count)
        return err_set(e, ERR_INPUT, "rows of tables %s and %s are to be united", one->name,
                       other->name);
    return join_names(s, a, b, e);
}

/* ---- a table renamed here ---- */

static bool meta_number(struct store *s, const char *what, int64_t n, int64_t *value, struct err *e)
{
    char name[48];
    struct value v;
    struct buf room;
    bool ok;

    snprintf(name, sizeof name, "%s.%lld", what, (long long)n);
    buf_open(&room, 64);
    ok = ledger_meta_get(&s->ledger, name, &v, &room, e);
    *value = ok && v.type == VALUE_INT ? v.i : 0;
    buf_close(&room);
    return ok;
}

static bool set_meta_number(struct store *s, const char *what, int64_t n, int64_t value,
                            struct err *e)
{
    char name[48];

    snprintf(name, sizeof name, "%s.%lld", what, (long long)n);
    return ledger_meta_set(&s->ledger, name,
                           &(struct value){.type = value == 0 ? VALUE_NULL : VALUE_INT, .i = value},
                           e);
}

bool rename_forget(struct store *s, const char *const *names, uint32_t n, struct err *e)
{
    bool ok = ledger_begin(&s->ledger, false, e);

    for (uint32_t i = 0; ok && i < n; i++) {
        const struct app_table *t = appdb_table(&s->app, names[i]);

        ok = t == NULL || set_meta_number(s, "number", t->registered, 0, e);
    }
    ok = ok && ledger_commit(&s->ledger, e);
    if (!ok)
        ledger_rollback(&s->ledger);
    return ok;
}

/* Does the file have a tracked table by a name of this one, besides `t`? */
static bool is_in_file(struct store *s, const struct ledger_table *lt, const struct app_table *t)
{
    for (uint32_t i = 0; i < s->app.schema.n; i++) {
        const struct app_table *other = &s->app.schema.tables[i];

        if (other != t && other->registered != 0 &&
            ledger_table_find(&s->ledger, other->name) == lt)
            return true;
    }
    return false;
}

/* A number may be given to another table after its first one was untracked: that one shares no
 * columns with it. */
static bool is_alike(const struct app_table *t, const struct ledger_table *lt)
{
    uint32_t same = 0;

    for (uint32_t i = 0; i < lt->column_count; i++)
        same += app_column_index(t, slice_text(lt->columns[i])) >= 0;
    return same * 2 >= t->column_count;
}

/* Its triggers have followed the table from the name it had. */
static bool follow_number(struct store *s, const struct app_table *t, struct ledger_table *before,
                          struct ledger_table **lt, struct err *e)
{
    uint32_t into = before->id;
    bool any;

    if (before == *lt || is_in_file(s, before, t) || !is_alike(t, before))
        return true;
    if (!has_present(s, (*lt)->id, &any, e))
        return false;
    if (any)
        return true;
    if (!join_tables(s, (*lt)->id, into, e))
        return false;
    *lt = ledger_table_standing(&s->ledger, into);
    return true;
}

/* The table's own name is the one that the file has. Others may have heard of it under the former
 * one only, also where it was known here already which table the new one is. Where the file has
 * both, and the one under this name is not the one known (`claimed` false), they are two tables
 * from now on. */
static bool take_name(struct store *s, const struct app_table *t, bool claimed,
                      struct ledger_table **lt, struct err *e)
{
    struct ledger_table *named = ledger_table_named(&s->ledger, slice_text(t->name));

    if (named == *lt)
        return true;
    s->renamed |= claimed;
    if (claimed || !is_in_file(s, *lt, t))
        return ledger_table_swap(&s->ledger, named, *lt, e) &&
               (!claimed || set_meta_number(s, "announce", (*lt)->id, 1, e));
    *lt = named;
    named->scan = SCAN_MATCH;
    return ledger_table_stand(&s->ledger, named, 0, e) && ledger_table_save(&s->ledger, named, e);
}

bool rename_follow(struct store *s, const struct app_table *t, struct ledger_table **lt,
                   struct err *e)
{
    struct ledger *l = &s->ledger;
    struct ledger_table *before;
    int64_t was;

    if (!ledger_table(l, slice_text(t->name), lt, e) ||
        !meta_number(s, "number", t->number, &was, e))
        return false;
    before = was >= 1 && was <= l->table_count ? ledger_table_standing(l, (uint32_t)was) : NULL;
    if (before != NULL && !follow_number(s, t, before, lt, e))
        return false;
    return take_name(s, t, before == *lt, lt, e) &&
           (was == (*lt)->id || set_meta_number(s, "number", t->number, (*lt)->id, e));
}

/* ---- a table dropped here ---- */

static bool forget_places(struct store *s, uint32_t table, struct err *e)
{
    static const char *const statements[] = {
        "DELETE FROM due WHERE gid IN (SELECT gid FROM row WHERE tbl = ?1)",
        "DELETE FROM row WHERE tbl = ?1 AND rec IS NULL",
        "UPDATE row SET present = 0, shadow = NULL WHERE tbl = ?1 AND present = 1",
    };

    for (size_t i = 0; i < COUNT_OF(statements); i++) {
        sqlite3_stmt *q = ledger_prepare(&s->ledger, statements[i], e);
        bool ok = q != NULL;

        if (ok) {
            sqlite3_bind_int64(q, 1, table);
            ok = sqlite3_step(q) == SQLITE_DONE ||
                 ledger_err(&s->ledger, "note that a table was dropped", e);
        }
        sqlite3_finalize(q);
        if (!ok)
            return false;
    }
    return ledger_number(&s->ledger, "SELECT count(*) FROM row WHERE present = 1", &s->ledger.live,
                         e);
}

/* Has the file ever had it? columns.c noted what it looked like. */
static bool was_bound(struct store *s, uint32_t table, bool *was, struct err *e)
{
    return gives(s, "SELECT 1 FROM meta WHERE name = 'columns.' || ?1 AND value NOT NULL", table,
                 was, e);
}

bool rename_dropped(struct store *s, struct err *e)
{
    for (uint32_t i = 0; i < s->ledger.table_count; i++) {
        struct ledger_table *t = &s->ledger.tables[i];
        bool was;

        if (t->stands != 0 || t->scan == SCAN_GONE || appdb_table(&s->app, t->name) != NULL ||
            bind_by_table(s, t->id) != NULL)
            continue;
        if (!was_bound(s, t->id, &was, e))
            return false;
        if (!was)
            continue;
        t->scan = SCAN_GONE;
        if (!ledger_table_save(&s->ledger, t, e) || !forget_places(s, t->id, e))
            return false;
    }
    return true;
}

/* ---- telling the others ---- */

/* A repair of a cell by its own value changes nothing anywhere, and names the row and its table. */
static void announce_row(struct binding *b, struct author *a, int64_t gid, const struct record *r)
{
    for (uint32_t i = 0; i < b->app->column_count; i++) {
        const struct cell *c = record_get(r, b->position[i]);

        if (b->is_key[i] || c == NULL || c->counter != NULL || c->v.type == VALUE_REF ||
            c->clock.number == 0)
            continue;
        author_repair(a, b, gid, &c->clock, i, &c->v);
        return;
    }
}

/* Of a table that was renamed before, others may know one row by this name and another one by that:
 * so not only one. */
static bool announce_rows(struct store *s, struct binding *b, struct author *a, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&s->ledger,
                                     "SELECT gid, tbl, key, present, rec, shadow FROM row"
                                     " WHERE tbl = ?1 AND key IS NOT NULL AND present = 1"
                                     " AND rec IS NOT NULL LIMIT 100",
                                     e);
    struct record r = {0};
    bool ok = q != NULL;

    if (ok)
        sqlite3_bind_int64(q, 1, b->table);
    while (ok && sqlite3_step(q) == SQLITE_ROW) {
        struct ledger_row row;

        ledger_row_of(q, &row);
        ok = record_decode(&r, row.rec, e);
        if (ok)
            announce_row(b, a, row.gid, &r);
    }
    sqlite3_finalize(q);
    record_close(&r);
    return ok;
}

static bool announce(struct store *s, struct binding *b, uint64_t now_ms, struct store_progress *p,
                     struct err *e)
{
    struct author a;
    bool ok;

    ok = ledger_begin(&s->ledger, false, e);
    author_begin(&a, s, now_ms, p);
    ok = ok && announce_rows(s, b, &a, e) && set_meta_number(s, "announce", b->table, 0, e) &&
         author_seal(&a, e) && ledger_commit(&s->ledger, e);
    if (!ok)
        ledger_rollback(&s->ledger);
    author_close(&a);
    return ok;
}

bool rename_announce(struct store *s, uint64_t now_ms, struct store_progress *p, struct err *e)
{
    for (uint32_t i = 0; s->renamed && i < s->binding_count; i++) {
        struct binding *b = &s->bindings[i];
        int64_t due;

        if (!meta_number(s, "announce", b->table, &due, e))
            return false;
        if (due != 0 && !b->mute && !announce(s, b, now_ms, p, e))
            return false;
    }
    s->renamed = false;
    return true;
}
