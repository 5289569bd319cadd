/* What a C programmer writes on libssh2: the measure of the others. */
#include "measure.h"

#include <arpa/inet.h>
#include <libssh2.h>
#include <libssh2_sftp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

typedef struct {
    int fd;
    LIBSSH2_SESSION *ssh;
} login;

static LIBSSH2_SESSION *session;

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

static login
log_in(void)
{
    const char *user = env("SSH2_USER");
    int fd = tcp(env("SSH2_HOST"), env("SSH2_PORT"));

    if (!(session = libssh2_session_init()))
        fail("libssh2", "cannot begin");
    check("handshake", libssh2_session_handshake(session, fd));
    check("log in", libssh2_userauth_publickey_fromfile_ex(
                        session, user, (unsigned)strlen(user), NULL,
                        env("SSH2_KEY"), NULL));
    return (login){fd, session};
}

static void
log_out(login to)
{
    libssh2_session_disconnect(to.ssh, "done");
    libssh2_session_free(to.ssh);
    close(to.fd);
}

static long long
get(LIBSSH2_SFTP *sftp)
{
    LIBSSH2_SFTP_HANDLE *file =
        libssh2_sftp_open(sftp, remote, LIBSSH2_FXF_READ, 0);
    int fd = here(O_WRONLY | O_CREAT | O_TRUNC);
    long long total = 0;
    ssize_t n;

    check("open", !file);
    while ((n = libssh2_sftp_read(file, buffer, size)) > 0) {
        keep(fd, buffer, (size_t)n);
        total += n;
    }
    check("read", n < 0);
    libssh2_sftp_close(file);
    close(fd);
    return total;
}

static long long
put(LIBSSH2_SFTP *sftp)
{
    LIBSSH2_SFTP_HANDLE *file = libssh2_sftp_open(
        sftp, remote, LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC,
        0600);
    int fd = here(O_RDONLY);
    long long total = 0;
    ssize_t came;

    check("open", !file);
    while ((came = read(fd, buffer, size)) > 0)
        for (ssize_t done = 0; done < came;) {
            ssize_t n =
                libssh2_sftp_write(file, buffer + done, (size_t)(came - done));

            check("write", n < 0);
            done += n;
            total += n;
        }
    check("close", libssh2_sftp_close(file));
    close(fd);
    return total;
}

static long long
stats(LIBSSH2_SFTP *sftp)
{
    char path[4096];
    LIBSSH2_SFTP_ATTRIBUTES attributes;

    for (long i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/e%05ld", remote, i);
        check("stat", libssh2_sftp_stat(sftp, path, &attributes));
    }
    return count;
}

static long long
list(LIBSSH2_SFTP *sftp)
{
    LIBSSH2_SFTP_HANDLE *dir = libssh2_sftp_opendir(sftp, remote);
    LIBSSH2_SFTP_ATTRIBUTES attributes;
    long long entries = 0;
    int n;

    check("open", !dir);
    while ((n = libssh2_sftp_readdir(dir, buffer, size, &attributes)) > 0)
        entries++;
    check("read", n < 0);
    libssh2_sftp_closedir(dir);
    return entries;
}

static LIBSSH2_CHANNEL *
started(const char *command)
{
    LIBSSH2_CHANNEL *channel = libssh2_channel_open_session(session);

    check("open", !channel);
    check("execute", libssh2_channel_exec(channel, command));
    return channel;
}

static void
ended(LIBSSH2_CHANNEL *channel)
{
    check("close", libssh2_channel_close(channel));
    check("wait", libssh2_channel_wait_closed(channel));
    if (libssh2_channel_get_exit_status(channel))
        fail("the command", "failed");
    libssh2_channel_free(channel);
}

static long long
execute(void)
{
    for (long i = 0; i < count; i++) {
        LIBSSH2_CHANNEL *channel = started("true");

        while (libssh2_channel_read(channel, buffer, size) > 0)
            ;
        ended(channel);
    }
    return count;
}

static long long
stream(void)
{
    char command[64];
    LIBSSH2_CHANNEL *channel;
    long long total = 0;
    ssize_t n;

    snprintf(command, sizeof command, "head -c %lldM /dev/zero",
             (long long)count);
    channel = started(command);
    while ((n = libssh2_channel_read(channel, buffer, size)) > 0)
        total += n;
    check("read", n < 0);
    ended(channel);
    return total;
}

static long long
scp(void)
{
    libssh2_struct_stat info;
    LIBSSH2_CHANNEL *channel = libssh2_scp_recv2(session, remote, &info);
    int fd = here(O_WRONLY | O_CREAT | O_TRUNC);
    long long total = 0;

    check("scp", !channel);
    while (total < info.st_size) {
        long long left = info.st_size - total;
        ssize_t n = libssh2_channel_read(
            channel, buffer, left < (long long)size ? (size_t)left : size);

        check("read", n <= 0);
        keep(fd, buffer, (size_t)n);
        total += n;
    }
    libssh2_channel_free(channel);
    close(fd);
    return total;
}

/* Connections one after the other, or all at once and left open. */
static void
connections(int stay)
{
    begin();
    for (long i = 0; i < count; i++) {
        login to = log_in();

        if (!stay)
            log_out(to);
    }
    end(count);
}

static const struct {
    const char *name;
    long long (*run)(void);
    long long (*sftp)(LIBSSH2_SFTP *);
} works[] = {
    {"exec", execute, NULL}, {"stream", stream, NULL}, {"scp", scp, NULL},
    {"get", NULL, get},      {"put", NULL, put},       {"stat", NULL, stats},
    {"list", NULL, list},
};

static void
run(login to)
{
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
        LIBSSH2_SFTP *sftp = NULL;

        if (strcmp(work, works[i].name) != 0)
            continue;
        if (works[i].sftp)
            check("sftp", !(sftp = libssh2_sftp_init(to.ssh)));
        begin();
        end(sftp ? works[i].sftp(sftp) : works[i].run());
        if (sftp)
            libssh2_sftp_shutdown(sftp);
        log_out(to);
        return;
    }
    fail(work, "is none of mine");
}

int
main(int argc, char **argv)
{
    if (libssh2_init(0))
        fail("libssh2", "cannot begin");
    arguments(argc, argv, libssh2_version(0),
              "\"exec\", \"stream\", \"scp\", \"get\", \"put\", \"stat\","
              " \"list\", \"connect\", \"sessions\"");
    if (!strcmp(work, "connect") || !strcmp(work, "sessions"))
        connections(*work == 's');
    else
        run(log_in());
    libssh2_exit();
    return 0;
}
