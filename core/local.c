/*
 * Descriptors of this side, in a turn: nothing waits for them but the op.
 *
 * A file is read and written as it is.  What may have to be waited for is asked
 * first, and takes no more than a pipe that has room does.
 */
#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

static bool
await(s2_op *op, int fd, int events)
{
    op->wait_fd = fd;
    op->wait_directions = events == POLLIN ? LIBSSH2_SESSION_BLOCK_INBOUND
                                           : LIBSSH2_SESSION_BLOCK_OUTBOUND;
    return false;
}

static bool
ready(s2_op *op, int fd, bool regular, int events)
{
    struct pollfd p = {.fd = fd, .events = (short)events};

    if (regular || poll(&p, 1, 0) > 0)
        return true;
    return await(op, fd, events);
}

static bool
blocks(int why)
{
    return why == EAGAIN || why == EWOULDBLOCK;
}

size_t
s2_fd_write(s2_op *op, int fd, bool regular, const void *src, size_t len,
            int *why)
{
    size_t done = 0;

    *why = 0;
    while (done < len && ready(op, fd, regular, POLLOUT)) {
        size_t most = regular || len - done < PIPE_BUF ? len - done : PIPE_BUF;
        ssize_t n = write(fd, (const char *)src + done, most);

        if (n >= 0) {
            done += (size_t)n;
        } else if (errno != EINTR) {
            if (!blocks(errno))
                *why = errno;
            else
                await(op, fd, POLLOUT);
            break;
        }
    }
    return done;
}

size_t
s2_fd_read(s2_op *op, int fd, bool regular, void *dst, size_t len, bool *ended,
           int *why)
{
    size_t done = 0;

    *why = 0;
    while (done < len && ready(op, fd, regular, POLLIN)) {
        ssize_t n = read(fd, (char *)dst + done, len - done);

        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0) {
            *ended = true;
            break;
        } else if (errno != EINTR) {
            if (!blocks(errno))
                *why = errno;
            else
                await(op, fd, POLLIN);
            break;
        }
        if (!regular)
            break;
    }
    return done;
}
