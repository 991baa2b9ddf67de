/* Deciding in one place keeps the two sides of a link in step: who tells, who pushes and who asks
 * depends on what was told in which order, and on nothing else.
 *
 *     We push a chain of our own while the peer has all of it that we told, and then do not tell
 * it. Otherwise we tell (HAVE), and the peer asks (WANT) one of those who told. A chain asked for
 * is sent up to all we have, new ones included, and not told meanwhile.
 *
 * So a peer that was told of a number it did not get knows that nobody is sending it. */
#include "sync_plan.h"

#include <assert.h>
#include <string.h>

static bool digest_differs(const uint8_t a[HASH_BYTES], const uint8_t b[HASH_BYTES])
{
    return memcmp(a, b, HASH_BYTES) != 0;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The step must come again no later than `ms`. */
static void due(struct sync_turn *t, uint64_t ms)
{
    if (ms < t->out->deadline_ms)
        t->out->deadline_ms = ms;
}

static void send(struct sync_turn *t, const struct message *m)
{
    message_write(&t->out->send, m);
}

struct sync_chain *sync_chain_of(struct sync *s, const struct actor *a)
{
    struct sync_chain *c = sync_chains_find(&s->chains, a);
    struct site_id ours;

    if (c != NULL)
        return c;
    ours = actor_site(&s->self);
    c = sync_chains_add(&s->chains, a);
    c->own = actor_is_of(a, &ours);
    return c;
}

void sync_back_off(struct sync_chain *c, uint64_t now_ms)
{
    c->retry_wait_ms = c->retry_wait_ms == 0 ? SYNC_RETRY_MS : c->retry_wait_ms * 2;
    if (c->retry_wait_ms > SYNC_RETRY_MS_MAX)
        c->retry_wait_ms = SYNC_RETRY_MS_MAX;
    c->retry_ms = now_ms + c->retry_wait_ms;
}

void sync_send_ping(struct sync_turn *t)
{
    struct sync *s = t->s;

    s->ping_token++;
    s->ping_ms = t->ev->now_ms;
    send(t, &(struct message){.kind = MESSAGE_KIND_PING,
                              .ping = {.token = s->ping_token, .wall_ms = t->ev->wall_ms}});
}

/* Entries come from a vector of ours, so they fit. */
static void vector_add(struct vector *v, const struct vector_entry *entry)
{
    bool fits = vector_set(v, &entry->actor, entry->number, entry->hash);

    assert(fits);
    (void)fits;
}

/* Of our roster log, what the peer may lack: all, where it begins with something else than what the
 * peer has. */
static struct slice what_is_new(const struct sync *s, struct slice log)
{
    uint8_t hash[HASH_BYTES];

    if (s->known_log > log.n)
        return log;
    hash_bytes(hash, (struct slice){log.p, s->known_log});
    if (digest_differs(hash, s->known_hash))
        return log;
    return (struct slice){log.p + s->known_log, log.n - s->known_log};
}

static void note_known(struct sync *s, struct slice log)
{
    s->known_log = log.n;
    hash_bytes(s->known_hash, log);
    memcpy(s->known_roster, s->roster, sizeof s->known_roster);
}

/* A roster that grew may make a stranger a member: what was refused is asked for again. Of one that
 * the peer has as well it is told the digest, so that it knows. */
static void plan_roster(struct sync_turn *t)
{
    struct sync *s = t->s;
    struct message m = {.kind = MESSAGE_KIND_ROSTER};
    bool whole;

    if (digest_differs(s->roster, t->ev->roster_digest)) {
        memcpy(s->roster, t->ev->roster_digest, sizeof s->roster);
        for (uint32_t i = 0; i < s->chains.n; i++)
            s->chains.chains[i].retry_ms = 0;
    }
    whole = digest_differs(s->roster, s->peer_roster) && digest_differs(s->roster, s->sent_roster);
    s->apart &= digest_differs(s->roster, s->peer_roster);
    if (!digest_differs(s->roster, s->peer_roster) && digest_differs(s->roster, s->known_roster))
        note_known(s, t->ev->roster);
    if (whole) {
        m.roster.log = what_is_new(s, t->ev->roster);
        note_known(s, t->ev->roster);
        memcpy(s->sent_roster, s->roster, sizeof s->sent_roster);
    }
    if (m.roster.log.n == 0 && !digest_differs(s->roster, s->told_roster))
        return;
    memcpy(m.roster.digest, s->roster, sizeof m.roster.digest);
    memcpy(s->told_roster, s->roster, sizeof s->told_roster);
    send(t, &m);
}

/* Push or tell? See the top of this file. True when the peer is to be told. */
static bool plan_chain(struct sync *s, const struct vector_entry *ours)
{
    struct sync_chain *c = sync_chain_of(s, &ours->actor);
    uint64_t theirs = vector_get(&s->peer_have, &ours->actor);
    uint64_t base = greater(c->sent, theirs);

    if (base >= ours->number) {
        c->held = false;
        c->sending = c->own;
    } else if (c->own && !c->held && base >= c->told) {
        c->sending = true;
    }
    return ours->number > c->told && (!c->sending || c->forked || ours->number <= theirs);
}

/* While stages are unanswered the acknowledgement waits, so that one serves many of them. */
static void plan_have(struct sync_turn *t)
{
    struct sync *s = t->s;
    struct message m = {.kind = MESSAGE_KIND_HAVE};
    bool later = s->staging > 0 && s->staged_since_have < SYNC_HAVE_EVERY;

    for (uint32_t i = 0; i < s->have->n; i++) {
        const struct vector_entry *ours = &s->have->entries[i];

        if (!plan_chain(s, ours) || later)
            continue;
        vector_add(&m.have.have, ours);
        sync_chain_of(s, &ours->actor)->told = ours->number;
    }
    for (uint32_t i = 0; i < s->applied->n && !later; i++) {
        const struct vector_entry *ours = &s->applied->entries[i];
        struct sync_chain *c = sync_chain_of(s, &ours->actor);

        if (c->told_applied == ours->number)
            continue;
        vector_add(&m.have.applied, ours);
        c->told_applied = ours->number;
    }
    if (!later)
        s->staged_since_have = 0;
    if (m.have.have.n > 0 || m.have.applied.n > 0)
        send(t, &m);
    message_close(&m);
}

/* Make it ours and ask. */
static void ask(struct sync_turn *t, struct sync_chain *c, uint64_t have, uint64_t after)
{
    uint64_t until_ms = t->ev->now_ms + SYNC_CLAIM_MS;

    sync_claims_take(t->s->claims, &(struct sync_claim){.actor = c->actor,
                                                        .link = t->s->link,
                                                        .seen = have,
                                                        .deadline_ms = until_ms});
    send(t,
         &(struct message){.kind = MESSAGE_KIND_WANT, .want = {.actor = c->actor, .after = after}});
    c->asked = true;
    due(t, until_ms);
}

/* The claim as it stands now: one that moved on lasts longer, and a push that came is done with. */
static struct sync_claim *claim_now(struct sync_turn *t, const struct actor *a, uint64_t have)
{
    struct sync_claim *claim = sync_claims_find(t->s->claims, a);

    if (claim == NULL || have <= claim->seen)
        return claim;
    if (claim->pushed) {
        sync_claims_give(t->s->claims, a);
        return NULL;
    }
    claim->seen = have;
    claim->deadline_ms = t->ev->now_ms + SYNC_CLAIM_MS;
    return claim;
}

/* The author is connected on another link, where what it makes is on its way to us. */
static bool is_pushed(struct sync_turn *t, const struct sync_chain *c, uint64_t have)
{
    struct sync_claim claim = {.actor = c->actor, .seen = have, .pushed = true};

    if (!sync_claims_author_link(t->s->claims, &c->actor, &claim.link) || claim.link == t->s->link)
        return false;
    claim.deadline_ms = t->ev->now_ms + SYNC_CLAIM_MS;
    sync_claims_take(t->s->claims, &claim);
    return true;
}

/* Is a chain asked for on this link, and not all of it here? */
static bool is_served(struct sync *s)
{
    for (uint32_t i = 0; i < s->chains.n; i++) {
        struct sync_chain *c = &s->chains.chains[i];
        const uint8_t *hash;

        if (c->asked && vector_get(&s->peer_have, &c->actor) <= sync_cursor(s, c, &hash))
            c->asked = false;
        if (c->asked)
            return true;
    }
    return false;
}

static void plan_brief(struct sync_turn *t)
{
    struct sync *s = t->s;

    if (s->brief == s->told_brief)
        return;
    s->told_brief = s->brief;
    send(t, &(struct message){.kind = MESSAGE_KIND_BRIEF, .brief = {.wanted = s->brief}});
}

/* The peer has more of this chain than we: is it time to ask, and for this link? */
static bool may_ask(struct sync_turn *t, struct sync_chain *c, const struct sync_claim *claim,
                    uint64_t have)
{
    uint64_t now_ms = t->ev->now_ms;
    bool mine = claim != NULL && claim->link == t->s->link;
    bool expired = claim != NULL && now_ms >= claim->deadline_ms;

    /* An outline takes memory and some questions: one at a time. */
    if (t->s->brief && !c->asked && is_served(t->s)) {
        due(t, now_ms + SYNC_WAIT_MS);
        return false;
    }
    /* We asked and nothing came: others go first. */
    if (c->asked && (!mine || expired)) {
        c->asked = false;
        sync_back_off(c, now_ms);
    }
    if (now_ms < c->retry_ms) {
        due(t, c->retry_ms);
        return false;
    }
    if (claim == NULL ? is_pushed(t, c, have) : !mine && !expired) {
        due(t, now_ms + SYNC_WAIT_MS);
        if (claim != NULL)
            due(t, claim->deadline_ms);
        return false;
    }
    if (c->asked)
        due(t, claim->deadline_ms);
    return !c->asked;
}

static void plan_want(struct sync_turn *t, const struct vector_entry *theirs)
{
    struct sync *s = t->s;
    struct sync_chain *c = sync_chain_of(s, &theirs->actor);
    uint64_t have = vector_get(s->have, &theirs->actor);
    uint64_t at = greater(have, c->received);
    struct sync_claim *claim = claim_now(t, &theirs->actor, have);

    if (c->own && at < c->told && !c->rewound)
        return; /* laid aside: it is wanted of whoever has the other history */
    if (c->rewound && theirs->number > at && !c->asked) {
        if (t->ev->now_ms < c->retry_ms)
            due(t, c->retry_ms);
        else
            ask(t, c, have, at);
        return;
    }
    if (c->forked || theirs->number <= at)
        c->asked = false;
    if (c->forked || theirs->number <= have) {
        if (claim != NULL && claim->link == s->link && !claim->pushed)
            sync_claims_give(s->claims, &theirs->actor);
        return;
    }
    if (theirs->number > at && may_ask(t, c, claim, have))
        ask(t, c, have, at);
}

/* Anything to send of this chain? */
static bool is_wanting(const struct sync *s, const struct sync_chain *c, uint64_t *after)
{
    *after = greater(c->sent, vector_get(&s->peer_have, &c->actor));
    if (c->give_back) {
        *after = vector_get(s->have, &c->actor) - 1;
        return vector_get(s->have, &c->actor) > 0;
    }
    if (c->blocked_bytes > 0 && s->window.n > 0 && s->window.bytes >= c->blocked_bytes)
        return false;
    return c->sending && !c->forked && *after < vector_get(s->have, &c->actor);
}

/* In turn, starting behind the last; our own chains first, because somebody waits for them, but not
 * twice running while others want something. */
static const struct sync_chain *next_wanting(const struct sync *s, uint64_t *after)
{
    uint32_t start = sync_chains_place(&s->chains, &s->fetch_actor) + 1;
    const struct sync_chain *found = NULL;
    bool prefer = !s->fetched_own;

    for (uint32_t i = 0; i < s->chains.n; i++) {
        const struct sync_chain *c = &s->chains.chains[(start + i) % s->chains.n];
        uint64_t from;

        if (!is_wanting(s, c, &from) || (found != NULL && c->own != prefer))
            continue;
        found = c;
        *after = from;
        if (c->own == prefer)
            break;
    }
    return found;
}

/* A peer that keeps another history of a chain never acknowledges it, nor asks for it again: that
 * must not keep everything else from it. Should it want it after all, it will ask. */
static void plan_lost(struct sync_turn *t)
{
    struct sync *s = t->s;
    struct sync_chain *c;

    if (s->window.n == 0)
        return;
    if (t->ev->queued_bytes > 0)
        s->window_ms = t->ev->now_ms;
    if (t->ev->now_ms < s->window_ms + SYNC_LOST_MS) {
        due(t, s->window_ms + SYNC_LOST_MS);
        return;
    }
    while (s->window.n > 0) {
        c = sync_chain_of(s, &s->window.flights[0].actor);
        c->sending = false;
        c->held = true;
        sync_window_take(&s->window, &c->actor, UINT64_MAX);
    }
}

static void plan_fetch(struct sync_turn *t)
{
    struct sync *s = t->s;
    const struct sync_chain *c;
    uint64_t room = SYNC_WINDOW_BYTES;

    if (s->fetching)
        return;
    if (s->window.n > 0 && (s->window.bytes >= room || s->window.n >= SYNC_FLIGHT_MAX))
        return;
    c = next_wanting(s, &s->fetch_after);
    if (c == NULL)
        return;
    if (t->ev->queued_bytes >= SYNC_UNSENT_BYTES) {
        due(t, t->ev->now_ms + SYNC_WAIT_MS);
        return;
    }
    if (s->window.n > 0)
        room -= s->window.bytes;
    s->fetching = true;
    s->fetched_own = c->own;
    s->fetch_actor = c->actor;
    t->out->fetch = true;
    t->out->fetch_actor = c->actor;
    t->out->fetch_after = s->fetch_after;
    t->out->fetch_bytes = room < SYNC_FETCH_BYTES ? (size_t)room : SYNC_FETCH_BYTES;
}

/* When our own loop was held up, what the peer sent meanwhile is still unread: give it time. */
static void forgive_lateness(struct sync_turn *t)
{
    struct sync *s = t->s;
    uint64_t now_ms = t->ev->now_ms;

    if (s->deadline_ms != 0 && now_ms >= s->deadline_ms + SYNC_LATE_MS && now_ms >= SYNC_DEAD_MS)
        s->heard_ms = greater(s->heard_ms, now_ms - SYNC_DEAD_MS + SYNC_LATE_MS);
}

static bool plan_life(struct sync_turn *t)
{
    struct sync *s = t->s;
    uint64_t now_ms = t->ev->now_ms;

    if (s->state == SYNC_GREETING) {
        due(t, s->opened_ms + SYNC_HELLO_MS);
        return now_ms < s->opened_ms + SYNC_HELLO_MS ||
               err_set(t->e, ERR_NET, "no HELLO within %u ms", SYNC_HELLO_MS);
    }
    forgive_lateness(t);
    if (now_ms >= s->heard_ms + SYNC_DEAD_MS)
        return err_set(t->e, ERR_NET, "nothing heard for %u ms", SYNC_DEAD_MS);
    if (now_ms >= s->sent_ms + SYNC_PING_MS)
        sync_send_ping(t);
    due(t, s->heard_ms + SYNC_DEAD_MS);
    return true;
}

static void plan_talk(struct sync_turn *t)
{
    struct sync *s = t->s;

    plan_roster(t);
    if (s->stranger)
        return;
    plan_lost(t);
    plan_brief(t);
    plan_have(t);
    for (uint32_t i = 0; i < s->peer_have.n; i++)
        plan_want(t, &s->peer_have.entries[i]);
    plan_fetch(t);
}

bool sync_plan(struct sync_turn *t)
{
    struct sync *s = t->s;

    if (t->unmoved)
        due(t, s->plan_ms);
    else if (s->state == SYNC_OPEN)
        plan_talk(t);
    s->plan_ms = t->out->deadline_ms;
    if (!plan_life(t))
        return false;
    if (t->out->send.overflow)
        return err_set(t->e, ERR_LIMIT, "more to send than %zu bytes", t->out->send.max);
    return true;
}
