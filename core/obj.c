/*
 * One owner: references, dropping without a packet, and a session's end.
 *
 * A dropped child is pushed to its session without a lock.  Later calls give
 * its libssh2 part back a step at a time; what is left goes with the session.
 */
#include "internal.h"

#include <stdlib.h>

void *
s2_obj_new(const s2_type *type, size_t size, void *parent)
{
    s2_obj *obj = calloc(1, size);

    if (!obj)
        return NULL;
    obj->type = type;
    atomic_init(&obj->refs, 1);
    atomic_init(&obj->closed, false);
    obj->parent = parent;
    obj->session = parent ? obj->parent->session : (s2_session *)obj;
    s2_retain(parent);
    return obj;
}

void
s2_retain(void *object)
{
    s2_obj *obj = object;

    if (obj)
        atomic_fetch_add(&obj->refs, 1);
}

int
s2_directions(const void *object)
{
    return s2_session_block_directions(((const s2_obj *)object)->session);
}

static void
destroy(s2_obj *obj)
{
    if (obj->type->destroy)
        obj->type->destroy(obj);
    free(obj);
}

/* Where nobody has the turn: whoever has may never take another. */
static bool
finish_now(s2_obj *obj)
{
    s2_session *s = obj->session;
    bool left;

    if (obj->type->rank != S2_RANK_LOCAL || s->generation != s2_generation ||
        !s2_turn_try(&s->turn))
        return false;
    if (!(left = s2_scope_left(obj))) {
        s2_owed_drop(s, obj);
        obj->type->finish(obj);
    }
    s2_turn_unlock(&s->turn);
    if (!left)
        destroy(obj);
    return !left;
}

void
s2_release(void *object)
{
    s2_obj *obj = object;

    while (obj && atomic_fetch_sub(&obj->refs, 1) == 1) {
        s2_obj *parent = obj->parent; /* gone with obj once it is pushed */

        if (!obj->type->finish) {
            destroy(obj);
            obj = parent;
            continue;
        }
        /* The list's own: what is settled later may still make children. */
        atomic_store(&obj->refs, 1);
        if (!finish_now(obj)) {
            s2_session *s = obj->session;

            obj->next_parked = atomic_load(&s->dropped);
            while (!atomic_compare_exchange_weak(&s->dropped, &obj->next_parked,
                                                 obj))
                ;
        }
        obj = parent;
    }
}

/* Take what was dropped over into the session's own list, oldest last. */
static void
collect(s2_session *s)
{
    s2_obj *obj = atomic_exchange(&s->dropped, NULL), *oldest = NULL;

    while (obj) {
        s2_obj *next = obj->next_parked;

        obj->next_parked = oldest;
        oldest = obj;
        obj = next;
    }
    if (oldest) {
        s2_obj **end = &s->parked;

        while (*end)
            end = &(*end)->next_parked;
        *end = oldest;
    }
}

/* Give a handle of libssh2's back, one step; EAGAIN if there is more to do. */
static int
advance(s2_session *s, s2_obj *obj)
{
    s2_scope *left = s2_scope_left(obj);

    /* A call that was left still works with the object. */
    if (left && s2_record_advance(s, left))
        return LIBSSH2_ERROR_EAGAIN;
    s2_owed_drop(s, obj);
    /* A file's close must not come amid another call's packet. */
    if (obj->type == &s2_file_type)
        return s2_file_give_back((s2_file *)obj);
    return obj->type->finish(obj);
}

void
s2_parked_advance(s2_session *s)
{
    s2_obj *obj;

    if (atomic_load(&s->dropped))
        collect(s);
    if (!(obj = s->parked))
        return;
    s->parked = obj->next_parked;
    obj->next_parked = NULL;
    if (advance(s, obj) == LIBSSH2_ERROR_EAGAIN) {
        s2_obj **end = &s->parked; /* the next one's turn first */

        while (*end)
            end = &(*end)->next_parked;
        *end = obj;
        return;
    }
    s2_alloc_trim(&s->alloc);
    destroy(obj);
}

void
s2_parked_finish(s2_session *s)
{
    s2_scope *left;

    collect(s);
    for (int rank = 0; s->parked; rank++) {
        s2_obj **at = &s->parked;

        while (*at) {
            s2_obj *obj = *at;

            if (obj->type->rank > rank) {
                at = &obj->next_parked;
                continue;
            }
            *at = obj->next_parked;
            if ((left = s2_scope_left(obj)))
                s2_record_drop(left);
            obj->type->finish(obj);
            destroy(obj);
        }
    }
}
