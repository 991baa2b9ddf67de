#include "memory.h"

#include <stdlib.h> /* it says which C library this is */

#include <sodium.h>

#ifdef __GLIBC__
#include <malloc.h>

#define LARGE_BYTES (512 << 10)

void memory_keep_little(void)
{
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    mallopt(M_TRIM_THRESHOLD, 8 * LARGE_BYTES);
}

void memory_give_back(void)
{
    malloc_trim(0);
}
#else
/* Other allocators do so by themselves. */
void memory_keep_little(void)
{
}

void memory_give_back(void)
{
}
#endif

#ifdef __linux__
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

void memory_hide(void)
{
    const struct rlimit none = {0};

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* Whole pages: what else is in them shares their lot. (libsodium's call leaves pages in dumps where
 * `p` is not at the beginning of one.) */
bool memory_lock(void *p, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), before = (uintptr_t)p % page;

    return madvise((uint8_t *)p - before, n + before, MADV_DONTDUMP) == 0 &&
           sodium_mlock(p, n) == 0;
}
#else
/* Elsewhere what is in a dump is the system's business. */
void memory_hide(void)
{
}

bool memory_lock(void *p, size_t n)
{
    return sodium_mlock(p, n) == 0;
}
#endif

void memory_unlock(void *p, size_t n)
{
    sodium_munlock(p, n);
}

bool memory_can_lock(size_t n)
{
    void *p = malloc(n);
    bool can = p != NULL && sodium_mlock(p, n) == 0;

    if (can)
        sodium_munlock(p, n);
    free(p);
    return can;
}
