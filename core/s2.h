/*
 * The whole C interface: libssh2 with its errors, ownership and waiting solved.
 *
 * Invariants, for every function below:
 * - A function that can fail returns `s2_error *`: NULL for success, else an
 *   error that the caller frees.  Out-parameters come last and are untouched on
 *   failure, except that a write always sets how much was written.
 * - `const char *` is NUL-terminated text or a path, (`src`, `len`) is bytes;
 *   both are borrowed until the call returns.
 * - An object handed out by `**out` is the caller's: drop it by s2_release().
 *   A child keeps its parent.  Dropping sends nothing and never waits.
 * - A call that can wait does so until the session's timeout, or answers
 *   LIBSSH2_ERROR_EAGAIN when the session does not block.  Any thread may call.
 */
#ifndef S2_H
#define S2_H

#include <libssh2.h>
#include <libssh2_publickey.h>
#include <libssh2_sftp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Codes that the oldest libssh2 lacks; their classes exist on every one. */
#ifndef LIBSSH2_ERROR_MISSING_USERAUTH_BANNER
#define LIBSSH2_ERROR_MISSING_USERAUTH_BANNER -50
#define LIBSSH2_ERROR_ALGO_UNSUPPORTED -51
#define LIBSSH2_ERROR_MAC_FAILURE -52
#define LIBSSH2_ERROR_HASH_INIT -53
#define LIBSSH2_ERROR_HASH_CALC -54
#endif

/* --- errors: error.c ----------------------------------------------------- */

typedef enum s2_class {
#define S2_CLASS(cls, parent) S2_C_##cls,
#define S2_CODE(code, cls, parent) S2_C_##cls,
#define S2_SFTP(status, cls, kin) S2_C_##cls,
#include "errors.def"
#include "errors_new.def"
#undef S2_CLASS
#undef S2_CODE
#undef S2_SFTP
    S2_CLASS_COUNT
} s2_class;

typedef struct s2_error {
    s2_class cls;
    int code;         /* LIBSSH2_ERROR_* */
    int sftp_status;  /* LIBSSH2_FX_*, or 0 */
    int sys_errno;    /* errno, or its kin of an SFTP status; 0: none */
    size_t done;      /* bytes written before it failed */
    const char *name; /* "LIBSSH2_ERROR_TIMEOUT", or the SFTP status's name */
    const char *func; /* the libssh2 function, or the verb */
    char *path;       /* the file, host or name it is about, or NULL */
    char *text;       /* what happened, in words; never a secret */
} s2_error;

/* What raises: the language raised already, inside its own wait or callback. */
extern s2_error s2_raised;

void s2_error_free(s2_error *err);
/* The whole message: function, path and text in a line; the caller frees it. */
char *s2_error_message(const s2_error *err);
/* The table: name, parent, code (0: none), SFTP status, errno kin. */
const char *s2_class_name(s2_class cls);
s2_class s2_class_parent(s2_class cls);
int s2_class_code(s2_class cls);
const char *s2_class_code_name(s2_class cls);
int s2_class_sftp_status(s2_class cls);
int s2_class_errno(s2_class cls);
/* Raise `code` as a failing call would; NULL for 0, EAGAIN and counts. */
s2_error *s2_error_from_code(int code);

/* --- bytes: buf.c -------------------------------------------------------- */

/* Bytes with an owner: data is malloc'ed and NUL-terminated; NULL for none. */
typedef struct s2_buf {
    char *data;
    size_t len;
} s2_buf;

typedef struct s2_list {
    s2_buf *item;
    size_t count;
} s2_list;

void s2_buf_free(s2_buf *buf); /* clears first: it may have held a secret */
void s2_list_free(s2_list *list);
bool s2_buf_set(s2_buf *buf, const void *src, size_t len);
bool s2_list_add(s2_list *list, const void *src, size_t len);

/* --- the language's part: op.c ------------------------------------------- */

enum { S2_READY, S2_TIMED_OUT, S2_RAISED };

typedef struct s2_host {
    /* Call fn(arg) with the interpreter's lock released, and never look at
     * interrupts on the way back: fn may have taken bytes.  May return without
     * having called fn when an interrupt is pending. */
    void (*run)(void *ctx, void (*fn)(void *), void *arg);
    /* Wait, lock held: until fd (-1: none) is ready for `directions`
     * (LIBSSH2_SESSION_BLOCK_*), wake_fd is readable, or timeout_ms (-1: none)
     * is over.  S2_RAISED when the language raised. */
    int (*wait)(void *ctx, int fd, int wake_fd, int directions, int timeout_ms);
    /* May the core poll inside run() in this call, instead of wait()? */
    bool (*polls)(void *ctx);
    /* Run what an interrupt asks for, lock held: 0 or S2_RAISED. */
    int (*check)(void *ctx);
    /* Who calls: a thread, or a fibre where the language has them. */
    uintptr_t (*caller)(void *ctx);
    void *ctx;
} s2_host;

/* Once, when the module loads; a NULL member keeps the plain C one. */
void s2_set_host(const s2_host *host);

/* --- objects: obj.c ------------------------------------------------------ */

typedef struct s2_session s2_session;
typedef struct s2_channel s2_channel;
typedef struct s2_sftp s2_sftp;
typedef struct s2_file s2_file;
typedef struct s2_knownhost s2_knownhost;
typedef struct s2_entry s2_entry; /* of known hosts */
typedef struct s2_agent s2_agent;
typedef struct s2_identity s2_identity; /* a key that an agent holds */

void s2_release(void *object); /* NULL is fine */
/* What a call on the object's session that would block waits for. */
int s2_directions(const void *object);
void s2_retain(void *object);

/* --- calls into the language: buf.c -------------------------------------- */

typedef enum s2_kind {
    S2_NUMBER,
    S2_BYTES,
    S2_TEXT,
    S2_LABEL,   /* text, which a language may have always given as bytes */
    S2_PROMPT,  /* a question's text; the number: may its answer be seen? */
    S2_LIST,    /* `number` values, in `item` */
    S2_CHANNEL, /* the language takes a reference of its own */
} s2_kind;

/* What a callback is given, or answers. */
typedef struct s2_value {
    s2_kind kind;
    int64_t number;
    s2_buf bytes;
    struct s2_value *item;
    s2_channel *channel;
} s2_value;

/*
 * Call into the language, whose lock is held; false: it raised.
 *
 * `args` are lent.  `answer` (NULL: none is wanted) says by its kind, and by
 * those of its items, what has to come back: a number is at first the greatest
 * one wanted, a list's its exact length.  What is put into it is the caller's,
 * on failure as well.
 */
typedef bool (*s2_call_fn)(void *ctx, const s2_value *args, size_t count,
                           s2_value *answer);
void s2_value_free(s2_value *value); /* its bytes and its items */

/* --- library: session.c -------------------------------------------------- */

/* Once, before anything else; safe to repeat.  Nothing undoes it. */
s2_error *s2_init(void);
/* libssh2's version if it is at least `required` (0xMMmmpp), else NULL. */
const char *s2_version(int required);
/* "1.11.1 (Debian ...)": which libssh2 was built in, or is loaded. */
const char *s2_libssh2_revision(void);

/* --- Session: session.c, connect.c, auth.c ------------------------------- */

s2_session *s2_session_create(void); /* NULL when memory is short */
/*
 * Connect to host and shake hands; verify the host key unless told not to.
 *
 * Every address of the name is tried under one deadline.  Key types that
 * known_hosts holds for the host are asked for first.
 *
 * Units      timeout in milliseconds; 0 means the session's own timeout.
 * Blocking   yes, name resolution included.
 * Errors     ResolveError, ConnectError, Timeout, KnownHostCheckNotFoundError,
 *            KnownHostCheckMisMatchError, KnownHostRevokedError, and
 *            handshake's.
 */
s2_error *s2_session_connect(s2_session *s, const char *host, int port,
                             int timeout, const char *known_hosts, bool verify);
/*
 * Shake hands over a connected descriptor, which stays the caller's.
 *
 * Ownership  works on a duplicate of fd, sets it non-blocking and, on TCP,
 *            TCP_NODELAY; every later call fails once fd itself was closed.
 * Errors     BadSocketError, Timeout, KexFailureError, Banner*, Socket*.
 * Source     libssh2_session_handshake(3); RFC 4253
 */
s2_error *s2_session_handshake(s2_session *s, int fd);
/* Look the server's key up in a known_hosts file (NULL: the user's own). */
s2_error *s2_session_verify(s2_session *s, const char *host, int port,
                            const char *known_hosts);
s2_error *s2_session_disconnect(s2_session *s, int reason,
                                const char *description);
/* End every call on the session with ClosedError and let go of the socket. */
s2_error *s2_session_close(s2_session *s);
bool s2_session_closed(s2_session *s);
int s2_session_fileno(s2_session *s); /* the descriptor in use, or -1 */

void s2_session_set_blocking(s2_session *s, bool blocking);
bool s2_session_get_blocking(s2_session *s);
void s2_session_set_timeout(s2_session *s, double timeout); /* ms; 0: none */
long s2_session_get_timeout(s2_session *s);
int s2_session_block_directions(s2_session *s);
s2_error *s2_session_last_errno(s2_session *s, int *result);
s2_error *s2_session_last_error(s2_session *s, s2_buf *text);
s2_error *s2_session_set_last_error(s2_session *s, int errcode,
                                    const char *errmsg);

s2_error *s2_session_flag(s2_session *s, int flag, int enabled);
s2_error *s2_session_method_pref(s2_session *s, int method_type,
                                 const char *prefs);
s2_error *s2_session_methods(s2_session *s, int method_type, s2_buf *text);
s2_error *s2_session_supported_algs(s2_session *s, int method_type,
                                    s2_list *texts);
s2_error *s2_session_banner_set(s2_session *s, const char *banner);
s2_error *s2_session_banner_get(s2_session *s, s2_buf *text);
s2_error *s2_session_hostkey(s2_session *s, s2_buf *bytes, int *result);
s2_error *s2_session_hostkey_hash(s2_session *s, int hash_type, s2_buf *bytes);
/* A keepalive every `interval` seconds of waiting, 0 for none; where the
 * server is to reply, three silent intervals end the session.  A reply stays
 * queued inside libssh2 and makes a later forward_listen fail. */
s2_error *s2_session_keepalive_config(s2_session *s, bool want_reply,
                                      unsigned interval);
s2_error *s2_session_keepalive_send(s2_session *s, int *result);

/* The methods the server would take; none once nothing is needed. */
s2_error *s2_session_userauth_list(s2_session *s, const char *username,
                                   s2_list *texts);
bool s2_session_userauth_authenticated(s2_session *s);
s2_error *s2_session_userauth_password(s2_session *s, const char *username,
                                       const char *password);
s2_error *s2_session_userauth_publickey_fromfile(s2_session *s,
                                                 const char *username,
                                                 const char *privatekey,
                                                 const char *passphrase,
                                                 const char *publickey);
s2_error *s2_session_userauth_publickey_frommemory(
    s2_session *s, const char *username, const void *privatekey,
    size_t privatekey_len, const char *passphrase, const void *publickey,
    size_t publickey_len);
s2_error *s2_session_userauth_hostbased_fromfile(
    s2_session *s, const char *username, const char *privatekey,
    const char *hostname, const char *publickey, const char *passphrase);

/* Answers every prompt with the password. */
s2_error *s2_session_userauth_keyboardinteractive(s2_session *s,
                                                  const char *username,
                                                  const char *password);
s2_error *s2_session_userauth_keyboardinteractive_callback(s2_session *s,
                                                           const char *username,
                                                           s2_call_fn callback,
                                                           void *ctx);
/* Try each key of the user's agent. */
s2_error *s2_session_agent_auth(s2_session *s, const char *username);

s2_error *s2_session_open_session(s2_session *s, s2_channel **out);
s2_error *s2_session_sftp_init(s2_session *s, s2_sftp **out);
s2_error *s2_session_knownhost_init(s2_session *s, s2_knownhost **out);
s2_error *s2_session_agent_init(s2_session *s, s2_agent **out);

/* --- Channel: channel.c -------------------------------------------------- */

s2_error *s2_channel_pty(s2_channel *ch, const char *term, const void *modes,
                         size_t modes_len, int width, int height, int width_px,
                         int height_px);
s2_error *s2_channel_pty_size(s2_channel *ch, int width, int height,
                              int width_px, int height_px);
s2_error *s2_channel_setenv(s2_channel *ch, const char *varname,
                            const char *value);
s2_error *s2_channel_process_startup(s2_channel *ch, const char *request,
                                     const char *message);
s2_error *s2_channel_execute(s2_channel *ch, const char *command);
s2_error *s2_channel_shell(s2_channel *ch);
s2_error *s2_channel_subsystem(s2_channel *ch, const char *subsystem);
/*
 * Read up to `cap` bytes of `stream` into `dst`, as soon as there are any.
 *
 * Units      cap and *len count bytes; stream is 0, or SSH_EXTENDED_DATA_STDERR.
 * Ownership  dst stays the caller's; nothing keeps a pointer to it.
 * Blocking   until data, end of file or the session's timeout.
 * Returns    *len in 1..cap, or 0 once the peer has sent end of file.
 * Errors     Timeout, EAGAIN, Socket*, ProtocolError; *len untouched.
 * Source     libssh2_channel_read_ex(3); RFC 4254 5.2
 */
s2_error *s2_channel_read(s2_channel *ch, int stream, void *dst, size_t cap,
                          size_t *len);
/*
 * Write all of `src` to `stream`.
 *
 * Blocking   until the last byte is with the kernel, or the timeout.
 * Returns    *written always tells how much went, on failure as well.
 * Errors     Timeout, EAGAIN, ChannelClosedError, ChannelEOFSentError, Socket*.
 * Source     libssh2_channel_write_ex(3); RFC 4254 5.2
 */
s2_error *s2_channel_write(s2_channel *ch, int stream, const void *src,
                           size_t len, size_t *written);
s2_error *s2_channel_flush(s2_channel *ch, int stream, int *result);
/* True once the peer sent end of file and no stream holds unread bytes. */
s2_error *s2_channel_eof(s2_channel *ch, bool *result);
s2_error *s2_channel_send_eof(s2_channel *ch);
s2_error *s2_channel_wait_eof(s2_channel *ch);
/* Close both ways; what has arrived can still be read. */
s2_error *s2_channel_close(s2_channel *ch);
s2_error *s2_channel_wait_closed(s2_channel *ch);
/* The status; -1 if a signal ended the command.  0 also before any came. */
s2_error *s2_channel_get_exit_status(s2_channel *ch, int *result);
/* No name: no signal ended the command. */
s2_error *s2_channel_get_exit_signal(s2_channel *ch, s2_buf *name, s2_buf *text,
                                     s2_buf *language);

/* --- SFTP: sftp.c -------------------------------------------------------- */

/* One file's attributes; `flags` (LIBSSH2_SFTP_ATTR_*) tells which are set. */
typedef struct s2_attrs {
    unsigned long flags;
    uint64_t filesize;
    unsigned long uid, gid, permissions, atime, mtime;
} s2_attrs;

typedef struct s2_statvfs {
    uint64_t f_bsize, f_frsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree,
        f_favail, f_fsid, f_flag, f_namemax;
} s2_statvfs;

s2_error *s2_sftp_open(s2_sftp *sftp, const char *filename, unsigned long flags,
                       long mode, s2_file **out);
s2_error *s2_sftp_opendir(s2_sftp *sftp, const char *path, s2_file **out);
s2_error *s2_sftp_stat(s2_sftp *sftp, const char *path, s2_attrs *attrs);
s2_error *s2_sftp_lstat(s2_sftp *sftp, const char *path, s2_attrs *attrs);
s2_error *s2_sftp_setstat(s2_sftp *sftp, const char *path,
                          const s2_attrs *attrs);
s2_error *s2_sftp_statvfs(s2_sftp *sftp, const char *path, s2_statvfs *vfs);
s2_error *s2_sftp_rename(s2_sftp *sftp, const char *source, const char *dest,
                         long flags);
s2_error *s2_sftp_unlink(s2_sftp *sftp, const char *filename);
s2_error *s2_sftp_mkdir(s2_sftp *sftp, const char *path, long mode);
s2_error *s2_sftp_rmdir(s2_sftp *sftp, const char *path);
s2_error *s2_sftp_symlink(s2_sftp *sftp, const char *path, const char *target);
s2_error *s2_sftp_readlink(s2_sftp *sftp, const char *path, s2_buf *text);
/* BufferTooSmallError when the answer is longer than max_len. */
s2_error *s2_sftp_realpath(s2_sftp *sftp, const char *path, size_t max_len,
                           s2_buf *text);
s2_error *s2_sftp_last_error(s2_sftp *sftp, unsigned long *result);
/* The channel SFTP runs over: borrowed, it lives as long as the SFTP. */
s2_error *s2_sftp_get_channel(s2_sftp *sftp, s2_channel **out);
/* End the SFTP session; open handles are closed first. */
s2_error *s2_sftp_close(s2_sftp *sftp);

/* --- SFTPHandle: file.c -------------------------------------------------- */

s2_error *s2_file_read(s2_file *f, void *dst, size_t cap, size_t *len);
s2_error *s2_file_write(s2_file *f, const void *src, size_t len,
                        size_t *written);
/* The next entry of a directory; no name: there are no more. */
s2_error *s2_file_readdir(s2_file *f, s2_buf *name, s2_buf *longname,
                          s2_attrs *attrs);
s2_error *s2_file_seek64(s2_file *f, uint64_t offset);
s2_error *s2_file_tell64(s2_file *f, uint64_t *result);
s2_error *s2_file_fstat(s2_file *f, s2_attrs *attrs);
s2_error *s2_file_fsetstat(s2_file *f, const s2_attrs *attrs);
s2_error *s2_file_fstatvfs(s2_file *f, s2_statvfs *vfs);
s2_error *s2_file_fsync(s2_file *f);
s2_error *s2_file_close(s2_file *f); /* again: success, nothing done */
bool s2_file_closed(s2_file *f);

/* --- KnownHost and its entries: knownhost.c ------------------------------ */

s2_error *s2_knownhost_addc(s2_knownhost *kh, const char *host,
                            const char *salt, const void *key, size_t key_len,
                            const void *comment, size_t comment_len,
                            int typemask, s2_entry **out);
/* The entry that matches; port -1 looks the bare name up. */
s2_error *s2_knownhost_checkp(s2_knownhost *kh, const char *host, int port,
                              const void *key, size_t key_len, int typemask,
                              s2_entry **out);
s2_error *s2_knownhost_delete(s2_knownhost *kh, s2_entry *entry);
s2_error *s2_knownhost_readline(s2_knownhost *kh, const void *line,
                                size_t line_len, int type);
/* How many lines were read.  A @revoked key is refused for every host. */
s2_error *s2_knownhost_readfile(s2_knownhost *kh, const char *filename,
                                int type, int *result);
s2_error *s2_knownhost_writeline(s2_knownhost *kh, s2_entry *entry, int type,
                                 s2_buf *bytes);
/* Written beside the file and renamed: the file is whole at any time. */
s2_error *s2_knownhost_writefile(s2_knownhost *kh, const char *filename,
                                 int type);
/* The entry after prev (NULL: the first); NULL at the end. */
s2_error *s2_knownhost_get(s2_knownhost *kh, s2_entry *prev, s2_entry **out);

const char *s2_entry_name(s2_entry *e); /* NULL where it is hashed */
const char *s2_entry_key(s2_entry *e);  /* base64 */
int s2_entry_typemask(s2_entry *e);
unsigned s2_entry_magic(s2_entry *e);

/* --- Agent and its identities: agent.c ----------------------------------- */

s2_error *s2_agent_connect(s2_agent *agent);
s2_error *s2_agent_list_identities(s2_agent *agent);
/* The identity at `index` of the last list; NULL past the end. */
s2_error *s2_agent_identity(s2_agent *agent, size_t index, s2_identity **out);
s2_error *s2_agent_userauth(s2_agent *agent, const char *username,
                            s2_identity *pkey);
s2_error *s2_agent_disconnect(s2_agent *agent);
s2_error *s2_agent_get_identity_path(s2_agent *agent, s2_buf *text);
s2_error *s2_agent_set_identity_path(s2_agent *agent, const char *path);

void s2_identity_blob(s2_identity *key, s2_buf *bytes);
const char *s2_identity_comment(s2_identity *key);

#endif
