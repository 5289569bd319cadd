/*
 * The engine: every call into libssh2 that can fail or wait goes through here.
 *
 * A call takes turns.  In a turn it flushes the wire, advances what was
 * dropped, finishes what another caller left in its scope, and tries its step;
 * between turns it waits, on the socket if nobody else does, else on its own
 * pipe.  Every list is changed inside a turn, so no wake-up is lost.
 */
#include "internal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

enum { POLL_SLICE = 1000, BUSY_SLICE = 50 }; /* ms */
enum { NEAR_US = 100, FAR_WAITS = 20 };
enum { SILENT_INTERVALS = 3, MAX_OWED = 64, FORGOTTEN = 10000 /* ms */ };
enum { HURT_WAIT = 1000 /* ms */ };
/* What libssh2 sends at once, and what else is in a request. */
enum { AT_ONCE = 32700, NO_PATH = 700 };

typedef struct call {
    s2_op *op;
    s2_session *s;
    s2_waiter *waiter;
    uint64_t id;
    int64_t deadline; /* ms, 0: none */
    int64_t over;     /* when all of it has to be done; 0: never */
    long patience;    /* ms, for answers, from when the last bytes moved */
    size_t moved;
    uintptr_t caller;
    bool blocking, polls, ending;
    bool begun;    /* the step was tried: it may have left state behind */
    bool finished; /* the result is there; only the queue is to be sent */
    bool inside;   /* called from a callback that holds the session */
    bool drains;   /* waits for the queue, and nothing else, to be sent */
    enum { NOT_RUN, DONE, WAIT, TELL } state;
    s2_error *err;
    int fd, directions; /* what to wait for, */
    int64_t until;      /* and how long; 0: for ever */
    bool near;          /* it may be there at once */
} call;

/* --- the host ------------------------------------------------------------ */

static void
plain_run(void *ctx, void (*fn)(void *), void *arg)
{
    (void)ctx;
    fn(arg);
}

static int
plain_wait(void *ctx, int fd, int wake_fd, int directions, int timeout_ms)
{
    int rc = s2_poll(fd, wake_fd, directions, timeout_ms);

    (void)ctx;
    return rc == S2_RAISED ? S2_READY : rc;
}

static bool
plain_polls(void *ctx)
{
    (void)ctx;
    return true;
}

static int
plain_check(void *ctx)
{
    (void)ctx;
    return 0;
}

static uintptr_t
plain_caller(void *ctx)
{
    static _Thread_local char self;

    (void)ctx;
    return (uintptr_t)&self;
}

static int
plain_notify(void *ctx, s2_session *s, int kind, const s2_value *args,
             size_t count)
{
    (void)ctx;
    (void)s;
    (void)kind;
    (void)args;
    (void)count;
    return 0;
}

static bool
plain_ending(void *ctx)
{
    (void)ctx;
    return false;
}

static s2_host host = {plain_run,    plain_wait,   plain_polls,  plain_check,
                       plain_caller, plain_notify, plain_ending, NULL};

void
s2_set_host(const s2_host *h)
{
    host.run = h->run ? h->run : plain_run;
    host.wait = h->wait ? h->wait : plain_wait;
    host.polls = h->polls ? h->polls : plain_polls;
    host.check = h->check ? h->check : plain_check;
    host.caller = h->caller ? h->caller : plain_caller;
    host.notify = h->notify ? h->notify : plain_notify;
    host.ending = h->ending ? h->ending : plain_ending;
    host.ctx = h->ctx;
}

/* --- records ------------------------------------------------------------- */

void
s2_op_bytes(s2_op *op, int i, const void *p, size_t len)
{
    op->b[i].p = p;
    op->b[i].len = len;
}

void
s2_op_text(s2_op *op, int i, const char *text)
{
    s2_op_bytes(op, i, text, text ? strlen(text) : 0);
}

void
s2_op_close(s2_op *op)
{
    if (!atomic_exchange(&op->self->closed, true))
        s2_session_wake_all(S2_SESSION(op));
}

int
s2_op_fail(s2_op *op, s2_error *err)
{
    s2_error_free(op->error);
    op->error = err;
    return S2_FAILED;
}

static void
record_free(s2_op *op)
{
    for (int i = 0; i < 4; i++) {
        if (op->b[i].p)
            OPENSSL_cleanse((void *)(uintptr_t)op->b[i].p, op->b[i].len);
        free((void *)(uintptr_t)op->b[i].p);
    }
    for (int i = 0; i < 4; i++)
        s2_buf_free(&op->out[i]);
    s2_error_free(op->error);
    free(op);
}

void
s2_record_leave(s2_scope *scope, s2_obj *self, int (*step)(s2_op *))
{
    s2_op *op = calloc(1, sizeof *op);

    if (op) {
        *op = (s2_op)S2_OP(self, step, "", scope, S2_SAME_SELF);
        op->left = true;
        scope->parked = op;
    } else {
        s2_session_end(self->session, &s2_no_memory);
    }
}

void
s2_record_drop(s2_scope *scope)
{
    s2_op *left = scope->parked;

    if (!left)
        return;
    scope->parked = NULL;
    if (left->settle)
        left->settle(left, LIBSSH2_ERROR_SOCKET_DISCONNECT);
    record_free(left);
}

/* Nobody wants this result any more. */
static void
settle_owed(s2_op **at)
{
    s2_op *left = *at;

    *at = left->next;
    if (left->settle)
        left->settle(left, left->rc);
    record_free(left);
}

static bool
drop_owed(s2_session *s, const s2_obj *obj, bool told)
{
    s2_op **at = &s->owed;
    bool any = false;

    while (*at)
        if ((!obj || (*at)->self == obj) && ((*at)->told || !told)) {
            settle_owed(at);
            any = true;
        } else {
            at = &(*at)->next;
        }
    return any;
}

bool
s2_owed_drop(s2_session *s, const s2_obj *obj)
{
    return drop_owed(s, obj, false);
}

uint64_t
s2_owed_done(s2_obj *obj)
{
    const s2_scope *scope = s2_scope_left(obj);
    uint64_t done = scope && scope->parked->told ? scope->parked->done : 0;

    for (const s2_op *left = obj->session->owed; left; left = left->next)
        if (left->self == obj && left->told)
            done += left->done;
    return done;
}

uint64_t
s2_owed_forget(s2_obj *obj)
{
    uint64_t done = s2_owed_done(obj);

    drop_owed(obj->session, obj, true);
    return done;
}

int
s2_op_null(s2_op *op)
{
    int rc = libssh2_session_last_errno(S2_RAW(op));

    return rc < 0 ? rc : LIBSSH2_ERROR_PROTO;
}

int
s2_op_keep(s2_op *op, int i, const void *p, size_t len)
{
    return !p || s2_buf_set(&op->out[i], p, len)
               ? 0
               : s2_op_fail(op, &s2_no_memory);
}

int
s2_op_keep_text(s2_op *op, int i, const char *text)
{
    return s2_op_keep(op, i, text, text ? strlen(text) : 0);
}

int
s2_op_made(s2_op *op, void *raw)
{
    if (!raw)
        return s2_op_null(op);
    op->state = raw;
    /* It counts from the very turn in which it came to be. */
    if (op->self->type == &s2_sftp_type)
        ((s2_sftp *)op->self)->children++;
    return 0;
}

/* A handle that nobody came back for is given back like any other. */
static void
unmake(s2_op *op, int rc)
{
    if (rc >= 0)
        s2_release(op->make(op));
    op->state = NULL;
}

s2_error *
s2_op_make(s2_op *op, void *(*make)(s2_op *), void *out)
{
    s2_error *err;
    void *made;

    op->make = make;
    op->settle = unmake;
    if ((err = s2_op_call(op)))
        return err;
    if (!(made = make(op)))
        return s2_session_leak(S2_SESSION(op));
    memcpy(out, &made, sizeof made);
    return NULL;
}

/* Go on with what another op of the same call has come to. */
static void
take_over(s2_op *op, s2_op *left)
{
    op->state = left->state;
    op->done = left->done;
    op->record = left->record;
    memcpy(op->r, left->r, sizeof left->r);
    memcpy(op->out, left->out, sizeof left->out);
    memset(left->out, 0, sizeof left->out);
}

/* A copy that owns its arguments, for whoever comes back or comes next. */
static s2_op *
record_new(const s2_op *op)
{
    s2_op *copy = malloc(sizeof *copy);

    if (!copy)
        return NULL;
    *copy = *op;
    copy->error = NULL;
    copy->path = NULL;
    copy->dst = NULL;
    copy->call = NULL;
    copy->left = true;
    if (copy->park)
        copy->park(copy);
    copy->done = 0;
    for (int i = 0; i < 4; i++) {
        const void *from = copy->b[i].p;
        char *to = NULL;

        if (from && (to = malloc(copy->b[i].len + 1))) {
            memcpy(to, from, copy->b[i].len);
            to[copy->b[i].len] = '\0';
        }
        copy->b[i].p = to;
        if (from && op->path == op->b[i].p)
            copy->path = to;
        if (from && !to) {
            while (++i < 4)
                copy->b[i].p = NULL; /* still the caller's */
            memset(copy->out, 0, sizeof copy->out);
            record_free(copy);
            return NULL;
        }
    }
    return copy;
}

static bool
same_bytes(const s2_op *left, const s2_op *op, int i)
{
    size_t len = left->b[i].len, most = op->b[i].len;

    if (!left->b[i].p != !op->b[i].p)
        return false;
    if (op->park && left->told && most < len)
        len = most;
    return (op->park ? len <= most : len == most) &&
           (!len || !memcmp(left->b[i].p, op->b[i].p, len));
}

/* A record of a write holds only the slice that libssh2 has begun; `cap` tells
 * how much the caller still had to write.  One who was told of an error may go
 * on in other pieces. */
static bool
same_call(const s2_op *left, const s2_op *op)
{
    if (left->step != op->step || left->self != op->self || left->raised)
        return false;
    if (op->flags & S2_SAME_SELF)
        return true;
    for (int i = 0; i < 4; i++)
        if (!same_bytes(left, op, i))
            return false;
    return !memcmp(left->n, op->n, sizeof op->n) &&
           (!op->park || left->told || left->cap == op->cap) &&
           (!op->same || op->same(left, op));
}

/* A piece of what was left. */
static bool
is_part(const s2_op *left, const s2_op *op)
{
    return op->park && op->b[0].len < left->b[0].len;
}

/* --- errors -------------------------------------------------------------- */

static s2_sftp *
sftp_of(s2_obj *obj)
{
    while (obj && obj->type != &s2_sftp_type)
        obj = obj->parent;
    return (s2_sftp *)obj;
}

s2_scope *
s2_scope_left(s2_obj *obj)
{
    s2_sftp *sftp = sftp_of(obj);
    s2_scope *scope = &obj->session->scope;

    if (scope->parked && scope->parked->self == obj)
        return scope;
    scope = sftp ? &sftp->scope : NULL;
    return scope && scope->parked && scope->parked->self == obj ? scope : NULL;
}

static s2_error *
with_done(s2_error *err, const s2_op *op)
{
    if (err != &s2_again && err != &s2_no_memory && err != &s2_raised)
        err->done = op->done;
    return err;
}

/* What an error names. */
static const char *
about(const s2_op *op)
{
    return op->path || op->self->type != &s2_file_type
               ? op->path
               : ((s2_file *)op->self)->path.data;
}

static s2_error *
error_of(s2_op *op, int rc)
{
    LIBSSH2_SESSION *raw = S2_RAW(op);
    s2_class cls = s2_class_of_code(rc);
    s2_sftp *sftp = sftp_of(op->self);
    char *text = NULL;
    int len = 0;
    s2_error *err;

    if (rc == S2_FAILED) {
        err = op->error;
        op->error = NULL;
    } else if (rc == LIBSSH2_ERROR_SFTP_PROTOCOL && sftp && sftp->raw &&
               libssh2_sftp_last_error(sftp->raw)) {
        err = s2_status_error(op->func, about(op),
                              libssh2_sftp_last_error(sftp->raw));
    } else {
        if (raw && libssh2_session_last_errno(raw) == rc)
            libssh2_session_last_error(raw, &text, &len, 0);
        if (!text || !len)
            text = (char *)(uintptr_t)s2_class_code_name(cls);
        if (op->cls)
            cls = op->cls;
        err = s2_error_new(cls, rc, op->func, about(op), "%s",
                           text ? text : "unknown error");
    }
    return with_done(err, op);
}

/* After these no byte of the stream can be trusted. */
static bool
fatal(int rc)
{
    switch (rc) {
    case LIBSSH2_ERROR_SOCKET_DISCONNECT:
    case LIBSSH2_ERROR_DECRYPT:
    case LIBSSH2_ERROR_ENCRYPT:
    case LIBSSH2_ERROR_INVALID_MAC:
    case LIBSSH2_ERROR_OUT_OF_BOUNDARY:
    case LIBSSH2_ERROR_ZLIB:
    case LIBSSH2_ERROR_COMPRESS:
    case LIBSSH2_ERROR_KEX_FAILURE:
    case LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE:
    case LIBSSH2_ERROR_ALLOC:
        return true;
    default:
        return false;
    }
}

static s2_error *
lost(s2_session *s)
{
    s2_wire *w = &s->wire;
    const char *banner = libssh2_session_banner_get(s->raw);
    s2_error *err;

    if (!s->shaken && (!banner || strncmp(banner, "SSH-", 4)))
        return s2_error_new(S2_C_BannerRecvError, LIBSSH2_ERROR_BANNER_RECV,
                            NULL, NULL,
                            "the connection ended before an SSH banner came");
    if (s->goodbye)
        return s2_error_new(S2_C_SocketDisconnectError,
                            LIBSSH2_ERROR_SOCKET_DISCONNECT, NULL, NULL,
                            "the server disconnected: %s", s->goodbye);
    if (w->end_code == LIBSSH2_ERROR_SOCKET_DISCONNECT)
        return s2_error_new(S2_C_SocketDisconnectError, w->end_code, NULL, NULL,
                            "the server closed the connection");
    err = s2_error_new(s2_class_of_code(w->end_code), w->end_code, NULL, NULL,
                       "the connection failed: %s", strerror(w->end_errno));
    if (err != &s2_no_memory)
        err->sys_errno = w->end_errno;
    return err;
}

s2_error *
s2_session_leak(s2_session *s)
{
    s2_turn_lock(&s->turn);
    s2_session_end(s, &s2_no_memory);
    s2_turn_unlock(&s->turn);
    return &s2_no_memory;
}

void
s2_session_end(s2_session *s, s2_error *why)
{
    if (s->dead) {
        s2_error_free(why);
        return;
    }
    s->dead = why;
    s->alloc.keep = true;
    if (!s->wire.end_code)
        s->wire.end_code = why->code;
    s2_session_wake_all(s);
}

/* Why the session is over, said of this call. */
static s2_error *
dead_error(const s2_op *op)
{
    s2_error *err = s2_error_copy(S2_SESSION(op)->dead);

    if (err != &s2_no_memory) {
        err->func = op->func;
        if (about(op) && !err->path)
            err->path = strdup(about(op));
    }
    return err;
}

/* --- waiters ------------------------------------------------------------- */

void
s2_session_wake_all(s2_session *s)
{
    for (s2_waiter *w = s->waiters; w; w = w->next)
        s2_waiter_wake(w);
}

/* Those who wait for the socket: what they need may be in libssh2 by now. */
static void
wake_readers(s2_session *s)
{
    for (s2_waiter *w = s->waiters; w; w = w->next)
        if (w->need)
            s2_waiter_wake(w);
}

static void
wake_scope(s2_session *s, const s2_scope *scope)
{
    for (s2_waiter *w = s->waiters; w; w = w->next)
        if (w->scope == scope)
            s2_waiter_wake(w);
}

static void
stop_waiting(call *c)
{
    s2_session *s = c->s;

    if (!c->waiter)
        return;
    for (s2_waiter **at = &s->waiters; *at; at = &(*at)->next)
        if (*at == c->waiter) {
            *at = c->waiter->next;
            break;
        }
    c->waiter->next = NULL;
    if (s->watcher == c->waiter)
        s->watcher = NULL;
    s2_waiter_clear(c->waiter);
}

/* Somebody must poll the socket, for all that the others need. */
static void
keep_watch(s2_session *s)
{
    int need = 0;

    for (s2_waiter *w = s->waiters; w; w = w->next)
        need |= w->need;
    if (s->watcher) {
        if (need & ~s->watched)
            s2_waiter_wake(s->watcher);
        return;
    }
    for (s2_waiter *w = s->waiters; w; w = w->next)
        if (w->need) {
            s2_waiter_wake(w);
            return;
        }
}

static int leave(call *c, s2_error *err);

static void
set_deadline(call *c)
{
    int64_t patient = c->patience ? s2_now() + c->patience : 0;

    c->moved = c->op->done + c->op->moves;
    c->deadline =
        patient && (!c->over || patient < c->over) ? patient : c->over;
}

/* May a waiting call let callbacks use the session?  They might want the scope
 * of one that is amid a request, whose answer comes soon. */
static bool
may_tell(const call *c)
{
    return !c->s->held && (!c->op->scope || (c->op->flags & S2_BULK));
}

/* Is an answer to be expected before a sleeping thread would be woken?  Where
 * one was not there in time, the next ones are slept for. */
static bool
is_near(s2_session *s)
{
    int far = atomic_load(&s->far);

    if (far)
        atomic_store(&s->far, far - 1);
    return !far;
}

#define EARLIER ": an earlier call is not over"

/* Wait for a scope (need 0) or for the socket; or leave, where waiting is not
 * wanted or its time is over. */
static int
wait_for(call *c, const s2_scope *scope, int need)
{
    s2_session *s = c->s;
    s2_waiter *w = c->waiter;
    int64_t now = s2_now();
    int64_t next = s->shaken && !s->held && !s->dead ? s->keep_next : 0;
    bool little = s2_wire_await(&s->wire);

    if (!c->blocking)
        return leave(c, &s2_again);
    /* As where libssh2 waits itself, that it would is not what happened last. */
    if (libssh2_session_last_errno(s->raw) == LIBSSH2_ERROR_EAGAIN)
        libssh2_session_set_last_error(s->raw, LIBSSH2_ERROR_NONE, NULL);
    if (scope && c->ending) /* whose it is may never come back */
        return leave(c, s2_error_new(S2_C_ClosedError, LIBSSH2_ERROR_BAD_USE,
                                     c->op->func, about(c->op),
                                     "the interpreter is ending"));
    if (c->op->done + c->op->moves != c->moved)
        set_deadline(c);
    if (c->deadline && now >= c->deadline) {
        libssh2_session_set_last_error(s->raw, LIBSSH2_ERROR_TIMEOUT,
                                       "timed out");
        return leave(c, s2_error_new(S2_C_Timeout, LIBSSH2_ERROR_TIMEOUT,
                                     c->op->func, about(c->op), "timed out%s",
                                     scope        ? EARLIER
                                     : c->op->why ? c->op->why
                                                  : ""));
    }
    if (!w && !(w = c->waiter = s2_waiter_get()))
        return leave(c, s2_error_new(S2_C_AllocError, LIBSSH2_ERROR_ALLOC,
                                     c->op->func, NULL,
                                     "no descriptors left to wait with"));
    if (may_tell(c) && s2_events_due(s))
        return TELL;
    w->scope = scope;
    w->need = need;
    w->caller = c->caller;
    w->next = s->waiters;
    s->waiters = w;
    c->fd = -1;
    c->directions = 0;
    c->near = false;
    c->until = c->deadline;
    if (next && (!c->until || next < c->until))
        c->until = next;
    /* Where the same one's call watches, this is made in that; at the end who
     * watches may not see it. */
    if (s->watcher && !c->ending ? s->watcher->caller == c->caller : need) {
        s->watcher = w;
        s->watched = 0;
        for (s2_waiter *o = s->waiters; o; o = o->next)
            s->watched |= o->need;
        c->fd = s->wire.fd;
        c->directions = s->watched;
        c->near = little && is_near(s);
    }
    return WAIT;
}

static int
wait_for_step(call *c, const s2_op *op)
{
    int need = LIBSSH2_SESSION_BLOCK_INBOUND, state;
    int64_t again;

    if (op->wait_fd < 0 && !op->wait_ms) {
        if (op->more || s2_wire_queued(&c->s->wire))
            need |= LIBSSH2_SESSION_BLOCK_OUTBOUND;
        return wait_for(c, NULL, need);
    }
    if ((state = wait_for(c, NULL, 0)) != WAIT)
        return state;
    if (c->s->watcher == c->waiter) /* it watches elsewhere */
        c->s->watcher = NULL;
    c->fd = op->wait_fd;
    c->directions = op->wait_directions;
    again = op->wait_ms ? s2_now() + op->wait_ms : 0;
    if (again && (!c->until || again < c->until))
        c->until = again;
    return state;
}

/* --- turns --------------------------------------------------------------- */

/* Leave what was begun in place, for whoever comes back or comes next. */
static void
leave_scope(call *c, const s2_error *why)
{
    s2_op *op = c->op;
    s2_scope *scope = op->scope;

    if (!scope || scope->live != c->id)
        return;
    if (c->begun && !c->finished && !op->idle && !c->s->dead) {
        scope->parked = record_new(op);
        if (scope->parked) {
            /* Where something was read there is nothing to keep: reading
             * again is as good, or the object keeps it. */
            scope->parked->owed = (why == &s2_again || op->park) && !op->dst &&
                                  !(op->flags & S2_SAME_SELF);
            scope->parked->told = why != &s2_again;
            op->state = NULL; /* the record's now, as are these */
            memset(op->out, 0, sizeof op->out);
        } else
            s2_session_end(c->s, &s2_no_memory);
    }
    scope->live = 0;
    wake_scope(c->s, scope);
}

static int
leave(call *c, s2_error *err)
{
    c->err = with_done(err, c->op);
    leave_scope(c, err);
    return DONE;
}

static bool
is_channel(const s2_obj *obj)
{
    return !strcmp(obj->type->name, s2_channel_type.name);
}

static s2_error *
closed_error(const s2_op *op, const s2_obj *obj)
{
    bool channel = is_channel(obj);

    return s2_error_new(
        channel ? S2_C_ChannelClosedError : S2_C_ClosedError,
        channel ? LIBSSH2_ERROR_CHANNEL_CLOSED : LIBSSH2_ERROR_BAD_USE,
        op->func, about(op), "the %s is closed", obj->type->name);
}

/* Of a request that is longer than what libssh2 sends at once, or than the
 * server's window ever is, the rest is never sent: the next is taken for it. */
static s2_error *
too_long(const s2_op *op)
{
    s2_sftp *sftp = sftp_of(op->self);
    size_t paths = op->b[0].len + op->b[1].len;
    unsigned long most = 0;

    if (!paths || op->park || !sftp || !sftp->raw || op->scope != &sftp->scope)
        return NULL;
    libssh2_channel_window_write_ex(libssh2_sftp_get_channel(sftp->raw), &most);
    if (!most || most > AT_ONCE) /* sshd's is none till SFTP has begun */
        most = AT_ONCE;
    if (paths + NO_PATH <= most)
        return NULL;
    return s2_error_new(S2_C_InvalidRequestError, LIBSSH2_ERROR_INVAL, op->func,
                        NULL, "a path of %zu bytes: %lu fit a request", paths,
                        most < NO_PATH ? 0 : most - NO_PATH);
}

static s2_error *
unusable(call *c)
{
    s2_op *op = c->op;
    s2_session *s = c->s;

    if (is_channel(op->self) && sftp_of(op->self) && !(op->flags & S2_QUICK))
        return s2_error_new(S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE, op->func,
                            NULL, "SFTP runs over it");
    if (!(op->flags & S2_AFTER_CLOSE))
        for (s2_obj *o = op->self; o; o = o->parent)
            if (atomic_load(&o->closed))
                return closed_error(op, o);
    c->inside = s->held && s->holder == c->caller;
    if (c->inside)
        return s2_error_new(S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE, op->func,
                            NULL, "called from a callback of its own session");
    if (s->dead && !(op->flags & S2_AFTER_END))
        return dead_error(op);
    if (!s->shaken && !(op->flags & S2_EARLY))
        return s2_error_new(S2_C_InvalidRequestError, LIBSSH2_ERROR_INVAL,
                            op->func, NULL, "the handshake has not been made");
    if (s->unverified && !(op->flags & (S2_QUICK | S2_EARLY | S2_AFTER_END)))
        return s2_error_new(S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE, op->func,
                            NULL, "the host is not verified yet");
    if ((op->flags & S2_AUTHED) && !libssh2_userauth_authenticated(s->raw))
        return s2_error_new(S2_C_InvalidRequestError, LIBSSH2_ERROR_INVAL,
                            op->func, NULL, "not authenticated yet");
    return too_long(op);
}

static void
keep_alive(s2_session *s)
{
    if (!s->keep_every || !s->shaken || s2_now() < s->keep_next)
        return;
    /* What nobody has read yet is an answer, too. */
    if (s->keep_reply && s->wire.received == s->heard &&
        s->kept_silent >= SILENT_INTERVALS &&
        s2_poll(s->wire.fd, -1, LIBSSH2_SESSION_BLOCK_INBOUND, 0) ==
            S2_TIMED_OUT) {
        s2_session_end(s, s2_error_new(S2_C_SocketTimeout,
                                       LIBSSH2_ERROR_SOCKET_TIMEOUT, NULL, NULL,
                                       "no answer to %d keepalives",
                                       SILENT_INTERVALS));
        return;
    }
    s2_keepalive(s);
}

void
s2_session_saw(s2_session *s, int rc)
{
    s2_op op = S2_OP(s, NULL, "libssh2_channel_close", NULL, 0);

    s2_op_saw(&op, rc);
}

/* Did a packet that was forged come where libssh2 passes errors over? */
static bool
met_forgery(const s2_session *s)
{
    return libssh2_session_last_errno(s->raw) == LIBSSH2_ERROR_INVALID_MAC;
}

/* The exchange of keys in which it came may have failed, too. */
static void
end_changed(s2_session *s)
{
    s->wire.drains = false;
    s2_session_end(s, s2_hostkey_changed(NULL));
}

/* What each turn does for those who are not there. */
static void
house_keeping(s2_session *s)
{
    uint64_t received = s->wire.received;

    /* A packet sent amid the handshake takes it out of its caller's hands: a
     * server may have opened channels by then. */
    if (s->shaken || !s->paired)
        s2_parked_advance(s);
    keep_alive(s);
    if (met_forgery(s))
        s2_session_saw(s, LIBSSH2_ERROR_INVALID_MAC);
    if (!s->dead && !s2_hostkey_stays(s))
        end_changed(s);
    if (s->wire.received != received)
        wake_readers(s);
}

/* libssh2 waits for an answer even then; but its own end comes, and so does the
 * answer to the opening of another channel, amid which it must not be left. */
static bool
ended_sftp(const s2_op *op)
{
    s2_sftp *sftp = sftp_of(op->self);
    bool ends = (op->flags & S2_CLOSES) && op->self->type == &s2_sftp_type;

    return sftp && !ends && op->scope != &S2_SESSION(op)->scope && sftp->raw &&
           libssh2_channel_eof(libssh2_sftp_get_channel(sftp->raw)) == 1;
}

static s2_error *
sftp_is_over(const s2_op *op)
{
    return s2_error_new(S2_C_ChannelClosedError, LIBSSH2_ERROR_CHANNEL_CLOSED,
                        op->func, about(op), "the server has ended SFTP");
}

static s2_error *
too_much(const s2_op *op)
{
    return s2_error_new(S2_C_AllocError, LIBSSH2_ERROR_ALLOC, op->func, NULL,
                        "the server has sent more than may be kept unread");
}

void
s2_op_saw(s2_op *op, int rc)
{
    s2_session *s = S2_SESSION(op);

    if (!fatal(rc))
        return;
    s->wire.drains = false;
    if (!s->dead)
        s2_session_end(s, s->goodbye ? lost(s) : error_of(op, rc));
}

/* Try a step, and see what it has done to the session whatever it answers. */
static int
try_step(s2_session *s, s2_op *op)
{
    uint64_t received = s->wire.received;
    s2_sftp *sftp = sftp_of(op->self);
    /* They are the program's, and nothing of the peer's. */
    bool hosts = op->self->type == &s2_knownhost_type;
    size_t live;
    int rc;

    op->wait_fd = -1;
    op->wait_ms = 0;
    op->more = false;
    op->why = NULL;
    if (sftp && sftp->ended && op->scope == &sftp->scope &&
        !(op->flags & S2_CLOSES))
        return s2_op_fail(op, sftp_is_over(op));
    op->idle = op->flags & S2_STATELESS;
    s2_alloc_fresh(&s->alloc);
    s->wire.vain = s->wire.reads = 0;
    s->wire.spun = false;
    s->wire.spare = S2_SPARE;
    s->wire.sending = false;
    live = s->alloc.live;
    s->alloc.login = !atomic_load(&s->seen.authenticated);
    s->alloc.most = hosts ? 0 : s->hosts + S2_KEPT_EACH;
    if (s->shaken && !hosts)
        s->alloc.most = s->hosts + S2_KEPT +
                        S2_KEPT_EACH * ((size_t)atomic_load(&s->obj.refs) +
                                        atomic_load(&s->files));
    rc = op->step(op);
    s->wire.reads = -1;
    if (hosts)
        s->hosts += s->alloc.live - live;
    if (rc != LIBSSH2_ERROR_INVALID_MAC && met_forgery(s))
        s2_op_saw(op, LIBSSH2_ERROR_INVALID_MAC);
    if (s->wire.received != received)
        wake_readers(s);
    if (!s->dead && !s2_hostkey_stays(s)) {
        end_changed(s);
        return s2_op_fail(op, dead_error(op));
    }
    if (fatal(rc) || s->alloc.failed || s2_alloc_lost(&s->alloc))
        s->wire.drains = false;
    if (rc < 0 && s2_alloc_lost(&s->alloc)) {
        if (!s->dead)
            s2_session_end(s, error_of(op, LIBSSH2_ERROR_DECRYPT));
        return s2_op_fail(op, dead_error(op));
    } else if (rc < 0 && s->wire.spun && !s->wire.end_code) {
        return s2_op_fail(op,
                          s2_error_new(S2_C_ChannelClosedError,
                                       LIBSSH2_ERROR_CHANNEL_CLOSED, op->func,
                                       about(op), "ended amid an answer"));
    } else if (rc == LIBSSH2_ERROR_EAGAIN && ended_sftp(op)) {
        sftp->ended = true;
        return s2_op_fail(op, sftp_is_over(op));
    } else if (s->alloc.failed && !s->dead) {
        s2_session_end(s, s->alloc.full ? too_much(op) : &s2_no_memory);
        if (s->alloc.full)
            return s2_op_fail(op, dead_error(op));
        if (rc == LIBSSH2_ERROR_EAGAIN)
            return LIBSSH2_ERROR_ALLOC;
    } else if (rc < 0 && !s->dead &&
               (fatal(rc) || ((op->flags & S2_SHAKES) && !s->shaken &&
                              rc != LIBSSH2_ERROR_EAGAIN && s->wire.fd >= 0))) {
        s2_session_end(s, s->goodbye ? lost(s) : error_of(op, rc));
        return s2_op_fail(op, dead_error(op));
    } else if (op->wait_fd < 0 && !op->wait_ms &&
               (rc == LIBSSH2_ERROR_EAGAIN
                    ? s2_wire_over(&s->wire)
                    : s->wire.end_code && rc >= 0 && (op->flags & S2_BULK))) {
        /* Nothing will come any more, or went into the void. */
        if (!s->dead)
            s2_session_end(s, lost(s));
        return s2_op_fail(op, dead_error(op));
    }
    return rc;
}

/* Keep a result for whoever calls again, if somebody may; the newest of all, but
 * of each object's write, by which it is known where the next one goes. */
static void
owe(s2_session *s, s2_op *left)
{
    int count = 0;

    left->next = s->owed;
    s->owed = left;
    if (!left->owed)
        settle_owed(&s->owed);
    for (s2_op **at = &s->owed; *at; at = &(*at)->next)
        if (!(*at)->under_way && !(*at)->told && ++count > MAX_OWED) {
            settle_owed(at);
            break;
        }
}

/* May another call begin whose state is kept while it would block?  None that
 * is under way may make room for it: each would end the next for ever.  But
 * nobody comes back for what was not asked for in so long. */
static bool
may_owe(s2_session *s)
{
    int64_t old = s2_now() - FORGOTTEN;
    int count = 0;

    for (s2_op **at = &s->owed; *at;)
        if ((*at)->under_way && (*at)->since < old && count >= MAX_OWED - 1) {
            settle_owed(at);
        } else {
            count += (*at)->under_way;
            at = &(*at)->next;
        }
    return count < MAX_OWED;
}

int
s2_record_advance(s2_session *s, s2_scope *scope)
{
    s2_op *left = scope->parked;
    int rc;

    if (!left)
        return 0;
    rc = s->dead ? LIBSSH2_ERROR_SOCKET_DISCONNECT : try_step(s, left);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return rc;
    scope->parked = NULL;
    left->rc = rc;
    left->error = rc < 0 ? error_of(left, rc) : NULL;
    owe(s, left);
    return 0;
}

void
s2_op_owe(s2_op *op)
{
    s2_session *s = S2_SESSION(op);
    s2_op *copy = record_new(op);

    s2_turn_lock(&s->turn);
    if (copy) {
        copy->owed = copy->under_way = true;
        copy->since = s2_now();
        copy->rc = 0;
        op->state = NULL; /* the record's now */
        owe(s, copy);
    } else {
        s2_session_end(s, &s2_no_memory);
    }
    s2_turn_unlock(&s->turn);
}

static s2_op **
owed_to(const call *c)
{
    s2_op **at = &c->s->owed;

    while (*at && !same_call(*at, c->op))
        at = &(*at)->next;
    return at;
}

/* The first bytes of a write that was left are told of; the rest stays. */
static void
take_part(s2_op *op, s2_op *left)
{
    char *bytes = (char *)(uintptr_t)left->b[0].p;
    size_t done = left->done;

    op->done = left->done = op->b[0].len;
    left->park(left);
    memmove(bytes, left->b[0].p, left->b[0].len);
    left->b[0].p = bytes;
    left->done = done - op->done;
}

/* The result of a call that would block, finished since for another's sake.
 * Of a write it is the beginning: the rest is still to be done. */
static bool
claim_owed(call *c)
{
    s2_op *op = c->op, **at = owed_to(c), *left = *at;

    if (!left)
        return false;
    if (is_part(left, op) && op->b[0].len <= left->done) {
        take_part(op, left);
        return true;
    }
    *at = left->next;
    take_over(op, left);
    c->err = left->error;
    left->error = NULL;
    record_free(left);
    return c->err || !op->park || op->done >= op->b[0].len;
}

static bool
is_owed(call *c)
{
    if (!c->s->owed || c->begun || c->op->goes_on || !claim_owed(c))
        return false;
    c->finished = true;
    leave_scope(c, NULL);
    return true;
}

/* Take over or finish what another caller left in the scope. */
static int
finish_parked(call *c)
{
    s2_scope *scope = c->op->scope;
    s2_op *left = scope->parked;

    if (!left || c->op->goes_on || !same_call(left, c->op) ||
        is_part(left, c->op))
        return s2_record_advance(c->s, scope);
    take_over(c->op, left);
    c->begun = true;
    scope->parked = NULL;
    record_free(left);
    return 0;
}

static int
drain(call *c)
{
    s2_session *s = c->s;

    if (!(c->op->flags & S2_BULK) || c->err ||
        (s->dead && (!c->drains || (c->op->flags & S2_AFTER_END))))
        return DONE;
    s2_wire_flush(&s->wire);
    if (s->wire.end_code)
        s2_session_end(s, lost(s));
    else if (!s->held)
        house_keeping(s);
    if (s->dead) {
        c->err = with_done(dead_error(c->op), c->op);
        return DONE;
    }
    if (!s2_wire_queued(&s->wire) || !c->blocking)
        return DONE;
    c->drains = true;
    return wait_for(c, NULL, LIBSSH2_SESSION_BLOCK_OUTBOUND);
}

static int
take_turn(call *c)
{
    s2_op *op = c->op;
    s2_session *s = c->s;
    bool watched = c->waiter && s->watcher == c->waiter;
    s2_error *err;
    int rc;

    stop_waiting(c);
    if (watched) /* what woke it may have been for another */
        wake_readers(s);
    if (c->finished)
        return drain(c);
    if ((err = unusable(c)))
        return leave(c, err);
    /* Whatever is under way: it is not for lack of time that it fails. */
    if ((op->flags & S2_SHAKES) && s->shaken && !c->begun && !*owed_to(c))
        return leave(c, s2_handshake_made(op));
    /* In a callback of its waiting, or a signal's handler. */
    if (op->scope && op->scope->live && op->scope->live != c->id &&
        op->scope->caller == c->caller)
        return leave(c, s2_error_new(S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE,
                                     op->func, about(op),
                                     "the call that this one is made in is not "
                                     "over"));
    if ((op->flags & S2_CLOSES) && c->blocking)
        s2_op_close(op); /* whoever is in its way leaves */
    if (s->held)         /* until the callback is over */
        return wait_for(c, &s->scope, 0);
    if (!(op->flags & S2_QUICK) && !s->dead) {
        if (s->shaken)
            s2_wire_check(&s->wire);
        s2_wire_flush(&s->wire);
        if (s->shaken && s->wire.end_code && !(op->flags & S2_AFTER_END)) {
            s2_session_end(s, lost(s));
            return leave(c, dead_error(op));
        }
        house_keeping(s);
    }
    if (op->scope) {
        if (op->scope->live && op->scope->live != c->id)
            return wait_for(c, op->scope, 0);
        op->scope->live = c->id;
        op->scope->caller = c->caller;
        if (is_owed(c))
            return drain(c);
        if ((op->flags & S2_OWES) && !c->blocking && !op->goes_on &&
            !may_owe(s))
            return leave(c, &s2_again);
        if (op->scope->parked) {
            if (finish_parked(c) == LIBSSH2_ERROR_EAGAIN) {
                op->why = EARLIER;
                return wait_for_step(c, op->scope->parked);
            }
            op->why = NULL;
            if ((err = unusable(c))) /* by what was finished */
                return leave(c, err);
            if (is_owed(c))
                return drain(c);
        }
    }
    if ((op->flags & S2_BULK) && s2_wire_queued(&s->wire) > S2_WIRE_ROOM)
        return wait_for(c, NULL, LIBSSH2_SESSION_BLOCK_OUTBOUND);
    s->caller = c->caller;
    c->begun = true;
    rc = try_step(s, op);
    if (rc == LIBSSH2_ERROR_EAGAIN && op->failed) {
        op->raised = true; /* nor is this gone on with */
        return leave(c, error_of(op, S2_FAILED));
    }
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return op->raised ? leave(c, &s2_raised) : wait_for_step(c, op);
    if (op->raised)
        c->err = &s2_raised;
    else if (rc < 0)
        c->err = error_of(op, rc);
    c->finished = true;
    leave_scope(c, NULL);
    return drain(c);
}

/* What libcrypto could not do on the way stays in a queue of the thread's own,
 * where the program's next TLS call would take it for an error of its own. */
static int
turn(call *c)
{
    int state;

    if (c->op->flags & S2_QUICK)
        return take_turn(c);
    ERR_set_mark();
    state = take_turn(c);
    ERR_pop_to_mark();
    return state;
}

static void
end_turn(call *c)
{
    s2_session *s = c->s;

    if (s->generation != s2_generation)
        return; /* a child's, which wakes nobody */
    keep_watch(s);
    /* Whoever polls our descriptor is in the list until its next turn. */
    if (atomic_load(&s->obj.closed) && !s->waiters)
        s2_wire_close(&s->wire);
    atomic_store(&s->seen.fd, s->wire.fd);
    atomic_store(
        &s->seen.directions,
        libssh2_session_block_directions(s->raw) |
            (s2_wire_queued(&s->wire) ? LIBSSH2_SESSION_BLOCK_OUTBOUND : 0));
    atomic_store(&s->seen.authenticated,
                 libssh2_userauth_authenticated(s->raw));
    s2_turn_unlock(&s->turn);
}

static int
time_left(const call *c)
{
    int64_t left = c->until - s2_now();

    if (!c->until)
        return -1;
    return left < 0 ? 0 : left > 86400000 ? 86400000 : (int)left;
}

/* A signal just before poll() would else be seen only at the end. */
static int
slice(const call *c)
{
    int left = time_left(c);

    return c->polls && (left < 0 || left > POLL_SLICE) ? POLL_SLICE : left;
}

static int
await(call *c, int ms)
{
    if (c->near) {
        if (s2_look(c->fd, c->waiter->fd[0], c->directions, NEAR_US))
            return S2_READY;
        atomic_store(&c->s->far, FAR_WAITS);
    }
    return s2_poll(c->fd, c->waiter->fd[0], c->directions, ms);
}

/* Turns and waits until done, or until the language has to take part. */
static void
drive(void *arg)
{
    call *c = arg;
    int64_t back = s2_now() + BUSY_SLICE;

    for (;;) {
        int rc;

        s2_turn_lock(&c->s->turn);
        c->state = turn(c);
        end_turn(c);
        if (c->state != WAIT || !c->polls)
            return;
        rc = await(c, slice(c));
        if (rc == S2_RAISED || rc == S2_TIMED_OUT || s2_now() >= back)
            return;
    }
}

static void
await_turn(void *arg)
{
    s2_turn_lock(arg);
    s2_turn_unlock(arg);
}

/* Keeping the interpreter's lock, which is never held while waiting here. */
static void
drive_locked(call *c)
{
    while (!s2_turn_try(&c->s->turn))
        host.run(host.ctx, await_turn, &c->s->turn);
    c->state = turn(c);
    end_turn(c);
}

/* The language raised.  What holds the turn needs no interpreter's lock. */
static void
abandon(call *c)
{
    s2_turn_lock(&c->s->turn);
    stop_waiting(c);
    s2_error_free(c->err);
    leave(c, &s2_raised);
    end_turn(c);
}

/* Tell the language what came, outside any turn: 0 or S2_RAISED. */
static int
tell(call *c)
{
    s2_session *s = c->s;
    s2_event *e;
    int rc = 0;

    if (!s2_events_begin(s))
        return 0;
    while (!rc && (e = s2_events_next(s))) {
        s2_channel *ch = e->raw ? s2_channel_new(s, e->raw, false) : NULL;

        if (e->raw)
            e->args[0] = (s2_value){.kind = S2_CHANNEL, .channel = ch};
        if (e->raw && !ch)
            s2_error_free(s2_session_leak(s));
        else
            rc = host.notify(host.ctx, s, e->kind, e->args, e->count);
        s2_release(ch);
        s2_event_free(e);
    }
    if (rc)
        s2_events_end(s);
    return rc;
}

/* The language raised once the call was over: nobody takes its result. */
static void
lose(call *c)
{
    s2_op *op = c->op;

    if (!c->err && op->settle) {
        s2_turn_lock(&c->s->turn);
        op->settle(op, 0);
        s2_turn_unlock(&c->s->turn);
    }
    s2_error_free(c->err);
    c->err = &s2_raised;
}

/* A call that was interrupted, or whose time was over, may have had to do with a
 * server that answers no more.  What closes for that reason waits a little. */
static long
close_wait(const call *c, long timeout)
{
    bool hurt = atomic_load(&c->s->hurt) == c->caller;

    return hurt && (timeout <= 0 || timeout > HURT_WAIT) ? HURT_WAIT : timeout;
}

static void
note_end(const call *c)
{
    uintptr_t caller = c->caller;

    if (c->err == &s2_raised ||
        (c->err && c->err->code == LIBSSH2_ERROR_TIMEOUT))
        atomic_store(&c->s->hurt, caller);
    else if (!c->err && !(c->op->flags & (S2_QUICK | S2_CLOSES)))
        atomic_compare_exchange_strong(&c->s->hurt, &caller, 0);
}

static s2_error *
forked(const s2_op *op)
{
    return s2_error_new(S2_C_ForkedError, LIBSSH2_ERROR_BAD_USE, op->func, NULL,
                        "the session belongs to the parent process");
}

s2_error *
s2_op_call(s2_op *op)
{
    static atomic_ullong ids;
    s2_session *s = S2_SESSION(op);
    call c = {.op = op, .s = s, .fd = -1};
    long timeout = op->timeout ? op->timeout : atomic_load(&s->timeout);

    if (s->generation != s2_generation)
        return forked(op);
    c.id = atomic_fetch_add(&ids, 1) + 1;
    c.blocking = atomic_load(&s->blocking);
    c.caller = host.caller(host.ctx);
    if (op->flags & S2_CLOSES)
        timeout = close_wait(&c, timeout);
    /* Other scopes wait for data, or for an end, that nobody owes. */
    if (!op->timeout &&
        (op->scope == &s->scope || sftp_of(op->self) || (op->flags & S2_ASKS)))
        c.patience = atomic_load(&s->read_timeout);
    if (!(op->flags & S2_MOVES))
        c.over = timeout > 0 ? s2_now() + timeout : 0;
    else if (timeout > 0 && (!c.patience || timeout < c.patience))
        c.patience = timeout;
    set_deadline(&c);
    op->deadline = c.deadline;
    c.polls = host.polls(host.ctx);
    c.ending = host.ending(host.ctx);
    s2_retain(op->self);
    while (c.state != DONE) {
        int rc = 0;

        c.state = NOT_RUN;
        if (op->flags & S2_LOCKED)
            drive_locked(&c);
        else if ((op->flags & S2_QUICK) && !c.waiter && s2_turn_try(&s->turn)) {
            c.state = turn(&c);
            end_turn(&c);
        } else
            host.run(host.ctx, drive, &c);
        if (c.state == DONE)
            break;
        if (c.state == WAIT && (!c.polls || (op->flags & S2_LOCKED)))
            rc = host.wait(host.ctx, c.fd, c.waiter->fd[0], c.directions,
                           slice(&c));
        else
            rc = host.check(host.ctx);
        /* So that no signal is met first by what is called for that. */
        if (c.state == TELL && rc != S2_RAISED &&
            s->generation == s2_generation)
            rc = tell(&c);
        if (s->generation != s2_generation) {
            c.err = rc == S2_RAISED ? &s2_raised : forked(op);
            break; /* turns and waiters are the parent's */
        }
        if (rc == S2_RAISED) {
            abandon(&c);
            break;
        }
    }
    if (c.waiter && s->generation == s2_generation)
        s2_waiter_put(c.waiter);
    if (c.err != &s2_raised && !c.inside && s->generation == s2_generation &&
        s2_events_due(s) && tell(&c) == S2_RAISED)
        lose(&c);
    note_end(&c);
    s2_release(op->self);
    for (int i = 0; c.err && i < 4; i++)
        s2_buf_free(&op->out[i]);
    return c.err;
}

s2_error *
s2_op_give(s2_op *op, s2_buf *to)
{
    s2_error *err = s2_op_call(op);

    if (!err)
        *to = op->out[0];
    return err;
}

void
s2_op_call_out(s2_op *op, void (*fn)(void *), void *arg)
{
    s2_session *s = S2_SESSION(op);

    s->held = true;
    s->holder = s->caller;
    s2_turn_unlock(&s->turn);
    ERR_pop_to_mark();
    fn(arg);
    ERR_set_mark();
    if (s->generation != s2_generation) {
        s->wire.ending = true; /* nothing of it goes out, or comes in */
        return;
    }
    s2_turn_lock(&s->turn);
    s->held = false;
    s2_session_wake_all(s);
}

typedef struct question {
    s2_op *op;
    const s2_value *args;
    size_t count;
    s2_value *answer;
} question;

static void
put_question(void *arg)
{
    question *q = arg;
    s2_op *op = q->op;

    op->raised = !op->call(op->call_ctx, q->args, q->count, q->answer);
}

bool
s2_op_ask(s2_op *op, const s2_value *args, size_t count, s2_value *answer)
{
    if (op->call && !op->raised)
        s2_op_call_out(op, put_question, &(question){op, args, count, answer});
    return op->call && !op->raised;
}
