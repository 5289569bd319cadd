/* What the C tests share: the fixture's server, errors that end a test. */
#ifndef CONVERSATION_H
#define CONVERSATION_H

#include "internal.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
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

/* Answer anything, with what no server takes; ctx counts. */
static inline bool
guess(void *ctx, const s2_value *args, size_t count, s2_value *answer)
{
    if (ctx)
        ++*(int *)ctx;
    (void)args;
    (void)count;
    if (answer->kind == S2_NUMBER)
        answer->number = 1;
    else if (answer->kind != S2_LIST)
        return s2_buf_set(&answer->bytes, "guess", 5);
    else
        for (int64_t i = 0; i < answer->number; i++)
            guess(NULL, NULL, 0, &answer->item[i]);
    return true;
}

/* What a file of the fixture's keys holds. */
static inline s2_buf
key_file(const char *name)
{
    s2_buf text = {0};
    char path[512], bytes[8192];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", fixture("SSH2_KEYS"), name);
    if ((file = fopen(path, "rb"))) {
        s2_buf_set(&text, bytes, fread(bytes, 1, sizeof bytes, file));
        fclose(file);
    }
    return text;
}

/* The public key "ecdsa", out of its file. */
static inline s2_buf
ecdsa_key(void)
{
    unsigned char bytes[105]; /* one of which base64 has padded it by */
    s2_buf text = key_file("ecdsa.pub"), blob = {0};

    if (EVP_DecodeBlock(bytes, (unsigned char *)text.data + 20, 140) == 105)
        s2_buf_set(&blob, bytes, 104);
    s2_buf_free(&text);
    return blob;
}

#endif
