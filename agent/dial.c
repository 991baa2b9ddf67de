#include "dial.h"

#include <stdlib.h>
#include <string.h>

static bool same_site(const struct place *place, const struct site_id *site)
{
    return place->known && memcmp(&place->site, site, sizeof *site) == 0;
}

void places_close(struct places *p)
{
    free(p->list);
    *p = (struct places){0};
}

struct place *places_find(struct places *p, const struct address *address)
{
    uint32_t i;

    for (i = 0; i < p->n; i++) {
        struct place *place = &p->list[i];

        if (place->address.port == address->port && strcmp(place->address.host, address->host) == 0)
            return place;
    }
    return NULL;
}

static void forget(struct places *p, struct place *place)
{
    *place = p->list[--p->n];
}

/* The one heard of the longest time ago that may be forgotten; of one site, or of all (NULL). */
static struct place *oldest_of(struct places *p, const struct site_id *site)
{
    struct place *oldest = NULL;
    uint32_t i;

    for (i = 0; i < p->n; i++) {
        struct place *place = &p->list[i];

        if (place->busy || place->fixed || (site != NULL && !same_site(place, site)))
            continue;
        if (oldest == NULL || place->heard_ms < oldest->heard_ms)
            oldest = place;
    }
    return oldest;
}

static uint32_t count_of(const struct places *p, const struct site_id *site)
{
    uint32_t i, count = 0;

    for (i = 0; i < p->n; i++)
        count += same_site(&p->list[i], site);
    return count;
}

/* A full table makes room by forgetting what was not heard of for the longest time. */
static struct place *add(struct places *p, const struct address *address,
                         const struct site_id *site)
{
    struct place *oldest = NULL;

    if (site != NULL && count_of(p, site) >= PLACES_SITE_MAX)
        oldest = oldest_of(p, site);
    else if (p->n == PLACES_MAX)
        oldest = oldest_of(p, NULL);
    if (oldest != NULL)
        forget(p, oldest);
    if (p->n == PLACES_MAX)
        return NULL;
    p->list = mem_grow(p->list, (p->n + 1) * sizeof *p->list);
    p->list[p->n] = (struct place){.address = *address, .delay_ms = BACKOFF_MS_MIN};
    return &p->list[p->n++];
}

void places_add_fixed(struct places *p, const struct address *address)
{
    struct place *place = places_find(p, address);

    if (place == NULL)
        place = add(p, address, NULL);
    if (place != NULL)
        place->fixed = true;
}

void places_heard(struct places *p, const struct site_id *site, const struct address *address,
                  uint64_t now_ms, uint32_t wait_ms)
{
    struct place *place = places_find(p, address);
    bool fresh = place == NULL;

    if (fresh)
        place = add(p, address, site);
    if (place == NULL)
        return;
    place->heard_ms = now_ms;
    place->delay_ms = BACKOFF_MS_MIN;
    place->ours = false;
    if (!place->busy) {
        place->known = true;
        place->site = *site;
    }
    if (fresh || place->next_ms > now_ms + wait_ms)
        place->next_ms = now_ms + wait_ms;
}

void places_left(struct places *p, const struct site_id *site)
{
    uint32_t i;

    for (i = p->n; i > 0; i--) {
        struct place *place = &p->list[i - 1];

        if (same_site(place, site) && !place->fixed && !place->busy)
            forget(p, place);
    }
}

void places_hurry(struct places *p, uint64_t now_ms)
{
    uint32_t i;

    for (i = 0; i < p->n; i++) {
        p->list[i].delay_ms = BACKOFF_MS_MIN;
        p->list[i].next_ms = now_ms;
    }
}

static bool site_is_busy(const struct places *p, const struct place *wanted)
{
    uint32_t i;

    for (i = 0; i < p->n; i++)
        if (p->list[i].busy && wanted->known && same_site(&p->list[i], &wanted->site))
            return true;
    return false;
}

struct place *places_pick(struct places *p, uint64_t now_ms, places_is_linked *is_linked,
                          const void *context, uint64_t *next_ms)
{
    struct place *best = NULL;
    uint32_t i;

    for (i = 0; i < p->n; i++) {
        struct place *place = &p->list[i];

        if (place->busy || place->ours || (place->known && is_linked(context, &place->site)) ||
            site_is_busy(p, place))
            continue;
        if (best == NULL || place->next_ms < best->next_ms)
            best = place;
    }
    if (best != NULL && best->next_ms <= now_ms) {
        best->busy = true;
        return best;
    }
    if (best != NULL && best->next_ms < *next_ms)
        *next_ms = best->next_ms;
    return NULL;
}

static void back_off(struct place *place, uint64_t now_ms, uint32_t random)
{
    uint32_t half = place->delay_ms / 2;

    place->busy = false;
    place->next_ms = now_ms + half + random % (half + 1);
    place->delay_ms = place->delay_ms < BACKOFF_MS_MAX / 2 ? place->delay_ms * 2 : BACKOFF_MS_MAX;
}

void places_opened(struct places *p, const struct address *address, const struct site_id *site,
                   bool ours)
{
    struct place *place = places_find(p, address);

    if (place == NULL)
        return;
    place->known = true;
    place->site = *site;
    place->ours = ours;
}

void places_ended(struct places *p, const struct address *address, uint64_t open_ms,
                  uint64_t now_ms, uint32_t random)
{
    struct place *place = places_find(p, address);

    if (place == NULL)
        return;
    if (open_ms >= PLACE_GOOD_MS)
        place->delay_ms = BACKOFF_MS_MIN;
    back_off(place, now_ms, random);
    if (!place->fixed && now_ms - place->heard_ms > PLACE_FORGET_MS)
        forget(p, place);
}

bool dial_crossed(const struct dial_claim *present, const struct dial_claim *fresh)
{
    return present->incoming != fresh->incoming &&
           fresh->opened_ms - present->opened_ms <= HANDSHAKE_MS_MAX;
}

bool dial_fresh_wins(const struct dial_claim *fresh, bool we_are_smaller)
{
    return !fresh->incoming == we_are_smaller;
}
