/* Sites that talk with each other, each with the real machine. Each event of the input, [what,
 * choice], is a commit, a message that arrives, a link that comes, breaks or stays half-open, time
 * that passes, a store that is busy or a ledger that is lost. Whatever happens: nobody believes of
 * a site what it has not staged, nothing closes a link among honest sites, and once all can reach
 * all through somebody, all have everything. */
#include "../../tests/unit/sync_net.h"

#include "fuzz.h"

#define EVENTS_MAX 300
#define MADE_MAX   100

static void play(struct net *n, uint8_t what, uint8_t choice)
{
    uint32_t i = choice % n->sites_count;
    uint32_t j = (i + 1 + choice / n->sites_count % (n->sites_count - 1)) % n->sites_count;
    uint32_t more = what / 16;

    switch (what % 16) {
    case 0:
    case 1:
        net_relink(n, i, j);
        break;
    case 2:
        net_cut(n, i, j);
        break;
    case 3:
        net_shut(n, i, j); /* the other side finds out by itself */
        break;
    case 4:
        n->sites[i].refuses = more % 2 == 0 ? ERR_NONE : ERR_BUSY;
        break;
    case 5:
        n->sites[i].unreadable = more % 2 != 0;
        break;
    case 6:
        if (more == 7 && n->sites[i].actor.bytes[ACTOR_BYTES - 1] < 5)
            net_lose_ledger(n, i);
        break;
    case 7:
        net_elapse(n, choice * 50u);
        break;
    case 8:
    case 9:
        if (n->made_count < MADE_MAX)
            net_make(n, i, more * 200);
        break;
    default:
        while (more-- + 1 > 0 && net_deliver(n, i, j))
            ;
    }
}

static void heal(struct net *n)
{
    net_begin_anew(n);
    for (uint32_t i = 1; i < n->sites_count; i++)
        net_link(n, i, i / 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input in = {bytes, size};
    struct net *n = mem_alloc(sizeof *n);

    fuzz_random_begin();
    net_open(n, 2 + take(&in) % 3);
    for (int i = 0; i < EVENTS_MAX && in.n > 0; i++) {
        uint8_t what = take(&in);

        play(n, what, take(&in));
    }
    heal(n);
    net_settle(n);
    net_pass(n, 40000);
    for (uint32_t k = 0; k < NET_ENDS_MAX; k++)
        expect(n->ends[k].closed.code == ERR_NONE);
    expect(net_same(n));
    net_close(n);
    free(n);
    return 0;
}
