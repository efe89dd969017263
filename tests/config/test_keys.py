from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal

from llmitm.config.keys import Key, KeysFile


def test_keeps_the_digest_only() -> None:
    """The secret of a key is nowhere in its record."""
    key = Key(id="dev", key="sk-canary")
    assert key.digest == hashlib.sha256(b"sk-canary").hexdigest()
    assert "canary" not in repr(key) + str(key.model_dump()) + key.model_dump_json()


def test_defaults() -> None:
    """A key with nothing but its secret may use every model without limits."""
    key = Key(id="dev", key="x")
    assert (key.models, key.enabled, key.expires, key.budgets) == (("*",), True, None, ())
    assert key.limits.model_dump(exclude_none=True) == {}


def test_reads_the_example_of_the_design() -> None:
    """Limits, budgets, content and expiry as the documentation shows them."""
    key = Key.model_validate(
        {
            "id": "dev",
            "key": "x",
            "models": ["gpt-*", "local-small"],
            "limits": {"requests_per_minute": 60, "tokens_per_minute": 100000, "concurrent": 10},
            "budgets": [{"usd": 5, "per": "day"}, {"usd": 50, "per": "month", "calendar": "UTC"}],
            "max_usd_per_call": "0.5",
            "params": {"temperature": {"max": 1}},
            "log_content": "redacted",
            "expires": "2027-01-01",
        }
    )
    assert key.expires == datetime(2027, 1, 1, tzinfo=UTC)
    assert (key.max_usd_per_call, key.params["temperature"].max) == (Decimal("0.5"), 1)
    assert [b.calendar for b in key.budgets] == [None, "UTC"]


def test_users_and_teams() -> None:
    """Users and teams carry limits and budgets of their own."""
    file = KeysFile.model_validate(
        {
            "teams": [{"id": "research", "budgets": [{"usd": 9, "per": "week"}]}],
            "users": [
                {"id": "ava", "name": "Ava", "team": "research", "limits": {"concurrent": 1}}
            ],
        }
    )
    assert file.teams[0].budgets[0].per == "week"
    assert (file.users[0].limits.concurrent, file.keys) == (1, ())
