/* Copies: a file that is a copy of the fleet's database, on which somebody has worked since. A row
 * under the same key with other content is then either the same row, edited, or two rows that both
 * PCs made after the copy under one number. Taking the second for the first would lose a sale, so
 * three things must speak for the first:
 *
 *     the fleet's row was there before the fleet kept its history (its key has the zero clock)
 *     all its columns that stand in a UNIQUE key are equal
 *     most of its other columns are equal
 *
 * What is refused here stays two rows: nothing is lost. */
#include "match.h"

#include <stdlib.h>

#include <sqlite3.h>

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
        columns++;
        equal += agrees;
    }
    *same = equal * 2 > columns;
    return true;
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
