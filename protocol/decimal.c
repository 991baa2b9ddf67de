#include <navette/decimal.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMB        DECIMAL_LIMB
#define LIMB_DIGITS 18

bool decimal_equal(const struct decimal *a, const struct decimal *b)
{
    return a->whole == b->whole && a->part == b->part && a->rest == b->rest;
}

bool decimal_is_zero(const struct decimal *d)
{
    return d->whole == 0 && d->part == 0 && d->rest == 0;
}

bool decimal_within(const struct decimal *d, int64_t max)
{
    bool exact = d->part == 0 && d->rest == 0;

    return d->whole >= -max && (d->whole < max || (d->whole == max && exact));
}

bool decimal_add(struct decimal *sum, const struct decimal *a, const struct decimal *b)
{
    uint64_t rest = a->rest + b->rest;
    uint64_t part = a->part + b->part + (rest >= LIMB);
    int64_t whole;

    if (__builtin_add_overflow(a->whole, b->whole, &whole) ||
        __builtin_add_overflow(whole, part >= LIMB ? 1 : 0, &whole))
        return false;
    *sum = (struct decimal){whole, part % LIMB, rest % LIMB};
    return true;
}

bool decimal_subtract(struct decimal *difference, const struct decimal *a, const struct decimal *b)
{
    bool borrow_part = a->rest < b->rest;
    bool borrow_whole = a->part < b->part + borrow_part;
    int64_t whole;

    if (__builtin_sub_overflow(a->whole, b->whole, &whole) ||
        __builtin_sub_overflow(whole, borrow_whole ? 1 : 0, &whole))
        return false;
    *difference =
        (struct decimal){whole, a->part + (borrow_whole ? LIMB : 0) - b->part - borrow_part,
                         a->rest + (borrow_part ? LIMB : 0) - b->rest};
    return true;
}

/* ---- text ---- */

void decimal_text(const struct decimal *d, unsigned digits, char out[DECIMAL_TEXT_MAX])
{
    uint64_t rest = d->rest, part = d->part, whole = (uint64_t)d->whole;
    char fraction[2 * LIMB_DIGITS + 1];
    unsigned n = 2 * LIMB_DIGITS;

    if (d->whole < 0) { /* the magnitude: zero minus all three */
        bool borrow_part = rest > 0, borrow_whole = part > 0 || borrow_part;

        rest = borrow_part ? LIMB - rest : 0;
        part = borrow_whole ? LIMB - part - borrow_part : 0;
        whole = 0 - whole - borrow_whole;
    }
    snprintf(fraction, sizeof fraction, "%018" PRIu64 "%018" PRIu64, part, rest);
    while (n > digits && fraction[n - 1] == '0')
        n--;
    snprintf(out, DECIMAL_TEXT_MAX, "%s%" PRIu64 "%s%.*s", d->whole < 0 ? "-" : "", whole,
             n > 0 ? "." : "", (int)n, fraction);
}

/* Up to 18 digits as the front of a limb. */
static uint64_t limb_of(const uint8_t *p, size_t n)
{
    uint64_t limb = 0;

    for (size_t i = 0; i < LIMB_DIGITS; i++)
        limb = limb * 10 + (i < n ? (uint64_t)(p[i] - '0') : 0);
    return limb;
}

static size_t count_digits(struct slice s)
{
    size_t n = 0;

    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    return n;
}

/* The number of its sign and digits; there are no more than fit. */
static bool assemble(bool negative, uint64_t whole, struct slice fraction, struct decimal *d)
{
    static const struct decimal zero;
    struct decimal positive;
    size_t front = fraction.n < LIMB_DIGITS ? fraction.n : LIMB_DIGITS;

    if (whole > (uint64_t)DECIMAL_VALUE_MAX)
        return false;
    positive = (struct decimal){(int64_t)whole, limb_of(fraction.p, front),
                                limb_of(fraction.p + front, fraction.n - front)};
    if (!negative)
        *d = positive;
    return (!negative || decimal_subtract(d, &zero, &positive)) &&
           decimal_within(d, DECIMAL_VALUE_MAX);
}

bool decimal_parse(struct slice text, struct decimal *d, unsigned *digits)
{
    static const uint8_t none[1];
    bool negative = text.n > 0 && text.p[0] == '-';
    struct slice left = {text.p + negative, text.n - negative}, fraction = {none, 0};
    size_t n = text.n == 0 ? 0 : count_digits(left);
    uint64_t whole = 0;

    if (n == 0 || n > 19 || (n > 1 && left.p[0] == '0'))
        return false;
    for (size_t i = 0; i < n; i++)
        whole = whole * 10 + (uint64_t)(left.p[i] - '0');
    left = (struct slice){left.p + n, left.n - n};
    if (left.n > 0) {
        if (left.p[0] != '.')
            return false;
        fraction = (struct slice){left.p + 1, left.n - 1};
        if (fraction.n == 0 || fraction.n > DECIMAL_DIGITS_MAX ||
            count_digits(fraction) != fraction.n)
            return false;
    }
    *digits = (unsigned)fraction.n;
    if (!assemble(negative, whole, fraction, d))
        return false;
    return !negative || !decimal_is_zero(d);
}

/* ---- values ---- */

/* The digits of a REAL, as few as read back to the same bits, and the power of ten of the first. */
static void shortest(double v, char digits[32], int *exponent)
{
    char text[48];
    size_t n = 0;
    char *e;

    for (int more = 14; more <= 16; more++) {
        snprintf(text, sizeof text, "%.*e", more, v);
        if (strtod(text, NULL) == v)
            break;
    }
    e = strchr(text, 'e');
    *exponent = (int)strtol(e + 1, NULL, 10);
    for (const char *p = text; p < e; p++)
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
}

static bool decimal_of_real(double v, struct decimal *d)
{
    char digits[32], plain[2 * DECIMAL_TEXT_MAX];
    struct slice fraction;
    uint64_t whole = 0;
    int exponent, n, at = 0;

    if (!isfinite(v) || (v == 0 && signbit(v)) || fabs(v) > (double)DECIMAL_VALUE_MAX)
        return false;
    shortest(v, digits, &exponent);
    n = (int)strlen(digits);
    if (n - 1 - exponent > DECIMAL_DIGITS_MAX)
        return false;
    for (int i = 0; i <= exponent; i++)
        whole = whole * 10 + (uint64_t)(i < n ? digits[i] - '0' : 0);
    for (int i = exponent + 1; i < n; i++)
        plain[at++] = i < 0 ? '0' : digits[i];
    fraction = (struct slice){(const uint8_t *)plain, (size_t)at};
    return assemble(v < 0, whole, fraction, d);
}

bool decimal_of_value(const struct value *v, struct decimal *d, uint8_t *form)
{
    unsigned digits;

    switch (v->type) {
    case VALUE_INT:
        *d = (struct decimal){.whole = v->i};
        *form = DECIMAL_INTEGER;
        return decimal_within(d, DECIMAL_VALUE_MAX);
    case VALUE_REAL:
        *form = DECIMAL_REAL;
        return decimal_of_real(v->r, d);
    case VALUE_TEXT:
        if (!decimal_parse(v->bytes, d, &digits))
            return false;
        *form = (uint8_t)(DECIMAL_TEXT + digits);
        return true;
    case VALUE_NULL:
    case VALUE_BLOB:
    case VALUE_REF:
        break;
    }
    return false;
}

struct value decimal_value(const struct decimal *d, uint8_t form, char room[DECIMAL_TEXT_MAX])
{
    if (form == DECIMAL_INTEGER && d->part == 0 && d->rest == 0)
        return (struct value){.type = VALUE_INT, .i = d->whole};
    decimal_text(d, form < DECIMAL_TEXT ? 0 : form - DECIMAL_TEXT, room);
    if (form < DECIMAL_TEXT)
        return (struct value){.type = VALUE_REAL, .r = strtod(room, NULL)};
    return (struct value){.type = VALUE_TEXT, .bytes = slice_text(room)};
}

/* ---- totals on the wire ---- */

void write_decimal(struct writer *w, const struct decimal *d)
{
    char text[DECIMAL_TEXT_MAX];

    if (d->part == 0 && d->rest == 0) {
        write_int(w, d->whole);
        return;
    }
    decimal_text(d, 0, text);
    write_text(w, slice_text(text));
}

bool decimal_of_total(const struct value *v, struct decimal *d)
{
    unsigned digits = 0;

    if (v->type == VALUE_INT)
        *d = (struct decimal){.whole = v->i};
    else if (v->type != VALUE_TEXT || !decimal_parse(v->bytes, d, &digits) || digits == 0 ||
             v->bytes.p[v->bytes.n - 1] == '0')
        return false;
    return decimal_within(d, DECIMAL_TOTAL_MAX);
}

struct decimal read_decimal(struct reader *r, const char *what)
{
    struct value v = read_value(r);
    struct decimal d = {0};

    if (!r->failed && !decimal_of_total(&v, &d))
        read_fail(r, ERR_INPUT, "%s is no number in its shortest form up to %" PRId64, what,
                  DECIMAL_TOTAL_MAX);
    return r->failed ? (struct decimal){0} : d;
}
