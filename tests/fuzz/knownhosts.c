/* Known hosts: what is read of a file is written, and read, as it was. */
#define _GNU_SOURCE
#include "peer.h"

#include <sys/mman.h>
#include <unistd.h>

enum { OPENSSH = LIBSSH2_KNOWNHOST_FILE_OPENSSH };

static s2_knownhost *
hosts(s2_session *s)
{
    s2_knownhost *kh = NULL;

    if (!PEER_TRY(s2_session_knownhost_init(s, &kh)))
        abort();
    return kh;
}

static bool
same(const char *a, const char *b)
{
    return !a == !b && (!a || !strcmp(a, b));
}

/* The line of an entry, read anew, is that entry. */
static void
there_and_back(s2_session *s, s2_knownhost *kh, s2_entry *e)
{
    s2_knownhost *other;
    s2_entry *copy = NULL;
    s2_buf line = {0}, again = {0};

    if (!PEER_TRY(s2_knownhost_writeline(kh, e, OPENSSH, &line)))
        return;
    other = hosts(s);
    if (!PEER_TRY(s2_knownhost_readline(other, line.data, line.len, OPENSSH)) ||
        !PEER_TRY(s2_knownhost_get(other, NULL, &copy)) || !copy)
        PEER_WRONG("not read again: %s", line.data);
    if (!same(s2_entry_name(e), s2_entry_name(copy)) ||
        !same(s2_entry_key(e), s2_entry_key(copy)) ||
        s2_entry_typemask(e) != s2_entry_typemask(copy))
        PEER_WRONG("read as another: %s", line.data);
    if (!PEER_TRY(s2_knownhost_writeline(other, copy, OPENSSH, &again)) ||
        again.len != line.len || memcmp(again.data, line.data, line.len))
        PEER_WRONG("written as another: %s", line.data);
    s2_buf_free(&line);
    s2_buf_free(&again);
    s2_release(copy);
    s2_release(other);
}

static void
look_up(s2_knownhost *kh, s2_entry *e)
{
    s2_entry *found = NULL;
    const char *name = s2_entry_name(e), *key = s2_entry_key(e);
    int type = s2_entry_typemask(e) & LIBSSH2_KNOWNHOST_KEY_MASK;

    if (name && key &&
        PEER_TRY(s2_knownhost_checkp(
            kh, name, -1, key, strlen(key),
            LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_BASE64 |
                type,
            &found)) &&
        !found)
        PEER_WRONG("%s is known, and no entry", name);
    s2_release(found);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    s2_session *s = s2_session_create();
    s2_knownhost *kh;
    s2_entry *e = NULL, *next;
    cursor c = {data, size};
    int how = take_byte(&c), count = 0;

    if (fd < 0) {
        fd = memfd_create("known_hosts", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    kh = hosts(s);
    if (how & 1) {
        if (ftruncate(fd, 0) ||
            pwrite(fd, c.at, c.left, 0) != (ssize_t)c.left)
            abort();
        PEER_TRY(s2_knownhost_readfile(kh, path, OPENSSH, &count));
    } else {
        PEER_TRY(s2_knownhost_readline(kh, c.at, c.left, OPENSSH));
    }
    for (;;) {
        next = NULL;
        if (!PEER_TRY(s2_knownhost_get(kh, e, &next)))
            PEER_WRONG("an entry is not in its collection");
        s2_release(e);
        if (!(e = next))
            break;
        there_and_back(s, kh, e);
        look_up(kh, e);
    }
    if (how & 2 && PEER_TRY(s2_knownhost_get(kh, NULL, &e)) && e) {
        if (!PEER_TRY(s2_knownhost_delete(kh, e)))
            PEER_WRONG("an entry cannot be deleted");
        if (PEER_TRY(s2_knownhost_delete(kh, e)))
            PEER_WRONG("an entry can be deleted twice");
        s2_release(e);
    }
    s2_release(kh);
    peer_end(s);
    return 0;
}
