"""What every attempt of a call is made on: its limits in time, and how to read what comes."""

from __future__ import annotations

from dataclasses import dataclass

from llmitm.call import Call
from llmitm.config.schema import Hold, Timeouts
from llmitm.dialects import is_json, paths
from llmitm.dialects.translation import Translation

STREAMED = frozenset({"chat", "completions", "responses", "messages", "generate"})


@dataclass(frozen=True, slots=True)
class Terms:
    """What an attempt needs to know beyond its target: how long to wait, how to read the answer."""

    call: Call
    timeouts: Timeouts
    translation: Translation | None
    hold: Hold

    @property
    def may_stream(self) -> bool:
        """Whether a stream will do: asked for, or not asked for and no more than a surprise."""
        call = self.call
        return call.stream or (call.operation in STREAMED and call.check is None)

    @property
    def reads_json(self) -> bool:
        """Whether nothing but JSON will do, whatever the provider calls what it sends."""
        known = self.translation is not None or self.call.check is not None
        return known or is_json(*self.tap)

    @property
    def needs_stream(self) -> bool:
        """Whether nothing but a stream will do. One object is a stream of Ollama's too."""
        call = self.call
        return call.stream and call.operation in STREAMED and call.dialect != "ollama"

    @property
    def tap(self) -> tuple[str, str]:
        """Dialect and operation of what the provider sends."""
        if self.translation is None:
            return self.call.dialect, self.call.operation
        return paths.recognise("POST", self.translation.path)
