/* The ledger's statements: one table, prepared in one loop. Included by the ledger's own files
 * only. OR FAIL where the trigger row_left fires: a statement that fails is rolled back with its
 * transaction anyhow, and without these words SQLite keeps a journal for each row that it changes.
 */
#ifndef NAVETTE_LEDGER_STATEMENTS_H
#define NAVETTE_LEDGER_STATEMENTS_H

/* Of what is large only the length is shown (ledger_large.h), and of what lies behind it: SQLite
 * would go through all of it. */
#define ROW_COLUMNS                                                                                \
    "gid, tbl, key, present,"                                                                      \
    " CASE WHEN length(rec) >= " LARGE_SQL " THEN length(rec) ELSE rec END,"                       \
    " CASE WHEN length(rec) >= " LARGE_SQL " OR length(shadow) >= " LARGE_SQL                      \
    " THEN length(shadow) ELSE shadow END"

/* Without both: they may be long, and lie behind the rest. */
#define HEAD_COLUMNS                                                                               \
    "gid, tbl, key, present, CASE WHEN rec IS NOT NULL THEN 0 END,"                                \
    " CASE WHEN shadow IS NOT NULL THEN 0 END"

#define STATEMENTS(X)                                                                              \
    X(META_GET, "SELECT value FROM meta WHERE name = :name")                                       \
    X(META_SET,                                                                                    \
      "INSERT INTO meta(name, value) VALUES (:name, :value)"                                       \
      " ON CONFLICT(name) DO UPDATE SET value = excluded.value WHERE value IS NOT excluded.value") \
    X(ACTOR_ADD, "INSERT INTO actor(id, actor) VALUES (:id, :actor)")                              \
    X(ACTOR_SAVE, "UPDATE actor SET staged = :staged, hash = :hash, merged = :merged,"             \
                  " applied = :applied, said = :said, waived = :waived, latest = :latest"          \
                  " WHERE id = :id")                                                               \
    X(TABLE_ADD, "INSERT INTO tbl(id, name) VALUES (:id, :name)")                                  \
    X(TABLE_SAVE, "UPDATE tbl SET scan = :scan, key_max = :key_max, repairs = :repairs,"           \
                  " key_floor = :key_floor WHERE id = :id")                                        \
    X(COLUMN_ADD, "INSERT INTO col(tbl, position, name) VALUES (:tbl, :position, :name)")          \
    X(ROW_GET, "SELECT " ROW_COLUMNS " FROM row WHERE gid = :gid")                                 \
    X(ROW_IN_FILE, "SELECT " ROW_COLUMNS " FROM row"                                               \
                   " WHERE tbl = :tbl AND key = :key AND present = 1 ORDER BY gid DESC LIMIT 1")   \
    X(ROW_LAST_HERE, "SELECT " ROW_COLUMNS " FROM row"                                             \
                     " WHERE tbl = :tbl AND key = :key ORDER BY gid DESC LIMIT 1")                 \
    X(HEAD_GET, "SELECT " HEAD_COLUMNS " FROM row WHERE gid = :gid")                               \
    X(HEAD_IN_FILE, "SELECT " HEAD_COLUMNS " FROM row"                                             \
                    " WHERE tbl = :tbl AND key = :key AND present = 1 ORDER BY gid DESC LIMIT 1")  \
    X(HEAD_LAST_HERE, "SELECT " HEAD_COLUMNS " FROM row"                                           \
                      " WHERE tbl = :tbl AND key = :key ORDER BY gid DESC LIMIT 1")                \
    X(ROW_ADD, "INSERT INTO row(gid, tbl, key, present, rec, shadow, since)"                       \
               " VALUES (:gid, :tbl, :key, :present, :rec, :shadow, :since)")                      \
    X(ROW_PUT, "UPDATE OR FAIL row"                                                                \
               " SET tbl = ?1, since = CASE WHEN present AND key IS ?2 THEN since ELSE ?7 END,"    \
               " key = ?2, present = ?3, rec = ?4, shadow = ?5 WHERE gid = ?6")                    \
    X(ROW_SETTLE,                                                                                  \
      "UPDATE OR FAIL row"                                                                         \
      " SET since = CASE WHEN present AND (?1 IS NULL OR key IS ?1) THEN since ELSE ?5"            \
      " END, key = coalesce(?1, key), present = ?2, shadow = ?3"                                   \
      " WHERE gid = ?4 AND ifnull(length(rec), 0) < " LARGE_SQL)                                   \
    X(ROW_UNPLACE, "UPDATE OR FAIL row SET key = :key, present = 0, shadow = NULL"                 \
                   " WHERE gid = :gid")                                                            \
    X(ROW_WISH, "UPDATE row SET key = :key WHERE gid = :gid AND present = 0 AND key IS NULL")      \
    X(DUE_PUT, "INSERT INTO due(gid, since_ms, why, kept) VALUES (:gid, :since, :why, :kept)"      \
               " ON CONFLICT(gid) DO UPDATE SET why = excluded.why, kept = excluded.kept"          \
               " WHERE why IS NOT excluded.why OR kept <> excluded.kept")                          \
    X(DUE_REMOVE, "DELETE FROM due WHERE gid = :gid")                                              \
    X(NATURAL_GET, "SELECT gid FROM natural_key WHERE tbl = :tbl AND identity = :identity")        \
    X(NATURAL_PUT, "INSERT INTO natural_key(tbl, identity, gid) VALUES (:tbl, :identity, :gid)"    \
                   " ON CONFLICT(tbl, identity) DO NOTHING")                                       \
    X(ALIAS_GET, "SELECT stands FROM alias WHERE gid = :gid")                                      \
    X(ALIAS_PUT,                                                                                   \
      "INSERT INTO alias(gid, stands) VALUES (:gid, :stands) ON CONFLICT(gid) DO NOTHING")         \
    X(CHANGESET_PUT, "INSERT INTO changeset(actor, number, stamp, bytes)"                          \
                     " VALUES (:actor, :number, :stamp, :bytes)")                                  \
    X(CHANGESET_GET, "SELECT CASE WHEN length(bytes) >= " LARGE_SQL " THEN id ELSE bytes END"      \
                     " FROM changeset WHERE actor = :actor AND number = :number")                  \
    X(POINT_ADD, "INSERT INTO point(batch, token, mark, mark_time, actor, number, applied, runs)"  \
                 " VALUES (:batch, :token, :mark, :time, :actor, :number, :applied, :runs)")       \
    X(POINT_TRIM, "DELETE FROM point WHERE id <= :until")                                          \
    X(PLACED_TRIM, "DELETE FROM placed WHERE until <= (SELECT min(id) FROM point)")                \
    X(FATE_TRIM, "DELETE FROM fate WHERE point < (SELECT min(id) FROM point)")                     \
    X(LIVED_TRIM, "DELETE FROM lived WHERE point < (SELECT min(id) FROM point)")                   \
    X(LIVED_PUT, "INSERT OR IGNORE INTO lived(point, gid, actor, above, upto)"                     \
                 " VALUES (:point, :gid, :actor, :above, :upto)")                                  \
    X(FATE_PUT, "INSERT INTO fate(point, gid, born, last) VALUES (:point, :gid, :born, :last)"     \
                " ON CONFLICT(point, gid) DO UPDATE SET last = max(last, excluded.last)")          \
    X(UNTOLD_ADD, "INSERT OR IGNORE INTO untold(gid) VALUES (:gid)")                               \
    X(UNTOLD_CLEAR, "DELETE FROM untold")                                                          \
    X(SEEN_PUT, "INSERT INTO seen(author, actor, number) VALUES (:author, :actor, :number)"        \
                " ON CONFLICT(author, actor) DO UPDATE SET number = excluded.number")              \
    X(CONFLICT_ADD, "INSERT INTO conflict(at_ms, gid, tbl, position, why, cells, newer, hidden,"   \
                    " past) VALUES (:at, :gid, :tbl, :position, :why, :cells, :newer, :hidden,"    \
                    " :past)")                                                                     \
    X(CONFLICT_PUT, "UPDATE conflict SET position = :position, cells = :cells, newer = :newer,"    \
                    " hidden = :hidden WHERE id = :id")                                            \
    X(CONFLICT_REMOVE, "DELETE FROM conflict WHERE id = :id"                                       \
                       " RETURNING gid, length(cells) + length(newer), hidden")                    \
    X(CONFLICT_OLDEST, "SELECT id FROM conflict WHERE hidden = :hidden ORDER BY id LIMIT 1")       \
    X(CONFLICTS_OF, "SELECT id, at_ms, gid, tbl, position, why, cells, newer, hidden, past"        \
                    " FROM conflict WHERE gid = :gid ORDER BY id")

#define AS_NAME(name, sql) STATEMENT_##name,
#define AS_TEXT(name, sql) sql,

enum { STATEMENTS(AS_NAME) STATEMENT_COUNT };

/* ledger_rows.c: ready to be bound; run a statement that returns no row. */
struct sqlite3_stmt *ledger_statement(struct ledger *l, int which);
bool ledger_finish(struct ledger *l, struct sqlite3_stmt *s, const char *doing, struct err *e);
bool ledger_bind_bytes(struct sqlite3_stmt *s, int parameter, struct slice bytes);

#endif
