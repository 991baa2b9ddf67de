/* Rows under natural keys whose names name rows that are one: see unite_names. */
#include "unite.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "ledger_large.h"
#include "ledger_statements.h"

struct naming {
    struct keymap gone; /* gids that others stand for since they were looked at last */
    struct arena arena;
    struct buf name;
    struct stale {
        uint32_t table;
        int64_t gid;
        struct slice before, after;
    } * names;
    uint32_t n;
};

/* The name of a row under a natural key, as it is now that others stand for some rows in it. */
static bool name_anew(struct store *s, struct naming *m, struct slice left, bool *changed,
                      struct err *e)
{
    *changed = false;
    buf_clear(&m->name);
    while (left.n > 0) {
        struct value v = {.type = VALUE_REF};
        struct row_key id = {.kind = KEY_INT};
        struct actor actor;
        uint32_t number;

        if (*left.p != VALUE_REF) {
            if (!packed_value_read(&left, &v))
                return err_set(e, ERR_STORE, "the name of a row in the ledger is damaged");
        } else if (left.n < 1 + ACTOR_BYTES + 8) {
            return err_set(e, ERR_STORE, "the name of a row in the ledger is cut off");
        } else {
            memcpy(actor.bytes, left.p + 1, ACTOR_BYTES);
            if (!ledger_actor(&s->ledger, &actor, &number, e))
                return false;
            v.ref = (struct gid){number, be64_read(left.p + 1 + ACTOR_BYTES)};
            id.i = gid_pack(v.ref);
            if (keymap_get(&m->gone, 0, &id) != 0) {
                if (!ledger_stands(&s->ledger, id.i, &id.i, e))
                    return false;
                *changed |= id.i != gid_pack(v.ref);
                v.ref = gid_unpack(id.i);
            }
            left.p += 1 + ACTOR_BYTES + 8;
            left.n -= 1 + ACTOR_BYTES + 8;
        }
        identity_write(&s->ledger, &v, 1, &m->name);
    }
    return true;
}

static bool find_stale(struct store *s, struct naming *m, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&s->ledger, "SELECT tbl, gid, identity FROM natural_key", e);
    int code = SQLITE_DONE;
    bool ok = q != NULL, changed;

    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct slice name = {sqlite3_column_blob(q, 2), (size_t)sqlite3_column_bytes(q, 2)};

        ok = name_anew(s, m, name, &changed, e);
        if (!ok || !changed)
            continue;
        m->names = mem_grow(m->names, (m->n + 1) * sizeof *m->names);
        m->names[m->n++] = (struct stale){.table = (uint32_t)sqlite3_column_int64(q, 0),
                                          .gid = sqlite3_column_int64(q, 1),
                                          .before = arena_copy(&m->arena, name),
                                          .after = arena_copy(&m->arena, buf_slice(&m->name))};
    }
    if (ok && code != SQLITE_DONE)
        ok = ledger_err(&s->ledger, "read the names of rows", e);
    sqlite3_finalize(q);
    return ok;
}

/* Two rows have one name: they are one. As unite_rows, the one in the file stays there. */
static bool unite_names_of(struct store *s, int64_t a, int64_t b, struct err *e)
{
    struct ledger_row first, second;
    bool has_first, has_second, keeps;

    if (!ledger_stands(&s->ledger, a, &a, e) || !ledger_stands(&s->ledger, b, &b, e))
        return false;
    if (a == b)
        return true;
    if (!ledger_head_get(&s->ledger, a, &first, &has_first, e))
        return false;
    keeps = has_first && first.present;
    if (!ledger_head_get(&s->ledger, b, &second, &has_second, e))
        return false;
    if (keeps == (has_second && second.present))
        keeps = has_first == has_second ? gid_order(&s->ledger, a, b) < 0 : has_first;
    return unite_named(s, keeps ? b : a, keeps ? a : b, e) &&
           unite_stand_for(s, keeps ? b : a, keeps ? a : b, e);
}

static bool forget_name(struct store *s, const struct stale *name, struct err *e)
{
    sqlite3_stmt *q =
        ledger_prepare(&s->ledger, "DELETE FROM natural_key WHERE tbl = ?1 AND identity = ?2", e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, name->table);
    ledger_bind_bytes(q, 2, name->before);
    code = sqlite3_step(q);
    sqlite3_finalize(q);
    return code == SQLITE_DONE || ledger_err(&s->ledger, "forget a name", e);
}

static bool take_names(struct store *s, const struct naming *m, struct err *e)
{
    for (uint32_t i = 0; i < m->n; i++) {
        const struct stale *name = &m->names[i];
        int64_t other;

        if (!forget_name(s, name, e) ||
            !ledger_natural_get(&s->ledger, name->table, name->after, &other, e))
            return false;
        if (other == 0 ? !ledger_natural_put(&s->ledger, name->table, name->after, name->gid, e)
                       : !unite_names_of(s, name->gid, other, e))
            return false;
    }
    return true;
}

bool unite_names(struct store *s, struct err *e)
{
    bool ok = true;

    while (ok && s->united_count > 0) {
        struct naming m = {0};

        for (uint32_t i = 0; i < s->united_count; i++)
            keymap_put(&m.gone, 0, &(struct row_key){.kind = KEY_INT, .i = s->united[i]}, 1);
        s->united_count = 0;
        buf_open(&m.name, BODY_BYTES_MAX);
        ok = find_stale(s, &m, e) && take_names(s, &m, e);
        free(m.names);
        buf_close(&m.name);
        arena_close(&m.arena);
        keymap_close(&m.gone);
    }
    return ok;
}
