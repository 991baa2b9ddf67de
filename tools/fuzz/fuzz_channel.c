/* A channel from its first byte to its last, and one in between who holds the wire. Each event of
 * the input, [what, choice], is something that an end or he does. Whatever it is: each end hears a
 * beginning of what the other said, in order and word for word; who failed says and hears nothing
 * more; where nobody meddled all arrives; and two ends that are open know each other. */
#include <navette/frame.h>

#include "fuzz.h"

#define WIRE_BYTES_MAX (1u << 20)
#define SAID_BYTES_MAX (1u << 20)
#define EVENTS_MAX     400

struct end {
    struct channel channel;
    struct keys keys;
    struct buf wire;  /* on its way to this end */
    struct buf said;  /* by this end: messages, each with its length in front */
    struct buf heard; /* by this end, likewise */
    bool meddled;     /* with what was on its way to this end */
};

struct fuzz {
    struct end ends[2]; /* the first one dials */
    struct buf recorded;
    struct replay_cache replays;
    uint64_t now_ms;
};

static void add_message(struct buf *to, struct slice message)
{
    uint8_t length[4];

    be32_write(length, (uint32_t)message.n);
    buf_add(to, length, sizeof length);
    buf_add(to, message.p, message.n);
    expect(!to->overflow);
}

static bool on_message(void *context, struct slice message, struct err *e)
{
    struct end *end = context;

    (void)e;
    expect(end->channel.state == CHANNEL_OPEN && message.n > 0);
    add_message(&end->heard, message);
    return true;
}

/* What an end heard is how what the other said begins. */
static void check(struct fuzz *f)
{
    for (int i = 0; i < 2; i++) {
        const struct end *end = &f->ends[i], *other = &f->ends[1 - i];

        expect(end->heard.n <= other->said.n);
        expect(end->heard.n == 0 || memcmp(end->heard.p, other->said.p, end->heard.n) == 0);
        if (end->channel.state == CHANNEL_OPEN)
            expect(site_equal(&end->channel.peer, &other->keys.site));
        if (end->channel.state == CHANNEL_FAILED)
            expect(sodium_is_zero(end->channel.send.key, 32));
    }
    if (f->ends[0].channel.state == CHANNEL_OPEN && f->ends[1].channel.state == CHANNEL_OPEN)
        expect(memcmp(f->ends[0].channel.session, f->ends[1].channel.session, 32) == 0);
}

/* The next n bytes on their way to end i arrive. */
static void deliver(struct fuzz *f, int i, size_t n)
{
    struct end *end = &f->ends[i];
    bool failed = end->channel.state == CHANNEL_FAILED;
    size_t back = f->ends[1 - i].wire.n, heard = end->heard.n;
    struct err e = {0};
    bool ok;

    n = n < end->wire.n ? n : end->wire.n;
    if (n == 0)
        return;
    channel_clock(&end->channel, f->now_ms);
    ok = channel_feed(&end->channel, (struct slice){end->wire.p, n}, &f->ends[1 - i].wire,
                      on_message, end, &e);
    expect(ok == (e.code == ERR_NONE) && ok == (end->channel.state != CHANNEL_FAILED));
    expect(ok || end->meddled || f->ends[1 - i].meddled);
    expect(!failed || (!ok && f->ends[1 - i].wire.n == back && end->heard.n == heard));
    buf_take(&end->wire, n);
}

static void say(struct fuzz *f, int i, uint8_t choice)
{
    static const size_t sizes[] = {1, 2, 17, 300, 65517, 65518, 65519, 140000};
    struct end *end = &f->ends[i];
    size_t n = sizes[choice % COUNT_OF(sizes)];
    uint8_t *message;
    struct err e = {0};

    if (end->channel.state != CHANNEL_OPEN || f->ends[1 - i].wire.n > WIRE_BYTES_MAX / 4 ||
        end->said.n > SAID_BYTES_MAX / 2)
        return;
    message = mem_alloc(n);
    memset(message, choice, n);
    channel_clock(&end->channel, f->now_ms);
    expect(channel_send(&end->channel, (struct slice){message, n}, &f->ends[1 - i].wire, &e));
    add_message(&end->said, (struct slice){message, n});
    free(message);
}

/* What one can do who holds the wire. */
static void meddle(struct fuzz *f, int i, uint8_t what, uint8_t choice)
{
    struct end *end = &f->ends[i];
    size_t n = end->wire.n, at = n == 0 ? 0 : choice * n / 256;

    if (n == 0 && what != 4)
        return;
    switch (what) {
    case 0:
        end->wire.p[at] ^= (uint8_t)(1u << choice % 8);
        break;
    case 1: /* something is lost */
        memmove(end->wire.p + at, end->wire.p + at + 1, n - at - 1);
        end->wire.n--;
        break;
    case 2: /* something comes twice */
        buf_clear(&f->recorded);
        buf_add(&f->recorded, end->wire.p, at + 1);
        buf_add(&end->wire, f->recorded.p, f->recorded.n);
        break;
    case 3: /* recorded */
        buf_clear(&f->recorded);
        buf_add(&f->recorded, end->wire.p, n);
        return;
    case 4: /* played, to whichever end */
        if (f->recorded.n == 0)
            return;
        buf_add(&end->wire, f->recorded.p, f->recorded.n);
        break;
    default: /* turned back to who said it */
        if (f->ends[1 - i].wire.n + n > WIRE_BYTES_MAX)
            return;
        buf_add(&f->ends[1 - i].wire, end->wire.p, n);
        f->ends[1 - i].meddled = true;
    }
    end->wire.overflow = false; /* what has no room is lost */
    end->meddled = true;
}

static void play(struct fuzz *f, uint8_t what, uint8_t choice)
{
    int i = what & 1;

    what >>= 1;
    if (what % 8 < 3)
        deliver(f, i, what % 8 == 0 ? SIZE_MAX : choice);
    else if (what % 8 < 5)
        say(f, i, choice);
    else if (what % 8 == 5)
        f->now_ms += choice * UINT64_C(60000);
    else if (what % 8 == 6)
        meddle(f, i, what / 8 % 6, choice);
    else
        deliver(f, i, 1 + (size_t)choice * 300);
    check(f);
}

static void begin(struct fuzz *f, uint8_t how)
{
    struct channel_secret secret = {.mode = how % 2 == 0 ? CHANNEL_FLEET : CHANNEL_INVITE};
    struct err e = {0};

    for (uint8_t i = 0; i < 2; i++) {
        struct end *end = &f->ends[i];

        keys_from_seed(&end->keys, (const uint8_t[32]){i + 1});
        buf_open(&end->wire, WIRE_BYTES_MAX);
        buf_open(&end->said, SAID_BYTES_MAX);
        buf_open(&end->heard, SAID_BYTES_MAX);
    }
    buf_open(&f->recorded, WIRE_BYTES_MAX / 4);
    for (int i = 0; i < 2; i++) {
        expect(channel_open(&f->ends[i].channel, i == 0, &f->ends[i].keys, &secret, 1, &f->replays,
                            &f->ends[1].wire, &e));
        if (how & 2)
            f->ends[i].channel.rekey_bytes = 1000;
    }
}

/* Where nobody meddled, nothing is missing in the end. */
static void finish(struct fuzz *f)
{
    bool clean = !f->ends[0].meddled && !f->ends[1].meddled;

    while (clean && (f->ends[0].wire.n > 0 || f->ends[1].wire.n > 0)) {
        deliver(f, 0, SIZE_MAX);
        deliver(f, 1, SIZE_MAX);
    }
    check(f);
    for (int i = 0; i < 2 && clean; i++)
        expect(f->ends[i].channel.state == CHANNEL_OPEN &&
               f->ends[i].heard.n == f->ends[1 - i].said.n);
    for (int i = 0; i < 2; i++) {
        struct end *end = &f->ends[i];

        channel_close(&end->channel);
        buf_close(&end->wire);
        buf_close(&end->said);
        buf_close(&end->heard);
    }
    buf_close(&f->recorded);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct input in = {bytes, n};
    struct fuzz *f = mem_alloc(sizeof *f);

    fuzz_random_begin();
    begin(f, take(&in));
    for (int i = 0; i < EVENTS_MAX && in.n > 0; i++) {
        uint8_t what = take(&in);

        play(f, what, take(&in));
    }
    finish(f);
    free(f);
    return 0;
}
