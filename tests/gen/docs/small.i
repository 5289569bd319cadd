/* One of each word that swig/types.i has, in the least of interfaces. */
%module small
%include "stdint.i"

%typemap(in) HANDLE *, HANDLE *OR_NONE, const char *PATH ""
%typemap(in) (const void *BYTES, size_t LEN), int SOCKET ""
%typemap(in) (void *DST, size_t CAP, size_t *GOT) ""
%typemap(in, numinputs=0) HANDLE **OUT, RECORD *OUT, int *RESULT, s2_buf *TEXT,
    bool *RESULT, size_t *WRITTEN ""
%typemap(ret) s2_error *s2_box::empty "" /* success is the null */

%apply HANDLE * { s2_box * };
%apply HANDLE *OR_NONE { s2_box *prev };
%apply HANDLE **OUT { s2_box **out };
%apply RECORD *OUT { s2_size *size };
%apply const char *PATH { const char *path };
%apply (const void *BYTES, size_t LEN) { (const void *buf, size_t len) };
%apply (void *DST, size_t CAP, size_t *GOT) {
    (void *most, size_t cap, size_t *len)
};
%apply int SOCKET { int sock };
%apply int *RESULT { int *result, int *second };
%apply bool *RESULT { bool *empty };
%apply s2_buf *TEXT { s2_buf *text };
%apply size_t *WRITTEN { size_t *written };

%constant int ANSWER = 42;
%constant int LIBSSH2_ERROR_KNOWN = -1;
%constant const char *GREETING = "hello";

%rename(Size) s2_size;
%immutable;
typedef struct s2_size { uint64_t width; } s2_size;
%mutable;

%rename(Box) s2_box;
%rename(read) s2_box::read_0;
%nodefaultctor s2_box;
typedef struct s2_box {
    %extend {
        s2_box() { return NULL; }
        ~s2_box() { (void)$self; }
        s2_error *enter(const char *path, int mode = 0, s2_box **out = NULL);
        s2_error *read_0(void *most = NULL, size_t cap = 1024,
                         size_t *len = NULL)
        {
            return s2_box_read($self, 0, most, cap, len);
        }
        s2_error *read_ex(int stream, void *most, size_t cap, size_t *len)
        {
            return s2_box_read($self, stream, most, cap, len);
        }
        s2_error *write(const void *buf, size_t len, size_t *written);
        s2_error *measure(s2_size *size, int *result, int *second);
        s2_error *empty(bool *empty);
        s2_error *label(s2_buf *text);
        s2_error *put(s2_box *inner, int sock);
        s2_box *next(s2_box *prev = NULL);
        void shake(double force, bool hard = true);
        const char *name();
    }
} s2_box;

/* As s2_derived.i does: more methods, once the class is there. */
%extend s2_box {
    s2_error *derived(unsigned long long count);
}

%rename(motto) s2_motto;
const char *s2_motto(void);
