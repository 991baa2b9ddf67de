/* One line on the control socket: any bytes give a checked request or an error that can be
 * answered. */
#include <stdlib.h>

#include "../../agent/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct request r;
    struct err e = {0};
    struct buf answer;

    buf_open(&answer, ANSWER_BYTES_MAX);
    if (!request_parse(&r, (struct slice){bytes, n}, &e)) {
        if (e.code == ERR_NONE)
            abort();
        answer_error(&answer, r.id, &e);
        if (answer.overflow || !slice_is_utf8(buf_slice(&answer)))
            abort();
    }
    request_close(&r);
    buf_close(&answer);
    return 0;
}
