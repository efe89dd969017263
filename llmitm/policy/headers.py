"""How limits are said in a reply: OpenAI's ``x-ratelimit-*`` headers."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from llmitm.policy.limits import REQUESTS, TOKENS, Kind, Standing


def rate_limit_headers(standings: Mapping[Kind, Standing]) -> dict[str, str]:
    """Limit, remaining and reset, for requests and for tokens as far as they are limited."""
    headers: dict[str, str] = {}
    for kind in (REQUESTS, TOKENS):
        standing = standings.get(kind)
        if standing is not None:
            headers[f"x-ratelimit-limit-{kind}"] = str(standing.limit)
            headers[f"x-ratelimit-remaining-{kind}"] = str(standing.remaining)
            headers[f"x-ratelimit-reset-{kind}"] = go_duration(standing.reset)
    return headers


def go_duration(seconds: float) -> str:
    """Seconds, rounded up to milliseconds, as Go prints them: ``12ms``, ``1s``, ``6m0s``, ``1.5s``.

    Source: the documentation of ``time.Duration.String``.
    """
    ms = ceil(seconds * 1000)
    if ms <= 0:
        return "0s"
    if ms < 1000:
        return f"{ms}ms"
    minutes, rest = divmod(ms, 60_000)
    text = f"{rest // 1000}.{rest % 1000:03}".rstrip("0").rstrip(".") + "s"
    if not minutes:
        return text
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}"
