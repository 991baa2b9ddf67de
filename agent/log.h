/* Log lines: an event and its facts, `log_info("link up peer=%s addr=%s", ...)`, to stderr and to a
 * bounded file. error: someone must act. warn: we coped. info: state changed. debug: the trace.
 * Never a key, never a row.
 *
 * There is one log per process, the only state of the shell that is not passed around: a line may
 * have to be written from anywhere. Without log_open, lines go to stderr from level warn. */
#ifndef NAVETTE_LOG_H
#define NAVETTE_LOG_H

#include "config.h"

#define LOG_LINE_BYTES_MAX 1024       /* a longer line is cut, and says so with "..." */
#define LOG_FILE_BYTES_MAX (1u << 20) /* then it becomes agent.log.1, .1 becomes .2... */
#define LOG_FILES_MAX      4

/* `path` NULL: stderr only. A file that cannot be opened is reported on stderr and done without. */
void log_open(enum log_level level, const char *path, bool to_stderr);
void log_close(void);
void log_level_set(enum log_level level);
bool log_enabled(enum log_level level);

void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);

/* At most `burst` lines a minute for something a peer can provoke. Ask before each line; when it
 * says yes, `suppressed` of the struct is how many were left out since the last one. A zeroed
 * struct is valid. */
struct log_limit {
    uint64_t minute; /* that `used` counts in */
    uint32_t used;
    uint32_t left_out;   /* since the last yes */
    uint32_t suppressed; /* before this yes */
};
bool log_allowed(struct log_limit *l, uint32_t burst, uint64_t now_ms);
/* When a minute in which lines were left out is over and none came since: how many; they are not
 * told again. Ask now and then. */
uint32_t log_left_out(struct log_limit *l, uint64_t now_ms);
/* A line that says so of what is like `what`. */
void log_more(struct log_limit *l, const char *what, uint64_t now_ms);

#endif
