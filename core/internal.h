/*
 * What the core's files share: allocator, wire, waiting, operations, objects.
 *
 * Whoever adds a call writes a step function and calls s2_op_call(); nothing
 * outside op.c locks, waits or calls the host.  A step runs inside its
 * session's turn, so it alone touches the session; it never blocks.
 */
#ifndef S2_INTERNAL_H
#define S2_INTERNAL_H

#include "s2.h"
#include "s2_have.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

/* --- errors -------------------------------------------------------------- */

/* What is not for a terminal or a log becomes blanks, in place. */
void s2_words(char *text);
/* A static stand-in is returned when there is no memory for a real one. */
s2_error *s2_error_new(s2_class cls, int code, const char *func,
                       const char *path, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
s2_error *s2_error_copy(const s2_error *err);
s2_class s2_class_of_code(int code);
s2_class s2_class_of_status(unsigned long status);
s2_error *s2_status_error(const char *func, const char *path,
                          unsigned long status);
/* Of a file on this side: its path, and errno. */
s2_error *s2_errno_error(const char *func, const char *path, int why);
extern s2_error s2_again, s2_no_memory;

/* --- allocator: alloc.c -------------------------------------------------- */

enum { S2_POOLS = 17 };

typedef struct s2_block {
    void *p; /* NULL: an empty slot */
    size_t size;
    bool freed; /* kept for a late reader */
    bool gone;  /* or it may be: by free(), which nobody was told of */
} s2_block;

/*
 * A session's memory: every block that libssh2 holds.
 *
 * Once anything went wrong (`keep`) a freed block stays until the end: libssh2
 * reads and frees some blocks again on its way out of a failure.
 */
typedef struct s2_alloc {
    s2_block *table; /* by address */
    size_t slots, used, count;
    long fail_at; /* fail the n-th allocation from now; 0: none */
    size_t since; /* bytes asked for since libssh2 last looked for more input */
    size_t live, most;       /* bytes that are out; how many may be, 0: any */
    bool failed, keep, full; /* full: by what `most` forbade */
    bool login;              /* it is before it, or amid it */
    void *pool[S2_POOLS];    /* free blocks, by size */
    size_t pooled;
} s2_alloc;

/* libssh2 keeps each message that nobody asked for: what a peer may have it
 * keep, and what more for each channel, which has a window of its own, and each
 * file, which is read ahead; so much in all before the handshake's end. */
enum { S2_KEPT = 256 << 20, S2_KEPT_EACH = 4 << 20 };

void *s2_alloc_new(s2_alloc *a, size_t size);
void *s2_alloc_resize(s2_alloc *a, void *p, size_t size);
void s2_alloc_free(s2_alloc *a, void *p);
bool s2_alloc_lost(const s2_alloc *a); /* libssh2 asks without end */
void s2_alloc_fresh(s2_alloc *a);      /* it looks for input, or begins */
void s2_alloc_trim(s2_alloc *a);       /* give back what is kept for reuse */
void s2_alloc_end(s2_alloc *a);

/* --- wire: wire.c -------------------------------------------------------- */

/*
 * The bytes between libssh2 and the peer.
 *
 * libssh2 never sees a short write or a dying connection: what the socket does
 * not take is queued, and past the end reads answer "would block" and writes
 * succeed.  So no packet is ever half-sent, what has arrived can still be
 * read, and the engine alone says that the session is over.
 */
typedef struct s2_wire {
    int fd;      /* ours; -1: none */
    int user_fd; /* the descriptor it is a duplicate of; -1: none */
    dev_t dev;
    ino_t ino;
    unsigned char *out;
    size_t out_start, out_end, out_cap;
    uint64_t received, sent;
    uint64_t seen, passed; /* what had come, and gone both ways, when it was
                              last waited for */
    long spare;   /* what a try may still take: bytes, and more for each read */
    int end_code; /* LIBSSH2_ERROR_* once it is over, else 0 */
    int end_errno; /* why, or 0 for an orderly end */
    bool drains;   /* nothing can be sent; but what came before is received */
    size_t most;   /* a try takes one read, of no more bytes; 0: any number */
    bool ending;   /* the session is being freed: make libssh2 give up */
    int vain;      /* reads in a row, of one try, that found nothing */
    int reads;     /* of it in all; -1: between two */
    int64_t began; /* when it had some: ms of the thread's processor */
    bool spun;     /* too many: libssh2 was made to give up */
    bool sending;  /* a large packet was: libssh2 looks for input before the
                      next, and is told of none */
} s2_wire;

enum { S2_WIRE_ROOM = 65536 }; /* a bulk call waits while more is queued */
enum { S2_SPARE = 1 << 18 };   /* a try ends, though the peer never does */
/* Less than a packet has that begins an exchange of keys; than any, ciphered. */
enum { S2_LESS_THAN_KEXINIT = 64, S2_LESS_THAN_ANY = 16 };

s2_error *s2_wire_open(s2_wire *w, int fd, bool ours);
void s2_wire_close(s2_wire *w);
void s2_wire_flush(s2_wire *w);
void s2_wire_check(s2_wire *w); /* is the user's descriptor still open? */
/* Is it over, with nothing left to be received? */
bool s2_wire_over(const s2_wire *w);
size_t s2_wire_queued(const s2_wire *w);
ssize_t s2_wire_send(s2_wire *w, const void *src, size_t len);
ssize_t s2_wire_recv(s2_wire *w, void *dst, size_t cap);
/* It is going to be waited for.  Has little passed since it last was? */
bool s2_wire_await(s2_wire *w);

/* --- waiting: wait.c ----------------------------------------------------- */

typedef struct s2_scope s2_scope;

/* One waiting call; on the heap, since a greenlet's stack moves. */
typedef struct s2_waiter {
    struct s2_waiter *next;
    int fd[2];             /* a pipe: read end, write end */
    bool woken;            /* a byte is in it */
    const s2_scope *scope; /* what it waits for, or NULL */
    int need;              /* directions of the session's socket, or 0 */
    uintptr_t caller;
} s2_waiter;

void s2_watch_forks(void);
s2_waiter *s2_waiter_get(void); /* NULL when descriptors run out */
void s2_waiter_put(s2_waiter *w);
void s2_waiter_wake(s2_waiter *w);
void s2_waiter_clear(s2_waiter *w);

int64_t s2_now(void); /* monotonic, in milliseconds */
int64_t s2_now_us(void);
/* poll() both; S2_READY, S2_TIMED_OUT, or S2_RAISED for EINTR. */
int s2_poll(int fd, int wake_fd, int directions, int timeout_ms);
/* For so many us, without sleeping: is one of them ready? */
bool s2_look(int fd, int wake_fd, int directions, int us);

/* --- descriptors of this side: local.c ----------------------------------- */

typedef struct s2_op s2_op;

/* For a step: how many bytes it took, or gave; where it is to be waited for the
 * op says so.  `why` is errno, or 0. */
size_t s2_fd_write(s2_op *op, int fd, bool regular, const void *src, size_t len,
                   int *why);
size_t s2_fd_read(s2_op *op, int fd, bool regular, void *dst, size_t len,
                  bool *ended, int *why);

/* --- turns: wait.c ------------------------------------------------------- */

/* A lock in order of arrival, so that no thread of two starves. */
typedef struct s2_turn {
    pthread_mutex_t mutex;
    pthread_cond_t passed;
    unsigned next, serving;
} s2_turn;

void s2_turn_init(s2_turn *t);
void s2_turn_lock(s2_turn *t);
bool s2_turn_try(s2_turn *t);
void s2_turn_unlock(s2_turn *t);
void s2_turn_destroy(s2_turn *t);

/* --- objects: obj.c ------------------------------------------------------ */

typedef struct s2_obj s2_obj;

/* Of what is on this side alone: to finish it asks nothing of the peer. */
enum { S2_RANK_LOCAL = 3 };

typedef struct s2_type {
    const char *name;
    /* Give libssh2's part back, one step at a time: 0, EAGAIN or an error,
     * which counts as done.  NULL: there is no such part. */
    int (*finish)(s2_obj *obj);
    void (*destroy)(s2_obj *obj); /* free what the struct owns; or NULL */
    int rank; /* a session's end finishes lower ranks first */
} s2_type;

struct s2_obj {
    const s2_type *type;
    atomic_uint refs;
    atomic_bool closed;
    s2_obj *parent;      /* held */
    s2_session *session; /* itself, for a session */
    s2_obj *next_parked;
};

/* A zeroed object of `size` bytes that holds its parent; NULL: no memory. */
void *s2_obj_new(const s2_type *type, size_t size, void *parent);
void s2_parked_advance(s2_session *s);
void s2_parked_finish(s2_session *s);

extern const s2_type s2_session_type, s2_channel_type, s2_sftp_type,
    s2_file_type, s2_listener_type, s2_knownhost_type, s2_entry_type,
    s2_agent_type, s2_identity_type;

/* --- events: event.c ----------------------------------------------------- */

typedef struct s2_event {
    struct s2_event *next;
    int kind;             /* LIBSSH2_CALLBACK_*, or S2_TRACE */
    LIBSSH2_CHANNEL *raw; /* the first argument, if not NULL */
    s2_value args[3];
    size_t count;
} s2_event;

/* What is to be told to the language; the mutex is held for a few lines. */
typedef struct s2_events {
    pthread_mutex_t mutex;
    s2_event *first, **last;
    size_t messages, bytes, channels; /* in the queue */
    size_t lost;                      /* lines of trace that were too many */
    atomic_bool any;
    bool told;         /* by somebody, now */
    unsigned wanted;   /* a bit a kind; changed in turns */
    unsigned unwanted; /* channels on their way back; the same */
} s2_events;

void s2_events_init(s2_events *q);
void s2_events_drop(s2_events *q);
void s2_events_destroy(s2_events *q);
void s2_events_start(s2_session *s);
void s2_events_stop(s2_session *s);
bool s2_events_due(s2_session *s); /* and nobody is telling them */
bool s2_events_begin(s2_session *s);
s2_event *s2_events_next(s2_session *s);
void s2_events_end(s2_session *s);
void s2_event_free(s2_event *e);
bool s2_can_trace(void);

/* --- operations: op.c ---------------------------------------------------- */

/* Calls that exclude each other inside libssh2 share a scope. */
struct s2_scope {
    struct s2_op *parked; /* begun, and left by its caller */
    uint64_t live;        /* the call that has the scope; 0: none */
    uintptr_t caller;     /* whose that is */
};

enum {
    S2_QUICK = 1,       /* neither sends nor receives */
    S2_EARLY = 2,       /* allowed before the handshake */
    S2_AFTER_END = 4,   /* allowed once the connection is gone */
    S2_AFTER_CLOSE = 8, /* allowed on a closed object */
    S2_AUTHED = 16,     /* needs an authenticated session */
    S2_STATELESS = 32,  /* leaves nothing behind when it would block */
    S2_SAME_SELF = 64,  /* any call of this function on the object resumes it */
    S2_BULK = 128,      /* fills the queue: wait until it has room */
    S2_LOCKED = 256,    /* keep the interpreter's lock: it calls back */
    S2_CLOSES = 1024,   /* closes its object, ending other calls on it */
    S2_SHAKES = 512,    /* makes the handshake: a failure ends the session */
    S2_ASKS = 2048,     /* of a scope whose answers the server owes */
    S2_MOVES = 4096,    /* bytes that move start its timeout anew */
    S2_OWES = 8192,     /* s2_op_owe() keeps its state, if there is room */
};

struct s2_op {
    int (*step)(struct s2_op *op); /* one try: >= 0, EAGAIN or an error */
    /* A result that nobody took: undo or keep it.  NULL: nothing to do. */
    void (*settle)(struct s2_op *op, int rc);
    /* What stays of the arguments in the copy that is left behind. */
    void (*park)(struct s2_op *op);
    /* Of the same arguments: is this what was left, once more?  NULL: it is. */
    bool (*same)(const struct s2_op *left, const struct s2_op *op);
    /* For s2_op_make(): the object of the handle in state; NULL: no memory. */
    void *(*make)(struct s2_op *op);
    const char *func;
    s2_obj *self;
    s2_scope *scope;
    unsigned flags;
    struct {
        const void *p;
        size_t len;
    } b[4];           /* bytes in: borrowed, or owned by a parked op */
    int64_t n[6];     /* numbers in */
    const char *path; /* one of b, or NULL: what an error names */
    s2_class cls;     /* of an error that has no better class; 0: by code */
    s2_error *error;  /* set by a step that returns S2_FAILED */
    /* Results, and state between steps: */
    void *dst;
    size_t cap; /* of dst; of a write how much the caller has to write */
    size_t done;
    size_t moves; /* what else has come: that starts the timeout anew, too */
    void *state;  /* freed by settle, or by the caller of s2_op_call */
    int64_t r[4];
    s2_buf out[4]; /* text and bytes; the caller's after a success */
    union {
        s2_attrs attrs;
        s2_statvfs vfs;
    } record;
    s2_call_fn call; /* into the language */
    void *call_ctx;
    int wait_fd, wait_directions; /* instead of the session's socket */
    int wait_ms;                  /* try again after so long; 0: no need */
    const char *why;              /* it waits, for Timeout's text; or NULL */
    int timeout;                  /* ms, instead of the session's; 0: as that */
    int64_t deadline;             /* when the call times out; 0: never */
    bool idle;   /* set by a step that would block, and left nothing behind */
    bool more;   /* set by one that would not, and lets others have a turn */
    bool raised; /* the language raised inside a callback */
    bool failed; /* set by a step that would block, with `error` set */
    bool left;   /* the caller has gone: finish only what was begun */
    bool owed;   /* and may call again: keep the result for it */
    bool told;   /* but was told of an error, and may go on otherwise */
    bool under_way; /* kept by s2_op_owe(): this is no result yet */
    int64_t since;  /* when it was */
    bool goes_on;   /* its state is there already: it takes over no other's */
    int rc;
    struct s2_op *next;
};

/* Has its caller left, and is not to come back? */
static inline bool
s2_op_given_up(const s2_op *op)
{
    return op->left && !op->owed;
}

#define S2_FAILED (-10000) /* a step's rc: the error is in op->error */

/* An op on `object`, to be filled in and called. */
#define S2_OP(object, stepper, name, where, bits)                              \
    {                                                                          \
        .step = (stepper), .func = (name), .self = (s2_obj *)(object),         \
        .scope = (where), .flags = (bits), .wait_fd = -1                       \
    }

void s2_op_text(s2_op *op, int i, const char *text); /* NULL is kept */
void s2_op_bytes(s2_op *op, int i, const void *p, size_t len);
s2_error *s2_op_call(s2_op *op);
/* For a step: what it asked beside its call may end the session. */
void s2_op_saw(s2_op *op, int rc);
/* For house keeping: so may what it comes to. */
void s2_session_saw(s2_session *s, int rc);
/* For a step: fail with this error. */
int s2_op_fail(s2_op *op, s2_error *err);
/* For a step: refuse all other calls on the object, and wake those that wait. */
void s2_op_close(s2_op *op);
/* For a step: libssh2 answered NULL; why? */
int s2_op_null(s2_op *op);
/* For a step: libssh2's new handle, or NULL, is what the call came to. */
int s2_op_made(s2_op *op, void *raw);
/* Call, and put the object of a step's new handle into *out, a T ** of the T *
 * that `make` gives.  A handle that nobody takes is given back. */
s2_error *s2_op_make(s2_op *op, void *(*make)(s2_op *), void *out);
/* For a step: keep what libssh2 gave or lent as op->out[i]; NULL is kept. */
int s2_op_keep(s2_op *op, int i, const void *p, size_t len);
int s2_op_keep_text(s2_op *op, int i, const char *text);
/* Call, and give out[0] away. */
s2_error *s2_op_give(s2_op *op, s2_buf *to);
/* Leave a step of its own to whoever comes next in the scope. */
void s2_record_leave(s2_scope *scope, s2_obj *self, int (*step)(s2_op *));
/* The scope in which a call on the object was left, or NULL. */
s2_scope *s2_scope_left(s2_obj *obj);
/* For a step that authenticates: fail if the session was let in, since the
 * server never answers then. */
int s2_op_let_in(s2_op *op);
/* For finish and destroy: forget what was left in a scope. */
void s2_record_drop(s2_scope *scope);
/* Keep the state of a call that would block, one with S2_OWES, outside any
 * scope, until it is made again. */
void s2_op_owe(s2_op *op);
/* For the end of an object: forget the results that were kept for it, if any. */
bool s2_owed_drop(s2_session *s, const s2_obj *obj);
/* How much has been written for callers who were told that it was not; and the
 * same, when another call goes on otherwise. */
uint64_t s2_owed_done(s2_obj *obj);
uint64_t s2_owed_forget(s2_obj *obj);
/* Try what was left in a scope: 0 once it is free of it, else EAGAIN. */
int s2_record_advance(s2_session *s, s2_scope *scope);
/* Let language code in: the session is held, its turn free. */
void s2_op_call_out(s2_op *op, void (*fn)(void *), void *arg);
/* So call back whoever made the call.  False where there is no answer: it
 * raised, or nobody is there any more. */
bool s2_op_ask(s2_op *op, const s2_value *args, size_t count, s2_value *answer);

/* --- Session ------------------------------------------------------------- */

enum { S2_METHODS = LIBSSH2_METHOD_LANG_SC + 1 };

struct s2_session {
    s2_obj obj;
    LIBSSH2_SESSION *raw;
    s2_alloc alloc;
    s2_wire wire;
    s2_turn turn;
    s2_scope scope; /* handshake, authentication, opening, disconnecting */
    s2_op *owed;    /* finished, and not yet called for again */
    s2_waiter *waiters, *watcher; /* the watcher polls the socket */
    int watched;                  /* the directions it polls for */
    bool held;                    /* language code is in a callback */
    uintptr_t holder, caller;     /* whose; who has the turn */
    s2_op *asking;                /* the call that libssh2 calls back for */
    s2_events events;
    s2_error *dead;            /* why the session is over; NULL: it is not */
    _Atomic(s2_obj *) dropped; /* pushed by any thread, without a lock */
    s2_obj *parked;
    size_t hosts;          /* bytes of libssh2's that known hosts have */
    atomic_size_t files;   /* open ones, and folders, of all its SFTPs */
    atomic_uint undoing;   /* transfers that were left, and are to be undone */
    atomic_uintptr_t hurt; /* whose last call was ended before its answer */
    unsigned generation;   /* of the process that made it */
    /* As the last turn left them, for who only looks and waits for nobody. */
    struct {
        atomic_int fd, directions, authenticated;
    } seen;
    bool shaken;             /* the handshake went through */
    bool unverified;         /* and its host is still to be looked up */
    bool expired;            /* a password was */
    bool paired;             /* both directions prefer the same */
    bool ended;              /* by the program: nothing was lost */
    atomic_bool raw_paths;   /* LIBSSH2_FLAG_QUOTE_PATHS is off */
    char *prefs[S2_METHODS]; /* the program's, by LIBSSH2_METHOD_*, or NULL */
    char *goodbye;           /* the server's reason for disconnecting */
    s2_buf hostkey;          /* the first one it had, which it must keep */
    atomic_int far;          /* waits that are not to be short ones */
    atomic_bool blocking;
    atomic_long timeout, read_timeout; /* ms */
    bool keep_reply, replies_due; /* to keepalives: asked for, at any time */
    int64_t keep_every, keep_last, keep_next; /* ms; 0: never */
    unsigned kept_silent; /* keepalives since a byte came, which was so many: */
    uint64_t heard;
};

#ifdef S2_HAVE_libssh2_session_callback_set2
#define SET_CALLBACK(raw, kind, fn)                                            \
    libssh2_session_callback_set2(raw, kind, (libssh2_cb_generic *)(fn))
#else
#define SET_CALLBACK(raw, kind, fn)                                            \
    libssh2_session_callback_set(raw, kind, (void *)(fn))
#endif

/* Blocks that libssh2 kept over the orderly end of a session; for tests. */
extern atomic_size_t s2_leaked;
extern unsigned s2_generation; /* changes in a forked child */

/* End the session: every later call fails with this error, which it takes. */
void s2_session_end(s2_session *s, s2_error *why);
void s2_session_wake_all(s2_session *s);
/* A handle of libssh2's was lost for want of memory: end the session. */
s2_error *s2_session_leak(s2_session *s);
int s2_handshake_step(s2_op *op);
int s2_keepalive(s2_session *s); /* send one */
/* The error of what is to come before a handshake. */
s2_error *s2_handshake_made(const s2_op *op);

/* --- talks: talk.c ------------------------------------------------------- */

/* A channel over which the core speaks a protocol, and how far it got in what
 * is being said or heard. */
typedef struct s2_talk {
    LIBSSH2_CHANNEL *raw;
    unsigned window; /* bytes that may be on their way to us; 0: the usual */
    size_t said, heard;
} s2_talk;

/* Open it and run a program, begun by the first call of a talk: that call's
 * op is in the session's scope, has the talk in its state, and a settle that
 * drops it. */
int s2_talk_start(s2_op *op, s2_talk *t, const char *request,
                  const void *message, size_t len);
/* Make the call: its own step, then `step` with the same state. */
s2_error *s2_talk_call(s2_op *op, int (*step)(s2_op *));
/* For a step: say or hear so many bytes, the same again until it is 0. */
int s2_talk_say(s2_op *op, s2_talk *t, const void *src, size_t len);
int s2_talk_hear(s2_talk *t, void *dst, size_t len);
enum { S2_TALK_END = 1 }; /* heard: the end */
/* For a step: fail, by what the program said on its error output. */
int s2_talk_ended(s2_op *op, s2_talk *t, s2_class cls, int code);
void s2_talk_drop(s2_op *op, s2_talk *t);

/* --- SCP: scp.c ---------------------------------------------------------- */

/* A file on its way through a channel. */
typedef struct s2_scp s2_scp;

void s2_scp_free(s2_scp *scp);
bool s2_scp_over(const s2_scp *scp);
/* For a step on the channel: read (r[1]: ask for the end), and write. */
ssize_t s2_scp_read(s2_op *op, s2_scp *scp);
int s2_scp_may_write(s2_op *op, const s2_scp *scp);
void s2_scp_wrote(s2_scp *scp, size_t len);
int s2_scp_tail(s2_op *op, s2_scp *scp); /* what goes behind the last byte */
void s2_scp_shut(s2_scp *scp);           /* nothing more will be sent */
/* Once all bytes went through: what does the other side say? */
s2_error *s2_scp_end(s2_channel *ch);

/* --- the other classes --------------------------------------------------- */

/* Bytes of a stream that were read and not handed on; drain.c. */
typedef struct s2_kept {
    char *data;
    size_t used, len, cap;
} s2_kept;

void s2_kept_free(s2_kept *k);
size_t s2_kept_take(s2_kept *k, void *dst, size_t cap);
/* In a turn: what was taken is the next read's, and `taken` empty; without
 * memory for that the session is over. */
void s2_kept_give_back(s2_session *s, s2_kept *kept, s2_kept *taken);

struct s2_channel {
    s2_obj obj;
    LIBSSH2_CHANNEL *raw;
    s2_scope reading, writing;
    s2_scp *scp;     /* or NULL */
    s2_kept kept[2]; /* output, error output */
};

struct s2_listener {
    s2_obj obj;
    LIBSSH2_LISTENER *raw; /* NULL once cancelled */
    int port;
    s2_scope scope;
};

typedef enum { S2_UNKNOWN, S2_WHOLE, S2_PARTS } s2_packets;

struct s2_sftp {
    s2_obj obj;
    LIBSSH2_SFTP *raw;
    s2_scope scope;
    unsigned children;    /* not yet given back */
    bool ended;           /* by the server, perhaps amid a request */
    s2_packets packets;   /* of the server's: does a write fit in? */
    struct s2_lane *idle; /* for the next job */
    unsigned lanes, most; /* the busy ones as well; 0: as many as may be */
    struct s2_job *told;  /* those with a lane that are in callbacks */
};

struct s2_file {
    s2_obj obj;
    LIBSSH2_SFTP_HANDLE *raw;
    atomic_bool gone; /* libssh2 has closed it */
    s2_buf path;
    s2_buf kept; /* read, and nobody has it yet */
    size_t kept_used, kept_cap;
    size_t step;       /* as much is to be read next */
    bool dir;          /* its handle is a directory's */
    bool ahead;        /* libssh2 may have read, or asked for, more */
    bool asked;        /* whether this is the end, once more */
    size_t got, limit; /* the last read; the most for the next, 0: all */
    int64_t turns;     /* of those who read, write or seek */
    struct s2_dirent *entries; /* as kept, of a directory */
};

void s2_attrs_from(s2_attrs *to, const LIBSSH2_SFTP_ATTRIBUTES *from);
void s2_attrs_to(LIBSSH2_SFTP_ATTRIBUTES *to, const s2_attrs *from);
/* libssh2 would send its lower 32 bits. */
s2_error *s2_check_attrs(const s2_op *op, const s2_attrs *a);
void s2_statvfs_from(s2_statvfs *to, const LIBSSH2_SFTP_STATVFS *from);
s2_error *s2_knownhost_types(s2_knownhost *kh, const char *host, int port,
                             s2_buf *prefs);
int s2_file_give_back(s2_file *f);
/* Is the server's host key what it was?  Before its signature is looked at
 * libssh2 tells of each that it is shown. */
bool s2_hostkey_stays(s2_session *s);
s2_error *s2_hostkey_changed(const char *func);
void *s2_channel_make(s2_op *op);
void *s2_sftp_make(s2_op *op);
/* Its path is the first text of the op; r[3]: it is a directory. */
void *s2_file_make(s2_op *op);
/* A request's result, unless no answer can come. */
int s2_channel_answered(s2_op *op, int rc);
/* A channel to be closed; the session counts those. */
s2_channel *s2_channel_unwanted(s2_session *s, LIBSSH2_CHANNEL *raw);
s2_channel *s2_channel_new(void *parent, LIBSSH2_CHANNEL *raw, bool borrowed);
/* For a step: nothing will be answered any more, and what is sent is lost. */
bool s2_closed_by_peer(s2_op *op, LIBSSH2_CHANNEL *raw);

#define S2_SESSION(op) ((op)->self->session)
#define S2_RAW(op) (S2_SESSION(op)->raw)
#define S2_CHANNEL(op) (((s2_channel *)(op)->self)->raw)
#define S2_SFTP_RAW(op) (((s2_sftp *)(op)->self)->raw)
#define S2_FILE(op) (((s2_file *)(op)->self)->raw)

#endif
