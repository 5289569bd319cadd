/* Transfers: what a server answers where many requests are on their way. */
#define _GNU_SOURCE /* nftw() */
#include "lane.h"
#include "peer.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/ssh2-fuzz-XXXXXX";
static char path[sizeof folder + 8], tree[sizeof folder + 8];

static bool
move_bytes(void *ctx, const s2_value *args, size_t count, s2_value *answer)
{
    uint64_t *heard = ctx;

    if (count == 1 && !answer) {
        peer_said(args->bytes.data, args->bytes.len, false);
        *heard += args->bytes.len;
    } else if (count == 1 && *heard < 100000) {
        *heard += 50000;
        return s2_buf_set(&answer->bytes, "words", 5);
    } else if (count == 1) {
        return s2_buf_set(&answer->bytes, "", 0);
    }
    return true;
}

static void
find(s2_error *err, s2_value *found)
{
    if (peer_check(err))
        for (int64_t i = 0; i < found->number; i++)
            if (found->item[i].kind == S2_LIST && found->item[i].number &&
                strchr(found->item[i].item[0].bytes.data, '/') ==
                    found->item[i].item[0].bytes.data)
                PEER_WRONG("%s is listed", found->item[i].item[0].bytes.data);
    s2_value_free(found);
}

static int
remove_one(const char *name, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(name);
}

static void
clear(const char *name)
{
    nftw(name, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Nothing but what was asked for is there. */
static void
look(const char *name, bool good)
{
    if (good != !access(name, F_OK))
        PEER_WRONG("%s: %s", name, good ? "is not there" : "is there");
}

static void
call(s2_sftp *sftp, unsigned which)
{
    s2_buf names[] = {{"a", 1}, {"b/c", 3}, {"", 0}};
    s2_value found = {0};
    uint64_t n, heard = 0;
    unsigned how = which >> 3;

    switch (which & 7) {
    case 0:
        PEER_TRY(s2_sftp_get(sftp, "/file", NULL, -1, move_bytes, &heard, 0,
                             how & 1 ? move_bytes : NULL, &heard, false, true,
                             false, &n));
        break;
    case 1:
        look(path,
             PEER_TRY(s2_sftp_get(sftp, "/file", path, -1, NULL, NULL, 0, NULL,
                                  NULL, how & 1, true, how & 2, &n)));
        clear(path);
        break;
    case 2:
        PEER_TRY(s2_sftp_put(sftp, NULL, "/file", -1, move_bytes, &heard, 0,
                             NULL, NULL, how & 1, !(how & 4), how & 2, &n));
        break;
    case 3:
        PEER_TRY(s2_sftp_put(sftp, "/proc/self/statm", "/file", -1, NULL, NULL,
                             0, NULL, NULL, how & 1, !(how & 4), how & 2, &n));
        break;
    case 4:
        find(PEER_ERROR(s2_sftp_list_tree(sftp, "/folder", 1 + how, &found)),
             &found);
        break;
    case 5:
        find(PEER_ERROR(s2_sftp_get_tree(sftp, "/folder", path, NULL, NULL,
                                         how & 1, 2 + how, &found)),
             &found);
        clear(path);
        break;
    case 6:
        find(PEER_ERROR(s2_sftp_put_tree(sftp, tree, "/folder", NULL, NULL,
                                         how & 1, 100, &found)),
             &found);
        break;
    default:
        find(PEER_ERROR(s2_sftp_stat_many(sftp, &(s2_list){names, 1 + how % 3},
                                          &found)),
             &found);
    }
}

static void
finish(void)
{
    clear(folder);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static bool begun;
    unsigned char calls[8];
    unsigned early, count;
    s2_value none = {0};
    s2_session *s;
    s2_sftp *sftp;

    if (!begun) {
        if (!mkdtemp(folder))
            abort();
        atexit(finish);
        snprintf(path, sizeof path, "%s/here", folder);
        snprintf(tree, sizeof tree, "%s/tree", folder);
        if (mkdir(tree, 0700))
            abort();
        for (int i = 0; i < 2; i++) {
            char name[sizeof tree + 8];

            snprintf(name, sizeof name, "%s/%c", tree, 'a' + i);
            close(open(name, O_WRONLY | O_CREAT, 0600));
        }
        begun = true;
    }
    peer_begin(data, size);
    early = peer_byte();
    count = early % 8;
    for (unsigned i = 0; i < count; i++)
        calls[i] = (unsigned char)peer_byte();
    s = peer_let_in();
    /* Its own SFTP is libssh2's; a lane is another channel. */
    if (!(sftp = s2_obj_new(&s2_sftp_type, sizeof *sftp, s)))
        abort();
    peer_honest(early < 128);
    PEER_TRY(s2_sftp_stat_many(sftp, &(s2_list){NULL, 0}, &none));
    s2_value_free(&none);
    peer_honest(false);
    for (unsigned i = 0; i < count; i++)
        call(sftp, calls[i]);
    if (early & 64)
        PEER_TRY(s2_sftp_close(sftp));
    s2_release(sftp);
    peer_end(s);
    return 0;
}
