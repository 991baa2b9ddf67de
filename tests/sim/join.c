/* A PC whose rows must first be matched with a member's: what the agent's shell does about it. */
#include "sim.h"

#define KEYS_WAIT_MS 5000
#define STILL_MS     1000
#define EMPTY_MS     4000

/* A member with whom we talk, and of whom we have everything; -1 if there is none, or if somebody
 * has more than we do. */
static int find_member(const struct node *n)
{
    int found = -1;

    for (uint32_t peer = 0; peer < n->sim->options.nodes; peer++) {
        const struct talk *t = &n->talks[peer];

        if (!t->open || t->sync.state != SYNC_OPEN)
            continue;
        if (!vector_covers(store_have(n->store), &t->sync.peer_have))
            return -1;
        found = (int)peer;
    }
    return found;
}

/* Its file holds what nobody has told us: somebody who is away may. */
static bool awaits_absent(struct node *n)
{
    struct err e = {0};
    bool lacks = false;

    if (!store_match_lacks(n->store, &lacks, &e))
        return true;
    for (uint32_t peer = 0; lacks && peer < n->sim->options.nodes; peer++)
        if (peer != n->index && !(n->talks[peer].open && n->talks[peer].sync.state == SYNC_OPEN))
            return true;
    return false;
}

static void ask_keys(struct node *n, uint32_t peer)
{
    struct buf out = {0};

    n->keys_asked_ms = n->sim->now_ms;
    sync_ask_keys(&out);
    talk_send(n, peer, &out);
    buf_close(&out);
}

static void match(struct node *n)
{
    struct actor before = *store_actor(n->store);
    struct err e = {0};
    struct slice keys = buf_slice(&n->peer_keys);
    bool ok = store_match(n->store, n->copy, &keys, keys.n > 0, n->wall_ms, &e);

    if (node_reap(n))
        return;
    if (!ok && !(e.code == ERR_BUSY && n->app.open)) {
        sim_fail_err(n->sim, n, "match", &e);
        return;
    }
    if (store_state(n->store) != STORE_READY)
        return;
    sim_trace(n->sim, n, "matched its rows");
    buf_close(&n->peer_keys);
    n->peer_keys_came = false;
    n->keys_asked_ms = 0;
    n->stirred = n->news = true;
    node_poke(n);
    if (!actor_equal(&before, store_actor(n->store)))
        talk_close_all(n);
}

/* Nobody answers when nobody is a member yet, or no more: then it is stillness that tells. */
static bool is_still(struct node *n)
{
    const struct vector *have = store_have(n->store);
    uint64_t sum = 0;

    for (uint32_t i = 0; i < have->n; i++)
        sum += have->entries[i].number;
    if (sum != n->have_sum || n->grew_ms == 0) {
        n->have_sum = sum;
        n->grew_ms = n->sim->now_ms;
    }
    return n->sim->now_ms - n->grew_ms >=
           STILL_MS + (have->n == 0 ? n->index * (uint64_t)EMPTY_MS : 0);
}

void node_join(struct node *n)
{
    bool waited;
    int member;

    if (!sim_ok(n->sim) || n->store == NULL || store_state(n->store) == STORE_READY)
        return;
    n->pump_ms = n->sim->now_ms + 100;
    member = find_member(n);
    if (member < 0 || awaits_absent(n))
        return;
    waited = n->keys_asked_ms != 0 && n->sim->now_ms - n->keys_asked_ms > KEYS_WAIT_MS;
    if (n->peer_keys_came || (is_still(n) && waited))
        match(n);
    else if (n->keys_asked_ms == 0 || waited)
        ask_keys(n, (uint32_t)member);
}

void node_take_keys(struct node *n, struct slice keys)
{
    if (n->keys_asked_ms == 0 || n->peer_keys_came)
        return;
    buf_open(&n->peer_keys, KEYS_BYTES_MAX);
    buf_add(&n->peer_keys, keys.p, keys.n);
    n->peer_keys_came = true;
    node_poke(n);
}

bool node_tell_keys(struct node *n, uint32_t peer)
{
    struct buf keys = {0}, out = {0};
    struct store_status status;
    struct err e = {0};

    if (store_state(n->store) != STORE_READY || !store_status(n->store, &status, &e) ||
        status.unscanned > 0)
        return false;
    buf_open(&keys, KEYS_BYTES_MAX);
    if (!store_keys(n->store, &keys, &e))
        sim_fail_err(n->sim, n, "keys", &e);
    sync_tell_keys(buf_slice(&keys), &out);
    talk_send(n, peer, &out);
    buf_close(&keys);
    buf_close(&out);
    return true;
}
