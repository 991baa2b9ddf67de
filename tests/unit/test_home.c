#include "folder.h"

#include <unistd.h>

#include "home.h"

#define SOMEBODY 65534

struct fixture {
    char directory[64];
    struct home home;
    struct keys keys;
    struct err e;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char path[128];

    *state = f;
    if (!keys_library_start(&f->e))
        return -1;
    snprintf(f->directory, sizeof f->directory, "/tmp/navette-test-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(path, sizeof path, "%s/deep/home", f->directory);
    if (!home_locate(&f->home, path, &f->e) || !home_create(&f->home, &f->e))
        fail_msg("%s", f->e.text);
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

static void set_mode(struct fixture *f, const char *path, uint32_t mode)
{
    if (!file_set_mode(path, mode, &f->e))
        fail_msg("%s", f->e.text);
}

static void put(struct fixture *f, const char *path, const char *bytes, size_t n)
{
    if (!file_write_atomic(path, (struct slice){(const uint8_t *)bytes, n}, 0600, &f->e))
        fail_msg("%s", f->e.text);
}

static void the_home_is_for_its_owner_alone(void **state)
{
    struct fixture *f = *state;
    struct file_info info;

    assert_true(file_stat(f->home.path, &info, &f->e));
    assert_int_equal(info.mode, 0700);
    assert_true(home_check(&f->home, &f->e));
    set_mode(f, f->home.path, 0755);
    assert_false(home_check(&f->home, &f->e));
    assert_int_equal(f->e.code, ERR_REFUSED);
    assert_says(f, "chmod 700");
}

static void an_empty_directory_made_by_hand_is_taken_and_closed_to_others(void **state)
{
    struct fixture *f = *state;
    struct home other;
    char path[128];
    struct file_info info;

    snprintf(path, sizeof path, "%s/other", f->directory);
    assert_true(file_make_directory(path, 0755, &f->e));
    set_mode(f, path, 0755);
    assert_true(home_locate(&other, path, &f->e));
    assert_true(home_create(&other, &f->e));
    assert_true(file_stat(path, &info, &f->e));
    assert_int_equal(info.mode, 0700);
}

static void a_directory_with_something_in_it_is_not_touched(void **state)
{
    struct fixture *f = *state;

    set_mode(f, f->home.path, 0755);
    assert_false(home_create(&f->home, &f->e));
    assert_says(f, "chmod 700");
}

static void a_home_that_is_not_there_says_how_to_make_one(void **state)
{
    struct fixture *f = *state;
    struct home other;

    assert_true(home_locate(&other, "/nonexistent/home", &f->e));
    assert_false(home_exists(&other));
    assert_false(home_check(&other, &f->e));
    assert_says(f, "agent-cli --home /nonexistent/home init");
}

/* What a cut-off init leaves is no home yet: it can be run again. */
static void a_home_exists_once_its_settings_do(void **state)
{
    struct fixture *f = *state;

    assert_true(home_identity_create(&f->home, &f->keys, &f->e));
    assert_false(home_exists(&f->home));
    put(f, f->home.conf, "", 0);
    assert_true(home_exists(&f->home));
}

static void a_home_without_settings_says_how_to_write_them(void **state)
{
    struct fixture *f = *state;

    assert_false(home_check_set_up(&f->home, &f->e));
    assert_says(f, "is not set up");
    err_clear(&f->e);
    assert_true(home_identity_create(&f->home, &f->keys, &f->e));
    assert_false(home_check_set_up(&f->home, &f->e));
    assert_says(f, "agent.conf is missing");
    err_clear(&f->e);
    put(f, f->home.conf, "", 0);
    assert_true(home_check_set_up(&f->home, &f->e));
}

static void an_identity_is_made_once_and_read_back(void **state)
{
    struct fixture *f = *state;
    struct keys again;
    struct file_info info;

    assert_true(home_identity_create(&f->home, &f->keys, &f->e));
    assert_true(file_stat(f->home.identity, &info, &f->e));
    assert_int_equal(info.mode, 0600);
    assert_true(home_identity_load(&f->home, &again, &f->e));
    assert_memory_equal(f->keys.seed, again.seed, sizeof again.seed);
    assert_memory_equal(f->keys.site.bytes, again.site.bytes, sizeof again.site.bytes);
    assert_false(home_identity_create(&f->home, &again, &f->e));
    assert_int_equal(f->e.code, ERR_REFUSED);
}

static void an_identity_that_others_can_read_is_refused_with_the_remedy(void **state)
{
    struct fixture *f = *state;
    struct keys k;

    assert_true(home_identity_create(&f->home, &f->keys, &f->e));
    set_mode(f, f->home.identity, 0640);
    assert_false(home_identity_load(&f->home, &k, &f->e));
    assert_says(f, "chmod 600");
}

/* Only root can give a file away. */
static void give_away(const char *path)
{
    if (geteuid() != 0) {
        print_message("needs root: nobody else can give a file to another user\n");
        skip();
    }
    assert_int_equal(chown(path, SOMEBODY, (gid_t)-1), 0);
}

static void another_users_home_is_refused_with_the_remedy(void **state)
{
    struct fixture *f = *state;

    give_away(f->home.path);
    assert_false(home_check(&f->home, &f->e));
    assert_int_equal(f->e.code, ERR_REFUSED);
    assert_says(f, "belongs to another user: run this as that user");
    assert_int_equal(chown(f->home.path, geteuid(), (gid_t)-1), 0);
    assert_true(home_check(&f->home, &f->e));
}

static void a_secret_that_belongs_to_another_user_is_refused_with_the_remedy(void **state)
{
    struct fixture *f = *state;
    struct keys again;

    assert_true(home_identity_create(&f->home, &f->keys, &f->e));
    give_away(f->home.identity);
    assert_false(home_identity_load(&f->home, &again, &f->e));
    assert_int_equal(f->e.code, ERR_REFUSED);
    assert_says(f, "belongs to another user: run this as that user");
    assert_int_equal(chown(f->home.identity, geteuid(), (gid_t)-1), 0);
    assert_true(home_identity_load(&f->home, &again, &f->e));
}

static void a_damaged_identity_is_an_error_and_stays_as_it_is(void **state)
{
    static const char foreign[] = "-----BEGIN OPENSSH PRIVATE KEY-----\nnothing of ours\n";
    struct fixture *f = *state;
    struct buf whole;
    struct keys k;

    buf_open(&whole, 1024);
    assert_true(home_identity_create(&f->home, &f->keys, &f->e));
    assert_true(file_read(f->home.identity, 1024, &whole, &f->e));
    for (size_t n = 0; n < whole.n; n += 7) {
        struct file_info info;

        put(f, f->home.identity, (const char *)whole.p, n);
        assert_false(home_identity_load(&f->home, &k, &f->e));
        assert_says(f, "damaged");
        assert_true(file_stat(f->home.identity, &info, &f->e));
        assert_int_equal(info.bytes, n);
    }
    put(f, f->home.identity, foreign, sizeof foreign - 1);
    assert_false(home_identity_load(&f->home, &k, &f->e));
    assert_null(strstr(f->e.text, "BEGIN"));
    assert_says(f, "damaged");
    whole.p[30] = 'x';
    put(f, f->home.identity, (const char *)whole.p, whole.n);
    assert_false(home_identity_load(&f->home, &k, &f->e));
    assert_says(f, "damaged");
    buf_close(&whole);
}

static void a_link_in_place_of_the_identity_is_not_followed(void **state)
{
    struct fixture *f = *state;
    struct keys k;
    uv_fs_t request;

    assert_true(home_identity_create(&f->home, &f->keys, &f->e));
    assert_true(file_remove(f->home.identity, &f->e));
    uv_fs_symlink(NULL, &request, "/etc/passwd", f->home.identity, 0, NULL);
    uv_fs_req_cleanup(&request);
    assert_false(home_identity_load(&f->home, &k, &f->e));
    assert_says(f, "not a regular file");
}

static void make_fleet(struct fixture *f, struct roster *r, uint8_t key[KEY_BYTES],
                       const char *name)
{
    keys_generate(&f->keys);
    random_fill(key, KEY_BYTES);
    if (!roster_create(r, name, "CAISSE01", &f->keys, &f->e))
        fail_msg("%s", f->e.text);
}

static void a_fleet_is_saved_and_loaded(void **state)
{
    struct fixture *f = *state;
    struct roster made = {0};
    struct roster loaded = {0};
    uint8_t key[KEY_BYTES];
    struct fleet_keys again = {0};

    make_fleet(f, &made, key, "shop");
    assert_false(home_has_fleet(&f->home));
    assert_true(home_fleet_save(&f->home, &made, key, &f->e));
    assert_true(home_has_fleet(&f->home));
    assert_true(home_fleet_load(&f->home, &loaded, &again, &f->e));
    assert_string_equal(loaded.fleet_name, "shop");
    assert_int_equal(again.n, 1);
    assert_memory_equal(again.keys[0], key, sizeof key);
    roster_close(&made);
    roster_close(&loaded);
}

static void the_last_keys_of_a_fleet_are_kept(void **state)
{
    struct fixture *f = *state;
    struct roster made = {0}, loaded = {0};
    uint8_t key[KEY_BYTES];
    struct fleet_keys keys = {0}, again = {0};

    make_fleet(f, &made, key, "shop");
    assert_true(home_fleet_save(&f->home, &made, key, &f->e));
    fleet_keys_put(&keys, key);
    for (uint8_t i = 1; i <= FLEET_KEYS_MAX; i++) {
        memset(key, i, sizeof key);
        assert_true(fleet_keys_put(&keys, key));
        assert_false(fleet_keys_put(&keys, key));
    }
    assert_int_equal(keys.n, FLEET_KEYS_MAX);
    for (uint8_t i = 0; i < FLEET_KEYS_MAX; i++)
        assert_int_equal(keys.keys[i][0], FLEET_KEYS_MAX - i);
    memset(key, 2, sizeof key); /* one that was there comes back */
    assert_true(fleet_keys_put(&keys, key));
    assert_int_equal(keys.n, FLEET_KEYS_MAX);
    assert_int_equal(keys.keys[0][0], 2);
    assert_int_equal(keys.keys[1][0], FLEET_KEYS_MAX);
    assert_true(home_fleet_keys_save(&f->home, &made, &keys, &f->e));
    assert_true(home_fleet_load(&f->home, &loaded, &again, &f->e));
    assert_int_equal(again.n, keys.n);
    assert_memory_equal(&again, &keys, sizeof keys);
    roster_close(&made);
    roster_close(&loaded);
}

/* Joining replaces key and roster; a crash between the two leaves the old fleet whole. */
static void a_change_of_fleet_is_decided_by_the_roster_alone(void **state)
{
    struct fixture *f = *state;
    struct roster old = {0};
    struct roster new = {0};
    struct roster loaded = {0};
    struct buf before;
    uint8_t old_key[KEY_BYTES];
    uint8_t new_key[KEY_BYTES];
    struct fleet_keys keys = {0};

    make_fleet(f, &old, old_key, "alone");
    make_fleet(f, &new, new_key, "shop");
    assert_true(home_fleet_save(&f->home, &old, old_key, &f->e));
    buf_open(&before, ROSTER_BYTES_MAX);
    assert_true(file_read(f->home.roster, ROSTER_BYTES_MAX, &before, &f->e));
    assert_true(home_fleet_save(&f->home, &new, new_key, &f->e));
    assert_true(home_fleet_load(&f->home, &loaded, &keys, &f->e));
    assert_memory_equal(keys.keys[0], new_key, sizeof new_key);
    roster_close(&loaded);
    /* As it was after the keys, before the roster. */
    put(f, f->home.roster, (const char *)before.p, before.n);
    loaded = (struct roster){0};
    keys = (struct fleet_keys){0};
    assert_true(home_fleet_load(&f->home, &loaded, &keys, &f->e));
    assert_string_equal(loaded.fleet_name, "alone");
    assert_memory_equal(keys.keys[0], old_key, sizeof old_key);
    roster_close(&loaded);
    roster_close(&old);
    roster_close(&new);
    buf_close(&before);
}

static void a_damaged_fleet_key_or_roster_names_its_file(void **state)
{
    struct fixture *f = *state;
    struct roster made = {0};
    struct roster loaded = {0};
    uint8_t key[KEY_BYTES];
    struct fleet_keys keys = {0};

    make_fleet(f, &made, key, "shop");
    assert_true(home_fleet_save(&f->home, &made, key, &f->e));
    put(f, f->home.fleet_key, "navette-fleet-keys 1\nabc", 24);
    assert_false(home_fleet_load(&f->home, &loaded, &keys, &f->e));
    assert_says(f, f->home.fleet_key);
    assert_true(file_remove(f->home.roster, &f->e));
    random_fill(key, sizeof key);
    assert_true(home_fleet_save(&f->home, &made, key, &f->e));
    put(f, f->home.roster, "noise", 5);
    loaded = (struct roster){0};
    keys = (struct fleet_keys){0};
    assert_false(home_fleet_load(&f->home, &loaded, &keys, &f->e));
    assert_says(f, f->home.roster);
    roster_close(&made);
}

static void a_token_is_kept_until_it_is_removed(void **state)
{
    struct fixture *f = *state;
    char text[INVITE_TEXT_BYTES_MAX];

    assert_true(home_join_token_read(&f->home, text, &f->e));
    assert_string_equal(text, "");
    assert_true(home_join_token_write(&f->home, "ABCD-EFGH", &f->e));
    assert_true(home_join_token_read(&f->home, text, &f->e));
    assert_string_equal(text, "ABCD-EFGH");
    assert_true(home_join_token_remove(&f->home, &f->e));
    assert_true(home_join_token_read(&f->home, text, &f->e));
    assert_string_equal(text, "");
}

static void a_taken_home_names_itself_and_the_process(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(home_pid_read(&f->home), 0);
    assert_true(home_pid_write(&f->home, &f->e));
    assert_int_equal(home_pid_read(&f->home), uv_os_getpid());
    assert_false(home_taken(&f->home, &f->e));
    assert_int_equal(f->e.code, ERR_REFUSED);
    assert_non_null(strstr(f->e.text, f->home.path));
    assert_non_null(strstr(f->e.text, "process "));
    home_pid_remove(&f->home);
    assert_int_equal(home_pid_read(&f->home), 0);
}

static void a_long_home_gets_a_short_socket_and_always_the_same(void **state)
{
    struct fixture *f = *state;
    char path[400] = "/srv/";
    char first[PATH_BYTES_MAX];
    char second[PATH_BYTES_MAX];

    memset(path + 5, 'x', 200);
    assert_true(home_socket_name(first, path, &f->e));
    assert_true(home_socket_name(second, path, &f->e));
    assert_string_equal(first, second);
    assert_true(strlen(first) < 100);
    path[6] = 'y';
    assert_true(home_socket_name(second, path, &f->e));
    assert_string_not_equal(first, second);
    assert_true(home_socket_name(first, "/srv/navette", &f->e));
    assert_string_equal(first, "/srv/navette/agent.sock");
}

static void the_home_is_the_given_one_else_the_environments_else_the_systems(void **state)
{
    struct fixture *f = *state;
    struct home h;

    uv_os_setenv("NAVETTE_HOME", "/srv/b//");
    assert_true(home_locate(&h, "/srv/a", &f->e));
    assert_string_equal(h.path, "/srv/a");
    assert_true(home_locate(&h, NULL, &f->e));
    assert_string_equal(h.path, "/srv/b");
    assert_string_equal(h.log, "/srv/b/logs/agent.log");
    uv_os_unsetenv("NAVETTE_HOME");
    assert_true(home_locate(&h, NULL, &f->e));
    assert_true(h.path[0] == '/');
    assert_non_null(strstr(h.path, "navette"));
}

#define IN_HOME(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_HOME(the_home_is_for_its_owner_alone),
        IN_HOME(an_empty_directory_made_by_hand_is_taken_and_closed_to_others),
        IN_HOME(a_directory_with_something_in_it_is_not_touched),
        IN_HOME(a_home_that_is_not_there_says_how_to_make_one),
        IN_HOME(a_home_exists_once_its_settings_do),
        IN_HOME(a_home_without_settings_says_how_to_write_them),
        IN_HOME(an_identity_is_made_once_and_read_back),
        IN_HOME(an_identity_that_others_can_read_is_refused_with_the_remedy),
        IN_HOME(another_users_home_is_refused_with_the_remedy),
        IN_HOME(a_secret_that_belongs_to_another_user_is_refused_with_the_remedy),
        IN_HOME(a_damaged_identity_is_an_error_and_stays_as_it_is),
        IN_HOME(a_link_in_place_of_the_identity_is_not_followed),
        IN_HOME(a_fleet_is_saved_and_loaded),
        IN_HOME(a_change_of_fleet_is_decided_by_the_roster_alone),
        IN_HOME(the_last_keys_of_a_fleet_are_kept),
        IN_HOME(a_damaged_fleet_key_or_roster_names_its_file),
        IN_HOME(a_token_is_kept_until_it_is_removed),
        IN_HOME(a_taken_home_names_itself_and_the_process),
        IN_HOME(a_long_home_gets_a_short_socket_and_always_the_same),
        IN_HOME(the_home_is_the_given_one_else_the_environments_else_the_systems),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
