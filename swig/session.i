/*
 * Session: one SSH connection.
 *
 * As in every class file, a method without a body is s2_<struct>_<method>() of
 * s2.h; a body only gives arguments another order, under a name of its own
 * that is renamed.
 */
%rename(Session) s2_session;
%rename(last_error) s2_session::last_error_of;
typedef struct s2_session {
    %extend {
        s2_session() { return s2_session_create(); }
        ~s2_session() { s2_release($self); }
        s2_error *connect(const char *host, int port = 22, int timeout = 0,
                          const char *known_hosts = NULL, bool verify = true);
        s2_error *handshake(int sock);
        s2_error *verify(const char *host, int port = 22,
                         const char *known_hosts = NULL);
        s2_error *disconnect(int reason = SSH_DISCONNECT_BY_APPLICATION,
                             const char *description = "");
        s2_error *close();
        bool closed();
        int fileno();

        void set_blocking(bool blocking);
        bool get_blocking();
        void set_timeout(double timeout);
        long get_timeout();
        void set_read_timeout(long seconds);
        long get_read_timeout();
        int block_directions();
        s2_error *last_errno(int *result);
        s2_error *last_error_of(size_t msg_size = 1024, s2_buf *text = NULL)
        {
            (void)msg_size;
            return s2_session_last_error($self, text);
        }
        s2_error *set_last_error(int errcode, const char *errmsg);

        s2_error *flag(int flag, bool enabled = true);
        s2_error *method_pref(int method_type, const char *prefs);
        s2_error *methods(int method_type, s2_buf *text);
        s2_error *supported_algs(int method_type, s2_list *texts);
        s2_error *banner_set(const char *banner);
        s2_error *banner_get(s2_buf *text);
        s2_error *hostkey(s2_buf *bytes, int *result);
        s2_error *hostkey_hash(int hash_type, s2_buf *bytes);
        s2_error *keepalive_config(bool want_reply, unsigned interval);
        s2_error *keepalive_send(int *result);

        s2_error *userauth_list(const char *username, s2_list *texts);
        bool userauth_authenticated();
        s2_error *userauth_password(const char *username, const char *password,
                                    s2_call_fn callback = NULL,
                                    void *ctx_or_none = NULL);
        s2_error *userauth_publickey_fromfile(const char *username,
                                              const char *privatekey,
                                              const char *passphrase = "",
                                              const char *publickey = NULL);
        s2_error *userauth_publickey_frommemory(
            const char *username, const void *privatekeyfiledata,
            size_t privatekeyfiledata_len, const char *passphrase = "",
            const void *publickeyfiledata = NULL,
            size_t publickeyfiledata_len = 0);
        s2_error *userauth_publickey(const char *username,
                                     const void *pubkeydata,
                                     size_t pubkeydata_len,
                                     s2_call_fn callback = NULL,
                                     void *ctx_or_none = NULL);
        s2_error *userauth_publickey_sk(const char *username,
                                        const void *pubkeydata,
                                        size_t pubkeydata_len_or_none,
                                        const void *privatekeyfiledata,
                                        size_t privatekeyfiledata_len,
                                        const char *passphrase = "",
                                        s2_call_fn callback = NULL,
                                        void *ctx_or_none = NULL);
        s2_error *sign_sk(const void *data, size_t data_len,
                          const void *privatekeyfiledata,
                          size_t privatekeyfiledata_len,
                          const char *passphrase = "",
                          s2_call_fn callback = NULL,
                          void *ctx_or_none = NULL, s2_buf *bytes = NULL);
        s2_error *userauth_hostbased_fromfile(const char *username,
                                              const char *privatekey,
                                              const char *hostname,
                                              const char *publickey = NULL,
                                              const char *passphrase = "");
        s2_error *userauth_keyboardinteractive(const char *username,
                                               const char *password);
        s2_error *userauth_keyboardinteractive_callback(const char *username,
                                                        s2_call_fn callback,
                                                        void *ctx);
        s2_error *agent_auth(const char *username);

        s2_error *callback_set(int cbtype, s2_call_fn callback = NULL,
                               void *ctx_or_none = NULL);
        s2_error *trace(int bitmask);
        s2_error *trace_sethandler(s2_call_fn callback = NULL,
                                   void *ctx_or_none = NULL);

        s2_error *open_session(s2_channel **out);
        s2_error *direct_tcpip(const char *host, int port, s2_channel **out);
        s2_error *direct_tcpip_ex(const char *host, int port,
                                  const char *shost, int sport,
                                  s2_channel **out);
        s2_error *forward_listen(int port, s2_listener **out);
        s2_error *forward_listen_ex(int queue_maxsize,
                                    const char *const host = NULL, int port = 0,
                                    s2_listener **out = NULL,
                                    int *result = NULL);
        s2_error *sftp_init(s2_sftp **out);
        s2_error *knownhost_init(s2_knownhost **out);
        s2_error *scp_recv2(const char *path, s2_channel **out,
                            s2_fileinfo *info);
        s2_error *scp_send64(const char *path, int mode, uint64_t size,
                             double mtime, double atime, s2_channel **out);
        s2_error *publickey_init(s2_publickey **out);
        s2_error *agent_init(s2_agent **out);
    }
} s2_session;
