"""Chat Completions chunks as Ollama's lines (NDJSON)."""

from __future__ import annotations

from llmitm.dialects.anthropic_to_openai_answer import reasoning
from llmitm.dialects.carry import Json, encode, items, sub, text
from llmitm.dialects.chunks import ChunkTranslation
from llmitm.dialects.ollama_to_openai_answer import Shape, ending, line, logprobs, tool_calls
from llmitm.dialects.stopwatch import Stopwatch
from llmitm.dialects.tool_calls import ToolCalls
from llmitm.errors import GatewayError, error_object


class LineStream(ChunkTranslation):
    """One answer, line by line. Tool calls come whole, as Ollama's do, before the last line."""

    dialect = "ollama"

    def __init__(self, model: str, shape: Shape, watch: Stopwatch) -> None:
        super().__init__()
        self._model = model
        self._shape = shape
        self._watch = watch
        self._tools = ToolCalls()

    def _choice(self, _payload: Json, choice: Json) -> bytes:
        delta = sub(choice, "delta")
        for fragment in items(delta, "tool_calls"):
            self._tools.add(fragment)
        said: Json = {}
        if thought := reasoning(delta):
            said["thinking"] = thought
        if spoken := text(delta, "content") + text(delta, "refusal"):
            said["content"] = spoken
        if not said:
            return b""
        self._watch.token()
        return self._line({**self._shape(said), **logprobs(choice), "done": False})

    def _finished(self) -> bytes:
        try:
            calls = tool_calls((c.id, c.name, c.arguments) for c in self._tools.calls)
        except GatewayError as fault:
            self._failed = True
            return self._frame_error(error_object(fault, self.dialect))
        out = b""
        if calls:
            out = self._line({**self._shape({"tool_calls": calls}), "done": False})
        self.done = True
        last = ending(self._finish, self._usage, self._watch.nanoseconds())
        return out + self._line({**self._shape({}), **last})

    def _line(self, fields: Json) -> bytes:
        return encode({**line(self._model), **fields}) + b"\n"

    def _frame_error(self, error: Json) -> bytes:
        return encode(error) + b"\n"
