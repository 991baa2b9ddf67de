/* Any file is a letter or refused, and any bytes that could have been sealed in one are read or
 * refused; a letter that was read is written to one that reads back the same. */
#include <stdlib.h>

#include <navette/letter.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void file(struct slice bytes)
{
    struct letter l = {0}, back = {0};
    struct buf out;
    struct err e = {0}, other = {0};

    if (letter_read(&l, bytes, &e)) {
        letter_write(&out, &l);
        check(letter_is((struct slice){out.p, LETTER_HEAD_BYTES}));
        check(letter_read(&back, buf_slice(&out), &other) && back.kind == l.kind &&
              slice_equal(buf_slice(&back.sealed), buf_slice(&l.sealed)));
        buf_close(&out);
    }
    letter_close(&l);
    letter_close(&back);
}

/* The invitation of the worked example, whose letters are in the corpus. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const uint8_t id[INVITE_ID_BYTES] = {0xf6, 0x7c, 0x6b, 0xf8, 0x12, 0x1d, 0x6e, 0x63};
    struct letter_answer answer = {0};
    struct letter_ask ask;
    struct slice record = {bytes, n};
    struct err e = {0};

    file(record);
    check(letter_ask_read(&ask, id, record, &e) == (e.code == ERR_NONE));
    err_clear(&e);
    check(letter_answer_read(&answer, id, record, &e) == (e.code == ERR_NONE));
    vector_close(&answer.have);
    return 0;
}
