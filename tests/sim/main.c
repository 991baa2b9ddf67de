/* navette-sim [--seeds N] [--seed S] [--nodes K] [--calm] [--restores file,home,homes,both] [--test
 * PATTERN] [--draw none,schema,adopt,copy,empty,rules] [--verbose]
 *
 * Without arguments: all scenarios, then random weeks from seeds 1 to SEEDS. NAVETTE_SEED=S or
 * --seed S replays one week exactly. What --draw names happens in every week. */
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include <navette/keys.h>

#include "heap.h"
#include "restore.h"
#include "scenario.h"
#include "sim.h"
#include "week.h"

#define SEEDS 1000

struct run {
    uint64_t first, last;
    uint32_t nodes; /* 0: three, sometimes more */
    bool calm;      /* no power cuts */
    uint32_t restores;
    uint32_t draws; /* what is drawn besides */
    bool weeks_only;
};

static void random_weeks_end_with_the_same_and_right_data_everywhere(void **state)
{
    const struct run *run = *state;

    for (uint64_t seed = run->first; seed <= run->last; seed++) {
        struct week_options o = {
            .seed = seed,
            .calm = run->calm,
            .restores = run->restores,
            .draws = run->draws,
            .nodes = run->nodes != 0 ? run->nodes
                     : seed % 8 == 0 ? 5
                     : seed % 5 == 0 ? 2
                                     : 3,
        };

        if (!week_run(&o))
            fail_msg("NAVETTE_SEED=%llu replays it", (unsigned long long)seed);
    }
}

static bool read_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end = NULL;

    *out = strtoull(text, &end, 10);
    return *text != '\0' && *end == '\0' && *out >= min && *out <= max;
}

struct word {
    const char *text;
    uint32_t bits;
};

static const struct word restores[] = {{"file", RESTORE_FILE},
                                       {"home", RESTORE_HOME},
                                       {"homes", RESTORE_HOME | RESTORE_HOMES},
                                       {"both", RESTORE_BOTH},
                                       {"all", RESTORE_FILE | RESTORE_HOME | RESTORE_BOTH}};
static const struct word draws[] = {{"none", 0},           {"schema", DRAW_SCHEMA},
                                    {"adopt", DRAW_ADOPT}, {"copy", DRAW_COPY},
                                    {"empty", DRAW_EMPTY}, {"rules", DRAW_RULES}};

/* Some of these words, with commas between them. */
static bool read_words(const char *text, const struct word *words, size_t n, uint32_t *bits)
{
    bool any = *text != '\0';

    while (*text != '\0') {
        size_t bytes = strcspn(text, ","), i = 0;

        while (i < n &&
               (strlen(words[i].text) != bytes || strncmp(words[i].text, text, bytes) != 0))
            i++;
        if (i == n)
            return false;
        *bits |= words[i].bits;
        text += bytes + (text[bytes] == ',');
    }
    return any;
}

static bool read_options(struct run *run, int argc, char **argv)
{
    static const struct option names[] = {
        {"seeds", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 's'},
        {"nodes", required_argument, NULL, 'k'},
        {"test", required_argument, NULL, 't'},
        {"calm", no_argument, NULL, 'c'},
        {"restores", required_argument, NULL, 'r'},
        {"draw", required_argument, NULL, 'd'},
        {"verbose", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    const char *seed = getenv("NAVETTE_SEED");
    uint64_t number, seeds = 0;
    int option;
    bool ok = true;

    while (ok && (option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == 's')
            seed = optarg;
        else if (option == 'v')
            setenv("NAVETTE_SIM_TRACE", "1", 1);
        else if (option == 'c')
            run->calm = true;
        else if (option == 'r')
            ok = read_words(optarg, restores, COUNT_OF(restores), &run->restores);
        else if (option == 'd')
            ok = read_words(optarg, draws, COUNT_OF(draws), &run->draws);
        else if (option == 't')
            cmocka_set_test_filter(optarg);
        else if (option == 'n')
            ok = read_number(optarg, 1, UINT32_MAX, &seeds);
        else if (option == 'k' && (ok = read_number(optarg, 2, 8, &number)))
            run->nodes = (uint32_t)number;
        else
            ok = false;
    }
    if (seed != NULL)
        ok = ok && read_number(seed, 0, UINT32_MAX, &run->first);
    run->last = run->first + (seeds != 0 ? seeds - 1 : seed != NULL ? 0 : SEEDS - 1);
    run->weeks_only = seed != NULL || seeds != 0;
    return ok && optind == argc;
}

int main(int argc, char **argv)
{
    struct run run = {.first = 1};
    const struct CMUnitTest weeks[] = {
        cmocka_unit_test_prestate(random_weeks_end_with_the_same_and_right_data_everywhere, &run),
    };
    struct err e = {0};
    int failed = 0;

    if (!read_options(&run, argc, argv)) {
        fprintf(stderr,
                "usage: navette-sim [--seeds N] [--seed S] [--nodes 2..8] "
                "[--calm] [--restores file,home,homes,both] [--draw none,schema,adopt,copy] "
                "[--test PATTERN] "
                "[--verbose]\n");
        return 64;
    }
    /* One thread, and nobody asks how much memory SQLite uses: both cost a tenth of the time. */
    sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    heap_rule_sqlite();
    rng_rule_system();
    if (!keys_library_start(&e)) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    if (!run.weeks_only)
        failed += scenario_conflict_run() + scenario_disk_run() + scenario_fleet_run() +
                  scenario_crash_run();
    else
        failed += cmocka_run_group_tests_name("weeks", weeks, NULL, NULL);
    return failed == 0 ? 0 : 1;
}
