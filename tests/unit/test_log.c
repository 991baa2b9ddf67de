#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "log.h"

#define READ_BYTES_MAX (2 * LOG_FILE_BYTES_MAX)

static char directory[64];
static char path[128];
static char text[READ_BYTES_MAX + 1];

static int setup(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/navette-test-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/agent.log", directory);
    return 0;
}

static int teardown(void **state)
{
    struct file_names names;
    struct err e = {0};
    uv_fs_t request;

    (void)state;
    log_close();
    assert_true(file_list(directory, 100, &names, &e));
    for (uint32_t i = 0; i < names.n; i++) {
        char one[PATH_BYTES_MAX];

        assert_true(path_join(one, directory, names.names[i], &e));
        assert_true(file_remove(one, &e));
    }
    file_names_close(&names);
    uv_fs_rmdir(NULL, &request, directory, NULL);
    uv_fs_req_cleanup(&request);
    return 0;
}

static const char *read_log(const char *name)
{
    struct buf file;
    struct err e = {0};

    buf_open(&file, READ_BYTES_MAX);
    if (!file_read(name, READ_BYTES_MAX, &file, &e))
        fail_msg("%s", e.text);
    if (file.n > 0)
        memcpy(text, file.p, file.n);
    text[file.n] = '\0';
    buf_close(&file);
    return text;
}

static void lines_below_the_level_are_left_out(void **state)
{
    (void)state;
    log_open(LOG_INFO, path, false);
    log_debug("trace n=%d", 1);
    log_info("link up peer=%s", "CAISSE01");
    log_error("disk full");
    assert_null(strstr(read_log(path), "trace"));
    assert_non_null(strstr(text, "Z info  link up peer=CAISSE01\n"));
    assert_non_null(strstr(text, "Z error disk full\n"));
    assert_false(log_enabled(LOG_DEBUG));
    log_level_set(LOG_DEBUG);
    log_debug("trace n=%d", 2);
    assert_non_null(strstr(read_log(path), "trace n=2"));
}

static void an_event_is_one_line_whatever_its_facts_hold(void **state)
{
    const char *p;
    int lines = 0;

    (void)state;
    log_open(LOG_INFO, path, false);
    log_info("name=%s", "a\nb\x1b[31m\r\tc");
    for (p = read_log(path); *p != '\0'; p++) {
        assert_true(*p == '\n' || (unsigned char)*p >= 0x20);
        lines += *p == '\n';
    }
    assert_int_equal(lines, 1);
}

static void a_long_line_is_cut_and_says_so(void **state)
{
    char *fact = calloc(1, 3000);

    (void)state;
    memset(fact, 'x', 2999);
    log_open(LOG_INFO, path, false);
    log_info("fact=%s", fact);
    free(fact);
    assert_true(strlen(read_log(path)) <= LOG_LINE_BYTES_MAX);
    assert_non_null(strstr(text, "xx...\n"));
}

static void the_file_is_bounded_and_the_oldest_lines_go(void **state)
{
    char *fact = calloc(1, 900);
    struct file_names names;
    struct err e = {0};

    (void)state;
    memset(fact, 'x', 899);
    log_open(LOG_INFO, path, false);
    for (uint32_t i = 0; i < (LOG_FILES_MAX + 2) * (LOG_FILE_BYTES_MAX / 900); i++)
        log_info("n=%u %s", i, fact);
    free(fact);
    assert_true(file_list(directory, 100, &names, &e));
    assert_int_equal(names.n, LOG_FILES_MAX);
    for (uint32_t i = 0; i < names.n; i++) {
        char one[PATH_BYTES_MAX];
        struct file_info info;

        assert_true(path_join(one, directory, names.names[i], &e));
        assert_true(file_stat(one, &info, &e));
        assert_in_range(info.bytes, 1, LOG_FILE_BYTES_MAX);
        assert_int_equal(info.mode, 0600);
        assert_null(strstr(read_log(one), "n=0 "));
    }
    file_names_close(&names);
}

static void what_was_left_out_in_a_flood_is_told_when_it_is_over(void **state)
{
    struct log_limit l = {0};
    uint32_t allowed = 0, i;

    (void)state;
    log_open(LOG_INFO, path, false);
    for (i = 0; i < 1000; i++)
        allowed += log_allowed(&l, 5, 60000 + i);
    assert_int_equal(allowed, 5);
    log_more(&l, "connection refused", 119999);
    assert_null(strstr(read_log(path), "more like this"));
    log_more(&l, "connection refused", 120000);
    log_more(&l, "connection refused", 121000);
    assert_non_null(strstr(read_log(path), "Z info  995 more like this: connection refused\n"));
    assert_null(strstr(strstr(text, "995 more") + 18, "more like this"));
}

static void a_file_that_cannot_be_written_is_done_without(void **state)
{
    (void)state;
    log_open(LOG_ERROR, "/nonexistent/agent.log", false);
    log_error("nothing happens");
    assert_false(file_exists("/nonexistent"));
}

static void what_a_peer_can_provoke_is_limited_by_the_minute(void **state)
{
    struct log_limit l = {0};

    (void)state;
    assert_true(log_allowed(&l, 2, 60000));
    assert_true(log_allowed(&l, 2, 60001));
    assert_false(log_allowed(&l, 2, 60002));
    assert_false(log_allowed(&l, 2, 119999));
    assert_true(log_allowed(&l, 2, 120000));
    assert_int_equal(l.suppressed, 2);
    assert_true(log_allowed(&l, 2, 120001));
    assert_int_equal(l.suppressed, 0);
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(lines_below_the_level_are_left_out),
        IN_DIRECTORY(an_event_is_one_line_whatever_its_facts_hold),
        IN_DIRECTORY(a_long_line_is_cut_and_says_so),
        IN_DIRECTORY(the_file_is_bounded_and_the_oldest_lines_go),
        IN_DIRECTORY(what_was_left_out_in_a_flood_is_told_when_it_is_over),
        IN_DIRECTORY(a_file_that_cannot_be_written_is_done_without),
        IN_DIRECTORY(what_a_peer_can_provoke_is_limited_by_the_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
