/* Rows that are due and not in the file as they should be, with the reason, for people. */
#include <navette/conflicts.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "describe.h"

/* What helps, by how the reason begins: those of project.c and its parts, and SQLite's own. */
static const struct {
    const char *begins;
    const char *help;
} helps[] = {
    {"its table cannot be shared",
     "undo in the table here what this names, or bring the application here to the version of the "
     "other PCs; it then arrives by itself"},
    {"its table is not tracked",
     "share the table here with agent-cli track, or bring the application here to the version of "
     "the other PCs"},
    {"the file refuses it: CHECK",
     "change the value, on any PC, to one that the database allows; it then arrives by itself"},
    {"the file refuses it: NOT NULL",
     "fill in the column, on any PC; or bring the application here to the version of the others"},
    {"the file refuses it: UNIQUE",
     "another row has this value: change one of the two, on any PC, and it arrives by itself; or, "
     "if"
     " equal values always mean one thing, let such rows become one: agent-cli rules set"
     " TABLE.COLUMN merge"},
    {"the file refuses it",
     "bring the application here to the version of the other PCs, or change the value there"},
    {"refers to",
     "share that table, too, here and on the PC that wrote it: agent-cli track TABLE; or make the "
     "row here"},
    {"waits for", "nothing: it arrives with the row it waits for, which may be in this list, too"},
    {"its column",
     "bring the applications here and on the PC that wrote it to one version; or let the column "
     "refer to another row, on any PC"},
    {"column", "on the PC that wrote it, let the column refer to a row that exists"},
    {"table", "the table's numbers are used up: ask whoever made the application"},
    {"deleted elsewhere",
     "nothing: it goes when the rows that refer to it do; delete them if they are not wanted"},
};

static const char *help_for(const char *why)
{
    for (size_t i = 0; i < COUNT_OF(helps); i++)
        if (strncmp(why, helps[i].begins, strlen(helps[i].begins)) == 0)
            return helps[i].help;
    return "nothing for now: it is tried again by itself";
}

/* Of a table that a migration made anew the schema knows better what is in the way. */
static char *reason(struct store *s, const char *table, const char *why)
{
    const struct app_table *t = table == NULL ? NULL : appdb_table(&s->app, table);
    char text[600];

    if (t == NULL || t->refused == NULL)
        return mem_text(why);
    snprintf(text, sizeof text, "its table cannot be shared on this PC: %s", t->refused);
    return mem_text(text);
}

static bool list_next(struct store *s, sqlite3_stmt *q, struct store_parked *out, struct err *e)
{
    const char *why = (const char *)sqlite3_column_text(q, 2);
    struct store_parked_row *p;
    struct record rec = {0};
    bool ok;

    out->list = mem_grow(out->list, (out->n + 1) * sizeof *out->list);
    p = &out->list[out->n++];
    *p = (struct store_parked_row){.since_ms = (uint64_t)sqlite3_column_int64(q, 1),
                                   .kept = sqlite3_column_int(q, 3) != 0};
    ok = describe_row(s, sqlite3_column_int64(q, 0), &p->row, &rec, e);
    p->why = reason(s, p->row.table, why);
    p->help = help_for(p->why);
    record_close(&rec);
    return ok;
}

bool store_parked(struct store *s, struct store_parked *out, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&s->ledger,
                                     "SELECT gid, since_ms, why, kept FROM due WHERE why IS NOT "
                                     "NULL ORDER BY kept, since_ms, gid LIMIT ?1",
                                     e);
    int code = SQLITE_ROW;
    bool ok = q != NULL;

    *out = (struct store_parked){0};
    if (ok)
        sqlite3_bind_int64(q, 1, PARKED_LISTED_MAX);
    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW)
        ok = list_next(s, q, out, e);
    sqlite3_finalize(q);
    ledger_rest(&s->ledger);
    if (ok && code != SQLITE_DONE)
        ok = ledger_err(&s->ledger, "read what is parked", e);
    ok = ok &&
         ledger_number(&s->ledger, "SELECT count(*) FROM due WHERE why IS NOT NULL AND kept = 0",
                       &out->parked, e) &&
         ledger_number(&s->ledger, "SELECT count(*) FROM due WHERE kept = 1", &out->kept, e);
    if (!ok)
        store_parked_close(out);
    return ok;
}

void store_parked_close(struct store_parked *p)
{
    for (uint32_t i = 0; i < p->n; i++) {
        describe_row_close(&p->list[i].row);
        free(p->list[i].why);
    }
    free(p->list);
    *p = (struct store_parked){0};
}
