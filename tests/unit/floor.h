/* A shop floor: whole agents, each with a home, a database, an application and a loop of its own,
 * over the loopback interface. What a test needs: open_pair_of_pcs, sql on one, AWAIT on the other.
 *
 * Nothing sleeps: what is ready runs, then the next event is waited for. */
#ifndef NAVETTE_TESTS_FLOOR_H
#define NAVETTE_TESTS_FLOOR_H

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <json-c/json.h>
#include <sqlite3.h>

#include "agent.h"
#include "folder.h"
#include "links.h"
#include "pump.h"
#include "talk.h"

#define FLOOR_PCS_MAX 4
#define FLOOR_MS_MAX  60000 /* what does not come within a minute does not come */

struct pc {
    struct floor *floor;
    char directory[64], database[128], home_path[128];
    struct home home;
    struct keys keys;
    struct config config; /* written when it starts */
    sqlite3 *app;
    uv_loop_t loop;
    struct agent agent;
    bool running;
};

struct floor {
    struct pc *pcs[FLOOR_PCS_MAX];
    uint32_t n;
    const char *awaited;
    uint64_t until_ms;
};

static const char goods[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price INTEGER, stock INTEGER);"
    "INSERT INTO article VALUES (1, 'rice', 10, 100), (2, 'oil', 20, 100);";
static const char no_goods[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price INTEGER, stock INTEGER);";

static inline void must(bool ok, const struct err *e)
{
    if (!ok)
        fail_msg("%s: %s", err_code_name(e->code), e->text);
}

/* ---- time ---- */

static inline uint64_t floor_now(void)
{
    return uv_hrtime() / 1000000;
}

/* What is ready on every PC. */
static inline void floor_run(struct floor *f)
{
    if (floor_now() > f->until_ms)
        fail_msg("waited in vain for: %s", f->awaited);
    for (uint32_t i = 0; i < f->n; i++)
        if (f->pcs[i]->running)
            uv_run(&f->pcs[i]->loop, UV_RUN_NOWAIT);
}

/* Until something is ready. */
static inline void floor_wait(const struct floor *f)
{
    struct pollfd fds[FLOOR_PCS_MAX];
    int wait_ms = 1000;
    uint32_t n = 0;

    for (uint32_t i = 0; i < f->n; i++) {
        const uv_loop_t *loop = &f->pcs[i]->loop;
        int ms = f->pcs[i]->running ? uv_backend_timeout(loop) : -1;

        if (f->pcs[i]->running)
            fds[n++] = (struct pollfd){.fd = uv_backend_fd(loop), .events = POLLIN};
        if (ms >= 0 && ms < wait_ms)
            wait_ms = ms;
    }
    poll(fds, n, wait_ms);
}

/* The condition is looked at after each turn of all loops. */
#define AWAIT(f, condition)                                                                        \
    do {                                                                                           \
        (f)->awaited = #condition;                                                                 \
        (f)->until_ms = floor_now() + FLOOR_MS_MAX;                                                \
        for (floor_run(f); !(condition); floor_run(f))                                             \
            floor_wait(f);                                                                         \
    } while (0)

/* So many turns of what is ready, without waiting for more. */
static inline void floor_turns(struct floor *f, int n)
{
    f->awaited = "some turns";
    f->until_ms = floor_now() + FLOOR_MS_MAX;
    while (n-- > 0)
        floor_run(f);
}

/* It is later, for what is called before the loop runs again. */
#define pass_time(pc, ms) ((pc)->loop.time += (ms))

/* ---- the application ---- */

static inline void sql(struct pc *pc, const char *text)
{
    char *message = NULL;

    if (sqlite3_exec(pc->app, text, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", text, message);
}

/* The first column of the first row, as text; good until the next call. */
static inline const char *ask(struct pc *pc, const char *text)
{
    static char answer[4096];
    sqlite3_stmt *q;

    if (sqlite3_prepare_v2(pc->app, text, -1, &q, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(pc->app));
    answer[0] = '\0';
    if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_text(q, 0) != NULL)
        snprintf(answer, sizeof answer, "%s", (const char *)sqlite3_column_text(q, 0));
    sqlite3_finalize(q);
    return answer;
}

static inline bool holds(struct pc *pc, const char *text, const char *answer)
{
    return strcmp(ask(pc, text), answer) == 0;
}

/* ---- one PC ---- */

/* A port that nobody has at this moment. */
static inline uint16_t free_port(int type)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t n = sizeof at;
    int s = socket(AF_INET, type, 0);

    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &at), 0);
    assert_int_equal(bind(s, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&at, &n), 0);
    close(s);
    return ntohs(at.sin_port);
}

/* A database and a home, as `agent-cli init` makes it; in no fleet yet. */
static inline void pc_open(struct floor *f, struct pc *pc, const char *name, const char *schema)
{
    struct err e = {0};

    *pc = (struct pc){.floor = f};
    signal(SIGPIPE, SIG_IGN); /* as navette-agent does */
    must(keys_library_start(&e), &e);
    snprintf(pc->directory, sizeof pc->directory, "%s/navette-floor-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(pc->directory));
    snprintf(pc->database, sizeof pc->database, "%s/shop.db", pc->directory);
    snprintf(pc->home_path, sizeof pc->home_path, "%s/home", pc->directory);
    assert_int_equal(sqlite3_open(pc->database, &pc->app), SQLITE_OK);
    sql(pc, "PRAGMA journal_mode = WAL");
    sql(pc, schema);
    must(home_locate(&pc->home, pc->home_path, &e) && home_create(&pc->home, &e) &&
             home_identity_create(&pc->home, &pc->keys, &e) && origin_confirm(&pc->home, &e),
         &e);
    config_defaults(&pc->config);
    snprintf(pc->config.name, sizeof pc->config.name, "%s", name);
    snprintf(pc->config.database, sizeof pc->config.database, "%s", pc->database);
    pc->config.listen = (struct address){.host = "127.0.0.1", .port = free_port(SOCK_STREAM)};
    pc->config.discovery = false;
    pc->config.log_level = LOG_ERROR;
    assert_true(f->n < FLOOR_PCS_MAX);
    f->pcs[f->n++] = pc;
}

static inline void pc_start(struct pc *pc)
{
    struct err e = {0};

    must(config_save(&pc->config, pc->home.conf, &e), &e);
    assert_int_equal(uv_loop_init(&pc->loop), 0);
    must(agent_open(&pc->agent, &pc->loop, pc->home_path, &e), &e);
    pc->running = true;
}

/* Nothing is left behind, whatever was under way. */
static inline void pc_stop(struct pc *pc)
{
    pc->floor->awaited = "the agent has stopped";
    agent_stop(&pc->agent);
    agent_run(&pc->agent);
    agent_close(&pc->agent);
    assert_int_equal(uv_loop_close(&pc->loop), 0);
    pc->running = false;
}

static inline void pc_close(struct pc *pc)
{
    if (pc->running)
        pc_stop(pc);
    sqlite3_close(pc->app);
    remove_tree(pc->directory);
}

static inline void floor_close(struct floor *f)
{
    while (f->n > 0)
        pc_close(f->pcs[--f->n]);
}

/* ---- fleets, while nobody runs ---- */

static inline void pc_found(struct pc *pc)
{
    uint8_t key[KEY_BYTES];
    struct roster r = {0};
    struct err e = {0};

    random_fill(key, sizeof key);
    must(roster_create(&r, "Shop", pc->config.name, &pc->keys, &e) &&
             home_fleet_save(&pc->home, &r, key, &e),
         &e);
    roster_close(&r);
}

/* `guest` becomes a member of the fleet of `host`. */
static inline void pc_enrol(struct pc *host, struct pc *guest)
{
    static const uint8_t by_hand[ROSTER_INVITE_ID_BYTES];
    char name[NAME_BYTES_MAX + 1];
    struct fleet_keys keys = {0};
    struct roster r = {0};
    struct err e = {0};

    must(home_fleet_load(&host->home, &r, &keys, &e) &&
             roster_enrol(&r, guest->keys.sign_public, guest->keys.exchange_public,
                          guest->config.name, by_hand, &host->keys, name, &e) &&
             home_roster_save(&host->home, &r, &e) &&
             home_fleet_save(&guest->home, &r, keys.keys[0], &e),
         &e);
    roster_close(&r);
    guest->config.peers[0] = host->config.listen;
    guest->config.peer_count = 1;
}

/* As `agent-cli track --all` without an agent. */
static inline void pc_track(struct pc *pc)
{
    struct fleet_keys keys = {0};
    struct store *store;
    struct roster r = {0};
    struct err e = {0};

    if (home_has_fleet(&pc->home))
        must(home_fleet_load(&pc->home, &r, &keys, &e), &e);
    must(store_open(&store,
                    &(struct store_options){.home = pc->home_path,
                                            .database = pc->database,
                                            .keys = &pc->keys,
                                            .roster = &r,
                                            .exclusive = true},
                    1, &e) &&
             store_track(store, NULL, 0, &e),
         &e);
    store_close(store);
    roster_close(&r);
}

/* ---- several ---- */

static inline bool is_settled(struct pc *pc)
{
    struct err e = {0};

    return agent_is_settled(&pc->agent, &e);
}

/* All that is in its file is published; whether anybody has it is another question. */
static inline bool is_at_rest(struct pc *pc)
{
    struct store_status s;
    struct err e = {0};

    return pc->agent.store != NULL && pump_is_idle(pc->agent.pump) &&
           store_status(pc->agent.store, &s, &e) && s.marks == 0 && s.unscanned == 0;
}

static inline bool is_warned(const struct pc *pc, enum warning_id id)
{
    return warning_is_set(&pc->agent.warnings, id);
}

static inline const char *warned(const struct pc *pc, enum warning_id id)
{
    return pc->agent.warnings.list[id].text;
}

static inline const struct talk *talk_of(const struct pc *pc, const struct pc *with)
{
    return links_talk(pc->agent.links, &with->keys.site);
}

static inline bool is_talking(const struct pc *pc, const struct pc *with)
{
    const struct talk *t = talk_of(pc, with);

    return t != NULL && talk_is_open(t);
}

static inline void open_founding_pc(struct floor *f, struct pc *a, const char *schema)
{
    pc_open(f, a, "A", schema);
    pc_found(a);
    pc_track(a);
}

/* B and C are members of A's fleet; nobody runs. */
static inline void open_three_pcs(struct floor *f, struct pc *a, struct pc *b, struct pc *c,
                                  const char *schema_of_b)
{
    *f = (struct floor){0};
    open_founding_pc(f, a, goods);
    pc_open(f, b, "B", schema_of_b);
    pc_open(f, c, "C", no_goods);
    pc_enrol(a, b);
    pc_enrol(a, c);
    pc_track(b);
    pc_track(c);
}

/* B is a member, and has nothing yet; both are off. */
static inline void open_pc_and_newcomer(struct floor *f, struct pc *a, struct pc *b)
{
    *f = (struct floor){0};
    open_founding_pc(f, a, goods);
    pc_open(f, b, "B", no_goods);
    pc_enrol(a, b);
    pc_track(b);
}

/* Both run, are linked, and hold the same. */
static inline void open_pair_of_pcs(struct floor *f, struct pc *a, struct pc *b)
{
    open_pc_and_newcomer(f, a, b);
    pc_start(a);
    pc_start(b);
    AWAIT(f, is_talking(a, b) && is_talking(b, a));
    AWAIT(f, holds(b, "SELECT count(*) FROM article", "2"));
    AWAIT(f, is_settled(a) && is_settled(b));
}

/* A and B run and are linked; C, a member as they are, is off. */
static inline void open_two_of_three_pcs(struct floor *f, struct pc *a, struct pc *b, struct pc *c)
{
    open_three_pcs(f, a, b, c, no_goods);
    pc_start(a);
    pc_start(b);
    AWAIT(f, is_talking(a, b) && is_talking(b, a) && is_settled(b));
}

/* All three run, and B and C, which nobody told of each other, are linked to A. */
static inline void open_star_of_pcs(struct floor *f, struct pc *a, struct pc *b, struct pc *c)
{
    open_three_pcs(f, a, b, c, no_goods);
    pc_start(a);
    pc_start(b);
    pc_start(c);
    AWAIT(f, is_talking(a, b) && is_talking(a, c));
    AWAIT(f, is_talking(b, a) && is_talking(c, a) && is_settled(b) && is_settled(c));
    assert_null(talk_of(b, c));
}

/* ---- requests, as the control socket gives them ---- */

static inline const char *text_of(struct json_object *o, const char *name)
{
    return json_object_get_string(json_object_object_get(o, name));
}

static inline int64_t number_of(struct json_object *o, const char *name)
{
    return json_object_get_int64(json_object_object_get(o, name));
}

#endif
