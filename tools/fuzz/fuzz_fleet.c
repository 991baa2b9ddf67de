/* Rosters of several sites that rule at once, hear of each other in any order, and sometimes only a
 * part. Each event of the input, [what, who, whom], is a word of an admin or a meeting. Whatever
 * they say: a refusal changes nothing, nobody who was shut out is forgotten, there always is an
 * admin, and when all have met all say the same: but who was summed up away, without knowing of his
 * end, keeps his own list. A checkpoint changes nobody's standing, whoever made it. */
#include "../../protocol/entry.h"
#include "fuzz.h"

#define SITES      5
#define EVENTS_MAX 48

#define CHECKPOINTS 240 /* what is about them begins here */

struct fuzz {
    struct keys keys[SITES];
    struct roster rosters[SITES];
    bool in[SITES];         /* has a roster */
    bool out[SITES][SITES]; /* of each one's roster: who was shut out */
    uint8_t fleet_key;
};

static const uint8_t invites[2][ROSTER_INVITE_ID_BYTES] = {{1}, {2}};

/* One's own word, or another's, was taken in. */
static void check(struct fuzz *f, int i)
{
    const struct roster *r = &f->rosters[i];
    uint32_t admins = 0;

    for (uint32_t j = 0; j < r->known_count; j++) {
        const struct roster_site *s = &r->sites[j];

        expect((j < r->site_count) == (s->standing == ROSTER_MEMBER));
        admins += j < r->site_count && s->admin;
        expect(roster_author(r, &s->site) == s);
    }
    expect(r->site_count == 0 || admins > 0);
    for (int j = 0; j < SITES; j++) {
        const struct roster_site *s = roster_author(r, &f->keys[j].site);

        expect(s != NULL || !f->out[i][j]);
        f->out[i][j] |= s != NULL && s->standing != ROSTER_MEMBER;
    }
}

static void load_again(const struct roster *r)
{
    struct roster again = {0};
    uint8_t here[HASH_BYTES], there[HASH_BYTES];
    struct err e = {0};

    expect(roster_load(&again, buf_slice(&r->log), &e));
    roster_digest(r, here);
    roster_digest(&again, there);
    expect(memcmp(here, there, sizeof here) == 0);
    roster_close(&again);
}

/* What is taken is what is merged; and what is not rests on one who has no say here. */
static void look_at_taking(const struct roster *r, struct slice log)
{
    struct roster taken = {0}, merged = {0};
    struct err e = {0}, other = {0};
    uint8_t one[HASH_BYTES], two[HASH_BYTES];
    uint32_t mute = 0;
    bool changed, ok;

    expect(roster_copy(&taken, r, &e) && roster_copy(&merged, r, &e));
    ok = roster_take(&taken, log, &changed, &e);
    expect(roster_merge(&merged, log, &changed, &other) == (ok || e.code == ERR_CONTESTED));
    for (uint32_t i = 0; i < r->known_count; i++)
        mute += !r->sites[i].admin;
    expect(e.code != ERR_CONTESTED || mute > 0);
    roster_digest(&taken, one);
    roster_digest(e.code == ERR_CONTESTED ? r : &merged, two);
    expect(memcmp(one, two, sizeof one) == 0);
    roster_close(&taken);
    roster_close(&merged);
}

/* i hears what j has from the `from`-th byte on. */
static void meet(struct fuzz *f, int i, int j, size_t from)
{
    struct roster *r = &f->rosters[i];
    struct slice log = buf_slice(&f->rosters[j].log);
    uint32_t before = r->entries;
    uint8_t was[HASH_BYTES], is[HASH_BYTES];
    struct err e = {0};
    bool changed = false, ok;

    if (!f->in[i] || !f->in[j] || from > log.n)
        return;
    look_at_taking(r, (struct slice){log.p + from, log.n - from});
    roster_digest(r, was);
    ok = roster_merge(r, (struct slice){log.p + from, log.n - from}, &changed, &e);
    roster_digest(r, is);
    expect(ok == (e.code == ERR_NONE));
    expect(ok || from > 0 || (e.code == ERR_GAP && f->rosters[j].before > 0));
    if (e.code == ERR_GAP && from == 0) { /* nobody went back */
        err_clear(&e);
        expect(!roster_adopt(r, log, &f->keys[i], &e));
    }
    expect(changed == (r->entries > before) && (ok || !changed));
    expect(changed != (memcmp(was, is, sizeof was) == 0));
}

static bool revoke(struct fuzz *f, int i, int whom, uint8_t choice, struct err *e)
{
    struct actor a = {{0}};
    struct vector cut = {0};
    bool ok;

    memcpy(a.bytes, f->keys[whom].site.bytes, SITE_ID_BYTES);
    a.bytes[ACTOR_BYTES - 1] = choice % 3;
    if (choice % 4 != 0)
        expect(vector_set(&cut, &a, choice, NULL));
    ok = roster_revoke(&f->rosters[i], &f->keys[whom].site, &cut, &f->keys[i], e);
    vector_close(&cut);
    return ok;
}

static bool rule(struct fuzz *f, int i, uint8_t choice, struct err *e)
{
    static char tables[][5] = {"sale", "line"};
    struct rule_change change = {.rule = {.kind = RULE_LOCAL}, .set = choice % 2 == 0};
    bool changed;

    change.rule.table = tables[choice % 4 / 2];
    return roster_rules(&f->rosters[i], &change, 1, &f->keys[i], &changed, e);
}

/* i says something about `whom`. */
static bool speak(struct fuzz *f, uint8_t what, int i, int whom, uint8_t choice, struct err *e)
{
    static const char *const names[] = {"A", "a", "B", "CAISSE", "A-2"};
    struct roster *r = &f->rosters[i];
    const struct keys *k = &f->keys[i], *other = &f->keys[whom];
    char name[NAME_BYTES_MAX + 1];
    uint8_t key[KEY_BYTES] = {choice % 4 == 0 ? f->fleet_key : ++f->fleet_key};

    switch (what) {
    case 0:
        return roster_enrol(r, other->sign_public, other->exchange_public, names[choice % 5],
                            invites[choice % 2], k, name, e);
    case 1:
        return revoke(f, i, whom, choice, e);
    case 2:
        return roster_admin(r, &other->site, choice % 2 == 0, k, e);
    case 3:
        return roster_rename(r, &other->site, names[choice % 5], k, name, e);
    case 4:
        return roster_seal(r, key, k, e);
    case 5:
        return roster_invite(r, invites[choice % 2], choice, k, e);
    case 6:
        return roster_withdraw(r, invites[choice % 2], k, e);
    default:
        return rule(f, i, choice, e);
    }
}

/* Nobody comes or goes by a checkpoint; what was said in vain may be forgotten. Has i something to
 * say or to drop? */
static bool settle(struct fuzz *f, int i)
{
    struct roster *r = &f->rosters[i], was = {0};
    struct err e = {0};
    bool changed;

    if (r->checkpoints == 0)
        return false;
    expect(roster_copy(&was, r, &e));
    expect(roster_settle(r, &f->keys[i], &changed, &e));
    expect(r->site_count == was.site_count);
    for (uint32_t j = 0; j < was.known_count; j++) {
        const struct roster_site *a = &was.sites[j], *b = roster_author(r, &a->site);

        expect(b == NULL ? a->standing == ROSTER_VOID
                         : a->standing == b->standing && a->admin == b->admin);
    }
    load_again(r);
    roster_close(&was);
    for (int j = 0; j < SITES; j++) {
        const struct roster_site *s = roster_author(r, &f->keys[j].site);

        f->out[i][j] = s != NULL && s->standing != ROSTER_MEMBER;
    }
    return changed;
}

static bool find_checkpoint(const struct roster *r, struct entry *n)
{
    struct err e = {0};
    struct reader log = reader_of(buf_slice(&r->log), &e);
    bool found = false;

    while (log.left.n > 0) {
        struct entry one = {0};

        expect(entry_read(&log, &one));
        if (one.kind == ENTRY_CHECKPOINT) {
            *n = one;
            found = true;
        }
    }
    return found;
}

/* A log that begins with the last checkpoint that i has, changed somewhere and signed by whom. */
static void lie(struct fuzz *f, int i, int whom, uint8_t choice, struct input *in)
{
    struct entry n = {0};
    struct buf entry, log;
    struct roster liar = {0}, r = {0};
    uint8_t signature[SIGNATURE_BYTES];
    struct err e = {0};
    bool changed;
    size_t at = ((size_t)take(in) << 8 | take(in));

    if (!find_checkpoint(&f->rosters[i], &n))
        return;
    buf_open(&entry, ROSTER_CHECKPOINT_BYTES_MAX);
    buf_open(&log, ROSTER_BYTES_MAX);
    buf_add(&entry, n.bytes.p, n.bytes.n);
    memcpy(entry.p + 5, f->keys[whom].sign_public, SIGN_PUBLIC_BYTES);
    entry.p[at % entry.n] = choice;
    keys_sign(&f->keys[whom], ROSTER_CONTEXT, buf_slice(&entry), signature);
    item_write(&log, buf_slice(&entry), signature);
    if (roster_load(&liar, buf_slice(&log), &e)) {
        load_again(&liar);
        expect(liar.known_count > 0);
        err_clear(&e);
        if (roster_settle(&liar, &f->keys[i], &changed, &e))
            load_again(&liar);
    }
    expect(roster_copy(&r, &f->rosters[i], &e));
    if (roster_merge(&r, buf_slice(&log), &changed, &e)) {
        expect(r.site_count == f->rosters[i].site_count);
        expect(roster_settle(&r, &f->keys[i], &changed, &e));
        expect(r.site_count == f->rosters[i].site_count);
    }
    roster_close(&liar);
    roster_close(&r);
    buf_close(&entry);
    buf_close(&log);
}

static void play_checkpoint(struct fuzz *f, uint8_t what, int i, int whom, uint8_t choice,
                            struct input *in)
{
    struct err e = {0};

    if (!f->in[i])
        return;
    if (what % 4 == 0 && !roster_checkpoint(&f->rosters[i], choice, &f->keys[i], &e))
        expect(e.code == ERR_REFUSED);
    else if (what % 4 == 1)
        lie(f, i, whom, choice, in);
    else if (what % 4 == 2)
        meet(f, i, whom, 0);
    settle(f, i);
}

static void play(struct fuzz *f, uint8_t what, uint8_t who, uint8_t choice)
{
    int i = who % SITES, whom = who / SITES % SITES;
    uint32_t before = f->rosters[i].entries;
    struct err e = {0};
    bool ok;

    if (what % 12 >= 8) {
        meet(f, i, whom, what % 12 == 11 ? choice : 0);
    } else if (f->in[i]) {
        ok = speak(f, what % 12, i, whom, choice, &e);
        expect(ok == (e.code == ERR_NONE) && (ok || f->rosters[i].entries == before));
        if (ok && what % 12 == 0 && !f->in[whom]) {
            expect(roster_copy(&f->rosters[whom], &f->rosters[i], &e));
            f->in[whom] = true;
            check(f, whom);
        }
    }
    if (f->in[i])
        check(f, i);
}

/* Both with the first entry of all, or with one checkpoint. */
static bool begins_alike(const struct roster *a, const struct roster *b)
{
    if (a->before == 0 || b->before == 0)
        return a->before == b->before;
    return memcmp(a->hashes[0], b->hashes[0], HASH_BYTES) == 0;
}

/* Everybody hears of everything, and does what he has to. False: nothing changed. */
static bool talk(struct fuzz *f)
{
    bool any = false;

    for (int i = 0; i < SITES; i++) {
        for (int j = 0; j < SITES && f->in[i]; j++) {
            struct err e = {0};
            bool changed = false;

            if (f->in[j] &&
                !roster_merge(&f->rosters[i], buf_slice(&f->rosters[j].log), &changed, &e))
                expect(e.code == ERR_GAP && f->rosters[j].before > 0);
            any |= changed;
        }
        if (f->in[i])
            any |= settle(f, i);
    }
    return any;
}

static void meet_all(struct fuzz *f)
{
    uint8_t first[HASH_BYTES], other[HASH_BYTES];

    for (int round = 0; round < 6 && talk(f); round++)
        continue;
    for (int i = 1; i < SITES; i++)
        meet(f, 0, i, 0);
    roster_digest(&f->rosters[0], first);
    for (int i = 1; i < SITES; i++) {
        const struct roster *r = &f->rosters[i], *all = &f->rosters[0];

        if (!f->in[i] || !begins_alike(r, all))
            continue;
        meet(f, i, 0, 0);
        roster_digest(r, other);
        expect(memcmp(first, other, sizeof first) == 0);
        expect(r->site_count == all->site_count && r->known_count == all->known_count);
        for (uint32_t j = 0; j < r->known_count; j++) {
            expect(strcmp(r->sites[j].name, all->sites[j].name) == 0);
            expect(strcmp(r->sites[j].mark, all->sites[j].mark) == 0);
            expect(r->sites[j].standing == all->sites[j].standing);
            expect(r->sites[j].admin == all->sites[j].admin);
            expect(r->sites[j].has_key == all->sites[j].has_key);
        }
        expect(r->rules.n == all->rules.n);
        expect(r->rotated == all->rotated && memcmp(r->key_id, all->key_id, sizeof r->key_id) == 0);
        check(f, i);
    }
    check(f, 0);
    load_again(&f->rosters[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct input in = {bytes, n};
    struct fuzz *f = mem_alloc(sizeof *f);
    struct err e = {0};

    fuzz_random_begin();
    for (uint8_t i = 0; i < SITES; i++)
        keys_from_seed(&f->keys[i], (const uint8_t[32]){i + 1});
    expect(roster_create(&f->rosters[0], "Boutique", "A", &f->keys[0], &e));
    f->in[0] = true;
    for (int i = 0; i < EVENTS_MAX && in.n > 0; i++) {
        uint8_t what = take(&in), who = take(&in);

        if (what >= CHECKPOINTS)
            play_checkpoint(f, what, who % SITES, who / SITES % SITES, take(&in), &in);
        else
            play(f, what, who, take(&in));
    }
    meet_all(f);
    for (int i = 0; i < SITES; i++)
        roster_close(&f->rosters[i]);
    free(f);
    return 0;
}
