#include "file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

/* What differs between systems, in one place. */
#ifdef _WIN32
#define SEPARATOR '\\'

static bool is_separator(char c)
{
    return c == '\\' || c == '/';
}

static bool is_absolute(const char *path)
{
    return is_separator(path[0]) || (path[0] != '\0' && path[1] == ':');
}

static bool owner_is_us(uint64_t owner)
{
    (void)owner;
    return true;
}

static uint32_t mode_of(uint64_t mode)
{
    (void)mode;
    return 0;
}

static bool group_find(uv_gid_t *id, const char *group, struct err *e)
{
    *id = 0;
    return err_set(e, ERR_REFUSED, "group %s: this system has no groups to own files", group);
}

/* A directory cannot be opened for this here, and NTFS orders its own metadata. */
static int sync_directory(const char *path)
{
    (void)path;
    return 0;
}

/* Gone when it is closed. */
static int open_nameless(const char *directory)
{
    char path[PATH_BYTES_MAX];
    uv_fs_t request;
    struct err e = {0};
    int file;

    if (!path_join(path, directory, "nameless", &e))
        return UV_ENAMETOOLONG;
    file = uv_fs_open(NULL, &request, path,
                      UV_FS_O_RDWR | UV_FS_O_CREAT | UV_FS_O_EXCL | UV_FS_O_TEMPORARY, 0600, NULL);
    uv_fs_req_cleanup(&request);
    return file;
}

/* In memory: what is mapped cannot be written behind here. */
static int map_file(int file, size_t n, const uint8_t **p)
{
    uint8_t *copy = mem_alloc(n);
    uv_buf_t into = uv_buf_init((char *)copy, (unsigned)n);
    uv_fs_t request;
    ssize_t got = uv_fs_read(NULL, &request, file, &into, 1, 0, NULL);

    uv_fs_req_cleanup(&request);
    *p = copy;
    if (got == (ssize_t)n)
        return 0;
    free(copy);
    return got < 0 ? (int)got : UV_EIO;
}

void file_unmap(const uint8_t *p, size_t n)
{
    (void)n;
    free((void *)(uintptr_t)p);
}
#else
#include <errno.h>
#include <grp.h>
#include <sys/mman.h>
#include <unistd.h>
#define SEPARATOR '/'

#ifdef O_TMPFILE
#define WITHOUT_NAME O_TMPFILE
#else
#define WITHOUT_NAME 0 /* a directory is not opened so */
#endif

static bool is_separator(char c)
{
    return c == '/';
}

static bool is_absolute(const char *path)
{
    return path[0] == '/';
}

static bool owner_is_us(uint64_t owner)
{
    return owner == geteuid();
}

static bool group_find(uv_gid_t *id, const char *group, struct err *e)
{
    const struct group *found = getgrnam(group);

    if (found == NULL)
        return err_set(e, ERR_USAGE, "there is no group %s on this PC", group);
    *id = found->gr_gid;
    return true;
}

static uint32_t mode_of(uint64_t mode)
{
    return (uint32_t)(mode & 07777);
}

static int sync_directory(const char *path)
{
    uv_fs_t request;
    int file = uv_fs_open(NULL, &request, path, UV_FS_O_RDONLY | UV_FS_O_DIRECTORY, 0, NULL);
    int status;

    uv_fs_req_cleanup(&request);
    if (file < 0)
        return file;
    status = uv_fs_fsync(NULL, &request, file, NULL);
    uv_fs_req_cleanup(&request);
    uv_fs_close(NULL, &request, file, NULL);
    uv_fs_req_cleanup(&request);
    return status;
}

/* Not every file system can make one without a name: then it loses it at once. */
static int open_nameless(const char *directory)
{
    char path[PATH_BYTES_MAX];
    uv_fs_t request;
    struct err e = {0};
    int file;

    file = uv_fs_open(NULL, &request, directory, UV_FS_O_RDWR | WITHOUT_NAME, 0600, NULL);
    uv_fs_req_cleanup(&request);
    if (file >= 0 || (file != UV_ENOTSUP && file != UV_EISDIR && file != UV_ENOENT))
        return file;
    if (!path_join(path, directory, "nameless.XXXXXX", &e))
        return UV_ENAMETOOLONG;
    file = uv_fs_mkstemp(NULL, &request, path, NULL);
    if (file >= 0)
        unlink(request.path);
    uv_fs_req_cleanup(&request);
    return file;
}

static int map_file(int file, size_t n, const uint8_t **p)
{
    void *at = mmap(NULL, n, PROT_READ, MAP_PRIVATE, file, 0);

    if (at == MAP_FAILED)
        return uv_translate_sys_error(errno);
    *p = at;
    return 0;
}

void file_unmap(const uint8_t *p, size_t n)
{
    munmap((void *)(uintptr_t)p, n);
}
#endif

/* Say what was tried on which path, and what the system answered. */
static bool fail(struct err *e, const char *tried, const char *path, int status)
{
    enum err_code code = ERR_STORE;

    if (status == UV_ENOSPC)
        code = ERR_FULL;
    else if (status == UV_ENOENT || status == UV_ENOTDIR || status == UV_ELOOP)
        code = ERR_INPUT;
    return err_set(e, code, "cannot %s %s: %s", tried, path, uv_strerror(status));
}

bool path_join(char *out, const char *directory, const char *name, struct err *e)
{
    size_t n = strlen(directory);
    bool bare = n > 0 && is_separator(directory[n - 1]);
    int written = bare ? snprintf(out, PATH_BYTES_MAX, "%s%s", directory, name)
                       : snprintf(out, PATH_BYTES_MAX, "%s%c%s", directory, SEPARATOR, name);

    if (written < 0 || written >= PATH_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "a path of %d bytes, allowed %d: %.60s...", written,
                       PATH_BYTES_MAX - 1, directory);
    return true;
}

bool path_absolute(char *out, const char *path, struct err *e)
{
    char here[PATH_BYTES_MAX];
    size_t n = sizeof here;
    int status;

    if (path[0] == '\0')
        return err_set(e, ERR_INPUT, "an empty path");
    while (path[0] == '.' && is_separator(path[1]))
        path += 2;
    if (is_absolute(path)) {
        if (strlen(path) >= PATH_BYTES_MAX)
            return err_set(e, ERR_LIMIT, "a path of %zu bytes, allowed %d: %.60s...", strlen(path),
                           PATH_BYTES_MAX - 1, path);
        memcpy(out, path, strlen(path) + 1);
        return true;
    }
    status = uv_cwd(here, &n);
    if (status != 0)
        return fail(e, "find", "the working directory", status);
    if (path[0] == '\0' || strcmp(path, ".") == 0) {
        memcpy(out, here, strlen(here) + 1);
        return true;
    }
    return path_join(out, here, path, e);
}

bool path_real(char *out, const char *path, struct err *e)
{
    uv_fs_t request;
    int status = uv_fs_realpath(NULL, &request, path, NULL);
    const char *real = request.ptr;

    if (status != 0)
        err_set(e, ERR_STORE, "%s: %s", path, uv_strerror(status));
    else if (strlen(real) >= PATH_BYTES_MAX)
        err_set(e, ERR_LIMIT, "the path of %s has more than %d bytes", path, PATH_BYTES_MAX - 1);
    else
        memcpy(out, real, strlen(real) + 1);
    uv_fs_req_cleanup(&request);
    return e->code == ERR_NONE;
}

const char *path_name(const char *path)
{
    const char *name = path;

    for (const char *p = path; *p != '\0'; p++) {
        if (is_separator(*p))
            name = p + 1;
    }
    return name;
}

void path_directory(char *out, const char *path)
{
    const char *name = path_name(path);
    size_t n = (size_t)(name - path);

    if (n == 0) {
        memcpy(out, ".", 2);
        return;
    }
    if (n > 1)
        n--;
    if (n >= PATH_BYTES_MAX)
        n = PATH_BYTES_MAX - 1;
    memcpy(out, path, n);
    out[n] = '\0';
}

bool file_exists(const char *path)
{
    uv_fs_t request;
    int status = uv_fs_lstat(NULL, &request, path, NULL);

    uv_fs_req_cleanup(&request);
    return status == 0;
}

bool file_stat(const char *path, struct file_info *info, struct err *e)
{
    uv_fs_t request;
    int status = uv_fs_lstat(NULL, &request, path, NULL);
    uv_stat_t *s = &request.statbuf;

    *info = (struct file_info){0};
    uv_fs_req_cleanup(&request);
    if (status != 0)
        return fail(e, "look at", path, status);
    info->bytes = s->st_size;
    info->modified_ms = (uint64_t)s->st_mtim.tv_sec * 1000 + (uint64_t)s->st_mtim.tv_nsec / 1000000;
    info->mode = mode_of(s->st_mode);
    info->is_file = (s->st_mode & S_IFMT) == S_IFREG;
    info->is_directory = (s->st_mode & S_IFMT) == S_IFDIR;
    info->is_link = (s->st_mode & S_IFMT) == S_IFLNK;
    info->is_ours = owner_is_us(s->st_uid);
    return true;
}

static void close_quietly(int file)
{
    uv_fs_t request;

    uv_fs_close(NULL, &request, file, NULL);
    uv_fs_req_cleanup(&request);
}

static int open_file(const char *path, int flags, uint32_t mode)
{
    uv_fs_t request;
    int file = uv_fs_open(NULL, &request, path, flags, (int)mode, NULL);

    uv_fs_req_cleanup(&request);
    return file;
}

/* The opened file, not the name: somebody may exchange it meanwhile. */
static bool check_regular(int file, const char *path, size_t max, struct err *e)
{
    uv_fs_t request;
    int status = uv_fs_fstat(NULL, &request, file, NULL);
    uv_stat_t s = request.statbuf;

    uv_fs_req_cleanup(&request);
    if (status != 0)
        return fail(e, "look at", path, status);
    if ((s.st_mode & S_IFMT) != S_IFREG)
        return err_set(e, ERR_INPUT, "%s is not a regular file", path);
    if (s.st_size > max)
        return err_set(e, ERR_LIMIT, "%s has %llu bytes, allowed %zu", path,
                       (unsigned long long)s.st_size, max);
    return true;
}

/* Until the end of the file; `max` counts because it may grow while we read. */
static bool read_all(int file, const char *path, size_t max, struct buf *out, struct err *e)
{
    char chunk[16384];
    size_t total = 0;

    for (;;) {
        uv_fs_t request;
        uv_buf_t into = uv_buf_init(chunk, sizeof chunk);
        ssize_t n = uv_fs_read(NULL, &request, file, &into, 1, -1, NULL);

        uv_fs_req_cleanup(&request);
        if (n < 0)
            return fail(e, "read", path, (int)n);
        if (n == 0)
            return true;
        total += (size_t)n;
        if (total > max)
            return err_set(e, ERR_LIMIT, "%s has more than %zu bytes", path, max);
        buf_add(out, chunk, (size_t)n);
        if (out->overflow)
            return err_set(e, ERR_LIMIT, "%s does not fit into %zu bytes", path, out->max);
    }
}

bool file_read(const char *path, size_t max, struct buf *out, struct err *e)
{
    /* Not blocking: the name may be a pipe that nobody writes to. */
    int file = open_file(path, UV_FS_O_RDONLY | UV_FS_O_NOFOLLOW | UV_FS_O_NONBLOCK, 0);
    bool ok;

    if (file < 0)
        return fail(e, "open", path, file);
    ok = check_regular(file, path, max, e) && read_all(file, path, max, out, e);
    close_quietly(file);
    return ok;
}

bool file_read_head(const char *path, size_t n, struct buf *out, struct err *e)
{
    int file = open_file(path, UV_FS_O_RDONLY | UV_FS_O_NOFOLLOW | UV_FS_O_NONBLOCK, 0);
    uv_fs_t request;
    ssize_t got = 0;
    uv_buf_t into;
    bool ok;

    if (file < 0)
        return fail(e, "open", path, file);
    into = uv_buf_init((char *)buf_extend(out, n), (unsigned)n);
    ok = check_regular(file, path, SIZE_MAX, e);
    if (ok) {
        got = uv_fs_read(NULL, &request, file, &into, 1, 0, NULL);
        uv_fs_req_cleanup(&request);
        ok = got >= 0 || fail(e, "read", path, (int)got);
    }
    out->n -= n - (size_t)(got > 0 ? got : 0);
    close_quietly(file);
    return ok;
}

static int write_all(int file, struct slice bytes)
{
    while (bytes.n > 0) {
        uv_fs_t request;
        /* uv_buf_t has no const; writing does not change it. */
        char *from = (char *)(uintptr_t)bytes.p;
        size_t step = bytes.n < (1u << 20) ? bytes.n : (1u << 20);
        uv_buf_t part = uv_buf_init(from, (unsigned)step);
        ssize_t n = uv_fs_write(NULL, &request, file, &part, 1, -1, NULL);

        uv_fs_req_cleanup(&request);
        if (n < 0)
            return (int)n;
        bytes.p += n;
        bytes.n -= (size_t)n;
    }
    return 0;
}

/* Write a new file through to the disk. */
static bool write_new(const char *path, struct slice bytes, uint32_t mode, struct err *e)
{
    uv_fs_t request;
    int file =
        open_file(path, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_EXCL | UV_FS_O_NOFOLLOW, mode);
    int status;

    if (file < 0)
        return fail(e, "create", path, file);
    status = uv_fs_fchmod(NULL, &request, file, (int)mode, NULL);
    uv_fs_req_cleanup(&request);
    if (status == 0)
        status = write_all(file, bytes);
    if (status == 0) {
        status = uv_fs_fsync(NULL, &request, file, NULL);
        uv_fs_req_cleanup(&request);
    }
    close_quietly(file);
    return status == 0 || fail(e, "write", path, status);
}

bool file_write_atomic(const char *path, struct slice bytes, uint32_t mode, struct err *e)
{
    char temporary[PATH_BYTES_MAX];
    struct err ignored = {0};

    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
        return err_set(e, ERR_LIMIT, "the path %.60s... is too long", path);
    /* A crash may have left one. */
    if (!file_remove(temporary, e))
        return false;
    if (!write_new(temporary, bytes, mode, e) || !file_rename(temporary, path, e)) {
        if (!file_remove(temporary, &ignored))
            err_wrap(e, "%s is left over", temporary);
        return false;
    }
    return true;
}

bool file_rename(const char *from, const char *to, struct err *e)
{
    char directory[PATH_BYTES_MAX];
    uv_fs_t request;
    int status = uv_fs_rename(NULL, &request, from, to, NULL);

    uv_fs_req_cleanup(&request);
    if (status != 0)
        return fail(e, "rename to", to, status);
    path_directory(directory, to);
    return file_sync_directory(directory, e);
}

bool file_remove(const char *path, struct err *e)
{
    uv_fs_t request;
    int status = uv_fs_unlink(NULL, &request, path, NULL);

    uv_fs_req_cleanup(&request);
    if (status != 0 && status != UV_ENOENT)
        return fail(e, "remove", path, status);
    return true;
}

static int make_one(const char *path, uint32_t mode)
{
    uv_fs_t request;
    int status = uv_fs_mkdir(NULL, &request, path, (int)mode, NULL);

    uv_fs_req_cleanup(&request);
    return status;
}

static bool is_directory(const char *path)
{
    uv_fs_t request;
    int status = uv_fs_stat(NULL, &request, path, NULL);
    bool yes = status == 0 && (request.statbuf.st_mode & S_IFMT) == S_IFDIR;

    uv_fs_req_cleanup(&request);
    return yes;
}

bool file_make_directory(const char *path, uint32_t mode, struct err *e)
{
    char part[PATH_BYTES_MAX];
    size_t n = strlen(path);
    int status;

    if (n >= sizeof part)
        return err_set(e, ERR_LIMIT, "the path %.60s... is too long", path);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i < n; i++) {
        if (!is_separator(part[i]))
            continue;
        part[i] = '\0';
        if (!is_directory(part) && (status = make_one(part, 0755)) != 0 && status != UV_EEXIST)
            return fail(e, "make the directory", part, status);
        part[i] = SEPARATOR;
    }
    status = make_one(path, mode);
    if (status != 0 && !(status == UV_EEXIST && is_directory(path)))
        return fail(e, "make the directory", path, status);
    return true;
}

bool file_set_mode(const char *path, uint32_t mode, struct err *e)
{
    uv_fs_t request;
    int status = uv_fs_chmod(NULL, &request, path, (int)mode, NULL);

    uv_fs_req_cleanup(&request);
    return status == 0 || fail(e, "change the mode of", path, status);
}

bool file_set_group(const char *path, const char *group, struct err *e)
{
    uv_fs_t request;
    uv_gid_t id = 0;
    int status;

    if (!group_find(&id, group, e))
        return false;
    status = uv_fs_chown(NULL, &request, path, (uv_uid_t)-1, id, NULL);
    uv_fs_req_cleanup(&request);
    return status == 0 || fail(e, "change the group of", path, status);
}

bool file_sync_directory(const char *path, struct err *e)
{
    int status = sync_directory(path);

    /* Some network file systems refuse it; they have their own order. */
    if (status != 0 && status != UV_EINVAL)
        return fail(e, "sync the directory", path, status);
    return true;
}

static int by_name(const void *a, const void *b)
{
    const char *const *left = a;
    const char *const *right = b;

    return strcmp(*left, *right);
}

bool file_list(const char *directory, uint32_t max, struct file_names *out, struct err *e)
{
    uv_fs_t request;
    uv_dirent_t entry;
    int n = uv_fs_scandir(NULL, &request, directory, 0, NULL);
    bool ok = true;

    *out = (struct file_names){0};
    if (n < 0) {
        ok = fail(e, "list", directory, n);
    } else if ((uint32_t)n > max) {
        ok = err_set(e, ERR_LIMIT, "%s holds %d files, allowed %u", directory, n, max);
    } else if (n > 0) {
        out->names = mem_alloc((size_t)n * sizeof *out->names);
        while (uv_fs_scandir_next(&request, &entry) != UV_EOF)
            out->names[out->n++] = mem_text(entry.name);
        qsort(out->names, out->n, sizeof *out->names, by_name);
    }
    uv_fs_req_cleanup(&request);
    return ok;
}

void file_names_close(struct file_names *f)
{
    for (uint32_t i = 0; i < f->n; i++)
        free(f->names[i]);
    free(f->names);
    *f = (struct file_names){0};
}

bool file_append_open(const char *path, uint32_t mode, int *file, uint64_t *bytes, struct err *e)
{
    uv_fs_t request;
    int status;

    *file =
        open_file(path, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_APPEND | UV_FS_O_NOFOLLOW, mode);
    if (*file < 0)
        return fail(e, "open", path, *file);
    status = uv_fs_fstat(NULL, &request, *file, NULL);
    *bytes = request.statbuf.st_size;
    uv_fs_req_cleanup(&request);
    if (status != 0) {
        file_append_close(file);
        return fail(e, "look at", path, status);
    }
    return true;
}

bool file_append(int file, struct slice bytes, struct err *e)
{
    int status = write_all(file, bytes);

    return status == 0 || fail(e, "append to", "a file", status);
}

void file_append_close(int *file)
{
    if (*file >= 0)
        close_quietly(*file);
    *file = -1;
}

bool file_nameless_open(const char *directory, int *file, struct err *e)
{
    *file = open_nameless(directory);
    return *file >= 0 || fail(e, "make a file in", directory, *file);
}

bool file_map(int file, size_t n, const uint8_t **p, struct err *e)
{
    int status = map_file(file, n, p);

    return status == 0 || fail(e, "read", "a file", status);
}
