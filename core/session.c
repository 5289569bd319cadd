/* Session: one SSH transport, its settings and what it has agreed on. */
#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__linux__) && defined(__aarch64__)
#include <sys/auxv.h>
#endif

enum { UNDO_WAIT = 2000 }; /* ms */

static int init_rc;

static void
init_once(void)
{
    /* OpenSSL's own clean-up at exit would run under threads still at work. */
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
    init_rc = libssh2_init(0);
}

s2_error *
s2_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init_once);
    if (!init_rc)
        return NULL;
    return s2_error_new(s2_class_of_code(init_rc), init_rc, "libssh2_init",
                        NULL, "libssh2 cannot start");
}

const char *
s2_version(int required_version)
{
    return libssh2_version(required_version);
}

atomic_size_t s2_leaked;

/* --- making and ending --------------------------------------------------- */

static void *
alloc_new(size_t size, void **abstract)
{
    return s2_alloc_new(&((s2_session *)*abstract)->alloc, size);
}

static void *
alloc_resize(void *p, size_t size, void **abstract)
{
    return s2_alloc_resize(&((s2_session *)*abstract)->alloc, p, size);
}

static void
alloc_free(void *p, void **abstract)
{
    s2_alloc_free(&((s2_session *)*abstract)->alloc, p);
}

static LIBSSH2_SEND_FUNC(wire_send)
{
    s2_session *s = *abstract;

    (void)socket;
    (void)flags;
    return s2_wire_send(&s->wire, buffer, length);
}

static LIBSSH2_RECV_FUNC(wire_recv)
{
    s2_session *s = *abstract;

    (void)socket;
    (void)flags;
    s2_alloc_fresh(&s->alloc);
    return s2_wire_recv(&s->wire, buffer, length);
}

s2_session *
s2_session_create(void)
{
    s2_session *s = s2_obj_new(&s2_session_type, sizeof *s, NULL);

    s2_watch_forks();

    if (!s)
        return NULL;
    s->wire.fd = s->wire.user_fd = -1;
    atomic_init(&s->seen.fd, -1);
    s->generation = s2_generation;
    s2_turn_init(&s->turn);
    s2_events_init(&s->events);
    atomic_init(&s->blocking, true);
    /* On one processor the peer could do nothing meanwhile. */
    atomic_init(&s->far, sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 0 : INT_MAX);
    s->raw = libssh2_session_init_ex(alloc_new, alloc_free, alloc_resize, s);
    if (!s->raw) {
        s2_release(s);
        return NULL;
    }
    SET_CALLBACK(s->raw, LIBSSH2_CALLBACK_SEND, wire_send);
    SET_CALLBACK(s->raw, LIBSSH2_CALLBACK_RECV, wire_recv);
    s2_events_start(s);
    libssh2_session_set_blocking(s->raw, 0);
#ifdef S2_HAVE_libssh2_session_set_read_timeout
    /* Deadlines are ours; libssh2 would give up on a slow answer. */
    libssh2_session_set_read_timeout(s->raw, 10L * 365 * 86400);
#endif
    return s;
}

/* All that is left goes at once; nothing is sent, nothing waited for. */
static void
session_destroy(s2_obj *obj)
{
    s2_session *s = (s2_session *)obj;

    /* In a child another thread may have been amid any of this. */
    if (s->generation != s2_generation) {
        if (s->wire.fd >= 0)
            close(s->wire.fd);
        return;
    }
    atomic_store(&obj->refs, 1); /* what is settled still has a parent */
    s2_owed_drop(s, NULL);
    s->wire.ending = true;
    s->alloc.keep = true;
    if (s->raw)
        s2_events_stop(s);
    s2_record_drop(&s->scope);
    s2_parked_finish(s);
    if (s->raw)
        libssh2_session_free(s->raw);
    if (!s->dead)
        atomic_fetch_add(&s2_leaked, s->alloc.count);
    s2_alloc_end(&s->alloc);
    s2_wire_close(&s->wire);
    s2_turn_destroy(&s->turn);
    s2_events_destroy(&s->events);
    s2_error_free(s->dead);
    for (int i = 0; i < S2_METHODS; i++)
        free(s->prefs[i]);
    free(s->goodbye);
    s2_buf_free(&s->hostkey);
}

const s2_type s2_session_type = {"session", NULL, session_destroy, 9};

static int
undo_step(s2_op *op)
{
    s2_session *s = S2_SESSION(op);
    size_t parked = 0;

    s2_owed_drop(s, NULL); /* transfers that nobody calls for again */
    for (const s2_obj *o = s->parked; o; o = o->next_parked)
        parked++;
    while (parked--)
        s2_parked_advance(s);
    return atomic_load(&s->undoing) ? LIBSSH2_ERROR_EAGAIN : 0;
}

/* What transfers that were left have still to undo would stay on the server
 * once nothing is sent any more.  No failure of this is the caller's but what
 * the language raises. */
static s2_error *
undo(s2_session *s, const char *func)
{
    s2_op op = S2_OP(s, undo_step, func, NULL, 0);
    s2_error *err;

    op.timeout = UNDO_WAIT;
    if ((err = s2_op_call(&op)) == &s2_raised)
        return err;
    s2_error_free(err);
    return NULL;
}

static int
close_step(s2_op *op)
{
    s2_session *s = S2_SESSION(op);

    atomic_store(&s->obj.closed, true);
    s->ended |= !s->dead;
    s2_session_end(s, s2_error_new(S2_C_ClosedError, LIBSSH2_ERROR_BAD_USE,
                                   NULL, NULL, "the session is closed"));
    s2_events_drop(&s->events);
    s2_owed_drop(s, NULL);
    s2_session_wake_all(s);
    return 0;
}

s2_error *
s2_session_close(s2_session *s)
{
    s2_op op = S2_OP(s, close_step, "close", NULL,
                     S2_QUICK | S2_EARLY | S2_AFTER_END | S2_AFTER_CLOSE);
    s2_error *raised = undo(s, op.func), *err = s2_op_call(&op);

    return raised ? raised : err;
}

bool
s2_session_closed(s2_session *s)
{
    return atomic_load(&s->obj.closed);
}

int
s2_session_fileno(s2_session *s)
{
    return s->generation != s2_generation || atomic_load(&s->obj.closed)
               ? -1
               : atomic_load(&s->seen.fd);
}

/* --- handshake and goodbye ----------------------------------------------- */

/* The kind of a cipher, or of compression, by how libssh2 frames its packets. */
static char
kind_of(const char *name)
{
    size_t len = strcspn(name, ",");

    if (!strncmp(name, "chacha20-poly1305", 17))
        return 'c';
    if (len > 16 && !strncmp(name + len - 16, "-gcm@openssh.com", 16))
        return 'g';
    if (!strncmp(name, "zlib@openssh.com", 16))
        return 'd';
    return !strncmp(name, "zlib", 4)   ? 'z'
           : !strncmp(name, "none", 4) ? 'n'
                                       : 'b';
}

/* Keep the names of one kind, in place; how many are left. */
static int
keep_kind(char *list, char kind)
{
    char *from = list, *to = list;
    int count = 0;

    while (*from) {
        size_t len = strcspn(from, ","), step = len + (from[len] == ',');

        if (kind_of(from) == kind) {
            if (count++)
                *to++ = ',';
            memmove(to, from, len);
            to += len;
        }
        from += step;
    }
    *to = '\0';
    return count;
}

s2_error *
s2_handshake_made(const s2_op *op)
{
    return s2_error_new(S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE, op->func, NULL,
                        "the handshake was made%s",
                        op->self->session->shaken ? "" : " in part");
}

/*
 * Let both directions come to one kind of cipher, or of compression: 1.11 is
 * at a loss, or crashes, where it receives by one kind and sends by another.
 * What the program prefers for one direction alone is taken for both.
 */
static int
pair_methods(s2_op *op, int there, int back)
{
    s2_session *s = S2_SESSION(op);
    char *a = s->prefs[there], *b = s->prefs[back];
    int rc;

    if (!a && !b)
        return 0;
    if (!a || !b)
        return libssh2_session_method_pref(s->raw, a ? back : there, a ? a : b);
    if (!strcmp(a, b))
        return 0;
    for (char *at = a; *at; at += strcspn(at, ","), at += *at == ',') {
        char kind = kind_of(at);
        char *other = b;

        while (*other && kind_of(other) != kind) {
            other += strcspn(other, ",");
            other += *other == ',';
        }
        if (!*other)
            continue;
        keep_kind(a, kind);
        keep_kind(b, kind);
        rc = libssh2_session_method_pref(s->raw, there, a);
        return rc ? rc : libssh2_session_method_pref(s->raw, back, b);
    }
    return s2_op_fail(op, s2_error_new(S2_C_MethodNotSupported,
                                       LIBSSH2_ERROR_METHOD_NOT_SUPPORTED,
                                       op->func, NULL,
                                       "%s one way and %s the other: libssh2 "
                                       "needs one kind",
                                       a, b));
}

static bool
has_aes_hardware(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_cpu_supports("aes");
#elif defined(__aarch64__) && defined(HWCAP_AES)
    return getauxval(AT_HWCAP) & HWCAP_AES;
#elif defined(__APPLE__) && defined(__aarch64__)
    return true;
#else
    return false;
#endif
}

/*
 * Of a program that has no wish, ask for AES-GCM before what libssh2 would: of
 * two ciphers that are as strong it is the faster one, where the processor has
 * AES and libssh2 gives it packets instead of blocks.
 */
static int
prefer_fast(s2_session *s)
{
    const char **names = NULL;
    char list[1024] = "";
    int count, rc;

    if (!SSH2_WHOLE_PACKETS || !has_aes_hardware() ||
        s->prefs[LIBSSH2_METHOD_CRYPT_CS] || s->prefs[LIBSSH2_METHOD_CRYPT_SC])
        return 0;
    count =
        libssh2_session_supported_algs(s->raw, LIBSSH2_METHOD_CRYPT_CS, &names);
    for (int gcm = 1; gcm >= 0; gcm--)
        for (int i = 0; i < count; i++)
            if ((kind_of(names[i]) == 'g') == gcm &&
                strlen(list) + strlen(names[i]) + 2 < sizeof list) {
                strcat(list, *list ? "," : "");
                strcat(list, names[i]);
            }
    if (names)
        libssh2_free(s->raw, names);
    if (count < 0 || (rc = libssh2_session_method_pref(
                          s->raw, LIBSSH2_METHOD_CRYPT_CS, list)))
        return count < 0 ? count : rc;
    return libssh2_session_method_pref(s->raw, LIBSSH2_METHOD_CRYPT_SC, list);
}

/*
 * Let nothing else be agreed on later: at an exchange of keys libssh2 takes a
 * new method's functions at once, with the state that the old one has; and a
 * host key of another type is another key.
 */
static int
hold_methods(s2_session *s)
{
    for (int i = LIBSSH2_METHOD_HOSTKEY; i <= LIBSSH2_METHOD_COMP_SC; i++) {
        const char *name = libssh2_session_methods(s->raw, i);
        int rc = 0;

        /* The MAC that is part of a cipher is no method. */
        if (name && strncmp(name, "INTEGRATED-", 11))
            rc = libssh2_session_method_pref(s->raw, i, name);
        if (rc)
            return rc;
    }
    return 0;
}

bool
s2_hostkey_stays(s2_session *s)
{
    size_t len = 0;
    const char *key = libssh2_session_hostkey(s->raw, &len, NULL);

    if (!s->hostkey.data)
        return !key || s2_buf_set(&s->hostkey, key, len);
    return key && s->hostkey.len == len && !memcmp(s->hostkey.data, key, len);
}

s2_error *
s2_hostkey_changed(const char *func)
{
    return s2_error_new(S2_C_KeyExchangeError,
                        LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE, func, NULL,
                        "the server changed its host key");
}

int
s2_handshake_step(s2_op *op)
{
    s2_session *s = S2_SESSION(op);
    uint64_t before;
    int rc;

    if (s->shaken)
        return s2_op_fail(op, s2_handshake_made(op));
    if (!s->paired) {
        if ((rc = prefer_fast(s)) ||
            (rc = pair_methods(op, LIBSSH2_METHOD_CRYPT_CS,
                               LIBSSH2_METHOD_CRYPT_SC)) ||
            (rc = pair_methods(op, LIBSSH2_METHOD_COMP_CS,
                               LIBSSH2_METHOD_COMP_SC)))
            return rc;
        s->paired = true;
    }
    /* A second exchange that a server begins at once may fail unnoticed where
     * libssh2 finds all of it in its buffer, and leaves another's host key.  So
     * less is read at a time, and that key looked at in between. */
    do {
        before = s->wire.received;
        s->wire.spare = S2_SPARE;
        if (s->hostkey.data)
            s->wire.most = S2_LESS_THAN_ANY;
        rc = libssh2_session_handshake(s->raw, s->wire.fd);
    } while (rc == LIBSSH2_ERROR_EAGAIN && s->wire.received != before &&
             s2_hostkey_stays(s) && s->wire.received < S2_SPARE);
    if (rc == LIBSSH2_ERROR_EAGAIN && s->wire.received >= S2_SPARE)
        return s2_op_fail(op, s2_error_new(S2_C_ProtocolError,
                                           LIBSSH2_ERROR_PROTO, op->func, NULL,
                                           "the server sends more than a "
                                           "handshake takes"));
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return rc;
    if (!rc) {
        s->shaken = true;
        s->wire.most = 0;
        return hold_methods(s);
    }
    return rc;
}

static int
handshake_step(s2_op *op)
{
    s2_session *s = S2_SESSION(op);

    if (s->wire.fd < 0) {
        s2_error *err = s2_wire_open(&s->wire, (int)op->n[0], false);

        if (err)
            return s2_op_fail(op, err);
    }
    return s2_handshake_step(op);
}

s2_error *
s2_session_handshake(s2_session *s, int sock)
{
    s2_op op = S2_OP(s, handshake_step, "libssh2_session_handshake", &s->scope,
                     S2_EARLY | S2_SHAKES);

    op.n[0] = sock;
    return s2_op_call(&op);
}

static int
disconnect_step(s2_op *op)
{
    s2_session *s = S2_SESSION(op);
    int rc;

    if (s->dead)
        return 0;
    rc = libssh2_session_disconnect_ex(s->raw, (int)op->n[0], op->b[0].p, "");
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return rc;
    s2_wire_flush(&s->wire);
    s->ended = !rc;
    if (!rc)
        s2_session_end(s, s2_error_new(S2_C_SocketDisconnectError,
                                       LIBSSH2_ERROR_SOCKET_DISCONNECT, NULL,
                                       NULL, "the session was disconnected"));
    return rc;
}

s2_error *
s2_session_disconnect(s2_session *s, int reason, const char *description)
{
    s2_op op = S2_OP(s, disconnect_step, "libssh2_session_disconnect_ex",
                     &s->scope, S2_AFTER_END | S2_AFTER_CLOSE);
    s2_error *raised = undo(s, op.func);

    op.n[0] = reason;
    s2_op_text(&op, 0, description ? description : "");
    return raised ? raised : s2_op_call(&op);
}

/* --- settings ------------------------------------------------------------ */

void
s2_session_set_blocking(s2_session *s, bool blocking)
{
    atomic_store(&s->blocking, blocking);
}

bool
s2_session_get_blocking(s2_session *s)
{
    return atomic_load(&s->blocking);
}

void
s2_session_set_timeout(s2_session *s, double timeout)
{
    long ms = timeout > 0 ? timeout < 1e9 ? (long)timeout : 1000000000 : 0;

    atomic_store(&s->timeout, timeout > 0 && !ms ? 1 : ms);
}

long
s2_session_get_timeout(s2_session *s)
{
    return atomic_load(&s->timeout);
}

void
s2_session_set_read_timeout(s2_session *s, long seconds)
{
    atomic_store(&s->read_timeout,
                 seconds > 0 ? seconds < 1000000 ? seconds * 1000 : 1000000000
                             : 0);
}

long
s2_session_get_read_timeout(s2_session *s)
{
    return atomic_load(&s->read_timeout) / 1000;
}

int
s2_session_block_directions(s2_session *s)
{
    return s->generation == s2_generation ? atomic_load(&s->seen.directions)
                                          : 0;
}

enum { ANY_TIME = S2_QUICK | S2_EARLY | S2_AFTER_END };

static int
last_error_step(s2_op *op)
{
    s2_session *s = S2_SESSION(op);
    char *text = NULL;
    int len = 0;

    libssh2_session_last_error(s->raw, &text, &len, 0);
    return s2_op_keep(op, 0, text ? text : "", text ? (size_t)len : 0);
}

s2_error *
s2_session_last_error(s2_session *s, s2_buf *text)
{
    s2_op op =
        S2_OP(s, last_error_step, "libssh2_session_last_error", NULL, ANY_TIME);

    return s2_op_give(&op, text);
}

/* The next exchange of keys would sign another than was sent. */
static int
banner_set_step(s2_op *op)
{
    if (S2_SESSION(op)->paired)
        return s2_op_fail(op, s2_handshake_made(op));
    return libssh2_session_banner_set(S2_RAW(op), op->b[0].p);
}

s2_error *
s2_session_banner_set(s2_session *s, const char *banner)
{
    s2_op op =
        S2_OP(s, banner_set_step, "libssh2_session_banner_set", NULL, ANY_TIME);

    s2_op_text(&op, 0, banner);
    return s2_op_call(&op);
}

static int
set_last_error_step(s2_op *op)
{
    libssh2_session_set_last_error(S2_RAW(op), (int)op->n[0], op->b[0].p);
    return 0;
}

s2_error *
s2_session_set_last_error(s2_session *s, int errcode, const char *errmsg)
{
    s2_op op = S2_OP(s, set_last_error_step, "libssh2_session_set_last_error",
                     NULL, ANY_TIME);

    op.n[0] = errcode;
    s2_op_text(&op, 0, errmsg);
    return s2_op_call(&op);
}

static int
flag_step(s2_op *op)
{
    if (op->n[0] == LIBSSH2_FLAG_QUOTE_PATHS) { /* of SCP, which is ours */
        atomic_store(&S2_SESSION(op)->raw_paths, !op->n[1]);
        return 0;
    }
    if (op->n[0] == LIBSSH2_FLAG_COMPRESS && S2_SESSION(op)->paired)
        return s2_op_fail(op, s2_handshake_made(op));
    return libssh2_session_flag(S2_RAW(op), (int)op->n[0], (int)op->n[1]);
}

s2_error *
s2_session_flag(s2_session *s, int flag, int enabled)
{
    s2_op op = S2_OP(s, flag_step, "libssh2_session_flag", NULL, ANY_TIME);

    op.n[0] = flag;
    op.n[1] = enabled;
    return s2_op_call(&op);
}

static bool
supports(const char **algs, int count, const char *name, size_t len)
{
    for (int i = 0; i < count; i++)
        if (strlen(algs[i]) == len && !memcmp(algs[i], name, len))
            return true;
    return false;
}

/* Without the names it does not know: 1.10 removes those by an overlapping
 * memcpy. */
static int
method_pref_step(s2_op *op)
{
    s2_session *s = S2_SESSION(op);
    const char *from = op->b[0].p, **algs = NULL;
    char *known, *to;
    int count, rc;

    if (s->paired && op->n[0] <= LIBSSH2_METHOD_COMP_SC &&
        (op->n[0] >= LIBSSH2_METHOD_CRYPT_CS ||
         (s->shaken && op->n[0] == LIBSSH2_METHOD_HOSTKEY)))
        return s2_op_fail(op, s2_handshake_made(op));
    count = libssh2_session_supported_algs(S2_RAW(op), (int)op->n[0], &algs);
    if (count == LIBSSH2_ERROR_ALLOC)
        return count;
    to = known = malloc(op->b[0].len + 1);
    while (known && *from) {
        size_t len = strcspn(from, ",");

        if (count <= 0 || supports(algs, count, from, len)) {
            if (to > known)
                *to++ = ',';
            memcpy(to, from, len);
            to += len;
        }
        from += len + (from[len] == ',');
    }
    if (algs)
        libssh2_free(S2_RAW(op), algs);
    if (!known)
        return s2_op_fail(op, &s2_no_memory);
    *to = '\0';
    /* Amid the handshake libssh2 would agree by what it has not offered. */
    if (s->paired && !s->shaken &&
        (op->n[0] == LIBSSH2_METHOD_KEX ||
         op->n[0] == LIBSSH2_METHOD_HOSTKEY)) {
        const char *offered = s->prefs[op->n[0]];

        rc = offered && !strcmp(offered, known)
                 ? 0
                 : s2_op_fail(op, s2_handshake_made(op));
        free(known);
        return rc;
    }
    rc = to > known || !op->b[0].len
             ? libssh2_session_method_pref(S2_RAW(op), (int)op->n[0], known)
             : s2_op_fail(op, s2_error_new(S2_C_MethodNotSupported,
                                           LIBSSH2_ERROR_METHOD_NOT_SUPPORTED,
                                           op->func, op->path,
                                           "libssh2 has none of these"));
    if (!rc && op->n[0] >= 0 && op->n[0] < S2_METHODS) {
        char **kept = &s->prefs[op->n[0]];

        free(*kept);
        *kept = known;
    } else {
        free(known);
    }
    return rc;
}

s2_error *
s2_session_method_pref(s2_session *s, int method_type, const char *prefs)
{
    s2_op op = S2_OP(s, method_pref_step, "libssh2_session_method_pref", NULL,
                     ANY_TIME);

    op.n[0] = method_type;
    s2_op_text(&op, 0, prefs);
    op.path = prefs;
    return s2_op_call(&op);
}

static int
methods_step(s2_op *op)
{
    s2_session *s = S2_SESSION(op);
    /* 1.10 reads through a NULL pointer before the handshake. */
    const char *name =
        s->shaken ? libssh2_session_methods(s->raw, (int)op->n[0]) : NULL;

    return !s->shaken || name ? s2_op_keep_text(op, 0, name)
                              : libssh2_session_last_errno(s->raw);
}

s2_error *
s2_session_methods(s2_session *s, int method_type, s2_buf *text)
{
    s2_op op =
        S2_OP(s, methods_step, "libssh2_session_methods", NULL, ANY_TIME);

    op.n[0] = method_type;
    return s2_op_give(&op, text);
}

static int
supported_algs_step(s2_op *op)
{
    const char **algs = NULL;
    int count =
        libssh2_session_supported_algs(S2_RAW(op), (int)op->n[0], &algs);
    bool ok = true;

    for (int i = 0; i < count && ok; i++)
        ok = s2_list_add(op->dst, algs[i], strlen(algs[i]));
    if (algs)
        libssh2_free(S2_RAW(op), algs);
    return ok ? count : s2_op_fail(op, &s2_no_memory);
}

s2_error *
s2_session_supported_algs(s2_session *s, int method_type, s2_list *texts)
{
    s2_op op = S2_OP(s, supported_algs_step, "libssh2_session_supported_algs",
                     NULL, ANY_TIME);
    s2_error *err;

    op.n[0] = method_type;
    op.dst = texts;
    if ((err = s2_op_call(&op)))
        s2_list_free(texts);
    return err;
}

/* --- the host key -------------------------------------------------------- */

static int
hostkey_step(s2_op *op)
{
    size_t len = 0;
    int type = 0;
    const char *key;

    if (!s2_hostkey_stays(S2_SESSION(op)))
        return s2_op_fail(op, s2_hostkey_changed(op->func));
    key = libssh2_session_hostkey(S2_RAW(op), &len, &type);
    if (!key || !len)
        return s2_op_fail(op, s2_error_new(S2_C_SessionHostKeyError,
                                           LIBSSH2_ERROR_BAD_USE, op->func,
                                           NULL, "there is no host key"));
    op->r[0] = type;
    return s2_op_keep(op, 0, key, len);
}

s2_error *
s2_session_hostkey(s2_session *s, s2_buf *bytes, int *result)
{
    s2_op op = S2_OP(s, hostkey_step, "libssh2_session_hostkey", NULL,
                     S2_QUICK | S2_AFTER_END);
    s2_error *err;

    if (!(err = s2_op_give(&op, bytes)))
        *result = (int)op.r[0];
    return err;
}

static int
hostkey_hash_step(s2_op *op)
{
    /* The hash has no length of its own and may hold zero bytes. */
    size_t len = op->n[0] == LIBSSH2_HOSTKEY_HASH_MD5    ? 16
                 : op->n[0] == LIBSSH2_HOSTKEY_HASH_SHA1 ? 20
                                                         : 32;
    const char *hash = libssh2_hostkey_hash(S2_RAW(op), (int)op->n[0]);

    if (!s2_hostkey_stays(S2_SESSION(op)))
        return s2_op_fail(op, s2_hostkey_changed(op->func));
    if (!hash)
        return s2_op_fail(
            op, s2_error_new(S2_C_SessionHostKeyError, LIBSSH2_ERROR_BAD_USE,
                             op->func, NULL, "no such hash of the host key"));
    return s2_op_keep(op, 0, hash, len);
}

s2_error *
s2_session_hostkey_hash(s2_session *s, int hash_type, s2_buf *bytes)
{
    s2_op op = S2_OP(s, hostkey_hash_step, "libssh2_hostkey_hash", NULL,
                     S2_QUICK | S2_AFTER_END);

    op.n[0] = hash_type;
    return s2_op_give(&op, bytes);
}

/* --- keepalive ----------------------------------------------------------- */

static int
keepalive_config_step(s2_op *op)
{
    s2_session *s = S2_SESSION(op);

    s->keep_reply = op->n[0];
    s->keep_every = op->n[1] * 1000;
    s->keep_next = s->keep_every ? s2_now() + s->keep_every : 0;
    /* It is always due to libssh2, whose clock may be set back. */
    libssh2_keepalive_config(s->raw, op->n[0] != 0,
                             op->n[1] ? (unsigned)INT_MIN : 0);
    return 0;
}

int
s2_keepalive(s2_session *s)
{
    int next;

    if (s->wire.received != s->heard)
        s->kept_silent = 0;
    s->heard = s->wire.received;
    s->kept_silent++;
    s->keep_last = s2_now();
    s->keep_next = s->keep_last + s->keep_every;
    s->replies_due |= s->keep_reply;
    return libssh2_keepalive_send(s->raw, &next);
}

s2_error *
s2_session_keepalive_config(s2_session *s, bool want_reply, unsigned interval)
{
    s2_op op = S2_OP(s, keepalive_config_step, "libssh2_keepalive_config", NULL,
                     ANY_TIME);

    op.n[0] = want_reply;
    op.n[1] = interval;
    return s2_op_call(&op);
}

static int
keepalive_send_step(s2_op *op)
{
    s2_session *s = S2_SESSION(op);
    int rc = 0;

    if (!s->keep_every)
        return 0;
    if (!s->keep_last || s2_now() - s->keep_last >= s->keep_every)
        rc = s2_keepalive(s);
    op->r[0] = (s->keep_last + s->keep_every - s2_now() + 999) / 1000;
    return rc;
}

s2_error *
s2_session_keepalive_send(s2_session *s, int *result)
{
    s2_op op = S2_OP(s, keepalive_send_step, "libssh2_keepalive_send",
                     &s->scope, S2_BULK);
    s2_error *err = s2_op_call(&op);

    if (!err)
        *result = (int)op.r[0];
    return err;
}
