"""Multipart bodies, read through and thrown away whatever their size."""

from __future__ import annotations

from typing import Any

from aiohttp import BodyPartReader, web

_FIELD_LIMIT = 65536  # bytes of a field that is no file


async def read_form(request: web.BaseRequest) -> tuple[dict[str, Any], int]:
    """The fields of a form and the size of all of it. A file is its name and its bytes' number.

    Raises ValueError where the form is broken.
    """
    fields: dict[str, Any] = {}
    size = 0
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):  # a form within a form
            raise ValueError(f"{type(part).__name__} is no field")
        kept, length = await _read_through(part)
        size += length
        value: Any = kept.decode(errors="replace")
        if part.filename is not None:
            value = {"filename": part.filename, "bytes": length}
        fields[part.name or ""] = value
    return fields, size


async def _read_through(part: BodyPartReader) -> tuple[bytes, int]:
    """The first bytes of a part and its whole length."""
    kept, length = b"", 0
    while chunk := await part.read_chunk(65536):
        kept += chunk[: _FIELD_LIMIT - len(kept)]
        length += len(chunk)
    return kept, length
