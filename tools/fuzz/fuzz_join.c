/* Any bytes give a checked message of joining or an error, and a good one reads back the same. */
#include <stdlib.h>
#include <string.h>

#include <navette/join.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct join_message m;
    struct err e = {0};
    struct buf out = {0};
    bool ok = join_message_read(&m, (struct slice){bytes, n}, &e);

    if (ok != (e.code == ERR_NONE))
        abort();
    if (!ok)
        return 0;
    buf_open(&out, n + 1);
    join_message_write(&out, &m);
    if (out.overflow || out.n != n || memcmp(out.p, bytes, n) != 0)
        abort();
    buf_close(&out);
    return 0;
}
