/* Bounded msgpack: a writer over msgpack-c and a reader of our own that allocates nothing and
 * trusts nothing. Both remember their first failure and then do nothing: no branches, one check at
 * the end. The reader accepts only the shortest encoding of every integer, length and header, so
 * that what is read and written again has the same bytes
 * (https://github.com/msgpack/msgpack/blob/master/spec.md). */
#ifndef NAVETTE_WIRE_H
#define NAVETTE_WIRE_H

#include <navette/change.h>

#define WIRE_EXT_REF 1 /* msgpack ext type of VALUE_REF: see value_write */

struct writer {
    struct buf *out; /* overflow of the buffer is the writer's failure */
};

void write_nil(struct writer *w);
void write_bool(struct writer *w, bool v);
void write_uint(struct writer *w, uint64_t v);
void write_int(struct writer *w, int64_t v);
void write_real(struct writer *w, double v);          /* always float 64, bit-exact */
void write_text(struct writer *w, struct slice text); /* str; any bytes */
void write_bin(struct writer *w, struct slice bytes);
void write_array(struct writer *w, uint32_t count);
/* nil, int, float 64, str, bin, or ext WIRE_EXT_REF (payload: actor index u32 BE, counter u64 BE).
 */
void write_value(struct writer *w, const struct value *v);

struct reader {
    struct slice left; /* what is not read yet */
    struct err *e;     /* the first failure; its caller's */
    bool failed;
};

/* The reader borrows `bytes` and `e`. What it returns borrows `bytes`. After a failure every read
 * returns zero or an empty slice. */
struct reader reader_of(struct slice bytes, struct err *e);
void read_nil(struct reader *r);
bool read_bool(struct reader *r);
uint64_t read_uint(struct reader *r, uint64_t max, const char *what);
int64_t read_int(struct reader *r);
struct slice read_text(struct reader *r, size_t max, const char *what);
struct slice read_bin(struct reader *r, size_t max, const char *what);
/* A bin of exactly n bytes, copied to `out`. */
void read_bin_exact(struct reader *r, uint8_t *out, size_t n, const char *what);
/* Is an array next? */
bool read_is_array(const struct reader *r);
/* The count of an array; fails when it exceeds `max` or the bytes that are left. */
uint32_t read_array(struct reader *r, uint32_t max, const char *what);
/* An array of exactly `count`. */
void read_array_exact(struct reader *r, uint32_t count, const char *what);
/* Any value of write_value; text and blobs up to VALUE_BYTES_MAX. A NaN is refused. */
struct value read_value(struct reader *r);
/* True when nothing failed and nothing is left. */
MUST_USE bool read_end(struct reader *r);
/* Fail the reader by hand. */
void read_fail(struct reader *r, enum err_code code, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
