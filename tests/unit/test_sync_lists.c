/* A shop of ten sums up a long list of members, each connected with each: what that costs on the
 * wire. The lists and the conversations are the real ones. */
#include <navette/message.h>
#include <navette/sync.h>

#include "checkpoint.h"
#include "library.h"
#include "renames.h"

#define TILLS 10

struct till {
    struct keys k;
    struct roster r;
    uint8_t digest[HASH_BYTES];
    struct actor actor;
    struct sync_claims claims;
    struct vector have;
    struct sync talks[TILLS];
    struct buf in[TILLS]; /* from whom */
    size_t sent;          /* bytes of ROSTER */
};

static size_t bytes_of_rosters(struct slice messages)
{
    struct slice one;
    size_t n = 0;

    while (message_next(&messages, &one))
        n += message_is(one, MESSAGE_KIND_ROSTER) ? one.n : 0;
    return n;
}

/* Something happened at i's end of the link with j. Is the list of i another one now? */
static bool step(struct till *t, int i, int j, struct sync_event ev)
{
    struct till *self = &t[i];
    struct sync_actions todo = {0};
    struct err e = {0};
    bool changed = false, settled = false;

    ev.now_ms = 1000;
    ev.wall_ms = 1000;
    ev.roster = buf_slice(&self->r.log);
    ev.roster_digest = self->digest;
    if (!sync_step(&self->talks[j], &ev, &todo, &e))
        fail_msg("%s", e.text);
    self->sent += bytes_of_rosters(buf_slice(&todo.send));
    buf_add(&t[j].in[i], todo.send.p, todo.send.n);
    if (todo.roster.n > 0) {
        if (!roster_take(&self->r, todo.roster, &changed, &e) ||
            !roster_settle(&self->r, &self->k, &settled, &e))
            fail_msg("%s", e.text);
        roster_digest(&self->r, self->digest);
    }
    buf_close(&todo.send);
    return changed || settled;
}

static void tell_all(struct till *t, int i)
{
    for (int j = 0; j < TILLS; j++)
        if (j != i)
            step(t, i, j, (struct sync_event){.kind = SYNC_LOCAL});
}

/* Takes one message from j to i off the wire. */
static bool deliver(struct till *t, int i, int j)
{
    struct buf *in = &t[i].in[j], copy;
    struct slice left = buf_slice(in), one;
    bool changed;

    if (i == j || !message_next(&left, &one))
        return false;
    buf_open(&copy, MESSAGE_BYTES_MAX);
    buf_add(&copy, one.p, one.n);
    buf_take(in, in->n - left.n);
    changed = step(t, i, j, (struct sync_event){.kind = SYNC_MESSAGE, .bytes = buf_slice(&copy)});
    buf_close(&copy);
    if (changed)
        tell_all(t, i);
    return true;
}

static void run_until_quiet(struct till *t)
{
    bool any = true;

    while (any) {
        any = false;
        for (int i = 0; i < TILLS; i++)
            for (int j = 0; j < TILLS; j++)
                any |= deliver(t, i, j);
    }
}

static void open_shop_of_ten(struct till *t)
{
    struct err e = {0};
    struct buf log;
    bool changed;

    for (int i = 0; i < TILLS; i++) {
        uint8_t seed[KEY_BYTES] = {(uint8_t)i, 55};

        keys_from_seed(&t[i].k, seed);
        t[i].actor = actor_of(&t[i].k, 1);
    }
    assert_true(roster_create(&t[0].r, "Boutique", "A", &t[0].k, &e));
    for (int i = 1; i < TILLS; i++)
        enrol(&t[0].r, &t[i].k, "CAISSE", &t[0].k);
    renames_write(&log, &t[0].r, &t[0].k, 1250);
    assert_true(roster_merge(&t[0].r, buf_slice(&log), &changed, &e));
    buf_close(&log);
    for (int i = 0; i < TILLS; i++) {
        if (i > 0)
            assert_true(roster_copy(&t[i].r, &t[0].r, &e));
        roster_digest(&t[i].r, t[i].digest);
        for (int j = 0; j < TILLS; j++) {
            buf_open(&t[i].in[j], 1u << 28);
            sync_open(&t[i].talks[j], (uint64_t)(TILLS * i + j + 1), &t[i].actor, &t[j].k.site,
                      &t[i].claims, &t[i].have, &t[i].have);
        }
    }
    for (int i = 0; i < TILLS; i++)
        for (int j = 0; j < TILLS; j++)
            if (i != j)
                step(t, i, j, (struct sync_event){.kind = SYNC_OPENED});
    run_until_quiet(t);
}

static void a_long_list_is_summed_up_without_being_sent(void **state)
{
    struct till *t = mem_alloc(TILLS * sizeof *t);
    size_t list, sent = 0;

    (void)state;
    open_shop_of_ten(t);
    list = t[0].r.log.n;
    assert_true(list > 200000);
    make(&t[0].r, &t[0].k);
    roster_digest(&t[0].r, t[0].digest);
    tell_all(t, 0);
    run_until_quiet(t);
    for (int i = 0; i < TILLS; i++) {
        assert_true(t[i].r.before > 0);
        check_digest(&t[i].r, &t[0].r);
        sent += t[i].sent;
    }
    print_message("%zu bytes a PC, of a list of %zu\n", sent / TILLS, list);
    assert_true(sent / TILLS < list / 2);
    for (int i = 0; i < TILLS; i++) {
        for (int j = 0; j < TILLS; j++) {
            buf_close(&t[i].in[j]);
            sync_close(&t[i].talks[j]);
        }
        sync_claims_close(&t[i].claims);
        roster_close(&t[i].r);
    }
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_list_is_summed_up_without_being_sent),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
