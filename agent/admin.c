#include "admin.h"

#include <string.h>
#include <time.h>

#include <json-c/json.h>

#include <navette/belief.h>

#include "agent.h"
#include "fleet.h"
#include "log.h"
#include "request.h"

/* ---- the answer ---- */

static void add(struct json_object *o, const char *name, struct json_object *v)
{
    json_object_object_add(o, name, v);
}

static struct json_object *hex_of(struct slice bytes)
{
    char digits[2 * HASH_BYTES + 1];

    hex_write(digits, bytes);
    return json_object_new_string(digits);
}

static struct json_object *time_of(uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    char text[32];

    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return NULL;
    return json_object_new_string(text);
}

static struct json_object *name_of(const struct agent *a, const struct site_id *site)
{
    const struct roster_site *s = roster_author(&a->roster, site);

    return s != NULL ? json_object_new_string(s->name) : NULL;
}

static struct json_object *site_of(const struct agent *a, const struct roster_site *s)
{
    struct json_object *o = json_object_new_object();

    add(o, "name", json_object_new_string(s->name));
    add(o, "mark", json_object_new_string(s->mark));
    add(o, "site", hex_of(SLICE(s->site.bytes)));
    add(o, "self", json_object_new_boolean(site_equal(&s->site, &a->keys.site)));
    return o;
}

static struct json_object *members_of(const struct agent *a)
{
    struct json_object *list = json_object_new_array();

    for (uint32_t i = 0; i < a->roster.site_count; i++) {
        struct json_object *o = site_of(a, &a->roster.sites[i]);

        add(o, "admin", json_object_new_boolean(a->roster.sites[i].admin));
        add(o, "has_key", json_object_new_boolean(a->roster.sites[i].has_key));
        json_object_array_add(list, o);
    }
    return list;
}

static struct json_object *gone_of(const struct agent *a)
{
    struct json_object *list = json_object_new_array();
    struct vector logged = {0};

    if (a->store != NULL)
        store_logged(a->store, &logged);
    for (uint32_t i = a->roster.site_count; i < a->roster.known_count; i++) {
        const struct roster_site *s = &a->roster.sites[i];
        struct json_object *o = site_of(a, s);
        bool revoked = s->standing == ROSTER_REVOKED;

        add(o, "why", json_object_new_string(revoked ? "revoked" : "void"));
        add(o, "by", revoked ? name_of(a, &s->by) : NULL);
        add(o, "believed", json_object_new_int64((int64_t)vector_sum_of(&s->cut, &s->site)));
        add(o, "here", json_object_new_int64((int64_t)vector_sum_of(&logged, &s->site)));
        json_object_array_add(list, o);
    }
    vector_close(&logged);
    return list;
}

static const char *invite_state(struct agent *a, const struct roster_invite *v)
{
    if (v->used)
        return "used";
    if (v->withdrawn || roster_find(&a->roster, &v->by) == NULL)
        return "withdrawn";
    return v->ends_ms <= agent_wall_ms(a) ? "over" : "open";
}

static struct json_object *invitations_of(struct agent *a)
{
    struct json_object *list = json_object_new_array();

    for (uint32_t i = 0; i < a->roster.invite_count; i++) {
        const struct roster_invite *v = &a->roster.invites[i];
        struct json_object *o = json_object_new_object();

        add(o, "id", hex_of(SLICE(v->id)));
        add(o, "by", name_of(a, &v->by));
        add(o, "ends", time_of(v->ends_ms));
        add(o, "state", json_object_new_string(invite_state(a, v)));
        json_object_array_add(list, o);
    }
    return list;
}

static struct json_object *checkpoint_of(const struct agent *a, uint64_t made_ms,
                                         const struct site_id *by)
{
    struct json_object *o = json_object_new_object();

    add(o, "made", time_of(made_ms));
    add(o, "by", name_of(a, by));
    return o;
}

static struct json_object *before_of(const struct agent *a)
{
    const struct roster *r = &a->roster;
    struct json_object *o;

    if (r->before == 0)
        return NULL;
    o = checkpoint_of(a, r->before_ms, &r->before_by);
    add(o, "entries", json_object_new_int64(r->before));
    return o;
}

static struct json_object *pending_of(struct agent *a)
{
    const struct roster_checkpoint *c = settle_pending(a);
    struct json_object *o, *missing;

    if (!c->pending)
        return NULL;
    o = checkpoint_of(a, c->made_ms, &c->by);
    missing = json_object_new_array();
    for (uint32_t i = 0; i < c->missing_count; i++)
        json_object_array_add(missing, name_of(a, &c->missing[i]));
    add(o, "missing", missing);
    add(o, "hopeless", json_object_new_boolean(c->hopeless));
    return o;
}

static void describe(struct agent *a, struct json_object *o)
{
    const struct roster_site *self = roster_find(&a->roster, &a->keys.site);

    add(o, "fleet", json_object_new_string(a->roster.fleet_name));
    add(o, "fleet_id", hex_of(SLICE(a->roster.fleet)));
    add(o, "self", self != NULL ? json_object_new_string(self->name) : NULL);
    add(o, "admin", json_object_new_boolean(self != NULL && self->admin));
    add(o, "key", a->roster.rotated ? hex_of(SLICE(a->roster.key_id)) : NULL);
    add(o, "entries", json_object_new_int64(a->roster.entries));
    add(o, "entries_max", json_object_new_int64(ROSTER_ORDINARY_MAX));
    add(o, "bytes", json_object_new_int64((int64_t)a->roster.log.n));
    add(o, "bytes_max", json_object_new_int64(ROSTER_ORDINARY_BYTES_MAX));
    add(o, "checkpoint", before_of(a));
    add(o, "checkpoint_pending", pending_of(a));
    add(o, "members", members_of(a));
    add(o, "gone", gone_of(a));
    add(o, "invitations", invitations_of(a));
}

/* ---- doing it ---- */

/* What is here of it counts, and nothing else of it ever again. Who was shut out already is
 * believed further if more of it is here. */
static bool shut_out(struct agent *a, const struct roster_site *s, struct err *e)
{
    struct site_id site = s->site;
    struct vector logged = {0};
    bool ok;

    if (a->store == NULL)
        return err_set(e, a->store_trouble.code, "%s", a->store_trouble.text);
    store_logged(a->store, &logged);
    ok = fleet_shut_out(a, &site, &logged, e);
    vector_close(&logged);
    /* The fleet is safe from it already; without a new key it may learn who is on the network. */
    if (ok && a->roster.key_exposed)
        ok = fleet_rotate(a, e);
    return ok;
}

static bool cancel(struct agent *a, const char *digits, struct err *e)
{
    uint8_t id[ROSTER_INVITE_ID_BYTES];
    bool found = false, ok = true;

    if (digits[0] != '\0' && (strlen(digits) != 2 * sizeof id || !hex_read(id, sizeof id, digits)))
        return err_set(e, ERR_USAGE, "\"%s\" is no invitation: see `agent-cli roster`", digits);
    for (uint32_t i = 0; ok && i < a->roster.invite_count; i++) {
        struct roster_invite v = a->roster.invites[i];

        if (digits[0] != '\0' && memcmp(v.id, id, sizeof id) != 0)
            continue;
        found = true;
        if (strcmp(invite_state(a, &v), "open") == 0)
            ok = roster_withdraw(&a->roster, v.id, &a->keys, e);
    }
    if (ok && !found && digits[0] != '\0')
        return err_set(e, ERR_USAGE, "there is no invitation %s: see `agent-cli roster`", digits);
    return ok;
}

/* Else the roster would give it the name with a number behind, and whoever typed it goes on with
 * the name of the other. */
static bool rename_site(struct agent *a, const struct roster_site *s, const char *name,
                        struct err *e)
{
    const struct roster_site *other = roster_find_name(&a->roster, name);
    char given[NAME_BYTES_MAX + 1];

    if (other != NULL && other != s)
        return err_set(e, ERR_USAGE, "another PC is called %s already: see `agent-cli roster`",
                       other->name);
    return roster_rename(&a->roster, &s->site, name, &a->keys, given, e);
}

static bool change(struct agent *a, const struct request *r, const struct roster_site *s,
                   struct err *e)
{
    switch (r->kind) {
    case REQUEST_REVOKE:
        return shut_out(a, s, e);
    case REQUEST_RENAME:
        return rename_site(a, s, r->name, e);
    case REQUEST_ADMIN_ADD:
    case REQUEST_ADMIN_REMOVE:
        return roster_admin(&a->roster, &s->site, r->kind == REQUEST_ADMIN_ADD, &a->keys, e);
    case REQUEST_ROTATE:
        return fleet_rotate(a, e);
    case REQUEST_INVITE_CANCEL:
        return cancel(a, r->invitation, e);
    case REQUEST_CHECKPOINT:
        return settle_make(a, e);
    default:
        return true;
    }
}

static bool is_about_a_site(const struct request *r)
{
    return r->kind == REQUEST_REVOKE || r->kind == REQUEST_RENAME || r->kind == REQUEST_ADMIN_ADD ||
           r->kind == REQUEST_ADMIN_REMOVE || (r->kind == REQUEST_ROSTER && r->peer[0] != '\0');
}

bool admin_run(struct agent *a, const struct request *r, struct json_object **result, struct err *e)
{
    const struct roster_site *s = NULL;
    struct err other = {0};
    struct site_id site = {{0}};
    bool ok, changed;

    if (!a->in_fleet)
        return err_set(e, ERR_REFUSED, "this PC is in no fleet yet");
    if (is_about_a_site(r)) {
        s = roster_site_of(&a->roster, r->peer, e);
        if (s == NULL)
            return false;
        site = s->site;
    }
    ok = change(a, r, s, e);
    /* A part of it may be there: it must be kept and told whatever became of the rest. */
    changed = fleet_has_news(a);
    if (changed && !agent_roster_changed(a, ok ? e : &other))
        ok = false;
    /* What was said before and could not be saved is not done either. */
    if (!ok || (r->kind != REQUEST_ROSTER && !keep_fleet(a, e)))
        return false;
    if (changed)
        log_info("roster changed by command=%s", request_kind_name(r->kind));
    add(*result, "changed", json_object_new_boolean(changed));
    if (s != NULL) {
        add(*result, "name", name_of(a, &site));
        add(*result, "site", hex_of(SLICE(site.bytes)));
    }
    describe(a, *result);
    return true;
}
