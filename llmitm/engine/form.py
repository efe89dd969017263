"""Forms (multipart/form-data, RFC 7578), read as they arrive for the model that they name."""

from __future__ import annotations

import re

from llmitm.errors import Cause, GatewayError

MAX_HEAD = 8192
MAX_MODEL = 256
_BOUNDARY = re.compile(r'multipart/form-data\s*;.*?\bboundary="?([^";,\s]{1,70})"?', re.IGNORECASE)
_NAMES_MODEL = re.compile(
    rb'content-disposition:\s*form-data\s*;[^\r\n]*?\bname="?model"?\s*(?:;|\r\n|$)', re.IGNORECASE
)


class FormScan:
    """Finds the field `model` of one form, wherever in it that is.

    Of two such fields a provider may take the other one than we do, so they are refused, and so
    is a form that another parser could take apart differently.
    """

    def __init__(self, content_type: str) -> None:
        found = _BOUNDARY.match(content_type)
        if found is None:
            raise _broken("its content type names no boundary")
        self.model: str | None = None
        self.span: tuple[int, int] | None = None  # of the model's name, bytes from the start
        self._delimiter = b"\r\n--" + found.group(1).encode()
        self._pending = b"\r\n"  # so that the first delimiter is like the others
        self._offset = -2
        self._step = self._start

    def feed(self, data: bytes) -> None:
        """Read on. Raises GatewayError for a form that is broken or names two models."""
        self._pending += data
        while self._step():
            pass

    def _start(self) -> bool:
        begun = self._pending[: len(self._delimiter)]
        if not self._delimiter.startswith(begun):
            raise _broken("it doesn't begin with its boundary")
        if len(begun) < len(self._delimiter):
            return False
        self._step = self._content
        return True

    def _content(self) -> bool:
        """In a part's content, or before the first: on to the next delimiter."""
        at = self._pending.find(self._delimiter)
        if at < 0:
            self._drop(max(0, len(self._pending) - len(self._delimiter)))
            return False
        self._drop(at + len(self._delimiter))
        self._step = self._head
        return True

    def _head(self) -> bool:
        if self._pending.startswith(b"--"):
            self._step = self._end
            return True
        end = self._pending.find(b"\r\n\r\n")
        if end < 0:
            if len(self._pending) > MAX_HEAD:
                raise _broken("the head of a part is too long")
            return False
        names_model = _NAMES_MODEL.search(self._pending, 0, end + 2)
        self._drop(end + 4)
        self._step = self._value if names_model else self._content
        return True

    def _value(self) -> bool:
        end = self._pending.find(self._delimiter)
        if end > MAX_MODEL or (end < 0 and len(self._pending) > MAX_MODEL + len(self._delimiter)):
            raise GatewayError(Cause.INVALID_REQUEST, "The model's name is too long.", "model")
        if end < 0:
            return False
        if self.model is not None:
            raise GatewayError(Cause.INVALID_REQUEST, "The form names two models.", "model")
        self.model = self._pending[:end].decode("utf-8", "replace")
        self.span = (self._offset, self._offset + end)
        self._step = self._content
        return True

    def _end(self) -> bool:
        self._drop(len(self._pending))
        return False

    def _drop(self, size: int) -> None:
        self._pending = self._pending[size:]
        self._offset += size


def renamed(form: bytes, content_type: str, model: str) -> bytes:
    """A form, or the beginning of one, with another model."""
    scan = FormScan(content_type)
    scan.feed(form)
    if scan.span is None:
        return form
    start, end = scan.span
    return form[:start] + model.encode() + form[end:]


def is_form(content_type: str) -> bool:
    return content_type[:19].lower() == "multipart/form-data"


def _broken(why: str) -> GatewayError:
    return GatewayError(Cause.INVALID_REQUEST, f"The request's form is broken: {why}.")
