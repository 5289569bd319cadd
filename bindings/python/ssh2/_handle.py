"""What the classes over an object of the C core have in common."""

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any, NoReturn, SupportsIndex, TypeVar, cast

from . import binding
from .exceptions import SSH2Error

_C = TypeVar("_C", bound=type)
_F = TypeVar("_F", bound=Callable[..., Any])
_M = TypeVar("_M", bound="Managed")
_module: Any = getattr(binding, "_binding")
_Swig = type(getattr(binding.SFTPAttributes(), "this"))


class Handle:
    """An object of the core: it can be neither copied nor pickled."""

    @property
    def this(self) -> Any:
        """The C object, which is set once, by SWIG."""
        return self.__dict__.get("this")

    @this.setter
    def this(self, value: Any) -> None:
        if self.this or not isinstance(value, _Swig):
            raise AttributeError("this belongs to SWIG")
        self.__dict__["this"] = value

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        name = type(self).__name__
        raise TypeError(f"{name} can be neither copied nor pickled")

    def __repr__(self) -> str:
        return object.__repr__(self)  # SWIG's tells addresses of its own


class Managed(Handle):
    """What a with statement closes; no error of that hides the block's."""

    _end = "close"

    def __enter__(self: _M) -> _M:  # noqa: PYI019
        return self

    def __exit__(self, raised: object, *args: object) -> None:
        try:
            getattr(self, self._end)()
        except SSH2Error:
            if raised is None:
                raise


def _missing(symbol: str) -> Callable[..., object]:
    """What stands for a method that this libssh2 has no function for."""

    def raises(*args: object, **keywords: object) -> object:
        return binding.raise_missing(symbol)

    raises.__doc__ = f"Raise FunctionMissingError: there is no {symbol}."
    return raises


def _refuse(self: object, *args: object, **keywords: object) -> None:
    raise TypeError(f"only ssh2 makes {type(self).__name__} objects")


def _once(init: _F) -> _F:
    """Make the C object the first time only: SWIG would chain another to it."""

    @functools.wraps(init)
    def make(self: Any, *args: Any, **keywords: Any) -> None:
        if not getattr(self, "this", None):
            init(self, *args, **keywords)

    return cast("_F", make)


def adopt(cls: _C) -> _C:
    """Let C make objects of cls where it made objects of its SWIG base.

    What ends such an object, or lets it leak, is no member from then on.
    """
    base: Any = cls.__bases__[-1]
    name = base.__name__
    base.__swig_destroy__ = getattr(_module, f"delete_{name}")
    getattr(_module, f"{name}_swigregister")(cls)
    del base.__swig_destroy__
    if hasattr(base, "thisown"):  # for the first time
        del base.thisown
    if hasattr(_module, f"new_{name}"):
        base.__init__ = _once(base.__init__)
    else:
        setattr(cls, "__init__", _refuse)
    for name, method in vars(cls).items():
        if inspect.isfunction(method) and method.__doc__:
            method.__doc__ = _tell(method, getattr(base, name, None))
    return cls


def _tell(method: Any, core: Any) -> str:
    """What a method says, and what the core says of waiting and errors."""
    parts = (getattr(core, "__doc__", None) or "").split("\n\n")
    wanted = ("Ownership:", "Blocking:", "Errors:", "Source:")
    said = [part.strip() for part in parts if part.startswith(wanted)]
    return "\n\n".join([inspect.cleandoc(method.__doc__), *said])


def deprecated(successor: str) -> Callable[[_F], _F]:
    """Warn whoever calls this method that another one took its place."""

    def decorate(method: _F) -> _F:
        text = f"{method.__qualname__} is deprecated: use {successor}"

        @functools.wraps(method)
        def warn(*args: Any, **keywords: Any) -> Any:
            warnings.warn(text, DeprecationWarning, stacklevel=2)
            return method(*args, **keywords)

        said = inspect.cleandoc(method.__doc__ or "")
        warn.__doc__ = f"{said}\n\nDeprecated: use {successor}.".strip()
        setattr(warn, "__deprecated__", text)
        return cast("_F", warn)

    return decorate


for _line in (binding.missing_methods() or "").splitlines():
    _name, _symbol = _line.split()
    _class, _, _method = _name.rpartition(".")
    _owner = getattr(binding, _class) if _class else binding
    setattr(_owner, _method, _missing(_symbol))
