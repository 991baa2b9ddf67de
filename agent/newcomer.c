#include "newcomer.h"

#include "absent.h"
#include "agent.h"
#include "links.h"
#include "log.h"
#include "stick.h"

#define STILL_MS     1000  /* nothing new came for so long: members have no more */
#define EMPTY_MS     4000  /* the same, for each member before us, when nobody has anything yet */
#define KEYS_WAIT_MS 10000 /* a member's answer is waited for so long */
#define KEYS_MORE_MS 2000  /* and after the first one others so long */

static uint64_t now_of(const struct agent *a)
{
    return uv_now(a->loop);
}

static uint32_t rank_of(const struct agent *a)
{
    uint32_t i;

    for (i = 0; i < a->roster.site_count; i++)
        if (site_equal(&a->roster.sites[i].site, &a->keys.site))
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

/* Only who is away can hold rows that nobody here has: to take ours for new without him may double
 * them. Members are asked which keys their files have: the file here may be a copy of any of
 * theirs. An answer says, too, that a member has published all its rows; without one it is
 * stillness that tells, which sales that go on would never grant, and then only if nobody is away.
 * Who has published nothing is not waited for: it may be a newcomer, too, that waits for us. */
static bool has_keys(struct newcomer *n, struct agent *a)
{
    if (links_ask_keys(a->links))
        n->keys_asked_ms = now_of(a);
    if (n->n > 0)
        return !links_await_keys(a->links) || now_of(a) - n->keys_ms >= KEYS_MORE_MS;
    if (n->keys_asked_ms != 0 && now_of(a) - n->keys_asked_ms < KEYS_WAIT_MS)
        return false;
    if (!is_still(n, a))
        return false;
    n->awaits_absent = !n->without_absent && absent_member(a) != NULL;
    return !n->awaits_absent;
}

/* The file may hold what no connected member has, since this PC's home went back: a member who is
 * away may have it. */
static bool has_all_of_file(struct newcomer *n, struct agent *a)
{
    struct err e = {0};
    bool lacks;

    if (n->without_absent || absent_member(a) == NULL)
        return true;
    n->awaits_absent = !store_match_lacks(a->store, &lacks, &e) || lacks;
    return !n->awaits_absent;
}

/* Who let this PC in by a stick has told its keys with that. */
static void read_welcome(struct newcomer *n, struct agent *a)
{
    struct stick_welcome w;

    if (n->welcome_read)
        return;
    n->welcome_read = true;
    if (!stick_welcome_read(a, &w))
        return;
    n->welcome = w.maker;
    vector_copy(&n->welcomed, &w.have);
    if (w.keys.n > 0 && !newcomer_take_keys(n, a, buf_slice(&w.keys)))
        log_debug("newer keys are here already");
    stick_welcome_close(&w);
}

static bool is_welcome(const struct newcomer *n)
{
    static const struct site_id nobody;

    return !site_equal(&n->welcome, &nobody);
}

bool newcomer_is_ready(struct newcomer *n, struct agent *a)
{
    uint32_t at = 0;

    read_welcome(n, a);
    n->awaits_absent = false;
    if (is_welcome(n) && links_next_talk(a->links, &at) == NULL)
        return n->without_absent ||
               (vector_covers(store_have(a->store), &n->welcomed) && has_all_of_file(n, a));
    at = 0;
    if (n->without_absent && links_next_talk(a->links, &at) == NULL)
        return true;
    return has_caught_up(n, a) && has_keys(n, a) && has_all_of_file(n, a);
}

static void warn_welcome(const struct newcomer *n, struct agent *a)
{
    const struct roster_site *maker = roster_author(&a->roster, &n->welcome);

    warning_set(&a->warnings, WARNING_MATCHING, agent_wall_ms(a),
                "this PC compares its rows with the other members' before it publishes them; for "
                "that it needs what %s has: there `agent-cli drop export --to DIR`, and here "
                "`agent-cli drop import` of what that writes",
                maker != NULL ? maker->name : "the PC that let it in");
}

void newcomer_warn(const struct newcomer *n, struct agent *a)
{
    const struct roster_site *absent = absent_member(a);
    uint32_t at = 0;

    if (is_welcome(n) && !n->awaits_absent && links_next_talk(a->links, &at) == NULL) {
        warn_welcome(n, a);
        return;
    }
    at = 0;
    if (absent != NULL && (n->awaits_absent || links_next_talk(a->links, &at) == NULL))
        warning_set(&a->warnings, WARNING_MATCHING, agent_wall_ms(a),
                    "this PC compares its rows with the other members' before it publishes them; "
                    "for that it waits for %s",
                    absent->name);
}

bool newcomer_take_keys(struct newcomer *n, const struct agent *a, struct slice keys)
{
    if (n->n == NEWCOMER_KEYS_MAX)
        return false;
    if (n->n == 0)
        n->keys_ms = now_of(a);
    buf_open(&n->keys[n->n], KEYS_BYTES_MAX);
    buf_add(&n->keys[n->n++], keys.p, keys.n);
    return true;
}

void newcomer_close(struct newcomer *n)
{
    uint32_t i;

    for (i = 0; i < n->n; i++)
        buf_close(&n->keys[i]);
    vector_close(&n->welcomed);
    *n = (struct newcomer){0};
}
