"""Every public name is documented, and tells its parameters."""
import importlib
import inspect
import pkgutil
import pydoc
import unittest

import ssh2
from ssh2.channel import Channel
from ssh2.session import Session
from ssh2.sftp import SFTP

MODULES = [importlib.import_module(f"ssh2.{info.name}")
           for info in pkgutil.iter_modules(ssh2.__path__)
           if not info.name.startswith("_")]


def public(module):
    """Name and object of what a module defines, and of its classes' members."""
    for name, value in vars(module).items():
        if name.startswith("_"):
            continue
        if inspect.isclass(value) and value.__module__ == module.__name__:
            yield f"{module.__name__}.{name}", value
            plain = [base for base in value.__mro__
                     if base.__module__ == "builtins"]
            for member, thing in inspect.getmembers(value):
                if not member.startswith("_") and member != "this" and not \
                        any(hasattr(base, member) for base in plain) and not \
                        isinstance(thing, (int, str, type(None))):
                    yield f"{module.__name__}.{name}.{member}", thing
        elif inspect.isroutine(value) and module.__name__ in (
                value.__module__, "ssh2.binding"):
            yield f"{module.__name__}.{name}", value


class TestDocs(unittest.TestCase):
    def test_every_name_is_documented(self):
        names = 0
        for module in (ssh2, *MODULES):
            self.assertTrue(module.__doc__, module)
            for name, value in public(module):
                names += 1
                self.assertTrue(inspect.getdoc(value), name)
        self.assertGreater(names, 300)

    def test_every_signature_can_be_told(self):
        for module in MODULES:
            for name, value in public(module):
                if inspect.isroutine(value):
                    with self.subTest(name):
                        self.assertNotIn("swig", str(inspect.signature(value)))

    def test_signatures_are_true(self):
        def told(value):
            return str(inspect.signature(value))

        self.assertEqual(told(Channel.read), "(self, size=1024)")
        self.assertEqual(told(SFTP.rename), "(self, source_filename, "
                         "dest_filename, flags=7)")
        self.assertEqual(told(Session().disconnect),
                         "(reason=11, description='')")

    def test_help_tells_what_the_core_does(self):
        text = pydoc.plain(pydoc.render_doc(Channel.read))
        for part in ["read(self, size=1024)", "Read up to `size` bytes",
                     "tuple[int, bytes]: what has come", "(-37, b'')",
                     "libssh2_channel_read_ex(3); RFC 4254 5.2"]:
            self.assertIn(part, text)
        self.assertNotIn("cap", text)
        # One of our own that says something is told the rest by the core.
        text = inspect.getdoc(Session.open_session)
        self.assertIn("shell or a subsystem.\n\nBlocking:\n    until", text)
        self.assertIn("\n    ChannelFailure: refused\n", text)
        # One that says nothing inherits what is said.
        text = inspect.getdoc(Session.sftp_init)
        self.assertTrue(text.startswith("Start SFTP."), text)
