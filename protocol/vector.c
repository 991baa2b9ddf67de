#include <navette/vector.h>

#include <stdlib.h>
#include <string.h>

/* Where `a` is, or where it belongs. */
static uint32_t position(const struct vector *v, const struct actor *a)
{
    uint32_t low = 0, high = v->n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (actor_compare(&v->entries[middle].actor, a) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct vector_entry *vector_find(const struct vector *v, const struct actor *a)
{
    uint32_t at = position(v, a);

    return at < v->n && actor_equal(&v->entries[at].actor, a) ? &v->entries[at] : NULL;
}

uint64_t vector_get(const struct vector *v, const struct actor *a)
{
    const struct vector_entry *entry = vector_find(v, a);

    return entry == NULL ? 0 : entry->number;
}

static void reserve(struct vector *v, uint32_t n)
{
    if (n <= v->room)
        return;
    v->room = n < 8 ? 8 : n + n / 2;
    v->entries = mem_grow(v->entries, v->room * sizeof *v->entries);
}

bool vector_set(struct vector *v, const struct actor *a, uint64_t number, const uint8_t *hash)
{
    struct vector_entry entry = {.actor = *a, .number = number};
    uint32_t at = position(v, a);

    if (hash != NULL)
        memcpy(entry.hash, hash, HASH_BYTES);
    if (at == v->n || !actor_equal(&v->entries[at].actor, a)) {
        if (v->n >= ACTORS_MAX)
            return false;
        reserve(v, v->n + 1);
        memmove(v->entries + at + 1, v->entries + at, (v->n - at) * sizeof *v->entries);
        v->n++;
    }
    v->entries[at] = entry;
    return true;
}

void vector_drop_least(struct vector *v)
{
    uint32_t least = 0;

    for (uint32_t i = 1; i < v->n; i++)
        if (v->entries[i].number < v->entries[least].number)
            least = i;
    memmove(&v->entries[least], &v->entries[least + 1], (v->n - least - 1) * sizeof v->entries[0]);
    v->n--;
}

bool vector_covers(const struct vector *v, const struct vector *needed)
{
    for (uint32_t i = 0; i < needed->n; i++) {
        if (vector_get(v, &needed->entries[i].actor) < needed->entries[i].number)
            return false;
    }
    return true;
}

uint64_t vector_sum(const struct vector *v)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < v->n; i++)
        sum += v->entries[i].number;
    return sum;
}

uint64_t vector_sum_of(const struct vector *v, const struct site_id *site)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < v->n; i++)
        if (actor_is_of(&v->entries[i].actor, site))
            sum += v->entries[i].number;
    return sum;
}

void vector_copy(struct vector *to, const struct vector *from)
{
    if (to == from)
        return;
    to->n = 0;
    reserve(to, from->n);
    if (from->n > 0)
        memcpy(to->entries, from->entries, from->n * sizeof *from->entries);
    to->n = from->n;
}

void vector_close(struct vector *v)
{
    free(v->entries);
    *v = (struct vector){0};
}

void vector_write(struct writer *w, const struct vector *v)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < v->n; i++)
        count += v->entries[i].number > 0;
    write_array(w, count);
    for (uint32_t i = 0; i < v->n; i++) {
        const struct vector_entry *entry = &v->entries[i];

        if (entry->number == 0)
            continue;
        write_array(w, 3);
        write_bin(w, SLICE(entry->actor.bytes));
        write_uint(w, entry->number);
        write_bin(w, SLICE(entry->hash));
    }
}

static void read_entry(struct reader *r, struct vector_entry *entry)
{
    read_array_exact(r, 3, "a vector's entry");
    read_bin_exact(r, entry->actor.bytes, ACTOR_BYTES, "a vector's actor");
    entry->number = read_uint(r, VECTOR_NUMBER_MAX, "a vector's number");
    read_bin_exact(r, entry->hash, HASH_BYTES, "a vector's hash");
    if (!r->failed && entry->number == 0)
        read_fail(r, ERR_INPUT, "a vector has the number 0");
}

void vector_read(struct reader *r, struct vector *v)
{
    uint32_t count = read_array(r, ACTORS_MAX, "a vector");

    v->n = 0;
    reserve(v, count);
    for (uint32_t i = 0; i < count; i++) {
        struct vector_entry *entry = &v->entries[i];

        read_entry(r, entry);
        if (r->failed)
            break;
        if (i > 0 && actor_compare(&entry[-1].actor, &entry->actor) >= 0)
            read_fail(r, ERR_INPUT, "a vector's actors are not in rising order");
        v->n++;
    }
    if (r->failed)
        v->n = 0;
}
