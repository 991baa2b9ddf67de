/* Drop files between PCs of a floor that share no network. */
#ifndef NAVETTE_TESTS_CARRIED_H
#define NAVETTE_TESTS_CARRIED_H

#include "floor.h"

/* What became of an export or an import. */
struct carried {
    bool is_done;
    uint32_t changesets, refused, files;
    bool roster, key, foreign;
    char path[PATH_BYTES_MAX]; /* of the first file */
    struct err e;
};

static inline void on_carried(void *context, const struct drop_done *done)
{
    struct carried *c = context;

    assert_false(c->is_done);
    c->is_done = true;
    c->changesets = done->changesets;
    c->refused = done->refused;
    c->roster = done->roster;
    c->key = done->key;
    c->foreign = done->foreign;
    c->e = done->e;
    if (done->paths != NULL && done->paths->n > 0) {
        c->files = done->paths->n;
        snprintf(c->path, sizeof c->path, "%s", done->paths->names[0]);
    }
}

static inline struct carried export_to(struct pc *pc, const char *directory, const char *peer)
{
    struct carried c = {0};
    struct err e = {0};

    AWAIT(pc->floor, is_at_rest(pc));
    must(agent_drop_export(&pc->agent, directory, peer, on_carried, &c, &e), &e);
    assert_false(c.is_done); /* later */
    AWAIT(pc->floor, c.is_done);
    return c;
}

static inline struct carried import_from(struct pc *pc, const char *path)
{
    struct carried c = {0};
    struct err e = {0};

    must(agent_drop_import(&pc->agent, path, false, on_carried, &c, &e), &e);
    assert_false(c.is_done);
    AWAIT(pc->floor, c.is_done);
    return c;
}

/* Both are members, and neither can reach the other. */
static inline void open_apart(struct floor *f, struct pc *a, struct pc *b)
{
    *f = (struct floor){0};
    open_founding_pc(f, a, goods);
    pc_open(f, b, "B", no_goods);
    pc_enrol(a, b);
    b->config.peer_count = 0;
    snprintf(b->config.drop_folder, sizeof b->config.drop_folder, "%s/drop", b->directory);
    pc_track(b);
    pc_start(a);
    pc_start(b);
    AWAIT(f, is_at_rest(a) && b->agent.store != NULL);
    agent_sync_now(&b->agent, true, false); /* nobody will come whose rows could be compared */
    AWAIT(f, store_state(b->agent.store) == STORE_READY);
}

#endif
