/* The libraries are started before the tests of a group run: for cmocka_run_group_tests. */
#ifndef NAVETTE_TEST_LIBRARY_H
#define NAVETTE_TEST_LIBRARY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <navette/keys.h>

static inline int library_start(void **state)
{
    struct err e = {0};

    (void)state;
    return keys_library_start(&e) ? 0 : -1;
}

#endif
