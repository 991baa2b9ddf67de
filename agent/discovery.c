/* One socket for each IPv4 interface, bound to its address, sends to that interface's broadcast
 * address and takes the answers; one on 0.0.0.0 hears the broadcasts of others. (A broadcast from
 * an unbound socket leaves by the default route only.) Several agents on one machine all hear: the
 * port is shared. */
#include "discovery.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <navette/beacon.h>

#include "agent.h"
#include "dial.h"
#include "ear.h"
#include "invitation.h"
#include "join.h"
#include "link.h"
#include "links.h"
#include "log.h"

#define INTERFACES_MAX 32
#define SLOW_MS        15000 /* beacons when nothing changes, with 10 s more or less at random */
#define FLOODED_MS     300   /* beacons while this PC is flooded and misses somebody */
#define LOOK_MS        5000  /* interfaces are looked at so often */
#define SAME_CLOCK_MS  1000  /* a clock that is further behind was put back */
#define LOG_BURST      3

/* When the first beacons leave after a change; then it is slow. */
static const uint32_t fast_ms[] = {0, 200, 800, 2000, 5000};

/* What comes from one socket. */
struct receiver {
    struct discovery *discovery;
    struct bucket looked_at;
    bool held;
    char input[BEACON_BYTES + 1];
};

struct interface {
    struct receiver in; /* first: the socket's data is either */
    uv_udp_t udp;
    uint32_t ip, mask; /* network byte order */
    bool present;
};

struct discovery {
    struct receiver in; /* of the listener; first, as above */
    struct agent *agent;
    uv_udp_t listener;
    uv_timer_t timer, pause;
    bool listener_open, listening, stopping;
    uint32_t handles;
    uint32_t fast; /* index into fast_ms */
    uint64_t beacon_ms, look_ms;
    uint32_t rounds; /* of beacons that say we are here */
    struct interface *interfaces[INTERFACES_MAX];
    uint32_t interface_count;
    uint64_t said_ms;        /* clock of our last beacon */
    struct ear ear, old_ear; /* `old_ear`: of what comes under keys that the fleet had before */
    struct log_limit ignored;
};

static void release(uv_handle_t *handle)
{
    struct discovery *d = handle->data;

    if (--d->handles == 0)
        free(d);
}

static uint64_t now_of(const struct discovery *d)
{
    return uv_now(d->agent->loop);
}

/* ---- sending ---- */

static void send_one(struct interface *i, uint32_t ip, uint16_t port, const uint8_t *datagram)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    char bytes[BEACON_BYTES];
    uv_buf_t view = uv_buf_init(bytes, sizeof bytes);

    memcpy(bytes, datagram, sizeof bytes);
    to.sin_addr.s_addr = ip;
    /* A lost beacon is followed by another one: an interface that is down or full is no trouble. */
    (void)uv_udp_try_send(&i->udp, &view, 1, (const struct sockaddr *)&to);
}

/* Each is later than the one before, also within a millisecond: else it is no news to others. */
static struct beacon beacon_of(struct discovery *d, enum beacon_kind kind)
{
    uint64_t wall_ms = agent_wall_ms(d->agent);

    if (wall_ms <= d->said_ms && d->said_ms - wall_ms < SAME_CLOCK_MS)
        wall_ms = d->said_ms + 1;
    d->said_ms = wall_ms;
    return (struct beacon){
        .kind = kind,
        .site = d->agent->keys.site,
        .port = links_port(d->agent->links),
        .wall_ms = wall_ms,
    };
}

static void broadcast(struct discovery *d, enum beacon_kind kind, const uint8_t key[32])
{
    struct beacon b = beacon_of(d, kind);
    uint8_t datagram[BEACON_BYTES];
    uint32_t i;

    for (i = 0; i < d->interface_count; i++) {
        beacon_write(datagram, &b, key);
        send_one(d->interfaces[i], d->interfaces[i]->ip | ~d->interfaces[i]->mask,
                 (uint16_t)d->agent->config.discovery_port, datagram);
    }
}

/* Members that were on the other side of a split, and got another new key there, read only those
 * that both sides had before. */
static void say_to_fleet(struct discovery *d, enum beacon_kind kind)
{
    const struct fleet_keys *all = &d->agent->fleet_keys;
    uint32_t older = kind == BEACON_HERE ? dial_key(d->rounds++, all->n) : 0;
    uint8_t key[32];

    if (!d->agent->in_fleet || (links_port(d->agent->links) == 0 && kind != BEACON_LEAVING))
        return;
    beacon_key(key, all->keys[0]);
    broadcast(d, kind, key);
    if (older > 0) {
        beacon_key(key, all->keys[older]);
        broadcast(d, kind, key);
    }
    sodium_memzero(key, sizeof key);
}

static void say_all(struct discovery *d, enum beacon_kind kind)
{
    uint8_t keys[INVITES_MAX][32], key[32];
    uint32_t i, n;

    if (d->agent->doubt[0] != '\0')
        return;
    say_to_fleet(d, kind);
    if (kind == BEACON_LEAVING)
        return;
    n = invitations_beacon_keys(d->agent->invitations, keys, INVITES_MAX);
    for (i = 0; i < n; i++)
        broadcast(d, BEACON_INVITING, keys[i]);
    if (join_beacon_key(d->agent->join, key))
        broadcast(d, BEACON_JOINING, key);
    sodium_memzero(keys, sizeof keys);
    sodium_memzero(key, sizeof key);
}

/* ---- receiving ---- */

/* The interface to answer from: the one whose network the sender is in, else any. */
static struct interface *interface_towards(struct discovery *d, const struct sockaddr_in *from)
{
    uint32_t i;

    for (i = 0; i < d->interface_count; i++) {
        struct interface *f = d->interfaces[i];

        if (((from->sin_addr.s_addr ^ f->ip) & f->mask) == 0)
            return f;
    }
    return d->interface_count > 0 ? d->interfaces[0] : NULL;
}

static void answer(struct discovery *d, const struct sockaddr_in *from, enum beacon_kind kind,
                   const uint8_t key[32])
{
    struct beacon b = beacon_of(d, kind);
    struct interface *i = interface_towards(d, from);
    uint8_t datagram[BEACON_BYTES];

    if (i == NULL || b.port == 0 || d->agent->doubt[0] != '\0')
        return;
    beacon_write(datagram, &b, key);
    send_one(i, from->sin_addr.s_addr, ntohs(from->sin_port), datagram);
}

static bool is_our_address(struct discovery *d, const struct sockaddr_in *from)
{
    uint32_t i;

    for (i = 0; i < d->interface_count; i++)
        if (d->interfaces[i]->ip == from->sin_addr.s_addr)
            return true;
    return false;
}

/* Our own beacons come back to us. One from elsewhere may be played back, or come from a copy of
 * our home: who is there is asked. */
static void heard_ourselves(struct discovery *d, const struct beacon *b,
                            const struct sockaddr_in *from)
{
    struct address address;

    address_of(&address, (const struct sockaddr *)from);
    address.port = b->port;
    if (b->kind == BEACON_HERE && b->port != 0 &&
        (b->port != links_port(d->agent->links) || !is_our_address(d, from)))
        links_heard(d->agent->links, &b->site, &address);
}

static void note_clock(struct discovery *d, const struct beacon *b)
{
    struct member *member;

    if (roster_find(&d->agent->roster, &b->site) == NULL)
        return;
    member = members_get(links_members(d->agent->links), &b->site);
    if (member != NULL && links_talk(d->agent->links, &b->site) == NULL)
        member->skew_ms = (int64_t)(b->wall_ms - agent_wall_ms(d->agent));
}

/* A site that is linked from elsewhere has several addresses, or a twin who knows nobody yet. */
static bool is_linked_from(const struct discovery *d, const struct site_id *site,
                           const struct address *address)
{
    const struct talk *talk = links_talk(d->agent->links, site);

    return talk != NULL && strcmp(talk->link->address.host, address->host) == 0;
}

/* Who was shut out is not answered, whatever key it has. */
static bool is_heard(const struct discovery *d, const struct site_id *site, bool old_key)
{
    const struct roster *r = &d->agent->roster;

    return roster_find(r, site) != NULL || (!old_key && roster_author(r, site) == NULL);
}

static bool is_news(struct discovery *d, struct ear *ear, const struct beacon *b)
{
    bool member = roster_find(&d->agent->roster, &b->site) != NULL;

    return ear_is_news(ear, &b->site, member, b->wall_ms, now_of(d));
}

/* What is no news may have been kept by somebody and sent again, from anywhere. So it is not
 * answered; but where there is a link nobody else waits for the answer, and it may be a twin. */
static void heard_here(struct discovery *d, struct ear *ear, const struct beacon *b,
                       const struct sockaddr_in *from, const uint8_t key[32], bool news)
{
    struct links *links = d->agent->links;
    struct address address;

    address_of(&address, (const struct sockaddr *)from);
    address.port = b->port;
    if ((news || links_talk(links, &b->site) != NULL) && !is_linked_from(d, &b->site, &address) &&
        ear_may_answer(ear, &b->site, now_of(d)))
        answer(d, from, BEACON_HERE, key);
    if (news && roster_find(&d->agent->roster, &b->site) != NULL)
        links_heard(links, &b->site, &address);
    else
        links_heard_rumour(links, &b->site, &address);
}

/* Whoever was shut out has the keys from before, and can speak in any member's name with them: what
 * comes under one says where somebody may be dialled, and nothing else. */
static void heard_fleet(struct discovery *d, const struct beacon *b, const struct sockaddr_in *from,
                        const uint8_t key[32], bool old_key)
{
    struct ear *ear = old_key ? &d->old_ear : &d->ear;
    bool news;

    if (site_equal(&b->site, &d->agent->keys.site)) {
        heard_ourselves(d, b, from);
        return;
    }
    news = is_news(d, ear, b);
    if (news && !old_key)
        note_clock(d, b);
    if (news && !old_key && b->kind == BEACON_LEAVING)
        links_left(d->agent->links, &b->site);
    else if (b->kind == BEACON_HERE && b->port != 0)
        heard_here(d, ear, b, from, key, news);
}

static bool heard_guest(struct discovery *d, struct slice datagram, const struct sockaddr_in *from,
                        struct err *e)
{
    uint8_t keys[INVITES_MAX][32];
    uint32_t i, n = invitations_beacon_keys(d->agent->invitations, keys, INVITES_MAX);
    struct beacon b;

    for (i = 0; i < n; i++) {
        err_clear(e);
        if (!beacon_read(&b, datagram, keys[i], e))
            continue;
        if (b.kind == BEACON_JOINING && is_news(d, &d->ear, &b) &&
            ear_may_answer(&d->ear, &b.site, now_of(d)))
            answer(d, from, BEACON_INVITING, keys[i]);
        return true;
    }
    return false;
}

static bool heard_host(struct discovery *d, struct slice datagram, const struct sockaddr_in *from,
                       struct err *e)
{
    struct address address;
    struct beacon b;
    uint8_t key[32];

    if (!join_beacon_key(d->agent->join, key) || !beacon_read(&b, datagram, key, e))
        return false;
    address_of(&address, (const struct sockaddr *)from);
    address.port = b.port;
    if (b.kind == BEACON_INVITING && b.port != 0)
        join_heard(d->agent->join, &address);
    return true;
}

/* Under a key that the fleet had before only members are listened to. */
static bool heard_member(struct discovery *d, struct slice datagram, const struct sockaddr_in *from)
{
    uint32_t i, n = d->agent->in_fleet ? d->agent->fleet_keys.n : 0;
    struct beacon b;
    uint8_t key[32];

    for (i = 0; i < n; i++) {
        struct err e = {0};

        beacon_key(key, d->agent->fleet_keys.keys[i]);
        if (!beacon_read(&b, datagram, key, &e))
            continue;
        if (is_heard(d, &b.site, i > 0))
            heard_fleet(d, &b, from, key, i > 0);
        return true;
    }
    return false;
}

static void heard(struct discovery *d, struct slice datagram, const struct sockaddr_in *from)
{
    struct err e = {0};

    if (heard_member(d, datagram, from))
        return;
    if (heard_guest(d, datagram, from, &e))
        return;
    err_clear(&e);
    if (heard_host(d, datagram, from, &e))
        return;
    if (log_allowed(&d->ignored, LOG_BURST, now_of(d)))
        log_debug("datagram ignored bytes=%zu left_out=%u", datagram.n, d->ignored.suppressed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct receiver *r = handle->data;

    (void)suggested;
    *out = uv_buf_init(r->input, sizeof r->input);
}

static void on_receive(uv_udp_t *udp, ssize_t n, const uv_buf_t *bytes, const struct sockaddr *from,
                       unsigned flags);

static void resume(struct receiver *r, uv_udp_t *udp)
{
    if (r->held && !uv_is_closing((uv_handle_t *)udp))
        uv_udp_recv_start(udp, on_alloc, on_receive);
    r->held = false;
}

static void on_pause_over(uv_timer_t *timer)
{
    struct discovery *d = timer->data;
    uint32_t i;

    resume(&d->in, &d->listener);
    for (i = 0; i < d->interface_count; i++)
        resume(&d->interfaces[i]->in, &d->interfaces[i]->udp);
}

static void on_timer(uv_timer_t *timer);

/* Most of what is said in a flood is lost, and so are the few beacons that follow a start: whoever
 * misses somebody says it again and again. */
static void insist(struct discovery *d)
{
    uint64_t at = now_of(d) + FLOODED_MS;

    if (d->stopping || d->beacon_ms <= at || agent_connected(d->agent) >= agent_others(d->agent))
        return;
    d->beacon_ms = at;
    uv_timer_start(&d->timer, on_timer, FLOODED_MS, 0);
}

/* What comes meanwhile waits in the system's buffer, and is dropped there when that is full. */
static void hold(struct receiver *r, uv_udp_t *udp, const struct sockaddr *from)
{
    struct discovery *d = r->discovery;
    struct address address;

    r->held = true;
    uv_udp_recv_stop(udp);
    if (!uv_is_active((uv_handle_t *)&d->pause))
        uv_timer_start(&d->pause, on_pause_over, EAR_PAUSE_MS, 0);
    address_of(&address, from);
    agent_flooded(d->agent, "datagrams", address.host);
    insist(d);
}

static void on_receive(uv_udp_t *udp, ssize_t n, const uv_buf_t *bytes, const struct sockaddr *from,
                       unsigned flags)
{
    struct receiver *r = udp->data;
    struct discovery *d = r->discovery;
    struct sockaddr_in in;

    (void)flags;
    if (n <= 0 || from == NULL || from->sa_family != AF_INET || d->stopping)
        return;
    if (!ear_take(&r->looked_at, now_of(d))) {
        hold(r, udp, from);
        return;
    }
    memcpy(&in, from, sizeof in);
    heard(d, (struct slice){(const uint8_t *)bytes->base, (size_t)n}, &in);
}

/* ---- interfaces ---- */

static void on_interface_closed(uv_handle_t *handle)
{
    struct interface *i = handle->data;
    struct discovery *d = i->in.discovery;

    free(i);
    if (--d->handles == 0)
        free(d);
}

static void interface_close(struct discovery *d, uint32_t at)
{
    uv_close((uv_handle_t *)&d->interfaces[at]->udp, on_interface_closed);
    d->interfaces[at] = d->interfaces[--d->interface_count];
}

static bool interface_open(struct discovery *d, uint32_t ip, uint32_t mask)
{
    struct interface *i = mem_alloc(sizeof *i);
    struct sockaddr_in at = {.sin_family = AF_INET};
    struct address text;
    int status;

    at.sin_addr.s_addr = ip;
    address_of(&text, (const struct sockaddr *)&at);
    *i = (struct interface){.in.discovery = d, .ip = ip, .mask = mask, .present = true};
    status = uv_udp_init(d->agent->loop, &i->udp);
    assert(status == 0);
    i->udp.data = i;
    d->handles++;
    d->interfaces[d->interface_count++] = i;
    status = uv_udp_bind(&i->udp, (const struct sockaddr *)&at, 0);
    if (status == 0)
        status = uv_udp_set_broadcast(&i->udp, 1);
    if (status == 0)
        status = uv_udp_recv_start(&i->udp, on_alloc, on_receive);
    if (status != 0) {
        log_debug("interface left out addr=%s reason=%s", text.host, uv_strerror(status));
        interface_close(d, d->interface_count - 1);
        return false;
    }
    log_debug("interface up addr=%s", text.host);
    return true;
}

/* With a listening address in agent.conf, only its own network hears of us. */
static bool is_wanted(const struct discovery *d, const uv_interface_address_t *a)
{
    const char *host = d->agent->config.listen.host;
    struct sockaddr_in chosen;

    if (a->address.address4.sin_family != AF_INET)
        return false;
    if (host[0] == '\0' || strcmp(host, "0.0.0.0") == 0)
        return true;
    return uv_ip4_addr(host, 0, &chosen) == 0 &&
           chosen.sin_addr.s_addr == a->address.address4.sin_addr.s_addr;
}

/* True when it is a new one. */
static bool interface_seen(struct discovery *d, const uv_interface_address_t *a)
{
    uint32_t ip = a->address.address4.sin_addr.s_addr;
    uint32_t mask = a->netmask.netmask4.sin_addr.s_addr;
    uint32_t i;

    if (!is_wanted(d, a) || mask == UINT32_MAX)
        return false;
    for (i = 0; i < d->interface_count; i++) {
        struct interface *f = d->interfaces[i];

        if (f->ip == ip && f->mask == mask) {
            f->present = true;
            return false;
        }
    }
    return d->interface_count < INTERFACES_MAX && interface_open(d, ip, mask);
}

/* Cables are plugged and pulled. */
static void look_at_interfaces(struct discovery *d)
{
    uv_interface_address_t *list;
    bool fresh = false;
    uint32_t i;
    int n, k;

    if (uv_interface_addresses(&list, &n) != 0)
        return;
    for (i = 0; i < d->interface_count; i++)
        d->interfaces[i]->present = false;
    for (k = 0; k < n; k++)
        fresh = interface_seen(d, &list[k]) || fresh;
    uv_free_interface_addresses(list, n);
    for (i = d->interface_count; i > 0; i--)
        if (!d->interfaces[i - 1]->present)
            interface_close(d, i - 1);
    if (fresh) {
        d->fast = 0;
        d->beacon_ms = now_of(d);
    }
}

/* ---- time ---- */

static void on_listener_closed(uv_handle_t *handle)
{
    struct discovery *d = handle->data;

    d->listener_open = false;
    release(handle);
}

static void try_listen(struct discovery *d)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    int status;

    at.sin_port = htons((uint16_t)d->agent->config.discovery_port);
    status = uv_udp_init(d->agent->loop, &d->listener);
    assert(status == 0);
    d->listener.data = d;
    d->listener_open = true;
    d->handles++;
    status = uv_udp_bind(&d->listener, (const struct sockaddr *)&at, UV_UDP_REUSEADDR);
    if (status == 0)
        status = uv_udp_recv_start(&d->listener, on_alloc, on_receive);
    d->listening = status == 0;
    if (d->listening) {
        warning_clear(&d->agent->warnings, WARNING_DISCOVERY);
        return;
    }
    uv_close((uv_handle_t *)&d->listener, on_listener_closed);
    warning_set(&d->agent->warnings, WARNING_DISCOVERY, agent_wall_ms(d->agent),
                "cannot hear other PCs on UDP port %u: %s",
                (unsigned)d->agent->config.discovery_port, uv_strerror(status));
}

static uint32_t next_beacon_ms(struct discovery *d)
{
    uint32_t random;

    if (d->fast + 1 < COUNT_OF(fast_ms)) {
        d->fast++;
        return fast_ms[d->fast] - fast_ms[d->fast - 1];
    }
    random_fill(&random, sizeof random);
    return SLOW_MS - 5000 + random % 10000;
}

static void on_timer(uv_timer_t *timer)
{
    struct discovery *d = timer->data;
    uint64_t now = now_of(d), next;

    if (d->stopping)
        return;
    if (now >= d->look_ms) {
        look_at_interfaces(d);
        if (!d->listener_open)
            try_listen(d);
        d->look_ms = now + LOOK_MS;
    }
    if (now >= d->beacon_ms) {
        say_all(d, BEACON_HERE);
        d->beacon_ms = now + next_beacon_ms(d);
    }
    next = d->beacon_ms < d->look_ms ? d->beacon_ms : d->look_ms;
    uv_timer_start(&d->timer, on_timer, next > now ? next - now : 0, 0);
}

void discovery_met(struct discovery *d, const struct site_id *site, uint64_t wall_ms)
{
    if (d == NULL)
        return;
    ear_met(&d->ear, site, wall_ms, now_of(d));
    ear_met(&d->old_ear, site, wall_ms, now_of(d));
}

void discovery_announce(struct discovery *d)
{
    if (d == NULL || d->stopping)
        return;
    d->fast = 0;
    d->beacon_ms = now_of(d);
    uv_timer_start(&d->timer, on_timer, 0, 0);
}

struct discovery *discovery_start(struct agent *a)
{
    struct discovery *d;

    if (!a->config.discovery)
        return NULL;
    d = mem_alloc(sizeof *d);
    d->agent = a;
    d->in.discovery = d;
    uv_timer_init(a->loop, &d->timer);
    uv_timer_init(a->loop, &d->pause);
    d->timer.data = d->pause.data = d;
    d->handles = 2;
    uv_timer_start(&d->timer, on_timer, 0, 0);
    return d;
}

void discovery_stop(struct discovery *d)
{
    uint32_t i;

    if (d == NULL || d->stopping)
        return;
    say_all(d, BEACON_LEAVING);
    d->stopping = true;
    for (i = d->interface_count; i > 0; i--)
        interface_close(d, i - 1);
    if (d->listener_open && !uv_is_closing((uv_handle_t *)&d->listener))
        uv_close((uv_handle_t *)&d->listener, on_listener_closed);
    uv_close((uv_handle_t *)&d->timer, release);
    uv_close((uv_handle_t *)&d->pause, release);
}
