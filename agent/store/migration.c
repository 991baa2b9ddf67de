#include "migration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <sqlite3.h>

#include <navette/body.h>
#include <navette/waits.h>

#include "describe.h"
#include "ledger_kept.h"
#include "ledger_meta.h"
#include "ledger_names.h"
#include "refer.h"
#include "scan.h"

#define STATES_MAX    4096 /* remembered, the latest; an application has some hundred migrations */
#define BULK_ROWS_MIN 5    /* fewer rows are no data migration, unless they are all there are */
#define FEW_ROWS_MIN  2    /* of a table's only row nobody can tell */
#define NOTE_BYTES    (STATES_MAX * 8)

/* What is known of one author's next change-set. */
struct waiting {
    uint64_t number; /* 0: nothing */
    uint64_t staged, look;
    uint64_t state;
    bool before, ahead; /* of a data migration of ours; this PC's has not run yet */
};

struct migration {
    uint64_t *states; /* that this database has been in, the present one last */
    uint32_t n;
    uint64_t *done; /* the states in which it was left by data migrations of this PC */
    uint32_t done_n;
    uint64_t *accepted; /* states of others that a person let in as they are */
    uint32_t accepted_n;
    uint64_t look;   /* rises when they changed */
    uint64_t noted;  /* the present state, once it was seen with the marks ... */
    int64_t until;   /* ... up to here: what a migration wrote has no mark, or one of these */
    uint64_t before; /* the state when all was published last; 0: nothing yet */
    bool loaded;
    struct waiting waiting[ACTORS_MAX + 1];
    char text[360];
};

void migration_close(struct migration **m)
{
    if (*m == NULL)
        return;
    free((*m)->states);
    free((*m)->done);
    free((*m)->accepted);
    free(*m);
    *m = NULL;
}

/* ---- what the ledger remembers ---- */

static bool numbers_read(struct store *s, const char *name, uint64_t **list, uint32_t *n,
                         struct err *e)
{
    struct value v;
    struct buf room;
    bool ok;

    *list = mem_alloc((STATES_MAX + 1) * sizeof **list);
    *n = 0;
    buf_open(&room, NOTE_BYTES);
    ok = ledger_meta_get(&s->ledger, name, &v, &room, e);
    for (size_t i = 0; ok && v.type == VALUE_BLOB && i + 8 <= v.bytes.n && *n < STATES_MAX; i += 8)
        (*list)[(*n)++] = be64_read(v.bytes.p + i);
    buf_close(&room);
    return ok;
}

static bool numbers_write(struct store *s, const char *name, const uint64_t *list, uint32_t n,
                          struct err *e)
{
    struct buf out;
    bool ok;

    buf_open(&out, NOTE_BYTES);
    for (uint32_t i = 0; i < n; i++) {
        uint8_t bytes[8];

        be64_write(bytes, list[i]);
        buf_add(&out, bytes, sizeof bytes);
    }
    ok = ledger_meta_set(&s->ledger, name,
                         &(struct value){.type = VALUE_BLOB, .bytes = buf_slice(&out)}, e);
    buf_close(&out);
    return ok;
}

static void append(uint64_t *list, uint32_t *n, uint64_t state)
{
    if (*n == STATES_MAX)
        memmove(list, list + 1, --*n * sizeof *list);
    list[(*n)++] = state;
}

/* The place of a state in a list; -1: it is not there. */
static int64_t find(const uint64_t *list, uint32_t n, uint64_t state)
{
    for (uint32_t i = n; i > 0; i--)
        if (list[i - 1] == state)
            return i - 1;
    return -1;
}

static bool load(struct store *s, struct err *e)
{
    struct migration *m;
    struct value v;
    struct buf room;
    bool ok;

    if (s->migration == NULL)
        s->migration = mem_alloc(sizeof *s->migration);
    m = s->migration;
    if (m->loaded)
        return true;
    buf_open(&room, 64);
    ok = numbers_read(s, "states", &m->states, &m->n, e) &&
         numbers_read(s, "migrations", &m->done, &m->done_n, e) &&
         numbers_read(s, "accepted", &m->accepted, &m->accepted_n, e) &&
         ledger_meta_get(&s->ledger, "state", &v, &room, e);
    m->before = ok && v.type == VALUE_INT ? (uint64_t)v.i : 0;
    m->loaded = ok;
    m->look = 1;
    buf_close(&room);
    return ok;
}

/* ---- where the database stands ---- */

static uint64_t hash_row(struct sqlite3_stmt *q)
{
    crypto_generichash_state h;
    uint8_t digest[crypto_generichash_BYTES];

    crypto_generichash_init(&h, NULL, 0, sizeof digest);
    for (int i = 0; i < 2; i++) {
        struct value v = value_of_column(q, i);
        struct slice text = v.type == VALUE_TEXT ? v.bytes : (struct slice){NULL, 0};

        crypto_generichash_update(&h, text.p, text.n);
        crypto_generichash_update(&h, (const uint8_t *)"", 1);
    }
    crypto_generichash_final(&h, digest, sizeof digest);
    return be64_read(digest);
}

/* The migrations in the order in which they ran: a state after each. */
static bool read_migrations(struct store *s, struct migration *m, struct err *e)
{
    sqlite3_stmt *q = NULL;
    uint64_t state = 0;
    int code;

    if (!sqlite_prepare(s->app.db, &q, "SELECT app, name FROM django_migrations ORDER BY id", e))
        return false;
    m->n = 0;
    while ((code = sqlite3_step(q)) == SQLITE_ROW) {
        state += hash_row(q);
        append(m->states, &m->n, state);
    }
    if (code != SQLITE_DONE)
        sqlite_err(s->app.db, "read django_migrations", e);
    sqlite3_finalize(q);
    return code == SQLITE_DONE;
}

static bool has_migrations(struct store *s)
{
    const struct app_table *t = appdb_table(&s->app, "django_migrations");

    return t != NULL && app_column_index(t, slice_text("app")) >= 0 &&
           app_column_index(t, slice_text("name")) >= 0 &&
           app_column_index(t, slice_text("id")) >= 0;
}

uint64_t migration_state(const struct store *s)
{
    const struct migration *m = s->migration;

    return m == NULL || m->n == 0 ? s->app.schema.fingerprint : m->states[m->n - 1];
}

/* What is written from here on is written by people, with the new version. */
static bool note_marks(struct store *s, struct migration *m, struct err *e)
{
    double day;

    if (m->noted == migration_state(s))
        return true;
    m->noted = migration_state(s);
    return marks_last(&s->app, &m->until, &day, e);
}

bool migration_look(struct store *s, struct err *e)
{
    struct migration *m;
    uint64_t before;

    if (!load(s, e))
        return false;
    m = s->migration;
    before = migration_state(s);
    if (has_migrations(s)) {
        if (!read_migrations(s, m, e))
            return false;
    } else if (m->n == 0 || m->states[m->n - 1] != s->app.schema.fingerprint) {
        append(m->states, &m->n, s->app.schema.fingerprint);
    }
    m->look += migration_state(s) != before;
    return note_marks(s, m, e);
}

/* ---- a data migration of this PC ---- */

static bool is_unseen(const struct store *s)
{
    for (uint32_t i = 0; i < s->binding_count; i++)
        if (s->ledger.tables[s->bindings[i].table - 1].scan == SCAN_RECONCILE)
            return true;
    return false;
}

static bool count_rows(struct store *s, uint32_t table, int64_t *rows, struct err *e)
{
    sqlite3_stmt *q =
        ledger_kept(&s->ledger, "SELECT count(*) FROM row WHERE tbl = ?1 AND present = 1", e);
    bool ok = q != NULL;

    if (ok) {
        sqlite3_bind_int64(q, 1, table);
        ok = sqlite3_step(q) == SQLITE_ROW || ledger_err(&s->ledger, "count rows", e);
        *rows = sqlite3_column_int64(q, 0);
    }
    ledger_done(&s->ledger, q);
    return ok;
}

/* So many of a table's rows were changed: half of them or more, and not a few; or a few that are
 * all that it has. One row alone may be a number that every sale counts up. */
static bool is_bulk(uint32_t n, int64_t rows)
{
    return n >= BULK_ROWS_MIN ? (int64_t)n * 2 >= rows : n >= FEW_ROWS_MIN && (int64_t)n == rows;
}

/* Can a migration have written it? It was there before. */
static bool may_be_derived(const struct migration *m, const struct touched *t)
{
    return t->gid != 0 && (t->marks == 0 || t->first <= m->until);
}

/* Does the row hold in any column what it did not hold when it was read last? */
static bool differs(struct store *s, const struct touched *t, const struct record *was,
                    struct buf *room, bool *does, struct err *e)
{
    const struct app_table *app = t->b->app;

    *does = false;
    for (uint32_t i = 0; i < app->column_count && !*does; i++) {
        const struct cell *c = record_get(was, t->b->position[i]);
        struct named named = touched_named(s, t, i);
        const struct value *now = named.b != NULL ? &named.key : &t->values[i];
        struct value local;
        bool known = false;

        if (app->surrogate && t->b->is_key[i])
            continue;
        if (c != NULL && !scan_local(s, &c->v, &local, &known, room, e))
            return false;
        *does = !known || !value_equal(&local, now);
    }
    return true;
}

/* Was the row changed by what touched it, and may that have been a migration? */
static bool is_changed(struct store *s, const struct touched *t, struct buf *room, bool *changed,
                       struct err *e)
{
    struct record was = {0};
    struct ledger_row row;
    bool found, ok;

    *changed = t->key.kind != KEY_NONE && t->wall_ms != 0 && may_be_derived(s->migration, t);
    if (!*changed)
        return true;
    ok = ledger_row_get(&s->ledger, t->gid, &row, &found, e);
    if (ok && found && !row.minted)
        ok = record_decode(&was, row.differs ? row.shadow : row.rec, e) &&
             differs(s, t, &was, room, changed, e);
    record_close(&was);
    return ok;
}

/* A data migration changed rows that were there before. */
static bool find_bulk(struct store *s, struct touch_list *l, const struct binding *b, bool *any,
                      struct err *e)
{
    uint32_t n = 0;
    int64_t rows;
    struct buf room;
    bool ok = true;

    buf_open(&room, VALUE_BYTES_MAX + 64);
    for (uint32_t i = 0; ok && i < l->n; i++) {
        bool changed = false;

        ok = l->rows[i].b != b || is_changed(s, &l->rows[i], &room, &changed, e);
        n += changed;
    }
    buf_close(&room);
    if (!ok)
        return false;
    if (n < FEW_ROWS_MIN)
        return true;
    if (!count_rows(s, b->table, &rows, e))
        return false;
    if (!is_bulk(n, rows))
        return true;
    for (uint32_t i = 0; i < l->n; i++)
        l->rows[i].derived |= l->rows[i].b == b && may_be_derived(s->migration, &l->rows[i]);
    *any = true;
    return true;
}

static bool note_states(struct store *s, struct migration *m, struct err *e)
{
    uint64_t now = migration_state(s);
    struct value v = {.type = VALUE_INT, .i = (int64_t)now};

    if (now == m->before || is_unseen(s))
        return true; /* what has no marks is still to be found */
    m->before = now;
    return ledger_meta_set(&s->ledger, "state", &v, e) &&
           (has_migrations(s) || numbers_write(s, "states", m->states, m->n, e));
}

bool migration_find(struct store *s, struct touch_list *l, struct err *e)
{
    struct migration *m;
    bool any = false, ok = load(s, e);

    m = s->migration;
    if (!ok || m->n == 0)
        return ok;
    if (m->before != 0 && migration_state(s) != m->before)
        for (uint32_t i = 0; ok && i < s->binding_count; i++)
            ok = find_bulk(s, l, &s->bindings[i], &any, e);
    if (ok && any && find(m->done, m->done_n, migration_state(s)) < 0) {
        append(m->done, &m->done_n, migration_state(s));
        m->look++;
        ok = numbers_write(s, "migrations", m->done, m->done_n, e);
    }
    return ok && note_states(s, m, e);
}

bool migration_rest(struct store *s, struct err *e)
{
    struct migration *m = s->migration;
    uint64_t before = m == NULL ? 0 : m->before;

    if (before == 0 || migration_state(s) == before)
        return true;
    if (ledger_begin(&s->ledger, false, e) && note_states(s, m, e) && ledger_commit(&s->ledger, e))
        return true;
    ledger_rollback(&s->ledger);
    m->before = before;
    return false;
}

/* ---- others ---- */

/* With a statement of its own: the caller has a change-set from the usual one in hand. */
static bool changeset_state(struct store *s, uint32_t actor, uint64_t number, uint64_t *state,
                            struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(
        &s->ledger, "SELECT bytes FROM changeset WHERE actor = ?1 AND number = ?2", e);
    struct changeset_header h = {0};
    struct changeset c;
    bool ok = q != NULL;

    *state = 0;
    if (ok) {
        sqlite3_bind_int64(q, 1, actor);
        sqlite3_bind_int64(q, 2, (int64_t)number);
        ok = sqlite3_step(q) == SQLITE_ROW || ledger_err(&s->ledger, "read the log", e);
    }
    ok = ok && changeset_open(&c, &h, value_of_column(q, 0).bytes, e);
    *state = h.schema;
    changeset_header_close(&h);
    sqlite3_finalize(q);
    return ok;
}

/* Written before a data migration that has run here: it waits until its author says something that
 * was written after it. */
static bool is_before_ours(struct store *s, uint32_t actor, uint64_t state, bool *before,
                           struct err *e)
{
    struct migration *m = s->migration;
    int64_t then = find(m->states, m->n, state), ours = -1, latest;
    uint64_t now;

    *before = false;
    for (uint32_t i = 0; i < m->done_n; i++) {
        int64_t at = find(m->states, m->n, m->done[i]);

        ours = at > ours ? at : ours;
    }
    if (then < 0 || then >= ours)
        return true;
    if (!changeset_state(s, actor, s->ledger.actors[actor - 1].staged, &now, e))
        return false;
    latest = find(m->states, m->n, now);
    *before = latest >= 0 && latest < ours;
    return true;
}

/* Is a cell of it derived from what it holds here? */
static bool is_derived(struct store *s, const struct body_reader *body, struct record *r,
                       struct ledger_table *t, bool *derived, struct err *e)
{
    const struct body_row *in = &body->row;
    struct ledger_row row;
    uint32_t actor;
    int64_t gid;
    bool found;

    *derived = false;
    if (in->op != CHANGE_UPDATE || in->stamp == 0)
        return true;
    if (!ledger_actor_named(&s->ledger, &body->actors[in->gid.actor], &actor, e) ||
        !ledger_stands(&s->ledger, gid_pack((struct gid){actor, in->gid.counter}), &gid, e) ||
        !ledger_row_get(&s->ledger, gid, &row, &found, e))
        return false;
    if (!found || row.minted || row.table != t->id)
        return true;
    if (!record_decode(r, row.rec, e))
        return false;
    for (uint32_t i = 0; i < in->n && !*derived; i++) {
        struct slice name = body->table.names[in->columns[i]];

        for (uint32_t k = 0; k < t->column_count && !*derived; k++) {
            const struct cell *c = record_get(r, k);

            *derived = c != NULL && ledger_name_same(t->columns[k], name) &&
                       (c->clock.stamp == 0 ? in->stamp == 1 : c->clock.stamp + 1 == in->stamp);
        }
    }
    return true;
}

/* A data migration that has not run here: it holds many derived rows, or all of a small table. */
static bool is_ahead(struct store *s, const struct changeset_header *h, struct slice bytes,
                     bool *ahead, struct err *e)
{
    struct body_reader body = {0};
    struct record r = {0};
    struct changeset c;
    uint32_t n = 0;
    bool ok = changeset_split(&c, bytes, e);

    *ahead = false;
    if (ok)
        body_read(&body, c.body, h->stamp, e);
    while (ok && body_next_table(&body)) {
        struct ledger_table *t = ledger_table_named(&s->ledger, body.table.name);

        uint32_t before = n;
        int64_t rows = 0;

        t = t == NULL ? NULL : ledger_table_standing(&s->ledger, t->id);
        while (ok && body_next_row(&body)) {
            bool derived = false;

            ok = t == NULL || is_derived(s, &body, &r, t, &derived, e);
            n += derived;
        }
        if (ok && n - before >= FEW_ROWS_MIN && !*ahead)
            ok = count_rows(s, t->id, &rows, e);
        *ahead |= (int64_t)(n - before) == rows && rows > 0;
    }
    ok = ok && body_read_end(&body);
    body_read_close(&body);
    record_close(&r);
    *ahead |= n >= BULK_ROWS_MIN;
    return ok;
}

bool migration_holds(struct store *s, uint32_t actor, const struct changeset_header *h,
                     struct slice bytes, bool *holds, struct err *e)
{
    uint64_t staged = s->ledger.actors[actor - 1].staged;
    struct waiting *w;
    bool before, ahead = false;

    *holds = false;
    if (s->migration == NULL || s->migration->n == 0 || h->schema == 0 ||
        h->schema == migration_state(s) || actor == s->ledger.self)
        return true;
    w = &s->migration->waiting[actor];
    if (w->number == h->number && w->staged == staged && w->look == s->migration->look) {
        *holds = w->before || w->ahead;
        return true;
    }
    if (!is_before_ours(s, actor, h->schema, &before, e))
        return false;
    if (!before && find(s->migration->states, s->migration->n, h->schema) < 0 &&
        find(s->migration->accepted, s->migration->accepted_n, h->schema) < 0 &&
        !is_ahead(s, h, bytes, &ahead, e))
        return false;
    *w = (struct waiting){.number = h->number,
                          .staged = staged,
                          .look = s->migration->look,
                          .state = h->schema,
                          .before = before,
                          .ahead = ahead};
    *holds = before || ahead;
    return true;
}

static bool is_waiting(const struct store *s, uint32_t actor)
{
    const struct waiting *w = &s->migration->waiting[actor];
    const struct ledger_actor *a = &s->ledger.actors[actor - 1];

    return (w->before || w->ahead) && w->number == a->merged + 1 && w->number <= a->staged;
}

bool migration_moved(const struct store *s)
{
    const struct migration *m = s->migration;

    for (uint32_t a = 1; m != NULL && a <= s->ledger.actor_count; a++)
        if (is_waiting(s, a) && m->waiting[a].look != m->look)
            return true;
    return false;
}

const char *store_waits(struct store *s)
{
    char ahead[NAME_BYTES_MAX + 1] = "", before[NAME_BYTES_MAX + 1] = "";
    unsigned long long n = 0;

    if (s->migration == NULL)
        return NULL;
    for (uint32_t a = 1; a <= s->ledger.actor_count; a++) {
        if (!is_waiting(s, a))
            continue;
        n += s->ledger.actors[a - 1].staged - s->ledger.actors[a - 1].merged;
        describe_actor(s, a, s->migration->waiting[a].before ? before : ahead);
    }
    if (n == 0)
        return NULL;
    if (before[0] != '\0')
        snprintf(
            s->migration->text, sizeof s->migration->text,
            "a new version of the application has changed many rows here and not yet on %s: %llu "
            "changes of others wait, so that old and new values do not mix",
            before, n);
    else
        snprintf(
            s->migration->text, sizeof s->migration->text,
            "a new version of the application has changed many rows on %s and not yet here: %llu "
            "changes of others wait, so that the same change is not made twice",
            ahead, n);
    return s->migration->text;
}

bool store_accept(struct store *s, struct err *e)
{
    struct migration *m;
    bool ok = load(s, e) && ledger_begin(&s->ledger, false, e);

    m = s->migration;
    for (uint32_t a = 1; ok && a <= s->ledger.actor_count; a++)
        if (is_waiting(s, a) && m->waiting[a].ahead)
            append(m->accepted, &m->accepted_n, m->waiting[a].state);
    if (ok)
        m->done_n = 0;
    ok = ok && numbers_write(s, "accepted", m->accepted, m->accepted_n, e) &&
         numbers_write(s, "migrations", m->done, 0, e) && ledger_commit(&s->ledger, e);
    if (!ok)
        ledger_rollback(&s->ledger);
    m->look++;
    return ok;
}
