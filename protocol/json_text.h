/* JSON text, piece by piece: what json.c builds drop files from and takes them apart with.
 *
 * A drop file may be large and comes from anybody, and a json-c tree of it would be thirty times
 * its size. So the cursor walks the structure itself and gives json-c one small piece at a time (a
 * row, a header, a name), whose size it has measured before. */
#ifndef NAVETTE_JSON_TEXT_H
#define NAVETTE_JSON_TEXT_H

#include <navette/body.h>

#define JSON_DROP_KIND "change-sets"

struct json_object;
struct json_tokener;

extern const char *const json_op_names[]; /* of enum change_op */

/* ---- writing: appended; overflow of the buffer is the failure ---- */

void json_add(struct buf *out, const char *format, ...) PRINTF_LIKE(2, 3);
void json_add_string(struct buf *out, struct slice utf8);
void json_add_hex(struct buf *out, struct slice bytes);
void json_add_base64(struct buf *out, struct slice bytes);
void json_add_value(struct buf *out, const struct value *v);
/* A cell that is more than a value (body.h). */
void json_add_counter(struct buf *out, const struct value *v, const struct body_counter *counter);

/* ---- reading: remembers the first failure, then does nothing ---- */

struct json_cursor {
    struct slice file;
    size_t at;
    struct err *e;
    bool failed;
    struct json_tokener *tokener;
    struct json_object *tree; /* the present piece */
    size_t piece_at, piece_bytes;
    uint32_t keys; /* how many keys its text has: one that is repeated is missing in the tree */
    struct buf decoded; /* base64 of the present piece */
};

/* Check that `file` is one JSON object with balanced brackets and nothing after it, and stand
 * before it. `file` and `e` are borrowed. */
void json_open(struct json_cursor *c, struct slice file, struct err *e);
void json_close(struct json_cursor *c);
void json_fail(struct json_cursor *c, enum err_code code, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* The line of the file where the present piece begins, from 1. */
size_t json_line(const struct json_cursor *c);

/* Step over one mark, or over `"key":` (with a comma in front unless it is an object's first). */
void json_mark(struct json_cursor *c, char mark);
void json_key(struct json_cursor *c, const char *key, bool first);
/* In an array that was entered with json_mark('['): true when there is another element, and the
 * cursor is before it; false when the cursor has left the array (or failed). */
bool json_more(struct json_cursor *c, bool first);
/* The next value with at most `commas` commas in it, as a json-c tree that is good until the next
 * one is read. NULL after a failure (and for null). */
struct json_object *json_piece(struct json_cursor *c, uint32_t commas, const char *what);

/* Keep a piece beyond the next one, and let it go; NULL is allowed. */
struct json_object *json_keep(struct json_object *piece);
void json_release(struct json_object *piece);

/* Typed access to parts of the present piece. On failure: zero, an empty slice, or `out` zeroed. */
bool json_boolean(struct json_cursor *c, struct json_object *o, const char *what);
int64_t json_int(struct json_cursor *c, struct json_object *o, const char *what);
uint64_t json_uint(struct json_cursor *c, struct json_object *o, uint64_t max, const char *what);
struct slice json_string(struct json_cursor *c, struct json_object *o, const char *what);
void json_hex(struct json_cursor *c, struct json_object *o, uint8_t *out, size_t n,
              const char *what);
struct slice json_base64(struct json_cursor *c, struct json_object *o, const char *what);
/* The number of elements of an array. */
uint32_t json_count(struct json_cursor *c, struct json_object *o, uint32_t max, const char *what);
struct json_object *json_element(struct json_object *array, uint32_t i);
/* NULL when it is not there. */
struct json_object *json_member(struct json_object *o, const char *key);
/* What json_add_value wrote. Adds to `keys` the number of keys it saw. */
struct value json_value(struct json_cursor *c, struct json_object *o, uint32_t *keys);
bool json_is_string(struct json_object *o);
/* Also when what it has is null. */
bool json_has(struct json_object *o, const char *key);
/* The number of an object's keys; 0 of anything else. */
uint32_t json_members(struct json_object *o);

/* The counters of one row: begin, json_counter for each of them, end; then they can be used. */
struct json_counters {
    struct body_counter *counters;
    struct body_seen *seen;
    uint32_t n, room, seen_n, seen_room;
};

void json_counters_begin(struct json_counters *to);
void json_counters_end(struct json_counters *to);
void json_counters_close(struct json_counters *to);
/* What json_add_counter wrote, of the row's cell `cell`. */
bool json_is_counter(struct json_object *o);
struct value json_counter(struct json_cursor *c, struct json_object *o, uint32_t cell,
                          struct json_counters *to, uint32_t *keys);

#endif
