from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from llmitm.config.policies import Policies
from llmitm.config.problems import ConfigErrors
from llmitm.config.reload import PolicyWatcher
from tests.config.configuration import Configuration

PATIENCE = 60  # seconds; an edit is expected within one


class Watched:
    """A watcher on a configuration, and what it has said."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.said: asyncio.Queue[Policies | ConfigErrors] = asyncio.Queue()
        put = self.said.put_nowait
        self.watcher = PolicyWatcher(configuration.load(), configuration.env, put, put)

    @property
    def policies(self) -> Path:
        return self.configuration.directory / "policies"

    async def next(self) -> Policies | ConfigErrors:
        async with asyncio.timeout(PATIENCE):
            return await self.said.get()

    def replace(self, name: str, text: str) -> None:
        """Replace a file as editors do."""
        new = self.policies / f".{name}.swp"
        new.write_text(text)
        new.replace(self.policies / name)


@pytest.fixture
async def watched(good: Configuration) -> AsyncIterator[Watched]:
    it = Watched(good)
    task = asyncio.create_task(it.watcher.run())
    yield it
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_applies_an_edit(watched: Watched) -> None:
    """A file that an editor replaced is a new snapshot; the old one stays what it was."""
    before = watched.watcher.policies
    watched.replace("logging.yaml", "level: debug\n")
    after = await watched.next()
    assert isinstance(after, Policies)
    assert (before.logging.level, after.logging.level) == ("warning", "debug")
    assert watched.watcher.policies is after


async def test_applies_an_edit_in_place(watched: Watched) -> None:
    """A file that is written in place is a new snapshot too."""
    (watched.policies / "logging.yaml").write_text("level: error\n")
    after = await watched.next()
    if isinstance(after, Policies) and after.logging.level != "error":
        after = await watched.next()  # the file may have been seen while it was empty
    assert isinstance(after, Policies)
    assert after.logging.level == "error"


async def test_an_edit_while_the_gateway_starts(good: Configuration) -> None:
    """What was edited after it was read, and before anybody watched, is seen."""
    loaded = good.load()
    (good.directory / "policies" / "logging.yaml").write_text("level: error\n")
    said: asyncio.Queue[Policies | ConfigErrors] = asyncio.Queue()
    watcher = PolicyWatcher(loaded, good.env, said.put_nowait, said.put_nowait)
    task = asyncio.create_task(watcher.run())
    async with asyncio.timeout(PATIENCE):
        after = await said.get()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert isinstance(after, Policies)
    assert after.logging.level == "error"


async def test_bad_edit_changes_nothing(watched: Watched) -> None:
    """A broken edit is reported, and mended by the next good one."""
    before = watched.watcher.policies
    watched.replace("logging.yaml", "level: loud\n")
    errors = await watched.next()
    assert isinstance(errors, ConfigErrors)
    assert "policies/logging.yaml:1: level: must be" in str(errors)
    assert watched.watcher.policies is before
    assert watched.watcher.errors is errors

    watched.replace("logging.yaml", "level: info\n")
    assert isinstance(await watched.next(), Policies)
    assert watched.watcher.errors is None


async def test_waits_for_a_file_that_is_being_replaced(watched: Watched) -> None:
    """A file that is gone for a moment is not taken for one without keys."""
    keys = watched.policies / "keys.yaml"
    text = keys.read_text()
    keys.unlink()
    await asyncio.sleep(0)
    keys.write_text(text.replace("id: dev", "id: renamed"))
    after = await watched.next()
    assert isinstance(after, Policies)
    assert [key.id for key in after.keys] == ["renamed"]


async def test_follows_a_new_directory(watched: Watched) -> None:
    """A directory that is moved away is an error, and one in its place a new snapshot."""
    old = watched.policies.with_name("old")
    watched.policies.rename(old)
    errors = await watched.next()
    assert str(errors) == "policies: there is no such directory"
    (old / "logging.yaml").write_text("level: debug\n")
    shutil.copytree(old, watched.policies)
    after = await watched.next()
    while isinstance(after, ConfigErrors):  # the copy may have been seen half way
        after = await watched.next()
    assert watched.watcher.policies.logging.level == "debug"


async def test_follows_a_swapped_link(good: Configuration) -> None:
    """A symbolic link that is turned to another directory is an edit."""
    (good.directory / "policies").rename(good.directory / "v1")
    shutil.copytree(good.directory / "v1", good.directory / "v2")
    (good.directory / "v2/logging.yaml").write_text("level: debug\n")
    link = good.directory / "policies"
    link.symlink_to("v1")
    it = Watched(good)
    task = asyncio.create_task(it.watcher.run())
    try:
        (good.directory / "next").symlink_to("v2")
        (good.directory / "next").replace(link)
        after = await it.next()
        assert isinstance(after, Policies)
        assert after.logging.level == "debug"
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_follows_secrets(watched: Watched) -> None:
    """A key's file is watched where it lies, also while it is missing."""
    keys = watched.policies / "keys.yaml"
    watched.replace("keys.yaml", keys.read_text().replace('"${DEV_KEY}"', "file:../secrets/dev"))
    assert isinstance(await watched.next(), ConfigErrors)
    watched.configuration.write("secrets/dev", "one\n")
    one = await watched.next()
    assert isinstance(one, Policies)
    watched.configuration.write("secrets/dev", "another\n")
    two = await watched.next()
    assert isinstance(two, Policies)
    assert one.by_digest.keys() != two.by_digest.keys()


async def test_reloads_on_demand(good: Configuration) -> None:
    """Without watching, a reload applies at once or says why not."""
    it = Watched(good)
    good.write("policies/logging.yaml", "level: debug\n")
    assert await it.watcher.reload_now()
    assert it.watcher.policies.logging.level == "debug"
    good.write("policies/logging.yaml", "level: loud\n")
    assert not await it.watcher.reload_now()
    assert it.watcher.policies.logging.level == "debug"
    assert it.said.qsize() == 2


async def test_nothing_to_watch(empty: Configuration) -> None:
    """Without a policies directory there is nothing to follow."""
    empty.write("gateway.yaml", "providers: {sim: {api: simulator}}\n")
    it = Watched(empty)
    await it.watcher.run()
    assert await it.watcher.reload_now()
    assert it.watcher.policies.route_for("x") is not None
