"""Copy a file there and back by SFTP, and one by SCP, and list the folder."""
import os
import socket
import sys

from ssh2.fileinfo import FileInfo
from ssh2.session import Session
from ssh2.sftp import (
    LIBSSH2_FXF_CREAT,
    LIBSSH2_FXF_READ,
    LIBSSH2_FXF_WRITE,
    LIBSSH2_SFTP_S_IRGRP,
    LIBSSH2_SFTP_S_IROTH,
    LIBSSH2_SFTP_S_IRUSR,
    LIBSSH2_SFTP_S_IWUSR,
)

host, port, user, key, source, folder = sys.argv[1:]
s = Session()
sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
sock.connect((host, int(port)))
s.handshake(sock)
s.userauth_publickey_fromfile(user, key)

sftp = s.sftp_init()
mode = LIBSSH2_SFTP_S_IRUSR | LIBSSH2_SFTP_S_IWUSR | \
    LIBSSH2_SFTP_S_IRGRP | LIBSSH2_SFTP_S_IROTH
f_flags = LIBSSH2_FXF_CREAT | LIBSSH2_FXF_WRITE
destination = folder + "/there"
with open(source, "rb") as local_fh, \
        sftp.open(destination, f_flags, mode) as remote_fh:
    for data in iter(lambda: local_fh.read(1024 * 1024), b""):
        remote_fh.write(data)

with sftp.open(destination, LIBSSH2_FXF_READ, LIBSSH2_SFTP_S_IRUSR) as fh, \
        open(folder + "/back", "wb") as local_fh:
    for size, data in fh:
        local_fh.write(data)

fileinfo = os.stat(source)
chan = s.scp_send64(folder + "/by scp", fileinfo.st_mode & 0o777,
                    fileinfo.st_size, fileinfo.st_mtime, fileinfo.st_atime)
with open(source, "rb") as local_fh:
    for data in local_fh:
        chan.write(data)
chan.send_eof()
chan.wait_eof()
chan.wait_closed()

chan, info = s.scp_recv2(folder + "/by scp")
assert isinstance(info, FileInfo)
total = 0
with open(folder + "/scp back", "wb") as local_fh:
    while total < info.st_size:
        size, data = chan.read(min(65536, info.st_size - total))
        local_fh.write(data)
        total += size
print("received:", total)

with sftp.opendir(folder) as dirfh:
    for size, buf, attrs in dirfh.readdir():
        if not buf.startswith(b"."):
            print(size, buf.decode(), attrs.filesize)
s.disconnect()
