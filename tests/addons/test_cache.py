"""Who is answered from the cache, and what is kept; whole gateways are in the journeys."""

from __future__ import annotations

from typing import Any

import pytest
from mitmproxy import http

from addons import cache as module
from addons.cache import Cache
from llmitm.call import Attempt, Call, Target, call_of
from tests.support.stage import Stage, call_and_flow
from tests.support.wire import completion

ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


class Clock:
    """The addon's time, which passes as the test says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def configure(stage: Stage, cache: dict[str, Any] | None, **more: Any) -> None:
    target = {"provider": "sim", "model": "*"}
    entry = {"model": "*", "targets": [target], "cache": cache, **more}
    stage.configure({"routes": {"routes": [entry]}})


def asked(
    addon: Cache, stage: Stage, body: Any = ASKED, **options: Any
) -> tuple[Call, http.HTTPFlow]:
    """A call that has come as far as the cache."""
    call, flow = call_and_flow(body=body, who=stage.key(), **options)
    call.route = call.model = "*"
    addon.request(flow)
    return call, flow


def answered(addon: Cache, call: Call, flow: http.HTTPFlow, text: str = "hello") -> None:
    """The call's end, with an answer from its provider."""
    call.attempts.append(Attempt(Target("sim"), 1, "m", status=200))
    if call.recording is not None:
        call.recording.begin(http.Response.make(200, b"", {"content-type": "application/json"}))
        call.recording.data(completion(text))
    addon.response(flow)
    addon.call_end(flow)


def test_answers_again(stage: Stage, clock: Clock) -> None:
    """The same request is answered with what is kept, which says how old it is and whose."""
    configure(stage, {"ttl": 60})
    addon = Cache()
    call, flow = asked(addon, stage)
    assert (call.cache, flow.response) == ("miss", None)
    answered(addon, call, flow)
    clock.now += 59
    call, flow = asked(addon, stage)
    assert flow.response is not None and flow.response.raw_content == completion()
    assert call.from_cache is not None
    assert (call.cache, call.from_cache.age, call.from_cache.by) == ("hit", 59, Target("sim", "m"))
    assert call.recording is None
    clock.now += 1
    assert asked(addon, stage)[0].cache == "miss"


@pytest.mark.parametrize(
    ("cache", "path", "body"),
    [
        (None, "/v1/chat/completions", ASKED),
        ({"ttl": 60}, "/v1/images/generations", ASKED),
        ({"ttl": 60}, "/v1/chat/completions", b"no JSON"),
        ({"ttl": 60}, "/v1/responses", {**ASKED, "background": True}),
    ],
)
def test_has_no_part(stage: Stage, cache: Any, path: str, body: Any) -> None:
    """Other routes, operations and bodies are none of its business."""
    configure(stage, cache)
    call, flow = asked(Cache(), stage, body, path=path)
    assert (call.cache, call.recording, flow.response) == (None, None, None)


def test_answered_calls_pass_by(stage: Stage) -> None:
    """A call that was answered or refused before stays as it is."""
    configure(stage, {"ttl": 60})
    call, flow = call_and_flow(body=ASKED, who=stage.key())
    call.route = "*"
    flow.response = refusal = http.Response.make(403)
    Cache().request(flow)
    assert (call.cache, flow.response) == (None, refusal)


def test_nobody_known(stage: Stage) -> None:
    """Who comes without a key, as where no addon asks for one, gets nobody's answers."""
    configure(stage, {"ttl": 60})
    call, flow = call_and_flow(body=ASKED)
    call.route = "*"
    Cache().request(flow)
    assert (call.cache, call.recording) == (None, None)


def test_forgets_what_never_came(stage: Stage) -> None:
    """Nothing is left of calls that ended without an answer."""
    configure(stage, {"ttl": 60})
    addon = Cache()
    call, flow = asked(addon, stage)
    assert call.recording is not None
    addon.call_end(flow)
    assert not addon._missed
    assert call.recording is None


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, True),
        ({"cache": {"ttl": 30}}, False),
        ({"cache": None}, False),
        ({"sticky": "user"}, False),
        ({"targets": [{"provider": "sim", "model": "other"}]}, False),
    ],
)
def test_edits(stage: Stage, changes: dict[str, Any], kept: bool) -> None:
    """A route that was edited begins anew; one that is as before keeps its answers."""
    configure(stage, {"ttl": 60})
    addon = Cache()
    call, flow = asked(addon, stage)
    answered(addon, call, flow)
    late, late_flow = asked(addon, stage, {**ASKED, "seed": 1})
    configure(stage, **{"cache": {"ttl": 60}, **changes})
    call, flow = asked(addon, stage)
    assert (flow.response is not None) == kept
    answered(addon, late, late_flow)
    again, _ = asked(addon, stage, {**ASKED, "seed": 1})
    assert (again.from_cache is not None) == kept  # an answer to the old route isn't the new one's


def test_counts(stage: Stage) -> None:
    """Each result is counted."""
    configure(stage, {"ttl": 60})
    addon = Cache()
    call, flow = asked(addon, stage)
    answered(addon, call, flow)
    asked(addon, stage)
    asked(addon, stage, headers={"cache-control": "no-store"})
    counter = stage.runtime.metrics["llmitm_cache_total"]
    assert {k: c._value.get() for k, c in counter.children.items()} == {
        ("hit",): 1,
        ("miss",): 1,
        ("bypass",): 1,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"path": "/v1/chat/completions?beta=true"},
        {"path": "/v1/completions"},
        {"headers": {"openai-beta": "assistants=v2"}},
        {"body": {**ASKED, "temperature": 1}},
    ],
)
def test_other_requests(stage: Stage, change: dict[str, Any]) -> None:
    """What asks for something else is another request."""
    configure(stage, {"ttl": 60})
    addon = Cache()
    call, flow = asked(addon, stage)
    answered(addon, call, flow)
    assert asked(addon, stage, **change)[0].cache == "miss"


def test_provider_that_is_asked_first(stage: Stage) -> None:
    """A client that names a provider asks for that one's answer."""
    configure(stage, {"ttl": 60})
    addon = Cache()
    call, flow = asked(addon, stage)
    answered(addon, call, flow)
    other, flow = call_and_flow(body=ASKED, who=stage.key())
    other.route, other.provider = "*", "sim"
    addon.request(flow)
    assert call_of(flow).cache == "miss"
