"""What the ledger says of calls is what the providers told the SDKs, to the last token and cent."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anthropic
import ollama
import openai
import pytest
from click.testing import CliRunner

from llmitm.call import CallRecord
from llmitm.cli import main
from tests.journeys.conftest import Stand
from tests.support.calls import one_call

MESSAGES: Any = [{"role": "user", "content": "How much is that?"}]
# What the simulated provider reports, whatever it says.
CACHED = "m@ok:prompt=1000,completion=77,cached=400,reasoning=20"
PLAIN = "m@ok:prompt=1000,completion=77"

Numbers = tuple[int, int, int, int]  # prompt, of it cached, completion, of it reasoning


def openai_chat(stand: Stand, *, stream: bool, ask: bool = True) -> Numbers:
    with openai.OpenAI(base_url=f"{stand.url}/v1", api_key=stand.key) as client:
        asked: Any = {"model": CACHED, "messages": MESSAGES}
        if not stream:
            usage = client.chat.completions.create(**asked).usage
        else:
            options: Any = {"stream_options": {"include_usage": True}} if ask else {}
            *_, last = client.chat.completions.create(**asked, **options, stream=True)
            usage = last.usage
    if not ask:
        assert usage is None
        return 1000, 400, 77, 20
    assert usage.prompt_tokens_details
    assert usage.completion_tokens_details
    return (
        usage.prompt_tokens,
        usage.prompt_tokens_details.cached_tokens or 0,
        usage.completion_tokens,
        usage.completion_tokens_details.reasoning_tokens or 0,
    )


def openai_responses(stand: Stand, *, stream: bool) -> Numbers:
    with openai.OpenAI(base_url=f"{stand.url}/v1", api_key=stand.key) as client:
        asked: Any = {"model": CACHED, "input": "How much?"}
        if stream:
            *_, last = client.responses.create(**asked, stream=True)
            usage = last.response.usage
        else:
            usage = client.responses.create(**asked).usage
    assert usage is not None
    return (
        usage.input_tokens,
        usage.input_tokens_details.cached_tokens,
        usage.output_tokens,
        usage.output_tokens_details.reasoning_tokens,
    )


def anthropic_messages(stand: Stand, *, stream: bool) -> Numbers:
    with anthropic.Anthropic(base_url=stand.url, api_key=stand.key) as client:
        asked: Any = {
            "model": "m@ok:prompt=1000,completion=77,cached=400",
            "max_tokens": 100,
            "messages": MESSAGES,
        }
        if stream:
            with client.messages.stream(**asked) as events:
                usage = events.get_final_message().usage
        else:
            usage = client.messages.create(**asked).usage
    cached = usage.cache_read_input_tokens or 0
    return usage.input_tokens + cached, cached, usage.output_tokens, 0


def ollama_chat(stand: Stand, *, stream: bool) -> Numbers:
    client = ollama.Client(host=stand.url, headers={"Authorization": f"Bearer {stand.key}"})
    if stream:
        *_, last = client.chat(model=PLAIN, messages=MESSAGES, stream=True)
    else:
        last = client.chat(model=PLAIN, messages=MESSAGES)
    client._client.close()
    return last.prompt_eval_count or 0, 0, last.eval_count or 0, 0


def embeddings(stand: Stand) -> Numbers:
    with openai.OpenAI(base_url=f"{stand.url}/v1", api_key=stand.key) as client:
        usage = client.embeddings.create(model="sim-embed", input="one two").usage
    return usage.prompt_tokens, 0, 0, 0


CASES: dict[str, Callable[[Stand], Numbers]] = {
    "chat": lambda stand: openai_chat(stand, stream=False),
    "chat stream": lambda stand: openai_chat(stand, stream=True),
    "chat stream, usage not asked for": lambda stand: openai_chat(stand, stream=True, ask=False),
    "responses": lambda stand: openai_responses(stand, stream=False),
    "responses stream": lambda stand: openai_responses(stand, stream=True),
    "messages": lambda stand: anthropic_messages(stand, stream=False),
    "messages stream": lambda stand: anthropic_messages(stand, stream=True),
    "ollama": lambda stand: ollama_chat(stand, stream=False),
    "ollama stream": lambda stand: ollama_chat(stand, stream=True),
    "embeddings": embeddings,
}


def usd(prompt: int, cached: int, completion: int) -> Decimal:
    """By the prices of the stand: 3, 0.30 and 15 USD per million."""
    return (3 * (prompt - cached) + Decimal("0.3") * cached + 15 * completion) / Decimal(1_000_000)


@pytest.mark.parametrize("name", CASES)
def test_usage_is_the_providers(stand: Stand, name: str) -> None:
    """Tokens and cost of each API, streamed and whole, are those that the provider told."""
    with one_call(stand.watcher) as calls:
        prompt, cached, completion, reasoning = CASES[name](stand)
    record: CallRecord = calls[0]
    assert record.prompt_tokens == prompt > 0
    assert record.cached_tokens == cached
    assert record.completion_tokens == completion
    assert record.reasoning_tokens == reasoning
    assert record.cost_usd == usd(prompt, cached, completion)
    assert not record.estimated
    assert record.status == 200
    assert record.stream == ("stream" in name)


def test_llmitm_usage_adds_up(stand: Stand) -> None:
    """`llmitm usage` adds up what the ledger holds to the cent, in every form and grouping."""
    with one_call(stand.watcher):
        openai_chat(stand, stream=True)
    records = list(stand.watcher.records)
    assert stand.gateway.master.runtime.ledger.flush(60)
    total = sum((r.cost_usd or Decimal(0) for r in records), Decimal(0))
    config = str(stand.gateway.directory / "gateway.yaml")
    for by in ("key", "model", "target", "day"):
        told = CliRunner().invoke(main, ["usage", "-c", config, "--by", by, "--format", "json"])
        assert told.exit_code == 0, told.output
        rows = json.loads(told.stdout, parse_float=Decimal)
        assert sum(Decimal(row["cost_usd"]) for row in rows) == total
        assert sum(row["calls"] for row in rows) == len(records)
        assert sum(row["completion_tokens"] for row in rows) == sum(
            r.completion_tokens for r in records
        )
    told = CliRunner().invoke(main, ["usage", "-c", config, "--format", "csv"])
    assert (
        sum(Decimal(row["cost_usd"]) for row in csv.DictReader(io.StringIO(told.stdout))) == total
    )
