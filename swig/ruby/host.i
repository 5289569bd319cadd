/*
 * How the core waits in Ruby: without its lock, or by its Fiber scheduler.
 *
 * Nothing here raises into the core: whatever Ruby raises is kept, by fibre,
 * until raise_pending(), where no C frame of the core is left.
 */
%{
#include <errno.h>
#include <ruby.h>
#include <ruby/io.h>
#include <ruby/thread.h>
#include <unistd.h>
#if __has_include(<ruby/fiber/scheduler.h>)
#include <ruby/fiber/scheduler.h>
#endif
#ifdef __linux__
#include <sys/epoll.h>
#else
#include <sys/event.h>
#endif

static VALUE pending; /* the number of a fibre => its exception, or its tag */

/* A number, since compaction moves objects. */
static VALUE
fibre_number(void)
{
    return rb_obj_id(rb_fiber_current());
}

/* Run Ruby code: S2_RAISED if it did not return. */
static int
protect(VALUE (*fn)(VALUE), VALUE arg)
{
    VALUE what;
    int tag = 0;

    rb_protect(fn, arg, &tag);
    if (!tag)
        return S2_READY;
    /* Where it is no exception but a throw or a killed thread, the tag goes
     * with what the interpreter itself has noted. */
    what = rb_errinfo();
    if (SPECIAL_CONST_P(what) || RB_TYPE_P(what, T_IMEMO))
        what = INT2FIX(tag);
    rb_hash_aset(pending, fibre_number(), what);
    return S2_RAISED;
}

static bool
is_pending(void)
{
    return RHASH_SIZE(pending) &&
           !NIL_P(rb_hash_lookup(pending, fibre_number()));
}

NORETURN(static void raise_pending(void));
static void
raise_pending(void)
{
    VALUE what = rb_hash_delete(pending, fibre_number());

    if (FIXNUM_P(what))
        rb_jump_tag(FIX2INT(what));
    rb_exc_raise(what);
}

static VALUE
check_interrupts(VALUE unused)
{
    rb_thread_check_ints();
    return unused;
}

static int
host_check(void *ctx)
{
    (void)ctx;
    return is_pending() ? S2_RAISED : protect(check_interrupts, Qnil);
}

struct job {
    void (*fn)(void *);
    void *arg;
};

static void *
do_job(void *job)
{
    ((struct job *)job)->fn(((struct job *)job)->arg);
    return NULL;
}

/* Interrupts that were put off until something waits come before it. */
static void
host_run(void *ctx, void (*fn)(void *), void *arg)
{
    struct job job = {fn, arg};

    if (host_check(ctx) == S2_RAISED)
        return; /* it will be asked again */
    rb_thread_call_without_gvl2(do_job, &job, RUBY_UBF_IO, NULL);
}

static bool
host_polls(void *ctx)
{
    (void)ctx;
#ifdef RUBY_FIBER_SCHEDULER_H
    return NIL_P(rb_fiber_scheduler_current());
#else
    return true;
#endif
}

static uintptr_t
host_caller(void *ctx)
{
    (void)ctx;
    return (uintptr_t)fibre_number();
}

struct waiting {
    int fd, wake_fd, directions, timeout_ms, result;
    VALUE io; /* of a descriptor that is readable once either is ready */
};

/* Such a descriptor, or -1 with errno. */
static int
both_of(const struct waiting *w)
{
    int fds[2] = {w->wake_fd, w->fd};
#ifdef __linux__
    int queue = epoll_create1(EPOLL_CLOEXEC);

    for (int i = 0; queue >= 0 && i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN};

        if (i && !(w->directions & LIBSSH2_SESSION_BLOCK_INBOUND))
            event.events = 0;
        if (i && (w->directions & LIBSSH2_SESSION_BLOCK_OUTBOUND))
            event.events |= EPOLLOUT;
        if (fds[i] >= 0 && epoll_ctl(queue, EPOLL_CTL_ADD, fds[i], &event)) {
            close(queue);
            return -1;
        }
    }
#else
    int queue = kqueue();

    for (int i = 0; queue >= 0 && i < 2; i++) {
        struct kevent events[2];
        int n = 0;

        if (!i || (w->directions & LIBSSH2_SESSION_BLOCK_INBOUND))
            EV_SET(&events[n++], fds[i], EVFILT_READ, EV_ADD, 0, 0, NULL);
        if (i && (w->directions & LIBSSH2_SESSION_BLOCK_OUTBOUND))
            EV_SET(&events[n++], fds[i], EVFILT_WRITE, EV_ADD, 0, 0, NULL);
        if (fds[i] >= 0 && kevent(queue, events, n, NULL, 0, NULL) < 0) {
            close(queue);
            return -1;
        }
    }
#endif
    return queue;
}

static VALUE
wait_for_io(VALUE arg)
{
    struct waiting *w = (struct waiting *)arg;
    VALUE timeout = w->timeout_ms < 0 ? Qnil : DBL2NUM(w->timeout_ms / 1000.0);
    VALUE events = INT2FIX(RUBY_IO_READABLE);

    w->result = RTEST(rb_io_wait(w->io, events, timeout)) ? S2_READY
                                                          : S2_TIMED_OUT;
    return Qnil;
}

static VALUE
wait_for_both(VALUE arg)
{
    struct waiting *w = (struct waiting *)arg;
    int queue = both_of(w);

    if (queue < 0) {
        /* A descriptor that cannot be waited for: the next call tells why. */
        if (errno != EMFILE && errno != ENFILE && errno != ENOMEM)
            return Qnil;
        rb_sys_fail("wait");
    }
    w->io = rb_funcall(rb_cIO, rb_intern("for_fd"), 1, INT2FIX(queue));
    return rb_ensure(wait_for_io, arg, rb_io_close, w->io);
}

static int
host_wait(void *ctx, int fd, int wake_fd, int directions, int timeout_ms)
{
    struct waiting w = {fd, wake_fd, directions, timeout_ms, S2_READY, Qnil};

    (void)ctx;
    if (protect(wait_for_both, (VALUE)&w) == S2_RAISED)
        return S2_RAISED;
    return w.result;
}
%}
