/*
 * SFTP: the file system behind a session.
 *
 * libssh2 keeps one state a kind of request for the whole SFTP session, so all
 * calls on it and on its handles share one scope.
 */
#include "lane.h"

#include <stdlib.h>
#include <string.h>

static int
sftp_finish(s2_obj *obj)
{
    s2_sftp *sftp = (s2_sftp *)obj;
    int rc = s2_lanes_finish(sftp);

    /* What was left of a file's is finished before the file is given back. */
    if (sftp->raw && sftp->children)
        return LIBSSH2_ERROR_EAGAIN;
    s2_record_drop(&sftp->scope);
    return rc == LIBSSH2_ERROR_EAGAIN || !sftp->raw
               ? rc
               : libssh2_sftp_shutdown(sftp->raw);
}

const s2_type s2_sftp_type = {"SFTP session", sftp_finish, NULL, 1};

void *
s2_sftp_make(s2_op *op)
{
    s2_sftp *sftp = s2_obj_new(&s2_sftp_type, sizeof *sftp, S2_SESSION(op));

    if (sftp)
        sftp->raw = op->state;
    return sftp;
}

static int
close_step(s2_op *op)
{
    s2_sftp *sftp = (s2_sftp *)op->self;
    int rc;

    s2_op_close(op);
    s2_owed_drop(S2_SESSION(op), op->self);
    s2_lanes_drop(op);
    if (!sftp->raw || S2_SESSION(op)->dead)
        return 0;
    /* Its handles go first: as they are dropped, by later calls. */
    if (sftp->children)
        return 0;
    rc = libssh2_sftp_shutdown(sftp->raw);
    if (rc != LIBSSH2_ERROR_EAGAIN)
        sftp->raw = NULL;
    return rc;
}

s2_error *
s2_sftp_close(s2_sftp *sftp)
{
    s2_op op = S2_OP(sftp, close_step, "libssh2_sftp_shutdown", &sftp->scope,
                     S2_AFTER_END | S2_AFTER_CLOSE | S2_CLOSES);

    return s2_op_call(&op);
}

static int
get_channel_step(s2_op *op)
{
    return s2_op_made(op, libssh2_sftp_get_channel(S2_SFTP_RAW(op)));
}

static void *
make_borrowed(s2_op *op)
{
    return s2_channel_new(op->self, op->state, true);
}

s2_error *
s2_sftp_get_channel(s2_sftp *sftp, s2_channel **out)
{
    s2_op op = S2_OP(sftp, get_channel_step, "libssh2_sftp_get_channel", NULL,
                     S2_QUICK);

    return s2_op_make(&op, make_borrowed, out);
}

/* --- calls on one path --------------------------------------------------- */

#define PATH(op) (op)->b[0].p, (unsigned)(op)->b[0].len

static s2_error *
call_on_path(s2_op *op, const char *path)
{
    s2_op_text(op, 0, path);
    op->path = path;
    return s2_op_call(op);
}

/* --- attributes ---------------------------------------------------------- */

void
s2_attrs_from(s2_attrs *to, const LIBSSH2_SFTP_ATTRIBUTES *from)
{
    *to = (s2_attrs){from->flags,       from->filesize, from->uid,  from->gid,
                     from->permissions, from->atime,    from->mtime};
}

void
s2_attrs_to(LIBSSH2_SFTP_ATTRIBUTES *to, const s2_attrs *from)
{
    *to = (LIBSSH2_SFTP_ATTRIBUTES){.flags = from->flags,
                                    .filesize = from->filesize,
                                    .uid = from->uid,
                                    .gid = from->gid,
                                    .permissions = from->permissions,
                                    .atime = from->atime,
                                    .mtime = from->mtime};
}

s2_error *
s2_check_attrs(const s2_op *op, const s2_attrs *a)
{
    bool ids = a->flags & LIBSSH2_SFTP_ATTR_UIDGID,
         mode = a->flags & LIBSSH2_SFTP_ATTR_PERMISSIONS,
         times = a->flags & LIBSSH2_SFTP_ATTR_ACMODTIME;
    const struct {
        const char *name;
        uint64_t n;
    } sent[] = {{"flags", a->flags},
                {"uid", ids ? a->uid : 0},
                {"gid", ids ? a->gid : 0},
                {"permissions", mode ? a->permissions : 0},
                {"atime", times ? a->atime : 0},
                {"mtime", times ? a->mtime : 0}};

    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++)
        if (sent[i].n > UINT32_MAX)
            return s2_error_new(S2_C_InvalidRequestError, LIBSSH2_ERROR_INVAL,
                                op->func, op->path, "%s: more than 32 bits",
                                sent[i].name);
    return NULL;
}

void
s2_statvfs_from(s2_statvfs *to, const LIBSSH2_SFTP_STATVFS *from)
{
    *to = (s2_statvfs){from->f_bsize, from->f_frsize, from->f_blocks,
                       from->f_bfree, from->f_bavail, from->f_files,
                       from->f_ffree, from->f_favail, from->f_fsid,
                       from->f_flag,  from->f_namemax};
}

/* Get the attributes, or set those in b[1]. */
static int
stat_step(s2_op *op)
{
    LIBSSH2_SFTP_ATTRIBUTES attrs = {0};
    int rc;

    if (op->b[1].p)
        s2_attrs_to(&attrs, op->b[1].p);
    rc = libssh2_sftp_stat_ex(S2_SFTP_RAW(op), PATH(op), (int)op->n[0], &attrs);
    if (!rc && op->dst)
        s2_attrs_from(op->dst, &attrs);
    return rc;
}

static s2_error *
stat_call(s2_sftp *sftp, const char *path, int type, s2_attrs *attrs,
          const s2_attrs *wanted)
{
    s2_op op = S2_OP(sftp, stat_step, "libssh2_sftp_stat_ex", &sftp->scope, 0);
    s2_error *err;

    op.n[0] = type;
    op.dst = attrs;
    op.path = path;
    if (wanted && (err = s2_check_attrs(&op, wanted)))
        return err;
    s2_op_bytes(&op, 1, wanted, wanted ? sizeof *wanted : 0);
    return call_on_path(&op, path);
}

s2_error *
s2_sftp_stat(s2_sftp *sftp, const char *path, s2_attrs *attrs)
{
    return stat_call(sftp, path, LIBSSH2_SFTP_STAT, attrs, NULL);
}

s2_error *
s2_sftp_lstat(s2_sftp *sftp, const char *path, s2_attrs *attrs)
{
    return stat_call(sftp, path, LIBSSH2_SFTP_LSTAT, attrs, NULL);
}

s2_error *
s2_sftp_setstat(s2_sftp *sftp, const char *path, const s2_attrs *attrs)
{
    return stat_call(sftp, path, LIBSSH2_SFTP_SETSTAT, NULL, attrs);
}

/* --- links --------------------------------------------------------------- */

enum { PATH_CAP = 65536 };

/* A fix of CVE-2025-15661 takes the number of a request for the status that
 * answers it, of these three requests only: success for failure, any reason
 * for any other.  Two refusals that are sure show whether it is in, where that
 * is not known from the build. */
enum { UNKNOWN, STATUSES_TRUE, STATUSES_LOST };
static atomic_int statuses = SSH2_LIBSSH2_SOURCE ? STATUSES_TRUE : UNKNOWN;

enum { PROBE, PROBE_AGAIN, ASK, VERIFY, VERIFY_SWAPPED, REASON };

static int
ask_link(s2_op *op, const char *path, size_t len, int type)
{
    return libssh2_sftp_symlink_ex(S2_SFTP_RAW(op), path, (unsigned)len,
                                   op->state, PATH_CAP - 1, type);
}

static unsigned long
status_of(s2_op *op, int rc)
{
    return rc ? libssh2_sftp_last_error(S2_SFTP_RAW(op)) : 0;
}

/* A folder is no link: both times the same refusal. */
static int
probe(s2_op *op)
{
    int rc = ask_link(op, "/", 1, LIBSSH2_SFTP_READLINK);

    if (rc < 0 && rc != LIBSSH2_ERROR_SFTP_PROTOCOL)
        return rc; /* it was not refused, nor asked */
    if (op->r[1] == PROBE) {
        op->r[2] = (int64_t)status_of(op, rc);
        op->r[1] = PROBE_AGAIN;
    } else {
        atomic_store(&statuses, (int64_t)status_of(op, rc) == op->r[2] + 1
                                    ? STATUSES_LOST
                                    : STATUSES_TRUE);
        op->r[1] = ASK;
    }
    return 0;
}

/* Is one of the two names a link to the other, as a symlink would be? */
static int
verify(s2_op *op, int from, int to)
{
    int rc =
        ask_link(op, op->b[from].p, op->b[from].len, LIBSSH2_SFTP_READLINK);

    if (rc > 0 && (size_t)rc == op->b[to].len &&
        !memcmp(op->state, op->b[to].p, (size_t)rc)) {
        op->r[0] = 0;
        return 1;
    }
    return rc == LIBSSH2_ERROR_EAGAIN ? rc : 0;
}

static int
link_step(s2_op *op)
{
    LIBSSH2_SFTP_ATTRIBUTES attrs;
    int type = (int)op->n[0], rc;

    if (!op->state && !(op->state = malloc(PATH_CAP)))
        return s2_op_fail(op, &s2_no_memory);
    if (op->r[1] < ASK && atomic_load(&statuses))
        op->r[1] = ASK;
    while (op->r[1] < ASK)
        if ((rc = probe(op)))
            return rc;
    if (op->r[1] == ASK) {
        if (type == LIBSSH2_SFTP_SYMLINK)
            rc = libssh2_sftp_symlink_ex(
                S2_SFTP_RAW(op), op->b[0].p, (unsigned)op->b[0].len,
                (char *)(uintptr_t)op->b[1].p, (unsigned)op->b[1].len, type);
        else
            rc = ask_link(op, op->b[0].p, op->b[0].len, type);
        op->r[0] = rc;
        if (rc == LIBSSH2_ERROR_EAGAIN || rc > 0 ||
            atomic_load(&statuses) == STATUSES_TRUE ||
            (rc < 0 && rc != LIBSSH2_ERROR_SFTP_PROTOCOL))
            return rc;
        op->r[1] = type == LIBSSH2_SFTP_SYMLINK ? VERIFY : REASON;
    }
    if (op->r[1] == VERIFY) {
        if ((rc = verify(op, 1, 0)))
            return rc;
        op->r[1] = VERIFY_SWAPPED; /* servers disagree on the order */
    }
    if (op->r[1] == VERIFY_SWAPPED && (rc = verify(op, 0, 1)))
        return rc;
    if (op->r[1] == REASON) {
        rc = libssh2_sftp_stat_ex(S2_SFTP_RAW(op), PATH(op), LIBSSH2_SFTP_LSTAT,
                                  &attrs);
        if (rc)
            return rc;
    }
    return s2_op_fail(
        op, s2_error_new(S2_C_SFTPProtocolError, LIBSSH2_ERROR_SFTP_PROTOCOL,
                         op->func, op->path,
                         "refused; this libssh2 loses the reason"));
}

static void
link_settle(s2_op *op, int rc)
{
    (void)rc;
    free(op->state);
    op->state = NULL;
}

static s2_error *
link_call(s2_sftp *sftp, const char *path, const char *target, int type,
          size_t max_len, s2_buf *text)
{
    s2_op op =
        S2_OP(sftp, link_step, "libssh2_sftp_symlink_ex", &sftp->scope, 0);
    s2_error *err;

    op.n[0] = type;
    op.settle = link_settle;
    s2_op_text(&op, 1, target);
    err = call_on_path(&op, path);
    if (!err && (size_t)op.r[0] > max_len)
        err = s2_error_new(S2_C_BufferTooSmallError,
                           LIBSSH2_ERROR_BUFFER_TOO_SMALL, op.func, path,
                           "the answer is %d bytes long, %zu were allowed",
                           (int)op.r[0], max_len);
    if (!err && text && !op.r[0])
        err = s2_error_new(S2_C_SFTPProtocolError, LIBSSH2_ERROR_SFTP_PROTOCOL,
                           op.func, path, "success, without a name");
    if (!err && text && !s2_buf_set(text, op.state, (size_t)op.r[0]))
        err = &s2_no_memory;
    free(op.state);
    return err;
}

s2_error *
s2_sftp_symlink(s2_sftp *sftp, const char *path, const char *target)
{
    return link_call(sftp, path, target, LIBSSH2_SFTP_SYMLINK, PATH_CAP, NULL);
}

s2_error *
s2_sftp_readlink(s2_sftp *sftp, const char *path, s2_buf *text)
{
    return link_call(sftp, path, NULL, LIBSSH2_SFTP_READLINK, PATH_CAP, text);
}

s2_error *
s2_sftp_realpath(s2_sftp *sftp, const char *path, size_t max_len, s2_buf *text)
{
    return link_call(sftp, path, NULL, LIBSSH2_SFTP_REALPATH, max_len, text);
}
