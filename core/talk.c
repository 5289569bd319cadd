/*
 * Talks: a channel over which the core itself speaks a protocol.
 *
 * Opening one and starting its program is in the session's scope, as any
 * opening.  What comes then is in no scope: nobody waits for a program that
 * never answers but its caller.  Between two calls that would block the
 * session keeps the talk.
 */
#include "internal.h"

#include <string.h>

int
s2_talk_start(s2_op *op, s2_talk *t, const char *request, const void *message,
              size_t len)
{
    int rc;

    if (!t->raw)
        t->raw = libssh2_channel_open_ex(
            S2_RAW(op), "session", sizeof "session" - 1,
            t->window ? t->window : LIBSSH2_CHANNEL_WINDOW_DEFAULT,
            LIBSSH2_CHANNEL_PACKET_DEFAULT, NULL, 0);
    if (!t->raw)
        return s2_op_null(op);
    rc = libssh2_channel_process_startup(
        t->raw, request, (unsigned)strlen(request), message, (unsigned)len);
    return rc == LIBSSH2_ERROR_EAGAIN && s2_closed_by_peer(op, t->raw)
               ? LIBSSH2_ERROR_CHANNEL_CLOSED
               : rc;
}

int
s2_talk_say(s2_op *op, s2_talk *t, const void *src, size_t len)
{
    while (t->said < len) {
        ssize_t n = libssh2_channel_write_ex(
            t->raw, 0, (const char *)src + t->said, len - t->said);

        if (n == 0) /* there is no room in the server's window */
            n = LIBSSH2_ERROR_EAGAIN;
        if (n == LIBSSH2_ERROR_EAGAIN && s2_closed_by_peer(op, t->raw))
            return LIBSSH2_ERROR_CHANNEL_CLOSED;
        if (n < 0)
            return (int)n;
        t->said += (size_t)n;
    }
    t->said = 0;
    return 0;
}

int
s2_talk_hear(s2_talk *t, void *dst, size_t len)
{
    while (t->heard < len) {
        ssize_t n = libssh2_channel_read_ex(t->raw, 0, (char *)dst + t->heard,
                                            len - t->heard);

        if (n <= 0)
            return n ? (int)n : S2_TALK_END;
        t->heard += (size_t)n;
    }
    t->heard = 0;
    return 0;
}

int
s2_talk_ended(s2_op *op, s2_talk *t, s2_class cls, int code)
{
    char words[512];
    ssize_t n = libssh2_channel_read_ex(t->raw, SSH_EXTENDED_DATA_STDERR, words,
                                        sizeof words - 1);

    words[n > 0 ? n : 0] = '\0';
    s2_words(words);
    return s2_op_fail(op, s2_error_new(cls, code, op->func, op->path,
                                       "the server ended it%s%s",
                                       *words ? ": " : "", words));
}

void
s2_talk_drop(s2_op *op, s2_talk *t)
{
    if (t->raw)
        s2_release(s2_channel_new(S2_SESSION(op), t->raw, false));
    t->raw = NULL;
}

s2_error *
s2_talk_call(s2_op *op, int (*step)(s2_op *))
{
    s2_error *err;
    s2_op rest;

    op->flags |= S2_OWES;
    err = s2_op_call(op);
    if (!err) {
        rest = *op;
        rest.step = step;
        rest.scope = NULL;
        rest.settle = NULL;
        if (op->deadline) {
            int64_t left = op->deadline - s2_now();

            rest.timeout = left > 0 ? (int)left : 1;
        }
        err = s2_op_call(&rest);
        if (err == &s2_again)
            s2_op_owe(op);
    }
    if (err && op->state)
        op->settle(op, err->code);
    return err;
}
