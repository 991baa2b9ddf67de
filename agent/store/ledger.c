#include "ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <sqlite3.h>

#include "appdb.h"
#include "belief.h"
#include "ledger_lasting.h"
#include "ledger_conflict.h"
#include "ledger_kept.h"
#include "ledger_large.h"
#include "ledger_limits.h"
#include "ledger_meta.h"
#include "ledger_names.h"
#include "ledger_points.h"
#include "ledger_statements.h"
#include "schema_sql.h"

#define LEDGER_FORMAT 1
/* Pages in the WAL: then a commit puts them away; so many are left for later. */
#define WAL_FRAMES       2000
#define WAL_FRAMES_LARGE 4000

static const char *const statement_sql[] = {STATEMENTS(AS_TEXT)};

bool ledger_err(struct ledger *l, const char *doing, struct err *e)
{
    int code = sqlite3_extended_errcode(l->db);

    if ((code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB)
        return err_set(e, ERR_STORE,
                       "%s: %s is damaged (%s): stop the agent, move the file and those beside it "
                       "(-wal, -shm) away, and start the agent: it makes a new one, and compares "
                       "this PC's rows with another PC's before it sends anything",
                       doing, l->path, sqlite3_errmsg(l->db));
    sqlite_err(l->db, doing, e);
    return err_wrap(e, "%s", l->path);
}

/* ---- small facts ---- */

static bool meta_int(struct ledger *l, const char *name, int64_t *out, struct err *e)
{
    struct buf room;
    struct value v;

    buf_open(&room, 64);
    if (!ledger_meta_get(l, name, &v, &room, e))
        return false;
    *out = v.type == VALUE_INT ? v.i : 0;
    buf_close(&room);
    return true;
}

static bool meta_int_set(struct ledger *l, const char *name, int64_t i, struct err *e)
{
    return ledger_meta_set(l, name, &(struct value){.type = VALUE_INT, .i = i}, e);
}

static bool meta_blob(struct ledger *l, const char *name, uint8_t *out, size_t n, bool *found,
                      struct err *e)
{
    struct buf room;
    struct value v;

    buf_open(&room, 256);
    if (!ledger_meta_get(l, name, &v, &room, e))
        return false;
    *found = v.type == VALUE_BLOB && v.bytes.n == n;
    if (*found)
        memcpy(out, v.bytes.p, n);
    buf_close(&room);
    return true;
}

static bool meta_blob_set(struct ledger *l, const char *name, const void *p, size_t n,
                          struct err *e)
{
    return ledger_meta_set(l, name, &(struct value){.type = VALUE_BLOB, .bytes = {p, n}}, e);
}

static bool save_facts(struct ledger *l, struct err *e)
{
    double t = l->cursor_time, looked = l->looked_time;

    return meta_int_set(l, "clock", (int64_t)hlc_save(&l->clock), e) &&
           meta_int_set(l, "gid_next", (int64_t)l->gid_next, e) &&
           meta_int_set(l, "cursor", l->cursor, e) &&
           ledger_meta_set(l, "cursor_time", &(struct value){.type = VALUE_REAL, .r = t}, e) &&
           meta_int_set(l, "looked", l->looked, e) &&
           ledger_meta_set(l, "looked_time", &(struct value){.type = VALUE_REAL, .r = looked}, e) &&
           meta_int_set(l, "batch", l->batch, e) && meta_blob_set(l, "token", l->token, 16, e) &&
           meta_int_set(l, "outdated", l->outdated, e) &&
           meta_int_set(l, "matched", l->matched, e) && meta_int_set(l, "told", l->told, e) &&
           meta_int_set(l, "told_counter", (int64_t)l->told_counter, e) &&
           meta_int_set(l, "tellings", (int64_t)l->tellings, e) &&
           meta_int_set(l, "foreign", l->foreign, e);
}

/* The highest counter of every actor among rows and aliases. */
static bool load_counters(struct ledger *l, struct err *e)
{
    sqlite3_stmt *s = ledger_prepare(
        l,
        "SELECT max((SELECT coalesce(max(gid), 0) FROM row WHERE gid BETWEEN ?1 AND ?2),"
        " (SELECT coalesce(max(gid), 0) FROM alias WHERE gid BETWEEN ?1 AND ?2)),"
        " EXISTS(SELECT 1 FROM alias)",
        e);
    int code = SQLITE_ROW;

    if (s == NULL)
        return false;
    for (uint32_t i = 0; i < l->actor_count && code == SQLITE_ROW; i++) {
        sqlite3_bind_int64(s, 1, gid_pack((struct gid){i + 1, 0}));
        sqlite3_bind_int64(s, 2, gid_pack((struct gid){i + 1, GID_COUNTER_MAX - 1}));
        code = sqlite3_step(s);
        l->actors[i].counter_max = gid_unpack(sqlite3_column_int64(s, 0)).counter;
        l->aliases = sqlite3_column_int(s, 1) != 0;
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
    return code == SQLITE_ROW || ledger_err(l, "read the counters", e);
}

static void actors_forget(struct ledger *l)
{
    for (uint32_t i = 0; i < l->actor_count; i++) {
        free(l->actors[i].seen);
        free(l->actors[i].limits);
    }
    l->actor_count = 0;
}

static bool load_actors(struct ledger *l, struct err *e)
{
    sqlite3_stmt *s = ledger_prepare(
        l,
        "SELECT id, actor, staged, hash, merged, applied, said, waived, latest FROM actor"
        " ORDER BY id",
        e);
    int code;

    if (s == NULL)
        return false;
    actors_forget(l);
    l->have.n = l->applied.n = 0;
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        struct ledger_actor a = {.staged = (uint64_t)sqlite3_column_int64(s, 2),
                                 .merged = (uint64_t)sqlite3_column_int64(s, 4),
                                 .applied = (uint64_t)sqlite3_column_int64(s, 5),
                                 .said = (uint64_t)sqlite3_column_int64(s, 6),
                                 .waived = (uint64_t)sqlite3_column_int64(s, 7),
                                 .latest = (uint64_t)sqlite3_column_int64(s, 8)};

        if (sqlite3_column_int64(s, 0) != (int64_t)l->actor_count + 1 ||
            sqlite3_column_bytes(s, 1) != ACTOR_BYTES || l->actor_count >= ACTORS_MAX) {
            sqlite3_finalize(s);
            return err_set(e, ERR_STORE, "%s is damaged: its list of actors", l->path);
        }
        memcpy(a.actor.bytes, sqlite3_column_blob(s, 1), ACTOR_BYTES);
        if (sqlite3_column_bytes(s, 3) == HASH_BYTES)
            memcpy(a.hash, sqlite3_column_blob(s, 3), HASH_BYTES);
        if (l->actor_count == l->actor_room) {
            l->actor_room = l->actor_room == 0 ? 8 : l->actor_room * 2;
            l->actors = mem_grow(l->actors, l->actor_room * sizeof *l->actors);
        }
        l->actors[l->actor_count++] = a;
        if (a.applied > 0)
            vector_set(&l->applied, &a.actor, a.applied, NULL);
    }
    sqlite3_finalize(s);
    ledger_believe(l);
    return code == SQLITE_DONE ? load_counters(l, e) : ledger_err(l, "read the actors", e);
}

static void tables_free(struct ledger *l)
{
    for (uint32_t i = 0; i < l->table_count; i++) {
        for (uint32_t c = 0; c < l->tables[i].column_count; c++)
            free(l->tables[i].columns[c]);
        free(l->tables[i].columns);
        free(l->tables[i].name);
    }
    free(l->tables);
    l->tables = NULL;
    l->table_count = 0;
}

static void table_append(struct ledger *l, struct slice name, sqlite3_stmt *s)
{
    struct ledger_table *t;

    l->tables = mem_grow(l->tables, (l->table_count + 1) * sizeof *l->tables);
    t = &l->tables[l->table_count++];
    *t = (struct ledger_table){.id = l->table_count,
                               .scan = sqlite3_column_int(s, 1),
                               .key_max = sqlite3_column_int64(s, 2),
                               .repairs = sqlite3_column_int64(s, 3),
                               .key_floor = sqlite3_column_int64(s, 4)};
    t->name = mem_alloc(name.n + 1);
    memcpy(t->name, name.p, name.n);
}

static void column_append(struct ledger_table *t, struct slice name)
{
    char *copy = mem_alloc(name.n + 1);

    memcpy(copy, name.p, name.n);
    t->columns = mem_grow(t->columns, (t->column_count + 1) * sizeof *t->columns);
    t->columns[t->column_count++] = copy;
}

static bool load_tables(struct ledger *l, struct err *e)
{
    sqlite3_stmt *s;
    int code;

    tables_free(l);
    s = ledger_prepare(l, "SELECT name, scan, key_max, repairs, key_floor FROM tbl ORDER BY id", e);
    if (s == NULL)
        return false;
    while ((code = sqlite3_step(s)) == SQLITE_ROW)
        table_append(l, value_of_column(s, 0).bytes, s);
    sqlite3_finalize(s);
    if (code != SQLITE_DONE)
        return ledger_err(l, "read the tables", e);
    s = ledger_prepare(l, "SELECT tbl, name FROM col ORDER BY tbl, position", e);
    if (s == NULL)
        return false;
    while ((code = sqlite3_step(s)) == SQLITE_ROW)
        if (sqlite3_column_int64(s, 0) >= 1 && sqlite3_column_int64(s, 0) <= l->table_count)
            column_append(&l->tables[sqlite3_column_int64(s, 0) - 1], value_of_column(s, 1).bytes);
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? ledger_names_load(l, e) : ledger_err(l, "read the columns", e);
}

static bool load_facts(struct ledger *l, struct err *e)
{
    int64_t clock, outdated, gid_next, matched, self, aside, parted, told, told_counter, tellings,
        foreign;
    struct buf room;
    struct value v;
    bool found;

    if (!meta_int(l, "self", &self, e) || !meta_int(l, "foreign", &foreign, e))
        return false;
    l->self = (uint32_t)self;
    l->foreign = (uint32_t)foreign;
    if (!load_actors(l, e) || !ledger_seen_load(l, e) || !ledger_limits_load(l, e) ||
        !conflict_load(l, e) || !load_tables(l, e) || !meta_int(l, "clock", &clock, e) ||
        !meta_int(l, "outdated", &outdated, e) || !meta_int(l, "gid_next", &gid_next, e) ||
        !meta_int(l, "cursor", &l->cursor, e) || !meta_int(l, "looked", &l->looked, e) ||
        !meta_int(l, "batch", &l->batch, e) || !meta_blob(l, "token", l->token, 16, &found, e) ||
        !meta_int(l, "matched", &matched, e) || !meta_int(l, "aside", &aside, e) ||
        !meta_int(l, "parted", &parted, e) || !meta_int(l, "told", &told, e) ||
        !meta_int(l, "told_counter", &told_counter, e) || !meta_int(l, "tellings", &tellings, e) ||
        !meta_int(l, "synced", &l->syncs, e) || !ledger_holds_load(l, e) ||
        !ledger_number(l, "SELECT max(id) FROM point", &l->point, e))
        return false;
    buf_open(&room, 64);
    if (!ledger_meta_get(l, "cursor_time", &v, &room, e))
        return false;
    l->cursor_time = v.type == VALUE_REAL ? v.r : 0;
    if (!ledger_meta_get(l, "looked_time", &v, &room, e))
        return false;
    l->looked_time = v.type == VALUE_REAL ? v.r : 0;
    buf_close(&room);
    hlc_load(&l->clock, (uint64_t)clock);
    l->gid_next = (uint64_t)gid_next;
    l->outdated = outdated != 0;
    l->matched = matched != 0;
    l->told = told != 0;
    l->told_counter = (uint64_t)told_counter;
    l->tellings = (uint64_t)tellings;
    l->aside = (uint32_t)aside;
    l->parted = (uint64_t)parted;
    ledger_rest(l);
    return true;
}

/* ---- opening ---- */

static bool run(struct ledger *l, const char *sql, const char *doing, struct err *e)
{
    return sqlite3_exec(l->db, sql, NULL, NULL, NULL) == SQLITE_OK || ledger_err(l, doing, e);
}

static bool prepare_all(struct ledger *l, struct err *e)
{
    l->statements = mem_alloc(STATEMENT_COUNT * sizeof(sqlite3_stmt *));
    l->lent = mem_alloc(LENT_COUNT * sizeof *l->lent);
    for (int i = 0; i < STATEMENT_COUNT; i++)
        if (sqlite3_prepare_v3(l->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &l->statements[i], NULL) != SQLITE_OK)
            return ledger_err(l, "prepare the ledger", e);
    return true;
}

/* Wipe what belongs to another fleet, and begin as nobody knows us. */
static bool start_anew(struct ledger *l, const uint8_t *fleet, const struct site_id *site,
                       bool alone, struct err *e)
{
    if (!run(l,
             "DELETE FROM row; DELETE FROM due; DELETE FROM natural_key; DELETE FROM alias;"
             "DELETE FROM point; DELETE FROM placed; DELETE FROM fate; DELETE FROM lived;"
             "DELETE FROM conflict; DELETE FROM repair; DELETE FROM unsent; DELETE FROM part;"
             "DELETE FROM aside; DELETE FROM repeated; DELETE FROM correction;"
             "DELETE FROM inherited; DELETE FROM again; DELETE FROM owed;"
             "DELETE FROM changeset; DELETE FROM seen; DELETE FROM actor;"
             "DELETE FROM meta WHERE name IN ('aside', 'parted', 'known',"
             " 'copied', 'copied_point');"
             "UPDATE tbl SET scan = 1",
             "begin a fleet", e))
        return false;
    if (!load_facts(l, e) || !meta_blob_set(l, "fleet", fleet, FLEET_ID_BYTES, e))
        return false;
    memset(l->token, 0, sizeof l->token); /* of the file, too, nothing is known */
    l->batch = l->cursor = l->looked = 0;
    l->matched = alone;
    l->outdated = false;
    l->foreign = 0;
    l->gid_next = 1;
    return ledger_holds(l, NULL, e) && ledger_reincarnate(l, site, e);
}

static bool check_format(struct ledger *l, bool *fresh, struct err *e)
{
    int64_t tables, format;
    bool ok = true;

    if (!ledger_number(l, "SELECT count(*) FROM sqlite_schema", &tables, e))
        return false;
    *fresh = tables == 0;
    for (size_t i = 0; ok && *fresh && i < COUNT_OF(schema_sql); i++)
        ok = run(l, schema_sql[i], "create the ledger", e);
    if (!ok || *fresh)
        return ok;
    if (!ledger_number(l, "SELECT value FROM meta WHERE name = 'format'", &format, e))
        return false;
    if (format != LEDGER_FORMAT)
        return err_set(e, ERR_STORE,
                       "%s has format %lld, this program knows %d: update Navette on this PC",
                       l->path, (long long)format, LEDGER_FORMAT);
    return true;
}

static bool set_up(struct ledger *l, const uint8_t *fleet, const struct site_id *site, bool alone,
                   struct err *e)
{
    uint8_t known[FLEET_ID_BYTES];
    bool fresh, found;

    if (!run(l, "BEGIN IMMEDIATE", "open the ledger", e))
        return false;
    l->open = true;
    if (!check_format(l, &fresh, e) || !prepare_all(l, e) || !load_facts(l, e))
        return false;
    if (fresh && !meta_int_set(l, "format", LEDGER_FORMAT, e))
        return false;
    if (!meta_blob(l, "fleet", known, sizeof known, &found, e))
        return false;
    /* No roster, but a ledger that had one: that file was lost, and wiping what was not sent yet
     * would lose more. */
    if (found && sodium_is_zero(fleet, sizeof known) && !sodium_is_zero(known, sizeof known))
        return err_set(e, ERR_STORE,
                       "%s belongs to a fleet, but the file `roster` beside it is missing: put it "
                       "back from a copy of this home; without one, move this home away and join "
                       "again with the database as it is: `agent-cli init --db FILE --copy --join "
                       "TOKEN`",
                       l->path);
    if ((!found || memcmp(known, fleet, sizeof known) != 0) &&
        !start_anew(l, fleet, site, alone, e))
        return false;
    return ledger_number(l, "SELECT count(*) FROM row WHERE present = 1", &l->live, e) &&
           ledger_commit(l, e);
}

/* A process that died between writing a commit and syncing it left it to us, but not yet to whoever
 * opens the ledger after a power cut: a checkpoint syncs the log first. */
static bool make_durable(struct ledger *l, struct err *e)
{
    return sqlite3_wal_checkpoint_v2(l->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) ==
               SQLITE_OK ||
           ledger_err(l, "sync what an agent that died had committed", e);
}

/* A commit puts away a WAL of some 16 MB itself; a large one is somebody's who has time for it. */
static int on_commit(void *arg, struct sqlite3 *db, const char *name, int frames)
{
    struct ledger *l = arg;

    l->swollen = frames >= WAL_FRAMES_LARGE;
    if (frames >= WAL_FRAMES && !l->swollen)
        sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return SQLITE_OK; /* the commit stands, and the next one tries again */
}

bool ledger_open(struct ledger *l, const char *home, const char *vfs, bool exclusive,
                 const uint8_t fleet[FLEET_ID_BYTES], const struct site_id *site, bool alone,
                 struct err *e)
{
    size_t n = strlen(home) + sizeof "/ledger.db";

    *l = (struct ledger){.path = mem_alloc(n)};
    snprintf(l->path, n, "%s/ledger.db", home);
    if (sqlite3_open_v2(l->path, &l->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        vfs) != SQLITE_OK)
        return ledger_err(l, "open the ledger", e);
    sqlite3_busy_timeout(l->db, 0);
    if (exclusive && !run(l, "PRAGMA locking_mode = EXCLUSIVE", "lock the ledger", e))
        return false;
    if (!run(l,
             "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
             "PRAGMA cache_size = -65536; PRAGMA "
             "journal_size_limit = 16777216; PRAGMA temp_store = "
             "MEMORY; PRAGMA cell_size_check = ON",
             "open the ledger", e) ||
        !set_up(l, fleet, site, alone, e)) {
        if (e->code == ERR_BUSY) {
            err_clear(e);
            return err_set(e, ERR_REFUSED,
                           "%s is in use: another agent or command works on this home; stop "
                           "it first (`agent-cli stop`)",
                           l->path);
        }
        return false;
    }
    sqlite3_wal_hook(l->db, on_commit, l);
    return make_durable(l, e);
}

void ledger_close(struct ledger *l)
{
    struct err e = {0};

    if (!ledger_shrunk(l, &e) && l->db != NULL)
        sqlite3_db_config(l->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (l->statements != NULL)
        for (int i = 0; i < STATEMENT_COUNT; i++)
            sqlite3_finalize(l->statements[i]);
    free(l->statements);
    for (int i = 0; i < LENT_COUNT && l->lent != NULL; i++)
        large_close(&l->lent[i]);
    free(l->lent);
    ledger_kept_close(l);
    sqlite3_close_v2(l->db);
    tables_free(l);
    actors_forget(l);
    free(l->actors);
    free(l->conflicts.of_rows);
    free(l->path);
    vector_close(&l->have);
    vector_close(&l->applied);
    held_free(l->held);
    buf_close(&l->runs);
    keymap_close(&l->mints);
    *l = (struct ledger){0};
}

bool ledger_begin(struct ledger *l, bool lazy, struct err *e)
{
    if (l->lasting != NULL)
        ledger_rollback(l);
    if (!ledger_shrunk(l, e))
        return false;
    ledger_disturb(l);
    if (lazy != l->lazy &&
        !run(l, lazy ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL", "begin", e))
        return false;
    l->lazy = lazy;
    if (!run(l, "BEGIN IMMEDIATE", "begin", e))
        return false;
    l->open = true;
    l->minted = 0;
    keymap_close(&l->mints);
    l->mints = (struct keymap){0};
    l->live_before = l->live;
    return true;
}

void ledger_rest(struct ledger *l)
{
    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_reset(l->statements[i]);
    for (int i = 0; i < LENT_COUNT; i++)
        large_close(&l->lent[i]);
}

bool ledger_commit(struct ledger *l, struct err *e)
{
    if (!save_facts(l, e))
        return false;
    ledger_rest(l);
    if (!run(l, "COMMIT", "commit", e))
        return false;
    l->open = false;
    l->lasting = NULL;
    if (!l->lazy)
        l->unsynced = false;
    return true;
}

bool ledger_sync(struct ledger *l, struct err *e)
{
    if (!l->unsynced)
        return true;
    /* A commit that changes nothing writes and syncs nothing. */
    if (ledger_begin(l, false, e) && meta_int_set(l, "synced", ++l->syncs, e) &&
        ledger_commit(l, e))
        return true;
    ledger_rollback(l);
    return false;
}

void ledger_rollback(struct ledger *l)
{
    struct err e = {0};

    if (!l->open)
        return;
    ledger_rest(l);
    sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
    l->open = l->silent = false;
    l->lasting = NULL;
    l->live = l->live_before;
    l->run.last = 0;
    buf_clear(&l->runs);
    /* If even reading fails the next use of the ledger says so; memory may then be ahead of the
     * file, so no write may follow. */
    if (!load_facts(l, &e))
        l->gid_next = 0;
}

bool ledger_say_all(struct ledger *l, struct err *e)
{
    for (uint32_t i = 0; i < l->actor_count; i++) {
        l->actors[i].said = 0;
        if (!ledger_actor_save(l, i + 1, e))
            return false;
    }
    return true;
}

bool ledger_reincarnate(struct ledger *l, const struct site_id *site, struct err *e)
{
    struct actor a;

    memcpy(a.bytes, site->bytes, SITE_ID_BYTES);
    random_fill(a.bytes + SITE_ID_BYTES, ACTOR_BYTES - SITE_ID_BYTES);
    l->gid_next = 1;
    l->told = false;
    return ledger_say_all(l, e) && ledger_actor(l, &a, &l->self, e) &&
           meta_int_set(l, "self", l->self, e) && ledger_holds_as(l, e);
}
