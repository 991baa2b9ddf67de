/* Chains that went on in two ways: see fork.h. */
#include "fork.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "again.h"
#include "ledger_kept.h"
#include "ledger_limits.h"
#include "ledger_meta.h"

#define STEP_MIN                                                                                   \
    64 /* so far below the first known difference we look for the last common one...               \
        */
#define STEP_GROWTH 7 /* ...then this many times as far as what is laid aside */

bool fork_is_open(const struct store *s)
{
    return s->ledger.aside != 0;
}

bool fork_has_parted(const struct store *s)
{
    return s->ledger.parted != 0;
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

/* The chain hash of one in the log; zeros for number 0. Leaves alone what ledger_changeset_get
 * gave. */
static bool hash_of(struct ledger *l, uint32_t actor, uint64_t number, uint8_t hash[HASH_BYTES],
                    bool *found, struct err *e)
{
    struct changeset c;
    sqlite3_stmt *q;
    int code;
    bool ok;

    memset(hash, 0, HASH_BYTES);
    *found = number == 0;
    if (*found)
        return true;
    q = ledger_prepare(l, "SELECT bytes FROM changeset WHERE actor = ?1 AND number = ?2", e);
    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, actor);
    sqlite3_bind_int64(q, 2, (int64_t)number);
    code = sqlite3_step(q);
    *found = code == SQLITE_ROW;
    ok = *found ? changeset_split(&c, value_of_column(q, 0).bytes, e)
                : code == SQLITE_DONE || ledger_err(l, "look at a change-set", e);
    if (*found && ok)
        changeset_hash(&c, hash);
    sqlite3_finalize(q);
    return ok;
}

static bool set_aside(struct ledger *l, uint32_t actor, struct err *e)
{
    l->aside = actor;
    return ledger_meta_set(l, "aside", &(struct value){.type = VALUE_INT, .i = actor}, e);
}

static bool set_parted(struct ledger *l, uint64_t number, struct err *e)
{
    l->parted = number;
    return ledger_meta_set(l, "parted", &(struct value){.type = VALUE_INT, .i = (int64_t)number},
                           e);
}

static bool reincarnate(struct store *s, struct err *e)
{
    trouble_notice(&s->trouble, STORE_DISK_WENT_BACK);
    trouble_heals(
        &s->trouble,
        "this PC had gone back to an older state (a copy of its disk was put back): what it "
        "had lost comes back from the other PCs, and what was written since stays. Nothing "
        "need be done; until then leave the PCs switched on");
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
    a->tagged = 0;
    a->merged = a->merged < number ? a->merged : number;
    a->applied = a->applied < number ? a->applied : number;
    a->said = a->said < number ? a->said : number;
    trouble_unstick(&s->trouble, actor);
    for (uint32_t i = 0; i < s->merged_count; i++)
        if (s->merged[i].actor != actor || s->merged[i].number <= number)
            s->merged[n++] = s->merged[i];
    s->merged_count = n;
    s->history++;
    return again_forget(l, actor, number, e) &&
           run(l, "DELETE FROM changeset WHERE actor = ?1 AND number > ?2", actor, number, e) &&
           hash_of(l, actor, number, a->hash, &found, e) &&
           ledger_latest(l, actor, UINT64_MAX, &a->latest, e) && ledger_actor_save(l, actor, e);
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

/* Of a ledger that waits to be built again, or matched, nothing is in the file. */
static bool may_begin(const struct store *s, uint32_t actor)
{
    const struct ledger_actor *a = &s->ledger.actors[actor - 1];

    return !s->astray && (a->applied == a->staged || !s->ledger.matched) &&
           (!fork_is_open(s) || s->ledger.aside == actor);
}

bool fork_may_come(const struct store *s)
{
    for (uint32_t i = 0; i < s->early.n; i++) {
        uint32_t id = ledger_actor_find(&s->ledger, &s->early.entries[i].actor);

        if (id != 0 && may_begin(s, id))
            return true;
    }
    return false;
}

void fork_come_again(struct store *s)
{
    if (!fork_may_come(s))
        return;
    vector_close(&s->early); /* new links bring them all */
    s->history++;
}

bool fork_begin(struct store *s, uint32_t actor, const struct changeset_header *h, struct err *e)
{
    struct ledger *l = &s->ledger;
    uint32_t history = s->history;
    uint64_t common;
    bool ok;

    if (!may_begin(s, actor)) {
        (void)vector_set(&s->early, &h->actor, h->number, NULL); /* ours fit */
        return err_set(e, ERR_BUSY, "change-sets of this PC's own are not applied yet");
    }
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
    return run(&s->ledger, "DELETE FROM aside", 0, 0, e) && set_aside(&s->ledger, 0, e) &&
           set_parted(&s->ledger, 0, e);
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
    struct buf ours;
    bool ok;

    *same = false;
    if (s->ledger.parted != 0)
        return true;
    ok = aside_get(&s->ledger, h->number, &ours, e);
    if (ok && ours.n == 0) {
        ok = close_aside(s, e);
    } else if (ok && slice_equal(buf_slice(&ours), bytes)) {
        *same = true;
        ok = run(&s->ledger, "DELETE FROM aside WHERE number = ?1", h->number, 0, e) &&
             close_if_empty(s, e);
    } else if (ok) {
        ok = set_parted(&s->ledger, h->number, e);
    }
    buf_close(&ours);
    return ok;
}

bool fork_give_up(struct store *s, struct err *e)
{
    return set_parted(&s->ledger, s->ledger.actors[s->ledger.aside - 1].staged + 1, e);
}

bool fork_settle(struct store *s, struct err *e)
{
    struct ledger *l = &s->ledger;
    uint64_t common = l->parted - 1;

    return l->parted == 0 ||
           (fork_take_back(s, l->aside, common, "SELECT number, bytes FROM aside ORDER BY number",
                           e) &&
            fork_say_again(s, l->aside, common, e) && close_aside(s, e));
}

bool fork_settle_now(struct store *s, struct err *e)
{
    if (!fork_has_parted(s))
        return true;
    if (ledger_begin(&s->ledger, false, e) && fork_settle(s, e) && ledger_commit(&s->ledger, e))
        return true;
    ledger_rollback(&s->ledger);
    return false;
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
    sqlite3_stmt *q = ledger_kept(&s->ledger, "SELECT 1 FROM repeated WHERE hash = ?1", e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_blob(q, 1, hash, HASH_BYTES, SQLITE_STATIC);
    code = sqlite3_step(q);
    *repeated = code == SQLITE_ROW;
    ledger_done(&s->ledger, q);
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
                       "INSERT INTO repeated(hash, actor, number, by_actor, by_number, until)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, max(?3, coalesce((SELECT until FROM repeated"
                       " WHERE by_actor = ?4 AND actor = ?2 AND by_number < ?5"
                       " ORDER BY by_number DESC LIMIT 1), 0))) ON CONFLICT DO NOTHING",
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

/* From which number on is all that we have of a chain said again? The one under `number` is. */
static bool first_repeated(struct store *s, uint32_t actor, uint64_t number, uint64_t *first,
                           struct err *e)
{
    bool repeated = true;

    for (*first = number; repeated && *first > 1; *first -= repeated) {
        uint8_t hash[HASH_BYTES];
        bool found;

        if (!hash_of(&s->ledger, actor, *first - 1, hash, &found, e))
            return false;
        repeated = found;
        if (found && !fork_is_repeated(s, hash, &repeated, e))
            return false;
    }
    return true;
}

bool fork_holds(struct store *s, const struct vector_entry *at, uint32_t *actor, bool *holds,
                struct err *e)
{
    struct ledger *l = &s->ledger;
    uint8_t hash[HASH_BYTES];
    bool found;

    *holds = false;
    if (!ledger_actor(l, &at->actor, actor, e))
        return false;
    if (at->number > l->actors[*actor - 1].staged)
        return true;
    if (!hash_of(l, *actor, at->number, hash, &found, e))
        return false;
    *holds = found && memcmp(hash, at->hash, HASH_BYTES) == 0;
    return true;
}

bool fork_laid_aside(struct store *s, uint32_t actor, uint64_t number, struct buf *bytes,
                     struct err *e)
{
    if (s->ledger.aside == actor)
        return aside_get(&s->ledger, number, bytes, e);
    buf_open(bytes, CHANGESET_BYTES_MAX);
    return true;
}

bool fork_repeated(struct store *s, uint32_t actor, const struct changeset_header *h, struct err *e)
{
    const struct vector_entry *again = &h->repeats.entries[0];
    struct ledger *l = &s->ledger;
    uint64_t first;
    char sql[160];
    uint32_t id;
    bool holds;

    if (!ledger_actor(l, &again->actor, &id, e) ||
        !note_repeated(l, id, again, actor, h->number, e) ||
        !ledger_limit_repeated(l, id, again->number, actor, h->number, e) ||
        (l->aside == id && !drop_aside(s, again, e)) || !fork_holds(s, again, &id, &holds, e))
        return false;
    if (!holds || again->number < l->actors[id - 1].staged)
        return true; /* what follows is still to be said again */
    if (s->astray)
        return err_set(e, ERR_BUSY, "the two files do not stand together");
    if (!first_repeated(s, id, again->number, &first, e))
        return false;
    snprintf(sql, sizeof sql,
             "SELECT number, bytes FROM changeset WHERE actor = %u AND number >= %llu"
             " AND number <= %llu ORDER BY number",
             id, (unsigned long long)first, (unsigned long long)l->actors[id - 1].merged);
    return (id != l->self || reincarnate(s, e)) && fork_take_back(s, id, first - 1, sql, e) &&
           end_chain(s, id, first - 1, e);
}

/* ---- what we had said and forgotten, of a history that we have given up ---- */

/* What was laid aside becomes the chain again. */
static bool put_aside_back(struct store *s, uint32_t actor, struct err *e)
{
    struct ledger_actor *a = &s->ledger.actors[actor - 1];
    struct changeset_header h = {0};
    struct buf bytes = {0};
    struct changeset c;
    bool ok;

    while ((ok = aside_get(&s->ledger, a->staged + 1, &bytes, e)) && bytes.n > 0) {
        ok =
            changeset_open(&c, &h, buf_slice(&bytes), e) &&
            ledger_changeset_put(&s->ledger, actor, a->staged + 1, h.stamp, buf_slice(&bytes), e) &&
            run(&s->ledger, "DELETE FROM aside WHERE number = ?1", a->staged + 1, 0, e);
        changeset_header_close(&h);
        if (!ok)
            break;
        changeset_hash(&c, a->hash);
        a->staged++;
        a->merged = a->applied = a->staged;
        buf_close(&bytes);
    }
    buf_close(&bytes);
    return ok && ledger_latest(&s->ledger, actor, UINT64_MAX, &a->latest, e) &&
           ledger_actor_save(&s->ledger, actor, e) && close_if_empty(s, e);
}

bool fork_follows(struct store *s, const struct changeset_header *h, struct fork_next *next,
                  bool *follows, struct err *e)
{
    struct ledger *l = &s->ledger;
    sqlite3_stmt *q = ledger_prepare(
        l, "SELECT actor, by_actor, by_number FROM repeated WHERE hash = ?1 AND number = ?2", e);
    int code;

    *follows = false;
    if (q == NULL)
        return false;
    sqlite3_bind_blob(q, 1, h->previous, HASH_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(q, 2, (int64_t)h->number - 1);
    code = sqlite3_step(q);
    if (code == SQLITE_ROW) {
        next->actor = (uint32_t)sqlite3_column_int(q, 0);
        next->by = (uint32_t)sqlite3_column_int(q, 1);
        next->by_number = (uint64_t)sqlite3_column_int64(q, 2);
        *follows = actor_equal(&l->actors[next->actor - 1].actor, &h->actor) &&
                   l->actors[next->by - 1].staged == next->by_number;
    }
    sqlite3_finalize(q);
    return code == SQLITE_ROW || code == SQLITE_DONE || ledger_err(l, "look for a repetition", e);
}

bool fork_take_up(struct store *s, const struct fork_next *next, const struct changeset_header *h,
                  struct slice bytes, struct err *e)
{
    return fork_say_next(s, next, h->number, bytes, e) &&
           (s->ledger.aside != next->actor || put_aside_back(s, next->actor, e));
}

static bool follows(struct slice bytes, const struct vector_entry *at, bool *does, struct err *e)
{
    struct changeset_header h = {0};
    struct changeset c;
    bool ok = changeset_open(&c, &h, bytes, e);

    *does = ok && memcmp(h.previous, at->hash, HASH_BYTES) == 0;
    changeset_header_close(&h);
    return ok;
}

/* What follows a change-set that was said again, in our log or laid aside: under one number both
 * may have one, of which one follows. `bytes` is opened; nothing if there is none. */
static bool find_next(struct store *s, uint32_t actor, const struct vector_entry *at,
                      struct buf *bytes, struct err *e)
{
    struct slice found;
    bool there, does = false;

    buf_open(bytes, CHANGESET_BYTES_MAX);
    if (!ledger_changeset_get(&s->ledger, actor, at->number + 1, &found, &there, e) ||
        (there && !follows(found, at, &does, e)))
        return false;
    if (does) {
        buf_add(bytes, found.p, found.n);
        return true;
    }
    buf_close(bytes);
    if (!fork_laid_aside(s, actor, at->number + 1, bytes, e) ||
        (bytes->n > 0 && !follows(buf_slice(bytes), at, &does, e)))
        return false;
    if (!does)
        buf_clear(bytes);
    return true;
}

bool fork_go_on(struct store *s, uint32_t by, const struct changeset_header *h, struct err *e)
{
    struct vector_entry at = h->repeats.entries[0];
    struct fork_next next = {.by = by, .by_number = h->number};
    bool more = actor_is_of(&at.actor, &s->keys->site), ok = true;

    ok = !more || ledger_actor(&s->ledger, &at.actor, &next.actor, e);
    while (ok && more) {
        struct changeset c;
        struct buf bytes;

        ok = find_next(s, next.actor, &at, &bytes, e);
        more = ok && bytes.n > 0;
        if (more) {
            at.number++;
            ok = changeset_split(&c, buf_slice(&bytes), e) &&
                 fork_say_next(s, &next, at.number, buf_slice(&bytes), e);
            if (ok)
                changeset_hash(&c, at.hash);
            next.by_number++;
        }
        buf_close(&bytes);
    }
    return ok;
}
