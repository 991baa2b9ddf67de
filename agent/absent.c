#include "absent.h"

#include <navette/waits.h>

#include "agent.h"
#include "links.h"
#include "log.h"

#define STILL_MS 10000 /* nothing came and nothing was applied: it is not on its way */

const struct roster_site *absent_member(const struct agent *a)
{
    uint32_t i;

    for (i = 0; i < a->roster.site_count; i++) {
        const struct roster_site *site = &a->roster.sites[i];
        const struct talk *talk = links_talk(a->links, &site->site);

        if (!site_equal(&site->site, &a->keys.site) && (talk == NULL || !talk_is_open(talk)))
            return site;
    }
    return NULL;
}

static bool is_still(struct absent *w, const struct agent *a)
{
    uint64_t sum = vector_sum(store_have(a->store)) + vector_sum(store_applied(a->store));

    if (sum != w->moved || w->moved_ms == 0) {
        w->moved = sum;
        w->moved_ms = uv_now(a->loop);
    }
    return uv_now(a->loop) - w->moved_ms >= STILL_MS;
}

static uint32_t ask_peers(struct agent *a, struct store_peer peers[SITES_MAX])
{
    const struct talk *talk;
    uint32_t at = 0, n = 0;

    while (n < SITES_MAX && (talk = links_next_talk(a->links, &at)) != NULL)
        if (talk_is_open(talk) && talk->stranger_until_ms == 0)
            peers[n++] = (struct store_peer){&talk->sync.peer_have, &talk->sync.peer_applied};
    return n;
}

static void warn(struct agent *a, const struct store_lack *lack, const struct roster_site *absent)
{
    warning_set(&a->warnings, WARNING_LACKING, agent_wall_ms(a),
                "%llu change-set%s of %s wait%s for one of %s's that no connected PC has; %s, "
                "which is away, may have it",
                (unsigned long long)lack->changesets, lack->changesets == 1 ? "" : "s",
                lack->waiting[0] != '\0' ? lack->waiting : "a former member",
                lack->changesets == 1 ? "s" : "",
                lack->lacking[0] != '\0' ? lack->lacking : "a former member", absent->name);
}

static void nothing_lacks(struct absent *w, struct agent *a)
{
    w->lacks = w->gone = false;
    warning_clear(&a->warnings, WARNING_LACKING);
}

static bool look(struct absent *w, struct agent *a, bool *did, struct err *e)
{
    const struct roster_site *absent = absent_member(a);
    struct store_peer peers[SITES_MAX];
    uint32_t n = ask_peers(a, peers);
    struct store_lack lack;

    if (!store_lacks(a->store, peers, n, &lack, e) ||
        (lack.changesets > 0 &&
         !store_waive(a->store, peers, n, absent == NULL || w->gone, did, e)))
        return false;
    w->lacks = lack.changesets > 0 && !*did;
    if (!w->lacks)
        nothing_lacks(w, a);
    else if (absent != NULL)
        warn(a, &lack, absent);
    return true;
}

bool absent_tick(struct absent *w, struct agent *a)
{
    struct err e = {0};
    bool did = false;

    if (store_lacks_nothing(a->store)) {
        nothing_lacks(w, a);
        return false;
    }
    if (!is_still(w, a))
        return false;
    if (!look(w, a, &did, &e))
        log_warn("it is not known what change-sets wait for reason=%s", e.text);
    if (did)
        log_warn("change-sets wait no longer for others that no PC has");
    return did;
}

void absent_are_gone(struct absent *w)
{
    w->gone = w->lacks;
}
