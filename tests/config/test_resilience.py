from __future__ import annotations

import pytest

from llmitm.config.resilience import Override, Resilience, Retry
from llmitm.config.validate import validate
from tests.config.configuration import Parse


def test_defaults_are_those_of_the_design() -> None:
    """Nothing has to be configured."""
    usual = Resilience()
    assert usual.retry.model_dump() == {
        "attempts": 3,
        "base": 0.5,
        "max": 8,
        "multiplier": 2,
        "deadline": 120,
        "budget": 0.2,
    }
    assert usual.timeouts.model_dump() == {
        "connect": 5,
        "first_byte": None,
        "first_token": 30,
        "between_tokens": 30,
        "total": 600,
    }
    assert (usual.mid_stream, usual.hedge_after, usual.keep_alive) == ("resume", None, 15)
    assert (usual.hold.bytes, usual.hold.seconds) == (262144, None)
    assert not usual.failover_on_content_policy


def test_merges_only_what_was_given() -> None:
    """An override leaves alone what it does not say, what follows from it included."""
    base = Resilience.model_validate({"retry": {"attempts": 5, "max": "16s"}, "hedge_after": 2})
    override = Override.model_validate({"retry": {"attempts": 1}, "timeouts": {"first_token": 90}})
    merged = base.merged(override)
    assert (merged.retry.attempts, merged.retry.max, merged.hedge_after) == (1, 16, 2)
    assert (merged.timeouts.first_token, merged.timeouts.total) == (90, 600)
    assert type(merged) is Resilience


def test_override_can_turn_off() -> None:
    """Null in an override turns off what the base has."""
    base = Resilience.model_validate({"hedge_after": 2, "retry": {"budget": 0.1}})
    merged = base.merged(Override.model_validate({"hedge_after": None, "budget": None}))
    assert (merged.hedge_after, merged.retry.budget) == (None, None)


def test_flat_form_is_the_nested_one() -> None:
    """A route may name a key without its section, beside others in their sections."""
    flat = Override.model_validate(
        {"attempts": 1, "total": "5m", "open_for": 9, "retry": {"base": 1}, "mid_stream": "error"}
    )
    nested = Override.model_validate(
        {
            "retry": {"attempts": 1, "base": 1},
            "timeouts": {"total": 300},
            "circuit_breaker": {"open_for": 9},
            "mid_stream": "error",
        }
    )
    assert flat.given() == nested.given()


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("attempts: x", "attempts: must be a whole number, not 'x'"),
        ("{attempts: 1, retry: {attempts: 2}}", "attempts is given twice; keep it in retry only"),
        ("{attempts: 1, retry: 5}", "retry: must be a mapping"),
        ("firsttoken: 5", "firsttoken: unknown key; did you mean first_token?"),
        ("[]", "must be a mapping"),
    ],
)
def test_problems_name_what_was_written(parse: Parse, yaml: str, problem: str) -> None:
    """A fault in the flat form is shown as it was written, not as it was understood."""
    document = parse(yaml)
    assert validate(Override, document) is None
    assert str(document.problems[0]).startswith(f"some.yaml:1: {problem}")


def test_flat_form_is_for_routes_only(parse: Parse) -> None:
    """resilience.yaml itself keeps its sections."""
    document = parse("attempts: 1")
    assert validate(Resilience, document) is None
    assert "it belongs under retry" in str(document.problems[0])


def test_whole_policy_may_be_given_as_python() -> None:
    """Tests and tools build records without YAML."""
    assert Resilience(retry=Retry(attempts=1)).retry.attempts == 1
