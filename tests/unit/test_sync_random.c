/* Random networks: sites that commit, links that come, break and stay half-open, stores that are
 * busy, ledgers that are lost, messages delivered in any order between links. Whatever happened,
 * once everybody can reach everybody through somebody, all have everything; and then each new
 * change-set reaches each site exactly once. NAVETTE_SEED=n replays one. */
#include "sync_net.h"

#define SEEDS 300
#define STEPS 600

struct dice {
    uint64_t state;
};

/* splitmix64 */
static uint32_t roll(struct dice *d, uint32_t sides)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) % sides);
}

/* Deliver at most `most` messages, each from whichever link the dice choose. */
static bool deliver_some(struct net *n, struct dice *d, uint32_t most)
{
    uint32_t start = roll(d, NET_ENDS_MAX);
    bool any = false;

    for (uint32_t k = 0; k < NET_ENDS_MAX && most > 0; k++) {
        uint32_t at = (start + k) % NET_ENDS_MAX;
        uint32_t several = 1 + roll(d, 3);

        while (several > 0 && most > 0 && net_deliver(n, at / NET_SITES_MAX, at % NET_SITES_MAX)) {
            several--;
            most--;
            any = true;
        }
    }
    return any;
}

static void disturb(struct net *n, struct dice *d)
{
    uint32_t i = roll(d, n->sites_count);
    uint32_t j = (i + 1 + roll(d, n->sites_count - 1)) % n->sites_count;

    switch (roll(d, 24)) {
    case 0:
    case 1:
    case 2:
        net_relink(n, i, j);
        break;
    case 3:
        net_cut(n, i, j);
        break;
    case 4:
        net_shut(n, i, j); /* the other side finds out by itself */
        break;
    case 5:
        n->sites[i].refuses = roll(d, 2) == 0 ? ERR_NONE : ERR_BUSY;
        break;
    case 6:
        n->sites[i].unreadable = roll(d, 2) == 0;
        break;
    case 7:
        if (roll(d, 8) == 0)
            net_lose_ledger(n, i);
        break;
    case 8:
    case 9:
        net_elapse(n, roll(d, 400));
        break;
    case 10:
        net_elapse(n, roll(d, 12000));
        break;
    case 11:
    case 12:
    case 13:
    case 14:
        net_make(n, i, roll(d, 4) == 0 ? roll(d, 3000) : 0);
        break;
    default:
        deliver_some(n, d, 1 + roll(d, 6));
    }
}

/* Everybody is healthy and each site reaches the others, if only through one neighbour. */
static void heal(struct net *n, struct dice *d)
{
    net_begin_anew(n);
    for (uint32_t i = 1; i < n->sites_count; i++) {
        uint32_t neighbour = roll(d, i);

        for (uint32_t j = 0; j < i; j++) {
            if (j == neighbour || roll(d, 3) == 0)
                net_link(n, i, j);
        }
    }
}

static void check_all_links_up(const struct net *n)
{
    for (uint32_t k = 0; k < NET_ENDS_MAX; k++) {
        if (n->ends[k].closed.code != ERR_NONE)
            fail_msg("a link closed by itself: %s", n->ends[k].closed.text);
    }
}

/* In the quiet, whatever the shape of the network: one copy for everybody but the author. */
static void check_no_copy_too_many(struct net *n, struct dice *d)
{
    uint32_t made = 1 + roll(d, 10), copies = 0;

    net_mute(n);
    for (uint32_t k = 0; k < made; k++) {
        net_make(n, roll(d, n->sites_count), 0);
        deliver_some(n, d, roll(d, 8));
    }
    while (deliver_some(n, d, 5))
        ;
    if (!net_same(n))
        fail_msg("the sites differ in the quiet\n%s", n->trace);
    for (uint32_t i = 0; i < n->sites_count; i++)
        copies += n->sites[i].copies;
    if (copies != made * (n->sites_count - 1))
        fail_msg("%u copies of %u change-sets for %u sites\n%s", copies, made, n->sites_count,
                 n->trace);
}

static void run_seed(uint64_t seed)
{
    struct dice d = {.state = seed};
    struct net *n = mem_alloc(sizeof *n);

    net_open(n, 2 + roll(&d, NET_SITES_MAX - 1));
    for (uint32_t i = 1; i < n->sites_count; i++) {
        if (roll(&d, 2) == 0)
            n->sites[i].members = (uint8_t)(1u << i | 1u);
    }
    for (uint32_t k = 0; k < STEPS; k++)
        disturb(n, &d);
    heal(n, &d);
    while (deliver_some(n, &d, 7))
        ;
    net_pass(n, 40000);
    check_all_links_up(n);
    if (!net_same(n))
        fail_msg("the sites differ\n%s", n->trace);
    check_no_copy_too_many(n, &d);
    net_close(n);
    free(n);
}

/* Between setup and teardown: which seed is running, 0 when all went well. */
static int begin(void **state)
{
    *state = mem_alloc(sizeof(uint64_t));
    return 0;
}

static int say_seed(void **state)
{
    uint64_t *seed = *state;

    if (*seed != 0)
        print_message("replay with NAVETTE_SEED=%u\n", (unsigned)*seed);
    free(seed);
    return 0;
}

static void any_network_converges_and_wastes_nothing(void **state)
{
    const char *only = getenv("NAVETTE_SEED");
    uint64_t *seed = *state;
    uint64_t last = SEEDS;

    *seed = 1;
    if (only != NULL)
        *seed = last = strtoull(only, NULL, 10);
    for (; *seed <= last; ++*seed)
        run_seed(*seed);
    *seed = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_network_converges_and_wastes_nothing, begin, say_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
