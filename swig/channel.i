/* Channel: a command, a shell or a subsystem, and its streams. */
%rename(Channel) s2_channel;
%rename(read) s2_channel::read_0;
%rename(write) s2_channel::write_0;
%rename(flush) s2_channel::flush_0;
typedef struct s2_channel {
    %extend {
        ~s2_channel() { s2_release($self); }
        s2_error *pty(const char *term = "vt100", const void *modes = NULL,
                      size_t modes_len = 0, int width = 80, int height = 24,
                      int width_px = 0, int height_px = 0);
        s2_error *pty_size(int width, int height, int width_px = 0,
                           int height_px = 0);
        s2_error *setenv(const char *varname, const char *value);
        s2_error *x11_req(int screen_number);
        s2_error *x11_req_ex(int single_connection, const char *auth_proto,
                             const char *auth_cookie, int screen_number);
        s2_error *process_startup(const char *request,
                                  const char *message = NULL);
        s2_error *execute(const char *command);
        s2_error *shell();
        s2_error *subsystem(const char *subsystem);

        s2_error *read_0(void *size = NULL, size_t cap = 1024,
                         size_t *len = NULL)
        {
            return s2_channel_read($self, 0, size, cap, len);
        }
        s2_error *read_stderr(void *size = NULL, size_t cap = 1024,
                              size_t *len = NULL)
        {
            return s2_channel_read($self, SSH_EXTENDED_DATA_STDERR, size, cap,
                                   len);
        }
        s2_error *read_ex(void *size = NULL, size_t cap = 1024,
                          size_t *len = NULL, int stream_id = 0)
        {
            return s2_channel_read($self, stream_id, size, cap, len);
        }
        s2_error *read_all(size_t limit = 67108864, s2_buf *output = NULL,
                           s2_buf *errors = NULL);
        s2_error *pump(int fd = -1, int stderr_fd = -1,
                       s2_call_fn object = NULL, void *object_ctx = NULL,
                       s2_call_fn stderr_object = NULL,
                       void *stderr_object_ctx = NULL, uint64_t *result = NULL);
        s2_error *write_0(const void *buf, size_t len, size_t *written)
        {
            return s2_channel_write($self, 0, buf, len, written);
        }
        s2_error *write_stderr(const void *buf, size_t len, size_t *written)
        {
            return s2_channel_write($self, SSH_EXTENDED_DATA_STDERR, buf, len,
                                    written);
        }
        s2_error *write_ex(int stream_id, const void *buf, size_t len,
                           size_t *written)
        {
            return s2_channel_write($self, stream_id, buf, len, written);
        }
        s2_error *flush_0(int *result)
        {
            return s2_channel_flush($self, 0, result);
        }
        s2_error *flush_stderr(int *result)
        {
            return s2_channel_flush($self, SSH_EXTENDED_DATA_STDERR, result);
        }
        s2_error *flush_ex(int stream_id, int *result)
        {
            return s2_channel_flush($self, stream_id, result);
        }

        s2_error *eof(bool *result);
        s2_error *send_eof();
        s2_error *wait_eof();
        s2_error *close();
        s2_error *wait_closed();
        s2_error *get_exit_status(int *result);
        s2_error *get_exit_signal(s2_buf *name, s2_buf *errmsg,
                                  s2_buf *language);
    }
} s2_channel;
