/*
 * Which parameter is what: the vocabulary of types.i by the names in use.
 *
 * A typemap counts from where it stands, for the class that owns the method:
 * so every class is listed here, before the first one.
 */

/* A class of objects, counted by the core and dropped by the collector. */
%define %handle(type)
%apply HANDLE * { type *, struct type * };
%apply HANDLE **OUT { type **out };
%nodefaultctor type;
%nodefaultdtor type;
%enddef

%handle(s2_session)
%handle(s2_channel)
%handle(s2_listener)
%handle(s2_sftp)
%handle(s2_file)
%handle(s2_knownhost)
%handle(s2_entry)
%handle(s2_agent)
%handle(s2_identity)
%handle(s2_publickey)
%apply HANDLE *OR_NONE { s2_entry *prev };

/* A plain struct, copied in and out. */
%define %record(type, name)
%apply HANDLE * { type *, const type *, struct type * };
%apply RECORD *OUT { type *name };
%typemap(argout) const type *name ""; /* only ever an input */
%enddef

%record(s2_attrs, attrs)
%record(s2_statvfs, vfs)
%record(s2_fileinfo, info)

%apply const char *OR_NONE {
    const char *passphrase, const char *message, const char *salt,
    const char *method,
    const char *auth_proto, const char *auth_cookie,
    const char *const host /* any address, where one is listened on */
};
%apply const char *PATH {
    const char *path, const char *filename,
    const char *source_filename, const char *dest_filename,
    const char *target, const char *remote
};
#ifndef LOCAL
#define LOCAL PATH
#define LOCAL_OR_NONE PATH_OR_NONE
#endif
%apply const char *LOCAL {
    const char *privatekey,
    const char *const path, const char *const filename, /* not the server's */
    const char *const local /* a folder */
};
%apply const char *LOCAL_OR_NONE {
    const char *publickey, const char *known_hosts, const char *local
};
%apply (const void *BYTES, size_t LEN) {
    (const void *buf, size_t buf_len), /* of a file */
    (const void *blob, size_t blob_len),
    (const void *privatekeyfiledata, size_t privatekeyfiledata_len),
    (const void *pubkeydata, size_t pubkeydata_len),
    (const void *data, size_t data_len)
};
%apply (const void *BYTES_OR_NONE, size_t LEN) {
    (const void *publickeyfiledata, size_t publickeyfiledata_len),
    (const void *pubkeydata, size_t pubkeydata_len_or_none),
    (const void *modes, size_t modes_len)
};
#ifndef STREAM
#define STREAM TEXT
#endif
%apply (const void *STREAM, size_t LEN) {
    (const void *buf, size_t len) /* of a channel */
};
%apply (const void *TEXT, size_t LEN) {
    (const void *key, size_t key_len),
    (const void *name, size_t name_len),
    (const void *line, size_t line_len)
};
%apply (const void *TEXT_OR_NONE, size_t LEN) {
    (const void *comment, size_t comment_len)
};
%apply int SOCKET { int sock };
%apply (s2_call_fn CALL, void *CTX) { (s2_call_fn callback, void *ctx) };
%apply (s2_call_fn CALL_OR_NONE, void *CTX) {
    (s2_call_fn callback, void *ctx_or_none),
    (s2_call_fn object, void *object_ctx),
    (s2_call_fn stderr_object, void *stderr_object_ctx),
    (s2_call_fn progress, void *progress_ctx)
};

%apply (void *DST, size_t CAP, size_t *GOT) {
    (void *size, size_t cap, size_t *len),
    (void *buffer_maxlen, size_t cap, size_t *len)
};
%apply size_t *WRITTEN { size_t *written };
%apply int *RESULT { int *result };
%apply bool *RESULT { bool *result };
%apply unsigned long *RESULT { unsigned long *result };
%apply int64_t *RESULT { int64_t *result };
%apply uint64_t *RESULT { uint64_t *result };
%apply s2_buf *BYTES {
    s2_buf *bytes, s2_buf *name, s2_buf *longname, s2_buf *errmsg,
    s2_buf *language, s2_buf *output, s2_buf *errors
};
%apply s2_buf *TEXT { s2_buf *text };
%apply s2_list *TEXTS { s2_list *texts };
%apply const s2_list *PARTS_OR_NONE { const s2_list *attrs };
%apply const s2_list *PATHS { const s2_list *paths };
%apply s2_value *VALUE {
    s2_value *keys, s2_value *pairs, s2_value *found, s2_value *moved
};
