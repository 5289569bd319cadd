/*
 * SFTPHandle: an open file or directory.
 *
 * libssh2 asks for four times what it is to read, so a file that is read in
 * small pieces is read in large ones, and the next pieces taken of what is
 * kept. So is what was read for a caller who had left by then: an abandoned
 * read loses nothing.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    PACKET = 30000,         /* bytes that libssh2 moves in a packet, */
    PACKET_HEAD = 25 + 256, /* and what else is in it, or all that asks; */
    REQUEST = 4352,         /* another request, with a path */
    LITTLE = 8192,          /* of a window: it is used up */
    SLICE = 4 << 20,        /* as much as one call keeps in flight */
    ONCE_MORE = 4096,       /* is this the end? */
    ONE_REQUEST = 1024,     /* is read by one, whatever came before */
    NAME_CAP = 65536,  /* a longer name would lose the rest of its packet */
    AHEAD = 256 << 10, /* the most that is read for a smaller piece */
};

struct s2_dirent {
    struct s2_dirent *next;
    size_t name_len, long_len;
    LIBSSH2_SFTP_ATTRIBUTES attrs;
    char name[NAME_CAP], longname[NAME_CAP];
};

static int
file_finish(s2_obj *obj)
{
    s2_file *f = (s2_file *)obj;
    s2_sftp *sftp = (s2_sftp *)obj->parent;
    int rc;

    if (!f->raw)
        return 0;
    /* Nothing is asked of one that has ended: libssh2 may be amid a request. */
    rc = sftp->ended ? 0 : libssh2_sftp_close_handle(f->raw);
    if (rc != LIBSSH2_ERROR_EAGAIN) {
        f->raw = NULL;
        sftp->children--;
        atomic_fetch_sub(&obj->session->files, 1);
    }
    return rc;
}

static int
give_back_step(s2_op *op)
{
    return file_finish(op->self);
}

int
s2_file_give_back(s2_file *f)
{
    s2_scope *scope = &((s2_sftp *)f->obj.parent)->scope;
    int rc;

    if (f->raw && (scope->live || scope->parked))
        return LIBSSH2_ERROR_EAGAIN;
    rc = file_finish(&f->obj);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        s2_record_leave(scope, &f->obj, give_back_step);
    return rc;
}

static struct s2_dirent *
take_entry(s2_file *f)
{
    struct s2_dirent *first = f->entries;

    f->entries = first->next;
    return first;
}

static void
file_destroy(s2_obj *obj)
{
    s2_file *f = (s2_file *)obj;

    s2_buf_free(&f->path);
    s2_buf_free(&f->kept);
    while (f->entries)
        free(take_entry(f));
}

const s2_type s2_file_type = {"file", file_finish, file_destroy, 0};

/* --- opening and closing ------------------------------------------------- */

static int
open_step(s2_op *op)
{
    return s2_op_made(op, libssh2_sftp_open_ex(S2_SFTP_RAW(op), op->b[0].p,
                                               (unsigned)op->b[0].len,
                                               (unsigned long)op->n[0],
                                               (long)op->n[1], (int)op->n[2]));
}

void *
s2_file_make(s2_op *op)
{
    s2_file *f = s2_obj_new(&s2_file_type, sizeof *f, op->self);

    if (f && !s2_buf_set(&f->path, op->b[0].p, op->b[0].len)) {
        s2_release(f);
        f = NULL;
    }
    if (f) {
        f->raw = op->state;
        atomic_fetch_add(&S2_SESSION(op)->files, 1);
        f->dir = op->r[3];
    }
    return f;
}

static s2_error *
open_call(s2_sftp *sftp, const char *path, unsigned flags, int mode, int type,
          s2_file **out)
{
    s2_op op = S2_OP(sftp, open_step, "libssh2_sftp_open_ex", &sftp->scope, 0);

    s2_op_text(&op, 0, path);
    op.n[0] = flags;
    op.n[1] = mode;
    op.n[2] = type;
    op.path = path;
    op.r[3] = type == LIBSSH2_SFTP_OPENDIR;
    return s2_op_make(&op, s2_file_make, out);
}

s2_error *
s2_sftp_open(s2_sftp *sftp, const char *filename, unsigned flags, int mode,
             s2_file **out)
{
    return open_call(sftp, filename, flags, mode, LIBSSH2_SFTP_OPENFILE, out);
}

s2_error *
s2_sftp_opendir(s2_sftp *sftp, const char *path, s2_file **out)
{
    return open_call(sftp, path, 0, 0, LIBSSH2_SFTP_OPENDIR, out);
}

/* An op on a file: the scope is its SFTP's. */
static s2_op
file_op(s2_file *f, int (*step)(s2_op *), const char *func, unsigned flags)
{
    s2_sftp *sftp = (s2_sftp *)f->obj.parent;
    s2_op op = S2_OP(f, step, func, &sftp->scope, flags);

    return op;
}

static void
forget_kept(s2_file *f)
{
    s2_buf_free(&f->kept);
    f->kept_used = f->kept_cap = 0;
}

static int
close_step(s2_op *op)
{
    int rc = S2_SESSION(op)->dead ? 0 : file_finish(op->self);

    if (rc == LIBSSH2_ERROR_EAGAIN)
        return rc;
    s2_alloc_trim(&S2_SESSION(op)->alloc);
    s2_op_close(op);
    forget_kept((s2_file *)op->self);
    atomic_store(&((s2_file *)op->self)->gone, true);
    return rc;
}

s2_error *
s2_file_close(s2_file *f)
{
    s2_op op = file_op(f, close_step, "libssh2_sftp_close_handle",
                       S2_AFTER_END | S2_AFTER_CLOSE | S2_CLOSES);

    return s2_op_call(&op);
}

bool
s2_file_closed(s2_file *f)
{
    return atomic_load(&f->gone);
}

/* What the server takes at once. */
static size_t
window(const s2_op *op)
{
    s2_sftp *sftp = (s2_sftp *)op->self->parent;

    return libssh2_channel_window_write_ex(libssh2_sftp_get_channel(sftp->raw),
                                           NULL);
}

/* --- reading ------------------------------------------------------------- */

/* libssh2 takes either for the other, and its memory for what it is not. */
static int
expect(s2_op *op, bool dir)
{
    if (((s2_file *)op->self)->dir == dir)
        return 0;
    return s2_op_fail(op,
                      s2_error_new(S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE,
                                   op->func, ((s2_file *)op->self)->path.data,
                                   dir ? "not a directory's handle"
                                       : "a directory's handle"));
}

static uint64_t
position(const s2_file *f)
{
    return libssh2_sftp_tell64(f->raw) - (f->kept.len - f->kept_used);
}

/* Make libssh2 forget what it has asked for beyond it.  Told to go to where it
 * thinks it is, it does nothing. */
static void
turn_to(s2_file *f, uint64_t offset)
{
    f->ahead = false;
    libssh2_sftp_seek64(f->raw, offset + 1);
    libssh2_sftp_seek64(f->raw, offset);
}

static void
move_to(s2_file *f, uint64_t offset)
{
    forget_kept(f);
    f->step = 0;
    f->turns++;
    turn_to(f, offset);
}

/* What a program was told is not written it goes on before, whatever it does. */
static void
go_back(s2_file *f)
{
    uint64_t done = s2_owed_forget(&f->obj);

    if (done)
        move_to(f, position(f) - done);
}

static bool
was_short(s2_op *op, ssize_t rc)
{
    char *text = NULL;

    if (rc != LIBSSH2_ERROR_SFTP_PROTOCOL)
        return false;
    libssh2_session_last_error(S2_RAW(op), &text, NULL, 0);
    return text && strstr(text, "Unexpected Offset");
}

/* The most that is to be read, if all that libssh2 asks for at once, four times
 * that, is to fit: with something to give it leaves the rest of a request, which
 * another call's would be taken for. */
static size_t
read_room(const s2_op *op)
{
    size_t fits = window(op) / PACKET_HEAD;

    return fits > 2 ? (fits - 2) * PACKET / 4 : 1;
}

/*
 * Read, from a server that may give less than it was asked for, as one does of
 * files that have no size (/proc).  What libssh2 has asked for ahead is then
 * of no use: it fails at data that is not next, though it has taken what was,
 * and takes an end that was told of a later place for that of the file.
 */
static ssize_t
read_on(s2_op *op, void *dst, size_t most)
{
    s2_file *f = (s2_file *)op->self;

    if (most > read_room(op))
        most = read_room(op);
    for (;;) {
        size_t cap = f->limit && f->limit < most ? f->limit : most, got;
        uint64_t at = libssh2_sftp_tell64(f->raw);
        ssize_t n = libssh2_sftp_read(f->raw, dst, cap);
        bool fell_short = was_short(op, n);

        f->ahead = true;
        got = (size_t)(libssh2_sftp_tell64(f->raw) - at);
        if (got) {
            f->got = got;
            f->asked = false;
        }
        if (n == LIBSSH2_ERROR_SFTP_PROTOCOL) {
            /* Four times what is read is asked for at once. */
            if (fell_short) {
                f->limit = f->got / 4 < cap ? f->got / 4 + 1 : cap / 2 + 1;
                if (f->limit < ONE_REQUEST)
                    f->limit = ONE_REQUEST;
            }
            turn_to(f, at + got);
            if (got || !fell_short)
                return got ? (ssize_t)got : n; /* an error comes again */
        } else if (n == 0 && at && !f->asked) {
            turn_to(f, at);
            f->asked = true;
            most = most < ONCE_MORE ? most : ONCE_MORE;
        } else {
            return n;
        }
    }
}

/* What a read's r[] tells: how much it gave, whether out of what was kept, and
 * what the file's turns were then. */
enum { COUNT, KEPT, TURN };

static int
hand_over(s2_op *op, size_t n, bool kept)
{
    op->r[COUNT] = (int64_t)n;
    op->r[KEPT] = kept;
    op->r[TURN] = ++((s2_file *)op->self)->turns;
    return 0;
}

/* Hand over what is kept; nothing to a caller who has left. */
static int
take_kept(s2_op *op)
{
    s2_file *f = (s2_file *)op->self;
    size_t n = f->kept.len - f->kept_used;

    if (n > op->cap)
        n = op->cap;
    if (!op->dst)
        n = 0;
    if (n)
        memcpy(op->dst, f->kept.data + f->kept_used, n);
    f->kept_used += n;
    return hand_over(op, n, true);
}

static ssize_t
fill_kept(s2_op *op, size_t most)
{
    s2_file *f = (s2_file *)op->self;
    ssize_t n;

    if (most > f->kept_cap) {
        forget_kept(f);
        if (!(f->kept.data = malloc(most)))
            return s2_op_fail(op, &s2_no_memory);
        f->kept_cap = most;
    }
    f->kept_used = f->kept.len = 0;
    n = read_on(op, f->kept.data, most);
    if (n > 0)
        f->kept.len = (size_t)n;
    return n;
}

/* Each piece is read in twice as much as the last one was, up to AHEAD. */
static int
read_step(s2_op *op)
{
    s2_file *f = (s2_file *)op->self;
    size_t most = f->step < op->cap ? op->cap : f->step;
    bool keep = !op->dst || op->cap < most;
    ssize_t n;
    int rc = expect(op, false);

    if (rc)
        return rc;
    if (f->kept_used < f->kept.len)
        return take_kept(op);
    if (keep && most > AHEAD)
        most = AHEAD;
    f->turns++;
    go_back(f);
    n = keep ? fill_kept(op, most) : read_on(op, op->dst, op->cap);
    if (n < 0)
        return (int)n;
    f->step = most < AHEAD / 2 ? 2 * most : AHEAD;
    if (!n)
        forget_kept(f);
    if (keep)
        return take_kept(op);
    return hand_over(op, (size_t)n, false);
}

static void
read_settle(s2_op *op, int rc)
{
    s2_file *f = (s2_file *)op->self;

    if (rc < 0 || op->r[TURN] != f->turns) /* another was there since */
        return;
    if (op->r[KEPT]) {
        f->kept_used -= (size_t)op->r[COUNT];
    } else if (op->r[COUNT]) {
        forget_kept(f);
        if (!s2_buf_set(&f->kept, op->dst, (size_t)op->r[COUNT]))
            s2_session_end(S2_SESSION(op), &s2_no_memory);
    }
}

s2_error *
s2_file_read(s2_file *f, void *dst, size_t cap, size_t *len)
{
    s2_op op = file_op(f, read_step, "libssh2_sftp_read", S2_SAME_SELF);
    s2_error *err;

    op.dst = dst;
    op.cap = cap;
    op.settle = read_settle;
    if (!cap) {
        *len = 0;
        return NULL;
    }
    if (!(err = s2_op_call(&op)))
        *len = (size_t)op.r[COUNT];
    return err;
}

/* --- writing ------------------------------------------------------------- */

/* What a write's r[] tells: how far libssh2 was given, whether by one packet at
 * a time, if the window had room for that one, and whether it would block. */
enum { GIVEN, ALONE, FITS, BLOCKS };

/* How much more libssh2 may be given, beside what is not acknowledged yet.
 * When the server refuses a write, libssh2 throws away what it has still to
 * send, half a packet as well, and the server takes what comes next for the
 * rest of it.  Nor does it send the rest of another request.  So packets are
 * begun only if they can be sent whole, and a request behind them; or one
 * alone, when no refusal can come before its end. */
static size_t
write_room(s2_op *op, size_t given)
{
    s2_sftp *sftp = (s2_sftp *)op->self->parent;
    size_t room = window(op);
    size_t bytes = room < LITTLE ? 0 : room - REQUEST;
    size_t whole = bytes / (PACKET + PACKET_HEAD);

    if (!given) {
        op->r[FITS] = bytes > 0;
        op->r[ALONE] = !whole || sftp->packets != S2_WHOLE;
    }
    if (op->r[ALONE])
        return given ? 0 : bytes && !whole ? bytes - PACKET_HEAD : PACKET;
    /* Once it would block it takes no more until an answer has come; nor has
     * all that it was given been sent, amid an exchange of keys. */
    return op->r[BLOCKS] ? 0 : whole * PACKET;
}

/* Whether the server's packets are large enough for a write is told by the
 * first that its window has room for: else it is sent in parts. */
static void
learn_packets(s2_op *op, size_t offered, ssize_t n)
{
    s2_sftp *sftp = (s2_sftp *)op->self->parent;

    if (!op->r[FITS])
        return;
    if (!n) {
        sftp->packets = S2_PARTS;
        op->r[ALONE] = true;
    } else if (offered == PACKET && sftp->packets == S2_UNKNOWN) {
        sftp->packets = S2_WHOLE;
    }
}

/* libssh2 queues what it is given and answers as the server acknowledges: the
 * same bytes are handed over again until then. */
static int
write_step(s2_op *op)
{
    s2_file *f = (s2_file *)op->self;
    int rc = expect(op, false);

    if (rc)
        return rc;
    /* Where the reader is, not where libssh2 has read ahead: it would take
     * what it asked for there for acknowledgements.  Nor is it left amid it. */
    if (op->r[GIVEN] <= (int64_t)op->done) {
        f->turns++;
        go_back(f);
        if (f->ahead || f->kept_used < f->kept.len)
            move_to(f, position(f));
    }
    while (op->done < op->b[0].len) {
        size_t left = op->b[0].len - op->done;
        size_t given = op->r[GIVEN] > (int64_t)op->done
                           ? (size_t)op->r[GIVEN] - op->done
                           : 0;
        size_t most = given + write_room(op, given);
        ssize_t n;

        if (most > SLICE)
            most = SLICE;
        if (left > most)
            left = most;
        if (op->r[GIVEN] < (int64_t)(op->done + left))
            op->r[GIVEN] = (int64_t)(op->done + left);
        n = libssh2_sftp_write(f->raw, (const char *)op->b[0].p + op->done,
                               left);
        op->r[BLOCKS] = n == LIBSSH2_ERROR_EAGAIN;
        if (n < 0)
            return (int)n;
        learn_packets(op, left, n);
        if (!n) {
            op->more = window(op) > 0;
            return LIBSSH2_ERROR_EAGAIN;
        }
        op->done += (size_t)n;
    }
    return 0;
}

static void
write_park(s2_op *op)
{
    op->b[0].p = (const char *)op->b[0].p + op->done;
    op->cap = op->b[0].len - op->done;
    op->b[0].len = (size_t)op->r[GIVEN] - op->done;
    op->r[GIVEN] = (int64_t)op->b[0].len;
}

s2_error *
s2_file_write(s2_file *f, const void *buf, size_t buf_len, size_t *written)
{
    s2_op op = file_op(f, write_step, "libssh2_sftp_write", S2_BULK);
    s2_error *err;

    op.cap = buf_len;
    op.park = write_park;
    s2_op_bytes(&op, 0, buf, buf_len);
    if (!buf_len) {
        *written = 0;
        return NULL;
    }
    err = s2_op_call(&op);
    *written = op.done;
    return err;
}

/* --- directories --------------------------------------------------------- */

static int
readdir_step(s2_op *op)
{
    s2_file *f = (s2_file *)op->self;
    struct s2_dirent *e = op->state;
    int rc = expect(op, true);

    if (rc)
        return rc;
    /* It came to a call that was lost, but not amid another's request. */
    if (f->entries && !op->left && !e) {
        op->state = take_entry(f);
        return 0;
    }
    if (!e && !(e = op->state = malloc(sizeof *e)))
        return s2_op_fail(op, &s2_no_memory);
    memset(&e->attrs, 0, sizeof e->attrs);
    e->longname[0] = '\0';
    e->name[0] = '/'; /* which the end leaves, and no name does */
    rc = libssh2_sftp_readdir_ex(f->raw, e->name, sizeof e->name, e->longname,
                                 sizeof e->longname, &e->attrs);
    if (rc < 0)
        return rc;
    if (!rc && !e->name[0])
        return s2_op_fail(op, s2_error_new(S2_C_SFTPProtocolError,
                                           LIBSSH2_ERROR_SFTP_PROTOCOL,
                                           op->func, f->path.data,
                                           "the server lists an empty name"));
    e->name_len = (size_t)rc;
    e->long_len = strnlen(e->longname, sizeof e->longname);
    return 0;
}

static void
readdir_settle(s2_op *op, int rc)
{
    struct s2_dirent *e = op->state, **end = &((s2_file *)op->self)->entries;

    op->state = NULL;
    if (rc < 0) {
        free(e);
        return;
    }
    while (*end)
        end = &(*end)->next;
    e->next = NULL;
    *end = e;
}

s2_error *
s2_file_readdir(s2_file *f, s2_buf *name, s2_buf *longname, s2_attrs *attrs)
{
    s2_op op =
        file_op(f, readdir_step, "libssh2_sftp_readdir_ex", S2_SAME_SELF);
    s2_error *err;
    struct s2_dirent *e;

    op.settle = readdir_settle;
    err = s2_op_call(&op);
    e = op.state;
    if (!err && e->name_len) {
        if (!s2_buf_set(name, e->name, e->name_len) ||
            !s2_buf_set(longname, e->longname, e->long_len))
            err = &s2_no_memory;
        s2_attrs_from(attrs, &e->attrs);
    }
    free(e);
    return err;
}

/* --- position and attributes --------------------------------------------- */

static int
seek_step(s2_op *op)
{
    int rc = expect(op, false);

    if (rc)
        return rc;
    s2_owed_drop(S2_SESSION(op), op->self); /* of another place */
    move_to((s2_file *)op->self, (uint64_t)op->n[0]);
    return 0;
}

s2_error *
s2_file_seek64(s2_file *f, uint64_t offset)
{
    s2_op op = file_op(f, seek_step, "libssh2_sftp_seek64", 0);

    op.n[0] = (int64_t)offset;
    return s2_op_call(&op);
}

/* What a program was not told of is still to be written, as it sees that. */
static int
tell_step(s2_op *op)
{
    int rc = expect(op, false);

    if (!rc)
        op->r[0] =
            (int64_t)(position((s2_file *)op->self) - s2_owed_done(op->self));
    return rc;
}

s2_error *
s2_file_tell64(s2_file *f, uint64_t *result)
{
    s2_op op = file_op(f, tell_step, "libssh2_sftp_tell64", S2_QUICK);
    s2_error *err;

    op.scope = NULL; /* a position can be told at any time */
    if (!(err = s2_op_call(&op)))
        *result = (uint64_t)op.r[0];
    return err;
}

/* Get the attributes, or set those in b[0]. */
static int
fstat_step(s2_op *op)
{
    LIBSSH2_SFTP_ATTRIBUTES attrs = {0};
    int rc;

    if (op->b[0].p)
        s2_attrs_to(&attrs, op->b[0].p);
    rc = libssh2_sftp_fstat_ex(S2_FILE(op), &attrs, op->b[0].p != NULL);
    if (!rc && op->dst)
        s2_attrs_from(op->dst, &attrs);
    return rc;
}

s2_error *
s2_file_fstat(s2_file *f, s2_attrs *attrs)
{
    s2_op op = file_op(f, fstat_step, "libssh2_sftp_fstat_ex", 0);

    op.dst = attrs;
    return s2_op_call(&op);
}

s2_error *
s2_file_fsetstat(s2_file *f, const s2_attrs *attrs)
{
    s2_op op = file_op(f, fstat_step, "libssh2_sftp_fstat_ex", 0);
    s2_error *err = s2_check_attrs(&op, attrs);

    if (err)
        return err;
    s2_op_bytes(&op, 0, attrs, sizeof *attrs);
    return s2_op_call(&op);
}
