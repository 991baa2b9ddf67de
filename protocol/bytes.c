#include <navette/bytes.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

struct slice slice_text(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int slice_compare(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n == 0 ? 0 : memcmp(a.p, b.p, n);

    if (order != 0)
        return order;
    return a.n == b.n ? 0 : a.n < b.n ? -1 : 1;
}

size_t slice_code_point(struct slice text, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = text.n == 0 ? 0xFF : text.p[0];
    size_t n = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;

    if (n == 0 || first > 0xF4 || n > text.n)
        return 0;
    *point = n == 1 ? first : first & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((text.p[i] & 0xC0) != 0x80)
            return 0;
        *point = *point << 6 | (text.p[i] & 0x3F);
    }
    if (*point < least[n] || *point > 0x10FFFF || (*point >= 0xD800 && *point <= 0xDFFF))
        return 0;
    return n;
}

bool slice_is_utf8(struct slice text)
{
    while (text.n > 0) {
        uint32_t point;
        size_t n = slice_code_point(text, &point);

        if (n == 0)
            return false;
        text = (struct slice){text.p + n, text.n - n};
    }
    return true;
}

static void out_of_memory(size_t n)
{
    fprintf(stderr, "navette: out of memory (%zu bytes); the data is safe, restart the agent\n", n);
    abort();
}

void *mem_alloc(size_t n)
{
    void *p = calloc(1, n == 0 ? 1 : n);

    if (p == NULL)
        out_of_memory(n);
    return p;
}

void *mem_grow(void *p, size_t n)
{
    p = realloc(p, n == 0 ? 1 : n);
    if (p == NULL)
        out_of_memory(n);
    return p;
}

char *mem_text(const char *text)
{
    size_t n = strlen(text) + 1;

    return memcpy(mem_alloc(n), text, n);
}

void buf_open(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_open_secret(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max, .secret = true};
}

static void grow(struct buf *b, size_t room)
{
    uint8_t *p;

    if (!b->secret) {
        b->p = mem_grow(b->p, room);
        return;
    }
    p = mem_alloc(room);
    if (b->p != NULL) {
        memcpy(p, b->p, b->n);
        sodium_memzero(b->p, b->room);
    }
    free(b->p);
    b->p = p;
}

uint8_t *buf_extend(struct buf *b, size_t n)
{
    uint8_t *at;

    if (b->overflow || n > b->max - b->n) {
        b->overflow = true;
        return NULL;
    }
    if (n > b->room - b->n) {
        size_t room = b->room < 32 ? 64 : b->room * 2;

        if (room < b->n + n)
            room = b->n + n;
        if (room > b->max)
            room = b->max;
        grow(b, room);
        b->room = room;
    }
    at = b->p + b->n;
    b->n += n;
    return at;
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
    uint8_t *at;

    if (n == 0)
        return;
    at = buf_extend(b, n);
    if (at != NULL)
        memcpy(at, bytes, n);
}

void buf_add_byte(struct buf *b, uint8_t byte)
{
    buf_add(b, &byte, 1);
}

struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->p, b->n};
}

void buf_take(struct buf *b, size_t n)
{
    if (n >= b->n) {
        b->n = 0;
        return;
    }
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->overflow = false;
}

void buf_close(struct buf *b)
{
    if (b->secret && b->p != NULL)
        sodium_memzero(b->p, b->room);
    free(b->p);
    *b = (struct buf){0};
}

void buf_wipe(struct buf *b)
{
    b->secret = true;
    buf_close(b);
}

/* Rounded up, so that what is allocated is aligned. The library must have been started before it
 * allocates; here nobody has to think of that. */
void *secret_alloc(size_t n)
{
    size_t room = (n + 63) / 64 * 64;
    void *p = sodium_init() < 0 ? NULL : sodium_malloc(room);

    if (p == NULL)
        out_of_memory(n);
    memset(p, 0, room);
    return p;
}

void secret_free(void *p)
{
    sodium_free(p);
}

uint32_t be32_read(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint64_t be64_read(const uint8_t *p)
{
    return (uint64_t)be32_read(p) << 32 | be32_read(p + 4);
}

void be32_write(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

void be64_write(uint8_t *p, uint64_t v)
{
    be32_write(p, (uint32_t)(v >> 32));
    be32_write(p + 4, (uint32_t)v);
}

void hex_write(char *out, struct slice in)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < in.n; i++) {
        out[2 * i] = digits[in.p[i] >> 4];
        out[2 * i + 1] = digits[in.p[i] & 15];
    }
    out[2 * in.n] = '\0';
}

bool hex_read(uint8_t *out, size_t n, const char *text)
{
    size_t read = 0;
    const char *end = NULL;

    if (strlen(text) != 2 * n)
        return false;
    return sodium_hex2bin(out, n, text, 2 * n, NULL, &read, &end) == 0 && read == n;
}
