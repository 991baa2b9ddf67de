#include "renew.h"

#include <string.h>

#include "links_inside.h"

/* ---- when ---- */

void renewal_begin(struct renewal *r, uint64_t now_ms, uint64_t period_ms, uint32_t random)
{
    uint64_t eighth = period_ms / 8;

    *r = (struct renewal){
        .due_ms = now_ms + 6 * eighth + random % (eighth + 1),
        .limit_ms = now_ms + period_ms,
    };
}

void renewal_hurry(struct renewal *r, uint64_t now_ms, uint32_t members, uint32_t random)
{
    uint64_t due_ms = now_ms + random % ((uint64_t)members * RENEW_SPREAD_MS + 1);

    if (r->hurried || r->due_ms <= due_ms)
        return;
    r->hurried = true;
    r->due_ms = due_ms;
    if (r->limit_ms > due_ms + RENEW_PATIENCE_MS)
        r->limit_ms = due_ms + RENEW_PATIENCE_MS;
}

bool renewal_is_due(const struct renewal *r, uint64_t now_ms, bool quiet)
{
    return !r->under_way && r->due_ms != 0 && now_ms >= r->due_ms &&
           (quiet || now_ms >= r->limit_ms);
}

void renewal_failed(struct renewal *r, uint64_t now_ms, uint32_t random)
{
    r->under_way = false;
    r->due_ms = now_ms + RENEW_RETRY_MS + random % RENEW_RETRY_MS;
}

/* ---- the roster ---- */

/* Who is a member, with which key, and the key of the fleet that we have. */
static void membership(const struct links *l, uint8_t out[HASH_BYTES])
{
    const struct agent *a = l->agent;
    struct buf all;

    buf_open_secret(&all, KEY_BYTES + (SITES_MAX + 1) * (SITE_ID_BYTES + KEY_BYTES));
    buf_add(&all, a->fleet_keys.keys[0], KEY_BYTES);
    for (uint32_t i = 0; i < a->roster.site_count; i++) {
        buf_add(&all, a->roster.sites[i].site.bytes, SITE_ID_BYTES);
        buf_add(&all, a->roster.sites[i].exchange_public, KEY_BYTES);
    }
    hash_bytes(out, buf_slice(&all));
    buf_close(&all);
}

void renew_roster_changed(struct links *l)
{
    uint8_t now[HASH_BYTES];

    membership(l, now);
    for (uint32_t i = 0; i < l->n; i++) {
        struct conn *c = l->conns[i];

        if (!is_open(c) || memcmp(c->membership, now, sizeof now) == 0)
            continue;
        renewal_hurry(&c->renewal, now_of(l), l->agent->roster.site_count, links_random());
        links_tick_by(l, c->renewal.due_ms);
    }
}

/* ---- links ---- */

void renew_opened(struct conn *c)
{
    struct links *l = c->links;

    c->renews = false;
    membership(l, c->membership);
    renewal_begin(&c->renewal, now_of(l), (uint64_t)l->agent->config.renew_s * 1000,
                  links_random());
    links_tick_by(l, c->renewal.due_ms);
}

/* Nothing would have to be said again. */
static bool is_quiet(const struct conn *c)
{
    const struct talk *t = &c->talk;

    return talk_is_open(t) && talk_is_idle(t) && link_queued(c->link) == 0 &&
           !link_has_rest(c->link) && c->link->channel.message_bytes == 0;
}

/* Who was dialled waits for the other side to do it, and an eighth longer: it may be another
 * program. */
static void close_overdue(struct conn *c, uint64_t *wake_ms)
{
    uint64_t period_ms = (uint64_t)c->links->agent->config.renew_s * 1000;
    uint64_t end_ms = c->link->opened_ms + period_ms + period_ms / 8;
    struct err e = {0};

    if (now_of(c->links) < end_ms) {
        *wake_ms = end_ms < *wake_ms ? end_ms : *wake_ms;
        return;
    }
    err_set(&e, ERR_NET, "its handshake is too old, and the other PC made no new one");
    link_close(c->link, &e);
}

void renew_tick(struct links *l, struct conn *c, uint64_t *wake_ms)
{
    struct renewal *r = &c->renewal;
    uint64_t now = now_of(l), next;

    if (c->link->incoming) {
        close_overdue(c, wake_ms);
        return;
    }
    if (renewal_is_due(r, now, is_quiet(c))) {
        r->under_way = links_dial_beside(c);
        if (!r->under_way)
            renewal_failed(r, now, links_random());
    }
    next = r->due_ms > now ? r->due_ms : now + BACKOFF_MS_MIN;
    if (!r->under_way && next < *wake_ms)
        *wake_ms = next;
}

bool renew_takes_over(struct conn *present, struct conn *fresh)
{
    struct err e = {0};

    if (!fresh->renews || present->link->incoming ||
        !site_equal(&fresh->renews_site, &present->link->channel.peer))
        return false;
    present->renewed = true;
    err_set(&e, ERR_NET, "a new handshake took its place");
    link_close(present->link, &e);
    return true;
}

bool renew_closed(struct conn *c)
{
    struct links *l = c->links;
    struct conn *old;

    if (!c->renews)
        return !c->renewed;
    old = links_conn_of(l, &c->renews_site);
    if (old == NULL)
        return true;
    renewal_failed(&old->renewal, now_of(l), links_random());
    return false;
}
