/* Before the first change of another PC comes in, the file as it is is kept: agent/backup.c and
 * agent/store/backup.c. */
#include "backup.h"

#include "floor.h"

static void list(const struct pc *pc, struct file_names *names)
{
    struct err e = {0};

    must(file_list(pc->home.backup, 100, names, &e), &e);
}

static uint32_t copies(const struct pc *pc)
{
    struct file_names names;
    uint32_t n;

    list(pc, &names);
    n = names.n;
    file_names_close(&names);
    return n;
}

static void the_copy_is_whole_and_without_the_changes_of_others(void **state)
{
    struct floor f = {0};
    struct file_names names;
    struct file_info info;
    char path[PATH_BYTES_MAX];
    struct err e = {0};
    struct pc a, b;
    sqlite3 *kept;

    (void)state;
    open_founding_pc(&f, &a, goods);
    pc_open(&f, &b, "B", no_goods);
    sql(&b, "INSERT INTO article VALUES (9, 'salt', 3, 1)");
    pc_enrol(&a, &b);
    pc_track(&b);
    pc_start(&a);
    pc_start(&b);
    AWAIT(&f, holds(&b, "SELECT count(*) FROM article", "3"));
    list(&b, &names);
    assert_int_equal(names.n, 1);
    assert_int_equal(strncmp(names.names[0], "shop.db-", 8), 0);
    must(path_join(path, b.home.backup, names.names[0], &e) && file_stat(path, &info, &e), &e);
    assert_int_equal(info.mode & 0777, 0600);
    file_names_close(&names);
    assert_int_equal(sqlite3_open(path, &kept), SQLITE_OK);
    sqlite3_close(b.app);
    b.app = kept;
    assert_string_equal(ask(&b, "PRAGMA integrity_check"), "ok");
    assert_string_equal(ask(&b, "SELECT count(*) || name FROM article"), "1salt");
    floor_close(&f);
}

static void it_is_made_once_whatever_comes_later(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    assert_int_equal(copies(&b), 1);
    pc_stop(&b);
    sql(&a, "UPDATE article SET stock = 5");
    pc_start(&b);
    AWAIT(&f, holds(&b, "SELECT sum(stock) FROM article", "10"));
    assert_int_equal(copies(&b), 1);
    floor_close(&f);
}

static void a_pc_that_is_alone_needs_none(void **state)
{
    struct floor f = {0};
    struct pc a;

    (void)state;
    open_founding_pc(&f, &a, goods);
    pc_start(&a);
    AWAIT(&f, a.agent.store != NULL && is_settled(&a));
    sql(&a, "UPDATE article SET stock = 5");
    AWAIT(&f, pump_times(a.agent.pump)->drains > 1 || is_settled(&a));
    assert_int_equal(copies(&a), 0);
    floor_close(&f);
}

/* What an agent that died half-way had copied is thrown away. */
static void half_a_copy_is_begun_anew(void **state)
{
    struct floor f = {0};
    char path[PATH_BYTES_MAX];
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_pc_and_newcomer(&f, &a, &b);
    must(path_join(path, b.home.backup, "copy-under-way", &e) &&
             file_write_atomic(path, slice_text("half a copy"), 0600, &e),
         &e);
    pc_start(&a);
    pc_start(&b);
    AWAIT(&f, holds(&b, "SELECT count(*) FROM article", "2"));
    assert_false(file_exists(path));
    assert_int_equal(copies(&b), 1);
    floor_close(&f);
}

static void it_can_be_closed_when_nothing_is_under_way(void **state)
{
    struct backup b = {0};

    (void)state;
    backup_close(&b);
    backup_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_copy_is_whole_and_without_the_changes_of_others),
        cmocka_unit_test(it_is_made_once_whatever_comes_later),
        cmocka_unit_test(a_pc_that_is_alone_needs_none),
        cmocka_unit_test(half_a_copy_is_begun_anew),
        cmocka_unit_test(it_can_be_closed_when_nothing_is_under_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
