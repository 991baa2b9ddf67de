/* import.c: a drop file, taken in whole or refused with the reason. */
#include "carried.h"

/* A file of a's with all that it has; its bytes are put into `bytes`. */
static void make_file(struct pc *a, char *path, struct buf *bytes)
{
    struct carried c = export_to(a, a->directory, "");
    struct err e = {0};

    must(c.e.code == ERR_NONE, &c.e);
    memcpy(path, c.path, sizeof c.path);
    buf_open(bytes, DROP_BYTES_MAX);
    must(file_read(path, DROP_BYTES_MAX, bytes, &e), &e);
}

static void write_file(const char *path, struct slice bytes)
{
    struct err e = {0};

    must(file_write_atomic(path, bytes, 0600, &e), &e);
}

static void a_file_comes_in_once_however_often_it_is_brought(void **state)
{
    char path[PATH_BYTES_MAX];
    struct floor f;
    struct carried c;
    struct buf bytes;
    struct pc a, b;

    (void)state;
    open_apart(&f, &a, &b);
    make_file(&a, path, &bytes);
    c = import_from(&b, path);
    must(c.e.code == ERR_NONE, &c.e);
    assert_true(c.changesets > 0);
    AWAIT(&f, holds(&b, "SELECT count(*) FROM article", "2"));
    c = import_from(&b, path);
    must(c.e.code == ERR_NONE, &c.e);
    assert_int_equal(c.changesets, 0);
    buf_close(&bytes);
    floor_close(&f);
}

/* Wherever it is touched or cut off, nothing of it is taken. */
static void a_touched_file_is_refused_and_nothing_of_it_is_taken(void **state)
{
    char path[PATH_BYTES_MAX];
    struct floor f;
    struct buf bytes;
    struct pc a, b;

    (void)state;
    open_apart(&f, &a, &b);
    make_file(&a, path, &bytes);
    for (size_t i = 0; i < 40; i++) {
        size_t at = bytes.n / 40 * i + 1;
        uint8_t was = bytes.p[at];
        struct carried c;

        bytes.p[at] = was == 'e' ? 'f' : 'e';
        write_file(path, i % 4 == 3 ? (struct slice){bytes.p, at} : buf_slice(&bytes));
        bytes.p[at] = was;
        c = import_from(&b, path);
        if (c.e.code == ERR_NONE)
            fail_msg("byte %zu of %zu", at, bytes.n);
        assert_int_equal(c.changesets, 0);
        assert_true(strlen(c.e.text) > 0);
    }
    assert_true(holds(&b, "SELECT count(*) FROM article", "0"));
    write_file(path, buf_slice(&bytes));
    must(import_from(&b, path).e.code == ERR_NONE, &(struct err){ERR_INPUT, "as it was"});
    AWAIT(&f, holds(&b, "SELECT count(*) FROM article", "2"));
    buf_close(&bytes);
    floor_close(&f);
}

static void expect_refused(struct pc *pc, const char *path, enum err_code code, const char *says)
{
    struct carried c = import_from(pc, path);

    if (c.e.code != code || strstr(c.e.text, says) == NULL)
        fail_msg("%s: %s: %s", path, err_code_name(c.e.code), c.e.text);
    assert_int_equal(c.changesets, 0);
}

static void what_is_no_drop_file_is_told_from_what_is_none_of_ours(void **state)
{
    char path[PATH_BYTES_MAX];
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_apart(&f, &a, &b);
    must(path_join(path, b.directory, "file.json", &e), &e);
    expect_refused(&b, path, ERR_INPUT, "file.json");
    expect_refused(&b, b.directory, ERR_INPUT, b.directory);
    write_file(path, slice_text("{"));
    assert_false(import_from(&b, path).foreign);
    write_file(path, slice_text("[{\"model\": \"shop.article\", \"pk\": 1}]"));
    assert_true(import_from(&b, path).foreign);
    floor_close(&f);
}

/* How many bytes of this process are in memory. */
static uint64_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*u %lu", &pages), 1);
    fclose(f);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* As large as a drop file may be, with nothing in it but these first words. */
static void write_large(const char *path, const char *begins)
{
    write_file(path, slice_text(begins));
    assert_int_equal(truncate(path, DROP_BYTES_MAX), 0);
}

static void of_a_large_file_that_is_none_of_ours_only_the_beginning_is_read(void **state)
{
    char path[PATH_BYTES_MAX];
    struct carried c;
    struct floor f;
    struct err e = {0};
    struct pc a, b;
    uint64_t before;

    (void)state;
    open_apart(&f, &a, &b);
    must(path_join(path, b.directory, "file.json", &e), &e);
    before = resident_bytes();
    write_large(path, "");
    expect_refused(&b, path, ERR_INPUT, "this is no drop file of Navette");
    assert_false(import_from(&b, path).foreign);
    write_large(path, "\xef\xbb\xbf [{\"model\": \"shop.article\", \"navette\": 1");
    c = import_from(&b, path);
    assert_int_equal(c.e.code, ERR_INPUT);
    assert_true(c.foreign);
    assert_true(resident_bytes() < before + (64u << 20));
    floor_close(&f);
}

static void a_file_of_another_fleet_is_refused(void **state)
{
    char path[PATH_BYTES_MAX];
    struct floor f;
    struct buf bytes;
    struct pc a, b, other;

    (void)state;
    open_apart(&f, &a, &b);
    open_founding_pc(&f, &other, goods);
    pc_start(&other);
    AWAIT(&f, is_at_rest(&other));
    make_file(&other, path, &bytes);
    expect_refused(&b, path, ERR_REFUSED,
                   "it is of the fleet \"Shop\" (from A); this PC is in the fleet");
    buf_close(&bytes);
    floor_close(&f);
}

/* The founder's keys are in a thief's hands, and what he signs was written first, as he says. */
static void who_is_shut_out_does_not_bring_himself_in_again(void **state)
{
    struct vector cut = {0};
    struct err e = {0};
    struct floor f;
    struct carried c;
    struct pc a, b;

    (void)state;
    open_apart(&f, &a, &b);
    must(roster_revoke(&b.agent.roster, &a.keys.site, &cut, &b.keys, &e), &e);
    must(agent_roster_changed(&b.agent, &e), &e);
    must(roster_revoke(&a.agent.roster, &b.keys.site, &cut, &a.keys, &e), &e);
    must(agent_roster_changed(&a.agent, &e), &e);
    c = export_to(&a, a.directory, "");
    must(c.e.code == ERR_NONE, &c.e);
    expect_refused(&b, c.path, ERR_REVOKED, "which was shut out of the fleet");
    assert_null(roster_find(&b.agent.roster, &a.keys.site));
    assert_non_null(roster_find(&b.agent.roster, &b.keys.site));
    assert_true(holds(&b, "SELECT count(*) FROM article", "0"));
    floor_close(&f);
}

static void without_a_fleet_or_a_database_nothing_is_begun(void **state)
{
    struct carried c = {0};
    struct floor f = {0};
    struct err e = {0};
    struct pc a;

    (void)state;
    pc_open(&f, &a, "A", goods);
    pc_start(&a);
    assert_false(agent_drop_import(&a.agent, "/x", false, on_carried, &c, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    assert_null(a.agent.transfers);
    floor_close(&f);
}

static void whoever_asked_may_go_at_any_moment(void **state)
{
    (void)state;
    for (int turns = 0; turns < 8; turns++) {
        struct carried c = {0};
        char path[PATH_BYTES_MAX];
        struct floor f;
        struct buf bytes;
        struct err e = {0};
        struct pc a, b;

        open_apart(&f, &a, &b);
        make_file(&a, path, &bytes);
        must(agent_drop_import(&b.agent, path, false, on_carried, &c, &e), &e);
        floor_turns(&f, turns);
        agent_drop_forget(&b.agent, &c);
        if (turns % 2 == 1)
            pc_stop(&b);
        else
            must(import_from(&b, path).e.code == ERR_NONE, &(struct err){ERR_INPUT, "again"});
        buf_close(&bytes);
        floor_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_comes_in_once_however_often_it_is_brought),
        cmocka_unit_test(a_touched_file_is_refused_and_nothing_of_it_is_taken),
        cmocka_unit_test(what_is_no_drop_file_is_told_from_what_is_none_of_ours),
        cmocka_unit_test(of_a_large_file_that_is_none_of_ours_only_the_beginning_is_read),
        cmocka_unit_test(a_file_of_another_fleet_is_refused),
        cmocka_unit_test(who_is_shut_out_does_not_bring_himself_in_again),
        cmocka_unit_test(without_a_fleet_or_a_database_nothing_is_begun),
        cmocka_unit_test(whoever_asked_may_go_at_any_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
