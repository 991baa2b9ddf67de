/* Dates as people and files write them: UTC, "2026-11-21T10:00:00.000Z". */
#ifndef NAVETTE_DATE_H
#define NAVETTE_DATE_H

#include <navette/bytes.h>

#define DATE_BYTES  24                        /* without the NUL */
#define DATE_MS_MAX UINT64_C(253402300799999) /* the last millisecond of the year 9999 */

/* Unix milliseconds up to DATE_MS_MAX. */
void date_write(char out[DATE_BYTES + 1], uint64_t ms);
/* False unless `text` is exactly what date_write gives for some time. */
MUST_USE bool date_read(uint64_t *ms, struct slice text);

#endif
