#include "rulejson.h"

#include <string.h>

#include <json-c/json.h>

static bool text_of(struct json_object *v, const char *what, size_t max, const char **out,
                    struct err *e)
{
    size_t n;

    if (!json_object_is_type(v, json_type_string))
        return err_set(e, ERR_INPUT, "the \"%s\" of a rule is not a text", what);
    *out = json_object_get_string(v);
    n = (size_t)json_object_get_string_len(v);
    if (n > max || memchr(*out, '\0', n) != NULL)
        return err_set(e, ERR_LIMIT, "the \"%s\" of a rule has a NUL or %zu bytes, allowed %zu",
                       what, n, max);
    return true;
}

static bool take_columns(struct rule *r, struct json_object *v, struct err *e)
{
    size_t n = json_object_is_type(v, json_type_array) ? json_object_array_length(v) : SIZE_MAX;

    if (r->columns != NULL || n > KEY_COLUMNS_MAX)
        return err_set(e, ERR_INPUT, "the \"columns\" of a rule are no list of at most %d",
                       KEY_COLUMNS_MAX);
    r->columns = mem_alloc((n + 1) * sizeof *r->columns);
    for (size_t i = 0; i < n; i++) {
        const char *name = NULL;

        if (!text_of(json_object_array_get_idx(v, i), "columns", IDENTIFIER_BYTES_MAX, &name, e))
            return false;
        r->columns[r->column_count++] = mem_text(name);
    }
    return true;
}

static bool take_text(char **out, struct json_object *v, const char *what, size_t max,
                      struct err *e)
{
    const char *text = NULL;

    if (*out != NULL)
        return err_set(e, ERR_INPUT, "a rule says its \"%s\" twice", what);
    if (!text_of(v, what, max, &text, e))
        return false;
    *out = mem_text(text);
    return true;
}

static bool take_target(struct rule *r, struct json_object *v, struct err *e)
{
    const char *text = NULL;

    if (r->table != NULL || r->columns != NULL)
        return err_set(e, ERR_INPUT, "a rule says its \"target\" twice");
    return text_of(v, "target", (KEY_COLUMNS_MAX + 1) * (2 * IDENTIFIER_BYTES_MAX + 3), &text, e) &&
           rule_target_parse(r, text, e);
}

/* Names of tables stand where other kinds have their filter. */
static bool has_names(const struct rule *r)
{
    return r->kind == RULE_REFERENCES_BY || r->kind == RULE_REFERENCES_TEXT;
}

static bool take_field(struct asked_rule *a, const char *name, struct json_object *v, struct err *e)
{
    struct rule *r = &a->rule;
    const char *text = NULL;

    if (v == NULL)
        return true;
    if (strcmp(name, "target") == 0)
        return take_target(r, v, e);
    if (strcmp(name, "table") == 0)
        return take_text(&r->table, v, name, IDENTIFIER_BYTES_MAX, e);
    if (strcmp(name, "columns") == 0)
        return take_columns(r, v, e);
    if (strcmp(name, "argument") == 0)
        return take_text(&r->argument, v, name, IDENTIFIER_BYTES_MAX, e);
    if (strcmp(name, "where") == 0 || strcmp(name, "names") == 0) {
        a->says_names = name[0] == 'n';
        return take_text(&r->where, v, name, RULE_WHERE_BYTES_MAX, e);
    }
    if (strcmp(name, "kind") == 0)
        return text_of(v, name, 64, &text, e) && rule_kind_parse(&r->kind, text, e);
    if (strcmp(name, "missing") == 0) /* what the list of rules says of one */
        return true;
    if (strcmp(name, "site") == 0) {
        if (!text_of(v, name, NAME_BYTES_MAX, &text, e))
            return false;
        memcpy(a->site, text, strlen(text) + 1);
        return true;
    }
    return err_set(e, ERR_USAGE, "a rule has no \"%.40s\"", name);
}

static bool take_fields(struct asked_rule *a, struct json_object *o, struct err *e)
{
    if (!json_object_is_type(o, json_type_object))
        return err_set(e, ERR_INPUT, "a rule is not a JSON object");
    json_object_object_foreach(o, name, v)
    {
        if (!take_field(a, name, v, e))
            return false;
    }
    if (a->rule.table == NULL || a->rule.table[0] == '\0')
        return err_set(e, ERR_INPUT, "a rule without a \"table\"");
    if (a->rule.kind == 0)
        return err_set(e, ERR_INPUT, "a rule without a \"kind\"");
    if (a->rule.where != NULL && a->says_names != has_names(&a->rule))
        return err_set(e, ERR_USAGE, "%s takes no %s", rule_kind_name(a->rule.kind),
                       a->says_names ? "names of tables (--names)" : "filter (--where)");
    return true;
}

bool rulejson_read(struct asked_rule *a, struct json_object *o, struct err *e)
{
    *a = (struct asked_rule){0};
    if (take_fields(a, o, e)) {
        if (a->rule.columns == NULL)
            a->rule.columns = mem_alloc(sizeof *a->rule.columns);
        rule_sort(&a->rule);
        return true;
    }
    asked_rule_close(a);
    return false;
}

void asked_rule_close(struct asked_rule *a)
{
    rule_close(&a->rule);
    *a = (struct asked_rule){0};
}

static void add_text(struct json_object *o, const char *name, const char *text)
{
    if (text != NULL)
        json_object_object_add(o, name, json_object_new_string(text));
}

struct json_object *rulejson_write(const struct rule *r, const struct roster *roster)
{
    struct json_object *o = json_object_new_object();
    struct json_object *columns = json_object_new_array();
    const struct roster_site *site = r->of_site ? roster_find(roster, &r->site) : NULL;

    for (uint32_t i = 0; i < r->column_count; i++)
        json_object_array_add(columns, json_object_new_string(r->columns[i]));
    add_text(o, "table", r->table);
    json_object_object_add(o, "columns", columns);
    add_text(o, "kind", rule_kind_name(r->kind));
    add_text(o, "argument", r->argument);
    add_text(o, has_names(r) ? "names" : "where", r->where);
    if (r->of_site)
        add_text(o, "site", site != NULL ? site->name : "(not in the roster)");
    return o;
}
