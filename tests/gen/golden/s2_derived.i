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
                    signed char fill, unsigned char depth, long when_,
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
    s2_error *flush_some(unsigned long long most, int64_t *result);
}
%extend s2_session {
    s2_error *set_colour(int colour);
}
%extend s2_session {
    s2_error *get_bytes(uint64_t *result);
}
%apply const char *PATH { const char *from_ };
%apply const char *PATH { const char *to };
%extend s2_sftp {
    s2_error *link(const char *from_, const char *to, int *result);
}
%extend s2_file {
    s2_error *sync_range(unsigned long long start, size_t length, int *result);
}
