/* The gids of rows on their way out: which row of the fleet is it that the application has written?
 */
#include "publish.h"
#include "refer.h"
#include "unite.h"

#include <stdlib.h>

void identity_write(const struct ledger *l, const struct value *values, uint32_t n, struct buf *out)
{
    for (uint32_t i = 0; i < n; i++) {
        uint8_t counter[8];

        if (values[i].type != VALUE_REF) {
            packed_value_write(out, &values[i]);
            continue;
        }
        buf_add_byte(out, VALUE_REF);
        be64_write(counter, values[i].ref.counter);
        buf_add(out, l->actors[values[i].ref.actor - 1].actor.bytes, ACTOR_BYTES);
        buf_add(out, counter, sizeof counter);
    }
}

/* True when the key of a new natural row refers to a row that has no gid yet. */
static bool key_waits(struct publisher *p, const struct touched *t)
{
    for (uint32_t i = 0; i < t->b->app->key_count; i++) {
        uint32_t column = t->b->app->keys[i];
        int parent = t->b->app->columns[column].ref_table;
        struct row_key key;
        uint32_t at;

        if (parent < 0 || t->values[column].type == VALUE_NULL)
            continue;
        key = publish_key(p, &t->values[column]);
        at = keymap_get(&p->here, (uint32_t)parent, &key);
        if (at != 0 && p->list->rows[at - 1].gid == 0)
            return true;
    }
    return false;
}

/* What the row is called everywhere: by rows that stand for others. The file may still have another
 * one of those. */
static bool write_name(struct publisher *p, const struct touched *t, struct buf *name,
                       struct err *e)
{
    struct value key[KEY_COLUMNS_MAX];

    for (uint32_t i = 0; i < t->b->app->key_count; i++)
        if (!publish_translate(p, t, t->b->app->keys[i], &key[i], e) ||
            !value_stands(p->s, &key[i], e))
            return false;
    identity_write(&p->s->ledger, key, t->b->app->key_count, name);
    return true;
}

/* The mark since which the row's key names what it names now; 0: it did before all of them. */
static int64_t named_since(struct publisher *p, const struct touched *t, int depth)
{
    int64_t since = 0;

    for (uint32_t i = 0; i < t->b->app->key_count; i++) {
        uint32_t column = t->b->app->keys[i], at;
        struct named named = touched_named(p->s, t, column);
        const struct touched *parent;
        struct row_key key;
        int64_t mark;

        if (named.b == NULL)
            continue;
        key = publish_key(p, &named.key);
        at = keymap_get(&p->here, named.b->app_index, &key);
        if (at == 0)
            continue;
        parent = &p->list->rows[at - 1];
        if (t->b->app->columns[column].ref_form == REF_UNIQUE)
            mark = parent->last;
        else if (parent->b->app->surrogate)
            mark = parent->since;
        else
            mark = depth < KEY_COLUMNS_MAX ? named_since(p, parent, depth + 1) : INT64_MAX;
        since = mark > since ? mark : since;
    }
    return since;
}

/* A new row is called by the mark that inserted it, so that all who have that mark call it alike:
 * by the first one since which its key names the same. Before that it may have made another row,
 * which others know by it. */
static bool mint_natural(struct publisher *p, struct touched *t, struct err *e)
{
    int64_t since = named_since(p, t, 0);
    struct gid g = {.actor = t->maker};
    const struct made *by = NULL;
    struct ledger_row row;
    bool found = true;

    for (const struct made *m = t->made; m != NULL && m->mark > since; m = m->before)
        by = m;
    g.counter = by == NULL ? 0 : gid_counter(by->ms, by->mark);
    if (g.actor != 0 && g.counter != 0 &&
        !ledger_row_get(&p->s->ledger, gid_pack(g), &row, &found, e))
        return false;
    if (!found)
        t->gid = gid_pack(g);
    else if (by != NULL && g.actor == 0)
        t->gid = ledger_mint(&p->s->ledger, by->ms, by->mark);
    else
        t->gid = ledger_mint(&p->s->ledger, t->first_ms, t->made == NULL ? t->first : 0);
    return true;
}

/* The gid of a row under a natural key: of the row that has or had this key anywhere, else a minted
 * one. One that is part of that row, and has not left the file yet, keeps its own. */
static bool name_natural(struct publisher *p, struct touched *t, struct err *e)
{
    int64_t gid, stands = 0;
    struct buf identity;
    bool ok;

    buf_open(&identity, BODY_BYTES_MAX);
    ok = write_name(p, t, &identity, e) &&
         ledger_natural_get(&p->s->ledger, t->b->table, buf_slice(&identity), &gid, e) &&
         (t->gid == 0 || ledger_stands(&p->s->ledger, t->gid, &stands, e));
    if (ok && gid == 0) {
        ok = mint_natural(p, t, e) &&
             ledger_natural_put(&p->s->ledger, t->b->table, buf_slice(&identity), t->gid, e);
    } else if (ok && stands != gid) {
        t->gid = gid;
    }
    buf_close(&identity);
    return ok;
}

/* Natural rows whose name is open: new ones, and those whose key refers to rows that may be others
 * than before. Natural keys may refer to natural keys: again until nothing changes, then whatever
 * is left (a cycle) as it is. */
static bool name_naturals(struct publisher *p, bool *open, struct err *e)
{
    struct touch_list *l = p->list;
    uint32_t n = l->n;
    bool waiting = true, progress = true;

    while (waiting) {
        bool forced = !progress;

        progress = waiting = false;
        for (uint32_t i = 0; i < n; i++) {
            struct touched before = l->rows[i];

            if (!open[i])
                continue;
            if (!forced && key_waits(p, &before)) {
                waiting = true;
                continue;
            }
            if (!name_natural(p, &l->rows[i], e))
                return false;
            open[i] = false;
            progress = true;
            if (before.gid != 0 && before.gid != l->rows[i].gid) {
                before.key.kind = KEY_NONE; /* another row stands at this key now */
                *touch_add(l) = before;
            }
        }
    }
    return true;
}

/* A row that left one key and stands at another one has not gone. */
static void forget_moved(struct publisher *p)
{
    struct touch_list *l = p->list;
    struct keymap there = {0};

    for (uint32_t i = 0; i < l->n; i++) {
        struct row_key gid = int_key(l->rows[i].gid);

        if (l->rows[i].key.kind != KEY_NONE && !l->rows[i].b->app->surrogate)
            keymap_put(&there, 0, &gid, i + 1);
    }
    for (uint32_t i = 0; i < l->n; i++) {
        struct row_key gid = int_key(l->rows[i].gid);

        if (l->rows[i].key.kind == KEY_NONE && keymap_get(&there, 0, &gid) != 0)
            l->rows[i].gid = 0;
    }
    keymap_close(&there);
}

/* ---- twins ---- */

/* Two keys make one name when they name rows that are one, of which the file still has both. The
 * one row stands at one of them. What is at the other one is part of it, has a gid of its own, and
 * leaves the file when that row is written. */
struct twins {
    uint32_t n;
    int64_t *was;         /* the rows' gids before they were named */
    struct keymap stood;  /* all of these */
    struct keymap stands; /* of each gid, 1 + the row of the list that has it */
};

static bool is_twin(const struct touched *t)
{
    /* What is held back by rule nobody else has to tell apart. */
    return t->gid != 0 && t->key.kind != KEY_NONE && !t->b->app->surrogate && !t->b->mute &&
           t->b->filter == NULL;
}

/* Of rows with one gid that one has it which had it before; else the first, which is said first. */
static void find_standing(struct publisher *p, struct twins *w)
{
    for (uint32_t i = 0; i < w->n; i++) {
        struct row_key was = int_key(w->was[i]), gid = int_key(p->list->rows[i].gid);

        if (w->was[i] != 0)
            keymap_put(&w->stood, 0, &was, 1);
        if (is_twin(&p->list->rows[i]) && (was.i == gid.i || keymap_get(&w->stands, 0, &gid) == 0))
            keymap_put(&w->stands, 0, &gid, i + 1);
    }
}

/* Does the row with this row's gid stand elsewhere in the file? */
static bool stands_elsewhere(struct publisher *p, const struct twins *w, uint32_t index, bool *does,
                             struct err *e)
{
    const struct touched *t = &p->list->rows[index];
    struct row_key gid = int_key(t->gid);
    bool is_other = keymap_get(&w->stands, 0, &gid) != index + 1, known;
    struct ledger_row row;

    *does = false;
    if (!is_other && keymap_get(&w->stood, 0, &gid) != 0)
        return true;
    if (!ledger_row_get(&p->s->ledger, t->gid, &row, &known, e))
        return false;
    if (is_other)
        *does = !(known && row.minted);
    else
        *does = known && row.present && !row.minted && !row_key_equal(&row.key, &t->key);
    return true;
}

static bool part_twins(struct publisher *p, struct twins *w, struct err *e)
{
    if (!p->s->ledger.aliases)
        return true;
    find_standing(p, w);
    for (uint32_t i = 0; i < w->n; i++) {
        struct touched *t = &p->list->rows[i];
        int64_t gid = t->gid;
        bool part;

        if (!is_twin(t))
            continue;
        if (!stands_elsewhere(p, w, i, &part, e))
            return false;
        if (!part)
            continue;
        t->gid = ledger_mint(&p->s->ledger, t->first_ms, t->first);
        if (!ledger_alias(&p->s->ledger, t->gid, gid, e))
            return false;
    }
    return true;
}

/* ---- all of them ---- */

static bool key_refers(const struct app_table *t)
{
    for (uint32_t i = 0; i < t->key_count; i++)
        if (t->columns[t->keys[i]].ref_table >= 0)
            return true;
    return false;
}

bool publish_gids(struct publisher *p, struct err *e)
{
    bool *open = mem_alloc((p->list->n + 1) * sizeof *open);
    bool *fresh = mem_alloc((p->list->n + 1) * sizeof *fresh);
    struct twins twins = {.n = p->list->n};
    bool any = false, ok = true;

    twins.was = mem_alloc((twins.n + 1) * sizeof *twins.was);
    for (uint32_t i = 0; i < p->list->n; i++) {
        struct touched *t = &p->list->rows[i];

        twins.was[i] = t->gid;
        if (t->key.kind == KEY_NONE)
            continue;
        keymap_put(&p->here, t->b->app_index, &t->key, i + 1);
        fresh[i] = t->b->app->surrogate && t->gid == 0;
        if (fresh[i])
            t->gid = ledger_mint(&p->s->ledger, t->first_ms, t->first);
        open[i] = !t->b->app->surrogate && (t->gid == 0 || key_refers(t->b->app));
        any |= open[i];
    }
    for (uint32_t i = 0; ok && i < p->list->n; i++)
        ok = !fresh[i] || publish_revive(p, &p->list->rows[i], e);
    if (ok && any) {
        ok = name_naturals(p, open, e) && part_twins(p, &twins, e);
        forget_moved(p);
    }
    keymap_close(&twins.stood);
    keymap_close(&twins.stands);
    free(twins.was);
    free(open);
    free(fresh);
    return ok;
}
