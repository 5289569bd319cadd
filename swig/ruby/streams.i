/*
 * Reading as an IO does, for lib/ssh2/stream.rb: into a string of the caller's,
 * all of it or as it comes, and ahead.
 *
 * What was read and not yet given is in a variable of the object, and every
 * read gives it first.  Nothing leaves there but what a method returns.
 */
%{
/* No bytes with an error: the core keeps those of a call that was raised out
 * of. */
static s2_error *
read_from(VALUE self, int stream, char *dst, size_t cap, size_t *len)
{
    *len = 0;
    if (RTEST(rb_obj_is_kind_of(self, class_of(SWIGTYPE_p_s2_file))))
        return s2_file_read(object_of(self, SWIGTYPE_p_s2_file), dst, cap, len);
    return s2_channel_read(object_of(self, SWIGTYPE_p_s2_channel), stream, dst,
                           cap, len);
}

/* A caller's string with room for so many bytes. */
static VALUE
emptied(VALUE string, size_t capacity)
{
    rb_str_modify(StringValue(string));
    rb_str_set_len(string, 0);
    rb_str_modify_expand(string, (long)capacity);
    return string;
}

/* fill(length, outbuf, whole, stream = 0): bytes, as many as there are or, if
 * `whole`, that many; nil at the end. */
static VALUE
stream_fill(int argc, VALUE *argv, VALUE self)
{
    VALUE length, outbuf, whole, stream, into;
    size_t cap, got = 0, len = 0;
    int from;
    s2_error *err = NULL;

    rb_scan_args(argc, argv, "31", &length, &outbuf, &whole, &stream);
    cap = size_of(length);
    from = NIL_P(stream) ? 0 : NUM2INT(stream);
    into = NIL_P(outbuf) ? buffer_of(cap) : emptied(outbuf, cap);
    take_unread(self, from, RSTRING_PTR(into), cap, &got);
    rb_str_locktmp(into);
    if (!got || (got < cap && RTEST(whole)))
        do {
            err = read_from(self, from, RSTRING_PTR(into) + got, cap - got,
                            &len);
            got += len;
        } while (!err && len && got < cap && RTEST(whole));
    rb_str_unlocktmp(into);
    ENC_CODERANGE_CLEAR(into);
    if (err && got && err->code == LIBSSH2_ERROR_EAGAIN && !is_pending()) {
        s2_error_free(err);
        err = NULL;
    }
    settle_read(self, from, into, got, err);
    if (err)
        return outcome(err, self);
    if (!got && cap)
        return Qnil;
    if (!NIL_P(outbuf))
        return into;
    rb_str_resize(into, (long)got);
    return rb_obj_reveal(into, rb_cString);
}

/* read_ahead(size, stream = 0): true once there is more, nil at the end. */
static VALUE
stream_read_ahead(int argc, VALUE *argv, VALUE self)
{
    VALUE size, stream, bytes;
    size_t len;
    int from;
    s2_error *err;

    rb_check_frozen(self);
    rb_scan_args(argc, argv, "11", &size, &stream);
    from = NIL_P(stream) ? 0 : NUM2INT(stream);
    bytes = buffer_of(size_of(size));
    err = read_from(self, from, RSTRING_PTR(bytes), size_of(size), &len);
    if (err)
        return outcome(err, self);
    put_unread(self, from, RSTRING_PTR(bytes), len, false);
    RB_GC_GUARD(bytes);
    return len ? Qtrue : Qnil;
}
%}

%init %{
{
    VALUE reading = rb_define_module_under(mSSH2, "Reading");

    rb_define_private_method(reading, "fill", stream_fill, -1);
    rb_define_private_method(reading, "read_ahead", stream_read_ahead, -1);
}
%}
