"""What bytes go to or come from: a path, a descriptor, or an object."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any


def writing(write: Callable[[Any], Any]) -> Callable[[bytes], None]:
    """What writes all, whose write() may not."""

    def write_all(data: bytes) -> None:
        left = memoryview(data)
        while left:
            done = write(left)
            left = left[len(left) if done is None else done :]

    return write_all


def end(this: Any, verb: str, prefix: str = "") -> dict[str, Any]:
    """How C is told of it, which is to read or to write."""
    if isinstance(this, int):
        return {f"{prefix}fd": this}
    path = isinstance(this, (str, bytes, os.PathLike))
    call = None if path else getattr(this, verb, None)
    if call is None:
        return {f"{prefix}local": this}
    return {f"{prefix}object": call if verb == "read" else writing(call)}
