/* PublicKeySystem: the keys that may log in, kept by the server. */
%rename(PublicKeySystem) s2_publickey;
typedef struct s2_publickey {
    %extend {
        ~s2_publickey() { s2_release($self); }
        s2_error *add(const void *name, size_t name_len, const void *blob,
                      size_t blob_len, bool overwrite = false,
                      const s2_list *attrs = NULL);
        s2_error *remove(const void *name, size_t name_len, const void *blob,
                         size_t blob_len);
        s2_error *list_fetch(s2_value *keys);
        s2_error *shutdown();
        bool closed();
    }
} s2_publickey;
