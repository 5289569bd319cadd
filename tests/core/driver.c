/*
 * The engine under a seeded plan: threads that share a session, calls that are
 * abandoned, objects closed under a call or dropped by another thread, windows
 * that fill up, a server that stops and goes on; and a session that is closed
 * while all of them read.
 *
 * usage: driver SEED ROUNDS [THREADS]
 *
 * Each thread writes a file of its own, and at the end it must be what the calls
 * have said: of every write as much as was reported, one behind the other, and
 * behind the last what may be there of those that were abandoned.
 */
#include "conversation.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_THREADS = 16, MAX_WRITES = 4096, MAX_LEN = 100000, ENTRIES = 300 };
enum { BIG = 1500000 };

/* --- chance -------------------------------------------------------------- */

static _Thread_local uint64_t chance;

static unsigned
pick(unsigned n)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (unsigned)(chance >> 32) % n;
}

/* --- a language that raises ---------------------------------------------- */

static _Thread_local int raise_after; /* waits until it raises; 0: never */
static _Thread_local bool inside;     /* let the core poll */
static atomic_ulong turns_waited, raised_calls;

static int
wait_or_raise(void *ctx, int fd, int wake_fd, int directions, int timeout_ms)
{
    (void)ctx;
    atomic_fetch_add(&turns_waited, 1);
    if (raise_after && --raise_after == 0) {
        atomic_fetch_add(&raised_calls, 1);
        return S2_RAISED;
    }
    if (timeout_ms < 0 || timeout_ms > 100)
        timeout_ms = raise_after ? 5 : 100;
    return s2_poll(fd, wake_fd, directions, timeout_ms) == S2_TIMED_OUT
               ? S2_TIMED_OUT
               : S2_READY;
}

static bool
polls_now(void *ctx)
{
    (void)ctx;
    return inside;
}

/* The next call may be abandoned after a few waits. */
static void
dice(void)
{
    inside = pick(3) == 0;
    raise_after = !inside && pick(2) ? 1 + (int)pick(3) : 0;
}

static void
calm(void)
{
    raise_after = 0;
    inside = false;
}

/* --- the plan ------------------------------------------------------------ */

typedef struct worker {
    pthread_t thread;
    uint64_t seed;
    int number, rounds;
    char path[512];
    s2_file *file;
    struct {
        size_t len, done;
    } wrote[MAX_WRITES];
    int writes;
    unsigned long calls, abandoned;
    int wrong;
} worker;

static s2_session *session;
static s2_sftp *sftp;
static char folder[512];            /* of ENTRIES files */
static char big[512];               /* a file of BIG bytes */
static _Atomic(s2_channel *) spare; /* for whoever drops it */
static worker workers[MAX_THREADS];
static atomic_bool finished;

static unsigned char
byte_at(int number, int write, size_t offset)
{
    uint32_t x =
        (uint32_t)(number * 7919 + write * 104729 + (int)(offset >> 2)) *
        2654435761u;

    return (unsigned char)((x >> 24) ^ (offset & 3) * 85 ^ (unsigned)write);
}

static void
wrong(worker *w, const char *what, s2_error *err)
{
    char *message = err ? s2_error_message(err) : NULL;

    fprintf(stderr, "thread %d: %s: %s\n", w->number, what,
            message ? message : "wrong result");
    free(message);
    w->wrong++;
}

/* True where the call went through; a raise is as good as any. */
static bool
went(worker *w, const char *what, s2_error *err, s2_class expected)
{
    bool ok = !err;

    w->calls++;
    if (err == &s2_raised)
        w->abandoned++;
    else if (err && err->cls != expected)
        wrong(w, what, err);
    s2_error_free(err);
    return ok;
}

static void
do_stat(worker *w)
{
    s2_attrs attrs;
    bool there = pick(2);

    dice();
    if (went(w, "stat",
             s2_sftp_stat(sftp, there ? fixture("SSH2_KEY") : "/no/such/file",
                          &attrs),
             there ? S2_C_SSH2Error : S2_C_SFTPNoSuchFileError)) {
        /* The wrong file's size would be another call's answer. */
        FILE *f = fopen(fixture("SSH2_KEY"), "rb");
        long size;

        fseek(f, 0, SEEK_END);
        size = ftell(f);
        fclose(f);
        if (!there || attrs.filesize != (uint64_t)size)
            wrong(w, "stat answered for another file", NULL);
    }
}

static void
do_exec(worker *w)
{
    s2_channel *ch = NULL;
    char command[64], want[32], got[64];
    size_t have = 0, n = 1;

    snprintf(want, sizeof want, "%d-%u\n", w->number, pick(100000));
    snprintf(command, sizeof command, "printf '%%s' '%s'", want);
    dice();
    if (!went(w, "open_session", s2_session_open_session(session, &ch),
              S2_C_ChannelFailure))
        return;
    dice();
    if (went(w, "execute", s2_channel_execute(ch, command), S2_C_SSH2Error)) {
        while (n && have < sizeof got) {
            s2_error *err;

            dice();
            err = s2_channel_read(ch, 0, got + have, sizeof got - have, &n);
            if (err == &s2_raised)
                n = 0, w->abandoned++; /* and read on: no byte is lost */
            else if (!went(w, "read", err, S2_C_SSH2Error))
                break;
            have += n;
            n = err == &s2_raised || n;
        }
        if (have != strlen(want) || memcmp(got, want, have))
            wrong(w, "a command's output is another's", NULL);
        if (pick(2)) {
            dice();
            went(w, "close", s2_channel_close(ch), S2_C_SSH2Error);
        }
    }
    s2_release(ch);
}

static void
do_write(worker *w)
{
    static _Thread_local unsigned char bytes[MAX_LEN];
    size_t len = 1 + pick(pick(8) ? 5000 : MAX_LEN), done = 0;
    s2_error *err;

    if (w->writes == MAX_WRITES)
        return;
    for (size_t i = 0; i < len; i++)
        bytes[i] = byte_at(w->number, w->writes, i);
    dice();
    err = s2_file_write(w->file, bytes, len, &done);
    if (!err && done != len)
        wrong(w, "a write is whole, and short", NULL);
    w->wrote[w->writes].len = len;
    w->wrote[w->writes++].done = done;
    went(w, "write", err, S2_C_SSH2Error);
}

/* Another thread reads what this one closes. */
typedef struct closed_read {
    s2_channel *ch;
    s2_error *err;
} closed_read;

static void *
read_until_closed(void *arg)
{
    closed_read *r = arg;
    char bytes[64];
    size_t n = 1;

    while (!r->err && n)
        r->err = s2_channel_read(r->ch, 0, bytes, sizeof bytes, &n);
    return NULL;
}

static void
do_close_under_call(worker *w)
{
    closed_read r = {0};
    pthread_t thread;

    calm();
    if (!went(w, "open_session", s2_session_open_session(session, &r.ch),
              S2_C_ChannelFailure))
        return;
    if (went(w, "execute", s2_channel_execute(r.ch, "echo x; sleep 1"),
             S2_C_SSH2Error)) {
        pthread_create(&thread, NULL, read_until_closed, &r);
        usleep(pick(20000));
        went(w, "close", s2_channel_close(r.ch), S2_C_SSH2Error);
        pthread_join(thread, NULL);
        if (r.err && r.err->cls != S2_C_ChannelClosedError)
            wrong(w, "a reader of a closed channel", r.err);
        s2_error_free(r.err);
    }
    s2_release(r.ch);
}

/* Each entry once, whatever is abandoned in between. */
static void
do_list(worker *w)
{
    bool seen[ENTRIES] = {0};
    s2_file *dir = NULL;
    int count = 0;

    dice();
    if (!went(w, "opendir", s2_sftp_opendir(sftp, folder, &dir),
              S2_C_SSH2Error))
        return;
    for (bool more = true; more && !w->wrong;) {
        s2_buf name = {0}, longname = {0};
        s2_attrs attrs;
        s2_error *err;
        char *end;
        long n;

        dice();
        err = s2_file_readdir(dir, &name, &longname, &attrs);
        if (err == &s2_raised) {
            w->abandoned++;
        } else if (!went(w, "readdir", err, S2_C_SSH2Error) || !name.data) {
            more = false;
        } else if (name.data[0] != '.') {
            n = strtol(name.data, &end, 10);
            if (*end || n < 0 || n >= ENTRIES || seen[n])
                wrong(w, "an entry that is not there, or twice", NULL);
            else
                seen[n] = true, count++;
        }
        s2_buf_free(&name);
        s2_buf_free(&longname);
    }
    if (count != ENTRIES && !w->wrong)
        wrong(w, "entries are missing", NULL);
    s2_release(dir);
}

static bool
gather(void *ctx, const s2_value *args, size_t count, s2_value *answer)
{
    uint64_t *have = ctx;

    (void)count;
    (void)answer;
    for (size_t i = 0; i < args->bytes.len; i++)
        if ((unsigned char)args->bytes.data[i] != byte_at(7, 7, *have + i))
            return false;
    *have += args->bytes.len;
    return true;
}

/* Transfers, by more threads than an SFTP has lanes, some of them left. */
static void
do_transfer(worker *w)
{
    s2_value found = {0};
    s2_buf names[2] = {{folder, strlen(folder)}, {"/no/such", 8}};
    uint64_t have = 0, n = 0;

    dice();
    switch (pick(3)) {
    case 0:
        if (went(w, "get",
                 s2_sftp_get(sftp, big, NULL, -1, gather, &have, 0, NULL, NULL,
                             false, true, false, &n),
                 S2_C_ChannelFailure) &&
            (n != BIG || have != n))
            wrong(w, "a file comes as another's", NULL);
        break;
    case 1:
        if (went(w, "list_tree", s2_sftp_list_tree(sftp, folder, 0, &found),
                 S2_C_ChannelFailure) &&
            found.number != ENTRIES)
            wrong(w, "a tree has other names", NULL);
        break;
    default:
        if (went(w, "stat_many",
                 s2_sftp_stat_many(sftp, &(s2_list){names, 2}, &found),
                 S2_C_ChannelFailure) &&
            (found.number != 2 || found.item[0].kind != S2_ATTRS ||
             found.item[1].kind != S2_ERROR))
            wrong(w, "other attributes", NULL);
    }
    s2_value_free(&found);
}

/* All of both streams, in one call; what is left of it the channel keeps. */
static void
do_read_all(worker *w)
{
    s2_buf out = {0}, errors = {0};
    s2_channel *ch = NULL;
    s2_error *err = NULL;

    calm();
    if (!went(w, "open_session", s2_session_open_session(session, &ch),
              S2_C_ChannelFailure))
        return;
    if (went(w, "execute",
             s2_channel_execute(ch, "head -c 300000 /dev/zero; echo >&2 end"),
             S2_C_SSH2Error)) {
        do {
            dice();
            err = s2_channel_read_all(ch, 0, &out, &errors);
            w->abandoned += err == &s2_raised;
        } while (err == &s2_raised);
        if (went(w, "read_all", err, S2_C_SSH2Error) &&
            (out.len != 300000 || errors.len != 4))
            wrong(w, "not all that a command says", NULL);
    }
    s2_buf_free(&out);
    s2_buf_free(&errors);
    s2_release(ch);
}

/* More than a window holds, read late, or not at all. */
static void
do_fill(worker *w)
{
    static const size_t size = 2500000;
    static _Thread_local char bytes[65536];
    s2_channel *ch = NULL;
    size_t have = 0, n = 1;

    calm();
    if (!went(w, "open_session", s2_session_open_session(session, &ch),
              S2_C_ChannelFailure))
        return;
    if (went(w, "execute",
             s2_channel_execute(ch, "head -c 2500000 /dev/zero; echo >&2 end"),
             S2_C_SSH2Error)) {
        usleep(pick(100000));
        while (pick(200) && n &&
               went(w, "read", s2_channel_read(ch, 0, bytes, sizeof bytes, &n),
                    S2_C_SSH2Error))
            have += n;
        if (have > size || (!n && have != size))
            wrong(w, "more or less than a window", NULL);
    }
    s2_release(ch);
}

/* To the server's echo and back. */
static void
do_forward(worker *w)
{
    static _Thread_local char there[40000], back[40000];
    size_t len = 1 + pick(sizeof there), have = 0, n = 1;
    s2_channel *ch = NULL;

    calm();
    for (size_t i = 0; i < len; i++)
        there[i] = (char)pick(256);
    if (!went(w, "direct_tcpip",
              s2_session_direct_tcpip(session, "127.0.0.1",
                                      atoi(fixture("SSH2_ECHO_PORT")), &ch),
              S2_C_ChannelFailure))
        return;
    if (went(w, "write", s2_channel_write(ch, 0, there, len, &n),
             S2_C_SSH2Error))
        while (have < len && n &&
               went(w, "read",
                    s2_channel_read(ch, 0, back + have, len - have, &n),
                    S2_C_SSH2Error))
            have += n;
    if (have != len || memcmp(there, back, len))
        wrong(w, "an echo is another's", NULL);
    s2_release(ch);
}

/* What one has opened another drops, with a call left behind or not. */
static void
do_pass_on(worker *w)
{
    s2_channel *ch = NULL;

    dice();
    if (!went(w, "open_session", s2_session_open_session(session, &ch),
              S2_C_ChannelFailure))
        return;
    dice();
    went(w, "execute", s2_channel_execute(ch, "cat"), S2_C_SSH2Error);
    s2_release(atomic_exchange(&spare, ch));
}

static void *
work(void *arg)
{
    worker *w = arg;

    chance = w->seed;
    for (int i = 0; i < w->rounds && !w->wrong; i++) {
        unsigned what = pick(32);

        if (what < 6)
            do_exec(w);
        else if (what < 9)
            do_close_under_call(w);
        else if (what < 17)
            do_write(w);
        else if (what < 18)
            do_fill(w);
        else if (what < 19)
            do_list(w);
        else if (what < 21)
            do_forward(w);
        else if (what < 23)
            do_pass_on(w);
        else if (what < 25)
            do_transfer(w);
        else if (what < 26)
            do_read_all(w);
        else
            do_stat(w);
    }
    calm();
    return NULL;
}

/* --- the server stops ---------------------------------------------------- */

static void
control(const char *word)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    char answer[64];

    snprintf(at.sun_path, sizeof at.sun_path, "%s", fixture("SSH2_CONTROL"));
    if (connect(fd, (struct sockaddr *)&at, sizeof at) ||
        write(fd, word, strlen(word)) < 0 ||
        read(fd, answer, sizeof answer) < 0)
        perror(word);
    close(fd);
}

static void *
stop_and_go(void *arg)
{
    unsigned long *stops = arg;

    chance = 88172645463325252u;
    while (!atomic_load(&finished)) {
        usleep(20000 + pick(100000));
        control("stop\n");
        usleep(10000 + pick(60000));
        control("cont\n");
        ++*stops;
    }
    return NULL;
}

/* --- the end ------------------------------------------------------------- */

/* Of a byte behind all that was written: is it one that an abandoned write was
 * to have there? */
static bool
is_left(const worker *w, size_t at, unsigned char byte)
{
    size_t from = 0;

    for (int i = 0; i < w->writes; from += w->wrote[i++].done)
        if (at >= from + w->wrote[i].done && at < from + w->wrote[i].len &&
            byte == byte_at(w->number, i, at - from))
            return true;
    return false;
}

static bool
is_written(const worker *w, const unsigned char *bytes, size_t len)
{
    size_t at = 0;

    for (int i = 0; i < w->writes; i++)
        for (size_t n = 0; n < w->wrote[i].done; n++, at++)
            if (at >= len || bytes[at] != byte_at(w->number, i, n))
                return false;
    for (; at < len; at++)
        if (!is_left(w, at, bytes[at]))
            return false;
    return true;
}

static void
check_file(worker *w)
{
    FILE *f = fopen(w->path, "rb");
    unsigned char *bytes;
    size_t len;

    fseek(f, 0, SEEK_END);
    len = (size_t)ftell(f);
    rewind(f);
    bytes = malloc(len + 1);
    if (!bytes || fread(bytes, 1, len, f) != len ||
        !is_written(w, bytes, len)) {
        fprintf(stderr,
                "thread %d: the file of %zu bytes is not what was written\n",
                w->number, len);
        w->wrong++;
    }
    free(bytes);
    fclose(f);
}

static void
must(s2_error *err)
{
    if (err) {
        fprintf(stderr, "%s\n", s2_error_message(err));
        exit(1);
    }
}

static void
make_folder(void)
{
    FILE *f;

    snprintf(folder, sizeof folder, "%s/driver-entries", fixture("SSH2_TMP"));
    mkdir(folder, 0700);
    for (int i = 0; i < ENTRIES; i++) {
        char path[600];

        snprintf(path, sizeof path, "%s/%d", folder, i);
        if ((f = fopen(path, "w")))
            fclose(f);
    }
    snprintf(big, sizeof big, "%s/driver-big", fixture("SSH2_TMP"));
    if ((f = fopen(big, "w"))) {
        for (size_t i = 0; i < BIG; i++)
            putc(byte_at(7, 7, i), f);
        fclose(f);
    }
}

/* One waits for what never comes, on a channel or a listener. */
static void *
wait_for_the_end(void *arg)
{
    worker *w = arg;
    s2_listener *listener = NULL;
    s2_channel *ch = NULL;
    s2_error *err;
    char byte;
    size_t n;

    if (w->number % 2) {
        err = s2_session_forward_listen(session, 0, &listener);
        if (!err)
            err = s2_listener_forward_accept(listener, &ch);
    } else {
        err = s2_session_open_session(session, &ch);
        if (!err)
            err = s2_channel_execute(ch, "cat");
        if (!err && w->number % 4 == 2)
            err = s2_channel_wait_eof(ch);
        else if (!err)
            err = s2_channel_read(ch, 0, &byte, 1, &n);
    }
    w->calls++;
    /* sshd opens ten sessions, and not all were given back. */
    if (!err || (err->cls != S2_C_ClosedError &&
                 (ch || err->cls != S2_C_ChannelFailure)))
        wrong(w, "a call under which the session was closed", err);
    s2_error_free(err);
    s2_release(ch);
    s2_release(listener);
    return NULL;
}

static void
close_under_all(worker *all, int count)
{
    for (int i = 0; i < count; i++)
        pthread_create(&all[i].thread, NULL, wait_for_the_end, &all[i]);
    usleep(pick(2) ? pick(60000) : 0);
    must(s2_session_close(session));
    for (int i = 0; i < count; i++)
        pthread_join(all[i].thread, NULL);
}

int
main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    int rounds = argc > 2 ? atoi(argv[2]) : 50;
    int threads = argc > 3 ? atoi(argv[3]) : 6;
    s2_host host = {.wait = wait_or_raise, .polls = polls_now};
    unsigned long stops = 0, calls = 0, abandoned = 0;
    pthread_t stopper;
    int failed = 0;

    must(s2_init());
    s2_set_host(&host);
    chance = (seed + 1) * 0x2545f4914f6cdd1du;
    make_folder();
    session = s2_session_create();
    must(log_in(session));
    must(s2_session_sftp_init(session, &sftp));
    for (int i = 0; i < threads; i++) {
        worker *w = &workers[i];

        w->number = i;
        w->rounds = rounds;
        w->seed = (seed + 1) * 0x9e3779b97f4a7c15u + (uint64_t)i * 7349;
        snprintf(w->path, sizeof w->path, "%s/driver-%d", fixture("SSH2_TMP"),
                 i);
        must(s2_sftp_open(sftp, w->path,
                          LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT |
                              LIBSSH2_FXF_TRUNC,
                          0600, &w->file));
    }
    pthread_create(&stopper, NULL, stop_and_go, &stops);
    for (int i = 0; i < threads; i++)
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    for (int i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    atomic_store(&finished, true);
    pthread_join(stopper, NULL);
    for (int i = 0; i < threads; i++) {
        worker *w = &workers[i];

        s2_release(w->file); /* some with a call left behind */
    }
    s2_release(atomic_exchange(&spare, NULL));
    calm();
    /* Each call gives a dropped handle back by a step, its last write first. */
    for (int i = 0; sftp->children && i < 10000; i++) {
        s2_attrs attrs;

        must(s2_sftp_stat(sftp, "/", &attrs));
    }
    failed += sftp->children != 0;
    close_under_all(workers, threads);
    s2_release(sftp);
    s2_release(session);
    for (int i = 0; i < threads; i++) {
        check_file(&workers[i]);
        calls += workers[i].calls;
        abandoned += workers[i].abandoned;
        failed += workers[i].wrong;
    }
    printf(
        "driver: seed %llu, %d threads, %lu calls, %lu abandoned, %lu waits, "
        "%lu stops, %d wrong\n",
        (unsigned long long)seed, threads, calls, abandoned,
        (unsigned long)turns_waited, stops, failed);
    return failed != 0;
}
