from __future__ import annotations

import dataclasses
import hashlib

import pytest

from llmitm.config.keys import Key
from llmitm.config.policies import POLICY_FILES, Policies
from tests.config.configuration import Configuration


def test_completes_keys_users_and_teams(good: Configuration) -> None:
    """In a snapshot nothing is left to look up: teams, limits and content are filled in."""
    good.write(
        "policies/limits.yaml",
        "key: {limits: {concurrent: 3, requests_per_minute: 9}, budgets: [{usd: 1, per: hour}]}\n"
        "user: {limits: {tokens_per_day: 7}}\nteam: {budgets: [{usd: 9, per: week}]}\n",
    )
    policies = good.load().policies
    (key,) = policies.keys
    assert (key.team, key.log_content) == ("research", "redacted")
    assert (key.limits.requests_per_minute, key.limits.concurrent) == (60, 3)
    assert [b.per for b in key.budgets] == ["day"]
    assert policies.users["ava"].limits.tokens_per_day == 7
    assert policies.teams["research"].budgets[0].per == "week"


def test_completes_keys_from_elsewhere(good: Configuration) -> None:
    """A key that was made by the admin API gets the same defaults."""
    policies = good.load().policies
    key = policies.completed(Key(id="api", key="sha256:" + "0" * 64, user="ava"))
    assert (key.team, key.log_content, key.budgets) == ("research", "redacted", ())
    stranger = policies.completed(Key(id="api", key="x", user="who", log_content="full"))
    assert (stranger.team, stranger.log_content) == (None, "full")


def test_finds_keys_and_routes(good: Configuration) -> None:
    """Keys are found by the hash of their secret, routes by the model asked for."""
    policies = good.load().policies
    key = policies.by_digest[hashlib.sha256(b"dev-canary").hexdigest()]
    route = policies.route_for("gpt-4o")
    assert key.id == "dev"
    assert route is not None
    assert [t.name for t in route.targets] == ["openai/*", "local/llama3.2"]
    assert (route.resilience.retry.attempts, route.resilience.retry.max) == (2, 16)
    assert (policies.resilience.retry.attempts, policies.resilience.timeouts.first_token) == (4, 20)
    assert policies.route_for("claude-3") is None


def test_is_immutable(good: Configuration) -> None:
    """A call can keep its snapshot while the next one is made."""
    policies = good.load().policies
    with pytest.raises(dataclasses.FrozenInstanceError):
        policies.keys = ()  # type: ignore[misc]


def test_empty_snapshot() -> None:
    """A snapshot can be made without any file."""
    policies = Policies()
    assert (policies.by_digest, policies.route_for("x")) == ({}, None)
    assert list(POLICY_FILES) == [
        *("keys", "routes", "resilience", "limits", "prices", "logging", "access")
    ]
