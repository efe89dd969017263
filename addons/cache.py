"""Answers what was asked before, on the routes that say so; nothing is kept by default.

It stands after whatever may refuse a call, so a kept answer is no way around a limit. What is
kept is the provider's answer, which passes the addons again like one that was just given.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from mitmproxy import http

from llmitm.call import Call, FromCache, call_of
from llmitm.config.schema import Cache as Rule
from llmitm.config.schema import Policies, Route
from llmitm.kept import Kept, Recording
from llmitm.policy import cache as policy
from llmitm.policy.lru import Lru
from llmitm.runtime import runtime

HIT, MISS, BYPASS = "hit", "miss", "bypass"


@dataclass(frozen=True, slots=True)
class Shelf:
    """The answers of one route, for as long as it stays as it is."""

    route: Route
    rule: Rule
    answers: Lru[Kept]


@dataclass(frozen=True, slots=True)
class Missed:
    """A call whose answer is to be kept."""

    shelf: Shelf
    key: bytes
    recording: Recording


class Cache:
    def __init__(self) -> None:
        self._policies: Policies | None = None
        self._shelves: dict[str, Shelf] = {}
        self._missed: dict[str, Missed] = {}

    def request(self, flow: http.HTTPFlow) -> None:
        live = runtime()
        if live.policies is not self._policies:
            self._follow(live.policies)
        if not self._shelves or flow.response:
            return
        call = call_of(flow)
        who, shelf = call.principal, self._shelves.get(call.route or "")
        body = call.body(flow) if who and shelf else None
        if not who or not shelf or not body or not policy.repeatable(call.operation, body):
            return
        key = key_of(flow, call, policy.sharers(shelf.rule.scope, who.key, who.user, who.team))
        call.cache = self._look(flow, call, shelf, key)
        live.metrics["llmitm_cache_total"].at(call.cache).inc()

    def response(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        missed = self._missed.pop(call.request_id, None)
        kept = missed.recording.kept(call) if missed is not None else None
        if missed is not None and kept is not None:
            missed.shelf.answers.put(missed.key, kept, kept.size, time.monotonic())

    def call_end(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        call.recording = None  # the inspector may hold on to the call
        self._missed.pop(call.request_id, None)

    def _follow(self, policies: Policies) -> None:
        """Forget the answers of routes that have changed, and of those that keep none any more."""
        before, self._policies, self._shelves = self._shelves, policies, {}
        for route in policies.routes:
            rule, known = route.cache, before.get(route.model)
            if known is not None and known.route == route:
                self._shelves[route.model] = known
            elif rule is not None:
                answers = Lru[Kept](rule.ttl, rule.max_entries, rule.max_bytes)
                self._shelves[route.model] = Shelf(route, rule, answers)

    def _look(self, flow: http.HTTPFlow, call: Call, shelf: Shelf, key: bytes) -> str:
        """Answer the call if there is an answer, and prepare to keep its own if there is none."""
        now = time.monotonic()
        wish = policy.wish_of(flow.request.headers.get("cache-control", ""))
        entry = shelf.answers.get(key, now) if wish.read else None
        if entry is not None and now - entry.at <= wish.max_age:
            call.from_cache = FromCache(entry.value.by, now - entry.at)
            call.delivered = entry.value.text or ""
            flow.response = entry.value.response()
            return HIT
        if wish.keep:
            call.recording = recording = Recording(shelf.rule.max_bytes)
            self._missed[call.request_id] = Missed(shelf, key, recording)
        return MISS if wish.read else BYPASS


def key_of(flow: http.HTTPFlow, call: Call, sharers: str) -> bytes:
    """What this request has in common with those that may get its answer."""
    query, headers = flow.request.path.partition("?")[2], flow.request.headers
    beside = (sharers, call.dialect, call.path, query, call.provider)
    beside += tuple(headers.get(name) for name in policy.HEADERS)
    body = call.body(flow) or {}
    return policy.fingerprint(call.operation, body, stream=call.stream, beside=beside)


addons = [Cache()]
