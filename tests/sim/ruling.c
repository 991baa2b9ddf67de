#include "ruling.h"

#include "oracle_freed.h"

#include <stdio.h>
#include <string.h>

/* Set a rule, or take it back, of a table or (column not negative) of one of its columns, by the
 * names that they have in one version of the application. */
static void say_named(struct sim *s, struct rule rule, const struct shape_table *t, int column,
                      bool set)
{
    char table[sizeof t->name], name[sizeof t->columns->name], *columns = name;
    struct rule_change change = {.rule = rule, .set = set};
    struct err e = {0};
    bool changed;

    snprintf(table, sizeof table, "%s", t->name);
    snprintf(name, sizeof name, "%s", column < 0 ? "" : t->columns[column].name);
    change.rule.table = table;
    change.rule.columns = column < 0 ? NULL : &columns;
    change.rule.column_count = column < 0 ? 0 : 1;
    if (sim_ok(s) && !roster_rules(&s->roster, &change, 1, &s->nodes[0].keys, &changed, &e))
        sim_fail_err(s, &s->nodes[0], "set a rule", &e);
}

/* ... by all names that they will ever have: who changes the application sees to that before. */
static void say(struct sim *s, struct rule rule, uint32_t table, int column, bool set)
{
    const struct shape_table *before = NULL;

    for (const struct shape *v = &s->shape; v != NULL; v = v->next) {
        const struct shape_table *t = &v->tables[table];

        if (before == NULL || strcmp(before->name, t->name) != 0 ||
            (column >= 0 && strcmp(before->columns[column].name, t->columns[column].name) != 0))
            say_named(s, rule, t, column, set);
        before = t;
    }
}

void ruling_count(struct sim *s)
{
    for (uint32_t i = 0; i < s->shape.n; i++)
        for (uint32_t c = 0; c < s->shape.tables[i].columns_n; c++)
            if (shape_counts(&s->shape.tables[i], c))
                say(s, (struct rule){.kind = RULE_COUNTER}, i, (int)c, true);
}

/* A table that does not go everywhere. */
static void say_way(struct sim *s, uint32_t table, bool set)
{
    static const enum rule_kind kinds[] = {[SHAPE_LOCAL] = RULE_LOCAL,
                                           [SHAPE_TAKES] = RULE_SUBSCRIBE,
                                           [SHAPE_SAYS] = RULE_PUBLISH,
                                           [SHAPE_SOME] = RULE_BOTH};
    char filter[] = SHAPE_FILTER " > 0";
    enum shape_way way = s->shape.tables[table].way;
    struct rule rule = {.kind = kinds[way],
                        .where = way == SHAPE_SOME ? filter : NULL,
                        .of_site = way == SHAPE_TAKES || way == SHAPE_SAYS};

    if (rule.of_site)
        rule.site = s->nodes[s->options.nodes - 1].keys.site;
    if (way != SHAPE_BOTH)
        say(s, rule, table, -1, set);
}

/* What a column names, where no foreign key says so. */
static void say_reference(struct sim *s, uint32_t table, uint32_t column, bool set)
{
    static const enum rule_kind kinds[] = {[SHAPE_BARE] = RULE_REFERENCES,
                                           [SHAPE_TYPED] = RULE_REFERENCES_BY,
                                           [SHAPE_WRITTEN] = RULE_REFERENCES_TEXT};
    struct shape_column *c = &s->shape.tables[table].columns[column];
    char pattern[] = "table,id";
    struct rule rule = {.kind = kinds[c->form], .argument = pattern};

    if (!shape_loose(c))
        return;
    if (c->form == SHAPE_BARE)
        rule.argument = s->shape.tables[c->parent].name;
    if (c->form == SHAPE_TYPED)
        rule.argument = c[-1].name;
    say(s, rule, table, (int)column, set);
}

static void say_local(struct sim *s, uint32_t table, uint32_t column, bool set)
{
    char fill_in[] = SHAPE_FILL_IN;

    say(s, (struct rule){.kind = RULE_LOCAL, .argument = fill_in}, table, (int)column, set);
}

static void found_column(struct sim *s, uint32_t table, uint32_t column)
{
    const struct shape_column *c = &s->shape.tables[table].columns[column];

    if (c->local)
        say_local(s, table, column, true);
    say_reference(s, table, column, true);
    if (c->pooled)
        say(s, (struct rule){.kind = RULE_MERGE}, table, (int)column, true);
}

void ruling_found(struct sim *s)
{
    for (uint32_t i = 0; i < s->shape.n; i++) {
        say_way(s, i, true);
        for (uint32_t c = 0; c < s->shape.tables[i].columns_n; c++)
            found_column(s, i, c);
    }
}

void ruling_change_count(struct sim *s, uint32_t table, uint32_t column, bool counts)
{
    if (!sim_ok(s))
        return;
    sim_trace(s, NULL, "%s.%s counts%s", s->shape.tables[table].name,
              s->shape.tables[table].columns[column].name, counts ? "" : " no more");
    say(s, (struct rule){.kind = RULE_COUNTER}, table, (int)column, counts);
    roster_digest(&s->roster, s->roster_digest);
    oracle_rule(&s->oracle, table, column, counts);
}

/* ---- rules that change in mid-week ---- */

void ruling_expect(struct shape *shape)
{
    for (uint32_t i = 0; i < shape->n; i++) {
        struct shape_table *t = &shape->tables[i];

        t->vague |= t->way != SHAPE_BOTH;
        for (uint32_t c = 0; c < t->columns_n; c++)
            t->columns[c].vague |= t->columns[c].local;
    }
}

/* Can all files be looked at? Not while nobody knows whether a commit in one has happened. */
static bool is_clear(const struct sim *s)
{
    for (uint32_t i = 0; i < s->options.nodes; i++)
        if (s->nodes[i].open_tick != 0 || s->nodes[i].tick != 0)
            return false;
    return true;
}

/* What each file holds is safe there, and told. */
static void look_at_all(struct sim *s)
{
    for (uint32_t i = 0; i < s->options.nodes && sim_ok(s); i++) {
        disk_settle(s->nodes[i].disk);
        sim_check_node(s, i);
    }
}

/* The rule is gone, and the shape says so: what had stayed is said now. */
static void tell_freed(struct sim *s, uint32_t table, int column)
{
    for (uint32_t i = 0; i < s->options.nodes && sim_ok(s); i++) {
        struct node *n = &s->nodes[i];

        n->app.has_kept = false;
        node_peek(n, &s->scratch);
        oracle_free(&s->oracle, i, &s->scratch, table, column, n->wall_ms);
    }
}

static void free_table(struct sim *s, uint32_t table)
{
    look_at_all(s);
    sim_trace(s, NULL, "%s goes everywhere", s->shape.tables[table].name);
    say_way(s, table, false);
    s->shape.tables[table].way = SHAPE_BOTH;
    tell_freed(s, table, -1);
}

static void free_column(struct sim *s, uint32_t table, uint32_t column)
{
    struct shape_column *c = &s->shape.tables[table].columns[column];

    look_at_all(s);
    sim_trace(s, NULL, "%s.%s goes everywhere", s->shape.tables[table].name, c->name);
    say_local(s, table, column, false);
    c->local = false;
    tell_freed(s, table, (int)column);
}

/* What names a row by rule is a number like any other for a while. */
static void change_reference(struct rng *r, struct sim *s, uint32_t table, uint32_t column)
{
    bool set = rng_chance(r, 50);

    sim_trace(s, NULL, "%s.%s names %s", s->shape.tables[table].name,
              s->shape.tables[table].columns[column].name, set ? "rows" : "nothing");
    oracle_unname(&s->oracle, table, column);
    say_reference(s, table, column, set);
}

/* No two rows have one mark, so it is all the same. */
static void change_merge(struct rng *r, struct sim *s, uint32_t table, uint32_t column)
{
    say(s, (struct rule){.kind = RULE_MERGE}, table, (int)column, rng_chance(r, 50));
}

void ruling_happen(struct rng *r, struct sim *s)
{
    uint32_t table = rng_below(r, s->shape.n);
    struct shape_table *t = &s->shape.tables[table];
    uint32_t column = rng_below(r, t->columns_n);
    struct shape_column *c = &t->columns[column];

    if (!rng_chance(r, 25) || !is_clear(s))
        return;
    if (t->way != SHAPE_BOTH)
        free_table(s, table);
    else if (c->local)
        free_column(s, table, column);
    else if (shape_loose(c))
        change_reference(r, s, table, column);
    else if (c->role == SHAPE_MARK && !c->pooled && shape_surrogate(t))
        change_merge(r, s, table, column);
    for (uint32_t i = 0; i < s->options.nodes; i++)
        s->nodes[i].stirred = true; /* what it has written before may mean something else now */
    roster_digest(&s->roster, s->roster_digest);
}
