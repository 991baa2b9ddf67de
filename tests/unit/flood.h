/* Rosters as large as one admin who means harm can make them: entries that it signs by hand, each
 * of which builds on the one before. */
#ifndef NAVETTE_TEST_FLOOD_H
#define NAVETTE_TEST_FLOOD_H

#include "../../protocol/entry.h"

#include "quarrel.h"

struct flood {
    struct buf log;
    uint8_t head[1][HASH_BYTES]; /* what the next one builds on */
    struct buf entry;            /* the next one */
};

static inline void flood_open(struct flood *f, const struct roster *r)
{
    *f = (struct flood){0};
    buf_open(&f->log, ROSTER_BYTES_MAX);
    assert_int_equal(r->head_count, 1);
    memcpy(f->head, r->heads, sizeof f->head);
}

static inline struct writer flood_begin(struct flood *f, enum entry_kind kind, uint32_t fields,
                                        const struct keys *by)
{
    struct roster known = {.heads = f->head, .head_count = 1};

    return entry_open(&f->entry, &known, kind, fields, by);
}

static inline void flood_end(struct flood *f, const struct keys *by)
{
    uint8_t signature[SIGNATURE_BYTES];

    keys_sign(by, ROSTER_CONTEXT, buf_slice(&f->entry), signature);
    item_write(&f->log, buf_slice(&f->entry), signature);
    hash_bytes(f->head[0], buf_slice(&f->entry));
    buf_close(&f->entry);
}

static inline void flood_admin(struct flood *f, const struct keys *who, bool admin,
                               const struct keys *by)
{
    struct writer w = flood_begin(f, ENTRY_ADMIN, 2, by);

    write_bin(&w, SLICE(who->site.bytes));
    write_bool(&w, admin);
    flood_end(f, by);
}

static inline void flood_enrol(struct flood *f, const struct keys *who, const char *name,
                               const struct keys *by)
{
    struct writer w = flood_begin(f, ENTRY_ENROL, 4, by);

    write_bin(&w, SLICE(who->sign_public));
    write_bin(&w, SLICE(who->exchange_public));
    write_text(&w, slice_text(name));
    write_bin(&w, SLICE(no_invite));
    flood_end(f, by);
}

static inline void flood_rename(struct flood *f, const struct keys *who, const char *name,
                                const struct keys *by)
{
    struct writer w = flood_begin(f, ENTRY_RENAME, 2, by);

    write_bin(&w, SLICE(who->site.bytes));
    write_text(&w, slice_text(name));
    flood_end(f, by);
}

/* Takes it all in; how many looks that was for each entry. */
static inline uint64_t flood_looks(struct flood *f, struct roster *r)
{
    struct err e = {0};
    bool changed;

    if (!roster_merge(r, buf_slice(&f->log), &changed, &e))
        fail_msg("%s", e.text);
    buf_close(&f->log);
    return r->looks / r->entries;
}

#endif
