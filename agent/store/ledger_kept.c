#include "ledger_kept.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#define KEPT_MAX 32 /* further ones are finalized as soon as they are done */

struct kept {
    struct {
        sqlite3_stmt *statement;
        bool out;
    } all[KEPT_MAX];
    uint32_t n;
};

struct sqlite3_stmt *ledger_kept(struct ledger *l, const char *sql, struct err *e)
{
    struct kept *k = l->kept;
    sqlite3_stmt *s;

    if (k == NULL)
        k = l->kept = mem_alloc(sizeof *k);
    for (uint32_t i = 0; i < k->n; i++) {
        if (k->all[i].out || strcmp(sqlite3_sql(k->all[i].statement), sql) != 0)
            continue;
        k->all[i].out = true;
        return k->all[i].statement;
    }
    s = ledger_prepare(l, sql, e);
    if (s != NULL && k->n < KEPT_MAX) {
        k->all[k->n].statement = s;
        k->all[k->n++].out = true;
    }
    return s;
}

void ledger_done(struct ledger *l, struct sqlite3_stmt *s)
{
    for (uint32_t i = 0; s != NULL && l->kept != NULL && i < l->kept->n; i++) {
        if (l->kept->all[i].statement != s)
            continue;
        sqlite3_reset(s);
        sqlite3_clear_bindings(s);
        l->kept->all[i].out = false;
        return;
    }
    sqlite3_finalize(s);
}

void ledger_kept_close(struct ledger *l)
{
    for (uint32_t i = 0; l->kept != NULL && i < l->kept->n; i++)
        sqlite3_finalize(l->kept->all[i].statement);
    free(l->kept);
    l->kept = NULL;
}
