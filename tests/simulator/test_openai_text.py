"""Text completions and embeddings through the official SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from openai import AsyncOpenAI

from llmitm.simulator import Simulator, expected_text


def text_of(prompt: str, tokens: int) -> str:
    return expected_text([{"role": "user", "content": prompt}], tokens)


@pytest.fixture
async def client(sim: Simulator) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{sim.url}/v1", api_key="any", max_retries=0) as client:
        yield client


async def test_completions(client: AsyncOpenAI) -> None:
    """Each prompt has its choice, the text that chat would give it, and the usage counts all."""
    answer = await client.completions.create(model="gpt", prompt=["Hi there", "Bye"], max_tokens=6)
    assert [choice.text for choice in answer.choices] == [text_of("Hi there", 6), text_of("Bye", 6)]
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage
    assert answer.usage.completion_tokens == 12
    assert answer.usage.prompt_tokens == (2 + 3) + (1 + 3)


async def test_streamed_completion(client: AsyncOpenAI) -> None:
    """The stream has the same text and ends with its reason and usage."""
    stream = await client.completions.create(
        model="gpt",
        prompt="Hi there",
        max_tokens=6,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].text for chunk in chunks[:-1]) == text_of("Hi there", 6)
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].usage
    assert chunks[-1].usage.total_tokens == 11


async def test_embeddings(client: AsyncOpenAI) -> None:
    """A unit vector for each text, the same in floats and in base64."""
    texts = ["Hi there", "Bye"]
    packed = await client.embeddings.create(model="e", input=texts, dimensions=16)
    floats = await client.embeddings.create(
        model="e", input=texts, dimensions=16, encoding_format="float"
    )
    for one, other in zip(packed.data, floats.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
        assert len(one.embedding) == 16
        assert sum(number**2 for number in other.embedding) == pytest.approx(1)
    assert floats.data[0].embedding != floats.data[1].embedding
    assert floats.usage.prompt_tokens == 3


@pytest.mark.parametrize("given", ["Hi", [1, 2, 3], [[1, 2], [3]], ["Hi"]])
async def test_inputs(client: AsyncOpenAI, given: list[int]) -> None:
    """Texts and token ids are taken, alone or in lists."""
    answer = await client.embeddings.create(model="e", input=given)
    assert len(answer.data[0].embedding) == 384
