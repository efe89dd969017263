"""Why a call went where it went, as scalars for its flow."""

from __future__ import annotations

from llmitm.call import Attempt, Call
from llmitm.config.schema import Route
from llmitm.inspector.summary import Scalar, known


def routing(call: Call, route: Route | None) -> dict[str, Scalar]:
    """The route's strategy, the targets in the order they were to be asked, what became of each."""
    planned = [target.name for target in call.plan]
    left_out = [t.name for t in route.targets if t.name not in planned] if route else []
    return known(
        {
            "route": call.route,
            "strategy": route.strategy if route else None,
            "plan": ", ".join(planned) or None,
            "left_out": ", ".join(left_out) or None,
            "tried": "; ".join(tried(attempt) for attempt in call.attempts) or None,
        }
    )


def tried(attempt: Attempt) -> str:
    """One attempt as `1. openai/gpt-4o: 503 (http_error) after 12 ms`."""
    name = f"{attempt.number}. {attempt.target.provider}/{attempt.model}"
    if attempt.ended is None:
        return f"{name}: waiting"
    status = "no answer" if attempt.status is None else str(attempt.status)
    failure = f" ({attempt.error})" if attempt.error else ""
    return f"{name}: {status}{failure} after {attempt.ms} ms"
