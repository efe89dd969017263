"""Every fault the simulator knows, and the parameters it takes.

A fault is written `name`, `name:param=value,param=value` (after an `@` in a model's name) or
`name; param=value; param=value` (in the `x-sim-fault` header); both forms are read alike.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache

from llmitm.simulator import effects
from llmitm.simulator.fault import Fault, Kind, Value
from llmitm.simulator.reply import Break, Mark

_RETRY: Mapping[str, Value] = {
    "retry-after": None,
    "retry-after-ms": None,
    "retry-after-date": None,
}
_AFTER: Mapping[str, Value] = {"after": 3}

# What any fault takes. `times` and `skip` count the requests that ask for the same text, which
# `key` can make different; the rest stand in for the settings and for the usage that is counted.
COMMON: Mapping[str, Value] = {
    "times": None,
    "skip": 0,
    "key": None,
    "latency": None,
    "pace": None,
    "tokens": None,
    "prompt": None,
    "completion": None,
    "cached": None,
    "cache-write": None,
    "cache-write-1h": None,
    "reasoning": None,
    "audio-prompt": None,
    "audio-completion": None,
}

FAULTS: dict[str, Kind] = {
    "ok": Kind("No fault: carries the parameters that any fault takes."),
    "400": Kind("Invalid request.", effects.refuse),
    "401": Kind("Wrong API key.", effects.refuse),
    "402": Kind("Credit used up.", effects.refuse),
    "403": Kind("No access to the model.", effects.refuse),
    "404": Kind("No such model.", effects.refuse),
    "413": Kind("Request too large.", effects.refuse),
    "422": Kind("Well-formed, but not processable.", effects.refuse),
    "429": Kind(
        "Rate limited; `retry-after` (seconds), `retry-after-ms` and `retry-after-date` "
        "(a date so many seconds ahead) add the header.",
        effects.refuse,
        _RETRY,
    ),
    "quota": Kind("429 insufficient_quota, which waiting does not cure.", effects.refuse, _RETRY),
    "500": Kind("Internal server error.", effects.refuse, _RETRY),
    "502": Kind("Bad gateway, with an HTML page.", effects.html),
    "503": Kind("Overloaded.", effects.refuse, _RETRY),
    "504": Kind("The provider's own time-out.", effects.refuse),
    "529": Kind("Overloaded, as Anthropic says it.", effects.refuse, _RETRY),
    "context-length": Kind("The prompt is longer than the context window.", effects.refuse),
    "content-filter": Kind("400 content_policy_violation.", effects.refuse),
    "content-filter-azure": Kind("400 content_filter, as Azure OpenAI says it.", effects.refuse),
    "content-filter-finish": Kind(
        "Stops after `after` tokens with the content filter as the finish reason "
        "(Ollama has none: stop).",
        params=_AFTER,
        filters=True,
    ),
    "refuse-prefill": Kind(
        "400 where the last message is the assistant's, else no fault.", refuses_prefill=True
    ),
    "reset": Kind("TCP RST before the headers.", effects.before(Break.RESET)),
    "hangup": Kind("Closes the connection without a byte.", effects.before(Break.CUT)),
    "silence": Kind("Accepts the request and never answers.", effects.before(Break.STALL)),
    "slow-headers": Kind(
        "`seconds` between the status line and the headers.", effects.slow_headers, {"seconds": 5}
    ),
    "slow-first-token": Kind(
        "`first-token` seconds before the first token, after the headers.",
        effects.slow_first_token,
        {"first-token": 5},
    ),
    "cut": Kind(
        "Closes after `after` tokens without the terminating chunk; a whole body half-way.",
        effects.break_off(Break.CUT),
        _AFTER,
    ),
    "reset-mid": Kind(
        "TCP RST after `after` tokens; in a whole body half-way.",
        effects.break_off(Break.RESET),
        _AFTER,
    ),
    "stall": Kind(
        "Sends nothing more after `after` tokens, the connection stays open; a whole body "
        "half-way.",
        effects.break_off(Break.STALL),
        _AFTER,
    ),
    "malformed": Kind(
        "A broken event after `after` tokens, then goes on; a whole body is no JSON.",
        effects.malformed,
        _AFTER,
    ),
    "error-event": Kind(
        "The dialect's in-band error after `after` tokens ends the stream; as a whole, a 500.",
        effects.error_event,
        _AFTER,
    ),
    "no-done": Kind(
        "The finish reason comes, the end mark (`[DONE]`, message_stop) does not.",
        effects.without(Mark.END),
    ),
    "no-finish": Kind(
        "All tokens come, neither finish reason nor end mark does, the body ends in good order.",
        effects.without(Mark.FINISH, Mark.USAGE, Mark.END),
    ),
    "empty": Kind("200 with an empty body.", effects.empty),
    "garbage": Kind("200 with a body that is no JSON.", effects.garbage),
    "truncated": Kind(
        "200 with half of the JSON, the Content-Length fits; a stream ends within the event "
        "after `after` tokens.",
        effects.truncated,
        _AFTER,
    ),
    "wrong-length": Kind(
        "Content-Length is off `by` bytes, then closes.", effects.wrong_length, {"by": 10}
    ),
}

OK = Fault("ok", FAULTS["ok"])


class UnknownFault(ValueError):
    """A fault that the table does not have, or one that does not take a parameter."""


@lru_cache(maxsize=1024)
def parse(spec: str) -> Fault:
    """The fault that `spec` asks for. Raises UnknownFault."""
    name, _, rest = re.sub(r"\s", "", spec).replace(":", ";", 1).partition(";")
    kind = FAULTS.get(name)
    if kind is None:
        raise UnknownFault(f"unknown fault {name!r}; known are {', '.join(FAULTS)}")
    allowed = {**COMMON, **kind.params}
    given = dict(_param(name, allowed, item) for item in re.split("[,;]", rest) if item)
    return Fault(name, kind, {**kind.params, **given}, spec)


def _param(fault: str, allowed: Mapping[str, Value], item: str) -> tuple[str, Value]:
    name, _, text = item.partition("=")
    if name not in allowed:
        raise UnknownFault(f"{fault} takes no {name!r}; it takes {', '.join(allowed)}")
    if name == "key":
        return name, text
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (value < 0 and name != "by"):
        raise UnknownFault(f"{fault}: {name} must be a number, not {text!r}")
    return name, int(value) if value.is_integer() else value
