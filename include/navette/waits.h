/* Change-sets that wait for a migration: their author's database, or this one, has been through a
 * change of many rows that the other one has not (a new version of the application, installed on
 * one PC before the other). They are staged and passed on, and come in once both have. */
#ifndef NAVETTE_WAITS_H
#define NAVETTE_WAITS_H

#include <navette/err.h>

struct store;

/* What waits and why, in words; NULL: nothing does. Good until the next call of the store. */
const char *store_waits(struct store *s);
/* A person says that they are to come in as they are, although values may be of different kinds. */
MUST_USE bool store_accept(struct store *s, struct err *e);

#endif
