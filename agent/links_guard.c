/* With whom is nothing more to be said? With who was shut out, with who has nothing but an old key,
 * and with everybody, where the roster says that we ourselves are out. */
#include "links.h"

#include "fleet.h"
#include "links_inside.h"

bool links_is_gone(const struct links *l, const struct site_id *site)
{
    return roster_find(&l->agent->roster, site) == NULL &&
           roster_author(&l->agent->roster, site) != NULL;
}

/* One that waits behind another link of its site has heard nothing yet. */
static void end_with(struct conn *c, const struct err *why)
{
    if (c->talking)
        talk_leave(&c->talk, why);
    else
        talk_turn_away(c->link, why);
}

static void shut_out_one(struct conn *c)
{
    struct err e = {0};

    places_left(&c->links->places, &c->link->channel.peer);
    err_set(&e, ERR_REVOKED, "this PC was shut out of the fleet");
    end_with(c, &e);
}

/* They have been sent the roster that says so; as has everybody, where it says that it is we. */
void links_shut_out(struct links *l)
{
    uint32_t i;

    l->roster_changed = false;
    for (i = 0; i < l->n; i++) {
        struct conn *c = l->conns[i];
        struct err e = {0};

        if (!is_open(c) && (c->dead || !c->rival.waits))
            continue;
        if (links_is_gone(l, &c->link->channel.peer)) {
            shut_out_one(c);
        } else if (!fleet_is_member(l->agent)) {
            err_set(&e, ERR_REFUSED, "this PC is no member of the fleet any more");
            end_with(c, &e);
        }
    }
    links_sweep(l);
    renew_roster_changed(l);
}

/* Who was shut out is told so, and nothing else. Whom nobody could let in is shown the roster that
 * says why: it may come back. Who else comes with a key that the fleet had before must be a member.
 */
bool links_is_unwelcome(struct conn *c)
{
    const struct roster_site *known =
        roster_author(&c->links->agent->roster, &c->link->channel.peer);
    struct err e = {0};

    if (known != NULL && known->standing == ROSTER_REVOKED) {
        shut_out_one(c);
        return true;
    }
    if (known != NULL || c->link->channel.tag == 0)
        return false;
    err_set(&e, ERR_STRANGER, "it came with an old key of the fleet and is no member");
    link_close(c->link, &e);
    return true;
}
