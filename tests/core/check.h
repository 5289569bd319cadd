/* What the unit tests share: cmocka, and errors compared by their class. */
#ifndef CHECK_H
#define CHECK_H

#include "internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The call succeeds. */
#define assert_ok(call) check_ok(call, #call, __FILE__, __LINE__)

/* The call fails with this class, and `part` is in the message. */
#define assert_fails(call, cls, part)                                          \
    check_fails(call, S2_C_##cls, part, #call, __FILE__, __LINE__)

static inline void
check_ok(s2_error *err, const char *call, const char *file, int line)
{
    char *message;

    if (!err)
        return;
    message = s2_error_message(err);
    print_error("%s: %s: %s\n", call, s2_class_name(err->cls), message);
    free(message);
    s2_error_free(err);
    _fail(file, line);
}

static inline void
check_fails(s2_error *err, s2_class cls, const char *part, const char *call,
            const char *file, int line)
{
    char *message = err ? s2_error_message(err) : NULL;

    if (!err || err->cls != cls || (part && !strstr(message, part))) {
        print_error("%s: %s: %s\n", call,
                    err ? s2_class_name(err->cls) : "no error",
                    message ? message : "");
        free(message);
        s2_error_free(err);
        _fail(file, line);
    }
    free(message);
    s2_error_free(err);
}

/* The state of a test: a session that is connected to nothing. */
static inline int
make_session(void **state)
{
    assert_ok(s2_init());
    *state = s2_session_create();
    return *state ? 0 : -1;
}

static inline int
drop_session(void **state)
{
    s2_release(*state);
    return 0;
}

#define session_test(name)                                                     \
    cmocka_unit_test_setup_teardown(name, make_session, drop_session)

#endif
