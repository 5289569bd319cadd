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
    return s2_channel_answered(op, libssh2_channel_close_input(S2_CHANNEL(op)));
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
    int rc;

    rc = s2_channel_answered(op, libssh2_channel_paint_ex(S2_CHANNEL(op),
        op->b[0].p, (unsigned int)op->b[0].len, op->b[1].p,
        (size_t)op->b[1].len, (char)op->n[0], (unsigned char)op->n[1],
        (long)op->n[2]));
    op->r[0] = rc;
    return rc < 0 ? (int)rc : 0;
}

s2_error *
s2_channel_paint(s2_channel *self, const char *name,
                 const void *pixels, size_t pixels_len, signed char fill,
                 unsigned char depth, int when_, int *result)
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

s2_error *
s2_channel_room(s2_channel *self, unsigned long *result)
{
    unsigned long total;
    uint64_t used;
    int least;

    return s2_channel_room_ex(self, result, &total, &used, &least);
}

static int
channel_flush_some(s2_op *op)
{
    ssize_t rc;

    rc = libssh2_channel_flush_some(S2_CHANNEL(op), (libssh2_uint64_t)op->n[0]);
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
session_joke(s2_op *op)
{
    char *text;
    int rc = 0;

    libssh2_session_set_last_error(S2_RAW(op), 0, NULL);
    text = libssh2_session_joke(S2_RAW(op), op->b[0].p);
    if (!text)
        rc = libssh2_session_last_errno(S2_RAW(op));
    if (rc >= 0)
        rc = s2_op_keep_text(op, 0, text);
    if (text)
        libssh2_free(S2_RAW(op), (void *)text);
    return rc;
}

s2_error *
s2_session_joke(s2_session *self, const char *about, s2_buf *text)
{
    s2_op op = S2_OP(self, session_joke, "libssh2_session_joke", &self->scope,
                     S2_BULK);
    s2_error *err;

    s2_op_text(&op, 0, about);
    err = s2_op_call(&op);
    if (!err)
        *text = op.out[0];
    return err;
}

static int
session_news(s2_op *op)
{
    unsigned char *paper = NULL;
    size_t paper_len = 0;
    const char *headline = NULL;
    int count = 0;
    int rc;

    rc = libssh2_session_news(S2_RAW(op), &paper, &paper_len, &headline,
                              &count);
    op->r[0] = (int64_t)count;
    if (rc >= 0)
        rc = s2_op_keep(op, 0, paper, (size_t)paper_len);
    if (rc >= 0)
        rc = s2_op_keep_text(op, 1, headline);
    return rc;
}

s2_error *
s2_session_news(s2_session *self, s2_buf *bytes0, s2_buf *text1, int *count)
{
    s2_op op = S2_OP(self, session_news, "libssh2_session_news", NULL,
                     S2_QUICK | S2_AFTER_END | S2_EARLY);
    s2_error *err;

    err = s2_op_call(&op);
    if (!err) {
        *bytes0 = op.out[0];
        *text1 = op.out[1];
        *count = (int)op.r[0];
    }
    return err;
}

static int
session_dial(s2_op *op)
{
    int price = 0;
    LIBSSH2_CHANNEL *raw;

    raw = libssh2_channel_dial(S2_RAW(op), op->b[0].p, &price);
    op->r[0] = (int64_t)price;
    return s2_op_made(op, raw);
}

s2_error *
s2_session_dial(s2_session *self, const char *to, s2_channel **out, int *price)
{
    s2_op op = S2_OP(self, session_dial, "libssh2_channel_dial", &self->scope,
                     S2_AUTHED);
    s2_error *err;

    s2_op_text(&op, 0, to);
    err = s2_op_make(&op, s2_channel_make, out);
    if (!err)
        *price = (int)op.r[0];
    return err;
}

static int
session_dial_back(s2_op *op)
{
    LIBSSH2_CHANNEL *channel = NULL;
    int rc;

    rc = libssh2_channel_dial_back(S2_RAW(op), &channel);
    if (rc < 0)
        return (int)rc;
    return s2_op_made(op, channel);
}

s2_error *
s2_session_dial_back(s2_session *self, s2_channel **out)
{
    s2_op op = S2_OP(self, session_dial_back, "libssh2_channel_dial_back",
                     &self->scope, S2_AUTHED);

    return s2_op_make(&op, s2_channel_make, out);
}

int s2_mood(void)
{
    return (int)libssh2_mood();
}

const char *s2_mood_name(int mood)
{
    return libssh2_mood_name((int)mood);
}

static int
sftp_link(s2_op *op)
{
    int rc;

    rc = libssh2_sftp_link_ex(S2_SFTP_RAW(op), op->b[0].p, (size_t)op->b[0].len,
                              op->b[1].p, (size_t)op->b[1].len);
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
    int rc;

    rc = libssh2_sftp_sync_range(S2_FILE(op), (libssh2_uint64_t)op->n[0],
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

static int
sftp_dig_ex(s2_op *op)
{
    LIBSSH2_SFTP_ATTRIBUTES attrs;
    LIBSSH2_SFTP_HANDLE *raw;

    s2_attrs_to(&attrs, op->b[1].p);
    raw = libssh2_sftp_dig_ex(S2_SFTP_RAW(op), op->b[0].p,
                              (unsigned int)op->b[0].len, (int)op->n[0],
                              &attrs);
    return s2_op_made(op, raw);
}

s2_error *
s2_sftp_dig_ex(s2_sftp *self, const char *path, int depth,
               const s2_attrs *attrs, s2_file **out)
{
    s2_op op = S2_OP(self, sftp_dig_ex, "libssh2_sftp_dig_ex", &self->scope, 0);

    s2_op_text(&op, 0, path);
    op.n[0] = (int64_t)depth;
    s2_op_bytes(&op, 1, attrs, sizeof *attrs);
    op.path = path;
    return s2_op_make(&op, s2_file_make, out);
}

s2_error *
s2_sftp_dig(s2_sftp *self, const char *path, const s2_attrs *attrs,
            s2_file **out)
{
    return s2_sftp_dig_ex(self, path, (7 + 1), attrs, out);
}

static int
file_fill_in(s2_op *op)
{
    LIBSSH2_SFTP_ATTRIBUTES attrs = {0};
    int rc;

    rc = libssh2_sftp_fill_in(S2_FILE(op), &attrs);
    s2_attrs_from(&op->record.attrs, &attrs);
    return rc;
}

s2_error *
s2_file_fill_in(s2_file *self, s2_attrs *attrs)
{
    s2_op op = S2_OP(self, file_fill_in, "libssh2_sftp_fill_in",
                     &((s2_sftp *)self->obj.parent)->scope, 0);
    s2_error *err;

    op.path = self->path.data;
    err = s2_op_call(&op);
    if (!err)
        *attrs = op.record.attrs;
    return err;
}
