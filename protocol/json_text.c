#include "json_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <sodium.h>

#include <navette/bounds.h>

#define DEPTH_MAX       12 /* of a whole drop file: 11 */
#define PIECE_DEPTH_MAX 6  /* a row with a counter's reference: 4, and json-c counts more */
#define BARE_BYTES_MAX  32 /* a number, true, false or null */
#define REAL_TEXT_BYTES 40

const char *const json_op_names[] = {
    [CHANGE_INSERT] = "insert", [CHANGE_UPDATE] = "update", [CHANGE_DELETE] = "delete",
    [CHANGE_REPAIR] = "repair", [CHANGE_UNITE] = "unite",
};

/* ---- writing ---- */

void json_add(struct buf *out, const char *format, ...)
{
    char text[256];
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    buf_add(out, text, n < 0 ? 0 : (size_t)n);
}

void json_add_string(struct buf *out, struct slice utf8)
{
    const char *from = utf8.n == 0 ? "" : (const char *)utf8.p;
    struct json_object *o = json_object_new_string_len(from, (int)utf8.n);
    size_t n = 0;
    const char *text = json_object_to_json_string_length(
        o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &n);

    buf_add(out, text, n);
    json_object_put(o);
}

void json_add_hex(struct buf *out, struct slice bytes)
{
    char *at;

    buf_add_byte(out, '"');
    at = (char *)buf_extend(out, 2 * bytes.n + 1);
    if (at != NULL) {
        hex_write(at, bytes);
        at[2 * bytes.n] = '"'; /* where hex_write put its NUL */
    }
}

void json_add_base64(struct buf *out, struct slice bytes)
{
    size_t n = sodium_base64_ENCODED_LEN(bytes.n, sodium_base64_VARIANT_ORIGINAL);
    char *at;

    buf_add_byte(out, '"');
    at = (char *)buf_extend(out, n);
    if (at != NULL) {
        sodium_bin2base64(at, n, bytes.p, bytes.n, sodium_base64_VARIANT_ORIGINAL);
        at[n - 1] = '"'; /* where its NUL is */
    }
}

/* The shortest of the usual precisions that reads back to the same bits. */
static void add_real(struct buf *out, double v)
{
    char text[REAL_TEXT_BYTES];

    for (int digits = 15; digits <= 17; digits++) {
        double back;

        snprintf(text, sizeof text, "%.*g", digits, v);
        back = strtod(text, NULL);
        if (memcmp(&back, &v, sizeof v) == 0)
            break;
    }
    json_add(out, "{\"real\": \"%s\"}", text);
}

static void add_encoded(struct buf *out, const char *type, struct slice bytes)
{
    json_add(out, "{\"%s\": ", type);
    json_add_base64(out, bytes);
    json_add(out, "}");
}

/* NULs would be legal JSON, but many tools cut strings there. */
static bool is_plain_text(struct slice text)
{
    return (text.n == 0 || memchr(text.p, 0, text.n) == NULL) && slice_is_utf8(text);
}

void json_add_value(struct buf *out, const struct value *v)
{
    switch (v->type) {
    case VALUE_NULL:
        json_add(out, "null");
        break;
    case VALUE_INT:
        json_add(out, "%" PRId64, v->i);
        break;
    case VALUE_REAL:
        add_real(out, v->r);
        break;
    case VALUE_TEXT:
        if (is_plain_text(v->bytes))
            json_add_string(out, v->bytes);
        else
            add_encoded(out, "text", v->bytes);
        break;
    case VALUE_BLOB:
        add_encoded(out, "blob", v->bytes);
        break;
    case VALUE_REF:
        json_add(out, "{\"ref\": [%" PRIu32 ", %" PRIu64 "]}", v->ref.actor, v->ref.counter);
        break;
    }
}

/* ---- the cursor ---- */

void json_fail(struct json_cursor *c, enum err_code code, const char *format, ...)
{
    char text[sizeof c->e->text];
    va_list arguments;

    c->failed = true;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    err_set(c->e, code, "%s", text);
}

size_t json_line(const struct json_cursor *c)
{
    size_t line = 1, at = c->tree != NULL ? c->piece_at : c->at;

    for (size_t i = 0; i < at && i < c->file.n; i++)
        line += c->file.p[i] == '\n';
    return line;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The next byte that is no space, 0 at the end. */
static uint8_t peek(struct json_cursor *c)
{
    while (c->at < c->file.n && is_space(c->file.p[c->at]))
        c->at++;
    return c->at < c->file.n ? c->file.p[c->at] : 0;
}

/* Where the string that begins at `at` has its closing quote; n when it has none. */
static size_t string_end(struct slice text, size_t at)
{
    for (at++; at < text.n && text.p[at] != '"'; at++) {
        if (text.p[at] == '\\')
            at++;
    }
    return at < text.n ? at : text.n;
}

/* A value in the text: its size, or what is wrong with it and where. */
struct extent {
    size_t n;
    uint32_t commas, keys;
    const char *trouble;
    size_t trouble_at;
};

/* The length of a number or word that begins at `at`. */
static size_t bare_length(struct slice text, size_t at)
{
    size_t end = at;

    while (end < text.n && !is_space(text.p[end]) && strchr(",:]}[{\"", text.p[end]) == NULL)
        end++;
    return end - at;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Whether the digits from `at` are those of a 64-bit integer. json-c makes larger ones the largest:
 * the file would then say something else than the bytes it stands for. */
static bool integer_fits(struct slice text, size_t at)
{
    uint64_t max = at > 0 && text.p[at - 1] == '-' ? UINT64_C(1) << 63 : UINT64_MAX;
    uint64_t v = 0;

    for (size_t i = at; i < text.n && is_digit(text.p[i]); i++) {
        uint64_t digit = (uint64_t)text.p[i] - '0';

        if (v > (max - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    return true;
}

/* Measure the value that begins at `at`, by brackets and strings only: whether it is JSON is for
 * json-c to say, once its size is known to be harmless. */
static struct extent measure(struct slice text, size_t at, int depth_max)
{
    struct extent x = {.trouble = "it ends too early: it was not copied whole, or is damaged"};
    int depth = 0;

    for (size_t i = at; i < text.n; i++) {
        uint8_t c = text.p[i];

        x.trouble_at = i;
        if (c == '"')
            i = string_end(text, i);
        else if (c == '[' || c == '{')
            depth++;
        else if (c == ']' || c == '}')
            depth--;
        else if (depth == 0)
            return (struct extent){.n = bare_length(text, at), .trouble = "a value is missing"};
        else if (is_digit(c) && !is_digit(text.p[i - 1]) && !integer_fits(text, i))
            return (struct extent){.trouble = "a number exceeds 64 bits", .trouble_at = i};
        x.commas += c == ',';
        x.keys += c == ':';
        if (depth < 0 || depth > depth_max)
            x.trouble = depth < 0 ? "a value is missing" : "it is nested too deeply";
        if (depth < 0 || depth > depth_max || i == text.n)
            break;
        x.n = depth == 0 ? i + 1 - at : 0;
        if (depth == 0)
            break;
    }
    return x;
}

/* The value before which the cursor stands; of 0 bytes after a failure. */
static struct extent find_value(struct json_cursor *c, int depth_max, const char *what)
{
    struct extent x = measure(c->file, c->at, depth_max);

    if (x.n > 0)
        return x;
    if (x.trouble_at > c->at)
        c->at = x.trouble_at;
    json_fail(c, ERR_INPUT, "%s: %s", what, x.trouble);
    return x;
}

void json_open(struct json_cursor *c, struct slice file, struct err *e)
{
    size_t end;

    *c =
        (struct json_cursor){.file = file, .e = e, .tokener = json_tokener_new_ex(PIECE_DEPTH_MAX)};
    if (c->tokener == NULL)
        abort();
    json_tokener_set_flags(c->tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    if (peek(c) != '{') {
        json_fail(c, ERR_INPUT, "this is no drop file of Navette");
        return;
    }
    end = c->at + find_value(c, DEPTH_MAX, "the file").n;
    while (!c->failed && end < file.n && is_space(file.p[end]))
        end++;
    if (!c->failed && end < file.n)
        json_fail(c, ERR_INPUT, "the file goes on after its end, with %zu bytes", file.n - end);
}

void json_close(struct json_cursor *c)
{
    json_object_put(c->tree);
    if (c->tokener != NULL)
        json_tokener_free(c->tokener);
    buf_close(&c->decoded);
    *c = (struct json_cursor){0};
}

void json_mark(struct json_cursor *c, char mark)
{
    if (c->failed)
        return;
    if (peek(c) == (uint8_t)mark)
        c->at++;
    else
        json_fail(c, ERR_INPUT, "'%c' is missing", mark);
}

void json_key(struct json_cursor *c, const char *key, bool first)
{
    size_t n = strlen(key);

    if (!first)
        json_mark(c, ',');
    if (c->failed)
        return;
    if (peek(c) == '"' && c->file.n - c->at >= n + 2 &&
        memcmp(c->file.p + c->at + 1, key, n) == 0 && c->file.p[c->at + 1 + n] == '"')
        c->at += n + 2;
    else
        json_fail(c, ERR_INPUT, "the key \"%s\" is missing", key);
    json_mark(c, ':');
}

bool json_more(struct json_cursor *c, bool first)
{
    if (c->failed)
        return false;
    if (peek(c) == ']') {
        c->at++;
        return false;
    }
    if (!first)
        json_mark(c, ',');
    return !c->failed;
}

/* json-c takes a bare word as ended only when something follows it: here a NUL. */
static struct json_object *parse(struct json_cursor *c, struct slice text)
{
    char bare[BARE_BYTES_MAX + 1] = {0};
    bool is_bare = strchr("[{\"", text.p[0]) == NULL;

    json_tokener_reset(c->tokener);
    if (!is_bare)
        return json_tokener_parse_ex(c->tokener, (const char *)text.p, (int)text.n);
    if (text.n >= sizeof bare)
        return NULL;
    memcpy(bare, text.p, text.n);
    return json_tokener_parse_ex(c->tokener, bare, (int)text.n + 1);
}

struct json_object *json_piece(struct json_cursor *c, uint32_t commas, const char *what)
{
    struct extent x;

    if (c->failed)
        return NULL;
    json_object_put(c->tree);
    c->tree = NULL;
    buf_clear(&c->decoded);
    peek(c);
    x = find_value(c, PIECE_DEPTH_MAX, what);
    if (x.n > 0 && x.commas > commas)
        json_fail(c, ERR_LIMIT, "%s has %" PRIu32 " commas, allowed up to %" PRIu32, what, x.commas,
                  commas);
    if (c->failed)
        return NULL;
    c->tree = parse(c, (struct slice){c->file.p + c->at, x.n});
    if (json_tokener_get_error(c->tokener) != json_tokener_success ||
        json_tokener_get_parse_end(c->tokener) < x.n) {
        json_fail(c, ERR_INPUT, "%s is no JSON: %s", what,
                  json_tokener_error_desc(json_tokener_get_error(c->tokener)));
        return NULL;
    }
    c->piece_at = c->at;
    c->piece_bytes = x.n;
    c->at += x.n;
    c->keys = x.keys;
    return c->tree;
}

struct json_object *json_keep(struct json_object *piece)
{
    return json_object_get(piece);
}

void json_release(struct json_object *piece)
{
    json_object_put(piece);
}

/* ---- parts of a piece ---- */

static bool is_type(struct json_cursor *c, struct json_object *o, enum json_type type,
                    const char *what)
{
    if (c->failed)
        return false;
    if (o != NULL && json_object_is_type(o, type))
        return true;
    json_fail(c, ERR_INPUT, "%s is %s instead of %s", what,
              json_type_to_name(json_object_get_type(o)), json_type_to_name(type));
    return false;
}

bool json_boolean(struct json_cursor *c, struct json_object *o, const char *what)
{
    return is_type(c, o, json_type_boolean, what) && json_object_get_boolean(o);
}

int64_t json_int(struct json_cursor *c, struct json_object *o, const char *what)
{
    int64_t v;

    if (!is_type(c, o, json_type_int, what))
        return 0;
    v = json_object_get_int64(o);
    if (v == INT64_MAX && json_object_get_uint64(o) != INT64_MAX) {
        json_fail(c, ERR_LIMIT, "%s is %" PRIu64 ", allowed up to %" PRId64, what,
                  json_object_get_uint64(o), INT64_MAX);
        return 0;
    }
    return v;
}

uint64_t json_uint(struct json_cursor *c, struct json_object *o, uint64_t max, const char *what)
{
    uint64_t v;

    if (!is_type(c, o, json_type_int, what))
        return 0;
    v = json_object_get_uint64(o);
    if (json_object_get_int64(o) < 0 || v > max) {
        json_fail(c, ERR_LIMIT, "%s is %s, allowed 0 to %" PRIu64, what, json_object_get_string(o),
                  max);
        return 0;
    }
    return v;
}

struct slice json_string(struct json_cursor *c, struct json_object *o, const char *what)
{
    if (!is_type(c, o, json_type_string, what))
        return (struct slice){0};
    return (struct slice){(const uint8_t *)json_object_get_string(o),
                          (size_t)json_object_get_string_len(o)};
}

void json_hex(struct json_cursor *c, struct json_object *o, uint8_t *out, size_t n,
              const char *what)
{
    struct slice text = json_string(c, o, what);

    memset(out, 0, n);
    if (c->failed)
        return;
    if (text.n != 2 * n || !hex_read(out, n, (const char *)text.p))
        json_fail(c, ERR_INPUT, "%s is not %zu hexadecimal digits", what, 2 * n);
}

struct slice json_base64(struct json_cursor *c, struct json_object *o, const char *what)
{
    struct slice text = json_string(c, o, what);
    size_t n = 0;
    uint8_t *at;

    if (c->failed)
        return (struct slice){0};
    if (c->decoded.n == 0) { /* room for the whole piece: nothing moves while it is read */
        c->decoded.max = c->piece_bytes;
        buf_extend(&c->decoded, c->piece_bytes);
        buf_clear(&c->decoded);
    }
    at = buf_extend(&c->decoded, text.n);
    if (sodium_base642bin(at, text.n, (const char *)text.p, text.n, NULL, &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0) {
        json_fail(c, ERR_INPUT, "%s is not base64", what);
        return (struct slice){0};
    }
    return (struct slice){at, n};
}

uint32_t json_count(struct json_cursor *c, struct json_object *o, uint32_t max, const char *what)
{
    size_t n;

    if (!is_type(c, o, json_type_array, what))
        return 0;
    n = json_object_array_length(o);
    if (n <= max)
        return (uint32_t)n;
    json_fail(c, ERR_LIMIT, "%s has %zu elements, allowed up to %" PRIu32, what, n, max);
    return 0;
}

struct json_object *json_element(struct json_object *array, uint32_t i)
{
    return json_object_array_get_idx(array, i);
}

struct json_object *json_member(struct json_object *o, const char *key)
{
    struct json_object *member = NULL;

    if (json_object_is_type(o, json_type_object))
        json_object_object_get_ex(o, key, &member);
    return member;
}

bool json_is_string(struct json_object *o)
{
    return json_object_is_type(o, json_type_string);
}

bool json_has(struct json_object *o, const char *key)
{
    return json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, key, NULL);
}

uint32_t json_members(struct json_object *o)
{
    return json_object_is_type(o, json_type_object) ? (uint32_t)json_object_object_length(o) : 0;
}

static double read_real(struct json_cursor *c, struct json_object *o)
{
    struct slice text = json_string(c, o, "a real");
    char *end = NULL;
    double v;

    if (c->failed)
        return 0;
    v = strtod((const char *)text.p, &end);
    if (text.n == 0 || end != (const char *)text.p + text.n || isnan(v)) {
        json_fail(c, ERR_INPUT, "a real is no number");
        return 0;
    }
    return v;
}

static struct gid read_ref(struct json_cursor *c, struct json_object *o)
{
    uint32_t n = json_count(c, o, 2, "a reference");
    struct gid ref = {0};

    if (!c->failed && n != 2)
        json_fail(c, ERR_INPUT, "a reference has %" PRIu32 " elements instead of 2", n);
    if (c->failed)
        return ref;
    ref.actor = (uint32_t)json_uint(c, json_element(o, 0), UINT32_MAX, "a reference's actor");
    ref.counter = json_uint(c, json_element(o, 1), GID_COUNTER_MAX - 1, "a reference's counter");
    return ref;
}

/* A value that says its type: an object with one key. */
static struct value read_typed(struct json_cursor *c, struct json_object *o)
{
    struct value v = {.type = VALUE_NULL};
    struct json_object *real = json_member(o, "real"), *text = json_member(o, "text");
    struct json_object *blob = json_member(o, "blob"), *ref = json_member(o, "ref");

    if (json_object_object_length(o) != 1) {
        json_fail(c, ERR_INPUT, "a value has %d types", json_object_object_length(o));
    } else if (real != NULL) {
        v.type = VALUE_REAL;
        v.r = read_real(c, real);
    } else if (text != NULL || blob != NULL) {
        v.type = text != NULL ? VALUE_TEXT : VALUE_BLOB;
        v.bytes = json_base64(c, text != NULL ? text : blob, "a value");
    } else if (ref != NULL) {
        v.type = VALUE_REF;
        v.ref = read_ref(c, ref);
    } else {
        json_fail(c, ERR_INPUT, "a value has a type that is none of real, text, blob and ref");
    }
    return v;
}

struct value json_value(struct json_cursor *c, struct json_object *o, uint32_t *keys)
{
    struct value v = {.type = VALUE_NULL};

    if (o == NULL || c->failed)
        return v;
    if (json_object_is_type(o, json_type_string)) {
        v.type = VALUE_TEXT;
        v.bytes = json_string(c, o, "a value");
    } else if (json_object_is_type(o, json_type_object)) {
        *keys += 1;
        v = read_typed(c, o);
    } else {
        v.type = VALUE_INT;
        v.i = json_int(c, o, "a value");
    }
    return c->failed ? (struct value){.type = VALUE_NULL} : v;
}
