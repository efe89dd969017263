"""Secrets: a type that never prints itself, and the files that may hold one."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, GetCoreSchemaHandler, PlainValidator, ValidationInfo
from pydantic_core import core_schema

from llmitm.config.document import Document, display
from llmitm.config.problems import Fault
from llmitm.config.values import Text

MASK = "*****"
_FILE = "file:"
_HASHED = re.compile(r"sha256:([0-9a-fA-F]{64})")


class Secret:
    """A credential. It prints as `*****`; `reveal()` is the only way to its text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            lambda value, info: (
                value if isinstance(value, Secret) else Secret(plain(value, info.context))
            ),
            serialization=core_schema.to_string_ser_schema(when_used="always"),
        )


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


# `${NAME:-}` is how an operator says that a credential may be missing.
OptionalSecret = Annotated[Secret | None, BeforeValidator(_none_if_empty)]


def _header_value(value: Any, info: ValidationInfo) -> str | Secret:
    if isinstance(value, Secret):
        return value
    text = plain(value, info.context)
    return text if is_literal(value) else Secret(text)


# A header's value is a secret where it comes from elsewhere, and plain where it is written out.
HeaderValue = Annotated[str | Secret, PlainValidator(_header_value)]


def is_literal(value: Any) -> bool:
    """Whether a secret stands in the file itself, rather than being referred to or hashed."""
    if not isinstance(value, str) or isinstance(value, Text) or not value:
        return False
    return not value.startswith((_FILE, "sha256:"))


def plain(value: Any, document: Document | None) -> str:
    """The text of a secret: `file:PATH` read, relative to the document that names it.

    Raises `Fault`, which never repeats the text.
    """
    if not isinstance(value, str):
        raise Fault("must be text", "put it in quotes")
    text = _from_file(value.removeprefix(_FILE), document) if value.startswith(_FILE) else value
    return _one_line(text)


def digest(value: Any, document: Document | None = None) -> str:
    """The SHA-256, in hex, of a client's key given as text, `file:PATH` or `sha256:HEX`."""
    text = plain(value, document)
    if not text.startswith("sha256:"):
        return hashlib.sha256(text.encode()).hexdigest()
    match = _HASHED.fullmatch(text)
    if match is None:
        raise Fault("sha256: must be followed by 64 hexadecimal digits")
    return match[1].lower()


def _digest(value: Any, info: ValidationInfo) -> str:
    return digest(value, info.context)


# Of a client's key only the digest is kept.
KeyDigest = Annotated[str, BeforeValidator(_digest)]


def _from_file(name: str, document: Document | None) -> str:
    path = (document.directory if document else Path()) / Path(name).expanduser()
    if document:
        document.files.add(path)
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Fault(f"there is no file {display(path)}", "create it, or correct the path") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Fault(f"{display(path)} cannot be read: {reason}") from None


def _one_line(text: str) -> str:
    text = text.strip()
    if not text:
        raise Fault("is empty", "give the secret, ${NAME} or file:PATH")
    if not text.isprintable():
        raise Fault("contains a line break or another control character")
    return text
