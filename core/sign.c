/*
 * Authentication by keys that only the program, or a security key, has.
 *
 * libssh2's own call for security keys asks the socket without a pause until
 * there is an answer.  So it is used to read the key's file only, by a session
 * of its own that meets no server, and to sign is up to the core.
 */
#include "sign.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { USER, BLOB, KEY, PASSPHRASE };
enum { DATA = BLOB };

/*
 * libssh2 1.11 takes a name that is the beginning of one of these for the
 * whole one, and overruns it: only these pass.
 */
static const s2_algorithm algorithms[] = {
    {"ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com", 0},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256-cert-v01@openssh.com", 0},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384-cert-v01@openssh.com", 0},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521-cert-v01@openssh.com", 0},
    {"rsa-sha2-512", "rsa-sha2-512-cert-v01@openssh.com", 4},
    {"rsa-sha2-256", "rsa-sha2-256-cert-v01@openssh.com", 2},
    {"ssh-rsa", "ssh-rsa-cert-v01@openssh.com", 0},
    {"ssh-dss", "ssh-dss-cert-v01@openssh.com", 0},
#ifdef S2_HAVE_libssh2_userauth_publickey_sk
    {"sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com", 0},
    {"sk-ecdsa-sha2-nistp256@openssh.com",
     "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", 0},
#endif
};

const s2_algorithm *
s2_algorithm_of(cursor name)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
        if (is(name, algorithms[i].name) || is(name, algorithms[i].certificate))
            return &algorithms[i];
    return NULL;
}

/* RFC 4252 7. */
s2_request
s2_request_of(const void *data, size_t len)
{
    cursor c = {data, len};
    s2_request r;

    take_string(&c); /* the session's identifier */
    take_byte(&c);
    for (int i = 0; i < 3; i++)
        take_string(&c); /* user, service, method */
    take_byte(&c);
    r.algorithm = take_string(&c);
    r.blob = take_string(&c);
    return r;
}

bool
s2_key_known(cursor blob)
{
    cursor c = blob;

    return blob.left <= S2_PART_LIMIT && s2_algorithm_of(take_string(&c));
}

int
s2_signature(s2_op *op, const void *src, size_t len, unsigned char **sig,
             size_t *sig_len)
{
    if (!len || len > S2_PART_LIMIT) {
        s2_op_fail(op,
                   s2_error_new(S2_C_PublickeyUnverifiedError,
                                LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED, op->func,
                                op->path, "a signature of %zu bytes", len));
        return LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED;
    }
    if (!(*sig = s2_alloc_new(&S2_SESSION(op)->alloc, len)))
        return LIBSSH2_ERROR_ALLOC;
    memcpy(*sig, src, len);
    *sig_len = len;
    return 0;
}

int
s2_key_try(s2_op *op, cursor blob,
           LIBSSH2_USERAUTH_PUBLICKEY_SIGN_FUNC((*sign)))
{
    const char *user = op->b[USER].p;
    void *abstract = op;
    cursor c = blob, type = take_string(&c);
    char other[80];
    int rc = libssh2_userauth_publickey(S2_RAW(op), user, blob.at, blob.left,
                                        sign, &abstract);

    /* libssh2 1.11 takes this key's type from the one before, if the server
     * has no algorithm for that: a key too short to be sent displaces it. */
    if (rc == LIBSSH2_ERROR_METHOD_NONE) {
        snprintf(other, sizeof other, "%.*s AAAA", (int)type.left, type.at);
        libssh2_userauth_publickey_frommemory(S2_RAW(op), user, op->b[USER].len,
                                              other, strlen(other), "-", 1, "");
        rc = libssh2_userauth_publickey(S2_RAW(op), user, blob.at, blob.left,
                                        sign, &abstract);
    }
    if (rc >= 0 || rc == LIBSSH2_ERROR_EAGAIN || S2_SESSION(op)->alloc.failed)
        return rc;
    if (S2_SESSION(op)->goodbye)
        return LIBSSH2_ERROR_SOCKET_DISCONNECT;
    return op->error ? S2_FAILED : rc;
}

/* --- signed by the program ----------------------------------------------- */

static LIBSSH2_USERAUTH_PUBLICKEY_SIGN_FUNC(sign_by_program)
{
    s2_op *op = *abstract;
    cursor name = s2_request_of(data, data_len).algorithm;
    s2_value args[] = {s2_value_lent(S2_BYTES, data, data_len),
                       s2_value_lent(S2_TEXT, name.at, name.left)};
    s2_value answer = {.kind = S2_BYTES};
    int rc = LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED;

    (void)session;
    if (s2_op_ask(op, args, 2, &answer))
        rc =
            s2_signature(op, answer.bytes.data, answer.bytes.len, sig, sig_len);
    s2_value_free(&answer);
    return rc;
}

/* A key, the one that is given or else `own`. */
static int
try_key(s2_op *op, const s2_buf *own,
        LIBSSH2_USERAUTH_PUBLICKEY_SIGN_FUNC((*sign)))
{
    cursor blob = {op->b[BLOB].p, op->b[BLOB].len};

    if (own && !blob.left)
        blob = (cursor){(unsigned char *)own->data, own->len};
    if (s2_key_known(blob))
        return s2_key_try(op, blob, sign);
    return s2_op_fail(op, s2_error_new(S2_C_AlgoUnsupportedError,
                                       LIBSSH2_ERROR_ALGO_UNSUPPORTED, op->func,
                                       op->path, "the key has no known type"));
}

static int
publickey_step(s2_op *op)
{
    int rc = s2_op_let_in(op);

    return rc ? rc : try_key(op, NULL, sign_by_program);
}

static s2_error *
no_callback(const char *func)
{
    return s2_error_new(S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE, func, NULL,
                        "there is no callback to sign");
}

s2_error *
s2_session_userauth_publickey(s2_session *s, const char *username,
                              const void *pubkeydata, size_t pubkeydata_len,
                              s2_call_fn callback, void *ctx)
{
    s2_op op = S2_OP(s, publickey_step, "libssh2_userauth_publickey", &s->scope,
                     S2_LOCKED);

    if (!callback)
        return no_callback(op.func);
    s2_op_text(&op, USER, username);
    s2_op_bytes(&op, BLOB, pubkeydata, pubkeydata_len);
    op.call = callback;
    op.call_ctx = ctx;
    op.path = username;
    return s2_op_call(&op);
}

/* --- signed by a security key -------------------------------------------- */

/* What the file of a security key's private part tells. */
typedef struct token {
    int algorithm; /* LIBSSH2_HOSTKEY_TYPE_* */
    uint8_t flags; /* LIBSSH2_SK_* */
    s2_buf application, handle, blob;
    const void *forgotten; /* libssh2's own handle, which it never frees */
} token;

static void
token_free(token *t)
{
    if (!t)
        return;
    s2_buf_free(&t->application);
    s2_buf_free(&t->handle);
    s2_buf_free(&t->blob);
    free(t);
}

static void
token_settle(s2_op *op, int rc)
{
    (void)rc;
    token_free(op->state);
    op->state = NULL;
}

#ifdef S2_HAVE_libssh2_userauth_publickey_sk

/* A server that would take any key: USERAUTH_PK_OK, and then no more. */
static LIBSSH2_RECV_FUNC(pretend)
{
    static const unsigned char packet[16] = {0, 0, 0, 12, 10, 60};
    s2_session *s = *abstract;

    (void)socket;
    (void)flags;
    if (s->asking->r[0]++ || length < sizeof packet)
        return -ECONNRESET;
    memcpy(buffer, packet, sizeof packet);
    return sizeof packet;
}

static LIBSSH2_USERAUTH_SK_SIGN_FUNC(note_token)
{
    token *t = *abstract;
    cursor blob = s2_request_of(data, data_len).blob;
    const char *text = application ? application : "";

    (void)session;
    (void)sig_info;
    t->algorithm = algorithm;
    t->flags = flags;
    t->forgotten = key_handle;
    if (s2_buf_set(&t->application, text, strlen(text)) &&
        s2_buf_set(&t->handle, key_handle, handle_len))
        s2_buf_set(&t->blob, blob.at, blob.left);
    return LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED; /* that is all */
}

static int
read_token_step(s2_op *op)
{
    s2_session *s = S2_SESSION(op);
    token *t = op->dst;
    void *abstract = t;

    SET_CALLBACK(s->raw, LIBSSH2_CALLBACK_RECV, pretend);
    s->wire.ending = true; /* what is sent is dropped */
    s->asking = op;
    libssh2_userauth_publickey_sk(s->raw, "", 0, NULL, 0, op->b[KEY].p,
                                  op->b[KEY].len, op->b[PASSPHRASE].p,
                                  note_token, &abstract);
    s2_alloc_free(&s->alloc, (void *)(uintptr_t)t->forgotten);
    if (t->blob.data)
        return 0;
    return s2_op_fail(op, s2_error_new(S2_C_FileError, LIBSSH2_ERROR_FILE,
                                       op->func, NULL,
                                       "no security key's private part, or "
                                       "not this passphrase"));
}

#else

static int
read_token_step(s2_op *op)
{
    return s2_op_fail(op, s2_error_missing(op->func));
}

#endif

/* In a session of its own, whose turn nobody else waits for. */
static s2_error *
read_token(const s2_op *from, token **out)
{
    s2_session *s = s2_session_create();
    token *t = calloc(1, sizeof *t);
    s2_error *err = &s2_no_memory;

    if (s && t) {
        s2_op op = S2_OP(s, read_token_step, from->func, NULL, S2_EARLY);

        memcpy(op.b, from->b, sizeof op.b);
        op.dst = t;
        err = s2_op_call(&op);
        s2_error_free(s2_session_close(s));
    }
    s2_release(s);
    if (err)
        token_free(t);
    else
        *out = t;
    return err;
}

/* Without the zeros before it, and with one if it were negative: RFC 4251 5. */
static unsigned char *
put_positive(unsigned char *to, const s2_buf *number)
{
    const unsigned char *p = (unsigned char *)number->data;
    size_t len = number->len;
    bool zero;

    for (; len && !*p; len--)
        p++;
    zero = len && *p & 0x80;
    to = put_u32(to, len + zero);
    if (zero)
        *to++ = 0;
    memcpy(to, p, len);
    return to + len;
}

/* Flags, counter, r and s as a signature: PROTOCOL.u2f of OpenSSH. */
static int
assemble(s2_op *op, const token *t, const s2_value *item, s2_buf *out)
{
    const s2_buf *r = &item[2].bytes, *s = &item[3].bytes;
    bool ecdsa = t->algorithm == LIBSSH2_HOSTKEY_TYPE_ECDSA_256;
    unsigned char *p;

    if (!r->len || !s->len != !ecdsa || r->len + s->len > S2_PART_LIMIT - 20) {
        s2_op_fail(op,
                   s2_error_new(S2_C_PublickeyUnverifiedError,
                                LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED, op->func,
                                op->path, "a signature of %zu and %zu bytes",
                                r->len, s->len));
        return LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED;
    }
    if (!(out->data = malloc(r->len + s->len + 20))) {
        s2_op_fail(op, &s2_no_memory);
        return LIBSSH2_ERROR_ALLOC;
    }
    p = (unsigned char *)out->data;
    if (ecdsa) {
        p = put_positive(put_positive(p + 4, r), s);
        put_u32((unsigned char *)out->data,
                (size_t)(p - (unsigned char *)out->data) - 4);
    } else {
        p = put_string(p, r->data, r->len);
    }
    *p++ = (unsigned char)item[0].number;
    p = put_u32(p, (size_t)item[1].number);
    out->len = (size_t)(p - (unsigned char *)out->data);
    return 0;
}

static int
sign_by(s2_op *op, const token *t, const void *data, size_t len, s2_buf *out)
{
    s2_value args[] = {
        s2_value_lent(S2_BYTES, data, len),
        {.kind = S2_NUMBER, .number = t->algorithm},
        {.kind = S2_NUMBER, .number = t->flags},
        s2_value_lent(S2_TEXT, t->application.data, t->application.len),
        s2_value_lent(S2_BYTES, t->handle.data, t->handle.len),
    };
    const s2_value wanted[] = {{.kind = S2_NUMBER, .number = UINT8_MAX},
                               {.kind = S2_NUMBER, .number = UINT32_MAX},
                               {.kind = S2_BYTES},
                               {.kind = S2_BYTES}};
    s2_value answer = {
        .kind = S2_LIST, .number = 4, .item = malloc(sizeof wanted)};
    int rc = LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED;

    if (!answer.item) {
        s2_op_fail(op, &s2_no_memory);
        return LIBSSH2_ERROR_ALLOC;
    }
    memcpy(answer.item, wanted, sizeof wanted);
    if (s2_op_ask(op, args, 5, &answer))
        rc = assemble(op, t, answer.item, out);
    s2_value_free(&answer);
    return rc;
}

static LIBSSH2_USERAUTH_PUBLICKEY_SIGN_FUNC(sign_by_token)
{
    s2_op *op = *abstract;
    s2_buf out = {0};
    int rc = sign_by(op, op->state, data, data_len, &out);

    (void)session;
    if (!rc)
        rc = s2_signature(op, out.data, out.len, sig, sig_len);
    s2_buf_free(&out);
    return rc;
}

/* What comes back in r[0] where the key's file is still to be read. */
enum { UNREAD = 1 };

static int
userauth_sk_step(s2_op *op)
{
    int rc = s2_op_let_in(op);

    if (rc)
        return rc;
    if (!op->state) {
        op->state = op->dst;
        op->dst = NULL;
    }
    op->r[0] = op->state ? 0 : UNREAD;
    return op->state ? try_key(op, &((token *)op->state)->blob, sign_by_token)
                     : 0;
}

static int
sign_sk_step(s2_op *op)
{
    token *t = op->state;
    int rc = sign_by(op, t, op->b[DATA].p, op->b[DATA].len, op->dst);

    return op->error ? S2_FAILED : rc;
}

s2_error *
s2_session_userauth_publickey_sk(s2_session *s, const char *username,
                                 const void *pubkeydata, size_t pubkeydata_len,
                                 const void *privatekeyfiledata,
                                 size_t privatekeyfiledata_len,
                                 const char *passphrase, s2_call_fn callback,
                                 void *ctx)
{
    s2_op op = S2_OP(s, userauth_sk_step, "libssh2_userauth_publickey_sk",
                     &s->scope, S2_LOCKED);
    token *t = NULL;
    s2_error *err;

    if (!callback)
        return no_callback(op.func);
    s2_op_text(&op, USER, username);
    s2_op_bytes(&op, BLOB, pubkeydata_len ? pubkeydata : NULL, pubkeydata_len);
    s2_op_bytes(&op, KEY, privatekeyfiledata, privatekeyfiledata_len);
    s2_op_text(&op, PASSPHRASE, passphrase);
    op.call = callback;
    op.call_ctx = ctx;
    op.path = username;
    op.settle = token_settle;
    /* A file takes seconds to read where its passphrase is well guarded: not
     * with the interpreter's lock held, and not once more for a call that
     * goes on with one that would block. */
    err = s2_op_call(&op);
    if (!err && op.r[0] == UNREAD && !(err = read_token(&op, &t))) {
        op.dst = t;
        err = s2_op_call(&op);
    }
    token_free(op.dst);
    token_settle(&op, 0);
    return err;
}

s2_error *
s2_session_sign_sk(s2_session *s, const void *data, size_t data_len,
                   const void *privatekeyfiledata,
                   size_t privatekeyfiledata_len, const char *passphrase,
                   s2_call_fn callback, void *ctx, s2_buf *bytes)
{
    s2_op op = S2_OP(s, sign_sk_step, "libssh2_sign_sk", NULL,
                     S2_LOCKED | S2_QUICK | S2_EARLY | S2_AFTER_END);
    token *t = NULL;
    s2_error *err;

    if (!callback)
        return no_callback(op.func);
    s2_op_bytes(&op, DATA, data, data_len);
    s2_op_bytes(&op, KEY, privatekeyfiledata, privatekeyfiledata_len);
    s2_op_text(&op, PASSPHRASE, passphrase);
    op.call = callback;
    op.call_ctx = ctx;
    op.dst = bytes;
    if (!(err = read_token(&op, &t))) {
        op.state = t;
        err = s2_op_call(&op);
    }
    if (err)
        s2_buf_free(bytes);
    token_free(t);
    return err;
}
