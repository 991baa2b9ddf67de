/* Making a home, and taking everything of ours out of a database again. */
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <sodium.h>
#include <uv.h>

#include <navette/invite.h>

#include "answer.h"
#include "capture.h"
#include "config.h"
#include "founding.h"
#include "origin.h"
#include "text.h"

#define BUSY_MS       10000
#define RETRY_MS      20
#define PLACE_COLUMNS 12

/* ---- the database ---- */

static bool real_path(char *out, const char *path, struct err *e)
{
    struct err why = {0};

    return path_real(out, path, &why) ||
           err_set(e, ERR_REFUSED,
                   "%s; name the application's SQLite file, which must exist already", why.text);
}

/* The application holds its file: is it to be tried again? For some seconds it is, after a wait. */
static bool waits(uint32_t *waited_ms, struct err *e)
{
    if (e->code != ERR_BUSY || *waited_ms >= BUSY_MS)
        return false;
    err_clear(e);
    uv_sleep(RETRY_MS);
    *waited_ms += RETRY_MS;
    return true;
}

static bool open_database(struct appdb *a, const char *path, struct err *e)
{
    uint32_t waited_ms = 0;

    while (!appdb_open(a, path, NULL, e))
        if (!waits(&waited_ms, e))
            return false;
    return true;
}

/* The home whose agent keeps the file, by what the file says; its path is "" when it says nothing.
 */
static bool find_keeper(struct appdb *a, struct home *keeper, struct err *e)
{
    char directory[PATH_BYTES_MAX];
    char *ledger = NULL;
    uint32_t waited_ms = 0;
    bool ok;

    *keeper = (struct home){0};
    if (!a->installed)
        return true;
    do
        ok = app_ledger_read(a, &ledger, e);
    while (!ok && waits(&waited_ms, e));
    if (ledger != NULL && strlen(ledger) < sizeof directory) {
        path_directory(directory, ledger);
        ok = home_locate(keeper, directory, e);
    }
    free(ledger);
    return ok;
}

/* Are these the settings of the agent that keeps the file? */
static bool keeps(const struct home *h, const char *path)
{
    struct config config;
    char real[PATH_BYTES_MAX];
    struct err other = {0};

    return h->path[0] != '\0' && home_exists(h) && config_load(&config, h->conf, &other) &&
           path_real(real, config.database, &other) && strcmp(real, path) == 0;
}

/* Its settings may be lost alone: with its ledger it goes on with the file. Else the file is
 * another's, whatever became of that one. */
static bool check_keeper(const struct cli *c, struct appdb *a, const char *path, struct err *e)
{
    struct home keeper;

    if (!find_keeper(a, &keeper, e))
        return false;
    if (strcmp(keeper.path, c->home.path) == 0 && file_exists(c->home.ledger))
        return true;
    if (keeps(&keeper, path))
        return err_set(
            e, ERR_REFUSED,
            "%s is kept by another Navette home, which is there: use it (`--home %s`), "
            "or stop its agent and clear the file first: `agent-cli uninstall --db FILE`",
            path, keeper.path);
    return err_set(e, ERR_REFUSED,
                   "%s is or was kept by another Navette home. If that home is this PC's and "
                   "still there, use it (--home). If it is lost, or the file is a copy of another "
                   "PC's, join the fleet with it, so that no row is taken for a new one: "
                   "`agent-cli init --db FILE --copy --join TOKEN` (TOKEN from `agent-cli "
                   "invite` on a PC of the fleet). Only if no PC of that fleet is left, clear "
                   "the file: `agent-cli uninstall --db FILE`",
                   path);
}

/* An SQLite file that we can use and, unless it joins as a copy of another PC's, that no home has
 * used. */
static bool check_database(const struct cli *c, const char *path, char *journal_mode, struct err *e)
{
    struct appdb a = {0};
    struct file_info info;
    bool ok = file_stat(path, &info, e);

    /* SQLite would wait for a pipe, and takes a device for an empty file. */
    if (ok && !info.is_file && !info.is_directory)
        ok = err_set(e, ERR_REFUSED, "%s is not a file: name the application's SQLite file", path);
    ok = ok && open_database(&a, path, e);
    if (ok)
        memcpy(journal_mode, a.journal_mode, sizeof a.journal_mode);
    if (ok && a.installed && c->join == NULL)
        ok = check_keeper(c, &a, path, e);
    appdb_close(&a);
    return ok;
}

/* ---- settings ---- */

static bool set(struct config *config, const char *name, const char *value, struct err *e)
{
    if (value == NULL || config_set(config, name, value, e))
        return true;
    e->code = ERR_USAGE;
    return false;
}

/* This PC's name, without its domain. */
static void default_name(char *out, size_t room)
{
    char name[256] = "";
    size_t n = sizeof name;
    struct err ignored = {0};

    if (uv_os_gethostname(name, &n) != 0)
        name[0] = '\0';
    name[strcspn(name, ".")] = '\0';
    if (strlen(name) >= room || !name_check_new(slice_text(name), &ignored))
        snprintf(out, room, "PC");
    else
        memcpy(out, name, strlen(name) + 1);
}

static bool make_config(const struct cli *c, char name[NAME_BYTES_MAX + 1], struct config *config,
                        struct err *e)
{
    char path[PATH_BYTES_MAX];

    config_defaults(config);
    if (name[0] == '\0')
        default_name(name, NAME_BYTES_MAX + 1);
    if (c->name != NULL && !name_check_new(slice_text(c->name), e)) {
        err_wrap(e, "--name");
        e->code = ERR_USAGE;
        return false;
    }
    return set(config, "name", c->name != NULL ? c->name : name, e) &&
           set(config, "drop_folder", c->drop, e) && set(config, "listen", c->listen, e) &&
           set(config, "discovery_port", c->discovery_port, e) &&
           set(config, "peers", c->peers, e) && set(config, "copy", c->copy ? "on" : NULL, e) &&
           real_path(path, c->db, e) && config_set(config, "database", path, e);
}

/* ---- the home ---- */

/* `name`: of this PC in its fleet, for a home whose settings alone are lost; "" else. */
static bool check_home(const struct cli *c, char name[NAME_BYTES_MAX + 1], struct err *e)
{
    const struct roster_site *self;
    struct fleet_keys fleet = {0};
    struct roster r = {0};
    struct keys k = {0};
    bool ok;

    name[0] = '\0';
    if (home_exists(&c->home))
        return err_set(e, ERR_REFUSED,
                       "the home %s is set up already: see `agent-cli status`, change settings in "
                       "%s, or name another home with --home",
                       c->home.path, c->home.conf);
    if (!home_has_fleet(&c->home))
        return true;
    ok = home_identity_load(&c->home, &k, e) && home_fleet_load(&c->home, &r, &fleet, e);
    self = ok ? roster_find(&r, &k.site) : NULL;
    if (self != NULL)
        snprintf(name, NAME_BYTES_MAX + 1, "%s", self->name);
    if (ok && c->join != NULL && r.site_count > 1)
        ok = err_set(e, ERR_REFUSED,
                     "the home %s is that of a member of the fleet \"%s\" and lacks its settings "
                     "alone: `agent-cli --home %s init --db FILE`, without --join, writes them",
                     c->home.path, r.fleet_name, c->home.path);
    sodium_memzero(&fleet, sizeof fleet);
    roster_close(&r);
    keys_wipe(&k);
    return ok;
}

/* The settings come last: with them the home exists. What an init that was cut off left is taken up
 * again. */
static bool make_home(const struct cli *c, const struct config *config, struct err *e)
{
    struct keys k;
    bool ok;

    if (!home_create(&c->home, e))
        return false;
    ok = file_exists(c->home.identity) ? home_identity_load(&c->home, &k, e)
                                       : home_identity_create(&c->home, &k, e);
    if (ok && c->join != NULL)
        ok = home_join_token_write(&c->home, c->join, e);
    else if (ok && !home_has_fleet(&c->home))
        ok = found_fleet(&c->home, c->fleet != NULL ? c->fleet : config->name, config->name, &k, e);
    keys_wipe(&k);
    return ok && origin_confirm(&c->home, e) && config_save(config, c->home.conf, e);
}

static void print_place(const char *label, const char *path)
{
    fputs(label, stdout);
    text_wrap(stdout, path, PLACE_COLUMNS, PLACE_COLUMNS);
}

/* `goes_on`: only the settings were lost. */
static void print_made(const struct cli *c, const struct config *config, const char *journal_mode,
                       bool goes_on)
{
    if (c->json) {
        struct json_object *o = json_object_new_object();

        json_object_object_add(o, "home", json_object_new_string(c->home.path));
        json_object_object_add(o, "name", json_object_new_string(config->name));
        json_object_object_add(o, "database", json_object_new_string(config->database));
        json_object_object_add(o, "journal_mode", json_object_new_string(journal_mode));
        json_object_object_add(o, "joins", json_object_new_boolean(c->join != NULL));
        answer_json(o);
        json_object_put(o);
        return;
    }
    text_say("%s is set up.", config->name);
    print_place("\n  home      ", c->home.path);
    print_place("  database  ", config->database);
    print_place("  settings  ", c->home.conf);
    puts("\nNext:");
    if (goes_on) {
        text_command(stdout, c, "navette-agent", "");
        text_say("\nThis PC goes on where it was. Whatever else was set in agent.conf is to be set "
                 "again.");
        return;
    }
    text_command(stdout, c, "agent-cli", "track --all");
    text_command(stdout, c, "navette-agent", "");
    if (c->join == NULL) {
        text_command(stdout, c, "agent-cli", "invite");
        puts("\nwhich share its tables, start the agent, and let another PC join.");
    } else {
        puts("\nwhich share its tables and start the agent; it then joins with the token.");
    }
}

int run_init(struct cli *c)
{
    struct config config;
    char journal_mode[sizeof((struct appdb *)0)->journal_mode] = "";
    char name[NAME_BYTES_MAX + 1];
    bool goes_on = file_exists(c->home.ledger);
    struct invite invite;
    struct err e = {0};

    if (c->fleet != NULL && c->join != NULL)
        err_set(&e, ERR_USAGE,
                "init takes either --fleet or --join: who joins takes the fleet's name");
    else if (c->fleet != NULL && !name_check_new(slice_text(c->fleet), &e)) {
        err_wrap(&e, "--fleet");
        e.code = ERR_USAGE;
    }
    if (e.code == ERR_NONE && check_home(c, name, &e) && make_config(c, name, &config, &e) &&
        (c->join == NULL || invite_parse(&invite, c->join, &e)) &&
        check_database(c, config.database, journal_mode, &e) && make_home(c, &config, &e)) {
        print_made(c, &config, journal_mode, goes_on);
        return CODE_OK;
    }
    return answer_failed(c, &e);
}

/* ---- uninstall ---- */

static bool confirmed(const struct cli *c, const char *database, struct err *e)
{
    char text[PATH_BYTES_MAX + 100];

    if (!c->yes) {
        snprintf(text, sizeof text,
                 "This stops sharing %s and removes everything of Navette from it. Its rows stay.",
                 database);
        text_wrap(stderr, text, 0, 0);
    }
    return answer_confirmed(c, e);
}

/* An agent would go on with a file that has no marks any more. */
static bool check_unserved(const struct home *h, const char *path, struct err *e)
{
    if (!keeps(h, path) || !home_is_served(h))
        return true;
    return err_set(
        e, ERR_REFUSED,
        "an agent runs on this file, and would not know: `agent-cli --home %s uninstall` "
        "lets it do this. Or stop it first: `agent-cli --home %s stop`",
        h->path, h->path);
}

/* A database whose home is lost. */
static bool clear_database(const struct cli *c, const char *path, struct err *e)
{
    struct home keeper = {0};
    struct appdb a = {0};
    uint32_t waited_ms = 0;
    bool ok = open_database(&a, path, e);

    if (ok && !a.installed)
        ok = err_set(e, ERR_REFUSED, "%s has nothing of Navette in it", path);
    ok = ok && find_keeper(&a, &keeper, e) && check_unserved(&keeper, path, e) &&
         check_unserved(&c->home, path, e);
    while (ok && !capture_uninstall(&a, e))
        ok = waits(&waited_ms, e);
    appdb_close(&a);
    return ok;
}

static int uninstall_file(struct cli *c)
{
    char path[PATH_BYTES_MAX];
    struct err e = {0};

    if (!real_path(path, c->db, &e) || !confirmed(c, path, &e) || !clear_database(c, path, &e))
        return answer_failed(c, &e);
    if (c->json)
        answer_json(NULL);
    else
        text_say("%s has nothing of Navette in it any more.", path);
    return CODE_OK;
}

int run_uninstall(struct cli *c)
{
    struct config config;
    struct json_object *result;
    struct err e = {0};
    int code;

    if (c->db != NULL)
        return uninstall_file(c);
    if (!answer_set_up(c, &code))
        return code;
    if (!home_check(&c->home, &e) || !config_load(&config, c->home.conf, &e) ||
        !confirmed(c, config.database, &e))
        return answer_failed(c, &e);
    if (!ask_or_do(c, "uninstall", NULL, &result, &code))
        return code;
    if (c->json) {
        answer_json(result);
    } else {
        text_say("%s has nothing of Navette in it any more.", config.database);
        text_say("The home %s remains, with the keys of this PC: remove it if you will not share "
                 "again.",
                 c->home.path);
    }
    json_object_put(result);
    return code;
}
