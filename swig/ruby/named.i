/*
 * Arguments by name: each parameter can be given so, by the name it has in the
 * class files.
 *
 * SWIG takes arguments from argv in order.  So parameters announce themselves,
 * by arginit, before it counts; what was given by name is put in order, with
 * Qundef for an optional one that was left out.  SWIG sees the count up to the
 * first gap, and so misses what is required; then the count is mended.
 */
%{
enum { NAMED_MAX = 12 };

struct named {
    VALUE hash; /* what no parameter took yet; Qnil: none by name */
    VALUE slot[NAMED_MAX];
    int next, positional, whole;
};

static void
named_begin(struct named *n, int *argc, const VALUE *argv)
{
    n->hash = Qnil;
    if (!*argc || *argc > NAMED_MAX || !rb_keyword_given_p() ||
        !RB_TYPE_P(argv[*argc - 1], T_HASH))
        return;
    n->hash = rb_hash_dup(argv[--*argc]);
    n->positional = n->whole = *argc;
    n->next = 0;
    memcpy(n->slot, argv, *argc * sizeof *argv);
}

/* A parameter: argc and argv as SWIG shall see them. */
static void
named_add(struct named *n, const char *name, int *argc, VALUE **argv)
{
    VALUE value;

    if (NIL_P(n->hash))
        return;
    *argv = n->slot;
    if (!strcmp(name, "self"))
        return;
    if (n->next++ < n->positional || n->next > NAMED_MAX)
        return;
    value = rb_hash_lookup2(n->hash, ID2SYM(rb_intern(name)), Qundef);
    n->slot[n->next - 1] = value;
    if (value == Qundef)
        return;
    rb_hash_delete(n->hash, ID2SYM(rb_intern(name)));
    if (n->whole == n->next - 1)
        *argc = n->whole = n->next;
}

/* The count with those behind a gap. */
static int
named_count(const struct named *n, int argc)
{
    return NIL_P(n->hash) ? argc : n->next;
}

static void
named_end(const struct named *n)
{
    VALUE left;

    if (NIL_P(n->hash))
        return;
    left = rb_funcall(n->hash, rb_intern("keys"), 0);
    if (RARRAY_LEN(left))
        rb_raise(rb_eArgError, "unknown keyword: %" PRIsVALUE,
                 rb_inspect(rb_ary_entry(left, 0)));
}
%}

%define %argument(type, locals)
%typemap(arginit) type (struct named named) {
    if ($argnum == 1)
        named_begin(&named, &argc, argv);
    named_add(&named1, "$1_name", &argc, &argv);
}
%typemap(check) type {
    if ($argnum == 1)
        named_end(&named1);
}
%typemap(in) type locals
%enddef

/* In such a typemap: was it given? */
%define %given(input)
input != Qundef
%enddef
