/* The rows of our own file that an outline names, in the words of its author: a value that names a
 * row becomes the gid that the row has in the outline, or that an earlier change-set gave it. */
#include "outlined.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "refer.h"
#include "said.h"
#include "scan.h"

#define ROWS_TOGETHER   1000 /* in one read of the file */
#define RANGES_TOGETHER 16   /* likewise, of natural tables */

/* A table of the outline as our file has it. */
struct table_here {
    struct binding *b; /* NULL: it has none that is alike */
    uint32_t *columns; /* by column of the outline */
};

struct outlined {
    struct store_rebuild *r;
    struct table_here *tables;
    struct row_key *keys; /* by row: in our file, if it is a copy; KEY_NONE: not told */
    struct keymap by_key, by_gid;
    struct arena arena; /* of the keys */
    struct buf room, cells;
    struct value *values; /* of one row of the file */
    size_t left;          /* bytes that our cells may still take */
};

static int64_t gid_here(struct outlined *w, struct gid gid)
{
    return said_gid(w->r->s->said, &w->r->o.actors[gid.actor], gid.counter);
}

static struct row_key key_of_value(struct outlined *w, const struct value *v)
{
    if (v->type == VALUE_INT)
        return (struct row_key){.kind = KEY_INT, .i = v->i};
    buf_clear(&w->room);
    packed_value_write(&w->room, v);
    return (struct row_key){.kind = KEY_PACKED, .bytes = buf_slice(&w->room)};
}

/* ---- tables ---- */

static void find_table(struct outlined *w, uint32_t at)
{
    const struct outline_table *t = &w->r->o.tables[at];
    struct table_here *here = &w->tables[at];
    const struct app_table *app;

    here->b = said_table(w->r->s, t->name);
    app = here->b == NULL ? NULL : here->b->app;
    if (here->b == NULL || app->key_count != t->keys || app->surrogate != t->surrogate) {
        here->b = NULL;
        return;
    }
    here->columns = arena_alloc(&w->arena, t->columns * sizeof *here->columns);
    for (uint32_t i = 0; i < t->columns && here->b != NULL; i++) {
        int column = app_column_index(app, t->names[i]);

        if (column < 0 || (i < t->keys && (uint32_t)column != app->keys[i]))
            here->b = NULL;
        else
            here->columns[i] = (uint32_t)column;
    }
}

/* ---- keys ---- */

/* The value by which our file names the row: its key, when that is one column. */
static bool value_of_row(struct outlined *w, struct gid gid, struct value *v)
{
    int64_t id = gid_here(w, gid);
    const struct said_row *said;
    uint32_t at = keymap_get(&w->by_gid, 0, &(struct row_key){.kind = KEY_INT, .i = id});
    const struct row_key *key;
    struct slice left;

    if (at == 0) {
        said = said_by_gid(w->r->s->said, id);
        key = said == NULL ? NULL : &said->key;
    } else {
        key = &w->keys[at - 1];
    }
    if (key == NULL || key->kind == KEY_NONE)
        return false;
    *v = (struct value){.type = VALUE_INT, .i = key->i};
    left = key->bytes;
    return key->kind == KEY_INT || (packed_value_read(&left, v) && left.n == 0);
}

/* The key of the first row of a range of a natural table. False: it cannot be told. */
static bool natural_key(struct outlined *w, const struct outline_range *range, struct row_key *key)
{
    uint32_t n = w->r->o.tables[w->r->o.rows[range->first].table].keys;
    struct err nonsense = {0};
    struct reader r = reader_of(outline_key(&w->r->o, range), &nonsense);
    struct value v = {.type = VALUE_NULL};
    bool known = true;

    buf_clear(&w->room);
    for (uint32_t i = 0; i < n && known; i++) {
        v = read_value(&r);
        if (v.type == VALUE_REF)
            known = !r.failed && v.ref.actor < w->r->o.actor_count && value_of_row(w, v.ref, &v);
        if (known)
            packed_value_write(&w->room, &v);
    }
    if (!known) {
        w->r->unnamed++;
        return false;
    }
    *key = n == 1 && v.type == VALUE_INT
               ? (struct row_key){.kind = KEY_INT, .i = v.i}
               : (struct row_key){.kind = KEY_PACKED, .bytes = buf_slice(&w->room)};
    return read_end(&r);
}

static void place_row(struct outlined *w, uint32_t at, const struct row_key *key)
{
    const struct table_here *t = &w->tables[w->r->o.rows[at].table];
    struct row_key id = int_key(gid_here(w, w->r->o.rows[at].gid));

    w->keys[at] = arena_key(&w->arena, key);
    if (t->b->app->key_count == 1)
        keymap_put(&w->by_key, t->b->app_index, &w->keys[at], at + 1);
    keymap_put(&w->by_gid, 0, &id, at + 1);
}

static const struct table_here *table_of(const struct outlined *w, uint32_t row)
{
    return &w->tables[w->r->o.rows[row].table];
}

static void place_surrogates(struct outlined *w)
{
    const struct outline *o = &w->r->o;

    for (uint32_t i = 0; i < o->row_count; i++)
        if (table_of(w, i)->b != NULL && o->tables[o->rows[i].table].surrogate)
            place_row(w, i, &(struct row_key){.kind = KEY_INT, .i = o->rows[i].key});
}

/* ---- rows ---- */

/* The gid of the row that a value names, as the outline counts actors. */
static bool named_gid(struct outlined *w, const struct named *named, struct gid *gid)
{
    const struct outline *o = &w->r->o;
    struct row_key key = key_of_value(w, &named->key);
    uint32_t at = keymap_get(&w->by_key, named->b->app_index, &key);
    const struct said *said = w->r->s->said;
    const struct said_row *row;
    const struct actor *actor;

    if (at != 0) {
        *gid = o->rows[at - 1].gid;
        return true;
    }
    row = said_by_key(said, named->b->app_index, &key);
    if (row == NULL)
        return false;
    actor = &said->actors[row->gid >> GID_COUNTER_BITS];
    gid->counter = (uint64_t)row->gid & (GID_COUNTER_MAX - 1);
    for (gid->actor = 0; gid->actor < o->actor_count; gid->actor++)
        if (actor_equal(&o->actors[gid->actor], actor))
            return true;
    return false;
}

static void encode_row(struct outlined *w, const struct touched *t, uint32_t at)
{
    struct store_rebuild *r = w->r;
    const struct table_here *here = &w->tables[r->o.rows[at].table];
    struct writer out = {&w->cells};

    buf_clear(&w->cells);
    for (uint32_t i = 0; i < r->o.tables[r->o.rows[at].table].columns; i++) {
        struct named named = touched_named(r->s, t, here->columns[i]);
        struct value v = t->values[here->columns[i]];
        struct gid gid;

        if (named.b != NULL && named_gid(w, &named, &gid))
            v = (struct value){.type = VALUE_REF, .ref = gid};
        else if (named.b != NULL)
            r->unnamed++;
        write_value(&out, &v);
    }
    if (w->cells.overflow || w->cells.n > w->left)
        return;
    w->left -= w->cells.n;
    r->cells[at] = arena_copy(&r->arena, buf_slice(&w->cells));
    outline_mark(r->marks + (size_t)at * OUTLINE_MARK_BYTES, r->cells[at]);
}

/* ---- reading the file: one row at a time, since a hostile outline may name a large one again and
 * again ---- */

static struct touched *touch_one(struct touch_list *l)
{
    l->n = 0;
    arena_reset(&l->arena);
    return touch_add(l);
}

static bool read_row(struct outlined *w, struct touch_list *l, uint32_t at, struct err *e)
{
    struct touched *t = touch_one(l);

    *t = (struct touched){.b = table_of(w, at)->b, .key = w->keys[at]};
    if (!touch_read(w->r->s, l, e))
        return false;
    if (l->rows[0].values != NULL)
        encode_row(w, &l->rows[0], at);
    return true;
}

static bool read_surrogates(struct outlined *w, struct touch_list *list, struct err *e)
{
    const struct outline *o = &w->r->o;
    uint32_t together = 0;
    bool ok = true;

    for (uint32_t i = 0; ok && i < o->row_count && w->left > 0; i++) {
        if (w->keys[i].kind == KEY_NONE || !o->tables[o->rows[i].table].surrogate)
            continue;
        if (together++ % ROWS_TOGETHER == 0) {
            appdb_end(&w->r->s->app);
            ok = recover_read(w->r->s, e);
        }
        ok = ok && read_row(w, list, i, e);
    }
    appdb_end(&w->r->s->app);
    return ok;
}

/* Rows of a natural table in the order in which they stand in the file, as their author published
 * them, from the one with this key on. */
static sqlite3_stmt *open_natural(struct outlined *w, const struct binding *b, struct err *e)
{
    static const char *const names[] = {"rowid", "oid", "_rowid_"};
    const struct app_table *t = b->app;
    sqlite3_str *sql = sqlite3_str_new(w->r->s->app.db);
    sqlite3_stmt *q = NULL;
    const char *rowid = NULL;
    char *text;

    for (uint32_t i = 0; i < COUNT_OF(names) && rowid == NULL; i++)
        if (app_column_index(t, slice_text(names[i])) < 0)
            rowid = names[i];
    sqlite3_str_appendall(sql, "SELECT ");
    for (uint32_t i = 0; i < t->column_count; i++)
        sqlite3_str_appendf(sql, "%s\"%w\"", i == 0 ? "" : ", ", t->columns[i].name);
    sqlite3_str_appendf(sql, " FROM main.\"%w\" WHERE ", t->name);
    if (t->without_rowid || rowid == NULL) {
        for (uint32_t i = 0; i < t->key_count; i++)
            sqlite3_str_appendf(sql, "%s\"%w\"", i == 0 ? "(" : ", ", t->columns[t->keys[i]].name);
        for (uint32_t i = 0; i < t->key_count; i++)
            sqlite3_str_appendf(sql, "%s?%d", i == 0 ? ") >= (" : ", ", (int)i + 1);
        for (uint32_t i = 0; i < t->key_count; i++)
            sqlite3_str_appendf(sql, "%s\"%w\"", i == 0 ? ") ORDER BY " : ", ",
                                t->columns[t->keys[i]].name);
    } else {
        sqlite3_str_appendf(sql, "%s >= (SELECT %s FROM main.\"%w\" WHERE ", rowid, rowid, t->name);
        app_key_match(sql, t);
        sqlite3_str_appendf(sql, ") ORDER BY %s", rowid);
    }
    text = sqlite3_str_finish(sql);
    if (sqlite3_prepare_v2(w->r->s->app.db, text, -1, &q, NULL) != SQLITE_OK)
        sqlite_err(w->r->s->app.db, t->name, e);
    sqlite3_free(text);
    return q;
}

/* `keys`: only where the rows of the fleet stand in our file; else their cells. */
static bool read_range(struct outlined *w, sqlite3_stmt *q, const struct outline_range *range,
                       bool keys, struct touch_list *list, struct err *e)
{
    struct binding *b = table_of(w, range->first)->b;
    struct row_key first;
    int code = 1;

    if (!natural_key(w, range, &first))
        return true;
    first = arena_key(&w->arena, &first);
    sqlite3_reset(q);
    if (!key_bind(q, 1, b->app, &first, e))
        return false;
    for (uint32_t i = 0; i < range->rows && w->left > 0; i++) {
        struct touched *t = touch_one(list);

        code = scan_step(w->r->s, q, b, w->values, e);
        if (code != 1)
            break;
        t = scan_touch(list, b, w->values, &w->room);
        if (keys) {
            place_row(w, range->first + i, &t->key);
            continue;
        }
        if (!refer_touched(w->r->s, list, t, e))
            return false;
        encode_row(w, t, range->first + i);
    }
    sqlite3_reset(q);
    return code >= 0;
}

static bool read_naturals(struct outlined *w, bool keys, struct touch_list *list, struct err *e)
{
    const struct outline *o = &w->r->o;
    sqlite3_stmt *q = NULL;
    const struct binding *open = NULL;
    bool ok = recover_read(w->r->s, e);

    for (uint32_t i = 0; ok && i < o->range_count; i++) {
        const struct binding *b = table_of(w, o->ranges[i].first)->b;

        if (b == NULL || b->app->surrogate || (keys && b->app->key_count > 1))
            continue;
        if (b != open) {
            sqlite3_finalize(q);
            q = open_natural(w, b, e);
            open = b;
        }
        ok = q != NULL && read_range(w, q, &o->ranges[i], keys, list, e);
        if (ok && (i + 1) % RANGES_TOGETHER == 0) {
            appdb_end(&w->r->s->app);
            ok = recover_read(w->r->s, e);
        }
    }
    sqlite3_finalize(q);
    appdb_end(&w->r->s->app);
    return ok;
}

static bool read_all(struct outlined *w, struct err *e)
{
    struct touch_list list = {0};
    uint32_t columns = 1;
    bool ok;

    for (uint32_t i = 0; i < w->r->s->binding_count; i++)
        if (w->r->s->bindings[i].app->column_count > columns)
            columns = w->r->s->bindings[i].app->column_count;
    w->values = mem_alloc(columns * sizeof *w->values);
    place_surrogates(w);
    ok = read_naturals(w, true, &list, e) && read_surrogates(w, &list, e) &&
         read_naturals(w, false, &list, e);
    touch_close(&list);
    free(w->values);
    return ok;
}

bool outlined_read(struct store_rebuild *r, struct err *e)
{
    struct outlined w = {.r = r, .left = 2 * (size_t)r->h.body_bytes};
    const struct outline *o = &r->o;
    bool ok = said_catch_up(r->s, e);

    r->unnamed = 0;
    arena_reset(&r->arena);
    memset(r->cells, 0, (o->row_count + 1) * sizeof *r->cells);
    w.tables = mem_alloc((o->table_count + 1) * sizeof *w.tables);
    w.keys = mem_alloc((o->row_count + 1) * sizeof *w.keys);
    buf_open(&w.room, VALUE_BYTES_MAX + 64);
    buf_open(&w.cells, BODY_BYTES_MAX);
    for (uint32_t i = 0; ok && i < o->table_count; i++)
        find_table(&w, i);
    ok = ok && read_all(&w, e);
    keymap_close(&w.by_key);
    keymap_close(&w.by_gid);
    arena_close(&w.arena);
    buf_close(&w.room);
    buf_close(&w.cells);
    free(w.tables);
    free(w.keys);
    return ok;
}
