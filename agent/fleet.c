#include "fleet.h"

#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#include <navette/belief.h>

#include "agent.h"
#include "discovery.h"
#include "links.h"
#include "log.h"
#include "pump.h"

#define REFUSED_MS 600000 /* so long is told that somebody brought what is not taken */

/* ---- the key ---- */

static bool has_present_key(const struct agent *a)
{
    uint8_t id[FLEET_KEY_ID_BYTES];

    fleet_key_id(id, a->fleet_keys.keys[0]);
    return !a->roster.rotated || memcmp(id, a->roster.key_id, sizeof id) == 0;
}

static void use_key(struct agent *a, const uint8_t key[KEY_BYTES])
{
    struct members *members = a->links == NULL ? NULL : links_members(a->links);

    if (!fleet_keys_put(&a->fleet_keys, key))
        return;
    a->unkept.keys = true;
    for (uint32_t i = 0; members != NULL && i < members->n; i++)
        members->list[i].hung_up = (struct hung_up){0}; /* this one they may have */
    log_info("the fleet has a new key");
}

/* Is the fleet's present key another one than ours? Without one that is sealed to us we go on with
 * what we have: somebody who sees us will give it. */
static void take_key(struct agent *a)
{
    uint8_t key[KEY_BYTES], id[FLEET_KEY_ID_BYTES];
    uint32_t i;

    if (has_present_key(a))
        return;
    for (i = 1; i < a->fleet_keys.n; i++) {
        fleet_key_id(id, a->fleet_keys.keys[i]);
        if (memcmp(id, a->roster.key_id, sizeof id) == 0)
            break;
    }
    if (i < a->fleet_keys.n)
        memcpy(key, a->fleet_keys.keys[i], sizeof key);
    if (i < a->fleet_keys.n || roster_open_key(&a->roster, &a->keys, key))
        use_key(a, key);
    sodium_memzero(key, sizeof key);
}

bool fleet_rotate(struct agent *a, struct err *e)
{
    uint8_t key[KEY_BYTES];
    bool ok;

    random_fill(key, sizeof key);
    ok = roster_seal(&a->roster, key, &a->keys, e);
    if (ok)
        use_key(a, key);
    sodium_memzero(key, sizeof key);
    return ok || err_wrap(e, "give the fleet a new key");
}

/* ---- how far one is believed ---- */

bool fleet_believe(struct agent *a, const struct site_id *site, const struct vector *more,
                   struct err *e)
{
    const struct roster_site *s = roster_author(&a->roster, site);
    struct vector cut = {0};
    bool grew = s->standing == ROSTER_MEMBER, ok;

    vector_copy(&cut, &s->cut);
    for (uint32_t i = 0; i < more->n; i++) {
        const struct vector_entry *n = &more->entries[i];

        if (!actor_is_of(&n->actor, site) || vector_get(&cut, &n->actor) >= n->number)
            continue;
        vector_set(&cut, &n->actor, n->number, n->hash);
        grew = true;
    }
    ok = !grew || roster_revoke(&a->roster, site, &cut, &a->keys, e);
    vector_close(&cut);
    return ok;
}

bool fleet_shut_out(struct agent *a, const struct site_id *site, const struct vector *more,
                    struct err *e)
{
    uint32_t n;

    return fleet_believe(a, site, more, e) && roster_confirm(&a->roster, &a->keys, &n, e);
}

bool fleet_has_news(const struct agent *a)
{
    uint8_t digest[HASH_BYTES];

    roster_digest(&a->roster, digest);
    return memcmp(digest, a->roster_digest, sizeof digest) != 0;
}

/* ---- what this PC has to add ---- */

static bool is_connected(const struct agent *a, const struct roster_site *s)
{
    const struct talk *talk = links_talk(a->links, &s->site);

    return talk != NULL && talk_is_open(talk) && talk->stranger_until_ms == 0;
}

/* The most senior one does it. */
bool fleet_is_our_turn(const struct agent *a)
{
    for (uint32_t i = 0; i < a->roster.site_count; i++) {
        const struct roster_site *s = &a->roster.sites[i];

        if (site_equal(&s->site, &a->keys.site))
            return s->admin;
        if (s->admin && is_connected(a, s))
            return false;
    }
    return false;
}

static bool lacks_key(const struct agent *a)
{
    for (uint32_t i = 0; i < a->roster.site_count; i++)
        if (!a->roster.sites[i].has_key)
            return true;
    return false;
}

/* Somebody who is no member has the fleet's key, or a member has not got it. True: entries came. */
static bool add_keys(struct agent *a)
{
    uint32_t before = a->roster.entries; /* to which sealing only adds */
    struct err e = {0};
    bool ok = true;

    if (!a->in_fleet || (!a->roster.key_exposed && !lacks_key(a)) || !fleet_is_our_turn(a))
        return false;
    if (a->roster.key_exposed)
        ok = fleet_rotate(a, &e);
    else if (has_present_key(a))
        ok = roster_seal(&a->roster, a->fleet_keys.keys[0], &a->keys, &e);
    if (!ok)
        log_warn("the fleet's key cannot be changed reason=%s", e.text);
    return a->roster.entries > before;
}

/* Who was taken something only by those who joined after it could strike back, with those who have
 * not heard yet. True: entries came. */
static bool confirm(struct agent *a)
{
    struct err e = {0};
    uint32_t n = 0;

    if (!a->in_fleet)
        return false;
    if (!roster_confirm(&a->roster, &a->keys, &n, &e))
        log_warn("what others took from one that joined before them is not confirmed reason=%s",
                 e.text);
    return n > 0;
}

static bool add_all(struct agent *a)
{
    bool confirmed = confirm(a);

    return add_keys(a) || confirmed;
}

/* ---- what a person should know ---- */

/* What the roster says of our own end; NULL: we are a member. */
static const struct roster_site *own_end(const struct agent *a)
{
    const struct roster_site *self = roster_author(&a->roster, &a->keys.site);

    return self != NULL && self->standing != ROSTER_MEMBER ? self : NULL;
}

bool fleet_is_member(const struct agent *a)
{
    return a->in_fleet && own_end(a) == NULL;
}

static const char *name_of(const struct agent *a, const struct site_id *site)
{
    const struct roster_site *s = roster_author(&a->roster, site);

    return s != NULL ? s->name : "another PC";
}

/* Who goes on talking with us knows of no end of ours, or tells his roster. */
static bool talks_with_a_member(const struct agent *a)
{
    for (uint32_t i = 0; i < a->roster.site_count; i++)
        if (is_connected(a, &a->roster.sites[i]))
            return true;
    return false;
}

static void note_own_end(struct agent *a)
{
    static const struct site_id nobody;
    const struct roster_site *end = own_end(a);
    const char *goes_on = "nothing goes to the other PCs or comes from them any more; the "
                          "application goes on, and what it writes is kept here";
    bool is_void = end != NULL && end->standing == ROSTER_VOID;

    if (!site_equal(&a->told_by, &nobody) && (is_void || talks_with_a_member(a)))
        a->told_by = nobody;
    if (is_void)
        warning_set(&a->warnings, WARNING_VOID, agent_wall_ms(a),
                    "the PC that took this one into the fleet %s was no admin any more then: %s",
                    a->roster.fleet_name, goes_on);
    else
        warning_clear(&a->warnings, WARNING_VOID);
    if (is_void)
        warning_clear(&a->warnings, WARNING_REVOKED);
    else if (end != NULL || !site_equal(&a->told_by, &nobody))
        warning_set(&a->warnings, WARNING_REVOKED, agent_wall_ms(a),
                    "%s %s this PC out of the fleet %s: %s",
                    name_of(a, end != NULL ? &end->by : &a->told_by),
                    end != NULL ? "shut" : "says that somebody shut", a->roster.fleet_name,
                    goes_on);
    else
        warning_clear(&a->warnings, WARNING_REVOKED);
}

/* What came from one that was shut out before that was known here. */
static void note_distrusted(struct agent *a)
{
    for (uint32_t i = a->roster.site_count; i < a->roster.known_count && own_end(a) == NULL; i++) {
        const struct roster_site *s = &a->roster.sites[i];
        uint64_t n = store_distrusted(a->store, &s->site);

        if (n == 0)
            continue;
        warning_set(&a->warnings, WARNING_DISTRUSTED, agent_wall_ms(a),
                    "%" PRIu64 " change-set%s of %s came here after it was shut out, before that "
                    "was known here: no other PC takes %s, so this one shows what others do not",
                    n, n == 1 ? "" : "s", s->name, n == 1 ? "it" : "them");
        return;
    }
    warning_clear(&a->warnings, WARNING_DISTRUSTED);
}

static void note_apart(struct agent *a)
{
    const struct talk *talk;
    uint32_t at = 0;

    while (a->links != NULL && (talk = links_next_talk(a->links, &at)) != NULL) {
        struct member *m = roster_find(&a->roster, &talk->sync.peer) == NULL
                               ? NULL
                               : members_get(links_members(a->links), &talk->sync.peer);

        if (m == NULL || !talk_is_open(talk))
            continue;
        if (memcmp(talk->sync.peer_roster, a->roster_digest, HASH_BYTES) == 0 ||
            m->apart == APART_OUT)
            m->apart = APART_NOT;
        if (talk->sync.apart && m->apart == APART_NOT)
            m->apart = APART_LEAVES;
    }
}

static const struct member *find_apart(const struct agent *a, enum apart how)
{
    const struct members *m = a->links == NULL ? NULL : links_members(a->links);

    for (uint32_t i = 0; m != NULL && i < m->n; i++)
        if (m->list[i].apart == how && roster_find(&a->roster, &m->list[i].site) != NULL)
            return &m->list[i];
    return NULL;
}

/* Whoever has the keys of a stolen PC can say that it was first: two admins who shut each other out
 * look the same. */
static const struct roster_site *find_contested(const struct agent *a)
{
    for (uint32_t i = 0; i < a->roster.site_count; i++)
        if (a->roster.sites[i].contested)
            return &a->roster.sites[i];
    return NULL;
}

/* That all others say so is no quarrel. */
static const struct member *find_who_has_us_out(const struct agent *a)
{
    const struct member *m = find_apart(a, APART_OUT);

    return m != NULL && fleet_is_member(a) && talks_with_a_member(a) ? m : NULL;
}

static void note_contested(struct agent *a)
{
    const struct roster_site *s = find_contested(a);
    const struct member *m;
    uint64_t wall_ms = agent_wall_ms(a);

    note_apart(a);
    if (a->contested_ms != 0 && uv_now(a->loop) - a->contested_ms > REFUSED_MS)
        a->contested_ms = 0;
    if ((m = find_apart(a, APART_LEFT)) != NULL)
        warning_set(&a->warnings, WARNING_CONTESTED, wall_ms,
                    "the list of members that %s has is not taken here: %s", name_of(a, &m->site),
                    m->apart_why.text);
    else if (a->contested_ms != 0)
        warning_set(&a->warnings, WARNING_CONTESTED, wall_ms,
                    "the list of members %s is not taken here: %s", a->contested_from,
                    a->contested_why.text);
    else if (s != NULL)
        warning_set(&a->warnings, WARNING_CONTESTED, wall_ms,
                    "%s was shut out, or lost its rights, on %s, and is in the fleet all the same: "
                    "it shut %s out without knowing of that, and joined before it",
                    s->name, name_of(a, &s->by), name_of(a, &s->by));
    else if ((m = find_who_has_us_out(a)) != NULL)
        warning_set(&a->warnings, WARNING_CONTESTED, wall_ms,
                    "%s has another list of members, by which this PC was shut out",
                    name_of(a, &m->site));
    else if ((m = find_apart(a, APART_LEAVES)) != NULL)
        warning_set(&a->warnings, WARNING_CONTESTED, wall_ms,
                    "the list of members that is here is not taken by %s: `agent-cli status` there "
                    "says why",
                    name_of(a, &m->site));
    else
        warning_clear(&a->warnings, WARNING_CONTESTED);
}

/* Since half of it was used a checkpoint has been tried (settle.h). */
static void note_room(struct agent *a)
{
    const struct roster *r = &a->roster;
    const struct roster_checkpoint *c;
    size_t bytes = r->log.n - r->before_bytes;
    char names[120];

    if (r->entries <= ROSTER_ORDINARY_MAX / 10 * 9 && bytes <= ROSTER_ORDINARY_BYTES_MAX / 10 * 9) {
        warning_clear(&a->warnings, WARNING_ROOM);
        return;
    }
    c = settle_pending(a);
    settle_write_missing(a, c, names, sizeof names);
    warning_set(&a->warnings, WARNING_ROOM, agent_wall_ms(a),
                "the history of the list of members has %u of %u entries and %zu of %u KiB: once "
                "it is full no PC can join, and the fleet's key cannot be changed; it %s%s",
                r->entries, ROSTER_ORDINARY_MAX, bytes >> 10, ROSTER_ORDINARY_BYTES_MAX >> 10,
                c->pending && !c->hopeless ? "is summed up as soon as that was seen by "
                                           : "was not summed up yet",
                c->pending && !c->hopeless ? names : "");
}

static void note_all(struct agent *a)
{
    note_room(a);
    note_own_end(a);
    note_contested(a);
    if (a->store != NULL)
        note_distrusted(a);
    if (a->refused_ms != 0 && uv_now(a->loop) - a->refused_ms > REFUSED_MS) {
        a->refused_ms = 0;
        warning_clear(&a->warnings, WARNING_REFUSED);
    }
    if (a->crowded_ms != 0 && uv_now(a->loop) - a->crowded_ms > REFUSED_MS) {
        a->crowded_ms = 0;
        warning_clear(&a->warnings, WARNING_CROWDED);
    }
}

static void note_member(struct agent *a, const struct site_id *site, enum apart how,
                        const struct err *why)
{
    struct member *m = members_get(links_members(a->links), site);

    if (m == NULL)
        return;
    m->apart = how;
    if (why != NULL)
        m->apart_why = *why;
    note_contested(a);
}

void fleet_told(struct agent *a, const struct site_id *by)
{
    if (roster_find(&a->roster, by) == NULL)
        return;
    a->told_by = *by;
    note_own_end(a);
    note_member(a, by, APART_OUT, NULL);
}

void fleet_apart(struct agent *a, const struct site_id *peer, const struct err *why)
{
    if (roster_find(&a->roster, peer) == NULL)
        fleet_left(a, "of a PC that is in no list here", why);
    else
        note_member(a, peer, APART_LEFT, why);
}

void fleet_took(struct agent *a, const struct site_id *peer)
{
    struct member *m =
        roster_find(&a->roster, peer) == NULL ? NULL : members_get(links_members(a->links), peer);

    if (m != NULL && m->apart == APART_LEFT)
        m->apart = APART_NOT;
}

void fleet_refused(struct agent *a, const struct site_id *author, const char *how)
{
    a->refused_ms = uv_now(a->loop);
    warning_set(&a->warnings, WARNING_REFUSED, agent_wall_ms(a),
                "%s was shut out of the fleet; changes that it made afterwards came %s and were "
                "not taken",
                name_of(a, author), how);
}

void fleet_left(struct agent *a, const char *from, const struct err *why)
{
    a->contested_ms = uv_now(a->loop);
    a->contested_from = from;
    a->contested_why = *why;
    note_contested(a);
}

void fleet_crowded(struct agent *a, const struct site_id *author)
{
    a->crowded_ms = uv_now(a->loop);
    warning_set(&a->warnings, WARNING_CROWDED, agent_wall_ms(a),
                "%s has begun anew so often, as a PC does whose disk was put back, that what it "
                "made since the last time is not taken here: the places that are left are kept for "
                "other PCs",
                name_of(a, author));
}

/* ---- the roster changed ---- */

/* A file that went back shows less than this PC knew: somebody who is out would be a member, until
 * a peer is met. What the ledger has of another fleet is of no use. */
void fleet_opened(struct agent *a)
{
    struct err e = {0};
    struct buf kept;
    bool changed = false;

    if (!a->in_fleet || a->store == NULL)
        return;
    buf_open(&kept, ROSTER_BYTES_MAX);
    if (store_roster_kept(a->store, &kept, &e) && kept.n > 0 &&
        settle_merge(a, &a->roster, buf_slice(&kept), false, &changed, &e) && changed)
        log_warn("the roster's file went back, and is whole again members=%u entries=%u before=%u",
                 a->roster.site_count, a->roster.entries, a->roster.before);
    buf_close(&kept);
    a->unkept.ledger = true;
    if (!changed)
        keep_again(a);
    else if (!agent_roster_changed(a, &e))
        log_warn("roster is not kept reason=%s", e.text);
}

void fleet_loaded(struct agent *a)
{
    take_key(a);
    note_own_end(a);
    note_contested(a);
    keep_again(a);
}

bool agent_roster_changed(struct agent *a, struct err *e)
{
    take_key(a);
    if (add_all(a))
        take_key(a);
    roster_digest(&a->roster, a->roster_digest);
    if (settle_roster(a))
        roster_digest(&a->roster, a->roster_digest);
    if (a->store != NULL)
        store_roster_changed(a->store);
    a->contested_ms = 0; /* a list that was left may be taken now */
    note_all(a);
    links_roster_changed(a->links);
    pump_poke(a->pump); /* rules may be among what is new */
    a->unkept.roster = a->unkept.ledger = true;
    return keep_fleet(a, e);
}

void fleet_tick(struct agent *a)
{
    struct err e = {0};
    bool changed;

    note_all(a);
    changed = add_all(a);
    if (!changed)
        changed = settle_by_itself(a) || settle_roster(a);
    if (!changed)
        keep_again(a);
    else if (!agent_roster_changed(a, &e))
        log_warn("roster is not kept reason=%s", e.text);
}

bool agent_roster_merge(struct agent *a, struct slice log, struct err *e)
{
    bool changed = false;

    if (!a->in_fleet)
        return err_set(e, ERR_REFUSED, "this PC is in no fleet");
    if (!settle_merge(a, &a->roster, log, true, &changed, e))
        return false;
    if (!changed)
        return true;
    log_info("roster changed members=%u entries=%u before=%u", a->roster.site_count,
             a->roster.entries, a->roster.before);
    /* It was written by members and cannot be wrong: it counts also while the disk is full. */
    if (!agent_roster_changed(a, e)) {
        log_warn("roster is not kept reason=%s", e->text);
        err_clear(e);
    }
    return true;
}

uint32_t agent_others(const struct agent *a)
{
    bool self = roster_find(&a->roster, &a->keys.site) != NULL;

    return a->roster.site_count - (self ? 1 : 0);
}
