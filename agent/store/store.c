/* The public face of the store: <navette/store.h>. */
#include <navette/store.h>

#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "again.h"
#include "belief.h"
#include "drain.h"
#include "fork.h"
#include "ledger_lasting.h"
#include "ledger_meta.h"
#include "merge.h"
#include "migration.h"
#include "owe.h"
#include "placed.h"
#include "remerge.h"
#include "rename.h"
#include "said.h"
#include "scan.h"

#define LARGE_ROWS 5000 /* a batch after which the page caches are given back */

static bool look_for_repairs(struct store *s, struct err *e)
{
    int64_t any;

    if (!ledger_number(&s->ledger, "SELECT EXISTS(SELECT 1 FROM repair)", &any, e))
        return false;
    s->repairs = any != 0;
    return true;
}

static bool take_roster(struct store *s)
{
    s->ledger.roster = s->roster;
    ledger_believe(&s->ledger);
    return true;
}

bool store_open(struct store **out, const struct store_options *o, uint64_t now_ms, struct err *e)
{
    struct store *s = mem_alloc(sizeof *s);

    /* One thread uses SQLite. Where somebody started the library already this changes nothing. */
    sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    *out = s;
    s->keys = o->keys;
    s->roster = o->roster;
    s->renamed = true; /* it looks once */
    s->body_soft = BODY_BYTES_SOFT;
    s->body_full = BODY_BYTES_FULL;
    s->batch_rows = BATCH_ROWS;
    s->scan_steps = SCAN_STEPS;
    s->batch_bytes = BATCH_BYTES;
    s->row_bytes = ROW_BYTES_MAX;
    s->record_bytes = RECORD_BYTES_MAX;
    s->remerge_slice = REMERGE_SLICE;
    s->drain_slice = DRAIN_SLICE;
    if (appdb_connect(&s->app, o->database, o->vfs, e) &&
        (sqlite3_exec(s->app.db, "PRAGMA cache_size = -65536", NULL, NULL, NULL) == SQLITE_OK ||
         sqlite_err(s->app.db, "set the cache", e)) &&
        ledger_open(&s->ledger, o->home, o->vfs, o->exclusive, o->roster->fleet, &o->keys->site,
                    o->roster->site_count <= 1, e) &&
        take_roster(s) && bind_schema(s, true, e) && recover(s, now_ms, e) && merge_reload(s, e) &&
        look_for_repairs(s, e) && unsent_open(s, e))
        return true;
    store_close(s);
    *out = NULL;
    return false;
}

/* A large cut fills the page caches; an idle agent stays small. */
static void release_memory(struct store *s, const struct store_progress *p)
{
    if (p->rows >= LARGE_ROWS)
        store_rest(s);
}

void store_close(struct store *s)
{
    struct err e = {0};

    if (s == NULL)
        return;
    bind_close(s);
    remerge_drop(s);
    if (!settings_flush(s, &e))
        err_clear(&e); /* as after a crash */
    settings_close(&s->settings);
    ledger_close(&s->ledger);
    appdb_close(&s->app);
    due_clear(s);
    free(s->merged);
    free(s->due.rows);
    free(s->held);
    free(s->united);
    replaced_close(&s->replaced);
    migration_close(&s->migration);
    said_close(&s->said);
    trouble_close(&s->trouble);
    unsent_close(s);
    again_close(s);
    vector_close(&s->early);
    uncorrected_close(&s->uncorrected);
    free(s);
}

enum store_state store_state(const struct store *s)
{
    return s->ledger.matched ? STORE_READY : STORE_MATCHING;
}

/* Before anything else: the ledger's half of a batch that the file has already, or whatever else
 * keeps the two files apart. Then what is under way there (remerge.h) may still be. Settings that
 * waited for what is under way no more go first; if they cannot be written they wait on, and what
 * has to be written says what is wrong. */
static bool ready(struct store *s, uint64_t now_ms, struct err *e)
{
    if (remerge_is_under_way(s))
        return now_ms != 0 ? remerge_step(s, now_ms, e) : remerge_busy(e);
    if (s->ledger.lasting == NULL && !settings_flush(s, e))
        err_clear(e);
    return bind_schema(s, s->bindings == NULL, e) &&
           (!s->astray || (recover(s, now_ms, e) && merge_reload(s, e))) && fork_settle_now(s, e) &&
           remerge_if_due(s, now_ms, e);
}

/* Is there anything to put away? */
static bool is_swollen(const struct store *s)
{
    return s->ledger.swollen || s->ledger.copied || s->app.swollen;
}

/* The same; what takes long has a call to itself. */
static bool do_apart(struct store *s, uint64_t now_ms, bool *did, struct err *e)
{
    *did = ledger_shrink(&s->ledger) || appdb_shrink(&s->app);
    if (*did)
        return true;
    *did = s->half;
    s->half = false;
    if (!ready(s, now_ms, e))
        return false;
    *did |= remerge_is_under_way(s);
    return true;
}

/* ---- tables ---- */

static bool count_rows(struct store *s, const char *name, int64_t *rows, struct err *e)
{
    char *sql = sqlite3_mprintf("SELECT count(*) FROM main.\"%w\"", name);
    sqlite3_stmt *q = NULL;
    bool ok = sqlite3_prepare_v2(s->app.db, sql, -1, &q, NULL) == SQLITE_OK &&
              sqlite3_step(q) == SQLITE_ROW;

    if (ok)
        *rows = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_free(sql);
    return ok || sqlite_err(s->app.db, name, e);
}

bool store_tables(struct store *s, struct store_tables *out, struct err *e)
{
    *out = (struct store_tables){0};
    if (!bind_schema(s, false, e))
        return false;
    out->tables = mem_alloc((s->app.schema.n + s->app.schema.gone_count + 1) * sizeof *out->tables);
    for (uint32_t i = 0; i < s->app.schema.n; i++) {
        const struct app_table *t = &s->app.schema.tables[i];
        struct store_table *to = &out->tables[out->n++];

        to->name = mem_text(t->name);
        to->tracked = t->number != 0 && t->refused == NULL;
        to->local = t->local;
        to->refused = t->refused == NULL ? NULL : mem_text(t->refused);
        if (t->refused == NULL && !count_rows(s, t->name, &to->rows, e)) {
            store_tables_close(out);
            return false;
        }
    }
    for (uint32_t i = 0; i < s->app.schema.gone_count; i++) {
        struct store_table *to = &out->tables[out->n++];

        to->name = mem_text(s->app.schema.gone[i]);
        to->gone = true;
        to->refused = mem_text("it was shared, and is not in the database any more; `agent-cli "
                               "untrack` takes it off this list");
    }
    return true;
}

void store_tables_close(struct store_tables *t)
{
    for (uint32_t i = 0; i < t->n; i++) {
        free(t->tables[i].name);
        free(t->tables[i].refused);
    }
    free(t->tables);
    *t = (struct store_tables){0};
}

/* Note in the ledger, before the triggers are there, that the table is to be compared: a crash in
 * between then costs nothing. */
static bool intend_scan(struct store *s, const char *name, struct err *e)
{
    struct ledger_table *t;
    sqlite3_stmt *q;
    int code;

    if (!ledger_table(&s->ledger, slice_text(name), &t, e))
        return false;
    q = ledger_prepare(&s->ledger,
                       "SELECT EXISTS(SELECT 1 FROM row WHERE tbl = ?1 AND present = 1)", e);
    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, t->id);
    code = sqlite3_step(q);
    t->scan = code == SQLITE_ROW && sqlite3_column_int(q, 0) != 0 ? SCAN_RECONCILE : SCAN_MATCH;
    sqlite3_finalize(q);
    return code == SQLITE_ROW ? ledger_table_save(&s->ledger, t, e)
                              : ledger_err(&s->ledger, "track", e);
}

/* After an installation or removal: it read the schema again, also where it failed, and what was
 * bound to the old one is gone. */
static bool bind_again(struct store *s, bool done, struct err *e)
{
    if (done)
        return bind_schema(s, true, e);
    if (s->bound != s->app.reads)
        bind_close(s);
    return false;
}

/* Names of tables that can be tracked and are not; the caller frees them. `news`: without those
 * that a person has untracked. */
static bool list_untracked(struct store *s, bool news, char **names, uint32_t *n, struct err *e)
{
    for (uint32_t i = 0; i < s->app.schema.n; i++) {
        const struct app_table *t = &s->app.schema.tables[i];
        bool out = false;

        if (t->refused != NULL || t->number != 0 || t->local)
            continue;
        if (news && !ledger_flag_get(&s->ledger, "untracked", t->name, &out, e))
            return false;
        if (!out)
            names[(*n)++] = mem_text(t->name);
    }
    return true;
}

static bool list_named(struct store *s, const char *const *wanted, uint32_t count, char **names,
                       uint32_t *n, struct err *e)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct app_table *t = appdb_table(&s->app, wanted[i]);

        if (t == NULL)
            return err_set(e, ERR_REFUSED, "%s has no table %s; see `agent-cli tables`",
                           s->app.path, wanted[i]);
        if (t->refused != NULL)
            return err_set(e, ERR_REFUSED, "table %s cannot be tracked: %s", t->name, t->refused);
        if (t->local)
            return err_set(e, ERR_REFUSED,
                           "table %s is local by rule; `agent-cli rules unset` takes that back",
                           t->name);
        if (t->number == 0)
            names[(*n)++] = mem_text(t->name);
    }
    return true;
}

static bool track(struct store *s, char *const *names, uint32_t n, bool all, struct err *e)
{
    bool ok = ledger_begin(&s->ledger, false, e) &&
              (!all || ledger_flag_set(&s->ledger, "track", "all", true, e));

    s->ledger.told = false; /* tables get numbers, maybe such as others had */
    for (uint32_t i = 0; ok && i < n; i++)
        ok = intend_scan(s, names[i], e) &&
             ledger_flag_set(&s->ledger, "untracked", names[i], false, e);
    ok = ok && ledger_commit(&s->ledger, e);
    if (!ok)
        ledger_rollback(&s->ledger);
    return ok && (n == 0 ||
                  (bind_again(s, capture_install(&s->app, (const char *const *)names, n, e), e) &&
                   recover(s, 0, e)));
}

bool store_track(struct store *s, const char *const *names, uint32_t n, struct err *e)
{
    char **list;
    uint32_t count = 0;
    bool ok;

    if (!ready(s, 0, e))
        return false;
    list = mem_alloc((s->app.schema.n + n + 1) * sizeof *list);
    ok = n == 0 ? list_untracked(s, false, list, &count, e)
                : list_named(s, names, n, list, &count, e);
    ok = ok && track(s, list, count, n == 0, e);
    for (uint32_t i = 0; i < count; i++)
        free(list[i]);
    free(list);
    return ok;
}

/* Where all tables were to be tracked, those that a migration has brought since are too. */
static bool track_news(struct store *s, struct err *e)
{
    char **list;
    uint32_t count = 0;
    bool all, ok;

    if (!bind_schema(s, s->bindings == NULL, e))
        return false;
    if (!s->app.installed || s->looked == s->app.reads)
        return true;
    if (!ledger_flag_get(&s->ledger, "track", "all", &all, e))
        return false;
    s->looked = s->app.reads;
    list = mem_alloc((s->app.schema.n + 1) * sizeof *list);
    ok = !all || list_untracked(s, true, list, &count, e);
    if (ok && count > 0) {
        ok = track(s, list, count, false, e);
        s->vanished |= ok; /* there is something to say */
        s->looked = ok ? s->app.reads : 0;
    }
    for (uint32_t i = 0; i < count; i++)
        free(list[i]);
    free(list);
    return ok;
}

static bool note_untracked(struct store *s, const char *const *names, uint32_t n, struct err *e)
{
    bool ok = ledger_begin(&s->ledger, false, e);

    for (uint32_t i = 0; ok && i < n; i++) {
        const struct app_table *t = appdb_table(&s->app, names[i]);

        ok = ledger_flag_set(&s->ledger, "untracked", t != NULL ? t->name : names[i], true, e);
    }
    ok = ok && ledger_commit(&s->ledger, e);
    if (!ok)
        ledger_rollback(&s->ledger);
    return ok;
}

/* Or was, when it went. */
static bool is_tracked(struct store *s, const char *name)
{
    const struct app_table *t = appdb_table(&s->app, name);
    bool gone = false;

    for (uint32_t i = 0; i < s->app.schema.gone_count; i++)
        gone |= sqlite3_stricmp(s->app.schema.gone[i], name) == 0;
    return gone || (t != NULL && t->number != 0);
}

bool store_untrack(struct store *s, const char *const *names, uint32_t n, uint64_t now_ms,
                   struct err *e)
{
    struct store_progress p = {.more = true};

    if (n == 0)
        return err_set(e, ERR_USAGE, "say which tables to untrack");
    for (uint32_t i = 0; i < n; i++)
        if (!is_tracked(s, names[i]))
            return err_set(e, ERR_REFUSED, "table %s is not tracked; see `agent-cli tables`",
                           names[i]);
    while (p.more && store_state(s) == STORE_READY) {
        p = (struct store_progress){0};
        if (!store_drain(s, now_ms, &p, e))
            return false;
    }
    return note_untracked(s, names, n, e) && rename_forget(s, names, n, e) &&
           bind_again(s, capture_remove(&s->app, names, n, e), e);
}

bool store_uninstall(struct store *s, struct err *e)
{
    return bind_again(s, capture_uninstall(&s->app, e), e) && recover(s, 0, e);
}

/* ---- capture ---- */

bool store_owes(const struct store *s)
{
    return s->repairs || s->owes || s->vanished || s->ledger.outdated;
}

bool store_changed(struct store *s, bool *changed, struct err *e)
{
    return appdb_changed(&s->app, changed, e);
}

static bool may_retry(struct store *s, uint64_t now_ms, bool *may, struct err *e)
{
    int64_t parked = 0;
    uint64_t pause_ms;

    if (project_retry_due(s, now_ms, &pause_ms) && pause_ms == 0 &&
        !ledger_number(&s->ledger, "SELECT EXISTS(SELECT 1 FROM due WHERE why IS NOT NULL)",
                       &parked, e))
        return false;
    *may = parked > 0;
    return true;
}

/* A copy of another PC's file, from which marks were drained here: until it says so, who began with
 * a copy of it in turn would say them again (regain.c), and nothing of it is told. The till may
 * have to wait for a write: when it is quiet. */
static bool make_ours(struct store *s, struct store_progress *p, struct err *e)
{
    if (!s->ledger.foreign || s->merged_count > 0)
        return true;
    if (!placed_tell(s, e))
        return false;
    p->changesets++; /* what was said before may be given away only now */
    return true;
}

bool store_drain(struct store *s, uint64_t now_ms, struct store_progress *p, struct err *e)
{
    bool did = false;

    *p = (struct store_progress){0};
    if (!do_apart(s, now_ms, &p->more, e))
        return false;
    if (p->more || !s->app.installed || !s->ledger.matched)
        return true;
    if (!match(s, false, false, now_ms, &did, e) || !drain(s, now_ms, p, e))
        return false;
    release_memory(s, p);
    p->tidy = s->looked != s->app.reads;
    if (p->more)
        return true;
    if (!owe_pay(s, now_ms, p, e) || !repair_publish(s, now_ms, p, e) ||
        !rename_announce(s, now_ms, p, e))
        return false;
    if (!scan_reconcile(s, now_ms, &did, p, e))
        return false;
    s->vanished &= did;
    if ((!did && !scan_publish(s, now_ms, &did, p, e)) || (!did && !bind_local(s, &did, e)))
        return false;
    if (!did && !migration_rest(s, e))
        return false;
    p->more = did || is_swollen(s);
    p->apply = s->due_open || migration_moved(s) || s->ledger.foreign || fork_may_come(s);
    /* What was just written may have made room for a row that the file refused. */
    return p->apply || may_retry(s, now_ms, &p->apply, e);
}

void store_rest(struct store *s)
{
    sqlite3_db_release_memory(s->ledger.db);
    sqlite3_db_release_memory(s->app.db);
}

/* ---- apply ---- */

/* A joiner whose rows are not matched yet only keeps the logical state; the match decides what is
 * due. */
static bool settle_unprojected(struct store *s, struct err *e)
{
    bool ok;

    if (s->merged_count == 0)
        return true;
    ok = ledger_begin(&s->ledger, true, e);
    for (uint32_t i = 0; ok && i < s->merged_count; i++) {
        struct merged_changeset *m = &s->merged[i];

        s->ledger.actors[m->actor - 1].applied = m->number;
        ok = ledger_actor_save(&s->ledger, m->actor, e);
    }
    ok = ok && ledger_commit(&s->ledger, e);
    if (!ok) {
        ledger_rollback(&s->ledger);
        return false;
    }
    due_clear(s);
    return true;
}

static bool is_behind_marks(struct store *s, const struct err *e)
{
    int64_t last;
    double time;
    struct err other = {0};

    return e->code == ERR_BUSY && s->ledger.matched && marks_last(&s->app, &last, &time, &other) &&
           last > s->ledger.cursor;
}

bool store_tidy(struct store *s, bool *more, struct err *e)
{
    int64_t first;
    bool ok, many, due;

    *more = false;
    if (s->astray || s->ledger.lasting != NULL)
        return true; /* recovery first: it compares marks */
    if (!marks_first(&s->app, &first, e))
        return false;
    if (s->ledger.matched && (!track_news(s, e) || (s->swept != s->ledger.cursor && !sweep(s, e))))
        return false;
    many = first != 0 && s->ledger.cursor - first >= MARKS_PURGED_MAX;
    if (!s->ledger.matched || !s->app.installed || s->merged_count > 0)
        return true;
    if (!placed_is_due(s, &due, e))
        return false;
    if (!many && !due)
        return true;
    ok = placed_tell(s, e);
    *more = many && ok && s->ledger.cursor - first >= (int64_t)2 * MARKS_PURGED_MAX;
    return ok;
}

/* What the application wrote comes first. */
static bool drain_before(struct store *s, uint64_t now_ms, struct store_progress *p, struct err *e)
{
    struct store_progress drained = {0};

    if (!store_drain(s, now_ms, &drained, e))
        return false;
    p->drained += drained.changesets;
    p->drained_rows += drained.rows;
    p->tidy |= drained.tidy;
    p->more = drained.more;
    return true;
}

static bool apply(struct store *s, uint64_t now_ms, struct store_progress *p, struct err *e)
{
    uint64_t pause_ms;
    bool parked, projects, full;

    *p = (struct store_progress){0};
    if (!do_apart(s, now_ms, &p->more, e))
        return false;
    if (p->more)
        return true;
    if (drain_is_under_way(s)) {
        if (!drain_before(s, now_ms, p, e))
            return false;
        p->more = true;
        return true;
    }
    projects = s->ledger.matched && s->app.installed;
    if (projects && !make_ours(s, p, e))
        return false;
    full = !projects || merge_is_full(s);
    p->more = projects && full && s->ledger.unsynced; /* what takes long has a call to itself */
    if (p->more)
        return ledger_sync(&s->ledger, e);
    if (!merge_ready(s, now_ms, projects, e))
        return false;
    p->more = !full && merge_is_full(s);
    if (p->more)
        return true;
    if (!s->ledger.matched) {
        p->changesets = s->merged_count;
        if (!settle_unprojected(s, e))
            return false;
        p->more = p->changesets > 0 && merge_pending(s);
        return true;
    }
    if (!projects)
        return settle_unprojected(s, e);
    if (!project(s, now_ms, p, e)) {
        /* Drained first; then once more. */
        if (!is_behind_marks(s, e))
            return false;
        err_clear(e);
        if (!drain_before(s, now_ms, p, e))
            return false;
        if (p->more)
            return true;
        if (!project(s, now_ms, p, e))
            return false;
    }
    release_memory(s, p);
    parked = project_retry_due(s, now_ms, &pause_ms);
    p->more = s->due_open || s->half || s->ledger.foreign || is_swollen(s) ||
              (p->changesets > 0 && merge_pending(s)) || (parked && pause_ms == 0);
    p->again_ms = parked && !p->more ? pause_ms : 0;
    if (trouble_is_healing(&s->trouble) && !p->more && !fork_is_open(s))
        trouble_healed(&s->trouble);
    return true;
}

bool store_apply(struct store *s, uint64_t now_ms, struct store_progress *p, struct err *e)
{
    if (!apply(s, now_ms, p, e))
        return false;
    fork_come_again(s);
    return true;
}

bool store_match(struct store *s, bool copy, const struct slice *keys, uint32_t n, uint64_t now_ms,
                 struct err *e)
{
    bool did;

    if (!ready(s, now_ms, e))
        return false;
    if (remerge_is_under_way(s))
        return remerge_busy(e);
    said_close(&s->said);
    if (s->ledger.matched)
        return true;
    if (!regain(s, now_ms, &did, e))
        return false;
    return did ||
           (keys_settle(s, keys, n, copy, now_ms, e) && match(s, true, copy, now_ms, &did, e));
}

bool store_match_lacks(struct store *s, bool *lacks, struct err *e)
{
    *lacks = false;
    return s->ledger.matched || (ready(s, 0, e) && regain_lacks(s, lacks, e));
}

/* ---- how it is ---- */

bool store_status(struct store *s, struct store_status *out, struct err *e)
{
    int64_t last, minted;
    double time;

    *out = (struct store_status){.rows = s->ledger.live};
    snprintf(out->journal_mode, sizeof out->journal_mode, "%s", s->app.journal_mode);
    snprintf(out->trouble, sizeof out->trouble, "%s", trouble_text(s));
    if (!unsent_look(s, e))
        return false;
    snprintf(out->unsent, sizeof out->unsent, "%s", s->unsent.text);
    out->tracked_tables = s->binding_count;
    trouble_tables(s, out);
    for (uint32_t i = 0; i < s->ledger.actor_count; i++)
        out->staged += (int64_t)(s->ledger.actors[i].staged - s->ledger.actors[i].applied);
    if (s->app.installed) {
        if (!marks_last(&s->app, &last, &time, e))
            return false;
        out->marks = last > s->ledger.cursor ? last - s->ledger.cursor : 0;
    }
    for (uint32_t i = 0; i < s->binding_count; i++)
        out->unscanned += s->ledger.tables[s->bindings[i].table - 1].scan != SCAN_NONE;
    out->conflicts = s->ledger.conflicts.n;
    out->conflicts_dropped = s->ledger.conflicts.dropped;
    if (!ledger_number(&s->ledger,
                       "SELECT count(*) FROM row WHERE rec IS NULL AND shadow IS NULL"
                       " AND present = 1",
                       &minted, e) ||
        !ledger_number(&s->ledger, "SELECT count(*) FROM due WHERE why IS NOT NULL AND kept = 0",
                       &out->parked, e) ||
        !ledger_number(&s->ledger, "SELECT count(*) FROM due WHERE kept = 1", &out->kept, e))
        return false;
    out->unscanned += minted;
    return true;
}

const char *store_trouble(const struct store *s)
{
    return trouble_text(s);
}
