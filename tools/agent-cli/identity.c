/* Whose identity this is, after a home or a disk was copied. Both commands work on the files of the
 * home, while no agent does. */
#include <json-c/json.h>

#include "answer.h"
#include "config.h"
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

static void print_name(const struct config *config)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "name", json_object_new_string(config->name));
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
        print_name(&config);
    } else {
        text_say("This PC is %s from now on. Next:", config.name);
        text_command(stdout, c, "navette-agent", "");
        text_say("On every copy of this home: `agent-cli identity reset`.");
    }
    return CODE_OK;
}

/* The settings say first that the file is a copy: a reset that is cut off is done again. */
static bool reset(const struct cli *c, struct config *config, struct err *e)
{
    struct keys k;
    bool ok;

    if (c->name != NULL &&
        (!name_check_new(slice_text(c->name), e) || !config_set(config, "name", c->name, e))) {
        e->code = ERR_USAGE;
        return false;
    }
    ok = config_set(config, "copy", "on", e) && config_save(config, c->home.conf, e) &&
         home_forget(&c->home, e) && home_identity_create(&c->home, &k, e) &&
         origin_confirm(&c->home, e);
    keys_wipe(&k);
    return ok;
}

int run_identity_reset(struct cli *c)
{
    struct config config;
    struct err e = {0};
    int code;

    if (!answer_set_up(c, &code))
        return code;
    if (!load(c, &config, &e))
        return answer_failed(c, &e);
    if (!c->yes)
        fputs("This PC leaves its fleet, and joins again as another one; its rows stay.\n", stderr);
    if (!answer_confirmed(c, &e) || !reset(c, &config, &e))
        return answer_failed(c, &e);
    if (c->json) {
        print_name(&config);
    } else {
        text_say("%s has an identity of its own. Next:", config.name);
        text_command(stdout, c, "navette-agent", "");
        text_command(stdout, c, "agent-cli", "join --copy TOKEN");
        text_say("with a TOKEN from `agent-cli invite` on a PC of the fleet. What was written here "
                 "meanwhile is shared then.");
    }
    return CODE_OK;
}
