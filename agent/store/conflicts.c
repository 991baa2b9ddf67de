/* The list of conflicts, for people; and taking entries off it. */
#include <navette/conflicts.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "conflict.h"
#include "describe.h"
#include "ledger_conflict.h"

/* ---- sentences ---- */

static const char *name_of(const struct store_write *w)
{
    return w->by[0] != '\0' ? w->by : "a PC that is no member";
}

/* `unites`: can two rows of the table be made one? */
static char *sentence(const char *why, bool unites, const struct store_write *lost,
                      const struct store_write *won)
{
    char text[1024];
    const char *loser = name_of(lost), *winner = name_of(won);

    if (strcmp(why, CONFLICT_OVERWRITTEN) == 0)
        snprintf(text, sizeof text,
                 "%s and %s changed it before either had seen the other's change; the later one "
                 "counts.",
                 loser, winner);
    else if (strcmp(why, CONFLICT_MATCHED) == 0)
        snprintf(text, sizeof text,
                 "It differed between %s and %s when their databases were compared.", loser,
                 winner);
    else if (strcmp(why, CONFLICT_DELETED) == 0)
        snprintf(text, sizeof text,
                 "%s deleted the row without having seen this change of %s; restoring brings the "
                 "row back.",
                 winner, loser);
    else if (strcmp(why, CONFLICT_RETURNED) == 0)
        snprintf(text, sizeof text,
                 "%s deleted the row, but %s wrote it without having seen that (or from a form "
                 "opened before), so the row is back. What %s changed just before deleting it may "
                 "be missing. Restoring deletes it again.",
                 loser, winner, loser);
    else if (strcmp(why, CONFLICT_PUT_BACK) == 0)
        snprintf(text, sizeof text,
                 "It was written into an older copy of the database that had been put back; what "
                 "the fleet had written since counts.");
    else if (strcmp(why, CONFLICT_YIELDED) == 0)
        snprintf(text, sizeof text,
                 "%s gave this value while another PC gave it to another row, which has it; here "
                 "it is marked with the name of its PC. Give the row a value of its own, or, if "
                 "both are one thing, %s.",
                 loser, unites ? "make one of them: agent-cli conflicts merge" : "delete one");
    else if (strcmp(why, CONFLICT_UNITED) == 0)
        snprintf(
            text, sizeof text,
            "It stood in one of two rows that are one now, by rule or because somebody said so; "
            "of what %s and %s had written there the later stays.",
            loser, winner);
    else if (strcmp(why, CONFLICT_STALE) == 0)
        snprintf(text, sizeof text,
                 "An application on %s saved a row that it had read before %s's change came, and "
                 "so put the older value back. The change counts.",
                 loser, winner);
    else if (strcmp(why, CONFLICT_DOUBTFUL) == 0)
        snprintf(text, sizeof text,
                 "An application on %s wrote it in the moment in which a change from another PC "
                 "came, and may have counted from the value before: compare it with what is there.",
                 loser);
    else
        snprintf(text, sizeof text, "%.1000s", why);
    return mem_text(text);
}

/* The words that programs may rely on; rules of their own have sentences. */
static const char *word_of(const char *why)
{
    static const char *const words[] = {CONFLICT_OVERWRITTEN, CONFLICT_MATCHED,  CONFLICT_DELETED,
                                        CONFLICT_RETURNED,    CONFLICT_PUT_BACK, CONFLICT_YIELDED,
                                        CONFLICT_UNITED,      CONFLICT_STALE,    CONFLICT_DOUBTFUL};

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcmp(words[i], why) == 0)
            return words[i];
    return "other";
}

/* ---- one entry ---- */

static bool describe_now(struct store *s, const struct conflict *c, const struct record *rec,
                         size_t bytes, struct store_conflict *out, struct err *e)
{
    struct cell dead = {.clock = rec->dead, .set = true};
    bool alive = ledger_alive(&s->ledger, rec);

    if (!describe_cell(s, alive ? record_get(rec, c->position) : &dead, bytes, &out->now, e))
        return false;
    if (!alive)
        out->now.type = "deleted";
    return true;
}

static bool describe(struct store *s, const struct conflict *c, size_t bytes,
                     struct store_conflict *out, struct err *e)
{
    const struct cell *lost = record_get(&c->cells, CONFLICT_LOST);
    const struct cell *won = record_get(&c->cells, CONFLICT_WON);
    const struct ledger_table *t = &s->ledger.tables[c->table - 1];
    const struct binding *b = bind_by_table(s, c->table);
    struct record rec = {0};
    bool ok;

    *out = (struct store_conflict){.number = c->id, .noticed_ms = c->at_ms};
    ok = describe_row(s, c->gid, &out->row, &rec, e) && describe_now(s, c, &rec, bytes, out, e) &&
         describe_cell(s, lost, bytes, &out->lost, e) &&
         describe_cell(s, won != NULL ? won : record_get(&rec, c->position), bytes, &out->won, e);
    record_close(&rec);
    if (!ok)
        return false;
    if (strcmp(c->why, CONFLICT_RETURNED) == 0)
        out->lost.type = "deleted";
    if (strcmp(c->why, CONFLICT_DELETED) == 0)
        out->won.type = "deleted";
    if (out->row.table == NULL)
        out->row.table = mem_text(t->name);
    out->column = mem_text(c->position < t->column_count ? t->columns[c->position] : "");
    out->why = word_of(c->why);
    out->text = sentence(c->why, b == NULL || b->app->surrogate, &out->lost, &out->won);
    return true;
}

static void conflict_text_close(struct store_conflict *c)
{
    describe_row_close(&c->row);
    describe_write_close(&c->lost);
    describe_write_close(&c->won);
    describe_write_close(&c->now);
    free(c->column);
    free(c->text);
}

/* ---- the list ---- */

#define SELECT_CONFLICTS                                                                           \
    "SELECT id, at_ms, gid, tbl, position, why, cells, newer, hidden, past FROM conflict WHERE "   \
    "hidden "                                                                                      \
    "= 0"

static bool list_next(struct store *s, sqlite3_stmt *q, size_t bytes, struct store_conflicts *out,
                      struct err *e)
{
    struct conflict c = {0};
    bool ok = conflict_read(q, &c, e);

    if (ok && (c.table == 0 || c.table > s->ledger.table_count))
        ok = err_set(e, ERR_STORE, "conflict %lld names no table", (long long)c.id);
    if (ok) {
        out->list = mem_grow(out->list, (out->n + 1) * sizeof *out->list);
        ok = describe(s, &c, bytes, &out->list[out->n++], e);
    }
    conflict_close(&c);
    return ok;
}

static bool no_such(int64_t number, struct err *e)
{
    return err_set(e, ERR_USAGE, "no conflict has the number %lld: see agent-cli conflicts",
                   (long long)number);
}

bool store_conflicts(struct store *s, int64_t number, size_t bytes, struct store_conflicts *out,
                     struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(
        &s->ledger, number == 0 ? SELECT_CONFLICTS " ORDER BY id" : SELECT_CONFLICTS " AND id = ?1",
        e);
    int code = SQLITE_ROW;
    bool ok = q != NULL;

    *out = (struct store_conflicts){.dropped = s->ledger.conflicts.dropped};
    if (ok && number != 0)
        sqlite3_bind_int64(q, 1, number);
    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW)
        ok = list_next(s, q, bytes, out, e);
    sqlite3_finalize(q);
    ledger_rest(&s->ledger);
    if (ok && code != SQLITE_DONE)
        ok = ledger_err(&s->ledger, "read the conflicts", e);
    if (ok && number != 0 && out->n == 0)
        ok = no_such(number, e);
    if (!ok)
        store_conflicts_close(out);
    return ok;
}

void store_conflicts_close(struct store_conflicts *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        conflict_text_close(&c->list[i]);
    free(c->list);
    *c = (struct store_conflicts){0};
}

bool store_conflict_dismiss(struct store *s, int64_t number, uint32_t *n, struct err *e)
{
    bool ok = ledger_begin(&s->ledger, false, e);
    uint32_t before = s->ledger.conflicts.n; /* without those of a drain that gave way */

    ok = ok && (number == 0 ? conflict_remove_all(&s->ledger, e)
                            : conflict_remove(&s->ledger, number, e));
    *n = before - s->ledger.conflicts.n;
    if (ok && number != 0 && *n == 0)
        ok = no_such(number, e);
    ok = ok && ledger_commit(&s->ledger, e);
    if (!ok)
        ledger_rollback(&s->ledger);
    return ok;
}
