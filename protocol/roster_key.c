/* The fleet's key in the roster: sealed to each member, told by its id. */
#include <navette/roster.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "entry.h"

void fleet_key_id(uint8_t out[FLEET_KEY_ID_BYTES], const uint8_t key[KEY_BYTES])
{
    uint8_t hash[HASH_BYTES];

    hash_derive(hash, key, "navette fleet key 1", (struct slice){0});
    memcpy(out, hash, FLEET_KEY_ID_BYTES);
}

/* ---- sealing ---- */

static int by_site(const void *a, const void *b)
{
    const struct roster_site *const *x = a, *const *y = b;

    return memcmp(&(*x)->site, &(*y)->site, sizeof(*x)->site);
}

static void write_box(struct writer *w, const struct roster_site *s, const uint8_t key[KEY_BYTES])
{
    uint8_t box[FLEET_KEY_BOX_BYTES];

    _Static_assert(FLEET_KEY_BOX_BYTES == KEY_BYTES + crypto_box_SEALBYTES, "a sealed box");
    /* A public key of small order opens for everybody: its site gets nothing, and says so itself.
     */
    if (crypto_box_seal(box, key, KEY_BYTES, s->exchange_public) != 0)
        random_fill(box, sizeof box);
    write_array(w, 2);
    write_bin(w, SLICE(s->site.bytes));
    write_bin(w, SLICE(box));
}

static bool append_boxes(struct roster *r, const struct roster_site *const *to, uint32_t n,
                         const uint8_t key[KEY_BYTES], const struct keys *k, struct err *e)
{
    uint8_t id[FLEET_KEY_ID_BYTES];
    struct buf entry;
    struct writer w;

    fleet_key_id(id, key);
    w = entry_open(&entry, r, ENTRY_ROTATE, 2, k);
    write_bin(&w, SLICE(id));
    write_array(&w, n);
    for (uint32_t i = 0; i < n; i++)
        write_box(&w, to[i], key);
    return entry_append(r, &entry, k, e);
}

bool roster_seal(struct roster *r, const uint8_t key[KEY_BYTES], const struct keys *k,
                 struct err *e)
{
    uint8_t id[FLEET_KEY_ID_BYTES];
    struct roster_site *copies;
    const struct roster_site **to;
    uint32_t n = 0, done = 0;
    bool ok = roster_may(r, k, true, e), present;

    fleet_key_id(id, key);
    present = r->rotated && memcmp(r->key_id, id, sizeof id) == 0;
    /* Appending replaces r->sites. */
    copies = mem_alloc((r->site_count + 1) * sizeof *copies);
    to = mem_alloc((r->site_count + 1) * sizeof(struct roster_site *));
    for (uint32_t i = 0; i < r->site_count; i++)
        if (!present || !r->sites[i].has_key) {
            copies[n] = r->sites[i];
            to[n] = &copies[n];
            n++;
        }
    qsort(to, n, sizeof(struct roster_site *), by_site);
    while (ok && done < n) {
        uint32_t some = n - done < ROSTER_BOXES_MAX ? n - done : ROSTER_BOXES_MAX;

        ok = append_boxes(r, to + done, some, key, k, e);
        done += some;
    }
    free(to);
    free(copies);
    return ok;
}

/* ---- opening ---- */

static bool open_box(const struct roster *r, const struct keys *k, const uint8_t *box,
                     uint8_t key[KEY_BYTES])
{
    uint8_t id[FLEET_KEY_ID_BYTES];

    if (crypto_box_seal_open(key, box, FLEET_KEY_BOX_BYTES, k->exchange_public,
                             k->exchange_secret) != 0)
        return false;
    fleet_key_id(id, key);
    return memcmp(id, r->key_id, sizeof id) == 0;
}

/* The id tells that it is the right key, whoever put it there. */
static bool open_entry(const struct roster *r, const struct entry *n, const struct keys *k,
                       uint8_t key[KEY_BYTES])
{
    uint8_t box[FLEET_KEY_BOX_BYTES];
    struct err e = {0};
    struct reader boxes = reader_of(n->boxes, &e);
    struct site_id site;

    if ((n->kind != ENTRY_ROTATE && n->kind != ENTRY_CHECKPOINT) ||
        memcmp(n->key_id, r->key_id, sizeof n->key_id) != 0)
        return false;
    for (uint32_t i = 0; i < n->box_count; i++) {
        entry_box(&boxes, &site, box);
        if (site_equal(&site, &k->site) && open_box(r, k, box, key))
            return true;
    }
    return false;
}

bool roster_open_key(const struct roster *r, const struct keys *k, uint8_t key[KEY_BYTES])
{
    struct err e = {0};
    struct reader log = reader_of(buf_slice(&r->log), &e);
    bool found = false;

    while (r->rotated && !found && log.left.n > 0) {
        struct entry n = {0};

        if (!entry_read(&log, &n))
            break;
        found = open_entry(r, &n, k, key);
    }
    assert(e.code == ERR_NONE); /* it is our own log */
    if (!found)
        sodium_memzero(key, KEY_BYTES);
    return found;
}
