/* The ledger's log of change-sets. */
#include "ledger.h"

#include <sqlite3.h>

#include "appdb.h"
#include "ledger_large.h"
#include "ledger_statements.h"

bool ledger_changeset_put(struct ledger *l, uint32_t actor, uint64_t number, uint64_t stamp,
                          struct slice bytes, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_CHANGESET_PUT);
    bool ok;

    sqlite3_bind_int64(s, 1, actor);
    sqlite3_bind_int64(s, 2, (int64_t)number);
    sqlite3_bind_int64(s, 3, (int64_t)stamp);
    if (bytes.n < LARGE_BYTES) {
        ledger_bind_bytes(s, 4, bytes);
        return ledger_finish(l, s, "write a change-set", e);
    }
    large_begin(l->db);
    ok = sqlite3_bind_zeroblob64(s, 4, bytes.n) == SQLITE_OK ||
         ledger_err(l, "write a change-set", e);
    ok = ok && ledger_finish(l, s, "write a change-set", e) &&
         large_store(l, "changeset", "bytes", sqlite3_last_insert_rowid(l->db), &bytes, 1, e);
    large_end(l->db);
    return ok;
}

bool ledger_changeset_get(struct ledger *l, uint32_t actor, uint64_t number, struct slice *bytes,
                          bool *found, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_CHANGESET_GET);
    int code;

    sqlite3_bind_int64(s, 1, actor);
    sqlite3_bind_int64(s, 2, (int64_t)number);
    code = sqlite3_step(s);
    *found = code == SQLITE_ROW;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return ledger_err(l, "read a change-set", e);
    if (*found && sqlite3_column_type(s, 0) == SQLITE_INTEGER) {
        struct large *lent = &l->lent[LENT_CHANGESET];

        if (!large_load(lent, l, "changeset", "bytes", sqlite3_column_int64(s, 0), e))
            return false;
        *bytes = large_slice(lent);
    } else if (*found) {
        *bytes = value_of_column(s, 0).bytes;
    }
    return true;
}
