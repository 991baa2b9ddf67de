#include "appname.h"

#include <stdlib.h>
#include <string.h>

#include <navette/rules.h>

#include "appref.h"

static const char *skip_spaces(const char *p)
{
    return p + strspn(p, " ");
}

static char *copy_name(const char *from, const char *to)
{
    char *copy;

    while (to > from && to[-1] == ' ')
        to--;
    copy = mem_alloc((size_t)(to - from) + 1);
    memcpy(copy, from, (size_t)(to - from));
    return copy;
}

bool app_reference_names(const char **text, char **name, char **table, struct err *e)
{
    const char *p = skip_spaces(*text), *equals = p + strcspn(p, "=,"), *end;

    *name = *table = NULL;
    if (*p == '\0')
        return false;
    end = equals + strcspn(equals, ",");
    if (*equals != '=' || equals == p || *skip_spaces(equals + 1) == ',' ||
        *skip_spaces(equals + 1) == '\0')
        return err_set(e, ERR_USAGE, "write the names of tables as NAME=TABLE,NAME=TABLE: %.100s",
                       *text);
    *name = copy_name(p, equals);
    *table = copy_name(skip_spaces(equals + 1), end);
    *text = *end == ',' ? end + 1 : end;
    return true;
}

bool app_reference_pattern(const char *pattern, bool *dots, const char **between, size_t *n,
                           struct err *e)
{
    size_t length = strlen(pattern);

    *dots = strncmp(pattern, "model", 5) == 0;
    *between = pattern + 5;
    if (length < 8 || (!*dots && strncmp(pattern, "table", 5) != 0) ||
        strcmp(pattern + length - 2, "id") != 0)
        return err_set(e, ERR_USAGE,
                       "\"%.40s\" is no pattern: write model,id (sale.line,21 is row 21 of "
                       "sale_line) or table,id, with whatever stands there for the comma",
                       pattern);
    *n = length - 7;
    return true;
}

bool app_reference_types(const struct app_table *t, int *label, int *model)
{
    *label = app_column_index(t, slice_text("app_label"));
    *model = app_column_index(t, slice_text("model"));
    return *model >= 0 && t->key_count == 1;
}

int app_reference_table(struct app_schema *s, const struct app_column *c, const char *name)
{
    char dotted[IDENTIFIER_BYTES_MAX + 1];
    const struct app_table *t;

    for (uint32_t i = 0; i < c->ref_name_count; i++)
        if (strcmp(c->ref_names[i].name, name) == 0)
            return c->ref_names[i].table;
    t = app_schema_table(s, name);
    if (t == NULL && strlen(name) < sizeof dotted) {
        memcpy(dotted, name, strlen(name) + 1);
        for (char *p = dotted; *p != '\0'; p++)
            *p = *p == '.' ? '_' : *p;
        t = app_schema_table(s, dotted);
    }
    return t != NULL && t->ordinary && t->key_count == 1 ? (int)(t - s->tables) : -1;
}

void app_reference_close(struct app_column *c)
{
    for (uint32_t i = 0; i < c->ref_name_count; i++)
        free(c->ref_names[i].name);
    free(c->ref_names);
    free(c->ref_between);
    c->ref_names = NULL;
    c->ref_between = NULL;
    c->ref_name_count = 0;
}

void app_reference_take(struct app_schema *s, struct app_column *c, const char *text)
{
    struct err ignored = {0};
    char *name, *table;

    while (text != NULL && app_reference_names(&text, &name, &table, &ignored)) {
        const struct app_table *t = app_schema_table(s, table);
        int index = t != NULL && t->key_count == 1 ? (int)(t - s->tables) : -1;

        free(table);
        c->ref_names = mem_grow(c->ref_names, (c->ref_name_count + 1) * sizeof *c->ref_names);
        c->ref_names[c->ref_name_count++] = (struct app_name){.name = name, .table = index};
    }
}

/* The column whose rule this is, if it is free for it. */
static struct app_column *column_of_rule(struct app_schema *s, const struct rule *r,
                                         struct app_table **t)
{
    int column;

    *t = app_schema_table(s, r->table);
    column = *t == NULL || (*t)->number == 0 ? -1 : app_column_index(*t, slice_text(r->columns[0]));
    if (column < 0 || (*t)->columns[column].in_key || app_refers(&(*t)->columns[column]))
        return NULL;
    return &(*t)->columns[column];
}

static void apply_typed(struct app_schema *s, const struct rule *r)
{
    struct app_table *t;
    struct app_column *c = column_of_rule(s, r, &t), *type;
    int column = c == NULL ? -1 : app_column_index(t, slice_text(r->argument)), label, model;

    if (column < 0 || &t->columns[column] == c)
        return;
    type = &t->columns[column];
    if (type->ref_form != REF_NONE &&
        (type->ref_form != REF_KEY ||
         !app_reference_types(&s->tables[type->ref_table], &label, &model)))
        return;
    c->ref_form = REF_TYPED;
    c->ref_column = (uint32_t)column;
    c->ref_by_rule = true;
    app_reference_take(s, c, r->where);
}

static void apply_text(struct app_schema *s, const struct rule *r)
{
    struct err ignored = {0};
    struct app_table *t;
    struct app_column *c = column_of_rule(s, r, &t);
    const char *between;
    bool dots;
    size_t n;

    if (c == NULL || !app_reference_pattern(r->argument, &dots, &between, &n, &ignored))
        return;
    c->ref_form = REF_TEXT;
    c->ref_dots = dots;
    c->ref_between = copy_name(between, between + n);
    c->ref_by_rule = true;
    app_reference_take(s, c, r->where);
}

void app_reference_rules(struct app_schema *s, const struct rules *rules)
{
    for (uint32_t i = 0; rules != NULL && i < rules->n; i++)
        if (rules->rules[i].kind == RULE_REFERENCES_BY)
            apply_typed(s, &rules->rules[i]);
    for (uint32_t i = 0; rules != NULL && i < rules->n; i++)
        if (rules->rules[i].kind == RULE_REFERENCES_TEXT)
            apply_text(s, &rules->rules[i]);
}
