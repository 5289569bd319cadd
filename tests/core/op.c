/*
 * The engine with steps of our own: scopes, records, waiting, ending.
 *
 * The steps need no server: they wait for a byte in a pipe.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

typedef struct fixture {
    s2_session *s;
    int fd[2];
    s2_scope scope;
} fixture;

static int settled, last_rc, steps, left_steps;

static int
set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    if (!f || make_session((void **)&f->s) || pipe(f->fd) < 0)
        return -1;
    fcntl(f->fd[0], F_SETFL, O_NONBLOCK);
    settled = last_rc = steps = left_steps = 0;
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    fixture *f = *state;

    s2_set_host(&(s2_host){0});
    s2_record_drop(&f->scope);
    s2_release(f->s);
    close(f->fd[0]);
    close(f->fd[1]);
    free(f);
    return 0;
}

static int
wait_step(s2_op *op)
{
    char byte;

    steps++;
    left_steps += op->left;
    if (read((int)op->n[0], &byte, 1) == 1) {
        op->r[0] = byte;
        return 0;
    }
    op->r[1]++;
    op->wait_fd = (int)op->n[0];
    op->wait_directions = LIBSSH2_SESSION_BLOCK_INBOUND;
    return LIBSSH2_ERROR_EAGAIN;
}

static void
note_settle(s2_op *op, int rc)
{
    (void)op;
    settled++;
    last_rc = rc;
}

static s2_op
waiting(fixture *f, const char *text)
{
    s2_op op = S2_OP(f->s, wait_step, "wait_step", &f->scope, S2_EARLY);

    op.n[0] = f->fd[0];
    op.settle = note_settle;
    op.path = "there";
    s2_op_text(&op, 0, text);
    return op;
}

static void
feed(fixture *f, char byte)
{
    assert_int_equal(write(f->fd[1], &byte, 1), 1);
}

/* --- results ------------------------------------------------------------- */

static int
code_step(s2_op *op)
{
    return (int)op->n[0];
}

static void
a_code_becomes_an_error_of_its_class(void **state)
{
    fixture *f = *state;
    s2_op op = S2_OP(f->s, code_step, "code_step", NULL, S2_QUICK | S2_EARLY);

    op.n[0] = 5;
    assert_ok(s2_op_call(&op));
    op.n[0] = LIBSSH2_ERROR_METHOD_NONE;
    op.path = "there";
    assert_fails(s2_op_call(&op), MethodNoneError, "code_step: there: ");
    op.cls = S2_C_KnownHostAddError;
    assert_fails(s2_op_call(&op), KnownHostAddError, "code_step: there: ");
}

static int
fail_step(s2_op *op)
{
    s2_op_fail(op, s2_error_new(S2_C_UnknownError, -1, NULL, NULL, "first"));
    return s2_op_fail(
        op, s2_error_new(S2_C_FileError, -16, op->func, NULL, "second"));
}

static void
a_step_may_make_its_own_error(void **state)
{
    fixture *f = *state;
    s2_op op = S2_OP(f->s, fail_step, "fail_step", NULL, S2_QUICK | S2_EARLY);

    assert_fails(s2_op_call(&op), FileError, "fail_step: second");
}

static void
what_a_session_must_be_is_checked(void **state)
{
    fixture *f = *state;
    s2_op op = S2_OP(f->s, code_step, "code_step", NULL, S2_QUICK);

    assert_fails(s2_op_call(&op), InvalidRequestError, "handshake");
    op.flags |= S2_EARLY | S2_AUTHED;
    assert_fails(s2_op_call(&op), InvalidRequestError, "authenticated");
    op.flags &= ~(unsigned)S2_AUTHED;
    s2_session_end(f->s, s2_error_new(S2_C_SocketTimeout,
                                      LIBSSH2_ERROR_SOCKET_TIMEOUT, NULL, NULL,
                                      "gone quiet"));
    assert_fails(s2_op_call(&op), SocketTimeout, "code_step: gone quiet");
    op.flags |= S2_AFTER_END;
    assert_ok(s2_op_call(&op));
    assert_ok(s2_session_close(f->s));
    assert_ok(s2_session_close(f->s));
    assert_true(s2_session_closed(f->s));
    assert_fails(s2_op_call(&op), ClosedError, "the session is closed");
    op.flags |= S2_AFTER_CLOSE;
    assert_ok(s2_op_call(&op));
}

/* --- waiting ------------------------------------------------------------- */

static void *
feed_late(void *arg)
{
    poll(NULL, 0, 50);
    if (write(((fixture *)arg)->fd[1], "x", 1) != 1)
        abort();
    return NULL;
}

static void
a_call_waits_for_what_its_step_names(void **state)
{
    fixture *f = *state;
    s2_op op = waiting(f, NULL);
    pthread_t thread;

    pthread_create(&thread, NULL, feed_late, f);
    assert_ok(s2_op_call(&op));
    pthread_join(thread, NULL);
    assert_int_equal(op.r[0], 'x');
    assert_int_equal(settled, 0);
    assert_true(steps < 20);
}

static int
later_step(s2_op *op)
{
    steps++;
    if (s2_now() >= op->n[0])
        return 0;
    op->wait_ms = 10;
    return LIBSSH2_ERROR_EAGAIN;
}

static void
a_step_may_ask_to_be_tried_later(void **state)
{
    fixture *f = *state;
    s2_op op = S2_OP(f->s, later_step, "later_step", NULL, S2_EARLY);

    op.n[0] = s2_now() + 50;
    assert_ok(s2_op_call(&op));
    assert_in_range(steps, 2, 20);
}

static void
a_deadline_ends_the_wait(void **state)
{
    fixture *f = *state;
    s2_op op = waiting(f, NULL);
    int64_t began = s2_now();

    op.timeout = 60;
    assert_fails(s2_op_call(&op), Timeout, "wait_step: there: timed out");
    assert_in_range(s2_now() - began, 59, 5000);
    assert_true(steps < 20);
    s2_session_set_timeout(f->s, 60);
    op.timeout = 0;
    assert_fails(s2_op_call(&op), Timeout, NULL);
}

/* Takes six times 50 ms; `n[0]` bytes move each time. */
static int
slow_step(s2_op *op)
{
    if (op->r[0]++ == 6)
        return 0;
    op->done += (size_t)op->n[0];
    op->wait_ms = 50;
    return LIBSSH2_ERROR_EAGAIN;
}

static void
an_answer_is_waited_for_as_long_as_bytes_move(void **state)
{
    fixture *f = *state;
    s2_op moving = S2_OP(f->s, slow_step, "slow_step", &f->s->scope, S2_EARLY);
    s2_op silent = moving, data = moving;

    data.scope = &f->scope;
    moving.n[0] = 1;
    atomic_store(&f->s->read_timeout, 150);
    assert_ok(s2_op_call(&moving));
    assert_fails(s2_op_call(&silent), Timeout, "timed out");
    assert_ok(s2_op_call(&data));
    moving.r[0] = 0;
    s2_session_set_timeout(f->s, 200);
    assert_fails(s2_op_call(&moving), Timeout, "timed out");
    s2_record_drop(&f->s->scope);
}

/* --- records ------------------------------------------------------------- */

static void
the_same_call_resumes(void **state)
{
    fixture *f = *state;
    char text[] = "same";
    s2_op op = waiting(f, text), again;

    s2_session_set_blocking(f->s, false);
    assert_ptr_equal(s2_op_call(&op), &s2_again);
    assert_int_equal(op.r[1], 1);
    strcpy(text, "diff"); /* the record has its own copy */
    again = waiting(f, "same");
    assert_ptr_equal(s2_op_call(&again), &s2_again);
    assert_int_equal(again.r[1], 2);
    feed(f, 'a');
    again = waiting(f, "same");
    assert_ok(s2_op_call(&again));
    assert_int_equal(again.r[0], 'a');
    assert_int_equal(again.r[1], 2);
    assert_int_equal(settled, 0);
    assert_int_equal(left_steps, 0);
}

/* Who was told to call again finds the result, as often as others call. */
static void
another_call_first_ends_what_was_left(void **state)
{
    fixture *f = *state;
    s2_op op = waiting(f, "one"), other = waiting(f, "two");
    int before;

    s2_session_set_blocking(f->s, false);
    assert_ptr_equal(s2_op_call(&op), &s2_again);
    assert_ptr_equal(s2_op_call(&other), &s2_again);
    assert_int_equal(left_steps, 1);
    feed(f, 'a'); /* for the one */
    feed(f, 'b');
    assert_ok(s2_op_call(&other));
    assert_int_equal(other.r[0], 'b');
    assert_null(f->scope.parked);
    before = steps;
    op = waiting(f, "one");
    assert_ok(s2_op_call(&op));
    assert_int_equal(op.r[0], 'a');
    assert_int_equal(steps, before);
    assert_int_equal(settled, 0);
}

static void
every_argument_tells_calls_apart(void **state)
{
    fixture *f = *state;
    s2_op op, other[3];

    other[0] = waiting(f, "onE");
    other[1] = waiting(f, NULL);
    other[2] = waiting(f, "one");
    other[2].n[3] = 1;
    for (int i = 0; i < 3; i++) {
        op = waiting(f, "one");
        op.timeout = 10;
        assert_fails(s2_op_call(&op), Timeout, NULL);
        feed(f, 'a');
        feed(f, 'b');
        assert_ok(s2_op_call(&other[i]));
        assert_int_equal(other[i].r[0], 'b');
        assert_int_equal(settled, i + 1);
    }
}

static void
a_call_of_one_kind_may_resume_any_of_it(void **state)
{
    fixture *f = *state;
    s2_op op = waiting(f, "one"), other = waiting(f, "two");

    op.flags |= S2_SAME_SELF;
    other.flags |= S2_SAME_SELF;
    s2_session_set_blocking(f->s, false);
    assert_ptr_equal(s2_op_call(&op), &s2_again);
    feed(f, 'a');
    assert_ok(s2_op_call(&other));
    assert_int_equal(other.r[0], 'a');
    assert_int_equal(settled, 0);
}

static void
what_leaves_nothing_behind_is_not_kept(void **state)
{
    fixture *f = *state;
    s2_op op = waiting(f, "one");

    op.flags |= S2_STATELESS;
    s2_session_set_blocking(f->s, false);
    assert_ptr_equal(s2_op_call(&op), &s2_again);
    assert_null(f->scope.parked);
    assert_int_equal(f->scope.live, 0);
}

static void
a_timed_out_call_is_finished_by_the_next(void **state)
{
    fixture *f = *state;
    s2_op op = waiting(f, "one"), other = waiting(f, "two");

    op.timeout = 20;
    assert_fails(s2_op_call(&op), Timeout, NULL);
    feed(f, 'a');
    feed(f, 'b');
    assert_ok(s2_op_call(&other));
    assert_int_equal(other.r[0], 'b');
    assert_int_equal(settled, 1);
}

static void
dropping_a_record_settles_it(void **state)
{
    fixture *f = *state;
    s2_op op = waiting(f, "one");

    s2_session_set_blocking(f->s, false);
    assert_ptr_equal(s2_op_call(&op), &s2_again);
    s2_record_drop(&f->scope);
    assert_int_equal(settled, 1);
    assert_true(last_rc < 0);
    s2_record_drop(&f->scope);
    assert_int_equal(settled, 1);
}

/* --- the language's part ------------------------------------------------- */

static bool
never_polls(void *ctx)
{
    (void)ctx;
    return false;
}

static int
raise_in_wait(void *ctx, int fd, int wake_fd, int directions, int timeout_ms)
{
    (void)fd, (void)wake_fd, (void)directions, (void)timeout_ms;
    return --*(int *)ctx ? S2_READY : S2_RAISED;
}

static int
raise_in_check(void *ctx)
{
    return --*(int *)ctx ? 0 : S2_RAISED;
}

static void
what_the_language_raises_leaves_a_record(void **state)
{
    fixture *f = *state;
    s2_op op = waiting(f, "one");
    int waits = 3;

    s2_set_host(
        &(s2_host){.polls = never_polls, .wait = raise_in_wait, .ctx = &waits});
    assert_ptr_equal(s2_op_call(&op), &s2_raised);
    assert_int_equal(steps, 3);
    s2_set_host(&(s2_host){0});
    feed(f, 'a');
    op = waiting(f, "one");
    assert_ok(s2_op_call(&op));
    assert_int_equal(op.r[1], 3);
}

static void
run_nothing(void *ctx, void (*fn)(void *), void *arg)
{
    (void)ctx, (void)fn, (void)arg;
}

static void
an_interrupt_may_come_before_the_first_try(void **state)
{
    fixture *f = *state;
    s2_op op = waiting(f, "one");
    int checks = 1;

    s2_set_host(&(s2_host){
        .run = run_nothing, .check = raise_in_check, .ctx = &checks});
    assert_ptr_equal(s2_op_call(&op), &s2_raised);
    assert_int_equal(steps, 0);
    assert_null(f->scope.parked);
}

static bool
is_ending(void *ctx)
{
    (void)ctx;
    return true;
}

static void
at_the_end_a_call_waits_for_no_other(void **state)
{
    fixture *f = *state;
    s2_op op = waiting(f, "one");

    s2_set_host(&(s2_host){.ending = is_ending});
    f->scope.live = 1;
    assert_fails(s2_op_call(&op), ClosedError, "is ending");
    assert_int_equal(steps, 0);
    assert_int_equal(f->scope.live, 1);
    f->scope.live = 0;
    feed(f, 'a');
    op = waiting(f, "one");
    assert_ok(s2_op_call(&op));
    assert_int_equal(f->scope.live, 0);
}

typedef struct inside {
    fixture *f;
    unsigned flags;
    int ms; /* that the callback takes */
    s2_error *same, *other;
    pthread_t thread;
    atomic_bool over;
} inside;

static void *
call_beside(void *arg)
{
    inside *in = arg;
    s2_op op = S2_OP(in->f->s, code_step, "code_step", NULL, in->flags);

    in->other = s2_op_call(&op);
    if (!atomic_load(&in->over))
        in->other = &s2_raised;
    return NULL;
}

static void
call_inside(void *arg)
{
    inside *in = arg;
    s2_op op = S2_OP(in->f->s, code_step, "code_step", NULL, S2_EARLY);

    in->same = s2_op_call(&op);
    pthread_create(&in->thread, NULL, call_beside, in);
    poll(NULL, 0, in->ms);
    atomic_store(&in->over, true);
}

static int
call_out_step(s2_op *op)
{
    s2_op_call_out(op, call_inside, op->call_ctx);
    return 0;
}

static void
a_callback_may_not_call_its_own_session(void **state)
{
    fixture *f = *state;
    inside in = {.f = f, .flags = S2_EARLY, .ms = 50};
    s2_op op = S2_OP(f->s, call_out_step, "call_out_step", &f->scope, S2_EARLY);

    op.call_ctx = &in;
    assert_ok(s2_op_call(&op));
    pthread_join(in.thread, NULL);
    assert_fails(in.same, BadUseError, "callback");
    assert_ok(in.other); /* another thread waits until it is over */
}

/* --- several threads ----------------------------------------------------- */

typedef struct helper {
    fixture *f;
    s2_op op;
    s2_error *err;
    pthread_t thread;
    atomic_bool done;
} helper;

static void *
call_op(void *arg)
{
    helper *h = arg;

    h->err = s2_op_call(&h->op);
    atomic_store(&h->done, true);
    return NULL;
}

/* How many calls wait. */
static size_t
waiters(fixture *f)
{
    size_t count = 0;

    s2_turn_lock(&f->s->turn);
    for (const s2_waiter *w = f->s->waiters; w; w = w->next)
        count++;
    s2_turn_unlock(&f->s->turn);
    return count;
}

static void
start(helper *h, fixture *f, const char *text)
{
    size_t before = waiters(f);

    h->f = f;
    h->op = waiting(f, text);
    atomic_init(&h->done, false);
    pthread_create(&h->thread, NULL, call_op, h);
    while (waiters(f) == before)
        poll(NULL, 0, 1);
}

static void
calls_of_a_scope_exclude_each_other(void **state)
{
    fixture *f = *state;
    helper h[2] = {0};
    s2_op beside = S2_OP(f->s, code_step, "code_step", NULL, S2_EARLY);

    start(&h[0], f, "one");
    start(&h[1], f, "one");
    assert_ok(s2_op_call(&beside)); /* goes on */
    feed(f, 'a');
    pthread_join(h[0].thread, NULL);
    assert_false(atomic_load(&h[1].done));
    feed(f, 'b');
    pthread_join(h[1].thread, NULL);
    assert_ok(h[0].err);
    assert_ok(h[1].err);
    assert_int_equal(h[0].op.r[0], 'a');
    assert_int_equal(h[1].op.r[0], 'b');
}

static void
closing_ends_calls_in_flight(void **state)
{
    fixture *f = *state;
    helper h[2] = {0};
    int64_t began;

    start(&h[0], f, "one");
    start(&h[1], f, "two");
    began = s2_now();
    assert_ok(s2_session_close(f->s));
    for (int i = 0; i < 2; i++) {
        pthread_join(h[i].thread, NULL);
        assert_fails(h[i].err, ClosedError, "the session is closed");
    }
    assert_in_range(s2_now() - began, 0, 30000);
    assert_null(f->scope.parked);
}

static void
the_last_reference_may_go_in_flight(void **state)
{
    fixture *f = *state;
    helper h = {0};

    start(&h, f, "one");
    s2_release(f->s);
    feed(f, 'a');
    pthread_join(h.thread, NULL);
    assert_ok(h.err);
    f->s = NULL;
}

static void
a_child_process_may_not_use_the_session(void **state)
{
    fixture *f = *state;
    s2_waiter *w = s2_waiter_get(); /* forks are watched from the first on */
    int status;
    pid_t pid;

    s2_waiter_put(w);
    if (!(pid = fork())) {
        s2_op op = S2_OP(f->s, code_step, "code_step", NULL, S2_EARLY);
        s2_error *err = s2_op_call(&op);

        _exit(err && err->cls == S2_C_ForkedError ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

static void
a_quick_call_does_not_spin_while_a_callback_runs(void **state)
{
    fixture *f = *state;
    inside in = {.f = f, .flags = S2_EARLY | S2_QUICK, .ms = 300};
    s2_op op = S2_OP(f->s, call_out_step, "call_out_step", &f->scope, S2_EARLY);
    struct timespec before, after;
    int64_t spent;

    op.call_ctx = &in;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    assert_ok(s2_op_call(&op));
    pthread_join(in.thread, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    spent = (after.tv_sec - before.tv_sec) * 1000 +
            (after.tv_nsec - before.tv_nsec) / 1000000;
    s2_error_free(in.same);
    assert_ok(in.other);
    assert_in_range(spent, 0, 100);
}

/* --- dropping ------------------------------------------------------------ */

typedef struct toy {
    s2_obj obj;
    int again; /* times that finishing would block */
    int *finished;
} toy;

static char finish_order[16];

static int
toy_finish(s2_obj *obj)
{
    toy *t = (toy *)obj;
    size_t n = strlen(finish_order);

    if (t->again && !obj->session->wire.ending) {
        t->again--;
        return LIBSSH2_ERROR_EAGAIN;
    }
    ++*t->finished;
    finish_order[n] = (char)('0' + obj->type->rank);
    return 0;
}

static const s2_type toy_one = {"toy", toy_finish, NULL, 1};
static const s2_type toy_four = {"toy", toy_finish, NULL, 4};

static toy *
make_toy(fixture *f, const s2_type *type, int again, int *finished)
{
    toy *t = s2_obj_new(type, sizeof *t, f->s);

    assert_non_null(t);
    t->again = again;
    t->finished = finished;
    return t;
}

static void
a_dropped_object_goes_with_later_calls(void **state)
{
    fixture *f = *state;
    s2_op op = S2_OP(f->s, code_step, "code_step", NULL, S2_EARLY);
    int finished = 0;

    memset(finish_order, 0, sizeof finish_order);
    s2_release(make_toy(f, &toy_one, 2, &finished));
    s2_release(make_toy(f, &toy_one, 0, &finished));
    assert_int_equal(finished, 0);
    assert_ok(s2_op_call(&op)); /* one step: it would block */
    assert_int_equal(finished, 0);
    assert_ok(s2_op_call(&op)); /* the other has its turn */
    assert_int_equal(finished, 1);
    assert_ok(s2_op_call(&op));
    assert_int_equal(finished, 1);
    assert_ok(s2_op_call(&op));
    assert_int_equal(finished, 2);
}

static void
a_sessions_end_finishes_lower_ranks_first(void **state)
{
    fixture *f = *state;
    int finished = 0;

    memset(finish_order, 0, sizeof finish_order);
    s2_release(make_toy(f, &toy_four, 9, &finished));
    s2_release(make_toy(f, &toy_one, 9, &finished));
    s2_release(make_toy(f, &toy_four, 0, &finished));
    s2_release(f->s);
    f->s = NULL;
    assert_int_equal(finished, 3);
    assert_string_equal(finish_order, "144");
}

static void
a_child_keeps_its_session(void **state)
{
    fixture *f = *state;
    int finished = 0;
    toy *t = make_toy(f, &toy_one, 0, &finished);

    s2_release(f->s);
    f->s = NULL;
    assert_null(t->obj.session->dead);
    s2_retain(t);
    s2_release(t);
    assert_int_equal(finished, 0);
    s2_release(t);
    assert_int_equal(finished, 1);
}

#define op_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        op_test(a_code_becomes_an_error_of_its_class),
        op_test(a_step_may_make_its_own_error),
        op_test(what_a_session_must_be_is_checked),
        op_test(a_call_waits_for_what_its_step_names),
        op_test(a_step_may_ask_to_be_tried_later),
        op_test(a_deadline_ends_the_wait),
        op_test(an_answer_is_waited_for_as_long_as_bytes_move),
        op_test(the_same_call_resumes),
        op_test(another_call_first_ends_what_was_left),
        op_test(every_argument_tells_calls_apart),
        op_test(a_call_of_one_kind_may_resume_any_of_it),
        op_test(what_leaves_nothing_behind_is_not_kept),
        op_test(a_timed_out_call_is_finished_by_the_next),
        op_test(dropping_a_record_settles_it),
        op_test(what_the_language_raises_leaves_a_record),
        op_test(an_interrupt_may_come_before_the_first_try),
        op_test(at_the_end_a_call_waits_for_no_other),
        op_test(a_callback_may_not_call_its_own_session),
        op_test(calls_of_a_scope_exclude_each_other),
        op_test(closing_ends_calls_in_flight),
        op_test(the_last_reference_may_go_in_flight),
        op_test(a_child_process_may_not_use_the_session),
        op_test(a_quick_call_does_not_spin_while_a_callback_runs),
        op_test(a_dropped_object_goes_with_later_calls),
        op_test(a_sessions_end_finishes_lower_ranks_first),
        op_test(a_child_keeps_its_session),
    };

    return cmocka_run_group_tests_name("op", tests, NULL, NULL);
}
