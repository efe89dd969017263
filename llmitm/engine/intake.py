"""Reads request bodies: bounded, decoded, onto the flow, or as a stream where nobody edits them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from mitmproxy import http

from llmitm.call import call_of
from llmitm.config.schema import Http
from llmitm.dialects import paths
from llmitm.engine.body import decode, too_large
from llmitm.engine.form import FormScan, is_form
from llmitm.engine.upload import Upload
from llmitm.errors import Cause, GatewayError


class Source(Protocol):
    """A request whose head was read. Its methods raise GatewayError for what isn't HTTP."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Its header fields, found without regard to case."""

    def at_hand(self) -> bytes | None:
        """The body, where all of it is here already."""

    async def part(self) -> bytes:
        """The next bytes of the body, none at its end."""

    def go_on(self) -> None:
        """Say that the body is welcome, where the client waits to be told."""


class Intake:
    """Reads a request's body when it is asked for: after the headers were let in."""

    def __init__(self, limits: Http, source: Source, flow: http.HTTPFlow) -> None:
        self._limits = limits
        self._source = source
        self._flow = flow
        self._call = call_of(flow)
        self._type = source.headers.get("content-type", "")
        self._encoded = "content-encoding" in source.headers
        self._needs_model = paths.has_model(self._call.operation)
        self._form: FormScan | None = None  # where the call is routed by a form's model

    async def read(self) -> Upload | None:
        """Put the body on the flow. A long body that isn't JSON comes back as a stream instead.

        Raises GatewayError for a body that is broken, too long or too slow.
        """
        length = self._source.headers.get("content-length")
        if self._needs_model and is_form(self._type):
            self._form = FormScan(self._type)
        bounded = "json" in self._type or (self._needs_model and self._form is None)
        if bounded and length is not None and int(length) > self._limits.max_body:
            raise too_large(self._limits.max_body)
        here = self._source.at_hand()
        if here is not None:
            self._scan(here)
            self._keep(here)
            return None
        self._source.go_on()
        return await self._read(bounded, int(length) if length else None)

    async def _read(self, bounded: bool, length: int | None) -> Upload | None:
        parts: list[bytes] = []
        size = 0
        while part := await self._part():
            parts.append(part)
            size += len(part)
            if size > self._limits.buffer_body and not bounded and self._may_stream():
                return self._stream(b"".join(parts), length)
            if size > self._limits.max_body:
                raise too_large(self._limits.max_body)
        self._keep(b"".join(parts))
        return None

    def _may_stream(self) -> bool:
        """Whether all is known that the call is routed by."""
        return not self._needs_model or (self._form is not None and self._form.model is not None)

    async def _part(self) -> bytes:
        timeout = self._limits.body_timeout
        try:
            async with asyncio.timeout(timeout):
                part = await self._source.part()
        except TimeoutError:
            raise GatewayError(
                Cause.TIMEOUT_CLIENT, f"No part of the request body came for {timeout:g} seconds."
            ) from None
        self._scan(part)
        return part

    def _scan(self, part: bytes) -> None:
        if self._form is not None and not self._encoded:
            self._form.feed(part)

    def _keep(self, body: bytes) -> None:
        request = self._flow.request
        if self._encoded and body and self._is_read():
            body = decode(body, request.headers["content-encoding"], self._limits.max_body)
            del request.headers["content-encoding"]
            if self._form is not None:
                self._form.feed(body)
        if callable(request.stream):
            body = through(request.stream, body) + through(request.stream, b"")
        request.raw_content = body
        request.timestamp_end = time.time()
        if self._form is not None:
            self._call.model = self._form.model

    def _is_read(self) -> bool:
        """Whether the gateway or its addons look into the body, so that it must be plain."""
        return "json" in self._type or self._needs_model

    def _stream(self, head: bytes, length: int | None) -> Upload:
        request = self._flow.request
        edit = request.stream if callable(request.stream) else None
        request.raw_content = None
        request.stream = request.stream or True
        model = self._form.model if self._form is not None else None
        self._call.model = model

        async def rest() -> AsyncIterator[bytes]:
            while part := await self._part():
                yield through(edit, part)
            if edit is not None:
                yield through(edit, b"")

        # What a script makes of it has a length of its own.
        known = length if edit is None else None
        return Upload(through(edit, head), rest(), self._type, known, model)


def through(edit: object, data: bytes) -> bytes:
    """What a script's stream callable makes of some bytes."""
    if not callable(edit):
        return data
    out = edit(data)
    return out if isinstance(out, bytes) else b"".join(out)
