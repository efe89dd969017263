"""How a simulated provider behaves when nothing is wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """The simulator's parameters. Raises ValueError where one makes no sense.

    `latency` is seconds until the first byte of every reply; `pace` is tokens per second of a
    stream, None for as fast as possible; `tokens` is the length of an answer that nothing
    else limits. `seed` changes every text. With `api_key` set, any other key gets a 401.

    `prefill` makes the OpenAI paths continue an assistant message given last (Anthropic's and
    Ollama's always do); `refuse_prefill` answers such a message with a 400 on every path that
    was not told to continue it.

    `cached_tokens` and `reasoning_tokens` are reported in every usage. The latest `keep` requests
    are remembered, each with at most `keep_body` bytes of its body.
    """

    latency: float = 0.0
    pace: float | None = None
    tokens: int = 32
    seed: int = 0
    api_key: str | None = None
    models: tuple[str, ...] = ("sim-small", "sim-large", "sim-embed")
    prefill: bool = False
    refuse_prefill: bool = False
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    keep: int = 1000
    keep_body: int = 65536

    def __post_init__(self) -> None:
        for name in ("latency", "tokens", "cached_tokens", "reasoning_tokens", "keep", "keep_body"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative")
        if self.pace is not None and self.pace <= 0:
            raise ValueError("pace is tokens per second and must be positive")
