/* How SSH's protocols write numbers and strings: RFC 4251 5, read and written. */
#ifndef S2_CURSOR_H
#define S2_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes that are still to be read: no address, once some were missing. */
typedef struct cursor {
    const unsigned char *at;
    size_t left;
} cursor;

static inline cursor
take(cursor *c, size_t len)
{
    cursor part = {c->at, len};

    if (!c->at || len > c->left)
        return *c = (cursor){NULL, 0};
    c->at += len;
    c->left -= len;
    return part;
}

static inline size_t
take_u32(cursor *c)
{
    const unsigned char *p = take(c, 4).at;

    return p ? (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 |
                   p[3]
             : 0;
}

static inline int
take_byte(cursor *c)
{
    const unsigned char *p = take(c, 1).at;

    return p ? *p : 0;
}

static inline cursor
take_string(cursor *c)
{
    return take(c, take_u32(c));
}

static inline bool
is(cursor text, const char *word)
{
    return text.left == strlen(word) && !memcmp(text.at, word, text.left);
}

static inline unsigned char *
put_u32(unsigned char *to, size_t n)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *to++ = (unsigned char)(n >> shift);
    return to;
}

static inline unsigned char *
put_string(unsigned char *to, const void *src, size_t len)
{
    to = put_u32(to, len);
    if (len)
        memcpy(to, src, len);
    return to + len;
}

#endif
