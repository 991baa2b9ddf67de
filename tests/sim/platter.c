#include "platter.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTENT_BYTES_MAX (256u << 20)
#define SECTOR_BYTES      512

/* One write or truncation that is not durable yet. */
struct platter_op {
    bool truncate; /* to `offset` bytes */
    int64_t offset;
    int64_t size_before;
    size_t
        at; /* in the file's `bytes`: what was there (shorter when the file ended before), then */
    size_t old_n, fresh_n;
};

/* ---- content ---- */

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
    if (content->n < at)
        content_resize(content, at);
    if (content->n < at + bytes.n && buf_extend(content, at + bytes.n - content->n) == NULL)
        abort();
    memcpy(content->p + at, bytes.p, bytes.n);
}

static void content_set(struct buf *content, struct slice bytes)
{
    buf_clear(content);
    content_put(content, 0, bytes);
}

static struct slice op_bytes(const struct platter_file *f, size_t at, size_t n)
{
    return n == 0 ? (struct slice){0} : (struct slice){f->bytes.p + at, n};
}

static void content_undo(struct buf *content, const struct platter_file *f)
{
    for (uint32_t i = f->op_n; i-- > 0;) {
        const struct platter_op *op = &f->ops[i];

        content_put(content, (size_t)op->offset, op_bytes(f, op->at, op->old_n));
        content_resize(content, (size_t)op->size_before);
    }
}

/* A write reached the disk: all of it, or those of its sectors that chance says. */
static void content_redo(struct buf *content, const struct platter_file *f,
                         const struct platter_op *op, struct rng *r, bool whole)
{
    if (op->truncate) {
        if (whole || rng_chance(r, 50))
            content_resize(content, (size_t)op->offset);
        return;
    }
    for (size_t at = 0; at < op->fresh_n; at += SECTOR_BYTES) {
        size_t n = op->fresh_n - at < SECTOR_BYTES ? op->fresh_n - at : SECTOR_BYTES;

        if (whole || rng_chance(r, 50))
            content_put(content, (size_t)op->offset + at, op_bytes(f, op->at + op->old_n + at, n));
    }
}

/* ---- files ---- */

static struct platter_file *file_new(const char *name)
{
    struct platter_file *f = mem_alloc(sizeof *f);

    f->name = name == NULL ? NULL : mem_text(name);
    buf_open(&f->content, CONTENT_BYTES_MAX);
    buf_open(&f->bytes, CONTENT_BYTES_MAX);
    return f;
}

static void file_free(struct platter_file *f)
{
    assert(f->latch.mapped == 0);
    buf_close(&f->content);
    buf_close(&f->bytes);
    free(f->ops);
    free(f->name);
    free(f);
}

static void file_forget(struct platter_file *f)
{
    f->op_n = 0;
    buf_clear(&f->bytes);
}

static struct platter_file *file_named(struct platter *p, const char *name)
{
    for (uint32_t i = 0; i < p->file_n; i++)
        if (strcmp(p->files[i]->name, name) == 0)
            return p->files[i];
    if (p->file_n == p->file_room) {
        p->file_room = p->file_room * 2 + 8;
        p->files = mem_grow(p->files, p->file_room * sizeof *p->files);
    }
    p->files[p->file_n] = file_new(name);
    return p->files[p->file_n++];
}

/* Those that change come to the front, in the order in which they did: in that order chance is
 * asked what a power cut leaves of them. */
static void file_touch(struct platter *p, struct platter_file *f)
{
    uint32_t i = 0;

    while (p->files[i] != f)
        i++;
    if (i < p->touched)
        return;
    p->files[i] = p->files[p->touched];
    p->files[p->touched++] = f;
}

struct platter_file *platter_find(struct platter *p, const char *name)
{
    struct platter_file *f = file_named(p, name);

    return f->there ? f : NULL;
}

bool platter_has(struct platter *p, const char *name)
{
    const struct platter_file *f = platter_find(p, name);

    return f != NULL && f->content.n > 0;
}

struct platter_file *platter_open(struct platter *p, const char *name, bool make)
{
    struct platter_file *f = name == NULL ? file_new(NULL) : file_named(p, name);

    f->there |= make;
    if (!f->there)
        return NULL;
    f->users++;
    return f;
}

void platter_leave(struct platter_file *f)
{
    f->users--;
    if (f->name == NULL)
        file_free(f);
}

struct slice platter_read(const struct platter_file *f, int64_t offset, size_t n)
{
    size_t at = (size_t)offset;

    if (at >= f->content.n)
        return (struct slice){0};
    return (struct slice){f->content.p + at, n < f->content.n - at ? n : f->content.n - at};
}

/* ---- changes ---- */

static void op_add(struct platter *p, struct platter_file *f, struct platter_op op,
                   struct slice old, struct slice fresh)
{
    file_touch(p, f);
    if (f->op_n == f->op_room) {
        f->op_room = f->op_room * 2 + 16;
        f->ops = mem_grow(f->ops, f->op_room * sizeof *f->ops);
    }
    op.size_before = (int64_t)f->content.n;
    op.at = f->bytes.n;
    op.old_n = old.n;
    op.fresh_n = fresh.n;
    buf_add(&f->bytes, old.p, old.n);
    buf_add(&f->bytes, fresh.p, fresh.n);
    assert(!f->bytes.overflow);
    f->ops[f->op_n++] = op;
}

void platter_write(struct platter *p, struct platter_file *f, int64_t offset, struct slice bytes)
{
    if (p != NULL)
        op_add(p, f, (struct platter_op){.offset = offset}, platter_read(f, offset, bytes.n),
               bytes);
    content_put(&f->content, (size_t)offset, bytes);
}

void platter_truncate(struct platter *p, struct platter_file *f, int64_t size)
{
    if (p != NULL)
        op_add(p, f, (struct platter_op){.truncate = true, .offset = size},
               platter_read(f, size, SIZE_MAX), (struct slice){0});
    content_resize(&f->content, (size_t)size);
}

static struct platter_name *name_add(struct platter *p, struct platter_file *f)
{
    if (p->name_n == p->name_room) {
        p->name_room = p->name_room * 2 + 8;
        p->names = mem_grow(p->names, p->name_room * sizeof *p->names);
    }
    p->names[p->name_n] = (struct platter_name){.file = f};
    return &p->names[p->name_n++];
}

static void names_forget(struct platter *p)
{
    for (uint32_t i = 0; i < p->name_n; i++)
        buf_close(&p->names[i].content);
    p->name_n = 0;
}

void platter_create(struct platter *p, const char *name)
{
    name_add(p, file_named(p, name))->created = true;
}

static void file_remove(struct platter_file *f)
{
    assert(f->users == 0);
    f->there = false;
    file_forget(f);
    buf_clear(&f->content);
}

void platter_delete(struct platter *p, const char *name, bool durable)
{
    struct platter_file *f = file_named(p, name);
    struct platter_name *gone = name_add(p, f);

    file_touch(p, f);
    gone->content = f->content;
    buf_open(&f->content, CONTENT_BYTES_MAX);
    content_undo(&gone->content, f);
    file_remove(f);
    if (durable)
        names_forget(p);
}

void platter_sync(struct platter *p, struct platter_file *f)
{
    file_touch(p, f);
    file_forget(f);
    for (uint32_t i = 0; i < p->name_n; i++) {
        if (p->names[i].created && p->names[i].file == f) {
            names_forget(p);
            return;
        }
    }
}

/* ---- while nobody has the files open ---- */

void platter_settle(struct platter *p)
{
    for (uint32_t i = 0; i < p->touched; i++)
        file_forget(p->files[i]);
    p->touched = 0;
    names_forget(p);
}

void platter_close(struct platter *p)
{
    for (uint32_t i = 0; i < p->file_n; i++)
        file_free(p->files[i]);
    names_forget(p);
    free(p->files);
    free(p->names);
    *p = (struct platter){0};
}

void platter_remove(struct platter *p, const char *name)
{
    file_remove(file_named(p, name));
}

void platter_copy(struct platter *p, const char *from, const char *to)
{
    platter_take(p, to, p, from);
}

void platter_take(struct platter *p, const char *to, struct platter *other, const char *from)
{
    const struct platter_file *source = file_named(other, from);
    struct platter_file *f = file_named(p, to);

    file_remove(f);
    f->there = source->there;
    content_set(&f->content, buf_slice(&source->content));
}

/* Names come and go in order, as journaling file systems do it: what survives is a prefix. */
static void lose_names(struct platter *p, struct rng *r, enum survival survival)
{
    uint32_t keep = survival == SURVIVES_NOTHING ? 0 : rng_below(r, p->name_n + 1);

    while (p->name_n > keep) {
        struct platter_name *name = &p->names[--p->name_n];

        name->file->there = !name->created;
        content_set(&name->file->content, buf_slice(&name->content));
        buf_close(&name->content);
    }
    names_forget(p);
}

static void lose_writes(struct platter_file *f, struct rng *r, enum survival survival)
{
    uint32_t keep = survival == SURVIVES_PREFIX ? rng_below(r, f->op_n + 1) : 0;

    if (f->op_n == 0)
        return;
    content_undo(&f->content, f);
    for (uint32_t i = 0; i < f->op_n; i++)
        if (i < keep || survival == SURVIVES_ANY)
            content_redo(&f->content, f, &f->ops[i], r, i < keep);
    file_forget(f);
}

void platter_lose(struct platter *p, struct rng *r, enum survival survival)
{
    /* Before names: what was written into a file whose name then vanishes does not matter any more.
     */
    for (uint32_t i = 0; i < p->touched; i++)
        lose_writes(p->files[i], r, survival);
    lose_names(p, r, survival);
}

static void file_export(const struct platter_file *f, const char *folder)
{
    const char *name = strrchr(f->name, '/');
    char path[512];
    FILE *to;
    bool ok;

    snprintf(path, sizeof path, "%s/%s", folder, name == NULL ? f->name : name + 1);
    to = fopen(path, "wb");
    ok = to != NULL && fwrite(f->content.p, 1, f->content.n, to) == f->content.n;
    ok = to != NULL && fclose(to) == 0 && ok;
    if (!ok)
        fprintf(stderr, "cannot write %s\n", path);
}

void platter_export(const struct platter *p, const char *folder)
{
    for (uint32_t i = 0; i < p->file_n; i++)
        if (p->files[i]->there)
            file_export(p->files[i], folder);
}
