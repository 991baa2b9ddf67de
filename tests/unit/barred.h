/* A disk that takes no write of one file. */
#ifndef NAVETTE_TESTS_BARRED_H
#define NAVETTE_TESTS_BARRED_H

#include <sys/stat.h>

#include "floor.h"

/* What stands under the name by way of which a file is written makes each write fail. */
static inline void bar(const char *path)
{
    char name[PATH_BYTES_MAX + 8];

    snprintf(name, sizeof name, "%s.new", path);
    assert_int_equal(mkdir(name, 0700), 0);
}

static inline void unbar(const char *path)
{
    char name[PATH_BYTES_MAX + 8];

    snprintf(name, sizeof name, "%s.new", path);
    assert_int_equal(rmdir(name), 0);
}

#endif
