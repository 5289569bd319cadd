/*
 * Text and bytes, in and out.
 *
 * Text is UTF-8; what is not goes in and out by surrogateescape.
 */
%{
/* What a parameter takes besides bytes. */
enum { TAKES_STR = 1, TAKES_NONE = 2, TAKES_PATH = 4, TAKES_BUFFER = 8 };

/* Bytes borrowed from an argument: one call, one of these. */
typedef struct input {
    const char *p;
    size_t len;
    PyObject *held;
    Py_buffer view;
} input;

static void
input_end(input *in)
{
    Py_XDECREF(in->held);
    if (in->view.obj)
        PyBuffer_Release(&in->view);
}

static bool
input_str(input *in, PyObject *text)
{
    Py_ssize_t len;

    in->p = PyUnicode_AsUTF8AndSize(text, &len);
    if (in->p) {
        in->len = (size_t)len;
        return true;
    }
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
        return false;
    PyErr_Clear();
    in->held = PyUnicode_AsEncodedString(text, "utf-8", "surrogateescape");
    if (!in->held) {
        /* Python's own error holds the text, which may be a secret. */
        if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
            PyErr_Clear();
            PyErr_SetString(PyExc_UnicodeError, "no text of UTF-8");
        }
        return false;
    }
    in->p = PyBytes_AS_STRING(in->held);
    in->len = (size_t)PyBytes_GET_SIZE(in->held);
    return true;
}

/* The bytes of obj; freed by input_end() even on failure. */
static bool
input_begin(input *in, PyObject *obj, int takes, const char *func)
{
    in->p = NULL;
    in->len = 0;
    if (obj == Py_None && (takes & TAKES_NONE))
        return true;
    if ((takes & TAKES_PATH) && !PyUnicode_Check(obj) && !PyBytes_Check(obj)) {
        obj = in->held = PyOS_FSPath(obj);
        if (!obj)
            return false;
    }
    if (PyUnicode_Check(obj) && (takes & TAKES_STR)) {
        PyObject *path = in->held;
        bool done;

        in->held = NULL;
        done = input_str(in, obj);
        if (!in->held)
            in->held = path;
        else
            Py_XDECREF(path);
        return done;
    }
    if (PyBytes_Check(obj)) {
        in->p = PyBytes_AS_STRING(obj);
        in->len = (size_t)PyBytes_GET_SIZE(obj);
        return true;
    }
    if ((takes & TAKES_BUFFER) && PyObject_CheckBuffer(obj)) {
        if (PyObject_GetBuffer(obj, &in->view, PyBUF_SIMPLE) < 0)
            return false;
        in->p = in->view.buf;
        in->len = (size_t)in->view.len;
        return true;
    }
    PyErr_Format(PyExc_TypeError, "%s: expected %s, not %s", func,
                 !(takes & TAKES_STR) ? "bytes" : "str or bytes",
                 Py_TYPE(obj)->tp_name);
    return false;
}

/* The same, for what C takes as a string. */
static bool
input_text(input *in, PyObject *obj, int takes, const char *func)
{
    if (!input_begin(in, obj, takes | TAKES_STR, func))
        return false;
    if (!in->p || strlen(in->p) == in->len)
        return true;
    PyErr_Format(PyExc_ValueError, "%s: NUL in text", func);
    return false;
}
%}

%define %text_in(type, takes)
%typemap(in, noblock=1) type (input in = {0}) {
    if (!input_text(&in, $input, takes, own_name("$symname")))
        SWIG_fail;
    $1 = ($1_ltype)in.p;
}
%typemap(freearg, noblock=1) type "input_end(&in$argnum);"
%enddef
%text_in(const char *, 0)
%text_in(const char *OR_NONE, TAKES_NONE)
%text_in(const char *PATH, TAKES_PATH)
%text_in(const char *PATH_OR_NONE, TAKES_PATH | TAKES_NONE)

%define %bytes_in(pointer, takes)
%typemap(in, noblock=1) (pointer, size_t LEN) (input in = {0}) {
    if (!input_begin(&in, $input, TAKES_BUFFER | takes, own_name("$symname")))
        SWIG_fail;
    $1 = ($1_ltype)in.p;
    $2 = in.len;
}
%typemap(freearg, noblock=1) (pointer, size_t LEN) "input_end(&in$argnum);"
%enddef
%bytes_in(const void *BYTES, 0)
%bytes_in(const void *BYTES_OR_NONE, TAKES_NONE)
%bytes_in(const void *TEXT, TAKES_STR)
%bytes_in(const void *TEXT_OR_NONE, TAKES_STR | TAKES_NONE)

/* --- out ------------------------------------------------------------------ */

%{
static PyObject *
bytes_of(const s2_buf *buf)
{
    return buf->data ? PyBytes_FromStringAndSize(buf->data,
                                                 (Py_ssize_t)buf->len)
                     : Py_NewRef(Py_None);
}

static PyObject *
text_of(const s2_buf *buf)
{
    return buf->data ? PyUnicode_DecodeUTF8(buf->data, (Py_ssize_t)buf->len,
                                            "surrogateescape")
                     : Py_NewRef(Py_None);
}

static PyObject *
texts_of(const s2_list *list)
{
    PyObject *texts = PyList_New((Py_ssize_t)list->count);

    for (size_t i = 0; texts && i < list->count; i++) {
        PyObject *text = text_of(&list->item[i]);

        if (text)
            PyList_SET_ITEM(texts, (Py_ssize_t)i, text);
        else
            Py_CLEAR(texts);
    }
    return texts;
}
%}

%typemap(in, numinputs=0, noblock=1)
    s2_buf *BYTES (s2_buf buf = {0}), s2_buf *TEXT (s2_buf buf = {0})
    "$1 = &buf;"
%typemap(argout, noblock=1) s2_buf *BYTES { %output(bytes_of($1)) }
%typemap(argout, noblock=1) s2_buf *TEXT { %output(text_of($1)) }
%typemap(freearg, noblock=1) s2_buf *BYTES, s2_buf *TEXT "s2_buf_free($1);"

%typemap(in, numinputs=0, noblock=1) s2_list *TEXTS (s2_list list = {0})
    "$1 = &list;"
%typemap(argout, noblock=1) s2_list *TEXTS { %output(texts_of($1)) }
%typemap(freearg, noblock=1) s2_list *TEXTS "s2_list_free($1);"

%typemap(out, noblock=1) const char * { $result = text_or_none($1); }
%typemap(out, noblock=1) const char *BYTES {
    $result = $1 ? PyBytes_FromString($1) : Py_NewRef(Py_None);
}
%apply const char *BYTES {
    const char *s2_version, const char *s2_entry::name,
    const char *s2_entry::key, const char *s2_identity::comment
};

%{
static bool
parts_of(PyObject *parts, s2_list *list, int takes, const char *func)
{
    PyObject *items = PySequence_Fast(parts, "expected a sequence");
    bool done = items != NULL;

    for (Py_ssize_t i = 0; done && i < PySequence_Fast_GET_SIZE(items); i++) {
        input in = {0};

        /* A path of the program's own class may shorten the list. */
        PyObject *item = Py_NewRef(PySequence_Fast_GET_ITEM(items, i));

        done = takes & TAKES_PATH ? input_text(&in, item, takes, func)
                                  : input_begin(&in, item, takes, func);
        if (done && !(done = s2_list_add(list, in.p, in.len)))
            PyErr_NoMemory();
        input_end(&in);
        Py_DECREF(item);
    }
    Py_XDECREF(items);
    return done;
}
%}
%typemap(in, noblock=1) const s2_list *PARTS_OR_NONE (s2_list list = {0}) {
    if ($input != Py_None) {
        $1 = &list;
        if (!parts_of($input, &list, TAKES_STR | TAKES_BUFFER,
                      own_name("$symname")))
            SWIG_fail;
    }
}
%typemap(in, noblock=1) const s2_list *PATHS (s2_list list = {0}) {
    $1 = &list;
    if (PyUnicode_Check($input) || PyBytes_Check($input)) {
        PyErr_Format(PyExc_TypeError, "%s: expected a sequence",
                     own_name("$symname"));
        SWIG_fail;
    }
    if (!parts_of($input, &list, TAKES_PATH, own_name("$symname")))
        SWIG_fail;
}
%typemap(freearg, noblock=1) const s2_list *PARTS_OR_NONE,
    const s2_list *PATHS
    "s2_list_free(&list$argnum);"

/* --- reads and writes ----------------------------------------------------- */

%{
/* The most that is made room for: a read may always bring less. */
enum { LARGEST_READ = 1 << 20 };

static Py_ssize_t
size_of(PyObject *obj)
{
    Py_ssize_t size = PyNumber_AsSsize_t(obj, PyExc_OverflowError);

    if (size < 0 && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "negative size");
    return size;
}

/* What a read answers, of the `got` bytes in *bytes. */
static PyObject *
read_result(PyObject **bytes, size_t got, bool would_block)
{
    size_t cap = (size_t)PyBytes_GET_SIZE(*bytes);
    PyObject *data;

    /* Copied, where realloc() would leave much behind. */
    if (got <= cap / 2)
        data = PyBytes_FromStringAndSize(PyBytes_AS_STRING(*bytes),
                                         (Py_ssize_t)got);
    else if (got < cap && _PyBytes_Resize(bytes, (Py_ssize_t)got) < 0)
        return NULL;
    else
        data = Py_NewRef(*bytes);
    return Py_BuildValue("(nN)",
                         would_block ? LIBSSH2_ERROR_EAGAIN : (Py_ssize_t)got,
                         data);
}
%}

%typemap(in, noblock=1) (void *DST, size_t CAP, size_t *GOT)
    (PyObject *bytes = NULL, size_t got = 0) {
    {
        Py_ssize_t size = size_of($input);

        if (size < 0)
            SWIG_fail;
        $2 = (size_t)size;
    }
}
%typemap(check, noblock=1) (void *DST, size_t CAP, size_t *GOT) {
    if ($2 > LARGEST_READ)
        $2 = LARGEST_READ;
    if (!(bytes$argnum = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)$2)))
        SWIG_fail;
    $1 = PyBytes_AS_STRING(bytes$argnum);
    $3 = &got$argnum;
}
%typemap(argout, noblock=1) (void *DST, size_t CAP, size_t *GOT) {
    if (!($result = read_result(&bytes$argnum, got$argnum, result != NULL)))
        SWIG_fail;
}
%typemap(freearg, noblock=1) (void *DST, size_t CAP, size_t *GOT)
    "Py_XDECREF(bytes$argnum);"

%typemap(in, numinputs=0, noblock=1) size_t *WRITTEN (size_t count = 0)
    "$1 = &count;"
%typemap(argout, noblock=1) size_t *WRITTEN {
    /* The first is what libssh2 returns: an error, or a count. */
    $result = Py_BuildValue("(nn)",
                            (Py_ssize_t)(result ? LIBSSH2_ERROR_EAGAIN : *$1),
                            (Py_ssize_t)*$1);
}
