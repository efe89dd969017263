"""Why a call went where it went, as scalars for its flow."""

from __future__ import annotations

from llmitm.config.schema import Route
from llmitm.inspector.snapshot import Seen, Sent
from llmitm.inspector.summary import Scalar, known


def routing(seen: Seen, route: Route | None) -> dict[str, Scalar]:
    """The route's strategy, the targets in the order they were to be asked, what became of each."""
    planned = [target.name for target in seen.plan]
    left_out = [t.name for t in route.targets if t.name not in planned] if route else []
    return known(
        {
            "strategy": route.strategy if route else None,
            "plan": ", ".join(planned) or None,
            "left_out": ", ".join(left_out) or None,
            "tried": "; ".join(tried(sent) for sent in seen.sent) or None,
        }
    )


def tried(sent: Sent) -> str:
    """One attempt as `1. openai/gpt-4o: 503 (server_error) after 12 ms`."""
    name = f"{sent.number}. {sent.target}"
    if sent.ms is None:
        return f"{name}: waiting"
    status = "no answer" if sent.status is None else str(sent.status)
    failure = f" ({sent.error})" if sent.error else ""
    return f"{name}: {status}{failure} after {sent.ms} ms"
