/* The bytes between libssh2 and the peer: never short, never out of order. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>

typedef struct line {
    s2_wire w;
    int ours, theirs; /* the user's descriptor, and the peer's */
} line;

static int
lay(void **state)
{
    line *l = calloc(1, sizeof *l);
    int fd[2];

    if (!l || socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0)
        return -1;
    l->w.fd = l->w.user_fd = -1;
    l->ours = fd[0];
    l->theirs = fd[1];
    assert_ok(s2_wire_open(&l->w, l->ours, false));
    l->w.most = 0; /* as once hands are shaken */
    *state = l;
    return 0;
}

static void
hang_up(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int
cut(void **state)
{
    line *l = *state;

    s2_wire_close(&l->w);
    hang_up(&l->ours);
    hang_up(&l->theirs);
    free(l);
    return 0;
}

static void
it_works_on_a_copy_that_does_not_block(void **state)
{
    line *l = *state;
    char byte;

    assert_int_not_equal(l->w.fd, l->ours);
    assert_true(fcntl(l->w.fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(l->w.fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(s2_wire_recv(&l->w, &byte, 1), -EAGAIN);
    assert_int_equal(l->w.end_code, 0);
}

static void
what_is_no_descriptor_is_refused(void **state)
{
    s2_wire w = {.fd = -1, .user_fd = -1};
    int fd[2];

    (void)state;
    assert_int_equal(pipe(fd), 0);
    close(fd[0]);
    close(fd[1]);
    assert_fails(s2_wire_open(&w, fd[0], false), BadSocketError,
                 strerror(EBADF));
    assert_fails(s2_wire_open(&w, -1, false), BadSocketError, NULL);
    assert_int_equal(w.fd, -1);
}

/* More than the kernel takes is queued, and goes out in order. */
static void
a_full_socket_queues_in_order(void **state)
{
    line *l = *state;
    size_t total = 4 << 20, got = 0;
    unsigned char chunk[10007], in[65536];
    uint32_t next = 0, seen = 0;

    for (size_t sent = 0; sent < total; sent += sizeof chunk) {
        for (size_t i = 0; i < sizeof chunk; i++)
            chunk[i] = (unsigned char)(next++ * 31);
        assert_int_equal(s2_wire_send(&l->w, chunk, sizeof chunk),
                         sizeof chunk);
    }
    assert_true(s2_wire_queued(&l->w) > 0);
    while (s2_wire_queued(&l->w) || got < next) {
        ssize_t n = recv(l->theirs, in, sizeof in, MSG_DONTWAIT);

        for (ssize_t i = 0; i < n; i++, seen++)
            if (in[i] != (unsigned char)(seen * 31))
                fail_msg("byte %u is out of order", seen);
        got += n > 0 ? (size_t)n : 0;
        s2_wire_flush(&l->w);
    }
    assert_int_equal(got, next);
    assert_int_equal(l->w.sent, next);
    assert_int_equal(l->w.end_code, 0);
}

static void
what_has_arrived_is_read_though_nothing_can_be_sent(void **state)
{
    line *l = *state;
    char in[16];

    assert_int_equal(send(l->theirs, "abcde", 5, 0), 5);
    hang_up(&l->theirs);
    assert_int_equal(s2_wire_send(&l->w, "x", 1), 1);
    assert_int_equal(l->w.end_code, LIBSSH2_ERROR_SOCKET_SEND);
    assert_int_equal(s2_wire_recv(&l->w, in, 3), 3);
    l->w.spare = -1; /* there may be more, of which this try takes no more */
    assert_int_equal(s2_wire_recv(&l->w, in, sizeof in), -EAGAIN);
    assert_false(s2_wire_over(&l->w));
    l->w.spare = S2_SPARE;
    assert_int_equal(s2_wire_recv(&l->w, in, sizeof in), 2);
    assert_int_equal(s2_wire_recv(&l->w, in, sizeof in), -EAGAIN);
    assert_true(s2_wire_over(&l->w));
    assert_int_equal(l->w.end_code, LIBSSH2_ERROR_SOCKET_SEND);
    assert_int_equal(l->w.end_errno, EPIPE);
}

static void
what_has_arrived_is_read_before_the_end(void **state)
{
    line *l = *state;
    char in[16];

    assert_int_equal(send(l->theirs, "abc", 3, 0), 3);
    hang_up(&l->theirs);
    assert_int_equal(s2_wire_recv(&l->w, in, sizeof in), 3);
    assert_int_equal(l->w.received, 3);
    assert_int_equal(s2_wire_recv(&l->w, in, sizeof in), -EAGAIN);
    assert_int_equal(l->w.end_code, LIBSSH2_ERROR_SOCKET_DISCONNECT);
    assert_int_equal(l->w.end_errno, 0);
    assert_int_equal(s2_wire_recv(&l->w, in, sizeof in), -EAGAIN);
}

static void
a_try_may_take_so_much_only(void **state)
{
    line *l = *state;
    char in[16];

    l->w.spare = 1;
    assert_int_equal(send(l->theirs, "abcdef", 6, 0), 6);
    assert_int_equal(s2_wire_recv(&l->w, in, 3), 3);
    assert_int_equal(s2_wire_recv(&l->w, in, 3), -EAGAIN);
    l->w.spare = S2_SPARE;
    assert_int_equal(s2_wire_recv(&l->w, in, 3), 3);
    assert_memory_equal(in, "def", 3);
}

/* libssh2 looks for input before each packet that it sends. */
static void
a_try_may_work_so_long_only(void **state)
{
    line *l = *state;
    clock_t long_ago = clock();
    char byte;
    int after = 0;

    for (int i = 0; i < 200; i++)
        assert_int_equal(s2_wire_recv(&l->w, &byte, 1), -EAGAIN);
    while (clock() - long_ago < 2 * CLOCKS_PER_SEC)
        ;
    while (s2_wire_recv(&l->w, &byte, 1) == -EAGAIN)
        assert_true(++after < 64);
    assert_true(l->w.spun);
    assert_int_equal(l->w.end_code, 0);
    l->w.reads = -1; /* it is over */
    for (int i = 0; i < 200; i++)
        assert_int_equal(s2_wire_recv(&l->w, &byte, 1), -EAGAIN);
}

static void
behind_a_large_packet_no_input_is_looked_for_once(void **state)
{
    line *l = *state;
    unsigned char packet[32768] = {0};
    char in[16];

    assert_int_equal(send(l->theirs, "abc", 3, 0), 3);
    assert_int_equal(s2_wire_send(&l->w, packet, 100), 100);
    assert_int_equal(s2_wire_recv(&l->w, in, 1), 1);
    assert_int_equal(s2_wire_send(&l->w, packet, sizeof packet), sizeof packet);
    assert_int_equal(s2_wire_recv(&l->w, in, 1), -EAGAIN);
    assert_int_equal(s2_wire_recv(&l->w, in, 1), 1);
    assert_int_equal(in[0], 'b');
}

static void
it_is_told_whether_little_has_passed(void **state)
{
    line *l = *state;
    unsigned char packet[32768] = {0};

    assert_int_equal(s2_wire_send(&l->w, packet, 100), 100);
    assert_true(s2_wire_await(&l->w));
    assert_int_equal(s2_wire_send(&l->w, packet, sizeof packet), sizeof packet);
    assert_false(s2_wire_await(&l->w));
    assert_true(s2_wire_await(&l->w));
}

static void
past_the_end_writes_go_into_the_void(void **state)
{
    line *l = *state;

    hang_up(&l->theirs);
    assert_int_equal(s2_wire_send(&l->w, "abc", 3), 3);
    assert_int_equal(l->w.end_code, LIBSSH2_ERROR_SOCKET_SEND);
    assert_int_equal(l->w.end_errno, EPIPE);
    assert_int_equal(s2_wire_send(&l->w, "abc", 3), 3);
    assert_int_equal(s2_wire_queued(&l->w), 0);
}

static void
a_reset_is_told_from_an_orderly_end(void **state)
{
    line *l = *state;
    char in[16];

    assert_int_equal(s2_wire_send(&l->w, "abc", 3), 3);
    hang_up(&l->theirs); /* with bytes unread: that resets */
    assert_int_equal(s2_wire_recv(&l->w, in, sizeof in), -EAGAIN);
    assert_int_equal(l->w.end_code, LIBSSH2_ERROR_SOCKET_RECV);
    assert_int_equal(l->w.end_errno, ECONNRESET);
}

static void
a_closed_descriptor_is_noticed(void **state)
{
    line *l = *state;

    s2_wire_check(&l->w);
    assert_int_equal(l->w.end_code, 0);
    hang_up(&l->ours);
    s2_wire_check(&l->w);
    assert_int_equal(l->w.end_code, LIBSSH2_ERROR_SOCKET_SEND);
    assert_int_equal(l->w.end_errno, EBADF);
}

static void
a_descriptor_whose_number_is_reused_is_noticed(void **state)
{
    line *l = *state;
    int number = l->ours;

    assert_int_equal(dup2(STDERR_FILENO, number), number);
    s2_wire_check(&l->w);
    assert_int_equal(l->w.end_code, LIBSSH2_ERROR_SOCKET_SEND);
}

static void
a_duplicate_in_the_same_place_is_the_same(void **state)
{
    line *l = *state;
    int copy = dup(l->ours);

    assert_int_equal(dup2(copy, l->ours), l->ours);
    close(copy);
    s2_wire_check(&l->w);
    assert_int_equal(l->w.end_code, 0);
}

static void
a_descriptor_of_our_own_is_taken_over(void **state)
{
    line *l = *state;
    int fd[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    assert_ok(s2_wire_open(&l->w, fd[0], true));
    assert_int_equal(l->w.fd, fd[0]);
    s2_wire_check(&l->w);
    assert_int_equal(l->w.end_code, 0);
    s2_wire_close(&l->w);
    assert_int_equal(fcntl(fd[0], F_GETFD), -1);
    close(fd[1]);
}

static void
what_is_not_a_socket_carries_bytes_too(void **state)
{
    s2_wire w = {.fd = -1, .user_fd = -1};
    int fd[2];
    char in[4];

    (void)state;
    assert_int_equal(pipe(fd), 0);
    assert_ok(s2_wire_open(&w, fd[1], false));
    assert_int_equal(s2_wire_send(&w, "abc", 3), 3);
    s2_wire_close(&w);
    w.fd = w.user_fd = -1;
    assert_ok(s2_wire_open(&w, fd[0], false));
    assert_int_equal(s2_wire_recv(&w, in, sizeof in), 3);
    assert_memory_equal(in, "abc", 3);
    s2_wire_close(&w);
    close(fd[0]);
    close(fd[1]);
}

/* libssh2 waits for the peer as long as it may hope. */
static void
a_session_that_is_freed_hopes_for_nothing(void **state)
{
    line *l = *state;
    char in[4];

    assert_int_equal(send(l->theirs, "abc", 3, 0), 3);
    l->w.ending = true;
    assert_true(s2_wire_recv(&l->w, in, sizeof in) < 0);
    assert_int_not_equal(s2_wire_recv(&l->w, in, sizeof in), -EAGAIN);
    assert_int_equal(s2_wire_send(&l->w, "abc", 3), 3);
    assert_int_equal(recv(l->theirs, in, sizeof in, MSG_DONTWAIT), -1);
}

#define wire_test(name) cmocka_unit_test_setup_teardown(name, lay, cut)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(it_works_on_a_copy_that_does_not_block),
        cmocka_unit_test(what_is_no_descriptor_is_refused),
        wire_test(a_full_socket_queues_in_order),
        wire_test(a_try_may_take_so_much_only),
        wire_test(a_try_may_work_so_long_only),
        wire_test(behind_a_large_packet_no_input_is_looked_for_once),
        wire_test(it_is_told_whether_little_has_passed),
        wire_test(what_has_arrived_is_read_though_nothing_can_be_sent),
        wire_test(what_has_arrived_is_read_before_the_end),
        wire_test(past_the_end_writes_go_into_the_void),
        wire_test(a_reset_is_told_from_an_orderly_end),
        wire_test(a_closed_descriptor_is_noticed),
        wire_test(a_descriptor_whose_number_is_reused_is_noticed),
        wire_test(a_duplicate_in_the_same_place_is_the_same),
        wire_test(a_descriptor_of_our_own_is_taken_over),
        cmocka_unit_test(what_is_not_a_socket_carries_bytes_too),
        wire_test(a_session_that_is_freed_hopes_for_nothing),
    };

    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
