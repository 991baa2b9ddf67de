/* The commands about rules. */
#include <inttypes.h>
#include <string.h>

#include <json-c/json.h>

#include "answer.h"
#include "file.h"
#include "rulejson.h"
#include "text.h"

#define RULES_FILE_BYTES_MAX (4u << 20)
#define LINE_BYTES_MAX       32768
#define PORTION_BYTES        48000 /* of rules in one request: a line has its limit */

static struct json_object *list_of(struct json_object *result, const char *name)
{
    struct json_object *rules = json_object_object_get(result, name);

    return json_object_is_type(rules, json_type_array) ? rules : NULL;
}

static size_t count_of(struct json_object *rules)
{
    return rules == NULL ? 0 : json_object_array_length(rules);
}

static void add(struct buf *line, const char *text)
{
    buf_add(line, text, strlen(text));
}

/* One word of a rule, as a shell takes it. */
static void add_quoted(struct buf *line, const char *text)
{
    buf_add_byte(line, '"');
    for (; *text != '\0'; text++) {
        if (strchr("\"\\$`", *text) != NULL)
            buf_add_byte(line, '\\');
        buf_add_byte(line, (uint8_t)*text);
    }
    buf_add_byte(line, '"');
}

/* `a` as it would be set again. */
static void print_asked(const struct asked_rule *a, bool missing)
{
    struct buf line;

    buf_open(&line, LINE_BYTES_MAX);
    rule_target_print(&a->rule, &line);
    add(&line, " ");
    add(&line, rule_kind_name(a->rule.kind));
    if (a->rule.argument != NULL && a->rule.argument[0] == '\0') {
        add(&line, " \"\"");
    } else if (a->rule.argument != NULL) {
        add(&line, " ");
        add(&line, a->rule.argument);
    }
    if (a->rule.where != NULL) {
        add(&line, a->says_names ? " --names " : " --where ");
        add_quoted(&line, a->rule.where);
    }
    if (a->site[0] != '\0') {
        add(&line, " --site ");
        add(&line, a->site);
    }
    if (missing)
        add(&line, "  (names nothing in this database)");
    buf_add_byte(&line, 0);
    text_typed(stdout, (const char *)line.p, 0);
    buf_close(&line);
}

static void print_rule(struct json_object *o)
{
    struct asked_rule a;
    struct err e = {0};

    if (!rulejson_read(&a, o, &e)) {
        text_say("(%s)", e.text);
        return;
    }
    print_asked(&a, json_object_get_boolean(json_object_object_get(o, "missing")));
    asked_rule_close(&a);
}

int run_rules(struct cli *c)
{
    struct json_object *result, *rules;
    int code;

    if (!ask_or_do(c, "rules", NULL, &result, &code))
        return code;
    rules = list_of(result, "rules");
    if (c->json)
        answer_json(result);
    else if (count_of(rules) == 0)
        puts("There are no rules: every shared table is merged cell by cell.");
    for (size_t i = 0; !c->json && i < count_of(rules); i++)
        print_rule(json_object_array_get_idx(rules, i));
    json_object_put(result);
    return code;
}

static void print_changed(const struct cli *c, struct json_object *result, int64_t changed)
{
    struct json_object *replaced = list_of(result, "replaced");

    if (c->json) {
        answer_json(result);
        return;
    }
    printf("%" PRId64 " rule%s changed; the fleet has %zu. `agent-cli rules` lists them.\n",
           changed, changed == 1 ? "" : "s", count_of(list_of(result, "rules")));
    if (count_of(replaced) > 0)
        puts("One place has one rule of a kind. These were there before, and are no more:");
    for (size_t i = 0; i < count_of(replaced); i++)
        print_rule(json_object_array_get_idx(replaced, i));
}

/* One request that changes rules. `args` is consumed. */
static int change(struct cli *c, const char *command, struct json_object *args)
{
    struct json_object *result;
    int code;

    if (!ask_or_do(c, command, args, &result, &code))
        return code;
    print_changed(c, result, json_object_get_int64(json_object_object_get(result, "changed")));
    json_object_put(result);
    return code;
}

/* What was typed, as the arguments of a request. */
static int change_typed(struct cli *c, const char *command)
{
    struct json_object *args = json_object_new_object();
    struct json_object *rules = json_object_new_array();
    struct json_object *rule = json_object_new_object();

    json_object_object_add(rule, "target", json_object_new_string(c->words[0]));
    json_object_object_add(rule, "kind", json_object_new_string(c->words[1]));
    if (c->word_count > 2)
        json_object_object_add(rule, "argument", json_object_new_string(c->words[2]));
    if (c->where != NULL)
        json_object_object_add(rule, "where", json_object_new_string(c->where));
    if (c->names != NULL)
        json_object_object_add(rule, "names", json_object_new_string(c->names));
    if (c->site != NULL)
        json_object_object_add(rule, "site", json_object_new_string(c->site));
    json_object_array_add(rules, rule);
    json_object_object_add(args, "rules", rules);
    return change(c, command, args);
}

int run_rules_set(struct cli *c)
{
    return change_typed(c, "rules-set");
}

int run_rules_unset(struct cli *c)
{
    return change_typed(c, "rules-unset");
}

int run_rules_preset(struct cli *c)
{
    struct json_object *args = json_object_new_object();

    json_object_object_add(args, "name", json_object_new_string(c->words[0]));
    return change(c, "rules-preset", args);
}

/* ---- files ---- */

/* The rules of a file: a list of them, or what `rules --json` prints. Every one is looked at before
 * any is set. A new reference; NULL and `e` when it has none. */
static struct json_object *read_rules(const char *path, struct err *e)
{
    struct json_object *root = NULL, *rules = NULL;
    enum json_tokener_error problem;
    struct buf file = {0};

    buf_open(&file, RULES_FILE_BYTES_MAX + 1);
    if (file_read(path, RULES_FILE_BYTES_MAX, &file, e)) {
        buf_add_byte(&file, 0);
        root = json_tokener_parse_verbose((const char *)file.p, &problem);
        if (root == NULL)
            err_set(e, ERR_INPUT, "%s is not JSON: %s", path, json_tokener_error_desc(problem));
    }
    buf_close(&file);
    rules =
        json_object_is_type(root, json_type_object) ? json_object_object_get(root, "rules") : root;
    if (root != NULL && !json_object_is_type(rules, json_type_array))
        err_set(e, ERR_INPUT, "%s holds no list of rules", path);
    for (size_t i = 0; e->code == ERR_NONE && i < json_object_array_length(rules); i++) {
        struct asked_rule a;

        if (rulejson_read(&a, json_object_array_get_idx(rules, i), e))
            asked_rule_close(&a);
        else
            err_wrap(e, "%s, rule %zu", path, i + 1);
    }
    rules = e->code == ERR_NONE ? json_object_get(rules) : NULL;
    json_object_put(root);
    return rules;
}

/* As many rules from *at on as go into one request. */
static struct json_object *portion_of(struct json_object *rules, size_t *at)
{
    struct json_object *args = json_object_new_object();
    struct json_object *portion = json_object_new_array();
    size_t bytes = 0;

    for (; *at < json_object_array_length(rules) && bytes < PORTION_BYTES; ++*at) {
        struct json_object *rule = json_object_array_get_idx(rules, *at);

        bytes += strlen(json_object_to_json_string_ext(rule, JSON_C_TO_STRING_PLAIN));
        if (bytes >= PORTION_BYTES && json_object_array_length(portion) > 0)
            break;
        json_object_array_add(portion, json_object_get(rule));
    }
    json_object_object_add(args, "rules", portion);
    return args;
}

/* What each portion replaced is one list in the end. */
static void add_replaced(struct json_object *all, struct json_object *result)
{
    struct json_object *replaced = list_of(result, "replaced");

    for (size_t i = 0; i < count_of(replaced); i++)
        json_object_array_add(all, json_object_get(json_object_array_get_idx(replaced, i)));
}

int run_rules_import(struct cli *c)
{
    struct json_object *result = NULL, *rules, *replaced;
    int64_t changed = 0;
    struct err e = {0};
    int code = CODE_OK;
    size_t at = 0;

    rules = read_rules(c->words[0], &e);
    if (rules == NULL)
        return answer_failed(c, &e);
    if (json_object_array_length(rules) == 0) {
        err_set(&e, ERR_INPUT, "%s holds no rules", c->words[0]);
        json_object_put(rules);
        return answer_failed(c, &e);
    }
    replaced = json_object_new_array();
    while (at < json_object_array_length(rules)) {
        json_object_put(result);
        result = NULL;
        if (!ask_or_do(c, "rules-set", portion_of(rules, &at), &result, &code))
            break;
        changed += json_object_get_int64(json_object_object_get(result, "changed"));
        add_replaced(replaced, result);
    }
    if (code == CODE_OK) {
        json_object_object_add(result, "replaced", json_object_get(replaced));
        json_object_object_add(result, "changed", json_object_new_int64(changed));
        print_changed(c, result, changed);
    } else if (changed > 0) {
        fprintf(stderr, "agent-cli: %" PRId64 " rules of the file have been set before that one\n",
                changed);
    }
    json_object_put(result);
    json_object_put(rules);
    json_object_put(replaced);
    return code;
}
