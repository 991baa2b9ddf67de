#include <navette/wire.h>

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <msgpack/pack.h>

#include <navette/bounds.h>

#define REF_BYTES 12

/* ---- writer: msgpack-c chooses the shortest form of everything ---- */

static int append(void *data, const char *bytes, size_t n)
{
    buf_add(data, bytes, n);
    return 0;
}

static msgpack_packer packer_of(struct writer *w)
{
    return (msgpack_packer){.data = w->out, .callback = append};
}

void write_nil(struct writer *w)
{
    msgpack_packer p = packer_of(w);

    msgpack_pack_nil(&p);
}

void write_bool(struct writer *w, bool v)
{
    msgpack_packer p = packer_of(w);

    if (v)
        msgpack_pack_true(&p);
    else
        msgpack_pack_false(&p);
}

void write_uint(struct writer *w, uint64_t v)
{
    msgpack_packer p = packer_of(w);

    msgpack_pack_uint64(&p, v);
}

void write_int(struct writer *w, int64_t v)
{
    msgpack_packer p = packer_of(w);

    msgpack_pack_int64(&p, v);
}

/* SQLite has no NaN: what it is given as one it keeps as NULL, and so do we. */
void write_real(struct writer *w, double v)
{
    msgpack_packer p = packer_of(w);

    if (isnan(v))
        msgpack_pack_nil(&p);
    else
        msgpack_pack_double(&p, v);
}

void write_text(struct writer *w, struct slice text)
{
    msgpack_packer p = packer_of(w);

    msgpack_pack_str(&p, text.n);
    buf_add(w->out, text.p, text.n);
}

void write_bin(struct writer *w, struct slice bytes)
{
    msgpack_packer p = packer_of(w);

    msgpack_pack_bin(&p, bytes.n);
    buf_add(w->out, bytes.p, bytes.n);
}

void write_array(struct writer *w, uint32_t count)
{
    msgpack_packer p = packer_of(w);

    msgpack_pack_array(&p, count);
}

static void write_ref(struct writer *w, struct gid ref)
{
    msgpack_packer p = packer_of(w);
    uint8_t payload[REF_BYTES];

    be32_write(payload, ref.actor);
    be64_write(payload + 4, ref.counter);
    msgpack_pack_ext(&p, sizeof payload, WIRE_EXT_REF);
    buf_add(w->out, payload, sizeof payload);
}

void write_value(struct writer *w, const struct value *v)
{
    switch (v->type) {
    case VALUE_NULL:
        write_nil(w);
        break;
    case VALUE_INT:
        write_int(w, v->i);
        break;
    case VALUE_REAL:
        write_real(w, v->r);
        break;
    case VALUE_TEXT:
        write_text(w, v->bytes);
        break;
    case VALUE_BLOB:
        write_bin(w, v->bytes);
        break;
    case VALUE_REF:
        write_ref(w, v->ref);
        break;
    }
}

/* ---- reader ---- */

/* First bytes of msgpack. */
enum {
    FIXINT_MAX = 0x7f,
    FIXARRAY = 0x90,
    FIXSTR = 0xa0,
    NIL = 0xc0,
    FALSE_ = 0xc2,
    TRUE_ = 0xc3,
    BIN8 = 0xc4,
    BIN16 = 0xc5,
    BIN32 = 0xc6,
    EXT8 = 0xc7,
    FLOAT64 = 0xcb,
    UINT8 = 0xcc,
    UINT64 = 0xcf,
    INT8 = 0xd0,
    INT64 = 0xd3,
    STR8 = 0xd9,
    STR16 = 0xda,
    STR32 = 0xdb,
    ARRAY16 = 0xdc,
    ARRAY32 = 0xdd,
    NEGATIVE_FIXINT = 0xe0
};

struct reader reader_of(struct slice bytes, struct err *e)
{
    return (struct reader){.left = bytes, .e = e};
}

void read_fail(struct reader *r, enum err_code code, const char *format, ...)
{
    char text[sizeof r->e->text];
    va_list arguments;

    r->failed = true;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    err_set(r->e, code, "%s", text);
}

/* The next n bytes, NULL after a failure or when they are not there. */
static const uint8_t *take(struct reader *r, size_t n, const char *what)
{
    const uint8_t *p = r->left.p;

    if (r->failed)
        return NULL;
    if (n > r->left.n) {
        read_fail(r, ERR_INPUT, "%s is cut off: %zu bytes wanted, %zu left", what, n, r->left.n);
        return NULL;
    }
    r->left.p += n;
    r->left.n -= n;
    return p;
}

static uint8_t take_first(struct reader *r, const char *what)
{
    const uint8_t *p = take(r, 1, what);

    return p == NULL ? 0 : *p;
}

static uint64_t take_big_endian(struct reader *r, size_t n, const char *what)
{
    const uint8_t *p = take(r, n, what);
    uint64_t v = 0;

    for (size_t i = 0; p != NULL && i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static void fail_type(struct reader *r, uint8_t first, const char *what)
{
    read_fail(r, ERR_INPUT, "%s has the wrong type (msgpack byte 0x%02x)", what, first);
}

static void fail_longer(struct reader *r, const char *what)
{
    read_fail(r, ERR_INPUT, "%s is not in its shortest form", what);
}

void read_nil(struct reader *r)
{
    uint8_t first = take_first(r, "nil");

    if (!r->failed && first != NIL)
        fail_type(r, first, "nil");
}

bool read_bool(struct reader *r)
{
    uint8_t first = take_first(r, "a boolean");

    if (!r->failed && first != TRUE_ && first != FALSE_)
        fail_type(r, first, "a boolean");
    return !r->failed && first == TRUE_;
}

/* After a first byte of UINT8 to UINT64: 1, 2, 4 or 8 bytes, of which the upper half is used. */
static uint64_t rest_of_uint(struct reader *r, uint8_t first, const char *what)
{
    unsigned power = (unsigned)first - UINT8;
    uint64_t v = take_big_endian(r, (size_t)1 << power, what);
    uint64_t least = power == 0 ? FIXINT_MAX + 1u : UINT64_C(1) << (4u << power);

    if (!r->failed && v < least)
        fail_longer(r, what);
    return r->failed ? 0 : v;
}

/* After a first byte of INT8 to INT64. These forms are for negative numbers only. */
static int64_t rest_of_int(struct reader *r, uint8_t first, const char *what)
{
    unsigned power = (unsigned)first - INT8;
    uint64_t v = take_big_endian(r, (size_t)1 << power, what);
    unsigned bits = 8u << power;
    int64_t most = power == 0 ? -33 : -(INT64_C(1) << (bits / 2 - 1)) - 1;
    int64_t i;

    if (bits < 64 && v >> (bits - 1) != 0)
        v |= UINT64_MAX << bits;
    memcpy(&i, &v, sizeof i);
    if (!r->failed && i > most)
        fail_longer(r, what);
    return r->failed ? 0 : i;
}

uint64_t read_uint(struct reader *r, uint64_t max, const char *what)
{
    uint8_t first = take_first(r, what);
    uint64_t v = first;

    if (r->failed)
        return 0;
    if (first >= UINT8 && first <= UINT64)
        v = rest_of_uint(r, first, what);
    else if (first > FIXINT_MAX)
        fail_type(r, first, what);
    if (!r->failed && v > max)
        read_fail(r, ERR_LIMIT, "%s is %" PRIu64 ", allowed up to %" PRIu64, what, v, max);
    return r->failed ? 0 : v;
}

static int64_t rest_of_integer(struct reader *r, uint8_t first)
{
    static const char what[] = "an integer";

    if (first <= FIXINT_MAX)
        return first;
    if (first >= NEGATIVE_FIXINT)
        return (int64_t)first - 256;
    if (first >= INT8 && first <= INT64)
        return rest_of_int(r, first, what);
    if (first >= UINT8 && first <= UINT64) {
        uint64_t v = rest_of_uint(r, first, what);

        if (v <= INT64_MAX)
            return (int64_t)v;
        read_fail(r, ERR_LIMIT, "%s is %" PRIu64 ", allowed up to %" PRId64, what, v, INT64_MAX);
        return 0;
    }
    fail_type(r, first, what);
    return 0;
}

int64_t read_int(struct reader *r)
{
    uint8_t first = take_first(r, "an integer");

    return r->failed ? 0 : rest_of_integer(r, first);
}

/* A length of `n` bytes which a form with a shorter length could hold up to `below`. */
static size_t length(struct reader *r, size_t n, uint64_t below, const char *what)
{
    uint64_t v = take_big_endian(r, n, what);

    if (!r->failed && v <= below)
        fail_longer(r, what);
    return r->failed ? 0 : (size_t)v;
}

static struct slice take_slice(struct reader *r, size_t n, size_t max, const char *what)
{
    const uint8_t *p;

    if (!r->failed && n > max)
        read_fail(r, ERR_LIMIT, "%s has %zu bytes, allowed up to %zu", what, n, max);
    p = take(r, n, what);
    return p == NULL ? (struct slice){0} : (struct slice){p, n};
}

static bool is_text(uint8_t first)
{
    return (first & 0xe0) == FIXSTR || (first >= STR8 && first <= STR32);
}

static struct slice rest_of_text(struct reader *r, uint8_t first, size_t max, const char *what)
{
    size_t n = first & 0x1f;

    if (first == STR8)
        n = length(r, 1, 31, what);
    else if (first == STR16)
        n = length(r, 2, UINT8_MAX, what);
    else if (first == STR32)
        n = length(r, 4, UINT16_MAX, what);
    return take_slice(r, n, max, what);
}

struct slice read_text(struct reader *r, size_t max, const char *what)
{
    uint8_t first = take_first(r, what);

    if (!r->failed && !is_text(first))
        fail_type(r, first, what);
    return r->failed ? (struct slice){0} : rest_of_text(r, first, max, what);
}

static struct slice rest_of_bin(struct reader *r, uint8_t first, size_t max, const char *what)
{
    size_t n = 0;

    if (first == BIN8)
        n = take_first(r, what);
    else if (first == BIN16)
        n = length(r, 2, UINT8_MAX, what);
    else
        n = length(r, 4, UINT16_MAX, what);
    return take_slice(r, n, max, what);
}

struct slice read_bin(struct reader *r, size_t max, const char *what)
{
    uint8_t first = take_first(r, what);

    if (!r->failed && (first < BIN8 || first > BIN32))
        fail_type(r, first, what);
    return r->failed ? (struct slice){0} : rest_of_bin(r, first, max, what);
}

void read_bin_exact(struct reader *r, uint8_t *out, size_t n, const char *what)
{
    struct slice bytes = read_bin(r, n, what);

    if (!r->failed && bytes.n != n)
        read_fail(r, ERR_INPUT, "%s has %zu bytes instead of %zu", what, bytes.n, n);
    if (r->failed)
        memset(out, 0, n);
    else
        memcpy(out, bytes.p, n);
}

bool read_is_array(const struct reader *r)
{
    uint8_t first = r->failed || r->left.n == 0 ? NIL : *r->left.p;

    return (first & 0xf0) == FIXARRAY || first == ARRAY16 || first == ARRAY32;
}

/* Every element takes at least one byte: a count above what is left is a lie, whatever follows. */
uint32_t read_array(struct reader *r, uint32_t max, const char *what)
{
    uint8_t first = take_first(r, what);
    uint32_t n = first & 0x0f;

    if (r->failed)
        return 0;
    if (first == ARRAY16)
        n = (uint32_t)length(r, 2, 15, what);
    else if (first == ARRAY32)
        n = (uint32_t)length(r, 4, UINT16_MAX, what);
    else if ((first & 0xf0) != FIXARRAY)
        fail_type(r, first, what);
    if (!r->failed && n > max)
        read_fail(r, ERR_LIMIT, "%s has %" PRIu32 " elements, allowed up to %" PRIu32, what, n,
                  max);
    else if (!r->failed && n > r->left.n)
        read_fail(r, ERR_INPUT, "%s is cut off: %" PRIu32 " elements in %zu bytes", what, n,
                  r->left.n);
    return r->failed ? 0 : n;
}

void read_array_exact(struct reader *r, uint32_t count, const char *what)
{
    uint32_t n = read_array(r, UINT32_MAX, what);

    if (!r->failed && n != count)
        read_fail(r, ERR_INPUT, "%s has %" PRIu32 " elements instead of %" PRIu32, what, n, count);
}

static double rest_of_real(struct reader *r)
{
    uint64_t bits = take_big_endian(r, 8, "a real");
    double v;

    memcpy(&v, &bits, sizeof v);
    if (!r->failed && isnan(v))
        read_fail(r, ERR_INPUT, "a real is not a number");
    return r->failed ? 0 : v;
}

static struct gid rest_of_ref(struct reader *r)
{
    const uint8_t *p = take(r, 2 + REF_BYTES, "a reference");
    struct gid ref = {0};

    if (p == NULL)
        return ref;
    if (p[0] != REF_BYTES || p[1] != WIRE_EXT_REF) {
        read_fail(r, ERR_INPUT, "an extension of type %u and %u bytes is unknown", p[1], p[0]);
        return ref;
    }
    ref = (struct gid){.actor = be32_read(p + 2), .counter = be64_read(p + 6)};
    if (ref.counter == 0 || ref.counter >= GID_COUNTER_MAX)
        read_fail(r, ERR_INPUT, "a reference has the counter %" PRIu64, ref.counter);
    return r->failed ? (struct gid){0} : ref;
}

struct value read_value(struct reader *r)
{
    struct value v = {.type = VALUE_NULL};
    uint8_t first = take_first(r, "a value");

    if (r->failed || first == NIL)
        return v;
    if (is_text(first)) {
        v.type = VALUE_TEXT;
        v.bytes = rest_of_text(r, first, VALUE_BYTES_MAX, "a text");
    } else if (first >= BIN8 && first <= BIN32) {
        v.type = VALUE_BLOB;
        v.bytes = rest_of_bin(r, first, VALUE_BYTES_MAX, "a blob");
    } else if (first == FLOAT64) {
        v.type = VALUE_REAL;
        v.r = rest_of_real(r);
    } else if (first == EXT8) {
        v.type = VALUE_REF;
        v.ref = rest_of_ref(r);
    } else {
        v.type = VALUE_INT;
        v.i = rest_of_integer(r, first);
    }
    return r->failed ? (struct value){.type = VALUE_NULL} : v;
}

bool read_end(struct reader *r)
{
    if (!r->failed && r->left.n > 0)
        read_fail(r, ERR_INPUT, "%zu bytes too many at the end", r->left.n);
    return !r->failed;
}
