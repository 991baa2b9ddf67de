/* Scenarios: stories of a shop, told one by one. Each call runs a group of cmocka tests and returns
 * how many failed. */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

int scenario_disk_run(void);     /* the fake disk forgets what a real one would, and no more */
int scenario_crash_run(void);    /* death at every step of a piece of work */
int scenario_conflict_run(void); /* what two wrote into one place: listed once, everywhere */
int scenario_fleet_run(void); /* splits, edits against deletes, numbers given twice, who is away */

#endif
