/* Known hosts: what is looked up, what a file may hold, what it becomes. */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>

enum {
    OPENSSH = LIBSSH2_KNOWNHOST_FILE_OPENSSH,
    RAW = LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW,
    RSA_KEY = RAW | LIBSSH2_KNOWNHOST_KEY_SSHRSA,
    ED_KEY = RAW | LIBSSH2_KNOWNHOST_KEY_ED25519,
    BASE64 = LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_BASE64 |
             LIBSSH2_KNOWNHOST_KEY_SSHRSA,
};

typedef struct fixture {
    s2_session *s;
    s2_knownhost *kh;
    char dir[64], file[96];
} fixture;

static int
set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    if (!f || make_session((void **)&f->s))
        return -1;
    assert_ok(s2_session_knownhost_init(f->s, &f->kh));
    strcpy(f->dir, "/tmp/knownhost.XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(f->file, sizeof f->file, "%s/known_hosts", f->dir);
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    fixture *f = *state;
    DIR *dir = opendir(f->dir);
    struct dirent *e;
    char path[512];

    while ((e = readdir(dir))) {
        snprintf(path, sizeof path, "%s/%s", f->dir, e->d_name);
        if (e->d_name[0] != '.')
            remove(path);
    }
    closedir(dir);
    rmdir(f->dir);
    s2_release(f->kh);
    s2_release(f->s);
    free(f);
    return 0;
}

static int
files_in(const char *path)
{
    DIR *dir = opendir(path);
    int n = -2; /* . and .. */

    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void
put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void
assert_file(const char *path, const char *text)
{
    char in[8192];
    FILE *f = fopen(path, "r");
    size_t n;

    assert_non_null(f);
    n = fread(in, 1, sizeof in - 1, f);
    in[n] = '\0';
    fclose(f);
    assert_string_equal(in, text);
}

static s2_error *
add(fixture *f, const char *host, const char *key, int typemask)
{
    return s2_knownhost_addc(f->kh, host, NULL, key, strlen(key), NULL, 0,
                             typemask, NULL);
}

static s2_error *
check(fixture *f, const char *host, int port, const char *key, int typemask)
{
    s2_entry *e = NULL;
    s2_error *err =
        s2_knownhost_checkp(f->kh, host, port, key, strlen(key), typemask, &e);

    s2_release(e);
    return err;
}

static s2_error *
read_line(fixture *f, const char *line)
{
    return s2_knownhost_readline(f->kh, line, strlen(line), OPENSSH);
}

static int
count(fixture *f)
{
    s2_entry *e = NULL, *next = NULL;
    int n = 0;

    assert_ok(s2_knownhost_get(f->kh, NULL, &next));
    while (next) {
        n++;
        s2_release(e);
        e = next;
        next = NULL;
        assert_ok(s2_knownhost_get(f->kh, e, &next));
    }
    s2_release(e);
    return n;
}

/* --- the collection ------------------------------------------------------ */

static void
the_ways_a_check_ends(void **state)
{
    fixture *f = *state;

    assert_ok(add(f, "one", "AAAA", RSA_KEY));
    assert_ok(check(f, "one", -1, "AAAA", RSA_KEY));
    assert_ok(check(f, "one", 22, "AAAA", RSA_KEY));
    assert_ok(check(f, "one", 22, "AAAA", RAW));
    assert_ok(check(f, "one", 22, "QUFBQQ==", BASE64));
    assert_fails(check(f, "one", 22, "BBBB", RSA_KEY),
                 KnownHostCheckMisMatchError, "one");
    assert_fails(check(f, "one", 22, "BBBB", ED_KEY),
                 KnownHostCheckNotFoundError, "one");
    assert_fails(check(f, "two", 22, "AAAA", RSA_KEY),
                 KnownHostCheckNotFoundError, "two");
    assert_fails(check(f, "one", 22, "", RSA_KEY), KnownHostCheckFailure,
                 "empty");
    assert_fails(check(f, "one", 22, "Q", BASE64), KnownHostCheckFailure,
                 "base64");
}

static void
a_port_is_part_of_the_name(void **state)
{
    fixture *f = *state;

    assert_ok(add(f, "[one]:2222", "AAAA", RSA_KEY));
    assert_ok(check(f, "one", 2222, "AAAA", RSA_KEY));
    assert_fails(check(f, "one", 22, "AAAA", RSA_KEY),
                 KnownHostCheckNotFoundError, NULL);
    assert_fails(check(f, "one", -1, "AAAA", RSA_KEY),
                 KnownHostCheckNotFoundError, NULL);
}

static void
a_host_too_long_to_look_up_is_an_error(void **state)
{
    fixture *f = *state;
    char host[1000];

    memset(host, 'a', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    assert_fails(check(f, host, 22, "AAAA", RSA_KEY), KnownHostCheckFailure,
                 NULL);
    assert_fails(check(f, host, -1, "AAAA", RSA_KEY),
                 KnownHostCheckNotFoundError, NULL);
}

static void
what_no_file_can_hold_is_not_added(void **state)
{
    fixture *f = *state;
    const char *names[] = {"",       "a b", "a\nb ssh-rsa AAAA", "#a", "@a",
                           "|1|x|y", "a\tb"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_fails(add(f, names[i], "AAAA", RSA_KEY), KnownHostAddError,
                     NULL);
    assert_fails(add(f, "a", "", RSA_KEY), KnownHostAddError, "empty");
    assert_fails(add(f, "a", "AA A", BASE64), KnownHostAddError, "base64");
    assert_fails(add(f, "a", "AAA", BASE64), KnownHostAddError, "base64");
    assert_fails(add(f, "a", "AAAA", RAW), KnownHostAddError, "key type");
    assert_fails(add(f, "a", "AAAA", 99 | RSA_KEY), KnownHostAddError, NULL);
    assert_fails(s2_knownhost_addc(f->kh, "a", NULL, "AAAA", 4, "a\nb", 3,
                                   RSA_KEY, NULL),
                 KnownHostAddError, "comment");
    assert_int_equal(count(f), 0);
}

static void
a_hashed_name_needs_its_salt(void **state)
{
    fixture *f = *state;
    int mask = LIBSSH2_KNOWNHOST_TYPE_SHA1 | LIBSSH2_KNOWNHOST_KEYENC_RAW |
               LIBSSH2_KNOWNHOST_KEY_SSHRSA;
    const char *hash = "gRtXGhDwxWRKXVdU/BUl8cWYqqE=";

    assert_fails(
        s2_knownhost_addc(f->kh, hash, NULL, "AAAA", 4, NULL, 0, mask, NULL),
        KnownHostAddError, "salt");
    assert_fails(
        s2_knownhost_addc(f->kh, "one", hash, "AAAA", 4, NULL, 0, mask, NULL),
        KnownHostAddError, NULL);
    assert_fails(
        s2_knownhost_addc(f->kh, hash, "abc", "AAAA", 4, NULL, 0, mask, NULL),
        KnownHostAddError, NULL);
    assert_ok(
        s2_knownhost_addc(f->kh, hash, hash, "AAAA", 4, NULL, 0, mask, NULL));
    assert_int_equal(count(f), 1);
}

static void
an_entry_is_a_copy_that_is_looked_up_again(void **state)
{
    fixture *f = *state;
    s2_entry *e = NULL, *twin = NULL, *next = NULL;
    s2_knownhost *other = NULL;
    s2_buf line = {0};

    assert_ok(
        s2_knownhost_addc(f->kh, "one", NULL, "AAAA", 4, "hi", 2, RSA_KEY, &e));
    assert_ok(s2_knownhost_get(f->kh, NULL, &twin));
    assert_string_equal(s2_entry_name(e), "one");
    assert_string_equal(s2_entry_key(e), "QUFBQQ==");
    assert_int_equal(s2_entry_typemask(e), RSA_KEY);
    assert_int_equal(s2_entry_magic(e), s2_entry_magic(twin));

    assert_ok(s2_session_knownhost_init(f->s, &other));
    assert_fails(s2_knownhost_delete(other, e), KnownHostDeleteError, NULL);
    s2_release(other);

    assert_ok(s2_knownhost_writeline(f->kh, e, OPENSSH, &line));
    assert_string_equal(line.data, "one ssh-rsa QUFBQQ== hi\n");
    assert_fails(s2_knownhost_writeline(f->kh, e, 99, &line),
                 KnownHostWriteLineError, NULL);
    s2_buf_free(&line);

    assert_ok(s2_knownhost_delete(f->kh, e));
    assert_fails(s2_knownhost_delete(f->kh, twin), KnownHostDeleteError, NULL);
    assert_fails(s2_knownhost_get(f->kh, twin, &next), KnownHostGetError, NULL);
    assert_fails(s2_knownhost_writeline(f->kh, twin, OPENSSH, &line),
                 KnownHostWriteLineError, NULL);
    s2_release(e);
    s2_release(twin);
}

static void
an_entry_lives_longer_than_all_else(void **state)
{
    fixture *f = *state;
    s2_entry *e = NULL;

    assert_ok(
        s2_knownhost_addc(f->kh, "one", NULL, "AAAA", 4, NULL, 0, RSA_KEY, &e));
    assert_ok(s2_session_close(f->s));
    s2_release(f->kh);
    s2_release(f->s);
    f->kh = NULL;
    f->s = NULL;
    assert_string_equal(s2_entry_name(e), "one");
    s2_release(e);
}

static void
a_long_line_is_written_whole(void **state)
{
    fixture *f = *state;
    char key[40000];
    s2_entry *e = NULL;
    s2_buf line = {0};

    memset(key, 'A', sizeof key);
    assert_ok(s2_knownhost_addc(f->kh, "one", NULL, key, sizeof key, NULL, 0,
                                RSA_KEY, &e));
    assert_ok(s2_knownhost_writeline(f->kh, e, OPENSSH, &line));
    assert_true(line.len > sizeof key * 4 / 3);
    assert_int_equal(line.data[line.len - 1], '\n');
    s2_buf_free(&line);
    s2_release(e);
}

/* --- lines --------------------------------------------------------------- */

static void
lines_of_every_kind(void **state)
{
    fixture *f = *state;

    assert_ok(read_line(f, ""));
    assert_ok(read_line(f, "   \t\n"));
    assert_ok(read_line(f, "# a comment"));
    assert_int_equal(count(f), 0);
    assert_ok(read_line(f, "one ssh-rsa QUFBQQ==\r\n"));
    assert_ok(read_line(f, "\ttwo,2,three  ssh-ed25519\tQUFBQQ==   a  b\n"));
    assert_ok(read_line(f, "x ssh-rsa QUFBQQ=="));
    assert_int_equal(count(f), 5);
    assert_ok(check(f, "one", -1, "AAAA", RSA_KEY));
    assert_ok(check(f, "2", -1, "AAAA", ED_KEY));
    assert_ok(check(f, "three", -1, "AAAA", ED_KEY));
    assert_ok(check(f, "x", -1, "AAAA", RSA_KEY));
}

static void
lines_that_are_none(void **state)
{
    fixture *f = *state;
    const char *lines[] = {
        "one",
        "one ssh-rsa",
        "one ssh-rsa A",
        "one ssh-rsa AAA",
        "one ssh-rsa \x01\x02\x03\x04",
        "one ssh-rsa AAAA\ntwo ssh-rsa AAAA",
        "|1|",
        "|1|abc",
        "|1||  ssh-rsa AAAAAAAAAAAAAAAAAAAAAAA",
        "|1|AAA|gRtXGhDwxWRKXVdU/BUl8cWYqqE= ssh-rsa AAAAAAAAAAAAAAAAAA",
        "|1|gRtXGhDwxWRKXVdU/BUl8cWYqqE=|AA ssh-rsa AAAAAAAAAAAAAAAAAAA",
        "|1|gRtXGhDwxWRKXVdU/BUl8cWYqqE= ssh-rsa AAAAAAAAAAAAAAAAAAAAAA",
        "|1|gRtXGhDwxWRKXVdU/BUl8cWYqqE=|gRtXGhDwxWRKXVdU/BUl8cWYqqE=|A "
        "ssh-rsa "
        "AAAAAAAAAAAAAAAAAAAAAA",
        "@unknown one ssh-rsa AAAA",
        "@revoked",
        "@revoked one ssh-rsa",
        "@revoked one ssh-rsa AAA",
    };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_fails(read_line(f, lines[i]), KnownHostReadLineError, NULL);
    assert_fails(s2_knownhost_readline(f->kh, "a\0b ssh-rsa AAAA", 16, OPENSSH),
                 KnownHostReadLineError, NULL);
    assert_fails(s2_knownhost_readline(f->kh, "a ssh-rsa AAAA", 14, 99),
                 KnownHostReadLineError, NULL);
    assert_int_equal(count(f), 0);
}

#define HASHED "|1|rmWb7u4iHd6IQEYVUvzyMqO7Yd0=|gRtXGhDwxWRKXVdU/BUl8cWYqqE= "

/* Any beginning of any line: whatever it is, nothing is overrun. */
static void
cut_lines_do_no_harm(void **state)
{
    fixture *f = *state;
    const char *lines[] = {
        "one,two ssh-rsa QUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ== comment",
        HASHED "ssh-dss QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB comment",
        "one sk-ssh-ed25519@openssh.com QUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ== x",
        "one 1024 35 123456789012345678901234567890 comment",
        "@revoked * ssh-rsa QUFBQQ== comment",
    };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        for (size_t n = 0; n <= strlen(lines[i]); n++) {
            char *line = malloc(n + 1); /* for the sanitizer to watch */

            memcpy(line, lines[i], n);
            s2_error_free(s2_knownhost_readline(f->kh, line, n, OPENSSH));
            free(line);
        }
    s2_error_free(s2_knownhost_writefile(f->kh, f->file, OPENSSH));
}

static void
types_of_key_that_no_session_has_are_kept(void **state)
{
    fixture *f = *state;
    const char *text = "one sk-ssh-ed25519@openssh.com AAAAAAAAAAAAAAAA hi\n"
                       "one 1024 35 123456789012345678901234567890\n";

    put(f->file, text);
    assert_ok(s2_knownhost_readfile(f->kh, f->file, OPENSSH, &(int){0}));
    assert_int_equal(count(f), 0);
    assert_ok(s2_knownhost_writefile(f->kh, f->file, OPENSSH));
    assert_file(f->file, text);
}

static void
hashed_line(char *line, size_t size, const char *name, const char *rest)
{
    unsigned char salt[20] = "0123456789abcdefghi", mac[20];
    char s[32], h[32];

    HMAC(EVP_sha1(), salt, 20, (const unsigned char *)name, strlen(name), mac,
         NULL);
    EVP_EncodeBlock((unsigned char *)s, salt, 20);
    EVP_EncodeBlock((unsigned char *)h, mac, 20);
    snprintf(line, size, "|1|%s|%s %s", s, h, rest);
}

static void
hashed_names_match_and_come_back(void **state)
{
    fixture *f = *state;
    char line[256];
    s2_entry *e = NULL;
    s2_buf out = {0};

    hashed_line(line, sizeof line, "[one]:2222", "ssh-rsa QUFBQQ==\n");
    assert_ok(read_line(f, line));
    assert_ok(check(f, "one", 2222, "AAAA", RSA_KEY));
    assert_fails(check(f, "one", 2222, "BBBB", RSA_KEY),
                 KnownHostCheckMisMatchError, NULL);
    assert_fails(check(f, "one", 22, "AAAA", RSA_KEY),
                 KnownHostCheckNotFoundError, NULL);
    assert_ok(s2_knownhost_get(f->kh, NULL, &e));
    assert_null(s2_entry_name(e));
    assert_ok(s2_knownhost_writeline(f->kh, e, OPENSSH, &out));
    assert_string_equal(out.data, line);
    s2_buf_free(&out);
    s2_release(e);
}

/* --- markers ------------------------------------------------------------- */

static void
a_revoked_key_is_refused_for_every_host(void **state)
{
    fixture *f = *state;

    assert_ok(read_line(f, "one ssh-rsa QUFBQQ=="));
    assert_ok(read_line(f, "@revoked  elsewhere ssh-rsa QUFBQQ== comment"));
    assert_int_equal(count(f), 1);
    assert_fails(check(f, "one", 22, "AAAA", RSA_KEY), KnownHostRevokedError,
                 "one");
    assert_fails(check(f, "two", 22, "AAAA", RAW), KnownHostRevokedError,
                 "two");
    assert_fails(check(f, "one", 22, "QUFBQQ==", BASE64), KnownHostRevokedError,
                 NULL);
    assert_fails(check(f, "one", 22, "BBBB", RSA_KEY),
                 KnownHostCheckMisMatchError, NULL);
}

static void
the_key_of_an_authority_is_no_hosts_own(void **state)
{
    fixture *f = *state;

    assert_ok(read_line(f, "@cert-authority * ssh-rsa QUFBQQ=="));
    assert_ok(read_line(f, "@cert-authority one ssh-rsa QUFBQQ=="));
    assert_int_equal(count(f), 0);
    assert_fails(check(f, "one", 22, "AAAA", RSA_KEY),
                 KnownHostCheckNotFoundError, NULL);
    assert_fails(check(f, "@cert-authority", 22, "AAAA", RSA_KEY),
                 KnownHostCheckNotFoundError, NULL);
}

static void
a_pattern_matches_no_host(void **state)
{
    fixture *f = *state;

    assert_ok(read_line(f, "*.one,!a.one,? ssh-rsa QUFBQQ=="));
    assert_fails(check(f, "a.one", 22, "AAAA", RSA_KEY),
                 KnownHostCheckNotFoundError, NULL);
    assert_fails(check(f, "b.one", 22, "AAAA", RSA_KEY),
                 KnownHostCheckNotFoundError, NULL);
}

/* --- files --------------------------------------------------------------- */

static void
a_file_is_read_and_written_back(void **state)
{
    fixture *f = *state;
    const char *text = "@revoked * ssh-rsa QkJCQg== old key\n"
                       "@cert-authority *.one ssh-ed25519 Q0NDQw==\n"
                       "one ssh-rsa QUFBQQ==\n"
                       "[two]:2222 ssh-ed25519 QUFBQQ== comment\n";
    int lines = 0;

    put(f->file, text);
    assert_ok(s2_knownhost_readfile(f->kh, f->file, OPENSSH, &lines));
    assert_int_equal(lines, 4);
    assert_int_equal(count(f), 2);
    assert_ok(s2_knownhost_writefile(f->kh, f->file, OPENSSH));
    assert_file(f->file, text);
    assert_int_equal(files_in(f->dir), 1);
}

static void
a_bad_line_of_a_file_is_named(void **state)
{
    fixture *f = *state;
    char line[6000];
    int lines = 7;

    put(f->file, "# fine\n\none ssh-rsa QUFBQQ==\none\n");
    assert_fails(s2_knownhost_readfile(f->kh, f->file, OPENSSH, &lines),
                 KnownHostReadFileError, "known_hosts: line 4: ");
    memset(line, 'a', sizeof line);
    memcpy(line, "\n# a", 4);
    line[sizeof line - 1] = '\0';
    put(f->file, line);
    assert_fails(s2_knownhost_readfile(f->kh, f->file, OPENSSH, &lines),
                 KnownHostReadFileError, "known_hosts: line 2: ");
    put(f->file, "@revoked all");
    assert_fails(s2_knownhost_readfile(f->kh, f->file, OPENSSH, &lines),
                 KnownHostReadFileError, "known_hosts: line 1: ");
    assert_int_equal(lines, 7);
}

static void
a_file_that_cannot_be_read_is_named(void **state)
{
    fixture *f = *state;
    s2_error *err;
    char fifo[128];
    int lines = 7;

    err = s2_knownhost_readfile(f->kh, f->file, OPENSSH, &lines);
    assert_non_null(err);
    assert_int_equal(err->sys_errno, ENOENT);
    assert_int_equal(err->code, LIBSSH2_ERROR_FILE);
    assert_string_equal(err->path, f->file);
    assert_fails(err, KnownHostReadFileError, strerror(ENOENT));
    assert_fails(s2_knownhost_readfile(f->kh, f->dir, OPENSSH, &lines),
                 KnownHostReadFileError, strerror(EISDIR));
    assert_fails(s2_knownhost_readfile(f->kh, "/dev/zero", OPENSSH, &lines),
                 KnownHostReadFileError, "line 1");
    assert_int_equal(lines, 7);
    assert_ok(s2_knownhost_readfile(f->kh, "/dev/null", OPENSSH, &lines));
    assert_int_equal(lines, 0);
    snprintf(fifo, sizeof fifo, "%s/fifo", f->dir);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    s2_error_free(s2_knownhost_readfile(f->kh, fifo, OPENSSH, &lines));
}

static void
a_new_file_is_its_owners_and_an_old_one_stays_as_open(void **state)
{
    fixture *f = *state;
    struct stat st;

    assert_ok(add(f, "one", "AAAA", RSA_KEY));
    assert_ok(s2_knownhost_writefile(f->kh, f->file, OPENSSH));
    assert_int_equal(stat(f->file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    chmod(f->file, 0644);
    assert_ok(s2_knownhost_writefile(f->kh, f->file, OPENSSH));
    assert_int_equal(stat(f->file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
}

static void
a_symbolic_link_stays_one(void **state)
{
    fixture *f = *state;
    char link[128];
    struct stat st;

    put(f->file, "old\n");
    snprintf(link, sizeof link, "%s/link", f->dir);
    assert_int_equal(symlink("known_hosts", link), 0);
    assert_ok(add(f, "one", "AAAA", RSA_KEY));
    assert_ok(s2_knownhost_writefile(f->kh, link, OPENSSH));
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_file(f->file, "one ssh-rsa QUFBQQ==\n");
}

static void
a_failed_write_changes_nothing(void **state)
{
    fixture *f = *state;
    int unknown = RAW | LIBSSH2_KNOWNHOST_KEY_UNKNOWN;
    s2_error *err;

    put(f->file, "old\n");
    assert_ok(add(f, "one", "AAAA", RSA_KEY));
    assert_fails(s2_knownhost_writefile(f->kh, f->file, 99),
                 KnownHostWriteFileError, f->file);
    assert_ok(add(f, "two", "AAAA", unknown)); /* has no name to be written */
    assert_fails(s2_knownhost_writefile(f->kh, f->file, OPENSSH),
                 KnownHostWriteFileError, f->file);
    assert_file(f->file, "old\n");
    assert_int_equal(files_in(f->dir), 1);
    err = s2_knownhost_writefile(f->kh, "/nonexistent/known_hosts", OPENSSH);
    assert_non_null(err);
    assert_int_equal(err->sys_errno, ENOENT);
    assert_fails(err, KnownHostWriteFileError, "/nonexistent/known_hosts");
    assert_fails(s2_knownhost_writefile(f->kh, f->dir, OPENSSH),
                 KnownHostWriteFileError, "regular");
    assert_fails(s2_knownhost_writefile(f->kh, "/dev/null", OPENSSH),
                 KnownHostWriteFileError, "regular");
}

/* --- what connecting asks for -------------------------------------------- */

static void
assert_types(fixture *f, const char *host, int port, const char *expected)
{
    s2_buf prefs = {0};

    assert_ok(s2_knownhost_types(f->kh, host, port, &prefs));
    if (expected)
        assert_string_equal(prefs.data, expected);
    else
        assert_null(prefs.data);
    s2_buf_free(&prefs);
}

static void
known_types_of_key_are_told(void **state)
{
    fixture *f = *state;
    char line[256];

    assert_types(f, "one", 22, NULL);
    assert_ok(read_line(f, "one ssh-rsa QUFBQQ=="));
    assert_types(f, "one", 22, "rsa-sha2-512,rsa-sha2-256,ssh-rsa");
    assert_types(f, "two", 22, NULL);
    hashed_line(line, sizeof line, "[two]:2222",
                "ecdsa-sha2-nistp384 QUFBQQ==");
    assert_ok(read_line(f, line));
    assert_types(f, "two", 2222, "ecdsa-sha2-nistp384");
    assert_types(f, "two", 22, NULL);
    assert_ok(read_line(f, "one,two ssh-ed25519 QUFBQQ=="));
    assert_types(f, "one", 22, "ssh-ed25519,rsa-sha2-512,rsa-sha2-256,ssh-rsa");
    assert_types(f, "two", 2222, "ssh-ed25519,ecdsa-sha2-nistp384");
}

/* --- memory -------------------------------------------------------------- */

/* What could not be looked up among the revoked keys is no match. */
static void
a_revoked_key_is_none_though_memory_is_short(void **state)
{
    (void)state;
    for (long n = 1; n < 20; n++) {
        s2_session *s = s2_session_create();
        s2_knownhost *kh = NULL;
        s2_entry *e = NULL;
        s2_error *err;
        bool done;

        assert_ok(s2_session_knownhost_init(s, &kh));
        assert_ok(
            s2_knownhost_readline(kh, "one ssh-rsa QUFBQQ==", 20, OPENSSH));
        assert_ok(s2_knownhost_readline(kh, "@revoked * ssh-rsa QUFBQQ==", 27,
                                        OPENSSH));
        s->alloc.fail_at = n;
        err = s2_knownhost_checkp(kh, "one", 22, "AAAA", 4, RSA_KEY, &e);
        done = s->alloc.fail_at != 0;
        assert_non_null(err);
        assert_null(e);
        s2_error_free(err);
        s2_release(kh);
        s2_release(s);
        if (done)
            return;
    }
    fail();
}

/* Every allocation that fails in turn: an error, and the session is over. */
static void
short_memory_is_an_error(void **state)
{
    fixture *f = *state;

    for (long n = 1; n < 100; n++) {
        s2_session *s = s2_session_create();
        s2_knownhost *kh = NULL;
        s2_entry *e = NULL;
        s2_buf line = {0};
        s2_error *err;
        bool done;

        s->alloc.fail_at = n;
        if (!(err = s2_session_knownhost_init(s, &kh)) &&
            !(err = s2_knownhost_addc(kh, "one", NULL, "AAAA", 4, "hi", 2,
                                      RSA_KEY, &e)) &&
            !(err =
                  s2_knownhost_readline(kh, "two ssh-rsa AAAA", 16, OPENSSH)) &&
            !(err = s2_knownhost_readline(kh, HASHED "ssh-rsa AAAA", 73,
                                          OPENSSH)) &&
            !(err = s2_knownhost_writeline(kh, e, OPENSSH, &line)))
            err = s2_knownhost_writefile(kh, f->file, OPENSSH);
        done = s->alloc.fail_at != 0;
        if (!done)
            assert_non_null(err);
        s2_buf_free(&line);
        s2_error_free(err);
        s2_release(e);
        s2_release(kh);
        s2_release(s);
        if (done) {
            assert_null(err);
            return;
        }
    }
    fail();
}

#define host_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(the_ways_a_check_ends),
        host_test(a_port_is_part_of_the_name),
        host_test(a_host_too_long_to_look_up_is_an_error),
        host_test(what_no_file_can_hold_is_not_added),
        host_test(a_hashed_name_needs_its_salt),
        host_test(an_entry_is_a_copy_that_is_looked_up_again),
        host_test(an_entry_lives_longer_than_all_else),
        host_test(a_long_line_is_written_whole),
        host_test(lines_of_every_kind),
        host_test(lines_that_are_none),
        host_test(cut_lines_do_no_harm),
        host_test(types_of_key_that_no_session_has_are_kept),
        host_test(hashed_names_match_and_come_back),
        host_test(a_revoked_key_is_refused_for_every_host),
        host_test(the_key_of_an_authority_is_no_hosts_own),
        host_test(a_pattern_matches_no_host),
        host_test(a_file_is_read_and_written_back),
        host_test(a_bad_line_of_a_file_is_named),
        host_test(a_file_that_cannot_be_read_is_named),
        host_test(a_new_file_is_its_owners_and_an_old_one_stays_as_open),
        host_test(a_symbolic_link_stays_one),
        host_test(a_failed_write_changes_nothing),
        host_test(known_types_of_key_are_told),
        host_test(a_revoked_key_is_none_though_memory_is_short),
        host_test(short_memory_is_an_error),
    };

    return cmocka_run_group_tests_name("knownhost", tests, NULL, NULL);
}
