/* New entries about rules. */
#include <navette/roster.h>

#include <stdlib.h>

#include "entry.h"

static bool rule_entry(struct roster *r, const struct rule_change *changes, uint32_t n,
                       const struct keys *k, struct err *e)
{
    struct buf entry;
    struct writer w = entry_open(&entry, r, ENTRY_RULES, 1, k);

    write_array(&w, n);
    for (uint32_t i = 0; i < n; i++)
        rule_change_write(&w, &changes[i]);
    return entry_append(r, &entry, k, e);
}

/* How many of these changes, at least one, go into one entry. */
static uint32_t rules_in_entry(const struct roster *r, const struct rule_change *changes,
                               uint32_t n)
{
    uint32_t parents = r->head_count < ROSTER_PARENTS_MAX ? r->head_count : ROSTER_PARENTS_MAX;
    struct buf bytes;
    struct writer w = {&bytes};
    uint32_t fit = 0;

    buf_open(&bytes, ROSTER_ENTRY_BYTES_MAX - 128 - (size_t)parents * PARENT_BYTES);
    while (fit < n && fit < RULE_CHANGES_MAX && !bytes.overflow) {
        rule_change_write(&w, &changes[fit]);
        fit += !bytes.overflow;
    }
    buf_close(&bytes);
    return fit > 0 ? fit : 1;
}

static bool check_room(const struct rules *now, const struct rule_change *changes, uint32_t n,
                       struct err *e)
{
    struct rules next = {0};
    bool ok = true;

    for (uint32_t i = 0; i < now->n; i++) {
        struct rule_change c = {now->rules[i], true};

        rules_apply(&next, &c);
    }
    for (uint32_t i = 0; i < n && ok; i++) {
        const struct rule *was = rules_at(&next, &changes[i].rule);

        ok = rules_apply(&next, &changes[i]) || !changes[i].set ||
             (was != NULL && rule_equal(was, &changes[i].rule));
    }
    rules_close(&next);
    return ok || err_set(e, ERR_LIMIT, "a fleet of more than %d rules, or %u bytes of them",
                         RULES_MAX, RULES_BYTES_MAX);
}

bool roster_rules(struct roster *r, const struct rule_change *changes, uint32_t n,
                  const struct keys *k, bool *changed, struct err *e)
{
    struct rule_change *news = mem_alloc((n + 1) * sizeof *news);
    uint32_t count = 0, done = 0;
    bool ok = roster_may(r, k, true, e) && check_room(&r->rules, changes, n, e);

    for (uint32_t i = 0; ok && i < n; i++)
        if (rules_would_change(&r->rules, &changes[i]))
            news[count++] = changes[i];
    while (ok && done < count) {
        uint32_t fit = rules_in_entry(r, news + done, count - done);

        ok = rule_entry(r, news + done, fit, k, e);
        done += ok ? fit : 0;
    }
    *changed = done > 0;
    free(news);
    return ok;
}
