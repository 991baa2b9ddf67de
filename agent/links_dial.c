/* Whom we dial, and when (dial.h says which place comes next). */
#include "links_inside.h"

#include <string.h>

#include <sodium.h>

#include "fleet.h"

#define DIALS_MAX       14  /* at once: rumours, those heard of, and eight that were met before */
#define LARGER_WAITS_MS 300 /* the site with the smaller id dials first: fewer dials cross */

void links_fleet_secret(const struct agent *a, uint32_t key, struct channel_secret *secret)
{
    *secret = (struct channel_secret){.mode = CHANNEL_FLEET, .tag = key};
    memcpy(secret->psk, a->fleet_keys.keys[key], sizeof secret->psk);
    memcpy(secret->context, a->roster.fleet, sizeof secret->context);
}

/* NULL when it fails at once. */
static struct conn *dial(struct links *l, const struct address *to, uint32_t key)
{
    struct channel_secret secret;
    struct err e = {0};
    struct conn *c = links_conn_add(l);
    struct link_owner owner = {&links_events, c};

    links_fleet_secret(l->agent, key, &secret);
    if (!link_dial(&c->link, l->agent, to, &secret, owner, &e)) {
        log_debug("dial failed addr=%s reason=%s", to->host, e.text);
        links_conn_drop_last(l);
        c = NULL;
    }
    sodium_memzero(&secret, sizeof secret);
    return c;
}

static bool is_dialling(const struct links *l)
{
    return links_is_speaking(l) && fleet_is_member(l->agent);
}

static bool has_room(const struct links *l)
{
    return l->n < LINKS_MAX && links_count_shaking(l, false) < DIALS_MAX;
}

bool links_dial_beside(struct conn *c)
{
    struct address address = c->link->address;
    struct conn *fresh = NULL;

    if (is_dialling(c->links) && has_room(c->links))
        fresh = dial(c->links, &address, 0);
    if (fresh == NULL)
        return false;
    fresh->renews = true;
    fresh->renews_site = c->link->channel.peer;
    return true;
}

static void dial_place(struct links *l, const struct place *place)
{
    struct address address = place->address;
    uint32_t key = dial_key(place->failed, l->agent->fleet_keys.n);

    if (dial(l, &address, key) == NULL)
        places_ended(&l->places, &address, 0, now_of(l), links_random());
}

static bool is_linked(const void *context, const struct site_id *site)
{
    return links_conn_of(context, site) != NULL;
}

void links_dial_due(struct links *l)
{
    struct place *place;

    if (!is_dialling(l))
        return;
    while (has_room(l)) {
        place = places_pick(&l->places, now_of(l), is_linked, l, &l->wake_ms);
        if (place == NULL)
            return;
        dial_place(l, place);
    }
    if (l->wake_ms > now_of(l) + BACKOFF_MS_MIN)
        l->wake_ms = now_of(l) + BACKOFF_MS_MIN;
}

static uint32_t wait_ms(const struct links *l, const struct site_id *site)
{
    return memcmp(&l->agent->keys.site, site, sizeof *site) < 0 ? 0 : LARGER_WAITS_MS;
}

static bool is_of_interest(const struct links *l, const struct site_id *site)
{
    return !l->stopping && links_conn_of(l, site) == NULL && !links_is_gone(l, site);
}

void links_heard(struct links *l, const struct site_id *site, const struct address *address)
{
    if (!is_of_interest(l, site))
        return;
    places_heard(&l->places, site, address, now_of(l), wait_ms(l, site));
    links_arm(l);
}

void links_heard_rumour(struct links *l, const struct site_id *site, const struct address *address)
{
    if (is_of_interest(l, site) && places_heard_rumour(&l->places, site, address, now_of(l)))
        links_arm(l);
}

void links_dial_remembered(struct links *l)
{
    uint32_t i;

    for (i = 0; i < l->members.n; i++) {
        const struct member *m = &l->members.list[i];

        if (m->address.port != 0 && roster_find(&l->agent->roster, &m->site) != NULL &&
            !site_equal(&m->site, &l->agent->keys.site))
            places_add_proven(&l->places, &m->site, &m->address, now_of(l), wait_ms(l, &m->site));
    }
}

void links_left(struct links *l, const struct site_id *site)
{
    places_left(&l->places, site);
}

void links_dial_all(struct links *l)
{
    if (l->stopping)
        return;
    places_hurry(&l->places, now_of(l));
    links_arm(l);
}

void links_add_fixed(struct links *l, const struct address *address)
{
    places_add_fixed(&l->places, address);
    links_arm(l);
}
