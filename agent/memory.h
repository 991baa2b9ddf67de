/* Memory: after large work, give back to the system what the allocator keeps for next time. */
#ifndef NAVETTE_MEMORY_H
#define NAVETTE_MEMORY_H

void memory_give_back(void);

#endif
