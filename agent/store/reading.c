#include "reading.h"

#include "counter.h"
#include "ledger_limits.h"

#include <stdlib.h>

void reading_close(struct reading *r)
{
    changeset_header_close(&r->h);
    body_read_close(&r->body);
    free(r->actors);
    free(r->positions);
    *r = (struct reading){0};
}

bool reading_open(struct reading *r, struct ledger *l, struct slice bytes, struct err *e)
{
    *r = (struct reading){0};
    if (!changeset_open(&r->parts, &r->h, bytes, e))
        return false;
    body_read(&r->body, r->parts.body, r->h.stamp, e);
    r->actors = mem_alloc((r->body.actor_count + 1) * sizeof *r->actors);
    for (uint32_t i = 0; i < r->body.actor_count; i++)
        if (!ledger_actor(l, &r->body.actors[i], &r->actors[i], e))
            return false;
    return true;
}

bool reading_table(struct reading *r, struct ledger *l, struct err *e)
{
    if (!ledger_table(l, r->body.table.name, &r->table, e))
        return false;
    free(r->positions);
    r->positions = mem_alloc((r->body.table.columns + 1) * sizeof *r->positions);
    for (uint32_t i = 0; i < r->body.table.columns; i++)
        if (!ledger_column(l, r->table, r->body.table.names[i], &r->positions[i], e))
            return false;
    return true;
}

int64_t reading_gid(const struct reading *r, struct gid g)
{
    return gid_pack((struct gid){r->actors[g.actor], g.counter});
}

bool reading_total(struct ledger *l, struct slice bytes, uint32_t table, uint32_t position,
                   struct total *t, bool *says, struct err *e)
{
    struct reading in;
    bool ok = reading_open(&in, l, bytes, e);

    while (ok && body_next_table(&in.body)) {
        ok = reading_table(&in, l, e);
        while (ok && body_next_row(&in.body))
            for (uint32_t i = 0; i < in.body.row.counter_n; i++) {
                const struct body_counter *c = &in.body.row.counters[i];

                if (!c->delta || in.table->id != table ||
                    reading_gid(&in, in.body.row.gid) != t->gid ||
                    in.positions[in.body.row.columns[c->cell]] != position)
                    continue;
                t->number = in.h.number;
                t->stamp = ledger_stamp(l, t->actor, in.h.number, in.body.row.stamp);
                t->total = c->total;
                t->form = c->form;
                *says = true;
            }
    }
    ok = ok && body_read_end(&in.body);
    reading_close(&in);
    return ok;
}
