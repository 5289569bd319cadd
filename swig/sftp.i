/* SFTP, and the two records it answers with. */
%rename(SFTPAttributes) s2_attrs;
typedef struct s2_attrs {
    unsigned long flags;
    uint64_t filesize;
    unsigned long uid, gid, permissions, atime, mtime;
} s2_attrs;

%rename(SFTPStatVFS) s2_statvfs;
%immutable;
typedef struct s2_statvfs {
    uint64_t f_bsize, f_frsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree,
        f_favail, f_fsid, f_flag, f_namemax;
} s2_statvfs;
%mutable;

%rename(SFTP) s2_sftp;
typedef struct s2_sftp {
    %extend {
        ~s2_sftp() { s2_release($self); }
        s2_error *open(const char *filename, unsigned flags, int mode,
                       s2_file **out);
        s2_error *opendir(const char *path, s2_file **out);
        s2_error *stat(const char *path, s2_attrs *attrs);
        s2_error *lstat(const char *path, s2_attrs *attrs);
        s2_error *setstat(const char *path, const s2_attrs *attrs);
        s2_error *statvfs(const char *path, s2_statvfs *vfs);
        s2_error *rename(const char *source_filename,
                         const char *dest_filename,
                         int flags = LIBSSH2_SFTP_RENAME_OVERWRITE |
                                     LIBSSH2_SFTP_RENAME_ATOMIC |
                                     LIBSSH2_SFTP_RENAME_NATIVE);
        s2_error *unlink(const char *filename);
        s2_error *mkdir(const char *path, int mode);
        s2_error *rmdir(const char *path);
        s2_error *symlink(const char *path, const char *target);
        s2_error *readlink(const char *path, s2_buf *text);
        s2_error *realpath(const char *path, size_t max_len = 256,
                           s2_buf *text = NULL);
        s2_error *get(const char *remote, const char *local = NULL, int fd = -1,
                      s2_call_fn object = NULL, void *object_ctx = NULL,
                      uint64_t object_id = 0, s2_call_fn progress = NULL,
                      void *progress_ctx = NULL, bool resume = false,
                      bool temporary = true, bool preserve = false,
                      uint64_t *result = NULL);
        s2_error *put(const char *local, const char *remote, int fd = -1,
                      s2_call_fn object = NULL, void *object_ctx = NULL,
                      uint64_t object_id = 0, s2_call_fn progress = NULL,
                      void *progress_ctx = NULL, bool resume = false,
                      bool temporary = true, bool preserve = false,
                      uint64_t *result = NULL);
        s2_error *get_tree(const char *remote, const char *const local,
                           s2_call_fn progress = NULL,
                           void *progress_ctx = NULL, bool preserve = false,
                           size_t limit = 1000000, s2_value *moved = NULL);
        s2_error *put_tree(const char *const local, const char *remote,
                           s2_call_fn progress = NULL,
                           void *progress_ctx = NULL, bool preserve = false,
                           size_t limit = 1000000, s2_value *moved = NULL);
        s2_error *list_tree(const char *path, size_t limit = 1000000,
                            s2_value *found = NULL);
        s2_error *stat_many(const s2_list *paths, s2_value *found);
        s2_error *last_error(unsigned long *result);
        s2_error *get_channel(s2_channel **out);
        s2_error *close();
    }
} s2_sftp;
