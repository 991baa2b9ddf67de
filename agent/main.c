/* navette-agent: runs in the foreground until SIGTERM, SIGINT or `agent-cli stop`. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "log.h"
#include "memory.h"
#include "sigpipe.h"

struct program {
    uv_loop_t loop;
    uv_signal_t term, interrupt;
    struct agent agent;
};

static void print_help(void)
{
    printf("usage: navette-agent [--home DIR]\n"
           "Keeps this PC's database the same as those of the other PCs of its fleet.\n"
           "Runs in the foreground until it gets SIGTERM, or agent-cli stop.\n\n"
           "  --home DIR   the agent's home (else NAVETTE_HOME, else this system's usual place)\n"
           "  --version    print the version\n"
           "  --help       print this\n\n"
           "Settings in DIR/agent.conf:\n");
    config_help(stdout);
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct program *p = signal->data;

    (void)number;
    agent_stop(&p->agent);
}

/* Signals do not keep the loop alive: it ends when the agent does. */
static void take_signals(struct program *p)
{
    uv_signal_init(&p->loop, &p->term);
    uv_signal_init(&p->loop, &p->interrupt);
    p->term.data = p->interrupt.data = p;
    uv_signal_start(&p->term, on_signal, SIGTERM);
    uv_signal_start(&p->interrupt, on_signal, SIGINT);
    uv_unref((uv_handle_t *)&p->term);
    uv_unref((uv_handle_t *)&p->interrupt);
}

static int run(struct program *p, const char *home)
{
    struct err e = {0};
    bool ok;

    if (uv_loop_init(&p->loop) != 0) {
        fprintf(stderr, "navette-agent: the system gives no event loop\n");
        return 2;
    }
    sigpipe_ignore();
    take_signals(p);
    ok = agent_open(&p->agent, &p->loop, home, &e);
    if (!ok) {
        fprintf(stderr, "navette-agent: %s\n", e.text);
        agent_stop(&p->agent);
    }
    agent_run(&p->agent);
    agent_close(&p->agent);
    uv_close((uv_handle_t *)&p->term, NULL);
    uv_close((uv_handle_t *)&p->interrupt, NULL);
    uv_run(&p->loop, UV_RUN_DEFAULT);
    uv_loop_close(&p->loop);
    return ok ? 0 : 2;
}

int main(int argc, char **argv)
{
    static struct program program;
    const char *home = NULL;
    int i;

    memory_hide();
    memory_keep_little();
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_help();
            return 0;
        }
        if (strcmp(argv[i], "--version") == 0) {
            printf("navette-agent %s\n", NAVETTE_VERSION);
            return 0;
        }
        if (strcmp(argv[i], "--home") != 0 || i + 1 == argc) {
            fprintf(stderr, "navette-agent: %s is not understood; see navette-agent --help\n",
                    argv[i]);
            return 64;
        }
        home = argv[++i];
    }
    return run(&program, home);
}
