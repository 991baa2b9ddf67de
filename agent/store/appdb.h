/* The application's file: one connection, its schema as we need it, and its locks. */
#ifndef NAVETTE_APPDB_H
#define NAVETTE_APPDB_H

#include <navette/bounds.h>
#include <navette/change.h>

#include "appcolumn.h"

struct sqlite3;
struct sqlite3_stmt;
struct sqlite3_str;
struct rules;

struct app_table {
    char *name;      /* as the schema spells it */
    int64_t number;  /* in _navette_table; 0: not tracked, or tracked once and refused since a
                        migration of the application.  A rename of the table keeps it; after
                        untracking it may be given to another table. */
    int64_t repairs; /* how often capture_verify put triggers back: changes went unseen before each.
                        Remember the count of the last reconciliation and reconcile when it differs:
                        no crash can lose that. */
    bool
        local; /* by rule it stays on this PC: as if it were not tracked, whatever `registered` says
                */
    int64_t registered;         /* its number in _navette_table, 0: none */
    char *refused;              /* why it cannot be tracked; NULL: it can */
    struct app_column *columns; /* stored, visible, not generated, not local by rule; in table order
                                 */
    uint32_t column_count;
    uint32_t keys[KEY_COLUMNS_MAX]; /* indices of the primary key's columns, in key order */
    uint32_t key_count;
    bool surrogate; /* key is one rowid alias (INTEGER PRIMARY KEY), not itself a reference */
    bool autoincrement;
    bool without_rowid;
    bool rowid_alias; /* the key is the rowid, reference or not */
    bool strict;
    bool ordinary;              /* neither a view nor a virtual table */
    struct app_child *children; /* references to this table, among tracked tables */
    uint32_t child_count;
    struct app_fk *fks;
    uint32_t fk_count;
    struct app_parent *parents;
    uint32_t parent_count;
    uint32_t local_count;           /* there are so many columns besides, which stay on this PC */
    char *local_names;              /* ', "column"' of each; "" for none */
    char *fill_names, *fill_values; /* for an INSERT: ', "column"' and ", 'value'" of those that a
                                       row that arrives needs; "" for none */
    uint64_t fingerprint;           /* of names, affinities, keys and references */
    /* statements, prepared by appdb_load_schema for tracked tables, reset after use; parameters
     * ?1.. */
    /* all columns by key: SELECT c1, c2.. FROM t WHERE k1 = ?1 AND k2 = ?2.. (natural keys compare
     * with COLLATE BINARY as well) */
    struct sqlite3_stmt *select;
    struct sqlite3_stmt *insert; /* INSERT OR ABORT INTO t(c1, c2..) VALUES (?1, ?2..), whatever
                                    the constraints say of conflicts */
    struct sqlite3_stmt *remove; /* DELETE FROM t WHERE k1 = ?1.. */
};

struct app_schema {
    struct app_table *tables; /* ordinary tables of main, without sqlite_%, ours and shadow
                                 tables; virtual tables and views appear as refused */
    uint32_t n;
    char **gone; /* names of tracked tables that are not in the file (any more) */
    uint32_t gone_count;
    int64_t version;      /* PRAGMA schema_version when it was read */
    uint64_t fingerprint; /* of all tracked tables */
};

enum { APPDB_SCHEMA = 9, APPDB_MARKS = 16, APPDB_STATEMENTS = 31 };

struct appdb {
    const struct rules *rules; /* lent; NULL: none. Set it, then load the schema */
    const uint8_t *fleet; /* lent; NULL: none. What the file says whose it is, FLEET_ID_BYTES */
    const char *ledger;   /* lent; NULL: none. And which agent's: the path of its ledger */
    struct sqlite3 *db;
    char *path;
    char journal_mode[16]; /* lower case: "wal", "delete"... never changed by us */
    bool wal;
    bool durably;
    bool swollen, log_synced; /* a large commit of ours is being put away (appdb_shrink) */
    bool utf16;               /* text is not kept byte for byte */
    struct app_schema schema;
    int64_t data_version;
    uint64_t reads;       /* of the schema so far: what points into it is good for one */
    bool installed;       /* our tables are there */
    uint32_t readers_met; /* by appdb_lock_quietly, in a row */
    uint32_t mark_width;  /* key columns that _navette_dirty has room for */
    /* private: of appdb.c, then of appschema.c, from APPDB_MARKS on of marks.c */
    struct sqlite3_stmt *statements[APPDB_STATEMENTS];
};

/* Open an existing SQLite file (never creates one). Checks that it exists, is readable, writable
 * and SQLite; the error says which is not and what to do. No lock is held afterwards. The
 * connection never waits for a lock, has foreign keys and triggers off, and changes no other
 * process' settings. synchronous is NORMAL in WAL mode, FULL else. wal_autocheckpoint is SQLite's
 * default: now and then a commit of ours checkpoints 4 MB; a `large` one none. */
MUST_USE bool appdb_connect(struct appdb *a, const char *path, const char *vfs, struct err *e);
/* Then load the schema, as it is without rules. */
MUST_USE bool appdb_open(struct appdb *a, const char *path, const char *vfs, struct err *e);
void appdb_close(struct appdb *a);

/* Read the schema again if PRAGMA schema_version moved (or `force`); `changed` (may be NULL) tells
 * whether it was read: then every pointer into the old one is stale. Inside a transaction or
 * outside. */
MUST_USE bool appdb_load_schema(struct appdb *a, bool force, bool *changed, struct err *e);
/* Without case, as SQLite's; NULL if absent. */
struct app_table *appdb_table(struct appdb *a, const char *name);
struct app_table *appdb_table_numbered(struct appdb *a, int64_t number);
/* Likewise; -1 if absent. */
int app_column_index(const struct app_table *t, struct slice name);

/* A read transaction: one snapshot until appdb_end. ERR_BUSY if the file is locked right now. */
MUST_USE bool appdb_read(struct appdb *a, struct err *e);
/* The write lock, without waiting, the quietest way the journal mode offers (rollback: BEGIN
 * EXCLUSIVE; WAL: BEGIN IMMEDIATE). ERR_BUSY if somebody else is there. */
MUST_USE bool appdb_lock(struct appdb *a, struct err *e);
/* The same for applying, and in WAL mode more polite: a transaction of the application that has
 * read and then writes after a commit of ours fails at once, so while somebody is in one this is
 * ERR_BUSY too; after READERS_AWAITED times in a row it no longer is. */
#define READERS_AWAITED 20
MUST_USE bool appdb_lock_quietly(struct appdb *a, struct err *e);
MUST_USE bool appdb_commit(struct appdb *a, struct err *e);
MUST_USE bool appdb_commit_large(struct appdb *a, struct err *e);
/* Do the next part of checkpointing a large commit. False: there is none. */
bool appdb_shrink(struct appdb *a);
/* From now on a commit of ours is on the disk when it is done, with all that came before it, also
 * in WAL mode; or need not be, as at first. Outside a transaction. */
MUST_USE bool appdb_durably(struct appdb *a, bool durably, struct err *e);
void appdb_end(struct appdb *a); /* end a read, or roll back; harmless when nothing is open */

/* Did somebody else commit since the last call? */
MUST_USE bool appdb_changed(struct appdb *a, bool *changed, struct err *e);

/* SQLite's last error as ours: BUSY/LOCKED -> ERR_BUSY, FULL -> ERR_FULL, else ERR_STORE; the text
 * starts with `doing`. Returns false. */
bool sqlite_err(struct sqlite3 *db, const char *doing, struct err *e);

/* Prepare `sql` for long use. */
MUST_USE bool sqlite_prepare(struct sqlite3 *db, struct sqlite3_stmt **s, const char *sql,
                             struct err *e);
/* The statement in a private place of `a`, prepared at the first use. */
MUST_USE bool appdb_statement(struct appdb *a, uint32_t place, const char *sql,
                              struct sqlite3_stmt **s, struct err *e);
/* Step to the end a statement that returns no rows; resets it. */
MUST_USE bool appdb_run(struct appdb *a, struct sqlite3_stmt *s, const char *doing, struct err *e);
/* PRAGMA schema_version now, or in the snapshot of the open transaction. */
MUST_USE bool appdb_schema_version(struct appdb *a, int64_t *version, struct err *e);
/* Is it that of a->schema? ERR_BUSY when it is not: the schema is to be read again first. */
MUST_USE bool appdb_same_schema(struct appdb *a, struct err *e);
/* Finalize what is prepared from APPDB_MARKS on: our tables came, went or changed. */
void appdb_forget_marks(struct appdb *a);
/* Append the condition that finds a row by its key, bound to ?1, ?2...: by the key's index, and
 * only the very same bytes. */
void app_key_match(struct sqlite3_str *sql, const struct app_table *t);
struct app_table *app_schema_table(struct app_schema *s, const char *name);
void app_schema_close(struct app_schema *s);

/* Values in and out of statements. Text and blobs of value_of_column are borrowed from the
 * statement until its next step. */
struct value value_of_column(struct sqlite3_stmt *s, int column);
/* Not VALUE_REF; borrows. */
MUST_USE bool value_bind(struct sqlite3_stmt *s, int parameter, const struct value *v);

#endif
