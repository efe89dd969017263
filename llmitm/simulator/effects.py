"""What each fault does to a reply: pure functions from one `Reply` to another.

A fault of streams does to a whole body what comes nearest: half of it, then the same break.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from email.utils import formatdate

from llmitm.simulator.fault import Effect, Fault
from llmitm.simulator.frames import data, encode, line, named
from llmitm.simulator.ids import new_id
from llmitm.simulator.refusals import OVERLOADED, REFUSALS
from llmitm.simulator.reply import Break, Event, Mark, Pause, Reply, Step

_HTML = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n"
    b"</body>\r\n</html>\r\n"
)
_GARBAGE = b'\x00\x1f{"id": <<<not JSON>>>'
_MALFORMED = {
    "openai": b'data: {"id":"chatcmpl-0","choices":[{"index":0,"delta":{"cont\n\n',
    "responses": b'event: response.output_text.delta\ndata: {"type":"response.out\n\n',
    "anthropic": b'event: content_block_delta\ndata: {"type":"content_block_de\n\n',
    "ollama": b'{"model":"sim","message":{"role":"assis\n',
    "realtime": b'{"type":"response.te',
}


def refuse(reply: Reply, fault: Fault) -> Reply:
    """The error that the fault's name stands for, with its retry headers."""
    return refusal_reply(reply.dialect, fault.name, _retry_headers(fault))


def refusal_reply(dialect: str, name: str, headers: dict[str, str]) -> Reply:
    refusal = REFUSALS[name]
    body = refusal.body(dialect, new_id("req_"))
    return Reply(dialect, body, status=refusal.status, headers=headers)


def _retry_headers(fault: Fault) -> dict[str, str]:
    headers: dict[str, str] = {}
    if fault.params.get("retry-after") is not None:
        headers["retry-after"] = f"{fault.number('retry-after'):g}"
    if fault.params.get("retry-after-date") is not None:
        headers["retry-after"] = formatdate(
            time.time() + fault.number("retry-after-date"), usegmt=True
        )
    if fault.params.get("retry-after-ms") is not None:
        headers["retry-after-ms"] = f"{fault.number('retry-after-ms'):g}"
    return headers


def html(reply: Reply, fault: Fault) -> Reply:
    return Reply(reply.dialect, _HTML, status=502, content_type="text/html")


def before(how: Break) -> Effect:
    """Breaks the connection before a byte of the reply."""
    return lambda reply, fault: replace(reply, before=(how,))


def slow_headers(reply: Reply, fault: Fault) -> Reply:
    return replace(reply, slow_headers=fault.number("seconds"))


def slow_first_token(reply: Reply, fault: Fault) -> Reply:
    pause = Pause(fault.number("first-token"))
    if reply.steps is None:
        return replace(reply, before=(pause,))
    return replace(reply, steps=_inserted(reply.steps, 0, lambda sent: [pause]))


def break_off(how: Break) -> Effect:
    """Breaks the connection after `after` tokens, or after half of a whole body."""

    def effect(reply: Reply, fault: Fault) -> Reply:
        if reply.steps is None:
            half = reply.body[: len(reply.body) // 2]
            return replace(reply, body=half, length=len(reply.body), after=how)
        steps = _inserted(reply.steps, fault.whole("after"), lambda sent: [how])
        return replace(reply, steps=steps)

    return effect


def malformed(reply: Reply, fault: Fault) -> Reply:
    if reply.steps is None:
        return garbage(reply, fault)
    broken = _MALFORMED[reply.dialect]
    steps = _inserted(reply.steps, fault.whole("after"), lambda sent: [(Mark.START, broken)])
    return replace(reply, steps=steps)


def error_event(reply: Reply, fault: Fault) -> Reply:
    """An error inside the stream, which ends there in good order; as a whole, a 500."""
    if reply.steps is None:
        return refusal_reply(reply.dialect, "500", {})
    dialect = reply.dialect
    steps = _inserted(
        reply.steps,
        fault.whole("after"),
        lambda sent: [(Mark.END, in_band_error(dialect, sent))],
        goes_on=False,
    )
    return replace(reply, steps=steps)


def in_band_error(dialect: str, sequence: int) -> bytes:
    """The error as an event of `dialect`; `sequence` is the number of events before it."""
    if dialect == "responses":
        flat = {"code": OVERLOADED.openai_code, "message": OVERLOADED.message, "param": None}
        return named({"type": "error", **flat, "sequence_number": sequence})
    error = OVERLOADED.object(dialect, new_id("req_"))
    match dialect:
        case "anthropic":
            return named(error)
        case "ollama":
            return line(error)
        case "realtime":
            return encode({"type": "error", "event_id": new_id("event_"), **error})
    return data(error)


def without(*marks: Mark) -> Effect:
    """Leaves events out of a stream, which still closes in good order."""

    def effect(reply: Reply, fault: Fault) -> Reply:
        if reply.steps is None:
            return reply
        kept = (step for step in reply.steps if not _is(step, marks))
        return replace(reply, steps=kept)

    return effect


def empty(reply: Reply, fault: Fault) -> Reply:
    return replace(reply, body=b"", steps=None if reply.steps is None else ())


def garbage(reply: Reply, fault: Fault) -> Reply:
    return replace(reply, body=_GARBAGE, steps=None)


def truncated(reply: Reply, fault: Fault) -> Reply:
    """HTTP in good order around half a body; of a stream, half of the event after `after`."""
    if reply.steps is None:
        return replace(reply, body=reply.body[: len(reply.body) // 2])
    return replace(reply, steps=_half(reply.steps, fault.whole("after")))


def wrong_length(reply: Reply, fault: Fault) -> Reply:
    """A Content-Length that is `by` bytes more than the body; streams are sent whole."""
    body = reply.body if reply.steps is None else b"".join(_bytes(reply.steps))
    length = max(0, len(body) + fault.whole("by"))
    return replace(reply, body=body, steps=None, length=length, after=Break.CUT)


def _inserted(
    steps: Iterable[Step],
    after: int,
    extra: Callable[[int], list[Step]],
    *,
    goes_on: bool = True,
) -> Iterator[Step]:
    """`steps` with `extra(events so far)` after that many tokens, at the latest before the end."""
    tokens = 0
    waiting = True
    for sent, step in enumerate(steps):
        token = _is(step, (Mark.TOKEN,))
        due = (token and tokens == after) or _is(step, (Mark.FINISH, Mark.USAGE, Mark.END))
        if waiting and due:
            waiting = False
            yield from extra(sent)
            if not goes_on:
                return
        tokens += token
        yield step


def _half(steps: Iterable[Step], after: int) -> Iterator[Step]:
    tokens = 0
    for step in steps:
        if _is(step, (Mark.TOKEN,)):
            tokens += 1
        if tokens > after or _is(step, (Mark.FINISH, Mark.END)):
            yield from ((Mark.START, event[: len(event) // 2]) for event in _bytes([step]))
            return
        yield step


def _is(step: Step, marks: tuple[Mark, ...]) -> bool:
    return isinstance(step, tuple) and step[0] in marks


def _bytes(steps: Iterable[Step]) -> Iterator[bytes]:
    events: Iterable[Event] = (step for step in steps if isinstance(step, tuple))
    return (chunk for _, chunk in events)
