/* Derived from the headers of libssh2 9.8.7_DEV. */
%{
#include "s2_derived.h"
%}
%extend s2_session {
    s2_error *ping(int count);
}
%extend s2_channel {
    s2_error *close_input();
}
%extend s2_session {
    s2_error *mood(int *result);
}
%apply (const void *BYTES, size_t LEN) { (const void *pixels, size_t pixels_len) };
%extend s2_channel {
    s2_error *paint(const char *name, const void *pixels, size_t pixels_len,
                    signed char fill, unsigned char depth, int when_,
                    int *result);
}
%apply unsigned long *RESULT { unsigned long *total };
%apply uint64_t *RESULT { uint64_t *used };
%apply int *RESULT { int *least };
%extend s2_channel {
    s2_error *room_ex(unsigned long *result, unsigned long *total,
                      uint64_t *used, int *least);
}
%extend s2_channel {
    s2_error *room(unsigned long *result);
}
%extend s2_channel {
    s2_error *flush_some(unsigned long long most, int64_t *result);
}
%extend s2_session {
    s2_error *set_colour(int colour);
}
%extend s2_session {
    s2_error *get_bytes(uint64_t *result);
}
%extend s2_session {
    s2_error *joke(const char *about, s2_buf *text);
}
%apply s2_buf *BYTES { s2_buf *bytes0 };
%apply s2_buf *TEXT { s2_buf *text1 };
%apply int *RESULT { int *count };
%extend s2_session {
    s2_error *news(s2_buf *bytes0, s2_buf *text1, int *count);
}
%apply int *RESULT { int *price };
%extend s2_session {
    s2_error *dial(const char *to, s2_channel **out, int *price);
}
%extend s2_session {
    s2_error *dial_back(s2_channel **out);
}
%rename(mood) s2_mood;
int s2_mood(void);
%rename(mood_name) s2_mood_name;
const char *s2_mood_name(int mood);
%apply const char *PATH { const char *from_ };
%apply const char *PATH { const char *to };
%extend s2_sftp {
    s2_error *link(const char *from_, const char *to, int *result);
}
%extend s2_file {
    s2_error *sync_range(unsigned long long start, size_t length, int *result);
}
%apply const char *PATH { const char *path };
%extend s2_sftp {
    s2_error *dig_ex(const char *path, int depth, const s2_attrs *attrs,
                     s2_file **out);
}
%extend s2_sftp {
    s2_error *dig(const char *path, const s2_attrs *attrs, s2_file **out);
}
%extend s2_file {
    s2_error *fill_in(s2_attrs *attrs);
}
