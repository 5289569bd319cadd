/* What stands for that release: its new functions, over today's library. */
#define LIBSSH2_DISABLE_DEPRECATION
#include <libssh2.h>
#include <libssh2_sftp.h>
#include <string.h>

static unsigned long turns;

libssh2_mood_t
libssh2_mood(void)
{
    return libssh2_merry;
}

unsigned long
libssh2_session_get_turns(LIBSSH2_SESSION *session)
{
    (void)session;
    return turns;
}

/* Answers at every other try. */
int
libssh2_session_greet(LIBSSH2_SESSION *session, const char *word,
                      size_t word_len)
{
    if (++turns % 2)
        return libssh2_session_set_last_error(session, LIBSSH2_ERROR_EAGAIN,
                                              "not yet");
    if (!strcmp(word, "odd"))
        return libssh2_session_set_last_error(session, LIBSSH2_ERROR_PARITY,
                                              "an odd word");
    return (int)word_len;
}

int
libssh2_channel_tally_ex(LIBSSH2_CHANNEL *channel, int stream_id,
                         unsigned long *total)
{
    *total = 100 + (unsigned long)stream_id;
    return libssh2_channel_eof(channel) ? 1 : 0;
}

const char *
libssh2_session_motto(LIBSSH2_SESSION *session)
{
    return libssh2_session_banner_get(session);
}

int
libssh2_session_decode(LIBSSH2_SESSION *session, const char *word,
                       char **answer)
{
    unsigned len = 0;
    int rc = libssh2_base64_decode(session, answer, &len, word,
                                   (unsigned)strlen(word));

    if (!rc && len)
        (*answer)[len - 1] = '\0'; /* it ends in a full stop */
    return rc;
}

LIBSSH2_CHANNEL *
libssh2_channel_open_odd(LIBSSH2_SESSION *session, const char *kind,
                         int *number)
{
    *number = 7;
    return libssh2_channel_open_ex(session, kind, (unsigned)strlen(kind),
                                   LIBSSH2_CHANNEL_WINDOW_DEFAULT,
                                   LIBSSH2_CHANNEL_PACKET_DEFAULT, NULL, 0);
}

int
libssh2_sftp_guess(LIBSSH2_SFTP *sftp, const char *path, unsigned int path_len,
                   LIBSSH2_SFTP_ATTRIBUTES *attrs)
{
    return libssh2_sftp_stat_ex(sftp, path, path_len, LIBSSH2_SFTP_STAT, attrs);
}

int
libssh2_session_watch(LIBSSH2_SESSION *session,
                      void (*tell)(LIBSSH2_SESSION *session))
{
    tell(session);
    return 0;
}
