/*
 * Moves: one file from the server, or to it.
 *
 * Bytes come to their end in order, whatever the order of the answers: so what
 * a transfer leaves is a beginning of the file, and can be resumed.  Until all
 * is there it has another name.
 */
#include "lane.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME = 255,   /* bytes of a name, on most file systems */
    LEAST = 4096, /* bytes of a read, whatever a server gives at once */
    MODE = 0777,  /* of what a file may be for: its owner may be another now */
    OWNER = 0600, /* of who has to write and read it meanwhile */
    CHECKS = 2,   /* of a file that ends early: it may be being written anew */
};

enum {
    BEGIN,  /* nothing was asked yet */
    LOOK,   /* what is there already? */
    FOLLOW, /* is that what its link names? */
    OPEN,   /* is it open? */
    RENEW,  /* how much is there already? */
    MOVE,   /* pieces are on their way */
    CLOSE,  /* all was asked for */
    RENAME, /* has it got its own name? */
    OVER
};

/* What is wanted of the server, and answered; in the order in which it is asked
 * for where it is more than one thing. */
enum {
    LINK,
    THERE,
    REAL,
    NO_LINK,
    HANDLE,
    SIZE,
    PART,
    CUT,
    AGAIN,
    MORE,
    SET,
    SHUT,
    GONE,
    NAMED,
    DROPPED
};

/* A write, which is away until it is known to be done; or a read: `held` came,
 * and waits for what is before it, then `len` more. */
struct piece {
    uint64_t at;
    size_t len, asked;
    unsigned char *held;
    size_t held_len, used;
    bool away, last;
};

/* --- failing ------------------------------------------------------------- */

static void
fail(s2_move *m, s2_error *err)
{
    if (m->failed)
        s2_error_free(err);
    else
        m->failed = err;
}

/* How errors name this side's file: as it was given, or is shown. */
static const char *
here(const s2_move *m)
{
    return m->shown ? m->shown : m->local;
}

static void
fail_here(s2_op *op, s2_move *m, int why)
{
    fail(m, s2_errno_error(op->func, here(m), why));
}

static void
fail_there(s2_op *op, s2_move *m, unsigned long status)
{
    fail(m, s2_status_error(op->func, m->remote, status));
}

static int
senseless(s2_op *op, s2_move *m, const char *text)
{
    return s2_op_fail(op, s2_error_new(S2_C_SFTPProtocolError,
                                       LIBSSH2_ERROR_SFTP_PROTOCOL, op->func,
                                       m->remote, "%s", text));
}

/* In this version of SFTP it has no status of its own. */
static void
fail_folder(s2_op *op, s2_move *m)
{
    fail(m, s2_error_new(S2_C_SFTPFailureError, LIBSSH2_ERROR_SFTP_PROTOCOL,
                         op->func, m->remote, "Is a directory"));
}

/* Opening it has followed a link: its name can be known, and somebody may have
 * put one there. */
static void
fail_part(s2_op *op, s2_move *m)
{
    fail(m, s2_error_new(S2_C_SFTPFailureError, LIBSSH2_ERROR_SFTP_PROTOCOL,
                         op->func, m->remote_temp,
                         "what is there is no file that can be resumed"));
}

static void
changed(s2_op *op, s2_move *m)
{
    fail(m, s2_error_new(S2_C_FileError, LIBSSH2_ERROR_FILE, op->func,
                         m->put ? here(m) : m->remote,
                         "it was changed while it was read: %llu bytes of %llu",
                         (unsigned long long)m->moved,
                         (unsigned long long)m->attrs.filesize));
}

/* Is nothing more to be begun for it? */
static bool
is_off(const s2_move *m)
{
    return m->failed || m->undone || m->job->failed;
}

/* --- names --------------------------------------------------------------- */

/* FNV-1a */
#define FNV_BASIS 14695981039346656037u
#define FNV_PRIME 1099511628211u

static uint64_t
hash(uint64_t h, const char *text)
{
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * FNV_PRIME;
    return h;
}

/* Is the version of the source known? */
static bool
is_version(const s2_attrs *source)
{
    enum { TOLD = LIBSSH2_SFTP_ATTR_SIZE | LIBSSH2_SFTP_ATTR_ACMODTIME };

    return (source->flags & TOLD) == TOLD;
}

/* A name beside `path` for as long as it is not whole: where it is to be
 * resumed the same each time for that version of the source, as far as it is
 * `named` and has an inode, else one of its own.  NULL: no memory. */
static char *
beside(const s2_move *m, const char *path, const char *named)
{
    const s2_attrs *source = &m->attrs;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t folder = (size_t)(name - path), len = strlen(name), cap;
    char tail[48], *made;
    uint64_t n = hash(hash(FNV_BASIS, name), named ? named : "");

    n = (n ^ m->inode) * FNV_PRIME;
    n = (n ^ source->filesize) * FNV_PRIME + source->mtime;

    if (!(m->options & S2_RESUME) &&
        RAND_bytes((unsigned char *)&n, sizeof n) != 1)
        return NULL;
    snprintf(tail, sizeof tail, ".%016llx.part", (unsigned long long)n);
    if (len + strlen(tail) > NAME) /* and no character is cut */
        for (len = NAME - strlen(tail); len && (name[len] & 0xC0) == 0x80;)
            len--;
    cap = folder + len + strlen(tail) + 1;
    if ((made = malloc(cap)))
        snprintf(made, cap, "%.*s%s", (int)(folder + len), path, tail);
    return made;
}

s2_move *
s2_move_new(s2_job *j, const char *remote, const char *local)
{
    s2_move *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    m->job = j;
    m->options = j->options;
    m->dir = AT_FDCWD;
    m->fd = -1;
    if (!(m->remote = strdup(remote)) ||
        (local && !(m->local = strdup(local)))) {
        s2_move_free(m);
        return NULL;
    }
    return m;
}

void
s2_move_free(s2_move *m)
{
    if (!m)
        return;
    if (m->own_fd && m->fd >= 0)
        close(m->fd);
    if (m->own_dir)
        close(m->dir);
    for (size_t i = 0; i < m->cap; i++) {
        m->job->flying -= m->ring[i].held_len - m->ring[i].used;
        free(m->ring[i].held);
    }
    free(m->ring);
    free(m->remote);
    free(m->remote_temp);
    free(m->local);
    free(m->local_temp);
    free(m->shown);
    free(m->real);
    s2_error_free(m->failed);
    free(m);
}

bool
s2_move_over(const s2_move *m)
{
    return m->state == OVER && !m->flying;
}

/* --- the local side ------------------------------------------------------ */

/* Hand on what came: how much was taken, which is less where it has to wait. */
static size_t
sink(s2_op *op, s2_move *m, const unsigned char *src, size_t len)
{
    s2_job *j = m->job;
    size_t done = 0;
    int why = 0;

    if (m->object) {
        done = S2_BUF - j->buf_len < len ? S2_BUF - j->buf_len : len;
        memcpy(j->buf + j->buf_len, src, done);
        if ((j->buf_len += done) == S2_BUF)
            j->want = S2_SINK;
    }
    if (!m->object)
        done = s2_fd_write(op, m->fd, m->regular, src, len, &why);
    if (why)
        fail_here(op, m, why);
    m->moved += done;
    s2_job_moved(j, done);
    return done;
}

/* Read what is to be put: a count, 0 where nothing is there now, or it has
 * `ended`. */
static size_t
source(s2_op *op, s2_move *m, unsigned char *dst, size_t len)
{
    s2_job *j = m->job;
    size_t done = 0;
    int why = 0;

    if (m->object) {
        done = j->buf_len - j->buf_used;
        done = done < len ? done : len;
        if (done)
            memcpy(dst, j->buf + j->buf_used, done);
        j->buf_used += done;
        m->ended = !done && j->buf_end;
        if (!done && !m->ended)
            j->want = S2_SOURCE;
    }
    if (!m->object)
        done = s2_fd_read(op, m->fd, m->regular, dst, len, &m->ended, &why);
    if (why)
        fail_here(op, m, why);
    m->moved += done;
    return done;
}

/* Without another name there is nothing that could be resumed. */
static void
go_direct(s2_move *m)
{
    m->options = (m->options | S2_DIRECT) & ~S2_RESUME;
}

/* What is there already under the local name.  A link is followed, but not in
 * a tree, where it is replaced. */
static bool
look_here(s2_op *op, s2_move *m)
{
    struct stat st;
    bool link;
    char *real;

    /* The process may go elsewhere before it is renamed.  Where its folder
     * cannot be read it has to stay there. */
    if (m->dir == AT_FDCWD && *m->local != '/') {
        int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if ((m->own_dir = dir >= 0))
            m->dir = dir;
    }
    if (fstatat(m->dir, m->local, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        int why = errno;

        if (why != ENOENT)
            fail_here(op, m, why);
        return why == ENOENT;
    }
    link = S_ISLNK(st.st_mode);
    if (link && m->plain)
        return true;
    if (link && fstatat(m->dir, m->local, &st, 0) < 0) {
        go_direct(m); /* what it names is not there */
        return true;
    }
    if (S_ISDIR(st.st_mode)) {
        fail_here(op, m, EISDIR);
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        if (!m->plain) /* in a tree it is replaced, as all is */
            go_direct(m);
        return true;
    }
    m->there.flags = LIBSSH2_SFTP_ATTR_PERMISSIONS;
    m->there.permissions = st.st_mode;
    if (link) {
        if (!(real = realpath(m->local, NULL))) {
            fail_here(op, m, errno);
            return false;
        }
        free(m->local);
        m->local = real;
    }
    return true;
}

static bool
is_regular(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* How much of the file an earlier transfer has left, if it counts. */
static uint64_t
left(const s2_move *m, uint64_t size)
{
    return size <= m->attrs.filesize ? size : 0;
}

/* Did this user's transfer leave it?  Its name can be known: anybody may have
 * put something there, where others may write. */
static bool
is_ours(const struct stat *st)
{
    return S_ISREG(st->st_mode) && st->st_uid == geteuid() && st->st_nlink == 1;
}

/* A new one, made with that mode, has its source's at the end, as far as a umask
 * left it. */
static void
note_mode(s2_move *m, unsigned long made)
{
    if ((m->there.flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) ||
        !(m->attrs.flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) ||
        !(~m->attrs.permissions & OWNER))
        return;
    m->there.flags = LIBSSH2_SFTP_ATTR_PERMISSIONS;
    m->there.permissions = made & (m->attrs.permissions | ~OWNER);
    m->noted = true;
}

/* Open what is to be written, once it is known what for. */
static bool
open_here(s2_op *op, s2_move *m)
{
    bool direct = m->options & S2_DIRECT, resume;
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY;
    mode_t mode = m->attrs.flags & LIBSSH2_SFTP_ATTR_PERMISSIONS
                      ? (m->attrs.permissions & MODE) | OWNER
                      : 0666;
    struct stat st;
    const char *name;

    if (!is_version(&m->attrs))
        m->options &= ~S2_RESUME;
    resume = m->options & S2_RESUME;
    if (m->there.flags)
        mode = (m->there.permissions & MODE) | OWNER;

    if (!direct && !m->local_temp &&
        !(m->local_temp = beside(m, m->local, m->remote))) {
        fail(m, &s2_no_memory);
        return false;
    }
    name = direct ? m->local : m->local_temp;
    if (!direct)
        flags |= O_NOFOLLOW | (resume ? 0 : O_EXCL);
    else if (m->plain)
        flags |= O_NOFOLLOW;
    m->fd = openat(m->dir, name, flags | O_NONBLOCK, mode);
    m->own_fd = m->made = m->fd >= 0;
    if (m->fd >= 0 ? fstat(m->fd, &st) < 0 : !resume) {
        fail_here(op, m, errno);
        return false;
    }
    if (resume && (m->fd < 0 || !is_ours(&st))) {
        /* Where this user's files are another's it was made just now. */
        if (m->fd >= 0 && !st.st_size)
            unlinkat(m->dir, name, 0);
        if (m->fd >= 0)
            close(m->fd);
        m->fd = -1;
        m->own_fd = m->made = false;
        free(m->local_temp);
        m->local_temp = NULL;
        m->options &= ~S2_RESUME;
        return open_here(op, m);
    }
    m->regular = S_ISREG(st.st_mode);
    if (!m->regular)
        return true;
    m->moved = resume ? left(m, (uint64_t)st.st_size) : 0;
    if (((uint64_t)st.st_size > m->moved &&
         ftruncate(m->fd, (off_t)m->moved) < 0) ||
        lseek(m->fd, (off_t)m->moved, SEEK_SET) < 0) {
        fail_here(op, m, errno);
        return false;
    }
    if (!direct)
        note_mode(m, st.st_mode);
    return true;
}

/* SFTP's times have 32 bits: one before or behind them is as near as can be. */
static unsigned long
time_of(time_t t)
{
    return t < 0 ? 0 : (uint64_t)t < UINT32_MAX ? (unsigned long)t : UINT32_MAX;
}

s2_attrs
s2_attrs_of(const struct stat *st)
{
    return (s2_attrs){.flags = LIBSSH2_SFTP_ATTR_SIZE |
                               LIBSSH2_SFTP_ATTR_PERMISSIONS |
                               LIBSSH2_SFTP_ATTR_ACMODTIME,
                      .filesize = (uint64_t)st->st_size,
                      .permissions = st->st_mode,
                      .atime = time_of(st->st_atime),
                      .mtime = time_of(st->st_mtime)};
}

bool
s2_preserve(int fd, const s2_attrs *a)
{
    struct timespec times[] = {{.tv_sec = (time_t)a->atime},
                               {.tv_sec = (time_t)a->mtime}};

    return (!(a->flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) ||
            fchmod(fd, a->permissions & MODE) == 0) &&
           (!(a->flags & LIBSSH2_SFTP_ATTR_ACMODTIME) ||
            futimens(fd, times) == 0);
}

/* All is there: its mode, its times and its name.  A device's are its own. */
static void
close_here(s2_op *op, s2_move *m)
{
    bool done = true;

    if (!m->own_fd)
        return;
    if (m->regular && (m->options & S2_PRESERVE))
        done = s2_preserve(m->fd, &m->attrs);
    else if (m->local_temp && m->there.flags)
        done = fchmod(m->fd, m->there.permissions & MODE) == 0 || m->noted;
    if (!done)
        fail_here(op, m, errno);
    m->own_fd = false;
    if (close(m->fd) < 0 && errno != EINTR)
        fail_here(op, m, errno);
    m->fd = -1;
    if (!m->failed && m->local_temp &&
        renameat(m->dir, m->local_temp, m->dir, m->local) < 0)
        fail_here(op, m, errno);
    m->made = m->failed != NULL;
}

/* --- asking -------------------------------------------------------------- */

static int on_reply(s2_op *op, void *owner, uint64_t tag, const s2_reply *r);
static int on_data(s2_op *op, void *owner, uint64_t tag, const s2_reply *r);
static int on_ack(s2_op *op, void *owner, uint64_t tag, const s2_reply *r);

static unsigned char *
ask(s2_move *m, int type, const void *str, size_t len, size_t more, int what)
{
    unsigned char *to =
        s2_ask(m->job->lane, type, str, len, more, on_reply, m, (uint64_t)what);

    if (to)
        m->flying++;
    return to;
}

static unsigned char *
ask_path(s2_move *m, int type, const char *path, size_t more, int what)
{
    return ask(m, type, path, strlen(path), more, what);
}

static unsigned char *
ask_file(s2_move *m, int type, size_t more, int what)
{
    return ask(m, type, m->handle, m->handle_len, more, what);
}

static const char *
name_there(const s2_move *m)
{
    return m->remote_temp ? m->remote_temp : m->remote;
}

static bool
ask_open(s2_move *m)
{
    bool resume = m->options & S2_RESUME;
    unsigned long flags = LIBSSH2_FXF_READ;
    const s2_attrs *from = &m->attrs;
    s2_attrs attrs = {0};
    unsigned char body[4 + S2_ATTRS_MOST], *to;
    size_t len;

    if (m->put) {
        flags = LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT;
        if (!resume)
            flags |= m->remote_temp ? LIBSSH2_FXF_EXCL : LIBSSH2_FXF_TRUNC;
        if (m->there.flags & LIBSSH2_SFTP_ATTR_PERMISSIONS)
            from = &m->there; /* nobody is to read meanwhile who could not */
        attrs.flags = from->flags & LIBSSH2_SFTP_ATTR_PERMISSIONS;
        attrs.permissions = from->permissions & MODE;
        if (resume) /* its owner has to open it again */
            attrs.permissions |= OWNER;
    }
    len = (size_t)(s2_put_attrs(put_u32(body, flags), &attrs) - body);
    if (!(to = ask_path(m, FXP_OPEN, name_there(m), len, HANDLE)))
        return false;
    memcpy(to, body, len);
    return true;
}

/* A byte that is behind the end. */
static bool
ask_more(s2_move *m)
{
    unsigned char *to = ask_file(m, FXP_READ, 12, MORE);

    if (to)
        put_u32(s2_put_u64(to, m->moved), 1);
    return to;
}

static bool
ask_set(s2_move *m, s2_attrs attrs, int what)
{
    unsigned char body[S2_ATTRS_MOST], *to;
    size_t len = (size_t)(s2_put_attrs(body, &attrs) - body);

    if (!(to = ask_file(m, FXP_FSETSTAT, len, what)))
        return false;
    memcpy(to, body, len);
    return true;
}

static bool
ask_rename(s2_move *m)
{
    static const char extension[] = "posix-rename@openssh.com";
    const char *from = m->remote_temp, *to = m->remote;
    size_t from_len = strlen(from), to_len = strlen(to);
    unsigned char *body;

    if (m->job->lane->posix_rename) {
        body = ask(m, FXP_EXTENDED, extension, sizeof extension - 1,
                   8 + from_len + to_len, NAMED);
        if (body)
            put_string(put_string(body, from, from_len), to, to_len);
    } else if ((body = ask_path(m, FXP_RENAME, from, 4 + to_len, NAMED))) {
        put_string(body, to, to_len);
    }
    return body;
}

static struct piece *
piece_of(const s2_move *m, size_t number)
{
    return &m->ring[number & (m->cap - 1)];
}

/* Up to where all is known to be written. */
static uint64_t
sure(const s2_move *m)
{
    return m->first == m->past ? m->at : piece_of(m, m->first)->at;
}

/* The mode and the times that the file is to have. */
static s2_attrs
wanted(const s2_move *m)
{
    s2_attrs a = m->attrs;

    if (m->options & S2_PRESERVE) {
        a.flags &= LIBSSH2_SFTP_ATTR_PERMISSIONS | LIBSSH2_SFTP_ATTR_ACMODTIME;
        return a;
    }
    a = m->there;
    a.flags &= m->remote_temp ? LIBSSH2_SFTP_ATTR_PERMISSIONS : 0;
    a.permissions &= MODE;
    return a;
}

static bool
ask_for(s2_move *m, int what)
{
    switch (what) {
    case LINK:
        return ask_path(m, FXP_LSTAT, m->remote, 0, what);
    case THERE:
        return ask_path(m, FXP_STAT, m->remote, 0, what);
    case REAL:
        return ask_path(m, FXP_REALPATH, m->remote, 0, what);
    case NO_LINK:
        return ask_path(m, FXP_LSTAT, m->real, 0, what);
    case HANDLE:
        return ask_open(m);
    case PART:
        return ask_path(m, FXP_LSTAT, m->remote_temp, 0, what);
    case SIZE:
    case AGAIN:
        return ask_file(m, FXP_FSTAT, 0, what);
    case CUT:
        return ask_set(
            m, (s2_attrs){.flags = LIBSSH2_SFTP_ATTR_SIZE, .filesize = sure(m)},
            what);
    case MORE:
        return ask_more(m);
    case SET:
        return ask_set(m, wanted(m), what);
    case SHUT:
        return m->closed = ask_file(m, FXP_CLOSE, 0, what) != NULL;
    case GONE:
        return ask_path(m, FXP_REMOVE, m->remote, 0, what);
    case NAMED:
        return ask_rename(m);
    case DROPPED:
        return ask_path(m, FXP_REMOVE, m->remote_temp, 0, what);
    default:
        return true;
    }
}

static void
want(s2_move *m, int what)
{
    m->wants |= 1u << what;
}

/* Ask for what is wanted, as far as there is room: for all of it? */
static bool
ask_wanted(s2_move *m)
{
    for (int what = LINK; m->wants; what++) {
        if ((m->wants & 1u << what) && !ask_for(m, what))
            return false;
        m->wants &= ~(1u << what);
    }
    return true;
}

/* --- reads --------------------------------------------------------------- */

/* Where the next piece is told of; NULL: no memory. */
static struct piece *
next_piece(s2_move *m)
{
    if (m->past - m->first == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 4;
        struct piece *ring = calloc(cap, sizeof *ring);

        if (!ring) {
            fail(m, &s2_no_memory);
            return NULL;
        }
        for (size_t i = m->first; i != m->past; i++)
            ring[i & (cap - 1)] = *piece_of(m, i);
        free(m->ring);
        m->ring = ring;
        m->cap = cap;
    }
    return piece_of(m, m->past);
}

static bool
ask_piece(s2_move *m, size_t number)
{
    struct piece *p = piece_of(m, number);
    unsigned char *to = s2_ask(m->job->lane, FXP_READ, m->handle, m->handle_len,
                               12, on_data, m, number);

    if (!to)
        return false;
    put_u32(s2_put_u64(to, p->at + (p->held_len - p->used)), p->len);
    p->away = true;
    p->asked = p->len;
    m->flying++;
    m->job->flying += p->len;
    return true;
}

/* One more read, where so many bytes are known to be left. */
static bool
add_piece(s2_move *m, uint64_t left)
{
    size_t len = s2_job_piece(m->job, left);
    struct piece *p = next_piece(m);

    if (!p)
        return false;
    *p = (struct piece){.at = m->at, .len = len};
    if (!ask_piece(m, m->past))
        return false;
    m->at += len;
    m->past++;
    return true;
}

static bool
hold(s2_move *m, struct piece *p, cursor data)
{
    unsigned char *more;

    if (!data.left)
        return true;
    if (p->used) {
        memmove(p->held, p->held + p->used, p->held_len - p->used);
        p->held_len -= p->used;
        p->used = 0;
    }
    if (!(more = realloc(p->held, p->held_len + data.left))) {
        fail(m, &s2_no_memory);
        return false;
    }
    memcpy(more + p->held_len, data.at, data.left);
    p->held = more;
    p->held_len += data.left;
    m->job->flying += data.left; /* it takes room until it is handed on */
    return true;
}

/* Can bytes be handed on? */
static bool
open_for(const s2_move *m)
{
    return m->object || m->fd >= 0;
}

static bool
is_sized(const s2_move *m)
{
    return m->known && (m->attrs.flags & LIBSSH2_SFTP_ATTR_SIZE);
}

static int
on_data(s2_op *op, void *owner, uint64_t tag, const s2_reply *r)
{
    s2_move *m = owner;
    struct piece *p = piece_of(m, (size_t)tag);
    size_t asked = p->asked, got;
    cursor body = r->body, data;

    m->flying--;
    m->job->flying -= asked;
    p->away = false;
    if (is_off(m) || m->ended)
        return 0;
    if (r->type == FXP_STATUS && r->status == LIBSSH2_FX_EOF) {
        p->last = m->eof = true;
        p->len = 0;
        return 0;
    }
    if (r->type == FXP_STATUS) {
        fail_there(op, m, r->status);
        return 0;
    }
    data = take_string(&body);
    if (r->type != FXP_DATA || !data.at || !data.left || data.left > asked)
        return senseless(op, m, "the server gives other data than was asked");
    got = data.left;
    p->len -= got;
    /* Of a file on a disk a server gives all there is (draft 02, 6.4): what is
     * short, and ends where the file is to end, is the last of it. */
    if (p->len && is_sized(m) &&
        p->at + (p->held_len - p->used) + got == m->attrs.filesize) {
        p->last = true;
        p->len = 0;
    }
    /* A server may give less at once, always: then it is not asked for more. */
    if (p->held_len && m->job->piece > p->held_len)
        m->job->piece = p->held_len > LEAST ? p->held_len : LEAST;
    if ((size_t)tag == m->first && !p->held_len && open_for(m)) {
        size_t n = sink(op, m, data.at, data.left);

        p->at += n;
        take(&data, n);
    }
    if (!m->failed && hold(m, p, data) && p->len)
        ask_piece(m, (size_t)tag); /* else later, when it is the first */
    return 0;
}

/* What has come is handed on, as far as it is in order. */
static bool
deliver(s2_op *op, s2_move *m)
{
    bool moved = false;

    while (open_for(m) && m->first != m->past && !m->ended && !m->failed) {
        struct piece *p = piece_of(m, m->first);

        if (p->used < p->held_len) {
            size_t n = sink(op, m, p->held + p->used, p->held_len - p->used);

            p->used += n;
            p->at += n;
            m->job->flying -= n;
            moved |= n > 0;
            if (p->used < p->held_len)
                break;
        }
        p->used = p->held_len = 0;
        if (!p->away && p->len)
            ask_piece(m, m->first);
        if (p->away || p->len)
            break;
        moved = true;
        free(p->held);
        p->held = NULL;
        if (p->last)
            m->ended = true;
        m->first++;
    }
    return moved;
}

static bool
read_on(s2_op *op, s2_move *m)
{
    bool moved = deliver(op, m), sized = is_sized(m);
    uint64_t left = S2_PIECE;

    while (!m->ended && !m->eof && !m->failed && s2_job_room(m->job)) {
        /* A read past the size that was told has to find the end. */
        if (sized && m->at > m->attrs.filesize && m->first != m->past)
            break;
        if (sized)
            left = m->at < m->attrs.filesize ? m->attrs.filesize - m->at : 0;
        if (!add_piece(m, left))
            break;
        moved = true;
    }
    return moved;
}

/* --- writes -------------------------------------------------------------- */

static int
on_ack(s2_op *op, void *owner, uint64_t tag, const s2_reply *r)
{
    s2_move *m = owner;
    struct piece *p = piece_of(m, (size_t)tag);

    m->flying--;
    m->job->flying -= p->asked;
    if (r->type != FXP_STATUS)
        return senseless(op, m, "the server does not say what came of a write");
    if (r->status) {
        m->torn = true;
        fail_there(op, m, r->status);
        return 0;
    }
    p->away = false;
    /* Behind a write that is refused nothing counts: there is a hole. */
    while (m->first != m->past && !piece_of(m, m->first)->away)
        s2_job_moved(m->job, piece_of(m, m->first++)->asked);
    return 0;
}

static bool
write_on(s2_op *op, s2_move *m)
{
    bool moved = false;

    while (!m->ended && !m->failed && s2_job_room(m->job)) {
        size_t most = s2_job_piece(m->job, UINT64_MAX), n;
        struct piece *p = next_piece(m);
        unsigned char *to =
            p ? s2_ask(m->job->lane, FXP_WRITE, m->handle, m->handle_len,
                       12 + most, on_ack, m, m->past)
              : NULL;

        if (!to)
            break;
        if (!(n = source(op, m, to + 12, most))) {
            s2_ask_not(m->job->lane);
            break;
        }
        put_u32(s2_put_u64(to, m->at), n);
        s2_ask_less(m->job->lane, most - n);
        *p = (struct piece){.at = m->at, .asked = n, .away = true};
        m->past++;
        m->at += n;
        m->flying++;
        m->job->flying += n;
        moved = true;
    }
    return moved || m->ended;
}

/* --- answers ------------------------------------------------------------- */

/* Nobody knows what is there: it cannot be resumed. */
static void
distrust(s2_move *m)
{
    m->options &= ~S2_RESUME;
    if (m->undone && m->remote_temp)
        want(m, DROPPED);
}

/* How much is there of what is to be written: go on behind it. */
static void
renew_there(s2_op *op, s2_move *m)
{
    const s2_attrs *have = &m->have;
    uint64_t size = have->flags & LIBSSH2_SFTP_ATTR_SIZE ? have->filesize : 0;
    uint64_t from = left(m, size);

    if (size > from || !(have->flags & LIBSSH2_SFTP_ATTR_SIZE))
        want(m, CUT);
    if (from && lseek(m->fd, (off_t)from, SEEK_CUR) < 0)
        fail_here(op, m, errno);
    if (have->flags & LIBSSH2_SFTP_ATTR_PERMISSIONS)
        note_mode(m, have->permissions);
    m->at = m->moved = from;
    s2_job_had(m->job, from);
}

static void
learn(s2_op *op, s2_move *m, const s2_attrs *attrs)
{
    m->attrs = *attrs;
    m->known = true;
    if ((attrs->flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) &&
        LIBSSH2_SFTP_S_ISDIR(attrs->permissions)) {
        fail_folder(op, m);
        return;
    }
    if (attrs->flags & LIBSSH2_SFTP_ATTR_SIZE)
        m->job->total += attrs->filesize;
    if (m->local && open_here(op, m)) {
        m->at = m->options & S2_RESUME ? m->moved : m->at;
        s2_job_had(m->job, m->moved);
    }
}

/* The file is open on the server. */
static void
opened(s2_op *op, s2_move *m)
{
    bool resume = m->options & S2_RESUME;

    m->state = resume ? RENEW : MOVE;
    if (resume || (!m->put && !m->known))
        want(m, SIZE);
    else if (!m->put && m->local)
        open_here(op, m);
    if (resume && m->put)
        want(m, PART);
}

/* May a name be refused because it is there? */
static bool
is_taken(unsigned long status)
{
    return status == LIBSSH2_FX_FAILURE ||
           status == LIBSSH2_FX_FILE_ALREADY_EXISTS;
}

/* SFTP's answers, by what was asked. */
static int
on_reply(s2_op *op, void *owner, uint64_t tag, const s2_reply *r)
{
    s2_move *m = owner;
    bool good = r->type != FXP_STATUS || !r->status;
    cursor c = r->body;
    s2_attrs attrs = {0};

    m->flying--;
    if ((tag == CUT || tag >= SET) && r->type != FXP_STATUS)
        return senseless(op, m, "the server does not say what came of it");
    if (r->type == FXP_ATTRS)
        s2_take_attrs(&c, &attrs);
    switch (tag) {
    case LINK:
    case THERE:
    case NO_LINK:
    case SIZE:
    case PART:
    case AGAIN:
        if (!c.at || (good && r->type != FXP_ATTRS))
            return senseless(op, m, "the server's attributes make no sense");
        if (tag == LINK)
            m->link = LIBSSH2_SFTP_S_ISLNK(attrs.permissions);
        if (tag == THERE)
            m->there = attrs;
        /* Some servers' REALPATH only makes a path shorter. */
        if (tag == NO_LINK && !LIBSSH2_SFTP_S_ISREG(attrs.permissions)) {
            free(m->real);
            m->real = NULL;
        }
        if (tag == SIZE && m->put) {
            m->have = attrs;
        } else if (tag == SIZE && !is_off(m)) {
            m->state = MOVE;
            learn(op, m, &attrs);
        }
        if (tag == PART && (attrs.flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) &&
            !LIBSSH2_SFTP_S_ISREG(attrs.permissions))
            fail_part(op, m);
        if (tag == AGAIN && !good)
            fail_there(op, m, r->status);
        else if (tag == AGAIN && (attrs.flags & LIBSSH2_SFTP_ATTR_SIZE) &&
                 attrs.filesize != m->attrs.filesize)
            changed(op, m);
        break;
    case REAL:
        if (r->type == FXP_NAME && take_u32(&c) == 1) {
            cursor name = take_string(&c);

            if (name.at && name.left <= S2_NAMES &&
                !memchr(name.at, '\0', name.left))
                m->real = strndup((const char *)name.at, name.left);
        }
        break;
    case HANDLE:
        if (r->type == FXP_HANDLE) {
            cursor handle = take_string(&c);

            if (!handle.at || handle.left > S2_HANDLE)
                return senseless(op, m, "the server's handle is too long");
            memcpy(m->handle, handle.at, handle.left);
            m->handle_len = handle.left;
            if (m->undone)
                want(m, SHUT);
            else if (!is_off(m))
                opened(op, m);
            break;
        }
        if (good)
            return senseless(op, m, "the server gives no handle");
        fail_there(op, m, r->status);
        break;
    case CUT:
        if (!good) {
            distrust(m);
            fail_there(op, m, r->status);
        }
        break;
    case MORE:
        if (r->type == FXP_DATA)
            changed(op, m);
        else if (good)
            return senseless(op, m, "the server neither reads nor ends");
        else if (r->status != LIBSSH2_FX_EOF)
            fail_there(op, m, r->status);
        break;
    case SET:
        if (!good && (m->options & S2_PRESERVE))
            fail_there(op, m, r->status);
        break;
    case SHUT:
        m->handle_len = 0;
        if (!good && m->put) { /* writes may be lost by it */
            distrust(m);
            fail_there(op, m, r->status);
        }
        break;
    case GONE:
        if (good) {
            m->gone = true;
            want(m, NAMED);
        } else {
            m->replacing = false;
            /* Where nothing has the name it was not refused for that. */
            fail_there(op, m,
                       r->status == LIBSSH2_FX_NO_SUCH_FILE ? m->refused
                                                            : r->status);
            if (m->undone && !(m->options & S2_RESUME))
                want(m, DROPPED);
        }
        break;
    case NAMED:
        if (good) {
            m->state = OVER;
        } else if (m->job->lane->posix_rename || m->replacing || m->undone ||
                   !is_taken(r->status)) {
            fail_there(op, m, r->status);
        } else {
            m->replacing = true;
            m->refused = r->status;
            want(m, GONE);
        }
        break;
    default:
        break;
    }
    return 0;
}

/* --- from the server ----------------------------------------------------- */

/* Has it fewer bytes than it told?  Some files always do: those of /sys. */
static bool
fell_short(const s2_move *m)
{
    const s2_attrs *a = &m->attrs;

    return (a->flags & LIBSSH2_SFTP_ATTR_SIZE) && m->moved < a->filesize &&
           (!(a->flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) ||
            LIBSSH2_SFTP_S_ISREG(a->permissions));
}

static int
get_work(s2_op *op, s2_move *m)
{
    switch (m->state) {
    case BEGIN:
        if (m->local && !look_here(op, m))
            return 1;
        if (m->fd >= 0)
            m->regular = is_regular(m->fd);
        m->state = OPEN;
        want(m, HANDLE);
        return 1;
    case MOVE:
        if (!m->ended)
            return read_on(op, m);
        if (m->object && m->job->buf_len) {
            m->job->want = S2_SINK;
            return 1;
        }
        if (!m->known || m->flying)
            return 0;
        if (fell_short(m) && m->checks < CHECKS) {
            m->checks++;
            want(m, AGAIN);
            want(m, MORE);
            return 1;
        }
        want(m, SHUT);
        m->state = CLOSE;
        return 1;
    case CLOSE:
        if (m->flying)
            return 0;
        close_here(op, m);
        if (!m->failed)
            m->state = OVER;
        return 1;
    default:
        return 0;
    }
}

/* --- to the server ------------------------------------------------------- */

/* Open what is to be read, and see what it is. */
static bool
open_source(s2_op *op, s2_move *m)
{
    struct stat st;
    int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, why = 0;

    if (m->object)
        return true;
    if (m->local) {
        m->fd = openat(m->dir, m->local, flags | (m->plain ? O_NOFOLLOW : 0));
        m->own_fd = m->fd >= 0;
    }
    if (m->fd < 0 || fstat(m->fd, &st) < 0)
        why = errno;
    else if (S_ISDIR(st.st_mode))
        why = EISDIR;
    if (why) {
        fail_here(op, m, why);
        return false;
    }
    m->regular = S_ISREG(st.st_mode);
    m->inode = st.st_ino;
    m->attrs = s2_attrs_of(&st);
    m->attrs.permissions &= MODE;
    if (m->regular) {
        off_t at = lseek(m->fd, 0, SEEK_CUR);

        m->attrs.filesize = at < st.st_size ? (uint64_t)(st.st_size - at) : 0;
        m->job->total += m->attrs.filesize;
    } else {
        m->attrs.flags = 0; /* a pipe's mode is none for a file */
    }
    if ((m->options & (S2_RESUME | S2_PRESERVE)) && !m->regular) {
        fail(m, s2_error_new(S2_C_BadUseError, LIBSSH2_ERROR_BAD_USE, op->func,
                             here(m),
                             "what is no file cannot be resumed, and has no "
                             "times or mode to keep"));
        return false;
    }
    return true;
}

/* What is there under the remote name decides where the bytes go first. */
static void
decide(s2_op *op, s2_move *m)
{
    unsigned long mode = m->there.permissions;
    bool there = m->there.flags & LIBSSH2_SFTP_ATTR_PERMISSIONS;

    if (there && LIBSSH2_SFTP_S_ISDIR(mode)) {
        fail_folder(op, m);
        return;
    }
    if (m->link && m->real && there) {
        free(m->remote);
        m->remote = m->real;
        m->real = NULL;
    } else if (m->link) {
        go_direct(m);
    }
    if (there && !LIBSSH2_SFTP_S_ISREG(mode))
        go_direct(m);
}

static bool
begin_put(s2_move *m)
{
    if (!(m->options & S2_DIRECT) && !m->remote_temp &&
        !(m->remote_temp = beside(m, m->remote, m->local))) {
        fail(m, &s2_no_memory);
        return false;
    }
    m->state = OPEN;
    want(m, HANDLE);
    return true;
}

/* It ended before the size that it had: is it another one now? */
static bool
is_changed(const s2_move *m)
{
    off_t at = lseek(m->fd, 0, SEEK_CUR);
    uint64_t left = m->attrs.filesize - m->moved;
    struct stat st;
    char more;

    return fstat(m->fd, &st) < 0 || (uint64_t)(st.st_size - at) != left ||
           pread(m->fd, &more, 1, at) != 0;
}

static int
finish_put(s2_op *op, s2_move *m)
{
    /* What can be resumed may have to be cut, until all is there. */
    if ((m->options & S2_RESUME) && m->first != m->past)
        return 0;
    if (m->regular && m->moved < m->attrs.filesize && is_changed(m)) {
        changed(op, m);
        return 1;
    }
    if (wanted(m).flags)
        want(m, SET);
    want(m, SHUT);
    m->state = CLOSE;
    return 1;
}

static int
put_work(s2_op *op, s2_move *m)
{
    switch (m->state) {
    case BEGIN:
        if (!open_source(op, m))
            return 1;
        if (m->plain || (m->options & S2_DIRECT))
            return begin_put(m);
        m->state = LOOK;
        want(m, LINK);
        want(m, THERE);
        want(m, REAL);
        return 1;
    case LOOK:
    case FOLLOW:
        if (m->flying)
            return 0;
        if (m->state == LOOK && m->link && m->real) {
            m->state = FOLLOW;
            want(m, NO_LINK);
            return 1;
        }
        decide(op, m);
        return m->failed || begin_put(m);
    case RENEW: /* until all is known nothing is written, or cut */
        if (m->flying)
            return 0;
        m->state = MOVE;
        renew_there(op, m);
        return 1;
    case MOVE:
        return m->ended ? finish_put(op, m) : write_on(op, m);
    case CLOSE:
        if (m->flying)
            return 0;
        m->state = m->remote_temp ? RENAME : OVER;
        if (m->remote_temp)
            want(m, NAMED);
        return 1;
    default:
        return 0;
    }
}

/* --- both ---------------------------------------------------------------- */

/* Nothing of it shall stay, but what can be resumed: behind a write that was
 * refused there may be others.  What it replaces may be gone already: then it
 * gets its name. */
static void
give_up(s2_move *m)
{
    bool resume = m->options & S2_RESUME;

    if (!m->undone && !m->put && m->made && m->local_temp && !resume)
        unlinkat(m->dir, m->local_temp, 0);
    m->undone = true;
    m->wants = 0;
    if (m->handle_len && !m->closed) {
        if (m->torn && resume)
            want(m, CUT);
        want(m, SHUT);
    }
    if (m->replacing && !m->gone)
        want(m, GONE);
    else if (m->replacing)
        want(m, NAMED);
    else if (m->put && m->remote_temp && !resume && m->state >= OPEN)
        want(m, DROPPED);
}

/* What was asked for before may not have been sent, and nothing is heard: cut
 * at some time, a file would be no beginning for whoever resumes it now. */
void
s2_move_undo(s2_move *m)
{
    if (m->state == OVER)
        return;
    m->closed = false;
    if (m->torn)
        m->options &= ~S2_RESUME;
    give_up(m);
    if (m->replacing)
        want(m, NAMED);
    ask_wanted(m);
}

/* What it wants is asked for at once, so that what others want does not come
 * between. */
int
s2_move_work(s2_op *op, s2_move *m)
{
    s2_job *j = m->job;
    int worked = 0;

    if (m->state == OVER || !ask_wanted(m))
        return 0;
    if (!is_off(m))
        worked = m->put ? put_work(op, m) : get_work(op, m);
    if (m->failed)
        s2_job_fail(j, m->failed);
    m->failed = NULL;
    if (j->failed && !m->undone) {
        if (m->put && m->flying) /* what becomes of its writes decides */
            return 0;
        give_up(m);
        worked = 1;
    }
    if (!ask_wanted(m) || !m->undone || m->flying)
        return worked;
    m->state = OVER;
    return 1;
}
