/* The oracle's verdict at the end, see oracle.h. */
#include "oracle_unite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOUBTS_MAX 12

static bool stands_over(const struct oracle_event *event, uint32_t other)
{
    for (uint32_t i = 0; i < event->over_n; i++)
        if (event->over[i] == other)
            return true;
    return false;
}

/* Can this delete have ended what that write gave life to? Of rows that somebody said are one each
 * dies for itself where they were still two; but not if they are one by name. */
static bool ends(const struct oracle *o, const struct oracle_row *row,
                 const struct oracle_event *death, const struct oracle_event *event)
{
    return !death->apart || !event->apart || death->name == event->name ||
           !shape_surrogate(&o->shape->tables[row->table]);
}

/* Has it ended that for sure, if it stands over it? */
static bool surely_ends(const struct oracle_row *row, const struct oracle_event *death,
                        const struct oracle_event *event)
{
    return row->unions == 0 || death->wide || (death->name == event->name && !event->wide);
}

/* Is there an event of `column` (COLUMN_DEATH: a delete) that surely happened and stands over
 * `other`? What was written into another row of the same mark may have died with that one. */
static bool beaten(const struct oracle *o, const struct oracle_row *row, int column, uint32_t other)
{
    bool several = column >= 0 && oracle_is_several(o, row->name);

    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        if (event->column == column && !event->delta && !event->doubtful &&
            (column != COLUMN_DEATH || surely_ends(row, event, &o->events[other])) &&
            !(several && event->birth != o->events[other].birth) && stands_over(event, other))
            return true;
    }
    return false;
}

/* Has anybody written what else a migration fills in? */
static bool is_written(const struct oracle *o, const struct oracle_row *row, int column)
{
    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        if (event->column == column && !event->filled && !event->doubtful)
            return true;
    }
    return false;
}

/* One that nobody remembers is said again by its author as if it had not been seen. */
static bool over_all_deaths(const struct oracle *o, const struct oracle_row *row,
                            const struct oracle_event *event)
{
    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *death = &o->events[row->events[i]];

        if (death->column == COLUMN_DEATH && ends(o, row, death, event) &&
            (death->unclocked || !stands_over(event, row->events[i])))
            return false;
    }
    return true;
}

/* Of all that one drain took of the cell, has the last put back what the first wrote over? Then the
 * agent has found nothing that anybody wrote. */
static bool is_undone(const struct oracle *o, const struct oracle_row *row,
                      const struct oracle_event *event)
{
    const struct oracle_event *first = NULL, *last = NULL;

    for (uint32_t i = 0; i < row->n && event->column >= 0; i++) {
        const struct oracle_event *other = &o->events[row->events[i]];

        if (other->column != event->column || other->site != event->site || !other->drained ||
            other->drain != event->drain || other->name != event->name)
            continue;
        first = first == NULL ? other : first;
        last = other;
    }
    return first != last && first->was == last->is;
}

/* A write that surely happened and that no delete can have beaten. */
static bool must_live(const struct oracle *o, const struct oracle_row *row)
{
    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        if (event->column != COLUMN_DEATH && !event->doubtful && over_all_deaths(o, row, event) &&
            !is_undone(o, row, event))
            return true;
    }
    return false;
}

/* Every write has been seen by the author of a delete. */
static bool must_be_dead(const struct oracle *o, const struct oracle_row *row)
{
    for (uint32_t i = 0; i < row->n; i++)
        if (o->events[row->events[i]].column != COLUMN_DEATH && !o->events[row->events[i]].filled &&
            (o->events[row->events[i]].unclocked || !beaten(o, row, COLUMN_DEATH, row->events[i])))
            return false;
    return true;
}

static bool many_sites(const struct oracle_row *row)
{
    return (row->sites & (row->sites - 1)) != 0;
}

/* Where several sites wrote rows whose natural key moved, only equality is demanded: which name
 * they end up under depends on what they had seen of each other. */
static bool names_are_mixed(const struct oracle *o, uint32_t table)
{
    for (uint32_t i = 0; i < o->row_n; i++)
        if (o->rows[i].table == table && o->rows[i].moved && many_sites(&o->rows[i]))
            return true;
    return false;
}

/* Is a row of the file in the way, which belongs to the same one? */
static bool is_kept_out(const struct oracle *o, const struct oracle_row *row, const struct view *v)
{
    uint32_t by = shape_rival(&o->shape->tables[row->table]), owner = WORD_NULL;

    for (uint32_t i = 0; i < row->n && by != 0; i++)
        if (o->events[row->events[i]].column == (int)by)
            owner = oracle_same(o, o->events[row->events[i]].value);
    for (uint32_t i = 0; i < v->n && owner != WORD_NULL; i++)
        if (v->rows[i].table == row->table && oracle_same(o, v->rows[i].cells[by]) == owner &&
            oracle_same(o, v->rows[i].name) != row->name)
            return true;
    return false;
}

/* Does a row name this one that another one keeps out of the file? It waits there for its place
 * with all that it needs, as it has in other files: these differ in no more than the one row. */
static bool is_named_outside(const struct oracle *o, const struct oracle_row *row,
                             const struct view *v)
{
    for (uint32_t i = 0; i < o->row_n; i++) {
        const struct oracle_row *child = &o->rows[i];
        const struct shape_table *t = &o->shape->tables[child->table];
        bool names = false;

        for (uint32_t k = 0; k < child->n && shape_rival(t) != 0; k++) {
            const struct oracle_event *event = &o->events[child->events[k]];

            names |= event->column >= 0 && t->columns[event->column].role == SHAPE_REF &&
                     oracle_same(o, event->value) == row->name;
        }
        if (names && oracle_shown(o, child, v, NULL) == NULL && is_kept_out(o, child, v) &&
            !must_be_dead(o, child))
            return true;
    }
    return false;
}

/* Does it stand there under the name of one that has yielded its mark? */
static bool has_yielded(const struct oracle *o, const struct oracle_row *row, const struct view *v)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (v->rows[i].table == row->table && v->rows[i].name != row->name &&
            oracle_bare(o, v->rows[i].name) == row->name)
            return true;
    return false;
}

/* Is it there a row that a rule keeps back, of which a copy of that file alone told anything, and
 * that it has gone before anybody heard? */
static bool is_unheard_of(const struct oracle *o, const struct oracle_row *row,
                          const struct view_row *there)
{
    bool unheard = !many_sites(row) && view_stays(o->shape, o->words, there);

    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        unheard &= event->column != COLUMN_DEATH || event->unheard;
    }
    return unheard;
}

static bool judge_life(const struct oracle *o, const struct oracle_row *row, const struct view *v,
                       struct err *e)
{
    const char *name = words_text(o->words, row->name);
    const struct view_row *there = oracle_shown(o, row, v, NULL);

    if (there != NULL && oracle_shown(o, row, v, there) != NULL)
        return err_set(e, ERR_INPUT, "%s and %s are still two rows",
                       words_text(o->words, there->name),
                       words_text(o->words, oracle_shown(o, row, v, there)->name));
    if (there == NULL && must_live(o, row) && !is_kept_out(o, row, v) && !has_yielded(o, row, v))
        return err_set(e, ERR_INPUT, "%s is lost", name);
    /* A parent that a living row names stays: a reference must never dangle. */
    if (there != NULL && must_be_dead(o, row) && !is_unheard_of(o, row, there) &&
        view_child(v, o->shape, row->table, there->name, NULL) == NULL &&
        !is_named_outside(o, row, v))
        return err_set(e, ERR_INPUT, "%s was deleted and is still there", name);
    return true;
}

/* Did somebody write the cell, for sure, whose clock must be later than that of this write? */
static bool outrun(const struct oracle *o, const struct oracle_row *row,
                   const struct oracle_event *event)
{
    for (uint32_t i = 0; i < row->n && o->shape->journal; i++) {
        const struct oracle_event *other = &o->events[row->events[i]];

        if (other->column == event->column && other->value != event->value && other->drained &&
            !other->filled && !other->doubtful && other->earliest > event->latest &&
            (other->birth == event->birth || !oracle_is_several(o, row->name)))
            return true;
    }
    return false;
}

/* Was the row born (again) after this event? Events are numbered as they happened. */
static bool is_born_after(const struct oracle *o, const struct oracle_row *row, uint32_t number)
{
    for (uint32_t i = 0; i < row->n; i++)
        if (row->events[i] > number && o->events[row->events[i]].column == COLUMN_BIRTH)
            return true;
    return false;
}

/* A reference by rule shows that its row is gone, or shows it again. A row that came since under
 * the name of the one that is gone is another one; so may one of the same mark be. */
static bool may_show(const struct oracle *o, const struct view *final, uint32_t number,
                     uint32_t shown)
{
    uint32_t written = o->events[number].value;
    const struct oracle_row *row = oracle_row(o, written);
    bool was_gone = strcmp(words_text(o->words, written), VIEW_GONE) == 0;

    if (strcmp(words_text(o->words, shown), VIEW_GONE) != 0)
        return was_gone;
    return row != NULL && (oracle_shown(o, row, final, NULL) == NULL ||
                           (oracle_has_died(o, written) &&
                            (is_born_after(o, row, number) || oracle_is_several(o, written))));
}

static bool shows_it(const struct oracle *o, const struct oracle_row *row, uint32_t number,
                     uint32_t value, const struct view *final)
{
    const struct oracle_event *event = &o->events[number];
    bool loose = shape_loose(&o->shape->tables[row->table].columns[event->column]);

    return oracle_same(o, event->value) == oracle_same(o, value) ||
           event->value == oracle_bare(o, value) ||
           (loose && (may_show(o, final, number, value) || oracle_names_unsaid(o, event)));
}

static bool judge_cell(const struct oracle *o, const struct oracle_row *row, int column,
                       uint32_t value, const struct view *final, struct err *e)
{
    const struct oracle_row *named = oracle_row(o, value);

    if (named != NULL && named->moved)
        return true;
    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        if (event->filled && is_written(o, row, column))
            continue;
        if (event->column == column && shows_it(o, row, row->events[i], value, final) &&
            (event->unclocked ||
             (!beaten(o, row, column, row->events[i]) && !outrun(o, row, event))))
            return true;
    }
    return err_set(e, ERR_INPUT, "%s.%s is %s, which nobody wrote last",
                   words_text(o->words, row->name),
                   o->shape->tables[row->table].columns[column].name, words_text(o->words, value));
}

int64_t oracle_amount(const struct oracle *o, uint32_t word)
{
    char *end;
    double v = strtod(words_text(o->words, word), &end) * 4;

    return word == WORD_NULL || *end != '\0' || v != (double)(int64_t)v ? INT64_MIN : (int64_t)v;
}

/* May some of the doubtful amounts, all counted or not, fill the gap? */
static bool doubt_explains(const int64_t *doubtful, uint32_t n, int64_t gap)
{
    for (uint32_t subset = 0; subset < UINT32_C(1) << n; subset++) {
        int64_t sum = 0;

        for (uint32_t i = 0; i < n; i++)
            sum += (subset >> i & 1) != 0 ? doubtful[i] : 0;
        if (sum == gap)
            return true;
    }
    return false;
}

/* False: there are too many to say anything. */
static bool add_doubt(int64_t *doubtful, uint32_t *n, int64_t amount)
{
    if (amount != 0 && *n < DOUBTS_MAX)
        doubtful[(*n)++] = amount;
    else if (amount != 0)
        return false;
    return true;
}

/* Every sale once, on top of what was written whole, which contains those its author had seen. */
static bool sum_stands_on(const struct oracle *o, const struct oracle_row *row, int column,
                          uint32_t whole, uint32_t value)
{
    const struct oracle_event *base = &o->events[whole];
    int64_t doubtful[DOUBTS_MAX], sum = base->amount, shown = oracle_amount(o, value);
    uint32_t doubts = 0;

    if (base->amount == INT64_MIN)
        return value == base->value;
    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        if (event->column != column || !event->delta)
            continue;
        if (!add_doubt(doubtful, &doubts, oracle_counted_twice(o, row, event)))
            return true;
        if (stands_over(base, row->events[i]))
            continue;
        if (!event->doubtful)
            sum += event->amount;
        else if (!add_doubt(doubtful, &doubts, event->amount))
            return true;
    }
    return shown != INT64_MIN && doubt_explains(doubtful, doubts, shown - sum);
}

/* Of rows that are one since somebody said so, and under the name of one that waited outside the
 * file: nobody knows which sales the author of what was written whole had seen, but each counts at
 * most once. */
static bool may_stand_on(const struct oracle *o, const struct oracle_row *row, int column,
                         uint32_t whole, uint32_t value)
{
    int64_t sales[DOUBTS_MAX], shown = oracle_amount(o, value);
    const struct oracle_event *base = &o->events[whole];
    uint32_t n = 0;

    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        if (event->column == column && event->delta && n == DOUBTS_MAX)
            return true;
        if (event->column == column && event->delta)
            sales[n++] = event->amount;
    }
    if (base->amount == INT64_MIN || shown == INT64_MIN)
        return value == base->value;
    return doubt_explains(sales, n, shown - base->amount);
}

/* Does nobody remember of some write of the cell what was in it? */
static bool is_unclocked(const struct oracle *o, const struct oracle_row *row, int column)
{
    for (uint32_t i = 0; i < row->n; i++)
        if (o->events[row->events[i]].column == column && o->events[row->events[i]].unclocked)
            return true;
    return false;
}

static bool judge_counter(const struct oracle *o, const struct oracle_row *row, int column,
                          uint32_t value, struct err *e)
{
    if ((row->blurred >> column & 1) != 0 || is_unclocked(o, row, column))
        return true;
    for (uint32_t i = 0; i < row->n && o->rules > 0; i++)
        if (o->events[row->events[i]].column == column && o->events[row->events[i]].doubtful)
            return true; /* nor does anybody know whether it counted */
    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        if (event->column == column && !event->delta && !beaten(o, row, column, row->events[i]) &&
            (oracle_is_several(o, row->name) || event->outside ? may_stand_on : sum_stands_on)(
                o, row, column, row->events[i], value))
            return true;
    }
    return err_set(e, ERR_INPUT, "%s.%s is %s, which is no sum of what was written and sold",
                   words_text(o->words, row->name),
                   o->shape->tables[row->table].columns[column].name, words_text(o->words, value));
}

/* A counter where nobody knows who had seen what: every sale once, on top of what was written
 * whole, if that was once. */
static bool judge_sum(const struct oracle *o, const struct oracle_row *row, int column,
                      uint32_t value, struct err *e)
{
    int64_t doubtful[DOUBTS_MAX], sum = 0, shown = oracle_amount(o, value);
    uint32_t whole = 0, doubts = 0;

    if ((row->blurred >> column & 1) != 0 && (o->shape->next != NULL || o->copied > 0))
        return true;
    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        if (event->column != column)
            continue;
        whole += !event->delta;
        if (!event->delta && event->amount == INT64_MIN)
            return true; /* no number at first: what comes is judged by its likes */
        if (!add_doubt(doubtful, &doubts, oracle_counted_twice(o, row, event)))
            return true;
        if (!event->delta || !event->doubtful)
            sum += event->amount;
        else if (!add_doubt(doubtful, &doubts, event->amount))
            return true;
    }
    if (whole != 1 || o->rules > 0 || is_unclocked(o, row, column))
        return true;
    if (shown != INT64_MIN && doubt_explains(doubtful, doubts, shown - sum))
        return true;
    return err_set(e, ERR_INPUT, "%s.%s is %s, all sales make %lld quarters",
                   words_text(o->words, row->name),
                   o->shape->tables[row->table].columns[column].name, words_text(o->words, value),
                   (long long)sum);
}

/* ---- what rows name by rule ---- */

/* The only event of its column in the row, if nobody doubts it; NULL if there are others. */
static const struct oracle_event *only_event(const struct oracle *o, const struct oracle_row *row,
                                             int column)
{
    const struct oracle_event *found = NULL;

    if (row != NULL && row->unions != 0)
        return NULL;
    for (uint32_t i = 0; row != NULL && i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        if (event->column != column)
            continue;
        if (found != NULL || event->doubtful || !event->drained || o->lost[event->site])
            return NULL;
        found = event;
    }
    return found;
}

static bool saw(const struct oracle *o, const struct oracle_event *event,
                const struct oracle_event *other)
{
    return event->site == other->site ||
           (o->saw[event->tick][other->tick / 64] >> other->tick % 64 & 1) != 0;
}

/* A row that is gone was deleted by somebody who had seen what names it, or somebody named it who
 * knew that it was deleted. */
static bool judge_gone(const struct oracle *o, const struct view_row *r, struct err *e)
{
    const struct shape_table *t = &o->shape->tables[r->table];

    for (uint32_t c = t->keys; c < t->columns_n && o->shape->journal; c++) {
        const struct oracle_event *named, *death;

        if (!shape_loose(&t->columns[c]) || t->vague ||
            strcmp(words_text(o->words, r->cells[c]), VIEW_GONE) != 0)
            continue;
        named = only_event(o, oracle_row(o, r->name), (int)c);
        death = named == NULL ? NULL : only_event(o, oracle_row(o, named->value), COLUMN_DEATH);
        if (death == NULL || saw(o, named, death) || saw(o, death, named))
            continue;
        oracle_tell(o, r->name);
        oracle_tell(o, named->value);
        return err_set(e, ERR_INPUT, "%s names %s, which is gone", words_text(o->words, r->name),
                       words_text(o->words, named->value));
    }
    return true;
}

/* What was said of a column under another name than it has where somebody deleted the row is not
 * said there under the new one, also if the row comes back. */
static bool may_be_lost(const struct oracle *o, const struct oracle_row *row, uint32_t column)
{
    return o->shape->tables[row->table].columns[column].vague && oracle_has_died(o, row->name);
}

static bool judge_column(const struct oracle *o, const struct oracle_row *row, uint32_t column,
                         uint32_t value, const struct view *final, struct err *e)
{
    const struct shape_table *t = &o->shape->tables[row->table];
    bool vague = t->vague || t->columns[column].vague;

    if (value == WORD_ABSENT || may_be_lost(o, row, column))
        return true;
    if (!shape_counts(t, column))
        return judge_cell(o, row, (int)column, value, final, e);
    return (o->shape->journal && !vague ? judge_counter : judge_sum)(o, row, (int)column, value, e);
}

/* A row that was deleted stays while others name it, and yields its mark to a new one. Whatever is
 * named by it goes by that name, too. */
static bool is_kept(const struct oracle *o, const struct view *final, const struct view_row *r)
{
    const struct shape_table *t = &o->shape->tables[r->table];

    if (!shape_surrogate(t) || t->columns[shape_naming(t)].role == SHAPE_REF)
        return true;
    return oracle_has_died(o, oracle_bare(o, r->name)) &&
           view_child(final, o->shape, r->table, r->name, NULL) != NULL;
}

static bool judge_cells(const struct oracle *o, const struct view *final, const struct view_row *r,
                        struct err *e)
{
    const struct shape_table *t = &o->shape->tables[r->table];
    const struct oracle_row *row = oracle_row(o, r->name);

    if (t->way == SHAPE_LOCAL || view_stays(o->shape, o->words, r) ||
        (row == NULL && names_are_mixed(o, r->table)))
        return true;
    if (row == NULL && is_kept(o, final, r))
        row = oracle_row(o, oracle_bare(o, r->name));
    if (row == NULL)
        return err_set(e, ERR_INPUT, "%s was written by nobody", words_text(o->words, r->name));
    if (row->moved && names_are_mixed(o, r->table))
        return true;
    for (uint32_t c = t->keys; c < t->columns_n; c++)
        if ((o->unnamed[r->table] >> c & 1) == 0 &&
            (r->name == row->name || c != shape_naming(t)) && /* the name tells */
            !judge_column(o, row, c, r->cells[c], final, e)) {
            oracle_tell(o, row->name);
            return false;
        }
    return true;
}

/* ---- numbers that two PCs gave apart ---- */

/* The only write of a number in this row that nobody doubts; NULL if there is another one. */
static const struct oracle_event *only_claim(const struct oracle *o, const struct view_row *r,
                                             int column)
{
    const struct oracle_row *row = oracle_row(o, r->name);
    const struct oracle_event *claim = NULL;

    if (row != NULL && row->unions != 0)
        return NULL;
    for (uint32_t i = 0; row != NULL && i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        if (event->column != column && event->column != COLUMN_DEATH)
            continue;
        if (event->column == COLUMN_DEATH || claim != NULL || event->doubtful || !event->drained)
            return NULL;
        claim = event;
    }
    return claim != NULL && claim->value == r->cells[column] ? claim : NULL;
}

/* In how many rows has the number ever been written? */
static uint32_t rows_with(const struct oracle *o, uint32_t table, int column, uint32_t value)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < o->row_n; i++) {
        const struct oracle_row *row = &o->rows[i];
        bool had = false;

        for (uint32_t k = 0; k < row->n && row->table == table; k++)
            had |= o->events[row->events[k]].column == column &&
                   o->events[row->events[k]].value == value;
        n += had;
    }
    return n;
}

/* All marks in front of a number are those of whoever gave it. */
static bool is_marked_by(const struct oracle *o, const struct view_row *r, uint32_t column,
                         uint32_t site)
{
    const char *text = words_text(o->words, r->raw[column]) + 1;
    char mark[16];

    snprintf(mark, sizeof mark, "#PC%u-", site);
    while (strncmp(text, mark, strlen(mark)) == 0)
        text += strlen(mark);
    return text[0] != '#';
}

/* Two rows have one number, which was given twice and never else: the earlier one has it bare, the
 * later one bears its author's mark. */
static bool judge_pair(const struct oracle *o, const struct view_row *a, const struct view_row *b,
                       uint32_t column, struct err *e)
{
    const struct oracle_event *first = only_claim(o, a, (int)column),
                              *second = only_claim(o, b, (int)column);
    bool a_bare = a->raw[column] == a->cells[column];
    bool b_bare = b->raw[column] == b->cells[column];

    if (first == NULL || second == NULL ||
        rows_with(o, a->table, (int)column, a->cells[column]) != 2)
        return true;
    /* The one yielded when it was said, and was the earlier one when its stamp was corrected. */
    if (!a_bare && !b_bare && (first->latest == UINT64_MAX || second->latest == UINT64_MAX))
        return true;
    if (a_bare == b_bare)
        return err_set(e, ERR_INPUT, "%s and %s both %s number %s", words_text(o->words, a->name),
                       words_text(o->words, b->name), a_bare ? "show" : "yield",
                       words_text(o->words, a->cells[column]));
    if (!(a_bare ? is_marked_by(o, b, column, second->site)
                 : is_marked_by(o, a, column, first->site)))
        return err_set(e, ERR_INPUT, "%s or %s bears a mark of somebody else",
                       words_text(o->words, a->name), words_text(o->words, b->name));
    if (a_bare ? second->latest < first->earliest : first->latest < second->earliest)
        return err_set(e, ERR_INPUT, "of %s and %s the earlier one yields number %s",
                       words_text(o->words, a->name), words_text(o->words, b->name),
                       words_text(o->words, a->cells[column]));
    return true;
}

static bool judge_numbers(const struct oracle *o, const struct view *final, struct err *e)
{
    for (uint32_t i = 0; i < final->n && o->shape->journal; i++) {
        const struct view_row *a = &final->rows[i];
        const struct shape_table *t = &o->shape->tables[a->table];

        for (uint32_t k = i + 1; k < final->n && final->rows[k].table == a->table; k++)
            for (uint32_t c = t->keys; c < t->columns_n; c++)
                if (t->columns[c].role == SHAPE_DATA && t->columns[c].values == SHAPE_TICKET &&
                    a->cells[c] != WORD_NULL && a->cells[c] == final->rows[k].cells[c] &&
                    !judge_pair(o, a, &final->rows[k], c, e)) {
                    oracle_tell(o, a->name);
                    oracle_tell(o, final->rows[k].name);
                    return false;
                }
    }
    return true;
}

bool oracle_judge(const struct oracle *o, const struct view *final, struct err *e)
{
    for (uint32_t i = 0; i < o->row_n; i++) {
        const struct oracle_row *row = &o->rows[i];

        if (row->name == UINT32_MAX || (row->moved && names_are_mixed(o, row->table)))
            continue;
        if (!judge_life(o, row, final, e)) {
            oracle_tell(o, row->name);
            return false;
        }
    }
    for (uint32_t i = 0; i < final->n; i++)
        if (!judge_cells(o, final, &final->rows[i], e) || !judge_gone(o, &final->rows[i], e))
            return false;
    return judge_numbers(o, final, e);
}

static void tell_event(const struct oracle *o, uint32_t number)
{
    const struct oracle_event *event = &o->events[number];
    const struct shape_table *t = &o->shape->tables[o->rows[event->row].table];
    const char *what = event->column == COLUMN_BIRTH   ? "born"
                       : event->column == COLUMN_DEATH ? "deleted"
                                                       : t->columns[event->column].name;

    fprintf(stderr, "  event %u: site %u, tick %lld: %s", number, event->site,
            (long long)event->tick, what);
    if (event->column >= 0)
        fprintf(stderr, " = %s", words_text(o->words, event->value));
    if (event->delta)
        fprintf(stderr, " (%+lld quarters)", (long long)event->amount);
    if (event->drained)
        fprintf(stderr, " [%llu..%llu]", (unsigned long long)event->earliest >> 16,
                (unsigned long long)event->latest >> 16);
    fprintf(stderr, "%s%s, over", event->drained ? "" : " (not drained)",
            event->doubtful ? " (doubtful)" : "");
    for (uint32_t i = 0; i < event->over_n; i++)
        fprintf(stderr, " %u", event->over[i]);
    fprintf(stderr, "\n");
}

void oracle_tell(const struct oracle *o, uint32_t name)
{
    const struct oracle_row *row = oracle_row(o, name);

    fprintf(stderr, "history of %s:\n", words_text(o->words, name));
    for (uint32_t i = 0; row != NULL && i < row->n; i++)
        tell_event(o, row->events[i]);
}
