"""Users by the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.terminal import run


def listed(config: Path) -> dict[str, list[str]]:
    """The rows of `users list` by id."""
    output = run("users", "list", "-c", config).output
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines()]
    return {row[0]: row[1:] for row in rows if row}


def test_users(config: Path) -> None:
    """A user is registered, may have a key, and takes it along."""
    made = run("users", "create", "-c", config, "--id", "bob", "--name", "Bob", "--team", "t")
    assert made.output == "bob\n"
    run("keys", "create", "-c", config, "--id", "bobs", "--user", "bob")
    rows = listed(config)
    assert rows["ava"][-1] == "keys.yaml"
    assert (rows["bob"][:2], rows["bob"][-1]) == (["Bob", "t"], "database")
    run("users", "delete", "-c", config, "bob")
    assert "bob" not in listed(config)
    assert "bobs" not in run("keys", "list", "-c", config).output


def test_a_name_is_made_up(config: Path) -> None:
    """Where none is given."""
    name = run("users", "create", "-c", config).output.strip()
    assert name.startswith("user-")
    assert name in listed(config)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["create", "--id", "ava"], "taken"),
        (["create", "--id", "a b"], "cannot be a name"),
        (["delete", "nobody"], "there is no user"),
        (["delete", "ava"], "policies/keys.yaml"),
    ],
)
def test_what_makes_no_sense(config: Path, command: list[str], said: str) -> None:
    """The command's error names it."""
    name, *rest = command
    assert said in run("users", name, "-c", config, *rest, code=1).output


def test_a_revoked_key_works_again(config: Path) -> None:
    """Once it is enabled."""
    run("keys", "create", "-c", config, "--id", "ci")
    states = []
    for command in ("revoke", "enable"):
        run("keys", command, "-c", config, "ci")
        output = run("keys", "list", "-c", config).output
        states.append("disabled" in next(line for line in output.splitlines() if "│ ci" in line))
    assert states == [True, False]
