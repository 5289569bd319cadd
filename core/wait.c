/* How calls wait: turns in order of arrival, wake-up pipes, poll. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

unsigned s2_generation;

void
s2_turn_init(s2_turn *t)
{
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->passed, NULL);
    t->next = t->serving = 0;
}

void
s2_turn_destroy(s2_turn *t)
{
    pthread_cond_destroy(&t->passed);
    pthread_mutex_destroy(&t->mutex);
}

void
s2_turn_lock(s2_turn *t)
{
    pthread_mutex_lock(&t->mutex);
    for (unsigned mine = t->next++; mine != t->serving;)
        pthread_cond_wait(&t->passed, &t->mutex);
    pthread_mutex_unlock(&t->mutex);
}

bool
s2_turn_try(s2_turn *t)
{
    bool mine;

    pthread_mutex_lock(&t->mutex);
    mine = t->next == t->serving;
    if (mine)
        t->next++;
    pthread_mutex_unlock(&t->mutex);
    return mine;
}

void
s2_turn_unlock(s2_turn *t)
{
    pthread_mutex_lock(&t->mutex);
    t->serving++;
    if (t->next != t->serving)
        pthread_cond_broadcast(&t->passed);
    pthread_mutex_unlock(&t->mutex);
}

/* Idle waiters, for all sessions: as many pipes as calls ever waited at once. */
static pthread_mutex_t pool_mutex = PTHREAD_MUTEX_INITIALIZER;
static s2_waiter *pool;

static void
before_fork(void)
{
    pthread_mutex_lock(&pool_mutex);
}

static void
after_fork_in_parent(void)
{
    pthread_mutex_unlock(&pool_mutex);
}

/* A pipe shared with the parent would wake the wrong process. */
static void
after_fork_in_child(void)
{
    s2_generation++;
    while (pool) {
        s2_waiter *w = pool;

        pool = w->next;
        close(w->fd[0]);
        close(w->fd[1]);
        free(w);
    }
    pthread_mutex_unlock(&pool_mutex);
}

static void
register_forks(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void
s2_watch_forks(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, register_forks);
}

s2_waiter *
s2_waiter_get(void)
{
    s2_waiter *w;

    s2_watch_forks();
    pthread_mutex_lock(&pool_mutex);
    if ((w = pool))
        pool = w->next;
    pthread_mutex_unlock(&pool_mutex);
    if (w) {
        w->next = NULL;
        return w;
    }
    if (!(w = calloc(1, sizeof *w)))
        return NULL;
    if (pipe(w->fd) < 0) {
        free(w);
        return NULL;
    }
    for (int i = 0; i < 2; i++) {
        fcntl(w->fd[i], F_SETFD, FD_CLOEXEC);
        fcntl(w->fd[i], F_SETFL, O_NONBLOCK);
    }
    return w;
}

void
s2_waiter_put(s2_waiter *w)
{
    s2_waiter_clear(w);
    pthread_mutex_lock(&pool_mutex);
    w->next = pool;
    pool = w;
    pthread_mutex_unlock(&pool_mutex);
}

void
s2_waiter_wake(s2_waiter *w)
{
    /* A new pipe has room for a byte. */
    if (!w->woken && write(w->fd[1], "", 1) == 1)
        w->woken = true;
}

void
s2_waiter_clear(s2_waiter *w)
{
    char byte;

    if (w->woken && read(w->fd[0], &byte, 1) == 1)
        w->woken = false;
}

int64_t
s2_now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
s2_now(void)
{
    return s2_now_us() / 1000;
}

int
s2_poll(int fd, int wake_fd, int directions, int timeout_ms)
{
    /* poll() passes over a negative descriptor. */
    struct pollfd p[2] = {{.fd = fd}, {.fd = wake_fd, .events = POLLIN}};
    int rc;

    if (directions & LIBSSH2_SESSION_BLOCK_INBOUND)
        p[0].events |= POLLIN;
    if (directions & LIBSSH2_SESSION_BLOCK_OUTBOUND)
        p[0].events |= POLLOUT;
    rc = poll(p, 2, timeout_ms);
    if (rc < 0)
        return errno == EINTR ? S2_RAISED : S2_READY;
    return rc ? S2_READY : S2_TIMED_OUT;
}

bool
s2_look(int fd, int wake_fd, int directions, int us)
{
    int64_t end = s2_now_us() + us;

    do {
        if (s2_poll(fd, wake_fd, directions, 0) == S2_READY)
            return true;
        sched_yield(); /* the peer may need this processor */
    } while (s2_now_us() < end);
    return false;
}
