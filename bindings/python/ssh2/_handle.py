"""What the classes over an object of the C core have in common."""

from typing import Any, NoReturn, SupportsIndex, TypeVar

from . import binding

_C = TypeVar("_C", bound=type)
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

    __repr__ = object.__repr__


def _refuse(self: object, *args: object, **keywords: object) -> None:
    raise TypeError(f"only ssh2 makes {type(self).__name__} objects")


def adopt(cls: _C) -> _C:
    """Let C make objects of cls where it made objects of its SWIG base.

    What only serves to set up or to end such objects is taken away, so that no
    program ends one that is in use.
    """
    base: Any = cls.__bases__[-1]
    for name in (f"{base.__name__}_swigregister", f"delete_{base.__name__}"):
        function = getattr(_module, name)
        if name.endswith("_swigregister"):
            function(cls)
        delattr(_module, name)
    del base.__swig_destroy__
    if not hasattr(_module, f"new_{base.__name__}"):
        setattr(cls, "__init__", _refuse)
    return cls
