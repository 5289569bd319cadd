/* Errors of the core as Ruby's exceptions, from the table in errors.def. */
%{
#include <ruby/encoding.h>
#include <stdlib.h>
#include <string.h>

static VALUE error_class[S2_CLASS_COUNT]; /* what is raised */
static VALUE error_kin[S2_CLASS_COUNT];   /* what children include or extend */
static VALUE mError;

/* Kind of an SFTP status: those descend from Errno's classes. */
static bool
is_status(s2_class cls)
{
    return s2_class_sftp_status(cls) != 0;
}

/* `rescue SFTPNoSuchFileError` is not for every ENOENT. */
static VALUE
is_kind(VALUE self, VALUE object)
{
    return rb_obj_is_kind_of(object, self);
}

/* The table as classes; what stands above an SFTP status is a module, and
 * Other in it the class of an error that is no more than that. */
static void
define_errors(VALUE module)
{
    static const char *const attributes[] = {
        "code", "name", "func", "text", "path", "sftp_status", "done"};
    bool above[S2_CLASS_COUNT] = {false};

    for (int i = 0; i < S2_CLASS_COUNT; i++)
        for (s2_class c = i; is_status(i) && c != S2_C_SSH2Error;)
            above[c = s2_class_parent(c)] = true;
    for (int i = 0; i < S2_CLASS_COUNT; i++) {
        const char *name = s2_class_name(i);
        VALUE kin = i ? error_kin[s2_class_parent(i)] : Qnil, super;

        if (above[i]) {
            error_kin[i] = rb_define_module_under(module, i ? name : "Error");
            if (i)
                rb_include_module(error_kin[i], kin);
            error_class[i] = rb_define_class_under(error_kin[i], "Other",
                                                   rb_eStandardError);
            rb_include_module(error_class[i], error_kin[i]);
            continue;
        }
        super = RB_TYPE_P(kin, T_CLASS) ? kin : rb_eStandardError;
        if (is_status(i) && s2_class_errno(i))
            super = rb_obj_class(rb_syserr_new(s2_class_errno(i), NULL));
        error_kin[i] = rb_define_class_under(module, name, super);
        error_class[i] = error_kin[i];
        if (!RB_TYPE_P(kin, T_CLASS))
            rb_include_module(error_class[i], kin);
        if (is_status(i))
            rb_define_singleton_method(error_class[i], "===", is_kind, 1);
    }
    mError = error_kin[S2_C_SSH2Error];
    rb_define_const(module, s2_class_name(S2_C_SSH2Error), mError);
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        rb_define_attr(mError, attributes[i], 1, 0);
}

/* Text from elsewhere; what is no UTF-8 in it is kept as it is. */
static VALUE
text_value(const char *text)
{
    return text ? rb_utf8_str_new_cstr(text) : Qnil;
}

/* The same for people to read. */
static VALUE
message_value(const char *text)
{
    VALUE value = text_value(text ? text : "out of memory");
    VALUE valid = rb_str_scrub(value, Qnil);

    return NIL_P(valid) ? value : valid;
}

/* An instance of the class of err. */
static VALUE
error_object(const s2_error *err)
{
    VALUE message, exc;
    char *text = s2_error_message(err);

    message = message_value(text);
    free(text);
    exc = rb_class_new_instance(1, &message, error_class[err->cls]);
    rb_iv_set(exc, "@message", message);
    rb_iv_set(exc, "@code", INT2NUM(err->code));
    rb_iv_set(exc, "@name", text_value(err->name));
    rb_iv_set(exc, "@func", text_value(err->func));
    rb_iv_set(exc, "@text", err->text ? message_value(err->text) : Qnil);
    rb_iv_set(exc, "@path", text_value(err->path));
    rb_iv_set(exc, "@done", SIZET2NUM(err->done));
    if (err->sftp_status)
        rb_iv_set(exc, "@sftp_status", INT2NUM(err->sftp_status));
    if (err->sys_errno)
        rb_iv_set(exc, "@errno", INT2NUM(err->sys_errno));
    return exc;
}

/* noting(left) { ... }: its value; the tag it is left by goes into an Array. */
static VALUE
noting(VALUE module, VALUE left)
{
    int tag = 0;
    VALUE value = rb_protect(rb_yield, Qnil, &tag);

    (void)module;
    rb_ary_push(left, INT2FIX(tag));
    if (tag)
        rb_jump_tag(tag);
    return value;
}

NORETURN(static void raise_error(s2_error *err));
static void
raise_error(s2_error *err)
{
    VALUE exc = error_object(err);

    s2_error_free(err);
    rb_exc_raise(exc);
}
%}

%init %{
define_errors(mSSH2);
rb_define_private_method(rb_singleton_class(mSSH2), "noting", noting, 1);
%}
