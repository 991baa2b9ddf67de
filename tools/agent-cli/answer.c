#include "answer.h"

#include <string.h>

#include <json-c/json.h>

#include "client.h"
#include "direct.h"
#include "text.h"

#define SCHEMA 1

static int code_of(const struct err *e)
{
    switch (e->code) {
    case ERR_NONE:
        return CODE_OK;
    case ERR_USAGE:
        return CODE_USAGE;
    case ERR_BUSY:
        return CODE_DEGRADED;
    default:
        return CODE_FAILING;
    }
}

void answer_json(struct json_object *result)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "schema", json_object_new_int(SCHEMA));
    if (json_object_is_type(result, json_type_object)) {
        json_object_object_foreach(result, name, value)
            json_object_object_add(o, name, json_object_get(value));
    }
    puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                               JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
}

void answer_add_error(struct json_object *o, const struct err *e)
{
    struct json_object *error = json_object_new_object();

    json_object_object_add(error, "code", json_object_new_string(err_code_name(e->code)));
    json_object_object_add(error, "text", json_object_new_string(e->text));
    json_object_object_add(o, "error", error);
}

void answer_error_text(const struct err *e)
{
    fputs("agent-cli: ", stderr);
    text_wrap(stderr, e->text, 11, 0);
}

static void print_error(const struct cli *c, const struct err *e)
{
    if (c->json) {
        struct json_object *o = json_object_new_object();

        answer_add_error(o, e);
        answer_json(o);
        json_object_put(o);
    }
    answer_error_text(e);
}

int answer_failed(const struct cli *c, const struct err *e)
{
    print_error(c, e);
    return code_of(e);
}

bool answer_set_up(const struct cli *c, int *code)
{
    struct err e = {0};

    if (home_exists(&c->home) || home_check_set_up(&c->home, &e))
        return true;
    print_error(c, &e);
    *code = CODE_UNREACHABLE;
    return false;
}

bool ask_silently(const struct cli *c, const char *command, struct json_object *args,
                  uint64_t limit_ms, struct json_object **result, int *code, struct err *e)
{
    bool reached;

    *code = CODE_UNREACHABLE;
    if (!home_exists(&c->home) && !home_check_set_up(&c->home, e)) {
        json_object_put(args);
        return false;
    }
    if (client_ask(&c->home, command, args, limit_ms, &reached, result, e)) {
        *code = CODE_OK;
        return true;
    }
    if (reached)
        *code = code_of(e);
    return false;
}

bool ask(const struct cli *c, const char *command, struct json_object *args, uint64_t limit_ms,
         struct json_object **result, int *code)
{
    struct err e = {0};

    if (ask_silently(c, command, args, limit_ms, result, code, &e))
        return true;
    print_error(c, &e);
    return false;
}

bool ask_or_do(const struct cli *c, const char *command, struct json_object *args,
               struct json_object **result, int *code)
{
    struct err e = {0};
    bool reached = false;
    bool ok;

    if (!answer_set_up(c, code)) {
        json_object_put(args);
        return false;
    }
    ok = client_ask(&c->home, command, json_object_get(args), ASK_MS, &reached, result, &e);
    if (!ok && !reached) {
        err_clear(&e);
        ok = direct_run(&c->home, command, json_object_get(args), result, &e);
    }
    json_object_put(args);
    *code = ok ? CODE_OK : answer_failed(c, &e);
    return ok;
}

int ask_and_print(const struct cli *c, const char *command, struct json_object *args,
                  void (*print)(struct json_object *result))
{
    struct json_object *result;
    int code;

    if (!ask(c, command, args, ASK_MS, &result, &code))
        return code;
    if (c->json)
        answer_json(result);
    else
        print(result);
    json_object_put(result);
    return code;
}

bool answer_confirmed(const struct cli *c, struct err *e)
{
    static const char *const words[] = {"y", "Y", "yes", "Yes", "YES"};
    char line[64] = "";

    if (c->yes)
        return true;
    fputs("Go on? [y/N] ", stderr);
    if (fgets(line, sizeof line, stdin) == NULL) {
        fputc('\n', stderr);
        return err_set(e, ERR_REFUSED,
                       "nobody answers here: repeat it with --yes; nothing was changed");
    }
    line[strcspn(line, "\r\n")] = '\0';
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcmp(line, words[i]) == 0)
            return true;
    return err_set(e, ERR_REFUSED, "nothing was changed");
}
