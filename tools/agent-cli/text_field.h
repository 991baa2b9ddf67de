/* Reading the agent's answers: what is missing is empty. For text.c and text_review.c. */
#ifndef NAVETTE_TEXT_FIELD_H
#define NAVETTE_TEXT_FIELD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <json-c/json.h>

static inline struct json_object *field(struct json_object *o, const char *name)
{
    return json_object_is_type(o, json_type_object) ? json_object_object_get(o, name) : NULL;
}

static inline const char *text(struct json_object *o, const char *name)
{
    const char *s = json_object_get_string(field(o, name));

    return s != NULL ? s : "";
}

static inline int64_t number(struct json_object *o, const char *name)
{
    return json_object_get_int64(field(o, name));
}

static inline size_t count(struct json_object *list)
{
    return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

static inline bool is(struct json_object *o, const char *name, const char *value)
{
    return strcmp(text(o, name), value) == 0;
}

#endif
