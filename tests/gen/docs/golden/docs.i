/* Docstrings, from the comments of the core's headers. */
%feature("docstring") s2_motto "motto()\n--\n\nWhat to live by.\n\nReturns:\n    str";
%feature("docstring") s2_size "How big a thing is.";
%feature("docstring") s2_size::width "In mm.";
%feature("docstring") s2_box "A box, with `None` in it.";
%feature("docstring") s2_box::enter "enter(self, path, mode=0)\n--\n\nEnter a box; and see \"what\\ is\" inside.\n\nIt is dark. Mind the step.\n\nParameters:\n    path: str | bytes | os.PathLike\n    mode: int\n\nUnits:\n    `path` leads there; None for `mode` is nothing; `mode` is octal\n\nOwnership:\n    the box stays its owner's\n\nBlocking:\n    until the door opens\n\nReturns:\n    Box | None: the box that is inside; None: it is the last; -37 where\n    it would block\n\nErrors:\n    KnownError: locked\n    TakenError, SFTPProtocolError, SFTPKnownError\n\nSource:\n    enter(3)";
%feature("docstring") s2_box::read_0 "read(self, most=1024)\n--\n\nRead up to `most` bytes of a box.\n\nParameters:\n    most: int\n\nUnits:\n    `most` in bytes\n\nBlocking:\n    until somebody writes; see write()\n\nReturns:\n    tuple[int, bytes]; (-37, b'') where it would block";
%feature("docstring") s2_box::read_ex "read_ex(self, stream, most)\n--\n\nRead up to `most` bytes of a box.\n\nParameters:\n    stream: int\n    most: int\n\nUnits:\n    `most` in bytes; `stream` is 0 or 1\n\nBlocking:\n    until somebody writes; see write()\n\nReturns:\n    tuple[int, bytes]; (-37, b'') where it would block";
%feature("docstring") s2_box::write "write(self, buf)\n--\n\nWrite into a box.\n\nParameters:\n    buf: bytes | bytearray | memoryview\n\nBlocking:\n    until somebody reads\n\nReturns:\n    tuple[int, int]; (-37, bytes written) where it would block";
%feature("docstring") s2_box::measure "measure(self)\n--\n\nMeasure a box.\n\nReturns:\n    tuple[Size, int, int]";
%feature("docstring") s2_box::empty "empty(self)\n--\n\nIs it empty?\n\nReturns:\n    bool";
%feature("docstring") s2_box::label "label(self)\n--\n\nWhat is written on it; None: nothing.\n\nReturns:\n    str | None";
%feature("docstring") s2_box::put "put(self, inner, sock)\n--\n\nPut a box into this one; Box.put() of the other does the reverse.\n\nParameters:\n    inner: Box\n    sock: int | object with fileno()\n\nBlocking:\n    until it fits\n\nReturns:\n    0; -37 where it would block";
%feature("docstring") s2_box::next "next(self, prev=None)\n--\n\nThe next box; None after the last.\n\nParameters:\n    prev: Box | None\n\nReturns:\n    Box | None";
%feature("docstring") s2_box::shake "shake(self, force, hard=True)\n--\n\nShake it.\n\nParameters:\n    force: float\n    hard: bool";
%feature("docstring") s2_box::name "name(self)\n--\n\nIts name.\n\nReturns:\n    str";
%feature("docstring") s2_box::derived "derived(self, count)\n--\n\nHow heavy it is.\n\nParameters:\n    count: int\n\nReturns:\n    0";
