/* Bytes, lists, the table of errors and what an error says. */
#include "check.h"

#include <errno.h>

static void
bytes_are_copied_and_ended(void **state)
{
    s2_buf b = {0};

    (void)state;
    assert_true(s2_buf_set(&b, "a\0b", 3));
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "a\0b", 4);
    assert_true(s2_buf_set(&b, NULL, 0));
    assert_int_equal(b.len, 0);
    assert_string_equal(b.data, "");
    s2_buf_free(&b);
    assert_null(b.data);
    s2_buf_free(&b);
}

static void
a_list_keeps_order_and_length(void **state)
{
    s2_list l = {0};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char text[8];
        int n = snprintf(text, sizeof text, "%d", i);

        assert_true(s2_list_add(&l, text, (size_t)n));
    }
    assert_true(s2_list_add(&l, "", 0));
    assert_int_equal(l.count, 1001);
    assert_string_equal(l.item[999].data, "999");
    assert_int_equal(l.item[1000].len, 0);
    s2_list_free(&l);
    assert_int_equal(l.count, 0);
}

static void
every_class_has_a_name_and_an_older_parent(void **state)
{
    (void)state;
    for (int c = 1; c < S2_CLASS_COUNT; c++) {
        assert_true(strlen(s2_class_name((s2_class)c)) > 0);
        assert_true(s2_class_parent((s2_class)c) < (s2_class)c);
        for (int other = 0; other < c; other++)
            assert_string_not_equal(s2_class_name((s2_class)c),
                                    s2_class_name((s2_class)other));
    }
    assert_int_equal(s2_class_parent(S2_C_SSH2Error), S2_C_SSH2Error);
}

static void
codes_and_statuses_find_their_class(void **state)
{
    (void)state;
    assert_int_equal(s2_class_of_code(LIBSSH2_ERROR_TIMEOUT), S2_C_Timeout);
    assert_int_equal(s2_class_of_code(LIBSSH2_ERROR_SFTP_PROTOCOL),
                     S2_C_SFTPProtocolError);
    assert_int_equal(s2_class_of_code(-9999), S2_C_UnknownError);
    assert_int_equal(s2_class_of_code(0), S2_C_UnknownError);
    assert_int_equal(s2_class_of_status(LIBSSH2_FX_NO_SUCH_FILE),
                     S2_C_SFTPNoSuchFileError);
    assert_int_equal(s2_class_of_status(0), S2_C_SFTPProtocolError);
    assert_int_equal(s2_class_of_status(4711), S2_C_SFTPProtocolError);
    assert_int_equal(s2_class_errno(S2_C_SFTPNoSuchFileError), ENOENT);
    assert_int_equal(s2_class_code(S2_C_Timeout), LIBSSH2_ERROR_TIMEOUT);
    assert_string_equal(s2_class_code_name(S2_C_Timeout),
                        "LIBSSH2_ERROR_TIMEOUT");
}

static void
an_error_tells_all_it_knows(void **state)
{
    s2_error *err =
        s2_error_new(S2_C_SFTPNoSuchFileError, LIBSSH2_ERROR_SFTP_PROTOCOL,
                     "libssh2_sftp_open_ex", "/none", "%d of %s", 1, "us");
    s2_error *copy;
    char *message = s2_error_message(err);

    (void)state;
    assert_string_equal(message, "libssh2_sftp_open_ex: /none: 1 of us");
    free(message);
    assert_int_equal(err->sftp_status, LIBSSH2_FX_NO_SUCH_FILE);
    assert_int_equal(err->sys_errno, ENOENT);
    assert_string_equal(err->name, "LIBSSH2_FX_NO_SUCH_FILE");
    copy = s2_error_copy(err);
    s2_error_free(err);
    assert_string_equal(copy->path, "/none");
    assert_string_equal(copy->text, "1 of us");
    s2_error_free(copy);
}

static void
a_message_has_only_what_is_there(void **state)
{
    s2_error *err = s2_error_new(S2_C_UnknownError, -1, NULL, NULL, "oops");
    char *message = s2_error_message(err);

    (void)state;
    assert_string_equal(message, "oops");
    free(message);
    s2_error_free(err);
}

static void
a_long_text_is_cut_not_overrun(void **state)
{
    char text[4000];
    s2_error *err;

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    err = s2_error_new(S2_C_UnknownError, -1, NULL, NULL, "%s", text);
    assert_true(strlen(err->text) > 500);
    assert_true(strlen(err->text) < 2000);
    s2_error_free(err);
}

static void
the_static_errors_outlive_being_freed(void **state)
{
    (void)state;
    s2_error_free(NULL);
    s2_error_free(&s2_again);
    s2_error_free(&s2_no_memory);
    s2_error_free(&s2_raised);
    assert_int_equal(s2_again.code, LIBSSH2_ERROR_EAGAIN);
    assert_ptr_equal(s2_error_copy(&s2_no_memory), &s2_no_memory);
}

static void
a_code_becomes_an_error_unless_it_is_none(void **state)
{
    (void)state;
    assert_null(s2_error_from_code(0));
    assert_null(s2_error_from_code(12));
    assert_null(s2_error_from_code(LIBSSH2_ERROR_EAGAIN));
    assert_fails(s2_error_from_code(LIBSSH2_ERROR_CHANNEL_EOF_SENT),
                 ChannelEOFSentError, "LIBSSH2_ERROR_CHANNEL_EOF_SENT");
    assert_fails(s2_error_from_code(-4711), UnknownError, "-4711");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_copied_and_ended),
        cmocka_unit_test(a_list_keeps_order_and_length),
        cmocka_unit_test(every_class_has_a_name_and_an_older_parent),
        cmocka_unit_test(codes_and_statuses_find_their_class),
        cmocka_unit_test(an_error_tells_all_it_knows),
        cmocka_unit_test(a_message_has_only_what_is_there),
        cmocka_unit_test(a_long_text_is_cut_not_overrun),
        cmocka_unit_test(the_static_errors_outlive_being_freed),
        cmocka_unit_test(a_code_becomes_an_error_unless_it_is_none),
    };

    return cmocka_run_group_tests_name("values", tests, NULL, NULL);
}
