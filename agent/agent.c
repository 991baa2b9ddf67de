#include "agent.h"

#include <stdarg.h>

#include "control.h"
#include "discovery.h"
#include "drop.h"
#include "fleet.h"
#include "invitation.h"
#include "join.h"
#include "links.h"
#include "log.h"
#include "memory.h"
#include "pump.h"
#include "watch.h"

/* Links, doors and invitations, each in pages of its own. */
#define LOCKED_BYTES (2u << 20)

/* ---- time ---- */

uint64_t agent_wall_ms(struct agent *a)
{
    uint64_t now = uv_now(a->loop) + 1; /* 0 means: never read */
    uv_timeval64_t t;

    if (a->wall_at != now && uv_gettimeofday(&t) == 0) {
        a->wall_ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_usec / 1000;
        a->wall_at = now;
    }
    return a->wall_ms;
}

/* ---- the fleet ---- */

static void roster_replace(struct agent *a, struct roster *r)
{
    roster_close(&a->roster);
    a->roster = *r;
    *r = (struct roster){0};
    roster_digest(&a->roster, a->roster_digest);
    a->in_fleet = true;
}

bool agent_fleet_adopt(struct agent *a, struct roster *r, const uint8_t fleet_key[KEY_BYTES],
                       struct err *e)
{
    if (!home_fleet_save(&a->home, r, fleet_key, e))
        return false;
    /* The ledger sees the new fleet when it is opened, and begins anew. */
    pump_close_store(a->pump, "this PC joins a fleet");
    invitations_void(a->invitations);
    roster_replace(a, r);
    a->fleet_keys = (struct fleet_keys){0};
    fleet_keys_put(&a->fleet_keys, fleet_key);
    a->unkept = (struct unkept){0};
    fleet_loaded(a);
    a->told_by = (struct site_id){{0}};
    pump_reopen(a->pump, "this PC joined a fleet");
    discovery_announce(a->discovery);
    return true;
}

/* ---- another one of us ---- */

static void tell_doubt(struct agent *a)
{
    warning_set(&a->warnings, WARNING_IDENTITY, agent_wall_ms(a), "%s", a->doubt);
}

void agent_doubt(struct agent *a, const char *format, ...)
{
    struct err e = {0};
    va_list arguments;

    if (a->doubt[0] != '\0' || a->stopping)
        return;
    va_start(arguments, format);
    vsnprintf(a->doubt, sizeof a->doubt, format, arguments);
    va_end(arguments);
    tell_doubt(a);
    if (!origin_doubt(&a->home, a->doubt, &e))
        log_warn("the doubt is not kept over a restart reason=%s", e.text);
    pump_halt(a->pump);
}

/* ---- somebody means harm ---- */

void agent_flooded(struct agent *a, const char *what, const char *host)
{
    a->flooded_ms = uv_now(a->loop);
    if (!warning_is_set(&a->warnings, WARNING_FLOOD))
        warning_set(&a->warnings, WARNING_FLOOD, agent_wall_ms(a),
                    "this PC is flooded with %s, it seems from %s: what is too much is left out",
                    what, host);
}

/* ---- what control requests call ---- */

void agent_sync_now(struct agent *a, bool without_absent, bool clock_is_right)
{
    if (without_absent)
        pump_without_absent(a->pump);
    if (clock_is_right)
        pump_clock_is_right(a->pump);
    links_dial_all(a->links);
    links_local_changed(a->links);
    discovery_announce(a->discovery);
    pump_poke(a->pump);
}

void agent_poke(struct agent *a)
{
    pump_poke(a->pump);
}

/* ---- start and end ---- */

/* Without it all works; but a key may be written to the swap file. */
static void lock_secrets(struct agent *a)
{
    bool locked =
        memory_lock(&a->keys, sizeof a->keys) && memory_lock(&a->fleet_keys, sizeof a->fleet_keys);

    if (!locked || !memory_can_lock(LOCKED_BYTES))
        log_warn("keys are not kept out of the swap file: this user may lock too little memory "
                 "needed_kib=%u remedy=\"raise `ulimit -l`, or LimitMEMLOCK= of the service\"",
                 LOCKED_BYTES / 1024);
}

static bool load(struct agent *a, const char *home, struct err *e)
{
    if (!home_locate(&a->home, home, e) || !home_check_set_up(&a->home, e) ||
        !config_load(&a->config, a->home.conf, e))
        return false;
    log_open(a->config.log_level, a->home.log, true);
    lock_secrets(a);
    if (!home_identity_load(&a->home, &a->keys, e) || !origin_check(&a->home, a->doubt, e))
        return false;
    if (!home_has_fleet(&a->home))
        return true;
    if (!home_fleet_load(&a->home, &a->roster, &a->fleet_keys, e) ||
        !home_identity_fits(&a->home, &a->keys, &a->roster, e))
        return false;
    roster_digest(&a->roster, a->roster_digest);
    a->in_fleet = true;
    fleet_loaded(a);
    return true;
}

bool agent_open(struct agent *a, uv_loop_t *loop, const char *home, struct err *e)
{
    *a = (struct agent){.loop = loop};
    a->started_ms = agent_wall_ms(a);
    err_set(&a->store_trouble, ERR_BUSY, "the database is not open yet: try again in a moment");
    /* The socket comes first: it tells whether another agent runs here. */
    if (!keys_library_start(e) || !load(a, home, e) || !control_start(&a->control, a, e))
        return false;
    random_fill(a->run, sizeof a->run);
    if (!home_pid_write(&a->home, e))
        return false;
    log_info("start version=%s home=%s name=%s", NAVETTE_VERSION, a->home.path, a->config.name);
    if (a->doubt[0] != '\0')
        tell_doubt(a);
    a->invitations = invitations_start(a);
    a->links = links_start(a);
    a->pump = pump_start(a);
    a->watch = watch_start(a);
    a->drop = drop_start(a);
    a->join = join_start(a);
    a->discovery = discovery_start(a);
    return true;
}

void agent_run(struct agent *a)
{
    uv_run(a->loop, UV_RUN_DEFAULT);
}

void agent_stop(struct agent *a)
{
    if (a->stopping)
        return;
    a->stopping = true;
    if (a->links != NULL) /* else it never started: the log may be another agent's */
        log_info("stop");
    control_stop(a->control);
    discovery_stop(a->discovery);
    join_stop(a->join);
    drop_stop(a->drop);
    watch_stop(a->watch);
    keep_again(a);
    if (a->pump != NULL)
        pump_close_store(a->pump, "this PC's agent stops");
    pump_stop(a->pump);
    links_stop(a->links);
}

/* The loop has run out: every module has released itself. */
void agent_close(struct agent *a)
{
    invitations_stop(a->invitations);
    roster_close(&a->roster);
    memory_unlock(&a->keys, sizeof a->keys);
    memory_unlock(&a->fleet_keys, sizeof a->fleet_keys);
    if (a->links != NULL)
        home_pid_remove(&a->home);
    *a = (struct agent){0};
    log_close();
}
