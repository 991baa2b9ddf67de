/* Whole stores on real files: sites with an application each, change-sets carried by hand. What a
 * test needs of them: open_pair, sql on one side, exchange, expect on the other. */
#ifndef NAVETTE_TESTS_SITES_H
#define NAVETTE_TESTS_SITES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include <navette/belief.h>

struct site {
    char home[64], database[96];
    struct keys keys;
    struct roster roster;
    struct store *store;
    sqlite3 *app;
    uint64_t now_ms;
    const char *pragmas; /* of a database that is not to be in WAL mode */
    bool is_large;       /* its file is checked when it is closed, not after each work */
    /* of a site on a simulated disk (sim/disk.h), else NULL */
    const char *agent_vfs, *app_vfs;
    uint64_t *disk_ms; /* its time */
};

/* A shop: keys that each PC numbers for itself, natural and composite ones, a key that refers. */
static const char shop[] =
    "CREATE TABLE client(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL);"
    "CREATE TABLE article(id INTEGER PRIMARY KEY, ref TEXT NOT NULL UNIQUE, price DECIMAL, stock "
    "INTEGER);"
    "CREATE TABLE invoice(id INTEGER PRIMARY KEY AUTOINCREMENT, number TEXT,"
    " client_id INTEGER REFERENCES client(id) DEFERRABLE INITIALLY DEFERRED);"
    "CREATE TABLE line(id INTEGER PRIMARY KEY AUTOINCREMENT, invoice_id INTEGER NOT NULL "
    "REFERENCES invoice(id),"
    " article_id INTEGER NOT NULL REFERENCES article(id), quantity INTEGER);"
    "CREATE TABLE setting(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE stock_place(article_id INTEGER REFERENCES article(id), place TEXT, n INTEGER,"
    " PRIMARY KEY(article_id, place));";

static inline uint64_t wall_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Marks carry milliseconds: what is written from here on is later. */
static inline void later(void)
{
    uint64_t now = wall_ms();

    while (wall_ms() <= now + 1)
        ;
}

static inline void check(bool ok, const struct err *e)
{
    if (!ok)
        fail_msg("%s: %s", err_code_name(e->code), e->text);
}

static inline void run_command(const char *format, ...) PRINTF_LIKE(1, 2);
static inline void run_command(const char *format, ...)
{
    char command[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    assert_int_equal(system(command), 0);
}

/* ---- the application ---- */

static inline void open_app(struct site *s)
{
    assert_int_equal(sqlite3_open_v2(s->database, &s->app,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, s->app_vfs),
                     SQLITE_OK);
}

/* The time goes on, and marks carry it. */
static inline void tick(struct site *s)
{
    s->now_ms = s->disk_ms == NULL ? wall_ms() : (*s->disk_ms += 10);
}

static inline void sql(struct site *s, const char *text)
{
    char *message = NULL;

    if (sqlite3_exec(s->app, text, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", text, message);
}

/* All rows of a query on any file, columns separated by '|', rows by ' '; "(none)" if there are
 * none. The caller frees. */
static inline char *ask_file(sqlite3 *db, const char *text)
{
    sqlite3_str *answer = sqlite3_str_new(db);
    sqlite3_stmt *q;
    char *copy;

    if (sqlite3_prepare_v2(db, text, -1, &q, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
    while (sqlite3_step(q) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(q); i++) {
            const char *value = (const char *)sqlite3_column_text(q, i);

            sqlite3_str_appendall(answer, i > 0 ? "|" : sqlite3_str_length(answer) == 0 ? "" : " ");
            sqlite3_str_appendall(answer, value == NULL ? "NULL" : value);
        }
    if (sqlite3_finalize(q) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
    copy = mem_text(sqlite3_str_length(answer) == 0 ? "(none)" : sqlite3_str_value(answer));
    sqlite3_free(sqlite3_str_finish(answer));
    return copy;
}

static inline void expect(struct site *s, const char *text, const char *answer)
{
    char *got = ask_file(s->app, text);

    if (strcmp(got, answer) != 0)
        fail_msg("%s: %s\n  is       %s\n  expected %s", s->home, text, got, answer);
    free(got);
}

static inline void expect_both(struct site *a, struct site *b, const char *text, const char *answer)
{
    expect(a, text, answer);
    expect(b, text, answer);
}

/* Both hold the same. */
static inline void expect_same(struct site *a, struct site *b, const char *text)
{
    char *answer = ask_file(a->app, text);

    expect(b, text, answer);
    free(answer);
}

/* ---- one site ---- */

static inline struct store_options site_options(struct site *s)
{
    return (struct store_options){.home = s->home,
                                  .database = s->database,
                                  .vfs = s->agent_vfs,
                                  .keys = &s->keys,
                                  .roster = &s->roster,
                                  .exclusive = true};
}

static inline void open_store(struct site *s)
{
    struct store_options o = site_options(s);
    struct err e = {0};

    check(store_open(&s->store, &o, s->now_ms, &e), &e);
}

static inline void close_store(struct site *s)
{
    store_close(s->store);
    s->store = NULL;
}

static inline void open_site(struct site *s, const char *schema)
{
    snprintf(s->home, sizeof s->home, "%s/navette-store-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(s->home));
    snprintf(s->database, sizeof s->database, "%s/app.sqlite3", s->home);
    open_app(s);
    sql(s, s->pragmas == NULL ? "PRAGMA journal_mode = WAL" : s->pragmas);
    sql(s, "PRAGMA foreign_keys = ON");
    sql(s, schema);
    keys_generate(&s->keys);
    tick(s);
}

static inline void check_file(struct site *s)
{
    expect(s, "PRAGMA integrity_check", "ok");
    expect(s, "PRAGMA foreign_key_check", "(none)");
}

static inline void close_site(struct site *s)
{
    if (s->is_large)
        check_file(s);
    close_store(s);
    sqlite3_close(s->app);
    roster_close(&s->roster);
    run_command("rm -r %s", s->home);
}

/* Our own file, looked at while nobody else has it open. */
static inline char *ask_ledger(struct site *s, const char *text)
{
    char path[128], *answer;
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/ledger.db", s->home);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, s->agent_vfs), SQLITE_OK);
    answer = ask_file(db, text);
    sqlite3_close(db);
    return answer;
}

static inline void expect_ledger(struct site *s, const char *text, const char *answer)
{
    bool open = s->store != NULL;
    char *got;

    close_store(s);
    got = ask_ledger(s, text);
    if (strcmp(got, answer) != 0)
        fail_msg("%s: %s\n  is       %s\n  expected %s", s->home, text, got, answer);
    free(got);
    if (open)
        open_store(s);
}

/* Until there is no more to do. Busy once or twice is no failure: it says "call again". */
static inline void step_all(struct site *s, bool (*step)(struct store *, uint64_t,
                                                         struct store_progress *, struct err *))
{
    struct store_progress p = {.more = true};
    struct err e = {0};
    int busy = 0;

    while (p.more)
        if (!step(s->store, s->now_ms, &p, &e)) {
            if (e.code != ERR_BUSY || ++busy == 3)
                check(false, &e);
            err_clear(&e);
            p.more = true;
        }
}

static inline void drain_all(struct site *s)
{
    step_all(s, store_drain);
}

static inline void apply_all(struct site *s)
{
    step_all(s, store_apply);
}

static inline void work(struct site *s)
{
    tick(s);
    drain_all(s);
    apply_all(s);
    drain_all(s);
    if (!s->is_large)
        check_file(s);
}

static inline void tidy(struct site *s)
{
    struct err e = {0};
    bool more = true;

    while (more)
        check(store_tidy(s->store, &more, &e), &e);
}

static inline struct store_status status_of(struct site *s)
{
    struct store_status status;
    struct err e = {0};

    check(store_status(s->store, &status, &e), &e);
    return status;
}

/* How many change-sets this site has made. */
static inline uint64_t made_by(const struct site *s)
{
    return vector_get(store_have(s->store), store_actor(s->store));
}

/* ---- copies of files, put back: nobody has them open meanwhile ---- */

static inline void keep_database(struct site *s)
{
    sql(s, "PRAGMA wal_checkpoint(TRUNCATE)");
    run_command("cp %s %s.kept", s->database, s->database);
}

/* The application starts again with an older copy (or another site's); the agent is not told. */
static inline void put_database_back(struct site *s, const struct site *from)
{
    close_store(s);
    sqlite3_close(s->app);
    run_command("rm -f %s-wal %s-shm", s->database, s->database);
    run_command("cp %s.kept %s", from->database, s->database);
    open_app(s);
    sql(s, "PRAGMA foreign_keys = ON");
}

/* The same, while the application and the agent have the file open. */
static inline void restore_online(struct site *s)
{
    char path[128];
    sqlite3_backup *backup;
    sqlite3 *kept;

    snprintf(path, sizeof path, "%s.kept", s->database);
    assert_int_equal(sqlite3_open(path, &kept), SQLITE_OK);
    backup = sqlite3_backup_init(s->app, "main", kept, "main");
    assert_non_null(backup);
    assert_int_equal(sqlite3_backup_step(backup, -1), SQLITE_DONE);
    assert_int_equal(sqlite3_backup_finish(backup), SQLITE_OK);
    sqlite3_close(kept);
}

static inline void keep_ledger(struct site *s)
{
    bool open = s->store != NULL;

    close_store(s);
    run_command("cp %s/ledger.db %s/ledger.kept", s->home, s->home);
    if (open)
        open_store(s);
}

static inline void put_ledger_back(struct site *s)
{
    close_store(s);
    run_command("rm -f %s/ledger.db-wal && cp %s/ledger.kept %s/ledger.db", s->home, s->home,
                s->home);
}

/* ---- several ---- */

/* What this actor said, and `from` has and `to` has not. */
static inline void carry_of(struct site *from, struct site *to, const struct actor *actor)
{
    enum stage_result result;
    struct slice left, one;
    struct err e = {0};
    struct buf bytes;

    buf_open(&bytes, 512u << 20);
    check(store_fetch(from->store, actor, vector_get(store_have(to->store), actor), 256u << 20,
                      &bytes, &e),
          &e);
    for (left = buf_slice(&bytes); store_fetch_next(&left, &one, &e);)
        check(store_stage(to->store, one, &result, &e), &e);
    check(e.code == ERR_NONE, &e);
    buf_close(&bytes);
}

/* Everything that `from` has and `to` has not. */
static inline void carry(struct site *from, struct site *to)
{
    const struct vector *have = store_have(from->store);

    for (uint32_t i = 0; i < have->n; i++)
        carry_of(from, to, &have->entries[i].actor);
}

/* What `from` made itself, without what it builds on. */
static inline void carry_own(struct site *from, struct site *to)
{
    carry_of(from, to, store_actor(from->store));
}

static inline void exchange(struct site *a, struct site *b)
{
    work(a);
    work(b);
    carry(a, b);
    carry(b, a);
    work(a);
    work(b);
    carry(a, b);
    carry(b, a);
    work(a);
    work(b);
}

/* The founder of a fleet, tracking everything. */
static inline void open_founder(struct site *a, const char *schema)
{
    struct err e = {0};

    open_site(a, schema);
    check(roster_create(&a->roster, "shop", "A", &a->keys, &e), &e);
    open_store(a);
    check(store_track(a->store, NULL, 0, &e), &e);
    work(a);
}

/* `b` is enrolled by `a`; its store is not open yet. */
static inline void enrol_site(struct site *a, struct site *b, const char *name)
{
    struct err e = {0};
    uint8_t invite[8] = {0};
    char got[NAME_BYTES_MAX + 1];
    bool changed;

    check(roster_enrol(&a->roster, b->keys.sign_public, b->keys.exchange_public, name, invite,
                       &a->keys, got, &e),
          &e);
    check(roster_merge(&b->roster, buf_slice(&a->roster.log), &changed, &e), &e);
}

/* A newcomer, with its store open, takes all that `a` has and is matched. */
static inline void match_site(struct site *a, struct site *b, bool copy)
{
    struct err e = {0};

    assert_int_equal(store_state(b->store), STORE_MATCHING);
    carry(a, b);
    work(b);
    check(store_match(b->store, copy, NULL, 0, b->now_ms, &e), &e);
    assert_int_equal(store_state(b->store), STORE_READY);
}

/* The ledger of `a` went back or is gone: the agent starts, and hears of all that `b` has. */
static inline void rematch(struct site *a, struct site *b)
{
    open_store(a);
    work(a);
    match_site(b, a, false);
    exchange(a, b);
    exchange(a, b);
}

static inline void lose_ledger(struct site *s)
{
    close_store(s);
    run_command("rm -f %s/ledger.db*", s->home);
}

static inline void join_site(struct site *a, struct site *b, const char *name, const char *schema)
{
    struct err e = {0};

    open_site(b, schema);
    enrol_site(a, b, name);
    open_store(b);
    check(store_track(b->store, NULL, 0, &e), &e);
    match_site(a, b, false);
}

/* Two members, both tracking everything. `pragmas`: what makes their databases special, or NULL. */
static inline void open_pair_with(struct site *a, struct site *b, const char *pragmas,
                                  const char *schema_a, const char *schema_b)
{
    *a = *b = (struct site){.pragmas = pragmas};
    open_founder(a, schema_a);
    join_site(a, b, "B", schema_b);
    exchange(a, b);
}

static inline void open_pair(struct site *a, struct site *b, const char *schema_a,
                             const char *schema_b)
{
    open_pair_with(a, b, NULL, schema_a, schema_b);
}

static inline void close_pair(struct site *a, struct site *b)
{
    close_site(a);
    close_site(b);
}

#endif
