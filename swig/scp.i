/*
 * FileInfo: what SCP tells of a file.
 *
 * Its fields go by the names of stat(2), which C may have as macros.
 */
%define %stat(field)
%rename(st_##field) s2_fileinfo::field;
%enddef
%stat(size)
%stat(mode)
%stat(ino)
%stat(nlink)
%stat(uid)
%stat(gid)
%stat(rdev)
%stat(blksize)
%stat(blocks)
%stat(atime)
%stat(mtime)
%stat(ctime)

%rename(FileInfo) s2_fileinfo;
%immutable;
typedef struct s2_fileinfo {
    uint64_t size;
    unsigned long mode;
    uint64_t ino, nlink;
    unsigned long uid, gid;
    uint64_t rdev, blksize, blocks;
    int64_t atime, mtime, ctime;
} s2_fileinfo;
%mutable;
