/* Does a rule fit this database and the other rules? Asked when somebody sets it; what is wrong is
 * said in words. */
#include <navette/rulecheck.h>

#include <stdlib.h>

#include <sqlite3.h>

#include "appunique.h"
#include "appname.h"
#include "filter.h"
#include "inside.h"
#include "rulenames.h"

#define DANGLING_SAMPLE 10000 /* values looked at before a reference is believed */

struct checker {
    struct store *s;
    const struct rules *rules;
    struct rule *rule;
    const struct app_table *t;
    struct err *e;
};

/* A column as the file declares it; local ones are not among those of the app_table. */
struct facts {
    char *name;
    bool not_null, has_default, in_key, generated;
};

/* Run a query of one number with up to two names bound; -1: failed. */
static int64_t number_of(struct checker *c, const char *sql, const char *first, const char *second)
{
    sqlite3 *db = c->s->app.db;
    sqlite3_stmt *q = NULL;
    int64_t n = -1;

    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK) {
        if (first != NULL)
            sqlite3_bind_text(q, 1, first, -1, SQLITE_STATIC);
        if (second != NULL)
            sqlite3_bind_text(q, 2, second, -1, SQLITE_STATIC);
        if (sqlite3_step(q) == SQLITE_ROW)
            n = sqlite3_column_int64(q, 0);
    }
    sqlite3_finalize(q);
    if (n < 0)
        sqlite_err(db, c->t->name, c->e);
    return n;
}

/* The same with names printed into it; frees the text. */
static int64_t number_of_text(struct checker *c, char *sql)
{
    int64_t n = number_of(c, sql, NULL, NULL);

    sqlite3_free(sql);
    return n;
}

static bool no_such_column(struct checker *c, const char *column)
{
    return err_set(c->e, ERR_USAGE, "table %s has no column %s", c->t->name, column);
}

static bool read_facts(struct checker *c, const char *column, struct facts *out)
{
    static const char sql[] = "SELECT name, \"notnull\", dflt_value IS NOT NULL, pk > 0, hidden"
                              " FROM pragma_table_xinfo(?1, 'main') WHERE name = ?2 COLLATE NOCASE";
    sqlite3_stmt *q = NULL;
    bool found;

    *out = (struct facts){0};
    if (!sqlite_prepare(c->s->app.db, &q, sql, c->e))
        return false;
    sqlite3_bind_text(q, 1, c->t->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 2, column, -1, SQLITE_STATIC);
    found = sqlite3_step(q) == SQLITE_ROW;
    if (found)
        *out = (struct facts){.name = mem_text((const char *)sqlite3_column_text(q, 0)),
                              .not_null = sqlite3_column_int(q, 1) != 0,
                              .has_default = sqlite3_column_int(q, 2) != 0,
                              .in_key = sqlite3_column_int(q, 3) != 0,
                              .generated = sqlite3_column_int(q, 4) != 0};
    sqlite3_finalize(q);
    return found || no_such_column(c, column);
}

/* Names as the schema spells them. */
static bool respell(struct checker *c)
{
    struct rule *r = c->rule;

    free(r->table);
    r->table = mem_text(c->t->name);
    for (uint32_t i = 0; i < r->column_count; i++) {
        struct facts f;

        if (!read_facts(c, r->columns[i], &f))
            return false;
        free(r->columns[i]);
        r->columns[i] = f.name;
        if (f.generated)
            return err_set(c->e, ERR_REFUSED, "%s.%s is computed by the database itself", r->table,
                           r->columns[i]);
    }
    return true;
}

/* ---- against other rules ---- */

static bool contradicts(struct checker *c, const struct rule *other)
{
    char mine[RULE_TARGET_BYTES_MAX], its[RULE_TARGET_BYTES_MAX];

    rule_target_text(c->rule, mine);
    rule_target_text(other, its);
    return err_set(c->e, ERR_REFUSED,
                   "%s %s contradicts the rule %s %s: take that back first (`rules unset`)", mine,
                   rule_kind_name(c->rule->kind), its, rule_kind_name(other->kind));
}

static bool names_column(const struct rule *r, const char *column)
{
    for (uint32_t i = 0; i < r->column_count; i++)
        if (rule_name_same(r->columns[i], column))
            return true;
    return false;
}

static bool is_key_rule(const struct rule *r)
{
    return r->kind == RULE_KEEP || r->kind == RULE_MERGE;
}

static bool is_reference(const struct rule *r)
{
    return r->kind == RULE_REFERENCES || r->kind == RULE_REFERENCES_BY ||
           r->kind == RULE_REFERENCES_TEXT;
}

/* Does it say of which tables a reference may be? */
static bool names_table(const struct rule *r, const char *table)
{
    const char *text = r->where;
    char *name, *named;
    bool is = r->kind == RULE_REFERENCES && rule_name_same(r->argument, table);
    struct err ignored = {0};

    while (r->kind != RULE_REFERENCES && is_reference(r) && text != NULL && !is &&
           app_reference_names(&text, &name, &named, &ignored)) {
        is = rule_name_same(named, table);
        free(name);
        free(named);
    }
    return is;
}

/* Can these two stand side by side? They are in different places. */
static bool agree(const struct rule *a, const struct rule *b)
{
    bool same_table = rule_name_same(a->table, b->table);

    if (a->kind == RULE_LOCAL && a->column_count == 0) /* then nothing else is to be said of it */
        return !same_table && !names_table(b, a->table);
    if (!same_table || a->column_count == 0 || b->column_count == 0)
        return true;
    if (a->kind == RULE_REFERENCES_BY && (b->kind == RULE_LOCAL || b->kind == RULE_COUNTER) &&
        rule_name_same(a->argument, b->columns[0])) /* the type belongs to the id */
        return false;
    if (is_key_rule(a) || is_key_rule(b)) {
        const struct rule *key = is_key_rule(a) ? a : b, *other = key == a ? b : a;

        return is_key_rule(other) || is_reference(other) || !names_column(key, other->columns[0]);
    }
    return !rule_name_same(a->columns[0], b->columns[0]);
}

static bool check_others(struct checker *c)
{
    for (uint32_t i = 0; i < c->rules->n; i++) {
        const struct rule *other = &c->rules->rules[i];

        if (rule_same_place(other, c->rule) || (agree(c->rule, other) && agree(other, c->rule)))
            continue;
        return contradicts(c, other);
    }
    return true;
}

/* ---- against the database ---- */

static bool is_foreign_key(struct checker *c, const char *column, bool *is)
{
    int64_t n = number_of(c,
                          "SELECT count(*) FROM pragma_foreign_key_list(?1, 'main')"
                          " WHERE \"from\" = ?2 COLLATE NOCASE",
                          c->t->name, column);

    *is = n > 0;
    return n >= 0;
}

static bool in_unique_key(struct checker *c, const char *column, bool *is)
{
    int64_t n = number_of(c,
                          "SELECT count(*) FROM pragma_index_list(?1, 'main') i,"
                          " pragma_index_xinfo(i.name, 'main') x WHERE i.\"unique\" AND x.key"
                          " AND x.name = ?2 COLLATE NOCASE",
                          c->t->name, column);

    *is = n > 0;
    return n >= 0;
}

/* A column that is nothing but data. */
static bool check_plain(struct checker *c, const char *why)
{
    const char *table = c->rule->table, *column = c->rule->columns[0];
    bool foreign, unique;
    struct facts f;

    if (!read_facts(c, column, &f))
        return false;
    free(f.name);
    if (f.in_key)
        return err_set(c->e, ERR_REFUSED, "%s.%s is part of the primary key: %s", table, column,
                       why);
    if (!is_foreign_key(c, column, &foreign) || !in_unique_key(c, column, &unique))
        return false;
    if (foreign)
        return err_set(c->e, ERR_REFUSED, "%s.%s refers to rows of another table: %s", table,
                       column, why);
    return !unique ||
           err_set(c->e, ERR_REFUSED, "%s.%s is part of a UNIQUE key: %s", table, column, why);
}

static bool check_counter(struct checker *c)
{
    const char *column = c->rule->columns[0];
    int64_t odd;

    if (!check_plain(c, "it cannot count"))
        return false;
    odd = number_of_text(
        c, sqlite3_mprintf("SELECT count(*) FROM main.\"%w\" WHERE typeof(\"%w\") NOT IN"
                           " ('integer', 'real', 'null')",
                           c->t->name, column));
    if (odd < 0)
        return false;
    return odd == 0 || err_set(c->e, ERR_REFUSED,
                               "%s.%s cannot count: in %lld rows it holds something else than a "
                               "number",
                               c->t->name, column, (long long)odd);
}

static bool check_local_table(struct checker *c)
{
    int64_t n = number_of(c,
                          "SELECT count(*) FROM sqlite_schema m, pragma_foreign_key_list(m.name) f"
                          " WHERE m.type = 'table' AND f.\"table\" = ?1 COLLATE NOCASE"
                          " AND m.name <> ?1 COLLATE NOCASE",
                          c->t->name, NULL);

    if (n < 0)
        return false;
    return n == 0 || err_set(c->e, ERR_REFUSED,
                             "table %s cannot be local: other tables refer to its rows, which "
                             "would be missing elsewhere",
                             c->t->name);
}

static bool check_local_column(struct checker *c)
{
    struct facts f;

    if (!check_plain(c, "it cannot be local") || !read_facts(c, c->rule->columns[0], &f))
        return false;
    free(f.name);
    return !f.not_null || f.has_default || c->rule->argument != NULL ||
           err_set(c->e, ERR_REFUSED,
                   "%s.%s is NOT NULL and has no default: say what rows that arrive get there: "
                   "`rules set %s.%s local VALUE`",
                   c->rule->table, c->rule->columns[0], c->rule->table, c->rule->columns[0]);
}

static bool is_key(const struct checker *c, const uint32_t *columns, uint32_t n)
{
    if (n != c->rule->column_count)
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (!names_column(c->rule, c->t->columns[columns[i]].name))
            return false;
    return true;
}

static bool check_key(struct checker *c)
{
    struct app_uniques u;
    bool found = false;

    if (is_key(c, c->t->keys, c->t->key_count)) {
        if (c->t->rowid_alias)
            return err_set(c->e, ERR_REFUSED,
                           "every PC numbers the rows of %s for itself: its primary key says "
                           "nothing of which rows are the same",
                           c->t->name);
        return c->rule->kind == RULE_MERGE ||
               err_set(c->e, ERR_REFUSED,
                       "the rows of %s are named by their primary key: equal keys are one row",
                       c->t->name);
    }
    if (!app_uniques_read(&c->s->app, c->t, &u, c->e))
        return false;
    for (uint32_t i = 0; i < u.n && !found; i++)
        found = is_key(c, u.keys[i].columns, u.keys[i].n);
    app_uniques_close(&u);
    return found || err_set(c->e, ERR_REFUSED,
                            "these columns are no UNIQUE key of table %s: two rows may have equal "
                            "values there",
                            c->t->name);
}

/* Most values must name a row; 0 and the empty text are what some applications write for none. */
static bool check_dangling(struct checker *c, const struct app_table *parent)
{
    static const char sample[] = "SELECT count(*) FROM (SELECT \"%w\" AS v FROM main.\"%w\" WHERE"
                                 " \"%w\" IS NOT NULL AND \"%w\" NOT IN (0, '') LIMIT %d)";
    const char *table = c->t->name, *column = c->rule->columns[0];
    char *part = sqlite3_mprintf(sample, column, table, column, column, DANGLING_SAMPLE);
    int64_t all, bad;

    all = number_of(c, part, NULL, NULL);
    if (all >= 0)
        part =
            sqlite3_mprintf("%z WHERE NOT EXISTS (SELECT 1 FROM main.\"%w\" p WHERE p.\"%w\" = v)",
                            part, parent->name, parent->columns[parent->keys[0]].name);
    bad = all < 0 ? -1 : number_of(c, part, NULL, NULL);
    sqlite3_free(part);
    if (bad < 0)
        return false;
    return bad * 2 <= all ||
           err_set(c->e, ERR_REFUSED, "%lld of %lld values of %s.%s name no row of %s",
                   (long long)bad, (long long)all, table, column, parent->name);
}

static bool check_references(struct checker *c)
{
    struct rule *r = c->rule;
    const struct app_table *parent = appdb_table(&c->s->app, r->argument);
    const struct rule *local;
    bool foreign;

    if (parent == NULL || !parent->ordinary)
        return err_set(c->e, ERR_USAGE, "%s has no table %s", c->s->app.path, r->argument);
    free(r->argument);
    r->argument = mem_text(parent->name);
    if (parent->refused != NULL || parent->key_count != 1)
        return err_set(
            c->e, ERR_REFUSED, "the rows of %s cannot be named by one column: %s", parent->name,
            parent->refused != NULL ? parent->refused : "its primary key has more than one");
    local = rules_find(c->rules, RULE_LOCAL, parent->name, NULL);
    if (local != NULL)
        return contradicts(c, local);
    if (!is_foreign_key(c, r->columns[0], &foreign))
        return false;
    if (foreign)
        return err_set(c->e, ERR_REFUSED, "%s.%s is a foreign key already", r->table,
                       r->columns[0]);
    if (c->t->rowid_alias && rule_name_same(c->t->columns[c->t->keys[0]].name, r->columns[0]) &&
        parent == c->t)
        return err_set(c->e, ERR_REFUSED, "%s.%s names its own row", r->table, r->columns[0]);
    return check_dangling(c, parent);
}

/* A name beside, or in front of, the id says of which table the row is. */
static bool check_named(struct checker *c)
{
    struct rule *r = c->rule;
    bool foreign;
    struct facts f;

    if (!read_facts(c, r->columns[0], &f))
        return false;
    free(f.name);
    if (f.in_key)
        return err_set(c->e, ERR_REFUSED, "%s.%s is part of the primary key", r->table,
                       r->columns[0]);
    if (!is_foreign_key(c, r->columns[0], &foreign))
        return false;
    if (foreign)
        return err_set(c->e, ERR_REFUSED, "%s.%s is a foreign key already", r->table,
                       r->columns[0]);
    if (r->kind == RULE_REFERENCES_BY) {
        if (!read_facts(c, r->argument, &f))
            return false;
        free(r->argument);
        r->argument = f.name;
        if (rule_name_same(r->argument, r->columns[0]) || f.generated)
            return err_set(c->e, ERR_REFUSED, "%s.%s cannot say of which table its rows are",
                           r->table, r->argument);
    }
    return rule_names_check(c->s, c->t, c->rules, r, c->e);
}

static bool check_where(struct checker *c)
{
    struct filter *f = NULL;

    if (c->rule->where == NULL)
        return true;
    if (!filter_open(&f, &c->s->app, c->t, c->rule->where, c->e))
        return false;
    filter_close(f);
    return true;
}

static bool check_kind(struct checker *c)
{
    if (c->t->refused != NULL && c->rule->kind != RULE_LOCAL)
        return err_set(c->e, ERR_REFUSED, "table %s cannot be shared: %s", c->t->name,
                       c->t->refused);
    switch (c->rule->kind) {
    case RULE_COUNTER:
        return check_counter(c);
    case RULE_LOCAL:
        return c->rule->column_count == 0 ? check_local_table(c) : check_local_column(c);
    case RULE_KEEP:
    case RULE_MERGE:
        return check_key(c);
    case RULE_REFERENCES:
        return check_references(c);
    case RULE_REFERENCES_BY:
    case RULE_REFERENCES_TEXT:
        return check_named(c);
    default:
        return check_where(c);
    }
}

bool store_rule_names(struct store *s, const struct rule *r, bool *names, struct err *e)
{
    struct rule copy = *r; /* nothing below changes it */
    struct checker c = {.s = s, .rule = &copy, .e = e};

    if (!bind_schema(s, false, e))
        return false;
    c.t = appdb_table(&s->app, r->table);
    *names = c.t != NULL && c.t->ordinary &&
             (r->kind != RULE_REFERENCES || appdb_table(&s->app, r->argument) != NULL);
    for (uint32_t i = 0; *names && i < r->column_count + (r->kind == RULE_REFERENCES_BY); i++) {
        struct facts f;

        *names = read_facts(&c, i < r->column_count ? r->columns[i] : r->argument, &f);
        free(f.name);
        if (!*names && e->code != ERR_USAGE)
            return false;
    }
    err_clear(e);
    return true;
}

bool store_rule_check(struct store *s, const struct rules *rules, struct rule *r, struct err *e)
{
    struct checker c = {.s = s, .rules = rules, .rule = r, .e = e};
    bool ok;

    if (!rule_check(r, e) || !bind_schema(s, false, e))
        return false;
    c.t = appdb_table(&s->app, r->table);
    if (c.t == NULL || !c.t->ordinary)
        return err_set(e, ERR_USAGE, "%s has no table %s", s->app.path, r->table);
    if (!appdb_read(&s->app, e))
        return false;
    ok = respell(&c) && check_others(&c) && check_kind(&c);
    appdb_end(&s->app);
    return ok;
}
