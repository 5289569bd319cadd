/*
 * Connecting: a name to addresses, an address to a socket, a socket to a
 * session whose host key is known.  One deadline holds for all of it.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- names --------------------------------------------------------------- */

/* getaddrinfo() can neither be interrupted nor polled: a thread of its own
 * calls it, and writes to the pipe when done.  Whoever comes last frees. */
typedef struct lookup {
    atomic_int refs;
    int fd[2];
    char *host, port[8];
    int rc;
    struct addrinfo *found;
} lookup;

static void
lookup_release(lookup *l)
{
    if (!l || atomic_fetch_sub(&l->refs, 1) != 1)
        return;
    close(l->fd[0]);
    close(l->fd[1]);
    if (l->found)
        freeaddrinfo(l->found);
    free(l->host);
    free(l);
}

static const struct addrinfo stream_hints = {.ai_socktype = SOCK_STREAM};

static void *
lookup_run(void *arg)
{
    lookup *l = arg;

    l->rc = getaddrinfo(l->host, l->port, &stream_hints, &l->found);
    while (write(l->fd[1], "", 1) < 0 && errno == EINTR)
        ;
    lookup_release(l);
    return NULL;
}

static lookup *
lookup_start(const char *host, int port)
{
    lookup *l = calloc(1, sizeof *l);
    struct addrinfo numeric = stream_hints;
    pthread_t thread;
    sigset_t all, old;
    int rc;

    if (!l || !(l->host = strdup(host)) || pipe(l->fd) < 0) {
        free(l ? l->host : NULL);
        free(l);
        return NULL;
    }
    fcntl(l->fd[0], F_SETFD, FD_CLOEXEC);
    fcntl(l->fd[1], F_SETFD, FD_CLOEXEC);
    fcntl(l->fd[0], F_SETFL, O_NONBLOCK);
    snprintf(l->port, sizeof l->port, "%d", port);
    numeric.ai_flags = AI_NUMERICHOST;
    if (!getaddrinfo(host, l->port, &numeric, &l->found)) {
        atomic_init(&l->refs, 1);
        return write(l->fd[1], "", 1) == 1 ? l : NULL;
    }
    atomic_init(&l->refs, 2);
    sigfillset(&all); /* signals are for the program's own threads */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&thread, NULL, lookup_run, l);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) {
        atomic_store(&l->refs, 1);
        lookup_release(l);
        return NULL;
    }
    pthread_detach(thread);
    return l;
}

/* --- sockets ------------------------------------------------------------- */

enum { PORT, VERIFY }; /* numbers of the op's */

typedef struct connecting {
    lookup *names;
    struct addrinfo *at; /* of names->found: what is tried, or is next */
    int fd;
    int why; /* errno of the last failure */
    int64_t until;
    bool resolved;
} connecting;

static void
connecting_free(connecting *c)
{
    if (!c)
        return;
    if (c->fd >= 0)
        close(c->fd);
    lookup_release(c->names);
    free(c);
}

static int
resolve(s2_op *op, connecting *c)
{
    char byte;
    s2_error *err;

    if (!c->names && !(c->names = lookup_start(op->b[0].p, (int)op->n[PORT])))
        return s2_op_fail(op, &s2_no_memory);
    if (read(c->names->fd[0], &byte, 1) != 1) {
        op->wait_fd = c->names->fd[0];
        op->wait_directions = LIBSSH2_SESSION_BLOCK_INBOUND;
        return LIBSSH2_ERROR_EAGAIN;
    }
    c->resolved = true;
    c->at = c->names->found;
    if (!c->names->rc)
        return 0;
    err = s2_error_new(S2_C_ResolveError, LIBSSH2_ERROR_SOCKET_NONE, "connect",
                       op->path, "%s", gai_strerror(c->names->rc));
    return s2_op_fail(op, err);
}

/* Each address has its share of the time that is left. */
static void
give_time(s2_op *op, connecting *c)
{
    int rest = 1;

    for (struct addrinfo *a = c->at->ai_next; a; a = a->ai_next)
        rest++;
    c->until = op->deadline && rest > 1
                   ? s2_now() + (op->deadline - s2_now()) / rest
                   : 0;
}

static bool
start_connect(s2_op *op, connecting *c)
{
    int flags;

    c->fd = socket(c->at->ai_family, c->at->ai_socktype, c->at->ai_protocol);
    if (c->fd < 0)
        return false;
    fcntl(c->fd, F_SETFD, FD_CLOEXEC);
    flags = fcntl(c->fd, F_GETFL);
    fcntl(c->fd, F_SETFL, flags | O_NONBLOCK);
    give_time(op, c);
    return !connect(c->fd, c->at->ai_addr, c->at->ai_addrlen) ||
           errno == EINPROGRESS || errno == EINTR;
}

/* 1: connected, 0: not yet, -1: this address failed, errno tells why. */
static int
check_connect(connecting *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLOUT};
    int why = 0;
    socklen_t len = sizeof why;

    if (poll(&p, 1, 0) <= 0) { /* a signal is no answer */
        errno = ETIMEDOUT;
        return c->until && s2_now() >= c->until ? -1 : 0;
    }
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &why, &len);
    errno = why;
    return why ? -1 : 1;
}

static int
reach(s2_op *op, connecting *c)
{
    s2_error *err;

    for (; c->at; c->at = c->at->ai_next) {
        int rc = c->fd >= 0 || start_connect(op, c) ? check_connect(c) : -1;

        if (rc == 1)
            return 0;
        if (rc == 0) {
            op->wait_fd = c->fd;
            op->wait_directions = LIBSSH2_SESSION_BLOCK_OUTBOUND;
            if (c->until)
                op->wait_ms =
                    c->until > s2_now() ? (int)(c->until - s2_now()) + 1 : 1;
            return LIBSSH2_ERROR_EAGAIN;
        }
        c->why = errno;
        if (c->fd >= 0)
            close(c->fd);
        c->fd = -1;
    }
    err = s2_error_new(S2_C_ConnectError, LIBSSH2_ERROR_SOCKET_NONE, "connect",
                       op->path, "port %d: %s", (int)op->n[PORT],
                       strerror(c->why));
    if (err != &s2_no_memory)
        err->sys_errno = c->why;
    return s2_op_fail(op, err);
}

static int
connect_step(s2_op *op)
{
    s2_session *s = S2_SESSION(op);
    connecting *c = op->state;
    s2_error *err;
    bool shaken;
    int rc;

    if (s->wire.fd < 0) {
        if (s2_op_given_up(op)) /* nothing is begun that libssh2 knows of */
            return s2_op_fail(
                op, s2_error_new(S2_C_ConnectError, LIBSSH2_ERROR_SOCKET_NONE,
                                 "connect", op->path, "given up"));
        if (!c) {
            if (!(c = op->state = calloc(1, sizeof *c)))
                return s2_op_fail(op, &s2_no_memory);
            c->fd = -1;
        }
        if (!c->resolved && (rc = resolve(op, c)))
            return rc;
        if ((rc = reach(op, c)))
            return rc;
        if ((err = s2_wire_open(&s->wire, c->fd, true)))
            return s2_op_fail(op, err);
        c->fd = -1; /* the wire's now */
    }
    shaken = s->shaken;
    rc = s2_handshake_step(op);
    if (!shaken)
        s->unverified = op->n[VERIFY] && s->shaken;
    return rc;
}

static void
connect_settle(s2_op *op, int rc)
{
    (void)rc;
    connecting_free(op->state);
    op->state = NULL;
}

/* --- known hosts --------------------------------------------------------- */

static char *
own_known_hosts(void)
{
    const char *home = getenv("HOME");
    struct passwd *pw = home && *home ? NULL : getpwuid(getuid());
    char *path;

    if (pw)
        home = pw->pw_dir;
    if (!home || !(path = malloc(strlen(home) + sizeof "/.ssh/known_hosts")))
        return NULL;
    strcpy(path, home);
    return strcat(path, "/.ssh/known_hosts");
}

/* A user who has no file yet knows no host; a named file must be there. */
static s2_error *
read_known_hosts(s2_session *s, const char *path, s2_knownhost **out)
{
    char *own = path ? NULL : own_known_hosts();
    s2_error *err;
    int count;

    if ((err = s2_session_knownhost_init(s, out)))
        goto done;
    if (path || (own && !access(own, F_OK)))
        err = s2_knownhost_readfile(*out, path ? path : own,
                                    LIBSSH2_KNOWNHOST_FILE_OPENSSH, &count);
    if (err) {
        s2_release(*out);
        *out = NULL;
    }
done:
    free(own);
    return err;
}

static s2_error *
no_port(const char *func, const char *host, int port)
{
    return s2_error_new(S2_C_InvalidRequestError, LIBSSH2_ERROR_INVAL, func,
                        host, "there is no port %d", port);
}

/* The name in a known_hosts file, as OpenSSH has it: in lower case, and with
 * the port unless it is SSH's own. */
static char *
known_name(const char *host, int port)
{
    size_t size = strlen(host) + sizeof "[]:65535";
    char *name = malloc(size);

    if (name)
        snprintf(name, size, port == 22 ? "%s" : "[%s]:%d", host, port);
    for (char *p = name; p && *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p += 'a' - 'A';
    return name;
}

/* No credential may go to a host that is not the one that was meant, nor where
 * an interrupt came first, which ends the disconnecting as well. */
static void
refuse(s2_session *s)
{
    s2_error_free(s2_session_disconnect(
        s, SSH_DISCONNECT_HOST_KEY_NOT_VERIFIABLE, "host key refused"));
    s2_turn_lock(&s->turn);
    if (!s->dead)
        s2_session_end(s, s2_error_new(S2_C_SocketDisconnectError,
                                       LIBSSH2_ERROR_SOCKET_DISCONNECT, NULL,
                                       NULL, "the host was not verified"));
    s2_turn_unlock(&s->turn);
}

static s2_error *
check_host(s2_session *s, s2_knownhost *kh, const char *name)
{
    s2_buf key = {0};
    s2_entry *entry = NULL;
    int type = 0;
    s2_error *err = s2_session_hostkey(s, &key, &type);

    if (!err)
        /* Key types of known hosts follow those of sessions, one on. */
        err = s2_knownhost_checkp(kh, name, -1, key.data, key.len,
                                  LIBSSH2_KNOWNHOST_TYPE_PLAIN |
                                      LIBSSH2_KNOWNHOST_KEYENC_RAW |
                                      (type + 1) << LIBSSH2_KNOWNHOST_KEY_SHIFT,
                                  &entry);
    s2_buf_free(&key);
    s2_release(entry);
    if (err) {
        refuse(s);
        return err;
    }
    s2_turn_lock(&s->turn);
    s->unverified = false;
    s2_turn_unlock(&s->turn);
    return NULL;
}

s2_error *
s2_session_verify(s2_session *s, const char *host, int port,
                  const char *known_hosts)
{
    s2_knownhost *kh = NULL;
    s2_error *err;
    char *name;

    if (port < 1 || port > 65535)
        return no_port("verify", host, port);
    err = read_known_hosts(s, known_hosts, &kh);
    name = known_name(host, port);
    if (!err)
        err = name ? check_host(s, kh, name) : &s2_no_memory;
    free(name);
    s2_release(kh);
    return err;
}

/* The types of key that the program prefers, or else all. */
static s2_error *
wanted_types(s2_session *s, s2_list *types)
{
    const char *at;
    bool done = true;

    s2_turn_lock(&s->turn);
    at = s->prefs[LIBSSH2_METHOD_HOSTKEY];
    for (size_t len; at && *at && done; at += len + (at[len] == ',')) {
        len = strcspn(at, ",");
        done = s2_list_add(types, at, len);
    }
    s2_turn_unlock(&s->turn);
    return !done ? &s2_no_memory
           : types->count
               ? NULL
               : s2_session_supported_algs(s, LIBSSH2_METHOD_HOSTKEY, types);
}

static bool
lists(const char *names, const s2_buf *name)
{
    for (size_t len; *names; names += len + (names[len] == ',')) {
        len = strcspn(names, ",");
        if (len == name->len && !memcmp(names, name->data, len))
            return true;
    }
    return false;
}

/* Ask first for the types of key that are known: a server has several, and
 * only one of them is shown. */
static s2_error *
prefer_known(s2_session *s, s2_knownhost *kh, const char *name)
{
    s2_buf known = {0};
    s2_list types = {0};
    s2_error *err = s2_knownhost_types(kh, name, -1, &known);
    size_t cap = 1;
    char *prefs, *to;

    if (!err && known.data)
        err = wanted_types(s, &types);
    for (size_t i = 0; i < types.count; i++)
        cap += types.item[i].len + 1;
    to = prefs = malloc(cap);
    if (!err && !prefs)
        err = &s2_no_memory;
    for (int is = 1; !err && known.data && is >= 0; is--)
        for (size_t i = 0; i < types.count; i++)
            if (lists(known.data, &types.item[i]) == is)
                to += sprintf(to, "%s%s", to > prefs ? "," : "",
                              types.item[i].data);
    if (!err && to > prefs)
        err = s2_session_method_pref(s, LIBSSH2_METHOD_HOSTKEY, prefs);
    free(prefs);
    s2_list_free(&types);
    s2_buf_free(&known);
    return err;
}

s2_error *
s2_session_connect(s2_session *s, const char *host, int port, int timeout,
                   const char *known_hosts, bool verify)
{
    s2_op op =
        S2_OP(s, connect_step, "connect", &s->scope, S2_EARLY | S2_SHAKES);
    s2_knownhost *kh = NULL;
    s2_error *err = NULL;
    char *name;

    if (port < 1 || port > 65535)
        return no_port("connect", host, port);
    if (!(name = known_name(host, port)))
        return &s2_no_memory;
    if (verify && !(err = read_known_hosts(s, known_hosts, &kh)))
        err = prefer_known(s, kh, name);
    if (!err) {
        s2_op_text(&op, 0, host);
        op.path = host;
        op.n[PORT] = port;
        op.n[VERIFY] = verify;
        op.timeout = timeout > 0 ? timeout : 0;
        op.settle = connect_settle;
        err = s2_op_call(&op);
        connecting_free(op.state);
    }
    if (!err && verify)
        err = check_host(s, kh, name);
    free(name);
    s2_release(kh);
    return err;
}
