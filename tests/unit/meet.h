/* Two sites tell each other all that they have, as links do, also where a chain parted. */
#ifndef NAVETTE_TESTS_MEET_H
#define NAVETTE_TESTS_MEET_H

#include "sites.h"

#define ROUNDS_MAX 40

/* What a link does when `to` hears of what `from` has: the rest of every chain, of its own the last
 * one, where the histories differ. True when it brought something. */
static inline bool hear(struct site *from, struct site *to)
{
    struct vector have = {0};
    bool news = false, rewound = false;
    struct err e = {0};

    vector_copy(&have, store_have(from->store));
    for (uint32_t i = 0; i < have.n && !rewound; i++) {
        const struct vector_entry *theirs = &have.entries[i];
        const struct vector_entry *ours = vector_find(store_have(to->store), &theirs->actor);
        bool own = actor_is_of(&theirs->actor, &to->keys.site);
        uint64_t after = ours == NULL ? 0 : ours->number;
        struct slice left, one;
        struct buf bytes;

        if (own && theirs->number <= after)
            after = theirs->number - 1;
        buf_open(&bytes, 1u << 26);
        if (theirs->number > 0)
            check(store_fetch(from->store, &theirs->actor, after, 1u << 25, &bytes, &e), &e);
        left = buf_slice(&bytes);
        while (!rewound && store_fetch_next(&left, &one, &e)) {
            enum stage_result result = STAGE_KNOWN;

            /* Of a third PC's chain that went on in two ways the other one is refused meanwhile. */
            if (!store_stage(to->store, one, &result, &e)) {
                assert_true(e.code == ERR_GAP || e.code == ERR_CRYPTO);
                err_clear(&e);
                break;
            }
            rewound = result == STAGE_REWOUND;
            news |= result != STAGE_KNOWN;
        }
        buf_close(&bytes);
    }
    vector_close(&have);
    return news;
}

static inline void meet(struct site *a, struct site *b)
{
    bool news = true;
    int rounds = 0;

    while (news) {
        assert_in_range(++rounds, 1, ROUNDS_MAX);
        work(a);
        work(b);
        news = hear(a, b);
        work(b);
        news |= hear(b, a);
        work(a);
    }
}

#endif
