/*
 * Lanes: SFTP with many requests in flight; see lane.h.
 *
 * Whole packets wait in `out` for room in the server's window, and come whole
 * out of `in`; an answer finds its request by its id.  Nothing here knows what
 * is asked for.
 */
#include "lane.h"

#include <stdlib.h>

enum {
    VERSION = 3,
    WINDOW = 16 << 20,  /* of the channel: what may be on its way to us */
    PACKET = 300 << 10, /* the longest that is heard */
    IN = PACKET + (256 << 10),
    OUT = 512 << 10,
    SPARE = 64 << 10,     /* of it, for what is not bytes of files */
    LAST_WORDS = 10000,   /* ms: no longer is it waited for room for them */
    HEAD = 4 + 1 + 4 + 4, /* length, type, id and the length of a string */
    WRITE_HEAD =
        HEAD + S2_HANDLE + 8 + 4, /* with a handle, offset and length */
};

static int
fail(s2_op *op, const char *text)
{
    return s2_op_fail(op, s2_error_new(S2_C_SFTPProtocolError,
                                       LIBSSH2_ERROR_SFTP_PROTOCOL, op->func,
                                       op->path, "%s", text));
}

static int
over(s2_op *op, s2_lane *l)
{
    l->ended = true;
    return s2_talk_ended(op, &l->talk, S2_C_ChannelClosedError,
                         LIBSSH2_ERROR_CHANNEL_CLOSED);
}

/* --- what is written and read -------------------------------------------- */

unsigned char *
s2_put_u64(unsigned char *to, uint64_t n)
{
    return put_u32(put_u32(to, (size_t)(n >> 32)), (size_t)(n & 0xffffffff));
}

uint64_t
s2_take_u64(cursor *c)
{
    uint64_t high = take_u32(c);

    return high << 32 | take_u32(c);
}

unsigned char *
s2_put_attrs(unsigned char *to, const s2_attrs *a)
{
    to = put_u32(to, a->flags & ~(unsigned long)LIBSSH2_SFTP_ATTR_EXTENDED);
    if (a->flags & LIBSSH2_SFTP_ATTR_SIZE)
        to = s2_put_u64(to, a->filesize);
    if (a->flags & LIBSSH2_SFTP_ATTR_UIDGID)
        to = put_u32(put_u32(to, a->uid), a->gid);
    if (a->flags & LIBSSH2_SFTP_ATTR_PERMISSIONS)
        to = put_u32(to, a->permissions);
    if (a->flags & LIBSSH2_SFTP_ATTR_ACMODTIME)
        to = put_u32(put_u32(to, a->atime), a->mtime);
    return to;
}

void
s2_take_attrs(cursor *c, s2_attrs *a)
{
    *a = (s2_attrs){.flags = take_u32(c)};
    if (a->flags & LIBSSH2_SFTP_ATTR_SIZE)
        a->filesize = s2_take_u64(c);
    if (a->flags & LIBSSH2_SFTP_ATTR_UIDGID) {
        a->uid = take_u32(c);
        a->gid = take_u32(c);
    }
    if (a->flags & LIBSSH2_SFTP_ATTR_PERMISSIONS)
        a->permissions = take_u32(c);
    if (a->flags & LIBSSH2_SFTP_ATTR_ACMODTIME) {
        a->atime = take_u32(c);
        a->mtime = take_u32(c);
    }
    if (a->flags & LIBSSH2_SFTP_ATTR_EXTENDED)
        for (size_t n = take_u32(c); n && c->at; n--) {
            take_string(c);
            take_string(c);
        }
}

/* --- asking -------------------------------------------------------------- */

/* Room for a packet at the end of `out`, or NULL. */
static unsigned char *
room(s2_lane *l, size_t len, size_t cap)
{
    if (l->out_start == l->out_end)
        l->out_start = l->out_end = l->whole = 0;
    if (l->out_end + len > cap && l->out_start) {
        memmove(l->out, l->out + l->out_start, l->out_end - l->out_start);
        l->out_end -= l->out_start;
        l->whole -= l->out_start;
        l->out_start = 0;
    }
    return l->out_end + len > cap ? NULL : l->out + l->out_end;
}

unsigned char *
s2_ask(s2_lane *l, int type, const void *str, size_t len, size_t more,
       s2_reply_fn fn, void *owner, uint64_t tag)
{
    s2_request *r = &l->request[l->id % S2_FLYING];
    size_t size = HEAD + len + more;
    unsigned char *to = NULL;

    if (!r->fn)
        to = room(l, size, type == FXP_WRITE ? OUT - SPARE : OUT);
    if (!to)
        return NULL;
    *r = (s2_request){fn, owner, tag, l->id};
    l->last = l->out_end;
    l->out_end += size;
    l->flying++;
    to = put_u32(to, size - 4);
    *to++ = (unsigned char)type;
    return put_string(put_u32(to, l->id++), str, len);
}

void
s2_ask_less(s2_lane *l, size_t bytes)
{
    l->out_end -= bytes;
    put_u32(l->out + l->last, l->out_end - l->last - 4);
}

void
s2_ask_not(s2_lane *l)
{
    l->out_end = l->last;
    l->request[--l->id % S2_FLYING].fn = NULL;
    l->flying--;
}

void
s2_lane_forget(s2_lane *l)
{
    for (size_t at = l->whole; at < l->out_end && l->greeted; l->flying--)
        at += 4 + take_u32(&(cursor){l->out + at, 4});
    l->out_end = l->whole;
    memset(l->request, 0, sizeof l->request); /* nobody hears the answers */
}

/* --- turns --------------------------------------------------------------- */

static bool
is_shut(const s2_lane *l)
{
    return !libssh2_channel_window_write_ex(l->talk.raw, NULL);
}

static int
send(s2_op *op, s2_lane *l)
{
    s2_session *s = S2_SESSION(op);
    size_t before = l->out_start;

    while (!l->ended && l->out_start < l->out_end) {
        ssize_t n;

        if (s2_wire_queued(&s->wire) > S2_WIRE_ROOM)
            break;
        n = libssh2_channel_write_ex(l->talk.raw, 0,
                                     (char *)l->out + l->out_start,
                                     l->out_end - l->out_start);
        if (n < 0 && n != LIBSSH2_ERROR_EAGAIN)
            return (int)n;
        if (n <= 0) {
            if (s2_closed_by_peer(op, l->talk.raw))
                l->ended = true;
            /* Amid an exchange of keys a packet is begun: it stays as it is. */
            if (!is_shut(l))
                l->whole = l->out_end;
            break;
        }
        l->out_start += (size_t)n;
        while (l->whole < l->out_start)
            l->whole += 4 + take_u32(&(cursor){l->out + l->whole, 4});
    }
    return l->out_start != before;
}

static int
receive(s2_lane *l)
{
    size_t before = l->in_end;

    while (l->in_end < IN) {
        ssize_t n = libssh2_channel_read_ex(
            l->talk.raw, 0, (char *)l->in + l->in_end, IN - l->in_end);

        if (n == LIBSSH2_ERROR_EAGAIN)
            break;
        if (n < 0)
            return (int)n;
        if (n == 0) {
            l->ended = true;
            break;
        }
        l->in_end += (size_t)n;
    }
    return l->in_end != before;
}

/* The next whole packet: 1, 0 if there is none, or a failure. */
static int
next(s2_op *op, s2_lane *l, cursor *packet)
{
    cursor c = {l->in + l->in_start, l->in_end - l->in_start};
    size_t len;

    if (c.left < 4)
        return 0;
    len = take_u32(&c);
    if (len < 5 || len > PACKET)
        return fail(op, "the server's packet has no such length");
    if (c.left < len)
        return 0;
    *packet = (cursor){c.at, len};
    l->in_start += 4 + len;
    return 1;
}

/* OpenSSH's PROTOCOL, 4.8: the longest packet, read and write, or 0. */
static int
on_limits(s2_op *op, void *owner, uint64_t tag, const s2_reply *r)
{
    s2_lane *l = owner;
    cursor c = r->body;
    uint64_t packet = s2_take_u64(&c), gives = s2_take_u64(&c),
             takes = s2_take_u64(&c), most = S2_PIECES;

    (void)op;
    (void)tag;
    if (packet < most + WRITE_HEAD)
        most = packet < WRITE_HEAD ? 0 : packet - WRITE_HEAD;
    most = gives < most ? gives : most;
    most = takes < most ? takes : most;
    if (r->type == FXP_EXTENDED_REPLY && c.at && most > S2_PIECE)
        l->piece = (size_t)most;
    return 0;
}

static int
greeting(s2_op *op, s2_lane *l, cursor c)
{
    static const char limits[] = "limits@openssh.com";
    bool tells = false;

    if (take_byte(&c) != FXP_VERSION || take_u32(&c) < VERSION)
        return fail(op, "the server speaks another version of SFTP");
    while (c.at && c.left) {
        cursor name = take_string(&c);

        take_string(&c);
        if (c.at && is(name, "posix-rename@openssh.com"))
            l->posix_rename = true;
        if (c.at && is(name, limits))
            tells = true;
    }
    if (tells)
        s2_ask(l, FXP_EXTENDED, limits, sizeof limits - 1, 0, on_limits, l, 0);
    l->greeted = true;
    /* What nobody reads would fill the window. */
    libssh2_channel_handle_extended_data2(l->talk.raw,
                                          LIBSSH2_CHANNEL_EXTENDED_DATA_IGNORE);
    return 0;
}

static int
answer(s2_op *op, s2_lane *l, cursor c)
{
    s2_reply reply = {.type = take_byte(&c)};
    size_t id = take_u32(&c);
    s2_request *r = &l->request[id % S2_FLYING], request = *r;

    if (!r->fn || r->id != id)
        return fail(op, "the server answers what was not asked");
    r->fn = NULL;
    l->flying--;
    reply.body = c;
    if (reply.type == FXP_STATUS) {
        reply.status = take_u32(&c);
        if (!c.at)
            return fail(op, "the server's status is cut short");
    }
    return request.fn(op, request.owner, request.tag, &reply);
}

int
s2_lane_turn(s2_op *op, s2_lane *l)
{
    int sent = send(op, l), got, rc;
    bool shut = is_shut(l);
    cursor packet = {NULL, 0};

    if (sent < 0 || (got = receive(l)) < 0)
        return sent < 0 ? sent : got;
    got |= shut && !is_shut(l); /* nothing else may come */
    while ((rc = next(op, l, &packet)) > 0)
        if ((rc = l->greeted ? answer(op, l, packet)
                             : greeting(op, l, packet)) < 0)
            break;
    if (l->in_start) {
        memmove(l->in, l->in + l->in_start, l->in_end - l->in_start);
        l->in_end -= l->in_start;
        l->in_start = 0;
    }
    if (rc < 0)
        return rc;
    /* What it has answered before its end counts. */
    return sent || got ? 1 : l->ended ? over(op, l) : 0;
}

/* --- opening and ending -------------------------------------------------- */

void
s2_lane_free(s2_lane *l)
{
    if (!l)
        return;
    free(l->in);
    free(l->out);
    free(l);
}

/* A lane that nobody wants.  What the server is still to do it does while the
 * channel is open: later calls on the session await its answers. */
typedef struct leaving {
    s2_obj obj;
    s2_lane *lane;
    bool hears;
    int64_t tried, until; /* ms */
} leaving;

/* Answers, of no account. */
static void
pass_over(s2_lane *l)
{
    cursor c = {l->in, l->in_end};
    size_t len;

    while (c.left >= 4 && (len = take_u32(&(cursor){c.at, 4})) <= c.left - 4) {
        take(&c, 4 + len);
        l->flying -= l->flying > 0;
    }
    memmove(l->in, c.at, c.left);
    l->in_end = c.left;
}

/* Say what there is to say, and hear the rest: 0, or EAGAIN.  What is heard may
 * be that there is room again. */
static int
last_words(s2_lane *l)
{
    ssize_t n;
    bool shut;

    do {
        n = 1;
        while (l->out_start < l->out_end && n > 0) {
            n = libssh2_channel_write_ex(l->talk.raw, 0,
                                         (char *)l->out + l->out_start,
                                         l->out_end - l->out_start);
            l->out_start += n > 0 ? (size_t)n : 0;
        }
        if (n < 0 && n != LIBSSH2_ERROR_EAGAIN)
            return 0;
        shut = is_shut(l);
        while (l->flying && l->in_end < IN &&
               (n = libssh2_channel_read_ex(l->talk.raw, 0,
                                            (char *)l->in + l->in_end,
                                            IN - l->in_end)) > 0) {
            l->in_end += (size_t)n;
            pass_over(l);
        }
    } while (n == LIBSSH2_ERROR_EAGAIN && shut && !is_shut(l));
    return l->flying && n == LIBSSH2_ERROR_EAGAIN ? LIBSSH2_ERROR_EAGAIN : 0;
}

static void
hear(leaving *last, bool hears)
{
    if (hears != last->hears)
        atomic_fetch_add(&last->obj.session->undoing, hears ? 1 : -1U);
    last->hears = hears;
}

static int
leaving_finish(s2_obj *obj)
{
    leaving *last = (leaving *)obj;
    s2_lane *l = last->lane;
    size_t start = l->out_start;
    unsigned flying = l->flying;
    int64_t now = s2_now();

    if (last->hears && last_words(l)) {
        /* It counts from when it was last got on with; nor is it the server's
         * fault that nobody has tried. */
        if (l->out_start != start || l->flying != flying ||
            now - last->tried > LAST_WORDS / 2)
            last->until = now + LAST_WORDS;
        last->tried = now;
        if (now < last->until)
            return LIBSSH2_ERROR_EAGAIN;
    }
    hear(last, false);
    return libssh2_channel_free(l->talk.raw);
}

static void
leaving_destroy(s2_obj *obj)
{
    s2_lane_free(((leaving *)obj)->lane);
}

static const s2_type leaving_type = {"SFTP channel", leaving_finish,
                                     leaving_destroy, 0};

void
s2_lane_drop(s2_op *op, s2_lane *l, bool hears)
{
    leaving *last;

    if (!l || !l->talk.raw) {
        s2_lane_free(l);
    } else if ((last =
                    s2_obj_new(&leaving_type, sizeof *last, S2_SESSION(op)))) {
        last->lane = l;
        hear(last, hears && last_words(l));
        last->tried = s2_now();
        last->until = last->tried + LAST_WORDS;
        s2_release(last);
    } else {
        s2_session_end(S2_SESSION(op), &s2_no_memory); /* which frees all */
        s2_lane_free(l);
    }
}

void
s2_lane_rest(s2_lane *l)
{
    free(l->in);
    free(l->out);
    l->in = l->out = NULL;
    l->in_start = l->in_end = 0;
    l->out_start = l->out_end = l->whole = 0;
}

bool
s2_lane_wake(s2_lane *l)
{
    return (l->in = malloc(IN)) && (l->out = malloc(OUT));
}

static s2_lane *
lane_new(void)
{
    s2_lane *l = calloc(1, sizeof *l);

    if (l && s2_lane_wake(l)) {
        l->talk.window = WINDOW;
        l->piece = S2_PIECE;
        l->out_end = 9;
        put_u32(put_u32(l->out, 5) + 1, VERSION);
        l->out[4] = FXP_INIT;
        return l;
    }
    s2_lane_free(l);
    return NULL;
}

int
s2_lane_open(s2_op *op, s2_lane **lane)
{
    if (!*lane && !(*lane = lane_new()))
        return s2_op_fail(op, &s2_no_memory);
    return s2_talk_start(op, &(*lane)->talk, "subsystem", "sftp", 4);
}
