/* The loops of loop.c by way of the core: what the core itself costs. */
#include "measure.h"
#include "s2.h"

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
    check(s2_session_connect(s, env("SSH2_HOST"), atoi(env("SSH2_PORT")), 0,
                             env("SSH2_KNOWN_HOSTS"), true));
    check(s2_session_userauth_publickey_fromfile(s, env("SSH2_USER"),
                                                 env("SSH2_KEY"), NULL, NULL));
    return s;
}

static long long
get(s2_sftp *sftp)
{
    int fd = here(O_WRONLY | O_CREAT | O_TRUNC);
    s2_file *file;
    size_t n;
    long long total = 0;

    check(s2_sftp_open(sftp, remote, LIBSSH2_FXF_READ, 0, &file));
    do {
        check(s2_file_read(file, buffer, size, &n));
        keep(fd, buffer, n);
        total += (long long)n;
    } while (n);
    check(s2_file_close(file));
    s2_release(file);
    close(fd);
    return total;
}

static long long
put(s2_sftp *sftp)
{
    int fd = here(O_RDONLY);
    s2_file *file;
    size_t n;
    ssize_t came;
    long long total = 0;

    check(s2_sftp_open(
        sftp, remote, LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC,
        0600, &file));
    while ((came = read(fd, buffer, size)) > 0) {
        check(s2_file_write(file, buffer, (size_t)came, &n));
        total += (long long)n;
    }
    check(s2_file_close(file));
    s2_release(file);
    close(fd);
    return total;
}

static long long
execute(s2_session *s)
{
    for (long i = 0; i < count; i++) {
        s2_channel *channel;
        size_t n;
        int status;

        check(s2_session_open_session(s, &channel));
        check(s2_channel_execute(channel, "true"));
        do
            check(s2_channel_read(channel, 0, buffer, size, &n));
        while (n);
        check(s2_channel_close(channel));
        check(s2_channel_wait_closed(channel));
        check(s2_channel_get_exit_status(channel, &status));
        if (status)
            fail("true", "failed");
        s2_release(channel);
    }
    return count;
}

int
main(int argc, char **argv)
{
    s2_session *s;

    arguments(argc, argv, libssh2_version(0), "\"exec\", \"get\", \"put\"");
    s = log_in();
    if (!strcmp(work, "exec")) {
        begin();
        end(execute(s));
    } else {
        s2_sftp *sftp;

        check(s2_session_sftp_init(s, &sftp));
        begin();
        end(!strcmp(work, "get") ? get(sftp) : put(sftp));
        s2_release(sftp);
    }
    check(s2_session_disconnect(s, 11, "done"));
    s2_release(s);
    return 0;
}
