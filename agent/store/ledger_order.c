#include "ledger_order.h"

#include "counter.h"
#include "ledger.h"

int ledger_clock_compare(const struct ledger *l, const struct local_clock *a,
                         const struct local_clock *b)
{
    int order;

    if (a->stamp != b->stamp)
        return a->stamp < b->stamp ? -1 : 1;
    if (a->actor != b->actor) {
        if (a->actor == 0 || b->actor == 0)
            return a->actor == 0 ? -1 : 1;
        order = actor_compare(&l->actors[a->actor - 1].actor, &l->actors[b->actor - 1].actor);
        if (order != 0)
            return order;
    }
    return a->number == b->number ? 0 : a->number < b->number ? -1 : 1;
}

/* Order of two values that every site computes alike (protocol/README.md): by their bytes on the
 * wire, references by the gids that were said, whatever row stands for them here. */
static int value_order(const struct ledger *l, const struct value *a, const struct value *b)
{
    struct buf left, right;
    int order;

    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    if (a->type == VALUE_REF)
        return gid_order(l, gid_pack(a->ref), gid_pack(b->ref));
    buf_open(&left, VALUE_BYTES_MAX + 32);
    buf_open(&right, VALUE_BYTES_MAX + 32);
    write_value(&(struct writer){&left}, a);
    write_value(&(struct writer){&right}, b);
    order = slice_compare(buf_slice(&left), buf_slice(&right));
    buf_close(&left);
    buf_close(&right);
    return order;
}

/* Of a write and its repairs, which have one clock and one row, the one that was repaired most
 * stands. */
static int repair_order(const struct ledger *l, const struct value *a, const struct value *b)
{
    size_t left = a->type == VALUE_TEXT ? a->bytes.n : 0;
    size_t right = b->type == VALUE_TEXT ? b->bytes.n : 0;

    return left != right ? (left < right ? -1 : 1) : value_order(l, a, b);
}

static int64_t row_of(const struct local_clock *c, int64_t own)
{
    return c->row == 0 ? own : c->row;
}

bool ledger_clock_same(int64_t own, const struct local_clock *a, const struct local_clock *b)
{
    return a->stamp == b->stamp && a->actor == b->actor && a->number == b->number &&
           row_of(a, own) == row_of(b, own);
}

int ledger_cell_compare(const struct ledger *l, int64_t own, const struct cell *a,
                        const struct cell *b)
{
    int64_t left = row_of(&a->clock, own), right = row_of(&b->clock, own);
    int order;

    if (a->clock.stamp == 0 && b->clock.stamp == 0) {
        order = value_order(l, cell_base(a), cell_base(b));
        if (order != 0)
            return order;
    }
    order = ledger_clock_compare(l, &a->clock, &b->clock);
    if (order == 0 && left != right)
        order = gid_order(l, left, right);
    return order != 0 ? order : repair_order(l, cell_base(a), cell_base(b));
}

static bool is_edit(const struct ledger *l, const struct record *r, const struct local_clock *c)
{
    return r->dead.number == 0 || ledger_clock_compare(l, c, &r->dead) > 0;
}

/* Has a total said something later than the delete? */
static bool counted_after(const struct ledger *l, const struct record *r, const struct cell *c)
{
    for (uint32_t i = 0; c->counter != NULL && i < c->counter->n; i++) {
        const struct total *t = &c->counter->totals[i];
        struct local_clock clock = {.stamp = t->stamp, .number = t->number, .actor = t->actor};

        if (t->number > 0 && is_edit(l, r, &clock))
            return true;
    }
    return false;
}

bool ledger_alive(const struct ledger *l, const struct record *r)
{
    for (uint32_t i = 0; i < r->n; i++) {
        const struct cell *c = &r->cells[i];

        if ((c->set && is_edit(l, r, &c->clock)) || counted_after(l, r, c))
            return true;
    }
    return false;
}
