/*
 * Forwarding: channels to where the server can connect, and Listener, a port
 * of the server's whose connections come here.
 *
 * A connection that came and was not accepted waits inside libssh2; an accepted
 * one is a channel of the session and outlives its listener.
 */
#include "internal.h"

/* --- to where the server can connect ------------------------------------- */

static s2_error *
bad_port(const char *func, const char *host, int port)
{
    return port >= 0 && port <= 65535
               ? NULL
               : s2_error_new(S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE, func,
                              host, "there is no port %d", port);
}

static int
direct_tcpip_step(s2_op *op)
{
    return s2_op_made(op, libssh2_channel_direct_tcpip_ex(
                              S2_RAW(op), op->b[0].p, (int)op->n[0], op->b[1].p,
                              (int)op->n[1]));
}

s2_error *
s2_session_direct_tcpip_ex(s2_session *s, const char *host, int port,
                           const char *shost, int sport, s2_channel **out)
{
    s2_op op = S2_OP(s, direct_tcpip_step, "libssh2_channel_direct_tcpip_ex",
                     &s->scope, S2_AUTHED);
    s2_error *err;

    if ((err = bad_port(op.func, host, port)) ||
        (err = bad_port(op.func, shost, sport)))
        return err;
    s2_op_text(&op, 0, host);
    s2_op_text(&op, 1, shost);
    op.n[0] = port;
    op.n[1] = sport;
    op.path = host;
    return s2_op_make(&op, s2_channel_make, out);
}

s2_error *
s2_session_direct_tcpip(s2_session *s, const char *host, int port,
                        s2_channel **out)
{
    return s2_session_direct_tcpip_ex(s, host, port, "127.0.0.1", 22, out);
}

/* --- Listener ------------------------------------------------------------ */

static int
cancel(s2_listener *l)
{
    int rc;

    if (!l->raw)
        return 0;
    rc = libssh2_channel_forward_cancel(l->raw);
    if (rc != LIBSSH2_ERROR_EAGAIN && rc != LIBSSH2_ERROR_ALLOC)
        l->raw = NULL;
    return rc;
}

static int
listener_finish(s2_obj *obj)
{
    s2_listener *l = (s2_listener *)obj;

    s2_record_drop(&l->scope);
    return cancel(l);
}

const s2_type s2_listener_type = {"listener", listener_finish, NULL, 2};

static void *
listener_make(s2_op *op)
{
    s2_listener *l = s2_obj_new(&s2_listener_type, sizeof *l, op->self);

    if (l) {
        l->raw = op->state;
        l->port = (int)op->r[0];
    }
    return l;
}

int
s2_listener_port(s2_listener *l)
{
    return l->port;
}

enum {
    QUEUE = 16,  /* libssh2's own choice */
    MOST = 1024, /* each packet is looked up among them */
};

static int
listen_step(s2_op *op)
{
    s2_session *s = S2_SESSION(op);
    int port = 0, rc;

    if (!op->r[1] && s->replies_due)
        return s2_op_fail(
            op, s2_error_new(S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE, op->func,
                             op->path,
                             "keepalives that ask for a reply were sent, and "
                             "libssh2 takes such a reply for the answer"));
    op->r[1] = true; /* begun */
    op->state = libssh2_channel_forward_listen_ex(
        s->raw, op->b[0].p, (int)op->n[0], &port, (int)op->n[1]);
    op->r[0] = port;
    if (op->state)
        return 0;
    rc = s2_op_null(op);
    /* What was wrong it does not tell, and the answer may still come. */
    return rc == LIBSSH2_ERROR_PROTO ? LIBSSH2_ERROR_SOCKET_DISCONNECT : rc;
}

s2_error *
s2_session_forward_listen_ex(s2_session *s, int queue_maxsize, const char *host,
                             int port, s2_listener **out, int *result)
{
    s2_op op = S2_OP(s, listen_step, "libssh2_channel_forward_listen_ex",
                     &s->scope, S2_AUTHED);
    s2_error *err;

    if ((err = bad_port(op.func, host, port)))
        return err;
    if (queue_maxsize < 0)
        return s2_error_new(S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE, op.func,
                            host, "a queue of %d", queue_maxsize);
    s2_op_text(&op, 0, host);
    op.n[0] = port;
    op.n[1] = queue_maxsize ? queue_maxsize : MOST;
    op.path = host;
    if (!(err = s2_op_make(&op, listener_make, out)))
        *result = (int)op.r[0];
    return err;
}

s2_error *
s2_session_forward_listen(s2_session *s, int port, s2_listener **out)
{
    int bound;

    return s2_session_forward_listen_ex(s, QUEUE, NULL, port, out, &bound);
}

static int
accept_step(s2_op *op)
{
    int rc;

    op->state = libssh2_channel_forward_accept(((s2_listener *)op->self)->raw);
    if (op->state)
        return 0;
    rc = s2_op_null(op);
    if (rc != LIBSSH2_ERROR_CHANNEL_UNKNOWN)
        return rc;
    /* Its only word for whatever went wrong in reading. */
    libssh2_session_set_last_error(S2_RAW(op), LIBSSH2_ERROR_SOCKET_DISCONNECT,
                                   "the connection failed");
    return LIBSSH2_ERROR_SOCKET_DISCONNECT;
}

s2_error *
s2_listener_forward_accept(s2_listener *l, s2_channel **out)
{
    s2_op op = S2_OP(l, accept_step, "libssh2_channel_forward_accept", NULL,
                     S2_STATELESS);

    return s2_op_make(&op, s2_channel_make, out);
}

static int
cancel_step(s2_op *op)
{
    s2_op_close(op); /* whoever waits for a connection leaves */
    return S2_SESSION(op)->dead ? 0 : cancel((s2_listener *)op->self);
}

s2_error *
s2_listener_forward_cancel(s2_listener *l)
{
    s2_op op =
        S2_OP(l, cancel_step, "libssh2_channel_forward_cancel", &l->scope,
              S2_AFTER_END | S2_AFTER_CLOSE | S2_SAME_SELF | S2_CLOSES);

    return s2_op_call(&op);
}
