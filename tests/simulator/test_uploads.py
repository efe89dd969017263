"""Multipart bodies."""

from __future__ import annotations

import aiohttp
import pytest

from llmitm.simulator import Simulator


async def test_long_fields_are_not_kept(sim: Simulator, http: aiohttp.ClientSession) -> None:
    """Of a field that is no file only the start is kept, and all of it is counted."""
    form = aiohttp.FormData({"purpose": "x" * 100_000})
    form.add_field("file", b"abc", filename="a.txt")
    reply = await http.post(f"{sim.url}/v1/files", data=form)
    made = await reply.json()
    assert (made["bytes"], len(made["purpose"])) == (3, 65536)
    assert sim.requests[0].size == 100_003


FORM_IN_FORM = (
    b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\na\r\n--y--\r\n--x--\r\n"
)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"no boundary here"),
        ("multipart/form-data; boundary=x", FORM_IN_FORM),
    ],
)
async def test_broken_forms(
    sim: Simulator, http: aiohttp.ClientSession, kind: str, body: bytes
) -> None:
    """A form that cannot be read is a 400."""
    headers = {"content-type": kind}
    reply = await http.post(f"{sim.url}/v1/files", data=body, headers=headers)
    assert reply.status == 400
    assert (await reply.json())["error"]["type"] == "invalid_request_error"
