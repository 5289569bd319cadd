/* Calls from the core into Ruby: what they are given, and the answers. */
%{
/* A channel's object knows where it came from: `parent`. */
static VALUE
value_of(const s2_value *v, VALUE parent)
{
    VALUE made, prompt[2];

    switch (v->kind) {
    case S2_NUMBER:
        return LL2NUM(v->number);
    case S2_TRUTH:
        return truth(v->number != 0);
    case S2_TEXT:
    case S2_LABEL:
        return buf_text_value(&v->bytes);
    case S2_PROMPT:
        prompt[0] = buf_text_value(&v->bytes);
        prompt[1] = truth(v->number);
        return rb_class_new_instance(2, prompt, rb_path2class("SSH2::Prompt"));
    case S2_LIST:
        made = rb_ary_new();
        for (int64_t i = 0; i < v->number; i++)
            rb_ary_push(made, value_of(&v->item[i], parent));
        return made;
    case S2_ATTRS:
        return record_value(v->bytes.data, sizeof(s2_attrs),
                            SWIGTYPE_p_s2_attrs);
    case S2_ERROR:
        return error_object(v->error);
    case S2_CHANNEL:
        made = object_value(v->channel, SWIGTYPE_p_s2_channel, parent);
        s2_retain(v->channel);
        return made;
    default:
        return bytes_value(&v->bytes);
    }
}

/* The arguments of a call, as an Array. */
static VALUE
values_of(const s2_value *args, size_t count, VALUE parent)
{
    VALUE values = rb_ary_new();

    for (size_t i = 0; i < count; i++)
        rb_ary_push(values, value_of(&args[i], parent));
    return values;
}

static void
answer_from(VALUE value, s2_value *to)
{
    if (to->kind == S2_NUMBER) {
        to->number = (int64_t)unsigned_of(value, (uint64_t)to->number);
    } else if (to->kind == S2_LIST) {
        value = rb_convert_type(value, T_ARRAY, "Array", "to_ary");
        if (RARRAY_LEN(value) != to->number)
            rb_raise(rb_eArgError, "%ld answers where %ld are wanted",
                     RARRAY_LEN(value), (long)to->number);
        for (int64_t i = 0; i < to->number; i++)
            answer_from(rb_ary_entry(value, (long)i), &to->item[i]);
    } else {
        value = to->kind == S2_TEXT ? text_of(value) : bytes_of(value);
        if (!s2_buf_set(&to->bytes, RSTRING_PTR(value),
                        (size_t)RSTRING_LEN(value)))
            rb_memerror();
    }
    RB_GC_GUARD(value);
}

struct calling {
    VALUE callback;
    const s2_value *args;
    size_t count;
    s2_value *answer;
};

static VALUE
call_back(VALUE arg)
{
    const struct calling *c = (const struct calling *)arg;
    VALUE values = values_of(c->args, c->count, Qnil);
    VALUE reply = rb_apply(c->callback, rb_intern("call"), values);

    if (c->answer)
        answer_from(reply, c->answer);
    return Qnil;
}

static bool
call_ruby(void *ctx, const s2_value *args, size_t count, s2_value *answer)
{
    struct calling c = {(VALUE)ctx, args, count, answer};

    return protect(call_back, (VALUE)&c) == S2_READY;
}

struct telling {
    s2_session *session;
    int kind;
    const s2_value *args;
    size_t count;
};

/* Session's class knows the object of an address, and that whom to tell. */
static VALUE
tell(VALUE arg)
{
    const struct telling *t = (const struct telling *)arg;
    VALUE address = ULL2NUM((uintptr_t)t->session);
    VALUE session = rb_funcall(rb_path2class("SSH2::Session"),
                               rb_intern("at"), 1, address);

    if (!NIL_P(session))
        rb_funcall(session, rb_intern("told"), 2, INT2NUM(t->kind),
                   values_of(t->args, t->count, session));
    return Qnil;
}

static int
notify_ruby(void *ctx, s2_session *s, int kind, const s2_value *args,
            size_t count)
{
    struct telling t = {s, kind, args, count};

    (void)ctx;
    return protect(tell, (VALUE)&t);
}

static void
set_host(void)
{
    static const s2_host host = {host_run,    host_wait,   host_polls, host_check,
                                 host_caller, notify_ruby, NULL,      NULL};

    pending = rb_obj_hide(rb_hash_new());
    rb_gc_register_address(&pending);
    s2_set_host(&host);
}

static VALUE
address_of(VALUE module, VALUE session)
{
    (void)module;
    return ULL2NUM((uintptr_t)object_of(session, SWIGTYPE_p_s2_session));
}
%}

%init %{
    set_host();
    rb_define_private_method(rb_singleton_class(mSSH2), "address_of",
                             address_of, 1);
%}

%define %call_in(name, or_none)
%argument(%arg((s2_call_fn name, void *CTX)), ) {
    if (%given($input) && !(or_none && NIL_P($input))) {
        if (!rb_respond_to($input, rb_intern("call")))
            rb_raise(rb_eTypeError, "no block, and nothing to call");
        $1 = call_ruby;
        $2 = (void *)$input;
    }
}
%enddef
%call_in(CALL, 0)
%call_in(CALL_OR_NONE, 1)

%typemap(in, numinputs=0) s2_value *VALUE (s2_value value = {0}) "$1 = &value;"
%typemap(argout) s2_value *VALUE
    "$result = add_output($result, value_of($1, self));"
%typemap(freearg) s2_value *VALUE "s2_value_free($1);"
