"""One configuration file as plain values, with the line of each and the problems found in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmitm.config.problems import Problem
from llmitm.config.values import Text

# What is shorter is no secret, and may be part of a word of the message.
_SECRET_LENGTH = 4

type Where = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value was written. `label` replaces the path, as for an environment variable."""

    file: str
    line: int | None = None
    label: str | None = None


@dataclass(slots=True)
class Document:
    """A file's values. `directory` is what its relative paths start from; `files` what it read."""

    file: str
    directory: Path
    value: Any = field(default_factory=dict)
    places: dict[Where, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    failed: set[Where] = field(default_factory=set)
    files: set[Path] = field(default_factory=set)

    def get(self, *where: str | int, default: Any = None) -> Any:
        """The value at `where`, or `default` where there is none."""
        here = self.value
        for step in where:
            if not _holds(here, step):
                return default
            here = here[step]
        return here

    def each(self, *where: str | int) -> Iterator[tuple[Where, Any]]:
        """The items of the list or mapping at `where`, each with its own place."""
        here = self.get(*where)
        if isinstance(here, list):
            yield from (((*where, index), item) for index, item in enumerate(here))
        elif isinstance(here, dict):
            yield from (((*where, key), item) for key, item in here.items())

    def put(self, where: Where, value: Any, place: Place) -> None:
        """Set a value that comes from elsewhere, unless the way to it is no mapping."""
        if not isinstance(self.value, dict):
            return
        here = self.value
        for step in where[:-1]:
            if here.get(step) is None:
                here[step] = {}
            here = here[step]
            if not isinstance(here, dict):
                return
        here[where[-1]] = value
        self.places[where] = place

    def place(self, where: Where) -> Place:
        """Where the value at `where` is written, or what encloses it."""
        for length in range(len(where), -1, -1):
            found = self.places.get(where[:length])
            if found is not None:
                return found
        return Place(self.file)

    def report(self, where: Where, message: str, remedy: str = "") -> None:
        """A problem at `where`; the first one at a place hides those that follow from it."""
        if where not in self.failed:
            self.failed.add(where)
            self.problems.append(self._problem(where, message, remedy))

    def warn(self, where: Where, message: str, remedy: str = "") -> None:
        self.warnings.append(self._problem(where, message, remedy))

    def line(self, where: Where) -> str:
        """Where another value is, for a message that points to it."""
        place = self.place(where)
        if place.label is not None:
            return f"({place.label})"
        return f"in {place.file}" if place.line is None else f"on line {place.line}"

    def _problem(self, where: Where, message: str, remedy: str) -> Problem:
        place = self.place(where)
        path = dotted(where) if place.label is None else place.label
        message = _unexpanded(message, self.get(*where))
        return Problem(place.file, place.line, path, message, remedy)


type Documents = Mapping[str, Document]


def dotted(where: Where) -> str:
    """`("keys", 0, "id")` as `keys[0].id`."""
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in where).removeprefix(".")


def display(path: Path) -> str:
    """A path as an operator would type it: from the working directory where it lies below it."""
    absolute = Path(os.path.abspath(path))
    try:
        return str(absolute.relative_to(Path.cwd()))
    except ValueError:
        return str(absolute)


def _unexpanded(message: str, value: Any) -> str:
    """The message with a reference instead of what it stands for, which may be a secret."""
    if not isinstance(value, Text) or len(value) < _SECRET_LENGTH:
        return message
    return message.replace(value, value.raw)


def _holds(value: Any, step: str | int) -> bool:
    if isinstance(value, dict):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and step < len(value)
