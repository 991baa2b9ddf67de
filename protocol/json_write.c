/* Writing drop files; json.c reads them. */
#include <navette/json.h>

#include <inttypes.h>

#include "json_text.h"

#define TAIL_BYTES_MAX 16 /* what drop_write_end adds */

static void add_vector(struct buf *out, const struct vector *v, const char *indent)
{
    bool first = true;

    json_add(out, "[");
    for (uint32_t i = 0; i < v->n; i++) {
        const struct vector_entry *entry = &v->entries[i];

        if (entry->number == 0)
            continue;
        json_add(out, "%s\n%s[", first ? "" : ",", indent);
        json_add_hex(out, SLICE(entry->actor.bytes));
        json_add(out, ", %" PRIu64 ", ", entry->number);
        json_add_hex(out, SLICE(entry->hash));
        json_add(out, "]");
        first = false;
    }
    json_add(out, "]");
}

static bool head_ok(const struct drop_head *head, struct err *e)
{
    if (!name_check(slice_text(head->fleet_name), e))
        return err_wrap(e, "the fleet's name");
    if (!name_check(slice_text(head->from), e))
        return err_wrap(e, "the sender's name");
    if (head->made_ms > DATE_MS_MAX)
        return err_set(e, ERR_LIMIT, "a date of %" PRIu64 " ms, allowed up to %" PRIu64,
                       head->made_ms, DATE_MS_MAX);
    if (head->roster.n > ROSTER_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "a roster of %zu bytes, allowed up to %u", head->roster.n,
                       ROSTER_BYTES_MAX);
    return true;
}

void drop_head_record(const struct drop_head *head, struct buf *out)
{
    struct writer w = {out};
    uint8_t roster[HASH_BYTES];

    buf_open(out, DROP_BYTES_MAX);
    hash_bytes(roster, head->roster);
    write_array(&w, 7);
    write_uint(&w, DROP_FORMAT);
    write_bin(&w, SLICE(head->fleet));
    write_text(&w, slice_text(head->fleet_name));
    write_text(&w, slice_text(head->from));
    write_uint(&w, head->made_ms);
    write_bin(&w, SLICE(roster));
    vector_write(&w, &head->have);
}

void drop_head_sign(struct drop_head *head, const struct keys *k)
{
    struct buf record = {0};

    drop_head_record(head, &record);
    keys_sign(k, DROP_CONTEXT, buf_slice(&record), head->signature);
    buf_close(&record);
}

bool drop_write_begin(struct buf *out, const struct drop_head *head, struct err *e)
{
    char made[DATE_BYTES + 1];

    out->max = DROP_BYTES_MAX;
    buf_clear(out);
    if (!head_ok(head, e))
        return err_wrap(e, "write a drop file");
    json_add(out, "{\n\"navette\": \"%s\",\n\"format\": %d,\n\"fleet\": ", JSON_DROP_KIND,
             DROP_FORMAT);
    json_add_hex(out, SLICE(head->fleet));
    json_add(out, ",\n\"fleet_name\": ");
    json_add_string(out, slice_text(head->fleet_name));
    json_add(out, ",\n\"from\": ");
    json_add_string(out, slice_text(head->from));
    date_write(made, head->made_ms);
    json_add(out, ",\n\"made\": \"%s\"", made);
    json_add(out, ",\n\"roster\": ");
    json_add_base64(out, head->roster);
    json_add(out, ",\n\"have\": ");
    add_vector(out, &head->have, "  ");
    json_add(out, ",\n\"signature\": ");
    json_add_hex(out, SLICE(head->signature));
    json_add(out, ",\n\"changesets\": [");
    return !out->overflow || err_set(e, ERR_LIMIT, "a drop file exceeds %u bytes", DROP_BYTES_MAX);
}

#define ADD_bytes(name, max)  json_add_hex(out, SLICE(h->name));
#define ADD_actor(name, max)  json_add_hex(out, SLICE(h->name.bytes));
#define ADD_u64(name, max)    json_add(out, "%" PRIu64, h->name);
#define ADD_u32(name, max)    json_add(out, "%" PRIu32, h->name);
#define ADD_vector(name, max) add_vector(out, &h->name, "    ");
#define ADD(type, name, max)                                                                       \
    json_add(out, ",\n  \"" #name "\": ");                                                         \
    ADD_##type(name, max)

static void add_header(struct buf *out, const struct changeset_header *h)
{
    json_add(out, "{\n  \"format\": %d", CHANGESET_FORMAT);
    CHANGESET_HEADER(ADD)
    json_add(out, "\n  }");
}

static void add_names(struct buf *out, const struct slice *names, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        json_add(out, i == 0 ? "[" : ", ");
        json_add_string(out, names[i]);
    }
    json_add(out, "]");
}

static void add_row(struct buf *out, const struct body_table *t, const struct body_row *row)
{
    uint32_t counter = 0;

    json_add(out, "[\"%s\", %" PRIu32 ", %" PRIu64 ", %" PRIu64, json_op_names[row->op],
             row->gid.actor, row->gid.counter, row->stamp);
    if (row->with.counter != 0)
        json_add(out, ", %" PRIu32 ", %" PRIu64, row->with.actor, row->with.counter);
    for (uint32_t i = 0; i < row->n && !out->overflow; i++) {
        json_add(out, ", ");
        if (change_has_some(row->op)) {
            json_add_string(out, t->names[row->columns[i]]);
            json_add(out, ", ");
        }
        if (counter < row->counter_n && row->counters[counter].cell == i)
            json_add_counter(out, &row->values[i], &row->counters[counter++]);
        else
            json_add_value(out, &row->values[i]);
    }
    json_add(out, "]");
}

static void add_table(struct buf *out, struct body_reader *b)
{
    bool first = true;

    json_add(out, "  {\"name\": ");
    json_add_string(out, b->table.name);
    json_add(out, ", \"columns\": ");
    add_names(out, b->table.names, b->table.columns);
    json_add(out, ", \"keys\": %" PRIu32 ", \"surrogate\": %s,\n  \"rows\": [", b->table.keys,
             b->table.surrogate ? "true" : "false");
    while (!out->overflow && body_next_row(b)) {
        json_add(out, first ? "\n    " : ",\n    ");
        add_row(out, &b->table, &b->row);
        first = false;
    }
    json_add(out, "\n  ]}");
}

static bool add_body(struct buf *out, struct slice body, uint64_t stamp, struct err *e)
{
    struct body_reader b;
    bool first = true, ok;

    body_read(&b, body, stamp, e);
    json_add(out, "{\n  \"actors\": [");
    for (uint32_t i = 0; i < b.actor_count; i++) {
        json_add(out, i == 0 ? "\n    " : ",\n    ");
        json_add_hex(out, SLICE(b.actors[i].bytes));
    }
    json_add(out, "\n  ],\n  \"tables\": [");
    while (!out->overflow && body_next_table(&b)) {
        json_add(out, first ? "\n" : ",\n");
        add_table(out, &b);
        first = false;
    }
    json_add(out, "\n  ]}");
    ok = out->overflow || body_read_end(&b);
    body_read_close(&b);
    return ok;
}

static bool add_changeset(struct buf *out, struct slice bytes, struct err *e)
{
    struct changeset_header h = {0};
    struct changeset c;
    bool ok = changeset_open(&c, &h, bytes, e);

    if (ok) {
        json_add(out, "{\"header\": ");
        add_header(out, &h);
        json_add(out, ",\n\"signature\": ");
        json_add_hex(out, (struct slice){c.signature, SIGNATURE_BYTES});
        json_add(out, ",\n\"body\": ");
        ok = add_body(out, c.body, h.stamp, e);
        json_add(out, "\n}");
    }
    changeset_header_close(&h);
    return ok;
}

bool drop_write_changeset(struct buf *out, bool first, struct slice changeset, struct err *e)
{
    size_t before = out->n;
    bool ok;

    json_add(out, first ? "\n" : ",\n");
    ok = add_changeset(out, changeset, e);
    if (ok && (out->overflow || out->max - out->n < TAIL_BYTES_MAX))
        ok = err_set(e, ERR_LIMIT, "a drop file exceeds %zu bytes", out->max);
    if (ok)
        return true;
    buf_clear(out);
    out->n = before;
    return err_wrap(e, "write a drop file");
}

bool drop_write_end(struct buf *out, struct err *e)
{
    json_add(out, "\n]\n}\n");
    return !out->overflow || err_set(e, ERR_LIMIT, "a drop file exceeds %zu bytes", out->max);
}
