from __future__ import annotations

from llmitm.seeds.agent import GENERATE, STREAM
from tests.seeds.answered import ANSWERED


def test_request() -> None:
    """A prompt becomes a chat, streamed where the path says so."""
    said = {"messages": [{"role": "user", "content": "hi"}]}
    assert GENERATE.chat({"prompt": "hi", "temperature": 9}) == said
    assert STREAM.chat({"prompt": "hi"}) == {**said, "stream": True}
    assert (GENERATE.streams, STREAM.streams) == (False, True)


def test_answer() -> None:
    """The answer is its text and nothing else."""
    assert GENERATE.answer(ANSWERED) == {"response": ANSWERED.text}
