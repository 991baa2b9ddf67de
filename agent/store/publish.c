/* Publish: rows as the application left them -> what differs from what the file held before ->
 * ledger and signed change-sets. */
#include "publish.h"
#include "drain.h"
#include "ledger_large.h"
#include "migration.h"
#include "refer.h"
#include "unite.h"
#include "withhold.h"

#include <assert.h>
#include <stdlib.h>

#define GID_BYTES 256 /* to give a row its gid takes as long as to publish so many */

/* ---- references ---- */

bool refer(struct store *s, const struct binding *parent, const struct value *v, int64_t *gid,
           struct err *e)
{
    struct ledger_row row;
    struct row_key key = int_key(v->i);
    struct buf room;
    bool found, ok;

    buf_open(&room, VALUE_BYTES_MAX + 32);
    if (v->type != VALUE_INT) {
        packed_value_write(&room, v);
        key = (struct row_key){.kind = KEY_PACKED, .bytes = buf_slice(&room)};
    }
    ok = ledger_head_by_key(&s->ledger, parent->table, &key, false, &row, &found, e);
    *gid = ok && found ? row.gid : 0;
    buf_close(&room);
    return ok;
}

struct row_key publish_key(struct publisher *p, const struct value *v)
{
    if (v->type == VALUE_INT)
        return (struct row_key){.kind = KEY_INT, .i = v->i};
    buf_clear(&p->key_room);
    packed_value_write(&p->key_room, v);
    return (struct row_key){.kind = KEY_PACKED, .bytes = buf_slice(&p->key_room)};
}

/* A row that was deleted, whose key a reference by rule still shows, or what it is one with by now.
 * One that was gone before it was said is no row to anybody: others would wait for it. */
static bool refer_dead(struct publisher *p, const struct binding *parent, const struct row_key *key,
                       int64_t *gid, struct err *e)
{
    struct record r = {0};
    struct ledger_row row;
    bool found, ok = true;

    *gid = 0;
    if (!ledger_row_by_key(&p->s->ledger, parent->table, key, true, &row, &found, e))
        return false;
    if (found && !row.present && !row.minted) {
        ok = record_decode(&r, row.rec, e) && ledger_stands(&p->s->ledger, row.gid, gid, e);
        *gid = r.n == 0 && *gid == row.gid ? 0 : *gid;
        record_close(&r);
    }
    return ok;
}

bool publish_translate(struct publisher *p, const struct touched *t, uint32_t column,
                       struct value *v, struct err *e)
{
    struct named named = touched_named(p->s, t, column);
    struct row_key key;
    uint32_t at;
    int64_t gid;

    *v = t->values[column];
    if (named.b == NULL)
        return true;
    key = publish_key(p, &named.key);
    at = keymap_get(&p->here, named.b->app_index, &key);
    gid = at == 0 ? 0 : p->list->rows[at - 1].gid;
    if (at == 0 && !refer(p->s, named.b, &named.key, &gid, e))
        return false;
    if (gid == 0 && t->b->app->columns[column].ref_by_rule &&
        !refer_dead(p, named.b, &key, &gid, e))
        return false;
    if (gid != 0)
        *v = (struct value){.type = VALUE_REF, .ref = gid_unpack(gid)};
    return true;
}

/* ---- one row ---- */

static uint64_t later(uint64_t stamp, const struct local_clock *c)
{
    return c->number != 0 && c->stamp >= stamp ? c->stamp + 1 : stamp;
}

static uint64_t first_stamp(const struct touched *t)
{
    if (t->derived)
        return 1; /* and above that of each value it was derived from */
    return t->wall_ms == 0 ? 0 : hlc_stamp(t->wall_ms, 0);
}

static bool is_same_write(const struct cell *a, const struct cell *b)
{
    return a->clock.stamp == b->clock.stamp && a->clock.number == b->clock.number &&
           a->clock.actor == b->clock.actor;
}

/* The whole row as the file holds it now, and the clocks the application saw, becomes the shadow;
 * none if that is what rec says. */
static bool set_shadow(struct publisher *p, struct touched *t, struct ledger_row *row,
                       struct err *e)
{
    struct binding *b = t->b;

    row->differs = false;
    for (uint32_t i = 0; i < b->app->column_count && !row->differs; i++) {
        const struct cell *have = record_get(&p->rec, b->position[i]);
        const struct cell *file = record_get(&p->next, b->position[i]);
        bool same = false;

        if ((b->app->surrogate && b->is_key[i]) || file == NULL)
            continue;
        if (have != NULL && is_same_write(have, file) &&
            !value_same(p->s, &have->v, &file->v, &same, e))
            return false;
        row->differs = !same;
    }
    if (!row->differs)
        return true;
    buf_clear(&p->shadow_bytes);
    record_encode(&p->next, &p->shadow_bytes);
    row->shadow = buf_slice(&p->shadow_bytes);
    return true;
}

/* The row under way is part of another one: the record is that one's, and of this one only what the
 * file holds is kept until it leaves. */
static bool write_part(struct publisher *p, struct ledger_row *row, bool known, bool was_present,
                       struct err *e)
{
    struct ledger *l = &p->s->ledger;

    buf_clear(&p->rec_bytes);
    record_encode(&p->rec, &p->rec_bytes);
    p->standing.rec = buf_slice(&p->rec_bytes);
    p->s->due_open = true;
    if (!ledger_row_put(l, &p->standing, true, p->standing.present, e) ||
        !ledger_due_put(l, p->stands, p->now_ms, NULL, e))
        return false;
    record_clear(&p->rec);
    p->rec.dead = (struct local_clock){.actor = l->self, .number = 1};
    buf_clear(&p->rec_bytes);
    record_encode(&p->rec, &p->rec_bytes);
    buf_clear(&p->shadow_bytes);
    record_encode(&p->next, &p->shadow_bytes);
    row->rec = buf_slice(&p->rec_bytes);
    row->shadow = buf_slice(&p->shadow_bytes);
    row->differs = row->present;
    row->minted = false;
    return ledger_row_put(l, row, known, was_present, e) &&
           ledger_due_put(l, row->gid, p->now_ms, NULL, e);
}

static bool write_row(struct publisher *p, struct ledger_row *row, bool known, bool was_present,
                      struct err *e)
{
    if (p->stands != row->gid)
        return write_part(p, row, known, was_present, e);
    buf_clear(&p->rec_bytes);
    record_encode(&p->rec, &p->rec_bytes);
    row->rec = buf_slice(&p->rec_bytes);
    row->minted = false;
    if (!ledger_row_put(&p->s->ledger, row, known, was_present, e))
        return false;
    if (!row->differs && row->present == ledger_alive(&p->s->ledger, &p->rec))
        return true;
    p->s->due_open = true;
    return ledger_due_put(&p->s->ledger, row->gid, p->now_ms, NULL, e);
}

/* Whoever deletes what somebody else deleted sees what kept it in the file, and knows better. (What
 * this PC itself deleted it may say again since its home went back: that is no news.) */
static uint64_t after_death(const struct publisher *p, uint64_t stamp,
                            const struct local_clock *dead)
{
    return dead->number == 0 || ledger_is_ours(&p->s->ledger, dead->actor) ? stamp
                                                                           : later(stamp, dead);
}

/* Has the file shown the latest write of this part? What is merged only was not seen. */
static bool part_seen(const struct publisher *p, const struct part *part)
{
    const struct ledger *l = &p->s->ledger;

    return part->life.number == 0 || ledger_is_ours(l, part->life.actor) ||
           part->life.number <= l->actors[part->life.actor - 1].applied;
}

/* Does this part of the row under way go with it? All that the file does not show as rows of their
 * own do, as far as it shows them: who deleted the one row saw them in it. */
static bool part_goes(struct publisher *p, const struct touched *t, const struct part *part,
                      bool *goes, struct err *e)
{
    struct ledger_row row;
    bool known;

    *goes = part->gid == t->gid;
    if (*goes || p->stands != t->gid || !part_seen(p, part))
        return true;
    if (!ledger_row_get(&p->s->ledger, part->gid, &row, &known, e))
        return false;
    *goes = !known || !row.present;
    return true;
}

/* Those that go with the row under way, and a stamp after all that the file has shown of them: also
 * after what said no more than that the row is wanted, of which no cell tells. The last delete of a
 * row that lives is the latest of all: it tells what was known when the whole row went. */
static bool find_going(struct publisher *p, const struct touched *t, struct parts *all,
                       uint64_t *stamp, struct err *e)
{
    const bool lives = p->rec.dead.number == 0;
    uint32_t n = all->n;

    all->n = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct part one = all->rows[i];
        bool goes;

        *stamp = lives ? later(*stamp, &one.dead) : after_death(p, *stamp, &one.dead);
        if (!part_goes(p, t, &one, &goes, e))
            return false;
        if (goes && part_seen(p, &one))
            *stamp = later(*stamp, &one.life);
        if (goes)
            all->rows[all->n++] = one;
    }
    return true;
}

/* Delete a row that was united with others. `united` false: it is an ordinary row. */
static bool delete_parts(struct publisher *p, const struct touched *t, struct local_clock *dead,
                         bool *united, struct err *e)
{
    const struct part unheard = {.gid = t->gid}; /* nobody had heard of it before */
    struct parts all;
    bool ok = parts_read(p->s, p->stands, &all, e), named = false, noted;

    *united = ok && all.n > 0;
    ok = ok && find_going(p, t, &all, &dead->stamp, e);
    for (uint32_t i = 0; ok && *united && i < all.n + !named; i++) {
        const struct part *one = i < all.n ? &all.rows[i] : &unheard;

        named |= one->gid == t->gid;
        author_row(&p->author, t->b, CHANGE_DELETE, one->gid, dead->stamp, NULL, NULL, 0);
        ok = unite_note(p->s, one->gid, p->stands, dead, true, &p->rec, &noted, e);
    }
    parts_close(&all);
    return ok;
}

static bool publish_gone(struct publisher *p, struct touched *t, struct ledger_row *row,
                         const struct record *base, struct err *e)
{
    uint64_t stamp = first_stamp(t);
    const struct local_clock had = p->rec.dead;
    struct local_clock dead;
    bool united;

    if (stamp == 0)
        stamp = hlc_stamp(p->now_ms, 0);
    for (uint32_t i = 0; i < base->n; i++)
        stamp = stamp_after(stamp, &base->cells[i], false);
    stamp = after_death(p, stamp, &p->rec.dead);
    row->present = false;
    row->differs = false;
    /* One by name with a row that the file shows beside it: that one has not gone. */
    if (p->stands != t->gid && !t->b->app->surrogate && p->standing.present)
        return write_row(p, row, true, true, e);
    if (!publish_introduce(p, t, e))
        return false;
    author_open(&p->author);
    dead = (struct local_clock){
        .stamp = stamp, .actor = p->s->ledger.self, .number = p->author.number};
    if (!delete_parts(p, t, &dead, &united, e))
        return false;
    if (!united && (had.number == 0 || ledger_clock_compare(&p->s->ledger, &dead, &had) > 0))
        p->rec.dead = dead;
    if (p->rec.dead.number != 0 && ledger_clock_compare(&p->s->ledger, &p->rec.dead, &had) != 0) {
        const struct conflict_row about = cells_listed(p, t);

        if (!conflict_delete(&about, &p->rec, e))
            return false;
    }
    if (!united)
        author_row(&p->author, t->b, CHANGE_DELETE, t->gid, stamp, NULL, NULL, 0);
    return write_row(p, row, true, true, e);
}

static bool load_standing(struct publisher *p, struct err *e)
{
    struct ledger_row *row = &p->standing;
    bool found;

    if (!ledger_row_get(&p->s->ledger, p->stands, row, &found, e))
        return false;
    if (!found || row->minted)
        return err_set(e, ERR_STORE, "the ledger has lost a row that stands for another one");
    buf_clear(&p->standing_shadow);
    buf_add(&p->standing_shadow, row->differs ? row->shadow.p : row->rec.p,
            row->differs ? row->shadow.n : row->rec.n);
    row->shadow = buf_slice(&p->standing_shadow);
    row->differs = row->present;
    row->key = arena_key(&p->list->arena, &row->key);
    return record_decode(&p->rec, row->rec, e);
}

static bool load_row(struct publisher *p, struct touched *t, struct ledger_row *row, bool *known,
                     struct err *e)
{
    *row = (struct ledger_row){.gid = t->gid, .table = t->b->table};
    if (!ledger_row_get(&p->s->ledger, t->gid, row, known, e))
        return false;
    record_clear(&p->rec);
    record_clear(&p->shadow);
    record_clear(&p->next);
    p->stands = t->gid;
    if (*known && row->minted)
        return true;
    if (row->differs && !record_decode(&p->shadow, row->shadow, e))
        return false;
    if (!ledger_stands(&p->s->ledger, t->gid, &p->stands, e))
        return false;
    if (p->stands != t->gid) {
        row->key = arena_key(&p->list->arena, &row->key); /* the next look-up takes it */
        return load_standing(p, e);
    }
    return !*known || record_decode(&p->rec, row->rec, e);
}

/* The key the row has in the file now; packed ones live in the list's arena. */
static void set_key(struct publisher *p, const struct touched *t, struct ledger_row *row)
{
    struct ledger_table *table = &p->s->ledger.tables[t->b->table - 1];

    row->key = t->key;
    row->present = true;
    if (t->b->app->surrogate && t->key.kind == KEY_INT && t->key.i > table->key_max)
        table->key_max = t->key.i;
}

/* By rule the row is not said: only where it is is noted. A row that nobody has heard of keeps its
 * gid, minted, with a shadow that says nothing as the mark of one held back. */
static bool hold_back(struct publisher *p, struct touched *t, struct ledger_row *row, bool known,
                      bool was_present, struct err *e)
{
    struct record nothing = {0};

    row->minted = !known || row->minted;
    if (t->key.kind == KEY_NONE)
        row->present = row->differs = false;
    else
        set_key(p, t, row);
    buf_clear(&p->rec_bytes);
    record_encode(&p->rec, &p->rec_bytes);
    row->rec = buf_slice(&p->rec_bytes);
    buf_clear(&p->shadow_bytes);
    if (row->present && (row->minted || !was_present)) {
        row->differs = true;
        record_encode(&nothing, &p->shadow_bytes);
    } else if (row->differs) {
        record_encode(&p->shadow, &p->shadow_bytes);
    }
    row->shadow = buf_slice(&p->shadow_bytes);
    if (!ledger_row_put(&p->s->ledger, row, known, was_present, e))
        return false;
    if (row->minted || !row->differs || !was_present) /* what the file lacks of it is let in */
        return true;
    p->s->due_open = true;
    return ledger_due_put(&p->s->ledger, row->gid, p->now_ms, NULL, e);
}

/* It came and went unseen; or it waits outside of the file, in which columns have new names. */
static bool publish_absent(struct publisher *p, struct touched *t, struct ledger_row *row,
                           bool known, struct err *e)
{
    if (!known || row->minted || t->b->mute || p->stands != row->gid ||
        !ledger_alive(&p->s->ledger, &p->rec))
        return true;
    row->key = arena_key(&p->list->arena, &row->key);
    author_open(&p->author);
    return fresh_carry(p, t, e) && write_row(p, row, true, false, e);
}

/* Has nothing been said yet of the row, which is in the file, but perhaps that it is gone? */
static bool is_unsaid(const struct publisher *p, const struct touched *t,
                      const struct ledger_row *row)
{
    return row->minted ||
           (t->key.kind != KEY_NONE && p->stands == row->gid && !record_has_cells(&p->rec));
}

/* Whoever writes a row wants it: that is later than its deletes, also those that the record of
 * several rows does not have while one of them lives. */
static bool wanted_stamp(struct publisher *p, uint64_t *stamp, struct err *e)
{
    uint64_t now = *stamp == 0 ? hlc_stamp(p->now_ms, 0) : *stamp;
    struct parts all;
    bool ok = parts_read(p->s, p->stands, &all, e);

    if (p->rec.dead.number != 0)
        *stamp = later(now, &p->rec.dead);
    for (uint32_t i = 0; ok && i < all.n; i++)
        if (all.rows[i].dead.number != 0)
            *stamp = later(*stamp == 0 ? now : *stamp, &all.rows[i].dead);
    parts_close(&all);
    return ok;
}

static bool publish_row(struct publisher *p, struct touched *t, struct err *e)
{
    struct ledger_row row;
    const struct record *base;
    uint64_t stamp = first_stamp(t);
    bool known, was_present, says;

    if (!load_row(p, t, &row, &known, e))
        return false;
    was_present = known && row.present;
    if (t->key.kind == KEY_NONE && !was_present)
        return t->b->fresh == NULL || publish_absent(p, t, &row, known, e);
    base = !was_present || is_unsaid(p, t, &row) ? NULL : row.differs ? &p->shadow : &p->rec;
    if (!withhold_says(p->s, t, base, &says, e))
        return false;
    if (!says && t->key.kind != KEY_NONE && !withhold_note(p->s, t, e))
        return false;
    if (!says && (t->key.kind != KEY_NONE || base != NULL)) {
        row.key = arena_key(&p->list->arena, &row.key);
        return hold_back(p, t, &row, known, was_present, e);
    }
    if (t->key.kind == KEY_NONE) {
        row.key = arena_key(&p->list->arena, &row.key);
        if (base != NULL)
            return publish_gone(p, t, &row, base, e);
        row.present = false; /* only minted: nobody has heard of it */
        row.differs = false;
        return write_row(p, &row, true, true, e);
    }
    for (uint32_t i = 0; i < t->b->app->column_count; i++)
        if (!publish_translate(p, t, i, &p->values[i], e))
            return false;
    if (base != NULL)
        for (uint32_t i = 0; i < base->n; i++)
            if (base->cells[i].set)
                *record_cell(&p->next, i) = base->cells[i];
    if ((stamp != 0 || !was_present) && !wanted_stamp(p, &stamp, e))
        return false;
    author_open(&p->author);
    set_key(p, t, &row);
    if (!cells_find(p, t, base, &stamp, e) || !publish_say(p, t, base == NULL, stamp, e) ||
        !set_shadow(p, t, &row, e))
        return false;
    return write_row(p, &row, known, was_present, e);
}

static void publisher_open(struct publisher *p)
{
    uint32_t columns = 1;

    for (uint32_t i = 0; i < p->s->binding_count; i++)
        if (p->s->bindings[i].app->column_count > columns)
            columns = p->s->bindings[i].app->column_count;
    p->values = mem_alloc(columns * sizeof *p->values);
    p->wire = mem_alloc(columns * sizeof *p->wire);
    p->columns = mem_alloc(columns * sizeof *p->columns);
    p->changed = mem_alloc(columns * sizeof *p->changed);
    p->back = mem_alloc(columns * sizeof *p->back);
    p->counters = mem_alloc(columns * sizeof *p->counters);
    buf_open(&p->rec_bytes, SIZE_MAX / 2);
    buf_open(&p->shadow_bytes, SIZE_MAX / 2);
    buf_open(&p->key_room, SIZE_MAX / 2);
    buf_open(&p->standing_shadow, SIZE_MAX / 2);
}

static void publisher_close(struct publisher *p)
{
    keymap_close(&p->here);
    record_close(&p->rec);
    record_close(&p->shadow);
    record_close(&p->next);
    free(p->values);
    free(p->wire);
    free(p->columns);
    free(p->changed);
    free(p->back);
    free(p->counters);
    buf_close(&p->rec_bytes);
    buf_close(&p->shadow_bytes);
    buf_close(&p->key_room);
    buf_close(&p->standing_shadow);
}

bool publish_name(struct store *s, struct touch_list *list, uint64_t now_ms, struct err *e)
{
    struct publisher p = {.s = s, .list = list, .now_ms = now_ms};
    bool ok;

    publisher_open(&p);
    ok = publish_gids(&p, e);
    publisher_close(&p);
    return ok;
}

/* So many rows of a change-set one row of the table can become: itself; which row it is; cells that
 * a migration carried over; more totals than one takes; the rows that it is made of. */
static uint32_t rows_of_one(const struct store *s, const struct binding *b)
{
    uint32_t n = b->app->surrogate ? 1 : 2;

    if (b->fresh != NULL)
        n += 2 * b->app->column_count;
    for (uint32_t i = 0; i < b->app->column_count; i++)
        n += b->counter[i];
    return s->ledger.aliases ? n + SITES_EVER_MAX : n;
}

static bool is_in_part(const struct touch_list *l, const struct touched *t)
{
    return l->part == TOUCH_ALL || touch_is_unmarked(t) == (l->part == TOUCH_UNMARKED);
}

/* All of it in a transaction of the ledger, in slices. */
struct publishing {
    struct publisher p;
    bool begun;
    bool *open;        /* tables, by index, that are still to be published */
    bool last, did;    /* the pass under way takes all that are left; it took one */
    uint32_t at, row;  /* in the list: where the pass stands; the next row... */
    struct binding *b; /* ...of this table; NULL: the next one is to be found */
    uint64_t *left;    /* of the slice */
};

static void spend(struct publishing *g, uint64_t work)
{
    *g->left -= work < *g->left ? work : *g->left;
}

static size_t row_bytes(const struct touched *t)
{
    size_t n = DRAIN_ROW_BYTES;

    for (uint32_t i = 0; t->values != NULL && i < t->b->app->column_count; i++)
        if (t->values[i].type == VALUE_TEXT || t->values[i].type == VALUE_BLOB)
            n += t->values[i].bytes.n;
    return n;
}

/* To seal a change-set takes as long as to put its rows into it. */
static bool seal(struct publishing *g, struct err *e)
{
    if (g->p.author.is_open)
        spend(g, body_size(&g->p.author.body));
    return author_seal(&g->p.author, e);
}

static bool publish_table(struct publishing *g, struct err *e)
{
    struct publisher *p = &g->p;
    uint32_t rows = rows_of_one(p->s, g->b);

    for (; *g->left > 0 && g->row < p->list->n; g->row++) {
        struct touched *t = &p->list->rows[g->row];

        if (t->b != g->b || t->gid == 0 || !is_in_part(p->list, t))
            continue;
        if (author_is_full(&p->author, rows) && !seal(g, e))
            return false;
        spend(g, row_bytes(t));
        if (!publish_row(p, t, e))
            return false;
    }
    if (g->row < p->list->n)
        return true;
    g->row = 0;
    return ledger_table_save(&p->s->ledger, &p->s->ledger.tables[g->b->table - 1], e);
}

/* Does the key refer to another table that is still to be published? */
static bool key_awaits(const struct app_table *t, uint32_t index, const bool *open)
{
    for (uint32_t i = 0; i < t->key_count; i++) {
        int parent = t->columns[t->keys[i]].ref_table;

        if (parent >= 0 && (uint32_t)parent != index && open[parent])
            return true;
    }
    return false;
}

/* The next table, in the order of the list, that is still to be published and may be now. */
static struct binding *next_table(struct publishing *g)
{
    for (; g->at < g->p.list->n; g->at++) {
        struct binding *b = g->p.list->rows[g->at].b;

        if (!g->open[b->app_index] || (!g->last && key_awaits(b->app, b->app_index, g->open)))
            continue;
        g->open[b->app_index] = false;
        g->did = true;
        return b;
    }
    return NULL;
}

/* Each table stands once in a change-set, in the order of first appearance; but those whose key
 * refers to others after these, so that whoever merges knows which rows are one before it meets
 * keys that name them. Tables whose keys refer to each other come last, as they are. */
static bool publish_rows(struct publishing *g, bool *done, struct err *e)
{
    while (*g->left > 0) {
        if (g->b == NULL)
            g->b = next_table(g);
        if (g->b != NULL) {
            if (!publish_table(g, e))
                return false;
            g->b = g->row == 0 ? NULL : g->b;
            continue;
        }
        *done = g->last;
        if (*done)
            return true;
        g->last = !g->did;
        g->did = false;
        g->at = 0;
    }
    return true;
}

struct publishing *publishing_new(struct store *s, struct touch_list *list, uint64_t now_ms,
                                  struct store_progress *progress)
{
    struct publishing *g = mem_alloc(sizeof *g);

    g->p = (struct publisher){.s = s, .list = list, .now_ms = now_ms};
    publisher_open(&g->p);
    author_begin(&g->p.author, s, now_ms, progress);
    return g;
}

void publishing_free(struct publishing *g)
{
    if (g == NULL)
        return;
    author_close(&g->p.author);
    publisher_close(&g->p);
    free(g->open);
    free(g);
}

/* Rows get their gids all at once, before anything names them. */
static bool begin(struct publishing *g, struct err *e)
{
    struct touch_list *l = g->p.list;

    g->begun = true;
    if (!unsent_save(g->p.s, e) || !migration_find(g->p.s, l, e) || !publish_gids(&g->p, e))
        return false;
    g->open = mem_alloc(g->p.s->app.schema.n + 1);
    for (uint32_t i = 0; i < l->n; i++)
        g->open[l->rows[i].b->app_index] = true;
    spend(g, (uint64_t)l->n * GID_BYTES);
    return true;
}

bool publishing_step(struct publishing *g, uint64_t *left, bool *done, struct err *e)
{
    struct store *s = g->p.s;

    g->left = left;
    *done = false;
    s->due_stale = true;
    s->noticed_ms = g->p.now_ms;
    s->look_ups_left = LOOK_UPS_MAX;
    return (g->begun || begin(g, e)) && publish_rows(g, done, e) && (!*done || seal(g, e));
}

bool publish(struct store *s, struct touch_list *list, uint64_t now_ms,
             struct store_progress *progress, struct err *e)
{
    struct publishing *g = publishing_new(s, list, now_ms, progress);
    uint64_t left = UINT64_MAX;
    bool done;
    bool ok = publishing_step(g, &left, &done, e);

    assert(!ok || done);
    publishing_free(g);
    return ok;
}
