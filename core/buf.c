/* Bytes with an owner, and lists and values that hold them. */
#include "internal.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

void
s2_buf_free(s2_buf *buf)
{
    if (buf->data)
        OPENSSL_cleanse(buf->data, buf->len);
    free(buf->data);
    *buf = (s2_buf){0};
}

bool
s2_buf_set(s2_buf *buf, const void *src, size_t len)
{
    char *data = malloc(len + 1);

    if (!data)
        return false;
    if (len)
        memcpy(data, src, len);
    data[len] = '\0';
    s2_buf_free(buf);
    *buf = (s2_buf){data, len};
    return true;
}

/* The items of a list, with room for one more: a list grows to twice its
   length whenever that is a power of two. */
static void *
room(void *items, size_t count, size_t size)
{
    return count & (count - 1) ? items
                               : realloc(items, (2 * count + !count) * size);
}

void
s2_list_free(s2_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        s2_buf_free(&list->item[i]);
    free(list->item);
    *list = (s2_list){0};
}

bool
s2_list_add(s2_list *list, const void *src, size_t len)
{
    s2_buf *item = room(list->item, list->count, sizeof *item);

    if (!item)
        return false;
    list->item = item;
    item[list->count] = (s2_buf){0};
    if (!s2_buf_set(&item[list->count], src, len))
        return false;
    list->count++;
    return true;
}

void
s2_value_free(s2_value *value)
{
    for (int64_t i = 0; value->item && i < value->number; i++)
        s2_value_free(&value->item[i]);
    free(value->item);
    s2_buf_free(&value->bytes);
    if (value->error)
        s2_error_free(value->error);
    *value = (s2_value){0};
}

s2_value
s2_value_lent(s2_kind kind, const void *src, size_t len)
{
    return (s2_value){.kind = kind,
                      .bytes = {len ? (char *)(uintptr_t)src : "", len}};
}

s2_value *
s2_value_add(s2_value *list, s2_kind kind)
{
    size_t count = (size_t)list->number;
    s2_value *item = room(list->item, count, sizeof *item);

    if (!item)
        return NULL;
    list->item = item;
    list->number++;
    item[count] = (s2_value){.kind = kind};
    return &item[count];
}
