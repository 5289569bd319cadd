/*
 * The vocabulary that every class file is written in, and a trap for the rest.
 *
 * lang.i must define a typemap for each of these, by these very names; apply.i
 * then gives them to the parameters that the class files have.  Numbers, bool
 * and the numbers of stdint.i are SWIG's own.
 *
 * In, borrowed until the call returns; none of them takes the language's null
 * but those that end in OR_NONE, where it becomes NULL:
 *
 *   const char *                    text: UTF-8; NUL inside is refused
 *   const char *OR_NONE
 *   const char *PATH                the same, or an object that is a path
 *   const char *PATH_OR_NONE
 *   const char *LOCAL               the same, on this machine: PATH, unless
 *   const char *LOCAL_OR_NONE       lang.i defines both as words of its own
 *   (const void *BYTES, size_t LEN)             bytes, not text
 *   (const void *BYTES_OR_NONE, size_t LEN)
 *   (const void *TEXT, size_t LEN)              text or bytes, NUL included
 *   (const void *TEXT_OR_NONE, size_t LEN)
 *   (const void *STREAM, size_t LEN)            TEXT, unless lang.i defines it
 *                                               as another of these
 *   const s2_list *PARTS_OR_NONE    a list of text or bytes
 *   const s2_list *PATHS            a list of what PATH takes
 *   int SOCKET                      a descriptor, or an object that has one
 *   (s2_call_fn CALL, void *CTX)    what is called back
 *   (s2_call_fn CALL_OR_NONE, void *CTX)
 *   HANDLE *                        an object, or a record, of a class
 *   HANDLE *OR_NONE
 *
 * Out, of functions that return s2_error * and of no others:
 *
 *   s2_error *                      returned: raise it.  EAGAIN is no error but
 *                                   the answer "would block", with no output.
 *                                   No outputs: the language's plain success.
 *   (void *DST, size_t CAP, size_t *GOT)   a size in; that many bytes read, at
 *                                   most, straight into the result
 *   size_t *WRITTEN                 also when the call would block
 *   int *RESULT, bool *RESULT, unsigned long *RESULT, int64_t *RESULT,
 *   uint64_t *RESULT
 *   s2_buf *BYTES                   bytes; the language's null without data
 *   s2_buf *TEXT                    text; the same
 *   s2_list *TEXTS                  a list of text
 *   s2_value *VALUE                 what it says itself: lists, bytes, numbers
 *   HANDLE **OUT                    a new object; NULL is the language's null
 *   RECORD *OUT                     a new record
 *   const char *                    returned: text; NULL is the null
 *   HANDLE *                        returned by a constructor; NULL: no memory
 */

%include "stdint.i"

typedef struct s2_error s2_error;
typedef struct s2_buf s2_buf;
typedef struct s2_list s2_list;
typedef struct s2_value s2_value;

/* Fail loudly: a pointer nobody mapped would silently become an argument. */
%typemap(in, warning="901:no typemap for $type $1_name")
    SWIGTYPE *, SWIGTYPE **, void *, const void *, void **, char *, char **,
    int *, unsigned *, long *, unsigned long *, long long *,
    unsigned long long *, bool * ""
%typemap(out, warning="901:no typemap for what $symname returns, $type")
    SWIGTYPE *, SWIGTYPE **, void *, const void *, void **, char *, char **,
    int *, unsigned *, long *, unsigned long *, bool * ""
