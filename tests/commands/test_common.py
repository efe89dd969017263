"""What the commands share: configuration, coroutines, tables."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import click
import pytest

from llmitm.commands import common
from llmitm.stores.errors import Unavailable


def test_the_usual_file(config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a file ./config/gateway.yaml is read, and without that one none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLMITM_DATA_DIR", str(tmp_path))
    assert "dev" not in [key.id for key in common.read_config(None).policies.keys]
    (tmp_path / "config").symlink_to(tmp_path)
    assert "dev" in [key.id for key in common.read_config(None).policies.keys]


@pytest.mark.parametrize(
    ("text", "count"), [("nonsense: 1\n", 1), ("nonsense: 1\nmore: 2\n", 2), ("[", 1)]
)
def test_every_problem(
    config: Path, capsys: pytest.CaptureFixture[str], text: str, count: int
) -> None:
    """Each problem is a line on stderr, then their number; the exit code is 2."""
    with config.open("a") as file:
        file.write(text)
    with pytest.raises(SystemExit) as caught:
        common.read_config(config)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    *problems, last = err.splitlines()
    assert out == ""
    assert len(problems) == count
    assert all("gateway.yaml:" in problem for problem in problems)
    assert last.startswith(f"{count} problem")


def test_ledger_faults() -> None:
    """What the ledger says of a failure is the command's error, without a traceback."""

    async def work() -> None:
        raise Unavailable("the database is down")

    with pytest.raises(click.ClickException, match="the database is down"):
        common.run(work())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_until_signalled(number: signal.Signals) -> None:
    """A signal ends the work, which may still tidy up."""
    tidied = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            tidied.append(True)

    common.run_until_signalled(work())
    assert tidied == [True]


def test_until_the_end() -> None:
    """Work that ends by itself, or fails, is not held up."""

    async def good() -> None:
        """Done at once."""

    async def bad() -> None:
        raise OSError("taken")

    common.run_until_signalled(good())
    with pytest.raises(OSError, match="taken"):
        common.run_until_signalled(bad())


def test_tables_are_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe nothing is shortened, and brackets are no markup."""
    table = common.table_of(["name"], ["number"])
    table.add_row("x" * 200 + "[ab]*", "1" * 50)
    common.show(table)
    out = capsys.readouterr().out
    assert "x" * 200 + "[ab]*" in out
    assert "1" * 50 in out


def test_complaints_are_literal(capsys: pytest.CaptureFixture[str]) -> None:
    """A message may have brackets and be long."""
    text = "a[b]c " + "y" * 300
    common.complain(text)
    assert capsys.readouterr().err == text + "\n"


def test_nothing_is_animated_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Progress is for terminals."""
    with common.working("Adding up…"):
        """It takes its time."""
    assert capsys.readouterr() == ("", "")
