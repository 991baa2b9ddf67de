/* Words: every SQL literal and row name that the simulator meets, each once, so that comparing them
 * is comparing numbers. */
#ifndef SIM_WORDS_H
#define SIM_WORDS_H

#include <navette/bytes.h>

#define WORD_NULL   0 /* the literal NULL */
#define WORD_ABSENT 1 /* there is no such column */

struct words {
    char **texts;
    uint32_t n, room;
    uint32_t *slots; /* hash table of numbers + 1 */
    uint32_t slot_count;
};

void words_open(struct words *w);
void words_close(struct words *w);
uint32_t words_add(struct words *w, const char *text);
uint32_t words_format(struct words *w, const char *format, ...) PRINTF_LIKE(2, 3);
/* Good until words_close. */
const char *words_text(const struct words *w, uint32_t word);

#endif
