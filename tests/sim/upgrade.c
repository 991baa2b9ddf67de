#include "upgrade.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "sim.h"

#define TRIES 12

/* ---- what will be ---- */

/* Another version than the first is `version` - 1 of the list. */
static struct shape *version_of(struct upgrades *u, struct shape *first, uint32_t version)
{
    return version == 0 ? first : &u->versions[version - 1];
}

static bool is_plain(const struct shape_column *c)
{
    return c->role == SHAPE_DATA && !c->local && !c->absent && c->values != SHAPE_TICKET;
}

/* What a migration fills in, as every file shows it. */
static void draw_fill(struct shape_column *c, struct rng *r)
{
    static const struct {
        const char *type, *fill;
    } kinds[SHAPE_VALUES] = {
        [SHAPE_COUNTER] = {"INTEGER", "40"}, [SHAPE_INT] = {"bigint", "7"},
        [SHAPE_REAL] = {"REAL", "7.5"},      [SHAPE_TEXT] = {"TEXT", "'new'"},
        [SHAPE_BLOB] = {"BLOB", "x'0700'"},  [SHAPE_DECIMAL] = {"decimal", "7"},
        [SHAPE_FLAG] = {"bool", "1"},
    };

    c->values = (enum shape_values)rng_below(r, SHAPE_TICKET);
    c->type = kinds[c->values].type;
    c->not_null = rng_chance(r, 40);
    c->fill = c->not_null || rng_chance(r, 50) ? kinds[c->values].fill : NULL;
}

/* Every version has the column, and those before `version` without it. */
static bool draw_added(struct upgrades *u, struct shape *first, struct upgrade *up)
{
    struct shape_table *t = &version_of(u, first, u->n + 1)->tables[up->table];
    struct shape_column c = {.role = SHAPE_DATA, .parent = -1, .on_delete = "", .vague = true};

    if (t->columns_n == SHAPE_COLUMNS_MAX)
        return false;
    snprintf(c.name, sizeof c.name, "neu %u", u->n);
    draw_fill(&c, &u->rng);
    up->column = t->columns_n;
    for (uint32_t v = 0; v <= u->n + 1; v++) {
        t = &version_of(u, first, v)->tables[up->table];
        c.absent = v <= u->n;
        t->columns[t->columns_n++] = c;
    }
    return true;
}

/* A column of the table that a person may rename, or do without. */
static bool draw_old(struct upgrades *u, const struct shape_table *t, struct upgrade *up)
{
    uint32_t first = rng_below(&u->rng, t->columns_n);

    for (uint32_t i = 0; i < t->columns_n; i++) {
        up->column = (first + i) % t->columns_n;
        if (is_plain(&t->columns[up->column]) &&
            (up->kind != UPGRADE_DROP || !t->columns[up->column].not_null))
            return true;
    }
    return false;
}

/* In all versions: no journal tells what a file shows of it. */
static void make_vague(struct upgrades *u, struct shape *first, const struct upgrade *up)
{
    for (uint32_t v = 0; v <= u->n + 1; v++) {
        struct shape_table *t = &version_of(u, first, v)->tables[up->table];

        if (up->kind == UPGRADE_CALL)
            t->vague = true;
        else
            t->columns[up->column].vague = true;
    }
}

/* Rules and texts name it: it keeps its name. */
static bool is_named_by_text(const struct shape_table *t)
{
    return t->lasting;
}

static bool draw_one(struct upgrades *u, struct shape *first, struct upgrade *up)
{
    struct shape *s = version_of(u, first, u->n + 1);
    struct shape_table *t;

    up->table = rng_below(&u->rng, s->n);
    up->kind = (enum upgrade_kind)rng_below(&u->rng, UPGRADE_REBUILD + 1);
    up->rebuilds = up->kind == UPGRADE_REBUILD || rng_chance(&u->rng, 30);
    t = &s->tables[up->table];
    up->rebuilds &= !t->lasting && up->kind != UPGRADE_CALL;
    if (t->way != SHAPE_BOTH || (up->kind == UPGRADE_REBUILD && !up->rebuilds) ||
        (up->kind == UPGRADE_CALL && is_named_by_text(t)))
        return false;
    if (up->kind == UPGRADE_ADD)
        return draw_added(u, first, up);
    if ((up->kind == UPGRADE_RENAME || up->kind == UPGRADE_DROP) && !draw_old(u, t, up))
        return false;
    if (up->kind == UPGRADE_RENAME)
        snprintf(t->columns[up->column].name, sizeof t->columns->name, "now %u", u->n);
    if (up->kind == UPGRADE_DROP)
        t->columns[up->column].absent = true;
    if (up->kind == UPGRADE_CALL)
        snprintf(t->name, sizeof t->name, "known as %u", u->n);
    if (up->kind == UPGRADE_RENAME || up->kind == UPGRADE_CALL)
        make_vague(u, first, up);
    return true;
}

void upgrade_draw(struct upgrades *u, struct shape *first, uint64_t seed)
{
    uint32_t n;

    *u = (struct upgrades){.rng = {seed ^ UINT64_C(0x736368656d61)}};
    n = 1 + rng_below(&u->rng, UPGRADES_MAX);
    first->lists_versions = rng_chance(&u->rng, 75);
    for (int i = 0; i < TRIES && u->n < n; i++) {
        u->versions[u->n] = *version_of(u, first, u->n);
        u->versions[u->n].next = NULL;
        if (draw_one(u, first, &u->list[u->n]))
            u->n++;
    }
    for (uint32_t v = 0; v < u->n; v++)
        version_of(u, first, v)->next = &u->versions[v];
}

/* ---- doing it ---- */

/* All columns that both versions have, as `of` calls them; with what is new, `fill` in its place.
 */
static char *list_columns(const struct shape_table *from, const struct shape_table *to, bool target)
{
    sqlite3_str *out = sqlite3_str_new(NULL);

    for (uint32_t i = 0; i < to->columns_n; i++) {
        const struct shape_column *was = &from->columns[i], *is = &to->columns[i];
        const char *comma = sqlite3_str_length(out) == 0 ? "" : ", ";

        if (is->absent)
            continue;
        if (target || !was->absent)
            sqlite3_str_appendf(out, "%s\"%w\"", comma, target ? is->name : was->name);
        else
            sqlite3_str_appendf(out, "%s%s", comma, is->fill == NULL ? "NULL" : is->fill);
    }
    return sqlite3_str_finish(out);
}

static int find_column(const struct shape_table *t, const char *name)
{
    for (uint32_t i = 0; i < t->columns_n; i++)
        if (!t->columns[i].absent && strcmp(t->columns[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* The order in which the file has its columns, then those that it does not have. */
static bool read_order(struct app *a, const struct shape_table *t,
                       uint32_t order[SHAPE_COLUMNS_MAX], struct err *e)
{
    sqlite3_stmt *q = NULL;
    bool there[SHAPE_COLUMNS_MAX] = {0};
    uint32_t n = 0;
    int code = sqlite3_prepare_v2(a->db, "SELECT name FROM pragma_table_info(?1)", -1, &q, NULL);

    if (code == SQLITE_OK)
        sqlite3_bind_text(q, 1, t->name, -1, SQLITE_STATIC);
    while (code == SQLITE_OK && (code = sqlite3_step(q)) == SQLITE_ROW) {
        int at = find_column(t, (const char *)sqlite3_column_text(q, 0));

        assert(at >= 0 && n < SHAPE_COLUMNS_MAX);
        there[at] = true;
        order[n++] = (uint32_t)at;
        code = SQLITE_OK;
    }
    sqlite3_finalize(q);
    for (uint32_t i = 0; i < t->columns_n; i++)
        if (!there[i])
            order[n++] = i;
    return code == SQLITE_DONE || err_set(e, ERR_STORE, "%s", sqlite3_errmsg(a->db));
}

/* As Django does what SQLite cannot: a new table, the rows copied, the old one dropped. */
static bool rebuild(struct app *a, const struct shape *to, const struct shape_table *was,
                    const struct shape_table *is, struct err *e)
{
    struct shape_table made = *is;
    char *sql, *names = list_columns(was, is, true), *values = list_columns(was, is, false);
    uint32_t order[SHAPE_COLUMNS_MAX];
    bool ok = read_order(a, was, order, e);

    snprintf(made.name, sizeof made.name, "new__table");
    sql = ok ? shape_sql(to, &made, order) : NULL;
    ok = ok && app_run(a, e, "%s", sql) &&
         app_run(a, e, "INSERT INTO \"%w\"(%s) SELECT %s FROM \"%w\"", made.name, names, values,
                 was->name) &&
         app_run(a, e, "DROP TABLE \"%w\"", was->name) &&
         app_run(a, e, "ALTER TABLE \"%w\" RENAME TO \"%w\"", made.name, is->name);
    sqlite3_free(sql);
    sqlite3_free(names);
    sqlite3_free(values);
    return ok;
}

static bool add_column(struct app *a, const struct shape *to, const struct shape_table *t,
                       uint32_t column, struct err *e)
{
    char *sql = shape_column_sql(to, t, column);
    bool ok = app_run(a, e, "ALTER TABLE \"%w\" ADD COLUMN %s", t->name, sql);

    sqlite3_free(sql);
    return ok;
}

static bool migrate(struct upgrades *u, struct app *a, uint32_t version, struct err *e)
{
    const struct upgrade *up = &u->list[version];
    const struct shape *to = shape_at(a->shape, version + 1);
    const struct shape_table *was = &shape_at(a->shape, version)->tables[up->table];
    const struct shape_table *is = &to->tables[up->table];

    if (up->rebuilds)
        return rebuild(a, to, was, is, e);
    switch (up->kind) {
    case UPGRADE_ADD:
        return add_column(a, to, is, up->column, e);
    case UPGRADE_RENAME:
        return app_run(a, e, "ALTER TABLE \"%w\" RENAME COLUMN \"%w\" TO \"%w\"", was->name,
                       was->columns[up->column].name, is->columns[up->column].name);
    case UPGRADE_DROP:
        return app_run(a, e, "ALTER TABLE \"%w\" DROP COLUMN \"%w\"", was->name,
                       was->columns[up->column].name);
    default:
        return app_run(a, e, "ALTER TABLE \"%w\" RENAME TO \"%w\"", was->name, is->name);
    }
}

/* One transaction, as an application makes it: foreign keys are off, or dropping a table would
 * delete what hangs on it. */
static bool upgrade(void *context, struct app *a, struct err *e)
{
    struct upgrades *u = context;

    uint32_t version = a->now.version;

    return migrate(u, a, version, e) && app_run(a, e, "PRAGMA user_version = %u", version + 1) &&
           (!a->shape->lists_versions ||
            app_run(a, e, "INSERT INTO django_migrations(app, name) VALUES ('shop', '%u')",
                    version + 1));
}

static void upgrade_node(struct upgrades *u, struct sim *s, struct node *n)
{
    struct err e = {0};

    if (n->app.db == NULL || n->app.now.version >= u->n || !sim_ok(s))
        return;
    sim_trace(s, n, "gets version %u of the application", n->app.now.version + 1);
    n->app.has_kept = false;
    n->app.unwatched |= u->list[n->app.now.version].rebuilds;
    if (!app_run(&n->app, &e, "PRAGMA foreign_keys = OFF"))
        sim_fail_err(s, n, "foreign keys off", &e);
    node_commit(n, upgrade, u);
    if (n->app.db != NULL && !app_run(&n->app, &e, "PRAGMA foreign_keys = ON"))
        sim_fail_err(s, n, "foreign keys on", &e);
    n->stirred = n->upgraded = true;
}

void upgrade_happen(struct upgrades *u, struct sim *s)
{
    struct node *n;

    if (u->n == 0 || !rng_chance(&u->rng, 12))
        return;
    n = &s->nodes[rng_below(&u->rng, s->options.nodes)];
    upgrade_node(u, s, n);
    if (rng_chance(&u->rng, 30) && sim_ok(s) && n->store != NULL)
        node_pump(n);
}

void upgrade_all(struct upgrades *u, struct sim *s)
{
    for (uint32_t i = 0; i < s->options.nodes; i++)
        while (sim_ok(s) && s->nodes[i].app.db != NULL && s->nodes[i].app.now.version < u->n)
            upgrade_node(u, s, &s->nodes[i]);
}
