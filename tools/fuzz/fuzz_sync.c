/* A conversation with a peer that has greeted. Each record of the input, [what, choice, length,
 * that many bytes], is one event; whatever a peer says in whatever order and whatever the store
 * answers, the machine does what it must or closes with a reason. */
#include <stdlib.h>

#include <navette/sync.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct fuzz {
    struct sync sync;
    struct sync_claims claims;
    struct vector have;
    uint64_t now_ms;
    uint8_t choice;
};

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static struct actor actor_number(uint8_t i)
{
    return (struct actor){.bytes = {i % 4, [ACTOR_BYTES - 1] = i / 4 % 2}};
}

/* A well-formed change-set; its signature is the store's business. */
static void write_changeset(struct buf *out, const struct actor *a, uint64_t number)
{
    static const uint8_t signature[SIGNATURE_BYTES];
    struct changeset_header h = {.actor = *a, .number = number};
    struct buf header;

    buf_open(&header, HEADER_BYTES_MAX);
    changeset_header_write(&header, &h);
    changeset_join(out, &(struct changeset){buf_slice(&header), signature, SLICE("")});
    buf_close(&header);
}

/* One in outline: only its header counts here. */
static void write_outline(struct buf *framed, struct slice changeset)
{
    struct message m = {.kind = MESSAGE_KIND_OUTLINE};
    struct changeset parts;
    struct err e = {0};

    expect(changeset_split(&parts, changeset, &e));
    m.outline.header = parts.header;
    m.outline.signature = (struct slice){parts.signature, SIGNATURE_BYTES};
    message_write(framed, &m);
}

static struct buf changeset_message(uint8_t actor, uint8_t number)
{
    struct actor a = actor_number(actor);
    struct message m = {.kind = MESSAGE_KIND_CHANGESET};
    struct buf changeset, framed;

    buf_open(&changeset, CHANGESET_BYTES_MAX);
    buf_open(&framed, MESSAGE_BYTES_MAX);
    write_changeset(&changeset, &a, number % 8 + 1);
    m.changeset.bytes = buf_slice(&changeset);
    if (actor % 3 == 0)
        write_outline(&framed, buf_slice(&changeset));
    else
        message_write(&framed, &m);
    buf_take(&framed, 4);
    buf_close(&changeset);
    return framed;
}

static bool step(struct fuzz *f, struct sync_event ev);

/* The store says yes, or any of the errors, as the input chooses. */
static bool stage(struct fuzz *f)
{
    struct actor a = actor_number(f->choice);
    struct err e = {.code = f->choice % (ERR_USAGE + 1)};
    struct sync_event ev = {.kind = SYNC_STAGED, .ok = e.code == ERR_NONE, .e = &e};

    if (ev.ok)
        expect(vector_set(&f->have, &a, vector_get(&f->have, &a) + 1, NULL));
    return step(f, ev);
}

static bool fetch(struct fuzz *f, const struct sync_actions *todo)
{
    struct sync_event ev = {.kind = SYNC_FETCHED};
    struct buf fetched;
    bool ok;

    expect(todo->fetch_after < vector_get(&f->have, &todo->fetch_actor));
    buf_open(&fetched, CHANGESET_BYTES_MAX);
    if (f->choice % 4 != 0)
        write_changeset(&fetched, &todo->fetch_actor, todo->fetch_after + 1);
    ev.bytes = buf_slice(&fetched);
    ok = step(f, ev);
    buf_close(&fetched);
    return ok;
}

/* What came in outline is whole, or cannot be had. */
static bool rebuilt(struct fuzz *f, const struct sync_outline *outline)
{
    struct actor a = outline->actor;
    struct err e = {.code = f->choice % (ERR_USAGE + 1)};
    struct sync_event ev = {.kind = SYNC_REBUILT, .ok = e.code == ERR_NONE, .e = &e, .actor = &a};
    struct buf whole;
    bool ok;

    buf_open(&whole, CHANGESET_BYTES_MAX);
    write_changeset(&whole, &a, outline->number);
    ev.bytes = buf_slice(&whole);
    ok = step(f, ev);
    buf_close(&whole);
    return ok;
}

static bool step(struct fuzz *f, struct sync_event ev)
{
    uint8_t digest[HASH_BYTES] = {f->choice % 16 == 0};
    struct sync_actions todo = {0};
    struct err e = {0};
    bool ok;

    ev.now_ms = ev.wall_ms = f->now_ms;
    ev.roster_digest = digest;
    f->sync.brief = f->choice % 8 == 1;
    ok = sync_step(&f->sync, &ev, &todo, &e);
    expect(ok ? todo.deadline_ms > f->now_ms : e.code != ERR_NONE);
    buf_close(&todo.send);
    if (ok && todo.stage.n > 0)
        ok = stage(f);
    if (ok && todo.outline.number > 0)
        ok = rebuilt(f, &todo.outline);
    return ok && (!todo.fetch || fetch(f, &todo));
}

static bool play(struct fuzz *f, uint8_t what, struct slice bytes)
{
    struct actor self = actor_number(0);
    struct sync_event ev = {.bytes = bytes};
    bool ok;

    if (what % 5 == 4) {
        struct buf message = changeset_message(what / 5, f->choice / 8);

        ev = (struct sync_event){.kind = SYNC_MESSAGE, .bytes = buf_slice(&message)};
        ok = step(f, ev);
        buf_close(&message);
        return ok;
    }
    ev.kind = what % 5 == 0 ? SYNC_TIMEOUT : what % 5 == 1 ? SYNC_LOCAL : SYNC_MESSAGE;
    if (ev.kind == SYNC_TIMEOUT)
        f->now_ms += f->choice * 50u;
    if (ev.kind == SYNC_LOCAL)
        expect(vector_set(&f->have, &self, vector_get(&f->have, &self) + 1, NULL));
    return step(f, ev);
}

static bool greet(struct fuzz *f)
{
    struct actor self = actor_number(0), peer = actor_number(1);
    struct site_id site = actor_site(&peer);
    struct message hello = {.kind = MESSAGE_KIND_HELLO};
    struct buf framed;
    bool ok;

    hello.hello.protocol = SYNC_PROTOCOL;
    hello.hello.actor = peer;
    buf_open(&framed, 4096);
    message_write(&framed, &hello);
    sync_open(&f->sync, 1, &self, &site, &f->claims, &f->have, &f->have);
    ok = step(f, (struct sync_event){.kind = SYNC_OPENED}) &&
         step(f, (struct sync_event){.kind = SYNC_MESSAGE, .bytes = {framed.p + 4, framed.n - 4}});
    buf_close(&framed);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct fuzz f = {.now_ms = 1000000, .choice = 1};
    bool ok = greet(&f);

    expect(ok);
    while (ok && n >= 3) {
        size_t most = n - 3, take = bytes[2] < most ? bytes[2] : most;

        f.choice = bytes[1];
        ok = play(&f, bytes[0], (struct slice){bytes + 3, take});
        bytes += 3 + take;
        n -= 3 + take;
    }
    sync_close(&f.sync);
    sync_claims_close(&f.claims);
    vector_close(&f.have);
    return 0;
}
