"""YAML files read into documents: YAML 1.2's plain types, every value with its line.

`off`, `no` and dates stay text, numbers keep how they were written, references are expanded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from llmitm.config.document import Document, Place, Where, display
from llmitm.config.problems import Fault
from llmitm.config.reference import expand
from llmitm.config.values import Number

_TAG = "tag:yaml.org,2002:"
_NULL, _BOOL, _INT, _FLOAT, _STR = (f"{_TAG}{t}" for t in ("null", "bool", "int", "float", "str"))


class _Loader(yaml.CSafeLoader):
    """libyaml's parser with the plain types of YAML 1.2 instead of those of 1.1."""


_Loader.yaml_implicit_resolvers = {}

for _tag, _pattern, _first in (
    (_NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (_BOOL, r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (_INT, r"[-+]?(0|[1-9][0-9]*(_[0-9]+)*)|0x[0-9a-fA-F]+|0o[0-7]+", list("-+0123456789")),
    (
        _FLOAT,
        r"[-+]?(\.[0-9]+|[0-9]+(_[0-9]+)*\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), _first)


def read(path: Path, env: Mapping[str, str]) -> Document:
    """The document at `path`; what cannot be read or parsed is a problem in it."""
    document = Document(display(path), path.parent, files={path})
    document.places[()] = Place(document.file)
    text = _text(path, document)
    if text is None:
        return document
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        _syntax_error(error, document)
        return document
    if node is not None:
        document.value = _Reader(document, env).value(node, ())
    if document.value is None:
        document.value = {}
    return document


def _text(path: Path, document: Document) -> str | None:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        document.report((), "no such file", "create it, or name another one")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        document.report((), f"cannot be read: {reason}")
    else:
        if text.strip():
            return text
        # A file caught while it is being written must not pass for one without any keys.
        document.places[()] = Place(document.file, 1)
        document.report((), "is empty", "write {} if that is meant, or remove the file")
    return None


def _syntax_error(error: yaml.YAMLError, document: Document) -> None:
    context, start = getattr(error, "context", None), getattr(error, "context_mark", None)
    mark = getattr(error, "problem_mark", None) or start
    if mark is not None:
        document.places[()] = Place(document.file, mark.line + 1)
    what = getattr(error, "problem", None) or getattr(error, "reason", "cannot be parsed")
    elsewhere = start is not None and mark is not None and start.line != mark.line
    since = f" that starts on line {start.line + 1}" if start and elsewhere else ""
    document.report((), f"not valid YAML: {f'{context}{since}, ' if context else ''}{what}")


class _Reader:
    """Turns nodes into values and records where each one is."""

    def __init__(self, document: Document, env: Mapping[str, str]) -> None:
        self._document = document
        self._env = env
        self._inside: set[int] = set()

    def value(self, node: yaml.Node, where: Where) -> Any:
        if where not in self._document.places or not where:
            self._at(where, node)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, where)
        if id(node) in self._inside:
            self._document.report(where, "contains itself", "remove the alias")
            return None
        self._inside.add(id(node))
        value = (
            self._mapping(node, where)
            if isinstance(node, yaml.MappingNode)
            else [self.value(n, (*where, i)) for i, n in enumerate(node.value)]
        )
        self._inside.remove(id(node))
        return value

    def _mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._document.report(where, "has a key that is no plain text")
                continue
            here = (*where, key.value)
            if key.value in values:
                self._duplicate(key, here)
                continue
            self._at(here, key)
            values[key.value] = self.value(item, here)
        return values

    def _duplicate(self, key: yaml.ScalarNode, where: Where) -> None:
        first = self._document.line(where)
        self._at(where, key)
        self._document.report(where, f"is already given {first}", "keep one of the two")

    def _at(self, where: Where, node: yaml.Node) -> None:
        self._document.places[where] = Place(self._document.file, node.start_mark.line + 1)

    def _scalar(self, node: yaml.ScalarNode, where: Where) -> Any:
        match node.tag:
            case t if t == _NULL:
                return None
            case t if t == _BOOL:
                return node.value.lower() == "true"
            case t if t == _INT:
                return int(node.value, 0)
            case t if t == _FLOAT:
                return Number.of(node.value)
            case t if t == _STR:
                return self._expanded(node.value, where)
        self._document.report(where, f"the tag {node.tag} is unknown here", "remove it")
        return None

    def _expanded(self, text: str, where: Where) -> str:
        try:
            return expand(text, self._env)
        except Fault as fault:
            self._document.report(where, fault.message, fault.remedy)
            return ""
