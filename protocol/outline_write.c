/* The side that has the change-set. Table by table: where its rows stand in the body, which of them
 * make runs, and what is told of those. */
#include <navette/outline.h>

#include <stdlib.h>

/* A row as it stands in the body: [start, cells) is its head, [cells, end) its cells. */
struct place {
    const uint8_t *start, *cells, *end;
    struct gid gid;
    int64_t difference;
    int64_t key;        /* of a surrogate table */
    uint32_t key_bytes; /* of its key cells */
    bool fits;          /* it can stand in a run */
};

struct outliner {
    struct body_reader b;
    struct place *rows; /* of the present table */
    uint32_t n, room;
    struct buf pieces; /* of the present table, without their count */
    uint32_t piece_count;
    struct buf scratch, marks; /* of the run under way: keys, then digests; and marks */
    /* Where the present run's begin, counted through all runs. */
    uint32_t run_rows, run_ranges;
};

static void place_head(struct place *p, const struct body_table *t, struct err *e)
{
    struct reader r = reader_of((struct slice){p->start, (size_t)(p->end - p->start)}, e);
    struct value first = {.type = VALUE_NULL};

    read_array(&r, UINT32_MAX, "a row");
    read_uint(&r, UINT64_MAX, "a row's op");
    read_uint(&r, UINT64_MAX, "a row's actor");
    read_uint(&r, UINT64_MAX, "a row's counter");
    p->difference = read_int(&r);
    p->cells = r.left.p;
    if (!p->fits)
        return;
    for (uint32_t i = 0; i < t->keys; i++) {
        struct value v = read_value(&r);

        if (i == 0)
            first = v;
    }
    p->key_bytes = (uint32_t)(r.left.p - p->cells);
    p->fits = t->surrogate ? first.type == VALUE_INT : p->key_bytes <= OUTLINE_KEY_BYTES_MAX;
    if (first.type == VALUE_INT)
        p->key = first.i;
}

/* Read the rows of the present table. */
static void place_rows(struct outliner *o)
{
    const uint8_t *start = o->b.r.left.p;

    o->n = 0;
    while (body_next_row(&o->b)) {
        struct place *p;

        if (o->n == o->room) {
            o->room = o->room == 0 ? 256 : o->room * 2;
            o->rows = mem_grow(o->rows, o->room * sizeof *o->rows);
        }
        p = &o->rows[o->n++];
        *p = (struct place){.start = start,
                            .end = o->b.r.left.p,
                            .gid = o->b.row.gid,
                            .fits = o->b.row.op == CHANGE_INSERT && o->b.row.counter_n == 0};
        place_head(p, &o->b.table, o->b.r.e);
        start = p->end;
    }
}

static bool follows(const struct outliner *o, const struct place *p, const struct place *next)
{
    return p->fits && next->fits && next->gid.actor == p->gid.actor &&
           next->gid.counter == p->gid.counter + 1 && next->difference == 0 &&
           (!o->b.table.surrogate || next->key > p->key);
}

/* The next piece from `first` on: its rows; `run` tells which kind. */
static uint32_t piece_at(const struct outliner *o, uint32_t first, bool *run)
{
    uint32_t n = 1;

    *run = o->rows[first].fits;
    while (first + n < o->n && (*run ? follows(o, &o->rows[first + n - 1], &o->rows[first + n])
                                     : !o->rows[first + n].fits))
        n++;
    return n;
}

static struct slice cells_of(const struct place *p)
{
    return (struct slice){p->cells, (size_t)(p->end - p->cells)};
}

/* ---- an outline ---- */

static void write_keys(struct buf *out, const struct place *rows, uint32_t n)
{
    int64_t *keys = mem_alloc(n * sizeof *keys);

    for (uint32_t i = 0; i < n; i++)
        keys[i] = rows[i].key;
    outline_keys_write(out, keys, n);
    free(keys);
}

/* Of the first row of each range: (bytes as in the key before: uint, the others: bin). */
static void write_names(struct writer *w, const struct place *rows, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += OUTLINE_RANGE_ROWS) {
        const struct place *row = &rows[i];
        const struct place *before = i == 0 ? NULL : row - OUTLINE_RANGE_ROWS;
        uint32_t shared = 0;

        while (before != NULL && shared < row->key_bytes && shared < before->key_bytes &&
               row->cells[shared] == before->cells[shared])
            shared++;
        write_uint(w, shared);
        write_bin(w, (struct slice){row->cells + shared, row->key_bytes - shared});
    }
}

static void add_marks(struct buf *out, const struct place *rows, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint8_t mark[OUTLINE_MARK_BYTES];

        outline_mark(mark, cells_of(&rows[i]));
        buf_add(out, mark, sizeof mark);
    }
}

static uint32_t range_rows(uint32_t at, uint32_t n)
{
    return n - at < OUTLINE_RANGE_ROWS ? n - at : OUTLINE_RANGE_ROWS;
}

static void write_run(struct outliner *o, const struct place *rows, uint32_t n)
{
    struct writer w = {&o->pieces}, names = {&o->scratch};

    write_array(&w, 6);
    write_uint(&w, n);
    write_uint(&w, rows[0].gid.actor);
    write_uint(&w, rows[0].gid.counter);
    write_int(&w, rows[0].difference);
    buf_clear(&o->scratch);
    if (o->b.table.surrogate)
        write_keys(&o->scratch, rows, n);
    else
        write_names(&names, rows, n);
    write_bin(&w, buf_slice(&o->scratch));
    buf_clear(&o->scratch);
    for (uint32_t at = 0; at < n; at += OUTLINE_RANGE_ROWS) {
        uint8_t digest[HASH_BYTES];

        buf_clear(&o->marks);
        add_marks(&o->marks, rows + at, range_rows(at, n));
        hash_bytes(digest, buf_slice(&o->marks));
        buf_add(&o->scratch, digest, OUTLINE_DIGEST_BYTES);
    }
    write_bin(&w, buf_slice(&o->scratch));
}

static void write_pieces(struct outliner *o)
{
    struct writer w = {&o->pieces};
    uint32_t n;

    buf_clear(&o->pieces);
    o->piece_count = 0;
    for (uint32_t at = 0; at < o->n; at += n, o->piece_count++) {
        bool run;

        n = piece_at(o, at, &run);
        if (run) {
            write_run(o, o->rows + at, n);
            continue;
        }
        write_array(&w, 2);
        write_uint(&w, n);
        write_bin(&w, (struct slice){o->rows[at].start,
                                     (size_t)(o->rows[at + n - 1].end - o->rows[at].start)});
    }
}

static void write_table(struct outliner *o, struct buf *out)
{
    const struct body_table *t = &o->b.table;
    struct writer w = {out};

    body_head(&w, t->name, t->names, t->columns, t->keys, t->surrogate);
    write_array(&w, o->piece_count);
    buf_add(out, o->pieces.p, o->pieces.n);
}

static void outliner_open(struct outliner *o, struct slice body, struct err *e)
{
    *o = (struct outliner){0};
    buf_open(&o->pieces, 2 * (size_t)BODY_BYTES_MAX);
    buf_open(&o->scratch, 2 * (size_t)BODY_BYTES_MAX);
    buf_open(&o->marks, OUTLINE_RANGE_ROWS * OUTLINE_MARK_BYTES);
    body_read(&o->b, body, INT64_MAX, e);
}

static bool outliner_close(struct outliner *o)
{
    bool ok = body_read_end(&o->b);

    body_read_close(&o->b);
    buf_close(&o->pieces);
    buf_close(&o->scratch);
    buf_close(&o->marks);
    free(o->rows);
    return ok;
}

bool outline_write(struct buf *out, struct slice body, struct err *e)
{
    struct outliner o;
    struct writer w = {out};
    size_t before = out->n;

    if (body.n < OUTLINE_BODY_MIN)
        return true;
    outliner_open(&o, body, e);
    write_array(&w, 2);
    write_array(&w, o.b.actor_count);
    for (uint32_t i = 0; i < o.b.actor_count; i++)
        write_bin(&w, SLICE(o.b.actors[i].bytes));
    write_array(&w, o.b.tables_left);
    while (body_next_table(&o.b)) {
        place_rows(&o);
        write_pieces(&o);
        write_table(&o, out);
    }
    if (!out->overflow && out->n - before > body.n / OUTLINE_PART_MAX)
        out->n = before;
    return outliner_close(&o);
}

/* ---- an answer ---- */

/* What is picked of a run: of its ranges the marks, or of its rows the cells. */
static void answer_run(struct outliner *o, struct buf *out, const bool *picked,
                       enum outline_ask what, const struct place *rows, uint32_t n)
{
    for (uint32_t i = 0; i < n && what == OUTLINE_CELLS; i++)
        if (picked[o->run_rows + i])
            buf_add(out, rows[i].cells, cells_of(&rows[i]).n);
    for (uint32_t at = 0; at < n; at += OUTLINE_RANGE_ROWS, o->run_ranges++)
        if (what == OUTLINE_MARKS && picked[o->run_ranges])
            add_marks(out, rows + at, range_rows(at, n));
    o->run_rows += n;
}

static void answer_table(struct outliner *o, struct buf *out, const bool *picked,
                         enum outline_ask what)
{
    uint32_t n;

    for (uint32_t at = 0; at < o->n; at += n) {
        bool run;

        n = piece_at(o, at, &run);
        if (run)
            answer_run(o, out, picked, what, o->rows + at, n);
    }
}

/* Numbers beyond the last range or row pick nothing. */
bool outline_answer(struct buf *out, struct slice body, enum outline_ask what, struct slice picks,
                    struct err *e)
{
    bool *picked = mem_alloc(CUT_ROWS_MAX * sizeof *picked);
    struct outliner o;
    bool ok = outline_picks_read(picked, CUT_ROWS_MAX, picks, e);

    if (ok) {
        outliner_open(&o, body, e);
        while (body_next_table(&o.b)) {
            place_rows(&o);
            answer_table(&o, out, picked, what);
        }
        ok = outliner_close(&o);
    }
    free(picked);
    return ok;
}
