"""Reads a request: its body in either form, its model and its key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from llmitm.simulator.record import Record
from llmitm.simulator.refusals import BROKEN_JSON, WRONG_KEY, Refused, invalid
from llmitm.simulator.uploads import read_form

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_decode = msgspec.json.Decoder().decode


async def read_body(request: web.BaseRequest, record: Record, keep: int) -> dict[str, Any]:
    """The JSON object, the form, or without a body the query; noted down in `record`.

    At most `keep` bytes of it are noted. Raises Refused where the body is broken.
    """
    if request.headers.get("expect", "").lower() == "100-continue" and request.transport:
        request.transport.write(_CONTINUE)
    if request.content_type == "multipart/form-data":
        return await _form(request, record)
    raw = await request.content.read()
    record.size = len(raw)
    record.body = raw[:keep]
    if request.method != "POST":
        return dict(request.query)
    try:
        body = _decode(raw)
    except msgspec.DecodeError:
        body = None
    if not isinstance(body, dict):
        raise Refused(BROKEN_JSON)
    return body


def model_in(body: Mapping[str, Any]) -> str:
    """The model that a body names, as far as it does."""
    model = body.get("model")
    return model if isinstance(model, str) else ""


def check_key(headers: Mapping[str, str], wanted: str | None) -> None:
    """Raises Refused where a key is wanted and another one, or none, is presented."""
    if wanted is None:
        return
    bearer = headers.get("authorization", "").removeprefix("Bearer ")
    if wanted not in (bearer, headers.get("x-api-key"), headers.get("api-key")):
        raise Refused(WRONG_KEY)


async def _form(request: web.BaseRequest, record: Record) -> dict[str, Any]:
    try:
        form, record.size = await read_form(request)
    except ValueError:
        raise Refused(invalid("The form is broken.")) from None
    return form
