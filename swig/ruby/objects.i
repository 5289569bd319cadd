/*
 * Objects of the core, and records, as Ruby's.
 *
 * They are typed data of our own: SWIG's trust a variable that any program can
 * set, and take nil for an object.
 */
%header %{
static void
object_free(void *object)
{
    s2_release(object);
}

static void
record_free(void *record)
{
    free(record);
}

static const rb_data_type_t object_type = {
    .wrap_struct_name = "SSH2",
    .function = {.dfree = object_free},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY};

static const rb_data_type_t record_type = {
    .wrap_struct_name = "SSH2 record",
    .function = {.dfree = record_free},
    .parent = &object_type,
    .flags = RUBY_TYPED_FREE_IMMEDIATELY};

static VALUE
class_of(const swig_type_info *type)
{
    return ((const swig_class *)type->clientdata)->klass;
}

/* An object of the class, to be initialized: for Class#allocate. */
static VALUE
object_new(VALUE cls, const rb_data_type_t *data)
{
    return rb_data_typed_object_wrap(cls, NULL, data);
}

static void *
object_of(VALUE value, const swig_type_info *type)
{
    VALUE cls = class_of(type);

    if (!rb_typeddata_is_kind_of(value, &object_type) ||
        !RTEST(rb_obj_is_kind_of(value, cls)))
        rb_raise(rb_eTypeError,
                 "wrong argument type %" PRIsVALUE " (expected %" PRIsVALUE ")",
                 NIL_P(value) ? rb_str_new_cstr("nil") : rb_obj_class(value),
                 cls);
    if (!RTYPEDDATA_DATA(value))
        rb_raise(rb_eTypeError, "uninitialized %" PRIsVALUE, cls);
    return RTYPEDDATA_DATA(value);
}

/* A core object that is now Ruby's, and knows where it came from. */
static VALUE
object_value(void *object, const swig_type_info *type, VALUE parent)
{
    VALUE value;

    if (!object)
        return Qnil;
    value = rb_data_typed_object_wrap(class_of(type), object, &object_type);
    rb_iv_set(value, "@parent", parent);
    return value;
}

static VALUE
record_value(const void *record, size_t size, const swig_type_info *type)
{
    VALUE value =
        rb_data_typed_object_wrap(class_of(type), NULL, &record_type);

    RTYPEDDATA_DATA(value) = ruby_xmalloc(size);
    memcpy(RTYPEDDATA_DATA(value), record, size);
    return value;
}

#undef SWIG_NewClassInstance
#define SWIG_NewClassInstance(cls, type)                                       \
    object_new(cls, (type) == SWIGTYPE_p_s2_session ? &object_type             \
                                                    : &record_type)
%}

%define %object(type, or_none)
%argument(type, ) {
    if ($argnum == 1)
        argc = named_count(&named1, argc);
    if (or_none && NIL_P($input))
        $1 = NULL;
    else if (%given($input))
        $1 = ($1_ltype)object_of($input, $1_descriptor);
}
%enddef

%object(HANDLE *, 0)
%object(HANDLE *OR_NONE, 1)
%object(const RECORD *, 0)

%typemap(in, numinputs=0) HANDLE **OUT ($*1_ltype made = NULL) "$1 = &made;"
%typemap(argout) HANDLE **OUT
    "$result = add_output($result, object_value(*$1, $*1_descriptor, self));"

%typemap(in, numinputs=0) RECORD *OUT ($*1_ltype record)
    "memset(&record, 0, sizeof record); $1 = &record;"
%typemap(argout) RECORD *OUT
    "$result = add_output($result,
                          record_value($1, sizeof *$1, $1_descriptor));"

/* A field is set, but none of what is frozen. */
%typemap(memberin) SWIGTYPE %{
    rb_check_frozen(self);
    $1 = $input;
%}

/* A second initialize would lose the first's session. */
%exception s2_session::s2_session %{
    if (RTYPEDDATA_DATA(self))
        rb_raise(rb_eTypeError, "already initialized");
    $action
    if (!result)
        rb_memerror();
%}
