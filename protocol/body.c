#include <navette/body.h>
#include <navette/vector.h>

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROW_FIXED      4 /* op, actor, counter, stamp: what every row begins with */
#define DELTA_ELEMENTS 2 /* total, form */
#define SEEN_ELEMENTS  4 /* actor, number, total, row */

static bool has_with(enum change_op op)
{
    return op == CHANGE_REPAIR || op == CHANGE_UNITE;
}

static uint32_t fixed_count(enum change_op op)
{
    return has_with(op) ? ROW_FIXED + 2 : ROW_FIXED;
}

/* ---- writer ---- */

/* One table in `out`: its head from `head`, its rows from `rows_at` up to the next table. The
 * count between them has as many bytes as it needs, so it is put there when all is known. */
struct body_part {
    size_t head;
    size_t rows_at;
    uint32_t rows;
};

void body_open(struct body_writer *b)
{
    *b = (struct body_writer){0};
    buf_open(&b->out, BODY_BYTES_MAX);
}

static uint32_t find_actor(const struct body_writer *b, const struct actor *a)
{
    uint32_t i = 0;

    while (i < b->actor_count && !actor_equal(&b->actors[i], a))
        i++;
    return i;
}

uint32_t body_actor(struct body_writer *b, const struct actor *a)
{
    uint32_t *recent = &b->recent[a->bytes[ACTOR_BYTES - 1] % COUNT_OF(b->recent)];

    if (*recent < b->actor_count && actor_equal(&b->actors[*recent], a))
        return *recent;
    *recent = find_actor(b, a);
    if (*recent < b->actor_count)
        return *recent;
    if (b->actor_count == b->actor_room) {
        b->actor_room = b->actor_room == 0 ? 8 : b->actor_room * 2;
        b->actors = mem_grow(b->actors, b->actor_room * sizeof *b->actors);
    }
    b->actors[b->actor_count++] = *a;
    return *recent;
}

void body_head(struct writer *w, struct slice name, const struct slice *columns, uint32_t count,
               uint32_t keys, bool surrogate)
{
    write_array(w, 5);
    write_text(w, name);
    write_array(w, count);
    for (uint32_t i = 0; i < count; i++)
        write_text(w, columns[i]);
    write_uint(w, keys);
    write_bool(w, surrogate);
}

void body_table(struct body_writer *b, struct slice name, const struct slice *columns,
                uint32_t count, uint32_t keys, bool surrogate)
{
    struct writer w = {&b->out};
    struct body_part *part;

    if (b->table_count == b->table_room) {
        b->table_room = b->table_room == 0 ? 8 : b->table_room * 2;
        b->tables = mem_grow(b->tables, b->table_room * sizeof *b->tables);
    }
    part = &b->tables[b->table_count++];
    part->head = b->out.n;
    body_head(&w, name, columns, count, keys, surrogate);
    part->rows_at = b->out.n;
    part->rows = 0;
}

static void write_counter(struct writer *w, const struct value *v, const struct body_counter *c)
{
    if (c->delta) {
        write_array(w, DELTA_ELEMENTS);
        write_decimal(w, &c->total);
        write_uint(w, c->form);
        return;
    }
    write_array(w, 1 + SEEN_ELEMENTS * c->seen_n);
    write_value(w, v);
    for (uint32_t i = 0; i < c->seen_n; i++) {
        const struct body_seen *s = &c->seen[i];

        write_uint(w, s->actor);
        write_uint(w, s->number);
        write_decimal(w, &s->total);
        write_value(w, &(struct value){.type = s->row.counter == 0 ? VALUE_NULL : VALUE_REF,
                                       .ref = s->row});
    }
}

void body_row_write(struct body_writer *b, const struct body_row *row)
{
    struct writer w = {&b->out};
    uint32_t counter = 0;

    assert(b->table_count > 0);
    assert(row->stamp <= INT64_MAX);
    write_array(&w, fixed_count(row->op) + (change_has_some(row->op) ? 2 * row->n : row->n));
    write_uint(&w, row->op);
    write_uint(&w, row->gid.actor);
    write_uint(&w, row->gid.counter);
    write_int(&w, (int64_t)row->stamp - (int64_t)b->last_stamp);
    if (has_with(row->op)) {
        write_uint(&w, row->with.actor);
        write_uint(&w, row->with.counter);
    }
    for (uint32_t i = 0; i < row->n; i++) {
        if (change_has_some(row->op))
            write_uint(&w, row->columns[i]);
        if (counter < row->counter_n && row->counters[counter].cell == i)
            write_counter(&w, &row->values[i], &row->counters[counter++]);
        else
            write_value(&w, &row->values[i]);
    }
    b->last_stamp = row->stamp;
    b->tables[b->table_count - 1].rows++;
    b->rows++;
}

void body_row(struct body_writer *b, enum change_op op, struct gid gid, uint64_t stamp,
              const uint32_t *columns, const struct value *values, uint32_t n)
{
    body_row_with(b, op, gid, stamp, (struct gid){0}, columns, values, n);
}

void body_row_with(struct body_writer *b, enum change_op op, struct gid gid, uint64_t stamp,
                   struct gid with, const uint32_t *columns, const struct value *values, uint32_t n)
{
    body_row_write(b, &(struct body_row){.op = op,
                                         .gid = gid,
                                         .stamp = stamp,
                                         .with = with,
                                         .n = n,
                                         .columns = columns,
                                         .values = values});
}

/* An upper bound of what body_finish puts around the tables. */
static size_t frame_size(const struct body_writer *b)
{
    return 16 + (size_t)b->actor_count * (2 + ACTOR_BYTES) + (size_t)b->table_count * 5;
}

size_t body_size(const struct body_writer *b)
{
    return b->out.n + frame_size(b);
}

static void write_part(const struct body_writer *b, uint32_t i, struct buf *body)
{
    const struct body_part *part = &b->tables[i];
    size_t end = i + 1 < b->table_count ? part[1].head : b->out.n;
    struct writer w = {body};

    buf_add(body, b->out.p + part->head, part->rows_at - part->head);
    write_array(&w, part->rows);
    buf_add(body, b->out.p + part->rows_at, end - part->rows_at);
}

bool body_finish(struct body_writer *b, struct buf *body, struct err *e)
{
    struct writer w = {body};

    body->max = BODY_BYTES_MAX;
    buf_clear(body);
    if (b->actor_count > ACTORS_MAX || b->table_count > TABLES_MAX || b->rows > CUT_ROWS_MAX)
        return err_set(e, ERR_LIMIT,
                       "a change-set of %" PRIu32 " actors, %" PRIu32 " tables and %" PRIu32
                       " rows, allowed up to %d, %d and %d",
                       b->actor_count, b->table_count, b->rows, ACTORS_MAX, TABLES_MAX,
                       CUT_ROWS_MAX);
    if (!b->out.overflow)
        buf_extend(body, body_size(b) < BODY_BYTES_MAX ? body_size(b) : BODY_BYTES_MAX);
    buf_clear(body);
    write_array(&w, 2);
    write_array(&w, b->actor_count);
    for (uint32_t i = 0; i < b->actor_count; i++)
        write_bin(&w, SLICE(b->actors[i].bytes));
    write_array(&w, b->table_count);
    for (uint32_t i = 0; i < b->table_count; i++)
        write_part(b, i, body);
    if (b->out.overflow || body->overflow)
        return err_set(e, ERR_LIMIT, "a change-set's body exceeds %u bytes", BODY_BYTES_MAX);
    return true;
}

void body_close(struct body_writer *b)
{
    buf_close(&b->out);
    free(b->actors);
    free(b->tables);
    *b = (struct body_writer){0};
}

/* ---- reader ---- */

static int compare_slices(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* Fail when two of the names are equal. Sorted, since a hostile body may bring very many. */
static void check_unique(struct reader *r, const struct slice *names, uint32_t n, const char *what)
{
    struct slice *sorted = mem_alloc(n * sizeof *sorted);

    if (n > 0)
        memcpy(sorted, names, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_slices);
    for (uint32_t i = 1; i < n && !r->failed; i++) {
        if (slice_equal(sorted[i - 1], sorted[i]))
            read_fail(r, ERR_INPUT, "%s appears twice", what);
    }
    free(sorted);
}

static void read_actors(struct body_reader *b)
{
    struct slice *all;

    b->actor_count = read_array(&b->r, ACTORS_MAX, "the list of actors");
    if (b->actor_count == 0)
        return;
    b->actors = mem_alloc(b->actor_count * sizeof *b->actors);
    all = mem_alloc(b->actor_count * sizeof *all);
    for (uint32_t i = 0; i < b->actor_count; i++) {
        read_bin_exact(&b->r, b->actors[i].bytes, ACTOR_BYTES, "an actor");
        all[i] = SLICE(b->actors[i].bytes);
    }
    check_unique(&b->r, all, b->actor_count, "an actor");
    free(all);
    if (b->r.failed)
        b->actor_count = 0;
}

void body_read(struct body_reader *b, struct slice body, uint64_t header_stamp, struct err *e)
{
    *b = (struct body_reader){.max_stamp = header_stamp};
    if (b->max_stamp > INT64_MAX)
        b->max_stamp = INT64_MAX;
    b->r = reader_of(body, e);
    read_array_exact(&b->r, 2, "a body");
    read_actors(b);
    b->tables_left = read_array(&b->r, TABLES_MAX, "the list of tables");
    if (b->tables_left > 0)
        b->table_names = mem_alloc(b->tables_left * sizeof *b->table_names);
}

static struct slice read_name(struct reader *r, const char *what)
{
    struct slice name = read_text(r, IDENTIFIER_BYTES_MAX, what);

    if (!r->failed && (name.n == 0 || memchr(name.p, 0, name.n) != NULL || !slice_is_utf8(name)))
        read_fail(r, ERR_INPUT, "%s is empty or no UTF-8 text", what);
    return name;
}

static void reserve_columns(struct body_reader *b, uint32_t n)
{
    if (n <= b->room)
        return;
    b->table.names = mem_grow(b->table.names, n * sizeof *b->table.names);
    b->values = mem_grow(b->values, n * sizeof *b->values);
    b->row.values = b->values;
    b->every = mem_grow(b->every, n * sizeof *b->every);
    b->some = mem_grow(b->some, n * sizeof *b->some);
    for (uint32_t i = b->room; i < n; i++)
        b->every[i] = i;
    b->room = n;
}

static void read_columns(struct body_reader *b)
{
    struct body_table *t = &b->table;

    t->columns = read_array(&b->r, COLUMNS_MAX, "a table's columns");
    reserve_columns(b, t->columns);
    for (uint32_t i = 0; i < t->columns; i++)
        t->names[i] = read_name(&b->r, "a column's name");
    if (!b->r.failed)
        check_unique(&b->r, t->names, t->columns, "a column");
    t->keys = (uint32_t)read_uint(&b->r, KEY_COLUMNS_MAX, "a table's number of key columns");
    t->surrogate = read_bool(&b->r);
    if (b->r.failed)
        return;
    if (t->keys == 0 || t->keys > t->columns || (t->surrogate && t->keys != 1))
        read_fail(&b->r, ERR_INPUT, "a table of %" PRIu32 " columns has a key of %" PRIu32,
                  t->columns, t->keys);
}

bool body_next_table(struct body_reader *b)
{
    struct body_table *t = &b->table;

    while (b->rows_left > 0 && body_next_row(b))
        ;
    if (b->r.failed || b->tables_left == 0)
        return false;
    b->tables_left--;
    read_array_exact(&b->r, 5, "a table");
    t->name = read_name(&b->r, "a table's name");
    read_columns(b);
    t->rows = read_array(&b->r, CUT_ROWS_MAX - b->rows_total, "a table's rows");
    b->table_names[b->table_count++] = t->name;
    b->rows_left = t->rows;
    b->rows_total += t->rows;
    if (b->tables_left == 0 && !b->r.failed)
        check_unique(&b->r, b->table_names, b->table_count, "a table");
    return !b->r.failed;
}

static struct gid read_gid(struct body_reader *b)
{
    struct gid gid;

    gid.actor = (uint32_t)read_uint(&b->r, UINT32_MAX, "a row's actor");
    gid.counter = read_uint(&b->r, GID_COUNTER_MAX - 1, "a row's counter");
    if (!b->r.failed && (gid.actor >= b->actor_count || gid.counter == 0))
        read_fail(&b->r, ERR_INPUT,
                  "a row of actor %" PRIu32 " of %" PRIu32 " with counter %" PRIu64, gid.actor,
                  b->actor_count, gid.counter);
    return gid;
}

/* The sum wraps around: each stamp has one difference, and each difference one stamp. */
static uint64_t read_stamp(struct body_reader *b)
{
    uint64_t stamp = b->last_stamp + (uint64_t)read_int(&b->r);

    if (!b->r.failed && stamp > b->max_stamp)
        read_fail(&b->r, ERR_INPUT,
                  "a row's stamp %" PRIu64 " is later than its change-set's, %" PRIu64, stamp,
                  b->max_stamp);
    b->last_stamp = stamp;
    return stamp;
}

/* The write that a repair is of, or the row that this one is united with. */
static struct gid read_with(struct body_reader *b, enum change_op op)
{
    struct gid with;

    if (op == CHANGE_UNITE)
        return read_gid(b);
    with.actor = (uint32_t)read_uint(&b->r, UINT32_MAX, "a repair's author");
    with.counter = read_uint(&b->r, VECTOR_NUMBER_MAX, "a repair's change-set");
    if (!b->r.failed && (with.actor >= b->actor_count || with.counter == 0))
        read_fail(&b->r, ERR_INPUT,
                  "a repair of actor %" PRIu32 " of %" PRIu32 ", change-set %" PRIu64, with.actor,
                  b->actor_count, with.counter);
    return with;
}

/* How many cells a row of `n` elements has; fails when its op does not allow them. */
static uint32_t cell_count(struct body_reader *b, enum change_op op, uint32_t n)
{
    uint32_t fixed = fixed_count(op);
    uint32_t rest = n < fixed ? 0 : n - fixed;
    uint32_t cells = change_has_some(op) ? rest / 2 : rest;
    bool fits = op == CHANGE_INSERT   ? cells == b->table.columns
                : change_has_some(op) ? rest % 2 == 0 && cells > 0 && cells <= b->table.columns
                                      : cells == 0 && op != 0;

    fits = fits && n >= fixed;
    if (fits)
        return cells;
    read_fail(&b->r, ERR_INPUT,
              "a row with op %d has %" PRIu32 " elements in a table of %" PRIu32 " columns",
              (int)op, n, b->table.columns);
    return 0;
}

static void check_ref(struct body_reader *b, const struct value *v)
{
    if (v->type == VALUE_REF && v->ref.actor >= b->actor_count)
        read_fail(&b->r, ERR_INPUT, "a reference to actor %" PRIu32 " of %" PRIu32, v->ref.actor,
                  b->actor_count);
}

static int seen_compare(const struct body_seen *a, const struct body_seen *b)
{
    bool none_a = a->row.counter == 0, none_b = b->row.counter == 0;

    if (none_a != none_b)
        return none_a ? -1 : 1;
    if (!none_a && a->row.actor != b->row.actor)
        return a->row.actor < b->row.actor ? -1 : 1;
    if (!none_a && a->row.counter != b->row.counter)
        return a->row.counter < b->row.counter ? -1 : 1;
    return a->actor == b->actor ? 0 : a->actor < b->actor ? -1 : 1;
}

static struct body_seen read_seen_one(struct body_reader *b)
{
    struct body_seen seen = {0};
    struct value row;

    seen.actor = (uint32_t)read_uint(&b->r, UINT32_MAX, "a total's actor");
    seen.number = read_uint(&b->r, INT64_MAX, "a total's change-set");
    seen.total = read_decimal(&b->r, "a total");
    row = read_value(&b->r);
    check_ref(b, &row);
    if (row.type == VALUE_REF)
        seen.row = row.ref;
    if (b->r.failed)
        return seen;
    if (seen.actor >= b->actor_count || seen.number == 0)
        read_fail(&b->r, ERR_INPUT,
                  "a total of actor %" PRIu32 " of %" PRIu32 ", change-set %" PRIu64, seen.actor,
                  b->actor_count, seen.number);
    else if ((row.type != VALUE_NULL && row.type != VALUE_REF) ||
             (seen.row.actor == b->row.gid.actor && seen.row.counter == b->row.gid.counter))
        read_fail(&b->r, ERR_INPUT, "a total is not of another row");
    return seen;
}

/* `n` totals behind a value. They go behind those of the row's other cells. */
static void read_seen(struct body_reader *b, uint32_t n)
{
    if (b->seen_n + n > ROW_TOTALS_MAX || n > CELL_TOTALS_MAX) {
        read_fail(&b->r, ERR_LIMIT, "a row has %" PRIu32 " totals, allowed up to %d a cell and %d",
                  b->seen_n + n, CELL_TOTALS_MAX, ROW_TOTALS_MAX);
        return;
    }
    if (b->seen_n + n > b->seen_room) {
        b->seen_room = 2 * (b->seen_n + n);
        b->seen = mem_grow(b->seen, b->seen_room * sizeof *b->seen);
    }
    for (uint32_t i = 0; i < n && !b->r.failed; i++) {
        b->seen[b->seen_n] = read_seen_one(b);
        if (i > 0 && !b->r.failed &&
            seen_compare(&b->seen[b->seen_n - 1], &b->seen[b->seen_n]) >= 0)
            read_fail(&b->r, ERR_INPUT, "a cell's totals are not in rising order");
        b->seen_n++;
    }
}

/* A cell that is more than a value. */
static struct value read_counter(struct body_reader *b, uint32_t cell)
{
    struct value v = {.type = VALUE_NULL};
    struct body_counter *c;
    uint32_t n = read_array(&b->r, 1 + SEEN_ELEMENTS * CELL_TOTALS_MAX, "a counter");

    if (b->row.counter_n == b->counter_room) {
        b->counter_room = b->counter_room == 0 ? 8 : 2 * b->counter_room;
        b->counters = mem_grow(b->counters, b->counter_room * sizeof *b->counters);
    }
    c = &b->counters[b->row.counter_n++];
    *c = (struct body_counter){.cell = cell, .delta = n == DELTA_ELEMENTS};
    if (b->r.failed)
        return v;
    if (b->row.columns[cell] < b->table.keys || b->row.op == CHANGE_REPAIR ||
        (c->delta && b->row.op != CHANGE_UPDATE) ||
        (!c->delta && (n <= 1 || n % SEEN_ELEMENTS != 1))) {
        read_fail(&b->r, ERR_INPUT,
                  "a counter of %" PRIu32 " elements stands in column %" PRIu32
                  " of a row with op %d",
                  n, b->row.columns[cell], (int)b->row.op);
    } else if (c->delta) {
        c->total = read_decimal(&b->r, "a total");
        c->form = (uint8_t)read_uint(&b->r, DECIMAL_FORM_MAX, "a total's form");
    } else {
        c->seen_n = n / SEEN_ELEMENTS;
        v = read_value(&b->r);
        read_seen(b, c->seen_n);
    }
    return v;
}

static void read_cells(struct body_reader *b)
{
    struct body_row *row = &b->row;
    uint32_t from = 0, seen = 0;

    row->columns = change_has_some(row->op) ? b->some : b->every;
    row->counter_n = b->seen_n = 0;
    for (uint32_t i = 0; i < row->n && !b->r.failed; i++) {
        if (change_has_some(row->op)) {
            b->some[i] = (uint32_t)read_uint(&b->r, b->table.columns - 1, "a cell's column");
            if (!b->r.failed && b->some[i] < from)
                read_fail(&b->r, ERR_INPUT, "a row's columns are not in rising order");
            from = b->some[i] + 1;
        }
        b->values[i] = read_is_array(&b->r) ? read_counter(b, i) : read_value(&b->r);
        check_ref(b, &b->values[i]);
    }
    row->counters = b->counters;
    for (uint32_t i = 0; i < row->counter_n && !b->r.failed; i++) { /* the array may have moved */
        b->counters[i].seen = b->seen == NULL ? NULL : b->seen + seen;
        seen += b->counters[i].seen_n;
    }
}

bool body_next_row(struct body_reader *b)
{
    struct body_row *row = &b->row;
    uint32_t n;

    if (b->r.failed || b->rows_left == 0)
        return false;
    b->rows_left--;
    n = read_array(&b->r, ROW_FIXED + 2 + 2 * COLUMNS_MAX, "a row");
    if (!b->r.failed && n < ROW_FIXED)
        read_fail(&b->r, ERR_INPUT, "a row has %" PRIu32 " elements, at least %d", n, ROW_FIXED);
    row->op = (enum change_op)read_uint(&b->r, CHANGE_UNITE, "a row's op");
    row->gid = read_gid(b);
    row->stamp = read_stamp(b);
    row->n = b->r.failed ? 0 : cell_count(b, row->op, n);
    row->with = !b->r.failed && has_with(row->op) ? read_with(b, row->op) : (struct gid){0};
    read_cells(b);
    return !b->r.failed;
}

bool body_read_end(struct body_reader *b)
{
    if (!b->r.failed && (b->tables_left > 0 || b->rows_left > 0))
        read_fail(&b->r, ERR_INPUT, "the body was not read to its end");
    return read_end(&b->r);
}

void body_read_close(struct body_reader *b)
{
    free(b->actors);
    free(b->table.names);
    free(b->values);
    free(b->every);
    free(b->some);
    free(b->table_names);
    free(b->counters);
    free(b->seen);
    *b = (struct body_reader){0};
}

bool body_check(struct slice body, uint64_t header_stamp, uint32_t rows, struct err *e)
{
    struct body_reader b;
    bool ok;

    body_read(&b, body, header_stamp, e);
    while (body_next_table(&b)) {
        while (body_next_row(&b))
            ;
    }
    ok = body_read_end(&b);
    if (ok && b.rows_total != rows)
        ok = err_set(e, ERR_INPUT, "a body of %" PRIu32 " rows, its header says %" PRIu32,
                     b.rows_total, rows);
    body_read_close(&b);
    return ok;
}
