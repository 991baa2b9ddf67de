#include "joining.h"

#include <inttypes.h>
#include <string.h>

#include <json-c/json.h>

#include <navette/invite.h>
#include <navette/letter.h>

#include "answer.h"
#include "request.h"
#include "text.h"
#include "text_field.h"
#include "usage.h"

/* ---- invite ---- */

static bool ttl_of(const struct cli *c, int64_t *ms, struct err *e)
{
    int64_t most = c->stick ? REQUEST_STICK_MS_MAX : REQUEST_TTL_MS_MAX;

    *ms = c->stick ? REQUEST_STICK_MS_DEFAULT : REQUEST_TTL_MS_DEFAULT;
    if (c->ttl != NULL && !duration_parse(c->ttl, ms, e))
        return err_wrap(e, "--ttl");
    return (*ms >= REQUEST_TTL_MS_MIN && *ms <= most) ||
           err_set(e, ERR_USAGE, "--ttl %s: %s can be valid for 1s to %s", c->ttl,
                   c->stick ? "a token for a stick" : "a token", c->stick ? "7d" : "24h");
}

static void print_token(const struct cli *c, struct json_object *result, int64_t ms)
{
    bool hours = ms >= 7200000;
    char words[INVITE_TEXT_BYTES_MAX + 16];

    printf("One PC can join with this token, once, within the next %" PRId64 " %s:\n\n",
           ms < 120000 ? ms / 1000
           : hours     ? ms / 3600000
                       : ms / 60000,
           ms < 2000     ? "second"
           : ms < 120000 ? "seconds"
           : hours       ? "hours"
                         : "minutes");
    snprintf(words, sizeof words, "join %s%s", text(result, "token"), c->stick ? " --to DIR" : "");
    text_command(stdout, &(struct cli){0}, "agent-cli", words);
    puts("\nType that on the other PC, where `agent-cli init` was done and navette-agent runs.");
    if (!c->stick)
        return;
    text_say("DIR is the stick: the file that this writes there belongs here, to `agent-cli drop "
             "import FILE`, which puts an answer beside it for the other PC.");
    text_say("Carry the token on paper or tell it by telephone, but leave it off the stick: who "
             "finds both could join in that PC's place.");
}

int run_invite(struct cli *c)
{
    struct json_object *args, *result;
    struct err e = {0};
    int64_t ttl_ms;
    int code;

    if (c->cancel)
        return run_invite_cancel(c);
    if (!ttl_of(c, &ttl_ms, &e))
        return answer_failed(c, &e);
    args = json_object_new_object();
    json_object_object_add(args, "ttl_ms", json_object_new_int64(ttl_ms));
    if (c->stick)
        json_object_object_add(args, "stick", json_object_new_boolean(true));
    if (!ask(c, "invite", args, ASK_MS, &result, &code))
        return code;
    if (c->json)
        answer_json(result);
    else
        print_token(c, result, ttl_ms);
    json_object_put(result);
    return code;
}

/* ---- join ---- */

/* A token is often read out in groups: take several words as one. */
static bool join_words(const struct cli *c, char *token, struct err *e)
{
    size_t n = 0;

    for (uint32_t i = 0; i < c->word_count; i++) {
        size_t length = strlen(c->words[i]);

        if (n + length >= INVITE_TEXT_BYTES_MAX)
            return err_set(e, ERR_INPUT, "the token is too long: copy it as `invite` printed it");
        memcpy(token + n, c->words[i], length);
        n += length;
    }
    token[n] = '\0';
    return true;
}

static void print_joined(const struct cli *c)
{
    struct json_object *status;
    int code;

    if (!ask(c, "status", NULL, ASK_MS, &status, &code)) {
        puts("This PC has joined.");
        return;
    }
    text_say("%s has joined the fleet %s.", text(status, "name"), text(status, "fleet"));
    json_object_put(status);
}

static void print_asked(struct json_object *result)
{
    const char *path = text(result, "path");

    text_say("%s", path);
    text_say("This asks to join. Take it to the PC that made the token: there `agent-cli drop "
             "import %s` puts an answer beside it, and here `agent-cli drop import` of that "
             "answer ends it.",
             path_name(path));
}

int run_join(struct cli *c)
{
    struct json_object *args, *result;
    char token[INVITE_TEXT_BYTES_MAX], directory[PATH_BYTES_MAX];
    struct invite invite;
    struct err e = {0};
    int code;

    if (c->word_count == 0 && c->to == NULL)
        err_set(&e, ERR_USAGE, "join needs a token: `agent-cli join TOKEN`");
    else if (join_words(c, token, &e) && (token[0] == '\0' || invite_parse(&invite, token, &e)) &&
             c->to != NULL && !path_absolute(directory, c->to, &e))
        err_wrap(&e, "--to");
    if (e.code != ERR_NONE)
        return answer_failed(c, &e);
    args = json_object_new_object();
    if (token[0] != '\0')
        json_object_object_add(args, "token", json_object_new_string(token));
    json_object_object_add(args, "copy", json_object_new_boolean(c->copy));
    if (c->to != NULL)
        json_object_object_add(args, "directory", json_object_new_string(directory));
    if (!ask(c, c->to != NULL ? "join-ask" : "join", args, 0, &result, &code))
        return code;
    if (c->json)
        answer_json(result);
    else if (c->to != NULL)
        print_asked(result);
    else
        print_joined(c);
    json_object_put(result);
    return code;
}

/* ---- letters ---- */

bool joining_is_letter(const char *path)
{
    struct buf head;
    struct err ignored = {0};
    bool is;

    buf_open(&head, LETTER_HEAD_BYTES);
    is = file_read_head(path, LETTER_HEAD_BYTES, &head, &ignored) && letter_is(buf_slice(&head));
    buf_close(&head);
    return is;
}

bool joining_take(const struct cli *c, const char *path, struct joined *done, int *code,
                  struct err *e)
{
    struct json_object *args = json_object_new_object(), *result = NULL;

    json_object_object_add(args, "path", json_object_new_string(path));
    if (!ask_silently(c, "join-take", args, ASK_MS, &result, code, e))
        return err_wrap(e, "%s", path_name(path));
    done->request = is(result, "kind", "request");
    snprintf(done->name, sizeof done->name, "%s", text(result, "name"));
    snprintf(done->fleet, sizeof done->fleet, "%s", text(result, "fleet"));
    snprintf(done->path, sizeof done->path, "%s", text(result, "path"));
    json_object_put(result);
    return true;
}

void joining_add(struct json_object *entry, const struct joined *done)
{
    json_object_object_add(entry, "joined", json_object_new_string(done->name));
    json_object_object_add(entry, "fleet", json_object_new_string(done->fleet));
    json_object_object_add(entry, "answer",
                           done->request ? json_object_new_string(done->path) : NULL);
}

void joining_print(const struct cli *c, const char *file, const struct joined *done)
{
    char directory[PATH_BYTES_MAX], words[PATH_BYTES_MAX + NAME_BYTES_MAX + 64];

    if (!done->request) {
        text_say("%s: %s has joined the fleet %s. It now needs what the others have: take in what "
                 "`agent-cli drop export` writes on another PC.",
                 file, done->name, done->fleet);
        return;
    }
    path_directory(directory, done->path);
    text_say("%s: %s is a member of the fleet %s. Its answer is %s: on %s, `agent-cli drop import` "
             "takes it.",
             file, done->name, done->fleet, done->path, done->name);
    puts("It also needs the data. This puts it on the stick, for whoever has that to read:");
    snprintf(words, sizeof words, "drop export --to %s --for %s", directory, done->name);
    text_command(stdout, c, "agent-cli", words);
}
