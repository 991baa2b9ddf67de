#include "disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "platter.h"

#define UNIX_EPOCH_JULIAN_MS INT64_C(210866760000000)
#define NAME_BYTES_MAX       512  /* of a file */
#define SYSTEM_SECTOR_BYTES  4096 /* what SQLite's own VFS says */

/* One process on the PC, as SQLite sees it. */
struct machine_half {
    sqlite3_vfs vfs;
    char name[48];
    struct disk *disk;
    bool looks; /* it only looks: it is no process of that PC */
    bool dead;
    uint32_t steps;
    uint32_t die_at; /* in `steps`; 0: never */
    enum death how;
};

struct disk {
    struct machine_half half[PROCESS_COUNT];
    struct platter platter;
    struct rng rng;
    const uint64_t *wall_ms;
    bool never_cut;
};

/* An open file. */
struct disk_file {
    sqlite3_file base;
    struct machine_half *half;
    struct platter_file *file;
    struct platter *lasting; /* NULL: a power cut takes nothing of it back */
    struct latch_hold hold;
};

static void die(struct machine_half *h)
{
    h->dead = true;
    if (h->how == DEATH_POWER)
        for (int i = 0; i < PROCESS_COUNT; i++)
            h->disk->half[i].dead = true;
}

/* The process wants to change the disk. False when it is dead, or dies of this very step. */
static bool may_step(struct machine_half *h)
{
    if (h->looks)
        return true;
    if (h->dead)
        return false;
    h->steps++;
    if (h->die_at != 0 && h->steps >= h->die_at)
        die(h);
    return !h->dead;
}

/* ---- files ---- */

static struct disk_file *file_of(sqlite3_file *f)
{
    return (struct disk_file *)f;
}

/* Of the connection's own file: temporary ones are no step. */
static bool may_change(struct disk_file *f)
{
    return f->file->name == NULL || may_step(f->half);
}

static int file_close(sqlite3_file *f)
{
    struct disk_file *file = file_of(f);

    latch_unmap(&file->file->latch, &file->hold);
    latch_unlock(&file->file->latch, &file->hold, SQLITE_LOCK_NONE);
    platter_leave(file->file);
    return SQLITE_OK;
}

static int file_read(sqlite3_file *f, void *to, int n, sqlite3_int64 offset)
{
    struct slice there = platter_read(file_of(f)->file, offset, (size_t)n);

    if (there.n > 0)
        memcpy(to, there.p, there.n);
    if (there.n == (size_t)n)
        return SQLITE_OK;
    memset((uint8_t *)to + there.n, 0, (size_t)n - there.n);
    return SQLITE_IOERR_SHORT_READ;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)file_of(f)->file->content.n;
    return SQLITE_OK;
}

static int file_write(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 offset)
{
    struct disk_file *file = file_of(f);

    if (!may_change(file))
        return SQLITE_IOERR_WRITE;
    platter_write(file->lasting, file->file, offset, (struct slice){bytes, (size_t)n});
    return SQLITE_OK;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 to)
{
    struct disk_file *file = file_of(f);

    if (!may_change(file))
        return SQLITE_IOERR_TRUNCATE;
    platter_truncate(file->lasting, file->file, to);
    return SQLITE_OK;
}

static int file_sync(sqlite3_file *f, int flags)
{
    struct disk_file *file = file_of(f);

    (void)flags;
    if (!may_change(file))
        return SQLITE_IOERR_FSYNC;
    if (file->lasting != NULL)
        platter_sync(file->lasting, file->file);
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *f, int level)
{
    return latch_lock(&file_of(f)->file->latch, &file_of(f)->hold, level);
}

static int file_unlock(sqlite3_file *f, int level)
{
    return latch_unlock(&file_of(f)->file->latch, &file_of(f)->hold, level);
}

static int file_check_reserved(sqlite3_file *f, int *out)
{
    *out = file_of(f)->file->latch.level > SQLITE_LOCK_SHARED;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *f, int op, void *argument)
{
    (void)f;
    (void)op;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *f)
{
    (void)f;
    return SYSTEM_SECTOR_BYTES;
}

static int file_characteristics(sqlite3_file *f)
{
    (void)f;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int file_shm_map(sqlite3_file *f, int region, int bytes, int extend, void volatile **out)
{
    return latch_map(&file_of(f)->file->latch, &file_of(f)->hold, region, bytes, extend != 0, out);
}

static int file_shm_lock(sqlite3_file *f, int first, int n, int flags)
{
    return latch_slots(&file_of(f)->file->latch, &file_of(f)->hold, first, n, flags);
}

static void file_shm_barrier(sqlite3_file *f)
{
    (void)f;
}

static int file_shm_unmap(sqlite3_file *f, int remove)
{
    (void)remove;
    latch_unmap(&file_of(f)->file->latch, &file_of(f)->hold);
    return SQLITE_OK;
}

/* ---- the file system ---- */

static struct machine_half *half_of(sqlite3_vfs *v)
{
    return v->pAppData;
}

static struct platter *platter_of(sqlite3_vfs *v)
{
    return &half_of(v)->disk->platter;
}

/* What is remembered for a power cut; NULL: nothing. */
static struct platter *memory_of(struct machine_half *h)
{
    return h->looks || h->disk->never_cut ? NULL : &h->disk->platter;
}

/* A file that is not there yet is about to be created: that is a step. */
static bool may_create(struct machine_half *h, const char *path)
{
    if (h->looks || platter_has(&h->disk->platter, path))
        return true;
    if (!may_step(h))
        return false;
    if (memory_of(h) != NULL)
        platter_create(&h->disk->platter, path);
    return true;
}

static int vfs_open(sqlite3_vfs *v, const char *path, sqlite3_file *f, int flags, int *out_flags)
{
    static const sqlite3_io_methods methods = {
        2,
        file_close,
        file_read,
        file_write,
        file_truncate,
        file_sync,
        file_size,
        file_lock,
        file_unlock,
        file_check_reserved,
        file_control,
        file_sector_size,
        file_characteristics,
        file_shm_map,
        file_shm_lock,
        file_shm_barrier,
        file_shm_unmap,
        NULL,
        NULL,
    };
    struct disk_file *file = file_of(f);
    bool lasting = path != NULL && (flags & SQLITE_OPEN_DELETEONCLOSE) == 0;
    bool make = (flags & SQLITE_OPEN_CREATE) != 0;

    *file = (struct disk_file){.half = half_of(v)};
    if (lasting && make && !may_create(file->half, path))
        return SQLITE_CANTOPEN;
    file->file = platter_open(platter_of(v), lasting ? path : NULL, make);
    if (file->file == NULL)
        return SQLITE_CANTOPEN;
    if (lasting)
        file->lasting = memory_of(file->half);
    if (out_flags != NULL)
        *out_flags = flags;
    file->base.pMethods = &methods;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *v, const char *path, int sync_directory)
{
    struct machine_half *h = half_of(v);

    if (!platter_has(platter_of(v), path))
        return SQLITE_IOERR_DELETE_NOENT;
    if (!may_step(h))
        return SQLITE_IOERR_DELETE;
    if (memory_of(h) == NULL)
        platter_remove(platter_of(v), path);
    else
        platter_delete(platter_of(v), path, sync_directory != 0);
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *v, const char *path, int flags, int *out)
{
    (void)flags;
    *out = platter_has(platter_of(v), path);
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *v, const char *path, int n, char *out)
{
    (void)v;
    return snprintf(out, (size_t)n, "%s", path) < n ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_randomness(sqlite3_vfs *v, int n, char *out)
{
    for (int i = 0; i < n; i++)
        out[i] = (char)rng_next(&half_of(v)->disk->rng);
    return n;
}

/* Time stands still while SQLite waits for a lock: who waits in the simulator waits in vain. */
static int vfs_sleep(sqlite3_vfs *v, int us)
{
    (void)v;
    return us;
}

static int vfs_time_ms(sqlite3_vfs *v, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)*half_of(v)->disk->wall_ms + UNIX_EPOCH_JULIAN_MS;
    return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *v, double *out)
{
    sqlite3_int64 ms = 0;

    vfs_time_ms(v, &ms);
    *out = (double)ms / 86400000.0;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *v, int n, char *out)
{
    (void)v;
    (void)n;
    (void)out;
    return 0;
}

/* ---- the disk ---- */

static void half_open(struct disk *d, enum process p, const char *name)
{
    static const char *const names[] = {"agent", "app", "look"};
    struct machine_half *h = &d->half[p];

    h->disk = d;
    h->looks = p == PROCESS_LOOK;
    snprintf(h->name, sizeof h->name, "%s-%s", name, names[p]);
    h->vfs = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = (int)sizeof(struct disk_file),
        .mxPathname = NAME_BYTES_MAX,
        .zName = h->name,
        .pAppData = h,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = vfs_time_ms,
    };
    sqlite3_vfs_register(&h->vfs, 0);
}

struct disk *disk_new(const char *name, const uint64_t *wall_ms, struct rng rng)
{
    struct disk *d = mem_alloc(sizeof *d);

    d->rng = rng;
    d->wall_ms = wall_ms;
    for (int p = 0; p < PROCESS_COUNT; p++)
        half_open(d, (enum process)p, name);
    return d;
}

void disk_free(struct disk *d)
{
    if (d == NULL)
        return;
    for (int i = 0; i < PROCESS_COUNT; i++)
        sqlite3_vfs_unregister(&d->half[i].vfs);
    platter_close(&d->platter);
    free(d);
}

void disk_never_cut(struct disk *d)
{
    d->never_cut = true;
}

const char *disk_vfs(const struct disk *d, enum process p)
{
    return d->half[p].name;
}

void disk_arm(struct disk *d, enum process p, uint32_t n, enum death how)
{
    d->half[p].die_at = n == 0 ? 0 : d->half[p].steps + n;
    d->half[p].how = how;
}

bool disk_dead(const struct disk *d, enum process p)
{
    return d->half[p].dead;
}

uint32_t disk_steps(const struct disk *d, enum process p)
{
    return d->half[p].steps;
}

/* SQLite finds the journals of a database by their names. */
static const char *const tails[] = {"", "-wal", "-journal"};

void disk_lose_power(struct disk *d, enum survival survival)
{
    if (!d->never_cut)
        platter_lose(&d->platter, &d->rng, survival);
}

void disk_settle(struct disk *d)
{
    platter_settle(&d->platter);
}

bool disk_has(struct disk *d, const char *path)
{
    return platter_find(&d->platter, path) != NULL;
}

void disk_copy_database(struct disk *d, const char *from, const char *to)
{
    char a[NAME_BYTES_MAX], b[NAME_BYTES_MAX];

    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        snprintf(a, sizeof a, "%s%s", from, tails[i]);
        snprintf(b, sizeof b, "%s%s", to, tails[i]);
        platter_copy(&d->platter, a, b);
    }
}

void disk_take_database(struct disk *d, const char *to, struct disk *other, const char *from)
{
    char a[NAME_BYTES_MAX], b[NAME_BYTES_MAX];

    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        snprintf(a, sizeof a, "%s%s", from, tails[i]);
        snprintf(b, sizeof b, "%s%s", to, tails[i]);
        platter_take(&d->platter, b, &other->platter, a);
    }
}

void disk_remove_database(struct disk *d, const char *path)
{
    char name[NAME_BYTES_MAX];

    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        snprintf(name, sizeof name, "%s%s", path, tails[i]);
        platter_remove(&d->platter, name);
    }
}

void disk_export(const struct disk *d, const char *folder)
{
    platter_export(&d->platter, folder);
}

void disk_revive(struct disk *d, enum process p)
{
    d->half[p].dead = false;
    d->half[p].die_at = 0;
}
