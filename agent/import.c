/* Taking in a drop file. What needs nothing but the file (reading, parsing, decoding) is done by a
 * thread of libuv's, one step after the other; what concerns the agent, between two turns of the
 * loop. Thread and loop never have the struct at the same time.
 *
 *     thread:  OPEN ─────> NEXT... ─────> REWIND ─────> NEXT... ─────> end
 *     loop:    fleet,      verify         -             stage each
 *              roster      each
 *
 * All change-sets are verified before the first one is kept. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <navette/belief.h>
#include <navette/json.h>

#include "dropfile.h"
#include "fleet.h"
#include "links.h"
#include "log.h"
#include "pump.h"

#define TOGETHER_MAX   64         /* change-sets a step... */
#define TOGETHER_BYTES (1u << 20) /* ...and their bytes, of which the last one may exceed it */

struct import {
    struct transfer transfer;
    uv_work_t work;
    enum { IMPORT_OPEN, IMPORT_VERIFY, IMPORT_REWIND, IMPORT_STAGE } phase;
    char path[PATH_BYTES_MAX];
    struct buf file;
    struct drop_reader *reader;
    struct drop_head head;
    bool adopt;
    struct vector adopted;     /* the last change-set of each actor that is to count from now on */
    struct buf one;            /* for the reader */
    struct buf some;           /* the change-sets of one step, one after the other... */
    size_t ends[TOGETHER_MAX]; /* ...and where each ends */
    uint32_t n;                /* how many they are; none: that was the end of the file */
    uint32_t before;           /* how many came before them */
    struct err e;              /* of the last step */
    struct err gap;            /* the first one */
    struct drop_done done;
};

/* ---- in the thread ---- */

static void open_reader(struct import *i)
{
    drop_close(i->reader);
    i->reader = NULL;
    i->n = i->before = 0;
    vector_close(&i->head.have);
    if (!drop_open(&i->reader, buf_slice(&i->file), &i->head, &i->e))
        i->done.foreign =
            !dropfile_begins(buf_slice(&i->file)) && dropfile_is_foreign(buf_slice(&i->file));
}

static void read_some(struct import *i)
{
    i->before += i->n;
    i->n = 0;
    buf_clear(&i->some);
    while (i->n < TOGETHER_MAX && i->some.n < TOGETHER_BYTES &&
           drop_next(i->reader, &i->one, &i->e)) {
        buf_add(&i->some, i->one.p, i->one.n);
        i->ends[i->n++] = i->some.n;
    }
}

static void work(uv_work_t *request)
{
    struct import *i = request->data;

    if (i->phase == IMPORT_OPEN && !dropfile_read(i->path, &i->file, &i->done.foreign, &i->e))
        return;
    if (i->phase == IMPORT_OPEN || i->phase == IMPORT_REWIND)
        open_reader(i);
    else
        read_some(i);
}

/* ---- in the loop ---- */

static bool check_fleet(const struct agent *a, const struct drop_head *head, struct err *e)
{
    if (memcmp(head->fleet, a->roster.fleet, sizeof head->fleet) == 0)
        return true;
    return err_set(e, ERR_REFUSED,
                   "it is of the fleet \"%s\" (from %s); this PC is in the fleet \"%s\"",
                   head->fleet_name, head->from, a->roster.fleet_name);
}

/* Whose is it, and is it as its author signed it? */
static bool verify(const struct agent *a, struct slice bytes, struct changeset_header *h,
                   struct err *e)
{
    const struct roster_site *author;
    struct changeset c;
    struct site_id site;

    if (!changeset_open(&c, h, bytes, e))
        return false;
    if (memcmp(h->fleet, a->roster.fleet, sizeof h->fleet) != 0)
        return err_set(e, ERR_REFUSED, "it is of another fleet");
    site = actor_site(&h->actor);
    author = roster_author(&a->roster, &site);
    if (author == NULL)
        return err_set(e, ERR_STRANGER, "its author is no member of the fleet");
    if (!changeset_verify(&c, h, author->sign_public, e))
        return err_wrap(e, "of %s, number %" PRIu64, author->name, h->number);
    return true;
}

/* The file goes on after a gap: what other authors wrote is not concerned. */
static void note_gap(struct import *i, struct slice bytes)
{
    const struct agent *a = i->transfer.agent;
    struct changeset_header h = {0};
    struct err e = {0};
    struct site_id site;
    const struct roster_site *author;

    if (verify(a, bytes, &h, &e)) {
        site = actor_site(&h.actor);
        author = roster_author(&a->roster, &site);
        err_set(&i->gap, ERR_GAP,
                "change-sets %" PRIu64 " to %" PRIu64
                " of %s are missing here: import the file that has them, then this one again",
                vector_get(store_have(a->store), &h.actor) + 1, h.number - 1,
                author != NULL ? author->name : "?");
    }
    changeset_header_close(&h);
}

static struct slice item_of(const struct import *i, uint32_t at)
{
    size_t from = at > 0 ? i->ends[at - 1] : 0;

    return (struct slice){i->some.p + from, i->ends[at] - from};
}

/* The next one of one that was shut out, after what is here and what the file had of it. */
static void note_adopted(struct import *i, struct slice bytes, const struct changeset_header *h)
{
    struct agent *a = i->transfer.agent;
    struct site_id site = actor_site(&h->actor);
    const struct roster_site *author = roster_author(&a->roster, &site);
    const struct vector_entry *before;
    struct vector logged = {0};
    uint8_t hash[HASH_BYTES] = {0};
    struct changeset c;
    struct err e = {0};

    if (!i->adopt || author->standing == ROSTER_MEMBER || !changeset_split(&c, bytes, &e))
        return;
    store_logged(a->store, &logged);
    before = vector_find(&i->adopted, &h->actor);
    if (before == NULL)
        before = vector_find(&logged, &h->actor);
    if (h->number == (before != NULL ? before->number : 0) + 1 &&
        memcmp(h->previous, before != NULL ? before->hash : hash, sizeof hash) == 0) {
        changeset_hash(&c, hash);
        vector_set(&i->adopted, &h->actor, h->number, hash);
    }
    vector_close(&logged);
}

static bool verify_some(struct import *i)
{
    bool ok = true;
    uint32_t at;

    for (at = 0; ok && at < i->n; at++) {
        struct changeset_header h = {0};

        ok = verify(i->transfer.agent, item_of(i, at), &h, &i->e);
        if (ok)
            note_adopted(i, item_of(i, at), &h);
        changeset_header_close(&h);
    }
    return ok || err_wrap(&i->e, "change-set %u of the file", i->before + at);
}

/* The rest of the file is not concerned, unless it is the author's own. */
static void note_refused(struct import *i, const struct stage_item *item)
{
    struct agent *a = i->transfer.agent;
    const struct roster_site *author = roster_author(&a->roster, &item->shut_out);

    i->done.refused++;
    snprintf(i->done.refused_of, sizeof i->done.refused_of, "%s",
             author != NULL ? author->name : "?");
    fleet_refused(a, &item->shut_out, "in a drop file");
}

static void note_staged(struct import *i, const struct stage_item *item, uint32_t at)
{
    if (item->ok && item->result == STAGE_NEW) {
        i->done.changesets++;
        pump_staged(i->transfer.agent->pump);
        links_local_changed(i->transfer.agent->links);
    } else if (!item->ok && !sodium_is_zero(item->shut_out.bytes, sizeof item->shut_out.bytes)) {
        note_refused(i, item);
    } else if (!item->ok && !sodium_is_zero(item->crowds.bytes, sizeof item->crowds.bytes)) {
        fleet_crowded(i->transfer.agent, &item->crowds);
    } else if (!item->ok && item->e.code == ERR_GAP && i->gap.code == ERR_NONE) {
        note_gap(i, item->changeset);
    } else if (!item->ok && item->e.code != ERR_GAP && i->e.code == ERR_NONE) {
        i->e = item->e;
        err_wrap(&i->e, "change-set %u of the file", i->before + at + 1);
    }
}

static bool stage_some(struct import *i)
{
    struct stage_item items[TOGETHER_MAX];
    uint32_t at;

    for (at = 0; at < i->n; at++)
        items[at] = (struct stage_item){.changeset = item_of(i, at), .by_hand = true};
    store_stage_all(i->transfer.agent->store, items, i->n);
    for (at = 0; at < i->n; at++)
        note_staged(i, &items[at], at);
    return i->e.code == ERR_NONE;
}

/* Whoever signed it: it may be called otherwise by now. */
static const struct roster_site *find_sender(const struct roster *r, const struct drop_head *head,
                                             struct err *e)
{
    const struct roster_site *named = roster_find_name(r, head->from);

    for (uint32_t i = 0; i < r->known_count; i++) {
        struct err other = {0};

        if (drop_head_verify(head, r->sites[i].sign_public, &other))
            return &r->sites[i];
    }
    if (named == NULL)
        err_set(e, ERR_STRANGER, "it is from %s, who is no member of the fleet \"%s\"", head->from,
                r->fleet_name);
    else if (drop_head_verify(head, named->sign_public, e))
        assert(false); /* it was tried */
    return NULL;
}

/* A member that was deceived sells on: its list of members is left, and its sales are taken. */
static bool take_roster(struct import *i, bool known)
{
    struct agent *a = i->transfer.agent;
    uint8_t before[FLEET_KEY_ID_BYTES], after[FLEET_KEY_ID_BYTES], digest[HASH_BYTES];
    struct err e = {0};

    fleet_key_id(before, a->fleet_keys.keys[0]);
    memcpy(digest, a->roster_digest, sizeof digest);
    if (!agent_roster_merge(a, i->head.roster, &e) && e.code == ERR_CONTESTED)
        fleet_left(a, "in a drop file", &e);
    if (e.code != ERR_NONE && (e.code != ERR_CONTESTED || !known)) {
        i->e = e;
        return false;
    }
    fleet_key_id(after, a->fleet_keys.keys[0]);
    i->done.roster = memcmp(digest, a->roster_digest, sizeof digest) != 0;
    i->done.key = memcmp(before, after, sizeof before) != 0;
    return true;
}

/* Who sent it must be a member by what is known here, and when all that it says of the roster is
 * known, too; only then is that believed: nobody who is out brings himself in again. One that was
 * shut out may be adopted; of the roster its word does not count. */
static bool take_sender(struct import *i, const struct roster *merged)
{
    struct agent *a = i->transfer.agent;
    const struct roster_site *from = find_sender(merged, &i->head, &i->e), *here;
    struct site_id site;

    if (from == NULL)
        return false;
    here = roster_author(&a->roster, &from->site);
    if (here != NULL && here->standing != ROSTER_MEMBER)
        from = here;
    if (from->standing != ROSTER_MEMBER && i->adopt)
        return true;
    if (from->standing != ROSTER_MEMBER) {
        fleet_refused(a, &from->site, "in a drop file");
        return err_set(&i->e, ERR_REVOKED,
                       "it is from %s, which was shut out of the fleet: it is not taken; where its "
                       "sales are wanted all the same, `agent-cli drop import --adopt` takes them",
                       from->name);
    }
    site = from->site;
    if (!take_roster(i, here != NULL))
        return false;
    if (!site_equal(&site, &a->keys.site))
        members_note_told(a, links_members(a->links), &site, &i->head.have);
    return true;
}

static bool take_head(struct import *i)
{
    struct agent *a = i->transfer.agent;
    struct roster merged = {0};
    bool changed, ok;

    ok = check_fleet(a, &i->head, &i->e) && roster_copy(&merged, &a->roster, &i->e) &&
         settle_merge(a, &merged, i->head.roster, false, &changed, &i->e) &&
         take_sender(i, &merged);
    roster_close(&merged);
    return ok;
}

/* What the file has of those that were shut out, without a gap behind what is here, counts from now
 * on: this PC says so in the roster. */
static bool adopt(struct import *i)
{
    struct agent *a = i->transfer.agent;
    uint32_t n = a->roster.known_count - a->roster.site_count;
    struct site_id *gone = mem_alloc((n + 1) * sizeof *gone);
    struct err other = {0};
    bool ok = true;

    for (uint32_t at = 0; at < n; at++)
        gone[at] = a->roster.sites[a->roster.site_count + at].site;
    for (uint32_t at = 0; ok && at < n; at++)
        ok = fleet_believe(a, &gone[at], &i->adopted, &i->e);
    free(gone);
    /* What was adopted before it failed is told and kept, too. */
    if (fleet_has_news(a) && !agent_roster_changed(a, ok ? &i->e : &other))
        return false;
    return ok && keep_fleet(a, &i->e);
}

/* What the thread brought; false when that was the end. */
static bool take(struct import *i)
{
    if (i->e.code != ERR_NONE || !transfer_may_go_on(i->transfer.agent, &i->e))
        return false;
    switch (i->phase) {
    case IMPORT_OPEN:
        i->phase = IMPORT_VERIFY;
        return take_head(i);
    case IMPORT_VERIFY:
        if (i->n > 0)
            return verify_some(i);
        i->phase = IMPORT_REWIND;
        return i->adopted.n == 0 || adopt(i);
    case IMPORT_REWIND:
        i->phase = IMPORT_STAGE;
        return true;
    case IMPORT_STAGE:
        if (i->n > 0)
            return stage_some(i);
        i->e = i->gap;
        if (i->e.code != ERR_NONE || keep_fleet(i->transfer.agent, &i->e))
            return false;
        break; /* its sales are here, and what it said of the fleet is not on the disk */
    }
    return false;
}

static void release(struct import *i)
{
    drop_close(i->reader);
    vector_close(&i->head.have);
    vector_close(&i->adopted);
    buf_close(&i->file);
    buf_close(&i->one);
    buf_close(&i->some);
    free(i);
}

static void on_worked(uv_work_t *request, int status);

static void end(struct import *i)
{
    i->done.e = i->e;
    if (i->e.code == ERR_NONE)
        log_info("drop file imported file=%s changesets=%u", path_name(i->path),
                 i->done.changesets);
    transfer_end(&i->transfer, &i->done);
    release(i);
}

static void go_on(struct import *i)
{
    if (uv_queue_work(i->transfer.agent->loop, &i->work, work, on_worked) == 0)
        return;
    err_set(&i->e, ERR_STORE, "the system gives no thread to read %s", i->path);
    end(i);
}

static void on_worked(uv_work_t *request, int status)
{
    struct import *i = request->data;

    (void)status; /* nobody cancels it */
    if (!transfer_is_wanted(&i->transfer))
        release(i);
    else if (take(i))
        go_on(i);
    else
        end(i);
}

bool agent_drop_import(struct agent *a, const char *path, bool adopt_gone, agent_on_drop *on_done,
                       void *context, struct err *e)
{
    struct import *i = mem_alloc(sizeof *i);

    if (!transfer_begin(&i->transfer, a, on_done, context, e)) {
        free(i);
        return false;
    }
    i->work.data = i;
    i->adopt = adopt_gone;
    snprintf(i->path, sizeof i->path, "%s", path);
    buf_open(&i->file, DROP_BYTES_MAX);
    buf_open(&i->one, CHANGESET_BYTES_MAX);
    buf_open(&i->some, TOGETHER_BYTES + CHANGESET_BYTES_MAX);
    go_on(i);
    return true;
}
