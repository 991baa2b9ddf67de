/* Repairs: what rows show that had to yield a UNIQUE value becomes their value. Every site shows
 * the same at once, from the same logical state; a repair makes it last, so that a number does not
 * change back when the row that has it goes away. */
#include "author.h"
#include "columns.h"
#include "conflict.h"
#include "unite.h"

#include <string.h>

#include <sqlite3.h>

#define REPAIR_PAUSE_MS 30000 /* before others say what its author does not */

bool repair_is_mark(const struct value *shown, const struct value *value)
{
    size_t more;

    if (shown->type != VALUE_TEXT || value->type != VALUE_TEXT ||
        shown->bytes.n < value->bytes.n + 3)
        return false;
    more = shown->bytes.n - value->bytes.n;
    return shown->bytes.p[0] == '#' && shown->bytes.p[more - 1] == '-' &&
           (value->bytes.n == 0 ||
            memcmp(shown->bytes.p + more, value->bytes.p, value->bytes.n) == 0);
}

static bool finish(struct store *s, sqlite3_stmt *q, struct err *e)
{
    int code = sqlite3_step(q);

    sqlite3_finalize(q);
    return code == SQLITE_DONE || ledger_err(&s->ledger, "note a repair", e);
}

/* A person should know which value a row does not show. */
static bool list_yielded(struct store *s, int64_t gid, struct err *e)
{
    struct conflict_row about = {.s = s, .gid = gid, .own_key = -1};
    struct record rec = {0}, shadow = {0};
    struct ledger_row row;
    bool found, ok = ledger_row_get(&s->ledger, gid, &row, &found, e);

    if (!ok || !found || row.minted || !row.differs)
        return ok;
    about.table = row.table;
    ok = record_decode(&rec, row.rec, e) && record_decode(&shadow, row.shadow, e);
    for (uint32_t i = 0; ok && i < rec.n; i++) {
        const struct cell *shown = record_get(&shadow, i);

        if (shown != NULL && rec.cells[i].set && repair_is_mark(&shown->v, &rec.cells[i].v))
            ok = conflict_note(&about, i, CONFLICT_YIELDED, &rec.cells[i], NULL, e);
    }
    record_close(&rec);
    record_close(&shadow);
    return ok;
}

bool repair_note(struct store *s, int64_t gid, int64_t other, uint64_t now_ms, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(
        &s->ledger, "INSERT OR IGNORE INTO repair(gid, since_ms, other) VALUES (?1, ?2, ?3)", e);

    if (q == NULL)
        return false;
    s->repairs = true;
    s->noticed_ms = now_ms;
    sqlite3_bind_int64(q, 1, gid);
    sqlite3_bind_int64(q, 2, (int64_t)now_ms);
    if (other != 0)
        sqlite3_bind_int64(q, 3, other);
    return finish(s, q, e) && (other != 0 || list_yielded(s, gid, e));
}

static bool forget(struct store *s, int64_t gid, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&s->ledger, "DELETE FROM repair WHERE gid = ?1", e);

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, gid);
    return finish(s, q, e);
}

struct repairer {
    struct author author;
    struct record rec, shadow;
    struct buf bytes, key, shadow_bytes;
};

/* Anything besides what was repaired in which the file differs from rec? What it holds in a column
 * that a migration has just brought is still to be found. */
static bool find_difference(const struct repairer *r, struct store *s, const struct binding *b,
                            bool *differs, struct err *e)
{
    *differs = false;
    for (uint32_t i = 0; i < b->app->column_count; i++) {
        const struct cell *file = record_get(&r->shadow, b->position[i]);
        const struct cell *have = record_get(&r->rec, b->position[i]);

        bool same = false;

        *differs |= file == NULL && have != NULL && columns_fresh(b, i) != NULL;
        if ((b->app->surrogate && b->is_key[i]) || file == NULL)
            continue;
        if (have != NULL && !value_same(s, &have->v, &file->v, &same, e))
            return false;
        *differs |= !same;
    }
    return true;
}

static bool write_row(struct repairer *r, struct store *s, struct ledger_row *row,
                      const struct binding *b, struct err *e)
{
    if (!find_difference(r, s, b, &row->differs, e))
        return false;
    buf_clear(&r->bytes);
    record_encode(&r->rec, &r->bytes);
    row->rec = buf_slice(&r->bytes);
    buf_clear(&r->shadow_bytes);
    record_encode(&r->shadow, &r->shadow_bytes);
    row->shadow = buf_slice(&r->shadow_bytes);
    if (row->key.kind == KEY_PACKED) { /* it borrows from the statement */
        buf_clear(&r->key);
        buf_add(&r->key, row->key.bytes.p, row->key.bytes.n);
        row->key.bytes = buf_slice(&r->key);
    }
    return ledger_row_put(&s->ledger, row, true, true, e);
}

/* `done` false: of some columns it is not ours to say yet. */
static bool repair_row(struct repairer *r, struct store *s, int64_t gid, bool patient, bool *done,
                       struct err *e)
{
    struct ledger_row row;
    struct binding *b;
    bool found, said = false;

    *done = true;
    if (!ledger_row_get(&s->ledger, gid, &row, &found, e))
        return false;
    if (!found || row.minted || !row.present || !row.differs ||
        (b = bind_by_table(s, row.table)) == NULL)
        return true;
    if (!record_decode(&r->rec, row.rec, e) || !record_decode(&r->shadow, row.shadow, e))
        return false;
    if (!ledger_alive(&s->ledger, &r->rec))
        return true;
    for (uint32_t i = 0; i < b->app->column_count; i++) {
        const struct cell *shown = record_get(&r->shadow, b->position[i]);
        struct cell *cell = record_cell(&r->rec, b->position[i]);

        if (shown == NULL || !cell->set || cell->counter != NULL ||
            !repair_is_mark(&shown->v, &cell->v))
            continue;
        if (patient && !ledger_is_ours(&s->ledger, cell->clock.actor)) {
            *done = false;
            continue;
        }
        if (!author_room(&r->author, author_bytes(&shown->v, NULL), e))
            return false;
        author_repair(&r->author, b, gid, &cell->clock, i, &shown->v);
        cell->v = shown->v;
        said = true;
    }
    return !said || write_row(r, s, &row, b, e);
}

/* Two rows are one, by rule, unless somebody said so already or both have gone. `done` false:
 * others come first. */
static bool unite_row(struct repairer *r, struct store *s, int64_t gid, int64_t other, bool patient,
                      bool *done, struct err *e)
{
    int64_t pair[2] = {gid, other}, first;
    struct ledger_row row;
    struct local_clock author;
    bool found, lives = false;

    *done = true;
    for (int i = 0; i < 2; i++) {
        if (!ledger_stands(&s->ledger, pair[i], &pair[i], e) ||
            !ledger_row_get(&s->ledger, pair[i], &row, &found, e))
            return false;
        if (!found || row.minted || bind_by_table(s, row.table) == NULL)
            return true;
        if (!record_decode(&r->rec, row.rec, e))
            return false;
        lives |= ledger_alive(&s->ledger, &r->rec);
    }
    if (pair[0] == pair[1] || !lives)
        return true;
    first = gid_order(&s->ledger, pair[0], pair[1]) < 0 ? pair[0] : pair[1];
    author = (struct local_clock){.actor = gid_unpack(first).actor};
    if (patient && !ledger_is_ours(&s->ledger, author.actor)) {
        *done = false;
        return true;
    }
    author_unite(&r->author, bind_by_table(s, row.table), gid, other);
    return unite_rows(s, row.table, gid, other, e);
}

static bool repair_rows(struct repairer *r, struct store *s, uint64_t now_ms, bool *left,
                        struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(
        &s->ledger,
        "SELECT p.gid, p.since_ms, p.other FROM repair p LEFT JOIN row r ON r.gid = p.gid"
        " ORDER BY r.tbl, p.gid",
        e);
    int code = SQLITE_DONE;
    bool ok = q != NULL, done;

    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        int64_t gid = sqlite3_column_int64(q, 0);
        uint64_t since = (uint64_t)sqlite3_column_int64(q, 1);
        bool patient = since <= now_ms && now_ms - since < REPAIR_PAUSE_MS;

        ok = (sqlite3_column_type(q, 2) == SQLITE_NULL
                  ? repair_row(r, s, gid, patient, &done, e)
                  : unite_row(r, s, gid, sqlite3_column_int64(q, 2), patient, &done, e)) &&
             (!done || forget(s, gid, e)) &&
             (!author_is_full(&r->author, COLUMNS_MAX) || author_seal(&r->author, e));
        *left |= !done;
    }
    if (ok && code != SQLITE_DONE)
        ok = ledger_err(&s->ledger, "read the repairs", e);
    sqlite3_finalize(q);
    return ok;
}

bool repair_publish(struct store *s, uint64_t now_ms, struct store_progress *p, struct err *e)
{
    struct repairer r = {0};
    bool left = false, ok;

    if (!s->repairs)
        return true;
    buf_open(&r.bytes, SIZE_MAX / 2);
    buf_open(&r.key, SIZE_MAX / 2);
    buf_open(&r.shadow_bytes, SIZE_MAX / 2);
    s->noticed_ms = now_ms;
    ok = ledger_begin(&s->ledger, false, e);
    author_begin(&r.author, s, now_ms, p);
    ok = ok && repair_rows(&r, s, now_ms, &left, e) && unite_names(s, e) &&
         author_seal(&r.author, e) && ledger_commit(&s->ledger, e);
    if (ok)
        s->repairs = left;
    else
        ledger_rollback(&s->ledger);
    author_close(&r.author);
    record_close(&r.rec);
    record_close(&r.shadow);
    buf_close(&r.bytes);
    buf_close(&r.key);
    buf_close(&r.shadow_bytes);
    return ok;
}

/* The row of the file under a key that this PC gave. */
static bool row_at(struct store *s, const struct binding *b, int64_t key, int64_t *gid,
                   struct err *e)
{
    struct row_key k = int_key(key);
    struct ledger_row row;
    bool found;

    if (!ledger_row_by_key(&s->ledger, b->table, &k, false, &row, &found, e))
        return false;
    if (!found || row.minted)
        return err_set(e, ERR_REFUSED, "table %s has no row %lld that others know of", b->app->name,
                       (long long)key);
    *gid = row.gid;
    return true;
}

/* Two rows that a person makes one, and the row of both. */
struct pair {
    int64_t gids[2];
    struct record shown[2]; /* by the file, before */
    struct record rec;
    struct ledger_row row; /* its shadow is in `shadow` */
    struct buf shadow, bytes;
};

static bool load_pair(struct pair *u, struct store *s, const struct binding *b,
                      const int64_t keys[2], struct err *e)
{
    struct ledger_row row;
    bool found;

    for (int i = 0; i < 2; i++)
        if (!row_at(s, b, keys[i], &u->gids[i], e) ||
            !ledger_row_get(&s->ledger, u->gids[i], &row, &found, e) ||
            !record_decode(&u->shown[i], row.differs ? row.shadow : row.rec, e))
            return false;
    return true;
}

static bool load_united(struct pair *u, struct store *s, struct err *e)
{
    struct slice shadow;
    int64_t gid;
    bool found;

    if (!ledger_stands(&s->ledger, u->gids[0], &gid, e) ||
        !ledger_row_get(&s->ledger, gid, &u->row, &found, e))
        return false;
    shadow = u->row.differs ? u->row.shadow : u->row.rec;
    buf_add(&u->shadow, shadow.p, shadow.n);
    u->row.shadow = buf_slice(&u->shadow);
    u->row.differs = u->row.present;
    return record_decode(&u->rec, u->row.rec, e);
}

/* What one of the two shows behind a mark because the other one has it; NULL: nothing. */
static const struct value *unmarked(const struct pair *u, uint32_t position)
{
    const struct cell *a = record_get(&u->shown[0], position);
    const struct cell *b = record_get(&u->shown[1], position);

    if (a == NULL || b == NULL)
        return NULL;
    if (repair_is_mark(&a->v, &b->v))
        return &b->v;
    return repair_is_mark(&b->v, &a->v) ? &a->v : NULL;
}

/* One row takes no value away from itself: what is behind the mark is said anew, as a repair of the
 * write that bore the mark, just above it. So what a person wrote over that is later, with however
 * slow a clock (it is two above it at least), and stays so if its author corrects his clock. */
static bool drop_mark(struct pair *u, struct store *s, struct author *a, struct binding *b,
                      uint32_t column, const struct value *v, struct err *e)
{
    const struct conflict_row about = {
        .s = s, .gid = u->row.gid, .table = u->row.table, .own_key = b->position[b->app->keys[0]]};
    struct cell *have = record_cell(&u->rec, b->position[column]);

    if (!have->set || have->counter != NULL ||
        (!value_equal(&have->v, v) && !repair_is_mark(&have->v, v)))
        return true;
    have->clock.stamp++;
    have->v = *v;
    author_repair(a, b, u->row.gid, &have->clock, column, v);
    return conflict_settle(&about, b->position[column], v, e);
}

static bool drop_marks(struct pair *u, struct store *s, struct author *a, struct binding *b,
                       struct err *e)
{
    bool any = false;

    if (!load_united(u, s, e))
        return false;
    for (uint32_t i = 0; i < b->app->column_count; i++) {
        const struct value *v = unmarked(u, b->position[i]);

        if (v == NULL)
            continue;
        any = true;
        if (!drop_mark(u, s, a, b, i, v, e))
            return false;
    }
    if (!any)
        return true;
    record_encode(&u->rec, &u->bytes);
    u->row.rec = buf_slice(&u->bytes);
    s->due_open = s->due_stale = true;
    return ledger_row_put(&s->ledger, &u->row, true, u->row.present, e) &&
           ledger_due_put(&s->ledger, u->row.gid, a->now_ms, NULL, e);
}

static void pair_close(struct pair *u)
{
    record_close(&u->shown[0]);
    record_close(&u->shown[1]);
    record_close(&u->rec);
    buf_close(&u->shadow);
    buf_close(&u->bytes);
}

bool repair_unite(struct store *s, const struct binding *b, const int64_t keys[2], uint64_t now_ms,
                  struct store_progress *p, struct err *e)
{
    struct binding *t = bind_by_table(s, b->table);
    struct author author;
    struct pair u = {0};
    uint64_t before;
    bool ok;

    s->noticed_ms = now_ms;
    s->look_ups_left = LOOK_UPS_MAX;
    buf_open(&u.shadow, SIZE_MAX / 2);
    buf_open(&u.bytes, SIZE_MAX / 2);
    ok = ledger_begin(&s->ledger, false, e);
    author_begin(&author, s, now_ms, p);
    before = author.number - 1;
    ok = ok && load_pair(&u, s, b, keys, e);
    if (ok) {
        author_unite(&author, t, u.gids[0], u.gids[1]);
        ok = unite_rows(s, b->table, u.gids[0], u.gids[1], e) && drop_marks(&u, s, &author, t, e) &&
             unite_names(s, e) && author_seal(&author, e) &&
             ledger_holds_not(&s->ledger, before, e) && ledger_commit(&s->ledger, e);
    }
    if (!ok)
        ledger_rollback(&s->ledger);
    author_close(&author);
    pair_close(&u);
    return ok;
}

bool store_unite(struct store *s, const char *table, const int64_t keys[2], uint64_t now_ms,
                 struct err *e)
{
    struct store_progress p = {.more = true};
    struct binding *b;

    while (p.more) /* what the application did to them comes first */
        if (!store_drain(s, now_ms, &p, e))
            return false;
    for (uint32_t i = 0; i < s->binding_count; i++) {
        b = &s->bindings[i];
        if (sqlite3_stricmp(b->app->name, table) != 0)
            continue;
        if (!b->app->surrogate)
            return err_set(e, ERR_REFUSED,
                           "rows of table %s are named by their keys: two keys are two rows",
                           b->app->name);
        if (keys[0] == keys[1])
            return err_set(e, ERR_REFUSED, "that is one row already");
        return repair_unite(s, b, keys, now_ms, &p, e);
    }
    return err_set(e, ERR_REFUSED, "table %s is not shared; see agent-cli tables", table);
}
