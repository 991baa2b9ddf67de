/* The disk of one simulated PC: files in memory, and SQLite VFSs on them, one for each process,
 * which
 *
 *     count the steps that change the disk (create, write, truncate, sync, delete) and let a
 * process die at any of them, remember what was not synced yet, and take it back when the power
 * fails, tell the PC's fake time, and never sleep.
 *
 * A dead process can still read, as a process that is being torn down needs no disk: its
 * connections must be closed, then it is revived. Nothing it tries to write in between reaches the
 * disk. Nothing ever reaches the system's own disk, but by disk_export. */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "rng.h"

/* LOOK: nobody on the PC, but who looks at its files from outside. It takes no steps, never dies,
 * and what it writes a power cut does not take back. */
enum process { PROCESS_AGENT, PROCESS_APP, PROCESS_LOOK, PROCESS_COUNT };

enum death {
    DEATH_KILL, /* of this process alone */
    DEATH_POWER /* of the PC: both processes, and what was not synced */
};

struct disk;

/* `name` is unique among open disks; `wall_ms` (Unix time) is read whenever SQLite asks for the
 * time. */
struct disk *disk_new(const char *name, const uint64_t *wall_ms, struct rng rng);
void disk_free(struct disk *d);
/* The power will never fail, and both processes that die at once lose nothing: what was not synced
 * is not remembered, which is quicker. */
void disk_never_cut(struct disk *d);
/* What to open connections of `p` with. */
const char *disk_vfs(const struct disk *d, enum process p);

/* `p` dies at its n-th step from now, 1 being the next one; the step is not done. 0: never. */
void disk_arm(struct disk *d, enum process p, uint32_t n, enum death how);
bool disk_dead(const struct disk *d, enum process p);
/* Steps of `p` since the disk was made. */
uint32_t disk_steps(const struct disk *d, enum process p);

/* How much of what was not synced survives a power cut. */
enum survival { SURVIVES_NOTHING, SURVIVES_PREFIX, SURVIVES_ANY, SURVIVES_COUNT };

/* The power is off now, whether or not a process died: with all connections of all processes
 * closed, take back what was not synced, as far as `survival` says. */
void disk_lose_power(struct disk *d, enum survival survival);
/* With all its connections closed: let `p` write again. */
void disk_revive(struct disk *d, enum process p);

/* ---- files, from outside ---- */

/* With all connections closed: everything is durable, and its files may be put in the place of
 * others. */
void disk_settle(struct disk *d);
bool disk_has(struct disk *d, const char *path);
/* A database with whatever journal it has. `to` is open nowhere; nothing of it that was there
 * stays, and no power cut takes it back. */
void disk_copy_database(struct disk *d, const char *from, const char *to);
/* The same from another disk. */
void disk_take_database(struct disk *d, const char *to, struct disk *other, const char *from);
void disk_remove_database(struct disk *d, const char *path);
/* Write all files to the system's disk, into `folder`, for a person to see. */
void disk_export(const struct disk *d, const char *folder);

#endif
