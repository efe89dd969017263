"""Whole calls through `decide`: whatever the targets do, the call behaves."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llmitm.errors import Cause
from llmitm.policy.failover import Context, Deliver, Next, Retry, decide
from llmitm.policy.outcome import AttemptOutcome, Failure, Outcome
from llmitm.policy.provider_error import ProviderCode

SILENT = (
    Failure.FIRST_BYTE_TIMEOUT,
    Failure.FIRST_TOKEN_TIMEOUT,
    Failure.BETWEEN_TOKENS_TIMEOUT,
    Failure.TOTAL_TIMEOUT,
)


@dataclass(frozen=True)
class Target:
    name: str
    context: int | None = None


@dataclass
class Reply:
    """What a target of a simulated call does; times are seconds."""

    outcome: dict[str, Any]
    takes: float


REPLIES = st.builds(
    Reply,
    st.one_of(
        st.fixed_dictionaries({"failure": st.sampled_from(Failure)}),
        st.fixed_dictionaries(
            {
                "status": st.sampled_from([200, 400, 401, 404, 408, 409, 422, 429, 500, 503, 529]),
                "code": st.none() | st.sampled_from(ProviderCode),
            },
        ),
    ).flatmap(
        lambda found: st.fixed_dictionaries(
            {
                **{name: st.just(value) for name, value in found.items()},
                "retry_after": st.none() | st.floats(0, 60),
                "replayable": st.sampled_from([True, True, True, False]),
                "committed": st.sampled_from([False, False, False, True]),
            }
        )
    ),
    st.floats(0, 20),
)
TARGETS = st.lists(
    st.none() | st.sampled_from([4_000, 8_000, 128_000]), min_size=1, max_size=4
).map(lambda sizes: tuple(Target(str(i), size) for i, size in enumerate(sizes)))


@settings(max_examples=500, deadline=None)
@given(
    targets=TARGETS,
    replies=st.lists(REPLIES, max_size=40),
    rules=st.fixed_dictionaries(
        {
            "attempts": st.integers(1, 6),
            "repeats": st.integers(0, 4),
            "deadline": st.floats(0, 200),
            "prompt_tokens": st.none() | st.integers(1, 200_000),
            "failover_on_content_policy": st.booleans(),
            "resume": st.booleans(),
            "may_retry": st.booleans(),
        }
    ),
    seed=st.integers(),
)
def test_conduct(
    targets: tuple[Target, ...], replies: list[Reply], rules: dict[str, Any], seed: int
) -> None:
    """Whatever the targets do, the call ends within its attempts and its deadline.

    It asks nobody again who was silent or refused, and nobody before its pause is over.
    """
    rng, now, asked = random.Random(seed), 0.0, targets[0].name
    history: list[AttemptOutcome] = []
    while True:
        reply = replies.pop() if replies else Reply({"status": 500}, 1.0)
        now += reply.takes
        outcome = AttemptOutcome(target=asked, at=now, **reply.outcome)
        decision = decide(outcome, Context(targets=targets, earlier=history, **rules), rng)
        history.append(outcome)
        if not isinstance(decision, Next | Retry):
            break
        asked = decision.target
        now += decision.after if isinstance(decision, Retry) else 0.0
        check_request(asked, now, history, targets, rules)
        again = any(earlier.target == asked for earlier in history)
        assert again is isinstance(decision, Retry)
    last = history[-1]
    if isinstance(decision, Deliver):
        assert last.ok or (last.category is Outcome.CLIENT_ERROR and not last.committed)
    elif decision.retry_after is not None:
        assert decision.cause in (Cause.RATE_LIMITED, Cause.CIRCUIT_OPEN)
        assert decision.retry_after >= 0


def check_request(
    target: str,
    now: float,
    history: list[AttemptOutcome],
    targets: tuple[Target, ...],
    rules: dict[str, Any],
) -> None:
    own = (Failure.CIRCUIT_OPEN, Failure.COOLDOWN, Failure.UNTRANSLATABLE)
    sent = [outcome for outcome in history if outcome.failure not in own]
    before = [outcome for outcome in history if outcome.target == target]
    assert len(sent) < rules["attempts"]
    assert len(before) <= rules["repeats"]
    assert now < rules["deadline"]
    assert target in {t.name for t in targets}
    assert rules["may_retry"] or not before
    assert history[-1].replayable or history[-1].failure in (
        *own,
        Failure.CONNECT,
        Failure.CONNECT_TIMEOUT,
    )
    for outcome in before:
        assert outcome.failure not in SILENT
        assert outcome.failure not in (Failure.CIRCUIT_OPEN, Failure.UNTRANSLATABLE)
        assert outcome.failure is not None or outcome.status not in (200, 400, 401, 404, 422)
    if before:
        assert now >= before[-1].at + (before[-1].retry_after or 0.0) - 1e-6
