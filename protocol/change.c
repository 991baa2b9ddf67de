#include <navette/change.h>

#include <string.h>

struct site_id actor_site(const struct actor *a)
{
    struct site_id site;

    memcpy(site.bytes, a->bytes, sizeof site.bytes);
    return site;
}

bool actor_equal(const struct actor *a, const struct actor *b)
{
    return memcmp(a->bytes, b->bytes, ACTOR_BYTES) == 0;
}

bool site_equal(const struct site_id *a, const struct site_id *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

bool actor_is_of(const struct actor *a, const struct site_id *site)
{
    return memcmp(a->bytes, site->bytes, SITE_ID_BYTES) == 0;
}

int actor_compare(const struct actor *a, const struct actor *b)
{
    return memcmp(a->bytes, b->bytes, ACTOR_BYTES);
}

static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

bool value_equal(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case VALUE_NULL:
        return true;
    case VALUE_INT:
        return a->i == b->i;
    case VALUE_REAL:
        return same_bits(a->r, b->r);
    case VALUE_TEXT:
    case VALUE_BLOB:
        return slice_equal(a->bytes, b->bytes);
    case VALUE_REF:
        return a->ref.actor == b->ref.actor && a->ref.counter == b->ref.counter;
    }
    return false;
}

int clock_compare(const struct clock *a, const struct clock *b)
{
    int order;

    if (a->stamp != b->stamp)
        return a->stamp < b->stamp ? -1 : 1;
    order = actor_compare(&a->actor, &b->actor);
    if (order != 0)
        return order < 0 ? -1 : 1;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return 0;
}
