/* A site on a simulated disk, whose agent dies at a chosen step, or whose power goes. */
#ifndef NAVETTE_TESTS_DOOMED_H
#define NAVETTE_TESTS_DOOMED_H

#include "sites.h"

#include "sim/disk.h"

struct doomed {
    struct disk *disk;
    uint64_t ms;
};

/* Prepare `s`, zeroed, to be opened. */
static inline void doom_site(struct site *s, struct doomed *d, const char *name)
{
    d->ms = wall_ms();
    d->disk = disk_new(name, &d->ms, (struct rng){7});
    s->agent_vfs = disk_vfs(d->disk, PROCESS_AGENT);
    s->app_vfs = disk_vfs(d->disk, PROCESS_APP);
    s->disk_ms = &d->ms;
}

/* The agent died, and is started again. */
static inline void restart_agent(struct site *s, struct doomed *d)
{
    close_store(s);
    disk_revive(d->disk, PROCESS_AGENT);
    open_store(s);
}

/* The power goes, and comes back. */
static inline void lose_power(struct site *s, struct doomed *d, enum survival survival)
{
    close_store(s);
    sqlite3_close(s->app);
    disk_lose_power(d->disk, survival);
    disk_revive(d->disk, PROCESS_AGENT);
    disk_revive(d->disk, PROCESS_APP);
    open_app(s);
    sql(s, "PRAGMA foreign_keys = ON");
    open_store(s);
}

/* As keep_database and put_database_back, which see the system's disk only. */
static inline void keep_doomed(struct site *s, struct doomed *d)
{
    sql(s, "PRAGMA wal_checkpoint(TRUNCATE)");
    disk_copy_database(d->disk, s->database, "kept");
}

static inline void put_doomed_back(struct site *s, struct doomed *d)
{
    close_store(s);
    sqlite3_close(s->app);
    disk_settle(d->disk);
    disk_copy_database(d->disk, "kept", s->database);
    open_app(s);
    sql(s, "PRAGMA foreign_keys = ON");
}

/* A copy of B's whole disk, as it is now. */
static inline void keep_all(struct site *b, struct doomed *d)
{
    char ledger[128];

    snprintf(ledger, sizeof ledger, "%s/ledger.db", b->home);
    work(b);
    keep_doomed(b, d);
    close_store(b);
    disk_copy_database(d->disk, ledger, "ledger");
    open_store(b);
}

/* Leaves it stopped. */
static inline void put_doomed_home_back(struct site *b, struct doomed *d)
{
    char ledger[128];

    snprintf(ledger, sizeof ledger, "%s/ledger.db", b->home);
    close_store(b);
    disk_copy_database(d->disk, "ledger", ledger);
}

static inline void put_all_back(struct site *b, struct doomed *d)
{
    put_doomed_back(b, d);
    put_doomed_home_back(b, d);
}

/* A founder on an ordinary disk, and a doomed member. */
static inline void open_doomed_pair(struct site *a, struct site *b, struct doomed *d,
                                    const char *pragmas, const char *schema)
{
    *a = *b = (struct site){.pragmas = pragmas};
    doom_site(b, d, "b");
    open_founder(a, schema);
    join_site(a, b, "B", schema);
    exchange(a, b);
}

static inline void close_doomed_pair(struct site *a, struct site *b, struct doomed *d)
{
    close_pair(a, b);
    disk_free(d->disk);
}

#endif
