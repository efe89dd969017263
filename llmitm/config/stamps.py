"""What tells one version of a file from the next, without reading it."""

from __future__ import annotations

from pathlib import Path

type Stamp = tuple[int, int, int] | None
type Stamps = dict[Path, Stamp]


def stamp(path: Path) -> Stamp:
    """The version of a file; None where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_ino, stat.st_mtime_ns, stat.st_size)


def stamps(directory: Path | None) -> Stamps:
    """The versions of a directory's YAML files."""
    return {path: stamp(path) for path in directory.glob("*.yaml")} if directory else {}
