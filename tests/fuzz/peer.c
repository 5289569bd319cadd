/* See peer.h. */
#define OPENSSL_SUPPRESS_DEPRECATED /* there is no other way to be repeatable */
#define EXPORT __attribute__((visibility("default")))
#include "peer.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <poll.h>
#include <sanitizer/lsan_interface.h>
#include <sys/socket.h>

enum {
    LIMIT = 1 << 20,  /* of what one input can make the peer say */
    PATIENCE = 10000, /* waits of one call; none of them lasts */
    OWED = 256,
    ANSWERS = 1024, /* a session that asks for more is left */
};

typedef struct bytes {
    unsigned char at[LIMIT];
    size_t len, start;
} bytes;

/* An honest answer: of the packet's payload, or bytes if it is raw. */
typedef struct owed {
    unsigned char payload[1400];
    size_t len;
    bool raw;
    bool request; /* it answers one of SFTP's; its number is in `id` */
    uint32_t id;
} owed;

static struct {
    cursor input;
    unsigned flags;
    bool honest;
    bytes out;  /* on its way to the session */
    bytes said; /* all so far */
    bytes in;   /* of a packet of the session's, or of its first line */
    bytes sftp; /* the same, of SFTP's */
    size_t records;
    owed owed[OWED];
    size_t first, count, answers;
    bool greeted, keyed; /* its first line came; it has other keys now */
    bool scp, keys;      /* what its channel runs */
    unsigned reads, lists, odd;
    int tries;
    s2_buf client_kexinit, server_kexinit, client_banner;
    cursor agent; /* what is left of the agent's answers */
    int agent_fd;
} p;

static const char banner[] = "SSH-2.0-peer";
static EVP_PKEY *host_key, *kex_key;
static unsigned char host_public[32], kex_public[32];

/* --- randomness ---------------------------------------------------------- */

static uint64_t seed;

static int
not_random(unsigned char *to, int len)
{
    for (int i = 0; i < len; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        to[i] = (unsigned char)(seed >> 56);
    }
    return 1;
}

static int
always(void)
{
    return 1;
}

static const RAND_METHOD method = {.bytes = not_random,
                                   .pseudorand = not_random,
                                   .status = always};

/* --- what is said -------------------------------------------------------- */

static void
put(bytes *b, const void *src, size_t len)
{
    if (len > LIMIT - b->len)
        len = LIMIT - b->len;
    if (len)
        memcpy(b->at + b->len, src, len);
    b->len += len;
}

static void
say(const void *src, size_t len)
{
    put(&p.out, src, len);
    put(&p.said, src, len);
}

static void
put_packet(const void *payload, size_t len)
{
    static const unsigned char zeros[16];
    unsigned char head[5];
    size_t pad = 8 - (5 + len) % 8;

    if (pad < 4)
        pad += 8;
    put_u32(head, 1 + len + pad);
    head[4] = (unsigned char)pad;
    say(head, 5);
    say(payload, len);
    say(zeros, pad);
    p.records++;
}

static void
put_data(const void *src, size_t len)
{
    static unsigned char packet[9 + 65536 + 8];

    packet[0] = 94; /* CHANNEL_DATA, of channel 0 */
    memset(packet + 1, 0, 4);
    put_string(packet + 5, src, len);
    put_packet(packet, 9 + len);
}

static owed *
oldest(void)
{
    return p.count ? &p.owed[p.first] : NULL;
}

static void
paid(void)
{
    p.first = (p.first + 1) % OWED;
    p.count--;
}

static owed *
owe(const void *payload, size_t len)
{
    static owed lost;
    owed *o = &lost;

    if (p.count < OWED)
        o = &p.owed[(p.first + p.count++) % OWED];
    if (len > sizeof o->payload)
        len = sizeof o->payload;
    memcpy(o->payload, payload, len);
    o->len = len;
    o->raw = o->request = false;
    return o;
}

static bool
pay(void)
{
    owed *o = oldest();

    if (!o || p.answers == ANSWERS)
        return false;
    p.answers++;
    if (o->raw) {
        say(o->payload, o->len);
    } else {
        put_packet(o->payload, o->len);
    }
    paid();
    return true;
}

/* The data of a record, which is SFTP's if it says so. */
static void
put_record_data(unsigned head, cursor data)
{
    static unsigned char packet[4 + 65536];
    unsigned char *start = packet + 4;
    size_t len = data.left;

    if (len)
        memcpy(start, data.at, len);
    if (head & PEER_OLDEST) {
        owed *o = oldest();

        if (o && o->request && len >= 5)
            put_u32(start + 1, o->id);
        if (o)
            paid();
    }
    if (head & PEER_LENGTH) {
        start = packet;
        put_u32(start, len);
        len += 4;
    }
    if (head & PEER_HALVES) {
        put_data(start, len / 2);
        put_data(start + len / 2, len - len / 2);
        put(&p.said, start, len);
    } else {
        put_data(start, len);
    }
}

static bool
say_record(void)
{
    unsigned head = peer_byte();
    cursor data;

    if ((head & 3) == 0) {
        for (unsigned n = 1 + head / 4 % 8; n && pay(); n--)
            ;
        return true;
    }
    data = peer_bytes();
    if ((head & 3) == 3) {
        put_record_data(head, data);
    } else if ((head & 3) == 2) {
        say(data.at, data.left);
        p.records++;
    } else {
        if (oldest() && (head & PEER_OLDEST))
            paid();
        put_packet(data.at, data.left);
    }
    return true;
}

/* Something to say; false: never again. */
static bool
speak(void)
{
    while (p.out.start == p.out.len) {
        p.out.start = p.out.len = 0;
        if (!p.honest && p.input.left)
            say_record();
        else if ((!p.honest && (p.flags & PEER_CUT)) || !pay())
            return false;
    }
    return true;
}

/* --- what an honest server answers --------------------------------------- */

static unsigned char *
put_text(unsigned char *to, const char *text)
{
    return put_string(to, text, strlen(text));
}

static void
owe_kexinit(void)
{
    static const char *const names[] = {
        "curve25519-sha256", "ssh-ed25519", "none", "none", "none", "none",
        "none",              "none",        "",     ""};
    unsigned char packet[256] = {20}, *to = packet + 17;

    for (size_t i = 0; i < 10; i++)
        to = put_text(to, names[i]);
    memset(to, 0, 5);
    to += 5;
    s2_buf_set(&p.server_kexinit, packet, (size_t)(to - packet));
    owe(packet, (size_t)(to - packet));
}

static size_t
derive(cursor theirs, unsigned char *secret)
{
    size_t len = 32;
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL,
                                                theirs.at, theirs.left);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(kex_key, NULL);

    if (!key || EVP_PKEY_derive_init(ctx) <= 0 ||
        EVP_PKEY_derive_set_peer(ctx, key) <= 0 ||
        EVP_PKEY_derive(ctx, secret, &len) <= 0)
        len = 0;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    return len;
}

static void
owe_keys(cursor theirs)
{
    unsigned char secret[33] = {0}, blob[64], sig[64], hash[32];
    unsigned char packet[256] = {31}, *to = blob;
    static unsigned char text[LIMIT + 4096];
    size_t blob_len, len = 64, skip = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    if (theirs.left != 32 || !derive(theirs, secret + 1) ||
        p.client_kexinit.len > LIMIT) {
        EVP_MD_CTX_free(ctx);
        return;
    }
    to = put_string(put_text(to, "ssh-ed25519"), host_public, 32);
    blob_len = (size_t)(to - blob);
    to = put_string(text, p.client_banner.data, p.client_banner.len);
    to = put_text(to, banner);
    to = put_string(to, p.client_kexinit.data, p.client_kexinit.len);
    to = put_string(to, p.server_kexinit.data, p.server_kexinit.len);
    to = put_string(to, blob, blob_len);
    to = put_string(to, theirs.at, 32);
    to = put_string(to, kex_public, 32);
    while (skip < 32 && !secret[skip] && secret[skip + 1] < 128)
        skip++;
    to = put_string(to, secret + skip, 33 - skip);
    EVP_Digest(text, (size_t)(to - text), hash, NULL, EVP_sha256(), NULL);
    EVP_DigestSignInit(ctx, NULL, NULL, NULL, host_key);
    EVP_DigestSign(ctx, sig, &len, hash, 32);
    EVP_MD_CTX_free(ctx);
    to = put_string(packet + 1, blob, blob_len);
    to = put_string(to, kex_public, 32);
    to = put_u32(to, 4 + 11 + 4 + 64);
    to = put_string(put_text(to, "ssh-ed25519"), sig, 64);
    owe(packet, (size_t)(to - packet));
    owe((unsigned char[]){21}, 1);
}

static void
owe_auth(cursor c)
{
    unsigned char packet[1400] = {51}, *to;
    cursor method;

    take_string(&c);
    take_string(&c);
    method = take_string(&c);
    if (is(method, "none")) {
        to = put_text(packet + 1, "publickey,password,keyboard-interactive");
        *to++ = 0;
        owe(packet, (size_t)(to - packet));
    } else if (is(method, "publickey") && !take_byte(&c)) {
        cursor name = take_string(&c), blob = take_string(&c);

        packet[0] = 60;
        if (name.left + blob.left < 1300) {
            to = put_string(packet + 1, name.at, name.left);
            to = put_string(to, blob.at, blob.left);
            owe(packet, (size_t)(to - packet));
        }
    } else if (is(method, "keyboard-interactive")) {
        packet[0] = 60;
        to = put_text(put_text(put_text(packet + 1, "name"), "do"), "");
        to = put_text(put_u32(to, 1), "Password: ");
        *to++ = 0;
        owe(packet, (size_t)(to - packet));
    } else {
        owe((unsigned char[]){52}, 1);
    }
}

static void
owe_data(size_t channel, const void *src, size_t len)
{
    unsigned char packet[1400] = {94};
    unsigned char *to =
        put_string(put_u32(packet + 1, channel), src, len);

    owe(packet, (size_t)(to - packet));
}

static void
owe_sftp(int type, size_t id, const unsigned char *rest, size_t len)
{
    unsigned char packet[1400] = {94}, *to = put_u32(packet + 1, 0);
    owed *o;

    to = put_u32(put_u32(to, len + 9), len + 5);
    *to++ = (unsigned char)type;
    to = put_u32(to, id);
    memcpy(to, rest, len);
    o = owe(packet, (size_t)(to + len - packet));
    o->request = true;
    o->id = (uint32_t)id;
}

static unsigned char *
put_attrs(unsigned char *to, size_t size)
{
    to = put_u32(put_u32(put_u32(to, 13), 0), size);
    return put_u32(put_u32(put_u32(to, 0100644), 1), 2);
}

static void
owe_names(size_t id, bool dir)
{
    static const char *const names[] = {".", "file", "folder"};
    unsigned char rest[512], *to = put_u32(rest, dir ? 3 : 1);

    for (int i = dir ? 0 : 2; i < 3; i++)
        to = put_attrs(put_text(put_text(to, names[i]), "-rw-r--r-- it"), 7);
    owe_sftp(104, id, rest, (size_t)(to - rest));
}

static void
owe_status(size_t id, size_t status)
{
    unsigned char rest[64], *to = put_u32(rest, status);

    to = put_text(put_text(to, "as it is"), "");
    owe_sftp(101, id, rest, (size_t)(to - rest));
}

static void
serve_sftp(cursor c)
{
    int type = take_byte(&c);
    size_t id = take_u32(&c);
    unsigned char rest[1200] = {0}, *to;
    cursor name;

    switch (type) {
    case 1:
        to = put_text(put_text(rest, "statvfs@openssh.com"), "2");
        to = put_text(put_text(to, "fstatvfs@openssh.com"), "2");
        to = put_text(put_text(to, "fsync@openssh.com"), "1");
        to = put_text(put_text(to, "posix-rename@openssh.com"), "1");
        owe_sftp(2, 3, rest, (size_t)(to - rest));
        break;
    case 3:
    case 11:
        to = put_text(rest, "handle");
        owe_sftp(102, id, rest, (size_t)(to - rest));
        break;
    case 5:
        take_string(&c);
        if (p.reads++ % 4 == 3 || take_u32(&c) || take_u32(&c) > 3000) {
            owe_status(id, 1);
            break;
        }
        memset(rest + 4, 'd', 1000);
        put_u32(rest, 1000);
        owe_sftp(103, id, rest, 1004);
        break;
    case 7:
    case 8:
    case 17:
        owe_sftp(105, id, rest, (size_t)(put_attrs(rest, 7) - rest));
        break;
    case 12:
        if (p.lists++ % 2)
            owe_status(id, 1);
        else
            owe_names(id, true);
        break;
    case 16:
    case 19:
        owe_names(id, false);
        break;
    case 200:
        name = take_string(&c);
        if (is(name, "statvfs@openssh.com") ||
            is(name, "fstatvfs@openssh.com")) {
            owe_sftp(201, id, rest, 88);
            break;
        }
        /* fall through */
    default:
        owe_status(id, 0);
    }
}

static void
serve_data(size_t channel, cursor data)
{
    static const unsigned char status[] =
        "\0\0\0\x1e\0\0\0\6status\0\0\0\0\0\0\0\4well\0\0\0\2en";

    if (p.scp) {
        owe_data(channel, "", 1);
        return;
    }
    if (p.keys) {
        owe_data(channel, status, sizeof status - 1);
        return;
    }
    if (channel || p.sftp.len + data.left > LIMIT)
        return;
    put(&p.sftp, data.at, data.left);
    for (;;) {
        cursor c = {p.sftp.at, p.sftp.len};
        cursor packet = take_string(&c);

        if (!packet.at || !packet.left)
            return;
        serve_sftp(packet);
        memmove(p.sftp.at, c.at, c.left);
        p.sftp.len = c.left;
    }
}

static void
serve_request(cursor c)
{
    unsigned char packet[64] = {99}, *to;
    size_t channel = take_u32(&c);
    cursor name = take_string(&c), what;
    bool reply = take_byte(&c);

    put_u32(packet + 1, channel);
    if (reply)
        owe(packet, 5);
    what = take_string(&c);
    if (is(name, "subsystem") && is(what, "publickey")) {
        p.keys = true;
        owe_data(channel, "\0\0\0\x0f\0\0\0\7version\0\0\0\2", 19);
    } else if (is(name, "exec") && what.left > 3 &&
               !memcmp(what.at, "scp", 3)) {
        p.scp = true;
        if (memchr(what.at, 't', what.left))
            owe_data(channel, "", 1);
        else
            owe_data(channel, "C0644 5 it\nhello", 17);
    } else if (is(name, "exec") || is(name, "shell")) {
        owe_data(channel, "hello\n", 6);
        packet[0] = 95;
        to = put_text(put_u32(packet + 5, 1), "oops\n");
        owe(packet, (size_t)(to - packet));
        packet[0] = 98;
        to = put_text(packet + 5, "exit-status");
        *to++ = 0;
        owe(packet, (size_t)(put_u32(to, 3) - packet));
        packet[0] = 96;
        owe(packet, 5);
        packet[0] = 97;
        owe(packet, 5);
    }
}

static void
serve_open(cursor c)
{
    unsigned char packet[17] = {91}, *to;

    take_string(&c);
    to = packet + 1;
    for (size_t i = 0, channel = take_u32(&c); i < 2; i++)
        to = put_u32(to, channel);
    put_u32(put_u32(to, 1 << 21), 32768);
    owe(packet, sizeof packet);
}

static void
serve(cursor packet)
{
    unsigned char reply[64];
    cursor c = packet;
    size_t channel;

    switch (take_byte(&c)) {
    case 5:
        reply[0] = 6;
        owe(reply, (size_t)(put_text(reply + 1, "ssh-userauth") - reply));
        break;
    case 20:
        s2_buf_free(&p.client_kexinit);
        s2_buf_set(&p.client_kexinit, packet.at, packet.left);
        break;
    case 30:
        owe_keys(take_string(&c));
        break;
    case 21:
        p.keyed = true;
        break;
    case 50:
        owe_auth(c);
        break;
    case 61:
        owe((unsigned char[]){52}, 1);
        break;
    case 80:
        take_string(&c);
        if (take_byte(&c))
            owe((unsigned char[]){81, 0, 0, 4, 0}, 5);
        break;
    case 90:
        serve_open(c);
        break;
    case 94:
        channel = take_u32(&c);
        serve_data(channel, take_string(&c));
        break;
    case 98:
        serve_request(c);
        break;
    case 97:
        reply[0] = 97;
        memcpy(reply + 1, c.at, c.left < 4 ? c.left : 4);
        owe(reply, 5);
        break;
    }
}

static bool
serve_line(void)
{
    unsigned char *end = memchr(p.in.at, '\n', p.in.len);
    size_t len = end ? (size_t)(end - p.in.at) : 0;

    if (!end)
        return false;
    s2_buf_free(&p.client_banner);
    s2_buf_set(&p.client_banner, p.in.at, len && end[-1] == '\r' ? len - 1
                                                                 : len);
    p.in.len -= len + 1;
    memmove(p.in.at, end + 1, p.in.len);
    return p.greeted = true;
}

static void
hear(const void *src, size_t len)
{
    put(&p.in, src, len);
    if (!p.greeted && !serve_line())
        return;
    for (;;) {
        cursor c = {p.in.at, p.in.len};
        cursor packet = take_string(&c);
        int pad = take_byte(&packet);

        if (!packet.at || (size_t)pad > packet.left)
            return;
        packet.left -= (size_t)pad;
        serve(packet);
        memmove(p.in.at, c.at, c.left);
        p.in.len = c.left;
    }
}

/* --- in place of the system's -------------------------------------------- */

ssize_t __wrap_recv(int fd, void *dst, size_t cap, int flags);
ssize_t __wrap_send(int fd, const void *src, size_t len, int flags);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len);
void __wrap_s2_alloc_end(s2_alloc *a);
void __real_s2_alloc_end(s2_alloc *a);
int __wrap_poll(struct pollfd *fds, nfds_t count, int ms);
int __wrap__libssh2_bcrypt_pbkdf(const char *pass, size_t pass_len,
                                 const uint8_t *salt, size_t salt_len,
                                 uint8_t *key, size_t key_len,
                                 unsigned rounds);
int __real__libssh2_bcrypt_pbkdf(const char *pass, size_t pass_len,
                                 const uint8_t *salt, size_t salt_len,
                                 uint8_t *key, size_t key_len,
                                 unsigned rounds);

static bool
busy(unsigned flag, size_t *len)
{
    if (!(p.flags & flag))
        return false;
    if (*len > 7)
        *len = 7;
    return p.odd++ % 2;
}

ssize_t
__wrap_recv(int fd, void *dst, size_t cap, int flags)
{
    cursor c;

    (void)flags;
    if (busy(PEER_PIECES, &cap)) {
        errno = EAGAIN;
        return -1;
    }
    if (fd == p.agent_fd) {
        c = take(&p.agent, cap < p.agent.left ? cap : p.agent.left);
    } else {
        if (!speak())
            return 0;
        c = (cursor){p.out.at + p.out.start, p.out.len - p.out.start};
        c = take(&c, cap < c.left ? cap : c.left);
        p.out.start += c.left;
    }
    if (c.left)
        memcpy(dst, c.at, c.left);
    return (ssize_t)c.left;
}

ssize_t
__wrap_send(int fd, const void *src, size_t len, int flags)
{
    (void)flags;
    if (busy(PEER_NARROW, &len)) {
        errno = EAGAIN;
        return -1;
    }
    if (fd != p.agent_fd)
        hear(src, len);
    return (ssize_t)len;
}

/* An agent: each connection has an answer of its own. */
int
__wrap_connect(int fd, const struct sockaddr *to, socklen_t len)
{
    (void)to;
    (void)len;
    p.agent_fd = fd;
    p.agent = peer_bytes();
    put(&p.said, p.agent.at, p.agent.left);
    p.records++;
    return 0;
}

int
__wrap_poll(struct pollfd *fds, nfds_t count, int ms)
{
    (void)ms;
    (void)count;
    if (++p.tries > PATIENCE)
        PEER_WRONG("hang: a call waits for what does not come");
    fds[0].revents = fds[0].fd < 0 ? 0 : fds[0].events;
    fds[1].revents = 0;
    return fds[0].revents != 0;
}

/* So many rounds as a key file likes are slow, which is known. */
int
__wrap__libssh2_bcrypt_pbkdf(const char *pass, size_t pass_len,
                             const uint8_t *salt, size_t salt_len, uint8_t *key,
                             size_t key_len, unsigned rounds)
{
    return __real__libssh2_bcrypt_pbkdf(pass, pass_len, salt, salt_len, key,
                                        key_len, rounds > 1 ? 1 : rounds);
}

/* What libssh2 forgets of a session that failed is lost, and known to be. */
void
__wrap_s2_alloc_end(s2_alloc *a)
{
    const s2_session *s =
        (const s2_session *)((char *)a - offsetof(s2_session, alloc));

    for (size_t i = 0; s->dead && i < a->slots; i++)
        if (a->table[i].p && !a->table[i].freed)
            __lsan_ignore_object(a->table[i].p);
    __real_s2_alloc_end(a);
}

/* --- for the harnesses --------------------------------------------------- */

static int pair[2];

EXPORT int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    unsigned char private[32];
    size_t len = 32;

    (void)argc;
    (void)argv;
    RAND_set_rand_method(&method);
    not_random(private, 32);
    host_key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private, 32);
    not_random(private, 32);
    kex_key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private, 32);
    if (s2_init() || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
        !EVP_PKEY_get_raw_public_key(host_key, host_public, &len) ||
        !EVP_PKEY_get_raw_public_key(kex_key, kex_public, &len))
        abort();
    return 0;
}

void
peer_begin(const unsigned char *data, size_t size)
{
    seed = 1;
    p.input = (cursor){data, size};
    p.flags = peer_byte();
    p.honest = p.greeted = p.keyed = p.scp = p.keys = false;
    p.out.len = p.out.start = p.said.len = p.in.len = p.sftp.len = 0;
    p.first = p.count = p.answers = p.records = 0;
    p.reads = p.lists = p.odd = 0;
    p.tries = 0;
    p.agent_fd = -1;
    owe(banner, sizeof banner - 1)->raw = true;
    owe("\r\n", 2)->raw = true;
    s2_buf_free(&p.server_kexinit);
    owe_kexinit();
}

unsigned
peer_byte(void)
{
    return p.input.left ? (unsigned)take_byte(&p.input) : 0;
}

cursor
peer_bytes(void)
{
    size_t len = peer_byte() << 8;

    len |= peer_byte();
    return take(&p.input, len < p.input.left ? len : p.input.left);
}

void
peer_honest(bool on)
{
    p.honest = on;
}

int
peer_socket(void)
{
    return pair[0];
}

s2_session *
peer_session(void)
{
    s2_session *s = s2_session_create();

    if (!s)
        abort();
    s2_session_set_timeout(s, 5000);
    s2_session_set_blocking(s, !(p.flags & PEER_ASYNC));
    return s;
}

s2_session *
peer_shaken(void)
{
    static const int methods[] = {
        LIBSSH2_METHOD_CRYPT_CS, LIBSSH2_METHOD_CRYPT_SC, LIBSSH2_METHOD_MAC_CS,
        LIBSSH2_METHOD_MAC_SC};
    s2_session *s = peer_session();
    unsigned flags = p.flags;

    p.honest = true;
    p.flags &= ~(unsigned)(PEER_LEAVE | PEER_PIECES | PEER_NARROW);
    for (size_t i = 0; i < 4; i++)
        PEER_TRY(s2_session_method_pref(s, methods[i], "none"));
    if (!PEER_TRY(s2_session_handshake(s, pair[0])))
        PEER_WRONG("the honest server's handshake fails");
    p.flags = flags;
    p.honest = false;
    return s;
}

s2_session *
peer_let_in(void)
{
    s2_session *s = peer_shaken();
    unsigned flags = p.flags;

    p.honest = true;
    p.flags &= ~(unsigned)(PEER_LEAVE | PEER_PIECES | PEER_NARROW);
    if (!PEER_TRY(s2_session_userauth_password(s, "me", "it", NULL, NULL)))
        PEER_WRONG("the honest server lets nobody in");
    p.flags = flags;
    p.honest = false;
    return s;
}

void
peer_end(s2_session *s)
{
    size_t before = s2_leaked;

    p.tries = 0;
    s2_release(s);
    /* Some blocks that are left libssh2 has freed behind our back. */
    if (s2_leaked != before && __lsan_do_recoverable_leak_check())
        PEER_WRONG("%zu blocks leaked", s2_leaked - before);
    s2_buf_free(&p.client_kexinit);
    s2_buf_free(&p.client_banner);
}

void
peer_patience(void)
{
    p.tries = 0;
}

bool
peer_again(void)
{
    if (++p.tries > PATIENCE)
        PEER_WRONG("hang: a call would always block");
    return p.tries < 2 || !(p.flags & PEER_LEAVE);
}

bool
peer_check(s2_error *err)
{
    char *message;

    if (!err || err == &s2_again)
        return !err;
    message = s2_error_message(err);
    if (err->cls >= S2_CLASS_COUNT || err->code >= 0 || !message ||
        !s2_class_name(err->cls) || !err->name || !err->func || !err->text ||
        err == &s2_no_memory)
        PEER_WRONG("an error of class %d, code %d: %s", (int)err->cls,
                   err->code, message ? message : "");
    free(message);
    s2_error_free(err);
    return false;
}

static size_t
longest(const unsigned char *at, size_t len)
{
    size_t best = 0;

    for (size_t i = 0; i + best < p.said.len && best < len; i++) {
        const unsigned char *from =
            memchr(p.said.at + i, *at, p.said.len - best - i);
        size_t n = 0;

        if (!from)
            break;
        i = (size_t)(from - p.said.at);
        while (n < len && i + n < p.said.len && from[n] == at[n])
            n++;
        if (n > best)
            best = n;
    }
    return best;
}

void
peer_said(const void *src, size_t len, bool whole)
{
    const unsigned char *at = src;
    size_t parts = 0, all = len, n;

    for (; len; at += n, len -= n, parts++)
        if (!(n = longest(at, len)) || (whole && n < len) ||
            parts > p.records)
            PEER_WRONG("%zu of %zu bytes that nobody sent", len, all);
}

bool
peer_answer(void *ctx, const s2_value *args, size_t count, s2_value *answer)
{
    for (size_t i = 0; i < count; i++)
        if (args[i].kind == S2_LABEL)
            peer_said(args[i].bytes.data, args[i].bytes.len, true);
        else if (args[i].kind == S2_LIST)
            for (int64_t n = 0; n < args[i].number; n++)
                peer_said(args[i].item[n].bytes.data,
                          args[i].item[n].bytes.len, true);
    (void)ctx;
    if (!answer)
        return true;
    if (answer->kind == S2_NUMBER)
        answer->number = 1;
    else if (answer->kind != S2_LIST)
        return s2_buf_set(&answer->bytes, "guess", 5);
    else
        for (int64_t i = 0; i < answer->number; i++)
            peer_answer(NULL, NULL, 0, &answer->item[i]);
    return true;
}
