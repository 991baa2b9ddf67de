/* A directory of network cards, as the system lists them. */
#ifndef NAVETTE_TESTS_CARDS_OF_H
#define NAVETTE_TESTS_CARDS_OF_H

#include "folder.h"

/* `given`: 0: it was made with this address (addr_assign_type of Linux). */
static inline void add_card(const char *directory, const char *name, const char *address, int given,
                            bool thing)
{
    char command[512];

    snprintf(command, sizeof command,
             "mkdir -p %s/%s%s && echo %s > %s/%s/address && echo %d > %s/%s/addr_assign_type",
             directory, name, thing ? "/device" : "", address, directory, name, given, directory,
             name);
    assert_int_equal(system(command), 0);
}

#endif
