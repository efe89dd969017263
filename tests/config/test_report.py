from __future__ import annotations

from llmitm.config.report import check_report
from tests.config.configuration import Configuration


def test_shows_what_a_configuration_comes_to(good: Configuration) -> None:
    """The report has listeners, providers, resolved routes and keys, without any secret."""
    report = check_report(good.load(), width=200)
    for text in (
        "http://127.0.0.1:4000 (auth: required)",
        "inspector │ off",
        "openai/* ×3",
        "4 attempts in 120 s",
        "2 attempts in 120 s",
        "first token 20 s, total 600 s",
        "circuit open for 60 s",
        "research / ava",
        "requests_per_minute 60",
        "5 USD per day, rolling",
        "until 2040-01-01 00:00 UTC",
    ):
        assert text in report
    assert "canary" not in report


def test_shows_patterns_as_they_are(good: Configuration) -> None:
    """Brackets of a pattern are no markup."""
    good.edit("policies/routes.yaml", '"gpt-*"', '"gpt-[45]*"')
    good.edit("policies/keys.yaml", '"gpt-*", ', "")
    good.edit("policies/routes.yaml", "resilience: {attempts: 2}", "sticky: key")
    report = check_report(good.load(), width=200)
    assert "gpt-[45]*" in report
    assert "weighted, sticky by key" in report


def test_shows_caches(good: Configuration) -> None:
    """A route that keeps answers says how long, for whom and how many."""
    rule = "cache: {ttl: 5m, scope: team, max_entries: 2000}"
    good.edit("policies/routes.yaml", "resilience: {attempts: 2}", rule)
    report = check_report(good.load(), width=200)
    assert "300 s by team" in report
    assert "2,000 answers, 67,108,864 bytes" in report


def test_shows_warnings(good: Configuration) -> None:
    """Warnings come last, each with file and line."""
    good.edit("policies/keys.yaml", '"${DEV_KEY}"', "literal")
    good.edit("policies/resilience.yaml", "{open_for: 1m}", "{enabled: false}\nhedge_after: 2")
    good.edit("gateway.yaml", "  inspector: null", "  intercept: [regular@8080]")
    report = check_report(good.load(), width=200)
    assert "warning: policies/keys.yaml:7: keys[0].key: a secret stands in this file" in report
    assert "no circuit breaker" in report
    assert "hedge after 2 s" in report
    assert "regular@8080" in report


def test_says_when_there_are_no_keys(good: Configuration) -> None:
    """A configuration without keys says so."""
    good.write("policies/keys.yaml", "{}\n")
    assert "no keys in the policies" in check_report(good.load())
