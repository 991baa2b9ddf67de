/* Brief: change-sets that come in outline on one link, made whole with what the peer tells; and
 * what a peer asks about those that we told so. */
#ifndef NAVETTE_BRIEF_H
#define NAVETTE_BRIEF_H

#include <navette/rebuild.h>
#include <navette/sync.h>

struct talk;

/* A zeroed one is valid: nothing is under way. */
struct brief {
    struct store_rebuild *rebuild; /* NULL: none */
    struct actor actor;
    uint64_t number;
    bool ended;             /* the conversation is to be told what came of it */
    bool over;              /* it has been told */
    struct slice changeset; /* it is whole; else `e` says why it is not */
    struct err e;
};

/* The peer's last question, while so much waits for the peer that it is not answered yet; an older
 * one is of no use to it. Zeroed: there is none. */
struct brief_debt {
    struct sync_outline ask;
    struct buf picks; /* of `ask` */
};

/* What a step of the conversation asks for in these matters. */
void brief_obey(struct talk *t, const struct sync_actions *todo);
/* The next event, if one ended; its bytes are good until brief_close. */
bool brief_event(struct talk *t, struct sync_event *ev);
/* The change-set is staged: what was told of can go. */
void brief_rest(struct brief *b);
/* Nothing waits for the peer any more: answer what it was not answered. */
void brief_pay(struct talk *t);
/* Forget what is under way. */
void brief_close(struct brief *b);
void brief_debt_close(struct brief_debt *d);

#endif
