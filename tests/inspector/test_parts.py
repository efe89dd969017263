"""The inspector's parts, put together."""

from __future__ import annotations

import httpx

from llmitm.config.address import Address
from llmitm.config.schema import Inspector
from llmitm.config.secret import Secret
from llmitm.inspector.parts import Parts


async def test_from_load_to_done() -> None:
    """It serves between `start` and `stop`, with the filter and the password of its settings."""
    settings = Inspector(hold="~b secret", password=Secret("hunter22"))
    parts = Parts(settings, Address("127.0.0.1", 0), None, lambda _: {})  # type: ignore[arg-type]
    parts.site.bind()
    parts.start()
    try:
        async with httpx.AsyncClient(base_url=parts.site.url) as client:
            assert (await client.get("/options")).status_code == 403
            reply = await client.get("/options", headers={"authorization": "Bearer hunter22"})
        assert reply.json()["intercept"]["value"] == "~b secret"
        assert "hunter22" not in reply.text
    finally:
        await parts.stop()
