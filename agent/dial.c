#include "dial.h"

#include <stdlib.h>
#include <string.h>

static bool same_site(const struct place *place, const struct site_id *site)
{
    return place->known && site_equal(&place->site, site);
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

enum rank { RANK_RUMOUR, RANK_HEARD, RANK_PROVEN };

static enum rank rank_of(const struct place *place)
{
    if (place->fixed || place->proven)
        return RANK_PROVEN;
    return place->rumour ? RANK_RUMOUR : RANK_HEARD;
}

/* Of one site, or of all (NULL), the one to forget for another of `rank`: the least, and of these
 * the one heard of the longest time ago. A rumour does not push out another, that would go on for
 * ever. NULL when there is none. */
static struct place *least_of(struct places *p, const struct site_id *site, enum rank rank)
{
    struct place *least = NULL;
    uint32_t i;

    for (i = 0; i < p->n; i++) {
        struct place *place = &p->list[i];

        if (place->busy || place->fixed || rank_of(place) > rank ||
            (rank == RANK_RUMOUR && rank_of(place) == RANK_RUMOUR) ||
            (site != NULL && !same_site(place, site)))
            continue;
        if (least == NULL || rank_of(place) < rank_of(least) ||
            (rank_of(place) == rank_of(least) && place->named_ms < least->named_ms))
            least = place;
    }
    return least;
}

static uint32_t count_of(const struct places *p, const struct site_id *site)
{
    uint32_t i, count = 0;

    for (i = 0; i < p->n; i++)
        count += same_site(&p->list[i], site);
    return count;
}

/* Room for one more; false when all others are better. */
static bool make_room(struct places *p, const struct site_id *site, enum rank rank)
{
    struct place *least;

    if (site != NULL && count_of(p, site) >= PLACES_SITE_MAX)
        least = least_of(p, site, rank);
    else if (p->n == PLACES_MAX)
        least = least_of(p, NULL, rank);
    else
        return true;
    if (least != NULL)
        forget(p, least);
    return least != NULL;
}

static struct place *add(struct places *p, const struct address *address,
                         const struct site_id *site, enum rank rank)
{
    struct place *place;

    if (!make_room(p, site, rank))
        return NULL;
    p->list = mem_grow(p->list, (p->n + 1) * sizeof *p->list);
    place = &p->list[p->n++];
    *place = (struct place){.address = *address,
                            .delay_ms = BACKOFF_MS_MIN,
                            .fixed = site == NULL,
                            .rumour = rank == RANK_RUMOUR,
                            .proven = site != NULL && rank == RANK_PROVEN};
    if (site != NULL) {
        place->known = true;
        place->site = *site;
    }
    return place;
}

void places_add_fixed(struct places *p, const struct address *address)
{
    struct place *place = places_find(p, address);

    if (place != NULL)
        place->fixed = true;
    else
        (void)add(p, address, NULL, RANK_PROVEN);
}

/* Dial it in `wait_ms`, or when it is due if that is sooner. */
static void hurry(struct place *place, bool fresh, uint64_t now_ms, uint32_t wait_ms)
{
    place->delay_ms = BACKOFF_MS_MIN;
    place->ours = false;
    place->rumour = false;
    if (fresh || place->next_ms > now_ms + wait_ms)
        place->next_ms = now_ms + wait_ms;
}

/* A place that another site is heard to have now. */
static void settle_in(struct place *place, const struct site_id *site)
{
    if (place->busy || same_site(place, site))
        return;
    place->known = true;
    place->site = *site;
    place->proven = false;
}

void places_heard(struct places *p, const struct site_id *site, const struct address *address,
                  uint64_t now_ms, uint32_t wait_ms)
{
    struct place *place = places_find(p, address);
    bool fresh = place == NULL;

    if (fresh)
        place = add(p, address, site, RANK_HEARD);
    if (place == NULL)
        return;
    place->heard_ms = place->named_ms = now_ms;
    settle_in(place, site);
    hurry(place, fresh, now_ms, wait_ms);
}

bool places_heard_rumour(struct places *p, const struct site_id *site,
                         const struct address *address, uint64_t now_ms)
{
    struct place *place;

    if (places_find(p, address) != NULL)
        return false;
    place = add(p, address, site, RANK_RUMOUR);
    if (place == NULL)
        return false;
    place->named_ms = now_ms;
    place->next_ms = now_ms + RUMOUR_WAIT_MS;
    return true;
}

void places_add_proven(struct places *p, const struct site_id *site, const struct address *address,
                       uint64_t now_ms, uint32_t wait_ms)
{
    struct place *place = places_find(p, address);
    bool fresh = place == NULL;

    if (fresh)
        place = add(p, address, site, RANK_PROVEN);
    if (place == NULL)
        return;
    place->named_ms = now_ms;
    hurry(place, fresh, now_ms, wait_ms);
}

/* It was met there. Of one that moves and moves, only the last few places count as such. */
static void prove(struct places *p, struct place *place)
{
    struct place *oldest = place;
    uint32_t i, count = 0;

    place->proven = true;
    place->rumour = false;
    for (i = 0; i < p->n; i++) {
        struct place *other = &p->list[i];

        if (!other->proven || !same_site(other, &place->site))
            continue;
        count++;
        if (oldest == place || (other != place && other->named_ms < oldest->named_ms))
            oldest = other;
    }
    if (count > PROVEN_SITE_MAX)
        oldest->proven = false;
}

const struct address *places_prove(struct places *p, const struct site_id *site, const char *host)
{
    struct place *found = NULL;
    uint32_t i;

    for (i = 0; i < p->n; i++) {
        struct place *place = &p->list[i];

        if (same_site(place, site) && !place->rumour && strcmp(place->address.host, host) == 0 &&
            (found == NULL || place->heard_ms > found->heard_ms))
            found = place;
    }
    if (found == NULL)
        return NULL;
    prove(p, found);
    return &found->address;
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

static bool is_alive(const struct place *place, uint64_t now_ms)
{
    return place->heard_ms != 0 && now_ms - place->heard_ms < PLACE_ALIVE_MS;
}

/* Is one tried that is as good? A PC that moved is heard of at another place than it was met. */
static bool is_in_the_way(const struct place *busy, const struct place *wanted, uint64_t now_ms)
{
    return busy->busy && wanted->known && same_site(busy, &wanted->site) &&
           rank_of(busy) >= rank_of(wanted) &&
           (is_alive(busy, now_ms) || !is_alive(wanted, now_ms));
}

static bool site_is_busy(const struct places *p, const struct place *wanted, uint64_t now_ms)
{
    uint32_t i;

    for (i = 0; i < p->n; i++)
        if (is_in_the_way(&p->list[i], wanted, now_ms))
            return true;
    return false;
}

static void count_busy(const struct places *p, uint32_t busy[RANK_PROVEN + 1])
{
    uint32_t i;

    memset(busy, 0, (RANK_PROVEN + 1) * sizeof *busy);
    for (i = 0; i < p->n; i++)
        if (p->list[i].busy)
            busy[rank_of(&p->list[i])]++;
}

/* Which of two that are due goes first? */
static bool goes_before(const struct place *a, const struct place *b, uint64_t now_ms)
{
    if (rank_of(a) != rank_of(b))
        return rank_of(a) > rank_of(b);
    if (is_alive(a, now_ms) != is_alive(b, now_ms))
        return is_alive(a, now_ms);
    return a->next_ms < b->next_ms;
}

struct place *places_pick(struct places *p, uint64_t now_ms, places_is_linked *is_linked,
                          const void *context, uint64_t *next_ms)
{
    static const uint32_t most[] = {
        [RANK_RUMOUR] = RUMOURS_AT_ONCE, [RANK_HEARD] = HEARD_AT_ONCE, [RANK_PROVEN] = UINT32_MAX};
    uint32_t i, busy[RANK_PROVEN + 1];
    struct place *best = NULL;

    count_busy(p, busy);
    for (i = 0; i < p->n; i++) {
        struct place *place = &p->list[i];

        if (place->busy || place->ours || busy[rank_of(place)] >= most[rank_of(place)] ||
            (place->next_ms > now_ms && place->next_ms >= *next_ms) ||
            (best != NULL && !goes_before(place, best, now_ms)) ||
            (place->known && is_linked(context, &place->site)) || site_is_busy(p, place, now_ms))
            continue;
        if (place->next_ms > now_ms)
            *next_ms = place->next_ms;
        else
            best = place;
    }
    if (best != NULL)
        best->busy = true;
    return best;
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
    place->rumour = false;
    place->failed = 0;
    if (!ours)
        prove(p, place);
}

void places_ended(struct places *p, const struct address *address, uint64_t open_ms,
                  uint64_t now_ms, uint32_t random)
{
    struct place *place = places_find(p, address);

    if (place == NULL)
        return;
    if (open_ms >= PLACE_GOOD_MS)
        place->delay_ms = BACKOFF_MS_MIN;
    place->failed += open_ms == 0;
    back_off(place, now_ms, random);
    if (!place->fixed && (place->rumour || now_ms - place->named_ms > PLACE_FORGET_MS))
        forget(p, place);
}

uint32_t dial_key(uint32_t failed, uint32_t keys)
{
    return failed % 2 == 0 || keys < 2 ? 0 : 1 + failed / 2 % (keys - 1);
}

bool dial_crossed(const struct dial_claim *present, const struct dial_claim *fresh)
{
    return present->incoming != fresh->incoming &&
           fresh->began_ms <= present->opened_ms + DIAL_CROSS_MS;
}

bool dial_fresh_wins(const struct dial_claim *fresh, bool we_are_smaller)
{
    return !fresh->incoming == we_are_smaller;
}
