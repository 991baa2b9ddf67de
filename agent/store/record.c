#include "record.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <navette/bounds.h>

#include "counter.h"

#define RECORD_VERSION    2
#define TYPE_COUNTER      6
#define TYPE_UNSET        7
#define CLOCK_FOLLOWS     31
#define RECORD_CLOCKS_MAX (2 * COLUMNS_MAX + 1) /* one for each cell, and the delete's */
#define BLOCK_BYTES       4000

/* Flags of a total. */
enum { TOTAL_SAID = 1, TOTAL_SEEN = 2, TOTAL_SEEN_SAID = 4 /* seen is what was said */ };

void *record_alloc(struct record *r, size_t n)
{
    r->arena.block_bytes = BLOCK_BYTES;
    return arena_alloc(&r->arena, n);
}

void varint_write(struct buf *out, uint64_t v)
{
    while (v >= 0x80) {
        buf_add_byte(out, (uint8_t)(v | 0x80));
        v >>= 7;
    }
    buf_add_byte(out, (uint8_t)v);
}

bool varint_read(struct slice *in, uint64_t *v)
{
    uint64_t sum = 0;

    for (unsigned shift = 0; shift < 64 && in->n > 0; shift += 7) {
        uint8_t byte = *in->p;

        in->p++;
        in->n--;
        sum |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *v = sum;
            return true;
        }
    }
    return false;
}

static void zigzag_write(struct buf *out, int64_t i)
{
    varint_write(out, (uint64_t)i << 1 ^ (i < 0 ? UINT64_MAX : 0));
}

static bool zigzag_read(struct slice *in, int64_t *i)
{
    uint64_t u;

    if (!varint_read(in, &u))
        return false;
    *i = (int64_t)(u >> 1 ^ ((u & 1) != 0 ? UINT64_MAX : 0));
    return true;
}

static bool byte_read(struct slice *in, uint8_t *byte)
{
    if (in->n == 0)
        return false;
    *byte = *in->p;
    in->p++;
    in->n--;
    return true;
}

static void u64_write(struct buf *out, uint64_t v)
{
    uint8_t bytes[8];

    be64_write(bytes, v);
    buf_add(out, bytes, sizeof bytes);
}

static bool u64_read(struct slice *in, uint64_t *v)
{
    if (in->n < 8)
        return false;
    *v = be64_read(in->p);
    in->p += 8;
    in->n -= 8;
    return true;
}

static void leave_gap(struct record_gaps *gaps, size_t at, struct slice bytes)
{
    if (gaps->n == gaps->room) {
        gaps->room = gaps->room == 0 ? 4 : gaps->room * 2;
        gaps->gaps = mem_grow(gaps->gaps, gaps->room * sizeof *gaps->gaps);
    }
    gaps->gaps[gaps->n++] = (struct record_gap){at, bytes};
    gaps->bytes += bytes.n;
}

void record_gaps_close(struct record_gaps *gaps)
{
    free(gaps->gaps);
    *gaps = (struct record_gaps){0};
}

/* `gaps` NULL: whatever is large is written, too. */
static void value_payload_write(struct buf *out, const struct value *v, struct record_gaps *gaps)
{
    uint64_t u;

    switch (v->type) {
    case VALUE_NULL:
        break;
    case VALUE_INT:
        zigzag_write(out, v->i);
        break;
    case VALUE_REAL:
        memcpy(&u, &v->r, sizeof u);
        u64_write(out, u);
        break;
    case VALUE_TEXT:
    case VALUE_BLOB:
        varint_write(out, v->bytes.n);
        if (gaps != NULL && v->bytes.n >= LARGE_BYTES)
            leave_gap(gaps, out->n, v->bytes);
        else
            buf_add(out, v->bytes.p, v->bytes.n);
        break;
    case VALUE_REF:
        varint_write(out, (uint64_t)v->ref.actor << GID_COUNTER_BITS | v->ref.counter);
        break;
    }
}

static bool value_payload_read(struct slice *in, unsigned type, struct value *v)
{
    uint64_t u;

    v->type = (enum value_type)type;
    switch (type) {
    case VALUE_NULL:
        return true;
    case VALUE_REAL:
        if (!u64_read(in, &u))
            return false;
        memcpy(&v->r, &u, sizeof u);
        return true;
    case VALUE_INT:
        return zigzag_read(in, &v->i);
    case VALUE_TEXT:
    case VALUE_BLOB:
    case VALUE_REF:
        break;
    default:
        return false;
    }
    if (!varint_read(in, &u))
        return false;
    if (type == VALUE_REF) {
        v->ref = (struct gid){(uint32_t)(u >> GID_COUNTER_BITS), u & (GID_COUNTER_MAX - 1)};
    } else {
        if (u > in->n)
            return false;
        v->bytes = (struct slice){in->p, (size_t)u};
        in->p += u;
        in->n -= (size_t)u;
    }
    return true;
}

void packed_value_write(struct buf *out, const struct value *v)
{
    buf_add_byte(out, (uint8_t)v->type);
    value_payload_write(out, v, NULL);
}

bool packed_value_read(struct slice *in, struct value *v)
{
    uint8_t type;

    return byte_read(in, &type) && value_payload_read(in, type, v);
}

/* ---- counters ---- */

static void decimal_pack(struct buf *out, const struct decimal *d)
{
    uint8_t limbs = d->rest != 0 ? 2 : d->part != 0 ? 1 : 0;

    buf_add_byte(out, limbs);
    zigzag_write(out, d->whole);
    if (limbs > 0)
        u64_write(out, d->part);
    if (limbs > 1)
        u64_write(out, d->rest);
}

static bool decimal_unpack(struct slice *in, struct decimal *d)
{
    uint8_t limbs;

    *d = (struct decimal){0};
    return byte_read(in, &limbs) && limbs <= 2 && zigzag_read(in, &d->whole) &&
           (limbs < 1 || u64_read(in, &d->part)) && (limbs < 2 || u64_read(in, &d->rest)) &&
           d->part < DECIMAL_LIMB && d->rest < DECIMAL_LIMB && decimal_within(d, DECIMAL_TOTAL_MAX);
}

static void total_write(struct buf *out, const struct total *t)
{
    bool same = t->number > 0 && t->number == t->seen_number && decimal_equal(&t->total, &t->seen);
    uint8_t flags = (uint8_t)((t->number > 0 ? TOTAL_SAID : 0) | (same ? TOTAL_SEEN_SAID
                                                                  : t->seen_number > 0 ? TOTAL_SEEN
                                                                                       : 0));

    varint_write(out, (uint64_t)t->gid);
    varint_write(out, t->actor);
    buf_add_byte(out, flags);
    if ((flags & TOTAL_SAID) != 0) {
        varint_write(out, t->number);
        u64_write(out, t->stamp);
        buf_add_byte(out, t->form);
        decimal_pack(out, &t->total);
    }
    if ((flags & TOTAL_SEEN) != 0) {
        varint_write(out, t->seen_number);
        decimal_pack(out, &t->seen);
    }
}

static bool total_read(struct slice *in, struct total *t)
{
    uint64_t gid, actor;
    uint8_t flags;

    *t = (struct total){0};
    if (!varint_read(in, &gid) || !varint_read(in, &actor) || !byte_read(in, &flags))
        return false;
    t->gid = (int64_t)gid;
    t->actor = (uint32_t)actor;
    if (flags == 0 || flags > (TOTAL_SAID | TOTAL_SEEN_SAID) || flags == TOTAL_SEEN_SAID)
        return false;
    if ((flags & TOTAL_SAID) != 0 &&
        (!varint_read(in, &t->number) || t->number == 0 || !u64_read(in, &t->stamp) ||
         !byte_read(in, &t->form) || t->form > DECIMAL_FORM_MAX || !decimal_unpack(in, &t->total)))
        return false;
    if ((flags & TOTAL_SEEN) != 0)
        return varint_read(in, &t->seen_number) && t->seen_number > 0 &&
               decimal_unpack(in, &t->seen);
    if ((flags & TOTAL_SEEN_SAID) != 0) {
        t->seen_number = t->number;
        t->seen = t->total;
    }
    return true;
}

static void counter_write(struct buf *out, const struct cell *c, struct record_gaps *gaps)
{
    buf_add_byte(out, c->set ? (uint8_t)c->counter->base.type : TYPE_UNSET);
    if (c->set)
        value_payload_write(out, &c->counter->base, gaps);
    varint_write(out, c->counter->n);
    for (uint32_t i = 0; i < c->counter->n; i++)
        total_write(out, &c->counter->totals[i]);
}

static bool counter_read(struct record *r, struct slice *in, struct cell *c)
{
    struct value base = {.type = VALUE_NULL};
    struct total *totals;
    uint64_t n;
    uint8_t type;

    if (!byte_read(in, &type))
        return false;
    c->set = type != TYPE_UNSET;
    if (c->set && !value_payload_read(in, type, &base))
        return false;
    if (!varint_read(in, &n) || n == 0 || n > CELL_TOTALS_MAX)
        return false;
    totals = counter_totals(r, (uint32_t)n);
    for (uint64_t i = 0; i < n; i++)
        if (!total_read(in, &totals[i]))
            return false;
    c->counter = counter_of(r, &base, totals, (uint32_t)n);
    return true;
}

struct cell *record_cell(struct record *r, uint32_t position)
{
    if (position >= r->room) {
        uint32_t room = position < 15 ? 16 : (position + 1) * 2;

        r->cells = mem_grow(r->cells, room * sizeof *r->cells);
        r->room = room;
    }
    while (r->n <= position)
        r->cells[r->n++] = (struct cell){0};
    return &r->cells[position];
}

bool record_has_cells(const struct record *r)
{
    bool any = false;

    for (uint32_t i = 0; i < r->n; i++)
        any |= r->cells[i].set || r->cells[i].counter != NULL;
    return any;
}

const struct cell *record_get(const struct record *r, uint32_t position)
{
    return position < r->n && r->cells[position].set ? &r->cells[position] : NULL;
}

void record_clear(struct record *r)
{
    r->n = 0;
    r->dead = (struct local_clock){0};
    arena_reset(&r->arena);
}

void record_close(struct record *r)
{
    arena_close(&r->arena);
    free(r->cells);
    free(r->bytes);
    *r = (struct record){0};
}

static bool same_clock(const struct local_clock *a, const struct local_clock *b)
{
    return a->stamp == b->stamp && a->actor == b->actor && a->number == b->number &&
           a->row == b->row;
}

/* Index of `c` among the first *n of `list`, added when new. Rows have few distinct clocks. */
static uint32_t clock_index(struct local_clock *list, uint32_t *n, const struct local_clock *c)
{
    uint32_t i = *n;

    while (i > 0) {
        i--;
        if (same_clock(&list[i], c))
            return i;
    }
    list[*n] = *c;
    return (*n)++;
}

void record_encode(const struct record *r, struct buf *out)
{
    record_encode_apart(r, out, NULL);
}

void record_encode_apart(const struct record *r, struct buf *out, struct record_gaps *gaps)
{
    struct local_clock few[64];
    struct local_clock *list = few;
    uint32_t count = 0;
    uint32_t dead = 0;

    if (r->n + 1 > COUNT_OF(few))
        list = mem_alloc((r->n + 1) * sizeof *list);
    for (uint32_t i = 0; i < r->n; i++)
        if (r->cells[i].set)
            clock_index(list, &count, &r->cells[i].clock);
    if (r->dead.number != 0)
        dead = clock_index(list, &count, &r->dead) + 1;
    buf_add_byte(out, RECORD_VERSION);
    varint_write(out, r->n);
    varint_write(out, count);
    varint_write(out, dead);
    for (uint32_t i = 0; i < count; i++) {
        u64_write(out, list[i].stamp);
        varint_write(out, (uint64_t)list[i].actor << 1 | (list[i].row != 0));
        varint_write(out, list[i].number);
        if (list[i].row != 0)
            varint_write(out, (uint64_t)list[i].row);
    }
    for (uint32_t i = 0; i < r->n; i++) {
        const struct cell *c = &r->cells[i];
        uint32_t index;

        if (!c->set && c->counter == NULL) {
            buf_add_byte(out, TYPE_UNSET);
            continue;
        }
        index = c->set ? clock_index(list, &count, &c->clock) : 0;
        buf_add_byte(out, (uint8_t)((c->counter != NULL ? TYPE_COUNTER : c->v.type) |
                                    (index < CLOCK_FOLLOWS ? index : CLOCK_FOLLOWS) << 3));
        if (index >= CLOCK_FOLLOWS)
            varint_write(out, index);
        if (c->counter != NULL)
            counter_write(out, c, gaps);
        else
            value_payload_write(out, &c->v, gaps);
    }
    if (list != few)
        free(list);
}

static bool read_clocks(struct slice *in, struct local_clock *list, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t actor, row = 0;

        if (!u64_read(in, &list[i].stamp) || !varint_read(in, &actor) ||
            !varint_read(in, &list[i].number) || ((actor & 1) != 0 && !varint_read(in, &row)))
            return false;
        list[i].actor = (uint32_t)(actor >> 1);
        list[i].row = (int64_t)row;
    }
    return true;
}

static bool read_cells(struct record *r, struct slice *in, uint64_t cells,
                       const struct local_clock *list, uint64_t count)
{
    for (uint32_t i = 0; i < cells; i++) {
        struct cell *c = record_cell(r, i);
        uint64_t index;
        uint8_t head;

        if (!byte_read(in, &head))
            return false;
        if ((head & 7) == TYPE_UNSET)
            continue;
        index = head >> 3;
        if (index == CLOCK_FOLLOWS && !varint_read(in, &index))
            return false;
        c->set = true;
        if ((head & 7) == TYPE_COUNTER ? !counter_read(r, in, c)
                                       : !value_payload_read(in, head & 7, &c->v))
            return false;
        if (c->set && index >= count)
            return false;
        if (c->set)
            c->clock = list[index];
        counter_show(r, c);
    }
    return in->n == 0;
}

static bool decode(struct record *r, struct slice in)
{
    struct local_clock few[64];
    struct local_clock *list = few;
    uint64_t cells, count, dead;
    bool ok;

    if (in.n == 0 || *in.p != RECORD_VERSION)
        return false;
    in.p++;
    in.n--;
    if (!varint_read(&in, &cells) || !varint_read(&in, &count) || !varint_read(&in, &dead))
        return false;
    if (cells > in.n || count > RECORD_CLOCKS_MAX || dead > count)
        return false;
    if (count > COUNT_OF(few))
        list = mem_alloc(count * sizeof *list);
    ok = read_clocks(&in, list, count) && read_cells(r, &in, cells, list, count);
    if (ok && dead > 0)
        r->dead = list[dead - 1];
    if (list != few)
        free(list);
    return ok;
}

bool record_decode(struct record *r, struct slice bytes, struct err *e)
{
    if (bytes.n > r->bytes_room) {
        r->bytes_room = bytes.n < LARGE_BYTES ? bytes.n * 2 : bytes.n;
        free(r->bytes);
        r->bytes = mem_grow(NULL, r->bytes_room);
    }
    if (bytes.n > 0)
        memcpy(r->bytes, bytes.p, bytes.n);
    return record_borrow(r, (struct slice){r->bytes, bytes.n}, e);
}

bool record_borrow(struct record *r, struct slice bytes, struct err *e)
{
    record_clear(r);
    if (!decode(r, bytes))
        return err_set(e, ERR_STORE,
                       "the ledger holds a record of %zu bytes that cannot be read: "
                       "the disk may be failing; restore the agent's home from its backup",
                       bytes.n);
    return true;
}
