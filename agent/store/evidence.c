#include "evidence.h"

#include <navette/hlc.h>

bool evidence_tells_time(uint64_t stamp)
{
    return hlc_stamp_wall_ms(stamp) != 0 && (stamp & 0xffff) == 0;
}

bool evidence_is_marked(const struct keymap *times, uint64_t stamp)
{
    struct row_key ms = int_key((int64_t)hlc_stamp_wall_ms(stamp));

    return keymap_get(times, 0, &ms) != 0;
}

bool evidence_weigh(const struct keymap *times, struct body_reader *in, enum evidence *says)
{
    *says = SAYS_NOTHING;
    while (body_next_table(in))
        while (body_next_row(in)) {
            if (in->row.op == CHANGE_REPAIR || !evidence_tells_time(in->row.stamp))
                continue;
            if (evidence_is_marked(times, in->row.stamp))
                *says = FOR;
            else if (*says == SAYS_NOTHING)
                *says = AGAINST;
        }
    return body_read_end(in);
}
