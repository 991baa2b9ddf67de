/* Regaining a ledger, rows that are one: others may have forgotten it, and then only the file knows
 * that one of them stands there for both. What was written to it since is an edit of the two. */
#include "regain.h"

#include "author.h"
#include "unite.h"

void regain_put_part(struct regain *b, struct binding *binding, int64_t gid)
{
    if (b->part_of == 0) {
        b->part_of = gid;
        return;
    }
    if (b->part_n == b->part_room) {
        b->part_room = b->part_room * 2 + 16;
        b->parts = mem_grow(b->parts, b->part_room * sizeof *b->parts);
    }
    b->parts[b->part_n++] = (struct part_told){.b = binding, .gid = b->part_of, .stands = gid};
    b->part_of = 0;
}

/* A number may be that of another table, which was untracked since. */
static bool is_of_table(struct regain *b, const struct binding *binding, int64_t gid, bool *is,
                        struct err *e)
{
    struct ledger_row row;
    bool found, ok = ledger_row_get(&b->s->ledger, gid, &row, &found, e);

    *is &= ok && (!found || row.table == binding->table);
    return ok;
}

static bool unite_told(struct regain *b, const struct part_told *p, bool *news, struct err *e)
{
    struct ledger *l = &b->s->ledger;
    int64_t gid, stands;

    if (!ledger_stands(l, p->gid, &gid, e) || !ledger_stands(l, p->stands, &stands, e))
        return false;
    *news = gid != stands && p->b->app->surrogate;
    return is_of_table(b, p->b, gid, news, e) && is_of_table(b, p->b, stands, news, e) &&
           (!*news || unite_rows(b->s, p->b->table, gid, stands, e));
}

bool regain_unite(struct regain *b, struct err *e)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < b->part_n; i++) {
        bool news;

        if (!unite_told(b, &b->parts[i], &news, e))
            return false;
        b->parts[kept] = b->parts[i];
        kept += news;
    }
    b->part_n = kept;
    return unite_names(b->s, e);
}

static bool say_of_table(struct regain *b, struct author *a, const struct binding *binding,
                         struct err *e)
{
    for (uint32_t i = 0; i < b->part_n; i++) {
        const struct part_told *p = &b->parts[i];

        if (p->b != binding)
            continue;
        if (author_is_full(a, 1) && !author_seal(a, e))
            return false;
        author_unite(a, p->b, p->gid, p->stands);
    }
    return true;
}

bool regain_say_parts(struct regain *b, struct store_progress *p, struct err *e)
{
    struct author author;
    bool ok = true;

    if (b->part_n == 0)
        return true;
    author_begin(&author, b->s, b->r.now_ms, p);
    for (uint32_t i = 0; ok && i < b->s->binding_count; i++)
        ok = say_of_table(b, &author, &b->s->bindings[i], e);
    ok = ok && author_seal(&author, e);
    author_close(&author);
    return ok;
}
