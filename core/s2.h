/*
 * The whole C interface: libssh2 with its errors, ownership and waiting solved.
 *
 * Invariants, for every function below:
 * - A function that can fail returns `s2_error *`: NULL for success, else an
 *   error that the caller frees.  Out-parameters come last and are untouched on
 *   failure, except that a write always sets how much was written.
 * - `const char *` is NUL-terminated text or a path, (`buf`, `len`) is bytes;
 *   both are borrowed until the call returns, as is memory to be filled.
 * - An object handed out by `**out` is the caller's: drop it by s2_release().
 *   A child keeps its parent.  Dropping sends nothing and never waits.
 * - A call with a Blocking line waits, at most until the session's timeout, or
 *   answers LIBSSH2_ERROR_EAGAIN when the session does not block; others do not
 *   wait, but for the end of a callback.  Any thread may call.
 * - Besides its own Errors a call can fail with Timeout; with what ended the
 *   session, such as Socket*; with ClosedError or ChannelClosedError after
 *   close(), ForkedError in a child process, InvalidRequestError before the
 *   handshake, BadUseError in a callback of the same session, AllocError.  What
 *   an SFTP server refuses is SFTPProtocolError, by the class of its status.
 *
 * The documentation of every language is made from the comments of what is
 * bound.  They speak of what is bound: name() is a method, `name` a parameter
 * as swig/ has it, null is what the language has for NULL.
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
#ifndef LIBSSH2_FLAG_QUOTE_PATHS
#define LIBSSH2_FLAG_QUOTE_PATHS 3 /* SCP is the core's: it counts anyway */
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
/*
 * Raise what a call that got this code would; nothing for EAGAIN and counts.
 *
 * Units      `errcode` is one of LIBSSH2_ERROR_*.
 */
s2_error *s2_error_from_code(int errcode);
/*
 * Raise FunctionMissingError, for a method whose function libssh2 lacks.
 *
 * Errors     FunctionMissingError, always: "libssh2 1.10.0 has no `symbol`".
 */
s2_error *s2_error_missing(const char *symbol);
/*
 * Tell the methods that this libssh2 lacks the function for.
 *
 * Returns    a line each, "Class.method symbol"; they raise
 *            FunctionMissingError, whatever they are given.
 */
const char *s2_missing_methods(void);

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

/* --- objects: obj.c ------------------------------------------------------ */

typedef struct s2_session s2_session;     /* one connection to one server */
typedef struct s2_channel s2_channel;     /* a command, shell or subsystem */
typedef struct s2_listener s2_listener;   /* a port of the server's */
typedef struct s2_sftp s2_sftp;           /* files on the other side */
typedef struct s2_file s2_file;           /* an open file or directory */
typedef struct s2_knownhost s2_knownhost; /* a collection of known hosts */
typedef struct s2_entry s2_entry;         /* a known host and its key */
typedef struct s2_agent s2_agent;         /* the user's key agent */
typedef struct s2_identity s2_identity;   /* a key that an agent holds */
typedef struct s2_publickey s2_publickey; /* the keys that a server keeps */

void s2_release(void *object); /* NULL is fine */
/* What a call on the object's session that would block waits for. */
int s2_directions(const void *object);
void s2_retain(void *object);

/* --- calls into the language: buf.c -------------------------------------- */

typedef enum s2_kind {
    S2_NUMBER,
    S2_TRUTH, /* the number: 0 is false */
    S2_BYTES,
    S2_TEXT,
    S2_LABEL,   /* text, which a language may have always given as bytes */
    S2_PROMPT,  /* a question's text; the number: may its answer be seen? */
    S2_LIST,    /* `number` values, in `item` */
    S2_CHANNEL, /* the language takes a reference of its own */
    S2_ATTRS,   /* the bytes: an s2_attrs */
    S2_ERROR,   /* what would be raised, as an object */
} s2_kind;

/* What a callback is given, or answers. */
typedef struct s2_value {
    s2_kind kind;
    int64_t number;
    s2_buf bytes;
    struct s2_value *item;
    s2_channel *channel;
    s2_error *error;
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
/* One more item of a list; NULL: no memory. */
s2_value *s2_value_add(s2_value *list, s2_kind kind);
/* Text or bytes, which stay where they are. */
s2_value s2_value_lent(s2_kind kind, const void *src, size_t len);

/* --- the language's part: op.c ------------------------------------------- */

enum { S2_READY, S2_TIMED_OUT, S2_RAISED };
enum { S2_TRACE = -1 }; /* the others are LIBSSH2_CALLBACK_* */

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
    /* Tell what came of its own, lock held: `kind` is LIBSSH2_CALLBACK_* with
     * that callback's arguments, or S2_TRACE with a line.  A session is known
     * by its address only.  S2_RAISED: what was raised is not for the program
     * to lose, and the call ends with it. */
    int (*notify)(void *ctx, s2_session *s, int kind, const s2_value *args,
                  size_t count);
    /* Has the language let go of all threads but this one, amid their calls? */
    bool (*ending)(void *ctx);
    void *ctx;
} s2_host;

/* Once, when the module loads; a NULL member keeps the plain C one. */
void s2_set_host(const s2_host *host);

/* --- library: session.c -------------------------------------------------- */

/* Once, before anything else; safe to repeat.  Nothing undoes it. */
s2_error *s2_init(void);
/*
 * libssh2's version, if it is at least `required_version`.
 *
 * Units      `required_version` is 0xMMmmpp; 0: any.
 * Returns    such as "1.11.1"; null if it is older.
 * Source     libssh2_version(3)
 */
const char *s2_version(int required_version);
/*
 * Which libssh2 was built in, or is loaded.
 *
 * Returns    such as "1.11.1 (Debian 1.11.1-1)".
 */
const char *s2_libssh2_revision(void);
/*
 * How libssh2 was built.
 *
 * Returns    pairs of a name and a value: version and revision; source: was it
 *            built with this package; fixes: the weaknesses known of that
 *            release which were mended then; whole_packets: does it cipher a
 *            packet by one call; crypto_engine, null where libssh2 cannot tell;
 *            zlib, trace: can it compress, and be traced.
 */
s2_error *s2_build_pairs(s2_value *pairs);

/* --- Session: session.c, connect.c, auth.c ------------------------------- */

/* A session that is not connected yet.  NULL when memory is short. */
s2_session *s2_session_create(void);
/*
 * Connect to `host` and shake hands; verify its key unless told not to.
 *
 * Every address of the name is tried under one deadline.  Types of key that
 * `known_hosts` has for the host are asked for first.  Where the hands are shaken
 * only after this call was left, the session is good for nothing but verify(), or
 * the same call made again.
 *
 * Units      `timeout` in milliseconds, 0: the session's own; `known_hosts` is
 *            a file, null: the user's own, which need not exist.
 * Blocking   until the hands are shaken, name resolution included.
 * Errors     InvalidRequestError: no such port; ResolveError; ConnectError;
 *            those of handshake() and of verify(), after which the session is
 *            over.
 */
s2_error *s2_session_connect(s2_session *s, const char *host, int port,
                             int timeout, const char *known_hosts, bool verify);
/*
 * Shake hands over a connected socket; the host key is not verified.
 *
 * Units      `sock` is a descriptor, or an object that has one.
 * Ownership  `sock` stays the caller's.  The session works on a duplicate, sets
 *            it non-blocking and, on TCP, TCP_NODELAY; every later call fails
 *            once `sock` itself was closed.
 * Blocking   until the keys are agreed on.
 * Errors     BadSocketError; BadUseError: hands were shaken already;
 *            MethodNotSupported; ProtocolError: the server sends more than a
 *            handshake takes; KexFailureError, KeyExchangeError,
 *            BannerRecvError, Hostkey*: after these the session is over.
 * Source     libssh2_session_handshake(3); RFC 4253
 */
s2_error *s2_session_handshake(s2_session *s, int sock);
/*
 * Look the server's key up in a known_hosts file; disconnect if it is refused.
 *
 * Units      `known_hosts` is a file, null: the user's own, which need not
 *            exist.
 * Errors     KnownHostCheckNotFoundError, KnownHostCheckMisMatchError,
 *            KnownHostRevokedError, KnownHostReadFileError;
 *            InvalidRequestError: there is no such port.
 */
s2_error *s2_session_verify(s2_session *s, const char *host, int port,
                            const char *known_hosts);
/*
 * Say goodbye; every later call on the session fails.  Transfers that were left
 * are undone first, as by close().
 *
 * Units      `reason` is one of SSH_DISCONNECT_*.
 * Blocking   only for that; what the connection does not take at once is not
 *            sent.
 * Source     libssh2_session_disconnect_ex(3); RFC 4253 11.1
 */
s2_error *s2_session_disconnect(s2_session *s, int reason,
                                const char *description);
/*
 * End every call on the session with ClosedError and let go of the socket.
 *
 * Nothing is sent, but what undoes transfers that were left.  Again: nothing is
 * done.
 *
 * Blocking   only where a transfer was left: two seconds at most.
 */
s2_error *s2_session_close(s2_session *s);
/* Was it closed by close()? */
bool s2_session_closed(s2_session *s);
/*
 * The descriptor in use.
 *
 * Returns    the session's own duplicate; -1 for none.
 */
int s2_session_fileno(s2_session *s);

/*
 * Let calls wait for their end, or answer that they would block.
 *
 * A call that would block is to be repeated with the same arguments.
 *
 * Source     libssh2_session_set_blocking(3)
 */
void s2_session_set_blocking(s2_session *s, bool blocking);
/*
 * Do calls wait for their end?
 *
 * Source     libssh2_session_get_blocking(3)
 */
bool s2_session_get_blocking(s2_session *s);
/*
 * Limit how long a call may wait.
 *
 * Units      `timeout` in milliseconds, whole ones; 0: no limit.
 * Source     libssh2_session_set_timeout(3)
 */
void s2_session_set_timeout(s2_session *s, double timeout);
/*
 * How long a call may wait.
 *
 * Returns    milliseconds; 0: no limit.
 * Source     libssh2_session_get_timeout(3)
 */
long s2_session_get_timeout(s2_session *s);
/*
 * Limit how long a call may wait for the server to answer it.
 *
 * What reads, writes or awaits the end of a channel is not limited by it.  The
 * shorter limit counts, of this one and of set_timeout()'s.
 *
 * Units      `seconds`, 0: no limit.  Bytes of a file that moved start it anew.
 * Source     libssh2_session_set_read_timeout(3), whose own limit is never set
 */
void s2_session_set_read_timeout(s2_session *s, long seconds);
/*
 * How long a call may wait for an answer.
 *
 * Returns    seconds; 0: no limit.
 * Source     libssh2_session_get_read_timeout(3)
 */
long s2_session_get_read_timeout(s2_session *s);
/*
 * What the call that would block waits for.
 *
 * Returns    LIBSSH2_SESSION_BLOCK_*, added up; 0: nothing.
 * Source     libssh2_session_block_directions(3)
 */
int s2_session_block_directions(s2_session *s);
/*
 * The code of libssh2's last error, which no success clears.
 *
 * Returns    LIBSSH2_ERROR_*, 0 for none.
 * Source     libssh2_session_last_errno(3)
 */
s2_error *s2_session_last_errno(s2_session *s, int *result);
/*
 * The text of libssh2's last error, which no success clears.
 *
 * Units      `msg_size` is of no account.
 * Returns    the text, empty for none.
 * Source     libssh2_session_last_error(3)
 */
s2_error *s2_session_last_error(s2_session *s, s2_buf *text);
/*
 * Set libssh2's last error.
 *
 * Units      `errcode` is one of LIBSSH2_ERROR_*; LIBSSH2_ERROR_INVALID_MAC
 *            ends the session, as a packet that was forged does.
 * Source     libssh2_session_set_last_error(3)
 */
s2_error *s2_session_set_last_error(s2_session *s, int errcode,
                                    const char *errmsg);

/*
 * Turn one of LIBSSH2_FLAG_* on or off.
 *
 * LIBSSH2_FLAG_COMPRESS is for before the handshake.  LIBSSH2_FLAG_QUOTE_PATHS
 * is on at first: off, paths of SCP go to the server's shell as they are.
 *
 * Errors     InvalidRequestError: libssh2 has no such flag; BadUseError:
 *            LIBSSH2_FLAG_COMPRESS once the handshake was begun.
 * Source     libssh2_session_flag(3)
 */
s2_error *s2_session_flag(s2_session *s, int flag, int enabled);
/*
 * Offer these methods only, the first most, at the handshake.
 *
 * Names that libssh2 does not know are left out.
 *
 * Units      `method_type` is one of LIBSSH2_METHOD_*; `prefs` has commas
 *            between the names.
 * Errors     MethodNotSupported: libssh2 has none of them; InvalidRequestError:
 *            no such `method_type`; BadUseError: ciphers, MACs and compression
 *            are agreed on once, in the handshake; or that was begun.
 * Source     libssh2_session_method_pref(3)
 */
s2_error *s2_session_method_pref(s2_session *s, int method_type,
                                 const char *prefs);
/*
 * The method that the two sides agreed on.
 *
 * Units      `method_type` is one of LIBSSH2_METHOD_*.
 * Returns    its name; null before the handshake.
 * Errors     InvalidRequestError: no such `method_type`; MethodNoneError.
 * Source     libssh2_session_methods(3)
 */
s2_error *s2_session_methods(s2_session *s, int method_type, s2_buf *text);
/*
 * The methods that libssh2 can be told to prefer.
 *
 * Units      `method_type` is one of LIBSSH2_METHOD_*.
 * Errors     MethodNotSupported: no such `method_type`.
 * Source     libssh2_session_supported_algs(3)
 */
s2_error *s2_session_supported_algs(s2_session *s, int method_type,
                                    s2_list *texts);
/*
 * Introduce this side as `banner` at the handshake.
 *
 * Units      `banner` begins with "SSH-2.0-", and has no end of line.
 * Errors     BadUseError: the handshake has begun.
 * Source     libssh2_session_banner_set(3); RFC 4253 4.2
 */
s2_error *s2_session_banner_set(s2_session *s, const char *banner);
/*
 * How the server introduced itself.
 *
 * Returns    such as "SSH-2.0-OpenSSH_9.2"; null before the handshake.
 * Source     libssh2_session_banner_get(3); RFC 4253 4.2
 */
s2_error *s2_session_banner_get(s2_session *s, s2_buf *text);
/*
 * The server's host key and its type.
 *
 * Returns    the key as RFC 4253 6.6 has it, and LIBSSH2_HOSTKEY_TYPE_*.
 * Errors     SessionHostKeyError: there is none.
 * Source     libssh2_session_hostkey(3)
 */
s2_error *s2_session_hostkey(s2_session *s, s2_buf *bytes, int *result);
/*
 * A hash of the server's host key.
 *
 * Units      `hash_type` is one of LIBSSH2_HOSTKEY_HASH_*.
 * Returns    16 bytes of MD5, 20 of SHA1 or 32 of SHA256.
 * Errors     SessionHostKeyError: no such hash.
 * Source     libssh2_hostkey_hash(3)
 */
s2_error *s2_session_hostkey_hash(s2_session *s, int hash_type, s2_buf *bytes);
/*
 * Send a keepalive at regular intervals while a call waits.
 *
 * Where the server is to reply, three that nothing came after end it.  Each
 * reply stays queued inside libssh2 and makes a later forward_listen() fail.
 *
 * Units      `interval` in seconds; 0: none.
 * Source     libssh2_keepalive_config(3)
 */
s2_error *s2_session_keepalive_config(s2_session *s, bool want_reply,
                                      unsigned interval);
/*
 * Send a keepalive, if one is due.
 *
 * Blocking   until it is sent.
 * Returns    seconds until the next one; 0: none.
 * Source     libssh2_keepalive_send(3)
 */
s2_error *s2_session_keepalive_send(s2_session *s, int *result);

/*
 * Ask which ways of authentication the server would take.
 *
 * Blocking   until the server answers.
 * Returns    their names; none where the user was let in without, or already.
 * Source     libssh2_userauth_list(3); RFC 4252 5.2
 */
s2_error *s2_session_userauth_list(s2_session *s, const char *username,
                                   s2_list *texts);
/*
 * Has the server let the user in?
 *
 * Source     libssh2_userauth_authenticated(3)
 */
bool s2_session_userauth_authenticated(s2_session *s);
/*
 * Authenticate by password.
 *
 * Units      `callback` is called, without arguments, when the password has
 *            expired, and as often as the server refuses the new one that it
 *            gives.  It may not call this session.  null: nobody is asked.
 * Blocking   until the server answers.
 * Errors     AuthenticationError: refused; PasswordExpiredError: there is no
 *            new one; InvalidRequestError: the new one is too long;
 *            BadUseError: authenticated already, or no new one was given
 *            before: libssh2 then takes no further password.
 * Source     libssh2_userauth_password_ex(3); RFC 4252 8
 */
s2_error *s2_session_userauth_password(s2_session *s, const char *username,
                                       const char *password,
                                       s2_call_fn callback, void *ctx);
/*
 * Authenticate by a key in a file.
 *
 * Units      `privatekey` and `publickey` are files; null for `publickey`: it
 *            is taken from the private one.
 * Blocking   until the server answers.  A passphrase of many rounds takes
 *            seconds that nothing interrupts.
 * Errors     FileError: no key there, or not with this passphrase;
 *            KeyfileAuthFailedError: the same where `publickey` is given;
 *            PublickeyUnverifiedError, AuthenticationError: refused;
 *            BadUseError: authenticated already.
 * Source     libssh2_userauth_publickey_fromfile_ex(3); RFC 4252 7
 */
s2_error *s2_session_userauth_publickey_fromfile(s2_session *s,
                                                 const char *username,
                                                 const char *privatekey,
                                                 const char *passphrase,
                                                 const char *publickey);
/*
 * Authenticate by a key in memory.
 *
 * Units      `privatekeyfiledata` and `publickeyfiledata` are what such files
 *            hold; null for `publickeyfiledata`: it is taken from the private
 *            one.
 * Blocking   until the server answers.  A passphrase of many rounds takes
 *            seconds that nothing interrupts.
 * Errors     FileError: not a key, or not with this passphrase;
 *            KeyfileAuthFailedError: the same where `publickeyfiledata` is
 *            given;
 *            PublickeyUnverifiedError, AuthenticationError: refused;
 *            BadUseError: authenticated already.
 * Source     libssh2_userauth_publickey_frommemory(3); RFC 4252 7
 */
s2_error *s2_session_userauth_publickey_frommemory(
    s2_session *s, const char *username, const void *privatekeyfiledata,
    size_t privatekeyfiledata_len, const char *passphrase,
    const void *publickeyfiledata, size_t publickeyfiledata_len);
/*
 * Authenticate by a key that the program signs with.
 *
 * Units      `pubkeydata` is the public key as RFC 4253 6.6 has it.  `callback`
 *            is called with the data and the name of the algorithm to sign them
 *            by, and gives the bytes of the signature without that name; for a
 *            security key they are sign_sk()'s.  It may not call this session.
 * Blocking   until the server answers.
 * Errors     BadUseError: no callback, or authenticated already;
 *            AlgoUnsupportedError: a key of no known type; AuthenticationError,
 *            PublickeyUnverifiedError: the key, or the signature, is refused.
 * Source     libssh2_userauth_publickey(3); RFC 4252 7, RFC 8332
 */
s2_error *s2_session_userauth_publickey(s2_session *s, const char *username,
                                        const void *pubkeydata,
                                        size_t pubkeydata_len,
                                        s2_call_fn callback, void *ctx);
/*
 * Authenticate by a security key, which the program asks to sign.
 *
 * Units      `privatekeyfiledata` is what stands in the file that ssh-keygen
 *            has written, `pubkeydata` a certificate of that key, as RFC 4253
 *            6.6 has it; null: none.  `callback` is called with the data, the
 *            kind of the key (LIBSSH2_HOSTKEY_TYPE_*), its LIBSSH2_SK_* flags,
 *            the application and the key's handle; it gives the flags and the
 *            counter of the security key and two parts of a signature, of which
 *            Ed25519 leaves the second empty.  It may not call this session.
 * Blocking   until the server answers.
 * Errors     those of userauth_publickey(); FileError: no such private key, or
 *            another passphrase; FunctionMissingError.
 * Source     libssh2_userauth_publickey_sk(3); OpenSSH's PROTOCOL.u2f
 */
s2_error *s2_session_userauth_publickey_sk(s2_session *s, const char *username,
                                           const void *pubkeydata,
                                           size_t pubkeydata_len,
                                           const void *privatekeyfiledata,
                                           size_t privatekeyfiledata_len,
                                           const char *passphrase,
                                           s2_call_fn callback, void *ctx);
/*
 * Sign data by a security key, which the program asks to.
 *
 * Units      `privatekeyfiledata` and `callback` as userauth_publickey_sk()'s.
 * Returns    the signature without the name of its algorithm: a string, then
 *            flags and counter.
 * Errors     BadUseError: no callback; FileError: no such private key, or
 *            another passphrase; FunctionMissingError.
 * Source     libssh2_sign_sk(3); OpenSSH's PROTOCOL.u2f
 */
s2_error *s2_session_sign_sk(s2_session *s, const void *data, size_t data_len,
                             const void *privatekeyfiledata,
                             size_t privatekeyfiledata_len,
                             const char *passphrase, s2_call_fn callback,
                             void *ctx, s2_buf *bytes);
/*
 * Authenticate by the key of the host that this program runs on.
 *
 * Units      `privatekey` and `publickey` are files; `hostname` is this host's.
 * Blocking   until the server answers.
 * Errors     FileError: no key there, or not with this passphrase;
 *            PublickeyUnverifiedError, AuthenticationError: refused;
 *            BadUseError: authenticated already.
 * Source     libssh2_userauth_hostbased_fromfile_ex(3); RFC 4252 9
 */
s2_error *s2_session_userauth_hostbased_fromfile(
    s2_session *s, const char *username, const char *privatekey,
    const char *hostname, const char *publickey, const char *passphrase);

/*
 * Answer every question of the server with the password.
 *
 * Blocking   until the server has decided.
 * Errors     AuthenticationError: refused; BadUseError: authenticated already.
 * Source     libssh2_userauth_keyboard_interactive_ex(3); RFC 4256
 */
s2_error *s2_session_userauth_keyboardinteractive(s2_session *s,
                                                  const char *username,
                                                  const char *password);
/*
 * Let the program answer the server's questions.
 *
 * Other calls on the session wait until `callback` returns; one from within it
 * is BadUseError.  What it raises is raised.
 *
 * Units      `callback` is given a name, an instruction and the prompts, and
 *            gives one answer a prompt.
 * Blocking   until the server has decided.
 * Errors     AuthenticationError: refused; BadUseError: authenticated already.
 * Source     libssh2_userauth_keyboard_interactive_ex(3); RFC 4256
 */
s2_error *s2_session_userauth_keyboardinteractive_callback(s2_session *s,
                                                           const char *username,
                                                           s2_call_fn callback,
                                                           void *ctx);
/*
 * Authenticate by any key of the user's agent, which SSH_AUTH_SOCK names.
 *
 * Blocking   until a key is accepted, or the last one was refused.
 * Errors     AgentConnectionError; AgentListIdentitiesError;
 *            AgentAuthenticationError: no key was accepted; BadUseError:
 *            authenticated already.
 */
s2_error *s2_session_agent_auth(s2_session *s, const char *username);

/*
 * Open a channel for a command, a shell or a subsystem.
 *
 * Blocking   until the server answers.
 * Errors     InvalidRequestError: not authenticated; ChannelFailure: refused.
 * Source     libssh2_channel_open_ex(3); RFC 4254 6.1
 */
s2_error *s2_session_open_session(s2_session *s, s2_channel **out);
/*
 * Say what is to be called when the server does something on its own.
 *
 * `cbtype` is LIBSSH2_CALLBACK_DISCONNECT (reason, message, language), _DEBUG
 * (message, language, always_display), _IGNORE (message), _X11 (channel,
 * shost, sport) or _AUTHAGENT (channel).  It is called between or after
 * whatever calls on the session, by whoever makes them, one at a time, and may
 * use the session.  What it raises is reported and does not end the call.
 *
 * Units      null: called no more, and such channels are closed. At most 64
 *            channels and some thousand messages wait to be told; more channels
 *            are closed, more messages lost.
 * Ownership  the callback is kept by the session's own object.
 * Errors     BadUseError: _MACERROR, since a packet with a wrong MAC is never
 *            accepted; _SEND and _RECV, since handshake() takes an object that
 *            reads and writes; FunctionMissingError: _AUTHAGENT before 1.11.
 * Source     libssh2_session_callback_set2(3)
 */
s2_error *s2_session_callback_set(s2_session *s, int cbtype,
                                  s2_call_fn callback, void *ctx_or_none);
/*
 * Say what libssh2 shall trace: LIBSSH2_TRACE_*, 0 for nothing.
 *
 * Errors     MethodNotSupported: it was built without debug logging.
 * Source     libssh2_trace(3)
 */
s2_error *s2_session_trace(s2_session *s, int bitmask);
/*
 * Say what is to be called with each line of trace.
 *
 * It is called as any other event's callback.  What packets hold, commands and
 * values of environment variables are left out.
 *
 * Units      null: the lines are thrown away.
 * Ownership  the callback is kept by the session's own object.
 * Source     libssh2_trace_sethandler(3)
 */
s2_error *s2_session_trace_sethandler(s2_session *s, s2_call_fn callback,
                                      void *ctx_or_none);
/*
 * Open a channel to a TCP port that the server can reach.
 *
 * The server is told that it is for 127.0.0.1, port 22.
 *
 * Ownership  the channel is the caller's; closing it ends the connection.
 * Blocking   until the server has connected, or the timeout.
 * Errors     ChannelFailure where the server refuses or cannot connect.
 * Source     libssh2_channel_direct_tcpip(3); RFC 4254 7.2
 */
s2_error *s2_session_direct_tcpip(s2_session *s, const char *host, int port,
                                  s2_channel **out);
/*
 * Open a channel to a TCP port that the server can reach, for a given peer.
 *
 * The server is told that it is for `shost`, port `sport`, which it may log.
 *
 * Ownership  the channel is the caller's; closing it ends the connection.
 * Blocking   until the server has connected, or the timeout.
 * Errors     ChannelFailure where the server refuses or cannot connect.
 * Source     libssh2_channel_direct_tcpip_ex(3); RFC 4254 7.2
 */
s2_error *s2_session_direct_tcpip_ex(s2_session *s, const char *host, int port,
                                     const char *shost, int sport,
                                     s2_channel **out);
/*
 * Have the server listen on `port` (0: of its choice), for connections here.
 *
 * At most 16 connections wait to be accepted; more are refused.
 *
 * Ownership  the listener is the caller's; dropped, it is cancelled by later
 *            calls on the session.
 * Blocking   until the server has answered, or the timeout.
 * Errors     RequestDeniedError where the server refuses; BadUseError once
 *            keepalives that ask for a reply were sent.
 * Source     libssh2_channel_forward_listen(3); RFC 4254 7.1
 */
s2_error *s2_session_forward_listen(s2_session *s, int port, s2_listener **out);
/*
 * Have the server listen on an address of its own, for connections here.
 *
 * Units      `queue_maxsize` counts the connections that may wait to be
 *            accepted, 0 for 1 024; `host` null is every IPv4 address,
 *            `port` 0 one of the server's choice.
 * Ownership  the listener is the caller's; dropped, it is cancelled by later
 *            calls on the session.
 * Blocking   until the server has answered, or the timeout.
 * Returns    the listener, and the port that was bound.
 * Errors     RequestDeniedError where the server refuses; BadUseError once
 *            keepalives that ask for a reply were sent.
 * Source     libssh2_channel_forward_listen_ex(3); RFC 4254 7.1
 */
s2_error *s2_session_forward_listen_ex(s2_session *s, int queue_maxsize,
                                       const char *host, int port,
                                       s2_listener **out, int *result);
/*
 * Start SFTP.
 *
 * Blocking   until the server answers.
 * Errors     InvalidRequestError: not authenticated; ChannelFailure: refused;
 *            SFTPProtocolError.
 * Source     libssh2_sftp_init(3)
 */
s2_error *s2_session_sftp_init(s2_session *s, s2_sftp **out);
/*
 * An empty collection of known hosts; before the handshake, too.
 *
 * Source     libssh2_knownhost_init(3)
 */
s2_error *s2_session_knownhost_init(s2_session *s, s2_knownhost **out);

/* What SCP tells of a file; all else is 0. */
typedef struct s2_fileinfo {
    uint64_t size;      /* in bytes */
    unsigned long mode; /* the permissions */
    uint64_t ino;       /* not told */
    uint64_t nlink;     /* not told */
    unsigned long uid;  /* not told */
    unsigned long gid;  /* not told */
    uint64_t rdev;      /* not told */
    uint64_t blksize;   /* not told */
    uint64_t blocks;    /* not told */
    int64_t atime;      /* last read, in seconds since 1970 */
    int64_t mtime;      /* last written, in seconds since 1970 */
    int64_t ctime;      /* not told */
} s2_fileinfo;

/*
 * Receive a file by SCP: its bytes are to be read from the channel.
 *
 * After as many bytes as its size a read answers the end, once the server has
 * said that all went well; where it says otherwise, or sends less, the read
 * fails.  A program that reads no further than the size may just close the
 * channel, and is not told.
 *
 * Units      `path` is one of the server's, quoted for its shell: see flag().
 * Blocking   until the server has announced the file.
 * Errors     SCPProtocolError: the server's words, a missing file's too;
 *            InvalidRequestError: a newline in `path`; ChannelRequestDenied:
 *            the server runs no commands.
 * Source     libssh2_scp_recv2(3), whose work the core does itself; scp(1)
 */
s2_error *s2_session_scp_recv2(s2_session *s, const char *path,
                               s2_channel **out, s2_fileinfo *info);
/*
 * Send a file by SCP: its bytes are to be written to the channel.
 *
 * Write as many as `size` tells, no more; then wait_eof() tells whether the
 * server has kept them all.  A program that closes the channel instead is not
 * told.
 *
 * Units      `path` is one of the server's, quoted for its shell: see flag();
 *            a folder gets a file of the same name. `mode` is the permissions;
 *            `mtime` and `atime` are in seconds since 1970, both 0: now.
 * Blocking   until the server is ready for the bytes.
 * Errors     SCPProtocolError: the server's words; InvalidRequestError: a
 *            newline in `path`, or a time before 1970; ChannelRequestDenied:
 *            the server runs no commands.
 * Source     libssh2_scp_send64(3), whose work the core does itself; scp(1)
 */
s2_error *s2_session_scp_send64(s2_session *s, const char *path, int mode,
                                uint64_t size, double mtime, double atime,
                                s2_channel **out);
/*
 * The keys that may log in, as the server keeps them.
 *
 * Blocking   until the server has told which version it speaks.
 * Errors     PublicKeyInitError: the server has no such subsystem, OpenSSH's
 *            among them, or refuses.
 * Source     libssh2_publickey_init(3), whose work the core does itself; RFC
 *            4819
 */
s2_error *s2_session_publickey_init(s2_session *s, s2_publickey **out);
/*
 * What talks to the user's agent; before the handshake, too.
 *
 * Source     libssh2_agent_init(3)
 */
s2_error *s2_session_agent_init(s2_session *s, s2_agent **out);

/* --- Channel: channel.c -------------------------------------------------- */

/*
 * Ask for a terminal, before a command or a shell is started.
 *
 * Units      `width` and `height` in characters, `width_px` and `height_px` in
 *            pixels; `modes` as RFC 4254 8 has them.
 * Blocking   until the server answers.
 * Errors     ChannelRequestDenied; InvalidRequestError: `term` and `modes` are
 *            longer than 256 bytes.
 * Source     libssh2_channel_request_pty_ex(3); RFC 4254 6.2
 */
s2_error *s2_channel_pty(s2_channel *ch, const char *term, const void *modes,
                         size_t modes_len, int width, int height, int width_px,
                         int height_px);
/*
 * Tell the terminal its new size.
 *
 * Units      `width` and `height` in characters, `width_px` and `height_px` in
 *            pixels.
 * Blocking   until it is sent.
 * Source     libssh2_channel_request_pty_size_ex(3); RFC 4254 6.7
 */
s2_error *s2_channel_pty_size(s2_channel *ch, int width, int height,
                              int width_px, int height_px);
/*
 * Set an environment variable, before a command or a shell is started.
 *
 * Blocking   until the server answers.
 * Errors     ChannelRequestDenied: most servers allow few names.
 * Source     libssh2_channel_setenv_ex(3); RFC 4254 6.4
 */
s2_error *s2_channel_setenv(s2_channel *ch, const char *varname,
                            const char *value);
/*
 * Ask that X11 clients started on the channel be shown here.
 *
 * Their connections come as events: see Session.callback_set().
 *
 * Blocking   until the server answers.
 * Errors     ChannelRequestDenied where the server refuses.
 * Source     libssh2_channel_x11_req(3); RFC 4254 6.3.1
 */
s2_error *s2_channel_x11_req(s2_channel *ch, int screen_number);
/*
 * Ask that X11 clients be shown here, by a given way to authenticate them.
 *
 * Units      `single_connection` not 0: one client only; `auth_proto` null is
 *            MIT-MAGIC-COOKIE-1, `auth_cookie` (hexadecimal) null a random one
 *            that nobody is told.
 * Blocking   until the server answers.
 * Errors     ChannelRequestDenied where the server refuses.
 * Source     libssh2_channel_x11_req_ex(3); RFC 4254 6.3.1
 */
s2_error *s2_channel_x11_req_ex(s2_channel *ch, int single_connection,
                                const char *auth_proto, const char *auth_cookie,
                                int screen_number);
/*
 * Start what `request` names: "exec", "shell" or "subsystem".
 *
 * Units      `message` is the command or the subsystem; null: nothing is sent.
 * Blocking   until the server answers.
 * Errors     ChannelRequestDenied; BadUseError: something was started already.
 * Source     libssh2_channel_process_startup(3); RFC 4254 6.5
 */
s2_error *s2_channel_process_startup(s2_channel *ch, const char *request,
                                     const char *message);
/*
 * Start a command, by the user's shell.
 *
 * Blocking   until the server answers.
 * Errors     ChannelRequestDenied; BadUseError: something was started already.
 * Source     libssh2_channel_process_startup(3); RFC 4254 6.5
 */
s2_error *s2_channel_execute(s2_channel *ch, const char *command);
/*
 * Start the user's shell.
 *
 * Blocking   until the server answers.
 * Errors     ChannelRequestDenied; BadUseError: something was started already.
 * Source     libssh2_channel_process_startup(3); RFC 4254 6.5
 */
s2_error *s2_channel_shell(s2_channel *ch);
/*
 * Start a subsystem, such as "sftp".
 *
 * Blocking   until the server answers.
 * Errors     ChannelRequestDenied; BadUseError: something was started already.
 * Source     libssh2_channel_process_startup(3); RFC 4254 6.5
 */
s2_error *s2_channel_subsystem(s2_channel *ch, const char *subsystem);
/*
 * Read up to `cap` bytes of a stream, as soon as there are any.
 *
 * Output and error output share a window: who leaves one unread may stop both,
 * and is told so where the call times out.
 *
 * Units      `cap` in bytes; `stream_id` is 0 for output,
 *            SSH_EXTENDED_DATA_STDERR for error output.
 * Blocking   until there is data, or the end of the stream.
 * Returns    what has come; nothing once the peer has sent end of file.
 * Source     libssh2_channel_read_ex(3); RFC 4254 5.2
 */
s2_error *s2_channel_read(s2_channel *ch, int stream_id, void *dst, size_t cap,
                          size_t *len);
/*
 * Read all of both streams, to their ends.
 *
 * Where it does not come to its end what was read stays with the channel: the
 * next read has it, and the next read_all() all.
 *
 * Units      `limit` is the most bytes of both, 0: any number.
 * Blocking   until both have ended; bytes that come start the timeout anew.
 * Returns    the output and the error output, as bytes.
 * Errors     BufferTooSmallError: more than `limit`; BadUseError: SCP's.
 * Source     RFC 4254 5.2
 */
s2_error *s2_channel_read_all(s2_channel *ch, size_t limit, s2_buf *output,
                              s2_buf *errors);
/*
 * Hand on all of both streams as they come, to their ends.
 *
 * Units      `fd` and `stderr_fd` are descriptors, -1: none; `object` and
 *            `stderr_object` are called with bytes, and answer how many of
 *            them they took.  What goes to neither is thrown away.
 * Blocking   until both have ended; bytes that come start the timeout anew.
 * Returns    how many bytes were handed on, or thrown away.
 * Errors     FileError, with errno; BadUseError: SCP's.  What was not written
 *            stays with the channel, for the next read, and what an object
 *            did not take.
 * Source     RFC 4254 5.2
 */
s2_error *s2_channel_pump(s2_channel *ch, int fd, int stderr_fd,
                          s2_call_fn object, void *object_ctx,
                          s2_call_fn stderr_object, void *stderr_object_ctx,
                          uint64_t *result);
/*
 * Write all of `buf` to a stream.
 *
 * Units      `stream_id` is 0, or SSH_EXTENDED_DATA_STDERR.
 * Blocking   until the last byte is with the kernel.
 * Returns    how many bytes were written; an error tells it as well.
 * Errors     ChannelEOFSentError: after send_eof(); ChannelClosedError: by
 *            either side; BadUseError: more than a file's size, by SCP.
 * Source     libssh2_channel_write_ex(3); RFC 4254 5.2
 */
s2_error *s2_channel_write(s2_channel *ch, int stream_id, const void *buf,
                           size_t len, size_t *written);
/*
 * Drop what has come of a stream and was not read; nothing, of SCP.
 *
 * Units      `stream_id` is 0, SSH_EXTENDED_DATA_STDERR, or one of
 *            LIBSSH2_CHANNEL_FLUSH_*.
 * Blocking   until the peer is told that it may send as much again.
 * Returns    how many bytes were dropped.
 * Source     libssh2_channel_flush_ex(3)
 */
s2_error *s2_channel_flush(s2_channel *ch, int stream_id, int *result);
/*
 * Has the peer sent end of file, and was all of every stream read?
 *
 * Source     libssh2_channel_eof(3)
 */
s2_error *s2_channel_eof(s2_channel *ch, bool *result);
/*
 * Tell the peer that no more will be written.
 *
 * Blocking   until it is sent.
 * Source     libssh2_channel_send_eof(3); RFC 4254 5.3
 */
s2_error *s2_channel_send_eof(s2_channel *ch);
/*
 * Wait until the peer sends end of file.
 *
 * Where SCP has sent or received a file, the peer's last word is heard first.
 *
 * Blocking   until then.
 * Errors     ChannelWindowFullError: unread bytes are in its way;
 *            SCPProtocolError: the server did not keep the file, or not all of
 *            it was sent.
 * Source     libssh2_channel_wait_eof(3)
 */
s2_error *s2_channel_wait_eof(s2_channel *ch);
/*
 * Close the channel both ways; what has arrived can still be read.
 *
 * Again: nothing is done.
 *
 * Blocking   until the server answers; a second at most, where the caller's
 *            last call was interrupted or timed out.
 * Source     libssh2_channel_close(3); RFC 4254 5.3
 */
s2_error *s2_channel_close(s2_channel *ch);
/*
 * Wait until the peer closes the channel.
 *
 * Blocking   until then.
 * Errors     InvalidRequestError: neither did the peer send end of file, nor
 *            was close() called.
 * Source     libssh2_channel_wait_closed(3)
 */
s2_error *s2_channel_wait_closed(s2_channel *ch);
/*
 * The command's exit status.
 *
 * Returns    -1 if a signal ended it, or the connection was lost, or the
 *            channel closed here, before the server told its end; 0 also before
 *            any status came.
 * Source     libssh2_channel_get_exit_status(3); RFC 4254 6.10
 */
s2_error *s2_channel_get_exit_status(s2_channel *ch, int *result);
/*
 * The signal that ended the command.
 *
 * Returns    its name without "SIG", a message and the message's language; null
 *            for each where no signal did.
 * Source     libssh2_channel_get_exit_signal(3); RFC 4254 6.10
 */
s2_error *s2_channel_get_exit_signal(s2_channel *ch, s2_buf *name,
                                     s2_buf *errmsg, s2_buf *language);

/* --- Listener: forward.c ------------------------------------------------- */

/* The port that the server listens on. */
int s2_listener_port(s2_listener *l);
/*
 * Wait for a connection to the listener's port.
 *
 * Ownership  the channel is the caller's and outlives the listener.
 * Blocking   until somebody connects, the listener is cancelled or the
 *            timeout; other calls on the session go on.
 * Errors     ClosedError once the listener is cancelled; Timeout, Socket*.
 * Source     libssh2_channel_forward_accept(3); RFC 4254 7.2
 */
s2_error *s2_listener_forward_accept(s2_listener *l, s2_channel **out);
/*
 * Have the server listen no more; again: success, nothing done.
 *
 * Connections that nobody accepted are closed.
 *
 * Blocking   until the server has closed them, or the timeout; a second at
 *            most, where the caller's last call was interrupted or timed out.
 * Source     libssh2_channel_forward_cancel(3); RFC 4254 7.1
 */
s2_error *s2_listener_forward_cancel(s2_listener *l);

/* --- SFTP: sftp.c -------------------------------------------------------- */

/* A file's attributes: those that are known, or are to be set. */
typedef struct s2_attrs {
    unsigned long flags;       /* LIBSSH2_SFTP_ATTR_*: which of these count */
    uint64_t filesize;         /* in bytes */
    unsigned long uid, gid;    /* of the owner, of the group */
    unsigned long permissions; /* the kind of file and its mode, as in C */
    unsigned long atime;       /* of the last access, in seconds since 1970 */
    unsigned long mtime;       /* of the last change, in seconds since 1970 */
} s2_attrs;

/* A file system's figures, as statvfs(3) has them. */
typedef struct s2_statvfs {
    uint64_t f_bsize;   /* the size of a block, in bytes */
    uint64_t f_frsize;  /* the unit that blocks are counted in, in bytes */
    uint64_t f_blocks;  /* how many blocks there are */
    uint64_t f_bfree;   /* how many of them are free */
    uint64_t f_bavail;  /* how many of them any user may fill */
    uint64_t f_files;   /* how many files there can be */
    uint64_t f_ffree;   /* how many more there can be */
    uint64_t f_favail;  /* how many more any user may make */
    uint64_t f_fsid;    /* the file system's identifier */
    uint64_t f_flag;    /* LIBSSH2_SFTP_ST_* */
    uint64_t f_namemax; /* how long a name can be, in bytes */
} s2_statvfs;

/*
 * Open a file.
 *
 * Units      `flags` are LIBSSH2_FXF_*, added up; `mode` is what a new file may
 *            be used for, such as octal 644, less the server's umask.
 * Blocking   until the server answers.
 * Errors     SFTPProtocolError.
 * Source     libssh2_sftp_open_ex(3)
 */
s2_error *s2_sftp_open(s2_sftp *sftp, const char *filename, unsigned flags,
                       int mode, s2_file **out);
/*
 * Open a directory, to read its entries.
 *
 * Blocking   until the server answers.
 * Errors     SFTPProtocolError.
 * Source     libssh2_sftp_open_ex(3)
 */
s2_error *s2_sftp_opendir(s2_sftp *sftp, const char *path, s2_file **out);
/*
 * The attributes of a file; of a link's target.
 *
 * Blocking   until the server answers.
 * Errors     SFTPProtocolError.
 * Source     libssh2_sftp_stat_ex(3)
 */
s2_error *s2_sftp_stat(s2_sftp *sftp, const char *path, s2_attrs *attrs);
/*
 * The attributes of a file; of a link itself.
 *
 * Blocking   until the server answers.
 * Errors     SFTPProtocolError.
 * Source     libssh2_sftp_stat_ex(3)
 */
s2_error *s2_sftp_lstat(s2_sftp *sftp, const char *path, s2_attrs *attrs);
/*
 * Set those attributes of a file that the flags of `attrs` name.
 *
 * Blocking   until the server answers.
 * Errors     SFTPProtocolError; InvalidRequestError: one of them has more
 *            than 32 bits, but for the size.
 * Source     libssh2_sftp_stat_ex(3)
 */
s2_error *s2_sftp_setstat(s2_sftp *sftp, const char *path,
                          const s2_attrs *attrs);
/*
 * The figures of the file system that holds `path`.
 *
 * Blocking   until the server answers.
 * Errors     SFTPProtocolError.
 * Source     libssh2_sftp_statvfs(3)
 */
s2_error *s2_sftp_statvfs(s2_sftp *sftp, const char *path, s2_statvfs *vfs);
/*
 * Rename a file.
 *
 * Units      `flags` are LIBSSH2_SFTP_RENAME_*, added up; most servers know
 *            none of them, and refuse a name that exists.
 * Blocking   until the server answers.
 * Errors     SFTPProtocolError.
 * Source     libssh2_sftp_rename_ex(3)
 */
s2_error *s2_sftp_rename(s2_sftp *sftp, const char *source_filename,
                         const char *dest_filename, int flags);
/*
 * Delete a file.
 *
 * Blocking   until the server answers.
 * Errors     SFTPProtocolError.
 * Source     libssh2_sftp_unlink_ex(3)
 */
s2_error *s2_sftp_unlink(s2_sftp *sftp, const char *filename);
/*
 * Make a directory.
 *
 * Units      `mode` is what it may be used for, such as octal 755, less the
 *            server's umask.
 * Blocking   until the server answers.
 * Errors     SFTPProtocolError.
 * Source     libssh2_sftp_mkdir_ex(3)
 */
s2_error *s2_sftp_mkdir(s2_sftp *sftp, const char *path, int mode);
/*
 * Delete an empty directory.
 *
 * Blocking   until the server answers.
 * Errors     SFTPProtocolError.
 * Source     libssh2_sftp_rmdir_ex(3)
 */
s2_error *s2_sftp_rmdir(s2_sftp *sftp, const char *path);
/*
 * Make a symbolic link, of two names.
 *
 * OpenSSH's server takes them the other way round than the protocol: there
 * `path` is what the link leads to, and `target` is the link.
 *
 * Blocking   until the server answers.
 * Errors     SFTPProtocolError.
 * Source     libssh2_sftp_symlink_ex(3)
 */
s2_error *s2_sftp_symlink(s2_sftp *sftp, const char *path, const char *target);
/*
 * What a symbolic link leads to.
 *
 * Blocking   until the server answers.
 * Errors     SFTPProtocolError.
 * Source     libssh2_sftp_symlink_ex(3)
 */
s2_error *s2_sftp_readlink(s2_sftp *sftp, const char *path, s2_buf *text);
/*
 * The absolute path of a file, without links.
 *
 * Units      `max_len` is the most bytes that the answer may have.
 * Blocking   until the server answers.
 * Errors     SFTPProtocolError; BufferTooSmallError: the answer is longer.
 * Source     libssh2_sftp_symlink_ex(3)
 */
s2_error *s2_sftp_realpath(s2_sftp *sftp, const char *path, size_t max_len,
                           s2_buf *text);
/*
 * The status of the last refusal, which no success clears.
 *
 * Returns    LIBSSH2_FX_*, 0 for none.
 * Source     libssh2_sftp_last_error(3)
 */
s2_error *s2_sftp_last_error(s2_sftp *sftp, unsigned long *result);
/*
 * The channel that SFTP runs over.
 *
 * Ownership  it stays SFTP's and ends with it: what sends or receives by it is
 *            a BadUseError.
 * Source     libssh2_sftp_get_channel(3)
 */
s2_error *s2_sftp_get_channel(s2_sftp *sftp, s2_channel **out);
/*
 * Get a file.
 *
 * Until all of it is there it has another name, and a file that it replaces
 * keeps its mode, but for set-user-id and the like, since its owner may be
 * another; a link is followed, and what one names that is not there yet, or that
 * the server does not tell, has no other name.  Many reads are on their way at
 * once, by a channel of its own that this SFTP keeps for the next transfer: at
 * most four go on at the same time, others wait.
 *
 * Units      one of `local`, a path, `fd`, a descriptor, and `object`, which is
 *            called with bytes, and by whose `object_id` a call that is made
 *            again is known.  `progress` is called with the bytes that have
 *            come and, as far as it is known, how many there are, at most ten
 *            times a second; what it raises ends the transfer.  `resume`: go on
 *            with what an earlier transfer that was to be resumed as well has
 *            left of the same version, by its size and time, as
 *            `local`.<number>.part, if that is this user's; `temporary` false:
 *            use no other name; `preserve`: its times and its mode are kept,
 *            else a new file has its mode alone.
 * Blocking   until all of it is there; bytes that come start the timeout anew.
 * Returns    how many bytes the file has, of what comes to `fd` and `object`.
 * Errors     SFTPProtocolError; FileError, with errno: `local`, which is left
 *            as it was unless `temporary` is false, or the file was cut
 *            meanwhile; InvalidRequestError: a path of more than 32 KiB;
 *            BadUseError: `resume` or `preserve` without a path, `resume`
 *            without `temporary`; or it would wait for the transfers from whose
 *            callbacks it is made.
 * Source     draft-ietf-secsh-filexfer-02 6.4
 */
s2_error *s2_sftp_get(s2_sftp *sftp, const char *remote, const char *local,
                      int fd, s2_call_fn object, void *object_ctx,
                      uint64_t object_id, s2_call_fn progress,
                      void *progress_ctx, bool resume, bool temporary,
                      bool preserve, uint64_t *result);
/*
 * Put a file; as get(), the other way.
 *
 * A file that is replaced by a server without posix-rename@openssh.com is
 * deleted just before.  What is resumed is of the same file here, by its inode,
 * too; how much of it there is, its size tells: where the connection was lost
 * just as the server refused a write, and did later ones, it may not be a
 * beginning of the file.
 *
 * Units      as get()'s; `object` is called with a number and gives at most so
 *            many bytes, none at its end.
 * Blocking   until the server has taken all of it, which starts the timeout
 *            anew as it goes on.
 * Returns    how many bytes the file has.
 * Errors     SFTPProtocolError; FileError, with errno: `local`, or it was cut
 *            meanwhile; InvalidRequestError: a path of more than 32 KiB;
 *            BadUseError: as get()'s, but that a descriptor of a file can be
 *            resumed and has times, too; SFTPFailureError: what is to be resumed
 *            there is a link, or no file.
 * Source     draft-ietf-secsh-filexfer-02 6.4
 */
s2_error *s2_sftp_put(s2_sftp *sftp, const char *local, const char *remote,
                      int fd, s2_call_fn object, void *object_ctx,
                      uint64_t object_id, s2_call_fn progress,
                      void *progress_ctx, bool resume, bool temporary,
                      bool preserve, uint64_t *result);
/*
 * Get a folder and all that is in it.
 *
 * No link is followed: one that by its names stays in the tree is made anew,
 * and all else that is no file is skipped.  `local` need not be there; what is
 * there in it is replaced by files of the same name, and folders are added to.
 * Many files are on their way at once, each under another name until it is
 * whole.
 *
 * Units      `progress` is called with the bytes that have come, and how many
 *            there are of what is known; `preserve`: times and modes are kept,
 *            those of a folder once all is in it, which its owner may write
 *            until then; `limit` is the most names there may be, 0: any number.
 * Blocking   until all of it is there; bytes that come start the timeout anew.
 * Returns    how many files, how many bytes, and the names that were skipped.
 * Errors     the first that a file or a folder has, which ends it;
 *            BufferTooSmallError: more names than `limit`; SFTPProtocolError: a
 *            name with a slash, and all else that makes no sense.
 * Source     draft-ietf-secsh-filexfer-02 6
 */
s2_error *s2_sftp_get_tree(s2_sftp *sftp, const char *remote, const char *local,
                           s2_call_fn progress, void *progress_ctx,
                           bool preserve, size_t limit, s2_value *moved);
/*
 * Put a folder and all that is in it; as get_tree(), the other way.
 *
 * Blocking   until the server has taken all of it, which starts the timeout
 *            anew as it goes on.
 * Returns    how many files, how many bytes, and the names that were skipped.
 * Errors     those of get_tree().
 * Source     draft-ietf-secsh-filexfer-02 6
 */
s2_error *s2_sftp_put_tree(s2_sftp *sftp, const char *local, const char *remote,
                           s2_call_fn progress, void *progress_ctx,
                           bool preserve, size_t limit, s2_value *moved);
/*
 * All that is in a folder and in those below it, by many requests at once.
 *
 * Units      `limit` is the most names there may be, 0: any number.
 * Blocking   until the server has told all.
 * Returns    for each its name, as seen from `path`, and its attributes, a
 *            link's own; in the order of the names.
 * Errors     SFTPProtocolError; BufferTooSmallError: more names than `limit`.
 * Source     draft-ietf-secsh-filexfer-02 6.7
 */
s2_error *s2_sftp_list_tree(s2_sftp *sftp, const char *path, size_t limit,
                            s2_value *found);
/*
 * The attributes of many files, by many requests at once; links are followed.
 *
 * Blocking   until the server has told all.
 * Returns    for each of `paths` its attributes, or the error that stat() would
 *            have.
 * Source     draft-ietf-secsh-filexfer-02 6.8
 */
s2_error *s2_sftp_stat_many(s2_sftp *sftp, const s2_list *paths,
                            s2_value *found);
/*
 * End SFTP; open files and directories are closed first.
 *
 * Again: nothing is done.
 *
 * Blocking   until the server answers; a second at most, where the caller's
 *            last call was interrupted or timed out.
 * Source     libssh2_sftp_shutdown(3)
 */
s2_error *s2_sftp_close(s2_sftp *sftp);

/* --- SFTPHandle: file.c -------------------------------------------------- */

/*
 * Read up to `cap` bytes of a file.
 *
 * Whatever the size, a megabyte and more is asked for at once where reads
 * follow each other; what is written there meanwhile is seen after a seek.
 *
 * Units      `cap` in bytes; less may come at any time.
 * Blocking   until there is data, or the end of the file.
 * Returns    what has come; nothing at the end of the file.
 * Errors     SFTPProtocolError.
 * Source     libssh2_sftp_read(3)
 */
s2_error *s2_file_read(s2_file *f, void *dst, size_t cap, size_t *len);
/*
 * Write all of `buf` to a file, where its position is.
 *
 * Where a Timeout or an interrupt ends it, the position is behind what was
 * written, as the error tells it: the rest is written next, in pieces of any
 * size, or something else in its place.
 *
 * Blocking   until the server has acknowledged the last byte.
 * Returns    how many bytes were written; an error tells it as well.
 * Errors     SFTPProtocolError.
 * Source     libssh2_sftp_write(3)
 */
s2_error *s2_file_write(s2_file *f, const void *buf, size_t buf_len,
                        size_t *written);
/*
 * The next entry of a directory.
 *
 * Blocking   until the server answers.
 * Returns    the name, the line that "ls -l" might show, and the attributes;
 *            null for the name once there are no more.
 * Errors     SFTPProtocolError.
 * Source     libssh2_sftp_readdir_ex(3)
 */
s2_error *s2_file_readdir(s2_file *f, s2_buf *name, s2_buf *longname,
                          s2_attrs *attrs);
/*
 * Read and write at `offset` from now on.
 *
 * Units      `offset` in bytes from the start.
 * Blocking   until another call on the same SFTP is over.
 * Source     libssh2_sftp_seek64(3)
 */
s2_error *s2_file_seek64(s2_file *f, uint64_t offset);
/*
 * Where the next read or write is.
 *
 * Returns    bytes from the start.
 * Source     libssh2_sftp_tell64(3)
 */
s2_error *s2_file_tell64(s2_file *f, uint64_t *result);
/*
 * The attributes of an open file.
 *
 * Blocking   until the server answers.
 * Errors     SFTPProtocolError.
 * Source     libssh2_sftp_fstat_ex(3)
 */
s2_error *s2_file_fstat(s2_file *f, s2_attrs *attrs);
/*
 * Set those attributes of an open file that the flags of `attrs` name.
 *
 * Blocking   until the server answers.
 * Errors     SFTPProtocolError; InvalidRequestError: one of them has more
 *            than 32 bits, but for the size.
 * Source     libssh2_sftp_fstat_ex(3)
 */
s2_error *s2_file_fsetstat(s2_file *f, const s2_attrs *attrs);
/*
 * The figures of the file system that holds an open file.
 *
 * Blocking   until the server answers.
 * Errors     SFTPProtocolError.
 * Source     libssh2_sftp_fstatvfs(3)
 */
s2_error *s2_file_fstatvfs(s2_file *f, s2_statvfs *vfs);
/*
 * Have the server put a file on its disk.
 *
 * Blocking   until the server answers.
 * Errors     SFTPProtocolError.
 * Source     libssh2_sftp_fsync(3)
 */
s2_error *s2_file_fsync(s2_file *f);
/*
 * Close a file or directory.
 *
 * Again: nothing is done.
 *
 * Blocking   until the server answers; a second at most, where the caller's
 *            last call was interrupted or timed out.
 * Errors     SFTPProtocolError.
 * Source     libssh2_sftp_close_handle(3)
 */
s2_error *s2_file_close(s2_file *f);
/* Was it closed? */
bool s2_file_closed(s2_file *f);

/* --- KnownHost and its entries: knownhost.c ------------------------------ */

/*
 * Add a host and its key.
 *
 * Units      `typemask` is one each of LIBSSH2_KNOWNHOST_TYPE_*, _KEYENC_* and
 *            _KEY_*, added up; `salt` and a hashed `host` are in base64; a port
 *            goes into the name: "[host]:port".
 * Returns    the entry.
 * Errors     KnownHostAddError.
 * Source     libssh2_knownhost_addc(3)
 */
s2_error *s2_knownhost_addc(s2_knownhost *kh, const char *host,
                            const char *salt, const void *key, size_t key_len,
                            const void *comment, size_t comment_len,
                            int typemask, s2_entry **out);
/*
 * Find the entry of a host that has this key.
 *
 * Units      `port` -1 looks the bare name up; `typemask` as for addc().
 * Returns    the entry.
 * Errors     KnownHostCheckNotFoundError: no key of that type is known for the
 *            host; KnownHostCheckMisMatchError: another one is;
 *            KnownHostRevokedError; KnownHostCheckFailure.
 * Source     libssh2_knownhost_checkp(3)
 */
s2_error *s2_knownhost_checkp(s2_knownhost *kh, const char *host, int port,
                              const void *key, size_t key_len, int typemask,
                              s2_entry **out);
/*
 * Delete an entry.
 *
 * Errors     KnownHostDeleteError: it is not in the collection.
 * Source     libssh2_knownhost_del(3)
 */
s2_error *s2_knownhost_delete(s2_knownhost *kh, s2_entry *entry);
/*
 * Read a line of a known_hosts file.
 *
 * A @revoked key is refused for every host, a @cert-authority's is kept for
 * writefile() only.
 *
 * Units      `f_type` is LIBSSH2_KNOWNHOST_FILE_OPENSSH.
 * Errors     KnownHostReadLineError.
 * Source     libssh2_knownhost_readline(3); sshd(8)
 */
s2_error *s2_knownhost_readline(s2_knownhost *kh, const void *line,
                                size_t line_len, int f_type);
/*
 * Read a known_hosts file, as readline() its lines.
 *
 * Units      `f_type` is LIBSSH2_KNOWNHOST_FILE_OPENSSH.
 * Returns    how many lines were read.
 * Errors     KnownHostReadFileError; lines before the bad one are in.
 * Source     libssh2_knownhost_readfile(3)
 */
s2_error *s2_knownhost_readfile(s2_knownhost *kh, const char *filename,
                                int f_type, int *result);
/*
 * The line of an entry, with its end.
 *
 * Units      `f_type` is LIBSSH2_KNOWNHOST_FILE_OPENSSH; `buf_len` is of no
 *            account.
 * Errors     KnownHostWriteLineError: it is not in the collection.
 * Source     libssh2_knownhost_writeline(3)
 */
s2_error *s2_knownhost_writeline(s2_knownhost *kh, s2_entry *entry, int f_type,
                                 s2_buf *bytes);
/*
 * Write all entries to a file.
 *
 * It is written beside the file and renamed: the file is whole at any time.
 *
 * Units      `f_type` is LIBSSH2_KNOWNHOST_FILE_OPENSSH.
 * Errors     KnownHostWriteFileError.
 */
s2_error *s2_knownhost_writefile(s2_knownhost *kh, const char *filename,
                                 int f_type);
/*
 * The entry after `prev`.
 *
 * Units      null for `prev`: the first one.
 * Returns    the entry; null at the end.
 * Errors     KnownHostGetError: `prev` is not in the collection.
 * Source     libssh2_knownhost_get(3)
 */
s2_error *s2_knownhost_get(s2_knownhost *kh, s2_entry *prev, s2_entry **out);

/* The host's name; null where it is hashed. */
const char *s2_entry_name(s2_entry *e);
/* The key, in base64. */
const char *s2_entry_key(s2_entry *e);
/* LIBSSH2_KNOWNHOST_TYPE_*, _KEYENC_* and _KEY_*, added up. */
int s2_entry_typemask(s2_entry *e);
/* libssh2's mark of an entry. */
unsigned s2_entry_magic(s2_entry *e);

/* --- Agent and its identities: agent.c ----------------------------------- */

/*
 * Find the agent: where set_identity_path() said, or SSH_AUTH_SOCK does.
 *
 * Blocking   until the agent takes a connection.
 * Errors     AgentConnectionError.
 * Source     libssh2_agent_connect(3)
 */
s2_error *s2_agent_connect(s2_agent *agent);
/*
 * Ask the agent which keys it holds.
 *
 * Blocking   until the agent answers.
 * Errors     AgentListIdentitiesError.
 * Source     libssh2_agent_list_identities(3); draft-miller-ssh-agent
 */
s2_error *s2_agent_list_identities(s2_agent *agent);
/*
 * A key of the last list.
 *
 * Units      `index` counts from 0.
 * Returns    the key; null past the end.
 * Source     libssh2_agent_get_identity(3)
 */
s2_error *s2_agent_identity(s2_agent *agent, size_t index, s2_identity **out);
/*
 * Authenticate the session by a key of the agent.
 *
 * Blocking   until agent and server have answered.
 * Errors     AgentConnectionError: not connected; AgentAuthenticationError:
 *            refused; BadUseError: authenticated already.
 * Source     libssh2_agent_userauth(3); RFC 4252 7
 */
s2_error *s2_agent_userauth(s2_agent *agent, const char *username,
                            s2_identity *pkey);
/*
 * Let a key of the agent sign data.
 *
 * Units      `method` is the name of an algorithm that the key can sign by;
 *            null: the key's own, of which RSA has rsa-sha2-512.
 * Blocking   until the agent answers.
 * Returns    the signature without the name of its algorithm.
 * Errors     AgentConnectionError: not connected; AgentProtocolError: refused,
 *            or more than 256 KiB of data; AlgoUnsupportedError: no such
 *            algorithm, or the agent signed by another.
 * Source     libssh2_agent_sign(3); draft-miller-ssh-agent 3.6
 */
s2_error *s2_agent_sign(s2_agent *agent, s2_identity *pkey, const void *data,
                        size_t data_len, const char *method, s2_buf *bytes);
/*
 * Forget the agent that connect() found.
 *
 * Source     libssh2_agent_disconnect(3)
 */
s2_error *s2_agent_disconnect(s2_agent *agent);
/*
 * Where the next connect() looks for the agent.
 *
 * Returns    what set_identity_path() was given; null: nothing.
 * Source     libssh2_agent_get_identity_path(3)
 */
s2_error *s2_agent_get_identity_path(s2_agent *agent, s2_buf *text);
/*
 * Say where the next connect() shall look for the agent.
 *
 * Units      `path` is a socket's.
 * Source     libssh2_agent_set_identity_path(3)
 */
s2_error *s2_agent_set_identity_path(s2_agent *agent, const char *path);

/* The public key, as RFC 4253 6.6 has it. */
void s2_identity_blob(s2_identity *key, s2_buf *bytes);
/* What the agent calls the key. */
const char *s2_identity_comment(s2_identity *key);

/* --- PublicKeySystem: publickey.c ---------------------------------------- */

/*
 * Add a key to those that may log in.
 *
 * Units      `name` is the kind of key, such as "ssh-ed25519"; `blob` is the
 *            public key, as bytes; `overwrite`: replace the same key, if it is
 *            there; `attrs` are the key's attributes: for each its name, its
 *            value, and empty unless the server must heed it; null: none.
 * Blocking   until the server answers.
 * Errors     PublicKeyError: refused, by a status and the server's words;
 *            PublicKeyProtocolError: the answer makes no sense, as every later
 *            one then; InvalidRequestError: too long for a key.
 * Source     libssh2_publickey_add_ex(3), whose work the core does itself; RFC
 *            4819 4.1
 */
s2_error *s2_publickey_add(s2_publickey *pk, const void *name, size_t name_len,
                           const void *blob, size_t blob_len, bool overwrite,
                           const s2_list *attrs);
/*
 * Take a key away from those that may log in.
 *
 * Units      `name` is the kind of key; `blob` is the public key, as bytes.
 * Blocking   until the server answers.
 * Errors     those of add().
 * Source     libssh2_publickey_remove_ex(3), whose work the core does itself;
 *            RFC 4819 4.2
 */
s2_error *s2_publickey_remove(s2_publickey *pk, const void *name,
                              size_t name_len, const void *blob,
                              size_t blob_len);
/*
 * The keys that may log in.
 *
 * Blocking   until the server has told all.
 * Returns    for each its kind, the public key, and a list of its attributes:
 *            for each its name and its value.
 * Errors     those of add().
 * Source     libssh2_publickey_list_fetch(3), whose work the core does itself;
 *            RFC 4819 4.3
 */
s2_error *s2_publickey_list_fetch(s2_publickey *pk, s2_value *keys);
/*
 * End it; every later call fails.  Again: nothing is done.
 *
 * Blocking   until the server has closed it, too; a second at most, where the
 *            caller's last call was interrupted or timed out.
 * Source     libssh2_publickey_shutdown(3)
 */
s2_error *s2_publickey_shutdown(s2_publickey *pk);
/* Was it ended by shutdown()? */
bool s2_publickey_closed(s2_publickey *pk);

#endif
