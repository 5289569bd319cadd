/* What a release that nobody has seen might declare. */
#define LIBSSH2_ERROR_PARITY -200
#define LIBSSH2_FX_TOO_LOUD 40UL
#define LIBSSH2_FLAG_GENTLE 0x40000000
#define LIBSSH2_CREDO "plain text"

typedef enum {
    libssh2_grave = 1,
    libssh2_merry
} libssh2_mood_t;

/* Bound without a word. */
LIBSSH2_API libssh2_mood_t libssh2_mood(void);
LIBSSH2_API unsigned long libssh2_session_get_turns(LIBSSH2_SESSION *session);
LIBSSH2_API int libssh2_session_greet(LIBSSH2_SESSION *session,
                                      const char *word, size_t word_len);
LIBSSH2_API int libssh2_channel_tally_ex(LIBSSH2_CHANNEL *channel,
                                         int stream_id, unsigned long *total);
#define libssh2_channel_tally(channel, total) \
    libssh2_channel_tally_ex((channel), 1 + 1, (total))

/* Bound once a person says who owns what. */
LIBSSH2_API const char *libssh2_session_motto(LIBSSH2_SESSION *session);
LIBSSH2_API int libssh2_session_decode(LIBSSH2_SESSION *session,
                                       const char *word, char **answer);
LIBSSH2_API LIBSSH2_CHANNEL *libssh2_channel_open_odd(LIBSSH2_SESSION *session,
                                                      const char *kind,
                                                      int *number);
LIBSSH2_API int libssh2_sftp_guess(LIBSSH2_SFTP *sftp, const char *path,
                                   unsigned int path_len,
                                   LIBSSH2_SFTP_ATTRIBUTES *attrs);

/* Needs code. */
LIBSSH2_API int libssh2_session_watch(LIBSSH2_SESSION *session,
                                      void (*tell)(LIBSSH2_SESSION *session));
