/* The base of a draft: the checkpoint that a log begins with, which stands in the place of all that
 * was before it. It enrols, removes and demotes its sites as so many entries would that everybody
 * knew of, and that nobody contradicts. */
#include "draft.h"

#include <string.h>

bool draft_base_enrol(struct draft *d, struct err *e)
{
    struct reader r = reader_of(d->base->base.sites, e);

    for (uint32_t i = 0; i < d->base->base.site_count; i++) {
        struct draft_site *s = &d->sites[i];
        struct checkpoint_site from;

        checkpoint_site_read(&r, &from);
        if (draft_site_of(d, from.sign_public) != SITE_NONE)
            return err_set(e, ERR_INPUT, "a checkpoint names a site twice");
        memcpy(s->sign_public, from.sign_public, sizeof s->sign_public);
        s->site = keys_site_id(from.sign_public);
        s->rank = i;
        s->of_base = true;
        s->base_standing = from.standing;
        s->base_admin = from.admin;
        s->base_has_key = from.has_key;
        s->base_by = from.by;
        s->base_cut = from.cut;
        s->about[ABOUT_ENROL] = mem_alloc(d->words * sizeof *s->about[0]);
        d->site_count++;
    }
    return !r.failed;
}

static void say(struct draft *d, struct draft_site *s, enum about kind, bool said)
{
    if (s->about[kind] == NULL && said)
        s->about[kind] = mem_alloc(d->words * sizeof *s->about[0]);
    if (s->about[kind] != NULL)
        row_put(s->about[kind], d->base->at, said);
}

void draft_base_say(struct draft *d, uint32_t kept)
{
    for (uint32_t i = 0; i < d->base->base.site_count; i++) {
        struct draft_site *s = &d->sites[i];
        bool member = s->base_standing == ROSTER_MEMBER;

        say(d, s, ABOUT_ENROL, s->base_standing != ROSTER_VOID);
        say(d, s, ABOUT_REVOKE, i != kept && s->base_standing == ROSTER_REVOKED);
        say(d, s, ABOUT_DEMOTE, i != kept && member && !s->base_admin);
    }
}
