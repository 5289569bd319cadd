/*
 * Errors: Python's classes, built from the core's table when the module loads,
 * and how one is raised.
 */
%{
static PyObject *error_class[S2_CLASS_COUNT];

/* The subclass of OSError that stands for an errno. */
static PyObject *
kin_of(int number)
{
    PyObject *error = PyObject_CallFunction(PyExc_OSError, "is", number, "");
    PyObject *type = error ? Py_NewRef((PyObject *)Py_TYPE(error)) : NULL;

    Py_XDECREF(error);
    return type;
}

/* A class and what its instances have until they are raised with more. */
static PyObject *
new_error_class(s2_class cls)
{
    PyObject *parent =
        cls ? error_class[s2_class_parent(cls)] : PyExc_Exception;
    PyObject *bases = NULL, *kin = NULL, *dict = NULL, *made = NULL;
    int number = s2_class_errno(cls);
    char name[128];

    snprintf(name, sizeof name, "ssh2.exceptions.%s", s2_class_name(cls));
    if (number)
        kin = kin_of(number);
    else if (cls == S2_C_ConnectError || cls == S2_C_FileError)
        kin = Py_NewRef(PyExc_OSError);
    else if (cls == S2_C_FunctionMissingError)
        kin = Py_NewRef(PyExc_NotImplementedError);
    bases = kin ? PyTuple_Pack(2, parent, kin) : PyTuple_Pack(1, parent);
    dict = Py_BuildValue("{s:i,s:z,s:i}", "code", s2_class_code(cls), "name",
                         s2_class_code_name(cls), "sftp_status",
                         s2_class_sftp_status(cls));
    if (dict && number) {
        PyObject *value = PyLong_FromLong(number);

        if (!value || PyDict_SetItemString(dict, "errno", value) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(value);
    }
    if (dict && !cls) {
        /* OSError's own would not show the message. */
        PyObject *str = PyObject_GetAttrString(PyExc_Exception, "__str__");

        if (!str || PyDict_SetItemString(dict, "__str__", str) < 0 ||
            PyDict_SetItemString(dict, "func", Py_None) < 0 ||
            PyDict_SetItemString(dict, "text", Py_None) < 0 ||
            PyDict_SetItemString(dict, "path", Py_None) < 0 ||
            PyDict_SetItemString(dict, "errno", Py_None) < 0 ||
            PyDict_SetItemString(dict, "done", Py_False) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(str);
    }
    if (bases && dict && !PyErr_Occurred())
        made = PyErr_NewExceptionWithDoc(name, s2_class_code_name(cls), bases,
                                         dict);
    Py_XDECREF(bases);
    Py_XDECREF(kin);
    Py_XDECREF(dict);
    return made;
}

static bool
add_errors(PyObject *module)
{
    PyObject *all = PyDict_New();

    for (int cls = 0; all && cls < S2_CLASS_COUNT; cls++) {
        error_class[cls] = new_error_class((s2_class)cls);
        if (!error_class[cls] ||
            PyDict_SetItemString(all, s2_class_name((s2_class)cls),
                                 error_class[cls]) < 0)
            Py_CLEAR(all);
    }
    return all && PyModule_AddObject(module, "errors", all) == 0;
}

static bool
set(PyObject *error, const char *name, PyObject *value)
{
    bool done = value && PyObject_SetAttrString(error, name, value) == 0;

    Py_XDECREF(value);
    return done;
}

static PyObject *
text_or_none(const char *text)
{
    return text ? PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text),
                                       "surrogateescape")
                : Py_NewRef(Py_None);
}

/* An instance of the class of err; NULL with an exception set. */
static PyObject *
error_object(const s2_error *err)
{
    PyObject *error = NULL, *text = NULL;
    char *message;

    if (!(message = s2_error_message(err))) {
        PyErr_NoMemory();
    } else {
        text = PyUnicode_DecodeUTF8(message, (Py_ssize_t)strlen(message),
                                    "replace");
        free(message);
    }
    if (text)
        error = PyObject_CallOneArg(error_class[err->cls], text);
    if (error &&
        !(set(error, "code", PyLong_FromLong(err->code)) &&
          set(error, "name", text_or_none(err->name)) &&
          set(error, "func", text_or_none(err->func)) &&
          set(error, "text", text_or_none(err->text)) &&
          set(error, "path", text_or_none(err->path)) &&
          set(error, "sftp_status", PyLong_FromLong(err->sftp_status)) &&
          set(error, "done", PyLong_FromSize_t(err->done)) &&
          (!err->sys_errno ||
           set(error, "errno", PyLong_FromLong(err->sys_errno)))))
        Py_CLEAR(error);
    Py_XDECREF(text);
    return error;
}

/* Raise err, which is freed. */
static void
raise_error(s2_error *err)
{
    PyObject *error;

    if (err == &s2_raised) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_SystemError, "raised without an exception");
        return;
    }
    if ((error = error_object(err)))
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
    s2_error_free(err);
}
%}
%init %{
    if (!add_errors(m))
        return NULL;
%}

%typemap(out, noblock=1) s2_error * {
    if (result && result->code != LIBSSH2_ERROR_EAGAIN) {
        raise_error(result);
        SWIG_fail;
    }
}
%typemap(ret, noblock=1) s2_error * {
    if (!$result)
        $result = PyLong_FromLong(result ? LIBSSH2_ERROR_EAGAIN : 0);
}

/* A method that answers None where others answer 0. */
%define %answers_none(method)
%typemap(ret, noblock=1) s2_error *method {
    if (!$result)
        $result = result ? PyLong_FromLong(LIBSSH2_ERROR_EAGAIN)
                         : Py_NewRef(Py_None);
}
%enddef
%answers_none(s2_session::agent_auth)
%answers_none(s2_session::flag)
%answers_none(s2_session::keepalive_config)
%answers_none(s2_file::seek64)
%answers_none(s2_knownhost::writefile)
