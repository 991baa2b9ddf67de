/* Caller: who is at the other end of the control socket. */
#ifndef NAVETTE_CALLER_H
#define NAVETTE_CALLER_H

#include <stdbool.h>

/* Is it the user that this process runs as, or root? Else it is somebody of `control_group`. Where
 * the system does not say who it is, everybody is: then the socket's rights are all there is. */
bool caller_is_ours(int socket);

#endif
