#include "log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <uv.h>

static struct {
    enum log_level level;
    bool to_stderr;
    char path[PATH_BYTES_MAX]; /* "" for no file */
    int file;
    uint64_t bytes;
} sink = {.level = LOG_WARN, .to_stderr = true, .file = -1};

static const char *const words[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

/* The file cannot be written: go on without it, and say so once. */
static void give_up_file(struct err *e)
{
    fprintf(stderr, "log file given up: %s\n", e->text);
    file_append_close(&sink.file);
    sink.path[0] = '\0';
}

static void open_file(void)
{
    struct err e = {0};

    if (!file_append_open(sink.path, 0600, &sink.file, &sink.bytes, &e))
        give_up_file(&e);
}

void log_open(enum log_level level, const char *path, bool to_stderr)
{
    log_close();
    sink.level = level;
    sink.to_stderr = to_stderr;
    if (path != NULL && strlen(path) < sizeof sink.path) {
        memcpy(sink.path, path, strlen(path) + 1);
        open_file();
    }
}

void log_close(void)
{
    file_append_close(&sink.file);
    sink.path[0] = '\0';
    sink.level = LOG_WARN;
    sink.to_stderr = true;
}

void log_level_set(enum log_level level)
{
    sink.level = level;
}

bool log_enabled(enum log_level level)
{
    return level <= sink.level;
}

/* agent.log.2 -> .3, .1 -> .2, agent.log -> .1: the oldest is overwritten. */
static void rotate(void)
{
    char from[PATH_BYTES_MAX + 16];
    char to[PATH_BYTES_MAX + 16];
    struct err e = {0};

    file_append_close(&sink.file);
    for (int i = LOG_FILES_MAX - 1; i >= 1; i--) {
        snprintf(to, sizeof to, "%s.%d", sink.path, i);
        if (i > 1)
            snprintf(from, sizeof from, "%s.%d", sink.path, i - 1);
        else
            snprintf(from, sizeof from, "%s", sink.path);
        if (file_exists(from) && !file_rename(from, to, &e)) {
            give_up_file(&e);
            return;
        }
    }
    open_file();
}

/* For people only; what is decided by time takes the loop's reading. */
static int stamp_write(char *out, size_t room)
{
    uv_timeval64_t now = {0};
    time_t seconds;
    const struct tm *t;

    uv_gettimeofday(&now);
    seconds = (time_t)now.tv_sec;
    t = gmtime(&seconds);
    if (t == NULL)
        return snprintf(out, room, "-");
    return snprintf(out, room, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t->tm_year + 1900,
                    t->tm_mon + 1, t->tm_mday, t->tm_hour, t->tm_min, t->tm_sec,
                    (int)(now.tv_usec / 1000));
}

/* One event is one line, whatever a fact holds. */
static void flatten(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = ' ';
    }
}

static void write_line(enum log_level level, const char *format, va_list arguments)
    PRINTF_LIKE(2, 0);

static void write_line(enum log_level level, const char *format, va_list arguments)
{
    char line[LOG_LINE_BYTES_MAX];
    struct err e = {0};
    size_t n;
    int length;

    if (level > sink.level)
        return;
    n = (size_t)stamp_write(line, sizeof line);
    n += (size_t)snprintf(line + n, sizeof line - n, " %-5s ", words[level]);
    length = vsnprintf(line + n, sizeof line - n - 1, format, arguments);
    if (length < 0)
        return;
    if (n + (size_t)length >= sizeof line - 1)
        memcpy(line + sizeof line - 5, "...", 4);
    flatten(line);
    n = strlen(line);
    line[n++] = '\n';
    if (sink.to_stderr)
        fwrite(line, 1, n, stderr);
    if (sink.file < 0)
        return;
    if (sink.bytes + n > LOG_FILE_BYTES_MAX)
        rotate();
    if (sink.file < 0)
        return;
    if (file_append(sink.file, (struct slice){(uint8_t *)line, n}, &e))
        sink.bytes += n;
    else if (e.code != ERR_FULL) /* a full disk empties again; until then stderr has the lines */
        give_up_file(&e);
}

void log_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(LOG_ERROR, format, arguments);
    va_end(arguments);
}

void log_warn(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(LOG_WARN, format, arguments);
    va_end(arguments);
}

void log_info(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(LOG_INFO, format, arguments);
    va_end(arguments);
}

void log_debug(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(LOG_DEBUG, format, arguments);
    va_end(arguments);
}

bool log_allowed(struct log_limit *l, uint32_t burst, uint64_t now_ms)
{
    uint64_t minute = now_ms / 60000;

    if (l->minute != minute) {
        l->minute = minute;
        l->used = 0;
    }
    if (l->used >= burst) {
        l->left_out++;
        return false;
    }
    l->used++;
    l->suppressed = l->left_out;
    l->left_out = 0;
    return true;
}

uint32_t log_left_out(struct log_limit *l, uint64_t now_ms)
{
    uint32_t n = l->minute != now_ms / 60000 ? l->left_out : 0;

    if (n > 0)
        l->left_out = 0;
    return n;
}

void log_more(struct log_limit *l, const char *what, uint64_t now_ms)
{
    uint32_t n = log_left_out(l, now_ms);

    if (n > 0)
        log_info("%u more like this: %s", n, what);
}
