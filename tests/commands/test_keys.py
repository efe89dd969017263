"""Virtual keys by the command line, and a gateway that follows."""

from __future__ import annotations

import itertools
import re
import sqlite3
from pathlib import Path

import httpx
import pytest

from tests.support.gateway import Gateway, Starter
from tests.support.prompt import seconds_until, within_a_second
from tests.support.terminal import run

SECRET = re.compile(r"^sk-llmitm-\S{40,}$", re.MULTILINE)


def create(config: Path, *options: object) -> str:
    """A key's secret."""
    [secret] = SECRET.findall(run("keys", "create", "-c", config, *options).output)
    return str(secret)


def listed(config: Path) -> dict[str, list[str]]:
    """The rows of `keys list` by id."""
    output = run("keys", "list", "-c", config).output
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines()]
    return {row[0]: row[1:] for row in rows if row}


def test_create(config: Path) -> None:
    """A key is shown once; the database has its hash only."""
    secret = create(config, "--id", "ci", "--user", "ava", "--models", "gpt-*")
    assert listed(config)["ci"] == ["ava", "", "gpt-*", "on", "database"]
    database = sqlite3.connect(config.parent / "ledger.db")
    stored = "\n".join(database.iterdump())
    database.close()
    assert "ci" in stored and secret not in stored


def test_create_with_everything(config: Path) -> None:
    """Every option becomes what policies/keys.yaml would say."""
    options = """--id all --user ava --team research --models gpt-* --models claude-* --rpm 60
        --tpm 1000 --concurrent 3 --budget 5/day --budget 50.25/month --max-usd-per-call 0.5
        --expires 2099-01-01 --manage-models"""
    create(config, *options.split())
    database = sqlite3.connect(config.parent / "ledger.db")
    settings, team, expires = database.execute(
        "SELECT settings, team, expires_at FROM keys WHERE id = 'all'"
    ).fetchone()
    database.close()
    for part in (
        '"requests_per_minute":60', '"tokens_per_minute":1000', '"concurrent":3', '"usd":"50.25"',
        '"max_usd_per_call":"0.5"', '"manage_models":true', '"models":["gpt-*","claude-*"]',
    ):  # fmt: skip
        assert part in settings.replace(" ", "")
    assert (team, expires) == ("research", 4_070_908_800)


@pytest.mark.parametrize(
    ("options", "said", "code"),
    [
        ("--budget 5", "write USD/hour", 2),
        ("--budget 5/year", "write USD/hour", 2),
        ("--budget nan/day", "must be a number", 1),
        ("--budget -1/day", "greater than or equal to 0", 1),
        ("--rpm 0", "greater than or equal to 1", 1),
        ("--rpm many", "not a valid integer", 2),
        ("--id a/b", "cannot be a name", 1),
        ("--id dev", "has a key 'dev' already", 1),
        ("--user zoe", "no user 'zoe'", 1),
        ("--models [a", "never closed", 1),
        ("--expires tomorrow", "does not match the format", 2),
    ],
)
def test_mistakes(config: Path, options: str, said: str, code: int) -> None:
    """What makes no sense makes no key, and is said in words."""
    result = run("keys", "create", "-c", config, *options.split(), code=code)
    assert said in result.output
    assert not SECRET.search(result.output)
    assert "Traceback" not in result.output


def test_taken(config: Path) -> None:
    """An id is given once."""
    create(config, "--id", "ci")
    assert "taken" in run("keys", "create", "-c", config, "--id", "ci", code=1).output


def test_list(config: Path) -> None:
    """Keys of both kinds with their state, patterns as they are written."""
    create(config, "--id", "short", "--expires", "2020-01-01")
    found = listed(config)
    assert found["dev"] == ["ava", "", "[ab]*", "on", "keys.yaml"]
    assert {key: row[3] for key, row in found.items() if key != "key"} == {
        "dev": "on",
        "old": "expired",
        "off": "disabled",
        "short": "expired",
    }


def test_rotate_and_revoke(config: Path) -> None:
    """A rotation makes a second key that outlives the first; each is revoked by itself."""
    create(config, "--id", "ci")
    [second] = re.findall(r"ci-\w+", run("keys", "rotate", "-c", config, "ci").output)
    assert [row[3] for key, row in listed(config).items() if "ci" in key] == ["rotated", "on"]
    said = run("keys", "revoke", "-c", config, "ci").output
    assert "ci revoked" in said and f"{second}, of the same rotation" in said
    assert "revoked" in run("keys", "revoke", "-c", config, second).output
    assert [row[3] for key, row in listed(config).items() if "ci" in key] == ["disabled"] * 2
    run("keys", "revoke", "-c", config, "ci", "--delete")
    assert "ci" not in listed(config)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["rotate", "nope"], "no key 'nope'"),
        (["revoke", "nope"], "no key 'nope'"),
        (["revoke", "nope", "--delete"], "no key 'nope'"),
        (["revoke", "dev"], "policies/keys.yaml"),
        (["rotate", "dev"], "policies/keys.yaml"),
    ],
)
def test_unknown(config: Path, command: list[str], said: str) -> None:
    """A key that isn't there, or is in the policies, can't be changed here."""
    name, *rest = command
    assert said in run("keys", name, "-c", config, *rest, code=1).output


def status(gateway: Gateway, secret: str) -> int:
    headers = {"authorization": f"Bearer {secret}"}
    return httpx.get(f"{gateway.url}/v1/models", headers=headers).status_code


def test_a_running_gateway_follows(starter: Starter) -> None:
    """Within a second a new key opens the door, and a revoked one no longer does."""
    gateway = starter.gateway(provider_url="http://127.0.0.1:9")
    config = gateway.directory / "gateway.yaml"
    names = (f"ci{number}" for number in itertools.count())

    def follows(secret: str, wanted: int) -> float:
        return seconds_until(lambda: status(gateway, secret) == wanted)

    def slowest_of_a_life() -> float:
        name = next(names)
        secret = create(config, "--id", name)
        took = [follows(secret, 200)]
        [second] = SECRET.findall(run("keys", "rotate", "-c", config, name, "--overlap", 0).output)
        took += [max(follows(second, 200), follows(secret, 401))]
        renamed = next(key for key in listed(config) if key.startswith(f"{name}-"))
        run("keys", "revoke", "-c", config, renamed)
        return max(*took, follows(second, 401))

    within_a_second(slowest_of_a_life)
