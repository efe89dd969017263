"""Registers the users of the seeds' /api/users."""

from __future__ import annotations

from mitmproxy import http

from llmitm.call import call_of
from llmitm.dialects.carry import encode
from llmitm.errors import Cause, GatewayError
from llmitm.runtime import runtime
from llmitm.seeds.users import register


class SeedUsers:
    """Stands behind the limits: who registers users without end is stopped like any other."""

    async def request(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        if flow.response or call.operation != "users":
            return
        body = call.body(flow)
        if body is None:
            raise GatewayError(Cause.INVALID_REQUEST, "The request body is not a JSON object.")
        user = encode(await register(runtime().keyring, body))
        flow.response = http.Response.make(201, user, {"content-type": "application/json"})


addons = [SeedUsers()]
