/* The program itself: what it prints and how it ends. */
#include <sys/wait.h>

#include "floor.h"

/* What a command line prints, and its exit code. */
struct said {
    char text[4096];
    int code;
};

static struct said say(const char *format, const char *argument)
{
    char here[PATH_BYTES_MAX], directory[PATH_BYTES_MAX], command[2 * PATH_BYTES_MAX];
    size_t n = sizeof here;
    struct said s = {{0}, -1};
    FILE *pipe;
    int status;

    assert_int_equal(uv_exepath(here, &n), 0);
    path_directory(directory, here);
    n = (size_t)snprintf(command, sizeof command, "%s/navette-agent ", directory);
    snprintf(command + n, sizeof command - n, format, argument);
    strncat(command, " 2>&1", sizeof command - strlen(command) - 1);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    n = fread(s.text, 1, sizeof s.text - 1, pipe);
    status = pclose(pipe);
    s.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return s;
}

static void expect(struct said s, int code, const char *says)
{
    if (s.code != code || strstr(s.text, says) == NULL)
        fail_msg("%d: %s", s.code, s.text);
}

static void it_says_what_it_is_and_takes_nothing_else(void **state)
{
    (void)state;
    expect(say("--help%s", ""), 0, "Settings in DIR/agent.conf");
    expect(say("--help%s", ""), 0, "discovery_port");
    expect(say("--version%s", ""), 0, "navette-agent " NAVETTE_VERSION);
    expect(say("--frobnicate%s", ""), 64, "--frobnicate is not understood");
    expect(say("--home%s", ""), 64, "--home is not understood");
}

static void without_a_home_it_ends_with_what_to_do(void **state)
{
    (void)state;
    expect(say("--home %s", "/nowhere/at/all"), 2, "init --db FILE");
}

static void a_second_one_on_a_home_is_refused(void **state)
{
    struct floor f = {0};
    struct pc a;

    (void)state;
    open_founding_pc(&f, &a, goods);
    pc_start(&a);
    AWAIT(&f, is_at_rest(&a));
    expect(say("--home %s", a.home_path), 2, "already runs");
    floor_close(&f);
}

struct ending {
    int64_t code; /* -1: not yet */
};

static void on_exit_of(uv_process_t *process, int64_t code, int signal)
{
    struct ending *ending = process->data;

    assert_int_equal(signal, 0);
    ending->code = code;
    uv_close((uv_handle_t *)process, NULL);
}

/* It runs until it is told to end, and leaves nothing behind. */
static void it_ends_well_when_it_is_told_to(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT};
    static char option[] = "--home";
    char here[PATH_BYTES_MAX], directory[PATH_BYTES_MAX], program[PATH_BYTES_MAX];
    struct floor f = {0};
    struct err e = {0};
    struct pc a;
    size_t n = sizeof here;

    (void)state;
    open_founding_pc(&f, &a, goods);
    must(config_save(&a.config, a.home.conf, &e), &e);
    assert_int_equal(uv_exepath(here, &n), 0);
    path_directory(directory, here);
    must(path_join(program, directory, "navette-agent", &e), &e);
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        char *args[] = {program, option, a.home_path, NULL};
        uv_process_options_t options = {.file = program, .args = args, .exit_cb = on_exit_of};
        struct ending ending = {-1};
        uv_process_t process = {.data = &ending};

        assert_int_equal(uv_loop_init(&a.loop), 0);
        assert_int_equal(uv_spawn(&a.loop, &process, &options), 0);
        a.running = true;
        AWAIT(&f, home_is_served(&a.home));
        assert_int_equal(uv_process_kill(&process, signals[i]), 0);
        AWAIT(&f, ending.code >= 0);
        assert_int_equal(ending.code, 0);
        assert_false(home_is_served(&a.home));
        assert_false(file_exists(a.home.socket));
        assert_false(file_exists(a.home.pid));
        while (uv_run(&a.loop, UV_RUN_DEFAULT) != 0)
            continue;
        assert_int_equal(uv_loop_close(&a.loop), 0);
        a.running = false;
    }
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_what_it_is_and_takes_nothing_else),
        cmocka_unit_test(without_a_home_it_ends_with_what_to_do),
        cmocka_unit_test(a_second_one_on_a_home_is_refused),
        cmocka_unit_test(it_ends_well_when_it_is_told_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
