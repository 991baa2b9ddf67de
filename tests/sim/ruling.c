#include "ruling.h"

/* Set a rule, or take it back, of a table or (column not negative) of one of its columns. */
static void say(struct sim *s, struct rule rule, uint32_t table, int column, bool set)
{
    struct shape_table *t = &s->shape.tables[table];
    char *name = column < 0 ? NULL : t->columns[column].name;
    struct rule_change change = {.rule = rule, .set = set};
    struct err e = {0};
    bool changed;

    change.rule.table = t->name;
    change.rule.columns = column < 0 ? NULL : &name;
    change.rule.column_count = column < 0 ? 0 : 1;
    if (sim_ok(s) && !roster_rules(&s->roster, &change, 1, &s->nodes[0].keys, &changed, &e))
        sim_fail_err(s, &s->nodes[0], "set a rule", &e);
}

void ruling_count(struct sim *s)
{
    for (uint32_t i = 0; i < s->shape.n; i++)
        for (uint32_t c = 0; c < s->shape.tables[i].columns_n; c++)
            if (shape_counts(&s->shape.tables[i], c))
                say(s, (struct rule){.kind = RULE_COUNTER}, i, (int)c, true);
}

/* A table that does not go everywhere. */
static void found_way(struct sim *s, uint32_t table)
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
        say(s, rule, table, -1, true);
}

/* What a column names, where no foreign key says so. */
static void found_reference(struct sim *s, uint32_t table, uint32_t column)
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
    say(s, rule, table, (int)column, true);
}

static void found_column(struct sim *s, uint32_t table, uint32_t column)
{
    const struct shape_column *c = &s->shape.tables[table].columns[column];
    char fill_in[] = SHAPE_FILL_IN;

    if (c->local)
        say(s, (struct rule){.kind = RULE_LOCAL, .argument = fill_in}, table, (int)column, true);
    found_reference(s, table, column);
    if (c->pooled)
        say(s, (struct rule){.kind = RULE_MERGE}, table, (int)column, true);
}

void ruling_found(struct sim *s)
{
    for (uint32_t i = 0; i < s->shape.n; i++) {
        found_way(s, i);
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
