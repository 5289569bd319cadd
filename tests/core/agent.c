/*
 * The agent: answers that lie, are cut, never come; the real one.
 *
 * Signing needs a server: those tests are skipped without the fixture's.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

/* --- an agent of our own ------------------------------------------------- */

typedef struct peer {
    char dir[64], path[96];
    int fd;
    pthread_t thread;
    pthread_mutex_t mutex;               /* the test's, but while it waits */
    unsigned char list[4096], sig[4096]; /* answers to each request */
    size_t list_len, sig_len;
    size_t chunk; /* bytes a write; 0: all */
    bool hang_up; /* after an answer */
    atomic_bool silent;
    atomic_int asked;
    unsigned char request[4096]; /* the last one, with its length */
    size_t request_len;
} peer;

static unsigned char *
put_u32(unsigned char *to, size_t n)
{
    for (int i = 3; i >= 0; i--)
        *to++ = (unsigned char)(n >> 8 * i);
    return to;
}

static unsigned char *
put_string(unsigned char *to, const void *src, size_t len)
{
    memcpy(put_u32(to, len), src, len);
    return to + 4 + len;
}

static size_t
get_u32(const unsigned char *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 |
           at[3];
}

static bool
take(int fd, unsigned char *to, size_t len)
{
    while (len) {
        ssize_t n = recv(fd, to, len, 0);

        if (n <= 0)
            return false;
        to += n;
        len -= (size_t)n;
    }
    return true;
}

/* Wait as long as the peer is to say nothing: false if the other side left. */
static bool
keep_silence(peer *p, int fd)
{
    char byte;

    while (atomic_load(&p->silent)) {
        if (recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0)
            return false;
        poll(NULL, 0, 1);
    }
    return true;
}

static bool
give(int fd, const unsigned char *src, size_t len, size_t chunk)
{
    for (size_t at = 0; at < len; at += chunk)
        if (send(fd, src + at, len - at < chunk ? len - at : chunk,
                 MSG_NOSIGNAL) < 0)
            return false;
    return true;
}

static void
serve(peer *p, int fd)
{
    unsigned char in[4096];
    bool more = true;

    while (more && take(fd, in, 4) && get_u32(in) < sizeof in - 4 &&
           take(fd, in + 4, get_u32(in))) {
        bool sign = in[4] == 13;

        atomic_fetch_add(&p->asked, 1);
        if (!keep_silence(p, fd))
            return;
        pthread_mutex_lock(&p->mutex);
        p->request_len = 4 + get_u32(in);
        memcpy(p->request, in, p->request_len);
        more =
            give(fd, sign ? p->sig : p->list, sign ? p->sig_len : p->list_len,
                 p->chunk ? p->chunk : sizeof p->list) &&
            !p->hang_up;
        pthread_mutex_unlock(&p->mutex);
    }
}

static void *
run_peer(void *arg)
{
    peer *p = arg;
    int fd;

    while ((fd = accept(p->fd, NULL, NULL)) >= 0) {
        serve(p, fd);
        close(fd);
    }
    return NULL;
}

static const char blob_one[] = "\0\0\0\x0bssh-ed25519\0\0\0\x04"
                               "abcd";

static void
say_list(peer *p)
{
    unsigned char *to = p->list + 4;

    *to++ = 12;
    to = put_u32(to, 2);
    to = put_string(to, blob_one, sizeof blob_one - 1);
    to = put_string(to, "first", 5);
    to = put_string(to, "", 0);
    to = put_string(to, "", 0);
    p->list_len = (size_t)(to - p->list);
    put_u32(p->list, p->list_len - 4);
}

static void
say_signature(peer *p, const char *name, const void *sig, size_t len)
{
    unsigned char inner[2048], *to;
    size_t n;

    to = put_string(inner, name, strlen(name));
    to = put_string(to, sig, len);
    n = (size_t)(to - inner);
    p->sig[4] = 14;
    to = put_string(p->sig + 5, inner, n);
    p->sig_len = (size_t)(to - p->sig);
    put_u32(p->sig, p->sig_len - 4);
}

static void
start_peer(peer *p)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    strcpy(p->dir, "/tmp/agent.XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof p->path, "%s/sock", p->dir);
    strcpy(to.sun_path, p->path);
    p->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(p->fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(listen(p->fd, 8), 0);
    say_list(p);
    pthread_mutex_init(&p->mutex, NULL);
    pthread_create(&p->thread, NULL, run_peer, p);
    pthread_mutex_lock(&p->mutex);
}

static void
stop_peer(peer *p)
{
    atomic_store(&p->silent, false);
    shutdown(p->fd, SHUT_RDWR);
    pthread_mutex_unlock(&p->mutex);
    pthread_join(p->thread, NULL);
    pthread_mutex_destroy(&p->mutex);
    close(p->fd);
    unlink(p->path);
    rmdir(p->dir);
}

typedef struct fixture {
    s2_session *s;
    s2_agent *a;
    peer p;
} fixture;

static int
set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    if (!f || make_session((void **)&f->s))
        return -1;
    start_peer(&f->p);
    assert_ok(s2_session_agent_init(f->s, &f->a));
    assert_ok(s2_agent_set_identity_path(f->a, f->p.path));
    assert_ok(s2_agent_connect(f->a));
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    fixture *f = *state;

    s2_set_host(&(s2_host){0});
    s2_release(f->a);
    s2_release(f->s);
    stop_peer(&f->p);
    free(f);
    return 0;
}

static s2_error *
list_keys(fixture *f)
{
    s2_error *err;

    pthread_mutex_unlock(&f->p.mutex);
    err = s2_agent_list_identities(f->a);
    pthread_mutex_lock(&f->p.mutex);
    return err;
}

static s2_error *
userauth(fixture *f, const char *name, s2_identity *key)
{
    s2_error *err;

    pthread_mutex_unlock(&f->p.mutex);
    err = s2_agent_userauth(f->a, name, key);
    pthread_mutex_lock(&f->p.mutex);
    return err;
}

static s2_error *
auth_by_any(fixture *f, const char *name)
{
    s2_error *err;

    pthread_mutex_unlock(&f->p.mutex);
    err = s2_session_agent_auth(f->s, name);
    pthread_mutex_lock(&f->p.mutex);
    return err;
}

static void
nap(fixture *f, int ms)
{
    pthread_mutex_unlock(&f->p.mutex);
    poll(NULL, 0, ms);
    pthread_mutex_lock(&f->p.mutex);
}

static size_t
keys_of(s2_agent *a)
{
    s2_identity *key = NULL;
    size_t n = 0;

    for (;; n++) {
        assert_ok(s2_agent_identity(a, n, &key));
        if (!key)
            return n;
        s2_release(key);
        key = NULL;
    }
}

/* --- connecting ---------------------------------------------------------- */

static void
an_agent_that_is_not_there_is_named(void **state)
{
    fixture *f = *state;
    char path[300];
    s2_error *err;

    snprintf(path, sizeof path, "%s/none", f->p.dir);
    assert_ok(s2_agent_set_identity_path(f->a, path));
    err = s2_agent_connect(f->a);
    assert_non_null(err);
    assert_int_equal(err->sys_errno, ENOENT);
    assert_fails(err, AgentConnectionError, path);
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_ok(s2_agent_set_identity_path(f->a, path));
    assert_fails(s2_agent_connect(f->a), AgentConnectionError,
                 strerror(ENAMETOOLONG));
    assert_ok(s2_agent_set_identity_path(f->a, "/dev/null"));
    assert_fails(s2_agent_connect(f->a), AgentConnectionError, "/dev/null");
}

static void
without_a_path_the_environment_names_the_agent(void **state)
{
    fixture *f = *state;
    const char *old = getenv("SSH_AUTH_SOCK");
    char *kept = old ? strdup(old) : NULL;
    s2_buf path = {0};

    assert_ok(s2_agent_set_identity_path(f->a, NULL));
    assert_ok(s2_agent_get_identity_path(f->a, &path));
    assert_null(path.data);
    unsetenv("SSH_AUTH_SOCK");
    assert_fails(s2_agent_connect(f->a), AgentConnectionError,
                 "no path, nor one in SSH_AUTH_SOCK");
    setenv("SSH_AUTH_SOCK", "", 1);
    assert_fails(s2_agent_connect(f->a), AgentConnectionError,
                 "no path, nor one in SSH_AUTH_SOCK");
    setenv("SSH_AUTH_SOCK", f->p.path, 1);
    assert_ok(s2_agent_connect(f->a));
    assert_ok(list_keys(f));
    if (kept)
        setenv("SSH_AUTH_SOCK", kept, 1);
    free(kept);
}

static void
nothing_is_asked_before_connecting(void **state)
{
    fixture *f = *state;
    s2_identity *key = NULL;

    assert_ok(list_keys(f));
    assert_ok(s2_agent_identity(f->a, 0, &key));
    assert_ok(s2_agent_disconnect(f->a));
    assert_ok(s2_agent_disconnect(f->a));
    assert_fails(list_keys(f), AgentListIdentitiesError, "not connected");
    assert_fails(userauth(f, "me", key), AgentConnectionError, "not connected");
    s2_release(key);
}

/* --- listing ------------------------------------------------------------- */

static void
keys_are_copies(void **state)
{
    fixture *f = *state;
    s2_identity *key = NULL, *empty = NULL, *none = NULL;
    s2_buf blob = {0};

    assert_int_equal(keys_of(f->a), 0);
    assert_ok(list_keys(f));
    assert_int_equal(keys_of(f->a), 2);
    assert_ok(s2_agent_identity(f->a, 0, &key));
    assert_ok(s2_agent_identity(f->a, 1, &empty));
    assert_ok(s2_agent_identity(f->a, SIZE_MAX, &none));
    assert_null(none);
    assert_ok(list_keys(f));
    s2_release(f->a);
    f->a = NULL;
    assert_string_equal(s2_identity_comment(key), "first");
    s2_identity_blob(key, &blob);
    assert_int_equal(blob.len, sizeof blob_one - 1);
    assert_memory_equal(blob.data, blob_one, blob.len);
    assert_string_equal(s2_identity_comment(empty), "");
    s2_buf_free(&blob);
    s2_release(key);
    s2_release(empty);
}

static void
an_answer_may_come_byte_by_byte(void **state)
{
    fixture *f = *state;

    f->p.chunk = 1;
    assert_ok(list_keys(f));
    assert_int_equal(keys_of(f->a), 2);
}

static void
lying_answers_are_errors(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *bytes;
        size_t len;
    } lies[] = {
#define LIE(bytes) {bytes, sizeof(bytes) - 1}
        LIE("\0\0\0\0"),
        LIE("\x7f\xff\xff\xff\x0c"),
        LIE("\xff\xff\xff\xff\x0c"),
        LIE("\0\x04\0\x01\x0c"),
        LIE("\0\0\0\x01\x05"),
        LIE("\0\0\0\x01\x0c"),
        LIE("\0\0\0\x01\x0e"),
        LIE("\0\0\0\x03\x0c\0\0"),
        LIE("\0\0\0\x05\x0c\0\0\0\x01"),
        LIE("\0\0\0\x05\x0c\xff\xff\xff\xff"),
        LIE("\0\0\0\x09\x0c\0\0\0\x01\0\0\0\x01"),
        LIE("\0\0\0\x09\x0c\0\0\0\x01\xff\xff\xff\xff"),
        LIE("\0\0\0\x0d\x0c\0\0\0\x01\0\0\0\0\0\0\0\x01"),
        LIE("\0\0\0\x0d\x0c\0\0\0\x01\0\0\0\0\xff\xff\xff\xff"),
        LIE("\0\0\0\x0d\x0c\0\0\0\x02\0\0\0\0\0\0\0\0"),
        LIE("HTTP/1.1 400 Bad Request\r\n\r\n"),
#undef LIE
    };

    assert_ok(list_keys(f));
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        memcpy(f->p.list, lies[i].bytes, lies[i].len);
        f->p.list_len = lies[i].len;
        assert_fails(list_keys(f), AgentListIdentitiesError, NULL);
    }
    assert_int_equal(keys_of(f->a), 2); /* those of the last good list */
}

static void
a_cut_answer_is_an_error(void **state)
{
    fixture *f = *state;
    size_t whole = f->p.list_len;

    f->p.hang_up = true;
    for (size_t len = 0; len < whole; len++) {
        f->p.list_len = len;
        assert_fails(list_keys(f), AgentListIdentitiesError,
                     "closed the connection");
        if (len < 5)
            continue;
        put_u32(f->p.list, len - 4);
        assert_fails(list_keys(f), AgentListIdentitiesError, NULL);
        put_u32(f->p.list, whole - 4);
    }
}

static void
a_list_as_long_as_may_be_is_read(void **state)
{
    fixture *f = *state;
    unsigned char *p = f->p.list + 9;

    put_u32(f->p.list + 5, 500);
    memset(p, 0, 500 * 8);
    put_u32(f->p.list, 5 + 500 * 8 - 1 + 1);
    f->p.list_len = 9 + 500 * 8;
    assert_true(f->p.list_len <= sizeof f->p.list);
    assert_ok(list_keys(f));
    assert_int_equal(keys_of(f->a), 500);
}

/* --- waiting ------------------------------------------------------------- */

static void
a_silent_agent_meets_the_deadline(void **state)
{
    fixture *f = *state;
    int64_t began = s2_now();

    atomic_store(&f->p.silent, true);
    s2_session_set_timeout(f->s, 80);
    assert_fails(list_keys(f), Timeout, f->p.path);
    assert_in_range(s2_now() - began, 79, 5000);
    assert_int_equal(keys_of(f->a), 0);
    s2_session_set_timeout(f->s, 0);
    atomic_store(&f->p.silent, false);
    assert_ok(list_keys(f));
    assert_int_equal(f->p.asked, 2); /* nobody waits for the first answer */
    assert_int_equal(keys_of(f->a), 2);
}

static void
a_session_that_does_not_block_asks_again(void **state)
{
    fixture *f = *state;
    s2_error *err;

    atomic_store(&f->p.silent, true);
    s2_session_set_blocking(f->s, false);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(list_keys(f), &s2_again);
    atomic_store(&f->p.silent, false);
    while ((err = list_keys(f)) == &s2_again)
        nap(f, 1);
    assert_ok(err);
    assert_int_equal(f->p.asked, 1);
    assert_int_equal(keys_of(f->a), 2);
}

static s2_error *
sign(fixture *f, s2_identity *key, s2_buf *bytes)
{
    s2_error *err;

    pthread_mutex_unlock(&f->p.mutex);
    err = s2_agent_sign(f->a, key, "data", 4, NULL, bytes);
    pthread_mutex_lock(&f->p.mutex);
    return err;
}

/* Of two calls that would block, made again in turns, each asks once. */
static void
calls_in_turns_both_end(void **state)
{
    fixture *f = *state;
    s2_identity *key = NULL;
    s2_error *listed, *signed_;
    s2_buf bytes = {0};

    say_signature(&f->p, "ssh-ed25519", "signature", 9);
    assert_ok(list_keys(f));
    assert_ok(s2_agent_identity(f->a, 0, &key));
    atomic_store(&f->p.asked, 0);
    atomic_store(&f->p.silent, true);
    s2_session_set_blocking(f->s, false);
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(list_keys(f), &s2_again);
        assert_ptr_equal(sign(f, key, &bytes), &s2_again);
    }
    atomic_store(&f->p.silent, false);
    listed = signed_ = &s2_again;
    for (int i = 0; i < 5000 && (listed || signed_); i++) {
        if (listed)
            assert_true(!(listed = list_keys(f)) || listed == &s2_again);
        if (signed_)
            assert_true(!(signed_ = sign(f, key, &bytes)) ||
                        signed_ == &s2_again);
        nap(f, 1);
    }
    assert_null(listed);
    assert_null(signed_);
    assert_int_equal(f->p.asked, 2);
    assert_memory_equal(bytes.data, "signature", 9);
    s2_buf_free(&bytes);
    s2_release(key);
}

/* One more than may be kept waits, and asks nothing, until another ended. */
static void
more_calls_in_turns_than_are_kept_end(void **state)
{
    enum { CALLS = 70 };
    fixture *f = *state;
    s2_identity *key = NULL;
    s2_error *err[CALLS];
    int left = CALLS;

    say_signature(&f->p, "ssh-ed25519", "signature", 9);
    assert_ok(list_keys(f));
    assert_ok(s2_agent_identity(f->a, 0, &key));
    atomic_store(&f->p.asked, 0);
    s2_session_set_blocking(f->s, false);
    for (int i = 0; i < CALLS; i++)
        err[i] = &s2_again;
    for (int turn = 0; turn < 5000 && left; turn++) {
        for (int i = 0; i < CALLS; i++) {
            s2_buf bytes = {0};

            if (err[i] != &s2_again)
                continue;
            err[i] = s2_agent_sign(f->a, key, &i, sizeof i, NULL, &bytes);
            left -= err[i] != &s2_again;
            s2_buf_free(&bytes);
        }
        nap(f, 1);
    }
    for (int i = 0; i < CALLS; i++)
        assert_null(err[i]);
    assert_int_equal(f->p.asked, CALLS);
    s2_release(key);
}

static void
what_nobody_comes_back_for_ends_with_the_session(void **state)
{
    fixture *f = *state;

    atomic_store(&f->p.silent, true);
    s2_session_set_blocking(f->s, false);
    assert_ptr_equal(list_keys(f), &s2_again);
    assert_non_null(f->s->owed);
    assert_ok(s2_session_close(f->s));
    assert_null(f->s->owed);
}

static void
a_dropped_agent_is_gone_at_once(void **state)
{
    fixture *f = *state;
    s2_agent *a = NULL;

    assert_ok(s2_session_agent_init(f->s, &a));
    s2_release(a);
    assert_null(atomic_load(&f->s->dropped));
    assert_int_equal(atomic_load(&f->s->obj.refs), 2); /* f's, and f->a's */
}

static void
a_session_that_is_over_may_ask_again(void **state)
{
    fixture *f = *state;
    s2_error *err;

    s2_session_end(f->s, s2_error_new(S2_C_SocketDisconnectError,
                                      LIBSSH2_ERROR_SOCKET_DISCONNECT, NULL,
                                      NULL, "over"));
    s2_session_set_blocking(f->s, false);
    for (int i = 0; i < 5000 && (err = list_keys(f)) == &s2_again; i++)
        nap(f, 1);
    assert_ok(err);
    assert_int_equal(f->p.asked, 1);
}

static void
disconnecting_forgets_what_was_asked(void **state)
{
    fixture *f = *state;

    atomic_store(&f->p.silent, true);
    s2_session_set_blocking(f->s, false);
    assert_ptr_equal(list_keys(f), &s2_again);
    assert_ok(s2_agent_disconnect(f->a));
    assert_fails(list_keys(f), AgentListIdentitiesError, NULL);
    atomic_store(&f->p.silent, false);
    s2_session_set_blocking(f->s, true);
    assert_ok(s2_agent_connect(f->a));
    assert_ok(list_keys(f));
    assert_int_equal(keys_of(f->a), 2);
}

static void
dropping_an_agent_that_was_asked_leaves_nothing(void **state)
{
    fixture *f = *state;

    atomic_store(&f->p.silent, true);
    s2_session_set_blocking(f->s, false);
    assert_ptr_equal(list_keys(f), &s2_again);
    s2_release(f->a);
    f->a = NULL;
}

static bool
never_polls(void *ctx)
{
    (void)ctx;
    return false;
}

static int
raise_in_wait(void *ctx, int fd, int wake_fd, int directions, int timeout_ms)
{
    (void)ctx, (void)timeout_ms;
    s2_poll(fd, wake_fd, directions, 20);
    return S2_RAISED;
}

static void
the_language_may_raise_while_it_waits(void **state)
{
    fixture *f = *state;

    atomic_store(&f->p.silent, true);
    s2_set_host(&(s2_host){.polls = never_polls, .wait = raise_in_wait});
    assert_ptr_equal(list_keys(f), &s2_raised);
    s2_set_host(&(s2_host){0});
    atomic_store(&f->p.silent, false);
    assert_ok(list_keys(f));
    assert_int_equal(keys_of(f->a), 2);
}

static void *
list_beside(void *arg)
{
    return s2_agent_list_identities(((fixture *)arg)->a);
}

static void
closing_the_session_ends_the_wait(void **state)
{
    fixture *f = *state;
    pthread_t thread;
    void *err;

    atomic_store(&f->p.silent, true);
    pthread_create(&thread, NULL, list_beside, f);
    nap(f, 50);
    assert_ok(s2_session_close(f->s));
    pthread_join(thread, &err);
    assert_fails(err, ClosedError, NULL);
    assert_fails(s2_agent_connect(f->a), ClosedError, NULL);
}

static void
more_callers_than_an_agent_listens_to_wait(void **state)
{
    fixture *f = *state;
    pthread_t thread[24];
    void *err[24];

    for (int i = 0; i < 24; i++)
        pthread_create(&thread[i], NULL, list_beside, f);
    pthread_mutex_unlock(&f->p.mutex);
    for (int i = 0; i < 24; i++)
        pthread_join(thread[i], &err[i]);
    pthread_mutex_lock(&f->p.mutex);
    for (int i = 0; i < 24; i++)
        assert_ok(err[i]);
    assert_int_equal(keys_of(f->a), 2);
}

/* --- signing, with a server ---------------------------------------------- */

static s2_error *
reach_server(s2_session *s)
{
    return s2_session_connect(s, getenv("SSH2_HOST"), atoi(getenv("SSH2_PORT")),
                              20000, getenv("SSH2_KNOWN_HOSTS"), true);
}

static const char *
user(void)
{
    return getenv("SSH2_USER");
}

/* The key of the real agent whose comment this is. */
static s2_identity *
real_key(s2_session *s, const char *comment)
{
    s2_agent *a = NULL;
    s2_identity *key = NULL;

    assert_ok(s2_session_agent_init(s, &a));
    assert_ok(s2_agent_connect(a));
    assert_ok(s2_agent_list_identities(a));
    for (size_t i = 0;; i++) {
        assert_ok(s2_agent_identity(a, i, &key));
        assert_non_null(key);
        if (strstr(s2_identity_comment(key), comment))
            break;
        s2_release(key);
        key = NULL;
    }
    s2_release(a);
    return key;
}

static void
every_key_is_tried_until_one_opens(void **state)
{
    fixture *f = *state;

    if (!user())
        skip();
    assert_fails(auth_by_any(f, user()), InvalidRequestError, NULL);
    assert_ok(reach_server(f->s));
    assert_ok(auth_by_any(f, user()));
    assert_true(s2_session_userauth_authenticated(f->s));
    assert_fails(auth_by_any(f, user()), BadUseError, "already");
}

static void
each_type_of_key_signs(void **state)
{
    const char *comments[] = {"ed25519", "ecdsa", "rsa"};

    (void)state;
    if (!user())
        skip();
    for (int i = 0; i < 3; i++) {
        s2_session *s = s2_session_create();
        s2_agent *a = NULL;
        s2_identity *key = real_key(s, comments[i]);

        assert_ok(reach_server(s));
        assert_ok(s2_session_agent_init(s, &a));
        assert_ok(s2_agent_connect(a));
        assert_ok(s2_agent_userauth(a, user(), key));
        assert_true(s2_session_userauth_authenticated(s));
        s2_release(key);
        s2_release(a);
        s2_release(s);
    }
}

static void
a_key_the_server_refuses_is_told_so(void **state)
{
    fixture *f = *state;
    s2_identity *key, *good;

    if (!user())
        skip();
    key = real_key(f->s, "unknown");
    good = real_key(f->s, "ed25519");
    assert_ok(reach_server(f->s));
    assert_ok(s2_agent_set_identity_path(f->a, getenv("SSH_AUTH_SOCK")));
    assert_ok(s2_agent_connect(f->a));
    assert_fails(userauth(f, user(), key), AgentAuthenticationError,
                 "the server refused the key");
    assert_false(s2_session_userauth_authenticated(f->s));
    /* OpenSSH ends a session that changes its user. */
    assert_fails(userauth(f, "nobody-of-that-name", good),
                 SocketDisconnectError, "the server disconnected");
    s2_release(key);
    s2_release(good);
}

static void
hostile_signatures_are_errors(void **state)
{
    fixture *f = *state;
    s2_identity *key;
    char name[] = "ssh-ed25519";
    unsigned char sig[64] = {0};
    size_t whole;

    if (!user())
        skip();
    key = real_key(f->s, "ed25519");
    assert_ok(reach_server(f->s));

    memcpy(f->p.sig, "\0\0\0\x01\x05", f->p.sig_len = 5);
    assert_fails(userauth(f, user(), key), AgentAuthenticationError,
                 "the agent refused to sign");
    assert_memory_equal(f->p.request + 4, "\x0d", 1);
    say_signature(&f->p, "ssh-rsa", sig, sizeof sig);
    assert_fails(userauth(f, user(), key), AgentAuthenticationError,
                 "another algorithm");
    say_signature(&f->p, name, sig, 0);
    assert_fails(userauth(f, user(), key), AgentAuthenticationError,
                 "malformed");
    memcpy(f->p.sig, "\0\x05\0\0\x0e", f->p.sig_len = 5);
    assert_fails(userauth(f, user(), key), AgentAuthenticationError, "length");
    say_signature(&f->p, name, sig, sizeof sig);
    whole = f->p.sig_len;
    for (size_t len = 5; len < whole; len += 7) {
        put_u32(f->p.sig, len - 4);
        f->p.sig_len = len;
        assert_fails(userauth(f, user(), key), AgentAuthenticationError, NULL);
    }
    put_u32(f->p.sig, whole - 4);
    put_u32(f->p.sig + 5 + 4 + 4 + strlen(name), 0xffffffff);
    f->p.sig_len = whole;
    assert_fails(userauth(f, user(), key), AgentAuthenticationError,
                 "malformed");

    /* The server is the one that notices this. */
    say_signature(&f->p, name, sig, sizeof sig);
    assert_fails(userauth(f, user(), key), AgentAuthenticationError,
                 "the server refused the signature");
    assert_false(s2_session_userauth_authenticated(f->s));

    /* After all that the session is as good as new. */
    assert_ok(s2_agent_set_identity_path(f->a, getenv("SSH_AUTH_SOCK")));
    assert_ok(s2_agent_connect(f->a));
    assert_ok(userauth(f, user(), key));
    s2_release(key);
}

/* Names that libssh2 would overrun never come to it. */
static void
keys_of_no_type_are_refused(void **state)
{
    fixture *f = *state;
    const char *names[] = {"",
                           "s",
                           "ssh-rs",
                           "sk-e",
                           "sk-ssh-ed25519-cert",
                           "rsa-sha2",
                           "ecdsa-sha2-nistp25",
                           "ssh-ed25519-cert",
                           "ssh-ed448"};
    s2_identity *key = NULL;

    if (!user())
        skip();
    assert_ok(reach_server(f->s));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        unsigned char blob[256], *to;
        size_t n =
            (size_t)(put_string(blob, names[i], strlen(names[i])) - blob);

        to = put_u32(f->p.list + 5, 1);
        to = put_string(to, blob, n);
        to = put_string(to, "bad", 3);
        f->p.list_len = (size_t)(to - f->p.list);
        put_u32(f->p.list, f->p.list_len - 4);
        assert_ok(list_keys(f));
        assert_ok(s2_agent_identity(f->a, 0, &key));
        assert_fails(userauth(f, user(), key), AgentAuthenticationError,
                     "no known type");
        s2_release(key);
        key = NULL;
    }
    setenv("SSH_AUTH_SOCK_KEPT", getenv("SSH_AUTH_SOCK"), 1);
    setenv("SSH_AUTH_SOCK", f->p.path, 1);
    assert_fails(auth_by_any(f, user()), AgentAuthenticationError,
                 "of 1, the last: the agent's key is of no known type");
    memcpy(f->p.list, "\0\0\0\x05\x0c\0\0\0\0", f->p.list_len = 9);
    assert_fails(auth_by_any(f, user()), AgentAuthenticationError, "no keys");
    setenv("SSH_AUTH_SOCK", getenv("SSH_AUTH_SOCK_KEPT"), 1);
}

static void
a_call_that_waits_for_a_signature_can_be_left(void **state)
{
    fixture *f = *state;
    s2_identity *key;
    int64_t began;

    if (!user())
        skip();
    key = real_key(f->s, "ed25519");
    assert_ok(reach_server(f->s));
    atomic_store(&f->p.silent, true);
    s2_session_set_timeout(f->s, 150);
    assert_fails(userauth(f, user(), key), Timeout, user());
    /* What comes next does not wait for the agent. */
    s2_session_set_timeout(f->s, 10000);
    began = s2_now();
    assert_ok(s2_session_userauth_publickey_fromfile(
        f->s, user(), getenv("SSH2_KEY"), NULL, NULL));
    assert_in_range(s2_now() - began, 0, 9000);
    assert_true(s2_session_userauth_authenticated(f->s));
    s2_release(key);
}

typedef struct signing {
    fixture *f;
    s2_identity *key;
} signing;

static void *
sign_beside(void *arg)
{
    signing *with = arg;

    return s2_agent_userauth(with->f->a, user(), with->key);
}

static void
a_key_may_be_dropped_while_it_signs(void **state)
{
    fixture *f = *state;
    signing with = {f, NULL};
    pthread_t thread;
    void *err;

    if (!user())
        skip();
    with.key = real_key(f->s, "ed25519");
    assert_ok(reach_server(f->s));
    atomic_store(&f->p.silent, true);
    s2_session_set_timeout(f->s, 5000);
    pthread_create(&thread, NULL, sign_beside, &with);
    while (!f->p.asked)
        nap(f, 1);
    s2_release(with.key);
    pthread_join(thread, &err); /* leaves a copy of all it was given */
    assert_fails(err, Timeout, user());
}

static void
a_call_that_would_block_is_repeated(void **state)
{
    fixture *f = *state;
    s2_identity *key;
    s2_error *err;
    unsigned char sig[64] = {0};

    if (!user())
        skip();
    key = real_key(f->s, "ed25519");
    assert_ok(reach_server(f->s));
    say_signature(&f->p, "ssh-ed25519", sig, sizeof sig);
    atomic_store(&f->p.silent, true);
    s2_session_set_blocking(f->s, false);
    while (!f->p.asked) {
        assert_ptr_equal(userauth(f, user(), key), &s2_again);
        nap(f, 1);
    }
    for (int i = 0; i < 5; i++)
        assert_ptr_equal(userauth(f, user(), key), &s2_again);
    atomic_store(&f->p.silent, false);
    while ((err = userauth(f, user(), key)) == &s2_again)
        nap(f, 1);
    assert_fails(err, AgentAuthenticationError, "refused the signature");
    assert_int_equal(f->p.asked, 1);

    assert_ok(s2_agent_set_identity_path(f->a, getenv("SSH_AUTH_SOCK")));
    assert_ok(s2_agent_connect(f->a));
    while ((err = userauth(f, user(), key)) == &s2_again)
        nap(f, 1);
    assert_ok(err);
    s2_release(key);
}

/* An agent that knows no flags signs as it always did. */
static void
an_old_agent_signs_by_the_old_algorithm(void **state)
{
    fixture *f = *state;
    s2_identity *key;
    unsigned char sig[256] = {0};

    if (!user())
        skip();
    key = real_key(f->s, "rsa");
    assert_ok(reach_server(f->s));
    say_signature(&f->p, "ssh-rsa", sig, sizeof sig);
    assert_fails(userauth(f, user(), key), AgentAuthenticationError,
                 "the server refused the signature");
    assert_memory_equal(f->p.request + f->p.request_len - 4, "\0\0\0\0", 4);
    s2_release(key);
}

static const char *
sshd(void)
{
    static const char *const paths[] = {
        "/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"};

    for (int i = 0; i < 3; i++)
        if (!access(paths[i], X_OK))
            return paths[i];
    return NULL;
}

/* libssh2 1.11 forgets a name when a key has no algorithm the server lists. */
__attribute__((visibility("default"))) const char *
__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:_libssh2_userauth_publickey\nleak:libssh2.so\n";
}

static void
a_server_without_rsa_takes_the_next_key(void **state)
{
    fixture *f = *state;
    s2_identity *rsa, *ed25519;
    char config[512];
    int fd[2];
    pid_t pid;

    if (!user() || !sshd())
        skip();
    rsa = real_key(f->s, "rsa");
    ed25519 = real_key(f->s, "ed25519");
    snprintf(config, sizeof config, "%s/sshd_config", getenv("SSH2_DIR"));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    fcntl(fd[0], F_SETFD, FD_CLOEXEC);
    if (!(pid = fork())) {
        dup2(fd[1], 0);
        dup2(fd[1], 1);
        dup2(open("/dev/null", O_WRONLY), 2);
        execl(sshd(), sshd(), "-i", "-f", config, "-o",
              "PubkeyAcceptedAlgorithms=ssh-ed25519", NULL);
        _exit(127);
    }
    close(fd[1]);
    s2_session_set_timeout(f->s, 20000);
    assert_ok(s2_session_handshake(f->s, fd[0]));
    assert_ok(s2_agent_set_identity_path(f->a, getenv("SSH_AUTH_SOCK")));
    assert_ok(s2_agent_connect(f->a));
    assert_fails(userauth(f, user(), rsa), AgentAuthenticationError,
                 "the server refused the key");
    assert_ok(userauth(f, user(), ed25519));
    s2_release(rsa);
    s2_release(ed25519);
    assert_ok(s2_session_close(f->s));
    close(fd[0]);
    waitpid(pid, NULL, 0);
}

#define agent_test(name)                                                       \
    cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        agent_test(an_agent_that_is_not_there_is_named),
        agent_test(without_a_path_the_environment_names_the_agent),
        agent_test(nothing_is_asked_before_connecting),
        agent_test(keys_are_copies),
        agent_test(an_answer_may_come_byte_by_byte),
        agent_test(lying_answers_are_errors),
        agent_test(a_cut_answer_is_an_error),
        agent_test(a_list_as_long_as_may_be_is_read),
        agent_test(a_silent_agent_meets_the_deadline),
        agent_test(a_session_that_does_not_block_asks_again),
        agent_test(calls_in_turns_both_end),
        agent_test(more_calls_in_turns_than_are_kept_end),
        agent_test(what_nobody_comes_back_for_ends_with_the_session),
        agent_test(a_dropped_agent_is_gone_at_once),
        agent_test(a_session_that_is_over_may_ask_again),
        agent_test(disconnecting_forgets_what_was_asked),
        agent_test(dropping_an_agent_that_was_asked_leaves_nothing),
        agent_test(the_language_may_raise_while_it_waits),
        agent_test(closing_the_session_ends_the_wait),
        agent_test(more_callers_than_an_agent_listens_to_wait),
        agent_test(every_key_is_tried_until_one_opens),
        agent_test(each_type_of_key_signs),
        agent_test(a_key_the_server_refuses_is_told_so),
        agent_test(hostile_signatures_are_errors),
        agent_test(keys_of_no_type_are_refused),
        agent_test(a_call_that_waits_for_a_signature_can_be_left),
        agent_test(a_key_may_be_dropped_while_it_signs),
        agent_test(a_call_that_would_block_is_repeated),
        agent_test(an_old_agent_signs_by_the_old_algorithm),
        agent_test(a_server_without_rsa_takes_the_next_key),
    };

    return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
