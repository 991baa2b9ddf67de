/* A PC whose whole disk, database and home, is put back to the copy that was kept of it. */
#ifndef NAVETTE_TESTS_WENTBACK_H
#define NAVETTE_TESTS_WENTBACK_H

#include "counted.h"
#include "meet.h"
#include "sites.h"

static inline void keep_pc(struct site *s)
{
    work(s);
    keep_ledger(s);
    keep_database(s);
}

static inline void put_pc_back(struct site *s)
{
    put_ledger_back(s);
    put_database_back(s, s);
    tick(s);
    open_store(s);
}

/* A file went back while its agent was stopped: what both come to when it has started. */
static inline void expect_both_settled(struct site *a, struct site *b, const char *text,
                                       const char *answer)
{
    open_store(a);
    exchange(a, b);
    expect_both(a, b, text, answer);
}

/* Three that are in step, and a copy of B's disk, with so many change-sets of `first` in it. */
static inline uint64_t keep_one_of_three(struct site *a, struct site *b, struct site *c,
                                         const char *schema, struct actor *first)
{
    open_pair(a, b, schema, schema);
    join_third(a, b, c, schema);
    meet(a, b);
    meet(b, c);
    meet(a, c);
    keep_pc(b);
    *first = *store_actor(b->store);
    return vector_get(store_have(b->store), first);
}

/* First the home alone, beside which the database is a stranger, and then the database, which it
 * knows. */
static inline void put_back_home_then_database(struct site *s)
{
    put_ledger_back(s);
    open_store(s);
    assert_int_equal(store_state(s->store), STORE_MATCHING);
    put_database_back(s, s);
    open_store(s);
    assert_int_equal(store_state(s->store), STORE_READY);
}

/* What `to` says to the first change-set of `actor` after `after`, as `from` has it. */
static inline enum err_code stage_one_of(struct site *from, struct site *to,
                                         const struct actor *actor, uint64_t after)
{
    struct slice left, one;
    struct buf bytes;
    enum stage_result result;
    struct err e = {0};

    buf_open(&bytes, 1u << 26);
    check(store_fetch(from->store, actor, after, 1, &bytes, &e), &e);
    left = buf_slice(&bytes);
    assert_true(store_fetch_next(&left, &one, &e));
    if (store_stage(to->store, one, &result, &e))
        e.code = ERR_NONE;
    buf_close(&bytes);
    return e.code;
}

#endif
