#include "settle.h"

#include <string.h>

#include "agent.h"
#include "fleet.h"
#include "log.h"

#define RETRY_MS  10000   /* after something could not be written */
#define AGAIN_MS  3600000 /* between two that are made by themselves */
#define FIRST_MS  600000  /* after the start: by then whoever is more senior is connected */
#define NAMED_MAX 3       /* of those who are waited for */

/* ---- on the disk first ---- */

typedef bool change_roster(struct agent *a, struct roster *r, bool *changed, struct err *e);

/* Of a copy, which takes the place of the roster when it is saved. */
static bool change_durably(struct agent *a, change_roster *change, bool *changed, struct err *e)
{
    struct roster next = {0};
    bool ok;

    *changed = false;
    ok = roster_copy(&next, &a->roster, e) && change(a, &next, changed, e) &&
         (!*changed || home_roster_save(&a->home, &next, e));
    if (ok && *changed) {
        struct roster old = a->roster;

        a->roster = next;
        next = old;
        a->unkept.ledger = true;
    }
    *changed &= ok;
    roster_close(&next);
    return ok;
}

static bool acknowledge(struct agent *a, struct roster *r, bool *changed, struct err *e)
{
    return roster_settle(r, &a->keys, changed, e);
}

/* One that another agent may have, too, must not bind it by its word. */
static bool may_speak(const struct agent *a)
{
    return fleet_is_member(a) && a->doubt[0] == '\0';
}

static void put_off(struct settle *s, uint64_t now, const struct err *why)
{
    if (s->failed_ms == 0) {
        log_warn("a checkpoint of the roster is not acknowledged yet reason=%s", why->text);
        s->failed_ms = now;
    }
    s->again_ms = now + RETRY_MS;
}

static bool has_to_settle(const struct agent *a)
{
    const struct settle *s = &a->settle;

    return a->roster.checkpoints > 0 && may_speak(a) &&
           memcmp(s->done, a->roster_digest, HASH_BYTES) != 0 &&
           (s->failed_ms == 0 || uv_now(a->loop) >= s->again_ms);
}

bool settle_roster(struct agent *a)
{
    struct err e = {0};
    bool changed = false;

    if (!has_to_settle(a))
        return false;
    if (roster_has_to_settle(&a->roster, &a->keys) &&
        !change_durably(a, acknowledge, &changed, &e)) {
        put_off(&a->settle, uv_now(a->loop), &e);
        return false;
    }
    a->settle.failed_ms = 0;
    if (changed)
        log_info("roster settled entries=%u before=%u", a->roster.entries, a->roster.before);
    else
        memcpy(a->settle.done, a->roster_digest, HASH_BYTES);
    return changed;
}

/* ---- what is pending ---- */

const struct roster_checkpoint *settle_pending(struct agent *a)
{
    struct settle *s = &a->settle;

    if (memcmp(s->looked, a->roster_digest, HASH_BYTES) != 0) {
        roster_checkpoint_look(&a->roster, &s->checkpoint);
        memcpy(s->looked, a->roster_digest, HASH_BYTES);
    }
    return &s->checkpoint;
}

void settle_write_missing(const struct agent *a, const struct roster_checkpoint *c, char *out,
                          size_t room)
{
    size_t n = 0;

    out[0] = '\0';
    for (uint32_t i = 0; i < c->missing_count && i < NAMED_MAX && n < room; i++) {
        const struct roster_site *s = roster_author(&a->roster, &c->missing[i]);
        bool last = i + 1 == c->missing_count;

        n += (size_t)snprintf(out + n, room - n, "%s%s",
                              i == 0 ? ""
                              : last ? " and "
                                     : ", ",
                              s != NULL ? s->name : "another PC");
    }
    if (c->missing_count > NAMED_MAX && n < room)
        snprintf(out + n, room - n, " and %u more", c->missing_count - NAMED_MAX);
}

/* ---- one is made ---- */

static bool append(struct agent *a, struct roster *r, bool *changed, struct err *e)
{
    *changed = roster_checkpoint(r, agent_wall_ms(a), &a->keys, e);
    return *changed;
}

static bool make(struct agent *a, struct err *e)
{
    bool changed;

    a->settle.next_ms = uv_now(a->loop) + AGAIN_MS;
    return change_durably(a, append, &changed, e);
}

static bool check_nothing_is_waited_for(struct agent *a, struct err *e)
{
    const struct roster_checkpoint *c = settle_pending(a);
    char names[NAMED_MAX * (NAME_BYTES_MAX + 8)];

    if (!c->pending || c->hopeless)
        return true;
    settle_write_missing(a, c, names, sizeof names);
    return err_set(e, ERR_REFUSED,
                   "it is being summed up already, and that waits for %s: switch on whoever is "
                   "named; a PC that is gone for good must be shut out first (`agent-cli revoke`)",
                   names);
}

bool settle_make(struct agent *a, struct err *e)
{
    return (check_nothing_is_waited_for(a, e) && make(a, e)) ||
           err_wrap(e, "the list of members cannot be summed up now");
}

/* The checkpoint that the list begins with has room of its own. */
static bool is_half_full(const struct roster *r)
{
    return r->entries >= ROSTER_ORDINARY_MAX / 2 ||
           r->log.n - r->before_bytes >= ROSTER_ORDINARY_BYTES_MAX / 2;
}

static bool is_due(struct agent *a)
{
    const struct roster_checkpoint *c = settle_pending(a);

    return c->pending ? c->hopeless : is_half_full(&a->roster);
}

/* An admin that is alone knows too little: its word would stand beside that of others. */
static bool is_in_company(const struct agent *a)
{
    return agent_others(a) == 0 || agent_connected(a) > 0;
}

bool settle_by_itself(struct agent *a)
{
    uint64_t now = uv_now(a->loop);
    struct err e = {0};

    if (a->settle.next_ms == 0)
        a->settle.next_ms = now + FIRST_MS;
    if (now < a->settle.next_ms || !may_speak(a) || !fleet_is_our_turn(a) || !is_in_company(a) ||
        !is_due(a))
        return false;
    if (!make(a, &e)) {
        log_warn("the roster cannot be summed up reason=%s", e.text);
        return false;
    }
    log_info("roster summed up by itself entries=%u bytes=%zu", a->roster.entries, a->roster.log.n);
    return true;
}

/* ---- a roster that went back ---- */

bool settle_merge(struct agent *a, struct roster *r, struct slice log, bool from_others,
                  bool *changed, struct err *e)
{
    bool ok = from_others ? roster_take(r, log, changed, e) : roster_merge(r, log, changed, e);

    if (ok || e->code != ERR_GAP)
        return ok;
    err_clear(e);
    *changed = roster_adopt(r, log, &a->keys, e);
    return *changed;
}
