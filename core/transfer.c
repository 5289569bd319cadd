/*
 * SFTP's transfers of one file: the jobs that have one move.
 */
#include "lane.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { PUT, OPTIONS, FD, OBJECT, WHICH }; /* an op's n[] */

/* What is open on this side, and how far it has come: -1 for a pipe. */
typedef struct end {
    dev_t dev;
    ino_t ino;
    off_t place;
} end;

typedef struct transfer {
    s2_job job;
    s2_move *move;
    end end;
} transfer;

static bool
look(int fd, end *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return false;
    *e = (end){st.st_dev, st.st_ino, lseek(fd, 0, SEEK_CUR)};
    return true;
}

/* Another file may have the descriptor's number by now, or the same one be
 * written from its beginning. */
static bool
same_end(const s2_op *left, const s2_op *op)
{
    const transfer *t = left->state;
    end e;

    return op->n[FD] < 0 ||
           (t && look((int)op->n[FD], &e) && e.dev == t->end.dev &&
            e.ino == t->end.ino && e.place >= t->end.place);
}

static int
transfer_work(s2_op *op, s2_job *j)
{
    s2_move *m = ((transfer *)j)->move;
    int worked = s2_move_work(op, m);

    if (!m->own_fd && m->fd >= 0)
        look(m->fd, &((transfer *)j)->end);
    if (s2_move_over(m) && !j->failed)
        j->want = S2_DONE;
    return worked;
}

static void
transfer_undo(s2_job *j)
{
    s2_move_undo(((transfer *)j)->move);
}

static void
transfer_free(s2_job *j)
{
    s2_move_free(((transfer *)j)->move);
    s2_error_free(j->failed);
    free(j->buf);
    free(j);
}

static s2_job *
transfer_new(s2_op *op)
{
    transfer *t = calloc(1, sizeof *t);
    bool put = op->n[PUT];
    s2_move *m;

    if (!t)
        return NULL;
    t->job = (s2_job){.work = transfer_work,
                      .undo = transfer_undo,
                      .free = transfer_free,
                      .options = (int)op->n[OPTIONS],
                      .reads = !put};
    t->move = m = s2_move_new(&t->job, op->b[0].p, op->b[1].p);
    if (m) {
        m->put = put;
        m->object = op->n[OBJECT];
        m->fd = (int)op->n[FD];
        look(m->fd, &t->end);
        if (m->object && !put && !(t->job.buf = malloc(S2_BUF)))
            m = NULL;
    }
    if (m)
        return &t->job;
    transfer_free(&t->job);
    return NULL;
}

static int
begin_step(s2_op *op)
{
    return s2_job_begin(op, transfer_new);
}

static bool
take_bytes(s2_job *j, void *result)
{
    *(uint64_t *)result = j->done;
    return true;
}

static s2_error *
misused(const s2_op *op, const char *text)
{
    return s2_error_new(S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE, op->func,
                        op->path, "%s", text);
}

static s2_error *
call(s2_op *op, const char *remote, const char *local, int fd, int options,
     const s2_calls *calls, uint64_t object_id, uint64_t *result)
{
    bool put = op->n[PUT];

    s2_op_text(op, 0, remote);
    s2_op_text(op, 1, local);
    op->path = remote;
    op->n[OPTIONS] = options;
    op->n[FD] = fd;
    op->n[OBJECT] = calls->object != NULL;
    op->n[WHICH] = (int64_t)object_id;
    op->same = same_end;
    if (!!local + (fd >= 0) + !!calls->object != 1)
        return misused(op, "a path, a descriptor or an object, one of them");
    if ((options & (S2_RESUME | S2_PRESERVE)) &&
        (calls->object || (!put && !local)))
        return misused(op, put ? "only a path or a descriptor can be resumed, "
                                 "or has times and a mode"
                               : "only a path can be resumed, or is given "
                                 "times and a mode");
    if ((options & S2_RESUME) && (options & S2_DIRECT))
        return misused(op, "without a temporary name nothing can be resumed");
    if (local && !*local)
        return s2_errno_error(op->func, local, ENOENT);
    return s2_job_run(op, calls, take_bytes, result);
}

static int
options_of(bool resume, bool temporary, bool preserve)
{
    return (resume ? S2_RESUME : 0) | (temporary ? 0 : S2_DIRECT) |
           (preserve ? S2_PRESERVE : 0);
}

s2_error *
s2_sftp_get(s2_sftp *sftp, const char *remote, const char *local, int fd,
            s2_call_fn object, void *object_ctx, uint64_t object_id,
            s2_call_fn progress, void *progress_ctx, bool resume,
            bool temporary, bool preserve, uint64_t *result)
{
    s2_op op = S2_OP(sftp, begin_step, "get", &sftp->obj.session->scope, 0);

    return call(&op, remote, local, fd, options_of(resume, temporary, preserve),
                &(s2_calls){progress, object, progress_ctx, object_ctx},
                object_id, result);
}

s2_error *
s2_sftp_put(s2_sftp *sftp, const char *local, const char *remote, int fd,
            s2_call_fn object, void *object_ctx, uint64_t object_id,
            s2_call_fn progress, void *progress_ctx, bool resume,
            bool temporary, bool preserve, uint64_t *result)
{
    s2_op op = S2_OP(sftp, begin_step, "put", &sftp->obj.session->scope, 0);

    op.n[PUT] = true;
    return call(&op, remote, local, fd, options_of(resume, temporary, preserve),
                &(s2_calls){progress, object, progress_ctx, object_ctx},
                object_id, result);
}
