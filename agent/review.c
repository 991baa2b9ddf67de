#include "review.h"

#include <json-c/json.h>

#include <navette/conflicts.h>
#include <navette/date.h>
#include <navette/waits.h>

#include "request.h"

#define LISTED_BYTES_MAX 200     /* of one value, in the list */
#define SHOWN_BYTES_MAX  262144u /* alone: three of them fit into an answer, whatever is escaped */

bool review_is_request(const struct request *r)
{
    return r->kind == REQUEST_CONFLICTS || r->kind == REQUEST_CONFLICT_RESTORE ||
           r->kind == REQUEST_CONFLICT_DISMISS || r->kind == REQUEST_CONFLICT_MERGE ||
           r->kind == REQUEST_PARKED || r->kind == REQUEST_PARKED_ACCEPT;
}

bool review_writes(const struct request *r)
{
    return r->kind == REQUEST_CONFLICT_RESTORE || r->kind == REQUEST_CONFLICT_MERGE;
}

static void add_text(struct json_object *o, const char *name, const char *text)
{
    json_object_object_add(o, name, text != NULL ? json_object_new_string(text) : NULL);
}

static void add_time(struct json_object *o, const char *name, uint64_t ms)
{
    char text[DATE_BYTES + 1];

    if (ms == 0 || ms > DATE_MS_MAX) {
        json_object_object_add(o, name, NULL);
        return;
    }
    date_write(text, ms);
    add_text(o, name, text);
}

static void add_row(struct json_object *o, const struct store_row *row)
{
    add_text(o, "table", row->table);
    add_text(o, "key", row->key);
    add_text(o, "label", row->label);
    json_object_object_add(o, "in_file", json_object_new_boolean(row->in_file));
}

static struct json_object *write_of(const struct store_write *w)
{
    struct json_object *o = json_object_new_object();

    add_text(o, "type", w->type);
    add_text(o, "value", w->value);
    json_object_object_add(o, "cut", json_object_new_boolean(w->cut));
    add_text(o, "by", w->by[0] != '\0' ? w->by : NULL);
    add_time(o, "at", w->at_ms);
    return o;
}

static struct json_object *conflict_of(const struct store_conflict *c)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "number", json_object_new_int64(c->number));
    add_time(o, "noticed", c->noticed_ms);
    add_row(o, &c->row);
    add_text(o, "column", c->column);
    add_text(o, "why", c->why);
    add_text(o, "text", c->text);
    json_object_object_add(o, "lost", write_of(&c->lost));
    json_object_object_add(o, "won", write_of(&c->won));
    json_object_object_add(o, "now", write_of(&c->now));
    return o;
}

static bool run_conflicts(struct store *s, const struct request *r, uint64_t now_ms,
                          struct json_object *result, struct err *e)
{
    struct json_object *list = json_object_new_array();
    struct store_conflicts c;

    (void)now_ms;
    json_object_object_add(result, "conflicts", list);
    if (!store_conflicts(s, r->number, r->number == 0 ? LISTED_BYTES_MAX : SHOWN_BYTES_MAX, &c, e))
        return false;
    for (uint32_t i = 0; i < c.n; i++)
        json_object_array_add(list, conflict_of(&c.list[i]));
    json_object_object_add(result, "dropped", json_object_new_int64(c.dropped));
    store_conflicts_close(&c);
    return true;
}

/* Into the file if it is free now; else when it is, like everything that comes from elsewhere. */
static bool apply_now(struct store *s, uint64_t now_ms)
{
    struct store_progress p = {.more = true};
    struct err e = {0};

    while (p.more)
        if (!store_apply(s, now_ms, &p, &e))
            return false;
    return true;
}

static bool run_restore(struct store *s, const struct request *r, uint64_t now_ms,
                        struct json_object *result, struct err *e)
{
    struct store_conflicts c;

    if (!store_conflicts(s, r->number, LISTED_BYTES_MAX, &c, e))
        return false;
    if (!store_conflict_restore(s, r->number, now_ms, e)) {
        store_conflicts_close(&c);
        return false;
    }
    json_object_object_add(result, "conflict", conflict_of(&c.list[0]));
    json_object_object_add(result, "applied", json_object_new_boolean(apply_now(s, now_ms)));
    store_conflicts_close(&c);
    return true;
}

static bool run_dismiss(struct store *s, const struct request *r, uint64_t now_ms,
                        struct json_object *result, struct err *e)
{
    uint32_t n;

    (void)now_ms;
    if (!store_conflict_dismiss(s, r->number, &n, e))
        return false;
    json_object_object_add(result, "dismissed", json_object_new_int64(n));
    return true;
}

static bool run_merge(struct store *s, const struct request *r, uint64_t now_ms,
                      struct json_object *result, struct err *e)
{
    if (!store_unite(s, r->table, (int64_t[]){r->first, r->second}, now_ms, e))
        return false;
    json_object_object_add(result, "applied", json_object_new_boolean(apply_now(s, now_ms)));
    return true;
}

static bool run_parked(struct store *s, const struct request *r, uint64_t now_ms,
                       struct json_object *result, struct err *e)
{
    struct json_object *parked = json_object_new_array(), *kept = json_object_new_array();
    struct store_parked p;

    (void)r;
    (void)now_ms;
    json_object_object_add(result, "parked", parked);
    json_object_object_add(result, "kept", kept);
    if (!store_parked(s, &p, e))
        return false;
    for (uint32_t i = 0; i < p.n; i++) {
        struct json_object *o = json_object_new_object();

        add_row(o, &p.list[i].row);
        add_time(o, "since", p.list[i].since_ms);
        add_text(o, "why", p.list[i].why);
        add_text(o, "help", p.list[i].help);
        json_object_array_add(p.list[i].kept ? kept : parked, o);
    }
    json_object_object_add(result, "parked_total", json_object_new_int64(p.parked));
    json_object_object_add(result, "kept_total", json_object_new_int64(p.kept));
    store_parked_close(&p);
    return true;
}

/* Values of two versions may mix now, as a person decided. */
static bool run_accept(struct store *s, const struct request *r, uint64_t now_ms,
                       struct json_object *result, struct err *e)
{
    const char *waits = store_waits(s);

    (void)r;
    add_text(result, "waited", waits);
    if (!store_accept(s, e))
        return false;
    json_object_object_add(result, "applied", json_object_new_boolean(apply_now(s, now_ms)));
    return true;
}

bool review_run(struct store *s, const struct request *r, uint64_t now_ms,
                struct json_object **result, struct err *e)
{
    bool ok;

    *result = json_object_new_object();
    switch (r->kind) {
    case REQUEST_CONFLICT_RESTORE:
        ok = run_restore(s, r, now_ms, *result, e);
        break;
    case REQUEST_CONFLICT_DISMISS:
        ok = run_dismiss(s, r, now_ms, *result, e);
        break;
    case REQUEST_CONFLICT_MERGE:
        ok = run_merge(s, r, now_ms, *result, e);
        break;
    case REQUEST_PARKED:
        ok = run_parked(s, r, now_ms, *result, e);
        break;
    case REQUEST_PARKED_ACCEPT:
        ok = run_accept(s, r, now_ms, *result, e);
        break;
    default:
        ok = run_conflicts(s, r, now_ms, *result, e);
        break;
    }
    if (ok)
        return true;
    json_object_put(*result);
    *result = NULL;
    return false;
}
