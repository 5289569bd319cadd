/* SFTPHandle: an open file or directory of SFTP. */
%rename(SFTPHandle) s2_file;
typedef struct s2_file {
    %extend {
        ~s2_file() { s2_release($self); }
        s2_error *read(void *buffer_maxlen = NULL,
                       size_t cap = LIBSSH2_CHANNEL_WINDOW_DEFAULT,
                       size_t *len = NULL);
        s2_error *write(const void *buf, size_t buf_len, size_t *written);
        s2_error *readdir(s2_buf *name, s2_buf *longname, s2_attrs *attrs);
        s2_error *seek64(uint64_t offset);
        s2_error *tell64(uint64_t *result);
        s2_error *fstat(s2_attrs *attrs);
        s2_error *fsetstat(const s2_attrs *attrs);
        s2_error *fstatvfs(s2_statvfs *vfs);
        s2_error *fsync();
        s2_error *close();
        bool closed();
    }
} s2_file;
