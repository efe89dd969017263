"""Every fault that providers show, with a healthy fallback: the caller gets the whole answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anthropic
import httpx
import ollama
import openai
import pytest

from tests.support.faults_table import CASES, Case
from tests.support.faulty import CUT_AFTER, TEXT, FaultyProvider
from tests.support.gateway import KEY, Gateway, Starter

RESILIENCE = {
    "retry": {"attempts": 3, "base": 0.05, "max": 0.2, "deadline": 60},
}
# What a silence has to outlast; the healthy provider is given as much.
HASTY = dict.fromkeys(("connect", "first_byte", "first_token", "between_tokens"), 1)
PATIENT = dict.fromkeys(HASTY, 30)
SILENT = ("silence", "slow_first_token", "stall")
MESSAGES: Any = [{"role": "user", "content": "Tell me about the fox."}]


def provider(starter: Starter, **settings: Any) -> tuple[FaultyProvider, str]:
    faulty = FaultyProvider(**settings)
    url = starter.thread.run(faulty.start())
    starter.running.append(lambda: starter.thread.run(faulty.stop()))
    return faulty, url


def gateway_for(
    starter: Starter, primary: str, fallback: str, *, prefill: bool = False, **resilience: Any
) -> Gateway:
    settings = {
        "providers": {
            "first": {"api": "simulator", "base_url": primary},
            "second": {"api": "simulator", "base_url": fallback},
        }
    }
    targets = [
        {"provider": "first", "model": "m1", "context": 10},
        {"provider": "second", "model": "m2", "context": 100_000, "prefill": prefill},
    ]
    policies = {
        "routes": {"routes": [{"model": "chat", "targets": targets}]},
        "resilience": {**RESILIENCE, "timeouts": PATIENT, **resilience},
    }
    return starter.gateway(settings, policies)


def ask(gateway: Gateway, case: Case, begun: Callable[[], None]) -> tuple[str, str | None]:
    """The text that an SDK ends up with, and why the answer ended. `begun`: text has come."""
    match case.dialect:
        case "openai":
            client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0)
            if case.stream:
                return read_openai(client, begun)
            whole = client.chat.completions.create(model="chat", messages=MESSAGES)
            return whole.choices[0].message.content or "", whole.choices[0].finish_reason
        case "anthropic":
            claude = anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0)
            with claude.messages.stream(model="chat", max_tokens=99, messages=MESSAGES) as events:
                for _ in events.text_stream:
                    begun()
                message = events.get_final_message()
            text = "".join(block.text for block in message.content if block.type == "text")
            return text, message.stop_reason
    local = ollama.Client(gateway.url, headers={"authorization": f"Bearer {KEY}"})
    text, finish = "", None
    for part in local.chat(model="chat", messages=MESSAGES, stream=True):
        text += part.message.content or ""
        finish = part.done_reason or finish
        begun()
    return text, finish


def read_openai(client: openai.OpenAI, begun: Callable[[], None]) -> tuple[str, str | None]:
    """Read a stream, which must look like one: one id, one role chunk."""
    text, finish, ids, roles = "", None, set(), 0
    for chunk in client.chat.completions.create(model="chat", messages=MESSAGES, stream=True):
        ids.add(chunk.id)
        for choice in chunk.choices:
            text += choice.delta.content or ""
            roles += choice.delta.role is not None
            finish = choice.finish_reason or finish
            if text:
                begun()
    assert len(ids) == 1
    assert roles == 1
    return text, finish


def releasing(starter: Starter, *providers: FaultyProvider) -> Callable[[], None]:
    """A function that lets the providers' mid-stream faults happen."""

    def release() -> None:
        for one in providers:
            starter.thread.loop.call_soon_threadsafe(one.released.set)

    return release


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_fault(starter: Starter, case: Case) -> None:
    """The caller gets the whole answer; for a content filter, the provider's own error."""
    first, primary = provider(
        starter, fault=case.fault, times=case.times, retry_after=case.retry_after
    )
    second, fallback = provider(starter, refuse_prefill=case.refuse_prefill)
    timeouts = HASTY if case.fault in SILENT else PATIENT
    gateway = gateway_for(starter, primary, fallback, prefill=case.prefill, timeouts=timeouts)
    begun = releasing(starter, first)
    if case.refused:
        with pytest.raises(openai.BadRequestError, match="safety system"):
            ask(gateway, case, begun)
        assert len(second.requests) == 0
        return
    text, finish = ask(gateway, case, begun)
    assert text == TEXT
    assert finish in ("stop", "end_turn")
    assert len(first.requests) <= RESILIENCE["retry"]["attempts"]


def raw_stream(gateway: Gateway, begun: Callable[[], None]) -> list[Any]:
    """The data of every event of an OpenAI stream."""
    events: list[Any] = []
    with httpx.stream(
        "POST",
        f"{gateway.url}/v1/chat/completions",
        headers={"authorization": f"Bearer {KEY}"},
        json={"model": "chat", "messages": MESSAGES, "stream": True},
        timeout=60,
    ) as reply:
        for line in reply.iter_lines():
            if line.startswith("data: "):
                data = line.removeprefix("data: ")
                events.append(data if data == "[DONE]" else json.loads(data))
                if len(events) > 1:  # the role chunk, and then text
                    begun()
    return events


@pytest.mark.parametrize("fault", ["cut", "stall", "no_end", "error_event"])
def test_no_resume_is_never_a_success(starter: Starter, fault: str) -> None:
    """With `mid_stream: error` a broken stream ends in an error event and without [DONE]."""
    first, primary = provider(starter, fault=fault)
    _, fallback = provider(starter)
    timeouts = HASTY if fault in SILENT else PATIENT
    gateway = gateway_for(starter, primary, fallback, mid_stream="error", timeouts=timeouts)
    events = raw_stream(gateway, releasing(starter, first))
    assert "[DONE]" not in events
    assert events[-1]["error"]["code"] == "stream_cut"
    assert all(not c["finish_reason"] for e in events[:-1] for c in e["choices"])


def test_all_targets_cut(starter: Starter) -> None:
    """When every target breaks off, the client gets what there was and an error, no [DONE]."""
    first, primary = provider(starter, fault="cut")
    second, fallback = provider(starter, fault="cut")
    gateway = gateway_for(starter, primary, fallback)
    events = raw_stream(gateway, releasing(starter, first, second))
    text = "".join(c["delta"].get("content") or "" for e in events[:-1] for c in e["choices"])
    assert text == " ".join(TEXT.split()[:CUT_AFTER])
    assert events[-1]["error"]["code"] == "stream_cut"
