#include "apprule.h"

#include <stdlib.h>

#include <sqlite3.h>

static char *finish(sqlite3_str *text)
{
    char *sql = sqlite3_str_finish(text), *copy = mem_text(sql == NULL ? "" : sql);

    sqlite3_free(sql);
    return copy;
}

static void drop_local(const struct rules *rules, struct app_table *t)
{
    sqlite3_str *names = sqlite3_str_new(NULL), *values = sqlite3_str_new(NULL);
    sqlite3_str *local = sqlite3_str_new(NULL);
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->column_count; i++) {
        struct app_column *c = &t->columns[i];
        const struct rule *r = rules == NULL || rules->n == 0 || c->in_key
                                   ? NULL
                                   : rules_find(rules, RULE_LOCAL, t->name, c->name);

        for (uint32_t k = 0; k < t->key_count; k++)
            if (t->keys[k] == i && c->in_key)
                t->keys[k] = n;
        if (r == NULL) {
            t->columns[n++] = *c;
            continue;
        }
        t->local_count++;
        sqlite3_str_appendf(local, ", \"%w\"", c->name);
        if (r->argument != NULL) {
            sqlite3_str_appendf(names, ", \"%w\"", c->name);
            sqlite3_str_appendf(values, ", %Q", r->argument);
        }
        free(c->name);
        free(c->collation);
    }
    t->column_count = n;
    t->local_names = finish(local);
    t->fill_names = finish(names);
    t->fill_values = finish(values);
}

void app_rules_apply(const struct rules *rules, struct app_table *t)
{
    drop_local(rules, t);
    t->local = rules != NULL && rules_find(rules, RULE_LOCAL, t->name, NULL) != NULL;
    if (t->local)
        t->number = 0;
}
