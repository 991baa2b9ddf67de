/* Chains that went on in two ways: see fork.h. */
#include "fork.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "ledger_meta.h"

#define STEP_MIN                                                                                   \
    64 /* so far below the first known difference we look for the last common one...               \
        */
#define STEP_GROWTH 7 /* ...then this many times as far as what is laid aside */

bool fork_is_open(const struct store *s)
{
    return s->ledger.aside != 0;
}

/* ---- small pieces ---- */

/* One statement with up to two numbers. */
static bool run(struct ledger *l, const char *sql, uint64_t a, uint64_t b, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(l, sql, e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, (int64_t)a);
    sqlite3_bind_int64(q, 2, (int64_t)b);
    code = sqlite3_step(q);
    sqlite3_finalize(q);
    return code == SQLITE_DONE || ledger_err(l, "take back change-sets", e);
}

/* The chain hash of one in the log; zeros for number 0. */
static bool hash_of(struct ledger *l, uint32_t actor, uint64_t number, uint8_t hash[HASH_BYTES],
                    bool *found, struct err *e)
{
    struct changeset c;
    struct slice bytes;

    memset(hash, 0, HASH_BYTES);
    *found = number == 0;
    if (*found)
        return true;
    if (!ledger_changeset_get(l, actor, number, &bytes, found, e) ||
        (*found && !changeset_split(&c, bytes, e)))
        return false;
    if (*found)
        changeset_hash(&c, hash);
    return true;
}

static bool set_aside(struct ledger *l, uint32_t actor, struct err *e)
{
    l->aside = actor;
    return ledger_meta_set(l, "aside", &(struct value){.type = VALUE_INT, .i = actor}, e);
}

static bool reincarnate(struct store *s, struct err *e)
{
    snprintf(s->trouble, sizeof s->trouble,
             "this PC had gone back to an older state (a copy of its disk was put back): what it "
             "had lost comes back from the other PCs, and what was written since stays. Nothing "
             "need be done; until then leave the PCs switched on");
    s->healing = true;
    return ledger_reincarnate(&s->ledger, &s->keys->site, e);
}

/* The chain ends at `number` again. */
static bool end_chain(struct store *s, uint32_t actor, uint64_t number, struct err *e)
{
    struct ledger *l = &s->ledger;
    struct ledger_actor *a = &l->actors[actor - 1];
    uint32_t n = 0;
    bool found;

    a->staged = number;
    a->merged = a->merged < number ? a->merged : number;
    a->applied = a->applied < number ? a->applied : number;
    a->said = a->said < number ? a->said : number;
    for (uint32_t i = 0; i < s->merged_count; i++)
        if (s->merged[i].actor != actor || s->merged[i].number <= number)
            s->merged[n++] = s->merged[i];
    s->merged_count = n;
    s->history++;
    return run(l, "DELETE FROM changeset WHERE actor = ?1 AND number > ?2", actor, number, e) &&
           hash_of(l, actor, number, a->hash, &found, e) && ledger_actor_save(l, actor, e);
}

/* ---- our own ---- */

bool fork_differs(struct store *s, uint32_t actor, const struct changeset_header *h,
                  const uint8_t hash[HASH_BYTES], bool *differs, struct err *e)
{
    const struct ledger_actor *a = &s->ledger.actors[actor - 1];
    uint8_t ours[HASH_BYTES];
    bool found;

    *differs = h->number == a->staged + 1 && memcmp(h->previous, a->hash, HASH_BYTES) != 0;
    if (h->number > a->staged)
        return true;
    if (!hash_of(&s->ledger, actor, h->number, ours, &found, e))
        return false;
    *differs = found && memcmp(ours, hash, HASH_BYTES) != 0;
    return true;
}

/* The last change-set that both histories may have; whether they do is seen when the one after it
 * comes. */
static bool last_common(struct store *s, uint32_t actor, const struct changeset_header *h,
                        uint64_t *common, struct err *e)
{
    uint64_t staged = s->ledger.actors[actor - 1].staged, step;
    uint8_t before[HASH_BYTES];
    int64_t aside;
    bool found;

    *common = (h->number <= staged ? h->number : staged) - 1;
    if (!hash_of(&s->ledger, actor, *common, before, &found, e))
        return false;
    if (h->number <= staged && found && memcmp(before, h->previous, HASH_BYTES) == 0)
        return true;
    if (!ledger_number(&s->ledger, "SELECT count(*) FROM aside", &aside, e))
        return false;
    step = ((uint64_t)aside + staged - *common) * STEP_GROWTH;
    if (step < STEP_MIN)
        step = STEP_MIN;
    *common -= *common < step ? *common : step;
    return true;
}

bool fork_begin(struct store *s, uint32_t actor, const struct changeset_header *h, struct err *e)
{
    struct ledger *l = &s->ledger;
    const struct ledger_actor *a = &l->actors[actor - 1];
    uint32_t history = s->history;
    uint64_t common;
    bool ok;

    if (s->astray || a->applied != a->staged || (fork_is_open(s) && l->aside != actor))
        return err_set(e, ERR_BUSY, "change-sets of this PC's own are not applied yet");
    ok = last_common(s, actor, h, &common, e) && (actor != l->self || reincarnate(s, e)) &&
         run(l,
             "INSERT INTO aside(number, bytes) SELECT number, bytes FROM changeset"
             " WHERE actor = ?1 AND number > ?2",
             actor, common, e) &&
         end_chain(s, actor, common, e) && set_aside(l, actor, e);
    s->history = history; /* the link that brought this goes on with it; the others may stay */
    return ok;
}

/* Of what was laid aside; `bytes` is opened. */
static bool aside_get(struct ledger *l, uint64_t number, struct buf *bytes, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(l, "SELECT bytes FROM aside WHERE number = ?1", e);
    struct slice found;
    int code;

    buf_open(bytes, CHANGESET_BYTES_MAX);
    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, (int64_t)number);
    code = sqlite3_step(q);
    if (code == SQLITE_ROW) {
        found = value_of_column(q, 0).bytes;
        buf_add(bytes, found.p, found.n);
    }
    sqlite3_finalize(q);
    return code == SQLITE_ROW || code == SQLITE_DONE ||
           ledger_err(l, "read what was laid aside", e);
}

/* Nothing is laid aside any more: all links begin anew, with what holds now. */
static bool close_aside(struct store *s, struct err *e)
{
    s->history++;
    return run(&s->ledger, "DELETE FROM aside", 0, 0, e) && set_aside(&s->ledger, 0, e);
}

static bool close_if_empty(struct store *s, struct err *e)
{
    int64_t left;

    return ledger_number(&s->ledger, "SELECT count(*) FROM aside", &left, e) &&
           (left > 0 || close_aside(s, e));
}

bool fork_meet(struct store *s, const struct changeset_header *h, struct slice bytes, bool *same,
               struct err *e)
{
    uint32_t actor = s->ledger.aside;
    struct buf ours;
    bool ok;

    *same = false;
    ok = aside_get(&s->ledger, h->number, &ours, e);
    if (ok && ours.n == 0) {
        ok = close_aside(s, e);
    } else if (ok && slice_equal(buf_slice(&ours), bytes)) {
        *same = true;
        ok = run(&s->ledger, "DELETE FROM aside WHERE number = ?1", h->number, 0, e) &&
             close_if_empty(s, e);
    } else if (ok) {
        ok = fork_take_back(s, actor, h->number - 1,
                            "SELECT number, bytes FROM aside ORDER BY number", e) &&
             fork_say_again(s, actor, h->number - 1, bytes, e) && close_aside(s, e);
    }
    buf_close(&ours);
    return ok;
}

bool fork_forgotten(struct store *s, struct err *e)
{
    int64_t last;
    double time;

    if (s->astray)
        return err_set(e, ERR_BUSY, "the two files do not stand together");
    if (!s->ledger.matched)
        return recover_forgotten(s, e);
    /* What is drained first is drained under the old name: if only the ledger went back it may be
     * the very thing that was forgotten, and is found to be that. */
    if (s->app.installed && !marks_last(&s->app, &last, &time, e))
        return false;
    if (s->app.installed && last > s->ledger.cursor)
        return err_set(e, ERR_BUSY, "what the application wrote comes first");
    s->history++;
    return reincarnate(s, e);
}

/* ---- what others say again ---- */

bool fork_is_repeated(struct store *s, const uint8_t hash[HASH_BYTES], bool *repeated,
                      struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&s->ledger, "SELECT 1 FROM repeated WHERE hash = ?1", e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_blob(q, 1, hash, HASH_BYTES, SQLITE_STATIC);
    code = sqlite3_step(q);
    *repeated = code == SQLITE_ROW;
    sqlite3_finalize(q);
    return code == SQLITE_ROW || code == SQLITE_DONE ||
           ledger_err(&s->ledger, "look for a repetition", e);
}

bool fork_has_merged(struct store *s, const struct actor *actor, uint64_t number, bool *merged,
                     struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&s->ledger,
                                     "SELECT 1 FROM repeated r JOIN actor a ON a.id = r.actor"
                                     " JOIN actor b ON b.id = r.by_actor WHERE a.actor = ?1"
                                     " AND r.number = ?2 AND b.merged >= r.by_number",
                                     e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_blob(q, 1, actor->bytes, ACTOR_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(q, 2, (int64_t)number);
    code = sqlite3_step(q);
    *merged = code == SQLITE_ROW;
    sqlite3_finalize(q);
    return code == SQLITE_ROW || code == SQLITE_DONE ||
           ledger_err(&s->ledger, "look for a repetition", e);
}

static bool note_repeated(struct ledger *l, uint32_t actor, const struct vector_entry *again,
                          uint32_t by, uint64_t by_number, struct err *e)
{
    sqlite3_stmt *q =
        ledger_prepare(l,
                       "INSERT INTO repeated(hash, actor, number, by_actor, by_number)"
                       " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                       e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_blob(q, 1, again->hash, HASH_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(q, 2, actor);
    sqlite3_bind_int64(q, 3, (int64_t)again->number);
    sqlite3_bind_int64(q, 4, by);
    sqlite3_bind_int64(q, 5, (int64_t)by_number);
    code = sqlite3_step(q);
    sqlite3_finalize(q);
    return code == SQLITE_DONE || ledger_err(l, "note a repetition", e);
}

/* It has been said again already, maybe by ourselves before we went back another time. */
static bool drop_aside(struct store *s, const struct vector_entry *again, struct err *e)
{
    uint8_t hash[HASH_BYTES];
    struct changeset c;
    struct buf ours;
    bool ok = aside_get(&s->ledger, again->number, &ours, e);

    if (ok && ours.n > 0 && changeset_split(&c, buf_slice(&ours), e)) {
        changeset_hash(&c, hash);
        if (memcmp(hash, again->hash, HASH_BYTES) == 0)
            ok = fork_take_back(s, s->ledger.aside, again->number - 1,
                                "SELECT number, bytes FROM aside ORDER BY number", e) &&
                 run(&s->ledger, "DELETE FROM aside WHERE number = ?1", again->number, 0, e) &&
                 close_if_empty(s, e);
    }
    buf_close(&ours);
    return ok;
}

bool fork_repeated(struct store *s, uint32_t actor, const struct changeset_header *h, struct err *e)
{
    const struct vector_entry *again = &h->repeats.entries[0];
    struct ledger *l = &s->ledger;
    uint8_t hash[HASH_BYTES];
    char sql[160];
    uint32_t id;
    bool found;

    if (!ledger_actor(l, &again->actor, &id, e) ||
        !note_repeated(l, id, again, actor, h->number, e) ||
        (l->aside == id && !drop_aside(s, again, e)))
        return false;
    if (again->number > l->actors[id - 1].staged)
        return true;
    if (!hash_of(l, id, again->number, hash, &found, e))
        return false;
    if (!found || memcmp(hash, again->hash, HASH_BYTES) != 0)
        return true;
    if (s->astray)
        return err_set(e, ERR_BUSY, "the two files do not stand together");
    snprintf(sql, sizeof sql,
             "SELECT number, bytes FROM changeset WHERE actor = %u AND number >= %llu"
             " AND number <= %llu ORDER BY number",
             id, (unsigned long long)again->number, (unsigned long long)l->actors[id - 1].merged);
    return (id != l->self || reincarnate(s, e)) &&
           fork_take_back(s, id, again->number - 1, sql, e) &&
           end_chain(s, id, again->number - 1, e);
}
