/*
 * KnownHost: a collection of known hosts in memory, and copies of its entries.
 *
 * libssh2 keeps the collection.  An entry here is a copy: whatever uses it
 * looks its node up again, so that a deleted one is an error.  A key that is
 * @revoked is refused for every host, one of a @cert-authority is no host's
 * own, and a name with a pattern in it (`*`, `?`, `!`) matches no host.
 */
#include "cursor.h"
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ANY_TIME = S2_EARLY | S2_AFTER_END,
    LINE_LIMIT = 4092, /* of a file; libssh2's own */
    PLAIN = LIBSSH2_KNOWNHOST_TYPE_PLAIN,
    SHA1 = LIBSSH2_KNOWNHOST_TYPE_SHA1,
    BASE64 = LIBSSH2_KNOWNHOST_KEYENC_BASE64,
};

struct s2_knownhost {
    s2_obj obj;
    LIBSSH2_KNOWNHOSTS *raw;
    LIBSSH2_KNOWNHOSTS *revoked; /* keys, all of the host "*" */
    s2_list kept; /* lines of no host, to be written back as they were */
};

struct s2_entry {
    s2_obj obj;
    void *node;
    char *name, *key;
    int typemask;
    unsigned magic;
};

/* What goes with a host's name. */
typedef struct about {
    s2_buf key, comment; /* libssh2 reads a byte past their ends */
    const char *salt;
    int port;
} about;

/* Types in a file, and algorithms that a server with such a key is asked for;
 * those that are preferred come first. */
static const struct {
    const char *name;
    int mask;
} types[] = {
    {"ssh-ed25519", LIBSSH2_KNOWNHOST_KEY_ED25519},
    {"ecdsa-sha2-nistp256", LIBSSH2_KNOWNHOST_KEY_ECDSA_256},
    {"ecdsa-sha2-nistp384", LIBSSH2_KNOWNHOST_KEY_ECDSA_384},
    {"ecdsa-sha2-nistp521", LIBSSH2_KNOWNHOST_KEY_ECDSA_521},
    {"rsa-sha2-512", LIBSSH2_KNOWNHOST_KEY_SSHRSA},
    {"rsa-sha2-256", LIBSSH2_KNOWNHOST_KEY_SSHRSA},
    {"ssh-rsa", LIBSSH2_KNOWNHOST_KEY_SSHRSA},
};

enum { TYPES = sizeof types / sizeof *types };

#define KNOWN(op) ((s2_knownhost *)(op)->self)

static int
knownhost_finish(s2_obj *obj)
{
    s2_knownhost *kh = (s2_knownhost *)obj;

    size_t before = obj->session->alloc.live;

    if (kh->raw)
        libssh2_knownhost_free(kh->raw);
    if (kh->revoked)
        libssh2_knownhost_free(kh->revoked);
    obj->session->hosts -= before - obj->session->alloc.live;
    s2_list_free(&kh->kept);
    return 0;
}

static void
entry_destroy(s2_obj *obj)
{
    s2_entry *e = (s2_entry *)obj;

    free(e->name);
    free(e->key);
}

const s2_type s2_knownhost_type = {"known hosts", knownhost_finish, NULL,
                                   S2_RANK_LOCAL};
const s2_type s2_entry_type = {"known host", NULL, entry_destroy, 0};

static int
init_step(s2_op *op)
{
    s2_knownhost *kh = s2_obj_new(&s2_knownhost_type, sizeof *kh, op->self);
    size_t before;

    if (!(op->dst = kh))
        return s2_op_fail(op, &s2_no_memory);
    before = S2_SESSION(op)->alloc.live;
    kh->raw = libssh2_knownhost_init(S2_RAW(op));
    kh->revoked = libssh2_knownhost_init(S2_RAW(op));
    S2_SESSION(op)->hosts += S2_SESSION(op)->alloc.live - before;
    return kh->raw && kh->revoked ? 0 : s2_op_null(op);
}

s2_error *
s2_session_knownhost_init(s2_session *s, s2_knownhost **out)
{
    s2_op op = S2_OP(s, init_step, "libssh2_knownhost_init", NULL, ANY_TIME);
    s2_error *err = s2_op_call(&op);

    if (err)
        s2_release(op.dst);
    else
        *out = op.dst;
    return err;
}

/* Call a step: `path` is a host or a file, `type` goes to n[0]. */
static s2_error *
call(s2_knownhost *kh, int (*step)(s2_op *), const char *func, s2_class cls,
     const char *path, int type, void *dst, s2_entry **out)
{
    s2_op op = S2_OP(kh, step, func, NULL, ANY_TIME);
    s2_error *err;

    op.cls = cls;
    op.path = path;
    op.n[0] = type;
    op.dst = dst;
    err = s2_op_call(&op);
    if (err || !out)
        s2_release(op.state);
    else
        *out = op.state;
    return err;
}

/* In a file that is read, r[0] is the number of the line. */
static int
refuse(s2_op *op, const char *text)
{
    char where[32] = "";

    if (op->r[0])
        snprintf(where, sizeof where, "line %d: ", (int)op->r[0]);
    return s2_op_fail(op,
                      s2_error_new(op->cls, LIBSSH2_ERROR_KNOWN_HOSTS, op->func,
                                   op->path, "%s%s", where, text));
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

/* The result of a step: a copy of a node. */
static int
give(s2_op *op, const struct libssh2_knownhost *at)
{
    s2_entry *e = s2_obj_new(&s2_entry_type, sizeof *e, op->self);

    if (!(op->state = e))
        return s2_op_fail(op, &s2_no_memory);
    e->node = at->node;
    e->magic = at->magic;
    e->typemask = at->typemask;
    e->key = strdup(at->key);
    e->name = at->name ? strdup(at->name) : NULL;
    return e->key && !e->name == !at->name ? 0 : s2_op_fail(op, &s2_no_memory);
}

/* The node of an entry; NULL, and an error, once it is gone: another may be
 * at its address by then. */
static struct libssh2_knownhost *
find(s2_op *op, const s2_entry *e)
{
    struct libssh2_knownhost *at = NULL;

    while (libssh2_knownhost_get(KNOWN(op)->raw, &at, at) == 0)
        if (at->node == e->node && at->typemask == e->typemask &&
            !strcmp(at->key, e->key) &&
            (!e->name || !strcmp(at->name, e->name)))
            return at;
    refuse(op, "the entry is not in this collection");
    return NULL;
}

static int
get_step(s2_op *op)
{
    struct libssh2_knownhost *at = NULL;

    if (op->dst && !(at = find(op, op->dst)))
        return S2_FAILED;
    return libssh2_knownhost_get(KNOWN(op)->raw, &at, at) ? 0 : give(op, at);
}

s2_error *
s2_knownhost_get(s2_knownhost *kh, s2_entry *prev, s2_entry **out)
{
    return call(kh, get_step, "libssh2_knownhost_get", S2_C_KnownHostGetError,
                NULL, 0, prev, out);
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
    return call(kh, delete_step, "libssh2_knownhost_del",
                S2_C_KnownHostDeleteError, NULL, 0, entry, NULL);
}

/* --- adding and checking ------------------------------------------------- */

/* libssh2 reckons with whole groups of four: others overrun its buffer. */
static bool
is_base64(const char *text, size_t len)
{
    size_t plain = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz0123456789+/");
    size_t padding = strspn(text + plain, "=");

    return len && len % 4 == 0 && padding <= 2 && plain + padding == len;
}

static bool
is_key(const s2_buf *key, int typemask)
{
    return typemask & BASE64 ? is_base64(key->data, key->len) : key->len > 0;
}

/* Add, unless it would upset libssh2 or not come back from a file as it is. */
static int
add(s2_op *op, const char *host, const about *a, int typemask,
    struct libssh2_knownhost **at)
{
    const char *comment = a->comment.data;

    if (!is_key(&a->key, typemask))
        return refuse(op, "the key is empty, or not in base64");
    if (comment &&
        (strlen(comment) != a->comment.len || strpbrk(comment, "\r\n")))
        return refuse(op, "a comment must be one line of text");
    if ((typemask & LIBSSH2_KNOWNHOST_TYPE_MASK) == SHA1
            ? !a->salt || !is_base64(a->salt, strlen(a->salt)) ||
                  !is_base64(host, strlen(host))
            : !*host || host[strcspn(host, " \t\r\n")] || strchr("#@|", *host))
        return refuse(op, "a line cannot hold this name or salt");
    return libssh2_knownhost_addc(KNOWN(op)->raw, host, a->salt, a->key.data,
                                  a->key.len, comment, a->comment.len, typemask,
                                  at);
}

static int
addc_step(s2_op *op)
{
    struct libssh2_knownhost *at = NULL;
    int rc;

    if ((op->n[0] & LIBSSH2_KNOWNHOST_TYPE_MASK) == PLAIN &&
        strpbrk(op->path, ",*?!"))
        return refuse(op, "in a file it would stand for other hosts");
    rc = add(op, op->path, op->dst, (int)op->n[0], &at);
    if (!rc && (rc = give(op, at)))
        libssh2_knownhost_del(KNOWN(op)->raw, at);
    return rc;
}

s2_error *
s2_knownhost_addc(s2_knownhost *kh, const char *host, const char *salt,
                  const void *key, size_t key_len, const void *comment,
                  size_t comment_len, int typemask, s2_entry **out)
{
    about a = {.salt = salt};
    s2_error *err = &s2_no_memory;

    if (s2_buf_set(&a.key, key, key_len) &&
        (!comment || s2_buf_set(&a.comment, comment, comment_len)))
        err = call(kh, addc_step, "libssh2_knownhost_addc",
                   S2_C_KnownHostAddError, host, typemask, &a, out);
    s2_buf_free(&a.key);
    s2_buf_free(&a.comment);
    return err;
}

static int
checkp_step(s2_op *op)
{
    const about *a = op->dst;
    int typemask = (int)op->n[0];
    struct libssh2_knownhost *at = NULL;

    if (!is_key(&a->key, typemask))
        return refuse(op, "the key is empty, or not in base64");
    switch (libssh2_knownhost_checkp(KNOWN(op)->revoked, "*", -1, a->key.data,
                                     a->key.len, PLAIN | (typemask & BASE64),
                                     NULL)) {
    case LIBSSH2_KNOWNHOST_CHECK_MATCH:
        op->cls = S2_C_KnownHostRevokedError;
        return refuse(op, "the key has been revoked");
    case LIBSSH2_KNOWNHOST_CHECK_FAILURE:
        return refuse(op, "the key cannot be looked up");
    default:
        break;
    }
    switch (libssh2_knownhost_checkp(KNOWN(op)->raw, op->path, a->port,
                                     a->key.data, a->key.len, typemask, &at)) {
    case LIBSSH2_KNOWNHOST_CHECK_MATCH:
        return give(op, at);
    case LIBSSH2_KNOWNHOST_CHECK_NOTFOUND:
        op->cls = S2_C_KnownHostCheckNotFoundError;
        return refuse(op, "no key of that type is known for the host");
    case LIBSSH2_KNOWNHOST_CHECK_MISMATCH:
        op->cls = S2_C_KnownHostCheckMisMatchError;
        return refuse(op, "another key is known for the host");
    default:
        return refuse(op, "the host cannot be looked up");
    }
}

s2_error *
s2_knownhost_checkp(s2_knownhost *kh, const char *host, int port,
                    const void *key, size_t key_len, int typemask,
                    s2_entry **out)
{
    about a = {.port = port};
    s2_error *err;

    if (!s2_buf_set(&a.key, key, key_len))
        return &s2_no_memory;
    err = call(kh, checkp_step, "libssh2_knownhost_checkp",
               S2_C_KnownHostCheckFailure, host, typemask, &a, out);
    s2_buf_free(&a.key);
    return err;
}

/* No key is like this one: any that is stored is told as a mismatch. */
static int
types_step(s2_op *op)
{
    char list[256] = "";

    for (int i = 0; i < TYPES; i++)
        if (libssh2_knownhost_checkp(KNOWN(op)->raw, op->path, (int)op->n[0],
                                     "-", 1, PLAIN | BASE64 | types[i].mask,
                                     NULL) ==
            LIBSSH2_KNOWNHOST_CHECK_MISMATCH) {
            strcat(list, *list ? "," : "");
            strcat(list, types[i].name);
        }
    return !*list || s2_buf_set(op->dst, list, strlen(list))
               ? 0
               : s2_op_fail(op, &s2_no_memory);
}

s2_error *
s2_knownhost_types(s2_knownhost *kh, const char *host, int port, s2_buf *prefs)
{
    s2_error *err = call(kh, types_step, "libssh2_knownhost_checkp",
                         S2_C_KnownHostCheckFailure, host, port, prefs, NULL);

    if (err)
        s2_buf_free(prefs);
    return err;
}

/* --- lines --------------------------------------------------------------- */

/* libssh2's reader drops hosts of one or two letters, refuses short keys, and
 * overruns its buffer where a hash is no base64. */
static int
add_names(s2_op *op, char *names, const about *given, int key_type)
{
    about a = *given;
    int rc = 0, typemask = key_type | PLAIN | BASE64;

    if (!strncmp(names, "|1|", 3)) {
        typemask = key_type | SHA1 | BASE64;
        names += 3;
        a.salt = strsep(&names, "|");
    }
    do
        rc = add(op, names ? strsep(&names, ",") : "", &a, typemask, NULL);
    while (!rc && names);
    return rc;
}

/* The next word of a line: nothing but blanks parts them, as in OpenSSH. */
static cursor
word(char **at)
{
    char *start = *at + strspn(*at, " \t");

    *at = start + strcspn(start, " \t");
    return (cursor){(unsigned char *)start, (size_t)(*at - start)};
}

/* A name that is excluded counts for the names of its line alone, and libssh2
 * has a line for each. */
static bool
has_exclusion(cursor names)
{
    for (size_t i = 0; i < names.left; i++)
        if (names.at[i] == '!' && (!i || names.at[i - 1] == ','))
            return true;
    return false;
}

/* A line, which is cut up; libssh2's reader takes a marker for a name. */
static int
add_line(s2_op *op, char *line)
{
    s2_knownhost *kh = KNOWN(op);
    size_t len = strcspn(line, "\r\n");
    cursor marker = {(unsigned char *)line, 0}, names, type, key;
    about a = {0};
    bool revoked, excludes;
    char *at;

    if (op->n[0] != LIBSSH2_KNOWNHOST_FILE_OPENSSH)
        return refuse(op, "unknown type of known-host file");
    if (line[len + strspn(line + len, "\r\n")])
        return refuse(op, "more than one line");
    line[len] = '\0';
    at = line += strspn(line, " \t");
    if (!*line || *line == '#')
        return 0;
    if (*line == '@')
        marker = word(&at);
    names = word(&at);
    type = word(&at);
    key = word(&at);
    a.key = (s2_buf){at - key.left, key.left};
    revoked = is(marker, "@revoked");
    if (!a.key.len ||
        (marker.left && !revoked && !is(marker, "@cert-authority")))
        return refuse(
            op, "not a line of names, type and key, or an unknown marker");
    excludes = has_exclusion(names);
    for (int i = 0; i < TYPES && !marker.left && !excludes; i++)
        if (is(type, types[i].name)) {
            at += strspn(at, " \t");
            if (*at)
                a.comment = (s2_buf){at, strlen(at)};
            line[names.left] = '\0'; /* no marker stands before them */
            return add_names(op, line, &a, types[i].mask);
        }
    if (revoked && !is_key(&a.key, BASE64))
        return refuse(op, "the revoked key is not in base64");
    if (!s2_list_add(&kh->kept, line, strlen(line)))
        return s2_op_fail(op, &s2_no_memory);
    if (!revoked)
        return 0;
    return libssh2_knownhost_addc(
        kh->revoked, "*", NULL, a.key.data, a.key.len, NULL, 0,
        PLAIN | BASE64 | LIBSSH2_KNOWNHOST_KEY_UNKNOWN, NULL);
}

static int
readline_step(s2_op *op)
{
    s2_buf *line = op->dst;

    return strlen(line->data) == line->len ? add_line(op, line->data)
                                           : refuse(op, "not a line of text");
}

s2_error *
s2_knownhost_readline(s2_knownhost *kh, const void *line, size_t line_len,
                      int f_type)
{
    s2_buf copy = {0};
    s2_error *err;

    if (!s2_buf_set(&copy, line, line_len))
        return &s2_no_memory;
    err = call(kh, readline_step, "libssh2_knownhost_readline",
               S2_C_KnownHostReadLineError, NULL, f_type, &copy, NULL);
    s2_buf_free(&copy);
    return err;
}

static int
line_of(s2_op *op, struct libssh2_knownhost *at, s2_buf *line)
{
    LIBSSH2_KNOWNHOSTS *raw = KNOWN(op)->raw;
    int type = (int)op->n[0], rc;
    size_t len = 0;
    char *data;

    rc = libssh2_knownhost_writeline(raw, at, NULL, 0, &len, type);
    if (rc != LIBSSH2_ERROR_BUFFER_TOO_SMALL)
        return rc;
    if (!(data = malloc(len + 1)))
        return s2_op_fail(op, &s2_no_memory);
    rc = libssh2_knownhost_writeline(raw, at, data, len + 1, &len, type);
    if (!rc && !s2_buf_set(line, data, len))
        rc = s2_op_fail(op, &s2_no_memory);
    free(data);
    return rc;
}

static int
writeline_step(s2_op *op)
{
    void **arg = op->dst;
    struct libssh2_knownhost *at = find(op, arg[0]);

    return at ? line_of(op, at, arg[1]) : S2_FAILED;
}

s2_error *
s2_knownhost_writeline(s2_knownhost *kh, s2_entry *entry, int f_type,
                       s2_buf *bytes)
{
    void *arg[] = {entry, bytes};
    s2_error *err = call(kh, writeline_step, "libssh2_knownhost_writeline",
                         S2_C_KnownHostWriteLineError, NULL, f_type, arg, NULL);

    if (err)
        s2_buf_free(bytes);
    return err;
}

/* --- files --------------------------------------------------------------- */

static int
file_error(s2_op *op)
{
    int why = errno;
    s2_error *err = s2_error_new(op->cls, LIBSSH2_ERROR_FILE, op->func,
                                 op->path, "%s", strerror(why));

    if (err != &s2_no_memory)
        err->sys_errno = why;
    return s2_op_fail(op, err);
}

static int
readfile_step(s2_op *op)
{
    char line[LINE_LIMIT + 2];
    /* A pipe that nobody writes to must not hold anybody up. */
    int fd = open(op->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

    if (!f) {
        rc = file_error(op);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    op->r[0] = 0;
    while (!rc && fgets(line, sizeof line, f)) {
        op->r[0]++;
        s2_alloc_fresh(&S2_SESSION(op)->alloc); /* as input of its own */
        rc = strchr(line, '\n') || feof(f)
                 ? add_line(op, line)
                 : refuse(op, "too long, or not a line of text");
    }
    if (!rc && ferror(f))
        rc = file_error(op);
    else if (!rc && op->dst)
        *(int *)op->dst = (int)op->r[0];
    fclose(f);
    return rc;
}

s2_error *
s2_knownhost_readfile(s2_knownhost *kh, const char *filename, int f_type,
                      int *result)
{
    return call(kh, readfile_step, "libssh2_knownhost_readfile",
                S2_C_KnownHostReadFileError, filename, f_type, result, NULL);
}

static int
write_lines(s2_op *op, FILE *f)
{
    s2_knownhost *kh = KNOWN(op);
    struct libssh2_knownhost *at = NULL;
    s2_buf line = {0};
    int rc = 0;

    for (size_t i = 0; i < kh->kept.count; i++)
        fprintf(f, "%s\n", kh->kept.item[i].data);
    while (!rc && libssh2_knownhost_get(kh->raw, &at, at) == 0)
        if (!(rc = line_of(op, at, &line)))
            fwrite(line.data, 1, line.len, f);
    s2_buf_free(&line);
    return !rc && (fflush(f) || ferror(f) || fsync(fileno(f)) < 0)
               ? file_error(op)
               : rc;
}

/* libssh2's writer empties the file first, and stops where it cannot go on. */
static int
writefile_step(s2_op *op)
{
    char to[PATH_MAX], temp[PATH_MAX + sizeof ".XXXXXX"];
    struct stat st;
    bool there;
    int fd, rc;
    FILE *f = NULL;

    if (!realpath(op->path, to)) /* a symbolic link stays one */
        snprintf(to, sizeof to, "%s", op->path);
    snprintf(temp, sizeof temp, "%s.XXXXXX", to);
    there = !stat(to, &st);
    if (op->n[0] != LIBSSH2_KNOWNHOST_FILE_OPENSSH ||
        (there && !S_ISREG(st.st_mode)))
        return refuse(op, "no known type of file, or not a regular one");
    if ((fd = mkstemp(temp)) < 0)
        return file_error(op);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    /* Only root can give a file away; nor is it for another group. */
    if (there && fchown(fd, st.st_uid, st.st_gid) < 0 &&
        fchown(fd, (uid_t)-1, st.st_gid) < 0)
        st.st_mode &= ~(mode_t)S_IRWXG;
    if (there && fchmod(fd, st.st_mode & 0777) < 0)
        rc = file_error(op);
    else
        rc = (f = fdopen(fd, "w")) ? write_lines(op, f) : file_error(op);
    if ((f ? fclose(f) : close(fd)) && !rc)
        rc = file_error(op);
    if (!rc && rename(temp, to) < 0)
        rc = file_error(op);
    if (rc)
        unlink(temp);
    return rc;
}

s2_error *
s2_knownhost_writefile(s2_knownhost *kh, const char *filename, int f_type)
{
    return call(kh, writefile_step, "libssh2_knownhost_writefile",
                S2_C_KnownHostWriteFileError, filename, f_type, NULL, NULL);
}
