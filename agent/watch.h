/* Watch: notices commits in the application's file. The system tells of writes to the database, its
 * WAL and its journal; that is before the commit is visible, so it is looked at again after 1, 4,
 * 16 and 64 ms, and at a slow tick. */
#ifndef NAVETTE_WATCH_H
#define NAVETTE_WATCH_H

struct agent;
struct watch;

struct watch *watch_start(struct agent *a);
void watch_stop(struct watch *w);
/* The store was opened: remember which file it is. */
void watch_opened(struct watch *w);

#endif
