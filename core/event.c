/*
 * Events: what the server does on its own, told to the language after the call
 * in which it came, or where that call waits.
 *
 * libssh2 calls back inside a turn, where no language code may run; so what came
 * is queued here.  The queue holds no object: a channel that nobody was told of
 * is libssh2's, and goes with it.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than that an honest server does not send before the next call. */
enum { MAX_MESSAGES = 4096, MAX_BYTES = 4 << 20, MAX_TEXT = 8192 };
enum { MAX_CHANNELS = 64, MAX_UNWANTED = 1024 };

void
s2_event_free(s2_event *e)
{
    for (size_t i = 0; i < e->count; i++)
        s2_value_free(&e->args[i]);
    free(e);
}

static void
events_free(s2_event *e)
{
    while (e) {
        s2_event *next = e->next;

        s2_event_free(e);
        e = next;
    }
}

void
s2_events_drop(s2_events *q)
{
    s2_event *e;

    pthread_mutex_lock(&q->mutex);
    e = q->first;
    q->first = NULL;
    q->last = &q->first;
    q->bytes = q->messages = q->channels = q->lost = 0;
    atomic_store(&q->any, false);
    pthread_mutex_unlock(&q->mutex);
    events_free(e);
}

void
s2_events_init(s2_events *q)
{
    pthread_mutex_init(&q->mutex, NULL);
    q->last = &q->first;
}

void
s2_events_destroy(s2_events *q)
{
    s2_events_drop(q);
    pthread_mutex_destroy(&q->mutex);
}

/* --- in ------------------------------------------------------------------ */

static bool
wanted(const s2_session *s, int kind)
{
    return s->events.wanted >> (kind + 1) & 1;
}

static s2_event *
event_new(int kind, size_t count)
{
    s2_event *e = calloc(1, sizeof *e);

    if (e) {
        e->kind = kind;
        e->count = count;
    }
    return e;
}

static void
add_number(s2_event *e, int i, int64_t number)
{
    if (e)
        e->args[i] = (s2_value){.kind = S2_NUMBER, .number = number};
}

/* NULL once there was no memory for it. */
static s2_event *
add_bytes(s2_event *e, int i, s2_kind kind, const char *p, int len)
{
    if (!e)
        return NULL;
    if (!p || len < 0)
        len = 0;
    if (len > MAX_TEXT)
        len = MAX_TEXT;
    e->args[i].kind = kind;
    if (s2_buf_set(&e->args[i].bytes, p ? p : "", (size_t)len))
        return e;
    s2_event_free(e);
    return NULL;
}

/* The event goes to the end of the queue, if there is room. */
static bool
push(s2_session *s, s2_event *e)
{
    s2_events *q = &s->events;
    size_t bytes = 0;
    bool room;

    if (!e)
        return false;
    for (size_t i = 0; i < e->count; i++)
        bytes += e->args[i].bytes.len;
    pthread_mutex_lock(&q->mutex);
    room = e->raw ? q->channels < MAX_CHANNELS
                  : e->kind == LIBSSH2_CALLBACK_DISCONNECT ||
                        (q->messages < MAX_MESSAGES &&
                         q->bytes + bytes <= MAX_BYTES);
    if (room) {
        q->bytes += bytes;
        q->channels += e->raw != NULL;
        q->messages += !e->raw;
        *q->last = e;
        q->last = &e->next;
        atomic_store(&q->any, true);
    } else {
        q->lost += e->kind == S2_TRACE;
    }
    pthread_mutex_unlock(&q->mutex);
    if (!room)
        s2_event_free(e);
    return room;
}

/* A channel that nobody will be told of is closed. */
static void
refuse(s2_session *s, LIBSSH2_CHANNEL *raw)
{
    if (s->events.unwanted >= MAX_UNWANTED) {
        s2_session_end(s, s2_error_new(S2_C_ProtocolError, LIBSSH2_ERROR_PROTO,
                                       NULL, NULL,
                                       "the server opens channels without "
                                       "end"));
        return;
    }
    s2_release(s2_channel_unwanted(s, raw));
}

static LIBSSH2_X11_OPEN_FUNC(on_x11)
{
    s2_session *s = *abstract;
    s2_event *e = event_new(LIBSSH2_CALLBACK_X11, 3);

    (void)session;
    if (e)
        e->raw = channel;
    add_number(e, 2, sport);
    /* It ends with its packet at the latest: see s2_alloc_new(). */
    e = add_bytes(e, 1, S2_TEXT, shost, (int)strnlen(shost, MAX_TEXT));
    if (!push(s, e))
        refuse(s, channel);
}

#ifdef LIBSSH2_CALLBACK_AUTHAGENT
static LIBSSH2_AUTHAGENT_FUNC(on_authagent)
{
    s2_session *s = *abstract;
    s2_event *e = wanted(s, LIBSSH2_CALLBACK_AUTHAGENT)
                      ? event_new(LIBSSH2_CALLBACK_AUTHAGENT, 1)
                      : NULL;

    (void)session;
    if (e)
        e->raw = channel;
    if (!push(s, e))
        refuse(s, channel);
}
#endif

static LIBSSH2_DISCONNECT_FUNC(on_disconnect)
{
    s2_session *s = *abstract;
    s2_event *e = wanted(s, LIBSSH2_CALLBACK_DISCONNECT)
                      ? event_new(LIBSSH2_CALLBACK_DISCONNECT, 3)
                      : NULL;

    (void)session;
    free(s->goodbye);
    s->goodbye = NULL;
    if (message_len > 0 && message_len < 1024)
        s->goodbye = strndup(message, (size_t)message_len);
    add_number(e, 0, reason);
    e = add_bytes(e, 1, S2_TEXT, message, message_len);
    push(s, add_bytes(e, 2, S2_TEXT, language, language_len));
}

static LIBSSH2_DEBUG_FUNC(on_debug)
{
    s2_event *e = event_new(LIBSSH2_CALLBACK_DEBUG, 3);

    (void)session;
    add_number(e, 2, always_display != 0);
    e = add_bytes(e, 0, S2_TEXT, message, message_len);
    push(*abstract, add_bytes(e, 1, S2_TEXT, language, language_len));
}

static LIBSSH2_IGNORE_FUNC(on_ignore)
{
    const unsigned char *p = (const unsigned char *)message;
    int len = message_len;

    (void)session;
    /* libssh2 takes the string's length for a part of it. */
    if (len >= 4 && p[0] == 0 && (p[1] << 16 | p[2] << 8 | p[3]) == len - 4) {
        message += 4;
        len -= 4;
    }
    push(*abstract, add_bytes(event_new(LIBSSH2_CALLBACK_IGNORE, 1), 0,
                              S2_BYTES, message, len));
}

/* --- out ----------------------------------------------------------------- */

bool
s2_events_due(s2_session *s)
{
    s2_events *q = &s->events;
    bool due;

    if (!atomic_load_explicit(&q->any, memory_order_relaxed))
        return false;
    pthread_mutex_lock(&q->mutex);
    due = q->first && !q->told;
    pthread_mutex_unlock(&q->mutex);
    return due;
}

/* Who tells tells all: the events stay in order, and one that comes amid a
 * callback waits for its end. */
bool
s2_events_begin(s2_session *s)
{
    s2_events *q = &s->events;
    bool mine;

    pthread_mutex_lock(&q->mutex);
    mine = q->first && !q->told;
    q->told |= mine;
    pthread_mutex_unlock(&q->mutex);
    return mine;
}

/* The next one, the caller's to free; NULL ends the telling. */
s2_event *
s2_events_next(s2_session *s)
{
    s2_events *q = &s->events;
    s2_event *e;
    char text[64];

    pthread_mutex_lock(&q->mutex);
    e = q->first;
    if (e) {
        q->first = e->next;
        for (size_t i = 0; i < e->count; i++)
            q->bytes -= e->args[i].bytes.len;
        q->channels -= e->raw != NULL;
        q->messages -= !e->raw;
    } else if (q->lost) {
        snprintf(text, sizeof text, "%zu lines were too many", q->lost);
        e = add_bytes(event_new(S2_TRACE, 1), 0, S2_TEXT, text,
                      (int)strlen(text));
        q->lost = 0;
    }
    if (!q->first) {
        q->last = &q->first;
        atomic_store(&q->any, false);
    }
    if (!e)
        q->told = false;
    pthread_mutex_unlock(&q->mutex);
    return e;
}

/* Leave the rest to another call. */
void
s2_events_end(s2_session *s)
{
    pthread_mutex_lock(&s->events.mutex);
    s->events.told = false;
    pthread_mutex_unlock(&s->events.mutex);
}

/* --- which --------------------------------------------------------------- */

static void
want(s2_session *s, int kind, bool on)
{
    unsigned bit = 1u << (kind + 1);

    s->events.wanted = on ? s->events.wanted | bit : s->events.wanted & ~bit;
}

static int
refused(s2_op *op, const char *why)
{
    return s2_op_fail(op, s2_error_new(S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE,
                                       op->func, NULL, "%s", why));
}

static int
callback_set_step(s2_op *op)
{
    s2_session *s = S2_SESSION(op);
    bool on = op->n[1];

    switch (op->n[0]) {
    case LIBSSH2_CALLBACK_X11:
        SET_CALLBACK(s->raw, LIBSSH2_CALLBACK_X11, on ? on_x11 : NULL);
        break;
    case LIBSSH2_CALLBACK_DEBUG:
        SET_CALLBACK(s->raw, LIBSSH2_CALLBACK_DEBUG, on ? on_debug : NULL);
        break;
    case LIBSSH2_CALLBACK_IGNORE:
        SET_CALLBACK(s->raw, LIBSSH2_CALLBACK_IGNORE, on ? on_ignore : NULL);
        break;
    case LIBSSH2_CALLBACK_DISCONNECT:
#ifdef LIBSSH2_CALLBACK_AUTHAGENT
    case LIBSSH2_CALLBACK_AUTHAGENT:
#endif
        break; /* always called back */
#ifndef LIBSSH2_CALLBACK_AUTHAGENT
    case 7:
        return s2_op_fail(op, s2_error_missing("LIBSSH2_CALLBACK_AUTHAGENT"));
#else
    case LIBSSH2_CALLBACK_AUTHAGENT_IDENTITIES:
    case LIBSSH2_CALLBACK_AUTHAGENT_SIGN:
        return refused(op, "LIBSSH2_CALLBACK_AUTHAGENT gives the channel, to "
                           "be copied to an agent");
#endif
    case LIBSSH2_CALLBACK_MACERROR:
        return refused(op, "a packet with a wrong MAC is never accepted");
    case LIBSSH2_CALLBACK_SEND:
    case LIBSSH2_CALLBACK_RECV:
        return refused(op, "handshake() takes an object that reads and writes");
    default:
        return refused(op, "there is no such callback");
    }
    want(s, (int)op->n[0], on);
    return 0;
}

enum { ANY_TIME = S2_QUICK | S2_EARLY | S2_AFTER_END };

s2_error *
s2_session_callback_set(s2_session *s, int cbtype, s2_call_fn callback,
                        void *ctx_or_none)
{
    s2_op op = S2_OP(s, callback_set_step, "libssh2_session_callback_set", NULL,
                     ANY_TIME);

    (void)ctx_or_none;
    op.n[0] = cbtype;
    op.n[1] = callback != NULL;
    return s2_op_call(&op);
}

/* --- trace --------------------------------------------------------------- */

/* What comes after these is a secret, or what was in a packet. */
static const char *const ends[] = {
    " message=", " cookie=", "Debug Packet: ", "environment variable: "};

static void
on_trace(LIBSSH2_SESSION *raw, void *ctx, const char *text, size_t len)
{
    static const char ours[] = "[libssh2] ";
    s2_session *s = ctx;
    char line[2048];

    (void)raw;
    /* The bytes of each packet come without the prefix. */
    if (!wanted(s, S2_TRACE) || len < sizeof ours ||
        memcmp(text, ours, sizeof ours - 1))
        return;
    snprintf(line, sizeof line, "%.*s", (int)len, text);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char *at = strstr(line, ends[i]);

        if (at)
            strcpy(at + strlen(ends[i]) - 1, "...");
    }
    push(s, add_bytes(event_new(S2_TRACE, 1), 0, S2_TEXT, line,
                      (int)strlen(line)));
}

static bool can_trace;

static void
note_trace(LIBSSH2_SESSION *raw, void *ctx, const char *text, size_t len)
{
    (void)raw;
    (void)ctx;
    (void)text;
    can_trace |= len > 0;
}

static void
try_trace(void)
{
    LIBSSH2_SESSION *raw = libssh2_session_init();

    if (!raw)
        return;
    libssh2_trace_sethandler(raw, NULL, note_trace);
    libssh2_trace(raw, LIBSSH2_TRACE_ERROR);
    libssh2_session_set_last_error(raw, LIBSSH2_ERROR_INVAL, "");
    libssh2_trace(raw, 0);
    libssh2_session_free(raw);
}

bool
s2_can_trace(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, try_trace);
    return can_trace;
}

static int
trace_step(s2_op *op)
{
    return op->n[0] && !s2_can_trace()
               ? s2_op_fail(op, s2_error_new(S2_C_MethodNotSupported,
                                             LIBSSH2_ERROR_METHOD_NOT_SUPPORTED,
                                             op->func, NULL,
                                             "this libssh2 was built without "
                                             "debug logging"))
               : libssh2_trace(S2_RAW(op), (int)op->n[0]);
}

s2_error *
s2_session_trace(s2_session *s, int bitmask)
{
    s2_op op = S2_OP(s, trace_step, "libssh2_trace", NULL, ANY_TIME);

    op.n[0] = bitmask;
    return s2_op_call(&op);
}

static int
sethandler_step(s2_op *op)
{
    want(S2_SESSION(op), S2_TRACE, op->n[0]);
    return 0;
}

s2_error *
s2_session_trace_sethandler(s2_session *s, s2_call_fn callback,
                            void *ctx_or_none)
{
    s2_op op =
        S2_OP(s, sethandler_step, "libssh2_trace_sethandler", NULL, ANY_TIME);

    (void)ctx_or_none;
    op.n[0] = callback != NULL;
    return s2_op_call(&op);
}

/* --- the beginning and the end ------------------------------------------- */

void
s2_events_start(s2_session *s)
{
    SET_CALLBACK(s->raw, LIBSSH2_CALLBACK_DISCONNECT, on_disconnect);
#ifdef LIBSSH2_CALLBACK_AUTHAGENT
    /* Without a callback libssh2 refuses by a packet that is a byte too long,
     * for which sshd ends the connection. */
    SET_CALLBACK(s->raw, LIBSSH2_CALLBACK_AUTHAGENT, on_authagent);
#endif
    libssh2_trace_sethandler(s->raw, s, on_trace);
}

/* libssh2 may still read what came, and is to open nothing. */
void
s2_events_stop(s2_session *s)
{
    SET_CALLBACK(s->raw, LIBSSH2_CALLBACK_X11, NULL);
#ifdef LIBSSH2_CALLBACK_AUTHAGENT
    SET_CALLBACK(s->raw, LIBSSH2_CALLBACK_AUTHAGENT, NULL);
#endif
}
