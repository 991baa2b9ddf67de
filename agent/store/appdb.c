/* The connection to the application's file. Everything here is polite: it creates nothing, waits
 * for nothing, changes no setting that another process could see, and never runs the application's
 * triggers or cascades. */
#include "appdb.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

/* BEGIN EXCLUSIVE is BEGIN IMMEDIATE in WAL mode; in rollback mode it keeps new readers out until
 * our commit, so that the commit needs to wait for nobody. */
#define STATEMENTS(X)                                                                              \
    X(BEGIN_READ, "BEGIN")                                                                         \
    X(BEGIN_WRITE, "BEGIN EXCLUSIVE")                                                              \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(SCHEMA_VERSION, "PRAGMA schema_version")                                                     \
    X(APPLICATION_ID, "PRAGMA application_id")                                                     \
    X(DATA_VERSION, "PRAGMA data_version")                                                         \
    X(JOURNAL_MODE, "PRAGMA journal_mode")                                                         \
    X(ENCODING, "PRAGMA encoding")

#define AUTOCHECKPOINT_PAGES  1000       /* SQLite's default */
#define LEDGER_APPLICATION_ID 1315010164 /* schema.sql */

#define AS_NAME(name, sql) name,
#define AS_TEXT(name, sql) sql,
enum { STATEMENTS(AS_NAME) STATEMENT_COUNT };
static const char *const statement_sql[] = {STATEMENTS(AS_TEXT)};
_Static_assert((int)STATEMENT_COUNT <= (int)APPDB_SCHEMA, "appdb.c has outgrown its places");

bool sqlite_err(struct sqlite3 *db, const char *doing, struct err *e)
{
    enum err_code code = ERR_STORE;

    switch (sqlite3_errcode(db) & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        code = ERR_BUSY;
        break;
    case SQLITE_FULL:
        code = ERR_FULL;
        break;
    case SQLITE_READONLY:
        return err_set(e, code,
                       "%s: the file or its directory may not be written by this user: give the "
                       "agent's user the right to",
                       doing);
    case SQLITE_IOERR:
        code = sqlite3_system_errno(db) == ENOSPC ? ERR_FULL : ERR_STORE;
        break;
    }
    return err_set(e, code, "%s: %s", doing, sqlite3_errmsg(db));
}

bool sqlite_prepare(struct sqlite3 *db, struct sqlite3_stmt **s, const char *sql, struct err *e)
{
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, s, NULL) != SQLITE_OK)
        return sqlite_err(db, "prepare a statement", e);
    return true;
}

bool appdb_statement(struct appdb *a, uint32_t place, const char *sql, struct sqlite3_stmt **s,
                     struct err *e)
{
    assert(place < APPDB_STATEMENTS);
    if (a->statements[place] == NULL && !sqlite_prepare(a->db, &a->statements[place], sql, e))
        return false;
    *s = a->statements[place];
    return true;
}

bool appdb_run(struct appdb *a, struct sqlite3_stmt *s, const char *doing, struct err *e)
{
    bool ok = sqlite3_step(s) == SQLITE_DONE;

    if (!ok)
        sqlite_err(a->db, doing, e);
    sqlite3_reset(s);
    return ok;
}

static bool run(struct appdb *a, int which, const char *doing, struct err *e)
{
    struct sqlite3_stmt *s;

    if (!appdb_statement(a, (uint32_t)which, statement_sql[which], &s, e))
        return false;
    return appdb_run(a, s, doing, e);
}

static bool read_integer(struct appdb *a, int which, int64_t *value, struct err *e)
{
    struct sqlite3_stmt *s;
    bool ok;

    if (!appdb_statement(a, (uint32_t)which, statement_sql[which], &s, e))
        return false;
    ok = sqlite3_step(s) == SQLITE_ROW;
    if (ok)
        *value = sqlite3_column_int64(s, 0);
    else
        sqlite_err(a->db, "read the database's header", e);
    sqlite3_reset(s);
    return ok;
}

bool appdb_schema_version(struct appdb *a, int64_t *version, struct err *e)
{
    return read_integer(a, SCHEMA_VERSION, version, e);
}

bool appdb_same_schema(struct appdb *a, struct err *e)
{
    int64_t version;

    if (!appdb_schema_version(a, &version, e))
        return false;
    return version == a->schema.version ||
           err_set(e, ERR_BUSY, "the application is changing its schema");
}

/* The application may turn WAL on or off while we are connected. */
static bool read_journal_mode(struct appdb *a, struct err *e)
{
    struct sqlite3_stmt *s;
    bool ok;

    if (!appdb_statement(a, JOURNAL_MODE, statement_sql[JOURNAL_MODE], &s, e))
        return false;
    ok = sqlite3_step(s) == SQLITE_ROW;
    if (ok) {
        const char *mode = (const char *)sqlite3_column_text(s, 0);

        sqlite3_snprintf(sizeof a->journal_mode, a->journal_mode, "%s", mode == NULL ? "" : mode);
        a->wal = strcmp(a->journal_mode, "wal") == 0;
    } else {
        sqlite_err(a->db, "read the journal mode", e);
    }
    sqlite3_reset(s);
    return ok;
}

static bool read_encoding(struct appdb *a, struct err *e)
{
    struct sqlite3_stmt *s;
    const char *name;
    bool ok;

    if (!appdb_statement(a, ENCODING, statement_sql[ENCODING], &s, e))
        return false;
    ok = sqlite3_step(s) == SQLITE_ROW;
    name = ok ? (const char *)sqlite3_column_text(s, 0) : NULL;
    a->utf16 = name != NULL && strcmp(name, "UTF-8") != 0;
    if (!ok)
        sqlite_err(a->db, "read the encoding", e);
    sqlite3_reset(s);
    return ok;
}

/* In WAL mode a commit of ours need not reach the disk at once: the store can project it again. In
 * rollback mode anything less could damage the file. */
static bool set_synchronous(struct appdb *a, struct err *e)
{
    const char *sql = a->durably ? "PRAGMA synchronous = EXTRA"
                      : a->wal   ? "PRAGMA synchronous = NORMAL"
                                 : "PRAGMA synchronous = FULL";

    if (sqlite3_exec(a->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_err(a->db, "set synchronous", e);
    return true;
}

static bool refresh_journal_mode(struct appdb *a, struct err *e)
{
    bool wal = a->wal;

    if (!read_journal_mode(a, e))
        return false;
    return wal == a->wal || sqlite3_get_autocommit(a->db) == 0 || set_synchronous(a, e);
}

bool appdb_durably(struct appdb *a, bool durably, struct err *e)
{
    assert(sqlite3_get_autocommit(a->db) != 0);
    a->durably = durably;
    return set_synchronous(a, e);
}

bool appdb_read(struct appdb *a, struct err *e)
{
    int64_t version;

    assert(sqlite3_get_autocommit(a->db) != 0);
    if (!run(a, BEGIN_READ, "begin to read the database", e))
        return false;
    /* BEGIN alone takes no snapshot; the first read does. */
    if (!read_integer(a, SCHEMA_VERSION, &version, e)) {
        appdb_end(a);
        return false;
    }
    return true;
}

bool appdb_lock(struct appdb *a, struct err *e)
{
    assert(sqlite3_get_autocommit(a->db) != 0);
    return refresh_journal_mode(a, e) && run(a, BEGIN_WRITE, "lock the database", e);
}

/* Of the locks in the WAL's shared memory a reader holds one of five for as long as its transaction
 * lasts: see "WAL locks" in SQLite's walformat.html. Whoever can have all five alone, for a moment,
 * knows that nobody reads. */
enum { WAL_READ_LOCK = 3, WAL_READ_LOCKS = 5, PROBES = 200 };

static bool nobody_reads(sqlite3_file *file)
{
    const sqlite3_io_methods *m = file->pMethods;
    int rc =
        m->xShmLock(file, WAL_READ_LOCK, WAL_READ_LOCKS, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);

    if (rc == SQLITE_OK)
        rc = m->xShmLock(file, WAL_READ_LOCK, WAL_READ_LOCKS,
                         SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    return rc != SQLITE_BUSY;
}

/* Is somebody in a transaction that lasts? One look would also find who reads a row and is done: a
 * few in a row do not. */
static bool somebody_reads(struct appdb *a)
{
    sqlite3_file *file = NULL;

    if (!a->wal ||
        sqlite3_file_control(a->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
        file == NULL || file->pMethods == NULL || file->pMethods->iVersion < 2)
        return false;
    for (int i = 0; i < PROBES; i++)
        if (nobody_reads(file))
            return false;
    return true;
}

bool appdb_lock_quietly(struct appdb *a, struct err *e)
{
    int64_t version;

    /* The first read after an idle time makes sure that the shared memory is there. */
    if (a->readers_met < READERS_AWAITED && read_integer(a, DATA_VERSION, &version, e) &&
        somebody_reads(a)) {
        a->readers_met++;
        return err_set(e, ERR_BUSY, "the application is in the middle of a transaction");
    }
    if (e->code != ERR_NONE || !appdb_lock(a, e))
        return false;
    a->readers_met = 0;
    return true;
}

bool appdb_commit(struct appdb *a, struct err *e)
{
    assert(sqlite3_get_autocommit(a->db) == 0);
    if (run(a, COMMIT, "commit to the database", e))
        return true;
    appdb_end(a);
    return false;
}

bool appdb_commit_large(struct appdb *a, struct err *e)
{
    bool ok;

    sqlite3_wal_autocheckpoint(a->db, 0);
    ok = appdb_commit(a, e);
    sqlite3_wal_autocheckpoint(a->db, AUTOCHECKPOINT_PAGES);
    a->swollen |= ok && a->wal;
    return ok;
}

/* Its two waits for the disk are a call each. What fails here the next commit does, whose ever. */
bool appdb_shrink(struct appdb *a)
{
    sqlite3_file *log = NULL;

    if (!a->swollen)
        return false;
    if (!a->log_synced &&
        sqlite3_file_control(a->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK &&
        log != NULL && log->pMethods != NULL) {
        a->log_synced = true;
        log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
        return true;
    }
    a->swollen = a->log_synced = false;
    sqlite3_wal_checkpoint_v2(a->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return true;
}

void appdb_end(struct appdb *a)
{
    struct err ignored = {0};

    if (a->db == NULL || sqlite3_get_autocommit(a->db) != 0)
        return;
    /* ROLLBACK cannot fail in a way that leaves the transaction open: if it cannot undo, the next
     * opener does. */
    if (!run(a, ROLLBACK, "roll back", &ignored))
        assert(sqlite3_get_autocommit(a->db) != 0);
}

bool appdb_changed(struct appdb *a, bool *changed, struct err *e)
{
    int64_t version;

    if (!read_integer(a, DATA_VERSION, &version, e))
        return false;
    *changed = version != a->data_version;
    a->data_version = version;
    return true;
}

struct value value_of_column(struct sqlite3_stmt *s, int column)
{
    struct value v = {.type = VALUE_NULL};

    switch (sqlite3_column_type(s, column)) {
    case SQLITE_INTEGER:
        v.type = VALUE_INT;
        v.i = sqlite3_column_int64(s, column);
        break;
    case SQLITE_FLOAT:
        v.type = VALUE_REAL;
        v.r = sqlite3_column_double(s, column);
        break;
    case SQLITE_TEXT:
        v.type = VALUE_TEXT;
        v.bytes.p = sqlite3_column_text(s, column);
        v.bytes.n = (size_t)sqlite3_column_bytes(s, column);
        break;
    case SQLITE_BLOB:
        v.type = VALUE_BLOB;
        v.bytes.p = sqlite3_column_blob(s, column);
        v.bytes.n = (size_t)sqlite3_column_bytes(s, column);
        break;
    }
    return v;
}

/* A NULL pointer would bind NULL instead of an empty text or blob. */
static const void *bytes_or_empty(struct slice s)
{
    return s.n == 0 ? (const void *)"" : (const void *)s.p;
}

bool value_bind(struct sqlite3_stmt *s, int parameter, const struct value *v)
{
    int rc = SQLITE_MISUSE;

    switch (v->type) {
    case VALUE_NULL:
        rc = sqlite3_bind_null(s, parameter);
        break;
    case VALUE_INT:
        rc = sqlite3_bind_int64(s, parameter, v->i);
        break;
    case VALUE_REAL:
        rc = sqlite3_bind_double(s, parameter, v->r);
        break;
    case VALUE_TEXT:
        rc = sqlite3_bind_text64(s, parameter, bytes_or_empty(v->bytes), v->bytes.n, SQLITE_STATIC,
                                 SQLITE_UTF8);
        break;
    case VALUE_BLOB:
        rc = sqlite3_bind_blob64(s, parameter, bytes_or_empty(v->bytes), v->bytes.n, SQLITE_STATIC);
        break;
    case VALUE_REF:
        assert(v->type != VALUE_REF);
        break;
    }
    return rc == SQLITE_OK;
}

/* Why the file could not be opened, in words that tell what to do. */
static bool open_failed(struct sqlite3 *db, const char *path, const char *vfs, struct err *e)
{
    sqlite3_vfs *v = sqlite3_vfs_find(vfs);
    int there = 1;

    switch (sqlite3_system_errno(db)) {
    case ENOENT:
    case ENOTDIR:
        there = 0;
        break;
    case EISDIR:
        return err_set(e, ERR_REFUSED, "%s is a directory: name the database file in it", path);
    case EACCES:
    case EPERM:
        return err_set(e, ERR_STORE,
                       "%s may not be opened by this user: give the agent's user the right to read "
                       "and write it",
                       path);
    default:
        if (v != NULL && v->xAccess(v, path, SQLITE_ACCESS_EXISTS, &there) != SQLITE_OK)
            there = 1;
    }
    if (there == 0)
        return err_set(e, ERR_STORE, "there is no file %s: check the path", path);
    sqlite_err(db, "open", e);
    return err_wrap(e, "database %s", path);
}

/* Bytes 18 and 19 of the file: the format versions needed to write and to read it; SQLite 3.40
 * knows 1 and 2. */
static bool is_too_new(struct sqlite3 *db)
{
    static const char magic[16] = "SQLite format 3";
    uint8_t header[20];
    sqlite3_file *file = NULL;

    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK)
        return false;
    if (file == NULL || file->pMethods == NULL)
        return false;
    if (file->pMethods->xRead(file, header, sizeof header, 0) != SQLITE_OK)
        return false;
    return memcmp(header, magic, sizeof magic) == 0 && (header[18] > 2 || header[19] > 2);
}

/* SQLite opens without looking; the first read tells what the file is. */
static bool check_file(struct appdb *a, struct err *e)
{
    if (sqlite3_exec(a->db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) == SQLITE_OK &&
        !is_too_new(a->db)) {
        if (sqlite3_db_readonly(a->db, "main") == 0)
            return true;
        return err_set(e, ERR_STORE,
                       "%s may not be written by this user: give the agent's user the right to "
                       "write it",
                       a->path);
    }
    if (is_too_new(a->db))
        return err_set(e, ERR_REFUSED, "%s was written by a newer SQLite than %s", a->path,
                       sqlite3_libversion());
    if ((sqlite3_errcode(a->db) & 0xff) == SQLITE_NOTADB)
        return err_set(e, ERR_REFUSED, "%s is not an SQLite database, or it is encrypted", a->path);
    if ((sqlite3_errcode(a->db) & 0xff) == SQLITE_CORRUPT)
        return err_set(e, ERR_STORE, "%s is damaged (%s): restore it from a backup", a->path,
                       sqlite3_errmsg(a->db));
    sqlite_err(a->db, "read", e);
    return err_wrap(e, "database %s", a->path);
}

/* Somebody named the agent's own file: it would share its book-keeping with the fleet. */
static bool check_owner(struct appdb *a, struct err *e)
{
    int64_t id;

    if (!read_integer(a, APPLICATION_ID, &id, e))
        return false;
    return id != LEDGER_APPLICATION_ID ||
           err_set(e, ERR_REFUSED,
                   "%s is the ledger of a Navette home: name the application's SQLite file",
                   a->path);
}

/* Journals are created beside the file. Only asked of the system's own VFS: others may know no
 * directories. */
static bool check_directory(const struct appdb *a, const char *vfs, struct err *e)
{
    sqlite3_vfs *v = sqlite3_vfs_find(NULL);
    char *directory;
    char *slash;
    int writable = 1;

    if (vfs != NULL || v == NULL)
        return true;
    directory = mem_text(a->path);
    slash = strrchr(directory, '/');
    if (slash == NULL)
        memcpy(directory, ".", sizeof ".");
    else
        slash[slash == directory ? 1 : 0] = '\0';
    if (v->xAccess(v, directory, SQLITE_ACCESS_READWRITE, &writable) != SQLITE_OK)
        writable = 1;
    if (writable == 0)
        err_set(e, ERR_STORE,
                "the directory %s may not be written by this user: SQLite keeps its journal there, "
                "beside the database",
                directory);
    free(directory);
    return writable != 0;
}

/* No echo, no second run of the application's triggers and cascades, no wait; and a column that
 * vanished is an error, not a text ("name" is a string literal where no such column is). */
static bool configure(struct appdb *a, struct err *e)
{
    static const struct {
        int option;
        int value;
    } settings[] = {
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        {SQLITE_DBCONFIG_ENABLE_FKEY, 0},
        {SQLITE_DBCONFIG_DQS_DML, 0},
    };

    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        int now = !settings[i].value;

        if (sqlite3_db_config(a->db, settings[i].option, settings[i].value, &now) != SQLITE_OK ||
            now != settings[i].value)
            return err_set(e, ERR_STORE, "this SQLite (%s) cannot set option %d",
                           sqlite3_libversion(), settings[i].option);
    }
    sqlite3_extended_result_codes(a->db, 1);
    sqlite3_busy_timeout(a->db, 0);
    return true;
}

static bool open_connection(struct appdb *a, const char *vfs, struct err *e)
{
    int rc = sqlite3_open_v2(a->path, &a->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, vfs);

    if (a->db == NULL)
        return err_set(e, ERR_STORE, "open %s: %s", a->path, sqlite3_errstr(rc));
    if (rc != SQLITE_OK)
        return open_failed(a->db, a->path, vfs, e);
    return configure(a, e) && check_file(a, e) && check_owner(a, e) && check_directory(a, vfs, e) &&
           read_journal_mode(a, e) && read_encoding(a, e) && set_synchronous(a, e) &&
           read_integer(a, DATA_VERSION, &a->data_version, e);
}

bool appdb_connect(struct appdb *a, const char *path, const char *vfs, struct err *e)
{
    *a = (struct appdb){0};
    if (path[0] == '\0')
        return err_set(e, ERR_USAGE, "the database's path is empty");
    if (path[0] == ':') { /* ":memory:" is a name to SQLite, not a path */
        a->path = mem_alloc(strlen(path) + 3);
        memcpy(a->path, "./", 2);
        memcpy(a->path + 2, path, strlen(path));
    } else {
        a->path = mem_text(path);
    }
    if (open_connection(a, vfs, e))
        return true;
    appdb_close(a);
    return false;
}

bool appdb_open(struct appdb *a, const char *path, const char *vfs, struct err *e)
{
    if (!appdb_connect(a, path, vfs, e))
        return false;
    if (appdb_load_schema(a, true, NULL, e))
        return true;
    appdb_close(a);
    return false;
}

void appdb_forget_marks(struct appdb *a)
{
    for (size_t i = APPDB_MARKS; i < COUNT_OF(a->statements); i++) {
        sqlite3_finalize(a->statements[i]);
        a->statements[i] = NULL;
    }
}

void appdb_close(struct appdb *a)
{
    appdb_end(a);
    app_schema_close(&a->schema);
    for (size_t i = 0; i < COUNT_OF(a->statements); i++)
        sqlite3_finalize(a->statements[i]);
    if (sqlite3_close(a->db) != SQLITE_OK)
        assert(!"a statement is still open");
    free(a->path);
    *a = (struct appdb){0};
}
