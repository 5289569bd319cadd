/*
 * Bytes and text, in and out, and the numbers that count them.
 *
 * Where the core may look while others run, a string is one that nobody else
 * can change: frozen, or hidden.  RB_GC_GUARD keeps it, and where it is.
 */
%{
static VALUE
bytes_value(const s2_buf *buf)
{
    return buf->data ? rb_str_new(buf->data, (long)buf->len) : Qnil;
}

static VALUE
buf_text_value(const s2_buf *buf)
{
    return buf->data ? rb_utf8_str_new(buf->data, (long)buf->len) : Qnil;
}

static VALUE
texts_value(const s2_list *list)
{
    VALUE texts = rb_ary_new();

    for (size_t i = 0; i < list->count; i++)
        rb_ary_push(texts, buf_text_value(&list->item[i]));
    return texts;
}

/* No part of a number is dropped silently. */
static VALUE
integer_of(VALUE number)
{
    if (RB_FLOAT_TYPE_P(number))
        rb_raise(rb_eTypeError, "no implicit conversion of Float into Integer");
    return rb_to_int(number);
}

static unsigned LONG_LONG
unsigned_of(VALUE number, unsigned LONG_LONG most)
{
    unsigned LONG_LONG value;

    number = integer_of(number);
    if (RTEST(rb_funcall(number, '<', 1, INT2FIX(0))))
        rb_raise(rb_eRangeError, "negative number");
    value = NUM2ULL(number);
    if (value > most)
        rb_raise(rb_eRangeError, "number too big");
    return value;
}

static size_t
size_of(VALUE number)
{
    long size = NUM2LONG(integer_of(number));

    if (size < 0)
        rb_raise(rb_eArgError, "negative size");
    return (size_t)size;
}

/* The caller's bytes, which nobody can change or move meanwhile. */
static VALUE
bytes_of(VALUE value)
{
    return rb_str_new_frozen(StringValue(value));
}

/* A string's bytes as UTF-8, in a string that nobody else sees. */
static VALUE
text_of(VALUE value)
{
    int index;

    StringValue(value);
    index = rb_enc_get_index(value);
    if (index != rb_utf8_encindex() && index != rb_usascii_encindex() &&
        index != rb_ascii8bit_encindex())
        value = rb_str_encode(value, rb_enc_from_encoding(rb_utf8_encoding()),
                              0, Qnil);
    return rb_obj_hide(rb_str_new(RSTRING_PTR(value), RSTRING_LEN(value)));
}

static VALUE
word_of(VALUE value)
{
    value = text_of(value);
    if (memchr(RSTRING_PTR(value), '\0', RSTRING_LEN(value)))
        rb_raise(rb_eArgError, "string contains null byte");
    return value;
}

static VALUE
path_of(VALUE value)
{
    VALUE path = rb_check_funcall(value, rb_intern("to_path"), 0, NULL);

    return word_of(path == Qundef ? value : path);
}

/* A path's bytes as they are, as File takes them. */
static VALUE
file_of(VALUE value)
{
    return rb_str_encode_ospath(rb_get_path(value));
}

/* A string to read into: hidden until it is the result. */
static VALUE
buffer_of(size_t capacity)
{
    return rb_obj_hide(rb_str_buf_new((long)capacity));
}

/* nil for the end. */
static VALUE
buffer_value(VALUE buffer, size_t capacity, size_t got)
{
    return got || !capacity ? rb_obj_reveal(buffer, rb_cString) : Qnil;
}

/* Where bytes of a stream are kept that were read and handed back; 0: of that
 * none are. */
static ID
unread_id(int stream)
{
    return !stream                              ? rb_intern("@unread")
           : stream == SSH_EXTENDED_DATA_STDERR ? rb_intern("@unread_stderr")
                                                : 0;
}

/* Serve a read from them.  What is frozen could keep none. */
static bool
take_unread(VALUE self, int stream, void *dst, size_t cap, size_t *got)
{
    ID id = unread_id(stream);
    VALUE unread = id ? rb_ivar_get(self, id) : Qnil;
    size_t len;

    rb_check_frozen(self);
    if (!RB_TYPE_P(unread, T_STRING) || !(len = RSTRING_LEN(unread)))
        return false;
    *got = len < cap ? len : cap;
    memcpy(dst, RSTRING_PTR(unread), *got);
    if (*got == len)
        rb_ivar_set(self, id, Qnil);
    else
        rb_str_drop_bytes(unread, (long)*got);
    return true;
}

/* Keep bytes for the next read, before or after those that are kept. */
static void
put_unread(VALUE self, int stream, const char *src, size_t len, bool before)
{
    ID id = unread_id(stream);
    VALUE bytes = rb_str_new(src, (long)len), unread;

    if (!len || !id)
        return;
    unread = rb_ivar_get(self, id);
    if (RB_TYPE_P(unread, T_STRING) && !before) {
        rb_str_append(unread, bytes);
        return;
    }
    if (RB_TYPE_P(unread, T_STRING))
        rb_str_append(bytes, unread);
    rb_ivar_set(self, id, bytes);
}

/* A method that returns while an interrupt is pending loses what it returns:
 * let it happen now.  Then, or after an error, the next read has the bytes. */
static void
settle_read(VALUE self, int stream, VALUE buffer, size_t got, bool failed)
{
    int tag = 0;

    rb_str_set_len(buffer, (long)got);
    if (!failed) {
        rb_str_locktmp(buffer); /* others may run */
        rb_protect(check_interrupts, Qnil, &tag);
        rb_str_unlocktmp(buffer);
    }
    if (tag || failed) {
        put_unread(self, stream, RSTRING_PTR(buffer), got, true);
        rb_str_set_len(buffer, 0);
    }
    if (tag)
        rb_jump_tag(tag);
}

/* The same for all of both streams: the object has it from now on. */
static void
settle_both(VALUE self, s2_buf *output, s2_buf *errors)
{
    put_unread(self, 0, output->data, output->len, false);
    put_unread(self, SSH_EXTENDED_DATA_STDERR, errors->data, errors->len,
               false);
    s2_buf_free(output);
    s2_buf_free(errors);
    rb_thread_check_ints();
}

/* What else a call gives is kept for the next one in the same way. */
static VALUE
take_kept(VALUE self)
{
    VALUE kept = rb_ivar_get(self, rb_intern("@kept"));

    rb_check_frozen(self);
    return RB_TYPE_P(kept, T_ARRAY) ? rb_ary_shift(kept) : Qnil;
}

static VALUE
settle_result(VALUE self, VALUE result)
{
    ID id = rb_intern("@kept");
    int tag = 0;

    rb_protect(check_interrupts, Qnil, &tag);
    if (tag && !SYMBOL_P(result)) {
        if (!RB_TYPE_P(rb_ivar_get(self, id), T_ARRAY))
            rb_ivar_set(self, id, rb_ary_new());
        rb_ary_push(rb_ivar_get(self, id), result);
    }
    if (tag)
        rb_jump_tag(tag);
    return result;
}
%}

%typemap(in, numinputs=0) s2_buf *BYTES (s2_buf buf = {0}),
    s2_buf *TEXT (s2_buf buf = {0}) "$1 = &buf;"
%typemap(argout) s2_buf *BYTES "$result = add_output($result, bytes_value($1));"
%typemap(argout) s2_buf *TEXT
    "$result = add_output($result, buf_text_value($1));"
%typemap(freearg) s2_buf *BYTES, s2_buf *TEXT "s2_buf_free($1);"

%typemap(in, numinputs=0) s2_list *TEXTS (s2_list list = {0}) "$1 = &list;"
%typemap(argout) s2_list *TEXTS
    "$result = add_output($result, texts_value($1));"
%typemap(freearg) s2_list *TEXTS "s2_list_free($1);"

%typemap(out) const char * "$result = text_value($1);"

%define %string(type, or_none, of)
%argument(type, (VALUE text = Qnil)) {
    if (%given($input)) {
        text = or_none && NIL_P($input) ? Qnil : of($input);
        $1 = NIL_P(text) ? NULL : RSTRING_PTR(text);
    }
}
%typemap(freearg) type "RB_GC_GUARD(text$argnum);"
%enddef

%string(const char *, 0, word_of)
%string(const char *OR_NONE, 1, word_of)
%string(const char *PATH, 0, path_of)
%string(const char *PATH_OR_NONE, 1, path_of)
%string(const char *FILE_PATH, 0, file_of)
%string(const char *FILE_PATH_OR_NONE, 1, file_of)
#define LOCAL FILE_PATH
#define LOCAL_OR_NONE FILE_PATH_OR_NONE

%define %bytes(name, or_none, of)
%argument(%arg((const void *name, size_t LEN)), (VALUE bytes = Qnil)) {
    if (%given($input)) {
        bytes = or_none && NIL_P($input) ? Qnil : of($input);
        $1 = NIL_P(bytes) ? NULL : RSTRING_PTR(bytes);
        $2 = NIL_P(bytes) ? 0 : (size_t)RSTRING_LEN(bytes);
    }
}
%typemap(freearg) (const void *name, size_t LEN) "RB_GC_GUARD(bytes$argnum);"
%enddef

%bytes(BYTES, 0, bytes_of)
%bytes(BYTES_OR_NONE, 1, bytes_of)
%bytes(TEXT, 0, text_of)
%bytes(TEXT_OR_NONE, 1, text_of)
#define STREAM BYTES /* as any IO's */

%{
/* Strings as a list of the core's, whose memory is all the collector's. */
static s2_list
parts_of(VALUE value, VALUE *keep, VALUE (*of)(VALUE))
{
    VALUE parts = rb_convert_type(value, T_ARRAY, "Array", "to_ary"), items;
    s2_list list = {NULL, (size_t)RARRAY_LEN(parts)};

    *keep = rb_ary_new();
    for (size_t i = 0; i < list.count; i++)
        rb_ary_push(*keep, of(rb_ary_entry(parts, (long)i)));
    items = buffer_of(list.count * sizeof *list.item);
    rb_ary_push(*keep, items);
    list.item = (s2_buf *)(void *)RSTRING_PTR(items);
    for (size_t i = 0; i < list.count; i++) {
        VALUE part = rb_ary_entry(*keep, (long)i);

        list.item[i] = (s2_buf){RSTRING_PTR(part), (size_t)RSTRING_LEN(part)};
    }
    return list;
}
%}
%argument(const s2_list *PARTS_OR_NONE,
          %arg((VALUE keep = Qnil, s2_list list = {0}))) {
    if (%given($input) && !NIL_P($input)) {
        list = parts_of($input, &keep, text_of);
        $1 = &list;
    }
}
%argument(const s2_list *PATHS,
          %arg((VALUE keep = Qnil, s2_list list = {0}))) {
    list = parts_of($input, &keep, path_of);
    $1 = &list;
}
%typemap(freearg) const s2_list *PARTS_OR_NONE, const s2_list *PATHS
    "RB_GC_GUARD(keep$argnum);"

%argument(%arg((void *DST, size_t CAP, size_t *GOT)),
          %arg((VALUE bytes = Qnil, size_t got = 0))) {
    if (%given($input))
        $2 = size_of($input);
}
%typemap(check) (void *DST, size_t CAP, size_t *GOT) {
    bytes$argnum = buffer_of($2);
    $1 = RSTRING_PTR(bytes$argnum);
    $3 = &got$argnum;
}
%typemap(argout) (void *DST, size_t CAP, size_t *GOT)
    "$result = add_output($result, buffer_value(bytes$argnum, $2, *$3));"
%typemap(freearg) (void *DST, size_t CAP, size_t *GOT)
    "RB_GC_GUARD(bytes$argnum);"

%define %reading(method, stream)
%exception method %{
    if (!take_unread(self, stream, arg2, arg3, arg4)) {
        $action
    }
    if (!result) {
        settle_read(self, stream, bytes2, *arg4, false);
        rb_str_resize(bytes2, (long)*arg4);
    }
%}
%enddef
%reading(s2_channel::read_0, 0)
%reading(s2_channel::read_stderr, SSH_EXTENDED_DATA_STDERR)
%reading(s2_channel::read_ex, arg5)
%reading(s2_file::read, 0)
%exception s2_channel::read_all %{
    rb_check_frozen(self);
    $action
    if (!result)
        settle_both(self, arg3, arg4);
%}

%define %keeping(class, method)
%exception class::method %{
    vresult = take_kept(self);
    if (!NIL_P(vresult))
        return vresult;
    $action
%}
%typemap(ret) s2_error *method "vresult = settle_result(self, vresult);"
%enddef
%keeping(s2_file, readdir)
%keeping(s2_listener, forward_accept)
