#include "command.h"

#include <assert.h>
#include <inttypes.h>

#include <json-c/json.h>
#include <sodium.h>

#include "admin.h"
#include "agent.h"
#include "request.h"
#include "review.h"
#include "rulebook.h"
#include "stick.h"
#include "tables.h"

static bool run_status(struct agent *a, const struct request *r, struct json_object **result,
                       struct err *e)
{
    (void)r;
    (void)e;
    json_object_put(*result);
    *result = agent_status(a);
    return true;
}

static bool run_peers(struct agent *a, const struct request *r, struct json_object **result,
                      struct err *e)
{
    (void)r;
    (void)e;
    json_object_object_add(*result, "peers", agent_peers(a));
    return true;
}

static bool run_invite(struct agent *a, const struct request *r, struct json_object **result,
                       struct err *e)
{
    char token[INVITE_TEXT_BYTES_MAX];

    if (!agent_invite(a, (uint64_t)r->ttl_ms, r->stick, token, e))
        return false;
    json_object_object_add(*result, "token", answer_secret(token));
    sodium_memzero(token, sizeof token);
    json_object_object_add(*result, "ttl_ms", json_object_new_int64(r->ttl_ms));
    return true;
}

static bool run_join_ask(struct agent *a, const struct request *r, struct json_object **result,
                         struct err *e)
{
    char path[PATH_BYTES_MAX];

    if (!stick_ask(a, r->token, r->copy, r->path, path, e))
        return false;
    json_object_object_add(*result, "path", json_object_new_string(path));
    return true;
}

static bool run_join_take(struct agent *a, const struct request *r, struct json_object **result,
                          struct err *e)
{
    struct stick_done done;

    if (!stick_take(a, r->path, &done, e))
        return false;
    json_object_object_add(*result, "kind",
                           json_object_new_string(done.kind == LETTER_ASK ? "request" : "answer"));
    json_object_object_add(*result, "name", json_object_new_string(done.name));
    json_object_object_add(*result, "fleet", json_object_new_string(done.fleet));
    json_object_object_add(*result, "path",
                           done.path[0] != '\0' ? json_object_new_string(done.path) : NULL);
    return true;
}

static bool run_tables(struct agent *a, const struct request *r, struct json_object **result,
                       struct err *e)
{
    if (a->store == NULL)
        return err_set(e, a->store_trouble.code, "%s", a->store_trouble.text);
    json_object_put(*result);
    *result = NULL;
    if (!tables_run(a->store, r, agent_wall_ms(a), result, e))
        return false;
    if (r->kind != REQUEST_TABLES)
        agent_poke(a);
    return true;
}

static bool run_review(struct agent *a, const struct request *r, struct json_object **result,
                       struct err *e)
{
    if (a->store == NULL)
        return err_set(e, a->store_trouble.code, "%s", a->store_trouble.text);
    json_object_put(*result);
    *result = NULL;
    if (!review_run(a->store, r, agent_wall_ms(a), result, e))
        return false;
    if (review_writes(r))
        agent_poke(a);
    return true;
}

static bool run_rules(struct agent *a, const struct request *r, struct json_object **result,
                      struct err *e)
{
    struct err other = {0};
    bool grown, ok;

    if (!a->in_fleet)
        return err_set(e, ERR_REFUSED, "rules belong to a fleet, and this PC is in none yet");
    if (a->store == NULL)
        return err_set(e, a->store_trouble.code, "%s", a->store_trouble.text);
    json_object_put(*result);
    *result = NULL;
    ok = rulebook_run(a->store, &a->roster, &a->keys, r, &grown, result, e);
    if (grown && !agent_roster_changed(a, ok ? e : &other))
        ok = false;
    if (ok && (r->kind == REQUEST_RULES || keep_fleet(a, e)))
        return true;
    json_object_put(*result);
    *result = NULL;
    return false;
}

static bool run_sync(struct agent *a, const struct request *r, struct json_object **result,
                     struct err *e)
{
    (void)e;
    agent_sync_now(a, r->without_absent, r->clock_is_right);
    json_object_object_add(*result, "connected", json_object_new_int64(agent_connected(a)));
    return true;
}

/* Control stops the agent once this is answered. */
static bool run_stop(struct agent *a, const struct request *r, struct json_object **result,
                     struct err *e)
{
    (void)a;
    (void)r;
    (void)result;
    (void)e;
    return true;
}

static bool run_wait(struct agent *a, const struct request *r, struct json_object **result,
                     struct err *e)
{
    if (!agent_is_settled(a, e))
        return err_wrap(e, "not settled after %" PRId64 " ms", r->timeout_ms);
    json_object_object_add(*result, "settled", json_object_new_boolean(true));
    json_object_object_add(*result, "connected", json_object_new_int64(agent_connected(a)));
    json_object_object_add(*result, "peers", json_object_new_int64(agent_others(a)));
    return true;
}

typedef bool runner(struct agent *a, const struct request *r, struct json_object **result,
                    struct err *e);

static runner *const runners[] = {
    [REQUEST_STATUS] = run_status,
    [REQUEST_PEERS] = run_peers,
    [REQUEST_TABLES] = run_tables,
    [REQUEST_TRACK] = run_tables,
    [REQUEST_UNTRACK] = run_tables,
    [REQUEST_UNINSTALL] = run_tables,
    [REQUEST_INVITE] = run_invite,
    [REQUEST_JOIN_ASK] = run_join_ask,
    [REQUEST_JOIN_TAKE] = run_join_take,
    [REQUEST_SYNC] = run_sync,
    [REQUEST_WAIT] = run_wait,
    [REQUEST_STOP] = run_stop,
    [REQUEST_RULES] = run_rules,
    [REQUEST_RULES_SET] = run_rules,
    [REQUEST_RULES_UNSET] = run_rules,
    [REQUEST_RULES_PRESET] = run_rules,
    [REQUEST_CONFLICTS] = run_review,
    [REQUEST_CONFLICT_RESTORE] = run_review,
    [REQUEST_CONFLICT_DISMISS] = run_review,
    [REQUEST_CONFLICT_MERGE] = run_review,
    [REQUEST_PARKED] = run_review,
    [REQUEST_PARKED_ACCEPT] = run_review,
    [REQUEST_ROSTER] = admin_run,
    [REQUEST_REVOKE] = admin_run,
    [REQUEST_RENAME] = admin_run,
    [REQUEST_ADMIN_ADD] = admin_run,
    [REQUEST_ADMIN_REMOVE] = admin_run,
    [REQUEST_ROTATE] = admin_run,
    [REQUEST_INVITE_CANCEL] = admin_run,
    [REQUEST_CHECKPOINT] = admin_run,
};

bool command_allowed(const struct agent *a, const struct request *r, struct err *e)
{
    if (a->doubt[0] == '\0' || r->kind == REQUEST_STATUS || r->kind == REQUEST_PEERS ||
        r->kind == REQUEST_STOP)
        return true;
    return err_set(e, ERR_REFUSED, "%s: see `agent-cli status`", a->doubt);
}

bool command_run(struct agent *a, const struct request *r, struct json_object **result,
                 struct err *e)
{
    assert(runners[r->kind] != NULL);
    *result = json_object_new_object();
    return runners[r->kind](a, r, result, e);
}
