"""The faults that the gateway is tested with, as cases and as the README's table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

WHOLE = "whole answer"
PROVIDERS_ERROR = "provider's error"


@dataclass(frozen=True)
class Case:
    """One fault of the first target; the second one is healthy."""

    title: str
    fault: str
    dialect: str = "openai"
    stream: bool = True
    times: int | None = None
    retry_after: str | None = None
    prefill: bool = False
    refuse_prefill: bool = False
    refused: bool = False

    @property
    def id(self) -> str:
        mode = "stream" if self.stream else "whole"
        return f"{self.title}-{self.dialect}-{mode}".replace(" ", "_")

    @property
    def outcome(self) -> str:
        return PROVIDERS_ERROR if self.refused else WHOLE


_ANY = [
    ("connection reset before the head", {"fault": "reset"}),
    ("silence", {"fault": "silence"}),
    ("slow first token", {"fault": "slow_first_token"}),
    ("429 with Retry-After once", {"fault": "429", "times": 1, "retry_after": "1"}),
    ("429 with Retry-After for ever", {"fault": "429", "retry_after": "1"}),
    ("429 without Retry-After once", {"fault": "429", "times": 1}),
    ("429 without Retry-After for ever", {"fault": "429"}),
    ("500 once", {"fault": "500", "times": 1}),
    ("503 for ever", {"fault": "503"}),
    ("context too long", {"fault": "context_length"}),
    ("content filter", {"fault": "content_filter", "refused": True}),
    ("cut in the middle", {"fault": "cut"}),
    ("stall in the middle", {"fault": "stall"}),
    ("malformed data", {"fault": "malformed"}),
]
_STREAMING = [
    ("connection reset before the head", {"fault": "reset"}),
    ("silence", {"fault": "silence"}),
    ("slow first token", {"fault": "slow_first_token"}),
    ("cut in the middle", {"fault": "cut"}),
    ("stall in the middle", {"fault": "stall"}),
    ("malformed data", {"fault": "malformed"}),
    ("no terminal mark after the finish", {"fault": "no_done"}),
    ("no end mark at all", {"fault": "no_end"}),
    ("error event in the middle", {"fault": "error_event"}),
    ("cut, fallback continues a prefill", {"fault": "cut", "prefill": True}),
    (
        "cut, fallback refuses the prefill",
        {"fault": "cut", "prefill": True, "refuse_prefill": True},
    ),
]


def _cases() -> Iterable[Case]:
    for title, settings in _ANY:
        yield Case(title, **settings, stream=False)  # type: ignore[arg-type]
        yield Case(title, **settings, stream=True)  # type: ignore[arg-type]
    seen = {title for title, _ in _ANY}
    for title, settings in _STREAMING:
        for dialect in ("openai", "anthropic", "ollama"):
            if dialect != "openai" or title not in seen:
                yield Case(title, **settings, dialect=dialect)  # type: ignore[arg-type]


CASES = list(_cases())
COLUMNS = [("openai", False), ("openai", True), ("anthropic", True), ("ollama", True)]


def markdown() -> str:
    """The table of the README: fault × dialect → what the caller gets."""
    lines = [
        "| the provider's fault | OpenAI | streamed | Anthropic, streamed | Ollama, streamed |",
        "|---|---|---|---|---|",
    ]
    for title in dict.fromkeys(case.title for case in CASES):
        cells = []
        for dialect, stream in COLUMNS:
            match = [c for c in CASES if (c.title, c.dialect, c.stream) == (title, dialect, stream)]
            cells.append(match[0].outcome if match else "")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
