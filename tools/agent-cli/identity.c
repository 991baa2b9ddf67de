/* Whose identity this is, after a home or a disk was copied. Both commands work on the files of the
 * home, while no agent does. */
#include <string.h>

#include <json-c/json.h>
#include <sodium.h>

#include "answer.h"
#include "config.h"
#include "founding.h"
#include "origin.h"
#include "text.h"

static bool load(const struct cli *c, struct config *config, struct err *e)
{
    if (!home_check_set_up(&c->home, e) || !config_load(config, c->home.conf, e))
        return false;
    if (home_is_served(&c->home))
        return err_set(e, ERR_REFUSED,
                       "an agent runs on this home: `agent-cli --home %s stop`, then repeat this",
                       c->home.path);
    return true;
}

/* `was`: what the fleet called it; empty: nothing. */
static void print_name(const struct config *config, const char *was)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "name", json_object_new_string(config->name));
    if (was[0] != '\0')
        json_object_object_add(o, "was", json_object_new_string(was));
    answer_json(o);
    json_object_put(o);
}

int run_identity_confirm(struct cli *c)
{
    struct config config;
    struct err e = {0};
    int code;

    if (!answer_set_up(c, &code))
        return code;
    if (!load(c, &config, &e) || !origin_confirm(&c->home, &e))
        return answer_failed(c, &e);
    if (c->json) {
        print_name(&config, "");
    } else {
        text_say("This PC is %s from now on. Next:", config.name);
        text_command(stdout, c, "navette-agent", "");
        text_say("On every copy of this home: `agent-cli identity reset`.");
    }
    return CODE_OK;
}

/* The settings say first whether the file is a copy of a fleet's: a reset that is cut off is done
 * again. */
static bool reset(const struct cli *c, struct config *config, struct err *e)
{
    struct keys k;
    bool ok;

    if (c->name != NULL &&
        (!name_check_new(slice_text(c->name), e) || !config_set(config, "name", c->name, e))) {
        e->code = ERR_USAGE;
        return false;
    }
    if (c->fleet != NULL && !name_check_new(slice_text(c->fleet), e)) {
        e->code = ERR_USAGE;
        return err_wrap(e, "--fleet");
    }
    ok = config_set(config, "copy", c->fleet == NULL ? "on" : "off", e) &&
         config_save(config, c->home.conf, e) && home_forget(&c->home, e) &&
         home_identity_create(&c->home, &k, e) &&
         (c->fleet == NULL || found_fleet(&c->home, c->fleet, config->name, &k, e)) &&
         origin_confirm(&c->home, e);
    keys_wipe(&k);
    return ok;
}

/* What the fleet calls the member that this PC was. Empty: it was none, or its files do not tell;
 * then it begins anew all the same. */
static void find_name(const struct home *h, char name[NAME_BYTES_MAX + 1])
{
    struct fleet_keys fleet = {0};
    struct roster r = {0};
    struct keys k = {0};
    struct err e = {0};
    const struct roster_site *self = NULL;

    if (home_has_fleet(h) && home_identity_load(h, &k, &e) && home_fleet_load(h, &r, &fleet, &e))
        self = roster_find(&r, &k.site);
    if (self != NULL && r.site_count > 1)
        memcpy(name, self->name, sizeof self->name);
    roster_close(&r);
    keys_wipe(&k);
    sodium_memzero(&fleet, sizeof fleet);
}

/* All others come after this one. */
static void print_founded(const struct cli *c, const struct config *config)
{
    text_say("%s is the first PC of the new fleet %s. Next:", config->name, c->fleet);
    text_command(stdout, c, "navette-agent", "");
    text_command(stdout, c, "agent-cli", "invite");
    text_say("On each other PC, one after the other: stop its agent, `agent-cli identity reset`, "
             "start it, `agent-cli join --copy TOKEN`. What was written there meanwhile is shared "
             "then.");
}

static void print_reset(const struct cli *c, const struct config *config, const char *was)
{
    if (c->fleet != NULL) {
        print_founded(c, config);
        return;
    }
    text_say("%s has an identity of its own.", config->name);
    if (was[0] != '\0')
        text_say("If no other PC goes on as the %s that this one was: first `agent-cli revoke %s` "
                 "on a PC of the fleet; then nobody waits for it, and what waits of it comes in "
                 "before this one says its rows anew.",
                 was, was);
    text_say("Next:");
    text_command(stdout, c, "navette-agent", "");
    text_command(stdout, c, "agent-cli", "join --copy TOKEN");
    text_say("with a TOKEN from `agent-cli invite` on a PC of the fleet. What was written here "
             "meanwhile is shared then.");
}

int run_identity_reset(struct cli *c)
{
    char was[NAME_BYTES_MAX + 1] = "";
    struct config config;
    struct err e = {0};
    int code;

    if (!answer_set_up(c, &code))
        return code;
    if (!load(c, &config, &e))
        return answer_failed(c, &e);
    if (!c->yes)
        fprintf(stderr, "This PC leaves its fleet, and %s; its rows stay.\n",
                c->fleet == NULL ? "joins again as another one" : "makes a new one");
    find_name(&c->home, was);
    if (!answer_confirmed(c, &e) || !reset(c, &config, &e))
        return answer_failed(c, &e);
    if (c->json)
        print_name(&config, was);
    else
        print_reset(c, &config, was);
    return CODE_OK;
}
