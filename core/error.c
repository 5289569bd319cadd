/* Errors are values: the table of classes, and how one is made. */
#include "internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    s2_class parent;
    int code;
    const char *code_name;
    int status, kin;
} table[] = {
#define S2_CLASS(cls, parent) {#cls, S2_C_##parent, 0, NULL, 0, 0},
#define S2_CODE(code, cls, parent) {#cls, S2_C_##parent, code, #code, 0, 0},
#define S2_SFTP(status, cls, kin)                                              \
    {#cls,                                                                     \
     S2_C_SFTPProtocolError,                                                   \
     LIBSSH2_ERROR_SFTP_PROTOCOL,                                              \
     #status,                                                                  \
     (int)status,                                                              \
     kin},
#include "errors.def"
#include "errors_new.def"
};

s2_error s2_raised = {.text = "the language raised"};
s2_error s2_again = {.cls = S2_C_SSH2Error,
                     .code = LIBSSH2_ERROR_EAGAIN,
                     .name = "LIBSSH2_ERROR_EAGAIN",
                     .text = "would block"};
s2_error s2_no_memory = {.cls = S2_C_AllocError,
                         .code = LIBSSH2_ERROR_ALLOC,
                         .name = "LIBSSH2_ERROR_ALLOC",
                         .text = "out of memory"};

const char *
s2_class_name(s2_class cls)
{
    return table[cls].name;
}

s2_class
s2_class_parent(s2_class cls)
{
    return table[cls].parent;
}

int
s2_class_code(s2_class cls)
{
    return table[cls].code;
}

const char *
s2_class_code_name(s2_class cls)
{
    return table[cls].code_name;
}

int
s2_class_sftp_status(s2_class cls)
{
    return table[cls].status;
}

int
s2_class_errno(s2_class cls)
{
    return table[cls].kin;
}

s2_class
s2_class_of_code(int code)
{
    for (int i = 0; i < S2_CLASS_COUNT; i++)
        if (code && table[i].code == code && !table[i].status)
            return (s2_class)i;
    return S2_C_UnknownError;
}

s2_class
s2_class_of_status(unsigned long status)
{
    for (int i = 0; i < S2_CLASS_COUNT; i++)
        if (status && (unsigned long)table[i].status == status)
            return (s2_class)i;
    return S2_C_SFTPProtocolError;
}

void
s2_words(char *text)
{
    unsigned char *p = (unsigned char *)text;
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        bool c1 = p[i] == 0xc2 && p[i + 1] >= 0x80 && p[i + 1] < 0xa0;

        if (c1)
            p[i + 1] = ' ';
        if (c1 || p[i] < ' ' || p[i] == 127)
            p[i] = ' ';
    }
    while (len && p[len - 1] == ' ')
        p[--len] = '\0';
}

s2_error *
s2_error_new(s2_class cls, int code, const char *func, const char *path,
             const char *format, ...)
{
    s2_error *err = calloc(1, sizeof *err);
    char text[1024];
    va_list ap;

    if (!err)
        return &s2_no_memory;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    s2_words(text);
    err->cls = cls;
    err->code = code;
    err->func = func;
    err->sftp_status = table[cls].status;
    err->sys_errno = table[cls].kin;
    err->name = table[cls].status ? table[cls].code_name
                                  : table[s2_class_of_code(code)].code_name;
    err->text = strdup(text);
    err->path = path ? strdup(path) : NULL;
    if (!err->text || (path && !err->path)) {
        s2_error_free(err);
        return &s2_no_memory;
    }
    return err;
}

s2_error *
s2_error_missing(const char *symbol)
{
    return s2_error_new(S2_C_FunctionMissingError, 0, NULL, NULL,
                        "libssh2 %s has no %s", libssh2_version(0), symbol);
}

const char *
s2_missing_methods(void)
{
    static const char text[] =
#include "missing.def"
        ;

    return text;
}

s2_error *
s2_error_copy(const s2_error *err)
{
    s2_error *copy;

    if (err == &s2_no_memory)
        return &s2_no_memory;
    copy = s2_error_new(err->cls, err->code, err->func, err->path, "%s",
                        err->text);
    if (copy != &s2_no_memory)
        copy->sys_errno = err->sys_errno;
    return copy;
}

void
s2_error_free(s2_error *err)
{
    if (!err || err == &s2_again || err == &s2_no_memory || err == &s2_raised)
        return;
    free(err->path);
    free(err->text);
    free(err);
}

char *
s2_error_message(const s2_error *err)
{
    size_t size = strlen(err->text) + (err->path ? strlen(err->path) : 0) +
                  (err->func ? strlen(err->func) : 0) + 8;
    char *message = malloc(size);

    if (message)
        snprintf(message, size, "%s%s%s%s%s", err->func ? err->func : "",
                 err->func ? ": " : "", err->path ? err->path : "",
                 err->path ? ": " : "", err->text);
    if (message) /* a server may have named the path */
        s2_words(message);
    return message;
}

s2_error *
s2_error_from_code(int errcode)
{
    s2_class cls = s2_class_of_code(errcode);
    const char *name = table[cls].code_name;

    if (errcode >= 0 || errcode == LIBSSH2_ERROR_EAGAIN)
        return NULL;
    return s2_error_new(cls, errcode, NULL, NULL, "%s (%d)",
                        name ? name : "unknown error", errcode);
}

s2_error *
s2_status_error(const char *func, const char *path, unsigned long status)
{
    s2_class cls = s2_class_of_status(status);
    s2_error *err = s2_error_new(
        cls, LIBSSH2_ERROR_SFTP_PROTOCOL, func, path, "%s (status %lu)",
        cls == S2_C_SFTPProtocolError ? "SFTP error" : s2_class_code_name(cls),
        status);

    if (err != &s2_no_memory)
        err->sftp_status = (int)status;
    return err;
}

s2_error *
s2_errno_error(const char *func, const char *path, int why)
{
    s2_error *err = s2_error_new(S2_C_FileError, LIBSSH2_ERROR_FILE, func, path,
                                 "%s", strerror(why));

    if (err != &s2_no_memory)
        err->sys_errno = why;
    return err;
}
