/* Installs capture in a database, looks after it, and takes it out again, over and over until it is
 * killed; a line tells of each step.
 *
 *     capture_loop FILE             all tables or one, in and out, without end
 *     capture_loop FILE uninstall   once
 *
 * A step that finds the file busy is tried again; any other error ends it with status 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "capture.h"

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static bool track(struct appdb *a, bool all, struct err *e)
{
    const char *names[64];
    uint32_t n = 0;

    for (uint32_t i = 0; i < a->schema.n && n < COUNT_OF(names); i++)
        if (a->schema.tables[i].refused == NULL && (all || n == 0))
            names[n++] = a->schema.tables[i].name;
    return capture_install(a, names, n, e);
}

static bool untrack(struct appdb *a, struct err *e)
{
    for (uint32_t i = 0; i < a->schema.n; i++) {
        const char *name = a->schema.tables[i].name;

        if (a->schema.tables[i].number != 0)
            return capture_remove(a, &name, 1, e);
    }
    return true;
}

static bool step(struct appdb *a, const char *name, struct err *e)
{
    if (strcmp(name, "track one") == 0 || strcmp(name, "track all") == 0)
        return track(a, strcmp(name, "track all") == 0, e);
    if (strcmp(name, "untrack") == 0)
        return untrack(a, e);
    if (strcmp(name, "verify") == 0)
        return capture_verify(a, NULL, NULL, e);
    return capture_uninstall(a, e);
}

static bool insist(struct appdb *a, const char *name, struct err *e)
{
    while (!step(a, name, e)) {
        if (e->code != ERR_BUSY)
            return err_wrap(e, "%s", name);
        err_clear(e);
        pause_ms(1);
    }
    if (puts(name) < 0 || fflush(stdout) != 0)
        return err_set(e, ERR_STORE, "nobody listens any more");
    return true;
}

static bool run(struct appdb *a, const char *only, struct err *e)
{
    static const char *const steps[] = {"track one", "verify",    "track all",
                                        "untrack",   "track all", "uninstall"};

    if (only != NULL)
        return insist(a, only, e);
    for (size_t i = 0; insist(a, steps[i], e); i = (i + 1) % COUNT_OF(steps))
        pause_ms(3); /* the application is to have its turn */
    return false;
}

int main(int argc, char **argv)
{
    struct appdb a = {0};
    struct err e = {0};
    bool ok;

    if (argc < 2 || sodium_init() < 0)
        return 64;
    while (!appdb_open(&a, argv[1], NULL, &e) && e.code == ERR_BUSY) {
        err_clear(&e);
        pause_ms(1);
    }
    ok = e.code == ERR_NONE && run(&a, argc > 2 ? argv[2] : NULL, &e);
    appdb_close(&a);
    if (!ok)
        fprintf(stderr, "%s: %s\n", err_code_name(e.code), e.text);
    return ok ? 0 : 1;
}
