#include "request.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <sodium.h>

#define DEPTH_MAX                                                                                  \
    6 /* request, args, rules, rule, columns; and one more for what is then refused by name */

enum arg_kind { ARG_BOOL, ARG_INT, ARG_TEXT, ARG_TABLES, ARG_RULES };

struct arg {
    const char *name;
    enum arg_kind kind;
    bool required;
    size_t at;
    int64_t min; /* of a number */
    int64_t max; /* of a number; of a text: bytes with its NUL */
};

#define ARGS_MAX 3

struct command {
    const char *name;
    struct arg args[ARGS_MAX];
};

#define AT(field)   offsetof(struct request, field)
#define ROOM(field) sizeof(((struct request *)0)->field)
#define TEXT_ARG(word, required, field)                                                            \
    {                                                                                              \
        word, ARG_TEXT, required, AT(field), 0, ROOM(field)                                        \
    }
#define BOOL_ARG(word, field)                                                                      \
    {                                                                                              \
        word, ARG_BOOL, false, AT(field), 0, 0                                                     \
    }
#define INT_ARG(word, field, min, max)                                                             \
    {                                                                                              \
        word, ARG_INT, false, AT(field), min, max                                                  \
    }
#define KEY_ARG(word, field)                                                                       \
    {                                                                                              \
        word, ARG_INT, true, AT(field), INT64_MIN, INT64_MAX                                       \
    }
#define TABLES_ARG                                                                                 \
    {                                                                                              \
        "tables", ARG_TABLES, false, AT(tables), 0, TABLES_MAX                                     \
    }

#define RULES_ARG                                                                                  \
    {                                                                                              \
        "rules", ARG_RULES, true, AT(rules), 0, RULES_MAX                                          \
    }

#define NUMBER_ARG INT_ARG("number", number, 1, INT64_MAX)

static const struct command commands[] = {
    [REQUEST_STATUS] = {"status", {{0}}},
    [REQUEST_PEERS] = {"peers", {{0}}},
    [REQUEST_TABLES] = {"tables", {{0}}},
    [REQUEST_TRACK] = {"track", {TABLES_ARG, BOOL_ARG("all", all)}},
    [REQUEST_UNTRACK] = {"untrack", {TABLES_ARG}},
    [REQUEST_UNINSTALL] = {"uninstall", {{0}}},
    [REQUEST_INVITE] = {"invite",
                        {INT_ARG("ttl_ms", ttl_ms, REQUEST_TTL_MS_MIN, REQUEST_STICK_MS_MAX),
                         BOOL_ARG("stick", stick)}},
    [REQUEST_JOIN] = {"join", {TEXT_ARG("token", true, token), BOOL_ARG("copy", copy)}},
    [REQUEST_JOIN_ASK] = {"join-ask",
                          {TEXT_ARG("token", false, token), BOOL_ARG("copy", copy),
                           TEXT_ARG("directory", true, path)}},
    [REQUEST_JOIN_TAKE] = {"join-take", {TEXT_ARG("path", true, path)}},
    [REQUEST_SYNC] = {"sync",
                      {BOOL_ARG("without_absent", without_absent),
                       BOOL_ARG("clock_is_right", clock_is_right)}},
    [REQUEST_WAIT] = {"wait", {INT_ARG("timeout_ms", timeout_ms, 0, REQUEST_WAIT_MS_MAX)}},
    [REQUEST_STOP] = {"stop", {{0}}},
    [REQUEST_DROP_EXPORT] = {"drop-export",
                             {TEXT_ARG("directory", false, path), TEXT_ARG("peer", false, peer)}},
    [REQUEST_DROP_IMPORT] = {"drop-import",
                             {TEXT_ARG("path", true, path), BOOL_ARG("adopt", adopt)}},
    [REQUEST_RULES] = {"rules", {{0}}},
    [REQUEST_RULES_SET] = {"rules-set", {RULES_ARG}},
    [REQUEST_RULES_UNSET] = {"rules-unset", {RULES_ARG}},
    [REQUEST_RULES_PRESET] = {"rules-preset", {TEXT_ARG("name", true, preset)}},
    [REQUEST_CONFLICTS] = {"conflicts", {NUMBER_ARG}},
    [REQUEST_CONFLICT_RESTORE] = {"conflict-restore", {NUMBER_ARG}},
    [REQUEST_CONFLICT_DISMISS] = {"conflict-dismiss", {NUMBER_ARG, BOOL_ARG("all", all)}},
    [REQUEST_CONFLICT_MERGE] = {"conflict-merge",
                                {TEXT_ARG("table", true, table), KEY_ARG("first", first),
                                 KEY_ARG("second", second)}},
    [REQUEST_PARKED] = {"parked", {{0}}},
    [REQUEST_PARKED_ACCEPT] = {"parked-accept", {{0}}},
    [REQUEST_ROSTER] = {"roster", {TEXT_ARG("peer", false, peer)}},
    [REQUEST_REVOKE] = {"revoke", {TEXT_ARG("peer", true, peer)}},
    [REQUEST_RENAME] = {"rename", {TEXT_ARG("peer", true, peer), TEXT_ARG("name", true, name)}},
    [REQUEST_ADMIN_ADD] = {"admin-add", {TEXT_ARG("peer", true, peer)}},
    [REQUEST_ADMIN_REMOVE] = {"admin-remove", {TEXT_ARG("peer", true, peer)}},
    [REQUEST_ROTATE] = {"rotate", {{0}}},
    [REQUEST_INVITE_CANCEL] = {"invite-cancel", {TEXT_ARG("id", false, invitation)}},
    [REQUEST_CHECKPOINT] = {"checkpoint", {{0}}},
};

const char *request_kind_name(enum request_kind kind)
{
    return commands[kind].name;
}

/* The bytes of a JSON string; json-c has checked that they are UTF-8. */
static bool text_of(struct json_object *v, const char *what, size_t room, const char **out,
                    struct err *e)
{
    size_t n;

    if (!json_object_is_type(v, json_type_string))
        return err_set(e, ERR_INPUT, "\"%s\" is not a text", what);
    *out = json_object_get_string(v);
    n = (size_t)json_object_get_string_len(v);
    if (n >= room)
        return err_set(e, ERR_LIMIT, "\"%s\" has %zu bytes, allowed %zu", what, n, room - 1);
    if (memchr(*out, '\0', n) != NULL)
        return err_set(e, ERR_INPUT, "\"%s\" has a NUL in it", what);
    return true;
}

static bool take_tables(struct request *r, struct json_object *v, struct err *e)
{
    size_t n;

    if (!json_object_is_type(v, json_type_array))
        return err_set(e, ERR_INPUT, "\"tables\" is not a list");
    n = json_object_array_length(v);
    if (n > TABLES_MAX)
        return err_set(e, ERR_LIMIT, "%zu tables, allowed %d", n, TABLES_MAX);
    r->tables = mem_alloc(n * sizeof *r->tables);
    for (size_t i = 0; i < n; i++) {
        const char *name;

        if (!text_of(json_object_array_get_idx(v, i), "tables", IDENTIFIER_BYTES_MAX + 1, &name, e))
            return false;
        if (name[0] == '\0')
            return err_set(e, ERR_INPUT, "a table's name is empty");
        r->tables[r->table_count++] = mem_text(name);
    }
    return true;
}

static bool take_rules(struct request *r, struct json_object *v, struct err *e)
{
    size_t n = json_object_is_type(v, json_type_array) ? json_object_array_length(v) : 0;

    if (n == 0 || n > RULES_MAX || r->rules != NULL)
        return err_set(e, ERR_INPUT, "\"rules\" is no list of 1 to %d rules", RULES_MAX);
    r->rules = mem_alloc(n * sizeof *r->rules);
    for (size_t i = 0; i < n; i++) {
        if (!rulejson_read(&r->rules[i], json_object_array_get_idx(v, i), e))
            return err_wrap(e, "rule %zu", i + 1);
        r->rule_count++;
    }
    return true;
}

static bool take_int(int64_t *out, const struct arg *a, struct json_object *v, struct err *e)
{
    int64_t n;

    if (!json_object_is_type(v, json_type_int))
        return err_set(e, ERR_INPUT, "\"%s\" is not a whole number", a->name);
    n = json_object_get_int64(v);
    if (n < a->min || n > a->max)
        return err_set(e, ERR_LIMIT, "\"%s\" is %" PRId64 ", allowed %" PRId64 " to %" PRId64,
                       a->name, n, a->min, a->max);
    *out = n;
    return true;
}

static bool take_arg(struct request *r, const struct arg *a, struct json_object *v, struct err *e)
{
    void *field = (char *)r + a->at;
    const char *text;

    switch (a->kind) {
    case ARG_BOOL:
        if (!json_object_is_type(v, json_type_boolean))
            return err_set(e, ERR_INPUT, "\"%s\" is neither true nor false", a->name);
        *(bool *)field = json_object_get_boolean(v);
        return true;
    case ARG_INT:
        return take_int(field, a, v, e);
    case ARG_TEXT:
        if (!text_of(v, a->name, (size_t)a->max, &text, e))
            return false;
        memcpy(field, text, strlen(text) + 1);
        return true;
    case ARG_TABLES:
        return take_tables(r, v, e);
    case ARG_RULES:
        return take_rules(r, v, e);
    }
    return err_set(e, ERR_USAGE, "\"%s\" has no kind", a->name);
}

static const struct arg *find_arg(const struct command *c, const char *name)
{
    for (int i = 0; i < ARGS_MAX && c->args[i].name != NULL; i++) {
        if (strcmp(c->args[i].name, name) == 0)
            return &c->args[i];
    }
    return NULL;
}

static bool take_args(struct request *r, struct json_object *args, struct err *e)
{
    const struct command *c = &commands[r->kind];

    if (args != NULL && !json_object_is_type(args, json_type_object))
        return err_set(e, ERR_INPUT, "\"args\" is not an object");
    if (args != NULL) {
        json_object_object_foreach(args, name, v)
        {
            const struct arg *a = find_arg(c, name);

            if (a == NULL)
                return err_set(e, ERR_USAGE, "%s takes no \"%.40s\"", c->name, name);
            if (!take_arg(r, a, v, e))
                return err_wrap(e, "%s", c->name);
        }
    }
    for (int i = 0; i < ARGS_MAX && c->args[i].name != NULL; i++) {
        if (c->args[i].required && json_object_object_get(args, c->args[i].name) == NULL)
            return err_set(e, ERR_INPUT, "%s needs \"%s\"", c->name, c->args[i].name);
    }
    return true;
}

/* A token that is carried by hand lives longer. */
static bool check_ttl(struct request *r, struct err *e)
{
    int64_t most = r->stick ? REQUEST_STICK_MS_MAX : REQUEST_TTL_MS_MAX;

    if (r->ttl_ms == 0)
        r->ttl_ms = r->stick ? REQUEST_STICK_MS_DEFAULT : REQUEST_TTL_MS_DEFAULT;
    return r->ttl_ms <= most ||
           err_set(e, ERR_LIMIT, "\"ttl_ms\" is %" PRId64 ", allowed %d to %" PRId64, r->ttl_ms,
                   REQUEST_TTL_MS_MIN, most);
}

/* What one table of arguments cannot say. */
static bool check_together(struct request *r, struct err *e)
{
    if (r->kind == REQUEST_INVITE && !check_ttl(r, e))
        return false;
    if (r->kind == REQUEST_TRACK && r->all == (r->table_count > 0))
        return err_set(e, ERR_USAGE, "track takes either tables or all");
    if (r->kind == REQUEST_UNTRACK && r->table_count == 0)
        return err_set(e, ERR_USAGE, "untrack needs at least one table");
    if (r->kind == REQUEST_CONFLICT_RESTORE && r->number == 0)
        return err_set(e, ERR_USAGE, "conflict-restore needs the number of a conflict");
    if (r->kind == REQUEST_CONFLICT_DISMISS && r->all == (r->number > 0))
        return err_set(e, ERR_USAGE, "conflict-dismiss takes either a number or all");
    return true;
}

static bool find_command(struct request *r, struct json_object *root, struct err *e)
{
    struct json_object *v = json_object_object_get(root, "command");
    const char *name;

    if (v == NULL)
        return err_set(e, ERR_INPUT, "a request without a \"command\"");
    if (!text_of(v, "command", 64, &name, e))
        return false;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            r->kind = (enum request_kind)i;
            return true;
        }
    }
    return err_set(e, ERR_USAGE, "unknown command \"%s\"", name);
}

static bool take_request(struct request *r, struct json_object *root, struct err *e)
{
    struct json_object *id;

    if (!json_object_is_type(root, json_type_object))
        return err_set(e, ERR_INPUT, "a request is not a JSON object");
    id = json_object_object_get(root, "id");
    if (!json_object_is_type(id, json_type_int))
        return err_set(e, ERR_INPUT, "a request without a whole number as \"id\"");
    r->id = json_object_get_int64(id);
    return find_command(r, root, e) && take_args(r, json_object_object_get(root, "args"), e) &&
           check_together(r, e);
}

static bool begins_object(struct slice line)
{
    size_t i = 0;

    while (i < line.n && strchr(" \t\r\n", line.p[i]) != NULL && line.p[i] != '\0')
        i++;
    return i < line.n && line.p[i] == '{';
}

/* The line as one JSON value with nothing behind it; NULL and `e` when it is not. Of a number or a
 * word the library cannot tell where it ends, and of null it makes nothing. */
static struct json_object *parse_json(struct slice line, struct err *e)
{
    struct json_tokener *t = json_tokener_new_ex(DEPTH_MAX);
    struct json_object *root = NULL;

    if (t == NULL) {
        err_set(e, ERR_LIMIT, "no memory for a request");
        return NULL;
    }
    json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    root = json_tokener_parse_ex(t, (const char *)line.p, (int)line.n);
    if (!begins_object(line) && root == NULL &&
        (json_tokener_get_error(t) == json_tokener_continue ||
         json_tokener_get_error(t) == json_tokener_success)) {
        err_set(e, ERR_INPUT, "a request is not a JSON object");
    } else if (json_tokener_get_error(t) == json_tokener_continue) {
        err_set(e, ERR_INPUT, "a request is not JSON: it is cut off");
    } else if (json_tokener_get_error(t) != json_tokener_success) {
        err_set(e, ERR_INPUT, "a request is not JSON: %s",
                json_tokener_error_desc(json_tokener_get_error(t)));
    } else if (json_tokener_get_parse_end(t) != line.n) {
        err_set(e, ERR_INPUT, "a request with something behind it (byte %zu)",
                json_tokener_get_parse_end(t) + 1);
        json_object_put(root);
        root = NULL;
    }
    json_tokener_free(t);
    return root;
}

/* A token must not stay behind in the memory of the JSON library, which frees what it has read as
 * it is. So it is cut out of `line` before: dashes stand there instead. What is no token in its
 * usual letters is left to the library, and to its errors. */
static void cut_token_out(char *line, char token[INVITE_TEXT_BYTES_MAX])
{
    static const char letters[] =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz- ";
    char *name = strstr(line, "\"token\""), *text;
    size_t n;

    if (name == NULL)
        return;
    text = name + strlen("\"token\"");
    text += strspn(text, " \t");
    if (*text++ != ':')
        return;
    text += strspn(text, " \t");
    if (*text++ != '"')
        return;
    n = strspn(text, letters);
    if (text[n] != '"' || n >= INVITE_TEXT_BYTES_MAX)
        return;
    memcpy(token, text, n);
    memset(text, '-', n);
}

/* Into the place of its dashes. */
static void put_token_in(struct request *r, const char *token)
{
    size_t n = strlen(token);

    if ((r->kind == REQUEST_JOIN || r->kind == REQUEST_JOIN_ASK) && strlen(r->token) == n &&
        strspn(r->token, "-") == n)
        memcpy(r->token, token, n);
}

static bool parse_and_take(struct request *r, struct slice line, struct err *e)
{
    struct json_object *root = parse_json(line, e);
    bool ok = e->code == ERR_NONE && take_request(r, root, e);

    json_object_put(root);
    return ok;
}

bool request_parse(struct request *r, struct slice line, struct err *e)
{
    char token[INVITE_TEXT_BYTES_MAX] = "";
    struct buf copy;
    int64_t id;
    bool ok;

    *r = (struct request){
        .timeout_ms = REQUEST_WAIT_MS_DEFAULT,
    };
    if (line.n > CONTROL_LINE_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "a request of %zu bytes, allowed %d", line.n,
                       CONTROL_LINE_BYTES_MAX);
    if (line.n == 0)
        return err_set(e, ERR_INPUT, "an empty request");
    buf_open_secret(&copy, line.n + 1);
    buf_add(&copy, line.p, line.n);
    buf_add_byte(&copy, '\0');
    cut_token_out((char *)copy.p, token);
    ok = parse_and_take(r, (struct slice){copy.p, line.n}, e);
    if (ok)
        put_token_in(r, token);
    buf_close(&copy);
    sodium_memzero(token, sizeof token);
    id = r->id;
    if (!ok) {
        request_close(r);
        r->id = id;
    }
    return ok;
}

void request_close(struct request *r)
{
    for (uint32_t i = 0; i < r->table_count; i++)
        free(r->tables[i]);
    free(r->tables);
    for (uint32_t i = 0; i < r->rule_count; i++)
        asked_rule_close(&r->rules[i]);
    free(r->rules);
    *r = (struct request){0};
}

static void add_line(struct buf *out, struct json_object *line)
{
    size_t n = 0;
    const char *text = json_object_to_json_string_length(
        line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &n);

    buf_add(out, text, n);
    buf_add_byte(out, '\n');
}

static void forget_secret(struct json_object *shown, void *secret)
{
    (void)shown;
    secret_free(secret);
}

struct json_object *answer_secret(const char *text)
{
    char dashes[INVITE_TEXT_BYTES_MAX] = "";
    size_t n = strlen(text);
    char *secret = secret_alloc(n + 1);
    struct json_object *shown;

    assert(n < sizeof dashes);
    memset(dashes, '-', n);
    memcpy(secret, text, n);
    shown = json_object_new_string(dashes);
    json_object_set_userdata(shown, secret, forget_secret);
    return shown;
}

/* Into the place of its dashes. */
static void show_secret(struct buf *out, const char *secret)
{
    static const char name[] = "\"token\":\"";
    const size_t before = sizeof name - 1, n = strlen(secret);

    for (size_t i = 0; i + before + n <= out->n; i++) {
        if (memcmp(out->p + i, name, before) != 0)
            continue;
        memcpy(out->p + i + before, secret, n);
        return;
    }
}

void answer_ok(struct buf *out, int64_t id, struct json_object *result)
{
    struct json_object *line = json_object_new_object();
    struct json_object *token = json_object_object_get(result, "token");
    const char *secret = token != NULL ? json_object_get_userdata(token) : NULL;

    json_object_object_add(line, "id", json_object_new_int64(id));
    json_object_object_add(line, "ok", json_object_new_boolean(true));
    json_object_object_add(line, "result", result != NULL ? result : json_object_new_object());
    add_line(out, line);
    if (secret != NULL && !out->overflow)
        show_secret(out, secret);
    json_object_put(line);
}

/* An error may quote what somebody sent and have been cut in the middle of a character. */
static struct json_object *plain_text(const char *text)
{
    struct slice left = slice_text(text);
    struct json_object *v;
    struct buf clean;

    buf_open(&clean, left.n);
    while (left.n > 0) {
        uint32_t point;
        size_t n = slice_code_point(left, &point);

        buf_add(&clean, n > 0 ? left.p : (const uint8_t *)"?", n > 0 ? n : 1);
        n = n > 0 ? n : 1;
        left = (struct slice){left.p + n, left.n - n};
    }
    v = json_object_new_string_len(clean.n > 0 ? (const char *)clean.p : "", (int)clean.n);
    buf_close(&clean);
    return v;
}

void answer_error(struct buf *out, int64_t id, const struct err *e)
{
    struct json_object *line = json_object_new_object();
    struct json_object *error = json_object_new_object();

    json_object_object_add(error, "code", json_object_new_string(err_code_name(e->code)));
    json_object_object_add(error, "text", plain_text(e->text));
    json_object_object_add(line, "id", json_object_new_int64(id));
    json_object_object_add(line, "ok", json_object_new_boolean(false));
    json_object_object_add(line, "error", error);
    add_line(out, line);
    json_object_put(line);
}
