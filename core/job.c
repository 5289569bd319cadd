/*
 * Jobs: one call of the program's that asks for many things at once.
 *
 * A job's work is done in turns, without the interpreter's lock and as long as
 * it wants nothing of the language; what it wants is asked for between turns,
 * when the session is everybody's.  When the call would block the session keeps
 * the job for whoever makes it again.  A job whose caller has left is undone.
 */
#include "lane.h"

#include <stdlib.h>

enum {
    LANES = 4,          /* of an SFTP: servers allow ten channels or so */
    LOOK_EVERY = 20,    /* ms */
    TELL_EVERY = 125,   /* ms */
    LEAST = 1 << 20,    /* bytes in flight, whatever the line, */
    MOST = 16 << 20,    /* and at most */
    SPEED = 200,        /* bytes in a us, as is thought at first */
    BUDGET = 4 << 20,   /* bytes of a turn */
    LITTLE = 256 << 10, /* to be waited for once a job has failed */
    STEP = 4096,        /* of a small file's read */
};

void
s2_job_fail(s2_job *j, s2_error *err)
{
    if (j->failed)
        s2_error_free(err);
    else
        j->failed = err;
}

/* --- how much is in flight ----------------------------------------------- */

bool
s2_job_room(const s2_job *j)
{
    return j->flying < j->limit && j->want == S2_GO;
}

size_t
s2_job_piece(const s2_job *j, uint64_t left)
{
    /* A little more than there is: its end is told by what is short. */
    size_t most = left > S2_PIECE   ? j->lane->piece
                  : left < S2_PIECE ? ((size_t)left / STEP + 1) * STEP
                                    : S2_PIECE;

    return most < j->piece ? most : j->piece;
}

/* The first answer has come: so long a line may hold much. */
static void
measure(s2_job *j)
{
    uint64_t fits;

    j->since = s2_now_us();
    j->rtt = j->since - j->asked;
    fits = (uint64_t)j->rtt * SPEED;
    if (fits > j->limit)
        j->limit = fits < MOST / 2 ? (size_t)fits : MOST / 2;
}

/* Twice what the line holds, by the time that the first answer took and by how
 * fast bytes have come lately. */
static void
grow(s2_job *j)
{
    int64_t now = s2_now_us(), took = now - j->since;
    uint64_t bytes = j->done - j->since_done, fits;

    if (bytes < j->limit || took <= 0 || !j->rtt)
        return;
    fits = 2 * bytes * (uint64_t)j->rtt / (uint64_t)took;
    if (fits > j->limit)
        j->limit = fits < MOST ? (size_t)fits : MOST;
    j->since = now;
    j->since_done = j->done;
}

void
s2_job_had(s2_job *j, uint64_t bytes)
{
    j->done += bytes;
    j->since_done += bytes;
}

void
s2_job_moved(s2_job *j, size_t bytes)
{
    j->done += bytes;
    grow(j);
}

/* --- lanes --------------------------------------------------------------- */

static s2_sftp *
sftp_of(const s2_op *op)
{
    return (s2_sftp *)op->self;
}

/* Is the language about to be called for it? */
static void
in_callback(s2_op *op, s2_job *j, bool is)
{
    s2_job **at = &sftp_of(op)->told;

    while (*at && *at != j)
        at = &(*at)->outer;
    if (*at)
        *at = j->outer;
    if (is) {
        j->stuck = false;
        j->outer = sftp_of(op)->told;
        sftp_of(op)->told = j;
    }
}

/* A caller waits for a lane, or no longer, in callbacks of those. */
static void
stick(s2_op *op, uintptr_t caller, bool is)
{
    for (s2_job *j = sftp_of(op)->told; j; j = j->outer)
        if (j->caller == caller)
            j->stuck = is;
}

/* Is every lane one that is given back only once another is to be had? */
static bool
waits_for_itself(s2_op *op)
{
    unsigned stuck = 0;

    for (const s2_job *j = sftp_of(op)->told; j; j = j->outer)
        stuck += j->stuck;
    return stuck == sftp_of(op)->lanes;
}

static void
drop_lane(s2_op *op, s2_job *j)
{
    in_callback(op, j, false);
    if (!j->lane && !j->opening)
        return;
    s2_lane_drop(op, j->lane, j->lane && !j->reads && !j->opening);
    j->lane = NULL;
    j->opening = false;
    sftp_of(op)->lanes--;
    sftp_of(op)->most = 0; /* there may be room for others now */
    s2_session_wake_all(S2_SESSION(op));
}

static bool
take_idle(s2_op *op, s2_job *j)
{
    s2_sftp *sftp = sftp_of(op);

    while ((j->lane = sftp->idle)) {
        sftp->idle = j->lane->next;
        if (!libssh2_channel_eof(j->lane->talk.raw) && s2_lane_wake(j->lane))
            break;
        drop_lane(op, j); /* the server has ended it meanwhile */
    }
    return j->lane;
}

/* Keep it for the next job, if nobody will answer any more. */
static void
leave_lane(s2_op *op, s2_job *j)
{
    s2_sftp *sftp = sftp_of(op);

    if (!j->lane)
        return;
    /* What is answered before it was sent is still begun inside libssh2. */
    if (j->lane->flying || j->lane->out_start != j->lane->out_end ||
        j->lane->ended || S2_SESSION(op)->dead) {
        drop_lane(op, j);
        return;
    }
    s2_lane_rest(j->lane);
    j->lane->next = sftp->idle;
    sftp->idle = j->lane;
    j->lane = NULL;
    s2_session_wake_all(S2_SESSION(op));
}

int
s2_lanes_finish(s2_sftp *sftp)
{
    while (sftp->idle) {
        s2_lane *l = sftp->idle;
        int rc = libssh2_channel_free(l->talk.raw);

        if (rc == LIBSSH2_ERROR_EAGAIN)
            return rc;
        sftp->idle = l->next;
        sftp->lanes--;
        s2_lane_free(l);
    }
    return 0;
}

void
s2_lanes_drop(s2_op *op)
{
    s2_sftp *sftp = sftp_of(op);

    while (sftp->idle) {
        s2_lane *l = sftp->idle;

        sftp->idle = l->next;
        sftp->lanes--;
        s2_lane_drop(op, l, false);
    }
}

static bool
may_open(const s2_sftp *sftp)
{
    return sftp->lanes < (sftp->most ? sftp->most : LANES);
}

/* A lane that is to be had now; else one is waited for, out of the session's
 * scope.  So it is where the server refuses another channel. */
static int
open_lane(s2_op *op, s2_job *j)
{
    s2_sftp *sftp = sftp_of(op);
    int rc;

    if (!j->opening && (take_idle(op, j) || !may_open(sftp)))
        return 0;
    if (!j->opening)
        sftp->lanes++;
    j->opening = true;
    if ((rc = s2_lane_open(op, &j->lane)) == LIBSSH2_ERROR_EAGAIN)
        return rc;
    if (rc)
        drop_lane(op, j);
    j->opening = false;
    if (rc == LIBSSH2_ERROR_CHANNEL_FAILURE && (sftp->most = sftp->lanes))
        return 0;
    /* Dropbear closes it where another channel's end comes at that time. */
    if (rc != LIBSSH2_ERROR_CHANNEL_CLOSED || j->again)
        return rc;
    j->again = true;
    return open_lane(op, j);
}

/* --- turns --------------------------------------------------------------- */

/* Give up; what may be told to the server goes with the lane. */
static void
settle(s2_op *op, int rc)
{
    s2_job *j = op->state;

    (void)rc;
    op->state = NULL;
    if (!j)
        return;
    if (j->lane && !j->opening) {
        s2_lane_forget(j->lane);
        j->undo(j);
    }
    drop_lane(op, j);
    j->free(j);
}

int
s2_job_begin(s2_op *op, s2_job *(*make)(s2_op *))
{
    s2_job *j = op->state;

    if (!j && !(j = op->state = make(op)))
        return s2_op_fail(op, &s2_no_memory);
    if (!j->limit) {
        j->limit = LEAST;
        j->piece = S2_PIECES;
    }
    return open_lane(op, j);
}

/* It has failed: is there still something to wait for?  What has been asked
 * for and is no longer wanted is not, if it is much. */
static bool
waits(const s2_job *j)
{
    return j->lane->flying && !(j->reads && j->flying > LITTLE);
}

static int
end(s2_op *op, s2_job *j)
{
    s2_error *err = j->failed;

    if (err && j->lane && (j->lane->flying || j->lane->ended)) {
        s2_lane_forget(j->lane);
        j->undo(j);
    }
    leave_lane(op, j);
    if (!err)
        return 0;
    j->failed = NULL;
    return s2_op_fail(op, err);
}

static int
run_step(s2_op *op)
{
    s2_job *j = op->state;
    uint64_t from = j->done;

    j->want = S2_GO;
    j->caller = S2_SESSION(op)->caller;
    op->done = (size_t)j->done;
    in_callback(op, j, false);
    if (!j->lane && !take_idle(op, j)) {
        if (may_open(sftp_of(op))) {
            j->want = S2_LANE;
            return 0;
        }
        stick(op, j->caller, true);
        if (waits_for_itself(op)) {
            stick(op, j->caller, false);
            return s2_op_fail(
                op, s2_error_new(S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE,
                                 op->func, op->path,
                                 "the transfers from whose callbacks it is "
                                 "made have all channels that there may be"));
        }
        /* What was begun without blocking, and left, is not gone on with. */
        if (atomic_load(&S2_SESSION(op)->blocking) && S2_SESSION(op)->owed)
            op->more = s2_owed_drop(S2_SESSION(op), op->self);
        op->why = ": other transfers of this SFTP are not over";
        return LIBSSH2_ERROR_EAGAIN;
    }
    stick(op, j->caller, false);
    for (;;) {
        unsigned before = j->lane->flying;
        int turned = s2_lane_turn(op, j->lane), worked;

        op->wait_fd = -1;
        if (turned < 0 && j->failed) {
            s2_op_saw(op, turned);
            j->lane->ended = true;
            return end(op, j);
        }
        if (turned < 0)
            return turned;
        op->moves += turned > 0;
        if (j->asked && !j->rtt && j->lane->flying < before)
            measure(j);
        worked = j->lane->greeted ? j->work(op, j) : 0;
        op->done = (size_t)j->done;
        if (!j->asked && j->lane->flying)
            j->asked = s2_now_us();
        if (j->failed && j->want != S2_DONE && !waits(j))
            j->want = S2_DONE;
        if (j->want == S2_DONE)
            return end(op, j);
        if (j->tells && j->done != j->told && s2_now() >= j->tell_at)
            j->want = S2_TELL;
        if (j->want != S2_GO) {
            in_callback(op, j, true);
            return 0;
        }
        if (!turned && !worked) {
            /* The server is not to wait for a slow descriptor of this side. */
            if (op->wait_fd >= 0 && j->lane->flying)
                op->wait_ms = LOOK_EVERY;
            return LIBSSH2_ERROR_EAGAIN;
        }
        if (j->done - from > BUDGET) {
            op->more = true;
            return LIBSSH2_ERROR_EAGAIN;
        }
    }
}

/* --- calls --------------------------------------------------------------- */

static bool
tell(s2_job *j, const s2_calls *calls)
{
    s2_value args[] = {
        {.kind = S2_NUMBER, .number = (int64_t)j->done},
        {.kind = S2_NUMBER,
         .number = (int64_t)(j->total > j->done ? j->total : j->done)}};

    j->told = j->done;
    j->tell_at = s2_now() + TELL_EVERY;
    return calls->progress(calls->progress_ctx, args, 2, NULL);
}

static bool
sink(s2_job *j, const s2_calls *calls)
{
    s2_value bytes = s2_value_lent(S2_BYTES, j->buf, j->buf_len);
    bool done = calls->object(calls->object_ctx, &bytes, 1, NULL);

    j->buf_len = 0;
    return done;
}

static bool
source(s2_job *j, const s2_calls *calls)
{
    s2_value size = {.kind = S2_NUMBER, .number = S2_BUF};
    s2_value answer = {.kind = S2_BYTES};
    bool done = calls->object(calls->object_ctx, &size, 1, &answer);

    free(j->buf);
    j->buf = (unsigned char *)answer.bytes.data;
    j->buf_len = answer.bytes.len;
    j->buf_used = 0;
    j->buf_end = !j->buf_len;
    return done;
}

static s2_error *
language(s2_job *j, const s2_calls *calls)
{
    bool done = j->want == S2_TELL   ? tell(j, calls)
                : j->want == S2_SINK ? sink(j, calls)
                                     : source(j, calls);

    j->want = S2_GO;
    return done ? NULL : &s2_raised;
}

/* After the first call the job has calls of its own, or the first once more. */
static s2_error *
go_on(s2_op *op, s2_job **j, const s2_calls *calls)
{
    bool lane = (*j)->want == S2_LANE;
    s2_op next = S2_OP(op->self, run_step, op->func, NULL, S2_ASKS | S2_MOVES);
    s2_op *call = lane ? op : &next;
    s2_error *err;

    if ((*j)->want != S2_GO && !lane)
        return language(*j, calls);
    (*j)->want = S2_GO;
    call->path = op->path;
    call->settle = settle;
    call->state = *j;
    call->goes_on = true;
    err = s2_op_call(call);
    *j = call->state; /* NULL: whoever comes next has to finish it */
    call->state = NULL;
    return err;
}

/* The caller takes it no further. */
static void
leave(s2_op *op, s2_job *j, s2_error *err)
{
    s2_session *s = S2_SESSION(op);
    uintptr_t caller = j->caller;

    op->state = j;
    op->goes_on = false;
    if (s->generation != s2_generation) {
        j->free(j); /* in a child the lane is the parent's */
        return;
    }
    if (err == &s2_again)
        s2_op_owe(op);
    s2_turn_lock(&s->turn);
    stick(op, caller, false);
    settle(op, 0);
    s2_turn_unlock(&s->turn);
}

static s2_error *
check_name(const s2_op *op, size_t len)
{
    return len <= S2_NAMES
               ? NULL
               : s2_error_new(S2_C_InvalidRequestError, LIBSSH2_ERROR_INVAL,
                              op->func, NULL, "a path of %zu bytes", len);
}

/* What came before it failed is done: the object gets it, once the lane can be
 * another's.  What that raises is told instead. */
static s2_error *
leave_failed(s2_op *op, s2_job *j, const s2_calls *calls, s2_error *err)
{
    s2_job rest = {.buf = j->buf, .buf_len = j->reads ? j->buf_len : 0};

    j->buf = NULL;
    leave(op, j, err);
    if (rest.buf_len && S2_SESSION(op)->generation == s2_generation &&
        !sink(&rest, calls)) {
        s2_error_free(err);
        err = &s2_raised;
    }
    free(rest.buf);
    return err;
}

s2_error *
s2_job_run(s2_op *op, const s2_calls *calls, bool (*take)(s2_job *, void *),
           void *result)
{
    s2_error *err = op->path ? check_name(op, op->b[0].len) : NULL;
    s2_job *j;

    if (!err)
        err = check_name(op, op->b[1].len);
    if (err)
        return err;
    op->settle = settle;
    op->flags |= S2_OWES;
    err = s2_op_call(op);
    j = op->state;
    op->state = NULL;
    if (!err)
        j->tells = calls->progress != NULL;
    while (!err && j->want != S2_DONE)
        err = go_on(op, &j, calls);
    if (!err && j->tells && (j->told != j->done || !j->done) && !tell(j, calls))
        err = &s2_raised;
    if (!err && !take(j, result))
        err = &s2_no_memory;
    if (j && err && err != &s2_again && err != &s2_raised)
        return leave_failed(op, j, calls, err);
    if (j)
        leave(op, j, err);
    return err;
}
