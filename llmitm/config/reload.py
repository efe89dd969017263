"""Follows edits of the policies: a good one replaces the snapshot, a bad one changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from pathlib import Path

from watchfiles import awatch

from llmitm.config.load import Loaded, load_policies
from llmitm.config.policies import Policies
from llmitm.config.problems import ConfigErrors
from llmitm.config.stamps import Stamps, stamp, stamps

# An editor's several writes settle within STEP_MS; POLL_MS bounds how late an edit is seen that
# the system does not announce, as on network mounts or behind a swapped symbolic link.
STEP_MS = 50
POLL_MS = 500


class PolicyWatcher:
    """Keeps `policies` at the last good snapshot, and `errors` at what is wrong with the newest.

    `seen` are the versions of the files that these are of. The callbacks run on the event loop;
    files are read in a thread, so that no stream waits.
    """

    def __init__(
        self,
        loaded: Loaded,
        env: Mapping[str, str],
        on_change: Callable[[Policies], None],
        on_error: Callable[[ConfigErrors], None],
    ) -> None:
        self.policies = loaded.policies
        self.errors: ConfigErrors | None = None
        self._gateway = loaded.gateway
        self._env = env
        self._on_change = on_change
        self._on_error = on_error
        self._lock = asyncio.Lock()
        self.seen = self._loaded_stamps(loaded.stamps)  # an edit since then is still to be seen

    async def run(self) -> None:
        """Watch until cancelled. Returns at once where there is no directory to watch."""
        directory = self._gateway.policies
        while directory is not None:
            with suppress(FileNotFoundError):
                await self._watch(directory)
            await asyncio.sleep(POLL_MS / 1000)
            await self._look()

    async def reload_now(self) -> bool:
        """Load the policies; True where they apply, False where they have problems."""
        async with self._lock:
            return await self._reload()

    async def _watch(self, directory: Path) -> None:
        """Follow the directories for as long as they are the ones to follow.

        Raises FileNotFoundError where the policies' own is not there.
        """
        directories = self._directories(directory)
        changes = awatch(
            *directories,
            watch_filter=None,
            recursive=False,
            step=STEP_MS,
            debounce=4 * STEP_MS,
            rust_timeout=POLL_MS,
            yield_on_timeout=True,
        )
        async with aclosing(changes):
            async for _ in changes:
                await self._look()
                if self._directories(directory) != directories:
                    return

    def _directories(self, directory: Path) -> list[Path]:
        """The policies' own directory and those of the secrets that they name."""
        others = {path.parent for path in self._files() if path.parent.is_dir()}
        return sorted({directory, *others})

    async def _look(self) -> None:
        async with self._lock:
            if self._stamps() == self.seen:
                return
            if any(not path.exists() for path in self.policies.files):
                # An editor may remove a file before it puts the new one in its place.
                await asyncio.sleep(POLL_MS / 1000)
            await self._reload()

    async def _reload(self) -> bool:
        before = self._stamps()
        try:
            self.policies = await asyncio.to_thread(self._load)
            self.errors = None
        except ConfigErrors as errors:
            self.errors = errors
        self.seen = self._loaded_stamps(before)
        if self.errors is None:
            self._on_change(self.policies)
        else:
            self._on_error(self.errors)
        return self.errors is None

    def _loaded_stamps(self, before: Stamps) -> Stamps:
        """The stamps of what was just loaded, so that an edit made meanwhile is still seen.

        Secrets are known only once they are read, so those count as they are now.
        """
        own = self._gateway.policies
        return {
            path: before.get(path, None if path.parent == own else now)
            for path, now in self._stamps().items()
        }

    def _load(self) -> Policies:
        directory = self._gateway.policies
        if directory is None:
            return self.policies
        return load_policies(self._gateway, directory, self._env)

    def _files(self) -> set[Path]:
        """What the newest version was read from, or the last good one."""
        return {*self.policies.files, *(self.errors.files if self.errors else ())}

    def _stamps(self) -> Stamps:
        """What tells one version of the files from the next, without reading them."""
        own = {path: stamp(path) for path in self._files()}
        return own | stamps(self._gateway.policies)
