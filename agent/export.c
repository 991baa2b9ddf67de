/* Writing drop files. Change-sets are fetched from the store some at a time, in the loop; a thread
 * of libuv's puts them into words, and writes and syncs the file once it is full. Thread and loop
 * never have the struct at the same time. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <navette/json.h>

#include "dropfile.h"
#include "links.h"
#include "log.h"
#include "pump.h"

#define EXPORT_BYTES (128u << 20) /* a file ends here; another one follows */
#define FETCH_BYTES  (1u << 20)

struct export
{
    struct transfer transfer;
    uv_work_t work;
    char directory[PATH_BYTES_MAX], name[DROP_NAME_BYTES], path[PATH_BYTES_MAX];
    struct vector have, base; /* what we have; what the receiver has */
    uint32_t author;          /* index into `have` */
    struct buf out, fetched;
    uint32_t in_file; /* change-sets */
    bool written;     /* the file is on the disk */
    uint64_t wall_ms;
    struct file_names paths;
    struct drop_done done;
    struct err e;
};

/* ---- the end ---- */

static void release(struct export *x)
{
    file_names_close(&x->paths);
    vector_close(&x->have);
    vector_close(&x->base);
    buf_close(&x->out);
    buf_close(&x->fetched);
    free(x);
}

static void end(struct export *x)
{
    x->done.e = x->e;
    x->done.paths = &x->paths;
    if (x->e.code != ERR_NONE)
        err_wrap(&x->done.e, "drop export");
    transfer_end(&x->transfer, &x->done);
    release(x);
}

/* ---- in the thread ---- */

/* `fetched` as JSON, behind what is there. */
static bool put_into_words(struct export *x)
{
    struct slice left = buf_slice(&x->fetched), one;

    while (store_fetch_next(&left, &one, &x->e)) {
        if (!drop_write_changeset(&x->out, x->in_file == 0, one, &x->e))
            return false;
        x->in_file++;
    }
    return x->e.code == ERR_NONE;
}

static bool write_file(struct export *x)
{
    return drop_write_end(&x->out, &x->e) &&
           dropfile_free_path(x->path, x->directory, x->name, &x->e) &&
           file_write_atomic(x->path, buf_slice(&x->out), 0644, &x->e);
}

/* Whoever asked is not answered before the call that asks is over. */
static void begin(uv_work_t *request)
{
    (void)request;
}

static void work(uv_work_t *request)
{
    struct export *x = request->data;

    x->written = put_into_words(x) && x->in_file > 0 &&
                 (x->author == x->have.n || x->out.n > EXPORT_BYTES) && write_file(x);
}

/* ---- in the loop ---- */

static void head_of(const struct export *x, struct drop_head *head)
{
    const struct agent *a = x->transfer.agent;
    const struct roster_site *self = roster_find(&a->roster, &a->keys.site);

    *head = (struct drop_head){.made_ms = x->wall_ms, .roster = buf_slice(&a->roster.log)};
    memcpy(head->fleet, a->roster.fleet, sizeof head->fleet);
    memcpy(head->fleet_name, a->roster.fleet_name, sizeof head->fleet_name);
    snprintf(head->from, sizeof head->from, "%s", self != NULL ? self->name : a->config.name);
    head->have = x->have; /* lent */
    drop_head_sign(head, &a->keys);
}

static bool begin_file(struct export *x)
{
    struct drop_head head;

    if (x->in_file > 0)
        return true;
    dropfile_name(x->name, x->transfer.agent->config.name, x->wall_ms, 0);
    head_of(x, &head);
    return drop_write_begin(&x->out, &head, &x->e);
}

/* How many of `author` the receiver lacks after those that were fetched. */
static uint64_t lacking(const struct export *x)
{
    const struct vector_entry *author = &x->have.entries[x->author];
    uint64_t after = vector_get(&x->base, &author->actor);

    return author->number > after ? author->number - after : 0;
}

/* The next ones that the receiver lacks, all of one author; none at the end. */
static bool fetch(struct export *x)
{
    const struct vector_entry *author;
    struct slice left, one;
    uint64_t after, before;

    while (x->author < x->have.n && lacking(x) == 0)
        x->author++;
    if (x->author == x->have.n)
        return true;
    author = &x->have.entries[x->author];
    after = before = vector_get(&x->base, &author->actor);
    if (!store_fetch(x->transfer.agent->store, &author->actor, after, FETCH_BYTES, &x->fetched,
                     &x->e))
        return false;
    left = buf_slice(&x->fetched);
    while (store_fetch_next(&left, &one, &x->e))
        after++;
    if (x->e.code != ERR_NONE)
        return false;
    if (after == before)
        return err_set(&x->e, ERR_STORE,
                       "the ledger lacks change-set %" PRIu64 " that it should have", after + 1);
    x->done.changesets += (uint32_t)(after - before);
    vector_set(&x->base, &author->actor, after, author->hash);
    return true;
}

static void note_file(struct export *x)
{
    log_info("drop file written file=%s changesets=%u", x->path, x->in_file);
    x->paths.names = mem_grow(x->paths.names, (x->paths.n + 1) * sizeof *x->paths.names);
    x->paths.names[x->paths.n++] = mem_text(x->path);
    x->written = false;
    x->in_file = 0;
}

static void go_on(struct export *x);

static void on_worked(uv_work_t *request, int status)
{
    struct export *x = request->data;

    (void)status; /* nobody cancels it */
    if (!transfer_is_wanted(&x->transfer)) {
        release(x);
        return;
    }
    if (x->written)
        note_file(x);
    go_on(x);
}

static bool step(struct export *x)
{
    buf_clear(&x->fetched);
    if (x->e.code != ERR_NONE || !transfer_may_go_on(x->transfer.agent, &x->e) || !fetch(x))
        return false;
    if (x->fetched.n == 0 && x->in_file == 0)
        return false; /* all is written */
    if (!begin_file(x))
        return false;
    return uv_queue_work(x->transfer.agent->loop, &x->work, work, on_worked) == 0 ||
           err_set(&x->e, ERR_STORE, "the system gives no thread to write %s", x->name);
}

static void go_on(struct export *x)
{
    if (!step(x))
        end(x);
}

/* ---- the beginning ---- */

/* What the receiver said that it has, over the network or in a file. */
static bool base_of(struct agent *a, const char *peer, struct vector *base, struct err *e)
{
    const struct roster_site *site = roster_find_name(&a->roster, peer);
    const struct talk *talk;
    struct member *member;
    uint32_t i;

    if (site == NULL)
        return err_set(e, ERR_USAGE, "no PC of the fleet is called %s: see `agent-cli peers`",
                       peer);
    talk = links_talk(a->links, &site->site);
    if (talk != NULL)
        members_note(a, links_members(a->links), &talk->sync);
    member = members_get(links_members(a->links), &site->site);
    if (member == NULL)
        return true;
    vector_copy(base, &member->have);
    for (i = 0; i < member->told.n; i++)
        if (member->told.entries[i].number > vector_get(base, &member->told.entries[i].actor))
            vector_set(base, &member->told.entries[i].actor, member->told.entries[i].number,
                       member->told.entries[i].hash);
    return true;
}

static bool where(struct export *x, const char *directory, struct err *e)
{
    const char *folder = x->transfer.agent->config.drop_folder;

    if (directory[0] == '\0' && folder[0] == '\0')
        return err_set(e, ERR_USAGE, "no drop folder is set: say where with --to DIR");
    if (directory[0] == '\0')
        return path_join(x->directory, folder, "sortant", e);
    snprintf(x->directory, sizeof x->directory, "%s", directory);
    return true;
}

/* What the application committed a moment ago goes along: who carries the stick has seen the sale.
 */
static bool is_drained(struct agent *a, struct err *e)
{
    struct store_status s;

    if (store_state(a->store) != STORE_READY)
        return true; /* nothing of this PC is published before its rows are compared */
    if (!store_status(a->store, &s, e))
        return false;
    if (s.marks == 0 && s.unscanned == 0)
        return true;
    pump_poke(a->pump);
    return err_set(e, ERR_BUSY,
                   "%" PRId64 " writes and %" PRId64 " rows of this PC are not published yet: the "
                   "application holds its database, or has just begun; try again",
                   s.marks, s.unscanned);
}

bool agent_drop_export(struct agent *a, const char *directory, const char *peer,
                       agent_on_drop *on_done, void *context, struct err *e)
{
    struct export *x = mem_alloc(sizeof *x);

    x->transfer.agent = a;
    if (!transfer_may_go_on(a, e) || !where(x, directory, e) || !is_drained(a, e) ||
        (peer[0] != '\0' && !base_of(a, peer, &x->base, e)) ||
        !transfer_begin(&x->transfer, a, on_done, context, e)) {
        vector_close(&x->base);
        free(x);
        return err_wrap(e, "drop export");
    }
    x->work.data = x;
    x->wall_ms = agent_wall_ms(a);
    vector_copy(&x->have, store_have(a->store));
    buf_open(&x->out, DROP_BYTES_MAX);
    buf_open(&x->fetched, CHANGESET_BYTES_MAX + FETCH_BYTES);
    uv_queue_work(a->loop, &x->work, begin, on_worked);
    return true;
}
