/*
 * Ruby: the typemaps of types.i, in Ruby's C API.
 *
 * A raise is a longjmp that skips freearg, so no typemap may own C memory
 * when it raises: inputs are strings of the collector's, and outputs of the
 * core's are there only after a success.
 */
%begin %{
#define HAVE_RB_DEFINE_ALLOC_FUNC 1 /* any Ruby has it */
%}

%include "host.i"
%include "errors.i"
%include "named.i"

/* --- results ------------------------------------------------------------- */

%{
/* What a call gave: Qundef until the first output is added, a symbol where it
 * would have blocked. */
static VALUE
outcome(s2_error *err, VALUE self)
{
    int directions;

    if (is_pending()) {
        s2_error_free(err);
        raise_pending();
    }
    if (!err)
        return Qundef;
    if (err->code != LIBSSH2_ERROR_EAGAIN)
        raise_error(err);
    s2_error_free(err);
    directions = s2_directions(RTYPEDDATA_DATA(self));
    if (is_pending())
        raise_pending();
    return ID2SYM(directions & LIBSSH2_SESSION_BLOCK_OUTBOUND
                      ? rb_intern("wait_writable")
                      : rb_intern("wait_readable"));
}

/* Add an output, where the call did not block. */
static VALUE
add_output(VALUE result, VALUE value)
{
    if (result == Qundef)
        return value;
    if (SYMBOL_P(result))
        return result;
    if (!RB_TYPE_P(result, T_ARRAY))
        result = rb_ary_new_from_args(1, result);
    return rb_ary_push(result, value);
}

static VALUE
truth(bool value)
{
    return value ? Qtrue : Qfalse;
}
%}

%typemap(out) s2_error * "$result = outcome($1, self);"
%typemap(ret) s2_error * %{
    if (vresult == Qundef)
        vresult = Qnil;
%}

%define %number_out(type, value)
%typemap(in, numinputs=0) type *RESULT (type number = 0) "$1 = &number;"
%typemap(argout) type *RESULT "$result = add_output($result, value(*$1));"
%enddef

%number_out(int, INT2NUM)
%number_out(bool, truth)
%number_out(unsigned long, ULONG2NUM)
%number_out(int64_t, LL2NUM)
%number_out(uint64_t, ULL2NUM)

%typemap(in, numinputs=0) size_t *WRITTEN (size_t number = 0) "$1 = &number;"
%typemap(argout) size_t *WRITTEN %{
    if (*$1 || !SYMBOL_P($result))
        $result = SIZET2NUM(*$1);
%}

%include "bytes.i"
%include "objects.i"
%include "streams.i"

/* --- numbers ------------------------------------------------------------- */

%{
/* 0 would be true for Ruby, and is false for C. */
static bool
truth_of(VALUE value)
{
    if (value == Qtrue || value == Qfalse)
        return value == Qtrue;
    if (!RB_INTEGER_TYPE_P(value))
        rb_raise(rb_eTypeError, "no implicit conversion of %" PRIsVALUE
                 " into true or false", rb_obj_class(value));
    return value != INT2FIX(0);
}

static int
descriptor_of(VALUE value)
{
    if (RB_TYPE_P(value, T_FIXNUM))
        return NUM2INT(value);
    if (rb_respond_to(value, rb_intern("to_io")))
        value = rb_funcall(value, rb_intern("to_io"), 0);
    if (!rb_respond_to(value, rb_intern("fileno")))
        rb_raise(rb_eTypeError, "no implicit conversion of %" PRIsVALUE
                 " into a socket", rb_obj_class(value));
    return NUM2INT(rb_funcall(value, rb_intern("fileno"), 0));
}
%}

%define %number_in(type, of)
%argument(type, ) {
    if (%given($input))
        $1 = ($1_ltype)of;
}
%enddef

%number_in(int, NUM2INT(integer_of($input)))
%number_in(long, NUM2LONG(integer_of($input)))
%number_in(int64_t, NUM2LL(integer_of($input)))
%number_in(double, NUM2DBL($input))
%number_in(bool, truth_of($input))
%number_in(size_t, size_of($input))
%number_in(unsigned char, unsigned_of($input, UCHAR_MAX))
%number_in(unsigned, unsigned_of($input, UINT_MAX))
%number_in(unsigned long, unsigned_of($input, ULONG_MAX))
%number_in(uint64_t, unsigned_of($input, UINT64_MAX))
%number_in(int SOCKET, descriptor_of($input))

%include "calls.i"

%init %{
{
    s2_error *err = s2_init();

    if (err)
        raise_error(err);
}
%}
