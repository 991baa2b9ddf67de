/* What a request can come to when there is no store and no fleet behind it: nothing. */
#ifndef NAVETTE_TEST_IDLE_H
#define NAVETTE_TEST_IDLE_H

#include "admin.h"
#include "keep.h"
#include "request.h"
#include "review.h"
#include "rulebook.h"

bool rulebook_run(struct store *s, struct roster *roster, const struct keys *k,
                  const struct request *r, bool *grown, struct json_object **result, struct err *e)
{
    (void)s, (void)roster, (void)k, (void)r, (void)result;
    *grown = false;
    return err_set(e, ERR_REFUSED, "there is no store");
}

bool keep_fleet(struct agent *a, struct err *e)
{
    (void)a;
    (void)e;
    return true;
}

bool admin_run(struct agent *a, const struct request *r, struct json_object **result, struct err *e)
{
    (void)a;
    (void)r;
    (void)result;
    return err_set(e, ERR_REFUSED, "no fleet here");
}

bool review_writes(const struct request *r)
{
    return r->number > 0;
}

bool review_run(struct store *s, const struct request *r, uint64_t now_ms,
                struct json_object **result, struct err *e)
{
    (void)s;
    (void)r;
    (void)now_ms;
    (void)result;
    return err_set(e, ERR_REFUSED, "there is no store");
}

#endif
