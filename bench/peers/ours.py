"""ssh2 for Python: its own calls, and plain ones where there are no others."""

import time

from ssh2.channel import Channel
from ssh2.session import Session
from ssh2.sftp import SFTP

from bench import SERVER, load

plain = load("ssh2_python")
about, sftp = plain.about, plain.sftp
stat, list, execute, scp = plain.stat, plain.list, plain.execute, plain.scp


def lacking():
    """The works whose calls this build has not."""
    calls = {"get": (SFTP, "get"), "put": (SFTP, "put"),
             "tree_get": (SFTP, "get_tree"), "tree_put": (SFTP, "put_tree"),
             "stats": (SFTP, "stat_many"), "stream": (Channel, "pump")}
    return [work for work, call in calls.items() if not hasattr(*call)]


def log_in():
    session = Session()
    session.connect(SERVER.host, SERVER.port, known_hosts=SERVER.known_hosts)
    session.userauth_publickey_fromfile(SERVER.user, SERVER.key)
    return session


def log_out(session):
    session.disconnect()


def get(sftp, job):
    return sftp.get(job.remote, job.local)


def put(sftp, job):
    return sftp.put(job.local, job.remote)


def tree_get(sftp, job):
    sftp.get_tree(job.remote, job.local)


def tree_put(sftp, job):
    sftp.put_tree(job.local, job.remote)


def stats(sftp, job):
    answers = sftp.stat_many(
        [f"{job.remote}/e{i:05}" for i in range(job.count)])
    return sum(not isinstance(a, Exception) for a in answers)


def stream(session, job):
    channel = session.open_session()
    channel.execute(f"head -c {job.count}M /dev/zero")
    count = channel.pump()
    channel.close()
    return count


def nanoseconds(method, count):
    """What a call costs, the loop around it included."""
    begun = time.process_time()
    for _ in range(count):
        method()
    return (time.process_time() - begun) / count * 1e9


def call(job):
    session, text = Session(), "text"
    pairs = [(nanoseconds(session.get_timeout, job.count),
              nanoseconds(text.isascii, job.count)) for _ in range(10)]
    ours, builtin = map(min, zip(*pairs, strict=True))
    return {"call_ns": ours, "builtin_ns": builtin,
            "more_ns": ours - builtin}
