/* Keys that sign elsewhere: what the agent's and the program's share. */
#ifndef S2_SIGN_H
#define S2_SIGN_H

#include "cursor.h"
#include "internal.h"

enum { S2_PART_LIMIT = 16000 }; /* a key and a signature go into one packet */

typedef struct s2_algorithm {
    const char *name, *certificate;
    uint32_t flags; /* of a request to an agent */
} s2_algorithm;

const s2_algorithm *s2_algorithm_of(cursor name); /* NULL: no known one */

/* What libssh2 wants to be signed, and by which algorithm and key. */
typedef struct s2_request {
    cursor algorithm, blob;
} s2_request;

s2_request s2_request_of(const void *data, size_t len);
/* Is the key of a type that libssh2 can be given? */
bool s2_key_known(cursor blob);

/* What a callback of libssh2's answers with. */
int s2_signature(s2_op *op, const void *src, size_t len, unsigned char **sig,
                 size_t *sig_len);
/* Authenticate the user b[0]; `sign` gets the op in *abstract.  A step's rc:
 * S2_FAILED if `sign` set the op's error. */
int s2_key_try(s2_op *op, cursor blob,
               LIBSSH2_USERAUTH_PUBLICKEY_SIGN_FUNC((*sign)));

#endif
