#include "words.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BYTES_MAX 4096

void words_open(struct words *w)
{
    *w = (struct words){0};
    words_add(w, "NULL");
    words_add(w, "absent");
}

void words_close(struct words *w)
{
    for (uint32_t i = 0; i < w->n; i++)
        free(w->texts[i]);
    free(w->texts);
    free(w->slots);
    *w = (struct words){0};
}

/* FNV-1a. */
static uint32_t hash_of(const char *text)
{
    uint32_t hash = 2166136261u;

    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    return hash;
}

/* Where `text` stands in the table, or the free slot where it would. */
static uint32_t *slot_of(const struct words *w, const char *text)
{
    uint32_t at = hash_of(text) & (w->slot_count - 1);

    while (w->slots[at] != 0 && strcmp(w->texts[w->slots[at] - 1], text) != 0)
        at = (at + 1) & (w->slot_count - 1);
    return &w->slots[at];
}

static void grow(struct words *w)
{
    w->room = w->room == 0 ? 1024 : w->room * 2;
    w->texts = mem_grow(w->texts, w->room * sizeof *w->texts);
    free(w->slots);
    w->slot_count = w->room * 2;
    w->slots = mem_alloc(w->slot_count * sizeof *w->slots);
    for (uint32_t i = 0; i < w->n; i++)
        *slot_of(w, w->texts[i]) = i + 1;
}

uint32_t words_add(struct words *w, const char *text)
{
    uint32_t *slot;

    if (w->n == w->room)
        grow(w);
    slot = slot_of(w, text);
    if (*slot == 0) {
        w->texts[w->n] = mem_text(text);
        *slot = ++w->n;
    }
    return *slot - 1;
}

uint32_t words_format(struct words *w, const char *format, ...)
{
    char text[WORD_BYTES_MAX];
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert(n >= 0 && (size_t)n < sizeof text);
    return words_add(w, text);
}

const char *words_text(const struct words *w, uint32_t word)
{
    assert(word < w->n);
    return w->texts[word];
}
