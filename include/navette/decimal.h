/* Exact decimal numbers, for counters: what a column shows, taken apart and put together again
 * without losing a digit or its storage class. No floating point takes part in a sum. */
#ifndef NAVETTE_DECIMAL_H
#define NAVETTE_DECIMAL_H

#include <navette/wire.h>

/* whole + part / 10^18 + rest / 10^36, where part and rest are below 10^18 and never negative:
 * -0.5 is -1 + 0.5. Each number has one such form. */
struct decimal {
    int64_t whole;
    uint64_t part, rest;
};

#define DECIMAL_LIMB       UINT64_C(1000000000000000000)
#define DECIMAL_DIGITS_MAX 36 /* behind the point */
/* No value beyond this is a decimal. It leaves room for all the totals of one cell: a sum of
 * ACTORS_MAX of them, less as many, cannot overflow, whatever the order. */
#define DECIMAL_VALUE_MAX INT64_C(4000000000000000000)
#define DECIMAL_TOTAL_MAX INT64_C(1000000000000000)
#define DECIMAL_TEXT_MAX  64 /* bytes of a number as text, with its NUL */

/* How a number stands in a column: its storage class, and for text the digits behind the point. */
enum { DECIMAL_INTEGER = 0, DECIMAL_REAL = 1, DECIMAL_TEXT = 2 };
#define DECIMAL_FORM_MAX (DECIMAL_TEXT + DECIMAL_DIGITS_MAX)

/* An INTEGER, a REAL in its shortest form that reads back to the same bits, or a TEXT like "-12.50"
 * (no plus, no superfluous zero in front, no exponent). False when the value is none of these, or
 * too large or too fine: what decimal_value makes of it is always the same value again. */
bool decimal_of_value(const struct value *v, struct decimal *d, uint8_t *form);
/* The number in that form. Where an INTEGER cannot hold it, it is a REAL; where a text has too few
 * digits, it gets more. Text borrows `room`. */
struct value decimal_value(const struct decimal *d, uint8_t form, char room[DECIMAL_TEXT_MAX]);

/* False when the result does not fit; `sum` may be one of the others. */
MUST_USE bool decimal_add(struct decimal *sum, const struct decimal *a, const struct decimal *b);
MUST_USE bool decimal_subtract(struct decimal *difference, const struct decimal *a,
                               const struct decimal *b);
bool decimal_equal(const struct decimal *a, const struct decimal *b);
bool decimal_is_zero(const struct decimal *d);
/* At least -max and at most max? */
bool decimal_within(const struct decimal *d, int64_t max);

/* As text, with at least so many digits behind the point and no zeros after those. */
void decimal_text(const struct decimal *d, unsigned digits, char out[DECIMAL_TEXT_MAX]);
/* `digits`: how many there are behind the point. */
bool decimal_parse(struct slice text, struct decimal *d, unsigned *digits);

/* A total: an integer, else the shortest text. The reader takes no other form, and none beyond
 * DECIMAL_TOTAL_MAX. */
void write_decimal(struct writer *w, const struct decimal *d);
struct decimal read_decimal(struct reader *r, const char *what);
/* The same from a value that was read already; false when it is no total. */
bool decimal_of_total(const struct value *v, struct decimal *d);

#endif
