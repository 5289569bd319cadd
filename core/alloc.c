/*
 * A session's allocator: counts, fails on demand, keeps what was freed late.
 *
 * Blocks are malloc()'s own, with a table beside them: libssh2 1.11 gives some
 * that it has from here to free().  So a block that is left at the end may be
 * gone, and is freed only if it is too large to have gone that way.
 */
#include "internal.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/* Packets come and go by the thousand.  A free list spares malloc() giving the
 * top of its heap back to the kernel and asking for it again each time.  Bytes
 * to spare are for libssh2 where it overruns a block by some (docs/libssh2.md),
 * the first of them a NUL: text in a packet may end with it. */
#ifndef __has_feature
#define __has_feature(x) 0 /* clang's */
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
/* Who reads a freed block, or past an end, is to be seen. */
enum { UNIT = 4096, MOST = 0, SPARE = 1 };
#else
enum { UNIT = 4096, MOST = 1 << 20, SPARE = 64 };
#endif

/* What libssh2 may ask for over what it has received at once, before it is
 * taken for lost: no honest packet inflates to a tenth of it. */
enum { AT_A_TIME = 32 << 20 };

/* All that libssh2 gives to free() are points of ECDSA and its signatures, of
 * some 140 bytes at most; and at login what it takes for one, as long as an RSA
 * key. */
enum { GONE_MAX = 512, GONE_MAX_AT_LOGIN = 2048 };

static size_t
class_of(size_t size)
{
    size_t i = (size + UNIT - 1) / UNIT;

    return MOST > 0 && i > 1 && i < S2_POOLS ? i : 0;
}

static void *
take_pooled(s2_alloc *a, size_t size)
{
    size_t i = class_of(size);
    void *p = i ? a->pool[i] : NULL;

    if (!p)
        return malloc(i ? i * UNIT : size);
    memcpy(&a->pool[i], p, sizeof p);
    a->pooled -= i * UNIT;
    return p;
}

static void
give_pooled(s2_alloc *a, void *p, size_t size)
{
    size_t i = class_of(size);

    if (!i || a->pooled + i * UNIT > MOST) {
        free(p);
        return;
    }
    memcpy(p, &a->pool[i], sizeof p);
    a->pool[i] = p;
    a->pooled += i * UNIT;
}

void
s2_alloc_trim(s2_alloc *a)
{
    for (size_t i = 0; i < S2_POOLS; i++)
        while (a->pool[i]) {
            void *p = a->pool[i];

            memcpy(&a->pool[i], p, sizeof p);
            free(p);
        }
    a->pooled = 0;
}

static s2_block *
slot_of(const s2_alloc *a, const void *p)
{
    size_t i = ((uintptr_t)p >> 4) * 0x9e3779b97f4a7c15u >> 20;

    for (;; i++) {
        s2_block *b = &a->table[i & (a->slots - 1)];

        if (b->p == p || !b->p)
            return b;
    }
}

/* Room for one more, at most half of the table being used. */
static bool
make_room(s2_alloc *a)
{
    s2_alloc grown = *a;

    if (2 * (a->used + 1) <= a->slots)
        return true;
    grown.slots = a->slots ? 2 * a->slots : 64;
    if (!(grown.table = calloc(grown.slots, sizeof *grown.table)))
        return false;
    for (size_t i = 0; i < a->slots; i++)
        if (a->table[i].p)
            *slot_of(&grown, a->table[i].p) = a->table[i];
    free(a->table);
    *a = grown;
    return true;
}

static void
take_out(s2_alloc *a, s2_block *b)
{
    size_t mask = a->slots - 1, i = (size_t)(b - a->table);

    b->p = NULL;
    a->used--;
    /* What had to make way for it must still be found. */
    while (a->table[i = (i + 1) & mask].p) {
        s2_block moved = a->table[i];

        a->table[i].p = NULL;
        *slot_of(a, moved.p) = moved;
    }
}

/* libssh2 may go round for ever over a packet that was tampered with, and asks
 * for memory each time. */
bool
s2_alloc_lost(const s2_alloc *a)
{
    return a->since > AT_A_TIME;
}

void
s2_alloc_fresh(s2_alloc *a)
{
    if (!s2_alloc_lost(a))
        a->since = 0;
}

/* What a block takes: a small one has more than its bytes. */
static size_t
cost(size_t size)
{
    enum { HEAD = 16 }; /* malloc's */

    return size + SPARE + HEAD + 3 * sizeof(s2_block); /* a third is in use */
}

static bool
refuse(s2_alloc *a, size_t size)
{
    a->since += size;
    if (a->most && (a->live > a->most || cost(size) > a->most - a->live))
        return a->full = true;
    return s2_alloc_lost(a) || (a->fail_at && --a->fail_at == 0) ||
           !make_room(a);
}

void *
s2_alloc_new(s2_alloc *a, size_t size)
{
    void *p = refuse(a, size) ? NULL : take_pooled(a, size + SPARE);
    s2_block *b;

    if (!p) {
        a->failed = a->keep = true;
        return NULL;
    }
    ((char *)p)[size] = '\0';
    b = slot_of(a, p);
    if (b->p) { /* the one that was there has gone by free() */
        a->count -= !b->freed;
        a->live -= cost(b->size);
        a->used--;
    }
    *b = (s2_block){.p = p,
                    .size = size,
                    .gone = size <= (a->login ? GONE_MAX_AT_LOGIN : GONE_MAX)};
    a->used++;
    a->count++;
    a->live += cost(size);
    return p;
}

void
s2_alloc_free(s2_alloc *a, void *p)
{
    s2_block *b = p && a->slots ? slot_of(a, p) : NULL;

    if (!b || !b->p || b->freed)
        return;
    a->count--;
    if (a->keep) {
        b->freed = true;
        return;
    }
    size_t size = b->size;
    if (a->login) /* it may have held a secret */
        OPENSSL_cleanse(p, size);
    a->live -= cost(size);
    take_out(a, b);
    give_pooled(a, p, size + SPARE);
}

void *
s2_alloc_resize(s2_alloc *a, void *p, size_t size)
{
    size_t old = p ? slot_of(a, p)->size : 0;
    void *fresh = s2_alloc_new(a, size);

    if (fresh && p) {
        memcpy(fresh, p, old < size ? old : size);
        s2_alloc_free(a, p);
    }
    return fresh;
}

void
s2_alloc_end(s2_alloc *a)
{
    s2_alloc_trim(a);
    for (size_t i = 0; i < a->slots; i++)
        if (a->table[i].p && (a->table[i].freed || !a->table[i].gone)) {
            if (a->login)
                OPENSSL_cleanse(a->table[i].p, a->table[i].size);
            free(a->table[i].p);
        }
    free(a->table);
    *a = (s2_alloc){0};
}
