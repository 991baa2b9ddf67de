/* The side that wants the change-set: an outline read, and the body made from it and from cells. */
#include <navette/outline.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROW_FIXED 4 /* op, actor, counter, stamp: what every row begins with */

void outline_mark(uint8_t mark[OUTLINE_MARK_BYTES], struct slice cells)
{
    uint8_t hash[HASH_BYTES];

    hash_bytes(hash, cells);
    memcpy(mark, hash, OUTLINE_MARK_BYTES);
}

bool outline_same(const struct outline_range *range, const uint8_t *marks)
{
    uint8_t hash[HASH_BYTES];

    hash_bytes(hash, (struct slice){marks, (size_t)range->rows * OUTLINE_MARK_BYTES});
    return memcmp(hash, range->digest, OUTLINE_DIGEST_BYTES) == 0;
}

/* ---- picks ---- */

void outline_picks_write(struct buf *out, const bool *picked, uint32_t n)
{
    struct writer w = {out};
    uint32_t count = 0, at = 0;

    for (uint32_t i = 0; i < n; i++)
        count += picked[i] && (i == 0 || !picked[i - 1]);
    write_array(&w, 2 * count);
    for (; count > 0; count--) {
        uint32_t from = at, to;

        while (!picked[from])
            from++;
        to = from;
        while (to < n && picked[to])
            to++;
        write_uint(&w, from - at);
        write_uint(&w, to - from);
        at = to;
    }
}

bool outline_picks_read(bool *picked, uint32_t n, struct slice picks, struct err *e)
{
    struct reader r = reader_of(picks, e);
    uint32_t count = read_array(&r, 2 * n, "what is asked for"), at = 0;

    if (!r.failed && count % 2 != 0)
        read_fail(&r, ERR_INPUT, "what is asked for has %" PRIu32 " numbers, no pairs", count);
    for (; count > 0 && !r.failed; count -= 2) {
        uint32_t skipped = (uint32_t)read_uint(&r, n - at, "rows skipped");
        uint32_t taken = (uint32_t)read_uint(&r, n - at - skipped, "rows asked for");

        if (!r.failed && taken == 0)
            read_fail(&r, ERR_INPUT, "no rows are asked for");
        at += skipped;
        for (uint32_t i = 0; i < taken && !r.failed; i++)
            picked[at++] = true;
    }
    return read_end(&r);
}

/* ---- keys ---- */

void outline_keys_write(struct buf *out, const int64_t *keys, uint32_t n)
{
    struct writer w = {out};
    uint32_t since = 0;

    write_int(&w, keys[0]);
    for (uint32_t i = 1; i < n; i++) {
        uint64_t gap = (uint64_t)keys[i] - (uint64_t)keys[i - 1] - 1;

        if (gap == 0)
            continue;
        write_uint(&w, i - since);
        write_uint(&w, gap);
        since = i;
    }
}

/* Where the next keys are left out, and how many; `n` if none are any more. */
static uint32_t next_gap(struct reader *r, uint32_t at, uint32_t n, uint64_t *gap)
{
    uint32_t rows;

    if (r->left.n == 0)
        return n;
    rows = (uint32_t)read_uint(r, n - 1 - at, "rows with rising keys");
    *gap = read_uint(r, UINT64_MAX - 1, "keys left out");
    if (!r->failed && (rows == 0 || *gap == 0))
        read_fail(r, ERR_INPUT, "keys in a form that is not the shortest");
    return at + rows;
}

bool outline_keys_read(int64_t *keys, uint32_t n, struct slice bytes, struct err *e)
{
    struct reader r = reader_of(bytes, e);
    uint64_t key = (uint64_t)read_int(&r), gap = 0;
    uint32_t until = next_gap(&r, 0, n, &gap);

    keys[0] = (int64_t)key;
    for (uint32_t i = 1; i < n && !r.failed; i++) {
        uint64_t step = 1;

        if (i == until) {
            step += gap;
            until = next_gap(&r, i, n, &gap);
        }
        if (!r.failed && step > (uint64_t)INT64_MAX - key)
            read_fail(&r, ERR_INPUT, "keys beyond 64 bits");
        key += step;
        keys[i] = (int64_t)key;
    }
    return read_end(&r);
}

/* ---- reading an outline ---- */

struct outline_reader {
    struct outline *o;
    struct reader r;
    uint32_t rows_left; /* of those that the header says */
};

static struct outline_row *add_row(struct outline *o)
{
    if (o->row_count == o->row_room) {
        o->row_room = o->row_room == 0 ? 256 : o->row_room * 2;
        o->rows = mem_grow(o->rows, o->row_room * sizeof *o->rows);
    }
    o->rows[o->row_count] = (struct outline_row){0};
    return &o->rows[o->row_count++];
}

static void read_keys(struct outline_reader *b, struct slice bytes, struct outline_row *rows,
                      uint32_t n)
{
    int64_t *keys = mem_alloc(n * sizeof *keys);

    b->r.failed = !outline_keys_read(keys, n, bytes, b->r.e);
    for (uint32_t i = 0; i < n; i++)
        rows[i].key = keys[i];
    free(keys);
}

/* The keys of ranges of a table that is not surrogate. */
static void read_names(struct outline_reader *b, struct slice bytes, struct outline_range *ranges,
                       uint32_t n)
{
    struct reader r = reader_of(bytes, b->r.e);
    struct buf *keys = &b->o->keys;

    for (uint32_t i = 0; i < n && !r.failed; i++) {
        uint32_t before = i == 0 ? 0 : ranges[i - 1].key_bytes;
        uint32_t shared = (uint32_t)read_uint(&r, before, "bytes of the key before");
        struct slice rest = read_bin(&r, OUTLINE_KEY_BYTES_MAX - shared, "a row's key");
        uint8_t *to;

        ranges[i].key_at = (uint32_t)keys->n;
        ranges[i].key_bytes = shared + (uint32_t)rest.n;
        to = buf_extend(keys, ranges[i].key_bytes);
        if (to == NULL || r.failed)
            break;
        if (shared > 0)
            memcpy(to, keys->p + ranges[i - 1].key_at, shared);
        if (rest.n > 0)
            memcpy(to + shared, rest.p, rest.n);
    }
    if (!read_end(&r))
        b->r.failed = true;
}

static void read_ranges(struct outline_reader *b, struct slice digests, uint32_t first, uint32_t n)
{
    struct outline *o = b->o;
    uint32_t count = (n + OUTLINE_RANGE_ROWS - 1) / OUTLINE_RANGE_ROWS;

    if (!b->r.failed && digests.n != (size_t)count * OUTLINE_DIGEST_BYTES)
        read_fail(&b->r, ERR_INPUT, "%zu bytes of digests of %" PRIu32 " ranges", digests.n, count);
    for (uint32_t i = 0; i < count && !b->r.failed; i++) {
        uint32_t at = i * OUTLINE_RANGE_ROWS;

        if (o->range_count == o->range_room) {
            o->range_room = o->range_room == 0 ? 64 : o->range_room * 2;
            o->ranges = mem_grow(o->ranges, o->range_room * sizeof *o->ranges);
        }
        o->ranges[o->range_count++] = (struct outline_range){
            .first = first + at,
            .rows = n - at < OUTLINE_RANGE_ROWS ? n - at : OUTLINE_RANGE_ROWS,
            .digest = digests.p + (size_t)i * OUTLINE_DIGEST_BYTES};
    }
}

static void read_run(struct outline_reader *b, const struct outline_table *t,
                     struct outline_piece *piece)
{
    struct outline *o = b->o;
    uint32_t actor = (uint32_t)read_uint(&b->r, UINT32_MAX, "a run's actor");
    uint64_t counter = read_uint(&b->r, GID_COUNTER_MAX - 1, "a run's first counter");
    struct slice keys;
    uint32_t ranges;

    piece->difference = read_int(&b->r);
    keys = read_bin(&b->r, BODY_BYTES_MAX, "a run's keys");
    if (!b->r.failed && (actor >= o->actor_count || counter == 0 ||
                         piece->rows > GID_COUNTER_MAX - counter || piece->rows == 0))
        read_fail(&b->r, ERR_INPUT, "a run of rows that are none");
    for (uint32_t i = 0; i < piece->rows && !b->r.failed; i++)
        *add_row(o) = (struct outline_row){.table = (uint32_t)(t - o->tables),
                                           .gid = {.actor = actor, .counter = counter + i}};
    ranges = o->range_count;
    read_ranges(b, read_bin(&b->r, BODY_BYTES_MAX, "a run's digests"), piece->first, piece->rows);
    if (!b->r.failed && t->surrogate)
        read_keys(b, keys, o->rows + piece->first, piece->rows);
    else if (!b->r.failed)
        read_names(b, keys, o->ranges + ranges, o->range_count - ranges);
}

static void read_piece(struct outline_reader *b, const struct outline_table *t)
{
    struct outline *o = b->o;
    uint32_t elements = read_array(&b->r, 6, "a piece of an outline");
    struct outline_piece piece = {.first = o->row_count};

    piece.rows = (uint32_t)read_uint(&b->r, b->rows_left, "a piece's rows");
    b->rows_left -= piece.rows;
    if (elements == 2) {
        piece.bytes = read_bin(&b->r, BODY_BYTES_MAX, "a piece's bytes");
        if (!b->r.failed && (piece.bytes.n < piece.rows || piece.rows == 0))
            read_fail(&b->r, ERR_INPUT, "%" PRIu32 " rows in %zu bytes", piece.rows, piece.bytes.n);
    } else if (elements == 6) {
        read_run(b, t, &piece);
    } else if (!b->r.failed) {
        read_fail(&b->r, ERR_INPUT, "a piece of an outline has %" PRIu32 " elements", elements);
    }
    if (o->piece_count == o->piece_room) {
        o->piece_room = o->piece_room == 0 ? 16 : o->piece_room * 2;
        o->pieces = mem_grow(o->pieces, o->piece_room * sizeof *o->pieces);
    }
    o->pieces[o->piece_count++] = piece;
}

static void read_table(struct outline_reader *b)
{
    struct outline *o = b->o;
    struct outline_table *t = &o->tables[o->table_count];
    uint32_t pieces;

    *t = (struct outline_table){.first_piece = o->piece_count};
    read_array_exact(&b->r, 5, "a table of an outline");
    t->name = read_text(&b->r, IDENTIFIER_BYTES_MAX, "a table's name");
    t->columns = read_array(&b->r, COLUMNS_MAX, "a table's columns");
    t->names = mem_alloc((t->columns + 1) * sizeof *t->names);
    o->table_count++; /* from here on outline_close releases it */
    for (uint32_t i = 0; i < t->columns && !b->r.failed; i++)
        t->names[i] = read_text(&b->r, IDENTIFIER_BYTES_MAX, "a column's name");
    t->keys = (uint32_t)read_uint(&b->r, KEY_COLUMNS_MAX, "a table's key columns");
    t->surrogate = read_bool(&b->r);
    if (!b->r.failed && (t->keys == 0 || t->keys > t->columns || (t->surrogate && t->keys != 1)))
        read_fail(&b->r, ERR_INPUT, "a key of %" PRIu32 " columns", t->keys);
    pieces = read_array(&b->r, CUT_ROWS_MAX, "a table's pieces");
    for (; t->pieces < pieces && !b->r.failed; t->pieces++)
        read_piece(b, t);
}

bool outline_read(struct outline *o, struct slice bytes, uint32_t rows, struct err *e)
{
    struct outline_reader b = {.o = o, .r = reader_of(bytes, e), .rows_left = rows};
    uint32_t tables;

    *o = (struct outline){0};
    buf_open(&o->keys, (size_t)CUT_ROWS_MAX * OUTLINE_KEY_BYTES_MAX);
    read_array_exact(&b.r, 2, "an outline");
    o->actor_count = read_array(&b.r, ACTORS_MAX, "the list of actors");
    o->actors = mem_alloc((o->actor_count + 1) * sizeof *o->actors);
    for (uint32_t i = 0; i < o->actor_count && !b.r.failed; i++)
        read_bin_exact(&b.r, o->actors[i].bytes, ACTOR_BYTES, "an actor");
    tables = read_array(&b.r, TABLES_MAX, "the list of tables");
    o->tables = mem_alloc((tables + 1) * sizeof *o->tables);
    while (o->table_count < tables && !b.r.failed)
        read_table(&b);
    if (!b.r.failed && b.rows_left > 0)
        read_fail(&b.r, ERR_INPUT, "an outline of %" PRIu32 " rows less than its header says",
                  b.rows_left);
    return read_end(&b.r);
}

void outline_close(struct outline *o)
{
    for (uint32_t i = 0; i < o->table_count; i++)
        free(o->tables[i].names);
    free(o->actors);
    free(o->tables);
    free(o->pieces);
    free(o->rows);
    free(o->ranges);
    buf_close(&o->keys);
    *o = (struct outline){0};
}

struct slice outline_key(const struct outline *o, const struct outline_range *range)
{
    return (struct slice){o->keys.p + range->key_at, range->key_bytes};
}

/* ---- the body ---- */

bool outline_next(const struct outline *o, const struct outline_row *row, struct slice *left,
                  struct slice *cells, struct err *e)
{
    struct reader r = reader_of(*left, e);

    for (uint32_t i = 0; i < o->tables[row->table].columns && !r.failed; i++)
        read_value(&r);
    if (r.failed)
        return err_wrap(e, "rows of a change-set");
    *cells = (struct slice){left->p, left->n - r.left.n};
    *left = r.left;
    return true;
}

static void write_table(struct buf *body, const struct outline *o, const struct outline_table *t,
                        const struct slice *cells)
{
    struct writer w = {body};
    uint32_t rows = 0;

    body_head(&w, t->name, t->names, t->columns, t->keys, t->surrogate);
    for (uint32_t i = 0; i < t->pieces; i++)
        rows += o->pieces[t->first_piece + i].rows;
    write_array(&w, rows);
    for (uint32_t i = 0; i < t->pieces; i++) {
        const struct outline_piece *piece = &o->pieces[t->first_piece + i];

        buf_add(body, piece->bytes.p, piece->bytes.n);
        for (uint32_t j = 0; j < piece->rows && piece->bytes.p == NULL; j++) {
            const struct outline_row *row = &o->rows[piece->first + j];

            write_array(&w, ROW_FIXED + t->columns);
            write_uint(&w, CHANGE_INSERT);
            write_uint(&w, row->gid.actor);
            write_uint(&w, row->gid.counter);
            write_int(&w, j == 0 ? piece->difference : 0);
            buf_add(body, cells[piece->first + j].p, cells[piece->first + j].n);
        }
    }
}

void outline_body(struct buf *body, const struct outline *o, const struct slice *cells)
{
    struct writer w = {body};

    write_array(&w, 2);
    write_array(&w, o->actor_count);
    for (uint32_t i = 0; i < o->actor_count; i++)
        write_bin(&w, SLICE(o->actors[i].bytes));
    write_array(&w, o->table_count);
    for (uint32_t i = 0; i < o->table_count; i++)
        write_table(body, o, &o->tables[i], cells);
}
