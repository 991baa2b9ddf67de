#include "backup.h"

#include <stdio.h>
#include <string.h>

#include <navette/date.h>
#include <navette/store.h>

#include "log.h"

#define META    "backup"
#define PARTIAL "copy-under-way"

static bool partial_path(const struct agent *a, char *path, struct err *e)
{
    return path_join(path, a->home.backup, PARTIAL, e);
}

static bool is_made(struct agent *a, bool *made, struct err *e)
{
    struct buf path;
    bool ok;

    buf_open(&path, PATH_BYTES_MAX);
    ok = store_meta_get(a->store, META, &path, e);
    *made = path.n > 0;
    buf_close(&path);
    return ok;
}

/* backup/<name of the file>-20261121-163000 */
static bool final_path(struct agent *a, char *path, struct err *e)
{
    char date[DATE_BYTES + 1], name[256];

    date_write(date, agent_wall_ms(a));
    snprintf(name, sizeof name, "%.200s-%.4s%.2s%.2s-%.2s%.2s%.2s", path_name(a->config.database),
             date, date + 5, date + 8, date + 11, date + 14, date + 17);
    return path_join(path, a->home.backup, name, e);
}

static bool begin(struct backup *b, struct agent *a, struct err *e)
{
    char path[PATH_BYTES_MAX];

    return partial_path(a, path, e) && file_remove(path, e) &&
           store_backup_open(a->store, path, &b->copy, e);
}

static bool finish(struct backup *b, struct agent *a, struct err *e)
{
    char from[PATH_BYTES_MAX], to[PATH_BYTES_MAX];

    backup_close(b);
    if (!partial_path(a, from, e) || !final_path(a, to, e) || !file_set_mode(from, 0600, e) ||
        !file_rename(from, to, e) ||
        !store_meta_set(a->store, META, (struct slice){(const uint8_t *)to, strlen(to)}, e))
        return false;
    b->done = true;
    log_info("the database as it was before other PCs' changes is kept file=%s", to);
    return true;
}

bool backup_make(struct backup *b, struct agent *a, bool *ready, struct err *e)
{
    bool done = false;

    *ready = true;
    if (b->done)
        return true;
    if (b->copy == NULL) {
        if (agent_others(a) == 0 || store_state(a->store) != STORE_READY)
            return true; /* nothing of others comes into the file */
        if (!is_made(a, &b->done, e))
            return false;
        if (b->done)
            return true;
        if (!begin(b, a, e))
            return false;
    }
    *ready = false;
    if (!store_backup_step(b->copy, &done, e)) {
        if (e->code != ERR_BUSY)
            backup_close(b);
        return false;
    }
    if (!done)
        return true;
    *ready = true;
    return finish(b, a, e);
}

void backup_close(struct backup *b)
{
    store_backup_close(b->copy);
    b->copy = NULL;
}
