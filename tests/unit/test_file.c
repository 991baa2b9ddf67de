#include "folder.h"

#include <sys/stat.h>

struct fixture {
    char directory[64];
    struct err e;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    snprintf(f->directory, sizeof f->directory, "/tmp/navette-test-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    remove_tree(f->directory);
    free(f);
    return 0;
}

static void assert_says(struct fixture *f, const char *words)
{
    if (strstr(f->e.text, words) == NULL)
        fail_msg("\"%s\" says nothing of \"%s\"", f->e.text, words);
    err_clear(&f->e);
}

static void put(struct fixture *f, const char *path, const char *bytes, size_t n)
{
    if (!file_write_atomic(path, (struct slice){(const uint8_t *)bytes, n}, 0600, &f->e))
        fail_msg("%s", f->e.text);
}

static void a_file_is_replaced_whole_and_nothing_is_left_beside_it(void **state)
{
    struct fixture *f = *state;
    struct file_names names;
    struct buf text;
    char path[128];

    snprintf(path, sizeof path, "%s/x", f->directory);
    put(f, path, "one", 3);
    put(f, path, "two!", 4);
    buf_open(&text, 10);
    assert_true(file_read(path, 10, &text, &f->e));
    assert_true(slice_equal(buf_slice(&text), slice_text("two!")));
    buf_close(&text);
    assert_true(file_list(f->directory, 10, &names, &f->e));
    assert_int_equal(names.n, 1);
    file_names_close(&names);
}

static void a_leftover_of_a_crash_does_not_stand_in_the_way(void **state)
{
    struct fixture *f = *state;
    char path[128];

    snprintf(path, sizeof path, "%s/x.new", f->directory);
    put(f, path, "half", 4);
    path[strlen(path) - 4] = '\0';
    put(f, path, "one", 3);
    assert_true(file_exists(path));
}

static void reading_is_bounded_and_only_of_regular_files(void **state)
{
    struct fixture *f = *state;
    struct buf text;
    char path[128];

    buf_open(&text, 100);
    snprintf(path, sizeof path, "%s/x", f->directory);
    put(f, path, "12345", 5);
    assert_false(file_read(path, 4, &text, &f->e));
    assert_int_equal(f->e.code, ERR_LIMIT);
    assert_says(f, "has 5 bytes, allowed 4");
    assert_false(file_read(f->directory, 100, &text, &f->e));
    assert_says(f, "not a regular file");
    snprintf(path, sizeof path, "%s/none", f->directory);
    assert_false(file_read(path, 4, &text, &f->e));
    assert_int_equal(f->e.code, ERR_INPUT);
    assert_says(f, path);
    buf_close(&text);
}

static void paths_are_cut_and_joined(void **state)
{
    struct fixture *f = *state;
    char out[PATH_BYTES_MAX];
    char long_name[PATH_BYTES_MAX];

    path_directory(out, "/srv/shop.db");
    assert_string_equal(out, "/srv");
    path_directory(out, "/shop.db");
    assert_string_equal(out, "/");
    path_directory(out, "shop.db");
    assert_string_equal(out, ".");
    assert_string_equal(path_name("/srv/shop.db"), "shop.db");
    assert_string_equal(path_name("shop.db"), "shop.db");
    assert_true(path_join(out, "/", "x", &f->e));
    assert_string_equal(out, "/x");
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_false(path_join(out, "/srv", long_name, &f->e));
    assert_int_equal(f->e.code, ERR_LIMIT);
}

static void what_a_link_leads_to_has_one_name(void **state)
{
    struct fixture *f = *state;
    char path[128], link[128], real[PATH_BYTES_MAX], again[PATH_BYTES_MAX];
    uv_fs_t request;

    snprintf(path, sizeof path, "%s/file", f->directory);
    snprintf(link, sizeof link, "%s/link", f->directory);
    put(f, path, "", 0);
    assert_int_equal(uv_fs_symlink(NULL, &request, path, link, 0, NULL), 0);
    uv_fs_req_cleanup(&request);
    assert_true(path_real(real, path, &f->e));
    assert_true(path_real(again, link, &f->e));
    assert_string_equal(real, again);
    assert_true(file_remove(path, &f->e));
    assert_false(path_real(again, link, &f->e));
    assert_says(f, link);
}

static void a_link_is_not_followed_by_reading(void **state)
{
    struct fixture *f = *state;
    struct buf text;
    char path[128];
    char target[128];
    uv_fs_t request;

    buf_open(&text, 100);
    snprintf(target, sizeof target, "%s/x", f->directory);
    snprintf(path, sizeof path, "%s/link", f->directory);
    put(f, target, "12345", 5);
    uv_fs_symlink(NULL, &request, target, path, 0, NULL);
    uv_fs_req_cleanup(&request);
    assert_false(file_read(path, 100, &text, &f->e));
    assert_int_equal(text.n, 0);
    assert_says(f, path);
    buf_close(&text);
}

/* A pipe that nobody writes to must not stop the agent. */
static void a_pipe_is_refused_at_once(void **state)
{
    struct fixture *f = *state;
    struct buf text;
    char path[128];

    buf_open(&text, 100);
    snprintf(path, sizeof path, "%s/pipe", f->directory);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(file_read(path, 100, &text, &f->e));
    assert_says(f, "not a regular file");
    buf_close(&text);
}

static void appending_goes_on_where_it_ended(void **state)
{
    struct fixture *f = *state;
    struct buf text;
    char path[128];
    uint64_t bytes;
    int file;

    snprintf(path, sizeof path, "%s/x", f->directory);
    for (int i = 0; i < 2; i++) {
        assert_true(file_append_open(path, 0600, &file, &bytes, &f->e));
        assert_int_equal(bytes, i * 3);
        assert_true(file_append(file, slice_text("abc"), &f->e));
        file_append_close(&file);
        file_append_close(&file);
    }
    buf_open(&text, 100);
    assert_true(file_read(path, 100, &text, &f->e));
    assert_true(slice_equal(buf_slice(&text), slice_text("abcabc")));
    buf_close(&text);
}

static void a_directory_is_made_with_its_parents_and_only_once(void **state)
{
    struct fixture *f = *state;
    struct file_info info;
    char path[128];

    snprintf(path, sizeof path, "%s/a/b/c", f->directory);
    assert_true(file_make_directory(path, 0700, &f->e));
    assert_true(file_make_directory(path, 0755, &f->e));
    assert_true(file_stat(path, &info, &f->e));
    assert_true(info.is_directory);
    assert_int_equal(info.mode, 0700);
    snprintf(path, sizeof path, "%s/x", f->directory);
    put(f, path, "", 0);
    assert_false(file_make_directory(path, 0700, &f->e));
    assert_says(f, path);
}

static void a_listing_is_sorted_and_bounded(void **state)
{
    struct fixture *f = *state;
    struct file_names names;
    char path[128];

    for (const char *p = "cab"; *p != '\0'; p++) {
        snprintf(path, sizeof path, "%s/%c", f->directory, *p);
        put(f, path, "", 0);
    }
    assert_true(file_list(f->directory, 3, &names, &f->e));
    assert_int_equal(names.n, 3);
    assert_string_equal(names.names[0], "a");
    assert_string_equal(names.names[2], "c");
    file_names_close(&names);
    assert_false(file_list(f->directory, 2, &names, &f->e));
    assert_int_equal(f->e.code, ERR_LIMIT);
    file_names_close(&names);
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(a_file_is_replaced_whole_and_nothing_is_left_beside_it),
        IN_DIRECTORY(a_leftover_of_a_crash_does_not_stand_in_the_way),
        IN_DIRECTORY(reading_is_bounded_and_only_of_regular_files),
        IN_DIRECTORY(paths_are_cut_and_joined),
        IN_DIRECTORY(what_a_link_leads_to_has_one_name),
        IN_DIRECTORY(a_link_is_not_followed_by_reading),
        IN_DIRECTORY(a_pipe_is_refused_at_once),
        IN_DIRECTORY(appending_goes_on_where_it_ended),
        IN_DIRECTORY(a_directory_is_made_with_its_parents_and_only_once),
        IN_DIRECTORY(a_listing_is_sorted_and_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
