/*
 * The other side of a session, in memory: a server, and an agent, that say what
 * the fuzzer's input has for them, and else what an honest one would.
 *
 * There is no socket behind a session here: peer.c stands in for recv, send,
 * connect and poll, in which nobody ever waits.  Random numbers are the same
 * each time, so that an input does the same each time.
 *
 * An input is a byte of PEER_* flags, what the harness takes by peer_byte() and
 * peer_bytes(), and records, each said once the session has heard all before:
 *   0 | n << 2                the next 1 + n honest answers that are due
 *   1 | bits, u16, payload    a packet, in place of the oldest answer if OLDEST
 *   2, u16, bytes             bytes that are no packet
 *   3 | bits, u16, data       data of the first channel; SFTP: of a packet with
 *                             the right length if LENGTH, and the number of the
 *                             oldest request if OLDEST; in two parts if HALVES
 */
#ifndef PEER_H
#define PEER_H

#include "cursor.h"
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PEER_ASYNC = 1,  /* the session does not block */
    PEER_LEAVE = 2,  /* and who would wait gives up */
    PEER_PIECES = 4, /* few bytes at a time, each after a wait */
    PEER_CUT = 8,    /* nothing follows the records */
    PEER_NARROW = 16 /* the wire takes few bytes at a time */
};

enum { PEER_OLDEST = 4, PEER_LENGTH = 8, PEER_HALVES = 16 };

void peer_begin(const unsigned char *data, size_t size);
unsigned peer_byte(void);
cursor peer_bytes(void);   /* u16, and so many */
void peer_honest(bool on); /* leave the records for later */

/* A session, before its handshake; after it in the clear; and let in: NULL
 * where there is no memory. */
s2_session *peer_session(void);
s2_session *peer_shaken(void);
s2_session *peer_let_in(void);
int peer_socket(void);
/* Its end: nothing may be left of it. */
void peer_end(s2_session *s);

/* Is the error as it should be?  It is freed; was there none? */
bool peer_check(s2_error *err);
/* Call until it does not block, or twice if PEER_LEAVE. */
#define PEER_TRY(call) peer_check(PEER_ERROR(call))
#define PEER_ERROR(call)                                                       \
    ({                                                                         \
        s2_error *err_;                                                        \
        peer_patience();                                                       \
        do                                                                     \
            err_ = (call);                                                     \
        while (err_ == &s2_again && peer_again());                             \
        err_;                                                                  \
    })
void peer_patience(void);
bool peer_again(void);
/* Bytes that came out of the session must be some that went in, in one piece or
 * in as many as there were packets. */
void peer_said(const void *bytes, size_t len, bool whole);
#define PEER_WRONG(...)                                                        \
    (fprintf(stderr, "fuzz: wrong: " __VA_ARGS__), fputc('\n', stderr), abort())

/* Answer any question of a session's. */
bool peer_answer(void *ctx, const s2_value *args, size_t count,
                 s2_value *answer);

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#endif
