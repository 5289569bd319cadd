/* What the headers of libssh2 9.8.7_DEV declare. */
#ifndef S2_HAVE_H
#define S2_HAVE_H

#define S2_HAVE_libssh2_session_ping 1
#define S2_HAVE_libssh2_session_handshake 1
#define S2_HAVE_libssh2_session_motto 1
#define S2_HAVE_libssh2_init 1
#define S2_HAVE_libssh2_channel_close_input 1
#define S2_HAVE_libssh2_session_mood 1
#define S2_HAVE_libssh2_channel_paint_ex 1
#define S2_HAVE_libssh2_channel_room_ex 1
#define S2_HAVE_libssh2_channel_flush_some 1
#define S2_HAVE_libssh2_session_set_colour 1
#define S2_HAVE_libssh2_session_get_bytes 1
#define S2_HAVE_libssh2_channel_open_odd 1
#define S2_HAVE_libssh2_session_set_signer 1
#define S2_HAVE_libssh2_channel_drop_free 1
#define S2_HAVE_libssh2_session_set_name 1
#define S2_HAVE_libssh2_channel_fill 1
#define S2_HAVE_libssh2_channel_names 1
#define S2_HAVE_libssh2_session_use 1
#define S2_HAVE_libssh2_tunnel_dig 1
#define S2_HAVE_libssh2_session_print 1
#define S2_HAVE_libssh2_session_pong 1
#define S2_HAVE_libssh2_session_joke 1
#define S2_HAVE_libssh2_session_news 1
#define S2_HAVE_libssh2_channel_dial 1
#define S2_HAVE_libssh2_channel_dial_back 1
#define S2_HAVE_libssh2_mood 1
#define S2_HAVE_libssh2_mood_name 1
#define S2_HAVE_libssh2_session_whisper 1
#define S2_HAVE_libssh2_sftp_link_ex 1
#define S2_HAVE_libssh2_sftp_sync_range 1
#define S2_HAVE_libssh2_sftp_dig_ex 1
#define S2_HAVE_libssh2_sftp_fill_in 1

/* Codes of errors.def that this libssh2 lacks. */
#ifndef LIBSSH2_ERROR_BYGONE
#define LIBSSH2_ERROR_BYGONE (-1000000 - 1)
#endif
#ifndef LIBSSH2_ERROR_SFTP_PROTOCOL
#define LIBSSH2_ERROR_SFTP_PROTOCOL (-1000000 - 2)
#endif

#endif
