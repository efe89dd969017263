"""An answer for endpoints to tell."""

from __future__ import annotations

from decimal import Decimal

from llmitm.call import Usage
from llmitm.seeds.endpoint import Answered

ANSWERED = Answered(
    text="Because of Rayleigh scattering.",
    model="llama3.2",
    provider="worker-0",
    usage=Usage(prompt_tokens=12, completion_tokens=42),
    cost_usd=Decimal("0.00007"),
    request_id="req_1",
    ms=523,
)
