/* What the marks that are still in the file say of its rows, whoever has drained them: which key a
 * row had before, whether the application made it, and when it last wrote it. */
#include "match.h"

#include <string.h>

#define MARKS_AT_ONCE 20000

/* The entry of a key, made when it is new. */
static struct match_mark *entry(struct matcher *m, const struct binding *b, int64_t at)
{
    struct row_key key = {.kind = KEY_INT, .i = at};
    uint32_t found = keymap_get(&m->by_mark, b->app_index, &key);

    if (found != 0)
        return &m->marks[found - 1];
    if (m->mark_n == m->mark_room) {
        m->mark_room = m->mark_room == 0 ? 64 : m->mark_room * 2;
        m->marks = mem_grow(m->marks, m->mark_room * sizeof *m->marks);
    }
    m->marks[m->mark_n++] = (struct match_mark){.origin = at};
    keymap_put(&m->by_mark, b->app_index, &key, m->mark_n);
    return &m->marks[m->mark_n - 1];
}

static void take_mark(struct matcher *m, const struct binding *b, const struct mark *mark)
{
    struct match_mark was, *at;
    bool moved = mark->moved && mark->old[0].type == VALUE_INT;

    if (moved) {
        at = entry(m, b, mark->old[0].i);
        was = *at;
        *at = (struct match_mark){.origin = mark->old[0].i, .gone = true, .known = true};
        at = entry(m, b, mark->key[0].i);
        *at = was;
    } else {
        at = entry(m, b, mark->key[0].i);
        if (mark->op == 1 && (!at->known || at->gone))
            *at = (struct match_mark){.origin = mark->key[0].i, .born = true};
    }
    at->known = true;
    at->gone = mark->op == 3;
    at->wall_ms = mark_wall_ms(mark->julian_day, m->now_ms);
}

bool match_marks(struct matcher *m, struct err *e)
{
    struct store *s = m->s;
    struct marks marks = {0};
    int64_t after = 0;
    bool ok;

    do {
        ok = marks_read(&s->app, after, MARKS_AT_ONCE, &marks, e);
        for (uint32_t i = 0; ok && i < marks.n; i++) {
            struct app_table *t = appdb_table_numbered(&s->app, marks.marks[i].table);
            const struct binding *b = t == NULL ? NULL : bind_by_app(s, t);

            if (b != NULL && t->surrogate && marks.marks[i].key[0].type == VALUE_INT)
                take_mark(m, b, &marks.marks[i]);
        }
        ok = ok && marks.last > after;
        after = marks.last;
    } while (ok);
    marks_close(&marks);
    return e->code == ERR_NONE;
}

struct match_mark match_marked(const struct matcher *m, const struct touched *t)
{
    uint32_t at = keymap_get(&m->by_mark, t->b->app_index, &t->key);

    return at == 0 ? (struct match_mark){.origin = t->key.i} : m->marks[at - 1];
}

/* A value that this file had for certain and holds no more was overwritten here. Of any other
 * nobody knows: what the file holds is taken for older than what the fleet has. */
static bool before(struct matcher *m, const struct touched *t, uint32_t column,
                   const struct cell *have, struct cell *out, bool *known, struct err *e)
{
    if (!match_value(m, t, column, &out->v, known, e))
        return false;
    out->set = *known;
    out->clock = (struct local_clock){.actor = m->s->ledger.self, .number = 1};
    if (have == NULL || have->counter != NULL || t->b->counter[column] ||
        !match_had(m, &have->clock) || repair_is_mark(&out->v, &have->v) ||
        repair_is_mark(&have->v, &out->v))
        return true;
    *out = *have;
    *known = true;
    return true;
}

bool match_before(struct matcher *m, struct touched *t, struct buf *out, bool *known, struct err *e)
{
    const struct candidate *c = match_candidate(m, t->gid);
    struct match_mark mark = match_marked(m, t);
    struct record file = {0};
    bool ok;

    *known = m->returned && c != NULL && c->alive && c->edited && mark.known && mark.wall_ms != 0;
    if (!*known)
        return true;
    ok = record_decode(&m->rec, c->rec, e);
    for (uint32_t i = 0; ok && i < t->b->app->column_count; i++) {
        struct cell cell = {0};
        bool there;

        if (t->b->is_key[i])
            continue;
        ok = before(m, t, i, record_get(&m->rec, t->b->position[i]), &cell, &there, e);
        if (ok && there)
            *record_cell(&file, t->b->position[i]) = cell;
    }
    if (ok) {
        buf_clear(out);
        record_encode(&file, out);
        t->wall_ms = mark.wall_ms;
    }
    record_close(&file);
    return ok;
}
