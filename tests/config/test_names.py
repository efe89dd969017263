from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.config.configuration import Configuration

NOW = datetime(2040, 6, 1, tzinfo=UTC)


def test_finds_dangling_names_of_all_files(good: Configuration) -> None:
    """Every name that refers to nothing is found, whichever file it is in."""
    good.edit("policies/routes.yaml", "provider: openai,", "provider: nobody,")
    good.edit("policies/prices.yaml", "provider: openai", "provider: nobody")
    good.edit("policies/limits.yaml", "route: local-small", "route: nothing")
    good.edit("policies/keys.yaml", "user: ava", "user: nobody")
    good.edit("policies/keys.yaml", "team: research", "team: nothing")
    assert [p.split(":")[2].strip() for p in good.problems()] == [
        "users[0].team",
        "keys[0].user",
        "routes[0].route",
        "prices[1].provider",
        "routes[1].targets[0].provider",
    ]


def test_names_are_found_beside_other_faults(good: Configuration) -> None:
    """A user with a fault of its own is still a user."""
    good.edit("policies/keys.yaml", "name: Ava", "name: [Ava]")
    good.edit("policies/routes.yaml", "strategy: weighted", "strategy: wrong")
    assert len(good.problems()) == 2


def test_nothing_is_dangling_without_providers(good: Configuration) -> None:
    """Where gateway.yaml cannot be read, routes are not blamed for it."""
    good.write("gateway.yaml", "providers: 5\npolicies: policies\n")
    assert [p.partition(":")[0] for p in good.problems()] == ["gateway.yaml"]


@pytest.mark.parametrize(
    ("expires", "warned"),
    [("2040-06-01", True), ("2040-05-31T23:00:00-02:00", False), ("2040-06-02", False)],
)
def test_expired_keys_are_a_warning(good: Configuration, expires: str, warned: bool) -> None:
    """A gateway must start the day after a key expired."""
    good.edit("policies/keys.yaml", "2040-01-01", expires)
    warnings = [str(w) for w in good.load(NOW).warnings]
    assert bool(warnings) is warned
    assert all("keys[0].expires: the key expired at 2040-06-01 00:00 UTC" in w for w in warnings)


def test_literal_keys_are_a_warning(good: Configuration) -> None:
    """A key in the file works, with a warning that does not repeat it."""
    good.edit("policies/keys.yaml", '"${DEV_KEY}"', "literal-canary")
    loaded = good.load()
    (warning,) = map(str, loaded.warnings)
    assert warning == (
        "policies/keys.yaml:7: keys[0].key: a secret stands in this file; use ${NAME} or file:PATH"
    )
    assert len(loaded.policies.by_digest) == 1


def test_routes_behind_a_catch_all_are_a_warning(good: Configuration) -> None:
    """A pattern after "*" is never reached; an exact name is."""
    good.write(
        "policies/routes.yaml",
        'routes:\n  - {model: "*", targets: [{provider: local, model: l}]}\n'
        "  - {model: local-small, targets: [{provider: local, model: l}]}\n"
        '  - {model: "gpt-*", targets: [{provider: openai}]}\n',
    )
    (warning,) = map(str, good.load().warnings)
    assert warning.startswith('policies/routes.yaml:4: routes[2].model: is never reached: "*" on')


def test_same_key_in_two_forms(good: Configuration) -> None:
    """One secret is one key, however it is written."""
    good.write("policies/key.txt", "dev-canary\n")
    good.edit(
        "policies/keys.yaml",
        "    expires: 2040-01-01\n",
        "    expires: 2040-01-01\n  - {id: again, key: file:key.txt}\n",
    )
    (problem,) = good.problems()
    assert problem.startswith("policies/keys.yaml:14: keys[1].key: is the same key as the one on")


def test_prices_may_be_for_every_provider(good: Configuration) -> None:
    """A price can stand for a model wherever it runs."""
    good.edit("policies/prices.yaml", "provider: openai", 'provider: "*"')
    assert good.load().policies.prices[1].provider == "*"


def test_a_team_without_teams_is_a_label(good: Configuration) -> None:
    """Where no team is defined a user or key may still be counted under one."""
    text = (good.directory / "policies/keys.yaml").read_text()
    _, _, rest = text.partition("users:")
    (good.directory / "policies/keys.yaml").write_text("users:" + rest)
    loaded = good.load()
    assert loaded.warnings == ()
    assert {key.team for key in loaded.policies.keys} == {"research"}


def test_models_that_nothing_serves_yet(good: Configuration) -> None:
    """A key may be allowed what has no route, with a warning; a misspelt name is a fault."""
    good.edit("policies/keys.yaml", "local-small", "something-else")
    (warning,) = map(str, good.load().warnings)
    assert "keys[0].models[1]: no route serves 'something-else'" in warning
