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

/* The byte of the one before this change-set, which names it. False: it is not in the log. */
static bool tag_before(struct ledger *l, uint32_t actor, uint64_t number, uint8_t *tag,
                       struct err *e)
{
    sqlite3_stmt *q =
        ledger_kept(l, "SELECT bytes FROM changeset WHERE actor = ?1 AND number = ?2", e);
    struct changeset_header h = {0};
    struct changeset c;
    bool ok = q != NULL;
    int code;

    *tag = 0;
    if (!ok)
        return false;
    sqlite3_bind_int64(q, 1, actor);
    sqlite3_bind_int64(q, 2, (int64_t)number);
    code = sqlite3_step(q);
    if (code == SQLITE_ROW) {
        ok = changeset_open(&c, &h, value_of_column(q, 0).bytes, e);
        *tag = ok ? tag_of(h.previous) : 0;
        changeset_header_close(&h);
    }
    ledger_done(l, q);
    return ok &&
           (code == SQLITE_ROW || code == SQLITE_DONE || ledger_err(l, "look at a change-set", e));
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
