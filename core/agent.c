/*
 * Agent: the user's key agent, asked without ever blocking, and copies of the
 * keys that it holds.
 *
 * Each request has a connection of its own, closed after the answer.  So no
 * call waits for another's, and what was asked by a call that was left is
 * never taken for the answer to the next.
 *
 * Source: draft-miller-ssh-agent
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* macOS: SO_NOSIGPIPE is set instead */
#endif

enum {
    REQUEST_IDENTITIES = 11,
    IDENTITIES_ANSWER = 12,
    SIGN_REQUEST = 13,
    SIGN_RESPONSE = 14,
    FRAME_LIMIT = 256 * 1024,
    PART_LIMIT = 16000, /* a key and a signature go into one packet */
    BUSY_MS = 20,
};

/* What is in an op's b[]. */
enum { USER, PATH, BLOB };

struct s2_agent {
    s2_obj obj;
    s2_scope scope;
    char *wanted; /* the path that was set, or NULL */
    char *path;   /* the path that is connected to, or NULL */
    s2_list blobs, comments;
};

struct s2_identity {
    s2_obj obj;
    s2_buf blob, comment;
};

/* One request and its answer, and what a whole call has got from it. */
typedef struct talk {
    int fd;
    s2_buf out, in;
    unsigned char head[4];
    size_t sent, got;
    s2_class cls; /* of what goes wrong now */
    s2_list blobs, comments;
    size_t tried; /* keys that were refused */
    bool listed;
    bool displaced;  /* see displace() */
    bool downgraded; /* signed by an older algorithm than asked for */
} talk;

/*
 * libssh2 1.11 takes a name that is the beginning of one of these for the
 * whole one, and overruns it: only these pass.
 */
typedef struct algorithm {
    const char *name, *certificate;
    uint32_t flags; /* of a request to sign */
} algorithm;

static const algorithm algorithms[] = {
    {"ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com", 0},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256-cert-v01@openssh.com", 0},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384-cert-v01@openssh.com", 0},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521-cert-v01@openssh.com", 0},
    {"rsa-sha2-512", "rsa-sha2-512-cert-v01@openssh.com", 4},
    {"rsa-sha2-256", "rsa-sha2-256-cert-v01@openssh.com", 2},
    {"ssh-rsa", "ssh-rsa-cert-v01@openssh.com", 0},
    {"ssh-dss", "ssh-dss-cert-v01@openssh.com", 0},
    {"sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com", 0},
    {"sk-ecdsa-sha2-nistp256@openssh.com",
     "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", 0},
};

/* --- objects ------------------------------------------------------------- */

static void
agent_destroy(s2_obj *obj)
{
    s2_agent *a = (s2_agent *)obj;

    s2_record_drop(&a->scope);
    free(a->wanted);
    free(a->path);
    s2_list_free(&a->blobs);
    s2_list_free(&a->comments);
}

static void
identity_destroy(s2_obj *obj)
{
    s2_identity *key = (s2_identity *)obj;

    s2_buf_free(&key->blob);
    s2_buf_free(&key->comment);
}

const s2_type s2_agent_type = {"agent", NULL, agent_destroy, 0};
const s2_type s2_identity_type = {"public key", NULL, identity_destroy, 0};

static void
talk_end(talk *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
    s2_buf_free(&t->out);
    s2_buf_free(&t->in);
    t->sent = t->got = 0;
}

static void
talk_free(talk *t)
{
    if (!t)
        return;
    talk_end(t);
    s2_list_free(&t->blobs);
    s2_list_free(&t->comments);
    free(t);
}

static void
talk_settle(s2_op *op, int rc)
{
    (void)rc;
    talk_free(op->state);
    op->state = NULL;
}

static talk *
talk_of(s2_op *op, s2_class cls)
{
    talk *t = op->state;

    if (!t && (t = op->state = calloc(1, sizeof *t))) {
        t->fd = -1;
        t->cls = cls;
    }
    return t;
}

static s2_error *
call(s2_op *op)
{
    s2_error *err;

    op->settle = talk_settle;
    err = s2_op_call(op);
    talk_free(op->state);
    return err;
}

/* --- frames -------------------------------------------------------------- */

typedef struct cursor {
    const unsigned char *at;
    size_t left;
} cursor;

static bool
take_u32(cursor *c, uint32_t *n)
{
    if (c->left < 4)
        return false;
    *n = (uint32_t)c->at[0] << 24 | (uint32_t)c->at[1] << 16 |
         (uint32_t)c->at[2] << 8 | c->at[3];
    c->at += 4;
    c->left -= 4;
    return true;
}

static bool
take_byte(cursor *c, int *byte)
{
    if (!c->left)
        return false;
    *byte = *c->at++;
    c->left--;
    return true;
}

static bool
take_string(cursor *c, cursor *text)
{
    uint32_t len;

    if (!take_u32(c, &len) || len > c->left)
        return false;
    *text = (cursor){c->at, len};
    c->at += len;
    c->left -= len;
    return true;
}

static unsigned char *
put_u32(unsigned char *to, size_t n)
{
    to[0] = (unsigned char)(n >> 24);
    to[1] = (unsigned char)(n >> 16);
    to[2] = (unsigned char)(n >> 8);
    to[3] = (unsigned char)n;
    return to + 4;
}

static unsigned char *
put_string(unsigned char *to, const void *src, size_t len)
{
    memcpy(put_u32(to, len), src, len);
    return to + 4 + len;
}

/* --- one request --------------------------------------------------------- */

static int __attribute__((format(printf, 5, 6)))
fail(s2_op *op, s2_class cls, const char *path, int why, const char *format,
     ...)
{
    char text[256];
    va_list ap;
    s2_error *err;
    int code = LIBSSH2_ERROR_AGENT_PROTOCOL;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (cls == S2_C_AgentAuthenticationError)
        code = LIBSSH2_ERROR_AUTHENTICATION_FAILED;
    err = s2_error_new(cls, code, op->func, path, "%s", text);
    if (err != &s2_no_memory)
        err->sys_errno = why;
    return s2_op_fail(op, err);
}

static int
reach(s2_op *op, int *out)
{
    const char *path = op->b[PATH].p;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd, why = ENAMETOOLONG, flags;

    if (strlen(path) >= sizeof to.sun_path)
        goto failed;
    strcpy(to.sun_path, path);
    if ((fd = socket(AF_UNIX, SOCK_STREAM, 0)) < 0) {
        why = errno;
        goto failed;
    }
    flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
#ifdef SO_NOSIGPIPE
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &(int){1}, sizeof(int));
#endif
    if (!connect(fd, (struct sockaddr *)&to, sizeof to)) {
        *out = fd;
        return 0;
    }
    why = errno;
    close(fd);
    if (why == EAGAIN) { /* more callers than it listens to at a time */
        op->wait_ms = BUSY_MS;
        return LIBSSH2_ERROR_EAGAIN;
    }
failed:
    return fail(op, S2_C_AgentConnectionError, path, why, "%s", strerror(why));
}

/* Nobody waits for the agent any more, and nobody will come back to. */
static bool
given_up(const s2_op *op)
{
    return op->left && !op->owed;
}

static int
stalled(s2_op *op, talk *t, int direction)
{
    int why = errno;

    if (why != EAGAIN && why != EWOULDBLOCK && why != EINTR)
        return fail(op, t->cls, op->path, why,
                    "the connection to the agent failed: %s", strerror(why));
    op->wait_fd = t->fd;
    op->wait_directions = direction;
    return LIBSSH2_ERROR_EAGAIN;
}

/* Room for the answer, whose length has come. */
static int
expect(s2_op *op, talk *t)
{
    uint32_t len = 0;

    take_u32(&(cursor){t->head, 4}, &len);
    if (!len || len > FRAME_LIMIT)
        return fail(op, t->cls, op->path, 0,
                    "the agent's answer has a length of %lu",
                    (unsigned long)len);
    if (!(t->in.data = malloc(len)))
        return s2_op_fail(op, &s2_no_memory);
    t->in.len = len;
    return 0;
}

/* Send what is in t->out, and take the answer: 0 once all is in t->in. */
static int
exchange(s2_op *op, talk *t)
{
    int rc = t->fd >= 0 ? 0 : reach(op, &t->fd);

    while (!rc && t->sent < t->out.len) {
        ssize_t n = send(t->fd, t->out.data + t->sent, t->out.len - t->sent,
                         MSG_NOSIGNAL);

        if (n < 0)
            rc = stalled(op, t, LIBSSH2_SESSION_BLOCK_OUTBOUND);
        else
            t->sent += (size_t)n;
    }
    while (!rc && t->got < sizeof t->head + t->in.len) {
        size_t in_head = sizeof t->head - t->got;
        bool head = t->got < sizeof t->head;
        ssize_t n = head ? recv(t->fd, t->head + t->got, in_head, 0)
                         : recv(t->fd, t->in.data + (t->got - sizeof t->head),
                                sizeof t->head + t->in.len - t->got, 0);

        if (n < 0)
            rc = stalled(op, t, LIBSSH2_SESSION_BLOCK_INBOUND);
        else if (!n)
            rc = fail(op, t->cls, op->path, 0,
                      "the agent closed the connection");
        else if ((t->got += (size_t)n) == sizeof t->head)
            rc = expect(op, t);
    }
    return rc;
}

static int
list(s2_op *op, talk *t)
{
    static const char request[] = {0, 0, 0, 1, REQUEST_IDENTITIES};
    int type = 0, rc;
    uint32_t count = 0;
    cursor c, blob, comment;

    if (given_up(op))
        return fail(op, t->cls, op->path, 0, "given up");
    if (!t->out.data && !s2_buf_set(&t->out, request, sizeof request))
        return s2_op_fail(op, &s2_no_memory);
    if ((rc = exchange(op, t)))
        return rc;
    c = (cursor){(unsigned char *)t->in.data, t->in.len};
    take_byte(&c, &type);
    if (type != IDENTITIES_ANSWER)
        return fail(op, t->cls, op->path, 0,
                    "the agent does not list its keys (answer %d)", type);
    if (!take_u32(&c, &count))
        count = 1; /* and there is no room for it */
    for (; count; count--) {
        if (!take_string(&c, &blob) || !take_string(&c, &comment))
            return fail(op, t->cls, op->path, 0,
                        "the agent's list of keys is cut short");
        if (!s2_list_add(&t->blobs, blob.at, blob.left) ||
            !s2_list_add(&t->comments, comment.at, comment.left))
            return s2_op_fail(op, &s2_no_memory);
    }
    talk_end(t);
    t->listed = true;
    return 0;
}

/* --- Agent --------------------------------------------------------------- */

enum { ANY_TIME = S2_QUICK | S2_EARLY | S2_AFTER_END };

static int
init_step(s2_op *op)
{
    op->dst = s2_obj_new(&s2_agent_type, sizeof(s2_agent), op->self);
    return op->dst ? 0 : s2_op_fail(op, &s2_no_memory);
}

s2_error *
s2_session_agent_init(s2_session *s, s2_agent **out)
{
    s2_op op = S2_OP(s, init_step, "agent_init", NULL, ANY_TIME);
    s2_error *err = s2_op_call(&op);

    if (!err)
        *out = op.dst;
    return err;
}

static int
set_path_step(s2_op *op)
{
    s2_agent *a = (s2_agent *)op->self;
    char *copy = op->b[PATH].p ? strdup(op->b[PATH].p) : NULL;

    if (op->b[PATH].p && !copy)
        return s2_op_fail(op, &s2_no_memory);
    free(a->wanted);
    a->wanted = copy;
    return 0;
}

s2_error *
s2_agent_set_identity_path(s2_agent *agent, const char *path)
{
    s2_op op = S2_OP(agent, set_path_step, "set_identity_path", NULL, ANY_TIME);

    s2_op_text(&op, PATH, path);
    return s2_op_call(&op);
}

/* n[0]: the path that is connected to, instead of the one that was set. */
static int
get_path_step(s2_op *op)
{
    s2_agent *a = (s2_agent *)op->self;
    const char *path = op->n[0] ? a->path : a->wanted;

    return !path || s2_buf_set(op->dst, path, strlen(path))
               ? 0
               : s2_op_fail(op, &s2_no_memory);
}

s2_error *
s2_agent_get_identity_path(s2_agent *agent, s2_buf *text)
{
    s2_op op = S2_OP(agent, get_path_step, "get_identity_path", NULL, ANY_TIME);

    op.dst = text;
    return s2_op_call(&op);
}

static s2_error *
connected_path(s2_agent *agent, s2_class cls, const char *func, s2_buf *path)
{
    s2_op op = S2_OP(agent, get_path_step, func, NULL, ANY_TIME);
    s2_error *err;

    op.n[0] = 1;
    op.dst = path;
    if ((err = s2_op_call(&op)) || path->data)
        return err;
    return s2_error_new(cls, LIBSSH2_ERROR_BAD_USE, func, NULL,
                        "the agent is not connected");
}

static int
connect_step(s2_op *op)
{
    s2_agent *a = (s2_agent *)op->self;
    char *path;
    int fd, rc;

    if ((rc = reach(op, &fd)))
        return rc;
    close(fd);
    if (!(path = strdup(op->b[PATH].p)))
        return s2_op_fail(op, &s2_no_memory);
    s2_record_drop(&a->scope); /* asked of another agent */
    free(a->path);
    a->path = path;
    return 0;
}

/* The agent that the environment names: NULL, and an error, for none. */
static const char *
own_agent(const char *func, s2_error **err)
{
    const char *path = getenv("SSH_AUTH_SOCK");

    if (path && *path)
        return path;
    *err = s2_error_new(S2_C_AgentConnectionError, LIBSSH2_ERROR_BAD_USE, func,
                        NULL, "SSH_AUTH_SOCK is not set: there is no agent");
    return NULL;
}

s2_error *
s2_agent_connect(s2_agent *agent)
{
    s2_op op = S2_OP(agent, connect_step, "agent_connect", NULL,
                     S2_EARLY | S2_AFTER_END | S2_STATELESS);
    s2_buf set = {0};
    s2_error *err = s2_agent_get_identity_path(agent, &set);
    const char *path = set.data;

    if (!err && (path || (path = own_agent(op.func, &err)))) {
        s2_op_text(&op, PATH, path);
        op.path = path;
        err = s2_op_call(&op);
    }
    s2_buf_free(&set);
    return err;
}

static int
disconnect_step(s2_op *op)
{
    s2_agent *a = (s2_agent *)op->self;

    s2_record_drop(&a->scope);
    free(a->path);
    a->path = NULL;
    return 0;
}

s2_error *
s2_agent_disconnect(s2_agent *agent)
{
    s2_op op =
        S2_OP(agent, disconnect_step, "agent_disconnect", NULL, ANY_TIME);

    return s2_op_call(&op);
}

static int
list_step(s2_op *op)
{
    s2_agent *a = (s2_agent *)op->self;
    talk *t = talk_of(op, S2_C_AgentListIdentitiesError);
    int rc;

    if (!t)
        return s2_op_fail(op, &s2_no_memory);
    if ((rc = list(op, t)))
        return rc;
    s2_list_free(&a->blobs);
    s2_list_free(&a->comments);
    a->blobs = t->blobs;
    a->comments = t->comments;
    t->blobs = t->comments = (s2_list){0};
    return 0;
}

s2_error *
s2_agent_list_identities(s2_agent *agent)
{
    s2_op op = S2_OP(agent, list_step, "list_identities", &agent->scope,
                     S2_EARLY | S2_AFTER_END | S2_SAME_SELF);
    s2_buf path = {0};
    s2_error *err =
        connected_path(agent, S2_C_AgentListIdentitiesError, op.func, &path);

    if (!err) {
        s2_op_text(&op, PATH, path.data);
        op.path = path.data;
        err = call(&op);
    }
    s2_buf_free(&path);
    return err;
}

static int
identity_step(s2_op *op)
{
    s2_agent *a = (s2_agent *)op->self;
    size_t i = (size_t)op->n[0];
    s2_identity *key;

    if (i >= a->blobs.count)
        return 0;
    key = s2_obj_new(&s2_identity_type, sizeof *key, a);
    if (!key ||
        !s2_buf_set(&key->blob, a->blobs.item[i].data, a->blobs.item[i].len) ||
        !s2_buf_set(&key->comment, a->comments.item[i].data,
                    a->comments.item[i].len)) {
        s2_release(key);
        return s2_op_fail(op, &s2_no_memory);
    }
    op->dst = key;
    return 0;
}

s2_error *
s2_agent_identity(s2_agent *agent, size_t index, s2_identity **out)
{
    s2_op op = S2_OP(agent, identity_step, "get_identity", NULL, ANY_TIME);
    s2_error *err;

    op.n[0] = (int64_t)index;
    if (!(err = s2_op_call(&op)))
        *out = op.dst;
    return err;
}

void
s2_identity_blob(s2_identity *key, s2_buf *bytes)
{
    s2_buf_set(bytes, key->blob.data, key->blob.len);
}

const char *
s2_identity_comment(s2_identity *key)
{
    return key->comment.data;
}

/* --- signing ------------------------------------------------------------- */

static const algorithm *
algorithm_of(const cursor *name)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
        const algorithm *a = &algorithms[i];

        if ((strlen(a->name) == name->left &&
             !memcmp(a->name, name->at, name->left)) ||
            (strlen(a->certificate) == name->left &&
             !memcmp(a->certificate, name->at, name->left)))
            return a;
    }
    return NULL;
}

static bool
is_hardware(const algorithm *a)
{
    return !strncmp(a->name, "sk-", 3);
}

/* The algorithm that libssh2 has asked the server for: RFC 4252 7. */
static const algorithm *
algorithm_of_request(const unsigned char *data, size_t len)
{
    cursor c = {data, len}, skipped, name;
    int byte;

    if (take_string(&c, &skipped) && take_byte(&c, &byte) &&
        take_string(&c, &skipped) && take_string(&c, &skipped) &&
        take_string(&c, &skipped) && take_byte(&c, &byte) &&
        take_string(&c, &name))
        return algorithm_of(&name);
    return NULL;
}

static bool
ask_to_sign(talk *t, const algorithm *alg, const unsigned char *data,
            size_t len)
{
    const s2_buf *blob = &t->blobs.item[t->tried];
    size_t size = 4 + 1 + 4 + blob->len + 4 + len + 4;
    unsigned char *p = malloc(size);

    if (!p)
        return false;
    t->out = (s2_buf){(char *)p, size};
    p = put_u32(p, size - 4);
    *p++ = SIGN_REQUEST;
    p = put_string(p, blob->data, blob->len);
    p = put_string(p, data, len);
    put_u32(p, alg->flags);
    return true;
}

/*
 * The part of the agent's answer that libssh2 wants: what follows the
 * algorithm's name, and for a hardware key its flags and counter too.
 */
static int
signature_of(s2_op *op, talk *t, const algorithm *alg, cursor *sig)
{
    cursor c = {(unsigned char *)t->in.data, t->in.len}, blob, name;
    int type = 0;

    take_byte(&c, &type);
    if (type != SIGN_RESPONSE)
        return fail(op, t->cls, op->path, 0,
                    "the agent refused to sign (answer %d)", type);
    if (!take_string(&c, &blob) || !take_string(&blob, &name))
        goto malformed;
    if (strlen(alg->name) != name.left ||
        memcmp(alg->name, name.at, name.left)) {
#ifdef LIBSSH2_ERROR_ALGO_UNSUPPORTED
        /* An old agent knows no flags: libssh2 tries again without. */
        if (alg->flags && !t->downgraded) {
            t->downgraded = true;
            return LIBSSH2_ERROR_ALGO_UNSUPPORTED;
        }
#endif
        return fail(op, t->cls, op->path, 0,
                    "the agent signed by another algorithm than %s", alg->name);
    }
    *sig = blob;
    if (!is_hardware(alg) && !take_string(&blob, sig))
        goto malformed;
    if (sig->left && sig->left <= PART_LIMIT)
        return 0;
malformed:
    return fail(op, t->cls, op->path, 0, "the agent's signature is malformed");
}

static LIBSSH2_USERAUTH_PUBLICKEY_SIGN_FUNC(sign)
{
    s2_op *op = *abstract;
    talk *t = op->state;
    const algorithm *alg = algorithm_of_request(data, data_len);
    cursor c = {NULL, 0};
    int rc;

    (void)session;
    if (given_up(op) || !alg)
        return LIBSSH2_ERROR_AGENT_PROTOCOL;
    if (!t->out.data && !ask_to_sign(t, alg, data, data_len))
        return LIBSSH2_ERROR_ALLOC;
    if ((rc = exchange(op, t)) == LIBSSH2_ERROR_EAGAIN)
        return rc;
    if (!rc && !(rc = signature_of(op, t, alg, &c))) {
        if (!(*sig = s2_alloc_new(&S2_SESSION(op)->alloc, c.left)))
            return LIBSSH2_ERROR_ALLOC;
        memcpy(*sig, c.at, c.left);
        *sig_len = c.left;
    }
    talk_end(t);
    return rc;
}

/*
 * After a key for which the server takes no algorithm libssh2 1.11 keeps that
 * key's algorithm for the next.  A key read from memory brings its own along:
 * begin with one, and go on as ever.
 */
static int
displace(s2_op *op, const s2_buf *blob, const algorithm *alg)
{
    const char *name =
        strcmp(alg->name, "ssh-rsa") ? alg->name : "rsa-sha2-256";
    size_t size = strlen(name) + 2 + 4 * ((blob->len + 2) / 3);
    char *text = malloc(size);
    int rc;

    if (!text)
        return s2_op_fail(op, &s2_no_memory);
    rc = snprintf(text, size, "%s ", name);
    EVP_EncodeBlock((unsigned char *)text + rc,
                    (const unsigned char *)blob->data, (int)blob->len);
    rc = libssh2_userauth_publickey_frommemory(S2_RAW(op), op->b[USER].p,
                                               op->b[USER].len, text,
                                               strlen(text), "-", 1, "");
    free(text);
    return rc;
}

/* One key: 0, EAGAIN, S2_FAILED where the next may do, or another error. */
static int
try_key(s2_op *op, talk *t)
{
    const s2_buf *blob = &t->blobs.item[t->tried];
    cursor c = {(unsigned char *)blob->data, blob->len}, name;
    const algorithm *alg = take_string(&c, &name) ? algorithm_of(&name) : NULL;
    void *abstract = op;
    int rc;

    if (!alg || blob->len > PART_LIMIT)
        return fail(op, t->cls, op->path, 0,
                    "the agent's key is of no known type");
#ifndef S2_HAVE_libssh2_userauth_publickey_sk
    if (is_hardware(alg))
        return fail(op, t->cls, op->path, 0,
                    "this libssh2 cannot use keys of type %s", alg->name);
#endif
    rc = libssh2_userauth_publickey(S2_RAW(op), op->b[USER].p,
                                    (const unsigned char *)blob->data,
                                    blob->len, sign, &abstract);
    if (rc == LIBSSH2_ERROR_METHOD_NONE && !t->displaced) {
        t->displaced = true;
        rc = displace(op, blob, alg);
    }
    if (rc >= 0 || rc == LIBSSH2_ERROR_EAGAIN || S2_SESSION(op)->alloc.failed)
        return rc;
    if (S2_SESSION(op)->goodbye)
        return LIBSSH2_ERROR_SOCKET_DISCONNECT;
    if (op->error)
        return S2_FAILED;
    if (rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED)
        return fail(op, t->cls, op->path, 0, "the server refused the key");
    if (rc == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED)
        return fail(op, t->cls, op->path, 0,
                    "the server refused the signature");
    return rc;
}

static int
auth_step(s2_op *op)
{
    bool all = !op->b[BLOB].p;
    talk *t = talk_of(op, S2_C_AgentListIdentitiesError);
    int rc;

    if (!t)
        return s2_op_fail(op, &s2_no_memory);
    /* The server never answers once it is content. */
    if (!t->tried && libssh2_userauth_authenticated(S2_RAW(op)))
        return 0;
    if (!all && !t->blobs.count &&
        !s2_list_add(&t->blobs, op->b[BLOB].p, op->b[BLOB].len))
        return s2_op_fail(op, &s2_no_memory);
    if (all && !t->listed && (rc = list(op, t)))
        return rc;
    t->cls = S2_C_AgentAuthenticationError;
    while (t->tried < t->blobs.count) {
        s2_error_free(op->error);
        op->error = NULL;
        rc = try_key(op, t);
        if (rc != S2_FAILED || op->error == &s2_no_memory || !all ||
            given_up(op))
            return rc;
        talk_end(t);
        t->displaced = t->downgraded = false;
        t->tried++;
    }
    if (!op->error)
        return fail(op, t->cls, op->path, 0, "the agent holds no keys");
    return fail(op, t->cls, op->path, 0,
                "none of the agent's keys was accepted; of %zu, the last: %s",
                t->tried, op->error->text);
}

s2_error *
s2_agent_userauth(s2_agent *agent, const char *username, s2_identity *pkey)
{
    s2_session *s = agent->obj.session;
    s2_op op = S2_OP(s, auth_step, "agent_userauth", &s->scope, 0);
    s2_buf path = {0};
    s2_error *err =
        connected_path(agent, S2_C_AgentConnectionError, op.func, &path);

    if (!err) {
        s2_op_text(&op, USER, username);
        s2_op_text(&op, PATH, path.data);
        s2_op_bytes(&op, BLOB, pkey->blob.data, pkey->blob.len);
        op.path = username;
        err = call(&op);
    }
    s2_buf_free(&path);
    return err;
}

s2_error *
s2_session_agent_auth(s2_session *s, const char *username)
{
    s2_op op = S2_OP(s, auth_step, "agent_auth", &s->scope, 0);
    s2_error *err = NULL;
    const char *path = own_agent(op.func, &err);

    if (!path)
        return err;
    s2_op_text(&op, USER, username);
    s2_op_text(&op, PATH, path);
    op.path = username;
    return call(&op);
}
