/* A library that never was, with one of each thing the generator meets. */
#ifndef LIBSSH2_H
#define LIBSSH2_H 1

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LIBSSH2_VERSION "9.8.7_DEV"
#define LIBSSH2_VERSION_MAJOR 9
#define LIBSSH2_BANNER "SSH-2.0-" LIBSSH2_VERSION

#ifndef LIBSSH2_API
# define LIBSSH2_API
#endif
#if !defined(LIBSSH2_DISABLE_DEPRECATION) && defined(__GNUC__)
# define LIBSSH2_DEPRECATED(version, message) \
    __attribute__((deprecated("since " #version ". " message)))
#endif
#ifndef LIBSSH2_DEPRECATED
# define LIBSSH2_DEPRECATED(version, message)
#endif

typedef struct _LIBSSH2_SESSION LIBSSH2_SESSION;
typedef struct _LIBSSH2_CHANNEL LIBSSH2_CHANNEL;
typedef struct _LIBSSH2_TUNNEL LIBSSH2_TUNNEL;
typedef unsigned long long libssh2_uint64_t;
typedef int libssh2_socket_t;

/* Numbers of every type, and what is none. */
#define LIBSSH2_NEGATIVE -1
#define LIBSSH2_HIGH_BIT 0x80000000
#define LIBSSH2_LONG 5L
#define LIBSSH2_UNSIGNED_LONG 7UL
#define LIBSSH2_HUGE 0xffffffffffffffffULL
#define LIBSSH2_SHIFTED (3<<16)
#define LIBSSH2_CAST ((unsigned char)200)
#define LIBSSH2_LETTER 'x'
#define LIBSSH2_OTHER LIBSSH2_SHIFTED
#define LIBSSH2_NOTHING
#define LIBSSH2_CALL libssh2_session_frob
#define LIBSSH2_TYPE unsigned int x
#define LIBSSH2_FLOATING 1.5
#define LIBSSH2_GONE 1
#undef LIBSSH2_GONE
#ifdef LIBSSH2_NEVER_DEFINED
#define LIBSSH2_HIDDEN 1
LIBSSH2_API int libssh2_session_hidden(LIBSSH2_SESSION *session);
#endif

typedef enum {
    libssh2_red = 3,
    libssh2_green,
    LIBSSH2_BLUE = libssh2_green + LIBSSH2_VERSION_MAJOR
} libssh2_colour_t;

#define LIBSSH2_ERROR_NONE 0
#define LIBSSH2_ERROR_KNOWN -1
#define LIBSSH2_ERROR_FOO_BAR -2
#define LIBSSH2_ERROR_KNOWN_OLD_NAME LIBSSH2_ERROR_KNOWN
#define LIBSSH2_ERROR_TAKEN -3
#define LIBSSH2_ERROR_EAGAIN -37

#define LIBSSH2_SIGN_FUNC(name) \
    int name(LIBSSH2_SESSION *session, void **abstract)

static inline int libssh2_twice(int x)
{
    return 2 * x;
}

/* By the row: derived, by hand, to come, never. */
LIBSSH2_API int libssh2_session_ping(LIBSSH2_SESSION *session, int count);
LIBSSH2_API int libssh2_session_handshake(LIBSSH2_SESSION *session,
                                          libssh2_socket_t sock);
LIBSSH2_API const char *libssh2_session_motto(LIBSSH2_SESSION *session);
LIBSSH2_API int libssh2_init(int flags);
/* Plain, though its name says it may free something. */
LIBSSH2_API int libssh2_channel_close_input(LIBSSH2_CHANNEL *channel);
/* An int that is no status. */
LIBSSH2_API int libssh2_session_mood(LIBSSH2_SESSION *session);

/* Without a row, and safe. */
LIBSSH2_API int libssh2_channel_paint_ex(LIBSSH2_CHANNEL *channel,
                                         const char *name,
                                         unsigned int name_len,
                                         const unsigned char *pixels,
                                         size_t pixels_len, char fill,
                                         unsigned char depth, long when);
#define libssh2_channel_paint(channel, name, pixels, pixels_len, fill, depth, \
                              when) \
    libssh2_channel_paint_ex((channel), (name), (unsigned int)strlen(name), \
                             (pixels), (pixels_len), (fill), (depth), (when))
LIBSSH2_API unsigned long libssh2_channel_room_ex(LIBSSH2_CHANNEL *channel,
                                                  unsigned long *total,
                                                  size_t *used, int *least);
#define libssh2_channel_room(channel) \
    libssh2_channel_room_ex((channel), NULL, NULL, NULL)
LIBSSH2_API ssize_t libssh2_channel_flush_some(LIBSSH2_CHANNEL *channel,
                                               libssh2_uint64_t most);
LIBSSH2_API void libssh2_session_set_colour(LIBSSH2_SESSION *session,
                                            libssh2_colour_t colour);
LIBSSH2_API libssh2_uint64_t
libssh2_session_get_bytes(LIBSSH2_SESSION *session);

/* Without a row, and not safe, each for another reason. */
LIBSSH2_API LIBSSH2_CHANNEL *libssh2_channel_open_odd(LIBSSH2_SESSION *session);
LIBSSH2_API int libssh2_session_set_signer(LIBSSH2_SESSION *session,
                                           LIBSSH2_SIGN_FUNC((*signer)));
LIBSSH2_API int libssh2_channel_drop_free(LIBSSH2_CHANNEL *channel);
LIBSSH2_API int libssh2_session_set_name(LIBSSH2_SESSION *session,
                                         const char *name);
LIBSSH2_API int libssh2_channel_fill(LIBSSH2_CHANNEL *channel, char *buffer,
                                     size_t buffer_len);
LIBSSH2_API int libssh2_channel_names(LIBSSH2_CHANNEL *channel, char **names);
LIBSSH2_API int libssh2_session_use(LIBSSH2_SESSION *session, int socket,
                                    libssh2_socket_t other);
LIBSSH2_API int libssh2_tunnel_dig(LIBSSH2_TUNNEL *tunnel);
LIBSSH2_API int libssh2_session_print(LIBSSH2_SESSION *session, int level, ...);
LIBSSH2_DEPRECATED(9.0.0, "Use libssh2_session_ping()")
LIBSSH2_API int libssh2_session_pong(LIBSSH2_SESSION *session);
int libssh2_session_private(LIBSSH2_SESSION *session);

/* Derived, since the cells of a row say what no header does. */
LIBSSH2_API char *libssh2_session_joke(LIBSSH2_SESSION *session,
                                       const char *about);
LIBSSH2_API int libssh2_session_news(LIBSSH2_SESSION *session,
                                     unsigned char **paper, size_t *paper_len,
                                     const char **headline, int *count);
LIBSSH2_API LIBSSH2_CHANNEL *libssh2_channel_dial(LIBSSH2_SESSION *session,
                                                  const char *to, int *price);
LIBSSH2_API int libssh2_channel_dial_back(LIBSSH2_SESSION *session,
                                          LIBSSH2_CHANNEL **channel);
LIBSSH2_API int libssh2_mood(void);
LIBSSH2_API const char *libssh2_mood_name(int mood);
/* Derived once they are filled in. */
LIBSSH2_API int libssh2_session_whisper(LIBSSH2_SESSION *session,
                                        const char *word);

#endif
