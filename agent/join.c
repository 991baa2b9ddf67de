#include "join.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include <navette/beacon.h>
#include <navette/invite.h>
#include <navette/join.h>

#include "agent.h"
#include "discovery.h"
#include "fleet.h"
#include "link.h"
#include "links.h"
#include "log.h"

#define LOOK_EVERY_MS     500
#define ANNOUNCE_EVERY_MS 2000
#define HEARD_MAX         4
#define ATTEMPTS_MAX      (INVITE_ADDRESSES_MAX + HEARD_MAX)

/* All addresses are tried at once: of a member's several, most may lead nowhere, and one that
 * swallows what it gets must not hold up the others. */
struct attempt {
    struct address address;
    struct link *link; /* NULL: not dialled now */
};

struct join {
    struct agent *agent;
    uv_timer_t timer;
    bool stopping;
    bool looking;
    bool lasting; /* the token of `init --join`: no end but an answer */
    struct invite token;
    struct attempt attempts[ATTEMPTS_MAX];
    uint32_t attempt_count, heard_count; /* the token's come first, then those heard */
    uint64_t started_ms, announced_ms;
    struct attempt *asked; /* the one whose link is open: JOIN is sent there, and only there */
    bool reached;          /* there was one, now or before */
    agent_on_joined *on_done;
    void *context;
};

void join_send(struct link *l, const struct join_message *m)
{
    struct buf out = {0};

    buf_open_secret(&out, WELCOME_BYTES_MAX);
    join_message_write(&out, m);
    link_send(l, buf_slice(&out));
    buf_wipe(&out);
}

/* Hang up on every address but `but`, which may be NULL. */
static void hang_up(struct join *j, const struct attempt *but)
{
    uint32_t i;

    for (i = 0; i < j->attempt_count; i++)
        if (&j->attempts[i] != but && j->attempts[i].link != NULL)
            link_close(j->attempts[i].link, NULL);
}

static struct attempt *attempt_of(struct join *j, const struct link *l)
{
    uint32_t i;

    for (i = 0; i < j->attempt_count; i++)
        if (j->attempts[i].link == l)
            return &j->attempts[i];
    return NULL;
}

static void finish(struct join *j, const struct err *e)
{
    agent_on_joined *on_done = j->on_done;
    void *context = j->context;
    struct err clean = {0};

    j->looking = false;
    j->on_done = NULL;
    sodium_memzero(&j->token, sizeof j->token);
    uv_timer_stop(&j->timer);
    hang_up(j, NULL);
    if (j->lasting && e->code != ERR_FULL && !home_join_token_remove(&j->agent->home, &clean))
        log_warn("the token stays behind reason=%s", clean.text);
    if (e->code == ERR_NONE)
        warning_clear(&j->agent->warnings, WARNING_JOIN);
    else if (j->lasting) /* nobody waits for the answer */
        warning_set(&j->agent->warnings, WARNING_JOIN, agent_wall_ms(j->agent), "%s", e->text);
    if (on_done != NULL)
        on_done(context, e);
}

void join_done(struct join *j)
{
    struct err none = {0};

    if (j->looking)
        finish(j, &none);
}

bool join_check_welcome(const struct agent *a, const struct join_message *m,
                        const struct site_id *member, struct roster *r, struct err *e)
{
    if (!roster_load(r, m->roster, e))
        return err_wrap(e, "the fleet's roster");
    if (roster_find(r, &a->keys.site) == NULL)
        return err_set(e, ERR_INPUT, "the roster we were given does not name this PC");
    if (roster_find(r, member) == NULL)
        return err_set(e, ERR_STRANGER,
                       "the roster we were given does not name the PC that gave it");
    return true;
}

static void welcomed(struct join *j, const struct link *l, const struct join_message *m)
{
    struct site_id member = l->channel.peer;
    struct address address = l->address;
    struct roster r = {0};
    struct err e = {0};

    if (join_check_welcome(j->agent, m, &member, &r, &e) &&
        agent_fleet_adopt(j->agent, &r, m->fleet_key, &e)) {
        log_info("joined fleet=%s as=%s", j->agent->roster.fleet_name,
                 roster_find(&j->agent->roster, &j->agent->keys.site)->name);
        links_heard(j->agent->links, &member, &address);
    }
    roster_close(&r);
    finish(j, &e);
}

static bool on_message(struct link *l, struct slice message, struct err *e)
{
    struct join *j = l->user;
    struct join_message m;
    struct err sorry = {0};

    if (!j->looking || !join_message_read(&m, message, e))
        return err_set(e, ERR_INPUT, "not expected");
    if (m.kind == JOIN_WELCOME) {
        welcomed(j, l, &m);
        sodium_memzero(m.fleet_key, sizeof m.fleet_key);
    } else if (m.kind == JOIN_SORRY) {
        err_set(&sorry, ERR_REFUSED, "%s", m.sorry);
        finish(j, &sorry);
    } else {
        return err_set(e, ERR_INPUT, "JOIN where an answer belongs");
    }
    return true;
}

/* The token's key is shown to its maker only: another one may have taken what the maker keeps. */
static void on_open(struct link *l)
{
    struct join *j = l->user;
    struct join_message m = {.kind = JOIN_JOIN};
    struct buf statement;
    struct err e = {0};

    if (!j->looking || j->asked != NULL) {
        link_close(l, NULL);
        return;
    }
    if (!invite_is_of(&j->token, &l->channel.peer)) {
        err_set(&e, ERR_STRANGER, "this is not the PC that made the token");
        link_close(l, &e);
        return;
    }
    j->asked = attempt_of(j, l);
    j->reached = true;
    hang_up(j, j->asked);
    snprintf(m.name, sizeof m.name, "%s", j->agent->config.name);
    memcpy(m.sign_public, j->agent->keys.sign_public, sizeof m.sign_public);
    memcpy(m.exchange_public, j->agent->keys.exchange_public, sizeof m.exchange_public);
    join_statement(&statement, &m, l->channel.session);
    invite_prove(&j->token, buf_slice(&statement), m.proof);
    buf_close(&statement);
    join_send(l, &m);
}

static bool on_heard(struct link *l, struct slice start, size_t bytes, size_t more, struct err *e)
{
    (void)l;
    (void)start;
    (void)more;
    return bytes <= WELCOME_BYTES_MAX ||
           err_set(e, ERR_LIMIT, "an answer of more than %u bytes", WELCOME_BYTES_MAX);
}

static void on_drained(struct link *l)
{
    (void)l;
}

static void on_closed(struct link *l, const struct err *why)
{
    struct join *j = l->user;
    struct attempt *attempt = attempt_of(j, l);
    char text[ADDRESS_TEXT_BYTES];

    if (attempt != NULL)
        attempt->link = NULL;
    if (attempt != NULL && attempt == j->asked)
        j->asked = NULL;
    if (j->looking)
        log_debug("no welcome yet addr=%s reason=%s", address_text(text, &l->address), why->text);
}

static const struct link_events events = {
    .on_open = on_open,
    .on_message = on_message,
    .on_heard = on_heard,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

static void dial(struct join *j, struct attempt *attempt)
{
    struct channel_secret secret = {.mode = CHANNEL_INVITE};
    struct link_owner owner = {&events, j};
    struct invite_lock lock;
    struct err e = {0};

    if (attempt->link != NULL || j->asked != NULL)
        return;
    invite_lock(&lock, &j->token);
    memcpy(secret.psk, lock.psk, sizeof secret.psk);
    memcpy(secret.context, lock.id, sizeof lock.id);
    if (!link_dial(&attempt->link, j->agent, &attempt->address, &secret, owner, &e)) {
        attempt->link = NULL;
        log_debug("no welcome yet addr=%s reason=%s", attempt->address.host, e.text);
    }
    sodium_memzero(&secret, sizeof secret);
    sodium_memzero(&lock, sizeof lock);
}

/* Those that lead nowhere are dialled anew, in case that what was in the way has gone. */
static void dial_all(struct join *j)
{
    uint64_t now = uv_now(j->agent->loop);
    uint32_t i;

    for (i = 0; i < j->attempt_count; i++) {
        struct attempt *attempt = &j->attempts[i];
        uint64_t limit_ms = attempt == j->asked ? 2 * HANDSHAKE_MS_MAX : HANDSHAKE_MS_MAX;

        if (attempt->link != NULL && now - attempt->link->started_ms > limit_ms)
            link_close(attempt->link, NULL);
        dial(j, attempt);
    }
}

/* A stranger gets no byte, so nobody can tell us which of these it is. */
static void give_up(struct join *j)
{
    struct err e = {0};

    if (j->reached)
        err_set(&e, ERR_NET,
                "the PC that made the token answered, then the connection broke: try again");
    else
        err_set(
            &e, ERR_NET,
            "no answer within %u seconds: the token may be used, older than its time or mistyped, "
            "or the PC that made it is off or cannot be reached (firewall: TCP %u, UDP %u)",
            JOIN_MS / 1000, PORT_DEFAULT, DISCOVERY_PORT_DEFAULT);
    finish(j, &e);
}

static void on_timer(uv_timer_t *timer)
{
    struct join *j = timer->data;
    uint64_t now = uv_now(j->agent->loop);

    if (!j->looking)
        return;
    if (!j->lasting && now - j->started_ms >= JOIN_MS) {
        give_up(j);
        return;
    }
    dial_all(j);
    if (now - j->announced_ms >= ANNOUNCE_EVERY_MS) {
        j->announced_ms = now;
        discovery_announce(j->agent->discovery);
    }
}

bool join_beacon_key(const struct join *j, uint8_t key[32])
{
    struct invite_lock lock;

    if (!j->looking)
        return false;
    invite_lock(&lock, &j->token);
    beacon_key(key, lock.psk);
    sodium_memzero(&lock, sizeof lock);
    return true;
}

bool join_is_looking(const struct join *j)
{
    return j->looking;
}

/* The latest ones heard are kept: an address can be wrong, or old. */
static struct attempt *attempt_new(struct join *j, const struct address *address)
{
    uint32_t at = j->token.address_count + j->heard_count++ % HEARD_MAX;
    struct attempt *attempt = &j->attempts[at];

    if (at == j->attempt_count)
        j->attempt_count++;
    else if (attempt->link != NULL)
        link_close(attempt->link, NULL);
    *attempt = (struct attempt){.address = *address};
    return attempt;
}

void join_heard(struct join *j, const struct address *address)
{
    struct attempt *attempt = NULL;
    uint32_t i;

    if (!j->looking || j->asked != NULL)
        return;
    for (i = 0; i < j->attempt_count && attempt == NULL; i++)
        if (address_equal(&j->attempts[i].address, address))
            attempt = &j->attempts[i];
    if (attempt == NULL)
        attempt = attempt_new(j, address);
    dial(j, attempt);
}

static void look(struct join *j, const struct invite *token)
{
    uint32_t i;

    j->token = *token;
    j->looking = true;
    j->reached = false;
    j->attempt_count = j->heard_count = 0;
    j->asked = NULL;
    for (i = 0; i < token->address_count; i++) {
        const struct invite_address *from = &token->addresses[i];
        struct address *to = &j->attempts[j->attempt_count].address;

        j->attempts[j->attempt_count++].link = NULL;
        snprintf(to->host, sizeof to->host, "%u.%u.%u.%u", from->ip[0], from->ip[1], from->ip[2],
                 from->ip[3]);
        to->port = from->port;
    }
    j->started_ms = uv_now(j->agent->loop);
    j->announced_ms = j->started_ms;
    discovery_announce(j->agent->discovery);
    uv_timer_start(&j->timer, on_timer, 0, LOOK_EVERY_MS);
}

bool join_allowed(struct agent *a, struct err *e)
{
    const struct roster_site *self = roster_author(&a->roster, &a->keys.site);
    const char *name = self != NULL ? self->name : a->config.name;

    if (a->in_fleet && self != NULL && self->standing == ROSTER_REVOKED)
        return err_set(
            e, ERR_REFUSED,
            "this PC was shut out of the fleet \"%s\", and its identity is never taken again: stop "
            "the agent, `agent-cli identity reset`, start it, and join with a new token",
            a->roster.fleet_name);
    if (a->in_fleet && agent_others(a) > 0 && (self == NULL || self->standing == ROSTER_MEMBER))
        return err_set(
            e, ERR_REFUSED,
            "this PC is a member of the fleet \"%s\" already, %s: to move it, stop the agent, "
            "`agent-cli identity reset`, start it, and join; if that is to be in the same fleet, "
            "`agent-cli revoke %s` on another PC of it comes before that",
            a->roster.fleet_name, name, name);
    if (a->join->looking && !a->join->lasting)
        return err_set(e, ERR_REFUSED, "joining is under way already: wait for its end");
    return true;
}

bool agent_join(struct agent *a, const char *token, bool copy, agent_on_joined *on_done,
                void *context, struct err *e)
{
    struct join *j = a->join;
    struct invite v = {0};

    if (!join_allowed(a, e) || !invite_parse(&v, token, e)) {
        sodium_memzero(&v, sizeof v);
        return false;
    }
    if (copy && !a->config.copy) {
        a->config.copy = true;
        if (!config_save(&a->config, a->home.conf, e))
            return false;
    }
    hang_up(j, NULL);
    j->lasting = false;
    j->on_done = on_done;
    j->context = context;
    log_info("joining");
    look(j, &v);
    sodium_memzero(&v, sizeof v);
    return true;
}

void agent_join_forget(struct agent *a, void *context)
{
    if (a->join != NULL && a->join->context == context)
        a->join->on_done = NULL;
}

/* `agent-cli init --join TOKEN` left it for us. */
static void take_token(struct join *j)
{
    char text[INVITE_TEXT_BYTES_MAX];
    struct invite v = {0};
    struct err e = {0};

    if (!home_join_token_read(&j->agent->home, text, &e) || text[0] == '\0') {
        if (e.code != ERR_NONE)
            log_warn("no token reason=%s", e.text);
        return;
    }
    j->lasting = true;
    if (fleet_is_member(j->agent) && agent_others(j->agent) > 0) {
        log_info("the token of init has been used");
        finish(j, &e);
    } else if ((j->agent->in_fleet && !join_allowed(j->agent, &e)) || !invite_parse(&v, text, &e)) {
        finish(j, &e);
    } else {
        log_info("joining with the token of init");
        look(j, &v);
    }
    sodium_memzero(text, sizeof text);
    sodium_memzero(&v, sizeof v);
}

/* ---- start and end ---- */

struct join *join_start(struct agent *a)
{
    struct join *j = secret_alloc(sizeof *j);

    j->agent = a;
    a->join = j;
    uv_timer_init(a->loop, &j->timer);
    j->timer.data = j;
    take_token(j);
    return j;
}

static void on_released(uv_handle_t *handle)
{
    struct join *j = handle->data;

    secret_free(j);
}

void join_stop(struct join *j)
{
    struct err e = {0};

    if (j == NULL || j->stopping)
        return;
    j->stopping = true;
    if (j->looking) {
        j->lasting = false; /* the token is for the next run */
        err_set(&e, ERR_NET, "the agent stopped before this PC had joined");
        finish(j, &e);
    }
    uv_close((uv_handle_t *)&j->timer, on_released);
}
