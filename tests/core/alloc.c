/* A session's allocator: it counts, fails on demand, and forgets nothing. */
#include "check.h"

static void
blocks_are_counted(void **state)
{
    s2_alloc a = {0};
    void *p = s2_alloc_new(&a, 10), *q = s2_alloc_new(&a, 0);

    (void)state;
    assert_non_null(p);
    assert_non_null(q);
    assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
    assert_int_equal(a.count, 2);
    s2_alloc_free(&a, q);
    s2_alloc_free(&a, NULL);
    s2_alloc_free(&a, p);
    assert_int_equal(a.count, 0);
    s2_alloc_end(&a);
}

static void
many_blocks_go_in_any_order(void **state)
{
    enum { MANY = 20000 };
    s2_alloc a = {0};
    static unsigned char *p[MANY];

    (void)state;
    s2_alloc_free(&a, NULL);
    for (int i = 0; i < MANY; i++) {
        assert_non_null(p[i] = s2_alloc_new(&a, (size_t)(i % 50 + 1)));
        p[i][0] = (unsigned char)i;
        if (i % 3 == 0) {
            s2_alloc_free(&a, p[i / 2]);
            p[i / 2] = NULL;
        }
    }
    for (int i = 0, at = 0; i < MANY; i++, at = (at + 7919) % MANY) {
        if (p[at])
            assert_int_equal(p[at][0], (unsigned char)at);
        s2_alloc_free(&a, p[at]);
    }
    assert_int_equal(a.count, 0);
    s2_alloc_end(&a);
}

static void
resizing_keeps_what_fits(void **state)
{
    s2_alloc a = {0};
    char *p = s2_alloc_resize(&a, NULL, 4);

    (void)state;
    memcpy(p, "abc", 4);
    p = s2_alloc_resize(&a, p, 1000);
    assert_string_equal(p, "abc");
    p = s2_alloc_resize(&a, p, 2);
    assert_memory_equal(p, "ab", 2);
    assert_int_equal(a.count, 1);
    s2_alloc_free(&a, p);
    s2_alloc_end(&a);
}

static void
the_nth_allocation_fails_and_only_that(void **state)
{
    s2_alloc a = {.fail_at = 2};
    void *p = s2_alloc_new(&a, 1), *q;

    (void)state;
    assert_non_null(p);
    assert_false(a.failed);
    assert_null(s2_alloc_new(&a, 1));
    assert_true(a.failed);
    assert_non_null(q = s2_alloc_new(&a, 1));
    s2_alloc_free(&a, p);
    s2_alloc_free(&a, q);
    s2_alloc_end(&a);
}

static void
a_failed_resize_leaves_the_block(void **state)
{
    s2_alloc a = {0};
    char *p = s2_alloc_new(&a, 4);

    (void)state;
    memcpy(p, "abc", 4);
    a.fail_at = 1;
    assert_null(s2_alloc_resize(&a, p, 100));
    assert_string_equal(p, "abc");
    assert_int_equal(a.count, 1);
    s2_alloc_free(&a, p);
    s2_alloc_end(&a);
}

static void
a_size_beyond_all_memory_is_refused(void **state)
{
    s2_alloc a = {0};

    (void)state;
    assert_null(s2_alloc_new(&a, SIZE_MAX));
    assert_null(s2_alloc_new(&a, SIZE_MAX - 8));
    assert_int_equal(a.count, 0);
    s2_alloc_end(&a);
}

/* libssh2 reads and frees blocks again on its way out of a failure. */
static void
after_a_failure_freed_blocks_stay(void **state)
{
    s2_alloc a = {.fail_at = 2};
    char *p = s2_alloc_new(&a, 4);

    (void)state;
    memcpy(p, "abc", 4);
    assert_null(s2_alloc_new(&a, 4));
    assert_true(a.keep);
    s2_alloc_free(&a, p);
    assert_string_equal(p, "abc");
    s2_alloc_free(&a, p);
    assert_int_equal(a.count, 0);
    s2_alloc_end(&a);
}

/* libssh2 1.11 hands some blocks to free(). */
static void
a_block_that_went_elsewhere_may_come_again(void **state)
{
    s2_alloc a = {0};
    void *gone = s2_alloc_new(&a, 40), *p;

    (void)state;
    free(gone);
    for (int i = 0; i < 100; i++) {
        p = s2_alloc_new(&a, 40);
        assert_in_range(a.count, 1, 2);
        s2_alloc_free(&a, p);
        assert_in_range(a.count, 0, 1);
    }
    s2_alloc_end(&a);
}

static void
a_session_frees_all_it_has(void **state)
{
    s2_session *s = *state;
    size_t leaked = atomic_load(&s2_leaked);
    s2_knownhost *kh = NULL;

    assert_ok(s2_session_banner_set(s, "SSH-2.0-test"));
    assert_ok(s2_session_banner_set(s, "SSH-2.0-other"));
    assert_ok(s2_session_knownhost_init(s, &kh));
    assert_ok(s2_knownhost_readline(kh, "a ssh-rsa AAAA", 14,
                                    LIBSSH2_KNOWNHOST_FILE_OPENSSH));
    s2_release(kh);
    s2_release(s);
    assert_int_equal(atomic_load(&s2_leaked), leaked);
    *state = NULL;
}

static void
asking_without_end_is_refused(void **state)
{
    s2_alloc a = {0};
    void *p = NULL;
    int count = 0;

    (void)state;
    for (int i = 0; i < 3000; i++) { /* as a busy session does */
        s2_alloc_fresh(&a);
        s2_alloc_free(&a, p);
        assert_non_null(p = s2_alloc_new(&a, 32768));
    }
    do {
        s2_alloc_free(&a, p);
        p = s2_alloc_new(&a, 32768);
    } while (p && ++count < 3000);
    assert_null(p);
    assert_true(s2_alloc_lost(&a));
    s2_alloc_fresh(&a);
    assert_null(s2_alloc_new(&a, 1));
    s2_alloc_end(&a);
}

static void
no_more_is_kept_than_may_be(void **state)
{
    s2_alloc a = {.most = 100000};
    void *p, *q;

    (void)state;
    assert_non_null(p = s2_alloc_new(&a, 60000));
    assert_null(s2_alloc_new(&a, 40000));
    a.keep = false;
    assert_non_null(q = s2_alloc_new(&a, 39000));
    s2_alloc_free(&a, p);
    assert_non_null(p = s2_alloc_new(&a, 60000));
    a.most = 50000; /* a channel has gone */
    assert_null(s2_alloc_new(&a, 1));
    a.keep = false;
    s2_alloc_free(&a, p);
    assert_non_null(p = s2_alloc_new(&a, 1));
    s2_alloc_free(&a, p);
    s2_alloc_free(&a, q);
    s2_alloc_end(&a);
}

static void
a_small_block_counts_with_what_holds_it(void **state)
{
    s2_alloc a = {.most = 100000};
    void *p[1200];
    int count = 0;

    (void)state;
    while ((p[count] = s2_alloc_new(&a, 1)))
        assert_true(++count < 1200);
    assert_true(a.full);
    while (count)
        s2_alloc_free(&a, p[--count]);
    s2_alloc_end(&a);
}

/* The leak sanitizer sees what is not. */
static void
a_large_block_that_is_forgotten_is_freed(void **state)
{
    s2_alloc a = {0};

    (void)state;
    assert_non_null(s2_alloc_new(&a, 50000));
    assert_int_equal(a.count, 1);
    s2_alloc_end(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_counted),
        cmocka_unit_test(many_blocks_go_in_any_order),
        cmocka_unit_test(resizing_keeps_what_fits),
        cmocka_unit_test(the_nth_allocation_fails_and_only_that),
        cmocka_unit_test(a_failed_resize_leaves_the_block),
        cmocka_unit_test(a_size_beyond_all_memory_is_refused),
        cmocka_unit_test(after_a_failure_freed_blocks_stay),
        cmocka_unit_test(asking_without_end_is_refused),
        cmocka_unit_test(no_more_is_kept_than_may_be),
        cmocka_unit_test(a_block_that_went_elsewhere_may_come_again),
        cmocka_unit_test(a_small_block_counts_with_what_holds_it),
        cmocka_unit_test(a_large_block_that_is_forgotten_is_freed),
        session_test(a_session_frees_all_it_has),
    };

    return cmocka_run_group_tests_name("alloc", tests, NULL, NULL);
}
