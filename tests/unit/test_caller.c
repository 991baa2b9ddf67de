/* Who calls. */
#include "caller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NOBODY 65534

static void who_runs_as_the_same_user_is_ours(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_true(caller_is_ours(ends[0]));
    close(ends[0]);
    assert_false(caller_is_ours(ends[0])); /* there is nobody */
    close(ends[1]);
}

static void connect_as(uid_t user, const struct sockaddr_un *to)
{
    int s;

    if (setuid(user) != 0)
        _exit(1);
    s = socket(AF_UNIX, SOCK_STREAM, 0);
    _exit(connect(s, (const struct sockaddr *)to, sizeof *to) == 0 ? 0 : 1);
}

/* Only root can be somebody else for a moment. */
static void another_user_is_not(void **state)
{
    char directory[] = "/tmp/navette-caller-XXXXXX";
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), met, status;
    pid_t child;

    (void)state;
    if (geteuid() != 0) {
        close(listener);
        skip();
    }
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chmod(directory, 0755), 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%s/s", directory);
    assert_int_equal(bind(listener, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(chmod(at.sun_path, 0777), 0);
    assert_int_equal(listen(listener, 1), 0);
    child = fork();
    if (child == 0)
        connect_as(NOBODY, &at);
    met = accept(listener, NULL, NULL);
    assert_false(caller_is_ours(met));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(met);
    close(listener);
    unlink(at.sun_path);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_runs_as_the_same_user_is_ours),
        cmocka_unit_test(another_user_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
