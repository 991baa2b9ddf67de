/* The ledger follows the file: what a batch came to, as it is written into the file with the batch,
 * and how the ledger takes it over, at once or after a crash. */
#include "batch.h"
#include "conflict.h"
#include "ledger_large.h"
#include "merge.h"
#include "placed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MERGED_DIGEST_BYTES 16

/* ---- outcomes ---- */

/* Dead, and in the file because something refers to it. */
static bool is_kept(const struct work *w)
{
    return w->state == WORK_DONE && !w->alive && w->needed;
}

/* In the file under another UNIQUE value than its own. */
static bool is_marked(const struct work *w)
{
    return w->state == WORK_DONE && w->alive && w->want.p != NULL;
}

static bool is_to_unite(const struct work *w)
{
    return w->state == WORK_FAILED && w->same_as != 0;
}

static void put_outcome(struct buf *out, const struct work *w)
{
    struct outcome o = {.gid = w->gid, .kind = OUTCOME_SAME};

    if (w->state == WORK_FAILED) {
        o.kind = OUTCOME_PARKED;
        o.reason = slice_text(w->reason);
    } else if (w->deleted) {
        o.kind = OUTCOME_GONE;
    } else if (w->wrote) {
        o.kind = w->present ? OUTCOME_IN : OUTCOME_NEW;
        if (!w->present || w->renamed)
            o.key = w->key;
        o.shadow = w->shadow_after;
    } else if (w->present && (w->alive || w->needed)) {
        o.kind = OUTCOME_IN;
        o.shadow = w->shadow_after;
    }
    outcome_write(out, &o);
    if (is_to_unite(w)) {
        o = (struct outcome){.gid = w->gid, .kind = OUTCOME_UNITE, .other = w->same_as};
        outcome_write(out, &o);
    }
    if (is_marked(w)) {
        o = (struct outcome){.gid = w->gid, .kind = OUTCOME_MARKED};
        outcome_write(out, &o);
    }
    if (is_kept(w)) {
        o = (struct outcome){.gid = w->gid, .kind = OUTCOME_KEPT};
        o.reason = slice_text("deleted elsewhere, kept because rows here refer to it");
        outcome_write(out, &o);
    }
}

/* All that is merged, also once these change-sets (n * (actor, number)) are. A ledger that went
 * back does not come to the same. */
static bool digest_merged(const struct store *s, struct slice with, uint8_t *digest)
{
    uint64_t *merged = mem_alloc((s->ledger.actor_count + 1) * sizeof *merged);
    uint8_t hash[HASH_BYTES];
    uint64_t actor, number;
    struct buf all;
    bool ok = true;

    for (uint32_t i = 0; i < s->ledger.actor_count; i++)
        merged[i] = s->ledger.actors[i].merged;
    while (ok && with.n > 0) {
        ok = varint_read(&with, &actor) && varint_read(&with, &number) && actor > 0 &&
             actor <= s->ledger.actor_count && s->ledger.actors[actor - 1].staged >= number;
        if (ok && merged[actor - 1] < number)
            merged[actor - 1] = number;
    }
    buf_open(&all, SIZE_MAX / 2);
    for (uint32_t i = 0; i < s->ledger.actor_count; i++) {
        if (merged[i] == 0)
            continue;
        buf_add(&all, s->ledger.actors[i].actor.bytes, ACTOR_BYTES);
        varint_write(&all, merged[i]);
    }
    hash_bytes(hash, buf_slice(&all));
    memcpy(digest, hash, MERGED_DIGEST_BYTES);
    buf_close(&all);
    free(merged);
    return ok;
}

void batch_payload(struct batch *b, struct buf *out)
{
    uint8_t digest[MERGED_DIGEST_BYTES];
    uint32_t rows = b->n;

    for (uint32_t i = 0; i < b->n; i++) {
        const struct work *w = &b->works[i];

        rows += (uint32_t)is_kept(w) + is_marked(w) + is_to_unite(w);
        if (w->wrote && w->key.kind == KEY_INT && w->key.i > b->tables[w->b->app_index].used)
            b->tables[w->b->app_index].used = w->key.i;
    }
    buf_add_byte(out, 2);
    digest_merged(b->s, (struct slice){0}, digest);
    buf_add(out, digest, sizeof digest);
    varint_write(out, b->s->merged_count);
    for (uint32_t i = 0; i < b->s->merged_count; i++) {
        varint_write(out, b->s->merged[i].actor);
        varint_write(out, b->s->merged[i].number);
    }
    varint_write(out, b->s->binding_count);
    for (uint32_t i = 0; i < b->s->binding_count; i++) {
        const struct binding *t = &b->s->bindings[i];
        int64_t used = b->tables[t->app_index].used;

        varint_write(out, t->table);
        varint_write(out, used > 0 ? (uint64_t)used : 0);
    }
    varint_write(out, rows);
    for (uint32_t i = 0; i < b->n; i++)
        put_outcome(out, &b->works[i]);
}

/* ---- follow ---- */

static bool follow_row(struct store *s, const struct outcome *o, bool due_any, uint64_t now_ms,
                       struct err *e)
{
    char reason[256];
    bool in = o->kind == OUTCOME_IN || o->kind == OUTCOME_NEW;

    if (o->kind == OUTCOME_MARKED || o->kind == OUTCOME_UNITE)
        return repair_note(s, o->gid, o->other, now_ms, e);
    if (in || o->kind == OUTCOME_GONE) {
        if (!ledger_row_settle(&s->ledger, o->gid, &o->key, in, o->kind != OUTCOME_NEW, o->shadow,
                               e))
            return false;
    }
    if (o->kind == OUTCOME_PARKED || o->kind == OUTCOME_KEPT) {
        snprintf(reason, sizeof reason, "%.*s", (int)(o->reason.n < 255 ? o->reason.n : 255),
                 (const char *)o->reason.p);
        return o->kind == OUTCOME_KEPT ? ledger_due_keep(&s->ledger, o->gid, now_ms, reason, e)
                                       : ledger_due_put(&s->ledger, o->gid, now_ms, reason, e);
    }
    return !due_any || ledger_due_remove(&s->ledger, o->gid, e);
}

/* The merge was committed lazily: a power cut may have taken it back while the file's batch stayed.
 * It is done again from the log. */
static bool merge_again(struct store *s, uint32_t actor, uint64_t number, struct err *e)
{
    struct slice bytes;
    struct large kept = {0};
    bool found, ok;

    if (s->ledger.actors[actor - 1].merged >= number)
        return true;
    if (!ledger_changeset_get(&s->ledger, actor, number, &bytes, &found, e))
        return false;
    if (!found)
        return err_set(e, ERR_STORE,
                       "the file holds change-set %llu, which the ledger's log has not",
                       (unsigned long long)number);
    bytes = ledger_keep(&s->ledger, bytes, &kept);
    ok = merge_changeset(s, actor, number, bytes, e);
    large_close(&kept);
    return ok;
}

static const char damaged[] = "the file's record of what was applied last is damaged";

static bool follow_tables(struct store *s, struct slice *in, struct err *e)
{
    uint64_t tables, table, key_max;

    if (!varint_read(in, &tables))
        return false;
    for (; tables > 0; tables--) {
        struct ledger_table *t;

        if (!varint_read(in, &table) || !varint_read(in, &key_max) || table == 0 ||
            table > s->ledger.table_count)
            return false;
        t = &s->ledger.tables[table - 1];
        if ((int64_t)key_max <= t->key_max)
            continue;
        t->key_max = (int64_t)key_max;
        if (!ledger_table_save(&s->ledger, t, e))
            return false;
    }
    return true;
}

/* What stands before the change-sets of a payload. `digest`: NULL in one of version 1. */
static bool read_head(struct slice *in, const uint8_t **digest, struct err *e)
{
    size_t n = in->n == 0 || *in->p != 2 ? 1 : 1 + MERGED_DIGEST_BYTES;

    if (in->n < n || (*in->p != 1 && *in->p != 2))
        return err_set(e, ERR_STORE,
                       "the file's record of what was applied last has an unknown version");
    *digest = n == 1 ? NULL : in->p + 1;
    in->p += n;
    in->n -= n;
    return true;
}

bool follow_possible(const struct store *s, const struct app_state *state)
{
    struct slice in = buf_slice(&state->payload), with;
    uint8_t digest[MERGED_DIGEST_BYTES];
    const uint8_t *said = NULL;
    struct err e = {0};
    uint64_t n, any;

    if (!read_head(&in, &said, &e) || !varint_read(&in, &n))
        return false;
    with = in;
    for (; n > 0; n--)
        if (!varint_read(&in, &any) || !varint_read(&in, &any))
            return false;
    with.n = (size_t)(in.p - with.p);
    return digest_merged(s, with, digest) &&
           (said == NULL || memcmp(said, digest, sizeof digest) == 0);
}

static bool follow_payload(struct store *s, struct slice in, uint64_t now_ms, struct err *e)
{
    uint64_t changesets, rows, actor, number;
    const uint8_t *digest = NULL;
    int64_t due_any;
    struct outcome o;

    if (!ledger_number(&s->ledger, "SELECT EXISTS(SELECT 1 FROM due)", &due_any, e))
        return false;
    if (!read_head(&in, &digest, e))
        return false;
    if (!varint_read(&in, &changesets))
        return err_set(e, ERR_STORE, "%s", damaged);
    for (; changesets > 0; changesets--) {
        if (!varint_read(&in, &actor) || !varint_read(&in, &number) || actor == 0 ||
            actor > s->ledger.actor_count)
            return err_set(e, ERR_STORE, "%s", damaged);
        if (!merge_again(s, (uint32_t)actor, number, e))
            return false;
        s->ledger.actors[actor - 1].applied = number;
        if (!ledger_actor_save(&s->ledger, (uint32_t)actor, e))
            return false;
    }
    if (!follow_tables(s, &in, e))
        return e->code == ERR_NONE ? err_set(e, ERR_STORE, "%s", damaged) : false;
    if (!varint_read(&in, &rows))
        return err_set(e, ERR_STORE, "%s", damaged);
    for (; rows > 0; rows--) {
        if (!outcome_read(&in, &o))
            return err_set(e, ERR_STORE, "%s", damaged);
        if (!follow_row(s, &o, due_any != 0, now_ms, e))
            return false;
        due_any |= o.kind == OUTCOME_PARKED || o.kind == OUTCOME_KEPT;
    }
    return true;
}

bool follow(struct store *s, const struct app_state *state, uint64_t now_ms, struct err *e)
{
    bool ok;

    s->noticed_ms = now_ms;
    s->look_ups_left = LOOK_UPS_MAX;
    ok = (s->ledger.open || ledger_begin(&s->ledger, true, e)) &&
         follow_payload(s, buf_slice(&state->payload), now_ms, e) &&
         (state->batch == s->ledger.batch || telling_done(s, e)) &&
         ledger_holds_all(&s->ledger, bind_is_out, s, e);

    if (ok) {
        s->ledger.batch = state->batch;
        memcpy(s->ledger.token, state->token, sizeof s->ledger.token);
        ok = ledger_point(&s->ledger, e) && ledger_commit(&s->ledger, e);
    }
    if (!ok) {
        ledger_rollback(&s->ledger);
        s->astray = true;
        return false;
    }
    s->ledger.unsynced = true;
    due_clear(s);
    return true;
}
