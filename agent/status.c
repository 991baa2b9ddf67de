#include "status.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <json-c/json.h>

#include <navette/waits.h>

#include "agent.h"
#include "ahead.h"
#include "fleet.h"
#include "join.h"
#include "invitation.h"
#include "links.h"
#include "pump.h"

#define NO_PEER_MS    30000
#define HUNG_UP_MS    60000 /* whoever is dialled is dialled again before that */
#define HUNG_UP_TIMES 3     /* once may be anything */
#define FLOOD_OVER_MS 60000
#define STRANGER_MS   60000 /* one that has not come for so long has given up */

#define SKEW_TELL_MS 60000
#define SLOW_TICKS   10 /* conditions that cost a question to the store are looked at so seldom */

/* ---- small ---- */

static void add_text(struct json_object *o, const char *name, const char *text)
{
    json_object_object_add(o, name, text != NULL ? json_object_new_string(text) : NULL);
}

static void add_int(struct json_object *o, const char *name, int64_t v)
{
    json_object_object_add(o, name, json_object_new_int64(v));
}

static void add_hex(struct json_object *o, const char *name, struct slice bytes)
{
    char text[2 * HASH_BYTES + 1];

    hex_write(text, bytes);
    add_text(o, name, text);
}

void status_add_time(struct json_object *o, const char *name, uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    char text[32];

    if (wall_ms == 0 || gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        add_text(o, name, NULL);
    else
        add_text(o, name, text);
}

/* ---- peers ---- */

static void add_progress(struct agent *a, struct json_object *o, const struct vector *theirs)
{
    static const struct vector nothing;
    const struct vector *ours = a->store != NULL ? store_have(a->store) : &nothing;

    add_int(o, "behind", (int64_t)vector_lead(ours, theirs));
    add_int(o, "ahead", (int64_t)vector_lead(theirs, ours));
}

static struct json_object *peer_of(struct agent *a, const struct roster_site *site)
{
    struct json_object *o = json_object_new_object();
    struct members *members = links_members(a->links);
    const struct talk *talk = links_talk(a->links, &site->site);
    struct member *member;
    char text[ADDRESS_TEXT_BYTES];

    if (talk != NULL)
        members_note(a, members, &talk->sync);
    member = members_get(members, &site->site);
    add_text(o, "name", site->name);
    add_hex(o, "site", SLICE(site->site.bytes));
    add_text(o, "state", talk == NULL ? "away" : talk_is_open(talk) ? "connected" : "connecting");
    add_text(o, "address", talk != NULL ? address_text(text, &talk->link->address) : NULL);
    json_object_object_add(
        o, "rtt_ms",
        talk != NULL && talk_is_open(talk) ? json_object_new_int64(talk->sync.rtt_ms) : NULL);
    if (member != NULL) {
        add_progress(a, o, &member->have);
        status_add_time(o, "last_seen", member->seen_ms);
        status_add_time(o, "last_applied", member->applied_ms);
        add_int(o, "skew_ms", member->skew_ms);
    }
    json_object_object_add(o, "admin", json_object_new_boolean(site->admin));
    return o;
}

struct json_object *agent_peers(struct agent *a)
{
    struct json_object *list = json_object_new_array();
    uint32_t i;

    for (i = 0; i < a->roster.site_count; i++) {
        const struct roster_site *site = &a->roster.sites[i];

        if (!site_equal(&site->site, &a->keys.site))
            json_object_array_add(list, peer_of(a, site));
    }
    return list;
}

/* ---- conditions that a look at things shows ---- */

/* Change-sets of ours that no other member acknowledged, now or in an earlier life. */
static uint64_t own_unsent(struct agent *a)
{
    const struct actor *self = store_actor(a->store);
    uint64_t own = vector_get(store_have(a->store), self), known = 0;
    struct members *members = links_members(a->links);
    uint32_t i;

    for (i = 0; i < members->n; i++) {
        uint64_t there = vector_get(&members->list[i].have, self);

        if (members->list[i].have_known && there > known &&
            roster_find(&a->roster, &members->list[i].site) != NULL)
            known = there;
    }
    return agent_others(a) == 0 || known > own ? 0 : own - known;
}

static bool own_is_sent(struct agent *a)
{
    return own_unsent(a) == 0;
}

static bool any_peer(struct agent *a)
{
    uint32_t at = 0;

    return links_next_talk(a->links, &at) != NULL;
}

/* Under each of our keys: one that has an older one of ours only is not without any. */
static bool hangs_up(struct agent *a, const struct hung_up *h)
{
    uint32_t all = (1u << a->fleet_keys.n) - 1;

    return h->at_ms != 0 && uv_now(a->loop) - h->at_ms < HUNG_UP_MS && h->times >= HUNG_UP_TIMES &&
           (h->keys & all) == all;
}

/* The member that hangs up on us, so that it may have none of our keys; NULL: none does. */
static const struct roster_site *who_hangs_up(struct agent *a, const struct member **as)
{
    const struct members *members = links_members(a->links);

    for (uint32_t i = 0; i < members->n; i++) {
        const struct roster_site *site = roster_find(&a->roster, &members->list[i].site);

        *as = &members->list[i];
        if (site != NULL && hangs_up(a, &(*as)->hung_up))
            return site;
    }
    return NULL;
}

/* Who has an old key is told nothing; what it can see is that somebody is there. So can the one
 * that has the new key; and one that was reset, or shares nothing at the moment, looks the same. */
static void note_key(struct agent *a, bool alone)
{
    const struct member *member;
    const struct roster_site *site = alone ? who_hangs_up(a, &member) : NULL;
    char text[ADDRESS_TEXT_BYTES];

    if (site == NULL)
        warning_clear(&a->warnings, WARNING_KEY);
    else
        warning_set(&a->warnings, WARNING_KEY, agent_wall_ms(a),
                    "%s, where it was met last (%s), hangs up on every key that this PC has, and "
                    "no other PC is connected: the fleet's key was changed more than %d times "
                    "while one of the two was away; or that PC was reset, or shares nothing at the "
                    "moment, or another program answers there",
                    site->name, address_text(text, &member->address), FLEET_KEYS_MAX - 1);
}

/* Nobody else is connected, and there is no other word for why. */
static bool is_alone(struct agent *a)
{
    return a->store != NULL && fleet_is_member(a) &&
           !warning_is_set(&a->warnings, WARNING_REVOKED) && agent_others(a) > 0 && !any_peer(a);
}

/* Just started, others have a moment to be found; a connection lost, or something written here that
 * nobody else has, is told at once. */
static void note_peers(struct agent *a)
{
    uint64_t now = uv_now(a->loop);
    bool alone = is_alone(a);
    bool unsent = alone && !own_is_sent(a);

    a->met |= any_peer(a);
    if (!alone || a->alone_ms == 0)
        a->alone_ms = now;
    if (alone && (unsent || a->met || now - a->alone_ms >= NO_PEER_MS))
        warning_set(&a->warnings, WARNING_NO_PEER, agent_wall_ms(a),
                    unsent ? "no other PC of the fleet is connected: what was written here waits"
                           : "no other PC of the fleet is connected");
    else
        warning_clear(&a->warnings, WARNING_NO_PEER);
    note_key(a, warning_is_set(&a->warnings, WARNING_NO_PEER));
}

static void note_flood(struct agent *a)
{
    if (a->flooded_ms != 0 && uv_now(a->loop) - a->flooded_ms >= FLOOD_OVER_MS)
        warning_clear(&a->warnings, WARNING_FLOOD);
}

/* Links begin anew when what they had told changes; then nobody is warned again. */
static void note_forks(struct agent *a)
{
    const struct talk *talk;
    uint32_t at = 0;
    bool forked = false, full = false;

    while ((talk = links_next_talk(a->links, &at)) != NULL) {
        forked |= talk->forked;
        full |= talk->roster_full;
    }
    if (!full)
        warning_clear(&a->warnings, WARNING_ROSTER);
    if (!forked)
        warning_clear(&a->warnings, WARNING_FORK);
}

static void note_strangers(struct agent *a)
{
    if (uv_now(a->loop) - a->stranger_ms > STRANGER_MS)
        warning_clear(&a->warnings, WARNING_NO_MEMBER);
}

/* Whoever had a twin is talked with again: a person has said which one he is. */
static void note_twice(struct agent *a)
{
    const struct talk *talk = links_talk(a->links, &a->twice);

    if (talk != NULL && talk_is_open(talk))
        warning_clear(&a->warnings, WARNING_TWICE);
}

/* What is asked of nobody but ourselves. */
static void note_all(struct agent *a)
{
    note_peers(a);
    note_flood(a);
    note_forks(a);
    note_twice(a);
    note_strangers(a);
}

void status_note_trouble(struct agent *a)
{
    const char *trouble = a->store != NULL ? store_trouble(a->store) : "";

    notices_take(a);
    if (trouble[0] != '\0')
        warning_set(&a->warnings, WARNING_TROUBLE, agent_wall_ms(a), "%s", trouble);
    else if (a->store != NULL)
        warning_clear(&a->warnings, WARNING_TROUBLE);
}

/* One that a migration took away while others stay is no trouble; `agent-cli tables` shows it. */
static void note_tables(struct agent *a, const struct store_status *s)
{
    uint64_t wall = agent_wall_ms(a);

    if (s->tracked_tables == 0 && s->gone_tables > 0)
        warning_set(&a->warnings, WARNING_GONE, wall,
                    "nothing is shared: %s not in the database any more: %s",
                    s->gone_tables == 1 ? "the only shared table is" : "all shared tables are",
                    s->gone);
    else
        warning_clear(&a->warnings, WARNING_GONE);
    if (s->refused_tables > 0)
        warning_set(&a->warnings, WARNING_UNSHARED, wall,
                    "what is written to %s stays on the PC where it is written: %s",
                    s->refused_tables == 1 ? "a table that was shared" : "tables that were shared",
                    s->refused);
    else
        warning_clear(&a->warnings, WARNING_UNSHARED);
    if (s->tracked_tables == 0 && s->gone_tables == 0)
        warning_set(&a->warnings, WARNING_TABLES, wall, "no table is tracked yet");
    else
        warning_clear(&a->warnings, WARNING_TABLES);
}

static void note_store(struct agent *a, const struct store_status *s)
{
    uint64_t wall = agent_wall_ms(a);

    if (s->parked > 0)
        warning_set(&a->warnings, WARNING_PARKED, wall,
                    "%" PRId64 " row%s of other PCs wait%s: this database cannot hold %s yet",
                    s->parked, s->parked == 1 ? "" : "s", s->parked == 1 ? "s" : "",
                    s->parked == 1 ? "it" : "them");
    else
        warning_clear(&a->warnings, WARNING_PARKED);
    ahead_note_others(a);
    if (store_waits(a->store) != NULL)
        warning_set(&a->warnings, WARNING_MIGRATION, wall, "%s", store_waits(a->store));
    else
        warning_clear(&a->warnings, WARNING_MIGRATION);
    if (s->conflicts_dropped > 0)
        warning_set(&a->warnings, WARNING_CONFLICTS, wall,
                    "%" PRId64 " conflicts were taken off the list unread: it holds %d",
                    s->conflicts_dropped, CONFLICTS_MAX);
    else
        warning_clear(&a->warnings, WARNING_CONFLICTS);
    if (s->unsent[0] != '\0')
        warning_set(&a->warnings, WARNING_UNSENT, wall, "%s", s->unsent);
    else
        warning_clear(&a->warnings, WARNING_UNSENT);
    note_tables(a, s);
    status_note_trouble(a);
}

/* ---- the snapshot ---- */

static struct json_object *warnings_of(const struct agent *a, bool *failing, bool *any)
{
    struct json_object *list = json_object_new_array();
    int id;

    *failing = *any = false;
    for (id = 0; id < WARNING_COUNT; id++) {
        const struct warning *w = &a->warnings.list[id];
        struct json_object *o;

        if (w->since_ms == 0)
            continue;
        *any = true;
        *failing |= warning_is_failing((enum warning_id)id);
        o = json_object_new_object();
        add_text(o, "code", warning_word((enum warning_id)id));
        json_object_object_add(o, "failing",
                               json_object_new_boolean(warning_is_failing((enum warning_id)id)));
        status_add_time(o, "since", w->since_ms);
        add_text(o, "text", w->text);
        add_text(o, "remedy", warning_remedy((enum warning_id)id));
        json_object_array_add(list, o);
    }
    return list;
}

static const char *store_word(const struct agent *a)
{
    if (a->store == NULL)
        return "closed";
    return store_state(a->store) == STORE_READY ? "ready" : "matching";
}

static void add_store(struct agent *a, struct json_object *o)
{
    struct json_object *database = json_object_new_object();
    struct json_object *pending = json_object_new_object();
    struct store_status s = {0};
    struct err e = {0};

    if (a->store != NULL && !store_status(a->store, &s, &e))
        pump_failed(a->pump, "status", &e);
    else if (a->store != NULL)
        note_store(a, &s);
    add_text(database, "path", a->config.database);
    add_text(database, "state", store_word(a));
    add_text(database, "journal_mode", s.journal_mode[0] != '\0' ? s.journal_mode : NULL);
    add_int(database, "tracked_tables", s.tracked_tables);
    add_int(database, "gone_tables", s.gone_tables);
    add_int(database, "rows", s.rows);
    add_text(database, "trouble", s.trouble[0] != '\0' ? s.trouble : NULL);
    add_int(pending, "marks", s.marks);
    add_int(pending, "changesets", a->store != NULL ? (int64_t)own_unsent(a) : 0);
    add_int(pending, "incoming", s.staged);
    add_int(pending, "unscanned", s.unscanned);
    json_object_object_add(o, "database", database);
    json_object_object_add(o, "pending", pending);
    add_int(o, "conflicts", s.conflicts);
    add_int(o, "parked", s.parked);
    add_int(o, "kept", s.kept);
}

static struct json_object *work_of(const struct agent *a)
{
    const struct pump_times *t = pump_times(a->pump);
    struct json_object *o = json_object_new_object();

    add_int(o, "drains", (int64_t)t->drains);
    add_int(o, "drain_rows", (int64_t)t->drain_rows);
    add_int(o, "drain_us_max", (int64_t)t->drain_us_max);
    add_int(o, "applies", (int64_t)t->applies);
    add_int(o, "apply_rows", (int64_t)t->apply_rows);
    add_int(o, "apply_us_max", (int64_t)t->apply_us_max);
    add_int(o, "busy", (int64_t)t->busy);
    add_int(o, "turn_us_max", (int64_t)t->turn_us_max);
    return o;
}

static const char *own_name(const struct agent *a)
{
    const struct roster_site *self = roster_find(&a->roster, &a->keys.site);

    return self != NULL ? self->name : a->config.name;
}

struct json_object *agent_status(struct agent *a)
{
    struct json_object *o = json_object_new_object();
    struct json_object *warnings, *peers = agent_peers(a); /* first: what they have is news */
    bool failing, any;

    add_int(o, "schema", STATUS_SCHEMA);
    add_text(o, "name", own_name(a));
    add_hex(o, "site", SLICE(a->keys.site.bytes));
    add_text(o, "fleet", a->in_fleet ? a->roster.fleet_name : NULL);
    if (a->in_fleet)
        add_hex(o, "fleet_id", SLICE(a->roster.fleet));
    else
        add_text(o, "fleet_id", NULL);
    add_text(o, "version", NAVETTE_VERSION);
    status_add_time(o, "started", a->started_ms);
    status_add_time(o, "now", agent_wall_ms(a));
    add_int(o, "port", links_port(a->links));
    add_store(a, o);
    json_object_object_add(o, "peers", peers);
    note_all(a);
    warnings = warnings_of(a, &failing, &any);
    add_text(o, "state", failing ? "failing" : any ? "degraded" : "ok");
    json_object_object_add(o, "warnings", warnings);
    json_object_object_add(o, "notices", notices_list(a));
    json_object_object_add(o, "work", work_of(a));
    return o;
}

/* ---- settled ---- */

uint32_t agent_connected(const struct agent *a)
{
    const struct talk *talk;
    uint32_t at = 0, n = 0;

    while ((talk = links_next_talk(a->links, &at)) != NULL)
        n += talk_is_open(talk);
    return n;
}

static bool peers_have_all(struct agent *a, struct err *e)
{
    const struct talk *talk;
    uint32_t at = 0;

    while ((talk = links_next_talk(a->links, &at)) != NULL) {
        if (!talk_is_open(talk) || !vector_covers(&talk->sync.peer_have, store_have(a->store)))
            return err_set(e, ERR_BUSY,
                           "a connected PC has not everything yet: see `agent-cli "
                           "peers`");
        members_note(a, links_members(a->links), &talk->sync);
    }
    return true;
}

/* Before anything can be said to be settled. */
static bool is_at_work(struct agent *a, struct err *e)
{
    if (a->store == NULL)
        return err_set(e, ERR_BUSY, "the database is not open: see `agent-cli status`");
    if (!a->in_fleet)
        return err_set(e, ERR_BUSY, "this PC is in no fleet yet: see `agent-cli status`");
    return true;
}

static bool is_published(struct agent *a, struct err *e)
{
    struct store_status s;

    if (!store_status(a->store, &s, e)) {
        pump_failed(a->pump, "status", e);
        e->code = ERR_BUSY;
        return false;
    }
    if (store_state(a->store) != STORE_READY && s.tracked_tables == 0)
        return err_set(e, ERR_BUSY, "no table is shared here yet: `agent-cli track --all`");
    if (store_state(a->store) != STORE_READY)
        return err_set(e, ERR_BUSY, "this PC's rows are not compared with another member's yet");
    if (s.marks > 0 || s.unscanned > 0)
        return err_set(e, ERR_BUSY, "%" PRId64 " writes and %" PRId64 " rows are not sent yet",
                       s.marks, s.unscanned);
    return true;
}

bool agent_is_settled(struct agent *a, struct err *e)
{
    if (!is_at_work(a, e))
        return false;
    if (!pump_is_idle(a->pump) || !vector_covers(store_applied(a->store), store_have(a->store))) {
        if (is_published(a, e))
            err_set(e, ERR_BUSY,
                    "what others wrote is not in this database yet: see `agent-cli "
                    "status`");
        return false;
    }
    if (!ahead_is_settled(a, e) || !peers_have_all(a, e))
        return false;
    if (!own_is_sent(a))
        return err_set(e, ERR_BUSY,
                       "no other PC is connected, and what was written here waits for "
                       "one");
    return is_published(a, e);
}

/* ---- the slow tick ---- */

static void tick_fleet(struct agent *a)
{
    /* A ledger that cannot be used may lack its roster: then this PC is to be put right first. */
    if (a->in_fleet || warning_is_set(&a->warnings, WARNING_LEDGER))
        warning_clear(&a->warnings, WARNING_NO_FLEET);
    else
        warning_set(&a->warnings, WARNING_NO_FLEET, agent_wall_ms(a), "%s",
                    join_is_looking(a->join)
                        ? "this PC is in no fleet yet: it looks for the PC that made its token"
                        : "this PC is in no fleet yet");
}

static void tick_clock(struct agent *a)
{
    struct members *members = links_members(a->links);
    uint32_t i;

    for (i = 0; i < members->n; i++) {
        const struct member *m = &members->list[i];
        const struct roster_site *site = roster_find(&a->roster, &m->site);
        int64_t seconds = m->skew_ms / 1000;

        if (site == NULL || (m->skew_ms <= SKEW_TELL_MS && m->skew_ms >= -SKEW_TELL_MS))
            continue;
        warning_set(&a->warnings, WARNING_CLOCK, agent_wall_ms(a), "the clock of %s is %s ours",
                    site->name,
                    seconds > 0 ? "more than a minute ahead of" : "more than a minute behind");
        return;
    }
    warning_clear(&a->warnings, WARNING_CLOCK);
}

void status_tick(struct agent *a)
{
    struct store_status s;
    struct err e = {0};

    tick_fleet(a);
    fleet_tick(a);
    invitations_tick(a->invitations);
    note_all(a);
    tick_clock(a);
    if (a->store == NULL || a->ticks++ % SLOW_TICKS != 0)
        return;
    members_keep_applied(a, links_members(a->links), false);
    if (store_status(a->store, &s, &e))
        note_store(a, &s);
    else
        pump_failed(a->pump, "status", &e);
}
