#include "member.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <navette/sync.h>

#include "agent.h"
#include "link.h"
#include "log.h"

#define META_NAME_BYTES  (8 + 2 * SITE_ID_BYTES)
#define VECTOR_BYTES_MAX (HEADER_BYTES_MAX * 2)
#define NUMBER_BYTES_MAX 16

struct member *members_get(struct members *m, const struct site_id *site)
{
    uint32_t i;

    for (i = 0; i < m->n; i++)
        if (site_equal(&m->list[i].site, site))
            return &m->list[i];
    if (m->n == SITES_MAX)
        return NULL;
    m->list = mem_grow(m->list, (m->n + 1) * sizeof *m->list);
    m->list[m->n] = (struct member){.site = *site};
    return &m->list[m->n++];
}

void members_note(struct agent *a, struct members *m, const struct sync *s)
{
    struct member *member = members_get(m, &s->peer);

    if (member == NULL)
        return;
    member->seen_ms = agent_wall_ms(a);
    if (s->state != SYNC_OPEN)
        return;
    member->skew_ms = s->skew_ms;
    member->have_known = true;
    vector_copy(&member->have, &s->peer_have);
}

static void meta_name(char out[META_NAME_BYTES], const char *prefix, const struct site_id *site)
{
    assert(strlen(prefix) == 5);
    memcpy(out, prefix, 5);
    hex_write(out + 5, SLICE(site->bytes));
}

static void save(struct agent *a, const char *prefix, const struct site_id *site,
                 const struct buf *bytes)
{
    char name[META_NAME_BYTES];
    struct err e = {0};

    meta_name(name, prefix, site);
    if (!bytes->overflow && !store_meta_set(a->store, name, buf_slice(bytes), &e))
        log_warn("what a peer has is not kept reason=%s", e.text);
}

static void save_vector(struct agent *a, const char *prefix, const struct site_id *site,
                        const struct vector *v)
{
    struct buf bytes = {0};
    struct writer w = {.out = &bytes};

    buf_open(&bytes, VECTOR_BYTES_MAX);
    vector_write(&w, v);
    save(a, prefix, site, &bytes);
    buf_close(&bytes);
}

static void save_number(struct agent *a, const char *prefix, const struct site_id *site, uint64_t n)
{
    struct buf bytes = {0};
    struct writer w = {.out = &bytes};

    buf_open(&bytes, NUMBER_BYTES_MAX);
    write_uint(&w, n);
    save(a, prefix, site, &bytes);
    buf_close(&bytes);
}

/* Empty when nothing is kept. */
static void load(struct agent *a, const char *prefix, const struct site_id *site, struct buf *bytes)
{
    char name[META_NAME_BYTES];
    struct err e = {0};

    meta_name(name, prefix, site);
    if (!store_meta_get(a->store, name, bytes, &e))
        log_warn("what a peer has is not known any more reason=%s", e.text);
}

/* It was all of what was kept, and could be read? */
static bool is_read(struct reader *r, const struct err *e)
{
    bool ok = read_end(r);

    if (!ok)
        log_warn("what a peer has is not known any more reason=%s", e->text);
    return ok;
}

/* False, and an empty `v`, when nothing is kept, or nothing that can be read. */
static bool load_vector(struct agent *a, const char *prefix, const struct site_id *site,
                        struct vector *v)
{
    struct buf bytes = {0};
    struct err e = {0};
    struct reader r;
    bool known;

    buf_open(&bytes, VECTOR_BYTES_MAX);
    load(a, prefix, site, &bytes);
    known = bytes.n > 0;
    if (known) {
        r = reader_of(buf_slice(&bytes), &e);
        vector_read(&r, v);
        known = is_read(&r, &e);
    }
    if (!known)
        vector_close(v);
    buf_close(&bytes);
    return known;
}

/* 0 likewise. */
static uint64_t load_number(struct agent *a, const char *prefix, const struct site_id *site)
{
    struct buf bytes = {0};
    struct err e = {0};
    struct reader r;
    uint64_t n = 0;

    buf_open(&bytes, NUMBER_BYTES_MAX);
    load(a, prefix, site, &bytes);
    if (bytes.n > 0) {
        r = reader_of(buf_slice(&bytes), &e);
        n = read_uint(&r, UINT64_MAX, "a number");
        if (!is_read(&r, &e))
            n = 0;
    }
    buf_close(&bytes);
    return n;
}

void members_save(struct agent *a, struct members *m, const struct site_id *site)
{
    struct member *member = members_get(m, site);

    if (a->store == NULL || member == NULL || !member->have_known)
        return;
    save_vector(a, "have.", site, &member->have);
    save_number(a, "seen.", site, member->seen_ms);
}

void members_note_told(struct agent *a, struct members *m, const struct site_id *site,
                       const struct vector *told)
{
    struct member *member = members_get(m, site);

    if (member == NULL)
        return;
    vector_copy(&member->told, told);
    if (a->store != NULL)
        save_vector(a, "told.", site, told);
}

/* As one number: IPv4 address and port. */
void members_met(struct agent *a, struct members *m, const struct site_id *site,
                 const struct address *address)
{
    struct member *member = members_get(m, site);
    struct sockaddr_in in;
    struct err e = {0};

    if (member == NULL || address_equal(&member->address, address))
        return;
    member->address = *address;
    if (a->store != NULL && address_socket(&in, address, &e))
        save_number(a, "addr.", site, (uint64_t)ntohl(in.sin_addr.s_addr) << 16 | address->port);
}

static void load_address(struct agent *a, struct member *member)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    uint64_t n;

    if (member->address.port != 0)
        return;
    n = load_number(a, "addr.", &member->site);
    if (n == 0)
        return;
    in.sin_addr.s_addr = htonl((uint32_t)(n >> 16));
    in.sin_port = htons((uint16_t)n);
    address_of(&member->address, (const struct sockaddr *)&in);
}

static void load_one(struct agent *a, struct member *member)
{
    load_address(a, member);
    member->have_known = load_vector(a, "have.", &member->site, &member->have);
    (void)load_vector(a, "told.", &member->site, &member->told);
    member->seen_ms = load_number(a, "seen.", &member->site);
    if (member->applied_ms == 0)
        member->applied_ms = member->applied_kept_ms = load_number(a, "appl.", &member->site);
}

/* At a start what is applied is old news: `quiet`. */
static void note_applied(struct agent *a, struct members *m, bool quiet)
{
    const struct vector *applied = store_applied(a->store);

    for (uint32_t i = 0; i < m->n; i++) {
        struct member *member = &m->list[i];
        uint64_t sum = vector_sum_of(applied, &member->site);

        if (sum > member->applied && !quiet)
            member->applied_ms = agent_wall_ms(a);
        member->applied = sum;
    }
}

void members_note_applied(struct agent *a, struct members *m)
{
    note_applied(a, m, false);
}

/* Each is a transaction of its own, which reaches the disk: not after every apply. */
void members_keep_applied(struct agent *a, struct members *m, bool all)
{
    bool kept = false;

    for (uint32_t i = 0; a->store != NULL && i < m->n && (all || !kept); i++) {
        struct member *member = &m->list[i];

        if (member->applied_kept_ms == member->applied_ms)
            continue;
        save_number(a, "appl.", &member->site, member->applied_ms);
        member->applied_kept_ms = member->applied_ms;
        kept = true;
    }
}

void members_load(struct agent *a, struct members *m)
{
    uint32_t i;

    for (i = 0; i < a->roster.site_count; i++) {
        struct member *member = members_get(m, &a->roster.sites[i].site);

        if (member != NULL && !member->have_known)
            load_one(a, member);
    }
    note_applied(a, m, true);
}

void members_close(struct members *m)
{
    uint32_t i;

    for (i = 0; i < m->n; i++) {
        vector_close(&m->list[i].have);
        vector_close(&m->list[i].told);
    }
    free(m->list);
    *m = (struct members){0};
}

uint64_t vector_lead(const struct vector *more, const struct vector *less)
{
    uint64_t lead = 0;
    uint32_t i;

    for (i = 0; i < more->n; i++) {
        uint64_t theirs = vector_get(less, &more->entries[i].actor);

        if (more->entries[i].number > theirs)
            lead += more->entries[i].number - theirs;
    }
    return lead;
}
