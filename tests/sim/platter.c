#include "platter.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTENT_BYTES_MAX (64u << 20)
#define SECTOR_BYTES      512

static void op_close(struct platter_op *op)
{
    buf_close(&op->old);
    buf_close(&op->fresh);
}

static void file_forget(struct platter_file *f)
{
    for (uint32_t i = 0; i < f->n; i++)
        op_close(&f->ops[i]);
    f->n = 0;
}

static void names_forget(struct platter *p)
{
    for (uint32_t i = 0; i < p->name_count; i++) {
        free(p->names[i].path);
        buf_close(&p->names[i].content);
    }
    p->name_count = 0;
}

void platter_close(struct platter *p)
{
    for (uint32_t i = 0; i < p->file_count; i++) {
        file_forget(&p->files[i]);
        free(p->files[i].ops);
        free(p->files[i].path);
    }
    names_forget(p);
    free(p->files);
    free(p->names);
    *p = (struct platter){0};
}

static struct platter_file *file_of(struct platter *p, const char *path)
{
    for (uint32_t i = 0; i < p->file_count; i++)
        if (strcmp(p->files[i].path, path) == 0)
            return &p->files[i];
    if (p->file_count == p->file_room) {
        p->file_room = p->file_room * 2 + 8;
        p->files = mem_grow(p->files, p->file_room * sizeof *p->files);
    }
    p->files[p->file_count] = (struct platter_file){.path = mem_text(path)};
    return &p->files[p->file_count++];
}

static void buf_copy(struct buf *to, struct slice from)
{
    buf_open(to, CONTENT_BYTES_MAX);
    buf_add(to, from.p, from.n);
    assert(!to->overflow);
}

static void op_add(struct platter *p, const char *path, struct platter_op op, struct slice old,
                   struct slice fresh)
{
    struct platter_file *f = file_of(p, path);

    if (f->n == f->room) {
        f->room = f->room * 2 + 16;
        f->ops = mem_grow(f->ops, f->room * sizeof *f->ops);
    }
    buf_copy(&op.old, old);
    buf_copy(&op.fresh, fresh);
    f->ops[f->n++] = op;
}

void platter_write(struct platter *p, const char *path, int64_t offset, int64_t size_before,
                   struct slice old, struct slice fresh)
{
    op_add(p, path, (struct platter_op){.offset = offset, .size_before = size_before}, old, fresh);
}

void platter_truncate(struct platter *p, const char *path, int64_t size, int64_t size_before,
                      struct slice old)
{
    struct platter_op op = {.truncate = true, .offset = size, .size_before = size_before};

    op_add(p, path, op, old, (struct slice){0});
}

static struct platter_name *name_add(struct platter *p, const char *path)
{
    if (p->name_count == p->name_room) {
        p->name_room = p->name_room * 2 + 8;
        p->names = mem_grow(p->names, p->name_room * sizeof *p->names);
    }
    p->names[p->name_count] = (struct platter_name){.path = mem_text(path)};
    return &p->names[p->name_count++];
}

void platter_create(struct platter *p, const char *path)
{
    name_add(p, path)->created = true;
}

static void content_read(struct buf *content, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    buf_open(content, CONTENT_BYTES_MAX);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && st.st_size > 0) {
        uint8_t *to = buf_extend(content, (size_t)st.st_size);

        assert(to != NULL);
        if (read(fd, to, (size_t)st.st_size) != st.st_size)
            abort();
    }
    close(fd);
}

static void content_write(const struct buf *content, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, content->p, content->n) != (ssize_t)content->n)
        abort();
    close(fd);
}

/* Cut, or lengthen with zeros. */
static void content_resize(struct buf *content, size_t n)
{
    if (n > content->n) {
        size_t more = n - content->n;
        uint8_t *to = buf_extend(content, more);

        assert(to != NULL);
        memset(to, 0, more);
    }
    content->n = n;
}

static void content_put(struct buf *content, size_t at, struct slice bytes)
{
    if (bytes.n == 0)
        return;
    if (content->n < at + bytes.n)
        content_resize(content, at + bytes.n);
    memcpy(content->p + at, bytes.p, bytes.n);
}

static void content_undo(struct buf *content, const struct platter_file *f)
{
    for (uint32_t i = f->n; i-- > 0;) {
        const struct platter_op *op = &f->ops[i];

        content_put(content, (size_t)op->offset, buf_slice(&op->old));
        content_resize(content, (size_t)op->size_before);
    }
}

/* A write reached the disk: all of it, or those of its sectors that chance says. */
static void content_redo(struct buf *content, const struct platter_op *op, struct rng *r,
                         bool whole)
{
    if (op->truncate) {
        if (whole || rng_chance(r, 50))
            content_resize(content, (size_t)op->offset);
        return;
    }
    for (size_t at = 0; at < op->fresh.n; at += SECTOR_BYTES) {
        size_t n = op->fresh.n - at < SECTOR_BYTES ? op->fresh.n - at : SECTOR_BYTES;

        if (whole || rng_chance(r, 50))
            content_put(content, (size_t)op->offset + at, (struct slice){op->fresh.p + at, n});
    }
}

void platter_delete(struct platter *p, const char *path, bool durable)
{
    struct platter_file *f = file_of(p, path);
    struct platter_name *name = name_add(p, path);

    content_read(&name->content, path);
    content_undo(&name->content, f);
    file_forget(f);
    if (durable)
        names_forget(p);
}

void platter_sync(struct platter *p, const char *path)
{
    file_forget(file_of(p, path));
    for (uint32_t i = 0; i < p->name_count; i++) {
        if (p->names[i].created && strcmp(p->names[i].path, path) == 0) {
            names_forget(p);
            return;
        }
    }
}

/* Names come and go in order, as journaling file systems do it: what survives is a prefix. */
static void lose_names(struct platter *p, struct rng *r, enum survival survival)
{
    uint32_t keep = survival == SURVIVES_NOTHING ? 0 : rng_below(r, p->name_count + 1);

    while (p->name_count > keep) {
        struct platter_name *name = &p->names[--p->name_count];

        if (name->created)
            unlink(name->path);
        else
            content_write(&name->content, name->path);
        free(name->path);
        buf_close(&name->content);
    }
    names_forget(p);
}

static void lose_writes(struct platter_file *f, struct rng *r, enum survival survival)
{
    struct buf content = {0};
    uint32_t keep = survival == SURVIVES_PREFIX ? rng_below(r, f->n + 1) : 0;

    if (f->n == 0)
        return;
    content_read(&content, f->path);
    content_undo(&content, f);
    for (uint32_t i = 0; i < f->n; i++)
        if (i < keep || survival == SURVIVES_ANY)
            content_redo(&content, &f->ops[i], r, i < keep);
    content_write(&content, f->path);
    buf_close(&content);
    file_forget(f);
}

void platter_lose(struct platter *p, struct rng *r, enum survival survival)
{
    /* Before names: what was written into a file whose name then vanishes does not matter any more.
     */
    for (uint32_t i = 0; i < p->file_count; i++)
        lose_writes(&p->files[i], r, survival);
    lose_names(p, r, survival);
}
