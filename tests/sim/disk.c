#include "disk.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "platter.h"

#define UNIX_EPOCH_JULIAN_MS INT64_C(210866760000000)

/* One process on the PC, as SQLite sees it. */
struct machine_half {
    sqlite3_vfs vfs;
    char name[48];
    struct disk *disk;
    bool dead;
    uint32_t steps;
    uint32_t die_at; /* in `steps`; 0: never */
    enum death how;
};

struct disk {
    sqlite3_vfs *real;
    struct machine_half half[PROCESS_COUNT];
    struct platter platter;
    struct rng rng;
    const uint64_t *wall_ms;
};

/* An open file; the system's own sqlite3_file follows it in memory. */
struct disk_file {
    sqlite3_file base;
    struct machine_half *half;
    const char *path; /* NULL: a temporary file, which nobody misses after a crash */
    sqlite3_file *real;
};

static struct disk_file *file_of(sqlite3_file *f)
{
    return (struct disk_file *)f;
}

static sqlite3_file *real_of(sqlite3_file *f)
{
    return file_of(f)->real;
}

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
    if (h->dead)
        return false;
    h->steps++;
    if (h->die_at != 0 && h->steps >= h->die_at)
        die(h);
    return !h->dead;
}

/* ---- files ---- */

static int file_close(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}

static int file_read(sqlite3_file *f, void *to, int n, sqlite3_int64 offset)
{
    return real_of(f)->pMethods->xRead(real_of(f), to, n, offset);
}

static int file_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

/* What stands in the file from `offset`, at most `n` bytes: fewer where it ends. */
static struct slice read_before(sqlite3_file *f, uint8_t *room, int64_t n, int64_t offset,
                                int64_t size)
{
    if (offset >= size)
        return (struct slice){0};
    if (n > size - offset)
        n = size - offset;
    if (real_of(f)->pMethods->xRead(real_of(f), room, (int)n, offset) != SQLITE_OK)
        abort();
    return (struct slice){room, (size_t)n};
}

static int file_write(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 offset)
{
    struct disk_file *file = file_of(f);
    struct slice fresh = {bytes, (size_t)n};
    sqlite3_int64 size = 0;
    uint8_t *room;

    if (file->path == NULL)
        return file->real->pMethods->xWrite(file->real, bytes, n, offset);
    if (!may_step(file->half))
        return SQLITE_IOERR_WRITE;
    if (file_size(f, &size) != SQLITE_OK)
        return SQLITE_IOERR_FSTAT;
    room = mem_alloc((size_t)n);
    platter_write(&file->half->disk->platter, file->path, offset, size,
                  read_before(f, room, n, offset, size), fresh);
    free(room);
    return file->real->pMethods->xWrite(file->real, bytes, n, offset);
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 to)
{
    struct disk_file *file = file_of(f);
    sqlite3_int64 size = 0;
    uint8_t *room;

    if (file->path == NULL)
        return file->real->pMethods->xTruncate(file->real, to);
    if (!may_step(file->half))
        return SQLITE_IOERR_TRUNCATE;
    if (file_size(f, &size) != SQLITE_OK)
        return SQLITE_IOERR_FSTAT;
    room = mem_alloc((size_t)(size > to ? size - to : 0));
    platter_truncate(&file->half->disk->platter, file->path, to, size,
                     read_before(f, room, size - to, to, size));
    free(room);
    return file->real->pMethods->xTruncate(file->real, to);
}

/* Nothing is asked of the real disk: what is durable is decided here. */
static int file_sync(sqlite3_file *f, int flags)
{
    struct disk_file *file = file_of(f);

    (void)flags;
    if (file->path == NULL)
        return SQLITE_OK;
    if (!may_step(file->half))
        return SQLITE_IOERR_FSYNC;
    platter_sync(&file->half->disk->platter, file->path);
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int file_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int file_check_reserved(sqlite3_file *f, int *out)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int file_control(sqlite3_file *f, int op, void *argument)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, argument);
}

static int file_sector_size(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int file_characteristics(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int file_shm_map(sqlite3_file *f, int page, int bytes, int extend, void volatile **out)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), page, bytes, extend, out);
}

static int file_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int file_shm_unmap(sqlite3_file *f, int remove)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), remove && !file_of(f)->half->dead);
}

/* ---- the file system ---- */

static struct machine_half *half_of(sqlite3_vfs *v)
{
    return v->pAppData;
}

static sqlite3_vfs *real_vfs(sqlite3_vfs *v)
{
    return half_of(v)->disk->real;
}

/* A file that is not there yet is about to be created: that is a step. */
static bool may_create(struct machine_half *h, const char *path)
{
    int there = 0;

    h->disk->real->xAccess(h->disk->real, path, SQLITE_ACCESS_EXISTS, &there);
    if (there)
        return true;
    if (!may_step(h))
        return false;
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
    int result;

    *file = (struct disk_file){.half = half_of(v), .path = lasting ? path : NULL};
    file->real = (sqlite3_file *)(file + 1);
    if (lasting && (flags & SQLITE_OPEN_CREATE) != 0 && !may_create(file->half, path))
        return SQLITE_CANTOPEN;
    result = real_vfs(v)->xOpen(real_vfs(v), path, file->real, flags, out_flags);
    if (result == SQLITE_OK)
        file->base.pMethods = &methods;
    return result;
}

static int vfs_delete(sqlite3_vfs *v, const char *path, int sync_directory)
{
    struct machine_half *h = half_of(v);
    int there = 0;

    real_vfs(v)->xAccess(real_vfs(v), path, SQLITE_ACCESS_EXISTS, &there);
    if (!there)
        return SQLITE_IOERR_DELETE_NOENT;
    if (!may_step(h))
        return SQLITE_IOERR_DELETE;
    platter_delete(&h->disk->platter, path, sync_directory != 0);
    return real_vfs(v)->xDelete(real_vfs(v), path, 0);
}

static int vfs_access(sqlite3_vfs *v, const char *path, int flags, int *out)
{
    return real_vfs(v)->xAccess(real_vfs(v), path, flags, out);
}

static int vfs_full_path(sqlite3_vfs *v, const char *path, int n, char *out)
{
    return real_vfs(v)->xFullPathname(real_vfs(v), path, n, out);
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
    return real_vfs(v)->xGetLastError(real_vfs(v), n, out);
}

/* ---- the disk ---- */

static void half_open(struct disk *d, enum process p, const char *name)
{
    struct machine_half *h = &d->half[p];

    h->disk = d;
    snprintf(h->name, sizeof h->name, "%s-%s", name, p == PROCESS_AGENT ? "agent" : "app");
    h->vfs = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = (int)sizeof(struct disk_file) + d->real->szOsFile,
        .mxPathname = d->real->mxPathname,
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

    d->real = sqlite3_vfs_find("unix");
    assert(d->real != NULL);
    d->rng = rng;
    d->wall_ms = wall_ms;
    half_open(d, PROCESS_AGENT, name);
    half_open(d, PROCESS_APP, name);
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

static void remove_shared_memory(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    char path[512];

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        size_t n = strlen(entry->d_name);

        if (n < 4 || strcmp(entry->d_name + n - 4, "-shm") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
}

void disk_lose_power(struct disk *d, const char *folder, enum survival survival)
{
    platter_lose(&d->platter, &d->rng, survival);
    remove_shared_memory(folder);
}

void disk_settle(struct disk *d)
{
    platter_close(&d->platter);
}

void disk_revive(struct disk *d, enum process p)
{
    d->half[p].dead = false;
    d->half[p].die_at = 0;
}
