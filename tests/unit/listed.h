/* Sites whose conflicts are looked at. */
#ifndef NAVETTE_TESTS_LISTED_H
#define NAVETTE_TESTS_LISTED_H

#include "sites.h"

#include <navette/conflicts.h>

static const char schema[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price CHECK (price <> 666), place);"
    "CREATE TABLE line(id INTEGER PRIMARY KEY, article_id INTEGER REFERENCES article(id), n);"
    "CREATE TABLE setting(name TEXT PRIMARY KEY, value)";

static inline struct store_conflicts conflicts_of(struct site *s)
{
    struct store_conflicts c;
    struct err e = {0};

    check(store_conflicts(s->store, 0, 1000, &c, &e), &e);
    return c;
}

static inline int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline const char *shown(const struct store_write *w)
{
    return w->value != NULL ? w->value : w->type;
}

/* All entries as every site should have them: without numbers and local keys, sorted. */
static inline char *listed(struct site *s)
{
    struct store_conflicts c = conflicts_of(s);
    char **lines = mem_alloc((c.n + 1) * sizeof *lines);
    size_t room = 1;
    char *all;

    for (uint32_t i = 0; i < c.n; i++) {
        const struct store_conflict *one = &c.list[i];
        char line[400];

        snprintf(line, sizeof line, "%s %s %s: %s of %s lost to %s of %s", one->row.label,
                 one->column, one->why, shown(&one->lost), one->lost.by, shown(&one->won),
                 one->won.by);
        lines[i] = mem_text(line);
        room += strlen(line) + 2;
    }
    qsort(lines, c.n, sizeof *lines, by_text);
    all = mem_alloc(room);
    for (uint32_t i = 0; i < c.n; i++) {
        snprintf(all + strlen(all), room - strlen(all), "%s%s", i == 0 ? "" : "; ", lines[i]);
        free(lines[i]);
    }
    free(lines);
    store_conflicts_close(&c);
    return all;
}

static inline void expect_listed(struct site *s, const char *text)
{
    char *got = listed(s);

    if (strcmp(got, text) != 0)
        fail_msg("%s\n  lists    %s\n  expected %s", s->home, got, text);
    free(got);
}

static inline void expect_same_list(struct site *a, struct site *b)
{
    char *text = listed(a);

    expect_listed(b, text);
    free(text);
}

static inline int64_t number_of(struct site *s, uint32_t index)
{
    struct store_conflicts c = conflicts_of(s);
    int64_t number;

    assert_true(index < c.n);
    number = c.list[index].number;
    store_conflicts_close(&c);
    return number;
}

/* A statement at a time of its own, drained. */
static inline void edit(struct site *s, const char *text)
{
    usleep(2000);
    sql(s, text);
    work(s);
}

static inline void open_two(struct site *a, struct site *b)
{
    open_pair(a, b, schema, schema);
    edit(a, "INSERT INTO article VALUES (1, 'Riz', 10, 'A'), (2, 'The', 20, 'B')");
    exchange(a, b);
    expect_listed(a, "");
    expect_listed(b, "");
}

static inline void open_three(struct site *s)
{
    struct err e = {0};
    bool changed;

    s[2] = (struct site){0};
    open_two(&s[0], &s[1]);
    join_site(&s[0], &s[2], "C", schema);
    work(&s[2]);
    check(roster_merge(&s[1].roster, buf_slice(&s[0].roster.log), &changed, &e), &e);
}

static inline void exchange_all(struct site *s)
{
    for (int twice = 0; twice < 2; twice++) {
        exchange(&s[0], &s[1]);
        exchange(&s[1], &s[2]);
        exchange(&s[0], &s[2]);
    }
}

static inline void close_three(struct site *s)
{
    for (int i = 0; i < 3; i++)
        close_site(&s[i]);
}

#endif
