/* Cells of counters in drop files:
 *
 *     {"total": -2.5 as a string or an integer, "as": "integer" | "real" | digits of a text}
 *     {"set": value, "seen": [actor index, number, total, null | [actor index, counter], ...]}
 */
#include "json_text.h"

#include <inttypes.h>
#include <stdlib.h>

#include <navette/bounds.h>

#define SEEN_ELEMENTS 4

static void add_total(struct buf *out, const struct decimal *d)
{
    char text[DECIMAL_TEXT_MAX];

    decimal_text(d, 0, text);
    json_add(out, d->part == 0 && d->rest == 0 ? "%s" : "\"%s\"", text);
}

void json_add_counter(struct buf *out, const struct value *v, const struct body_counter *counter)
{
    if (counter->delta) {
        json_add(out, "{\"total\": ");
        add_total(out, &counter->total);
        if (counter->form >= DECIMAL_TEXT)
            json_add(out, ", \"as\": %u}", (unsigned)counter->form - DECIMAL_TEXT);
        else
            json_add(out, ", \"as\": \"%s\"}",
                     counter->form == DECIMAL_INTEGER ? "integer" : "real");
        return;
    }
    json_add(out, "{\"set\": ");
    json_add_value(out, v);
    json_add(out, ", \"seen\": [");
    for (uint32_t i = 0; i < counter->seen_n; i++) {
        const struct body_seen *s = &counter->seen[i];

        json_add(out, "%s%" PRIu32 ", %" PRIu64 ", ", i == 0 ? "" : ", ", s->actor, s->number);
        add_total(out, &s->total);
        if (s->row.counter == 0)
            json_add(out, ", null");
        else
            json_add(out, ", [%" PRIu32 ", %" PRIu64 "]", s->row.actor, s->row.counter);
    }
    json_add(out, "]}");
}

bool json_is_counter(struct json_object *o)
{
    return json_member(o, "total") != NULL || json_member(o, "seen") != NULL;
}

static struct decimal read_total(struct json_cursor *c, struct json_object *o)
{
    struct decimal d = {0};
    uint32_t keys = 0;
    struct value v = json_value(c, o, &keys);

    if (!c->failed && !decimal_of_total(&v, &d))
        json_fail(c, ERR_INPUT, "a total is no number in its shortest form");
    return c->failed ? (struct decimal){0} : d;
}

static uint8_t read_form(struct json_cursor *c, struct json_object *o)
{
    struct slice name;

    if (json_is_string(o)) {
        name = json_string(c, o, "as");
        if (slice_equal(name, slice_text("integer")))
            return DECIMAL_INTEGER;
        if (!slice_equal(name, slice_text("real")))
            json_fail(c, ERR_INPUT, "a total is shown as none of integer, real and digits");
        return DECIMAL_REAL;
    }
    return (uint8_t)(DECIMAL_TEXT + json_uint(c, o, DECIMAL_DIGITS_MAX, "as"));
}

static struct body_seen read_seen(struct json_cursor *c, struct json_object *all, uint32_t at)
{
    struct body_seen s = {0};
    struct json_object *row = json_element(all, at + 3);

    s.actor = (uint32_t)json_uint(c, json_element(all, at), UINT32_MAX, "a total's actor");
    s.number = json_uint(c, json_element(all, at + 1), INT64_MAX, "a total's change-set");
    s.total = read_total(c, json_element(all, at + 2));
    if (row == NULL || c->failed)
        return s;
    if (json_count(c, row, 2, "a total's row") != 2 && !c->failed)
        json_fail(c, ERR_INPUT, "a total's row has not 2 elements");
    s.row.actor = (uint32_t)json_uint(c, json_element(row, 0), UINT32_MAX, "a total's row");
    s.row.counter = json_uint(c, json_element(row, 1), GID_COUNTER_MAX - 1, "a total's row");
    return s;
}

static void read_all_seen(struct json_cursor *c, struct json_object *all, struct json_counters *to)
{
    uint32_t elements = json_count(c, all, SEEN_ELEMENTS * CELL_TOTALS_MAX, "seen");
    uint32_t n = elements / SEEN_ELEMENTS;

    if (!c->failed && (n == 0 || elements % SEEN_ELEMENTS != 0))
        json_fail(c, ERR_INPUT, "seen has %" PRIu32 " elements, which are no totals", elements);
    if (!c->failed && to->seen_n + n > ROW_TOTALS_MAX)
        json_fail(c, ERR_LIMIT, "a row has more than %d totals", ROW_TOTALS_MAX);
    if (c->failed)
        return;
    if (to->seen_n + n > to->seen_room) {
        to->seen_room = 2 * (to->seen_n + n);
        to->seen = mem_grow(to->seen, to->seen_room * sizeof *to->seen);
    }
    for (uint32_t i = 0; i < n && !c->failed; i++)
        to->seen[to->seen_n++] = read_seen(c, all, SEEN_ELEMENTS * i);
    to->counters[to->n - 1].seen_n = n;
}

struct value json_counter(struct json_cursor *c, struct json_object *o, uint32_t cell,
                          struct json_counters *to, uint32_t *keys)
{
    struct json_object *total = json_member(o, "total"), *seen = json_member(o, "seen");
    struct value v = {.type = VALUE_NULL};
    struct body_counter *counter;

    if (to->n == to->room) {
        to->room = to->room == 0 ? 8 : 2 * to->room;
        to->counters = mem_grow(to->counters, to->room * sizeof *to->counters);
    }
    counter = &to->counters[to->n++];
    *counter = (struct body_counter){.cell = cell, .delta = total != NULL};
    *keys += 2;
    if (json_members(o) != 2 || !json_has(o, counter->delta ? "as" : "set")) {
        json_fail(c, ERR_INPUT, "a counter has not the keys total and as, or set and seen");
    } else if (counter->delta) {
        counter->total = read_total(c, total);
        counter->form = read_form(c, json_member(o, "as"));
    } else {
        v = json_value(c, json_member(o, "set"), keys);
        read_all_seen(c, seen, to);
    }
    return v;
}

void json_counters_begin(struct json_counters *to)
{
    to->n = to->seen_n = 0;
}

void json_counters_end(struct json_counters *to)
{
    uint32_t seen = 0;

    for (uint32_t i = 0; i < to->n; i++) { /* the array may have moved */
        to->counters[i].seen = to->seen == NULL ? NULL : to->seen + seen;
        seen += to->counters[i].seen_n;
    }
}

void json_counters_close(struct json_counters *to)
{
    free(to->counters);
    free(to->seen);
    *to = (struct json_counters){0};
}
