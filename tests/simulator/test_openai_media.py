"""Pictures, transcriptions and moderations through the official SDK."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator

import openai
import pytest
from openai import AsyncOpenAI

from llmitm.simulator import Simulator


@pytest.fixture
async def client(sim: Simulator) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{sim.url}/v1", api_key="any", max_retries=0) as client:
        yield client


async def test_images(client: AsyncOpenAI) -> None:
    """As many PNGs as were asked for."""
    answer = await client.images.generate(model="image", prompt="A pebble", n=2)
    pictures = [b64decode(picture.b64_json or "") for picture in answer.data or []]
    assert len(pictures) == 2
    assert all(picture.startswith(b"\x89PNG\r\n\x1a\n") for picture in pictures)
    with pytest.raises(openai.BadRequestError):
        await client.images.generate(model="image", prompt="")


async def test_transcriptions(client: AsyncOpenAI) -> None:
    """The same file gives the same words, as JSON or as text."""
    upload = ("speech.wav", b"RIFF")
    json = await client.audio.transcriptions.create(model="speech@ok:tokens=4", file=upload)
    text = await client.audio.transcriptions.create(
        model="speech@ok:tokens=4", file=upload, response_format="text"
    )
    assert len(json.text.split()) == 4
    assert text.strip() == json.text


async def test_transcription_fault(client: AsyncOpenAI) -> None:
    """A model's fault works in a form as well."""
    with pytest.raises(openai.InternalServerError):
        await client.audio.transcriptions.create(model="speech@503", file=("a.wav", b"RIFF"))


async def test_moderations(client: AsyncOpenAI) -> None:
    """Nothing is flagged, each input has its result."""
    answer = await client.moderations.create(input=["Hi", "Bye"])
    assert [result.flagged for result in answer.results] == [False, False]
    assert answer.results[0].categories.self_harm is False
