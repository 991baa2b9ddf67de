#include "rulebook.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include <navette/rulecheck.h>

#include "request.h"
#include "rulejson.h"

/* What a request comes to: changes in the order asked, the rules as they would be then, and those
 * whose places others take. */
struct draft {
    struct rule_change *changes;
    uint32_t n, room;
    struct rules rules;
    struct json_object *replaced;
};

bool rulebook_is_request(const struct request *r)
{
    return r->kind == REQUEST_RULES || r->kind == REQUEST_RULES_SET ||
           r->kind == REQUEST_RULES_UNSET || r->kind == REQUEST_RULES_PRESET;
}

static void draft_open(struct draft *d, const struct roster *roster)
{
    *d = (struct draft){.replaced = json_object_new_array()};
    for (uint32_t i = 0; i < roster->rules.n; i++) {
        struct rule_change same = {.rule = roster->rules.rules[i], .set = true};

        rules_apply(&d->rules, &same);
    }
}

static void draft_close(struct draft *d)
{
    for (uint32_t i = 0; i < d->n; i++)
        rule_change_close(&d->changes[i]);
    free(d->changes);
    json_object_put(d->replaced);
    rules_close(&d->rules);
}

/* Room for one more. */
static struct rule_change *draft_next(struct draft *d)
{
    if (d->n == d->room) {
        d->room = d->room == 0 ? 16 : d->room * 2;
        d->changes = mem_grow(d->changes, d->room * sizeof *d->changes);
    }
    d->changes[d->n] = (struct rule_change){0};
    return &d->changes[d->n];
}

/* ---- one rule ---- */

static bool find_site(const struct roster *roster, const struct asked_rule *a, struct rule *r,
                      struct err *e)
{
    const struct roster_site *site;

    if (a->site[0] == '\0')
        return true;
    site = roster_find_name(roster, a->site);
    if (site == NULL)
        return err_set(e, ERR_USAGE, "no PC of the fleet is called %s", a->site);
    r->of_site = true;
    r->site = site->site;
    return true;
}

static bool wrap(const struct rule *r, struct err *e)
{
    char target[RULE_TARGET_BYTES_MAX];

    rule_target_text(r, target);
    return err_wrap(e, "rule %s %s", target, rule_kind_name(r->kind));
}

static bool draft_set(struct draft *d, struct store *s, const struct roster *roster,
                      const struct asked_rule *a, struct err *e)
{
    struct rule_change *c = draft_next(d);
    const struct rule *there;

    c->set = true;
    rule_copy(&c->rule, &a->rule);
    if (!find_site(roster, a, &c->rule, e) || !store_rule_check(s, &d->rules, &c->rule, e)) {
        wrap(&c->rule, e);
        rule_change_close(c);
        return false;
    }
    there = rules_at(&d->rules, &c->rule);
    if (there != NULL && rules_would_change(&d->rules, c))
        json_object_array_add(d->replaced, rulejson_write(there, roster));
    rules_apply(&d->rules, c);
    d->n++;
    return true;
}

static bool draft_unset(struct draft *d, const struct roster *roster, const struct asked_rule *a,
                        struct err *e)
{
    struct rule_change *c = draft_next(d);
    const struct rule *there;

    rule_copy(&c->rule, &a->rule);
    if (!find_site(roster, a, &c->rule, e)) {
        rule_change_close(c);
        return false;
    }
    there = rules_at(&d->rules, &c->rule);
    if (there == NULL || there->kind != c->rule.kind) {
        err_set(e, ERR_USAGE,
                "there is no such rule; `agent-cli rules` lists those that there are");
        wrap(&c->rule, e);
        rule_change_close(c);
        return false;
    }
    rules_apply(&d->rules, c);
    d->n++;
    return true;
}

/* ---- presets ---- */

struct preset {
    const char *name;
    struct {
        const char *target;
        enum rule_kind kind;
        const char *argument;
    } rules[8];
    bool pairs; /* and generic foreign keys */
};

static const struct preset presets[] = {
    {"django",
     {{"django_session", RULE_LOCAL, NULL},
      {"django_admin_log", RULE_LOCAL, NULL},
      {"django_migrations", RULE_LOCAL, NULL},
      {"auth_user.password", RULE_LOCAL, "!"},
      {"django_content_type.app_label,model", RULE_MERGE, NULL},
      {"auth_permission.content_type_id,codename", RULE_MERGE, NULL}},
     true},
};

/* Generic foreign keys, as far as they are recognised. One that does not fit (a table that stays on
 * each PC, models whose tables are called otherwise) is left out: a person can set it. */
static bool draft_pairs(struct draft *d, struct store *s, const struct roster *roster,
                        struct err *e)
{
    struct rule *pairs;
    uint32_t n;
    bool ok = store_generic_pairs(s, &pairs, &n, e);

    for (uint32_t i = 0; i < n; i++) {
        struct asked_rule a = {.rule = pairs[i]};

        if (ok && !draft_set(d, s, roster, &a, e)) {
            ok = e->code == ERR_USAGE || e->code == ERR_REFUSED;
            if (ok)
                err_clear(e);
        }
        rule_close(&pairs[i]);
    }
    free(pairs);
    return ok;
}

/* What the preset speaks of and the database has not is left out. */
static bool draft_preset(struct draft *d, struct store *s, const struct roster *roster,
                         const struct preset *p, struct err *e)
{
    bool ok = true;

    for (size_t i = 0; ok && i < COUNT_OF(p->rules) && p->rules[i].target != NULL; i++) {
        struct asked_rule a = {0};

        ok = rule_target_parse(&a.rule, p->rules[i].target, e);
        a.rule.kind = p->rules[i].kind;
        a.rule.argument = p->rules[i].argument == NULL ? NULL : mem_text(p->rules[i].argument);
        if (ok)
            rule_sort(&a.rule);
        ok = ok && draft_set(d, s, roster, &a, e);
        if (!ok && e->code == ERR_USAGE) {
            err_clear(e);
            ok = true;
        }
        asked_rule_close(&a);
    }
    if (ok && p->pairs)
        ok = draft_pairs(d, s, roster, e);
    if (ok && d->n == 0)
        return err_set(e, ERR_REFUSED,
                       "the database has none of the tables that the preset %s is "
                       "about",
                       p->name);
    return ok;
}

static bool preset_run(struct draft *d, struct store *s, const struct roster *roster,
                       const char *name, struct err *e)
{
    for (size_t i = 0; i < COUNT_OF(presets); i++)
        if (strcmp(presets[i].name, name) == 0)
            return draft_preset(d, s, roster, &presets[i], e);
    return err_set(e, ERR_USAGE, "there is no preset \"%s\"; there is: django", name);
}

/* ---- requests ---- */

static bool make_draft(struct draft *d, struct store *s, const struct roster *roster,
                       const struct request *r, struct err *e)
{
    if (r->kind == REQUEST_RULES_PRESET)
        return preset_run(d, s, roster, r->preset, e);
    for (uint32_t i = 0; i < r->rule_count; i++)
        if (r->kind == REQUEST_RULES_SET ? !draft_set(d, s, roster, &r->rules[i], e)
                                         : !draft_unset(d, roster, &r->rules[i], e))
            return false;
    return true;
}

/* While the application holds its file nobody can tell what a rule names: nothing is said of it. */
static struct json_object *list(struct store *s, const struct roster *roster)
{
    struct json_object *rules = json_object_new_array();

    for (uint32_t i = 0; i < roster->rules.n; i++) {
        struct json_object *rule = rulejson_write(&roster->rules.rules[i], roster);
        struct err unknown = {0};
        bool names;

        if (store_rule_names(s, &roster->rules.rules[i], &names, &unknown) && !names)
            json_object_object_add(rule, "missing", json_object_new_boolean(true));
        json_object_array_add(rules, rule);
    }
    return rules;
}

bool rulebook_run(struct store *s, struct roster *roster, const struct keys *k,
                  const struct request *r, bool *grown, struct json_object **result, struct err *e)
{
    uint32_t changed = 0;
    struct draft d;
    bool ok;

    *grown = false;
    draft_open(&d, roster);
    ok = r->kind == REQUEST_RULES || make_draft(&d, s, roster, r, e);
    for (uint32_t i = 0; i < d.n; i++)
        changed += rules_would_change(&roster->rules, &d.changes[i]);
    ok = ok && roster_rules(roster, d.changes, d.n, k, grown, e);
    if (ok) {
        *result = json_object_new_object();
        json_object_object_add(*result, "rules", list(s, roster));
        json_object_object_add(*result, "changed", json_object_new_int64(changed));
        json_object_object_add(*result, "replaced", json_object_get(d.replaced));
    }
    draft_close(&d);
    return ok;
}
