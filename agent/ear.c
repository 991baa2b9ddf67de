#include "ear.h"

#include <navette/hlc.h>

static const struct bucket_size size = {EAR_RATE, EAR_BURST};

bool ear_take(struct bucket *b, uint64_t now_ms)
{
    return bucket_take(b, &size, 1, now_ms);
}

static struct ear_site *find(struct ear *ear, const struct site_id *site)
{
    for (uint32_t i = 0; i < ear->n; i++)
        if (site_equal(&ear->sites[i].site, site))
            return &ear->sites[i];
    return NULL;
}

/* The one that makes room: no member if there is such a one, heard of the longest time ago. */
static struct ear_site *least(struct ear *ear)
{
    struct ear_site *found = &ear->sites[0];

    for (uint32_t i = 1; i < ear->n; i++) {
        struct ear_site *s = &ear->sites[i];

        if (s->member != found->member ? found->member : s->at_ms < found->at_ms)
            found = s;
    }
    return found;
}

static struct ear_site *add(struct ear *ear, const struct site_id *site)
{
    struct ear_site *s = ear->n < EAR_SITES_MAX ? &ear->sites[ear->n++] : least(ear);

    *s = (struct ear_site){.site = *site};
    return s;
}

/* What its clock should say now. */
static uint64_t expected_ms(const struct ear_site *s, uint64_t now_ms)
{
    return s->wall_ms + (now_ms - s->at_ms);
}

bool ear_is_news(struct ear *ear, const struct site_id *site, bool member, uint64_t wall_ms,
                 uint64_t now_ms)
{
    struct ear_site *s = find(ear, site);

    if (wall_ms > HLC_WALL_MS_MAX)
        return false;
    if (s == NULL)
        s = add(ear, site);
    else if (wall_ms <= s->wall_ms || wall_ms + EAR_LATE_MS < expected_ms(s, now_ms))
        return false;
    s->member = member;
    s->wall_ms = wall_ms;
    s->at_ms = now_ms;
    return true;
}

bool ear_may_answer(struct ear *ear, const struct site_id *site, uint64_t now_ms)
{
    struct ear_site *s = find(ear, site);

    if (s == NULL || (s->answered_ms != 0 && now_ms - s->answered_ms < EAR_ANSWER_MS))
        return false;
    s->answered_ms = now_ms;
    return true;
}

void ear_met(struct ear *ear, const struct site_id *site, uint64_t wall_ms, uint64_t now_ms)
{
    struct ear_site *s = find(ear, site);

    if (s == NULL || wall_ms + EAR_LATE_MS >= expected_ms(s, now_ms))
        return;
    s->wall_ms = wall_ms > EAR_LATE_MS ? wall_ms - EAR_LATE_MS : 0;
    s->at_ms = now_ms;
}
