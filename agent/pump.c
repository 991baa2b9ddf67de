/* The store is CLOSED (opened by timer, again and again) or OPEN. When it is open: drain what the
 * application wrote, at once; apply what others wrote when the application has been quiet for a
 * moment, or when it has waited long enough; match, once, a newcomer's rows as soon as all is here
 * that a connected member has. */
#include "pump.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "absent.h"
#include "agent.h"
#include "ahead.h"
#include "backup.h"
#include "control.h"
#include "fleet.h"
#include "links.h"
#include "log.h"
#include "memory.h"
#include "newcomer.h"
#include "status.h"
#include "stick.h"
#include "watch.h"

#define REOPEN_MS       2000
#define FAILED_MS       2000  /* between attempts after an error that time may heal */
#define FAILURES_REOPEN 3     /* then the store is opened anew */
#define BUSY_TELL_MS    30000 /* a lock that somebody holds for so long is told to a person */
#define PARKED_RETRY_MS 30000
#define TIDY_QUIET_MS   2000 /* marks may wait: not while somebody sells */
#define TIDY_PAUSE_MS   200
#define REST_ROWS       1000 /* so much work leaves memory to give back... */
#define REST_MS         1500 /* ...when nothing was done for so long */

/* After a lock was found taken. */
static const uint32_t busy_ms[] = {1, 2, 5, 10, 20, 50};

/* One kind of work and when it may be tried. */
struct job {
    bool due;
    uint32_t failures; /* in a row */
    uint64_t at_ms;    /* not before */
    uint64_t busy_since_ms;
};

struct pump {
    struct agent *agent;
    uv_timer_t timer;
    uv_idle_t idle;
    uv_prepare_t turned; /* the loop is about to wait */
    uint64_t turned_us;
    uint32_t handles;
    bool stopping;
    bool failing;      /* something failed elsewhere and is not known to be over */
    bool drained_last; /* the last turn was a drain's */
    bool heard;        /* something came from a peer while this PC's rows are not matched yet */
    struct job open, drain, apply, match, tidy; /* match: to try again what could not be done */
    uint64_t wrote_ms;                          /* when the application was last seen to commit */
    uint64_t drained_at_ms;                     /* when that was drained in the turn that saw it */
    uint64_t apply_since_ms;                    /* when the apply became due */
    uint64_t parked_ms;                         /* when parked rows were last tried */
    struct backup backup;
    struct newcomer newcomer; /* until this PC's rows are matched */
    struct absent absent;     /* what waits for members that are away */
    struct ahead ahead;       /* the clock was ahead */
    uint64_t rows_at_rest;    /* drained and applied when memory was last given back */
    bool was_large;           /* so was something that came since */
    uint64_t worked_ms;       /* when rows were last drained or applied */
    struct pump_times times;
};

static void plan(struct pump *p);

static uint64_t now_of(const struct pump *p)
{
    return uv_now(p->agent->loop);
}

/* ---- failures ---- */

static void tell(struct pump *p, const char *doing, const struct err *e)
{
    struct warnings *w = &p->agent->warnings;
    uint64_t wall = agent_wall_ms(p->agent);

    if (e->code == ERR_FULL)
        warning_set(w, WARNING_DISK_FULL, wall, "%s: %s", doing, e->text);
    else
        warning_set(w, WARNING_STORE, wall, "%s: %s", doing, e->text);
}

void pump_failed(struct pump *p, const char *doing, const struct err *e)
{
    if (e->code == ERR_BUSY)
        return;
    p->failing = true;
    tell(p, doing, e);
}

static void job_failed(struct pump *p, struct job *job, const char *doing, const struct err *e)
{
    uint32_t step = job->failures < COUNT_OF(busy_ms) ? job->failures : COUNT_OF(busy_ms) - 1;

    job->failures++;
    if (e->code == ERR_BUSY) {
        p->times.busy++;
        job->at_ms = now_of(p) + busy_ms[step];
        if (job->busy_since_ms == 0)
            job->busy_since_ms = now_of(p);
        if (now_of(p) - job->busy_since_ms > BUSY_TELL_MS)
            warning_set(&p->agent->warnings, WARNING_BUSY, agent_wall_ms(p->agent), "%s: %s", doing,
                        e->text);
        return;
    }
    log_debug("%s failed code=%s reason=%s", doing, err_code_name(e->code), e->text);
    job->busy_since_ms = 0;
    job->at_ms = now_of(p) + (FAILED_MS << (job->failures < 4 ? job->failures - 1 : 3));
    tell(p, doing, e);
    if (e->code != ERR_FULL && job->failures % FAILURES_REOPEN == 0)
        p->open.due = true;
}

/* Work that went through shows that what failed is over. */
static void all_well(struct pump *p)
{
    if (p->drain.failures > 0 || p->apply.failures > 0 || p->match.failures > 0 ||
        p->tidy.failures > 0)
        return;
    p->failing = false;
    warning_clear(&p->agent->warnings, WARNING_DISK_FULL);
    warning_clear(&p->agent->warnings, WARNING_STORE);
    warning_clear(&p->agent->warnings, WARNING_BUSY);
}

static void job_succeeded(struct pump *p, struct job *job, bool worked)
{
    bool failed = job->failures > 0;

    job->failures = 0;
    job->busy_since_ms = 0;
    job->at_ms = 0;
    if (failed || worked)
        all_well(p);
}

void pump_went_well(struct pump *p)
{
    if (p->failing)
        all_well(p);
}

/* ---- opening ---- */

void pump_close_store(struct pump *p, const char *why)
{
    struct agent *a = p->agent;

    links_pause(a->links, why);
    if (a->store == NULL)
        return;
    log_info("store closed reason=%s", why);
    backup_close(&p->backup);
    p->backup.done = false;
    store_close(a->store);
    a->store = NULL;
    err_clear(&a->store_trouble);
    err_set(&a->store_trouble, ERR_BUSY, "the database is not open (%s): try again in a moment",
            why);
}

static void tell_trouble(struct agent *a)
{
    bool ours = strstr(a->store_trouble.text, a->home.ledger) != NULL;

    if (a->store_trouble.code == ERR_FULL)
        warning_set(&a->warnings, WARNING_DISK_FULL, agent_wall_ms(a), "%s", a->store_trouble.text);
    else
        warning_set(&a->warnings, ours ? WARNING_LEDGER : WARNING_DATABASE, agent_wall_ms(a), "%s",
                    a->store_trouble.text);
}

static void open_store(struct pump *p)
{
    struct agent *a = p->agent;
    struct store_options options = {
        .home = a->home.path,
        .database = a->config.database,
        .keys = &a->keys,
        .roster = &a->roster,
        .exclusive = true,
    };
    struct err e = {0};

    pump_close_store(p, a->doubt[0] == '\0' ? "it is opened again"
                                            : "another PC may have this identity");
    err_clear(&a->store_trouble);
    if (a->doubt[0] != '\0') {
        p->open = (struct job){0};
        err_set(&a->store_trouble, ERR_REFUSED, "%s: see `agent-cli status`", a->doubt);
        return;
    }
    if (!store_open(&a->store, &options, agent_wall_ms(a), &a->store_trouble)) {
        a->store = NULL;
        p->open.at_ms = now_of(p) + REOPEN_MS;
        tell_trouble(a);
        return;
    }
    log_info("store open database=%s matched=%s", a->config.database,
             store_state(a->store) == STORE_READY ? "yes" : "no");
    warning_clear(&a->warnings, WARNING_DATABASE);
    warning_clear(&a->warnings, WARNING_LEDGER);
    p->open = p->match = p->tidy = (struct job){0};
    p->drain = p->apply = (struct job){.due = true};
    all_well(p);
    notices_load(a);
    status_note_trouble(a);
    if (!home_close_ledger(&a->home, &e))
        log_warn("the ledger is open to others reason=%s", e.text);
    fleet_opened(a);
    p->apply_since_ms = now_of(p);
    newcomer_close(&p->newcomer);
    watch_opened(a->watch);
    links_resume(a->links);
}

static void open_soon(struct pump *p)
{
    p->open.due = true;
    p->open.at_ms = 0;
    plan(p);
}

void pump_reopen(struct pump *p, const char *why)
{
    log_info("store opens again reason=%s", why);
    open_soon(p);
}

void pump_halt(struct pump *p)
{
    open_soon(p);
}

/* ---- matching ---- */

void pump_take_keys(struct pump *p, struct slice keys)
{
    if (p->agent->store != NULL && store_state(p->agent->store) == STORE_MATCHING &&
        newcomer_take_keys(&p->newcomer, p->agent, keys))
        pump_poke(p);
}

static void match(struct pump *p)
{
    struct agent *a = p->agent;
    struct actor before = *store_actor(a->store);
    uint64_t start = uv_hrtime();
    struct slice keys[NEWCOMER_KEYS_MAX];
    struct err e = {0};
    uint32_t i;

    for (i = 0; i < p->newcomer.n; i++)
        keys[i] = buf_slice(&p->newcomer.keys[i]);
    if (!store_match(a->store, a->config.copy, keys, p->newcomer.n, agent_wall_ms(a), &e)) {
        p->match.due = true;
        job_failed(p, &p->match, "match", &e);
        return;
    }
    job_succeeded(p, &p->match, false);
    if (store_state(a->store) != STORE_READY)
        return;
    newcomer_close(&p->newcomer);
    links_forget_keys(a->links);
    stick_welcome_forget(a);
    log_info("matched milliseconds=%llu", (unsigned long long)((uv_hrtime() - start) / 1000000));
    warning_clear(&a->warnings, WARNING_MATCHING);
    p->drain.due = p->apply.due = true;
    p->apply_since_ms = now_of(p);
    if (actor_equal(&before, store_actor(a->store))) {
        links_local_changed(a->links);
    } else {
        links_pause(a->links, "this PC has a new incarnation");
        links_resume(a->links);
    }
}

static void consider_match(struct pump *p)
{
    struct agent *a = p->agent;
    struct store_status status;
    struct err e = {0};

    if (a->store == NULL || !a->in_fleet || store_state(a->store) == STORE_READY || p->apply.due ||
        p->drain.due || p->match.at_ms > now_of(p))
        return;
    if (!store_status(a->store, &status, &e) || status.tracked_tables == 0)
        return;
    if (agent_others(a) == 0 || newcomer_is_ready(&p->newcomer, a))
        match(p);
}

void pump_without_absent(struct pump *p)
{
    p->newcomer.without_absent = true;
    absent_are_gone(&p->absent);
    pump_heard(p);
}

void pump_clock_is_right(struct pump *p)
{
    p->ahead.is_right = true;
    p->ahead.tried_ms = 0;
}

/* ---- drain and apply ---- */

static void changed_here(struct pump *p)
{
    links_local_changed(p->agent->links);
    control_poke(p->agent->control);
}

static void count_drained(struct pump *p, uint32_t changesets, uint32_t rows)
{
    if (changesets == 0)
        return;
    p->tidy.due = true;
    p->worked_ms = now_of(p);
    p->times.drains++;
    p->times.drain_rows += rows;
}

static void drain(struct pump *p)
{
    struct agent *a = p->agent;
    struct store_progress progress = {0};
    uint64_t start = uv_hrtime(), us;
    struct err e = {0};

    if (!store_drain(a->store, agent_wall_ms(a), &progress, &e)) {
        job_failed(p, &p->drain, "drain", &e);
        return;
    }
    us = (uv_hrtime() - start) / 1000;
    if (us > p->times.drain_us_max)
        p->times.drain_us_max = us;
    status_note_trouble(a);
    job_succeeded(p, &p->drain, progress.changesets > 0);
    p->drain.due = progress.more;
    p->tidy.due |= progress.tidy;
    if (progress.apply && !p->apply.due) {
        p->apply.due = true;
        p->apply_since_ms = now_of(p);
    }
    count_drained(p, progress.changesets, progress.rows);
    if (progress.changesets == 0)
        return;
    log_debug("drained changesets=%u rows=%u us=%llu", progress.changesets, progress.rows,
              (unsigned long long)us);
    changed_here(p);
}

static void apply(struct pump *p)
{
    struct agent *a = p->agent;
    struct store_progress progress = {0};
    uint64_t start = uv_hrtime(), us;
    struct err e = {0};
    bool ready;

    if (!backup_make(&p->backup, a, &ready, &e)) {
        job_failed(p, &p->apply, "copy the database before the first change", &e);
        return;
    }
    if (!ready)
        return;
    if (!store_apply(a->store, agent_wall_ms(a), &progress, &e)) {
        job_failed(p, &p->apply, "apply", &e);
        return;
    }
    us = (uv_hrtime() - start) / 1000;
    status_note_trouble(a);
    job_succeeded(p, &p->apply, progress.changesets > 0);
    p->apply.due = progress.more || progress.again_ms > 0;
    p->apply.at_ms = now_of(p) + progress.again_ms;
    if (!progress.more || progress.changesets > 0) /* else the file is still to be written */
        p->apply_since_ms = now_of(p);
    p->drain.due |= store_owes(a->store);
    p->tidy.due |= progress.tidy;
    count_drained(p, progress.drained, progress.drained_rows);
    changed_here(p);
    if (progress.changesets == 0 && progress.rows == 0)
        return;
    members_note_applied(a, links_members(a->links));
    log_debug("applied changesets=%u rows=%u us=%llu", progress.changesets, progress.rows,
              (unsigned long long)us);
    p->worked_ms = now_of(p);
    p->times.applies++;
    p->times.apply_rows += progress.rows;
    if (us > p->times.apply_us_max)
        p->times.apply_us_max = us;
}

static void tidy(struct pump *p)
{
    struct err e = {0};
    bool more;

    if (!store_tidy(p->agent->store, &more, &e)) {
        job_failed(p, &p->tidy, "tidy", &e);
        return;
    }
    job_succeeded(p, &p->tidy, false);
    p->tidy.due = more;
    p->tidy.at_ms = now_of(p) + TIDY_PAUSE_MS;
}

/* The application must not find us in its way: after a moment of quiet, or when that does not come.
 */
static uint64_t apply_at(const struct pump *p)
{
    const struct config *c = &p->agent->config;
    uint64_t quiet = p->wrote_ms + (uint64_t)c->quiet_ms;
    uint64_t enough = p->apply_since_ms + (uint64_t)c->quiet_wait_ms;
    uint64_t gap = enough < quiet ? enough : quiet;

    if (p->wrote_ms == 0 || gap < p->apply.at_ms)
        return p->apply.at_ms;
    return gap;
}

/* ---- time ---- */

static bool is_due(const struct job *job, uint64_t at_ms, uint64_t now_ms)
{
    return job->due && at_ms <= now_ms;
}

/* What the application wrote goes first; of two that are long, each has its turn. */
static struct job *next_job(struct pump *p, uint64_t *at)
{
    bool works = p->agent->store != NULL && p->agent->in_fleet;
    uint64_t apply_ms = apply_at(p);
    bool apply_now = is_due(&p->apply, apply_ms, now_of(p));

    *at = UINT64_MAX;
    if (p->open.due) {
        *at = p->open.at_ms;
        return &p->open;
    }
    if (works && p->drain.due && !(p->drained_last && apply_now)) {
        *at = p->drain.at_ms;
        return &p->drain;
    }
    if (works && p->apply.due) {
        *at = apply_ms;
        return &p->apply;
    }
    if (works && p->match.due) {
        *at = p->match.at_ms;
        return &p->match;
    }
    if (works && p->tidy.due) {
        uint64_t quiet_ms = p->wrote_ms + TIDY_QUIET_MS;

        *at = quiet_ms > p->tidy.at_ms ? quiet_ms : p->tidy.at_ms;
        return &p->tidy;
    }
    return NULL;
}

static void turn(struct pump *p)
{
    uint64_t at;
    struct job *job = next_job(p, &at);

    if (job == NULL || at > now_of(p))
        return;
    p->drained_last = job == &p->drain;
    if (job == &p->open)
        open_store(p);
    else if (job == &p->drain)
        drain(p);
    else if (job == &p->apply)
        apply(p);
    else if (job == &p->match)
        p->match.due = false; /* it is considered after each turn */
    else
        tidy(p);
}

/* One unit of work a loop turn. */
static void on_idle(uv_idle_t *idle)
{
    struct pump *p = idle->data;

    turn(p);
    p->heard = false;
    consider_match(p);
    plan(p);
}

static void on_timer(uv_timer_t *timer)
{
    plan(timer->data);
}

static void plan(struct pump *p)
{
    uint64_t at, now = now_of(p);

    if (p->stopping)
        return;
    if ((next_job(p, &at) != NULL && at <= now) || p->heard)
        uv_idle_start(&p->idle, on_idle);
    else
        uv_idle_stop(&p->idle);
    if (at > now && at != UINT64_MAX)
        uv_timer_start(&p->timer, on_timer, at - now, 0);
    else
        uv_timer_stop(&p->timer);
}

/* ---- what others tell ---- */

void pump_changed(struct pump *p)
{
    bool again = p->drained_at_ms == now_of(p);

    p->wrote_ms = p->drained_at_ms = now_of(p);
    p->drain.due = true;
    /* The commit itself waits for us to read it: no turn of the loop in between. But one that comes
     * behind another waits for the turn: peers and people have theirs. */
    if (!again && !p->stopping && p->agent->store != NULL && p->agent->in_fleet &&
        p->drain.failures == 0 && !p->open.due)
        drain(p);
    plan(p);
}

void pump_was_large(struct pump *p)
{
    p->was_large = true;
}

void pump_staged(struct pump *p)
{
    if (!p->apply.due)
        p->apply_since_ms = now_of(p);
    p->apply.due = true;
    if (p->apply.failures == 0)
        p->apply.at_ms = 0; /* it may be due later, for rows that were refused */
    plan(p);
}

void pump_poke(struct pump *p)
{
    p->drain.due = true;
    pump_staged(p);
}

/* In a turn of its own: matching ends the conversations, this one too. */
void pump_heard(struct pump *p)
{
    if (p->agent->store == NULL || store_state(p->agent->store) == STORE_READY)
        return;
    p->heard = true;
    plan(p);
}

static void rest(struct pump *p)
{
    uint64_t rows = p->times.drain_rows + p->times.apply_rows;

    if ((rows - p->rows_at_rest < REST_ROWS && !p->was_large) || !pump_is_idle(p) ||
        now_of(p) - p->worked_ms < REST_MS)
        return;
    p->rows_at_rest = rows;
    p->was_large = false;
    store_rest(p->agent->store);
    memory_give_back();
}

void pump_tick(struct pump *p)
{
    struct agent *a = p->agent;
    struct store_status status;
    struct err e = {0};

    if (a->store == NULL || p->stopping)
        return;
    p->drain.due |= store_owes(a->store);
    consider_match(p);
    if (a->in_fleet && store_state(a->store) == STORE_MATCHING)
        newcomer_warn(&p->newcomer, a);
    p->apply.due |= a->in_fleet && absent_tick(&p->absent, a);
    if (a->in_fleet && ahead_tick(&p->ahead, a)) {
        p->apply.due = true;
        changed_here(p);
    }
    rest(p);
    if (now_of(p) - p->parked_ms >= PARKED_RETRY_MS) {
        p->parked_ms = now_of(p);
        if (store_status(a->store, &status, &e) && status.parked > 0)
            p->apply.due = true;
    }
    plan(p);
}

bool pump_is_idle(const struct pump *p)
{
    return !p->open.due && !p->drain.due && !p->apply.due;
}

const struct pump_times *pump_times(const struct pump *p)
{
    return &p->times;
}

/* ---- start and end ---- */

/* Of this thread, as far as it has used one. */
static uint64_t processor_us(void)
{
    struct timespec t = {0};

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Once in each turn of the loop. (libuv's own measure of how long it waits costs a loop that is
 * flooded turns in which it hears nobody.) */
static void on_turned(uv_prepare_t *turned)
{
    struct pump *p = turned->data;
    uint64_t now = processor_us();

    if (p->turned_us != 0 && now - p->turned_us > p->times.turn_us_max)
        p->times.turn_us_max = now - p->turned_us;
    p->turned_us = now;
}

struct pump *pump_start(struct agent *a)
{
    struct pump *p = mem_alloc(sizeof *p);

    p->agent = a;
    uv_prepare_init(a->loop, &p->turned);
    p->turned.data = p;
    uv_prepare_start(&p->turned, on_turned);
    uv_timer_init(a->loop, &p->timer);
    uv_idle_init(a->loop, &p->idle);
    p->timer.data = p->idle.data = p;
    p->handles = 3;
    p->open.due = true;
    plan(p);
    return p;
}

static void release(uv_handle_t *handle)
{
    struct pump *p = handle->data;

    if (--p->handles > 0)
        return;
    newcomer_close(&p->newcomer);
    free(p);
}

void pump_stop(struct pump *p)
{
    if (p == NULL || p->stopping)
        return;
    p->stopping = true;
    uv_close((uv_handle_t *)&p->timer, release);
    uv_close((uv_handle_t *)&p->idle, release);
    uv_close((uv_handle_t *)&p->turned, release);
}
