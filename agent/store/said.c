#include "said.h"

#include <navette/outline.h>

#include <stdlib.h>
#include <string.h>

static const struct said_row *row_of(const struct said *d, uint32_t at)
{
    return at == 0 ? NULL : &d->rows[at - 1];
}

const struct said_row *said_by_key(const struct said *d, uint32_t table, const struct row_key *key)
{
    return row_of(d, keymap_get(&d->keys, table, key));
}

const struct said_row *said_by_gid(const struct said *d, int64_t gid)
{
    return row_of(d, keymap_get(&d->gids, 0, &(struct row_key){.kind = KEY_INT, .i = gid}));
}

int64_t said_gid(struct said *d, const struct actor *a, uint64_t counter)
{
    uint32_t i = 0;

    while (i < d->actor_count && !actor_equal(&d->actors[i], a))
        i++;
    if (i == d->actor_count) {
        d->actors = mem_grow(d->actors, (i + 1) * sizeof *d->actors);
        d->actors[d->actor_count++] = *a;
    }
    return (int64_t)((uint64_t)i << GID_COUNTER_BITS | counter);
}

/* The first one who says a key has it: a till's later rows may have the same. */
static void add(struct said *d, uint32_t table, const struct row_key *key, int64_t gid)
{
    struct row_key id = int_key(gid);

    if (said_by_key(d, table, key) != NULL || said_by_gid(d, gid) != NULL)
        return;
    if (d->n == d->room) {
        d->room = d->room == 0 ? 256 : d->room * 2;
        d->rows = mem_grow(d->rows, d->room * sizeof *d->rows);
    }
    d->rows[d->n] = (struct said_row){table, arena_key(&d->arena, key), gid};
    d->n++;
    keymap_put(&d->keys, table, &d->rows[d->n - 1].key, d->n);
    keymap_put(&d->gids, 0, &id, d->n);
}

struct binding *said_table(struct store *s, struct slice name)
{
    struct app_table *app;
    char text[IDENTIFIER_BYTES_MAX + 1];

    if (name.n > IDENTIFIER_BYTES_MAX || memchr(name.p, '\0', name.n) != NULL)
        return NULL;
    memcpy(text, name.p, name.n);
    text[name.n] = '\0';
    app = appdb_table(&s->app, text);
    return app == NULL ? NULL : bind_by_app(s, app);
}

/* The tracked table of the file, if rows of it may be named by a value. */
static const struct binding *nameable(struct store *s, struct slice name)
{
    const struct binding *b = said_table(s, name);

    return b != NULL && b->app->key_count == 1 && b->app->child_count > 0 ? b : NULL;
}

static void take_rows(struct store *s, struct body_reader *b, struct buf *room)
{
    const struct binding *table = b->table.keys == 1 ? nameable(s, b->table.name) : NULL;

    while (table != NULL && body_next_row(b)) {
        const struct value *v = &b->row.values[0];
        struct row_key key = {.kind = KEY_INT};

        if (b->row.op != CHANGE_INSERT || v->type == VALUE_REF)
            continue;
        if (v->type == VALUE_INT) {
            key.i = v->i;
        } else {
            buf_clear(room);
            packed_value_write(room, v);
            key = (struct row_key){.kind = KEY_PACKED, .bytes = buf_slice(room)};
        }
        add(s->said, table->app_index, &key,
            said_gid(s->said, &b->actors[b->row.gid.actor], b->row.gid.counter));
    }
}

static bool take_changeset(struct store *s, struct slice bytes, struct buf *room, struct err *e)
{
    struct body_reader b;
    struct changeset c;
    bool ok;

    if (!changeset_split(&c, bytes, e))
        return false;
    body_read(&b, c.body, INT64_MAX, e);
    while (body_next_table(&b))
        take_rows(s, &b, room);
    ok = body_read_end(&b);
    body_read_close(&b);
    return ok;
}

static bool take_chain(struct store *s, uint32_t id, struct buf *room, struct err *e)
{
    uint64_t *at = &s->said->read_to[id - 1];
    bool found = true;

    while (found && *at < s->ledger.actors[id - 1].staged) {
        struct slice bytes;

        if (!ledger_changeset_get(&s->ledger, id, *at + 1, &bytes, &found, e) ||
            (found && !take_changeset(s, bytes, room, e)))
            return false;
        *at += found;
    }
    return true;
}

bool said_catch_up(struct store *s, struct err *e)
{
    struct buf room;
    bool ok = true;

    if (s->said != NULL && s->said->reads != s->app.reads)
        said_close(&s->said);
    if (s->said == NULL) {
        s->said = mem_alloc(sizeof *s->said);
        s->said->reads = s->app.reads;
    }
    if (s->said->read_room < s->ledger.actor_count) {
        uint32_t had = s->said->read_room, n = s->ledger.actor_count;

        s->said->read_to = mem_grow(s->said->read_to, n * sizeof *s->said->read_to);
        memset(s->said->read_to + had, 0, (n - had) * sizeof *s->said->read_to);
        s->said->read_room = n;
    }
    buf_open(&room, VALUE_BYTES_MAX + 64);
    for (uint32_t id = 1; ok && id <= s->ledger.actor_count; id++)
        ok = take_chain(s, id, &room, e);
    buf_close(&room);
    ledger_rest(&s->ledger);
    return ok;
}

/* ---- names ---- */

struct names {
    struct store *s;
    int64_t *refs, *own; /* gids: indices of the body's actors, and counters */
    uint32_t ref_count, ref_room, own_count, own_room;
    uint32_t *ids; /* the ledger's numbers of the body's actors; 0: none */
    struct actor *actors;
    struct buf out; /* without the count of runs */
    uint32_t runs;
    /* The run under way. */
    int64_t *keys, last;
    uint32_t n, room, table;
};

static int compare_gids(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;

    return *left < *right ? -1 : *left > *right;
}

static void add_gid(int64_t **list, uint32_t *n, uint32_t *room, struct gid gid)
{
    if (*n == *room) {
        *room = *room == 0 ? 256 : *room * 2;
        *list = mem_grow(*list, *room * sizeof **list);
    }
    (*list)[(*n)++] = (int64_t)((uint64_t)gid.actor << GID_COUNTER_BITS | gid.counter);
}

static void collect(struct names *m, struct body_reader *b)
{
    while (body_next_table(b))
        while (body_next_row(b)) {
            if (b->row.op == CHANGE_INSERT)
                add_gid(&m->own, &m->own_count, &m->own_room, b->row.gid);
            for (uint32_t i = 0; i < b->row.n; i++)
                if (b->row.values[i].type == VALUE_REF)
                    add_gid(&m->refs, &m->ref_count, &m->ref_room, b->row.values[i].ref);
        }
    if (m->refs != NULL)
        qsort(m->refs, m->ref_count, sizeof *m->refs, compare_gids);
    if (m->own != NULL)
        qsort(m->own, m->own_count, sizeof *m->own, compare_gids);
}

static void end_run(struct names *m)
{
    struct writer w = {&m->out};
    struct buf keys;

    if (m->n == 0)
        return;
    buf_open(&keys, BODY_BYTES_MAX);
    outline_keys_write(&keys, m->keys, m->n);
    write_array(&w, 5);
    write_text(&w, slice_text(m->s->ledger.tables[m->table - 1].name));
    write_bin(&w, SLICE(m->actors[m->last >> GID_COUNTER_BITS].bytes));
    write_uint(&w, ((uint64_t)m->last & (GID_COUNTER_MAX - 1)) - (m->n - 1));
    write_uint(&w, m->n);
    write_bin(&w, buf_slice(&keys));
    buf_close(&keys);
    m->runs++;
    m->n = 0;
}

static bool tell_ref(struct names *m, int64_t ref, struct err *e)
{
    struct gid gid = {m->ids[ref >> GID_COUNTER_BITS], (uint64_t)ref & (GID_COUNTER_MAX - 1)};
    struct ledger_row row;
    bool found;

    if (gid.actor == 0)
        return true;
    if (!ledger_row_get(&m->s->ledger, gid_pack(gid), &row, &found, e))
        return false;
    if (!found || row.key.kind != KEY_INT)
        return true;
    if (m->n > 0 && (ref != m->last + 1 || row.table != m->table || row.key.i <= m->keys[m->n - 1]))
        end_run(m);
    if (m->n == m->room) {
        m->room = m->room == 0 ? 256 : m->room * 2;
        m->keys = mem_grow(m->keys, m->room * sizeof *m->keys);
    }
    m->keys[m->n++] = row.key.i;
    m->table = row.table;
    m->last = ref;
    return true;
}

static void find_actors(struct names *m, const struct body_reader *b)
{
    m->ids = mem_alloc((b->actor_count + 1) * sizeof *m->ids);
    m->actors = mem_alloc((b->actor_count + 1) * sizeof *m->actors);
    for (uint32_t i = 0; i < b->actor_count; i++) {
        m->actors[i] = b->actors[i];
        m->ids[i] = ledger_actor_find(&m->s->ledger, &b->actors[i]);
    }
}

bool said_tell_names(struct store *s, struct slice body, struct buf *out, struct err *e)
{
    struct names m = {.s = s};
    struct writer w = {out};
    struct body_reader b;
    bool ok;

    buf_open(&m.out, BODY_BYTES_MAX);
    body_read(&b, body, INT64_MAX, e);
    find_actors(&m, &b);
    collect(&m, &b);
    ok = body_read_end(&b);
    for (uint32_t i = 0; ok && i < m.ref_count; i++)
        if ((i == 0 || m.refs[i] != m.refs[i - 1]) &&
            (m.own == NULL ||
             bsearch(&m.refs[i], m.own, m.own_count, sizeof *m.own, compare_gids) == NULL))
            ok = tell_ref(&m, m.refs[i], e);
    end_run(&m);
    write_array(&w, m.runs);
    buf_add(out, m.out.p, m.out.n);
    body_read_close(&b);
    buf_close(&m.out);
    free(m.refs);
    free(m.own);
    free(m.ids);
    free(m.actors);
    free(m.keys);
    return ok;
}

/* One run of an answer. */
static void take_names(struct store *s, struct reader *r, uint32_t *most)
{
    struct slice name, bytes;
    struct actor actor;
    const struct binding *b;
    uint64_t counter;
    uint32_t n;
    int64_t *keys;

    read_array_exact(r, 5, "names");
    name = read_text(r, IDENTIFIER_BYTES_MAX, "a table's name");
    read_bin_exact(r, actor.bytes, sizeof actor.bytes, "an actor");
    counter = read_uint(r, GID_COUNTER_MAX - 1, "a counter");
    n = (uint32_t)read_uint(r, *most, "names");
    bytes = read_bin(r, BODY_BYTES_MAX, "keys");
    if (!r->failed && (n == 0 || counter == 0 || n > GID_COUNTER_MAX - counter))
        read_fail(r, ERR_INPUT, "names of rows that are none");
    if (r->failed)
        return;
    *most -= n;
    keys = mem_alloc(n * sizeof *keys);
    b = nameable(s, name);
    r->failed = !outline_keys_read(keys, n, bytes, r->e);
    for (uint32_t i = 0; i < n && !r->failed && b != NULL; i++)
        add(s->said, b->app_index, &(struct row_key){.kind = KEY_INT, .i = keys[i]},
            said_gid(s->said, &actor, counter + i));
    free(keys);
}

bool said_take_names(struct store *s, struct slice names, uint32_t most, struct err *e)
{
    struct reader r = reader_of(names, e);
    uint32_t runs;

    if (!said_catch_up(s, e))
        return false;
    for (runs = read_array(&r, most, "names"); runs > 0 && !r.failed; runs--)
        take_names(s, &r, &most);
    return read_end(&r);
}

void said_close(struct said **d)
{
    if (*d == NULL)
        return;
    free((*d)->read_to);
    free((*d)->actors);
    free((*d)->rows);
    keymap_close(&(*d)->keys);
    keymap_close(&(*d)->gids);
    arena_close(&(*d)->arena);
    free(*d);
    *d = NULL;
}
