/*
 * Authentication: the ways a session proves who its user is.
 *
 * Passwords and passphrases are arguments only: no error names them, and a
 * call that is left clears its copies.
 */
#include "internal.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

enum { REQUEST_LIMIT = 32000 };

bool
s2_session_userauth_authenticated(s2_session *s)
{
    return s->generation == s2_generation &&
           atomic_load(&s->seen.authenticated);
}

int
s2_op_let_in(s2_op *op)
{
    if (!libssh2_userauth_authenticated(S2_RAW(op)))
        return 0;
    return s2_op_fail(op, s2_error_new(S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE,
                                       op->func, op->path,
                                       "the session is authenticated already"));
}

static int
list_step(s2_op *op)
{
    LIBSSH2_SESSION *raw = S2_RAW(op);
    const char *list, *end;

    /* The server never answers once it is content. */
    if (libssh2_userauth_authenticated(raw))
        return 0;
    list = libssh2_userauth_list(raw, op->b[0].p, (unsigned)op->b[0].len);
    if (!list)
        return libssh2_userauth_authenticated(raw) ? 0 : s2_op_null(op);
    for (; op->dst && *list; list = *end ? end + 1 : end) {
        end = list + strcspn(list, ",");
        if (!s2_list_add(op->dst, list, (size_t)(end - list)))
            return s2_op_fail(op, &s2_no_memory);
    }
    return 0;
}

s2_error *
s2_session_userauth_list(s2_session *s, const char *username, s2_list *texts)
{
    s2_op op = S2_OP(s, list_step, "libssh2_userauth_list", &s->scope, 0);
    s2_error *err;

    s2_op_text(&op, 0, username);
    op.path = username;
    op.dst = texts;
    if ((err = s2_op_call(&op)))
        s2_list_free(texts);
    return err;
}

/* What libssh2 will free. */
static bool
give(s2_session *s, char **to, const s2_buf *text)
{
    *to = s2_alloc_new(&s->alloc, text->len + 1);
    if (!*to)
        return false;
    memcpy(*to, text->data, text->len);
    (*to)[text->len] = '\0';
    return true;
}

/* All that goes into a request has to fit into one packet: libssh2 never
 * leaves the state of one that it cannot send. */
static LIBSSH2_PASSWD_CHANGEREQ_FUNC(new_password)
{
    s2_session *s = *abstract;
    s2_op *op = s->asking;
    s2_value answer = {.kind = S2_TEXT};

    (void)session;
    *newpw = NULL;
    *newpw_len = 0;
    if (!s2_op_ask(op, NULL, 0, &answer))
        return;
    if (op->b[0].len + op->b[1].len + answer.bytes.len > REQUEST_LIMIT)
        s2_op_fail(op, s2_error_new(S2_C_InvalidRequestError,
                                    LIBSSH2_ERROR_INVAL, op->func, op->path,
                                    "the new password is too long"));
    else if (give(s, newpw, &answer.bytes))
        *newpw_len = (int)answer.bytes.len;
    s2_value_free(&answer);
}

/* Without a callback libssh2 takes an expired password for a wrong one; with
 * one that knows no other it never leaves that state. */
static int
password_step(s2_op *op)
{
    s2_session *s = S2_SESSION(op);
    int rc = s2_op_let_in(op);

    if (rc)
        return rc;
    if (s->expired)
        return s2_op_fail(op,
                          s2_error_new(S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE,
                                       op->func, op->path,
                                       "a password had expired: try another "
                                       "in a new session"));
    s->asking = op;
    rc = libssh2_userauth_password_ex(S2_RAW(op), op->b[0].p,
                                      (unsigned)op->b[0].len, op->b[1].p,
                                      (unsigned)op->b[1].len, new_password);
    s->asking = NULL;
    s->expired = rc == LIBSSH2_ERROR_PASSWORD_EXPIRED;
    return op->error ? S2_FAILED : rc;
}

s2_error *
s2_session_userauth_password(s2_session *s, const char *username,
                             const char *password, s2_call_fn callback,
                             void *ctx)
{
    s2_op op = S2_OP(s, password_step, "libssh2_userauth_password_ex",
                     &s->scope, callback ? S2_LOCKED : 0);

    s2_op_text(&op, 0, username);
    s2_op_text(&op, 1, password);
    op.call = callback;
    op.call_ctx = ctx;
    op.path = username;
    return s2_op_call(&op);
}

/* --- keys ---------------------------------------------------------------- */

/* The server has let the public key pass, and the private one cannot be had. */
static int
unless_locked(s2_op *op, int rc)
{
    char *text = NULL;

    if (rc == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED)
        libssh2_session_last_error(S2_RAW(op), &text, NULL, 0);
    if (!text || strcmp(text, "Callback returned error"))
        return rc;
    return s2_op_fail(op, s2_error_new(S2_C_KeyfileAuthFailedError,
                                       LIBSSH2_ERROR_KEYFILE_AUTH_FAILED,
                                       op->func, op->path,
                                       "the private key cannot be read: "
                                       "another passphrase, or no such key"));
}

static int
fromfile_step(s2_op *op)
{
    int rc = s2_op_let_in(op);

    return rc ? rc
              : unless_locked(op, libssh2_userauth_publickey_fromfile_ex(
                                      S2_RAW(op), op->b[0].p,
                                      (unsigned)op->b[0].len, op->b[3].p,
                                      op->b[1].p, op->b[2].p));
}

s2_error *
s2_session_userauth_publickey_fromfile(s2_session *s, const char *username,
                                       const char *privatekey,
                                       const char *passphrase,
                                       const char *publickey)
{
    s2_op op = S2_OP(s, fromfile_step, "libssh2_userauth_publickey_fromfile_ex",
                     &s->scope, 0);

    s2_op_text(&op, 0, username);
    s2_op_text(&op, 1, privatekey);
    s2_op_text(&op, 2, passphrase);
    s2_op_text(&op, 3, publickey);
    op.path = privatekey;
    return s2_op_call(&op);
}

static int
frommemory_step(s2_op *op)
{
    int rc = s2_op_let_in(op);

    if (rc)
        return rc;
    ERR_clear_error(); /* libssh2 looks at the oldest, whosever it is */
    return unless_locked(op, libssh2_userauth_publickey_frommemory(
                                 S2_RAW(op), op->b[0].p, op->b[0].len,
                                 op->b[3].p, op->b[3].len, op->b[1].p,
                                 op->b[1].len, op->b[2].p));
}

s2_error *
s2_session_userauth_publickey_frommemory(s2_session *s, const char *username,
                                         const void *privatekeyfiledata,
                                         size_t privatekeyfiledata_len,
                                         const char *passphrase,
                                         const void *publickeyfiledata,
                                         size_t publickeyfiledata_len)
{
    s2_op op = S2_OP(s, frommemory_step,
                     "libssh2_userauth_publickey_frommemory", &s->scope, 0);

    s2_op_text(&op, 0, username);
    s2_op_bytes(&op, 1, privatekeyfiledata, privatekeyfiledata_len);
    s2_op_text(&op, 2, passphrase);
    s2_op_bytes(&op, 3, publickeyfiledata_len ? publickeyfiledata : NULL,
                publickeyfiledata_len);
    op.path = username;
    return s2_op_call(&op);
}

static int
hostbased_step(s2_op *op)
{
    /* One text holds both names: host, NUL, user. */
    const char *host = op->b[0].p, *user = host + strlen(host) + 1;
    unsigned user_len = (unsigned)strlen(user);
    int rc = s2_op_let_in(op);

    return rc ? rc
              : libssh2_userauth_hostbased_fromfile_ex(
                    S2_RAW(op), user, user_len, op->b[3].p, op->b[1].p,
                    op->b[2].p, host, (unsigned)strlen(host), user, user_len);
}

s2_error *
s2_session_userauth_hostbased_fromfile(s2_session *s, const char *username,
                                       const char *privatekey,
                                       const char *hostname,
                                       const char *publickey,
                                       const char *passphrase)
{
    s2_op op = S2_OP(s, hostbased_step,
                     "libssh2_userauth_hostbased_fromfile_ex", &s->scope, 0);
    size_t host_len = strlen(hostname) + 1, user_len = strlen(username);
    s2_buf names = {malloc(host_len + user_len + 1), host_len + user_len};
    s2_error *err;

    if (!names.data)
        return &s2_no_memory;
    memcpy(names.data, hostname, host_len);
    memcpy(names.data + host_len, username, user_len + 1);
    s2_op_bytes(&op, 0, names.data, names.len);
    s2_op_text(&op, 1, privatekey);
    s2_op_text(&op, 2, passphrase);
    s2_op_text(&op, 3, publickey);
    op.path = privatekey;
    err = s2_op_call(&op);
    s2_buf_free(&names);
    return err;
}

/* --- keyboard-interactive ------------------------------------------------ */

static size_t
clipped(int n)
{
    return n > 0 ? (size_t)n : 0;
}

/* An answer that is missing is sent empty. */
static LIBSSH2_USERAUTH_KBDINT_RESPONSE_FUNC(respond)
{
    s2_session *s = *abstract;
    s2_op *op = s->asking;
    size_t count = clipped(num_prompts);
    bool failed = op->error; /* the server asks once more, all the same */
    s2_buf password = {failed ? NULL : (char *)(uintptr_t)op->b[1].p,
                       failed ? 0 : op->b[1].len};
    s2_value args[] = {
        s2_value_lent(S2_LABEL, name, clipped(name_len)),
        s2_value_lent(S2_LABEL, instruction, clipped(instruction_len)),
        {.kind = S2_LIST, .number = num_prompts}};
    s2_value answer = {.kind = S2_LIST, .number = num_prompts};
    bool ok = true, asked = false;
    size_t total = op->b[0].len;

    if (count) /* else there may be no array */
        memset(responses, 0, count * sizeof *responses);
    args[2].item = calloc(count + 1, sizeof *args);
    answer.item = calloc(count + 1, sizeof answer);
    if (!args[2].item || !answer.item) {
        ok = false;
    } else if (!password.data && !failed) {
        for (size_t i = 0; i < count; i++) {
            args[2].item[i] =
                s2_value_lent(S2_PROMPT, prompts[i].text, prompts[i].length);
            args[2].item[i].number = prompts[i].echo;
            answer.item[i].kind = S2_TEXT;
        }
        asked = s2_op_ask(op, args, 3, &answer);
    }
    for (size_t i = 0; i < count; i++)
        total += asked ? answer.item[i].bytes.len : password.len;
    if (total > REQUEST_LIMIT) {
        s2_op_fail(op,
                   s2_error_new(S2_C_InvalidRequestError, LIBSSH2_ERROR_INVAL,
                                op->func, NULL, "the answers are too long"));
        asked = false;
        password.data = NULL;
    }
    for (size_t i = 0; ok && i < count && (asked || password.data); i++) {
        const s2_buf *text = asked ? &answer.item[i].bytes : &password;

        ok = give(s, &responses[i].text, text);
        responses[i].length = ok ? (unsigned)text->len : 0;
    }
    s->alloc.failed |= !ok;
    free(args[2].item);
    s2_value_free(&answer);
}

static int
interactive_step(s2_op *op)
{
    int rc = s2_op_let_in(op);

    if (rc)
        return rc;
    S2_SESSION(op)->asking = op;
    rc = libssh2_userauth_keyboard_interactive_ex(
        S2_RAW(op), op->b[0].p, (unsigned)op->b[0].len, respond);
    S2_SESSION(op)->asking = NULL;
    op->failed = op->error;
    return op->error && rc != LIBSSH2_ERROR_EAGAIN ? S2_FAILED : rc;
}

static s2_error *
interactive(s2_session *s, const char *username, const char *password,
            s2_call_fn callback, void *ctx)
{
    s2_op op =
        S2_OP(s, interactive_step, "libssh2_userauth_keyboard_interactive_ex",
              &s->scope, callback ? S2_LOCKED : 0);

    s2_op_text(&op, 0, username);
    s2_op_text(&op, 1, password);
    op.call = callback;
    op.call_ctx = ctx;
    op.path = username;
    return s2_op_call(&op);
}

s2_error *
s2_session_userauth_keyboardinteractive(s2_session *s, const char *username,
                                        const char *password)
{
    return interactive(s, username, password, NULL, NULL);
}

s2_error *
s2_session_userauth_keyboardinteractive_callback(s2_session *s,
                                                 const char *username,
                                                 s2_call_fn callback, void *ctx)
{
    return interactive(s, username, NULL, callback, ctx);
}
