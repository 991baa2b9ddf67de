/* Bucket: so much in a second, and some of it at once. Pure: no clock. */
#ifndef NAVETTE_BUCKET_H
#define NAVETTE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket_size {
    double rate;  /* a second */
    double burst; /* at once, after a pause */
};

/* A zeroed struct is full. All times are monotonic. */
struct bucket {
    double used;
    uint64_t at_ms;
};

/* Take `n`, at most the burst. False, and nothing is taken, when there is less. */
bool bucket_take(struct bucket *b, const struct bucket_size *size, double n, uint64_t now_ms);
/* Take `n` whatever there is: more than there was makes a debt, paid off at the same rate. */
void bucket_charge(struct bucket *b, const struct bucket_size *size, double n, uint64_t now_ms);
/* How long until the debt is paid off; 0: there is none. */
uint64_t bucket_debt_ms(const struct bucket *b, const struct bucket_size *size);

#endif
