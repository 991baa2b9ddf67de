/* Collisions: different rows of the fleet that want one UNIQUE value, as two tills do that number
 * their sales apart. Nothing may be lost and every site must come to the same: the row with the
 * earliest claim has the value, and the others yield it, which is to stand in the file under a mark
 * in front of it, '#', the enrolment name of the value's author, '-'. It sorts below letters and
 * digits, because tills number by max + 1 and parse the tail. repair.c makes that their value.
 *
 * Where a rule says that equal values mean one thing, the rows are to be one instead (unite.h):
 * that must be said to others first, and the one that is not in the file waits for it.
 *
 * A claim is the greatest clock of the key's cells: a pure function of the logical state. */
#include "batch.h"
#include "ledger_large.h"
#include "unite.h"

#include <string.h>

#include <sqlite3.h>

#define MARKS_MAX 4 /* in front of one value in one batch */

struct collider {
    struct batch *b;
    struct record rec, other;
    struct keymap by_key; /* of the works: 1 + index */
    bool keys_known;
    uint32_t stuck; /* holders that came in and are to get out of the way, but cannot either */
};

/* ---- who holds it ---- */

static void know_keys(struct collider *c)
{
    for (uint32_t i = 0; !c->keys_known && i < c->b->n; i++) {
        const struct work *w = &c->b->works[i];

        if (w->b != NULL && w->key.kind != KEY_NONE && (w->present ? !w->deleted : w->wrote))
            keymap_put(&c->by_key, w->b->app_index, &w->key, i + 1);
    }
    c->keys_known = true;
}

/* The gid of the row of the file under this key; 0: nobody knows it yet. */
static bool row_at(struct collider *c, struct binding *t, const struct row_key *key, int64_t *gid,
                   struct err *e)
{
    struct ledger_row row;
    uint32_t at;
    bool found;

    know_keys(c);
    at = keymap_get(&c->by_key, t->app_index, key);
    if (at != 0) {
        *gid = c->b->works[at - 1].gid;
        return true;
    }
    if (!ledger_head_by_key(&c->b->s->ledger, t->table, key, false, &row, &found, e))
        return false;
    *gid = found && !row.minted ? row.gid : 0;
    return true;
}

/* Bind the values that a row wants in a UNIQUE key. `any` false: one is NULL or unknown. */
static bool bind_wanted(struct collider *c, struct work *w, const struct app_unique *u,
                        sqlite3_stmt *q, bool *any, struct err *e)
{
    *any = true;
    if (!record_borrow(&c->rec, w->want.p != NULL ? w->want : w->rec, e))
        return false;
    for (uint32_t i = 0; *any && i < u->n; i++) {
        const struct cell *cell = record_get(&c->rec, w->b->position[u->columns[i]]);
        struct value v;
        int done;

        *any = cell != NULL && cell->v.type != VALUE_NULL;
        if (!*any)
            return true;
        done = batch_value(c->b, w, u->columns[i], &cell->v, &v, e);
        *any = done == 1;
        if (done < 0 || (*any && !value_bind(q, (int)i + 1, &v)))
            return e->code != ERR_NONE ? false : sqlite_err(c->b->s->app.db, w->b->app->name, e);
    }
    return true;
}

/* The row that stands in the way in this key; 0: none. */
static bool find_holder(struct collider *c, struct work *w, const struct app_unique *u,
                        int64_t *gid, struct err *e)
{
    const struct app_table *t = w->b->app;
    sqlite3_stmt *q = app_unique_holders(&c->b->s->app, t, u, e);
    struct value values[COLUMNS_MAX];
    int code = SQLITE_DONE;
    bool any, ok = q != NULL && bind_wanted(c, w, u, q, &any, e);

    *gid = 0;
    while (ok && any && *gid == 0 && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct row_key key;

        for (uint32_t i = 0; i < t->key_count; i++)
            values[t->keys[i]] = value_of_column(q, (int)i);
        key = key_of_row(t, values, &c->b->key_room);
        if (!row_key_equal(&key, &w->key))
            ok = row_at(c, w->b, &key, gid, e);
    }
    if (ok && code != SQLITE_DONE && code != SQLITE_ROW)
        ok = sqlite_err(c->b->s->app.db, t->name, e);
    sqlite3_finalize(q);
    return ok;
}

static bool uniques_of(struct collider *c, const struct binding *t, struct app_uniques **out,
                       struct err *e)
{
    struct batch_table *bt = &c->b->tables[t->app_index];

    *out = &bt->uniques;
    if (!bt->uniques_known && !app_uniques_read(&c->b->s->app, t->app, &bt->uniques, e))
        return false;
    bt->uniques_known = true;
    return true;
}

/* ---- who yields ---- */

static bool read_claim(struct collider *c, const struct work *w, const struct app_unique *u,
                       struct local_clock *claim, struct err *e)
{
    *claim = (struct local_clock){0};
    if (!record_borrow(&c->rec, w->rec, e))
        return false;
    for (uint32_t i = 0; i < u->n; i++) {
        const struct cell *cell = record_get(&c->rec, w->b->position[u->columns[i]]);

        if (cell != NULL && ledger_clock_compare(&c->b->s->ledger, &cell->clock, claim) > 0)
            *claim = cell->clock;
    }
    return true;
}

/* Does it already show something else than its own value in this key? A mark in another one is no
 * reason to yield here. */
static bool is_marked(struct collider *c, const struct work *w, const struct app_unique *u,
                      bool *marked, struct err *e)
{
    *marked = false;
    if (w->want.p == NULL)
        return true;
    if (!record_borrow(&c->rec, w->rec, e) || !record_borrow(&c->other, w->want, e))
        return false;
    for (uint32_t i = 0; i < u->n; i++) {
        const struct cell *own = record_get(&c->rec, w->b->position[u->columns[i]]);
        const struct cell *shown = record_get(&c->other, w->b->position[u->columns[i]]);

        *marked |= own != NULL && shown != NULL && !value_equal(&own->v, &shown->v);
    }
    return true;
}

/* Does the holder yield to the other one? Dead rows yield to living ones, marked values to those
 * that somebody wrote, the later claim to the earlier one. */
static bool holder_yields(struct collider *c, const struct work *w, const struct work *h,
                          const struct app_unique *u, bool *yields, struct err *e)
{
    struct local_clock mine, theirs;
    bool i_am, it_is;
    int order;

    if (w->alive != h->alive) {
        *yields = w->alive;
        return true;
    }
    if (!is_marked(c, w, u, &i_am, e) || !is_marked(c, h, u, &it_is, e))
        return false;
    if (i_am != it_is) {
        *yields = it_is;
        return true;
    }
    if (!read_claim(c, w, u, &mine, e) || !read_claim(c, h, u, &theirs, e))
        return false;
    order = ledger_clock_compare(&c->b->s->ledger, &mine, &theirs);
    *yields = order < 0 || (order == 0 && gid_order(&c->b->s->ledger, w->gid, h->gid) < 0);
    return true;
}

/* ---- yielding ---- */

static void add_author(const struct store *s, const struct local_clock *claim, struct buf *out)
{
    struct site_id site = actor_site(&s->ledger.actors[claim->actor - 1].actor);
    const struct roster_site *member = roster_author(s->roster, &site);
    char hex[2 * 4 + 1];

    if (member != NULL) {
        buf_add(out, (const uint8_t *)member->mark, strlen(member->mark));
        return;
    }
    hex_write(hex, (struct slice){site.bytes, 4});
    buf_add(out, (const uint8_t *)hex, strlen(hex));
}

/* Is there a foreign key to this column whose rows would not go along with it? */
static bool is_named(const struct collider *c, const struct app_table *t, uint32_t column)
{
    uint32_t index = (uint32_t)(t - c->b->s->app.schema.tables);

    for (uint32_t k = 0; k < t->fk_count; k++) {
        const struct app_fk *fk = &t->fks[k];
        const struct app_table *child = &c->b->s->app.schema.tables[fk->table];

        for (uint32_t i = 0; i < fk->n; i++) {
            const struct app_column *by = &child->columns[fk->columns[i]];

            if (fk->to[i] == column &&
                (by->ref_form != REF_UNIQUE || by->ref_table != (int)index || by->ref_fk != k))
                return true;
        }
    }
    return false;
}

/* The last column of the key that holds text of its own carries the mark, unless rows elsewhere
 * name it by this text: they would name the other row then. -1: there is none. */
static int markable(const struct collider *c, const struct work *w, const struct app_unique *u)
{
    for (uint32_t i = u->n; i-- > 0;) {
        const struct cell *cell = record_get(&c->rec, w->b->position[u->columns[i]]);

        if (cell != NULL && cell->v.type == VALUE_TEXT && !w->b->is_key[u->columns[i]] &&
            !is_named(c, w->b->app, u->columns[i]))
            return (int)u->columns[i];
    }
    return -1;
}

/* The column of the key in which the row would carry a mark, for the sake of this claim; -1: it
 * cannot yield. Decodes what it wants. */
static bool find_mark(struct collider *c, const struct work *w, const struct app_unique *u,
                      struct local_clock *claim, int *column, struct err *e)
{
    if (!read_claim(c, w, u, claim, e) ||
        !record_borrow(&c->rec, w->want.p != NULL ? w->want : w->rec, e))
        return false;
    *column = claim->actor == 0 ? -1 : markable(c, w, u);
    return true;
}

/* What the row wants from now on: its value behind one more mark. `column` -1: it cannot yield. */
static bool put_mark(struct collider *c, struct work *w, const struct app_unique *u, int *column,
                     struct err *e)
{
    struct local_clock claim;
    struct buf text, encoded;
    struct cell *cell;

    if (!find_mark(c, w, u, &claim, column, e))
        return false;
    if (*column < 0)
        return true;
    cell = record_cell(&c->rec, w->b->position[*column]);
    buf_open(&text, VALUE_BYTES_MAX);
    buf_add_byte(&text, '#');
    add_author(c->b->s, &claim, &text);
    buf_add_byte(&text, '-');
    buf_add(&text, cell->v.bytes.p, cell->v.bytes.n);
    if (text.overflow) {
        *column = -1;
    } else {
        cell->v.bytes = buf_slice(&text);
        buf_open(&encoded, SIZE_MAX / 2);
        record_encode(&c->rec, &encoded);
        w->want = arena_copy(&c->b->arena, buf_slice(&encoded));
        buf_close(&encoded);
    }
    buf_close(&text);
    return true;
}

/* The holder is in the file and stays there, with a mark. `done` false: it cannot. */
static bool push_aside(struct collider *c, struct work *h, const struct app_unique *u, bool *done,
                       struct err *e)
{
    struct slice before = h->want;
    int column;

    *done = false;
    for (int i = 0; i < MARKS_MAX && !*done; i++) {
        if (!put_mark(c, h, u, &column, e))
            return false;
        if (column < 0)
            break;
        h->state = WORK_DONE;
        if (!batch_write_column(c->b, h, (uint32_t)column, e))
            return false;
        *done = h->state == WORK_DONE;
        if (!*done) { /* it is as it was: in the file */
            h->state = WORK_DONE;
            c->b->failures--;
        }
    }
    if (!*done)
        h->want = before;
    return true;
}

static bool write_again(struct collider *c, struct work *w, struct err *e)
{
    w->state = WORK_OPEN;
    w->collided = false;
    c->b->failures--;
    return batch_write(c->b, w, e);
}

/* Load the holder. `ready` false: it must itself get into shape first, or it cannot and the other
 * one waits for it. */
static struct work *load_holder(struct collider *c, int64_t gid, bool *ready, struct err *e)
{
    bool known = batch_find(c->b, gid) != NULL;
    struct work *h = batch_add(c->b, gid, false, false, e);

    *ready = false;
    if (h == NULL || h->b == NULL)
        return h;
    if (!known && h->shadow.p != NULL && h->alive && !batch_write(c->b, h, e))
        return NULL;
    c->stuck += !known && h->state == WORK_FAILED && h->collided; /* it may want w's own value */
    if (!known && !h->alive) { /* in the file because rows there refer to it, and as it is there */
        h->needed = true;
        h->shadow_after = h->shadow;
    }
    if (!known && h->state == WORK_OPEN)
        h->state = WORK_DONE;
    *ready = h->state == WORK_DONE && !h->left && !h->deleted && (h->present || h->wrote);
    return h;
}

/* Settle one collision of work i in one key. `moved`: something has changed. */
static bool settle(struct collider *c, uint32_t i, const struct app_unique *u, int64_t holder,
                   bool *moved, struct err *e)
{
    bool ready, yields, done;
    struct work *h = load_holder(c, holder, &ready, e), *w = &c->b->works[i];
    int column;

    *moved = false;
    if (h == NULL || !ready)
        return e->code == ERR_NONE;
    if (!holder_yields(c, w, h, u, &yields, e))
        return false;
    if (yields) {
        if (!push_aside(c, h, u, &done, e))
            return false;
        *moved = done;
        return !done || write_again(c, w, e);
    }
    if (!put_mark(c, w, u, &column, e))
        return false;
    *moved = column >= 0;
    return !*moved || write_again(c, w, e);
}

/* Is it one with a row that holds the same in a key of which a rule says so? One of the two may be
 * dead, and wanted because rows refer to it: they mean the other one from then on. */
static bool find_same(struct collider *c, uint32_t i, const struct app_uniques *uniques,
                      struct err *e)
{
    const struct app_table *t = c->b->works[i].b->app;

    for (uint32_t k = 0; t->surrogate && k < uniques->n; k++) {
        const struct app_unique *u = &uniques->keys[k];
        const struct work *h;
        int64_t holder;
        bool ready;

        if (!bind_merges(c->b->s, t, u->columns, u->n))
            continue;
        if (!find_holder(c, &c->b->works[i], u, &holder, e))
            return false;
        h = holder == 0 ? NULL : load_holder(c, holder, &ready, e);
        if (h == NULL && e->code != ERR_NONE)
            return false;
        if (h != NULL && (h->alive || c->b->works[i].alive))
            c->b->works[i].same_as = h->gid;
    }
    return true;
}

/* Is there a key in which neither it nor the row in its way can yield? */
static bool is_shut_out(struct collider *c, uint32_t i, const struct app_uniques *uniques,
                        bool *out, struct err *e)
{
    *out = false;
    for (uint32_t k = 0; !*out && k < uniques->n; k++) {
        const struct app_unique *u = &uniques->keys[k];
        struct local_clock claim;
        struct work *h;
        int64_t holder;
        bool ready, yields;
        int column;

        if (!find_holder(c, &c->b->works[i], u, &holder, e))
            return false;
        if (holder == 0)
            continue;
        h = load_holder(c, holder, &ready, e);
        if (h == NULL || !ready) {
            *out = true;
            return e->code == ERR_NONE;
        }
        if (!holder_yields(c, &c->b->works[i], h, u, &yields, e) ||
            !find_mark(c, yields ? h : &c->b->works[i], u, &claim, &column, e))
            return false;
        *out = column < 0;
    }
    return true;
}

/* To a row that is to be one with another, or that does not get in anyhow, nobody yields anything.
 */
static bool collide(struct collider *c, uint32_t i, uint32_t *moved, struct err *e)
{
    struct app_uniques *uniques;
    bool did = false, out = false;

    if (!uniques_of(c, c->b->works[i].b, &uniques, e) || !find_same(c, i, uniques, e) ||
        (c->b->works[i].same_as == 0 && !is_shut_out(c, i, uniques, &out, e)))
        return false;
    if (c->b->works[i].same_as != 0 || out)
        return true;
    for (uint32_t k = 0; !did && k < uniques->n; k++) {
        int64_t holder;

        if (!find_holder(c, &c->b->works[i], &uniques->keys[k], &holder, e) ||
            (holder != 0 && !settle(c, i, &uniques->keys[k], holder, &did, e)))
            return false;
    }
    *moved += did;
    return true;
}

/* ---- rings ---- */

static bool is_outside(const struct work *w)
{
    return w->state == WORK_FAILED && w->b != NULL && !w->left && !w->wrote &&
           (w->present || w->key.kind != KEY_NONE) && (w->alive || w->needed);
}

static bool is_refused(const struct work *w)
{
    return w->collided && is_outside(w);
}

/* Do both want the same in this key? */
static bool wants_same(struct collider *c, const struct work *w, const struct work *h,
                       const struct app_unique *u, bool *same, struct err *e)
{
    *same = true;
    if (!record_borrow(&c->rec, w->want.p != NULL ? w->want : w->rec, e) ||
        !record_decode(&c->other, h->want.p != NULL ? h->want : h->rec, e))
        return false;
    for (uint32_t i = 0; *same && i < u->n; i++) {
        const struct cell *mine = record_get(&c->rec, w->b->position[u->columns[i]]);
        const struct cell *its = record_get(&c->other, w->b->position[u->columns[i]]);

        *same = mine != NULL && its != NULL;
        if (*same && !value_same(c->b->s, &mine->v, &its->v, same, e))
            return false;
    }
    return true;
}

/* A row that waits for others shows a value in this key that it does not want any more. What it
 * wants is taken by a row that does not yield it: so it is to want a mark, which tells what it will
 * show. */
static bool yield_waiting(struct collider *c, struct work *h, const struct app_unique *u,
                          bool *moved, struct err *e)
{
    const uint32_t i = (uint32_t)(h - c->b->works);
    struct work *other;
    int64_t holder;
    bool ready, yields;
    int column;

    if (!find_holder(c, h, u, &holder, e))
        return false;
    other = holder == 0 ? NULL : load_holder(c, holder, &ready, e);
    h = &c->b->works[i];
    if (other == NULL || !ready)
        return e->code == ERR_NONE;
    if (!holder_yields(c, h, other, u, &yields, e) || (!yields && !put_mark(c, h, u, &column, e)))
        return false;
    *moved = !yields && column >= 0;
    return true;
}

/* Work i waits for the holder to get into shape, and that one waits for others, for this one maybe.
 * What the two of them want both can be settled all the same: one of them is to want it no more. */
static bool settle_waiting(struct collider *c, uint32_t i, const struct app_unique *u,
                           int64_t holder, bool *moved, struct err *e)
{
    struct work *w = &c->b->works[i], *h = batch_find(c->b, holder);
    bool same, yields = false;
    int column;

    *moved = false;
    if (h == NULL || !(is_outside(h) && (h->collided || h->waits)))
        return true;
    if (!wants_same(c, w, h, u, &same, e))
        return false;
    if (!same)
        return !h->waits || yield_waiting(c, h, u, moved, e);
    if (!holder_yields(c, w, h, u, &yields, e) || !put_mark(c, yields ? h : w, u, &column, e))
        return false;
    *moved = column >= 0;
    return true;
}

/* Is there a key in which it and the row in its way go on wanting the same, and neither can yield?
 */
static bool is_barred(struct collider *c, uint32_t i, const struct app_uniques *uniques,
                      bool *barred, struct err *e)
{
    struct work *w = &c->b->works[i];

    *barred = false;
    for (uint32_t k = 0; !*barred && k < uniques->n; k++) {
        const struct app_unique *u = &uniques->keys[k];
        const struct work *h;
        struct local_clock claim;
        int64_t holder;
        bool same, yields;
        int column;

        if (!find_holder(c, w, u, &holder, e))
            return false;
        h = holder == 0 ? NULL : batch_find(c->b, holder);
        if (h == NULL || h->b == NULL || !(h->alive || h->needed))
            continue;
        if (!wants_same(c, w, h, u, &same, e) || (same && !holder_yields(c, w, h, u, &yields, e)) ||
            (same && !find_mark(c, yields ? h : w, u, &claim, &column, e)))
            return false;
        *barred = same && column < 0;
    }
    return true;
}

static bool unring(struct collider *c, uint32_t i, uint32_t *moved, struct err *e)
{
    struct app_uniques *uniques;
    bool did = false, barred;

    if (!uniques_of(c, c->b->works[i].b, &uniques, e) || !is_barred(c, i, uniques, &barred, e))
        return false;
    for (uint32_t k = 0; !did && !barred && c->b->works[i].same_as == 0 && k < uniques->n; k++) {
        int64_t holder;

        if (!find_holder(c, &c->b->works[i], &uniques->keys[k], &holder, e) ||
            (holder != 0 && !settle_waiting(c, i, &uniques->keys[k], holder, &did, e)))
            return false;
    }
    *moved += did;
    return true;
}

bool batch_collide(struct batch *b, uint32_t *moved, struct err *e)
{
    struct collider c = {.b = b};
    uint32_t n = b->n;
    bool ok = true;

    *moved = 0;
    for (uint32_t i = 0; ok && i < n; i++)
        if (is_refused(&b->works[i]))
            ok = collide(&c, i, moved, e);
    *moved += c.stuck;
    for (uint32_t i = 0, still = *moved == 0; ok && still && i < n; i++)
        if (is_refused(&b->works[i]))
            ok = unring(&c, i, moved, e);
    keymap_close(&c.by_key);
    record_close(&c.rec);
    record_close(&c.other);
    return ok;
}
