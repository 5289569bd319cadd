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
enum { USER, PATH, BLOB, DATA };
enum { METHOD = USER };
enum { WANTED, CONNECTED };

struct s2_agent {
    s2_obj obj;
    s2_scope scope; /* held for no longer than a request's beginning */
    char *path[2];  /* what was set, and what is connected to; or NULL */
    s2_list keys;   /* blob, comment, blob, comment ... */
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

/* Nothing of libssh2's: but what was asked is forgotten inside a turn. */
static int
agent_finish(s2_obj *obj)
{
    (void)obj;
    return 0;
}

static void
agent_destroy(s2_obj *obj)
{
    s2_agent *a = (s2_agent *)obj;

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

const s2_type s2_agent_type = {"agent", agent_finish, agent_destroy,
                               S2_RANK_LOCAL};
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

/* For a step: NULL where there is no memory for it. */
static talk *
talk_of(s2_op *op, s2_class cls, int code)
{
    talk *t = op->state;

    if (!t && (op->state = t = calloc(1, sizeof *t)))
        t->fd = -1;
    if (t) {
        t->cls = cls;
        t->code = code;
    } else {
        s2_op_fail(op, &s2_no_memory);
    }
    return t;
}

/* Call with the agent at this path; where the op's own step only begins, go on
 * with `step`. */
static s2_error *
call(s2_op *op, const char *path, int (*step)(s2_op *))
{
    s2_error *err;

    s2_op_text(op, PATH, path);
    op->settle = talk_settle;
    err = step ? s2_talk_call(op, step) : s2_op_call(op);
    talk_settle(op, 0);
    return err;
}

/* What is asked of the agent alone keeps nobody else from asking: the request
 * of a call that would block is its own, until that is made again. */
static int
begin_step(s2_op *op)
{
    return talk_of(op, S2_C_AgentConnectionError, LIBSSH2_ERROR_AGENT_PROTOCOL)
               ? 0
               : S2_FAILED;
}

/* --- one request --------------------------------------------------------- */

static int
reach(s2_op *op, int *out)
{
    /* An empty one would be Linux's abstract address, anybody's. */
    const char *path = op->b[PATH].len ? op->b[PATH].p : NULL;
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
                            : "no path, nor one in SSH_AUTH_SOCK: there is no "
                              "agent");
    if (path && err != &s2_no_memory)
        err->sys_errno = why;
    return s2_op_fail(op, err);
}

/* Send the frame, and take the answer: 0 once *answer is all of it. */
static int
exchange(s2_op *op, talk *t, cursor *answer)
{
    int rc;

    if (s2_op_given_up(op))
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

    if (err)
        s2_release(op.dst); /* an event's callback may have ended the call */
    else
        *out = op.dst;
    return err;
}

/* Tell the path n[0], or set it. */
static int
path_step(s2_op *op)
{
    s2_agent *a = (s2_agent *)op->self;
    char **at = &a->path[op->n[0]], *copy = NULL;

    if (op->dst)
        return !*at || s2_buf_set(op->dst, *at, strlen(*at))
                   ? 0
                   : s2_op_fail(op, &s2_no_memory);
    if (op->b[PATH].p && !(copy = strdup(op->b[PATH].p)))
        return s2_op_fail(op, &s2_no_memory);
    s2_owed_drop(S2_SESSION(op), op->self); /* asked of another agent */
    free(*at);
    *at = copy;
    return 0;
}

static s2_error *
path_of(s2_agent *agent, const char *func, int which, const char *path,
        s2_buf *text)
{
    s2_op op = S2_OP(agent, path_step, func, NULL, ANY_TIME);
    s2_error *err;

    op.n[0] = which;
    op.dst = text;
    s2_op_text(&op, PATH, path);
    if ((err = s2_op_call(&op)) && text)
        s2_buf_free(text);
    return err;
}

s2_error *
s2_agent_set_identity_path(s2_agent *agent, const char *path)
{
    return path_of(agent, "set_identity_path", WANTED, path, NULL);
}

s2_error *
s2_agent_get_identity_path(s2_agent *agent, s2_buf *text)
{
    return path_of(agent, "get_identity_path", WANTED, NULL, text);
}

s2_error *
s2_agent_disconnect(s2_agent *agent)
{
    return path_of(agent, "agent_disconnect", CONNECTED, NULL, NULL);
}

static int
connect_step(s2_op *op)
{
    int fd, rc = reach(op, &fd);

    if (rc)
        return rc;
    close(fd);
    return path_step(op);
}

s2_error *
s2_agent_connect(s2_agent *agent)
{
    s2_op op = S2_OP(agent, connect_step, "agent_connect", NULL,
                     S2_EARLY | S2_AFTER_END | S2_STATELESS);
    s2_buf path = {0};
    s2_error *err = path_of(agent, op.func, WANTED, NULL, &path);

    op.n[0] = CONNECTED;
    op.path = path.data ? path.data : getenv("SSH_AUTH_SOCK");
    if (!err)
        err = call(&op, op.path, NULL);
    s2_buf_free(&path);
    return err;
}

/* Call, once the agent is connected, about a key or none. */
static s2_error *
call_connected(s2_agent *agent, s2_identity *key, s2_class cls, s2_op *op,
               int (*step)(s2_op *))
{
    s2_buf path = {0};
    s2_error *err = path_of(agent, op->func, CONNECTED, NULL, &path);

    if (!err && !path.data)
        err = s2_error_new(cls, LIBSSH2_ERROR_BAD_USE, op->func, NULL,
                           "the agent is not connected");
    if (!op->path)
        op->path = path.data;
    if (key)
        s2_op_bytes(op, BLOB, key->blob.data, key->blob.len);
    s2_retain(agent); /* another thread may drop either */
    s2_retain(key);
    if (!err)
        err = call(op, path.data, step);
    s2_release(key);
    s2_release(agent);
    s2_buf_free(&path);
    return err;
}

static int
list_step(s2_op *op)
{
    s2_agent *a = (s2_agent *)op->self;
    talk *t = talk_of(op, S2_C_AgentListIdentitiesError,
                      LIBSSH2_ERROR_AGENT_PROTOCOL);
    int rc = t ? list(op, t) : S2_FAILED;

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
    s2_op op = S2_OP(agent, begin_step, "list_identities", &agent->scope,
                     S2_EARLY | S2_AFTER_END);

    return call_connected(agent, NULL, S2_C_AgentListIdentitiesError, &op,
                          list_step);
}

static int
identity_step(s2_op *op)
{
    s2_agent *a = (s2_agent *)op->self;
    size_t i = (size_t)op->n[0];
    s2_buf *item;
    s2_identity *key;

    if (i >= a->keys.count / 2)
        return 0;
    item = a->keys.item + 2 * i;
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
    if ((err = s2_op_call(&op)))
        s2_release(op.dst);
    else
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

/*
 * Let the agent sign: 0 once *sig is what follows the algorithm's name, which
 * for a security key is its flags and counter too; ALGO_UNSUPPORTED where the
 * agent took another algorithm.
 */
static int
sign(s2_op *op, talk *t, const s2_algorithm *alg, cursor blob, cursor data,
     cursor *sig)
{
    unsigned char *p = t->frame + 4;
    int type, rc;

    if (blob.left + data.left > FRAME_LIMIT - 16)
        return FAIL(op, "too much to sign: %zu bytes", data.left);
    if (!t->out) {
        *p++ = SIGN_REQUEST;
        p = put_string(p, blob.at, blob.left);
        p = put_string(p, data.at, data.left);
        p = put_u32(p, alg->flags);
        t->out = (size_t)(p - t->frame);
        put_u32(t->frame, t->out - 4);
    }
    if ((rc = exchange(op, t, sig)))
        return rc;
    if ((type = take_byte(sig)) != SIGN_RESPONSE)
        return FAIL(op, "the agent refused to sign (answer %d)", type);
    *sig = take_string(sig);
    if (!is(take_string(sig), alg->name) && sig->at)
        return LIBSSH2_ERROR_ALGO_UNSUPPORTED;
    if (strncmp(alg->name, "sk-", 3))
        *sig = take_string(sig);
    return sig->left && sig->left <= S2_PART_LIMIT
               ? 0
               : FAIL(op, "the agent's signature is malformed");
}

static int
other_algorithm(s2_op *op, const s2_algorithm *alg)
{
    return FAIL(op, "the agent signed by another algorithm than %s", alg->name);
}

static LIBSSH2_USERAUTH_PUBLICKEY_SIGN_FUNC(sign_for_libssh2)
{
    s2_op *op = *abstract;
    s2_request r = s2_request_of(data, data_len);
    const s2_algorithm *alg = s2_algorithm_of(r.algorithm);
    cursor c;
    int rc;

    (void)session;
    if (!alg)
        return LIBSSH2_ERROR_AGENT_PROTOCOL;
    rc = sign(op, op->state, alg, r.blob, (cursor){data, data_len}, &c);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return rc;
    if (!rc)
        rc = s2_signature(op, c.at, c.left, sig, sig_len);
    talk_end(op->state);
    /* An old agent knows no flags: libssh2 tries again without. */
    return rc == LIBSSH2_ERROR_ALGO_UNSUPPORTED && !alg->flags
               ? other_algorithm(op, alg)
               : rc;
}

/* One key: 0, EAGAIN, S2_FAILED where the next may do, or another error. */
static int
try_key(s2_op *op, cursor key)
{
    int rc;

    if (!s2_key_known(key))
        return FAIL(op, "the agent's key is of no known type");
    rc = s2_key_try(op, key, sign_for_libssh2);
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
    talk *t = talk_of(op, S2_C_AgentListIdentitiesError,
                      LIBSSH2_ERROR_AGENT_PROTOCOL);
    cursor key = {op->b[BLOB].p, op->b[BLOB].len};
    bool all = !key.at;
    int rc;

    if (!t || (!t->tried && s2_op_let_in(op)))
        return S2_FAILED;
    if (all && !t->keys.count && (rc = list(op, t)))
        return rc;
    talk_of(op, S2_C_AgentAuthenticationError,
            LIBSSH2_ERROR_AUTHENTICATION_FAILED);
    if (!all)
        return try_key(op, key);
    for (; t->tried < t->keys.count; t->tried += 2) {
        const s2_buf *blob = &t->keys.item[t->tried];

        s2_error_free(op->error);
        op->error = NULL;
        rc = try_key(op, (cursor){(unsigned char *)blob->data, blob->len});
        if (rc != S2_FAILED || op->error == &s2_no_memory || s2_op_given_up(op))
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

    s2_op_text(&op, USER, username);
    op.path = username;
    return call_connected(agent, pkey, S2_C_AgentConnectionError, &op, NULL);
}

s2_error *
s2_session_agent_auth(s2_session *s, const char *username)
{
    s2_op op = S2_OP(s, auth_step, "agent_auth", &s->scope, 0);

    s2_op_text(&op, USER, username);
    op.path = username;
    return call(&op, getenv("SSH_AUTH_SOCK"), NULL);
}

static int
sign_step(s2_op *op)
{
    talk *t =
        talk_of(op, S2_C_AgentProtocolError, LIBSSH2_ERROR_AGENT_PROTOCOL);
    cursor blob = {op->b[BLOB].p, op->b[BLOB].len}, c = blob;
    cursor name = {op->b[METHOD].p, op->b[METHOD].len};
    const s2_algorithm *alg;
    int rc;

    if (!t)
        return S2_FAILED;
    if (!name.at && is(name = take_string(&c), "ssh-rsa"))
        name = (cursor){(unsigned char *)"rsa-sha2-512", 12};
    alg = s2_algorithm_of(name);
    rc = alg ? sign(op, t, alg, blob, (cursor){op->b[DATA].p, op->b[DATA].len},
                    &c)
             : LIBSSH2_ERROR_ALGO_UNSUPPORTED;
    if (rc == LIBSSH2_ERROR_ALGO_UNSUPPORTED) {
        t->cls = S2_C_AlgoUnsupportedError;
        t->code = rc;
        return alg ? other_algorithm(op, alg)
                   : FAIL(op, "no such algorithm is known");
    }
    return rc || s2_buf_set(op->dst, c.at, c.left)
               ? rc
               : s2_op_fail(op, &s2_no_memory);
}

s2_error *
s2_agent_sign(s2_agent *agent, s2_identity *pkey, const void *data,
              size_t data_len, const char *method, s2_buf *bytes)
{
    s2_op op = S2_OP(agent, begin_step, "agent_sign", &agent->scope,
                     S2_EARLY | S2_AFTER_END);
    s2_error *err;

    s2_op_text(&op, METHOD, method);
    s2_op_bytes(&op, DATA, data, data_len);
    op.dst = bytes;
    if ((err = call_connected(agent, pkey, S2_C_AgentConnectionError, &op,
                              sign_step)))
        s2_buf_free(bytes);
    return err;
}
