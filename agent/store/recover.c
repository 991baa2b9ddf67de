/* Recover: compare where the two files stand (DESIGN.md section 8) and bring them together.
 *
 *     in step   the file's token is the ledger's, and the last mark drained is in it
 *     ahead     the file holds one batch more, whose `previous` is our token: the ledger follows
 *               from its payload
 *     behind    the file's token is an older one of ours, or marks that were drained are gone:
 *               power loss, or a copy put back (behind.c)
 *     foreign   none of these: another file, or the ledger itself went back */
#include <string.h>

#include <sqlite3.h>

#include "ledger_meta.h"
#include "placed.h"

/* ---- foreign ---- */

/* What comes from now on may be another history, of a PC that went back as well, than the one that
 * the file held under the same numbers (regain.c). */
static bool note_known(struct ledger *l, struct err *e)
{
    struct value v = {.type = VALUE_BLOB};
    struct vector known = {0};
    struct buf bytes;
    struct writer w = {&bytes};
    bool ok;

    buf_open(&bytes, HEADER_BYTES_MAX);
    for (uint32_t i = 0; i < l->actor_count; i++)
        if (l->actors[i].staged > 0)
            vector_set(&known, &l->actors[i].actor, l->actors[i].staged, NULL);
    vector_write(&w, &known);
    v.bytes = buf_slice(&bytes);
    ok = ledger_meta_set(l, "known", &v, e);
    vector_close(&known);
    buf_close(&bytes);
    return ok;
}

/* No row of the ledger is in the file any more, as far as we know: all are to be matched. (One that
 * nobody has heard of stands there again if the file is put back that it was in: behind.c.) */
static bool forget_rows(struct store *s, struct err *e)
{
    struct ledger *l = &s->ledger;
    sqlite3_stmt *q;
    bool ok;

    if (l->matched && !note_known(l, e))
        return false;
    q = ledger_prepare(l, "UPDATE row SET present = 0, shadow = NULL WHERE present = 1", e);
    ok = q != NULL &&
         (sqlite3_step(q) == SQLITE_DONE || ledger_err(l, "begin anew with this file", e));
    sqlite3_finalize(q);
    if (!ok)
        return false;
    l->live = 0;
    for (uint32_t i = 0; i < l->table_count; i++) {
        l->tables[i].scan = SCAN_MATCH;
        if (!ledger_table_save(l, &l->tables[i], e))
            return false;
    }
    l->matched = s->roster->site_count <= 1;
    return true;
}

/* The ledger knows nothing of what is in this file: its rows are matched anew. */
static bool detach(struct store *s, const struct app_state *state, bool reincarnate, struct err *e)
{
    struct ledger *l = &s->ledger;
    bool ok = ledger_begin(l, false, e) && forget_rows(s, e) &&
              (!reincarnate || ledger_reincarnate(l, &s->keys->site, e));

    if (ok) {
        l->batch = state->found ? state->batch : 0;
        memset(l->token, 0, sizeof l->token);
        if (state->found)
            memcpy(l->token, state->token, sizeof l->token);
        l->cursor = l->looked = 0;
        l->cursor_time = 0;
        ok = (!state->found || marks_last(&s->app, &l->cursor, &l->cursor_time, e)) &&
             ledger_point_of(l, 0, 0, e) && ledger_commit(l, e);
    }
    if (!ok)
        ledger_rollback(l);
    return ok;
}

bool recover_forgotten(struct store *s, struct err *e)
{
    trouble_notice(&s->trouble, STORE_HOME_WENT_BACK);
    trouble_heals(
        &s->trouble,
        "this PC's own history went back to an older state (a copy of the agent's home was "
        "put back): its rows are compared with another PC's before anything is sent");
    return forget_rows(s, e) && ledger_reincarnate(&s->ledger, &s->keys->site, e);
}

/* ---- which case ---- */

static bool marks_fit(struct store *s, bool *fit, struct err *e)
{
    const struct ledger *l = &s->ledger;
    double time = 0;
    bool found = true;

    if (l->cursor != 0 && !marks_time(&s->app, l->cursor, &time, &found, e))
        return false;
    *fit = l->cursor == 0 || (found && time == l->cursor_time);
    if (!*fit || l->looked <= l->cursor)
        return true;
    if (!marks_time(&s->app, l->looked, &time, &found, e))
        return false;
    *fit = found && time == l->looked_time;
    return true;
}

static bool is_zero(const uint8_t *token)
{
    static const uint8_t zero[16];

    return memcmp(token, zero, sizeof zero) == 0;
}

/* Has the file been told of an actor of ours, or of change-sets of the present one or marks
 * drained, that the ledger does not know? (The chain of an earlier one may have been cut: fork.h.)
 */
static bool went_back(const struct store *s, const struct app_state *state, int64_t mark_max)
{
    const struct ledger *l = &s->ledger;
    struct err damaged = {0}; /* then it tells nothing; who needs it says so (regain.c) */
    struct placed_point p = {0};
    struct site_id site;
    uint32_t id;
    bool back = state->point.n > 0 && state->fleet_known &&
                memcmp(state->fleet, s->roster->fleet, sizeof state->fleet) == 0 &&
                placed_point_read(&p, buf_slice(&state->point), &damaged);

    id = back ? ledger_actor_find(l, &p.actor) : 0;
    if (id != 0)
        back = id == l->self && (p.number > l->actors[id - 1].staged || p.mark > mark_max);
    site = actor_site(&p.actor);
    back &= site_equal(&site, &s->keys->site);
    placed_point_close(&p);
    return back;
}

/* The ledger has let go of its file. May this be one that it knows, which was put back since? One
 * that says of us more than the ledger knows is what it let go of. */
static bool may_be_known(struct store *s, const struct app_state *state, bool *may, struct err *e)
{
    const struct ledger *l = &s->ledger;
    struct err damaged = {0};
    struct placed_point p = {0};
    int64_t mark_max;
    uint32_t id;

    if (!ledger_number(&s->ledger, "SELECT max(mark) FROM point WHERE actor <> 0", &mark_max, e))
        return false;
    *may = true;
    if (state->point.n > 0) {
        *may = placed_point_read(&p, buf_slice(&state->point), &damaged);
        id = *may ? ledger_actor_find(l, &p.actor) : 0;
        *may = id != 0 && ledger_is_ours(l, id) && p.number <= l->actors[id - 1].staged &&
               p.mark <= mark_max;
    }
    placed_point_close(&p);
    return true;
}

/* Does the file know what it was told last? A power cut may have taken that back. */
static bool was_told(const struct store *s, const struct app_state *state)
{
    struct err damaged = {0}; /* then it is told again */
    struct placed_point p = {0};
    bool told = placed_point_read(&p, buf_slice(&state->point), &damaged) &&
                p.telling == s->ledger.tellings;

    placed_point_close(&p);
    return told;
}

static const char forgotten[] =
    "the database is not the one this agent knows, or the agent's own files "
    "went back: rows are compared with another PC's before anything is sent";

/* The file holds one batch more than the ledger, which can follow. */
static bool is_ahead(const struct store *s, const struct app_state *state)
{
    const struct ledger *l = &s->ledger;

    return memcmp(state->token, l->token, sizeof l->token) != 0 &&
           memcmp(state->previous, l->token, sizeof l->token) == 0 &&
           state->batch == l->batch + 1 && follow_possible(s, state);
}

bool recover_is_ahead(struct store *s, bool *ahead, struct err *e)
{
    struct app_state state = {0};
    bool ok = !s->app.installed || app_state_read(&s->app, &state, e);

    *ahead = ok && state.found && !is_zero(s->ledger.token) && is_ahead(s, &state);
    app_state_close(&state);
    return ok;
}

static bool decide(struct store *s, const struct app_state *state, uint64_t now_ms, struct err *e)
{
    struct ledger *l = &s->ledger;
    int64_t mark_max;
    bool fit = false, fits, known = false;

    if (!state->found) { /* nothing of ours in the file */
        if (is_zero(l->token))
            return true;
        trouble_heals(
            &s->trouble,
            "nothing captures the application's writes any more (capture was removed, or a "
            "copy from before was put back): `agent-cli track --all`");
        return detach(s, state, false, e);
    }
    if (is_zero(l->token)) /* the first time */
        return detach(s, state, false, e);
    if (!ledger_number(l, "SELECT max(mark) FROM point", &mark_max, e))
        return false;
    if (mark_max < l->cursor)
        mark_max = l->cursor;
    if (l->matched && went_back(s, state, mark_max)) {
        trouble_heals(&s->trouble, forgotten);
        trouble_notice(&s->trouble, STORE_HOME_WENT_BACK);
        return detach(s, state, true, e);
    }
    if (is_ahead(s, state) && (!follow(s, state, now_ms, e) || !bind_schema(s, false, e)))
        return false;
    if (memcmp(state->token, l->token, sizeof l->token) == 0) {
        if (!marks_fit(s, &fit, e))
            return false;
        if (fit && !l->matched && !may_be_known(s, state, &known, e))
            return false;
        if (fit && !known) {
            l->told &= was_told(s, state);
            return true;
        }
    }
    fits = fit && known;
    if (!behind(s, state, now_ms, &known, e))
        return false;
    if (!known && fits) /* it still waits to be matched */
        return true;
    if (known) {
        trouble_notice(&s->trouble, STORE_DATABASE_WENT_BACK);
        trouble_heals(
            &s->trouble,
            "the database had gone back to an older state (power cut or a restored copy); "
            "what was missing is put back");
        return true;
    }
    if (state->fleet_known && memcmp(state->fleet, s->roster->fleet, sizeof state->fleet) != 0)
        return err_set(
            e, ERR_REFUSED,
            "%s is the database of another Navette fleet, in the place of this PC's: put "
            "this PC's own back. If this one is to stay, with its rows for all: stop the "
            "agent, `agent-cli uninstall --db %s`, `agent-cli track --all`",
            s->app.path, s->app.path);
    if (!l->matched)
        return detach(s, state, false, e);
    trouble_heals(&s->trouble, forgotten);
    trouble_notice(&s->trouble, STORE_HOME_WENT_BACK);
    return detach(s, state, true, e);
}

bool recover_in_step(struct store *s, struct err *e)
{
    uint8_t token[APP_TOKEN_BYTES];
    bool fit;

    if (!appdb_same_schema(&s->app, e))
        return false;
    if (!s->app.installed)
        return true;
    if (!app_token_read(&s->app, token, e) || !marks_fit(s, &fit, e))
        return false;
    if (fit && memcmp(token, s->ledger.token, sizeof token) == 0)
        return true;
    s->astray = true;
    return err_set(e, ERR_BUSY, "the database has been put back or replaced");
}

bool recover_read(struct store *s, struct err *e)
{
    if (!appdb_read(&s->app, e))
        return false;
    if (recover_in_step(s, e))
        return true;
    appdb_end(&s->app);
    return false;
}

bool recover_look(struct store *s, struct err *e)
{
    if (!recover_read(s, e))
        return false;
    if (marks_last(&s->app, &s->ledger.looked, &s->ledger.looked_time, e))
        return true;
    appdb_end(&s->app);
    return false;
}

bool recover(struct store *s, uint64_t now_ms, struct err *e)
{
    struct app_state state = {0};
    double time;
    bool ok = marks_last(&s->app, &s->opened_mark, &time, e) &&
              (!s->app.installed || app_state_read(&s->app, &state, e)) &&
              decide(s, &state, now_ms, e);

    s->astray = !ok; /* what was begun must be finished first */
    app_state_close(&state);
    ledger_rest(&s->ledger);
    return ok;
}
