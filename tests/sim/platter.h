/* Files in memory, and what a power cut would leave of them: for each the writes since its last
 * sync, for the directory the files that came and went since its last sync. */
#ifndef SIM_PLATTER_H
#define SIM_PLATTER_H

#include <navette/bytes.h>

#include "disk.h"
#include "latch.h"

struct platter_file {
    char *name; /* NULL: a temporary one, which nobody misses after a crash */
    bool there;
    uint32_t users; /* who has it open */
    struct buf content;
    struct latch latch;
    struct platter_op *ops; /* writes and truncations that are not durable yet */
    uint32_t op_n, op_room;
    struct buf bytes; /* of them all: what they replaced, what they wrote */
};

/* A name that came or went and is not durable yet. */
struct platter_name {
    struct platter_file *file;
    bool created;
    struct buf content; /* of a deleted file: what of it was durable */
};

struct platter {
    struct platter_file **files; /* every name ever used, also where nothing is there now */
    uint32_t file_n, file_room;
    uint32_t touched; /* so many of them, in front, were written since all was durable */
    struct platter_name *names;
    uint32_t name_n, name_room;
};

void platter_close(struct platter *p);

/* NULL when it is not there. */
struct platter_file *platter_find(struct platter *p, const char *name);
/* As SQLite's own VFS has it: an empty file is as good as none. */
bool platter_has(struct platter *p, const char *name);
/* One that is not there is made, which is no matter of the directory's yet: platter_create. NULL
 * when it is not there and not to be made. */
struct platter_file *platter_open(struct platter *p, const char *name, bool make);
void platter_leave(struct platter_file *f);

/* At most `n` bytes from `offset` on: fewer where the file ends. */
struct slice platter_read(const struct platter_file *f, int64_t offset, size_t n);

/* Changes. A power cut takes them back until they are synced; with a NULL `p` it does not. */
void platter_create(struct platter *p, const char *name);
void platter_write(struct platter *p, struct platter_file *f, int64_t offset, struct slice bytes);
void platter_truncate(struct platter *p, struct platter_file *f, int64_t size);
/* The file is durable; if its name was new, the directory as well (SQLite syncs it then). */
void platter_sync(struct platter *p, struct platter_file *f);
/* Of a file that nobody has open. */
void platter_delete(struct platter *p, const char *name, bool durable);

/* ---- while nobody has the files open ---- */

/* All is durable. */
void platter_settle(struct platter *p);
void platter_remove(struct platter *p, const char *name);
/* `to` is as `from` is, durably: not there if that is not. */
void platter_copy(struct platter *p, const char *from, const char *to);
/* The same from another one. */
void platter_take(struct platter *p, const char *to, struct platter *other, const char *from);
/* Put all files to what a power cut left of them, and start afresh. */
void platter_lose(struct platter *p, struct rng *r, enum survival survival);
/* Write the files to the system's disk, into `folder`. */
void platter_export(const struct platter *p, const char *folder);

#endif
