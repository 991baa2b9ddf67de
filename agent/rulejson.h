/* A rule as JSON, the same in requests, in answers and in files of rules:
 *
 *     {"table": "sale", "columns": [], "kind": "both", "where": "agence_id = 8", "site": "DEPOT"}
 */
#ifndef NAVETTE_RULEJSON_H
#define NAVETTE_RULEJSON_H

#include <navette/roster.h>

struct json_object;

/* As somebody asks for it: the site is still a name. */
struct asked_rule {
    struct rule rule;
    char site[NAME_BYTES_MAX + 1]; /* "" for all */
    bool says_names;               /* rule.where was called "names", or "where" */
};

/* "missing" (in a list: the database has not what it names) is passed over. "target"
 * ("sale.client") may stand for table and columns; what is null or "" is as if it were not there,
 * but for an empty argument. References by names of tables have "names", other kinds "where".
 * Unknown names are errors. The rule is checked only as far as its texts fit. */
MUST_USE bool rulejson_read(struct asked_rule *a, struct json_object *o, struct err *e);
void asked_rule_close(struct asked_rule *a);
/* A new reference. Fields without a value are left out. */
struct json_object *rulejson_write(const struct rule *r, const struct roster *roster);

#endif
