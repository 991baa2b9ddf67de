#include "inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "columns.h"
#include "filter.h"
#include "ledger_meta.h"
#include "rename.h"

static bool run(struct store *s, const char *sql, uint32_t table, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&s->ledger, sql, e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, table);
    if (sqlite3_bind_parameter_count(q) > 1)
        sqlite3_bind_int64(q, 2, (int64_t)s->ledger.clock.wall_ms);
    code = sqlite3_step(q);
    sqlite3_finalize(q);
    return code == SQLITE_DONE || ledger_err(&s->ledger, "follow the rules", e);
}

/* Rows of the table are due as soon as it has been compared. */
static bool flag_due(struct store *s, uint32_t table, bool on, struct err *e)
{
    char digits[16];

    snprintf(digits, sizeof digits, "%u", table);
    return ledger_flag_set(&s->ledger, "due", digits, on, e);
}

static bool is_due(struct store *s, uint32_t table, bool *on, struct err *e)
{
    char digits[16];

    snprintf(digits, sizeof digits, "%u", table);
    return ledger_flag_get(&s->ledger, "due", digits, on, e);
}

/* Rows that the file lacks or holds otherwise are for project to look at, once what the application
 * wrote there has been said: else that would be undone. */
bool bind_reconciled(struct store *s, struct binding *b, struct err *e)
{
    bool on;

    if (!columns_settle(s, b, e))
        return false;
    if (!is_due(s, b->table, &on, e))
        return false;
    if (!on || b->deaf)
        return true;
    s->due_open = true;
    return flag_due(s, b->table, false, e) &&
           run(s,
               "INSERT OR IGNORE INTO due(gid, since_ms) SELECT gid, ?2 FROM row WHERE tbl = ?1"
               " AND rec IS NOT NULL AND (shadow IS NOT NULL OR present = 0)",
               b->table, e);
}

/* ---- rules of a bound table ---- */

static void add(struct buf *out, const char *word, const char *text)
{
    buf_add(out, word, strlen(word));
    if (text != NULL)
        buf_add(out, text, strlen(text));
    buf_add_byte(out, 0);
}

/* All that decides what this PC says of the table and lets into its file; nothing if no rule does.
 */
static void describe(const struct store *s, const struct binding *b, const struct rule *way,
                     bool broken, struct buf *out)
{
    const struct rules *rules = &s->roster->rules;

    if (way != NULL && (way->kind != RULE_BOTH || way->where != NULL)) {
        add(out, rule_kind_name(way->kind), NULL);
        add(out, "where ", way->where);
    }
    if (broken)
        add(out, "broken", NULL);
    for (uint32_t i = 0; i < rules->n; i++) {
        const struct rule *r = &rules->rules[i];

        if (!rule_name_same(r->table, b->app->name))
            continue;
        if (r->kind == RULE_LOCAL && r->column_count > 0)
            add(out, "local ", r->columns[0]);
        if (r->kind == RULE_REFERENCES || r->kind == RULE_REFERENCES_BY ||
            r->kind == RULE_REFERENCES_TEXT) {
            add(out, "refers ", r->columns[0]);
            add(out, r->kind == RULE_REFERENCES ? "to " : "by ", r->argument);
            if (r->where != NULL)
                add(out, "names ", r->where);
        }
    }
    for (uint32_t i = 0; i < b->app->column_count; i++)
        if (b->app->columns[i].ref_form == REF_UNIQUE)
            add(out, "unique ", b->app->columns[i].name);
}

static bool follow_change(struct store *s, struct binding *b, struct err *e)
{
    struct ledger_table *t = &s->ledger.tables[b->table - 1];

    t->scan = t->scan == SCAN_NONE ? SCAN_RECONCILE : t->scan;
    s->unsent.looked = false;
    return ledger_table_save(&s->ledger, t, e) &&
           run(s,
               "UPDATE row SET shadow = NULL WHERE tbl = ?1 AND rec IS NULL AND shadow IS NOT NULL",
               b->table, e) &&
           flag_due(s, b->table, true, e);
}

static bool note_change(struct store *s, struct binding *b, struct slice now, struct err *e)
{
    char name[32];
    struct value before;
    struct buf room;
    bool ok;

    snprintf(name, sizeof name, "rules.%u", b->table);
    buf_open(&room, 1u << 22);
    ok = ledger_meta_get(&s->ledger, name, &before, &room, e);
    if (ok && before.type != VALUE_BLOB)
        before.bytes = (struct slice){NULL, 0};
    if (ok && !slice_equal(before.bytes, now))
        ok =
            follow_change(s, b, e) &&
            ledger_meta_set(&s->ledger, name, &(struct value){.type = VALUE_BLOB, .bytes = now}, e);
    buf_close(&room);
    return ok;
}

static void open_filter(struct store *s, struct binding *b, const char *where)
{
    struct err e = {0};

    if (filter_open(&b->filter, &s->app, b->app, where, &e))
        return;
    b->mute = true;
    trouble_rule(&s->trouble, b->app->name, &e);
}

bool bind_rules(struct store *s, struct binding *b, struct err *e)
{
    const struct rules *rules = &s->roster->rules;
    const struct rule *way = rules_way(rules, b->app->name, &s->keys->site);
    struct buf text;
    bool ok;

    for (uint32_t i = 0; i < b->app->column_count && rules->n > 0; i++) {
        const struct app_column *c = &b->app->columns[i];

        b->counter[i] = !b->is_key[i] && !app_refers(c) &&
                        rules_find(rules, RULE_COUNTER, b->app->name, c->name) != NULL;
    }
    b->deaf = way != NULL && way->kind == RULE_PUBLISH;
    b->mute = way != NULL && way->kind == RULE_SUBSCRIBE;
    if (way != NULL && way->where != NULL)
        open_filter(s, b, way->where);
    buf_open(&text, 1u << 22);
    describe(s, b, way, way != NULL && way->where != NULL && b->filter == NULL, &text);
    ok = note_change(s, b, buf_slice(&text), e);
    buf_close(&text);
    return ok;
}

bool bind_is_deaf(struct store *s, uint32_t table)
{
    const struct binding *b = bind_by_table(s, table);

    if (b != NULL)
        return b->deaf;
    if (s->ledger.tables[table - 1].scan == SCAN_GONE)
        return true;
    return rules_find(&s->roster->rules, RULE_LOCAL, s->ledger.tables[table - 1].name, NULL) !=
           NULL;
}

bool bind_is_out(void *store, uint32_t table)
{
    return table != 0 && bind_is_deaf(store, table);
}

/* ---- local tables ---- */

static bool note_all(struct store *s, char *const *names, uint32_t n, bool local, struct err *e)
{
    bool ok = ledger_begin(&s->ledger, false, e);

    for (uint32_t i = 0; ok && i < n; i++) {
        const struct ledger_table *t = ledger_table_find(&s->ledger, names[i]);

        ok = ledger_flag_set(&s->ledger, "local", names[i], local, e) &&
             (local || t == NULL || flag_due(s, t->id, true, e));
    }
    ok = ok && ledger_commit(&s->ledger, e);
    if (!ok)
        ledger_rollback(&s->ledger);
    return ok;
}

/* Names of the tables to take out (`local`) or to take in again; the caller frees. */
static bool list(struct store *s, bool local, char **names, uint32_t *n, struct err *e)
{
    *n = 0;
    for (uint32_t i = 0; i < s->app.schema.n; i++) {
        const struct app_table *t = &s->app.schema.tables[i];
        bool noted = t->local && t->registered != 0;

        if (t->local != local || t->refused != NULL)
            continue;
        if (!local && !ledger_flag_get(&s->ledger, "local", t->name, &noted, e))
            return false;
        if (noted)
            names[(*n)++] = mem_text(t->name);
    }
    return true;
}

/* Names that borrow from the schema would be gone with the first of these calls. */
static bool take_out(struct store *s, char **names, uint32_t n, struct err *e)
{
    bool ok;

    if (n == 0)
        return true;
    if (!note_all(s, names, n, true, e) || !rename_forget(s, (const char *const *)names, n, e))
        return false;
    ok = capture_remove(&s->app, (const char *const *)names, n, e);
    if (ok)
        return bind_schema(s, true, e);
    bind_close(s);
    return false;
}

static bool take_in(struct store *s, char **names, uint32_t n, struct err *e)
{
    return n == 0 ||
           (store_track(s, (const char *const *)names, n, e) && note_all(s, names, n, false, e));
}

bool bind_local(struct store *s, bool *did, struct err *e)
{
    char **names;
    uint32_t n = 0, out;
    bool ok;

    *did = false;
    if (s->local_settled || !s->app.installed)
        return true;
    names = mem_alloc((s->app.schema.n + 1) * sizeof *names);
    ok = list(s, true, names, &n, e) && take_out(s, names, n, e);
    out = n;
    for (uint32_t i = 0; i < n; i++)
        free(names[i]);
    n = 0;
    ok = ok && list(s, false, names, &n, e) && take_in(s, names, n, e);
    for (uint32_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
    ledger_rest(&s->ledger);
    *did = ok && out + n > 0;
    s->local_settled = ok;
    return ok;
}
