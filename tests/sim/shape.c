#include "shape.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include <navette/err.h>

bool shape_surrogate(const struct shape_table *t)
{
    return t->kind == SHAPE_ROWID || t->kind == SHAPE_AUTO;
}

bool shape_loose(const struct shape_column *c)
{
    return c->role == SHAPE_REF && c->form != SHAPE_DECLARED;
}

bool shape_unites(const struct shape_table *t)
{
    return shape_surrogate(t) && t->columns[shape_naming(t)].pooled;
}

bool shape_is_several(const struct shape *s, const struct shape_table *t)
{
    bool several = shape_unites(t);

    for (uint32_t i = 0; i < t->keys; i++) /* parents come first: as deep as there are tables */
        if (t->columns[i].role == SHAPE_REF)
            several |= shape_is_several(s, &s->tables[t->columns[i].parent]);
    if (shape_surrogate(t) && t->columns[shape_naming(t)].role == SHAPE_REF)
        several |= shape_is_several(s, &s->tables[t->columns[shape_naming(t)].parent]);
    return several;
}

uint32_t shape_naming(const struct shape_table *t)
{
    uint32_t found = t->keys;

    for (uint32_t i = t->keys; i < t->columns_n; i++)
        if (t->columns[i].pooled)
            found = i;
    return found;
}

uint32_t shape_rival(const struct shape_table *t)
{
    for (uint32_t i = t->keys; i < t->columns_n; i++)
        if (t->columns[i].owner && !t->columns[i].pooled)
            return i;
    return 0;
}

bool shape_counts(const struct shape_table *t, uint32_t column)
{
    return t->columns[column].role == SHAPE_DATA && t->columns[column].values == SHAPE_COUNTER;
}

bool shape_takes(const struct shape_table *t, uint32_t site, uint32_t sites)
{
    return t->way != SHAPE_LOCAL && (t->way != SHAPE_SAYS || site + 1 < sites);
}

bool shape_says(const struct shape_table *t, uint32_t site, uint32_t sites)
{
    return t->way != SHAPE_LOCAL && (t->way != SHAPE_TAKES || site + 1 < sites);
}

/* A key of one column can be named by a reference of one column. */
static bool can_be_parent(const struct shape_table *t)
{
    return t->keys == 1;
}

static const char *key_type(const struct shape_table *t)
{
    return t->kind == SHAPE_CODE ? "TEXT" : "INTEGER";
}

static struct shape_column *column_add(struct shape_table *t, enum shape_role role,
                                       const char *name, const char *type)
{
    struct shape_column *c = &t->columns[t->columns_n++];

    assert(t->columns_n <= SHAPE_COLUMNS_MAX);
    *c = (struct shape_column){.role = role, .type = type, .parent = -1, .on_delete = ""};
    snprintf(c->name, sizeof c->name, "%s", name);
    return c;
}

/* The column of a table that gives each row its number; 0 if there is none. */
static uint32_t ticket_of(const struct shape_table *t)
{
    for (uint32_t i = t->keys; i < t->columns_n; i++)
        if (t->columns[i].role == SHAPE_DATA && t->columns[i].values == SHAPE_TICKET)
            return i;
    return 0;
}

static struct shape_column *reference_add(struct shape *s, struct shape_table *t, const char *name,
                                          uint32_t parent)
{
    struct shape_column *c = column_add(t, SHAPE_REF, name, key_type(&s->tables[parent]));

    c->parent = (int)parent;
    return c;
}

/* A random earlier table that a reference can name; -1 if there is none. `roots`: not one whose
 * key an application changes while we watch rows by it. */
static int draw_parent(const struct shape *s, struct rng *r, bool roots)
{
    uint32_t first = rng_below(r, s->n);

    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t at = (first + i) % s->n;

        if (can_be_parent(&s->tables[at]) && !(roots && s->tables[at].kind == SHAPE_CODE))
            return (int)at;
    }
    return -1;
}

static void draw_key(struct shape *s, struct shape_table *t, struct rng *r)
{
    switch (t->kind) {
    case SHAPE_ROWID:
    case SHAPE_AUTO:
        column_add(t, SHAPE_KEY, "id", "INTEGER");
        column_add(t, SHAPE_MARK, "mark", "TEXT")->not_null = true;
        t->keys = 1;
        return;
    case SHAPE_CODE:
        column_add(t, SHAPE_KEY, "code", rng_chance(r, 50) ? "TEXT" : "varchar(20)");
        t->keys = 1;
        break;
    case SHAPE_PAIR:
        column_add(t, SHAPE_KEY, "Série", "TEXT");
        column_add(t, SHAPE_KEY, "no", "INTEGER");
        t->keys = 2;
        break;
    case SHAPE_JOIN:
        reference_add(s, t, "left_id", (uint32_t)draw_parent(s, r, true));
        reference_add(s, t, "right_id", (uint32_t)draw_parent(s, r, true));
        t->keys = 2;
        break;
    default:
        reference_add(s, t, "self_id", (uint32_t)draw_parent(s, r, true));
        t->keys = 1;
        break;
    }
    for (uint32_t i = 0; i < t->keys; i++)
        t->columns[i].not_null = true;
    t->without_rowid = t->kind != SHAPE_ONE && rng_chance(r, 40);
}

static enum shape_values draw_values(const struct shape_table *t, struct rng *r)
{
    return shape_surrogate(t) && rng_chance(r, 15) ? SHAPE_TICKET
                                                   : (enum shape_values)rng_below(r, SHAPE_TICKET);
}

static void draw_data(struct shape_table *t, struct rng *r)
{
    static const char *const types[SHAPE_VALUES][2] = {
        [SHAPE_INT] = {"INTEGER", "bigint"},      [SHAPE_REAL] = {"REAL", "double"},
        [SHAPE_TEXT] = {"TEXT", "varchar(9)"},    [SHAPE_BLOB] = {"BLOB", ""},
        [SHAPE_DECIMAL] = {"decimal", "NUM"},     [SHAPE_FLAG] = {"bool", "INTEGER"},
        [SHAPE_COUNTER] = {"INTEGER", "decimal"}, [SHAPE_TICKET] = {"TEXT", "varchar(9)"},
    };
    static const char *const names[] = {"name", "price", "Stück", "order", "a b"};
    uint32_t n = rng_below(r, COUNT_OF(names)) + (t->kind == SHAPE_JOIN ? 0 : 1);

    for (uint32_t i = 0; i < n && i < COUNT_OF(names); i++) {
        enum shape_values values = draw_values(t, r);
        struct shape_column *c =
            column_add(t, SHAPE_DATA, names[i], types[values][rng_below(r, 2)]);

        c->values = values;
        c->not_null = rng_chance(r, 30);
    }
}

static void draw_references(struct shape *s, struct shape_table *t, struct rng *r)
{
    static const char *const actions[] = {"", "DEFERRABLE INITIALLY DEFERRED", "ON DELETE CASCADE",
                                          "ON DELETE SET NULL", "ON DELETE RESTRICT"};
    uint32_t n = rng_below(r, 3);

    for (uint32_t i = 0; i < n; i++) {
        int parent = draw_parent(s, r, false);
        char name[16];
        struct shape_column *c;

        if (parent < 0)
            return;
        snprintf(name, sizeof name, "ref%u", i);
        c = reference_add(s, t, name, (uint32_t)parent);
        c->on_delete = actions[rng_below(r, COUNT_OF(actions))];
        c->not_null = strcmp(c->on_delete, "ON DELETE SET NULL") != 0 && rng_chance(r, 40);
    }
}

/* A row may name one of its own table: a tree. */
static void draw_tree(struct shape *s, struct shape_table *t, struct rng *r)
{
    struct shape_column *c;

    if (!can_be_parent(t) || !rng_chance(r, 25))
        return;
    c = column_add(t, SHAPE_REF, "parent", key_type(t));
    c->parent = (int)(t - s->tables);
    c->on_delete = rng_chance(r, 50) ? "" : "ON DELETE SET NULL";
}

/* Rows that name others by their number, which is UNIQUE, changes and gets marks. What all rows
 * must have: a number that is taken away would have to wait outside for ever. */
static void draw_numbers(struct shape *s, struct rng *r)
{
    static const char *const actions[] = {"", "DEFERRABLE INITIALLY DEFERRED", "ON DELETE CASCADE",
                                          "ON DELETE SET NULL"};
    struct shape_table *first = &s->tables[0];

    if (!rng_chance(r, 40))
        return;
    if (ticket_of(first) == 0 && first->columns_n < SHAPE_COLUMNS_MAX)
        column_add(first, SHAPE_DATA, "number", "TEXT")->values = SHAPE_TICKET;
    for (uint32_t i = 1; i < s->n; i++) {
        uint32_t parent = rng_below(r, i);
        uint32_t ticket = ticket_of(&s->tables[parent]);
        struct shape_table *t = &s->tables[i];
        struct shape_column *c;

        if (!rng_chance(r, 60) || ticket == 0 || t->columns_n == SHAPE_COLUMNS_MAX)
            continue;
        s->tables[parent].columns[ticket].not_null = true;
        c = column_add(t, SHAPE_REF, "of_number", s->tables[parent].columns[ticket].type);
        c->parent = (int)parent;
        c->names = ticket;
        c->on_delete = actions[rng_below(r, COUNT_OF(actions))];
        c->not_null = strcmp(c->on_delete, "ON DELETE SET NULL") != 0 && rng_chance(r, 40);
    }
}

/* One more table, whose rows do not go everywhere. */
static void draw_way(struct shape *s, struct rng *r)
{
    struct shape_table *t = &s->tables[s->n];

    if (s->n == SHAPE_TABLES_MAX || !rng_chance(r, 50))
        return;
    snprintf(t->name, sizeof t->name, "réglage");
    t->kind = (enum shape_kind)rng_below(r, SHAPE_JOIN);
    t->way = (enum shape_way)(SHAPE_LOCAL + rng_below(r, 4));
    if (t->way == SHAPE_SOME) /* of one name there is no other row that goes out */
        t->kind = (enum shape_kind)(t->kind % SHAPE_CODE);
    draw_key(s, t, r);
    if (t->way == SHAPE_SOME)
        column_add(t, SHAPE_MARK, SHAPE_FILTER, "INTEGER")->not_null = true;
    draw_data(t, r);
    for (uint32_t i = t->keys; i < t->columns_n; i++)
        if (t->columns[i].values == SHAPE_TICKET || t->columns[i].values == SHAPE_COUNTER)
            t->columns[i].values = SHAPE_TEXT;
    s->n++;
}

/* Tables whose rows are one where their marks are equal, whoever made them: articles by their bar
 * code. */
static void draw_united(struct shape *s, struct rng *r)
{
    for (uint32_t i = 0; i < s->n; i++) {
        struct shape_table *t = &s->tables[i];

        if (shape_surrogate(t) && t->way == SHAPE_BOTH && rng_chance(r, 20))
            t->columns[t->keys].pooled = true;
    }
}

/* One-to-one: one more table, whose rows belong to others, which have no second such. Two PCs that
 * each give it one made one row, by rule, or each of them keeps its own and a person must see to
 * it. */
static void draw_owned(struct shape *s, struct rng *r)
{
    struct shape_table *t = &s->tables[s->n];
    uint32_t parent = rng_below(r, s->n);
    struct shape_column *c;

    if (s->n == SHAPE_TABLES_MAX || !rng_chance(r, 40))
        return;
    snprintf(t->name, sizeof t->name, "fiche");
    t->kind = (enum shape_kind)rng_below(r, SHAPE_CODE);
    draw_key(s, t, r);
    draw_data(t, r);
    if (!shape_surrogate(&s->tables[parent]) || s->tables[parent].way != SHAPE_BOTH)
        parent = 0;
    c = reference_add(s, t, "owner", parent);
    c->not_null = c->owner = true;
    c->on_delete = rng_chance(r, 50) ? "" : "ON DELETE CASCADE";
    c->pooled = rng_chance(r, 60);
    s->n++;
}

/* Rows that name others without a foreign key. Their applications give no key twice. */
static void draw_loose(struct shape *s, struct rng *r)
{
    struct shape_table *t = &s->tables[1 + rng_below(r, s->n - 1)];
    enum shape_form form = (enum shape_form)(SHAPE_BARE + rng_below(r, 3));
    struct shape_column *c;

    if (!rng_chance(r, 60) || t->way != SHAPE_BOTH || t->columns_n + 2 > SHAPE_COLUMNS_MAX)
        return;
    for (uint32_t i = 0; i < 2; i++) {
        struct shape_table *parent = &s->tables[i];

        parent->lasting = parent < t && shape_surrogate(parent) && parent->way == SHAPE_BOTH;
        if (parent->lasting)
            parent->kind = SHAPE_AUTO;
    }
    if (form == SHAPE_TYPED)
        column_add(t, SHAPE_TYPE, "of_type", "TEXT");
    c = column_add(t, SHAPE_REF, "of", form == SHAPE_WRITTEN ? "TEXT" : "INTEGER");
    c->form = form;
    if (form == SHAPE_BARE)
        c->parent = 0;
}

/* One column whose values stay on each PC. */
static void draw_local(struct shape *s, struct rng *r)
{
    struct shape_table *t = &s->tables[rng_below(r, s->n)];
    struct shape_column *c = &t->columns[rng_below(r, t->columns_n)];

    c->local = rng_chance(r, 50) && t->way == SHAPE_BOTH && c->role == SHAPE_DATA &&
               c->values != SHAPE_TICKET && c->values != SHAPE_COUNTER;
}

static void tell_names(struct shape *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        memcpy(s->tables[i].told, s->tables[i].name, sizeof s->tables[i].told);
}

void shape_draw(struct shape *s, struct rng *r)
{
    static const char *const names[SHAPE_TABLES_MAX] = {"client", "order",     "Ligne de vente",
                                                        "stock",  "a\"quote'", "été"};
    struct rng aside = *r, numbers = {~r->state};
    uint32_t n = 2 + rng_below(r, SHAPE_TABLES_MAX - 1);

    *s = (struct shape){0};
    for (uint32_t i = 0; i < n; i++) {
        struct shape_table *t = &s->tables[i];

        snprintf(t->name, sizeof t->name, "%s", names[i]);
        t->kind = (enum shape_kind)rng_below(r, i == 0 ? SHAPE_CODE : SHAPE_KINDS);
        draw_key(s, t, r);
        draw_data(t, r);
        draw_references(s, t, r);
        draw_tree(s, t, r);
        s->n++;
    }
    s->journal = rng_chance(&aside, 75);
    draw_numbers(s, &numbers);
    draw_way(s, &numbers);
    draw_local(s, &numbers);
    draw_united(s, &numbers);
    draw_owned(s, &numbers);
    draw_loose(s, &numbers);
    tell_names(s);
}

static struct shape_table *till_table(struct shape *s, const char *name, enum shape_kind kind)
{
    struct shape_table *t = &s->tables[s->n++];

    *t = (struct shape_table){.kind = kind, .keys = 1};
    snprintf(t->name, sizeof t->name, "%s", name);
    if (kind == SHAPE_CODE) {
        column_add(t, SHAPE_KEY, "code", "TEXT")->not_null = true;
    } else {
        column_add(t, SHAPE_KEY, "id", "INTEGER");
        column_add(t, SHAPE_MARK, "mark", "TEXT")->not_null = true;
    }
    return t;
}

void shape_till(struct shape *s)
{
    struct shape_table *t;

    *s = (struct shape){0};
    t = till_table(s, "customer", SHAPE_ROWID);
    column_add(t, SHAPE_DATA, "name", "TEXT")->values = SHAPE_TEXT;
    t = till_table(s, "article", SHAPE_CODE);
    column_add(t, SHAPE_DATA, "price", "decimal(10,2)")->values = SHAPE_DECIMAL;
    t = till_table(s, "invoice", SHAPE_AUTO);
    reference_add(s, t, "customer_id", 0);
    column_add(t, SHAPE_DATA, "total", "decimal(10,2)")->values = SHAPE_DECIMAL;
    t = till_table(s, "line", SHAPE_AUTO);
    reference_add(s, t, "invoice_id", 2)->not_null = true;
    reference_add(s, t, "article", 1);
    column_add(t, SHAPE_DATA, "quantity", "INTEGER")->values = SHAPE_INT;
    tell_names(s);
}

const struct shape *shape_at(const struct shape *s, uint32_t version)
{
    while (version-- > 0 && s->next != NULL)
        s = s->next;
    return s;
}

static void column_sql(sqlite3_str *out, const struct shape *s, const struct shape_table *t,
                       const struct shape_column *c)
{
    sqlite3_str_appendf(out, "\"%w\" %s", c->name, c->type);
    if (shape_surrogate(t) && c->role == SHAPE_KEY)
        sqlite3_str_appendf(out, " PRIMARY KEY%s", t->kind == SHAPE_AUTO ? " AUTOINCREMENT" : "");
    else if (t->keys == 1 && c == t->columns)
        sqlite3_str_appendf(out, " PRIMARY KEY");
    if (c->not_null)
        sqlite3_str_appendf(out, " NOT NULL");
    if (c->fill != NULL)
        sqlite3_str_appendf(out, " DEFAULT %s", c->fill);
    if (c->pooled || c->owner || (c->role == SHAPE_DATA && c->values == SHAPE_TICKET))
        sqlite3_str_appendf(out, " UNIQUE");
    if (c->role == SHAPE_REF && !shape_loose(c)) {
        const struct shape_table *parent = &s->tables[c->parent];

        sqlite3_str_appendf(out, " REFERENCES \"%w\"(\"%w\")%s %s", parent->name,
                            parent->columns[c->names].name,
                            c->names == 0 ? "" : " ON UPDATE CASCADE", c->on_delete);
    }
}

char *shape_column_sql(const struct shape *s, const struct shape_table *t, uint32_t column)
{
    sqlite3_str *out = sqlite3_str_new(NULL);

    column_sql(out, s, t, &t->columns[column]);
    return sqlite3_str_finish(out);
}

char *shape_sql(const struct shape *s, const struct shape_table *t,
                const uint32_t order[SHAPE_COLUMNS_MAX])
{
    sqlite3_str *out = sqlite3_str_new(NULL);
    const char *comma = "";

    sqlite3_str_appendf(out, "CREATE TABLE \"%w\"(", t->name);
    for (uint32_t i = 0; i < t->columns_n; i++) {
        if (t->columns[order[i]].absent)
            continue;
        sqlite3_str_appendall(out, comma);
        column_sql(out, s, t, &t->columns[order[i]]);
        comma = ", ";
    }
    if (t->keys == 2)
        sqlite3_str_appendf(out, ", PRIMARY KEY(\"%w\", \"%w\")", t->columns[0].name,
                            t->columns[1].name);
    sqlite3_str_appendf(out, ")%s", t->without_rowid ? " WITHOUT ROWID" : "");
    return sqlite3_str_finish(out);
}
