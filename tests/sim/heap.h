/* Memory for SQLite: a week asks for it two hundred thousand times. One thread; pieces go back to
 * lists of their size, and never to the system. Where AddressSanitizer watches, the system's own.
 */
#ifndef SIM_HEAP_H
#define SIM_HEAP_H

/* Before SQLite is used. */
void heap_rule_sqlite(void);

#endif
