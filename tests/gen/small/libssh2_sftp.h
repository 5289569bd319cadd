#ifndef LIBSSH2_SFTP_H
#define LIBSSH2_SFTP_H 1
#include "libssh2.h"

typedef struct _LIBSSH2_SFTP LIBSSH2_SFTP;
typedef struct _LIBSSH2_SFTP_HANDLE LIBSSH2_SFTP_HANDLE;
typedef struct _LIBSSH2_SFTP_ATTRIBUTES LIBSSH2_SFTP_ATTRIBUTES;
struct _LIBSSH2_SFTP_ATTRIBUTES {
    unsigned long flags;
};

#define LIBSSH2_FX_OK 0UL
#define LIBSSH2_FX_KNOWN 1UL
#define LIBSSH2_FX_MISPELT 2UL /* the first name wins */
#define LIBSSH2_FX_MISSPELT 2UL

LIBSSH2_API int libssh2_sftp_link_ex(LIBSSH2_SFTP *sftp, const char *from,
                                     size_t from_len, const char *to,
                                     size_t to_len);
#define libssh2_sftp_link(sftp, from, to) \
    libssh2_sftp_link_ex((sftp), (from), strlen(from), (to), strlen(to))
LIBSSH2_API int libssh2_sftp_sync_range(LIBSSH2_SFTP_HANDLE *handle,
                                        libssh2_uint64_t start, size_t length);
LIBSSH2_API LIBSSH2_SFTP_HANDLE *
libssh2_sftp_dig_ex(LIBSSH2_SFTP *sftp, const char *path, unsigned int path_len,
                    int depth, LIBSSH2_SFTP_ATTRIBUTES *attrs);
#define libssh2_sftp_dig(sftp, path, attrs) \
    libssh2_sftp_dig_ex((sftp), (path), strlen(path), (7 + 1), (attrs))
LIBSSH2_API int libssh2_sftp_fill_in(LIBSSH2_SFTP_HANDLE *handle,
                                     LIBSSH2_SFTP_ATTRIBUTES *attrs);

#endif
