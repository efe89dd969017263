"""The addon list: which addons a gateway runs, in which order, and how they are found."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from mitmproxy import exceptions

from llmitm.config.gateway import AddonEntry, is_path
from llmitm.engine.addon_manager import mark_builtin

if TYPE_CHECKING:
    from mitmproxy.master import Master

    from llmitm.config.schema import Gateway

# The way of a call, read top to bottom. `call_end` runs in the same order, so what completes the
# record stands before what consumes it.
DEFAULT = (
    "auth",
    "inspector",
    "access",
    "models",
    "token_count",
    "cost",
    "rate_limit",
    "router",
    "count_tokens",
    "budget",
    "cache",
    "breaker",
    "credentials",
    "ledger",
    "content",
    "access_log",
    "metrics",
)

# What `seed_apis` adds, each before the addon that must find its work done.
SEEDS = (
    ("seed_apis", "auth"),
    ("seed_health", "auth"),
    ("seed_users", "router"),
    ("seed_metrics", "metrics"),
)


class AddonError(Exception):
    """An addon of the list can't be loaded; the message names it and what to do."""


def listed(gateway: Gateway) -> tuple[AddonEntry, ...]:
    """The addons of `gateway.yaml`, or the default ones, and those that a switch turns on.

    In the list `default` stands for all of the default ones.
    """
    defaults = [AddonEntry(name=name) for name in DEFAULT]
    given = gateway.addons if gateway.addons is not None else (AddonEntry(name="default"),)
    entries = [e for one in given for e in (defaults if one.name == "default" else [one])]
    found = [e for e in entries if e.name != "inspector" or gateway.listen.inspector]
    for name, before in SEEDS if gateway.seed_apis else ():
        names = [entry.name for entry in found]
        if name not in names:
            found.insert(names.index(before) if before in names else 0, AddonEntry(name=name))
    return tuple(found)


def load_addons(
    master: Master, entries: Iterable[AddonEntry], *, builtin: bool | None = None
) -> None:
    """Load addons, in order, into `master`.

    Built-in ones see the gateway's flows only, unless `builtin` is False; a user's see all.
    Raises AddonError: a gateway that runs without one of its addons would decide differently.
    """
    for entry in entries:
        module = _load(entry.name)
        if is_builtin(entry.name) if builtin is None else builtin:
            mark_builtin(module)
        try:
            master.addons.add(module)
            if entry.options:
                master.options.update(**entry.options)
        except (exceptions.AddonManagerError, exceptions.OptionsError, KeyError) as fault:
            raise AddonError(f"addon {entry.name}: {fault}") from fault


def is_builtin(name: str) -> bool:
    """Whether an addon's name is one of the gateway's own."""
    return not is_path(name) and "." not in name


def _load(name: str) -> ModuleType:
    """A fresh module, so that two gateways in one process share no addon's state."""
    if is_path(name):
        path = Path(name)
        return _execute(f"llmitm_addon_{path.stem}", path)
    dotted = f"llmitm.addons.{name}" if is_builtin(name) else name
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
    before = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses look their own module up while they are made
    try:
        loader.exec_module(module)
    except Exception as fault:
        raise AddonError(f"addon {path}: {type(fault).__name__}: {fault}") from fault
    finally:
        sys.path.remove(str(path.parent))
        if before is not None:
            sys.modules[name] = before
    if not getattr(module, "name", None):
        module.__dict__["name"] = path.stem
    return module


def builtin_names() -> list[str]:
    import llmitm.addons

    folder = Path(next(iter(llmitm.addons.__path__)))
    return sorted(p.stem for p in folder.glob("*.py") if p.stem != "__init__")
