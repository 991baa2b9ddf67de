#include "newcomer.h"

#include <string.h>

#include "agent.h"
#include "links.h"

#define STILL_MS     1000  /* nothing new came for so long: members have no more */
#define EMPTY_MS     4000  /* the same, for each member before us, when nobody has anything yet */
#define KEYS_WAIT_MS 10000 /* a member's answer is waited for so long */
#define KEYS_NEXT_MS 500   /* and so long until another one is asked as well */

static uint64_t now_of(const struct agent *a)
{
    return uv_now(a->loop);
}

static uint64_t vector_sum(const struct vector *v)
{
    uint64_t sum = 0;
    uint32_t i;

    for (i = 0; i < v->n; i++)
        sum += v->entries[i].number;
    return sum;
}

static uint32_t rank_of(const struct agent *a)
{
    uint32_t i;

    for (i = 0; i < a->roster.site_count; i++)
        if (memcmp(&a->roster.sites[i].site, &a->keys.site, sizeof a->keys.site) == 0)
            return i;
    return a->roster.site_count;
}

/* Everything that connected members have is here. */
static bool has_caught_up(struct newcomer *n, const struct agent *a)
{
    const struct vector *have = store_have(a->store);
    const struct talk *talk;
    bool met = false;
    uint32_t at = 0;

    if (vector_sum(have) != n->have_sum || n->grew_ms == 0) {
        n->have_sum = vector_sum(have);
        n->grew_ms = now_of(a);
    }
    while ((talk = links_next_talk(a->links, &at)) != NULL) {
        if (!talk_is_open(talk) || talk->stranger_until_ms != 0)
            continue;
        if (!vector_covers(have, &talk->sync.peer_have))
            return false;
        met = true;
    }
    return met;
}

/* No more came for a while: members have published what they had. */
static bool is_still(const struct newcomer *n, const struct agent *a)
{
    uint64_t still_ms = STILL_MS;

    /* When nobody has anything, the founder publishes first. */
    if (store_have(a->store)->n == 0)
        still_ms += rank_of(a) * (uint64_t)EMPTY_MS;
    return now_of(a) - n->grew_ms >= still_ms;
}

/* One member at a time is asked which keys its file has; first one that has published itself: of
 * two newcomers that only wait for each other, neither has. */
static bool ask(struct newcomer *n, struct agent *a)
{
    bool asked = !n->author_asked && links_ask_keys(a->links, true);

    n->author_asked |= asked;
    if (!asked && (n->keys_asked_ms == 0 || now_of(a) - n->keys_asked_ms >= KEYS_NEXT_MS))
        asked = links_ask_keys(a->links, false);
    if (asked)
        n->keys_asked_ms = now_of(a);
    return asked;
}

/* A member's answer says, too, that it has published all its rows; without one it is stillness that
 * tells, which sales that go on would never grant. */
static bool has_keys(struct newcomer *n, struct agent *a)
{
    if (n->keys.n > 0)
        return true;
    if (ask(n, a) || (n->keys_asked_ms != 0 && now_of(a) - n->keys_asked_ms < KEYS_WAIT_MS))
        return false;
    return is_still(n, a);
}

bool newcomer_is_ready(struct newcomer *n, struct agent *a)
{
    return has_caught_up(n, a) && has_keys(n, a);
}

bool newcomer_take_keys(struct newcomer *n, struct slice keys)
{
    if (n->keys_asked_ms == 0 || n->keys.n > 0)
        return false;
    if (n->keys.max == 0)
        buf_open(&n->keys, KEYS_BYTES_MAX);
    buf_add(&n->keys, keys.p, keys.n);
    return true;
}

void newcomer_close(struct newcomer *n)
{
    buf_close(&n->keys);
    *n = (struct newcomer){0};
}
