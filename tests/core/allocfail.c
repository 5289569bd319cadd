/*
 * Every allocation of several conversations made to fail in turn.
 *
 * usage: allocfail [first [step]]: fail allocation number first, first + step,
 * ... until each conversation needs no more.  A failure must come out as an error
 * and leave nothing behind; the sanitizers see to the rest.
 */
#include "conversation.h"

/* What libssh2 itself forgets where it runs out of memory, of its own and of
 * OpenSSL's, is out of our reach. */
__attribute__((visibility("default"))) const char *
__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:libcrypto\nleak:s2_alloc_new\n";
}

/* A file there and back by SCP, and the keys that the server keeps. */
static s2_error *
exchange(s2_session *s, const char *path)
{
    s2_channel *ch = NULL;
    s2_publickey *pk = NULL;
    s2_fileinfo info;
    s2_value keys = {0};
    char bytes[4096];
    size_t n;
    s2_error *err = log_in(s);

    memset(bytes, 'x', sizeof bytes);
    if (err ||
        (err = s2_session_scp_send64(s, path, 0600, sizeof bytes, 1, 1, &ch)) ||
        (err = s2_channel_write(ch, 0, bytes, sizeof bytes, &n)) ||
        (err = s2_channel_wait_eof(ch)) || (err = s2_channel_close(ch)))
        goto done;
    s2_release(ch);
    ch = NULL;
    if ((err = s2_session_scp_recv2(s, path, &ch, &info)))
        goto done;
    do
        err = s2_channel_read(ch, 0, bytes, sizeof bytes, &n);
    while (!err && n);
    if (err || (err = s2_channel_close(ch)) ||
        (err = s2_session_publickey_init(s, &pk)) ||
        (err = s2_publickey_add(pk, "k", 1, "b", 1, false, NULL)) ||
        (err = s2_publickey_list_fetch(pk, &keys)) ||
        (err = s2_publickey_remove(pk, "k", 1, "b", 1)))
        goto done;
    err = s2_publickey_shutdown(pk);
done:
    s2_value_free(&keys);
    s2_release(pk);
    s2_release(ch);
    return err;
}

static s2_error *
converse(s2_session *s, const char *path)
{
    s2_channel *ch = NULL;
    s2_sftp *sftp = NULL;
    s2_file *f = NULL;
    s2_attrs attrs;
    s2_buf name = {0}, longname = {0}, real = {0};
    char bytes[4096];
    size_t n;
    bool more = true;
    s2_error *err = log_in(s);

    memset(bytes, 'x', sizeof bytes);
    if (err || (err = s2_session_open_session(s, &ch)) ||
        (err = s2_channel_execute(ch, "echo hello; echo oops >&2; exit 3")))
        goto done;
    do
        err = s2_channel_read(ch, 0, bytes, sizeof bytes, &n);
    while (!err && n);
    if (err || (err = s2_channel_close(ch)) ||
        (err = s2_session_sftp_init(s, &sftp)) ||
        (err = s2_sftp_open(sftp, path,
                            LIBSSH2_FXF_WRITE | LIBSSH2_FXF_READ |
                                LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC,
                            0600, &f)) ||
        (err = s2_file_write(f, bytes, sizeof bytes, &n)) ||
        (err = s2_file_seek64(f, 0)) ||
        (err = s2_file_read(f, bytes, sizeof bytes, &n)) ||
        (err = s2_file_close(f)) || (err = s2_sftp_stat(sftp, path, &attrs)) ||
        (err = s2_sftp_realpath(sftp, ".", 4096, &real)))
        goto done;
    s2_release(f);
    f = NULL;
    if ((err = s2_sftp_opendir(sftp, real.data, &f)))
        goto done;
    while (!err && more) {
        err = s2_file_readdir(f, &name, &longname, &attrs);
        more = !err && name.data;
        s2_buf_free(&name);
        s2_buf_free(&longname);
    }
    if (!err)
        err = s2_sftp_unlink(sftp, path);
done:
    s2_buf_free(&real);
    s2_release(f);
    s2_release(sftp);
    s2_release(ch);
    return err;
}

/* NULL where the server refused an answer, as it shall. */
static s2_error *
refused(const s2_session *s, s2_error *err, int *asked)
{
    bool missing = err && err->cls == S2_C_FunctionMissingError;

    if (!err || (!missing && err->cls != S2_C_AuthenticationError &&
                 err->cls != S2_C_PublickeyUnverifiedError))
        return err;
    if (!missing && !s->alloc.failed && --*asked < 0) {
        printf("nobody was asked\n");
        exit(1);
    }
    s2_error_free(err);
    return NULL;
}

/* Every way to be called back for what would let a user in. */
static s2_error *
knock(s2_session *s, const char *unused)
{
    s2_buf blob = ecdsa_key(), token = key_file("sk_ecdsa");
    int asked = 0;
    s2_error *err = s2_session_connect(
        s, fixture("SSH2_HOST"), atoi(fixture("SSH2_ASYNCSSH_PORT")), 20000,
        fixture("SSH2_KNOWN_HOSTS"), true);

    (void)unused;
    if (!err)
        err = refused(
            s, s2_session_userauth_password(s, "olga", "stale", guess, &asked),
            &asked);
    if (!err)
        err = refused(s,
                      s2_session_userauth_keyboardinteractive_callback(
                          s, "kate", guess, &asked),
                      &asked);
    if (!err)
        err = refused(s,
                      s2_session_userauth_publickey(s, "anyone", blob.data,
                                                    blob.len, guess, &asked),
                      &asked);
    if (!err && token.data)
        err = refused(s,
                      s2_session_userauth_publickey_sk(s, "anyone", NULL, 0,
                                                       token.data, token.len,
                                                       NULL, guess, &asked),
                      &asked);
    s2_buf_free(&blob);
    s2_buf_free(&token);
    return err;
}

/* Through the server to a port, and from a port of the server's. */
static s2_error *
forward(s2_session *s, const char *unused)
{
    s2_channel *out = NULL, *in = NULL, *x11 = NULL;
    s2_listener *l = NULL;
    char bytes[64];
    size_t n;
    int port, fd = -1, late = -1;
    s2_error *err = log_in(s);

    (void)unused;
    if (err ||
        (err = s2_session_direct_tcpip(
             s, "127.0.0.1", atoi(fixture("SSH2_ECHO_PORT")), &out)) ||
        (err = s2_channel_write(out, 0, "hello", 5, &n)) ||
        (err = s2_channel_read(out, 0, bytes, sizeof bytes, &n)) ||
        (err = s2_channel_close(out)) ||
        (err = s2_session_forward_listen_ex(s, 1, "127.0.0.1", 0, &l, &port)))
        goto done;
    fd = connect_to(port);
    if ((err = s2_listener_forward_accept(l, &in)) ||
        (err = s2_channel_write(in, 0, "hello", 5, &n)))
        goto done;
    late = connect_to(port); /* perhaps queued, and thrown away */
    if ((err = s2_session_open_session(s, &x11)) ||
        (err = s2_listener_forward_cancel(l)))
        goto done;
    if (getenv("SSH2_DISPLAY"))
        err = s2_channel_x11_req_ex(x11, 1, "MIT-MAGIC-COOKIE-1", "00", 0);
done:
    close(fd);
    close(late);
    s2_release(x11);
    s2_release(in);
    s2_release(l);
    s2_release(out);
    return err;
}

/* The agent's keys, one of which signs and lets in. */
static s2_error *
consult(s2_session *s, const char *unused)
{
    s2_agent *agent = NULL;
    s2_identity *key = NULL;
    s2_buf bytes = {0};
    s2_error *err =
        s2_session_connect(s, fixture("SSH2_HOST"), atoi(fixture("SSH2_PORT")),
                           20000, fixture("SSH2_KNOWN_HOSTS"), true);

    (void)unused;
    if (err || (err = s2_session_agent_init(s, &agent)) ||
        (err = s2_agent_set_identity_path(agent, fixture("SSH_AUTH_SOCK"))) ||
        (err = s2_agent_connect(agent)) ||
        (err = s2_agent_list_identities(agent)) ||
        (err = s2_agent_identity(agent, 1, &key)) ||
        (err = s2_agent_sign(agent, key, "data", 4, NULL, &bytes)) ||
        (err = s2_agent_userauth(agent, fixture("SSH2_USER"), key)))
        goto done;
    err = s2_agent_disconnect(agent);
done:
    s2_buf_free(&bytes);
    s2_release(key);
    s2_release(agent);
    return err;
}

/* Known hosts read, added to, asked, and written; no server has a part. */
static s2_error *
recall(s2_session *s, const char *path)
{
    s2_knownhost *hosts = NULL;
    s2_entry *added = NULL, *found = NULL, *first = NULL;
    s2_buf line = {0};
    int n, type = LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW |
                  LIBSSH2_KNOWNHOST_KEY_SSHRSA;
    s2_error *err = s2_session_knownhost_init(s, &hosts);

    if (err ||
        (err = s2_knownhost_readfile(hosts, fixture("SSH2_KNOWN_HOSTS_REVOKED"),
                                     LIBSSH2_KNOWNHOST_FILE_OPENSSH, &n)) ||
        (err = s2_knownhost_readfile(hosts, fixture("SSH2_KNOWN_HOSTS_HASHED"),
                                     LIBSSH2_KNOWNHOST_FILE_OPENSSH, &n)) ||
        (err = s2_knownhost_addc(hosts, "new", NULL, "key", 3, "words", 5, type,
                                 &added)) ||
        (err = s2_knownhost_checkp(hosts, "new", -1, "key", 3, type, &found)) ||
        (err = s2_knownhost_get(hosts, NULL, &first)) ||
        (err = s2_knownhost_writeline(hosts, added,
                                      LIBSSH2_KNOWNHOST_FILE_OPENSSH, &line)) ||
        (err = s2_knownhost_writefile(hosts, path,
                                      LIBSSH2_KNOWNHOST_FILE_OPENSSH)))
        goto done;
    err = s2_knownhost_delete(hosts, added);
done:
    s2_buf_free(&line);
    s2_release(first);
    s2_release(found);
    s2_release(added);
    s2_release(hosts);
    return err;
}

/* Whether a failed allocation came out, each time. */
static bool
fail_in_turn(s2_error *(*talk)(s2_session *, const char *), const char *path,
             long n, long step, long *tried)
{
    for (;; n += step, ++*tried) {
        s2_session *s = s2_session_create();
        bool failed;
        s2_error *err;

        s->alloc.fail_at = n;
        err = talk(s, path);
        failed = s->alloc.failed;
        if (failed && !err && !s->dead) {
            printf("allocation %ld failed, and nothing said so\n", n);
            return false;
        }
        if (err && !failed) {
            char *message = s2_error_message(err);

            printf("failed without a cause: %s\n", message);
            free(message);
            return false;
        }
        s2_error_free(err);
        s2_release(s);
        if (!failed)
            return true;
    }
}

int
main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 1, step = argc > 2 ? atol(argv[2]) : 1;
    long tried = 0;
    char path[512];

    snprintf(path, sizeof path, "%s/allocfail", fixture("SSH2_TMP"));
    if (!fail_in_turn(converse, path, n, step, &tried) ||
        !fail_in_turn(exchange, path, n, step, &tried) ||
        !fail_in_turn(forward, path, n, step, &tried) ||
        !fail_in_turn(consult, path, n, step, &tried) ||
        !fail_in_turn(recall, path, n, step, &tried) ||
        (getenv("SSH2_ASYNCSSH_PORT") &&
         !fail_in_turn(knock, path, n, step, &tried)))
        return 1;
    if (s2_leaked) {
        printf("%zu blocks left behind by a whole conversation\n",
               (size_t)s2_leaked);
        return 1;
    }
    printf("allocfail: %ld allocations made to fail in turn\n", tried);
    return 0;
}
