/*
 * SCP: one file each way, through the remote program scp.
 *
 * The core speaks the protocol itself.  libssh2's own functions spin for ever
 * beside a silent server, lose what the server says, and send what lies behind
 * their buffer for a long name; and of the last word, whether all went well,
 * they leave sending and hearing to the program.  Here the channel carries the
 * bytes of the file and nothing else.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_CAP = 8192 };
enum { SENDING, MODE, SIZE, MTIME, ATIME, RAW_PATH }; /* an op's n[] */

struct s2_scp {
    s2_talk talk;
    bool sending, times; /* are times sent? */
    enum { ASKED, TIMED, NAMED, AGREED } at;
    bool told, over;  /* the other side's last word, and ours */
    bool shut;        /* nothing more can be sent */
    s2_error *why;    /* what its last word was, if it was bad */
    uint64_t left;    /* bytes still to come or to go */
    char *path, *out; /* `out`: what is to be said next, */
    size_t out_len;   /* or nothing */
    s2_fileinfo info;
    size_t len;
    char line[LINE_CAP]; /* what is being heard */
};

#define FAIL(op, ...)                                                          \
    s2_op_fail(op,                                                             \
               s2_error_new(S2_C_SCPProtocolError, LIBSSH2_ERROR_SCP_PROTOCOL, \
                            (op)->func, (op)->path, __VA_ARGS__))

void
s2_scp_free(s2_scp *t)
{
    if (!t)
        return;
    s2_error_free(t->why);
    free(t->path);
    free(t->out);
    free(t);
}

static void
settle(s2_op *op, int rc)
{
    s2_scp *t = op->state;

    (void)rc;
    op->state = NULL;
    if (t)
        s2_talk_drop(op, &t->talk);
    s2_scp_free(t);
}

/* --- what is said -------------------------------------------------------- */

/* As one word of a shell, csh included, and as no option. */
static char *
quote(char *to, const char *path)
{
    *to++ = '\'';
    if (*path == '-')
        to += sprintf(to, "./");
    for (; *path; path++)
        if (*path == '\'' || *path == '!')
            to += sprintf(to, "'\\%c'", *path);
        else
            *to++ = *path;
    *to++ = '\'';
    return to;
}

static s2_scp *
scp_new(const s2_op *op)
{
    const char *path = op->b[0].p;
    size_t len = op->b[0].len;
    s2_scp *t = calloc(1, sizeof *t);
    char *p;

    if (!t)
        return NULL;
    t->path = strdup(path);
    p = t->out = malloc(4 * len + 80);
    if (!t->path || !p) {
        s2_scp_free(t);
        return NULL;
    }
    t->sending = op->n[SENDING];
    t->times = op->n[MTIME] || op->n[ATIME];
    t->left = (uint64_t)op->n[SIZE];
    p += sprintf(p, "scp -%s%c ", !t->sending || t->times ? "p" : "",
                 t->sending ? 't' : 'f');
    if (op->n[RAW_PATH])
        p += sprintf(p, "%s", path);
    else
        p = quote(p, path);
    *p = '\0'; /* libssh2's trace reads on to one */
    t->out_len = (size_t)(p - t->out);
    return t;
}

static int
start_step(s2_op *op)
{
    s2_scp *t = op->state;
    int rc;

    if (!t && !(op->state = t = scp_new(op)))
        return s2_op_fail(op, &s2_no_memory);
    rc = s2_talk_start(op, &t->talk, "exec", t->out, t->out_len);
    if (!rc) {
        t->out[0] = '\0'; /* whoever receives begins */
        t->out_len = !t->sending;
    }
    return rc;
}

static int
say(s2_op *op, s2_scp *t)
{
    int rc = t->out_len ? s2_talk_say(op, &t->talk, t->out, t->out_len) : 0;

    if (rc == LIBSSH2_ERROR_CHANNEL_CLOSED)
        rc = 0; /* what it said before is still to be heard */
    if (!rc)
        t->out_len = 0;
    return rc;
}

/* The server is told the file's times, then its name, and asked to go on. */
static int
offer(s2_op *op, s2_scp *t)
{
    const char *base = strrchr(t->path, '/');

    if (t->line[0])
        return FAIL(op, "the server answered \"%s\"", t->line);
    if (t->at == ASKED && t->times) {
        t->at = TIMED;
        t->out_len =
            (size_t)sprintf(t->out, "T%lld 0 %lld 0\n", (long long)op->n[MTIME],
                            (long long)op->n[ATIME]);
    } else if (t->at < NAMED) {
        t->at = NAMED;
        t->out_len = (size_t)sprintf(
            t->out, "C%04o %llu %s\n", (unsigned)op->n[MODE],
            (unsigned long long)t->left, base ? base + 1 : t->path);
    } else {
        t->at = AGREED;
        t->out[0] = '\0'; /* behind the last byte: all went well */
        t->out_len = 1;
    }
    return 0;
}

/* --- what is heard ------------------------------------------------------- */

/* A byte of success, or a line: 0 once it is there, in `line`. */
static int
hear(s2_op *op, s2_scp *t)
{
    char *at;

    do {
        int rc = s2_talk_hear(&t->talk, at = t->line + t->len, 1);

        if (rc == S2_TALK_END)
            return s2_talk_ended(op, &t->talk, S2_C_SCPProtocolError,
                                 LIBSSH2_ERROR_SCP_PROTOCOL);
        if (rc)
            return rc;
        if (!t->len && (unsigned char)*at > 2 && *at != 'T' && *at != 'C') {
            /* What a login script prints, say: as much as is there. */
            ssize_t n = libssh2_channel_read_ex(t->talk.raw, 0, at + 1, 200);

            at[n > 0 ? n + 1 : 1] = '\0';
            s2_words(t->line);
            return FAIL(op, "the server does not speak SCP, but says \"%s\"",
                        t->line);
        }
        if (++t->len == LINE_CAP)
            return FAIL(op, "the server's line has no end");
    } while (*t->line && *at != '\n');
    t->line[*t->line ? t->len - 1 : 0] = '\0';
    t->len = 0;
    if (t->line[0] != 1 && t->line[0] != 2)
        return 0;
    s2_words(t->line + 1);
    return FAIL(op, "%s", t->line[1] ? t->line + 1 : "refused without a word");
}

/* Digits, and the character behind them, which is passed over. */
static bool
number(const char **at, int base, char end, uint64_t most, uint64_t *to)
{
    const char *p = *at;
    uint64_t n = 0;

    for (; *p >= '0' && *p < '0' + base; p++) {
        if (n > (most - (uint64_t)(*p - '0')) / (uint64_t)base)
            return false;
        n = n * (uint64_t)base + (uint64_t)(*p - '0');
    }
    if (p == *at || *p != end)
        return false;
    *at = p + !!end;
    *to = n;
    return true;
}

/* The server tells the file's times, then its mode and size, and is answered
 * each time. */
static int
heed(s2_op *op, s2_scp *t)
{
    const char *p = t->line + 1;
    uint64_t n[4] = {0};
    bool good = false;

    if (*t->line == 'T' && t->at == ASKED) {
        good = number(&p, 10, ' ', INT64_MAX, &n[0]) &&
               number(&p, 10, ' ', INT64_MAX, &n[1]) &&
               number(&p, 10, ' ', INT64_MAX, &n[2]) &&
               number(&p, 10, '\0', INT64_MAX, &n[3]);
        t->at = TIMED;
        t->info.mtime = (int64_t)n[0];
        t->info.atime = (int64_t)n[2];
    } else if (*t->line == 'C') {
        good = number(&p, 8, ' ', 07777, &n[0]) &&
               number(&p, 10, ' ', INT64_MAX, &n[1]) && *p;
        t->at = AGREED;
        t->info.mode = (unsigned long)n[0];
        t->info.size = t->left = n[1];
    }
    t->out[0] = '\0';
    t->out_len = 1;
    return good ? 0 : FAIL(op, "the server announced \"%s\"", t->line);
}

static int
agree_step(s2_op *op)
{
    s2_scp *t = op->state;
    int rc;

    for (;;) {
        /* The last word before a file is the one behind an empty one. */
        if (t->sending && t->at == AGREED && t->left)
            return 0;
        if ((rc = say(op, t)) || t->at == AGREED)
            return rc;
        if ((rc = hear(op, t)) ||
            (rc = t->sending ? offer(op, t) : heed(op, t)))
            return rc;
    }
}

/* --- the two calls ------------------------------------------------------- */

static s2_error *
call(s2_session *s, s2_op *op, const char *path, s2_channel **out)
{
    s2_error *err;
    s2_scp *t;

    if (strchr(path, '\n'))
        return s2_error_new(S2_C_InvalidRequestError, LIBSSH2_ERROR_INVAL,
                            op->func, path, "a path of SCP has no newline");
    s2_op_text(op, 0, path);
    op->path = path;
    op->settle = settle;
    op->n[RAW_PATH] = atomic_load(&s->raw_paths);
    if ((err = s2_talk_call(op, agree_step)))
        return err;
    t = op->state;
    if (!(*out = s2_channel_new(s, t->talk.raw, false))) {
        s2_scp_free(t);
        return s2_session_leak(s);
    }
    (*out)->scp = t;
    return NULL;
}

s2_error *
s2_session_scp_recv2(s2_session *s, const char *path, s2_channel **out,
                     s2_fileinfo *info)
{
    s2_op op = S2_OP(s, start_step, "scp_recv2", &s->scope, S2_AUTHED);
    s2_error *err = call(s, &op, path, out);

    if (!err)
        *info = (*out)->scp->info;
    return err;
}

/* Whole seconds, if they can be told. */
static bool
seconds(double time, int64_t *to)
{
    bool good = time >= 0 && time < 9e18;

    *to = good ? (int64_t)time : 0;
    return good;
}

s2_error *
s2_session_scp_send64(s2_session *s, const char *path, int mode, uint64_t size,
                      double mtime, double atime, s2_channel **out)
{
    s2_op op = S2_OP(s, start_step, "scp_send64", &s->scope, S2_AUTHED);

    op.n[SENDING] = true;
    op.n[MODE] = mode & 07777;
    op.n[SIZE] = (int64_t)size;
    if (!seconds(mtime, &op.n[MTIME]) || !seconds(atime, &op.n[ATIME]) ||
        size > INT64_MAX)
        return s2_error_new(S2_C_InvalidRequestError, LIBSSH2_ERROR_INVAL,
                            op.func, path,
                            "SCP cannot tell such a time or size");
    return call(s, &op, path, out);
}

/* --- the file's bytes ---------------------------------------------------- */

ssize_t
s2_scp_read(s2_op *op, s2_scp *t)
{
    size_t cap = op->cap < t->left ? op->cap : (size_t)t->left;
    ssize_t n;

    op->path = t->path;
    if (t->sending || !cap) {
        op->r[1] = 1; /* ask for the end */
        return 0;
    }
    n = libssh2_channel_read_ex(t->talk.raw, 0, op->dst, cap);
    if (n > 0)
        t->left -= (uint64_t)n;
    if (n)
        return n;
    return atomic_load(&op->self->closed)
               ? LIBSSH2_ERROR_EAGAIN
               : s2_talk_ended(op, &t->talk, S2_C_SCPProtocolError,
                               LIBSSH2_ERROR_SCP_PROTOCOL);
}

int
s2_scp_may_write(s2_op *op, const s2_scp *t)
{
    op->path = t->path;
    if (t->sending && op->b[0].len - op->done <= t->left)
        return 0;
    return s2_op_fail(
        op,
        s2_error_new(S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE, op->func, t->path,
                     t->sending ? "longer than the size that was told"
                                : "this channel receives a file"));
}

void
s2_scp_wrote(s2_scp *t, size_t len)
{
    t->left -= len;
}

void
s2_scp_shut(s2_scp *t)
{
    t->shut = true;
}

int
s2_scp_tail(s2_op *op, s2_scp *t)
{
    op->idle = false;
    return t->left ? 0 : say(op, t);
}

/* --- the end ------------------------------------------------------------- */

bool
s2_scp_over(const s2_scp *t)
{
    return t->over;
}

static int
unsent(s2_op *op, const s2_scp *t, s2_class cls, int code)
{
    return s2_op_fail(op, s2_error_new(cls, code, op->func, op->path,
                                       "%llu bytes of the file were not sent",
                                       (unsigned long long)t->left));
}

static int
last_word(s2_op *op, s2_scp *t)
{
    int rc = hear(op, t);

    if (rc == LIBSSH2_ERROR_EAGAIN)
        op->idle = true; /* the rest is heard by whoever comes next */
    if (rc == LIBSSH2_ERROR_EAGAIN && t->left && !t->shut) /* it may be */
        return unsent(op, t, S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE);
    if (!rc && t->line[0])
        rc = FAIL(op, "the server goes on: \"%s\"", t->line);
    if (!rc && t->left)
        rc = unsent(op, t, S2_C_SCPProtocolError, LIBSSH2_ERROR_SCP_PROTOCOL);
    if (rc == S2_FAILED && op->error != &s2_no_memory)
        t->why = s2_error_copy(op->error);
    return rc;
}

static int
end_step(s2_op *op)
{
    s2_scp *t = ((s2_channel *)op->self)->scp;
    int rc;

    op->path = t->path;
    if (!t->over && (t->sending || !t->left)) {
        if (!t->told && (rc = last_word(op, t)) && !t->why)
            return rc;
        if (!t->told)
            t->out_len = !t->sending && !t->why;
        t->told = true;
        if (say(op, t) == LIBSSH2_ERROR_EAGAIN ||
            libssh2_channel_send_eof(t->talk.raw) == LIBSSH2_ERROR_EAGAIN)
            return LIBSSH2_ERROR_EAGAIN;
        t->over = true;
    }
    return t->why ? s2_op_fail(op, s2_error_copy(t->why)) : 0;
}

s2_error *
s2_scp_end(s2_channel *ch)
{
    s2_op op =
        S2_OP(ch, end_step, ch->scp->sending ? "scp_send64" : "scp_recv2",
              &ch->writing, S2_AFTER_END | S2_SAME_SELF | S2_ASKS);

    return s2_op_call(&op);
}
