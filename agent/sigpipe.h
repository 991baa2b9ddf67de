/* Agent and agent-cli alike: a peer or a client that went away is an error of the write, which its
 * caller tells, and not the end of the process. */
#ifndef NAVETTE_SIGPIPE_H
#define NAVETTE_SIGPIPE_H

#include <signal.h>

#ifdef SIGPIPE
static inline void sigpipe_ignore(void)
{
    signal(SIGPIPE, SIG_IGN);
}
#else
static inline void sigpipe_ignore(void)
{
}
#endif

#endif
