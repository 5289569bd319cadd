/*
 * What the core asks of Python: to let go of the GIL, to run signal handlers,
 * and to wait as the program wants.
 */
%{
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

static PyObject *own_wait;   /* the program's, or NULL */
static PyObject *getcurrent; /* greenlet's, once the program waits itself */
static int64_t interpreter;  /* whose classes C knows */

/* A thread that comes back to a finalized interpreter is ended in there, and
 * its stack, where other threads may still look, with it: keep it. */
static void
stay(void *unused)
{
    (void)unused;
    for (;;)
        pause();
}

static void
run_unlocked(void *ctx, void (*fn)(void *), void *arg)
{
    PyThreadState *state = PyEval_SaveThread();

    (void)ctx;
    fn(arg);
    pthread_cleanup_push(stay, NULL);
    PyEval_RestoreThread(state);
    pthread_cleanup_pop(0);
}

static int
check_signals(void *ctx)
{
    (void)ctx;
    return PyErr_CheckSignals() < 0 ? S2_RAISED : 0;
}

static bool
may_poll(void *ctx)
{
    (void)ctx;
    return !own_wait;
}

/* greenlet's, which the program may import as late as in its wait. */
static PyObject *
find_getcurrent(void)
{
    PyObject *greenlet =
        own_wait && !getcurrent
            ? PyDict_GetItemString(PyImport_GetModuleDict(), "greenlet")
            : NULL;

    if (greenlet)
        Py_XSETREF(getcurrent, PyObject_GetAttrString(greenlet, "getcurrent"));
    return getcurrent ? Py_NewRef(getcurrent) : NULL;
}

/* Who calls: a greenlet; or a thread, as which its main greenlet counts: that
 * is the same one before greenlet is there. */
static uintptr_t
caller(void *ctx)
{
    PyObject *find = find_getcurrent();
    PyObject *greenlet = find ? PyObject_CallNoArgs(find) : NULL;
    PyObject *parent =
        greenlet ? PyObject_GetAttrString(greenlet, "parent") : NULL;
    uintptr_t id = parent && parent != Py_None
                       ? (uintptr_t)greenlet
                       : (uintptr_t)PyThreadState_Get();

    (void)ctx;
    if (own_wait && !parent)
        PyErr_Clear();
    Py_XDECREF(parent);
    Py_XDECREF(greenlet); /* it is running, so it lives on */
    Py_XDECREF(find);
    return id;
}

/* Threads that come back from a call stay there from then on. */
static bool
is_ending(void *ctx)
{
    (void)ctx;
#if PY_VERSION_HEX < 0x030D0000
    return _Py_IsFinalizing();
#else
    return Py_IsFinalizing();
#endif
}

struct polling {
    struct pollfd p[2];
    int timeout_ms, rc;
};

static void
poll_unlocked(void *arg)
{
    struct polling *w = arg;

    w->rc = poll(w->p, 2, w->timeout_ms);
}

static int
wait_ready(void *ctx, int fd, int wake_fd, int directions, int timeout_ms)
{
    struct polling w = {{{fd, 0, 0}, {wake_fd, POLLIN, 0}}, timeout_ms, 0};
    PyObject *wait = own_wait, *timeout, *answer = NULL;
    int ready;

    if (!wait) {
        if (directions & LIBSSH2_SESSION_BLOCK_INBOUND)
            w.p[0].events |= POLLIN;
        if (directions & LIBSSH2_SESSION_BLOCK_OUTBOUND)
            w.p[0].events |= POLLOUT;
        run_unlocked(ctx, poll_unlocked, &w);
        return check_signals(ctx) ? S2_RAISED
               : w.rc             ? S2_READY
                                  : S2_TIMED_OUT;
    }
    Py_INCREF(wait);
    timeout = timeout_ms < 0 ? Py_NewRef(Py_None)
                             : PyFloat_FromDouble(timeout_ms / 1000.0);
    if (timeout)
        answer = PyObject_CallFunction(wait, "iiiO", fd, wake_fd, directions,
                                       timeout);
    Py_XDECREF(timeout);
    Py_DECREF(wait);
    ready = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    return ready < 0 ? S2_RAISED : ready ? S2_READY : S2_TIMED_OUT;
}
%}
%init %{
    {
        static const s2_host host = {run_unlocked, wait_ready, may_poll,
                                     check_signals, caller, notify_python,
                                     is_ending, NULL};
        s2_error *err;

        interpreter = PyInterpreterState_GetID(PyInterpreterState_Get());
        s2_set_host(&host);
        if ((err = s2_init())) {
            raise_error(err);
            return NULL;
        }
    }
%}

%feature("docstring") check_interpreter "check_interpreter()
--

Raise ImportError where C cannot serve this interpreter.";
%inline %{
/* There is one set of classes and of what C keeps, under one lock. */
static PyObject *
check_interpreter(void)
{
    PyObject *enabled = PySys_GetObject("_is_gil_enabled"), *answer = NULL;
    int locked = 1;

    if (PyInterpreterState_GetID(PyInterpreterState_Get()) != interpreter)
        return PyErr_Format(PyExc_ImportError,
                            "ssh2 is loaded in another interpreter");
    if (enabled && !(answer = PyObject_CallNoArgs(enabled)))
        return NULL;
    if (answer)
        locked = PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    if (locked < 0)
        return NULL;
    if (!locked)
        return PyErr_Format(PyExc_ImportError, "ssh2 needs the GIL");
    Py_RETURN_NONE;
}
%}

%feature("docstring") set_wait "set_wait(wait)
--

Let the program wait; see ssh2.set_wait().";
%inline %{
/* Let the program wait: wait(fd, wake_fd, directions, timeout) returns true
 * once fd (-1: none) or wake_fd is ready, false after timeout seconds. */
static PyObject *
set_wait(PyObject *wait)
{
    if (wait != Py_None && !PyCallable_Check(wait))
        return PyErr_Format(PyExc_TypeError, "set_wait: %s is not callable",
                            Py_TYPE(wait)->tp_name);
    Py_CLEAR(getcurrent);
    Py_XSETREF(own_wait, wait == Py_None ? NULL : Py_NewRef(wait));
    Py_RETURN_NONE;
}
%}
