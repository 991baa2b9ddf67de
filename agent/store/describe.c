#include "describe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#define LABEL_BYTES_MAX 80

/* ---- text ---- */

static char *text_of_buf(struct buf *b)
{
    char *text;

    buf_add_byte(b, 0);
    text = mem_text(b->n > 0 && !b->overflow ? (const char *)b->p : "");
    buf_close(b);
    return text;
}

/* UTF-8 whatever was there: what is none, and NULs, become "?". */
static char *clean_text(struct slice in, size_t bytes, bool *cut)
{
    struct buf out;

    *cut = false;
    buf_open(&out, bytes + 8);
    while (in.n > 0 && !*cut) {
        uint32_t point;
        size_t n = slice_code_point(in, &point);
        bool good = n > 0 && point != 0;

        *cut = out.n + (good ? n : 1) > bytes;
        if (!*cut)
            buf_add(&out, good ? in.p : (const uint8_t *)"?", good ? n : 1);
        n = n > 0 ? n : 1;
        in = (struct slice){in.p + n, in.n - n};
    }
    return text_of_buf(&out);
}

static char *blob_text(struct slice in, size_t bytes, bool *cut)
{
    size_t n = in.n < bytes / 2 ? in.n : bytes / 2;
    char *hex = mem_alloc(2 * n + 4);

    *cut = n < in.n;
    memcpy(hex, "X'", 2);
    hex_write(hex + 2, (struct slice){in.p, n});
    memcpy(hex + 2 + 2 * n, "'", 2);
    return hex;
}

/* The shortest digits that read back as the same number. */
static char *real_text(double r)
{
    char text[64];

    sqlite3_snprintf(sizeof text, text, "%!.15g", r);
    if (strtod(text, NULL) != r)
        sqlite3_snprintf(sizeof text, text, "%!.17g", r);
    return mem_text(text);
}

static char *plain_value(const struct value *v, size_t bytes, bool *cut)
{
    char digits[32];

    *cut = false;
    switch (v->type) {
    case VALUE_INT:
        snprintf(digits, sizeof digits, "%lld", (long long)v->i);
        return mem_text(digits);
    case VALUE_REAL:
        return real_text(v->r);
    case VALUE_TEXT:
        return clean_text(v->bytes, bytes, cut);
    case VALUE_BLOB:
        return blob_text(v->bytes, bytes, cut);
    case VALUE_NULL:
    case VALUE_REF:
        break;
    }
    return mem_text("");
}

/* ---- rows ---- */

/* A natural key's values one behind the other. */
static char *key_text(const struct row_key *key)
{
    struct slice in = key->bytes;
    struct value v;
    struct buf out;
    bool cut;

    if (key->kind == KEY_NONE)
        return NULL;
    if (key->kind == KEY_INT)
        return plain_value(&(struct value){.type = VALUE_INT, .i = key->i}, 32, &cut);
    buf_open(&out, KEY_COLUMNS_MAX * (LABEL_BYTES_MAX + 4));
    while (in.n > 0 && packed_value_read(&in, &v)) {
        char *text = plain_value(&v, LABEL_BYTES_MAX, &cut);

        if (out.n > 0)
            buf_add(&out, ", ", 2);
        buf_add(&out, text, strlen(text));
        free(text);
    }
    return text_of_buf(&out);
}

/* How much a column's name sounds like what people call the row: the lower the better. */
static size_t label_rank(const char *column)
{
    static const char *const words[] = {"name",        "nom",   "label",       "libelle",
                                        "title",       "titre", "designation", "number",
                                        "numero",      "num",   "reference",   "ref",
                                        "description", "code",  "email",       "raison_sociale",
                                        "username"};
    size_t rank = COUNT_OF(words);

    for (size_t i = 0; i < COUNT_OF(words) && rank == COUNT_OF(words); i++)
        if (sqlite3_stricmp(column, words[i]) == 0)
            rank = i;
    return rank;
}

/* The best of its texts: one whose column sounds like a name, else the first. */
static char *label_of(const struct ledger_table *t, const struct record *rec)
{
    const struct cell *best = NULL;
    size_t best_rank = SIZE_MAX;
    bool cut;

    for (uint32_t i = 0; i < rec->n && i < t->column_count; i++) {
        const struct cell *c = record_get(rec, i);

        if (c == NULL || c->v.type != VALUE_TEXT || c->v.bytes.n == 0 ||
            label_rank(t->columns[i]) >= best_rank)
            continue;
        best = c;
        best_rank = label_rank(t->columns[i]);
    }
    return best == NULL ? NULL : clean_text(best->v.bytes, LABEL_BYTES_MAX, &cut);
}

bool describe_row(struct store *s, int64_t gid, struct store_row *out, struct record *rec,
                  struct err *e)
{
    struct ledger_row row;
    bool found;

    record_clear(rec);
    if (!ledger_stands(&s->ledger, gid, &gid, e) ||
        !ledger_row_get(&s->ledger, gid, &row, &found, e))
        return false;
    if (!found)
        return true;
    out->table =
        clean_text(slice_text(s->ledger.tables[row.table - 1].name), IDENTIFIER_BYTES_MAX, &found);
    out->key = key_text(&row.key);
    out->in_file = row.present;
    if (!row.minted && !record_decode(rec, row.rec, e))
        return false;
    out->label = label_of(&s->ledger.tables[row.table - 1], rec);
    return true;
}

void describe_row_close(struct store_row *r)
{
    free(r->table);
    free(r->key);
    free(r->label);
    *r = (struct store_row){0};
}

/* ---- cells ---- */

void describe_actor(const struct store *s, uint32_t actor, char name[NAME_BYTES_MAX + 1])
{
    struct site_id id;
    const struct roster_site *site;

    name[0] = '\0';
    if (actor == 0 || actor > s->ledger.actor_count)
        return;
    id = actor_site(&s->ledger.actors[actor - 1].actor);
    site = roster_author(s->roster, &id);
    if (site != NULL)
        snprintf(name, NAME_BYTES_MAX + 1, "%s", site->name);
}

/* The key here of the row that a reference leads to. */
static bool refer_text(struct store *s, const struct value *v, char **text, struct err *e)
{
    struct ledger_row row;
    int64_t gid;
    bool found;

    if (!ledger_stands(&s->ledger, gid_pack(v->ref), &gid, e) ||
        !ledger_row_get(&s->ledger, gid, &row, &found, e))
        return false;
    *text = found ? key_text(&row.key) : NULL;
    return true;
}

bool describe_cell(struct store *s, const struct cell *c, size_t bytes, struct store_write *out,
                   struct err *e)
{
    static const char *const types[] = {
        [VALUE_NULL] = "null", [VALUE_INT] = "integer", [VALUE_REAL] = "real",
        [VALUE_TEXT] = "text", [VALUE_BLOB] = "blob",   [VALUE_REF] = "reference"};

    *out = (struct store_write){.type = "unknown"};
    if (c == NULL)
        return true;
    out->type = types[c->v.type];
    out->at_ms = hlc_stamp_wall_ms(c->clock.stamp);
    if (out->at_ms <= 1) /* just above the zero clock: nobody knows when it was */
        out->at_ms = 0;
    describe_actor(s, c->clock.actor, out->by);
    if (c->v.type == VALUE_REF)
        return refer_text(s, &c->v, &out->value, e);
    if (c->v.type != VALUE_NULL)
        out->value = plain_value(&c->v, bytes, &out->cut);
    return true;
}

void describe_write_close(struct store_write *w)
{
    free(w->value);
    *w = (struct store_write){0};
}
