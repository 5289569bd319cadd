"""Peers that are no SSH server, or stop being one."""
import socket
import threading
import time

BANNER = b"SSH-2.0-peer\r\n"


def http(conn, _):
    """Answer as a web server does."""
    conn.recv(4096)
    conn.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n"
                 b"Connection: close\r\n\r\n")
    hang_up(conn)


def hang_up(conn):
    """End in an orderly way: what the other side says is still read."""
    conn.shutdown(socket.SHUT_WR)
    while conn.recv(4096):
        pass


def silent(conn, _):
    """Accept, and say nothing for as long as the other side stays."""
    while conn.recv(4096):
        pass


def closer(conn, _):
    """Introduce itself and hang up."""
    conn.sendall(BANNER)
    hang_up(conn)


def echo(conn, _):
    """Give back what comes, to its end."""
    copy(conn, conn, 1 << 30)


def cut(conn, port):
    """Pass on to sshd, and hang up in the middle of its key exchange."""
    with socket.create_connection(("127.0.0.1", port)) as server:
        threading.Thread(target=copy, args=(conn, server, 1 << 30),
                         daemon=True).start()
        copy(server, conn, 700)
        hang_up(conn)


def late(conn, port):
    """Pass on to sshd, a second later."""
    time.sleep(1)
    with socket.create_connection(("127.0.0.1", port)) as server:
        threading.Thread(target=copy, args=(conn, server, 1 << 30),
                         daemon=True).start()
        copy(server, conn, 1 << 30)


def flip(conn, port):
    """Pass on to sshd, and turn a bit over far behind the key exchange."""
    with socket.create_connection(("127.0.0.1", port)) as server:
        threading.Thread(target=copy, args=(conn, server, 1 << 30),
                         daemon=True).start()
        copy(server, conn, 9000)
        byte = server.recv(1)
        conn.sendall(bytes(b ^ 1 for b in byte))
        copy(server, conn, 1 << 30)


def copy(source, sink, limit):
    try:
        while limit > 0 and (data := source.recv(min(limit, 65536))):
            sink.sendall(data)
            limit -= len(data)
        if limit:
            sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def garbage(conn, _):
    """An agent that answers every request with a length that lies."""
    while conn.recv(4096):
        conn.sendall(b"\x00\x00\x00\x05\x0c\x00\xff\xff\xff")


def refusing(conn, _):
    """An agent that answers every request with failure."""
    while conn.recv(4096):
        conn.sendall(b"\x00\x00\x00\x01\x05")


TCP = {"http": http, "silent": silent, "closer": closer, "cut": cut,
       "late": late, "flip": flip, "echo": echo}
UNIX = {"silent": silent, "garbage": garbage, "refusing": refusing}


def run(listener, serve, port):
    """Serve each connection in a thread of its own, for ever."""
    def one(conn):
        with conn:
            try:
                serve(conn, port)
            except OSError:
                pass

    while True:
        conn, _ = listener.accept()
        threading.Thread(target=one, args=(conn,), daemon=True).start()
