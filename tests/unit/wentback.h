/* A PC whose whole disk, database and home, is put back to the copy that was kept of it. */
#ifndef NAVETTE_TESTS_WENTBACK_H
#define NAVETTE_TESTS_WENTBACK_H

#include "sites.h"

static inline void keep_pc(struct site *s)
{
    work(s);
    keep_ledger(s);
    keep_database(s);
}

static inline void put_pc_back(struct site *s)
{
    put_ledger_back(s);
    put_database_back(s, s);
    tick(s);
    open_store(s);
}

#endif
