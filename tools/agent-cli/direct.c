#include "direct.h"

#include <string.h>

#include <json-c/json.h>
#include <sodium.h>
#include <uv.h>

#include "config.h"
#include "home.h"
#include "origin.h"
#include "request.h"
#include "review.h"
#include "rulebook.h"
#include "tables.h"

#define BUSY_MS  10000
#define RETRY_MS 20

/* All that an agent would have of its home. */
struct direct {
    struct config config;
    struct keys keys;
    struct roster roster;
    struct store *store;
};

static uint64_t wall_ms(void)
{
    uv_timeval64_t now = {0};

    uv_gettimeofday(&now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_usec / 1000;
}

/* After ERR_BUSY: wait a moment and say whether to try again. */
static bool try_again(struct err *e, uint64_t until)
{
    if (e->code != ERR_BUSY || uv_hrtime() / 1000000 >= until)
        return false;
    err_clear(e);
    uv_sleep(RETRY_MS);
    return true;
}

static uint64_t patience(void)
{
    return uv_hrtime() / 1000000 + BUSY_MS;
}

/* What an agent would not do in doubt, nobody does. */
static bool is_in_place(const struct home *h, struct err *e)
{
    char doubt[ORIGIN_DOUBT_BYTES_MAX];

    if (!origin_check(h, doubt, e))
        return false;
    return doubt[0] == '\0' || err_set(e, ERR_REFUSED, "%s: see `agent-cli help identity`", doubt);
}

static bool open_all(struct direct *d, const struct home *h, struct err *e)
{
    struct store_options o = {
        .home = h->path, .keys = &d->keys, .roster = &d->roster, .exclusive = true};
    struct fleet_keys keys = {0};
    uint64_t until = patience();
    bool ok;

    if (!home_check(h, e) || !config_load(&d->config, h->conf, e) ||
        !home_identity_load(h, &d->keys, e))
        return false;
    if (home_has_fleet(h) && (!home_fleet_load(h, &d->roster, &keys, e) ||
                              !home_identity_fits(h, &d->keys, &d->roster, e)))
        return false;
    sodium_memzero(&keys, sizeof keys);
    o.database = d->config.database;
    do
        ok = store_open(&d->store, &o, wall_ms(), e);
    while (!ok && try_again(e, until));
    return ok;
}

static bool run_rules(struct direct *d, const struct home *h, const struct request *r,
                      struct json_object **result, struct err *e)
{
    struct err other = {0};
    bool grown, ok;

    if (d->roster.site_count == 0)
        return err_set(e, ERR_REFUSED, "rules belong to a fleet, and this PC is in none yet");
    ok = rulebook_run(d->store, &d->roster, &d->keys, r, &grown, result, e);
    return (!grown || home_roster_save(h, &d->roster, ok ? e : &other)) && ok;
}

static bool run(struct direct *d, const struct home *h, const struct request *r,
                struct json_object **result, struct err *e)
{
    if (rulebook_is_request(r))
        return run_rules(d, h, r, result, e);
    return review_is_request(r) ? review_run(d->store, r, wall_ms(), result, e)
                                : tables_run(d->store, r, wall_ms(), result, e);
}

bool direct_run(const struct home *h, const char *command, struct json_object *args,
                struct json_object **result, struct err *e)
{
    struct json_object *o = json_object_new_object();
    struct direct d = {0};
    struct request r = {0};
    uint64_t until;
    bool ok;

    json_object_object_add(o, "id", json_object_new_int(1));
    json_object_object_add(o, "command", json_object_new_string(command));
    json_object_object_add(o, "args", args != NULL ? args : json_object_new_object());
    ok = request_parse(&r, slice_text(json_object_to_json_string(o)), e) && home_check(h, e) &&
         (strcmp(command, "uninstall") == 0 || is_in_place(h, e)) && open_all(&d, h, e);
    until = patience();
    if (ok) {
        do
            ok = run(&d, h, &r, result, e);
        while (!ok && try_again(e, until));
    }
    store_close(d.store);
    roster_close(&d.roster);
    keys_wipe(&d.keys);
    request_close(&r);
    json_object_put(o);
    return ok;
}
