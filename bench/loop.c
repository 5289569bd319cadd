/* What a C programmer writes on libssh2: the measure of the others. */
#include "measure.h"

#include <arpa/inet.h>
#include <libssh2.h>
#include <libssh2_sftp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static LIBSSH2_SESSION *session;
static char buffer[MIB];

static void
check(const char *what, int failed)
{
    char *why;

    if (!failed)
        return;
    libssh2_session_last_error(session, &why, NULL, 0);
    fail(what, why);
}

static int
tcp(const char *host, const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((unsigned short)atoi(port))};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

    inet_pton(AF_INET, host, &to.sin_addr);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&to, sizeof to))
        fail("connect", host);
    return fd;
}

static void
log_in(void)
{
    const char *user = env("SSH2_USER");

    if (libssh2_init(0) || !(session = libssh2_session_init()))
        fail("libssh2", "cannot begin");
    if (cipher) {
        check(cipher, libssh2_session_method_pref(
                          session, LIBSSH2_METHOD_CRYPT_CS, cipher));
        check(cipher, libssh2_session_method_pref(
                          session, LIBSSH2_METHOD_CRYPT_SC, cipher));
    }
    check("handshake", libssh2_session_handshake(
                           session, tcp(env("SSH2_HOST"), env("SSH2_PORT"))));
    check("log in", libssh2_userauth_publickey_fromfile_ex(
                        session, user, (unsigned)strlen(user), NULL,
                        env("SSH2_KEY"), NULL));
}

static void
get(LIBSSH2_SFTP *sftp)
{
    LIBSSH2_SFTP_HANDLE *file =
        libssh2_sftp_open(sftp, path, LIBSSH2_FXF_READ, 0);
    long long total = 0;
    ssize_t n;

    check("open", !file);
    begin();
    while ((n = libssh2_sftp_read(file, buffer, sizeof buffer)) > 0)
        total += n;
    check("read", n < 0);
    libssh2_sftp_close(file);
    end();
    if (total != (long long)count * MIB)
        fail(path, "not as long as it should be");
}

static void
put(LIBSSH2_SFTP *sftp)
{
    LIBSSH2_SFTP_HANDLE *file = libssh2_sftp_open(
        sftp, path, LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC,
        0600);

    check("open", !file);
    begin();
    for (long i = 0; i < count; i++)
        for (size_t done = 0; done < sizeof buffer;) {
            ssize_t n =
                libssh2_sftp_write(file, buffer + done, sizeof buffer - done);

            check("write", n < 0);
            done += (size_t)n;
        }
    check("close", libssh2_sftp_close(file));
    end();
}

static void
run(void)
{
    begin();
    for (long i = 0; i < count; i++) {
        LIBSSH2_CHANNEL *channel = libssh2_channel_open_session(session);

        check("open", !channel);
        check("execute", libssh2_channel_exec(channel, "true"));
        while (libssh2_channel_read(channel, buffer, sizeof buffer) > 0)
            ;
        check("close", libssh2_channel_close(channel));
        check("wait", libssh2_channel_wait_closed(channel));
        if (libssh2_channel_get_exit_status(channel))
            fail("true", "failed");
        libssh2_channel_free(channel);
    }
    end();
}

int
main(int argc, char **argv)
{
    arguments(argc, argv);
    log_in();
    if (!strcmp(work, "exec")) {
        run();
    } else {
        LIBSSH2_SFTP *sftp = libssh2_sftp_init(session);

        check("sftp", !sftp);
        if (!strcmp(work, "get"))
            get(sftp);
        else
            put(sftp);
        libssh2_sftp_shutdown(sftp);
    }
    libssh2_session_disconnect(session, "done");
    libssh2_session_free(session);
    libssh2_exit();
    return 0;
}
