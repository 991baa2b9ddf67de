#include "seen.h"

#define LOOKS_MAX 256 /* change-sets of one author in which nothing is said of the other */

/* What a change-set says its author had newly applied of another one; 0: nothing. */
static bool said_of(struct store *s, uint32_t author, uint64_t number, const struct actor *of,
                    uint64_t *said, struct err *e)
{
    struct changeset_header h = {0};
    struct changeset c;
    struct slice bytes;
    bool found, ok;

    *said = 0;
    if (!ledger_changeset_get(&s->ledger, author, number, &bytes, &found, e))
        return false;
    if (!found)
        return true;
    ok = changeset_open(&c, &h, bytes, e);
    if (ok)
        *said = vector_get(&h.needs, of);
    changeset_header_close(&h);
    return ok;
}

bool seen_before(struct store *s, const struct local_clock *by, const struct local_clock *what,
                 bool *seen, struct err *e)
{
    const struct ledger *l = &s->ledger;
    const struct ledger_actor *author = &l->actors[by->actor - 1];
    uint64_t said = 0;

    *seen = by->actor == what->actor && what->number <= by->number;
    if (by->actor == what->actor || by->number == 0 || what->number == 0 || what->actor == 0)
        return true;
    if (by->actor != l->self &&
        (what->actor > author->seen_room || author->seen[what->actor - 1] < what->number))
        return true;
    for (uint64_t n = by->number; n > 0 && by->number - n < LOOKS_MAX && said == 0; n--)
        if (!said_of(s, by->actor, n, &l->actors[what->actor - 1].actor, &said, e))
            return false;
    *seen = said >= what->number;
    return true;
}
