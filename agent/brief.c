#include "brief.h"

#include "agent.h"
#include "log.h"
#include "pump.h"
#include "talk.h"

void brief_close(struct brief *b)
{
    store_rebuild_close(b->rebuild);
    *b = (struct brief){0};
}

void brief_debt_close(struct brief_debt *d)
{
    buf_close(&d->picks);
    *d = (struct brief_debt){0};
}

void brief_rest(struct brief *b)
{
    if (b->over)
        brief_close(b);
}

static void give_up(struct brief *b, const struct err *why)
{
    b->ended = true;
    b->changeset = (struct slice){0};
    b->e = *why;
}

/* Ask what is missing next, or be done. */
static void go_on(struct talk *t)
{
    struct brief *b = &t->brief;
    struct sync_outline question = {.actor = b->actor, .number = b->number};
    struct rebuild_ask ask;
    struct buf send = {0};
    struct err e = {0};

    if (!store_rebuild_next(b->rebuild, &ask, &b->changeset, &e)) {
        give_up(b, &e);
    } else if (ask.what == 0) {
        b->ended = true;
    } else {
        question.what = ask.what;
        question.picks = ask.picks;
        sync_ask(&t->sync, &question, &send);
        link_send_all(t->link, buf_slice(&send));
        buf_close(&send);
    }
}

static void take_outline(struct talk *t, const struct sync_outline *o)
{
    struct brief *b = &t->brief;
    struct err e = {0};

    brief_close(b);
    b->actor = o->actor;
    b->number = o->number;
    if (store_rebuild_open(t->agent->store, o->header, o->signature, o->outline, &b->rebuild, &e))
        go_on(t);
    else
        give_up(b, &e);
}

static void take_tell(struct talk *t, const struct sync_outline *tell)
{
    struct brief *b = &t->brief;
    struct err e = {0};

    if (store_rebuild_tell(b->rebuild, tell->bytes, &e))
        go_on(t);
    else
        give_up(b, &e);
}

/* A store that cannot read now is no fault of the peer's: without an answer it asks elsewhere, or
 * again. */
static void answer(struct talk *t, const struct sync_outline *ask)
{
    struct buf bytes, send = {0};
    struct err e = {0};

    buf_open(&bytes, BODY_BYTES_MAX);
    if (store_answer(t->agent->store, &ask->actor, ask->number, (enum outline_ask)ask->what,
                     ask->picks, &bytes, &e)) {
        sync_tell(ask->token, buf_slice(&bytes), &send);
        link_send_all(t->link, buf_slice(&send));
    } else if (e.code == ERR_INPUT || e.code == ERR_LIMIT) {
        talk_leave(t, &e);
    } else {
        pump_failed(t->agent->pump, "tell", &e);
    }
    buf_close(&bytes);
    buf_close(&send);
}

/* An answer may be much larger than its question. */
static void answer_in_time(struct talk *t, const struct sync_outline *ask)
{
    struct brief_debt *d = &t->debt;

    brief_debt_close(d);
    if (link_queued(t->link) < SYNC_UNSENT_BYTES) {
        answer(t, ask);
        return;
    }
    buf_open(&d->picks, ask->picks.n);
    buf_add(&d->picks, ask->picks.p, ask->picks.n);
    d->ask = *ask;
    d->ask.picks = buf_slice(&d->picks);
}

void brief_pay(struct talk *t)
{
    if (t->debt.ask.number == 0)
        return;
    answer(t, &t->debt.ask);
    brief_debt_close(&t->debt);
}

void brief_obey(struct talk *t, const struct sync_actions *todo)
{
    if (todo->outline.number != 0)
        take_outline(t, &todo->outline);
    if (todo->tell.number != 0)
        take_tell(t, &todo->tell);
    if (todo->ask.number != 0)
        answer_in_time(t, &todo->ask);
}

bool brief_event(struct talk *t, struct sync_event *ev)
{
    struct brief *b = &t->brief;

    if (!b->ended)
        return false;
    b->ended = false;
    b->over = true;
    ev->kind = SYNC_REBUILT;
    ev->actor = &b->actor;
    ev->ok = b->changeset.n > 0;
    ev->bytes = b->changeset;
    ev->e = &b->e;
    return true;
}
