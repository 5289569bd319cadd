/* The bytes between libssh2 and the peer; see internal.h. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* macOS: SO_NOSIGPIPE is set instead */
#endif

enum { QUEUE_MAX = 256 << 20 }; /* no honest call fills it */
enum { IN_VAIN = 10000 };       /* nor reads so often in one try, */
enum { TRY_MS = 1000 };         /* nor works for so long in one, */
enum { LOOK_AFTER = 64 };       /* which is looked at after so many reads */
enum { A_READ = 256 };          /* what a read costs, in bytes */
enum { BULK = 16384 };          /* a packet of bytes of a file */

s2_error *
s2_wire_open(s2_wire *w, int fd, bool ours)
{
    struct stat st;
    int one = 1, own = ours ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int flags = own < 0 ? -1 : fcntl(own, F_GETFL);

    if (flags < 0 || fcntl(own, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fstat(own, &st) < 0) {
        int why = errno;

        if (own >= 0 && !ours)
            close(own);
        s2_error *err = s2_error_new(
            S2_C_BadSocketError, LIBSSH2_ERROR_BAD_SOCKET, "handshake", NULL,
            "descriptor %d: %s", fd, strerror(why));
        if (err != &s2_no_memory)
            err->sys_errno = why;
        return err;
    }
    s2_wire_close(w);
    *w = (s2_wire){.fd = own,
                   .user_fd = ours ? -1 : fd,
                   .dev = st.st_dev,
                   .ino = st.st_ino,
                   .spare = S2_SPARE,
                   .most = S2_LESS_THAN_KEXINIT};
    /* Fails on what is not TCP, which needs it not. */
    setsockopt(own, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
#ifdef SO_NOSIGPIPE
    setsockopt(own, SOL_SOCKET, SO_NOSIGPIPE, &one, sizeof one);
#endif
    return NULL;
}

void
s2_wire_close(s2_wire *w)
{
    if (w->fd >= 0)
        close(w->fd);
    free(w->out);
    w->fd = -1;
    w->out = NULL;
    w->out_start = w->out_end = w->out_cap = 0;
}

static void
over(s2_wire *w, int code, int why)
{
    if (!w->end_code) {
        w->end_code = code;
        w->end_errno = why;
    }
    w->drains = false;
    w->out_start = w->out_end = 0;
}

void
s2_wire_check(s2_wire *w)
{
    struct stat st;

    if (w->user_fd >= 0 && (fstat(w->user_fd, &st) < 0 || st.st_ino != w->ino ||
                            st.st_dev != w->dev))
        over(w, LIBSSH2_ERROR_SOCKET_SEND, EBADF);
}

bool
s2_wire_over(const s2_wire *w)
{
    return w->end_code && !(w->drains && w->spare < 0);
}

size_t
s2_wire_queued(const s2_wire *w)
{
    return w->out_end - w->out_start;
}

/* What the kernel takes now: a count, 0 for none; over() on failure. */
static size_t
push(s2_wire *w, const unsigned char *src, size_t len)
{
    ssize_t n;

    do {
        n = send(w->fd, src, len, MSG_NOSIGNAL);
        if (n < 0 && errno == ENOTSOCK)
            n = write(w->fd, src, len);
    } while (n < 0 && errno == EINTR);
    if (n >= 0) {
        w->sent += (size_t)n;
        return (size_t)n;
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
        over(w, LIBSSH2_ERROR_SOCKET_SEND, errno);
        w->drains = true;
    }
    return 0;
}

void
s2_wire_flush(s2_wire *w)
{
    while (!w->end_code && s2_wire_queued(w)) {
        size_t n = push(w, w->out + w->out_start, s2_wire_queued(w));

        if (!n)
            return;
        w->out_start += n;
    }
    w->out_start = w->out_end = 0;
}

static bool
enqueue(s2_wire *w, const unsigned char *src, size_t len)
{
    size_t queued = s2_wire_queued(w);

    if (w->out_cap - w->out_end < len) {
        size_t cap = w->out_cap ? w->out_cap : 65536;
        unsigned char *out;

        while (cap < queued + len)
            cap *= 2;
        if (cap > QUEUE_MAX || !(out = malloc(cap)))
            return false;
        if (queued)
            memcpy(out, w->out + w->out_start, queued);
        free(w->out);
        w->out = out;
        w->out_cap = cap;
        w->out_start = 0;
        w->out_end = queued;
    }
    memcpy(w->out + w->out_end, src, len);
    w->out_end += len;
    return true;
}

ssize_t
s2_wire_send(s2_wire *w, const void *src, size_t len)
{
    const unsigned char *p = src;
    size_t n = 0;

    if (w->end_code || w->ending)
        return (ssize_t)len;
    w->sending = len >= BULK;
    if (!s2_wire_queued(w))
        n = push(w, p, len);
    if (!w->end_code && n < len && !enqueue(w, p + n, len - n))
        over(w, LIBSSH2_ERROR_ALLOC, ENOMEM);
    return (ssize_t)len;
}

/* Has this try been at it for so long?  What has come already may be gone
 * through again for each part of an answer. */
static bool
labours(s2_wire *w)
{
#ifdef CLOCK_THREAD_CPUTIME_ID
    struct timespec t;
    int64_t now;

    if (w->reads < 0 || ++w->reads % LOOK_AFTER ||
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t))
        return false;
    now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    if (w->reads == LOOK_AFTER)
        w->began = now;
    return now - w->began > TRY_MS;
#else
    (void)w;
    return false;
#endif
}

/* An error, of which libssh2 remembers nothing, ends what it does. */
static ssize_t
give_up(s2_wire *w)
{
    w->vain = 0;
    w->spun = true;
    return -EIO;
}

/* Nothing there.  libssh2 asks again and again for the rest of an answer that
 * its channel's end has cut short, or until a close is answered. */
static ssize_t
nothing(s2_wire *w)
{
    return ++w->vain <= IN_VAIN ? -EAGAIN : give_up(w);
}

ssize_t
s2_wire_recv(s2_wire *w, void *dst, size_t cap)
{
    ssize_t n;

    if (w->ending)
        return -ECONNRESET;
    if (w->sending) {
        w->sending = false;
        return -EAGAIN;
    }
    if (labours(w))
        return give_up(w);
    if ((w->end_code && !w->drains) || w->spare < 0)
        return nothing(w);
    if (!cap) { /* a packet is longer than libssh2's buffer */
        over(w, LIBSSH2_ERROR_OUT_OF_BOUNDARY, EMSGSIZE);
        return nothing(w);
    }
    if (w->most && cap > w->most)
        cap = w->most;
    do {
        n = recv(w->fd, dst, cap, 0);
        if (n < 0 && errno == ENOTSOCK)
            n = read(w->fd, dst, cap);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        w->received += (uint64_t)n;
        w->spare -= n + A_READ;
        if (w->most && cap > 1) /* a banner is read by single bytes */
            w->spare = -1;
        w->vain = 0;
        return n;
    }
    if (n == 0)
        over(w, LIBSSH2_ERROR_SOCKET_DISCONNECT, 0);
    else if (errno != EAGAIN && errno != EWOULDBLOCK)
        over(w, LIBSSH2_ERROR_SOCKET_RECV, errno);
    return nothing(w);
}

/* Told so now: a server that gathers small packets (Nagle's algorithm: sshd
 * does until a channel's first request) holds the next one back until it knows
 * that the last has come, which the kernel would tell it 40 ms later. */
bool
s2_wire_await(s2_wire *w)
{
    enum { LITTLE = 4096 };
    uint64_t fresh = w->received - w->seen, passed = w->received + w->sent;
    bool little = passed - w->passed < LITTLE;

#ifdef TCP_QUICKACK
    int one = 1;

    if (fresh && fresh < LITTLE)
        setsockopt(w->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
#endif
    w->seen = w->received;
    w->passed = passed;
    return little;
}
