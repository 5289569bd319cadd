/* Derived from the headers of libssh2 9.8.7_DEV. */
#include "s2_derived.h"

#include "internal.h"

static int
session_ping(s2_op *op)
{
    return libssh2_session_ping(S2_RAW(op), (int)op->n[0]);
}

s2_error *
s2_session_ping(s2_session *self, int count)
{
    s2_op op = S2_OP(self, session_ping, "libssh2_session_ping", &self->scope,
                     S2_BULK);

    op.n[0] = (int64_t)count;
    return s2_op_call(&op);
}

static int
channel_close_input(s2_op *op)
{
    return libssh2_channel_close_input(S2_CHANNEL(op));
}

s2_error *
s2_channel_close_input(s2_channel *self)
{
    s2_op op = S2_OP(self, channel_close_input, "libssh2_channel_close_input",
                     &self->writing, S2_BULK);

    return s2_op_call(&op);
}

static int
session_mood(s2_op *op)
{
    op->r[0] = (int64_t)libssh2_session_mood(S2_RAW(op));
    return 0;
}

s2_error *
s2_session_mood(s2_session *self, int *result)
{
    s2_op op = S2_OP(self, session_mood, "libssh2_session_mood", NULL,
                     S2_QUICK | S2_AFTER_END | S2_EARLY);
    s2_error *err;

    err = s2_op_call(&op);
    if (!err)
        *result = (int)op.r[0];
    return err;
}

static int
channel_paint(s2_op *op)
{
    int rc = libssh2_channel_paint_ex(S2_CHANNEL(op), op->b[0].p, op->b[0].len,
                                      op->b[1].p, op->b[1].len, (char)op->n[0],
                                      (unsigned char)op->n[1], (long)op->n[2]);

    op->r[0] = rc;
    return rc < 0 ? (int)rc : 0;
}

s2_error *
s2_channel_paint(s2_channel *self, const char *name,
                 const void *pixels, size_t pixels_len, signed char fill,
                 unsigned char depth, long when_, int *result)
{
    s2_op op = S2_OP(self, channel_paint, "libssh2_channel_paint_ex",
                     &self->writing, S2_BULK);
    s2_error *err;

    s2_op_text(&op, 0, name);
    s2_op_bytes(&op, 1, pixels, pixels_len);
    op.n[0] = (int64_t)fill;
    op.n[1] = (int64_t)depth;
    op.n[2] = (int64_t)when_;
    op.path = name;
    err = s2_op_call(&op);
    if (!err)
        *result = (int)op.r[0];
    return err;
}

static int
channel_room_ex(s2_op *op)
{
    unsigned long total = 0;
    size_t used = 0;
    int least = 0;

    op->r[0] = (int64_t)libssh2_channel_room_ex(S2_CHANNEL(op), &total, &used,
                                                &least);
    op->r[1] = (int64_t)total;
    op->r[2] = (int64_t)used;
    op->r[3] = (int64_t)least;
    return 0;
}

s2_error *
s2_channel_room_ex(s2_channel *self, unsigned long *result,
                   unsigned long *total, uint64_t *used, int *least)
{
    s2_op op = S2_OP(self, channel_room_ex, "libssh2_channel_room_ex", NULL,
                     S2_QUICK | S2_AFTER_END);
    s2_error *err;

    err = s2_op_call(&op);
    if (!err) {
        *result = (unsigned long)op.r[0];
        *total = (unsigned long)op.r[1];
        *used = (uint64_t)op.r[2];
        *least = (int)op.r[3];
    }
    return err;
}

static int
channel_flush_some(s2_op *op)
{
    ssize_t rc = libssh2_channel_flush_some(S2_CHANNEL(op),
                                            (libssh2_uint64_t)op->n[0]);

    op->r[0] = rc;
    return rc < 0 ? (int)rc : 0;
}

s2_error *
s2_channel_flush_some(s2_channel *self, unsigned long long most,
                      int64_t *result)
{
    s2_op op = S2_OP(self, channel_flush_some, "libssh2_channel_flush_some",
                     &self->reading, 0);
    s2_error *err;

    op.n[0] = (int64_t)most;
    err = s2_op_call(&op);
    if (!err)
        *result = (int64_t)op.r[0];
    return err;
}

static int
session_set_colour(s2_op *op)
{
    libssh2_session_set_colour(S2_RAW(op), (libssh2_colour_t)op->n[0]);
    return 0;
}

s2_error *
s2_session_set_colour(s2_session *self, int colour)
{
    s2_op op = S2_OP(self, session_set_colour, "libssh2_session_set_colour",
                     NULL, S2_QUICK | S2_AFTER_END | S2_EARLY);

    op.n[0] = (int64_t)colour;
    return s2_op_call(&op);
}

static int
session_get_bytes(s2_op *op)
{
    op->r[0] = (int64_t)libssh2_session_get_bytes(S2_RAW(op));
    return 0;
}

s2_error *
s2_session_get_bytes(s2_session *self, uint64_t *result)
{
    s2_op op = S2_OP(self, session_get_bytes, "libssh2_session_get_bytes", NULL,
                     S2_QUICK | S2_AFTER_END | S2_EARLY);
    s2_error *err;

    err = s2_op_call(&op);
    if (!err)
        *result = (uint64_t)op.r[0];
    return err;
}

static int
sftp_link(s2_op *op)
{
    int rc = libssh2_sftp_link_ex(S2_SFTP_RAW(op), op->b[0].p, op->b[0].len,
                                  op->b[1].p, op->b[1].len);

    op->r[0] = rc;
    return rc < 0 ? (int)rc : 0;
}

s2_error *
s2_sftp_link(s2_sftp *self, const char *from_, const char *to, int *result)
{
    s2_op op = S2_OP(self, sftp_link, "libssh2_sftp_link_ex", &self->scope, 0);
    s2_error *err;

    s2_op_text(&op, 0, from_);
    s2_op_text(&op, 1, to);
    op.path = from_;
    err = s2_op_call(&op);
    if (!err)
        *result = (int)op.r[0];
    return err;
}

static int
file_sync_range(s2_op *op)
{
    int rc = libssh2_sftp_sync_range(S2_FILE(op), (libssh2_uint64_t)op->n[0],
                                     (size_t)op->n[1]);

    op->r[0] = rc;
    return rc < 0 ? (int)rc : 0;
}

s2_error *
s2_file_sync_range(s2_file *self, unsigned long long start, size_t length,
                   int *result)
{
    s2_op op = S2_OP(self, file_sync_range, "libssh2_sftp_sync_range",
                     &((s2_sftp *)self->obj.parent)->scope, 0);
    s2_error *err;

    op.n[0] = (int64_t)start;
    op.n[1] = (int64_t)length;
    op.path = self->path.data;
    err = s2_op_call(&op);
    if (!err)
        *result = (int)op.r[0];
    return err;
}
