"""Files and models through the official SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator

import openai
import pytest
from openai import AsyncOpenAI

from llmitm.simulator import Simulator


@pytest.fixture
async def client(sim: Simulator) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{sim.url}/v1", api_key="any", max_retries=0) as client:
        yield client


async def test_file_life(client: AsyncOpenAI, sim: Simulator) -> None:
    """A file is uploaded, listed, found and deleted; of its content only the size is kept."""
    content = b"x" * 3_000_000
    made = await client.files.create(file=("big.jsonl", content), purpose="batch")
    assert (made.filename, made.bytes, made.purpose) == ("big.jsonl", 3_000_000, "batch")
    assert sim.requests[-1].body == b""
    assert sim.requests[-1].size == 3_000_000 + len("batch")
    assert [entry.id async for entry in client.files.list()] == [made.id]
    assert (await client.files.retrieve(made.id)).bytes == made.bytes
    assert (await client.files.delete(made.id)).deleted
    with pytest.raises(openai.NotFoundError):
        await client.files.retrieve(made.id)


async def test_upload_without_a_file(client: AsyncOpenAI) -> None:
    """A form without a file is a 400."""
    with pytest.raises(openai.BadRequestError):
        await client.post(
            "/files",
            cast_to=object,
            body={"purpose": "batch"},
            files={"other": b"x"},
            options={"headers": {"content-type": "multipart/form-data"}},
        )


async def test_models(client: AsyncOpenAI, sim: Simulator) -> None:
    """Lists the models of the settings, and knows no others."""
    assert [model.id async for model in client.models.list()] == list(sim.settings.models)
    assert (await client.models.retrieve("sim-small")).id == "sim-small"
    with pytest.raises(openai.NotFoundError) as unknown:
        await client.models.retrieve("gpt")
    assert unknown.value.code == "model_not_found"
