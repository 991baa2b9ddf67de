#include "steps.h"

#include <stdio.h>

#include <navette/notices.h>

#include "describe.h"

void steps_note(struct store *s, uint32_t actor, uint64_t number, uint32_t rows, size_t bytes)
{
    /* An author counts a little more than it comes to. */
    bool full = rows >= CUT_ROWS_MAX || bytes >= s->body_soft - s->body_soft / 8;
    struct steps *all = &s->steps;
    uint32_t i = 0;

    while (i < all->n && all->open[i].actor != actor)
        i++;
    if (i == all->n && (!full || i == STEPS_OPEN_MAX))
        return;
    if (i < all->n && number <= all->open[i].number) /* done once more */
        return;
    if (i == all->n)
        all->open[all->n++] = (struct steps_open){.actor = actor};
    all->open[i].steps++;
    all->open[i].rows += rows;
    all->open[i].number = number;
    all->open[i].ends = !full;
    all->open[i].told = false;
}

static void say(struct store *s, const struct steps_open *o)
{
    struct steps *all = &s->steps;
    char name[NAME_BYTES_MAX + 1];

    describe_actor(s, o->actor, name);
    if (o->ends)
        snprintf(all->text, sizeof all->text,
                 "much at once by=%s: the last of %u steps is there, %llu rows in all",
                 name[0] != '\0' ? name : "?", o->steps, (unsigned long long)o->rows);
    else
        snprintf(all->text, sizeof all->text,
                 "much at once by=%s: step %u is there, %llu rows so far; what was written in one "
                 "go is more than one step holds, and the rest follows in whole steps",
                 name[0] != '\0' ? name : "?", o->steps, (unsigned long long)o->rows);
}

const char *store_steps(struct store *s)
{
    struct steps *all = &s->steps;

    for (uint32_t i = 0; i < all->n; i++) {
        struct steps_open *o = &all->open[i];

        if (o->told || s->ledger.actors[o->actor - 1].applied < o->number ||
            (o->actor == s->ledger.self && s->draining != NULL))
            continue;
        o->told = true;
        say(s, o);
        if (o->ends)
            *o = all->open[--all->n];
        return all->text;
    }
    return NULL;
}
