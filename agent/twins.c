#include "twins.h"

#include <string.h>

#include <navette/message.h>

#include "links_inside.h"

#define NOTHING_SENT "so that no two PCs speak under one name, nothing is sent from here"

static bool is_ours(const struct conn *c)
{
    return site_equal(&c->link->channel.peer, &c->links->agent->keys.site);
}

static void say(struct conn *c, const struct message *m)
{
    struct buf send;

    buf_open(&send, 4096);
    message_write(&send, m);
    link_send_all(c->link, buf_slice(&send));
    buf_close(&send);
}

static void say_bye(struct conn *c, const struct err *why)
{
    say(c, &(struct message){.kind = MESSAGE_KIND_BYE,
                             .bye = {.code = slice_text(err_code_name(why->code)),
                                     .text = slice_text(why->text)}});
}

/* ---- ourselves ---- */

static bool is_known_session(const struct self_dials *d, const uint8_t session[32])
{
    for (uint32_t i = 0; i < SELF_DIALS_MAX && i < d->n; i++)
        if (memcmp(d->sessions[i], session, sizeof d->sessions[i]) == 0)
            return true;
    return false;
}

static void doubt_for(struct conn *c)
{
    char text[ADDRESS_TEXT_BYTES];

    agent_doubt(
        c->links->agent,
        "the PC at %s has the identity of this one: one is a copy of the other; " NOTHING_SENT,
        address_text(text, &c->link->address));
}

void twins_met(struct links *l, struct conn *c)
{
    struct self_dials *d = &l->self_dials;
    struct err e = {0};

    if (!c->link->incoming) {
        /* What answers will tell: ourselves, by closing, or a twin with a BYE. */
        memcpy(d->sessions[d->n++ % SELF_DIALS_MAX], c->link->channel.session, 32);
        places_opened(&l->places, &c->link->address, &c->link->channel.peer, true);
        return;
    }
    if (is_known_session(d, c->link->channel.session)) {
        err_set(&e, ERR_REFUSED, "that is this PC itself");
    } else {
        err_set(&e, ERR_TWIN, "two PCs have this identity");
        say_bye(c, &e);
        doubt_for(c);
    }
    link_close(c->link, &e);
}

/* ---- presence ---- */

#define PRESENCE_CONTEXT "navette presence 1"

/* What is signed: which link, and which process says so. */
struct presence {
    uint8_t bytes[64];
};

static struct presence presence_of(const uint8_t session[32], const uint8_t run[32])
{
    struct presence p;

    memcpy(p.bytes, session, 32);
    memcpy(p.bytes + 32, run, 32);
    return p;
}

static void say_presence(struct conn *c, const struct presence *p, const uint8_t signature[64])
{
    struct message m = {.kind = MESSAGE_KIND_PRESENCE,
                        .presence = {.signature = {signature, SIGNATURE_BYTES}}};

    memcpy(m.presence.session, p->bytes, sizeof m.presence.session);
    memcpy(m.presence.run, p->bytes + 32, sizeof m.presence.run);
    say(c, &m);
}

static void sign_presence(struct conn *c, const struct message_askpresence *m)
{
    const struct agent *a = c->links->agent;
    struct presence p = presence_of(m->session, a->run);
    uint8_t signature[SIGNATURE_BYTES];

    if (link_queued(c->link) >= SYNC_PONG_BYTES)
        return; /* as with a PING: it has enough to read, or does not read */
    keys_sign(&a->keys, PRESENCE_CONTEXT, SLICE(p.bytes), signature);
    say_presence(c, &p, signature);
}

static bool is_signed(const struct message_presence *m, const uint8_t sign_public[32])
{
    struct presence p = presence_of(m->session, m->run);
    struct err ignored = {0};

    return keys_verify(sign_public, PRESENCE_CONTEXT, SLICE(p.bytes), m->signature.p, &ignored);
}

/* Somebody else signed the session of this very link with our key. */
static bool proves_a_twin(const struct conn *c, const struct message_presence *m)
{
    const struct agent *a = c->links->agent;

    return memcmp(m->session, c->link->channel.session, sizeof m->session) == 0 &&
           memcmp(m->run, a->run, sizeof m->run) != 0 && is_signed(m, a->keys.sign_public);
}

static bool is_twins_bye(struct slice message)
{
    struct message m;
    struct err ignored = {0};
    bool is = message_read(&m, message, &ignored) && m.kind == MESSAGE_KIND_BYE &&
              slice_equal(m.bye.code, slice_text(err_code_name(ERR_TWIN)));

    message_close(&m);
    return is;
}

/* ---- a third PC ---- */

static struct conn *waiting_for(const struct links *l, const struct site_id *site)
{
    for (uint32_t i = 0; i < l->n; i++) {
        struct conn *c = l->conns[i];

        if (!c->dead && c->rival.waits && site_equal(&c->link->channel.peer, site))
            return c;
    }
    return NULL;
}

static void replace(struct conn *c)
{
    struct err e = {0};

    err_set(&e, ERR_NET, "another link to the same PC took its place");
    link_close(c->link, &e);
}

/* None that the conversation itself, which counts from 1, would use; integers have 63 bits. */
static uint64_t new_token(void)
{
    uint64_t token;

    random_fill(&token, sizeof token);
    return token >> 1 | UINT64_C(1) << 62;
}

void twins_compare(struct links *l, struct conn *present, struct conn *fresh)
{
    struct conn *other = waiting_for(l, &fresh->link->channel.peer);

    if (other != NULL)
        replace(other);
    fresh->rival.waits = true;
    fresh->rival.until_ms = now_of(l) + TWINS_WAIT_MS;
    links_tick_by(l, fresh->rival.until_ms);
    if (present->rival.token == 0)
        present->rival.token = new_token();
    say(present, &(struct message){
                     .kind = MESSAGE_KIND_PING,
                     .ping = {.token = present->rival.token, .wall_ms = agent_wall_ms(l->agent)}});
}

static void tell_twice(struct links *l, struct conn *one, struct conn *two)
{
    struct agent *a = l->agent;
    char first[ADDRESS_TEXT_BYTES], second[ADDRESS_TEXT_BYTES];

    a->twice = one->link->channel.peer;
    warning_set(&a->warnings, WARNING_TWICE, agent_wall_ms(a),
                "two PCs say that they are %s, from %s and %s: one is a copy of the other, and "
                "neither is listened to",
                links_name_of(l, &a->twice), address_text(first, &one->link->address),
                address_text(second, &two->link->address));
}

static bool is_answer(const struct conn *c, struct slice message)
{
    struct message m;
    struct err ignored = {0};
    bool is;

    if (c->rival.token == 0 || !message_is(message, MESSAGE_KIND_PONG))
        return false;
    is = message_read(&m, message, &ignored) && m.kind == MESSAGE_KIND_PONG &&
         m.pong.token == c->rival.token;
    message_close(&m);
    return is;
}

static void ask_presence(struct conn *c, const struct conn *other)
{
    struct message m = {.kind = MESSAGE_KIND_ASKPRESENCE};

    memcpy(m.askpresence.session, other->link->channel.session, sizeof m.askpresence.session);
    say(c, &m);
}

/* The one that stands lives: is it another than the one that waits? */
static void hear_answer(struct conn *c)
{
    struct conn *fresh = waiting_for(c->links, &c->link->channel.peer);

    c->rival.token = 0;
    if (fresh == NULL)
        return;
    c->rival.present = fresh->rival.present = false;
    fresh->rival.answers = true;
    fresh->rival.until_ms = now_of(c->links) + TWINS_WAIT_MS;
    links_tick_by(c->links, fresh->rival.until_ms);
    ask_presence(c, fresh);
    ask_presence(fresh, c);
}

/* What the other one signed, and goodbye. */
static void part(struct conn *c, const struct conn *other, const struct err *why)
{
    struct presence p = presence_of(c->link->channel.session, other->rival.run);

    say_presence(c, &p, other->rival.signature);
    say_bye(c, why);
}

static void two_are_present(struct links *l, struct conn *present, struct conn *fresh)
{
    struct err e = {0};

    if (memcmp(present->rival.run, fresh->rival.run, sizeof fresh->rival.run) == 0) {
        replace(fresh); /* one process, which has dialled twice */
        return;
    }
    tell_twice(l, present, fresh);
    err_set(&e, ERR_TWIN, "two PCs speak under this identity at once");
    part(present, fresh, &e);
    part(fresh, present, &e);
    link_close(present->link, &e);
    link_close(fresh->link, &e);
}

static void take_answer(struct conn *c, const struct message_presence *m)
{
    struct links *l = c->links;
    const struct site_id *site = &c->link->channel.peer;
    struct conn *present = links_conn_of(l, site), *fresh = waiting_for(l, site);
    struct conn *other = c == fresh ? present : fresh;

    if (present == NULL || fresh == NULL || (c != present && c != fresh) ||
        memcmp(m->session, other->link->channel.session, sizeof m->session) != 0 ||
        !is_signed(m, c->link->channel.peer_sign_public))
        return;
    memcpy(c->rival.run, m->run, sizeof c->rival.run);
    memcpy(c->rival.signature, m->signature.p, sizeof c->rival.signature);
    c->rival.present = true;
    if (other->rival.present)
        two_are_present(l, present, fresh);
}

static void take_presence(struct conn *c, const struct message_presence *m)
{
    if (!proves_a_twin(c, m)) {
        take_answer(c, m);
        return;
    }
    agent_doubt(
        c->links->agent,
        "%s has two links with PCs of this identity: one is a copy of the other; " NOTHING_SENT,
        links_name_of(c->links, &c->link->channel.peer));
}

static bool hear_presence(struct conn *c, struct slice message)
{
    struct message m;
    struct err ignored = {0};
    bool is = message_read(&m, message, &ignored);

    if (is && m.kind == MESSAGE_KIND_ASKPRESENCE)
        sign_presence(c, &m.askpresence);
    else if (is && m.kind == MESSAGE_KIND_PRESENCE)
        take_presence(c, &m.presence);
    message_close(&m);
    return is;
}

bool twins_message(struct conn *c, struct slice message, struct err *e)
{
    if (c->rival.waits && message_is(message, MESSAGE_KIND_PRESENCE) && hear_presence(c, message))
        return true;
    if (c->rival.waits && c->rival.early.n == 0 && message.n > 0) {
        buf_open(&c->rival.early, message.n);
        buf_add(&c->rival.early, message.p, message.n);
        return true;
    }
    if (is_ours(c) && !c->link->incoming && is_twins_bye(message)) {
        doubt_for(c);
        return err_set(e, ERR_TWIN, "two PCs have this identity");
    }
    return err_set(e, ERR_INPUT, "a message before the conversation began");
}

bool twins_heard(struct conn *c, struct slice message)
{
    if (is_answer(c, message))
        hear_answer(c);
    else if (message_is(message, MESSAGE_KIND_ASKPRESENCE) ||
             message_is(message, MESSAGE_KIND_PRESENCE))
        return hear_presence(c, message);
    return false;
}

void twins_tick(struct links *l, struct conn *c, uint64_t *wake_ms)
{
    struct conn *present = links_conn_of(l, &c->link->channel.peer);
    struct slice early;
    struct err e = {0};

    if (present != NULL && now_of(l) < c->rival.until_ms) {
        *wake_ms = c->rival.until_ms < *wake_ms ? c->rival.until_ms : *wake_ms;
        return;
    }
    if (present != NULL && c->rival.answers) {
        replace(c);
        return;
    }
    if (present != NULL)
        replace(present);
    c->rival.waits = false;
    links_talk_with(c);
    early = buf_slice(&c->rival.early);
    if (is_open(c) && early.n > 0) {
        if (talk_message(&c->talk, early, &e))
            talk_pause(&c->talk);
        else
            link_close(c->link, &e);
    }
    buf_close(&c->rival.early);
}
