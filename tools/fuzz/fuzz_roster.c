/* Any log, and any entry that a member signed, is merged or refused, and a refusal changes nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "../../protocol/entry.h"

/* It loads again as it is, and its author, an admin by what it says, makes another one. */
static void check_behind(struct roster *r, const struct keys *k)
{
    uint8_t one[HASH_BYTES], two[HASH_BYTES];
    struct roster again = {0};
    struct err e = {0};
    uint32_t before = r->before;

    if (!roster_load(&again, buf_slice(&r->log), &e))
        abort();
    roster_digest(r, one);
    roster_digest(&again, two);
    if (memcmp(one, two, sizeof one) != 0 || roster_find(r, &k->site) == NULL)
        abort();
    roster_close(&again);
    if (roster_checkpoint(r, 1, k, &e) && r->before < before)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(struct roster *r, struct slice log)
{
    uint32_t entries = r->entries;
    struct err e = {0};
    bool changed = false, ok = roster_merge(r, log, &changed, &e);

    if (ok != (e.code == ERR_NONE) || changed != (r->entries > entries) || (changed && !ok))
        abort();
}

static void check_signed(struct roster *r, struct slice entry, const struct keys *k)
{
    uint8_t signature[SIGNATURE_BYTES];
    struct buf item;

    buf_open(&item, entry.n + 256);
    keys_sign(k, ROSTER_CONTEXT, entry, signature);
    item_write(&item, entry, signature);
    check(r, buf_slice(&item));
    buf_close(&item);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const struct {
        enum entry_kind kind;
        uint32_t fields;
    } kinds[] = {{ENTRY_INVITE, 2},     {ENTRY_ENROL, 4},    {ENTRY_RULES, 1},
                 {ENTRY_REVOKE, 2},     {ENTRY_RENAME, 2},   {ENTRY_ADMIN, 2},
                 {ENTRY_ROTATE, 2},     {ENTRY_WITHDRAW, 1}, {ENTRY_CHECKPOINT, 11},
                 {ENTRY_ACKNOWLEDGE, 1}};
    size_t at = n == 0 ? 0 : bytes[0] >= 0xF0 ? 8 + bytes[0] % 2 : bytes[0] % 8;
    struct roster r = {0};
    struct keys k;
    struct err e = {0};
    struct buf entry;
    struct writer w = {&entry};

    keys_from_seed(&k, (const uint8_t[32]){1});
    check(&r, (struct slice){bytes, n});
    roster_close(&r);
    if (!roster_create(&r, "Boutique", "CAISSE01", &k, &e))
        abort();
    check_signed(&r, (struct slice){bytes, n}, &k);
    buf_open(&entry, n + 256); /* a right beginning, and the input for its fields */
    entry_begin(&w, &r, kinds[at].kind, kinds[at].fields, &k);
    buf_add(&entry, n > 0 ? bytes + 1 : bytes, n > 0 ? n - 1 : 0);
    check_signed(&r, buf_slice(&entry), &k);
    if (kinds[at].kind == ENTRY_CHECKPOINT) { /* a log of its own, and what may stand behind it */
        roster_close(&r);
        check_signed(&r, buf_slice(&entry), &k);
    }
    if (r.before > 0 && roster_find(&r, &k.site) != NULL)
        check_behind(&r, &k);
    buf_close(&entry);
    roster_close(&r);
    return 0;
}
