/* Any body that is one comes again, to the last byte, from its outline and its cells; and what is
 * no outline, no list of picks and no list of keys is refused. The input is all of them in turn. */
#include <stdlib.h>

#include <navette/outline.h>

#define KEYS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static struct buf cells_of(struct slice body, uint32_t rows)
{
    bool *all = mem_alloc(rows + 1);
    struct buf picks, cells;
    struct err e = {0};

    buf_open(&picks, PICKS_BYTES_MAX);
    buf_open(&cells, BODY_BYTES_MAX);
    for (uint32_t i = 0; i < rows; i++)
        all[i] = true;
    outline_picks_write(&picks, all, rows);
    check(outline_answer(&cells, body, OUTLINE_CELLS, buf_slice(&picks), &e));
    buf_close(&picks);
    free(all);
    return cells;
}

/* `rows`: as many as the body has. */
static void make_again(struct slice body, struct slice bytes, uint32_t rows)
{
    struct outline o;
    struct err e = {0};
    struct buf cells, again;
    struct slice *list, left;

    check(outline_read(&o, bytes, rows, &e));
    cells = cells_of(body, o.row_count);
    left = buf_slice(&cells);
    list = mem_alloc((o.row_count + 1) * sizeof *list);
    for (uint32_t i = 0; i < o.row_count; i++)
        check(outline_next(&o, &o.rows[i], &left, &list[i], &e));
    buf_open(&again, BODY_BYTES_MAX);
    outline_body(&again, &o, list);
    check(slice_equal(buf_slice(&again), body));
    buf_close(&cells);
    buf_close(&again);
    free(list);
    outline_close(&o);
}

static void try_body(struct slice body)
{
    struct body_reader b;
    struct buf outline;
    struct err e = {0};
    bool ok;

    body_read(&b, body, INT64_MAX, &e);
    while (body_next_table(&b))
        while (body_next_row(&b))
            ;
    ok = body_read_end(&b);
    buf_open(&outline, BODY_BYTES_MAX);
    err_clear(&e);
    check(outline_write(&outline, body, &e) == ok || body.n < OUTLINE_BODY_MIN);
    if (ok && outline.n > 0)
        make_again(body, buf_slice(&outline), b.rows_total);
    body_read_close(&b);
    buf_close(&outline);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct slice in = {bytes, n};
    bool picked[KEYS_MAX] = {0};
    int64_t keys[KEYS_MAX];
    struct outline o;
    struct err e = {0};

    try_body(in);
    check(outline_read(&o, in, n > 0 ? bytes[n - 1] : 0, &e) == (e.code == ERR_NONE));
    outline_close(&o);
    err_clear(&e);
    check(outline_picks_read(picked, KEYS_MAX, in, &e) == (e.code == ERR_NONE));
    err_clear(&e);
    check(outline_keys_read(keys, KEYS_MAX, in, &e) == (e.code == ERR_NONE));
    return 0;
}
