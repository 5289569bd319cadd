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
#include "sign.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
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
    BUSY_MS = 20,
    ANY_TIME = S2_QUICK | S2_EARLY | S2_AFTER_END,
};

/* What is in an op's b[], and in an agent's path[]. */
enum { USER, PATH, BLOB };
enum { WANTED, CONNECTED };

struct s2_agent {
    s2_obj obj;
    s2_scope scope;
    char *path[2]; /* what was set, and what is connected to; or NULL */
    s2_list keys;  /* blob, comment, blob, comment ... */
};

struct s2_identity {
    s2_obj obj;
    s2_buf blob, comment;
};

/* One request and its answer, and what a whole call has got from it. */
typedef struct talk {
    int fd;
    unsigned char frame[4 + FRAME_LIMIT]; /* what is sent, then what comes */
    size_t out, sent, got;
    s2_class cls; /* of what goes wrong now, */
    int code;     /* and its code */
    s2_list keys;
    size_t tried; /* items of keys that were refused */
} talk;

#define TALK(op) ((talk *)(op)->state)
#define FAIL(op, ...)                                                          \
    s2_op_fail(op, s2_error_new(TALK(op)->cls, TALK(op)->code, (op)->func,     \
                                (op)->path, __VA_ARGS__))

/* --- objects ------------------------------------------------------------- */

static void
agent_destroy(s2_obj *obj)
{
    s2_agent *a = (s2_agent *)obj;

    s2_record_drop(&a->scope);
    free(a->path[WANTED]);
    free(a->path[CONNECTED]);
    s2_list_free(&a->keys);
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
    t->out = t->sent = t->got = 0;
}

static void
talk_settle(s2_op *op, int rc)
{
    talk *t = op->state;

    (void)rc;
    op->state = NULL;
    if (!t)
        return;
    talk_end(t);
    s2_list_free(&t->keys);
    free(t);
}

static talk *
talk_of(s2_op *op)
{
    talk *t = op->state;

    if (!t && (op->state = t = calloc(1, sizeof *t))) {
        t->fd = -1;
        t->cls = S2_C_AgentListIdentitiesError;
        t->code = LIBSSH2_ERROR_AGENT_PROTOCOL;
    }
    return t;
}

/* Call with the agent at this path. */
static s2_error *
call(s2_op *op, const char *path)
{
    s2_error *err;

    s2_op_text(op, PATH, path);
    op->settle = talk_settle;
    err = s2_op_call(op);
    talk_settle(op, 0);
    return err;
}

/* --- one request --------------------------------------------------------- */

static int
reach(s2_op *op, int *out)
{
    const char *path = op->b[PATH].p;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int why = fd < 0 ? errno : ENAMETOOLONG;
    s2_error *err;

    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
#ifdef SO_NOSIGPIPE
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &(int){1}, sizeof(int));
#endif
    if (fd >= 0 && path && strlen(path) < sizeof to.sun_path) {
        strcpy(to.sun_path, path);
        why = connect(fd, (struct sockaddr *)&to, sizeof to) ? errno : 0;
    }
    if (!why) {
        *out = fd;
        return 0;
    }
    if (fd >= 0)
        close(fd);
    if (why == EAGAIN) { /* more callers than it listens to at a time */
        op->wait_ms = BUSY_MS;
        return LIBSSH2_ERROR_EAGAIN;
    }
    err = s2_error_new(S2_C_AgentConnectionError, LIBSSH2_ERROR_AGENT_PROTOCOL,
                       op->func, path, "%s",
                       path ? strerror(why)
                            : "SSH_AUTH_SOCK is not set: there is no agent");
    if (path && err != &s2_no_memory)
        err->sys_errno = why;
    return s2_op_fail(op, err);
}

/* Nobody waits for the agent any more, and nobody will come back to. */
static bool
given_up(const s2_op *op)
{
    return op->left && !op->owed;
}

/* Send the frame, and take the answer: 0 once *answer is all of it. */
static int
exchange(s2_op *op, talk *t, cursor *answer)
{
    int rc;

    if (given_up(op))
        return FAIL(op, "given up");
    if (t->fd < 0 && (rc = reach(op, &t->fd)))
        return rc;
    for (;;) {
        bool out = t->sent < t->out;
        size_t len = take_u32(&(cursor){t->frame, t->got});
        ssize_t n;

        if (t->got >= 4 && (!len || len > FRAME_LIMIT))
            return FAIL(op, "the agent's answer has a length of %zu", len);
        if (len && t->got == 4 + len) {
            *answer = (cursor){t->frame + 4, len};
            return 0;
        }
        n = out ? send(t->fd, t->frame + t->sent, t->out - t->sent,
                       MSG_NOSIGNAL)
                : recv(t->fd, t->frame + t->got, 4 + len - t->got, 0);
        if (!n)
            return FAIL(op, "the agent closed the connection");
        if (n > 0) {
            *(out ? &t->sent : &t->got) += (size_t)n;
            continue;
        }
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            return FAIL(op, "the connection to the agent failed: %s",
                        strerror(errno));
        op->wait_fd = t->fd;
        op->wait_directions = out ? LIBSSH2_SESSION_BLOCK_OUTBOUND
                                  : LIBSSH2_SESSION_BLOCK_INBOUND;
        return LIBSSH2_ERROR_EAGAIN;
    }
}

static int
list(s2_op *op, talk *t)
{
    static const char request[] = {0, 0, 0, 1, REQUEST_IDENTITIES};
    cursor c, blob, comment;
    size_t count;
    int type, rc;

    if (!t->out)
        memcpy(t->frame, request, t->out = sizeof request);
    if ((rc = exchange(op, t, &c)))
        return rc;
    if ((type = take_byte(&c)) != IDENTITIES_ANSWER)
        return FAIL(op, "the agent does not list its keys (answer %d)", type);
    for (count = take_u32(&c); count && c.at; count--) {
        blob = take_string(&c);
        comment = take_string(&c);
        if (c.at && (!s2_list_add(&t->keys, blob.at, blob.left) ||
                     !s2_list_add(&t->keys, comment.at, comment.left)))
            return s2_op_fail(op, &s2_no_memory);
    }
    if (!c.at)
        return FAIL(op, "the agent's list of keys is cut short");
    talk_end(t);
    return 0;
}

/* --- Agent --------------------------------------------------------------- */

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

/* n[0] tells which path. */
static int
set_step(s2_op *op)
{
    s2_agent *a = (s2_agent *)op->self;
    char *copy = op->b[PATH].p ? strdup(op->b[PATH].p) : NULL;

    if (op->b[PATH].p && !copy)
        return s2_op_fail(op, &s2_no_memory);
    s2_record_drop(&a->scope); /* it was asked of another agent */
    free(a->path[op->n[0]]);
    a->path[op->n[0]] = copy;
    return 0;
}

static s2_error *
set(s2_agent *agent, const char *func, int which, const char *path)
{
    s2_op op = S2_OP(agent, set_step, func, NULL, ANY_TIME);

    op.n[0] = which;
    s2_op_text(&op, PATH, path);
    return s2_op_call(&op);
}

s2_error *
s2_agent_set_identity_path(s2_agent *agent, const char *path)
{
    return set(agent, "set_identity_path", WANTED, path);
}

s2_error *
s2_agent_disconnect(s2_agent *agent)
{
    return set(agent, "agent_disconnect", CONNECTED, NULL);
}

static int
get_step(s2_op *op)
{
    const char *path = ((s2_agent *)op->self)->path[op->n[0]];

    return !path || s2_buf_set(op->dst, path, strlen(path))
               ? 0
               : s2_op_fail(op, &s2_no_memory);
}

static s2_error *
get(s2_agent *agent, const char *func, int which, s2_buf *text)
{
    s2_op op = S2_OP(agent, get_step, func, NULL, ANY_TIME);

    op.n[0] = which;
    op.dst = text;
    return s2_op_call(&op);
}

s2_error *
s2_agent_get_identity_path(s2_agent *agent, s2_buf *text)
{
    return get(agent, "get_identity_path", WANTED, text);
}

static int
connect_step(s2_op *op)
{
    int fd, rc = reach(op, &fd);

    if (rc)
        return rc;
    close(fd);
    return set_step(op);
}

s2_error *
s2_agent_connect(s2_agent *agent)
{
    s2_op op = S2_OP(agent, connect_step, "agent_connect", NULL,
                     S2_EARLY | S2_AFTER_END | S2_STATELESS);
    s2_buf path = {0};
    s2_error *err = get(agent, op.func, WANTED, &path);

    op.n[0] = CONNECTED;
    op.path = path.data ? path.data : getenv("SSH_AUTH_SOCK");
    if (!err)
        err = call(&op, op.path);
    s2_buf_free(&path);
    return err;
}

/* Call, once the agent is connected. */
static s2_error *
call_connected(s2_agent *agent, s2_class cls, s2_op *op)
{
    s2_buf path = {0};
    s2_error *err = get(agent, op->func, CONNECTED, &path);

    if (!err && !path.data)
        err = s2_error_new(cls, LIBSSH2_ERROR_BAD_USE, op->func, NULL,
                           "the agent is not connected");
    if (!op->path)
        op->path = path.data;
    if (!err)
        err = call(op, path.data);
    s2_buf_free(&path);
    return err;
}

static int
list_step(s2_op *op)
{
    s2_agent *a = (s2_agent *)op->self;
    talk *t = talk_of(op);
    int rc = t ? list(op, t) : s2_op_fail(op, &s2_no_memory);

    if (!rc) {
        s2_list_free(&a->keys);
        a->keys = t->keys;
        t->keys = (s2_list){0};
    }
    return rc;
}

s2_error *
s2_agent_list_identities(s2_agent *agent)
{
    s2_op op = S2_OP(agent, list_step, "list_identities", &agent->scope,
                     S2_EARLY | S2_AFTER_END | S2_SAME_SELF);

    return call_connected(agent, S2_C_AgentListIdentitiesError, &op);
}

static int
identity_step(s2_op *op)
{
    s2_agent *a = (s2_agent *)op->self;
    size_t i = (size_t)op->n[0];
    s2_buf *item = a->keys.item + 2 * i;
    s2_identity *key;

    if (i >= a->keys.count / 2)
        return 0;
    key = s2_obj_new(&s2_identity_type, sizeof *key, a);
    if (!key || !s2_buf_set(&key->blob, item[0].data, item[0].len) ||
        !s2_buf_set(&key->comment, item[1].data, item[1].len)) {
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

static void
ask_to_sign(talk *t, const s2_algorithm *alg, const unsigned char *data,
            size_t len)
{
    const s2_buf *blob = &t->keys.item[t->tried];
    unsigned char *p = t->frame + 4;

    *p++ = SIGN_REQUEST;
    p = put_string(p, blob->data, blob->len);
    p = put_string(p, data, len);
    p = put_u32(p, alg->flags);
    t->out = (size_t)(p - t->frame);
    put_u32(t->frame, t->out - 4);
}

/*
 * The part of the agent's answer that libssh2 wants: what follows the
 * algorithm's name, and for a hardware key its flags and counter too.
 */
static int
signature_of(s2_op *op, const s2_algorithm *alg, cursor c, cursor *sig)
{
    int type = take_byte(&c);
    cursor name;

    if (type != SIGN_RESPONSE)
        return FAIL(op, "the agent refused to sign (answer %d)", type);
    *sig = take_string(&c);
    name = take_string(sig);
    /* An old agent knows no flags: libssh2 tries again without. */
    if (sig->at && !is(name, alg->name))
        return alg->flags ? LIBSSH2_ERROR_ALGO_UNSUPPORTED
                          : FAIL(op,
                                 "the agent signed by another algorithm "
                                 "than %s",
                                 alg->name);
    if (strncmp(alg->name, "sk-", 3))
        *sig = take_string(sig);
    return sig->left && sig->left <= S2_PART_LIMIT
               ? 0
               : FAIL(op, "the agent's signature is malformed");
}

static LIBSSH2_USERAUTH_PUBLICKEY_SIGN_FUNC(sign)
{
    s2_op *op = *abstract;
    talk *t = op->state;
    const s2_algorithm *alg =
        s2_algorithm_of(s2_algorithm_asked(data, data_len));
    cursor c;
    int rc;

    (void)session;
    if (!alg || data_len > FRAME_LIMIT / 2)
        return LIBSSH2_ERROR_AGENT_PROTOCOL;
    if (!t->out)
        ask_to_sign(t, alg, data, data_len);
    if ((rc = exchange(op, t, &c)) == LIBSSH2_ERROR_EAGAIN)
        return rc;
    if (!rc && !(rc = signature_of(op, alg, c, &c)))
        rc = s2_signature(op, c.at, c.left, sig, sig_len);
    talk_end(t);
    return rc;
}

/* One key: 0, EAGAIN, S2_FAILED where the next may do, or another error. */
static int
try_key(s2_op *op, const s2_buf *blob)
{
    const cursor key = {(unsigned char *)blob->data, blob->len};
    int rc;

    if (!s2_key_known(key))
        return FAIL(op, "the agent's key is of no known type");
    rc = s2_key_try(op, key, sign);
    if (rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED ||
        rc == LIBSSH2_ERROR_METHOD_NONE)
        return FAIL(op, "the server refused the key");
    if (rc == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED)
        return FAIL(op, "the server refused the signature");
    return rc;
}

static int
auth_step(s2_op *op)
{
    bool all = !op->b[BLOB].p;
    talk *t = talk_of(op);
    int rc;

    if (!t)
        return s2_op_fail(op, &s2_no_memory);
    if (!t->tried && (rc = s2_op_let_in(op)))
        return rc;
    if (!t->keys.count && all && (rc = list(op, t)))
        return rc;
    t->cls = S2_C_AgentAuthenticationError;
    t->code = LIBSSH2_ERROR_AUTHENTICATION_FAILED;
    if (!t->keys.count && !all &&
        (!s2_list_add(&t->keys, op->b[BLOB].p, op->b[BLOB].len) ||
         !s2_list_add(&t->keys, "", 0)))
        return s2_op_fail(op, &s2_no_memory);
    for (; t->tried < t->keys.count; t->tried += 2) {
        s2_error_free(op->error);
        op->error = NULL;
        rc = try_key(op, &t->keys.item[t->tried]);
        if (rc != S2_FAILED || op->error == &s2_no_memory || !all ||
            given_up(op))
            return rc;
        talk_end(t);
    }
    return op->error
               ? FAIL(op,
                      "none of the agent's keys was accepted; of %zu, the "
                      "last: %s",
                      t->tried / 2, op->error->text)
               : FAIL(op, "the agent holds no keys");
}

/* The session's own call: what is left of it outlives the agent. */
s2_error *
s2_agent_userauth(s2_agent *agent, const char *username, s2_identity *pkey)
{
    s2_session *s = agent->obj.session;
    s2_op op = S2_OP(s, auth_step, "agent_userauth", &s->scope, 0);
    s2_error *err;

    s2_retain(agent); /* another thread may drop either */
    s2_retain(pkey);
    s2_op_text(&op, USER, username);
    s2_op_bytes(&op, BLOB, pkey->blob.data, pkey->blob.len);
    op.path = username;
    err = call_connected(agent, S2_C_AgentConnectionError, &op);
    s2_release(pkey);
    s2_release(agent);
    return err;
}

s2_error *
s2_session_agent_auth(s2_session *s, const char *username)
{
    s2_op op = S2_OP(s, auth_step, "agent_auth", &s->scope, 0);

    s2_op_text(&op, USER, username);
    op.path = username;
    return call(&op, getenv("SSH_AUTH_SOCK"));
}
