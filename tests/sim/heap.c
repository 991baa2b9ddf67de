#include "heap.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include <navette/err.h>

#define STEP_BYTES  64
#define SMALL_BYTES 8192 /* what is larger comes from the system */
#define CLASSES     (SMALL_BYTES / STEP_BYTES)
#define SLAB_BYTES  (512 * 1024)

/* In front of each piece; the next free one of its size stands in the piece itself. */
struct piece {
    int64_t n; /* bytes that it has for the caller */
};

/* Global because SQLite's interface has no context. */
static struct {
    void *free[CLASSES + 1]; /* by size in steps */
    uint8_t *slab;
    size_t left;
} heap;

static int round_up(int n)
{
    if (n > SMALL_BYTES - (int)sizeof(struct piece))
        return (n + 7) & ~7;
    return (n + (int)sizeof(struct piece) + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES -
           (int)sizeof(struct piece);
}

static void *cut(size_t whole)
{
    uint8_t *at;

    if (heap.left < whole) {
        heap.slab = malloc(SLAB_BYTES);
        if (heap.slab == NULL)
            abort();
        heap.left = SLAB_BYTES;
    }
    at = heap.slab;
    heap.slab += whole;
    heap.left -= whole;
    return at;
}

static void *give(int asked)
{
    int n = round_up(asked);
    size_t whole = (size_t)n + sizeof(struct piece);
    struct piece *p;
    void **list = &heap.free[whole <= SMALL_BYTES ? whole / STEP_BYTES : 0];

    if (whole > SMALL_BYTES) {
        p = malloc(whole);
        if (p == NULL)
            return NULL;
    } else if (*list != NULL) {
        p = (struct piece *)*list - 1;
        memcpy(list, *list, sizeof *list);
    } else {
        p = cut(whole);
    }
    p->n = n;
    return p + 1;
}

static int size_of(void *at)
{
    return at == NULL ? 0 : (int)((struct piece *)at - 1)->n;
}

static void take(void *at)
{
    struct piece *p = (struct piece *)at - 1;
    size_t whole = (size_t)p->n + sizeof *p;

    if (whole > SMALL_BYTES) {
        free(p);
        return;
    }
    memcpy(at, &heap.free[whole / STEP_BYTES], sizeof(void *));
    heap.free[whole / STEP_BYTES] = at;
}

static void *resize(void *at, int n)
{
    int had = size_of(at);
    void *fresh;

    if (round_up(n) == had)
        return at;
    fresh = give(n);
    if (fresh == NULL)
        return NULL;
    memcpy(fresh, at, (size_t)(had < n ? had : n));
    take(at);
    return fresh;
}

static int start(void *context)
{
    (void)context;
    return SQLITE_OK;
}

static void stop(void *context)
{
    (void)context;
}

#ifdef __SANITIZE_ADDRESS__
static const bool watched = true;
#else
static const bool watched = false;
#endif

void heap_rule_sqlite(void)
{
    static const sqlite3_mem_methods methods = {
        .xMalloc = give,
        .xFree = take,
        .xRealloc = resize,
        .xSize = size_of,
        .xRoundup = round_up,
        .xInit = start,
        .xShutdown = stop,
    };

    if (!watched)
        sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
}
