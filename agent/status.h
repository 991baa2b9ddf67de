/* Status: the one snapshot of this agent that text, JSON and metrics are made from (agent_status in
 * agent.h), and the conditions that only time brings about. */
#ifndef NAVETTE_STATUS_H
#define NAVETTE_STATUS_H

#include <stdint.h>

struct agent;
struct json_object;

#define STATUS_SCHEMA 1

/* Add a moment to an answer: "2026-11-21T10:00:00Z"; 0 is null. */
void status_add_time(struct json_object *o, const char *name, uint64_t wall_ms);
/* About once a second: raise and end the warnings that nobody else does. */
void status_tick(struct agent *a);
/* After calls of the store: what it has to say to people, or not any more. */
void status_note_trouble(struct agent *a);

#endif
