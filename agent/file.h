/* All file work of the shell: UTF-8 paths, through uv_fs_*, synchronous, every error with the path
 * in it. The store does its own through SQLite. */
#ifndef NAVETTE_FILE_H
#define NAVETTE_FILE_H

#include <navette/bytes.h>

#define PATH_BYTES_MAX 1024 /* a path with its NUL */

struct file_info {
    uint64_t bytes;
    uint64_t modified_ms;
    uint32_t mode; /* permission bits; 0 where the system has none */
    bool is_file;
    bool is_directory;
    bool is_link; /* of the name itself: links are not followed */
    bool is_ours; /* belongs to the user who runs this (always true where the system has no owners)
                   */
};

/* `directory` + separator + `name` into `out` (PATH_BYTES_MAX). ERR_LIMIT when it does not fit. */
MUST_USE bool path_join(char *out, const char *directory, const char *name, struct err *e);
/* Make `path` absolute from the working directory, without touching the disk. */
MUST_USE bool path_absolute(char *out, const char *path, struct err *e);
/* The one name of what is there, without links, into `out` (PATH_BYTES_MAX). */
MUST_USE bool path_real(char *out, const char *path, struct err *e);
/* The part after the last separator. */
const char *path_name(const char *path);
/* Everything before the last separator ("." when there is none), into `out` (PATH_BYTES_MAX). */
void path_directory(char *out, const char *path);

/* False when there is nothing of that name, or it cannot be looked at. */
bool file_exists(const char *path);
/* ERR_INPUT when it does not exist. */
MUST_USE bool file_stat(const char *path, struct file_info *info, struct err *e);

/* Append the whole regular file to `out`, opened with at least `max` as its maximum. ERR_INPUT when
 * it does not exist or is no regular file, ERR_LIMIT when it is longer than `max`. A link as the
 * last part of the path is not followed. */
MUST_USE bool file_read(const char *path, size_t max, struct buf *out, struct err *e);
/* Its first bytes, at most `n`, likewise and however long it is. */
MUST_USE bool file_read_head(const char *path, size_t n, struct buf *out, struct err *e);
/* Replace `path` by `bytes` such that a power cut leaves the old or the new content whole:
 * temporary name beside it, fsync, rename, fsync of the directory. ERR_FULL when the disk is full;
 * the old content then stands. */
MUST_USE bool file_write_atomic(const char *path, struct slice bytes, uint32_t mode, struct err *e);
/* Rename (replacing what is there), then fsync the directory of the new name. */
MUST_USE bool file_rename(const char *from, const char *to, struct err *e);
/* Remove a file; one that does not exist is fine. */
MUST_USE bool file_remove(const char *path, struct err *e);
/* Make a directory with its parents (0755 the parents); one that exists is fine and keeps its mode.
 */
MUST_USE bool file_make_directory(const char *path, uint32_t mode, struct err *e);
MUST_USE bool file_set_mode(const char *path, uint32_t mode, struct err *e);
/* ERR_USAGE when the system has no such group; ERR_REFUSED where it has none at all. */
MUST_USE bool file_set_group(const char *path, const char *group, struct err *e);
MUST_USE bool file_sync_directory(const char *path, struct err *e);

/* Names in a directory, sorted, without "." and ".."; at most `max` of them, else ERR_LIMIT. */
struct file_names {
    char **names;
    uint32_t n;
};
MUST_USE bool file_list(const char *directory, uint32_t max, struct file_names *out, struct err *e);
void file_names_close(struct file_names *f);

/* A file to append to, made when missing; `bytes` is its length. `file` is -1 while none is open.
 */
MUST_USE bool file_append_open(const char *path, uint32_t mode, int *file, uint64_t *bytes,
                               struct err *e);
MUST_USE bool file_append(int file, struct slice bytes, struct err *e);
void file_append_close(int *file);

/* A file in `directory` that has no name, for this process alone, gone with it: append to it and
 * close it as one that was opened to append. ERR_FULL when the disk is full. */
MUST_USE bool file_nameless_open(const char *directory, int *file, struct err *e);
/* Its `n` bytes (1 at least) to be read, not held in memory that only swapping could free; until
 * file_unmap. What the disk cannot give back when it is read ends the process, as memory does that
 * is out. */
MUST_USE bool file_map(int file, size_t n, const uint8_t **p, struct err *e);
void file_unmap(const uint8_t *p, size_t n);

#endif
