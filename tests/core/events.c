/*
 * Events under threads that share a session: each is told once, one at a time,
 * outside any turn, whoever reads it; and a teller who is stopped leaves the
 * rest to another.  Beside a server that sends them on command.
 */
#include "conversation.h"

#include <pthread.h>

enum { THREADS = 4, ROUNDS = 25 };

static s2_session *shared;
static atomic_int told, telling, stopped;

static void
must(s2_error *err)
{
    char *message = err ? s2_error_message(err) : NULL;

    if (err) {
        printf("not ok - %s\n", message);
        exit(1);
    }
}

static void
check(bool good, const char *what)
{
    if (!good) {
        printf("not ok - %s\n", what);
        exit(1);
    }
}

static int
notify(void *ctx, s2_session *s, int kind, const s2_value *args, size_t count)
{
    s2_channel *ch = NULL;
    int n = atomic_fetch_add(&told, 1);

    (void)ctx;
    check(atomic_fetch_add(&telling, 1) == 0, "one is told at a time");
    check(s == shared && kind == LIBSSH2_CALLBACK_DEBUG && count == 3 &&
              args[0].bytes.len && !strcmp(args[0].bytes.data, "see here"),
          "an event is what was sent");
    /* No turn is held, so the session can be used. */
    if (n % 8 == 0) {
        must(s2_session_open_session(s, &ch));
        s2_release(ch);
    }
    atomic_fetch_sub(&telling, 1);
    if (n % 16 == 15) {
        atomic_fetch_add(&stopped, 1);
        return S2_RAISED;
    }
    return 0;
}

/* Make the call, again if the language raised in the events of the last. */
#define insist(call)                                                           \
    do                                                                         \
        err = call;                                                            \
    while (err == &s2_raised)

static void *
work(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        s2_channel *ch = NULL;
        s2_error *err = s2_session_open_session(shared, &ch);
        char bytes[64];
        size_t n = 1;

        /* A result that was lost so is not had by asking again. */
        if (err == &s2_raised) {
            i--;
            continue;
        }
        must(err);
        err = s2_channel_execute(ch, "@debug");
        if (err != &s2_raised)
            must(err);
        while (n) {
            insist(s2_channel_read(ch, 0, bytes, sizeof bytes, &n));
            must(err);
        }
        s2_release(ch);
    }
    return unused;
}

static bool
somebody(void *ctx, const s2_value *args, size_t count, s2_value *answer)
{
    (void)ctx;
    (void)args;
    (void)count;
    (void)answer;
    return true;
}

int
main(void)
{
    static const s2_host host = {.notify = notify};
    pthread_t thread[THREADS];
    s2_error *err;

    if (!getenv("SSH2_ASYNCSSH_PORT"))
        return 77;
    s2_set_host(&host);
    must(s2_init());
    shared = s2_session_create();
    must(s2_session_connect(shared, fixture("SSH2_HOST"),
                            atoi(fixture("SSH2_ASYNCSSH_PORT")), 20000,
                            fixture("SSH2_KNOWN_HOSTS"), true));
    must(s2_session_userauth_publickey_fromfile(
        shared, "anyone", fixture("SSH2_KEY"), NULL, NULL));
    must(s2_session_callback_set(shared, LIBSSH2_CALLBACK_DEBUG, somebody,
                                 NULL));
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, work, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    insist(s2_session_set_last_error(shared, 0, ""));
    must(err);
    check(atomic_load(&told) == THREADS * ROUNDS, "each is told once");
    check(atomic_load(&stopped) > 0, "a teller was stopped");
    s2_release(shared);
    printf("events: %d were told, each once\n", THREADS * ROUNDS);
    return 0;
}
