#include "ledger_large.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#define PIECE_BYTES  65536
#define SPARE_BYTES  4096 /* SQLite maps nothing that ends where the file does */
#define CACHE_FEW    "PRAGMA cache_size = -256"
#define CACHE_ENOUGH "PRAGMA cache_size = -65536"

void large_begin(struct sqlite3 *db)
{
    sqlite3_exec(db, CACHE_FEW, NULL, NULL, NULL);
}

void large_end(struct sqlite3 *db)
{
    sqlite3_exec(db, CACHE_ENOUGH, NULL, NULL, NULL);
}

/* ---- files ---- */

static void close_file(struct sqlite3_file *file)
{
    if (file->pMethods != NULL)
        file->pMethods->xClose(file);
    free(file);
}

/* In the home, which is its owner's, beside the ledger. NULL: there can be none. */
static struct sqlite3_file *open_file(struct ledger *l)
{
    sqlite3_vfs *vfs = NULL;
    sqlite3_file *file;
    size_t n = strlen(l->path) + 32;
    char *name;
    int flags = 0;

    if (l->large_files >= LARGE_FILES_MAX ||
        sqlite3_file_control(l->db, "main", SQLITE_FCNTL_VFS_POINTER, &vfs) != SQLITE_OK ||
        vfs == NULL)
        return NULL;
    file = mem_alloc((size_t)vfs->szOsFile + n);
    /* Which the open file goes on naming; there is more than one zero behind it. */
    name = (char *)file + vfs->szOsFile;
    snprintf(name, n - 4, "%s-large-%p", l->path, (void *)file); /* no other open one has it */
    if (vfs->xOpen(vfs, name, file,
                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_DELETEONCLOSE |
                       SQLITE_OPEN_TEMP_DB,
                   &flags) != SQLITE_OK ||
        file->pMethods == NULL || file->pMethods->iVersion < 3) {
        close_file(file);
        return NULL;
    }
    return file;
}

/* The first n bytes of a file; NULL: it cannot be mapped. */
static uint8_t *map_file(struct sqlite3_file *file, size_t n)
{
    static const uint8_t spare[SPARE_BYTES];
    sqlite3_int64 most = (sqlite3_int64)(n + SPARE_BYTES);
    void *at = NULL;

    if (file->pMethods->xWrite(file, spare, SPARE_BYTES, (sqlite3_int64)n) != SQLITE_OK ||
        file->pMethods->xFileControl(file, SQLITE_FCNTL_MMAP_SIZE, &most) != SQLITE_OK ||
        file->pMethods->xFetch(file, 0, (int)n, &at) != SQLITE_OK)
        return NULL;
    return at;
}

/* Copy the value into the file, in pieces. */
static bool fill_file(struct sqlite3_file *file, sqlite3_blob *blob, size_t n)
{
    uint8_t *piece = mem_grow(NULL, PIECE_BYTES);
    bool ok = true;

    for (size_t at = 0; ok && at < n; at += PIECE_BYTES) {
        int some = (int)(n - at < PIECE_BYTES ? n - at : PIECE_BYTES);

        ok = sqlite3_blob_read(blob, piece, some, (int)at) == SQLITE_OK &&
             file->pMethods->xWrite(file, piece, some, (sqlite3_int64)at) == SQLITE_OK;
    }
    free(piece);
    return ok;
}

static bool load_mapped(struct large *g, struct ledger *l, sqlite3_blob *blob)
{
    g->file = open_file(l);
    if (g->file == NULL)
        return false;
    if (fill_file(g->file, blob, g->n))
        g->bytes = map_file(g->file, g->n);
    if (g->bytes != NULL) {
        g->files = &l->large_files;
        l->large_files++;
        return true;
    }
    close_file(g->file);
    g->file = NULL;
    return false;
}

static bool load(struct large *g, struct ledger *l, sqlite3_blob *blob)
{
    g->n = (size_t)sqlite3_blob_bytes(blob);
    if (g->n >= LARGE_BYTES && load_mapped(g, l, blob))
        return true;
    g->bytes = mem_grow(NULL, g->n);
    return sqlite3_blob_read(blob, g->bytes, (int)g->n, 0) == SQLITE_OK;
}

bool large_load(struct large *g, struct ledger *l, const char *table, const char *column,
                int64_t id, struct err *e)
{
    sqlite3_blob *blob = NULL;
    bool ok;

    large_close(g);
    large_begin(l->db);
    ok = (sqlite3_blob_open(l->db, "main", table, column, id, 0, &blob) == SQLITE_OK &&
          load(g, l, blob)) ||
         ledger_err(l, "read what is large", e);
    sqlite3_blob_close(blob);
    large_end(l->db);
    if (!ok)
        large_close(g);
    return ok;
}

struct slice large_slice(const struct large *g)
{
    return (struct slice){g->bytes, g->n};
}

void large_close(struct large *g)
{
    if (g->file == NULL) {
        free(g->bytes);
    } else {
        g->file->pMethods->xUnfetch(g->file, 0, g->bytes);
        close_file(g->file);
        --*g->files;
    }
    *g = (struct large){0};
}

bool large_store(struct ledger *l, const char *table, const char *column, int64_t id,
                 const struct slice *parts, uint32_t n, struct err *e)
{
    sqlite3_blob *blob = NULL;
    int code = sqlite3_blob_open(l->db, "main", table, column, id, 1, &blob), at = 0;

    for (uint32_t i = 0; code == SQLITE_OK && i < n; i++) {
        code = sqlite3_blob_write(blob, parts[i].p, (int)parts[i].n, at);
        at += (int)parts[i].n;
    }
    return (sqlite3_blob_close(blob) == SQLITE_OK && code == SQLITE_OK) ||
           ledger_err(l, "write what is large", e);
}

struct slice ledger_keep(struct ledger *l, struct slice bytes, struct large *kept)
{
    for (int i = 0; i < LENT_COUNT && l->lent != NULL; i++) {
        if (l->lent[i].bytes != bytes.p || bytes.p == NULL)
            continue;
        *kept = l->lent[i];
        l->lent[i] = (struct large){0};
        return bytes;
    }
    kept->bytes = mem_grow(NULL, bytes.n);
    kept->n = bytes.n;
    if (bytes.n > 0)
        memcpy(kept->bytes, bytes.p, bytes.n);
    return large_slice(kept);
}

/* ---- rows ---- */

static size_t rec_bytes(const struct ledger_row *r)
{
    return r->rec.n + (r->gaps != NULL ? r->gaps->bytes : 0);
}

bool large_is_row(const struct ledger_row *r)
{
    return rec_bytes(r) >= LARGE_BYTES || (r->differs && r->shadow.n >= LARGE_BYTES);
}

/* Both: SQLite makes a record in memory of all that comes before something that is not zeros. */
bool large_bind_row(struct sqlite3_stmt *s, int rec, int shadow, const struct ledger_row *r)
{
    return (r->minted ? sqlite3_bind_null(s, rec)
                      : sqlite3_bind_zeroblob64(s, rec, rec_bytes(r))) == SQLITE_OK &&
           (r->differs ? sqlite3_bind_zeroblob64(s, shadow, r->shadow.n)
                       : sqlite3_bind_null(s, shadow)) == SQLITE_OK;
}

static bool store_rec(struct ledger *l, const struct ledger_row *r, struct err *e)
{
    uint32_t n = r->gaps == NULL ? 0 : r->gaps->n, count = 0;
    struct slice *parts = mem_alloc((2 * (size_t)n + 1) * sizeof *parts);
    size_t at = 0;
    bool ok;

    for (uint32_t i = 0; i < n; i++) {
        const struct record_gap *gap = &r->gaps->gaps[i];

        parts[count++] = (struct slice){r->rec.p + at, gap->at - at};
        parts[count++] = gap->bytes;
        at = gap->at;
    }
    parts[count++] = (struct slice){r->rec.p + at, r->rec.n - at};
    ok = large_store(l, "row", "rec", r->gid, parts, count, e);
    free(parts);
    return ok;
}

bool large_store_row(struct ledger *l, const struct ledger_row *r, struct err *e)
{
    return (r->minted || store_rec(l, r, e)) &&
           (!r->differs || large_store(l, "row", "shadow", r->gid, &r->shadow, 1, e));
}

bool large_load_row(struct ledger *l, enum large_lent at, struct ledger_row *r, struct err *e)
{
    static const char *const columns[] = {"rec", "shadow"};
    struct slice *slices[] = {&r->rec, &r->shadow};

    for (int i = 0; i < 2; i++) {
        if (slices[i]->p != NULL || slices[i]->n == 0)
            continue;
        if (!large_load(&l->lent[at + i], l, "row", columns[i], r->gid, e))
            return false;
        *slices[i] = large_slice(&l->lent[at + i]);
    }
    return true;
}
