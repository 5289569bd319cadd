/* The handshake: a first line, lists of methods, keys, all of them lies. */
#include "peer.h"

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    s2_session *s;
    s2_buf text = {0}, blob = {0};
    int type;
    unsigned how;

    peer_begin(data, size);
    how = peer_byte();
    s = peer_session();
    if (how & 1)
        PEER_TRY(s2_session_flag(s, LIBSSH2_FLAG_COMPRESS, 1));
    if (how & 2)
        PEER_TRY(s2_session_method_pref(s, LIBSSH2_METHOD_CRYPT_CS, "none"));
    if (how & 4)
        PEER_TRY(s2_session_method_pref(s, LIBSSH2_METHOD_KEX,
                                        "curve25519-sha256"));
    if (PEER_TRY(s2_session_handshake(s, peer_socket()))) {
        for (int i = 0; i <= LIBSSH2_METHOD_LANG_SC; i++) {
            PEER_TRY(s2_session_methods(s, i, &text));
            s2_buf_free(&text);
        }
        if (PEER_TRY(s2_session_hostkey(s, &blob, &type)))
            peer_said(blob.data, blob.len, true);
        s2_buf_free(&blob);
        for (int i = 1; i <= 3; i++) {
            PEER_TRY(s2_session_hostkey_hash(s, i, &blob));
            s2_buf_free(&blob);
        }
        PEER_TRY(s2_session_userauth_password(s, "me", "it", NULL, NULL));
    }
    if (PEER_TRY(s2_session_banner_get(s, &text)) && text.data)
        peer_said(text.data, text.len, false);
    s2_buf_free(&text);
    peer_end(s);
    return 0;
}
