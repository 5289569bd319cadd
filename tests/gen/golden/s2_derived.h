/* Derived from the headers of libssh2 9.8.7_DEV. */
#ifndef S2_DERIVED_H
#define S2_DERIVED_H

#include "s2.h"

/*
 * What libssh2_session_ping(3) tells.
 *
 * Blocking   until libssh2 has done it.
 * Source     libssh2_session_ping(3)
 */
s2_error *s2_session_ping(s2_session *self, int count);
/*
 * What libssh2_channel_close_input(3) tells.
 *
 * Blocking   until libssh2 has done it.
 * Source     libssh2_channel_close_input(3)
 */
s2_error *s2_channel_close_input(s2_channel *self);
/*
 * What libssh2_session_mood(3) tells.
 *
 * Source     libssh2_session_mood(3)
 */
s2_error *s2_session_mood(s2_session *self, int *result);
/*
 * What libssh2_channel_paint_ex(3) tells.
 *
 * Blocking   until libssh2 has done it.
 * Source     libssh2_channel_paint_ex(3)
 */
s2_error *s2_channel_paint(s2_channel *self, const char *name,
                           const void *pixels, size_t pixels_len,
                           signed char fill, unsigned char depth, int when_,
                           int *result);
/*
 * What libssh2_channel_room_ex(3) tells.
 *
 * Source     libssh2_channel_room_ex(3)
 */
s2_error *s2_channel_room_ex(s2_channel *self, unsigned long *result,
                             unsigned long *total, uint64_t *used, int *least);
/*
 * What libssh2_channel_room(3) tells.
 *
 * Source     libssh2_channel_room(3)
 */
s2_error *s2_channel_room(s2_channel *self, unsigned long *result);
/*
 * What libssh2_channel_flush_some(3) tells.
 *
 * Blocking   until libssh2 has done it.
 * Source     libssh2_channel_flush_some(3)
 */
s2_error *s2_channel_flush_some(s2_channel *self, unsigned long long most,
                                int64_t *result);
/*
 * What libssh2_session_set_colour(3) tells.
 *
 * Source     libssh2_session_set_colour(3)
 */
s2_error *s2_session_set_colour(s2_session *self, int colour);
/*
 * What libssh2_session_get_bytes(3) tells.
 *
 * Source     libssh2_session_get_bytes(3)
 */
s2_error *s2_session_get_bytes(s2_session *self, uint64_t *result);
/*
 * What libssh2_session_joke(3) tells.
 *
 * Blocking   until libssh2 has done it.
 * Source     libssh2_session_joke(3)
 */
s2_error *s2_session_joke(s2_session *self, const char *about, s2_buf *text);
/*
 * What libssh2_session_news(3) tells.
 *
 * Source     libssh2_session_news(3)
 */
s2_error *s2_session_news(s2_session *self, s2_buf *bytes0, s2_buf *text1,
                          int *count);
/*
 * What libssh2_channel_dial(3) tells.
 *
 * Blocking   until libssh2 has done it.
 * Source     libssh2_channel_dial(3)
 */
s2_error *s2_session_dial(s2_session *self, const char *to, s2_channel **out,
                          int *price);
/*
 * What libssh2_channel_dial_back(3) tells.
 *
 * Blocking   until libssh2 has done it.
 * Source     libssh2_channel_dial_back(3)
 */
s2_error *s2_session_dial_back(s2_session *self, s2_channel **out);
/*
 * What libssh2_mood(3) tells.
 *
 * Source     libssh2_mood(3)
 */
int s2_mood(void);
/*
 * What libssh2_mood_name(3) tells.
 *
 * Source     libssh2_mood_name(3)
 */
const char *s2_mood_name(int mood);
/*
 * What libssh2_sftp_link_ex(3) tells.
 *
 * Blocking   until libssh2 has done it.
 * Source     libssh2_sftp_link_ex(3)
 */
s2_error *s2_sftp_link(s2_sftp *self, const char *from_, const char *to,
                       int *result);
/*
 * What libssh2_sftp_sync_range(3) tells.
 *
 * Blocking   until libssh2 has done it.
 * Source     libssh2_sftp_sync_range(3)
 */
s2_error *s2_file_sync_range(s2_file *self, unsigned long long start,
                             size_t length, int *result);
/*
 * What libssh2_sftp_dig_ex(3) tells.
 *
 * Blocking   until libssh2 has done it.
 * Source     libssh2_sftp_dig_ex(3)
 */
s2_error *s2_sftp_dig_ex(s2_sftp *self, const char *path, int depth,
                         const s2_attrs *attrs, s2_file **out);
/*
 * What libssh2_sftp_dig(3) tells.
 *
 * Blocking   until libssh2 has done it.
 * Source     libssh2_sftp_dig(3)
 */
s2_error *s2_sftp_dig(s2_sftp *self, const char *path, const s2_attrs *attrs,
                      s2_file **out);
/*
 * What libssh2_sftp_fill_in(3) tells.
 *
 * Blocking   until libssh2 has done it.
 * Source     libssh2_sftp_fill_in(3)
 */
s2_error *s2_file_fill_in(s2_file *self, s2_attrs *attrs);

#endif
