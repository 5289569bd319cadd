"""What Python itself would define."""


class Box(Handle, binding.Box):
    """A box, with more to it."""
