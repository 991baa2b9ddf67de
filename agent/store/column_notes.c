#include "column_notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "ledger_meta.h"

/*     columns = (state: u8, came + 1: varint, name, 0, name it had before or nothing, 0)...
 */
#define REFERS         4 /* besides the state */
#define NOTE_BYTES_MAX (COLUMNS_MAX * 2 * (IDENTIFIER_BYTES_MAX + 8))

static void meta_name(uint32_t table, char name[32])
{
    snprintf(name, 32, "columns.%u", table);
}

void notes_close(struct notes *n)
{
    free(n->list);
    buf_close(&n->room);
}

struct noted *notes_add(struct notes *n)
{
    if (n->list == NULL)
        n->list = mem_alloc((COLUMNS_MAX * 2 + 1) * sizeof *n->list);
    return &n->list[n->n++];
}

/* The next text of `in`; NULL: there is none. */
static const char *next_text(struct slice *in)
{
    const uint8_t *end = in->n == 0 ? NULL : memchr(in->p, 0, in->n);
    const char *text = (const char *)in->p;

    if (end == NULL)
        return NULL;
    in->n -= (size_t)(end + 1 - in->p);
    in->p = end + 1;
    return text;
}

static bool next_noted(struct slice *in, struct noted *c)
{
    uint64_t came;

    c->state = *in->p & (REFERS - 1);
    c->refers = (*in->p & REFERS) != 0;
    in->p++;
    in->n--;
    if (!varint_read(in, &came) || came > INT64_MAX)
        return false;
    c->came = (int64_t)came - 1;
    c->name = next_text(in);
    c->before = next_text(in);
    return c->name != NULL && c->before != NULL;
}

bool notes_read(struct store *s, uint32_t table, struct notes *n, struct err *e)
{
    char name[32];
    struct value v;
    struct slice in;

    *n = (struct notes){0};
    buf_open(&n->room, NOTE_BYTES_MAX);
    meta_name(table, name);
    if (!ledger_meta_get(&s->ledger, name, &v, &n->room, e))
        return false;
    in = v.type == VALUE_BLOB ? v.bytes : (struct slice){NULL, 0};
    while (in.n > 0 && n->n < COLUMNS_MAX * 2)
        if (!next_noted(&in, notes_add(n)))
            return err_set(e, ERR_STORE, "the ledger's list of columns of table %s is damaged",
                           s->ledger.tables[table - 1].name);
    return true;
}

bool notes_save(struct store *s, uint32_t table, const struct notes *n, struct err *e)
{
    char name[32];
    struct buf out;
    bool ok;

    buf_open(&out, NOTE_BYTES_MAX);
    for (uint32_t i = 0; i < n->n; i++) {
        const struct noted *c = &n->list[i];

        buf_add_byte(&out, (uint8_t)(c->state | (c->refers ? REFERS : 0)));
        varint_write(&out, (uint64_t)(c->came + 1));
        buf_add(&out, c->name, strlen(c->name) + 1);
        buf_add(&out, c->before, strlen(c->before) + 1);
    }
    meta_name(table, name);
    ok = ledger_meta_set(&s->ledger, name,
                         &(struct value){.type = VALUE_BLOB, .bytes = buf_slice(&out)}, e);
    buf_close(&out);
    return ok;
}

const struct noted *notes_find(const struct notes *n, const char *name)
{
    for (uint32_t i = 0; i < n->n; i++)
        if (sqlite3_stricmp(n->list[i].name, name) == 0)
            return &n->list[i];
    return NULL;
}
