/* The agent: its lists of keys, and its signatures. */
#include "peer.h"

#include <unistd.h>

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    s2_session *s;
    s2_agent *agent = NULL;
    s2_identity *id = NULL;
    s2_buf bytes = {0};
    unsigned how;

    peer_begin(data, size);
    how = peer_byte();
    s = how & 1 ? peer_shaken() : peer_session();
    peer_honest(true);
    setenv("SSH_AUTH_SOCK", "/agent", 1);
    if (how & 2) {
        PEER_TRY(s2_session_agent_auth(s, "me"));
        peer_end(s);
        return 0;
    }
    PEER_TRY(s2_session_agent_init(s, &agent));
    if (PEER_TRY(s2_agent_connect(agent)) &&
        PEER_TRY(s2_agent_list_identities(agent))) {
        for (size_t i = 0;; i++) {
            s2_identity *next = NULL;

            if (!PEER_TRY(s2_agent_identity(agent, i, &next)) || !next)
                break;
            s2_identity_blob(next, &bytes);
            peer_said(bytes.data, bytes.len, true);
            s2_buf_free(&bytes);
            peer_said(s2_identity_comment(next),
                      strlen(s2_identity_comment(next)), true);
            s2_release(id);
            id = next;
        }
        if (id && how & 4) {
            if (PEER_TRY(s2_agent_sign(agent, id, "data", 4,
                                       how & 8 ? "rsa-sha2-256" : NULL,
                                       &bytes)))
                peer_said(bytes.data, bytes.len, true);
            s2_buf_free(&bytes);
        }
        if (id && how & 1)
            PEER_TRY(s2_agent_userauth(agent, "me", id));
    }
    s2_release(id);
    s2_release(agent);
    peer_end(s);
    return 0;
}
