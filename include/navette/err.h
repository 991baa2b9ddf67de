/* Error carrier: every function that can fail returns bool and fills one of these. */
#ifndef NAVETTE_ERR_H
#define NAVETTE_ERR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE               __attribute__((warn_unused_result))
#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))
#define COUNT_OF(array)        (sizeof(array) / sizeof((array)[0]))

enum err_code {
    ERR_NONE,
    ERR_INPUT,     /* bytes or words that break the rules of their format */
    ERR_LIMIT,     /* well-formed, but larger than the named limit */
    ERR_CRYPTO,    /* a signature, tag or hash that does not verify */
    ERR_STRANGER,  /* from somebody who is not in the roster or the fleet */
    ERR_REVOKED,   /* by or for one that was shut out of the fleet */
    ERR_CONTESTED, /* one would get back by its own word what was taken from it */
    ERR_SKEW,      /* a stamp too far in the future */
    ERR_GAP,       /* valid, but something it builds on is missing */
    ERR_BUSY,      /* somebody else holds the lock: try again later, nothing was changed */
    ERR_FULL,      /* the disk is full */
    ERR_STORE,     /* SQLite or a file failed; the text says which */
    ERR_REFUSED,   /* we will not do this: the text says why and what to do instead */
    ERR_NET,       /* a socket failed */
    ERR_TWIN,      /* somebody else speaks under the same identity */
    ERR_USAGE      /* a person asked for something that does not exist */
};

struct err {
    enum err_code code;
    char text[480];
};

/* Fill `e` and return false. The first error stands: a later err_set on a filled `e` is ignored. */
bool err_set(struct err *e, enum err_code code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Put "context: " in front of the text of `e` and return false. */
bool err_wrap(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);

/* Make `e` empty again. */
void err_clear(struct err *e);

/* Stable lower-case word of a code ("limit"), for JSON and logs. */
const char *err_code_name(enum err_code code);

#endif
