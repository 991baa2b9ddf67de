/* Installing, checking and removing capture. Whatever is done here is one transaction, so that no
 * moment exists, not even after a crash, in which a trigger names a table that is missing. */
#include "capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <sqlite3.h>

static const struct {
    const char *name;
    const char *columns;
} own_tables[] = {
    {"_navette_table", "id INTEGER PRIMARY KEY, name TEXT UNIQUE, repairs INTEGER"},
    {"_navette_state", "id INTEGER PRIMARY KEY CHECK (id = 1), token BLOB, batch INTEGER,"
                       " previous BLOB, payload BLOB, fleet BLOB, point BLOB,"
                       " ledger TEXT"},
    {"_navette_placed", "id INTEGER PRIMARY KEY, rows BLOB"},
    {"_navette_dirty", "id INTEGER PRIMARY KEY, tbl, op, t REAL, k1, o1"},
};

static const char *const events[] = {
    [MARK_INSERT] = "insert", [MARK_UPDATE] = "update", [MARK_DELETE] = "delete"};
static const char *const verbs[] = {
    [MARK_INSERT] = "INSERT", [MARK_UPDATE] = "UPDATE", [MARK_DELETE] = "DELETE"};

/* Run the SQL that `sql` holds and free it. */
static bool run(struct appdb *a, sqlite3_str *sql, const char *doing, struct err *e)
{
    char *text = sqlite3_str_finish(sql);
    bool ok = sqlite3_exec(a->db, text, NULL, NULL, NULL) == SQLITE_OK;

    if (!ok)
        sqlite_err(a->db, doing, e);
    sqlite3_free(text);
    return ok;
}

static bool run_text(struct appdb *a, const char *text, const char *doing, struct err *e)
{
    if (sqlite3_exec(a->db, text, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_err(a->db, doing, e);
    return true;
}

/* ---- the text of a trigger ---- */

/* Has the key moved? Equal in the column's own eyes is not enough: 'a' and 'A' are one key to
 * NOCASE. */
static void append_same_key(sqlite3_str *sql, const struct app_table *t)
{
    for (uint32_t i = 0; i < t->key_count; i++) {
        const char *name = t->columns[t->keys[i]].name;

        sqlite3_str_appendf(sql, "%sOLD.\"%w\" %sIS NEW.\"%w\"", i == 0 ? "" : " AND ", name,
                            t->rowid_alias ? "" : "COLLATE BINARY ", name);
    }
}

/* In a column that keeps what it is given, 1 and 1.0 are equal and yet two keys; the old one is
 * then always noted, and marks_read drops it where the two are the same. */
static bool has_loose_key(const struct app_table *t)
{
    for (uint32_t i = 0; i < t->key_count; i++)
        if (t->columns[t->keys[i]].affinity == AFFINITY_BLOB)
            return true;
    return false;
}

static void append_old_key(sqlite3_str *sql, const struct app_table *t)
{
    bool loose = has_loose_key(t);

    for (uint32_t i = 0; i < t->key_count; i++) {
        const char *name = t->columns[t->keys[i]].name;

        if (loose) {
            sqlite3_str_appendf(sql, ", OLD.\"%w\"", name);
            continue;
        }
        sqlite3_str_appendall(sql, ", CASE WHEN ");
        append_same_key(sql, t);
        sqlite3_str_appendf(sql, " THEN NULL ELSE OLD.\"%w\" END", name);
    }
}

/* Exactly what SQLite keeps of it in sqlite_schema: capture_verify compares word for word. */
static char *trigger_sql(struct appdb *a, const struct app_table *t, int64_t number, int op)
{
    sqlite3_str *sql = sqlite3_str_new(a->db);

    sqlite3_str_appendf(sql,
                        "CREATE TRIGGER \"_navette_%lld_%s\" AFTER %s ON \"%w\" BEGIN"
                        " INSERT INTO _navette_dirty(tbl, op, t",
                        (long long)number, events[op], verbs[op], t->name);
    for (uint32_t i = 0; i < t->key_count; i++)
        sqlite3_str_appendf(sql, ", k%u", i + 1);
    for (uint32_t i = 0; i < t->key_count && op == MARK_UPDATE; i++)
        sqlite3_str_appendf(sql, ", o%u", i + 1);
    sqlite3_str_appendf(sql, ") VALUES (%lld, %d, julianday('now')", (long long)number, op);
    for (uint32_t i = 0; i < t->key_count; i++)
        sqlite3_str_appendf(sql, ", %s.\"%w\"", op == MARK_DELETE ? "OLD" : "NEW",
                            t->columns[t->keys[i]].name);
    if (op == MARK_UPDATE)
        append_old_key(sql, t);
    sqlite3_str_appendall(sql, "); END");
    return sqlite3_str_finish(sql);
}

static bool create_triggers(struct appdb *a, const struct app_table *t, int64_t number,
                            struct err *e)
{
    for (int op = MARK_INSERT; op <= MARK_DELETE; op++) {
        char *sql = trigger_sql(a, t, number, op);
        bool ok = run_text(a, sql, "create a trigger", e);

        sqlite3_free(sql);
        if (!ok)
            return err_wrap(e, "table %s", t->name);
    }
    return true;
}

static bool drop_triggers(struct appdb *a, int64_t number, struct err *e)
{
    for (int op = MARK_INSERT; op <= MARK_DELETE; op++) {
        sqlite3_str *sql = sqlite3_str_new(a->db);

        sqlite3_str_appendf(sql, "DROP TRIGGER IF EXISTS \"_navette_%lld_%s\"", (long long)number,
                            events[op]);
        if (!run(a, sql, "drop a trigger", e))
            return false;
    }
    return true;
}

/* ---- our tables ---- */

bool capture_owns(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(own_tables); i++)
        if (sqlite3_stricmp(name, own_tables[i].name) == 0)
            return true;
    return false;
}

/* Could it be mistaken for a table or a trigger of ours, or be in its way? */
static bool is_in_the_way(const char *name)
{
    return capture_owns(name) ||
           (sqlite3_strnicmp(name, "_navette_", 9) == 0 && name[9] >= '0' && name[9] <= '9');
}

static bool check_names_free(struct appdb *a, struct err *e)
{
    struct sqlite3_stmt *s = NULL;
    bool ok = true;
    int rc = SQLITE_DONE;

    if (a->installed)
        return true;
    if (!sqlite_prepare(a->db, &s, "SELECT type, name FROM sqlite_schema WHERE name IS NOT NULL",
                        e))
        return false;
    while (ok && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(s, 1);

        if (name != NULL && is_in_the_way(name))
            ok = err_set(e, ERR_REFUSED,
                         "the database already has a %s named %s; that name is needed for capture: "
                         "rename or drop it first",
                         (const char *)sqlite3_column_text(s, 0), name);
    }
    if (ok && rc != SQLITE_DONE)
        ok = sqlite_err(a->db, "read the schema", e);
    sqlite3_finalize(s);
    return ok;
}

static bool create_tables(struct appdb *a, struct err *e)
{
    uint8_t token[16];
    char hex[sizeof token * 2 + 1], fleet[FLEET_ID_BYTES * 2 + 1] = "";
    sqlite3_str *sql = sqlite3_str_new(a->db);

    randombytes_buf(token, sizeof token);
    hex_write(hex, SLICE(token));
    if (a->fleet != NULL)
        hex_write(fleet, (struct slice){a->fleet, FLEET_ID_BYTES});
    for (size_t i = 0; i < COUNT_OF(own_tables); i++)
        sqlite3_str_appendf(sql, "CREATE TABLE %s(%s);", own_tables[i].name, own_tables[i].columns);
    sqlite3_str_appendf(sql,
                        "INSERT INTO _navette_state(id, token, batch, previous, payload, fleet,"
                        " ledger) VALUES (1, x'%s', 0, NULL, NULL, x'%s', %Q)",
                        hex, fleet, a->ledger);
    if (!run(a, sql, "create our tables", e))
        return false;
    a->mark_width = 1;
    return true;
}

static bool widen_marks(struct appdb *a, uint32_t width, struct err *e)
{
    while (a->mark_width < width) {
        uint32_t i = a->mark_width + 1;
        sqlite3_str *sql = sqlite3_str_new(a->db);

        sqlite3_str_appendf(sql,
                            "ALTER TABLE _navette_dirty ADD COLUMN k%u;"
                            "ALTER TABLE _navette_dirty ADD COLUMN o%u",
                            i, i);
        if (!run(a, sql, "widen our table of marks", e))
            return false;
        a->mark_width = i;
    }
    return true;
}

/* ---- install ---- */

static bool register_table(struct appdb *a, const char *name, int64_t *number, struct err *e)
{
    struct sqlite3_stmt *s = NULL;
    bool ok;

    if (!sqlite_prepare(a->db, &s,
                        "INSERT INTO _navette_table(id, name, repairs) VALUES"
                        " (1 + (SELECT coalesce(max(id), 0) FROM _navette_table), :name, 0)",
                        e))
        return false;
    ok = sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC) == SQLITE_OK &&
         sqlite3_step(s) == SQLITE_DONE;
    if (ok)
        *number = sqlite3_last_insert_rowid(a->db);
    else
        sqlite_err(a->db, "register a table", e);
    sqlite3_finalize(s);
    return ok;
}

static bool find_table(struct appdb *a, const char *name, struct app_table **t, struct err *e)
{
    *t = appdb_table(a, name);
    if (*t == NULL)
        return err_set(e, ERR_REFUSED, "the database has no table %s", name);
    if ((*t)->refused != NULL)
        return err_set(e, ERR_REFUSED, "table %s cannot be tracked: %s", (*t)->name, (*t)->refused);
    return true;
}

static bool track(struct appdb *a, const char *name, struct err *e)
{
    struct app_table *t;
    int64_t number;

    if (!find_table(a, name, &t, e))
        return false;
    if (t->number != 0)
        return true;
    if (!widen_marks(a, t->key_count, e) || !register_table(a, t->name, &number, e) ||
        !create_triggers(a, t, number, e))
        return false;
    t->number = number; /* named twice is tracked once */
    return true;
}

static void rest(struct appdb *a)
{
    struct err ignored = {0}; /* more durable than needed does no harm */

    if (!appdb_durably(a, false, &ignored))
        err_clear(&ignored);
}

/* Roll back, and forget what was not to be. */
static bool undo(struct appdb *a)
{
    struct err ignored = {0};

    appdb_end(a);
    rest(a);
    if (!appdb_load_schema(a, true, NULL, &ignored))
        a->schema.version = -1; /* the next to ask reads it */
    return false;
}

/* What we changed is read back before it is committed: later the file might be busy. */
static bool finish(struct appdb *a, struct err *e)
{
    if (!appdb_load_schema(a, true, NULL, e) || !appdb_commit(a, e))
        return undo(a);
    rest(a);
    return true;
}

/* It is durable: a file from before, as a power cut could leave it, tells nothing of what has been
 * written since, and would be a stranger's. */
static bool begin(struct appdb *a, struct err *e)
{
    if (!appdb_durably(a, true, e) || !appdb_lock(a, e)) {
        rest(a);
        return false;
    }
    return appdb_load_schema(a, false, NULL, e) || undo(a);
}

bool capture_install(struct appdb *a, const char *const *names, uint32_t n, struct err *e)
{
    if (!begin(a, e))
        return false;
    if (!check_names_free(a, e) || (!a->installed && !create_tables(a, e)))
        return undo(a);
    for (uint32_t i = 0; i < n; i++)
        if (!track(a, names[i], e))
            return undo(a);
    return finish(a, e);
}

/* ---- remove ---- */

/* The last mark stays, for nobody: ids must not go back below the ledger's cursor. */
static bool remove_marks(struct appdb *a, int64_t number, struct err *e)
{
    sqlite3_str *sql = sqlite3_str_new(a->db);

    sqlite3_str_appendf(sql,
                        "DELETE FROM _navette_dirty WHERE tbl = %lld"
                        " AND id < (SELECT max(id) FROM _navette_dirty);"
                        "UPDATE _navette_dirty SET tbl = 0 WHERE tbl = %lld;"
                        "DELETE FROM _navette_table WHERE id = %lld",
                        (long long)number, (long long)number, (long long)number);
    return run(a, sql, "remove a table's marks", e);
}

/* By the registry, not the schema: the table may have vanished, or be refused by now. */
static bool registered_number(struct appdb *a, const char *name, int64_t *number, struct err *e)
{
    struct sqlite3_stmt *s = NULL;
    int rc = SQLITE_DONE;

    if (a->installed) {
        if (!sqlite_prepare(a->db, &s,
                            "SELECT id FROM _navette_table WHERE name = :name COLLATE NOCASE", e))
            return false;
        rc = sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
        rc = rc == SQLITE_OK ? sqlite3_step(s) : rc;
    }
    if (rc == SQLITE_ROW)
        *number = sqlite3_column_int64(s, 0);
    else if (rc == SQLITE_DONE)
        err_set(e, ERR_REFUSED, "table %s is not tracked", name);
    else
        sqlite_err(a->db, "look up a table", e);
    sqlite3_finalize(s);
    return rc == SQLITE_ROW;
}

bool capture_remove(struct appdb *a, const char *const *names, uint32_t n, struct err *e)
{
    int64_t number;

    if (!begin(a, e))
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (!registered_number(a, names[i], &number, e) || !drop_triggers(a, number, e) ||
            !remove_marks(a, number, e))
            return undo(a);
    return finish(a, e);
}

bool capture_uninstall(struct appdb *a, struct err *e)
{
    struct sqlite3_stmt *s = NULL;
    sqlite3_str *sql;
    int rc;

    if (!begin(a, e))
        return false;
    if (!a->installed)
        return finish(a, e);
    if (!sqlite_prepare(a->db, &s,
                        "SELECT name FROM sqlite_schema WHERE type = 'trigger'"
                        " AND name GLOB '_navette_[0-9]*_*'",
                        e))
        return undo(a);
    sql = sqlite3_str_new(a->db);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        sqlite3_str_appendf(sql, "DROP TRIGGER \"%w\";", (const char *)sqlite3_column_text(s, 0));
    if (rc != SQLITE_DONE)
        sqlite_err(a->db, "read the schema", e);
    sqlite3_finalize(s);
    for (size_t i = 0; i < COUNT_OF(own_tables); i++)
        sqlite3_str_appendf(sql, "DROP TABLE %s;", own_tables[i].name);
    if (rc != SQLITE_DONE) {
        sqlite3_free(sqlite3_str_finish(sql));
        return undo(a);
    }
    appdb_forget_marks(a);
    return run(a, sql, "remove capture", e) ? finish(a, e) : undo(a);
}

bool capture_rename(struct appdb *a, const char *name, const char *now, struct err *e)
{
    sqlite3_str *sql;

    if (!begin(a, e))
        return false;
    sql = sqlite3_str_new(a->db);
    sqlite3_str_appendf(sql, "UPDATE _navette_table SET name = %Q WHERE name = %Q", now, name);
    return run(a, sql, "follow a renamed table", e) ? finish(a, e) : undo(a);
}

/* ---- verify ---- */

enum { ALL_INTACT = 1 << MARK_INSERT | 1 << MARK_UPDATE | 1 << MARK_DELETE };

/* Triggers of another number on a table that has none. */
struct guests {
    int64_t number;
    uint8_t intact;
};

struct inspection {
    struct appdb *a;
    uint8_t *intact; /* per table of the schema: bits of its triggers that are as they should be */
    struct guests *guests; /* likewise */
    sqlite3_str *moves;    /* what brings the registry after renamed tables */
};

static bool parse_trigger_name(const char *name, int64_t *number, int *op)
{
    char event[8];
    long long n;

    if (sscanf(name, "_navette_%18lld_%7s", &n, event) != 2 || n <= 0)
        return false;
    for (*op = MARK_INSERT; *op <= MARK_DELETE; ++*op)
        if (strcmp(event, events[*op]) == 0)
            break;
    *number = n;
    return *op <= MARK_DELETE;
}

/* A table that the application renamed took its triggers along, and SQLite rewrote them: they tell
 * its new name. */
static void move_registry(struct inspection *x, const struct app_table *t, int64_t number)
{
    sqlite3_str_appendf(x->moves, "UPDATE OR IGNORE _navette_table SET name = %Q WHERE id = %lld;",
                        t->name, (long long)number);
}

static bool is_intact(struct inspection *x, const struct app_table *t, int64_t number, int op,
                      const char *sql)
{
    char *expected = trigger_sql(x->a, t, number, op);
    bool same = strcmp(expected, sql) == 0;

    sqlite3_free(expected);
    return same;
}

static void inspect_trigger(struct inspection *x, const char *name, const char *table,
                            const char *sql)
{
    struct app_table *t;
    struct app_table *now;
    int64_t number;
    bool free_to;
    int op;

    if (!parse_trigger_name(name, &number, &op))
        return;
    t = appdb_table_numbered(x->a, number);
    now = appdb_table(x->a, table);
    free_to = now != NULL && now->number == 0 && !now->local && now->refused == NULL;
    if (t == NULL && free_to && op == MARK_INSERT)
        move_registry(x, now, number);
    if (t == NULL || now == NULL)
        return;
    if (t == now && is_intact(x, t, number, op, sql)) {
        x->intact[t - x->a->schema.tables] |= (uint8_t)(1 << op);
    } else if (t != now && free_to && is_intact(x, now, number, op, sql)) {
        struct guests *g = &x->guests[now - x->a->schema.tables];

        g->intact |= (uint8_t)(1 << op);
        g->number = number;
    }
}

/* The old name has been given to a table that is another one: all three have gone along all the
 * same. */
static void follow_guests(struct inspection *x)
{
    for (uint32_t i = 0; i < x->a->schema.n; i++)
        if (x->guests[i].intact == ALL_INTACT)
            move_registry(x, &x->a->schema.tables[i], x->guests[i].number);
}

static const char *text_of(struct sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);

    return text == NULL ? "" : text;
}

static bool inspect(struct inspection *x, struct err *e)
{
    struct sqlite3_stmt *s = NULL;
    int rc;

    free(x->intact);
    free(x->guests);
    x->intact = mem_alloc(x->a->schema.n);
    x->guests = mem_alloc((x->a->schema.n + 1) * sizeof *x->guests);
    sqlite3_str_reset(x->moves);
    if (!sqlite_prepare(x->a->db, &s,
                        "SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger'"
                        " AND name GLOB '_navette_[0-9]*_*'",
                        e))
        return false;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        inspect_trigger(x, text_of(s, 0), text_of(s, 1), text_of(s, 2));
    if (rc != SQLITE_DONE)
        sqlite_err(x->a->db, "read the schema", e);
    sqlite3_finalize(s);
    follow_guests(x);
    return rc == SQLITE_DONE;
}

static bool is_sound(const struct inspection *x)
{
    for (uint32_t i = 0; i < x->a->schema.n; i++)
        if (x->a->schema.tables[i].number != 0 && x->intact[i] != ALL_INTACT)
            return false;
    return sqlite3_str_length(x->moves) == 0;
}

static bool repair_table(struct appdb *a, const struct app_table *t, struct err *e)
{
    sqlite3_str *sql;

    if (!widen_marks(a, t->key_count, e) || !drop_triggers(a, t->number, e) ||
        !create_triggers(a, t, t->number, e))
        return false;
    sql = sqlite3_str_new(a->db);
    sqlite3_str_appendf(sql, "UPDATE _navette_table SET repairs = repairs + 1 WHERE id = %lld",
                        (long long)t->number);
    return run(a, sql, "count a repair", e);
}

/* Under the write lock: look again, follow renames, put back. */
static bool repair(struct inspection *x, uint32_t *list, uint32_t *n, struct err *e)
{
    struct appdb *a = x->a;

    if (!inspect(x, e))
        return false;
    if (sqlite3_str_length(x->moves) > 0) {
        if (!run_text(a, sqlite3_str_value(x->moves), "follow a renamed table", e) ||
            !appdb_load_schema(a, true, NULL, e) || !inspect(x, e))
            return false;
    }
    for (uint32_t i = 0; i < a->schema.n; i++) {
        if (a->schema.tables[i].number == 0 || x->intact[i] == ALL_INTACT)
            continue;
        if (!repair_table(a, &a->schema.tables[i], e))
            return false;
        list[(*n)++] = i;
    }
    return true;
}

static bool inspect_quietly(struct inspection *x, struct err *e)
{
    bool ok;

    if (!appdb_read(x->a, e))
        return false;
    ok = appdb_load_schema(x->a, false, NULL, e) && (!x->a->installed || inspect(x, e));
    appdb_end(x->a);
    return ok;
}

bool capture_verify(struct appdb *a, uint32_t **repaired, uint32_t *n_repaired, struct err *e)
{
    struct inspection x = {.a = a, .moves = sqlite3_str_new(NULL)};
    uint32_t *list = NULL;
    uint32_t n = 0;
    bool ok = inspect_quietly(&x, e);

    if (ok && a->installed && !is_sound(&x)) {
        ok = begin(a, e);
        if (ok) {
            list = mem_alloc(a->schema.n * sizeof *list);
            ok = repair(&x, list, &n, e) ? finish(a, e) : undo(a);
        }
    }
    free(x.intact);
    free(x.guests);
    sqlite3_free(sqlite3_str_finish(x.moves));
    if (ok && repaired != NULL) {
        *repaired = list;
        *n_repaired = n;
        return true;
    }
    free(list);
    return ok;
}
