/* Hybrid logical clock: a 64-bit stamp that orders changes and never runs backwards
 * (Kulkarni et al., "Logical Physical Clocks", 2014). */
#ifndef NAVETTE_HLC_H
#define NAVETTE_HLC_H

#include <navette/err.h>

/* A stamp is wall_ms << 16 | count: 48 bits of Unix milliseconds, 16 bits of counter. Comparing the
 * integers compares the times. 0 is the zero clock: older than every write. */
struct hlc {
    uint64_t wall_ms; /* highest wall time seen, ours or a peer's */
    uint16_t count;   /* orders stamps that share a millisecond */
};

#define HLC_WALL_MS_MAX ((UINT64_C(1) << 47) - 1) /* so that a stamp also fits a signed integer */

uint64_t hlc_stamp(uint64_t wall_ms, uint16_t count);
uint64_t hlc_stamp_wall_ms(uint64_t stamp);

/* Stamp a local event. `now_ms` may go backwards; the result never does. */
uint64_t hlc_tick(struct hlc *h, uint64_t now_ms);

/* Take in a peer's stamp. Fails with ERR_SKEW, leaving `h` as it was, when the stamp is more than
 * HLC_SKEW_MS_MAX ahead of `now_ms`. */
MUST_USE bool hlc_merge(struct hlc *h, uint64_t stamp, uint64_t now_ms, struct err *e);

/* What is stored between runs: the latest stamp. */
uint64_t hlc_save(const struct hlc *h);
void hlc_load(struct hlc *h, uint64_t stamp);

#endif
