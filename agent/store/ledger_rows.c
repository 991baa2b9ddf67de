/* The ledger's tables one by one: actors, gids, tables, rows. */
#include "ledger.h"

#include <string.h>
#include <strings.h>

#include <sqlite3.h>

#include "appdb.h"
#include "belief.h"
#include "counter.h"
#include "ledger_kept.h"
#include "ledger_large.h"
#include "ledger_names.h"
#include "ledger_statements.h"

#define GID_EPOCH_MS  UINT64_C(1735689600000) /* 2025 */
#define GID_MARK_BITS 12                      /* so many rows a millisecond, for eight years */
#define GID_MARK_MASK ((UINT64_C(1) << GID_MARK_BITS) - 1)
#define GID_SPARE     (UINT64_C(1) << 24) /* more than one drain mints */

sqlite3_stmt *ledger_statement(struct ledger *l, int which)
{
    sqlite3_stmt *s = l->statements[which];

    sqlite3_reset(s);
    return s;
}

bool ledger_bind_bytes(sqlite3_stmt *s, int parameter, struct slice bytes)
{
    return sqlite3_bind_blob64(s, parameter, bytes.p == NULL ? (const uint8_t *)"" : bytes.p,
                               bytes.n, SQLITE_STATIC) == SQLITE_OK;
}

static bool bind_key(sqlite3_stmt *s, int parameter, const struct row_key *key)
{
    if (key->kind == KEY_INT)
        return sqlite3_bind_int64(s, parameter, key->i) == SQLITE_OK;
    if (key->kind == KEY_PACKED)
        return ledger_bind_bytes(s, parameter, key->bytes);
    return sqlite3_bind_null(s, parameter) == SQLITE_OK;
}

bool ledger_finish(struct ledger *l, sqlite3_stmt *s, const char *doing, struct err *e)
{
    int code = sqlite3_step(s);

    sqlite3_reset(s);
    return code == SQLITE_DONE || ledger_err(l, doing, e);
}

/* Run one that returns a row or none. */
static bool look_up(struct ledger *l, sqlite3_stmt *s, bool *found, const char *doing,
                    struct err *e)
{
    int code = sqlite3_step(s);

    *found = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE || ledger_err(l, doing, e);
}

sqlite3_stmt *ledger_prepare(struct ledger *l, const char *sql, struct err *e)
{
    sqlite3_stmt *s = NULL;

    if (sqlite3_prepare_v2(l->db, sql, -1, &s, NULL) != SQLITE_OK)
        ledger_err(l, "read the ledger", e);
    return s;
}

bool ledger_number(struct ledger *l, const char *sql, int64_t *n, struct err *e)
{
    sqlite3_stmt *s = ledger_kept(l, sql, e);
    int code;

    if (s == NULL)
        return false;
    code = sqlite3_step(s);
    *n = code == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    ledger_done(l, s);
    return code == SQLITE_ROW || code == SQLITE_DONE || ledger_err(l, "read the ledger", e);
}

/* ---- actors and gids ---- */

uint32_t ledger_actor_find(const struct ledger *l, const struct actor *a)
{
    for (uint32_t id = 1; id <= l->actor_count; id++)
        if (actor_equal(&l->actors[id - 1].actor, a))
            return id;
    return 0;
}

bool ledger_actor(struct ledger *l, const struct actor *a, uint32_t *id, struct err *e)
{
    sqlite3_stmt *s;

    *id = ledger_actor_find(l, a);
    if (*id != 0)
        return true;
    if (l->actor_count >= ACTORS_MAX)
        return err_set(e, ERR_LIMIT, "%u actors are known already, no more than %u can be",
                       l->actor_count, ACTORS_MAX);
    s = ledger_statement(l, STATEMENT_ACTOR_ADD);
    sqlite3_bind_int64(s, 1, (int64_t)l->actor_count + 1);
    ledger_bind_bytes(s, 2, (struct slice){a->bytes, ACTOR_BYTES});
    if (!ledger_finish(l, s, "add an actor", e))
        return false;
    if (l->actor_count == l->actor_room) {
        l->actor_room = l->actor_room == 0 ? 8 : l->actor_room * 2;
        l->actors = mem_grow(l->actors, l->actor_room * sizeof *l->actors);
    }
    l->actors[l->actor_count++] = (struct ledger_actor){.actor = *a};
    *id = l->actor_count;
    return true;
}

bool ledger_actor_named(struct ledger *l, const struct actor *a, uint32_t *id, struct err *e)
{
    *id = ledger_actor_find(l, a);
    if (*id == 0 && l->actor_count >= ACTORS_NAMED)
        return err_set(e, ERR_LIMIT, "it names an actor that is not known, and %u are",
                       l->actor_count);
    return *id != 0 || ledger_actor(l, a, id, e);
}

/* Those that others name in its place are not its own. */
bool ledger_actor_fits(const struct ledger *l, const struct site_id *site)
{
    uint32_t own = 0;

    for (uint32_t id = 1; id <= l->actor_count && l->actor_count >= ACTORS_SHARED; id++) {
        struct site_id author = actor_site(&l->actors[id - 1].actor);

        own += l->actors[id - 1].staged > 0 && site_equal(&author, site);
    }
    return own < ACTORS_OWN;
}

bool ledger_is_ours(const struct ledger *l, uint32_t actor)
{
    struct site_id ours = actor_site(&l->actors[l->self - 1].actor);
    struct site_id site = actor_site(&l->actors[actor - 1].actor);

    return site_equal(&ours, &site);
}

bool ledger_actor_save(struct ledger *l, uint32_t id, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_ACTOR_SAVE);
    const struct ledger_actor *a = &l->actors[id - 1];

    sqlite3_bind_int64(s, 1, (int64_t)a->staged);
    ledger_bind_bytes(s, 2, (struct slice){a->hash, HASH_BYTES});
    sqlite3_bind_int64(s, 3, (int64_t)a->merged);
    sqlite3_bind_int64(s, 4, (int64_t)a->applied);
    sqlite3_bind_int64(s, 5, (int64_t)a->said);
    sqlite3_bind_int64(s, 6, (int64_t)a->waived);
    sqlite3_bind_int64(s, 7, (int64_t)a->latest);
    sqlite3_bind_int64(s, 8, id);
    if (!ledger_finish(l, s, "note an actor", e))
        return false;
    if (a->staged > 0 || vector_get(&l->have, &a->actor) > 0)
        ledger_note_have(l, a);
    if (!(l->silent && id == l->self) && (a->applied > 0 || vector_get(&l->applied, &a->actor) > 0))
        vector_set(&l->applied, &a->actor, a->applied, NULL);
    return true;
}

int64_t gid_pack(struct gid g)
{
    return (int64_t)((uint64_t)g.actor << GID_COUNTER_BITS | g.counter);
}

struct gid gid_unpack(int64_t gid)
{
    return (struct gid){(uint32_t)((uint64_t)gid >> GID_COUNTER_BITS),
                        (uint64_t)gid & (GID_COUNTER_MAX - 1)};
}

int gid_order(const struct ledger *l, int64_t a, int64_t b)
{
    struct gid x = gid_unpack(a), y = gid_unpack(b);
    int order = actor_compare(&l->actors[x.actor - 1].actor, &l->actors[y.actor - 1].actor);

    return order != 0 ? order : (x.counter > y.counter) - (x.counter < y.counter);
}

bool ledger_is_news(const struct ledger *l, int64_t gid)
{
    struct gid g = gid_unpack(gid);

    return g.counter > l->actors[g.actor - 1].counter_max;
}

static void meet(struct ledger *l, int64_t gid)
{
    struct gid g = gid_unpack(gid);

    if (g.counter > l->actors[g.actor - 1].counter_max)
        l->actors[g.actor - 1].counter_max = g.counter;
}

static bool is_minted(struct ledger *l, int64_t gid)
{
    static const int looks[] = {STATEMENT_ROW_GET, STATEMENT_ALIAS_GET};
    bool found = false;

    if (ledger_is_news(l, gid))
        return false;
    for (size_t i = 0; i < COUNT_OF(looks) && !found; i++) {
        sqlite3_stmt *s = ledger_statement(l, looks[i]);

        sqlite3_bind_int64(s, 1, gid);
        found = sqlite3_step(s) == SQLITE_ROW;
        sqlite3_reset(s);
    }
    return found;
}

/* May this counter of ours be given to a row? */
static bool is_free(struct ledger *l, const struct row_key *counter)
{
    return counter->i != 0 && keymap_get(&l->mints, 0, counter) == 0 &&
           !is_minted(l, gid_pack((struct gid){l->self, (uint64_t)counter->i}));
}

uint64_t gid_counter(uint64_t wall_ms, int64_t mark)
{
    if (wall_ms == 0)
        return 0;
    /* A clock that is years behind tells as well as a right one when a row was made. */
    return ((wall_ms - GID_EPOCH_MS) << GID_MARK_BITS | ((uint64_t)mark & GID_MARK_MASK)) %
           (GID_COUNTER_MAX - GID_SPARE);
}

/* A ledger that went back must not give a gid again: counters follow the clock. And a mark that is
 * drained once more, maybe beside others than the first time, must make the same row: they follow
 * nothing else, as long as it is free. (A clock that is put back leads to some that may not be.) */
int64_t ledger_mint(struct ledger *l, uint64_t wall_ms, int64_t mark)
{
    struct row_key key = int_key((int64_t)gid_counter(wall_ms, mark));

    if (!is_free(l, &key)) /* behind the last one: one by one from here they would be very many */
        key.i = (int64_t)(l->minted > 0 ? l->minted + 1 : l->gid_next);
    while (!is_free(l, &key))
        key.i++;
    keymap_put(&l->mints, 0, &key, 1);
    if ((uint64_t)key.i > l->minted)
        l->minted = (uint64_t)key.i;
    l->gid_next = l->minted + 1;
    return gid_pack((struct gid){l->self, (uint64_t)key.i});
}

bool ledger_stands(struct ledger *l, int64_t gid, int64_t *stands, struct err *e)
{
    sqlite3_stmt *s;
    bool found;

    *stands = gid;
    if (!l->aliases)
        return true;
    s = ledger_statement(l, STATEMENT_ALIAS_GET);
    sqlite3_bind_int64(s, 1, gid);
    if (!look_up(l, s, &found, "look up a row", e))
        return false;
    *stands = found ? sqlite3_column_int64(s, 0) : gid;
    sqlite3_reset(s);
    return true;
}

static bool untold_add(struct ledger *l, int64_t gid, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_UNTOLD_ADD);

    sqlite3_bind_int64(s, 1, gid);
    return ledger_finish(l, s, "note where a row is", e);
}

/* One that we make: all of these are told. */
static bool is_above_told(const struct ledger *l, int64_t gid)
{
    struct gid g = gid_unpack(gid);

    return g.actor == l->self && g.counter > l->told_counter;
}

bool ledger_alias(struct ledger *l, int64_t gid, int64_t stands, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_ALIAS_PUT);

    meet(l, gid);
    l->aliases = true;
    sqlite3_bind_int64(s, 1, gid);
    sqlite3_bind_int64(s, 2, stands);
    if (!ledger_finish(l, s, "unite two rows", e))
        return false;
    return untold_add(l, gid, e) && untold_add(l, stands, e);
}

bool ledger_natural_get(struct ledger *l, uint32_t table, struct slice identity, int64_t *gid,
                        struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_NATURAL_GET);
    bool found;

    sqlite3_bind_int64(s, 1, table);
    ledger_bind_bytes(s, 2, identity);
    if (!look_up(l, s, &found, "look up a key", e))
        return false;
    *gid = found ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    return !found || ledger_stands(l, *gid, gid, e);
}

bool ledger_natural_put(struct ledger *l, uint32_t table, struct slice identity, int64_t gid,
                        struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_NATURAL_PUT);

    sqlite3_bind_int64(s, 1, table);
    ledger_bind_bytes(s, 2, identity);
    sqlite3_bind_int64(s, 3, gid);
    return ledger_finish(l, s, "note a key", e);
}

/* ---- tables ---- */

struct ledger_table *ledger_table_find(struct ledger *l, const char *name)
{
    struct ledger_table *t = ledger_table_named(l, slice_text(name));

    return t == NULL ? NULL : ledger_table_standing(l, t->id);
}

bool ledger_table(struct ledger *l, struct slice name, struct ledger_table **t, struct err *e)
{
    sqlite3_stmt *s;
    char *copy;

    *t = ledger_table_named(l, name);
    if (*t != NULL) {
        *t = ledger_table_standing(l, (*t)->id);
        return true;
    }
    if (l->table_count >= TABLES_MAX)
        return err_set(e, ERR_LIMIT, "more than %d tables", TABLES_MAX);
    s = ledger_statement(l, STATEMENT_TABLE_ADD);
    sqlite3_bind_int64(s, 1, (int64_t)l->table_count + 1);
    sqlite3_bind_text64(s, 2, (const char *)name.p, name.n, SQLITE_STATIC, SQLITE_UTF8);
    if (!ledger_finish(l, s, "add a table", e))
        return false;
    copy = mem_alloc(name.n + 1);
    memcpy(copy, name.p, name.n);
    l->tables = mem_grow(l->tables, (l->table_count + 1) * sizeof *l->tables);
    *t = &l->tables[l->table_count++];
    **t = (struct ledger_table){.id = l->table_count, .name = copy, .key_floor = INT64_MIN};
    return true;
}

bool ledger_column(struct ledger *l, struct ledger_table *t, struct slice name, uint32_t *position,
                   struct err *e)
{
    sqlite3_stmt *s;
    char *copy;

    for (uint32_t i = 0; i < t->column_count; i++)
        if (ledger_name_same(t->columns[i], name)) {
            *position = i;
            return true;
        }
    if (t->column_count >= 2 * COLUMNS_MAX)
        return err_set(e, ERR_LIMIT, "table %s has had more than %d columns", t->name,
                       2 * COLUMNS_MAX);
    s = ledger_statement(l, STATEMENT_COLUMN_ADD);
    sqlite3_bind_int64(s, 1, t->id);
    sqlite3_bind_int64(s, 2, t->column_count);
    sqlite3_bind_text64(s, 3, (const char *)name.p, name.n, SQLITE_STATIC, SQLITE_UTF8);
    if (!ledger_finish(l, s, "add a column", e))
        return false;
    copy = mem_alloc(name.n + 1);
    memcpy(copy, name.p, name.n);
    t->columns = mem_grow(t->columns, (t->column_count + 1) * sizeof *t->columns);
    t->columns[t->column_count] = copy;
    *position = t->column_count++;
    return true;
}

bool ledger_table_save(struct ledger *l, const struct ledger_table *t, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_TABLE_SAVE);

    sqlite3_bind_int64(s, 1, t->scan);
    sqlite3_bind_int64(s, 2, t->key_max);
    sqlite3_bind_int64(s, 3, t->repairs);
    sqlite3_bind_int64(s, 4, t->key_floor);
    sqlite3_bind_int64(s, 5, t->id);
    return ledger_finish(l, s, "note a table", e);
}

/* ---- rows ---- */

/* Of what is large only its length. */
static struct slice shown(const struct value *v)
{
    return v->type == VALUE_INT ? (struct slice){NULL, (size_t)v->i} : v->bytes;
}

void ledger_row_of(sqlite3_stmt *s, struct ledger_row *r)
{
    struct value key = value_of_column(s, 2), rec = value_of_column(s, 4),
                 shadow = value_of_column(s, 5);

    *r = (struct ledger_row){.gid = sqlite3_column_int64(s, 0),
                             .table = (uint32_t)sqlite3_column_int64(s, 1),
                             .present = sqlite3_column_int(s, 3) != 0,
                             .minted = rec.type == VALUE_NULL,
                             .differs = shadow.type != VALUE_NULL};
    if (key.type == VALUE_INT)
        r->key = (struct row_key){.kind = KEY_INT, .i = key.i};
    else if (key.type == VALUE_BLOB)
        r->key = (struct row_key){.kind = KEY_PACKED, .bytes = key.bytes};
    if (!r->minted)
        r->rec = shown(&rec);
    if (r->differs)
        r->shadow = shown(&shadow);
}

static bool row_get(struct ledger *l, int statement, int64_t gid, struct ledger_row *r, bool *found,
                    struct err *e)
{
    sqlite3_stmt *s;

    *found = false;
    if (ledger_is_news(l, gid))
        return true;
    s = ledger_statement(l, statement);
    sqlite3_bind_int64(s, 1, gid);
    if (!look_up(l, s, found, "read a row", e))
        return false;
    if (*found)
        ledger_row_of(s, r);
    return true;
}

bool ledger_row_get(struct ledger *l, int64_t gid, struct ledger_row *r, bool *found, struct err *e)
{
    return row_get(l, STATEMENT_ROW_GET, gid, r, found, e) &&
           (!*found || large_load_row(l, LENT_ROW, r, e));
}

bool ledger_head_get(struct ledger *l, int64_t gid, struct ledger_row *r, bool *found,
                     struct err *e)
{
    return row_get(l, STATEMENT_HEAD_GET, gid, r, found, e);
}

static bool row_by_key(struct ledger *l, int statement, uint32_t table, const struct row_key *key,
                       struct ledger_row *r, bool *found, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, statement);

    sqlite3_bind_int64(s, 1, table);
    bind_key(s, 2, key);
    if (!look_up(l, s, found, "look up a key", e))
        return false;
    if (*found)
        ledger_row_of(s, r);
    return true;
}

/* Two statements, and neither sorts: a sorter costs more than all the rest. */
bool ledger_row_by_key(struct ledger *l, uint32_t table, const struct row_key *key, bool any,
                       struct ledger_row *r, bool *found, struct err *e)
{
    enum large_lent lent = LENT_ROW_IN_FILE;
    bool ok = row_by_key(l, STATEMENT_ROW_IN_FILE, table, key, r, found, e);

    if (ok && !*found && any) {
        lent = LENT_ROW_LAST_HERE;
        ok = row_by_key(l, STATEMENT_ROW_LAST_HERE, table, key, r, found, e);
    }
    return ok && (!*found || large_load_row(l, lent, r, e));
}

bool ledger_head_by_key(struct ledger *l, uint32_t table, const struct row_key *key, bool any,
                        struct ledger_row *r, bool *found, struct err *e)
{
    return row_by_key(l, STATEMENT_HEAD_IN_FILE, table, key, r, found, e) &&
           (*found || !any || row_by_key(l, STATEMENT_HEAD_LAST_HERE, table, key, r, found, e));
}

static bool write_row(struct ledger *l, const struct ledger_row *r, bool known, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, known ? STATEMENT_ROW_PUT : STATEMENT_ROW_ADD);
    int at = known ? 0 : 1; /* UPDATE names the gid last */
    bool ok;

    sqlite3_bind_int64(s, known ? 6 : 1, r->gid);
    sqlite3_bind_int64(s, at + 1, r->table);
    bind_key(s, at + 2, &r->key);
    sqlite3_bind_int(s, at + 3, r->present);
    sqlite3_bind_int64(s, 7, l->point + 1);
    if (large_is_row(r)) {
        large_begin(l->db);
        ok = large_bind_row(s, at + 4, at + 5, r)
                 ? ledger_finish(l, s, "write a row", e) && large_store_row(l, r, e)
                 : ledger_err(l, "write a row", e);
        large_end(l->db);
        return ok;
    }
    if (r->minted)
        sqlite3_bind_null(s, at + 4);
    else
        ledger_bind_bytes(s, at + 4, r->rec);
    if (r->differs)
        ledger_bind_bytes(s, at + 5, r->shadow);
    else
        sqlite3_bind_null(s, at + 5);
    return ledger_finish(l, s, "write a row", e);
}

bool ledger_row_put(struct ledger *l, const struct ledger_row *r, bool known, bool was_present,
                    struct err *e)
{
    meet(l, r->gid);
    if (!write_row(l, r, known, e))
        return false;
    l->live += (int)r->present - (int)was_present;
    if (was_present || !r->present || (!known && is_above_told(l, r->gid)))
        return true;
    return untold_add(l, r->gid, e); /* it came back, or a clock was put back */
}

/* One that is large: all of it is written anew, without having it in memory. */
static bool settle_large(struct ledger *l, int64_t gid, const struct row_key *key, bool present,
                         struct slice shadow, struct err *e)
{
    struct ledger_row row;
    bool found;

    if (!ledger_row_get(l, gid, &row, &found, e) || !found)
        return e->code == ERR_NONE;
    if (key->kind != KEY_NONE)
        row.key = *key;
    row.present = present;
    row.differs = shadow.p != NULL;
    row.shadow = shadow;
    return write_row(l, &row, true, e);
}

bool ledger_row_settle(struct ledger *l, int64_t gid, const struct row_key *key, bool present,
                       bool was_present, struct slice shadow, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_ROW_SETTLE);

    bind_key(s, 1, key);
    sqlite3_bind_int(s, 2, present);
    if (shadow.p == NULL)
        sqlite3_bind_null(s, 3);
    else
        ledger_bind_bytes(s, 3, shadow);
    sqlite3_bind_int64(s, 4, gid);
    sqlite3_bind_int64(s, 5, l->point + 1);
    if (!ledger_finish(l, s, "settle a row", e) ||
        (sqlite3_changes(l->db) == 0 && !settle_large(l, gid, key, present, shadow, e)))
        return false;
    l->live += (int)present - (int)was_present;
    return true;
}

bool ledger_row_unplace(struct ledger *l, const struct ledger_row *r, bool was_present,
                        struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_ROW_UNPLACE);

    bind_key(s, 1, &r->key);
    sqlite3_bind_int64(s, 2, r->gid);
    if (!ledger_finish(l, s, "take a row out", e))
        return false;
    l->live -= was_present;
    return true;
}

bool ledger_row_wish(struct ledger *l, int64_t gid, int64_t key, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_ROW_WISH);

    sqlite3_bind_int64(s, 1, key);
    sqlite3_bind_int64(s, 2, gid);
    return ledger_finish(l, s, "note a key", e);
}

/* ---- due ---- */

static bool due_put(struct ledger *l, int64_t gid, uint64_t now_ms, const char *why, bool kept,
                    struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_DUE_PUT);

    sqlite3_bind_int64(s, 1, gid);
    sqlite3_bind_int64(s, 2, (int64_t)now_ms);
    if (why == NULL)
        sqlite3_bind_null(s, 3);
    else
        sqlite3_bind_text(s, 3, why, -1, SQLITE_STATIC);
    sqlite3_bind_int(s, 4, kept);
    return ledger_finish(l, s, "note a row that is due", e);
}

bool ledger_due_put(struct ledger *l, int64_t gid, uint64_t now_ms, const char *why, struct err *e)
{
    return due_put(l, gid, now_ms, why, false, e);
}

bool ledger_due_keep(struct ledger *l, int64_t gid, uint64_t now_ms, const char *why, struct err *e)
{
    return due_put(l, gid, now_ms, why, true, e);
}

bool ledger_due_remove(struct ledger *l, int64_t gid, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_DUE_REMOVE);

    sqlite3_bind_int64(s, 1, gid);
    return ledger_finish(l, s, "note a row that is done", e);
}
