"""Sessions: one connection to one server."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, Union
from weakref import WeakValueDictionary

from . import binding
from ._handle import Managed, adopt, deprecated
from ._pump import Pump, needs_pump, start
from .agent import Agent
from .binding import (
    LIBSSH2_ERROR_TIMEOUT,
    LIBSSH2_HOSTKEY_HASH_MD5 as LIBSSH2_HOSTKEY_HASH_MD5,
    LIBSSH2_HOSTKEY_HASH_SHA1 as LIBSSH2_HOSTKEY_HASH_SHA1,
    LIBSSH2_HOSTKEY_HASH_SHA256 as LIBSSH2_HOSTKEY_HASH_SHA256,
    LIBSSH2_HOSTKEY_TYPE_DSS as LIBSSH2_HOSTKEY_TYPE_DSS,
    LIBSSH2_HOSTKEY_TYPE_ECDSA_256 as LIBSSH2_HOSTKEY_TYPE_ECDSA_256,
    LIBSSH2_HOSTKEY_TYPE_ECDSA_384 as LIBSSH2_HOSTKEY_TYPE_ECDSA_384,
    LIBSSH2_HOSTKEY_TYPE_ECDSA_521 as LIBSSH2_HOSTKEY_TYPE_ECDSA_521,
    LIBSSH2_HOSTKEY_TYPE_ED25519 as LIBSSH2_HOSTKEY_TYPE_ED25519,
    LIBSSH2_HOSTKEY_TYPE_RSA as LIBSSH2_HOSTKEY_TYPE_RSA,
    LIBSSH2_HOSTKEY_TYPE_UNKNOWN as LIBSSH2_HOSTKEY_TYPE_UNKNOWN,
    LIBSSH2_SESSION_BLOCK_INBOUND as LIBSSH2_SESSION_BLOCK_INBOUND,
    LIBSSH2_SESSION_BLOCK_OUTBOUND as LIBSSH2_SESSION_BLOCK_OUTBOUND,
)
from .channel import Channel
from .exceptions import (
    AgentConnectionError,
    ChannelError as ChannelError,
    KnownHostError as KnownHostError,
    PublicKeyInitError as PublicKeyInitError,
    SessionHostKeyError as SessionHostKeyError,
    SSH2Error,
)
from .fileinfo import FileInfo
from .knownhost import KnownHost
from .listener import Listener
from .publickey import PublicKeySystem
from .sftp import SFTP
from .statinfo import StatInfo

if TYPE_CHECKING:
    from .sftp import Path

_T = TypeVar("_T")
_Text = Union[str, bytes]


_Call = Callable[..., object]
_TRACE = -1
_AUTHAGENT = getattr(binding, "LIBSSH2_CALLBACK_AUTHAGENT", 7)

# By the address of the C object, which holds nothing of Python's.
_listening: WeakValueDictionary[int, Session] = WeakValueDictionary()


def _told(address: int, kind: int, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """What C is to call for an event, and with what; or nothing."""
    session = _listening.get(address)
    if session is None:
        return ()
    callback = session.__dict__["_callbacks"].get(kind)
    if callback is None:
        return ()
    if kind == binding.LIBSSH2_CALLBACK_DEBUG:
        args = (*args[:2], bool(args[2]))
    return callback, tuple(map(session._opened, args))


class _Kind(int):
    """A number that says what it is for."""

    __slots__ = ()

    @property
    def value(self) -> int:
        """The number alone."""
        return int(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({int(self)})"


class MethodType(_Kind):
    """One of the lists of methods that two sides agree on."""

    __slots__ = ()


class FlagType(_Kind):
    """One of the things that Session.flag() turns on or off."""

    __slots__ = ()


LIBSSH2_METHOD_KEX = MethodType(binding.LIBSSH2_METHOD_KEX)
LIBSSH2_METHOD_HOSTKEY = MethodType(binding.LIBSSH2_METHOD_HOSTKEY)
LIBSSH2_METHOD_CRYPT_CS = MethodType(binding.LIBSSH2_METHOD_CRYPT_CS)
LIBSSH2_METHOD_CRYPT_SC = MethodType(binding.LIBSSH2_METHOD_CRYPT_SC)
LIBSSH2_METHOD_MAC_CS = MethodType(binding.LIBSSH2_METHOD_MAC_CS)
LIBSSH2_METHOD_MAC_SC = MethodType(binding.LIBSSH2_METHOD_MAC_SC)
LIBSSH2_METHOD_COMP_CS = MethodType(binding.LIBSSH2_METHOD_COMP_CS)
LIBSSH2_METHOD_COMP_SC = MethodType(binding.LIBSSH2_METHOD_COMP_SC)
LIBSSH2_METHOD_LANG_CS = MethodType(binding.LIBSSH2_METHOD_LANG_CS)
LIBSSH2_METHOD_LANG_SC = MethodType(binding.LIBSSH2_METHOD_LANG_SC)
LIBSSH2_FLAG_SIGPIPE = FlagType(binding.LIBSSH2_FLAG_SIGPIPE)
LIBSSH2_FLAG_COMPRESS = FlagType(binding.LIBSSH2_FLAG_COMPRESS)
# Newer than the oldest libssh2, which says itself that it has them not.
LIBSSH2_METHOD_SIGN_ALGO = MethodType(
    getattr(binding, "LIBSSH2_METHOD_SIGN_ALGO", 10)
)
LIBSSH2_FLAG_QUOTE_PATHS = FlagType(
    getattr(binding, "LIBSSH2_FLAG_QUOTE_PATHS", 3)
)
LIBSSH2_FLAG_SK_PRESENCE_REQUIRED = FlagType(
    getattr(binding, "LIBSSH2_SK_PRESENCE_REQUIRED", 1)
)
LIBSSH2_FLAG_SK_VERIFICATION_REQUIRED = FlagType(
    getattr(binding, "LIBSSH2_SK_VERIFICATION_REQUIRED", 4)
)


@adopt
class Session(Managed, binding.Session):
    """One connection to one server, alone or with a socket of your own.

    As a context manager it is closed at the end.
    """

    _sock: Any = None
    _pump: Pump | None = None

    @property
    def sock(self) -> Any:
        """What handshake() was given, which is kept alive."""
        return self._sock

    @property
    def closed(self) -> bool:  # type: ignore[override]
        return super().closed()

    def handshake(self, sock: Any) -> int:
        """Start SSH over a connected socket, without looking at its key.

        An object without a descriptor that reads and writes does as well, such
        as a channel of another session; it is closed when the session is.
        """
        pump = None
        if needs_pump(sock):
            own = self.fileno()
            if self.closed or (own >= 0 and sock is not self._sock):
                # Refused: no byte of another connection's is to be lost.
                return super().handshake(max(own, 0))
            pump = self._pump or Pump(sock)
        try:
            rc = super().handshake(pump.sock if pump else sock)
            self._begun(sock, pump)
            return rc
        except BaseException as error:
            # What a signal's handler or a wait raised is no failure either.
            failed = (
                isinstance(error, SSH2Error)
                and error.code != LIBSSH2_ERROR_TIMEOUT
            )
            if not failed and self.fileno() >= 0:
                self._begun(sock, pump)
            elif pump and pump is not self._pump:
                pump.close()
                raise error from next(iter(pump.errors), None)
            raise

    def _begun(self, sock: Any, pump: Pump | None) -> None:
        # What is to be repeated goes on with no other.
        if self._sock is None or sock is self._sock:
            self._sock, self._pump = sock, pump
        elif pump:
            pump.close()

    def close(self) -> int:
        """End it and what waits for it; nothing is sent."""
        rc = super().close()
        if self._pump:
            self._pump.close()
        return rc

    @deprecated("handshake")
    def startup(self, sock: Any) -> int:
        return self.handshake(sock)

    def callback_set(self, cbtype: int, callback: _Call | None = None) -> int:
        """Say what is to be called when the server does something by itself.

        LIBSSH2_CALLBACK_DISCONNECT (reason, message, language), _DEBUG
        (message, language, always_display), _IGNORE (message), _X11 (channel,
        shost, sport) and _AUTHAGENT (channel).  What it raises goes to
        sys.unraisablehook.
        """
        with self._keeping(cbtype, callback):
            return super().callback_set(cbtype, callback)

    def trace_sethandler(self, callback: _Call | None = None) -> int:
        """Say what is to be called with each line of trace."""
        with self._keeping(_TRACE, callback):
            return super().trace_sethandler(callback)

    @contextmanager
    def _keeping(self, kind: int, callback: _Call | None) -> Iterator[None]:
        """Keep a callback, unless it is refused."""
        callbacks = self.__dict__.setdefault("_callbacks", {})
        before = callbacks.get(kind)
        if self.this:
            _listening[int(self.this)] = self
        callbacks[kind] = callback
        try:
            yield
        except BaseException:
            callbacks[kind] = before
            raise

    def forward_agent(self, path: str | None = None) -> int:
        """Let the server's side use the agent at path, or SSH_AUTH_SOCK's.

        It does so once Channel.request_auth_agent() asked for it.
        """
        path = path or os.environ.get("SSH_AUTH_SOCK")
        if not path:
            raise AgentConnectionError(
                "forward_agent: SSH_AUTH_SOCK is not set"
            )
        where = os.fspath(path)

        def copy(channel: Channel) -> None:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(where)
            except OSError:
                sock.close()
                channel.close()
                raise
            start(channel, sock, [])

        return self.callback_set(_AUTHAGENT, copy)

    def _opened(self, child: _T) -> _T:
        if isinstance(child, (Agent, Channel, Listener, PublicKeySystem, SFTP)):
            child._session = self  # whose end would close the connection
        return child

    def open_session(self) -> Channel | Any:
        """A channel for a command, a shell or a subsystem."""
        return self._opened(super().open_session())

    def direct_tcpip(self, host: _Text, port: int) -> Channel | Any:
        """A channel to a TCP port that the server can reach."""
        return self._opened(super().direct_tcpip(host, port))

    def direct_tcpip_ex(
        self, host: _Text, port: int, shost: _Text, sport: int
    ) -> Channel | Any:
        """The same, for a peer whose address the server is told."""
        return self._opened(super().direct_tcpip_ex(host, port, shost, sport))

    def direct_streamlocal_ex(
        self, socket_path: Any, shost: _Text, sport: int
    ) -> Channel | Any:
        """A channel to a UNIX socket that the server can reach."""
        return self._opened(
            super().direct_streamlocal_ex(socket_path, shost, sport)
        )

    def forward_listen(self, port: int) -> Listener | Any:
        """Have the server listen on a port, 0 for one of its choice."""
        return self._opened(super().forward_listen(port))

    def forward_listen_ex(
        self,
        queue_maxsize: Any,
        host: Any = None,
        port: Any = 0,
        *old: Any,
        bound_port: Any = None,
    ) -> tuple[Listener, int] | Any:
        """The same on one of its addresses; the listener and the port.

        So is what is given in the older order: (host, port, bound_port,
        queue_maxsize).
        """
        if isinstance(queue_maxsize, (str, bytes, type(None))) and old:
            host, port, queue_maxsize = queue_maxsize, host, old[0]
            old = old[1:]
        if old:
            raise TypeError("forward_listen_ex: takes at most 4 arguments")
        out: Any = super().forward_listen_ex(queue_maxsize, host, port)
        if isinstance(out, int):
            return out, 0
        return self._opened(out[0]), out[1]

    def sftp_init(self) -> SFTP | Any:
        return self._opened(super().sftp_init())

    def scp_recv2(self, path: Path) -> tuple[Channel, FileInfo] | Any:
        """Receive a file: its bytes are to be read from the channel."""
        out = super().scp_recv2(path)
        if isinstance(out, tuple):
            self._opened(out[0])
        return out

    @deprecated("scp_recv2")
    def scp_recv(self, path: Path) -> tuple[Channel, StatInfo] | Any:
        out = self.scp_recv2(path)
        if isinstance(out, tuple):
            out[1].__class__ = StatInfo
        return out

    def scp_send64(
        self, path: Path, mode: int, size: int, mtime: float, atime: float
    ) -> Channel | Any:
        """Send a file: its bytes are to be written to the channel."""
        return self._opened(super().scp_send64(path, mode, size, mtime, atime))

    @deprecated("scp_send64")
    def scp_send(self, path: Path, mode: int, size: int) -> Channel | Any:
        return self.scp_send64(path, mode, size, 0, 0)

    def publickey_init(self) -> PublicKeySystem | Any:
        """The keys that may log in, if the server lets them be asked for."""
        return self._opened(super().publickey_init())

    def agent_init(self) -> Agent | Any:
        return self._opened(super().agent_init())

    def knownhost_init(self) -> KnownHost | Any:
        return super().knownhost_init()

    def flag(
        self,
        flag: Any = None,
        enabled: Any = True,
        *,
        set_flag: Any = None,
        value: Any = None,
    ) -> Any:
        """Turn one of LIBSSH2_FLAG_* on or off, before the handshake."""
        return super().flag(
            set_flag if flag is None else flag,
            enabled if value is None else value,
        )

    def method_pref(
        self, method_type: int, prefs: Any = None, *, pref_methods: Any = None
    ) -> int:
        """Say which methods are preferred, separated by commas."""
        return super().method_pref(
            method_type, pref_methods if prefs is None else prefs
        )

    def supported_algs(
        self, method_type: int, algs: _Text | None = None
    ) -> list[str] | Any:
        """The methods that can be preferred."""
        return super().supported_algs(method_type)

    def last_error(self, msg_size: int = 1024) -> str | Any:
        """The text of libssh2's last error, if there was one."""
        return super().last_error(msg_size) or ""
