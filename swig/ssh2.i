/*
 * The module: one include a class, the same for every language.
 *
 * Nothing in this folder names a language.  `lang.i` is found by include path
 * and defines the typemaps that types.i lists; a further language is one more
 * folder with a lang.i of its own.
 */
%module(docstring="What is bound in C: each class stands under one of its own.")
    binding

%{
#include "s2.h"
%}

%include "types.i"
%include "lang.i"
%include "apply.i"

%include "constants.i" /* generated, as is the next; it extends classes */
%include "s2_derived.i"
%include "scp.i"
%include "session.i"
%include "channel.i"
%include "listener.i"
%include "sftp.i"
%include "file.i"
%include "knownhost.i"
%include "agent.i"
%include "publickey.i"

%constant char *VERSION = SSH2_VERSION; /* this package's */
%rename(version) s2_version;
const char *s2_version(int required_version = 0);
%rename(libssh2_revision) s2_libssh2_revision;
const char *s2_libssh2_revision(void);
%rename(build_pairs) s2_build_pairs;
s2_error *s2_build_pairs(s2_value *pairs);
/* Raise what a function would that got this code. */
%rename(raise_code) s2_error_from_code;
s2_error *s2_error_from_code(int errcode);
%rename(raise_missing) s2_error_missing;
s2_error *s2_error_missing(const char *symbol);
%rename(missing_methods) s2_missing_methods;
const char *s2_missing_methods(void);
