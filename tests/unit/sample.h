/* The sample change-set of protocol/README.md and tests/golden/: every op and every type of value.
 */
#ifndef TEST_SAMPLE_H
#define TEST_SAMPLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <navette/changeset.h>

#include "random.h"

#define SAMPLE_STAMP (UINT64_C(1795000000000) << 16 | 3)
#define SAMPLE_ROWS  7

/* A device seed of bytes 00 01 02 ... 1f. */
static inline void sample_keys(struct keys *k)
{
    uint8_t seed[32];

    for (uint8_t i = 0; i < sizeof seed; i++)
        seed[i] = i;
    keys_from_seed(k, seed);
}

/* The site of sample_keys for n = 1, else a site of bytes n; the incarnation is bytes n. */
static inline struct actor sample_actor(uint8_t n)
{
    struct actor a;
    struct keys k;

    memset(a.bytes, n, sizeof a.bytes);
    sample_keys(&k);
    if (n == 1)
        memcpy(a.bytes, k.site.bytes, SITE_ID_BYTES);
    return a;
}

static inline struct value sample_text(const char *text)
{
    return (struct value){.type = VALUE_TEXT, .bytes = slice_text(text)};
}

/* A table whose key each site numbers for itself, one with a natural key of two columns. */
static inline void sample_body(struct buf *body)
{
    static const uint8_t blob[] = {0x00, 0xff, 0x10};
    static const uint8_t bad[] = {'c', 'a', 'f', 0xe9}; /* Latin-1 */
    const struct slice article[] = {slice_text("id"), slice_text("name"), slice_text("price"),
                                    slice_text("photo"), slice_text("family")};
    const struct slice stock[] = {slice_text("shop"), slice_text("article"), slice_text("n")};
    struct actor us = sample_actor(1), them = sample_actor(2);
    struct body_writer b;
    struct err e = {0};
    uint32_t u, t;

    body_open(&b);
    u = body_actor(&b, &us);
    t = body_actor(&b, &them);
    body_table(&b, slice_text("article"), article, 5, 1, true);
    body_row(&b, CHANGE_INSERT, (struct gid){u, 1}, SAMPLE_STAMP - 2, NULL,
             (struct value[]){{.type = VALUE_INT, .i = 101},
                              sample_text("Th\xc3\xa9 \"vert\"\n\xf0\x9f\x8d\xb5"),
                              {.type = VALUE_REAL, .r = 12.1},
                              {.type = VALUE_BLOB, .bytes = SLICE(blob)},
                              {.type = VALUE_REF, .ref = {t, 70000}}},
             5);
    body_row(&b, CHANGE_INSERT, (struct gid){u, 2}, SAMPLE_STAMP - 1, NULL,
             (struct value[]){{.type = VALUE_INT, .i = INT64_MIN},
                              {.type = VALUE_TEXT, .bytes = SLICE(bad)},
                              {.type = VALUE_REAL, .r = -0.0},
                              {.type = VALUE_BLOB},
                              {.type = VALUE_NULL}},
             5);
    body_row(&b, CHANGE_UPDATE, (struct gid){t, GID_COUNTER_MAX - 1}, SAMPLE_STAMP,
             (uint32_t[]){1, 2},
             (struct value[]){{.type = VALUE_TEXT, .bytes = {(const uint8_t *)"a\0b", 3}},
                              {.type = VALUE_INT, .i = -33}},
             2);
    body_row(&b, CHANGE_DELETE, (struct gid){t, 9}, SAMPLE_STAMP, NULL, NULL, 0);
    body_row_with(&b, CHANGE_REPAIR, (struct gid){t, 7}, SAMPLE_STAMP - 1, (struct gid){t, 40},
                  (uint32_t[]){1}, (struct value[]){sample_text("#Caisse-Mangue")}, 1);
    body_row_with(&b, CHANGE_UNITE, (struct gid){u, 1}, SAMPLE_STAMP, (struct gid){t, 12}, NULL,
                  NULL, 0);
    body_table(&b, slice_text("stock"), stock, 3, 2, false);
    body_row(&b, CHANGE_INSERT, (struct gid){u, 3}, 0, NULL,
             (struct value[]){sample_text("Liège"),
                              {.type = VALUE_REF, .ref = {u, 1}},
                              {.type = VALUE_INT, .i = 65536}},
             3);
    assert_int_equal(b.rows, SAMPLE_ROWS);
    assert_true(body_finish(&b, body, &e));
    body_close(&b);
}

/* Counters: deltas of every form, values with what their author had seen. */
#define SAMPLE_COUNTER_ROWS 4
static inline void sample_counter_body(struct buf *body)
{
    const struct slice article[] = {slice_text("id"), slice_text("name"), slice_text("stock"),
                                    slice_text("price")};
    struct actor us = sample_actor(1), them = sample_actor(2);
    const struct decimal half = {.part = 500000000000000000}, tenth = {.part = 100000000000000000};
    const struct body_seen seen[] = {
        {.actor = 0, .number = 1, .total = {.whole = -3}},
        {.actor = 1, .number = 12, .total = half},
        {.row = {0, 9}, .actor = 1, .number = 4, .total = {.whole = 2}}};
    const struct body_counter three[] = {{.delta = true, .total = {.whole = -3}}};
    const struct body_counter both[] = {
        {.delta = true, .form = DECIMAL_REAL, .total = {-3, half.part, 0}},
        {.cell = 1, .delta = true, .form = DECIMAL_TEXT + 2, .total = tenth}};
    const struct body_counter set[] = {{.seen_n = 3, .seen = seen}};
    const struct body_counter none[] = {{.cell = 2, .seen_n = 1, .seen = &seen[1]}};
    const struct value values[] = {{.type = VALUE_NULL}, {.type = VALUE_NULL}},
                       seven = {.type = VALUE_INT, .i = 7},
                       row[] = {{.type = VALUE_INT, .i = 103},
                                sample_text("th\xc3\xa9"),
                                {.type = VALUE_NULL},
                                {.type = VALUE_REAL, .r = 9.5}};
    struct body_row rows[] = {
        {CHANGE_UPDATE, {1, 70000}, SAMPLE_STAMP - 2, {0}, 1, (uint32_t[]){2}, values, 1, three},
        {CHANGE_UPDATE, {0, 1}, SAMPLE_STAMP - 1, {0}, 2, (uint32_t[]){2, 3}, values, 2, both},
        {CHANGE_UPDATE, {1, 70000}, SAMPLE_STAMP, {0}, 1, (uint32_t[]){2}, &seven, 1, set},
        {CHANGE_INSERT, {0, 3}, SAMPLE_STAMP, {0}, 4, NULL, row, 1, none},
    };
    struct body_writer b;
    struct err e = {0};

    body_open(&b);
    body_actor(&b, &us);
    body_actor(&b, &them);
    body_table(&b, slice_text("article"), article, 4, 1, true);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        body_row_write(&b, &rows[i]);
    assert_int_equal(b.rows, SAMPLE_COUNTER_ROWS);
    assert_true(body_finish(&b, body, &e));
    body_close(&b);
}

/* Its header, without what changeset_seal fills in. */
static inline struct changeset_header sample_header(void)
{
    struct changeset_header h = {
        .number = 2, .stamp = SAMPLE_STAMP, .schema = UINT64_C(0xfedcba9876543210), .roster = 3};
    struct actor second = sample_actor(2), third = sample_actor(3);
    uint8_t hash[HASH_BYTES];

    memset(h.fleet, 0xf1, sizeof h.fleet);
    h.actor = sample_actor(1);
    memset(h.previous, 0xab, sizeof h.previous);
    memset(hash, 0x22, sizeof hash);
    assert_true(vector_set(&h.needs, &second, 12, hash));
    memset(hash, 0x33, sizeof hash);
    assert_true(vector_set(&h.needs, &third, 1, hash));
    return h;
}

/* What other incarnations of the sample's site have said. */
static inline void sample_repeats(struct changeset_header *h)
{
    struct actor other = sample_actor(1), ahead = sample_actor(1);
    uint8_t hash[HASH_BYTES];

    memset(other.bytes + SITE_ID_BYTES, 4, ACTOR_BYTES - SITE_ID_BYTES);
    memset(hash, 0x44, sizeof hash);
    assert_true(vector_set(&h->repeats, &other, 5, hash));
    memset(ahead.bytes + SITE_ID_BYTES, 5, ACTOR_BYTES - SITE_ID_BYTES);
    assert_true(vector_set(&h->corrects, &ahead, 9, NULL));
}

/* Seals what `write` writes, by the sample's site, under a header of one's own. */
static inline void sample_seal_as(struct changeset_header *h, void (*write)(struct buf *body),
                                  uint32_t rows, struct buf *out)
{
    struct buf body = {0};
    uint8_t hash[HASH_BYTES];
    struct err e = {0};
    struct keys k;

    sample_keys(&k);
    write(&body);
    assert_true(changeset_seal(h, rows, buf_slice(&body), &k, out, hash, &e));
    buf_close(&body);
}

static inline void sample_seal(void (*write)(struct buf *body), uint32_t rows, bool repeats,
                               struct buf *out)
{
    struct changeset_header h = sample_header();

    if (repeats)
        sample_repeats(&h);
    sample_seal_as(&h, write, rows, out);
    changeset_header_close(&h);
}

static inline void sample_changeset(struct buf *out)
{
    sample_seal(sample_body, SAMPLE_ROWS, false, out);
}

static inline void sample_counter_changeset(struct buf *out)
{
    sample_seal(sample_counter_body, SAMPLE_COUNTER_ROWS, true, out);
}

/* Split, decode and verify: all that an agent does with a member's bytes before it keeps them. */
static inline bool sample_verify(struct slice bytes, struct err *e)
{
    struct changeset_header h = {0};
    struct changeset c;
    struct keys k;
    bool ok;

    sample_keys(&k);
    ok = changeset_split(&c, bytes, e) && changeset_header_read(&h, c.header, e) &&
         changeset_verify(&c, &h, k.sign_public, e);
    changeset_header_close(&h);
    return ok;
}

static inline struct value sample_random_cell(struct random_source *s, uint8_t *bytes, uint32_t n)
{
    struct value v = {.type = (enum value_type)random_below(s, VALUE_REF + 1)};
    uint64_t bits = random_bits(s);

    if (v.type == VALUE_INT) {
        v.i = (int64_t)(bits >> 1) * (random_below(s, 2) ? 1 : -1);
    } else if (v.type == VALUE_REAL) {
        bits &= ~(UINT64_C(1) << 62); /* no NaN */
        memcpy(&v.r, &bits, sizeof v.r);
    } else if (v.type == VALUE_REF) {
        v.ref = (struct gid){0, 1 + bits % (GID_COUNTER_MAX - 1)};
    } else if (v.type != VALUE_NULL) {
        for (uint32_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)(random_next(s) & (n % 2 ? 0x7f : 0xff));
        v.bytes = (struct slice){bytes, n};
    }
    return v;
}

static inline struct decimal sample_random_total(struct random_source *s)
{
    struct decimal d = {.whole = (int64_t)(random_bits(s) % 1000000) - 500000};

    if (random_below(s, 3) == 0)
        d.part = UINT64_C(1000000000000000) * random_below(s, 1000);
    if (random_below(s, 9) == 0)
        d.rest = random_below(s, 1000);
    return d;
}

/* Some of the cells of a row become counters. `room` is for what they had seen, 3 each. */
static inline uint32_t sample_random_counters(struct random_source *s, const struct body_row *row,
                                              uint32_t keys, struct value *values,
                                              struct body_counter *counters, struct body_seen *room)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < row->n; i++) {
        uint32_t column = row->op == CHANGE_UPDATE ? row->columns[i] : i;
        struct body_counter *c = &counters[n];

        if (column < keys || random_below(s, 3) != 0)
            continue;
        *c = (struct body_counter){.cell = i,
                                   .delta = row->op == CHANGE_UPDATE && random_below(s, 2)};
        if (c->delta) {
            values[i].type = VALUE_NULL;
            c->form = (uint8_t)random_below(s, DECIMAL_FORM_MAX + 1);
            c->total = sample_random_total(s);
        } else {
            c->seen = &room[3 * n];
            c->seen_n = 1 + random_below(s, 3);
            for (uint32_t k = 0; k < c->seen_n; k++)
                room[3 * n + k] = (struct body_seen){.row = {0, k == 0 ? 0 : row->gid.counter + k},
                                                     .number = 1 + random_bits(s) % INT64_MAX,
                                                     .total = sample_random_total(s)};
        }
        n++;
    }
    return n;
}

/* Up to three tables of up to 19 rows, by one actor. */
static inline void sample_random_body(struct random_source *s, struct buf *body, uint32_t *rows)
{
    static const char *const names[] = {"a", "b\"\\", "c/é", "d e"};
    struct slice columns[4] = {slice_text(names[0]), slice_text(names[1]), slice_text(names[2]),
                               slice_text(names[3])};
    struct actor us = sample_actor(1);
    struct body_counter counters[4];
    struct body_seen seen[12];
    uint8_t bytes[4][64];
    struct body_writer b;
    struct err e = {0};

    body_open(&b);
    body_actor(&b, &us);
    for (uint32_t t = random_below(s, 4); t > 0; t--) {
        uint32_t keys = 1 + random_below(s, 4);

        body_table(&b, slice_text(names[t]), columns, 4, keys, false);
        for (uint32_t r = random_below(s, 20); r > 0; r--) {
            struct gid gid = {0, 1 + random_bits(s) % (GID_COUNTER_MAX - 4)};
            enum change_op op = (enum change_op)(1 + random_below(s, 5));
            uint32_t n = op == CHANGE_INSERT ? 4 : change_has_some(op) ? 1 + random_below(s, 3) : 0;
            struct gid with = {0, op < CHANGE_REPAIR ? 0 : 1 + random_below(s, 1000)};
            uint32_t some[] = {n < 3, 2, 3};
            struct value cells[4];
            struct body_row row = {op, gid, random_bits(s) % SAMPLE_STAMP, with, n, some, cells,
                                   0,  NULL};

            for (uint32_t i = 0; i < n; i++)
                cells[i] = sample_random_cell(s, bytes[i], random_below(s, 64));
            if (op <= CHANGE_UPDATE)
                row.counter_n = sample_random_counters(s, &row, keys, cells, counters, seen);
            row.counters = counters;
            body_row_write(&b, &row);
        }
    }
    *rows = b.rows;
    assert_true(body_finish(&b, body, &e));
    body_close(&b);
}

/* A file of tests/golden/. */
static inline void sample_golden(struct buf *out, const char *name)
{
    char path[1024];
    uint8_t bytes[4096];
    FILE *f;
    size_t n;

    snprintf(path, sizeof path, "%s/%s", GOLDEN_DIR, name);
    f = fopen(path, "rb");
    if (f == NULL)
        fail_msg("%s cannot be opened", path);
    buf_open(out, 1 << 20);
    while ((n = fread(bytes, 1, sizeof bytes, f)) > 0)
        buf_add(out, bytes, n);
    assert_int_equal(fclose(f), 0);
}

#endif
