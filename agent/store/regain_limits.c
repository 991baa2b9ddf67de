/* The corrections of stamps that a file had heard of (ledger_limits.h): with those that came later
 * the log says something else than what the file was made of, and what it shows would be taken for
 * the application's. */
#include "regain.h"

#include <stdlib.h>

#include <sqlite3.h>

#include "ledger_limits.h"
#include "remerge.h"

static bool has_any(const struct ledger *l)
{
    for (uint32_t i = 0; i < l->actor_count; i++)
        if (l->actors[i].limit_n > 0)
            return true;
    return false;
}

static bool forget_all(struct regain *b, struct err *e)
{
    struct ledger *l = &b->s->ledger;

    b->later_n = l->actor_count;
    b->later = mem_alloc(b->later_n * sizeof *b->later);
    for (uint32_t i = 0; i < b->later_n; i++) {
        struct ledger_actor *a = &l->actors[i];

        b->later[i] = (struct later){.limits = a->limits, .n = a->limit_n};
        a->limits = NULL;
        a->limit_n = a->limit_room = 0;
    }
    return sqlite3_exec(l->db, "DELETE FROM correction", NULL, NULL, NULL) == SQLITE_OK ||
           ledger_err(l, "forget what was corrected", e);
}

/* What one change-set that the file held corrects. */
static bool take(struct ledger *l, struct slice bytes, struct err *e)
{
    struct changeset_header h = {0};
    struct changeset c;
    bool ok = changeset_open(&c, &h, bytes, e);
    uint32_t id = ok && h.corrects.n > 0 ? ledger_actor_find(l, &h.corrects.entries[0].actor) : 0;

    ok = ok && (id == 0 || ledger_limit(l, id, h.corrects.entries[0].number, h.stamp, e));
    changeset_header_close(&h);
    return ok;
}

static bool take_of(struct regain *b, uint32_t actor, struct err *e)
{
    struct ledger *l = &b->s->ledger;
    sqlite3_stmt *q = ledger_prepare(
        l, "SELECT bytes FROM changeset WHERE actor = ?1 AND number <= ?2 ORDER BY number", e);
    int code = SQLITE_DONE;
    bool ok = q != NULL;

    if (ok) {
        sqlite3_bind_int64(q, 1, actor);
        sqlite3_bind_int64(q, 2, (int64_t)b->limit[actor - 1]);
    }
    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW)
        ok = take(l, value_of_column(q, 0).bytes, e);
    sqlite3_finalize(q);
    return ok && (code == SQLITE_DONE || ledger_err(l, "read the log", e));
}

bool regain_limits(struct regain *b, struct err *e)
{
    bool ok = true;

    if (!has_any(&b->s->ledger))
        return true;
    ok = forget_all(b, e);
    for (uint32_t a = 1; ok && a <= b->limit_n; a++)
        ok = take_of(b, a, e);
    return ok;
}

bool regain_limits_later(struct regain *b, struct err *e)
{
    struct store *s = b->s;
    struct ledger *l = &s->ledger;

    for (uint32_t i = 0; i < b->later_n; i++)
        for (uint32_t k = 0; k < b->later[i].n; k++)
            if (!ledger_limit(l, i + 1, b->later[i].limits[k].number, b->later[i].limits[k].stamp,
                              e))
                return false;
    return b->later_n == 0 || !l->outdated || !remerge_may(s) || remerge(s, b->r.now_ms, e);
}

void regain_limits_close(struct regain *b)
{
    for (uint32_t i = 0; i < b->later_n; i++)
        free(b->later[i].limits);
    free(b->later);
}
