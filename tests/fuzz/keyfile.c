/*
 * Key files, private, public, with a passphrase or none.  The first byte says
 * how the bytes become a file: as they are, or in base64 between lines.
 */
#include "peer.h"

#include <openssl/evp.h>

static const char *const kinds[] = {NULL,
                                    "OPENSSH PRIVATE KEY",
                                    "RSA PRIVATE KEY",
                                    "EC PRIVATE KEY",
                                    "PRIVATE KEY",
                                    "ENCRYPTED PRIVATE KEY",
                                    "DSA PRIVATE KEY",
                                    "OPENSSH PRIVATE KEY"};

static size_t
armour(const char *kind, cursor bytes, char *to, size_t cap)
{
    static unsigned char text[100000];
    size_t done = (size_t)snprintf(to, cap, "-----BEGIN %s-----\n", kind);
    size_t len;

    if (bytes.left > 60000)
        bytes.left = 60000;
    len = (size_t)EVP_EncodeBlock(text, bytes.at, (int)bytes.left);
    for (size_t i = 0; i < len; i += 70)
        done += (size_t)snprintf(to + done, cap - done, "%.70s\n",
                                 (char *)text + i);
    return done + (size_t)snprintf(to + done, cap - done, "-----END %s-----\n",
                                   kind);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static char file[200000];
    s2_session *s;
    unsigned how;
    cursor public, private;
    size_t len;
    const char *pass, *kind;
    s2_buf sig = {0};

    peer_begin(data, size);
    how = peer_byte();
    pass = how & 8 ? how & 16 ? "" : "passphrase" : NULL;
    public = how & 32 ? peer_bytes() : (cursor){NULL, 0};
    private = peer_bytes();
    kind = kinds[how & 7];
    len = private.left;
    if (kind)
        len = armour(kind, private, file, sizeof file);
    else if (len)
        memcpy(file, private.at, len);
    s = peer_shaken();
    peer_honest(true);
    PEER_TRY(s2_session_userauth_publickey_frommemory(
        s, "me", file, len, pass, public.at, public.left));
    if (how & 64)
        PEER_TRY(s2_session_sign_sk(s, "data", 4, file, len, pass, peer_answer,
                                    NULL, &sig));
    if (how & 128)
        PEER_TRY(s2_session_userauth_publickey_sk(s, "me", public.at,
                                                  public.left, file, len, pass,
                                                  peer_answer, NULL));
    s2_buf_free(&sig);
    peer_end(s);
    return 0;
}
