#include "ledger_names.h"

#include <stdio.h>

#include <sqlite3.h>

#include "appdb.h"
#include "ledger_meta.h"

bool ledger_name_same(const char *known, struct slice name)
{
    return sqlite3_strnicmp(known, (const char *)name.p, (int)name.n) == 0 && known[name.n] == '\0';
}

struct ledger_table *ledger_table_standing(struct ledger *l, uint32_t id)
{
    while (l->tables[id - 1].stands != 0)
        id = l->tables[id - 1].stands;
    return &l->tables[id - 1];
}

struct ledger_table *ledger_table_named(struct ledger *l, struct slice name)
{
    for (uint32_t i = 0; i < l->table_count; i++)
        if (ledger_name_same(l->tables[i].name, name))
            return &l->tables[i];
    return NULL;
}

bool ledger_table_stand(struct ledger *l, struct ledger_table *t, uint32_t stands, struct err *e)
{
    char name[32];

    t->stands = stands;
    snprintf(name, sizeof name, "stands.%u", t->id);
    return ledger_meta_set(
        l, name, &(struct value){.type = stands == 0 ? VALUE_NULL : VALUE_INT, .i = stands}, e);
}

static bool write_name(struct ledger *l, uint32_t id, const char *name, struct err *e)
{
    sqlite3_stmt *s = ledger_prepare(l, "UPDATE tbl SET name = ?2 WHERE id = ?1", e);
    bool ok = s != NULL;

    if (ok) {
        sqlite3_bind_int64(s, 1, id);
        sqlite3_bind_text(s, 2, name, -1, SQLITE_STATIC);
        ok = sqlite3_step(s) == SQLITE_DONE || ledger_err(l, "rename a table", e);
    }
    sqlite3_finalize(s);
    return ok;
}

bool ledger_table_swap(struct ledger *l, struct ledger_table *a, struct ledger_table *b,
                       struct err *e)
{
    char *name = a->name;

    a->name = b->name;
    b->name = name;
    return write_name(l, a->id, "", e) && write_name(l, b->id, b->name, e) &&
           write_name(l, a->id, a->name, e);
}

bool ledger_names_load(struct ledger *l, struct err *e)
{
    sqlite3_stmt *s = ledger_prepare(
        l, "SELECT CAST(substr(name, 8) AS INTEGER), value FROM meta WHERE name GLOB 'stands.*'",
        e);
    int code;

    if (s == NULL)
        return false;
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(s, 0), stands = sqlite3_column_int64(s, 1);

        if (id < 1 || id > l->table_count || stands < 0 || stands > l->table_count || id == stands)
            continue;
        l->tables[id - 1].stands = (uint32_t)stands;
    }
    sqlite3_finalize(s);
    return code == SQLITE_DONE || ledger_err(l, "read the names of tables", e);
}
