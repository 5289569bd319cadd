/* Calls from the core into Python: what they are given, and the answers. */
%{
static PyObject *
value_of(const s2_value *v)
{
    Py_ssize_t len = (Py_ssize_t)v->bytes.len;
    PyObject *made;

    switch (v->kind) {
    case S2_NUMBER:
        return PyLong_FromLongLong(v->number);
    case S2_TRUTH:
        return PyBool_FromLong(v->number != 0);
    case S2_TEXT:
        return text_of(&v->bytes);
    case S2_PROMPT:
        return PyUnicode_DecodeUTF8(v->bytes.data, len, "replace");
    case S2_LIST:
        made = PyList_New(v->number);
        for (Py_ssize_t i = 0; made && i < v->number; i++) {
            PyObject *value = value_of(&v->item[i]);

            if (value)
                PyList_SET_ITEM(made, i, value);
            else
                Py_CLEAR(made);
        }
        return made;
    case S2_ATTRS:
        return record(v->bytes.data, sizeof(s2_attrs), SWIGTYPE_p_s2_attrs);
    case S2_ERROR:
        return error_object(v->error);
    case S2_CHANNEL:
        s2_retain(v->channel); /* the proxy's, even one that is not made */
        return SWIG_NewPointerObj(v->channel, SWIGTYPE_p_s2_channel,
                                  SWIG_POINTER_OWN);
    default:
        return bytes_of(&v->bytes);
    }
}

/* The arguments of a call, as a tuple. */
static PyObject *
values_of(const s2_value *args, size_t count)
{
    s2_value list = {.kind = S2_LIST, .number = (int64_t)count,
                     .item = (s2_value *)(uintptr_t)args};
    PyObject *values = value_of(&list);
    PyObject *tuple = values ? PyList_AsTuple(values) : NULL;

    Py_XDECREF(values);
    return tuple;
}

static bool
number_from(PyObject *obj, s2_value *to)
{
    int overflow = 0;
    PyObject *index = PyNumber_Index(obj);
    int64_t n = index ? PyLong_AsLongLongAndOverflow(index, &overflow) : -1;

    Py_XDECREF(index);
    if (PyErr_Occurred())
        return false;
    if (overflow || n < 0 || n > to->number) {
        PyErr_Format(PyExc_OverflowError, "an answer must be in 0..%lld",
                     (long long)to->number);
        return false;
    }
    to->number = n;
    return true;
}

static bool
bytes_from(PyObject *obj, s2_value *to)
{
    input in = {0};
    bool done = input_begin(&in, obj,
                            to->kind == S2_TEXT ? TAKES_STR : TAKES_BUFFER,
                            "a callback's answer");

    if (done && !(done = s2_buf_set(&to->bytes, in.p, in.len)))
        PyErr_NoMemory();
    input_end(&in);
    return done;
}

static bool answer_from(PyObject *obj, s2_value *to);

static bool
list_from(PyObject *obj, s2_value *to)
{
    bool word = PyUnicode_Check(obj) || PyBytes_Check(obj);
    Py_ssize_t n = word ? -1 : PySequence_Size(obj);
    PyObject *items = NULL;
    bool done;

    if (word)
        PyErr_SetString(PyExc_TypeError, "expected a sequence of answers");
    else if (n >= 0 && n != to->number)
        PyErr_Format(PyExc_ValueError, "%zd answers where %zd are wanted", n,
                     (Py_ssize_t)to->number);
    else if (n >= 0)
        items = PySequence_Fast(obj, "expected a sequence of answers");
    done = items;
    for (Py_ssize_t i = 0; done && i < n; i++) {
        /* A number of the program's own class may shorten the list. */
        PyObject *item = PySequence_GetItem(items, i);

        done = item && answer_from(item, &to->item[i]);
        Py_XDECREF(item);
    }
    Py_XDECREF(items);
    return done;
}

static bool
answer_from(PyObject *obj, s2_value *to)
{
    return to->kind == S2_NUMBER ? number_from(obj, to)
           : to->kind == S2_LIST ? list_from(obj, to)
                                 : bytes_from(obj, to);
}

static bool
call_python(void *ctx, const s2_value *args, size_t count, s2_value *answer)
{
    PyObject *tuple = values_of(args, count);
    PyObject *reply = tuple ? PyObject_Call(ctx, tuple, NULL) : NULL;
    bool done = reply && (!answer || answer_from(reply, answer));

    Py_XDECREF(reply);
    Py_XDECREF(tuple);
    return done;
}

/* Session's own module knows who wants to be told, by the session's address. */
static int
notify_python(void *ctx, s2_session *s, int kind, const s2_value *args,
              size_t count)
{
    PyObject *module =
        PyDict_GetItemString(PyImport_GetModuleDict(), "ssh2.session");
    PyObject *find = NULL, *values = NULL, *found = NULL, *reply = NULL;
    PyObject *callback = NULL, *given;
    int rc = 0;

    (void)ctx;
    if (module)
        find = PyObject_GetAttrString(module, "_told");
    if (find)
        values = values_of(args, count);
    if (values)
        found = PyObject_CallFunction(find, "KiO",
                                      (unsigned long long)(uintptr_t)s, kind,
                                      values);
    if (found && PyArg_ParseTuple(found, "|OO", &callback, &given) && callback)
        reply = PyObject_CallObject(callback, given);
    if (PyErr_Occurred() &&
        PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) {
        PyErr_Clear();
        PyErr_SetInterrupt(); /* once the call is over */
    } else if (PyErr_Occurred() &&
               (!callback || !PyErr_ExceptionMatches(PyExc_Exception))) {
        rc = S2_RAISED; /* by a signal's handler, or to end the program */
    } else if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(callback ? callback : find);
    }
    Py_XDECREF(reply);
    Py_XDECREF(found);
    Py_XDECREF(values);
    Py_XDECREF(find);
    return rc;
}
%}

%define %call_in(name, or_none)
%typemap(in, noblock=1) (s2_call_fn name, void *CTX) {
    if (!or_none || $input != Py_None) {
        if (!PyCallable_Check($input)) {
            PyErr_Format(PyExc_TypeError, "%s: %s is not callable",
                         own_name("$symname"), Py_TYPE($input)->tp_name);
            SWIG_fail;
        }
        $1 = call_python;
        $2 = $input;
    }
}
%enddef
%call_in(CALL, 0)
%call_in(CALL_OR_NONE, 1)

%typemap(in, numinputs=0, noblock=1) s2_value *VALUE (s2_value value = {0})
    "$1 = &value;"
%typemap(argout, noblock=1) s2_value *VALUE { %output(value_of($1)) }
%typemap(freearg, noblock=1) s2_value *VALUE "s2_value_free($1);"
