/* SFTP: what a server answers to requests for files and directories. */
#include "peer.h"

static void
text_call(s2_error *err, s2_buf *text)
{
    if (peer_check(err) && text->data)
        peer_said(text->data, text->len, true);
    s2_buf_free(text);
}

static void
read_file(s2_file *f, unsigned how)
{
    static char bytes[70000];
    size_t cap = how & 1 ? 16 : how & 2 ? sizeof bytes : 2000, len;

    if (!PEER_TRY(s2_file_read(f, bytes, cap, &len)))
        return;
    if (len > cap)
        PEER_WRONG("%zu bytes read, of %zu", len, cap);
    peer_said(bytes, len, false);
}

static void
read_dir(s2_file *f)
{
    s2_buf name = {0}, line = {0};
    s2_attrs attrs;

    if (PEER_TRY(s2_file_readdir(f, &name, &line, &attrs)) && name.data) {
        peer_said(name.data, name.len, true);
        if (line.data)
            peer_said(line.data, line.len, true);
    }
    s2_buf_free(&name);
    s2_buf_free(&line);
}

static void
write_file(s2_file *f, unsigned how)
{
    static const char bytes[40000];
    size_t len = how & 1 ? 10 : sizeof bytes, n = 0;

    PEER_TRY(s2_file_write(f, bytes, len, &n));
    if (n > len)
        PEER_WRONG("%zu bytes written, of %zu", n, len);
}

static void
drop(s2_file **f, unsigned how)
{
    if (*f && how & 1)
        PEER_TRY(s2_file_close(*f));
    s2_release(*f);
    *f = NULL;
}

static void
call(s2_sftp *sftp, s2_file **file, unsigned which)
{
    s2_file **f = &file[which >> 7];
    unsigned how = which >> 5;
    s2_buf text = {0};
    s2_attrs attrs = {.flags = LIBSSH2_SFTP_ATTR_SIZE, .filesize = 5};
    s2_statvfs vfs;
    uint64_t at;

    switch (which & 31) {
    case 0:
    case 1:
        drop(f, how);
        PEER_TRY(s2_sftp_open(sftp, "/file",
                              LIBSSH2_FXF_READ | LIBSSH2_FXF_WRITE, 0600, f));
        break;
    case 2:
        drop(f, how);
        PEER_TRY(s2_sftp_opendir(sftp, "/folder", f));
        break;
    case 3:
        drop(f, how);
        break;
    case 4:
        PEER_TRY(s2_sftp_stat(sftp, "/file", &attrs));
        break;
    case 5:
        PEER_TRY(s2_sftp_lstat(sftp, "/file", &attrs));
        break;
    case 6:
        PEER_TRY(s2_sftp_setstat(sftp, "/file", &attrs));
        break;
    case 7:
        PEER_TRY(s2_sftp_statvfs(sftp, "/file", &vfs));
        break;
    case 8:
        PEER_TRY(s2_sftp_rename(sftp, "/a", "/b",
                                how & 1 ? LIBSSH2_SFTP_RENAME_ATOMIC |
                                              LIBSSH2_SFTP_RENAME_OVERWRITE
                                        : 0));
        break;
    case 9:
        PEER_TRY(s2_sftp_unlink(sftp, "/file"));
        break;
    case 10:
        PEER_TRY(s2_sftp_mkdir(sftp, "/folder", 0700));
        break;
    case 11:
        PEER_TRY(s2_sftp_rmdir(sftp, "/folder"));
        break;
    case 12:
        PEER_TRY(s2_sftp_symlink(sftp, "/a", "/b"));
        break;
    case 13:
        text_call(PEER_ERROR(s2_sftp_readlink(sftp, "/a", &text)), &text);
        break;
    case 14:
        text_call(PEER_ERROR(s2_sftp_realpath(sftp, "/a", how & 1 ? 8 : 4096,
                                              &text)),
                  &text);
        break;
    default:
        if (!*f)
            break;
        switch (which & 31) {
        case 15:
            PEER_TRY(s2_file_fstat(*f, &attrs));
            break;
        case 16:
            PEER_TRY(s2_file_fsetstat(*f, &attrs));
            break;
        case 17:
            PEER_TRY(s2_file_fstatvfs(*f, &vfs));
            break;
        case 18:
            PEER_TRY(s2_file_fsync(*f));
            break;
        case 19:
            PEER_TRY(s2_file_seek64(*f, how & 1 ? 5 : 5000000000));
            break;
        case 20:
            PEER_TRY(s2_file_tell64(*f, &at));
            break;
        case 21:
        case 22:
            write_file(*f, how);
            break;
        case 23:
        case 24:
        case 25:
            read_dir(*f);
            break;
        default:
            read_file(*f, how);
        }
    }
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    s2_session *s;
    s2_sftp *sftp = NULL;
    s2_file *file[2] = {0};
    unsigned early, count;
    unsigned char calls[16];

    peer_begin(data, size);
    early = peer_byte();
    count = early % 16;
    for (unsigned i = 0; i < count; i++)
        calls[i] = (unsigned char)peer_byte();
    s = peer_let_in();
    peer_honest(early < 128);
    PEER_TRY(s2_session_sftp_init(s, &sftp));
    peer_honest(false);
    if (sftp) {
        for (unsigned i = 0; i < count; i++)
            call(sftp, file, calls[i]);
        drop(&file[0], early >> 4);
        drop(&file[1], early >> 5);
        if (early & 64)
            PEER_TRY(s2_sftp_close(sftp));
    }
    s2_release(sftp);
    peer_end(s);
    return 0;
}
