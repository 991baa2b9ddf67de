/* Regaining a ledger beside a copy of another PC's file: what that one had written before the copy
 * was made, and drained afterwards. The times of marks tell; and where one drain took in what was
 * written before and after, only some of its rows are in the copy:
 *
 *     sold 3 of A     in the file       one change-set,     A: not to be said again by whoever has
 *     -- copied --                      drained later          the copy
 *     sold 2 of B     not in it                             B: due in the copy
 */
#include "regain.h"

#include <stdlib.h>

#include "reading.h"
#include "scan.h"

/* One that was moved behind what it replaced tells nothing. */
static bool has_time(const struct body_row *row)
{
    return row->op != CHANGE_REPAIR && row->op != CHANGE_UNITE && evidence_tells_time(row->stamp);
}

/* Has the file the last mark of what is said of the row? */
static bool has_mark(const struct regain *b, const struct body_row *row)
{
    return has_time(row) && evidence_is_marked(&b->times, row->stamp);
}

/* ... or the one that made it? */
static bool has_birth(const struct regain *b, const struct body_row *row)
{
    struct row_key born = int_key((int64_t)row->gid.counter);

    return row->op == CHANGE_INSERT && keymap_get(&b->times, ROWS_BY_MARKS, &born) != 0;
}

bool regain_weigh_copied(struct regain *b, const struct changeset *c, uint64_t stamp_max,
                         enum evidence *says, struct err *e)
{
    struct body_reader in;
    bool some = false, lacks = false, ok;

    body_read(&in, c->body, stamp_max, e);
    while (body_next_table(&in))
        while (body_next_row(&in)) {
            some |= has_mark(b, &in.row) || has_birth(b, &in.row);
            lacks |= has_time(&in.row) && !has_mark(b, &in.row);
        }
    ok = body_read_end(&in);
    body_read_close(&in);
    *says = some ? (lacks ? PARTLY : FOR) : lacks ? AGAINST : SAYS_NOTHING;
    return ok;
}

/* ---- which of the marks are that PC's own ---- */

struct copied {
    struct regain *b;
    struct keymap at; /* by gid: 1 + index into the list of touched rows */
    int64_t last;     /* the last mark of the file that is known to be of that PC */
    bool whole;       /* nothing says that the file lacks something of the change-set under way */
};

/* Is the last mark of what was said of the row among its marks in the file? `at`: 1 + its index. */
static bool has_all(const struct copied *c, uint32_t at, const struct body_row *row)
{
    struct row_key ms = int_key((int64_t)hlc_stamp_wall_ms(row->stamp));

    return has_time(row) ? keymap_get(&c->b->touches, at, &ms) != 0 : c->whole;
}

/* A mark that a row of a change-set came of is known by the row and by its time. */
static void find_mark(struct copied *c, const struct touched *t, const struct body_row *row)
{
    int64_t ms = (int64_t)hlc_stamp_wall_ms(row->stamp), mark = 0;

    if (has_time(row) && ms == (int64_t)t->wall_ms)
        mark = t->latest;
    else if ((has_time(row) && ms == (int64_t)t->first_ms) ||
             row->gid.counter == gid_counter(t->first_ms, t->first))
        mark = t->first;
    for (const struct made *m = t->made; m != NULL && m->mark > mark; m = m->before)
        if (row->gid.counter == gid_counter(m->ms, m->mark))
            mark = m->mark;
    if (mark > c->last)
        c->last = mark;
}

static bool look_at_row(struct copied *c, const struct reading *in, uint32_t actor, uint64_t number,
                        struct err *e)
{
    const struct body_row *row = &in->body.row;
    struct regain *b = c->b;
    struct row_key id;
    uint32_t at;
    int64_t gid;

    if (row->op == CHANGE_UNITE || row->op == CHANGE_REPAIR)
        return true;
    if (!ledger_stands(&b->s->ledger, reading_gid(in, row->gid), &gid, e))
        return false;
    id = int_key(gid);
    at = keymap_get(&c->at, 0, &id);
    if (at == 0)
        return true;
    find_mark(c, &b->r.list.rows[at - 1], row);
    if (number != b->part[actor - 1])
        return true;
    if (has_all(c, at, row))
        return behind_lived(&b->r, actor, number, gid, e);
    behind_begun(&b->r, actor, number, gid);
    return true;
}

static bool look_at(struct copied *c, uint32_t actor, uint64_t number, struct err *e)
{
    struct ledger *l = &c->b->s->ledger;
    struct reading in = {0};
    enum evidence says = SAYS_NOTHING;
    struct slice bytes;
    bool found, ok = ledger_changeset_get(l, actor, number, &bytes, &found, e);

    if (!ok || !found)
        return ok;
    ok = reading_open(&in, l, bytes, e) &&
         (number != c->b->part[actor - 1] ||
          regain_weigh_copied(c->b, &in.parts, in.h.stamp, &says, e));
    c->whole = says == FOR;
    while (ok && body_next_table(&in.body))
        while (ok && body_next_row(&in.body))
            ok = look_at_row(c, &in, actor, number, e);
    ok = ok && body_read_end(&in.body);
    reading_close(&in);
    return ok;
}

/* ---- what it said itself ---- */

/* Everything that became of the row by these marks, its PC says: the file may have less of it. */
static bool leave(struct regain *b, const struct touched *t, bool *left, struct err *e)
{
    struct ledger_row row;

    *left = false;
    if (t->gid == 0)
        return true;
    if (!ledger_row_get(&b->s->ledger, t->gid, &row, left, e))
        return false;
    *left = *left && !row.minted;
    if (!*left || t->key.kind != KEY_NONE)
        return true;
    row.key = arena_key(&b->r.arena, &row.key);
    row.rec = arena_copy(&b->r.arena, row.rec);
    return scan_displace(b->s, &row, false, b->r.now_ms, e);
}

/* Rows whose names refer to rows that other marks made or moved are known only now that these are
 * settled. */
static bool name_all(struct regain *b, struct err *e)
{
    struct touch_list *list = &b->r.list;
    uint32_t n = list->n;
    bool *open = mem_alloc((n + 1) * sizeof *open), ok;

    for (uint32_t i = 0; i < n; i++)
        open[i] = list->rows[i].gid == 0 && !list->rows[i].b->app->surrogate;
    ok = publish_name(b->s, list, b->r.now_ms, e);
    for (uint32_t i = 0; ok && i < n; i++)
        ok = !open[i] || list->rows[i].gid == 0 || regain_settle_touched(b, &list->rows[i], e);
    free(open);
    return ok;
}

bool regain_settle_copied(struct regain *b, struct err *e)
{
    struct copied c = {.b = b};
    struct touch_list *list = &b->r.list;
    uint32_t kept = 0;
    bool ok = true;

    if (regain_is_ours(b))
        return true;
    if (!name_all(b, e))
        return false;
    for (uint32_t i = 0; i < list->n; i++) {
        struct row_key id = int_key(list->rows[i].gid);

        if (id.i != 0)
            keymap_put(&c.at, 0, &id, i + 1);
    }
    for (uint32_t a = 1; ok && a <= b->limit_n; a++)
        for (uint64_t n = b->told[a - 1] + 1; ok && regain_is_own(b, a) && n <= b->limit[a - 1];
             n++)
            ok = look_at(&c, a, n, e);
    for (uint32_t i = 0; ok && i < list->n; i++) {
        bool left = false;

        ok = list->rows[i].last > c.last || leave(b, &list->rows[i], &left, e);
        if (left)
            *touch_add(&b->left) = list->rows[i];
        else
            list->rows[kept++] = list->rows[i];
    }
    if (ok)
        list->n = kept;
    keymap_close(&c.at);
    return ok;
}
