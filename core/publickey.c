/*
 * PublicKeySystem: the keys that may log in, kept by the server.
 *
 * The core speaks the protocol itself, version 2.  libssh2's functions, called
 * without blocking, lose the keys of a list that comes in pieces and take part
 * of an answer for a failure; they read past what a server sends, and free
 * what they never had.
 *
 * Source: RFC 4819
 */
#include "cursor.h"
#include "internal.h"

#include <stdlib.h>

enum { VERSION = 2, PACKET_LIMIT = 1 << 20, LIST_LIMIT = 16 << 20 };
enum { LISTING };      /* an op's n[] */
enum { SENT, LISTED }; /* its r[]; the second counts bytes of the list */

/* What is said and heard; `data` is the packet that comes, or NULL. */
typedef struct line {
    s2_talk talk;
    unsigned char head[4], *data;
    size_t len;
    bool greeted;
} line;

struct s2_publickey {
    s2_obj obj;
    line line;
    s2_scope scope;
    bool broken; /* nobody knows any more which answer is whose */
};

static int
publickey_finish(s2_obj *obj)
{
    s2_publickey *pk = (s2_publickey *)obj;

    s2_record_drop(&pk->scope);
    return libssh2_channel_free(pk->line.talk.raw);
}

static void
publickey_destroy(s2_obj *obj)
{
    free(((s2_publickey *)obj)->line.data);
}

static const s2_type publickey_type = {"public key subsystem", publickey_finish,
                                       publickey_destroy, 4};

/* --- what is heard ------------------------------------------------------- */

static int
fail(s2_op *op, const char *text)
{
    return s2_op_fail(op, s2_error_new(S2_C_PublicKeyProtocolError,
                                       LIBSSH2_ERROR_PUBLICKEY_PROTOCOL,
                                       op->func, NULL, "%s", text));
}

static int
ended(s2_op *op, line *l)
{
    return s2_talk_ended(op, &l->talk, S2_C_PublicKeyProtocolError,
                         LIBSSH2_ERROR_PUBLICKEY_PROTOCOL);
}

static int
say(s2_op *op, line *l, const void *src, size_t len)
{
    int rc = s2_talk_say(op, &l->talk, src, len);

    return rc == LIBSSH2_ERROR_CHANNEL_CLOSED ? ended(op, l) : rc;
}

/* A packet, and the word that it begins with; it stays in l->data. */
static int
hear(s2_op *op, line *l, cursor *word, cursor *rest)
{
    int rc;

    if (!l->data) {
        if ((rc = s2_talk_hear(&l->talk, l->head, sizeof l->head)))
            return rc == S2_TALK_END ? ended(op, l) : rc;
        l->len = take_u32(&(cursor){l->head, sizeof l->head});
        if (!l->len || l->len > PACKET_LIMIT)
            return fail(op, "the server's packet has no such length");
        if (!(l->data = malloc(l->len)))
            return s2_op_fail(op, &s2_no_memory);
    }
    if ((rc = s2_talk_hear(&l->talk, l->data, l->len)))
        return rc == S2_TALK_END ? ended(op, l) : rc;
    *rest = (cursor){l->data, l->len};
    *word = take_string(rest);
    return 0;
}

/* The packet was understood. */
static void
heard(line *l)
{
    free(l->data);
    l->data = NULL;
}

static int
status(s2_op *op, cursor c, s2_class cls)
{
    static const char *const names[] = {"success",
                                        "access denied",
                                        "storage exceeded",
                                        "not this version",
                                        "no such key",
                                        "no such kind of key",
                                        "the key is there already",
                                        "general failure",
                                        "no such request",
                                        "no such attribute"};
    size_t code = take_u32(&c), count = sizeof names / sizeof *names;
    cursor words = take_string(&c);
    char text[512];

    if (!c.at)
        return fail(op, "the server's status is cut short");
    if (!code)
        return 0;
    if (words.left >= sizeof text)
        words.left = sizeof text - 1;
    memcpy(text, words.at, words.left);
    text[words.left] = '\0';
    s2_words(text);
    return s2_op_fail(op, s2_error_new(cls, LIBSSH2_ERROR_PUBLICKEY_PROTOCOL,
                                       op->func, NULL, "%s (status %zu)%s%s",
                                       code < count ? names[code] : "refused",
                                       code, *text ? ": " : "", text));
}

/* --- starting and ending ------------------------------------------------- */

static void
init_settle(s2_op *op, int rc)
{
    line *l = op->state;

    (void)rc;
    op->state = NULL;
    if (!l)
        return;
    s2_talk_drop(op, &l->talk);
    free(l->data);
    free(l);
}

static int
init_step(s2_op *op)
{
    int rc;

    if (!op->state && !(op->state = calloc(1, sizeof(line))))
        return s2_op_fail(op, &s2_no_memory);
    rc = s2_talk_start(op, &((line *)op->state)->talk, "subsystem", "publickey",
                       sizeof "publickey" - 1);
    if (rc != LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED)
        return rc;
    return s2_op_fail(op,
                      s2_error_new(S2_C_PublicKeyInitError, rc, op->func, NULL,
                                   "the server has no such subsystem"));
}

/* Each side tells its version; the lower one counts. */
static int
greet_step(s2_op *op)
{
    unsigned char greeting[19];
    line *l = op->state;
    cursor word, rest;
    int rc;

    put_u32(put_string(put_u32(greeting, 15), "version", 7), VERSION);
    if (!l->greeted && (rc = say(op, l, greeting, sizeof greeting)))
        return rc;
    l->greeted = true;
    if ((rc = hear(op, l, &word, &rest)))
        return rc;
    if (is(word, "status") && (rc = status(op, rest, S2_C_PublicKeyInitError)))
        return rc;
    if (!is(word, "version") || rest.left < 4)
        return fail(op, "the server told no version");
    if (take_u32(&rest) < VERSION)
        return s2_op_fail(op, s2_error_new(S2_C_PublicKeyInitError,
                                           LIBSSH2_ERROR_PUBLICKEY_PROTOCOL,
                                           op->func, NULL,
                                           "the server's version is too old"));
    heard(l);
    return 0;
}

s2_error *
s2_session_publickey_init(s2_session *s, s2_publickey **out)
{
    s2_op op = S2_OP(s, init_step, "publickey_init", &s->scope, S2_AUTHED);
    s2_publickey *pk;
    s2_error *err;

    op.settle = init_settle;
    if ((err = s2_talk_call(&op, greet_step)))
        return err;
    if (!(pk = s2_obj_new(&publickey_type, sizeof *pk, s))) {
        init_settle(&op, 0);
        return &s2_no_memory;
    }
    pk->line = *(line *)op.state;
    free(op.state);
    *out = pk;
    return NULL;
}

static int
shutdown_step(s2_op *op)
{
    s2_publickey *pk = (s2_publickey *)op->self;
    int rc;

    s2_op_close(op);
    if (S2_SESSION(op)->dead)
        return 0;
    rc = libssh2_channel_close(pk->line.talk.raw);
    return rc == LIBSSH2_ERROR_CHANNEL_CLOSED ? 0 : rc;
}

s2_error *
s2_publickey_shutdown(s2_publickey *pk)
{
    s2_op op = S2_OP(pk, shutdown_step, "publickey_shutdown", &pk->scope,
                     S2_AFTER_END | S2_AFTER_CLOSE | S2_CLOSES);

    return s2_op_call(&op);
}

bool
s2_publickey_closed(s2_publickey *pk)
{
    return atomic_load(&pk->obj.closed);
}

/* --- requests ------------------------------------------------------------ */

static bool
add_bytes(s2_value *list, cursor bytes)
{
    s2_value *item = s2_value_add(list, S2_BYTES);

    return item && s2_buf_set(&item->bytes, bytes.at, bytes.left);
}

/* A key of the list: [name, blob, [[name, value] ...]]. */
static int
add_key(s2_op *op, s2_value *keys, cursor c)
{
    cursor name = take_string(&c), blob = take_string(&c);
    size_t count = take_u32(&c);
    s2_value *key = c.at ? s2_value_add(keys, S2_LIST) : NULL, *attrs = NULL;
    bool done = key && add_bytes(key, name) && add_bytes(key, blob) &&
                (attrs = s2_value_add(key, S2_LIST));

    for (; done && count && c.at; count--) {
        s2_value *attr;

        name = take_string(&c);
        blob = take_string(&c);
        done = !c.at || ((attr = s2_value_add(attrs, S2_LIST)) &&
                         add_bytes(attr, name) && add_bytes(attr, blob));
    }
    if (!c.at)
        return fail(op, "the server's list is cut short");
    return done ? 0 : s2_op_fail(op, &s2_no_memory);
}

/* Send b[0], and hear what comes of it. */
static int
converse(s2_op *op, s2_publickey *pk)
{
    cursor word, rest;
    int rc;

    if (op->n[LISTING] && !op->state) {
        if (!(op->state = calloc(1, sizeof(s2_value))))
            return s2_op_fail(op, &s2_no_memory);
        ((s2_value *)op->state)->kind = S2_LIST;
    }
    if (!op->r[SENT] && (rc = say(op, &pk->line, op->b[0].p, op->b[0].len)))
        return rc;
    op->r[SENT] = true;
    while (!(rc = hear(op, &pk->line, &word, &rest))) {
        if (is(word, "status"))
            rc = status(op, rest, S2_C_PublicKeyError);
        else if (!is(word, "publickey") || !op->state)
            rc = fail(op, "the server answers something else");
        else if ((op->r[LISTED] += (int64_t)pk->line.len) > LIST_LIMIT)
            rc = fail(op, "the server's list has no end");
        else
            rc = add_key(op, op->state, rest);
        if (rc || is(word, "status"))
            break;
        heard(&pk->line);
    }
    if (rc != LIBSSH2_ERROR_EAGAIN)
        heard(&pk->line);
    return rc;
}

static int
request_step(s2_op *op)
{
    s2_publickey *pk = (s2_publickey *)op->self;
    int rc;

    if (op->left && atomic_load(&op->self->closed))
        return fail(op, "given up");
    if (pk->broken)
        return fail(op, "an earlier answer of the server was not understood");
    rc = converse(op, pk);
    pk->broken = rc < 0 && rc != LIBSSH2_ERROR_EAGAIN &&
                 (rc != S2_FAILED || op->error->cls != S2_C_PublicKeyError);
    return rc;
}

static void
request_settle(s2_op *op, int rc)
{
    (void)rc;
    if (op->state)
        s2_value_free(op->state);
    free(op->state);
    op->state = NULL;
}

/* A packet of so many bytes to be, or NULL. */
static unsigned char *
packet(size_t len)
{
    return len < PACKET_LIMIT ? malloc(len + 4) : NULL;
}

/* Make the request that is in `start` up to `end`. */
static s2_error *
request(s2_op *op, unsigned char *start, unsigned char *end)
{
    s2_error *err;

    if (!start)
        return s2_error_new(S2_C_InvalidRequestError, LIBSSH2_ERROR_INVAL,
                            op->func, NULL, "longer than any key");
    put_u32(start, (size_t)(end - start) - 4);
    s2_op_bytes(op, 0, start, (size_t)(end - start));
    op->settle = request_settle;
    err = s2_op_call(op);
    if (err)
        request_settle(op, 0);
    free(start);
    return err;
}

s2_error *
s2_publickey_add(s2_publickey *pk, const void *name, size_t name_len,
                 const void *blob, size_t blob_len, bool overwrite,
                 const s2_list *attrs)
{
    s2_op op = S2_OP(pk, request_step, "publickey_add", &pk->scope, S2_ASKS);
    size_t len = 7 + 4 + name_len + 4 + blob_len + 1 + 4;
    size_t count = attrs ? attrs->count : 0;
    unsigned char *start, *p;

    for (size_t i = 0; i < count; i++)
        len += 4 + attrs->item[i].len;
    if (count % 3)
        return s2_error_new(S2_C_InvalidRequestError, LIBSSH2_ERROR_INVAL,
                            op.func, NULL, "attributes come in threes");
    if ((p = start = packet(len))) {
        p = put_string(p + 4, "add", 3);
        p = put_string(p, name, name_len);
        p = put_string(p, blob, blob_len);
        *p++ = overwrite;
        p = put_u32(p, count / 3);
        for (size_t i = 0; i < count; i += 3) {
            p = put_string(p, attrs->item[i].data, attrs->item[i].len);
            p = put_string(p, attrs->item[i + 1].data, attrs->item[i + 1].len);
            *p++ = attrs->item[i + 2].len > 0;
        }
    }
    return request(&op, start, p);
}

s2_error *
s2_publickey_remove(s2_publickey *pk, const void *name, size_t name_len,
                    const void *blob, size_t blob_len)
{
    s2_op op = S2_OP(pk, request_step, "publickey_remove", &pk->scope, S2_ASKS);
    unsigned char *start = packet(10 + 4 + name_len + 4 + blob_len), *p = start;

    if (p) {
        p = put_string(p + 4, "remove", 6);
        p = put_string(p, name, name_len);
        p = put_string(p, blob, blob_len);
    }
    return request(&op, start, p);
}

s2_error *
s2_publickey_list_fetch(s2_publickey *pk, s2_value *keys)
{
    s2_op op =
        S2_OP(pk, request_step, "publickey_list_fetch", &pk->scope, S2_ASKS);
    unsigned char *start = packet(8);
    s2_error *err;

    op.n[LISTING] = true;
    err = request(&op, start, start ? put_string(start + 4, "list", 4) : NULL);
    if (!err) {
        *keys = *(s2_value *)op.state;
        free(op.state);
    }
    return err;
}
