/* Manual pages, in man(7) macros. */
#ifndef NAVETTE_MANUAL_H
#define NAVETTE_MANUAL_H

#include <stdio.h>

/* One line of running text: hyphens as typed, nothing taken for a macro. */
void manual_text(FILE *out, const char *text);
/* The page of navette-agent, with every setting of agent.conf. */
void manual_print_agent(FILE *out);

#endif
