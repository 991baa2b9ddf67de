/* A change-set in outline: which ranges of its rows our file has, which rows of the others, and the
 * rest from the peer.
 *
 *     NAMES   our rows name rows of which nobody has said yet how the fleet calls them
 *     FRESH   ranges whose digest our rows have are known
 *     PROBE   hardly any are: the marks of a few tell whether this file is a copy at all
 *     MARKS   of ranges that differ somewhere: rows whose mark ours has are known
 *     CELLS   of rows that are not known
 *     ALL     the body did not come out as it was signed (two rows with one mark): of every row */
#include <navette/rebuild.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "outlined.h"
#include "said.h"

#define PROBE_RANGES 8
#define PROBE_UNLESS 16 /* a sixteenth of the ranges is equal: then it is a copy */
#define PROBE_SHARE  4  /* a quarter of the rows looked at must be equal */

bool store_is_brief(const struct store *s)
{
    return store_state(s) == STORE_MATCHING && s->binding_count > 0;
}

/* ---- opening ---- */

/* From a member of our fleet, and signed? Only then it is worth any work. */
static bool check_header(struct store_rebuild *r, struct err *e)
{
    struct site_id id = actor_site(&r->h.actor);
    const struct roster_site *site = roster_find(r->s->roster, &id);

    if (memcmp(r->h.fleet, r->s->roster->fleet, FLEET_ID_BYTES) != 0 || site == NULL)
        return err_set(e, ERR_STRANGER, "a change-set in outline is of no member of the fleet");
    return keys_verify(site->sign_public, CHANGESET_CONTEXT, buf_slice(&r->header), r->signature,
                       e);
}

/* Our rows beside the digests. */
static bool compare(struct store_rebuild *r, struct err *e)
{
    uint32_t same = 0;

    if (!outlined_read(r, e))
        return false;
    for (uint32_t i = 0; i < r->o.range_count; i++) {
        const struct outline_range *range = &r->o.ranges[i];
        bool have = true;

        for (uint32_t j = 0; j < range->rows; j++)
            have = have && r->cells[range->first + j].p != NULL;
        if (!have || !outline_same(range, r->marks + (size_t)range->first * OUTLINE_MARK_BYTES))
            continue;
        memset(r->known + range->first, true, range->rows);
        same++;
    }
    r->copy = same >= r->o.range_count / PROBE_UNLESS;
    return true;
}

bool store_rebuild_open(struct store *s, struct slice header, const uint8_t *signature,
                        struct slice outline, struct store_rebuild **out, struct err *e)
{
    struct store_rebuild *r = mem_alloc(sizeof *r);
    bool ok;

    *out = NULL;
    r->s = s;
    buf_open(&r->header, HEADER_BYTES_MAX);
    buf_open(&r->bytes, BODY_BYTES_MAX);
    buf_open(&r->picks, PICKS_BYTES_MAX);
    buf_add(&r->header, header.p, header.n);
    buf_add(&r->bytes, outline.p, outline.n);
    memcpy(r->signature, signature, SIGNATURE_BYTES);
    ok = changeset_header_read(&r->h, header, e) && check_header(r, e) &&
         outline_read(&r->o, buf_slice(&r->bytes), r->h.rows, e);
    if (ok) {
        uint32_t n = r->o.row_count + 1;

        r->cells = mem_alloc(n * sizeof *r->cells);
        r->marks = mem_alloc((size_t)n * OUTLINE_MARK_BYTES);
        r->known = mem_alloc(n * sizeof *r->known);
        r->picked = mem_alloc(n * sizeof *r->picked);
        ok = compare(r, e);
    }
    if (ok)
        *out = r;
    else
        store_rebuild_close(r);
    return ok;
}

void store_rebuild_close(struct store_rebuild *r)
{
    if (r == NULL)
        return;
    changeset_header_close(&r->h);
    outline_close(&r->o);
    buf_close(&r->header);
    buf_close(&r->bytes);
    buf_close(&r->picks);
    buf_close(&r->whole);
    arena_close(&r->arena);
    free(r->cells);
    free(r->marks);
    free(r->known);
    free(r->picked);
    free(r);
}

/* ---- asking ---- */

/* A range of which our file has rows, some of them other ones, or not all. */
static bool is_worth_marks(const struct store_rebuild *r, const struct outline_range *range)
{
    for (uint32_t i = range->first; i < range->first + range->rows; i++)
        if (!r->known[i] && r->cells[i].p != NULL)
            return true;
    return false;
}

/* Ranges to be looked at row by row: all, or a few from the whole of them. */
static uint32_t pick_ranges(struct store_rebuild *r, bool few)
{
    uint32_t n = 0, taken = 0, every, seen = 0;

    memset(r->picked, 0, (r->o.row_count + 1) * sizeof *r->picked);
    for (uint32_t i = 0; i < r->o.range_count; i++)
        n += is_worth_marks(r, &r->o.ranges[i]);
    every = few && n > PROBE_RANGES ? n / PROBE_RANGES : 1;
    for (uint32_t i = 0; i < r->o.range_count; i++) {
        if (!is_worth_marks(r, &r->o.ranges[i]) || seen++ % every != 0 ||
            (few && taken == PROBE_RANGES))
            continue;
        r->picked[i] = true;
        taken++;
    }
    return taken;
}

static uint32_t pick_rows(struct store_rebuild *r)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < r->o.row_count; i++) {
        r->picked[i] = !r->known[i];
        n += r->picked[i];
    }
    return n;
}

/* The next question; false when there is none. */
static bool pick(struct store_rebuild *r)
{
    if (r->phase == REBUILD_FRESH && r->unnamed > 0) {
        r->phase = REBUILD_NAMES;
        return true;
    }
    if (r->phase < REBUILD_PROBE && !r->copy) {
        r->phase = REBUILD_PROBE;
        if (pick_ranges(r, true) > 0)
            return true;
    }
    if (r->phase < REBUILD_MARKS && r->copy) {
        r->phase = REBUILD_MARKS;
        if (pick_ranges(r, false) > 0)
            return true;
    }
    if (r->phase < REBUILD_CELLS)
        r->phase = REBUILD_CELLS;
    return pick_rows(r) > 0;
}

static bool is_as_signed(const struct store_rebuild *r, const struct buf *body)
{
    uint8_t hash[HASH_BYTES];

    if (body->overflow || body->n != r->h.body_bytes)
        return false;
    hash_bytes(hash, buf_slice(body));
    return memcmp(hash, r->h.body_hash, sizeof hash) == 0;
}

static bool join(struct store_rebuild *r)
{
    struct buf body;
    bool ok;

    buf_open(&body, r->h.body_bytes);
    outline_body(&body, &r->o, r->cells);
    ok = is_as_signed(r, &body);
    if (ok) {
        buf_open(&r->whole, CHANGESET_BYTES_MAX);
        changeset_join(&r->whole,
                       &(struct changeset){buf_slice(&r->header), r->signature, buf_slice(&body)});
    }
    buf_close(&body);
    return ok;
}

static enum outline_ask asked(const struct store_rebuild *r)
{
    return r->phase == REBUILD_NAMES  ? OUTLINE_NAMES
           : r->phase < REBUILD_CELLS ? OUTLINE_MARKS
                                      : OUTLINE_CELLS;
}

bool store_rebuild_next(struct store_rebuild *r, struct rebuild_ask *ask, struct slice *changeset,
                        struct err *e)
{
    bool asks = pick(r);

    if (!asks && !join(r)) {
        if (r->phase == REBUILD_ALL)
            return err_set(e, ERR_CRYPTO, "an outline does not lead to what its author signed");
        r->phase = REBUILD_ALL;
        memset(r->known, 0, (r->o.row_count + 1) * sizeof *r->known);
        asks = pick(r);
        if (!asks)
            return err_set(e, ERR_CRYPTO, "an outline of no rows is not what its author signed");
    }
    r->owed = asks;
    *changeset = buf_slice(&r->whole);
    *ask = (struct rebuild_ask){0};
    if (!asks)
        return true;
    ask->what = asked(r);
    buf_clear(&r->picks);
    if (ask->what != OUTLINE_NAMES)
        outline_picks_write(&r->picks, r->picked,
                            ask->what == OUTLINE_MARKS ? r->o.range_count : r->o.row_count);
    ask->picks = buf_slice(&r->picks);
    return !r->picks.overflow || err_set(e, ERR_LIMIT, "too much is missing of an outline");
}

/* ---- answers ---- */

/* The rows of a range as the author has them, from ours: of a table without numbers ours may stand
 * at another place, where one was deleted or added before it. */
static uint32_t take_range(struct store_rebuild *r, const struct outline_range *range,
                           const uint8_t *marks)
{
    struct slice cells[OUTLINE_RANGE_ROWS];
    uint8_t *at = r->marks + (size_t)range->first * OUTLINE_MARK_BYTES;
    uint8_t ours[OUTLINE_RANGE_ROWS][OUTLINE_MARK_BYTES];
    uint32_t n = range->rows, same = 0;

    memcpy(cells, r->cells + range->first, n * sizeof *cells);
    memcpy(ours, at, (size_t)n * OUTLINE_MARK_BYTES);
    memcpy(at, marks, (size_t)n * OUTLINE_MARK_BYTES);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t tries = 0, j = i;

        while (tries < n &&
               (cells[j].p == NULL ||
                memcmp(ours[j], marks + (size_t)i * OUTLINE_MARK_BYTES, OUTLINE_MARK_BYTES) != 0)) {
            j = (j + 1) % n;
            tries++;
        }
        r->known[range->first + i] = tries < n;
        r->cells[range->first + i] = tries < n ? cells[j] : (struct slice){0};
        same += tries < n;
    }
    return same;
}

static bool take_marks(struct store_rebuild *r, struct slice bytes, struct err *e)
{
    uint32_t asked = 0, same = 0;

    for (uint32_t i = 0; i < r->o.range_count; i++) {
        const struct outline_range *range = &r->o.ranges[i];
        size_t n = (size_t)range->rows * OUTLINE_MARK_BYTES;

        if (!r->picked[i])
            continue;
        if (bytes.n < n)
            return err_set(e, ERR_INPUT, "fewer marks than were asked for");
        same += take_range(r, range, bytes.p);
        asked += range->rows;
        bytes = (struct slice){bytes.p + n, bytes.n - n};
    }
    if (r->phase == REBUILD_PROBE)
        r->copy = same >= asked / PROBE_SHARE;
    return bytes.n == 0 || err_set(e, ERR_INPUT, "more marks than were asked for");
}

static bool take_cells(struct store_rebuild *r, struct slice bytes, struct err *e)
{
    for (uint32_t i = 0; i < r->o.row_count; i++) {
        struct slice cells;

        if (!r->picked[i])
            continue;
        if (!outline_next(&r->o, &r->o.rows[i], &bytes, &cells, e))
            return false;
        r->cells[i] = arena_copy(&r->arena, cells);
        r->known[i] = true;
    }
    return bytes.n == 0 || err_set(e, ERR_INPUT, "more rows than were asked for");
}

bool store_rebuild_tell(struct store_rebuild *r, struct slice bytes, struct err *e)
{
    enum outline_ask what = asked(r);

    assert(r->owed);
    r->owed = false;
    if (what == OUTLINE_NAMES)
        return said_take_names(r->s, bytes, r->h.body_bytes, e) && compare(r, e);
    return what == OUTLINE_MARKS ? take_marks(r, bytes, e) : take_cells(r, bytes, e);
}

/* ---- the other side ---- */

bool store_answer(struct store *s, const struct actor *actor, uint64_t number,
                  enum outline_ask what, struct slice picks, struct buf *out, struct err *e)
{
    struct slice bytes;
    struct changeset c;
    uint32_t id = ledger_actor_find(&s->ledger, actor);
    bool found = false;
    bool ok = id == 0 || ledger_changeset_get(&s->ledger, id, number, &bytes, &found, e);

    if (ok && !found)
        ok = err_set(e, ERR_GAP, "a change-set that was told in outline is not here any more");
    ok = ok && changeset_split(&c, bytes, e) &&
         (what == OUTLINE_NAMES ? said_tell_names(s, c.body, out, e)
                                : outline_answer(out, c.body, what, picks, e));
    ledger_rest(&s->ledger);
    return ok && (!out->overflow || err_set(e, ERR_LIMIT, "an answer exceeds what can be sent"));
}
