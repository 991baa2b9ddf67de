/* A network of in-memory sites for the tests of sync: real syncs and real change-sets, a store that
 * is a have-vector over one pool of everything ever made, and links that deliver when told to. */
#ifndef SYNC_NET_H
#define SYNC_NET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <navette/sync.h>

#define NET_SITES_MAX 6
#define NET_ENDS_MAX  (NET_SITES_MAX * NET_SITES_MAX)
#define NET_MADE_MAX  4096
#define NET_TRACE_MAX 65536
#define NET_START_MS  1000000

struct net_made {
    struct actor actor;
    uint64_t number;
    uint8_t hash[HASH_BYTES];
    struct buf bytes;
};

struct net_site {
    struct keys keys;
    struct actor actor;
    struct vector have, applied;
    struct sync_claims claims;
    uint8_t members;       /* one bit per site: the fake roster */
    bool leaves_rosters;   /* takes none */
    enum err_code refuses; /* what the store answers instead of staging, if not ERR_NONE */
    bool unreadable;       /* fetches come back empty */
    uint64_t rewinds_to;   /* the next one staged shows that the site's own chain went back */
    bool rewound;          /* it did: what others believe to be here is not */
    uint32_t copies;       /* CHANGESETs that arrived */
    bool brief;            /* a newcomer: it wants outlines */
    enum err_code dim;     /* what comes of them, if not ERR_NONE; ERR_NET: nothing ever */
    uint32_t outlines;     /* that arrived */
    uint32_t tells;        /* answers that were taken for one */
};

/* One end of a link: `ends[i * NET_SITES_MAX + j]` is i's end of the link to j. */
struct net_end {
    struct sync sync;
    bool up;
    struct buf in; /* what the other end sent and this one has not read */
    uint64_t deadline_ms;
    uint32_t forks;
    struct actor fork_actor;
    struct err closed; /* why it closed by itself */
};

struct net {
    uint32_t sites_count;
    struct net_site sites[NET_SITES_MAX];
    struct net_end ends[NET_ENDS_MAX];
    struct net_made *made;
    uint32_t made_count;
    uint64_t now_ms, links;
    uint32_t steps;
    char trace[NET_TRACE_MAX]; /* every message delivered but PING and PONG */
    size_t trace_bytes;
};

static inline struct net_end *net_end_of(struct net *n, uint32_t i, uint32_t j)
{
    return &n->ends[i * NET_SITES_MAX + j];
}

/* "A2": number 2 of A's chain; a later incarnation is written "a". */
static inline char net_letter(const struct net *n, const struct actor *a)
{
    for (uint32_t i = 0; i < n->sites_count; i++) {
        if (actor_is_of(a, &n->sites[i].keys.site))
            return (char)((a->bytes[ACTOR_BYTES - 1] == 1 ? 'A' : 'a') + (char)i);
    }
    return '?';
}

static inline void net_tell(struct net *n, const char *format, ...) PRINTF_LIKE(2, 3);

static inline void net_tell(struct net *n, const char *format, ...)
{
    va_list arguments;
    int written;

    va_start(arguments, format);
    written =
        vsnprintf(n->trace + n->trace_bytes, NET_TRACE_MAX - n->trace_bytes, format, arguments);
    va_end(arguments);
    n->trace_bytes += (size_t)written;
    if (n->trace_bytes >= NET_TRACE_MAX)
        n->trace_bytes = 0;
}

static inline void net_tell_vector(struct net *n, const struct vector *v)
{
    for (uint32_t i = 0; i < v->n; i++)
        net_tell(n, " %c%u", net_letter(n, &v->entries[i].actor), (unsigned)v->entries[i].number);
}

static inline void net_tell_message(struct net *n, uint32_t from, uint32_t to, struct slice bytes)
{
    struct message m;
    struct changeset parts;
    struct changeset_header h = {0};
    struct err e = {0};

    assert_true(message_read(&m, bytes, &e));
    if (m.kind == MESSAGE_KIND_PING || m.kind == MESSAGE_KIND_PONG) {
        message_close(&m);
        return;
    }
    net_tell(n, "%c>%c", (char)('A' + from), (char)('A' + to));
    if (m.kind == MESSAGE_KIND_HELLO) {
        net_tell(n, " HELLO");
        net_tell_vector(n, &m.hello.have);
    } else if (m.kind == MESSAGE_KIND_ROSTER) {
        net_tell(n, m.roster.log.n > 0 ? " ROSTER %x" : " DIGEST %x", m.roster.digest[0]);
    } else if (m.kind == MESSAGE_KIND_HAVE) {
        net_tell(n, " HAVE");
        net_tell_vector(n, &m.have.have);
    } else if (m.kind == MESSAGE_KIND_WANT) {
        net_tell(n, " WANT %c%u", net_letter(n, &m.want.actor), (unsigned)m.want.after);
    } else if (m.kind == MESSAGE_KIND_CHANGESET) {
        assert_true(changeset_split(&parts, m.changeset.bytes, &e));
        assert_true(changeset_header_read(&h, parts.header, &e));
        net_tell(n, " CHANGESET %c%u", net_letter(n, &h.actor), (unsigned)h.number);
        changeset_header_close(&h);
    } else if (m.kind == MESSAGE_KIND_OUTLINE) {
        assert_true(changeset_header_read(&h, m.outline.header, &e));
        net_tell(n, " OUTLINE %c%u", net_letter(n, &h.actor), (unsigned)h.number);
        changeset_header_close(&h);
    } else if (m.kind == MESSAGE_KIND_BRIEF) {
        net_tell(n, " BRIEF %s", m.brief.wanted ? "yes" : "no");
    } else if (m.kind == MESSAGE_KIND_BYE) {
        net_tell(n, " BYE %.*s", (int)m.bye.code.n, (const char *)m.bye.code.p);
    }
    net_tell(n, "\n");
    message_close(&m);
}

static inline const struct net_made *net_find_made(const struct net *n, const struct actor *a,
                                                   uint64_t number)
{
    for (uint32_t i = 0; i < n->made_count; i++) {
        if (n->made[i].number == number && actor_equal(&n->made[i].actor, a))
            return &n->made[i];
    }
    return NULL;
}

/* The fake store. A change-set that is neither known nor the next one must never get here. */
static inline bool net_stage(struct net *n, uint32_t i, struct slice bytes, struct err *e)
{
    struct net_site *site = &n->sites[i];
    struct changeset parts;
    struct changeset_header h = {0};
    uint8_t hash[HASH_BYTES];
    uint64_t have;
    char letter;

    assert_true(changeset_split(&parts, bytes, e));
    assert_true(changeset_header_read(&h, parts.header, e));
    changeset_hash(&parts, hash);
    have = vector_get(&site->have, &h.actor);
    letter = net_letter(n, &h.actor);
    if (site->refuses != ERR_NONE) {
        err_set(e, site->refuses, "told to refuse");
    } else if ((site->members >> ((letter | 32) - 'a') & 1) == 0) {
        err_set(e, ERR_STRANGER, "%c is no member", letter);
    } else {
        assert_true(h.number <= have + 1);
        if (h.number == have + 1)
            assert_true(vector_set(&site->have, &h.actor, h.number, hash));
    }
    changeset_header_close(&h);
    return e->code == ERR_NONE;
}

static inline void net_fetch(struct net *n, uint32_t i, const struct sync_actions *todo,
                             struct buf *out)
{
    const struct net_site *site = &n->sites[i];
    uint64_t have = vector_get(&site->have, &todo->fetch_actor);

    buf_open(out, 64u << 20);
    for (uint64_t number = todo->fetch_after + 1; number <= have && !site->unreadable; number++) {
        const struct net_made *made = net_find_made(n, &todo->fetch_actor, number);

        assert_non_null(made);
        if (out->n > 0 && out->n + made->bytes.n > todo->fetch_bytes)
            break;
        buf_add(out, made->bytes.p, made->bytes.n);
    }
}

static inline void net_local(struct net *n, uint32_t i);

static inline void net_shut(struct net *n, uint32_t i, uint32_t j)
{
    struct net_end *end = net_end_of(n, i, j);

    if (!end->up)
        return;
    end->up = false;
    sync_close(&end->sync);
    buf_close(&end->in);
    net_local(n, i);
}

/* The invariant of acknowledgements: nobody believes of a site what that site has not staged. */
static inline void net_check(struct net *n, uint32_t i, uint32_t j)
{
    const struct net_end *end = net_end_of(n, i, j);

    for (uint32_t k = 0; k < end->sync.peer_have.n; k++) {
        const struct vector_entry *believed = &end->sync.peer_have.entries[k];

        assert_true(n->sites[j].rewound ||
                    believed->number <= vector_get(&n->sites[j].have, &believed->actor));
    }
    assert_true(end->sync.window.n <= 1 || end->sync.window.bytes <= SYNC_WINDOW_BYTES);
}

static inline void net_step(struct net *n, uint32_t i, uint32_t j, struct sync_event ev);

static inline void net_leave_roster(struct net *n, uint32_t i, uint32_t j)
{
    struct buf send = {0};

    sync_leave_roster(&net_end_of(n, i, j)->sync, &send);
    if (net_end_of(n, j, i)->up)
        buf_add(&net_end_of(n, j, i)->in, send.p, send.n);
    buf_close(&send);
}

/* What the shell would do about the actions of i's end. True when i's vectors or roster changed. */
static inline bool net_obey(struct net *n, uint32_t i, uint32_t j, const struct sync_actions *todo)
{
    struct net_end *end = net_end_of(n, i, j);
    struct net_site *site = &n->sites[i];
    struct err answer = {0};
    struct buf fetched = {0};
    bool changed = false;

    if (todo->fork) {
        end->forks++;
        end->fork_actor = todo->fork_actor;
    }
    if (todo->roster.n > 0 && site->leaves_rosters) {
        net_leave_roster(n, i, j);
    } else if (todo->roster.n > 0) {
        changed = (todo->roster.p[0] & ~site->members) != 0;
        site->members |= todo->roster.p[0];
    }
    if (todo->stage.n > 0) {
        struct sync_event staged = {.kind = SYNC_STAGED, .e = &answer};

        staged.rewound = site->rewinds_to != 0;
        staged.ok = staged.rewound ? vector_set(&site->have, &site->actor, site->rewinds_to,
                                                n->made[site->rewinds_to - 1].hash)
                                   : net_stage(n, i, todo->stage, &answer);
        site->rewound |= staged.rewound;
        site->rewinds_to = 0;
        changed |= staged.ok;
        net_step(n, i, j, staged);
    }
    site->tells += todo->tell.number > 0;
    if (todo->outline.number > 0 && end->up) {
        struct actor actor = todo->outline.actor;
        const struct net_made *made = net_find_made(n, &actor, todo->outline.number);

        site->outlines++;
        assert_non_null(made);
        answer.code = site->dim;
        if (site->dim != ERR_NET)
            net_step(n, i, j,
                     (struct sync_event){.kind = SYNC_REBUILT,
                                         .ok = site->dim == ERR_NONE,
                                         .bytes = buf_slice(&made->bytes),
                                         .actor = &actor,
                                         .e = &answer});
    }
    if (todo->fetch && end->up) {
        net_fetch(n, i, todo, &fetched);
        net_step(n, i, j, (struct sync_event){.kind = SYNC_FETCHED, .bytes = buf_slice(&fetched)});
        buf_close(&fetched);
    }
    return changed;
}

/* One event at i's end of its link to j, and what follows from it. */
static inline void net_step(struct net *n, uint32_t i, uint32_t j, struct sync_event ev)
{
    struct net_end *end = net_end_of(n, i, j), *other = net_end_of(n, j, i);
    struct net_site *site = &n->sites[i];
    uint8_t digest[HASH_BYTES] = {site->members};
    struct sync_actions todo = {0};
    struct err e = {0};
    bool ok;

    ev.now_ms = n->now_ms;
    ev.wall_ms = n->now_ms + 1000 * i;
    ev.roster = (struct slice){&site->members, 1};
    ev.roster_digest = digest;
    n->steps++;
    end->sync.brief = site->brief;
    ok = sync_step(&end->sync, &ev, &todo, &e);
    if (other->up && todo.send.n > 0)
        buf_add(&other->in, todo.send.p, todo.send.n);
    buf_close(&todo.send);
    if (!ok) {
        end->closed = e;
        net_shut(n, i, j);
        return;
    }
    assert_true(todo.deadline_ms > n->now_ms);
    end->deadline_ms = todo.deadline_ms;
    net_check(n, i, j);
    if (net_obey(n, i, j, &todo))
        net_local(n, i);
}

/* The site's vectors or its links changed: every link of it hears. */
static inline void net_local(struct net *n, uint32_t i)
{
    for (uint32_t j = 0; j < n->sites_count; j++) {
        if (net_end_of(n, i, j)->up)
            net_step(n, i, j, (struct sync_event){.kind = SYNC_LOCAL});
    }
}

static inline void net_open(struct net *n, uint32_t sites)
{
    struct err e = {0};

    memset(n, 0, sizeof *n);
    assert_true(keys_library_start(&e));
    n->made = mem_alloc(NET_MADE_MAX * sizeof *n->made);
    n->now_ms = NET_START_MS;
    n->sites_count = sites;
    for (uint32_t i = 0; i < sites; i++) {
        struct net_site *site = &n->sites[i];
        uint8_t seed[32];

        memset(seed, (int)i + 1, sizeof seed);
        keys_from_seed(&site->keys, seed);
        memcpy(site->actor.bytes, site->keys.site.bytes, SITE_ID_BYTES);
        site->actor.bytes[ACTOR_BYTES - 1] = 1;
        site->members = (uint8_t)((1u << sites) - 1);
    }
}

static inline void net_close(struct net *n)
{
    for (uint32_t i = 0; i < n->sites_count; i++) {
        for (uint32_t j = 0; j < n->sites_count; j++)
            net_shut(n, i, j);
    }
    for (uint32_t i = 0; i < n->sites_count; i++) {
        vector_close(&n->sites[i].have);
        vector_close(&n->sites[i].applied);
        sync_claims_close(&n->sites[i].claims);
        keys_wipe(&n->sites[i].keys);
    }
    for (uint32_t i = 0; i < n->made_count; i++)
        buf_close(&n->made[i].bytes);
    free(n->made);
}

/* A change-set that site i authors, with a body of `filler` bytes more than the least. */
static inline void net_seal(struct net *n, uint32_t i, size_t filler, struct net_made *made)
{
    struct net_site *site = &n->sites[i];
    const struct vector_entry *last = vector_find(&site->have, &site->actor);
    struct changeset_header h = {.actor = site->actor, .stamp = 1};
    struct slice columns[2] = {slice_text("id"), slice_text("filler")};
    struct body_writer body;
    struct buf bytes;
    struct err e = {0};

    h.number = last == NULL ? 1 : last->number + 1;
    if (last != NULL)
        memcpy(h.previous, last->hash, sizeof h.previous);
    body_open(&body);
    if (filler > 0) {
        uint8_t *text = mem_alloc(filler);
        struct gid gid = {.actor = body_actor(&body, &site->actor), .counter = 1};
        struct value values[2] = {{.type = VALUE_INT, .i = 1},
                                  {.type = VALUE_BLOB, .bytes = {text, filler}}};

        body_table(&body, slice_text("t"), columns, 2, 1, true);
        body_row(&body, CHANGE_INSERT, gid, 1, NULL, values, 2);
        free(text);
    }
    buf_open(&bytes, BODY_BYTES_MAX);
    buf_open(&made->bytes, CHANGESET_BYTES_MAX);
    made->actor = site->actor;
    made->number = h.number;
    assert_true(body_finish(&body, &bytes, &e));
    assert_true(changeset_seal(&h, filler > 0, buf_slice(&bytes), &site->keys, &made->bytes,
                               made->hash, &e));
    body_close(&body);
    buf_close(&bytes);
}

/* Site i commits something: its links hear of it. */
static inline void net_make(struct net *n, uint32_t i, size_t filler)
{
    struct net_made *made = &n->made[n->made_count++];

    assert_true(n->made_count <= NET_MADE_MAX);
    net_seal(n, i, filler, made);
    assert_true(vector_set(&n->sites[i].have, &made->actor, made->number, made->hash));
    net_local(n, i);
}

static inline void net_join_end(struct net *n, uint32_t i, uint32_t j)
{
    struct net_end *end = net_end_of(n, i, j);
    struct net_site *site = &n->sites[i];

    *end = (struct net_end){.up = true};
    buf_open(&end->in, 1u << 30);
    sync_open(&end->sync, ++n->links, &site->actor, &n->sites[j].keys.site, &site->claims,
              &site->have, &site->applied);
}

static inline void net_link(struct net *n, uint32_t i, uint32_t j)
{
    net_join_end(n, i, j);
    net_join_end(n, j, i);
    net_step(n, i, j, (struct sync_event){.kind = SYNC_OPENED});
    net_step(n, j, i, (struct sync_event){.kind = SYNC_OPENED});
}

static inline void net_cut(struct net *n, uint32_t i, uint32_t j)
{
    net_shut(n, i, j);
    net_shut(n, j, i);
}

static inline void net_relink(struct net *n, uint32_t i, uint32_t j)
{
    net_cut(n, i, j);
    net_link(n, i, j);
}

/* Everything is forgotten, and the site goes on as a new actor. */
static inline void net_lose_ledger(struct net *n, uint32_t i)
{
    struct net_site *site = &n->sites[i];

    for (uint32_t j = 0; j < n->sites_count; j++)
        net_cut(n, i, j);
    vector_close(&site->have);
    assert_true(++site->actor.bytes[ACTOR_BYTES - 1] != 0);
}

/* All stores work, no link is there, and none is known to have closed by itself. */
static inline void net_begin_anew(struct net *n)
{
    for (uint32_t i = 0; i < n->sites_count; i++) {
        n->sites[i].refuses = ERR_NONE;
        n->sites[i].unreadable = false;
        for (uint32_t j = 0; j < i; j++)
            net_cut(n, i, j);
    }
    for (uint32_t k = 0; k < NET_ENDS_MAX; k++)
        err_clear(&n->ends[k].closed);
}

/* Deliver the next message that waits at i's end of its link to j. */
static inline bool net_deliver(struct net *n, uint32_t i, uint32_t j)
{
    struct net_end *end = net_end_of(n, i, j);
    struct slice left = buf_slice(&end->in), next;
    struct message m;
    struct err e = {0};
    struct buf bytes;

    if (!end->up || !message_next(&left, &next))
        return false;
    net_tell_message(n, j, i, next);
    assert_true(message_read(&m, next, &e));
    n->sites[i].copies += m.kind == MESSAGE_KIND_CHANGESET;
    message_close(&m);
    buf_open(&bytes, MESSAGE_BYTES_MAX);
    buf_add(&bytes, next.p, next.n);
    buf_take(&end->in, end->in.n - left.n);
    net_step(n, i, j, (struct sync_event){.kind = SYNC_MESSAGE, .bytes = buf_slice(&bytes)});
    buf_close(&bytes);
    /* What is still unread when the other side has hung up ends the link here too. */
    if (end->up && !net_end_of(n, j, i)->up && end->in.n == 0)
        net_shut(n, i, j);
    return true;
}

/* Deliver everything, link after link, until nothing is under way. */
static inline void net_settle(struct net *n)
{
    bool busy = true;
    uint32_t before = n->steps;

    while (busy) {
        busy = false;
        for (uint32_t i = 0; i < n->sites_count; i++) {
            for (uint32_t j = 0; j < n->sites_count; j++)
                busy |= net_deliver(n, i, j);
        }
        assert_true(n->steps - before < 1000000);
    }
}

/* Let time pass, waking who asked to be woken; nothing is delivered. */
static inline void net_elapse(struct net *n, uint64_t ms)
{
    uint64_t end_ms = n->now_ms + ms;

    while (n->now_ms < end_ms) {
        uint64_t next_ms = end_ms;

        for (uint32_t k = 0; k < NET_ENDS_MAX; k++) {
            if (n->ends[k].up && n->ends[k].deadline_ms < next_ms)
                next_ms = n->ends[k].deadline_ms;
        }
        n->now_ms = next_ms;
        for (uint32_t k = 0; k < NET_ENDS_MAX; k++) {
            if (n->ends[k].up && n->ends[k].deadline_ms <= n->now_ms)
                net_step(n, k / NET_SITES_MAX, k % NET_SITES_MAX,
                         (struct sync_event){.kind = SYNC_TIMEOUT});
        }
    }
}

/* Let time pass in steps from wait to wait, delivering what that brings. */
static inline void net_pass(struct net *n, uint64_t ms)
{
    uint64_t end_ms = n->now_ms + ms;

    while (n->now_ms < end_ms) {
        uint64_t next_ms = end_ms;

        for (uint32_t k = 0; k < NET_ENDS_MAX; k++) {
            if (n->ends[k].up && n->ends[k].deadline_ms < next_ms)
                next_ms = n->ends[k].deadline_ms;
        }
        net_elapse(n, next_ms - n->now_ms);
        net_settle(n);
    }
}

static inline bool net_same(const struct net *n)
{
    for (uint32_t i = 1; i < n->sites_count; i++) {
        if (!vector_covers(&n->sites[i].have, &n->sites[0].have) ||
            !vector_covers(&n->sites[0].have, &n->sites[i].have))
            return false;
    }
    return true;
}

/* Forget what was said so far. */
static inline void net_mute(struct net *n)
{
    n->trace_bytes = 0;
    n->trace[0] = '\0';
    for (uint32_t i = 0; i < n->sites_count; i++)
        n->sites[i].copies = 0;
}

#endif
