/*
 * Drains: all that a command says, on both streams, until it has ended.
 *
 * Both share a window, so whoever reads one alone may stop both.  What was read
 * for a call that did not come to its end stays with the channel, for the next
 * one and for every other read: nothing is lost.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    STEP = 128 << 10,
    STAGE = 256 << 10, /* for the language, or a slow descriptor */
    LOOK_EVERY = 20,   /* ms */
    MOST = 1 << 20,    /* of a read: by as much the window is widened */
};

static const int stream_id[] = {0, SSH_EXTENDED_DATA_STDERR};

void
s2_kept_free(s2_kept *k)
{
    free(k->data);
    *k = (s2_kept){0};
}

size_t
s2_kept_take(s2_kept *k, void *dst, size_t cap)
{
    size_t len = k->len - k->used < cap ? k->len - k->used : cap;

    if (len)
        memcpy(dst, k->data + k->used, len);
    k->used += len;
    if (k->used == k->len)
        s2_kept_free(k);
    return len;
}

/* What nobody took goes before what was read since. */
void
s2_kept_give_back(s2_session *s, s2_kept *kept, s2_kept *taken)
{
    size_t more = kept->len - kept->used;
    char *data = taken->data;

    if (data && more) {
        if (!(data = realloc(data, taken->len + more))) {
            s2_session_end(s, &s2_no_memory);
            return;
        }
        memcpy(data + taken->len, kept->data + kept->used, more);
        taken->data = data;
        taken->cap = taken->len += more;
    }
    if (data) {
        s2_kept_free(kept);
        *kept = *taken;
        *taken = (s2_kept){0};
        s2_session_wake_all(s); /* a reader waits for more, which is here */
    }
}

/* Room for a read at the end of what is kept. */
static bool
widen(s2_kept *k)
{
    size_t cap = k->cap ? k->cap * 2 : STEP;
    char *data;

    if (k->used) {
        memmove(k->data, k->data + k->used, k->len - k->used);
        k->len -= k->used;
        k->used = 0;
    }
    if (k->cap - k->len >= STEP / 2)
        return true;
    if (!(data = realloc(k->data, cap)))
        return false;
    k->data = data;
    k->cap = cap;
    return true;
}

enum { LIMIT }; /* an op's n[] */

/* Where a stream goes, and what became of it. */
typedef struct drain {
    s2_kept *kept;    /* the channel's, in turns */
    s2_kept taken[2]; /* for the language */
    int fd[2];        /* -1: nowhere, unless `object` */
    bool regular[2], object[2], ended[2], over;
    uint64_t moved;
} drain;

static s2_channel *
channel_of(const s2_op *op)
{
    return (s2_channel *)op->self;
}

/* Read what there is of a stream: 1, 0 if there is nothing now, a failure. */
static int
fill(s2_op *op, drain *d, int i)
{
    s2_kept *k = &d->kept[i];
    ssize_t n;

    if (d->ended[i])
        return 0;
    if (!widen(k))
        return s2_op_fail(op, &s2_no_memory);
    n = libssh2_channel_read_ex(S2_CHANNEL(op), stream_id[i], k->data + k->len,
                                k->cap - k->len < MOST ? k->cap - k->len
                                                       : MOST);
    if (n == LIBSSH2_ERROR_EAGAIN)
        return 0;
    if (n < 0)
        return (int)n;
    k->len += (size_t)n;
    op->moves += n > 0;
    d->ended[i] = !n;
    return 1;
}

static int
too_much(s2_op *op)
{
    return s2_op_fail(op, s2_error_new(S2_C_BufferTooSmallError,
                                       LIBSSH2_ERROR_BUFFER_TOO_SMALL, op->func,
                                       NULL, "more than %lld bytes",
                                       (long long)op->n[LIMIT]));
}

static int
read_all_step(s2_op *op)
{
    drain d = {.kept = channel_of(op)->kept};
    int rc[2] = {1, 1};

    while (rc[0] || rc[1]) {
        for (int i = 0; i < 2; i++)
            if ((rc[i] = fill(op, &d, i)) < 0)
                return rc[i];
        if ((uint64_t)op->n[LIMIT] &&
            d.kept[0].len - d.kept[0].used + d.kept[1].len - d.kept[1].used >
                (uint64_t)op->n[LIMIT])
            return too_much(op);
    }
    if (d.ended[0] && d.ended[1])
        return 0;
    if (atomic_load(&op->self->closed))
        return s2_op_fail(op,
                          s2_error_new(S2_C_ChannelClosedError,
                                       LIBSSH2_ERROR_CHANNEL_CLOSED, op->func,
                                       NULL, "the channel is closed"));
    return LIBSSH2_ERROR_EAGAIN;
}

/* All of it goes to the caller, or none. */
static int
take_all_step(s2_op *op)
{
    s2_kept *kept = channel_of(op)->kept;

    for (int i = 0; i < 2; i++) {
        s2_kept *k = &kept[i];
        size_t len = k->len - k->used;
        char *data;

        if (k->used)
            memmove(k->data, k->data + k->used, len);
        k->used = 0;
        k->len = len;
        if (!(data = realloc(k->data, len + 1)))
            return s2_op_fail(op, &s2_no_memory);
        data[len] = '\0';
        k->data = data;
        k->cap = len + 1;
    }
    for (int i = 0; i < 2; i++) {
        op->out[i] = (s2_buf){kept[i].data, kept[i].len};
        kept[i] = (s2_kept){0};
    }
    return 0;
}

static void
take_all_settle(s2_op *op, int rc)
{
    (void)rc;
    for (int i = 0; i < 2; i++) {
        s2_kept taken = {.data = op->out[i].data,
                         .len = op->out[i].len,
                         .cap = op->out[i].len};

        op->out[i] = (s2_buf){0};
        s2_kept_give_back(S2_SESSION(op), &channel_of(op)->kept[i], &taken);
        s2_kept_free(&taken);
    }
}

enum { FLAGS = S2_AFTER_END | S2_AFTER_CLOSE | S2_STATELESS };

static s2_error *
no_scp(const s2_channel *ch, const char *func)
{
    return ch->scp ? s2_error_new(S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE, func,
                                  NULL, "the channel carries a file, by SCP")
                   : NULL;
}

s2_error *
s2_channel_read_all(s2_channel *ch, size_t limit, s2_buf *output,
                    s2_buf *errors)
{
    s2_op op = S2_OP(ch, read_all_step, "read_all", NULL, FLAGS | S2_MOVES);
    s2_op end = S2_OP(ch, take_all_step, "read_all", NULL, FLAGS | S2_QUICK);
    s2_error *err = no_scp(ch, op.func);

    op.n[LIMIT] = (int64_t)limit;
    end.settle = take_all_settle;
    if (err || (err = s2_op_call(&op)) || (err = s2_op_call(&end)))
        return err;
    *output = end.out[0];
    *errors = end.out[1];
    return NULL;
}

/* --- to elsewhere -------------------------------------------------------- */

/* Hand on what is kept of a stream: 1, 0 if nothing could be, a failure. */
static int
hand_on(s2_op *op, drain *d, int i)
{
    s2_kept *k = &d->kept[i];
    size_t len = k->len - k->used, n = len;
    int why = 0;

    if (!len || d->object[i])
        return 0;
    if (d->fd[i] >= 0)
        n = s2_fd_write(op, d->fd[i], d->regular[i], k->data + k->used, len,
                        &why);
    k->used += n;
    d->moved += n;
    op->moves += n;
    if (k->used == k->len)
        k->used = k->len = 0;
    return why ? s2_op_fail(op, s2_errno_error(op->func, NULL, why)) : n > 0;
}

/* What has come for the language is its own from now on: is there any? */
static bool
take_for_language(drain *d)
{
    bool any = false;

    for (int i = 0; i < 2; i++)
        if (d->object[i] && d->kept[i].len > d->kept[i].used) {
            d->taken[i] = d->kept[i];
            d->kept[i] = (s2_kept){0};
            any = true;
        }
    return any;
}

static int
pump_step(s2_op *op)
{
    drain *d = op->state;
    int rc[4] = {1};

    while (rc[0] || rc[1] || rc[2] || rc[3]) {
        op->wait_fd = -1;
        for (int i = 0; i < 2; i++) {
            bool room = d->kept[i].len - d->kept[i].used < STAGE;

            if ((rc[i] = room ? fill(op, d, i) : 0) < 0)
                return rc[i];
            if ((rc[2 + i] = hand_on(op, d, i)) < 0)
                return rc[2 + i];
        }
    }
    if (take_for_language(d))
        return 0;
    d->over = d->ended[0] && d->ended[1] && !d->kept[0].len && !d->kept[1].len;
    if (!d->over && op->wait_fd < 0 && atomic_load(&op->self->closed))
        return s2_op_fail(op,
                          s2_error_new(S2_C_ChannelClosedError,
                                       LIBSSH2_ERROR_CHANNEL_CLOSED, op->func,
                                       NULL, "the channel is closed"));
    if (op->wait_fd >= 0)
        op->wait_ms = LOOK_EVERY; /* the other stream goes on meanwhile */
    return d->over ? 0 : LIBSSH2_ERROR_EAGAIN;
}

static void
pump_settle(s2_op *op, int rc)
{
    drain *d = op->state;

    (void)rc;
    for (int i = 0; i < 2; i++)
        s2_kept_give_back(S2_SESSION(op), &d->kept[i], &d->taken[i]);
}

/* Outside any turn: it may read the channel itself.  A call tells what it took:
 * what raises leaves the rest only. */
static s2_error *
tell(s2_op *op, const s2_call_fn *call, void *const *ctx)
{
    s2_session *s = S2_SESSION(op);
    drain *d = op->state;

    for (int i = 0; i < 2; i++) {
        s2_kept *k = &d->taken[i];

        while (k->data) {
            size_t len = k->len - k->used;
            s2_value bytes = s2_value_lent(S2_BYTES, k->data + k->used, len);
            s2_value took = {.kind = S2_NUMBER, .number = (int64_t)len};

            if (!call[i](ctx[i], &bytes, 1, &took)) {
                if (s->generation == s2_generation) {
                    s2_turn_lock(&s->turn);
                    pump_settle(op, 0);
                    s2_turn_unlock(&s->turn);
                }
                return &s2_raised;
            }
            k->used += (size_t)took.number;
            d->moved += (size_t)took.number;
            if (k->used == k->len)
                s2_kept_free(k);
        }
    }
    return NULL;
}

s2_error *
s2_channel_pump(s2_channel *ch, int fd, int stderr_fd, s2_call_fn object,
                void *object_ctx, s2_call_fn stderr_object,
                void *stderr_object_ctx, uint64_t *result)
{
    s2_op op = S2_OP(ch, pump_step, "pump", NULL, FLAGS | S2_MOVES);
    const s2_call_fn call[] = {object, stderr_object};
    void *const ctx[] = {object_ctx, stderr_object_ctx};
    drain d = {.kept = ch->kept,
               .fd = {fd, stderr_fd},
               .object = {object != NULL, stderr_object != NULL}};
    s2_error *err = no_scp(ch, op.func);
    struct stat st;

    for (int i = 0; i < 2; i++)
        d.regular[i] =
            d.fd[i] >= 0 && fstat(d.fd[i], &st) == 0 && S_ISREG(st.st_mode);
    op.state = &d;
    op.settle = pump_settle;
    while (!err && !d.over)
        if (!(err = s2_op_call(&op)))
            err = tell(&op, call, ctx);
    for (int i = 0; i < 2; i++)
        s2_kept_free(&d.taken[i]); /* of a session that ended */
    if (!err)
        *result = d.moved;
    return err;
}
