"""The typed record of a call: what was asked, what was tried, what it used and cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

import msgspec
from mitmproxy import http

from llmitm.errors import GatewayError
from llmitm.policy.outcome import AttemptOutcome

_json = msgspec.json.Decoder()
_encode = msgspec.json.Encoder().encode

CACHE = "cache"  # who answers where no target is asked


@dataclass(frozen=True, slots=True)
class Target:
    """One provider and one upstream model: what a circuit breaker guards and a route lists.

    `model` may be ``"*"``: the model the client asked for is sent as it is.
    `context` is the target's context window in tokens, `prefill` whether it continues an
    assistant message given last.
    """

    provider: str
    model: str = "*"
    weight: float = 1.0
    prefill: bool = False
    context: int | None = None

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"

    def model_for(self, asked: str) -> str:
        """The model name to send upstream when a client asked for `asked`."""
        return asked if self.model == "*" else self.model


@dataclass(frozen=True, slots=True)
class FromCache:
    """Who once wrote an answer that is given again, and how many seconds ago."""

    by: Target
    age: float


@dataclass(slots=True)
class Usage:
    """Token counts of one answer.

    `prompt_tokens` is all input, the cached and cache-written part included;
    `completion_tokens` is all output, the reasoning part included.
    `estimated` says that the provider did not report them and we counted.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    audio_prompt_tokens: int = 0
    audio_completion_tokens: int = 0
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: the virtual key and what it belongs to. `key` is its id, never its secret."""

    key: str
    user: str | None = None
    team: str | None = None
    policy: Any = None  # the key's entry in policies/keys.yaml (llmitm.config.schema.Key)


class Watch(Protocol):
    """Sees an answer pass by. Its methods never raise and never wait."""

    def begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None: ...

    def data(self, chunk: bytes) -> None: ...


class Recorder(Protocol):
    """Keeps an answer that passes by. Its methods never raise and never wait."""

    def begin(self, response: http.Response) -> None: ...

    def data(self, chunk: bytes) -> None: ...


@dataclass(slots=True)
class Attempt:
    """One request to one target. Times are `time.monotonic()` seconds."""

    target: Target
    number: int
    model: str
    method: str = "POST"
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[bytes, ...] = field(default=(), repr=False)  # the credentials among them
    body: Any = field(default=None, repr=False)
    started: float = 0.0
    first_token: float | None = None
    ended: float | None = None
    status: int | None = None
    error: str | None = None
    retry_after: float | None = None
    usage: Usage | None = None
    probe: bool = False
    replayable: bool = True
    leave: Any = None  # the circuit's, given back with the result
    outcome: AttemptOutcome | None = None  # set where the attempt failed
    produced: str = ""  # the output text that came of it
    watch: Watch | None = None  # sees the provider's answer, byte for byte

    @property
    def name(self) -> str:
        """Provider and model as asked: what a breaker guards, whatever the route calls it."""
        return f"{self.target.provider}/{self.model}"

    @property
    def ms(self) -> int:
        return int(((self.ended or self.started) - self.started) * 1000)


class AttemptRecord(msgspec.Struct, frozen=True):
    """One attempt as logs, ledger and inspector see it."""

    target: str
    status: int | None
    error: str | None
    ms: int


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The settled call, built once and read by every sink. Field names are the access log's.

    `ts` is when the call was accepted, seconds since the epoch; every `*_ms` is milliseconds;
    `cost_usd` is None where no price is known. `overhead_ms` is the gateway's own share of the
    time before the first byte: everything that was not waiting for an upstream or a client.
    """

    request_id: str
    ts: float
    key: str | None = None
    user: str | None = None
    team: str | None = None
    dialect: str
    operation: str
    route: str | None = None
    model: str | None = None
    target: str | None = None
    attempts: tuple[AttemptRecord, ...] = ()
    status: int
    error: str | None = None
    stream: bool = False
    prompt_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    cost_usd: Decimal | None = None
    ttft_ms: float | None = None
    duration_ms: float = 0.0
    overhead_ms: float | None = None
    client: str | None = None


@dataclass(slots=True, weakref_slot=True)
class Call:
    """One client request through the gateway, from accept to settled."""

    request_id: str
    dialect: str
    operation: str
    path: str
    client: str | None = None
    ts: float = field(default_factory=time.time)
    started: float = field(default_factory=time.monotonic)
    principal: Principal | None = None
    model: str | None = None
    stream: bool = False
    route: str | None = None
    provider: str | None = None  # the one whose targets are asked first, where a client names it
    check: Callable[[Any], str | None] | None = None  # what is wrong with a whole answer's JSON
    plain: bool = False  # nothing but the answer may be in the client's stream: no comments
    resilience: Any = None  # llmitm.config.schema.Resilience of the chosen route
    plan: tuple[Target, ...] = ()
    attempts: list[Attempt] = field(default_factory=list)
    prompt_estimate: int | None = None
    usage: Usage | None = None
    cost_usd: Decimal | None = None
    status: int = 0
    error: GatewayError | None = None
    first_token: float | None = None
    upstream_wait: float = 0.0
    held: float = 0.0  # seconds that an operator took to let it pass
    ended: float | None = None
    reply_headers: dict[str, str] = field(default_factory=dict)
    delivered: str = ""
    hide_usage: bool = False
    had_all: bool = False  # the client left with its whole answer, before the last byte
    settling: Any = None  # the task that completes usage and cost
    task: asyncio.Task[Any] | None = None  # where it is being answered
    killed: bool = False  # an operator ended it
    record: CallRecord | None = None
    cache: str | None = None  # hit, miss or bypass, on a route that keeps answers
    from_cache: FromCache | None = None
    watch: Watch | None = None  # sees the body of a streamed reply, as the client gets it
    recording: Recorder | None = None  # gets the answer as it comes, before addons edit it
    key_digest: str | None = None  # SHA-256 of the key to use where no client presents one
    _raw: bytes | None = None
    _body: dict[str, Any] | None = None

    @property
    def settled(self) -> bool:
        """Whether usage and cost are complete."""
        return self.settling is not None and bool(self.settling.done())

    @property
    def answered_by(self) -> Attempt | None:
        """The attempt whose answer went to the client: the last one, where it did not fail."""
        last = self.attempts[-1] if self.attempts else None
        return last if last is not None and last.error is None else None

    @property
    def answering(self) -> str | None:
        """The target that was asked last as provider/model, or `cache`; None where nobody was."""
        if self.attempts:
            return self.attempts[-1].name
        return CACHE if self.from_cache is not None else None

    def body(self, flow: http.HTTPFlow) -> dict[str, Any] | None:
        """The request's JSON object, parsed once per content; None where it is no JSON object."""
        raw = flow.request.raw_content
        if raw is not self._raw:
            self._raw = raw
            self._body = _object(raw)
        return self._body

    def edit(self, flow: http.HTTPFlow, changes: Mapping[str, Any]) -> None:
        """Set fields of the request's JSON object, where the flow shows them too."""
        body = {**(self.body(flow) or {}), **changes}
        flow.request.raw_content = raw = _encode(body)
        self._raw, self._body = raw, body

    def freeze(self) -> CallRecord:
        """The record of this call as it stands."""
        usage = self.usage or Usage()
        ended = self.ended or time.monotonic()
        who = self.principal
        duration = ended - self.started
        head = (self.first_token or ended) - self.started
        return CallRecord(
            request_id=self.request_id,
            ts=self.ts,
            key=who.key if who else None,
            user=who.user if who else None,
            team=who.team if who else None,
            dialect=self.dialect,
            operation=self.operation,
            route=self.route,
            model=self.model,
            target=self.answering,
            attempts=tuple(AttemptRecord(a.name, a.status, a.error, a.ms) for a in self.attempts),
            status=self.status,
            error=self.error.cause.value if self.error else None,
            stream=self.stream,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens + usage.cache_write_1h_tokens,
            completion_tokens=usage.completion_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            estimated=usage.estimated,
            cost_usd=self.cost_usd,
            ttft_ms=_ms(self.first_token - self.started) if self.first_token else None,
            duration_ms=_ms(duration),
            overhead_ms=_ms(max(0.0, head - self.upstream_wait - self.held)),
            client=self.client,
        )


def attach(flow: http.HTTPFlow, call: Call) -> None:
    """Tie a call to its flow. `flow.metadata` holds scalars only, so it can't carry the record."""
    flow.__dict__["call"] = call


def call_of(flow: http.HTTPFlow) -> Call:
    """The call that a flow belongs to. Raises LookupError for a flow the gateway did not make."""
    call = flow.__dict__.get("call")
    if not isinstance(call, Call):
        raise LookupError("this flow was not made by the gateway")
    return call


def _object(raw: bytes | None) -> dict[str, Any] | None:
    try:
        value = _json.decode(raw or b"")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
