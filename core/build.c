/* Which libssh2 is in use, and what it was built with. */
#include "internal.h"

#include <string.h>

const char *
s2_libssh2_revision(void)
{
    return *SSH2_LIBSSH2_REVISION ? SSH2_LIBSSH2_REVISION : libssh2_version(0);
}

#ifdef S2_HAVE_libssh2_crypto_engine

static const char *
engine(void)
{
    switch (libssh2_crypto_engine()) {
    case libssh2_openssl:
        return "openssl";
    case libssh2_gcrypt:
        return "gcrypt";
    case libssh2_mbedtls:
        return "mbedtls";
    case libssh2_wincng:
        return "wincng";
    case libssh2_os400qc3:
        return "os400qc3";
    default:
        return "none";
    }
}

#else

static const char *
engine(void)
{
    return NULL;
}

#endif

/* It is offered only where it was asked for. */
static bool
has_zlib(void)
{
    LIBSSH2_SESSION *raw = libssh2_session_init();
    const char **names = NULL;
    bool found = false;
    int count;

    if (!raw)
        return false;
    libssh2_session_flag(raw, LIBSSH2_FLAG_COMPRESS, 1);
    count = libssh2_session_supported_algs(raw, LIBSSH2_METHOD_COMP_CS, &names);
    for (int i = 0; i < count; i++)
        found |= !strcmp(names[i], "zlib");
    if (names)
        libssh2_free(raw, names);
    libssh2_session_free(raw);
    return found;
}

static bool
add_text(s2_value *list, const char *text, size_t len)
{
    s2_value *item = s2_value_add(list, S2_TEXT);

    return item && s2_buf_set(&item->bytes, text, len);
}

/* A pair whose second value, of that kind, is to be filled in. */
static s2_value *
add_pair(s2_value *list, const char *name, s2_kind kind)
{
    s2_value *pair = s2_value_add(list, S2_LIST);

    return pair && add_text(pair, name, strlen(name)) ? s2_value_add(pair, kind)
                                                      : NULL;
}

static bool
pair_text(s2_value *list, const char *name, const char *text)
{
    s2_value *value = add_pair(list, name, S2_TEXT);

    return value && (!text || s2_buf_set(&value->bytes, text, strlen(text)));
}

static bool
pair_truth(s2_value *list, const char *name, bool truth)
{
    s2_value *value = add_pair(list, name, S2_TRUTH);

    if (value)
        value->number = truth;
    return value;
}

static bool
pair_words(s2_value *list, const char *name, const char *words)
{
    s2_value *value = add_pair(list, name, S2_LIST);
    bool ok = value;

    while (ok && *words) {
        size_t len = strcspn(words, " ");

        ok = add_text(value, words, len);
        words += len + (words[len] == ' ');
    }
    return ok;
}

s2_error *
s2_build_pairs(s2_value *pairs)
{
    pairs->kind = S2_LIST;
    return pair_text(pairs, "version", libssh2_version(0)) &&
                   pair_text(pairs, "revision", s2_libssh2_revision()) &&
                   pair_truth(pairs, "source", SSH2_LIBSSH2_SOURCE) &&
                   pair_words(pairs, "fixes", SSH2_LIBSSH2_FIXES) &&
                   pair_truth(pairs, "whole_packets", SSH2_WHOLE_PACKETS) &&
                   pair_text(pairs, "crypto_engine", engine()) &&
                   pair_truth(pairs, "zlib", has_zlib()) &&
                   pair_truth(pairs, "trace", s2_can_trace())
               ? NULL
               : &s2_no_memory;
}
