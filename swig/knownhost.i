/* KnownHost: a collection of known hosts, and its entries. */
%rename(KnownHostEntry) s2_entry;
typedef struct s2_entry {
    %extend {
        ~s2_entry() { s2_release($self); }
        const char *name();
        const char *key();
        int typemask();
        unsigned magic();
    }
} s2_entry;

%rename(KnownHost) s2_knownhost;
%rename(addc) s2_knownhost::addc_in_order;
%rename(writeline) s2_knownhost::writeline_of;
typedef struct s2_knownhost {
    %extend {
        ~s2_knownhost() { s2_release($self); }
        s2_error *addc_in_order(const char *host, const void *key,
                                size_t key_len, int typemask,
                                const char *salt = NULL,
                                const void *comment = NULL,
                                size_t comment_len = 0,
                                s2_entry **out = NULL)
        {
            return s2_knownhost_addc($self, host, salt, key, key_len, comment,
                                     comment_len, typemask, out);
        }
        s2_error *checkp(const char *host, int port, const void *key,
                         size_t key_len, int typemask, s2_entry **out);
        s2_error *delete(s2_entry *entry);
        s2_error *readline(const void *line, size_t line_len,
                           int f_type = LIBSSH2_KNOWNHOST_FILE_OPENSSH);
        s2_error *readfile(const char *const filename,
                           int f_type = LIBSSH2_KNOWNHOST_FILE_OPENSSH,
                           int *result = NULL);
        s2_error *writeline_of(s2_entry *entry,
                               int f_type = LIBSSH2_KNOWNHOST_FILE_OPENSSH,
                               size_t buf_len = 1024, s2_buf *bytes = NULL)
        {
            (void)buf_len;
            return s2_knownhost_writeline($self, entry, f_type, bytes);
        }
        s2_error *writefile(const char *const filename,
                            int f_type = LIBSSH2_KNOWNHOST_FILE_OPENSSH);
        s2_error *get(s2_entry *prev = NULL, s2_entry **out = NULL);
    }
} s2_knownhost;
