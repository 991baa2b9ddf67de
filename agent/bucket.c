#include "bucket.h"

static void refill(struct bucket *b, const struct bucket_size *size, uint64_t now_ms)
{
    if (now_ms > b->at_ms)
        b->used -= (double)(now_ms - b->at_ms) * size->rate / 1000;
    if (b->used < 0)
        b->used = 0;
    b->at_ms = now_ms;
}

bool bucket_take(struct bucket *b, const struct bucket_size *size, double n, uint64_t now_ms)
{
    refill(b, size, now_ms);
    if (b->used + n > size->burst)
        return false;
    b->used += n;
    return true;
}

void bucket_charge(struct bucket *b, const struct bucket_size *size, double n, uint64_t now_ms)
{
    refill(b, size, now_ms);
    b->used += n;
}

uint64_t bucket_debt_ms(const struct bucket *b, const struct bucket_size *size)
{
    double debt = b->used - size->burst;

    return debt <= 0 ? 0 : (uint64_t)(debt * 1000 / size->rate) + 1;
}
