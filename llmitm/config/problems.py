"""What is wrong with a configuration, said so that the line can be found and mended."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

_LISTED = 12


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault. `file` is as an operator would type it; `line` is 1-based, None off a file.

    `path` is the dotted way to the value, or the name of an environment variable.
    """

    file: str
    line: int | None
    path: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        parts = [where, *([self.path] if self.path else []), self.message]
        return ": ".join(parts) + (f"; {self.remedy}" if self.remedy else "")


class ConfigErrors(Exception):
    """Every problem of a configuration, ordered by file and line.

    `files` are those that were read, or should have been: mending may happen in any of them.
    """

    def __init__(self, problems: Iterable[Problem], files: Iterable[Path] = ()) -> None:
        self.problems = in_order(problems)
        self.files = tuple(files)
        super().__init__("\n".join(map(str, self.problems)))


class Fault(ValueError):
    """A value that a validator refuses. The message must not repeat a secret."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems by file and line, each once."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda p: (p.file, p.line or 0)))


def is_near(name: str, known: Collection[str]) -> bool:
    """Whether `name` is most likely a misspelling of one of `known`."""
    return bool(difflib.get_close_matches(name, known, n=1))


def suggestion(name: str, known: Iterable[str], what: str) -> str:
    """A remedy for a name that is not among `known`: the nearest one, or the whole list.

    A name that was given as a reference is shown as one.
    """
    names = [getattr(name, "raw", name) for name in known]
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]}?"
    if not names:
        return f"no {what} are defined"
    more = ", …" if len(names) > _LISTED else ""
    return f"known {what}: {', '.join(names[:_LISTED])}{more}"
