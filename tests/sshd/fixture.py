#!/usr/bin/python3
"""Run a command beside throw-away SSH servers on loopback.

    fixture.py -- COMMAND [ARGUMENT...]

Starts the servers, tells the command where they are by environment variables
(tests/README.md lists them), stops all when it ends, and exits as it did.
"""
import contextlib
import ctypes
import os
import pwd
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import peers

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
PASSPHRASE = "open sesame"
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, MNT_DETACH = 1, 36, 2
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
LIBC = ctypes.CDLL(None)

HOST_KEYS = {
    "ed25519": ["-t", "ed25519"],
    "rsa": ["-t", "rsa", "-b", "2048"],
    "ecdsa": ["-t", "ecdsa"],
}
# What one server has besides: the kinds that nobody should use any more, too.
MORE_HOST_KEYS = {
    "ecdsa384": ["-t", "ecdsa", "-b", "384"],
    "ecdsa521": ["-t", "ecdsa", "-b", "521"],
    "dsa": ["-t", "dsa"],
}
USER_KEYS = HOST_KEYS | {
    "locked": ["-t", "ed25519", "-a", "2", "-N", PASSPHRASE],
    "unknown": ["-t", "ed25519"],
    "ca": ["-t", "ed25519"],
}
# The RSA key in OpenSSL's format, under these passphrases.
PEM_KEYS = {"rsa_pem": "", "locked_pem": PASSPHRASE}
SSHD_CONFIG = """\
{host_keys}
AuthorizedKeysFile {dir}/authorized_keys
Banner {dir}/banner
Subsystem sftp {sftp}
Subsystem publickey {python} {here}/publickey.py {dir}
SetEnv HOME={dir}/home
AcceptEnv SSH2_TEST_*
HostKeyAlgorithms +ssh-rsa
PubkeyAcceptedAlgorithms +ssh-rsa
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitUserRC no
MaxStartups 100
AllowTcpForwarding yes
AllowStreamLocalForwarding yes
X11Forwarding yes
PrintMotd no
PrintLastLog no
PidFile none
LogLevel VERBOSE
"""


def found(name):
    """The path of a program that may live where only root looks, or None."""
    places = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"
    return shutil.which(name, path=places)


def tool(name):
    path = found(name)
    if not path:
        sys.exit(f"fixture: {name} is not installed")
    return path


def prctl(option, value):
    LIBC.prctl(option, value, 0, 0, 0)


def listener(backlog=64):
    """A listening socket; its port is known before anyone serves it."""
    sock = socket.create_server((HOST, 0), backlog=backlog)
    return sock, sock.getsockname()[1]


# --- sshd: one process group a connection -----------------------------------


class Sshd:
    """Serve each connection by an `sshd -i` that control verbs can reach."""

    def __init__(self, argv, log, sock, control):
        self.argv, self.log, self.sock = argv, log, sock
        self.control, self.groups = control, {}  # client port -> group

    def run(self):
        ready = selectors.DefaultSelector()
        ready.register(self.sock, selectors.EVENT_READ, self.serve)
        ready.register(self.control, selectors.EVENT_READ, self.command)
        while True:
            for key, _ in ready.select(timeout=1):
                key.data()
            self.reap()

    def reap(self):
        with contextlib.suppress(ChildProcessError):
            while (pid := os.waitpid(-1, os.WNOHANG)[0]) > 0:
                self.groups = {p: g for p, g in self.groups.items()
                               if g != pid}

    def serve(self):
        conn, address = self.sock.accept()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.dup2(conn.fileno(), 0)
            os.dup2(conn.fileno(), 1)
            os.dup2(self.log.fileno(), 2)
            os.execv(self.argv[0], self.argv)
        conn.close()
        self.groups[address[1]] = pid

    def command(self):
        """Answer one line: stop, cont or kill, and a client port or all."""
        conn, _ = self.control.accept()
        with conn, contextlib.suppress(OSError):
            conn.settimeout(5)
            verb, *ports = conn.recv(256).decode().split()
            number = {"stop": signal.SIGSTOP, "cont": signal.SIGCONT,
                      "kill": signal.SIGKILL}.get(verb)
            if number is None:
                conn.sendall(b"unknown verb\n")
                return
            self.reap()
            wanted = [int(p) for p in ports] or list(self.groups)
            hit = [self.groups[p] for p in wanted if p in self.groups]
            for group in hit:
                try:
                    os.killpg(group, number)
                except ProcessLookupError:  # it has not got that far
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(group, number)
            if verb == "cont":
                go_on(set(hit))
            else:
                wait_until(lambda: not set(hit) & running_groups(), 5)
            conn.sendall(b"ok %d\n" % len(hit))


def processes():
    """(pid, state, parent, group) of every process there is."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                text = (entry / "stat").read_text(errors="replace")
                state, parent, group = text.rpartition(")")[2].split()[:3]
                yield int(entry.name), state, int(parent), int(group)


def running_groups():
    return {group for _, state, _, group in processes() if state not in "TZX"}


def go_on(groups):
    """Continue what sshd has forked, too: one that a stop was sent to on its
    way out of the group, by setsid(), stops once it is out of it."""
    now = list(processes())
    sshds = {pid for pid, _, _, group in now if group in groups}
    for pid, _, parent, _ in now:
        if parent in sshds:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


# --- keys and files ---------------------------------------------------------


def make_keys(folder, kinds):
    folder.mkdir(exist_ok=True)
    keygen = tool("ssh-keygen")
    jobs = [subprocess.Popen([keygen, "-q", "-N", "", "-C", f"{name} key",
                              *options, "-f", folder / name])
            for name, options in kinds.items()]
    if any(job.wait() for job in jobs):
        sys.exit("fixture: ssh-keygen failed")


def copy_key(source, path, passphrase, *options):
    for end in ("", ".pub"):
        shutil.copy(f"{source}{end}", f"{path}{end}")
    subprocess.run([tool("ssh-keygen"), "-q", "-p", *options, "-P", "",
                    "-N", passphrase, "-f", path], check=True,
                   stdout=subprocess.DEVNULL)


def everything():
    """An sshd's settings by which it offers all it knows."""
    def known(kind):
        job = subprocess.run([tool("ssh"), "-Q", kind], check=True,
                             capture_output=True, text=True)
        return ",".join(job.stdout.split())
    return f"""\
Ciphers {known("cipher")}
MACs {known("mac")}
KexAlgorithms {known("kex")}
HostKeyAlgorithms {known("HostKeyAlgorithms")}
PubkeyAcceptedAlgorithms {known("HostKeyAlgorithms")}
Compression yes
MaxAuthTries 100
"""


def make_tokens(folder):
    """Security keys without hardware; none if the library is not installed."""
    try:
        import signer
    except ImportError:
        return []
    for kind in ("ed25519", "ecdsa"):
        signer.make_token(folder / f"sk_{kind}", kind)
    copy_key(folder / "sk_ed25519", folder / "sk_locked", PASSPHRASE,
             "-a", "2")
    return ["sk_ed25519", "sk_ecdsa"]


def certify(keys, certs, user, names):
    """Let keys/ca say of these keys that they are the user's."""
    certs.mkdir()
    files = [shutil.copy(keys / f"{name}.pub", certs) for name in names]
    subprocess.run([tool("ssh-keygen"), "-q", "-s", keys / "ca", "-I", "test",
                    "-n", user, *files], check=True)


def public(path):
    """The type and the base64 text of a public key, as in known_hosts."""
    return " ".join(Path(f"{path}.pub").read_text().split()[:2])


def write_known_hosts(root, ports):
    names = ",".join(f"[{name}]:{port}" for port in ports
                     for name in (HOST, "localhost"))
    true = [f"{names} {public(root / 'host' / k)}\n" for k in HOST_KEYS]
    # Keys of the same kinds that no server has.
    false = [f"{names} {public(root / 'keys' / k)}\n" for k in HOST_KEYS]
    lines = {
        "known_hosts": true,
        "known_hosts_wrong": false,
        "known_hosts_revoked": ["@revoked " + line for line in true] + true,
        "known_hosts_empty": [],
    }
    for name, content in lines.items():
        (root / name).write_text("".join(content))
    hashed = root / "known_hosts_hashed"
    hashed.write_text("".join(true))
    subprocess.run([tool("ssh-keygen"), "-q", "-H", "-f", hashed], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ssh = root / "home" / ".ssh"
    ssh.mkdir(exist_ok=True)
    shutil.copy(root / "known_hosts", ssh)


def pty_works():
    """Whether sshd could give this user a terminal (it chowns it)."""
    try:
        master, slave = os.openpty()
    except OSError:
        return False
    with open(master, "rb", 0), open(slave, "rb", 0):
        import grp
        try:
            group = grp.getgrnam("tty").gr_gid
        except KeyError:
            group = os.getgid()
        info = os.fstat(slave)
        if (info.st_uid, info.st_gid) == (os.getuid(), group):
            return True
        try:
            os.fchown(slave, os.getuid(), group)
        except OSError:
            return False
        return True


def instead(folder, place):
    """Let this process alone see a folder in the place of another."""
    user, group = os.getuid(), os.getgid()
    if LIBC.unshare(CLONE_NEWNS):
        if LIBC.unshare(CLONE_NEWNS | CLONE_NEWUSER):
            return False
        for name, text in (("setgroups", "deny"),
                           ("uid_map", f"{user} {user} 1"),
                           ("gid_map", f"{group} {group} 1")):
            Path("/proc/self", name).write_text(text)
    return not LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) and \
        not LIBC.mount(os.fsencode(folder), os.fsencode(place), None,
                       MS_BIND, None)


def small_disk(folder):
    """A file system of 256 KiB, where root may mount one."""
    folder.mkdir()
    return not LIBC.mount(b"ssh2", os.fsencode(folder), b"tmpfs", 0,
                          b"size=256k")


# --- all of it --------------------------------------------------------------


class Fixture:
    def __init__(self):
        base = tempfile.gettempdir()
        self.root = Path(tempfile.mkdtemp(
            prefix="ssh2-", dir=base if len(base) < 60 else "/tmp"))
        self.log = open(self.root / "log", "ab", 0)  # noqa: SIM115
        self.env = dict(os.environ)
        os.environ.pop("LD_PRELOAD", None)  # the command's, not sshd's
        self.mounted, self.children = False, []

    def child(self, run, *arguments):
        """A process that calls run(*arguments) until it is killed."""
        pid = os.fork()
        if pid == 0:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            with contextlib.suppress(BaseException):
                os.dup2(self.log.fileno(), 2)
                run(*arguments)
            os._exit(1)
        self.children.append(pid)

    def program(self, argv, output=None):
        """A program that runs until it is killed, what it prints hidden."""
        def run():
            os.dup2(self.log.fileno() if output is None else output, 1)
            os.execv(argv[0], argv)
        self.child(run)

    def start(self):
        root, user = self.root, pwd.getpwuid(os.getuid()).pw_name
        for name in ("home", "tmp"):
            (root / name).mkdir()
        make_keys(root / "host", HOST_KEYS)
        make_keys(root / "keys", USER_KEYS)
        for name, passphrase in PEM_KEYS.items():
            copy_key(root / "keys" / "rsa", root / "keys" / name, passphrase,
                     "-m", "PEM")
        tokens = make_tokens(root / "keys")
        if tokens:
            self.env["SSH2_TOKENS"] = "1"
        certify(root / "keys", root / "certs", user,
                ["rsa", "unknown", *tokens])
        allowed = [public(root / "keys" / k) for k in [*USER_KEYS, *tokens]
                   if k not in ("unknown", "ca")]
        allowed.append("cert-authority " + public(root / "keys" / "ca"))
        (root / "authorized_keys").write_text("\n".join(allowed) + "\n")
        (root / "banner").write_text("a server for tests\n")
        self.env |= {
            "HOME": str(root / "home"), "SSH2_DIR": str(root),
            "SSH2_TMP": str(root / "tmp"), "SSH2_HOST": HOST,
            "SSH2_USER": user, "SSH2_KEYS": str(root / "keys"),
            "SSH2_KEY": str(root / "keys" / "ed25519"),
            "SSH2_PASSPHRASE": PASSPHRASE,
            "SSH2_KNOWN_HOSTS": str(root / "known_hosts"),
        }
        for kind in ("hashed", "wrong", "revoked", "empty"):
            self.env[f"SSH2_KNOWN_HOSTS_{kind.upper()}"] = \
                str(root / f"known_hosts_{kind}")
        self.mounted = small_disk(root / "small")
        if self.mounted:
            self.env["SSH2_SMALL"] = str(root / "small")
        ports = [*self.start_sshd(), self.start_dropbear(),
                 self.start_accounts(),
                 *self.start_peers()]
        write_known_hosts(root, [port for port in ports if port])
        self.start_agents()
        with contextlib.suppress(OSError):
            socket.getaddrinfo("localhost", None)
            self.env["SSH2_LOCALHOST"] = "1"
        with contextlib.suppress(OSError):
            if " aes" in Path("/proc/cpuinfo").read_text():
                self.env["SSH2_AES"] = "1"
        if shutil.which("xauth"):  # sshd cannot do without
            self.env["SSH2_DISPLAY"] = f"{sys.executable} {HERE}/display.py"
        if pty_works():
            self.env["SSH2_PTY"] = "1"

    def start_sshd(self):
        root = self.root
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        with contextlib.suppress(SystemExit):  # an OpenSSH without DSA
            make_keys(root / "host", MORE_HOST_KEYS)
        keys = {name: f"HostKey {root}/host/{name}\n"
                for name in HOST_KEYS | MORE_HOST_KEYS
                if (root / "host" / name).exists()}
        more = everything() + "".join(keys[name] for name in MORE_HOST_KEYS
                                      if name in keys)
        keys = "".join(keys[name] for name in HOST_KEYS)
        sftp = f"internal-sftp -d {root}/home"
        self.env["SSH2_CONTROL"] = str(root / "control")
        # Of two settings for one thing sshd takes the first.
        for name, first, subsystem, buffers in (
                ("", "", sftp, 0),
                ("LIAR_", "", f"{sys.executable} {HERE}/liar.py", 0),
                ("EVERY_", more, sftp, 0),
                ("REKEY_", more + "RekeyLimit 1M\nLogLevel DEBUG1\n", sftp, 0),
                ("NARROW_", "", sftp, 8192)):
            config = root / f"{name.lower()}sshd_config"
            config.write_text(first + SSHD_CONFIG.format(
                host_keys=keys, dir=root, python=sys.executable, here=HERE,
                sftp=subsystem))
            argv = [tool("sshd"), "-i", "-e", "-f", str(config)]
            check = subprocess.run([argv[0], "-t", "-f", config],
                                   check=False, capture_output=True, text=True)
            if check.returncode:
                sys.exit(f"fixture: sshd refuses to start: {check.stderr}")
            yield self.serve(name, argv, buffers)

    def start_dropbear(self):
        """Another SSH server; none if it is not installed.

        It looks for keys in the user's own home alone, in whose place it is
        shown ours; none if that cannot be.
        """
        root, home = self.root, pwd.getpwuid(os.getuid()).pw_dir
        program, convert = found("dropbear"), found("dropbearconvert")
        if not program or not convert or root.is_relative_to(home):
            return None
        (root / "home/.ssh").mkdir(mode=0o700, exist_ok=True)
        shutil.copy(root / "authorized_keys", root / "home/.ssh")
        probe = os.fork()
        if probe == 0:
            with contextlib.suppress(BaseException):
                os._exit(0 if instead(root / "home", home) else 1)
            os._exit(1)
        if os.waitpid(probe, 0)[1]:
            return None
        argv = [program, "-i", "-m", "-s", "-b", str(root / "banner")]
        for name in HOST_KEYS:
            path = root / f"dropbear_{name}"
            subprocess.run([convert, "openssh", "dropbear", root / "host" / name,
                            path], check=True, capture_output=True)
            argv += ["-r", str(path)]
        return self.serve("DROPBEAR_", argv,
                          before=lambda: instead(root / "home", home))

    def serve(self, name, argv, buffers=0, before=lambda: True):
        """Let a program answer on a port of its own; the port."""
        sock, port = listener()
        if buffers:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffers)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffers)
        control = socket.socket(socket.AF_UNIX)
        control.bind(str(self.root / f"{name.lower()}control"))
        control.listen(16)
        server = Sshd(argv, self.log, sock, control)
        self.child(lambda: before() and server.run())
        sock.close()
        self.env[f"SSH2_{name}PORT"] = str(port)
        return port

    def start_accounts(self):
        """The second server; none if its library is not installed."""
        here, there = os.pipe()
        argv = [sys.executable, "-W", "ignore", str(HERE / "accounts.py"),
                str(self.root)]
        self.program(argv, there)
        os.close(there)
        with open(here) as answer:
            port = answer.readline().strip()
        if port:
            self.env["SSH2_ASYNCSSH_PORT"] = port
        return port

    def start_peers(self):
        ports = []
        for name, serve in peers.TCP.items():
            sock, port = listener()
            self.child(peers.run, sock, serve, int(self.env["SSH2_PORT"]))
            sock.close()
            self.env[f"SSH2_{name.upper()}_PORT"] = str(port)
            ports.append(port)
        with contextlib.suppress(ImportError):
            import rogue
            sock, port = listener()
            self.child(rogue.run, sock, self.root / "leaks")
            sock.close()
            self.env["SSH2_ROGUE_PORT"] = str(port)
        # One that has a caller already, and lets no other through.
        full, port = listener(0)
        self.full = full, socket.create_connection((HOST, port))
        self.env["SSH2_FULL_PORT"] = str(port)
        # Bound and not listening: refuses, and nobody else can take it.
        self.closed = socket.socket()
        self.closed.bind((HOST, 0))
        self.env["SSH2_CLOSED_PORT"] = str(self.closed.getsockname()[1])
        return ports

    def start_agents(self):
        root, keys = self.root, self.root / "keys"
        for name in ("agent", "agent_empty"):
            path = str(root / name)
            self.program([tool("ssh-agent"), "-D", "-a", path])
            if not wait_until(lambda path=path: os.path.exists(path), 10):
                sys.exit("fixture: ssh-agent does not start")
        for name, serve in peers.UNIX.items():
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(str(root / f"agent_{name}"))
            sock.listen(16)
            self.child(peers.run, sock, serve, 0)
            sock.close()
        # One that is called already, and listens to nobody else.
        busy = socket.socket(socket.AF_UNIX)
        busy.bind(str(root / "agent_busy"))
        busy.listen(0)
        caller = socket.socket(socket.AF_UNIX)
        caller.connect(str(root / "agent_busy"))
        self.busy = busy, caller
        agent = self.env["SSH_AUTH_SOCK"] = str(root / "agent")
        for name in ("unknown", "ed25519", "rsa", "ecdsa"):
            subprocess.run([tool("ssh-add"), "-q", keys / name], check=True,
                           env=os.environ | {"SSH_AUTH_SOCK": agent},
                           stdin=subprocess.DEVNULL)

    def run(self, command):
        """Run the command; its status as a shell would say it."""
        job = subprocess.Popen(command, env=self.env)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda n, _: os.kill(job.pid, n))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # What lost its parent is ours: thousands, in a long run.
        while (ended := os.wait())[0] != job.pid:
            if ended[0] in self.children:
                self.children.remove(ended[0])
        job.returncode = status = os.waitstatus_to_exitcode(ended[1])
        return status if status >= 0 else 128 - status

    def stop(self):
        """End every process below this one, wherever it was reparented."""
        def below():
            return {p for p, state, parent, _ in processes()
                    if parent == os.getpid() and state != "Z"}

        def end(number):
            for pid in below() | set(self.children):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

        # Asked first: sshd cleans up after itself.
        end(signal.SIGTERM)
        end(signal.SIGCONT)
        wait_until(lambda: not below(), 0.5)
        for _ in range(20):
            end(signal.SIGKILL)
            self.children = []
            if wait_until(lambda: not below(), 0.5):
                break
        if self.mounted:
            LIBC.umount2(os.fsencode(self.root / "small"), MNT_DETACH)
        if not os.environ.get("SSH2_KEEP"):
            shutil.rmtree(self.root, ignore_errors=True)


def main(arguments):
    if arguments[:1] == ["--"]:
        arguments = arguments[1:]
    if not arguments:
        sys.exit(__doc__)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    os.umask(0o022)
    fixture = Fixture()
    try:
        fixture.start()
        return fixture.run(arguments)
    finally:
        fixture.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
