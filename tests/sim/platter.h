/* What a power cut would leave: for each file the writes since its last sync, for the directory the
 * files that came and went since its last sync. Files are read and put right through the system
 * only while nobody has them open. */
#ifndef SIM_PLATTER_H
#define SIM_PLATTER_H

#include <navette/bytes.h>

#include "disk.h"

/* One write or truncation that is not durable yet. */
struct platter_op {
    bool truncate; /* to `offset` bytes */
    int64_t offset;
    int64_t size_before;
    struct buf old;   /* what was there (shorter when the file ended before) */
    struct buf fresh; /* what was written */
};

struct platter_file {
    char *path;
    struct platter_op *ops;
    uint32_t n, room;
};

/* A name that came or went and is not durable yet. */
struct platter_name {
    bool created;
    char *path;
    struct buf content; /* of a deleted file: what of it was durable */
};

struct platter {
    struct platter_file *files;
    uint32_t file_count, file_room;
    struct platter_name *names;
    uint32_t name_count, name_room;
};

void platter_close(struct platter *p);

/* `old` and `fresh` are copied. */
void platter_write(struct platter *p, const char *path, int64_t offset, int64_t size_before,
                   struct slice old, struct slice fresh);
void platter_truncate(struct platter *p, const char *path, int64_t size, int64_t size_before,
                      struct slice old);
void platter_create(struct platter *p, const char *path);
/* Call before the file is unlinked. */
void platter_delete(struct platter *p, const char *path, bool durable);
/* The file is durable; if its name was new, the directory as well (SQLite syncs it then). */
void platter_sync(struct platter *p, const char *path);

/* Put all files to what a power cut left of them, and start afresh. */
void platter_lose(struct platter *p, struct rng *r, enum survival survival);

#endif
