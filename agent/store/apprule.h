/* What the fleet's rules make of a table as it was read from the application's file. */
#ifndef NAVETTE_APPRULE_H
#define NAVETTE_APPRULE_H

#include <navette/rules.h>

#include "appdb.h"

/* A local table is no longer tracked; local columns are no longer among its columns but in
 * `local_names`, and what rows that arrive get there goes into `fill_names` and `fill_values`. A
 * key is never local. */
void app_rules_apply(const struct rules *rules, struct app_table *t);

#endif
