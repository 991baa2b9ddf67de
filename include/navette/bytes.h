/* Bytes: a slice borrows them, a buffer owns them and never outgrows its maximum. */
#ifndef NAVETTE_BYTES_H
#define NAVETTE_BYTES_H

#include <navette/err.h>

struct slice {
    const uint8_t *p;
    size_t n;
};

/* A zeroed buffer is empty with maximum 0; buf_open gives it one. Memory comes at the first

 * write. */
struct buf {
    uint8_t *p;
    size_t n;
    size_t room;
    size_t max;
    bool overflow; /* a write did not fit; everything after it was dropped */
    bool secret;   /* memory that it gives back is wiped first, also when it grows */
};

#define SLICE(array) ((struct slice){(const uint8_t *)(array), sizeof(array)})

struct slice slice_text(const char *text);
bool slice_equal(struct slice a, struct slice b);
/* memcmp order; a shorter prefix comes first. */
int slice_compare(struct slice a, struct slice b);
/* The code point at the front of `text` and its length; 0 when it is no UTF-8: too long a form, a
 * surrogate, beyond U+10FFFF, cut off, or nothing left. */
size_t slice_code_point(struct slice text, uint32_t *point);
bool slice_is_utf8(struct slice text);

void buf_open(struct buf *b, size_t max);
/* For what holds keys or tokens. */
void buf_open_secret(struct buf *b, size_t max);
/* Append; on overflow sets `overflow` and writes nothing more until buf_clear. */
void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_add_byte(struct buf *b, uint8_t byte);
/* Make room for n more bytes and return where they go (NULL on overflow); `n` of the buffer
 * grows. */
uint8_t *buf_extend(struct buf *b, size_t n);
struct slice buf_slice(const struct buf *b);
/* Drop the first n bytes. */
void buf_take(struct buf *b, size_t n);
/* Empty it, keep memory and maximum. */
void buf_clear(struct buf *b);
/* Release; closing twice is harmless. */
void buf_close(struct buf *b);
/* Overwrite the bytes with zeros, then release: for keys. */
void buf_wipe(struct buf *b);

/* malloc and realloc that end the process when memory is out: every size is bounded, the data is
 * safe. */
void *mem_alloc(size_t n); /* zeroed */
void *mem_grow(void *p, size_t n);
char *mem_text(const char *text);

/* For keys: zeroed, not swapped out and not in a core dump as far as the system allows, between
 * pages that nobody may touch; a few pages each. secret_free wipes it; NULL is harmless. */
void *secret_alloc(size_t n);
void secret_free(void *p);

uint32_t be32_read(const uint8_t *p);
uint64_t be64_read(const uint8_t *p);
void be32_write(uint8_t *p, uint32_t v);
void be64_write(uint8_t *p, uint64_t v);

/* Lower-case hexadecimal with NUL; `out` holds 2 * n + 1 characters. */
void hex_write(char *out, struct slice in);
/* False unless `text` is exactly 2 * n hexadecimal digits. */
MUST_USE bool hex_read(uint8_t *out, size_t n, const char *text);

#endif
