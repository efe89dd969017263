"""Which addons a configuration loads, and in which order."""

from __future__ import annotations

import pytest

from llmitm.config.gateway import AddonEntry
from llmitm.config.schema import Gateway
from llmitm.pipeline import DEFAULT, SEEDS, builtin_names, listed
from tests.seeds.live import loaded


def names(*own: str, seeds: bool = False, inspector: bool = True) -> list[str]:
    gateway = loaded().gateway
    listen = gateway.listen if inspector else gateway.listen.model_copy(update={"inspector": None})
    entries = tuple(AddonEntry(name=name) for name in own) or None
    changes = {"listen": listen, "addons": entries, "seed_apis": seeds}
    changed: Gateway = gateway.model_copy(update=changes)
    return [entry.name for entry in listed(changed)]


def test_default() -> None:
    """Without a list the default one is loaded; the inspector only where it listens."""
    assert names() == list(DEFAULT)
    assert names(inspector=False) == [name for name in DEFAULT if name != "inspector"]
    assert set(DEFAULT) <= set(builtin_names())


def test_seeds() -> None:
    """The seeds' addons stand before those that need their work."""
    found = names(seeds=True)
    assert [name for name in found if not name.startswith("seed_")] == list(DEFAULT)
    for name, before in SEEDS:
        assert found.index(name) < found.index(before)


@pytest.mark.parametrize("own", [("mine",), ("auth", "router"), ("seed_apis", "auth")])
def test_own_list(own: tuple[str, ...]) -> None:
    """A list of one's own is kept in its order, and the seeds' addons are in it once each."""
    found = names(*own, seeds=True)
    assert [name for name in found if name in own] == list(own)
    assert all(found.count(name) == 1 for name, _ in SEEDS)
    assert names(*own) == list(own)
