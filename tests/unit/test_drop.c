/* The folder through which PCs that share no network exchange files. */
#include "drop.h"

#include <sys/stat.h>

#include "carried.h"

static const char *in_folder(const struct pc *pc, const char *name)
{
    static char path[PATH_BYTES_MAX];
    struct err e = {0};

    must(path_join(path, pc->config.drop_folder, name, &e), &e);
    return path;
}

static uint32_t files_in(const struct pc *pc, const char *folder)
{
    struct file_names names;
    struct err e = {0};
    uint32_t n;

    must(file_list(in_folder(pc, folder), 1000, &names, &e), &e);
    n = names.n;
    file_names_close(&names);
    return n;
}

static void put(const struct pc *pc, const char *name, const char *text)
{
    struct err e = {0};

    must(file_write_atomic(in_folder(pc, name), slice_text(text), 0644, &e), &e);
}

/* What `from` has, as a file in the folder of `to`. */
static void bring(struct pc *from, const struct pc *to, const char *name)
{
    struct carried c = export_to(from, from->directory, "");
    struct err e = {0};

    must(file_rename(c.path, in_folder(to, name), &e), &e);
}

static void a_file_that_appears_comes_in_and_is_put_away(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_apart(&f, &a, &b);
    bring(&a, &b, "entrant/from_a.json");
    AWAIT(&f, holds(&b, "SELECT count(*) FROM article", "2"));
    AWAIT(&f, file_exists(in_folder(&b, "archive/from_a.json")));
    assert_int_equal(files_in(&b, "entrant"), 0);
    assert_true(file_exists(in_folder(&b, "logs/sync.log")));
    assert_false(is_warned(&b, WARNING_DROP));
    floor_close(&f);
}

static void a_file_that_waited_while_nobody_ran_comes_in(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_apart(&f, &a, &b);
    pc_stop(&b);
    bring(&a, &b, "entrant/from_a.json");
    pc_start(&b);
    AWAIT(&f, holds(&b, "SELECT count(*) FROM article", "2"));
    floor_close(&f);
}

/* What was signed by nobody is put aside with the reason, and told until a person took it away. */
static void a_file_that_is_wrong_is_rejected_until_a_person_has_seen_it(void **state)
{
    struct floor f;
    struct buf bytes;
    struct carried c;
    struct err e = {0};
    struct pc a, b;
    char *digit;

    (void)state;
    open_apart(&f, &a, &b);
    c = export_to(&a, a.directory, "");
    buf_open(&bytes, DROP_BYTES_MAX);
    must(file_read(c.path, DROP_BYTES_MAX, &bytes, &e), &e);
    buf_add_byte(&bytes, '\0');
    digit = strstr(strstr((char *)bytes.p, "\"changesets\""), "\"signature\": \"");
    digit += strlen("\"signature\": \"");
    *digit = *digit == '1' ? '2' : '1';
    bytes.n--;
    must(file_write_atomic(in_folder(&b, "entrant/wrong.json"), buf_slice(&bytes), 0644, &e), &e);
    buf_close(&bytes);
    AWAIT(&f, is_warned(&b, WARNING_DROP));
    assert_non_null(strstr(warned(&b, WARNING_DROP), "wrong.json"));
    assert_true(file_exists(in_folder(&b, "archive/rejected/wrong.json")));
    assert_true(file_exists(in_folder(&b, "archive/rejected/wrong.json.reason.txt")));
    assert_true(holds(&b, "SELECT count(*) FROM article", "0"));
    must(file_remove(in_folder(&b, "archive/rejected/wrong.json"), &e), &e);
    must(file_remove(in_folder(&b, "archive/rejected/wrong.json.reason.txt"), &e), &e);
    AWAIT(&f, !is_warned(&b, WARNING_DROP));
    floor_close(&f);
}

static void what_is_none_of_ours_stays_where_it_is(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_apart(&f, &a, &b);
    put(&b, "entrant/a_legacy.json", "[{\"model\": \"shop.article\", \"pk\": 1}]");
    put(&b, "entrant/b_notes.txt", "not json");
    put(&b, "entrant/.c_hidden.json", "{");
    assert_int_equal(symlink("/etc/passwd", in_folder(&b, "entrant/d_link.json")), 0);
    assert_int_equal(mkdir(in_folder(&b, "entrant/e_folder.json"), 0700), 0);
    bring(&a, &b, "entrant/z.json"); /* behind all of them */
    AWAIT(&f, file_exists(in_folder(&b, "archive/z.json")));
    assert_int_equal(files_in(&b, "entrant"), 5);
    assert_int_equal(files_in(&b, "archive/rejected"), 0);
    floor_close(&f);
}

/* Somebody is still copying it onto the stick. */
static void half_a_file_is_waited_for(void **state)
{
    struct floor f;
    struct buf bytes;
    struct carried c;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_apart(&f, &a, &b);
    c = export_to(&a, a.directory, "");
    buf_open(&bytes, DROP_BYTES_MAX);
    must(file_read(c.path, DROP_BYTES_MAX, &bytes, &e), &e);
    must(file_write_atomic(in_folder(&b, "entrant/half.json"), (struct slice){bytes.p, bytes.n / 2},
                           0644, &e),
         &e);
    /* Another one, whose name stands behind it, is in: it was looked at before. */
    must(file_rename(c.path, in_folder(&b, "entrant/whole.json"), &e), &e);
    AWAIT(&f, file_exists(in_folder(&b, "archive/whole.json")));
    assert_false(is_warned(&b, WARNING_DROP));
    assert_true(file_exists(in_folder(&b, "entrant/half.json")));
    must(file_write_atomic(in_folder(&b, "entrant/half.json"), buf_slice(&bytes), 0644, &e), &e);
    AWAIT(&f, file_exists(in_folder(&b, "archive/half.json")));
    assert_false(is_warned(&b, WARNING_DROP));
    buf_close(&bytes);
    floor_close(&f);
}

static void it_stops_while_a_file_is_taken_in(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_apart(&f, &a, &b);
    bring(&a, &b, "entrant/from_a.json");
    AWAIT(&f, b.agent.transfers != NULL);
    pc_stop(&b);
    pc_start(&b);
    AWAIT(&f, holds(&b, "SELECT count(*) FROM article", "2"));
    drop_stop(NULL);
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_appears_comes_in_and_is_put_away),
        cmocka_unit_test(a_file_that_waited_while_nobody_ran_comes_in),
        cmocka_unit_test(a_file_that_is_wrong_is_rejected_until_a_person_has_seen_it),
        cmocka_unit_test(what_is_none_of_ours_stays_where_it_is),
        cmocka_unit_test(half_a_file_is_waited_for),
        cmocka_unit_test(it_stops_while_a_file_is_taken_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
