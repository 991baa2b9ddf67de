/* conflicts and parked: what a person should look at. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "answer.h"
#include "text.h"

static bool key_of(const char *word, int64_t *key, struct err *e)
{
    char *end = NULL;

    errno = 0;
    *key = strtoll(word, &end, 10);
    return (end != word && *end == '\0' && errno == 0) ||
           err_set(e, ERR_USAGE,
                   "\"%.40s\" is no number: only rows that the database numbers can be made one",
                   word);
}

int run_conflicts_merge(struct cli *c)
{
    struct json_object *args, *result;
    int64_t first, second;
    struct err e = {0};
    bool applied;
    int code;

    if (!key_of(c->words[1], &first, &e) || !key_of(c->words[2], &second, &e))
        return answer_failed(c, &e);
    args = json_object_new_object();
    json_object_object_add(args, "table", json_object_new_string(c->words[0]));
    json_object_object_add(args, "first", json_object_new_int64(first));
    json_object_object_add(args, "second", json_object_new_int64(second));
    if (!ask_or_do(c, "conflict-merge", args, &result, &code))
        return code;
    applied = json_object_get_boolean(json_object_object_get(result, "applied"));
    if (c->json)
        answer_json(result);
    else
        text_say("Rows %" PRId64 " and %" PRId64 " of %s are one. %s", first, second, c->words[0],
                 applied
                     ? "The other PCs get it, too."
                     : "It is done as soon as the application leaves its database for a moment.");
    json_object_put(result);
    return code;
}

static bool number_of(const char *word, int64_t *number, struct err *e)
{
    char *end = NULL;
    long long n = strtoll(word, &end, 10);

    *number = n;
    return (end != word && *end == '\0' && n > 0 && n < INT64_MAX) ||
           err_set(e, ERR_USAGE, "\"%.40s\" is no number of a conflict: see agent-cli conflicts",
                   word);
}

/* The arguments {"number": ...}; NULL and the exit code when the word is no number. */
static struct json_object *number_args(const struct cli *c, int *code)
{
    struct json_object *args;
    struct err e = {0};
    int64_t number;

    if (!number_of(c->words[0], &number, &e)) {
        *code = answer_failed(c, &e);
        return NULL;
    }
    args = json_object_new_object();
    json_object_object_add(args, "number", json_object_new_int64(number));
    return args;
}

int run_conflicts(struct cli *c)
{
    struct json_object *result;
    int code;

    if (!ask_or_do(c, "conflicts", NULL, &result, &code))
        return code;
    if (c->json)
        answer_json(result);
    else
        text_conflicts(stdout, result);
    json_object_put(result);
    return code;
}

int run_conflicts_show(struct cli *c)
{
    struct json_object *result, *list;
    int code;
    struct json_object *args = number_args(c, &code);

    if (args == NULL || !ask_or_do(c, "conflicts", args, &result, &code))
        return code;
    list = json_object_object_get(result, "conflicts");
    if (c->json)
        answer_json(json_object_array_get_idx(list, 0));
    else
        text_conflict(stdout, json_object_array_get_idx(list, 0));
    json_object_put(result);
    return code;
}

int run_conflicts_restore(struct cli *c)
{
    struct json_object *result;
    int code;
    struct json_object *args = number_args(c, &code);

    if (args == NULL || !ask_or_do(c, "conflict-restore", args, &result, &code))
        return code;
    if (c->json)
        answer_json(result);
    else
        text_restored(stdout, result);
    json_object_put(result);
    return code;
}

int run_conflicts_dismiss(struct cli *c)
{
    struct json_object *args = NULL;
    struct json_object *result;
    int64_t n;
    int code;

    if (!c->all && (args = number_args(c, &code)) == NULL)
        return code;
    if (c->all) {
        args = json_object_new_object();
        json_object_object_add(args, "all", json_object_new_boolean(true));
    }
    if (!ask_or_do(c, "conflict-dismiss", args, &result, &code))
        return code;
    n = json_object_get_int64(json_object_object_get(result, "dismissed"));
    if (c->json)
        answer_json(result);
    else
        printf("%" PRId64 " conflict%s taken off the list of this PC; the data stays as it is.\n",
               n, n == 1 ? "" : "s");
    json_object_put(result);
    return code;
}

int run_parked(struct cli *c)
{
    struct json_object *result;
    int code;

    if (!ask_or_do(c, "parked", NULL, &result, &code))
        return code;
    if (c->json)
        answer_json(result);
    else
        text_parked(stdout, result);
    json_object_put(result);
    return code;
}

int run_parked_accept(struct cli *c)
{
    struct json_object *result;
    int code;

    if (!ask_or_do(c, "parked-accept", NULL, &result, &code))
        return code;
    if (c->json)
        answer_json(result);
    else
        printf("What waited for a migration comes in as it is.\n");
    json_object_put(result);
    return code;
}
