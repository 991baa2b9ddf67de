#include "trouble.h"

#include <stdio.h>
#include <stdlib.h>

#include "belief.h"
#include "inside.h"

#define STUCK_BYTES 512

void trouble_close(struct trouble *t)
{
    for (uint32_t a = 0; a < COUNT_OF(t->stuck); a++)
        trouble_unstick(t, a);
}

void trouble_heals(struct trouble *t, const char *text)
{
    snprintf(t->heals, sizeof t->heals, "%s", text);
}

bool trouble_is_healing(const struct trouble *t)
{
    return t->heals[0] != '\0';
}

void trouble_healed(struct trouble *t)
{
    t->heals[0] = '\0';
}

void trouble_notice(struct trouble *t, enum store_notice notice)
{
    t->notices |= 1u << notice;
}

uint32_t store_notices(struct store *s)
{
    uint32_t notices = s->trouble.notices;

    s->trouble.notices = 0;
    return notices;
}

void trouble_no_rule(struct trouble *t)
{
    t->rule[0] = '\0';
}

void trouble_rule(struct trouble *t, const char *table, const struct err *why)
{
    snprintf(t->rule, sizeof t->rule,
             "rule of table %.100s: nothing of it is sent from this PC: %.300s", table, why->text);
}

void trouble_stuck(struct store *s, uint32_t actor, const struct err *why)
{
    struct site_id site = actor_site(&s->ledger.actors[actor - 1].actor);
    const struct roster_site *author = roster_author(s->roster, &site);
    char text[STUCK_BYTES];

    snprintf(text, sizeof text,
             "what %s sent cannot be read here, and nothing that it sent after that comes into "
             "this database: install the newest version here and there; if that does not help, "
             "revoke that PC and let it join anew (%.200s)",
             author != NULL ? author->name : "a PC", why->text);
    trouble_unstick(&s->trouble, actor);
    s->trouble.stuck[actor] = mem_text(text);
}

bool trouble_is_stuck(const struct trouble *t, uint32_t actor)
{
    return t->stuck[actor] != NULL;
}

void trouble_unstick(struct trouble *t, uint32_t actor)
{
    free(t->stuck[actor]);
    t->stuck[actor] = NULL;
}

static bool is_missed(const struct ledger *l, const struct ledger_actor *a)
{
    uint64_t believed = ledger_believed(l, &a->actor);

    return a->merged < (a->staged < believed ? a->staged : believed);
}

const char *trouble_text(const struct store *s)
{
    if (trouble_is_healing(&s->trouble))
        return s->trouble.heals;
    for (uint32_t a = 1; a <= s->ledger.actor_count; a++)
        if (trouble_is_stuck(&s->trouble, a) && is_missed(&s->ledger, &s->ledger.actors[a - 1]))
            return s->trouble.stuck[a];
    return s->trouble.rule;
}

/* ---- tables that were shared ---- */

static void note_gone(const struct store *s, struct store_status *out)
{
    const struct app_schema *schema = &s->app.schema;
    size_t n = 0;

    out->gone_tables = schema->gone_count;
    for (uint32_t i = 0; i < schema->gone_count && n < sizeof out->gone; i++)
        n += (size_t)snprintf(out->gone + n, sizeof out->gone - n, "%s%s", i > 0 ? ", " : "",
                              schema->gone[i]);
}

/* Tables that were shared until a migration made of them what cannot be. */
static void note_refused(const struct store *s, struct store_status *out)
{
    size_t n = 0;

    for (uint32_t i = 0; i < s->app.schema.n; i++) {
        const struct app_table *t = &s->app.schema.tables[i];

        if (t->registered == 0 || t->refused == NULL)
            continue;
        if (n < sizeof out->refused)
            n += (size_t)snprintf(out->refused + n, sizeof out->refused - n, "%s%s, since %s",
                                  out->refused_tables > 0 ? "; " : "", t->name, t->refused);
        out->refused_tables++;
    }
}

void trouble_tables(const struct store *s, struct store_status *out)
{
    note_gone(s, out);
    note_refused(s, out);
}
