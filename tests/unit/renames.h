/* Entries of a roster without end, each of them right: what a member may say of itself. */
#ifndef NAVETTE_TESTS_RENAMES_H
#define NAVETTE_TESTS_RENAMES_H

#include <stdio.h>
#include <string.h>

#include <navette/roster.h>

#include "../../protocol/entry.h"

/* `n` of them, by `k`, behind the head of `r`, into `log`, which the caller closes. They are put
 * together by hand, since making a roster of each takes long. */
static inline void renames_write(struct buf *log, const struct roster *r, const struct keys *k,
                                 uint32_t n)
{
    uint8_t parent[HASH_BYTES];

    memcpy(parent, r->heads[0], sizeof parent);
    buf_open(log, ROSTER_BYTES_MAX);
    for (uint32_t i = 0; i < n; i++) {
        struct roster as = {.heads = &parent, .head_count = 1};
        uint8_t signature[SIGNATURE_BYTES];
        struct writer head;
        struct buf entry;
        char name[32];

        buf_open(&entry, ROSTER_ENTRY_BYTES_MAX);
        head = (struct writer){&entry};
        entry_begin(&head, &as, ENTRY_RENAME, 2, k);
        write_bin(&head, SLICE(k->site.bytes));
        snprintf(name, sizeof name, "N%u", i);
        write_text(&head, slice_text(name));
        keys_sign(k, ROSTER_CONTEXT, buf_slice(&entry), signature);
        item_write(log, buf_slice(&entry), signature);
        hash_bytes(parent, buf_slice(&entry));
        buf_close(&entry);
    }
}

#endif
