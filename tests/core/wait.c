/* Turns in order of arrival, wake-up pipes, polling. */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>

static void
nap(int ms)
{
    poll(NULL, 0, ms);
}

/* --- turns --------------------------------------------------------------- */

typedef struct arrival {
    pthread_t thread;
    s2_turn *turn;
    atomic_int *served;
    int place;
} arrival;

static void *
arrive(void *arg)
{
    arrival *a = arg;

    s2_turn_lock(a->turn);
    a->place = atomic_fetch_add(a->served, 1);
    s2_turn_unlock(a->turn);
    return NULL;
}

static unsigned
queued(s2_turn *t)
{
    unsigned n;

    pthread_mutex_lock(&t->mutex);
    n = t->next - t->serving;
    pthread_mutex_unlock(&t->mutex);
    return n;
}

static void
turns_come_in_order_of_arrival(void **state)
{
    s2_turn t;
    atomic_int served = 0;
    arrival a[8];

    (void)state;
    s2_turn_init(&t);
    s2_turn_lock(&t);
    for (unsigned i = 0; i < 8; i++) {
        a[i] = (arrival){.turn = &t, .served = &served};
        pthread_create(&a[i].thread, NULL, arrive, &a[i]);
        while (queued(&t) < i + 2)
            nap(1);
    }
    assert_int_equal(served, 0);
    s2_turn_unlock(&t);
    for (int i = 0; i < 8; i++) {
        pthread_join(a[i].thread, NULL);
        assert_int_equal(a[i].place, i);
    }
    s2_turn_destroy(&t);
}

static void
trying_takes_a_free_turn_only(void **state)
{
    s2_turn t;

    (void)state;
    s2_turn_init(&t);
    assert_true(s2_turn_try(&t));
    assert_false(s2_turn_try(&t));
    s2_turn_unlock(&t);
    s2_turn_lock(&t);
    assert_false(s2_turn_try(&t));
    s2_turn_unlock(&t);
    assert_true(s2_turn_try(&t));
    s2_turn_unlock(&t);
    s2_turn_destroy(&t);
}

typedef struct taker {
    pthread_t thread;
    s2_turn *turn;
    atomic_bool *stop;
    atomic_ulong taken;
} taker;

static void *
take_turns(void *arg)
{
    taker *k = arg;

    while (!atomic_load(k->stop)) {
        s2_turn_lock(k->turn);
        atomic_fetch_add(&k->taken, 1);
        s2_turn_unlock(k->turn);
    }
    return NULL;
}

static void
no_thread_of_two_starves(void **state)
{
    s2_turn t;
    atomic_bool stop = false;
    taker k[2];

    (void)state;
    s2_turn_init(&t);
    for (int i = 0; i < 2; i++) {
        k[i] = (taker){.turn = &t, .stop = &stop};
        pthread_create(&k[i].thread, NULL, take_turns, &k[i]);
    }
    while (atomic_load(&k[0].taken) < 100 || atomic_load(&k[1].taken) < 100)
        nap(1);
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(k[i].thread, NULL);
    s2_turn_destroy(&t);
}

/* --- waiters ------------------------------------------------------------- */

static void
a_waiter_is_woken_once(void **state)
{
    s2_waiter *w = s2_waiter_get();

    (void)state;
    assert_non_null(w);
    assert_int_equal(s2_poll(-1, w->fd[0], 0, 0), S2_TIMED_OUT);
    s2_waiter_wake(w);
    s2_waiter_wake(w);
    assert_int_equal(s2_poll(-1, w->fd[0], 0, 0), S2_READY);
    s2_waiter_clear(w);
    assert_int_equal(s2_poll(-1, w->fd[0], 0, 0), S2_TIMED_OUT);
    s2_waiter_wake(w);
    assert_int_equal(s2_poll(-1, w->fd[0], 0, 0), S2_READY);
    s2_waiter_put(w);
}

static void
a_waiter_comes_back_clean(void **state)
{
    s2_waiter *w = s2_waiter_get(), *again;

    (void)state;
    s2_waiter_wake(w);
    s2_waiter_put(w);
    again = s2_waiter_get();
    assert_ptr_equal(again, w);
    assert_null(again->next);
    assert_int_equal(s2_poll(-1, again->fd[0], 0, 0), S2_TIMED_OUT);
    s2_waiter_put(again);
}

static void
a_child_shares_no_waiter_with_its_parent(void **state)
{
    s2_waiter *w = s2_waiter_get();
    unsigned generation = s2_generation;
    int status;
    pid_t pid;

    (void)state;
    s2_waiter_put(w);
    if (!(pid = fork())) {
        s2_waiter *fresh;
        bool changed = s2_generation != generation;

        fresh = s2_waiter_get();
        s2_waiter_wake(fresh);
        _exit(changed && s2_poll(-1, fresh->fd[0], 0, 0) == S2_READY ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(s2_generation, generation);
    assert_int_equal(s2_poll(-1, w->fd[0], 0, 0), S2_TIMED_OUT);
}

static void
polling_looks_at_what_it_is_asked_to(void **state)
{
    int fd[2];
    int64_t began;

    (void)state;
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(s2_poll(fd[1], -1, LIBSSH2_SESSION_BLOCK_OUTBOUND, 0),
                     S2_READY);
    assert_int_equal(s2_poll(fd[0], -1, LIBSSH2_SESSION_BLOCK_INBOUND, 0),
                     S2_TIMED_OUT);
    assert_int_equal(write(fd[1], "", 1), 1);
    assert_int_equal(s2_poll(fd[0], -1, LIBSSH2_SESSION_BLOCK_INBOUND, 0),
                     S2_READY);
    began = s2_now();
    assert_int_equal(s2_poll(-1, -1, 0, 30), S2_TIMED_OUT);
    assert_in_range(s2_now() - began, 29, 5000);
    close(fd[0]);
    close(fd[1]);
}

static void
looking_ends_by_itself(void **state)
{
    s2_waiter *w = s2_waiter_get();
    int64_t begun = s2_now_us();

    (void)state;
    assert_false(s2_look(-1, w->fd[0], 0, 300));
    assert_true(s2_now_us() - begun >= 300);
    s2_waiter_wake(w);
    assert_true(s2_look(-1, w->fd[0], 0, 300));
    s2_waiter_put(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_come_in_order_of_arrival),
        cmocka_unit_test(trying_takes_a_free_turn_only),
        cmocka_unit_test(no_thread_of_two_starves),
        cmocka_unit_test(a_waiter_is_woken_once),
        cmocka_unit_test(a_waiter_comes_back_clean),
        cmocka_unit_test(a_child_shares_no_waiter_with_its_parent),
        cmocka_unit_test(polling_looks_at_what_it_is_asked_to),
        cmocka_unit_test(looking_ends_by_itself),
    };

    return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
