/*
 * KnownHost: a collection of known hosts in memory, and copies of its entries.
 *
 * libssh2 keeps the collection.  An entry here is a copy: whatever uses it
 * looks its node up again, so that a deleted one is an error.  Lines with a
 * marker are ours: a key that is @revoked is refused for every host, one of a
 * @cert-authority is no host's own; both are written back as they were.  A
 * name with a pattern in it (`*`, `?`, `!`) matches no host.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ANY_TIME = S2_QUICK | S2_EARLY | S2_AFTER_END,
    FILES = S2_EARLY | S2_AFTER_END, /* with the interpreter's lock released */
    LINE_LIMIT = 4092,               /* libssh2's own */
    KEY_LIMIT = 1 << 16,
    HASH_LEN = 28, /* SHA-1 in base64 */
};

struct s2_knownhost {
    s2_obj obj;
    LIBSSH2_KNOWNHOSTS *raw;
    s2_list marked;  /* whole lines */
    s2_list revoked; /* keys, in base64 */
};

struct s2_entry {
    s2_obj obj;
    void *node;
    char *name, *key;
    int typemask;
    unsigned magic;
};

static const struct {
    const char *name;
    int mask;
    const char *algorithms;
} types[] = {
    {"ssh-ed25519", LIBSSH2_KNOWNHOST_KEY_ED25519, "ssh-ed25519"},
    {"ecdsa-sha2-nistp256", LIBSSH2_KNOWNHOST_KEY_ECDSA_256,
     "ecdsa-sha2-nistp256"},
    {"ecdsa-sha2-nistp384", LIBSSH2_KNOWNHOST_KEY_ECDSA_384,
     "ecdsa-sha2-nistp384"},
    {"ecdsa-sha2-nistp521", LIBSSH2_KNOWNHOST_KEY_ECDSA_521,
     "ecdsa-sha2-nistp521"},
    {"ssh-rsa", LIBSSH2_KNOWNHOST_KEY_SSHRSA,
     "rsa-sha2-512,rsa-sha2-256,ssh-rsa"},
};

enum { TYPES = sizeof types / sizeof *types };

#define KNOWN(op) ((s2_knownhost *)(op)->self)

static int
knownhost_finish(s2_obj *obj)
{
    s2_knownhost *kh = (s2_knownhost *)obj;

    if (kh->raw)
        libssh2_knownhost_free(kh->raw);
    kh->raw = NULL;
    return 0;
}

static void
knownhost_destroy(s2_obj *obj)
{
    s2_knownhost *kh = (s2_knownhost *)obj;

    s2_list_free(&kh->marked);
    s2_list_free(&kh->revoked);
}

static void
entry_destroy(s2_obj *obj)
{
    s2_entry *e = (s2_entry *)obj;

    free(e->name);
    free(e->key);
}

const s2_type s2_knownhost_type = {"known hosts", knownhost_finish,
                                   knownhost_destroy, 3};
const s2_type s2_entry_type = {"known host", NULL, entry_destroy, 0};

static int
init_step(s2_op *op)
{
    s2_knownhost *kh = op->dst;

    kh->raw = libssh2_knownhost_init(S2_RAW(op));
    return kh->raw ? 0 : s2_op_null(op);
}

s2_error *
s2_session_knownhost_init(s2_session *s, s2_knownhost **out)
{
    s2_op op = S2_OP(s, init_step, "libssh2_knownhost_init", NULL, ANY_TIME);
    s2_knownhost *kh = s2_obj_new(&s2_knownhost_type, sizeof *kh, s);
    s2_error *err;

    if (!kh)
        return &s2_no_memory;
    op.dst = kh;
    if ((err = s2_op_call(&op)))
        s2_release(kh);
    else
        *out = kh;
    return err;
}

/* --- entries ------------------------------------------------------------- */

const char *
s2_entry_name(s2_entry *e)
{
    return e->name;
}

const char *
s2_entry_key(s2_entry *e)
{
    return e->key;
}

int
s2_entry_typemask(s2_entry *e)
{
    return e->typemask;
}

unsigned
s2_entry_magic(s2_entry *e)
{
    return e->magic;
}

static int
refuse(s2_op *op, int code, const char *text)
{
    return s2_op_fail(
        op, s2_error_new(op->cls, code, op->func, op->path, "%s", text));
}

/* The result of a step: a copy of a node. */
static int
give(s2_op *op, const struct libssh2_knownhost *at)
{
    s2_entry *e = s2_obj_new(&s2_entry_type, sizeof *e, op->self);

    if (e) {
        e->node = at->node;
        e->magic = at->magic;
        e->typemask = at->typemask;
        e->key = strdup(at->key);
        e->name = at->name ? strdup(at->name) : NULL;
    }
    if (!e || !e->key || (at->name && !e->name)) {
        s2_release(e);
        return s2_op_fail(op, &s2_no_memory);
    }
    op->state = e;
    return 0;
}

static s2_error *
call_for_entry(s2_op *op, s2_entry **out)
{
    s2_error *err = s2_op_call(op);

    if (err || !out)
        s2_release(op->state);
    else
        *out = op->state;
    return err;
}

static bool
same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

/* The node that an entry is a copy of; NULL, and an error, once it is gone. */
static struct libssh2_knownhost *
find(s2_op *op, const s2_entry *e)
{
    struct libssh2_knownhost *at = NULL, *next;

    while (libssh2_knownhost_get(KNOWN(op)->raw, &next, at) == 0) {
        at = next;
        if (at->node == e->node && at->typemask == e->typemask &&
            same_text(at->key, e->key) && same_text(at->name, e->name))
            return at;
    }
    refuse(op, LIBSSH2_ERROR_INVAL, "the entry is not in this collection");
    return NULL;
}

static int
get_step(s2_op *op)
{
    struct libssh2_knownhost *at = NULL, *next;

    if (op->dst && !(at = find(op, op->dst)))
        return S2_FAILED;
    return libssh2_knownhost_get(KNOWN(op)->raw, &next, at) == 0
               ? give(op, next)
               : 0;
}

s2_error *
s2_knownhost_get(s2_knownhost *kh, s2_entry *prev, s2_entry **out)
{
    s2_op op = S2_OP(kh, get_step, "libssh2_knownhost_get", NULL, ANY_TIME);

    op.cls = S2_C_KnownHostGetError;
    op.dst = prev;
    return call_for_entry(&op, out);
}

static int
delete_step(s2_op *op)
{
    struct libssh2_knownhost *at = find(op, op->dst);

    return at ? libssh2_knownhost_del(KNOWN(op)->raw, at) : S2_FAILED;
}

s2_error *
s2_knownhost_delete(s2_knownhost *kh, s2_entry *entry)
{
    s2_op op = S2_OP(kh, delete_step, "libssh2_knownhost_del", NULL, ANY_TIME);

    op.cls = S2_C_KnownHostDeleteError;
    op.dst = entry;
    return s2_op_call(&op);
}

/* --- adding and checking ------------------------------------------------- */

/* libssh2 reckons with whole groups of four: others overrun its buffer. */
static bool
is_base64(const char *text)
{
    size_t len = strlen(text),
           plain = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz0123456789+/");

    return len && len % 4 == 0 && len - plain <= 2 &&
           plain + strspn(text + plain, "=") == len;
}

static const char *
objection_to_key(const s2_buf *key, int typemask)
{
    if (!key->len || key->len > KEY_LIMIT)
        return key->len ? "the key is too long" : "the key is empty";
    if ((typemask & LIBSSH2_KNOWNHOST_KEYENC_BASE64) &&
        (strlen(key->data) != key->len || !is_base64(key->data)))
        return "the key is not in base64";
    return NULL;
}

/* What would not come back from a file as it was, or upsets libssh2. */
static const char *
objection(const char *host, const char *salt, const s2_buf *key,
          const s2_buf *comment, int typemask)
{
    if ((typemask & LIBSSH2_KNOWNHOST_TYPE_MASK) ==
        LIBSSH2_KNOWNHOST_TYPE_SHA1) {
        if (!salt || !is_base64(salt) || strlen(host) != HASH_LEN ||
            !is_base64(host))
            return "a hashed name and its salt must be in base64";
    } else if (!*host || host[strcspn(host, " \t\r\n")] ||
               strchr("#@|", *host)) {
        return "a line of a file cannot hold this name";
    }
    if (comment->data && (strlen(comment->data) != comment->len ||
                          strpbrk(comment->data, "\r\n")))
        return "a comment must be one line of text";
    return objection_to_key(key, typemask);
}

static int
addc_step(s2_op *op)
{
    struct libssh2_knownhost *at = NULL;
    int rc = libssh2_knownhost_addc(KNOWN(op)->raw, op->b[0].p, op->b[1].p,
                                    op->b[2].p, op->b[2].len, op->b[3].p,
                                    op->b[3].len, (int)op->n[0], &at);

    if (!rc && (rc = give(op, at)))
        libssh2_knownhost_del(KNOWN(op)->raw, at);
    return rc;
}

s2_error *
s2_knownhost_addc(s2_knownhost *kh, const char *host, const char *salt,
                  const void *key, size_t key_len, const void *comment,
                  size_t comment_len, int typemask, s2_entry **out)
{
    s2_op op = S2_OP(kh, addc_step, "libssh2_knownhost_addc", NULL, ANY_TIME);
    s2_buf k = {0}, c = {0}; /* libssh2 reads a byte past their ends */
    s2_error *err = &s2_no_memory;
    const char *why;

    if (!s2_buf_set(&k, key, key_len) ||
        (comment && !s2_buf_set(&c, comment, comment_len)))
        goto done;
    op.cls = S2_C_KnownHostAddError;
    op.path = host;
    op.n[0] = typemask;
    s2_op_text(&op, 0, host);
    s2_op_text(&op, 1, salt);
    s2_op_bytes(&op, 2, k.data, k.len);
    s2_op_bytes(&op, 3, c.data, c.len);
    why = objection(host, salt, &k, &c, typemask);
    err = why ? s2_error_new(op.cls, LIBSSH2_ERROR_INVAL, op.func, host, "%s",
                             why)
              : call_for_entry(&op, out);
done:
    s2_buf_free(&k);
    s2_buf_free(&c);
    return err;
}

static int
checkp_step(s2_op *op)
{
    const s2_list *revoked = &KNOWN(op)->revoked;
    struct libssh2_knownhost *at = NULL;

    for (size_t i = 0; i < revoked->count; i++)
        if (!strcmp(revoked->item[i].data, op->b[1].p)) {
            op->cls = S2_C_KnownHostRevokedError;
            return refuse(op, LIBSSH2_ERROR_KNOWN_HOSTS,
                          "the key has been revoked");
        }
    switch (libssh2_knownhost_checkp(KNOWN(op)->raw, op->b[0].p, (int)op->n[0],
                                     op->b[1].p, op->b[1].len, (int)op->n[1],
                                     &at)) {
    case LIBSSH2_KNOWNHOST_CHECK_MATCH:
        return give(op, at);
    case LIBSSH2_KNOWNHOST_CHECK_NOTFOUND:
        op->cls = S2_C_KnownHostCheckNotFoundError;
        return refuse(op, LIBSSH2_ERROR_KNOWN_HOSTS,
                      "no key of that type is known for the host");
    case LIBSSH2_KNOWNHOST_CHECK_MISMATCH:
        op->cls = S2_C_KnownHostCheckMisMatchError;
        return refuse(op, LIBSSH2_ERROR_KNOWN_HOSTS,
                      "another key is known for the host");
    default:
        return refuse(op, LIBSSH2_ERROR_KNOWN_HOSTS,
                      "the host cannot be looked up");
    }
}

/* The key as collections keep it; false when memory is short. */
static bool
to_base64(s2_buf *text, const s2_buf *key)
{
    char *data = malloc(4 * ((key->len + 2) / 3) + 1);

    if (!data)
        return false;
    text->len = (size_t)EVP_EncodeBlock(
        (unsigned char *)data, (const unsigned char *)key->data, (int)key->len);
    text->data = data;
    return true;
}

s2_error *
s2_knownhost_checkp(s2_knownhost *kh, const char *host, int port,
                    const void *key, size_t key_len, int typemask,
                    s2_entry **out)
{
    s2_op op =
        S2_OP(kh, checkp_step, "libssh2_knownhost_checkp", NULL, ANY_TIME);
    s2_buf k = {0}, text = {0};
    s2_error *err = &s2_no_memory;
    const char *why;

    if (!s2_buf_set(&k, key, key_len))
        return err;
    op.cls = S2_C_KnownHostCheckFailure;
    why = objection_to_key(&k, typemask);
    if ((typemask & LIBSSH2_KNOWNHOST_TYPE_MASK) == LIBSSH2_KNOWNHOST_TYPE_SHA1)
        why = "a host is looked up by its name, not by a hash";
    if (why) {
        err =
            s2_error_new(op.cls, LIBSSH2_ERROR_INVAL, op.func, host, "%s", why);
        goto done;
    }
    if (!(typemask & LIBSSH2_KNOWNHOST_KEYENC_BASE64)) {
        if (!to_base64(&text, &k))
            goto done;
        s2_buf_free(&k);
        k = text;
        typemask &= ~LIBSSH2_KNOWNHOST_KEYENC_MASK;
        typemask |= LIBSSH2_KNOWNHOST_KEYENC_BASE64;
    }
    op.path = host;
    op.n[0] = port;
    op.n[1] = typemask;
    s2_op_text(&op, 0, host);
    s2_op_bytes(&op, 1, k.data, k.len);
    err = call_for_entry(&op, out);
done:
    s2_buf_free(&k);
    return err;
}

/* No key is like this one: any that is stored is told as a mismatch. */
static int
types_step(s2_op *op)
{
    char list[256] = "";

    for (int i = 0; i < TYPES; i++) {
        int rc = libssh2_knownhost_checkp(
            KNOWN(op)->raw, op->b[0].p, (int)op->n[0], "-", 1,
            LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_BASE64 |
                types[i].mask,
            NULL);

        if (rc != LIBSSH2_KNOWNHOST_CHECK_MISMATCH)
            continue;
        if (*list)
            strcat(list, ",");
        strcat(list, types[i].algorithms);
    }
    return !*list || s2_buf_set(op->dst, list, strlen(list))
               ? 0
               : s2_op_fail(op, &s2_no_memory);
}

s2_error *
s2_knownhost_types(s2_knownhost *kh, const char *host, int port, s2_buf *prefs)
{
    s2_op op = S2_OP(kh, types_step, "libssh2_knownhost_checkp", NULL, FILES);

    op.path = host;
    op.n[0] = port;
    op.dst = prefs;
    s2_op_text(&op, 0, host);
    return s2_op_call(&op);
}

/* --- lines --------------------------------------------------------------- */

static int
add_marked(s2_op *op, const char *line)
{
    s2_knownhost *kh = KNOWN(op);
    char marker[32], key[LINE_LIMIT + 1];
    int n = sscanf(line, "%31s %*s %*s %4092s", marker, key);
    bool revoked = n > 0 && !strcmp(marker, "@revoked");

    if (revoked ? n < 2 || !is_base64(key)
                : n < 1 || strcmp(marker, "@cert-authority"))
        return refuse(op, LIBSSH2_ERROR_METHOD_NOT_SUPPORTED,
                      revoked ? "no key follows the marker @revoked"
                              : "unknown marker");
    if ((revoked && !s2_list_add(&kh->revoked, key, strlen(key))) ||
        !s2_list_add(&kh->marked, line, strlen(line)))
        return s2_op_fail(op, &s2_no_memory);
    return 0;
}

/* |1|salt|hash, with nothing else in the field. */
static bool
split_hashed(const char *line, char *salt, char *hash)
{
    int end = 0;

    return sscanf(line, "|1|%31[^| \t]|%31[^| \t]%n", salt, hash, &end) == 2 &&
           is_base64(salt) && is_base64(hash) && strlen(hash) == HASH_LEN &&
           strchr(" \t", line[end]);
}

static int
mask_of(const char *type)
{
    for (int i = 0; i < TYPES; i++)
        if (!strcmp(type, types[i].name))
            return types[i].mask;
    return 0;
}

/*
 * A line without its end, in a buffer of ours.
 *
 * libssh2's own reader drops hosts of one or two letters and refuses short
 * keys: it is left the lines whose type of key only it knows.
 */
static int
add_names(s2_op *op, char *line)
{
    LIBSSH2_KNOWNHOSTS *raw = KNOWN(op)->raw;
    char salt[32], hash[32], type[64] = "", *comma, *key, *comment;
    bool hashed = !strncmp(line, "|1|", 3);
    int rc = 0, mask = LIBSSH2_KNOWNHOST_KEYENC_BASE64;

    if (hashed && !split_hashed(line, salt, hash))
        return refuse(op, LIBSSH2_ERROR_METHOD_NOT_SUPPORTED,
                      "malformed hashed name");
    key = line + strcspn(line, " \t");
    sscanf(key, "%63s", type);
    if (!mask_of(type))
        return libssh2_knownhost_readline(raw, line, strlen(line),
                                          (int)op->n[0]);
    *key++ = '\0';
    key = strstr(key, type) + strlen(type);
    key += strspn(key, " \t");
    comment = key + strcspn(key, " \t");
    if (*comment) {
        *comment++ = '\0';
        comment += strspn(comment, " \t");
    }
    if (!is_base64(key))
        return refuse(op, LIBSSH2_ERROR_METHOD_NOT_SUPPORTED,
                      "the key is not in base64");
    mask |= mask_of(type);
    mask |= hashed ? LIBSSH2_KNOWNHOST_TYPE_SHA1 : LIBSSH2_KNOWNHOST_TYPE_PLAIN;
    for (char *name = hashed ? hash : line; name && !rc; name = comma) {
        if ((comma = strchr(name, ',')))
            *comma++ = '\0';
        if (*name)
            rc = libssh2_knownhost_addc(raw, name, hashed ? salt : NULL, key,
                                        strlen(key), *comment ? comment : NULL,
                                        strlen(comment), mask, NULL);
    }
    return rc;
}

static int
add_line(s2_op *op, char *line, size_t len)
{
    while (len && strchr("\r\n", line[len - 1]))
        line[--len] = '\0';
    if (strlen(line) != len || strpbrk(line, "\r\n"))
        return refuse(op, LIBSSH2_ERROR_METHOD_NOT_SUPPORTED,
                      "not a line of text");
    line += strspn(line, " \t");
    if (!*line || *line == '#')
        return 0;
    return *line == '@' ? add_marked(op, line) : add_names(op, line);
}

static int
check_type(s2_op *op)
{
    return op->n[0] == LIBSSH2_KNOWNHOST_FILE_OPENSSH
               ? 0
               : refuse(op, LIBSSH2_ERROR_METHOD_NOT_SUPPORTED,
                        "unknown type of known-host file");
}

static int
readline_step(s2_op *op)
{
    char line[LINE_LIMIT + 3]; /* with its end */
    size_t len = op->b[0].len;

    if (check_type(op))
        return S2_FAILED;
    if (len > LINE_LIMIT + 2)
        return refuse(op, LIBSSH2_ERROR_METHOD_NOT_SUPPORTED,
                      "the line is too long");
    memcpy(line, op->b[0].p, len);
    line[len] = '\0';
    return add_line(op, line, len);
}

s2_error *
s2_knownhost_readline(s2_knownhost *kh, const void *line, size_t line_len,
                      int type)
{
    s2_op op =
        S2_OP(kh, readline_step, "libssh2_knownhost_readline", NULL, ANY_TIME);

    op.cls = S2_C_KnownHostReadLineError;
    op.n[0] = type;
    s2_op_bytes(&op, 0, line_len ? line : "", line_len);
    return s2_op_call(&op);
}

static int
line_of(s2_op *op, struct libssh2_knownhost *at, s2_buf *line)
{
    size_t cap = LINE_LIMIT, len = 0;

    for (;;) {
        char *data = malloc(cap);
        int rc = !data ? s2_op_fail(op, &s2_no_memory)
                       : libssh2_knownhost_writeline(KNOWN(op)->raw, at, data,
                                                     cap, &len, (int)op->n[0]);

        if (!rc) {
            s2_buf_free(line);
            *line = (s2_buf){data, strlen(data)};
            return 0;
        }
        free(data);
        if (rc != LIBSSH2_ERROR_BUFFER_TOO_SMALL || len < cap)
            return rc;
        cap = len + 1;
    }
}

static int
writeline_step(s2_op *op)
{
    struct libssh2_knownhost *at = find(op, op->state);

    return at ? line_of(op, at, op->dst) : S2_FAILED;
}

s2_error *
s2_knownhost_writeline(s2_knownhost *kh, s2_entry *entry, int type,
                       s2_buf *bytes)
{
    s2_op op = S2_OP(kh, writeline_step, "libssh2_knownhost_writeline", NULL,
                     ANY_TIME);

    op.cls = S2_C_KnownHostWriteLineError;
    op.n[0] = type;
    op.dst = bytes;
    op.state = entry;
    return s2_op_call(&op);
}

/* --- files --------------------------------------------------------------- */

static int
file_error(s2_op *op, int why)
{
    s2_error *err = s2_error_new(op->cls, LIBSSH2_ERROR_FILE, op->func,
                                 op->path, "%s", strerror(why));

    if (err != &s2_no_memory)
        err->sys_errno = why;
    return s2_op_fail(op, err);
}

/* Say in which line an error is. */
static int
at_line(s2_op *op, int rc, int number)
{
    char *text = NULL;
    s2_error *err;

    if (rc == LIBSSH2_ERROR_ALLOC || op->error == &s2_no_memory)
        return rc;
    if (op->error)
        text = op->error->text;
    else
        libssh2_session_last_error(S2_RAW(op), &text, NULL, 0);
    err = s2_error_new(op->cls, op->error ? op->error->code : rc, op->func,
                       op->path, "line %d: %s", number, text);
    return s2_op_fail(op, err);
}

static int
read_lines(s2_op *op, FILE *f)
{
    char line[LINE_LIMIT + 1];
    size_t len = 0;
    int rc = 0, c;

    do {
        c = getc_unlocked(f);
        if (c == '\n' || (c == EOF && len)) {
            op->r[0]++;
            line[len] = '\0';
            if ((rc = add_line(op, line, len)))
                return at_line(op, rc, (int)op->r[0]);
            len = 0;
        } else if (c != EOF && len == LINE_LIMIT) {
            rc = refuse(op, LIBSSH2_ERROR_METHOD_NOT_SUPPORTED,
                        "the line is too long");
            return at_line(op, rc, (int)op->r[0] + 1);
        } else if (c != EOF) {
            line[len++] = (char)c;
        }
    } while (c != EOF);
    return ferror(f) ? file_error(op, errno) : 0;
}

static int
readfile_step(s2_op *op)
{
    int fd, rc;
    FILE *f;

    if (check_type(op))
        return S2_FAILED;
    /* A pipe that nobody writes to must not hold anybody up. */
    fd = open(op->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || !(f = fdopen(fd, "r"))) {
        rc = file_error(op, errno);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    op->r[0] = 0;
    rc = read_lines(op, f);
    fclose(f);
    return rc;
}

s2_error *
s2_knownhost_readfile(s2_knownhost *kh, const char *filename, int type,
                      int *result)
{
    s2_op op =
        S2_OP(kh, readfile_step, "libssh2_knownhost_readfile", NULL, FILES);
    s2_error *err;

    op.cls = S2_C_KnownHostReadFileError;
    op.path = filename;
    op.n[0] = type;
    if (!(err = s2_op_call(&op)) && result)
        *result = (int)op.r[0];
    return err;
}

static int
write_lines(s2_op *op, FILE *f)
{
    s2_knownhost *kh = KNOWN(op);
    struct libssh2_knownhost *at = NULL, *next;
    s2_buf line = {0};
    int rc = 0;

    for (size_t i = 0; i < kh->marked.count; i++)
        fprintf(f, "%s\n", kh->marked.item[i].data);
    while (!rc && libssh2_knownhost_get(kh->raw, &next, at) == 0) {
        at = next;
        if (!(rc = line_of(op, at, &line)))
            fwrite(line.data, 1, line.len, f);
    }
    s2_buf_free(&line);
    if (!rc && (fflush(f) || ferror(f) || fsync(fileno(f)) < 0))
        rc = file_error(op, errno);
    return rc;
}

/* Write the file's future content beside it: 0 once it is on the disk. */
static int
write_beside(s2_op *op, const char *to, char *temp)
{
    struct stat st;
    bool there = !stat(to, &st);
    int fd, rc;
    FILE *f;

    if (there && !S_ISREG(st.st_mode))
        return refuse(op, LIBSSH2_ERROR_FILE, "not a regular file");
    if ((fd = mkstemp(temp)) < 0)
        return file_error(op, errno);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    /* Only root can give a file away; all others own it anyhow. */
    if (there && ((fchown(fd, st.st_uid, st.st_gid) < 0 && errno != EPERM) ||
                  fchmod(fd, st.st_mode & 07777) < 0))
        rc = file_error(op, errno);
    else
        rc = 0;
    if (rc || !(f = fdopen(fd, "w"))) {
        rc = rc ? rc : file_error(op, errno);
        close(fd);
    } else {
        rc = write_lines(op, f);
        if (fclose(f) && !rc)
            rc = file_error(op, errno);
    }
    if (!rc && rename(temp, to) < 0)
        rc = file_error(op, errno);
    if (rc)
        unlink(temp);
    return rc;
}

static int
writefile_step(s2_op *op)
{
    char *real, *temp;
    const char *to;
    int rc;

    if (check_type(op))
        return S2_FAILED;
    real = realpath(op->path, NULL); /* a symbolic link is kept */
    to = real ? real : op->path;
    if (!(temp = malloc(strlen(to) + sizeof ".XXXXXX"))) {
        rc = s2_op_fail(op, &s2_no_memory);
    } else {
        strcpy(temp, to);
        strcat(temp, ".XXXXXX");
        rc = write_beside(op, to, temp);
    }
    free(temp);
    free(real);
    return rc;
}

s2_error *
s2_knownhost_writefile(s2_knownhost *kh, const char *filename, int type)
{
    s2_op op =
        S2_OP(kh, writefile_step, "libssh2_knownhost_writefile", NULL, FILES);

    op.cls = S2_C_KnownHostWriteFileError;
    op.path = filename;
    op.n[0] = type;
    return s2_op_call(&op);
}
