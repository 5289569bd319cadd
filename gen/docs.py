"""The comments of the core's headers: what the documentation is made from.

A comment stands right above its function, or behind its field.  It has a
first sentence, further paragraphs, then some of LABELS in that order.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from headers import Failure, Where

LABELS = ("Units", "Ownership", "Blocking", "Returns", "Errors", "Source")
COMMENT = re.compile(r"/\*(.*?)\*/", re.DOTALL)
FUNCTION = re.compile(r"\n[\w ]+?[ *](s2_\w+)\(")
RECORD = re.compile(r"\ntypedef struct (s2_\w+) \{(.*?)\n\}", re.DOTALL)
HANDLE = re.compile(r"typedef struct \w+ (s2_\w+); *\Z")
FIELD = re.compile(r"[\w ]+ (\w+(?:, \w+)*); *(?:/\*(.*?)\*/)?", re.DOTALL)
PART = re.compile(r"(?=.{9}  )([A-Z][a-z]+)  +(.*)")
# A class of error, or the beginning of the names of several.
ERROR = re.compile(
    r"(?:\b[A-Z]\w*(?:Error|Failure|Denied|Exceeded|Supported|[Tt]imeout)\b"
    r"|(?<!\w)[A-Z][A-Za-z]*\*)")


@dataclass(frozen=True)
class Doc:
    where: Where
    text: tuple[str, ...]  # paragraphs, the first with the first sentence
    parts: dict[str, str] = field(default_factory=dict)

    @property
    def waits(self) -> bool:
        return "Blocking" in self.parts

    @property
    def nullable(self) -> bool:
        """Does it say that a result can be null?"""
        told = self.parts.get("Returns", " ".join(self.text))
        return bool(re.search(r"\bnull\b", told))

    @property
    def parameters(self) -> set[str]:
        every = " ".join([*self.text, *self.parts.values()])
        return set(re.findall(r"`(\w+)`", every))

    def units(self, mine: set[str]) -> str:
        """Without those of parameters that others have."""
        clauses = self.parts.get("Units", "").split("; ")
        return "; ".join(clause for clause in clauses if mine
                         >= set(re.findall(r"`(\w+)`", clause)))


def parse(text: str, where: Where, errors: Iterable[str]) -> Doc:
    lines = [re.sub(r"^ \*( |$)", "", line) for line in text.split("\n")]
    paragraphs: list[list[str]] = [[]]
    parts: dict[str, str] = {}
    label = ""
    for line in lines:
        found = PART.match(line)
        if found:
            label = found[1]
            if label not in LABELS or label in parts:
                raise Failure(f"{where}: a comment has no part {label}, "
                              "or not twice")
            if parts and LABELS.index(label) < max(map(LABELS.index, parts)):
                raise Failure(f"{where}: {label} comes too late")
            parts[label] = found[2]
        elif label and line.strip():
            parts[label] += " " + line.strip()
        elif line.strip():
            paragraphs[-1].append(line.strip())
        else:
            label = ""
            paragraphs.append([])
    said = tuple(" ".join(" ".join(p).split()) for p in paragraphs if p)
    if not said:
        raise Failure(f"{where}: the comment says nothing")
    parts = {label: " ".join(text.split()).rstrip(".")
             for label, text in parts.items()}
    doc = Doc(where, said, parts)
    for word in ERROR.findall(parts.get("Errors", "")):
        if not classes(word, errors):
            raise Failure(f"{where}: there is no error {word}")
    return doc


def classes(word: str, errors: Iterable[str]) -> list[str]:
    """The classes of errors that a word of Errors stands for."""
    if word.endswith("*"):
        return [name for name in errors if name.startswith(word[:-1])]
    return [word] if word in errors else []


def read(paths: Iterable[Path], errors: Iterable[str]) -> dict[str, Doc]:
    """By the name of the function, the struct, or "struct.field"."""
    docs: dict[str, Doc] = {}
    errors = list(errors)
    for path in paths:
        text = path.read_text(encoding="utf-8")
        for comment in COMMENT.finditer(text):
            where = Where(str(path), text.count("\n", 0, comment.start()) + 1)
            rest = text[comment.end():]
            before = text[text.rfind("\n", 0, comment.start()) + 1:
                          comment.start()]
            handle = HANDLE.match(before)
            function, record = FUNCTION.match(rest), RECORD.match(rest)
            if handle:
                docs[handle[1]] = parse(comment[1], where, ())
            elif function:
                docs[function[1]] = parse(comment[1], where, errors)
            elif record:
                docs[record[1]] = parse(comment[1], where, ())
                for names, said in FIELD.findall(record[2]):
                    for name in names.split(", ") if said.strip() else ():
                        docs[f"{record[1]}.{name}"] = parse(said, where, ())
    return docs


def wrap(text: str, width: int, indent: str = "") -> str:
    return textwrap.fill(text, width, initial_indent=indent,
                         subsequent_indent=indent, break_long_words=False,
                         break_on_hyphens=False)


def spread(text: str, errors: Iterable[str]) -> str:
    """The text of Errors with every class by its whole name."""
    names = list(errors)
    return ERROR.sub(lambda m: ", ".join(classes(m[0], names)), text)
