/* What the C tests share: the fixture's server, errors that end a test. */
#ifndef CONVERSATION_H
#define CONVERSATION_H

#include "internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static inline const char *
fixture(const char *name)
{
    const char *value = getenv(name);

    if (!value) {
        fprintf(stderr, "%s is not set: run me under tests/sshd/fixture.py\n",
                name);
        exit(2);
    }
    return value;
}

/* A connection to this machine's port, or -1. */
static inline int
connect_to(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static inline s2_error *
log_in(s2_session *s)
{
    s2_error *err =
        s2_session_connect(s, fixture("SSH2_HOST"), atoi(fixture("SSH2_PORT")),
                           20000, fixture("SSH2_KNOWN_HOSTS"), true);

    return err ? err
               : s2_session_userauth_publickey_fromfile(
                     s, fixture("SSH2_USER"), fixture("SSH2_KEY"), NULL, NULL);
}

#endif
