/* Bytes that are too many to be kept in memory. */
#include "spool.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "file.h"

static char directory[32];

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/navette-spool-XXXXXX");
    return mkdtemp(directory) == NULL;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory); /* nothing was left in it */
}

static uint32_t names_in_it(void)
{
    struct file_names names;
    struct err e = {0};
    uint32_t n;

    assert_true(file_list(directory, 100, &names, &e));
    n = names.n;
    file_names_close(&names);
    return n;
}

static void what_goes_in_comes_out_as_it_was(void **state)
{
    static uint8_t bytes[300000];
    struct spool s = {0};
    struct slice all;
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 >> 3);
    assert_true(spool_add(&s, directory, (struct slice){bytes, 100000}, &e));
    assert_true(spool_add(&s, directory, (struct slice){bytes + 100000, 1}, &e));
    assert_true(spool_add(&s, directory, (struct slice){bytes + 100001, 199999}, &e));
    assert_true(spool_view(&s, &all, &e));
    assert_true(slice_equal(all, SLICE(bytes)));
    assert_true(spool_view(&s, &all, &e)); /* again */
    assert_int_equal(all.n, sizeof bytes);
    spool_close(&s);
    spool_close(&s);
    assert_true(spool_add(&s, directory, slice_text("anew"), &e));
    assert_true(spool_view(&s, &all, &e));
    assert_true(slice_equal(all, slice_text("anew")));
    spool_close(&s);
}

/* So nothing is left when the process dies, and nobody else can open it. */
static void it_has_no_name_and_is_its_owners(void **state)
{
    struct spool s = {0};
    struct stat info;
    struct err e = {0};

    (void)state;
    assert_true(spool_add(&s, directory, slice_text("secret"), &e));
    assert_int_equal(names_in_it(), 0);
    assert_int_equal(fstat(s.file, &info), 0);
    assert_int_equal(info.st_nlink, 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    spool_close(&s);
}

static void where_no_file_can_be_made_that_is_said(void **state)
{
    struct spool s = {0};
    struct err e = {0};

    (void)state;
    assert_false(spool_add(&s, "/tmp/navette-there-is-no-such-place", slice_text("x"), &e));
    assert_non_null(strstr(e.text, "put a large message aside"));
    assert_non_null(strstr(e.text, "/tmp/navette-there-is-no-such-place"));
    spool_close(&s);
}

/* As a full disk does, the system takes no more at some point. */
static void what_the_disk_does_not_take_is_said(void **state)
{
    static uint8_t bytes[100000];
    struct rlimit before, little;
    struct spool s = {0};
    struct err e = {0};

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little = before;
    little.rlim_cur = 150000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    assert_true(spool_add(&s, directory, SLICE(bytes), &e));
    assert_false(spool_add(&s, directory, SLICE(bytes), &e));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(e.code, ERR_STORE);
    assert_non_null(strstr(e.text, directory));
    spool_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out_as_it_was),
        cmocka_unit_test(it_has_no_name_and_is_its_owners),
        cmocka_unit_test(where_no_file_can_be_made_that_is_said),
        cmocka_unit_test(what_the_disk_does_not_take_is_said),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
