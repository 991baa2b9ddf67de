/* Commits in the application's file are noticed, and the file when it is another one. */
#include <sys/stat.h>

#include "floor.h"

static uint64_t drains(const struct pc *pc)
{
    return pump_times(pc->agent.pump)->drains;
}

static void open_watched(struct floor *f, struct pc *a)
{
    *f = (struct floor){0};
    open_founding_pc(f, a, goods);
    pc_start(a);
    AWAIT(f, a->agent.store != NULL && is_settled(a));
}

/* The tick of a second is for what the system did not tell: it has no time to come in between. */
static void commits_are_noticed_at_once_and_not_by_the_tick(void **state)
{
    struct floor f;
    struct pc a;
    uint32_t ticks;

    (void)state;
    open_watched(&f, &a);
    ticks = a.agent.ticks;
    for (int i = 0; i < 20; i++) {
        uint64_t before = drains(&a);

        sql(&a, "UPDATE article SET stock = stock - 1");
        AWAIT(&f, drains(&a) > before);
    }
    assert_true(a.agent.ticks - ticks < 10);
    floor_close(&f);
}

static void so_they_are_in_rollback_mode_and_behind_a_link(void **state)
{
    struct floor f = {0};
    struct pc a;
    char path[160], real[160];
    uint32_t ticks;

    (void)state;
    pc_open(&f, &a, "A", goods);
    sql(&a, "PRAGMA journal_mode = DELETE");
    sqlite3_close(a.app);
    snprintf(path, sizeof path, "%s/elsewhere", a.directory);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(real, sizeof real, "%s/elsewhere/real.db", a.directory);
    assert_int_equal(rename(a.database, real), 0);
    assert_int_equal(symlink(real, a.database), 0);
    assert_int_equal(sqlite3_open(real, &a.app), SQLITE_OK);
    pc_found(&a);
    pc_track(&a);
    pc_start(&a);
    AWAIT(&f, a.agent.store != NULL && is_settled(&a));
    ticks = a.agent.ticks;
    for (int i = 0; i < 20; i++) {
        uint64_t before = drains(&a);

        sql(&a, "UPDATE article SET stock = stock - 1");
        AWAIT(&f, drains(&a) > before);
    }
    assert_true(a.agent.ticks - ticks < 10);
    floor_close(&f);
}

/* The file as it is now, in a file of its own. */
static void copy_file(const char *from, const char *to)
{
    struct buf bytes;
    struct err e = {0};

    buf_open(&bytes, 1u << 24);
    must(file_read(from, 1u << 24, &bytes, &e) &&
             file_write_atomic(to, buf_slice(&bytes), 0600, &e),
         &e);
    buf_close(&bytes);
}

static void another_file_under_the_name_is_taken_up(void **state)
{
    struct floor f;
    struct pc a;
    char copy[160];
    uint64_t before;

    (void)state;
    f = (struct floor){0};
    pc_open(&f, &a, "A", goods);
    sql(&a, "PRAGMA journal_mode = DELETE"); /* nothing beside the file: the copy is whole */
    pc_found(&a);
    pc_track(&a);
    pc_start(&a);
    AWAIT(&f, a.agent.store != NULL && is_settled(&a));
    sqlite3_close(a.app);
    snprintf(copy, sizeof copy, "%s/copy.db", a.directory);
    copy_file(a.database, copy);
    assert_int_equal(rename(copy, a.database), 0);
    assert_int_equal(sqlite3_open(a.database, &a.app), SQLITE_OK);
    before = drains(&a);
    sql(&a, "UPDATE article SET stock = 1");
    AWAIT(&f, a.agent.store != NULL && drains(&a) > before && is_settled(&a));
    floor_close(&f);
}

static void a_file_that_is_gone_is_told_until_it_is_back(void **state)
{
    struct floor f;
    struct pc a;
    char away[160];

    (void)state;
    open_watched(&f, &a);
    sqlite3_close(a.app);
    a.app = NULL;
    snprintf(away, sizeof away, "%s/away.db", a.directory);
    assert_int_equal(rename(a.database, away), 0);
    AWAIT(&f, is_warned(&a, WARNING_DATABASE));
    assert_non_null(strstr(warned(&a, WARNING_DATABASE), "shop.db"));
    assert_null(a.agent.store);
    assert_int_equal(rename(away, a.database), 0);
    AWAIT(&f, !is_warned(&a, WARNING_DATABASE));
    assert_non_null(a.agent.store);
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_are_noticed_at_once_and_not_by_the_tick),
        cmocka_unit_test(so_they_are_in_rollback_mode_and_behind_a_link),
        cmocka_unit_test(another_file_under_the_name_is_taken_up),
        cmocka_unit_test(a_file_that_is_gone_is_told_until_it_is_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
