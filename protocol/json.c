/* Reading drop files; json_write.c writes them. */
#include <navette/json.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <navette/letter.h>

#include "json_text.h"

/* A vector's entry has two commas and one behind it. */
#define VECTOR_COMMAS_MAX (3 * ACTORS_MAX)
#define HEADER_COMMAS_MAX (VECTOR_COMMAS_MAX + 16)
/* A cell is at most a name and a reference, a total four elements and a row. */
#define ROW_COMMAS_MAX (3 * COLUMNS_MAX + 5 * ROW_TOTALS_MAX + 8)

struct drop_reader {
    struct json_cursor c;
    struct buf roster;
    uint32_t changesets; /* begun so far */
    bool ended;
    struct slice columns[COLUMNS_MAX]; /* names of the present table's columns */
    uint32_t column_count;
    uint32_t cell_columns[COLUMNS_MAX];
    struct value values[COLUMNS_MAX];
    struct json_counters counters; /* of the present row */
};

static void read_vector(struct json_cursor *c, struct json_object *o, struct vector *v)
{
    uint32_t n = json_count(c, o, ACTORS_MAX, "a vector");

    for (uint32_t i = 0; i < n && !c->failed; i++) {
        struct json_object *entry = json_element(o, i);
        uint8_t hash[HASH_BYTES];
        struct actor actor;
        uint64_t number;

        if (json_count(c, entry, 3, "a vector's entry") != 3 && !c->failed)
            json_fail(c, ERR_INPUT, "a vector's entry has not 3 elements");
        if (c->failed)
            return;
        json_hex(c, json_element(entry, 0), actor.bytes, ACTOR_BYTES, "a vector's actor");
        number = json_uint(c, json_element(entry, 1), VECTOR_NUMBER_MAX, "a vector's number");
        json_hex(c, json_element(entry, 2), hash, HASH_BYTES, "a vector's hash");
        if (!c->failed && i > 0 && actor_compare(&v->entries[i - 1].actor, &actor) >= 0)
            json_fail(c, ERR_INPUT, "a vector's actors are not in rising order");
        if (!c->failed && number == 0)
            json_fail(c, ERR_INPUT, "a vector has the number 0");
        if (!c->failed && !vector_set(v, &actor, number, hash))
            json_fail(c, ERR_LIMIT, "a vector has more than %d actors", ACTORS_MAX);
    }
}

static struct json_object *field(struct json_cursor *c, const char *key, bool first,
                                 uint32_t commas)
{
    json_key(c, key, first);
    return json_piece(c, commas, key);
}

static void read_name(struct json_cursor *c, const char *key, char *out)
{
    struct slice name = json_string(c, field(c, key, false, 0), key);
    struct err e = {0};

    if (c->failed)
        return;
    if (name_check(name, &e))
        memcpy(out, name.p, name.n);
    else
        json_fail(c, e.code, "%s: %s", key, e.text);
}

static void read_kind(struct json_cursor *c)
{
    struct slice kind = json_string(c, field(c, "navette", true, 0), "navette");
    uint64_t format;

    if (!c->failed && letter_is(c->file))
        json_fail(c, ERR_REFUSED,
                  "it is a request to join or an answer to one: a person takes it in with "
                  "`agent-cli drop import FILE`");
    if (!c->failed && !slice_equal(kind, slice_text(JSON_DROP_KIND)))
        json_fail(c, ERR_INPUT,
                  "this drop file carries something other than " JSON_DROP_KIND
                  ": update Navette on this PC");
    format = json_uint(c, field(c, "format", false, 0), UINT32_MAX, "format");
    if (!c->failed && format != DROP_FORMAT)
        json_fail(c, ERR_INPUT,
                  "this drop file has format %" PRIu64
                  ", this program knows format %d: update Navette on this PC",
                  format, DROP_FORMAT);
}

static void read_head(struct drop_reader *d, struct drop_head *head)
{
    struct json_cursor *c = &d->c;
    struct slice roster, made;

    json_mark(c, '{');
    read_kind(c);
    json_hex(c, field(c, "fleet", false, 0), head->fleet, FLEET_ID_BYTES, "fleet");
    read_name(c, "fleet_name", head->fleet_name);
    read_name(c, "from", head->from);
    made = json_string(c, field(c, "made", false, 0), "made");
    if (!c->failed && !date_read(&head->made_ms, made))
        json_fail(c, ERR_INPUT, "made is no date like 2026-11-21T10:00:00.000Z");
    roster = json_base64(c, field(c, "roster", false, 0), "roster");
    if (!c->failed && roster.n > ROSTER_BYTES_MAX)
        json_fail(c, ERR_LIMIT, "the roster has %zu bytes, allowed up to %u", roster.n,
                  ROSTER_BYTES_MAX);
    buf_open(&d->roster, ROSTER_BYTES_MAX);
    buf_add(&d->roster, roster.p, roster.n);
    head->roster = buf_slice(&d->roster);
    read_vector(c, field(c, "have", false, VECTOR_COMMAS_MAX), &head->have);
    json_hex(c, field(c, "signature", false, 0), head->signature, SIGNATURE_BYTES, "signature");
    json_key(c, "changesets", false);
    json_mark(c, '[');
}

bool drop_head_verify(const struct drop_head *head, const uint8_t sign_public[SIGN_PUBLIC_BYTES],
                      struct err *e)
{
    struct buf record = {0};
    bool ok;

    drop_head_record(head, &record);
    ok = keys_verify(sign_public, DROP_CONTEXT, buf_slice(&record), head->signature, e) ||
         err_wrap(e, "the lines before the change-sets are not as %s wrote them", head->from);
    buf_close(&record);
    return ok;
}

bool drop_open(struct drop_reader **d, struct slice file, struct drop_head *head, struct err *e)
{
    size_t line;

    *head = (struct drop_head){0};
    if (file.n > DROP_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "a drop file of %zu bytes, allowed up to %u", file.n,
                       DROP_BYTES_MAX);
    *d = mem_alloc(sizeof **d);
    json_open(&(*d)->c, file, e);
    if (!(*d)->c.failed)
        read_head(*d, head);
    if (!(*d)->c.failed)
        return true;
    line = json_line(&(*d)->c);
    vector_close(&head->have);
    *head = (struct drop_head){0};
    drop_close(*d);
    *d = NULL;
    return err_wrap(e, "line %zu", line);
}

void drop_close(struct drop_reader *d)
{
    if (d == NULL)
        return;
    json_close(&d->c);
    buf_close(&d->roster);
    json_counters_close(&d->counters);
    free(d);
}

#define GET_bytes(name, max) json_hex(c, json_member(o, #name), h->name, max, "header." #name);
#define GET_actor(name, max)                                                                       \
    json_hex(c, json_member(o, #name), h->name.bytes, max, "header." #name);
#define GET_u64(name, max) h->name = json_uint(c, json_member(o, #name), max, "header." #name);
#define GET_u32(name, max)                                                                         \
    h->name = (uint32_t)json_uint(c, json_member(o, #name), max, "header." #name);
#define GET_vector(name, max) read_vector(c, json_member(o, #name), &h->name);
#define GET(type, name, max)  GET_##type(name, max)
#define ONE(type, name, max)  +1
enum { HEADER_KEYS = 1 CHANGESET_HEADER(ONE) };

static void read_header(struct json_cursor *c, struct changeset_header *h)
{
    struct json_object *o = field(c, "header", true, HEADER_COMMAS_MAX);
    uint64_t format = json_uint(c, json_member(o, "format"), UINT32_MAX, "header.format");

    if (!c->failed && format != CHANGESET_FORMAT)
        json_fail(c, ERR_INPUT,
                  "it has format %" PRIu64
                  ", this program knows format %d: update Navette on this PC",
                  format, CHANGESET_FORMAT);
    CHANGESET_HEADER(GET)
    if (!c->failed && c->keys != HEADER_KEYS)
        json_fail(c, ERR_INPUT, "the header has %" PRIu32 " keys instead of %d", c->keys,
                  HEADER_KEYS);
}

static enum change_op read_op(struct json_cursor *c, struct json_object *o)
{
    struct slice name = json_string(c, o, "a row's op");

    for (int op = CHANGE_INSERT; !c->failed && op <= CHANGE_UNITE; op++) {
        if (slice_equal(name, slice_text(json_op_names[op])))
            return (enum change_op)op;
    }
    json_fail(c, ERR_INPUT, "a row's op is none of insert, update, delete, repair and unite");
    return CHANGE_DELETE;
}

/* The column of a cell of an update. They come in rising order, so the search goes on where the
 * last one ended. */
static uint32_t read_column(struct drop_reader *d, struct json_object *o, uint32_t from)
{
    struct slice name = json_string(&d->c, o, "a column");

    for (uint32_t i = from; !d->c.failed && i < d->column_count; i++) {
        if (slice_equal(d->columns[i], name))
            return i;
    }
    json_fail(&d->c, ERR_INPUT,
              "a row names a column that its table does not have, or not in order");
    return 0;
}

static uint32_t read_cells(struct drop_reader *d, struct json_object *row, enum change_op op,
                           uint32_t first, uint32_t elements)
{
    uint32_t step = change_has_some(op) ? 2 : 1;
    uint32_t n = elements < first ? 0 : (elements - first) / step, keys = 0, from = 0;

    if (elements < first || n > d->column_count || (elements - first) % step != 0) {
        json_fail(&d->c, ERR_INPUT,
                  "a row has %" PRIu32 " elements in a table of %" PRIu32 " columns", elements,
                  d->column_count);
        return 0;
    }
    for (uint32_t i = 0; i < n && !d->c.failed; i++) {
        struct json_object *cell = json_element(row, first - 1 + step * (i + 1));

        if (change_has_some(op)) {
            d->cell_columns[i] = read_column(d, json_element(row, first + 2 * i), from);
            from = d->cell_columns[i] + 1;
        }
        d->values[i] = json_is_counter(cell) ? json_counter(&d->c, cell, i, &d->counters, &keys)
                                             : json_value(&d->c, cell, &keys);
    }
    if (!d->c.failed && keys != d->c.keys)
        json_fail(&d->c, ERR_INPUT, "a value has a key twice");
    return n;
}

static void read_row(struct drop_reader *d, struct body_writer *b)
{
    struct json_cursor *c = &d->c;
    struct json_object *row = json_piece(c, ROW_COMMAS_MAX, "a row");
    uint32_t elements = json_count(c, row, 6 + 2 * COLUMNS_MAX, "a row"), first = 4;
    struct body_row out = {.columns = d->cell_columns, .values = d->values};

    if (!c->failed && elements < 4)
        json_fail(c, ERR_INPUT, "a row has %" PRIu32 " elements, at least 4", elements);
    if (c->failed)
        return;
    out.op = read_op(c, json_element(row, 0));
    out.gid.actor = (uint32_t)json_uint(c, json_element(row, 1), UINT32_MAX, "a row's actor");
    out.gid.counter = json_uint(c, json_element(row, 2), GID_COUNTER_MAX - 1, "a row's counter");
    out.stamp = json_uint(c, json_element(row, 3), CHANGESET_STAMP_MAX, "a row's stamp");
    if (out.op == CHANGE_REPAIR || out.op == CHANGE_UNITE) {
        first = 6;
        out.with.actor = (uint32_t)json_uint(c, json_element(row, 4), UINT32_MAX, "another actor");
        out.with.counter = json_uint(c, json_element(row, 5), VECTOR_NUMBER_MAX, "its number");
    }
    json_counters_begin(&d->counters);
    out.n = c->failed ? 0 : read_cells(d, row, out.op, first, elements);
    json_counters_end(&d->counters);
    out.counter_n = d->counters.n;
    out.counters = d->counters.counters;
    if (!c->failed)
        body_row_write(b, &out);
}

static void read_columns(struct drop_reader *d, struct json_object *o)
{
    d->column_count = json_count(&d->c, o, COLUMNS_MAX, "columns");
    for (uint32_t i = 0; i < d->column_count; i++)
        d->columns[i] = json_string(&d->c, json_element(o, i), "a column's name");
}

/* Names must outlive the pieces they came in: the rows that follow are pieces too. */
static void read_table(struct drop_reader *d, struct body_writer *b)
{
    struct json_cursor *c = &d->c;
    struct json_object *name, *columns;
    uint32_t keys;
    bool surrogate;

    json_mark(c, '{');
    name = json_keep(field(c, "name", true, 0));
    columns = json_keep(field(c, "columns", false, COLUMNS_MAX));
    read_columns(d, columns);
    keys = (uint32_t)json_uint(c, field(c, "keys", false, 0), KEY_COLUMNS_MAX, "keys");
    surrogate = json_boolean(c, field(c, "surrogate", false, 0), "surrogate");
    json_key(c, "rows", false);
    json_mark(c, '[');
    body_table(b, json_string(c, name, "a table's name"), d->columns, d->column_count, keys,
               surrogate);
    for (bool first = true; json_more(c, first); first = false) {
        if (b->rows == CUT_ROWS_MAX)
            json_fail(c, ERR_LIMIT, "it has more than %d rows", CUT_ROWS_MAX);
        else
            read_row(d, b);
    }
    json_mark(c, '}');
    json_release(name);
    json_release(columns);
}

static void read_actors(struct json_cursor *c, struct body_writer *b)
{
    struct json_object *o = field(c, "actors", true, ACTORS_MAX);
    uint32_t n = json_count(c, o, ACTORS_MAX, "actors");

    for (uint32_t i = 0; i < n && !c->failed; i++) {
        struct actor actor;

        json_hex(c, json_element(o, i), actor.bytes, ACTOR_BYTES, "an actor");
        if (!c->failed && body_actor(b, &actor) != i)
            json_fail(c, ERR_INPUT, "an actor appears twice");
    }
}

static bool read_body(struct drop_reader *d, struct buf *body)
{
    struct json_cursor *c = &d->c;
    struct body_writer b;
    bool ok;

    body_open(&b);
    json_key(c, "body", false);
    json_mark(c, '{');
    read_actors(c, &b);
    json_key(c, "tables", false);
    json_mark(c, '[');
    for (bool first = true; json_more(c, first); first = false) {
        if (b.table_count == TABLES_MAX)
            json_fail(c, ERR_LIMIT, "it has more than %d tables", TABLES_MAX);
        else
            read_table(d, &b);
    }
    json_mark(c, '}');
    ok = !c->failed && body_finish(&b, body, c->e);
    body_close(&b);
    return ok;
}

/* The body was encoded anew: it is the one that was signed only if it has the signed hash. */
static bool body_is_signed(const struct changeset_header *h, struct slice body, struct err *e)
{
    uint8_t hash[HASH_BYTES];

    hash_bytes(hash, body);
    if (body.n == h->body_bytes && sodium_memcmp(hash, h->body_hash, HASH_BYTES) == 0)
        return true;
    return err_set(e, ERR_CRYPTO, "its body is not the one that was signed: somebody changed it");
}

static bool read_changeset(struct drop_reader *d, struct buf *out)
{
    struct json_cursor *c = &d->c;
    struct buf header, body = {0};
    struct changeset_header h = {0};
    uint8_t signature[SIGNATURE_BYTES];
    bool ok;

    buf_open(&header, HEADER_BYTES_MAX);
    json_mark(c, '{');
    read_header(c, &h);
    json_hex(c, field(c, "signature", false, 0), signature, SIGNATURE_BYTES, "signature");
    ok = read_body(d, &body);
    json_mark(c, '}');
    ok = ok && !c->failed && body_is_signed(&h, buf_slice(&body), c->e);
    if (ok) {
        changeset_header_write(&header, &h);
        changeset_join(out, &(struct changeset){.header = buf_slice(&header),
                                                .signature = signature,
                                                .body = buf_slice(&body)});
    }
    changeset_header_close(&h);
    buf_close(&header);
    buf_close(&body);
    return ok;
}

/* A failure is final. */
bool drop_next(struct drop_reader *d, struct buf *out, struct err *e)
{
    struct json_cursor *c = &d->c;

    out->max = CHANGESET_BYTES_MAX;
    buf_clear(out);
    if (d->ended)
        return false;
    c->e = e;
    if (json_more(c, d->changesets == 0)) {
        d->changesets++;
        if (read_changeset(d, out))
            return true;
    } else if (!c->failed) {
        json_mark(c, '}');
        d->ended = !c->failed;
    }
    if (d->ended)
        return false;
    d->ended = true;
    buf_clear(out);
    return err_wrap(e, "line %zu, change-set %" PRIu32 " of the file", json_line(c), d->changesets);
}
