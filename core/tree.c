/*
 * Trees: folders and all that is in them, by many requests at once.
 *
 * No link is followed, on either side, and a name is one of its folder or
 * nothing is done: whatever a server lists, nothing is written outside of what
 * was named.  What waits for its turn is bounded: a folder is listed no further
 * while enough of it is waiting.
 */
#include "lane.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ITEMS = 256, /* files and links at a time, each with a descriptor, */
    FAR_ITEMS = 512,
    FAR_US = 5000,  /* from that round trip on, */
    SHARE = 8,      /* but of so many descriptors one only, */
    WAITING = 1024, /* and so many waiting */
    FOLDERS = 16,   /* listed at a time, */
    LISTS = 4,      /* each by so many requests */
    OPEN = 128,     /* open on this side at a time, but for a deep one */
    DEPTH = 256,
    DOTS = 16,  /* names of a folder for itself or the one above */
    EACH = 256, /* bytes of a path, of as many as there may be */
    MODE = 0777,
    OWNER = 0700, /* of who has to write in a folder meanwhile */
};

enum { GET, PUT, LIST };

/* A folder, until all that is in it is done. */
typedef struct node {
    struct node *parent, *next, *older, *younger;
    unsigned refs, depth, flying;
    unsigned dots;         /* that were listed: "." and ".." */
    unsigned long refused; /* why, when it was to be made */
    unsigned long open_to; /* the mode it needs meanwhile, where it was there */
    char *leaf;            /* all there is of it until it is begun */
    char *remote, *name;   /* its name in the tree, "" for the root */
    int fd;                /* on this side, or -1 */
    DIR *dir;              /* the same, listed to be put */
    s2_attrs attrs;
    s2_buf handle;
    bool listed, made;
} node;

/* A file, a link or what may be either. */
typedef struct item {
    struct item *next;
    node *in;
    char *leaf;
    s2_attrs attrs;
    s2_move *move; /* of a file */
    char *target;  /* of a link */
    int wants;     /* of the server, as soon as there is room to ask */
    bool over, replacing;
    unsigned long refused; /* why, when it was to be made */
} item;

typedef struct tree {
    s2_job job;
    int kind;
    char *local;                    /* the root */
    node *newest;                   /* of all folders that are not done */
    node *todo, *listing, *closing; /* not begun, being listed, done */
    node *doubted;                  /* not made: are they there, and open? */
    unsigned folders;               /* begun and not listed yet */
    unsigned open;                  /* on this side */
    item *waiting, **waiting_end, *active;
    unsigned waits, busy, most;
    size_t entries, limit, files;
    size_t bytes;   /* of all names, from the root on */
    s2_value found; /* what was listed, or skipped */
} tree;

static bool
fail(tree *t, s2_error *err)
{
    s2_job_fail(&t->job, err);
    return false;
}

static bool
no_memory(tree *t)
{
    return fail(t, &s2_no_memory);
}

static int
senseless(s2_op *op, const char *path, const char *text)
{
    return s2_op_fail(op, s2_error_new(S2_C_SFTPProtocolError,
                                       LIBSSH2_ERROR_SFTP_PROTOCOL, op->func,
                                       path, "%s", text));
}

/* --- names --------------------------------------------------------------- */

static char *
join(const char *folder, const char *name)
{
    size_t len = strlen(folder), size = len + strlen(name) + 2;
    bool slash = len && folder[len - 1] != '/';
    char *path = malloc(size);

    if (path) {
        memcpy(path, folder, len);
        path[len] = '/';
        memcpy(path + len + slash, name, size - len - 1);
        path[len + slash + size - len - 2] = '\0';
    }
    return path;
}

/* Is it a name in a folder, and nothing else? */
static bool
is_leaf(cursor name)
{
    return name.left && !memchr(name.at, '/', name.left) &&
           !memchr(name.at, '\0', name.left);
}

/* Does a link in a folder of that depth stay in the tree, by its names?  What
 * goes up again behind a name may be led elsewhere by it. */
static bool
stays(const char *target, unsigned depth)
{
    long deep = (long)depth;
    bool named = false;

    if (*target == '/' || !*target)
        return false;
    while (*target) {
        size_t len = strcspn(target, "/");

        if (len == 2 && target[0] == '.' && target[1] == '.')
            deep -= named ? (long)depth + 1 : 1;
        else if (len && !(len == 1 && *target == '.'))
            named = true;
        if (deep < 0)
            return false;
        target += len + (target[len] == '/');
    }
    return true;
}

static bool
skip(tree *t, const item *i)
{
    char *name = join(i->in->name, i->leaf);
    s2_value *v = name ? s2_value_add(&t->found, S2_TEXT) : NULL;
    bool done = v && s2_buf_set(&v->bytes, name, strlen(name));

    free(name);
    return done || no_memory(t);
}

/* --- folders ------------------------------------------------------------- */

static node *
node_new(tree *t, node *parent, const char *leaf)
{
    node *n = calloc(1, sizeof *n);

    if (!n || !(n->leaf = strdup(leaf))) {
        free(n);
        return NULL;
    }
    n->fd = -1;
    n->refs = 1;
    if ((n->parent = parent)) {
        n->depth = parent->depth + 1;
        parent->refs++;
    }
    if ((n->older = t->newest))
        n->older->younger = n;
    t->newest = n;
    n->next = t->todo;
    t->todo = n;
    return n;
}

static void
node_free(tree *t, node *n)
{
    if (n->older)
        n->older->younger = n->younger;
    if (n->younger)
        n->younger->older = n->older;
    else
        t->newest = n->older;
    t->open -= n->fd >= 0;
    if (n->dir)
        closedir(n->dir);
    else if (n->fd >= 0)
        close(n->fd);
    s2_buf_free(&n->handle);
    free(n->leaf);
    free(n->remote);
    free(n->name);
    free(n);
}

static bool
name_node(node *n)
{
    const node *in = n->parent;

    if (!n->remote)
        n->remote = in ? join(in->remote, n->leaf) : strdup(n->leaf);
    if (!n->name)
        n->name = in ? join(in->name, n->leaf) : strdup("");
    return n->remote && n->name;
}

/* This side's path of a folder. */
static s2_error *
here_error(s2_op *op, tree *t, const node *n, int why)
{
    char *path = *n->name ? join(t->local, n->name) : NULL;
    s2_error *err = s2_errno_error(op->func, path ? path : t->local, why);

    free(path);
    return err;
}

/* Nothing in it is left to be done: its mode and its times are last. */
static void
release(s2_op *op, tree *t, node *n)
{
    while (n && !--n->refs) {
        node *parent = n->parent;
        bool preserve = t->job.options & S2_PRESERVE;

        if (preserve && !t->job.failed && n->made && t->kind == PUT) {
            n->next = t->closing;
            t->closing = n;
            return;
        }
        if (preserve && !t->job.failed && t->kind == GET &&
            !s2_preserve(n->fd, &n->attrs))
            fail(t, here_error(op, t, n, errno));
        node_free(t, n);
        n = parent;
    }
}

/* --- what is found ------------------------------------------------------- */

static void
item_free(item *i)
{
    s2_move_free(i->move);
    free(i->leaf);
    free(i->target);
    free(i);
}

static bool
enqueue(tree *t, node *in, const char *leaf, const s2_attrs *attrs)
{
    item *i = calloc(1, sizeof *i);

    if (!i || !(i->leaf = strdup(leaf))) {
        free(i);
        return no_memory(t);
    }
    i->attrs = *attrs;
    i->in = in;
    in->refs++;
    *t->waiting_end = i;
    t->waiting_end = &i->next;
    t->waits++;
    return true;
}

static bool
list(tree *t, const node *in, const char *leaf, const s2_attrs *attrs)
{
    char *name = join(in->name, leaf);
    s2_value *pair = name ? s2_value_add(&t->found, S2_LIST) : NULL;
    s2_value *text = pair ? s2_value_add(pair, S2_TEXT) : NULL;
    s2_value *record = text ? s2_value_add(pair, S2_ATTRS) : NULL;
    bool done = record &&
                s2_buf_set(&pair->item[0].bytes, name, strlen(name)) &&
                s2_buf_set(&record->bytes, attrs, sizeof *attrs);

    free(name);
    return done || no_memory(t);
}

/* One name of a folder. */
static bool
find(s2_op *op, tree *t, node *in, const char *leaf, const s2_attrs *attrs)
{
    bool known = attrs->flags & LIBSSH2_SFTP_ATTR_PERMISSIONS;
    node *n;

    if (!strcmp(leaf, ".") || !strcmp(leaf, ".."))
        return ++in->dots <= DOTS ||
               fail(t, s2_error_new(S2_C_SFTPProtocolError,
                                    LIBSSH2_ERROR_SFTP_PROTOCOL, op->func,
                                    in->remote, "it is listed without end"));
    if (strlen(in->remote) + strlen(leaf) >= S2_NAMES)
        return fail(t, s2_errno_error(op->func, in->remote, ENAMETOOLONG));
    t->bytes += strlen(in->remote) + strlen(leaf);
    if (t->limit && t->bytes / EACH > t->limit + S2_NAMES)
        return fail(t, s2_error_new(S2_C_BufferTooSmallError,
                                    LIBSSH2_ERROR_BUFFER_TOO_SMALL, op->func,
                                    in->remote,
                                    "names of %zu bytes, with the "
                                    "folders they are in",
                                    t->bytes));
    if (t->limit && ++t->entries > t->limit)
        return fail(t,
                    s2_error_new(S2_C_BufferTooSmallError,
                                 LIBSSH2_ERROR_BUFFER_TOO_SMALL, op->func,
                                 in->remote, "more than %zu names", t->limit));
    if (!known)
        return enqueue(t, in, leaf, attrs);
    if (t->kind == LIST && !list(t, in, leaf, attrs))
        return false;
    if (LIBSSH2_SFTP_S_ISDIR(attrs->permissions)) {
        if (in->depth >= DEPTH)
            return fail(t, s2_errno_error(op->func, in->remote, ELOOP));
        if (!(n = node_new(t, in, leaf)))
            return no_memory(t);
        n->attrs = *attrs;
        return true;
    }
    return t->kind == LIST || enqueue(t, in, leaf, attrs);
}

/* --- folders of this side ------------------------------------------------ */

/* Is what a folder is opened to meanwhile taken back at the end? */
static bool
has_mode_later(const tree *t, const s2_attrs *a)
{
    return (t->job.options & S2_PRESERVE) &&
           (a->flags & LIBSSH2_SFTP_ATTR_PERMISSIONS);
}

static bool
open_here(s2_op *op, tree *t, node *n)
{
    enum { FLAGS = O_RDONLY | O_DIRECTORY | O_CLOEXEC };
    const char *path = n->parent ? n->leaf : t->local;
    int at = n->parent ? n->parent->fd : AT_FDCWD;
    mode_t mode = n->attrs.flags & LIBSSH2_SFTP_ATTR_PERMISSIONS
                      ? (n->attrs.permissions & MODE) | OWNER
                      : MODE;
    struct stat st;

    if (t->kind == GET && mkdirat(at, path, mode) < 0 && errno != EEXIST)
        return fail(t, here_error(op, t, n, errno));
    n->fd = openat(at, path, FLAGS | (n->parent ? O_NOFOLLOW : 0));
    if (n->fd < 0)
        return fail(t, here_error(op, t, n, errno));
    t->open++;
    if (fstat(n->fd, &st) < 0)
        return fail(t, here_error(op, t, n, errno));
    if (t->kind == PUT)
        n->attrs = s2_attrs_of(&st);
    else if (has_mode_later(t, &n->attrs) && (~st.st_mode & OWNER))
        (void)fchmod(n->fd, (st.st_mode & MODE) | OWNER);
    return true;
}

/* --- folders of the server's --------------------------------------------- */

enum { ROOT, OPENED, LISTED, MADE, IS, OPEN_TO, SET };

static int on_folder(s2_op *op, void *owner, uint64_t tag, const s2_reply *r);

/* A reply's owner is its node; the tree is the op's. */
static bool
ask(tree *t, node *n, int type, bool by_handle, const s2_attrs *attrs, int what)
{
    const char *str = by_handle ? n->handle.data : n->remote;
    size_t len = by_handle ? n->handle.len : strlen(n->remote);
    unsigned char body[S2_ATTRS_MOST], *to;
    size_t more = attrs ? (size_t)(s2_put_attrs(body, attrs) - body) : 0;

    to =
        s2_ask(t->job.lane, type, str, len, more, on_folder, n, (uint64_t)what);
    if (!to)
        return false;
    memcpy(to, body, more);
    n->flying++;
    return true;
}

/* It can be listed from now on. */
static void
ready(tree *t, node *n)
{
    n->next = t->listing;
    t->listing = n;
}

static int
on_names(s2_op *op, tree *t, node *n, const s2_reply *r)
{
    cursor c = r->body;
    size_t count;

    if (r->type == FXP_STATUS) {
        if (r->status != LIBSSH2_FX_EOF)
            fail(t, s2_status_error(op->func, n->remote, r->status));
        n->listed = true;
        return 0;
    }
    if (r->type != FXP_NAME)
        return senseless(op, n->remote, "the server does not list it");
    count = take_u32(&c);
    if (!count) /* it would go on so for ever */
        n->listed = true;
    while (count-- && !t->job.failed) {
        cursor name = take_string(&c);
        char leaf[4096];
        s2_attrs attrs;

        take_string(&c);
        s2_take_attrs(&c, &attrs);
        if (!c.at || name.left >= sizeof leaf || !is_leaf(name))
            return senseless(op, n->remote,
                             "the server lists what is not a name");
        memcpy(leaf, name.at, name.left);
        leaf[name.left] = '\0';
        find(op, t, n, leaf, &attrs);
    }
    return 0;
}

static int
on_folder(s2_op *op, void *owner, uint64_t tag, const s2_reply *r)
{
    tree *t = op->state;
    node *n = owner;
    cursor c = r->body, handle;
    bool good = r->type != FXP_STATUS || !r->status;
    s2_attrs attrs = {0};

    n->flying--;
    if ((tag == MADE || tag >= OPEN_TO) && r->type != FXP_STATUS)
        return senseless(op, n->remote,
                         "the server does not say what came of it");
    switch (tag) {
    case ROOT:
        if (r->type == FXP_ATTRS)
            s2_take_attrs(&c, &n->attrs);
        if (!c.at)
            return senseless(op, n->remote,
                             "the server's attributes make no sense");
        break;
    case OPENED:
        if (!good) {
            bool other = (n->attrs.flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) &&
                         !LIBSSH2_SFTP_S_ISDIR(n->attrs.permissions);

            fail(t, s2_status_error(op->func, n->remote,
                                    other ? LIBSSH2_FX_NOT_A_DIRECTORY
                                          : r->status));
            break;
        }
        handle = take_string(&c);
        if (r->type != FXP_HANDLE || !handle.at || handle.left > S2_HANDLE)
            return senseless(op, n->remote, "the server gives no handle");
        if (!s2_buf_set(&n->handle, handle.at, handle.left))
            no_memory(t);
        else if (!t->job.failed && (t->kind == LIST || open_here(op, t, n)))
            ready(t, n);
        break;
    case LISTED:
        return on_names(op, t, n, r);
    case MADE:
        n->made = good;
        if (good) {
            ready(t, n);
        } else {
            n->refused = r->status;
            n->next = t->doubted;
            t->doubted = n;
        }
        break;
    case IS:
        if (r->type == FXP_ATTRS)
            s2_take_attrs(&c, &attrs);
        n->made = true;
        if (!LIBSSH2_SFTP_S_ISDIR(attrs.permissions)) {
            fail(t, good ? s2_errno_error(op->func, n->remote, ENOTDIR)
                         : s2_status_error(op->func, n->remote, n->refused));
        } else if (has_mode_later(t, &n->attrs) &&
                   (~attrs.permissions & OWNER)) {
            n->open_to = (attrs.permissions & MODE) | OWNER;
            n->next = t->doubted;
            t->doubted = n;
        } else {
            ready(t, n);
        }
        break;
    case OPEN_TO: /* or not: then the server refuses what is put in it */
        ready(t, n);
        break;
    case SET:
        if (!good)
            fail(t, s2_status_error(op->func, n->remote, r->status));
        n->made = false; /* done */
        n->refs = 1;
        release(op, t, n);
        break;
    default:
        break;
    }
    return 0;
}

/* --- work on folders ----------------------------------------------------- */

static bool
begin_folder(s2_op *op, tree *t, node *n)
{
    s2_attrs attrs = {.flags = LIBSSH2_SFTP_ATTR_PERMISSIONS};

    if (!name_node(n))
        return no_memory(t);
    if (t->kind != PUT && !n->parent && !n->flying)
        ask(t, n, FXP_STAT, false, NULL, ROOT);
    if (t->kind != PUT)
        return ask(t, n, FXP_OPENDIR, false, NULL, OPENED);
    if (n->fd < 0 && !open_here(op, t, n))
        return false;
    attrs.permissions = (n->attrs.permissions & MODE) | OWNER;
    return ask(t, n, FXP_MKDIR, false, &attrs, MADE);
}

/* The names of a folder of this side. */
static bool
list_here(s2_op *op, tree *t, node *n)
{
    bool moved = false;

    if (!n->dir && !(n->dir = fdopendir(n->fd)))
        return fail(t, here_error(op, t, n, errno));
    while (t->waits < WAITING && !t->job.failed) {
        struct dirent *e;
        struct stat st;
        s2_attrs attrs;

        errno = 0;
        if (!(e = readdir(n->dir))) {
            if (errno)
                fail(t, here_error(op, t, n, errno));
            n->listed = true;
            return true;
        }
        moved = true;
        if (fstatat(dirfd(n->dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno != ENOENT) /* deleted since */
                fail(t, here_error(op, t, n, errno));
            continue;
        }
        attrs = s2_attrs_of(&st);
        find(op, t, n, e->d_name, &attrs);
    }
    return moved;
}

static bool
list_there(tree *t, node *n)
{
    bool moved = false;

    while (!n->listed && n->flying < LISTS &&
           (t->waits < WAITING || t->kind == LIST) &&
           ask(t, n, FXP_READDIR, true, NULL, LISTED))
        moved = true;
    return moved;
}

static int
ignore(s2_op *op, void *owner, uint64_t tag, const s2_reply *r)
{
    (void)op;
    (void)owner;
    (void)tag;
    (void)r;
    return 0;
}

static bool
ask_close(tree *t, node *n)
{
    if (!s2_ask(t->job.lane, FXP_CLOSE, n->handle.data, n->handle.len, 0,
                ignore, NULL, 0))
        return false;
    s2_buf_free(&n->handle);
    return true;
}

/* Those that are being listed: on with them, or out of the list. */
static bool
list_folders(s2_op *op, tree *t)
{
    bool moved = false;

    for (node **at = &t->listing, *n; (n = *at) && !t->job.failed;) {
        if (!n->listed)
            moved |= t->kind == PUT ? list_here(op, t, n) : list_there(t, n);
        if (!n->listed || n->flying || (n->handle.data && !ask_close(t, n))) {
            at = &n->next;
            continue;
        }
        *at = n->next;
        moved = true;
        t->folders--;
        release(op, t, n);
    }
    return moved;
}

static bool
may_begin(const tree *t)
{
    return t->folders < FOLDERS &&
           (t->open < OPEN || (!t->folders && !t->busy && !t->waits));
}

static bool
begin_folders(s2_op *op, tree *t)
{
    bool moved = false;
    node *n;

    while ((n = t->todo) && may_begin(t) && begin_folder(op, t, n)) {
        t->todo = n->next;
        t->folders++;
        moved = true;
    }
    return moved;
}

static bool
look_at_folders(tree *t)
{
    bool moved = false;
    node *n;

    while ((n = t->doubted)) {
        s2_attrs open = {.flags = LIBSSH2_SFTP_ATTR_PERMISSIONS,
                         .permissions = n->open_to};

        if (!(n->open_to ? ask(t, n, FXP_SETSTAT, false, &open, OPEN_TO)
                         : ask(t, n, n->parent ? FXP_LSTAT : FXP_STAT, false,
                               NULL, IS)))
            break;
        t->doubted = n->next;
        moved = true;
    }
    return moved;
}

static bool
close_folders(tree *t)
{
    bool moved = false;
    node *n;

    while ((n = t->closing)) {
        n->attrs.permissions &= MODE;
        n->attrs.flags &= ~(unsigned long)LIBSSH2_SFTP_ATTR_SIZE;
        if (!ask(t, n, FXP_SETSTAT, false, &n->attrs, SET))
            break;
        t->closing = n->next;
        moved = true;
    }
    return moved;
}

/* It has failed: nothing stays open on a lane that is another's next. */
static bool
leave_folders(tree *t)
{
    bool moved = false;

    for (node *n = t->newest; n; n = n->older)
        moved |= n->handle.data && ask_close(t, n);
    return moved;
}

/* --- work on what is in them --------------------------------------------- */

enum { NOTHING, KIND, TARGET, MADE_LINK, REPLACED };

static int on_item(s2_op *op, void *owner, uint64_t tag, const s2_reply *r);

/* Ask for what it wants: false, if not now.  OpenSSH's server, and so every
 * other one, has the two names of a link in this order. */
static bool
ask_item(tree *t, item *i)
{
    static const int type[] = {[KIND] = FXP_LSTAT,
                               [TARGET] = FXP_READLINK,
                               [MADE_LINK] = FXP_SYMLINK,
                               [REPLACED] = FXP_REMOVE};
    char *path = join(i->in->remote, i->leaf);
    bool link = i->wants == MADE_LINK;
    const char *str = link ? i->target : path;
    unsigned char *to;

    if (!path)
        return no_memory(t);
    to = s2_ask(t->job.lane, type[i->wants], str, strlen(str),
                link ? 4 + strlen(path) : 0, on_item, i, (uint64_t)i->wants);
    if (to && link)
        put_string(to, path, strlen(path));
    free(path);
    if (to)
        i->wants = NOTHING;
    return to;
}

/* A link of this side that replaces no folder. */
static void
link_here(s2_op *op, tree *t, item *i)
{
    int fd = i->in->fd;
    bool done = symlinkat(i->target, fd, i->leaf) == 0;

    if (!done && errno == EEXIST && unlinkat(fd, i->leaf, 0) == 0)
        done = symlinkat(i->target, fd, i->leaf) == 0;
    if (!done)
        fail(t, here_error(op, t, i->in, errno));
}

static void
fail_item(s2_op *op, tree *t, const item *i, unsigned long status)
{
    char *path = join(i->in->remote, i->leaf);

    fail(t, s2_status_error(op->func, path ? path : i->leaf, status));
    free(path);
}

static int
on_item(s2_op *op, void *owner, uint64_t tag, const s2_reply *r)
{
    tree *t = op->state;
    item *i = owner;
    bool good = r->type != FXP_STATUS || !r->status;
    cursor c = r->body, name;

    i->over = true;
    if (tag >= MADE_LINK && r->type != FXP_STATUS)
        return senseless(op, i->in->remote,
                         "the server does not say what came of a link");
    /* Once what has the name is gone the link is made, whatever else fails. */
    if (t->job.failed && !(tag == REPLACED && good))
        return 0;
    if (tag == MADE_LINK && !i->replacing &&
        (r->status == LIBSSH2_FX_FAILURE ||
         r->status == LIBSSH2_FX_FILE_ALREADY_EXISTS)) {
        i->replacing = true;
        i->refused = r->status;
        i->wants = REPLACED;
    } else if (!good) {
        /* Where nothing has the name it was not refused for that. */
        bool none = tag == REPLACED && r->status == LIBSSH2_FX_NO_SUCH_FILE;

        fail_item(op, t, i, none ? i->refused : r->status);
    } else if (tag == REPLACED) {
        i->wants = MADE_LINK;
    } else if (tag == KIND) {
        s2_take_attrs(&c, &i->attrs);
        if (r->type != FXP_ATTRS || !c.at ||
            !(i->attrs.flags & LIBSSH2_SFTP_ATTR_PERMISSIONS))
            return senseless(op, i->in->remote,
                             "the server does not say what is a file");
        t->entries--; /* it was counted */
        find(op, t, i->in, i->leaf, &i->attrs);
    } else if (tag == TARGET) {
        if (r->type != FXP_NAME || take_u32(&c) != 1 ||
            !(name = take_string(&c)).at)
            return senseless(op, i->in->remote,
                             "the server's link has no name");
        if (memchr(name.at, '\0', name.left) ||
            !(i->target = strndup((const char *)name.at, name.left)))
            no_memory(t);
        else if (stays(i->target, i->in->depth))
            link_here(op, t, i);
        else
            skip(t, i);
    }
    i->over = !i->wants;
    return 0;
}

static bool
begin_move(tree *t, item *i)
{
    char *remote = join(i->in->remote, i->leaf);
    char *here = join(i->in->name, i->leaf);
    s2_move *m = remote ? s2_move_new(&t->job, remote, i->leaf) : NULL;

    i->move = m;
    if (m) {
        m->put = t->kind == PUT;
        m->plain = true;
        m->dir = i->in->fd;
        m->shown = here ? join(t->local, here) : NULL;
        if (!m->put) {
            m->attrs = i->attrs;
            m->known = true;
            if (i->attrs.flags & LIBSSH2_SFTP_ATTR_SIZE)
                t->job.total += i->attrs.filesize;
        }
    }
    free(remote);
    free(here);
    return m && m->shown;
}

/* What kind of thing is it, and what is to be done: false, if it fails. */
static bool
begin_item(s2_op *op, tree *t, item *i)
{
    bool known = i->attrs.flags & LIBSSH2_SFTP_ATTR_PERMISSIONS;
    char target[4096];
    ssize_t len;

    if (!known) {
        i->wants = KIND;
        return true;
    }
    if (LIBSSH2_SFTP_S_ISREG(i->attrs.permissions))
        return begin_move(t, i) || no_memory(t);
    if (!LIBSSH2_SFTP_S_ISLNK(i->attrs.permissions)) {
        i->over = true;
        return skip(t, i);
    }
    if (t->kind == GET) {
        i->wants = TARGET;
        return true;
    }
    len = readlinkat(i->in->fd, i->leaf, target, sizeof target - 1);
    if (len < 0)
        return fail(t, here_error(op, t, i->in, errno));
    target[len] = '\0';
    if (!stays(target, i->in->depth)) {
        i->over = true;
        return skip(t, i);
    }
    i->wants = MADE_LINK;
    return (i->target = strdup(target)) || no_memory(t);
}

static bool
begin_items(s2_op *op, tree *t)
{
    unsigned most = t->job.rtt < FAR_US ? ITEMS : FAR_ITEMS;
    bool moved = false;
    item *i;

    if (most > t->most)
        most = t->most;
    while ((i = t->waiting) && t->busy < most && s2_job_room(&t->job) &&
           !t->job.failed && begin_item(op, t, i)) {
        if (!(t->waiting = i->next))
            t->waiting_end = &t->waiting;
        t->waits--;
        i->next = t->active;
        t->active = i;
        t->busy++;
        moved = true;
    }
    return moved;
}

static bool
work_items(s2_op *op, tree *t)
{
    bool moved = false;

    for (item **at = &t->active, *i; (i = *at);) {
        node *in = i->in;

        if (i->wants && (!t->job.failed || i->replacing))
            moved |= ask_item(t, i);
        if (i->move) {
            moved |= s2_move_work(op, i->move) > 0;
            i->over = s2_move_over(i->move);
        }
        if (!i->over) {
            at = &i->next;
            continue;
        }
        t->files += i->move && !t->job.failed;
        *at = i->next;
        t->busy--;
        moved = true;
        item_free(i);
        release(op, t, in);
    }
    return moved;
}

/* --- the job ------------------------------------------------------------- */

static void
tree_undo(s2_job *j)
{
    tree *t = (tree *)j;

    for (item *i = t->active; i; i = i->next) {
        if (i->move)
            s2_move_undo(i->move);
        if (i->replacing) {
            i->wants = MADE_LINK;
            ask_item(t, i);
        }
    }
}

static int
tree_work(s2_op *op, s2_job *j)
{
    tree *t = (tree *)j;
    bool moved;

    moved = work_items(op, t);
    if (j->failed)
        return leave_folders(t) || moved;
    moved |= begin_items(op, t);
    moved |= list_folders(op, t);
    moved |= begin_folders(op, t);
    moved |= look_at_folders(t);
    moved |= close_folders(t);
    if (!t->newest && !j->lane->flying && !j->failed)
        j->want = S2_DONE;
    return moved;
}

static void
tree_free(s2_job *j)
{
    tree *t = (tree *)j;

    for (item *i; (i = t->active ? t->active : t->waiting);) {
        *(t->active ? &t->active : &t->waiting) = i->next;
        item_free(i);
    }
    while (t->newest)
        node_free(t, t->newest);
    s2_value_free(&t->found);
    s2_error_free(j->failed);
    free(t->local);
    free(t);
}

enum { KIND_OF, OPTIONS, AT_MOST }; /* an op's n[] */

static unsigned
descriptors(void)
{
    struct rlimit open;

    return getrlimit(RLIMIT_NOFILE, &open) == 0 &&
                   open.rlim_cur < SHARE * FAR_ITEMS
               ? (unsigned)open.rlim_cur / SHARE + 1
               : FAR_ITEMS;
}

static s2_job *
tree_new(s2_op *op)
{
    tree *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->job = (s2_job){.work = tree_work,
                      .undo = tree_undo,
                      .free = tree_free,
                      .options = (int)op->n[OPTIONS],
                      .reads = op->n[KIND_OF] != PUT};
    t->kind = (int)op->n[KIND_OF];
    t->limit = (size_t)op->n[AT_MOST];
    t->most = descriptors();
    t->waiting_end = &t->waiting;
    t->found.kind = S2_LIST;
    if ((!op->b[1].p || (t->local = strdup(op->b[1].p))) &&
        node_new(t, NULL, op->b[0].p))
        return &t->job;
    tree_free(&t->job);
    return NULL;
}

static int
begin_step(s2_op *op)
{
    return s2_job_begin(op, tree_new);
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(((const s2_value *)a)->bytes.data,
                  ((const s2_value *)b)->bytes.data);
}

static int
by_first(const void *a, const void *b)
{
    return by_name(((const s2_value *)a)->item, ((const s2_value *)b)->item);
}

static bool
take_list(s2_job *j, void *result)
{
    s2_value *found = &((tree *)j)->found;

    if (found->number)
        qsort(found->item, (size_t)found->number, sizeof *found->item,
              by_first);
    *(s2_value *)result = *found;
    *found = (s2_value){.kind = S2_LIST};
    return true;
}

/* Files, bytes, and what was skipped. */
static bool
take_moved(s2_job *j, void *result)
{
    tree *t = (tree *)j;
    s2_value *v = result;

    if (t->found.number)
        qsort(t->found.item, (size_t)t->found.number, sizeof *t->found.item,
              by_name);
    *v = (s2_value){.kind = S2_LIST};
    if (!s2_value_add(v, S2_NUMBER) || !s2_value_add(v, S2_NUMBER) ||
        !s2_value_add(v, S2_LIST))
        return false;
    v->item[0].number = (int64_t)t->files;
    v->item[1].number = (int64_t)j->done;
    v->item[2] = t->found;
    t->found = (s2_value){.kind = S2_LIST};
    return true;
}

static s2_error *
call(s2_op *op, int kind, const char *remote, const char *local,
     s2_call_fn progress, void *progress_ctx, bool preserve, size_t limit,
     s2_value *moved)
{
    s2_calls calls = {.progress = progress, .progress_ctx = progress_ctx};

    s2_op_text(op, 0, remote);
    s2_op_text(op, 1, local);
    op->path = remote;
    op->n[KIND_OF] = kind;
    op->n[OPTIONS] = preserve ? S2_PRESERVE : 0;
    op->n[AT_MOST] = (int64_t)limit;
    return s2_job_run(op, &calls, local ? take_moved : take_list, moved);
}

s2_error *
s2_sftp_get_tree(s2_sftp *sftp, const char *remote, const char *local,
                 s2_call_fn progress, void *progress_ctx, bool preserve,
                 size_t limit, s2_value *moved)
{
    s2_op op =
        S2_OP(sftp, begin_step, "get_tree", &sftp->obj.session->scope, 0);

    return call(&op, GET, remote, local, progress, progress_ctx, preserve,
                limit, moved);
}

s2_error *
s2_sftp_put_tree(s2_sftp *sftp, const char *local, const char *remote,
                 s2_call_fn progress, void *progress_ctx, bool preserve,
                 size_t limit, s2_value *moved)
{
    s2_op op =
        S2_OP(sftp, begin_step, "put_tree", &sftp->obj.session->scope, 0);

    return call(&op, PUT, remote, local, progress, progress_ctx, preserve,
                limit, moved);
}

s2_error *
s2_sftp_list_tree(s2_sftp *sftp, const char *path, size_t limit,
                  s2_value *found)
{
    s2_op op =
        S2_OP(sftp, begin_step, "list_tree", &sftp->obj.session->scope, 0);

    return call(&op, LIST, path, NULL, NULL, NULL, false, limit, found);
}

/* --- many names ---------------------------------------------------------- */

typedef struct names {
    s2_job job;
    char *text; /* one after the other, each with its NUL */
    size_t len, at;
    s2_value found;
} names;

static int
on_stat(s2_op *op, void *owner, uint64_t tag, const s2_reply *r)
{
    names *n = owner;
    s2_value *v = &n->found.item[tag];
    const char *path = n->text + v->number;
    cursor c = r->body;
    s2_attrs attrs;

    v->number = 0;
    if (r->type == FXP_STATUS && r->status) {
        v->kind = S2_ERROR;
        v->error = s2_status_error(op->func, path, r->status);
        return 0;
    }
    s2_take_attrs(&c, &attrs);
    if (r->type != FXP_ATTRS || !c.at)
        return senseless(op, path, "the server's attributes make no sense");
    v->kind = S2_ATTRS;
    if (!s2_buf_set(&v->bytes, &attrs, sizeof attrs))
        s2_job_fail(&n->job, &s2_no_memory);
    return 0;
}

static int
stat_work(s2_op *op, s2_job *j)
{
    names *n = (names *)j;
    bool moved = false;

    (void)op;
    while (n->at < n->len && !j->failed) {
        const char *path = n->text + n->at;
        size_t len = strlen(path), number = (size_t)n->found.number;
        s2_value *v;

        if (!s2_ask(j->lane, FXP_STAT, path, len, 0, on_stat, n, number))
            break;
        if (!(v = s2_value_add(&n->found, S2_NUMBER))) {
            s2_ask_not(j->lane);
            s2_job_fail(j, &s2_no_memory);
            break;
        }
        v->number = (int64_t)n->at;
        n->at += len + 1;
        moved = true;
    }
    if (n->at == n->len && !j->lane->flying && !j->failed)
        j->want = S2_DONE;
    return moved;
}

static void
stat_undo(s2_job *j)
{
    (void)j;
}

static void
stat_free(s2_job *j)
{
    names *n = (names *)j;

    s2_value_free(&n->found);
    s2_error_free(j->failed);
    free(n->text);
    free(n);
}

static s2_job *
new_stat(s2_op *op)
{
    names *n = calloc(1, sizeof *n);

    if (!n)
        return NULL;
    n->job = (s2_job){.work = stat_work, .undo = stat_undo, .free = stat_free};
    n->found.kind = S2_LIST;
    n->len = op->b[0].len;
    if (!(n->text = malloc(n->len + 1))) {
        stat_free(&n->job);
        return NULL;
    }
    memcpy(n->text, op->b[0].p, n->len);
    return &n->job;
}

static int
stat_step(s2_op *op)
{
    return s2_job_begin(op, new_stat);
}

static bool
take_stats(s2_job *j, void *result)
{
    names *n = (names *)j;

    *(s2_value *)result = n->found;
    n->found = (s2_value){.kind = S2_LIST};
    return true;
}

s2_error *
s2_sftp_stat_many(s2_sftp *sftp, const s2_list *paths, s2_value *found)
{
    s2_op op =
        S2_OP(sftp, stat_step, "stat_many", &sftp->obj.session->scope, 0);
    size_t len = 0;
    char *text, *to;
    s2_error *err;

    for (size_t i = 0; i < paths->count; i++)
        len += paths->item[i].len + 1;
    if (!(text = to = malloc(len + 1)))
        return &s2_no_memory;
    for (size_t i = 0; i < paths->count; i++) {
        memcpy(to, paths->item[i].data, paths->item[i].len);
        to += paths->item[i].len;
        *to++ = '\0';
    }
    s2_op_bytes(&op, 0, text, len);
    for (size_t i = 0; i < paths->count; i++)
        if (paths->item[i].len > S2_NAMES) {
            free(text);
            return s2_error_new(S2_C_InvalidRequestError, LIBSSH2_ERROR_INVAL,
                                op.func, NULL, "a path of %zu bytes",
                                paths->item[i].len);
        }
    err = s2_job_run(&op, &(s2_calls){0}, take_stats, found);
    free(text);
    return err;
}
