/* agent.conf: `name = value` lines, `#` comments. One table of options parses it, checks it, prints
 * the help and writes the commented file. Unknown names and bad values are errors that give file
 * and line. */
#ifndef NAVETTE_CONFIG_H
#define NAVETTE_CONFIG_H

#include <stdio.h>

#include <navette/bounds.h>
#include <navette/bytes.h>

#include "file.h"

#define CONFIG_PEERS_MAX       32
#define PORT_DEFAULT           7400
#define DISCOVERY_PORT_DEFAULT 7401

/* A numeric IPv4 address and a port. */
struct address {
    char host[16]; /* "192.168.1.20"; "" when not set */
    uint16_t port;
};

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct config {
    char database[PATH_BYTES_MAX]; /* the application's file, absolute; never empty after
                                      config_load */
    char name[NAME_BYTES_MAX + 1]; /* what other PCs call this one; never empty after config_load */
    struct address listen; /* host "" when the person did not say: 0.0.0.0, PORT_DEFAULT, a free
                              port if that is taken */
    bool discovery;        /* find peers by broadcast */
    int64_t discovery_port;
    struct address peers[CONFIG_PEERS_MAX]; /* dialled besides those that discovery finds */
    uint32_t peer_count;
    char drop_folder[PATH_BYTES_MAX]; /* absolute, holds entrant, sortant, archive, logs; "" for
                                         none */
    char control_group[NAME_BYTES_MAX + 1]; /* its users may control the agent, too; "" for none */
    bool copy; /* when joining: this file is a copy of the fleet's database */
    enum log_level log_level;
    int64_t quiet_ms;      /* apply when the application has not written for so long... */
    int64_t quiet_wait_ms; /* ...or when that did not happen for so long */
    int64_t rekey_s;       /* so long a link's keys serve */
    int64_t renew_s;       /* so old a link gets */
};

void config_defaults(struct config *c);
/* Take one setting. ERR_USAGE for an unknown name, ERR_INPUT or ERR_LIMIT for a bad value. */
MUST_USE bool config_set(struct config *c, const char *name, const char *value, struct err *e);
/* Parse a whole file over `c`; `label` stands for the file in errors ("agent.conf:3: ..."). A name
 * given twice is an error. */
MUST_USE bool config_parse(struct config *c, struct slice text, const char *label, struct err *e);
/* Defaults, then the file; database and name must be set by it. */
MUST_USE bool config_load(struct config *c, const char *path, struct err *e);
/* Write all options with their explanations: values that are defaults as comments. Replaces the
 * file whole and durably. */
MUST_USE bool config_save(const struct config *c, const char *path, struct err *e);
void config_write(const struct config *c, struct buf *out);
/* One line per option, for --help. */
void config_help(FILE *out);
/* Name, default and explanation of the option `i`, from 0; false when there are no more. */
bool config_option(size_t i, const char **name, const char **preset, const char **help);

/* "192.168.1.20:7400" or, with default_port not 0, "192.168.1.20". */
MUST_USE bool address_parse(struct address *a, const char *text, uint16_t default_port,
                            struct err *e);

#endif
