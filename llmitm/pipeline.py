"""The addon list: which addons a gateway runs, in which order, and how they are found."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from mitmproxy import exceptions

from llmitm.config.gateway import AddonEntry, is_path

if TYPE_CHECKING:
    from mitmproxy.master import Master

# The way of a call, read top to bottom. `call_end` runs in the same order, so what completes the
# record stands before what consumes it.
DEFAULT = (
    "auth",
    "access",
    "models",
    "token_count",
    "cost",
    "rate_limit",
    "router",
    "budget",
    "breaker",
    "credentials",
    "ledger",
    "access_log",
    "metrics",
)


class AddonError(Exception):
    """An addon of the list can't be loaded; the message names it and what to do."""


def load_addons(master: Master, entries: tuple[AddonEntry, ...] | None) -> None:
    """Load the listed addons, in order, into `master`; None stands for the default list.

    Raises AddonError: a gateway that runs without one of its addons would decide differently.
    """
    for entry in entries if entries is not None else tuple(AddonEntry(name=n) for n in DEFAULT):
        module = _load(entry.name)
        try:
            master.addons.add(module)
            if entry.options:
                master.options.update(**entry.options)
        except (exceptions.AddonManagerError, exceptions.OptionsError, KeyError) as fault:
            raise AddonError(f"addon {entry.name}: {fault}") from fault


def _load(name: str) -> ModuleType:
    """A fresh module, so that two gateways in one process share no addon's state."""
    if is_path(name):
        path = Path(name)
        return _execute(f"llmitm_addon_{path.stem}", path)
    dotted = name if "." in name else f"llmitm.addons.{name}"
    try:
        spec = importlib.util.find_spec(dotted)
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        raise AddonError(
            f"addon {name} does not exist. Built-in addons: {', '.join(builtin_names())}; "
            "for your own give a path (./my_addon.py) or a dotted module name."
        )
    return _execute(dotted, Path(spec.origin))


def _execute(name: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise AddonError(f"addon {path} does not exist.")
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    if spec is None:
        raise AddonError(f"addon {path} can't be loaded.")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    try:
        loader.exec_module(module)
    except Exception as fault:
        raise AddonError(f"addon {path}: {type(fault).__name__}: {fault}") from fault
    finally:
        sys.path.remove(str(path.parent))
    if not getattr(module, "name", None):
        module.__dict__["name"] = path.stem
    return module


def builtin_names() -> list[str]:
    import llmitm.addons

    folder = Path(next(iter(llmitm.addons.__path__)))
    return sorted(p.stem for p in folder.glob("*.py") if p.stem != "__init__")
