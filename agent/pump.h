/* Pump: when the store drains, applies, matches and is opened again. One call of the store a loop
 * turn; a lock that somebody else holds is tried again by timer; nothing here waits. */
#ifndef NAVETTE_PUMP_H
#define NAVETTE_PUMP_H

#include <navette/bytes.h>

struct agent;
struct pump;

struct pump *pump_start(struct agent *a);
void pump_stop(struct pump *p);

/* Somebody committed to the application's file. */
void pump_changed(struct pump *p);
/* A change-set of somebody else's is in the log. */
void pump_staged(struct pump *p);
/* What came took much memory: it is given back when it is quiet. */
void pump_was_large(struct pump *p);
/* Look at everything now. */
void pump_poke(struct pump *p);
/* Once or twice a second: slow work, conditions that time changes. */
void pump_tick(struct pump *p);
/* A store call elsewhere failed while `doing`: note it for people. */
void pump_failed(struct pump *p, const char *doing, const struct err *e);
/* ...and one that went through shows that it is over. */
void pump_went_well(struct pump *p);
/* The file was replaced, or the fleet: close the store and open it again. Not from within a store
 * call's result. */
void pump_reopen(struct pump *p, const char *why);
/* There is a doubt (agent.doubt): close the store as soon as this callback has returned. */
void pump_halt(struct pump *p);
/* Close the store now, end all conversations first. */
void pump_close_store(struct pump *p, const char *why);
/* A conversation went on: a newcomer may have all that it waits for. */
void pump_heard(struct pump *p);
/* What waits for members that are away need not: a person says that they are gone for good. For a
 * newcomer also: that they have nothing that is here, too. */
void pump_without_absent(struct pump *p);
/* A person says that this PC's clock is right: if it was ahead, that is corrected. */
void pump_clock_is_right(struct pump *p);
/* A member told its local keys: what the rows here are matched with. Borrowed. */
void pump_take_keys(struct pump *p, struct slice keys);
/* Nothing to do and nothing failed. */
bool pump_is_idle(const struct pump *p);

/* How long our own work took, for status. */
struct pump_times {
    uint64_t drains, applies;            /* calls that did something */
    uint64_t drain_us_max, apply_us_max; /* the longest call: a slice of a drain is one */
    uint64_t drain_rows, apply_rows;
    uint64_t busy; /* times somebody else held the lock */
    uint64_t
        turn_us_max; /* processor time of the longest turn of the loop, in which nobody was heard */
};
const struct pump_times *pump_times(const struct pump *p);

#endif
