#include "history.h"

#include <string.h>

#include <sqlite3.h>

#include "appdb.h"
#include "ledger_kept.h"

#define AGREE 3 /* so many bytes in a row that are the same are no accident */

static uint8_t tag_of(const uint8_t hash[HASH_BYTES])
{
    return hash[0] == 0 ? 1 : hash[0];
}

/* What the header of a change-set says, which is in front of it: its body may be large, and is not
 * read. */
static bool read_tag(struct ledger *l, int64_t id, uint8_t *tag, struct err *e)
{
    static const size_t fronts[] = {2048, HEADER_BYTES_MAX + 64};
    struct changeset_header h = {0};
    sqlite3_blob *blob = NULL;
    struct buf front;
    bool ok = sqlite3_blob_open(l->db, "main", "changeset", "bytes", id, 0, &blob) == SQLITE_OK ||
              ledger_err(l, "look at a change-set", e);

    buf_open(&front, HEADER_BYTES_MAX + 64);
    for (size_t i = 0; ok && h.number == 0 && i < COUNT_OF(fronts); i++) {
        size_t all = (size_t)sqlite3_blob_bytes(blob), n = all < fronts[i] ? all : fronts[i];

        buf_clear(&front);
        err_clear(e);
        changeset_header_close(&h);
        if (sqlite3_blob_read(blob, buf_extend(&front, n), (int)n, 0) != SQLITE_OK)
            ok = ledger_err(l, "read a change-set", e);
        else if (!changeset_header_front(&h, buf_slice(&front), e))
            h.number = 0; /* it is longer, as a rule */
    }
    *tag = tag_of(h.previous);
    ok = ok && h.number != 0;
    changeset_header_close(&h);
    buf_close(&front);
    sqlite3_blob_close(blob);
    return ok;
}

/* The byte of the one before this change-set, which names it. 0: it is not in the log. */
static bool tag_before(struct ledger *l, uint32_t actor, uint64_t number, uint8_t *tag,
                       struct err *e)
{
    sqlite3_stmt *q =
        ledger_kept(l, "SELECT id FROM changeset WHERE actor = ?1 AND number = ?2", e);
    int64_t id = 0;
    int code;

    *tag = 0;
    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, actor);
    sqlite3_bind_int64(q, 2, (int64_t)number);
    code = sqlite3_step(q);
    if (code == SQLITE_ROW)
        id = sqlite3_column_int64(q, 0);
    ledger_done(l, q);
    if (code == SQLITE_ROW)
        return read_tag(l, id, tag, e);
    return code == SQLITE_DONE || ledger_err(l, "look for a change-set", e);
}

static bool learn(struct ledger *l, uint32_t actor, struct err *e)
{
    struct ledger_actor *a = &l->actors[actor - 1];
    uint64_t more = a->staged - a->tagged; /* since then */
    uint32_t n = HISTORY_TAGS;

    if (a->tagged == a->staged)
        return true;
    if (a->tagged != 0 && a->tagged < a->staged && more < HISTORY_TAGS) {
        n = (uint32_t)more; /* what is known follows */
        memmove(a->tags + more, a->tags, HISTORY_TAGS - more);
    } else {
        memset(a->tags, 0, sizeof a->tags);
    }
    a->tagged = 0;
    a->tags[0] = tag_of(a->hash);
    for (uint32_t i = 1; i < n && i < a->staged; i++)
        if (!tag_before(l, actor, a->staged - i + 1, &a->tags[i], e))
            return false;
    a->tagged = a->staged;
    return true;
}

bool history_learn(struct ledger *l, struct err *e)
{
    for (uint32_t i = 1; i <= l->actor_count; i++)
        if (!learn(l, i, e))
            return false;
    return true;
}

void history_tell(const struct ledger *l, struct vector_entry *entry)
{
    uint32_t id = ledger_actor_find(l, &entry->actor);
    const struct ledger_actor *a = id == 0 ? NULL : &l->actors[id - 1];
    uint64_t below;

    memset(entry->hash, 0, sizeof entry->hash);
    if (a == NULL || a->tagged < entry->number)
        return;
    below = a->tagged - entry->number;
    for (uint64_t i = 0; i + below < HISTORY_TAGS; i++)
        entry->hash[i] = a->tags[i + below];
}

/* The byte of a change-set that was laid aside, and that of the one before it. */
static bool read_aside(struct slice bytes, uint8_t tags[2], struct err *e)
{
    uint8_t hash[HASH_BYTES];
    struct changeset_header h = {0};
    struct changeset c;
    bool ok = changeset_open(&c, &h, bytes, e);

    if (ok) {
        changeset_hash(&c, hash);
        tags[0] = tag_of(hash);
        tags[1] = tag_of(h.previous);
    }
    changeset_header_close(&h);
    return ok;
}

bool history_aside(struct ledger *l, struct vector_entry *entry, struct err *e)
{
    sqlite3_stmt *q;
    uint8_t tags[HISTORY_TAGS + 1] = {0};
    uint32_t n = 0;
    int code = SQLITE_DONE;
    bool ok = true;

    *entry = (struct vector_entry){0};
    if (l->aside == 0)
        return true;
    entry->actor = l->actors[l->aside - 1].actor;
    q = ledger_prepare(l, "SELECT number, bytes FROM aside ORDER BY number DESC LIMIT ?1", e);
    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, HISTORY_TAGS);
    for (; ok && (code = sqlite3_step(q)) == SQLITE_ROW; n++) {
        if (n == 0)
            entry->number = (uint64_t)sqlite3_column_int64(q, 0);
        ok = read_aside(value_of_column(q, 1).bytes, tags + n, e);
    }
    sqlite3_finalize(q);
    memcpy(entry->hash, tags, HISTORY_TAGS);
    return ok && (code == SQLITE_DONE || ledger_err(l, "read what was laid aside", e));
}

/* What was told of the change-set of this number; 0: nothing. */
static uint8_t told_of(const struct vector_entry *told, uint64_t number)
{
    uint64_t below = told->number - number;

    return number == 0 || below >= HISTORY_TAGS ? 0 : told->hash[below];
}

/* Are this one and some before it what was told, as far as anything was? */
static bool agrees(const struct ledger_actor *a, const struct vector_entry *told, uint64_t number,
                   uint64_t floor)
{
    for (uint64_t i = 0; i < AGREE && number - i > floor; i++) {
        uint8_t tag = told_of(told, number - i);
        uint64_t below = a->tagged - (number - i);

        if (tag == 0 || below >= HISTORY_TAGS || a->tags[below] == 0)
            return true;
        if (tag != a->tags[below])
            return false;
    }
    return true;
}

bool history_common(struct ledger *l, const struct vector_entry *told, uint64_t floor,
                    uint64_t *common, struct err *e)
{
    uint32_t id = ledger_actor_find(l, &told->actor);
    const struct ledger_actor *a;

    *common = 0;
    if (id == 0)
        return true;
    if (!learn(l, id, e))
        return false;
    a = &l->actors[id - 1];
    *common = told->number < a->staged ? told->number : a->staged;
    while (*common > floor && !agrees(a, told, *common, floor))
        --*common;
    return true;
}
