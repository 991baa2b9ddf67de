/* Regaining a ledger, its rows: where the file says that they are, and what its marks say of them
 * since. */
#include "regain.h"

#include <sqlite3.h>

#include "scan.h"

/* ---- where the rows of the file are ---- */

/* The last word counts, on a row and on a key. */
static void put(struct regain *b, const struct place *p)
{
    struct row_key gid = int_key(p->gid), key = int_key(p->key);
    uint32_t before = keymap_get(&b->by_gid, 0, &gid), at;

    if (before != 0)
        b->places[before - 1].here = false;
    if (b->place_n == b->place_room) {
        b->place_room = b->place_room == 0 ? 64 : b->place_room * 2;
        b->places = mem_grow(b->places, b->place_room * sizeof *b->places);
    }
    b->places[b->place_n++] = *p;
    keymap_put(&b->by_gid, 0, &gid, b->place_n);
    if (!p->here)
        return;
    at = keymap_get(&b->by_key, p->b->app_index, &key);
    if (at != 0 && b->places[at - 1].gid != p->gid)
        b->places[at - 1].here = b->places[at - 1].keyed = false;
    keymap_put(&b->by_key, p->b->app_index, &key, b->place_n);
}

static bool put_told(struct regain *b, const struct placed_row *row, struct err *e)
{
    struct app_table *t = appdb_table_numbered(&b->s->app, row->table);
    struct place p = {.b = t == NULL ? NULL : bind_by_app(b->s, t),
                      .key = row->key,
                      .keyed = row->keyed,
                      .deleted = row->what == PLACED_DELETED,
                      .here = row->what == PLACED_HERE && row->keyed};
    struct gid g = {.counter = row->counter};

    if (p.b == NULL || (p.here && !p.b->app->surrogate))
        return true;
    if (!ledger_actor(&b->s->ledger, &row->actor, &g.actor, e))
        return false;
    p.gid = gid_pack(g);
    if (row->what == PLACED_HERE && !row->keyed)
        regain_put_part(b, p.b, p.gid);
    else
        put(b, &p);
    return true;
}

static bool read_told(struct regain *b, struct err *e)
{
    struct buf rows;
    int64_t id = 0;
    bool found = true, ok = true;

    buf_open(&rows, APP_PAYLOAD_BYTES_MAX);
    while (ok && found) {
        struct placed_reader in;
        struct placed_row row;
        int code = 1;

        ok = app_placed_next(&b->s->app, &id, &rows, &found, e);
        if (!ok || !found)
            break;
        ok = placed_read(&in, buf_slice(&rows), e) || regain_damaged(b, e);
        while (ok && (code = placed_next(&in, &row)) == 1)
            ok = put_told(b, &row, e);
        ok = ok && (code == 0 || regain_damaged(b, e));
        placed_read_close(&in);
    }
    buf_close(&rows);
    return ok;
}

/* A row of the file's own PC of which the file was told nothing was made since the point: it is
 * where its mark says. */
static bool put_own(struct regain *b, struct binding *binding, const struct ledger_row *row,
                    struct err *e)
{
    struct row_key gid = int_key(row->gid), key;
    const struct cell *said;

    if (!regain_is_own(b, gid_unpack(row->gid).actor) || keymap_get(&b->by_gid, 0, &gid) != 0)
        return true;
    if (!record_decode(&b->rec, row->rec, e))
        return false;
    said = record_get(&b->rec, binding->position[binding->app->keys[0]]);
    if (said == NULL || said->v.type != VALUE_INT ||
        (said->clock.actor != 0 && !regain_is_own(b, said->clock.actor)))
        return true; /* who got a copy of this file may have made it, under a key of his own */
    key = int_key(said->v.i);
    put(b, &(struct place){.gid = row->gid, .b = binding, .key = key.i});
    keymap_put(&b->born, binding->app_index, &key, b->place_n);
    return true;
}

static bool put_all_own(struct regain *b, struct err *e)
{
    int code = 0;

    for (uint32_t i = 0; code == 0 && i < b->s->binding_count; i++) {
        struct binding *binding = &b->s->bindings[i];
        struct ledger_row row;
        sqlite3_stmt *q;

        if (!binding->app->surrogate)
            continue;
        q = scan_ledger(b->s, binding->table, false, e);
        code = q == NULL ? -1 : 1;
        while (code == 1 && (code = scan_ledger_step(b->s, q, &row, e)) == 1)
            if (!put_own(b, binding, &row, e))
                code = -1;
        sqlite3_finalize(q);
    }
    return code == 0;
}

static bool place_at(struct regain *b, struct binding *binding, int64_t gid,
                     const struct row_key *key, struct err *e)
{
    struct ledger_table *t = &b->s->ledger.tables[binding->table - 1];

    if (key->kind == KEY_INT && key->i > t->key_max)
        t->key_max = key->i;
    return scan_place(b->s, gid, key, (struct slice){NULL, 0}, e);
}

/* A row that is part of another one now stands there for it, unless that one is there, too. */
static bool place(struct regain *b, const struct place *p, struct err *e)
{
    struct row_key key = int_key(p->key), standing;
    struct ledger_row row;
    uint32_t other;
    int64_t gid;
    bool found;

    if (!ledger_stands(&b->s->ledger, p->gid, &gid, e))
        return false;
    standing = int_key(gid);
    other = gid == p->gid ? 0 : keymap_get(&b->by_gid, 0, &standing);
    if (other != 0 && b->places[other - 1].here)
        gid = p->gid;
    if (!ledger_row_get(&b->s->ledger, gid, &row, &found, e))
        return false;
    if (found && row.table != p->b->table)
        return true; /* a number of another table that was untracked since */
    return found ? place_at(b, p->b, gid, &key, e) : scan_unheard(b->s, p->b, gid, &key, true, e);
}

/* A key that a row had is not given to another one. */
static bool place_surrogates(struct regain *b, struct err *e)
{
    for (uint32_t i = 0; i < b->place_n; i++) {
        const struct place *p = &b->places[i];

        if (p->here ? !place(b, p, e)
                    : p->keyed && !ledger_row_wish(&b->s->ledger, p->gid, p->key, e))
            return false;
    }
    return true;
}

/* The key that a natural row would have in this file; `known` false: what it refers to is not here
 * (yet). */
static bool natural_key(struct regain *b, const struct binding *binding, struct row_key *key,
                        bool *known, struct err *e)
{
    const struct app_table *t = binding->app;
    struct value values[COLUMNS_MAX];
    struct arena arena = {.block_bytes = 512};
    bool ok = true;

    *known = true;
    for (uint32_t i = 0; ok && *known && i < t->key_count; i++) {
        const struct cell *c = record_get(&b->rec, binding->position[t->keys[i]]);
        struct value local;

        *known = c != NULL;
        ok = !*known || scan_local(b->s, &c->v, &local, known, &b->room, e);
        if (ok && *known)
            values[t->keys[i]] = arena_value(&arena, &local);
    }
    *known = ok && *known && !unsent_key_of(t, values);
    if (*known)
        *key = key_of_row(t, values, &b->r.key_room);
    arena_close(&arena);
    return ok;
}

/* Natural rows are where their names say, as far as they are in the file; or (`touched` not NULL)
 * those that are believed to be elsewhere, and that no mark has touched. `more`: rows have been
 * placed that others may refer to. */
static bool place_naturals_of(struct regain *b, struct binding *binding,
                              const struct keymap *touched, bool *more, struct err *e)
{
    sqlite3_stmt *q = scan_ledger(b->s, binding->table, touched != NULL, e);
    struct touch_list list = {0};
    struct ledger_row row;
    int code = q == NULL ? -1 : 1;
    bool known, ok;

    while (code == 1 && (code = scan_ledger_step(b->s, q, &row, e)) == 1) {
        struct row_key key, id = int_key(row.gid);
        struct touched *t;
        int64_t gid;

        if (touched != NULL && keymap_get(touched, 0, &id) != 0)
            continue;
        if (!ledger_stands(&b->s->ledger, row.gid, &gid, e) ||
            !record_decode(&b->rec, row.rec, e) ||
            (gid == row.gid && !natural_key(b, binding, &key, &known, e))) {
            code = -1;
            break;
        }
        if (gid != row.gid || !known || (touched != NULL && row_key_equal(&row.key, &key)))
            continue;
        t = touch_add(&list);
        *t = (struct touched){.gid = gid, .key = arena_key(&list.arena, &key)};
    }
    sqlite3_finalize(q);
    ok = code == 0;
    for (uint32_t i = 0; ok && i < list.n; i++)
        ok = place_at(b, binding, list.rows[i].gid, &list.rows[i].key, e);
    *more |= list.n > 0 && binding->app->child_count > 0;
    touch_close(&list);
    return ok;
}

static bool place_naturals(struct regain *b, const struct keymap *touched, struct err *e)
{
    bool more = true;

    while (more) {
        more = false;
        for (uint32_t i = 0; i < b->s->binding_count; i++)
            if (!b->s->bindings[i].app->surrogate &&
                !place_naturals_of(b, &b->s->bindings[i], touched, &more, e))
                return false;
    }
    return true;
}

bool regain_place(struct regain *b, struct err *e)
{
    return read_told(b, e) && regain_unite(b, e) && put_all_own(b, e) && place_surrogates(b, e) &&
           place_naturals(b, NULL, e);
}

/* ---- the tables ---- */

/* Keys that marks speak of have been used, too. */
static bool raise_key_max(struct regain *b, const struct binding *binding, struct err *e)
{
    struct ledger_table *t = &b->s->ledger.tables[binding->table - 1];
    char *sql = sqlite3_mprintf("SELECT max(k1), max(o1) FROM _navette_dirty WHERE tbl = %lld",
                                (long long)binding->app->number);
    sqlite3_stmt *q = NULL;
    bool ok = sqlite3_prepare_v2(b->s->app.db, sql, -1, &q, NULL) == SQLITE_OK &&
              sqlite3_step(q) == SQLITE_ROW;

    for (int i = 0; ok && i < 2; i++)
        if (sqlite3_column_type(q, i) == SQLITE_INTEGER && sqlite3_column_int64(q, i) > t->key_max)
            t->key_max = sqlite3_column_int64(q, i);
    if (!ok)
        sqlite_err(b->s->app.db, "read the marks", e);
    sqlite3_finalize(q);
    sqlite3_free(sql);
    t->key_floor = t->key_max;
    return ok;
}

bool regain_tables(struct regain *b, struct err *e)
{
    struct store *s = b->s;

    b->r.unwatched = mem_alloc((s->app.schema.n + 1) * sizeof *b->r.unwatched);
    for (uint32_t i = 0; i < s->binding_count; i++) {
        struct binding *binding = &s->bindings[i];
        struct ledger_table *t = &s->ledger.tables[binding->table - 1];

        t->scan = SCAN_MATCH;
        for (uint32_t k = 0; k < b->point.table_n; k++) {
            if (b->point.tables[k].number != binding->app->number)
                continue;
            t->scan = SCAN_NONE;
            t->repairs = binding->app->repairs;
            if (b->point.tables[k].key_max > t->key_max)
                t->key_max = b->point.tables[k].key_max;
            b->r.unwatched[binding->app_index] =
                b->forgotten || b->point.tables[k].repairs != binding->app->repairs;
        }
        if (binding->app->surrogate && !raise_key_max(b, binding, e))
            return false;
    }
    return true;
}

/* ---- rows that marks above the point made or took away ---- */

/* The name that the row had, if it was said and nobody remembers: somebody may have it in his
 * file. So has another PC's row of which a copy of its file has the mark, whether that PC says it
 * later, or never (it went again, a rule keeps it back), and whoever else got such a copy. 0: it is
 * another's. */
static bool name_birth(struct regain *b, const struct touched *t, int64_t *gid, struct err *e)
{
    struct gid g = {.counter = gid_counter(t->first_ms, t->first)};
    struct ledger_row row;
    bool found;

    *gid = 0;
    if (!ledger_actor(&b->s->ledger, &b->point.actor, &g.actor, e))
        return false;
    *gid = g.counter == 0 ? 0 : gid_pack(g);
    if (*gid == 0)
        return true;
    if (!ledger_row_get(&b->s->ledger, *gid, &row, &found, e))
        return false;
    if (found)
        *gid = 0;
    return true;
}

/* One whose birth has been said already, by the gid that its mark gives, else by its key. */
static bool find_birth(struct regain *b, const struct touched *t, int64_t *gid, struct err *e)
{
    uint32_t at = keymap_get(&b->born, t->b->app_index, &t->key);
    struct ledger_row row;
    bool found;

    for (uint32_t a = 1; a <= b->limit_n; a++) {
        *gid = gid_pack((struct gid){a, gid_counter(t->first_ms, t->first)});
        if (!regain_is_own(b, a))
            continue;
        if (!ledger_row_get(&b->s->ledger, *gid, &row, &found, e))
            return false;
        if (found && row.table == t->b->table && !row.present)
            return true;
    }
    if (at != 0 && t->key.kind == KEY_INT && regain_is_ours(b)) {
        *gid = b->places[at - 1].gid;
        if (!ledger_row_get(&b->s->ledger, *gid, &row, &found, e))
            return false;
        if (found && !row.present && !record_decode(&b->rec, row.rec, e))
            return false;
        if (found && !row.present && ledger_alive(&b->s->ledger, &b->rec))
            return true;
    }
    return name_birth(b, t, gid, e);
}

/* Is the delete of the decoded row in what one drain found from before a copy was made and from
 * after it, and not among what the copy has of that? */
static bool lacks_delete(const struct regain *b, const struct touched *t)
{
    const struct local_clock *dead = &b->rec.dead;
    uint32_t at = 1 + (uint32_t)(t - b->r.list.rows);
    struct row_key ms = int_key((int64_t)hlc_stamp_wall_ms(dead->stamp));

    return dead->number != 0 && dead->actor <= b->limit_n &&
           dead->number == b->part[dead->actor - 1] && evidence_tells_time(dead->stamp) &&
           keymap_get(&b->touches, at, &ms) == 0;
}

/* A row that is there by a mark. One under a natural key whose delete the file held has been
 * inserted again since. */
static bool settle_there(struct regain *b, struct touched *t, struct ledger_row *row, struct err *e)
{
    if (t->made != NULL && !row->minted) {
        if (!record_decode(&b->rec, row->rec, e))
            return false;
        if (!ledger_alive(&b->s->ledger, &b->rec) && !lacks_delete(b, t)) {
            row->key = arena_key(&b->r.arena, &row->key);
            row->rec = arena_copy(&b->r.arena, row->rec);
            return scan_displace(b->s, row, false, b->r.now_ms, e);
        }
    }
    return place_at(b, t->b, t->gid, &t->key, e);
}

/* The key that a row had before marks took it away. */
static struct row_key key_before(const struct regain *b, const struct touched *t,
                                 const struct ledger_row *row)
{
    struct row_key gid = int_key(t->gid), key;
    uint32_t at;

    if (row->present)
        return row->key;
    at = keymap_get(&b->by_gid, 0, &gid);
    key = int_key(at == 0 ? 0 : b->places[at - 1].key);
    return at != 0 && keymap_get(&b->born, t->b->app_index, &key) == at ? key : t->key;
}

/* Marks took it away, which is still to be said. What refers to it by rule shows the key that it
 * had, unless that is another row's by now. */
static bool settle_gone(struct regain *b, const struct touched *t, const struct ledger_row *row,
                        struct err *e)
{
    struct row_key key = key_before(b, t, row);

    if (key.kind != KEY_NONE && keymap_get(&b->taken, t->b->app_index, &key) != 0)
        key = t->key;
    key = arena_key(&b->r.arena, &key);
    return place_at(b, t->b, t->gid, &key, e);
}

/* What has been said of a row that is gone needs no saying again. */
bool regain_settle_touched(struct regain *b, struct touched *t, struct err *e)
{
    struct ledger_row row;
    bool found;

    if (t->gid == 0 && (t->key.kind == KEY_NONE || t->b->app->surrogate) && t->first != 0 &&
        !find_birth(b, t, &t->gid, e))
        return false;
    if (t->gid == 0)
        return t->made == NULL || ledger_actor(&b->s->ledger, &b->point.actor, &t->maker, e);
    if (!ledger_row_get(&b->s->ledger, t->gid, &row, &found, e))
        return false;
    if (t->key.kind != KEY_NONE)
        return !found || settle_there(b, t, &row, e);
    if (!found || row.minted)
        return scan_unheard(b->s, t->b, t->gid, &t->key, false, e);
    if (!record_decode(&b->rec, row.rec, e))
        return false;
    if (ledger_alive(&b->s->ledger, &b->rec))
        return settle_gone(b, t, &row, e);
    row.key = arena_key(&b->r.arena, &row.key);
    row.rec = arena_copy(&b->r.arena, row.rec);
    t->gid = 0;
    return scan_displace(b->s, &row, false, b->r.now_ms, e);
}

/* Its name refers to a row of which it was not known, before its marks were settled, that it is
 * there, or under which key. */
static bool find_named(struct regain *b, struct touched *t, struct err *e)
{
    struct ledger_row row;
    bool found = false;

    if (t->gid == 0 && t->key.kind != KEY_NONE &&
        !ledger_row_by_key(&b->s->ledger, t->b->table, &t->key, false, &row, &found, e))
        return false;
    if (found)
        t->gid = row.gid;
    return true;
}

bool regain_settle_marks(struct regain *b, struct err *e)
{
    struct touch_list *list = &b->r.list;
    struct keymap touched = {0};
    bool ok = true;

    for (uint32_t i = 0; i < list->n; i++) {
        const struct touched *t = &list->rows[i];

        if (t->key.kind != KEY_NONE)
            keymap_put(&b->taken, t->b->app_index, &t->key, 1);
    }
    for (uint32_t i = 0; ok && i < list->n; i++) {
        struct row_key id = int_key(list->rows[i].gid);

        if (list->rows[i].b->app->surrogate)
            ok = regain_settle_touched(b, &list->rows[i], e);
        else if (id.i != 0)
            keymap_put(&touched, 0, &id, 1);
    }
    ok = ok && place_naturals(b, NULL, e) && place_naturals(b, &touched, e);
    keymap_close(&touched);
    if (!ok)
        return false;
    for (uint32_t i = 0; i < list->n; i++) {
        struct touched *t = &list->rows[i];

        if (!t->b->app->surrogate && (!find_named(b, t, e) || !regain_settle_touched(b, t, e)))
            return false;
    }
    return true;
}

/* A row in the file without a place there, so that it can be said that it has gone. A key that
 * names another row by now is not its any more. */
static bool place_nowhere(struct regain *b, struct binding *binding, struct ledger_row *row,
                          struct err *e)
{
    struct row_key none = {.kind = KEY_NONE};
    struct ledger_row other;
    bool taken;

    row->key = arena_key(&b->r.arena, &row->key);
    if (!ledger_row_by_key(&b->s->ledger, row->table, &row->key, false, &other, &taken, e))
        return false;
    if (taken) {
        row->key = none;
        if (!ledger_row_unplace(&b->s->ledger, row, false, e))
            return false;
    }
    return place_at(b, binding, row->gid, &none, e);
}

bool regain_delete_gone(struct regain *b, struct err *e)
{
    struct row_key none = {.kind = KEY_NONE};

    for (uint32_t i = 0; b->forgotten && i < b->place_n; i++) {
        struct row_key gid = int_key(b->places[i].gid);
        struct ledger_row row;
        bool found;

        if (!b->places[i].deleted || keymap_get(&b->by_gid, 0, &gid) != i + 1)
            continue;
        if (!ledger_stands(&b->s->ledger, gid.i, &gid.i, e))
            return false;
        if (keymap_get(&b->r.seen, 0, &gid) != 0)
            continue;
        if (!ledger_row_get(&b->s->ledger, gid.i, &row, &found, e))
            return false;
        if (found && row.present)
            continue;
        if (found && !record_decode(&b->rec, row.rec, e))
            return false;
        if (found && !ledger_alive(&b->s->ledger, &b->rec))
            continue;
        if (found ? !place_nowhere(b, b->places[i].b, &row, e)
                  : !scan_unheard(b->s, b->places[i].b, gid.i, &none, false, e))
            return false;
        *touch_add(&b->r.list) =
            (struct touched){.b = b->places[i].b, .gid = gid.i, .wall_ms = b->r.now_ms};
    }
    return true;
}
