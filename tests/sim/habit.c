#include "habit.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#define TRIES   8
#define OMITTED UINT32_MAX /* a column that an INSERT leaves out */

static const struct shape_table *table_of(const struct app *a, uint32_t table)
{
    return &shape_at(a->shape, a->now.version)->tables[table];
}

/* ---- drawing ---- */

/* Is this number given in this column? `highest`: what all of them end in. */
static bool ticket_used(const struct app *a, const struct shape_column *c, uint32_t word,
                        uint32_t *highest)
{
    bool used = false;

    for (uint32_t i = 0; i < a->now.n; i++) {
        const struct view_row *r = &a->now.rows[i];
        const struct shape_table *t = table_of(a, r->table);
        unsigned number;

        if (c < t->columns || c >= t->columns + t->columns_n)
            continue;
        used |= r->raw[c - t->columns] == word;
        if (sscanf(words_text(a->words, r->raw[c - t->columns]), "'T%u'", &number) == 1 &&
            number > *highest)
            *highest = number;
    }
    return used;
}

/* The next number after the highest, sometimes one that was left out. */
static uint32_t draw_ticket(struct app *a, const struct shape_column *c)
{
    uint32_t highest = 0, word;

    ticket_used(a, c, WORD_NULL, &highest);
    word = words_format(a->words, "'T%u'", 1 + rng_below(&a->rng, highest + 1));
    return rng_chance(&a->rng, 80) || ticket_used(a, c, word, &highest)
               ? words_format(a->words, "'T%u'", highest + 1)
               : word;
}

/* A value for a column, unlike every other value ever written, but for flags and NULLs. */
static uint32_t draw_value(struct app *a, const struct shape_column *c)
{
    unsigned long long serial = ++*a->serial;
    uint32_t dice = rng_below(&a->rng, 100);

    if (!c->not_null && dice < 8)
        return WORD_NULL;
    switch (c->values) {
    case SHAPE_INT:
        return words_format(a->words,
                            dice < 15   ? "-%llu"
                            : dice < 20 ? "'text %llu'"
                            : dice < 25 ? "%llu1234567890"
                                        : "%llu",
                            serial);
    case SHAPE_REAL:
        return words_format(a->words,
                            dice < 15   ? "%llu"
                            : dice < 20 ? "%llue30"
                                        : "%llu.25",
                            serial);
    case SHAPE_TEXT:
        return words_format(a->words,
                            dice < 15   ? "CAST(x'c3a9%08llx00ff' AS TEXT)"
                            : dice < 20 ? "%llu"
                                        : "'text %llu'",
                            serial);
    case SHAPE_BLOB:
        return words_format(a->words, "x'%016llx'", serial);
    case SHAPE_COUNTER:
        return words_format(a->words, dice < 12 ? "'many %llu'" : "%llu", serial * 10);
    case SHAPE_TICKET:
        return draw_ticket(a, c);
    case SHAPE_DECIMAL:
        return words_format(a->words, dice < 40 ? "'%llu.00'" : "'%llu.50'", serial);
    default:
        return words_format(a->words, "%u", rng_below(&a->rng, 3));
    }
}

/* What an application writes into a column that holds `was`: of a stock, some more or less. */
static uint32_t draw_next(struct app *a, const struct shape_column *c, uint32_t was)
{
    const char *text = words_text(a->words, was);
    int64_t change;
    char *end;
    double v = strtod(text, &end);

    if (c->values != SHAPE_COUNTER || was == WORD_NULL || *end != '\0' || rng_chance(&a->rng, 4))
        return draw_value(a, c);
    change = (int64_t)rng_below(&a->rng, 4000) - 2500;
    if (c->type[0] == 'I')
        return words_format(a->words, "%.0f", v + (double)change);
    return words_format(a->words, "%.2f", v + (double)change / 4);
}

/* A random row of `table`, or of any table when it is negative; NULL if there is none. */
static const struct view_row *draw_row(struct app *a, int table)
{
    uint32_t first = rng_below(&a->rng, a->now.n);

    for (uint32_t i = 0; i < a->now.n; i++) {
        const struct view_row *r = &a->now.rows[(first + i) % a->now.n];

        if (table < 0 || r->table == (uint32_t)table)
            return r;
    }
    return NULL;
}

static bool key_used(const struct app *a, uint32_t table, const uint32_t *key)
{
    const struct shape_table *t = table_of(a, table);

    for (uint32_t i = 0; i < a->now.n; i++) {
        const struct view_row *r = &a->now.rows[i];

        if (r->table == table && r->raw[0] == key[0] && (t->keys == 1 || r->raw[1] == key[1]))
            return true;
    }
    return false;
}

/* The literal of a row that a reference can name. False when there is none. */
static bool draw_parent(struct app *a, const struct shape_column *c, uint32_t *literal)
{
    const struct view_row *parent = draw_row(a, c->parent);

    if (parent != NULL)
        *literal = parent->raw[c->names];
    return parent != NULL;
}

/* A key that no row has now, maybe one that a row had before: applications hand out numbers again.
 */
static bool draw_key(struct app *a, uint32_t table, uint32_t *key)
{
    const struct shape_table *t = table_of(a, table);

    for (int i = 0; i < TRIES; i++) {
        if (t->lasting)
            return true; /* SQLite gives the next one */
        if (shape_surrogate(t))
            key[0] = words_format(a->words, "%u", 1 + rng_below(&a->rng, 24));
        else if (t->kind == SHAPE_CODE)
            key[0] = words_format(a->words, "'K%u'", rng_below(&a->rng, 12));
        else if (t->kind == SHAPE_PAIR) {
            key[0] = words_format(a->words, "'%c'", 'A' + (int)rng_below(&a->rng, 3));
            key[1] = words_format(a->words, "%u", rng_below(&a->rng, 4));
        } else {
            for (uint32_t k = 0; k < t->keys; k++)
                if (!draw_parent(a, &t->columns[k], &key[k]))
                    return false;
        }
        if (!key_used(a, table, key))
            return true;
    }
    return false;
}

static bool mark_used(const struct view *v, uint32_t table, uint32_t mark)
{
    bool used = false;

    for (uint32_t i = 0; i < v->n; i++)
        used |= v->rows[i].table == table && v->rows[i].raw[1] == mark;
    return used;
}

/* What names a new row for good. False when all names there are have been given. One that was given
 * when the transaction began is not given again: nobody could tell the two rows apart. */
static bool draw_mark(struct app *a, uint32_t table, const struct shape_column *c, uint32_t *mark)
{
    if (strcmp(c->name, SHAPE_FILTER) == 0) {
        *mark = words_format(a->words, "%u", rng_below(&a->rng, 3));
        return true;
    }
    if (!c->pooled) {
        *mark = words_format(a->words, "'m%llu'", (unsigned long long)++*a->serial);
        return true;
    }
    for (int i = 0; i < TRIES; i++) {
        *mark = words_format(a->words, "'b%u'", rng_below(&a->rng, 12));
        if (!mark_used(&a->now, table, *mark) && !mark_used(&a->before, table, *mark))
            return true;
    }
    return false;
}

/* A row to belong to that has none of this table, and had none when the transaction began. */
static bool draw_owner(struct app *a, uint32_t table, const struct shape_column *c, uint32_t at,
                       uint32_t *literal)
{
    bool free = false;

    for (int i = 0; i < TRIES && !free; i++) {
        const struct view_row *parent = draw_row(a, c->parent);

        if (parent == NULL)
            return false;
        free = true;
        for (uint32_t k = 0; k < a->now.n; k++)
            free &= a->now.rows[k].table != table || a->now.rows[k].cells[at] != parent->name;
        for (uint32_t k = 0; k < a->before.n; k++)
            free &= a->before.rows[k].table != table || a->before.rows[k].cells[at] != parent->name;
        *literal = parent->raw[0];
    }
    return free;
}

/* What names some row in a column by rule, beside the name of its table if that is so: or
 * nothing. */
static void draw_loose(struct app *a, uint32_t table, uint32_t column, uint32_t *literals)
{
    const struct shape_column *c = &table_of(a, table)->columns[column];
    const struct view_row *row = draw_row(a, (int)rng_below(&a->rng, 2));

    literals[column] = WORD_NULL;
    if (c->form == SHAPE_TYPED)
        literals[column - 1] = WORD_NULL;
    if (c->form == SHAPE_BARE)
        row = draw_row(a, c->parent);
    if (row == NULL || !table_of(a, row->table)->lasting || rng_chance(&a->rng, 15))
        return;
    literals[column] = row->raw[0];
    if (c->form == SHAPE_TYPED)
        literals[column - 1] = words_format(a->words, "'%s'", table_of(a, row->table)->name);
    if (c->form == SHAPE_WRITTEN)
        literals[column] = words_format(a->words, "'%s,%s'", table_of(a, row->table)->name,
                                        words_text(a->words, row->raw[0]));
}

/* One literal per column for a new row. False when a parent it needs does not exist. */
static bool draw_fresh(struct app *a, uint32_t table, uint32_t *literals)
{
    const struct shape_table *t = table_of(a, table);

    if (!draw_key(a, table, literals))
        return false;
    if (t->lasting || (shape_surrogate(t) && rng_chance(&a->rng, 75)))
        literals[0] = OMITTED;
    for (uint32_t i = t->keys; i < t->columns_n; i++) {
        const struct shape_column *c = &t->columns[i];

        literals[i] = WORD_NULL;
        if (c->role == SHAPE_MARK && !draw_mark(a, table, c, &literals[i]))
            return false;
        if (c->absent)
            literals[i] = OMITTED;
        else if (c->role == SHAPE_DATA)
            literals[i] = draw_value(a, c);
        if (c->owner && !draw_owner(a, table, c, i, &literals[i]))
            return false;
        if (shape_loose(c))
            draw_loose(a, table, i, literals);
        else if (c->role == SHAPE_REF && !c->owner && (c->not_null || rng_chance(&a->rng, 70)))
            if (!draw_parent(a, c, &literals[i]) && c->not_null)
                return false;
    }
    return true;
}

/* Index of a random column that holds data, -1 if there is none. */
static int draw_data_column(struct app *a, uint32_t table)
{
    const struct shape_table *t = table_of(a, table);
    uint32_t first = rng_below(&a->rng, t->columns_n);

    for (uint32_t i = 0; i < t->columns_n; i++) {
        uint32_t at = (first + i) % t->columns_n;

        if (t->columns[at].role == SHAPE_DATA && !t->columns[at].absent)
            return (int)at;
    }
    return -1;
}

/* ---- doing ---- */

static bool insert(struct app *a, uint32_t table, const char *verb, const uint32_t *literals,
                   const char *tail, struct err *e)
{
    const struct shape_table *t = table_of(a, table);
    sqlite3_str *names = sqlite3_str_new(NULL);
    sqlite3_str *values = sqlite3_str_new(NULL);
    char *names_text, *values_text;
    bool ok;

    for (uint32_t i = 0; i < t->columns_n; i++) {
        const char *comma = sqlite3_str_length(names) == 0 ? "" : ", ";

        if (literals[i] == OMITTED || literals[i] == WORD_ABSENT)
            continue;
        sqlite3_str_appendf(names, "%s\"%w\"", comma, t->columns[i].name);
        sqlite3_str_appendf(values, "%s%s", comma, words_text(a->words, literals[i]));
    }
    names_text = sqlite3_str_finish(names);
    values_text = sqlite3_str_finish(values);
    ok = app_run(a, e, "%s INTO \"%w\"(%s) VALUES (%s)%s", verb, t->name, names_text, values_text,
                 tail);
    sqlite3_free(names_text);
    sqlite3_free(values_text);
    return ok;
}

static bool insert_fresh(struct app *a, struct err *e)
{
    uint32_t literals[SHAPE_COLUMNS_MAX];

    for (int i = 0; i < TRIES; i++) {
        uint32_t table = rng_below(&a->rng, a->shape->n);

        if (draw_fresh(a, table, literals))
            return insert(a, table, "INSERT", literals, "", e);
    }
    return true;
}

static bool update_cell(struct app *a, const struct view_row *row, struct err *e)
{
    const struct shape_table *t = table_of(a, row->table);
    int column = draw_data_column(a, row->table);

    if (column < 0)
        return true;
    app_touch(a, row);
    return app_run(a, e, "UPDATE \"%w\" SET \"%w\" = %s WHERE %s", t->name, t->columns[column].name,
                   words_text(a->words, draw_next(a, &t->columns[column], row->raw[column])),
                   words_text(a->words, row->where));
}

/* As an ORM saves an object: every column is written, one or two of them have changed. */
static bool save_row(struct app *a, const struct view_row *row, struct err *e)
{
    const struct shape_table *t = table_of(a, row->table);
    int changed[2] = {draw_data_column(a, row->table), draw_data_column(a, row->table)};
    sqlite3_str *out = sqlite3_str_new(NULL);
    char *text;
    bool ok;

    for (uint32_t i = t->keys; i < t->columns_n; i++) {
        bool fresh = (int)i == changed[0] || (int)i == changed[1];
        uint32_t value = fresh ? draw_next(a, &t->columns[i], row->raw[i]) : row->raw[i];

        if (!t->columns[i].absent && value != WORD_ABSENT)
            sqlite3_str_appendf(out, "%s\"%w\" = %s", sqlite3_str_length(out) == 0 ? "" : ", ",
                                t->columns[i].name, words_text(a->words, value));
    }
    app_touch(a, row);
    text = sqlite3_str_finish(out);
    ok = text == NULL || app_run(a, e, "UPDATE \"%w\" SET %s WHERE %s", t->name, text,
                                 words_text(a->words, row->where));
    sqlite3_free(text);
    return ok;
}

/* An object that was read a while ago is saved, one column of it new; or one is read. */
static bool save_kept(struct app *a, const struct view_row *row, struct err *e)
{
    const struct view_row *now =
        a->has_kept ? view_find(&a->now, a->kept.table, a->kept.name) : NULL;
    struct view_row old = a->kept;

    a->has_kept = now == NULL;
    a->kept = *row;
    if (now == NULL)
        return true;
    old.where = now->where;
    for (uint32_t i = 0; i < table_of(a, old.table)->columns_n; i++)
        if (table_of(a, old.table)->columns[i].owner || table_of(a, old.table)->way == SHAPE_SOME)
            old.raw[i] = now->raw[i];
    return save_row(a, &old, e);
}

/* The row names another one, by rule. */
static bool move_loose(struct app *a, const struct view_row *row, uint32_t column, struct err *e)
{
    const struct shape_table *t = table_of(a, row->table);
    uint32_t literals[SHAPE_COLUMNS_MAX];

    app_touch(a, row);
    draw_loose(a, row->table, column, literals);
    if (t->columns[column].form != SHAPE_TYPED)
        return app_run(a, e, "UPDATE \"%w\" SET \"%w\" = %s WHERE %s", t->name,
                       t->columns[column].name, words_text(a->words, literals[column]),
                       words_text(a->words, row->where));
    return app_run(a, e, "UPDATE \"%w\" SET \"%w\" = %s, \"%w\" = %s WHERE %s", t->name,
                   t->columns[column - 1].name, words_text(a->words, literals[column - 1]),
                   t->columns[column].name, words_text(a->words, literals[column]),
                   words_text(a->words, row->where));
}

/* A row that had stayed on this PC is let out. */
static bool let_out(struct app *a, const struct view_row *row, struct err *e)
{
    return app_run(a, e, "UPDATE \"%w\" SET " SHAPE_FILTER " = %u WHERE %s",
                   table_of(a, row->table)->name, 1 + rng_below(&a->rng, 2),
                   words_text(a->words, row->where));
}

/* The row now belongs to another parent, or to none. */
static bool move_to_parent(struct app *a, const struct view_row *row, struct err *e)
{
    const struct shape_table *t = table_of(a, row->table);
    uint32_t literal = WORD_NULL, last = t->columns_n - 1;

    if (view_stays(a->shape, a->words, row))
        return let_out(a, row, e);
    if (shape_loose(&t->columns[last]) && rng_chance(&a->rng, 60))
        return move_loose(a, row, last, e);

    for (uint32_t i = t->keys; i < t->columns_n; i++) {
        const struct shape_column *c = &t->columns[i];

        if (c->role != SHAPE_REF || c->owner || shape_loose(c))
            continue;
        if (c->not_null || rng_chance(&a->rng, 70))
            if (!draw_parent(a, c, &literal))
                continue;
        app_touch(a, row);
        return app_run(a, e, "UPDATE \"%w\" SET \"%w\" = %s WHERE %s", t->name, c->name,
                       words_text(a->words, literal), words_text(a->words, row->where));
    }
    return true;
}

static bool delete_row(struct app *a, const struct view_row *row, struct err *e)
{
    return app_run(a, e, "DELETE FROM \"%w\" WHERE %s", table_of(a, row->table)->name,
                   words_text(a->words, row->where));
}

/* A row and all that depends on it, the way an ORM does it: collected first, then deleted one by
 * one. */
static bool delete_tree(struct app *a, const struct view_row *root, struct err *e)
{
    const struct view_row **doomed = mem_alloc((a->now.n + 1) * sizeof(struct view_row *));
    bool *seen = mem_alloc(a->now.n * sizeof *seen);
    uint32_t n = 0;
    bool ok = app_run(a, e, "PRAGMA defer_foreign_keys = ON");

    doomed[n++] = root;
    seen[root - a->now.rows] = true;
    for (uint32_t i = 0; i < n; i++) {
        const struct view_row *child = NULL;

        while ((child = view_child(&a->now, a->shape, doomed[i]->table, doomed[i]->name, child))) {
            if (!seen[child - a->now.rows])
                doomed[n++] = child;
            seen[child - a->now.rows] = true;
        }
    }
    while (ok && n > 0)
        ok = delete_row(a, doomed[--n], e);
    free(seen);
    free(doomed);
    return ok;
}

/* The whole row again, one cell of it new. */
static bool put_row(struct app *a, const struct view_row *row, const char *verb, bool upsert,
                    struct err *e)
{
    const struct shape_table *t = table_of(a, row->table);
    uint32_t literals[SHAPE_COLUMNS_MAX];
    int column = draw_data_column(a, row->table);
    char *tail;
    bool ok;

    if (column < 0)
        return true;
    app_touch(a, row);
    for (uint32_t i = 0; i < t->columns_n; i++)
        literals[i] = row->raw[i];
    literals[column] = draw_next(a, &t->columns[column], row->raw[column]);
    tail = sqlite3_mprintf(" ON CONFLICT(\"%w\"%s%w%s) DO UPDATE SET \"%w\" = excluded.\"%w\"",
                           t->columns[0].name, t->keys == 2 ? ", \"" : "",
                           t->keys == 2 ? t->columns[1].name : "", t->keys == 2 ? "\"" : "",
                           t->columns[column].name, t->columns[column].name);
    ok = insert(a, row->table, verb, literals, upsert ? tail : "", e);
    sqlite3_free(tail);
    return ok;
}

static bool upsert_row(struct app *a, const struct view_row *row, struct err *e)
{
    return put_row(a, row, "INSERT", true, e);
}

static bool replace_row(struct app *a, const struct view_row *row, struct err *e)
{
    return put_row(a, row, "INSERT OR REPLACE", false, e);
}

/* Change a key of one column, and all references to it. Recursion is as deep as tables hang on
 * tables. */
static bool change_key(struct app *a, uint32_t table, const char *from, const char *to,
                       struct err *e)
{
    const struct shape_table *t = table_of(a, table);

    if (!app_run(a, e, "UPDATE \"%w\" SET \"%w\" = %s WHERE \"%w\" = %s", t->name,
                 t->columns[0].name, to, t->columns[0].name, from))
        return false;
    for (uint32_t i = 0; i < a->shape->n; i++) {
        const struct shape_table *child = table_of(a, i);

        for (uint32_t c = 0; c < child->columns_n; c++) {
            const char *name = child->columns[c].name;

            if (child->columns[c].role != SHAPE_REF || child->columns[c].parent != (int)table ||
                child->columns[c].names != 0)
                continue;
            if (c == 0 && child->keys == 1 ? !change_key(a, i, from, to, e)
                                           : !app_run(a, e,
                                                      "UPDATE \"%w\" SET \"%w\" = %s "
                                                      "WHERE \"%w\" = %s",
                                                      child->name, name, to, name, from))
                return false;
        }
    }
    return true;
}

static void note_move(struct app *a, const struct view_row *row, const uint32_t *key)
{
    const struct shape_table *t = table_of(a, row->table);
    struct app_move *m = &a->moves[a->moves_n];

    if (shape_surrogate(t))
        return;
    a->moves_n++;
    *m = (struct app_move){.table = row->table, .from = row->name};
    m->to = t->keys == 1 ? words_format(a->words, "%s/%s", t->told, words_text(a->words, key[0]))
                         : words_format(a->words, "%s/%s+%s", t->told, words_text(a->words, key[0]),
                                        words_text(a->words, key[1]));
}

static bool move_key(struct app *a, const struct view_row *row, struct err *e)
{
    const struct shape_table *t = table_of(a, row->table);
    uint32_t key[2] = {0};

    if (t->lasting || t->kind == SHAPE_JOIN || t->kind == SHAPE_ONE ||
        a->moves_n == APP_MOVES_MAX || !draw_key(a, row->table, key))
        return true;
    note_move(a, row, key);
    if (t->kind == SHAPE_PAIR)
        return app_run(a, e, "UPDATE \"%w\" SET \"%w\" = %s, \"%w\" = %s WHERE %s", t->name,
                       t->columns[0].name, words_text(a->words, key[0]), t->columns[1].name,
                       words_text(a->words, key[1]), words_text(a->words, row->where));
    return app_run(a, e, "PRAGMA defer_foreign_keys = ON") &&
           change_key(a, row->table, words_text(a->words, row->raw[0]),
                      words_text(a->words, key[0]), e);
}

/* Does a row's own identity hang on this one? */
static bool names_others(const struct app *a, const struct view_row *row)
{
    const struct view_row *child = NULL;

    while ((child = view_child(&a->now, a->shape, row->table, row->name, child))) {
        const struct shape_table *t = table_of(a, child->table);

        for (uint32_t i = 0; i < t->columns_n; i++)
            if ((i < t->keys || t->columns[i].owner) && t->columns[i].role == SHAPE_REF &&
                child->cells[i] == row->name)
                return true;
    }
    return false;
}

/* Deleted, and its number given to a new row at once. */
static bool bear_again(struct app *a, const struct view_row *row, struct err *e)
{
    const struct shape_table *t = table_of(a, row->table);
    uint32_t literals[SHAPE_COLUMNS_MAX];
    uint32_t id = row->raw[0];

    if (!shape_surrogate(t) || t->lasting || names_others(a, row) ||
        !draw_fresh(a, row->table, literals))
        return true;
    for (uint32_t i = t->keys; i < t->columns_n; i++)
        if (t->columns[i].role == SHAPE_REF && literals[i] == id)
            literals[i] = t->columns[i].not_null ? literals[i] : WORD_NULL;
    literals[0] = id;
    return app_run(a, e, "PRAGMA defer_foreign_keys = ON") && delete_row(a, row, e) &&
           insert(a, row->table, "INSERT", literals, "", e);
}

/* ---- the draw ---- */

struct habit {
    uint32_t weight;
    bool refusable; /* its own foreign keys may forbid it */
    bool (*follow)(struct app *a, const struct view_row *row, struct err *e);
};

bool habit_follow(struct app *a, struct err *e)
{
    static const struct habit habits[] = {
        {22, false, update_cell}, {10, false, save_row},  {8, false, move_to_parent},
        {6, true, delete_row},    {5, true, delete_tree}, {6, false, upsert_row},
        {5, true, replace_row},   {5, false, move_key},   {4, true, bear_again},
        {6, true, save_kept},
    };
    uint32_t dice = rng_below(&a->rng, 100);
    const struct view_row *row;
    bool ok;

    if (!view_read(&a->now, a->shape, a->words, a->db, e))
        return false;
    row = draw_row(a, -1);
    if (a->unwatched && row != NULL && dice < 70)
        return update_cell(a, row, e);
    for (uint32_t i = 0; row != NULL && !a->unwatched && i < COUNT_OF(habits); i++) {
        if (dice < habits[i].weight) {
            ok = habits[i].follow(a, row, e);
            if (!ok && e->code == ERR_REFUSED && !habits[i].refusable)
                e->code = ERR_STORE;
            return ok;
        }
        dice -= habits[i].weight;
    }
    return insert_fresh(a, e);
}
