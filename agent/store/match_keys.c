/* A member's local keys for a newcomer: where the member's file has other keys than the rows'
 * authors gave them, because two authors had chosen the same. A copy of the member's file is
 * recognised only with them; whose copy a file is shows in how many of its rows they explain. */
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "inside.h"

#define ENTRY_BYTES_MAX 32 /* [actor index, counter, key], encoded */

/* ---- telling ---- */

struct teller {
    struct store *s;
    struct buf entries;
    uint32_t count;
    struct record rec;
};

static bool tell_row(struct teller *t, const struct binding *b, const struct ledger_row *row,
                     struct err *e)
{
    struct writer w = {.out = &t->entries};
    struct gid gid = gid_unpack(row->gid);
    const struct cell *hint;

    if (row->key.kind != KEY_INT || row->minted)
        return true;
    if (!record_decode(&t->rec, row->rec, e))
        return false;
    hint = record_get(&t->rec, b->position[b->app->keys[0]]);
    if (hint != NULL && hint->v.type == VALUE_INT && hint->v.i == row->key.i)
        return true;
    if (t->entries.n + ENTRY_BYTES_MAX > t->entries.max)
        return true;
    write_array(&w, 3);
    write_uint(&w, gid.actor - 1);
    write_uint(&w, gid.counter);
    write_int(&w, row->key.i);
    t->count++;
    return true;
}

static bool tell_table(struct teller *t, const struct binding *b, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&t->s->ledger,
                                     "SELECT gid, tbl, key, present, rec, shadow FROM row"
                                     " WHERE tbl = ?1 AND key IS NOT NULL AND present = 1",
                                     e);
    int code = SQLITE_DONE;
    bool ok = q != NULL;

    if (ok)
        sqlite3_bind_int64(q, 1, b->table);
    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct ledger_row row;

        ledger_row_of(q, &row);
        ok = tell_row(t, b, &row, e);
    }
    sqlite3_finalize(q);
    return ok && (code == SQLITE_DONE || ledger_err(&t->s->ledger, "read the keys", e));
}

bool store_keys(struct store *s, struct buf *out, struct err *e)
{
    struct writer w = {.out = out};
    struct teller t = {.s = s};
    size_t room = out->max - out->n, head = (ACTORS_MAX + 1) * (ACTOR_BYTES + 8);
    uint32_t actors = s->ledger.actor_count;
    bool ok = true;

    buf_open(&t.entries, room > head ? room - head : 0);
    for (uint32_t i = 0; ok && i < s->binding_count; i++)
        if (s->bindings[i].app->surrogate)
            ok = tell_table(&t, &s->bindings[i], e);
    if (ok) {
        write_array(&w, 2);
        actors = t.count > 0 ? actors : 0; /* nobody is named: there may be no room for them */
        write_array(&w, actors);
        for (uint32_t i = 0; i < actors; i++)
            write_bin(&w, SLICE(s->ledger.actors[i].actor.bytes));
        write_array(&w, t.count);
        buf_add(out, t.entries.p, t.entries.n);
    }
    record_close(&t.rec);
    buf_close(&t.entries);
    ledger_rest(&s->ledger);
    return ok;
}

/* ---- taking ---- */

static uint32_t known_actor(const struct ledger *l, const uint8_t bytes[ACTOR_BYTES])
{
    for (uint32_t i = 0; i < l->actor_count; i++)
        if (memcmp(l->actors[i].actor.bytes, bytes, ACTOR_BYTES) == 0)
            return i + 1;
    return 0;
}

static bool take_entries(struct store *s, struct reader *r, const uint32_t *actors,
                         uint32_t actor_count, struct err *e)
{
    uint32_t n = read_array(r, UINT32_MAX, "keys");

    for (; n > 0 && !r->failed; n--) {
        uint64_t actor, counter;
        int64_t key;

        read_array_exact(r, 3, "key");
        actor = read_uint(r, UINT32_MAX, "actor");
        counter = read_uint(r, GID_COUNTER_MAX - 1, "counter");
        key = read_int(r);
        if (r->failed || actor >= actor_count || actors[actor] == 0)
            continue;
        if (!ledger_row_wish(&s->ledger, gid_pack((struct gid){actors[actor], counter}), key, e))
            return false;
    }
    return true;
}

static bool take(struct store *s, struct slice keys, struct err *e)
{
    struct reader r = reader_of(keys, e);
    uint32_t *actors, n;
    bool ok;

    read_array_exact(&r, 2, "keys");
    n = read_array(&r, ACTORS_MAX, "actors");
    actors = mem_alloc((n + 1) * sizeof *actors);
    for (uint32_t i = 0; i < n && !r.failed; i++) {
        uint8_t actor[ACTOR_BYTES];

        read_bin_exact(&r, actor, sizeof actor, "actor");
        actors[i] = known_actor(&s->ledger, actor);
    }
    ok = !r.failed && take_entries(s, &r, actors, n, e) && read_end(&r);
    free(actors);
    return ok || err_wrap(e, "a member's local keys");
}

/* What this PC's rows were called in another file means nothing in the member's. */
static bool forget_own(struct store *s, struct err *e)
{
    bool ok = true;

    for (uint32_t i = 0; ok && i < s->binding_count; i++) {
        sqlite3_stmt *q;

        if (!s->bindings[i].app->surrogate)
            continue;
        q = ledger_prepare(&s->ledger, "UPDATE row SET key = NULL WHERE tbl = ?1 AND present = 0",
                           e);
        if (q != NULL)
            sqlite3_bind_int64(q, 1, s->bindings[i].table);
        ok = q != NULL &&
             (sqlite3_step(q) == SQLITE_DONE || ledger_err(&s->ledger, "forget keys", e));
        sqlite3_finalize(q);
    }
    return ok;
}

static bool assume(struct store *s, struct slice keys, struct err *e)
{
    return forget_own(s, e) && take(s, keys, e);
}

/* Had this PC keys of its own for rows of the fleet? Then the file may be its own. */
static bool has_own(struct store *s, bool *own, struct err *e)
{
    bool ok = true;

    *own = false;
    for (uint32_t i = 0; ok && !*own && i < s->binding_count; i++) {
        sqlite3_stmt *q;

        if (!s->bindings[i].app->surrogate)
            continue;
        q = ledger_prepare(&s->ledger,
                           "SELECT 1 FROM row WHERE tbl = ?1 AND present = 0 AND key IS NOT NULL"
                           " LIMIT 1",
                           e);
        if (q != NULL)
            sqlite3_bind_int64(q, 1, s->bindings[i].table);
        *own = q != NULL && sqlite3_step(q) == SQLITE_ROW;
        ok = q != NULL &&
             (sqlite3_finalize(q) == SQLITE_OK || ledger_err(&s->ledger, "look for keys", e));
    }
    return ok;
}

/* Under these keys, or with `keys` NULL under this PC's own. Leaves the ledger as it is. */
static bool try_keys(struct store *s, const struct slice *keys, bool copy, uint64_t now_ms,
                     struct match_score *score, struct err *e)
{
    bool ok = ledger_begin(&s->ledger, true, e) && (keys == NULL || assume(s, *keys, e)) &&
              match_score(s, copy, now_ms, score, e);

    ledger_rollback(&s->ledger);
    return ok;
}

/* Whose keys explain most rows? n: our own. */
static bool choose(struct store *s, const struct slice *keys, uint32_t n, bool own, bool copy,
                   uint64_t now_ms, uint32_t *best, struct err *e)
{
    struct match_score score;
    uint32_t paired = 0;

    *best = n;
    for (uint32_t i = 0; i < n + own; i++) {
        if (!try_keys(s, i < n ? &keys[i] : NULL, copy, now_ms, &score, e))
            return false;
        if (i > 0 && score.paired <= paired)
            continue;
        *best = i;
        paired = score.paired;
        if (paired == score.rows)
            break;
    }
    return true;
}

bool keys_settle(struct store *s, const struct slice *keys, uint32_t n, bool copy, uint64_t now_ms,
                 struct err *e)
{
    uint32_t best = 0;
    bool own, ok;

    if (n == 0)
        return true;
    if (!has_own(s, &own, e) ||
        ((n > 1 || own) && !choose(s, keys, n, own, copy, now_ms, &best, e)))
        return false;
    if (best == n)
        return true;
    ok = ledger_begin(&s->ledger, true, e) && assume(s, keys[best], e) &&
         ledger_commit(&s->ledger, e);
    if (!ok)
        ledger_rollback(&s->ledger);
    return ok;
}
