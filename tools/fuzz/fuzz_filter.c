/* Filters of rules, as a member that means harm may set them: any text is refused as no expression,
 * or judges any row, the same each time, within its steps, and changes nothing. The input is the
 * expression, a NUL, and what a row holds, which stands in it once, and often in a column that is
 * long. */
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "../../agent/store/filter.h"
#include "fuzz.h"

#define WHERE_MAX 1024
#define MANY_MAX  70000

static struct appdb app;
static struct app_column columns[] = {
    {.name = (char[]){"id"}, .affinity = AFFINITY_INTEGER},
    {.name = (char[]){"a"}, .affinity = AFFINITY_TEXT},
    {.name = (char[]){"b"}, .affinity = AFFINITY_BLOB},
};
static struct app_table table = {
    .name = (char[]){"t"}, .columns = columns, .column_count = COUNT_OF(columns)};

static void begin(void)
{
    if (app.db != NULL)
        return;
    expect(sqlite3_open(":memory:", &app.db) == SQLITE_OK);
    expect(sqlite3_exec(app.db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE, b)",
                        NULL, NULL, NULL) == SQLITE_OK);
}

static void judge(struct filter *f, const struct value *values)
{
    struct err e = {0};
    bool match, again;
    uint64_t steps;

    expect(filter_match(f, values, &match, &e));
    steps = filter_steps(f);
    expect(!match || !filter_gave_up(f));
    expect(filter_gave_up(f) || steps <= 1u << 20);
    expect(filter_match(f, values, &again, &e));
    expect(again == match && filter_steps(f) == steps);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const uint8_t *nul = n == 0 ? NULL : memchr(bytes, 0, n);
    size_t where_n = nul == NULL ? n : (size_t)(nul - bytes);
    struct slice rest = {bytes + where_n, n - where_n};
    struct filter *f = NULL;
    struct err e = {0};
    char where[WHERE_MAX + 1];
    struct buf many;

    begin();
    if (where_n > WHERE_MAX)
        return 0;
    if (where_n > 0)
        memcpy(where, bytes, where_n);
    where[where_n] = '\0';
    if (!filter_open(&f, &app, &table, where, &e)) {
        expect(e.code == ERR_INPUT && f == NULL);
        return 0;
    }
    if (rest.n > 0)
        rest = (struct slice){rest.p + 1, rest.n - 1};
    buf_open(&many, MANY_MAX);
    while (rest.n > 0 && many.n + rest.n <= MANY_MAX)
        buf_add(&many, rest.p, rest.n);
    judge(f, (const struct value[]){{.type = VALUE_INT, .i = 7},
                                    {.type = VALUE_TEXT, .bytes = rest},
                                    {.type = VALUE_NULL}});
    judge(f, (const struct value[]){{.type = VALUE_INT, .i = (int64_t)n},
                                    {.type = VALUE_TEXT, .bytes = rest},
                                    {.type = VALUE_BLOB, .bytes = buf_slice(&many)}});
    judge(f, (const struct value[]){{.type = VALUE_NULL},
                                    {.type = VALUE_TEXT, .bytes = buf_slice(&many)},
                                    {.type = VALUE_REAL, .r = 0.5}});
    filter_close(f);
    buf_close(&many);
    return 0;
}
