/* What is large in the ledger: it comes back as it was, takes little memory, and goes from PC to PC
 * as what is small does. Also of ledger_log.c. */
#include "library.h"
#include "sites.h"

#include "inside.h"
#include "ledger_large.h"
#include "sim/disk.h"

#define VALUE_BYTES (5u << 20)

struct shelf {
    uint64_t ms;
    struct disk *disk; /* NULL: real files */
    char home[64];
    struct ledger l;
    struct err e;
};

static void shelf_open(struct shelf *s)
{
    static const uint8_t fleet[FLEET_ID_BYTES] = {1};
    static const struct site_id site = {{7}};
    const char *vfs = s->disk != NULL ? disk_vfs(s->disk, PROCESS_AGENT) : NULL;

    check(ledger_open(&s->l, s->home, vfs, true, fleet, &site, true, &s->e), &s->e);
}

static void shelf_on_disk(struct shelf *s)
{
    *s = (struct shelf){.home = "/tmp/navette-large-XXXXXX"};
    assert_non_null(mkdtemp(s->home));
    shelf_open(s);
}

static void shelf_close(struct shelf *s)
{
    char command[96];

    ledger_close(&s->l);
    if (s->disk != NULL) {
        disk_free(s->disk);
        return;
    }
    snprintf(command, sizeof command, "rm -r %s", s->home);
    assert_int_equal(system(command), 0);
}

static struct buf noise(size_t n, uint8_t seed)
{
    struct buf b;
    uint8_t *at;

    buf_open(&b, n);
    at = buf_extend(&b, n);
    for (size_t i = 0; i < n; i++)
        at[i] = (uint8_t)(seed + i * 2654435761u / 65536);
    return b;
}

static void put_cell(struct record *r, uint32_t position, struct slice bytes)
{
    struct cell *c = record_cell(r, position);

    *c = (struct cell){.set = true, .clock = {.stamp = 9, .actor = 1, .number = position + 1}};
    c->v = (struct value){.type = VALUE_BLOB, .bytes = bytes};
}

/* A row that says `large` between two small values, and of which the file holds `shadow`. */
static void put_row(struct shelf *s, int64_t gid, struct slice large, struct slice shadow,
                    bool known)
{
    struct ledger_row row = {.gid = gid, .table = 1, .key = int_key(gid), .present = true};
    struct record_gaps gaps = {0};
    struct record r = {0};
    struct buf bytes;

    put_cell(&r, 0, slice_text("before"));
    put_cell(&r, 1, large);
    put_cell(&r, 2, slice_text("behind"));
    buf_open(&bytes, SIZE_MAX / 2);
    record_encode_apart(&r, &bytes, &gaps);
    assert_int_equal(gaps.n, 1);
    assert_in_range(bytes.n, 1, 200);
    row.rec = buf_slice(&bytes);
    row.gaps = &gaps;
    row.differs = shadow.p != NULL;
    row.shadow = shadow;
    check(ledger_row_put(&s->l, &row, known, known, &s->e), &s->e);
    record_gaps_close(&gaps);
    record_close(&r);
    buf_close(&bytes);
}

static void expect_row(struct shelf *s, int64_t gid, int64_t key, struct slice large,
                       struct slice shadow)
{
    struct record r = {0};
    struct ledger_row row;
    bool found;

    check(ledger_row_get(&s->l, gid, &row, &found, &s->e), &s->e);
    assert_true(found);
    assert_true(row.key.i == key);
    check(record_borrow(&r, row.rec, &s->e), &s->e);
    assert_int_equal(r.n, 3);
    assert_true(slice_equal(r.cells[0].v.bytes, slice_text("before")));
    assert_true(slice_equal(r.cells[1].v.bytes, large));
    assert_true(slice_equal(r.cells[2].v.bytes, slice_text("behind")));
    assert_int_equal(row.differs, shadow.p != NULL);
    assert_true(shadow.p == NULL || slice_equal(row.shadow, shadow));
    record_close(&r);
    ledger_rest(&s->l);
}

static void walk_through(struct shelf *s)
{
    struct buf one = noise(VALUE_BYTES, 1), two = noise(LARGE_BYTES, 2);
    struct slice none = {0}, small = slice_text("what the file holds");
    struct row_key key = int_key(4711), same = {0};
    int64_t gid = ledger_mint(&s->l, 0, 0);

    check(ledger_begin(&s->l, false, &s->e), &s->e);
    put_row(s, gid, buf_slice(&one), none, false);
    expect_row(s, gid, gid, buf_slice(&one), none);
    put_row(s, gid, buf_slice(&two), buf_slice(&one), true);
    expect_row(s, gid, gid, buf_slice(&two), buf_slice(&one));
    check(ledger_row_settle(&s->l, gid, &key, true, true, none, &s->e), &s->e);
    expect_row(s, gid, 4711, buf_slice(&two), none);
    check(ledger_row_settle(&s->l, gid, &same, true, true, small, &s->e), &s->e);
    check(ledger_commit(&s->l, &s->e), &s->e);
    ledger_close(&s->l);
    shelf_open(s);
    expect_row(s, gid, 4711, buf_slice(&two), small);
    buf_close(&one);
    buf_close(&two);
}

static void a_large_record_comes_back_as_it_was(void **state)
{
    struct shelf s;

    (void)state;
    shelf_on_disk(&s);
    walk_through(&s);
    shelf_close(&s);
}

/* The simulator's files cannot be mapped. */
static void so_it_does_where_no_file_can_be_mapped(void **state)
{
    struct shelf s = {.home = "/shelf"};

    (void)state;
    s.disk = disk_new("shelf", &s.ms, (struct rng){3});
    shelf_open(&s);
    walk_through(&s);
    shelf_close(&s);
}

static void a_large_change_set_takes_little_memory(void **state)
{
    struct buf bytes = noise(8 * VALUE_BYTES, 3);
    struct large kept = {0};
    struct slice got;
    struct shelf s;
    int64_t before;
    bool found;

    (void)state;
    shelf_on_disk(&s);
    before = sqlite3_memory_used();
    sqlite3_memory_highwater(1);
    check(ledger_begin(&s.l, false, &s.e), &s.e);
    check(ledger_changeset_put(&s.l, s.l.self, 1, 7, buf_slice(&bytes), &s.e), &s.e);
    check(ledger_changeset_get(&s.l, s.l.self, 1, &got, &found, &s.e), &s.e);
    got = ledger_keep(&s.l, got, &kept);
    check(ledger_commit(&s.l, &s.e), &s.e);
    assert_true(found);
    assert_non_null(kept.file);
    assert_true(slice_equal(got, buf_slice(&bytes)));
    assert_in_range(sqlite3_memory_highwater(0) - before, 1, 1 << 20);
    large_close(&kept);
    shelf_close(&s);
    buf_close(&bytes);
}

static void what_lies_behind_what_is_large_takes_little_memory(void **state)
{
    struct buf large = noise(VALUE_BYTES, 1);
    struct slice small = slice_text("what the file holds");
    struct shelf s;
    int64_t gid, before;

    (void)state;
    shelf_on_disk(&s);
    gid = ledger_mint(&s.l, 0, 0);
    check(ledger_begin(&s.l, false, &s.e), &s.e);
    put_row(&s, gid, buf_slice(&large), small, false);
    check(ledger_commit(&s.l, &s.e), &s.e);
    sqlite3_db_release_memory(s.l.db);
    before = sqlite3_memory_used();
    sqlite3_memory_highwater(1);
    expect_row(&s, gid, gid, buf_slice(&large), small);
    assert_in_range(sqlite3_memory_highwater(0) - before, 1, 1 << 20);
    shelf_close(&s);
    buf_close(&large);
}

static void what_is_small_is_kept_as_well(void **state)
{
    struct large kept = {0};
    struct slice got;
    struct shelf s;
    bool found;

    (void)state;
    shelf_on_disk(&s);
    check(ledger_begin(&s.l, false, &s.e), &s.e);
    check(ledger_changeset_put(&s.l, s.l.self, 1, 7, slice_text("one"), &s.e), &s.e);
    check(ledger_changeset_put(&s.l, s.l.self, 2, 8, slice_text("two"), &s.e), &s.e);
    check(ledger_changeset_get(&s.l, s.l.self, 1, &got, &found, &s.e), &s.e);
    got = ledger_keep(&s.l, got, &kept);
    check(ledger_changeset_get(&s.l, s.l.self, 2, &(struct slice){0}, &found, &s.e), &s.e);
    check(ledger_commit(&s.l, &s.e), &s.e);
    assert_true(slice_equal(got, slice_text("one")));
    large_close(&kept);
    shelf_close(&s);
}

/* The rest is in memory: a process has only so many files. */
static void only_so_many_files_are_open(void **state)
{
    struct large kept[LARGE_FILES_MAX + 3] = {{0}};
    struct buf bytes = noise(LARGE_BYTES, 4);
    struct shelf s;
    bool found;

    (void)state;
    shelf_on_disk(&s);
    check(ledger_begin(&s.l, false, &s.e), &s.e);
    for (uint32_t i = 0; i < COUNT_OF(kept); i++) {
        struct slice got;

        check(ledger_changeset_put(&s.l, s.l.self, i + 1, i + 1, buf_slice(&bytes), &s.e), &s.e);
        check(ledger_changeset_get(&s.l, s.l.self, i + 1, &got, &found, &s.e), &s.e);
        got = ledger_keep(&s.l, got, &kept[i]);
        assert_true(slice_equal(got, buf_slice(&bytes)));
    }
    check(ledger_commit(&s.l, &s.e), &s.e);
    assert_int_equal(s.l.large_files, LARGE_FILES_MAX);
    assert_non_null(kept[LARGE_FILES_MAX - 1].file);
    assert_null(kept[LARGE_FILES_MAX].file);
    for (uint32_t i = 0; i < COUNT_OF(kept); i++)
        large_close(&kept[i]);
    assert_int_equal(s.l.large_files, 0);
    shelf_close(&s);
    buf_close(&bytes);
}

static void who_asks_where_a_row_stands_reads_nothing_large(void **state)
{
    struct buf one = noise(LARGE_BYTES, 5), two = noise(LARGE_BYTES, 6);
    struct ledger_row row;
    struct row_key key;
    struct shelf s;
    int64_t gid;
    bool found;

    (void)state;
    shelf_on_disk(&s);
    gid = ledger_mint(&s.l, 0, 0);
    key = int_key(gid);
    check(ledger_begin(&s.l, false, &s.e), &s.e);
    put_row(&s, gid, buf_slice(&one), buf_slice(&two), false);
    for (int by_key = 0; by_key < 2; by_key++) {
        check(by_key ? ledger_head_by_key(&s.l, 1, &key, true, &row, &found, &s.e)
                     : ledger_head_get(&s.l, gid, &row, &found, &s.e),
              &s.e);
        assert_true(found && row.gid == gid && row.key.i == gid);
        assert_true(row.present && row.differs && !row.minted);
        assert_int_equal(row.rec.n + row.shadow.n, 0);
        assert_int_equal(s.l.large_files, 0);
    }
    check(ledger_commit(&s.l, &s.e), &s.e);
    shelf_close(&s);
    buf_close(&one);
    buf_close(&two);
}

/* From nothing to large, to another one, to one that somebody else writes at the same time, to
 * small, and away. */
static void a_large_value_goes_from_pc_to_pc(void **state)
{
    static const char *const steps[] = {
        "INSERT INTO t VALUES (1, randomblob(3000000), 'a', hex(randomblob(900000)))",
        "UPDATE t SET name = hex(randomblob(1200000))",
        "UPDATE t SET picture = randomblob(2500000), note = 'b'",
        "UPDATE t SET note = 'c'",
        "UPDATE t SET picture = x'00', name = 'short'",
        "UPDATE t SET picture = zeroblob(2000000)",
        "DELETE FROM t",
    };
    static const char schema[] = "CREATE TABLE t(id INTEGER PRIMARY KEY, picture, note, name TEXT)";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        sql(i % 2 == 0 ? &a : &b, steps[i]);
        exchange(&a, &b);
        expect_same(&a, &b, "SELECT * FROM t");
        if (i + 1 < COUNT_OF(steps)) {
            sql(&a, "UPDATE t SET picture = randomblob(1500000)");
            sql(&b, "UPDATE t SET picture = randomblob(1600000)");
            exchange(&a, &b);
            expect_same(&a, &b, "SELECT * FROM t");
        }
    }
    expect(&b, "SELECT count(*) FROM t", "0");
    close_pair(&a, &b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_change_set_takes_little_memory),
        cmocka_unit_test(what_lies_behind_what_is_large_takes_little_memory),
        cmocka_unit_test(a_large_record_comes_back_as_it_was),
        cmocka_unit_test(so_it_does_where_no_file_can_be_mapped),
        cmocka_unit_test(what_is_small_is_kept_as_well),
        cmocka_unit_test(only_so_many_files_are_open),
        cmocka_unit_test(who_asks_where_a_row_stands_reads_nothing_large),
        cmocka_unit_test(a_large_value_goes_from_pc_to_pc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
