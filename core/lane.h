/*
 * SFTP as the core itself speaks it: lanes, the jobs that use them, and the
 * files that jobs move.
 *
 * libssh2 has one request of each kind on its way at a time.  A lane is a
 * channel of its own with hundreds, and a job is one call of the program's:
 * it has a lane for itself from its beginning to its end.
 */
#ifndef S2_LANE_H
#define S2_LANE_H

#include "cursor.h"
#include "internal.h"

#include <sys/stat.h>

/* draft-ietf-secsh-filexfer-02, 3 */
enum {
    FXP_INIT = 1,
    FXP_VERSION = 2,
    FXP_OPEN = 3,
    FXP_CLOSE = 4,
    FXP_READ = 5,
    FXP_WRITE = 6,
    FXP_LSTAT = 7,
    FXP_FSTAT = 8,
    FXP_SETSTAT = 9,
    FXP_FSETSTAT = 10,
    FXP_OPENDIR = 11,
    FXP_READDIR = 12,
    FXP_REMOVE = 13,
    FXP_MKDIR = 14,
    FXP_REALPATH = 16,
    FXP_STAT = 17,
    FXP_RENAME = 18,
    FXP_READLINK = 19,
    FXP_SYMLINK = 20,
    FXP_STATUS = 101,
    FXP_HANDLE = 102,
    FXP_DATA = 103,
    FXP_NAME = 104,
    FXP_ATTRS = 105,
    FXP_EXTENDED = 200,
    FXP_EXTENDED_REPLY = 201,
};

enum {
    S2_PIECE = 32768,   /* bytes that every server takes and gives at once, */
    S2_PIECES = 131072, /* and as many as are asked of those that tell */
    S2_NAMES = 32768,   /* bytes of a path, at most */
    S2_HANDLE = 256,    /* the longest handle there may be */
    S2_ATTRS_MOST = 32, /* the most bytes that s2_put_attrs() writes */
};

/* What a request has come to; `status` is LIBSSH2_FX_* for a FXP_STATUS. */
typedef struct s2_reply {
    int type;
    unsigned long status;
    cursor body;
} s2_reply;

/* Called in a turn: 0, or a step's failure, which ends the job. */
typedef int (*s2_reply_fn)(s2_op *op, void *owner, uint64_t tag,
                           const s2_reply *r);

/* --- lanes: lane.c ------------------------------------------------------- */

typedef struct s2_request {
    s2_reply_fn fn; /* NULL: free */
    void *owner;
    uint64_t tag;
    uint32_t id;
} s2_request;

enum { S2_FLYING = 1024 };

typedef struct s2_lane {
    s2_talk talk;
    struct s2_lane *next; /* idle as well */
    unsigned char *in, *out;
    size_t in_start, in_end, out_start, out_end;
    size_t last;  /* where in `out` the newest request begins, */
    size_t whole; /* and where the first one that is all unsent does */
    uint32_t id;
    unsigned flying;
    size_t piece; /* bytes of a file that the server takes and gives at once */
    bool greeted, ended, posix_rename;
    s2_request request[S2_FLYING];
} s2_lane;

/* For a step in the session's scope: a lane that was greeted. */
int s2_lane_open(s2_op *op, s2_lane **lane);
/* Send, receive, and call who is answered: 1, 0 if nothing moved, or a
 * failure. */
int s2_lane_turn(s2_op *op, s2_lane *l);
/* Ask for something: `str`, then `more` bytes that are still to be written
 * where the answer points.  NULL: there is no room now. */
unsigned char *s2_ask(s2_lane *l, int type, const void *str, size_t len,
                      size_t more, s2_reply_fn fn, void *owner, uint64_t tag);
/* The newest request is so many bytes shorter; or it was never made. */
void s2_ask_less(s2_lane *l, size_t bytes);
void s2_ask_not(s2_lane *l);
/* Without buffers, for as long as it is idle; and back: no memory. */
void s2_lane_rest(s2_lane *l);
bool s2_lane_wake(s2_lane *l);
/* Before a lane is dropped: what is not sent yet need not be. */
void s2_lane_forget(s2_lane *l);
/* In a turn: it is no longer wanted, but that the server does what it is asked
 * where it `hears`. */
void s2_lane_drop(s2_op *op, s2_lane *l, bool hears);
void s2_lane_free(s2_lane *l);

unsigned char *s2_put_u64(unsigned char *to, uint64_t n);
unsigned char *s2_put_attrs(unsigned char *to, const s2_attrs *a);
uint64_t s2_take_u64(cursor *c);
void s2_take_attrs(cursor *c, s2_attrs *a);

/* --- jobs: job.c --------------------------------------------------------- */

typedef struct s2_job s2_job;

/* How a transfer was asked for. */
enum {
    S2_RESUME = 1,   /* go on where an earlier one ended */
    S2_DIRECT = 2,   /* no temporary name */
    S2_PRESERVE = 4, /* times and modes */
};

struct s2_job {
    s2_lane *lane;
    uintptr_t caller;     /* who; while the language is called for it also */
    struct s2_job *outer; /* the next of those of the SFTP; and if that one */
    bool stuck;           /* waits for another lane meanwhile */
    /* In a turn: give the lane more to do.  1, or 0 where nothing could be
     * done; `want` says when it is over. */
    int (*work)(s2_op *op, s2_job *j);
    /* Undo what has not come to its end, or leave it to be resumed; in a turn,
     * where `op` may still ask for something. */
    void (*undo)(s2_job *j);
    void (*free)(s2_job *j);
    enum {
        S2_GO,
        S2_LANE,   /* another lane may be opened */
        S2_TELL,   /* progress */
        S2_SINK,   /* the language is to take what is in `buf` */
        S2_SOURCE, /* or to fill it */
        S2_DONE
    } want;
    int options;
    bool reads;           /* what is in flight is a server's data */
    bool opening, again;  /* its lane is; once more */
    bool tells;           /* progress */
    int64_t tell_at;      /* ms */
    uint64_t told;        /* of `done` */
    uint64_t done, total; /* bytes; the total as far as it is known */
    size_t flying, limit; /* bytes asked for or sent, and how many may be */
    size_t piece;         /* bytes of a request, at most */
    int64_t asked, rtt; /* us: when the first request was made, and answered */
    int64_t since;      /* us: when `done` was */
    uint64_t since_done;
    unsigned char *buf; /* to or from the language */
    size_t buf_len, buf_used;
    bool buf_end;
    s2_error *failed; /* why the call is to fail, as soon as it can */
};

enum { S2_BUF = 256 << 10 };

/* What the language is called for, while a call lasts. */
typedef struct s2_calls {
    s2_call_fn progress, object;
    void *progress_ctx, *object_ctx;
} s2_calls;

/* For a step in the session's scope: begin the job that `make` gives, which
 * is NULL without memory. */
int s2_job_begin(s2_op *op, s2_job *(*make)(s2_op *));
/* Do the job that the op's step begins; `take` has what it came to, or false
 * without memory. */
s2_error *s2_job_run(s2_op *op, const s2_calls *calls,
                     bool (*take)(s2_job *, void *), void *result);
/* Take an error that the call is to fail with, unless there is one. */
void s2_job_fail(s2_job *j, s2_error *err);
/* May another piece go on its way? */
bool s2_job_room(const s2_job *j);
/* How many bytes it is to have, of so many that are left; S2_PIECE of them
 * where that is not known. */
size_t s2_job_piece(const s2_job *j, uint64_t left);
/* So many bytes were there already. */
void s2_job_had(s2_job *j, uint64_t bytes);
/* So many bytes have come, or are acknowledged. */
void s2_job_moved(s2_job *j, size_t bytes);
/* For sftp.c: the lanes of an SFTP that nobody uses are closed. */
int s2_lanes_finish(s2_sftp *sftp);
void s2_lanes_drop(s2_op *op);

/* --- files: move.c ------------------------------------------------------- */

/* One file that a job gets or puts. */
typedef struct s2_move {
    s2_job *job;
    bool put;
    int options;
    char *remote, *remote_temp; /* without a temporary name it is NULL */
    int dir;                    /* where local names begin, or AT_FDCWD */
    char *local, *local_temp;   /* the first is NULL for what is open */
    char *shown;                /* what errors name, where not `local` */
    int fd;                     /* -1: not open yet, or the language's object */
    bool own_dir;
    bool object, own_fd, regular, plain; /* plain: in a tree, known by it */
    int state;
    unsigned char handle[S2_HANDLE];
    size_t handle_len;
    unsigned flying; /* requests */
    uint64_t at;     /* of the next piece */
    uint64_t moved;  /* up to where all has come, or was read */
    bool ended, eof, torn, known, made, closed, replacing, gone;
    unsigned long refused; /* why, when it was to have its own name */
    bool undone;
    unsigned wants;     /* of the server, as soon as there is room to ask */
    unsigned checks;    /* of a file that ended early */
    s2_attrs attrs;     /* the source's, once known */
    uint64_t inode;     /* its, where it is on this side */
    s2_attrs there;     /* what it replaces: its flags are 0 for nothing */
    bool noted;         /* nothing: it has the mode of a new one, if it can */
    s2_attrs have;      /* what is to be resumed there */
    bool link;          /* what it replaces is one, */
    char *real;         /* of this name */
    struct piece *ring; /* reads, in order */
    size_t first, past, cap;
    s2_error *failed;
} s2_move;

s2_move *s2_move_new(s2_job *j, const char *remote, const char *local);
void s2_move_free(s2_move *m);
/* In a turn: 1, or 0 where nothing could be done. */
int s2_move_work(s2_op *op, s2_move *m);
bool s2_move_over(const s2_move *m);
/* Once the lane was told to forget: ask for what undoes it. */
void s2_move_undo(s2_move *m);
/* What SFTP says of a file of this side. */
s2_attrs s2_attrs_of(const struct stat *st);
/* Give what is open here the mode and the times of what was copied. */
bool s2_preserve(int fd, const s2_attrs *a);

#endif
