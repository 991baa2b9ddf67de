/* Memory: give back what large work needed, and keep to ourselves what is secret. */
#ifndef NAVETTE_MEMORY_H
#define NAVETTE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* From now on large pieces of memory go back to the system as soon as they are released, however
 * many there were: call it at the start. */
void memory_keep_little(void);
/* After large work, give back to the system what the allocator keeps for next time. */
void memory_give_back(void);
/* No core dump of this process, and no other one of the same user may look into it. */
void memory_hide(void);
/* Keep the pages of these bytes out of the swap file and of dumps; false when the system does not
 * let us. memory_unlock wipes the bytes. */
bool memory_lock(void *p, size_t n);
void memory_unlock(void *p, size_t n);
/* May we lock so much? */
bool memory_can_lock(size_t n);

#endif
