/* Whatever is accepted as a change-set, its header or its body, writes back to exactly its bytes.
 */
#include <stdlib.h>

#include <navette/changeset.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void write_again(struct body_reader *from, struct body_writer *to)
{
    for (uint32_t i = 0; i < from->actor_count; i++)
        body_actor(to, &from->actors[i]);
    while (body_next_table(from)) {
        const struct body_table *t = &from->table;

        body_table(to, t->name, t->names, t->columns, t->keys, t->surrogate);
        while (body_next_row(from))
            body_row_write(to, &from->row);
    }
}

static void check(bool read, const struct err *e, struct slice bytes, const struct buf *again)
{
    if (read != (e->code == ERR_NONE) || (read && !slice_equal(buf_slice(again), bytes)))
        abort();
}

static void check_body(struct slice body)
{
    struct err e = {0}, fine = {0};
    struct buf again = {0};
    struct body_reader from;
    struct body_writer to;
    bool read;

    body_open(&to);
    body_read(&from, body, UINT64_MAX, &e);
    write_again(&from, &to);
    read = body_read_end(&from);
    if (read && !body_finish(&to, &again, &fine))
        abort();
    check(read, &e, body, &again);
    body_read_close(&from);
    body_close(&to);
    buf_close(&again);
}

static void check_header(struct slice header)
{
    struct changeset_header h = {0};
    struct err e = {0};
    struct buf again;
    bool read = changeset_header_read(&h, header, &e);

    buf_open(&again, HEADER_BYTES_MAX);
    if (read)
        changeset_header_write(&again, &h);
    check(read, &e, header, &again);
    changeset_header_close(&h);
    buf_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct slice left = {bytes, n}, one;
    struct err e = {0};
    struct changeset c;

    check_header(left);
    check_body(left);
    while (changeset_front(&left, &one, &e)) {
        if (!changeset_split(&c, one, &e))
            abort();
        check_header(c.header);
        check_body(c.body);
    }
    return 0;
}
