/* A file is a candidate from when it is first seen; its size and time must not have changed for
 * STILL_MS. One that does not parse may be half a file that somebody still writes: it is refused
 * only after BROKEN_MS without a change. */
#include "drop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dropfile.h"
#include "log.h"

#define CANDIDATES_MAX 1024
#define NAMES_MAX      10000
#define SLOW_MS        10000 /* looked at so often anyway */
#define SOON_MS        100
#define STILL_MS       1000
#define BROKEN_MS      10000
#define RETRY_MS       10000 /* after a failure that is not the file's fault */

struct candidate {
    char *name;
    uint64_t bytes, modified_ms;
    uint64_t since_ms; /* uv_now: unchanged since */
    uint64_t next_ms;  /* uv_now: not before */
    bool foreign;      /* whole, but none of ours... */
    bool special;      /* ...or a link, a pipe, a directory */
    bool present;
};

struct drop {
    struct agent *agent;
    uv_fs_event_t events;
    uv_timer_t timer;
    uint32_t handles;
    bool watching, stopping;
    char entrant[PATH_BYTES_MAX], archive[PATH_BYTES_MAX], rejected[PATH_BYTES_MAX];
    char logs[PATH_BYTES_MAX];
    struct candidate *candidates;
    uint32_t n;
    char *taking; /* the name of the file that is being imported; NULL: none is */
};

static uint64_t now_of(const struct drop *d)
{
    return uv_now(d->agent->loop);
}

/* ---- the folder's own log ---- */

static bool append(struct drop *d, struct slice line, struct err *e)
{
    char path[PATH_BYTES_MAX], old[PATH_BYTES_MAX];
    uint64_t bytes = 0;
    int file = -1;
    bool ok = path_join(path, d->logs, "sync.log", e) && path_join(old, d->logs, "sync.log.1", e) &&
              file_append_open(path, 0644, &file, &bytes, e) && file_append(file, line, e);

    file_append_close(&file);
    return ok && (bytes < LOG_FILE_BYTES_MAX || file_rename(path, old, e));
}

/* logs/sync.log is where the people of a shop look for what became of a file. */
static void note(struct drop *d, const char *name, const char *what)
{
    time_t seconds = (time_t)(agent_wall_ms(d->agent) / 1000);
    char line[LOG_LINE_BYTES_MAX], when[32] = "";
    struct err e = {0};
    struct tm parts;

    if (localtime_r(&seconds, &parts) != NULL)
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &parts);
    snprintf(line, sizeof line, "%s %s: %s\n", when, name, what);
    if (!append(d, slice_text(line), &e))
        log_warn("drop log is not written reason=%s", e.text);
}

/* ---- where files go ---- */

static bool move_to(const char *from, const char *directory, const char *name, char *to,
                    struct err *e)
{
    return dropfile_free_path(to, directory, name, e) && file_rename(from, to, e);
}

static void reject(struct drop *d, const char *path, const char *name, const struct err *why)
{
    char to[PATH_BYTES_MAX], reason[PATH_BYTES_MAX], text[sizeof why->text + 2];
    struct err e = {0};
    int n;

    note(d, name, why->text);
    warning_set(&d->agent->warnings, WARNING_DROP, agent_wall_ms(d->agent), "%s: %s", name,
                why->text);
    if (!move_to(path, d->rejected, name, to, &e)) {
        log_warn("drop file cannot be moved file=%s reason=%s", name, e.text);
        return;
    }
    n = snprintf(reason, sizeof reason, "%s.reason.txt", to);
    if (n < 0 || (size_t)n >= sizeof reason)
        return;
    snprintf(text, sizeof text, "%s\n", why->text);
    if (!file_write_atomic(reason, slice_text(text), 0644, &e))
        log_warn("drop file without its reason file=%s reason=%s", name, e.text);
}

static bool is_our_trouble(const struct err *e)
{
    return e->code == ERR_FULL || e->code == ERR_STORE || e->code == ERR_BUSY;
}

static void archive(struct drop *d, const char *path, const char *name, uint32_t added)
{
    char to[PATH_BYTES_MAX], what[64];
    struct err e = {0};

    snprintf(what, sizeof what, "imported, %u new change-sets", added);
    note(d, name, what);
    if (!move_to(path, d->archive, name, to, &e))
        log_warn("drop file cannot be moved file=%s reason=%s", name, e.text);
}

/* ---- candidates ---- */

static struct candidate *candidate_of(struct drop *d, const char *name)
{
    uint32_t i;

    for (i = 0; i < d->n; i++)
        if (strcmp(d->candidates[i].name, name) == 0)
            return &d->candidates[i];
    if (d->n == CANDIDATES_MAX)
        return NULL;
    d->candidates = mem_grow(d->candidates, (d->n + 1) * sizeof *d->candidates);
    d->candidates[d->n] = (struct candidate){.name = mem_text(name)};
    return &d->candidates[d->n++];
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t n = strlen(name), k = strlen(suffix);

    return n > k && strcmp(name + n - k, suffix) == 0;
}

static void see(struct drop *d, const char *name)
{
    char path[PATH_BYTES_MAX];
    struct file_info info;
    struct candidate *c;
    struct err e = {0};

    if (name[0] == '.' || !has_suffix(name, ".json") || !path_join(path, d->entrant, name, &e) ||
        !file_stat(path, &info, &e))
        return;
    c = candidate_of(d, name);
    if (c == NULL)
        return;
    c->present = true;
    if (!info.is_file && !c->special)
        log_info("drop file left alone file=%s reason=it is no regular file", name);
    c->special = !info.is_file;
    if (c->since_ms != 0 && c->bytes == info.bytes && c->modified_ms == info.modified_ms)
        return;
    c->bytes = info.bytes;
    c->modified_ms = info.modified_ms;
    c->since_ms = now_of(d);
    c->next_ms = c->since_ms + STILL_MS;
    c->foreign = false;
}

static void forget_absent(struct drop *d)
{
    uint32_t i, kept = 0;

    for (i = 0; i < d->n; i++) {
        if (d->candidates[i].present)
            d->candidates[kept++] = d->candidates[i];
        else
            free(d->candidates[i].name);
    }
    d->n = kept;
}

/* The person has dealt with the last refused file when it is gone. */
static void look_at_rejected(struct drop *d)
{
    struct file_names names = {0};
    struct err e = {0};

    if (!warning_is_set(&d->agent->warnings, WARNING_DROP))
        return;
    if (file_list(d->rejected, NAMES_MAX, &names, &e) && names.n == 0)
        warning_clear(&d->agent->warnings, WARNING_DROP);
    file_names_close(&names);
}

static void scan(struct drop *d)
{
    struct file_names names = {0};
    struct err e = {0};
    uint32_t i;

    for (i = 0; i < d->n; i++)
        d->candidates[i].present = false;
    if (!file_list(d->entrant, NAMES_MAX, &names, &e))
        log_warn("drop folder cannot be read reason=%s", e.text);
    for (i = 0; i < names.n; i++)
        see(d, names.names[i]);
    file_names_close(&names);
    forget_absent(d);
    look_at_rejected(d);
}

/* ---- one file ---- */

/* Written anew while it was read: it is a candidate again. */
static bool has_changed(const char *path, const struct candidate *c)
{
    struct file_info info;
    struct err e = {0};

    return !file_stat(path, &info, &e) || info.bytes != c->bytes ||
           info.modified_ms != c->modified_ms;
}

static void dispose(struct drop *d, struct candidate *c, const struct drop_done *done)
{
    const struct err *e = &done->e;
    char path[PATH_BYTES_MAX];
    struct err unused = {0};

    c->next_ms = now_of(d) + RETRY_MS; /* should it still be there at the next scan */
    if (!path_join(path, d->entrant, c->name, &unused) || has_changed(path, c))
        return;
    if (e->code == ERR_NONE) {
        archive(d, path, c->name, done->changesets);
    } else if (is_our_trouble(e)) {
        log_warn("drop file waits file=%s reason=%s", c->name, e->text);
    } else if (done->foreign) {
        log_info("drop file left alone file=%s reason=it is no export of this program", c->name);
        c->foreign = true;
    } else if (e->code == ERR_INPUT && now_of(d) - c->since_ms < BROKEN_MS) {
        c->next_ms = c->since_ms + BROKEN_MS;
    } else {
        reject(d, path, c->name, e);
    }
}

static void on_timer(uv_timer_t *timer);

static void on_imported(void *context, const struct drop_done *done)
{
    struct drop *d = context;
    uint32_t i;

    for (i = 0; i < d->n; i++)
        if (strcmp(d->candidates[i].name, d->taking) == 0)
            dispose(d, &d->candidates[i], done);
    free(d->taking);
    d->taking = NULL;
    uv_timer_start(&d->timer, on_timer, 0, 0);
}

static void take(struct drop *d, struct candidate *c)
{
    char path[PATH_BYTES_MAX];
    struct err e = {0};

    c->next_ms = now_of(d) + RETRY_MS;
    if (path_join(path, d->entrant, c->name, &e) &&
        agent_drop_import(d->agent, path, false, on_imported, d, &e))
        d->taking = mem_text(c->name);
    else
        log_warn("drop file waits file=%s reason=%s", c->name, e.text);
}

/* ---- time ---- */

/* The next one by name, of those that may be tried now: names carry the time they were made at. */
static struct candidate *next_candidate(struct drop *d, uint64_t *next_ms)
{
    struct candidate *best = NULL;
    uint32_t i;

    for (i = 0; i < d->n; i++) {
        struct candidate *c = &d->candidates[i];

        if (c->foreign || c->special)
            continue;
        if (c->next_ms > now_of(d)) {
            if (c->next_ms < *next_ms)
                *next_ms = c->next_ms;
        } else if (best == NULL || strcmp(c->name, best->name) < 0) {
            best = c;
        }
    }
    return best;
}

static void on_event(uv_fs_event_t *handle, const char *name, int what, int status);

static void try_watch(struct drop *d)
{
    d->watching = uv_fs_event_start(&d->events, on_event, d->entrant, 0) == 0;
}

/* One file at a time. */
static void on_timer(uv_timer_t *timer)
{
    struct drop *d = timer->data;
    uint64_t next_ms = now_of(d) + SLOW_MS;
    struct candidate *c;

    if (!d->watching)
        try_watch(d);
    scan(d);
    c = d->taking == NULL && d->agent->in_fleet ? next_candidate(d, &next_ms) : NULL;
    if (c != NULL && d->agent->store != NULL)
        take(d, c);
    else if (c != NULL) /* until the database is open */
        next_ms = now_of(d) + STILL_MS;
    uv_timer_start(&d->timer, on_timer, next_ms - now_of(d), 0);
}

static void on_event(uv_fs_event_t *handle, const char *name, int what, int status)
{
    struct drop *d = handle->data;

    (void)name;
    (void)what;
    if (status < 0) {
        uv_fs_event_stop(handle);
        d->watching = false;
    } else if (uv_timer_get_due_in(&d->timer) > SOON_MS) {
        uv_timer_start(&d->timer, on_timer, SOON_MS, 0);
    }
}

/* ---- start and end ---- */

static bool make_folders(struct drop *d, struct err *e)
{
    const char *folder = d->agent->config.drop_folder;
    char path[PATH_BYTES_MAX];

    return path_join(d->entrant, folder, "entrant", e) &&
           path_join(d->archive, folder, "archive", e) &&
           path_join(d->rejected, d->archive, "rejected", e) &&
           file_make_directory(d->entrant, 0755, e) && file_make_directory(d->rejected, 0755, e) &&
           path_join(path, folder, "sortant", e) && file_make_directory(path, 0755, e) &&
           path_join(d->logs, folder, "logs", e) && file_make_directory(d->logs, 0755, e);
}

struct drop *drop_start(struct agent *a)
{
    struct drop *d;
    struct err e = {0};

    if (a->config.drop_folder[0] == '\0')
        return NULL;
    d = mem_alloc(sizeof *d);
    d->agent = a;
    if (!make_folders(d, &e))
        warning_set(&a->warnings, WARNING_DROP, agent_wall_ms(a), "%s", e.text);
    uv_fs_event_init(a->loop, &d->events);
    uv_timer_init(a->loop, &d->timer);
    d->events.data = d->timer.data = d;
    d->handles = 2;
    uv_timer_start(&d->timer, on_timer, 0, 0);
    return d;
}

static void release(uv_handle_t *handle)
{
    struct drop *d = handle->data;
    uint32_t i;

    if (--d->handles > 0)
        return;
    for (i = 0; i < d->n; i++)
        free(d->candidates[i].name);
    free(d->candidates);
    free(d->taking);
    free(d);
}

void drop_stop(struct drop *d)
{
    if (d == NULL || d->stopping)
        return;
    d->stopping = true;
    agent_drop_forget(d->agent, d);
    uv_close((uv_handle_t *)&d->events, release);
    uv_close((uv_handle_t *)&d->timer, release);
}
