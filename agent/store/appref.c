/* Foreign keys, declared or by rule, followed column by column to the rows that they finally name.
 */
#include "appref.h"

#include <stdlib.h>

#include <sqlite3.h>

#include <navette/rules.h>

#include "appname.h"

/* A foreign key, one column of it: `column` of `table` takes its values from
 * `parent_column` of `parent`. */
struct edge {
    uint32_t table, column;
    uint32_t parent, parent_column;
    uint32_t order; /* as they were found */
    bool by_rule;
};

enum { FOLLOW_STEPS_MAX = 32, EDGES_MAX = 100000 };

/* A whole foreign key, as it is being read. */
struct key {
    struct app_table *parent;
    int id;
    bool whole; /* all its columns are there */
    struct app_fk fk;
};

struct finder {
    struct app_schema *schema;
    struct edge *edges;
    uint32_t edges_n, edges_room;
    uint32_t table; /* whose foreign keys are being read */
    struct key key; /* the one under way */
};

static int column_named(const struct app_table *t, struct sqlite3_stmt *s, int i)
{
    const char *name = (const char *)sqlite3_column_text(s, i);

    return name == NULL ? -1 : app_column_index(t, slice_text(name));
}

static void add(struct finder *f, struct edge edge)
{
    if (f->edges_n == EDGES_MAX)
        return;
    if (f->edges_n == f->edges_room) {
        f->edges_room = f->edges_room == 0 ? 64 : f->edges_room * 2;
        f->edges = mem_grow(f->edges, f->edges_room * sizeof *f->edges);
    }
    edge.order = f->edges_n;
    f->edges[f->edges_n++] = edge;
}

/* What compares the table's key of one column, where that is not by its bytes; else NULL. */
static const char *loose_key(const struct app_table *t)
{
    const char *collation = t->key_count == 1 ? t->columns[t->keys[0]].collation : NULL;

    return collation == NULL || sqlite3_stricmp(collation, "BINARY") == 0 ? NULL : collation;
}

/* Is the foreign key made of the child's own key, whose text names the parent in any case? It stays
 * text: rows under natural keys are what they are called. */
static bool is_text(const struct app_table *child, uint32_t column, const struct app_table *parent)
{
    return child->columns[column].in_key && loose_key(parent) != NULL;
}

/* Is it the parent's whole primary key that it names? */
static bool names_primary(const struct key *k)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < k->fk.n; i++)
        n += k->parent->columns[k->fk.to[i]].in_key;
    return n == k->fk.n && n == k->parent->key_count;
}

/* The foreign key under way is at its end. */
static void end_key(struct finder *f)
{
    struct key *k = &f->key;
    struct app_table *parent = k->parent;

    k->fk.primary = parent != NULL && k->whole && names_primary(k);
    if (parent != NULL && k->whole && k->fk.n > 0 &&
        (!k->fk.primary || k->fk.n > 1 || parent->number == 0 ||
         is_text(&f->schema->tables[f->table], k->fk.columns[0], parent))) {
        parent->fks = mem_grow(parent->fks, (parent->fk_count + 1) * sizeof *parent->fks);
        parent->fks[parent->fk_count++] = k->fk;
    }
    *k = (struct key){.id = -1};
}

static void add_to_key(struct finder *f, struct app_table *parent, int id, int column, int to)
{
    struct key *k = &f->key;

    if (id != k->id) {
        end_key(f);
        *k = (struct key){.id = id, .parent = parent, .whole = true, .fk.table = f->table};
        k->fk.parent = (uint32_t)(parent - f->schema->tables);
    }
    if (column < 0 || to < 0 || k->fk.n == KEY_COLUMNS_MAX) {
        k->whole = false;
        return;
    }
    k->fk.columns[k->fk.n] = (uint32_t)column;
    k->fk.to[k->fk.n++] = (uint32_t)to;
}

/* Without parent columns a foreign key means the parent's primary key. */
static void add_edge(struct finder *f, struct sqlite3_stmt *s)
{
    const char *parent_name = (const char *)sqlite3_column_text(s, 1);
    struct app_table *t = &f->schema->tables[f->table];
    struct app_table *parent = app_schema_table(f->schema, parent_name);
    int column = column_named(t, s, 0);
    int seq = sqlite3_column_int(s, 3);
    int parent_column = -1;

    if (parent == NULL || !parent->ordinary)
        return;
    if (sqlite3_column_type(s, 2) != SQLITE_NULL)
        parent_column = column_named(parent, s, 2);
    else if (seq >= 0 && (uint32_t)seq < parent->key_count)
        parent_column = (int)parent->keys[seq];
    add_to_key(f, parent, sqlite3_column_int(s, 4), column, parent_column);
    if (column < 0 || parent_column < 0)
        return;
    add(f, (struct edge){.table = f->table,
                         .column = (uint32_t)column,
                         .parent = (uint32_t)(parent - f->schema->tables),
                         .parent_column = (uint32_t)parent_column});
}

static bool is_whole_key(const struct app_table *t, uint32_t column)
{
    return t->key_count == 1 && t->keys[0] == column;
}

/* Edges lie in the order of their tables. */
static uint32_t first_edge(const struct finder *f, uint32_t table)
{
    uint32_t low = 0, high = f->edges_n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (f->edges[middle].table < table)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The edge to go on by: one that ends at a tracked table's whole key if there is one, then the
 * smallest in table order, so that every site goes the same way. */
static const struct edge *next_edge(const struct finder *f, uint32_t table, uint32_t column,
                                    bool *ends)
{
    const struct edge *best = NULL;

    *ends = false;
    for (uint32_t i = first_edge(f, table); i < f->edges_n && f->edges[i].table == table; i++) {
        const struct edge *x = &f->edges[i];
        const struct app_table *parent = &f->schema->tables[x->parent];
        bool whole = parent->number != 0 && is_whole_key(parent, x->parent_column);

        if (x->column != column || (x->parent == table && x->parent_column == column))
            continue;
        if (best != NULL && *ends && !whole)
            continue;
        if (best == NULL || (whole && !*ends) || x->parent < best->parent)
            best = x;
        *ends = whole;
    }
    return best;
}

/* agent/README.md, References. `by_rule`: some step of the way is declared nowhere. */
static int follow(const struct finder *f, uint32_t table, uint32_t column, bool *by_rule)
{
    *by_rule = false;
    for (int step = 0; step < FOLLOW_STEPS_MAX; step++) {
        bool ends;
        const struct edge *x = next_edge(f, table, column, &ends);

        if (x == NULL)
            return -1;
        *by_rule |= x->by_rule;
        if (ends)
            return (int)x->parent;
        table = x->parent;
        column = x->parent_column;
    }
    return -1;
}

/* Is `to` reached from `from` by the references in keys? */
static bool key_reaches(const struct app_schema *s, uint32_t from, uint32_t to)
{
    bool *seen = mem_alloc(s->n * sizeof *seen);
    uint32_t *todo = mem_alloc(s->n * sizeof *todo);
    uint32_t n = 0;

    todo[n++] = from;
    seen[from] = true;
    while (n > 0 && !seen[to]) {
        const struct app_table *t = &s->tables[todo[--n]];

        for (uint32_t i = 0; i < t->key_count; i++) {
            int parent = t->columns[t->keys[i]].ref_table;

            if (parent >= 0 && !seen[parent]) {
                seen[parent] = true;
                todo[n++] = (uint32_t)parent;
            }
        }
    }
    n = seen[to] ? 1 : 0;
    free(seen);
    free(todo);
    return n == 1;
}

static void refer_by_key(struct app_column *c, int parent)
{
    c->ref_table = parent;
    c->ref_form = parent < 0 ? REF_NONE : REF_KEY;
}

/* ---- foreign keys to a UNIQUE key that is not the primary one ---- */

/* In how many foreign keys, or rules, the column stands. */
static uint32_t edges_of(const struct finder *f, uint32_t table, uint32_t column)
{
    uint32_t n = 0;

    for (uint32_t i = first_edge(f, table); i < f->edges_n && f->edges[i].table == table; i++)
        n += f->edges[i].column == column;
    return n;
}

/* Does a value come back to where it came from? */
static bool unique_circles(const struct app_schema *s, uint32_t table, uint32_t column)
{
    uint32_t t = table, c = column;

    for (int step = 0; step < FOLLOW_STEPS_MAX; step++) {
        const struct app_column *at = &s->tables[t].columns[c];

        if (at->ref_form != REF_UNIQUE)
            return false;
        t = (uint32_t)at->ref_table;
        c = at->ref_column;
        if (t == table && c == column)
            break;
    }
    return true;
}

/* Columns that belong to this foreign key alone name the parent's row, and show what it has in its
 * own: those that also say something else, or are in the child's key, stay what they are. */
static void follow_unique(struct finder *f, uint32_t parent, uint32_t k)
{
    struct app_schema *s = f->schema;
    struct app_fk *fk = &s->tables[parent].fks[k];
    struct app_table *child = &s->tables[fk->table];

    if (child->number == 0 || !app_is_nameable(&s->tables[parent]))
        return;
    for (uint32_t i = 0; i < fk->n; i++) {
        struct app_column *c = &child->columns[fk->columns[i]], before = *c;

        if (c->in_key || fk->to[i] == s->tables[parent].keys[0] ||
            (fk->table == parent && fk->columns[i] == fk->to[i]) ||
            edges_of(f, fk->table, fk->columns[i]) != 1)
            continue;
        refer_by_key(c, (int)parent);
        c->ref_form = REF_UNIQUE;
        c->ref_column = fk->to[i];
        c->ref_fk = k;
        if (unique_circles(s, fk->table, fk->columns[i]))
            *c = before;
        else
            fk->followed = true;
    }
}

/* A row's key may be another row's, but not in a circle: the reference that would close one is
 * plain data. Keys first, in table order; the other columns then follow what is left. */
static void resolve(struct finder *f)
{
    struct app_schema *s = f->schema;

    for (uint32_t i = 0; i < s->n; i++) {
        struct app_table *t = &s->tables[i];

        for (uint32_t k = 0; k < t->key_count && t->number != 0; k++) {
            struct app_column *c = &t->columns[t->keys[k]];
            int parent = follow(f, i, t->keys[k], &c->ref_by_rule);

            if (parent >= 0 && !is_text(t, t->keys[k], &s->tables[parent]) &&
                !key_reaches(s, (uint32_t)parent, i))
                refer_by_key(c, parent);
        }
        t->surrogate = t->number != 0 && t->rowid_alias && t->columns[t->keys[0]].ref_table < 0;
    }
    for (uint32_t i = 0; i < s->n; i++) {
        struct app_table *t = &s->tables[i];

        for (uint32_t c = 0; c < t->column_count && t->number != 0; c++)
            if (!t->columns[c].in_key)
                refer_by_key(&t->columns[c], follow(f, i, c, &t->columns[c].ref_by_rule));
    }
    for (uint32_t i = 0; i < s->n; i++)
        for (uint32_t k = 0; k < s->tables[i].fk_count; k++)
            follow_unique(f, i, k);
}

/* ---- children ---- */

static void add_child(struct app_table *parent, uint32_t table, uint32_t column)
{
    for (uint32_t i = 0; i < parent->child_count; i++)
        if (parent->children[i].table == table && parent->children[i].column == column)
            return;
    parent->children =
        mem_grow(parent->children, (parent->child_count + 1) * sizeof *parent->children);
    parent->children[parent->child_count++] = (struct app_child){.table = table, .column = column};
}

static void list_children(struct app_schema *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        for (uint32_t c = 0; c < s->tables[i].column_count; c++) {
            const struct app_column *column = &s->tables[i].columns[c];

            if (column->ref_table >= 0)
                add_child(&s->tables[column->ref_table], i, c);
            for (uint32_t p = 0; column->ref_table < 0 && app_refers(column) && p < s->n; p++)
                if (app_is_nameable(&s->tables[p]))
                    add_child(&s->tables[p], i, c);
        }
    }
}

/* Foreign keys whose columns are plain data, or name other rows one by one. Rows of a table that
 * stays on this PC are named so, too. */
static void list_parents(struct app_schema *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        for (uint32_t k = 0; k < s->tables[i].fk_count; k++) {
            struct app_table *t = &s->tables[s->tables[i].fks[k].table];

            if (s->tables[i].fks[k].followed || t->number == 0)
                continue;
            t->parents = mem_grow(t->parents, (t->parent_count + 1) * sizeof *t->parents);
            t->parents[t->parent_count++] = (struct app_parent){.table = i, .fk = k};
        }
    }
}

/* Rows of tables that stay on this PC must not dangle either. */
static void list_strangers(const struct finder *f)
{
    for (uint32_t i = 0; i < f->edges_n; i++) {
        const struct edge *x = &f->edges[i];
        struct app_table *parent = &f->schema->tables[x->parent];

        if (!x->by_rule && f->schema->tables[x->table].number == 0 && app_is_nameable(parent) &&
            parent->keys[0] == x->parent_column)
            add_child(parent, x->table, x->column);
    }
}

static bool read_edges(struct finder *f, struct sqlite3_stmt *s, struct err *e)
{
    for (uint32_t i = 0; i < f->schema->n; i++) {
        int rc;

        if (!f->schema->tables[i].ordinary)
            continue;
        f->table = i;
        if (sqlite3_bind_text(s, 1, f->schema->tables[i].name, -1, SQLITE_STATIC) != SQLITE_OK)
            return sqlite_err(sqlite3_db_handle(s), "read the foreign keys", e);
        while ((rc = sqlite3_step(s)) == SQLITE_ROW)
            add_edge(f, s);
        if (rc != SQLITE_DONE)
            return sqlite_err(sqlite3_db_handle(s), "read the foreign keys", e);
        end_key(f);
        sqlite3_reset(s);
    }
    return true;
}

/* What rules say refers to a table's rows by their key. */
static void add_rules(struct finder *f, const struct rules *rules)
{
    for (uint32_t i = 0; rules != NULL && i < rules->n; i++) {
        const struct rule *r = &rules->rules[i];
        const struct app_table *t, *parent;
        int column;

        if (r->kind != RULE_REFERENCES)
            continue;
        t = app_schema_table(f->schema, r->table);
        parent = app_schema_table(f->schema, r->argument);
        column = t == NULL ? -1 : app_column_index(t, slice_text(r->columns[0]));
        if (column < 0 || parent == NULL || !parent->ordinary || parent->key_count != 1)
            continue;
        add(f, (struct edge){.table = (uint32_t)(t - f->schema->tables),
                             .column = (uint32_t)column,
                             .parent = (uint32_t)(parent - f->schema->tables),
                             .parent_column = parent->keys[0],
                             .by_rule = true});
    }
}

static int by_table(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;

    if (x->table != y->table)
        return x->table < y->table ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

bool app_references_resolve(struct sqlite3 *db, const struct rules *rules,
                            struct app_schema *schema, struct err *e)
{
    static const char sql[] = "SELECT \"from\", \"table\", \"to\", seq"
                              ", id FROM pragma_foreign_key_list(:name, 'main') ORDER BY id, seq";
    struct finder f = {.schema = schema, .key.id = -1};
    struct sqlite3_stmt *s = NULL;
    bool ok = sqlite_prepare(db, &s, sql, e) && read_edges(&f, s, e);

    if (ok) {
        add_rules(&f, rules);
        if (f.edges_n > 1)
            qsort(f.edges, f.edges_n, sizeof *f.edges, by_table);
        resolve(&f);
        app_reference_rules(schema, rules);
        list_children(schema);
        list_parents(schema);
        list_strangers(&f);
    }
    sqlite3_finalize(s);
    free(f.edges);
    return ok;
}

/* ---- keys that ignore case, or blanks at the end ---- */

/* The key of the table that is meant, in whatever case it is written; by rule, only what is the
 * same means a row. NULL: the column holds what it holds. */
static const struct app_table *read_of(const struct app_schema *s, const struct app_column *c)
{
    const struct app_table *parent;

    if (c->in_key || c->ref_form != REF_KEY || c->ref_by_rule)
        return NULL;
    parent = &s->tables[c->ref_table];
    return loose_key(parent) == NULL ? NULL : parent;
}

bool app_reference_is_read(const struct app_schema *s, const struct app_table *t)
{
    bool any = false;

    for (uint32_t i = 0; i < t->column_count; i++)
        any |= read_of(s, &t->columns[i]) != NULL;
    return any;
}

void app_reference_read(sqlite3_str *sql, const struct app_schema *s, const struct app_table *t)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct app_column *c = &t->columns[i];
        const struct app_table *parent = read_of(s, c);
        const char *comma = i == 0 ? "" : ", ";

        if (parent == NULL)
            sqlite3_str_appendf(sql, "%s\"%w\"", comma, c->name);
        else
            sqlite3_str_appendf(sql,
                                "%scoalesce((SELECT _navette_up.\"%w\" FROM main.\"%w\" AS"
                                " _navette_up WHERE _navette_up.\"%w\" = main.\"%w\".\"%w\"),"
                                " main.\"%w\".\"%w\")",
                                comma, parent->columns[parent->keys[0]].name, parent->name,
                                parent->columns[parent->keys[0]].name, t->name, c->name, t->name,
                                c->name);
    }
}

void app_reference_compared(sqlite3_str *sql, const struct app_column *column,
                            const struct app_table *parent)
{
    const char *collation = loose_key(parent);

    sqlite3_str_appendf(sql, "\"%w\"", column->name);
    if (collation != NULL && (column->ref_form == REF_KEY || column->ref_form == REF_NONE))
        sqlite3_str_appendf(sql, " COLLATE %s", collation);
}
