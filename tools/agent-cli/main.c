/* agent-cli: what a person types to set up, watch and steer the agent of one home. */
#include <navette/keys.h>

#include "answer.h"
#include "memory.h"
#include "sigpipe.h"
#include "text.h"
#include "usage.h"

/* Wrong usage: say what, and where to look. */
static int refuse(const struct cli *c, const struct err *e)
{
    int code = answer_failed(c, e);

    if (c->command != NULL)
        fprintf(stderr, "`agent-cli help %s` says how.\n", usage_name(c->command));
    else if (c->group != NULL)
        fprintf(stderr, "`agent-cli help %s` says how.\n", c->group);
    else
        fputs("`agent-cli help` lists the commands.\n", stderr);
    return code;
}

int main(int argc, char **argv)
{
    static struct cli c;
    struct err e = {0};

    memory_hide(); /* tokens and keys pass through it */
    sigpipe_ignore();
    if (argc < 2) { /* nothing is asked for, not even JSON */
        usage_print(stderr, NULL);
        return CODE_USAGE;
    }
    if (!usage_parse(&c, argc, argv, &e))
        return refuse(&c, &e);
    if (c.version)
        return usage_version(&c);
    if (c.help)
        return usage_help(&c, c.command, c.group);
    if (!keys_library_start(&e) || !home_locate(&c.home, c.home_given, &e))
        return answer_failed(&c, &e);
    return usage_run(&c);
}
