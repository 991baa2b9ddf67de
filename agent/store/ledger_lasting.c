/* SQLite holds up its caller until the disk has all that it wrote. So of what takes long, each wait
 * for the disk is a call of its own. */
#include "ledger_lasting.h"

#include <sqlite3.h>

#include "belief.h"

static bool sync_file(struct ledger *l, int which, struct err *e)
{
    sqlite3_file *file = NULL;

    if (sqlite3_file_control(l->db, "main", which, &file) != SQLITE_OK || file == NULL ||
        file->pMethods == NULL)
        return true; /* nothing has been written */
    return file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) == SQLITE_OK ||
           err_set(e, ERR_STORE, "sync %s: the disk failed", l->path);
}

/* ---- a transaction that lasts ---- */

bool ledger_has_spilled(struct ledger *l)
{
    int pages = 0, most;

    sqlite3_db_status(l->db, SQLITE_DBSTATUS_CACHE_WRITE, &pages, &most, 1);
    return pages > 0;
}

bool ledger_spill(struct ledger *l, struct err *e)
{
    return sync_file(l, SQLITE_FCNTL_JOURNAL_POINTER, e);
}

void ledger_be_silent(struct ledger *l)
{
    l->silent = true;
}

void ledger_speak(struct ledger *l)
{
    const struct ledger_actor *self = &l->actors[l->self - 1];

    l->silent = false;
    if (self->staged > 0)
        ledger_note_have(l, self);
    if (self->applied > 0)
        vector_set(&l->applied, &self->actor, self->applied, NULL);
}

/* ---- putting a large WAL away ----
 *
 *     the WAL is synced -> its pages are copied into the file -> the file is synced
 *
 * SQLite does the three in one. It lets the next one who writes begin the WAL anew as soon as all
 * is copied, so that one must find the file synced. */

/* What cannot be copied is tried again with the next large commit. But if SQLite will not sync any
 * more, nothing may be committed, nor the WAL put away by whoever closes the ledger. */
static void checkpoint(struct ledger *l)
{
    const char *back = l->lazy ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL";

    if (sqlite3_exec(l->db, "PRAGMA synchronous = OFF", NULL, NULL, NULL) == SQLITE_OK)
        sqlite3_wal_checkpoint_v2(l->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    l->torn |= sqlite3_exec(l->db, back, NULL, NULL, NULL) != SQLITE_OK;
}

/* If the WAL cannot be synced it is tried again with the next large commit; until then it grows. */
bool ledger_shrink(struct ledger *l)
{
    struct err e = {0};

    if (l->copied && !l->open)
        return ledger_shrunk(l, &e) || l->torn; /* then whoever writes next is told */
    if (!l->swollen || l->open)
        return false;
    if (!l->log_synced) {
        l->log_synced = ledger_spill(l, &e);
        l->swollen = l->log_synced;
        if (!l->log_synced || !l->disturbed)
            return true;
    }
    l->swollen = l->log_synced = l->disturbed = false;
    l->copied = true; /* or a part of it */
    checkpoint(l);
    return true;
}

void ledger_disturb(struct ledger *l)
{
    l->disturbed |= l->log_synced;
    l->log_synced = false;
}

/* The system tells once that it could not write, and takes what it lost for written then: so that
 * is not tried again. */
bool ledger_shrunk(struct ledger *l, struct err *e)
{
    l->torn |= l->copied && !sync_file(l, SQLITE_FCNTL_FILE_POINTER, e);
    l->copied = false;
    return !l->torn || err_set(e, ERR_STORE, "sync %s: the disk failed", l->path);
}
