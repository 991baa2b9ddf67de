#include "dropfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent.h"

static void a_name_has_the_pc_the_time_and_a_number_where_one_is_needed(void **state)
{
    char name[DROP_NAME_BYTES];

    (void)state;
    setenv("TZ", "UTC", 1);
    tzset();
    dropfile_name(name, "CAISSE01", UINT64_C(1763719261000), 0);
    assert_string_equal(name, "export_CAISSE01_20251121_100101.json");
    dropfile_name(name, "CAISSE01", UINT64_C(1763719261000), 7);
    assert_string_equal(name, "export_CAISSE01_20251121_100101_007.json");
}

/* Our own name comes from a person, and must not leave the folder. */
static void a_pcs_name_never_becomes_a_path(void **state)
{
    char name[DROP_NAME_BYTES];

    (void)state;
    dropfile_name(name, "../../etc/\xc3\xa9t\xc3\xa9", 0, 0);
    assert_null(strchr(name, '/'));
    assert_null(strstr(name, ".."));
    assert_ptr_equal(strstr(name, "export_______etc___t___"), name);
}

static void a_name_that_is_taken_gets_a_number_before_its_suffix(void **state)
{
    char directory[] = "/tmp/navette-drop-XXXXXX", path[PATH_BYTES_MAX], want[PATH_BYTES_MAX];
    struct err e = {0};
    int i;

    (void)state;
    assert_non_null(mkdtemp(directory));
    for (i = 0; i < 3; i++) {
        assert_true(dropfile_free_path(path, directory, "export_A.json", &e));
        if (i == 0)
            snprintf(want, sizeof want, "%s/export_A.json", directory);
        else
            snprintf(want, sizeof want, "%s/export_A_%03d.json", directory, i);
        assert_string_equal(path, want);
        assert_true(file_write_atomic(path, slice_text("{}"), 0644, &e));
    }
    for (i = 0; i < 3; i++) {
        if (i == 0)
            snprintf(want, sizeof want, "%s/export_A.json", directory);
        else
            snprintf(want, sizeof want, "%s/export_A_%03d.json", directory, i);
        assert_int_equal(unlink(want), 0);
    }
    assert_int_equal(rmdir(directory), 0);
}

static bool is_foreign(const char *text)
{
    return dropfile_is_foreign(slice_text(text));
}

static void an_erps_own_export_is_told_from_a_broken_file(void **state)
{
    (void)state;
    assert_true(is_foreign("{\"metadata\": {\"agence\": 8}, \"articles\": []}"));
    assert_true(is_foreign("[{\"model\": \"shop.article\", \"pk\": 1}]"));
    assert_true(is_foreign("\xef\xbb\xbf{\"total\": NaN}\r\n"));
    assert_false(is_foreign("{\"navette\": \"change-sets\", \"format\": 1}")); /* ours, so broken */
    assert_false(is_foreign("{\"metadata\": {\"agence\": 8}, \"arti"));
    assert_true(dropfile_begins(slice_text("{\n\"navette\": \"change-sets\"")));
    assert_false(dropfile_begins(slice_text("{\"metadata\": 8, \"navette\": 1}")));
    assert_false(dropfile_begins(slice_text("{\"navet")));
    assert_false(dropfile_begins(slice_text("")));
    assert_false(is_foreign("{\"metadata\": 1} and more"));
    assert_false(is_foreign("{}"));
    assert_false(is_foreign("[]"));
    assert_false(is_foreign("not json"));
    assert_false(is_foreign(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_the_pc_the_time_and_a_number_where_one_is_needed),
        cmocka_unit_test(a_pcs_name_never_becomes_a_path),
        cmocka_unit_test(a_name_that_is_taken_gets_a_number_before_its_suffix),
        cmocka_unit_test(an_erps_own_export_is_told_from_a_broken_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
