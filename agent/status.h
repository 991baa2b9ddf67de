/* Status: the one snapshot of this agent that text, JSON and metrics are made from (agent_status in
 * agent.h), and the conditions that only time brings about. */
#ifndef NAVETTE_STATUS_H
#define NAVETTE_STATUS_H

struct agent;

#define STATUS_SCHEMA 1

/* About once a second: raise and end the warnings that nobody else does. */
void status_tick(struct agent *a);
/* After calls of the store: what it has to say to people, or not any more. */
void status_note_trouble(struct agent *a);

#endif
