#include "keep.h"

#include <navette/belief.h>

#include "agent.h"

/* The list of members counts from the moment in which it is known: who was shut out is cut off at
 * once, whether the disk takes it or not. But a PC that forgets it in a restart, and meets the one
 * who was shut out first, has him as a member again. So what was not written is remembered, tried
 * again with every tick, and told for as long as it is so; and nobody is told that something is
 * done which is not written. */

static void tell(struct agent *a, const struct err *why)
{
    if (a->unkept.roster)
        warning_set(&a->warnings, WARNING_UNSAVED, agent_wall_ms(a),
                    "the list of members has changed, and this PC cannot save it: it counts, but a "
                    "restart of this PC would forget it, and one who was shut out would be a "
                    "member here again: %.160s",
                    why->text);
    else
        warning_set(&a->warnings, WARNING_UNSAVED, agent_wall_ms(a),
                    "the list of members is saved, but not %s: %.240s",
                    a->unkept.keys ? "the fleet's key" : "its copy in the ledger", why->text);
}

static bool is_kept(bool ok, const struct err *e, struct err *first)
{
    if (!ok && first->code == ERR_NONE)
        *first = *e;
    return ok;
}

/* The keys come first: with the list that tells them they can be opened again, never without. */
static void keep_each(struct agent *a, struct err *first)
{
    struct err keys = {0}, roster = {0}, ledger = {0};
    struct unkept *u = &a->unkept;

    if (u->keys)
        u->keys = !is_kept(home_fleet_keys_save(&a->home, &a->roster, &a->fleet_keys, &keys), &keys,
                           first);
    if (u->roster)
        u->roster = !is_kept(home_roster_save(&a->home, &a->roster, &roster), &roster, first);
    if (u->ledger && a->store != NULL)
        u->ledger = !is_kept(store_roster_keep(a->store, &ledger), &ledger, first);
}

bool keep_fleet(struct agent *a, struct err *e)
{
    struct err first = {0};

    keep_each(a, &first);
    if (first.code == ERR_NONE) {
        warning_clear(&a->warnings, WARNING_UNSAVED);
        return true;
    }
    tell(a, &first);
    err_set(e, first.code, "%s", first.text);
    return err_wrap(e,
                    "what changed in the fleet counts here, and on all PCs that are connected, "
                    "but %s; saving is tried again by itself",
                    a->unkept.roster ? "it is not saved on this PC, and a restart would forget it"
                                     : "not all of it is saved on this PC");
}

void keep_again(struct agent *a)
{
    struct err told = {0};

    if ((a->unkept.roster || a->unkept.ledger || a->unkept.keys) && !keep_fleet(a, &told))
        err_clear(&told); /* the warning says it */
}
