/* Copies: a file that is a copy of the fleet's database, on which somebody has worked since. A row
 * under the same key with other content is then either the same row, edited, or two rows that both
 * PCs made after the copy under one number. Taking the second for the first would lose a sale, so
 * three things must speak for the first:
 *
 *     the fleet's row was there before the fleet kept its history (its key has the zero clock)
 *     all its columns that stand in a UNIQUE key are equal; where there are none, most of the
 * others the copy was made with it: both hold a row alike under this key or a higher one
 *
 * Tills number by the highest number there is, so UNIQUE values say little of the rows behind those
 * that both hold alike. There another column speaks, one in which no two rows of the table are the
 * same: a name, the time of a sale. Two sales differ in these, and an edited row hardly does.
 *
 * What is refused here stays two rows: nothing is lost. */
#include "match.h"

#include <stdlib.h>

#include <sodium.h>
#include <sqlite3.h>

#define TELLING_ROWS_MIN 5 /* of fewer nobody can say which columns tell them apart */
#define EVIDENCE_ROWS_MIN                                                                          \
    20 /* a file with fewer equal rows is taken for a copy only if somebody says so */

/* Nearly all rows are equal: nobody has such a file by chance. */
bool match_is_evident(const struct matcher *m)
{
    uint32_t rows = 0, equal = 0;

    for (uint32_t i = 0; i < m->rows.n; i++) {
        if (!m->rows.rows[i].b->app->surrogate)
            continue;
        rows++;
        equal += m->rows.rows[i].gid != 0;
    }
    return equal >= EVIDENCE_ROWS_MIN && equal / 3 >= (rows - equal);
}

/* ---- what the copy was made with ---- */

static struct match_origin *origin_of(struct matcher *m, const struct binding *b)
{
    if (m->origins == NULL) {
        m->origins = mem_alloc((m->s->app.schema.n + 1) * sizeof *m->origins);
        for (uint32_t i = 0; i <= m->s->app.schema.n; i++)
            m->origins[i].last = INT64_MIN;
    }
    return &m->origins[b->app_index];
}

bool match_find_origins(struct matcher *m, struct err *e)
{
    for (uint32_t i = 0; i < m->rows.n; i++) {
        const struct touched *t = &m->rows.rows[i];
        const struct candidate *c = t->gid == 0 ? NULL : match_candidate(m, t->gid);
        const struct cell *key;

        if (c == NULL || c->edited || !t->b->app->surrogate || t->key.kind != KEY_INT ||
            t->key.i <= origin_of(m, t->b)->last)
            continue;
        if (!record_decode(&m->rec, c->rec, e))
            return false;
        key = record_get(&m->rec, t->b->position[t->b->app->keys[0]]);
        if (key != NULL && key->v.type == VALUE_INT && key->v.i == t->key.i)
            origin_of(m, t->b)->last = t->key.i;
    }
    return true;
}

/* The decoded row has values that others have before it: these columns tell nothing. */
static void drop_repeated(struct matcher *m, const struct binding *b, struct keymap *seen,
                          bool *telling)
{
    for (uint32_t i = 0; i < b->app->column_count; i++) {
        const struct cell *cell = record_get(&m->rec, b->position[i]);
        struct row_key key = {.kind = KEY_INT};

        if (!telling[i] || cell == NULL || cell->v.type == VALUE_NULL)
            continue;
        buf_clear(&m->key_room);
        packed_value_write(&m->key_room, &cell->v);
        crypto_generichash((uint8_t *)&key.i, sizeof key.i, m->key_room.p, m->key_room.n, NULL, 0);
        telling[i] = keymap_get(seen, i, &key) == 0;
        keymap_put(seen, i, &key, 1);
    }
}

static bool find_telling(struct matcher *m, const struct binding *b, const bool *unique,
                         bool *telling, struct err *e)
{
    struct keymap seen = {0};
    uint32_t rows = 0;
    bool ok = true;

    for (uint32_t i = 0; i < b->app->column_count; i++)
        telling[i] =
            !b->is_key[i] && !b->counter[i] && !unique[i] && !app_refers(&b->app->columns[i]);
    for (uint32_t i = 0; ok && i < m->n; i++) {
        if (m->candidates[i].b != b || !m->candidates[i].alive)
            continue;
        ok = record_decode(&m->rec, m->candidates[i].rec, e);
        if (ok)
            drop_repeated(m, b, &seen, telling);
        rows++;
    }
    for (uint32_t i = 0; rows < TELLING_ROWS_MIN && i < b->app->column_count; i++)
        telling[i] = false;
    keymap_close(&seen);
    return ok;
}

bool match_was_copied(struct matcher *m, const struct candidate *c, const struct touched *t,
                      const bool *unique, bool *was, struct err *e)
{
    struct match_origin *o = origin_of(m, t->b);
    uint32_t n = t->b->app->column_count, equal = 0, other = 0;

    *was = t->key.i <= o->last;
    if (*was)
        return true;
    if (o->telling == NULL) {
        o->telling = arena_alloc(&m->arena, n * sizeof *o->telling);
        if (!find_telling(m, t->b, unique, o->telling, e))
            return false;
    }
    if (!record_decode(&m->rec, c->rec, e))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        const struct cell *cell = record_get(&m->rec, t->b->position[i]);
        bool same = cell != NULL && value_equal(&cell->v, &t->values[i]);

        equal += o->telling[i] && same && cell->v.type != VALUE_NULL;
        other += o->telling[i] && !same;
    }
    *was = equal > other;
    return true;
}

/* ---- rows that were edited ---- */

/* Which columns stand in a UNIQUE key besides the primary one. */
static bool unique_columns(struct matcher *m, const struct app_table *t, bool *unique,
                           struct err *e)
{
    sqlite3_stmt *q = NULL;
    int code = SQLITE_ERROR;

    if (sqlite3_prepare_v2(
            m->s->app.db,
            "SELECT DISTINCT i.name FROM pragma_index_list(?1) AS l, pragma_index_info(l.name)"
            " AS i WHERE l.\"unique\" AND l.origin <> 'pk' AND i.name IS NOT NULL",
            -1, &q, NULL) == SQLITE_OK) {
        sqlite3_bind_text(q, 1, t->name, -1, SQLITE_STATIC);
        while ((code = sqlite3_step(q)) == SQLITE_ROW) {
            int column = app_column_index(t, value_of_column(q, 0).bytes);

            if (column >= 0)
                unique[column] = true;
        }
    }
    sqlite3_finalize(q);
    return code == SQLITE_DONE || sqlite_err(m->s->app.db, t->name, e);
}

static bool is_same_row(struct matcher *m, const struct candidate *c, const struct touched *row,
                        const bool *unique, bool *same, struct err *e)
{
    const struct app_table *t = c->b->app;
    uint32_t equal = 0, columns = 0;
    const struct cell *key;
    bool keyed = false;

    *same = false;
    if (!record_decode(&m->rec, c->rec, e))
        return false;
    key = record_get(&m->rec, c->b->position[t->keys[0]]);
    if (key == NULL || key->clock.stamp != 0)
        return true;
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct cell *cell = record_get(&m->rec, c->b->position[i]);
        bool agrees = false;

        if (c->b->is_key[i])
            continue;
        if (cell != NULL && !match_same_cell(m, &cell->v, row, i, &agrees, e))
            return false;
        if (unique[i] && !agrees)
            return true;
        keyed |= unique[i] && cell->v.type != VALUE_NULL;
        columns++;
        equal += agrees;
    }
    return (!keyed && equal * 2 <= columns) || match_was_copied(m, c, row, unique, same, e);
}

static bool copy_row(struct matcher *m, uint32_t index, const bool *unique, struct err *e)
{
    struct touched *t = &m->rows.rows[index];
    uint32_t at = keymap_get(&m->by_key, t->b->app_index, &t->key);
    bool same;

    if (at == 0 || m->candidates[at - 1].taken)
        at = keymap_get(&m->by_hint, t->b->app_index, &t->key);
    if (at == 0 || m->candidates[at - 1].taken)
        return true;
    if (!is_same_row(m, &m->candidates[at - 1], t, unique, &same, e))
        return false;
    if (!same)
        return true;
    t->gid = m->candidates[at - 1].gid;
    m->candidates[at - 1].taken = true;
    m->candidates[at - 1].edited = true;
    return true;
}

bool match_copies(struct matcher *m, struct err *e)
{
    const struct binding *b = NULL;
    bool *unique = NULL;
    bool ok = true;

    if (!m->copy && !match_is_evident(m))
        return true;
    ok = match_find_origins(m, e);
    for (uint32_t i = 0; ok && i < m->rows.n; i++) {
        const struct touched *t = &m->rows.rows[i];

        if (t->gid != 0 || !t->b->app->surrogate)
            continue;
        if (t->b != b) { /* the rows of a table stand together */
            b = t->b;
            free(unique);
            unique = mem_alloc(b->app->column_count * sizeof *unique);
            ok = unique_columns(m, b->app, unique, e);
        }
        ok = ok && copy_row(m, i, unique, e);
    }
    free(unique);
    return ok;
}
