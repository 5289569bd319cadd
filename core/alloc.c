/*
 * A session's allocator: counts, fails on demand, keeps what was freed late.
 *
 * Blocks are malloc()'s own, with a table beside them: libssh2 1.11 gives some
 * that it has from here to free().  So a block that is left at the end may be
 * gone, and is not freed once more.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

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

static bool
refuse(s2_alloc *a, size_t size)
{
    return size > PTRDIFF_MAX || (a->fail_at && --a->fail_at == 0) || !make_room(a);
}

void *
s2_alloc_new(s2_alloc *a, size_t size)
{
    void *p = refuse(a, size) ? NULL : malloc(size ? size : 1);
    s2_block *b;

    if (!p) {
        a->failed = a->keep = true;
        return NULL;
    }
    b = slot_of(a, p);
    if (b->p) { /* the one that was there has gone by free() */
        a->count -= !b->freed;
        a->used--;
    }
    *b = (s2_block){.p = p, .size = size};
    a->used++;
    a->count++;
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
    take_out(a, b);
    free(p);
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
    for (size_t i = 0; i < a->slots; i++)
        if (a->table[i].freed)
            free(a->table[i].p);
    free(a->table);
    *a = (s2_alloc){0};
}
