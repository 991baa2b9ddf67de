#include "warning.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LOG_BURST 10

struct warning_kind {
    const char *word;
    bool failing;
    const char *remedy;
};

#define WARNING_KIND(id, word, failing, remedy) [WARNING_##id] = {word, failing, remedy},
static const struct warning_kind kinds[] = {WARNINGS(WARNING_KIND)};
#undef WARNING_KIND

static void log_left(enum warning_id id, uint32_t n)
{
    if (n > 0)
        log_warn("trouble code=%s %u more of this kind were not written", kinds[id].word, n);
}

void warnings_log_more(struct warnings *w, uint64_t wall_ms)
{
    for (int id = 0; id < WARNING_COUNT; id++)
        log_left((enum warning_id)id, log_left_out(&w->list[id].said, wall_ms));
}

void warning_set(struct warnings *w, enum warning_id id, uint64_t wall_ms, const char *format, ...)
{
    struct warning *warning = &w->list[id];
    char text[sizeof warning->text];
    va_list arguments;

    assert(id < WARNING_COUNT);
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (warning->since_ms != 0 && strcmp(warning->text, text) == 0)
        return;
    if (warning->since_ms == 0)
        warning->since_ms = wall_ms != 0 ? wall_ms : 1;
    memcpy(warning->text, text, sizeof text);
    if (!log_allowed(&warning->said, LOG_BURST, wall_ms))
        return;
    log_left(id, warning->said.suppressed);
    if (kinds[id].failing)
        log_error("trouble code=%s %s", kinds[id].word, text);
    else
        log_warn("trouble code=%s %s", kinds[id].word, text);
}

void warning_clear(struct warnings *w, enum warning_id id)
{
    struct warning *warning = &w->list[id];
    bool told = warning->said.left_out == 0;

    if (warning->since_ms == 0)
        return;
    *warning = (struct warning){.said = warning->said};
    if (told)
        log_info("trouble over code=%s", kinds[id].word);
}

bool warning_is_set(const struct warnings *w, enum warning_id id)
{
    return w->list[id].since_ms != 0;
}

const char *warning_word(enum warning_id id)
{
    return kinds[id].word;
}

const char *warning_remedy(enum warning_id id)
{
    return kinds[id].remedy;
}

bool warning_is_failing(enum warning_id id)
{
    return kinds[id].failing;
}
