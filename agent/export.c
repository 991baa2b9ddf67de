/* Writing drop files. The change-sets are fetched and put into words a few at a time, one slice a
 * turn of the loop; a full file is written and synced by a thread of libuv's, which has nothing but
 * the bytes and the path. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <navette/json.h>

#include "dropfile.h"
#include "links.h"
#include "log.h"

#define EXPORT_BYTES (128u << 20) /* a file ends here; another one follows */
#define FETCH_BYTES  (1u << 20)

struct export
{
    struct transfer transfer;
    uv_idle_t idle;
    uv_work_t work;
    char directory[PATH_BYTES_MAX], name[DROP_NAME_BYTES], path[PATH_BYTES_MAX];
    struct vector have, base; /* what we have; what the receiver has */
    uint32_t author;          /* index into `have` */
    struct buf out, fetched;
    uint32_t in_file; /* change-sets */
    uint64_t wall_ms;
    struct file_names paths;
    struct drop_done done;
    struct err e;
};

static void on_idle(uv_idle_t *idle);
static void on_written(uv_work_t *work, int status);

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle)
{
    struct export *x = handle->data;

    file_names_close(&x->paths);
    vector_close(&x->have);
    vector_close(&x->base);
    buf_close(&x->out);
    buf_close(&x->fetched);
    free(x);
}

static void end(struct export *x)
{
    uv_close((uv_handle_t *)&x->idle, on_closed);
    if (!transfer_is_wanted(&x->transfer))
        return;
    x->done.e = x->e;
    x->done.paths = &x->paths;
    if (x->e.code != ERR_NONE)
        err_wrap(&x->done.e, "drop export");
    transfer_end(&x->transfer, &x->done);
}

/* ---- a file ---- */

static void head_of(const struct export *x, struct drop_head *head)
{
    const struct agent *a = x->transfer.agent;
    const struct roster_site *self = roster_find(&a->roster, &a->keys.site);

    *head = (struct drop_head){.made_ms = x->wall_ms, .roster = buf_slice(&a->roster.log)};
    memcpy(head->fleet, a->roster.fleet, sizeof head->fleet);
    memcpy(head->fleet_name, a->roster.fleet_name, sizeof head->fleet_name);
    snprintf(head->from, sizeof head->from, "%s", self != NULL ? self->name : a->config.name);
    head->have = x->have; /* lent */
}

static bool begin_file(struct export *x, struct err *e)
{
    struct drop_head head;

    if (x->in_file > 0)
        return true;
    head_of(x, &head);
    return drop_write_begin(&x->out, &head, e);
}

/* In a thread. */
static void write_file(uv_work_t *work)
{
    struct export *x = work->data;

    if (dropfile_free_path(x->path, x->directory, x->name, &x->e) &&
        file_write_atomic(x->path, buf_slice(&x->out), 0644, &x->e))
        return;
}

static bool end_file(struct export *x)
{
    struct agent *a = x->transfer.agent;

    dropfile_name(x->name, a->config.name, x->wall_ms, 0);
    uv_idle_stop(&x->idle);
    if (!drop_write_end(&x->out, &x->e))
        return false;
    if (uv_queue_work(a->loop, &x->work, write_file, on_written) != 0)
        return err_set(&x->e, ERR_STORE, "the system gives no thread to write %s", x->name);
    return true;
}

static void on_written(uv_work_t *work, int status)
{
    struct export *x = work->data;

    (void)status; /* nobody cancels it */
    if (!transfer_is_wanted(&x->transfer) || x->e.code != ERR_NONE) {
        end(x);
        return;
    }
    log_info("drop file written file=%s changesets=%u", x->path, x->in_file);
    x->paths.names = mem_grow(x->paths.names, (x->paths.n + 1) * sizeof *x->paths.names);
    x->paths.names[x->paths.n++] = mem_text(x->path);
    x->in_file = 0;
    buf_clear(&x->out);
    uv_idle_start(&x->idle, on_idle);
}

/* ---- change-sets ---- */

static bool add_changeset(struct export *x, struct slice changeset, struct err *e)
{
    if (!begin_file(x, e) || !drop_write_changeset(&x->out, x->in_file == 0, changeset, e))
        return false;
    x->in_file++;
    x->done.changesets++;
    return true;
}

/* The next ones of this author that the receiver lacks. */
static bool add_some(struct export *x, struct vector_entry *author, struct err *e)
{
    struct store *store = x->transfer.agent->store;
    uint64_t after = vector_get(&x->base, &author->actor), before = after;
    struct slice left, one;

    buf_clear(&x->fetched);
    if (!store_fetch(store, &author->actor, after, FETCH_BYTES, &x->fetched, e))
        return false;
    left = buf_slice(&x->fetched);
    while (after < author->number && store_fetch_next(&left, &one, e)) {
        if (!add_changeset(x, one, e))
            return false;
        after++;
    }
    if (e->code != ERR_NONE)
        return false;
    if (after == before)
        return err_set(e, ERR_STORE, "the ledger lacks change-set %" PRIu64 " that it should have",
                       after + 1);
    vector_set(&x->base, &author->actor, after, author->hash);
    return true;
}

static void on_idle(uv_idle_t *idle)
{
    struct export *x = idle->data;
    bool ok = true;

    if (!transfer_is_wanted(&x->transfer)) {
        end(x);
        return;
    }
    while (x->author < x->have.n && vector_get(&x->base, &x->have.entries[x->author].actor) >=
                                        x->have.entries[x->author].number)
        x->author++;
    if (x->author < x->have.n && x->out.n <= EXPORT_BYTES)
        ok = transfer_may_go_on(x->transfer.agent, &x->e) &&
             add_some(x, &x->have.entries[x->author], &x->e);
    else if (x->in_file > 0)
        ok = end_file(x);
    else
        ok = false; /* all is written */
    if (!ok)
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

bool agent_drop_export(struct agent *a, const char *directory, const char *peer,
                       agent_on_drop *on_done, void *context, struct err *e)
{
    struct export *x = mem_alloc(sizeof *x);

    x->transfer.agent = a;
    if (!transfer_may_go_on(a, e) || !where(x, directory, e) ||
        (peer[0] != '\0' && !base_of(a, peer, &x->base, e)) ||
        !transfer_begin(&x->transfer, a, on_done, context, e)) {
        vector_close(&x->base);
        free(x);
        return err_wrap(e, "drop export");
    }
    uv_idle_init(a->loop, &x->idle);
    x->idle.data = x->work.data = x;
    x->wall_ms = agent_wall_ms(a);
    vector_copy(&x->have, store_have(a->store));
    buf_open(&x->out, DROP_BYTES_MAX);
    buf_open(&x->fetched, CHANGESET_BYTES_MAX + FETCH_BYTES);
    uv_idle_start(&x->idle, on_idle);
    return true;
}
