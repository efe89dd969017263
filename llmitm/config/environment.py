"""Every environment variable that llmitm reads, in one table.

Those with a `file` override what that file says, and work without one too. The others describe
providers, prices and keys where there is no configuration file at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from llmitm.config.document import Documents, Place, Where
from llmitm.config.values import Text

PLACE = "environment"


def _same(text: str, current: Any) -> Any:
    return text


def _attempts(text: str, current: Any) -> Any:
    """Retries do not count the first attempt."""
    return int(text) + 1 if re.fullmatch(r"\d+", text) else text


def _port(text: str, current: Any) -> Any:
    """The same host with another port; loopback where no host was given."""
    host = str(current or "127.0.0.1:0").rpartition(":")[0] or "127.0.0.1"
    return f"{host}:{text}"


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable: what it means, and what it overrides, if anything."""

    name: str
    meaning: str
    file: str | None = None
    where: Where = ()
    convert: Callable[[str, Any], Any] = _same


_BREAKER = "LLM_CIRCUIT_BREAKER_"

VARIABLES: tuple[Variable, ...] = (
    Variable("HTTP_PORT", "port of the gateway", "gateway", ("listen", "gateway"), _port),
    Variable("METRICS_PORT", "port of metrics and admin", "gateway", ("listen", "admin"), _port),
    Variable("LLMITM_SEED_APIS", "true: serve the seeds' endpoints", "gateway", ("seed_apis",)),
    Variable("LOG_LEVEL", "debug, info, warn or error", "logging", ("level",)),
    Variable(
        "LLM_MAX_RETRIES",
        "retries after the first attempt",
        "resilience",
        ("retry", "attempts"),
        _attempts,
    ),
    Variable("LLM_RETRY_DELAY", "first backoff", "resilience", ("retry", "base")),
    Variable("LLM_RETRY_BACKOFF", "growth of the backoff", "resilience", ("retry", "multiplier")),
    Variable("LLM_TIMEOUT", "time for a whole call", "resilience", ("timeouts", "total")),
    *(
        Variable(f"{_BREAKER}{name}", meaning, "resilience", ("circuit_breaker", key))
        for name, key, meaning in (
            ("ENABLED", "enabled", "whether circuits open at all"),
            ("MAX_FAILURES", "consecutive_failures", "failures in a row that open a circuit"),
            ("FAILURE_THRESHOLD", "failure_rate", "share of failures that opens a circuit"),
            ("TIME_WINDOW", "window", "time over which that share is taken"),
            ("SLOW_CALL_DURATION", "slow_call", "a call that takes longer is a failure"),
            ("RESET_TIMEOUT", "open_for", "time until an open circuit is probed"),
            ("HALF_OPEN_MAX_CALLS", "half_open_probes", "probes of a half-open circuit"),
        )
    ),
    Variable("OPENAI_API_KEY", "credential of the provider openai"),
    Variable("OPENAI_BASE_URL", "its base URL"),
    Variable("OPENAI_MODEL", "its default model"),
    Variable("OPENAI_INPUT_COST_PER_1K", "USD per 1,000 input tokens of that model"),
    Variable("OPENAI_OUTPUT_COST_PER_1K", "USD per 1,000 output tokens of that model"),
    Variable("ANTHROPIC_API_KEY", "credential of the provider anthropic"),
    Variable("ANTHROPIC_BASE_URL", "its base URL"),
    Variable("ANTHROPIC_MODEL", "its default model"),
    Variable("GEMINI_API_KEY", "credential of the provider gemini"),
    Variable("GEMINI_BASE_URL", "its base URL, the one for OpenAI's API"),
    Variable("GEMINI_MODEL", "its default model"),
    Variable("GEMINI_INPUT_COST_PER_1K", "USD per 1,000 input tokens of that model"),
    Variable("GEMINI_OUTPUT_COST_PER_1K", "USD per 1,000 output tokens of that model"),
    Variable("OLLAMA_URL", "base URL of the provider ollama"),
    Variable("OLLAMA_HOST", "the same as host:port"),
    Variable("LLM_BASE_URL", "base URL of an OpenAI-compatible provider, llm"),
    Variable("LLM_API_KEY", "its credential"),
    Variable("LLM_MODEL", "its default model, and the one of seeds' endpoints that name none"),
    Variable("WORKER_ADDRESSES", "Ollama-compatible workers, host:port, separated by commas"),
    Variable("API_KEYS", "clients' keys, separated by commas; they make a key required"),
    Variable("LLMITM_DATA_DIR", "directory of the ledger where no ledger is configured"),
    Variable("XDG_DATA_HOME", "directory that holds llmitm/ where LLMITM_DATA_DIR is not set"),
)

_NAMES = frozenset(variable.name for variable in VARIABLES)


class Environment:
    """The variables of the table, and no others. An empty one counts as not set."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def get(self, name: str) -> str | None:
        """The value of a variable. Raises LookupError for a name that the table lacks."""
        if name not in _NAMES:
            raise LookupError(f"{name} is not in the table of environment variables")
        return self._env.get(name, "").strip() or None

    def text(self, name: str) -> Text | None:
        """The value of a variable, as one that errors must not repeat."""
        value = self.get(name)
        return None if value is None else Text.of(value, f"${{{name}}}")


def override(documents: Documents, env: Mapping[str, str]) -> None:
    """Put the variables that are set where they override a file."""
    environment = Environment(env)
    for variable in VARIABLES:
        document = documents.get(variable.file or "")
        text = environment.text(variable.name)
        if document is not None and text is not None:
            value = variable.convert(text, document.get(*variable.where))
            document.put(variable.where, value, Place(PLACE, None, variable.name))
