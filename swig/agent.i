/* Agent: the user's key agent, and PublicKey: a key that it holds. */
%rename(PublicKey) s2_identity;
%rename(blob) s2_identity::blob_of;
typedef struct s2_identity {
    %extend {
        ~s2_identity() { s2_release($self); }
        s2_error *blob_of(s2_buf *bytes)
        {
            s2_identity_blob($self, bytes);
            return NULL;
        }
        const char *comment();
    }
} s2_identity;

%rename(Agent) s2_agent;
typedef struct s2_agent {
    %extend {
        ~s2_agent() { s2_release($self); }
        s2_error *connect();
        s2_error *list_identities();
        s2_error *identity(size_t index, s2_identity **out);
        s2_error *userauth(const char *username, s2_identity *pkey);
        s2_error *sign(s2_identity *pkey, const void *data, size_t data_len,
                       const char *method = NULL, s2_buf *bytes = NULL);
        s2_error *disconnect();
        s2_error *get_identity_path(s2_buf *text);
        s2_error *set_identity_path(const char *const path);
    }
} s2_agent;
