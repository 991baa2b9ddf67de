#include "bind.h"

#include <stdlib.h>

#include <sqlite3.h>

#include "columns.h"
#include "drain.h"
#include "filter.h"
#include "inside.h"
#include "owe.h"
#include "rename.h"

static void binding_free(struct binding *b)
{
    columns_close(b);
    free(b->position);
    free(b->column);
    free(b->order);
    free(b->is_key);
    free(b->counter);
    filter_close(b->filter);
    buf_close(&b->scanned.room);
}

void bind_close(struct store *s)
{
    drain_drop(s);
    for (uint32_t i = 0; i < s->binding_count; i++)
        binding_free(&s->bindings[i]);
    free(s->bindings);
    s->bindings = NULL;
    s->binding_count = 0;
}

struct binding *bind_by_app(struct store *s, const struct app_table *t)
{
    for (uint32_t i = 0; i < s->binding_count; i++)
        if (s->bindings[i].app == t)
            return &s->bindings[i];
    return NULL;
}

struct binding *bind_by_table(struct store *s, uint32_t table)
{
    for (uint32_t i = 0; i < s->binding_count; i++)
        if (s->bindings[i].table == table)
            return &s->bindings[i];
    return NULL;
}

int bind_column(const struct binding *b, uint32_t position)
{
    return position < b->positions ? b->column[position] : -1;
}

static void order_columns(struct binding *b)
{
    const struct app_table *t = b->app;
    uint32_t n = 0;

    b->order = mem_alloc(t->column_count * sizeof *b->order);
    b->is_key = mem_alloc(t->column_count * sizeof *b->is_key);
    b->counter = mem_alloc(t->column_count * sizeof *b->counter);
    for (uint32_t i = 0; i < t->key_count; i++) {
        b->order[n++] = t->keys[i];
        b->is_key[t->keys[i]] = true;
    }
    for (uint32_t i = 0; i < t->column_count; i++) {
        b->refers |= app_refers(&t->columns[i]);
        b->indirect |= app_refers(&t->columns[i]) && t->columns[i].ref_form != REF_KEY;
        if (!b->is_key[i])
            b->order[n++] = i;
    }
}

static bool is_among(uint32_t column, const uint32_t *columns, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (columns[i] == column)
            return true;
    return false;
}

/* A surrogate key and references, all of which make the key: the rows it joins say all there is. */
static bool is_join(const struct app_table *t, const uint32_t *columns, uint32_t n)
{
    if (!t->surrogate)
        return false;
    for (uint32_t i = 0; i < t->column_count; i++)
        if (!t->columns[i].in_key && (!app_refers(&t->columns[i]) || !is_among(i, columns, n)))
            return false;
    return n > 1;
}

bool bind_merges(const struct store *s, const struct app_table *t, const uint32_t *columns,
                 uint32_t n)
{
    const char *names[KEY_COLUMNS_MAX];
    enum rule_kind kind = 0;
    bool natural = !t->surrogate && n == t->key_count;

    for (uint32_t i = 0; i < n; i++)
        natural = natural && t->columns[columns[i]].in_key;
    for (uint32_t i = 0; i < n && n <= KEY_COLUMNS_MAX; i++)
        names[i] = t->columns[columns[i]].name;
    if (n <= KEY_COLUMNS_MAX)
        kind = rules_key(&s->roster->rules, t->name, names, n);
    return kind != 0 ? kind == RULE_MERGE : natural || is_join(t, columns, n);
}

static bool bind_table(struct store *s, struct app_table *t, struct binding *b, struct err *e)
{
    struct ledger_table *lt;

    if (!rename_follow(s, t, &lt, e))
        return false;
    if (lt->column_count == 0 || lt->scan == SCAN_GONE) {
        lt->scan = SCAN_MATCH;
        if (!ledger_table_save(&s->ledger, lt, e))
            return false;
    }
    *b = (struct binding){
        .app = t, .app_index = (uint32_t)(t - s->app.schema.tables), .table = lt->id};
    order_columns(b);
    b->position = mem_alloc(t->column_count * sizeof *b->position);
    for (uint32_t i = 0; i < t->column_count; i++)
        if (!ledger_column(&s->ledger, lt, slice_text(t->columns[i].name), &b->position[i], e))
            return false;
    b->positions = lt->column_count;
    b->column = mem_alloc(b->positions * sizeof *b->column);
    for (uint32_t i = 0; i < b->positions; i++)
        b->column[i] = -1;
    for (uint32_t i = 0; i < t->column_count; i++)
        b->column[b->position[i]] = (int)i;
    return bind_rules(s, b, e);
}

/* The application wrote unseen while triggers were missing. The file counts how often that was
 * mended, so that no crash between its commit and ours loses the reconciliation. */
static bool notice_repairs(struct store *s, const struct binding *b, struct err *e)
{
    struct ledger_table *t = &s->ledger.tables[b->table - 1];

    if (t->repairs == b->app->repairs)
        return true;
    t->repairs = b->app->repairs;
    t->scan = t->scan == SCAN_NONE ? SCAN_RECONCILE : t->scan;
    return ledger_table_save(&s->ledger, t, e);
}

/* Without capture there are no numbers of tables; there may be others some day. */
static bool forget_numbers(struct store *s, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&s->ledger, "DELETE FROM meta WHERE name GLOB 'number.*'", e);
    bool ok = q != NULL && (sqlite3_step(q) == SQLITE_DONE ||
                            ledger_err(&s->ledger, "forget the numbers of tables", e));

    sqlite3_finalize(q);
    return ok;
}

static bool bind_all(struct store *s, struct err *e)
{
    const struct app_schema *schema = &s->app.schema;
    bool ahead;

    bind_close(s);
    if (!s->app.installed && !forget_numbers(s, e))
        return false;
    trouble_no_rule(&s->trouble);
    s->bindings = mem_alloc((schema->n + 1) * sizeof *s->bindings);
    for (uint32_t i = 0; i < schema->n; i++) {
        struct app_table *t = &schema->tables[i];

        if (t->number == 0 || t->refused != NULL)
            continue;
        if (!bind_table(s, t, &s->bindings[s->binding_count], e)) {
            binding_free(&s->bindings[s->binding_count]);
            return false;
        }
        s->binding_count++;
    }
    if (s->app.installed && !rename_dropped(s, e))
        return false;
    if (!recover_is_ahead(s, &ahead, e))
        return false;
    s->ahead = ahead;
    for (uint32_t i = 0; i < s->binding_count; i++)
        if (!notice_repairs(s, &s->bindings[i], e) ||
            (!ahead && !columns_follow(s, &s->bindings[i], e)))
            return false;
    return true;
}

bool bind_schema(struct store *s, bool force, struct err *e)
{
    bool found, ok;

    s->app.rules = &s->roster->rules;
    s->app.fleet = s->roster->fleet;
    s->app.ledger = s->ledger.path;
    force |= s->ruled != s->roster->rule_entries; /* what a reference is may depend on rules */
    if (!appdb_load_schema(&s->app, force, NULL, e))
        return false;
    s->ruled = s->roster->rule_entries;
    if (s->bound == s->app.reads && s->bindings != NULL && !s->ahead)
        return true;
    bind_close(s); /* whatever fails below, nothing is left that points into the old schema */
    if (s->app.installed && !capture_verify(&s->app, NULL, NULL, e))
        return false;
    found = s->app.installed;
    while (found)
        if (!rename_find(s, &found, e) || (found && !capture_verify(&s->app, NULL, NULL, e)))
            return false;
    ok = ledger_begin(&s->ledger, false, e) && bind_all(s, e) && ledger_commit(&s->ledger, e);
    if (!ok) {
        ledger_rollback(&s->ledger);
        bind_close(s); /* what was bound may name what was rolled back */
    }
    s->bound = s->app.reads;
    s->local_settled = false;
    project_retry(s);
    return ok && owe_load(s, e);
}

struct row_key key_of_row(const struct app_table *t, const struct value *values, struct buf *room)
{
    const struct value *first = &values[t->keys[0]];

    if (t->key_count == 1 && first->type == VALUE_INT)
        return (struct row_key){.kind = KEY_INT, .i = first->i};
    buf_clear(room);
    for (uint32_t i = 0; i < t->key_count; i++)
        packed_value_write(room, &values[t->keys[i]]);
    return (struct row_key){.kind = KEY_PACKED, .bytes = buf_slice(room)};
}

bool key_values(const struct app_table *t, const struct row_key *key, struct value *values,
                struct err *e)
{
    struct slice left = key->bytes;

    if (key->kind == KEY_INT && t->key_count == 1) {
        values[0] = (struct value){.type = VALUE_INT, .i = key->i};
        return true;
    }
    for (uint32_t i = 0; i < t->key_count; i++)
        if (key->kind != KEY_PACKED || !packed_value_read(&left, &values[i]))
            return err_set(e, ERR_STORE,
                           "table %s: a key in the ledger does not fit its %u key columns", t->name,
                           t->key_count);
    return true;
}

bool key_bind(struct sqlite3_stmt *statement, int first, const struct app_table *t,
              const struct row_key *key, struct err *e)
{
    struct value values[KEY_COLUMNS_MAX];

    if (!key_values(t, key, values, e))
        return false;
    for (uint32_t i = 0; i < t->key_count; i++)
        if (!value_bind(statement, first + (int)i, &values[i]))
            return err_set(e, ERR_STORE, "table %s: cannot bind a key", t->name);
    return true;
}
