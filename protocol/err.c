#include <navette/err.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool err_set(struct err *e, enum err_code code, const char *format, ...)
{
    va_list arguments;

    if (e->code != ERR_NONE)
        return false;
    e->code = code;
    va_start(arguments, format);
    vsnprintf(e->text, sizeof e->text, format, arguments);
    va_end(arguments);
    return false;
}

bool err_wrap(struct err *e, const char *format, ...)
{
    char text[2 * sizeof e->text];
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(text, sizeof e->text, format, arguments);
    va_end(arguments);
    if (n < 0)
        return false;
    if ((size_t)n > sizeof e->text - 3)
        n = (int)sizeof e->text - 3;
    memcpy(text + n, ": ", 2);
    memcpy(text + n + 2, e->text, strlen(e->text) + 1);
    memcpy(e->text, text, sizeof e->text); /* the end is cut off where it is too long */
    e->text[sizeof e->text - 1] = '\0';
    return false;
}

void err_clear(struct err *e)
{
    e->code = ERR_NONE;
    e->text[0] = '\0';
}

const char *err_code_name(enum err_code code)
{
    static const char *const names[] = {
        [ERR_NONE] = "none",         [ERR_INPUT] = "input",
        [ERR_LIMIT] = "limit",       [ERR_CRYPTO] = "crypto",
        [ERR_STRANGER] = "stranger", [ERR_SKEW] = "skew",
        [ERR_GAP] = "gap",           [ERR_BUSY] = "busy",
        [ERR_FULL] = "full",         [ERR_STORE] = "store",
        [ERR_REFUSED] = "refused",   [ERR_NET] = "net",
        [ERR_TWIN] = "twin",         [ERR_USAGE] = "usage",
        [ERR_REVOKED] = "revoked",   [ERR_CONTESTED] = "contested",
    };

    return (size_t)code < COUNT_OF(names) ? names[code] : "unknown";
}
