/* Change-sets in outline: who wants them, who sends them, and the questions about them. An outline
 * ends what was being sent of its chain: the receiver asks with WANT for what follows, once it has
 * made the change-set whole, or for the same one when it could not. */
#include <navette/outline.h>

#include "sync_plan.h"

/* It takes little to ask for an outline, and much to make one: whoever makes nothing of them gets
 * the change-sets whole, of which the window lets no more go out than are acknowledged. */
static bool may_outline(const struct sync *s, struct sync_chain *c)
{
    uint64_t theirs = vector_get(&s->peer_have, &c->actor);

    if (theirs > c->outlines_after) {
        c->outlines_after = theirs;
        c->outlines = 0;
    }
    return c->outlines < SYNC_OUTLINES_MAX;
}

bool sync_send_outline(struct sync_turn *t, struct sync_chain *c, uint64_t number,
                       struct slice changeset, bool *sent)
{
    struct message m = {.kind = MESSAGE_KIND_OUTLINE};
    struct changeset parts;
    struct buf outline;
    bool ok;

    *sent = false;
    if (!t->s->peer_brief || !may_outline(t->s, c))
        return true;
    buf_open(&outline, BODY_BYTES_MAX);
    ok = changeset_split(&parts, changeset, t->e) && outline_write(&outline, parts.body, t->e);
    if (!ok)
        err_wrap(t->e, "fetched from the store");
    *sent = ok && outline.n > 0 && !outline.overflow;
    if (*sent) {
        m.outline.header = parts.header;
        m.outline.signature = (struct slice){parts.signature, SIGNATURE_BYTES};
        m.outline.outline = buf_slice(&outline);
        message_write(&t->out->send, &m);
        c->sending = false;
        c->held = true;
        c->outlined = number;
        c->outlines++;
        c->asks = 0;
        if (c->told < number)
            c->told = number;
    }
    buf_close(&outline);
    return ok;
}

/* Nobody else shall ask for this chain meanwhile. False: somebody else does. */
static bool take_claim(struct sync_turn *t, const struct actor *a)
{
    struct sync *s = t->s;
    const struct sync_claim *claim = sync_claims_find(s->claims, a);

    if (claim != NULL && claim->link != s->link && !claim->pushed &&
        t->ev->now_ms < claim->deadline_ms)
        return false;
    sync_claims_take(s->claims, &(struct sync_claim){.actor = *a,
                                                     .link = s->link,
                                                     .seen = vector_get(s->have, a),
                                                     .deadline_ms = t->ev->now_ms + SYNC_CLAIM_MS});
    return true;
}

bool sync_on_outline(struct sync_turn *t, const struct message_outline *m)
{
    struct sync *s = t->s;
    struct changeset parts = {.header = m->header, .signature = m->signature.p};
    struct changeset_header h = {0};
    struct vector_entry theirs;
    struct sync_chain *c;
    const uint8_t *hash;
    bool ok = changeset_header_read(&h, m->header, t->e) || err_wrap(t->e, "OUTLINE");

    theirs = (struct vector_entry){.actor = h.actor, .number = h.number};
    changeset_hash(&parts, theirs.hash);
    changeset_header_close(&h);
    if (!ok || !sync_peer_has(t, &theirs))
        return false;
    c = sync_chain_of(s, &theirs.actor);
    c->asked = false;
    if (!s->brief || s->stranger || c->forked || theirs.number != sync_cursor(s, c, &hash) + 1 ||
        !take_claim(t, &theirs.actor))
        return true;
    c->asked = true;
    s->asking = false;
    t->out->outline = (struct sync_outline){.actor = theirs.actor,
                                            .number = theirs.number,
                                            .header = m->header,
                                            .signature = m->signature.p,
                                            .outline = m->outline};
    return true;
}

bool sync_on_ask(struct sync_turn *t, const struct message_ask *m)
{
    struct sync_chain *c = sync_chains_find(&t->s->chains, &m->actor);

    t->unmoved = true;
    if (t->s->stranger)
        return true;
    if (c == NULL || c->outlined != m->number || m->number == 0 || c->asks == OUTLINE_ASKS_MAX ||
        m->what < OUTLINE_MARKS || m->what > OUTLINE_NAMES)
        return err_set(t->e, ERR_INPUT, "ASK of a change-set that was not told in outline");
    c->asks++;
    t->out->ask = (struct sync_outline){.token = m->token,
                                        .actor = m->actor,
                                        .number = m->number,
                                        .what = m->what,
                                        .picks = m->picks};
    return true;
}

bool sync_on_tell(struct sync_turn *t, const struct message_tell *m)
{
    struct sync *s = t->s;
    struct sync_claim *claim = sync_claims_find(s->claims, &s->ask_actor);

    t->unmoved = true;
    if (!s->asking || m->token != s->ask_token)
        return true; /* about an outline that another one has taken the place of */
    s->asking = false;
    if (claim != NULL && claim->link == s->link && !claim->pushed)
        claim->deadline_ms = t->ev->now_ms + SYNC_CLAIM_MS;
    t->out->tell =
        (struct sync_outline){.actor = s->ask_actor, .number = s->ask_number, .bytes = m->bytes};
    return true;
}
