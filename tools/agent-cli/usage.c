#include "usage.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "answer.h"
#include "grammar.h"
#include "manual.h"
#include "text.h"

#define NAME_COLUMN 32 /* of the longest command */

/* ---- parsing ---- */

static uint64_t bit_of(const struct command *command)
{
    return command == NULL ? 0 : ON(command - grammar_commands);
}

const struct command *usage_find(const char *word, const char *next)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        const char *space = strchr(grammar_commands[i].name, ' ');
        size_t n = space == NULL ? strlen(word) + 1 : (size_t)(space - grammar_commands[i].name);

        if (space == NULL && strcmp(grammar_commands[i].name, word) == 0)
            return &grammar_commands[i];
        if (space != NULL && strlen(word) == n && strncmp(grammar_commands[i].name, word, n) == 0 &&
            next != NULL && strcmp(space + 1, next) == 0)
            return &grammar_commands[i];
    }
    return NULL;
}

static bool is_in_group(const struct command *command, const char *word)
{
    size_t n = strlen(word);

    return strncmp(command->name, word, n) == 0 && command->name[n] == ' ';
}

static bool is_group(const char *word)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (is_in_group(&grammar_commands[i], word))
            return true;
    return false;
}

const char *usage_name(const struct command *command)
{
    return command->name;
}

/* The option that `word` names; its value, if it stands behind a "=", in `value`. */
static const struct option *find_option(const char *word, const char **value)
{
    const char *equals = strchr(word, '=');
    size_t n = equals == NULL ? strlen(word) : (size_t)(equals - word);

    *value = equals == NULL ? NULL : equals + 1;
    for (size_t i = 0; i < grammar_option_count; i++) {
        if (strlen(grammar_options[i].name) == n && strncmp(grammar_options[i].name, word, n) == 0)
            return &grammar_options[i];
    }
    return NULL;
}

static bool take_option(struct cli *c, const struct option *o, const char *value, struct err *e)
{
    void *field = (char *)c + o->at;

    if (o->value == NULL) {
        *(bool *)field = true;
        return value == NULL || err_set(e, ERR_USAGE, "%s takes no value", o->name);
    }
    if (value == NULL || value[0] == '\0')
        return err_set(e, ERR_USAGE, "%s needs a value: %s", o->name, o->value);
    memcpy(field, &value, sizeof value);
    return true;
}

/* First go: options, and everything else into words. `used` notes which options were there. */
static bool take_words(struct cli *c, int argc, char **argv, uint32_t *used, struct err *e)
{
    bool only_words = false;

    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        const char *value;
        const struct option *o;

        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
            continue;
        }
        if (only_words || word[0] != '-' || word[1] == '\0') {
            if (c->word_count == WORDS_MAX)
                return err_set(e, ERR_LIMIT, "more than %d words", WORDS_MAX);
            c->words[c->word_count++] = word;
            continue;
        }
        o = find_option(strcmp(word, "-h") == 0 ? "--help" : word, &value);
        if (o == NULL)
            return err_set(e, ERR_USAGE, "unknown option %.60s", word);
        if (o->value != NULL && value == NULL && i + 1 < argc)
            value = argv[++i];
        if (!take_option(c, o, value, e))
            return false;
        *used |= UINT32_C(1) << (o - grammar_options);
    }
    return true;
}

/* "drop needs export or import" */
static bool needs_second(const char *group, struct err *e)
{
    char words[200] = "";
    size_t n = 0;

    for (size_t i = 0; i < COMMANDS && n < sizeof words; i++)
        if (is_in_group(&grammar_commands[i], group))
            n += (size_t)snprintf(words + n, sizeof words - n, "%s%s", n > 0 ? " or " : "",
                                  grammar_commands[i].name + strlen(group) + 1);
    return err_set(e, ERR_USAGE, "%s needs %s", group, words);
}

static bool take_command(struct cli *c, struct err *e)
{
    uint32_t words;

    if (c->word_count == 0)
        return err_set(e, ERR_USAGE, "which command?");
    c->command = usage_find(c->words[0], c->word_count > 1 ? c->words[1] : NULL);
    if (c->command == NULL && is_group(c->words[0])) {
        c->group = c->words[0];
        return c->help || c->version || needs_second(c->group, e);
    }
    if (c->command == NULL)
        return err_set(e, ERR_USAGE, "unknown command \"%.60s\"", c->words[0]);
    words = strchr(c->command->name, ' ') != NULL ? 2 : 1;
    c->word_count -= words;
    memmove(c->words, c->words + words, c->word_count * sizeof *c->words);
    return true;
}

static bool check_options(const struct cli *c, uint32_t used, struct err *e)
{
    uint64_t command = bit_of(c->command);

    for (size_t i = 0; i < grammar_option_count; i++) {
        const struct option *o = &grammar_options[i];
        bool given = (used & UINT32_C(1) << i) != 0;

        if (given && (o->commands & command) == 0)
            return err_set(e, ERR_USAGE, "%s takes no %s", c->command->name, o->name);
        if (!given && (o->required & command) != 0)
            return err_set(e, ERR_USAGE, "%s needs %s %s", c->command->name, o->name, o->value);
    }
    return true;
}

static bool check_words(const struct cli *c, struct err *e)
{
    const struct command *command = c->command;

    if (c->word_count < command->words_min)
        return err_set(e, ERR_USAGE, "%s needs %s", command->name, command->arguments);
    if (c->word_count > command->words_max)
        return err_set(e, ERR_USAGE, "%s: \"%.60s\" is one word too many", command->name,
                       c->words[command->words_max]);
    if (command == &grammar_commands[TRACK] && c->all == (c->word_count > 0))
        return err_set(e, ERR_USAGE, "track needs either --all or the names of tables");
    if (command == &grammar_commands[INVITE] && c->word_count > 0 && !c->cancel)
        return err_set(e, ERR_USAGE, "invite: \"%.60s\" is one word too many", c->words[0]);
    if (command == &grammar_commands[CONFLICTS_DISMISS] && c->all == (c->word_count > 0))
        return err_set(e, ERR_USAGE, "conflicts dismiss needs either --all or a number");
    return true;
}

/* Whoever asked for JSON gets it, also where what stands before it is wrong. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

bool usage_parse(struct cli *c, int argc, char **argv, struct err *e)
{
    uint32_t used = 0;

    c->json = wants_json(argc, argv);
    if (!take_words(c, argc, argv, &used, e))
        return false;
    if ((c->help || c->version) && c->word_count == 0)
        return true;
    if (!take_command(c, e))
        return false;
    return c->help || c->version || (check_options(c, used, e) && check_words(c, e));
}

int usage_run(struct cli *c)
{
    return c->command->run(c);
}

bool duration_parse(const char *text, int64_t *ms, struct err *e)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    char *end = NULL;
    long long n = strtoll(text, &end, 10);

    for (size_t i = 0; i < COUNT_OF(units) && end != text && n >= 0 && n <= 1000000000; i++) {
        if (strcmp(end, units[i].name) == 0) {
            *ms = n * units[i].ms;
            return true;
        }
    }
    return err_set(e, ERR_USAGE, "\"%.40s\" is no time: write it like 30s, 15m, 1h or 2d", text);
}

/* ---- help ---- */

/* `command` with its options and arguments, as a person types it. */
static void format_synopsis(char *out, size_t room, const struct command *command)
{
    size_t n = (size_t)snprintf(out, room, "%s", command->name);

    for (size_t i = 0; i < grammar_option_count; i++) {
        const struct option *o = &grammar_options[i];
        bool required = (o->required & bit_of(command)) != 0;

        if (o->commands == EVERYWHERE || (o->commands & bit_of(command)) == 0 || n >= room)
            continue;
        if (command == &grammar_commands[TRACK] || command == &grammar_commands[CONFLICTS_DISMISS])
            n += (size_t)snprintf(out + n, room - n, " %s |", o->name);
        else
            n += (size_t)snprintf(out + n, room - n, " %s%s%s%s%s", required ? "" : "[", o->name,
                                  o->value != NULL ? " " : "", o->value != NULL ? o->value : "",
                                  required ? "" : "]");
    }
    if (command->arguments[0] != '\0' && n < room)
        snprintf(out + n, room - n, " %s", command->arguments);
}

static void print_options(FILE *out, const struct command *command)
{
    for (size_t i = 0; i < grammar_option_count; i++) {
        const struct option *o = &grammar_options[i];
        char name[64];
        bool here =
            command == NULL ? o->commands == EVERYWHERE : (o->commands & bit_of(command)) != 0;

        if (!here)
            continue;
        snprintf(name, sizeof name, "%s%s%s", o->name, o->value != NULL ? " " : "",
                 o->value != NULL ? o->value : "");
        fprintf(out, "  %-*s ", NAME_COLUMN, name);
        text_wrap(out, o->help, NAME_COLUMN + 3, NAME_COLUMN + 3);
    }
}

static void print_command(FILE *out, const struct command *command)
{
    char synopsis[512];

    format_synopsis(synopsis, sizeof synopsis, command);
    fputs("usage: agent-cli ", out);
    text_wrap(out, synopsis, 17, 17);
    fprintf(out, "\n%s\n", command->help);
    if (command->more[0] != '\0') {
        fputc('\n', out);
        text_wrap(out, command->more, 0, 0);
    }
    fputs("\n", out);
    print_options(out, command);
}

bool usage_print_group(FILE *out, const char *word)
{
    bool found = false;

    for (size_t i = 0; i < COMMANDS; i++) {
        if (!is_in_group(&grammar_commands[i], word))
            continue;
        if (found)
            fputs("\n", out);
        print_command(out, &grammar_commands[i]);
        found = true;
    }
    return found;
}

void usage_print(FILE *out, const struct command *command)
{
    if (command != NULL) {
        print_command(out, command);
        return;
    }
    fputs("usage: agent-cli [--home DIR] [--json] COMMAND ...\n\n", out);
    for (size_t i = 0; i < COMMANDS; i++) {
        char name[64];

        snprintf(name, sizeof name, "%s%s%s%s", grammar_commands[i].name,
                 i == TRACK  ? " --all |"
                 : i == INIT ? " --db FILE"
                             : "",
                 grammar_commands[i].arguments[0] != '\0' ? " " : "",
                 grammar_commands[i].arguments);
        fprintf(out, "  %-*s %s\n", NAME_COLUMN, name, grammar_commands[i].help);
    }
    fputs("\n", out);
    print_options(out, NULL);
    fputs(
        "\nExit codes: 0 well, 1 with trouble, 2 failing, 3 no agent or no home, 64 wrong usage.\n"
        "`agent-cli help COMMAND` says more.\n",
        out);
}

static struct json_object *command_json(const struct command *command)
{
    struct json_object *o = json_object_new_object();
    struct json_object *list = json_object_new_array();
    char synopsis[512];

    format_synopsis(synopsis, sizeof synopsis, command);
    json_object_object_add(o, "name", json_object_new_string(command->name));
    json_object_object_add(o, "usage", json_object_new_string(synopsis));
    json_object_object_add(o, "help", json_object_new_string(command->help));
    json_object_object_add(o, "more", json_object_new_string(command->more));
    for (size_t i = 0; i < grammar_option_count; i++) {
        struct json_object *option;

        if ((grammar_options[i].commands & bit_of(command)) == 0)
            continue;
        option = json_object_new_object();
        json_object_object_add(option, "name", json_object_new_string(grammar_options[i].name));
        json_object_object_add(option, "value",
                               grammar_options[i].value != NULL
                                   ? json_object_new_string(grammar_options[i].value)
                                   : NULL);
        json_object_object_add(option, "help", json_object_new_string(grammar_options[i].help));
        json_object_array_add(list, option);
    }
    json_object_object_add(o, "options", list);
    return o;
}

int usage_help(const struct cli *c, const struct command *command, const char *group)
{
    struct json_object *o, *list;

    if (!c->json) {
        if (group != NULL)
            usage_print_group(stdout, group);
        else
            usage_print(stdout, command);
        return CODE_OK;
    }
    o = json_object_new_object();
    list = json_object_new_array();
    for (size_t i = 0; i < COMMANDS; i++)
        if (command == &grammar_commands[i] ||
            (command == NULL && (group == NULL || is_in_group(&grammar_commands[i], group))))
            json_object_array_add(list, command_json(&grammar_commands[i]));
    json_object_object_add(o, "commands", list);
    answer_json(o);
    json_object_put(o);
    return CODE_OK;
}

int usage_version(const struct cli *c)
{
    struct json_object *o;

    if (!c->json) {
        puts("agent-cli " NAVETTE_VERSION);
        return CODE_OK;
    }
    o = json_object_new_object();
    json_object_object_add(o, "program", json_object_new_string("agent-cli"));
    json_object_object_add(o, "version", json_object_new_string(NAVETTE_VERSION));
    answer_json(o);
    json_object_put(o);
    return CODE_OK;
}

/* ---- manual page ---- */

static void print_man_options(FILE *out, uint64_t of, bool everywhere)
{
    for (size_t i = 0; i < grammar_option_count; i++) {
        const struct option *o = &grammar_options[i];

        if (everywhere != (o->commands == EVERYWHERE) || (o->commands & of) == 0)
            continue;
        fputs(everywhere ? ".TP\n.B " : ".RS\n.TP\n.B ", out);
        manual_text(out, o->name);
        if (o->value != NULL)
            fprintf(out, ".I %s\n", o->value);
        fputs(".br\n", out);
        manual_text(out, o->help);
        if (!everywhere)
            fputs(".RE\n", out);
    }
}

void usage_print_man(FILE *out)
{
    fputs(
        ".\\\" Made by `agent-cli help --man`.\n"
        ".TH AGENT\\-CLI 1 \"\" Navette Navette\n"
        ".SH NAME\nagent\\-cli \\- set up, watch and steer a Navette agent\n"
        ".SH SYNOPSIS\n.B agent\\-cli\n[\\-\\-home DIR] [\\-\\-json] COMMAND ...\n"
        ".SH DESCRIPTION\n"
        "Navette keeps the SQLite databases of several PCs the same, over the LAN, without a "
        "server.\nOn every PC runs one\n.BR navette\\-agent (1)\nper database; agent\\-cli speaks "
        "to it over a local socket in its home.\n.BR init ,\n.BR track ,\n.BR untrack ,\n"
        ".BR tables ,\n.BR uninstall ,\n.BR rules ,\n.BR conflicts\nand\n.B parked\nalso work "
        "while no agent runs.\n"
        ".SH COMMANDS\n",
        out);
    for (size_t i = 0; i < COMMANDS; i++) {
        char synopsis[512];

        format_synopsis(synopsis, sizeof synopsis, &grammar_commands[i]);
        fputs(".TP\n.B ", out);
        manual_text(out, synopsis);
        manual_text(out, grammar_commands[i].help);
        if (grammar_commands[i].more[0] != '\0') {
            fputs(".br\n", out);
            manual_text(out, grammar_commands[i].more);
        }
        print_man_options(out, ON(i), false);
    }
    fputs(".SH OPTIONS\n", out);
    print_man_options(out, EVERYWHERE, true);
    fputs(
        ".SH EXIT STATUS\n"
        "0 well; 1 with trouble (or a wait that timed out); 2 failing or refused; 3 there is no "
        "such home, it is not set up, or the command needs an agent and none runs on it; 64 wrong "
        "usage. The same for every command.\nWith \\-\\-json every command prints one JSON object "
        "with \"schema\" in it; of one that failed it has \"error\", an object with \"code\" and "
        "\"text\" (in what `drop import` prints, each of \"files\" has its own).\n"
        ".SH ENVIRONMENT\n.TP\n.B NAVETTE_HOME\nThe home, where \\-\\-home does not name one.\n"
        ".SH FILES\n"
        "In the home: agent.conf (settings), identity and fleet.key (secrets, for this user "
        "alone), roster,\nledger.db, agent.sock, logs/agent.log.\n"
        ".SH SEE ALSO\n.BR navette\\-agent (1)\n",
        out);
}

int run_help(struct cli *c)
{
    const struct command *command = NULL;
    struct err e = {0};

    if (c->man && c->json) {
        err_set(&e, ERR_USAGE, "help takes either --man or --json");
        return answer_failed(c, &e);
    }
    if (c->man && c->word_count > 0 && strcmp(c->words[0], "navette-agent") == 0) {
        manual_print_agent(stdout);
        return CODE_OK;
    }
    if (c->man) {
        usage_print_man(stdout);
        return CODE_OK;
    }
    if (c->word_count > 0) {
        command = usage_find(c->words[0], c->word_count > 1 ? c->words[1] : NULL);
        if (command == NULL && c->word_count == 1 && is_group(c->words[0]))
            return usage_help(c, NULL, c->words[0]);
        if (command == NULL) {
            err_set(&e, ERR_USAGE, "unknown command \"%.60s\"; `agent-cli help` lists them",
                    c->words[0]);
            return answer_failed(c, &e);
        }
    }
    return usage_help(c, command, NULL);
}
