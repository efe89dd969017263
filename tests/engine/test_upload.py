"""Bodies that are passed on as they arrive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from llmitm.call import Attempt, Target
from llmitm.engine.upload import Upload
from llmitm.errors import Cause, GatewayError

FORM = "multipart/form-data; boundary=b"
HEAD = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nmine\r\n--b'


def attempt(model: str) -> Attempt:
    return Attempt(Target("p", model), 1, model)


async def rest(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def _joined(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


@pytest.mark.parametrize(
    ("model", "length", "head"),
    [("mine", "100", HEAD), ("another", "103", HEAD.replace(b"mine", b"another"))],
)
def test_body(model: str, length: str, head: bytes) -> None:
    """A form goes out with the target's model, and with a length that fits."""
    upload = Upload(HEAD, rest(b"x", b"y"), FORM, 100, "mine")
    sent = attempt(model)
    assert asyncio.run(_joined(upload.body(sent))) == head + b"xy"
    assert sent.headers["content-length"] == length


def test_unknown_length() -> None:
    """Without a length from the client, none is sent."""
    sent = attempt("*")
    Upload(b"head", rest(), "application/octet-stream").body(sent)
    assert "content-length" not in sent.headers


def test_can_be_sent_again_until_it_was_touched() -> None:
    """An attempt whose target never took a byte may be followed by another one."""
    upload = Upload(b"head", rest(b"x"), "application/octet-stream")
    first, second, third = (attempt("*") for _ in range(3))
    upload.body(first)
    assert first.replayable
    asyncio.run(_joined(upload.body(second)))
    assert not second.replayable
    upload.body(third)
    assert not third.replayable


def test_client_fault_is_kept() -> None:
    """What goes wrong on the client's side is not taken for the target's."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise GatewayError(Cause.TIMEOUT_CLIENT, "too slow")

    upload = Upload(b"head", broken(), "application/octet-stream")
    with pytest.raises(GatewayError):
        asyncio.run(_joined(upload.body(attempt("*"))))
    assert upload.fault is not None
    assert upload.fault.cause is Cause.TIMEOUT_CLIENT
