from __future__ import annotations

from typing import Any

import pytest

from llmitm.config.environment import VARIABLES, Environment
from llmitm.config.policies import POLICY_FILES
from tests.config.configuration import Configuration


@pytest.mark.parametrize(
    ("variable", "value", "found"),
    [
        ("LLM_MAX_RETRIES", "3", lambda p: p.resilience.retry.attempts == 4),
        ("LLM_RETRY_DELAY", "1s", lambda p: p.resilience.retry.base == 1),
        ("LLM_RETRY_BACKOFF", "1.5", lambda p: p.resilience.retry.multiplier == 1.5),
        ("LLM_TIMEOUT", "1m30s", lambda p: p.resilience.timeouts.total == 90),
        (
            "LLM_CIRCUIT_BREAKER_ENABLED",
            "false",
            lambda p: not p.resilience.circuit_breaker.enabled,
        ),
        (
            "LLM_CIRCUIT_BREAKER_MAX_FAILURES",
            "7",
            lambda p: p.resilience.circuit_breaker.consecutive_failures == 7,
        ),
        (
            "LLM_CIRCUIT_BREAKER_RESET_TIMEOUT",
            "45s",
            lambda p: p.resilience.circuit_breaker.open_for == 45,
        ),
        (
            "LLM_CIRCUIT_BREAKER_FAILURE_THRESHOLD",
            "0.25",
            lambda p: p.resilience.circuit_breaker.failure_rate == 0.25,
        ),
        (
            "LLM_CIRCUIT_BREAKER_TIME_WINDOW",
            "2m",
            lambda p: p.resilience.circuit_breaker.window == 120,
        ),
        (
            "LLM_CIRCUIT_BREAKER_SLOW_CALL_DURATION",
            "3s",
            lambda p: p.resilience.circuit_breaker.slow_call == 3,
        ),
        (
            "LLM_CIRCUIT_BREAKER_HALF_OPEN_MAX_CALLS",
            "2",
            lambda p: p.resilience.circuit_breaker.half_open_probes == 2,
        ),
        ("LOG_LEVEL", "error", lambda p: p.logging.level == "error"),
    ],
)
def test_overrides_policies(good: Configuration, variable: str, value: str, found: Any) -> None:
    """A variable wins over its file, which may be there or not."""
    good.env[variable] = value
    assert found(good.load().policies)
    for name in ("resilience", "logging"):
        (good.directory / f"policies/{name}.yaml").unlink()
    assert found(good.load().policies)


def test_overrides_ports_only(good: Configuration) -> None:
    """HTTP_PORT and METRICS_PORT change the port and leave the host."""
    good.edit("gateway.yaml", "gateway: 127.0.0.1:4000", "gateway: 127.0.0.9:4000")
    good.edit("gateway.yaml", "  admin: 127.0.0.1:4001\n", "")
    good.env |= {"HTTP_PORT": "8080", "METRICS_PORT": "9091"}
    listen = good.load().gateway.listen
    assert (str(listen.gateway), str(listen.admin)) == ("127.0.0.9:8080", "127.0.0.1:9091")


def test_routes_own_resilience_stays(good: Configuration) -> None:
    """A variable changes the policy that routes start from, not what a route says itself."""
    good.env["LLM_MAX_RETRIES"] = "8"
    assert good.route("gpt-4o").resilience.retry.attempts == 2
    assert good.route("local-small").resilience.retry.attempts == 9


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("LLM_MAX_RETRIES", "few", "must be a whole number, not '${LLM_MAX_RETRIES}'"),
        ("LLM_TIMEOUT", "soon", "must be a duration, not '${LLM_TIMEOUT}'"),
        ("HTTP_PORT", "99999", "must be an address, not '127.0.0.1:99999'"),
        ("LOG_LEVEL", "loud", "must be 'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_problems_name_the_variable(
    good: Configuration, variable: str, value: str, problem: str
) -> None:
    """A wrong variable is a problem with its name, and not a line of a file."""
    good.env[variable] = value
    (found,) = good.problems()
    assert found.startswith(f"environment: {variable}: {problem}")


def test_empty_counts_as_not_set(good: Configuration) -> None:
    """A variable that is set to nothing changes nothing."""
    good.env |= {"HTTP_PORT": "", "LLM_TIMEOUT": " "}
    assert good.load().gateway.listen.gateway.port == 4000


def test_table_is_whole() -> None:
    """Names are there once, each with its meaning; overrides name a file that exists."""
    names = [variable.name for variable in VARIABLES]
    assert len(set(names)) == len(names)
    assert all(variable.meaning for variable in VARIABLES)
    assert {v.file for v in VARIABLES if v.file} <= {"gateway", *POLICY_FILES}


def test_code_reads_only_what_the_table_names() -> None:
    """A variable that is not in the table cannot be read."""
    with pytest.raises(LookupError, match="OTHER is not in the table"):
        Environment({"OTHER": "x"}).get("OTHER")
