#include "invitation.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

#define INVITES_BYTES_MAX 4096

/* One that is used or over stays in the list until newer ones push it out: who comes with it is
 * told why not. */
struct invitation {
    uint32_t serial;
    struct invite invite;
    uint64_t ends_ms; /* wall clock */
    bool used;
    struct site_id used_by;
};

struct invitations {
    struct agent *agent;
    struct invitation list[INVITES_MAX]; /* oldest first */
    uint32_t count;
    uint32_t serials;
    char path[PATH_BYTES_MAX]; /* for after a restart */
};

static void invitations_write(struct invitations *all, struct buf *out)
{
    struct writer w = {.out = out};
    uint32_t i;

    write_array(&w, all->count);
    for (i = 0; i < all->count; i++) {
        struct invitation *v = &all->list[i];

        write_array(&w, 4);
        write_bin(&w, SLICE(v->invite.secret));
        write_uint(&w, v->ends_ms);
        write_bool(&w, v->used);
        write_bin(&w, SLICE(v->used_by.bytes));
    }
}

static bool invitations_save(struct invitations *all, struct err *e)
{
    struct buf bytes = {0};
    bool ok;

    buf_open(&bytes, INVITES_BYTES_MAX);
    invitations_write(all, &bytes);
    ok = file_write_atomic(all->path, buf_slice(&bytes), 0600, e);
    buf_wipe(&bytes);
    return ok || err_wrap(e, "keep the invitations");
}

static void invitations_read(struct invitations *all, struct reader *r)
{
    uint32_t i, n = read_array(r, INVITES_MAX, "invitations");

    for (i = 0; i < n && !r->failed; i++) {
        struct invitation *v = &all->list[i];

        read_array_exact(r, 4, "invitation");
        read_bin_exact(r, v->invite.secret, sizeof v->invite.secret, "secret");
        v->ends_ms = read_uint(r, UINT64_MAX, "end");
        v->used = read_bool(r);
        read_bin_exact(r, v->used_by.bytes, sizeof v->used_by.bytes, "site");
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

    if (!file_exists(all->path))
        return;
    buf_open(&bytes, INVITES_BYTES_MAX);
    if (file_read(all->path, INVITES_BYTES_MAX, &bytes, &e)) {
        r = reader_of(buf_slice(&bytes), &e);
        invitations_read(all, &r);
        if (!read_end(&r))
            all->count = 0;
    }
    if (e.code != ERR_NONE)
        log_warn("open invitations are void reason=%s", e.text);
    buf_wipe(&bytes);
}

static bool is_withdrawn(const struct invitations *all, const struct invitation *v)
{
    const struct roster_invite *known;
    uint8_t id[INVITE_ID_BYTES];

    invite_id(id, &v->invite);
    known = roster_find_invite(&all->agent->roster, id);
    return known != NULL && known->withdrawn;
}

static bool is_live(struct invitations *all, const struct invitation *v)
{
    return !v->used && agent_wall_ms(all->agent) < v->ends_ms && !is_withdrawn(all, v);
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

bool agent_invite(struct agent *a, uint64_t ttl_ms, char *token, struct err *e)
{
    struct invitations *all = a->invitations;
    uint8_t id[INVITE_ID_BYTES];
    struct invitation v = {0};

    if (!a->in_fleet)
        return err_set(e, ERR_REFUSED,
                       "this PC is in no fleet: `agent-cli join TOKEN`, or init anew");
    if (!invitations_make_room(all, e))
        return false;
    invite_generate(&v.invite);
    fill_addresses(a, &v.invite);
    invite_id(id, &v.invite);
    v.serial = ++all->serials;
    v.ends_ms = agent_wall_ms(a) + ttl_ms;
    if (!roster_invite(&a->roster, id, v.ends_ms, &a->keys, e) || !agent_roster_changed(a, e))
        return err_wrap(e, "invite");
    all->list[all->count++] = v;
    if (!invitations_save(all, e)) {
        all->count--;
        return false;
    }
    invite_format(token, &v.invite);
    log_info("invitation made seconds=%llu", (unsigned long long)(ttl_ms / 1000));
    discovery_announce(a->discovery);
    return true;
}

uint32_t invitations_secrets(struct invitations *all, struct channel_secret *secrets, uint32_t room)
{
    uint32_t i;

    for (i = 0; i < all->count && i < room; i++) {
        secrets[i] = (struct channel_secret){.mode = CHANNEL_INVITE, .tag = all->list[i].serial};
        invite_psk(secrets[i].psk, &all->list[i].invite);
        invite_id(secrets[i].context, &all->list[i].invite);
    }
    return i;
}

uint32_t invitations_beacon_keys(struct invitations *all, uint8_t (*keys)[32], uint32_t room)
{
    uint32_t i, n = 0;
    uint8_t psk[32];

    for (i = 0; i < all->count && n < room; i++) {
        if (!is_live(all, &all->list[i]))
            continue;
        invite_psk(psk, &all->list[i].invite);
        beacon_key(keys[n++], psk);
    }
    return n;
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

static bool check_guest(struct invitations *all, const struct link *l, const struct invitation *v,
                        const struct join_message *m, struct err *e)
{
    if (m->kind != JOIN_JOIN)
        return err_set(e, ERR_INPUT, "message %u where JOIN belongs", (unsigned)m->kind);
    if (memcmp(m->sign_public, l->channel.peer_sign_public, sizeof m->sign_public) != 0 ||
        memcmp(m->exchange_public, l->channel.peer_exchange_public, sizeof m->exchange_public) != 0)
        return err_set(e, ERR_CRYPTO, "the keys in JOIN are not those of the channel");
    if (v == NULL)
        return err_set(e, ERR_REFUSED,
                       "the invitation is not known any more: on a member, `agent-cli invite` "
                       "makes a new one");
    if (v->used && memcmp(&v->used_by, &l->channel.peer, sizeof v->used_by) != 0)
        return err_set(
            e, ERR_REFUSED,
            "the token has been used already: on a member, `agent-cli invite` makes a new one");
    if (!v->used && is_withdrawn(all, v))
        return err_set(e, ERR_REFUSED,
                       "the token was withdrawn: on a member, `agent-cli invite` makes a new one");
    if (!v->used && agent_wall_ms(all->agent) >= v->ends_ms)
        return err_set(e, ERR_REFUSED,
                       "the token has expired: on a member, `agent-cli invite` makes a new one");
    return true;
}

/* Used up first, then enrolled: cut off in between, only the same guest can come back. */
static bool enrol(struct invitations *all, const struct link *l, struct invitation *v,
                  const struct join_message *m, struct err *e)
{
    struct agent *a = all->agent;
    char name[NAME_BYTES_MAX + 1];
    uint8_t id[INVITE_ID_BYTES];

    v->used = true;
    v->used_by = l->channel.peer;
    if (!invitations_save(all, e))
        return false;
    if (roster_find(&a->roster, &l->channel.peer) != NULL)
        return true;
    invite_id(id, &v->invite);
    if (!roster_enrol(&a->roster, m->sign_public, m->exchange_public, m->name, id, &a->keys, name,
                      e))
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
    if (!check_guest(all, l, v, &m, e) || !enrol(all, l, v, &m, e)) {
        say_sorry(l, e->text);
        return err_wrap(e, "guest %s", m.name);
    }
    memcpy(welcome.fleet_key, all->agent->fleet_keys.keys[0], sizeof welcome.fleet_key);
    welcome.roster = buf_slice(&all->agent->roster.log);
    join_send(l, &welcome);
    return true;
}

/* ---- start and end ---- */

struct invitations *invitations_start(struct agent *a)
{
    struct invitations *all = mem_alloc(sizeof *all);
    struct err e = {0};

    all->agent = a;
    if (path_join(all->path, a->home.path, "invites", &e))
        invitations_load(all);
    else
        log_warn("open invitations are void reason=%s", e.text);
    return all;
}

void invitations_void(struct invitations *all)
{
    struct err e = {0};

    all->count = 0;
    if (!file_remove(all->path, &e))
        log_warn("void invitations stay behind reason=%s", e.text);
}

void invitations_stop(struct invitations *all)
{
    free(all);
}
