/* agent.conf: any bytes give settings within their limits or an error with a line; what was
 * accepted is written and read back. */
#include <stdlib.h>

#include "../../agent/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct config c;
    struct config again;
    struct err e = {0};
    struct buf text;

    config_defaults(&c);
    if (!config_parse(&c, (struct slice){bytes, n}, "fuzz", &e))
        return e.code == ERR_NONE ? abort(), 0 : 0;
    buf_open(&text, CONFIG_BYTES_MAX);
    config_write(&c, &text);
    config_defaults(&again);
    if (text.overflow || !config_parse(&again, buf_slice(&text), "again", &e))
        abort();
    buf_close(&text);
    return 0;
}
