"""Every error of ssh2, as C built them from the core's one table."""

from __future__ import annotations

from . import binding

_errors: dict[str, type[Exception]] = getattr(binding, "_binding").errors
globals().update(_errors)
__all__ = list(_errors)
