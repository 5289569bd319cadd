/*
 * What callers leave behind: calls that would block and are never repeated, or
 * repeated late; objects dropped amid them.  Beside a real server.
 */
#include "conversation.h"

#include <unistd.h>

enum { SIZE = 8000000 };

static void
must(s2_error *err)
{
    char *message = err ? s2_error_message(err) : NULL;

    if (err) {
        printf("not ok - %s\n", message);
        exit(1);
    }
}

/* Begin a call and leave it: it may have gone through at once. */
static void
left(s2_error *err)
{
    if (err && err->code != LIBSSH2_ERROR_EAGAIN)
        must(err);
    s2_error_free(err);
}

static s2_session *
begin(s2_sftp **sftp)
{
    s2_session *s = s2_session_create();

    must(log_in(s));
    if (sftp)
        must(s2_session_sftp_init(s, sftp));
    return s;
}

/* Each call gives what was dropped back by a step. */
static void
go_on(s2_session *s)
{
    for (int i = 0; i < 12; i++) {
        s2_channel *ch = NULL;

        must(s2_session_open_session(s, &ch));
        s2_release(ch);
    }
}

static void
a_session_goes_with_an_opening_that_nobody_wants(void)
{
    s2_session *s = begin(NULL);
    s2_channel *ch = NULL;
    s2_sftp *sftp = NULL;

    s2_session_set_blocking(s, false);
    left(s2_session_open_session(s, &ch));
    s2_session_set_blocking(s, true);
    must(s2_session_sftp_init(s, &sftp));
    s2_release(sftp);
    s2_release(ch);
    s2_release(s);
}

static void
an_sftp_goes_with_an_opening_that_nobody_wants(void)
{
    s2_sftp *sftp = NULL;
    s2_session *s = begin(&sftp);
    s2_file *f = NULL;

    s2_session_set_blocking(s, false);
    left(s2_sftp_open(sftp, fixture("SSH2_KEY"), LIBSSH2_FXF_READ, 0, &f));
    s2_release(f);
    s2_release(sftp);
    s2_session_set_blocking(s, true);
    go_on(s);
    s2_release(s);
}

static void
a_file_opened_late_is_counted(void)
{
    s2_sftp *sftp = NULL;
    s2_session *s = begin(&sftp);
    s2_file *first = NULL, *late = NULL;
    s2_attrs attrs;

    must(s2_sftp_open(sftp, fixture("SSH2_KEY"), LIBSSH2_FXF_READ, 0, &first));
    s2_session_set_blocking(s, false);
    left(s2_sftp_open(sftp, fixture("SSH2_KEY"), LIBSSH2_FXF_READ, 0, &late));
    s2_session_set_blocking(s, true);
    must(s2_sftp_stat(sftp, "/", &attrs));
    if (!late)
        must(s2_sftp_open(sftp, fixture("SSH2_KEY"), LIBSSH2_FXF_READ, 0,
                          &late));
    must(s2_file_close(late));
    must(s2_sftp_close(sftp));
    must(s2_file_close(first));
    s2_release(late);
    s2_release(first);
    s2_release(sftp);
    s2_release(s);
}

/* Other calls go in between, and handles are dropped: no byte comes twice. */
static void
a_write_taken_up_again_writes_once(void)
{
    s2_sftp *sftp = NULL;
    s2_session *s = begin(&sftp);
    s2_file *f = NULL;
    char *bytes = malloc(SIZE + 1), path[512];
    size_t done = 0, written, found;
    FILE *local;

    for (int i = 0; i < SIZE; i++)
        bytes[i] = (char)(i / 7 + i / 997);
    snprintf(path, sizeof path, "%s/left", fixture("SSH2_TMP"));
    must(s2_sftp_open(sftp, path, LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT, 0600,
                      &f));
    for (int i = 0; done < SIZE; i++) {
        s2_attrs attrs;
        s2_file *other = NULL;

        s2_session_set_blocking(s, false);
        left(s2_file_write(f, bytes + done, SIZE - done, &written));
        done += written;
        if (i % 2)
            left(s2_sftp_stat(sftp, "/", &attrs));
        else
            left(s2_sftp_open(sftp, "/", LIBSSH2_FXF_READ, 0, &other));
        s2_release(other);
        usleep(300);
    }
    s2_session_set_blocking(s, true);
    must(s2_file_close(f));
    local = fopen(path, "rb");
    found = fread(bytes, 1, SIZE + 1, local);
    fclose(local);
    for (size_t i = 0; i < found; i++)
        if (found != SIZE || bytes[i] != (char)((int)i / 7 + (int)i / 997)) {
            printf("not ok - byte %zu of %zu differs\n", i, found);
            exit(1);
        }
    free(bytes);
    s2_release(f);
    s2_release(sftp);
    s2_release(s);
}

/* --- each call, left at each point --------------------------------------- */

typedef struct scene {
    s2_session *s;
    s2_channel *ch;
    s2_publickey *pk;
    s2_listener *l;
    int port, fd; /* a connection to the listener's port, or 0 */
    size_t sent;
    char path[512];
} scene;

static s2_error *
send_file(scene *now)
{
    return now->ch ? NULL
                   : s2_session_scp_send64(now->s, now->path, 0600, 3, 1, 1,
                                           &now->ch);
}

static s2_error *
send_and_hear(scene *now)
{
    s2_error *err = send_file(now);
    size_t n = 0;

    if (!err)
        err =
            s2_channel_write(now->ch, 0, &"abc"[now->sent], 3 - now->sent, &n);
    now->sent += n;
    return err ? err : s2_channel_wait_eof(now->ch);
}

static s2_error *
receive_file(scene *now)
{
    char bytes[100000];
    s2_fileinfo info;
    s2_error *err = NULL;
    size_t n = 1;

    if (!now->ch)
        err =
            s2_session_scp_recv2(now->s, fixture("SSH2_KEY"), &now->ch, &info);
    while (!err && n)
        err = s2_channel_read(now->ch, 0, bytes, sizeof bytes, &n);
    return err;
}

static s2_error *
receive_none(scene *now)
{
    s2_fileinfo info;
    s2_error *err =
        s2_session_scp_recv2(now->s, "/none at all", &now->ch, &info);

    if (err && err->code == LIBSSH2_ERROR_SCP_PROTOCOL) {
        s2_error_free(err);
        err = NULL;
    }
    return err;
}

static s2_error *
keep_keys(scene *now)
{
    return now->pk ? NULL : s2_session_publickey_init(now->s, &now->pk);
}

static s2_error *
list_keys(scene *now)
{
    s2_value keys = {0};
    s2_error *err = keep_keys(now);

    if (!err && !s2_publickey_closed(now->pk))
        err = s2_publickey_add(now->pk, "k", 1, "b", 1, true, NULL);
    if (!err && !s2_publickey_closed(now->pk))
        err = s2_publickey_list_fetch(now->pk, &keys);
    s2_value_free(&keys);
    return err ? err : s2_publickey_shutdown(now->pk);
}

static s2_error *
reach_out(scene *now)
{
    size_t n = 0;
    s2_error *err = now->ch ? NULL
                            : s2_session_direct_tcpip(
                                  now->s, "127.0.0.1",
                                  atoi(fixture("SSH2_ECHO_PORT")), &now->ch);

    if (!err && !now->sent)
        err = s2_channel_write(now->ch, 0, "abc", 3, &now->sent);
    if (!err)
        err = s2_channel_read(now->ch, 0, now->path, sizeof now->path, &n);
    return err ? err : s2_channel_close(now->ch);
}

static s2_error *
reach_nobody(scene *now)
{
    s2_error *err = s2_session_direct_tcpip(
        now->s, "127.0.0.1", atoi(fixture("SSH2_CLOSED_PORT")), &now->ch);

    if (err && err->code == LIBSSH2_ERROR_CHANNEL_FAILURE) {
        s2_error_free(err);
        err = NULL;
    }
    return err;
}

static s2_error *
listen_to(scene *now)
{
    s2_error *err = now->l
                        ? NULL
                        : s2_session_forward_listen_ex(now->s, 2, "127.0.0.1",
                                                       0, &now->l, &now->port);

    if (!err && !now->fd)
        now->fd = connect_to(now->port);
    return err;
}

static s2_error *
accept_one(scene *now)
{
    s2_error *err = listen_to(now);

    if (!err && !now->ch)
        err = s2_listener_forward_accept(now->l, &now->ch);
    return err ? err : s2_listener_forward_cancel(now->l);
}

/* Cancelled with a connection that waits, and is thrown away. */
static s2_error *
accept_none(scene *now)
{
    s2_error *err = listen_to(now);

    if (!err && !now->ch)
        err = s2_session_open_session(now->s, &now->ch);
    return err ? err : s2_listener_forward_cancel(now->l);
}

/* Leave the call after so many tries: was it through by then? */
static bool
leave_after(s2_error *(*call)(scene *), int tries, bool go)
{
    scene now = {.s = begin(NULL)};
    bool through = false;

    snprintf(now.path, sizeof now.path, "%s/left", fixture("SSH2_TMP"));
    s2_session_set_blocking(now.s, false);
    for (int i = 0; i < tries && !through; i++) {
        s2_error *err = call(&now);

        through = !err;
        left(err);
        if (!through)
            s2_poll(s2_session_fileno(now.s), -1, LIBSSH2_SESSION_BLOCK_INBOUND,
                    1000);
    }
    s2_release(now.ch);
    s2_release(now.pk);
    s2_release(now.l);
    s2_session_set_blocking(now.s, true);
    if (go)
        go_on(now.s);
    s2_release(now.s);
    if (now.fd)
        close(now.fd);
    return through;
}

static void
a_call_can_be_left_at_any_point(s2_error *(*call)(scene *))
{
    for (int tries = 1; !leave_after(call, tries, true); tries++)
        leave_after(call, tries, false);
}

/* --- each way to log in, left at each point ------------------------------ */

static s2_error *
by_password(s2_session *s)
{
    return s2_session_userauth_password(s, "olga", "stale", guess, NULL);
}

static s2_error *
by_answers(s2_session *s)
{
    return s2_session_userauth_keyboardinteractive_callback(s, "kate", guess,
                                                            NULL);
}

static s2_error *
by_signature(s2_session *s)
{
    s2_buf blob = ecdsa_key();
    s2_error *err = s2_session_userauth_publickey(s, "anyone", blob.data,
                                                  blob.len, guess, NULL);

    s2_buf_free(&blob);
    return err;
}

static s2_error *
by_token(s2_session *s)
{
    s2_buf token = key_file("sk_ecdsa");
    s2_error *err = s2_session_userauth_publickey_sk(
        s, "anyone", NULL, 0, token.data, token.len, NULL, guess, NULL);

    s2_buf_free(&token);
    return err;
}

/* Nobody answers for what was left, and then a key still lets in. */
static void
an_attempt_can_be_left_at_any_point(s2_error *(*attempt)(s2_session *))
{
    bool through = false;

    for (int tries = 1; !through; tries++) {
        s2_session *s = s2_session_create();

        must(s2_session_connect(s, fixture("SSH2_HOST"),
                                atoi(fixture("SSH2_ASYNCSSH_PORT")), 20000,
                                fixture("SSH2_KNOWN_HOSTS"), true));
        s2_session_set_blocking(s, false);
        for (int i = 0; i < tries && !through; i++) {
            s2_error *err = attempt(s);

            through = !err || err->code != LIBSSH2_ERROR_EAGAIN;
            s2_error_free(err);
            if (!through)
                s2_poll(s2_session_fileno(s), -1, LIBSSH2_SESSION_BLOCK_INBOUND,
                        1000);
        }
        s2_session_set_blocking(s, true);
        if (tries % 2)
            must(s2_session_userauth_publickey_fromfile(
                s, "anyone", fixture("SSH2_KEY"), NULL, NULL));
        s2_release(s);
    }
}

static int
raise_always(void *ctx, s2_session *s, int kind, const s2_value *args,
             size_t count)
{
    (void)ctx, (void)s, (void)kind, (void)args, (void)count;
    return S2_RAISED;
}

/* There is an event for the next call to tell. */
static bool
with_event(s2_session *s)
{
    s2_event *e = calloc(1, sizeof *e);

    *s->events.last = e;
    s->events.last = &e->next;
    s->events.messages++;
    atomic_store(&s->events.any, true);
    return true;
}

/* The language raises once the call is over, and frees nothing. */
#define GIVES_NOTHING(call, given)                                             \
    do {                                                                       \
        if (with_event(s) && call == &s2_raised && !(given))                   \
            break;                                                             \
        printf("not ok - what is raised out of gives something: %s\n", #call); \
        exit(1);                                                               \
    } while (0)

static void
what_a_raise_ends_gives_nothing(void)
{
    s2_session *s = s2_session_create();
    s2_host host = {.notify = raise_always};
    s2_channel *ch = NULL;
    s2_agent *agent = NULL;
    s2_list list = {0};
    s2_buf text[3] = {{0}};
    int type;

    must(s2_session_connect(s, fixture("SSH2_HOST"), atoi(fixture("SSH2_PORT")),
                            20000, fixture("SSH2_KNOWN_HOSTS"), true));
    s2_set_host(&host);
    GIVES_NOTHING(s2_session_userauth_list(s, fixture("SSH2_USER"), &list),
                  list.item);
    GIVES_NOTHING(s2_session_supported_algs(s, LIBSSH2_METHOD_KEX, &list),
                  list.item);
    GIVES_NOTHING(s2_session_last_error(s, text), text->data);
    GIVES_NOTHING(s2_session_methods(s, LIBSSH2_METHOD_KEX, text), text->data);
    GIVES_NOTHING(s2_session_hostkey(s, text, &type), text->data);
    GIVES_NOTHING(s2_session_hostkey_hash(s, LIBSSH2_HOSTKEY_HASH_SHA1, text),
                  text->data);
    must(s2_session_agent_init(s, &agent));
    must(s2_agent_set_identity_path(agent, "/x"));
    GIVES_NOTHING(s2_agent_get_identity_path(agent, text), text->data);
    s2_release(agent);
    must(s2_session_userauth_publickey_fromfile(
        s, fixture("SSH2_USER"), fixture("SSH2_KEY"), NULL, NULL));
    must(s2_session_open_session(s, &ch));
    must(s2_channel_execute(ch, "kill -9 $$"));
    must(s2_channel_wait_eof(ch));
    must(s2_channel_close(ch));
    must(s2_channel_wait_closed(ch));
    GIVES_NOTHING(s2_channel_get_exit_signal(ch, &text[0], &text[1], &text[2]),
                  text[0].data || text[1].data || text[2].data);
    must(s2_channel_get_exit_signal(ch, &text[0], &text[1], &text[2]));
    if (!text->data || strcmp(text->data, "KILL")) {
        printf("not ok - the signal is %s\n", text->data);
        exit(1);
    }
    for (int i = 0; i < 3; i++)
        s2_buf_free(&text[i]);
    s2_release(ch);
    s2_release(s);
    s2_set_host(&(s2_host){0});
}

int
main(void)
{
    must(s2_init());
    a_session_goes_with_an_opening_that_nobody_wants();
    an_sftp_goes_with_an_opening_that_nobody_wants();
    a_file_opened_late_is_counted();
    a_write_taken_up_again_writes_once();
    a_call_can_be_left_at_any_point(send_file);
    a_call_can_be_left_at_any_point(send_and_hear);
    a_call_can_be_left_at_any_point(receive_file);
    a_call_can_be_left_at_any_point(receive_none);
    a_call_can_be_left_at_any_point(keep_keys);
    a_call_can_be_left_at_any_point(list_keys);
    a_call_can_be_left_at_any_point(reach_out);
    a_call_can_be_left_at_any_point(reach_nobody);
    a_call_can_be_left_at_any_point(listen_to);
    a_call_can_be_left_at_any_point(accept_one);
    a_call_can_be_left_at_any_point(accept_none);
    what_a_raise_ends_gives_nothing();
    if (getenv("SSH2_ASYNCSSH_PORT")) {
        an_attempt_can_be_left_at_any_point(by_password);
        an_attempt_can_be_left_at_any_point(by_answers);
        an_attempt_can_be_left_at_any_point(by_signature);
        an_attempt_can_be_left_at_any_point(by_token);
    }
    printf("left: what was left behind did no harm\n");
    return 0;
}
