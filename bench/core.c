/* The loops of loop.c by way of the core: what the core itself costs. */
#include "measure.h"
#include "s2.h"

static char buffer[MIB];

static void
check(s2_error *err)
{
    if (err)
        fail(err->func, err->text ? err->text : err->name);
}

static s2_session *
log_in(void)
{
    s2_session *s;

    check(s2_init());
    if (!(s = s2_session_create()))
        fail("session", "no memory");
    if (cipher) {
        check(s2_session_method_pref(s, LIBSSH2_METHOD_CRYPT_CS, cipher));
        check(s2_session_method_pref(s, LIBSSH2_METHOD_CRYPT_SC, cipher));
    }
    check(s2_session_connect(s, env("SSH2_HOST"), atoi(env("SSH2_PORT")), 0,
                             env("SSH2_KNOWN_HOSTS"), true));
    check(s2_session_userauth_publickey_fromfile(s, env("SSH2_USER"),
                                                 env("SSH2_KEY"), NULL, NULL));
    return s;
}

static void
get(s2_sftp *sftp)
{
    s2_file *file;
    size_t n;
    long long total = 0;

    check(s2_sftp_open(sftp, path, LIBSSH2_FXF_READ, 0, &file));
    begin();
    do {
        check(s2_file_read(file, buffer, sizeof buffer, &n));
        total += (long long)n;
    } while (n);
    check(s2_file_close(file));
    end();
    if (total != (long long)count * MIB)
        fail(path, "not as long as it should be");
    s2_release(file);
}

static void
put(s2_sftp *sftp)
{
    s2_file *file;
    size_t n;

    check(s2_sftp_open(
        sftp, path, LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC,
        0600, &file));
    begin();
    for (long i = 0; i < count; i++)
        check(s2_file_write(file, buffer, sizeof buffer, &n));
    check(s2_file_close(file));
    end();
    s2_release(file);
}

static void
run(s2_session *s)
{
    begin();
    for (long i = 0; i < count; i++) {
        s2_channel *channel;
        size_t n;
        int status;

        check(s2_session_open_session(s, &channel));
        check(s2_channel_execute(channel, "true"));
        do
            check(s2_channel_read(channel, 0, buffer, sizeof buffer, &n));
        while (n);
        check(s2_channel_close(channel));
        check(s2_channel_wait_closed(channel));
        check(s2_channel_get_exit_status(channel, &status));
        if (status)
            fail("true", "failed");
        s2_release(channel);
    }
    end();
}

int
main(int argc, char **argv)
{
    s2_session *s;

    arguments(argc, argv);
    s = log_in();
    if (!strcmp(work, "exec")) {
        run(s);
    } else {
        s2_sftp *sftp;

        check(s2_session_sftp_init(s, &sftp));
        if (!strcmp(work, "get"))
            get(sftp);
        else
            put(sftp);
        s2_release(sftp);
    }
    check(s2_session_disconnect(s, 11, "done"));
    s2_release(s);
    return 0;
}
