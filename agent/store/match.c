/* Match: once, before a table's rows are published, decide which of them are rows that the fleet
 * has already.
 *
 *     candidates  rows of the fleet not in the file, under the key that their author (or a member,
 *                 or this PC, once) had for them
 *     pair        a row of the file with the candidate under its key, if their content is equal;
 *                 always under a natural key
 *     copies      if the file is a copy, also rows of its that were edited since: match_copy.c
 *     unpair      pairs whose references lead to rows that are not paired with each other, until
 *                 nothing changes: the greatest set of pairs that agree with each other
 *     decide      paired rows take the fleet's gid (what differs is published under the zero
 *                 clock); the others get gids of their own; candidates left over are due */
#include "match.h"
#include "refer.h"

#define HINTED_MAX 64 /* candidates under one key that are looked at */

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include <navette/keys.h>

/* ---- keys in the author's terms ---- */

struct candidate *match_candidate(const struct matcher *m, int64_t gid)
{
    struct row_key id = int_key(gid);
    uint32_t at = keymap_get(&m->by_gid, 0, &id);

    return at == 0 ? NULL : &m->candidates[at - 1];
}

/* What a value of the fleet would be in its author's file: a reference becomes the key that the row
 * had there (or, with `own`, the one that a PC told of). `known` false: cannot be told. References
 * to natural rows are followed until a value is reached; a chain has no more links than
 * KEY_COLUMNS_MAX. */
static bool author_value(struct matcher *m, const struct value *in, bool own, struct value *out,
                         bool *known, struct err *e)
{
    struct record r = {0};
    bool ok = true;

    *out = *in;
    *known = true;
    for (int depth = 0; ok && *known && out->type == VALUE_REF; depth++) {
        const struct candidate *c;
        const struct cell *cell;
        struct ledger_row row;
        bool found;
        int64_t gid;

        ok = ledger_stands(&m->s->ledger, gid_pack(out->ref), &gid, e);
        if (!ok)
            break;
        c = match_candidate(m, gid);
        if (c == NULL) { /* already in this file: its key here */
            ok = ledger_row_get(&m->s->ledger, gid, &row, &found, e);
            *known =
                ok && found && row.present && row.key.kind == KEY_INT && depth < KEY_COLUMNS_MAX;
            if (*known)
                *out = (struct value){.type = VALUE_INT, .i = row.key.i};
            continue;
        }
        if (own && c->own.kind == KEY_INT && c->b->app->key_count == 1) {
            *out = (struct value){.type = VALUE_INT, .i = c->own.i};
            continue;
        }
        ok = record_decode(&r, c->rec, e);
        cell = ok && c->b->app->key_count == 1 ? record_get(&r, c->b->position[c->b->app->keys[0]])
                                               : NULL;
        *known = cell != NULL && depth < KEY_COLUMNS_MAX;
        if (*known)
            *out = arena_value(&m->arena, &cell->v);
    }
    record_close(&r);
    return ok;
}

static bool candidate_key(struct matcher *m, const struct candidate *c, bool own,
                          struct row_key *key, bool *known, struct err *e)
{
    struct value values[KEY_COLUMNS_MAX];
    const struct app_table *t = c->b->app;

    *known = true;
    if (own && c->own.kind != KEY_NONE) {
        *key = c->own;
        return true;
    }
    if (!record_decode(&m->rec, c->rec, e))
        return false;
    for (uint32_t i = 0; *known && i < t->key_count; i++) {
        const struct cell *cell = record_get(&m->rec, c->b->position[t->keys[i]]);

        *known = cell != NULL;
        if (*known && !author_value(m, &cell->v, own, &values[i], known, e))
            return false;
    }
    *known = *known && !unsent_key(values, t->key_count);
    if (!*known)
        return true;
    if (t->key_count == 1 && values[0].type == VALUE_INT) {
        *key = (struct row_key){.kind = KEY_INT, .i = values[0].i};
        return true;
    }
    buf_clear(&m->key_room);
    for (uint32_t i = 0; i < t->key_count; i++)
        packed_value_write(&m->key_room, &values[i]);
    *key = (struct row_key){.kind = KEY_PACKED,
                            .bytes = arena_copy(&m->arena, buf_slice(&m->key_room))};
    return true;
}

/* ---- candidates ---- */

static bool load_candidates(struct matcher *m, struct binding *b, struct err *e)
{
    sqlite3_stmt *q = scan_ledger(m->s, b->table, false, e);
    struct ledger_row row;
    int code = q == NULL ? -1 : 1;

    while (code == 1 && (code = scan_ledger_step(m->s, q, &row, e)) == 1) {
        struct row_key id = int_key(row.gid);

        if (!record_decode(&m->rec, row.rec, e)) {
            code = -1;
            break;
        }
        if (m->n == m->room) {
            m->room = m->room == 0 ? 64 : m->room * 2;
            m->candidates = mem_grow(m->candidates, m->room * sizeof *m->candidates);
        }
        m->candidates[m->n++] = (struct candidate){.gid = row.gid,
                                                   .b = b,
                                                   .own = arena_key(&m->arena, &row.key),
                                                   .rec = arena_copy(&m->arena, row.rec),
                                                   .alive = ledger_alive(&m->s->ledger, &m->rec)};
        keymap_put(&m->by_gid, 0, &id, m->n);
    }
    sqlite3_finalize(q);
    return code >= 0;
}

/* Of several under one key at their authors, the first comes first. */
static bool key_candidate(struct matcher *m, uint32_t index, bool own, struct keymap *map,
                          struct err *e)
{
    struct candidate *c = &m->candidates[index];
    struct row_key key;
    uint32_t first;
    bool known;

    if (!candidate_key(m, c, own, &key, &known, e))
        return false;
    first = known ? keymap_get(map, c->b->app_index, &key) : 0;
    if (known && first == 0)
        keymap_put(map, c->b->app_index, &key, index + 1);
    if (first != 0 && !own) {
        c->hinted = m->candidates[first - 1].hinted;
        m->candidates[first - 1].hinted = index + 1;
    }
    return true;
}

/* Rows that the fleet deleted, and that this file once had. */
static bool key_dead(struct matcher *m, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&m->s->ledger, "SELECT DISTINCT gid FROM placed", e);
    int code;

    if (q == NULL)
        return false;
    while ((code = sqlite3_step(q)) == SQLITE_ROW) {
        struct row_key id = int_key(sqlite3_column_int64(q, 0));
        uint32_t at = keymap_get(&m->by_gid, 0, &id);
        const struct candidate *c = at == 0 ? NULL : &m->candidates[at - 1];

        if (c != NULL && !c->alive && c->own.kind != KEY_NONE)
            keymap_put(&m->by_death, c->b->app_index, &c->own, at);
    }
    sqlite3_finalize(q);
    return code == SQLITE_DONE || ledger_err(&m->s->ledger, "read where rows were", e);
}

/* Where this PC last had them. */
static bool place_candidates(struct matcher *m, struct err *e)
{
    sqlite3_stmt *q =
        ledger_prepare(&m->s->ledger, "SELECT gid, key FROM placed ORDER BY until, gid", e);
    int code;

    if (q == NULL)
        return false;
    while ((code = sqlite3_step(q)) == SQLITE_ROW) {
        struct row_key key = int_key(sqlite3_column_int64(q, 1));
        struct candidate *c = match_candidate(m, sqlite3_column_int64(q, 0));

        if (c == NULL || sqlite3_column_type(q, 1) != SQLITE_INTEGER)
            continue;
        c->placed = key;
        keymap_put(&m->by_place, c->b->app_index, &key, 1 + (uint32_t)(c - m->candidates));
    }
    sqlite3_finalize(q);
    return code == SQLITE_DONE || ledger_err(&m->s->ledger, "read where rows were", e);
}

static bool key_candidates(struct matcher *m, struct err *e)
{
    if (m->own && !place_candidates(m, e))
        return false;
    for (uint32_t i = 0; i < m->n; i++)
        if (m->candidates[i].alive && (!key_candidate(m, i, true, &m->by_key, e) ||
                                       !key_candidate(m, i, false, &m->by_hint, e)))
            return false;
    return m->alone || key_dead(m, e);
}

/* ---- pairs ---- */

bool match_same_cell(struct matcher *m, const struct value *fleet, const struct touched *t,
                     uint32_t column, bool *same, struct err *e)
{
    struct named named = touched_named(m->s, t, column);
    const struct value *file =
        fleet->type == VALUE_REF && named.b != NULL ? &named.key : &t->values[column];
    struct value v;

    if (!author_value(m, fleet, true, &v, same, e))
        return false;
    *same = *same && value_equal(&v, file);
    if (*same || fleet->type != VALUE_REF)
        return true;
    if (!author_value(m, fleet, false, &v, same, e))
        return false;
    *same = *same && value_equal(&v, file);
    return true;
}

static bool same_content(struct matcher *m, const struct candidate *c, const struct touched *t,
                         bool *same, struct err *e)
{
    *same = true;
    if (!record_decode(&m->rec, c->rec, e))
        return false;
    for (uint32_t i = 0; *same && i < c->b->app->column_count; i++) {
        const struct cell *cell = record_get(&m->rec, c->b->position[i]);

        if (c->b->app->surrogate && c->b->is_key[i])
            continue;
        *same = cell != NULL;
        if (*same && !match_same_cell(m, &cell->v, t, i, same, e))
            return false;
    }
    return true;
}

/* Is it a row that the fleet deleted, as it was? Then it goes here as well, and does not come back
 * everywhere as a new one. */
static bool try_dead(struct matcher *m, struct touched *t, struct err *e)
{
    uint32_t at = keymap_get(&m->by_death, t->b->app_index, &t->key);
    bool same;

    if (at == 0 || m->candidates[at - 1].taken)
        return true;
    if (!same_content(m, &m->candidates[at - 1], t, &same, e))
        return false;
    if (same) {
        t->gid = m->candidates[at - 1].gid;
        m->candidates[at - 1].taken = true;
    }
    return true;
}

/* Pair the row with a candidate that a map has under its key, if one is free and fits. */
static bool try_pair(struct matcher *m, struct touched *t, const struct keymap *map, struct err *e)
{
    uint32_t at = keymap_get(map, t->b->app_index, &t->key);
    bool by_content = t->b->app->surrogate && !m->alone;

    for (uint32_t n = 0; at != 0 && n < HINTED_MAX; n++) {
        struct candidate *c = &m->candidates[at - 1];
        bool same = !c->taken;

        if (same && by_content && !same_content(m, c, t, &same, e))
            return false;
        if (same) {
            t->gid = c->gid;
            c->taken = true;
        }
        at = same || !by_content || map != &m->by_hint ? 0 : c->hinted;
    }
    return true;
}

static bool try_keys(struct matcher *m, struct touched *t, struct err *e)
{
    return try_pair(m, t, &m->by_key, e) && (t->gid != 0 || try_pair(m, t, &m->by_hint, e)) &&
           (t->gid != 0 || try_dead(m, t, e));
}

static bool key_refers(const struct app_table *t)
{
    bool refers = false;

    for (uint32_t i = 0; i < t->key_count; i++)
        refers |= app_refers(&t->columns[t->keys[i]]);
    return refers;
}

static bool pair_row(struct matcher *m, struct binding *b, struct err *e)
{
    struct row_key key = key_of_row(b->app, m->values, &m->value_room);
    struct ledger_row row;
    struct touched *t;
    bool found;

    if (!ledger_row_by_key(&m->s->ledger, b->table, &key, false, &row, &found, e))
        return false;
    if (found)
        return true; /* known already: a scan that was cut off, or a mark drained meanwhile */
    t = scan_touch(&m->rows, b, m->values, &m->value_room);
    if (!refer_touched(m->s, &m->rows, t, e))
        return false;
    keymap_put(&m->row_by_key, b->app_index, &t->key, m->rows.n);
    if (m->own && (b->app->surrogate || key_refers(b->app)))
        return true; /* its content comes first */
    return try_keys(m, t, e);
}

static bool pair_table(struct matcher *m, struct binding *b, struct err *e)
{
    sqlite3_stmt *q;
    int code;

    m->values = mem_grow(m->values, b->app->column_count * sizeof *m->values);
    q = scan_open(m->s, b, e);
    code = q == NULL ? -1 : 1;
    while (code == 1 && (code = scan_step(m->s, q, b, m->values, e)) == 1)
        if (!pair_row(m, b, e))
            code = -1;
    sqlite3_finalize(q);
    return code >= 0;
}

bool match_named(struct matcher *m, const struct named *named, int64_t *gid, bool *there,
                 struct err *e)
{
    struct row_key key = int_key(named->key.i);
    uint32_t at;

    if (named->key.type != VALUE_INT) {
        buf_clear(&m->key_room);
        packed_value_write(&m->key_room, &named->key);
        key = (struct row_key){.kind = KEY_PACKED, .bytes = buf_slice(&m->key_room)};
    }
    at = keymap_get(&m->row_by_key, named->b->app_index, &key);
    if (at != 0)
        *gid = m->rows.rows[at - 1].gid;
    else if (!refer(m->s, named->b, &named->key, gid, e))
        return false;
    *there = at != 0 || *gid != 0;
    return true;
}

/* Is the row that this reference of the file names the one that the candidate's reference names? */
static bool same_reference(struct matcher *m, const struct named *file, const struct value *fleet,
                           bool *same, struct err *e)
{
    int64_t names, here;
    bool there;

    *same = true;
    if (fleet->type != VALUE_REF || file->b == NULL)
        return true;
    if (!ledger_stands(&m->s->ledger, gid_pack(fleet->ref), &names, e) ||
        !match_named(m, file, &here, &there, e))
        return false;
    *same = here == names;
    return true;
}

/* Do the references of a pair lead to pairs? In an edited row, a reference may lead elsewhere; but
 * one that has the same key in both files and means two rows shows that these are two rows as well.
 */
static bool agrees(struct matcher *m, const struct touched *t, bool copied, bool *same,
                   struct err *e)
{
    const struct app_table *table = t->b->app;

    *same = true;
    if (table->surrogate && (m->alone || (m->own && copied)))
        return true;
    if (!record_decode(&m->rec, match_candidate(m, t->gid)->rec, e))
        return false;
    for (uint32_t i = 0; *same && i < table->column_count; i++) {
        const struct cell *c = record_get(&m->rec, t->b->position[i]);
        struct named named = touched_named(m->s, t, i);

        if (!app_refers(&table->columns[i]) || c == NULL || (!table->surrogate && !t->b->is_key[i]))
            continue;
        if (copied && (!match_same_cell(m, &c->v, t, i, same, e) || !*same)) {
            if (e->code != ERR_NONE)
                return false;
            *same = true; /* another key: edited */
            continue;
        }
        if (!same_reference(m, &named, &c->v, same, e))
            return false;
    }
    return true;
}

static bool unpair(struct matcher *m, struct err *e)
{
    bool again = true;

    while (again) {
        again = false;
        for (uint32_t i = 0; i < m->rows.n; i++) {
            struct touched *t = &m->rows.rows[i];
            struct candidate *c = t->gid == 0 ? NULL : match_candidate(m, t->gid);
            bool same;

            if (c == NULL)
                continue;
            if (!agrees(m, t, c->edited, &same, e))
                return false;
            if (same)
                continue;
            c->taken = c->edited = false;
            t->gid = 0;
            again = true;
        }
    }
    return true;
}

bool match_by_keys(struct matcher *m, struct err *e)
{
    for (uint32_t i = 0; i < m->rows.n; i++)
        if (m->rows.rows[i].gid == 0 && !try_keys(m, &m->rows.rows[i], e))
            return false;
    return unpair(m, e);
}

/* ---- deciding ---- */

static bool decide_row(struct matcher *m, struct touched *t, struct err *e)
{
    struct ledger_table *table = &m->s->ledger.tables[t->b->table - 1];

    if (t->gid == 0 && t->b->app->surrogate) {
        t->values = NULL;
        return scan_mint(m->s, t->b, &t->key, m->now_ms, e);
    }
    if (t->gid == 0)
        return true;
    if (m->alone)
        t->wall_ms = m->now_ms;
    if (t->b->app->surrogate && t->key.kind == KEY_INT && t->key.i > table->key_max)
        table->key_max = t->key.i;
    return scan_place(m->s, t->gid, &t->key, (struct slice){NULL, 0}, e);
}

/* Paired rows are published under the zero clock: only what differs. New rows under natural keys
 * are published with them, so that whoever brings the same key finds it taken. The others wait
 * for scan_publish. */
static bool publish_pairs(struct matcher *m, struct err *e)
{
    struct touch_list *l = &m->rows;
    struct store_progress p = {0};
    uint32_t n = 0;

    for (uint32_t i = 0; i < l->n; i++)
        if (l->rows[i].values != NULL || l->rows[i].key.kind == KEY_NONE)
            l->rows[n++] = l->rows[i];
    l->n = n;
    return n == 0 || publish(m->s, l, m->now_ms, &p, e);
}

/* A row of the fleet that the file has not: due. Alone, it was deleted when nobody looked. */
static bool decide_left_over(struct matcher *m, const struct candidate *c, struct err *e)
{
    struct touched *t;

    if (!m->alone)
        return ledger_due_put(&m->s->ledger, c->gid, m->now_ms, NULL, e);
    t = touch_add(&m->rows);
    *t = (struct touched){.b = c->b, .gid = c->gid, .wall_ms = m->now_ms};
    return scan_place(m->s, c->gid, &t->key, (struct slice){NULL, 0}, e);
}

static bool decide(struct matcher *m, struct err *e)
{
    uint32_t n = m->rows.n;

    for (uint32_t i = 0; i < n; i++)
        if (!decide_row(m, &m->rows.rows[i], e))
            return false;
    for (uint32_t i = 0; i < m->n; i++)
        if (m->candidates[i].alive && !m->candidates[i].taken &&
            !decide_left_over(m, &m->candidates[i], e))
            return false;
    m->s->due_open = true;
    return publish_pairs(m, e);
}

static bool is_pending(struct store *s, const struct binding *b)
{
    return s->ledger.tables[b->table - 1].scan == SCAN_MATCH;
}

static bool gather(struct matcher *m, struct err *e)
{
    struct store *s = m->s;

    for (uint32_t i = 0; i < s->binding_count; i++)
        if (is_pending(s, &s->bindings[i]) && !load_candidates(m, &s->bindings[i], e))
            return false;
    if (!key_candidates(m, e) || !marks_last(&s->app, &m->cursor, &m->cursor_time, e))
        return false;
    for (uint32_t i = 0; i < s->binding_count; i++)
        if (is_pending(s, &s->bindings[i]) && !pair_table(m, &s->bindings[i], e))
            return false;
    if (!m->own && m->joining && !m->alone) {
        if (!unpair(m, e))
            return false;
        m->own = m->evident = match_is_evident(m);
    }
    if (m->own)
        return match_contents(m, e);
    return match_copies(m, e) && unpair(m, e);
}

/* What was matched is the file with all of its marks, also those that are still to be drained: one
 * that lacks them is an earlier one, and not the file of this point. */
static bool note_point(struct matcher *m, struct err *e)
{
    struct ledger *l = &m->s->ledger;
    const int64_t cursor = l->cursor;
    const double time = l->cursor_time;
    bool ok;

    l->cursor = m->cursor;
    l->cursor_time = m->cursor_time;
    ok = ledger_point(l, e);
    l->cursor = cursor;
    l->cursor_time = time;
    return ok;
}

/* What was matched is on the disk before the ledger believes it: of a file that lacks some of it
 * nobody would know what its marks had done. When the whole file is matched, it gets a token of its
 * own as well: then a copy from before is known to be one, and matched anew. */
static bool settle(struct matcher *m, struct err *e)
{
    struct appdb *a = &m->s->app;
    struct err rest = {0};
    bool ok = appdb_durably(a, true, e) && appdb_lock(a, e) && recover_in_step(m->s, e);

    random_fill(m->token, sizeof m->token);
    ok = ok && app_token_write(a, m->token, e) &&
         (m->joining || app_token_write(a, m->s->ledger.token, e)) && appdb_commit(a, e);
    appdb_end(a);
    return appdb_durably(a, false, ok ? e : &rest) && ok;
}

static bool commit(struct matcher *m, bool joining, struct err *e)
{
    struct store *s = m->s;

    if (!ledger_begin(&s->ledger, false, e) || (joining && !scan_forget_unheard(s, e)) ||
        !decide(m, e) || !unsent_save(s, e))
        return false;
    for (uint32_t i = 0; i < s->binding_count; i++) {
        struct ledger_table *t = &s->ledger.tables[s->bindings[i].table - 1];

        t->scan = t->scan == SCAN_MATCH ? SCAN_NONE : t->scan;
        if (!ledger_table_save(&s->ledger, t, e))
            return false;
    }
    if (joining) {
        if (!scan_put_due(s, true, m->now_ms, e))
            return false;
        s->ledger.matched = true;
        memcpy(s->ledger.token, m->token, sizeof m->token);
        s->ledger.cursor = m->cursor;
        s->ledger.cursor_time = m->cursor_time;
    }
    return note_point(m, e) && ledger_commit(&s->ledger, e);
}

static void matcher_close(struct matcher *m)
{
    touch_close(&m->rows);
    keymap_close(&m->by_key);
    keymap_close(&m->by_hint);
    keymap_close(&m->by_death);
    keymap_close(&m->by_gid);
    keymap_close(&m->row_by_key);
    record_close(&m->rec);
    buf_close(&m->key_room);
    buf_close(&m->value_room);
    free(m->candidates);
    keymap_close(&m->by_place);
    keymap_close(&m->by_content);
    keymap_close(&m->by_likeness);
    free(m->tables);
    free(m->origins);
    free(m->had);
    free(m->values);
    arena_close(&m->arena);
}

static struct matcher matcher_of(struct store *s, bool copy, uint64_t now_ms)
{
    struct matcher m = {
        .s = s, .copy = copy, .alone = s->roster->site_count <= 1, .now_ms = now_ms};

    buf_open(&m.key_room, VALUE_BYTES_MAX * 2);
    buf_open(&m.value_room, VALUE_BYTES_MAX * 2);
    return m;
}

bool match_score(struct store *s, bool copy, uint64_t now_ms, struct match_score *score,
                 struct err *e)
{
    struct matcher m = matcher_of(s, copy, now_ms);
    bool ok = recover_read(s, e) && gather(&m, e);

    appdb_end(&s->app);
    ledger_rest(&s->ledger);
    *score = (struct match_score){0};
    for (uint32_t i = 0; ok && i < m.rows.n; i++) {
        score->rows += m.rows.rows[i].b->app->surrogate;
        score->paired += m.rows.rows[i].b->app->surrogate && m.rows.rows[i].gid != 0;
    }
    matcher_close(&m);
    return ok;
}

/* Is the file known to have been the fleet's? Somebody says so, this PC was a member before, or an
 * agent has applied to it what others did. */
static bool know_own(struct matcher *m, struct err *e)
{
    struct app_state state = {0};

    if (m->alone)
        return true;
    if (!app_state_read(&m->s->app, &state, e))
        return false;
    m->own = m->copy || match_is_own(m->s) || (state.found && state.batch > 0);
    app_state_close(&state);
    return true;
}

bool match(struct store *s, bool joining, bool copy, uint64_t now_ms, bool *did, struct err *e)
{
    struct matcher m;
    bool ok = true;

    *did = joining;
    for (uint32_t i = 0; i < s->binding_count; i++)
        *did |= is_pending(s, &s->bindings[i]);
    if (!*did || !s->app.installed)
        return true;
    m = matcher_of(s, copy, now_ms);
    m.joining = joining;
    ok = recover_look(s, e) && (!joining || know_own(&m, e)) && gather(&m, e);
    appdb_end(&s->app);
    ledger_rest(&s->ledger);
    if (!ok || !settle(&m, e) || !commit(&m, joining, e)) {
        ledger_rollback(&s->ledger);
        ok = false;
    }
    ledger_rest(&s->ledger);
    matcher_close(&m);
    return ok;
}
