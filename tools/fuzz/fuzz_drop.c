/* Any file is read or refused, and what is read can be written and read again to the same bytes. */
#include <stdlib.h>

#include <navette/json.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Only what is well-formed inside can be written: signatures and bodies are their reader's to
 * check. */
static void write_and_read(struct slice changeset)
{
    struct drop_head head = {.fleet_name = "F", .from = "A"}, back;
    struct buf file = {0}, again = {0};
    struct drop_reader *d;
    struct err e = {0};

    if (drop_write_begin(&file, &head, &e) && drop_write_changeset(&file, true, changeset, &e)) {
        if (!drop_write_end(&file, &e) || !drop_open(&d, buf_slice(&file), &back, &e) ||
            !drop_next(d, &again, &e) || !slice_equal(buf_slice(&again), changeset))
            abort();
        drop_close(d);
    }
    buf_close(&file);
    buf_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct drop_reader *d = NULL;
    struct buf out = {0};
    struct drop_head head;
    struct err e = {0};
    bool open = drop_open(&d, (struct slice){bytes, n}, &head, &e);

    if (open != (e.code == ERR_NONE) || open != (d != NULL))
        abort();
    while (open && drop_next(d, &out, &e))
        write_and_read(buf_slice(&out));
    vector_close(&head.have);
    drop_close(d);
    buf_close(&out);
    return 0;
}
