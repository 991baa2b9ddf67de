#include "withhold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "refer.h"
#include "scan.h"

/* The row as the file held it; what it referred to and is not there is NULL. */
static bool values_before(struct store *s, const struct binding *b, const struct record *base,
                          struct value *values, struct arena *arena, struct err *e)
{
    struct buf room;
    bool ok = true;

    buf_open(&room, VALUE_BYTES_MAX + 64);
    for (uint32_t i = 0; ok && i < b->app->column_count; i++) {
        const struct cell *c = record_get(base, b->position[i]);
        struct value local = {.type = VALUE_NULL};
        bool known = true;

        if (c != NULL && c->v.type == VALUE_REF && b->app->columns[i].ref_form != REF_KEY)
            ok = refer_value(s, b, i, gid_pack(c->v.ref), arena, &local, &known, e);
        else
            ok = c == NULL || scan_local(s, &c->v, &local, &known, &room, e);
        if (!known)
            local = (struct value){.type = VALUE_NULL};
        values[i] = arena_value(arena, &local);
    }
    buf_close(&room);
    return ok;
}

bool withhold_says_record(struct store *s, const struct binding *b, const struct record *r,
                          bool *says, struct err *e)
{
    struct arena arena = {0};
    struct value *values;
    bool ok;

    *says = !b->mute;
    if (b->mute || b->filter == NULL)
        return true;
    values = mem_alloc(b->app->column_count * sizeof *values);
    ok = values_before(s, b, r, values, &arena, e) && filter_match(b->filter, values, says, e);
    free(values);
    arena_close(&arena);
    return ok;
}

bool withhold_says(struct store *s, const struct touched *t, const struct record *base, bool *says,
                   struct err *e)
{
    if (t->key.kind == KEY_NONE && base != NULL)
        return withhold_says_record(s, t->b, base, says, e);
    *says = !t->b->mute && (t->key.kind == KEY_NONE || !unsent_whole(s, t->b->app, t->values));
    if (!*says || t->b->filter == NULL || t->key.kind == KEY_NONE)
        return true;
    return filter_match(t->b->filter, t->values, says, e);
}

bool withhold_gave_up(const struct binding *b)
{
    return !b->mute && b->filter != NULL && filter_gave_up(b->filter);
}

bool withhold_note(struct store *s, const struct touched *t, struct err *e)
{
    if (unsent_whole(s, t->b->app, t->values))
        return unsent_note(s, t->gid, UNSENT_WHOLE, e);
    return !withhold_gave_up(t->b) || unsent_note(s, t->gid, UNSENT_UNJUDGED, e);
}

static bool is_own(const struct store *s, const struct local_clock *c)
{
    const struct ledger *l = &s->ledger;
    struct site_id self;

    if (c->actor == 0 || c->actor > l->actor_count)
        return false;
    self = actor_site(&l->actors[l->self - 1].actor);
    return actor_is_of(&l->actors[c->actor - 1].actor, &self);
}

bool withhold_untranslated(const struct store *s, const struct app_column *c,
                           const struct cell *was)
{
    return (c->ref_table >= 0 || app_refers_loosely(c)) && was->v.type != VALUE_REF &&
           was->v.type != VALUE_NULL && is_own(s, &was->clock);
}

/* An id as text, maybe behind a name: 21, 'sale.line,21'. */
static bool ends_in(const struct value *v, const struct value *key)
{
    char digits[24];
    size_t n, before;

    if (v->type != VALUE_TEXT || key->type != VALUE_INT)
        return false;
    n = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)key->i);
    if (v->bytes.n < n || memcmp(v->bytes.p + v->bytes.n - n, digits, n) != 0)
        return false;
    before = v->bytes.n - n;
    return before == 0 || v->bytes.p[before - 1] < '0' || v->bytes.p[before - 1] > '9';
}

bool withhold_cell(struct store *s, const struct app_column *c, const struct cell *was,
                   const struct value *local, const struct value *v, bool *same, struct err *e)
{
    struct value before;
    struct buf room;
    bool known, ok;

    *same = false;
    if (was->v.type != VALUE_REF && v->type == VALUE_REF) {
        *same = app_refers_loosely(c) && value_equal(&was->v, local) && !is_own(s, &was->clock);
        return true;
    }
    if (was->v.type != VALUE_REF || v->type == VALUE_REF || app_refers(c))
        return true;
    buf_open(&room, VALUE_BYTES_MAX + 64);
    ok = scan_local(s, &was->v, &before, &known, &room, e);
    *same = ok && known && (value_equal(&before, v) || ends_in(v, &before));
    buf_close(&room);
    return ok;
}
