#include "spool.h"

#include <assert.h>

#include "file.h"

bool spool_add(struct spool *s, const char *directory, struct slice bytes, struct err *e)
{
    assert(s->at == NULL);
    if (!s->open && !file_nameless_open(directory, &s->file, e))
        return err_wrap(e, "put a large message aside");
    s->open = true;
    if (!file_append(s->file, bytes, e))
        return err_wrap(e, "put a large message aside in %s", directory);
    s->n += bytes.n;
    return true;
}

bool spool_view(struct spool *s, struct slice *all, struct err *e)
{
    assert(s->n > 0);
    if (s->at == NULL && !file_map(s->file, s->n, &s->at, e))
        return err_wrap(e, "a large message that was put aside");
    *all = (struct slice){s->at, s->n};
    return true;
}

void spool_close(struct spool *s)
{
    if (s->at != NULL)
        file_unmap(s->at, s->n);
    if (s->open)
        file_append_close(&s->file);
    *s = (struct spool){0};
}
