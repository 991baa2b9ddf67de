/* What the application's file is told of itself: see placed.h. */
#include "placed.h"

#include <stdlib.h>

#include <sqlite3.h>

#include "belief.h"
#include "history.h"
#include "ledger_kept.h"
#include "ledger_statements.h"

#define CHUNK_BYTES    (64u << 10)
#define ROWS_BYTES_MAX (1u << 20)
#define ENTRIES_MAX    4096 /* of _navette_placed, before all is told anew */

/* ---- encoding rows ---- */

static void begin_chunk(struct telling *t)
{
    for (uint32_t i = 0; i < t->actor_n; i++)
        t->actor_index[t->actors[i]] = 0;
    t->actor_n = t->entry_n = 0;
    t->counter = 0;
    t->key = 0;
    buf_clear(&t->entries);
}

static void end_chunk(struct telling *t)
{
    struct writer w;
    struct buf *out;

    if (t->entry_n == 0)
        return;
    t->chunks = mem_grow(t->chunks, (t->chunk_n + 1) * sizeof *t->chunks);
    out = &t->chunks[t->chunk_n++];
    *out = (struct buf){0};
    buf_open(out, ROWS_BYTES_MAX);
    w = (struct writer){out};
    write_array(&w, 3);
    write_uint(&w, PLACED_FORMAT);
    write_array(&w, t->actor_n);
    for (uint32_t i = 0; i < t->actor_n; i++)
        write_bin(&w, SLICE(t->s->ledger.actors[t->actors[i] - 1].actor.bytes));
    write_array(&w, t->entry_n * 4);
    buf_add(out, t->entries.p, t->entries.n);
    begin_chunk(t);
}

static uint32_t index_of(struct telling *t, uint32_t actor)
{
    if (actor >= t->actor_room) {
        uint32_t room = t->s->ledger.actor_count + 8;

        t->actors = mem_grow(t->actors, room * sizeof *t->actors);
        t->actor_index = mem_grow(t->actor_index, room * sizeof *t->actor_index);
        for (uint32_t i = t->actor_room; i < room; i++)
            t->actor_index[i] = 0;
        t->actor_room = room;
    }
    if (t->actor_index[actor] == 0) {
        t->actors[t->actor_n++] = actor;
        t->actor_index[actor] = t->actor_n;
    }
    return t->actor_index[actor] - 1;
}

static void write_entry(struct telling *t, const struct binding *b, int64_t gid, const int64_t *key,
                        enum placed what)
{
    struct gid g = gid_unpack(gid);
    struct writer w = {&t->entries};

    write_int(&w, b->app->number);
    write_uint(&w, (uint64_t)index_of(t, g.actor) * 3 + what);
    write_int(&w, (int64_t)(g.counter - t->counter));
    t->counter = g.counter;
    if (key == NULL) {
        write_nil(&w);
    } else {
        write_int(&w, (int64_t)((uint64_t)*key - (uint64_t)t->key));
        t->key = *key;
    }
    t->entry_n++;
    if (t->entries.n >= CHUNK_BYTES)
        end_chunk(t);
}

void telling_row(struct telling *t, const struct binding *b, int64_t gid, const struct row_key *key,
                 enum placed what)
{
    bool keyed = b->app->surrogate && key->kind == KEY_INT;

    if (what != PLACED_HERE || keyed) /* a natural key says by itself which row it names */
        write_entry(t, b, gid, keyed ? &key->i : NULL, what);
}

bool telling_part(struct telling *t, const struct binding *b, int64_t gid, struct err *e)
{
    int64_t stands;

    if (!b->app->surrogate) /* names follow from what they name */
        return true;
    if (!ledger_stands(&t->s->ledger, gid, &stands, e))
        return false;
    if (stands != gid) {
        write_entry(t, b, gid, NULL, PLACED_HERE);
        write_entry(t, b, stands, NULL, PLACED_HERE);
    }
    return true;
}

/* ---- what the ledger has to tell ---- */

/* Where a row is, or was, and which one stands for it; of what our application deleted, also where
 * nothing but its name says. */
static bool tell_ledger_row(struct telling *t, const struct binding *b,
                            const struct ledger_row *row, struct record *rec, struct err *e)
{
    enum placed what = row->present ? PLACED_HERE : PLACED_GONE;
    int64_t stands;

    if (!ledger_stands(&t->s->ledger, row->gid, &stands, e))
        return false;
    if (!row->present && !row->minted && stands == row->gid) {
        if (!record_decode(rec, row->rec, e))
            return false;
        if (rec->dead.number != 0 && ledger_is_ours(&t->s->ledger, rec->dead.actor))
            what = PLACED_DELETED;
    }
    if (what != PLACED_GONE || (b->app->surrogate && row->key.kind == KEY_INT))
        telling_row(t, b, row->gid, &row->key, what);
    return telling_part(t, b, row->gid, e);
}

/* Rows of one statement that selects gid, tbl, key, present, rec, shadow. */
static bool tell_rows(struct telling *t, const char *sql, int64_t first, int64_t last,
                      struct err *e)
{
    sqlite3_stmt *q = ledger_kept(&t->s->ledger, sql, e);
    struct record rec = {0};
    struct ledger_row row;
    int code = SQLITE_DONE;
    bool ok = q != NULL;

    if (ok) {
        sqlite3_bind_int64(q, 1, first);
        sqlite3_bind_int64(q, 2, last);
    }
    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        const struct binding *b;

        ledger_row_of(q, &row);
        b = bind_by_table(t->s, row.table);
        if (b == NULL)
            continue;
        ok = tell_ledger_row(t, b, &row, &rec, e);
    }
    ledger_done(&t->s->ledger, q);
    record_close(&rec);
    return ok && (code == SQLITE_DONE || ledger_err(&t->s->ledger, "read where rows are", e));
}

bool telling_open(struct telling *t, struct store *s, struct err *e)
{
    int64_t first = gid_pack((struct gid){s->ledger.self, s->ledger.told_counter + 1});
    int64_t last = gid_pack((struct gid){s->ledger.self, GID_COUNTER_MAX - 1});

    *t = (struct telling){.s = s, .whole = !s->ledger.told};
    buf_open(&t->entries, CHUNK_BYTES * 2);
    buf_open(&t->point, APP_POINT_BYTES_MAX);
    if (!history_learn(&s->ledger, e) || !history_aside(&s->ledger, &t->aside, e))
        return false;
    if (t->whole)
        return tell_rows(t, "SELECT gid, tbl, key, present, rec, shadow FROM row", 0, 0, e);
    return tell_rows(t,
                     "SELECT gid, tbl, key, present, rec, NULL FROM untold JOIN row USING (gid)"
                     " WHERE gid NOT BETWEEN ?1 AND ?2",
                     first, last, e) &&
           tell_rows(t,
                     "SELECT gid, tbl, key, present, rec, NULL FROM row"
                     " WHERE gid BETWEEN ?1 AND ?2",
                     first, last, e);
}

static void write_point(struct telling *t)
{
    const struct ledger *l = &t->s->ledger;
    struct writer w = {&t->point};
    const struct actor *self = &l->actors[l->self - 1].actor;
    struct vector holds = {0};
    uint32_t n = 0;

    vector_copy(&holds, l->held != NULL ? &l->held->holds : &l->applied);
    for (uint32_t i = 0; t->batch && i < t->s->merged_count; i++) {
        const struct merged_changeset *m = &t->s->merged[i];
        const struct actor *a = &l->actors[m->actor - 1].actor;

        if (m->number > vector_get(&holds, a))
            vector_set(&holds, a, m->number, NULL);
    }
    for (uint32_t i = 0; i < t->s->binding_count; i++)
        n += l->tables[t->s->bindings[i].table - 1].scan != SCAN_MATCH;
    buf_clear(&t->point);
    write_array(&w, 7);
    write_uint(&w, PLACED_FORMAT);
    write_uint(&w, l->tellings + 1);
    write_bin(&w, SLICE(self->bytes));
    write_uint(&w, l->held != NULL ? vector_get(&holds, self) : l->actors[l->self - 1].staged);
    write_int(&w, l->cursor);
    write_array(&w, n * 3);
    for (uint32_t i = 0; i < t->s->binding_count; i++) {
        const struct app_table *app = t->s->bindings[i].app;
        const struct ledger_table *table = &l->tables[t->s->bindings[i].table - 1];

        if (table->scan == SCAN_MATCH)
            continue;
        write_int(&w, app->number);
        /* -1: what was written without a mark is not all said yet */
        write_int(&w, table->scan == SCAN_RECONCILE ? -1 : app->repairs);
        write_int(&w, table->key_max);
    }
    for (uint32_t i = 0; i < holds.n; i++)
        history_tell(l, &holds.entries[i]);
    if (l->held == NULL && t->aside.number > 0) /* all of it was in the file when it was */
        vector_set(&holds, &t->aside.actor, t->aside.number, t->aside.hash);
    vector_write(&w, &holds);
    vector_close(&holds);
}

/* A file that went back would hand out numbers of AUTOINCREMENT anew that rows here may still show
 * of rows that are gone. */
static bool raise_sequence(struct store *s, const struct binding *b, struct err *e)
{
    static const char sql[] =
        "UPDATE main.sqlite_sequence SET seq = max(seq, %lld) WHERE name = %Q;"
        "INSERT INTO main.sqlite_sequence(name, seq) SELECT %Q, %lld"
        " WHERE NOT EXISTS (SELECT 1 FROM main.sqlite_sequence WHERE name = %Q)";
    long long used = s->ledger.tables[b->table - 1].key_max;
    const char *name = b->app->name;
    char *text;
    bool ok;

    if (!b->app->autoincrement || used <= 0)
        return true;
    text = sqlite3_mprintf(sql, used, name, name, used, name);
    ok = sqlite3_exec(s->app.db, text, NULL, NULL, NULL) == SQLITE_OK;
    sqlite3_free(text);
    return ok || sqlite_err(s->app.db, name, e);
}

bool telling_write(struct telling *t, struct err *e)
{
    struct appdb *a = &t->s->app;

    end_chunk(t);
    write_point(t);
    if (t->point.overflow)
        return err_set(e, ERR_LIMIT, "a point of more than %d bytes", APP_POINT_BYTES_MAX);
    if (t->whole && !app_placed_clear(a, e))
        return false;
    for (uint32_t i = 0; t->whole && i < t->s->binding_count; i++)
        if (!raise_sequence(t->s, &t->s->bindings[i], e))
            return false;
    for (uint32_t i = 0; i < t->chunk_n; i++)
        if (!app_placed_add(a, buf_slice(&t->chunks[i]), e))
            return false;
    return true;
}

bool telling_done(struct store *s, struct err *e)
{
    s->ledger.told = true;
    s->ledger.tellings++;
    s->ledger.told_counter = s->ledger.actors[s->ledger.self - 1].counter_max;
    s->ledger.foreign = 0;
    ledger_believe(&s->ledger);
    return ledger_finish(&s->ledger, ledger_statement(&s->ledger, STATEMENT_UNTOLD_CLEAR),
                         "note what the file has been told", e);
}

void telling_close(struct telling *t)
{
    for (uint32_t i = 0; i < t->chunk_n; i++)
        buf_close(&t->chunks[i]);
    free(t->chunks);
    free(t->actors);
    free(t->actor_index);
    buf_close(&t->entries);
    buf_close(&t->point);
    *t = (struct telling){0};
}

bool placed_is_due(struct store *s, bool *due, struct err *e)
{
    int64_t last;

    if (!app_placed_last(&s->app, &last, e))
        return false;
    s->ledger.told &= last < ENTRIES_MAX; /* much of that is old: all anew */
    *due = !s->ledger.told;
    return true;
}

/* On the disk at once: what it takes the place of, the marks, goes with it. */
bool placed_tell(struct store *s, struct err *e)
{
    struct telling t;
    struct err rest = {0};
    bool ok =
        telling_open(&t, s, e) && appdb_durably(&s->app, true, e) && appdb_lock_quietly(&s->app, e);

    ledger_rest(&s->ledger);
    if (ok) {
        ok = recover_in_step(s, e) && telling_write(&t, e) &&
             app_point_write(&s->app, buf_slice(&t.point), e) &&
             marks_purge(&s->app, s->ledger.cursor, e) && appdb_commit(&s->app, e);
        appdb_end(&s->app);
    }
    telling_close(&t);
    if (!appdb_durably(&s->app, false, ok ? e : &rest) || !ok)
        return false;
    ok = ledger_begin(&s->ledger, true, e) && telling_done(s, e) && ledger_commit(&s->ledger, e);
    if (!ok)
        ledger_rollback(&s->ledger);
    return ok;
}

/* ---- being told ---- */

static void read_tables(struct placed_point *p, struct reader *r)
{
    uint32_t n = read_array(r, UINT32_MAX, "tables");

    p->tables = mem_alloc((n / 3 + 1) * sizeof *p->tables);
    for (uint32_t i = 0; i + 2 < n && !r->failed; i += 3) {
        p->tables[p->table_n].number = read_int(r);
        p->tables[p->table_n].repairs = read_int(r);
        p->tables[p->table_n++].key_max = read_int(r);
    }
    if (n % 3 != 0)
        read_fail(r, ERR_INPUT, "a table without its highest key");
}

bool placed_point_read(struct placed_point *p, struct slice bytes, struct err *e)
{
    struct reader r = reader_of(bytes, e);

    *p = (struct placed_point){0};
    read_array_exact(&r, 7, "a point");
    if (read_uint(&r, UINT64_MAX, "format") != PLACED_FORMAT)
        read_fail(&r, ERR_INPUT, "a point of another format");
    p->telling = read_uint(&r, UINT64_MAX, "telling");
    read_bin_exact(&r, p->actor.bytes, ACTOR_BYTES, "actor");
    p->number = read_uint(&r, CHANGESET_NUMBER_MAX, "number");
    p->mark = read_int(&r);
    read_tables(p, &r);
    vector_read(&r, &p->holds);
    return read_end(&r) || err_wrap(e, "_navette_state.point");
}

void placed_point_close(struct placed_point *p)
{
    free(p->tables);
    vector_close(&p->holds);
    *p = (struct placed_point){0};
}

bool placed_read(struct placed_reader *r, struct slice rows, struct err *e)
{
    *r = (struct placed_reader){.in = reader_of(rows, e)};
    read_array_exact(&r->in, 3, "rows");
    if (read_uint(&r->in, UINT64_MAX, "format") != PLACED_FORMAT)
        read_fail(&r->in, ERR_INPUT, "rows of another format");
    r->actor_n = read_array(&r->in, ACTORS_MAX, "actors");
    r->actors = mem_alloc((r->actor_n + 1) * sizeof *r->actors);
    for (uint32_t i = 0; i < r->actor_n; i++)
        read_bin_exact(&r->in, r->actors[i].bytes, ACTOR_BYTES, "actor");
    r->left = read_array(&r->in, UINT32_MAX, "rows");
    if (r->left % 4 != 0)
        read_fail(&r->in, ERR_INPUT, "a row without a key");
    r->left /= 4;
    return !r->in.failed || err_wrap(e, "_navette_placed");
}

static bool read_is_nil(const struct reader *r)
{
    return r->left.n > 0 && *r->left.p == 0xc0;
}

int placed_next(struct placed_reader *r, struct placed_row *row)
{
    uint64_t actor;

    if (r->left == 0 && read_end(&r->in))
        return 0;
    if (r->left == 0) {
        err_wrap(r->in.e, "_navette_placed");
        return -1;
    }
    r->left--;
    row->table = read_int(&r->in);
    actor = read_uint(&r->in, UINT32_MAX, "actor");
    r->counter += (uint64_t)read_int(&r->in);
    row->counter = r->counter;
    row->what = actor % 3;
    actor /= 3;
    row->keyed = !read_is_nil(&r->in);
    if (!row->keyed)
        read_nil(&r->in);
    else
        r->key = (int64_t)((uint64_t)r->key + (uint64_t)read_int(&r->in));
    row->key = r->key;
    if (!r->in.failed &&
        (actor >= r->actor_n || row->counter == 0 || row->counter >= GID_COUNTER_MAX))
        read_fail(&r->in, ERR_INPUT, "no such row");
    if (r->in.failed) {
        err_wrap(r->in.e, "_navette_placed");
        return -1;
    }
    row->actor = r->actors[actor];
    return 1;
}

void placed_read_close(struct placed_reader *r)
{
    free(r->actors);
    *r = (struct placed_reader){0};
}
