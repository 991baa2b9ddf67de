#include "usage.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "manual.h"
#include "text.h"

#define NAME_COLUMN 32 /* of the longest command */

struct command {
    const char *name;
    const char *arguments; /* besides the options; "" for none */
    const char *help;
    const char *more; /* for its own page; "" for none */
    uint32_t words_min, words_max;
    int (*run)(struct cli *c);
};

enum {
    INIT,
    TRACK,
    UNTRACK,
    TABLES,
    RULES_SET,
    RULES_UNSET,
    RULES_IMPORT,
    RULES_PRESET,
    RULES, /* behind those of two words */
    CONFLICTS_SHOW,
    CONFLICTS_RESTORE,
    CONFLICTS_DISMISS,
    CONFLICTS_MERGE,
    CONFLICTS, /* likewise */
    PARKED_ACCEPT,
    PARKED, /* likewise */
    INVITE,
    ROSTER,
    RENAME,
    REVOKE,
    ADMIN_ADD,
    ADMIN_REMOVE,
    ROTATE,
    JOIN,
    STATUS,
    PEERS,
    SYNC,
    WAIT,
    IDENTITY_RESET,
    IDENTITY_CONFIRM,
    EXPORT,
    IMPORT,
    STOP,
    UNINSTALL,
    HELP,
    COMMANDS
};

static const struct command commands[COMMANDS] = {
    [INIT] = {"init", "", "set this PC up: its home, identity and settings",
              "Makes a fleet of one, which other PCs join with `invite` and `join`; with --join, "
              "this PC joins another's as soon as its agent runs. The database itself is not "
              "touched before `track`.",
              0, 0, run_init},
    [TRACK] = {"track", "TABLE...", "share tables with the other PCs",
               "The rows that are there are published, too. A table without a primary key cannot "
               "be shared; `tables` says which and why.",
               0, WORDS_MAX, run_track},
    [UNTRACK] = {"untrack", "TABLE...", "stop sharing tables; their rows stay", "", 1, WORDS_MAX,
                 run_untrack},
    [TABLES] = {"tables", "", "which tables there are, and which are shared", "", 0, 0, run_tables},
    [RULES_SET] =
        {"rules set", "TARGET KIND [ARGUMENT]", "say how the fleet treats a table",
         "TARGET is TABLE, TABLE.COLUMN or TABLE.COLUMN,COLUMN. Kinds: counter "
         "(TABLE.COLUMN: what several PCs take off or add meanwhile adds up); local "
         "(TABLE or TABLE.COLUMN: stays on each PC; ARGUMENT is what rows that arrive "
         "get in the column); keep or merge (the columns of a UNIQUE key: of two rows "
         "with the same value both stay, or they become one); references "
         "(TABLE.COLUMN: names a row of table ARGUMENT, though no foreign key says so); "
         "references-by (TABLE.COLUMN: names a row of the table that column ARGUMENT of "
         "the same row says, be it in words or as a row of django_content_type; a model "
         "app.model has table app_model); references-text (TABLE.COLUMN: text such as "
         "sale.line,21, which is row 21 of sale_line; ARGUMENT is the pattern, model,id "
         "or table,id); publish, subscribe or both (TABLE: its changes only go out from here, only "
         "come in, or both). What does not fit the database or another rule is "
         "refused. Rules reach the other PCs by themselves.",
         2, 3, run_rules_set},
    [RULES_UNSET] = {"rules unset", "TARGET KIND", "take a rule back", "", 2, 2, run_rules_unset},
    [RULES_IMPORT] = {"rules import", "FILE", "set the rules of a JSON file",
                      "The file holds what `rules --json` prints, or a list such as "
                      "[{\"target\": \"lot.quantite\", \"kind\": \"counter\"}].",
                      1, 1, run_rules_import},
    [RULES_PRESET] = {"rules preset", "NAME", "set the rules that a framework needs",
                      "NAME is django: sessions, admin log and migrations stay on each PC, and so "
                      "do passwords; content types and permissions are united by their natural "
                      "keys. Generic foreign keys (object_id beside content_type_id) become "
                      "references-by.",
                      1, 1, run_rules_preset},
    [RULES] = {"rules", "", "the rules of the fleet, as they would be set again", "", 0, 0,
               run_rules},
    [CONFLICTS_SHOW] = {"conflicts show", "NUMBER", "all about one conflict", "", 1, 1,
                        run_conflicts_show},
    [CONFLICTS_RESTORE] = {"conflicts restore", "NUMBER", "bring a lost value back",
                           "The value that lost is written now, as an edit of this PC, and the "
                           "other PCs get it; a row that was deleted comes back. A value that the "
                           "database would refuse is not written, and the error says why.",
                           1, 1, run_conflicts_restore},
    [CONFLICTS_DISMISS] = {"conflicts dismiss", "NUMBER", "take one off the list, or --all",
                           "The data stays as it is, and the other PCs keep theirs on their "
                           "lists.",
                           0, 1, run_conflicts_dismiss},
    [CONFLICTS_MERGE] =
        {"conflicts merge", "TABLE KEY KEY", "make one row of two",
         "The rows of TABLE under these two keys (numbers, as this PC's database has "
         "them) are one thing. Of each column the later value stays, what refers to "
         "either row refers to the one that stays, and the other PCs do the same. It "
         "cannot be undone.",
         3, 3, run_conflicts_merge},
    [CONFLICTS] = {"conflicts", "", "values that lost because two PCs wrote apart",
                   "Two PCs that are apart can write into the same place. The later write counts; "
                   "the one that lost is kept here, with who wrote it and when, until it is "
                   "restored or dismissed. The 1000 latest are kept.",
                   0, 0, run_conflicts},
    [PARKED_ACCEPT] = {"parked accept", "", "let in what waits for a migration, as it is",
                       "A new version of the application has changed many rows on one PC and not "
                       "yet on another; until it has, what the two write does not mix. Use this "
                       "only if the other one is never going to make the same change: its values "
                       "come in as they are.",
                       0, 0, run_parked_accept},
    [PARKED] = {"parked", "", "rows that this PC's database cannot hold yet, and why",
                "They are tried again by themselves when something changes that they may have "
                "waited for. Rows that were deleted on another PC and stay here because rows here "
                "refer to them are listed apart: they are no trouble.",
                0, 0, run_parked},
    [INVITE] = {"invite", "", "print a token with which one other PC can join",
                "Whoever has the token while it is valid can join once: hand it over as you would "
                "a key. With --cancel no token is made: all that are still open are withdrawn, of "
                "every PC, or the one whose id `roster` shows.",
                0, 1, run_invite},
    [ROSTER] = {"roster", "", "who is in the fleet, who may rule it, which tokens are open",
                "Every PC is an admin when it joins: it may invite, shut out, rename, and set "
                "rules. `admin remove` takes that from a PC. A PC that was shut out stays on the "
                "list, apart: what it wrote before then is still the fleet's.",
                0, 0, run_roster},
    [RENAME] = {"rename", "PEER NAME", "call a PC something else",
                "Marks such as #CAISSE2-TKT17 in front of numbers that two PCs gave keep the name "
                "that the PC joined with.",
                2, 2, run_rename},
    [REVOKE] =
        {"revoke", "PEER", "shut a PC out of the fleet, for good: lost, stolen, or replaced",
         "Asks first. What that PC wrote and this one has stays; what it writes from now on, or "
         "has sent to nobody yet, is taken by no PC, not from the network and not from files. It "
         "may take part again only with a new home (`init`) and a new token. The fleet gets a new "
         "key, so that the old PC learns nothing any more. Do it on the PC that has the most of "
         "what the lost one wrote. For one that was shut out already: what is here of it, beyond "
         "what counted, counts from now on.",
         1, 1, run_revoke},
    [ADMIN_ADD] = {"admin add", "PEER", "let a PC invite, shut out, rename, and set rules", "", 1,
                   1, run_admin_add},
    [ADMIN_REMOVE] = {"admin remove", "PEER", "take that from a PC, as from one that stands open",
                      "The last admin stays one. A PC that has not heard of it yet may invite "
                      "meanwhile: whom it takes in so is no member when both have met.",
                      1, 1, run_admin_remove},
    [ROTATE] = {"rotate", "", "give the fleet a new key",
                "The key keeps strangers from finding and calling the fleet's PCs; `revoke` "
                "changes it by itself. A PC that is off meanwhile comes in with the old one, up to "
                "three times; after that it needs a file of `drop export` first.",
                0, 0, run_rotate},
    [JOIN] = {"join", "TOKEN", "join the fleet of the PC that made the token",
              "Ends when this PC is a member and its rows have been compared with the fleet's.", 1,
              64, run_join},
    [STATUS] = {"status", "", "how this PC stands: exit code 0 well, 1 with trouble, 2 failing", "",
                0, 0, run_status},
    [PEERS] = {"peers", "", "the other PCs of the fleet", "", 0, 0, run_peers},
    [SYNC] = {"sync", "", "exchange with every PC that can be reached, now",
              "A PC that is new, or whose files went back, first compares its rows with the other "
              "PCs'. `status` says when it waits for one that is away. If that one is gone for "
              "good, --without-absent goes on without it: rows of a copied database that only it "
              "had published would then stand twice if it came back. The same goes for changes "
              "that wait for others which only a PC that is away may have.",
              0, 0, run_sync},
    [WAIT] = {"wait", "", "wait until every connected PC has everything from here",
              "Ends 0 when nothing captured is unsent and every connected PC has acknowledged all "
              "of it, 1 at the timeout, with what it waited for.",
              0, 0, run_wait},
    [IDENTITY_RESET] =
        {"identity reset", "", "on a copy of another PC's home: become a PC of its own",
         "A home that was copied to another PC, or with its disk, would make two PCs speak under "
         "one "
         "identity. This one gets a new identity, no fleet, and its file is taken for a copy of "
         "the "
         "fleet's when it joins again: what was written here is kept and shared then. The agent "
         "must not run.",
         0, 0, run_identity_reset},
    [IDENTITY_CONFIRM] =
        {"identity confirm-move", "", "this is the one PC with this identity",
         "For a home that was moved to another place or PC, and for the one that goes on as before "
         "after a copy of it was seen. The agent must not run.",
         0, 0, run_identity_confirm},
    [EXPORT] = {"drop export", "", "write what is shared to a file, for a stick or a share",
                "All of it, or with --for what that PC is not known to have; no file is written "
                "when it has everything.",
                0, 0, run_export},
    [IMPORT] =
        {"drop import", "FILE...", "take in files that another PC wrote",
         "A file may be taken in twice: the second time changes nothing. What a PC made after it "
         "was shut out is left out; --adopt takes it, too, and makes every PC take just that, "
         "and nothing that it makes later. Asks first: do it only if you know that these "
         "sales are right, as those of a PC that was retired before all was sent.",
         1, WORDS_MAX, run_import},
    [STOP] = {"stop", "", "stop the agent of this home", "", 0, 0, run_stop},
    [UNINSTALL] =
        {"uninstall", "", "remove every trace of Navette from the database",
         "Asks first. The database keeps all its rows, and its schema is as it was before "
         "`track`. With --db FILE it clears a database whose home is lost.",
         0, 0, run_uninstall},
    [HELP] = {"help", "[COMMAND]", "this page, or that of one command", "", 0, 2, run_help},
};

#define ON(command) (UINT64_C(1) << (command))
#define EVERYWHERE  UINT64_MAX

struct option {
    const char *name;
    const char *value; /* what stands for its value in the help; NULL for a flag */
    uint64_t commands; /* that take it */
    uint64_t required; /* of these, those that cannot do without */
    size_t at;
    const char *help;
};

#define AT(field) offsetof(struct cli, field)

static const struct option options[] = {
    {"--db", "FILE", ON(INIT) | ON(UNINSTALL), ON(INIT), AT(db), "the application's SQLite file"},
    {"--name", "NAME", ON(INIT) | ON(IDENTITY_RESET), 0, AT(name),
     "what other PCs call this one (this PC's name)"},
    {"--fleet", "NAME", ON(INIT), 0, AT(fleet), "what the fleet is called (as this PC)"},
    {"--drop", "DIR", ON(INIT), 0, AT(drop), "folder for exchange by files (none)"},
    {"--listen", "ADDRESS:PORT", ON(INIT), 0, AT(listen),
     "where peers reach us (any address, 7400)"},
    {"--join", "TOKEN", ON(INIT), 0, AT(join), "join with this token when the agent starts"},
    {"--discovery-port", "PORT", ON(INIT), 0, AT(discovery_port), "UDP port of broadcasts (7401)"},
    {"--peers", "LIST", ON(INIT), 0, AT(peers), "ADDRESS:PORT,... that broadcasts do not reach"},
    {"--copy", NULL, ON(INIT) | ON(JOIN), 0, AT(copy),
     "this database is a copy of the fleet's: rows with equal keys are the same rows"},
    {"--all", NULL, ON(TRACK) | ON(CONFLICTS_DISMISS), 0, AT(all),
     "all of them; with track, all tables that can be shared"},
    {"--ttl", "TIME", ON(INVITE), 0, AT(ttl), "how long the token is valid (15m)"},
    {"--timeout", "TIME", ON(WAIT), 0, AT(timeout), "how long to wait (30s)"},
    {"--to", "DIR", ON(EXPORT), 0, AT(to), "where to write it (sortant in the drop folder)"},
    {"--for", "PEER", ON(EXPORT), 0, AT(for_peer), "only what this PC lacks (everything)"},
    {"--where", "EXPRESSION", ON(RULES_SET), 0, AT(where),
     "publish or both: only rows for which this SQL expression holds leave a PC"},
    {"--names", "NAME=TABLE,...", ON(RULES_SET), 0, AT(names),
     "references-by or references-text: what the application calls tables that have other names"},
    {"--site", "NAME", ON(RULES_SET) | ON(RULES_UNSET), 0, AT(site),
     "publish, subscribe or both: what this PC does (every PC)"},
    {"--cancel", NULL, ON(INVITE), 0, AT(cancel), "withdraw what is open; with an id, only that"},
    {"--adopt", NULL, ON(IMPORT), 0, AT(adopt), "also what PCs that were shut out had not sent"},
    {"--yes", NULL, ON(UNINSTALL) | ON(IDENTITY_RESET) | ON(REVOKE) | ON(IMPORT), 0, AT(yes),
     "do not ask"},
    {"--without-absent", NULL, ON(SYNC), 0, AT(without_absent),
     "wait no longer for PCs that are away: they are gone for good"},
    {"--man", NULL, ON(HELP), 0, AT(man), "as a manual page"},
    {"--home", "DIR", EVERYWHERE, 0, AT(home_given),
     "the home of the agent (NAVETTE_HOME, else the system's place)"},
    {"--json", NULL, EVERYWHERE, 0, AT(json), "answer in JSON, for programs"},
    {"--help", NULL, EVERYWHERE, 0, AT(help), "about this command"},
    {"--version", NULL, EVERYWHERE, 0, AT(version), "which version this is"},
};

/* ---- parsing ---- */

static uint64_t bit_of(const struct command *command)
{
    return command == NULL ? 0 : ON(command - commands);
}

const struct command *usage_find(const char *word, const char *next)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        const char *space = strchr(commands[i].name, ' ');
        size_t n = space == NULL ? strlen(word) + 1 : (size_t)(space - commands[i].name);

        if (space == NULL && strcmp(commands[i].name, word) == 0)
            return &commands[i];
        if (space != NULL && strlen(word) == n && strncmp(commands[i].name, word, n) == 0 &&
            next != NULL && strcmp(space + 1, next) == 0)
            return &commands[i];
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
        if (is_in_group(&commands[i], word))
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
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (strlen(options[i].name) == n && strncmp(options[i].name, word, n) == 0)
            return &options[i];
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
        *used |= UINT32_C(1) << (o - options);
    }
    return true;
}

/* "drop needs export or import" */
static bool needs_second(const char *group, struct err *e)
{
    char words[200] = "";
    size_t n = 0;

    for (size_t i = 0; i < COMMANDS && n < sizeof words; i++)
        if (is_in_group(&commands[i], group))
            n += (size_t)snprintf(words + n, sizeof words - n, "%s%s", n > 0 ? " or " : "",
                                  commands[i].name + strlen(group) + 1);
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

    _Static_assert(COUNT_OF(options) <= 32, "one bit each");
    _Static_assert(COMMANDS < 64, "one bit each");
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        const struct option *o = &options[i];
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
    if (command == &commands[TRACK] && c->all == (c->word_count > 0))
        return err_set(e, ERR_USAGE, "track needs either --all or the names of tables");
    if (command == &commands[INVITE] && c->word_count > 0 && !c->cancel)
        return err_set(e, ERR_USAGE, "invite: \"%.60s\" is one word too many", c->words[0]);
    if (command == &commands[CONFLICTS_DISMISS] && c->all == (c->word_count > 0))
        return err_set(e, ERR_USAGE, "conflicts dismiss needs either --all or a number");
    return true;
}

bool usage_parse(struct cli *c, int argc, char **argv, struct err *e)
{
    uint32_t used = 0;

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
    } units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    char *end = NULL;
    long long n = strtoll(text, &end, 10);

    for (size_t i = 0; i < COUNT_OF(units) && end != text && n >= 0 && n <= 1000000000; i++) {
        if (strcmp(end, units[i].name) == 0) {
            *ms = n * units[i].ms;
            return true;
        }
    }
    return err_set(e, ERR_USAGE, "\"%.40s\" is no time: write it like 30s, 15m or 1h", text);
}

/* ---- help ---- */

/* `command` with its options and arguments, as a person types it. */
static void format_synopsis(char *out, size_t room, const struct command *command)
{
    size_t n = (size_t)snprintf(out, room, "%s", command->name);

    for (size_t i = 0; i < COUNT_OF(options); i++) {
        const struct option *o = &options[i];
        bool required = (o->required & bit_of(command)) != 0;

        if (o->commands == EVERYWHERE || (o->commands & bit_of(command)) == 0 || n >= room)
            continue;
        if (command == &commands[TRACK] || command == &commands[CONFLICTS_DISMISS])
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
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        const struct option *o = &options[i];
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
        if (!is_in_group(&commands[i], word))
            continue;
        if (found)
            fputs("\n", out);
        print_command(out, &commands[i]);
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

        snprintf(name, sizeof name, "%s%s%s%s", commands[i].name,
                 i == TRACK  ? " --all |"
                 : i == INIT ? " --db FILE"
                             : "",
                 commands[i].arguments[0] != '\0' ? " " : "", commands[i].arguments);
        fprintf(out, "  %-*s %s\n", NAME_COLUMN, name, commands[i].help);
    }
    fputs("\n", out);
    print_options(out, NULL);
    fputs("\nExit codes: 0 well, 1 with trouble, 2 failing, 3 no agent runs, 64 wrong usage.\n"
          "`agent-cli help COMMAND` says more.\n",
          out);
}

/* ---- manual page ---- */

static void print_man_options(FILE *out, uint64_t of, bool everywhere)
{
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        const struct option *o = &options[i];

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

        format_synopsis(synopsis, sizeof synopsis, &commands[i]);
        fputs(".TP\n.B ", out);
        manual_text(out, synopsis);
        manual_text(out, commands[i].help);
        if (commands[i].more[0] != '\0') {
            fputs(".br\n", out);
            manual_text(out, commands[i].more);
        }
        print_man_options(out, ON(i), false);
    }
    fputs(".SH OPTIONS\n", out);
    print_man_options(out, EVERYWHERE, true);
    fputs(
        ".SH EXIT STATUS\n"
        "0 well; 1 with trouble (or a wait that timed out); 2 failing or refused; 3 no agent runs "
        "on this home; 64 wrong usage.\n"
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
        if (command == NULL && c->word_count == 1 && usage_print_group(stdout, c->words[0]))
            return CODE_OK;
        if (command == NULL) {
            err_set(&e, ERR_USAGE, "unknown command \"%.60s\"; `agent-cli help` lists them",
                    c->words[0]);
            return answer_failed(c, &e);
        }
    }
    usage_print(stdout, command);
    return CODE_OK;
}
