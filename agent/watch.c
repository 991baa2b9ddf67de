#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "links.h"
#include "log.h"
#include "pump.h"
#include "status.h"

#define TICK_MS   1000
#define LOOKS_MAX 10 /* in a millisecond: a commit is many writes, and the last one counts */

/* After the system told of a write: the commit may be visible only now. The last one is for a slow
 * disk; the tick is for the rest. */
static const uint32_t look_ms[] = {1, 3, 12, 48};

struct watch {
    struct agent *agent;
    uv_fs_event_t events;
    uv_timer_t looks, tick;
    uint32_t handles;
    bool watching, stopping;
    uint32_t step;             /* index into look_ms */
    uint64_t looked_ms;        /* the last look */
    uint32_t looked;           /* how often in that millisecond */
    char file[PATH_BYTES_MAX]; /* the database behind all links: its WAL is beside it */
    char directory[PATH_BYTES_MAX];
    uint64_t inode, device; /* the file that the store has open; 0: none */
};

static void look(struct watch *w)
{
    struct agent *a = w->agent;
    bool changed = false;
    struct err e = {0};

    if (a->store == NULL || w->stopping)
        return;
    w->looked = w->looked_ms == uv_now(a->loop) ? w->looked + 1 : 1;
    w->looked_ms = uv_now(a->loop);
    if (!store_changed(a->store, &changed, &e)) {
        pump_failed(a->pump, "look at the database", &e);
        return;
    }
    if (changed)
        pump_changed(a->pump);
}

static void on_look(uv_timer_t *timer)
{
    struct watch *w = timer->data;

    look(w);
    if (++w->step < COUNT_OF(look_ms))
        uv_timer_start(&w->looks, on_look, look_ms[w->step], 0);
}

static void look_again(struct watch *w)
{
    w->step = 0;
    uv_timer_start(&w->looks, on_look, look_ms[0], 0);
}

/* The database itself, its WAL or its journal? Without a name it may be. */
static bool is_ours(const struct watch *w, const char *name)
{
    const char *ours = path_name(w->file);
    size_t n = strlen(ours);

    if (name == NULL)
        return true;
    if (strncmp(name, ours, n) != 0)
        return false;
    return name[n] == '\0' || strcmp(name + n, "-wal") == 0 || strcmp(name + n, "-journal") == 0;
}

static void check_file(struct watch *w);

static void on_event(uv_fs_event_t *handle, const char *name, int what, int status)
{
    struct watch *w = handle->data;

    if (status < 0) {
        log_warn("watch failed dir=%s reason=%s", w->directory, uv_strerror(status));
        uv_fs_event_stop(handle);
        w->watching = false;
        return;
    }
    if (!is_ours(w, name))
        return;
    if ((what & UV_RENAME) != 0)
        check_file(w);
    if (w->looked_ms != uv_now(w->agent->loop) || w->looked < LOOKS_MAX)
        look(w);
    look_again(w);
}

/* The name that agent.conf gives may be a link; SQLite follows it, and so must we. */
static void resolve(struct watch *w)
{
    const char *name = w->agent->config.database;
    uv_fs_t request;

    if (uv_fs_realpath(NULL, &request, name, NULL) == 0)
        name = request.ptr;
    snprintf(w->file, sizeof w->file, "%s", name);
    uv_fs_req_cleanup(&request);
    path_directory(w->directory, w->file);
}

static void try_watch(struct watch *w)
{
    int status;

    resolve(w);
    status = uv_fs_event_start(&w->events, on_event, w->directory, 0);

    w->watching = status == 0;
    if (status == 0)
        log_debug("watching dir=%s", w->directory);
}

/* Which file has the name now? 0 when there is none. */
static void identify(const struct watch *w, uint64_t *inode, uint64_t *device)
{
    uv_fs_t request;

    *inode = *device = 0;
    if (uv_fs_stat(NULL, &request, w->agent->config.database, NULL) == 0) {
        *inode = request.statbuf.st_ino;
        *device = request.statbuf.st_dev;
    }
    uv_fs_req_cleanup(&request);
}

/* Another file under the name, a restored copy for example: what we have open is nobody's any more.
 */
static void check_file(struct watch *w)
{
    uint64_t inode, device;

    if (w->agent->store == NULL)
        return;
    identify(w, &inode, &device);
    if (inode == w->inode && device == w->device)
        return;
    w->inode = inode;
    w->device = device;
    pump_reopen(w->agent->pump, inode == 0 ? "the database is gone" : "the database was replaced");
}

void watch_opened(struct watch *w)
{
    identify(w, &w->inode, &w->device);
    uv_fs_event_stop(&w->events); /* the directory may be another one by now */
    try_watch(w);
}

static void on_tick(uv_timer_t *timer)
{
    struct watch *w = timer->data;

    if (!w->watching)
        try_watch(w);
    check_file(w);
    look(w);
    pump_tick(w->agent->pump);
    status_tick(w->agent);
    links_log_more(w->agent->links);
    warnings_log_more(&w->agent->warnings, agent_wall_ms(w->agent));
}

struct watch *watch_start(struct agent *a)
{
    struct watch *w = mem_alloc(sizeof *w);

    w->agent = a;
    uv_fs_event_init(a->loop, &w->events);
    uv_timer_init(a->loop, &w->looks);
    uv_timer_init(a->loop, &w->tick);
    w->events.data = w->looks.data = w->tick.data = w;
    w->handles = 3;
    try_watch(w);
    uv_timer_start(&w->tick, on_tick, TICK_MS, TICK_MS);
    return w;
}

static void release(uv_handle_t *handle)
{
    struct watch *w = handle->data;

    if (--w->handles == 0)
        free(w);
}

void watch_stop(struct watch *w)
{
    if (w == NULL || w->stopping)
        return;
    w->stopping = true;
    uv_close((uv_handle_t *)&w->events, release);
    uv_close((uv_handle_t *)&w->looks, release);
    uv_close((uv_handle_t *)&w->tick, release);
}
