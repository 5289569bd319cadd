/*
 * Channels, and the ways to be let in: what a server answers to commands,
 * forwards, SCP, kept keys, questions; and what it does on its own.
 */
#include "peer.h"

static const char key[] = "\0\0\0\x0bssh-ed25519\0\0\0\x20"
                          "0123456789abcdef0123456789abcdef";

typedef struct state {
    s2_session *s;
    s2_channel *ch[2];
    s2_listener *l;
    s2_publickey *pk;
} state;

static int
notify(void *ctx, s2_session *s, int kind, const s2_value *args, size_t count)
{
    (void)ctx;
    (void)s;
    (void)kind;
    for (size_t i = 0; i < count; i++)
        if (args[i].kind == S2_TEXT || args[i].kind == S2_BYTES ||
            args[i].kind == S2_LABEL)
            peer_said(args[i].bytes.data, args[i].bytes.len, true);
    return 0;
}

static void
fill(s2_channel **ch, s2_channel *fresh)
{
    if (!fresh)
        return;
    s2_release(*ch);
    *ch = fresh;
}

static void
read_channel(s2_channel *ch, unsigned how)
{
    static char bytes[40000];
    size_t cap = how & 1 ? 3 : sizeof bytes, len;

    if (!PEER_TRY(s2_channel_read(ch, how & 2 ? 1 : 0, bytes, cap, &len)))
        return;
    if (len > cap)
        PEER_WRONG("%zu bytes read, of %zu", len, cap);
    peer_said(bytes, len, false);
}

static void
write_channel(s2_channel *ch, unsigned how)
{
    static const char bytes[40000] = "\0\1";
    size_t len = how & 1 ? sizeof bytes : 1 + (how & 2) * 2, n = 0;

    PEER_TRY(s2_channel_write(ch, how & 4 ? 1 : 0, bytes, len, &n));
    if (n > len)
        PEER_WRONG("%zu bytes written, of %zu", n, len);
}

static void
told(const s2_value *v)
{
    if (v->kind == S2_TEXT || v->kind == S2_BYTES || v->kind == S2_LABEL)
        peer_said(v->bytes.data, v->bytes.len, true);
    for (int64_t i = 0; v->kind == S2_LIST && i < v->number; i++)
        told(&v->item[i]);
}

static void
let_in(s2_session *s, unsigned which)
{
    s2_list texts = {0};

    switch (which % 8) {
    case 0:
        if (PEER_TRY(s2_session_userauth_list(s, "me", &texts)))
            for (size_t i = 0; i < texts.count; i++)
                peer_said(texts.item[i].data, texts.item[i].len, true);
        s2_list_free(&texts);
        break;
    case 1:
        PEER_TRY(s2_session_userauth_password(s, "me", "it", NULL, NULL));
        break;
    case 2:
        PEER_TRY(
            s2_session_userauth_password(s, "me", "it", peer_answer, NULL));
        break;
    case 3:
        PEER_TRY(s2_session_userauth_keyboardinteractive(s, "me", "it"));
        break;
    case 4:
    case 5:
        PEER_TRY(s2_session_userauth_keyboardinteractive_callback(
            s, "me", peer_answer, NULL));
        break;
    case 6:
        PEER_TRY(s2_session_userauth_publickey(s, "me", key, sizeof key - 1,
                                               peer_answer, NULL));
        break;
    }
}

static void
open_call(state *t, s2_channel **ch, unsigned which, unsigned how)
{
    s2_channel *fresh = NULL;
    s2_fileinfo info;
    s2_value keys = {0};
    int port;

    switch (which) {
    case 0:
    case 1:
    case 2:
        PEER_TRY(s2_session_open_session(t->s, &fresh));
        break;
    case 3:
        PEER_TRY(s2_session_direct_tcpip(t->s, "host", 7, &fresh));
        break;
    case 4:
        if (!t->l)
            PEER_TRY(s2_session_forward_listen_ex(t->s, 2, "host", 0, &t->l,
                                                  &port));
        break;
    case 5:
        if (t->l)
            PEER_TRY(s2_listener_forward_accept(t->l, &fresh));
        break;
    case 6:
        if (t->l && how & 1)
            PEER_TRY(s2_listener_forward_cancel(t->l));
        s2_release(t->l);
        t->l = NULL;
        break;
    case 7:
        PEER_TRY(s2_session_scp_recv2(t->s, "/file", &fresh, &info));
        break;
    case 8:
        PEER_TRY(s2_session_scp_send64(t->s, "/file", 0600, 5, how & 1, how & 1,
                                       &fresh));
        break;
    case 9:
        if (!t->pk)
            PEER_TRY(s2_session_publickey_init(t->s, &t->pk));
        break;
    case 10:
        if (t->pk)
            PEER_TRY(s2_publickey_add(t->pk, "ssh-ed25519", 11, key,
                                      sizeof key - 1, how & 1, NULL));
        break;
    case 11:
        if (t->pk)
            PEER_TRY(s2_publickey_remove(t->pk, "ssh-ed25519", 11, key,
                                         sizeof key - 1));
        break;
    case 12:
        if (t->pk && PEER_TRY(s2_publickey_list_fetch(t->pk, &keys)))
            told(&keys);
        s2_value_free(&keys);
        break;
    case 13:
        if (t->pk && how & 1)
            PEER_TRY(s2_publickey_shutdown(t->pk));
        s2_release(t->pk);
        t->pk = NULL;
        break;
    }
    fill(ch, fresh);
}

static void
channel_call(s2_channel *ch, unsigned which, unsigned how)
{
    s2_buf text[3] = {0};
    bool end;
    int n;

    switch (which) {
    case 14:
        PEER_TRY(s2_channel_pty(ch, "vt100", NULL, 0, 80, 24, 0, 0));
        break;
    case 15:
        PEER_TRY(s2_channel_setenv(ch, "A", "b"));
        break;
    case 16:
        PEER_TRY(s2_channel_x11_req(ch, 0));
        break;
    case 17:
        PEER_TRY(s2_channel_execute(ch, "command"));
        break;
    case 18:
        PEER_TRY(how & 1 ? s2_channel_shell(ch)
                         : s2_channel_subsystem(ch, "subsystem"));
        break;
    case 19:
    case 20:
    case 21:
        read_channel(ch, how);
        break;
    case 22:
        write_channel(ch, how);
        break;
    case 23:
        PEER_TRY(s2_channel_flush(ch, how & 1 ? LIBSSH2_CHANNEL_FLUSH_ALL : 0,
                                  &n));
        break;
    case 24:
        PEER_TRY(s2_channel_eof(ch, &end));
        break;
    case 25:
        PEER_TRY(s2_channel_send_eof(ch));
        break;
    case 26:
        PEER_TRY(s2_channel_wait_eof(ch));
        break;
    case 27:
        PEER_TRY(s2_channel_close(ch));
        break;
    case 28:
        PEER_TRY(s2_channel_wait_closed(ch));
        break;
    case 29:
        PEER_TRY(s2_channel_get_exit_status(ch, &n));
        break;
    case 30:
        if (PEER_TRY(
                s2_channel_get_exit_signal(ch, &text[0], &text[1], &text[2])))
            for (int i = 0; i < 3; i++)
                peer_said(text[i].data, text[i].len, true);
        for (int i = 0; i < 3; i++)
            s2_buf_free(&text[i]);
        break;
    case 31:
        PEER_TRY(s2_channel_pty_size(ch, 80, 24, 0, 0));
        break;
    }
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const s2_host host = {.notify = notify};
    static const int events[] = {
        LIBSSH2_CALLBACK_IGNORE, LIBSSH2_CALLBACK_DEBUG,
        LIBSSH2_CALLBACK_DISCONNECT, LIBSSH2_CALLBACK_X11,
#ifdef LIBSSH2_CALLBACK_AUTHAGENT
        LIBSSH2_CALLBACK_AUTHAGENT,
#endif
    };
    state t = {0};
    unsigned early, count;
    unsigned char calls[16];
    int next;

    s2_set_host(&host);
    peer_begin(data, size);
    early = peer_byte();
    count = early % 16;
    for (unsigned i = 0; i < count; i++)
        calls[i] = (unsigned char)peer_byte();
    t.s = early & 128 ? peer_shaken() : peer_let_in();
    if (early & 64)
        for (size_t i = 0; i < sizeof events / sizeof *events; i++)
            PEER_TRY(s2_session_callback_set(t.s, events[i], peer_answer,
                                             NULL));
    for (unsigned i = 0; i < count; i++) {
        s2_channel **ch = &t.ch[calls[i] >> 7];
        unsigned which = calls[i] & 31, how = calls[i] >> 5;

        if (early & 128 && !s2_session_userauth_authenticated(t.s))
            let_in(t.s, which);
        else if (which < 14)
            open_call(&t, ch, which, how);
        else if (*ch)
            channel_call(*ch, which, how);
    }
    if (early & 32)
        PEER_TRY(s2_session_keepalive_send(t.s, &next));
    if (early & 16)
        PEER_TRY(s2_session_disconnect(t.s, SSH_DISCONNECT_BY_APPLICATION,
                                       "bye"));
    s2_release(t.ch[0]);
    s2_release(t.ch[1]);
    s2_release(t.l);
    s2_release(t.pk);
    peer_end(t.s);
    return 0;
}
