/* What a hostile machine on the LAN sends, at a rate that is kept and told:
 *
 *     flood datagrams HOST PORT SOURCES RATE SECONDS [FILE]
 *         of 64 bytes: forged, or those of FILE in turn
 *     flood connects HOST PORT SOURCES RATE SECONDS [FILE]
 *         connections that say what might be a first frame, or FILE
 *     flood holds HOST PORT SOURCES COUNT SECONDS
 *         that many held at once, a byte of a first frame a second on each; one that is closed is
 *         opened anew
 *
 * SOURCES is one address of this machine or a range, "10.77.1.100-149": each is used in turn. At
 * the end, one line of JSON: connections tried; datagrams sent, or connections opened; what the
 * system refused; what the other end closed; how many stood at most; how long it took. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOURCES_MAX    200
#define DATAGRAM_BYTES 64
#define TOGETHER       50 /* datagrams in one call */
#define FILE_BYTES_MAX (1 << 20)
#define HELD_MAX       900
#define LIFE_NS        INT64_C(300000000) /* of a bogus connection, if nobody closes it sooner */
#define BYTE_NS        INT64_C(1000000000)

struct flood {
    struct sockaddr_in to, sources[SOURCES_MAX];
    uint32_t source_count, next_source;
    int64_t start, end;
    uint32_t rate;
    uint8_t file[FILE_BYTES_MAX];
    size_t file_bytes;
    uint64_t tried, sent, refused, closed, most;
    int poll;
    uint32_t open;
    struct held {
        int64_t since, said;
        size_t bytes;
    } held[HELD_MAX]; /* by descriptor */
};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void give_up(const char *doing)
{
    fprintf(stderr, "flood: %s: %s\n", doing, strerror(errno));
    exit(1);
}

static uint32_t number(const char *text)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (*text == '\0' || *end != '\0' || n > INT32_MAX)
        give_up(text);
    return (uint32_t)n;
}

static void parse_sources(struct flood *f, const char *text)
{
    char first[64];
    const char *dash = strchr(text, '-');
    struct sockaddr_in at = {.sin_family = AF_INET};
    uint32_t i, ip;

    snprintf(first, sizeof first, "%.*s", (int)strcspn(text, "-"), text);
    if (inet_pton(AF_INET, first, &at.sin_addr) != 1)
        give_up(text);
    ip = ntohl(at.sin_addr.s_addr);
    f->source_count = dash == NULL ? 1 : number(dash + 1) - (ip & 255) + 1;
    if (f->source_count == 0 || f->source_count > SOURCES_MAX)
        give_up(text);
    for (i = 0; i < f->source_count; i++) {
        f->sources[i] = at;
        f->sources[i].sin_addr.s_addr = htonl(ip + i);
    }
}

/* How many should have gone out by now. */
static uint64_t due(const struct flood *f)
{
    int64_t now = now_ns();

    if (now > f->end)
        now = f->end;
    return (uint64_t)((now - f->start) / 1000) * f->rate / 1000000;
}

static void nap(void)
{
    struct timespec t = {.tv_nsec = 1000000};

    nanosleep(&t, NULL);
}

/* ---- datagrams ---- */

static void forge(uint8_t *datagram)
{
    static uint64_t state = 88172645463325252u; /* xorshift: nobody looks closer at these bytes */
    int i;

    memcpy(datagram, "NVB1", 4);
    for (i = 4; i < DATAGRAM_BYTES; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        datagram[i] = (uint8_t)state;
    }
}

static int udp_socket(const struct sockaddr_in *from)
{
    int on = 1, fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)from, sizeof *from) != 0)
        give_up("bind");
    return fd;
}

static void send_together(struct flood *f, int fd, uint32_t n)
{
    uint8_t datagrams[TOGETHER][DATAGRAM_BYTES];
    struct mmsghdr messages[TOGETHER] = {0};
    struct iovec parts[TOGETHER];
    uint32_t i;
    int sent;

    for (i = 0; i < n; i++) {
        if (f->file_bytes > 0)
            memcpy(datagrams[i],
                   f->file + (f->sent + i) * DATAGRAM_BYTES %
                                 (f->file_bytes / DATAGRAM_BYTES * DATAGRAM_BYTES),
                   DATAGRAM_BYTES);
        else
            forge(datagrams[i]);
        parts[i] = (struct iovec){datagrams[i], DATAGRAM_BYTES};
        messages[i].msg_hdr.msg_name = &f->to;
        messages[i].msg_hdr.msg_namelen = sizeof f->to;
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    sent = sendmmsg(fd, messages, n, 0);
    if (sent > 0)
        f->sent += (uint32_t)sent;
    else
        f->refused++;
}

static void flood_datagrams(struct flood *f)
{
    int fds[SOURCES_MAX];
    uint32_t i;

    for (i = 0; i < f->source_count; i++)
        fds[i] = udp_socket(&f->sources[i]);
    while (now_ns() < f->end) {
        uint64_t wanted = due(f);

        while (f->sent < wanted && now_ns() < f->end) {
            uint64_t n = wanted - f->sent;

            send_together(f, fds[f->next_source++ % f->source_count],
                          n < TOGETHER ? (uint32_t)n : TOGETHER);
        }
        nap();
    }
}

/* ---- connections ---- */

static void hang_up(struct flood *f, int fd)
{
    struct linger at_once = {1, 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
    f->held[fd] = (struct held){0};
    f->open--;
}

static void connect_one(struct flood *f)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const struct sockaddr_in *from = &f->sources[f->next_source++ % f->source_count];
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = fd};

    if (fd < 0 || fd >= HELD_MAX) {
        if (fd >= 0)
            close(fd);
        f->refused++;
        return;
    }
    f->open++;
    f->held[fd].since = f->held[fd].said = now_ns();
    if (bind(fd, (const struct sockaddr *)from, sizeof *from) != 0 ||
        epoll_ctl(f->poll, EPOLL_CTL_ADD, fd, &wanted) != 0 ||
        (connect(fd, (const struct sockaddr *)&f->to, sizeof f->to) != 0 && errno != EINPROGRESS)) {
        f->refused++;
        hang_up(f, fd);
    }
}

/* False when it is over. */
static bool say(struct flood *f, int fd, bool bogus)
{
    uint8_t bytes[DATAGRAM_BYTES];
    size_t *said = &f->held[fd].bytes, n = bogus ? 50 : 1;
    const uint8_t *what = bytes + *said % sizeof bytes;

    forge(bytes);
    bytes[0] = 0;
    bytes[1] = 48; /* the length of a first frame */
    if (bogus && f->file_bytes > 0) {
        what = f->file;
        n = f->file_bytes;
    }
    *said += n;
    f->held[fd].said = now_ns();
    return send(fd, what, n, MSG_NOSIGNAL) >= 0 || errno == EAGAIN;
}

static void on_event(struct flood *f, const struct epoll_event *e, bool bogus)
{
    int fd = e->data.fd;
    uint8_t some[256];
    ssize_t n;

    if ((e->events & EPOLLIN) != 0) {
        do {
            n = recv(fd, some, sizeof some, 0);
        } while (n > 0);
        if (n == 0 || errno != EAGAIN) {
            f->closed++;
            hang_up(f, fd);
            return;
        }
    }
    if ((e->events & (EPOLLERR | EPOLLHUP)) != 0 || !(e->events & EPOLLOUT)) {
        if ((e->events & (EPOLLERR | EPOLLHUP)) != 0) {
            f->closed++;
            hang_up(f, fd);
        }
        return;
    }
    f->sent++;
    if (!say(f, fd, bogus)) {
        f->closed++;
        hang_up(f, fd);
    }
}

static void turn(struct flood *f, bool bogus)
{
    struct epoll_event events[64];
    int i, n = epoll_wait(f->poll, events, 64, 1);

    for (i = 0; i < n; i++)
        on_event(f, &events[i], bogus);
    if (f->open > f->most)
        f->most = f->open;
}

/* Those that lived long enough go; those that are held say one more byte. */
static void look_at_held(struct flood *f, bool bogus)
{
    int64_t now = now_ns();
    int fd;

    for (fd = 0; fd < HELD_MAX; fd++) {
        if (f->held[fd].since == 0)
            continue;
        if (bogus && now - f->held[fd].since > LIFE_NS)
            hang_up(f, fd);
        else if (!bogus && now - f->held[fd].said > BYTE_NS && !say(f, fd, false))
            hang_up(f, fd);
    }
}

static void flood_connections(struct flood *f, bool bogus)
{
    f->poll = epoll_create1(0);
    while (now_ns() < f->end) {
        uint32_t together = 0;

        while (together++ < TOGETHER && (bogus ? f->tried < due(f) : f->open < f->rate)) {
            f->tried++;
            connect_one(f);
        }
        turn(f, bogus);
        look_at_held(f, bogus);
    }
}

static void read_file(struct flood *f, const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        give_up(path);
    f->file_bytes = fread(f->file, 1, sizeof f->file, file);
    fclose(file);
    if (f->file_bytes < DATAGRAM_BYTES)
        give_up(path);
}

int main(int argc, char **argv)
{
    static struct flood f;

    if (argc != 7 && argc != 8)
        return 64;
    f.to =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)number(argv[3]))};
    if (inet_pton(AF_INET, argv[2], &f.to.sin_addr) != 1)
        give_up(argv[2]);
    parse_sources(&f, argv[4]);
    f.rate = number(argv[5]);
    if (argc == 8)
        read_file(&f, argv[7]);
    f.start = now_ns();
    f.end = f.start + number(argv[6]) * INT64_C(1000000000);
    if (strcmp(argv[1], "datagrams") == 0)
        flood_datagrams(&f);
    else if (strcmp(argv[1], "connects") == 0 || strcmp(argv[1], "holds") == 0)
        flood_connections(&f, argv[1][0] == 'c');
    else
        return 64;
    printf("{\"tried\": %llu, \"sent\": %llu, \"refused\": %llu, \"closed\": %llu, \"most\": %llu, "
           "\"ms\": %llu}\n",
           (unsigned long long)f.tried, (unsigned long long)f.sent, (unsigned long long)f.refused,
           (unsigned long long)f.closed, (unsigned long long)f.most,
           (unsigned long long)((now_ns() - f.start) / 1000000));
    return 0;
}
