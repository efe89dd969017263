"""Answers that are given again: with the official SDKs, to whom they may be given, and when not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import ollama
import openai
import pytest

from tests.support.caching import (
    ANTHROPIC,
    AVA,
    BEN,
    BOT,
    CAP,
    EVE,
    KEYS,
    OLLAMA,
    OPENAI,
    PRICE,
    Stand,
    results,
    routes,
)
from tests.support.calls import watch
from tests.support.gateway import Starter


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    starter = Starter(tmp_path_factory.mktemp("gateway"))
    try:
        simulator, url = starter.simulator(tokens=12)
        gateway = starter.gateway(
            policies={
                "keys": KEYS,
                "routes": routes(),
                "prices": {"prices": [PRICE]},
                "resilience": {"retry": {"attempts": 1}, "circuit_breaker": {"enabled": False}},
            },
            provider_url=url,
        )
        yield Stand(gateway, simulator, watch(gateway))
    finally:
        starter.close()


# Each asks the same twice, whole or as a stream. No two answers of a provider have the same ids.
def ask_openai(stand: Stand, stream: bool) -> list[Any]:
    messages = stand.prompt()
    with openai.OpenAI(base_url=f"{stand.gateway.url}/v1", api_key=AVA, max_retries=0) as client:

        def ask() -> Any:
            if not stream:
                return client.chat.completions.create(model="kept", messages=messages).to_dict()
            parts = client.chat.completions.create(
                model="kept", messages=messages, stream=True, stream_options={"include_usage": True}
            )
            return [part.to_dict() for part in parts]

        return stand.twice(ask)


def ask_responses(stand: Stand, stream: bool) -> list[Any]:
    text = stand.prompt()[0]["content"]
    with openai.OpenAI(base_url=f"{stand.gateway.url}/v1", api_key=AVA, max_retries=0) as client:

        def ask() -> Any:
            if not stream:
                return client.responses.create(model="kept", input=text).to_dict()
            return [
                e.to_dict() for e in client.responses.create(model="kept", input=text, stream=True)
            ]

        return stand.twice(ask)


def ask_anthropic(stand: Stand, stream: bool) -> list[Any]:
    said: Any = {"model": "kept", "max_tokens": 50, "messages": stand.prompt()}
    with anthropic.Anthropic(base_url=stand.gateway.url, api_key=AVA, max_retries=0) as client:

        def ask() -> Any:
            if not stream:
                return client.messages.create(**said).to_dict()
            with client.messages.stream(**said) as events:
                return events.get_final_message().to_dict()

        return stand.twice(ask)


def ask_ollama(stand: Stand, stream: bool) -> list[Any]:
    messages = stand.prompt()
    client = ollama.Client(stand.gateway.url, headers={"authorization": f"Bearer {AVA}"})

    def ask() -> Any:
        if not stream:
            return client.chat(model="kept", messages=messages).model_dump()
        return [part.model_dump() for part in client.chat("kept", messages, stream=True)]

    try:
        return stand.twice(ask)
    finally:
        client._client.close()


def ask_embeddings(stand: Stand, stream: bool) -> list[Any]:
    text = stand.prompt()[0]["content"]
    with openai.OpenAI(base_url=f"{stand.gateway.url}/v1", api_key=AVA, max_retries=0) as client:
        return stand.twice(lambda: client.embeddings.create(model="kept", input=text).to_dict())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("ask", [ask_openai, ask_responses, ask_anthropic, ask_ollama])
def test_sdks(stand: Stand, ask: Callable[[Stand, bool], list[Any]], stream: bool) -> None:
    """The second answer is the first, to the last id, and no provider was asked for it."""
    asked = len(stand.simulator.requests)
    first, second = ask(stand, stream)
    assert first == second
    assert len(stand.simulator.requests) == asked + 1
    record = stand.watcher.records[-1]
    assert (record.target, record.attempts, record.status) == ("cache", (), 200)
    assert (record.cost_usd, record.prompt_tokens, record.stream) == (0, 0, stream)
    assert (record.ttft_ms is not None) == stream
    assert record.error is None


def test_embeddings(stand: Stand) -> None:
    """So with embeddings."""
    asked = len(stand.simulator.requests)
    first, second = ask_embeddings(stand, False)
    assert first == second
    assert len(stand.simulator.requests) == asked + 1


@pytest.mark.parametrize("path", [OPENAI, ANTHROPIC, OLLAMA])
@pytest.mark.parametrize("stream", [False, True])
def test_same_bytes(stand: Stand, path: str, stream: bool) -> None:
    """A kept answer has the first one's bytes, and says what it is."""
    body = stand.chat(stream=stream, max_tokens=20)
    first, begun = stand.post(body, path), time.monotonic()
    second = stand.post(body, path)
    assert results(first, second) == ["miss", "hit"]
    assert second.content == first.content
    assert second.headers["content-type"] == first.headers["content-type"]
    assert 0 <= int(second.headers["age"]) <= time.monotonic() - begun + 1
    assert second.headers["x-llmitm-target"] == "cache"
    assert second.headers["x-llmitm-attempts"] == "0"
    assert second.headers["x-llmitm-cost-usd"] == "0"
    assert "age" not in first.headers
    assert first.headers["x-llmitm-target"] == "sim/sim-small"


def test_streams_and_whole_answers_are_apart(stand: Stand) -> None:
    """Who asks for a stream gets one that was a stream, who asks for a whole answer a whole one."""
    body = stand.chat()
    streamed = {**body, "stream": True}
    replies = [stand.post(b) for b in (body, streamed, body, streamed)]
    assert results(*replies) == ["miss", "miss", "hit", "hit"]
    assert replies[3].headers["content-type"].startswith("text/event-stream")
    assert replies[2].json()["choices"]


def test_who_asks_does_not_matter_but_what(stand: Stand) -> None:
    """The order of fields and who is said to ask don't count; every parameter does."""
    body = stand.chat(temperature=0.5)
    same = {"user": "somebody", "temperature": 0.5, "metadata": {"a": "b"}, **body}
    assert results(stand.post(body), stand.post(same)) == ["miss", "hit"]
    for other in ({**body, "temperature": 0.6}, {**body, "seed": 1}, stand.chat()):
        assert results(stand.post(other)) == ["miss"]


def test_off_by_default(stand: Stand) -> None:
    """A route that says nothing keeps nothing, and says nothing."""
    body = stand.chat("plain")
    first, second = stand.post(body), stand.post(body)
    assert results(first, second) == [None, None]
    assert first.json()["id"] != second.json()["id"]


@pytest.mark.parametrize(
    ("model", "shared"),
    [("kept", []), ("by-user", []), ("by-team", [BEN]), ("for-all", [BEN, BOT])],
)
def test_scopes(stand: Stand, model: str, shared: list[str]) -> None:
    """An answer is its key's own, unless the route shares it with the user, the team or all."""
    body = stand.chat(model)
    assert results(stand.post(body)) == ["miss"]
    assert results(stand.post(body)) == ["hit"]
    for key in (BEN, BOT):
        expected = "hit" if key in shared else "miss"
        assert results(stand.post(body, key=key)) == [expected]


def test_refusals_come_first(stand: Stand) -> None:
    """No kept answer goes to who may not ask: no key, not this model."""
    body = stand.chat("for-all")
    stand.post(body)
    assert stand.post(body, key="sk-wrong").status_code == 401
    assert stand.post(body, key=EVE).status_code == 403
    assert results(stand.post(body, key=BEN)) == ["hit"]


def test_limits_count(stand: Stand) -> None:
    """A kept answer counts as a request, uses no tokens and costs nothing of a budget."""
    body = stand.chat()
    replies = [stand.post(body, key=CAP) for _ in range(4)]
    assert results(*replies) == ["miss", "hit", "hit", None]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
    left = [reply.headers["x-ratelimit-remaining-tokens"] for reply in replies[1:3]]
    assert left[0] == left[1]  # each reserved as much, and the one before had given all back
    costs = [record.cost_usd for record in stand.watcher.records[-4:]]
    assert costs[0] and costs[1:3] == [0, 0]
    name = 'llmitm_budget_remaining_usd{id="cap",per="day",scope="key"} '
    assert stand.metric(name) == pytest.approx(5 - float(costs[0]))


def test_time_to_live(stand: Stand) -> None:
    """An answer older than the route's ttl is not given any more."""
    body = stand.chat("brief")
    first = stand.post(body)
    time.sleep(0.002)
    assert results(first, stand.post(body)) == ["miss", "miss"]


def test_bounds(stand: Stand) -> None:
    """The least recently used answer gives way; one larger than all the room is not kept."""
    one, other = stand.chat("single"), stand.chat("single")
    replies = [stand.post(body) for body in (one, one, other, one)]
    assert results(*replies) == ["miss", "hit", "miss", "miss"]
    body = stand.chat("tiny")
    for stream in (False, True):
        asked = {**body, "stream": stream}
        assert results(stand.post(asked), stand.post(asked)) == ["miss", "miss"]


def test_clients_decide(stand: Stand) -> None:
    """no-cache asks anew and keeps that, no-store keeps nothing, max-age says how old it may be."""
    body = stand.chat()
    fresh = {"cache-control": "no-cache"}
    secret = {"cache-control": "no-store"}
    unseen = stand.post(body, **secret)
    first = stand.post(body)
    again = stand.post(body, **fresh)
    after = stand.post(body)
    assert results(unseen, first, again, after) == ["bypass", "miss", "bypass", "hit"]
    assert after.content == again.content != first.content
    assert results(stand.post(body, **secret)) == ["bypass"]
    assert results(stand.post(body, **{"cache-control": "max-age=3600"})) == ["hit"]
    assert results(stand.post(body, **{"cache-control": "max-age=0"})) == ["miss"]


FAULTS = ("500", "429", "content-filter", "content-filter-finish", "cut", "truncated", "empty")
STREAM_FAULTS = ("500", "content-filter-finish", "cut", "error-event", "no-finish", "truncated")


@pytest.mark.parametrize(
    ("fault", "stream"), [*((f, False) for f in FAULTS), *((f, True) for f in STREAM_FAULTS)]
)
def test_failures_are_not_kept(stand: Stand, fault: str, stream: bool) -> None:
    """Only a whole, good answer is kept: what fails is asked again."""
    body = stand.chat(stream=stream)
    stand.gateway.call(lambda: setattr(stand.simulator, "fault", fault))
    try:
        stand.post(body)
    finally:
        stand.gateway.call(lambda: setattr(stand.simulator, "fault", None))
    replies = stand.post(body), stand.post(body)
    assert results(*replies) == ["miss", "hit"]
    assert replies[1].status_code == 200


def test_joined_streams_are_not_kept(stand: Stand) -> None:
    """A stream that another target went on with is whole for its client, and not kept."""
    body = stand.chat("joined", stream=True)
    replies = stand.post(body), stand.post(body)
    assert results(*replies) == ["miss", "miss"]
    assert all(reply.text.endswith("data: [DONE]\n\n") for reply in replies)
    assert len(stand.watcher.records[-1].attempts) == 2


def test_failover_before_the_answer(stand: Stand) -> None:
    """Whole answers are kept whoever gave them, after how many attempts ever."""
    body = stand.chat("second")
    replies = stand.post(body), stand.post(body)
    assert results(*replies) == ["miss", "hit"]
    assert replies[0].headers["x-llmitm-attempts"] == "2"


def test_headers_of_a_version_count(stand: Stand) -> None:
    """A beta header asks for something else."""
    body = stand.chat(max_tokens=20)
    replies = [
        stand.post(body, ANTHROPIC, **{"anthropic-version": "2023-06-01", **more})
        for more in ({}, {"anthropic-beta": "some-2026"}, {})
    ]
    assert results(*replies) == ["miss", "miss", "hit"]


def test_what_is_seen(stand: Stand) -> None:
    """Hits and misses are counted, and a hit is a call of the target `cache`."""
    hits = 'llmitm_cache_total{result="hit"} '
    calls = 'llmitm_requests_total{key="ava",route="kept",status="200",target="cache"} '
    before = stand.metric(hits), stand.metric(calls)
    body = stand.chat()
    stand.post(body), stand.post(body)
    assert (stand.metric(hits), stand.metric(calls)) == (before[0] + 1, before[1] + 1)


def test_turned_off_while_it_runs(stand: Stand) -> None:
    """An edit turns a route's cache off, and its answers are gone when it is on again."""
    body, other = stand.chat(), stand.chat("for-all")
    for asked in (body, other):
        assert results(stand.post(asked), stand.post(asked)) == ["miss", "hit"]
    stand.route(routes(kept=None))
    assert results(stand.post(body), stand.post(other)) == [None, "hit"]
    stand.route(routes())
    assert results(stand.post(body), stand.post(other)) == ["miss", "hit"]
