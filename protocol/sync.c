/* Each event has a function on_*, which takes in what happened; then sync_plan says what follows.
 */
#include <navette/sync.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <navette/hlc.h>
#include "sync_plan.h"

struct sync_stage {
    struct actor actor;
};

static const uint8_t unknown_hash[HASH_BYTES];

static bool hash_known(const uint8_t hash[HASH_BYTES])
{
    return memcmp(hash, unknown_hash, HASH_BYTES) != 0;
}

static bool hash_differs(const uint8_t a[HASH_BYTES], const uint8_t b[HASH_BYTES])
{
    return memcmp(a, b, HASH_BYTES) != 0;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void send(struct sync_turn *t, const struct message *m)
{
    message_write(&t->out->send, m);
}

/* ---- what the peer tells ---- */

/* Of a chain of our own site it is the store that finds out, by our own signature. Whose own site
 * the peer is gets what it made last: nobody else can tell it that it went back. Others are warned.
 */
static void fork_seen(struct sync_turn *t, struct sync_chain *c)
{
    struct site_id author = actor_site(&c->actor);

    if (c->forked || c->own)
        return;
    c->forked = true;
    c->give_back = site_equal(&author, &t->s->peer);
    if (c->give_back)
        return;
    t->out->fork = true;
    t->out->fork_actor = c->actor;
}

bool sync_peer_has(struct sync_turn *t, const struct vector_entry *theirs)
{
    struct sync *s = t->s;
    const struct vector_entry *ours = vector_find(s->have, &theirs->actor);
    uint32_t under_way = s->window.n;
    struct sync_chain *c;

    if (theirs->number > vector_get(&s->peer_have, &theirs->actor) &&
        !vector_set(&s->peer_have, &theirs->actor, theirs->number, theirs->hash))
        return err_set(t->e, ERR_LIMIT, "peer knows more than %u actors", ACTORS_MAX);
    c = sync_chain_of(s, &theirs->actor);
    sync_window_take(&s->window, &theirs->actor, theirs->number);
    if (s->window.n < under_way)
        s->window_ms = t->ev->now_ms;
    if (ours != NULL && ours->number == theirs->number && hash_known(ours->hash) &&
        hash_known(theirs->hash) && hash_differs(ours->hash, theirs->hash))
        fork_seen(t, c);
    return true;
}

static bool take_vectors(struct sync_turn *t, const struct vector *have,
                         const struct vector *applied)
{
    struct sync *s = t->s;

    for (uint32_t i = 0; i < have->n; i++) {
        const struct vector_entry *theirs = &have->entries[i];
        uint64_t before = vector_get(&s->peer_have, &theirs->actor);

        if (theirs->number < before)
            return err_set(t->e, ERR_INPUT, "HAVE goes back from %llu to %llu",
                           (unsigned long long)before, (unsigned long long)theirs->number);
        if (!sync_peer_has(t, theirs))
            return false;
    }
    for (uint32_t i = 0; i < applied->n; i++) {
        const struct vector_entry *theirs = &applied->entries[i];

        if (!vector_set(&s->peer_applied, &theirs->actor, theirs->number, theirs->hash))
            return err_set(t->e, ERR_LIMIT, "peer applied more than %u actors", ACTORS_MAX);
    }
    return true;
}

static void take_wall(struct sync_turn *t, uint64_t peer_wall_ms)
{
    uint64_t theirs = peer_wall_ms < HLC_WALL_MS_MAX ? peer_wall_ms : HLC_WALL_MS_MAX;

    t->s->skew_ms = (int64_t)(theirs + t->s->rtt_ms / 2) - (int64_t)t->ev->wall_ms;
}

/* ---- messages ---- */

static bool on_hello(struct sync_turn *t, const struct message_hello *m)
{
    struct sync *s = t->s;
    struct site_id site = actor_site(&m->actor);

    if (s->state != SYNC_GREETING)
        return err_set(t->e, ERR_INPUT, "a second HELLO");
    if (m->protocol != SYNC_PROTOCOL)
        return err_set(t->e, ERR_REFUSED,
                       "peer speaks protocol %llu, we speak %u: update the older program",
                       (unsigned long long)m->protocol, SYNC_PROTOCOL);
    if (!site_equal(&site, &s->peer))
        return err_set(t->e, ERR_INPUT, "HELLO of another site than the channel's");
    s->peer_actor = m->actor;
    memcpy(s->peer_roster, m->roster_digest, sizeof s->peer_roster);
    take_wall(t, m->wall_ms);
    if (!take_vectors(t, &m->have, &m->applied))
        return false;
    s->state = SYNC_OPEN;
    sync_claims_author(s->claims, &m->actor, s->link);
    sync_send_ping(t);
    return true;
}

static bool on_roster(struct sync_turn *t, const struct message_roster *m)
{
    bool differs = hash_differs(m->digest, t->ev->roster_digest);
    bool stays = !hash_differs(m->digest, t->s->peer_roster); /* else it took what we had then */

    memcpy(t->s->peer_roster, m->digest, sizeof t->s->peer_roster);
    if (differs)
        t->out->roster = m->log;
    if (differs && stays && m->log.n == 0) {
        t->s->apart = true;
        memset(t->s->known_hash, 0, sizeof t->s->known_hash); /* it has not taken what it got */
    }
    return true;
}

static bool on_have(struct sync_turn *t, const struct message_have *m)
{
    t->unmoved = m->have.n == 0 && m->applied.n == 0;
    return take_vectors(t, &m->have, &m->applied);
}

static bool on_want(struct sync_turn *t, const struct message_want *m)
{
    struct sync *s = t->s;
    uint64_t have = vector_get(s->have, &m->actor);
    uint64_t acknowledged = vector_get(&s->peer_have, &m->actor);
    struct site_id author = actor_site(&m->actor);
    struct sync_chain *c;

    if (m->after < acknowledged && !site_equal(&author, &s->peer))
        return err_set(t->e, ERR_INPUT, "WANT after %llu of what was acknowledged up to %llu",
                       (unsigned long long)m->after, (unsigned long long)acknowledged);
    if (m->after < acknowledged) { /* its own: it went back, and has less than it told */
        (void)vector_set(&s->peer_have, &m->actor, m->after, NULL);
        sync_chain_of(s, &m->actor)->forked = false;
    }
    if (m->after >= have)
        return true;
    c = sync_chain_of(s, &m->actor);
    c->sending = true;
    c->held = false;
    c->sent = m->after;
    sync_window_take(&s->window, &m->actor, UINT64_MAX);
    return true;
}

uint64_t sync_cursor(const struct sync *s, const struct sync_chain *c, const uint8_t **hash)
{
    const struct vector_entry *ours = vector_find(s->have, &c->actor);
    uint64_t have = ours == NULL ? 0 : ours->number;

    *hash = c->received > have ? c->received_hash : ours == NULL ? unknown_hash : ours->hash;
    return greater(c->received, have);
}

/* Hand a change-set to the store, if it is the next one of its chain. One that comes too early, or
 * again, is dropped: what is missing will be asked for. But what we have signed ourselves is looked
 * at if it comes again: it may be another one than ours. */
static bool stage(struct sync_turn *t, struct slice bytes, const struct changeset_header *h,
                  const struct vector_entry *theirs)
{
    struct sync *s = t->s;
    struct sync_chain *c = sync_chain_of(s, &h->actor);
    const uint8_t *hash;
    uint64_t at = sync_cursor(s, c, &hash);

    if (c->own ? h->number > at + 1 : c->forked || h->number != at + 1)
        return true;
    if (!c->own && hash_known(hash) && hash_differs(h->previous, hash)) {
        fork_seen(t, c);
        return true;
    }
    assert(s->staging < SYNC_STAGING_MAX);
    if (s->stages == NULL)
        s->stages = mem_alloc(SYNC_STAGING_MAX * sizeof *s->stages);
    s->stages[s->staging++].actor = h->actor;
    c->received = greater(c->received, h->number);
    memcpy(c->received_hash, theirs->hash, sizeof c->received_hash);
    t->out->stage = bytes;
    return true;
}

static bool on_changeset(struct sync_turn *t, const struct message_changeset *m)
{
    struct changeset parts;
    struct changeset_header h = {0};
    struct vector_entry theirs;
    bool ok = false;

    if (!changeset_open(&parts, &h, m->bytes, t->e)) {
        err_wrap(t->e, "CHANGESET");
        goto out;
    }
    theirs = (struct vector_entry){.actor = h.actor, .number = h.number};
    changeset_hash(&parts, theirs.hash);
    ok = sync_peer_has(t, &theirs) && stage(t, m->bytes, &h, &theirs);
out:
    changeset_header_close(&h);
    return ok;
}

static bool on_ping(struct sync_turn *t, const struct message_ping *m)
{
    t->unmoved = true;
    take_wall(t, m->wall_ms);
    if (t->ev->queued_bytes >= SYNC_PONG_BYTES)
        return true; /* it has enough to read, or does not read */
    send(t, &(struct message){.kind = MESSAGE_KIND_PONG,
                              .pong = {.token = m->token, .wall_ms = t->ev->wall_ms}});
    return true;
}

static bool on_pong(struct sync_turn *t, const struct message_pong *m)
{
    struct sync *s = t->s;

    t->unmoved = true;
    if (m->token != s->ping_token)
        return true;
    s->rtt_ms = (uint32_t)(t->ev->now_ms - s->ping_ms);
    take_wall(t, m->wall_ms);
    return true;
}

/* The peer's words may reach a log or a screen: nothing but plain characters. */
static void plain(char *out, size_t room, struct slice text)
{
    size_t n = text.n < room ? text.n : room - 1;

    for (size_t i = 0; i < n; i++)
        out[i] = text.p[i] >= ' ' && text.p[i] < 127 ? (char)text.p[i] : '?';
    out[n] = '\0';
}

/* What the shell must know of. */
static enum err_code code_of_bye(const char *word)
{
    static const enum err_code codes[] = {ERR_TWIN, ERR_REVOKED};

    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (strcmp(word, err_code_name(codes[i])) == 0)
            return codes[i];
    return ERR_NET;
}

static bool on_bye(struct sync_turn *t, const struct message_bye *m)
{
    char code[MESSAGE_WORD_BYTES_MAX + 1], text[MESSAGE_TEXT_BYTES_MAX + 1];

    t->s->state = SYNC_CLOSED;
    plain(code, sizeof code, m->code);
    plain(text, sizeof text, m->text);
    return err_set(t->e, code_of_bye(code), "peer closed the link (%s): %s", code, text);
}

static bool on_askkeys(struct sync_turn *t, const struct message_askkeys *m)
{
    t->unmoved = true;
    if (m->bytes >= KEYS_BYTES_MIN)
        t->out->keys_wanted = m->bytes < KEYS_BYTES_MAX ? (size_t)m->bytes : KEYS_BYTES_MAX;
    return true;
}

static bool on_keys(struct sync_turn *t, const struct message_keys *m)
{
    t->unmoved = true;
    t->out->keys = m->keys;
    return true;
}

static bool on_brief(struct sync_turn *t, const struct message_brief *m)
{
    t->unmoved = true;
    t->s->peer_brief = m->wanted;
    return true;
}

static bool on_outline(struct sync_turn *t, const struct message_outline *m)
{
    return sync_on_outline(t, m);
}

static bool on_ask(struct sync_turn *t, const struct message_ask *m)
{
    return sync_on_ask(t, m);
}

static bool on_tell(struct sync_turn *t, const struct message_tell *m)
{
    return sync_on_tell(t, m);
}

/* Who carries the link answers these (Twins); they are no part of the conversation. */
static bool on_askpresence(struct sync_turn *t, const struct message_askpresence *m)
{
    (void)m;
    return err_set(t->e, ERR_INPUT, "ASKPRESENCE in the conversation");
}

static bool on_presence(struct sync_turn *t, const struct message_presence *m)
{
    (void)m;
    return err_set(t->e, ERR_INPUT, "PRESENCE in the conversation");
}

static bool take_message(struct sync_turn *t, const struct message *m)
{
    if (t->s->state != SYNC_OPEN && m->kind != MESSAGE_KIND_HELLO && m->kind != MESSAGE_KIND_BYE)
        return err_set(t->e, ERR_INPUT, "message of kind %llu before HELLO",
                       (unsigned long long)m->kind);
    switch (m->kind) {
#define CASE(number, NAME, name, table)                                                            \
    case number:                                                                                   \
        return on_##name(t, &m->name);
        MESSAGES(CASE)
#undef CASE
    }
    t->unmoved = true;
    return true; /* of a later version, to be skipped */
}

/* ---- events ---- */

static bool on_opened(struct sync_turn *t)
{
    struct sync *s = t->s;
    struct message m = {.kind = MESSAGE_KIND_HELLO};
    struct site_id ours = actor_site(&s->self);

    assert(s->state == SYNC_NEW);
    if (site_equal(&ours, &s->peer))
        return err_set(t->e, ERR_REFUSED, "peer has our own identity: one of two copied agents");
    m.hello.protocol = SYNC_PROTOCOL;
    m.hello.wall_ms = t->ev->wall_ms;
    m.hello.actor = s->self;
    memcpy(m.hello.roster_digest, t->ev->roster_digest, sizeof m.hello.roster_digest);
    memcpy(s->told_roster, t->ev->roster_digest, sizeof s->told_roster);
    if (!s->stranger) {
        m.hello.have = *s->have;
        m.hello.applied = *s->applied;
    }
    send(t, &m);
    for (uint32_t i = 0; i < m.hello.have.n; i++)
        sync_chain_of(s, &s->have->entries[i].actor)->told = s->have->entries[i].number;
    for (uint32_t i = 0; i < m.hello.applied.n; i++)
        sync_chain_of(s, &s->applied->entries[i].actor)->told_applied =
            s->applied->entries[i].number;
    s->opened_ms = s->heard_ms = t->ev->now_ms;
    s->state = SYNC_GREETING;
    return true;
}

static bool on_message(struct sync_turn *t)
{
    struct message m = {0};
    bool ok;

    t->s->heard_ms = t->ev->now_ms;
    ok = message_read(&m, t->ev->bytes, t->e) && take_message(t, &m);
    message_close(&m);
    return ok;
}

/* The next change-set at the front of concatenated ones. */
static bool fetched_next(struct slice *left, struct slice *changeset, struct err *e)
{
    struct reader r = reader_of(*left, e);

    read_array_exact(&r, 3, "change-set");
    read_bin(&r, HEADER_BYTES_MAX, "header");
    read_bin(&r, SIGNATURE_BYTES, "signature");
    read_bin(&r, BODY_BYTES_MAX, "body");
    if (r.failed)
        return err_wrap(e, "fetched from the store");
    *changeset = (struct slice){left->p, left->n - r.left.n};
    *left = r.left;
    return true;
}

static void send_changeset(struct sync_turn *t, struct sync_chain *c, uint64_t number,
                           struct slice one)
{
    send(t, &(struct message){.kind = MESSAGE_KIND_CHANGESET, .changeset = {.bytes = one}});
    if (t->s->window.n == 0)
        t->s->window_ms = t->ev->now_ms;
    sync_window_add(&t->s->window, &c->actor, number, one.n);
    c->sent = number;
    c->blocked_bytes = 0;
    c->told = greater(c->told, number);
}

static bool give_back(struct sync_turn *t, struct sync_chain *c, struct slice left)
{
    struct slice one;

    c->give_back = false;
    if (left.n == 0)
        return true;
    if (!fetched_next(&left, &one, t->e))
        return false;
    send(t, &(struct message){.kind = MESSAGE_KIND_CHANGESET, .changeset = {.bytes = one}});
    return true;
}

/* Meanwhile the peer may have got some from another, asked again from further back, or no longer
 * want any: send what still follows. */
static bool on_fetched(struct sync_turn *t)
{
    struct sync *s = t->s;
    struct sync_chain *c = sync_chains_find(&s->chains, &s->fetch_actor);
    struct slice left = t->ev->bytes, one = {0};
    uint64_t number = s->fetch_after;
    bool outlined = false;

    assert(s->fetching);
    assert(c != NULL);
    s->fetching = false;
    if (c->give_back && number + 1 == vector_get(s->have, &c->actor))
        return give_back(t, c, left);
    if (left.n == 0) {
        c->sending = false;
        c->held = true;
    }
    while (left.n > 0 && c->sending && !c->forked) {
        uint64_t base = greater(c->sent, vector_get(&s->peer_have, &c->actor));

        if (!fetched_next(&left, &one, t->e))
            return false;
        number++;
        if (number <= base)
            continue;
        if (number > base + 1)
            break;
        if (!sync_send_outline(t, c, number, one, &outlined))
            return false;
        if (outlined)
            break;
        if (s->window.n > 0 && s->window.bytes + one.n > SYNC_WINDOW_BYTES) {
            c->blocked_bytes = s->window.bytes;
            break;
        }
        send_changeset(t, c, number, one);
    }
    return true;
}

/* Which answers of the store are about us or the moment, and not the peer's fault. */
static bool may_retry(enum err_code code)
{
    return code == ERR_BUSY || code == ERR_FULL || code == ERR_STORE || code == ERR_GAP ||
           code == ERR_STRANGER || code == ERR_SKEW;
}

static bool on_staged(struct sync_turn *t)
{
    struct sync *s = t->s;
    struct sync_chain *c;

    assert(s->staging > 0);
    c = sync_chain_of(s, &s->stages[0].actor);
    s->staging--;
    memmove(s->stages, s->stages + 1, s->staging * sizeof *s->stages);
    s->staged_since_have++;
    if (t->ev->ok) {
        c->retry_wait_ms = 0;
        if (t->ev->rewound) { /* of what came meanwhile nothing follows what we have now */
            c->rewound = true;
            c->told = vector_get(s->have, &c->actor);
            c->received = 0;
            c->asked = false;
            c->retry_ms = 0;
        }
        return true;
    }
    assert(t->ev->e != NULL);
    if (!may_retry(t->ev->e->code)) {
        *t->e = *t->ev->e;
        return err_wrap(t->e, "change-set refused");
    }
    /* Followers of the failed one fail as well; one wait is enough for all of them. */
    if (t->ev->now_ms >= c->retry_ms)
        sync_back_off(c, t->ev->now_ms);
    c->received = 0;
    c->asked = false;
    return true;
}

/* What could not be made of an outline is asked for again. */
static bool on_rebuilt(struct sync_turn *t)
{
    struct sync_chain *c = sync_chain_of(t->s, t->ev->actor);

    c->asked = false;
    if (t->ev->ok)
        return on_changeset(t, &(struct message_changeset){.bytes = t->ev->bytes});
    assert(t->ev->e != NULL);
    sync_back_off(c, t->ev->now_ms);
    if (may_retry(t->ev->e->code))
        return true;
    *t->e = *t->ev->e;
    return err_wrap(t->e, "change-set in outline refused");
}

static bool on_event(struct sync_turn *t)
{
    switch (t->ev->kind) {
    case SYNC_OPENED:
        return on_opened(t);
    case SYNC_MESSAGE:
        return on_message(t);
    case SYNC_FETCHED:
        return on_fetched(t);
    case SYNC_STAGED:
        return on_staged(t);
    case SYNC_REBUILT:
        return on_rebuilt(t);
    case SYNC_LOCAL:
    case SYNC_TIMEOUT:
        return true;
    }
    return true;
}

/* ---- calls ---- */

void sync_open(struct sync *s, uint64_t link, const struct actor *self, const struct site_id *peer,
               struct sync_claims *claims, const struct vector *have, const struct vector *applied)
{
    *s = (struct sync){
        .link = link,
        .self = *self,
        .peer = *peer,
        .claims = claims,
        .have = have,
        .applied = applied,
    };
}

static void append(struct buf *send, const struct message *m)
{
    if (send->max == 0)
        buf_open(send, SYNC_SEND_BYTES_MAX);
    message_write(send, m);
}

void sync_leave(struct sync *s, const char *code, const char *text, struct buf *send)
{
    struct message m = {.kind = MESSAGE_KIND_BYE};

    if (s->state == SYNC_CLOSED || s->state == SYNC_NEW)
        return;
    s->state = SYNC_CLOSED;
    if (s->claims != NULL)
        sync_claims_leave(s->claims, s->link);
    m.bye.code = slice_text(code);
    m.bye.text = slice_text(text);
    if (m.bye.text.n > MESSAGE_TEXT_BYTES_MAX)
        m.bye.text.n = MESSAGE_TEXT_BYTES_MAX;
    append(send, &m);
}

void sync_leave_roster(struct sync *s, struct buf *send)
{
    struct message m = {.kind = MESSAGE_KIND_ROSTER};

    s->apart = true;
    memcpy(m.roster.digest, s->roster, sizeof m.roster.digest);
    append(send, &m);
}

void sync_ask_keys(struct buf *send)
{
    append(send,
           &(struct message){.kind = MESSAGE_KIND_ASKKEYS, .askkeys = {.bytes = KEYS_BYTES_MAX}});
}

void sync_tell_keys(struct slice keys, struct buf *send)
{
    append(send, &(struct message){.kind = MESSAGE_KIND_KEYS, .keys = {.keys = keys}});
}

void sync_ask(struct sync *s, const struct sync_outline *ask, struct buf *send)
{
    s->asking = true;
    s->ask_token++;
    s->ask_actor = ask->actor;
    s->ask_number = ask->number;
    append(send, &(struct message){.kind = MESSAGE_KIND_ASK,
                                   .ask = {.token = s->ask_token,
                                           .actor = ask->actor,
                                           .number = ask->number,
                                           .what = ask->what,
                                           .picks = ask->picks}});
}

void sync_tell(uint64_t token, struct slice bytes, struct buf *send)
{
    append(send,
           &(struct message){.kind = MESSAGE_KIND_TELL, .tell = {.token = token, .bytes = bytes}});
}

bool sync_step(struct sync *s, const struct sync_event *ev, struct sync_actions *out, struct err *e)
{
    struct sync_turn t = {.s = s, .ev = ev, .out = out, .e = e};
    struct buf send = out->send;
    size_t before = send.n;

    if (s->state == SYNC_CLOSED)
        return err_set(e, ERR_NET, "the link is closed");
    if (send.max == 0)
        buf_open(&send, SYNC_SEND_BYTES_MAX);
    *out = (struct sync_actions){.send = send, .deadline_ms = UINT64_MAX};
    if (!on_event(&t) || !sync_plan(&t)) {
        sync_leave(s, err_code_name(e->code), e->text, &out->send);
        sync_claims_leave(s->claims, s->link);
        s->state = SYNC_CLOSED;
        return false;
    }
    if (out->send.n > before)
        s->sent_ms = ev->now_ms;
    if (s->state == SYNC_OPEN && s->sent_ms + SYNC_PING_MS < out->deadline_ms)
        out->deadline_ms = s->sent_ms + SYNC_PING_MS;
    s->deadline_ms = out->deadline_ms;
    return true;
}

void sync_heard(struct sync *s, uint64_t now_ms, size_t unfinished)
{
    s->heard_ms = now_ms;
    if (unfinished < SYNC_BIG_BYTES)
        return;
    for (uint32_t i = 0; i < s->claims->n; i++) {
        struct sync_claim *claim = &s->claims->claims[i];

        if (claim->link == s->link && !claim->pushed)
            claim->deadline_ms = now_ms + SYNC_CLAIM_MS;
    }
}

void sync_close(struct sync *s)
{
    if (s->claims != NULL)
        sync_claims_leave(s->claims, s->link);
    vector_close(&s->peer_have);
    vector_close(&s->peer_applied);
    sync_chains_close(&s->chains);
    sync_window_close(&s->window);
    free(s->stages);
    *s = (struct sync){.state = SYNC_CLOSED};
}
