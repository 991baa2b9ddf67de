/* A copy of the application's file as it was before anything of ours came into it, made in steps
 * while the application goes on. */
#include "inside.h"

#include <stdlib.h>

#include <sqlite3.h>

#define STEP_PAGES   1000
#define RESTARTS_MAX 5 /* by an application that keeps writing: then the rest in one step */

struct store_backup {
    sqlite3 *to;
    sqlite3_backup *copy;
    int left; /* pages, after the last step */
    int restarts;
};

bool store_backup_open(struct store *s, const char *path, struct store_backup **out, struct err *e)
{
    struct store_backup *b = mem_alloc(sizeof *b);

    *out = b;
    if (sqlite3_open_v2(path, &b->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) ==
        SQLITE_OK)
        b->copy = sqlite3_backup_init(b->to, "main", s->app.db, "main");
    if (b->copy != NULL)
        return true;
    sqlite_err(b->to, path, e);
    store_backup_close(b);
    *out = NULL;
    return false;
}

bool store_backup_step(struct store_backup *b, bool *done, struct err *e)
{
    int code = sqlite3_backup_step(b->copy, b->restarts < RESTARTS_MAX ? STEP_PAGES : -1);
    int left = sqlite3_backup_remaining(b->copy);

    *done = code == SQLITE_DONE;
    b->restarts += left >= b->left && b->left != 0;
    b->left = left;
    if (*done || code == SQLITE_OK)
        return true;
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return err_set(e, ERR_BUSY, "the application holds its database");
    return err_set(e, code == SQLITE_FULL ? ERR_FULL : ERR_STORE,
                   "a copy of the database could not be made: %s", sqlite3_errstr(code));
}

void store_backup_close(struct store_backup *b)
{
    if (b == NULL)
        return;
    sqlite3_backup_finish(b->copy);
    sqlite3_close(b->to);
    free(b);
}
