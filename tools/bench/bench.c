/* Options and the order of things; tools/bench/run does the rest and prints the table. */
#include "bench.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void times_add(struct times *t, double seconds)
{
    assert(t->n < ROUNDS_MAX);
    t->s[t->n++] = seconds;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double times_median(const struct times *t)
{
    struct times sorted = *t;

    assert(t->n > 0);
    qsort(sorted.s, sorted.n, sizeof(sorted.s[0]), compare);
    return sorted.n % 2 ? sorted.s[sorted.n / 2]
                        : (sorted.s[sorted.n / 2 - 1] + sorted.s[sorted.n / 2]) / 2;
}

void report(const char *name, const struct times *with, const struct times *without,
            const struct times *limit, uint32_t rows)
{
    printf("{\"name\": \"%s\", \"with\": %.6f, \"without\": %.6f, \"rows\": %u, \"rounds\": %u",
           name, times_median(with), times_median(without), rows, with->n);
    if (limit != NULL)
        printf(", \"limit\": %.6f", times_median(limit));
    puts("}");
    fflush(stdout);
}

void must(bool ok, const struct err *e, const char *doing)
{
    if (ok)
        return;
    fprintf(stderr, "navette-bench: %s: %s\n", doing, e->text);
    exit(1);
}

int main(int argc, char **argv)
{
    struct bench b = {.rows = 100000, .rounds = 7, .single = 5000, .single_full = 500};
    struct err e = {0};
    struct timespec wall;

    if (argc < 2 || argc > 3 || (argc == 3 && strcmp(argv[2], "--quick") != 0)) {
        fputs("usage: navette-bench DIRECTORY [--quick]\n", stderr);
        return 64;
    }
    if (argc == 3) {
        b.rounds = 3;
        b.single = 2000;
        b.single_full = 200;
    }
    snprintf(b.directory, sizeof(b.directory), "%s", argv[1]);
    clock_gettime(CLOCK_REALTIME, &wall);
    b.wall_ms =
        (uint64_t)wall.tv_sec * 1000 + 60000; /* nothing that is written now lies ahead of it */
    must(keys_library_start(&e), &e, "start");
    bench_capture(&b);
    bench_apply(&b);
    bench_adopt(&b);
    return 0;
}
