#include "memory.h"

#include <stdlib.h> /* it says which C library this is */

#ifdef __GLIBC__
#include <malloc.h>

void memory_give_back(void)
{
    malloc_trim(0);
}
#else
/* Other allocators do so by themselves. */
void memory_give_back(void)
{
}
#endif
