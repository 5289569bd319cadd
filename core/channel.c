/*
 * Channel: one conversation inside a session.
 *
 * Reading leaves nothing behind in libssh2 and excludes nothing: one thread can
 * read each stream while another writes.  A request that has an answer is in
 * the session's scope: libssh2 fails one that meets another channel's answer.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static int
channel_finish(s2_obj *obj)
{
    s2_channel *ch = (s2_channel *)obj;

    s2_record_drop(&ch->reading);
    s2_record_drop(&ch->writing);
    /* It reads until the server closes it too: what comes may be forged. */
    if (!obj->session->dead) {
        int rc = libssh2_channel_close(ch->raw);

        if (rc == LIBSSH2_ERROR_EAGAIN)
            return rc;
        s2_session_saw(obj->session, rc);
    }
    return libssh2_channel_free(ch->raw);
}

static void
channel_destroy(s2_obj *obj)
{
    s2_channel *ch = (s2_channel *)obj;

    s2_scp_free(ch->scp);
    s2_kept_free(&ch->kept[0]);
    s2_kept_free(&ch->kept[1]);
}

const s2_type s2_channel_type = {"channel", channel_finish, channel_destroy, 4};

/* The channel that an SFTP runs over stays the SFTP's: libssh2 keeps requests
 * of that in the channel's state, and frees it with the channel. */
static int
borrowed_finish(s2_obj *obj)
{
    ((s2_sftp *)obj->parent)->children--;
    return 0;
}

static const s2_type borrowed_type = {"channel", borrowed_finish, NULL, 0};

static void
unwanted_destroy(s2_obj *obj)
{
    obj->session->events.unwanted--;
}

static const s2_type unwanted_type = {"channel", channel_finish,
                                      unwanted_destroy, 4};

s2_channel *
s2_channel_unwanted(s2_session *s, LIBSSH2_CHANNEL *raw)
{
    s2_channel *ch = s2_obj_new(&unwanted_type, sizeof *ch, s);

    if (ch) {
        ch->raw = raw;
        s->events.unwanted++;
    }
    return ch;
}

s2_channel *
s2_channel_new(void *parent, LIBSSH2_CHANNEL *raw, bool borrowed)
{
    s2_channel *ch = s2_obj_new(borrowed ? &borrowed_type : &s2_channel_type,
                                sizeof *ch, parent);

    if (ch)
        ch->raw = raw;
    return ch;
}

/* --- opening ------------------------------------------------------------- */

static int
open_session_step(s2_op *op)
{
    LIBSSH2_CHANNEL *raw =
        libssh2_channel_open_ex(S2_RAW(op), "session", sizeof "session" - 1,
                                LIBSSH2_CHANNEL_WINDOW_DEFAULT,
                                LIBSSH2_CHANNEL_PACKET_DEFAULT, NULL, 0);

    return s2_op_made(op, raw);
}

void *
s2_channel_make(s2_op *op)
{
    return s2_channel_new(S2_SESSION(op), op->state, false);
}

s2_error *
s2_session_open_session(s2_session *s, s2_channel **out)
{
    s2_op op = S2_OP(s, open_session_step, "libssh2_channel_open_ex", &s->scope,
                     S2_AUTHED);

    return s2_op_make(&op, s2_channel_make, out);
}

/* --- requests ------------------------------------------------------------ */

/* libssh2 would send into the void, or wait for an answer for ever.  It only
 * tells by a call that sets the last error. */
bool
s2_closed_by_peer(s2_op *op, LIBSSH2_CHANNEL *raw)
{
    int before = libssh2_session_last_errno(S2_RAW(op)), rc;

    S2_SESSION(op)->wire.sending = false;
    rc = libssh2_channel_wait_closed(raw);
    s2_op_saw(op, rc);
    if (!before)
        libssh2_session_set_last_error(S2_RAW(op), 0, NULL);
    return !rc;
}

static int
peer_closed(s2_op *op)
{
    return s2_op_fail(op, s2_error_new(S2_C_ChannelClosedError,
                                       LIBSSH2_ERROR_CHANNEL_CLOSED, op->func,
                                       op->path, "the server closed it"));
}

int
s2_channel_answered(s2_op *op, int rc)
{
    return rc == LIBSSH2_ERROR_EAGAIN && s2_closed_by_peer(op, S2_CHANNEL(op))
               ? peer_closed(op)
               : rc;
}

static int
x11_req_step(s2_op *op)
{
    return s2_channel_answered(
        op, libssh2_channel_x11_req_ex(S2_CHANNEL(op), (int)op->n[0],
                                       op->b[0].p, op->b[1].p, (int)op->n[1]));
}

s2_error *
s2_channel_x11_req_ex(s2_channel *ch, int single_connection,
                      const char *auth_proto, const char *auth_cookie,
                      int screen_number)
{
    s2_op op = S2_OP(ch, x11_req_step, "libssh2_channel_x11_req_ex",
                     &ch->obj.session->scope, 0);

    s2_op_text(&op, 0, auth_proto);
    s2_op_text(&op, 1, auth_cookie);
    op.n[0] = single_connection;
    op.n[1] = screen_number;
    return s2_op_call(&op);
}

s2_error *
s2_channel_x11_req(s2_channel *ch, int screen_number)
{
    return s2_channel_x11_req_ex(ch, 0, NULL, NULL, screen_number);
}

s2_error *
s2_channel_execute(s2_channel *ch, const char *command)
{
    return s2_channel_process_startup(ch, "exec", command);
}

s2_error *
s2_channel_shell(s2_channel *ch)
{
    return s2_channel_process_startup(ch, "shell", NULL);
}

s2_error *
s2_channel_subsystem(s2_channel *ch, const char *subsystem)
{
    return s2_channel_process_startup(ch, "subsystem", subsystem);
}

/* --- bytes --------------------------------------------------------------- */

/* The file whose bytes a stream carries, or NULL. */
#define SCP(op) ((op)->n[0] ? NULL : ((s2_channel *)(op)->self)->scp)

/* Nothing more can come while unread bytes fill the window. */
static bool
window_full(LIBSSH2_CHANNEL *raw)
{
    unsigned long unread = 0,
                  left = libssh2_channel_window_read_ex(raw, &unread, NULL);

    return unread && left <= unread;
}

/* What is kept of the op's stream; NULL: of that nothing is. */
static s2_kept *
kept_of(const s2_op *op)
{
    s2_kept *kept = ((s2_channel *)op->self)->kept;

    return !op->n[0]                              ? &kept[0]
           : op->n[0] == SSH_EXTENDED_DATA_STDERR ? &kept[1]
                                                  : NULL;
}

static int
read_step(s2_op *op)
{
    s2_scp *scp = SCP(op);
    s2_kept *kept = kept_of(op);
    ssize_t n;

    if (kept && kept->len) {
        op->r[0] = (int64_t)s2_kept_take(kept, op->dst, op->cap);
        return 0;
    }
    n = scp ? s2_scp_read(op, scp)
            : libssh2_channel_read_ex(S2_CHANNEL(op), (int)op->n[0], op->dst,
                                      op->cap);

    if (n == LIBSSH2_ERROR_EAGAIN && atomic_load(&op->self->closed))
        return s2_op_fail(op,
                          s2_error_new(S2_C_ChannelClosedError,
                                       LIBSSH2_ERROR_CHANNEL_CLOSED, op->func,
                                       NULL, "the channel is closed"));
    if (n == LIBSSH2_ERROR_EAGAIN && !scp && window_full(S2_CHANNEL(op)))
        op->why = ": what came for another stream is unread, and fills the "
                  "channel's window";
    op->r[0] = n;
    return n < 0 ? (int)n : 0;
}

static void
read_settle(s2_op *op, int rc)
{
    s2_kept *kept = kept_of(op);
    s2_kept taken = {.len = (size_t)op->r[0], .cap = (size_t)op->r[0]};

    if (rc < 0 || !kept || !taken.len)
        return;
    if (!(taken.data = malloc(taken.len))) {
        s2_session_end(S2_SESSION(op), &s2_no_memory);
        return;
    }
    memcpy(taken.data, op->dst, taken.len);
    s2_kept_give_back(S2_SESSION(op), kept, &taken);
    s2_kept_free(&taken);
}

s2_error *
s2_channel_read(s2_channel *ch, int stream_id, void *dst, size_t cap,
                size_t *len)
{
    s2_op op = S2_OP(ch, read_step, "libssh2_channel_read_ex", NULL,
                     S2_AFTER_END | S2_AFTER_CLOSE | S2_STATELESS);
    s2_error *err;

    op.n[0] = stream_id;
    op.dst = dst;
    op.settle = read_settle;
    /* By as much libssh2 widens the channel's window: another reader's packets
     * would have to be kept meanwhile. */
    op.cap = cap < S2_KEPT_EACH / 2 ? cap : S2_KEPT_EACH / 2;
    if (!cap) {
        *len = 0;
        return NULL;
    }
    if (!(err = s2_op_call(&op)) && op.r[1])
        err = s2_scp_end(ch);
    if (!err)
        *len = (size_t)op.r[0];
    return err;
}

static int
write_step(s2_op *op)
{
    s2_session *s = S2_SESSION(op);
    s2_scp *scp = SCP(op);
    int rc;

    if (!op->left)
        s2_owed_forget(op->self); /* this is another write, or the rest */
    if (scp && (rc = s2_scp_may_write(op, scp)))
        return rc;
    /* A packet that waited for the end of a key exchange is not gone on with:
     * nor is any other then. */
    if (s2_closed_by_peer(op, S2_CHANNEL(op)))
        return peer_closed(op);
    while (op->done < op->b[0].len) {
        ssize_t n;

        if (s2_wire_queued(&s->wire) > S2_WIRE_ROOM && !op->left) {
            op->idle = true;
            return LIBSSH2_ERROR_EAGAIN;
        }
        n = libssh2_channel_write_ex(S2_CHANNEL(op), (int)op->n[0],
                                     (const char *)op->b[0].p + op->done,
                                     op->b[0].len - op->done);
        if (n < 0 && n != LIBSSH2_ERROR_EAGAIN)
            return (int)n;
        if (n <= 0) {
            bool shut = !libssh2_channel_window_write_ex(S2_CHANNEL(op), NULL);

            if (s2_closed_by_peer(op, S2_CHANNEL(op)))
                return peer_closed(op);
            /* It may have taken from the wire what is waited for. */
            if (shut && libssh2_channel_window_write_ex(S2_CHANNEL(op), NULL))
                continue;
            /* Nothing is begun while the peer's window is closed; else a
             * packet waits for the end of a key exchange. */
            op->idle = shut;
            return LIBSSH2_ERROR_EAGAIN;
        }
        op->done += (size_t)n;
        if (scp)
            s2_scp_wrote(scp, (size_t)n);
        if (op->left)
            break;
    }
    if (scp && (rc = s2_scp_tail(op, scp)))
        return rc;
    if (s2_closed_by_peer(op, S2_CHANNEL(op))) /* it was thrown away */
        return peer_closed(op);
    return 0;
}

/* The packet that was begun is at most so long. */
static void
write_park(s2_op *op)
{
    op->b[0].p = (const char *)op->b[0].p + op->done;
    op->b[0].len -= op->done;
    op->cap = op->b[0].len;
    if (op->b[0].len > LIBSSH2_CHANNEL_PACKET_DEFAULT)
        op->b[0].len = LIBSSH2_CHANNEL_PACKET_DEFAULT;
}

s2_error *
s2_channel_write(s2_channel *ch, int stream_id, const void *buf, size_t len,
                 size_t *written)
{
    s2_op op = S2_OP(ch, write_step, "libssh2_channel_write_ex", &ch->writing,
                     S2_BULK);
    s2_error *err;

    op.n[0] = stream_id;
    op.cap = len;
    op.park = write_park;
    s2_op_bytes(&op, 0, buf, len);
    err = s2_op_call(&op);
    *written = op.done;
    return err;
}

static int
flush_step(s2_op *op)
{
    s2_kept *kept = ((s2_channel *)op->self)->kept;

    if (((s2_channel *)op->self)->scp)
        return 0; /* its bytes are the file's, and the server's last word */
    op->r[0] = libssh2_channel_flush_ex(S2_CHANNEL(op), (int)op->n[0]);
    if (op->r[0] < 0)
        return (int)op->r[0];
    for (int i = 0; i < 2; i++)
        if (op->n[0] == LIBSSH2_CHANNEL_FLUSH_ALL || (op->n[0] != 0) == i) {
            op->r[0] += (int64_t)(kept[i].len - kept[i].used);
            s2_kept_free(&kept[i]);
        }
    return 0;
}

s2_error *
s2_channel_flush(s2_channel *ch, int stream_id, int *result)
{
    s2_op op = S2_OP(ch, flush_step, "libssh2_channel_flush_ex", &ch->reading,
                     S2_AFTER_END | S2_AFTER_CLOSE);
    s2_error *err;

    op.n[0] = stream_id;
    if (!(err = s2_op_call(&op)))
        *result = (int)op.r[0];
    return err;
}

/* --- the end ------------------------------------------------------------- */

enum { EVEN_LATE = S2_AFTER_END | S2_AFTER_CLOSE };

static int
eof_step(s2_op *op)
{
    s2_scp *scp = SCP(op);
    s2_kept *kept = ((s2_channel *)op->self)->kept;

    op->r[0] = (scp && s2_scp_over(scp)) || libssh2_channel_eof(S2_CHANNEL(op));
    if (op->r[0] == 1 && (kept[0].len || kept[1].len))
        op->r[0] = 0;
    return op->r[0] < 0 ? (int)op->r[0] : 0;
}

s2_error *
s2_channel_eof(s2_channel *ch, bool *result)
{
    s2_op op =
        S2_OP(ch, eof_step, "libssh2_channel_eof", NULL, S2_QUICK | EVEN_LATE);
    s2_error *err;

    if (!(err = s2_op_call(&op)))
        *result = op.r[0] == 1;
    return err;
}

static int
send_eof_step(s2_op *op)
{
    if (SCP(op))
        s2_scp_shut(SCP(op));
    return s2_channel_answered(op, libssh2_channel_send_eof(S2_CHANNEL(op)));
}

s2_error *
s2_channel_send_eof(s2_channel *ch)
{
    s2_op op = S2_OP(ch, send_eof_step, "libssh2_channel_send_eof",
                     &ch->writing, S2_BULK);

    return s2_op_call(&op);
}

static int
wait_eof_step(s2_op *op)
{
    int rc = libssh2_channel_wait_eof(S2_CHANNEL(op));

    return rc == LIBSSH2_ERROR_EAGAIN && window_full(S2_CHANNEL(op))
               ? LIBSSH2_ERROR_CHANNEL_WINDOW_FULL
               : rc;
}

s2_error *
s2_channel_wait_eof(s2_channel *ch)
{
    s2_op op = S2_OP(ch, wait_eof_step, "libssh2_channel_wait_eof", NULL,
                     EVEN_LATE | S2_STATELESS);
    s2_error *said = NULL, *err;

    if (ch->scp && !atomic_load(&ch->obj.closed))
        said = s2_scp_end(ch);
    if (said && said->code != LIBSSH2_ERROR_SCP_PROTOCOL)
        return said;
    err = s2_op_call(&op);
    if (!said || err == &s2_again) { /* it will be said again */
        s2_error_free(said);
        return err;
    }
    s2_error_free(err);
    return said;
}

static int
close_step(s2_op *op)
{
    s2_session *s = S2_SESSION(op);
    int rc;

    s2_op_close(op); /* no reader waits for more */
    if (s->dead)
        return 0;
    rc = libssh2_channel_close(S2_CHANNEL(op));
    s2_alloc_trim(&s->alloc);
    return rc == LIBSSH2_ERROR_CHANNEL_CLOSED ? 0 : rc;
}

s2_error *
s2_channel_close(s2_channel *ch)
{
    s2_op op = S2_OP(ch, close_step, "libssh2_channel_close", &ch->writing,
                     EVEN_LATE | S2_BULK | S2_CLOSES);

    return s2_op_call(&op);
}

static int
wait_closed_step(s2_op *op)
{
    int rc;

    if (S2_SESSION(op)->dead)
        return 0;
    /* Our own close is reason enough for the peer's to come. */
    if (atomic_load(&op->self->closed) &&
        (rc = libssh2_channel_wait_eof(S2_CHANNEL(op))))
        return rc;
    return libssh2_channel_wait_closed(S2_CHANNEL(op));
}

s2_error *
s2_channel_wait_closed(s2_channel *ch)
{
    s2_op op = S2_OP(ch, wait_closed_step, "libssh2_channel_wait_closed", NULL,
                     EVEN_LATE | S2_STATELESS);

    return s2_op_call(&op);
}

static int
exit_status_step(s2_op *op)
{
    s2_session *s = S2_SESSION(op);
    char *name = NULL;

    op->r[0] = libssh2_channel_get_exit_status(S2_CHANNEL(op));
    /* libssh2 answers 0 for a command that a signal has ended. */
    if (!op->r[0] &&
        !libssh2_channel_get_exit_signal(S2_CHANNEL(op), &name, NULL, NULL,
                                         NULL, NULL, NULL) &&
        name) {
        op->r[0] = -1;
        libssh2_free(S2_RAW(op), name);
    }
    /* Nor did a command succeed whose end was not told: the connection is lost,
     * or the channel was closed here, and the server did not answer. */
    if (!op->r[0] &&
        ((s->dead && !s->ended) || atomic_load(&op->self->closed)) &&
        !s2_closed_by_peer(op, S2_CHANNEL(op)))
        op->r[0] = -1;
    return 0;
}

s2_error *
s2_channel_get_exit_status(s2_channel *ch, int *result)
{
    s2_op op = S2_OP(ch, exit_status_step, "libssh2_channel_get_exit_status",
                     NULL, S2_QUICK | EVEN_LATE);
    s2_error *err;

    if (!(err = s2_op_call(&op)))
        *result = (int)op.r[0];
    return err;
}

static int
exit_signal_step(s2_op *op)
{
    char *text[3] = {NULL, NULL, NULL};
    size_t len[3] = {0, 0, 0};
    int rc =
        libssh2_channel_get_exit_signal(S2_CHANNEL(op), &text[0], &len[0],
                                        &text[1], &len[1], &text[2], &len[2]);

    for (int i = 0; i < 3; i++) {
        if (!rc)
            rc = s2_op_keep(op, i, text[i], len[i]);
        if (text[i])
            libssh2_free(S2_RAW(op), text[i]);
    }
    return rc;
}

s2_error *
s2_channel_get_exit_signal(s2_channel *ch, s2_buf *name, s2_buf *errmsg,
                           s2_buf *language)
{
    s2_op op = S2_OP(ch, exit_signal_step, "libssh2_channel_get_exit_signal",
                     NULL, S2_QUICK | EVEN_LATE);
    s2_error *err;

    if ((err = s2_op_give(&op, name)))
        return err;
    *errmsg = op.out[1];
    *language = op.out[2];
    return NULL;
}
