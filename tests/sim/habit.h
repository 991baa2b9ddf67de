/* Habits: the operations that applications do to their tables, drawn by chance. */
#ifndef SIM_HABIT_H
#define SIM_HABIT_H

#include "app.h"

/* One operation in the open transaction, on what app.now shows. False with ERR_REFUSED when the
 * application's own schema forbids it, which an application can expect of some of them. */
MUST_USE bool habit_follow(struct app *a, struct err *e);

#endif
