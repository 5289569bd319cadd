/*
 * A session's allocator: counts, fails on demand, and frees all at the end.
 *
 * Whatever libssh2 leaks is freed with its session.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct s2_block {
    struct s2_block *prev, *next;
    size_t size;
    size_t freed; /* kept for a late reader */
} s2_block;

_Static_assert(sizeof(s2_block) % _Alignof(max_align_t) == 0,
               "what follows a block must be aligned");

static bool
refuse(s2_alloc *a, size_t size)
{
    if (size <= PTRDIFF_MAX - sizeof(s2_block) &&
        !(a->fail_at && --a->fail_at == 0))
        return false;
    a->failed = a->keep = true;
    return true;
}

static void
link_block(s2_alloc *a, s2_block *b)
{
    b->prev = NULL;
    b->next = a->blocks;
    if (b->next)
        b->next->prev = b;
    a->blocks = b;
}

static void
unlink_block(s2_alloc *a, s2_block *b)
{
    if (b->prev)
        b->prev->next = b->next;
    else
        a->blocks = b->next;
    if (b->next)
        b->next->prev = b->prev;
}

void *
s2_alloc_new(s2_alloc *a, size_t size)
{
    s2_block *b = refuse(a, size) ? NULL : malloc(sizeof *b + size);

    if (!b) {
        a->failed = a->keep = true;
        return NULL;
    }
    b->size = size;
    b->freed = 0;
    link_block(a, b);
    a->count++;
    a->bytes += size;
    return b + 1;
}

void
s2_alloc_free(s2_alloc *a, void *p)
{
    s2_block *b = (s2_block *)p - 1;

    if (!p || b->freed)
        return;
    a->count--;
    a->bytes -= b->size;
    if (a->keep) {
        b->freed = 1;
        return;
    }
    unlink_block(a, b);
    free(b);
}

void *
s2_alloc_resize(s2_alloc *a, void *p, size_t size)
{
    void *fresh = s2_alloc_new(a, size);

    if (fresh && p) {
        size_t old = ((s2_block *)p - 1)->size;

        memcpy(fresh, p, old < size ? old : size);
        s2_alloc_free(a, p);
    }
    return fresh;
}

void
s2_alloc_end(s2_alloc *a)
{
    while (a->blocks) {
        s2_block *b = a->blocks;

        a->blocks = b->next;
        free(b);
    }
}
