#include "tables.h"

#include <json-c/json.h>

#include "request.h"

bool tables_is_request(const struct request *r)
{
    return r->kind == REQUEST_TABLES || r->kind == REQUEST_TRACK || r->kind == REQUEST_UNTRACK ||
           r->kind == REQUEST_UNINSTALL;
}

/* A name in a database is bytes; JSON is UTF-8. */
static struct json_object *text_value(const char *text)
{
    if (text == NULL)
        return NULL;
    return json_object_new_string(slice_is_utf8(slice_text(text)) ? text : "(not UTF-8)");
}

static bool list(struct store *s, struct json_object *result, struct err *e)
{
    struct store_tables tables = {0};
    struct json_object *rows;

    if (!store_tables(s, &tables, e))
        return false;
    rows = json_object_new_array();
    for (uint32_t i = 0; i < tables.n; i++) {
        const struct store_table *t = &tables.tables[i];
        struct json_object *one = json_object_new_object();

        json_object_object_add(one, "name", text_value(t->name));
        json_object_object_add(one, "tracked", json_object_new_boolean(t->tracked));
        json_object_object_add(one, "gone", json_object_new_boolean(t->gone));
        json_object_object_add(one, "local", json_object_new_boolean(t->local));
        json_object_object_add(one, "refused", text_value(t->refused));
        json_object_object_add(one, "rows", json_object_new_int64(t->rows));
        json_object_array_add(rows, one);
    }
    json_object_object_add(result, "tables", rows);
    store_tables_close(&tables);
    return true;
}

static bool change(struct store *s, const struct request *r, uint64_t now_ms, struct err *e)
{
    const char *const *names = (const char *const *)r->tables;

    switch (r->kind) {
    case REQUEST_TRACK:
        return store_track(s, names, r->table_count, e);
    case REQUEST_UNTRACK:
        return store_untrack(s, names, r->table_count, now_ms, e);
    case REQUEST_UNINSTALL:
        return store_uninstall(s, e);
    default:
        return true;
    }
}

bool tables_run(struct store *s, const struct request *r, uint64_t now_ms,
                struct json_object **result, struct err *e)
{
    if (!change(s, r, now_ms, e))
        return false;
    *result = json_object_new_object();
    if (r->kind == REQUEST_UNINSTALL || list(s, *result, e))
        return true;
    json_object_put(*result);
    *result = NULL;
    return false;
}
