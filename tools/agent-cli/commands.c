/* The commands that speak of an agent or a database which are there already; init.c has the one
 * that makes a home. */
#include <inttypes.h>
#include <string.h>

#include <json-c/json.h>
#include <uv.h>

#include "answer.h"
#include "joining.h"
#include "request.h"
#include "text.h"
#include "usage.h"

#define STOP_MS      60000
#define STOP_STEP_MS 20

static const char *text_of(struct json_object *o, const char *name)
{
    const char *text = json_object_get_string(json_object_object_get(o, name));

    return text != NULL ? text : "";
}

static int64_t number_of(struct json_object *o, const char *name)
{
    return json_object_get_int64(json_object_object_get(o, name));
}

/* Most answers: JSON, or the line that a person wants. */
static void print_result(const struct cli *c, struct json_object *result, const char *line)
{
    if (c->json)
        answer_json(result);
    else
        text_say("%s", line);
}

/* ---- tables ---- */

static struct json_object *words_of(const struct cli *c)
{
    struct json_object *list = json_object_new_array();

    for (uint32_t i = 0; i < c->word_count; i++)
        json_object_array_add(list, json_object_new_string(c->words[i]));
    return list;
}

static void print_change(const struct cli *c, struct json_object *result)
{
    struct json_object *tables = json_object_object_get(result, "tables");
    size_t n = json_object_is_type(tables, json_type_array) ? json_object_array_length(tables) : 0;
    size_t tracked = 0;
    size_t refused = 0;

    if (c->json) {
        answer_json(result);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct json_object *t = json_object_array_get_idx(tables, i);

        tracked += json_object_get_boolean(json_object_object_get(t, "tracked"));
        refused += json_object_object_get(t, "refused") != NULL;
    }
    if (refused > 0)
        text_say("%zu of %zu tables %s shared. %zu cannot be; `agent-cli tables` says why.",
                 tracked, n, tracked == 1 ? "is" : "are", refused);
    else
        text_say("%zu of %zu tables %s shared.", tracked, n, tracked == 1 ? "is" : "are");
}

int run_tables(struct cli *c)
{
    struct json_object *result;
    int code;

    if (!ask_or_do(c, "tables", NULL, &result, &code))
        return code;
    if (c->json)
        answer_json(result);
    else
        text_tables(stdout, json_object_object_get(result, "tables"));
    json_object_put(result);
    return code;
}

int run_track(struct cli *c)
{
    struct json_object *args = json_object_new_object();
    struct json_object *result;
    int code;

    if (c->all)
        json_object_object_add(args, "all", json_object_new_boolean(true));
    else
        json_object_object_add(args, "tables", words_of(c));
    if (!ask_or_do(c, "track", args, &result, &code))
        return code;
    print_change(c, result);
    json_object_put(result);
    return code;
}

int run_untrack(struct cli *c)
{
    struct json_object *args = json_object_new_object();
    struct json_object *result;
    int code;

    json_object_object_add(args, "tables", words_of(c));
    if (!ask_or_do(c, "untrack", args, &result, &code))
        return code;
    print_change(c, result);
    json_object_put(result);
    return code;
}

/* ---- how it stands ---- */

static int code_of_state(const char *state)
{
    if (strcmp(state, "failing") == 0)
        return CODE_FAILING;
    return strcmp(state, "degraded") == 0 ? CODE_DEGRADED : CODE_OK;
}

int run_status(struct cli *c)
{
    struct json_object *result;
    int code;

    if (!ask(c, "status", NULL, ASK_MS, &result, &code))
        return code;
    if (c->json)
        answer_json(result);
    else
        text_status(stdout, result);
    code = code_of_state(text_of(result, "state"));
    json_object_put(result);
    return code;
}

static void print_peers(struct json_object *result)
{
    text_peers(stdout, json_object_object_get(result, "peers"));
}

int run_peers(struct cli *c)
{
    return ask_and_print(c, "peers", NULL, print_peers);
}

int run_sync(struct cli *c)
{
    struct json_object *args = json_object_new_object();
    struct json_object *result;
    int code;

    if (c->without_absent)
        json_object_object_add(args, "without_absent", json_object_new_boolean(true));
    if (c->clock_is_right)
        json_object_object_add(args, "clock_is_right", json_object_new_boolean(true));
    if (!ask(c, "sync", args, ASK_MS, &result, &code))
        return code;
    print_result(
        c, result,
        number_of(result, "connected") > 0
            ? "Every connected PC has been asked to exchange; `agent-cli wait` waits for it."
            : "No other PC is connected; all that are known are being called.");
    json_object_put(result);
    return code;
}

/* What it means that all is settled depends on who is there. */
static const char *settled_line(struct json_object *result)
{
    int64_t peers = number_of(result, "peers");
    int64_t connected = number_of(result, "connected");

    if (peers == 0)
        return "No other PC is in the fleet yet; everything written here is captured.";
    if (connected == 0)
        return "No other PC is connected; everything written here was on another one before.";
    if (connected < peers)
        return "Every connected PC has everything from here; `agent-cli peers` says who is away.";
    return "Every PC of the fleet has everything from here.";
}

int run_wait(struct cli *c)
{
    struct json_object *args = json_object_new_object();
    struct json_object *result;
    int64_t ms = REQUEST_WAIT_MS_DEFAULT;
    struct err e = {0};
    int code;

    if (c->timeout != NULL && !duration_parse(c->timeout, &ms, &e))
        err_wrap(&e, "--timeout");
    else if (ms > REQUEST_WAIT_MS_MAX)
        err_set(&e, ERR_USAGE, "--timeout %s: it can wait for up to 24h", c->timeout);
    if (e.code != ERR_NONE) {
        json_object_put(args);
        return answer_failed(c, &e);
    }
    json_object_object_add(args, "timeout_ms", json_object_new_int64(ms));
    if (!ask(c, "wait", args, (uint64_t)ms + ASK_MS, &result, &code))
        return code;
    print_result(c, result, settled_line(result));
    json_object_put(result);
    return code;
}

/* ---- stop ---- */

static bool is_gone(const struct home *h)
{
    int64_t pid = home_pid_read(h);

    return !home_is_served(h) && (pid == 0 || uv_kill((int)pid, 0) == UV_ESRCH);
}

/* The answer comes before the end: whoever starts another agent next must find the home free. */
int run_stop(struct cli *c)
{
    struct json_object *result;
    struct err e = {0};
    int code;

    if (!ask(c, "stop", NULL, ASK_MS, &result, &code))
        return code;
    for (uint32_t ms = 0; !is_gone(&c->home) && e.code == ERR_NONE; ms += STOP_STEP_MS) {
        if (ms >= STOP_MS)
            err_set(&e, ERR_BUSY, "the agent is still at work after %d s: see %s", STOP_MS / 1000,
                    c->home.log);
        uv_sleep(STOP_STEP_MS);
    }
    if (e.code == ERR_NONE)
        print_result(c, result,
                     "The agent has stopped. What is written meanwhile is shared when "
                     "it runs again.");
    json_object_put(result);
    return e.code == ERR_NONE ? code : answer_failed(c, &e);
}

/* ---- drop files ---- */

static void print_exported(const struct cli *c, struct json_object *result)
{
    struct json_object *paths = json_object_object_get(result, "paths");
    size_t files =
        json_object_is_type(paths, json_type_array) ? json_object_array_length(paths) : 0;
    int64_t n = number_of(result, "changesets");

    if (files == 0 && c->for_peer != NULL)
        text_say("%s has everything already, as far as is known here: no file was written.",
                 c->for_peer);
    else if (files == 0)
        puts("Nothing has been shared here yet: no file was written.");
    for (size_t i = 0; i < files; i++)
        text_say("%s", json_object_get_string(json_object_array_get_idx(paths, i)));
    if (files > 0)
        printf("%" PRId64 " change-set%s in %zu file%s.\n", n, n == 1 ? "" : "s", files,
               files == 1 ? "" : "s");
}

int run_export(struct cli *c)
{
    struct json_object *args = json_object_new_object();
    struct json_object *result;
    char directory[PATH_BYTES_MAX];
    struct err e = {0};
    int code;

    if (c->to != NULL) {
        if (!path_absolute(directory, c->to, &e)) {
            json_object_put(args);
            return answer_failed(c, &e);
        }
        json_object_object_add(args, "directory", json_object_new_string(directory));
    }
    if (c->for_peer != NULL)
        json_object_object_add(args, "peer", json_object_new_string(c->for_peer));
    if (!ask(c, "drop-export", args, 0, &result, &code))
        return code;
    if (c->json)
        answer_json(result);
    else
        print_exported(c, result);
    json_object_put(result);
    return code;
}

/* What one file came to. */
struct imported {
    int64_t added;    /* change-sets; -1: it failed, and why is in the error */
    bool roster, key; /* of these it had news */
    int64_t refused;
    char refused_of[NAME_BYTES_MAX + 1];
    bool letter; /* of one who joins: */
    struct joined joined;
};

static struct imported import_one(const struct cli *c, const char *word, int *code, struct err *e)
{
    struct imported done = {.added = -1};
    struct json_object *args, *result = NULL;
    char path[PATH_BYTES_MAX];

    *code = CODE_FAILING;
    if (!path_absolute(path, word, e))
        return done;
    done.letter = joining_is_letter(path);
    if (done.letter) {
        done.added = joining_take(c, path, &done.joined, code, e) ? 0 : -1;
        return done;
    }
    args = json_object_new_object();
    json_object_object_add(args, "path", json_object_new_string(path));
    if (c->adopt)
        json_object_object_add(args, "adopt", json_object_new_boolean(true));
    if (!ask_silently(c, "drop-import", args, ASK_MS, &result, code, e))
        return done;
    done.added = number_of(result, "added");
    done.roster = json_object_get_boolean(json_object_object_get(result, "roster"));
    done.key = json_object_get_boolean(json_object_object_get(result, "key"));
    done.refused = number_of(result, "refused");
    snprintf(done.refused_of, sizeof done.refused_of, "%s", text_of(result, "refused_of"));
    if (done.refused > 0)
        *code = CODE_DEGRADED;
    json_object_put(result);
    return done;
}

static struct json_object *import_entry(const char *word, const struct imported *done,
                                        const struct err *e)
{
    struct json_object *entry = json_object_new_object();

    json_object_object_add(entry, "path", json_object_new_string(word));
    json_object_object_add(entry, "ok", json_object_new_boolean(done->added >= 0));
    if (done->added < 0) {
        answer_add_error(entry, e);
        return entry;
    }
    json_object_object_add(entry, "added", json_object_new_int64(done->added));
    if (done->roster)
        json_object_object_add(entry, "roster", json_object_new_boolean(true));
    if (done->key)
        json_object_object_add(entry, "key", json_object_new_boolean(true));
    if (done->refused > 0)
        json_object_object_add(entry, "refused", json_object_new_int64(done->refused));
    if (done->letter)
        joining_add(entry, &done->joined);
    return entry;
}

static void print_imported(const char *word, const struct imported *done)
{
    if (done->added == 0 && done->refused == 0 && !done->roster)
        text_say("%s: everything in it was known here", word);
    else
        text_say("%s: %" PRId64 " change-set%s taken in", word, done->added,
                 done->added == 1 ? "" : "s");
    if (done->roster)
        text_say("It brought the present list of members and their rules%s.",
                 done->key ? ", and the fleet's new key" : "");
    if (done->refused > 0)
        text_say("%" PRId64 " change-set%s of %s %s not taken: it was shut out of the fleet before "
                 "it made %s.",
                 done->refused, done->refused == 1 ? "" : "s", done->refused_of,
                 done->refused == 1 ? "was" : "were", done->refused == 1 ? "it" : "them");
}

/* One answer for all files; errors go to stderr, too. */
int run_import(struct cli *c)
{
    struct json_object *answer, *files;
    struct err refused = {0};
    int worst = CODE_OK;

    if (c->adopt && !c->yes)
        text_wrap(
            stderr,
            "This makes every PC of the fleet take what these files hold of PCs that were shut "
            "out. It cannot be taken back.",
            0, 0);
    if (c->adopt && !answer_confirmed(c, &refused))
        return answer_failed(c, &refused);
    answer = json_object_new_object();
    files = json_object_new_array();
    json_object_object_add(answer, "files", files);
    for (uint32_t i = 0; i < c->word_count && worst != CODE_UNREACHABLE; i++) {
        const char *word = c->words[i];
        struct err e = {0};
        int code;
        struct imported done = import_one(c, word, &code, &e);

        json_object_array_add(files, import_entry(word, &done, &e));
        worst = code > worst ? code : worst;
        if (done.added < 0)
            answer_error_text(&e);
        else if (!c->json && done.letter)
            joining_print(c, path_name(word), &done.joined);
        else if (!c->json)
            print_imported(word, &done);
    }
    if (c->json)
        answer_json(answer);
    json_object_put(answer);
    return worst;
}
