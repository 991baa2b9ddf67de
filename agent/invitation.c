#include "invitation.h"

#include <string.h>

#include <sodium.h>

#include <navette/beacon.h>
#include <navette/invite.h>
#include <navette/join.h>
#include <navette/wire.h>

#include "agent.h"
#include "discovery.h"
#include "join.h"
#include "link.h"
#include "links.h"
#include "log.h"
#include "request.h"

#define INVITES_BYTES_MAX     4096
#define INVITATION_MS_MAX     (REQUEST_STICK_MS_MAX + HLC_SKEW_MS_MAX) /* no token lives longer */
#define INVITATION_FIELDS     9
#define INVITATION_FIELDS_MIN 7

/* The home's file `invites`: [[id: bin 8, psk: bin 32, key: bin 32, end: uint, used: bool, used by:
 * bin 16, tries: uint, machine: bin 32, made: uint]...], oldest first; older files end without the
 * last, or the last two.
 *
 * One that is used or over stays in the list until newer ones push it out: who comes with it is
 * told why not. */
struct invitation {
    uint32_t serial;
    struct invite_lock lock;
    uint64_t made_ms, ends_ms; /* wall clock; made: 0 if nobody noted it */
    bool used;
    struct site_id used_by;
    uint32_t tries;              /* without a proof */
    uint8_t machine[HASH_BYTES]; /* used by a letter: where that PC's home is; else zeros */
};

struct invitations {
    struct agent *agent;
    struct invitation list[INVITES_MAX]; /* oldest first */
    uint32_t count;
    uint32_t serials;
};

static void invitations_write(struct invitations *all, struct buf *out)
{
    struct writer w = {.out = out};
    uint32_t i;

    write_array(&w, all->count);
    for (i = 0; i < all->count; i++) {
        struct invitation *v = &all->list[i];

        write_array(&w, INVITATION_FIELDS);
        write_bin(&w, SLICE(v->lock.id));
        write_bin(&w, SLICE(v->lock.psk));
        write_bin(&w, SLICE(v->lock.key));
        write_uint(&w, v->ends_ms);
        write_bool(&w, v->used);
        write_bin(&w, SLICE(v->used_by.bytes));
        write_uint(&w, v->tries);
        write_bin(&w, SLICE(v->machine));
        write_uint(&w, v->made_ms);
    }
}

static bool invitations_save(struct invitations *all, struct err *e)
{
    struct buf bytes = {0};
    bool ok;

    buf_open_secret(&bytes, INVITES_BYTES_MAX);
    invitations_write(all, &bytes);
    ok = file_write_atomic(all->agent->home.invites, buf_slice(&bytes), 0600, e);
    buf_wipe(&bytes);
    if (ok)
        warning_clear(&all->agent->warnings, WARNING_TOKENS);
    return ok || err_wrap(e, "keep the invitations");
}

static void invitations_read(struct invitations *all, struct reader *r)
{
    uint32_t i, n = read_array(r, INVITES_MAX, "invitations");

    for (i = 0; i < n && !r->failed; i++) {
        struct invitation *v = &all->list[i];
        uint32_t fields = read_array(r, INVITATION_FIELDS, "invitation");

        if (!r->failed && fields < INVITATION_FIELDS_MIN)
            read_fail(r, ERR_INPUT, "an invitation of %u fields", fields);
        read_bin_exact(r, v->lock.id, sizeof v->lock.id, "id");
        read_bin_exact(r, v->lock.psk, sizeof v->lock.psk, "psk");
        read_bin_exact(r, v->lock.key, sizeof v->lock.key, "key");
        v->ends_ms = read_uint(r, UINT64_MAX, "end");
        v->used = read_bool(r);
        read_bin_exact(r, v->used_by.bytes, sizeof v->used_by.bytes, "site");
        v->tries = (uint32_t)read_uint(r, INVITE_TRIES_MAX, "tries");
        if (fields > INVITATION_FIELDS_MIN)
            read_bin_exact(r, v->machine, sizeof v->machine, "machine");
        if (fields == INVITATION_FIELDS)
            v->made_ms = read_uint(r, UINT64_MAX, "made");
        v->serial = ++all->serials;
    }
    all->count = n;
}

/* A file that cannot be read costs no more than the invitations that were open. */
static void invitations_load(struct invitations *all)
{
    struct buf bytes = {0};
    struct err e = {0};
    struct reader r;

    if (!file_exists(all->agent->home.invites))
        return;
    if (home_secret_read(all->agent->home.invites, &bytes, &e)) {
        r = reader_of(buf_slice(&bytes), &e);
        invitations_read(all, &r);
        if (!read_end(&r))
            all->count = 0;
    }
    if (e.code != ERR_NONE)
        warning_set(&all->agent->warnings, WARNING_TOKENS, agent_wall_ms(all->agent),
                    "nobody can join with a token that was made here before: %s", e.text);
    buf_wipe(&bytes);
}

/* Each is in the roster before it is here; a checkpoint leaves out those that were withdrawn or
 * used, and ours may not have heard of either. */
static bool is_withdrawn(const struct invitations *all, const struct invitation *v)
{
    const struct roster_invite *known = roster_find_invite(&all->agent->roster, v->lock.id);

    return known == NULL || known->withdrawn;
}

static bool is_burned(const struct invitation *v)
{
    return !v->used && v->tries >= INVITE_TRIES_MAX;
}

/* Whom it let in, as far as the roster knows: our file may be older, when this home was put back
 * from a copy. NULL: nobody. */
static const struct site_id *used_by(const struct invitations *all, const struct invitation *v)
{
    const struct roster_invite *known = roster_find_invite(&all->agent->roster, v->lock.id);

    return v->used ? &v->used_by : known != NULL && known->used ? &known->used_by : NULL;
}

/* Was the clock of this PC ahead when it was made? Then its end means nothing: it could stay open
 * for years. A clock that is set right by some minutes is no matter. */
static bool is_from_the_future(struct invitations *all, const struct invitation *v)
{
    uint64_t now_ms = agent_wall_ms(all->agent);

    return v->made_ms > now_ms + HLC_SKEW_MS_MAX || v->ends_ms > now_ms + INVITATION_MS_MAX;
}

static bool is_live(struct invitations *all, const struct invitation *v)
{
    return used_by(all, v) == NULL && !is_burned(v) && agent_wall_ms(all->agent) < v->ends_ms &&
           !is_from_the_future(all, v) && !is_withdrawn(all, v);
}

static struct invitation *invitation_of(struct invitations *all, uint32_t serial)
{
    uint32_t i;

    for (i = 0; i < all->count; i++)
        if (all->list[i].serial == serial)
            return &all->list[i];
    return NULL;
}

/* Those that are used or over make room first. */
static bool invitations_make_room(struct invitations *all, struct err *e)
{
    uint32_t i;

    if (all->count < INVITES_MAX)
        return true;
    for (i = 0; i < all->count; i++) {
        if (is_live(all, &all->list[i]))
            continue;
        memmove(&all->list[i], &all->list[i + 1], (all->count - i - 1) * sizeof all->list[0]);
        all->count--;
        return true;
    }
    return err_set(e, ERR_LIMIT, "%u invitations are open already: wait until one is used or over",
                   INVITES_MAX);
}

/* Where a joiner can reach us: our addresses in the LAN, the loopback one only if there is no
 * other. */
static void fill_addresses(struct agent *a, struct invite *v)
{
    const char *chosen = a->config.listen.host;
    uv_interface_address_t *list;
    uint16_t port = links_port(a->links);
    struct sockaddr_in in;
    int pass, i, n;

    if (port == 0)
        return;
    if (chosen[0] != '\0' && strcmp(chosen, "0.0.0.0") != 0 && uv_ip4_addr(chosen, 0, &in) == 0) {
        memcpy(v->addresses[0].ip, &in.sin_addr, 4);
        v->addresses[0].port = port;
        v->address_count = 1;
        return;
    }
    if (uv_interface_addresses(&list, &n) != 0)
        return;
    for (pass = 0; pass < 2 && v->address_count == 0; pass++)
        for (i = 0; i < n && v->address_count < INVITE_ADDRESSES_MAX; i++) {
            if (list[i].address.address4.sin_family != AF_INET || list[i].is_internal != pass)
                continue;
            memcpy(v->addresses[v->address_count].ip, &list[i].address.address4.sin_addr, 4);
            v->addresses[v->address_count++].port = port;
        }
    uv_free_interface_addresses(list, n);
}

static bool invitation_add(struct invitations *all, const struct invitation *v, struct err *e)
{
    struct agent *a = all->agent;

    if (!roster_invite(&a->roster, v->lock.id, v->ends_ms, &a->keys, e) ||
        !agent_roster_changed(a, e))
        return err_wrap(e, "invite");
    all->list[all->count++] = *v;
    if (invitations_save(all, e))
        return true;
    all->count--;
    return false;
}

bool agent_invite(struct agent *a, uint64_t ttl_ms, bool stick, char *token, struct err *e)
{
    struct invitations *all = a->invitations;
    struct invitation v = {0};
    struct invite invite;
    bool ok;

    if (!a->in_fleet)
        return err_set(e, ERR_REFUSED,
                       "this PC is in no fleet: `agent-cli join TOKEN`, or init anew");
    if (!invitations_make_room(all, e))
        return false;
    invite_generate(&invite, &a->keys.site);
    if (!stick)
        fill_addresses(a, &invite);
    invite_lock(&v.lock, &invite);
    v.serial = ++all->serials;
    v.made_ms = agent_wall_ms(a);
    v.ends_ms = v.made_ms + ttl_ms;
    ok = invitation_add(all, &v, e);
    if (ok) {
        invite_format(token, &invite);
        log_info("invitation made seconds=%llu", (unsigned long long)(ttl_ms / 1000));
        discovery_announce(a->discovery);
    }
    sodium_memzero(&invite, sizeof invite);
    sodium_memzero(&v, sizeof v);
    return ok;
}

uint32_t invitations_secrets(struct invitations *all, struct channel_secret *secrets, uint32_t room)
{
    uint32_t i;

    for (i = 0; i < all->count && i < room; i++) {
        const struct invitation *v = &all->list[i];

        secrets[i] = (struct channel_secret){.mode = CHANNEL_INVITE, .tag = v->serial};
        memcpy(secrets[i].psk, v->lock.psk, sizeof secrets[i].psk);
        memcpy(secrets[i].context, v->lock.id, sizeof v->lock.id);
    }
    return i;
}

uint32_t invitations_beacon_keys(struct invitations *all, uint8_t (*keys)[32], uint32_t room)
{
    uint32_t i, n = 0;

    for (i = 0; i < all->count && n < room; i++)
        if (is_live(all, &all->list[i]))
            beacon_key(keys[n++], all->list[i].lock.psk);
    return n;
}

/* ---- tries ---- */

void invitations_tick(struct invitations *all)
{
    struct agent *a = all->agent;
    bool burned = false;

    if (!file_exists(a->home.invites))
        warning_clear(&a->warnings, WARNING_TOKENS);
    for (uint32_t i = 0; i < all->count && !burned; i++)
        burned = is_burned(&all->list[i]) && agent_wall_ms(a) < all->list[i].ends_ms;
    if (!burned)
        warning_clear(&a->warnings, WARNING_BURNED);
    else
        warning_set(&a->warnings, WARNING_BURNED, agent_wall_ms(a),
                    "%d times somebody came with what this PC keeps of an invitation, and without "
                    "its token: nobody can join with it any more",
                    INVITE_TRIES_MAX);
}

/* It counts before the one who tried can know. The others learn from the roster that it is over. */
static void wrong_try(struct invitations *all, struct invitation *v)
{
    struct agent *a = all->agent;
    struct err e = {0};

    if (!is_live(all, v))
        return;
    v->tries++;
    log_warn("a guest without the token tries=%u", v->tries);
    if (!invitations_save(all, &e))
        log_warn("tries are counted until the next start only reason=%s", e.text);
    if (!is_burned(v))
        return;
    invitations_tick(all);
    err_clear(&e);
    if (!roster_withdraw(&a->roster, v->lock.id, &a->keys, &e) || !agent_roster_changed(a, &e))
        log_warn("a burned invitation stands in the roster as open reason=%s", e.text);
}

static bool has_token(const struct invitation *v, const struct link *l,
                      const struct join_message *m, struct err *e)
{
    struct buf statement;
    bool ok;

    join_statement(&statement, m, l->channel.session);
    ok = invite_check(&v->lock, buf_slice(&statement), m->proof, e);
    buf_close(&statement);
    return ok;
}

/* ---- a guest ---- */

/* Only ASCII travels in a reason. */
static void say_sorry(struct link *l, const char *text)
{
    struct join_message m = {.kind = JOIN_SORRY};
    size_t i;

    for (i = 0; text[i] != '\0' && i < SORRY_BYTES_MAX; i++)
        m.sorry[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
    join_send(l, &m);
}

/* Whoever fails here gets no answer. */
static bool check_guest(struct invitations *all, const struct link *l, struct invitation *v,
                        const struct join_message *m, struct err *e)
{
    if (m->kind != JOIN_JOIN)
        return err_set(e, ERR_INPUT, "message %u where JOIN belongs", (unsigned)m->kind);
    if (memcmp(m->sign_public, l->channel.peer_sign_public, sizeof m->sign_public) != 0 ||
        memcmp(m->exchange_public, l->channel.peer_exchange_public, sizeof m->exchange_public) != 0)
        return err_set(e, ERR_CRYPTO, "the keys in JOIN are not those of the channel");
    if (v == NULL)
        return err_set(e, ERR_REFUSED, "newer invitations have pushed this one out");
    if (has_token(v, l, m, e))
        return true;
    wrong_try(all, v);
    return false;
}

#define NEW_TOKEN "on a member, `agent-cli invite` makes a new one"

static bool check_invitation(struct invitations *all, const struct site_id *guest,
                             const struct invitation *v, struct err *e)
{
    const struct site_id *used = used_by(all, v);

    if (used != NULL && !site_equal(used, guest))
        return err_set(e, ERR_REFUSED, "the token has been used already: " NEW_TOKEN);
    if (is_burned(v))
        return err_set(e, ERR_REFUSED,
                       "others have tried to get in with this token's channel, so it is good for "
                       "nothing any more: " NEW_TOKEN);
    if (used == NULL && is_withdrawn(all, v))
        return err_set(e, ERR_REFUSED, "the token was withdrawn, or used before: " NEW_TOKEN);
    if (used == NULL && agent_wall_ms(all->agent) >= v->ends_ms)
        return err_set(e, ERR_REFUSED, "the token has expired: " NEW_TOKEN);
    if (used == NULL && is_from_the_future(all, v))
        return err_set(e, ERR_REFUSED,
                       "the clock of the PC that made the token stands before the time at which "
                       "it was made, so nobody can tell whether it is over: see that the clock is "
                       "right; " NEW_TOKEN);
    return true;
}

/* Used up first, then enrolled: cut off in between, only the same guest can come back. */
static bool enrol(struct invitations *all, const struct site_id *guest, struct invitation *v,
                  const struct join_message *m, struct err *e)
{
    struct agent *a = all->agent;
    const struct roster_site *self = roster_find(&a->roster, &a->keys.site);
    char name[NAME_BYTES_MAX + 1];

    if (roster_find(&a->roster, guest) == NULL && !name_check_new(slice_text(m->name), e))
        return err_wrap(e, "that PC takes another name first");
    if (roster_find(&a->roster, guest) == NULL && (self == NULL || !self->admin))
        return err_set(e, ERR_REFUSED,
                       "the PC that made the token is no admin of the fleet any more: on one that "
                       "is, `agent-cli invite` makes a new one");
    v->used = true;
    v->used_by = *guest;
    if (!invitations_save(all, e))
        return false;
    if (roster_find(&a->roster, guest) != NULL)
        return keep_fleet(a, e);
    if (!roster_enrol(&a->roster, m->sign_public, m->exchange_public, m->name, v->lock.id, &a->keys,
                      name, e))
        return err_wrap(e, "enrol");
    log_info("enrolled peer=%s", name);
    return agent_roster_changed(a, e);
}

bool invitations_serve(struct invitations *all, struct link *l, struct slice message, struct err *e)
{
    struct join_message m, welcome = {.kind = JOIN_WELCOME};
    struct invitation *v = invitation_of(all, l->channel.tag);

    if (!join_message_read(&m, message, e))
        return err_wrap(e, "invitation");
    if (!check_guest(all, l, v, &m, e))
        return err_wrap(e, "guest");
    if (!check_invitation(all, &l->channel.peer, v, e) || !enrol(all, &l->channel.peer, v, &m, e)) {
        say_sorry(l, e->text);
        return err_wrap(e, "guest %s", m.name);
    }
    memcpy(welcome.fleet_key, all->agent->fleet_keys.keys[0], sizeof welcome.fleet_key);
    welcome.roster = buf_slice(&all->agent->roster.log);
    join_send(l, &welcome);
    sodium_memzero(&welcome, sizeof welcome);
    return true;
}

/* ---- a letter ---- */

static struct invitation *invitation_of_id(struct invitations *all, const uint8_t *id)
{
    for (uint32_t i = 0; i < all->count; i++)
        if (memcmp(all->list[i].lock.id, id, sizeof all->list[i].lock.id) == 0)
            return &all->list[i];
    return NULL;
}

/* A home that was copied before it joined asks twice, with one identity. */
static bool check_twin(struct invitations *all, const struct invitation *v,
                       const struct site_id *guest, const struct letter_ask *ask, struct err *e)
{
    static const uint8_t unknown[HASH_BYTES];
    const struct roster_site *known = roster_find(&all->agent->roster, guest);

    for (uint32_t i = 0; i < all->count; i++) {
        const struct invitation *other = &all->list[i];

        if (other->used && site_equal(&other->used_by, guest) &&
            memcmp(other->machine, unknown, sizeof unknown) != 0 &&
            memcmp(other->machine, ask->machine, sizeof ask->machine) != 0)
            return err_set(e, ERR_REFUSED,
                           "a PC with this identity has joined from another place: one of the two "
                           "is a copy of the other's home; on the copy, `agent-cli identity reset` "
                           "makes it a PC of its own, which then needs a new token");
    }
    if (known != NULL && !(v->used && site_equal(&v->used_by, guest)))
        return err_set(e, ERR_REFUSED,
                       "a PC with this identity is a member already, %s, and joined with another "
                       "token: if it asked with both, `agent-cli join TOKEN --to DIR` on it with "
                       "that other one, and `agent-cli drop import` there of the answer to that; "
                       "if this is a copy of that PC's home, `agent-cli identity reset` on it, and "
                       "then a new token",
                       known->name);
    return true;
}

bool invitations_admit(struct invitations *all, const struct letter *l, struct letter_ask *ask,
                       struct err *e)
{
    struct invitation *v = invitation_of_id(all, l->invitation);
    struct site_id guest;

    if (v == NULL)
        return err_set(e, ERR_REFUSED,
                       "its token was not made on this PC, or newer ones have pushed it out: take "
                       "it to the PC that made the token");
    if (!letter_ask_open(ask, l, &v->lock, e))
        return err_wrap(e, "this request to join is refused");
    if (!letter_ask_proven(ask, &v->lock, e)) {
        wrong_try(all, v);
        return err_wrap(e, "whoever wrote this request to join has not the token");
    }
    guest = keys_site_id(ask->join.sign_public);
    if (!check_invitation(all, &guest, v, e) || !check_twin(all, v, &guest, ask, e))
        return false;
    memcpy(v->machine, ask->machine, sizeof v->machine);
    return enrol(all, &guest, v, &ask->join, e);
}

/* ---- start and end ---- */

struct invitations *invitations_start(struct agent *a)
{
    struct invitations *all = secret_alloc(sizeof *all);

    all->agent = a;
    invitations_load(all);
    return all;
}

void invitations_void(struct invitations *all)
{
    struct err e = {0};

    all->count = 0;
    if (!file_remove(all->agent->home.invites, &e))
        log_warn("void invitations stay behind reason=%s", e.text);
}

void invitations_stop(struct invitations *all)
{
    secret_free(all);
}
