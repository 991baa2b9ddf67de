#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"
#include "ledger_meta.h"

#define NAME_MAX_BYTES 96

struct setting {
    char name[NAME_MAX_BYTES];
    struct buf value;
};

static struct setting *find(const struct settings *all, const char *name)
{
    for (uint32_t i = 0; i < all->n; i++)
        if (strcmp(all->list[i].name, name) == 0)
            return &all->list[i];
    return NULL;
}

static void add(struct settings *all, const char *name, struct slice value)
{
    struct setting *one = find(all, name);

    if (one == NULL) {
        if (all->n == all->room) {
            all->room = all->room == 0 ? 16 : all->room * 2;
            all->list = mem_grow(all->list, all->room * sizeof *all->list);
        }
        one = &all->list[all->n++];
        *one = (struct setting){0};
        snprintf(one->name, sizeof one->name, "%s", name);
        buf_open(&one->value, SIZE_MAX / 2);
        all->bytes += sizeof *one;
    }
    all->bytes += value.n - one->value.n;
    buf_clear(&one->value);
    buf_add(&one->value, value.p, value.n);
}

void settings_close(struct settings *all)
{
    for (uint32_t i = 0; i < all->n; i++)
        buf_close(&all->list[i].value);
    free(all->list);
    *all = (struct settings){0};
}

bool settings_write(struct store *s, struct err *e)
{
    for (uint32_t i = 0; i < s->settings.n; i++) {
        const struct setting *one = &s->settings.list[i];
        const struct value v = {.type = VALUE_BLOB, .bytes = buf_slice(&one->value)};

        if (!ledger_meta_set(&s->ledger, one->name, &v, e))
            return false;
    }
    return true;
}

bool settings_flush(struct store *s, struct err *e)
{
    if (s->settings.n == 0)
        return true;
    if (ledger_begin(&s->ledger, false, e) && settings_write(s, e) &&
        ledger_commit(&s->ledger, e)) {
        settings_close(&s->settings);
        return true;
    }
    ledger_rollback(&s->ledger);
    return false;
}

static void full_name(char out[NAME_MAX_BYTES], const char *name)
{
    snprintf(out, NAME_MAX_BYTES, "agent.%s", name);
}

bool store_meta_get(struct store *s, const char *name, struct buf *out, struct err *e)
{
    const struct setting *one;
    char full[NAME_MAX_BYTES];
    struct buf room;
    struct value v;
    bool ok;

    full_name(full, name);
    one = find(&s->settings, full);
    if (one != NULL) {
        buf_add(out, one->value.p, one->value.n);
        return true;
    }
    buf_open(&room, 1u << 20);
    ok = ledger_meta_get(&s->ledger, full, &v, &room, e);
    if (ok && v.type == VALUE_BLOB)
        buf_add(out, v.bytes.p, v.bytes.n);
    buf_close(&room);
    return ok;
}

bool store_meta_set(struct store *s, const char *name, struct slice value, struct err *e)
{
    char full[NAME_MAX_BYTES];

    full_name(full, name);
    add(&s->settings, full, value);
    return (s->ledger.lasting != NULL && s->settings.bytes <= SETTINGS_BYTES_MAX) ||
           settings_flush(s, e);
}
