/*
 * Python: the typemaps of types.i, in Python's C API.
 *
 * A typemap holds a reference or a buffer only in a local that freearg drops;
 * `fail:` runs freearg as well.  A wrapper's `result` is the s2_error it got:
 * an output that sees one knows that the call would block.
 */
%begin %{
#define PY_SSIZE_T_CLEAN
#define SWIG_PYTHON_SILENT_MEMLEAK
#define SWIG_TYPE_TABLE ssh2
%}

/* Python 3.9 has it not. */
%header %{
#if PY_VERSION_HEX < 0x030A0000
static inline PyObject *
Py_NewRef(PyObject *object)
{
    Py_INCREF(object);
    return object;
}
#endif
%}

%feature("kwargs");
%namewarn("") open; /* a method, not the function */

#ifndef SSH2_FIRST /* it is made from what SWIG sees the first time */
%include "docs.i"
#endif
%{
/* A method's own name, where SWIG has its class before it. */
static const char *
own_name(const char *symname)
{
    return *symname >= 'A' && *symname <= 'Z' ? strchr(symname, '_') + 1
                                              : symname;
}
%}
%init %{
    /* inspect and help() want a method's own name, at the very beginning of
     * what is said of it. */
    for (PyMethodDef *def = SwigMethods; def->ml_name; def++) {
        if (def->ml_doc && *def->ml_doc == '\n')
            def->ml_doc++;
        if (def->ml_doc)
            def->ml_name = own_name(def->ml_name);
    }
%}

/* --- results -------------------------------------------------------------- */

%{
/* What a call returns, with one more output; steals both. */
static PyObject *
add_output(PyObject *sum, PyObject *value)
{
    PyObject *both;

    if (!sum || !value) {
        Py_XDECREF(sum);
        return value;
    }
    if (!PyTuple_Check(sum)) {
        both = PyTuple_Pack(2, sum, value);
    } else {
        Py_ssize_t n = PyTuple_GET_SIZE(sum);

        both = PyTuple_New(n + 1);
        for (Py_ssize_t i = 0; both && i < n; i++)
            PyTuple_SET_ITEM(both, i, Py_NewRef(PyTuple_GET_ITEM(sum, i)));
        if (both)
            PyTuple_SET_ITEM(both, n, Py_NewRef(value));
    }
    Py_DECREF(sum);
    Py_DECREF(value);
    return both;
}
%}

/* One output, unless the call would block. */
%define %output(value)
    if (!result && !($result = add_output($result, value)))
        SWIG_fail;
%enddef

%typemap(in, numinputs=0, noblock=1) int *RESULT (int value = 0),
    bool *RESULT (bool value = false),
    unsigned long *RESULT (unsigned long value = 0),
    int64_t *RESULT (int64_t value = 0), uint64_t *RESULT (uint64_t value = 0)
    "$1 = &value;"
%typemap(argout, noblock=1) int *RESULT { %output(PyLong_FromLong(*$1)) }
%typemap(argout, noblock=1) bool *RESULT { %output(PyBool_FromLong(*$1)) }
%typemap(argout, noblock=1) unsigned long *RESULT {
    %output(PyLong_FromUnsignedLong(*$1))
}
%typemap(argout, noblock=1) int64_t *RESULT {
    %output(PyLong_FromLongLong(*$1))
}
%typemap(argout, noblock=1) uint64_t *RESULT {
    %output(PyLong_FromUnsignedLongLong(*$1))
}

%include "errors.i"
%include "host.i"
%include "bytes.i"

/* --- numbers -------------------------------------------------------------- */

%{
/* SWIG has words of its own for a number that is none: "in method
 * 'Channel_pty', argument 5 of type 'int'", which counts as C does. */
static void
no_number(int code, const char *said)
{
    char symname[64] = "", type[32] = "";
    PyObject *error = SWIG_Python_ErrorType(code);
    const char *wanted;

    sscanf(said, "in method '%63[^']', argument %*d of type '%31[^']", symname,
           type);
    wanted = error != PyExc_TypeError  ? "a number in range"
             : strcmp(type, "double") ? "int"
                                      : "float";
    PyErr_Format(error, "%s: expected %s", own_name(symname), wanted);
}
#undef SWIG_exception_fail
#define SWIG_exception_fail(code, said)                                        \
    do {                                                                       \
        no_number(code, said);                                                 \
        SWIG_fail;                                                             \
    } while (0)

/* Whether obj is true, for a number. */
static int
truth(PyObject *obj, const char *func)
{
    if (PyIndex_Check(obj))
        return PyObject_IsTrue(obj);
    PyErr_Format(PyExc_TypeError, "%s: expected bool, not %s", func,
                 Py_TYPE(obj)->tp_name);
    return -1;
}
%}

%typemap(in) bool {
    int value = truth($input, own_name("$symname"));

    if (value < 0)
        SWIG_fail;
    $1 = value > 0;
}
%typemap(in, noblock=1) int SOCKET {
    if (($1 = PyObject_AsFileDescriptor($input)) < 0)
        SWIG_fail;
}

/* --- objects -------------------------------------------------------------- */

%{
static PyObject *name_of_this; /* "this", where a proxy has its C object */

static const char *
class_name(swig_type_info *type)
{
    SwigPyClientData *data = type->clientdata;

    return data && PyType_Check(data->klass)
               ? ((PyTypeObject *)data->klass)->tp_name
               : type->str;
}

/* The C object behind a proxy, which forgets it if it is disowned; NULL with
 * TypeError set.  What keeps it alive is held until the call is over: the
 * program may have the proxy forget it meanwhile. */
static void *
unwrap(PyObject *obj, swig_type_info *type, const char *func, int disowned,
       PyObject **held)
{
    PyObject **dict = _PyObject_GetDictPtr(obj), *self;

    self = dict && *dict ? PyDict_GetItemWithError(*dict, name_of_this) : obj;
    if (self && Py_TYPE(self) == SwigPyObject_type()) {
        SwigPyObject *own = (SwigPyObject *)self;
        void *object = own->ty == type ? own->ptr : NULL;

        if (object && disowned) {
            own->own = 0;
            own->ptr = NULL;
        }
        if (object && !disowned)
            *held = Py_NewRef(self);
        if (object)
            return object;
    }
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_TypeError,
                     self ? "%s: expected %s, not %s"
                          : "%s: %s.__init__() of this %s was never called",
                     func, class_name(type), Py_TYPE(obj)->tp_name);
    return NULL;
}
%}
%init %{
    if (!(name_of_this = PyUnicode_InternFromString("this")))
        return NULL;
%}
%init %{
    /* By these a program would chain objects, which then are told of, and
     * dropped, by a call within a call for each; or have one leak. */
    {
        static const char *const names[] = {"acquire", "append", "disown",
                                            "next", "own"};
        PyTypeObject *type = SwigPyObject_type();

        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (PyDict_DelItemString(type->tp_dict, names[i]))
                PyErr_Clear(); /* another interpreter did it */
        PyType_Modified(type);
    }
%}

%typemap(in, noblock=1) HANDLE * (PyObject *held = NULL) {
    if (!($1 = ($1_ltype)unwrap($input, $1_descriptor, own_name("$symname"),
                                $disown, &held)))
        SWIG_fail;
}
%typemap(in, noblock=1) HANDLE *OR_NONE (PyObject *held = NULL) {
    if ($input != Py_None &&
        !($1 = ($1_ltype)unwrap($input, $1_descriptor, own_name("$symname"), 0,
                                &held)))
        SWIG_fail;
}
%typemap(freearg, noblock=1) HANDLE *, HANDLE *OR_NONE "Py_XDECREF(held$argnum);"
%typemap(out, noblock=1) HANDLE * {
    if (!$1) {
        PyErr_NoMemory();
        SWIG_fail;
    }
    $result = SWIG_NewPointerObj($1, $1_descriptor, $owner | %newpointer_flags);
}

%typemap(in, numinputs=0, noblock=1) HANDLE **OUT ($*1_ltype made = NULL)
    "$1 = &made;"
%typemap(argout, noblock=1) HANDLE **OUT {
    %output(SWIG_NewPointerObj(*$1, $*1_descriptor, SWIG_POINTER_OWN))
}

%{
/* A proxy that owns a copy of a record. */
static PyObject *
record(const void *from, size_t size, swig_type_info *type)
{
    void *copy = malloc(size);

    if (!copy)
        return PyErr_NoMemory();
    memcpy(copy, from, size);
    return SWIG_NewPointerObj(copy, type, SWIG_POINTER_OWN);
}
%}
%typemap(in, numinputs=0, noblock=1) RECORD *OUT ($*1_ltype value) {
    memset(&value, 0, sizeof value);
    $1 = &value;
}
%typemap(freearg) RECORD *OUT ""
%typemap(argout, noblock=1) RECORD *OUT {
    %output(record($1, sizeof *$1, $1_descriptor))
}

%include "calls.i"
