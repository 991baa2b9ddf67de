/* New entries by which admins rule: who goes, what one is called, who may administer. */
#include <navette/roster.h>

#include <assert.h>
#include <string.h>

#include "entry.h"
#include "names.h"

static bool append_about(struct roster *r, enum entry_kind kind, const struct site_id *site,
                         void (*write)(struct writer *w, const void *what), const void *what,
                         const struct keys *k, struct err *e)
{
    struct buf entry;
    struct writer w = entry_open(&entry, r, kind, 2, k);

    write_bin(&w, SLICE(site->bytes));
    write(&w, what);
    return entry_append(r, &entry, k, e);
}

static uint32_t count_admins(const struct roster *r)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < r->site_count; i++)
        n += r->sites[i].admin;
    return n;
}

static bool check_not_last(const struct roster *r, const struct roster_site *s, struct err *e)
{
    if (s->standing != ROSTER_MEMBER || !s->admin || count_admins(r) > 1)
        return true;
    return err_set(e, ERR_REFUSED,
                   "%s is the only admin of the fleet: make another PC one first, with `agent-cli "
                   "admin add`",
                   s->name);
}

/* ---- revoke ---- */

static void put_cut(struct writer *w, const void *what)
{
    vector_write(w, what);
}

/* Who gave itself more names than fit into an entry is not to be irrevocable for that: those under
 * which it said most count. */
#define CUT_ACTORS_MAX 128

static void cut_of(struct vector *own, const struct site_id *site, const struct vector *cut)
{
    for (uint32_t i = 0; i < cut->n; i++) {
        if (!actor_is_of(&cut->entries[i].actor, site))
            continue;
        vector_set(own, &cut->entries[i].actor, cut->entries[i].number, cut->entries[i].hash);
        if (own->n > CUT_ACTORS_MAX)
            vector_drop_least(own);
    }
}

bool roster_revoke(struct roster *r, const struct site_id *site, const struct vector *cut,
                   const struct keys *k, struct err *e)
{
    const struct roster_site *s = roster_author(r, site);
    struct vector own = {0};
    bool ok;

    if (!roster_may(r, k, true, e))
        return false;
    if (s == NULL)
        return err_set(e, ERR_USAGE, "that PC was never in the fleet");
    if (site_equal(site, &k->site))
        return err_set(e, ERR_REFUSED, "a PC cannot revoke itself: do it on another one");
    if (!check_not_last(r, s, e))
        return false;
    cut_of(&own, site, cut);
    ok = append_about(r, ENTRY_REVOKE, site, put_cut, &own, k, e);
    vector_close(&own);
    return ok;
}

/* ---- rename ---- */

static void put_name(struct writer *w, const void *what)
{
    write_text(w, slice_text(what));
}

bool roster_rename(struct roster *r, const struct site_id *site, const char *name,
                   const struct keys *k, char *name_out, struct err *e)
{
    const struct roster_site *s = roster_find(r, site);
    struct site_id id = *site;

    if (!roster_may(r, k, !site_equal(site, &k->site), e))
        return false;
    if (s == NULL)
        return err_set(e, ERR_USAGE, "that PC is no member of the fleet");
    if (!name_check_new(slice_text(name), e))
        return false;
    roster_make_unique(r, slice_text(name), s, name_out);
    if (strcmp(s->name, name_out) == 0)
        return true;
    return append_about(r, ENTRY_RENAME, &id, put_name, name_out, k, e);
}

/* ---- admin ---- */

static void put_bool(struct writer *w, const void *what)
{
    write_bool(w, *(const bool *)what);
}

bool roster_admin(struct roster *r, const struct site_id *site, bool admin, const struct keys *k,
                  struct err *e)
{
    const struct roster_site *s = roster_find(r, site);
    struct site_id id = *site;

    if (!roster_may(r, k, true, e))
        return false;
    if (s == NULL)
        return err_set(e, ERR_USAGE, "that PC is no member of the fleet");
    if (s->admin == admin && !(admin && s->contested))
        return true;
    return (admin || check_not_last(r, s, e)) &&
           append_about(r, ENTRY_ADMIN, &id, put_bool, &admin, k, e);
}

/* ---- what others took ---- */

/* Somebody more senior than `k` may say so himself, and that is as good. */
static const struct roster_site *to_confirm(const struct roster *r, const struct keys *k)
{
    const struct roster_site *self = roster_find(r, &k->site);

    for (uint32_t i = 0; i < r->known_count && self != NULL && self->admin; i++) {
        const struct roster_site *s = &r->sites[i];

        if (!s->by_senior && self->rank < s->rank &&
            (s->standing == ROSTER_REVOKED || (s->standing == ROSTER_MEMBER && !s->admin)))
            return s;
    }
    return NULL;
}

bool roster_confirm(struct roster *r, const struct keys *k, uint32_t *n, struct err *e)
{
    const struct roster_site *s;
    bool ok = true;

    *n = 0;
    while (ok && (s = to_confirm(r, k)) != NULL) {
        struct site_id site = s->site;
        struct vector cut = {0};
        bool no = false;

        assert(*n < SITES_EVER_MAX);
        cut_of(&cut, &site, &s->cut);
        ok = s->standing == ROSTER_REVOKED
                 ? append_about(r, ENTRY_REVOKE, &site, put_cut, &cut, k, e)
                 : append_about(r, ENTRY_ADMIN, &site, put_bool, &no, k, e);
        *n += ok;
        vector_close(&cut);
    }
    return ok;
}

/* ---- invitations ---- */

bool roster_withdraw(struct roster *r, const uint8_t invite_id[ROSTER_INVITE_ID_BYTES],
                     const struct keys *k, struct err *e)
{
    struct buf entry;
    struct writer w;

    if (!roster_may(r, k, true, e))
        return false;
    w = entry_open(&entry, r, ENTRY_WITHDRAW, 1, k);
    write_bin(&w, (struct slice){invite_id, ROSTER_INVITE_ID_BYTES});
    return entry_append(r, &entry, k, e);
}
