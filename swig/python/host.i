/*
 * What the core asks of Python: to let go of the GIL, to run signal handlers,
 * to wait as the program wants, and to answer a server's questions.
 */
%{
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

static PyObject *own_wait;   /* the program's, or NULL */
static PyObject *getcurrent; /* greenlet's, once the program waits itself */

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

static uintptr_t
caller(void *ctx)
{
    PyObject *greenlet = getcurrent ? PyObject_CallNoArgs(getcurrent) : NULL;
    uintptr_t id = greenlet ? (uintptr_t)greenlet
                            : (uintptr_t)PyThreadState_Get();

    (void)ctx;
    if (getcurrent && !greenlet)
        PyErr_Clear();
    Py_XDECREF(greenlet); /* it is running, so it lives on */
    return id;
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
                                     check_signals, caller, NULL};
        s2_error *err;

        s2_set_host(&host);
        if ((err = s2_init())) {
            raise_error(err);
            return NULL;
        }
    }
%}

%feature("autodoc", "set_wait(wait: Callable[[int, int, int, float | None],
object] | None) -> None") set_wait;
%inline %{
/* Let the program wait: wait(fd, wake_fd, directions, timeout) returns true
 * once fd (-1: none) or wake_fd is ready, false after timeout seconds. */
static PyObject *
set_wait(PyObject *wait)
{
    PyObject *modules = PyImport_GetModuleDict(), *greenlet;

    if (wait != Py_None && !PyCallable_Check(wait))
        return PyErr_Format(PyExc_TypeError, "set_wait: %s is not callable",
                            Py_TYPE(wait)->tp_name);
    greenlet = PyDict_GetItemString(modules, "greenlet");
    Py_XSETREF(getcurrent, wait == Py_None || !greenlet
               ? NULL : PyObject_GetAttrString(greenlet, "getcurrent"));
    PyErr_Clear();
    Py_XSETREF(own_wait, wait == Py_None ? NULL : Py_NewRef(wait));
    Py_RETURN_NONE;
}
%}

/* --- questions ------------------------------------------------------------ */

%{
static bool
add_answer(PyObject *answer, s2_list *answers)
{
    Py_ssize_t len;
    const char *text;

    if (PyBytes_Check(answer)) {
        text = PyBytes_AS_STRING(answer);
        len = PyBytes_GET_SIZE(answer);
    } else if (!PyUnicode_Check(answer)) {
        PyErr_Format(PyExc_TypeError, "an answer must be str or bytes, not %s",
                     Py_TYPE(answer)->tp_name);
        return false;
    } else if (!(text = PyUnicode_AsUTF8AndSize(answer, &len))) {
        return false;
    }
    if (!s2_list_add(answers, text, (size_t)len)) {
        PyErr_NoMemory();
        return false;
    }
    return true;
}

/* Call ctx(name, instruction, prompts) for one answer a prompt. */
static bool
ask_python(void *ctx, const s2_prompts *prompts, s2_list *answers)
{
    PyObject *texts = PyList_New((Py_ssize_t)prompts->texts.count);
    PyObject *reply = NULL, *items = NULL;
    bool done = false;

    for (size_t i = 0; texts && i < prompts->texts.count; i++) {
        const s2_buf *item = &prompts->texts.item[i];
        PyObject *text = PyUnicode_DecodeUTF8(
            item->data, (Py_ssize_t)item->len, "replace");

        if (text)
            PyList_SET_ITEM(texts, (Py_ssize_t)i, text);
        else
            Py_CLEAR(texts);
    }
    if (texts)
        reply = PyObject_CallFunction(
            ctx, "y#y#O", prompts->name.data ? prompts->name.data : "",
            (Py_ssize_t)prompts->name.len,
            prompts->instruction.data ? prompts->instruction.data : "",
            (Py_ssize_t)prompts->instruction.len, texts);
    if (reply && (PyUnicode_Check(reply) || PyBytes_Check(reply)))
        PyErr_SetString(PyExc_TypeError, "expected a sequence of answers");
    else if (reply)
        items = PySequence_Fast(reply, "expected a sequence of answers");
    if (items) {
        Py_ssize_t n = PySequence_Fast_GET_SIZE(items);

        done = (size_t)n == prompts->texts.count;
        if (!done)
            PyErr_Format(PyExc_ValueError, "%zd answers to %zu prompts", n,
                         prompts->texts.count);
        for (Py_ssize_t i = 0; done && i < n; i++)
            done = add_answer(PySequence_Fast_GET_ITEM(items, i), answers);
    }
    Py_XDECREF(items);
    Py_XDECREF(reply);
    Py_XDECREF(texts);
    return done;
}
%}

%typemap(in, noblock=1) (s2_answer_fn ASK, void *CTX) {
    if (!PyCallable_Check($input)) {
        PyErr_Format(PyExc_TypeError, "$symname: %s is not callable",
                     Py_TYPE($input)->tp_name);
        SWIG_fail;
    }
    $1 = ask_python;
    $2 = $input;
}
