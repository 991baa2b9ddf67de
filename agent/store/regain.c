/* Regain: a ledger that went back or was lost, beside a file that went on. The file knows by
 * itself where it stood (placed.h), and the log says all that was ever said; so the ledger becomes
 * what it was when it last stood beside this file:
 *
 *     merge    anew, nothing but the change-sets that the file held: those of its point, and what
 *              was drained from it since
 *     place    the rows of the file, under the keys that it names
 *     go on    as with a file that went back (behind.h): marks above the point's that say nothing
 *              new change nothing, the others are drained
 *
 * Then everything else is merged as it always is. If the file held change-sets that nobody has any
 * more, what differs from the rest was written here, mark or not, and is said again. */
#include "regain.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <sqlite3.h>

#include "again.h"
#include "conflict.h"
#include "fork.h"
#include "history.h"
#include "ledger_conflict.h"
#include "ledger_meta.h"
#include "merge.h"
#include "scan.h"

bool regain_damaged(const struct regain *b, struct err *e)
{
    const char *path = b->s->app.path;

    return err_wrap(e,
                    "our own tables in %s are damaged (`agent-cli uninstall --db %s`, then "
                    "`agent-cli track --all`, does without them)",
                    path, path);
}

bool regain_is_ours(const struct regain *b)
{
    return site_equal(&b->site, &b->s->keys->site);
}

bool regain_is_own(const struct regain *b, uint32_t actor)
{
    struct site_id site = actor_site(&b->s->ledger.actors[actor - 1].actor);

    return site_equal(&site, &b->site);
}

/* ---- what the file held ---- */

/* Change-sets that are here no more were said again, or nobody has them. */
static bool note_lack(struct regain *b, const struct actor *actor, uint64_t number, struct err *e)
{
    bool again;

    if (!fork_has_merged(b->s, actor, number, &again, e))
        return false;
    b->forgotten |= !again;
    return true;
}

/* Another PC went back, and what the file held of it is nobody's any more: then its numbers stand
 * for something else. What the ledger had when it was last in step with a file was here before. */
static bool find_common(struct regain *b, const struct vector_entry *held, uint64_t *common,
                        struct err *e)
{
    uint64_t known = b->remembers ? vector_get(&b->known, &held->actor) : 0;

    return history_common(&b->s->ledger, held, known < held->number ? known : held->number, common,
                          e);
}

static bool raise(struct regain *b, const struct vector_entry *held, struct err *e)
{
    uint32_t id = ledger_actor_find(&b->s->ledger, &held->actor);
    uint64_t common, *limit = id == 0 || id > b->limit_n ? NULL : &b->limit[id - 1];

    if (!find_common(b, held, &common, e) ||
        (held->number > common && !note_lack(b, &held->actor, held->number, e)))
        return false;
    if (limit != NULL && common > *limit)
        *limit = common;
    return true;
}

/* When the marks above the point were made. */
static bool read_times(struct regain *b, struct err *e)
{
    struct marks marks = {0};
    int64_t after = b->point.mark;
    bool ok;

    do {
        ok = marks_read(&b->s->app, after, CUT_ROWS_MAX, &marks, e);
        for (uint32_t i = 0; ok && i < marks.n; i++) {
            struct row_key ms = int_key((int64_t)mark_wall_ms(marks.marks[i].julian_day, 0));

            struct row_key born = int_key((int64_t)gid_counter((uint64_t)ms.i, marks.marks[i].id));

            keymap_put(&b->times, TIMES_OF_MARKS, &ms, 1);
            keymap_put(&b->times, ROWS_BY_MARKS, &born, 1);
        }
        ok = ok && marks.last > after;
        after = marks.last;
    } while (ok);
    marks_close(&marks);
    return e->code == ERR_NONE;
}

/* Was it drained from this file? */
static bool weigh(const struct keymap *times, const struct changeset *c, uint64_t stamp_max,
                  enum evidence *says, struct err *e)
{
    struct body_reader in;
    bool ok;

    body_read(&in, c->body, stamp_max, e);
    ok = evidence_weigh(times, &in, says);
    body_read_close(&in);
    return ok;
}

/* Was the file told of it? That tells histories apart, which needs do not. */
static bool is_told(const struct regain *b, const struct vector_entry *need)
{
    return vector_get(&b->point.holds, &need->actor) >= need->number;
}

/* How much of what was needed did the file hold? 0: nothing. */
static uint64_t held_of(const struct regain *b, const struct vector_entry *need)
{
    uint32_t id = ledger_actor_find(&b->s->ledger, &need->actor);
    uint64_t limit = id == 0 || id > b->limit_n ? 0 : b->limit[id - 1];

    return need->number < limit ? need->number : limit;
}

/* Had its author applied what the file was not told of? */
static bool needs_more(const struct regain *b, const struct changeset_header *h)
{
    for (uint32_t i = 0; i < h->needs.n; i++) {
        const struct vector_entry *need = &h->needs.entries[i];

        if (!is_told(b, need) && held_of(b, need) < need->number)
            return true;
    }
    return false;
}

/* Each batch tells the file what it holds: what no marks tell of (a repair, say) was made after
 * one that the file does not have. */
static bool judge(struct regain *b, const struct changeset *c, const struct changeset_header *h,
                  enum evidence *says, struct err *e)
{
    if (!regain_is_ours(b))
        return regain_weigh_copied(b, c, h->stamp, says, e);
    if (!weigh(&b->times, c, h->stamp, says, e))
        return false;
    if (*says == SAYS_NOTHING && needs_more(b, h))
        *says = AGAINST;
    return true;
}

static bool raise_needs(struct regain *b, const struct changeset_header *h, struct err *e)
{
    for (uint32_t i = 0; i < h->needs.n; i++) {
        struct vector_entry need = h->needs.entries[i];

        memset(need.hash, 0, sizeof need.hash);
        if (!is_told(b, &need) && !raise(b, &need, e))
            return false;
    }
    return true;
}

/* One of an actor's: weigh it; or (`says` NULL) take in what its author had applied. */
static bool look_at(struct regain *b, uint32_t actor, uint64_t number, enum evidence *says,
                    struct err *e)
{
    struct changeset_header h = {0};
    struct changeset c;
    struct slice bytes;
    bool found, ok;

    if (!ledger_changeset_get(&b->s->ledger, actor, number, &bytes, &found, e))
        return false;
    if (!found)
        return err_set(e, ERR_STORE, "the ledger has lost change-set %llu",
                       (unsigned long long)number);
    ok = changeset_open(&c, &h, bytes, e) && (says == NULL || judge(b, &c, &h, says, e));
    ok = ok && (says != NULL || raise_needs(b, &h, e));
    changeset_header_close(&h);
    return ok;
}

bool regain_has_said(struct store *s, const struct keymap *times, const struct vector *above,
                     bool *said, struct err *e)
{
    struct regain b = {.s = s, .times = *times, .site = s->keys->site};
    bool ok = true;

    *said = false;
    for (uint32_t a = 1; ok && !*said && a <= s->ledger.actor_count; a++) {
        const struct ledger_actor *actor = &s->ledger.actors[a - 1];
        uint64_t n = vector_get(above, &actor->actor);

        while (ok && !*said && regain_is_own(&b, a) && ++n <= actor->staged) {
            enum evidence says = SAYS_NOTHING;

            ok = look_at(&b, a, n, &says, e);
            *said = says == FOR;
        }
    }
    return ok;
}

/* What an actor of the file's PC drained since the point, and all that it had applied by then. Of
 * our own the file has all but what a power cut took from it: the last ones. A copy of another PC's
 * has what that one had written before it was made; where that is part of what a drain found, it
 * counts as held, and regain_settle_copied says of which rows. */
static bool limit_own(struct regain *b, uint32_t actor, struct err *e)
{
    uint64_t first = b->limit[actor - 1] + 1, last = b->s->ledger.actors[actor - 1].staged;
    uint64_t upto = first - 1;
    bool against = false;

    for (uint64_t n = first; n <= last; n++) {
        enum evidence says;

        if (!look_at(b, actor, n, &says, e))
            return false;
        against = says == AGAINST || (against && says == SAYS_NOTHING);
        if (against && !regain_is_ours(b))
            break;
        if (says == FOR || says == PARTLY)
            upto = n;
        if (says == PARTLY)
            break;
    }
    if (!against && regain_is_ours(b))
        upto = last;
    for (uint64_t n = first; n <= upto; n++)
        if (!look_at(b, actor, n, NULL, e))
            return false;
    if (upto >= first && !regain_is_ours(b))
        b->part[actor - 1] = upto;
    b->told[actor - 1] = first - 1;
    b->limit[actor - 1] = upto > b->limit[actor - 1] ? upto : b->limit[actor - 1];
    return true;
}

/* Was it said of a file in this very state, by whichever PC had a copy of it (say_unmarked)? */
static bool is_of_state(const struct regain *b, const struct actor *a)
{
    return memcmp(a->bytes + SITE_ID_BYTES, b->name.bytes + SITE_ID_BYTES,
                  ACTOR_BYTES - SITE_ID_BYTES) == 0;
}

static bool limit_state(struct regain *b, struct err *e)
{
    const struct ledger *l = &b->s->ledger;

    for (uint32_t a = 1; a <= b->limit_n; a++) {
        if (!is_of_state(b, &l->actors[a - 1].actor))
            continue;
        for (uint64_t n = 1; n <= l->actors[a - 1].staged; n++)
            if (!look_at(b, a, n, NULL, e))
                return false;
        b->limit[a - 1] = l->actors[a - 1].staged;
    }
    return true;
}

/* What the ledger knew before it came to know of others what the file may not have held. */
static bool read_known(struct regain *b, struct err *e)
{
    struct buf room;
    struct value v;
    bool ok;

    buf_open(&room, HEADER_BYTES_MAX);
    ok = ledger_meta_get(&b->s->ledger, "known", &v, &room, e);
    b->remembers = ok && v.type == VALUE_BLOB;
    if (b->remembers) {
        struct reader r = reader_of(v.bytes, e);

        vector_read(&r, &b->known);
        ok = read_end(&r);
    }
    buf_close(&room);
    return ok;
}

static bool find_limits(struct regain *b, struct err *e)
{
    const struct vector *holds = &b->point.holds;
    struct vector_entry own = {.actor = b->point.actor, .number = b->point.number};
    const struct vector_entry *held = vector_find(holds, &own.actor);

    if (held != NULL && held->number == own.number)
        own = *held;
    b->limit_n = b->s->ledger.actor_count;
    b->limit = mem_alloc((b->limit_n + 1) * sizeof *b->limit);
    b->part = mem_alloc((b->limit_n + 1) * sizeof *b->part);
    b->told = mem_alloc((b->limit_n + 1) * sizeof *b->told);
    for (uint32_t i = 0; i < holds->n; i++)
        if (!raise(b, &holds->entries[i], e))
            return false;
    if (!raise(b, &own, e) || !limit_state(b, e))
        return false;
    for (uint32_t a = 1; a <= b->limit_n; a++)
        if (regain_is_own(b, a) && !limit_own(b, a, e))
            return false;
    return true;
}

/* ---- merging it ---- */

static bool run(struct ledger *l, const char *sql, struct err *e)
{
    return sqlite3_exec(l->db, sql, NULL, NULL, NULL) == SQLITE_OK ||
           ledger_err(l, "begin anew with the log", e);
}

/* Those that went before anybody heard of them are in no log: only here does it stand that a file
 * that has them is to lose them. */
static bool forget_rows(struct ledger *l, struct err *e)
{
    sqlite3_stmt *q = behind_unheard(l, "DELETE FROM row WHERE rec IS NOT ?1", e);
    bool ok = q != NULL &&
              (sqlite3_step(q) == SQLITE_DONE || ledger_err(l, "begin anew with the log", e));

    sqlite3_finalize(q);
    return ok && run(l, "DELETE FROM natural_key WHERE gid NOT IN (SELECT gid FROM row)", e);
}

/* Nothing is merged, and nothing in the file. Where it stood before the ledger was lost may be
 * where it goes back to. */
static bool forget(struct regain *b, struct err *e)
{
    struct ledger *l = &b->s->ledger;

    if (!forget_rows(l, e) ||
        !run(l,
             "DELETE FROM due; DELETE FROM repair;"
             "DELETE FROM alias; DELETE FROM part; DELETE FROM seen; DELETE FROM conflict;"
             "DELETE FROM untold; DELETE FROM again; DELETE FROM owed;"
             "DELETE FROM point WHERE actor = 0;"
             "UPDATE actor SET merged = 0, applied = 0",
             e) ||
        !ledger_seen_load(l, e) || !conflict_load(l, e) ||
        !ledger_number(l, "SELECT max(id) FROM point", &l->point, e))
        return false;
    for (uint32_t i = 0; i < l->actor_count; i++)
        l->actors[i].merged = l->actors[i].applied = 0;
    vector_close(&l->applied);
    trouble_close(&b->s->trouble);
    due_clear(b->s);
    l->live = 0;
    l->aliases = l->told = false;
    return true;
}

/* Is all merged that its author had, as far as the file held it, too? Of another history, which is
 * nobody's any more, it waits for nothing: under these numbers there may be what it never saw. */
static bool is_ready(const struct regain *b, struct slice bytes, bool *ready, struct err *e)
{
    struct changeset_header h = {0};
    struct vector needs = {0};
    struct changeset c;
    bool ok = changeset_open(&c, &h, bytes, e);

    for (uint32_t i = 0; ok && i < h.needs.n; i++) {
        const struct vector_entry *need = &h.needs.entries[i];

        if (held_of(b, need) > 0)
            vector_set(&needs, &need->actor, held_of(b, need), NULL);
    }
    *ready = ok;
    ok = ok && merge_has_needs(b->s, &needs, ready, e);
    vector_close(&needs);
    changeset_header_close(&h);
    return ok;
}

static bool merge_one(struct regain *b, uint32_t actor, bool *did, struct err *e)
{
    struct ledger *l = &b->s->ledger;
    uint64_t number = l->actors[actor - 1].merged + 1;
    struct slice bytes;
    struct buf copy;
    bool found, ok;

    *did = false;
    if (!ledger_changeset_get(l, actor, number, &bytes, &found, e) || !found)
        return e->code == ERR_NONE;
    buf_open(&copy, CHANGESET_BYTES_MAX);
    buf_add(&copy, bytes.p, bytes.n);
    ok = is_ready(b, buf_slice(&copy), did, e) &&
         (!*did || merge_changeset(b->s, actor, number, buf_slice(&copy), e));
    due_clear(b->s);
    buf_close(&copy);
    return ok;
}

static bool merge_held(struct regain *b, struct err *e)
{
    struct ledger *l = &b->s->ledger;
    bool progress = true;

    b->s->noticed_ms = b->r.now_ms;
    b->s->look_ups_left = LOOK_UPS_MAX;
    while (progress) {
        progress = false;
        for (uint32_t a = 1; a <= b->limit_n; a++) {
            bool did = true;

            while (did && l->actors[a - 1].merged < b->limit[a - 1]) {
                if (!merge_one(b, a, &did, e))
                    return false;
                progress |= did;
            }
        }
    }
    for (uint32_t a = 1; a <= b->limit_n; a++) {
        b->forgotten |= l->actors[a - 1].merged < b->limit[a - 1];
        l->actors[a - 1].applied = l->actors[a - 1].merged;
        if (!ledger_actor_save(l, a, e))
            return false;
    }
    vector_copy(&b->r.fork.held.holds, &l->applied);
    for (uint32_t a = 1; a <= b->limit_n; a++)
        if (b->part[a - 1] != 0 && l->actors[a - 1].merged == b->part[a - 1])
            vector_set(&b->r.fork.held.holds, &l->actors[a - 1].actor, b->part[a - 1] - 1, NULL);
    return true;
}

/* ---- going on ---- */

/* A name of ours that follows from the state of the file. */
static void name_state(struct regain *b)
{
    uint8_t digest[crypto_generichash_BYTES];
    crypto_generichash_state h;

    _Static_assert(ACTOR_BYTES - SITE_ID_BYTES <= sizeof digest, "the hash is too short");
    crypto_generichash_init(&h, NULL, 0, sizeof digest);
    crypto_generichash_update(&h, b->state.token, sizeof b->state.token);
    crypto_generichash_update(&h, b->state.point.p, b->state.point.n);
    crypto_generichash_final(&h, digest, sizeof digest);
    memcpy(b->name.bytes, b->s->keys->site.bytes, SITE_ID_BYTES);
    memcpy(b->name.bytes + SITE_ID_BYTES, digest, ACTOR_BYTES - SITE_ID_BYTES);
}

static bool has_unmarked(const struct touch_list *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (touch_is_unmarked(&l->rows[i]))
            return true;
    return false;
}

/* What differs and no mark speaks of, the file held already when it was told its point. Should a
 * copy of it, as it is now, be put back later, it must not be said again: what had been added to a
 * counter would count twice. So it is said under the name of this state, and nothing else is. */
static bool say_unmarked(struct regain *b, struct store_progress *p, struct err *e)
{
    struct touch_list *list = &b->r.list;
    struct ledger *l = &b->s->ledger;
    struct ledger_actor *a;
    uint32_t self = l->self, id;
    bool ok;

    if (!has_unmarked(list))
        return true;
    if (!publish_name(b->s, list, b->r.now_ms, e) || !ledger_actor(l, &b->name, &id, e))
        return false;
    a = &l->actors[id - 1];
    if (a->merged != a->staged) /* it needs what is not here, so it goes on elsewhere */
        return true;
    l->foreign = l->foreign == 0 ? 0 : id;
    l->self = id;
    list->part = TOUCH_UNMARKED;
    ok = ledger_say_all(l, e) && publish(b->s, list, b->r.now_ms, p, e);
    l->self = self;
    list->part = TOUCH_MARKED;
    a = &l->actors[id - 1];
    if (ok && a->staged > 0)
        vector_set(&b->r.fork.held.holds, &a->actor, a->staged, NULL);
    return ok && ledger_say_all(l, e);
}

static bool go_on(struct regain *b, struct err *e)
{
    struct store_progress p = {0};
    struct store *s = b->s;
    struct ledger *l = &s->ledger;

    l->foreign = regain_is_ours(b) ? 0 : l->self;
    l->matched = true; /* whatever is found to differ from now on is due */
    if (!regain_limits_later(b, e) || !regain_say_parts(b, &p, e) || !say_unmarked(b, &p, e) ||
        !publish(s, &b->r.list, b->r.now_ms, &p, e) || !replay_fates(s, &b->r.list, e) ||
        !replay_fates(s, &b->left, e) || !scan_put_due(s, false, b->r.now_ms, e))
        return false;
    for (uint32_t i = 0; i < s->binding_count; i++)
        if (!ledger_table_save(l, &l->tables[s->bindings[i].table - 1], e))
            return false;
    l->batch = b->state.batch;
    memcpy(l->token, b->state.token, sizeof l->token);
    l->cursor = b->r.cursor;
    l->cursor_time = b->r.cursor_time;
    l->looked = 0;
    b->r.fork.held.self = l->self;
    return ledger_holds(l, &b->r.fork.held, e) && ledger_holds_all(l, bind_is_out, b->r.s, e) &&
           ledger_point(l, e) && (regain_is_ours(b) || again_note_copied(s, &b->site, e)) &&
           ledger_commit(l, e);
}

/* Inside a ledger transaction, and no read of the file: this may take long. */
static bool merge_log(struct regain *b, struct err *e)
{
    uint32_t before; /* whoever wrote the point: from here on the ledger knows it */

    return ledger_actor(&b->s->ledger, &b->point.actor, &before, e) && find_limits(b, e) &&
           forget(b, e) && regain_limits(b, e) && merge_held(b, e);
}

/* The point of which the file speaks becomes one of the ledger's: the file may go back to it. */
static bool note_point(struct regain *b, struct err *e)
{
    struct ledger *l = &b->s->ledger;
    uint32_t actor = ledger_actor_find(l, &b->point.actor);
    struct value id = {.type = VALUE_INT};
    struct held held = {0};
    bool there, ok;

    vector_copy(&held.holds, &b->point.holds);
    vector_set(&held.holds, &b->point.actor, b->point.number, NULL);
    l->batch = b->state.batch;
    memcpy(l->token, b->state.token, sizeof l->token);
    l->cursor = b->point.mark;
    l->cursor_time = 0;
    ok = marks_time(&b->s->app, l->cursor, &l->cursor_time, &there, e) &&
         ledger_holds(l, &held, e) && ledger_point_of(l, actor, b->point.number, e);
    vector_close(&held.holds); /* where it was not taken over */
    id.i = l->point;
    return ok && ledger_meta_set(l, "regained", &id, e);
}

/* Inside a read of the file. */
static bool regain_rows(struct regain *b, struct err *e)
{
    struct recovery *r = &b->r;

    if (!regain_place(b, e) || !behind_find_let_go(r, e) || !regain_tables(b, e) ||
        !note_point(b, e))
        return false;
    r->copied = !regain_is_ours(b);
    r->fork.mark = b->point.mark;
    r->fork.point = b->s->ledger.point;
    return behind_find_laps(r, NULL, e) && behind_relive(r, e) && regain_settle_marks(b, e) &&
           regain_settle_copied(b, e) && behind_rows(r, e) && regain_delete_gone(b, e);
}

/* Does the file say where it stood, as one of this fleet? */
static bool read_point(struct regain *b, bool *can, struct err *e)
{
    struct store *s = b->s;

    *can = false;
    if (!s->app.installed || !app_state_read(&s->app, &b->state, e))
        return e->code == ERR_NONE;
    if (!b->state.found || b->state.point.n == 0 || !b->state.fleet_known ||
        memcmp(b->state.fleet, s->roster->fleet, sizeof b->state.fleet) != 0)
        return true;
    if (!placed_point_read(&b->point, buf_slice(&b->state.point), e))
        return regain_damaged(b, e);
    name_state(b);
    b->site = actor_site(&b->point.actor);
    *can = true;
    return marks_last(&s->app, &b->r.cursor, &b->r.cursor_time, e);
}

static void regain_close(struct regain *b)
{
    app_state_close(&b->state);
    placed_point_close(&b->point);
    touch_close(&b->left);
    vector_close(&b->known);
    behind_close(&b->r);
    keymap_close(&b->by_gid);
    keymap_close(&b->by_key);
    keymap_close(&b->born);
    keymap_close(&b->times);
    keymap_close(&b->touches);
    keymap_close(&b->taken);
    regain_limits_close(b);
    record_close(&b->rec);
    buf_close(&b->room);
    free(b->limit);
    free(b->part);
    free(b->told);
    free(b->places);
    free(b->parts);
}

bool regain_lacks(struct store *s, bool *lacks, struct err *e)
{
    struct regain b = {.s = s};
    bool can, ok;

    *lacks = false;
    ok = recover_read(s, e) && read_point(&b, &can, e) && read_known(&b, e);
    appdb_end(&s->app);
    for (uint32_t i = 0; ok && can && !*lacks && i < b.point.holds.n; i++) {
        const struct vector_entry *held = &b.point.holds.entries[i];
        uint64_t common = 0;
        bool again = false;

        ok = find_common(&b, held, &common, e);
        if (ok && held->number > common) {
            ok = fork_has_merged(s, &held->actor, held->number, &again, e);
            *lacks = ok && !again;
        }
    }
    regain_close(&b);
    return ok;
}

/* Nobody but us writes it; but the file may have been put back meanwhile. */
static bool same_point(struct regain *b, struct err *e)
{
    struct app_state now = {0};
    bool ok = app_state_read(&b->s->app, &now, e);

    if (ok && !slice_equal(buf_slice(&now.point), buf_slice(&b->state.point)))
        ok = err_set(e, ERR_BUSY, "the database has been put back or replaced");
    app_state_close(&now);
    return ok;
}

bool regain(struct store *s, uint64_t now_ms, bool *did, struct err *e)
{
    struct regain b = {.s = s};
    bool ok;

    behind_open(&b.r, s, now_ms);
    buf_open(&b.room, VALUE_BYTES_MAX + 64);
    b.r.list.times = &b.touches;
    ok = recover_read(s, e) && read_point(&b, did, e) &&
         (!*did || (read_times(&b, e) && read_known(&b, e)));
    appdb_end(&s->app);
    ok = ok && (!*did || (ledger_begin(&s->ledger, false, e) && merge_log(&b, e) &&
                          recover_read(s, e) && same_point(&b, e) && regain_rows(&b, e)));
    appdb_end(&s->app);
    ok = ok && (!*did || go_on(&b, e));
    if (!ok)
        ledger_rollback(&s->ledger);
    ledger_rest(&s->ledger);
    regain_close(&b);
    return ok;
}
