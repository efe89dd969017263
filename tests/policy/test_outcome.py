import pytest

from llmitm.policy.outcome import AttemptOutcome, Failure, Outcome, classify
from llmitm.policy.provider_error import ProviderCode

STATUSES = {
    200: Outcome.SUCCESS,
    201: Outcome.SUCCESS,
    302: Outcome.SERVER_ERROR,
    400: Outcome.CLIENT_ERROR,
    401: Outcome.CLIENT_ERROR,
    403: Outcome.CLIENT_ERROR,
    404: Outcome.CLIENT_ERROR,
    408: Outcome.TIMEOUT,
    409: Outcome.CLIENT_ERROR,
    413: Outcome.CLIENT_ERROR,
    422: Outcome.CLIENT_ERROR,
    429: Outcome.RATE_LIMIT,
    500: Outcome.SERVER_ERROR,
    503: Outcome.SERVER_ERROR,
    504: Outcome.SERVER_ERROR,
    529: Outcome.SERVER_ERROR,
    None: Outcome.NETWORK_ERROR,
}


@pytest.mark.parametrize(("status", "expected"), STATUSES.items())
def test_status(status: int | None, expected: Outcome) -> None:
    """A reply counts by its status."""
    assert classify(status) is expected


def test_a_model_that_does_not_comply_is_no_fault_of_its_target() -> None:
    """A whole answer in another form than was asked for shows that the target is well."""
    assert classify(200, Failure.UNFIT) is Outcome.SUCCESS


@pytest.mark.parametrize("failure", [f for f in Failure if f is not Failure.UNFIT])
def test_failure_wins_over_the_status(failure: Failure) -> None:
    """A reply that broke does not count as the success its head promised."""
    assert classify(200, failure) is not Outcome.SUCCESS


@pytest.mark.parametrize("failure", [f for f in Failure if "timeout" in f.value])
def test_timeouts(failure: Failure) -> None:
    """Every kind of timeout is a timeout."""
    assert classify(None, failure) is Outcome.TIMEOUT


@pytest.mark.parametrize("status", [400, 403, 429, 500])
@pytest.mark.parametrize("code", ProviderCode)
def test_refusals_say_nothing_about_health(status: int, code: ProviderCode) -> None:
    """A refusal of the request or the account is no failure of the target, whatever its status."""
    assert classify(status, None, code) is Outcome.CLIENT_ERROR


def test_the_categories_of_the_metrics() -> None:
    """The label values that dashboards filter by."""
    assert {outcome.value for outcome in Outcome} == {
        "success",
        "circuit_breaker_open",
        "rate_limit",
        "server_error",
        "client_error",
        "timeout",
        "network_error",
    }


def test_ok() -> None:
    """Only a whole 2xx reply is ok."""
    assert AttemptOutcome(target="a", at=0.0, status=200).ok
    assert not AttemptOutcome(target="a", at=0.0, status=200, failure=Failure.STREAM_CUT).ok
    assert not AttemptOutcome(target="a", at=0.0, status=500).ok
    assert not AttemptOutcome(target="a", at=0.0, failure=Failure.RESET).ok
