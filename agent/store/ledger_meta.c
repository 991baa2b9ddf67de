#include "ledger_meta.h"

#include <assert.h>
#include <stdio.h>

#include <sqlite3.h>

#include "appdb.h"
#include "ledger.h"
#include "ledger_statements.h"

#define FLAG_BYTES_MAX (IDENTIFIER_BYTES_MAX + 32)

bool ledger_meta_get(struct ledger *l, const char *name, struct value *v, struct buf *room,
                     struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_META_GET);
    int code;

    *v = (struct value){.type = VALUE_NULL};
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        *v = value_of_column(s, 0);
        if (v->type == VALUE_TEXT || v->type == VALUE_BLOB) {
            buf_clear(room);
            buf_add(room, v->bytes.p, v->bytes.n);
            v->bytes = buf_slice(room);
        }
    }
    sqlite3_reset(s);
    return code == SQLITE_ROW || code == SQLITE_DONE || ledger_err(l, "read a setting", e);
}

bool ledger_meta_set(struct ledger *l, const char *name, const struct value *v, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_META_SET);

    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    return (value_bind(s, 2, v) || ledger_err(l, "write a setting", e)) &&
           ledger_finish(l, s, "write a setting", e);
}

static void flag_name(char out[FLAG_BYTES_MAX], const char *what, const char *of)
{
    int n = snprintf(out, FLAG_BYTES_MAX, "%s.%s", what, of);

    assert(n < FLAG_BYTES_MAX);
    (void)n;
}

bool ledger_flag_get(struct ledger *l, const char *what, const char *of, bool *on, struct err *e)
{
    char name[FLAG_BYTES_MAX];
    struct value v;
    struct buf room;
    bool ok;

    flag_name(name, what, of);
    buf_open(&room, 64);
    ok = ledger_meta_get(l, name, &v, &room, e);
    *on = ok && v.type == VALUE_INT;
    buf_close(&room);
    return ok;
}

bool ledger_flag_set(struct ledger *l, const char *what, const char *of, bool on, struct err *e)
{
    char name[FLAG_BYTES_MAX];

    flag_name(name, what, of);
    return ledger_meta_set(l, name, &(struct value){.type = on ? VALUE_INT : VALUE_NULL, .i = 1},
                           e);
}
