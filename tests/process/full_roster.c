/* Fills a roster as one admin who means harm can: up to all of its bounds, with members of its own,
 * their checkpoints, what these are acknowledged with, and names without end.
 *
 *     full_roster LOG SEED OUT     LOG: a roster; SEED: of an admin's keys, hexadecimal; OUT: all
 * of it
 *
 * Says on a line: entries, bytes, and the seconds that it takes to take it all in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../protocol/entry.h"

#define OWN_MAX (SITES_MAX - 8) /* members that it makes up; there are some others */
#define RULES   110             /* of 1,200 bytes: checkpoints repeat them */
#define RENAMES (ROSTER_ORDINARY_MAX - 16)

struct fill {
    struct roster r;
    struct keys admin, own[OWN_MAX];
    struct buf log; /* new items */
    uint8_t head[1][HASH_BYTES];
    uint32_t entries, before; /* new ones; sites that were there */
};

static void check(bool ok, const struct err *e)
{
    if (ok)
        return;
    fprintf(stderr, "full_roster: %s\n", e->text);
    exit(1);
}

static void add(struct fill *f, struct buf *entry, const struct keys *by, bool goes_on)
{
    uint8_t signature[SIGNATURE_BYTES], hash[HASH_BYTES];

    keys_sign(by, ROSTER_CONTEXT, buf_slice(entry), signature);
    item_write(&f->log, buf_slice(entry), signature);
    hash_bytes(hash, buf_slice(entry));
    if (goes_on)
        memcpy(f->head[0], hash, sizeof hash);
    f->entries++;
    buf_close(entry);
}

static struct writer begin(struct fill *f, struct buf *entry, enum entry_kind kind, uint32_t fields,
                           const struct keys *by)
{
    struct roster known = {.heads = f->head, .head_count = 1};

    return entry_open(entry, &known, kind, fields, by);
}

/* What was written so far comes to the roster. */
static void take(struct fill *f)
{
    struct err e = {0};
    bool changed;

    check(roster_merge(&f->r, buf_slice(&f->log), &changed, &e), &e);
    buf_clear(&f->log);
    memcpy(f->head[0], f->r.heads[0], HASH_BYTES);
}

static void enrol_own(struct fill *f)
{
    static const uint8_t none[ROSTER_INVITE_ID_BYTES];

    for (uint32_t i = 0; i < OWN_MAX; i++) {
        uint8_t seed[32] = {(uint8_t)i, (uint8_t)(i >> 8), 77};
        char name[NAME_BYTES_MAX + 1];
        struct buf entry;
        struct writer w = begin(f, &entry, ENTRY_ENROL, 4, &f->admin);

        memcpy(seed + 8, f->admin.seed, sizeof seed - 8);
        keys_from_seed(&f->own[i], seed);
        snprintf(name, sizeof name,
                 "%03u-a-name-that-is-as-long-as-the-name-of-a-PC-may-be-here-...", i);
        write_bin(&w, SLICE(f->own[i].sign_public));
        write_bin(&w, SLICE(f->own[i].exchange_public));
        write_text(&w, slice_text(name));
        write_bin(&w, SLICE(none));
        add(f, &entry, &f->admin, true);
    }
}

static void add_rules(struct fill *f)
{
    for (uint32_t i = 0; i < RULES / 2; i++) {
        char table[8], where[RULE_WHERE_BYTES_MAX + 1];
        struct rule_change c = {{.kind = RULE_BOTH, .table = table, .where = where}, true};
        struct buf entry;
        struct writer w = begin(f, &entry, ENTRY_RULES, 1, &f->admin);

        snprintf(table, sizeof table, "t%u", f->r.rules.n + i);
        memset(where, 'x', sizeof where - 1);
        where[sizeof where - 1] = '\0';
        write_array(&w, 1);
        rule_change_write(&w, &c);
        add(f, &entry, &f->admin, true);
    }
}

/* The entry of a checkpoint of what is here, by the admin. */
static void checkpoint(struct fill *f, struct buf *out)
{
    struct roster r = {0};
    struct err e = {0};
    struct reader items;
    struct entry n = {0};

    check(roster_copy(&r, &f->r, &e) && roster_checkpoint(&r, 1, &f->admin, &e), &e);
    items = reader_of(buf_slice(&r.log), &e);
    while (items.left.n > 0) {
        check(entry_read(&items, &n), &e);
        if (n.kind == ENTRY_CHECKPOINT) {
            buf_open(out, n.bytes.n);
            buf_add(out, n.bytes.p, n.bytes.n);
        }
        memset(&n, 0, sizeof n);
    }
    roster_close(&r);
}

/* The same by another: with his key where the admin's stands. */
static void copy_checkpoint(struct fill *f, const struct buf *from, const struct keys *by)
{
    uint8_t hash[HASH_BYTES];
    struct buf entry, ack;
    struct writer w;
    uint8_t *at;

    buf_open(&entry, from->n);
    buf_add(&entry, from->p, from->n);
    at = memmem(entry.p, 64, f->admin.sign_public, SIGN_PUBLIC_BYTES);
    memcpy(at, by->sign_public, SIGN_PUBLIC_BYTES);
    hash_bytes(hash, buf_slice(&entry));
    add(f, &entry, by, false);
    for (uint32_t i = 0; i < OWN_MAX; i++) { /* all of whom it names */
        struct roster known = {.heads = &hash, .head_count = 1};

        w = entry_open(&ack, &known, ENTRY_ACKNOWLEDGE, 1, &f->own[i]);
        write_bin(&w, SLICE(hash));
        add(f, &ack, &f->own[i], false);
    }
}

/* By all who have room for them. */
static void add_checkpoints(struct fill *f, const struct buf sums[ROSTER_CHECKPOINTS])
{
    for (int j = 0; j < ROSTER_CHECKPOINTS; j++) {
        copy_checkpoint(f, &sums[j], &f->admin);
        for (uint32_t i = 0; i + f->before < ROSTER_SENIORS; i++)
            copy_checkpoint(f, &sums[j], &f->own[i]);
    }
}

static void add_renames(struct fill *f)
{
    for (uint32_t i = 0; f->entries + f->r.entries < RENAMES && i < RENAMES; i++) {
        char name[16];
        struct buf entry;
        struct writer w = begin(f, &entry, ENTRY_RENAME, 2, &f->admin);

        write_bin(&w, SLICE(f->admin.site.bytes));
        snprintf(name, sizeof name, "N%u", i);
        write_text(&w, slice_text(name));
        add(f, &entry, &f->admin, true);
    }
}

static void load(struct fill *f, const char *path, struct buf *log)
{
    FILE *in = fopen(path, "rb");
    struct err e = {0};
    int c;

    buf_open(log, ROSTER_BYTES_MAX);
    while (in != NULL && (c = fgetc(in)) != EOF)
        buf_add_byte(log, (uint8_t)c);
    check(in != NULL && fclose(in) == 0, &e);
    check(roster_load(&f->r, buf_slice(log), &e), &e);
    memcpy(f->head[0], f->r.heads[0], HASH_BYTES);
}

int main(int argc, char **argv)
{
    static struct fill f;
    struct roster other = {0};
    struct buf first, sums[ROSTER_CHECKPOINTS];
    struct err e = {0};
    uint8_t seed[32];
    bool changed;
    clock_t start;
    FILE *out;

    if (argc != 4 || !keys_library_start(&e) || !hex_read(seed, sizeof seed, argv[2]))
        return 64;
    keys_from_seed(&f.admin, seed);
    load(&f, argv[1], &first);
    buf_open(&f.log, ROSTER_BYTES_MAX);
    f.before = f.r.known_count;
    enrol_own(&f);
    for (int i = 0; i < ROSTER_CHECKPOINTS; i++) {
        add_rules(&f);
        take(&f);
        checkpoint(&f, &sums[i]);
    }
    add_checkpoints(&f, sums);
    f.entries = 0;
    add_renames(&f);
    start = clock();
    check(roster_load(&other, buf_slice(&first), &e), &e);
    check(roster_take(&other, buf_slice(&f.r.log), &changed, &e), &e);
    check(roster_take(&other, buf_slice(&f.log), &changed, &e), &e);
    fprintf(stderr, "%u entries, %zu bytes, %.2f s\n", other.entries, other.log.n,
            (double)(clock() - start) / CLOCKS_PER_SEC);
    out = fopen(argv[3], "wb");
    check(out != NULL && fwrite(other.log.p, other.log.n, 1, out) == 1 && fclose(out) == 0, &e);
    for (int i = 0; i < ROSTER_CHECKPOINTS; i++)
        buf_close(&sums[i]);
    buf_close(&first);
    roster_close(&other);
    return 0;
}
